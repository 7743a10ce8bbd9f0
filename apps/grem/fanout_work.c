/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine of fan-outs asks for, done: orders on devices, rows, final alerts heard.
 *
 *     RUN   -> gw_run() -> answers -> outcome, in memory -> odm_fanout_ran()
 *     KEEP  -> row with the outcome -> one batch at a time -> odm_fanout_kept()
 *     alert with a correlator of ours -> outcome, kept at once -> odm_fanout_final() */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanout_inner.h"
#include "heap.h"
#include "images.h"
#include "log.h"

#define BATCH_MOST 1000 /* rows */
#define HOLD_MS 1000    /* after a batch that failed */
#define TEXT_MAX 512    /* octets of what is said to people */

/* ---- outcomes that are not kept for good yet ---------------------------------------------------- */

static fanout_outcome **slot_of(fanout_part *p, uint64_t task, uint32_t device)
{
        fanout_outcome **at = &p->slot[(task * 2654435761u + device) & (FANOUT_SLOTS - 1)];

        while (*at && ((*at)->task != task || (*at)->device != device))
                at = &(*at)->next;
        return at;
}

fanout_outcome *fanout_outcome_of(fanout_part *p, uint64_t task, uint32_t device, bool make)
{
        fanout_outcome **at = slot_of(p, task, device), *o;

        if (*at || !make)
                return *at;
        o = calloc(1, sizeof *o);
        if (!o)
                return NULL;
        o->task = task;
        o->device = device;
        odm_buf_init(&o->outcome, &heap_mem, ODM_FANOUT_OUTCOME_MAX);
        odm_buf_init(&o->text, &heap_mem, TEXT_MAX);
        *at = o;
        return o;
}

static void drop(fanout_outcome **at)
{
        fanout_outcome *o = *at;

        *at = o->next;
        odm_buf_done(&o->outcome);
        odm_buf_done(&o->text);
        free(o);
}

void fanout_outcome_drop(fanout_part *p, uint64_t task, uint32_t device)
{
        fanout_outcome **at = slot_of(p, task, device);

        if (*at)
                drop(at);
}

/* What was answered, as text; without memory for it the status alone is told. */
static void note(fanout_part *p, uint64_t task, uint32_t device, const odm_fanout_cmd *v, size_t n,
                 odm_str text)
{
        fanout_outcome *o = fanout_outcome_of(p, task, device, true);
        int rc = ODM_ENOMEM;

        if (o) {
                o->early = false;
                odm_buf_cut(&o->outcome, 0);
                odm_buf_cut(&o->text, 0);
                rc = odm_fanout_outcome_write(v, n, &o->outcome);
                if (rc == 0)
                        rc = odm_buf_str(&o->text, odm_str_to(text, odm_utf8_cut(text, TEXT_MAX)));
        }
        if (rc < 0)
                log_error("an answer cannot be kept", log_text("reason", odm_err_text(rc)));
}

/* ---- runs ------------------------------------------------------------------------------------------ */

static void unlink_run(fanout_run *r)
{
        fanout_run **at = &r->p->runs;

        while (*at != r)
                at = &(*at)->next;
        *at = r->next;
        odm_arena_done(&r->a);
        free(r);
}

void fanout_stop_runs(fanout_part *p, uint64_t task)
{
        fanout_run *next;

        for (fanout_run *r = p->runs; r; r = next) {
                next = r->next;
                if (task && r->task != task)
                        continue;
                gw_cancel(p->g, r->order);
                unlink_run(r);
        }
        for (size_t i = 0; i < FANOUT_SLOTS; i++)
                for (fanout_outcome **at = &p->slot[i]; *at;) {
                        if (task && (*at)->task != task)
                                at = &(*at)->next;
                        else
                                drop(at);
                }
}

