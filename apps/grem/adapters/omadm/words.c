/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of an order as the JSON of a job, which the DM side reads again (job_codec.h), and the
 * results of a job as answers. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "job_codec.h"
#include "omadm_inner.h"

#define DEPTH_MAX 2 /* members of a Sequence or Atomic within one */

static const struct word {
        odm_cmd cmd;
        const char *word;
} spoken[] = {
        {ODM_CMD_GET, "get"},       {ODM_CMD_ADD, "add"},           {ODM_CMD_REPLACE, "replace"},
        {ODM_CMD_DELETE, "delete"}, {ODM_CMD_COPY, "copy"},         {ODM_CMD_EXEC, "exec"},
        {ODM_CMD_ALERT, "alert"},   {ODM_CMD_SEQUENCE, "sequence"}, {ODM_CMD_ATOMIC, "atomic"},
};

static const char *word_of(odm_cmd c)
{
        for (size_t i = 0; i < ODM_COUNT(spoken); i++)
                if (spoken[i].cmd == c)
                        return spoken[i].word;
        return NULL;
}

const char *words_kind(const odm_command *list)
{
        const char *w = list && !list->next ? word_of(list->kind) : NULL;

        return w ? w : "commands";
}

/* ---- to JSON ------------------------------------------------------------------------ */

typedef struct writer {
        odm_arena *a;
        words *out;
} writer;

static int put(json_t *o, const char *name, odm_str s)
{
        if (s.p && !odm_utf8_ok(s))
                return ODM_EUNSUPPORTED;
        return s.p && json_object_set_new(o, name, json_stringn(s.p, s.n)) < 0 ? ODM_ENOMEM : 0;
}

/* Octets, whatever form they travelled in: base64 of b64 and, as XML has it, of bin. */
static int octets_of(const odm_meta *m, const odm_data *d, odm_arena *a, odm_str *out)
{
        bool coded = m->format == ODM_FMT_B64 || m->format == ODM_FMT_BIN;

        if (d->kind != ODM_DATA_TEXT || !coded) {
                *out = d->bytes;
                return 0;
        }
        int rc = odm_b64_decode(a, d->bytes, out);
        if (rc == ODM_EMALFORMED && m->format == ODM_FMT_BIN) {
                *out = d->bytes;
                return 0;
        }
        return rc == ODM_EMALFORMED ? ODM_EUNSUPPORTED : rc;
}

static int put_data(json_t *o, const odm_meta *m, const odm_data *d, odm_arena *a)
{
        bool coded = m->format == ODM_FMT_B64 || m->format == ODM_FMT_BIN;
        odm_str s, b64;
        int rc;

        if (d->kind == ODM_DATA_ABSENT)
                return 0;
        rc = octets_of(m, d, a, &s);
        if (rc < 0)
                return rc;
        if (!s.p)
                s = ODM_STR("");
        if (!coded && odm_utf8_ok(s))
                return put(o, "data", s);
        b64 = odm_b64_encode(a, s);
        return b64.p ? put(o, "data_base64", b64) : odm_arena_err(a);
}

static int put_value(json_t *o, const odm_command *c, const odm_item *i, odm_arena *a)
{
        odm_meta m = odm_meta_of(c, i);
        int rc = 0;

        if (m.format == ODM_FMT_OTHER)
                return ODM_EUNSUPPORTED;
        if (m.format != ODM_FMT_ABSENT)
                rc = put(o, "format", odm_cstr(odm_format_name(m.format)));
        if (rc == 0)
                rc = put(o, "type", m.type);
        return rc == 0 ? put_data(o, &m, &i->data, a) : rc;
}

