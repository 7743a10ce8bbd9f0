/* SPDX-License-Identifier: Apache-2.0 */
/* trigger_part.c - ./GwMO/EDTrigger: devices that are to call, or are brought the notification of a
 * server that cannot reach them (gwmo.md 7).
 *
 *     WAITING --the adapter is asked--> CALLED --it could--> DELIVERED --it came--> SEEN
 *        ^                                |
 *        +---- silent, or off-line -------+--it could not--> FAILED
 *     WAITING --TTL--> EXPIRED
 *
 * Without a notification a device that is awake has been woken.  What came of a notification the
 * gateway does not see: DELIVERED is the end of it.  A trigger that is not over at once is a row
 * before its Exec is answered 202; after a restart who was not reached is woken again, which does
 * no harm.  The alert of its end is in the batch that says so in the row. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fanout_inner.h"
#include "heap.h"
#include "log.h"
#include "mo.h"
#include "rights.h"
#include "trigger_part.h"

#define AT "./GwMO/EDTrigger"
#define TRIGGERS AT "/Trigger/"
#define ONE "Trigger/*"
#define MOST 256
#define PARALLEL 32
#define CALL_MS 10000
#define KICK_MS 1000
#define TTL_S 3600
#define TTL_MOST (30 * 86400)
#define COMPLETION "urn:oma:at:oma-gwmo:completionstatus:1.0"

typedef enum trigger_status { /* leaf Status */
                              TRIGGER_IDLE = 0,
                              TRIGGER_QUEUED = 1,
                              TRIGGER_DELIVERED = 2,
                              TRIGGER_SEEN = 3,
                              TRIGGER_FAILED = 4,
                              TRIGGER_EXPIRED = 5,
} trigger_status;

enum target_state { WAITING, CALLED, DELIVERED, SEEN, FAILED, EXPIRED };

struct target {
        struct trigger *in;
        uint32_t number; /* of the record */
        uint8_t state;
        bool over;
        bool tried; /* it was silent: not before it is heard of */
        uint64_t call;
};

typedef struct trigger_row {
        odm_str name; /* of the node */
        uint32_t status;
        odm_str server, correlator;
        int64_t expire;  /* seconds since 1970 */
        odm_str targets; /* numbers of records, four octets each, the first one lowest */
} trigger_row;

static const field row_fields[] = {
        STORE_FIELD_OF(trigger_row, name, STR),   STORE_FIELD_OF(trigger_row, status, U32),
        STORE_FIELD_OF(trigger_row, server, STR), STORE_FIELD_OF(trigger_row, correlator, STR),
        STORE_FIELD_OF(trigger_row, expire, I64), STORE_FIELD_OF(trigger_row, targets, BLOB),
};
static const record row_record = STORE_RECORD_OF(trigger_row, row_fields);
const store_table gw_table_trigger = {.name = "gw_trigger", .rec = &row_record, .n_key = 1};

typedef struct trigger_part trigger_part;

typedef struct trigger { /* what its last Send came to */
        struct trigger *next;
        trigger_part *p;
        odm_arena arena; /* texts and targets */
        trigger_row row;
        odm_str notification, server_id; /* absent: the protocol's own way */
        struct target *v;                /* by number */
        size_t n, n_over, n_called;
        loop_timer timer; /* TTL */
        bool open, pumping;
} trigger;

struct trigger_part {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        trigger *list;
        gw_hook hook;
        loop_timer kick; /* after the start */
        bool opened;
};

static trigger *by_name(const trigger_part *p, odm_str name)
{
        trigger *t = p->list;

        while (t && !odm_str_eq(t->row.name, name))
                t = t->next;
        return t;
}

static void trigger_free(trigger *t)
{
        trigger **at = &t->p->list;

        for (size_t i = 0; i < t->n; i++)
                if (t->v[i].call)
                        run_call_cancel(t->p->g, t->v[i].call);
        loop_timer_stop(&t->timer);
        while (*at != t)
                at = &(*at)->next;
        *at = t->next;
        odm_arena_done(&t->arena);
        free(t);
}

/* ---- rows ------------------------------------------------------------------------------------------- */