/* A run that is over; the order's status where there are no answers. */
static void ran(fanout_part *p, uint64_t id, uint32_t device, const odm_fanout_cmd *v, size_t n,
                odm_str text)
{
        const fanout_task *t = fanout_by_id(p, id);
        odm_fanout_now now = fanout_now();
        unsigned status;
        odm_fanout_target to = odm_fanout_judge(v, n, &status);

        note(p, id, device, v, n, text);
        if (to == ODM_TARGET_FAILED && n == 1 && !v->ref.p &&
            (status == ODM_ST_TIMEOUT || status == ODM_ST_UNAVAILABLE))
                to = ODM_TARGET_TIMEOUT;
        if (to == ODM_TARGET_RUNNING && t && t->row.kind == FANOUT_QUEUED)
                to = ODM_TARGET_OK; /* its final alert is the server's business */
        odm_fanout_ran(p->f, id, device, to, status, &now);
        fanout_count(p, device);
        fanout_wake(p);
}

static void ran_as(fanout_part *p, uint64_t task, uint32_t device, unsigned status,
                   const char *text)
{
        const odm_fanout_cmd one = {.status = status};

        ran(p, task, device, &one, 1, odm_cstr(text));
}

static int take_values(const gw_answer *a, odm_arena *arena, odm_fanout_cmd *c)
{
        odm_fanout_value *v = odm_arena_zget(arena, (a->n ? a->n : 1) * sizeof *v);

        if (!v)
                return odm_arena_err(arena);
        for (size_t i = 0; i < a->n; i++)
                v[i] = (odm_fanout_value){.uri = a->nodes[i].path,
                                          .value = a->nodes[i].value,
                                          .has_data = a->nodes[i].has_data};
        c->v = v;
        c->n = a->n;
        return 0;
}

/* Final alerts that were faster than the answer. */
static void take_early(fanout_part *p, fanout_run *r, odm_fanout_cmd *v, size_t n)
{
        fanout_outcome *o = fanout_outcome_of(p, r->task, r->device, false);
        const odm_fanout_cmd *was;
        size_t count;

        if (!o || !o->early)
                return;
        if (odm_fanout_outcome_read(odm_buf_view(&o->outcome), &r->a, &was, &count) < 0)
                count = 0;
        for (size_t i = 0; i < n && i < count; i++)
                if (v[i].status == ODM_ST_ACCEPTED)
                        v[i].result = was[i].result;
}

static int take_answers(fanout_run *r, const fanout_task *t, const gw_answer *a, size_t n,
                        odm_fanout_cmd **out, odm_str *text)
{
        odm_fanout_cmd *v = odm_arena_zget(&r->a, n * sizeof *v);
        int rc = v ? 0 : odm_arena_err(&r->a);

        for (size_t i = 0; i < n && rc == 0; i++) {
                v[i].ref = odm_fanout_cmds_ref(&t->cmds, (uint32_t)i, &r->a);
                v[i].status = a[i].status;
                rc = v[i].ref.p ? take_values(&a[i], &r->a, &v[i]) : odm_arena_err(&r->a);
                if (!text->n && a[i].text.n && !odm_status_ok(a[i].status))
                        *text = a[i].text;
        }
        *out = v;
        return rc;
}

static int start_nested(fanout_run *r, const fanout_task *t);

/* A gateway has the task, or has begun it, or not. */
static void on_nested(fanout_run *r, const fanout_task *t, const gw_answer *a, size_t n,
                      odm_str text)
{
        fanout_part *p = r->p;
        gw_device *d = fanout_device(p, r->device);
        odm_fanout_cmd one = {.status = fanout_nest_status(a, n, &text)};
        bool good = odm_status_ok(one.status);

        if (good && !r->given) {
                if (t && start_nested(r, t) == 0)
                        return;
                good = false;
                one.status = ODM_ST_UNAVAILABLE;
        }
        take_early(p, r, &one, 1);
        ran(p, r->task, r->device, &one, 1, text);
        unlink_run(r);
        if (d && !good)
                fanout_below_look(p, d, true);
}

static void on_done(void *ctx, unsigned status, odm_str text, const gw_answer *a, size_t n)
{
        fanout_run *r = ctx;
        fanout_part *p = r->p;
        const fanout_task *t = fanout_by_id(p, r->task);
        odm_fanout_cmd *v = NULL, one = {.status = status};

        if (r->nested && n > 0) {
                on_nested(r, t, a, n, text);
                return;
        }
        if (t && n > 0 && n <= t->cmds.n && take_answers(r, t, a, n, &v, &text) == 0) {
                take_early(p, r, v, n);
                ran(p, r->task, r->device, v, n, text);
        } else {
                if (n > 0 && odm_status_ok(status))
                        one.status = ODM_ST_FAILED;
                ran(p, r->task, r->device, &one, 1, text);
        }
        unlink_run(r);
}