/* The next object of the list, for the order's command `of`. */
static int begin(writer *w, const odm_command *c, uint32_t of, json_t *to, json_t **out)
{
        const char *word = word_of(c->kind);
        json_t *o;

        if (!word || c->kind == ODM_CMD_ALERT)
                return ODM_EUNSUPPORTED;
        if (w->out->n_jobs == WORDS_MAX)
                return ODM_ELIMIT;
        w->out->of[w->out->n_jobs++] = of;
        o = json_object();
        if (!o || json_array_append_new(to, o) < 0 ||
            json_object_set_new(o, "cmd", json_string(word)) < 0)
                return ODM_ENOMEM;
        *out = o;
        return 0;
}

static int put_item(writer *w, json_t *o, const odm_command *c, const odm_item *i)
{
        bool has_value =
                c->kind == ODM_CMD_ADD || c->kind == ODM_CMD_REPLACE || c->kind == ODM_CMD_EXEC;
        int rc = i->target.n && !i->more ? put(o, "uri", i->target) : ODM_EUNSUPPORTED;

        if (rc == 0 && c->kind == ODM_CMD_COPY)
                rc = put(o, "source", i->source);
        if (rc == 0 && c->kind == ODM_CMD_EXEC && c->correlator.n) {
                if (!w->out->correlator.n)
                        w->out->correlator = c->correlator;
                rc = put(o, "correlator", c->correlator);
        }
        return rc == 0 && has_value ? put_value(o, c, i, w->a) : rc;
}

/* Each item is a command of the job. */
static int put_items(writer *w, const odm_command *c, uint32_t of, json_t *to)
{
        int rc = c->items ? 0 : ODM_EUNSUPPORTED;

        for (const odm_item *i = c->items; rc == 0 && i; i = i->next) {
                json_t *o;
                rc = begin(w, c, of, to, &o);
                if (rc == 0)
                        rc = put_item(w, o, c, i);
        }
        return rc;
}

/* Calls itself for members, DEPTH_MAX levels and no more. */
static int put_list(writer *w, const odm_command *list, unsigned depth, json_t *to)
{
        int rc = list && depth <= DEPTH_MAX ? 0 : ODM_EUNSUPPORTED;

        for (const odm_command *c = list; rc == 0 && c; c = c->next) {
                uint32_t of = w->out->n++;
                json_t *o, *members;
                if (c->kind != ODM_CMD_SEQUENCE && c->kind != ODM_CMD_ATOMIC) {
                        rc = put_items(w, c, of, to);
                        continue;
                }
                rc = begin(w, c, of, to, &o);
                members = rc == 0 ? json_array() : NULL;
                if (rc == 0 && (!members || json_object_set_new(o, "commands", members) < 0))
                        rc = ODM_ENOMEM;
                if (rc == 0)
                        rc = put_list(w, c->body, depth + 1, members);
        }
        return rc;
}

int words_of(const odm_command *list, odm_arena *a, words *out)
{
        words all = {.of = odm_arena_get(a, WORDS_MAX * sizeof *all.of)};
        writer w = {.a = a, .out = &all};
        json_t *to = json_array();
        char *dump = NULL;
        int rc = !to ? ODM_ENOMEM : all.of ? put_list(&w, list, 0, to) : odm_arena_err(a);

        if (rc == 0 && !(dump = json_dumps(to, JSON_COMPACT)))
                rc = ODM_ENOMEM;
        if (rc == 0) {
                all.json = odm_arena_copy(a, odm_cstr(dump));
                rc = all.json.p ? 0 : odm_arena_err(a);
        }
        if (rc == 0)
                *out = all;
        free(dump);
        json_decref(to);
        return rc;
}

/* ---- from results ------------------------------------------------------------------- */

static size_t names_in(odm_str list)
{
        size_t n = list.n > 0;

        for (size_t i = 0; i < list.n; i++)
                n += list.p[i] == '/';
        return n;
}

/* An interior node's value is the list of its children: they are nodes of their own. */
static bool is_children(const store_value *v)
{
        return odm_str_is(v->format, "node") && v->data.n > 0;
}