static int put_row(store_batch *b, const trigger_row *row)
{
        odm_arena *a = store_batch_arena(b);
        trigger_row *r = odm_new(a, trigger_row);
        store_op *op = r ? store_batch_add(b, STORE_ROW_PUT) : NULL;

        if (op == NULL)
                return ODM_ENOMEM;
        *r = *row;
        r->name = odm_arena_copy(a, row->name);
        r->server = odm_arena_copy(a, row->server);
        r->correlator = odm_arena_copy(a, row->correlator);
        r->targets = odm_arena_copy(a, row->targets);
        op->row = (store_row_op){.table = &gw_table_trigger, .row = r};
        return r->name.p && (r->targets.p || !row->targets.p) && (r->server.p || !row->server.p) &&
                               (r->correlator.p || !row->correlator.p)
                       ? 0
                       : ODM_ENOMEM;
}

/* The row, durable; with the alert of its end if it is over and somebody waits for that. */
static int write_row(trigger *t, bool tell)
{
        trigger_part *p = t->p;
        store_batch *b = store_batch_new();
        char data[8];
        odm_arena a;
        int rc = b ? put_row(b, &t->row) : ODM_ENOMEM;

        odm_arena_init(&a, &heap_mem, 4096);
        if (rc == 0 && tell) {
                snprintf(data, sizeof data, "%u", t->row.status);
                const odm_alert end = {.code = ODM_ALERT_GENERIC,
                                       .source = odm_arena_join(&a, ODM_STR(TRIGGERS), t->row.name),
                                       .type = ODM_STR(COMPLETION),
                                       .mark = ODM_STR("informational"),
                                       .format = ODM_FMT_INT,
                                       .data = odm_cstr(data),
                                       .correlator = t->row.correlator};
                rc = end.source.p ? north_add(p->g, b, NORTH_REPORT, &end, loop_wall(), NULL)
                                  : ODM_ENOMEM;
        }
        if (rc == 0)
                rc = gw_write(p->g, b);
        store_batch_free(b);
        odm_arena_done(&a);
        return rc;
}

static void delete_row(trigger_part *p, odm_str name)
{
        store_batch *b = store_batch_new();
        trigger_row *r = b ? odm_new(store_batch_arena(b), trigger_row) : NULL;
        store_op *op = r ? store_batch_add(b, STORE_ROW_DELETE) : NULL;
        int rc = ODM_ENOMEM;

        if (op) {
                r->name = odm_arena_copy(store_batch_arena(b), name);
                op->lenient = true;
                op->row = (store_row_op){.table = &gw_table_trigger, .row = r};
                rc = r->name.p ? gw_write_then(p->g, b, NULL, NULL) : ODM_ENOMEM;
        }
        if (rc == 0)
                return;
        store_batch_free(b);
        log_error("the row of a trigger stays", log_text("reason", odm_err_text(rc)));
}

/* ---- targets on their way ----------------------------------------------------------------------------- */

static void pump(trigger *t);

static void move(trigger *t, struct target *x, enum target_state to, bool over)
{
        assert(!x->over);
        x->state = (uint8_t)to;
        x->over = over;
        t->n_over += over;
}

static uint32_t outcome(const trigger *t)
{
        bool any[EXPIRED + 1] = {false};

        for (size_t i = 0; i < t->n; i++)
                any[t->v[i].state] = true;
        if (any[FAILED])
                return TRIGGER_FAILED;
        if (any[EXPIRED])
                return TRIGGER_EXPIRED;
        return any[DELIVERED] ? TRIGGER_DELIVERED : TRIGGER_SEEN;
}

/* All targets are over: the row and the alert.  What cannot be written is tried again. */
static void settle(trigger *t)
{
        if (!t->open || t->n_over < t->n)
                return;
        t->row.status = outcome(t);
        int rc = write_row(t, true);
        if (rc < 0) {
                log_error("the end of a trigger is not kept", log_text("reason", odm_err_text(rc)));
                t->row.status = TRIGGER_QUEUED;
                (void)!loop_timer_set(gw_loop(t->p->g), &t->timer, odm_time_add(loop_now(), 5000));
                return;
        }
        t->open = false;
        loop_timer_stop(&t->timer);
}

static gw_device *device_of(const struct target *x)
{
        fanout_part *f = x->in->p->g->fanout;

        return f ? fanout_device(f, x->number) : NULL;
}

