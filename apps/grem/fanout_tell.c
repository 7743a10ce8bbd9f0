/* SPDX-License-Identifier: Apache-2.0 */
/* Results and completions of fan-outs, north (gwmo.md 6.2).
 *
 *     TELL -> rows in the order in which they ended -> documents, each with what says in the task's
 *     row that it was told, one batch after the other -> odm_fanout_told()
 *
 * A batch has the alert and that note, so that each result is told once, whenever we are killed. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "fanout_inner.h"
#include "heap.h"
#include "log.h"
#include "odm/inventory.h"

#define ROOM \
        24576 /* octets of a document: with its alert it fits into one message of most servers */
#define PAGE 500
#define HOLD_MS 1000
#define GROUP_MEMBERS 10000

/* ---- what is told -------------------------------------------------------------------------------- */

typedef struct piece {
        fanout_task *t;
        store_batch *b;
        odm_gather gather;
        uint32_t told; /* up to here, with this piece */
        bool full;
} piece;

static int add_row(piece *p, const fanout_target_row *r)
{
        int rc = odm_gather_add(&p->gather, r->key, r->id, (odm_fanout_target)r->state, r->outcome,
                                r->text);

        p->full = rc == 1;
        if (rc == 0)
                p->told = r->ended;
        return rc < 0 ? rc : 0;
}

static int add_page(piece *p, odm_arena *a, bool *more)
{
        const fanout_task *t = p->t;
        const fanout_target_row at = {.task = t->row.id}, from = {.ended = p->told + 1},
                                below = {.ended = t->upto + 1};
        const store_scan s = {.table = &gw_table_target,
                              .index = TARGET_BY_ENDED,
                              .same = 1,
                              .at = &at,
                              .from = &from,
                              .below = &below,
                              .limit = PAGE};
        store_rows rows;
        int rc = store_row_find(gw_store(t->p->g), &s, a, &rows);

        for (size_t i = 0; rc == 0 && i < rows.n && !p->full; i++)
                rc = add_row(p, (const fanout_target_row *)rows.v + i);
        *more = rc == 0 && rows.n > 0 && !p->full && p->told < t->upto;
        return rc;
}

static bool has_entries(uint32_t format)
{
        return format == ODM_RETURN_FULL || format == ODM_RETURN_GROUP ||
               format == ODM_RETURN_FAILURES;
}

static int gather(piece *p)
{
        bool more = has_entries(p->t->row.format) && p->t->row.kind == FANOUT_TASK &&
                    p->told < p->t->upto;
        int rc = 0;

        if (!more)
                p->told = p->t->upto;
        while (rc == 0 && more) {
                odm_arena a;
                odm_arena_init(&a, &heap_mem, PAGE * ((size_t)ODM_FANOUT_OUTCOME_MAX + 4096));
                rc = add_page(p, &a, &more);
                odm_arena_done(&a);
        }
        if (rc == 0 && !p->full) /* there are no more, whatever their numbers are */
                p->told = p->t->upto;
        return rc;
}

/* ---- alerts --------------------------------------------------------------------------------------- */

static odm_str source_of(const fanout_task *t, odm_arena *a)
{
        if (t->row.kind == FANOUT_QUEUED)
                return t->row.task;
        return odm_arena_fmt(a, FANOUT_TASKS "%.*s", (int)t->row.name.n, t->row.name.p);
}

static int add_alert(const fanout_task *t, store_batch *b, const char *type, odm_format format,
                     odm_str data)
{
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = source_of(t, store_batch_arena(b)),
                       .type = odm_cstr(type),
                       .mark = ODM_STR("informational"),
                       .correlator = t->row.correlator.n ? t->row.correlator : ODM_ABSENT,
                       .data = data,
                       .format = format};

        if (!a.source.p)
                return ODM_ENOMEM;
        return north_add(t->p->g, b, NORTH_REPORT, &a, loop_wall(), NULL);
}

