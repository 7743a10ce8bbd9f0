/* SPDX-License-Identifier: Apache-2.0 */
/* bench-rows - rows of the store's tables beside the same work done by hand in SQLite: the same
 * tables and indexes, a statement each, bound and stepped, in transactions of as many rows.
 *
 * The parties take turns; both are durable (WAL, synchronous=FULL) and read by a second connection.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "table.h"

#define BATCH 1000 /* rows */
#define WAYS 8     /* batches under way; a transaction by hand is as large */
#define TURNS 10   /* in which a kind of work is done */
#define PAGES 200
#define ROWS 1000000
#define PAGE 100

/* ---- two tables: a narrow one without index, one with two ---------------------------- */

typedef struct sample {
        int64_t device, metric, at;
        double value;
        uint32_t count;
} sample;
static const field sample_fields[] = {
        STORE_FIELD_OF(sample, device, I64), STORE_FIELD_OF(sample, metric, I64),
        STORE_FIELD_OF(sample, at, I64), STORE_FIELD_OF(sample, value, F64),
        STORE_FIELD_OF(sample, count, U32)};
static const record record_sample = STORE_RECORD_OF(sample, sample_fields);
static const store_table table_sample = {.name = "sample", .rec = &record_sample, .n_key = 3};

typedef struct member {
        int64_t of, device;
        uint32_t state, tries;
        int64_t at;
        odm_str reason;
} member;
enum { M_STATE = 2, M_TRIES, M_AT, M_REASON };
static const field member_fields[] = {
        STORE_FIELD_OF(member, of, I64),    STORE_FIELD_OF(member, device, I64),
        STORE_FIELD_OF(member, state, U32), STORE_FIELD_OF(member, tries, U32),
        STORE_FIELD_OF(member, at, I64),    STORE_FIELD_OF(member, reason, STR)};
static const record record_member = STORE_RECORD_OF(member, member_fields);
static const store_index member_index[] = {{.name = "state", .fields = {0, M_STATE}, .n = 2},
                                           {.name = "at", .fields = {M_AT}, .n = 1}};
static const store_table table_member = {
        .name = "member", .rec = &record_member, .n_key = 2, .index = member_index, .n_index = 2};
static const store_table *const tables[] = {&table_sample, &table_member};

/* Row i of either, in an order in which devices come in turn, as they do. */
static sample sample_of(int64_t i)
{
        return (sample){.device = 1 + i % 5000,
                        .metric = 1 + i / 5000 % 4,
                        .at = 1700000000000 + i / 20000 * 60000,
                        .value = (double)(i % 997) / 10,
                        .count = 1};
}

static member member_of(int64_t i)
{
        return (member){.of = 1 + i % 3,
                        .device = (i * 7919) % 100000007,
                        .state = (uint32_t)(i % 5),
                        .at = 1700000000000 + i % 86400000,
                        .reason = ODM_STR("waits for its window")};
}

enum work { ADD_SAMPLE, ADD_MEMBER, PLUS_MEMBER, PUT_SAMPLE, WORKS };
static const char *const work_names[WORKS] = {"narrow rows added", "rows with two indexes added",
                                              "rows patched by plus", "narrow rows put"};

