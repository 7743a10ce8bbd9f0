/* SPDX-License-Identifier: Apache-2.0 */
/* north.c - alerts to the server: kept as rows, gathered, told until they are answered.
 *
 *     north_add() -> row, durable -> due -> host->tell() -> a session -> north_alerts() ...
 * answered ^                                       |                             |
 *                       +---------- not answered ---------------+                         row goes
 *
 * In memory is only what decides when and whether; texts are read when they are told. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "odm/inventory.h"

#define RESERVE 10000 /* numbers that are taken at once */
#define PAGE 100
#define PAGE_BYTES ((size_t)64 << 20)
#define LATE_S 60      /* an alert that leaves later than this says when it was */
#define AGAIN_MS 60000 /* one that the server did not want now */
#define OVER_MAX 500   /* answered ones that are deleted at once */
#define NEXT_ID "gw.north.next"
#define DATA_MAX ((size_t)16 << 20)

typedef struct north_row {
        int64_t id;
        uint32_t cls, device, format;
        int64_t at;
        odm_str type, source, source_name, target, mark, correlator, data;
} north_row;

static const field row_fields[] = {
        STORE_FIELD_OF(north_row, id, I64),         STORE_FIELD_OF(north_row, cls, U32),
        STORE_FIELD_OF(north_row, device, U32),     STORE_FIELD_OF(north_row, format, U32),
        STORE_FIELD_OF(north_row, at, I64),         STORE_FIELD_OF(north_row, type, STR),
        STORE_FIELD_OF(north_row, source, STR),     STORE_FIELD_OF(north_row, source_name, STR),
        STORE_FIELD_OF(north_row, target, STR),     STORE_FIELD_OF(north_row, mark, STR),
        STORE_FIELD_OF(north_row, correlator, STR), STORE_FIELD_OF(north_row, data, BLOB),
};
static const record row_record = STORE_RECORD_OF(north_row, row_fields);
const store_table gw_table_north = {.name = "gw_north", .rec = &row_record, .n_key = 1};

enum event { OTHER, ATTACH, DETACH, STATE, REQUEST };

typedef struct entry {
        int64_t id, due; /* due: of the loop's clock */
        uint32_t device; /* of an event; 0: none */
        uint32_t octets; /* of the row */
        uint8_t cls, event;
        bool durable, told, dead;
} entry;

struct north {
        gateway *g;
        entry *v; /* in the order of ids */
        size_t n, cap, dead;
        uint64_t octets; /* of all rows */
        int64_t next, reserved;
        loop_timer due;
        bool begun, asked;
        size_t told;       /* in the session that is open */
        store_batch *over; /* rows that were answered, to be deleted */
        uint64_t least;    /* octets of the smallest session so far */
        void (*answered)(void *ctx, int64_t id, odm_str type, odm_str source);
        void *ctx;
};

/* ---- entries ------------------------------------------------------------------------------------ */

static enum event event_of(odm_str type)
{
        return odm_str_is(type, ODM_INV_ATTACHED_ALERT)   ? ATTACH
               : odm_str_is(type, ODM_INV_DETACHED_ALERT) ? DETACH
               : odm_str_is(type, ODM_INV_STATE_ALERT)    ? STATE
               : odm_str_is(type, ODM_INV_REQUEST_ALERT)  ? REQUEST
                                                          : OTHER;
}

static entry *find(const north *n, int64_t id)
{
        size_t lo = 0, hi = n->n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (n->v[mid].id < id)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo < n->n && n->v[lo].id == id && !n->v[lo].dead ? &n->v[lo] : NULL;
}

static void bury(north *n, entry *e)
{
        size_t to = 0;

        e->dead = true;
        n->octets -= e->octets;
        n->dead++;
        if (n->dead < 64 || n->dead * 2 < n->n)
                return;
        for (size_t i = 0; i < n->n; i++)
                if (!n->v[i].dead)
                        n->v[to++] = n->v[i];
        n->n = to;
        n->dead = 0;
}

