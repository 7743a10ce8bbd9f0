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
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "heap.h"
#include "odm/view.h"
#include "plain.h"

#define LANES 1024 /* a power of two */
#define UNITS_MAX 4096
#define NEST_MAX 8
#define READ_MAX 32                  /* Gets of one read */
#define ARENA_MAX ((size_t)16 << 20) /* of one order, values read included */
#define VALUE_MAX ((size_t)8 << 20)

/* A command of the list laid flat. */
struct unit {
        const odm_command *cmd;
        size_t end;    /* the first unit behind it and its members */
        size_t atomic; /* the unit of the Atomic around it; itself for none */
        bool answered;
};

struct order {
        struct order *next;
        struct lane *lane;
        uint64_t id;
        const odm_command *list;
        odm_str correlator;
        bool exact;
        gw_done done;
        void *ctx;
        loop_timer timer; /* its deadline */
        odm_time due;
        odm_arena arena;
        struct unit *unit;
        gw_answer *answer; /* one of each unit */
        size_t n, at;      /* units; the one that is done now */
        const odm_item *item;
        size_t batch, single; /* units of the read under way; those below are read by themselves */
        uint64_t call;        /* under way; 0: none */
        bool whole;           /* it is of all units */
        bool awake;           /* when it began */
        odm_wall seen;        /* the device, when it began */
        bool stepping, more;  /* in run_on(), and it may go on at once */
        bool over;            /* to be ended with: */
        unsigned status;
        odm_str text;
};

struct lane { /* orders on one device */
        struct lane *next;
        runner *r;
        gw_device *d;
        struct order *first; /* it runs; the others wait */
        size_t n;
        loop_timer kick;
};

struct runner {
        gateway *g;
        calls *calls;
        uint64_t last;
        struct lane *lane[LANES];
        run_watcher watcher;
        void *watcher_ctx;
};

static void run_on(struct order *o);

/* ---- lanes --------------------------------------------------------------------------------------- */

