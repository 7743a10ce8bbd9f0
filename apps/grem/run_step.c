/* SPDX-License-Identifier: Apache-2.0 */
/* run_step.c - steps of an order: a command, or an item of it, as a call of the adapter; see
 * run_inner.h. */
#include "run_inner.h"

#include <string.h>

#define READ_MAX 32 /* Gets of one read */
#define VALUE_MAX ((size_t)8 << 20)

/* ---- calls ----------------------------------------------------------------------------------- */

static bool is_silence(unsigned status)
{
        return status == ODM_ST_TIMEOUT || status == ODM_ST_UNAVAILABLE;
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
                run_give_up(o, ODM_ST_FAILED, ODM_STR("too much is under way"));
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

static void refuse_item(struct order *o, unsigned status, const char *why)
{
        run_go_on(o, o->at, status, odm_cstr(why));
        o->more = true;
}

/* ---- Get ------------------------------------------------------------------------------------- */

static unsigned of_error(int rc)
{
        return rc == ODM_ELIMIT ? (unsigned)ODM_ST_TOO_LARGE : (unsigned)ODM_ST_FAILED;
}

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
                run_give_up(o, r->status, r->text);
                return;
        }
        size_t first = o->at, end = o->at + o->batch;
        for (size_t i = first; odm_status_ok(r->status) && i < end; i++) {
                odm_view_need need;
                odm_str path = ODM_ABSENT;
                size_t found = 0;
                unsigned status = wanted(o, o->unit[i].cmd->items, &path, &need);
                if (odm_status_ok(status)) {
                        int rc = run_keep_nodes(o, &o->answer[i], path, need, r, &found);
                        status = rc < 0 ? of_error(rc) : found ? ODM_ST_OK : ODM_ST_NOT_FOUND;
                }
                run_go_on(o, i, status, ODM_ABSENT);
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
                run_give_up(o, status, r->text);
                return;
        }
        if (odm_status_ok(status)) {
                odm_view_need need;
                odm_str path = ODM_ABSENT;
                status = wanted(o, o->item, &path, &need);
                if (odm_status_ok(status)) {
                        int rc = run_keep_nodes(o, &o->answer[unit], path, need, r, &found);
                        status = rc < 0 ? of_error(rc) : found ? ODM_ST_OK : ODM_ST_NOT_FOUND;
                }
        }
        o->item = o->item->next;
        if (o->item == NULL || !odm_status_ok(status))
                run_go_on(o, unit, status, r->text);
        run_on(o);
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

/* ---- values ---------------------------------------------------------------------------------- */

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

/* ---- one call a command, or an item ---------------------------------------------------------- */

/* The reply to a call that was all of its command. */
static void on_command(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;

        o->call = 0;
        if (is_silence(r->status)) {
                run_give_up(o, r->status, r->text);
                return;
        }
        run_go_on(o, o->at, r->status, r->text);
        run_on(o);
}

/* The reply to a call that was one item; the worst is the command's, 202 before 200. */
static void on_item(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;
        gw_answer *a = &o->answer[o->at];

        o->call = 0;
        if (is_silence(r->status)) {
                run_give_up(o, r->status, r->text);
                return;
        }
        if (a->status == 0 || r->status > a->status)
                a->status = r->status;
        if (!odm_status_ok(r->status) && a->text.p == NULL)
                a->text = run_keep_text(o, r->text);
        o->item = o->item->next;
        if (o->item == NULL) {
                odm_str text = a->text;
                run_go_on(o, o->at, a->status, text);
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

/* ---- Atomic ---------------------------------------------------------------------------------- */

static void on_atomic(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;
        size_t top = o->at;
        bool good = odm_status_ok(r->status);

        o->call = 0;
        if (is_silence(r->status)) {
                run_give_up(o, r->status, r->text);
                return;
        }
        if (r->status == ODM_ST_UNSUPPORTED && !o->exact) {
                run_answer(o, top, ODM_ST_OK, ODM_ABSENT);
                o->at = top + 1; /* one by one */
                run_on(o);
                return;
        }
        if (r->status == ODM_ST_UNSUPPORTED) {
                run_refuse_atomic(o, top, ODM_ST_UNSUPPORTED, r->text);
                run_on(o);
                return;
        }
        for (size_t i = top + 1; i < o->unit[top].end; i++)
                run_answer(o, i, good ? r->status : (unsigned)ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        if (!good && top + 1 < o->unit[top].end) /* which of them it was, nobody says */
                run_answer(o, top + 1, r->status, r->text);
        run_go_on(o, top, good ? (unsigned)ODM_ST_OK : (unsigned)ODM_ST_ATOMIC_FAILED, ODM_ABSENT);
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
                        run_answer(o, i, *status, ODM_ABSENT);
        }
        return v;
}

/* A member cannot be done, so that nothing is. */
static void fail_atomic(struct order *o, size_t top)
{
        for (size_t i = top + 1; i < o->unit[top].end; i++)
                if (!o->unit[i].answered)
                        run_answer(o, i, ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        run_go_on(o, top, ODM_ST_ATOMIC_FAILED, ODM_ABSENT);
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
                run_refuse_atomic(
                        o, top, ODM_ST_UNSUPPORTED,
                        ODM_STR("on this device nothing but Replace can be done wholly or "
                                "not at all"));
                o->more = true;
        } else {
                run_answer(o, top, ODM_ST_OK, ODM_ABSENT);
                o->at = top + 1;
                o->more = true;
        }
}

/* ---- whole lists ----------------------------------------------------------------------------- */

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
                        if (run_keep_node(&o->arena, &v[i].nodes[k], &nodes[k]) < 0)
                                return false;
                run_answer(o, i, v[i].status, v[i].text);
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
                run_end(o, ODM_ST_OK, ODM_ABSENT);
        } else {
                run_end(o, n || odm_status_ok(status) ? (unsigned)ODM_ST_FAILED : status, text);
        }
}

static void never_heard(void *ctx, const adapter_reply *r)
{
        struct order *o = ctx;

        o->call = 0;
        run_give_up(o, r->status, r->text);
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

/* ---- steps ----------------------------------------------------------------------------------- */

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
                run_answer(o, o->at, ODM_ST_OK, ODM_ABSENT);
                o->at++;
                o->more = true;
                break;
        default: refuse_item(o, ODM_ST_UNSUPPORTED, "a gateway cannot do this on a device"); break;
        }
}

void run_step(struct order *o)
{
        const gw_device *d = o->lane->d;

        if (d->adapter == NULL)
                run_give_up(o, ODM_ST_UNAVAILABLE, ODM_STR("no adapter serves the device now"));
        else if (has_cap(d, ADAPTER_COMMANDS))
                do_whole(o);
        else
                one_unit(o);
}
