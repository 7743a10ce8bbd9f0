/* SPDX-License-Identifier: Apache-2.0 */
/* bench-measurements - performance data taken by the server beside the same rows written by hand in
 * SQLite: samples, three roll-ups of each, the newest value of each series.
 *
 * A report of a device is one event of the log with a value of each metric, as a session keeps it.
 * The server's figure is given for the log and the part alone, and for both one after the other. By
 * hand there is no log: rows only, a transaction as large as the server's.  The parties take turns;
 * both are durable (WAL, synchronous=FULL). */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fleet.h"
#include "heap.h"
#include "measure.h"
#include "metric.h"

#define PATH 1024
#define EACH 10 /* metrics of a device */
#define TURNS 6
#define EVENTS 200         /* of a batch of the log */
#define HAND_BATCH 2000    /* measurements of a transaction by hand */
#define BASE 1795365300000 /* of the first report */
#define STEP 60000         /* between two of a device */

static const fleet_part *const parts[] = {&part_metric, NULL};
static unsigned devices = 2000, rounds = 30;
static bool json;

static double now_s(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of all threads. */
static double cpu_s(void)
{
        return bench_now_us() / 1e6;
}

static double value_of(unsigned device, unsigned m, unsigned round)
{
        return (double)((device * 31 + m * 17 + round * 7) % 1000) / 8;
}

static int64_t time_of(unsigned device, unsigned round)
{
        return BASE + (int64_t)round * STEP + device % 60 * 1000;
}

/* ---- the server ------------------------------------------------------------------------ */

typedef struct server {
        store *st;
        const store_table **tables;
        fleet *f;
        double log_s, part_s, log_cpu, part_cpu;
} server;

static int64_t far_enough(void *ctx)
{
        (void)ctx;
        return BASE + (int64_t)rounds * STEP + 120000;
}

static void make_devices(store *st)
{
        for (unsigned i = 0; i < devices;) {
                store_batch *b = store_batch_new();

                for (unsigned k = 0; k < 1000 && i < devices; k++, i++) {
                        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
                        bench_must(op != NULL, "memory for a device");
                        op->device.name = odm_arena_fmt(store_batch_arena(b), "d/%u", i);
                        op->device.state = STORE_DEVICE_ACTIVE;
                }
                bench_must(store_write_sync(st, b) == 0, "devices are made");
                store_batch_free(b);
        }
}

static void server_open(server *s, const char *folder)
{
        fleet_host h = {.now = far_enough};
        char why[STORE_DIAG], where[PATH];
        diag d = {{0}};
        store_opt o;

        (void)snprintf(where, sizeof where, "sqlite:%s/measurements.db", folder);
        store_opt_init(&o);
        o.where = where;
        o.tables = s->tables = fleet_tables(parts, &o.n_tables);
        if (store_open(&o, &s->st, why) < 0) {
                fprintf(stderr, "bench-measurements: %s\n", why);
                exit(1);
        }
        make_devices(s->st);
        h.store = s->st;
        bench_must(fleet_new(parts, &h, &s->f, &d) == 0, "the part begins");
}

static odm_str report_of(unsigned device, unsigned round, odm_arena *a)
{
        sample_set set = {0};
        char name[32];

        for (unsigned m = 0; m < EACH; m++) {
                int n = snprintf(name, sizeof name, "function.metric%u", m);
                bench_must(sample_add(&set, time_of(device, round), (odm_str){name, (size_t)n},
                                      json_real(value_of(device, m, round))) == 0,
                           "memory for a report");
        }
        return sample_take(&set, "report", ODM_ABSENT, a);
}

static void log_round(server *s, unsigned round)
{
        for (unsigned i = 0; i < devices;) {
                store_batch *b = store_batch_new();

                for (unsigned k = 0; k < EVENTS && i < devices; k++, i++) {
                        store_op *op = store_batch_add(b, STORE_EVENT_ADD);
                        bench_must(op != NULL, "memory for an event");
                        op->event =
                                (store_event){.at = time_of(i, round),
                                              .device = i + 1,
                                              .kind = ODM_STR(SAMPLE_EVENT),
                                              .data = report_of(i, round, store_batch_arena(b))};
                }
                bench_must(store_write_sync(s->st, b) == 0, "events are kept");
                store_batch_free(b);
        }
}

static void server_turn(server *s, unsigned from, unsigned to)
{
        int64_t next;
        double began = now_s(), cpu = cpu_s();

        for (unsigned r = from; r < to; r++)
                log_round(s, r);
        s->log_s += now_s() - began;
        s->log_cpu += cpu_s() - cpu;
        began = now_s();
        cpu = cpu_s();
        bench_must(fleet_run(s->f, 1000, &next) == 0, "events are heard");
        s->part_s += now_s() - began;
        s->part_cpu += cpu_s() - cpu;
}

/* ---- by hand ----------------------------------------------------------------------------- */

typedef struct hand {
        sqlite3 *db;
        sqlite3_stmt *sample, *rollup, *series;
        double s, cpu;
} hand;

static void run(sqlite3 *db, const char *sql)
{
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
                fprintf(stderr, "bench-measurements: %s\n", sqlite3_errmsg(db));
                exit(1);
        }
}

