/* SPDX-License-Identifier: Apache-2.0 */
/* What a device tells by itself: values as the tree has them, and error codes as traps. */
#include <assert.h>
#include <string.h>

#include "inner.h"

struct news {
        odm_bridge *b;
        const odm_lw_list *list;
        odm_arena *a;
        odm_bridge_node *v;
        size_t n, cap;
        odm_bridge_news *out;
};

static int add(struct news *w, const odm_bridge_node *node)
{
        if (w->n == w->cap) {
                size_t cap = w->cap ? w->cap * 2 : 8;
                if (w->n >= ODM_LW_NODES_MAX)
                        return ODM_ELIMIT;
                odm_bridge_node *v = odm_arena_get(w->a, cap * sizeof *v);
                if (v == NULL)
                        return odm_arena_err(w->a);
                if (w->n)
                        memcpy(v, w->v, w->n * sizeof *v);
                w->v = v;
                w->cap = cap;
        }
        w->v[w->n++] = *node;
        return 0;
}

/* The name that a path gives the asterisk of a row; false when it is not the row's source. */
static bool bind(const odm_bridge *b, const struct row *row, odm_lw_path p, odm_arena *a,
                 odm_str *name, odm_lw_path *source)
{
        odm_lw_path src = row->source;

        if (!row->has_source || src.depth < 3 || p.depth < 3)
                return false;
        if (row->source_star >= p.depth)
                return false;
        if (row->source_star >= 0)
                src.id[row->source_star] = p.id[row->source_star];
        if (row->first_instance)
                src.id[1] = odm_bridge_instance(b, src.id[0], 0);
        if (!odm_lw_path_below(p, src))
                return false;
        *source = src;
        *name = row->source_star >= 0 ? odm_arena_number(a, p.id[row->source_star]) : ODM_ABSENT;
        return row->source_star < 0 || name->p;
}

static odm_str address(const struct row *row, odm_str name, odm_arena *a)
{
        if (row->star < 0)
                return row->node;
        size_t at = (size_t)(row->seg[row->star].p - row->node.p);
        return odm_arena_fmt(a, "%.*s%.*s%.*s", (int)at, row->node.p, (int)name.n, name.p,
                             (int)(row->node.n - at - 1), row->node.p + at + 1);
}

static bool is_told(enum rule r)
{
        return r == RULE_PLAIN || r == RULE_OR_EMPTY || r == RULE_OR_KEPT || r == RULE_ENUM ||
               r == RULE_TIMES || r == RULE_DECIMAL || r == RULE_LIST || r == RULE_IPV4 ||
               r == RULE_IPV6 || r == RULE_FUMO_STATE || r == RULE_SLEEP;
}

/* A multiple resource is one leaf for several values: told with the first of them. */
static bool is_first(const odm_lw_list *l, size_t i, odm_lw_path source)
{
        return odm_bridge_first(l, source) == &l->v[i];
}

/* State and Result make one node between them: told with either, but of a Result alone only as far
 * as the state is known from elsewhere. */
static bool is_result(const struct row *row, odm_lw_path p)
{
        return row->rule == RULE_FUMO_STATE && p.depth == 3 &&
               odm_lw_path_below(p, odm_lw_path_to(row->source, 2)) && p.id[2] == 5;
}

static int tell_row(struct news *w, const struct row *row, size_t i, bool *mapped)
{
        struct from f = {.b = w->b, .row = row, .list = w->list};
        odm_bridge_node node = {0};
        odm_lw_path p = w->list->v[i].path;

        if (!is_told(row->rule) || !(row->access & ODM_ACC_GET) || row->format == ODM_FMT_NODE)
                return 0;
        if (is_result(row, p)) {
                *mapped = true;
                return 0;
        }
        if (!bind(w->b, row, p, w->a, &f.name, &f.source) || !is_first(w->list, i, f.source))
                return 0;
        *mapped = true;
        if (!odm_bridge_when(&f))
                return 0;
        node.path = address(row, f.name, w->a);
        if (node.path.p == NULL)
                return odm_arena_err(w->a);
        int rc = odm_bridge_to_dm(&f, node.path, w->a, &node.value, &node.t);
        node.has_data = rc == 1;
        return rc <= 0 ? rc : add(w, &node);
}

static int tell_raw(struct news *w, const odm_lw_node *n)
{
        odm_bridge_node node = {.path = odm_bridge_raw_uri(n->path, w->a), .t = n->t};

        if (node.path.p == NULL)
                return odm_arena_err(w->a);
        int rc = odm_bridge_plain(odm_bridge_raw_format(n->value.type), &n->value, w->a,
                                  &node.value);
        node.has_data = rc == 1;
        return rc <= 0 ? rc : add(w, &node);
}

