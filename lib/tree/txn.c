/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: an undo journal in front of every change (dm-protocol.md 7.9).
 *
 *   begin -> changes, each with its undo entry -> validate by providers -> log -> commit by
 * providers | refused            | failed
 *                                                      +-> undo all <-------+
 *
 * An entry is made before the change, with all the memory both need; so taking back cannot fail.
 * Arrays of children keep their room until the end, for the same reason. */
#include <assert.h>

#include "record.h"
#include "txn.h"

enum undo_kind { UNDO_ADD, UNDO_DELETE, UNDO_VALUE, UNDO_ACL, UNDO_TITLE, UNDO_NAME, UNDO_STAMP };

struct undo {
        struct undo *prev;
        enum undo_kind kind;
        uint8_t format;
        uint16_t verno;
        bool own_name;
        struct node *node;
        odm_str s1, s2; /* what was there: value and type, or the one string of the kind */
        int64_t tstamp;
        uint32_t count; /* nodes and octets of a deleted subtree */
        size_t bytes;
        size_t record_n; /* length of the record before */
        uint64_t serial; /* of the operation */
        struct mount *mount;
        odm_change change;
};

#define ROUNDS_MOST 8 /* of providers making changes that other providers validate */

static struct recorder recorder_of(odm_tree *t)
{
        return (struct recorder){&t->txn.record, &t->txn.path, &t->txn.fresh_path};
}

/* ---- journal ----------------------------------------------------------------- */

static struct undo *prepare(odm_tree *t, enum undo_kind kind, struct node *n, struct node *at)
{
        struct undo *u = odm_new(&t->txn.arena, struct undo);

        assert(t->txn.open || t->txn.own);
        if (u == NULL)
                return NULL;
        u->kind = kind;
        u->node = n;
        u->format = n->format;
        u->verno = n->verno;
        u->tstamp = n->tstamp;
        u->record_n = t->txn.record.n;
        u->serial = t->serial;
        u->mount = at->mount;
        return u;
}

/* One copy serves the changes that follow each other; who asked may be gone when they are shown. */
static odm_str server_of_txn(odm_tree *t)
{
        const struct undo *last = t->txn.last;

        if (t->server.p && last && last->change.server.p &&
            odm_str_eq(last->change.server, t->server))
                return last->change.server;
        return odm_arena_copy(&t->txn.arena, t->server);
}

static int name_change(odm_tree *t, struct undo *u, odm_change_kind kind, odm_prop prop)
{
        u->change = (odm_change){.kind = kind, .prop = prop};
        if (u->mount == NULL) /* nobody is told */
                return 0;
        u->change.uri = odm_node_uri(u->node, &t->txn.arena);
        u->change.server = server_of_txn(t);
        return u->change.uri.p && (u->change.server.p || !t->server.p) ? 0 : ODM_ENOMEM;
}

static void push(odm_tree *t, struct undo *u)
{
        u->prev = t->txn.last;
        t->txn.last = u;
}

/* Forgets what a change that could not be made has written to the record. */
static void cut_record(odm_tree *t, size_t n)
{
        if (t->txn.record.n > n) {
                odm_buf_cut(&t->txn.record, n);
                t->txn.fresh_path = true;
        }
}

static bool is_logged(const odm_tree *t)
{
        return t->opt.log && !t->txn.silent;
}

static int log_node(odm_tree *t, const struct node *n, unsigned what)
{
        struct recorder r = recorder_of(t);
        int rc = 0;

        if (!is_logged(t))
                return 0;
        if (t->txn.record.n == 0)
                rc = odm_record_begin(&t->txn.record);
        return rc < 0 ? rc : odm_record_node(&r, n, what);
}

static void stamp(odm_tree *t, struct node *n)
{
        n->tstamp = t->txn.now.s;
        n->verno++;
}

static void restore_stamp(const struct undo *u)
{
        u->node->tstamp = u->tstamp;
        u->node->verno = u->verno;
}

/* ---- changes ------------------------------------------------------------------ */

