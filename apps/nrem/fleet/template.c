/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "heap.h"
#include "jread.h"
#include "readable.h"

#define URI_LONGEST 512
#define TYPE_LONGEST 255
#define DIFF_MAX ((size_t)32 << 10)
#define NODE_MAX 65536 /* octets of a value */

const char *const template_states[] = {"unknown", "conform", "drifted", "applying", "failed", NULL};
const char *const template_modes[] = {"watch", "enforce", NULL};
const char *const template_findings[] = {"unasked", "same",       "differs",   "missing",
                                         "extra",   "unreadable", "overruled", NULL};

#define X(f, KIND) STORE_FIELD_OF(template_row, f, KIND),
static const field row_fields[] = {TEMPLATE_FIELDS(X)};
#undef X
#define X(f, KIND) STORE_FIELD_OF(template_item, f, KIND),
static const field item_fields[] = {TEMPLATE_ITEM_FIELDS(X)};
#undef X
static const record record_template = STORE_RECORD_OF(template_row, row_fields);
static const record record_item = STORE_RECORD_OF(template_item, item_fields);
static const store_index row_index[] = {
        {.name = "name", .fields = {TEMPLATE_F_name}, .n = 1, .unique = true}};
static const store_index item_index[] = {
        [TEMPLATE_ITEM_BY_DUE - 1] = {.name = "due", .fields = {TEMPLATE_ITEM_F_due}, .n = 1},
        [TEMPLATE_ITEM_BY_NAME - 1] = {.name = "turn",
                                       .fields = {TEMPLATE_ITEM_F_tmpl, TEMPLATE_ITEM_F_name},
                                       .n = 2},
        [TEMPLATE_ITEM_BY_STATE -
                1] = {.name = "state",
                      .fields = {TEMPLATE_ITEM_F_tmpl, TEMPLATE_ITEM_F_state, TEMPLATE_ITEM_F_name},
                      .n = 3},
        [TEMPLATE_ITEM_OF_NAME - 1] = {.name = "name", .fields = {TEMPLATE_ITEM_F_name}, .n = 1},
};
const store_table table_template = {.name = "template",
                                    .rec = &record_template,
                                    .n_key = 1,
                                    .numbered = true,
                                    .index = row_index,
                                    .n_index = ODM_COUNT(row_index)};
const store_table table_template_item = {.name = "template_item",
                                         .rec = &record_item,
                                         .n_key = 2,
                                         .index = item_index,
                                         .n_index = ODM_COUNT(item_index)};

int64_t *template_tally(template_row *r, template_state s)
{
        int64_t *const all[TEMPLATE_STATES] = {&r->unknown, &r->conform, &r->drifted, &r->applying,
                                               &r->failed};

        return all[s];
}

uint64_t template_tally_field(template_state s)
{
        return STORE_FIELD(TEMPLATE_F_unknown + (unsigned)s);
}

/* ---- what it says ------------------------------------------------------------------------- */

static odm_str member(const json_t *o, const char *name)
{
        const json_t *v = json_object_get(o, name);

        return json_is_string(v) ? (odm_str){json_string_value(v), json_string_length(v)}
                                 : ODM_ABSENT;
}

static void check_uri(jread *r, odm_str uri)
{
        if (!odm_str_starts(uri, "./") || uri.p[uri.n - 1] == '/')
                (void)jread_wrong(r, "uri", "has to begin with ./ and end in a name");
        else if (odm_str_has(uri, '?'))
                (void)jread_wrong(r, "uri", "cannot have a query");
}

/* What commands may say of a value, held against what they are let in by. */
static void check_value(jread *r, const json_t *node, problem *p)
{
        static const char *const members[] = {"uri", "format", "type", "data", "data_base64"};
        json_t *cmd = json_pack("{s:s}", "cmd", "replace"), *list = json_array();
        problem own;

        for (size_t i = 0; i < ODM_COUNT(members); i++) {
                json_t *v = json_object_get(node, members[i]);

                if (v)
                        (void)json_object_set(cmd, members[i], v);
        }
        problem_init(&own);
        if (json_array_append_new(list, cmd) < 0)
                problem_set(p, PROBLEM_UNAVAILABLE, "out of memory");
        else if (!command_check(list, false, &own)) {
                const json_t *first = json_array_get(own.errors, 0);
                const char *name = json_string_value(json_object_get(first, "name"));
                const char *why = json_string_value(json_object_get(first, "reason"));

                name = name ? strrchr(name, '.') : NULL;
                (void)jread_wrong(r, name ? name + 1 : "uri", why ? why : own.detail);
        }
        problem_done(&own);
        json_decref(list);
}