static odm_fanout_totals totals_of(const fanout_task *t)
{
        odm_fanout_view v = {.total = t->row.total};
        int rc = odm_fanout_look(t->p->f, (uint64_t)t->row.id, &v);

        assert(rc == 0);
        (void)rc;
        return (odm_fanout_totals){v.total, v.ok, v.failed, v.pending};
}

static bool is_last(const piece *p)
{
        return p->t->last && p->told == p->t->upto;
}

int fanout_tell_document(fanout_task *t, store_batch *b, const odm_gather *g, bool last,
                         odm_buf *doc)
{
        odm_fanout_totals totals = totals_of(t);
        int rc = odm_gather_write(g, t->row.task, t->row.seq + 1, last, &totals, doc);

        if (rc == 0)
                rc = add_alert(t, b, ODM_FANOUT_RESULT_ALERT, ODM_FMT_XML, odm_buf_view(doc));
        if (rc == 0)
                t->row.seq++; /* one that comes to nothing leaves a gap */
        return rc;
}

static int add_document(piece *p)
{
        fanout_task *t = p->t;
        odm_buf doc;
        int rc;

        if (t->row.kind != FANOUT_TASK || t->row.format == ODM_RETURN_NONE ||
            (!p->gather.first && !is_last(p) && t->row.format == ODM_RETURN_FAILURES))
                return 0;
        odm_buf_init(&doc, &heap_mem, ROOM + 2 * (size_t)ODM_FANOUT_OUTCOME_MAX);
        rc = fanout_tell_document(t, p->b, &p->gather, is_last(p), &doc);
        odm_buf_done(&doc);
        return rc;
}

/* What a queued Exec came to: 0 when the device itself tells. */
static unsigned exec_result(const fanout_task *t)
{
        fanout_target_row row = {.task = t->row.id, .device = t->list.n ? t->list.v[0] : 0};
        unsigned status = ODM_ST_TIMEOUT;
        const odm_fanout_cmd *v;
        odm_arena a;
        size_t n;

        odm_arena_init(&a, &heap_mem, FANOUT_BYTES);
        if (store_row_get(gw_store(t->p->g), &gw_table_target, &row, &a, &row) == 0) {
                status = row.status;
                if (row.state == ODM_TARGET_OK &&
                    odm_fanout_outcome_read(row.outcome, &a, &v, &n) == 0 && n > 0)
                        status = v[0].status == ODM_ST_ACCEPTED ? 0 : v[0].status;
        }
        odm_arena_done(&a);
        return status;
}

static int add_completion(piece *p)
{
        const fanout_task *t = p->t;
        unsigned value = t->row.kind == FANOUT_TASK ? (unsigned)t->final : exec_result(t);
        char text[16];

        if (value == 0 || (odm_status_ok(value) && t->row.kind == FANOUT_QUEUED &&
                           t->row.correlator.n == 0)) /* nobody waits for it */
                return 0;
        (void)snprintf(text, sizeof text, "%u", value);
        return add_alert(t, p->b, ODM_FANOUT_DONE_ALERT, ODM_FMT_INT, odm_cstr(text));
}

/* ---- groups of the result ---------------------------------------------------------------------------- */

#define OK "ok"
#define FAIL "fail"

/* As the server of the task, with its rights; absent: the gateway itself. */
static int order_tree(const fanout_task *t, odm_cmd kind, odm_str uri, odm_str value)
{
        const odm_op op = {.kind = kind,
                           .target = uri,
                           .server = t->row.server.n ? t->row.server : ODM_ABSENT,
                           .has_value = value.p != NULL,
                           .value = {.format = ODM_FMT_CHR, .data = value}};
        odm_answer out;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 65536);
        rc = uri.p && (value.p || kind == ODM_CMD_DELETE)
                     ? odm_tree_do(t->p->host->tree, &op, loop_wall(), &a, &out)
                     : ODM_ENOMEM;
        if (rc == 0 && !odm_status_ok(out.status))
                rc = out.status == ODM_ST_DENIED ? ODM_EACCESS : ODM_EINVAL;
        odm_arena_done(&a);
        return rc;
}

