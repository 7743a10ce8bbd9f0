/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/values.h"

#include <string.h>

#include "fanout_text.h"
#include "xml.h"

#define DEPTH_MAX 8 /* of elements; ours nest three deep */
#define URI_MAX 1024
#define KEY_MAX 64
#define HEAD ((size_t)64)            /* octets of the outermost element, at most */
#define LAST_S INT64_C(253402300799) /* of the year 9999 */

/* ---- the writer --------------------------------------------------------------------------------- */

struct node {
        odm_buf text; /* its head, and its values */
        size_t head;
        odm_str uri; /* in `text` it is escaped */
        odm_format format;
};

struct odm_values {
        const odm_mem *mem;
        size_t max, size, rows;
        odm_wall base;
        size_t n;
        struct node node[ODM_VALUES_NODES];
};

static const char node_end[] = "</Node>";

int odm_values_new(const odm_mem *mem, size_t max, odm_values **out)
{
        odm_values *v = odm_alloc(mem, sizeof *v);

        if (!v)
                return ODM_ENOMEM;
        v->mem = mem;
        v->max = max;
        v->size = HEAD;
        *out = v;
        return 0;
}

static void forget(odm_values *v, struct node *n)
{
        odm_buf_done(&n->text);
        odm_free(v->mem, (void *)(uintptr_t)n->uri.p, n->uri.n);
}

static void empty(odm_values *v)
{
        while (v->n > 0)
                forget(v, &v->node[--v->n]);
        v->rows = 0;
        v->size = HEAD;
}

void odm_values_free(odm_values *v)
{
        if (!v)
                return;
        empty(v);
        odm_free(v->mem, v, sizeof *v);
}

static struct node *find(odm_values *v, const odm_values_row *row)
{
        for (size_t i = 0; i < v->n; i++)
                if (v->node[i].format == row->format && odm_str_eq(v->node[i].uri, row->uri))
                        return &v->node[i];
        return NULL;
}

static int put_head(odm_buf *b, const odm_values_row *row)
{
        int rc = odm_buf_str(b, ODM_STR("<Node URI=\""));

        if (rc == 0)
                rc = odm_fanout_put_text(b, row->uri);
        return rc == 0 ? odm_buf_fmt(b, "\" Format=\"%s\">", odm_format_name(row->format)) : rc;
}

/* Behind the last one; counted once it has a value. */
static int add_node(odm_values *v, const odm_values_row *row, struct node **out)
{
        struct node *n = &v->node[v->n];
        char *uri;
        int rc;

        if (v->n == ODM_VALUES_NODES)
                return ODM_ELIMIT;
        uri = odm_alloc(v->mem, row->uri.n);
        if (!uri)
                return ODM_ENOMEM;
        memcpy(uri, row->uri.p, row->uri.n);
        *n = (struct node){.uri = {uri, row->uri.n}, .format = row->format};
        odm_buf_init(&n->text, v->mem, v->max);
        rc = put_head(&n->text, row);
        if (rc < 0) {
                forget(v, n);
                return rc;
        }
        n->head = n->text.n;
        *out = n;
        return 0;
}

static int put_value(odm_buf *b, const odm_values_row *row, odm_wall base)
{
        int rc = odm_buf_str(b, ODM_STR("<V Key=\""));

        if (rc == 0)
                rc = odm_fanout_put_text(b, row->key);
        if (rc == 0)
                rc = odm_buf_fmt(b, "\" At=\"%lld\">", (long long)(row->at.s - base.s));
        if (rc == 0)
                rc = odm_fanout_put_text(b, row->value);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</V>")) : rc;
}

static bool is_fit(const odm_values_row *row)
{
        return row->value.n <= ODM_VALUES_TEXT && row->uri.n > 0 && row->uri.n <= URI_MAX &&
               row->key.n > 0 && row->key.n <= KEY_MAX && row->format != ODM_FMT_NODE &&
               row->format != ODM_FMT_BIN && row->format != ODM_FMT_B64 &&
               row->format != ODM_FMT_XML && row->at.s >= 0 && row->at.s <= LAST_S;
}

/* Whether it can be said from the base how far away it is. */
static bool is_near(odm_wall at, odm_wall base)
{
        return at.s - base.s <= INT32_MAX && base.s - at.s <= INT32_MAX;
}

int odm_values_add(odm_values *v, const odm_values_row *row)
{
        struct node *n = find(v, row);
        bool is_new = !n;
        odm_wall base = v->rows ? v->base : row->at;
        size_t before, more;
        int rc = !is_fit(row) ? ODM_EINVAL : is_near(row->at, base) ? 0 : ODM_ELIMIT;

        if (rc == 0 && is_new)
                rc = add_node(v, row, &n);
        if (rc < 0)
                return rc;
        before = n->text.n;
        rc = put_value(&n->text, row, base);
        more = n->text.n - (is_new ? 0 : before) + (is_new ? sizeof node_end - 1 : 0);
        if (rc == 0 && v->size + more > v->max)
                rc = ODM_ELIMIT;
        if (rc < 0) {
                odm_buf_cut(&n->text, before);
                if (is_new)
                        forget(v, n);
                return rc;
        }
        v->n += is_new;
        v->size += more;
        v->base = base;
        v->rows++;
        return 0;
}