static void read_node(const json_t *v, size_t i, problem *p)
{
        odm_str uri = ODM_ABSENT, format = ODM_ABSENT, type = ODM_ABSENT, data = ODM_ABSENT;
        bool absent = false, secret = false;
        char at[32];
        jread r;

        (void)snprintf(at, sizeof at, "nodes[%zu]", i);
        jread_init(&r, v, at, p);
        if (!json_is_object(v)) {
                problem_at(p, at, "has to be an object");
                return;
        }
        if (jread_text(&r, "uri", 3, URI_LONGEST, &uri) == 0)
                (void)jread_missing(&r, "uri");
        (void)jread_text(&r, "format", 1, 8, &format);
        (void)jread_text(&r, "type", 1, TYPE_LONGEST, &type);
        (void)jread_text(&r, "data", 0, NODE_MAX, &data);
        (void)jread_text(&r, "data_base64", 0, NODE_MAX, &data);
        (void)jread_bool(&r, "absent", &absent);
        (void)jread_bool(&r, "secret", &secret);
        if (uri.p)
                check_uri(&r, uri);
        if (absent && (data.p || format.p || type.p))
                (void)jread_wrong(&r, "absent", "a node that is not to be there has no value");
        else if (odm_str_is(format, "node") && data.p)
                (void)jread_wrong(&r, "format", "an interior node has no value");
        else if (!absent && !data.p && !odm_str_is(format, "node") && !odm_str_is(format, "null"))
                (void)jread_missing(&r, "data");
        else if (!absent && uri.p)
                check_value(&r, v, p);
        jread_end(&r);
}

static void check_twice(const json_t *nodes, problem *p)
{
        const json_t *one;
        size_t i;

        json_array_foreach(nodes, i, one)
        {
                for (size_t k = 0; k < i; k++)
                        if (odm_str_eq(member(one, "uri"),
                                       member(json_array_get(nodes, k), "uri"))) {
                                char at[32];

                                (void)snprintf(at, sizeof at, "nodes[%zu].uri", i);
                                problem_at(p, at, "is named twice");
                                break;
                        }
        }
}

bool template_read(const json_t *o, problem *p, odm_arena *a, template_spec *out)
{
        const json_t *devices = json_object_get(o, "devices"), *one;
        template_spec s = {.nodes = NULL};
        size_t i;
        jread r;

        jread_init(&r, o, "", p);
        if (jread_list(&r, "nodes", 1, TEMPLATE_NODES, &s.nodes) == 0)
                (void)jread_missing(&r, "nodes");
        json_array_foreach(s.nodes, i, one) read_node(one, i, p);
        if (s.nodes && !problem_is(p))
                check_twice(s.nodes, p);
        if (devices && !selector_read(devices, "devices", p, a, &s.devices))
                return false;
        if (problem_is(p))
                return false;
        *out = s;
        return true;
}

json_t *template_public(const json_t *nodes)
{
        json_t *out = json_deep_copy(nodes), *one;
        size_t i;

        json_array_foreach(out, i, one)
        {
                if (!json_is_true(json_object_get(one, "secret")) &&
                    !readable_is_secret(member(one, "uri")))
                        continue;
                (void)json_object_del(one, "data");
                (void)json_object_del(one, "data_base64");
                if (json_object_set_new(one, "secret", json_true()) < 0) {
                        json_decref(out);
                        return NULL;
                }
        }
        return out;
}

static const json_t *node_of(const json_t *nodes, odm_str uri)
{
        const json_t *one;
        size_t i;

        json_array_foreach(nodes, i, one) if (odm_str_eq(member(one, "uri"), uri)) return one;
        return NULL;
}

