/* SPDX-License-Identifier: Apache-2.0 */
/* Traps (lib/mo/trap) on this machine: what they are about is measured, servers are told, and what
 * else hooks on them (part_host.traps) hears of it.
 *
 * Whether the device can watch something at all is asked once, when it starts: without a radio
 * there is no ./Trap/RxPower. */
#include "odm/trap.h"

#include <stdlib.h>

#include "fsio.h"
#include "gauge.h"
#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part.h"
#include "part/traplog.h"

#define AGAIN_MS 500 /* a session has a transaction open, or something failed */
#define MILLION 1000000
#define PLACE "./DiagMon/Location"
#define RADIO "./DiagMon/RF"

typedef struct trap_part {
        const part_host *host;
        odm_traps *traps;
        odm_trap_listener log;
        loop_timer timer;
        char *folder;
        const char *root; /* below which /proc of the machine is */
        gauge_speed speed;
        gauge_boot boot;
        bool numbered;      /* the machine numbers its runs */
        bool asked, marked; /* the trap of hard restarts has looked; and that is noted */
        bool pumping;
} trap_part;

/* ---- measuring ---------------------------------------------------------------------------- */

static bool read_int(const trap_part *p, const char *uri, int64_t *out)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;
        bool good;

        odm_arena_init(&a, &heap_mem, 65536);
        good = odm_tree_read(p->host->tree, odm_cstr(uri), &a, &v) == 0 &&
               odm_trap_number(v.data, out) == 0;
        odm_arena_done(&a);
        return good;
}

/* NetType names a radio; without one it is the first that is there. */
static odm_trap_done measure_power(const trap_part *p, odm_str net)
{
        static const struct {
                const char *type, *leaf;
        } radios[] = {{"LTE", RADIO "/LTE/DiagMonData/RSSI"},
                      {"WCDMA", RADIO "/UMTS/DiagMonData/RSSI"},
                      {"UMTS", RADIO "/UMTS/DiagMonData/RSSI"},
                      {"GSM", RADIO "/GSM/DiagMonData/RSSI"}};
        odm_trap_done d = {.rc = ODM_ENOENT};
        int dbm;

        if ((net.n == 0 || odm_str_ieq(net, "WLAN")) && gauge_wlan(p->root, &dbm) == 0)
                return (odm_trap_done){.rc = 0, .value = (int64_t)dbm * MILLION};
        for (size_t i = 0; i < ODM_COUNT(radios); i++) {
                if (net.n && !odm_str_ieq(net, radios[i].type))
                        continue;
                if (read_int(p, radios[i].leaf, &d.value)) {
                        d.rc = 0;
                        break;
                }
        }
        return d;
}

static odm_trap_done measure_speed(trap_part *p, odm_str direction)
{
        gauge_way way = GAUGE_BOTH;
        odm_trap_done d = {.rc = 0};
        int64_t bits = 0;

        if (odm_str_is(direction, "0") || odm_str_is(direction, "down"))
                way = GAUGE_DOWN;
        else if (odm_str_is(direction, "1") || odm_str_is(direction, "up"))
                way = GAUGE_UP;
        d.rc = gauge_speed_look(&p->speed, p->root, loop_now(), way, &bits);
        d.value = bits * (MILLION / 1000); /* kbit/s in millionths */
        return d;
}

static odm_trap_done measure(trap_part *p, const odm_trap_order *o)
{
        switch (o->kind) {
        case ODM_TRAP_RXPWR: return measure_power(p, o->detail);
        case ODM_TRAP_DATASPEED: return measure_speed(p, o->detail);
        case ODM_TRAP_REBOOT:
                p->asked = true;
                return (odm_trap_done){.rc = p->numbered ? 0 : ODM_ENOENT, .value = p->boot.hard};
        case ODM_TRAP_LOGFULL:
                return (odm_trap_done){.rc = 0,
                                       .value = (int64_t)traplog_fullest(p->host, NULL) * MILLION};
        case ODM_TRAP_THRESHOLD:
        case ODM_TRAP_GEO: break;
        }
        return (odm_trap_done){.rc = ODM_ENOENT};
}

/* ---- telling ------------------------------------------------------------------------------ */

/* A server that cannot be reached for long has enough to read when it can: what is beyond that is
 * not kept, so that the traps go on. */
static int alert(const trap_part *p, const odm_trap_order *o)
{
        int rc;

        if (!part_has_account(p->host, o->server))
                return ODM_ENOENT;
        rc = p->host->alert(p->host->ctx, o->server, &o->alert);
        if (rc == ODM_ELIMIT) {
                log_warn("too many alerts wait; one of a trap is not kept",
                         log_str("server", o->server), log_str("trap", o->alert.source));
                rc = 0;
        }
        return rc;
}

/* From here on a start with another number of the machine's run is a hard restart. */
static void mark_running(trap_part *p)
{
        diag d = {{0}};

        if (!p->numbered || p->marked)
                return;
        p->marked = true;
        if (gauge_boot_mark(p->folder, &p->boot, true, &d) < 0)
                log_error("a hard restart would not be noticed", log_text("reason", d.text));
}

static odm_trap_done carry_out(trap_part *p, const odm_trap_order *o)
{
        odm_trap_done d = {.rc = 0};

        switch (o->what) {
        case ODM_TRAP_KEEP:
                d.rc = p->host->moved(p->host->ctx);
                if (d.rc == 0 && p->asked)
                        mark_running(p);
                return d;
        case ODM_TRAP_SAMPLE: return measure(p, o);
        case ODM_TRAP_ALERT: d.rc = alert(p, o); return d;
        }
        return d;
}