typedef struct url_of {
        const fanout_part *p;
        const gw_device *d;
} url_of;

static int local_url(void *ctx, odm_str image, odm_arena *a, odm_str *out)
{
        const url_of *u = ctx;
        int rc = gw_image_url(u->p->g, u->d, image, a, out);

        return rc == ODM_EIO || rc == ODM_ELIMIT ? ODM_ENOENT : rc;
}

/* The Exec of another part keeps the correlator that its server gave it. */
static void own_correlator(const fanout_task *t, const odm_command *list)
{
        odm_command *c = (odm_command *)(uintptr_t)list; /* a copy of ours */

        if (t->row.kind == FANOUT_QUEUED)
                c->correlator = t->row.correlator.n ? t->row.correlator : ODM_ABSENT;
}

#define TAG_MAX 24

static odm_str tag_of(const fanout_run *r, char out[TAG_MAX])
{
        (void)snprintf(out, TAG_MAX, "%c%llu", FANOUT_TAG, (unsigned long long)r->task);
        return odm_cstr(out);
}

static int order(fanout_run *r, const fanout_task *t, gw_device *d, int64_t deadline_ms)
{
        url_of url = {r->p, d};
        const odm_fanout_names names = {d->id, d->name, local_url, &url};
        gw_order o = {.deadline_ms = deadline_ms};
        char tag[TAG_MAX];
        int rc;

        r->due = odm_time_add(loop_now(), deadline_ms).ms;
        r->nested = d->is_gateway && t->row.kind == FANOUT_TASK;
        rc = r->nested ? fanout_nest_list(t, &r->a, &o.list)
                       : odm_fanout_cmds_for(&t->cmds, &names, tag_of(r, tag), &r->a, &o.list);
        if (rc < 0)
                return rc;
        if (!r->nested)
                own_correlator(t, o.list);
        return gw_run(r->p->g, d, &o, on_done, r, &r->order);
}

static int start_nested(fanout_run *r, const fanout_task *t)
{
        gw_device *d = fanout_device(r->p, r->device);
        int64_t left = r->due - loop_now().ms;
        gw_order o = {.deadline_ms = left > 0 ? left : 1};
        char tag[TAG_MAX];
        int rc = d ? fanout_nest_start(t, tag_of(r, tag), &r->a, &o.list) : ODM_ENOENT;
        fanout_outcome *had = fanout_outcome_of(r->p, r->task, r->device, false);

        if (rc == 0)
                rc = gw_run(r->p->g, d, &o, on_done, r, &r->order);
        r->given = rc == 0;
        if (r->given && had)
                had->nested_seq = 0; /* what it had before is gone there */
        return rc;
}

static void run(fanout_part *p, const odm_fanout_ask *a)
{
        gw_device *d = fanout_device(p, a->device);
        const fanout_task *t = fanout_by_id(p, a->task);
        fanout_run *r = d && t ? calloc(1, sizeof *r) : NULL;
        int rc;

        if (!d || !t || !r) {
                ran_as(p, a->task, a->device, d ? ODM_ST_UNAVAILABLE : ODM_ST_NOT_FOUND,
                       d ? "out of memory" : "its record is gone");
                return;
        }
        *r = (fanout_run){.next = p->runs, .p = p, .task = a->task, .device = a->device};
        p->runs = r;
        odm_arena_init(&r->a, &heap_mem, FANOUT_BYTES);
        rc = order(r, t, d, a->deadline_ms);
        if (rc == 0)
                return;
        unlink_run(r);
        if (rc == ODM_ENOENT)
                ran_as(p, a->task, a->device, ODM_ST_NOT_FOUND, "there is no such image");
        else
                ran_as(p, a->task, a->device, ODM_ST_UNAVAILABLE, odm_err_text(rc));
}

/* ---- rows -------------------------------------------------------------------------------------------- */