static void on_heard(void *ctx, const adapter_reply *r)
{
        struct target *x = ctx;
        trigger *t = x->in;
        gw_device *d = device_of(x);

        x->call = 0;
        t->n_called--;
        if (odm_status_ok(r->status)) {
                bool blind = t->notification.p || (d && d->mode == GW_TRANSPARENT);
                bool here = !blind && d && gw_is_awake(d);
                move(t, x, here ? SEEN : DELIVERED, here || blind);
        } else if (r->status == ODM_ST_TIMEOUT || r->status == ODM_ST_UNAVAILABLE) {
                move(t, x, WAITING, false);
                x->tried = true;
        } else {
                log_info("a device cannot be woken", log_text("key", d ? d->key : ""),
                         log_int("status", r->status), log_str("text", r->text));
                move(t, x, FAILED, true);
        }
        pump(t);
}

static void wake(trigger *t, struct target *x, gw_device *d)
{
        if (run_call(t->p->g, d, CALL_MS, on_heard, x, &x->call) < 0) {
                move(t, x, FAILED, true);
                return;
        }
        x->state = CALLED;
        t->n_called++;
        d->adapter->wake(d->adapter_self, x->call, d, d->native, t->notification, t->server_id);
}

static void try_target(trigger *t, struct target *x)
{
        gw_device *d = device_of(x);

        if (d == NULL || d->state == GW_DEACTIVATED)
                move(t, x, FAILED, true);
        else if (!t->notification.p && d->mode != GW_TRANSPARENT && gw_is_awake(d))
                move(t, x, SEEN, true);
        else if (d->adapter == NULL || x->tried)
                return; /* until it is heard of */
        else if (run_caps(d) & ADAPTER_WAKE)
                wake(t, x, d);
        else if (t->notification.p || d->mode == GW_TRANSPARENT)
                move(t, x, FAILED, true);
}

static void pump(trigger *t)
{
        if (t->pumping) /* a reply from within */
                return;
        t->pumping = true;
        for (size_t i = 0; i < t->n && t->n_called < PARALLEL; i++)
                if (t->v[i].state == WAITING && !t->v[i].over)
                        try_target(t, &t->v[i]);
        t->pumping = false;
        settle(t);
}

static void on_ttl(void *ctx)
{
        trigger *t = ctx;

        for (size_t i = 0; i < t->n; i++) {
                struct target *x = &t->v[i];
                if (x->over)
                        continue;
                if (x->call) {
                        run_call_cancel(t->p->g, x->call);
                        x->call = 0;
                        t->n_called--;
                }
                move(t, x, x->state == DELIVERED ? DELIVERED : EXPIRED, true);
        }
        settle(t);
}

/* Until when, by the clock of the loop. */
static int arm(trigger *t)
{
        int64_t s = t->row.expire - loop_wall().s;

        t->timer = (loop_timer){.fn = on_ttl, .ctx = t};
        return loop_timer_set(gw_loop(t->p->g), &t->timer,
                              odm_time_add(loop_now(), s > 0 ? s * 1000 : 0));
}

/* ---- what happens to devices ---------------------------------------------------------------------------- */

static struct target *target_of(trigger *t, uint32_t number)
{
        size_t lo = 0, hi = t->n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (t->v[mid].number < number)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo < t->n && t->v[lo].number == number ? &t->v[lo] : NULL;
}

static void on_awake(void *ctx, gw_device *d)
{
        trigger_part *p = ctx;

        for (trigger *t = p->list; t; t = t->next) {
                struct target *x = t->open ? target_of(t, d->number) : NULL;
                if (x == NULL || x->over)
                        continue;
                x->tried = false;
                if (x->state == DELIVERED)
                        move(t, x, SEEN, true);
                pump(t);
        }
}

static void on_attached(void *ctx, gw_device *d, bool back)
{
        (void)back;
        on_awake(ctx, d);
}

static void on_removed(void *ctx, gw_device *d)
{
        trigger_part *p = ctx;

        for (trigger *t = p->list; t; t = t->next) {
                struct target *x = t->open ? target_of(t, d->number) : NULL;
                if (x && !x->over) {
                        move(t, x, FAILED, true);
                        settle(t);
                }
        }
}