/* What it takes on the disk, about. */
static uint32_t octets_of(const north_row *row)
{
        return (uint32_t)(100 + row->type.n + row->source.n + row->source_name.n + row->target.n +
                          row->mark.n + row->correlator.n + row->data.n);
}

static int add_entry(north *n, const north_row *row, int64_t wait_ms, bool durable)
{
        if (n->n == n->cap) {
                size_t cap = n->cap ? n->cap * 2 : 64;
                entry *v = realloc(n->v, cap * sizeof *v);
                if (!v)
                        return ODM_ENOMEM;
                n->v = v;
                n->cap = cap;
        }
        assert(n->n == 0 || n->v[n->n - 1].id < row->id);
        n->v[n->n++] = (entry){.id = row->id,
                               .due = odm_time_add(loop_now(), wait_ms).ms,
                               .device = row->device,
                               .octets = octets_of(row),
                               .cls = (uint8_t)row->cls,
                               .event = (uint8_t)event_of(row->type),
                               .durable = durable};
        n->octets += octets_of(row);
        return 0;
}

size_t north_waiting(const north *n)
{
        return n->n - n->dead;
}

/* ---- when a session is to be ------------------------------------------------------------------- */

static void arm(north *n)
{
        int64_t due = INT64_MAX;

        if (!n->begun || n->asked)
                return;
        for (size_t i = 0; i < n->n; i++)
                if (!n->v[i].dead && n->v[i].durable && n->v[i].due < due)
                        due = n->v[i].due;
        if (loop_timer_set(n->g->loop, &n->due, (odm_time){due}) < 0)
                log_error("no memory for a timer");
}

static void on_due(void *ctx)
{
        north *n = ctx;

        if (!n->g->host)
                return;
        n->asked = true;
        n->g->host->tell(n->g->host->ctx, ODM_ABSENT);
}

static int64_t wait_of(north *n, uint32_t cls, odm_str mark)
{
        if (cls == NORTH_REPORT ||
            (cls == NORTH_RELAY && (odm_str_ieq(mark, "fatal") || odm_str_ieq(mark, "critical"))))
                return 0;
        return gw_config_int(n->g, "Alerts/BatchWindow", 30) * 1000;
}

/* ---- adding --------------------------------------------------------------------------------------- */

static int delete_row(store_batch *b, int64_t id)
{
        north_row *row = odm_new(store_batch_arena(b), north_row);
        store_op *op = row ? store_batch_add(b, STORE_ROW_DELETE) : NULL;

        if (!op)
                return ODM_ENOMEM;
        row->id = id;
        op->lenient = true;
        op->row = (store_row_op){.table = &gw_table_north, .row = row};
        return 0;
}

static int put_next(north *n, store_batch *b)
{
        store_op *op = store_batch_add(b, STORE_SETTING_PUT);

        if (!op)
                return ODM_ENOMEM;
        op->setting.key = ODM_STR(NEXT_ID);
        op->setting.value =
                odm_arena_fmt(store_batch_arena(b), "%lld", (long long)(n->next + RESERVE));
        if (!op->setting.value.p)
                return ODM_ENOMEM;
        n->reserved = n->next + RESERVE;
        return 0;
}

static entry *oldest_spare(const north *n)
{
        for (size_t i = 0; i < n->n; i++) {
                entry *e = &n->v[i];
                if (!e->dead && !e->told && e->durable && e->cls == NORTH_RELAY)
                        return e;
        }
        return NULL;
}

/* The oldest of those that can be spared go when there are too many, or they are too large. */
static int make_room(north *n, store_batch *b, uint32_t octets)
{
        const uint64_t most = (uint64_t)cfg_int(n->g->conf, "gateway.alerts_size");

        while (north_waiting(n) >= (size_t)cfg_int(n->g->conf, "gateway.alerts") ||
               n->octets + octets > most) {
                entry *e = oldest_spare(n);
                if (!e)
                        return ODM_ELIMIT;
                log_warn("too many alerts wait: the oldest of a device is dropped");
                if (delete_row(b, e->id) < 0)
                        return ODM_ENOMEM;
                bury(n, e);
        }
        return 0;
}

