/* SPDX-License-Identifier: Apache-2.0 */
/* Facts: dm-protocol.md 7.5. */
#include "walk.h"

#include <string.h>

static int remember(walk *w, odm_str uri)
{
        if (w->n_uri == w->cap_uri) {
                size_t cap = w->cap_uri ? w->cap_uri * 2 : 32;
                odm_str *p = odm_arena_get(w->a, cap * sizeof *p);
                if (!p)
                        return odm_arena_err(w->a);
                if (w->n_uri)
                        memcpy(p, w->uri, w->n_uri * sizeof *p);
                w->uri = p;
                w->cap_uri = cap;
        }
        w->uri[w->n_uri++] = uri;
        w->octets += uri.n;
        return 0;
}

int walk_begin(walk *w, const odm_command *c, odm_arena *a)
{
        *w = (walk){.a = a, .list = job_list_of(c), .root = job_uri(c), .status = ODM_ST_OK};
        return remember(w, w->root);
}

/* Too much of it: what was read is not given as if it were all. */
static bool is_too_large(const walk *w)
{
        return w->n_uri > WALK_NODES || w->octets > WALK_OCTETS;
}

static void end_too_large(walk *w)
{
        w->at = w->n_uri;
        w->n = 0;
        w->status = ODM_ST_TOO_LARGE;
        w->text = ODM_STR("the device has no lists, and there is too much to read node by node");
}

int walk_gets(walk *w, odm_command **out)
{
        odm_command *head = NULL, **end = &head;

        w->sent = 0;
        while (w->sent < WALK_GETS && w->at + w->sent < w->n_uri) {
                odm_command *c = odm_new(w->a, odm_command);
                odm_item *i = odm_new(w->a, odm_item);
                if (!c || !i)
                        return odm_arena_err(w->a);
                i->target = w->uri[w->at + w->sent++];
                c->kind = ODM_CMD_GET;
                c->items = i;
                *end = c;
                end = &c->next;
        }
        *out = head;
        return head ? 1 : 0;
}

static int add_value(walk *w, const store_value *from, odm_str asked)
{
        store_value v = {.uri = odm_arena_copy(w->a, from->uri.n ? from->uri : asked),
                         .format = odm_arena_copy(w->a, from->format),
                         .type = odm_arena_copy(w->a, from->type)};
        bool bare = w->list == JOB_LIST_NAMES || odm_str_is(from->format, "node");

        if (!bare)
                v.data = odm_arena_copy(w->a, from->data);
        if (w->n == w->cap) {
                size_t cap = w->cap ? w->cap * 2 : 32;
                store_value *p = odm_arena_get(w->a, cap * sizeof *p);
                if (!p)
                        return odm_arena_err(w->a);
                if (w->n)
                        memcpy(p, w->v, w->n * sizeof *p);
                w->v = p;
                w->cap = cap;
        }
        if (w->a->err)
                return odm_arena_err(w->a);
        w->v[w->n++] = v;
        w->octets += v.data.n;
        return 0;
}

/* The children that an interior node names. */
static int add_children(walk *w, odm_str parent, odm_str names)
{
        while (names.n && !is_too_large(w)) {
                size_t n = 0;
                while (n < names.n && names.p[n] != '/')
                        n++;
                if (n) {
                        odm_str uri = odm_arena_fmt(w->a, "%.*s/%.*s", (int)parent.n, parent.p,
                                                    (int)n, names.p);
                        int rc = uri.p ? remember(w, uri) : odm_arena_err(w->a);
                        if (rc < 0)
                                return rc;
                }
                names = odm_str_from(names, n + 1);
        }
        return 0;
}

int walk_take(walk *w, size_t i, unsigned status, const store_value *items, size_t n)
{
        odm_str asked;
        int rc = 0;

        if (i >= w->sent || w->status != ODM_ST_OK)
                return 0;
        asked = w->uri[w->at + i];
        if (!job_status_ok(status)) {
                if (w->at + i == 0) {
                        w->status = status;
                        w->at = w->n_uri;
                }
                return 0;
        }
        for (size_t k = 0; k < n && rc == 0; k++) {
                rc = add_value(w, &items[k], asked);
                if (rc == 0 && odm_str_is(items[k].format, "node") && items[k].data.n)
                        rc = add_children(w, asked, odm_str_trim(items[k].data));
        }
        return rc;
}

int walk_next(walk *w)
{
        if (w->status != ODM_ST_OK)
                return 0;
        if (is_too_large(w)) {
                end_too_large(w);
                return 0;
        }
        w->at += w->sent;
        w->sent = 0;
        if (w->at < w->n_uri)
                return 0;
        w->text = odm_arena_fmt(w->a, "the device has no such list: %zu nodes were read one by one",
                                w->n);
        return w->text.p ? 0 : odm_arena_err(w->a);
}