static odm_str outcome_text(const fanout_outcome *o, const odm_fanout_row *row, char *made,
                            size_t room)
{
        bool own = row->state == ODM_TARGET_OK || row->state == ODM_TARGET_FAILED ||
                   row->state == ODM_TARGET_RUNNING;

        if (o && o->outcome.n && own)
                return odm_buf_view(&o->outcome);
        if (!odm_target_over(row->state))
                return ODM_ABSENT;
        (void)snprintf(made, room, "<Cmd Status=\"%u\"/>", row->status);
        return odm_cstr(made);
}

static odm_str stranger(const fanout_task *t, uint32_t device)
{
        uint32_t i = device - FANOUT_STRANGER;

        return device >= FANOUT_STRANGER && i < t->list.n_strangers ? t->list.stranger[i]
                                                                    : ODM_ABSENT;
}

static int keep(fanout_part *p, store_batch *b, const odm_fanout_ask *a)
{
        const fanout_outcome *o = fanout_outcome_of(p, a->task, a->device, false);
        const fanout_task *t = fanout_by_id(p, a->task);
        const gw_device *d = fanout_device(p, a->device);
        fanout_target_row row = {.task = (int64_t)a->task,
                                 .device = a->device,
                                 .state = (uint32_t)a->row.state,
                                 .status = a->row.status,
                                 .tries = a->row.tries,
                                 .ended = a->row.ended,
                                 .awaits = a->row.awaits,
                                 .at = loop_wall().s};
        char made[32];

        if (!t)
                return 0;
        row.key = d ? odm_cstr(d->key) : ODM_ABSENT;
        row.id = d ? d->id : stranger(t, a->device);
        row.outcome = outcome_text(o, &a->row, made, sizeof made);
        if (o && a->row.state != ODM_TARGET_OK)
                row.text = odm_buf_view(&o->text);
        fanout_count(p, a->device);
        return fanout_put_target(b, &row);
}

static void on_kept(void *ctx, store_batch *b, int rc)
{
        fanout_part *p = ctx;

        p->writing = false;
        p->has_seen = false;
        odm_fanout_kept(p->f, rc == 0);
        if (rc < 0) {
                log_error("results are not kept yet", log_text("reason", odm_err_text(rc)));
                p->hold = odm_time_add(loop_now(), HOLD_MS).ms;
        }
        for (size_t i = 0; i < b->n && rc == 0; i++) {
                const fanout_target_row *row = b->ops[i]->row.row;
                gw_device *d = row->ended ? fanout_device(p, (uint32_t)row->device) : NULL;
                if (row->ended)
                        fanout_outcome_drop(p, (uint64_t)row->task, (uint32_t)row->device);
                if (d)
                        fanout_below_look(p, d, true);
        }
        fanout_work(p);
}

static void submit(fanout_part *p, store_batch *b, int rc)
{
        if (rc == 0 && b && b->n == 0) {
                store_batch_free(b);
                return;
        }
        if (rc == 0 && b)
                rc = gw_write_then(p->g, b, on_kept, p);
        if (rc == 0 && b) {
                p->writing = true;
                return;
        }
        if (b)
                store_batch_free(b);
        odm_fanout_kept(p->f, false);
        p->hold = odm_time_add(loop_now(), HOLD_MS).ms;
}

/* ---- the round ------------------------------------------------------------------------------------------ */

static void set_timer(fanout_part *p, int64_t due)
{
        if (loop_timer_set(p->host->loop, &p->timer, (odm_time){due}) < 0)
                log_error("no memory for a timer");
}

void fanout_wake(fanout_part *p)
{
        if (p->opened && !p->working)
                set_timer(p, loop_now().ms);
}

static bool held(const fanout_part *p)
{
        return loop_now().ms < p->hold;
}

static void ask_all(fanout_part *p)
{
        store_batch *b = p->writing || held(p) ? NULL : store_batch_new();
        odm_fanout_now now = fanout_now();
        odm_fanout_ask a;
        int rc = 0;

        while (odm_fanout_next(p->f, &now, b && rc == 0 && b->n < BATCH_MOST, &a) == 1)
                switch (a.kind) {
                case ODM_ASK_RUN: run(p, &a); break;
                case ODM_ASK_KEEP: rc = keep(p, b, &a); break;
                case ODM_ASK_TELL: fanout_tell(p, &a); break;
                }
        if (b)
                submit(p, b, rc);
}

