/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - when each device does what.
 *
 *     RESTING --call, wake-up, report due--> WAITING --a slot is free--> TALKING --> RESTING
 *        ^                                                                  |
 *        +--after the restart-- (off) <--power cut, installed, silence------+
 *
 * A device stands up (gadget_open) for a session, and for each end of a step of its update; what is
 * not in its record by then is lost, as after a power cut. */
#include "fleet.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "ear.h"
#include "heap.h"
#include "rand.h"
#include "update.h"

#define REPORT_MS 50     /* alerts that come together go together */
#define BACK_OFF_MS 1000 /* after a failed session, doubled with each in a row */
#define BACK_OFFS 6
#define REST_MS 100 /* after a connection failed no session begins */
#define NEVER INT64_MAX

typedef enum place { RESTING, WAITING, TALKING } place;

typedef struct device {
        struct fleet *f;
        char *record;
        update *update;      /* a step under way */
        struct device *next; /* that waits */
        loop_timer timer;
        int64_t call, report, boot; /* due; NEVER for none.  boot: it is off */
        uint64_t mine, fired, over; /* faults: it has, that happened, alarms that ended */
        uint32_t record_n, i;       /* i: of all */
        uint32_t calls;
        uint16_t group, wake; /* wake: session id of a wake-up to follow, 0 none */
        uint16_t woken;       /* of the last one followed */
        uint8_t place, failures, state;
        bool off, dead, met, resync;
        bool busy; /* it had a task when xremsim ended */
        bool told; /* an alarm in the session before, in vain */
} device;

typedef struct slot {
        fleet *f;
        struct slot *next; /* of the free ones */
        device *d;
        gadget *g;
        talk talk;
} slot;

struct fleet {
        loop *loop;
        const scenario *s;
        keep *keep;
        device *device;
        slot *slot, *free;
        device *first, **last; /* they wait */
        uint32_t running;
        loop_timer turn, end;
        int64_t rest; /* nothing begins before: the server seems to be away */
        bool stopped, over;
        void (*done)(void *ctx);
        void *ctx;
        downloads *pool;
        update_host updates;
        ear *ear;
        odm_mem mem;
        talk_host host;
        int64_t began;   /* microseconds */
        int64_t started; /* milliseconds */
        fleet_stats st;
};

static void settle(device *d, gadget *g);
static void plan(device *d);
static void begin_some(fleet *f);

/* ---- a device's own ----------------------------------------------------------------------- */

static const group *group_of(const device *d)
{
        return &d->f->s->group[d->group];
}

static uint32_t index_of(const device *d)
{
        return d->i - group_of(d)->begin;
}

static uint32_t number_of(const device *d)
{
        return sim_number(&group_of(d)->o, index_of(d));
}

/* 0 .. ms, by the seed: the same device at the same session draws the same. */
static int64_t drawn(const device *d, int64_t ms)
{
        uint64_t state = d->f->s->seed ^ (uint64_t)d->i << 32 ^ d->calls;

        (void)fault_random(&state);
        return ms > 0 ? (int64_t)(fault_random(&state) % (uint64_t)(ms + 1)) : 0;
}

static const fault *fault_of(const device *d, size_t k)
{
        return (d->mine >> k & 1) && (!(d->fired >> k & 1) || d->f->s->fault[k].always)
                       ? &d->f->s->fault[k]
                       : NULL;
}

/* Those that may still happen. */
static uint64_t armed(const device *d)
{
        uint64_t v = 0;

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++)
                v |= fault_of(d, k) ? 1ull << k : 0;
        return v;
}

static void fired(device *d, gadget *g, uint64_t bits)
{
        for (size_t k = 0; bits && k < d->f->s->n_faults; k++)
                d->f->st.fired[k] += bits >> k & 1;
        d->fired |= bits;
        g->fired = d->fired;
        g->dirty |= bits != 0;
}

static odm_wall skew(const device *d)
{
        odm_wall w = {0};

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++)
                if ((d->mine >> k & 1) && d->f->s->fault[k].kind == FAULT_CLOCK_SKEW)
                        w.s += d->f->s->fault[k].ms / 1000;
        return w;
}

static odm_wall wall_of(const device *d)
{
        return (odm_wall){loop_wall().s + skew(d).s};
}

