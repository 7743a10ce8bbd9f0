/* SPDX-License-Identifier: Apache-2.0 */
/* Which description a node has is found from the root down: an object is known by the Type the
 * device gives its top node, else by its place, and what is in it by its name.  So a device may
 * have an object anywhere, and one that is somewhere else entirely is not described by accident. */
#include "api_describe.h"

#include "ddf.h"

typedef struct describing {
        const ddf *ddf;
        json_t *types; /* URI of an interior node -> what the device calls its type */
} describing;

static odm_str member(const json_t *o, const char *name)
{
        const json_t *v = json_object_get(o, name);

        return v ? (odm_str){json_string_value(v), json_string_length(v)} : ODM_ABSENT;
}

static int note_type(describing *g, odm_str uri, odm_str format, odm_str type)
{
        if (type.n == 0 || (format.n && !odm_str_is(format, "node")))
                return 0;
        return json_object_setn_new(g->types, uri.p, uri.n, json_stringn(type.p, type.n)) < 0
                       ? ODM_ENOMEM
                       : 0;
}

/* Types of the nodes between the tree's root and the answer's first node. */
static int note_above(call *c, describing *g, int64_t device, odm_str root)
{
        store_tree t = {0};
        size_t n = 2;
        int rc;

        while (n < root.n && root.p[n] != '/')
                n++;
        if (n >= root.n) /* "./A": the root has no type that tells anything */
                return 0;
        rc = store_tree_get(c->api->opt.store, device, odm_str_to(root, n), &c->arena, &t);
        if (rc == ODM_ENOENT)
                rc = 0;
        for (size_t i = 0; rc == 0 && i < t.n; i++) {
                odm_str path = t.v[i].path;
                if (path.n < root.n && root.p[path.n] == '/' &&
                    odm_str_eq(odm_str_to(root, path.n), path) && odm_utf8_ok(t.v[i].type))
                        rc = note_type(g, path, t.v[i].format, t.v[i].type);
        }
        return rc;
}

/* One step down from `at` to the node at `uri`. */
static ddf_spot step(const describing *g, ddf_spot at, odm_str uri, odm_str name)
{
        const json_t *t = json_object_getn(g->types, uri.p, uri.n);
        odm_str type = {json_string_value(t), json_string_length(t)};
        ddf_spot s = ddf_by_id(g->ddf, type);

        if (s.desc)
                return s;
        s = ddf_by_place(g->ddf, uri);
        if (s.desc && ddf_agrees(s.desc, type))
                return s;
        s = at.desc ? ddf_child(g->ddf, at, name) : (ddf_spot){0};
        return s.desc && ddf_agrees(s.desc, type) ? s : (ddf_spot){0};
}

static const odm_desc *find(const describing *g, odm_str uri)
{
        ddf_spot at = {0};
        size_t from = 2, end;

        for (; from < uri.n; from = end + 1) {
                end = from;
                while (end < uri.n && uri.p[end] != '/')
                        end++;
                at = step(g, at, odm_str_to(uri, end), odm_str_from(odm_str_to(uri, end), from));
        }
        return at.desc;
}

static bool put_access(json_t *o, const odm_desc *d)
{
        static const struct {
                unsigned bit;
                const char *word;
        } words[] = {
                {ODM_ACC_ADD, "add"},   {ODM_ACC_COPY, "copy"}, {ODM_ACC_DELETE, "delete"},
                {ODM_ACC_EXEC, "exec"}, {ODM_ACC_GET, "get"},   {ODM_ACC_REPLACE, "replace"},
        };
        json_t *list = json_array();
        bool ok = list != NULL;

        for (size_t i = 0; ok && i < ODM_COUNT(words); i++)
                if (d->access & words[i].bit)
                        ok = json_array_append_new(list, json_string(words[i].word)) == 0;
        return json_object_set_new(o, "access", list) == 0 && ok;
}

static bool put_description(json_t *o, const odm_desc *d)
{
        bool interior = d->format == ODM_FMT_NODE;
        odm_str format = member(o, "format");

        if (format.n && odm_str_is(format, "node") != interior)
                return true; /* the device has something else there */
        return (format.n || put_cstr(o, "format", odm_format_name(d->format))) &&
               (d->title.n == 0 || put_text(o, "title", d->title)) &&
               (d->text.n == 0 || put_text(o, "description", d->text)) && put_access(o, d) &&
               put_cstr(o, "scope", d->permanent ? "permanent" : "dynamic");
}

int describe_nodes(call *c, int64_t device, odm_str root, json_t *nodes)
{
        describing g = {.ddf = c->api->opt.ddf, .types = json_object()};
        int rc;

        if (!g.ddf || !g.types) {
                json_decref(g.types);
                return g.ddf ? ODM_ENOMEM : 0;
        }
        rc = note_above(c, &g, device, root);
        for (size_t i = 0; rc == 0 && i < json_array_size(nodes); i++) {
                const json_t *o = json_array_get(nodes, i);
                rc = note_type(&g, member(o, "uri"), member(o, "format"), member(o, "type"));
        }
        for (size_t i = 0; rc == 0 && i < json_array_size(nodes); i++) {
                json_t *o = json_array_get(nodes, i);
                const odm_desc *d = find(&g, member(o, "uri"));
                if (d && !put_description(o, d))
                        rc = ODM_ENOMEM;
        }
        json_decref(g.types);
        return rc;
}
