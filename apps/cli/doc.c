/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as files, and a walk over them that needs no recursion. */
#include "doc.h"

#include <string.h>

#include "io.h"
#include "where.h"

static bool is_document(odm_str in)
{
        odm_str text = odm_str_trim(in);

        return (text.n && text.p[0] == '<') || (in.n && in.p[0] >= 1 && in.p[0] <= 3);
}

int xrem_doc_read(xrem *c, const char *path, const char *what, odm_doc **out)
{
        const char *name = strcmp(path, "-") ? path : "standard input";
        odm_limits lim;
        odm_str in;
        int rc = xrem_read_file(c, path, &in);

        if (rc != XREM_OK)
                return rc;
        in = xrem_unwrap_text(c, in, is_document);
        odm_limits_init(&lim);
        lim.max_msg = XREM_FILE_MAX;
        rc = odm_doc_decode(in, &lim, &c->arena, out);
        return rc < 0 ? xrem_bad_document(c, name, in, rc, what) : XREM_OK;
}

static odm_str top_uri(xrem *c, const odm_doc_node *n, odm_str name)
{
        odm_str path = odm_str_trim(n->path);

        if (path.n == 0 || odm_str_is(path, ".") || odm_str_is(path, "./"))
                return name.n ? xrem_str(c, "./%.*s", (int)name.n, name.p) : ODM_STR(".");
        if (path.p[path.n - 1] == '/')
                path.n--;
        if (name.n == 0)
                return path;
        return xrem_str(c, "%.*s/%.*s", (int)path.n, path.p, (int)name.n, name.p);
}

odm_doc_node *xrem_walk_next(xrem *c, xrem_walk *w)
{
        if (w->node == NULL) {
                w->at[0] = (odm_doc_node *)w->first;
        } else if (w->node->children && w->depth + 1 < XREM_DOC_DEPTH) {
                w->at[++w->depth] = w->node->children;
        } else {
                while (w->at[w->depth]->next == NULL) {
                        if (w->depth == 0)
                                return NULL;
                        w->depth--;
                }
                w->at[w->depth] = w->at[w->depth]->next;
        }
        w->node = w->at[w->depth];
        if (w->node == NULL)
                return NULL;
        odm_str name = w->node->name.n ? w->node->name : odm_cstr(w->unnamed);
        if (w->depth == 0)
                w->uri = top_uri(c, w->node, name);
        else
                w->uri = xrem_str(c, "%s/%.*s", w->uris[w->depth - 1].p, (int)name.n,
                                  name.n ? name.p : "");
        w->uri = xrem_copy(c, w->uri); /* with a zero behind it */
        w->uris[w->depth] = w->uri;
        return w->node;
}