/* ---- Send ------------------------------------------------------------------------------------------------ */

static odm_str leaf(trigger_part *p, odm_str name, const char *rel, odm_arena *a)
{
        odm_str uri = odm_arena_fmt(a, TRIGGERS "%.*s/%s", (int)name.n, name.p, rel);
        odm_value v;

        if (uri.p == NULL || odm_tree_read(p->host->tree, uri, a, &v) < 0 || v.data.n == 0)
                return ODM_ABSENT;
        return odm_arena_copy(a, v.data);
}

static int take_targets(trigger *t, const fanout_list *l)
{
        char *numbers = odm_arena_get(&t->arena, l->n * 4 + 1);

        t->v = odm_arena_zget(&t->arena, (l->n + 1) * sizeof *t->v);
        if (t->v == NULL || numbers == NULL)
                return odm_arena_err(&t->arena);
        for (size_t i = 0; i < l->n; i++) {
                t->v[i].in = t;
                t->v[i].number = l->v[i];
                for (unsigned k = 0; k < 4; k++)
                        numbers[4 * i + k] = (char)(l->v[i] >> 8 * k & 0xff);
        }
        t->n = l->n;
        t->row.targets = (odm_str){numbers, l->n * 4};
        return 0;
}

/* Those that the server may have do something. */
static void keep_allowed(trigger *t, odm_str server, fanout_list *l)
{
        odm_str above = rights_above(t->p->g, &t->arena);
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++) {
                const gw_device *d = fanout_device(t->p->g->fanout, l->v[i]);
                if (!d || rights_have(t->p->g, d, above, server, ODM_ACC_EXEC))
                        l->v[n++] = l->v[i];
        }
        l->n = n;
}

/* Who is meant; *status when it is nobody. */
static int find_targets(trigger *t, odm_str target, odm_str server, unsigned *status)
{
        fanout_who w = {.p = t->p->g->fanout, .a = &t->arena};
        fanout_list l = {.n = 0};
        int rc;

        if (w.p == NULL) {
                *status = ODM_ST_UNAVAILABLE;
                return 0;
        }
        rc = fanout_who_add(&w, target);
        if (rc < 0 || w.status) {
                *status = w.status;
                return rc;
        }
        fanout_who_list(&w, &l);
        while (l.n && l.v[l.n - 1] >= FANOUT_STRANGER) /* of whom no record is known */
                l.n--;
        if (l.n == 0) {
                *status = ODM_ST_NOT_FOUND;
                return 0;
        }
        keep_allowed(t, server, &l);
        if (l.n == 0) {
                *status = ODM_ST_DENIED;
                return 0;
        }
        return take_targets(t, &l);
}

static trigger *trigger_new(trigger_part *p, odm_str name)
{
        trigger *t = calloc(1, sizeof *t);

        if (t == NULL)
                return NULL;
        t->p = p;
        odm_arena_init(&t->arena, &heap_mem, (size_t)16 << 20);
        t->row.name = odm_arena_copy(&t->arena, name);
        t->next = p->list;
        p->list = t;
        if (t->row.name.p == NULL) {
                trigger_free(t);
                return NULL;
        }
        return t;
}

static void read_way(trigger *t)
{
        t->notification = leaf(t->p, t->row.name, "Notification", &t->arena);
        t->server_id = leaf(t->p, t->row.name, "ServerID", &t->arena);
}

/* The trigger as its node says. */
static int prepare(trigger *t, const odm_op *op, unsigned *status)
{
        odm_str target = leaf(t->p, t->row.name, "Target", &t->arena);
        odm_str ttl = leaf(t->p, t->row.name, "TTL", &t->arena);
        uint64_t s = TTL_S;

        if (target.p == NULL) {
                *status = ODM_ST_BAD_REQUEST;
                return 0;
        }
        if (ttl.p && odm_str_u64(ttl, TTL_MOST, &s) < 0)
                s = TTL_S;
        read_way(t);
        t->row.status = TRIGGER_QUEUED;
        t->row.server = odm_arena_copy(&t->arena, op->server);
        t->row.correlator = odm_arena_copy(&t->arena, op->correlator);
        t->row.expire = loop_wall().s + (int64_t)s;
        return find_targets(t, target, op->server, status);
}