static int put_row(north *n, store_batch *b, const north_row *from)
{
        north_row *row = odm_new(store_batch_arena(b), north_row);
        store_op *op = row ? store_batch_add(b, STORE_ROW_PUT) : NULL;
        int rc;

        (void)n;
        if (!op)
                return ODM_ENOMEM;
        *row = *from;
        op->row = (store_row_op){.table = &gw_table_north, .row = row};
        rc = record_copy(&row_record, row, store_batch_arena(b));
        return rc;
}

static int add(north *n, store_batch *b, uint32_t cls, uint32_t device, const odm_alert *a,
               odm_wall at, int64_t *id)
{
        const north_row row = {.id = n->next,
                               .cls = cls,
                               .device = device,
                               .format = (uint32_t)a->format,
                               .at = at.s,
                               .type = a->type,
                               .source = a->source,
                               .source_name = a->source_name,
                               .target = a->target,
                               .mark = a->mark,
                               .correlator = a->correlator,
                               .data = a->data};
        int rc = a->data.n > DATA_MAX ? ODM_ELIMIT : make_room(n, b, octets_of(&row));

        if (rc == 0 && n->next >= n->reserved)
                rc = put_next(n, b);
        if (rc == 0)
                rc = put_row(n, b, &row);
        if (rc == 0)
                rc = add_entry(n, &row, wait_of(n, cls, a->mark), false);
        if (rc < 0)
                return rc;
        if (id)
                *id = n->next;
        n->next++;
        return 0;
}

int north_event(north *n, store_batch *b, uint32_t device, const odm_alert *a, odm_wall at)
{
        return add(n, b, NORTH_EVENT, device, a, at, NULL);
}

int north_add(gateway *g, store_batch *b, north_class k, const odm_alert *a, odm_wall at,
              int64_t *id)
{
        store_batch *own = NULL;
        int rc;

        if (b)
                return add(g->north, b, k, 0, a, at, id);
        own = store_batch_new();
        rc = own ? add(g->north, own, k, 0, a, at, id) : ODM_ENOMEM;
        if (rc == 0)
                rc = gw_write(g, own);
        store_batch_free(own);
        return rc;
}

int north_request(north *n, const odm_alert *a)
{
        for (size_t i = 0; i < n->n; i++)
                if (!n->v[i].dead && n->v[i].event == REQUEST)
                        return 0;
        return north_add(n->g, NULL, NORTH_REPORT, a, loop_wall(), NULL);
}

bool north_cancel(north *n, store_batch *b, uint32_t device, odm_str type)
{
        enum event what = event_of(type);

        for (size_t i = n->n; i-- > 0;) {
                entry *e = &n->v[i];
                if (e->dead || e->told || e->device != device || e->event != what)
                        continue;
                if (delete_row(b, e->id) < 0)
                        return false;
                bury(n, e);
                return true;
        }
        return false;
}

static const north_row *row_of(const store_op *op)
{
        return op->kind == STORE_ROW_PUT && op->row.table == &gw_table_north ? op->row.row : NULL;
}

void north_written(north *n, const store_batch *b, int rc)
{
        bool any = false;

        for (size_t i = 0; i < b->n; i++) {
                const north_row *row = row_of(b->ops[i]);
                entry *e = row ? find(n, row->id) : NULL;
                if (row && !e) /* cancelled: not for north_again() */
                        ((north_row *)(uintptr_t)row)->id = 0;
                if (!e)
                        continue;
                any = true;
                if (rc == 0)
                        e->durable = true;
                else
                        bury(n, e);
        }
        if (any && rc == 0)
                arm(n);
}