static odm_str child_path(odm_arena *a, odm_str parent, odm_str name)
{
        return odm_arena_fmt(a, "%.*s/%.*s", (int)parent.n, parent.p, (int)name.n, name.p);
}

static size_t put_children(odm_arena *a, odm_str parent, odm_str list, adapter_node *out)
{
        size_t n = 0;

        while (list.n) {
                const char *slash = memchr(list.p, '/', list.n);
                odm_str name = odm_str_to(list, slash ? (size_t)(slash - list.p) : list.n);
                list = odm_str_from(list, name.n + 1);
                if (name.n)
                        out[n++] = (adapter_node){.path = child_path(a, parent, name)};
        }
        return n;
}

static odm_str path_of(odm_str uri)
{
        size_t n = 0;

        while (n < uri.n && uri.p[n] != '?')
                n++;
        return odm_str_to(uri, n);
}

/* A leaf of which nothing is said is chr. */
static odm_format format_of(const store_value *x, bool prop)
{
        if (x->format.n)
                return odm_format_parse(x->format);
        return x->data.p && !prop ? ODM_FMT_CHR : ODM_FMT_ABSENT;
}

static int nodes_of(const store_result *r, odm_arena *a, adapter_answer *out)
{
        size_t most = r->n_items, n = 0;
        adapter_node *v;

        for (size_t i = 0; i < r->n_items; i++)
                most += is_children(&r->items[i]) ? names_in(r->items[i].data) : 0;
        v = odm_arena_zget(a, (most + 1) * sizeof *v);
        if (!v)
                return odm_arena_err(a);
        for (size_t i = 0; i < r->n_items; i++) {
                const store_value *x = &r->items[i];
                bool prop = path_of(x->uri).n < x->uri.n; /* ./A?prop=ACL */
                v[n++] = (adapter_node){
                        .path = x->uri,
                        .value = {.format = format_of(x, prop), .type = x->type, .data = x->data},
                        .has_data = x->data.p && !(is_children(x) && !prop)};
                if (is_children(x) && !prop)
                        n += put_children(a, x->uri, x->data, &v[n]);
        }
        out->nodes = v;
        out->n = n;
        return a->err ? odm_arena_err(a) : 0;
}

/* Another item of the same command: what failed tells, and what was read is all told. */
static int merge(adapter_answer *to, const adapter_answer *x, odm_arena *a)
{
        adapter_node *v = odm_arena_zget(a, (to->n + x->n + 1) * sizeof *v);

        if (!v)
                return odm_arena_err(a);
        for (size_t i = 0; i < to->n + x->n; i++)
                v[i] = i < to->n ? to->nodes[i] : x->nodes[i - to->n];
        to->nodes = v;
        to->n += x->n;
        if (job_status_ok(to->status)) {
                to->status = x->status;
                to->text = x->text;
        }
        return 0;
}

int words_answers(const store_result_list *l, const words *w, unsigned otherwise, odm_str why,
                  odm_arena *a, adapter_answer **out)
{
        adapter_answer *v = odm_arena_zget(a, ((size_t)w->n + 1) * sizeof *v), x;
        size_t at = 0;
        int rc = v ? 0 : odm_arena_err(a);

        for (uint32_t i = 0; rc == 0 && i < w->n_jobs; i++) {
                adapter_answer *to = &v[w->of[i]];
                while (at < l->n && l->v[at].index < i)
                        at++;
                x = (adapter_answer){.status = otherwise, .text = why};
                if (at < l->n && l->v[at].index == i) {
                        x = (adapter_answer){.status = l->v[at].status, .text = l->v[at].text};
                        rc = nodes_of(&l->v[at], a, &x);
                }
                if (rc == 0 && i > 0 && w->of[i] == w->of[i - 1])
                        rc = merge(to, &x, a);
                else if (rc == 0)
                        *to = x;
        }
        if (rc == 0)
                *out = v;
        return rc;
}
