/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway behind this one as a target: it is given the task as one of its own, for all of its
 * devices, and what it tells of them goes on as results of ours (gwmo.md 8).
 *
 *     RUN -> Add ./GwMO/Fanout/Fanout/p<id> -> 2xx -> Exec Start  -> 202
 *     resultaggregation of it -> the same entries, keys "g0007/d0003", our TaskID and Seq
 *     completionstatus of it  -> the end of the target; the node there goes (fanout_below.c) */
#include <stdio.h>

#include "fanout_inner.h"
#include "heap.h"
#include "log.h"

#define ROOM 24576
#define DOC_BYTES ((size_t)32 << 20)
#define KEY_MAX 64

/* ---- the task below ------------------------------------------------------------------------------ */

typedef struct writer { /* of the leaves of its node */
        const fanout_task *t;
        odm_arena *a;
        odm_command *add;
        odm_item **last;
        bool failed;
} writer;

static odm_str address(const fanout_task *t, const char *rel, odm_arena *a)
{
        return odm_arena_fmt(a, FANOUT_TASKS "p%lld%s", (long long)t->row.id, rel);
}

static void put(writer *w, const char *rel, odm_format format, odm_str data)
{
        odm_item *i = odm_new(w->a, odm_item);

        if (i) {
                i->target = address(w->t, rel, w->a);
                i->meta = (odm_meta){.present = true, .format = format};
                if (data.p)
                        i->data = (odm_data){.kind = ODM_DATA_TEXT, .bytes = data};
                *w->last = i;
                w->last = &i->next;
        }
        w->failed |= !i || !i->target.p;
}

static void put_number(writer *w, const char *rel, int64_t n)
{
        odm_str text = odm_arena_number(w->a, (uint64_t)n);

        put(w, rel, ODM_FMT_INT, text);
        w->failed |= !text.p;
}

static odm_command *command(writer *w, odm_cmd kind, odm_command **after)
{
        odm_command *c = odm_new(w->a, odm_command);

        w->failed |= !c;
        if (!c)
                return NULL;
        c->kind = kind;
        w->last = &c->items;
        *after = c;
        return c;
}

static void put_settings(writer *w)
{
        const fanout_row *r = &w->t->row;
        char *time = odm_arena_get(w->a, ODM_WALL_TEXT);

        put(w, "/TaskID", ODM_FMT_CHR, r->task);
        put(w, "/Targets/1", ODM_FMT_CHR, ODM_STR("all"));
        put(w, "/Cmds", ODM_FMT_XML, r->cmds);
        w->failed |= !time;
        if (time) {
                odm_wall_format((odm_wall){r->expire}, time);
                put(w, "/Expire", ODM_FMT_TIME, odm_cstr(time));
        }
        put_number(w, "/Priority", r->priority);
        put_number(w, "/DevTimeout", r->timeout_ms / 1000);
        put_number(w, "/MaxParallel", r->parallel);
        put_number(w, "/Retry", r->retry);
        put_number(w, "/Operations/ReturnFormat", r->format);
}

int fanout_nest_list(const fanout_task *t, odm_arena *a, const odm_command **out)
{
        writer w = {.t = t, .a = a};
        odm_command *node = NULL, *leaves = NULL;

        if (command(&w, ODM_CMD_ADD, &node))
                put(&w, "", ODM_FMT_NODE, ODM_ABSENT);
        if (node && command(&w, ODM_CMD_ADD, &leaves)) {
                node->next = leaves;
                put_settings(&w);
        }
        if (w.failed)
                return odm_arena_err(a);
        *out = node;
        return 0;
}

int fanout_nest_start(const fanout_task *t, odm_str tag, odm_arena *a, const odm_command **out)
{
        writer w = {.t = t, .a = a};
        odm_command *start = NULL;

        if (command(&w, ODM_CMD_EXEC, &start)) {
                put(&w, "/Operations/Start", ODM_FMT_ABSENT, ODM_ABSENT);
                start->correlator = odm_arena_fmt(a, "%.*s.0", (int)tag.n, tag.p);
                w.failed |= !start->correlator.p;
        }
        if (w.failed)
                return odm_arena_err(a);
        start->items->meta.present = false;
        *out = start;
        return 0;
}

