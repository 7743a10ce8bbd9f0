/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules (lib/mo/schedule) on this machine: its clocks, its local time, what it can be required
 * to have.  They run whether a server can be reached or not; what came of it waits for the next
 * session. */
#include "odm/schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part.h"
#include "require.h"

#define AGAIN_MS 500                  /* a session has a transaction open */
#define AGAIN_MAX_MS 300000           /* the disk stays broken */
#define CLOCK_SET INT64_C(1577836800) /* 2020: a clock before was never set */
#define MOVES_MOST 64                 /* in a row, before others have their turn */

typedef struct schedule_part {
        const part_host *host;
        odm_schedules *schedules;
        loop_timer timer;
        loop_io clock; /* readable when the wall clock was set */
        int64_t again_ms;
        uint32_t told; /* alerts noted when their owners were told of it */
        bool answered; /* an alert, since the last session ended */
        bool pumping;
        machine machine;
} schedule_part;

/* ---- the clocks --------------------------------------------------------------------------- */

static odm_schedule_now now(void *ctx)
{
        odm_wall wall = loop_wall();

        (void)ctx;
        return (odm_schedule_now){.mono = loop_now(), .wall = wall, .set = wall.s >= CLOCK_SET};
}

static int32_t local_offset(void *ctx, odm_wall at)
{
        time_t t = (time_t)at.s;
        struct tm tm;

        (void)ctx;
        return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

static void set_timer(schedule_part *p, odm_time due)
{
        if (loop_timer_set(p->host->loop, &p->timer, due) < 0)
                log_error("no memory for a timer");
}

/* The kernel tells when somebody sets the clock, or the machine wakes, by ending a wait that has no
 * end.  Without it the clock is looked at each hour. */
static void watch_clock(schedule_part *p)
{
        const struct itimerspec never = {.it_value.tv_sec = INT32_MAX};

        if (timerfd_settime(p->clock.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
                            NULL) < 0 &&
            errno != ECANCELED)
                log_warn("changes of the clock are noticed late");
}

static void on_clock(void *ctx, unsigned events)
{
        schedule_part *p = ctx;
        uint64_t n;

        (void)events;
        if (read(p->clock.fd, &n, sizeof n) < 0 && errno != ECANCELED)
                return;
        log_info("the clock was set");
        watch_clock(p);
        set_timer(p, loop_now());
}

/* ---- what the machine has ------------------------------------------------------------------ */

static bool has_account(void *ctx, odm_str server)
{
        const schedule_part *p = ctx;

        return part_has_account(p->host, server);
}

typedef struct nap_search {
        const schedule_part *p;
        odm_str id;
        bool up;
} nap_search;

static odm_str nap_leaf(const nap_search *s, odm_str nap, const char *leaf, odm_arena *a)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_str uri = odm_arena_fmt(a, "./NAP/%.*s/%s", (int)nap.n, nap.p, leaf);

        return uri.p && odm_tree_read(s->p->host->tree, uri, a, &v) == 0 ? v.data : ODM_ABSENT;
}

/* An access point is up when its interface is; where only its bearer is known, when that is. */
static int look_at_nap(void *ctx, odm_str name)
{
        nap_search *s = ctx;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        if (odm_str_eq(nap_leaf(s, name, "ID", &a), s->id)) {
                odm_str bearer = nap_leaf(s, name, "BearerType", &a);
                s->up |= odm_str_ieq(bearer, "ETHERNET")
                                 ? require_interface(&s->p->machine, nap_leaf(s, name, "Addr", &a))
                                 : require_bearer(&s->p->machine, bearer);
        }
        odm_arena_done(&a);
        return 0;
}

static bool has_link(const schedule_part *p, odm_str what)
{
        nap_search s = {.p = p, .id = what};

        (void)odm_tree_children(p->host->tree, ODM_STR("./NAP"), look_at_nap, &s);
        return s.up || require_bearer(&p->machine, what);
}

static bool holds(void *ctx, odm_str what)
{
        const schedule_part *p = ctx;
        uint64_t most;

        if (odm_str_is(what, "power"))
                return require_power(&p->machine);
        if (odm_str_starts(what, "link="))
                return has_link(p, odm_str_from(what, 5));
        return odm_str_u64(odm_str_from(what, 6), UINT32_MAX, &most) == 0 &&
               require_load(&p->machine, most);
}

/* A step that wants the device for itself, such as an installation, is under way. */
static bool is_busy(void *ctx)
{
        const schedule_part *p = ctx;
        const odm_task *t;

        for (size_t i = 0; (t = odm_tasks_at(p->host->tasks, i)) != NULL; i++)
                if (t->step && t->alone)
                        return true;
        return false;
}

/* ---- at work ------------------------------------------------------------------------------- */

static void on_changed(void *ctx)
{
        schedule_part *p = ctx;

        if (p->host->loop && !p->pumping)
                set_timer(p, loop_now());
}

static unsigned elsewhere(void *ctx, const odm_op *op)
{
        const schedule_part *p = ctx;

        return p->host->elsewhere(p->host->ctx, op);
}

static void tell_owner(void *ctx, odm_str server)
{
        const schedule_part *p = ctx;

        p->host->tell(p->host->ctx, server);
}