static int open_up(device *d, gadget **out)
{
        odm_str record = {d->record, d->record_n};
        int rc = gadget_open(group_of(d), index_of(d), record, &d->f->mem, wall_of(d), out);

        if (rc == 0) {
                (*out)->fired = d->fired;
                (*out)->over = d->over;
                (*out)->calls = d->calls;
        }
        return rc;
}

static void trouble(fleet *f, const char *what, int rc)
{
        char *why = f->st.talk.why;

        if (!why[0])
                (void)snprintf(why, sizeof f->st.talk.why, "%s: %s", what, odm_err_text(rc));
}

/* ---- what is kept ----------------------------------------------------------------------------- */

static int store_record(device *d, odm_str record)
{
        char *p = d->record;

        if (d->f->keep && keep_put(d->f->keep, group_of(d)->name, number_of(d), record) < 0)
                return ODM_EIO;
        if (record.n != d->record_n) {
                p = realloc(d->record, record.n);
                if (!p)
                        return ODM_ENOMEM;
        }
        memcpy(p, record.p, record.n);
        d->record = p;
        d->record_n = (uint32_t)record.n;
        return 0;
}

static int save(device *d, gadget *g)
{
        odm_buf b;
        int rc;

        if (!g->dirty)
                return 0;
        odm_buf_init(&b, &heap_mem, GADGET_RECORD_MAX);
        g->calls = d->calls;
        rc = gadget_dump(g, &b);
        if (rc == 0)
                rc = store_record(d, odm_buf_view(&b));
        odm_buf_done(&b);
        if (rc < 0)
                trouble(d->f, "a device cannot be kept", rc);
        return rc;
}

/* ---- power ---------------------------------------------------------------------------------------- */

/* `ms` negative: for ever. */
static void power_off(device *d, int64_t ms)
{
        update_free(d->update);
        d->update = NULL;
        d->off = true;
        d->dead = ms < 0;
        d->boot = ms < 0 ? NEVER : loop_now().ms + ms;
        d->call = d->report = NEVER;
        d->wake = 0;
        d->f->st.restarts += !d->dead;
}

/* The fault that takes the device away in the state it has come to, if there is one. */
static const fault *cut_at(device *d, gadget *g, uint64_t *bit)
{
        unsigned state = 0;

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                const fault *f = fault_of(d, k);
                if (!f || !f->state)
                        continue;
                state = state ? state : gadget_state(g);
                if (f->state == state) {
                        *bit = 1ull << k;
                        return f;
                }
        }
        return NULL;
}

/* Keeps what is new; whether the device is off now, and the gadget of no use. */
static bool keep_or_fall(device *d, gadget *g, int *rc)
{
        uint64_t bit = 0;
        const fault *f;

        d->state = (uint8_t)(gadget_state(g) / 10);
        *rc = save(d, g);
        f = *rc == 0 ? cut_at(d, g, &bit) : NULL;
        if (!f)
                return false;
        fired(d, g, bit);
        (void)save(d, g);
        if (f->kind == FAULT_SILENCE)
                power_off(d, f->ms > 0 ? f->ms : -1);
        else
                power_off(d, f->ms > 0 ? f->ms : group_of(d)->reboot_ms);
        return true;
}

/* ---- steps of tasks ----------------------------------------------------------------------------- */

static void count_end(device *d, gadget *g, const odm_task *t, const odm_task_end *e)
{
        fleet_stats *st = &d->f->st;
        bool last = t->step != ODM_FUMO_DOWNLOAD || odm_task_is(t, "Download");

        if (e->cause == ODM_CAUSE_INTERRUPTED)
                return; /* it may begin again */
        if (e->cause != ODM_CAUSE_OK) {
                st->updates++;
                st->cause[e->cause]++;
        } else if (last && t->step != ODM_FUMO_DOWNLOAD) {
                st->updates++;
                st->updated++;
                g->updates++;
        }
}

/* A fault may want another end than the right one. */
static bool lies(device *d, gadget *g, odm_task_end *e)
{
        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                const fault *f = fault_of(d, k);
                if (!f || f->kind != FAULT_RESULT)
                        continue;
                e->cause = f->cause;
                e->note = ODM_ABSENT;
                fired(d, g, 1ull << k);
                return true;
        }
        return false;
}