int template_keep_secrets(json_t *nodes, const json_t *old)
{
        static const char *const values[] = {"data", "data_base64"};
        json_t *one;
        size_t i;

        json_array_foreach(nodes, i, one)
        {
                const json_t *was = node_of(old, member(one, "uri"));

                if (!was || !json_is_true(json_object_get(one, "secret")) ||
                    json_object_get(one, "data") || json_object_get(one, "data_base64"))
                        continue;
                for (size_t k = 0; k < ODM_COUNT(values); k++) {
                        json_t *v = json_object_get(was, values[k]);

                        if (v && json_object_set(one, values[k], v) < 0)
                                return ODM_ENOMEM;
                }
        }
        return 0;
}

/* ---- one device ---------------------------------------------------------------------------- */

/* Copies stay absent when they were. */
static odm_str keep(odm_arena *a, odm_str s)
{
        return s.p ? odm_arena_copy(a, s) : ODM_ABSENT;
}

static int fill_node(const json_t *o, odm_arena *a, template_node *n)
{
        odm_str b64 = member(o, "data_base64");
        int rc = 0;

        *n = (template_node){.uri = keep(a, member(o, "uri")),
                             .format = keep(a, member(o, "format")),
                             .type = keep(a, member(o, "type")),
                             .value = keep(a, member(o, "data")),
                             .absent = json_is_true(json_object_get(o, "absent")),
                             .secret = json_is_true(json_object_get(o, "secret"))};
        n->secret |= readable_is_secret(n->uri);
        if (b64.p) {
                rc = odm_b64_decode(a, b64, &n->value);
                if (rc == 0 && !n->value.p)
                        n->value = ODM_STR("");
                if (!n->format.p)
                        n->format = ODM_STR("bin");
        }
        return rc < 0 ? rc : a->err ? odm_arena_err(a) : 0;
}

int template_fill(const json_t *nodes, const campaign_vars *vars, odm_arena *a, template_list *out,
                  char which[CAMPAIGN_VAR])
{
        json_t *copy = json_deep_copy(nodes);
        template_list l = {.n = json_array_size(copy)};
        int rc = copy ? campaign_fill(copy, vars, which) : ODM_ENOMEM;

        if (rc == 0) {
                l.v = odm_arena_zget(a, (l.n + 1) * sizeof *l.v);
                rc = l.v ? 0 : odm_arena_err(a);
        }
        for (size_t i = 0; rc == 0 && i < l.n; i++)
                rc = fill_node(json_array_get(copy, i), a, &l.v[i]);
        json_decref(copy);
        if (rc == 0)
                *out = l;
        return rc;
}

static bool is_below(odm_str uri, odm_str top)
{
        return uri.n > top.n && uri.p[top.n] == '/' && memcmp(uri.p, top.p, top.n) == 0;
}

static bool decides(const template_node *higher, const template_node *n)
{
        return odm_str_eq(higher->uri, n->uri) ||
               (higher->absent && is_below(n->uri, higher->uri)) ||
               (n->absent && !higher->absent && is_below(higher->uri, n->uri));
}

void template_overrule(template_list *l, const template_list *higher, odm_str name)
{
        for (size_t i = 0; i < l->n; i++)
                for (size_t k = 0; k < higher->n && !l->v[i].overruled.p; k++)
                        /* what is itself overruled decides nothing */
                        if (!higher->v[k].overruled.p && decides(&higher->v[k], &l->v[i])) {
                                l->v[i].overruled = name;
                                l->v[i].finding = FINDING_OVERRULED;
                        }
}

static odm_str dump(json_t *v, odm_arena *a)
{
        char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
        odm_str s = text ? odm_arena_copy(a, odm_cstr(text)) : ODM_ABSENT;

        free(text);
        json_decref(v);
        return s;
}

