/* SPDX-License-Identifier: Apache-2.0 */
/* A device at rest and on its way down: its record, the faults it has, its power. */
#include "fleet_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

/* ---- a device's own ----------------------------------------------------------------------- */

const group *fleet_group_of(const device *d)
{
        return &d->f->s->group[d->group];
}

uint32_t fleet_index_of(const device *d)
{
        return d->i - fleet_group_of(d)->begin;
}

static uint32_t number_of(const device *d)
{
        return sim_number(&fleet_group_of(d)->o, fleet_index_of(d));
}

/* 0 .. ms, by the seed: the same device at the same session draws the same. */
int64_t fleet_drawn(const device *d, int64_t ms)
{
        uint64_t state = d->f->s->seed ^ (uint64_t)d->i << 32 ^ d->calls;

        (void)fault_random(&state);
        return ms > 0 ? (int64_t)(fault_random(&state) % (uint64_t)(ms + 1)) : 0;
}

const fault *fleet_fault_of(const device *d, size_t k)
{
        return (d->mine >> k & 1) && (!(d->fired >> k & 1) || d->f->s->fault[k].always)
                       ? &d->f->s->fault[k]
                       : NULL;
}

/* Those that may still happen. */
uint64_t fleet_armed(const device *d)
{
        uint64_t v = 0;

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++)
                v |= fleet_fault_of(d, k) ? 1ull << k : 0;
        return v;
}

void fleet_fired(device *d, gadget *g, uint64_t bits)
{
        for (size_t k = 0; bits && k < d->f->s->n_faults; k++)
                d->f->st.fired[k] += bits >> k & 1;
        d->fired |= bits;
        g->fired = d->fired;
        g->dirty |= bits != 0;
}

odm_wall fleet_skew(const device *d)
{
        odm_wall w = {0};

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++)
                if ((d->mine >> k & 1) && d->f->s->fault[k].kind == FAULT_CLOCK_SKEW)
                        w.s += d->f->s->fault[k].ms / 1000;
        return w;
}

odm_wall fleet_wall_of(const device *d)
{
        return (odm_wall){loop_wall().s + fleet_skew(d).s};
}

int64_t fleet_link(const device *d)
{
        int64_t link = fleet_group_of(d)->link;

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                const fault *f = fleet_fault_of(d, k);
                if (f && f->kind == FAULT_SLOW_LINK && (link == 0 || f->rate < link))
                        link = f->rate;
        }
        return link;
}

int fleet_open_up(device *d, gadget **out)
{
        odm_str record = {d->record, d->record_n};
        int rc = gadget_open(fleet_group_of(d), fleet_index_of(d), record, &d->f->mem,
                             fleet_wall_of(d), out);

        if (rc == 0) {
                (*out)->fired = d->fired;
                (*out)->over = d->over;
                (*out)->calls = d->calls;
        }
        return rc;
}

void fleet_trouble(fleet *f, const char *what, int rc)
{
        char *why = f->st.talk.why;

        if (!why[0])
                (void)snprintf(why, sizeof f->st.talk.why, "%s: %s", what, odm_err_text(rc));
}

/* ---- what is kept ----------------------------------------------------------------------------- */

static int store_record(device *d, odm_str record)
{
        char *p = d->record;

        if (d->f->keep && keep_put(d->f->keep, fleet_group_of(d)->name, number_of(d), record) < 0)
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

int fleet_save(device *d, gadget *g)
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
                fleet_trouble(d->f, "a device cannot be kept", rc);
        return rc;
}

/* ---- power ---------------------------------------------------------------------------------------- */

/* `ms` negative: for ever. */
void fleet_power_off(device *d, int64_t ms)
{
        update_free(d->update);
        d->update = NULL;
        fleet_forget_watch(d);
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
                const fault *f = fleet_fault_of(d, k);
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
bool fleet_keep_or_fall(device *d, gadget *g, int *rc)
{
        uint64_t bit = 0;
        const fault *f;

        d->state = (uint8_t)(gadget_state(g) / 10);
        *rc = fleet_save(d, g);
        f = *rc == 0 ? cut_at(d, g, &bit) : NULL;
        if (!f)
                return false;
        fleet_fired(d, g, bit);
        *rc = fleet_save(d, g); /* it is told already when that failed */
        if (f->kind == FAULT_SILENCE)
                fleet_power_off(d, f->ms > 0 ? f->ms : -1);
        else
                fleet_power_off(d, f->ms > 0 ? f->ms : fleet_group_of(d)->reboot_ms);
        return true;
}
