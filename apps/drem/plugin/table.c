/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - the keys of a table file, what they must have together, and the description made of
 * them; see table.h. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"

#define SECOND 1000
#define DAY (24 * 3600 * (int64_t)SECOND)
#define AT_MOST 400
#define FILE_MOST ((size_t)256 << 10)

static const char *const format_words[] = {"chr", "int", "float", "bool", "bin", NULL};
static const odm_format formats[] = {ODM_FMT_CHR, ODM_FMT_INT, ODM_FMT_FLOAT, ODM_FMT_BOOL,
                                     ODM_FMT_BIN};

const cfg_key table_keys[] = {
        {"object.type", CFG_STRING, NULL,
         "Identifier of the object, such as urn:oma:mo:x-example-meter:1.0."},
        {"object.title", CFG_STRING, NULL, "What people call it."},
        {"object.description", CFG_STRING, NULL, "A sentence about it."},

        {"node *.at", CFG_STRING, NULL,
         "Place below the object, such as Battery/Level. Default: the section's name."},
        {"node *.format", CFG_ENUM, "chr", "Form of the value.", .choices = format_words},
        {"node *.title", CFG_STRING, NULL, "What people call it."},
        {"node *.description", CFG_STRING, NULL, "A sentence about it."},
        {"node *.file", CFG_PATH, NULL, "The value is the text of this file."},
        {"node *.write", CFG_BOOL, "no", "Whether a server may replace that."},
        {"node *.command", CFG_STRING, NULL,
         "The value is what this command prints, run by the shell."},
        {"node *.dbus", CFG_STRING, NULL,
         "The value is a property: system, session or an address; then service, path, interface\n"
         "and property."},
        {"node *.exec", CFG_STRING, NULL, "An Exec of the node runs this command by the shell."},
        {"node *.refresh", CFG_DURATION, "1m",
         "How often a command or property is asked, and a file looked at that may be written.",
         SECOND / 10, DAY},
        {"node *.timeout", CFG_DURATION, "10s", "How long a command may take.", SECOND / 10,
         3600 * SECOND},
};
const size_t table_keys_n = ODM_COUNT(table_keys);

/* ---- reading ---------------------------------------------------------------------------- */

static int bad(diag *d, const char *path, const cfg *c, const char *key, const char *why)
{
        unsigned line = cfg_line(c, key);

        return diag_set(d, ODM_EMALFORMED, "%s:%u: [node %s]: %s", path,
                        line ? line : cfg_line(c, NULL), cfg_name(c), why);
}

static int take_name(const char *path, char out[65], diag *d)
{
        const char *slash = strrchr(path, '/');
        const char *base = slash ? slash + 1 : path;
        size_t n = strlen(base), end = sizeof TABLE_ENDING - 1;

        if (n >= end && strcmp(base + n - end, TABLE_ENDING) == 0)
                n -= end;
        if (n > 64 || !odm_name_ok((odm_str){base, n}))
                return diag_set(d, ODM_EMALFORMED, "%s: '%.*s' is no name for a node", path, (int)n,
                                base);
        memcpy(out, base, n);
        out[n] = 0;
        return 0;
}

/* Exactly one of them. */
static int take_source(const cfg *c, table_node *n)
{
        static const struct {
                const char *key;
                table_kind kind;
        } sources[] = {{"node *.file", TABLE_FILE},
                       {"node *.command", TABLE_COMMAND},
                       {"node *.dbus", TABLE_DBUS},
                       {"node *.exec", TABLE_EXEC}};
        int found = 0;

        for (size_t i = 0; i < ODM_COUNT(sources); i++) {
                const char *text = cfg_str(c, sources[i].key);
                if (!text)
                        continue;
                found++;
                n->text = text;
                n->kind = sources[i].kind;
        }
        return found;
}

static size_t count_words(const char *s)
{
        size_t n = 0;

        while (*s) {
                s += strspn(s, " \t");
                n += *s != 0;
                s += strcspn(s, " \t");
        }
        return n;
}