static void end_step(device *d, gadget *g, const odm_task *t, odm_task_end e)
{
        int rc;

        count_end(d, g, t, &e);
        rc = odm_tasks_done(g->tasks, t->id, &e, wall_of(d));
        if (rc < 0)
                trouble(d->f, "the end of a step cannot be kept", rc);
}

static void end_download(device *d, gadget *g, const odm_task *t)
{
        const char *version;
        uint64_t bits;
        odm_task_end e = *update_end(d->update, &version, &bits);

        fired(d, g, bits);
        if (odm_task_is(t, "Download"))
                (void)lies(d, g, &e);
        (void)snprintf(g->held, sizeof g->held, "%s", e.cause == ODM_CAUSE_OK ? version : "");
        g->dirty = true;
        end_step(d, g, t, e);
        update_free(d->update);
        d->update = NULL;
}

static void begin_download(device *d, gadget *g, const odm_task *t)
{
        const odm_task_end no = {.cause = ODM_CAUSE_FAILED};

        g->held[0] = '\0';
        g->dirty = true;
        update_free(d->update);
        d->update = NULL;
        if (update_new(&d->f->updates, g, t, armed(d), d, &d->update) < 0)
                end_step(d, g, t, no);
}

/* The package came within the session. */
static int take_pushed(device *d, gadget *g, const odm_task *t, odm_task_end *e)
{
        update_found found = {ODM_CAUSE_FAILED};
        odm_arena a;
        odm_str data;
        int rc = ODM_ENOENT;

        odm_arena_init(&a, &heap_mem, 4u << 20);
        data = gadget_get(g, GADGET_OBJECT "/Update/PkgData", &a);
        if (data.p)
                rc = update_look(g, t, data, d->f->s, armed(d), &found);
        odm_arena_done(&a);
        if (rc < 0)
                return rc;
        fired(d, g, found.fired);
        e->cause = found.cause;
        memcpy(g->held, found.version, sizeof g->held);
        g->dirty = true;
        return 0;
}

static void begin_install(device *d, gadget *g, const odm_task *t)
{
        odm_task_end e = {.cause = ODM_CAUSE_OK};

        if (odm_task_arg(t, "pushed").p && take_pushed(d, g, t, &e) < 0)
                e.cause = ODM_CAUSE_FAILED;
        if (e.cause == ODM_CAUSE_OK && !g->held[0])
                e = (odm_task_end){.cause = ODM_CAUSE_FAILED,
                                   .note = ODM_STR("there is no package to be installed")};
        update_free(d->update);
        d->update = NULL;
        if (e.cause == ODM_CAUSE_OK &&
            update_new(&d->f->updates, g, t, armed(d), d, &d->update) < 0)
                e.cause = ODM_CAUSE_FAILED;
        if (e.cause != ODM_CAUSE_OK)
                end_step(d, g, t, e);
}

/* The device started: is it the new firmware that runs? */
static void check(device *d, gadget *g, const odm_task *t)
{
        odm_task_end e = {.cause = g->trial[0] ? ODM_CAUSE_OK : ODM_CAUSE_INTERRUPTED};
        int rc = 0;

        if (g->trial[0] && !lies(d, g, &e))
                rc = gadget_set(g, "./DevDetail/FwV", g->trial, wall_of(d));
        if (rc < 0)
                e.cause = ODM_CAUSE_FAILED;
        if (g->trial[0])
                g->held[0] = g->trial[0] = '\0';
        g->dirty = true;
        end_step(d, g, t, e);
}

/* Whether the step goes on for itself. */
static bool goes_on(const device *d, const odm_task *t)
{
        const char *version;
        uint64_t bits;

        return d->update && update_task(d->update) == t->id &&
               update_downloads(d->update) == (t->step == ODM_FUMO_DOWNLOAD) &&
               !update_end(d->update, &version, &bits);
}

static bool is_over(const device *d, const odm_task *t)
{
        return d->update && update_task(d->update) == t->id &&
               update_downloads(d->update) == (t->step == ODM_FUMO_DOWNLOAD) && !goes_on(d, t);
}

