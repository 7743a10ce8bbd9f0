/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes of tasks that gateways below were given (fanout_nest.c), removed when they are over here:
 * a gateway has room for so many.  What is there is asked of it, so that nothing has to be kept:
 *
 *     a target of a task has ended, or a gateway is awake for the first time since the start
 *         -> Get ./GwMO/Fanout/Fanout -> p<id> of no task under way on it -> Cancel, Delete */
#include <stdlib.h>

#include "fanout_inner.h"
#include "heap.h"
#include "log.h"

#define MOST 100 /* in one order */

struct fanout_below { /* a gateway */
        struct fanout_below *next;
        fanout_part *p;
        uint32_t device;
        bool dirty, busy; /* there may be some; it is asked, or told */
        uint64_t order;
        odm_arena a; /* of the order */
};

static struct fanout_below *find(fanout_part *p, uint32_t device)
{
        struct fanout_below *b = p->below;

        while (b && b->device != device)
                b = b->next;
        return b;
}

static struct fanout_below *find_or_make(fanout_part *p, uint32_t device)
{
        struct fanout_below *b = find(p, device);

        if (b)
                return b;
        b = calloc(1, sizeof *b);
        if (!b)
                return NULL;
        *b = (struct fanout_below){.next = p->below, .p = p, .device = device, .dirty = true};
        odm_arena_init(&b->a, &heap_mem, FANOUT_BYTES);
        return p->below = b;
}

static void begin(struct fanout_below *b);

/* Its order is over; `on`: the next may be given at once. */
static void end(struct fanout_below *b, bool on)
{
        b->busy = false;
        odm_arena_reset(&b->a);
        if (on)
                begin(b);
}

/* Whether the task is at work there; else its node is not needed. */
static bool is_needed(const fanout_part *p, uint32_t device, uint64_t id)
{
        const fanout_task *t = fanout_by_id(p, id);
        odm_fanout_row row;

        return t && t->open && odm_fanout_find(p->f, id, device, &row) == 0 &&
               row.state == ODM_TARGET_RUNNING;
}

static bool is_ours(odm_str path, uint64_t *id)
{
        static const char top[] = FANOUT_TASKS "p";

        return odm_str_starts(path, top) &&
               odm_str_u64(odm_str_from(path, sizeof top - 1), INT64_MAX, id) == 0;
}

static odm_command *command(odm_arena *a, odm_cmd kind, odm_str uri)
{
        odm_command *c = odm_new(a, odm_command);

        if (!c || !uri.p)
                return NULL;
        c->kind = kind;
        c->items = odm_new(a, odm_item);
        if (c->items)
                c->items->target = uri;
        return c->items ? c : NULL;
}

/* Cancelled first: one that is under way, for nobody any more, cannot be deleted. */
static int add_removal(odm_arena *a, uint64_t id, odm_command ***last)
{
        unsigned long long n = id;
        odm_command *cancel = command(a, ODM_CMD_EXEC,
                                      odm_arena_fmt(a, FANOUT_TASKS "p%llu/Operations/Cancel", n));
        odm_command *gone = command(a, ODM_CMD_DELETE, odm_arena_fmt(a, FANOUT_TASKS "p%llu", n));

        if (!cancel || !gone)
                return odm_arena_err(a);
        cancel->next = gone;
        **last = cancel;
        *last = &gone->next;
        return 0;
}

static void on_removed(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        struct fanout_below *b = ctx;
        size_t gone = 0;

        (void)text;
        for (size_t i = 1; i < n; i += 2) /* behind each Cancel */
                gone += odm_status_ok(v[i].status);
        if (gone < n / 2 || n == 0) {
                log_warn("tasks that are over stay at a gateway", log_int("status", status));
                b->dirty = true; /* tried again when it is awake, or something ends */
        }
        end(b, gone > 0);
}

/* Said before the order is given: what is begun from now on comes after it. */
static int removals(struct fanout_below *b, const gw_answer *v, const odm_command **out)
{
        odm_command *list = NULL, **last = &list;
        size_t found = 0;
        uint64_t id;
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < v->n; i++) {
                if (!is_ours(v->nodes[i].path, &id) || is_needed(b->p, b->device, id))
                        continue;
                if (++found > MOST) {
                        b->dirty = true;
                        break;
                }
                rc = add_removal(&b->a, id, &last);
        }
        *out = list;
        return rc;
}

static void on_listed(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        struct fanout_below *b = ctx;
        gw_device *d = fanout_device(b->p, b->device);
        gw_order o = {0};
        int rc = 0;

        (void)status, (void)text;
        if (n == 1 && odm_status_ok(v->status))
                rc = removals(b, v, &o.list);
        else if (n != 1 || v->status != ODM_ST_NOT_FOUND)
                b->dirty = true;
        if (rc == 0 && d && o.list) {
                rc = gw_run(b->p->g, d, &o, on_removed, b, &b->order);
                if (rc == 0)
                        return;
        }
        b->dirty |= rc < 0;
        end(b, false);
}

static void begin(struct fanout_below *b)
{
        gw_device *d = fanout_device(b->p, b->device);
        gw_order o = {0};
        odm_command *get;

        if (!d || !d->is_gateway || !b->dirty || b->busy || !gw_is_awake(d))
                return;
        get = command(&b->a, ODM_CMD_GET, ODM_STR(FANOUT_AT "/Fanout"));
        o.list = get;
        if (!get || gw_run(b->p->g, d, &o, on_listed, b, &b->order) < 0)
                return;
        b->dirty = false;
        b->busy = true;
}

void fanout_below_look(fanout_part *p, gw_device *d, bool dirty)
{
        struct fanout_below *b = d->is_gateway ? find_or_make(p, d->number) : NULL;

        if (!b)
                return;
        b->dirty |= dirty;
        begin(b);
}

static void drop(struct fanout_below **at)
{
        struct fanout_below *b = *at;

        if (b->busy)
                gw_cancel(b->p->g, b->order);
        *at = b->next;
        odm_arena_done(&b->a);
        free(b);
}

void fanout_below_drop(fanout_part *p, uint32_t device)
{
        struct fanout_below **at = &p->below;

        while (*at)
                if (device == 0 || (*at)->device == device)
                        drop(at);
                else
                        at = &(*at)->next;
}