odm_str template_gets(const template_list *l, odm_arena *a)
{
        json_t *list = json_array();

        for (size_t i = 0; i < l->n; i++) {
                const template_node *n = &l->v[i];
                /* of a secret only whether it is there */
                odm_str uri =
                        n->secret ? odm_arena_join(a, n->uri, ODM_STR("?prop=Format")) : n->uri;

                if (n->overruled.p)
                        continue;
                if (!uri.p ||
                    json_array_append_new(list, json_pack("{s:s, s:s%, s:b}", "cmd", "get", "uri",
                                                          uri.p, uri.n, "optional", 1)) < 0) {
                        json_decref(list);
                        return ODM_ABSENT;
                }
        }
        return dump(list, a);
}

/* ---- findings ------------------------------------------------------------------------------ */

static bool number_of(odm_str s, long long *out)
{
        char z[24], *end;

        s = odm_str_trim(s);
        if (s.n == 0 || s.n >= sizeof z)
                return false;
        memcpy(z, s.p, s.n);
        z[s.n] = 0;
        *out = strtoll(z, &end, 10);
        return *end == 0;
}

static bool is_same(const template_node *n, odm_str found)
{
        long long want, got;
        char z[8];

        if (odm_str_is(n->format, "int") && number_of(n->value, &want) && number_of(found, &got))
                return want == got;
        if (odm_str_is(n->format, "bool") && n->value.n < sizeof z) {
                (void)snprintf(z, sizeof z, "%.*s", (int)n->value.n, n->value.p ? n->value.p : "");
                return odm_str_ieq(found, z);
        }
        return odm_str_eq(n->value, found);
}

static bool is_ok(uint32_t status)
{
        return status >= 200 && status <= 213;
}

static bool is_document(const template_node *n)
{
        return odm_str_starts(n->type, "application/vnd.syncml.dmtnds+");
}

static bool is_interior(const template_node *n)
{
        return odm_str_is(n->format, "node");
}

static template_finding judge(const template_node *n, uint32_t status, odm_str value)
{
        bool ok = is_ok(status);

        if (n->absent)
                return status == 404         ? FINDING_SAME
                       : ok || status == 405 ? FINDING_EXTRA
                                             : FINDING_UNREADABLE;
        if (status == 404)
                return FINDING_MISSING;
        if (is_interior(n))
                return ok || status == 405 ? FINDING_SAME : FINDING_UNREADABLE;
        if (!ok || n->secret)
                return FINDING_UNREADABLE;
        /* an object is compared by being there */
        return is_document(n) || is_same(n, value) ? FINDING_SAME : FINDING_DIFFERS;
}

void template_found(template_list *l, odm_str uri, uint32_t status, odm_str value)
{
        odm_str path = uri;

        for (path.n = 0; path.n < uri.n && uri.p[path.n] != '?';)
                path.n++;

        for (size_t i = 0; i < l->n; i++) {
                template_node *n = &l->v[i];

                if (n->overruled.p || !odm_str_eq(n->uri, path))
                        continue;
                n->status = status;
                n->found = n->secret ? ODM_ABSENT : value;
                n->finding = judge(n, status, value);
        }
}

bool template_is_open(const template_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].finding == FINDING_UNASKED)
                        return true;
        return false;
}

/* The command that puts it right; NULL: none is needed. */
static const char *fix_of(const template_node *n, bool write)
{
        switch (n->finding) {
        case FINDING_DIFFERS: return "replace";
        case FINDING_MISSING: return "add";
        case FINDING_EXTRA: return "delete";
        case FINDING_UNREADABLE:
                return write && !n->absent && !is_interior(n) && !is_document(n) ? "replace" : NULL;
        case FINDING_UNASKED:
        case FINDING_SAME:
        case FINDING_OVERRULED: break;
        }
        return NULL;
}

bool template_differs(const template_list *l, bool write)
{
        for (size_t i = 0; i < l->n; i++)
                if (fix_of(&l->v[i], write))
                        return true;
        return false;
}