/* The group as it is made first: nobody is in it. */
static int make_group(const fanout_task *t, const char *what)
{
        odm_str task = t->row.task, at;
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, &heap_mem, 65536);
        at = odm_arena_fmt(&a, GW_GROUPS_AT "/%.*s-%s", (int)task.n, task.p, what);
        if (at.p && odm_tree_exists(t->p->host->tree, at))
                rc = order_tree(t, ODM_CMD_DELETE, at, ODM_ABSENT);
        if (rc == 0)
                rc = order_tree(t, ODM_CMD_ADD,
                                odm_arena_fmt(&a, "%.*s/GroupID", (int)at.n, at.p ? at.p : ""),
                                odm_arena_fmt(&a, "%.*s-%s", (int)task.n, task.p, what));
        odm_arena_done(&a);
        return rc;
}

static int put_member(const fanout_task *t, const fanout_target_row *r)
{
        const char *what = r->state == ODM_TARGET_OK ? OK : FAIL;
        odm_str task = t->row.task, uri;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 65536);
        uri = odm_arena_fmt(&a, GW_GROUPS_AT "/%.*s-%s/Members/%.*s", (int)task.n, task.p, what,
                            (int)r->key.n, r->key.p);
        rc = order_tree(t, ODM_CMD_ADD, uri, r->id);
        odm_arena_done(&a);
        return rc;
}

static int put_members(const fanout_task *t, fanout_target_row *last, uint32_t *n, bool *more)
{
        const fanout_target_row at = {.task = t->row.id};
        const store_scan s = {.table = &gw_table_target,
                              .same = 1,
                              .at = &at,
                              .after = last->device ? last : NULL,
                              .limit = PAGE};
        store_rows rows;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, PAGE * ((size_t)ODM_FANOUT_OUTCOME_MAX + 4096));
        rc = store_row_find(gw_store(t->p->g), &s, &a, &rows);
        for (size_t i = 0; rc == 0 && i < rows.n && *n < GROUP_MEMBERS; i++) {
                const fanout_target_row *r = (const fanout_target_row *)rows.v + i;
                *last = (fanout_target_row){.task = r->task, .device = r->device};
                if (r->key.n && r->ended) {
                        rc = put_member(t, r);
                        ++*n;
                }
        }
        *more = rc == 0 && rows.more && rows.n > 0 && *n < GROUP_MEMBERS;
        odm_arena_done(&a);
        return rc;
}

/* Made before the completion is told: a server that hears of it finds them. */
static void make_groups(const fanout_task *t)
{
        fanout_target_row last = {.device = 0};
        uint32_t n = 0;
        bool more = true;
        int rc = odm_name_ok(t->row.task) ? 0 : ODM_EMALFORMED;

        if (rc == 0)
                rc = make_group(t, OK);
        if (rc == 0)
                rc = make_group(t, FAIL);
        while (rc == 0 && more)
                rc = put_members(t, &last, &n, &more);
        if (rc == 0)
                rc = t->p->host->moved(t->p->host->ctx);
        if (rc < 0)
                log_error("groups of a result are not all there",
                          log_text("reason", odm_err_text(rc)));
}

/* ---- a batch after the other -------------------------------------------------------------------------- */

static void count_merged(gateway *g, uint32_t n)
{
        gw_counts *c = gw_counts_of(g);

        if (n == 0)
                return;
        c->results_merged += n;
        c->sessions_saved += n - 1;
        c->bytes_saved += (n - 1) * north_least(g->north);
}

