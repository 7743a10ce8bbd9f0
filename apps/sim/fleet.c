/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.c - when each device does what.
 *
 *     RESTING --call, wake-up, report due--> WAITING --a slot is free--> TALKING --> RESTING
 *        ^                                                                  |
 *        +--after the restart-- (off) <--power cut, installed, silence------+
 *
 * A device stands up (gadget_open) for a session, and for each end of a step of its update; what is
 * not in its record by then is lost, as after a power cut. */
#include "fleet_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACK_OFF_MS 1000 /* after a failed session, doubled with each in a row */
#define BACK_OFFS 6
#define REST_MS 100 /* after a connection failed no session begins */

static void begin_some(fleet *f);

/* ---- sessions ------------------------------------------------------------------------------------ */

static void wait_for_call(device *d, bool good)
{
        const group *g = fleet_group_of(d);
        int64_t ms = g->call_ms + fleet_drawn(d, g->jitter_ms);

        if (!good) {
                int64_t back = (int64_t)BACK_OFF_MS
                               << (d->failures < BACK_OFFS ? d->failures : BACK_OFFS);
                back -= fleet_drawn(d, back / 2);
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
        fleet_plan(d);
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
        if (odm_tasks_session_over(k->g->tasks, odm_cstr(fleet_group_of(d)->o.server_id),
                                   loop_now(), fleet_wall_of(d)) < 0)
                fleet_trouble(d->f, "the end of a session cannot be kept", ODM_ENOMEM);
        fleet_settle(d, k->g);
        release(k);
}

static int on_before(void *ctx)
{
        slot *k = ctx;
        int rc;

        if (!fleet_keep_or_fall(k->d, k->g, &rc))
                return rc;
        k->f->st.talk.outcome[ODM_OUTCOME_NONE]++;
        release(k);
        return 1;
}

static void on_alerted(void *ctx, uint64_t id, unsigned status)
{
        slot *k = ctx;

        if (id & (WATCH_SAMPLE | WATCH_TRAP) && !(id & ODM_TASK_ALERT)) {
                if (odm_alert_over(status))
                        fleet_watch_taken(k, id);
                return;
        }
        if (!(id & ODM_TASK_ALERT)) {
                if (odm_alert_over(status))
                        fleet_alarm_taken(k, id);
                return;
        }
        k->f->st.alerts += odm_alert_over(status);
        if (odm_tasks_reported(k->g->tasks, id, status, fleet_wall_of(k->d)) < 0)
                fleet_trouble(k->f, "a task that was reported is told again", ODM_ENOMEM);
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
        return gadget_set(g, "./DevInfo/Ext/xrem/Wake", address, fleet_wall_of(d));
}

static int begin_talk(slot *k)
{
        device *d = k->d;
        const sim_opt *o = &fleet_group_of(d)->o;
        uint16_t wake = d->wake;
        int rc = fleet_open_up(d, &k->g);

        d->wake = 0;
        d->call = d->report = NEVER;
        if (rc == 0)
                rc = tell_address(d, k->g);
        k->talk.skew = fleet_skew(d);
        k->talk.rate = fleet_link(d);
        if (rc == 0)
                rc = talk_begin(&k->talk, o, k->g->tree, wake, wake && d->resync);
        if (rc == 0)
                rc = odm_tasks_reports(k->g->tasks, odm_cstr(o->server_id), queue_report, k);
        if (rc == 0)
                rc = fleet_queue_alarms(k);
        if (rc == 0)
                rc = fleet_queue_watch(k);
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
        fleet_trouble(f, "a session cannot begin", rc);
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
                        fleet_plan(d);
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
                fleet_trouble(f, "a session cannot begin", ODM_ENOMEM);
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
        int64_t alarm = d->told ? NEVER : fleet_first_alarm(d);

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
                fleet_stand_up(d);
        } else if (!d->off && d->place == RESTING && now >= next_of(d)) {
                enqueue(d);
        } else if (!d->off && d->place == RESTING && now >= fleet_watch_due(d)) {
                fleet_watch_turn(d);
        } else {
                fleet_plan(d);
        }
}

void fleet_plan(device *d)
{
        int64_t due = d->off ? d->boot : next_of(d), look = d->off ? NEVER : fleet_watch_due(d);

        due = look < due ? look : due;
        if (d->place != RESTING || d->f->stopped)
                due = NEVER;
        if (loop_timer_set(d->f->loop, &d->timer, (odm_time){due}) < 0)
                fleet_trouble(d->f, "a device is not heard of again", ODM_ENOMEM);
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
                const fault *f = fleet_fault_of(d, k);
                if (!f || f->kind != FAULT_SILENCE || f->state)
                        continue;
                d->fired |= 1ull << k;
                d->f->st.fired[k]++;
                fleet_power_off(d, f->ms > 0 ? f->ms : -1);
        }
        if (is_dead(d))
                fleet_power_off(d, -1);
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
                if (g->kind == GROUP_DM && strcmp(g->name, name) == 0 && number >= g->o.first &&
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
                for (uint32_t n = 0; s->group[i].kind == GROUP_DM && n < s->group[i].o.n; n++)
                        set_up_device(f, i, n);
        if (rc == 0)
                rc = downloads_new(l, s->downloads, tls, s->image_max, &f->pool);
        f->updates = (update_host){l, f->pool, s, fleet_on_update_over};
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
                d->call = loop_now().ms + fleet_drawn(d, fleet_group_of(d)->start_ms);
                if (d->busy)
                        fleet_stand_up(d);
        }
        fleet_plan(d);
}

int fleet_start(fleet *f, int64_t max_ms, diag *d)
{
        int rc = 0;

        f->began = sim_us();
        f->started = loop_now().ms;
        f->end = (loop_timer){.fn = on_end, .ctx = f};
        if (f->s->wake)
                rc = ear_open(f->loop, f->s->wake_port, f->s->devices, fleet_on_datagram, f,
                              &f->ear, d);
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
        st->watch_octets = 0;
        memset(st->state, 0, sizeof st->state);
        for (uint32_t i = 0; i < f->s->devices; i++) {
                const device *d = &f->device[i];
                st->off += d->off && !d->dead;
                st->dead += d->dead;
                st->met += d->met;
                st->state[d->state < FLEET_STATES ? d->state : 0]++;
                st->talk.record_octets += d->record_n + sizeof *d;
                st->talk.devices += d->record != NULL;
                st->watch_octets += d->watch ? d->watch->octets : 0;
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
                sim_name(&fleet_group_of(d)->o, fleet_index_of(d), name);
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
                fleet_forget_watch(&f->device[i]);
                loop_timer_stop(&f->device[i].timer);
                free(f->device[i].record);
        }
        downloads_free(f->pool);
        free(f->slot);
        free(f->device);
        free(f);
}
