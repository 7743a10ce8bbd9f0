/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of DM commands on one device, as calls of its adapter (gateway.h; gwmo.md 10).
 *
 * An adapter that takes commands gets the list as it is.  For others it is laid flat, in document
 * order, and done a call after the other: Gets that follow each other are one read; an Add is one
 * create; each item of Replace, Delete and Exec is a call.  An Atomic of Replaces is one write,
 * which the adapter takes wholly or refuses with 406.  Copy is 406, like a document as a value.
 *
 * Another Atomic is 406 too, unless the order is not exact: then its members are done one by one up
 * to the first that fails, the rest is 215, and the Atomic itself says what became of it: 507, or
 * 516 when something before had taken effect, for nothing takes that back.
 *
 * A device that is silent (408) or off (503) is not asked on: what is left has the same status.
 * 503 says that the device did nothing of it that a second time would do harm: what may have
 * reached it, and is more than Get and Replace, is 408. */
#include "run_inner.h"

#include <assert.h>
#include <stdlib.h>

#include "heap.h"

#define ARENA_MAX ((size_t)16 << 20) /* of one order, values read included */

/* ---- lanes ----------------------------------------------------------------------------------- */

static struct lane **lane_at(runner *r, const gw_device *d)
{
        struct lane **at = &r->lane[((uintptr_t)d >> 6) & (RUN_LANES - 1)];

        while (*at && (*at)->d != d)
                at = &(*at)->next;
        return at;
}

static void on_kick(void *ctx)
{
        struct lane *l = ctx;

        assert(l->first);
        run_on(l->first);
}

/* The first order begins from the loop, so that no done() comes before gw_run() has returned. */
static int kick(struct lane *l)
{
        return loop_timer_set(gw_loop(l->r->g), &l->kick, loop_now());
}

static struct lane *lane_of(runner *r, gw_device *d)
{
        struct lane **at = lane_at(r, d);

        if (*at)
                return *at;
        struct lane *l = calloc(1, sizeof *l);
        if (l == NULL)
                return NULL;
        *l = (struct lane){.r = r, .d = d, .kick = {.fn = on_kick, .ctx = l}};
        *at = l;
        return l;
}

static void lane_free_if_idle(struct lane *l)
{
        struct lane **at = lane_at(l->r, l->d);

        if (l->first)
                return;
        assert(*at == l);
        *at = l->next;
        loop_timer_stop(&l->kick);
        free(l);
}

/* ---- how an order ends ----------------------------------------------------------------------- */

static void order_free(struct order *o)
{
        odm_arena_done(&o->arena);
        free(o);
}

/* Out of its lane, its call ended unheard. */
static void unlink_order(struct order *o)
{
        struct lane *l = o->lane;
        struct order **at = &l->first;

        loop_timer_stop(&o->timer);
        if (o->call)
                calls_cancel(l->r->calls, o->call);
        o->call = 0;
        while (*at != o)
                at = &(*at)->next;
        *at = o->next;
        l->n--;
}

/* Out of its lane, where the next order begins. */
static void leave(struct order *o)
{
        struct lane *l = o->lane;
        bool was_first = l->first == o;

        unlink_order(o);
        if (was_first)
                loop_timer_stop(&l->kick);
        if (was_first && l->first)
                (void)!kick(l); /* without memory its deadline is its end */
        lane_free_if_idle(l);
}

static void tell_watcher(const struct order *o)
{
        const runner *r = o->lane->r;

        for (size_t i = 0; r->watcher && i < o->n; i++)
                if (!run_is_container(o->unit[i].cmd->kind))
                        r->watcher(r->watcher_ctx, o->lane->d, o->unit[i].cmd, &o->answer[i]);
}

/* Ends the order. */
static void finish(struct order *o)
{
        bool answers = o->at == o->n && odm_status_ok(o->status);

        if (answers)
                tell_watcher(o);
        leave(o);
        o->done(o->ctx, o->status, o->text, answers ? o->answer : NULL, answers ? o->n : 0);
        order_free(o);
}

/* Has it ended with a status of all; from within run_on() that is done when it returns. */
void run_end(struct order *o, unsigned status, odm_str text)
{
        o->over = true;
        o->status = status;
        o->text = run_keep_text(o, text);
        run_on(o);
}

