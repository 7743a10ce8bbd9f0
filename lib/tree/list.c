/* SPDX-License-Identifier: Apache-2.0 */
/* ?list= of Get: a subtree as results, or as one TNDS document (dm-tree.md 5.1, 8).
 *
 * What the server may not read is left out with all below it, and so is what has no Get in its
 * AccessType: secrets.  The walk keeps its own stack; a provider's nodes are no deeper than a URI
 * can be. */
#include <assert.h>

#include "job.h"

struct frame {
        struct spot spot;
        struct names kids;
        size_t next;
        odm_str uri;
        odm_doc_node *doc, **doc_end; /* TNDS: the node, and where its next child goes */
};

struct walk {
        struct job *j;
        struct frame frame[ODM_URI_SEGS + 1];
        unsigned depth;
        uint32_t count;
        size_t bytes;
        odm_doc_node *top;
        odm_result *last;
};

static bool wants(const struct walk *w, odm_prop p)
{
        return w->j->uri.list_props & (1u << p);
}

/* ---- one node of a document ------------------------------------------------------------- */

static int doc_stamps(struct walk *w, const struct node *n, odm_doc_node *d)
{
        odm_arena *a = w->j->a;
        char text[ODM_WALL_TEXT];

        if (n == NULL || !w->j->t->opt.has_tstamp)
                return 0;
        if (wants(w, ODM_PROP_TITLE) && n->title.n)
                d->title = n->title;
        if (wants(w, ODM_PROP_TSTAMP)) {
                odm_wall_format((odm_wall){n->tstamp}, text);
                d->tstamp = odm_arena_copy(a, odm_cstr(text));
                if (d->tstamp.p == NULL)
                        return odm_arena_err(a);
        }
        if (wants(w, ODM_PROP_VERNO)) {
                d->ver_no = odm_arena_fmt(a, "%u", n->verno);
                if (d->ver_no.p == NULL)
                        return odm_arena_err(a);
        }
        return 0;
}

static int doc_node(struct walk *w, struct frame *f, const odm_value *v)
{
        const struct spot *s = &f->spot;
        odm_doc_node *d = odm_new(w->j->a, odm_doc_node);

        if (d == NULL)
                return odm_arena_err(w->j->a);
        d->name = s->name.n ? s->name : ODM_STR(".");
        d->has_rt = true;
        d->type_is_ddf_name = !odm_spot_is_leaf(s);
        d->type = v ? v->type : odm_spot_type(s);
        /* octets could not be told from text without it, nor be carried by XML */
        if (wants(w, ODM_PROP_FORMAT) ||
            (v && v->format == ODM_FMT_BIN && wants(w, ODM_PROP_VALUE)))
                d->format = v ? v->format : odm_spot_format(s);
        if (wants(w, ODM_PROP_ACL) && s->node && s->node->acl.n)
                d->acl = s->node->acl;
        if (v && wants(w, ODM_PROP_VALUE))
                d->value = (odm_data){v->format == ODM_FMT_BIN ? ODM_DATA_OPAQUE : ODM_DATA_TEXT,
                                      v->data};
        f->doc = d;
        f->doc_end = &d->children;
        if (w->depth == 0) {
                w->top = d;
        } else {
                struct frame *up = &w->frame[w->depth - 1];
                *up->doc_end = d;
                up->doc_end = &d->next;
        }
        return doc_stamps(w, s->node, d);
}

/* ---- one node of a list -------------------------------------------------------------------- */

static int result_node(struct walk *w, struct frame *f, const odm_value *v)
{
        odm_result *r = odm_new(w->j->a, odm_result);

        if (r == NULL)
                return odm_arena_err(w->j->a);
        r->uri = f->uri;
        r->value.format = v ? v->format : odm_spot_format(&f->spot);
        r->value.type = v ? v->type : odm_spot_type(&f->spot);
        if (v && w->j->uri.list == ODM_LIST_STRUCT_DATA) {
                r->value.data = v->data;
                r->has_data = true;
        }
        if (w->last)
                w->last->next = r;
        else
                w->j->out->results = r;
        w->last = r;
        return 0;
}

/* ---- the walk --------------------------------------------------------------------------- */

static bool is_readable(const struct walk *w, const struct spot *s)
{
        return odm_job_may(w->j, s, ODM_ACC_GET) && odm_job_has_right(w->j, s, ODM_ACC_GET);
}

/* 1: the leaf is left out, for it is not there now, or only its host could tell. */
static int leaf_value(struct walk *w, struct frame *f, odm_value *v)
{
        int rc = odm_spot_read(&f->spot, f->uri, w->j->a, v);

        if (rc == ODM_ENOENT || rc == ODM_LATER)
                return 1;
        return rc;
}

