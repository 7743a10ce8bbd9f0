/* SPDX-License-Identifier: Apache-2.0 */
/* What a device measures for others: its DiagMon functions and traps. */
#include "fleet_inner.h"

#include <string.h>

#define LOOK_LEAST_MS 100
#define ALERTS_MOST 48 /* of it in a session; tasks and alarms have the rest */

/* Where its runs and traps are; NULL: no memory, told already. */
static watch *watch_of(device *d)
{
        if (!d->watch)
                d->watch = watch_new();
        if (!d->watch)
                fleet_trouble(d->f, "a device cannot measure", ODM_ENOMEM);
        return d->watch;
}

void fleet_forget_watch(device *d)
{
        watch_free(d->watch);
        d->watch = NULL;
}

/* ---- functions of DiagMon ----------------------------------------------------------------- */

static void end_step(device *d, gadget *g, const odm_task *t, odm_task_cause cause)
{
        const odm_task_end e = {.cause = cause};
        int rc = odm_tasks_done(g->tasks, t->id, &e, fleet_wall_of(d));

        if (rc < 0)
                fleet_trouble(d->f, "the end of a run cannot be kept", rc);
}

static void end_run(device *d, gadget *g, const odm_task *t, watch_run *r)
{
        odm_task_cause cause = r && r->full ? ODM_CAUSE_NO_ROOM : ODM_CAUSE_OK;

        if (r)
                watch_end(d->watch, r);
        end_step(d, g, t, cause);
}

/* Which function a task is of; MEASURES for a restart. */
static measure_of function_of(const odm_task *t)
{
        measure_of what = MEASURE_MEMORY;

        while (what < MEASURES &&
               !odm_str_is(odm_str_from(t->object, sizeof ODM_DIAG_AT), measure_name(what)))
                what++;
        return what;
}

/* A run is lent each time the device stands up, and goes on. */
static void run(device *d, gadget *g, const odm_task *t)
{
        watch *w = watch_of(d);
        watch_run *r = w ? watch_run_of(w, t->id) : NULL;

        if (r && r->over)
                end_run(d, g, t, r);
        else if (!r && (!w || watch_begin(w, t, function_of(t), loop_now(), fleet_wall_of(d)) < 0))
                end_step(d, g, t, ODM_CAUSE_FAILED);
}

static int64_t delay_of(const odm_task *t)
{
        uint64_t s = 0;

        return odm_str_u64(odm_task_arg(t, "Delay"), 86400, &s) < 0 ? 0 : (int64_t)s * 1000;
}

/* True: it goes down now. */
static bool restart(device *d, const odm_task *t)
{
        int64_t ms = delay_of(t);
        watch *w = ms > 0 ? watch_of(d) : NULL;

        if (!w)
                return true;
        w->restart = loop_now().ms + ms;
        return false;
}

bool fleet_diag_step(device *d, gadget *g, const odm_task *t)
{
        switch ((odm_diag_step)t->step) {
        case ODM_DIAG_RUN: run(d, g, t); return false;
        case ODM_DIAG_END:
                end_run(d, g, t, d->watch ? watch_run_of(d->watch, t->id) : NULL);
                return false;
        case ODM_DIAG_UPLOAD: end_step(d, g, t, ODM_CAUSE_UNSUPPORTED); return false;
        case ODM_DIAG_REBOOT: return restart(d, t);
        case ODM_DIAG_CHECK: /* it stood up since, but did not go down yet */
                if (!d->watch || d->watch->restart == WATCH_NEVER)
                        end_step(d, g, t, ODM_CAUSE_OK);
                return false;
        }
        return false;
}

/* ---- traps -------------------------------------------------------------------------------------- */

/* 1: it waits to be told.  The event stays in the tree until the server has it. */
static int tell(device *d, const odm_trap_order *o, odm_trap_done *done)
{
        watch *w = watch_of(d);
        int rc;

        *done = (odm_trap_done){.rc = ODM_ENOENT};
        if (!odm_str_is(o->server, fleet_group_of(d)->o.server_id))
                return 0; /* it has no account of that one */
        rc = w ? watch_trap(w, &o->alert) : ODM_ENOMEM;
        if (rc == 1)
                done->rc = 0;
        return rc == 1 ? 0 : rc == 0 ? 1 : rc;
}