size_t odm_values_count(const odm_values *v)
{
        return v->rows;
}

int odm_values_take(odm_values *v, odm_buf *out)
{
        size_t before = out->n;
        char when[ODM_WALL_TEXT];
        int rc;

        odm_wall_format(v->base, when);
        rc = odm_buf_fmt(out, "<Values Base=\"%s\">", when);
        for (size_t i = 0; i < v->n && rc == 0; i++) {
                rc = odm_buf_str(out, odm_buf_view(&v->node[i].text));
                if (rc == 0)
                        rc = odm_buf_str(out, odm_cstr(node_end));
        }
        if (rc == 0)
                rc = odm_buf_str(out, ODM_STR("</Values>"));
        if (rc < 0)
                odm_buf_cut(out, before);
        else
                empty(v);
        return rc;
}

/* ---- the reader --------------------------------------------------------------------------------- */

enum place { IN_NOTHING, IN_VALUES, IN_NODE, IN_VALUE, IN_OTHER };

struct reader {
        struct xml_parse parse; /* comes first: see xml.h */
        int (*fn)(void *ctx, const odm_values_row *row);
        void *ctx;
        enum place at[DEPTH_MAX];
        unsigned depth;
        odm_wall base;
        odm_values_row row;
        odm_buf uri, key, text;
};

static odm_str attribute(const char **attributes, const char *name)
{
        for (; attributes[0]; attributes += 2)
                if (strcmp(attributes[0], name) == 0)
                        return odm_str_trim(odm_cstr(attributes[1]));
        return ODM_ABSENT;
}

/* Keeps an attribute that must be there, and not empty. */
static odm_str keep(struct reader *r, odm_buf *b, odm_str s)
{
        odm_buf_cut(b, 0);
        odm_xml_fail(&r->parse, s.n == 0 ? ODM_EMALFORMED : odm_buf_str(b, s));
        return odm_buf_view(b);
}

/* Seconds from the base, either way. */
static void take_time(struct reader *r, odm_str s)
{
        bool before = s.n > 0 && s.p[0] == '-';
        uint64_t n;

        if (odm_str_u64(odm_str_from(s, before), INT32_MAX, &n) < 0) {
                odm_xml_fail(&r->parse, ODM_EMALFORMED);
                return;
        }
        r->row.at.s = r->base.s + (before ? -(int64_t)n : (int64_t)n);
}

static enum place enter(struct reader *r, enum place in, const char *name, const char **at)
{
        if (in == IN_NOTHING) {
                if (strcmp(name, "Values") != 0 ||
                    odm_wall_parse(attribute(at, "Base"), &r->base) < 0)
                        odm_xml_fail(&r->parse, ODM_EMALFORMED);
                return IN_VALUES;
        }
        if (in == IN_VALUES && strcmp(name, "Node") == 0) {
                odm_str format = attribute(at, "Format");
                r->row.uri = keep(r, &r->uri, attribute(at, "URI"));
                r->row.format = format.p ? odm_format_parse(format) : ODM_FMT_CHR;
                return IN_NODE;
        }
        if (in == IN_NODE && strcmp(name, "V") == 0) {
                r->row.key = keep(r, &r->key, attribute(at, "Key"));
                take_time(r, attribute(at, "At"));
                return IN_VALUE;
        }
        return IN_OTHER;
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
        struct reader *r = ctx;
        enum place to;

        if (r->parse.rc < 0)
                return;
        if (r->depth + 1 == DEPTH_MAX) {
                odm_xml_fail(&r->parse, ODM_ELIMIT);
                return;
        }
        to = enter(r, r->at[r->depth], name, attributes);
        r->at[++r->depth] = to;
        odm_buf_cut(&r->text, 0);
}

static void on_end(void *ctx, const char *name)
{
        struct reader *r = ctx;

        (void)name;
        if (r->parse.rc < 0)
                return;
        if (r->at[r->depth--] == IN_VALUE) {
                r->row.value = odm_buf_view(&r->text);
                odm_xml_fail(&r->parse, r->fn(r->ctx, &r->row));
        }
        odm_buf_cut(&r->text, 0);
}

static void on_text(void *ctx, const char *s, int n)
{
        struct reader *r = ctx;

        if (r->parse.rc == 0 && r->at[r->depth] == IN_VALUE)
                odm_xml_fail(&r->parse, odm_buf_put(&r->text, s, (size_t)n));
}

int odm_values_read(odm_str xml, const odm_mem *mem,
                    int (*fn)(void *ctx, const odm_values_row *row), void *ctx)
{
        struct reader r = {.fn = fn, .ctx = ctx, .at = {IN_NOTHING}};
        int rc;

        odm_buf_init(&r.uri, mem, URI_MAX);
        odm_buf_init(&r.key, mem, KEY_MAX);
        odm_buf_init(&r.text, mem, ODM_VALUES_TEXT);
        rc = odm_xml_run(&r.parse, xml, on_start, on_end, on_text);
        odm_buf_done(&r.uri);
        odm_buf_done(&r.key);
        odm_buf_done(&r.text);
        return rc;
}
