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

#define PAGE 100
#define PAGE_BYTES ((size_t)64 << 20)
#define LATE_S 60      /* an alert that leaves later than this says when it was */
#define AGAIN_MS 60000 /* one that the server did not want now */
#define OVER_MAX 500   /* answered ones that are deleted at once */
#define DATA_MAX ((size_t)16 << 20)
#define OF_ONE 200    /* of one device wait; then its oldest go */
#define TELL_MOST 900 /* in a session, which others need as well */
#define TELL_OCTETS ((size_t)16 << 20)
#define LARGE ((size_t)1 << 20) /* has a session to itself */
#define PASSED_MOST 4           /* sessions of others in a row, before one of those */
#define TRIES_IN_TURN 3         /* of a large one; then those behind it do not wait for it */
#define ID_SLOTS 8192           /* powers of two */
#define LANE_SLOTS 4096

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

typedef struct lane lane;

typedef struct entry {
        struct entry *next, *prev;     /* all, in the order of ids */
        struct entry *later, *earlier; /* of its lane */
        struct entry *chain;           /* of its slot */
        lane *lane;
        int64_t id, due; /* due: of the loop's clock */
        uint32_t octets; /* of the row */
        uint8_t cls, event;
        uint8_t tries; /* of a large one, that came to nothing */
        bool urgent;   /* does not wait for BatchWindow */
        bool durable, told;
} entry;

struct lane {                      /* what waits of one device; of 0 the gateway's own */
        lane *next, *prev, *chain; /* next: whose turn it is after it */
        uint32_t device;
        size_t n, urgent;
        uint64_t octets;
        entry *first, *last;
        entry *at; /* in a session that is filled: the next one */
        bool served;
};

struct north {
        gateway *g;
        entry *first, *last, *slot[ID_SLOTS];
        lane *turn, *turn_last, *lane_slot[LANE_SLOTS];
        size_t n, n_lanes;
        uint64_t octets; /* of all rows */
        loop_timer due;
        int64_t soonest; /* none is due before */
        bool begun, asked;
        size_t told;       /* in the session that is open, */
        uint64_t weight;   /* and their octets */
        unsigned passed;   /* sessions in a row in which a large one had to wait */
        bool waits;        /* one has, in the session that is open */
        int64_t barrier;   /* events behind this one wait for it */
        store_batch *over; /* rows that were answered, to be deleted */
        uint64_t least;    /* octets of the smallest session so far */
        void (*answered)(void *ctx, int64_t id, odm_str type, odm_str source);
        void *ctx;
};

/* ---- lanes -------------------------------------------------------------------------------------- */

static lane **lane_at(north *n, uint32_t device)
{
        lane **at = &n->lane_slot[device & (LANE_SLOTS - 1)];

        while (*at && (*at)->device != device)
                at = &(*at)->chain;
        return at;
}

static void put_turn(north *n, lane *l)
{
        l->next = NULL;
        l->prev = n->turn_last;
        *(n->turn_last ? &n->turn_last->next : &n->turn) = l;
        n->turn_last = l;
}

static void take_turn(north *n, lane *l)
{
        *(l->prev ? &l->prev->next : &n->turn) = l->next;
        *(l->next ? &l->next->prev : &n->turn_last) = l->prev;
}

static lane *lane_of(north *n, uint32_t device)
{
        lane **at = lane_at(n, device);

        if (*at)
                return *at;
        lane *l = calloc(1, sizeof *l);
        if (!l)
                return NULL;
        l->device = device;
        put_turn(n, l);
        n->n_lanes++;
        return *at = l;
}

static void drop_lane(north *n, lane *l)
{
        take_turn(n, l);
        *lane_at(n, l->device) = l->chain;
        n->n_lanes--;
        free(l);
}

/* ---- entries ------------------------------------------------------------------------------------ */

static enum event event_of(odm_str type)
{
        return odm_str_is(type, ODM_INV_ATTACHED_ALERT)   ? ATTACH
               : odm_str_is(type, ODM_INV_DETACHED_ALERT) ? DETACH
               : odm_str_is(type, ODM_INV_STATE_ALERT)    ? STATE
               : odm_str_is(type, ODM_INV_REQUEST_ALERT)  ? REQUEST
                                                          : OTHER;
}

static bool is_urgent(uint32_t cls, odm_str mark)
{
        return cls == NORTH_REPORT || cls == NORTH_FINAL ||
               (cls == NORTH_RELAY && north_is_grave(mark));
}

static entry **slot_of(north *n, int64_t id)
{
        entry **at = &n->slot[id & (ID_SLOTS - 1)];

        while (*at && (*at)->id != id)
                at = &(*at)->chain;
        return at;
}