/* The device is silent or gone: what has no answer yet gets this one. */
void run_give_up(struct order *o, unsigned status, odm_str text)
{
        odm_str copy = run_keep_text(o, text);
        bool some = false;

        for (size_t i = 0; i < o->n; i++)
                some |= o->unit[i].answered;
        for (size_t i = 0; some && i < o->n; i++) {
                if (o->unit[i].answered)
                        continue;
                o->unit[i].answered = true;
                o->answer[i] = (gw_answer){.status = status, .text = copy};
        }
        if (some)
                o->at = o->n;
        run_end(o, some ? (unsigned)ODM_ST_OK : status, text);
}

/* The device may have what is under way, for it was there. */
static bool may_have_it(const struct order *o)
{
        const gw_device *d = o->lane->d;

        return o->call && (o->awake || gw_is_awake(d) || d->seen.s != o->seen.s);
}

/* Reading and writing what is under way once more does no harm. */
static bool is_harmless(const struct order *o)
{
        size_t end = o->whole ? o->n : o->at + 1;

        for (size_t i = o->at; i < end && i < o->n; i++) {
                odm_cmd k = o->unit[i].cmd->kind;
                if (k != ODM_CMD_GET && k != ODM_CMD_REPLACE && !run_is_container(k))
                        return false;
        }
        return true;
}

/* Who hears 503 may give the order again: not what the device may be doing. */
static void give_up_unheard(struct order *o, unsigned status, const char *why)
{
        bool doubt = status == ODM_ST_UNAVAILABLE && may_have_it(o) && !is_harmless(o);

        run_give_up(o, doubt ? (unsigned)ODM_ST_TIMEOUT : status, odm_cstr(why));
}

static void on_deadline(void *ctx)
{
        struct order *o = ctx;

        give_up_unheard(o,
                        o->lane->first == o ? call_silence(o->lane->d) : (unsigned)ODM_ST_TIMEOUT,
                        "not done in time");
}

/* Goes on as far as it gets; what is answered from within comes back here and is only noted. */
void run_on(struct order *o)
{
        o->more = true;
        if (o->stepping)
                return;
        o->stepping = true;
        while (o->more && !o->over && o->at < o->n) {
                o->more = false;
                run_step(o);
        }
        o->stepping = false;
        if (o->over || o->at == o->n)
                finish(o);
}

/* ---- orders ---------------------------------------------------------------------------------- */

static int order_new(const gw_order *what, struct order **out)
{
        size_t n = run_count(what->list);
        struct order *o;

        if (n == SIZE_MAX)
                return ODM_ELIMIT;
        o = calloc(1, sizeof *o);
        if (o == NULL)
                return ODM_ENOMEM;
        odm_arena_init(&o->arena, &heap_mem, ARENA_MAX);
        o->list = what->list;
        o->exact = what->exact;
        o->status = ODM_ST_OK;
        o->n = n;
        o->unit = odm_arena_zget(&o->arena, (n + 1) * sizeof *o->unit);
        o->answer = odm_arena_zget(&o->arena, (n + 1) * sizeof *o->answer);
        o->correlator = odm_arena_copy(&o->arena, what->correlator);
        if (o->unit == NULL || o->answer == NULL || (what->correlator.p && !o->correlator.p)) {
                order_free(o);
                return ODM_ENOMEM;
        }
        run_lay_flat(o);
        *out = o;
        return 0;
}

static int join_lane(struct lane *l, struct order *o, int64_t deadline_ms)
{
        struct order **at = &l->first;
        int rc;

        if (l->n == RUN_ORDERS_MAX)
                return ODM_ELIMIT;
        o->due = odm_time_add(loop_now(), deadline_ms ? deadline_ms : RUN_DEADLINE_MS);
        o->timer = (loop_timer){.fn = on_deadline, .ctx = o};
        rc = loop_timer_set(gw_loop(l->r->g), &o->timer, o->due);
        if (rc == 0 && l->first == NULL)
                rc = kick(l);
        if (rc < 0) {
                loop_timer_stop(&o->timer);
                return rc;
        }
        while (*at)
                at = &(*at)->next;
        *at = o;
        o->lane = l;
        l->n++;
        return 0;
}

