/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions QoS, SelfTest and PM do (mo-diagmon.md 7.8, 7.9). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "net.h"
#include "part/diagmon.h"
#include "part/ping.h"
#include "program.h"

#define PING_GAP_MS 200
#define PING_WAIT_MS 1000
#define CHECK_TEXT 200
#define ROWS 1000 /* of PM; older ones go */
#define COUNTERS 32

/* ---- results into the tree ----------------------------------------------------------------------- */

typedef struct rows {
        odm_arena a;
        struct row {
                struct row *next;
                odm_str name;
        } * first, **last;
        size_t n;
} rows;

static int take_row(void *ctx, odm_str name)
{
        rows *l = ctx;
        struct row *r = odm_new(&l->a, struct row);

        if (!r)
                return odm_arena_err(&l->a);
        r->name = odm_arena_copy(&l->a, name);
        *l->last = r;
        l->last = &r->next;
        l->n++;
        return l->a.err;
}

/* Rows are named so that the oldest comes first. */
static int delete_rows(diagmon *g, odm_str data, size_t keep, odm_wall now)
{
        rows l = {.last = &l.first};
        int rc;

        odm_arena_init(&l.a, &heap_mem, 4u << 20);
        rc = odm_tree_children(g->host->tree, data, take_row, &l);
        for (const struct row *r = l.first; r && rc == 0 && l.n > keep; r = r->next, l.n--) {
                odm_op op = {.kind = ODM_CMD_DELETE};
                odm_answer got = {0};
                op.target = odm_arena_fmt(&l.a, "%.*s/%.*s", (int)data.n, data.p, (int)r->name.n,
                                          r->name.p);
                rc = op.target.p ? odm_tree_do(g->host->tree, &op, now, &l.a, &got)
                                 : odm_arena_err(&l.a);
        }
        odm_arena_done(&l.a);
        return rc;
}

static int put_pairs(diagmon *g, const function *f, odm_str data, const pairs *p, odm_wall now)
{
        int rc = 0;

        for (size_t i = 0; i < p->n && rc == 0; i++) {
                const odm_value v = {.format = diagmon_format(f, p->list[i].rel),
                                     .data = p->list[i].text};
                char uri[300];
                snprintf(uri, sizeof uri, "%.*s/%.*s", (int)data.n, data.p, (int)p->list[i].rel.n,
                         p->list[i].rel.p);
                rc = odm_tree_write(g->host->tree, odm_cstr(uri), &v, now);
        }
        return rc;
}

int diagmon_store(diagmon *g, const function *f, const pairs *data, size_t keep)
{
        odm_wall now = loop_wall();
        unsigned status = ODM_ST_OK;
        char at[96];
        int rc = odm_tree_begin(g->host->tree, now);

        if (rc < 0)
                return rc;
        snprintf(at, sizeof at, ODM_DIAG_AT "/%s/DiagMonData", f->f.name);
        if (keep != SIZE_MAX)
                rc = delete_rows(g, odm_cstr(at), keep, now);
        if (rc == 0)
                rc = put_pairs(g, f, odm_cstr(at), data, now);
        if (rc == 0)
                rc = odm_tree_commit(g->host->tree, &status);
        else
                odm_tree_rollback(g->host->tree);
        if (rc == 0 && !odm_status_ok(status))
                rc = ODM_EIO;
        return rc == 0 ? g->host->moved(g->host->ctx) : rc;
}

/* Results become data and a sample. */
static int settle(run *r, const pairs *p, size_t keep)
{
        int rc = diagmon_store(r->g, r->f, p, keep);

        if (rc < 0)
                log_error("results cannot be kept", log_text("object", r->object),
                          log_text("reason", odm_err_text(rc)));
        else
                run_sample(r, p);
        return rc;
}

/* ---- QoS ------------------------------------------------------------------------------------------ */

bool ping_offered(const diagmon *g)
{
        (void)g;
        return ping_may();
}

typedef struct first {
        odm_tree *tree;
        char url[512];
} first;

