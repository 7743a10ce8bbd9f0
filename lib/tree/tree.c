/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as a whole: its life, mounting, and the device's own view without access checks. */
#include <assert.h>
#include <string.h>

#include "acl.h"
#include "desc.h"
#include "job.h"
#include "txn.h"

#define ROOT_ACL "Add=*&Get=*"
#define INBOX_ID "urn:oma:mo:oma-dm-inbox:1.0"

void odm_tree_opt_init(odm_tree_opt *o, const odm_mem *mem)
{
        *o = (odm_tree_opt){
                .mem = mem,
                .uri = {.max_depth = 16, .max_tot_len = 512, .max_seg_len = 64},
                .max_nodes = 16384,
                .max_value = (size_t)16 << 20,
                .max_bytes = (size_t)64 << 20,
                .max_list = 16384,
                .has_tstamp = true,
        };
}

int odm_tree_new(const odm_tree_opt *opt, odm_tree **out)
{
        odm_tree *t = odm_alloc(opt->mem, sizeof *t);

        if (t == NULL)
                return ODM_ENOMEM;
        t->opt = *opt;
        odm_arena_init(&t->txn.arena, opt->mem, SIZE_MAX / 2);
        odm_buf_init(&t->txn.record, opt->mem, UINT32_MAX);
        odm_buf_init(&t->txn.path, opt->mem, UINT32_MAX);
        t->txn.fresh_path = true;
        t->root = odm_node_new(t, ODM_STR(""), NULL, NULL);
        if (t->root == NULL || odm_str_dup(t, ODM_STR(ROOT_ACL), &t->root->acl) < 0) {
                odm_tree_free(t);
                return ODM_ENOMEM;
        }
        t->root->permanent = t->root->fixed = true;
        t->n_nodes = 1;
        t->n_bytes = odm_node_bytes(t->root);
        *out = t;
        return 0;
}

static void mount_free(odm_tree *t, struct mount *m)
{
        odm_free(t->opt.mem, m->bind, m->n_bind * sizeof *m->bind);
        odm_free(t->opt.mem, m, sizeof *m);
}

void odm_tree_free(odm_tree *t)
{
        if (t == NULL)
                return;
        odm_tree_rollback(t);
        odm_node_free(t, t->root);
        while (t->mounts) {
                struct mount *m = t->mounts;
                t->mounts = m->next;
                if (m->gone)
                        m->gone(m->gone_ctx);
                mount_free(t, m);
        }
        odm_txn_done(t);
        odm_free(t->opt.mem, t, sizeof *t);
}

size_t odm_tree_nodes(const odm_tree *t)
{
        return t->n_nodes;
}

/* ---- mounting ---------------------------------------------------------------------------- */

static int bind_all(odm_tree *t, struct mount *m)
{
        const odm_mo *mo = m->p->mo;

        m->n_bind = mo->n;
        m->bind = odm_alloc(t->opt.mem, m->n_bind * sizeof *m->bind);
        if (m->bind == NULL)
                return ODM_ENOMEM;
        for (size_t i = 0; i < m->p->n_bind; i++) {
                const odm_binding *b = &m->p->bind[i];
                const odm_desc *d = odm_mo_find(mo, odm_cstr(b->path));
                if (d == NULL || m->bind[d - mo->nodes])
                        return ODM_EINVAL;
                if (desc_is_leaf(d) ? b->list != NULL : b->read || b->check || b->write)
                        return ODM_EINVAL;
                if (b->write && b->read == NULL) /* what is stored needs no writer */
                        return ODM_EINVAL;
                m->bind[d - mo->nodes] = b;
        }
        return 0;
}

static int make_fixed(odm_tree *t, struct node *parent, odm_str name, const odm_desc *d,
                      struct mount *m, struct node **out)
{
        struct node *n;
        int rc;

        if (t->n_nodes >= t->opt.max_nodes)
                return ODM_ELIMIT;
        n = odm_node_new(t, name, d, m);
        if (n == NULL)
                return ODM_ENOMEM;
        n->permanent = n->fixed = true;
        rc = odm_txn_add(t, parent, n);
        if (rc < 0) {
                odm_node_free(t, n);
                return rc;
        }
        *out = n;
        return 0;
}

/* The top of the object at the end of `u`; what is missing above becomes plain. */
static int make_top(odm_tree *t, const odm_uri *u, struct mount *m)
{
        struct node *n = t->root;

        for (unsigned i = 0; i < u->depth; i++) {
                struct node *kid = odm_node_find(n, u->seg[i]);
                bool last = i + 1 == u->depth;
                int rc = 0;
                if (kid && last)
                        return ODM_EEXIST;
                if (kid == NULL && last)
                        rc = make_fixed(t, n, u->seg[i], m->p->mo->nodes, m, &kid);
                else if (kid == NULL)
                        rc = make_fixed(t, n, u->seg[i], NULL, NULL, &kid);
                if (rc < 0)
                        return rc;
                if (!last && node_is_leaf(kid))
                        return ODM_EEXIST;
                n = kid;
        }
        m->top = n;
        return 0;
}