/* One step that was lent; whether the device restarts now. */
static bool step(device *d, gadget *g, const odm_task *t)
{
        if (goes_on(d, t))
                return false;
        switch ((odm_fumo_step)t->step) {
        case ODM_FUMO_DOWNLOAD:
                if (is_over(d, t))
                        end_download(d, g, t);
                else
                        begin_download(d, g, t);
                return false;
        case ODM_FUMO_INSTALL: begin_install(d, g, t); return false;
        case ODM_FUMO_CHECK:
                if (!is_over(d, t)) {
                        check(d, g, t);
                        return false;
                }
                (void)snprintf(g->trial, sizeof g->trial, "%s", g->held);
                g->dirty = true;
                return true;
        }
        return false;
}

static void plan_report(device *d, gadget *g)
{
        odm_time due = odm_tasks_report_time(g->tasks, NULL);
        int64_t soon = loop_now().ms + REPORT_MS;

        d->report = due.ms == ODM_NEVER.ms ? NEVER : due.ms > soon ? due.ms : soon;
}

/* Goes on with the tasks of a device that stands up, and keeps it.  The gadget is of no use after
 * it, whether the device is off or rests. */
static void settle(device *d, gadget *g)
{
        const odm_task *t;
        bool restart = false;
        int rc;

        while (!restart && (rc = odm_tasks_next(g->tasks, wall_of(d), &t)) == 1)
                restart = step(d, g, t);
        if (restart) {
                if (save(d, g) == 0)
                        power_off(d, group_of(d)->reboot_ms);
                return;
        }
        plan_report(d, g);
        (void)keep_or_fall(d, g, &rc);
}

/* Outside of a session. */
static void stand_up(device *d)
{
        gadget *g = NULL;
        int rc = open_up(d, &g);

        if (rc == 0)
                settle(d, g);
        else
                trouble(d->f, "a device cannot stand up", rc);
        gadget_free(g, &d->f->mem);
        plan(d);
}

static void on_update_over(void *ctx)
{
        device *d = ctx;

        if (d->place != TALKING) /* else the end of the session comes by there */
                stand_up(d);
}

/* ---- alarms ------------------------------------------------------------------------------------ */

#define ALARM "urn:oma:at:x-xrem-fm:1.0:Alarm"
#define ALARM_OVER 0x100 /* of the id of an alert: it ends alarm number id & 0xff */

/* When fault `k` of the device is due: the alarm, or its end.  NEVER for what is no alarm, or over.
 */
static int64_t alarm_due(const device *d, size_t k)
{
        const fault *f = &d->f->s->fault[k];
        int64_t at = d->f->started + f->after;

        if (!(d->mine >> k & 1) || f->kind != FAULT_ALARM)
                return NEVER;
        if (!(d->fired >> k & 1))
                return at;
        return f->ms > 0 && !(d->over >> k & 1) ? at + f->ms : NEVER;
}

static int64_t first_alarm(const device *d)
{
        int64_t first = NEVER;

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                int64_t due = alarm_due(d, k);
                first = due < first ? due : first;
        }
        return first;
}

static int queue_alarm(slot *k, size_t n)
{
        const device *d = k->d;
        const fault *f = &d->f->s->fault[n];
        bool over = d->fired >> n & 1;
        char data[512], source[64], when[ODM_WALL_TEXT];
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .id = n | (over ? ALARM_OVER : 0),
                       .type = ODM_STR(ALARM),
                       .format = ODM_FMT_XML,
                       .mark = over ? ODM_STR("informational") : ODM_STR("critical")};

        odm_wall_format(wall_of(d), when);
        (void)snprintf(source, sizeof source, "./DiagMon/FM/DiagMonData/%zu", n + 1);
        (void)snprintf(data, sizeof data,
                       "<Alarm><Id>%zu</Id><Severity>%s</Severity><Cause>%s</Cause>"
                       "<Object>./Vendor/sim</Object><Text>%.200s</Text><Time>%s</Time></Alarm>",
                       n + 1, over ? "cleared" : f->severity, f->alarm, f->text, when);
        a.source = odm_cstr(source);
        a.data = odm_cstr(data);
        return odm_client_alert(k->talk.client, &a);
}

static int queue_alarms(slot *k)
{
        int64_t now = loop_now().ms;
        int rc = 0;

        for (size_t n = 0; rc == 0 && k->d->mine && n < k->f->s->n_faults; n++)
                if (alarm_due(k->d, n) <= now) {
                        rc = queue_alarm(k, n);
                        k->d->told = true;
                }
        return rc;
}