int odm_txn_add(odm_tree *t, struct node *parent, struct node *n)
{
        struct undo *u = prepare(t, UNDO_ADD, n, n->mount ? n : parent);
        int rc = odm_node_reserve(t, parent);

        if (u == NULL)
                rc = ODM_ENOMEM;
        if (rc < 0)
                return rc;
        n->tstamp = t->txn.now.s;
        n->born = t->serial;
        odm_node_attach(parent, n);
        rc = name_change(t, u, ODM_CHANGE_ADD, ODM_PROP_NONE);
        if (rc == 0)
                rc = log_node(t, n, REC_ALL);
        if (rc < 0) {
                cut_record(t, u->record_n);
                odm_node_detach(n);
                n->parent = NULL;
                return rc;
        }
        u->count = 1;
        u->bytes = odm_node_bytes(n);
        t->n_nodes++;
        t->n_bytes += u->bytes;
        push(t, u);
        return 0;
}

int odm_txn_delete(odm_tree *t, struct node *n)
{
        struct undo *u = prepare(t, UNDO_DELETE, n, n);
        struct recorder r = recorder_of(t);
        int rc = u ? name_change(t, u, ODM_CHANGE_DELETE, ODM_PROP_NONE) : ODM_ENOMEM;

        if (rc == 0 && is_logged(t) && t->txn.record.n == 0)
                rc = odm_record_begin(&t->txn.record);
        if (rc == 0 && is_logged(t))
                rc = odm_record_delete(&r, n);
        if (rc < 0) {
                if (u)
                        cut_record(t, u->record_n);
                return rc;
        }
        for (struct node *x = n; x; x = odm_node_next(n, x)) {
                u->count++;
                u->bytes += odm_node_bytes(x);
        }
        odm_node_detach(n);
        t->n_nodes -= u->count;
        t->n_bytes -= u->bytes;
        push(t, u);
        return 0;
}

/* A string property takes the place of the old one, which the entry keeps. */
static void swap_str(odm_tree *t, odm_str *place, odm_str now, odm_str *old)
{
        *old = *place;
        *place = now;
        t->n_bytes += now.n;
        t->n_bytes -= old->n;
}

int odm_txn_value(odm_tree *t, struct node *n, odm_format f, odm_str type, odm_str data, bool quiet)
{
        struct undo *u = prepare(t, UNDO_VALUE, n, n);
        odm_str new_type = NO_STR, new_data = NO_STR;
        int rc = u ? name_change(t, u, ODM_CHANGE_VALUE, ODM_PROP_NONE) : ODM_ENOMEM;

        if (rc == 0)
                rc = odm_str_dup(t, type, &new_type);
        if (rc == 0)
                rc = odm_str_dup(t, data, &new_data);
        if (rc < 0)
                goto out;
        swap_str(t, &n->value, new_data, &u->s1);
        swap_str(t, &n->type, new_type, &u->s2);
        n->format = (uint8_t)f;
        if (!quiet)
                stamp(t, n);
        rc = log_node(t, n, REC_VALUE | REC_STAMP);
        if (rc == 0) {
                push(t, u);
                return 0;
        }
        swap_str(t, &n->value, u->s1, &new_data);
        swap_str(t, &n->type, u->s2, &new_type);
        n->format = u->format;
        restore_stamp(u);
        cut_record(t, u->record_n);
out:
        odm_str_free(t, new_type);
        odm_str_free(t, new_data);
        return rc;
}

/* ACL and Title. */
static int set_text(odm_tree *t, struct node *n, enum undo_kind kind, odm_str *place, odm_str text,
                    odm_prop prop, unsigned what)
{
        struct undo *u = prepare(t, kind, n, n);
        odm_str now = NO_STR;
        int rc = u ? name_change(t, u, ODM_CHANGE_PROP, prop) : ODM_ENOMEM;

        if (rc == 0)
                rc = odm_str_dup(t, text, &now);
        if (rc < 0)
                return rc;
        swap_str(t, place, now, &u->s1);
        stamp(t, n);
        rc = log_node(t, n, what | REC_STAMP);
        if (rc == 0) {
                push(t, u);
                return 0;
        }
        swap_str(t, place, u->s1, &now);
        restore_stamp(u);
        cut_record(t, u->record_n);
        odm_str_free(t, now);
        return rc;
}