static const char *check_source(const cfg *c, const table_node *n, int found)
{
        if (found != 1)
                return found ? "more than one of file, command, dbus and exec"
                             : "one of file, command, dbus and exec is missing";
        if (!n->text[strspn(n->text, " \t")])
                return "it names nothing";
        if (cfg_bool(c, "node *.write") && n->kind != TABLE_FILE)
                return "only a file can be written";
        if (n->kind == TABLE_EXEC && cfg_given(c, "node *.format"))
                return "what an Exec runs has no format";
        if (n->kind == TABLE_DBUS && count_words(n->text) != 5)
                return "a property is five words: bus, service, path, interface, property";
        return NULL;
}

static const char *check_at(const table_node *n)
{
        odm_uri u;

        if (strlen(n->at) > AT_MOST)
                return "'at' is too long";
        if (n->at[0] == '.' || odm_uri_parse(odm_cstr(n->at), NULL, &u) < 0 || u.depth == 0 ||
            u.prop || u.list || u.depth > ODM_URI_SEGS - 4)
                return "'at' is no place for a node";
        return NULL;
}

static int take_node(const cfg *c, const char *path, table_node *out, diag *d)
{
        table_node n = {.at = cfg_str(c, "node *.at"),
                        .format = formats[cfg_enum(c, "node *.format")],
                        .title = cfg_str(c, "node *.title"),
                        .description = cfg_str(c, "node *.description"),
                        .refresh_ms = cfg_ms(c, "node *.refresh"),
                        .timeout_ms = cfg_ms(c, "node *.timeout"),
                        .line = cfg_line(c, NULL)};
        const char *why = check_source(c, &n, take_source(c, &n));

        if (why)
                return bad(d, path, c, NULL, why);
        if (n.kind == TABLE_FILE && cfg_bool(c, "node *.write"))
                n.kind = TABLE_SETTING;
        if (n.kind == TABLE_EXEC)
                n.format = ODM_FMT_NULL;
        if (!n.at)
                n.at = cfg_name(c);
        why = check_at(&n);
        if (why)
                return bad(d, path, c, "node *.at", why);
        *out = n;
        return 0;
}

/* Whether one is the other, or stands below it. */
static bool collide(const char *a, const char *b)
{
        size_t n = strlen(a), m = strlen(b), least = n < m ? n : m;

        return strncmp(a, b, least) == 0 && (n == m || (n < m ? b : a)[least] == '/');
}

static int take_nodes(table *t, const char *path, diag *d)
{
        for (size_t i = 0; i < t->n; i++) {
                const cfg *c = cfg_named(t->cfg, "node", i);
                int rc = take_node(c, path, &t->node[i], d);
                if (rc < 0)
                        return rc;
                for (size_t k = 0; k < i; k++)
                        if (collide(t->node[k].at, t->node[i].at))
                                return bad(d, path, c, "node *.at",
                                           "another node is there, above or below");
        }
        return t->n ? 0 : diag_set(d, ODM_EMALFORMED, "%s:1: there is no [node NAME]", path);
}

int table_parse(odm_str text, const char *path, table **out, diag *d)
{
        table *t = calloc(1, sizeof *t);
        int rc = t ? take_name(path, t->name, d) : ODM_ENOMEM;

        if (rc == 0)
                rc = cfg_new(table_keys, table_keys_n, &t->cfg);
        if (rc == 0)
                rc = cfg_parse(t->cfg, text, path, d);
        if (rc == 0) {
                t->type = cfg_str(t->cfg, "object.type");
                t->title = cfg_str(t->cfg, "object.title");
                t->description = cfg_str(t->cfg, "object.description");
                t->n = cfg_named_n(t->cfg, "node");
                t->node = calloc(t->n + 1, sizeof *t->node);
                rc = t->node ? take_nodes(t, path, d) : ODM_ENOMEM;
        }
        if (rc == ODM_ENOMEM)
                diag_set(d, rc, "%s: out of memory", path);
        if (rc < 0)
                table_free(t);
        else
                *out = t;
        return rc;
}

