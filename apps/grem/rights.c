/* SPDX-License-Identifier: Apache-2.0 */
/* rights.c - see rights.h. */
#include "rights.h"

#include "heap.h"

#define MEMORY_MAX ((size_t)1 << 20)
#define WRITERS "Ext/Writers"

/* ---- a device ------------------------------------------------------------------------------------- */

/* The list of a node as it stands there; absent: it has none. */
static odm_str own_list(gateway *g, odm_str at, odm_arena *a)
{
        const odm_op op = {.kind = ODM_CMD_GET,
                           .target = odm_arena_fmt(a, "%.*s?prop=ACL", (int)at.n, at.p)};
        odm_answer answer;

        if (!op.target.p || odm_tree_do(gw_tree(g), &op, loop_wall(), a, &answer) != 0 ||
            !odm_status_ok(answer.status) || !answer.results)
                return ODM_ABSENT;
        return answer.results->value.data.n ? answer.results->value.data : ODM_ABSENT;
}

odm_str rights_above(gateway *g, odm_arena *a)
{
        odm_str acl = own_list(g, ODM_STR("./GwDev"), a);

        return acl.p || a->err ? acl : own_list(g, ODM_STR("."), a);
}

static bool grants(odm_str acl, unsigned bits, odm_str server)
{
        for (unsigned bit = 1; bit <= bits; bit <<= 1)
                if ((bits & bit) && !odm_acl_allows(acl, bit, server))
                        return false;
        return true;
}

bool rights_have(gateway *g, const gw_device *d, odm_str above, odm_str server, unsigned bits)
{
        odm_str acl = ODM_ABSENT;
        odm_arena a;
        bool is;

        if (!server.p)
                return true;
        odm_arena_init(&a, &heap_mem, MEMORY_MAX);
        if (d) {
                odm_str at = odm_arena_fmt(&a, "./GwDev/%s", d->key);
                acl = at.p ? own_list(g, at, &a) : ODM_ABSENT;
        }
        is = !a.err && grants(acl.p ? acl : above, bits, server);
        odm_arena_done(&a);
        return is;
}

unsigned rights_needed(const odm_fanout_cmds *c)
{
        unsigned bits = 0;

        for (uint32_t i = 0; i < c->n; i++)
                switch (c->at[i]->kind) {
                case ODM_CMD_GET: bits |= ODM_ACC_GET; break;
                case ODM_CMD_ADD: bits |= ODM_ACC_ADD; break;
                case ODM_CMD_REPLACE: bits |= ODM_ACC_REPLACE; break;
                case ODM_CMD_DELETE: bits |= ODM_ACC_DELETE; break;
                case ODM_CMD_EXEC: bits |= ODM_ACC_EXEC; break;
                case ODM_CMD_COPY: bits |= ODM_ACC_GET | ODM_ACC_ADD; break;
                default: break;
                }
        return bits;
}

/* ---- who wrote an entry ---------------------------------------------------------------------------- */

/* "<at>/<entry>/<leaf>": the two pieces; false for another address. */
static bool split(odm_str uri, odm_str at, odm_str *entry, odm_str *leaf)
{
        size_t n = at.n + 1;

        if (uri.n <= n || !odm_str_eq(odm_str_to(uri, at.n), at) || uri.p[at.n] != '/')
                return false;
        while (n < uri.n && uri.p[n] != '/')
                n++;
        *entry = odm_str_to(uri, n);
        *leaf = n < uri.n ? odm_str_from(uri, n + 1) : ODM_ABSENT;
        return leaf->n > 0 && !odm_str_has(*leaf, '/');
}

static int note_one(odm_tree *t, odm_str entry, odm_str leaf, odm_str server, odm_arena *a)
{
        odm_str uri = odm_arena_fmt(a, "%.*s/" WRITERS "/%.*s", (int)entry.n, entry.p, (int)leaf.n,
                                    leaf.p);
        const odm_value v = {.format = ODM_FMT_CHR, .data = server};
        const odm_op drop = {.kind = ODM_CMD_DELETE, .target = uri};
        odm_answer answer;

        if (!uri.p)
                return odm_arena_err(a);
        if (server.p)
                return odm_tree_write(t, uri, &v, loop_wall());
        return odm_tree_exists(t, uri) ? odm_tree_do(t, &drop, loop_wall(), a, &answer) : 0;
}

int rights_note(odm_tree *t, const odm_change *list, odm_str at)
{
        int rc = 0;

        for (const odm_change *c = list; c && rc == 0; c = c->next) {
                odm_str entry, leaf;
                odm_arena a;
                if (c->kind == ODM_CHANGE_PROP || !split(c->uri, at, &entry, &leaf) ||
                    odm_str_is(leaf, "Ext") || odm_str_is(leaf, "ID") || !odm_tree_exists(t, entry))
                        continue;
                odm_arena_init(&a, &heap_mem, MEMORY_MAX);
                rc = note_one(t, entry, leaf, c->server, &a);
                odm_arena_done(&a);
        }
        return rc;
}

typedef struct judge {
        gateway *g;
        odm_str at; /* of the writers */
        const gw_device *d;
        unsigned bits;
        odm_str above;
} judge;

static int judge_one(void *ctx, odm_str leaf)
{
        const judge *j = ctx;
        bool may = false;
        odm_value v;
        odm_arena a;
        odm_str uri;

        odm_arena_init(&a, &heap_mem, MEMORY_MAX);
        uri = odm_arena_fmt(&a, "%.*s/%.*s", (int)j->at.n, j->at.p, (int)leaf.n, leaf.p);
        if (uri.p && odm_tree_read(gw_tree(j->g), uri, &a, &v) == 0)
                may = rights_have(j->g, j->d, j->above, v.data.p ? v.data : ODM_STR(""), j->bits);
        odm_arena_done(&a);
        return may ? 0 : 1;
}

bool rights_writers_have(gateway *g, odm_str uri, const gw_device *d, unsigned bits)
{
        judge j = {.g = g, .d = d, .bits = bits};
        bool may = false;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, MEMORY_MAX);
        j.at = odm_arena_fmt(&a, "%.*s/" WRITERS, (int)uri.n, uri.p);
        j.above = rights_above(g, &a);
        if (j.at.p && !a.err) {
                int rc = odm_tree_children(gw_tree(g), j.at, judge_one, &j);
                may = rc == 0 || rc == ODM_ENOENT; /* the gateway's own */
        }
        odm_arena_done(&a);
        return may;
}
