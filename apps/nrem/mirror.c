/* SPDX-License-Identifier: Apache-2.0 */
/* From answers to changes of the mirror.  Facts: dm-protocol.md on Get and its lists, dm-tree.md
 * 7, 8. */
#include "mirror.h"

#include <string.h>

#include "gateway.h"
#include "job_codec.h"
#include "readable.h"

#define PATH_MOST 1024
#define DOC_DEPTH 32

static bool is_of_another(odm_str path)
{
        odm_str key, rest;

        return gateway_mount_split(path, &key, &rest) || gateway_record_key(path).p;
}

static int add(mirror_changes *m, store_tree_change c)
{
        odm_str *texts[] = {&c.path, &c.format, &c.type, &c.value};

        if (m->own_only && is_of_another(c.path))
                return 0;
        if (m->n == m->cap) {
                size_t cap = m->cap ? m->cap * 2 : 16;
                store_tree_change *v = odm_arena_get(m->a, cap * sizeof *v);
                if (!v)
                        return odm_arena_err(m->a);
                if (m->n)
                        memcpy(v, m->v, m->n * sizeof *v);
                m->v = v;
                m->cap = cap;
        }
        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (texts[i]->p) {
                        *texts[i] = odm_arena_copy(m->a, *texts[i]);
                        if (!texts[i]->p)
                                return odm_arena_err(m->a);
                }
        m->v[m->n++] = c;
        return 0;
}

/* What the store would refuse is left out here, so that one odd node does not cost the others. */
static bool path_ok(odm_str p)
{
        return p.n >= 1 && p.n <= PATH_MOST && p.p[0] == '.' && (p.n == 1 || p.p[1] == '/') &&
               (p.n == 1 || p.p[p.n - 1] != '/') && odm_utf8_ok(p);
}

/* "DevInfo/Man" and "/DevInfo/Man" are seen too. */
static int normal_path(mirror_changes *m, odm_str uri, odm_str *out)
{
        odm_str p = job_path(uri);

        if (p.n && p.p[0] != '.') {
                p = odm_arena_fmt(m->a, ".%s%.*s", p.p[0] == '/' ? "" : "/", (int)p.n, p.p);
                if (!p.p)
                        return odm_arena_err(m->a);
        }
        *out = p;
        return 0;
}

int mirror_leaf(mirror_changes *m, odm_str uri, odm_str format, odm_str type, odm_str value)
{
        store_tree_change c = {STORE_TREE_SET, .format = format, .type = type, .value = value};
        int rc = normal_path(m, uri, &c.path);

        if (rc < 0 || !path_ok(c.path))
                return rc;
        if (value.p && (readable_is_secret(c.path) ||
                        (!odm_str_is(format, "node") && readable_names_secret(value)))) {
                c.value = ODM_ABSENT;
                c.size = value.n;
        }
        return add(m, c);
}

static int mirror_gone(mirror_changes *m, odm_str uri)
{
        store_tree_change c = {.kind = STORE_TREE_GONE};
        int rc = normal_path(m, uri, &c.path);

        return rc < 0 || !path_ok(c.path) ? rc : add(m, c);
}

/* ---- TNDS --------------------------------------------------------------------------------- */

static int doc_leaf(mirror_changes *m, const odm_doc_node *n, odm_str path)
{
        odm_str type = n->type_is_ddf_name ? ODM_ABSENT : n->type;
        odm_str value = n->value.kind == ODM_DATA_ABSENT ? ODM_ABSENT : n->value.bytes;
        odm_str format =
                n->format == ODM_FMT_ABSENT ? ODM_ABSENT : odm_cstr(odm_format_name(n->format));

        if (n->children || n->format == ODM_FMT_NODE)
                return mirror_leaf(m, path, ODM_STR("node"), n->type, ODM_ABSENT);
        if ((n->format == ODM_FMT_B64 || n->format == ODM_FMT_BIN) && value.n &&
            n->value.kind == ODM_DATA_TEXT) {
                int rc = odm_b64_decode(m->a, value, &value);
                if (rc < 0 && rc != ODM_EMALFORMED)
                        return rc;
        }
        return mirror_leaf(m, path, format, type, value);
}

/* The nodes of a document, depth first, without recursion: a stack of where to go on. */
static int doc_nodes(mirror_changes *m, const odm_doc_node *top, odm_str base)
{
        struct {
                const odm_doc_node *n;
                odm_str at;
        } stack[DOC_DEPTH];
        size_t depth = 0;

        stack[depth].n = top;
        stack[depth++].at = base;
        while (depth) {
                const odm_doc_node *n = stack[depth - 1].n;
                odm_str at = stack[depth - 1].at, path;
                if (!n) {
                        depth--;
                        continue;
                }
                stack[depth - 1].n = n->next;
                if (!n->name.n)
                        continue;
                if (n->path.n && depth == 1) /* relative to where the document stands */
                        at = odm_arena_fmt(m->a, "%.*s/%.*s", (int)at.n, at.p, (int)n->path.n,
                                           n->path.p);
                path = odm_arena_fmt(m->a, "%.*s/%.*s", (int)at.n, at.p ? at.p : "", (int)n->name.n,
                                     n->name.p);
                if (!at.p || !path.p)
                        return odm_arena_err(m->a);
                int rc = doc_leaf(m, n, path);
                if (rc < 0)
                        return rc;
                if (n->children && depth < DOC_DEPTH) {
                        stack[depth].n = n->children;
                        stack[depth++].at = path;
                }
        }
        return 0;
}