static void told(fanout_task *t)
{
        fanout_part *p = t->p;
        odm_fanout_now now = fanout_now();
        bool last = t->last;

        t->telling = false;
        odm_fanout_told(p->f, (uint64_t)t->row.id, t->row.told, last, &now);
        if (!last)
                return;
        log_info("a fan-out is over", log_text("task", t->row.task.p ? t->row.task.p : ""),
                 log_int("state", t->row.state));
        t->open = false;
        if (t->row.kind == FANOUT_QUEUED || t->row.name.n == 0)
                fanout_forget(p, t);
        else
                fanout_close_task(t);
}

static void on_told(void *ctx, store_batch *b, int rc)
{
        fanout_task *t = ctx;
        fanout_part *p = t->p;
        const fanout_row *row;

        t->writing = false;
        if (t->gone) {
                fanout_bury(t);
                return;
        }
        if (rc < 0) {
                log_error("results are not told yet", log_text("reason", odm_err_text(rc)));
                p->hold = odm_time_add(loop_now(), HOLD_MS).ms;
                fanout_work(p);
                return;
        }
        row = b->ops[0]->row.row;
        count_merged(p->g, row->told - t->row.told);
        t->row.told = row->told;
        t->row.state = row->state;
        t->row.finished = row->finished;
        t->row.ok = row->ok;
        t->row.failed = row->failed;
        if (t->row.told < t->upto)
                fanout_tell_on(t);
        else
                told(t);
        fanout_work(p);
}

static int write_piece(piece *p)
{
        const uint64_t always = STORE_FIELD(FANOUT_F_TOLD) | STORE_FIELD(FANOUT_F_SEQ);
        uint64_t fields = always;
        store_op *note = store_batch_add(p->b, STORE_ROW_PATCH);
        fanout_row *copy = odm_new(store_batch_arena(p->b), fanout_row), row;
        int rc = note && copy ? add_document(p) : ODM_ENOMEM;

        row = p->t->row;
        row.told = p->told;
        if (rc == 0 && is_last(p)) {
                odm_fanout_totals t = totals_of(p->t);
                row.state = p->t->final;
                row.finished = loop_wall().s;
                row.ok = t.ok;
                row.failed = t.failed;
                row.cmds = row.targets = ODM_ABSENT;
                fields |= STORE_FIELD(FANOUT_F_STATE) | STORE_FIELD(FANOUT_F_FINISHED) |
                          STORE_FIELD(FANOUT_F_OK) | STORE_FIELD(FANOUT_F_FAILED) |
                          STORE_FIELD(FANOUT_F_CMDS) | STORE_FIELD(FANOUT_F_TARGETS);
                rc = add_completion(p);
        }
        if (rc < 0)
                return rc;
        *copy = row; /* of its texts only those of t->row, which stays, and none are written */
        note->row = (store_row_op){.table = &gw_table_fanout, .row = copy, .fields = fields};
        return gw_write_then(p->t->p->g, p->b, on_told, p->t);
}

void fanout_tell_on(fanout_task *t)
{
        piece p = {.t = t, .b = store_batch_new(), .told = t->row.told};
        int rc;

        odm_gather_init(&p.gather, &heap_mem, (odm_fanout_format)t->row.format, ROOM);
        rc = p.b ? gather(&p) : ODM_ENOMEM;
        if (rc == 0 && is_last(&p) && t->row.make_groups)
                make_groups(t);
        if (rc == 0)
                rc = write_piece(&p);
        t->writing = rc == 0;
        if (rc < 0) {
                log_error("results are not told yet", log_text("reason", odm_err_text(rc)));
                if (p.b)
                        north_written(t->p->g->north, p.b, rc);
                store_batch_free(p.b);
                t->p->hold = odm_time_add(loop_now(), HOLD_MS).ms;
                fanout_wake(t->p);
        }
        odm_gather_done(&p.gather);
}

void fanout_tell(fanout_part *p, const odm_fanout_ask *a)
{
        fanout_task *t = fanout_by_id(p, a->task);

        assert(t && a->told <= t->row.told);
        t->telling = true;
        t->last = a->last;
        t->upto = a->upto;
        t->final = a->state;
        fanout_tell_on(t);
}
