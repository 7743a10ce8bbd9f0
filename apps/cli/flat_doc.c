/* SPDX-License-Identifier: Apache-2.0 */
/* A document built of a flat list.  A node goes below the longest URI that is there already;
 * what is missing between becomes interior nodes, and a list may have several tops. */
#include <string.h>

#include "flat.h"
#include "io.h"

typedef struct placed {
        odm_str uri;
        odm_doc_node *node, *last; /* last: its youngest child */
        bool implied;              /* made for a node below it; may still be described */
} placed;

typedef struct builder {
        xrem *c;
        const char *name; /* of the input */
        odm_doc *doc;
        odm_doc_node *last_top;
        placed *at;
        size_t n, cap;
        bool binary;
} builder;

/* The newest first: a node's parent mostly is near. */
static placed *find(builder *b, odm_str uri)
{
        for (size_t i = b->n; i-- > 0;)
                if (odm_str_eq(b->at[i].uri, uri))
                        return &b->at[i];
        return NULL;
}

static odm_str parent_of(odm_str uri)
{
        size_t n = uri.n;

        while (n > 0 && uri.p[n - 1] != '/')
                n--;
        return n > 0 ? odm_str_to(uri, n - 1) : ODM_ABSENT;
}

static placed *place(builder *b, odm_str uri, placed *parent, odm_str name)
{
        odm_doc_node *n = odm_new(&b->c->arena, odm_doc_node);

        if (n == NULL)
                xrem_out_of_memory();
        if (b->n == b->cap) {
                placed *bigger = xrem_new(b->c, placed, b->cap * 2 + 64);
                size_t parent_at = parent ? (size_t)(parent - b->at) : 0;

                if (b->n)
                        memcpy(bigger, b->at, b->n * sizeof *bigger);
                b->at = bigger;
                b->cap = b->cap * 2 + 64;
                parent = parent ? &b->at[parent_at] : NULL;
        }
        n->name = name;
        odm_doc_node **list = parent ? &parent->node->children : &b->doc->nodes;
        odm_doc_node **last = parent ? &parent->last : &b->last_top;
        if (*last)
                (*last)->next = n;
        else
                *list = n;
        *last = n;
        b->at[b->n] = (placed){.uri = uri, .node = n};
        return &b->at[b->n++];
}

static placed *place_top(builder *b, odm_str uri)
{
        odm_str parent = parent_of(uri);
        odm_str name = parent.p ? odm_str_from(uri, parent.n + 1) : ODM_STR("");
        placed *p = place(b, uri, NULL, name);

        if (parent.p && !odm_str_is(parent, "."))
                p->node->path = parent;
        return p;
}

static void fill_interior(odm_doc_node *n, odm_str type)
{
        n->has_rt = true;
        n->format = ODM_FMT_NODE;
        n->type_is_ddf_name = true;
        n->type = type.p ? type : ODM_STR("");
}

/* The place of `uri`, made with all that is missing above it. */
static placed *make_place(builder *b, odm_str uri)
{
        odm_str up = parent_of(uri);
        placed *p = NULL;

        while (up.p && (p = find(b, up)) == NULL)
                up = parent_of(up);
        if (p == NULL)
                return place_top(b, uri);
        while (p->uri.n < uri.n) {
                size_t n = p->uri.n + 1;

                fill_interior(p->node, p->node->type);
                while (n < uri.n && uri.p[n] != '/')
                        n++;
                odm_str whole = odm_str_to(uri, n);
                p = place(b, whole, p, odm_str_from(whole, p->uri.n + 1));
                p->implied = n < uri.n;
        }
        return p;
}

static void fill(builder *b, const xrem_flat *f, odm_doc_node *n)
{
        bool octets = f->format == ODM_FMT_BIN;

        n->acl = f->acl;
        n->title = f->title;
        if (f->format == ODM_FMT_NODE) {
                fill_interior(n, f->type);
                return;
        }
        n->has_rt = true;
        n->format = f->format;
        n->type = f->type.n                  ? f->type
                  : f->format == ODM_FMT_BIN ? ODM_STR("application/octet-stream")
                                             : ODM_STR("text/plain");
        if (f->value.p == NULL)
                return;
        n->value.kind = octets && b->binary ? ODM_DATA_OPAQUE : ODM_DATA_TEXT;
        n->value.bytes = octets && !b->binary ? xrem_b64(b->c, f->value) : f->value;
}

static int add(builder *b, const xrem_flat *f)
{
        placed *p = find(b, f->uri), *up;

        if (p && !p->implied)
                return xrem_fail(XREM_BAD_INPUT, "%s: %s is there twice", b->name, f->uri.p);
        if (p == NULL) {
                odm_str parent = parent_of(f->uri);

                up = parent.p ? find(b, parent) : NULL;
                if (up && up->node->has_rt && up->node->format != ODM_FMT_NODE)
                        return xrem_fail(XREM_BAD_INPUT, "%s: %s is below a leaf", b->name,
                                         f->uri.p);
                p = make_place(b, f->uri);
        } else if (f->format != ODM_FMT_NODE) {
                return xrem_fail(XREM_BAD_INPUT, "%s: %s is a leaf with nodes below it", b->name,
                                 f->uri.p);
        }
        p->implied = false;
        fill(b, f, p->node);
        return XREM_OK;
}

int xrem_flat_doc(xrem *c, const char *name, const xrem_flat *list, size_t n, bool binary,
                  odm_doc **out)
{
        builder b = {.c = c, .name = name, .binary = binary};

        b.doc = xrem_new(c, odm_doc, 1);
        b.doc->ver_dtd = ODM_STR("1.2");
        for (size_t i = 0; i < n; i++) {
                int rc = add(&b, &list[i]);

                if (rc != XREM_OK)
                        return rc;
        }
        if (n == 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: there are no nodes", name);
        *out = b.doc;
        return XREM_OK;
}