/* Begins it: 200 when that is all, 202 when the rest is kept. */
static int begin(trigger *t, unsigned *status)
{
        int rc = 0;

        pump(t);
        if (t->n_over == t->n) {
                t->row.status = outcome(t);
                rc = write_row(t, false);
                *status = t->row.status == TRIGGER_FAILED ? (unsigned)ODM_ST_FAILED
                                                          : (unsigned)ODM_ST_OK;
                return rc;
        }
        rc = write_row(t, false);
        if (rc == 0)
                rc = arm(t);
        if (rc < 0)
                return rc;
        t->open = true;
        *status = ODM_ST_ACCEPTED;
        settle(t); /* it may have ended meanwhile */
        return 0;
}

static int exec_send(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        trigger_part *p = ctx;
        trigger *old = by_name(p, at->name[0]), *t;
        int rc;

        if (p->g == NULL || !p->opened) {
                *status = ODM_ST_UNAVAILABLE;
                return 0;
        }
        if (old && old->open) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        t = trigger_new(p, at->name[0]);
        if (t == NULL)
                return ODM_ENOMEM;
        rc = prepare(t, op, status);
        if (rc == 0 && odm_status_ok(*status))
                rc = begin(t, status);
        if (rc == ODM_EIO) {
                *status = ODM_ST_STORE_FAILED;
                rc = 0;
        }
        if (rc < 0 || !(odm_status_ok(*status) || t->row.status == TRIGGER_FAILED))
                trigger_free(t);
        else if (old)
                trigger_free(old);
        return rc;
}

/* ---- other nodes -------------------------------------------------------------------------------------------- */