static int take_url(void *ctx, odm_str name)
{
        first *f = ctx;
        odm_value v = {ODM_FMT_ABSENT};
        char block[2048];
        odm_arena a;
        odm_str uri;

        odm_arena_init_on(&a, &heap_mem, 65536, block, sizeof block);
        uri = odm_arena_fmt(&a, "./DMAcc/%.*s/AppAddr/1/Addr", (int)name.n, name.p);
        if (uri.p && odm_tree_read(f->tree, uri, &a, &v) == 0)
                snprintf(f->url, sizeof f->url, "%.*s", (int)v.data.n, v.data.p);
        odm_arena_done(&a);
        return f->url[0] != 0;
}

/* The host asked for, or that of the first account's server; "" when there is none. */
static void ping_host(const diagmon *g, odm_str asked, char out[PING_HOST])
{
        first f = {.tree = g->host->tree};
        net_url u;

        out[0] = 0;
        if (asked.n && asked.n < PING_HOST)
                snprintf(out, PING_HOST, "%.*s", (int)asked.n, asked.p);
        if (asked.n)
                return;
        (void)odm_tree_children(f.tree, ODM_STR("./DMAcc"), take_url, &f);
        if (net_url_parse(odm_cstr(f.url), &u) == 0)
                snprintf(out, PING_HOST, "%s", u.host);
}

unsigned ping_ready(const diagmon *g, const odm_task *t)
{
        char host[PING_HOST];

        ping_host(g, odm_task_arg(t, "Host"), host);
        return host[0] ? 1200 : 1404;
}

static void on_pinged(void *ctx, const ping_result *p)
{
        run *r = ctx;
        probe_sink to = {.rc = 0};
        char text[40];
        pairs data = {.n = 0};

        r->action = NULL;
        if (p->failed) {
                run_acted(r, ODM_CAUSE_BAD_CONFIG, p->failed);
                return;
        }
        odm_arena_init(&data.a, &heap_mem, 65536);
        to.put = pairs_put;
        to.ctx = &data;
        snprintf(text, sizeof text, "%.2f",
                 p->sent ? 100.0 * (p->sent - p->received) / p->sent : 100);
        probe_put(&to, text, "Loss");
        snprintf(text, sizeof text, "%.3f", p->delay_ms);
        if (p->received)
                probe_put(&to, text, "Delay");
        snprintf(text, sizeof text, "%.3f", p->jitter_ms);
        if (p->received > 1)
                probe_put(&to, text, "Jitter");
        if (to.rc == 0)
                to.rc = settle(r, &data, 0);
        odm_arena_done(&data.a);
        run_acted(r, to.rc < 0 ? ODM_CAUSE_FAILED : ODM_CAUSE_OK, NULL);
}

int ping_act(run *r)
{
        char host[PING_HOST];
        uint64_t count = 0;
        ping *p = NULL;
        int rc;

        if (odm_str_u64(run_arg(r, "Count"), 1000, &count) < 0 || count == 0)
                count = 10;
        ping_host(r->g, run_arg(r, "Host"), host);
        rc = ping_start(r->g->host->loop, host, (unsigned)count, PING_GAP_MS, PING_WAIT_MS,
                        on_pinged, r, &p);
        r->action = p;
        return rc;
}

void ping_quit(run *r)
{
        ping_cancel(r->action);
}

/* ---- SelfTest -------------------------------------------------------------------------------------- */

typedef struct checks {
        run *r;
        size_t at; /* in the configuration */
        program *program;
        loop_timer limit;
        char text[CHECK_TEXT];
        bool late;
        pairs data;
        probe_sink to;
} checks;

static const cfg *conf_of(const diagmon *g)
{
        return g->host->conf;
}

bool checks_offered(const diagmon *g)
{
        return cfg_named_n(conf_of(g), "check") > 0;
}

unsigned checks_ready(const diagmon *g, const odm_task *t)
{
        odm_str one = odm_task_arg(t, "Test");
        size_t n = cfg_named_n(conf_of(g), "check");

        for (size_t i = 0; i < n; i++)
                if (one.n == 0 || odm_str_is(one, cfg_name(cfg_named(conf_of(g), "check", i))))
                        return 1200;
        return 1404;
}