int odm_txn_acl(odm_tree *t, struct node *n, odm_str acl)
{
        return set_text(t, n, UNDO_ACL, &n->acl, acl, ODM_PROP_ACL, REC_ACL);
}

int odm_txn_title(odm_tree *t, struct node *n, odm_str title)
{
        return set_text(t, n, UNDO_TITLE, &n->title, title, ODM_PROP_TITLE, REC_TITLE);
}

static void rename_in_place(struct node *n, odm_str name)
{
        struct node *parent = n->parent;

        odm_node_detach(n);
        n->name = name;
        odm_node_attach(parent, n);
}

int odm_txn_rename(odm_tree *t, struct node *n, odm_str name)
{
        struct undo *u = prepare(t, UNDO_NAME, n, n);
        struct recorder r = recorder_of(t);
        odm_str now = NO_STR, old_name = n->name;
        int rc = u ? odm_str_dup(t, name, &now) : ODM_ENOMEM;

        if (rc == 0 && is_logged(t) && t->txn.record.n == 0)
                rc = odm_record_begin(&t->txn.record);
        if (rc == 0 && is_logged(t))
                rc = odm_record_rename(&r, n, name);
        if (rc < 0)
                goto fail;
        u->own_name = odm_node_owns_name(n);
        u->s1 = old_name;
        rename_in_place(n, now);
        rc = name_change(t, u, ODM_CHANGE_PROP, ODM_PROP_NAME);
        if (rc == 0) {
                u->change.old_name = odm_arena_copy(&t->txn.arena, old_name);
                rc = u->change.old_name.p ? 0 : ODM_ENOMEM;
        }
        stamp(t, n);
        if (rc == 0)
                rc = log_node(t, n, REC_STAMP);
        if (rc == 0) {
                t->n_bytes += now.n;
                t->n_bytes -= u->own_name ? old_name.n : 0;
                push(t, u);
                return 0;
        }
        rename_in_place(n, old_name);
        restore_stamp(u);
fail:
        if (u)
                cut_record(t, u->record_n);
        odm_str_free(t, now);
        return rc;
}

int odm_txn_stamp(odm_tree *t, struct node *n, int64_t tstamp, uint16_t verno)
{
        struct undo *u = prepare(t, UNDO_STAMP, n, n);

        if (u == NULL)
                return ODM_ENOMEM;
        u->mount = NULL; /* no change that a provider needs to know */
        n->tstamp = tstamp;
        n->verno = verno;
        push(t, u);
        return 0;
}

/* ---- taking back ---------------------------------------------------------------- */

static void undo_name(odm_tree *t, struct undo *u)
{
        odm_str now = u->node->name;

        rename_in_place(u->node, u->s1);
        t->n_bytes += u->own_name ? u->s1.n : 0;
        t->n_bytes -= now.n;
        odm_str_free(t, now);
}

static void undo_text(odm_tree *t, odm_str *place, odm_str old)
{
        odm_str now;

        swap_str(t, place, old, &now);
        odm_str_free(t, now);
}

static void undo_one(odm_tree *t, struct undo *u)
{
        struct node *n = u->node;

        switch (u->kind) {
        case UNDO_ADD:
                odm_node_detach(n);
                t->n_nodes -= u->count;
                t->n_bytes -= u->bytes;
                odm_node_free(t, n);
                return;
        case UNDO_DELETE:
                odm_node_attach(n->parent, n);
                t->n_nodes += u->count;
                t->n_bytes += u->bytes;
                return;
        case UNDO_VALUE:
                undo_text(t, &n->value, u->s1);
                undo_text(t, &n->type, u->s2);
                n->format = u->format;
                break;
        case UNDO_ACL: undo_text(t, &n->acl, u->s1); break;
        case UNDO_TITLE: undo_text(t, &n->title, u->s1); break;
        case UNDO_NAME: undo_name(t, u); break;
        case UNDO_STAMP: break;
        }
        restore_stamp(u);
}