int north_again(north *n, store_batch *b, const store_batch *failed)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < failed->n; i++) {
                const store_op *op = failed->ops[i];
                if (op->kind == STORE_ROW_DELETE && op->row.table == &gw_table_north)
                        rc = delete_row(b, ((const north_row *)op->row.row)->id);
                if (!row_of(op) || row_of(op)->id == 0)
                        continue;
                north_row row = *row_of(op);
                row.id = n->next;
                rc = put_row(n, b, &row);
                if (rc == 0)
                        rc = add_entry(n, &row, 0, false);
                n->next++;
        }
        return rc;
}

/* ---- sessions --------------------------------------------------------------------------------------- */

/* Alerts are for the server of the first account. */
static bool is_owner(const north *n, odm_str server)
{
        odm_account account;
        odm_arena a;
        bool yes;

        odm_arena_init(&a, &heap_mem, 65536);
        yes = odm_account_find(n->g->host->tree, ODM_ABSENT, &a, &account) == 0 &&
              odm_str_eq(account.server_id, server);
        odm_arena_done(&a);
        return yes;
}

static odm_str or_absent(odm_str s)
{
        return s.n ? s : ODM_ABSENT;
}

static int tell_row(north *n, const north_row *row, int (*fn)(void *ctx, const odm_alert *a),
                    void *ctx)
{
        char when[ODM_WALL_TEXT];
        entry *e = find(n, row->id);
        odm_alert a = {.id = (uint64_t)row->id,
                       .code = ODM_ALERT_GENERIC,
                       .source = or_absent(row->source),
                       .source_name = or_absent(row->source_name),
                       .target = or_absent(row->target),
                       .type = or_absent(row->type),
                       .mark = or_absent(row->mark),
                       .correlator = or_absent(row->correlator),
                       .data = row->data.p ? row->data : ODM_STR(""),
                       .format = (odm_format)row->format};
        int rc;

        if (!e || !e->durable || e->told)
                return 0;
        if (!a.source_name.p && row->at > 0 && loop_wall().s - row->at > LATE_S) {
                odm_wall_format((odm_wall){row->at}, when);
                a.source_name = odm_cstr(when);
        }
        rc = fn(ctx, &a);
        if (rc == 0) {
                e->told = true;
                n->told++;
        }
        return rc;
}

/* A page behind `last`, in `a`.  Rows may be large: then it is one. */
static int read_page(north *n, const north_row *last, odm_arena *a, store_rows *rows)
{
        store_scan s = {.table = &gw_table_north, .after = last->id ? last : NULL, .limit = PAGE};
        int rc;

        odm_arena_init(a, &heap_mem, PAGE_BYTES);
        rc = store_row_find(n->g->store, &s, a, rows);
        if (rc != ODM_ELIMIT)
                return rc;
        odm_arena_done(a);
        odm_arena_init(a, &heap_mem, PAGE_BYTES);
        s.limit = 1;
        return store_row_find(n->g->store, &s, a, rows);
}

int north_alerts(north *n, odm_str server, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        north_row last = {.id = 0};
        bool more = n->n > n->dead && is_owner(n, server);
        int rc = 0;

        while (rc == 0 && more) {
                odm_arena a;
                store_rows rows;
                rc = read_page(n, &last, &a, &rows);
                more = rc == 0 && rows.more && rows.n > 0;
                if (more)
                        last.id = ((const north_row *)rows.v)[rows.n - 1].id;
                for (size_t i = 0; rc == 0 && i < rows.n; i++)
                        rc = tell_row(n, (const north_row *)rows.v + i, fn, ctx);
                odm_arena_done(&a);
        }
        return rc;
}

static void say_answered(north *n, int64_t id)
{
        north_row row = {.id = id};
        odm_arena a;

        if (!n->answered)
                return;
        odm_arena_init(&a, &heap_mem, PAGE_BYTES);
        if (store_row_get(n->g->store, &gw_table_north, &row, &a, &row) == 0)
                n->answered(n->ctx, id, row.type, row.source);
        odm_arena_done(&a);
}

