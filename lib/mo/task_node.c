/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks as nodes: ./Vendor/Task/<number> with a leaf a field (mo/task.ddf).  A server may read
 * them: what a device is busy with, and what it could not report yet, is nothing to hide. */
#include "task_node.h"

#include <string.h>

#define AT "./Vendor/Task"

enum field {
        F_KIND,
        F_OBJECT,
        F_EXEC,
        F_SERVER,
        F_CORRELATOR,
        F_SINCE,
        F_ARGS,
        F_STEP,
        F_ALONE,
        F_TRIES,
        F_RESULT,
        F_TARGET,
        F_NOTE,
        F_ENDED,
        N_FIELDS
};

static const struct {
        const char *name;
        odm_format format;
} fields[N_FIELDS] = {
        [F_KIND] = {"Kind", ODM_FMT_CHR},
        [F_OBJECT] = {"Object", ODM_FMT_CHR},
        [F_EXEC] = {"Exec", ODM_FMT_CHR},
        [F_SERVER] = {"Server", ODM_FMT_CHR},
        [F_CORRELATOR] = {"Correlator", ODM_FMT_CHR},
        [F_SINCE] = {"Since", ODM_FMT_CHR},
        [F_ARGS] = {"Args", ODM_FMT_CHR},
        [F_STEP] = {"Step", ODM_FMT_CHR},
        [F_ALONE] = {"Alone", ODM_FMT_BOOL},
        [F_TRIES] = {"Tries", ODM_FMT_INT},
        [F_RESULT] = {"Result", ODM_FMT_INT},
        [F_TARGET] = {"Target", ODM_FMT_CHR},
        [F_NOTE] = {"Note", ODM_FMT_CHR},
        [F_ENDED] = {"Ended", ODM_FMT_CHR},
};

static odm_str wall_text(odm_arena *a, odm_wall w)
{
        char text[ODM_WALL_TEXT];

        odm_wall_format(w, text);
        return odm_arena_copy(a, odm_cstr(text));
}

/* The text of a field; absent when the task has none. */
static odm_str field_text(const odm_task *t, enum field f, odm_arena *a)
{
        switch (f) {
        case F_KIND: return odm_cstr(t->kind->name);
        case F_OBJECT: return t->object;
        case F_EXEC: return t->exec;
        case F_SERVER: return t->server;
        case F_CORRELATOR: return t->correlator;
        case F_SINCE: return wall_text(a, t->since);
        case F_ARGS: return t->args;
        case F_STEP: return t->step ? odm_cstr(t->kind->steps[t->step]) : ODM_STR("ended");
        case F_ALONE: return t->alone ? ODM_STR("true") : ODM_STR("false");
        case F_TRIES: return odm_arena_number(a, t->tries);
        case F_RESULT: return t->step ? ODM_ABSENT : odm_arena_number(a, t->result);
        case F_TARGET: return t->target;
        case F_NOTE: return t->note;
        case F_ENDED: return t->step ? ODM_ABSENT : wall_text(a, t->ended);
        case N_FIELDS: break;
        }
        return ODM_ABSENT;
}

static odm_str field_uri(odm_arena *a, uint32_t id, enum field f)
{
        return odm_arena_fmt(a, AT "/%u/%s", (unsigned)id, fields[f].name);
}

static int save_field(odm_tasks *ts, const odm_task *t, enum field f, odm_str text, odm_arena *a)
{
        const odm_value v = {.format = fields[f].format, .data = text};
        odm_str uri = field_uri(a, t->id, f);

        return uri.p ? odm_tree_write(ts->opt.tree, uri, &v, ts->now) : odm_arena_err(a);
}

int odm_slot_save(odm_tasks *ts, const struct slot *s, const odm_task *before)
{
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, ts->opt.mem, 65536);
        for (unsigned f = 0; f < N_FIELDS && rc == 0; f++) {
                odm_str text = field_text(&s->t, (enum field)f, &a);
                odm_str old = s->saved ? field_text(before, (enum field)f, &a) : ODM_ABSENT;
                rc = a.err;
                if (rc == 0 && text.p && !(old.p && odm_str_eq(text, old)))
                        rc = save_field(ts, &s->t, (enum field)f, text, &a);
        }
        odm_arena_done(&a);
        return rc;
}

int odm_task_node_delete(odm_tasks *ts, uint32_t id)
{
        char block[1024];
        odm_answer out;
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, 16384, block, sizeof block);
        const odm_op op = {.kind = ODM_CMD_DELETE,
                           .target = odm_arena_fmt(&a, AT "/%u", (unsigned)id)};
        rc = op.target.p ? odm_tree_do(ts->opt.tree, &op, ts->now, &a, &out) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc == 0 && !odm_status_ok(out.status) && out.status != ODM_ST_NOT_FOUND ? ODM_EIO
                                                                                       : rc;
}