static double now_s(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- through the store -------------------------------------------------------------- */

typedef struct flight {
        pthread_mutex_t lock;
        pthread_cond_t cond;
        unsigned n;
} flight;

static void landed(void *ctx, store_batch *b, int rc)
{
        flight *f = ctx;

        (void)b;
        bench_must(rc == 0, "a batch is written");
        pthread_mutex_lock(&f->lock);
        f->n--;
        pthread_cond_signal(&f->cond);
        pthread_mutex_unlock(&f->lock);
}

static void wait_below(flight *f, unsigned n)
{
        pthread_mutex_lock(&f->lock);
        while (f->n > n)
                pthread_cond_wait(&f->cond, &f->lock);
        pthread_mutex_unlock(&f->lock);
}

static void fill_op(store_batch *b, enum work w, int64_t i)
{
        static const store_op_kind kinds[WORKS] = {STORE_ROW_ADD, STORE_ROW_ADD, STORE_ROW_PATCH,
                                                   STORE_ROW_PUT};
        store_op *op = store_batch_add(b, kinds[w]);
        bool narrow = w == ADD_SAMPLE || w == PUT_SAMPLE;
        void *row = odm_arena_get(store_batch_arena(b), narrow ? sizeof(sample) : sizeof(member));

        bench_must(op && row, "memory for a row");
        if (narrow)
                *(sample *)row = sample_of(i);
        else
                *(member *)row = member_of(i);
        op->row = (store_row_op){.table = narrow ? &table_sample : &table_member, .row = row};
        if (w == PLUS_MEMBER) {
                ((member *)row)->tries = 1;
                op->row.fields = op->row.plus = STORE_FIELD(M_TRIES);
        }
}

static void by_store(store *st, enum work w, int64_t first, int64_t n)
{
        flight f = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

        for (int64_t i = 0; i < n;) {
                store_batch *b = store_batch_new();
                bench_must(b != NULL, "memory for a batch");
                for (int k = 0; k < BATCH && i < n; k++, i++)
                        fill_op(b, w, first + i);
                wait_below(&f, 2 * WAYS - 1);
                pthread_mutex_lock(&f.lock);
                f.n++;
                pthread_mutex_unlock(&f.lock);
                bench_must(store_write(st, b, landed, &f) == 0, "a batch is taken");
        }
        wait_below(&f, 0);
}

static double page_by_store(store *st, bool by_index, int64_t n, unsigned i)
{
        member after = member_of((int64_t)i * 104729 % n);
        const store_scan s = {.table = &table_member,
                              .index = by_index ? 1 : 0,
                              .same = by_index ? 2 : 1,
                              .at = &after,
                              .after = &after,
                              .limit = PAGE};
        odm_arena a;
        store_rows r;
        double began = now_s();

        odm_arena_init(&a, &bench_heap, 1 << 20);
        bench_must(store_row_find(st, &s, &a, &r) == 0, "a page is read");
        odm_arena_done(&a);
        return (now_s() - began) * 1e3;
}

/* ---- by hand ------------------------------------------------------------------------- */

typedef struct hand {
        sqlite3 *w, *r;
        sqlite3_stmt *work[WORKS], *by_key, *by_state;
} hand;

static void run(sqlite3 *db, const char *sql)
{
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
                fprintf(stderr, "bench-rows: %s\n", sqlite3_errmsg(db));
                exit(1);
        }
}

static sqlite3_stmt *ready(sqlite3 *db, const char *sql)
{
        sqlite3_stmt *st = NULL;

        if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK) {
                fprintf(stderr, "bench-rows: %s\n", sqlite3_errmsg(db));
                exit(1);
        }
        return st;
}

static void hand_open(hand *h, const char *file)
{
        bench_must(sqlite3_open_v2(file, &h->w,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                   NULL) == SQLITE_OK,
                   "a file is made");
        run(h->w, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
                  "PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000;"
                  "CREATE TABLE sample (device INTEGER NOT NULL, metric INTEGER NOT NULL,"
                  " at INTEGER NOT NULL, value REAL NOT NULL, count INTEGER NOT NULL,"
                  " PRIMARY KEY (device, metric, at)) WITHOUT ROWID;"
                  "CREATE TABLE member (\"of\" INTEGER NOT NULL, device INTEGER NOT NULL,"
                  " state INTEGER NOT NULL, tries INTEGER NOT NULL, at INTEGER NOT NULL,"
                  " reason TEXT, PRIMARY KEY (\"of\", device)) WITHOUT ROWID;"
                  "CREATE INDEX member_state ON member (\"of\", state);"
                  "CREATE INDEX member_at ON member (at)");
        bench_must(sqlite3_open_v2(file, &h->r, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) ==
                           SQLITE_OK,
                   "a reader");
        h->work[ADD_SAMPLE] = ready(h->w, "INSERT INTO sample VALUES(?,?,?,?,?)");
        h->work[ADD_MEMBER] = ready(h->w, "INSERT INTO member VALUES(?,?,?,?,?,?)");
        h->work[PLUS_MEMBER] = ready(h->w, "UPDATE member SET tries = tries + ?3"
                                           " WHERE \"of\" = ?1 AND device = ?2");
        h->work[PUT_SAMPLE] = ready(h->w, "INSERT INTO sample VALUES(?,?,?,?,?)"
                                          " ON CONFLICT(device, metric, at) DO UPDATE SET"
                                          " value = excluded.value, count = excluded.count");
        h->by_key = ready(h->r, "SELECT * FROM member WHERE \"of\" = ? AND device > ?"
                                " ORDER BY device LIMIT 101");
        h->by_state = ready(h->r, "SELECT * FROM member INDEXED BY member_state WHERE \"of\" = ?"
                                  " AND state = ? AND device > ? ORDER BY device LIMIT 101");
}

