/* SPDX-License-Identifier: Apache-2.0 */
/* What ./DMAcc does beyond holding its nodes (dm-stdobj.md 1, dm-tree.md 4.6): it never loses its
 * last account, and the server of an account that goes loses its rights everywhere.  When a
 * transaction is validated the account's nodes are gone already, so who was there is
 * remembered from the time before. */
#include <string.h>

#include "odm/client.h"

#define URI_LEN 256
#define BLOCK 2048

static int count_child(void *ctx, odm_str name)
{
        (void)name;
        (*(size_t *)ctx)++;
        return 0;
}

struct learner {
        odm_dmacc *d;
        odm_tree *t;
        odm_arena *a;
        int rc;
};

static int learn_one(void *ctx, odm_str name)
{
        struct learner *l = ctx;

        odm_arena_reset(l->a);
        odm_str uri = odm_arena_fmt(l->a, "%s/%.*s/ServerID", l->d->at, (int)name.n, name.p);
        odm_value v = {ODM_FMT_ABSENT};

        if (l->d->n_next == ODM_DMACC_MAX)
                return 1;
        struct odm_dmacc_entry *e = &l->d->next[l->d->n_next];
        l->rc = uri.p ? odm_tree_read(l->t, uri, l->a, &v) : odm_arena_err(l->a);
        if (l->rc == ODM_ENOENT || l->rc == ODM_EINVAL)
                l->rc = 0;
        if (l->rc < 0)
                return 1;
        *e = (struct odm_dmacc_entry){.name = ""};
        if (name.n >= sizeof e->name || v.data.n >= sizeof e->server)
                return 0;
        memcpy(e->name, name.p, name.n);
        if (v.data.n)
                memcpy(e->server, v.data.p, v.data.n);
        l->d->n_next++;
        return 0;
}

static int learn_next(odm_dmacc *d, odm_tree *t)
{
        char block[BLOCK];
        odm_arena a;
        struct learner l = {.d = d, .t = t, .a = &a};

        d->n_next = 0;
        odm_arena_init_on(&a, d->mem, 65536, block, sizeof block);
        int rc = odm_tree_children(t, odm_cstr(d->at), learn_one, &l);
        odm_arena_done(&a);
        return l.rc < 0 ? l.rc : rc == ODM_ENOMEM ? rc : 0;
}

static void take_next(odm_dmacc *d)
{
        memcpy(d->entry, d->next, sizeof d->entry);
        d->n = d->n_next;
}

int odm_dmacc_learn(odm_dmacc *d, odm_tree *t)
{
        int rc = learn_next(d, t);

        if (rc == 0)
                take_next(d);
        return rc;
}

/* The account that `uri` is, if it was one; NULL for nodes below one. */
static const struct odm_dmacc_entry *account_at(const odm_dmacc *d, odm_str uri)
{
        size_t at = strlen(d->at);

        if (!odm_str_starts(uri, d->at) || uri.n <= at + 1 || uri.p[at] != '/')
                return NULL;
        odm_str name = odm_str_from(uri, at + 1);
        for (size_t i = 0; i < d->n; i++)
                if (odm_str_is(name, d->entry[i].name))
                        return &d->entry[i];
        return NULL;
}

static bool is_there(const odm_dmacc *d, odm_tree *t, const struct odm_dmacc_entry *e)
{
        char uri[URI_LEN];
        size_t n = strlen(d->at), m = strlen(e->name);

        if (n + m + 2 > sizeof uri)
                return false;
        memcpy(uri, d->at, n);
        uri[n] = '/';
        memcpy(uri + n + 1, e->name, m);
        return odm_tree_exists(t, (odm_str){uri, n + 1 + m});
}

static bool served_elsewhere(const odm_dmacc *d, odm_tree *t, const struct odm_dmacc_entry *gone)
{
        for (size_t i = 0; i < d->n; i++) {
                const struct odm_dmacc_entry *e = &d->entry[i];
                if (e != gone && strcmp(e->server, gone->server) == 0 && is_there(d, t, e))
                        return true;
        }
        return false;
}

/* The name of the account whose ServerID `uri` is; absent for all else. */
static odm_str account_of_id(const odm_dmacc *d, odm_str uri)
{
        size_t at = strlen(d->at), tail = sizeof "/ServerID" - 1;
        odm_str name;

        if (!odm_str_starts(uri, d->at) || uri.n <= at + 1 + tail || uri.p[at] != '/')
                return ODM_ABSENT;
        name = odm_str_to(odm_str_from(uri, at + 1), uri.n - at - 1 - tail);
        return odm_str_is(odm_str_from(uri, uri.n - tail), "/ServerID") && !odm_str_has(name, '/')
                       ? name
                       : ODM_ABSENT;
}

/* Rights go by the Server Identifier (dm-tree.md 4.1): no server gives an account of its making the
 * one of another that has an account, and so its rights. */
static int judge_id(const odm_dmacc *d, odm_tree *t, const odm_change *ch, unsigned *status)
{
        odm_str name = account_of_id(d, ch->uri);
        odm_value v = {ODM_FMT_ABSENT};
        char block[BLOCK];
        odm_arena a;

        if (!ch->server.p || !name.p ||
            (ch->kind != ODM_CHANGE_ADD && ch->kind != ODM_CHANGE_VALUE))
                return 0;
        odm_arena_init_on(&a, d->mem, 65536, block, sizeof block);
        int rc = odm_tree_read(t, ch->uri, &a, &v);
        for (size_t i = 0; i < d->n && rc == 0; i++) {
                const struct odm_dmacc_entry *e = &d->entry[i];
                if (v.data.n && odm_str_is(v.data, e->server) && !odm_str_is(name, e->name) &&
                    !odm_str_is(ch->server, e->server) && is_there(d, t, e))
                        *status = ODM_ST_FORBIDDEN;
        }
        odm_arena_done(&a);
        return rc == ODM_ENOENT || rc == ODM_EINVAL ? 0 : rc; /* taken away again */
}

static int dmacc_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        odm_dmacc *d = ctx;
        size_t left = 0;
        int rc = 0;

        for (const odm_change *ch = list; ch && rc == 0; ch = ch->next) {
                const struct odm_dmacc_entry *e =
                        ch->kind == ODM_CHANGE_DELETE ? account_at(d, ch->uri) : NULL;
                rc = judge_id(d, t, ch, status);
                if (rc < 0 || !odm_status_ok(*status))
                        return rc;
                if (e == NULL || odm_tree_exists(t, ch->uri))
                        continue;
                left = 0;
                rc = odm_tree_children(t, odm_cstr(d->at), count_child, &left);
                if (rc < 0 && rc != ODM_ENOENT)
                        return rc;
                rc = 0;
                if (left == 0) {
                        *status = ODM_ST_FORBIDDEN;
                        return 0;
                }
                if (e->server[0] && !served_elsewhere(d, t, e))
                        rc = odm_tree_forget_server(t, odm_cstr(e->server), (odm_wall){0});
        }
        return rc == 0 ? learn_next(d, t) : rc; /* what may fail is done before the commit */
}

static int dmacc_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        (void)t;
        (void)list;
        take_next(ctx);
        return 0;
}

void odm_dmacc_init(odm_dmacc *d, const odm_mem *mem, const odm_mo *mo, const char *at)
{
        *d = (odm_dmacc){.provider = {.name = "dmacc",
                                      .mo = mo,
                                      .validate = dmacc_validate,
                                      .commit = dmacc_commit},
                         .mem = mem,
                         .at = at};
        d->provider.ctx = d;
}