int table_load(const char *path, table **out, diag *d)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, FILE_MOST);
        rc = fsio_read(path, FILE_MOST, &b, d);
        if (rc == 0)
                rc = table_parse(odm_buf_view(&b), path, out, d);
        odm_buf_done(&b);
        return rc;
}

void table_free(table *t)
{
        if (!t)
                return;
        free(t->node);
        cfg_free(t->cfg);
        free(t);
}

/* ---- the description ---------------------------------------------------------------------- */

static odm_doc_node *new_node(odm_arena *a, odm_str name, odm_format f)
{
        odm_doc_node *n = odm_new(a, odm_doc_node);

        if (!n)
                return NULL;
        n->name = odm_arena_copy(a, name);
        n->has_df = true;
        n->access = ODM_ACC_GET;
        n->df_format = f;
        n->occurs = ODM_OCC_ONE;
        n->permanent = true;
        n->df_type_is_ddf_name = f == ODM_FMT_NODE;
        n->df_types = odm_new(a, odm_ref);
        if (!n->name.p || !n->df_types)
                return NULL;
        n->df_types->uri = f == ODM_FMT_NODE  ? ODM_STR("")
                           : f == ODM_FMT_BIN ? ODM_STR("application/octet-stream")
                                              : ODM_STR("text/plain");
        return n;
}

static odm_doc_node *child_named(odm_doc_node *parent, odm_str name)
{
        odm_doc_node *n = parent->children;

        while (n && !odm_str_eq(n->name, name))
                n = n->next;
        return n;
}

static void append(odm_doc_node *parent, odm_doc_node *n)
{
        odm_doc_node **end = &parent->children;

        while (*end)
                end = &(*end)->next;
        *end = n;
}

static void describe_leaf(const table_node *t, odm_doc_node *n)
{
        n->df_title = odm_cstr(t->title);
        n->description = odm_cstr(t->description);
        if (t->kind == TABLE_EXEC)
                n->access = ODM_ACC_EXEC;
        if (t->kind == TABLE_SETTING) { /* it is there while the file is */
                n->access = ODM_ACC_GET | ODM_ACC_REPLACE;
                n->permanent = false;
                n->occurs = ODM_OCC_ZERO_OR_ONE;
        }
}

static int describe_one(const table_node *t, odm_doc_node *top, odm_arena *a)
{
        odm_doc_node *at = top;
        odm_uri u;

        if (odm_uri_parse(odm_cstr(t->at), NULL, &u) < 0)
                return ODM_EINVAL;
        for (unsigned i = 0; i < u.depth; i++) {
                bool last = i + 1 == u.depth;
                odm_doc_node *n = child_named(at, u.seg[i]);
                if (!n) {
                        n = new_node(a, u.seg[i], last ? t->format : ODM_FMT_NODE);
                        if (!n)
                                return odm_arena_err(a);
                        append(at, n);
                }
                at = n;
        }
        describe_leaf(t, at);
        return 0;
}

int table_describe(const table *t, odm_arena *a, odm_doc **out)
{
        odm_doc *doc = odm_new(a, odm_doc);
        odm_doc_node *top = new_node(a, odm_cstr(t->name), ODM_FMT_NODE);
        int rc = 0;

        if (!doc || !top)
                return odm_arena_err(a);
        top->path = ODM_STR("./Vendor");
        top->df_title = odm_cstr(t->title);
        top->description = odm_cstr(t->description);
        if (t->type)
                top->df_types->uri = odm_cstr(t->type);
        for (size_t i = 0; i < t->n && rc == 0; i++)
                rc = describe_one(&t->node[i], top, a);
        if (rc < 0)
                return rc;
        doc->ver_dtd = ODM_STR("1.2");
        doc->nodes = top;
        *out = doc;
        return 0;
}