static int carry_out(device *d, gadget *g, const odm_trap_order *o, odm_trap_done *done)
{
        *done = (odm_trap_done){.rc = ODM_ENOENT};
        switch (o->what) {
        case ODM_TRAP_KEEP: done->rc = fleet_save(d, g); return 0;
        case ODM_TRAP_SAMPLE: return 0; /* it has only traps that need none */
        case ODM_TRAP_ALERT: return tell(d, o, done);
        }
        return 0;
}

static int pump(device *d, gadget *g)
{
        const odm_trap_order *o;
        odm_trap_done done;
        int rc;

        while ((rc = odm_traps_next(g->traps, loop_now(), fleet_wall_of(d), &o)) == 1) {
                rc = carry_out(d, g, o, &done);
                if (rc != 0)
                        return rc;
                rc = odm_traps_did(g->traps, &done, loop_now(), fleet_wall_of(d));
                if (rc < 0)
                        break;
        }
        return rc;
}

void fleet_look(device *d, gadget *g)
{
        odm_trap_since held[WATCH_HOLDS];
        int rc;

        if (!g->traps)
                return;
        if (d->watch)
                odm_traps_go_on(g->traps, d->watch->held, d->watch->n_held);
        rc = pump(d, g);
        if (rc < 0)
                fleet_trouble(d->f, "a trap cannot be looked at", rc);
        if (odm_traps_watched(g->traps) == 0 && !d->watch)
                return;
        if (watch_of(d)) {
                size_t n = odm_traps_holding(g->traps, held, WATCH_HOLDS);
                int64_t due = rc == 1 ? WATCH_NEVER : odm_traps_time(g->traps).ms;
                int64_t soon = loop_now().ms + LOOK_LEAST_MS;
                memcpy(d->watch->held, held, n * sizeof *held);
                d->watch->n_held = n;
                due = due < soon ? soon : due;
                d->watch->look = odm_traps_watched(g->traps) ? due : WATCH_NEVER;
        }
}

/* ---- when, and what is told ----------------------------------------------------------------------- */

int64_t fleet_watch_due(const device *d)
{
        return d->watch ? watch_due(d->watch) : NEVER;
}

void fleet_watch_turn(device *d)
{
        watch *w = d->watch;
        int64_t now = loop_now().ms;
        bool over = watch_turn(w, loop_now(), fleet_wall_of(d));

        if (w->restart <= now) {
                w->restart = WATCH_NEVER;
                fleet_power_off(d, fleet_group_of(d)->reboot_ms);
                fleet_plan(d);
        } else if (over || w->look <= now) {
                w->look = WATCH_NEVER;
                fleet_stand_up(d);
        } else {
                fleet_plan_watch(d);
                fleet_plan(d);
        }
}

void fleet_plan_watch(device *d)
{
        int64_t soon = loop_now().ms + FLEET_REPORT_MS;

        if (!d->watch)
                return;
        if (watch_is_idle(d->watch))
                fleet_forget_watch(d);
        else if (d->failures == 0 && d->watch->fresh && watch_waits(d->watch) && soon < d->report)
                d->report = soon;
}

static int queue(void *ctx, const odm_alert *a)
{
        const slot *k = ctx;

        return odm_client_alert(k->talk.client, a);
}

int fleet_queue_watch(slot *k)
{
        const measure_who who = gadget_who(k->g);

        return k->d->watch ? watch_alerts(k->d->watch, &who, ALERTS_MOST, queue, k) : 0;
}

void fleet_watch_taken(slot *k, uint64_t id)
{
        fleet_stats *st = &k->f->st;
        bool whole = false;

        if (!k->d->watch)
                return;
        watch_taken(k->d->watch, id, &whole);
        if (id & WATCH_TRAP)
                st->traps += whole;
        else
                st->samples += whole;
}