static void tell_owners(schedule_part *p)
{
        if (odm_schedules_owners(p->schedules, tell_owner, p) < 0)
                log_error("who waits for results of schedules is not known");
}

static int look(schedule_part *p)
{
        int rc = 1;

        for (int i = 0; i < MOVES_MOST && rc == 1; i++) {
                odm_schedule_now t = now(p);
                rc = odm_schedules_look(p->schedules, &t);
                if (rc == 1 && p->host->moved(p->host->ctx) < 0)
                        rc = ODM_EIO;
        }
        return rc;
}

static void wait_again(schedule_part *p, int rc)
{
        if (rc == ODM_ESTATE) {
                p->again_ms = AGAIN_MS;
        } else {
                p->again_ms = p->again_ms ? p->again_ms * 2 : AGAIN_MS;
                if (p->again_ms > AGAIN_MAX_MS)
                        p->again_ms = AGAIN_MAX_MS;
                log_error("schedules", log_text("reason", odm_err_text(rc)));
        }
        set_timer(p, odm_time_add(loop_now(), p->again_ms));
}

static void pump(schedule_part *p)
{
        int rc;

        if (p->pumping || !p->host->loop)
                return;
        tzset(); /* somebody may have moved the device */
        p->pumping = true;
        rc = look(p);
        p->pumping = false;
        if (rc < 0) {
                wait_again(p, rc);
        } else {
                odm_schedule_now t = now(p);
                p->again_ms = 0;
                set_timer(p, rc == 1 ? t.mono : odm_schedules_time(p->schedules, &t));
        }
        if (odm_schedules_noted(p->schedules) != p->told) {
                p->told = odm_schedules_noted(p->schedules);
                tell_owners(p);
        }
}

static void on_timer(void *ctx)
{
        pump(ctx);
}

/* ---- the part ------------------------------------------------------------------------------- */

static void schedule_close(void *ctx)
{
        schedule_part *p = ctx;

        loop_timer_stop(&p->timer);
        loop_io_del(&p->clock);
        if (p->clock.fd >= 0)
                close(p->clock.fd);
        odm_schedules_free(p->schedules);
        free(p);
}

static int schedule_mount(const part_host *h, void **out, diag *d)
{
        schedule_part *p = calloc(1, sizeof *p);
        const odm_schedules_opt o = {.mem = &heap_mem,
                                     .trace = log_tracer(),
                                     .tree = h->tree,
                                     .mo = &odm_mo_scheduling,
                                     .zone = {.offset = local_offset},
                                     .hub = h->traps,
                                     .now = now,
                                     .has_account = has_account,
                                     .holds = holds,
                                     .is_busy = is_busy,
                                     .elsewhere = elsewhere,
                                     .changed = on_changed,
                                     .ctx = p};
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->machine.root = "";
        p->timer = (loop_timer){.fn = on_timer, .ctx = p};
        p->clock = (loop_io){.fd = -1, .fn = on_clock, .ctx = p};
        rc = odm_schedules_new(&o, &p->schedules);
        if (rc < 0)
                schedule_close(p);
        else
                *out = p;
        return rc;
}

static int schedule_open(void *ctx, diag *d)
{
        schedule_part *p = ctx;

        (void)d;
        p->clock.fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (p->clock.fd >= 0 && loop_io_add(p->host->loop, &p->clock, LOOP_READ) == 0)
                watch_clock(p);
        else
                log_warn("changes of the clock are noticed late");
        tell_owners(p);
        p->told = odm_schedules_noted(p->schedules);
        set_timer(p, loop_now());
        return 0;
}

/* What did not fit into that session goes with the next. */
static void schedule_rest(void *ctx, bool good)
{
        schedule_part *p = ctx;

        odm_schedules_review(p->schedules);
        pump(p);
        if (good && p->answered)
                tell_owners(p);
        p->answered = false;
}

static int schedule_alerts(void *ctx, odm_str server, int (*fn)(void *ctx, const odm_alert *a),
                           void *to)
{
        const schedule_part *p = ctx;

        return odm_schedules_alerts(p->schedules, server, loop_wall(), fn, to);
}

static void schedule_alerted(void *ctx, uint64_t id, unsigned status)
{
        schedule_part *p = ctx;
        int rc = odm_schedules_alerted(p->schedules, id, status, loop_wall());

        p->answered |= odm_alert_over(status);
        if (rc < 0)
                log_error("a result is told again", log_text("reason", odm_err_text(rc)));
}

static int schedule_status(const void *ctx, odm_buf *b)
{
        const schedule_part *p = ctx;
        odm_schedules_count c = odm_schedules_counted(p->schedules);

        return odm_buf_fmt(b,
                           "schedules: %u\nschedules-active: %u\nschedules-running: %u\n"
                           "schedule-results-waiting: %u\n",
                           c.schedules, c.active, c.running, c.reports);
}

static const char *const roots[] = {ODM_SCHEDULE_AT, NULL};

const part_class part_schedule = {
        .name = "schedule",
        .roots = roots,
        .mount = schedule_mount,
        .open = schedule_open,
        .rest = schedule_rest,
        .alerts = schedule_alerts,
        .alerted = schedule_alerted,
        .status = schedule_status,
        .close = schedule_close,
};
