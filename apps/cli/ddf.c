/* SPDX-License-Identifier: Apache-2.0 */
/* xrem ddf show: a description drawn as a tree. */
#include "commands.h"
#include "doc.h"
#include "json.h"
#include "table.h"

static const struct {
        unsigned bit;
        const char *name;
} accesses[] = {
        {ODM_ACC_ADD, "Add"},   {ODM_ACC_COPY, "Copy"}, {ODM_ACC_DELETE, "Delete"},
        {ODM_ACC_EXEC, "Exec"}, {ODM_ACC_GET, "Get"},   {ODM_ACC_REPLACE, "Replace"},
};

/* First letters, which differ: "ADGR" is Add, Delete, Get and Replace. */
static odm_str access_letters(xrem *c, unsigned access)
{
        char *p = xrem_get(c, ODM_COUNT(accesses) + 1);
        size_t n = 0;

        for (size_t i = 0; i < ODM_COUNT(accesses); i++)
                if (access & accesses[i].bit)
                        p[n++] = accesses[i].name[0];
        return (odm_str){p, n};
}

static const char *occurs_text(xrem *c, const odm_doc_node *node)
{
        switch (node->occurs) {
        case ODM_OCC_ONE: return "1";
        case ODM_OCC_ZERO_OR_ONE: return "?";
        case ODM_OCC_ZERO_OR_MORE: return "*";
        case ODM_OCC_ONE_OR_MORE: return "+";
        case ODM_OCC_ZERO_OR_N: return xrem_fmt(c, "0..%u", (unsigned)node->occurs_n);
        case ODM_OCC_ONE_OR_N: return xrem_fmt(c, "1..%u", (unsigned)node->occurs_n);
        }
        ODM_UNREACHABLE();
}

/* What says most about a node in one line; line breaks become blanks. */
static odm_str about(xrem *c, const odm_doc_node *n)
{
        odm_str text = n->description.n ? n->description : n->df_title;

        if (text.n == 0 && n->df_type_is_ddf_name && n->df_types)
                text = n->df_types->uri;
        char *p = xrem_get(c, text.n + 1);
        size_t len = 0;
        for (size_t i = 0; i < text.n; i++) {
                bool blank = (uint8_t)text.p[i] <= ' ';

                if (!blank || (len > 0 && p[len - 1] != ' '))
                        p[len++] = blank ? ' ' : text.p[i];
        }
        return (odm_str){p, len};
}

static void show_table(xrem *c, const odm_doc *d)
{
        static const xrem_col cols[] = {
                {.head = "Node", .keep = true},   {.head = "Format"},
                {.head = "Occurs", .keep = true}, {.head = "Access", .keep = true},
                {.head = "Scope", .keep = true},  {.head = "Description"}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));
        xrem_walk w = {.first = d->nodes, .unnamed = "<X>"};

        while (xrem_walk_next(c, &w)) {
                const odm_doc_node *n = w.node;
                odm_str name = n->name.n ? n->name : ODM_STR("<X>");
                xrem_cell cells[] = {
                        CELL_IN(w.depth ? name : w.uri,
                                n->df_format == ODM_FMT_NODE ? XREM_BLUE : XREM_PLAIN),
                        CELL(odm_cstr(odm_format_name(n->df_format))),
                        CELL(odm_cstr(occurs_text(c, n))),
                        CELL(access_letters(c, n->access)),
                        CELL(odm_cstr(n->permanent ? "permanent" : "dynamic")),
                        CELL_IN(about(c, n), XREM_DIM),
                };
                xrem_table_node(t, w.depth, cells);
        }
        xrem_table_print(t, true);
}

static json_t *node_json(xrem *c, const xrem_walk *w)
{
        const odm_doc_node *n = w->node;
        json_t *o = json_object(), *access = json_array(), *types = json_array();

        xrem_json_set(o, "uri", xrem_json_text(c, w->uri));
        xrem_json_set(o, "format", json_string(odm_format_name(n->df_format)));
        xrem_json_set(o, "occurs", json_string(occurs_text(c, n)));
        for (size_t i = 0; i < ODM_COUNT(accesses); i++)
                if (n->access & accesses[i].bit)
                        xrem_json_push(access, json_string(accesses[i].name));
        xrem_json_set(o, "access", access);
        xrem_json_set(o, "scope", json_string(n->permanent ? "permanent" : "dynamic"));
        for (const odm_ref *r = n->df_types; r; r = r->next)
                xrem_json_push(types, xrem_json_text(c, r->uri));
        xrem_json_set(o, "types", types);
        if (n->default_value.p)
                xrem_json_set(o, "default", xrem_json_text(c, n->default_value));
        if (n->df_title.n)
                xrem_json_set(o, "title", xrem_json_text(c, n->df_title));
        if (n->description.n)
                xrem_json_set(o, "description", xrem_json_text(c, n->description));
        return o;
}

int xrem_run_ddf_show(xrem *c, const xrem_args *a)
{
        odm_doc *d;
        int rc = xrem_doc_read(c, a->word[0], "DDF document", &d);

        if (rc != XREM_OK)
                return rc;
        if (!c->set.json) {
                show_table(c, d);
                return XREM_OK;
        }
        json_t *list = json_array();
        xrem_walk w = {.first = d->nodes, .unnamed = "<X>"};
        while (xrem_walk_next(c, &w))
                xrem_json_push(list, node_json(c, &w));
        return xrem_print_json(list);
}