static void free_checks(checks *k)
{
        program_kill(k->program);
        loop_timer_stop(&k->limit);
        odm_arena_done(&k->data.a);
        k->r->action = NULL;
        free(k);
}

void checks_quit(run *r)
{
        if (r->action)
                free_checks(r->action);
}

static void next_check(checks *k);

static void on_check_line(void *ctx, odm_str line)
{
        checks *k = ctx;
        odm_str s = odm_str_trim(line);

        if (k->text[0])
                return; /* the first line says it */
        snprintf(k->text, sizeof k->text, "%.*s",
                 (int)odm_utf8_cut(s, s.n < CHECK_TEXT - 1 ? s.n : CHECK_TEXT - 1), s.p);
        for (char *c = k->text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = ' ';
        if (!odm_utf8_ok(odm_cstr(k->text)))
                snprintf(k->text, sizeof k->text, "what it said is no text");
}

static void put_result(checks *k, int result)
{
        const char *name = cfg_name(cfg_named(conf_of(k->r->g), "check", k->at));
        char when[ODM_WALL_TEXT];

        odm_wall_format(loop_wall(), when);
        probe_put(&k->to, name, "%s/Name", name);
        probe_put_int(&k->to, result, "%s/Result", name);
        probe_put(&k->to, k->late ? "it took too long" : k->text, "%s/Text", name);
        probe_put(&k->to, when, "%s/Time", name);
}

static void on_check_done(void *ctx, int code)
{
        checks *k = ctx;

        k->program = NULL;
        loop_timer_stop(&k->limit);
        put_result(k, code == 126 || code == 127 ? 2 : code != 0);
        k->at++;
        next_check(k);
}

static void on_check_late(void *ctx)
{
        checks *k = ctx;

        program_kill(k->program);
        k->late = true;
        on_check_done(k, 1);
}

static bool is_wanted(const checks *k)
{
        odm_str one = run_arg(k->r, "Test");

        return one.n == 0 || odm_str_is(one, cfg_name(cfg_named(conf_of(k->r->g), "check", k->at)));
}

static void next_check(checks *k)
{
        const cfg *c = conf_of(k->r->g);
        loop *l = k->r->g->host->loop;
        run *r = k->r;

        while (k->at < cfg_named_n(c, "check") && !is_wanted(k))
                k->at++;
        if (k->at == cfg_named_n(c, "check")) {
                int rc = k->to.rc < 0 ? k->to.rc : settle(r, &k->data, 0);
                free_checks(k);
                run_acted(r, rc < 0 ? ODM_CAUSE_FAILED : ODM_CAUSE_OK, NULL);
                return;
        }
        const cfg *one = cfg_named(c, "check", k->at);
        const char *const argv[] = {"/bin/sh", "-c", cfg_str(one, "check *.command"), NULL};
        const program_opt o = {
                .argv = argv, .line = on_check_line, .done = on_check_done, .ctx = k};
        diag d = {{0}};
        k->text[0] = 0;
        k->late = false;
        if (program_start(l, &o, &k->program, &d) < 0) {
                snprintf(k->text, sizeof k->text, "%.150s", d.text);
                put_result(k, 2);
                k->at++;
                k->limit = (loop_timer){.fn = on_check_late, .ctx = k};
                next_check(k);
                return;
        }
        if (loop_timer_set(l, &k->limit, odm_time_add(loop_now(), cfg_ms(one, "check *.time"))) < 0)
                log_error("no memory for a timer");
}

int checks_act(run *r)
{
        checks *k = calloc(1, sizeof *k);

        if (!k)
                return ODM_ENOMEM;
        r->action = k;
        k->r = r;
        k->limit = (loop_timer){.fn = on_check_late, .ctx = k};
        odm_arena_init(&k->data.a, &heap_mem, 1 << 20);
        k->to = (probe_sink){pairs_put, &k->data, 0};
        next_check(k);
        return 0;
}

/* ---- PM -------------------------------------------------------------------------------------------- */

typedef struct counters {
        run *r;
        loop_timer due;
        odm_wall from;
        size_t n;
        odm_str name[COUNTERS]; /* in the run's arguments */
        uint64_t at[COUNTERS];
} counters;

static odm_str next_word(odm_str *rest)
{
        odm_str s = odm_str_trim(*rest), word;
        const char *blank = s.n ? memchr(s.p, ' ', s.n) : NULL;

        word = odm_str_to(s, blank ? (size_t)(blank - s.p) : s.n);
        *rest = odm_str_from(s, word.n);
        return word;
}

unsigned counters_ready(const diagmon *g, const odm_task *t)
{
        odm_str rest = odm_task_arg(t, "Counters"), word;
        size_t n = 0;
        uint64_t v;

        while ((word = next_word(&rest)).n)
                if (++n > COUNTERS || !odm_name_ok(word) ||
                    probe_counter(&g->machine, word, &v) < 0)
                        return 1404;
        return n ? 1200 : 1404;
}

static void arm(counters *k)
{
        loop *l = k->r->g->host->loop;

        if (loop_timer_set(l, &k->due, odm_time_add(loop_now(), k->r->granularity)) < 0)
                log_error("no memory for a timer");
}

static void start_period(counters *k)
{
        k->from = loop_wall();
        for (size_t i = 0; i < k->n; i++)
                if (probe_counter(&k->r->g->machine, k->name[i], &k->at[i]) < 0)
                        k->at[i] = UINT64_MAX;
}

/* What went up in the period; a counter that is gone, or began anew, is left out. */
static void end_period(counters *k)
{
        char row[ODM_WALL_TEXT], end[ODM_WALL_TEXT], text[24];
        pairs data = {.n = 0};
        probe_sink to = {pairs_put, &data, 0};

        odm_arena_init(&data.a, &heap_mem, 65536);
        odm_wall_format(k->from, row);
        odm_wall_format(loop_wall(), end);
        probe_put(&to, row, "%s/Start", row);
        probe_put(&to, end, "%s/End", row);
        for (size_t i = 0; i < k->n; i++) {
                uint64_t now;
                if (probe_counter(&k->r->g->machine, k->name[i], &now) < 0 || now < k->at[i])
                        continue;
                snprintf(text, sizeof text, "%" PRIu64, now - k->at[i]);
                probe_put(&to, text, "%s/%.*s", row, (int)k->name[i].n, k->name[i].p);
        }
        if (to.rc == 0)
                (void)settle(k->r, &data, ROWS - 1);
        odm_arena_done(&data.a);
}

static void on_period(void *ctx)
{
        counters *k = ctx;

        end_period(k);
        start_period(k);
        arm(k);
        if (k->r->memory && samples_of(k->r->g->samples, k->r->id) > k->r->memory) {
                run *r = k->r;
                loop_timer_stop(&k->due);
                free(k);
                r->action = NULL;
                run_acted(r, ODM_CAUSE_NO_ROOM, "the run's memory is full");
        }
}

int counters_act(run *r)
{
        odm_str rest = run_arg(r, "Counters"), word;
        counters *k = calloc(1, sizeof *k);
        uint64_t n = 0;

        if (!k)
                return ODM_ENOMEM;
        if (odm_str_u64(run_arg(r, "Granularity"), 86400, &n) < 0 || n == 0)
                n = 900;
        r->granularity = (int64_t)n * 1000;
        r->action = k;
        k->r = r;
        k->due = (loop_timer){.fn = on_period, .ctx = k};
        while ((word = next_word(&rest)).n && k->n < COUNTERS)
                k->name[k->n++] = word;
        start_period(k);
        arm(k);
        return 0;
}

void counters_round_off(run *r)
{
        counters *k = r->action;

        if (k && loop_wall().s > k->from.s)
                end_period(k);
}

void counters_quit(run *r)
{
        counters *k = r->action;

        if (!k)
                return;
        loop_timer_stop(&k->due);
        free(k);
        r->action = NULL;
}