unsigned fanout_nest_status(const gw_answer *v, size_t n, odm_str *text)
{
        size_t i = 0;

        while (i + 1 < n && odm_status_ok(v[i].status))
                i++;
        if (!odm_status_ok(v[i].status))
                *text = v[i].text;
        if (v[i].status != ODM_ST_EXISTS)
                return v[i].status;
        /* of a run that was cut short, or of nobody: it goes, and what may be done twice is */
        *text = ODM_STR("it has a task of that number");
        return ODM_ST_TIMEOUT;
}

/* What the state that a task below ended in is as a result. */
unsigned fanout_nest_result(odm_str data)
{
        uint64_t state;

        if (odm_str_u64(odm_str_trim(data), ODM_FANOUT_REFUSED, &state) < 0)
                return ODM_ST_FAILED;
        return state == ODM_FANOUT_OK        ? ODM_ST_OK
               : state == ODM_FANOUT_EXPIRED ? ODM_ST_TIMEOUT
                                             : ODM_ST_FAILED;
}

/* ---- its results --------------------------------------------------------------------------------- */

typedef struct passer {
        fanout_task *t;
        const gw_device *d;
        odm_gather g;
} passer;

/* What has been gathered, north, and the number of the document kept with it. */
static int flush(passer *p)
{
        fanout_task *t = p->t;
        store_batch *b = store_batch_new();
        odm_buf doc;
        int rc = b ? 0 : ODM_ENOMEM;

        odm_buf_init(&doc, &heap_mem, ROOM + 2 * (size_t)ODM_FANOUT_OUTCOME_MAX);
        if (rc == 0)
                rc = fanout_tell_document(t, b, &p->g, false, &doc);
        if (rc == 0)
                rc = fanout_patch(b, &t->row, STORE_FIELD(FANOUT_F_SEQ));
        if (rc == 0)
                rc = gw_write(t->p->g, b);
        odm_buf_done(&doc);
        store_batch_free(b);
        odm_gather_done(&p->g);
        odm_gather_init(&p->g, &heap_mem, (odm_fanout_format)t->row.format, ROOM);
        return rc;
}

static int pass_one(passer *p, const odm_fanout_entry *e, odm_str key, odm_str outcome)
{
        char text[KEY_MAX];
        int n = snprintf(text, sizeof text, "%s/%.*s", p->d->key, (int)key.n, key.n ? key.p : "");
        odm_str path = {text, n < 0 ? 0 : (size_t)n};
        int rc;

        if (n < 0 || (size_t)n >= sizeof text)
                return 0; /* deeper than any of ours */
        rc = odm_gather_add(&p->g, path, e->id, e->state, outcome, e->text);
        if (rc == 1)
                rc = flush(p);
        else
                return rc;
        return rc == 0 ? odm_gather_add(&p->g, path, e->id, e->state, outcome, e->text) : rc;
}

static int pass_entry(passer *p, const odm_fanout_entry *e)
{
        size_t at = 0;
        odm_str key;
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, ODM_FANOUT_OUTCOME_MAX);
        rc = odm_fanout_outcome_write(e->cmd, e->n, &b);
        if (rc == 0 && !e->is_group)
                rc = pass_one(p, e, e->key, odm_buf_view(&b));
        while (rc == 0 && e->is_group && odm_fanout_next_key(e->keys, &at, &key))
                rc = pass_one(p, e, key, odm_buf_view(&b));
        odm_buf_done(&b);
        return rc;
}

int fanout_nest_pass(fanout_task *t, const gw_device *d, odm_str document)
{
        fanout_outcome *o = fanout_outcome_of(t->p, (uint64_t)t->row.id, d->number, true);
        passer p = {.t = t, .d = d};
        odm_fanout_doc doc;
        odm_arena a;
        int rc = o ? 0 : ODM_ENOMEM;

        odm_arena_init(&a, &heap_mem, DOC_BYTES);
        odm_gather_init(&p.g, &heap_mem, (odm_fanout_format)t->row.format, ROOM);
        if (rc == 0)
                rc = odm_fanout_doc_read(document, &a, &doc);
        if (rc == 0 && doc.seq > o->nested_seq) {
                for (const odm_fanout_entry *e = doc.entries; e && rc == 0; e = e->next)
                        rc = pass_entry(&p, e);
                if (rc == 0 && p.g.first)
                        rc = flush(&p);
                if (rc == 0)
                        o->nested_seq = doc.seq;
        }
        if (rc == ODM_EMALFORMED || rc == ODM_EINVAL) {
                log_warn("results of a gateway cannot be read", log_text("key", d->key));
                rc = 0;
        }
        odm_gather_done(&p.g);
        odm_arena_done(&a);
        return rc;
}
