/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of FUMO that a device is lent, and how they end. */
#include "fleet_inner.h"

#include <stdio.h>
#include <string.h>

#include "heap.h"

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

bool fleet_lies(device *d, gadget *g, odm_task_end *e)
{
        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                const fault *f = fleet_fault_of(d, k);
                if (!f || f->kind != FAULT_RESULT)
                        continue;
                e->cause = f->cause;
                e->note = ODM_ABSENT;
                fleet_fired(d, g, 1ull << k);
                return true;
        }
        return false;
}

static void end_step(device *d, gadget *g, const odm_task *t, odm_task_end e)
{
        int rc;

        count_end(d, g, t, &e);
        rc = odm_tasks_done(g->tasks, t->id, &e, fleet_wall_of(d));
        if (rc < 0)
                fleet_trouble(d->f, "the end of a step cannot be kept", rc);
}

static void end_download(device *d, gadget *g, const odm_task *t)
{
        const update_found *found;
        odm_task_end e = *update_end(d->update, &found);

        fleet_fired(d, g, found->fired);
        if (odm_task_is(t, "Download"))
                (void)fleet_lies(d, g, &e);
        (void)snprintf(g->held, sizeof g->held, "%s",
                       e.cause == ODM_CAUSE_OK ? found->version : "");
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
        if (update_new(&d->f->updates, g, t, fleet_armed(d), fleet_link(d), d, &d->update) < 0)
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
                rc = update_look(g, t, data, d->f->s, fleet_armed(d), &found);
        odm_arena_done(&a);
        if (rc < 0)
                return rc;
        fleet_fired(d, g, found.fired);
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
            update_new(&d->f->updates, g, t, fleet_armed(d), fleet_link(d), d, &d->update) < 0)
                e.cause = ODM_CAUSE_FAILED;
        if (e.cause != ODM_CAUSE_OK)
                end_step(d, g, t, e);
}

/* The device started: is it the new firmware that runs? */
static void check(device *d, gadget *g, const odm_task *t)
{
        odm_task_end e = {.cause = g->trial[0] ? ODM_CAUSE_OK : ODM_CAUSE_INTERRUPTED};
        int rc = 0;

        if (g->trial[0] && !fleet_lies(d, g, &e))
                rc = gadget_set(g, "./DevDetail/FwV", g->trial, fleet_wall_of(d));
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
        const update_found *found;

        return d->update && update_task(d->update) == t->id &&
               update_downloads(d->update) == (t->step == ODM_FUMO_DOWNLOAD) &&
               !update_end(d->update, &found);
}

static bool is_over(const device *d, const odm_task *t)
{
        return d->update && update_task(d->update) == t->id &&
               update_downloads(d->update) == (t->step == ODM_FUMO_DOWNLOAD) && !goes_on(d, t);
}

/* One step of firmware that was lent; whether the device restarts now. */
static bool firmware_step(device *d, gadget *g, const odm_task *t)
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

static bool step(device *d, gadget *g, const odm_task *t)
{
        if (t->kind == &odm_diag_kind)
                return fleet_diag_step(d, g, t);
        if (t->kind != &odm_scomo_kind)
                return firmware_step(d, g, t);
        fleet_software_step(d, g, t);
        return false;
}

static void plan_report(device *d, gadget *g)
{
        odm_time due = odm_tasks_report_time(g->tasks, NULL);
        int64_t soon = loop_now().ms + FLEET_REPORT_MS;

        d->report = due.ms == ODM_NEVER.ms ? NEVER : due.ms > soon ? due.ms : soon;
        fleet_plan_watch(d);
}

/* Goes on with the tasks of a device that stands up, and keeps it.  The gadget is of no use after
 * it, whether the device is off or rests. */
void fleet_settle(device *d, gadget *g)
{
        const odm_task *t;
        bool restart = false;
        int rc;

        fleet_look(d, g);
        while (!restart && !fleet_installs(d) &&
               (rc = odm_tasks_next(g->tasks, fleet_wall_of(d), &t)) == 1)
                restart = step(d, g, t);
        if (!restart)
                fleet_software_next(d, g);
        if (restart) {
                if (fleet_save(d, g) == 0)
                        fleet_power_off(d, fleet_group_of(d)->reboot_ms);
                return;
        }
        plan_report(d, g);
        (void)fleet_keep_or_fall(d, g, &rc);
}

/* Outside of a session. */
void fleet_stand_up(device *d)
{
        gadget *g = NULL;
        int rc = fleet_open_up(d, &g);

        if (rc == 0)
                fleet_settle(d, g);
        else
                fleet_trouble(d->f, "a device cannot stand up", rc);
        gadget_free(g, &d->f->mem);
        fleet_plan(d);
}

void fleet_on_update_over(void *ctx)
{
        device *d = ctx;

        if (d->place != TALKING) /* else the end of the session comes by there */
                fleet_stand_up(d);
}