/* All that is there from the start: permanent, exactly one, and nothing unnamed above. */
static int make_permanents(odm_tree *t, struct mount *m)
{
        const odm_mo *mo = m->p->mo;
        size_t size = mo->n * sizeof(struct node *);
        struct node **made = odm_alloc(t->opt.mem, size);
        int rc = 0;

        if (made == NULL)
                return ODM_ENOMEM;
        made[0] = m->top;
        for (uint16_t i = 1; rc == 0 && i < mo->n; i++) {
                const odm_desc *d = &mo->nodes[i];
                struct node *parent = made[d->parent];
                if (parent && d->permanent && d->name.n && d->occurs == ODM_OCC_ONE)
                        rc = make_fixed(t, parent, d->name, d, m, &made[i]);
        }
        odm_free(t->opt.mem, made, size);
        return rc;
}

static int mount_place(odm_arena *a, const char *at, const odm_mo *mo, odm_uri *u)
{
        odm_str text = odm_cstr(at);

        if (at == NULL && mo->nodes[0].name.n == 0)
                return ODM_EINVAL;
        if (at == NULL)
                text = odm_arena_fmt(a, "./%.*s%s%.*s", (int)mo->path.n, mo->path.p,
                                     mo->path.n ? "/" : "", (int)mo->nodes[0].name.n,
                                     mo->nodes[0].name.p);
        if (text.p == NULL)
                return odm_arena_err(a);
        if (odm_uri_parse(text, NULL, u) < 0 || u->depth == 0 || u->prop || u->list)
                return ODM_EINVAL;
        return 0;
}

int odm_tree_mount(odm_tree *t, const char *at, const odm_provider *p)
{
        struct mount *m = odm_alloc(t->opt.mem, sizeof *m);
        odm_arena a;
        odm_uri u;
        int rc = m ? odm_txn_replay_begin(t) : ODM_ENOMEM;

        if (rc < 0) {
                odm_free(t->opt.mem, m, sizeof *m);
                return rc;
        }
        odm_arena_init(&a, t->opt.mem, 65536);
        m->p = p;
        m->inbox = odm_mo_id_same(p->mo->id, ODM_STR(INBOX_ID));
        rc = mount_place(&a, at, p->mo, &u);
        if (rc == 0)
                rc = bind_all(t, m);
        if (rc == 0)
                rc = make_top(t, &u, m);
        if (rc == 0)
                rc = make_permanents(t, m);
        odm_txn_replay_end(t, rc == 0);
        odm_arena_done(&a);
        if (rc < 0) {
                mount_free(t, m);
                return rc;
        }
        m->gone = p->gone;
        m->gone_ctx = p->ctx;
        struct mount **end = &t->mounts;
        while (*end)
                end = &(*end)->next;
        *end = m;
        return 0;
}

/* ---- the device's view ------------------------------------------------------------------- */

static int find(odm_tree *t, odm_str uri, odm_arena *a, odm_uri *u, struct trail *w)
{
        int rc = odm_uri_parse(uri, NULL, u);

        if (rc == 0 && (u->prop || u->list))
                rc = ODM_EINVAL;
        if (rc == 0)
                rc = odm_trail_follow(t, u, a, w);
        else
                rc = ODM_ENOENT;
        return rc == 0 && !w->found ? ODM_ENOENT : rc;
}

int odm_tree_read(odm_tree *t, odm_str uri, odm_arena *a, odm_value *out)
{
        struct trail w;
        odm_uri u;
        int rc = find(t, uri, a, &u, &w);

        if (rc < 0)
                return rc;
        if (!odm_spot_is_leaf(&w.at))
                return ODM_EINVAL;
        odm_str text = odm_uri_text(&u, u.depth, a);
        if (text.p == NULL)
                return odm_arena_err(a);
        rc = odm_spot_read(&w.at, text, a, out);
        return rc == ODM_LATER ? ODM_EIO : rc;
}

static int error_of(unsigned status)
{
        if (odm_status_ok(status))
                return 0;
        switch (status) {
        case ODM_ST_NOT_FOUND: return ODM_ENOENT;
        case ODM_ST_NOT_ALLOWED: return ODM_EACCESS;
        case ODM_ST_BAD_FORMAT: return ODM_EINVAL;
        case ODM_ST_TOO_LARGE:
        case ODM_ST_URI_TOO_LONG:
        case ODM_ST_FULL: return ODM_ELIMIT;
        default: return ODM_EIO;
        }
}

