/* SPDX-License-Identifier: Apache-2.0 */
/* xrem ddf check: what a description must be (dm-tree.md 7), told with the path of the node.
 *
 * The decoder is lenient, since devices' makers are careless; here every rule counts.  An
 * error is what makes a description useless to somebody, a warning what is merely odd. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "doc.h"
#include "json.h"
#include "odm/tree.h"
#include "term.h"

typedef struct checker {
        xrem *c;
        const char *file;
        const char *uri; /* the node looked at */
        unsigned nodes, errors, warnings;
        json_t *list; /* with --json */
} checker;

enum level { WARNING, ERROR };

static void complain(checker *k, enum level lv, const char *fmt, ...) ODM_PRINTF(3, 4);

static void complain(checker *k, enum level lv, const char *fmt, ...)
{
        const char *word = lv == ERROR ? "error" : "warning";
        char text[256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (lv == ERROR)
                k->errors++;
        else
                k->warnings++;
        if (k->list) {
                json_t *o = json_object();

                xrem_json_set(o, "file", xrem_json_text(k->c, odm_cstr(k->file)));
                xrem_json_set(o, "uri", xrem_json_text(k->c, odm_cstr(k->uri)));
                xrem_json_set(o, "level", json_string(word));
                xrem_json_set(o, "message", xrem_json_text(k->c, odm_cstr(text)));
                xrem_json_push(k->list, o);
                return;
        }
        printf("%s: %s: %s%s:%s %s\n", k->file, xrem_visible(k->c, odm_cstr(k->uri), false).p,
               xrem_colour(k->c, lv == ERROR ? XREM_RED : XREM_YELLOW), word,
               xrem_colour(k->c, XREM_PLAIN), xrem_visible(k->c, odm_cstr(text), false).p);
}

/* ---- values ------------------------------------------------------------------------ */

static bool is_int32(const char *z)
{
        char *end;
        long long v = strtoll(z, &end, 10);

        return *z && *end == 0 && v >= INT32_MIN && v <= INT32_MAX;
}

static bool is_float(const char *z)
{
        char *end;

        strtod(z, &end);
        return *z && *end == 0;
}

static bool is_date(odm_str s)
{
        unsigned digits = 0;

        for (size_t i = 0; i < s.n; i++) {
                bool dash = s.n == 10 && (i == 4 || i == 7);

                if (dash ? s.p[i] != '-' : s.p[i] < '0' || s.p[i] > '9')
                        return false;
                digits += !dash;
        }
        return digits == 8 && (s.n == 8 || s.n == 10);
}

static bool value_fits(xrem *c, odm_format f, odm_str v)
{
        odm_str octets;

        switch (f) {
        case ODM_FMT_INT: return is_int32(xrem_z(c, v));
        case ODM_FMT_BOOL: return odm_str_is(v, "true") || odm_str_is(v, "false");
        case ODM_FMT_FLOAT: return is_float(xrem_z(c, v));
        case ODM_FMT_DATE: return is_date(v);
        case ODM_FMT_NULL: return v.n == 0;
        case ODM_FMT_B64:
        case ODM_FMT_BIN: return odm_b64_decode(&c->arena, v, &octets) == 0;
        case ODM_FMT_ABSENT:
        case ODM_FMT_CHR:
        case ODM_FMT_NODE:
        case ODM_FMT_XML:
        case ODM_FMT_TIME:
        case ODM_FMT_OTHER: return true;
        }
        ODM_UNREACHABLE();
}

/* ---- one node ------------------------------------------------------------------------ */

static void check_name(checker *k, const odm_doc_node *n, unsigned depth)
{
        if (n->name.p == NULL)
                complain(k, ERROR, "NodeName is missing; an empty one means named at creation");
        else if (n->name.n && !odm_name_ok(n->name))
                complain(k, ERROR, "'%.*s' is no name of a node", (int)n->name.n, n->name.p);
        if (n->path.n && depth > 0)
                complain(k, ERROR, "Path belongs to the nodes directly below MgmtTree");
        if (n->name.n && n->has_df && n->occurs != ODM_OCC_ONE && n->occurs != ODM_OCC_ZERO_OR_ONE)
                complain(k, WARNING, "a node with a name cannot occur more than once");
        if (n->name.n == 0 && n->permanent && n->occurs == ODM_OCC_ZERO_OR_MORE)
                complain(k, WARNING, "a node named at creation is seldom permanent");
}

static void check_path(checker *k, const odm_doc_node *n)
{
        odm_str path = odm_str_trim(n->path);
        odm_uri_limits none = {0};
        odm_uri uri;

        if (path.n == 0)
                return;
        if (odm_uri_parse(path, &none, &uri) < 0 || uri.prop || uri.list)
                complain(k, ERROR, "Path '%.*s' is no URI of a node", (int)path.n, path.p);
}

static void check_occurs(checker *k, const odm_doc_node *n)
{
        bool counted = n->occurs == ODM_OCC_ZERO_OR_N || n->occurs == ODM_OCC_ONE_OR_N;

        if (counted && (n->occurs_n < 2 || n->occurs_n > 65536))
                complain(k, ERROR, "Occurrence counts from 2 to 65536, not %u",
                         (unsigned)n->occurs_n);
}

static bool mo_id_ok(odm_str id)
{
        size_t slashes = 0, dots = 0;

        if (id.n == 0 || odm_str_starts(id, "urn:") || odm_str_has(id, ':'))
                return true;
        for (size_t i = 0; i < id.n; i++) {
                if (id.p[i] == ' ')
                        return false;
                slashes += id.p[i] == '/';
                dots += id.p[i] == '.' && slashes == 0;
        }
        return slashes >= 2 && dots >= 1; /* reversed domain / version / name */
}

static void check_type(checker *k, const odm_doc_node *n, bool interior)
{
        if (n->df_types == NULL && !n->df_type_is_ddf_name) {
                complain(k, ERROR, "DFType is missing");
                return;
        }
        if (interior && !n->df_type_is_ddf_name)
                complain(k, WARNING, "an interior node has a DDFName, not a MIME type");
        if (!interior && n->df_type_is_ddf_name)
                complain(k, ERROR, "a leaf has a MIME type, not a DDFName");
        if (n->df_type_is_ddf_name && n->df_types && !mo_id_ok(odm_str_trim(n->df_types->uri)))
                complain(k, WARNING, "'%.*s' is no identifier of an object",
                         (int)n->df_types->uri.n, n->df_types->uri.p);
        for (const odm_ref *r = n->df_type_is_ddf_name ? NULL : n->df_types; r; r = r->next)
                if (!odm_str_has(r->uri, '/'))
                        complain(k, WARNING, "'%.*s' is no MIME type", (int)r->uri.n, r->uri.p);
}

static void check_values(checker *k, const odm_doc_node *n, bool interior)
{
        bool has_value = n->value.kind != ODM_DATA_ABSENT;

        if (interior && n->default_value.n)
                complain(k, ERROR, "an interior node has no DefaultValue");
        if (interior && has_value && n->value.bytes.n)
                complain(k, ERROR, "an interior node has no Value");
        if (!interior && n->children)
                complain(k, ERROR, "a leaf has no nodes below it");
        if (!interior && n->default_value.n && !value_fits(k->c, n->df_format, n->default_value))
                complain(k, ERROR, "DefaultValue '%.*s' is no %s", (int)n->default_value.n,
                         n->default_value.p, odm_format_name(n->df_format));
        if (!interior && has_value && !value_fits(k->c, n->df_format, n->value.bytes))
                complain(k, ERROR, "Value is no %s", odm_format_name(n->df_format));
}

static void check_access(checker *k, const odm_doc_node *n, bool interior)
{
        if (n->access == 0)
                complain(k, WARNING, "AccessType allows nothing");
        if (interior && n->access & ODM_ACC_EXEC && n->children == NULL)
                return; /* an Exec node may keep its results below it */
        if (n->permanent && n->access & ODM_ACC_DELETE)
                complain(k, WARNING, "a permanent node cannot be deleted");
}

static void check_siblings(checker *k, const odm_doc_node *n)
{
        for (const odm_doc_node *s = n->next; s; s = s->next) {
                if (!odm_str_eq(s->name, n->name) || !odm_str_eq(s->path, n->path))
                        continue;
                if (n->name.n)
                        complain(k, ERROR, "there are two nodes of this name");
                else
                        complain(k, WARNING, "there are two nodes without name side by side");
                return;
        }
}

static void check_node(checker *k, const odm_doc_node *n, unsigned depth)
{
        bool interior = n->df_format == ODM_FMT_NODE;

        k->nodes++;
        check_name(k, n, depth);
        check_siblings(k, n);
        if (depth == 0)
                check_path(k, n);
        if (!n->has_df) {
                complain(k, ERROR, "DFProperties are missing");
                return;
        }
        if (n->df_format == ODM_FMT_ABSENT || n->df_format == ODM_FMT_OTHER) {
                complain(k, ERROR, "DFFormat is missing or unknown");
                return;
        }
        check_occurs(k, n);
        check_type(k, n, interior);
        check_values(k, n, interior);
        check_access(k, n, interior);
}

/* ---- a document ----------------------------------------------------------------------- */

/* The build and the server make descriptors of it: whatever they refuse is an error here too. */
static void check_descriptors(checker *k, const odm_doc *d)
{
        for (const odm_doc_node *top = d->nodes; top && k->errors == 0; top = top->next) {
                xrem_walk w = {.first = top, .unnamed = "<X>"};
                const char *why = NULL;
                odm_mo mo;

                k->uri = xrem_walk_next(k->c, &w) ? w.uri.p : ".";
                int rc = odm_mo_from_doc(top, &k->c->arena, &mo, &why);
                if (rc == ODM_ENOMEM)
                        xrem_out_of_memory();
                if (rc < 0)
                        complain(k, ERROR, "%s", why ? why : odm_err_text(rc));
        }
}

static void check_document(checker *k, const odm_doc *d)
{
        xrem_walk w = {.first = d->nodes, .unnamed = "<X>"};

        k->uri = ".";
        if (d->ver_dtd.n == 0)
                complain(k, ERROR, "VerDTD is missing");
        else if (!odm_str_starts(odm_str_trim(d->ver_dtd), "1."))
                complain(k, WARNING, "VerDTD '%.*s' is not 1.2", (int)d->ver_dtd.n, d->ver_dtd.p);
        if (d->nodes == NULL)
                complain(k, ERROR, "there is no Node");
        while (xrem_walk_next(k->c, &w)) {
                k->uri = w.uri.p;
                check_node(k, w.node, w.depth);
        }
        check_descriptors(k, d);
}

static int check_file(xrem *c, const char *path, json_t *list)
{
        checker k = {.c = c, .file = path, .list = list};
        odm_doc *d;
        int rc = xrem_doc_read(c, path, "DDF document", &d);

        if (rc != XREM_OK)
                return rc;
        check_document(&k, d);
        if (!c->set.quiet && list == NULL)
                printf("%s: %u nodes, %u error%s, %u warning%s\n", path, k.nodes, k.errors,
                       k.errors == 1 ? "" : "s", k.warnings, k.warnings == 1 ? "" : "s");
        return k.errors ? XREM_BAD_INPUT : XREM_OK;
}

int xrem_run_ddf_check(xrem *c, const xrem_args *a)
{
        json_t *list = c->set.json ? json_array() : NULL;
        int worst = XREM_OK;

        for (size_t i = 0; i < a->n_words; i++) {
                int rc = check_file(c, a->word[i], list);

                if (rc != XREM_OK)
                        worst = rc;
        }
        if (list && xrem_print_json(list) != XREM_OK)
                return XREM_BROKEN;
        return worst;
}
