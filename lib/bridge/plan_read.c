/* SPDX-License-Identifier: Apache-2.0 */
/* Reading nodes: Discover where it is not known what there is, one Read for each instance of which
 * several resources are wanted (a composite one for several instances, from 1.1 on), and the nodes
 * that come of it: leaves by the rules, in order, with the nodes above them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

struct want { /* a path that was asked for */
        odm_str path;
        odm_uri uri;
        bool raw; /* below ./LwM2M; "." is both */
        bool mapped;
        odm_lw_path raw_path;
};

struct leaf { /* a node to tell, and how its address sorts */
        odm_bridge_node node;
};

struct state {
        odm_ask ask;
        struct want *want;
        size_t n_want;
        bool discovered, read;
        odm_lw_path *need; /* what is to be read */
        size_t n_need, cap_need;
        struct leaf *leaf;
        size_t n_leaf, cap_leaf;
        odm_bridge_node *out;
        size_t n_out, cap_out;
        unsigned refused; /* status of what is there and cannot be read */
};

/* ---- which rows a path is about ------------------------------------------------------------- */

/* Whether the row stands at or below what is wanted; *name is what the path says of its asterisk.
 */
static bool covers(const struct want *w, const struct row *row, odm_str *name)
{
        *name = ODM_ABSENT;
        if (!w->mapped || row->n_seg < w->uri.depth)
                return false;
        for (unsigned i = 0; i < w->uri.depth; i++) {
                if ((int)i == row->star)
                        *name = w->uri.seg[i];
                else if (!odm_str_eq(row->seg[i], w->uri.seg[i]))
                        return false;
        }
        return true;
}

static bool exact(const struct want *w, const struct row *row)
{
        return row->n_seg == w->uri.depth;
}

/* Whether the value of a row's leaf is to be told. */
static bool wants_value(const struct state *s, const struct want *w, const struct row *row)
{
        if (row->format == ODM_FMT_NODE || !(row->access & ODM_ACC_GET))
                return false;
        return s->ask == ODM_ASK_DATA || (s->ask == ODM_ASK_NODE && exact(w, row));
}

static bool by_kept_name(const struct row *row)
{
        return row->star >= 0 && row->source_star < 0 && row->rule != RULE_TRAP &&
               row->rule != RULE_TRAP_ID && row->rule != RULE_TRAP_STATUS;
}

static bool is_trap(const struct row *row)
{
        return row->rule == RULE_TRAP || row->rule == RULE_TRAP_ID || row->rule == RULE_TRAP_STATUS;
}

/* Calls fn for each name that the asterisk of a row may have; with an absent one for a row without.
 */
struct names {
        odm_plan *p;
        struct state *s;
        const struct want *w;
        const struct row *row;
        int (*fn)(struct names *n, odm_str name);
};

static int each_number(struct names *n)
{
        const odm_bridge *b = n->p->b;
        odm_lw_path src = n->row->source;
        uint32_t from = 0;

        for (;;) {
                uint16_t i = odm_bridge_instance(b, src.id[0], from);
                if (i == NO_INSTANCE)
                        return 0;
                odm_str name = odm_arena_number(n->p->a, i);
                if (name.p == NULL)
                        return odm_arena_err(n->p->a);
                int rc = n->fn(n, name);
                if (rc < 0)
                        return rc;
                from = (uint32_t)i + 1;
        }
}