static struct lane **lane_at(runner *r, const gw_device *d)
{
        struct lane **at = &r->lane[((uintptr_t)d >> 6) & (LANES - 1)];

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

static bool is_container(odm_cmd k)
{
        return k == ODM_CMD_ATOMIC || k == ODM_CMD_SEQUENCE;
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
                if (!is_container(o->unit[i].cmd->kind))
                        r->watcher(r->watcher_ctx, o->lane->d, o->unit[i].cmd, &o->answer[i]);
}

#define TEXT_MAX 1024

/* What is said of it goes to people who do not know the place. */
static odm_str keep_text(struct order *o, odm_str text)
{
        return plain_text(
                odm_str_to(text, odm_utf8_cut(text, text.n < TEXT_MAX ? text.n : TEXT_MAX)),
                o->lane->d->addr, &o->arena);
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
static void end_with(struct order *o, unsigned status, odm_str text)
{
        o->over = true;
        o->status = status;
        o->text = keep_text(o, text);
        run_on(o);
}

/* The device is silent or gone: what has no answer yet gets this one. */
static void give_up(struct order *o, unsigned status, odm_str text)
{
        odm_str copy = keep_text(o, text);
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
        end_with(o, some ? (unsigned)ODM_ST_OK : status, text);
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
                if (k != ODM_CMD_GET && k != ODM_CMD_REPLACE && !is_container(k))
                        return false;
        }
        return true;
}

/* Who hears 503 may give the order again: not what the device may be doing. */
static void give_up_unheard(struct order *o, unsigned status, const char *why)
{
        bool doubt = status == ODM_ST_UNAVAILABLE && may_have_it(o) && !is_harmless(o);

        give_up(o, doubt ? (unsigned)ODM_ST_TIMEOUT : status, odm_cstr(why));
}

static void on_deadline(void *ctx)
{
        struct order *o = ctx;

        give_up_unheard(o,
                        o->lane->first == o ? call_silence(o->lane->d) : (unsigned)ODM_ST_TIMEOUT,
                        "not done in time");
}

/* ---- the list laid flat ------------------------------------------------------------------------------ */

/* How many; SIZE_MAX for what nests too deep or is too much. */
static size_t count_units(const odm_command *list)
{
        const odm_command *up[NEST_MAX];
        const odm_command *c = list;
        unsigned depth = 0;
        size_t n = 0;

        while (c) {
                if (++n > UNITS_MAX)
                        return SIZE_MAX;
                if (is_container(c->kind) && c->body) {
                        if (depth == NEST_MAX)
                                return SIZE_MAX;
                        up[depth++] = c;
                        c = c->body;
                        continue;
                }
                while (c && c->next == NULL)
                        c = depth ? up[--depth] : NULL;
                c = c ? c->next : NULL;
        }
        return n;
}

static void lay_flat(struct order *o)
{
        size_t up[NEST_MAX], depth = 0, i = 0;
        const odm_command *c = o->list;

        while (c) {
                size_t here = i++;
                struct unit *u = &o->unit[here];
                *u = (struct unit){.cmd = c, .end = i, .atomic = here};
                if (depth) {
                        const struct unit *p = &o->unit[up[depth - 1]];
                        u->atomic = p->cmd->kind == ODM_CMD_ATOMIC ? up[depth - 1] : p->atomic;
                        if (u->atomic == up[depth - 1] && p->cmd->kind != ODM_CMD_ATOMIC)
                                u->atomic = here;
                }
                if (is_container(c->kind) && c->body) {
                        up[depth++] = here;
                        c = c->body;
                        continue;
                }
                while (c && c->next == NULL) {
                        c = depth ? o->unit[up[--depth]].cmd : NULL;
                        if (c)
                                o->unit[up[depth]].end = i;
                }
                c = c ? c->next : NULL;
        }
        assert(i == o->n);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static void answer(struct order *o, size_t unit, unsigned status, odm_str text)
{
        gw_answer *a = &o->answer[unit];

        o->unit[unit].answered = true;
        a->status = status;
        a->text = keep_text(o, text);
}

static bool took_effect(const struct order *o, size_t unit)
{
        odm_cmd k = o->unit[unit].cmd->kind;
        unsigned status = o->answer[unit].status;

        return o->unit[unit].answered && odm_status_ok(status) && status != ODM_ST_NOT_EXECUTED &&
               k != ODM_CMD_GET && !is_container(k);
}

/* A member of an Atomic that was done one by one failed: the rest is not done. */
static void break_atomic(struct order *o, size_t failed)
{
        size_t top = o->unit[failed].atomic;
        unsigned status = ODM_ST_ATOMIC_FAILED;

        for (size_t i = top + 1; i < o->unit[top].end; i++) {
                if (took_effect(o, i))
                        status = ODM_ST_ROLLBACK_FAILED;
                if (!o->unit[i].answered)
                        answer(o, i, ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        }
        answer(o, top, status, ODM_ABSENT);
        o->at = o->unit[top].end;
}

/* The unit is done: on to the next. */
static void go_on(struct order *o, size_t unit, unsigned status, odm_str text)
{
        size_t top = o->unit[unit].atomic;

        answer(o, unit, status, text);
        o->at = o->unit[unit].end;
        o->item = NULL;
        if (top != unit && !odm_status_ok(status))
                break_atomic(o, unit);
}

/* A whole Atomic is refused. */
static void refuse_atomic(struct order *o, size_t top, unsigned status, odm_str text)
{
        for (size_t i = top + 1; i < o->unit[top].end; i++)
                answer(o, i, ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        go_on(o, top, status, text);
}

/* ---- replies ---------------------------------------------------------------------------------------- */

static bool is_silence(unsigned status)
{
        return status == ODM_ST_TIMEOUT || status == ODM_ST_UNAVAILABLE;
}

static bool at_or_below(odm_str path, odm_str top)
{
        if (path.n < top.n || memcmp(path.p, top.p, top.n) != 0)
                return false;
        return path.n == top.n || path.p[top.n] == '/';
}

static bool below_by_one(odm_str path, odm_str top)
{
        return at_or_below(path, top) && path.n > top.n + 1 &&
               memchr(path.p + top.n + 1, '/', path.n - top.n - 1) == NULL;
}

static int keep_node(odm_arena *a, const adapter_node *in, adapter_node *out)
{
        *out = *in;
        out->path = odm_arena_copy(a, in->path);
        out->value.type = odm_arena_copy(a, in->value.type);
        out->value.data = odm_arena_copy(a, in->value.data);
        return out->path.p == NULL || (in->value.type.p && !out->value.type.p) ||
                               (in->value.data.p && !out->value.data.p)
                       ? odm_arena_err(a)
                       : 0;
}

/* The nodes of a reply that a Get of `path` wants join those it has. */
static int keep_nodes(struct order *o, gw_answer *to, odm_str path, odm_view_need need,
                      const adapter_reply *r, size_t *found)
{
        adapter_node *v;
        size_t n = to->n;

        *found = 0;
        v = odm_arena_get(&o->arena, (to->n + r->n) * sizeof *v);
        if (v == NULL)
                return odm_arena_err(&o->arena);
        if (to->n)
                memcpy(v, to->nodes, to->n * sizeof *v);
        for (size_t i = 0; i < r->n; i++) {
                odm_str p = r->nodes[i].path;
                bool mine = need == ODM_VIEW_NODE ? odm_str_eq(p, path) || below_by_one(p, path)
                                                  : at_or_below(p, path);
                if (!mine)
                        continue;
                int rc = keep_node(&o->arena, &r->nodes[i], &v[n]);
                if (rc < 0)
                        return rc;
                n++;
                ++*found;
        }
        to->nodes = v;
        to->n = n;
        return 0;
}

static unsigned of_error(int rc)
{
        return rc == ODM_ELIMIT ? (unsigned)ODM_ST_TOO_LARGE : (unsigned)ODM_ST_FAILED;
}

/* ---- Get -------------------------------------------------------------------------------------------- */

/* What one item of a Get wants; its status when it is none that can be read. */
static unsigned wanted(struct order *o, const odm_item *it, odm_str *path, odm_view_need *need)
{
        unsigned status = ODM_ST_OK;
        int rc = odm_view_target(ODM_STR("."), odm_str_trim(it->target), NULL, &o->arena, path,
                                 need, &status);

        return rc < 0 ? of_error(rc) : status;
}

/* Gets from `at` on that one read can answer: of one item each, without lists. */
static size_t batch_of(struct order *o, size_t at, odm_str *path)
{
        size_t n = 0;

        while (n < READ_MAX && at + n < o->n) {
                const odm_command *c = o->unit[at + n].cmd;
                odm_view_need need;
                if (c->kind != ODM_CMD_GET || c->items == NULL || c->items->next ||
                    o->unit[at + n].atomic != at + n)
                        break;
                if (wanted(o, c->items, &path[n], &need) != ODM_ST_OK || need != ODM_VIEW_NODE)
                        break;
                n++;
        }
        return n;
}

static void on_batch(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;

        o->call = 0;
        if (is_silence(r->status)) {
                give_up(o, r->status, r->text);
                return;
        }
        size_t first = o->at, end = o->at + o->batch;
        for (size_t i = first; odm_status_ok(r->status) && i < end; i++) {
                odm_view_need need;
                odm_str path = ODM_ABSENT;
                size_t found = 0;
                unsigned status = wanted(o, o->unit[i].cmd->items, &path, &need);
                if (odm_status_ok(status)) {
                        int rc = keep_nodes(o, &o->answer[i], path, need, r, &found);
                        status = rc < 0 ? of_error(rc) : found ? ODM_ST_OK : ODM_ST_NOT_FOUND;
                }
                go_on(o, i, status, ODM_ABSENT);
        }
        if (!odm_status_ok(r->status))
                o->single = end; /* one of them spoils it: each by itself */
        run_on(o);
}

static void on_get(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;
        unsigned status = r->status;
        size_t found = 0, unit = o->at;

        o->call = 0;
        if (is_silence(status)) {
                give_up(o, status, r->text);
                return;
        }
        if (odm_status_ok(status)) {
                odm_view_need need;
                odm_str path = ODM_ABSENT;
                status = wanted(o, o->item, &path, &need);
                if (odm_status_ok(status)) {
                        int rc = keep_nodes(o, &o->answer[unit], path, need, r, &found);
                        status = rc < 0 ? of_error(rc) : found ? ODM_ST_OK : ODM_ST_NOT_FOUND;
                }
        }
        o->item = o->item->next;
        if (o->item == NULL || !odm_status_ok(status))
                go_on(o, unit, status, r->text);
        run_on(o);
}

static int64_t left_of(const struct order *o)
{
        int64_t ms = o->due.ms - loop_now().ms;

        return ms > 1 ? ms : 1;
}

/* A call for the order; o->call is 0 when the reply came from within.  False: it ends with an
 * error. */
static bool begin_call(struct order *o, run_heard heard, uint64_t *id)
{
        struct lane *l = o->lane;
        /* The order's own deadline is what ends it; the call's is behind it. */
        int rc = calls_begin(l->r->calls, l->d, left_of(o) + 1000, heard, o, id);

        if (rc < 0) {
                give_up(o, ODM_ST_FAILED, ODM_STR("too much is under way"));
                return false;
        }
        o->call = *id;
        o->awake = gw_is_awake(l->d);
        o->seen = l->d->seen;
        return true;
}

static bool has_cap(const gw_device *d, unsigned cap)
{
        return (run_caps((gw_device *)(uintptr_t)d) & cap) != 0;
}

static void refuse_item(struct order *o, unsigned status, const char *why)
{
        go_on(o, o->at, status, odm_cstr(why));
        o->more = true;
}

/* What `cap` is wanted for cannot be asked of the device; NULL: it can. */
static const char *lacks(const gw_device *d, unsigned cap)
{
        if (has_cap(d, cap))
                return NULL;
        switch (cap) {
        case ADAPTER_READ: return "nothing can be read of this device";
        case ADAPTER_LIST: return "this device cannot be asked for lists";
        case ADAPTER_WRITE: return "nothing can be written on this device";
        case ADAPTER_CREATE: return "nothing can be added on this device";
        case ADAPTER_DELETE: return "nothing can be deleted on this device";
        default: return "nothing can be executed on this device";
        }
}

static void read_batch(struct order *o, const odm_str *path, size_t n)
{
        gw_device *d = o->lane->d;
        uint64_t id;

        o->batch = n;
        if (begin_call(o, on_batch, &id))
                d->adapter->read(d->adapter_self, id, d, d->native, path, n, ADAPTER_LIST_NONE,
                                 left_of(o));
}

static void get_item(struct order *o)
{
        gw_device *d = o->lane->d;
        odm_view_need need = ODM_VIEW_NODE;
        odm_str path = ODM_ABSENT;
        unsigned status = wanted(o, o->item, &path, &need);
        static const adapter_list list[] = {[ODM_VIEW_NODE] = ADAPTER_LIST_NONE,
                                            [ODM_VIEW_STRUCT] = ADAPTER_LIST_STRUCT,
                                            [ODM_VIEW_DATA] = ADAPTER_LIST_DATA};
        uint64_t id;

        const char *why = NULL;

        if (odm_status_ok(status) && need != ODM_VIEW_NODE && (why = lacks(d, ADAPTER_LIST)))
                status = ODM_ST_UNSUPPORTED;
        if (odm_status_ok(status) && (why = lacks(d, ADAPTER_READ)))
                status = ODM_ST_NOT_ALLOWED;
        if (!odm_status_ok(status)) {
                refuse_item(o, status, why);
                return;
        }
        if (begin_call(o, on_get, &id))
                d->adapter->read(d->adapter_self, id, d, d->native, &path, 1, list[need],
                                 left_of(o));
}

static void do_get(struct order *o)
{
        odm_str path[READ_MAX];
        size_t n = o->item || o->at < o->single ? 0 : batch_of(o, o->at, path);

        if (n > 1 && has_cap(o->lane->d, ADAPTER_READ)) {
                read_batch(o, path, n);
                return;
        }
        if (o->item == NULL)
                o->item = o->unit[o->at].cmd->items;
        get_item(o);
}

/* ---- values ---------------------------------------------------------------------------------------- */

static bool is_document(odm_str type)
{
        type = odm_str_trim(type);
        return odm_str_ieq(type, "application/vnd.syncml.dmtnds+xml") ||
               odm_str_ieq(type, "application/vnd.syncml.dmtnds+wbxml");
}

/* The node that an item of Add or Replace speaks of. */
static unsigned node_of(struct order *o, const odm_command *c, const odm_item *it,
                        adapter_node *out)
{
        odm_meta m = odm_meta_of(c, it);
        odm_str data = it->data.bytes.p ? it->data.bytes : ODM_STR("");
        odm_view_need need;
        odm_str path = ODM_ABSENT;
        unsigned status = wanted(o, it, &path, &need);
        int rc = 0;

        if (!odm_status_ok(status))
                return status;
        if (memchr(it->target.p, '?', it->target.n)) /* names and rights are the gateway's */
                return c->kind == ODM_CMD_REPLACE ? ODM_ST_UNSUPPORTED : ODM_ST_NOT_ALLOWED;
        if (m.format == ODM_FMT_OTHER)
                return ODM_ST_BAD_FORMAT;
        if (is_document(m.type))
                return ODM_ST_UNSUPPORTED;
        if (data.n > VALUE_MAX)
                return ODM_ST_TOO_LARGE;
        if (m.format == ODM_FMT_B64 || (m.format == ODM_FMT_BIN && it->data.kind == ODM_DATA_TEXT))
                rc = odm_b64_decode(&o->arena, data, &data);
        if (rc < 0)
                return rc == ODM_EMALFORMED ? (unsigned)ODM_ST_BAD_FORMAT : of_error(rc);
        *out = (adapter_node){.path = path,
                              .value = {m.format == ODM_FMT_B64 ? ODM_FMT_BIN : m.format,
                                        odm_str_trim(m.type), data},
                              .has_data = it->data.kind != ODM_DATA_ABSENT};
        return ODM_ST_OK;
}

/* All items of `c` as nodes behind the n of `v`. */
static unsigned nodes_of(struct order *o, const odm_command *c, adapter_node *v, size_t *n)
{
        for (const odm_item *it = c->items; it; it = it->next) {
                unsigned status = node_of(o, c, it, &v[*n]);
                if (!odm_status_ok(status))
                        return status;
                ++*n;
        }
        return ODM_ST_OK;
}

static size_t count_items(const odm_command *c)
{
        size_t n = 0;

        for (const odm_item *it = c->items; it; it = it->next)
                n++;
        return n;
}

/* ---- one call a command, or an item ------------------------------------------------------------------ */

/* The reply to a call that was all of its command. */
static void on_command(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;

        o->call = 0;
        if (is_silence(r->status)) {
                give_up(o, r->status, r->text);
                return;
        }
        go_on(o, o->at, r->status, r->text);
        run_on(o);
}

/* The reply to a call that was one item; the worst is the command's, 202 before 200. */
static void on_item(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;
        gw_answer *a = &o->answer[o->at];

        o->call = 0;
        if (is_silence(r->status)) {
                give_up(o, r->status, r->text);
                return;
        }
        if (a->status == 0 || r->status > a->status)
                a->status = r->status;
        if (!odm_status_ok(r->status) && a->text.p == NULL)
                a->text = keep_text(o, r->text);
        o->item = o->item->next;
        if (o->item == NULL) {
                odm_str text = a->text;
                go_on(o, o->at, a->status, text);
        }
        run_on(o);
}

static void do_add(struct order *o)
{
        gw_device *d = o->lane->d;
        const odm_command *c = o->unit[o->at].cmd;
        adapter_node *v = odm_arena_get(&o->arena, (count_items(c) + 1) * sizeof *v);
        unsigned status = v ? nodes_of(o, c, v, &(size_t){0}) : ODM_ST_FAILED;
        const char *why = NULL;
        uint64_t id;

        if (odm_status_ok(status) && (why = lacks(d, ADAPTER_CREATE)))
                status = ODM_ST_NOT_ALLOWED;
        if (!odm_status_ok(status)) {
                refuse_item(o, status, why);
                return;
        }
        if (begin_call(o, on_command, &id))
                d->adapter->create(d->adapter_self, id, d, d->native, v, count_items(c),
                                   left_of(o));
}

static void do_replace(struct order *o)
{
        gw_device *d = o->lane->d;
        adapter_node v = {.has_data = false};
        unsigned status = node_of(o, o->unit[o->at].cmd, o->item, &v);
        const char *why = NULL;
        uint64_t id;

        if (odm_status_ok(status) && v.value.format == ODM_FMT_NODE)
                status = ODM_ST_NOT_ALLOWED;
        if (odm_status_ok(status) && (why = lacks(d, ADAPTER_WRITE)))
                status = ODM_ST_NOT_ALLOWED;
        if (!odm_status_ok(status)) {
                refuse_item(o, status, why);
                return;
        }
        if (begin_call(o, on_item, &id))
                d->adapter->write(d->adapter_self, id, d, d->native, &v, 1, left_of(o));
}

static void do_remove(struct order *o)
{
        gw_device *d = o->lane->d;
        odm_view_need need;
        odm_str path = ODM_ABSENT;
        unsigned status = wanted(o, o->item, &path, &need);
        const char *why = NULL;
        uint64_t id;

        if (odm_status_ok(status) && memchr(o->item->target.p, '?', o->item->target.n))
                status = ODM_ST_NOT_ALLOWED;
        if (odm_status_ok(status) && ((why = lacks(d, ADAPTER_DELETE)) || odm_str_is(path, ".")))
                status = ODM_ST_NOT_ALLOWED;
        if (!odm_status_ok(status)) {
                refuse_item(o, status, why);
                return;
        }
        if (begin_call(o, on_item, &id))
                d->adapter->remove(d->adapter_self, id, d, d->native, path, left_of(o));
}

static void do_exec(struct order *o)
{
        gw_device *d = o->lane->d;
        const odm_command *c = o->unit[o->at].cmd;
        odm_view_need need;
        odm_str path = ODM_ABSENT;
        unsigned status = wanted(o, o->item, &path, &need);
        const char *why = NULL;
        uint64_t id;

        if (odm_status_ok(status) && ((why = lacks(d, ADAPTER_EXECUTE)) ||
                                      memchr(o->item->target.p, '?', o->item->target.n)))
                status = ODM_ST_NOT_ALLOWED;
        if (!odm_status_ok(status)) {
                refuse_item(o, status, why);
                return;
        }
        if (begin_call(o, on_item, &id))
                d->adapter->execute(d->adapter_self, id, d, d->native, path, o->item->data.bytes,
                                    c->correlator.n ? c->correlator : o->correlator, left_of(o));
}

/* ---- Atomic ------------------------------------------------------------------------------------------ */

static void on_atomic(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;
        size_t top = o->at;
        bool good = odm_status_ok(r->status);

        o->call = 0;
        if (is_silence(r->status)) {
                give_up(o, r->status, r->text);
                return;
        }
        if (r->status == ODM_ST_UNSUPPORTED && !o->exact) {
                answer(o, top, ODM_ST_OK, ODM_ABSENT);
                o->at = top + 1; /* one by one */
                run_on(o);
                return;
        }
        if (r->status == ODM_ST_UNSUPPORTED) {
                refuse_atomic(o, top, ODM_ST_UNSUPPORTED, r->text);
                run_on(o);
                return;
        }
        for (size_t i = top + 1; i < o->unit[top].end; i++)
                answer(o, i, good ? r->status : (unsigned)ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        if (!good && top + 1 < o->unit[top].end) /* which of them it was, nobody says */
                answer(o, top + 1, r->status, r->text);
        go_on(o, top, good ? (unsigned)ODM_ST_OK : (unsigned)ODM_ST_ATOMIC_FAILED, ODM_ABSENT);
        run_on(o);
}

/* The values that an Atomic of nothing but Replace sets; NULL when it is another. */
static adapter_node *atomic_values(struct order *o, size_t top, size_t *n, unsigned *status)
{
        size_t items = 0;
        adapter_node *v;

        for (size_t i = top + 1; i < o->unit[top].end; i++) {
                if (o->unit[i].cmd->kind != ODM_CMD_REPLACE)
                        return NULL;
                items += count_items(o->unit[i].cmd);
        }
        v = odm_arena_get(&o->arena, (items + 1) * sizeof *v);
        *n = 0;
        *status = v ? ODM_ST_OK : ODM_ST_FAILED;
        for (size_t i = top + 1; i < o->unit[top].end && odm_status_ok(*status); i++) {
                *status = nodes_of(o, o->unit[i].cmd, v, n);
                if (!odm_status_ok(*status))
                        answer(o, i, *status, ODM_ABSENT);
        }
        return v;
}

/* A member cannot be done, so that nothing is. */
static void fail_atomic(struct order *o, size_t top)
{
        for (size_t i = top + 1; i < o->unit[top].end; i++)
                if (!o->unit[i].answered)
                        answer(o, i, ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        go_on(o, top, ODM_ST_ATOMIC_FAILED, ODM_ABSENT);
        o->more = true;
}

static void do_atomic(struct order *o)
{
        gw_device *d = o->lane->d;
        size_t top = o->at, n = 0;
        unsigned status = ODM_ST_OK;
        adapter_node *v = NULL;
        uint64_t id;

        if (o->unit[top].atomic == top)
                v = atomic_values(o, top, &n, &status);
        if (v && !odm_status_ok(status)) {
                fail_atomic(o, top);
        } else if (v && n && has_cap(d, ADAPTER_WRITE)) {
                if (begin_call(o, on_atomic, &id))
                        d->adapter->write(d->adapter_self, id, d, d->native, v, n, left_of(o));
        } else if (o->exact || o->unit[top].atomic != top) {
                refuse_atomic(o, top, ODM_ST_UNSUPPORTED,
                              ODM_STR("on this device nothing but Replace can be done wholly or "
                                      "not at all"));
                o->more = true;
        } else {
                answer(o, top, ODM_ST_OK, ODM_ABSENT);
                o->at = top + 1;
                o->more = true;
        }
}

/* ---- whole lists ----------------------------------------------------------------------------------------- */

/* The adapter's answers are copied: this may be from within the call that began it. */
static bool take_answers(struct order *o, const adapter_answer *v, size_t n)
{
        if (n != o->n)
                return false;
        for (size_t i = 0; i < n; i++) {
                adapter_node *nodes = odm_arena_get(&o->arena, (v[i].n + 1) * sizeof *nodes);
                if (nodes == NULL)
                        return false;
                for (size_t k = 0; k < v[i].n; k++)
                        if (keep_node(&o->arena, &v[i].nodes[k], &nodes[k]) < 0)
                                return false;
                answer(o, i, v[i].status, v[i].text);
                o->answer[i].nodes = nodes;
                o->answer[i].n = v[i].n;
        }
        return true;
}

static void on_whole(void *ctx, uint64_t id, unsigned status, odm_str text, const adapter_answer *v,
                     size_t n)
{
        runner *r = ctx;
        struct order *o = calls_drop(r->calls, id);

        if (o == NULL)
                return;
        o->call = 0;
        if (n && take_answers(o, v, n)) {
                o->at = o->n;
                end_with(o, ODM_ST_OK, ODM_ABSENT);
        } else {
                end_with(o, n || odm_status_ok(status) ? (unsigned)ODM_ST_FAILED : status, text);
        }
}

static void never_heard(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;

        o->call = 0;
        give_up(o, r->status, r->text);
}

static void do_whole(struct order *o)
{
        gw_device *d = o->lane->d;
        uint64_t id;

        o->whole = true;
        if (begin_call(o, never_heard, &id))
                d->adapter->commands(d->adapter_self, id, d, d->native, o->list, left_of(o),
                                     on_whole, o->lane->r);
}

/* ---- steps ------------------------------------------------------------------------------------------------ */

static void do_items(struct order *o)
{
        if (o->item == NULL)
                o->item = o->unit[o->at].cmd->items;
        if (o->item == NULL) {
                refuse_item(o, ODM_ST_INCOMPLETE, NULL);
                return;
        }
        switch (o->unit[o->at].cmd->kind) {
        case ODM_CMD_REPLACE: do_replace(o); break;
        case ODM_CMD_DELETE: do_remove(o); break;
        default: do_exec(o); break;
        }
}

static void one_unit(struct order *o)
{
        const odm_command *c = o->unit[o->at].cmd;

        switch (c->kind) {
        case ODM_CMD_GET:
                if (c->items == NULL)
                        refuse_item(o, ODM_ST_INCOMPLETE, NULL);
                else
                        do_get(o);
                break;
        case ODM_CMD_ADD:
                if (c->items == NULL)
                        refuse_item(o, ODM_ST_INCOMPLETE, NULL);
                else
                        do_add(o);
                break;
        case ODM_CMD_REPLACE:
        case ODM_CMD_DELETE:
        case ODM_CMD_EXEC: do_items(o); break;
        case ODM_CMD_ATOMIC: do_atomic(o); break;
        case ODM_CMD_SEQUENCE:
                answer(o, o->at, ODM_ST_OK, ODM_ABSENT);
                o->at++;
                o->more = true;
                break;
        default: refuse_item(o, ODM_ST_UNSUPPORTED, "a gateway cannot do this on a device"); break;
        }
}

static void step(struct order *o)
{
        const gw_device *d = o->lane->d;

        if (d->adapter == NULL)
                give_up(o, ODM_ST_UNAVAILABLE, ODM_STR("no adapter serves the device now"));
        else if (has_cap(d, ADAPTER_COMMANDS))
                do_whole(o);
        else
                one_unit(o);
}

/* Goes on as far as it gets; what is answered from within comes back here and is only noted. */
static void run_on(struct order *o)
{
        o->more = true;
        if (o->stepping)
                return;
        o->stepping = true;
        while (o->more && !o->over && o->at < o->n) {
                o->more = false;
                step(o);
        }
        o->stepping = false;
        if (o->over || o->at == o->n)
                finish(o);
}

/* ---- orders ------------------------------------------------------------------------------------------- */

static int order_new(const gw_order *what, struct order **out)
{
        size_t n = count_units(what->list);
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
        lay_flat(o);
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

        for (size_t i = 0; r && i < LANES; i++)
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

/* ---- the runner ----------------------------------------------------------------------------------------- */

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
        for (size_t i = 0; i < LANES; i++)
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

        for (size_t n = l ? l->n : 0; n && *lane_at(r, d) == l; n--)
                give_up_unheard(l->first, ODM_ST_UNAVAILABLE, "the device is gone");
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
                 (k->download ? 0u : ADAPTER_DOWNLOAD) | (k->wake ? 0u : ADAPTER_WAKE) |
                 (k->commands ? 0u : ADAPTER_COMMANDS));
}