static entry *find(north *n, int64_t id)
{
        return *slot_of(n, id);
}

/* Forgets it; its lane goes with the last one. */
static void bury(north *n, entry *e)
{
        lane *l = e->lane;

        *slot_of(n, e->id) = e->chain;
        *(e->prev ? &e->prev->next : &n->first) = e->next;
        *(e->next ? &e->next->prev : &n->last) = e->prev;
        *(e->earlier ? &e->earlier->later : &l->first) = e->later;
        *(e->later ? &e->later->earlier : &l->last) = e->earlier;
        if (l->at == e)
                l->at = e->later;
        l->urgent -= e->urgent;
        l->octets -= e->octets;
        n->octets -= e->octets;
        n->n--;
        if (--l->n == 0)
                drop_lane(n, l);
        free(e);
}

/* What it takes on the disk, about. */
static uint32_t octets_of(const north_row *row)
{
        return (uint32_t)(100 + row->type.n + row->source.n + row->source_name.n + row->target.n +
                          row->mark.n + row->correlator.n + row->data.n);
}

static int add_entry(north *n, const north_row *row, int64_t wait_ms, bool durable)
{
        entry *e = calloc(1, sizeof *e);
        lane *l = e ? lane_of(n, row->device) : NULL;

        if (!l) {
                free(e);
                return ODM_ENOMEM;
        }
        assert(!n->last || n->last->id < row->id);
        *e = (entry){.prev = n->last,
                     .earlier = l->last,
                     .chain = n->slot[row->id & (ID_SLOTS - 1)],
                     .lane = l,
                     .id = row->id,
                     .due = odm_time_add(loop_now(), wait_ms).ms,
                     .cls = (uint8_t)row->cls,
                     .octets = octets_of(row),
                     .event = (uint8_t)event_of(row->type),
                     .urgent = is_urgent(row->cls, row->mark),
                     .durable = durable};
        *(n->last ? &n->last->next : &n->first) = e;
        *(l->last ? &l->last->later : &l->first) = e;
        n->last = l->last = e;
        n->slot[e->id & (ID_SLOTS - 1)] = e;
        l->urgent += e->urgent;
        l->octets += e->octets;
        n->octets += e->octets;
        l->n++;
        n->n++;
        return 0;
}

bool north_waits(const gateway *g, int64_t id)
{
        return find(g->north, id) != NULL;
}

size_t north_waiting(const north *n)
{
        return n->n;
}

/* ---- when a session is to be ------------------------------------------------------------------- */

static void arm(north *n)
{
        if (n->begun && !n->asked &&
            loop_timer_set(n->g->loop, &n->due, (odm_time){n->soonest}) < 0)
                log_error("no memory for a timer");
}

/* One is durable, or is to be told again. */
static void expect(north *n, const entry *e)
{
        if (e->durable && e->due < n->soonest)
                n->soonest = e->due;
}

/* The soonest may have been taken back since. */
static void look(north *n)
{
        n->soonest = INT64_MAX;
        for (const entry *e = n->first; e; e = e->next)
                expect(n, e);
}

static void on_due(void *ctx)
{
        north *n = ctx;

        if (!n->g->host)
                return;
        look(n);
        if (n->soonest > loop_now().ms) {
                arm(n);
                return;
        }
        n->asked = true;
        n->g->host->tell(n->g->host->ctx, ODM_ABSENT);
}

bool north_is_grave(odm_str mark)
{
        return odm_str_ieq(mark, "fatal") || odm_str_ieq(mark, "critical");
}