static int each_resource_instance(struct names *n)
{
        for (size_t i = 0; i < n->p->n_got; i++) {
                odm_lw_path p = n->p->got[i].path;
                if (p.depth != 4 || !odm_lw_path_below(p, odm_lw_path_to(n->row->source, 3)))
                        continue;
                odm_str name = odm_arena_number(n->p->a, p.id[3]);
                int rc = name.p ? n->fn(n, name) : odm_arena_err(n->p->a);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int each_trap(struct names *n)
{
        uint64_t codes = n->p->b->trap_seen;

        for (size_t i = 0; i < n->p->n_got; i++) {
                const odm_lw_node *v = &n->p->got[i];
                if (odm_lw_path_below(v->path, n->row->source) &&
                    v->value.type == ODM_LW_T_INTEGER && v->value.i > 0 && v->value.i < TRAPS_MAX)
                        codes |= 1ull << v->value.i;
        }
        for (unsigned c = 1; c < TRAPS_MAX; c++) {
                if (!(codes >> c & 1))
                        continue;
                odm_str name = odm_arena_fmt(n->p->a, "error%u", c);
                int rc = name.p ? n->fn(n, name) : odm_arena_err(n->p->a);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* The part of a row's address before its asterisk, with the slash. */
static size_t before_star(const struct row *row)
{
        return (size_t)(row->seg[row->star].p - row->node.p);
}

static int each_kept(struct names *n)
{
        size_t at = before_star(n->row);
        odm_str last = ODM_ABSENT;

        for (const struct kept *k = n->p->b->kept; k; k = k->next) {
                size_t len = at;
                if (k->path_n <= at || memcmp(k->text, n->row->node.p, at) != 0)
                        continue;
                while (len < k->path_n && k->text[len] != '/')
                        len++;
                odm_str name = {k->text + at, len - at};
                if (last.p && odm_str_eq(name, last))
                        continue;
                last = name;
                int rc = n->fn(n, name);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static bool kept_has(const odm_bridge *b, const struct row *row, odm_str name)
{
        size_t at = before_star(row);

        for (const struct kept *k = b->kept; k; k = k->next)
                if (k->path_n >= at + name.n && memcmp(k->text, row->node.p, at) == 0 &&
                    memcmp(k->text + at, name.p, name.n) == 0 &&
                    (k->path_n == at + name.n || k->text[at + name.n] == '/'))
                        return true;
        return false;
}

static int each_name(struct names *n, odm_str bound)
{
        const struct row *row = n->row;

        if (row->star < 0)
                return n->fn(n, ODM_ABSENT);
        if (bound.p) {
                if (by_kept_name(row) && !kept_has(n->p->b, row, bound))
                        return 0;
                if (is_trap(row) && odm_bridge_trap_code(bound) < 0)
                        return 0;
                return n->fn(n, bound);
        }
        if (is_trap(row))
                return each_trap(n);
        if (row->source_star == 1)
                return each_number(n);
        return row->source_star == 3 ? each_resource_instance(n) : each_kept(n);
}

/* ---- what is to be asked ---------------------------------------------------------------------- */

static int need(odm_plan *p, odm_lw_path path)
{
        struct state *s = p->state;
        void *v = s->need;

        for (size_t i = 0; i < s->n_need; i++)
                if (odm_lw_path_below(path, s->need[i]))
                        return 0;
        int rc =
                odm_plan_room(p->a, &v, s->n_need, &s->cap_need, sizeof *s->need, ODM_LW_NODES_MAX);
        if (rc < 0)
                return rc;
        s->need = v;
        s->need[s->n_need++] = path;
        return 0;
}

static bool uses_value(enum rule r)
{
        return r == RULE_PLAIN || r == RULE_OR_EMPTY || r == RULE_OR_KEPT || r == RULE_ENUM ||
               r == RULE_TIMES || r == RULE_DECIMAL || r == RULE_LIST || r == RULE_IPV4 ||
               r == RULE_IPV6 || r == RULE_FUMO_STATE || r == RULE_SLEEP || r == RULE_TRAP_STATUS;
}

/* The resources that the leaf of a row, with a name, is made of. */
static int need_row(struct names *n, odm_str name)
{
        const struct row *row = n->row;
        odm_lw_path src;

        if (!row->has_source)
                return 0;
        if (row->source_star == 3 && name.p == NULL)
                src = odm_lw_path_to(row->source, 3);
        else if (!odm_bridge_source(n->p->b, row, name, &src))
                return 0;
        int rc = 0;
        if (row->n_when > 0)
                rc = need(n->p, odm_lw_path_down(odm_lw_path_to(src, 2), row->when));
        if (rc == 0 && src.depth >= 3 && odm_bridge_has(n->p->b, src) &&
            ((wants_value(n->s, n->w, row) && uses_value(row->rule)) || row->source_star == 3 ||
             (is_trap(row) && n->p->b->trap_seen == 0)))
                rc = need(n->p, odm_lw_path_to(src, 3));
        if (rc == 0 && row->rule == RULE_FUMO_STATE && wants_value(n->s, n->w, row))
                rc = need(n->p, odm_lw_path_down(odm_lw_path_to(src, 2), 5));
        return rc;
}

static int need_raw(odm_plan *p, const struct want *w)
{
        struct state *s = p->state;
        odm_lw_path at = w->raw_path;

        if (s->ask == ODM_ASK_STRUCT || (s->ask == ODM_ASK_NODE && at.depth < 3))
                return 0;
        if (at.depth > 0)
                return odm_bridge_has(p->b, at) ? need(p, at) : 0;
        for (size_t i = 0; i < p->b->n_offer; i++) {
                int rc = need(p, ODM_LW_PATH1(p->b->offer[i].object));
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int by_path(const void *x, const void *y)
{
        return odm_lw_path_cmp(*(const odm_lw_path *)x, *(const odm_lw_path *)y);
}

/* Whether what it says of itself allows one request for all of it. */
static unsigned composite_ct(const odm_bridge *b)
{
        if (!b->v1_1 || b->no_composite)
                return ODM_LW_NO_CT;
        return b->cts & ODM_LW_CAN_SENML_CBOR   ? ODM_LW_SENML_CBOR
               : b->cts & ODM_LW_CAN_SENML_JSON ? ODM_LW_SENML_JSON
                                                : ODM_LW_NO_CT;
}

/* One request for `n` paths, as singles say them. */
static int ask_composite(odm_plan *p, const odm_lw_path *v, size_t n, unsigned ct)
{
        odm_lw_node *nodes = odm_arena_zget(p->a, n * sizeof *nodes);
        odm_lw_list l = {nodes, n};
        odm_lw_request rq;

        if (nodes == NULL)
                return odm_arena_err(p->a);
        for (size_t i = 0; i < n; i++)
                nodes[i].path = v[i];
        int rc = odm_bridge_write_of(p->b, (odm_lw_path){0}, &l, ct, p->a, &rq);
        if (rc < 0)
                return rc;
        rq.verb = ODM_LW_READ_COMPOSITE;
        rq.accept = ct;
        rc = odm_plan_add(p, &rq);
        if (rc < 0)
                return rc;
        odm_lw_path *copy = odm_arena_get(p->a, n * sizeof *copy);
        if (copy == NULL)
                return odm_arena_err(p->a);
        memcpy(copy, v, n * sizeof *copy);
        p->step[p->n_steps - 1].paths = copy;
        p->step[p->n_steps - 1].n_paths = n;
        return 0;
}

/* Several resources of one instance become the instance; several instances stay what they are. */
static size_t merge(struct state *s)
{
        size_t n = 0;

        if (s->n_need > 1)
                qsort(s->need, s->n_need, sizeof *s->need, by_path);
        for (size_t i = 0; i < s->n_need;) {
                odm_lw_path p = s->need[i];
                size_t k = i + 1;
                if (n > 0 && odm_lw_path_below(p, s->need[n - 1])) {
                        i = k;
                        continue;
                }
                if (p.depth >= 3) {
                        while (k < s->n_need && odm_lw_path_below(s->need[k], odm_lw_path_to(p, 2)))
                                k++;
                        if (k > i + 1)
                                p = odm_lw_path_to(p, 2);
                }
                s->need[n++] = p;
                i = k;
        }
        s->n_need = n;
        return n;
}

static int ask_values(odm_plan *p)
{
        struct state *s = p->state;

        for (size_t i = 0; i < s->n_want; i++) {
                int rc = s->want[i].raw ? need_raw(p, &s->want[i]) : 0;
                for (size_t k = 0; k < p->b->map->n && rc == 0; k++) {
                        struct names n = {p, s, &s->want[i], &p->b->map->v[k], need_row};
                        odm_str bound;
                        if (!covers(&s->want[i], n.row, &bound))
                                continue;
                        if (is_trap(n.row) || (n.row->source_star == 3 && bound.p == NULL))
                                rc = need_row(&n, ODM_ABSENT);
                        else
                                rc = each_name(&n, bound);
                }
                if (rc < 0)
                        return rc;
        }
        size_t n = merge(s);
        unsigned ct = composite_ct(p->b);
        if (n > 1 && ct != ODM_LW_NO_CT)
                return ask_composite(p, s->need, n, ct);
        for (size_t i = 0; i < n; i++) {
                odm_lw_request rq = odm_bridge_read_of(p->b, s->need[i]);
                int rc = odm_plan_add(p, &rq);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int discover(odm_plan *p, odm_lw_path at)
{
        odm_lw_request rq = {
                .verb = ODM_LW_DISCOVER, .path = at, .ct = ODM_LW_NO_CT, .accept = ODM_LW_LINK};

        for (size_t i = 0; i < p->n_steps; i++)
                if (odm_lw_path_below(at, p->step[i].rq.path))
                        return 0;
        return odm_plan_add(p, &rq);
}

static int discover_row(struct names *n, odm_str name)
{
        odm_lw_path src;

        if (!n->row->has_source || !odm_bridge_source(n->p->b, n->row, name, &src) || src.depth < 3)
                return 0;
        src = odm_lw_path_to(src, 2);
        return odm_bridge_known(n->p->b, src) ? 0 : discover(n->p, src);
}

static int discover_raw(odm_plan *p, const struct want *w)
{
        struct state *s = p->state;
        odm_lw_path at = w->raw_path;

        if (at.depth >= 3 || (at.depth > 0 && !odm_bridge_has(p->b, at)) || s->ask == ODM_ASK_DATA)
                return 0;
        if (at.depth > 0)
                return discover(p, at);
        for (size_t i = 0; i < p->b->n_offer && s->ask == ODM_ASK_STRUCT; i++) {
                int rc = discover(p, ODM_LW_PATH1(p->b->offer[i].object));
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* What there is has to be known where names are asked for, not where values tell it by the way. */
static int ask_names(odm_plan *p)
{
        struct state *s = p->state;

        for (size_t i = 0; i < s->n_want; i++) {
                const struct want *w = &s->want[i];
                int rc = w->raw ? discover_raw(p, w) : 0;
                if (s->ask == ODM_ASK_DATA)
                        continue;
                for (size_t k = 0; k < p->b->map->n && rc == 0; k++) {
                        struct names n = {p, s, w, &p->b->map->v[k], discover_row};
                        odm_str bound;
                        if (!covers(w, n.row, &bound) || is_trap(n.row) ||
                            n.row->source_star == 3 || (exact(w, n.row) && s->ask == ODM_ASK_NODE))
                                continue;
                        rc = each_name(&n, bound);
                }
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* ---- the nodes that come of it ------------------------------------------------------------------ */

static int add_leaf(odm_plan *p, const odm_bridge_node *node)
{
        struct state *s = p->state;
        void *v = s->leaf;
        int rc =
                odm_plan_room(p->a, &v, s->n_leaf, &s->cap_leaf, sizeof *s->leaf, ODM_LW_NODES_MAX);

        if (rc < 0)
                return rc;
        s->leaf = v;
        s->leaf[s->n_leaf++].node = *node;
        return 0;
}

/* A row's address with its name. */
static odm_str address(odm_plan *p, const struct row *row, odm_str name)
{
        size_t at;

        if (row->star < 0)
                return row->node;
        at = before_star(row);
        return odm_arena_fmt(p->a, "%.*s%.*s%.*s", (int)at, row->node.p, (int)name.n, name.p,
                             (int)(row->node.n - at - 1), row->node.p + at + 1);
}

/* The device was asked for it, and could not say whether it has it. */
static bool is_unread(const odm_plan *p, odm_lw_path path)
{
        for (size_t i = 0; i < p->n_steps; i++)
                if (p->step[i].unread && odm_lw_path_below(path, p->step[i].rq.path))
                        return true;
        return false;
}

static int tell_row(struct names *n, odm_str name)
{
        odm_plan *p = n->p;
        struct state *s = n->s;
        odm_lw_list got = {p->got, p->n_got};
        struct from f = {p->b, n->row, {0}, name, &got};
        odm_bridge_node node = {.path = address(p, n->row, name)};
        int rc = 0;

        if (node.path.p == NULL)
                return odm_arena_err(p->a);
        if (n->row->rule == RULE_MO || !odm_bridge_source(p->b, n->row, name, &f.source) ||
            !odm_bridge_when(&f))
                return 0;
        node.value.format = n->row->format;
        if (n->row->format == ODM_FMT_NODE) {
                if (n->row->rule == RULE_TRAP)
                        node.value.type = n->row->arg;
        } else if (n->row->rule == RULE_OR_EMPTY && wants_value(s, n->w, n->row) &&
                   !odm_bridge_first(&got, f.source) && is_unread(p, f.source)) {
                return 0; /* what it does not have is empty, what it did not say is not */
        } else if (wants_value(s, n->w, n->row)) {
                rc = odm_bridge_to_dm(&f, node.path, p->a, &node.value, &node.t);
                node.has_data = rc == 1;
        } else if (n->row->rule == RULE_KEPT) {
                odm_value v;
                rc = odm_bridge_to_dm(&f, node.path, p->a, &v, &node.t);
                rc = rc == 0 && n->row->star >= 0 ? -1000 : rc; /* it is not there yet */
        }
        if (rc == -1000)
                return 0;
        if (rc < 0)
                return rc;
        if (s->ask == ODM_ASK_NODE && exact(n->w, n->row) && n->row->format != ODM_FMT_NODE &&
            !(n->row->access & ODM_ACC_GET)) {
                s->refused = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        if (wants_value(s, n->w, n->row) && !node.has_data)
                return 0;
        return add_leaf(p, &node);
}

static int tell_raw_value(odm_plan *p, const odm_lw_node *v, bool data)
{
        const odm_lw_resource *res =
                v->path.depth >= 3 ? odm_lw_resource_find(p->b->reg, v->path.id[0], v->path.id[2])
                                   : NULL;
        odm_bridge_node node = {.path = odm_bridge_raw_uri(v->path, p->a), .t = v->t};
        int rc;

        if (node.path.p == NULL)
                return odm_arena_err(p->a);
        if (v->path.depth < 3 || (v->value.type == ODM_LW_T_NONE && data)) {
                node.value.format = ODM_FMT_NODE;
                return add_leaf(p, &node);
        }
        if (!data) {
                node.value.format =
                        res && res->multiple && v->path.depth == 3
                                ? ODM_FMT_NODE
                                : odm_bridge_raw_format(res ? res->type : ODM_LW_T_UNKNOWN);
                return add_leaf(p, &node);
        }
        rc = odm_bridge_plain(odm_bridge_raw_format(v->value.type), &v->value, p->a, &node.value);
        node.has_data = rc == 1;
        return rc <= 0 ? rc : add_leaf(p, &node);
}

/* What was read below a raw path; or where only names are wanted, what is on offer. */
static int tell_raw(odm_plan *p, const struct want *w)
{
        struct state *s = p->state;
        bool data = s->ask == ODM_ASK_DATA || (s->ask == ODM_ASK_NODE && w->raw_path.depth >= 3);
        int rc = 0;

        for (size_t i = 0; i < p->n_got && data && rc == 0; i++)
                if (odm_lw_path_below(p->got[i].path, w->raw_path) && p->got[i].path.depth > 0)
                        rc = tell_raw_value(p, &p->got[i], true);
        if (data && s->n_leaf == 0 && w->raw_path.depth == 3 && s->ask == ODM_ASK_NODE) {
                const odm_lw_resource *res =
                        odm_lw_resource_find(p->b->reg, w->raw_path.id[0], w->raw_path.id[2]);
                if (res && !(res->ops & ODM_LW_R))
                        s->refused = ODM_ST_NOT_ALLOWED;
        }
        if (data)
                return rc;
        for (size_t i = 0; i < p->b->n_offer && rc == 0; i++) {
                const struct offer *o = &p->b->offer[i];
                odm_lw_node n = {.path = {(uint8_t)(o->instance == NO_INSTANCE ? 1 : 2),
                                          {o->object, o->instance}}};
                if (odm_lw_path_below(n.path, w->raw_path))
                        rc = tell_raw_value(p, &n, false);
        }
        for (size_t i = 0; i < p->b->n_res && rc == 0; i++) {
                const struct res *r = &p->b->res[i];
                odm_lw_node n = {.path = {3, {r->object, r->instance, r->id}}};
                if (odm_lw_path_below(n.path, w->raw_path))
                        rc = tell_raw_value(p, &n, false);
        }
        return rc;
}

/* Segment by segment, numbers as numbers, so that what belongs together stands together. */
static int path_cmp(odm_str a, odm_str b)
{
        while (a.n > 0 && b.n > 0) {
                size_t n = 0, m = 0;
                uint64_t x, y;
                while (n < a.n && a.p[n] != '/')
                        n++;
                while (m < b.n && b.p[m] != '/')
                        m++;
                odm_str s = odm_str_to(a, n), t = odm_str_to(b, m);
                int c = odm_str_u64(s, UINT32_MAX, &x) == 0 && odm_str_u64(t, UINT32_MAX, &y) == 0
                                ? (x > y) - (x < y)
                                : 0;
                if (c == 0)
                        c = odm_str_cmp(s, t);
                if (c)
                        return c;
                a = odm_str_from(a, n + 1);
                b = odm_str_from(b, m + 1);
        }
        return (a.n > 0) - (b.n > 0);
}

static int by_address(const void *x, const void *y)
{
        const struct leaf *a = x, *b = y;

        return path_cmp(a->node.path, b->node.path);
}

/* An interior node above leaves: what the rules say of it. */
static odm_bridge_node interior(odm_plan *p, odm_str path)
{
        odm_bridge_node node = {.path = path, .value.format = ODM_FMT_NODE};
        odm_str name;
        const struct row *row = odm_bridge_row(p->b, path, &name);

        if (row && (row->rule == RULE_MO || row->rule == RULE_TRAP))
                node.value.type = row->arg;
        return node;
}

static int put(odm_plan *p, const odm_bridge_node *node)
{
        struct state *s = p->state;
        void *v = s->out;
        int rc = odm_plan_room(p->a, &v, s->n_out, &s->cap_out, sizeof *s->out, ODM_LW_NODES_MAX);

        if (rc < 0)
                return rc;
        s->out = v;
        s->out[s->n_out++] = *node;
        return 0;
}

/* How many octets of two addresses are the same whole segments. */
static size_t common(odm_str a, odm_str b)
{
        size_t n = 0, whole = 0;

        while (n < a.n && n < b.n && a.p[n] == b.p[n]) {
                n++;
                if ((n == a.n || a.p[n] == '/') && (n == b.n || b.p[n] == '/'))
                        whole = n;
        }
        return whole;
}

/* Leaves with the nodes above them, from what was asked for down. */
static int tell_with_parents(odm_plan *p, const struct want *w, bool names_only)
{
        struct state *s = p->state;
        odm_str last = ODM_STR("");
        size_t top = w->path.n;

        if (s->n_leaf > 1)
                qsort(s->leaf, s->n_leaf, sizeof *s->leaf, by_address);
        for (size_t i = 0; i < s->n_leaf; i++) {
                odm_bridge_node *node = &s->leaf[i].node;
                size_t from = common(last, node->path), depth = 0;
                if (from == node->path.n)
                        continue; /* told */
                for (size_t n = 1; n <= node->path.n; n++) {
                        bool end = n == node->path.n;
                        if (!end && node->path.p[n] != '/')
                                continue;
                        depth += n > top;
                        if (n < top || n <= from || (names_only && depth > 1))
                                continue;
                        odm_bridge_node one = end ? *node : interior(p, odm_str_to(node->path, n));
                        if (names_only && depth > 0) {
                                one.has_data = false;
                                one.value.data = ODM_ABSENT;
                        }
                        int rc = put(p, &one);
                        if (rc < 0)
                                return rc;
                }
                last = node->path;
        }
        s->n_leaf = 0;
        return 0;
}

static int tell(odm_plan *p)
{
        struct state *s = p->state;

        for (size_t i = 0; i < s->n_want; i++) {
                const struct want *w = &s->want[i];
                bool top_only = s->ask == ODM_ASK_NODE;
                int rc = w->raw ? tell_raw(p, w) : 0;
                for (size_t k = 0; k < p->b->map->n && rc == 0; k++) {
                        struct names n = {p, s, w, &p->b->map->v[k], tell_row};
                        odm_str bound;
                        if (covers(w, n.row, &bound))
                                rc = each_name(&n, bound);
                }
                if (rc == 0)
                        rc = tell_with_parents(p, w, top_only);
                if (rc < 0)
                        return rc;
        }
        p->result.nodes = (odm_bridge_nodes){s->out, s->n_out};
        if (s->n_out > 0)
                odm_plan_finish(p, ODM_ST_OK, ODM_ABSENT);
        else if (s->refused)
                odm_plan_refuse(p, s->refused, "it cannot be read");
        else if (p->failed)
                odm_plan_finish(p, p->failed, p->failed_text);
        else
                odm_plan_refuse(p, ODM_ST_NOT_FOUND, "there is no such node");
        return 0;
}

static int next_phase(odm_plan *p)
{
        struct state *s = p->state;

        if (!s->discovered) {
                s->discovered = true;
                return ask_names(p);
        }
        if (!s->read) {
                s->read = true;
                return ask_values(p);
        }
        return tell(p);
}

static int understand(odm_plan *p, odm_str path, struct want *out)
{
        odm_uri_limits lim = {.max_depth = SEGS_MAX + 4};
        struct want w = {.path = path};

        if (odm_str_is(path, ".") || odm_str_is(path, "./"))
                w.path = ODM_STR(".");
        int rc = odm_uri_parse(w.path, &lim, &w.uri);
        if (rc < 0 || w.uri.prop != ODM_PROP_NONE || w.uri.list != ODM_LIST_NONE) {
                odm_plan_refuse(p, rc < 0 ? odm_uri_status(rc) : ODM_ST_UNSUPPORTED,
                                "no address of a node");
                return 0;
        }
        rc = odm_bridge_raw(w.path, &w.raw_path);
        w.raw = rc == 0 || w.uri.depth == 0;
        w.mapped = rc == ODM_ENOENT || (rc == 0 && w.raw_path.depth == 0);
        if (rc == ODM_EMALFORMED)
                odm_plan_refuse(p, ODM_ST_NOT_FOUND, "no path of LwM2M");
        *out = w;
        return 0;
}

int odm_plan_read(odm_bridge *b, const odm_str *paths, size_t n, odm_ask ask, odm_arena *a,
                  odm_plan **out)
{
        struct state *s = odm_new(a, struct state);
        odm_plan *p;

        if (s == NULL)
                return odm_arena_err(a);
        s->ask = ask;
        s->want = odm_arena_zget(a, (n ? n : 1) * sizeof *s->want);
        if (s->want == NULL)
                return odm_arena_err(a);
        int rc = odm_plan_new(b, a, next_phase, &p);
        for (size_t i = 0; i < n && rc == 0 && !p->over; i++)
                rc = understand(p, paths[i], &s->want[i]);
        if (rc < 0)
                return rc;
        s->n_want = n;
        p->state = s;
        rc = odm_plan_begin(p);
        if (rc < 0)
                return rc;
        *out = p;
        return 0;
}