/* The server has it. */
static void alarm_taken(slot *k, uint64_t id)
{
        uint64_t bit = 1ull << (id & 0xff);
        int64_t due = (alarm_due(k->d, id & 0xff) - k->f->started) * 1000;
        fleet_stats *st = &k->f->st;

        k->d->told = false;
        if (st->alarms++ == 0 || due < st->first_alarm)
                st->first_alarm = due;
        st->last_alarm = sim_us() - k->f->began;
        if (!(id & ALARM_OVER)) {
                fired(k->d, k->g, bit);
                return;
        }
        k->d->over |= bit;
        k->g->over = k->d->over;
        k->g->dirty = true;
}

/* ---- sessions ------------------------------------------------------------------------------------ */

static void wait_for_call(device *d, bool good)
{
        const group *g = group_of(d);
        int64_t ms = g->call_ms + drawn(d, g->jitter_ms);

        if (!good) {
                int64_t back = (int64_t)BACK_OFF_MS
                               << (d->failures < BACK_OFFS ? d->failures : BACK_OFFS);
                back -= drawn(d, back / 2);
                ms = back < ms ? back : ms;
                d->failures += d->failures < UINT8_MAX;
        } else {
                d->failures = 0;
        }
        d->call = loop_now().ms + ms;
}

static void release(slot *k)
{
        fleet *f = k->f;
        device *d = k->d;

        talk_drop(&k->talk);
        gadget_free(k->g, &f->mem);
        k->g = NULL;
        k->d = NULL;
        k->next = f->free;
        f->free = k;
        f->running--;
        f->st.talk.ended++;
        d->place = RESTING;
        plan(d);
        begin_some(f);
}

static void on_over(void *ctx, odm_outcome outcome)
{
        slot *k = ctx;
        device *d = k->d;
        bool good = outcome == ODM_OUTCOME_DONE;

        if (outcome == ODM_OUTCOME_TRANSPORT)
                k->f->rest = loop_now().ms + REST_MS;
        d->met |= good;
        wait_for_call(d, good);
        if (odm_tasks_session_over(k->g->tasks, odm_cstr(group_of(d)->o.server_id), loop_now(),
                                   wall_of(d)) < 0)
                trouble(d->f, "the end of a session cannot be kept", ODM_ENOMEM);
        settle(d, k->g);
        release(k);
}

static int on_before(void *ctx)
{
        slot *k = ctx;
        int rc;

        if (!keep_or_fall(k->d, k->g, &rc))
                return rc;
        k->f->st.talk.outcome[ODM_OUTCOME_NONE]++;
        release(k);
        return 1;
}

static void on_alerted(void *ctx, uint64_t id, unsigned status)
{
        slot *k = ctx;

        if (!(id & ODM_TASK_ALERT)) {
                if (odm_alert_over(status))
                        alarm_taken(k, id);
                return;
        }
        k->f->st.alerts += odm_alert_over(status);
        if (odm_tasks_reported(k->g->tasks, id, status, wall_of(k->d)) < 0)
                trouble(k->f, "a task that was reported is told again", ODM_ENOMEM);
}

static int queue_report(void *ctx, const odm_alert *a)
{
        const slot *k = ctx;

        return odm_client_alert(k->talk.client, a);
}

/* Where it listens, for the server to know. */
static int tell_address(device *d, gadget *g)
{
        char address[EAR_ADDRESS];

        if (!d->f->ear)
                return 0;
        ear_address(d->f->ear, d->i, address);
        return gadget_set(g, "./DevInfo/Ext/xrem/Wake", address, wall_of(d));
}

static int begin_talk(slot *k)
{
        device *d = k->d;
        const sim_opt *o = &group_of(d)->o;
        uint16_t wake = d->wake;
        int rc = open_up(d, &k->g);

        d->wake = 0;
        d->call = d->report = NEVER;
        if (rc == 0)
                rc = tell_address(d, k->g);
        k->talk.skew = skew(d);
        if (rc == 0)
                rc = talk_begin(&k->talk, o, k->g->tree, wake, wake && d->resync);
        if (rc == 0)
                rc = odm_tasks_reports(k->g->tasks, odm_cstr(o->server_id), queue_report, k);
        if (rc == 0)
                rc = queue_alarms(k);
        if (rc == 0)
                rc = talk_start(&k->talk);
        return rc;
}

