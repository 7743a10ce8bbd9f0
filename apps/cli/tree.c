/* SPDX-License-Identifier: Apache-2.0 */
/* xrem tree: a device's tree, drawn. */
#include <stdio.h>

#include "commands.h"
#include "job.h"
#include "table.h"

static unsigned segments(odm_str uri)
{
        unsigned n = 0;

        for (size_t i = 0; i < uri.n; i++)
                n += uri.p[i] == '/';
        return n;
}

static odm_str last_segment(odm_str uri)
{
        size_t n = uri.n;

        while (n > 0 && uri.p[n - 1] != '/')
                n--;
        return odm_str_from(uri, n);
}

static odm_str age_text(xrem *c, const json_t *node)
{
        long long s = xrem_json_int(node, "age", -1);

        if (s < 0)
                return ODM_STR("");
        if (s < 120)
                return xrem_str(c, "%lld s", s);
        if (s < 120 * 60)
                return xrem_str(c, "%lld min", s / 60);
        return s < 48 * 3600 ? xrem_str(c, "%lld h", s / 3600) : xrem_str(c, "%lld d", s / 86400);
}

/* Text types need no mention. */
static odm_str type_text(const json_t *node)
{
        odm_str type = xrem_json_str(node, "type");

        return type.p == NULL || odm_str_is(type, "text/plain") ? ODM_STR("") : type;
}

/* First letters, which differ: "ADG" is add, delete and get. */
static odm_str access_text(xrem *c, const json_t *node)
{
        const json_t *list = json_object_get(node, "access");
        size_t n = json_array_size(list), k = 0;
        char *p = xrem_get(c, n + 1);

        for (size_t i = 0; i < n; i++) {
                const char *word = json_string_value(json_array_get(list, i));
                if (word && word[0] >= 'a' && word[0] <= 'z')
                        p[k++] = (char)(word[0] - 'a' + 'A');
        }
        return (odm_str){p, k};
}

static odm_str or_nothing(odm_str s)
{
        return s.p ? s : ODM_STR("");
}

static size_t columns(bool mirror, bool more, xrem_col out[7])
{
        size_t n = 0;

        out[n++] = (xrem_col){.head = "Node", .keep = true};
        out[n++] = (xrem_col){.head = "Format"};
        if (mirror)
                out[n++] = (xrem_col){.head = "Age", .right = true, .keep = true};
        if (more)
                out[n++] = (xrem_col){.head = "Access", .keep = true};
        out[n++] = (xrem_col){.head = "Value"};
        out[n++] = (xrem_col){.head = "Type"};
        if (more)
                out[n++] = (xrem_col){.head = "Title"};
        return n;
}

static void draw(xrem *c, const json_t *tree, bool mirror, bool more)
{
        xrem_col cols[7];
        size_t n_cols = columns(mirror, more, cols);
        const json_t *nodes = json_object_get(tree, "nodes");
        xrem_table *t = xrem_table_new(c, cols, n_cols);
        unsigned base = 0;

        for (size_t i = 0; i < json_array_size(nodes); i++) {
                const json_t *n = json_array_get(nodes, i);
                odm_str uri = xrem_json_str(n, "uri"), format = xrem_json_str(n, "format");
                bool interior = odm_str_is(format, "node");
                xrem_cell cells[ODM_COUNT(cols)];
                size_t k = 0;

                if (i == 0)
                        base = segments(uri);
                cells[k++] = CELL_IN(i == 0 ? uri : last_segment(uri),
                                     interior ? XREM_BLUE : XREM_PLAIN);
                cells[k++] = CELL_IN(format.p && !interior ? format : ODM_STR(""), XREM_DIM);
                if (mirror)
                        cells[k++] = CELL_IN(age_text(c, n), XREM_DIM);
                if (more)
                        cells[k++] = CELL(access_text(c, n));
                cells[k++] = CELL(interior ? ODM_STR("") : xrem_node_text(c, n));
                cells[k++] = CELL_IN(type_text(n), XREM_DIM);
                if (more)
                        cells[k++] = CELL(or_nothing(xrem_json_str(n, "title")));
                unsigned depth = segments(uri);
                xrem_table_node(t, depth > base ? depth - base : 0, cells);
        }
        xrem_table_print(t, more);
}

int xrem_run_tree(xrem *c, const xrem_args *a)
{
        bool mirror = xrem_has(a, "mirror");
        unsigned wait = c->set.timeout_s > 300 ? 300 : c->set.timeout_s;
        const char *path = xrem_device_path(c, a->word[0], "/tree");
        json_t *tree = NULL;
        xrem_progress p;

        path = xrem_query(c, path, "uri", a->n_words > 1 ? a->word[1] : NULL);
        path = xrem_query(c, path, "depth", xrem_value(a, "depth"));
        if (!mirror)
                path = xrem_query(c, xrem_query(c, path, "live", "1"), "timeout",
                                  xrem_fmt(c, "%u", wait));
        xrem_progress_begin(&p, c, "asking the device");
        xrem_ask ask = {.method = "GET", .path = path, .wait_s = mirror ? 0 : wait, .progress = &p};
        int rc = xrem_api(c, &ask, &tree);
        xrem_progress_end(&p);
        if (c->interrupted)
                return xrem_fail(rc, "interrupted");
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(tree));
        draw(c, tree, mirror, xrem_has(a, "long"));
        return XREM_OK;
}