static sqlite3_stmt *ready(sqlite3 *db, const char *sql)
{
        sqlite3_stmt *st = NULL;

        if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK) {
                fprintf(stderr, "bench-measurements: %s\n", sqlite3_errmsg(db));
                exit(1);
        }
        return st;
}

static void hand_open(hand *h, const char *folder)
{
        char path[PATH];

        (void)snprintf(path, sizeof path, "%s/by-hand.db", folder);
        bench_must(sqlite3_open(path, &h->db) == SQLITE_OK, "a database by hand");
        run(h->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                   "CREATE TABLE sample(device INT, metric INT, at INT, value REAL,"
                   " PRIMARY KEY(device, metric, at)) WITHOUT ROWID;"
                   "CREATE TABLE rollup(device INT, metric INT, level INT, start INT, n INT,"
                   " min REAL, max REAL, sum REAL, last INT, value REAL,"
                   " PRIMARY KEY(device, metric, level, start)) WITHOUT ROWID;"
                   "CREATE TABLE series(device INT, metric INT, last INT, value REAL,"
                   " PRIMARY KEY(device, metric)) WITHOUT ROWID;");
        h->sample = ready(h->db, "INSERT OR IGNORE INTO sample VALUES(?1, ?2, ?3, ?4)");
        h->rollup = ready(h->db, "INSERT INTO rollup VALUES(?1, ?2, ?5, ?6, 1, ?4, ?4, ?4, ?3, ?4)"
                                 " ON CONFLICT DO UPDATE SET n = n + 1, min = min(min, ?4),"
                                 " max = max(max, ?4), sum = sum + ?4,"
                                 " value = CASE WHEN ?3 > last THEN ?4 ELSE value END,"
                                 " last = max(last, ?3)");
        h->series = ready(h->db, "INSERT INTO series VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
                                 " SET value = ?4, last = ?3 WHERE ?3 > last");
}

static void step(sqlite3 *db, sqlite3_stmt *st)
{
        if (sqlite3_step(st) != SQLITE_DONE) {
                fprintf(stderr, "bench-measurements: %s\n", sqlite3_errmsg(db));
                exit(1);
        }
        sqlite3_reset(st);
}

static void give(sqlite3_stmt *st, unsigned device, unsigned m, int64_t at, double v)
{
        sqlite3_bind_int64(st, 1, device + 1);
        sqlite3_bind_int64(st, 2, m);
        sqlite3_bind_int64(st, 3, at);
        sqlite3_bind_double(st, 4, v);
}

static void hand_one(hand *h, unsigned device, unsigned m, unsigned round)
{
        int64_t at = time_of(device, round);
        double v = value_of(device, m, round);

        give(h->sample, device, m, at, v);
        step(h->db, h->sample);
        for (int level = 0; level < SERIES_LEVELS; level++) {
                give(h->rollup, device, m, at, v);
                sqlite3_bind_int64(h->rollup, 5, level);
                sqlite3_bind_int64(h->rollup, 6, series_start(at, series_span[level]));
                step(h->db, h->rollup);
        }
        give(h->series, device, m, at, v);
        step(h->db, h->series);
}