static int read_status(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const trigger *t = by_name(ctx, at->name[0]);

        out->format = ODM_FMT_INT;
        out->data = odm_arena_fmt(a, "%u", t ? t->row.status : TRIGGER_IDLE);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int check_target(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && !fanout_target_ok(v->data))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_ttl(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        uint64_t s;

        (void)ctx;
        (void)at;
        if (v && (odm_str_u64(v->data, TTL_MOST, &s) < 0 || s == 0))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static const odm_binding bindings[] = {
        {.path = ONE "/Target", .check = check_target},
        {.path = ONE "/TTL", .check = check_ttl},
        {.path = ONE "/Operations/Send", .exec = exec_send},
        {.path = ONE "/Status", .read = read_status},
};

static bool is_trigger(odm_str uri, odm_str *name)
{
        *name = odm_str_from(uri, strlen(TRIGGERS));
        return odm_str_starts(uri, TRIGGERS) && name->n > 0 && !odm_str_has(*name, '/');
}

static int count_one(void *ctx, odm_str name)
{
        (void)name;
        ++*(size_t *)ctx;
        return 0;
}

/* What every trigger has, however its server wrote it. */
static int complete(odm_tree *t, odm_str at, unsigned *status)
{
        static const char *const rel[] = {"Operations", "Operations/Send"};
        size_t n = 0;
        odm_arena a;
        int rc = odm_tree_children(t, ODM_STR(AT "/Trigger"), count_one, &n);

        if (n > MOST)
                *status = ODM_ST_FULL;
        odm_arena_init(&a, &heap_mem, 65536);
        for (size_t i = 0; i < ODM_COUNT(rel) && rc == 0 && odm_status_ok(*status); i++) {
                odm_op op = {.kind = ODM_CMD_ADD,
                             .target = odm_arena_fmt(&a, "%.*s/%s", (int)at.n, at.p, rel[i]),
                             .value = {.format = i ? ODM_FMT_NULL : ODM_FMT_NODE}};
                odm_answer got = {.status = ODM_ST_OK};
                rc = op.target.p ? 0 : odm_arena_err(&a);
                if (rc == 0 && !odm_tree_exists(t, op.target))
                        rc = odm_tree_do(t, &op, loop_wall(), &a, &got);
                if (rc == 0 && !odm_status_ok(got.status))
                        *status = got.status;
        }
        odm_arena_done(&a);
        return rc;
}

static int validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        int rc = 0;

        (void)ctx;
        for (const odm_change *c = list; c && rc == 0 && odm_status_ok(*status); c = c->next) {
                odm_str name;
                if (!is_trigger(c->uri, &name))
                        continue;
                if (c->kind == ODM_CHANGE_ADD && odm_tree_exists(t, c->uri))
                        rc = complete(t, c->uri, status);
                else if (c->kind == ODM_CHANGE_PROP && c->prop == ODM_PROP_NAME)
                        *status = ODM_ST_NOT_ALLOWED; /* its end is told by the name */
        }
        return rc;
}

static int commit(void *ctx, odm_tree *t, const odm_change *list)
{
        trigger_part *p = ctx;

        for (const odm_change *c = list; c; c = c->next) {
                trigger *was;
                odm_str name;
                if (c->kind != ODM_CHANGE_DELETE || !is_trigger(c->uri, &name) ||
                    odm_tree_exists(t, c->uri) || p->g == NULL)
                        continue;
                delete_row(p, name);
                was = by_name(p, name);
                if (was)
                        trigger_free(was);
        }
        return 0;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static int load_row(trigger_part *p, const trigger_row *row)
{
        trigger *t = trigger_new(p, row->name);
        size_t n = row->targets.n / 4;
        uint32_t *v = t ? odm_arena_get(&t->arena, (n + 1) * sizeof *v) : NULL;

        if (v == NULL)
                return ODM_ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const uint8_t *o = (const uint8_t *)row->targets.p + 4 * i;
                v[i] = (uint32_t)o[0] | (uint32_t)o[1] << 8 | (uint32_t)o[2] << 16 |
                       (uint32_t)o[3] << 24;
        }
        t->row.status = row->status;
        t->row.expire = row->expire;
        t->row.server = odm_arena_copy(&t->arena, row->server);
        t->row.correlator = odm_arena_copy(&t->arena, row->correlator);
        read_way(t);
        int rc = take_targets(t, &(fanout_list){.v = v, .n = n});
        if (rc == 0 && row->status == TRIGGER_QUEUED) {
                t->open = true;
                rc = arm(t);
        }
        return rc;
}

static int load(trigger_part *p)
{
        store_scan s = {.table = &gw_table_trigger, .limit = 4 * MOST};
        store_rows rows;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
        rc = store_row_find(gw_store(p->g), &s, &a, &rows);
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = load_row(p, (const trigger_row *)rows.v + i);
        odm_arena_done(&a);
        return rc;
}

/* Devices are known again by now: those who are not reached yet are woken. */
static void on_kick(void *ctx)
{
        trigger_part *p = ctx;

        for (trigger *t = p->list; t; t = t->next)
                if (t->open)
                        pump(t);
}

static int trigger_mount(const part_host *h, void **out, diag *d)
{
        trigger_part *p = calloc(1, sizeof *p);
        int rc;

        if (p == NULL)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        p->provider = (odm_provider){.name = "gwtrigger",
                                     .mo = &odm_mo_gwtrigger,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = p,
                                     .validate = validate,
                                     .commit = commit};
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, AT ": %s", odm_err_text(rc));
        }
        *out = p;
        return 0;
}

static int trigger_open(void *ctx, diag *d)
{
        trigger_part *p = ctx;
        int rc;

        if (p->g == NULL)
                return 0;
        rc = load(p);
        if (rc < 0)
                return diag_set(d, rc, "triggers: %s", odm_err_text(rc));
        p->hook = (gw_hook){
                .attached = on_attached, .awake = on_awake, .removed = on_removed, .ctx = p};
        gw_hook_add(p->g, &p->hook);
        p->opened = true;
        p->kick = (loop_timer){.fn = on_kick, .ctx = p};
        return loop_timer_set(gw_loop(p->g), &p->kick, odm_time_add(loop_now(), KICK_MS));
}

static void trigger_close(void *ctx)
{
        trigger_part *p = ctx;

        if (p->opened)
                gw_hook_del(p->g, &p->hook);
        loop_timer_stop(&p->kick);
        while (p->list)
                trigger_free(p->list);
        free(p);
}

static const char *const roots[] = {AT, NULL};

const part_class part_gwtrigger = {
        .name = "gwtrigger",
        .roots = roots,
        .mount = trigger_mount,
        .open = trigger_open,
        .close = trigger_close,
};
