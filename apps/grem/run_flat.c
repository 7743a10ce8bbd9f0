/* SPDX-License-Identifier: Apache-2.0 */
/* run_flat.c - the commands of an order laid flat, and their answers; see run_inner.h. */
#include "run_inner.h"

#include <assert.h>
#include <string.h>

#include "plain.h"

#define UNITS_MAX 4096
#define NEST_MAX 8
#define TEXT_MAX 1024

/* ---- the list -------------------------------------------------------------------------------- */

bool run_is_container(odm_cmd k)
{
        return k == ODM_CMD_ATOMIC || k == ODM_CMD_SEQUENCE;
}

/* How many; SIZE_MAX for what nests too deep or is too much. */
size_t run_count(const odm_command *list)
{
        const odm_command *up[NEST_MAX];
        const odm_command *c = list;
        unsigned depth = 0;
        size_t n = 0;

        while (c) {
                if (++n > UNITS_MAX)
                        return SIZE_MAX;
                if (run_is_container(c->kind) && c->body) {
                        if (depth == NEST_MAX)
                                return SIZE_MAX;
                        up[depth++] = c;
                        c = c->body;
                        continue;
                }
                while (c && c->next == NULL)
                        c = depth ? up[--depth] : NULL;
                c = c ? c->next : NULL;
        }
        return n;
}

void run_lay_flat(struct order *o)
{
        size_t up[NEST_MAX], depth = 0, i = 0;
        const odm_command *c = o->list;

        while (c) {
                size_t here = i++;
                struct unit *u = &o->unit[here];
                *u = (struct unit){.cmd = c, .end = i, .atomic = here};
                if (depth) {
                        const struct unit *p = &o->unit[up[depth - 1]];
                        u->atomic = p->cmd->kind == ODM_CMD_ATOMIC ? up[depth - 1] : p->atomic;
                        if (u->atomic == up[depth - 1] && p->cmd->kind != ODM_CMD_ATOMIC)
                                u->atomic = here;
                }
                if (run_is_container(c->kind) && c->body) {
                        up[depth++] = here;
                        c = c->body;
                        continue;
                }
                while (c && c->next == NULL) {
                        c = depth ? o->unit[up[--depth]].cmd : NULL;
                        if (c)
                                o->unit[up[depth]].end = i;
                }
                c = c ? c->next : NULL;
        }
        assert(i == o->n);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* What is said of it goes to people who do not know the place. */
odm_str run_keep_text(struct order *o, odm_str text)
{
        return plain_text(
                odm_str_to(text, odm_utf8_cut(text, text.n < TEXT_MAX ? text.n : TEXT_MAX)),
                o->lane->d->addr, &o->arena);
}

void run_answer(struct order *o, size_t unit, unsigned status, odm_str text)
{
        gw_answer *a = &o->answer[unit];

        o->unit[unit].answered = true;
        a->status = status;
        a->text = run_keep_text(o, text);
}

static bool took_effect(const struct order *o, size_t unit)
{
        odm_cmd k = o->unit[unit].cmd->kind;
        unsigned status = o->answer[unit].status;

        return o->unit[unit].answered && odm_status_ok(status) && status != ODM_ST_NOT_EXECUTED &&
               k != ODM_CMD_GET && !run_is_container(k);
}

/* A member of an Atomic that was done one by one failed: the rest is not done. */
static void break_atomic(struct order *o, size_t failed)
{
        size_t top = o->unit[failed].atomic;
        unsigned status = ODM_ST_ATOMIC_FAILED;

        for (size_t i = top + 1; i < o->unit[top].end; i++) {
                if (took_effect(o, i))
                        status = ODM_ST_ROLLBACK_FAILED;
                if (!o->unit[i].answered)
                        run_answer(o, i, ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        }
        run_answer(o, top, status, ODM_ABSENT);
        o->at = o->unit[top].end;
}

/* The unit is done: on to the next. */
void run_go_on(struct order *o, size_t unit, unsigned status, odm_str text)
{
        size_t top = o->unit[unit].atomic;

        run_answer(o, unit, status, text);
        o->at = o->unit[unit].end;
        o->item = NULL;
        if (top != unit && !odm_status_ok(status))
                break_atomic(o, unit);
}

/* A whole Atomic is refused. */
void run_refuse_atomic(struct order *o, size_t top, unsigned status, odm_str text)
{
        for (size_t i = top + 1; i < o->unit[top].end; i++)
                run_answer(o, i, ODM_ST_NOT_EXECUTED, ODM_ABSENT);
        run_go_on(o, top, status, text);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool at_or_below(odm_str path, odm_str top)
{
        if (path.n < top.n || memcmp(path.p, top.p, top.n) != 0)
                return false;
        return path.n == top.n || path.p[top.n] == '/';
}

static bool below_by_one(odm_str path, odm_str top)
{
        return at_or_below(path, top) && path.n > top.n + 1 &&
               memchr(path.p + top.n + 1, '/', path.n - top.n - 1) == NULL;
}

int run_keep_node(odm_arena *a, const adapter_node *in, adapter_node *out)
{
        *out = *in;
        out->path = odm_arena_copy(a, in->path);
        out->value.type = odm_arena_copy(a, in->value.type);
        out->value.data = odm_arena_copy(a, in->value.data);
        return out->path.p == NULL || (in->value.type.p && !out->value.type.p) ||
                               (in->value.data.p && !out->value.data.p)
                       ? odm_arena_err(a)
                       : 0;
}

/* The nodes of a reply that a Get of `path` wants join those it has. */
int run_keep_nodes(struct order *o, gw_answer *to, odm_str path, odm_view_need need,
                   const adapter_reply *r, size_t *found)
{
        adapter_node *v;
        size_t n = to->n;

        *found = 0;
        v = odm_arena_get(&o->arena, (to->n + r->n) * sizeof *v);
        if (v == NULL)
                return odm_arena_err(&o->arena);
        if (to->n)
                memcpy(v, to->nodes, to->n * sizeof *v);
        for (size_t i = 0; i < r->n; i++) {
                odm_str p = r->nodes[i].path;
                bool mine = need == ODM_VIEW_NODE ? odm_str_eq(p, path) || below_by_one(p, path)
                                                  : at_or_below(p, path);
                if (!mine)
                        continue;
                int rc = run_keep_node(&o->arena, &r->nodes[i], &v[n]);
                if (rc < 0)
                        return rc;
                n++;
                ++*found;
        }
        to->nodes = v;
        to->n = n;
        return 0;
}