int odm_tree_write(odm_tree *t, odm_str uri, const odm_value *v, odm_wall now)
{
        odm_op op = {.kind = ODM_CMD_REPLACE, .target = uri, .value = *v, .has_value = true};
        odm_answer got = {.status = ODM_ST_OK};
        odm_arena a;
        int rc;

        odm_arena_init(&a, t->opt.mem, SIZE_MAX / 2);
        rc = odm_tree_do(t, &op, now, &a, &got);
        if (rc == 0 && got.status == ODM_ST_NOT_FOUND) {
                op.kind = ODM_CMD_ADD;
                rc = odm_tree_do(t, &op, now, &a, &got);
        }
        odm_arena_done(&a);
        if (rc == ODM_LATER)
                return ODM_EIO;
        return rc ? rc : error_of(got.status);
}

int odm_tree_children(odm_tree *t, odm_str uri, int (*fn)(void *ctx, odm_str name), void *ctx)
{
        struct names l = {.n = 0};
        struct trail w;
        odm_arena a;
        odm_uri u;
        int rc;

        odm_arena_init(&a, t->opt.mem, SIZE_MAX / 2);
        rc = find(t, uri, &a, &u, &w);
        if (rc == 0 && odm_spot_is_leaf(&w.at))
                rc = ODM_EINVAL;
        if (rc == 0) {
                odm_str text = odm_uri_text(&u, u.depth, &a);
                rc = text.p ? odm_spot_names(t, &w.at, text, &a, &l) : odm_arena_err(&a);
        }
        for (size_t i = 0; rc == 0 && i < l.n; i++)
                rc = fn(ctx, l.name[i]);
        odm_arena_done(&a);
        return rc;
}

bool odm_tree_exists(odm_tree *t, odm_str uri)
{
        odm_value v;
        struct trail w;
        odm_arena a;
        odm_uri u;
        int rc;

        odm_arena_init(&a, t->opt.mem, SIZE_MAX / 2);
        rc = find(t, uri, &a, &u, &w);
        if (rc == 0 && w.at.node == NULL && odm_spot_is_leaf(&w.at))
                rc = odm_spot_read(&w.at, uri, &a, &v) == ODM_ENOENT ? ODM_ENOENT : 0;
        odm_arena_done(&a);
        return rc == 0;
}

int odm_tree_find_mo(odm_tree *t, odm_str id, odm_str after, odm_arena *a, odm_str *out)
{
        struct node *n = t->root;
        struct trail w;
        odm_uri u;

        if (after.p) {
                int rc = find(t, after, a, &u, &w);
                if (rc < 0)
                        return rc == ODM_ENOENT ? 0 : rc;
                n = odm_node_next(t->root, w.at.near);
        }
        for (; n; n = odm_node_next(t->root, n)) {
                if (node_is_leaf(n) || !odm_str_eq(odm_node_type(n), id) || id.n == 0)
                        continue;
                odm_str uri = odm_node_uri(n, a);
                if (uri.p == NULL)
                        return odm_arena_err(a);
                *out = uri;
                return 1;
        }
        return 0;
}

static bool names_server(odm_str acl, odm_str server)
{
        for (size_t i = 0; server.n && i + server.n <= acl.n; i++)
                if (memcmp(acl.p + i, server.p, server.n) == 0)
                        return true;
        return false;
}

static int forget_in(odm_tree *t, odm_str server, odm_arena *a)
{
        int rc = 0;

        for (struct node *n = t->root; n && rc == 0; n = odm_node_next(t->root, n)) {
                if (!names_server(n->acl, server)) /* at least as often as it is true */
                        continue;
                odm_str left = odm_acl_remove(a, n->acl, server, n == t->root);
                if (left.p == NULL)
                        return odm_arena_err(a);
                if (!odm_str_eq(left, n->acl))
                        rc = odm_txn_acl(t, n, left);
        }
        return rc;
}

int odm_tree_forget_server(odm_tree *t, odm_str server, odm_wall now)
{
        unsigned status = ODM_ST_OK;
        struct undo *mark;
        bool own = false;
        odm_arena a;
        int rc = odm_txn_enter(t, now, &own);

        if (rc < 0)
                return rc;
        mark = odm_txn_mark(t);
        odm_arena_init(&a, t->opt.mem, SIZE_MAX / 2);
        rc = forget_in(t, server, &a);
        odm_arena_done(&a);
        if (rc < 0)
                odm_txn_undo(t, mark);
        int end = odm_txn_leave(t, own, rc == 0, &status);
        if (rc < 0 || end < 0)
                return rc < 0 ? rc : end;
        return odm_status_ok(status) ? 0 : ODM_EIO;
}