int gw_run(gateway *g, gw_device *d, const gw_order *what, gw_done done, void *ctx, uint64_t *id)
{
        runner *r = gw_runner(g);
        struct order *o = NULL;
        struct lane *l;
        int rc = r ? order_new(what, &o) : ODM_ESTATE;

        if (rc < 0)
                return rc;
        o->done = done;
        o->ctx = ctx;
        l = lane_of(r, d);
        rc = l ? join_lane(l, o, what->deadline_ms) : ODM_ENOMEM;
        if (rc < 0) {
                if (l)
                        lane_free_if_idle(l);
                order_free(o);
                return rc;
        }
        o->id = ++r->last;
        *id = o->id;
        return 0;
}

void gw_cancel(gateway *g, uint64_t id)
{
        runner *r = gw_runner(g);

        for (size_t i = 0; r && i < RUN_LANES; i++)
                for (struct lane *l = r->lane[i]; l; l = l->next)
                        for (struct order *o = l->first; o; o = o->next)
                                if (o->id == id) {
                                        leave(o);
                                        order_free(o);
                                        return;
                                }
}

bool gw_busy(const gateway *g, const gw_device *d)
{
        runner *r = gw_runner((gateway *)(uintptr_t)g);

        return r && *lane_at(r, d) != NULL;
}

/* ---- the runner ------------------------------------------------------------------------------ */

int runner_new(gateway *g, runner **out)
{
        runner *r = calloc(1, sizeof *r);
        int rc = r ? calls_new(gw_loop(g), &r->calls) : ODM_ENOMEM;

        if (rc < 0) {
                free(r);
                return rc;
        }
        r->g = g;
        *out = r;
        return 0;
}

void runner_free(runner *r)
{
        if (r == NULL)
                return;
        for (size_t i = 0; i < RUN_LANES; i++)
                while (r->lane[i]) {
                        struct order *o = r->lane[i]->first;
                        leave(o);
                        order_free(o);
                }
        calls_free(r->calls);
        free(r);
}

void runner_reply(runner *r, uint64_t id, const adapter_reply *a)
{
        calls_reply(r->calls, id, a);
}

void runner_forget(runner *r, gw_device *d)
{
        struct lane *l = *lane_at(r, d);

        for (size_t n = l ? l->n : 0; n && *lane_at(r, d) == l; n--) {
                struct order *o = l->first;
                if (o->stepping && o->next) /* it ends when its step does: those behind it first */
                        o = o->next;
                give_up_unheard(o, ODM_ST_UNAVAILABLE, "the device is gone");
        }
        calls_forget(r->calls, d);
}

int run_call(gateway *g, gw_device *d, int64_t deadline_ms, run_heard heard, void *ctx,
             uint64_t *id)
{
        if (gw_runner(g) == NULL)
                return ODM_ESTATE;
        return calls_begin(gw_runner(g)->calls, d, deadline_ms, heard, ctx, id);
}

void run_call_cancel(gateway *g, uint64_t id)
{
        if (gw_runner(g))
                calls_cancel(gw_runner(g)->calls, id);
}

void run_watch(gateway *g, run_watcher fn, void *ctx)
{
        runner *r = gw_runner(g);

        if (r == NULL)
                return;
        r->watcher = fn;
        r->watcher_ctx = ctx;
}

unsigned run_caps(gw_device *d)
{
        const adapter_class *k = d->adapter;
        unsigned caps;

        if (k == NULL || k->caps == NULL)
                return 0;
        caps = k->caps(d->adapter_self, d, d->native);
        return caps &
               ~((k->read ? 0u : ADAPTER_READ | ADAPTER_LIST) | (k->write ? 0u : ADAPTER_WRITE) |
                 (k->create ? 0u : ADAPTER_CREATE) | (k->remove ? 0u : ADAPTER_DELETE) |
                 (k->execute ? 0u : ADAPTER_EXECUTE) | (k->observe ? 0u : ADAPTER_OBSERVE) |
                 (k->wake ? 0u : ADAPTER_WAKE) | (k->commands ? 0u : ADAPTER_COMMANDS));
}