static void set_timer(trap_part *p, odm_time due)
{
        if (loop_timer_set(p->host->loop, &p->timer, due) < 0)
                log_error("no memory for a timer");
}

static void pump(trap_part *p)
{
        const odm_trap_order *o;
        int rc;

        if (p->pumping || !p->host->loop)
                return;
        p->pumping = true;
        while ((rc = odm_traps_next(p->traps, loop_now(), loop_wall(), &o)) == 1) {
                odm_trap_done d = carry_out(p, o);
                rc = odm_traps_did(p->traps, &d, loop_now(), loop_wall());
                if (rc < 0)
                        break;
        }
        p->pumping = false;
        if (rc == 0 && p->asked)
                mark_running(p);
        if (rc < 0 && rc != ODM_ESTATE)
                log_warn("traps", log_text("reason", odm_err_text(rc)));
        set_timer(p, rc < 0 ? odm_time_add(loop_now(), AGAIN_MS) : odm_traps_time(p->traps));
}

static void on_timer(void *ctx)
{
        pump(ctx);
}

static void on_changed(void *ctx)
{
        trap_part *p = ctx;

        if (p->host->loop && !p->pumping)
                set_timer(p, loop_now());
}

/* ---- the part ------------------------------------------------------------------------------ */

static void on_event(void *ctx, const odm_trap_event *e)
{
        trap_part *p = ctx;
        int rc = traplog_add(p->host, e->id, e->active, e->reason);

        log_info(e->active ? "trap fired" : "trap is over", log_str("trap", e->uri),
                 log_str("reason", e->reason));
        if (rc < 0)
                log_error("a trap is not in the log of traps", log_str("trap", e->uri),
                          log_text("reason", odm_err_text(rc)));
        odm_traps_poke(p->traps, ODM_TRAP_LOGFULL);
}

static void trap_close(void *ctx)
{
        trap_part *p = ctx;
        diag d = {{0}};

        if (p->marked && gauge_boot_mark(p->folder, &p->boot, false, &d) < 0)
                log_error("the end of this run is not noted", log_text("reason", d.text));
        p->host->traps->changed = NULL;
        odm_trap_unlisten(p->host->traps, &p->log);
        loop_timer_stop(&p->timer);
        odm_traps_free(p->traps);
        free(p->folder);
        free(p);
}

static int trap_mount(const part_host *h, void **out, diag *d)
{
        const odm_traps_opt o = {.mem = &heap_mem,
                                 .trace = log_tracer(),
                                 .tree = h->tree,
                                 .mo = &odm_mo_trap,
                                 .hub = h->traps};
        const char *root = cfg_str(h->conf, "diag.root");
        trap_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->root = root ? root : "";
        p->timer = (loop_timer){.fn = on_timer, .ctx = p};
        p->log = (odm_trap_listener){.idle = true, .fn = on_event, .ctx = p};
        p->folder = fsio_join(h->folder, "trap");
        rc = p->folder ? odm_traps_new(&o, &p->traps) : ODM_ENOMEM;
        if (rc < 0) {
                trap_close(p);
                return rc;
        }
        odm_trap_listen(h->traps, &p->log);
        h->traps->changed = on_changed;
        h->traps->ctx = p;
        *out = p;
        return 0;
}

static int look_at_boot(trap_part *p, diag *d)
{
        int rc = fsio_mkdir(p->folder, 0700, d);

        if (rc == 0)
                rc = gauge_boot_look(p->root, p->folder, &p->boot);
        p->numbered = rc == 0;
        return rc == ODM_ENOENT ? 0 : rc;
}

static bool has_log(odm_tree *t)
{
        static const char *const logs[] = {"./DiagMon/TrapLog", "./DiagMon/PanicLog",
                                           "./DiagMon/FM"};

        for (size_t i = 0; i < ODM_COUNT(logs); i++)
                if (odm_tree_exists(t, odm_cstr(logs[i])))
                        return true;
        return false;
}

static int trap_fill(void *ctx, diag *d)
{
        trap_part *p = ctx;
        odm_tree *t = p->host->tree;
        int dbm = 0, rc = look_at_boot(p, d);
        const bool can[ODM_TRAP_KINDS] = {
                [ODM_TRAP_GEO] = odm_tree_exists(t, ODM_STR(PLACE)),
                [ODM_TRAP_RXPWR] =
                        odm_tree_exists(t, ODM_STR(RADIO)) || gauge_wlan(p->root, &dbm) == 0,
                [ODM_TRAP_DATASPEED] = gauge_has_net(p->root),
                [ODM_TRAP_REBOOT] = p->numbered,
                [ODM_TRAP_LOGFULL] = has_log(t),
        };

        for (int k = ODM_TRAP_THRESHOLD + 1; rc == 0 && k < ODM_TRAP_KINDS; k++)
                rc = odm_traps_offer(p->traps, (odm_trap_kind)k, can[k], loop_wall());
        return rc;
}

static int trap_open(void *ctx, diag *d)
{
        trap_part *p = ctx;

        (void)d;
        set_timer(p, loop_now());
        return 0;
}

static void trap_rest(void *ctx, bool good)
{
        (void)good;
        pump(ctx);
}

static int trap_status(const void *ctx, odm_buf *b)
{
        const trap_part *p = ctx;

        return odm_buf_fmt(b, "traps-watched: %zu\ntraps-active: %zu\n",
                           odm_traps_watched(p->traps), odm_traps_active(p->traps));
}

static const char *const roots[] = {ODM_TRAP_AT, NULL};

const part_class part_trap = {
        .name = "trap",
        .roots = roots,
        .mount = trap_mount,
        .fill = trap_fill,
        .open = trap_open,
        .rest = trap_rest,
        .status = trap_status,
        .close = trap_close,
};