/* ---- reading them again ----------------------------------------------------------------- */

static bool read_number(odm_str text, unsigned *out)
{
        uint64_t n;

        if (!text.p || odm_str_u64(text, UINT32_MAX, &n) < 0)
                return false;
        *out = (unsigned)n;
        return true;
}

static bool read_kind(odm_tasks *ts, odm_task *t, odm_str name)
{
        for (size_t i = 0; i < ts->n_kinds; i++) {
                if (!odm_str_is(name, ts->kind[i].kind->name))
                        continue;
                t->kind = ts->kind[i].kind;
                t->ctx = ts->kind[i].ctx;
                return true;
        }
        return false;
}

static bool read_step(odm_task *t, odm_str name)
{
        if (odm_str_is(name, "ended"))
                return true;
        for (unsigned i = 1; i < t->kind->n_steps; i++)
                if (odm_str_is(name, t->kind->steps[i]))
                        t->step = i;
        return t->step != 0;
}

static bool has_sense(const odm_task *t)
{
        return t->exec.n > t->object.n + 1 && t->object.n &&
               odm_str_eq(odm_str_to(t->exec, t->object.n), t->object);
}

/* Text stays in the slot's arena, which the values were read into. */
static bool take_fields(odm_tasks *ts, struct slot *s, const odm_str v[N_FIELDS])
{
        odm_task *t = &s->t;

        t->object = v[F_OBJECT];
        t->exec = v[F_EXEC];
        t->server = v[F_SERVER];
        t->correlator = v[F_CORRELATOR];
        t->args = v[F_ARGS];
        t->target = v[F_TARGET];
        t->note = v[F_NOTE];
        t->alone = odm_str_is(v[F_ALONE], "true");
        if (!read_kind(ts, t, v[F_KIND]) || !read_step(t, v[F_STEP]) || !has_sense(t) ||
            !read_number(v[F_TRIES], &t->tries) || odm_wall_parse(v[F_SINCE], &t->since) < 0)
                return false;
        return t->step ||
               (read_number(v[F_RESULT], &t->result) && odm_wall_parse(v[F_ENDED], &t->ended) == 0);
}

static int read_fields(odm_tasks *ts, struct slot *s, odm_str v[N_FIELDS])
{
        for (unsigned f = 0; f < N_FIELDS; f++) {
                odm_str uri = field_uri(&s->text, s->t.id, (enum field)f);
                odm_value value = {ODM_FMT_ABSENT};
                int rc = uri.p ? odm_tree_read(ts->opt.tree, uri, &s->text, &value)
                               : odm_arena_err(&s->text);
                if (rc < 0 && rc != ODM_ENOENT)
                        return rc;
                v[f] = rc == 0 && value.data.p ? odm_arena_copy(&s->text, value.data) : ODM_ABSENT;
                if (s->text.err)
                        return s->text.err;
        }
        return 0;
}

struct reader {
        odm_tasks *ts;
        uint32_t good[ODM_TASK_MAX], bad[ODM_TASK_MAX];
        size_t n_good, n_bad;
};

static int note_id(void *ctx, odm_str name)
{
        struct reader *r = ctx;
        uint64_t id;

        if (odm_str_u64(name, UINT32_MAX, &id) == 0 && id && r->n_good < ODM_TASK_MAX)
                r->good[r->n_good++] = (uint32_t)id;
        return 0;
}

static int read_task(struct reader *r, uint32_t id)
{
        struct slot *s = odm_slot_add(r->ts);
        odm_str v[N_FIELDS];
        int rc;

        s->t.id = id;
        s->saved = true;
        rc = read_fields(r->ts, s, v);
        if (rc == 0 && take_fields(r->ts, s, v)) {
                if (id >= r->ts->next_id)
                        r->ts->next_id = id + 1;
                return 0;
        }
        odm_arena_done(&s->text);
        r->ts->n--;
        if (rc == 0 || rc == ODM_ELIMIT)
                r->bad[r->n_bad++] = id;
        return rc == ODM_ELIMIT ? 0 : rc;
}

int odm_task_nodes_read(odm_tasks *ts, odm_wall now)
{
        struct reader r = {.ts = ts};
        int rc = odm_tree_children(ts->opt.tree, ODM_STR(AT), note_id, &r);

        ts->now = now;
        for (size_t i = 0; i < r.n_good && rc == 0; i++)
                rc = read_task(&r, r.good[i]);
        for (size_t i = 0; i < r.n_bad && rc == 0; i++) {
                ODM_TRACE(ts->opt.trace, "task", "%u makes no sense here", r.bad[i]);
                rc = odm_task_node_delete(ts, r.bad[i]);
        }
        return rc;
}
