/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of SCOMO that a device is lent: one after the other, as a device does that has one
 * installer. */
#include "fleet_inner.h"

#include <stdio.h>
#include <string.h>

static void end_step(device *d, gadget *g, const odm_task *t, odm_task_end e)
{
        int rc = odm_tasks_done(g->tasks, t->id, &e, fleet_wall_of(d));

        if (rc < 0)
                fleet_trouble(d->f, "the end of a step cannot be kept", rc);
        g->dirty = true;
}

static void count(device *d, const odm_task_end *e)
{
        fleet_stats *st = &d->f->st;

        if (e->cause == ODM_CAUSE_INTERRUPTED)
                return;
        st->software++;
        st->software_ok += e->cause == ODM_CAUSE_OK;
}

/* ---- downloads -------------------------------------------------------------------------------- */

static void end_download(device *d, gadget *g, const odm_task *t)
{
        const update_found *found;
        odm_task_end e = *update_end(d->update, &found);
        gadget_package *p =
                e.cause == ODM_CAUSE_OK ? gadget_held(g, odm_task_arg(t, "hold"), true) : NULL;

        fleet_fired(d, g, found->fired);
        (void)fleet_lies(d, g, &e);
        if (p) {
                memcpy(p->component, found->component, sizeof p->component);
                memcpy(p->version, found->version, sizeof p->version);
        } else if (e.cause == ODM_CAUSE_OK) {
                e.cause = ODM_CAUSE_NO_ROOM;
        }
        if (e.cause != ODM_CAUSE_OK)
                count(d, &e);
        end_step(d, g, t, e);
        update_free(d->update);
        d->update = NULL;
}

/* ---- installations ---------------------------------------------------------------------------- */

static void drop_package(gadget *g, const odm_task *t)
{
        gadget_package *p = gadget_held(g, odm_task_arg(t, "hold"), false);

        if (p)
                *p = (gadget_package){{0}};
}

/* One that came within the session, or was fetched before. */
static int find_package(device *d, gadget *g, const odm_task *t, odm_task_end *e)
{
        update_found found = {ODM_CAUSE_FAILED};
        gadget_package *p;
        odm_arena a;
        odm_str uri, data;
        int rc = ODM_ENOENT;

        if (!odm_task_arg(t, "pushed").p) {
                if (!gadget_held(g, odm_task_arg(t, "hold"), false))
                        *e = (odm_task_end){.cause = ODM_CAUSE_FAILED,
                                            .note = ODM_STR("the package is not there")};
                return 0;
        }
        odm_arena_init(&a, odm_tasks_mem(g->tasks), 4u << 20);
        uri = odm_arena_fmt(&a, "%.*s/Data", (int)t->object.n, t->object.p);
        data = uri.p ? gadget_get(g, uri.p, &a) : ODM_ABSENT;
        if (data.p)
                rc = update_look(g, t, data, d->f->s, fleet_armed(d), &found);
        odm_arena_done(&a);
        p = rc == 0 ? gadget_held(g, odm_task_arg(t, "hold"), true) : NULL;
        if (!p)
                return rc < 0 ? rc : ODM_ENOMEM;
        fleet_fired(d, g, found.fired);
        e->cause = found.cause;
        memcpy(p->component, found.component, sizeof p->component);
        memcpy(p->version, found.version, sizeof p->version);
        return 0;
}

static void begin_install(device *d, gadget *g, const odm_task *t)
{
        odm_task_end e = {.cause = ODM_CAUSE_OK};

        if (find_package(d, g, t, &e) < 0)
                e.cause = ODM_CAUSE_FAILED;
        if (e.cause == ODM_CAUSE_OK &&
            update_new(&d->f->updates, g, t, fleet_armed(d), fleet_link(d), d, &d->update) < 0)
                e.cause = ODM_CAUSE_FAILED;
        if (e.cause == ODM_CAUSE_OK)
                return;
        count(d, &e);
        end_step(d, g, t, e);
}

static void end_install(device *d, gadget *g, const odm_task *t)
{
        const gadget_package *p = gadget_held(g, odm_task_arg(t, "hold"), false);
        odm_task_end e = {.cause = p ? ODM_CAUSE_OK : ODM_CAUSE_FAILED};

        (void)fleet_lies(d, g, &e);
        if (p && e.cause == ODM_CAUSE_OK) {
                g->made = (odm_component){.id = odm_cstr(p->component),
                                          .version =
                                                  p->version[0] ? odm_cstr(p->version) : ODM_ABSENT,
                                          .name = odm_task_arg(t, "name"),
                                          .installer = ODM_STR("sim"),
                                          .active = !odm_str_is(odm_task_arg(t, "active"), "0")};
                g->made_by = t->id;
        }
        count(d, &e);
        end_step(d, g, t, e);
        drop_package(g, t);
        update_free(d->update);
        d->update = NULL;
}

/* ---- what is lent ------------------------------------------------------------------------------- */

/* Whether a step for software is under way: then nothing else is begun. */
bool fleet_installs(const device *d)
{
        const update_found *found;

        return d->update && update_for_software(d->update) && !update_end(d->update, &found);
}

static bool is_over(const device *d, const odm_task *t)
{
        const update_found *found;

        return d->update && update_task(d->update) == t->id &&
               update_downloads(d->update) == update_is_download(t) &&
               update_end(d->update, &found);
}

static void begin_download(device *d, gadget *g, const odm_task *t)
{
        const odm_task_end no = {.cause = ODM_CAUSE_FAILED};

        if (update_new(&d->f->updates, g, t, fleet_armed(d), fleet_link(d), d, &d->update) == 0)
                return;
        count(d, &no);
        end_step(d, g, t, no);
}

/* Those that waited for another one to end: the first of them. */
void fleet_software_next(device *d, gadget *g)
{
        const odm_task *t = NULL;

        for (size_t i = 0; !d->update && (t = odm_tasks_at(g->tasks, i)) != NULL; i++)
                if (t->kind == &odm_scomo_kind && t->step && t->tries) {
                        fleet_software_step(d, g, t);
                        if (!d->update)
                                return; /* it is over: the list is another one */
                }
}

void fleet_software_step(device *d, gadget *g, const odm_task *t)
{
        const odm_task_end done = {.cause = ODM_CAUSE_OK};

        if (d->update && !is_over(d, t))
                return; /* it has its turn when the other one is over */
        switch ((odm_scomo_step)t->step) {
        case ODM_SCOMO_DOWNLOAD:
                if (d->update)
                        end_download(d, g, t);
                else
                        begin_download(d, g, t);
                break;
        case ODM_SCOMO_INSTALL:
        case ODM_SCOMO_CHECK: /* the power went: it begins again */
                if (d->update)
                        end_install(d, g, t);
                else
                        begin_install(d, g, t);
                break;
        case ODM_SCOMO_ACTIVATE:
        case ODM_SCOMO_DEACTIVATE:
        case ODM_SCOMO_REMOVE: end_step(d, g, t, done); break;
        }
}