struct undo *odm_txn_mark(const odm_tree *t)
{
        return t->txn.last;
}

void odm_txn_undo(odm_tree *t, const struct undo *mark)
{
        while (t->txn.last != mark) {
                struct undo *u = t->txn.last;
                assert(u);
                undo_one(t, u);
                cut_record(t, u->record_n);
                t->txn.last = u->prev;
        }
}

/* What the journal kept for an undo that will not come. */
static void settle(odm_tree *t)
{
        for (struct undo *u = t->txn.last; u; u = u->prev) {
                if (u->kind == UNDO_DELETE) {
                        odm_node_free(t, u->node);
                } else if (u->kind != UNDO_NAME || u->own_name) {
                        if (u->kind == UNDO_VALUE && u->s1.n) /* may have been a secret */
                                odm_wipe((void *)(uintptr_t)u->s1.p, u->s1.n);
                        odm_str_free(t, u->s1);
                        odm_str_free(t, u->s2);
                }
        }
        t->txn.last = NULL;
}

odm_str odm_change_value(const odm_change *c, odm_str rel)
{
        const struct undo *u = (const void *)((const char *)c - offsetof(struct undo, change));
        const struct node *n = u->node;

        assert(u->kind == UNDO_DELETE);
        while (n && rel.n) {
                size_t len = 0;
                while (len < rel.n && rel.p[len] != '/')
                        len++;
                n = odm_node_find(n, odm_str_to(rel, len));
                rel = odm_str_from(rel, len + 1);
        }
        return n && node_is_leaf(n) ? odm_node_value(n) : ODM_ABSENT;
}

/* ---- the end --------------------------------------------------------------------- */

static void close_txn(odm_tree *t)
{
        odm_arena_reset(&t->txn.arena);
        odm_buf_cut(&t->txn.record, 0);
        t->txn.fresh_path = true;
        t->txn.open = t->txn.own = t->txn.committing = t->txn.silent = false;
}

void odm_txn_done(odm_tree *t)
{
        assert(t->txn.last == NULL);
        odm_arena_done(&t->txn.arena);
        odm_buf_done(&t->txn.record);
        odm_buf_done(&t->txn.path);
}

/* Gives each provider its changes in order; the journal has them newest first. */
static void sort_changes(odm_tree *t)
{
        for (struct mount *m = t->mounts; m; m = m->next) {
                m->list = NULL;
                m->n_changes = 0;
        }
        for (struct undo *u = t->txn.last; u; u = u->prev) {
                struct mount *m = u->mount;
                if (m == NULL)
                        continue;
                u->change.next = m->list;
                m->list = &u->change;
                m->n_changes++;
        }
}

/* The last operation below `m`, but none that a provider did while it validated. */
static uint64_t last_below(const odm_tree *t, const struct mount *m, uint64_t latest)
{
        for (const struct undo *u = t->txn.last; u; u = u->prev)
                if (u->mount == m && u->serial <= latest)
                        return u->serial;
        return 0;
}

static int validate_one(odm_tree *t, struct mount *m, unsigned *status)
{
        int rc = 0;

        m->touched = true;
        if (m->p->validate)
                rc = m->p->validate(m->p->ctx, t, m->list, status);
        sort_changes(t); /* it may have made more */
        m->n_seen = m->n_changes;
        return rc;
}