void north_alerted(north *n, uint64_t id, unsigned status)
{
        entry *e = find(n, (int64_t)id);

        if (!e || !odm_alert_over(status))
                return;
        if (odm_status_ok(status))
                say_answered(n, (int64_t)id);
        else
                log_warn("the server does not want an alert", log_int("status", status));
        e = find(n, (int64_t)id); /* who heard it may have added some */
        if (e)
                bury(n, e);
        if (!n->over)
                n->over = store_batch_new();
        if (!n->over || delete_row(n->over, (int64_t)id) < 0)
                log_warn("an alert that was answered will be told again after a start");
        else if (n->over->n >= OVER_MAX)
                north_flush(n);
}

void north_flush(north *n)
{
        if (n->over && gw_write_then(n->g, n->over, NULL, NULL) < 0) {
                log_warn("alerts that were answered will be told again after a start");
                store_batch_free(n->over);
        }
        n->over = NULL;
}

static void count(north *n)
{
        gw_counts *c = &n->g->counts;

        c->alerts_gathered += n->told;
        if (n->told > 1) {
                c->sessions_saved += n->told - 1;
                c->bytes_saved += (n->told - 1) * n->least;
        }
}

void north_rest(north *n, bool good)
{
        int64_t later = odm_time_add(loop_now(), AGAIN_MS).ms;

        if (good)
                count(n);
        north_flush(n);
        n->told = 0;
        n->asked = false;
        for (size_t i = 0; i < n->n; i++) {
                if (n->v[i].told || !good) /* sessions that fail are begun again by the agent */
                        n->v[i].due = n->v[i].due > later ? n->v[i].due : later;
                n->v[i].told = false;
        }
        arm(n);
}

void north_begin(north *n)
{
        n->begun = true;
        arm(n);
}

void north_session(north *n, uint64_t octets)
{
        if (octets > 0 && (n->least == 0 || octets < n->least))
                n->least = octets;
}

uint64_t north_least(const north *n)
{
        return n->least;
}

void north_watch(gateway *g, void (*answered)(void *ctx, int64_t id, odm_str type, odm_str source),
                 void *ctx)
{
        g->north->answered = answered;
        g->north->ctx = ctx;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static int load_next(north *n)
{
        odm_arena a;
        odm_str text;
        uint64_t next = 1;
        int rc;

        odm_arena_init(&a, &heap_mem, 4096);
        rc = store_setting_get(n->g->store, ODM_STR(NEXT_ID), &a, &text);
        if (rc == 0)
                rc = odm_str_u64(text, INT64_MAX / 2, &next);
        odm_arena_done(&a);
        n->next = n->reserved = (int64_t)next;
        return rc == ODM_ENOENT ? 0 : rc;
}

static int load_row(north *n, const north_row *row)
{
        if (row->id >= n->next)
                n->next = n->reserved = row->id + 1;
        return add_entry(n, row, 0, true);
}

static int load_rows(north *n)
{
        north_row last = {.id = 0};
        bool more = true;
        int rc = 0;

        while (rc == 0 && more) {
                odm_arena a;
                store_rows rows;
                rc = read_page(n, &last, &a, &rows);
                for (size_t i = 0; rc == 0 && i < rows.n; i++)
                        rc = load_row(n, (const north_row *)rows.v + i);
                more = rc == 0 && rows.more && rows.n > 0;
                if (more)
                        last.id = ((const north_row *)rows.v)[rows.n - 1].id;
                odm_arena_done(&a);
        }
        return rc;
}

int north_open(gateway *g, north **out, diag *d)
{
        north *n = calloc(1, sizeof *n);
        int rc;

        if (!n)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        n->g = g;
        n->due = (loop_timer){.fn = on_due, .ctx = n};
        rc = load_next(n);
        if (rc == 0)
                rc = load_rows(n);
        if (rc < 0) {
                north_close(n);
                return diag_set(d, rc, "the alerts that wait: %s", odm_err_text(rc));
        }
        *out = n;
        return 0;
}

void north_close(north *n)
{
        if (!n)
                return;
        loop_timer_stop(&n->due);
        store_batch_free(n->over);
        free(n->v);
        free(n);
}