static bool over_limits(struct walk *w, const odm_value *v, bool leaf)
{
        const odm_tree *t = w->j->t;
        size_t most = w->j->op->max_result;

        if (++w->count > t->opt.max_list)
                return true;
        w->bytes += leaf ? v->data.n : 0;
        if (most == 0)
                return false;
        return w->j->uri.list == ODM_LIST_TNDS ? w->bytes > most : leaf && v->data.n > most;
}

/* Puts the frame's node out and readies its children.  1 when it was left out. */
static int visit(struct walk *w, struct frame *f)
{
        bool leaf = odm_spot_is_leaf(&f->spot);
        odm_value v = {.format = ODM_FMT_ABSENT};
        int rc = leaf ? leaf_value(w, f, &v) : 0;

        if (rc != 0)
                return rc;
        if (over_limits(w, &v, leaf))
                return ODM_LATER + 1;
        if (w->j->uri.list == ODM_LIST_TNDS)
                rc = doc_node(w, f, leaf ? &v : NULL);
        else
                rc = result_node(w, f, leaf ? &v : NULL);
        f->next = 0;
        f->kids.n = 0;
        if (rc == 0 && !leaf && !odm_spot_forwards(&f->spot))
                rc = odm_spot_names(w->j->t, &f->spot, f->uri, w->j->a, &f->kids);
        return rc;
}

/* Goes on to the next child of the newest frame; a frame without any is left. */
static int advance(struct walk *w)
{
        struct frame *f = &w->frame[w->depth];
        struct frame *down = f + 1;

        if (f->next == f->kids.n || w->depth == ODM_URI_SEGS) {
                w->depth--;
                return 0;
        }
        odm_str name = f->kids.name[f->next++];
        down->spot = f->spot;
        int rc = odm_spot_step_at(&down->spot, f->uri, name);
        if (rc <= 0)
                return rc;
        if (!is_readable(w, &down->spot))
                return 0;
        down->uri =
                odm_arena_fmt(w->j->a, "%.*s/%.*s", (int)f->uri.n, f->uri.p, (int)name.n, name.p);
        if (down->uri.p == NULL)
                return odm_arena_err(w->j->a);
        w->depth++;
        rc = visit(w, down);
        if (rc == 1)
                w->depth--;
        return rc == 1 ? 0 : rc;
}

static int finish(struct walk *w)
{
        struct job *j = w->j;

        if (j->uri.list != ODM_LIST_TNDS)
                return 0;
        odm_doc *doc = odm_new(j->a, odm_doc);
        odm_result *r = odm_job_result(j);
        if (doc == NULL || r == NULL)
                return odm_arena_err(j->a);
        doc->ver_dtd = ODM_STR("1.2");
        doc->nodes = w->top;
        r->uri = w->frame[0].uri;
        r->value.format = ODM_FMT_XML;
        r->has_data = true;
        r->doc = doc;
        return 0;
}

static bool wants_what_is_not_there(const struct job *j)
{
        unsigned optional = 1u << ODM_PROP_TSTAMP | 1u << ODM_PROP_VERNO | 1u << ODM_PROP_TITLE |
                            1u << ODM_PROP_SIZE;
        unsigned all = optional | 1u << ODM_PROP_ACL | 1u << ODM_PROP_FORMAT | 1u << ODM_PROP_NAME |
                       1u << ODM_PROP_TYPE | 1u << ODM_PROP_VALUE;

        return !j->t->opt.has_tstamp && j->uri.list == ODM_LIST_TNDS && j->uri.list_props != all &&
               (j->uri.list_props & optional);
}

int odm_do_list(struct job *j)
{
        struct walk *w;
        bool running = true;
        int rc;

        if (wants_what_is_not_there(j))
                return job_status(j, ODM_ST_UNSUPPORTED);
        w = odm_new(j->a, struct walk);
        if (w == NULL)
                return odm_arena_err(j->a);
        w->j = j;
        w->frame[0].spot = j->trail.at;
        w->frame[0].uri = odm_uri_text(&j->uri, j->uri.depth, j->a);
        if (w->frame[0].uri.p == NULL)
                return odm_arena_err(j->a);
        rc = visit(w, &w->frame[0]);
        if (rc == 1)
                return job_status(j, ODM_ST_NOT_FOUND);
        while (rc == 0 && running) {
                running = w->depth > 0 || w->frame[0].next < w->frame[0].kids.n;
                if (running)
                        rc = advance(w);
        }
        if (rc == ODM_LATER + 1) /* a ceiling; the answer would not fit */
                return job_status(j, ODM_ST_TOO_LARGE);
        if (rc == ODM_EIO)
                return job_status(j, ODM_ST_FAILED);
        return rc ? rc : finish(w);
}