static void begin(fleet *f, device *d)
{
        slot *k = f->free;
        int rc;

        f->free = k->next;
        f->running++;
        f->st.talk.begun++;
        k->d = d;
        d->calls++;
        d->place = TALKING;
        rc = begin_talk(k);
        if (rc == 0)
                return; /* it may be over */
        f->st.talk.no_start++;
        trouble(f, "a session cannot begin", rc);
        wait_for_call(d, false);
        release(k);
}

static device *take_first(fleet *f)
{
        device *d = f->first;

        f->first = d->next;
        if (!f->first)
                f->last = &f->first;
        d->next = NULL;
        return d;
}

static void on_turn(void *ctx)
{
        fleet *f = ctx;

        while (f->free && f->first && !f->stopped && loop_now().ms >= f->rest) {
                device *d = take_first(f);
                if (d->off) { /* its update ended with a restart while it waited */
                        d->place = RESTING;
                        plan(d);
                } else {
                        begin(f, d);
                }
        }
        begin_some(f);
}

static void finish(fleet *f)
{
        if (f->over)
                return;
        f->over = true;
        loop_timer_stop(&f->turn);
        loop_timer_stop(&f->end);
        f->done(f->ctx);
}

/* From the timer only: a session that ends in its caller's hands begins no other one. */
static void begin_some(fleet *f)
{
        int64_t now = loop_now().ms;
        odm_time due = {f->rest > now ? f->rest : now};

        if (f->stopped && f->running == 0)
                finish(f);
        else if (!f->stopped && f->free && f->first && !f->turn.in &&
                 loop_timer_set(f->loop, &f->turn, due) < 0)
                trouble(f, "a session cannot begin", ODM_ENOMEM);
}

static void enqueue(device *d)
{
        fleet *f = d->f;

        d->place = WAITING;
        d->next = NULL;
        *f->last = d;
        f->last = &d->next;
        begin_some(f);
}

/* ---- what is due --------------------------------------------------------------------------------- */

/* An alarm that could not be told goes with the next call. */
static int64_t next_of(const device *d)
{
        int64_t due = d->call < d->report ? d->call : d->report;
        int64_t alarm = d->told ? NEVER : first_alarm(d);

        return alarm < due ? alarm : due;
}

static void on_due(void *ctx)
{
        device *d = ctx;
        int64_t now = loop_now().ms;

        if (d->off && !d->dead && now >= d->boot) {
                d->off = false;
                d->boot = NEVER;
                wait_for_call(d, true);
                stand_up(d);
        } else if (!d->off && d->place == RESTING && now >= next_of(d)) {
                enqueue(d);
        } else {
                plan(d);
        }
}

static void plan(device *d)
{
        int64_t due = d->off ? d->boot : next_of(d);

        if (d->place != RESTING || d->f->stopped)
                due = NEVER;
        if (loop_timer_set(d->f->loop, &d->timer, (odm_time){due}) < 0)
                trouble(d->f, "a device is not heard of again", ODM_ENOMEM);
}

/* ---- wake-ups ------------------------------------------------------------------------------------- */

/* The account is that of the record: no session is open that could be about to change it. */
static uint16_t checked(device *d, odm_str package, bool *resync)
{
        odm_notification n;
        odm_notify_check check_ = ODM_NOTIFY_FORGED;
        odm_account acc;
        odm_secret secret;
        odm_arena a;
        gadget *g = NULL;

        odm_arena_init(&a, &heap_mem, 65536);
        if (odm_notify_parse(package, &n) == 0 && open_up(d, &g) == 0 &&
            odm_account_read(g->tree, ODM_STR(SIM_ACCOUNT), &a, &acc) == 0 &&
            odm_str_eq(acc.server_id, n.server_id) && acc.server_password.n) {
                odm_secret_of(n.server_id, acc.server_password, &secret);
                check_ = odm_notify_verify(package, &secret, &acc.server_nonce);
                odm_wipe(&secret, sizeof secret);
        }
        gadget_free(g, &d->f->mem);
        odm_arena_done(&a);
        *resync = check_ != ODM_NOTIFY_GOOD;
        return check_ == ODM_NOTIFY_FORGED ? 0 : n.session_id;
}