/* A provider's validate may change what belongs to another, which then has its say too. */
static int validate_all(odm_tree *t, unsigned *status)
{
        uint64_t latest = t->last_serial;
        bool more = true;
        int rc = 0;

        t->culprit = 0;
        for (struct mount *m = t->mounts; m; m = m->next)
                m->n_seen = 0;
        sort_changes(t);
        for (int round = 0; more && round < ROUNDS_MOST; round++) {
                more = false;
                for (struct mount *m = t->mounts; m; m = m->next) {
                        if (m->n_changes == m->n_seen)
                                continue;
                        more = true;
                        rc = validate_one(t, m, status);
                        if (rc == 0 && !odm_status_ok(*status))
                                t->culprit = last_below(t, m, latest);
                        if (rc < 0 || !odm_status_ok(*status))
                                return rc < 0 ? rc : 0;
                }
        }
        if (more)
                *status = ODM_ST_FAILED;
        return 0;
}

static int apply_all(odm_tree *t)
{
        int worst = 0;

        t->txn.committing = true;
        for (struct mount *m = t->mounts; m; m = m->next) {
                if (m->touched && m->list && m->p->commit &&
                    m->p->commit(m->p->ctx, t, m->list) < 0)
                        worst = ODM_EIO;
                m->touched = false;
        }
        return worst;
}

static void take_back_all(odm_tree *t)
{
        odm_txn_undo(t, NULL);
        for (struct mount *m = t->mounts; m; m = m->next) {
                if (m->touched && m->p->rollback)
                        m->p->rollback(m->p->ctx);
                m->touched = false;
        }
}

static void write_log(odm_tree *t, unsigned *status)
{
        if (t->opt.log == NULL || t->txn.record.n == 0)
                return;
        odm_record_end(&t->txn.record);
        if (t->opt.log(t->opt.log_ctx, odm_buf_view(&t->txn.record)) < 0)
                *status = ODM_ST_STORE_FAILED;
}

static int end(odm_tree *t, unsigned *status)
{
        unsigned st = ODM_ST_OK;
        int rc = validate_all(t, &st);

        if (rc == 0 && odm_status_ok(st))
                write_log(t, &st);
        if (rc == 0)
                *status = odm_status_ok(st) ? ODM_ST_OK : st;
        if (rc == 0 && odm_status_ok(st)) {
                rc = apply_all(t);
                settle(t);
        } else {
                take_back_all(t);
        }
        close_txn(t);
        return rc;
}

int odm_txn_enter(odm_tree *t, odm_wall now, bool *own)
{
        if (t->txn.committing)
                return ODM_ESTATE;
        *own = !t->txn.open && !t->txn.own;
        if (*own) {
                t->txn.own = true;
                t->txn.now = now;
        }
        return 0;
}

int odm_txn_leave(odm_tree *t, bool own, bool keep, unsigned *status)
{
        if (!own)
                return 0;
        if (keep)
                return end(t, status);
        take_back_all(t);
        close_txn(t);
        return 0;
}

int odm_txn_replay_begin(odm_tree *t)
{
        bool own = false;
        int rc = t->txn.open || t->txn.own ? ODM_ESTATE : odm_txn_enter(t, (odm_wall){0}, &own);

        t->txn.silent = rc == 0;
        return rc;
}

void odm_txn_replay_end(odm_tree *t, bool keep)
{
        if (keep)
                settle(t);
        else
                odm_txn_undo(t, NULL);
        close_txn(t);
}

int odm_tree_begin(odm_tree *t, odm_wall now)
{
        if (t->txn.open || t->txn.own)
                return ODM_ESTATE;
        t->txn.open = true;
        t->txn.now = now;
        return 0;
}

int odm_tree_commit(odm_tree *t, unsigned *status)
{
        if (!t->txn.open || t->txn.own || t->txn.committing)
                return ODM_ESTATE;
        return end(t, status);
}

void odm_tree_rollback(odm_tree *t)
{
        if (!t->txn.open || t->txn.committing)
                return;
        take_back_all(t);
        close_txn(t);
}

bool odm_tree_in_transaction(const odm_tree *t)
{
        return t->txn.open;
}

uint64_t odm_tree_latest(const odm_tree *t)
{
        return t->last_serial;
}

uint64_t odm_tree_culprit(const odm_tree *t)
{
        return t->culprit;
}