static void bind_sample(sqlite3_stmt *st, int64_t i)
{
        sample s = sample_of(i);

        sqlite3_bind_int64(st, 1, s.device);
        sqlite3_bind_int64(st, 2, s.metric);
        sqlite3_bind_int64(st, 3, s.at);
        sqlite3_bind_double(st, 4, s.value);
        sqlite3_bind_int64(st, 5, s.count);
}

static void bind_member(sqlite3_stmt *st, int64_t i, bool plus)
{
        member m = member_of(i);

        sqlite3_bind_int64(st, 1, m.of);
        sqlite3_bind_int64(st, 2, m.device);
        sqlite3_bind_int64(st, 3, plus ? 1 : m.state);
        if (plus)
                return;
        sqlite3_bind_int64(st, 4, m.tries);
        sqlite3_bind_int64(st, 5, m.at);
        sqlite3_bind_text(st, 6, m.reason.p, (int)m.reason.n, SQLITE_STATIC);
}

static void by_hand(hand *h, enum work w, int64_t first, int64_t n)
{
        sqlite3_stmt *st = h->work[w];

        for (int64_t i = 0; i < n; i++) {
                if (i % (BATCH * WAYS) == 0)
                        run(h->w, i ? "COMMIT; BEGIN IMMEDIATE" : "BEGIN IMMEDIATE");
                if (w == ADD_SAMPLE || w == PUT_SAMPLE)
                        bind_sample(st, first + i);
                else
                        bind_member(st, first + i, w == PLUS_MEMBER);
                bench_must(sqlite3_step(st) == SQLITE_DONE, "a row is written");
                sqlite3_reset(st);
        }
        run(h->w, "COMMIT");
}

static double page_by_hand(hand *h, bool by_index, int64_t n, unsigned i)
{
        member after = member_of((int64_t)i * 104729 % n);
        sqlite3_stmt *st = by_index ? h->by_state : h->by_key;
        double began = now_s();
        int p = 1;

        sqlite3_bind_int64(st, p++, after.of);
        if (by_index)
                sqlite3_bind_int64(st, p++, after.state);
        sqlite3_bind_int64(st, p, after.device);
        while (sqlite3_step(st) == SQLITE_ROW) {
                for (int k = 0; k < 5; k++) /* each column is looked at */
                        (void)sqlite3_column_int64(st, k);
                bench_must(sqlite3_column_text(st, 5) != NULL, "a text");
        }
        sqlite3_reset(st);
        return (now_s() - began) * 1e3;
}

static void hand_close(hand *h)
{
        for (int w = 0; w < WORKS; w++)
                sqlite3_finalize(h->work[w]);
        sqlite3_finalize(h->by_key);
        sqlite3_finalize(h->by_state);
        sqlite3_close(h->r);
        sqlite3_close(h->w);
}

/* ---- both in turn ---------------------------------------------------------------------- */

typedef struct rate {
        double by_clock[TURNS], by_cpu[TURNS]; /* rows a second */
} rate;

static void begin_turn(double *clock, double *cpu)
{
        *clock = now_s();
        *cpu = bench_now_us();
}