static void on_datagram(void *ctx, uint32_t i, odm_str datagram)
{
        fleet *f = ctx;
        device *d = &f->device[i];
        odm_str package;
        uint16_t id = 0;
        bool resync = false;

        if (!d->off && d->place != TALKING && !f->stopped &&
            odm_wsp_unwrap(datagram, &package) == 0)
                id = checked(d, package, &resync);
        if (id == 0 || id == d->woken) {
                f->st.wakes_ignored++;
                return;
        }
        f->st.wakes++;
        d->woken = d->wake = id;
        d->resync = resync;
        d->call = loop_now().ms;
        if (d->place == RESTING)
                plan(d);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static bool is_dead(const device *d)
{
        for (size_t k = 0; k < d->f->s->n_faults; k++)
                if ((d->fired & d->mine) >> k & 1 && d->f->s->fault[k].kind == FAULT_SILENCE &&
                    d->f->s->fault[k].ms == 0)
                        return true;
        return false;
}

/* Silence that has no state is there from the beginning. */
static void begin_silent(device *d)
{
        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                const fault *f = fault_of(d, k);
                if (!f || f->kind != FAULT_SILENCE || f->state)
                        continue;
                d->fired |= 1ull << k;
                d->f->st.fired[k]++;
                power_off(d, f->ms > 0 ? f->ms : -1);
        }
        if (is_dead(d))
                power_off(d, -1);
}

static void set_up_device(fleet *f, size_t of, uint32_t k)
{
        const group *g = &f->s->group[of];
        device *d = &f->device[g->begin + k];

        d->f = f;
        d->i = g->begin + k;
        d->group = (uint16_t)of;
        d->call = d->report = d->boot = NEVER;
        d->state = 1;
        d->mine = scenario_faults(f->s, g, k);
        d->timer = (loop_timer){.fn = on_due, .ctx = d};
        for (size_t n = 0; n < f->s->n_faults; n++)
                f->st.hit[n] += d->mine >> n & 1;
}

static int take_record(void *ctx, const char *name, uint32_t number, odm_str record)
{
        fleet *f = ctx;
        gadget_glance seen;
        device *d = NULL;

        for (size_t i = 0; i < f->s->n_groups; i++) {
                const group *g = &f->s->group[i];
                if (strcmp(g->name, name) == 0 && number >= g->o.first &&
                    number - g->o.first < g->o.n)
                        d = &f->device[g->begin + number - g->o.first];
        }
        if (!d) /* the scenario has become smaller */
                return 0;
        if (gadget_peek(record, &seen) < 0)
                return ODM_EMALFORMED;
        d->fired = seen.fired;
        d->over = seen.over;
        d->calls = seen.calls;
        d->state = (uint8_t)(seen.state / 10);
        d->busy = seen.busy;
        d->record = malloc(record.n);
        if (!d->record)
                return ODM_ENOMEM;
        memcpy(d->record, record.p, record.n);
        d->record_n = (uint32_t)record.n;
        return 0;
}

static int make_slots(fleet *f)
{
        f->slot = calloc(f->s->parallel, sizeof *f->slot);
        if (!f->slot)
                return ODM_ENOMEM;
        for (uint32_t i = f->s->parallel; i-- > 0;) {
                slot *k = &f->slot[i];
                k->f = f;
                k->talk = (talk){.host = &f->host, .ctx = k};
                k->next = f->free;
                f->free = k;
        }
        return 0;
}