static void hand_turn(hand *h, unsigned from, unsigned to)
{
        double began = now_s(), cpu = cpu_s();
        unsigned n = 0;

        run(h->db, "BEGIN");
        for (unsigned r = from; r < to; r++)
                for (unsigned i = 0; i < devices; i++)
                        for (unsigned m = 0; m < EACH; m++) {
                                hand_one(h, i, m, r);
                                if (++n % HAND_BATCH == 0)
                                        run(h->db, "COMMIT; BEGIN");
                        }
        run(h->db, "COMMIT");
        h->s += now_s() - began;
        h->cpu += cpu_s() - cpu;
}

static void hand_close(hand *h)
{
        sqlite3_finalize(h->sample);
        sqlite3_finalize(h->rollup);
        sqlite3_finalize(h->series);
        sqlite3_close(h->db);
}

/* ---- both ------------------------------------------------------------------------------- */

/* The series of the last device say that nothing was left out. */
static void check(const server *s)
{
        const metric_series key = {.device = devices};
        const store_scan scan = {.table = &table_metric_series, .same = 1, .at = &key};
        store_rows rows = {0};
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        bench_must(store_row_find(s->st, &scan, &a, &rows) == 0 && rows.n == EACH,
                   "the series are read");
        for (size_t i = 0; i < rows.n; i++)
                bench_must(((const metric_series *)rows.v + i)->samples == rounds,
                           "every sample was taken");
        odm_arena_done(&a);
}

static void row(const char *what, double n, double seconds, double cpu)
{
        bench_row(json);
        printf(json ? "{\"what\": \"%s\", \"per_second\": %.0f, \"cpu_us\": %.1f}"
                    : "%-40s %9.0f /s  %6.1f us of processor time each\n",
               what, n / seconds, cpu * 1e6 / n);
}

static void usage(void)
{
        printf("usage: bench-measurements [--json] FOLDER [DEVICES [REPORTS]]\n"
               "Tells measurements a second: of %u devices with %d metrics each, %u reports of\n"
               "each device, at least %d.  The stores are made in FOLDER, and stay there.\n",
               devices, EACH, rounds, TURNS);
}

static void read_words(int argc, char **argv)
{
        static const char *const files[] = {"measurements.db", "by-hand.db"};
        int n = bench_words(argc, argv, usage, 1, 3, &json);
        char path[PATH];

        if (n > 1)
                devices = (unsigned)bench_number("DEVICES", argv[2], 1, 10000000);
        if (n > 2)
                rounds = (unsigned)bench_number("REPORTS", argv[3], TURNS, 1000000);
        for (size_t i = 0; i < ODM_COUNT(files); i++) {
                (void)snprintf(path, sizeof path, "%s/%s", argv[1], files[i]);
                bench_fresh(path);
        }
}

int main(int argc, char **argv)
{
        server s = {0};
        hand h = {0};
        double n;

        read_words(argc, argv);
        server_open(&s, argv[1]);
        hand_open(&h, argv[1]);
        for (unsigned t = 0; t < TURNS; t++) {
                server_turn(&s, rounds * t / TURNS, rounds * (t + 1) / TURNS);
                hand_turn(&h, rounds * t / TURNS, rounds * (t + 1) / TURNS);
        }
        check(&s);
        n = (double)devices * rounds * EACH;
        bench_row(json);
        printf(json ? "{\"measurements\": %.0f, \"devices\": %u, \"metrics\": %u, \"reports\": %u}"
                    : "%.0f measurements of %u devices, %u metrics, %u reports each\n",
               n, devices, EACH, rounds);
        row("events into the log", n, s.log_s, s.log_cpu);
        row("log into samples and roll-ups", n, s.part_s, s.part_cpu);
        row("both, one after the other", n, s.log_s + s.part_s, s.log_cpu + s.part_cpu);
        row("by hand: samples and roll-ups, no log", n, h.s, h.cpu);
        bench_rows_end(json);
        fleet_free(s.f);
        store_close(s.st);
        free(s.tables);
        hand_close(&h);
        return 0;
}