static void tell_held(fanout_part *p)
{
        for (fanout_task *t = p->tasks; t && !held(p); t = t->next)
                if (t->telling && !t->writing)
                        fanout_tell_on(t);
}

void fanout_work(fanout_part *p)
{
        odm_fanout_now now;
        int64_t due;

        if (!p->opened || p->working)
                return;
        p->working = true;
        tell_held(p);
        ask_all(p);
        p->working = false;
        now = fanout_now();
        due = odm_fanout_time(p->f, &now).ms;
        if (held(p) && p->hold < due)
                due = p->hold;
        set_timer(p, due);
}

/* ---- final alerts ------------------------------------------------------------------------------------------ */

bool fanout_is_final(odm_str type)
{
        static const char *const others[] = {"urn:oma:at:diagmon:1.0:CollectedSimpleDataReport",
                                             "urn:oma:at:diagmon:1.0:TrapNotification",
                                             "urn:oma:at:diagmon:1.0:TrapInactiveNotification"};

        for (size_t i = 0; i < ODM_COUNT(others); i++)
                if (odm_str_ieq(type, others[i]))
                        return false;
        return true;
}

/* "411", "1402 and words" or "<ResultCode>1402</ResultCode>..."; what says nothing is good. */
static unsigned result_of(odm_str data)
{
        static const char element[] = "<ResultCode>";
        odm_str s = odm_str_trim(data);
        uint64_t v;
        size_t n = 0;

        if (odm_str_starts(s, element))
                s = odm_str_trim(odm_str_from(s, sizeof element - 1));
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                n++;
        if (odm_str_u64(odm_str_to(s, n), 1999, &v) < 0 || v < 200)
                return ODM_ST_OK;
        return (unsigned)v;
}

/* Whose alert it is: an open task of ours and the number of its command. */
static fanout_task *owner(const fanout_part *p, const gw_device *d, const odm_alert *a, uint32_t *n,
                          odm_fanout_row *row)
{
        fanout_task *t;
        odm_str tag;
        uint64_t id;

        if (!a->correlator.n || !fanout_is_final(a->type) ||
            odm_fanout_tag(a->correlator, &tag, n) < 0 || tag.p[0] != FANOUT_TAG ||
            odm_str_u64(odm_str_from(tag, 1), INT64_MAX, &id) < 0)
                return NULL;
        t = fanout_by_id(p, id);
        if (!t || !t->open || *n >= t->cmds.n || odm_fanout_find(p->f, id, d->number, row) < 0)
                return NULL;
        return row->state == ODM_TARGET_RUNNING ? t : NULL;
}

/* The whole row: that it awaits, and its place among those under way, may not have been kept yet.
 */
static int keep_outcome(fanout_part *p, const fanout_task *t, const gw_device *d,
                        const odm_fanout_row *at, odm_str outcome)
{
        const fanout_outcome *o = fanout_outcome_of(p, (uint64_t)t->row.id, d->number, false);
        const fanout_target_row row = {.task = t->row.id,
                                       .device = d->number,
                                       .key = odm_cstr(d->key),
                                       .id = d->id,
                                       .state = ODM_TARGET_RUNNING,
                                       .status = at->status,
                                       .tries = at->tries,
                                       .awaits = true,
                                       .at = loop_wall().s,
                                       .outcome = outcome,
                                       .text = o ? odm_buf_view(&o->text) : ODM_ABSENT};
        store_batch *b = store_batch_new();
        int rc = b ? fanout_put_target(b, &row) : ODM_ENOMEM;

        if (rc == 0)
                rc = gw_write(p->g, b);
        store_batch_free(b);
        p->has_seen = false;
        return rc;
}