static int64_t wait_of(north *n, uint32_t cls, odm_str mark)
{
        if (cls == NORTH_FINAL)
                return gw_config_int(n->g, "Alerts/ResultWindow", 1) * 1000;
        if (is_urgent(cls, mark))
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

/* The oldest of a lane that can be spared; NULL: none. */
static entry *spare(const lane *l, bool finals)
{
        for (entry *e = l->first; e; e = e->later)
                if (!e->told && e->durable &&
                    (e->cls == NORTH_RELAY || (finals && e->cls == NORTH_FINAL)))
                        return e;
        return NULL;
}

static int drop_one(north *n, store_batch *b, entry *e, const char *why)
{
        log_warn(why, log_int("device", e->lane->device));
        if (delete_row(b, e->id) < 0)
                return ODM_ENOMEM;
        bury(n, e);
        return 0;
}

/* The lane that has most, by number or by octets, and something that can be spared. */
static lane *greatest(const north *n, bool by_octets)
{
        lane *most = NULL;

        for (lane *l = n->turn; l; l = l->next)
                if ((!most || (by_octets ? l->octets > most->octets : l->n > most->n)) &&
                    spare(l, false))
                        most = l;
        return most;
}

/* A device that has told too much loses the oldest of what it told; when all of them together are
 * too much, that which told most. */
static int make_room(north *n, store_batch *b, uint32_t device, uint32_t octets)
{
        const uint64_t most = (uint64_t)cfg_int(n->g->conf, "gateway.alerts_size");
        lane *own = device ? *lane_at(n, device) : NULL;
        entry *e = own && own->n >= OF_ONE ? spare(own, true) : NULL;
        int rc = e ? drop_one(n, b, e,
                              "a device tells more than is kept of it: its oldest "
                              "alert is dropped")
                   : 0;

        while (rc == 0) {
                bool large = n->octets + octets > most;
                lane *l;
                if (!large && n->n < (size_t)cfg_int(n->g->conf, "gateway.alerts"))
                        return 0;
                l = greatest(n, large);
                rc = l ? drop_one(n, b, spare(l, false),
                                  "too many alerts wait: the oldest of the device that told most "
                                  "is dropped")
                       : ODM_ELIMIT;
        }
        return rc;
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
        north_row row = {.cls = cls,
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
        int rc = a->data.n > DATA_MAX ? ODM_ELIMIT : make_room(n, b, device, octets_of(&row));

        if (rc == 0)
                rc = marks_next(n->g->marks, MARKS_ALERT, &row.id);
        if (rc == 0)
                rc = put_row(n, b, &row);
        if (rc == 0)
                rc = add_entry(n, &row, wait_of(n, cls, a->mark), false);
        if (rc < 0)
                return rc;
        if (id)
                *id = row.id;
        return 0;
}

int north_event(north *n, store_batch *b, uint32_t device, const odm_alert *a, odm_wall at)
{
        return add(n, b, NORTH_EVENT, device, a, at, NULL);
}

static int add_now(north *n, uint32_t cls, uint32_t device, const odm_alert *a, odm_wall at,
                   int64_t *id)
{
        store_batch *b = store_batch_new();
        int rc = b ? add(n, b, cls, device, a, at, id) : ODM_ENOMEM;

        if (rc == 0)
                rc = gw_write(n->g, b);
        store_batch_free(b);
        return rc;
}

int north_relay(north *n, uint32_t device, north_class k, const odm_alert *a, odm_wall at)
{
        return add_now(n, k, device, a, at, NULL);
}

int north_add(gateway *g, store_batch *b, north_class k, const odm_alert *a, odm_wall at,
              int64_t *id)
{
        return b ? add(g->north, b, k, 0, a, at, id) : add_now(g->north, k, 0, a, at, id);
}

/* Whether the alert that waits says the same, whenever it was. */
static bool is_same(const north *n, const entry *e, const odm_alert *a)
{
        north_row row = {.id = e->id};
        odm_arena arena;
        bool same;

        odm_arena_init(&arena, &heap_mem, PAGE_BYTES);
        same = store_row_get(n->g->store, &gw_table_north, &row, &arena, &row) == 0 &&
               odm_str_eq(row.source, a->source) && odm_str_eq(row.data, a->data);
        odm_arena_done(&arena);
        return same;
}

int north_request(north *n, const odm_alert *a)
{
        const lane *own = *lane_at(n, 0);

        for (const entry *e = own ? own->first : NULL; e; e = e->later)
                if (e->event == REQUEST && is_same(n, e, a))
                        return 0;
        return north_add(n->g, NULL, NORTH_REPORT, a, loop_wall(), NULL);
}

/* The latest one of the type that no session has told; NULL: none. */
static entry *untold(north *n, uint32_t device, odm_str type)
{
        enum event what = event_of(type);
        const lane *l = *lane_at(n, device);
        entry *e = l ? l->last : NULL;

        while (e && (e->told || e->event != what))
                e = e->earlier;
        return e;
}

bool north_cancel(north *n, store_batch *b, uint32_t device, odm_str type)
{
        entry *e = untold(n, device, type);

        if (!e || delete_row(b, e->id) < 0)
                return false;
        bury(n, e);
        return true;
}

bool north_holds(north *n, uint32_t device, odm_str type)
{
        return untold(n, device, type) != NULL;
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
                if (rc == 0) {
                        e->durable = true;
                        expect(n, e);
                } else {
                        bury(n, e);
                }
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
                rc = marks_next(n->g->marks, MARKS_ALERT, &row.id);
                if (rc == 0)
                        rc = put_row(n, b, &row);
                if (rc == 0)
                        rc = add_entry(n, &row, 0, false);
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

static int tell_row(north *n, entry *e, const north_row *row,
                    int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        char when[ODM_WALL_TEXT];
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

        if (!a.source_name.p && row->at > 0 && loop_wall().s - row->at > LATE_S) {
                odm_wall_format((odm_wall){row->at}, when);
                a.source_name = odm_cstr(when);
        }
        rc = fn(ctx, &a);
        if (rc == 0) {
                e->told = e->lane->served = true;
                n->told++;
                n->weight += e->octets;
        }
        return rc;
}

static int tell_entry(north *n, entry *e, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        north_row row = {.id = e->id};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, PAGE_BYTES);
        rc = store_row_get(n->g->store, &gw_table_north, &row, &a, &row);
        if (rc == 0)
                rc = tell_row(n, e, &row, fn, ctx);
        odm_arena_done(&a);
        return rc == ODM_ENOENT ? 0 : rc; /* answered, and not yet gone from memory */
}

/* What takes long to tell may be what a session fails of: it goes alone, so that the others do
 * not wait for it, nor after some tries those behind it in its lane. */
static bool is_large(const entry *e)
{
        return e->octets > LARGE;
}

/* The next of a lane that can be told now; its turn is over then. */
static entry *next_of(north *n, lane *l)
{
        entry *e = l->at;

        while (e && (!e->durable || e->told || is_large(e))) {
                bool waits = is_large(e) && e->durable && !e->told;
                n->waits |= waits;
                e = waits && e->tries < TRIES_IN_TURN ? NULL : e->later;
        }
        if (e && e->cls == NORTH_EVENT && e->id > n->barrier)
                e = NULL;
        l->at = e ? e->later : NULL;
        return e;
}

static bool is_full(const north *n)
{
        return n->told >= TELL_MOST || n->weight >= TELL_OCTETS;
}

/* The first large one, of the lanes in their turn, that is due and has none to wait for. */
static entry *large_of(lane **v, size_t k)
{
        int64_t now = loop_now().ms;

        for (size_t i = 0; i < k; i++)
                for (entry *e = v[i]->first; e; e = e->later) {
                        if (!e->durable || e->told)
                                continue;
                        if (is_large(e) && e->due <= now)
                                return e;
                        if (!is_large(e) || e->tries < TRIES_IN_TURN)
                                break;
                }
        return NULL;
}

/* Lanes in their turn: the gateway's own, those with something urgent, the others. */
static size_t line_up(north *n, lane **v)
{
        size_t k = 0;

        for (int pass = 0; pass < 3; pass++)
                for (lane *l = n->turn; l; l = l->next)
                        if (l->device != NORTH_MANY && pass == (l->device == 0 ? 0
                                                                : l->urgent    ? 1
                                                                               : 2)) {
                                l->at = l->first;
                                v[k++] = l;
                        }
        return k;
}

/* One of each lane, round after round, so that who tells much holds back nobody; the gateway's own
 * are told first. */
static int tell_lanes(north *n, lane **v, size_t k, int (*fn)(void *ctx, const odm_alert *a),
                      void *ctx)
{
        int rc = 0;

        while (k > 0 && rc == 0) {
                size_t left = 0;
                for (size_t i = 0; i < k && rc == 0; i++) {
                        entry *e = next_of(n, v[i]);
                        while (e && rc == 0 && !is_full(n)) {
                                rc = tell_entry(n, e, fn, ctx);
                                e = v[i]->device == 0 ? next_of(n, v[i]) : NULL;
                        }
                        if (v[i]->at)
                                v[left++] = v[i];
                }
                k = is_full(n) ? 0 : left;
        }
        return rc;
}

static void put_off(entry *e, int64_t until)
{
        e->due = e->due > until ? e->due : until;
        if (e->tries < UINT8_MAX)
                e->tries++;
}

static int tell_large(north *n, entry *e, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        int rc = tell_entry(n, e, fn, ctx);

        n->passed = 0;
        if (rc < 0)
                put_off(e, odm_time_add(loop_now(), AGAIN_MS).ms);
        return rc;
}

/* The next event of many devices that was not told. */
static entry *many_of(north *n)
{
        const lane *l = *lane_at(n, NORTH_MANY);
        entry *e = l ? l->first : NULL;

        while (e && (!e->durable || e->told))
                e = e->later;
        return e;
}

/* All but large ones: up to the next event of many, that, and so on. */
static int tell_others(north *n, lane **v, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        entry *many;
        int rc;

        do {
                many = many_of(n);
                n->barrier = many ? many->id : INT64_MAX;
                rc = tell_lanes(n, v, line_up(n, v), fn, ctx);
                if (rc == 0 && many && !is_full(n))
                        rc = tell_entry(n, many, fn, ctx);
        } while (rc == 0 && many && many->told && !is_full(n));
        return rc;
}

/* Either a large one, or the others. */
static int tell_turn(north *n, lane **v, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        entry *e = n->passed >= PASSED_MOST ? large_of(v, line_up(n, v)) : NULL;
        int rc = e ? 0 : tell_others(n, v, fn, ctx);

        if (!e && rc == 0 && n->told == 0)
                e = large_of(v, line_up(n, v));
        return e ? tell_large(n, e, fn, ctx) : rc;
}

int north_alerts(north *n, odm_str server, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        lane **v;
        int rc;

        if (n->n == 0 || !is_owner(n, server))
                return 0;
        v = calloc(n->n_lanes, sizeof *v);
        if (!v)
                return ODM_ENOMEM;
        rc = tell_turn(n, v, fn, ctx);
        free(v);
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

typedef struct gone { /* in the batch's arena */
        marks *m;
        size_t upto;
} gone;

static void on_gone(void *ctx, store_batch *b, int rc)
{
        const gone *v = ctx;

        (void)b;
        if (rc == 0)
                marks_gone(v->m, v->upto);
}

/* Marked first: a copy of the store may bring the rows back. */
static void *mark_over(north *n)
{
        gone *v = odm_new(store_batch_arena(n->over), gone);
        int64_t id[OVER_MAX];
        size_t k = 0;

        for (size_t i = 0; i < n->over->n && k < OVER_MAX; i++)
                id[k++] = ((const north_row *)n->over->ops[i]->row.row)->id;
        if (v)
                v->m = n->g->marks;
        marks_answered(n->g->marks, id, k, v ? &v->upto : &k);
        return v;
}

void north_flush(north *n)
{
        void *v = n->over ? mark_over(n) : NULL;

        if (n->over && gw_write_then(n->g, n->over, v ? on_gone : NULL, v) < 0) {
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

/* Who was heard in this session is behind the others in the next. */
static void give_turns(north *n)
{
        lane *last = n->turn_last, *next;

        for (lane *l = n->turn; l; l = next) {
                next = l == last ? NULL : l->next;
                if (l->served) {
                        take_turn(n, l);
                        put_turn(n, l);
                }
                l->served = false;
        }
}

void north_rest(north *n, bool good)
{
        int64_t later = odm_time_add(loop_now(), AGAIN_MS).ms;

        if (good)
                count(n);
        north_flush(n);
        n->told = 0;
        n->weight = 0;
        n->passed += n->waits;
        n->waits = n->asked = false;
        for (entry *e = n->first; e; e = e->next) {
                if (e->told || !good) /* sessions that fail are begun again by the agent */
                        e->due = e->due > later ? e->due : later;
                if (e->told && !good)
                        put_off(e, later);
                e->told = false;
        }
        give_turns(n);
        look(n);
        arm(n);
}

void north_begin(north *n)
{
        n->begun = true;
        look(n);
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

static int load_row(north *n, const north_row *row)
{
        marks_floor(n->g->marks, MARKS_ALERT, row->id + 1);
        if (!marks_is_answered(n->g->marks, row->id))
                return add_entry(n, row, 0, true);
        if (!n->over) /* the store is a copy of before */
                n->over = store_batch_new();
        return n->over ? delete_row(n->over, row->id) : ODM_ENOMEM;
}

/* A page behind `last`.  Rows may be large: then they are fewer. */
static int load_page(north *n, north_row *last, uint32_t most, bool *more)
{
        const store_scan s = {
                .table = &gw_table_north, .after = last->id ? last : NULL, .limit = most};
        store_rows rows;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, PAGE_BYTES);
        rc = store_row_find(n->g->store, &s, &a, &rows);
        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                const north_row *row = (const north_row *)rows.v + i;
                rc = load_row(n, row);
                last->id = row->id;
        }
        if (rc == 0)
                *more = rows.more && rows.n > 0;
        odm_arena_done(&a);
        return rc;
}

static int load_rows(north *n)
{
        north_row last = {.id = 0};
        bool more = true;
        int rc = 0;

        while (rc == 0 && more) {
                rc = load_page(n, &last, PAGE, &more);
                if (rc == ODM_ELIMIT)
                        rc = load_page(n, &last, 1, &more);
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
        n->soonest = INT64_MAX;
        rc = load_rows(n);
        if (rc == 0 && n->over)
                rc = gw_write(g, n->over);
        store_batch_free(n->over);
        n->over = NULL;
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
        while (n->first)
                bury(n, n->first);
        free(n);
}
