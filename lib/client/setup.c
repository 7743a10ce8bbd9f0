/* SPDX-License-Identifier: Apache-2.0 */
/* Package 1 (dm-protocol.md 1.2): the session alert, and DevInfo with every leaf below it,
 * as it is now. */
#include "session.h"

struct branch { /* nodes still to be looked at, the next one first */
        struct branch *next;
        odm_str uri;
};

struct walk {
        odm_client *c;
        odm_str parent;
        struct branch *first, **last; /* children of `parent`, in order */
        int rc;
};

static int add_child(void *ctx, odm_str name)
{
        struct walk *w = ctx;
        odm_arena *a = &w->c->box.arena;
        struct branch *b = odm_new(a, struct branch);

        if (b)
                b->uri = odm_arena_fmt(a, "%.*s/%.*s", (int)w->parent.n, w->parent.p, (int)name.n,
                                       name.p);
        if (b == NULL || b->uri.p == NULL) {
                w->rc = arena_rc(a);
                return 1;
        }
        *w->last = b;
        w->last = &b->next;
        return 0;
}

/* Puts the children of an interior node in front of what is still to be done. */
static int open_branch(odm_client *c, odm_str uri, struct branch **todo)
{
        struct walk w = {.c = c, .parent = uri};

        w.last = &w.first;
        int rc = odm_tree_children(c->tree, uri, add_child, &w);
        if (w.rc < 0 || rc == ODM_ENOMEM)
                return w.rc < 0 ? w.rc : rc;
        *w.last = *todo;
        *todo = w.first;
        return 0;
}

static int add_leaf(odm_client *c, odm_str uri, const odm_value *v, odm_item ***last)
{
        odm_item *it = odm_new(&c->box.arena, odm_item);
        int rc;

        if (it == NULL)
                return arena_rc(&c->box.arena);
        it->source = uri;
        rc = odm_operation_put_value(c, v, it);
        **last = it;
        *last = &it->next;
        return rc;
}

static int add_devinfo(odm_client *c)
{
        struct branch *todo = NULL;
        struct entry *e = odm_outbox_add(c, LANE_STATUS, ODM_CMD_REPLACE);
        int rc;

        if (e == NULL)
                return arena_rc(&c->box.arena);
        odm_item **last = &e->cmd.items;
        rc = open_branch(c, ODM_STR("./DevInfo"), &todo);
        while (rc == 0 && todo) {
                odm_value v = {ODM_FMT_ABSENT};
                odm_str uri = todo->uri;
                todo = todo->next;
                odm_arena_reset(&c->scratch);
                rc = odm_tree_read(c->tree, uri, &c->scratch, &v);
                if (rc == 0)
                        rc = add_leaf(c, uri, &v, &last);
                else if (rc == ODM_EINVAL)
                        rc = open_branch(c, uri, &todo);
                else if (rc == ODM_ENOENT || rc == ODM_EIO)
                        rc = 0; /* a leaf without a value now is no reason to stay silent */
        }
        return rc;
}

int odm_setup_build(odm_client *c)
{
        struct entry *e = odm_outbox_add(c, LANE_STATUS, ODM_CMD_ALERT);
        int rc;

        if (e == NULL)
                return arena_rc(&c->box.arena);
        e->cmd.code = c->opt.alert;
        rc = add_devinfo(c);
        return rc == 0 ? odm_outbox_build(c) : rc;
}
