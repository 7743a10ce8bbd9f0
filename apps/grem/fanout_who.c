/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a fan-out is for: targets by name, by group, by what they are (gwmo.md 6), and whether its
 * server has a right to them. */
#include <stdlib.h>
#include <string.h>

#include "fanout_inner.h"
#include "rights.h"

#define DEV "dev:"
#define GROUP "group:"
#define MATCH "match:"
#define ID_MAX 255

bool fanout_target_ok(odm_str s)
{
        if (odm_str_starts(s, DEV))
                return s.n > strlen(DEV) && s.n <= strlen(DEV) + ID_MAX;
        if (odm_str_starts(s, GROUP))
                return s.n > strlen(GROUP);
        if (odm_str_starts(s, MATCH))
                return gw_selector_check(odm_str_from(s, strlen(MATCH))) == 0;
        return odm_str_is(s, "all");
}

/* ---- gathering --------------------------------------------------------------------------------- */

static int add_number(fanout_who *w, uint32_t number)
{
        if (w->n == w->cap) {
                size_t cap = w->cap ? w->cap * 2 : 256;
                uint32_t *v = odm_arena_get(w->a, cap * sizeof *v);
                if (!v)
                        return odm_arena_err(w->a);
                if (w->n)
                        memcpy(v, w->v, w->n * sizeof *v);
                w->v = v;
                w->cap = cap;
        }
        w->v[w->n++] = number;
        return 0;
}

static int add_stranger(fanout_who *w, odm_str id)
{
        for (size_t i = 0; i < w->n_strangers; i++)
                if (odm_str_eq(w->stranger[i], id))
                        return 0;
        if (w->n_strangers == w->strangers_cap) {
                size_t cap = w->strangers_cap ? w->strangers_cap * 2 : 16;
                odm_str *v = odm_arena_get(w->a, cap * sizeof *v);
                if (!v)
                        return odm_arena_err(w->a);
                if (w->n_strangers)
                        memcpy(v, w->stranger, w->n_strangers * sizeof *v);
                w->stranger = v;
                w->strangers_cap = cap;
        }
        w->stranger[w->n_strangers] = odm_arena_copy(w->a, id);
        return w->stranger[w->n_strangers].p
                       ? add_number(w, FANOUT_STRANGER + (uint32_t)w->n_strangers++)
                       : odm_arena_err(w->a);
}

static int add_device(fanout_who *w, odm_str id)
{
        const gw_device *d = gw_by_id(w->p->g, id);

        return d ? add_number(w, d->number) : add_stranger(w, id);
}

static int add_matching(fanout_who *w, odm_str selector, bool all)
{
        int rc = 0;

        for (gw_device *d = gw_next(w->p->g, NULL); d && rc == 0; d = gw_next(w->p->g, d))
                if (all || gw_matches(d, selector))
                        rc = add_number(w, d->number);
        return rc;
}

/* ---- groups -------------------------------------------------------------------------------------- */

typedef struct group_search {
        fanout_who *w;
        odm_str id, at; /* at: the group's node, once it is found */
        int rc;
} group_search;

static odm_str leaf(fanout_who *w, odm_str at, const char *rel)
{
        odm_str uri = odm_arena_fmt(w->a, "%.*s/%s", (int)at.n, at.p, rel);
        odm_value v;

        if (!uri.p || odm_tree_read(w->p->host->tree, uri, w->a, &v) < 0)
                return ODM_ABSENT;
        return odm_arena_copy(w->a, v.data);
}

static int look_at_group(void *ctx, odm_str name)
{
        group_search *s = ctx;
        odm_str at = odm_arena_fmt(s->w->a, GW_GROUPS_AT "/%.*s", (int)name.n, name.p);

        if (!at.p)
                return odm_arena_err(s->w->a);
        if (!odm_str_eq(leaf(s->w, at, "GroupID"), s->id))
                return 0;
        s->at = at;
        return 1;
}

static int add_member(void *ctx, odm_str name)
{
        group_search *s = ctx;
        odm_str rel = odm_arena_fmt(s->w->a, "Members/%.*s", (int)name.n, name.p), id;

        if (!rel.p)
                return odm_arena_err(s->w->a);
        id = leaf(s->w, s->at, rel.p);
        return id.n ? add_device(s->w, id) : 0;
}

static int add_group(fanout_who *w, odm_str id)
{
        group_search s = {.w = w, .id = id};
        odm_tree *t = w->p->host->tree;
        odm_str members, match;
        int rc = odm_tree_children(t, ODM_STR(GW_GROUPS_AT), look_at_group, &s);

        if (rc == ODM_ENOMEM || rc == ODM_ELIMIT)
                return rc;
        if (!s.at.p) {
                w->status = ODM_ST_NOT_FOUND;
                return 0;
        }
        members = odm_arena_fmt(w->a, "%.*s/Members", (int)s.at.n, s.at.p);
        if (!members.p)
                return odm_arena_err(w->a);
        rc = odm_tree_children(t, members, add_member, &s);
        if (rc == ODM_ENOENT)
                rc = 0;
        match = leaf(w, s.at, "Match");
        return rc == 0 && match.n ? add_matching(w, match, false) : rc;
}

int fanout_who_add(fanout_who *w, odm_str target)
{
        if (!fanout_target_ok(target)) {
                w->status = ODM_ST_BAD_REQUEST;
                return 0;
        }
        if (odm_str_starts(target, DEV))
                return add_device(w, odm_str_from(target, strlen(DEV)));
        if (odm_str_starts(target, GROUP))
                return add_group(w, odm_str_from(target, strlen(GROUP)));
        if (odm_str_starts(target, MATCH))
                return add_matching(w, odm_str_from(target, strlen(MATCH)), false);
        return add_matching(w, ODM_ABSENT, true);
}

static int by_number(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

void fanout_who_list(fanout_who *w, fanout_list *out)
{
        size_t n = 0;

        if (w->n)
                qsort(w->v, w->n, sizeof *w->v, by_number);
        for (size_t i = 0; i < w->n; i++)
                if (n == 0 || w->v[n - 1] != w->v[i])
                        w->v[n++] = w->v[i];
        *out = (fanout_list){w->v, n, w->stranger, w->n_strangers};
}

/* ---- rights ------------------------------------------------------------------------------------------ */

int fanout_who_may(fanout_part *p, const fanout_list *l, odm_str server, const odm_fanout_cmds *c,
                   odm_arena *a, odm_presence **out)
{
        odm_presence *v = odm_arena_get(a, (l->n ? l->n : 1) * sizeof *v);
        unsigned bits = rights_needed(c);
        odm_str above = server.p ? rights_above(p->g, a) : ODM_ABSENT;

        if (!v)
                return odm_arena_err(a);
        for (size_t i = 0; i < l->n; i++) {
                const gw_device *d = fanout_device(p, l->v[i]);
                v[i] = d ? fanout_presence(d) : ODM_PRESENCE_UNKNOWN;
                if (d && !rights_have(p->g, d, above, server, bits))
                        v[i] = ODM_PRESENCE_DENIED;
        }
        *out = v;
        return 0;
}