static void end_turn(rate *r, int t, int64_t rows, double clock, double cpu)
{
        r->by_clock[t] = (double)rows / (now_s() - clock);
        r->by_cpu[t] = (double)rows * 1e6 / (bench_now_us() - cpu);
}

static void work_of(store *st, hand *h, enum work w, int64_t n, bool json)
{
        rate ours, theirs;
        int64_t part = n / TURNS;

        for (int t = 0; t < TURNS; t++) {
                double clock, cpu;
                begin_turn(&clock, &cpu);
                by_store(st, w, t * part, part);
                end_turn(&ours, t, part, clock, cpu);
                begin_turn(&clock, &cpu);
                by_hand(h, w, t * part, part);
                end_turn(&theirs, t, part, clock, cpu);
        }
        bench_row(json);
        printf(json ? "{\"what\": \"%s\", \"store_per_second\": %.0f, \"hand_per_second\": %.0f, "
                      "\"store_per_cpu_second\": %.0f, \"hand_per_cpu_second\": %.0f}"
                    : "%-28s %8.0f %8.0f    %8.0f %8.0f\n",
               work_names[w], bench_median(ours.by_clock, TURNS),
               bench_median(theirs.by_clock, TURNS), bench_median(ours.by_cpu, TURNS),
               bench_median(theirs.by_cpu, TURNS));
}

static void pages_of(store *st, hand *h, bool by_index, int64_t n, bool json)
{
        double ours[PAGES], theirs[PAGES], most = 0;

        for (unsigned i = 0; i < PAGES; i++) {
                ours[i] = page_by_store(st, by_index, n, i);
                theirs[i] = page_by_hand(h, by_index, n, i);
                most = ours[i] > most ? ours[i] : most;
        }
        bench_row(json);
        printf(json ? "{\"what\": \"%s\", \"store_ms\": %.3f, \"hand_ms\": %.3f, "
                      "\"store_most_ms\": %.2f}"
                    : "%-28s %8.3f %8.3f    most %.2f\n",
               by_index ? "a page of 100 by an index" : "a page of 100 by key",
               bench_median(ours, PAGES), bench_median(theirs, PAGES), most);
}

static void usage(void)
{
        printf("usage: bench-rows [--json] FOLDER [ROWS]\n"
               "Tells rows a second added, patched by `plus` and put, and milliseconds of a page\n"
               "of %d in a table of so many rows (%d), at least %d.  The stores are made in\n"
               "FOLDER, and stay there.\n",
               PAGE, ROWS, TURNS * BATCH);
}

int main(int argc, char **argv)
{
        bool json = false;
        int words = bench_words(argc, argv, usage, 1, 2, &json);
        int64_t n = words < 2 ? ROWS
                              : (int64_t)bench_number("ROWS", argv[2], TURNS * BATCH, 1000000000);
        char file[512], plain[512], diag[STORE_DIAG];
        store_opt o;
        store *st;
        hand h;

        snprintf(file, sizeof file, "%s/rows.db", argv[1]);
        snprintf(plain, sizeof plain, "%s/rows-by-hand.db", argv[1]);
        bench_fresh(file);
        bench_fresh(plain);
        store_opt_init(&o);
        o.where = file;
        o.tables = tables;
        o.n_tables = ODM_COUNT(tables);
        if (store_open(&o, &st, diag) < 0) {
                fprintf(stderr, "bench-rows: %s\n", diag);
                return 1;
        }
        hand_open(&h, plain);
        if (!json)
                printf("%-28s %8s %8s    %8s %8s\n", "rows a second", "store", "by hand", "of CPU",
                       "by hand");
        for (int w = 0; w < WORKS; w++)
                work_of(st, &h, (enum work)w, n, json);
        if (!json)
                printf("%-28s %8s %8s\n", "milliseconds", "store", "by hand");
        pages_of(st, &h, false, n, json);
        pages_of(st, &h, true, n, json);
        bench_rows_end(json);
        hand_close(&h);
        store_close(st);
        return 0;
}