int fleet_new(loop *l, const scenario *s, keep *k, const tls_cred *tls, void (*done)(void *ctx),
              void *ctx, fleet **out, diag *d)
{
        fleet *f = calloc(1, sizeof *f);
        int rc;

        if (!f)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        f->loop = l;
        f->s = s;
        f->keep = k;
        f->done = done;
        f->ctx = ctx;
        f->last = &f->first;
        f->turn = (loop_timer){.fn = on_turn, .ctx = f};
        f->mem = talk_mem(&f->st.talk);
        f->host = (talk_host){.loop = l,
                              .tls = tls,
                              .mem = &f->mem,
                              .stats = &f->st.talk,
                              .resume = true,
                              .before = on_before,
                              .alerted = on_alerted,
                              .over = on_over};
        f->device = calloc(s->devices, sizeof *f->device);
        rc = f->device ? make_slots(f) : ODM_ENOMEM;
        for (size_t i = 0; rc == 0 && i < s->n_groups; i++)
                for (uint32_t n = 0; n < s->group[i].o.n; n++)
                        set_up_device(f, i, n);
        if (rc == 0)
                rc = downloads_new(l, s->downloads, tls, s->image_max, &f->pool);
        f->updates = (update_host){l, f->pool, s, on_update_over};
        if (rc == 0 && k)
                rc = keep_each(k, take_record, f);
        if (rc < 0) {
                diag_set(d, rc, "%s", rc == ODM_EIO ? keep_why(k) : odm_err_text(rc));
                fleet_free(f);
        } else {
                *out = f;
        }
        return rc;
}

static void on_end(void *ctx)
{
        fleet_stop(ctx);
}

/* What was under way goes on at once; else the first sessions are spread. */
static void start_device(device *d)
{
        begin_silent(d);
        if (!d->off) {
                d->call = loop_now().ms + drawn(d, group_of(d)->start_ms);
                if (d->busy)
                        stand_up(d);
        }
        plan(d);
}

int fleet_start(fleet *f, int64_t max_ms, diag *d)
{
        int rc = 0;

        f->began = sim_us();
        f->started = loop_now().ms;
        f->end = (loop_timer){.fn = on_end, .ctx = f};
        if (f->s->wake)
                rc = ear_open(f->loop, f->s->wake_port, f->s->devices, on_datagram, f, &f->ear, d);
        if (rc == 0 && max_ms > 0)
                rc = loop_timer_set(f->loop, &f->end, odm_time_add(loop_now(), max_ms));
        for (uint32_t i = 0; rc == 0 && i < f->s->devices; i++)
                start_device(&f->device[i]);
        return rc;
}

void fleet_stop(fleet *f)
{
        f->stopped = true;
        begin_some(f);
}

const fleet_stats *fleet_get_stats(fleet *f)
{
        fleet_stats *st = &f->st;

        st->downloads = downloads_counted(f->pool);
        st->talk.http = (http_client_counts){0};
        for (uint32_t i = 0; i < f->s->parallel; i++) {
                http_client_counts c = talk_counts(&f->slot[i].talk);
                st->talk.http.connections += c.connections;
                st->talk.http.handshakes += c.handshakes;
                st->talk.http.resumed += c.resumed;
        }
        st->devices = f->s->devices;
        st->off = st->dead = st->met = 0;
        st->talk.record_octets = st->talk.devices = 0;
        st->fixed_octets = sizeof(device);
        memset(st->state, 0, sizeof st->state);
        for (uint32_t i = 0; i < f->s->devices; i++) {
                const device *d = &f->device[i];
                st->off += d->off && !d->dead;
                st->dead += d->dead;
                st->met += d->met;
                st->state[d->state < FLEET_STATES ? d->state : 0]++;
                st->talk.record_octets += d->record_n + sizeof *d;
                st->talk.devices += d->record != NULL;
        }
        st->talk.us = sim_us() - f->began;
        return st;
}

void fleet_hit(const fleet *f, size_t k, void (*fn)(void *ctx, const char *name, bool fired),
               void *ctx)
{
        char name[SIM_TEXT];

        for (uint32_t i = 0; i < f->s->devices; i++) {
                const device *d = &f->device[i];
                if (!(d->mine >> k & 1))
                        continue;
                sim_name(&group_of(d)->o, index_of(d), name);
                fn(ctx, name, d->fired >> k & 1);
        }
}

void fleet_free(fleet *f)
{
        if (!f)
                return;
        loop_timer_stop(&f->turn);
        loop_timer_stop(&f->end);
        ear_close(f->ear);
        for (uint32_t i = 0; f->slot && i < f->s->parallel; i++) {
                talk_done(&f->slot[i].talk);
                gadget_free(f->slot[i].g, &f->mem);
        }
        for (uint32_t i = 0; f->device && i < f->s->devices; i++) {
                update_free(f->device[i].update);
                loop_timer_stop(&f->device[i].timer);
                free(f->device[i].record);
        }
        downloads_free(f->pool);
        free(f->slot);
        free(f->device);
        free(f);
}