static json_t *fix(const template_node *n, const char *word, odm_arena *a)
{
        json_t *o = json_pack("{s:s, s:s%}", "cmd", word, "uri", n->uri.p, n->uri.n);
        bool ok = o != NULL;

        if (ok && n->secret)
                ok = json_object_set_new(o, "secret", json_true()) == 0;
        if (ok && !n->absent && n->format.p)
                ok = json_object_set_new(o, "format", json_stringn(n->format.p, n->format.n)) == 0;
        if (ok && !n->absent && n->type.p)
                ok = json_object_set_new(o, "type", json_stringn(n->type.p, n->type.n)) == 0;
        if (ok && !n->absent)
                ok = command_value_put(o, n->format, n->value, a) == 0;
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

odm_str template_fixes(const template_list *l, bool atomic, bool write, odm_arena *a)
{
        json_t *list = json_array();

        for (size_t i = 0; i < l->n; i++) {
                const char *word = fix_of(&l->v[i], write);

                if (word && json_array_append_new(list, fix(&l->v[i], word, a)) < 0) {
                        json_decref(list);
                        return ODM_ABSENT;
                }
        }
        if (atomic && json_array_size(list) > 1) /* split: where the device has no Atomic */
                list = json_pack("[{s:s, s:b, s:o}]", "cmd", "atomic", "split", 1, "commands",
                                 list);
        return dump(list, a);
}

/* ---- the difference ------------------------------------------------------------------------ */

/* Cut where it is long, between characters. */
static bool put_value(json_t *o, const char *name, odm_str value, odm_arena *a)
{
        char b64[32];
        odm_str s = odm_str_to(value, TEMPLATE_SHOWN);
        bool cut = s.n < value.n;

        if (!value.p)
                return true;
        while (cut && s.n > 0 && ((unsigned char)value.p[s.n] & 0xc0) == 0x80)
                s.n--;
        if (odm_utf8_ok(s)) {
                s = cut ? odm_arena_join(a, s, ODM_STR("...")) : s;
                return s.p && json_object_set_new(o, name, json_stringn(s.p, s.n)) == 0;
        }
        s = odm_b64_encode(a, odm_str_to(value, TEMPLATE_SHOWN));
        (void)snprintf(b64, sizeof b64, "%s_base64", name);
        return s.p && json_object_set_new(o, b64, json_stringn(s.p, s.n)) == 0;
}

static json_t *entry(const template_node *n, odm_arena *a)
{
        json_t *o = json_pack("{s:s%, s:s}", "uri", n->uri.p, n->uri.n, "is",
                              template_findings[n->finding]);
        bool ok = o != NULL;

        if (ok && n->secret)
                ok = json_object_set_new(o, "secret", json_true()) == 0;
        else if (ok && n->finding != FINDING_OVERRULED && !is_document(n))
                ok = put_value(o, "wanted", n->value, a) && put_value(o, "found", n->found, a);
        if (ok && n->overruled.p)
                ok = json_object_set_new(o, "by", json_stringn(n->overruled.p, n->overruled.n)) ==
                     0;
        if (ok && n->finding == FINDING_UNREADABLE)
                ok = json_object_set_new(o, "status", json_integer(n->status)) == 0;
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

odm_str template_difference(const template_list *l, odm_arena *a)
{
        json_t *list = json_array();
        size_t size = 0;

        for (size_t i = 0; i < l->n; i++) {
                const template_node *n = &l->v[i];

                if (n->finding == FINDING_SAME || n->finding == FINDING_UNASKED)
                        continue;
                size += n->uri.n + odm_str_to(n->value, TEMPLATE_SHOWN).n +
                        odm_str_to(n->found, TEMPLATE_SHOWN).n + 100;
                if (size > DIFF_MAX) /* what is left out is found by the next check */
                        break;
                if (json_array_append_new(list, entry(n, a)) < 0) {
                        json_decref(list);
                        return ODM_ABSENT;
                }
        }
        if (json_array_size(list) == 0) {
                json_decref(list);
                return ODM_STR("");
        }
        return dump(list, a);
}

int64_t template_delay(uint32_t tries)
{
        static const int64_t minutes[] = {1, 5, 30, 120};

        if (tries == 0)
                return 0;
        return minutes[tries < ODM_COUNT(minutes) ? tries - 1 : ODM_COUNT(minutes) - 1] * 60000;
}