/* The document's first node is the one that was asked for. */
int mirror_document(mirror_changes *m, odm_str uri, odm_str text)
{
        odm_limits lim;
        odm_doc *doc = NULL;
        odm_str path = ODM_ABSENT, base;
        size_t n;
        int rc = normal_path(m, uri, &path);

        if (rc < 0)
                return rc;
        odm_limits_init(&lim);
        lim.max_msg = text.n + 1;
        rc = odm_doc_decode(text, &lim, m->a, &doc);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT)
                return 0; /* the device's mistake: the job's result shows it */
        if (rc < 0)
                return rc;
        for (n = path.n; n > 0 && path.p[n - 1] != '/'; n--)
                ;
        base = odm_str_to(path, n > 1 ? n - 1 : 1);
        if (doc->nodes && doc->nodes->path.n && m->there)
                doc->nodes->path = ODM_ABSENT;
        if (doc->nodes && doc->nodes->path.n) /* it says itself where it stands */
                base = ODM_STR(".");
        return doc_nodes(m, doc->nodes, base);
}

/* ---- commands ------------------------------------------------------------------------------- */

static bool has_query(odm_str uri, const char *word)
{
        odm_str q = odm_str_from(uri, job_path(uri).n);
        size_t n = strlen(word);

        for (size_t i = 0; i + n <= q.n; i++)
                if (memcmp(q.p + i, word, n) == 0)
                        return true;
        return false;
}

static int from_item(mirror_changes *m, odm_str asked, const store_value *v)
{
        odm_str path = ODM_ABSENT;
        int rc;

        if (job_is_tnds(v->type))
                return mirror_document(m, v->uri.p ? v->uri : asked, v->data);
        if (!odm_str_is(v->format, "node"))
                return mirror_leaf(m, v->uri, v->format, v->type, v->data);
        rc = normal_path(m, v->uri, &path);
        if (rc < 0 || !path_ok(path))
                return rc;
        if (!v->data.p || has_query(asked, "list=")) /* a list names the children one by one */
                return mirror_leaf(m, path, v->format, v->type, ODM_ABSENT);
        return add(m, (store_tree_change){STORE_TREE_CHILDREN, path, ODM_ABSENT, v->type,
                                          odm_str_trim(v->data), 0});
}

static int from_get(mirror_changes *m, const odm_command *c, unsigned status,
                    const store_value *items, size_t n)
{
        odm_str asked = c->items ? c->items->target : ODM_ABSENT;
        int rc = 0;

        if (has_query(asked, "prop="))
                return 0;
        if (status == ODM_ST_NOT_FOUND)
                return mirror_gone(m, asked);
        if (!job_status_ok(status))
                return 0;
        if (has_query(asked, "list=StructData"))
                rc = mirror_gone(m, asked); /* the list is complete: what is not in it is gone */
        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = from_item(m, asked, &items[i]);
        return rc;
}

static int from_write(mirror_changes *m, const odm_command *c)
{
        const odm_item *i = c->items;
        odm_meta meta = odm_meta_of(c, i);
        odm_str value = i->data.kind == ODM_DATA_ABSENT ? ODM_STR("") : i->data.bytes;
        odm_str format =
                meta.format == ODM_FMT_ABSENT ? ODM_ABSENT : odm_cstr(odm_format_name(meta.format));

        if (has_query(i->target, "prop="))
                return 0;
        if (job_is_tnds(meta.type))
                return mirror_document(m, i->target, value);
        if (meta.format == ODM_FMT_NODE)
                return mirror_leaf(m, i->target, format, meta.type, ODM_ABSENT);
        if (meta.format == ODM_FMT_B64) {
                int rc = odm_b64_decode(m->a, value, &value);
                if (rc < 0)
                        return rc == ODM_EMALFORMED ? 0 : rc;
        }
        /* the device keeps the format of a node that was there: what a Replace says is no news */
        return mirror_leaf(m, i->target, c->kind == ODM_CMD_ADD ? format : ODM_ABSENT,
                           c->kind == ODM_CMD_ADD ? meta.type : ODM_ABSENT, value);
}

int mirror_answer(mirror_changes *m, const odm_command *c, unsigned status,
                  const store_value *items, size_t n)
{
        if (!c->items)
                return 0;
        if (c->kind == ODM_CMD_GET)
                return from_get(m, c, status, items, n);
        if (c->kind == ODM_CMD_DELETE && status == ODM_ST_NOT_FOUND)
                return mirror_gone(m, c->items->target);
        if (!job_status_ok(status))
                return 0;
        if (c->kind == ODM_CMD_DELETE)
                return mirror_gone(m, c->items->target);
        if (c->kind == ODM_CMD_ADD || c->kind == ODM_CMD_REPLACE)
                return from_write(m, c);
        return 0;
}