/* What there is before the answer: each command taken, none of them through. */
static int unanswered(const fanout_task *t, const gw_device *d, odm_arena *a, odm_fanout_cmd **out,
                      size_t *count)
{
        bool nested = d->is_gateway && t->row.kind == FANOUT_TASK;
        size_t n = nested ? 1 : t->cmds.n;
        odm_fanout_cmd *v = odm_arena_zget(a, n * sizeof *v);

        for (size_t i = 0; v && i < n; i++) {
                v[i].status = ODM_ST_ACCEPTED;
                if (!nested)
                        v[i].ref = odm_fanout_cmds_ref(&t->cmds, (uint32_t)i, a);
        }
        if (a->err)
                return odm_arena_err(a);
        *out = v;
        *count = n;
        return 0;
}

/* What came of it so far, to be changed. */
static int outcome_so_far(const fanout_outcome *o, odm_arena *a, odm_fanout_cmd **out,
                          size_t *count)
{
        const odm_fanout_cmd *was;
        odm_fanout_cmd *v;
        size_t n;
        int rc = odm_fanout_outcome_read(odm_buf_view(&o->outcome), a, &was, &n);

        if (rc < 0)
                return rc;
        v = odm_arena_zget(a, (n ? n : 1) * sizeof *v);
        if (!v)
                return odm_arena_err(a);
        memcpy(v, was, n * sizeof *v);
        *out = v;
        *count = n;
        return 0;
}

/* Puts the result into the outcome; durable when it returns 0. */
static int add_result(fanout_part *p, const fanout_task *t, gw_device *d, uint32_t n, unsigned code,
                      const odm_fanout_row *at, odm_fanout_target *to, unsigned *status)
{
        fanout_outcome *o = fanout_outcome_of(p, (uint64_t)t->row.id, d->number, true);
        odm_fanout_cmd *v = NULL;
        odm_arena a;
        odm_buf b;
        size_t count = 0;
        int rc;

        if (!o)
                return ODM_ENOMEM;
        odm_arena_init(&a, &heap_mem, FANOUT_BYTES);
        odm_buf_init(&b, &heap_mem, ODM_FANOUT_OUTCOME_MAX);
        rc = at->awaits || o->early ? outcome_so_far(o, &a, &v, &count)
                                    : unanswered(t, d, &a, &v, &count);
        if (rc == 0 && n >= count)
                rc = ODM_ENOENT;
        if (rc == 0) {
                v[n].result = code;
                *to = odm_fanout_judge(v, count, status);
                rc = odm_fanout_outcome_write(v, count, &b);
        }
        if (rc == 0)
                rc = keep_outcome(p, t, d, at, odm_buf_view(&b));
        if (rc == 0) {
                odm_buf_done(&o->outcome);
                o->outcome = b;
                o->early = !at->awaits;
        } else {
                odm_buf_done(&b);
        }
        odm_arena_done(&a);
        return rc;
}

/* What cannot be taken now may be later; what never can is the server's business. */
static int taken(int rc)
{
        return rc == 0 ? 1 : rc == ODM_EIO || rc == ODM_ENOMEM ? rc : 0;
}

int fanout_alert(void *ctx, gw_device *d, const odm_alert *a)
{
        fanout_part *p = ctx;
        odm_fanout_now now = fanout_now();
        odm_fanout_target to = ODM_TARGET_RUNNING;
        odm_fanout_row row;
        unsigned status = 0, code = result_of(a->data);
        uint32_t n;
        fanout_task *t = p->opened ? owner(p, d, a, &n, &row) : NULL;
        int rc;

        if (!t)
                return 0;
        if (d->is_gateway && odm_str_ieq(a->type, ODM_FANOUT_RESULT_ALERT))
                return taken(fanout_nest_pass(t, d, a->data));
        if (d->is_gateway && odm_str_ieq(a->type, ODM_FANOUT_DONE_ALERT))
                code = fanout_nest_result(a->data);
        rc = add_result(p, t, d, n, code, &row, &to, &status);
        if (rc < 0 || !row.awaits) /* with those, the answer goes by it */
                return taken(rc);
        if (to != ODM_TARGET_RUNNING && odm_fanout_final(p->f, (uint64_t)t->row.id, d->number,
                                                         to == ODM_TARGET_OK, status, &now) < 0)
                return 0;
        fanout_wake(p);
        return 1;
}