static int tell_values(struct news *w)
{
        for (size_t i = 0; i < w->list->n; i++) {
                const odm_lw_node *n = &w->list->v[i];
                bool mapped = false;
                int rc = 0;
                if (n->value.type == ODM_LW_T_NONE || n->path.id[0] == 0)
                        continue;
                for (size_t k = 0; k < w->b->map->n && rc == 0; k++)
                        rc = tell_row(w, &w->b->map->v[k], i, &mapped);
                if (rc == 0 && !mapped)
                        rc = tell_raw(w, n);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* ---- traps ---------------------------------------------------------------------------------------- */

static const struct row *trap_row(const odm_bridge *b)
{
        for (size_t i = 0; i < b->map->n; i++)
                if (b->map->v[i].rule == RULE_TRAP)
                        return &b->map->v[i];
        return NULL;
}

static int trap_alert(struct news *w, const struct row *row, unsigned code, bool active)
{
        odm_str name = odm_arena_fmt(w->a, "error%u", code);
        odm_bridge_news *out = w->out;

        if (name.p == NULL)
                return odm_arena_err(w->a);
        if (out->n_alerts == ODM_BRIDGE_ALERTS)
                return 0; /* more codes at once than there are */
        odm_str source = address(row, name, w->a);
        if (source.p == NULL)
                return odm_arena_err(w->a);
        out->at[out->n_alerts] = 0;
        out->alert[out->n_alerts++] = (odm_alert){
                .code = ODM_ALERT_GENERIC,
                .source = source,
                .type = active ? ODM_STR("urn:oma:at:diagmon:1.0:TrapNotification")
                               : ODM_STR("urn:oma:at:diagmon:1.0:TrapInactiveNotification"),
                .format = ODM_FMT_CHR,
                .mark = ODM_STR("warning"),
                .data = ODM_STR("")};
        return 0;
}

/* Which codes of a resource are told; false when the list does not tell of it at all. */
static bool codes_of(const odm_lw_list *l, odm_lw_path source, uint64_t *out)
{
        bool any = false;

        *out = 0;
        for (size_t i = 0; i < l->n; i++) {
                const odm_lw_node *n = &l->v[i];
                if (!odm_lw_path_below(n->path, source))
                        continue;
                any = true;
                if (n->value.type == ODM_LW_T_INTEGER && n->value.i > 0 && n->value.i < TRAPS_MAX)
                        *out |= 1ull << n->value.i;
        }
        return any;
}

static int tell_traps(struct news *w)
{
        const struct row *row = trap_row(w->b);
        odm_bridge *b = w->b;
        uint64_t codes;

        if (row == NULL || !codes_of(w->list, row->source, &codes) || codes == b->trap_active)
                return 0;
        for (unsigned c = 1; c < TRAPS_MAX; c++) {
                bool is = codes >> c & 1, was = b->trap_active >> c & 1;
                int rc = is == was ? 0 : trap_alert(w, row, c, is);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static void keep_traps(odm_bridge *b, const odm_lw_list *l)
{
        const struct row *row = trap_row(b);
        uint64_t codes;

        if (row == NULL || !codes_of(l, row->source, &codes) || codes == b->trap_active)
                return;
        b->trap_active = codes;
        b->trap_seen |= codes;
        b->dirty = true;
}

int odm_bridge_untold(odm_bridge *b, const odm_alert *alert)
{
        const struct row *row = trap_row(b);
        size_t n = row ? (size_t)(row->seg[row->star].p - row->node.p) : 0;
        int code;

        if (row == NULL || alert->source.n <= n || memcmp(alert->source.p, row->node.p, n) != 0)
                return odm_bridge_untold_observed(b, alert);
        code = odm_bridge_trap_code(odm_str_from(alert->source, n));
        if (code < 0)
                return 0;
        b->trap_active ^= 1ull << code;
        b->dirty = true;
        return 0;
}

int odm_bridge_told(odm_bridge *b, const odm_lw_list *l, odm_time now, odm_arena *a,
                    odm_bridge_news *out)
{
        struct news w = {.b = b, .list = l, .a = a, .out = out};
        int rc = 0;

        out->n_alerts = 0;
        odm_bridge_see(b, l);
        for (size_t i = 0; i < ODM_COUNT(b->job) && rc == 0; i++)
                if (b->job[i])
                        rc = odm_job_told(b->job[i], l, now);
        if (rc == 0)
                rc = tell_values(&w);
        if (rc == 0)
                rc = tell_traps(&w);
        if (rc == 0)
                rc = odm_bridge_tell_observed(b, l, &(odm_bridge_nodes){w.v, w.n}, a, out);
        if (rc < 0)
                return rc;
        keep_traps(b, l);
        out->nodes = (odm_bridge_nodes){w.v, w.n};
        return 0;
}
