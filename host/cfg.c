/* SPDX-License-Identifier: Apache-2.0 */
/* cfg.c - configuration files held to a table; see cfg.h.
 *
 * Values are kept as text, checked when they come in; the getters parse again what is known
 * to be good, so there is one truth.  A load works on a copy and replaces the values last. */
#include "cfg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"

#define FILE_MAX (1u << 20)

typedef enum origin { ORIGIN_NONE, ORIGIN_FILE, ORIGIN_COMMAND } origin;

typedef struct value {
        char *text; /* NULL = default or absent */
        char **list;
        size_t list_n;
        origin from;
        unsigned line; /* in its file */
} value;

struct cfg {
        const cfg_key *keys;
        size_t n;
        uint16_t *order; /* numbers of keys by their names: settings are asked for all the time */
        value *v;
        char *title;   /* "check disk" of a section with a name, else NULL */
        unsigned line; /* where that begins */
        cfg **named;   /* sections with names; they have none themselves */
        size_t n_named;
};

static void value_done(value *v)
{
        for (size_t i = 0; i < v->list_n; i++)
                free(v->list[i]);
        free(v->list);
        if (v->text)
                odm_wipe(v->text, strlen(v->text));
        free(v->text);
        *v = (value){0};
}

static void values_free(value *v, size_t n)
{
        for (size_t i = 0; v && i < n; i++)
                value_done(&v[i]);
        free(v);
}

static char *text_of(odm_str s)
{
        char *z = malloc(s.n + 1);

        if (z) {
                memcpy(z, s.p ? s.p : "", s.n);
                z[s.n] = 0;
        }
        return z;
}

/* ---- kinds ------------------------------------------------------------------ */

typedef struct unit {
        const char *name;
        int64_t factor;
} unit;

static int number_with_unit(odm_str s, const unit *units, int64_t plain, int64_t *out)
{
        size_t digits = 0;
        uint64_t n;
        int64_t factor = plain;
        int rc;

        while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
                digits++;
        if (digits < s.n) {
                odm_str rest = odm_str_trim(odm_str_from(s, digits));
                while (units->name && !odm_str_is(rest, units->name))
                        units++;
                if (!units->name)
                        return ODM_EMALFORMED;
                factor = units->factor;
        }
        rc = odm_str_u64(odm_str_to(s, digits), (uint64_t)(INT64_MAX / factor), &n);
        if (rc == 0)
                *out = (int64_t)n * factor;
        return rc;
}

int cfg_duration_parse(odm_str s, int64_t *ms)
{
        static const unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                     {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

        return number_with_unit(s, units, 1000, ms);
}

int cfg_size_parse(odm_str s, int64_t *octets)
{
        static const unit units[] = {
                {"k", 1 << 10}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

        return number_with_unit(s, units, 1, octets);
}

static int int_parse(odm_str s, int64_t *out)
{
        bool minus = s.n > 0 && s.p[0] == '-';
        uint64_t n;
        int rc = odm_str_u64(odm_str_from(s, minus), INT64_MAX, &n);

        if (rc == 0)
                *out = minus ? -(int64_t)n : (int64_t)n;
        return rc;
}

static int bool_parse(odm_str s, bool *out)
{
        static const char *const names[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                if (odm_str_ieq(s, names[i])) {
                        *out = i & 1;
                        return 0;
                }
        }
        return ODM_EMALFORMED;
}

static int enum_find(const cfg_key *k, odm_str s)
{
        for (int i = 0; k->choices[i]; i++)
                if (odm_str_is(s, k->choices[i]))
                        return i;
        return -1;
}

static int number_of(const cfg_key *k, odm_str s, int64_t *out)
{
        if (k->kind == CFG_DURATION)
                return cfg_duration_parse(s, out);
        if (k->kind == CFG_SIZE)
                return cfg_size_parse(s, out);
        return int_parse(s, out);
}

static const char *wanted_form(cfg_kind kind)
{
        if (kind == CFG_DURATION)
                return "a duration such as 500ms, 30s, 5m, 12h or 7d";
        return kind == CFG_SIZE ? "a size such as 512, 64k, 16M or 1G" : "a whole number";
}

static int number_check(const cfg_key *k, odm_str s, diag *d)
{
        const char *unit_name = k->kind == CFG_DURATION ? " ms" : "";
        int64_t n, max = k->max ? k->max : INT64_MAX;

        if (number_of(k, s, &n) < 0)
                return diag_set(d, ODM_EMALFORMED, "'%.*s' is not %s", (int)s.n, s.p,
                                wanted_form(k->kind));
        if (n < k->min || n > max)
                return diag_set(d, ODM_EMALFORMED, "%.*s is not between %lld%s and %lld%s",
                                (int)s.n, s.p, (long long)k->min, unit_name, (long long)max,
                                unit_name);
        return 0;
}

static int enum_check(const cfg_key *k, odm_str s, diag *d)
{
        char all[256] = "";

        if (enum_find(k, s) >= 0)
                return 0;
        for (int i = 0; k->choices[i]; i++) {
                size_t n = strlen(all);
                snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", k->choices[i]);
        }
        return diag_set(d, ODM_EMALFORMED, "'%.*s' is none of: %s", (int)s.n, s.p, all);
}

static int value_check(const cfg_key *k, odm_str s, diag *d)
{
        bool b;

        if (memchr(s.p ? s.p : "", 0, s.n))
                return diag_set(d, ODM_EMALFORMED, "the value holds a NUL octet");
        switch (k->kind) {
        case CFG_STRING:
        case CFG_LIST: return 0;
        case CFG_PATH: return s.n ? 0 : diag_set(d, ODM_EMALFORMED, "the path is empty");
        case CFG_BOOL:
                if (bool_parse(s, &b) == 0)
                        return 0;
                return diag_set(d, ODM_EMALFORMED, "'%.*s' is neither yes nor no", (int)s.n, s.p);
        case CFG_ENUM: return enum_check(k, s, d);
        case CFG_INT:
        case CFG_DURATION:
        case CFG_SIZE: return number_check(k, s, d);
        }
        ODM_UNREACHABLE();
}

/* ---- quoting ------------------------------------------------------------------ */

/* Takes one value off the front of *in, up to a comment, or up to a comma when `comma`.
 * Writes the text without quotes to `out`, which has room for in->n octets.  False when a quote
 * is not closed or something stands behind it. */
static bool take_value(odm_str *in, bool comma, char *out, size_t *out_n)
{
        odm_str s = odm_str_trim(*in);
        size_t i = 0, n = 0;

        if (s.n && s.p[0] == '"') {
                for (i = 1; i < s.n && s.p[i] != '"'; i++) {
                        if (s.p[i] == '\\' && i + 1 < s.n)
                                i++;
                        out[n++] = s.p[i];
                }
                if (i++ >= s.n)
                        return false;
        } else {
                while (i < s.n && !(comma && s.p[i] == ',') &&
                       !(s.p[i] == '#' && (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t')))
                        out[n++] = s.p[i++];
                n = odm_str_trim((odm_str){out, n}).n;
        }
        s = odm_str_trim(odm_str_from(s, i));
        if (s.n && s.p[0] != '#' && !(comma && s.p[0] == ','))
                return false;
        *in = s;
        *out_n = n;
        return true;
}

static int list_append(value *v, odm_str item)
{
        char **grown = realloc(v->list, (v->list_n + 1) * sizeof *grown);
        char *text = NULL;

        if (grown) {
                v->list = grown;
                text = text_of(item);
        }
        if (!text)
                return ODM_ENOMEM;
        v->list[v->list_n++] = text;
        return 0;
}

static int list_split(value *v, odm_str s, char *scratch, diag *d)
{
        size_t n;

        for (;;) {
                if (!take_value(&s, true, scratch, &n))
                        return diag_set(d, ODM_EMALFORMED, "the quotes do not match");
                if (n > 0 && list_append(v, (odm_str){scratch, n}) < 0)
                        return diag_set(d, ODM_ENOMEM, "out of memory");
                if (s.n == 0 || s.p[0] == '#')
                        return 0;
                s = odm_str_from(s, 1); /* the comma */
        }
}

/* Parses the raw text behind '=' for key k into *out. */
static int value_parse(const cfg_key *k, odm_str raw, value *out, diag *d)
{
        char *scratch = malloc(raw.n + 1);
        value v = {0};
        size_t n = 0;
        int rc = ODM_ENOMEM;

        if (!scratch)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        if (k->kind == CFG_LIST) {
                rc = list_split(&v, raw, scratch, d);
                if (rc < 0)
                        goto out;
        } else if (!take_value(&raw, false, scratch, &n)) {
                rc = diag_set(d, ODM_EMALFORMED, "the quotes do not match");
                goto out;
        } else {
                rc = value_check(k, (odm_str){scratch, n}, d);
                if (rc < 0)
                        goto out;
        }
        v.text = text_of((odm_str){scratch, n});
        rc = v.text ? 0 : diag_set(d, ODM_ENOMEM, "out of memory");
out:
        free(scratch);
        if (rc == 0)
                *out = v;
        else
                value_done(&v);
        return rc;
}

/* ---- sections with names ---------------------------------------------------------- */

static bool is_named_key(const cfg_key *k)
{
        return strstr(k->name, " *.") != NULL;
}

/* Whether a key belongs to this section, or to the part of the file without names. */
static bool has_key(const cfg *c, const cfg_key *k)
{
        size_t n = c->title ? strcspn(c->title, " ") : 0;

        return is_named_key(k) == (c->title != NULL) &&
               (n == 0 || (strncmp(k->name, c->title, n) == 0 && k->name[n] == ' '));
}

static void free_one(cfg *c)
{
        values_free(c->v, c->n);
        free(c->named);
        free(c->title);
        free(c->order);
        free(c);
}

void cfg_free(cfg *c)
{
        if (!c)
                return;
        while (c->n_named)
                free_one(c->named[--c->n_named]);
        free_one(c);
}

static int by_name(const void *a, const void *b, void *keys)
{
        const cfg_key *k = keys;

        return strcmp(k[*(const uint16_t *)a].name, k[*(const uint16_t *)b].name);
}

static void sort_keys(cfg *c)
{
        assert(c->n <= UINT16_MAX);
        for (size_t i = 0; i < c->n; i++)
                c->order[i] = (uint16_t)i;
        qsort_r(c->order, c->n, sizeof *c->order, by_name, (void *)(uintptr_t)c->keys);
}

static cfg *empty(const cfg_key *keys, size_t n)
{
        cfg *c = calloc(1, sizeof *c);

        if (!c)
                return NULL;
        c->keys = keys;
        c->n = n;
        c->v = calloc(n + 1, sizeof *c->v);
        c->order = calloc(n + 1, sizeof *c->order);
        if (c->v && c->order) {
                sort_keys(c);
                return c;
        }
        free(c->v);
        free(c->order);
        free(c);
        return NULL;
}

static int put_defaults(cfg *c)
{
        int rc = 0;

        for (size_t i = 0; i < c->n && rc == 0; i++)
                if (c->keys[i].def && has_key(c, &c->keys[i]))
                        rc = value_parse(&c->keys[i], odm_cstr(c->keys[i].def), &c->v[i], NULL);
        return rc < 0 && rc != ODM_ENOMEM ? ODM_EINVAL : rc;
}

static cfg *named_find(const cfg *c, const char *title)
{
        for (size_t i = 0; i < c->n_named; i++)
                if (strcmp(c->named[i]->title, title) == 0)
                        return c->named[i];
        return NULL;
}

/* The section of this title, made when there is none.  0, ODM_ENOMEM, ODM_ELIMIT, ODM_EINVAL. */
static int named_get(cfg *c, const char *title, cfg **out)
{
        cfg *s = named_find(c, title), **grown;
        int rc;

        if (s) {
                *out = s;
                return 0;
        }
        if (c->n_named == CFG_NAMED_MAX)
                return ODM_ELIMIT;
        grown = realloc(c->named, (c->n_named + 1) * sizeof *grown);
        if (!grown)
                return ODM_ENOMEM;
        c->named = grown;
        s = empty(c->keys, c->n);
        if (!s)
                return ODM_ENOMEM;
        s->title = text_of(odm_cstr(title));
        rc = s->title ? put_defaults(s) : ODM_ENOMEM;
        if (rc < 0) {
                cfg_free(s);
                return rc;
        }
        c->named[c->n_named++] = s;
        *out = s;
        return 0;
}

static bool name_ok(odm_str s)
{
        static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "-_";
        bool ok = s.n > 0 && s.n <= 32;

        for (size_t i = 0; i < s.n && ok; i++)
                ok = s.p[i] && strchr(good, s.p[i]) != NULL;
        return ok;
}

typedef struct where {    /* where keys of a section are */
        char pattern[64]; /* "check *", or "dm" */
        char title[64];   /* "check disk"; "" for a section without a name */
} where;

static bool section_known(const cfg *c, odm_str section)
{
        for (size_t i = 0; i < c->n; i++) {
                odm_str k = odm_cstr(c->keys[i].name);
                if (k.n > section.n && k.p[section.n] == '.' &&
                    odm_str_eq(odm_str_to(k, section.n), section))
                        return true;
        }
        return false;
}

/* False for a section that is in no table. */
static bool section_find(const cfg *c, odm_str s, where *out)
{
        size_t n = 0;

        while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
                n++;
        odm_str name = odm_str_trim(odm_str_from(s, n));
        where w = {.title = ""};
        if (n >= 30 || (name.n && !name_ok(name)))
                return false;
        snprintf(w.pattern, sizeof w.pattern, "%.*s%s", (int)n, s.p, name.n ? " *" : "");
        if (name.n)
                snprintf(w.title, sizeof w.title, "%.*s %.*s", (int)n, s.p, (int)name.n, name.p);
        if (!section_known(c, odm_cstr(w.pattern)))
                return false;
        *out = w;
        return true;
}

/* ---- files ---------------------------------------------------------------------- */

static int key_find(const cfg *c, odm_str section, odm_str name)
{
        for (size_t i = 0; i < c->n; i++) {
                odm_str k = odm_cstr(c->keys[i].name);
                if (k.n == section.n + 1 + name.n &&
                    odm_str_eq(odm_str_to(k, section.n), section) && k.p[section.n] == '.' &&
                    odm_str_eq(odm_str_from(k, section.n + 1), name))
                        return (int)i;
        }
        return -1;
}

/* Relative paths of a file are meant from its folder, wherever we were started. */
static int path_resolve(value *v, const char *file)
{
        const char *slash = strrchr(file, '/');
        char *dir, *whole;

        if (v->text[0] == '/' || !slash)
                return 0;
        dir = text_of((odm_str){file, (size_t)(slash - file)});
        whole = dir ? fsio_join(dir, v->text) : NULL;
        free(dir);
        if (!whole)
                return ODM_ENOMEM;
        free(v->text);
        v->text = whole;
        return 0;
}

typedef struct reading {
        cfg *into; /* what is read so far */
        cfg *at;   /* the section: of into, or one of its named ones */
        where section;
        const char *name;
        unsigned line;
        diag why; /* reason without the place */
} reading;

static int read_section(reading *r, odm_str s)
{
        if (s.n < 3 || s.p[s.n - 1] != ']')
                return diag_set(&r->why, ODM_EMALFORMED, "a section is written [name]");
        s = odm_str_trim((odm_str){s.p + 1, s.n - 2});
        if (!section_find(r->into, s, &r->section))
                return diag_set(&r->why, ODM_EMALFORMED, "unknown section [%.*s]", (int)s.n, s.p);
        r->at = r->into;
        if (!r->section.title[0])
                return 0;
        int rc = named_get(r->into, r->section.title, &r->at);
        if (rc == 0 && r->at->line == 0)
                r->at->line = r->line;
        return rc < 0 ? diag_set(&r->why, rc, "[%.*s]: %s", (int)s.n, s.p, odm_err_text(rc)) : 0;
}

static int read_key(reading *r, odm_str s)
{
        const char *eq = memchr(s.p, '=', s.n);
        odm_str name = odm_str_trim(odm_str_to(s, eq ? (size_t)(eq - s.p) : s.n));
        const where *w = &r->section;
        value *v = r->at->v;
        int k, rc;

        if (!eq)
                return diag_set(&r->why, ODM_EMALFORMED, "neither [section] nor key = value");
        k = key_find(r->at, odm_cstr(w->pattern), name);
        if (k < 0)
                return diag_set(&r->why, ODM_EMALFORMED, "unknown key '%.*s' in section [%s]",
                                (int)name.n, name.p, w->title[0] ? w->title : w->pattern);
        if (v[k].line)
                return diag_set(&r->why, ODM_EMALFORMED, "'%.*s' was given in line %u already",
                                (int)name.n, name.p, v[k].line);
        value_done(&v[k]);
        rc = value_parse(&r->at->keys[k], odm_str_from(s, (size_t)(eq - s.p) + 1), &v[k], &r->why);
        if (rc < 0) {
                diag why = r->why;
                return diag_set(&r->why, rc, "%.*s: %.400s", (int)name.n, name.p, why.text);
        }
        v[k].line = r->line;
        v[k].from = ORIGIN_FILE;
        if (r->at->keys[k].kind == CFG_PATH && path_resolve(&v[k], r->name) < 0)
                return diag_set(&r->why, ODM_ENOMEM, "out of memory");
        return 0;
}

static int read_lines(reading *r, odm_str text)
{
        int rc = 0;

        while (text.n > 0 && rc == 0) {
                const char *nl = memchr(text.p, '\n', text.n);
                size_t n = nl ? (size_t)(nl - text.p) : text.n;
                odm_str s = odm_str_trim(odm_str_to(text, n));

                r->line++;
                text = odm_str_from(text, nl ? n + 1 : n);
                if (s.n == 0 || s.p[0] == '#')
                        continue;
                rc = s.p[0] == '[' ? read_section(r, s) : read_key(r, s);
        }
        return rc;
}

static void merge(cfg *c, cfg *from)
{
        for (size_t i = 0; i < c->n; i++) {
                if (from->v[i].from == ORIGIN_NONE || c->v[i].from == ORIGIN_COMMAND)
                        continue;
                value_done(&c->v[i]);
                c->v[i] = from->v[i];
                from->v[i] = (value){0};
        }
}

/* What can fail comes first, so that an error leaves `c` as it was. */
static int take_over(cfg *c, cfg *from)
{
        size_t before = c->n_named;
        cfg *to = NULL;
        int rc = 0;

        for (size_t i = 0; i < from->n_named && rc == 0; i++)
                rc = named_get(c, from->named[i]->title, &to);
        if (rc < 0) {
                while (c->n_named > before)
                        cfg_free(c->named[--c->n_named]);
                return rc;
        }
        merge(c, from);
        for (size_t i = 0; i < from->n_named; i++) {
                to = named_find(c, from->named[i]->title);
                to->line = from->named[i]->line;
                merge(to, from->named[i]);
        }
        return 0;
}

int cfg_parse(cfg *c, odm_str text, const char *name, diag *d)
{
        reading r = {.into = empty(c->keys, c->n), .name = name};
        int rc;

        if (!r.into)
                return diag_set(d, ODM_ENOMEM, "%s: out of memory", name);
        r.at = r.into;
        rc = read_lines(&r, text);
        if (rc < 0)
                diag_set(d, rc, "%s:%u: %.440s", name, r.line, r.why.text);
        else if ((rc = take_over(c, r.into)) < 0)
                diag_set(d, rc, "%s: %s", name, odm_err_text(rc));
        cfg_free(r.into);
        return rc;
}

int cfg_load(cfg *c, const char *path, diag *d)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, FILE_MAX);
        rc = fsio_read(path, FILE_MAX, &b, d);
        if (rc == 0)
                rc = cfg_parse(c, odm_buf_view(&b), path, d);
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

int cfg_set(cfg *c, const char *assignment, diag *d)
{
        const char *eq = strchr(assignment, '=');
        const char *dot = strchr(assignment, '.');
        value v = {0};
        where w = {.pattern = ""};
        diag why = {0};
        int k = -1, rc;

        if (!eq || !dot || dot > eq)
                return diag_set(d, ODM_EMALFORMED, "'%s' is not section.key=value", assignment);
        if (section_find(c, odm_str_trim((odm_str){assignment, (size_t)(dot - assignment)}), &w))
                k = key_find(c, odm_cstr(w.pattern),
                             odm_str_trim((odm_str){dot + 1, (size_t)(eq - dot - 1)}));
        if (k < 0)
                return diag_set(d, ODM_EMALFORMED, "unknown key '%.*s'", (int)(eq - assignment),
                                assignment);
        rc = value_parse(&c->keys[k], odm_cstr(eq + 1), &v, &why);
        if (rc < 0)
                return diag_set(d, rc, "%s: %.400s", c->keys[k].name, why.text);
        rc = w.title[0] ? named_get(c, w.title, &c) : 0;
        if (rc < 0) {
                value_done(&v);
                return diag_set(d, rc, "%s: %s", w.title, odm_err_text(rc));
        }
        value_done(&c->v[k]);
        c->v[k] = v;
        c->v[k].from = ORIGIN_COMMAND;
        return 0;
}

static int check_one(const cfg *c, diag *d)
{
        for (size_t i = 0; i < c->n; i++)
                if (c->keys[i].required && !c->v[i].text && has_key(c, &c->keys[i]))
                        return diag_set(d, ODM_ENOENT, "%s%s%s is required and has no value",
                                        c->title ? c->title : "", c->title ? ": " : "",
                                        c->keys[i].name);
        return 0;
}

int cfg_check(const cfg *c, diag *d)
{
        int rc = check_one(c, d);

        for (size_t i = 0; i < c->n_named && rc == 0; i++)
                rc = check_one(c->named[i], d);
        return rc;
}

/* ---- life ------------------------------------------------------------------------- */

int cfg_new(const cfg_key *keys, size_t n, cfg **out)
{
        cfg *c = empty(keys, n);
        int rc = c ? put_defaults(c) : ODM_ENOMEM;

        if (rc < 0)
                cfg_free(c);
        else
                *out = c;
        return rc;
}

/* ---- getters ------------------------------------------------------------------------ */

static const value *get(const cfg *c, const char *name, unsigned kinds, const cfg_key **key)
{
        size_t from = 0, to = c->n;

        while (from < to) {
                size_t mid = from + (to - from) / 2, i = c->order[mid];
                int at = strcmp(name, c->keys[i].name);

                if (at == 0) {
                        assert(kinds & (1u << c->keys[i].kind));
                        if (key)
                                *key = &c->keys[i];
                        return &c->v[i];
                }
                if (at < 0)
                        to = mid;
                else
                        from = mid + 1;
        }
        assert(!"a key that is in no table");
        ODM_UNREACHABLE();
}

bool cfg_given(const cfg *c, const char *name)
{
        return get(c, name, ~0u, NULL)->from != ORIGIN_NONE;
}

const char *cfg_str(const cfg *c, const char *name)
{
        return get(c, name, 1u << CFG_STRING | 1u << CFG_PATH | 1u << CFG_ENUM, NULL)->text;
}

static int64_t get_number(const cfg *c, const char *name, unsigned kinds)
{
        const cfg_key *k;
        const value *v = get(c, name, kinds, &k);
        int64_t n = 0;

        if (v->text && number_of(k, odm_cstr(v->text), &n) < 0)
                assert(!"checked when it came in");
        return n;
}

int64_t cfg_int(const cfg *c, const char *name)
{
        return get_number(c, name, 1u << CFG_INT | 1u << CFG_SIZE);
}

int64_t cfg_ms(const cfg *c, const char *name)
{
        return get_number(c, name, 1u << CFG_DURATION);
}

bool cfg_bool(const cfg *c, const char *name)
{
        const value *v = get(c, name, 1u << CFG_BOOL, NULL);
        bool b = false;

        if (v->text && bool_parse(odm_cstr(v->text), &b) < 0)
                assert(!"checked when it came in");
        return b;
}

int cfg_enum(const cfg *c, const char *name)
{
        const cfg_key *k;
        const value *v = get(c, name, 1u << CFG_ENUM, &k);

        return v->text ? enum_find(k, odm_cstr(v->text)) : -1;
}

size_t cfg_list_n(const cfg *c, const char *name)
{
        return get(c, name, 1u << CFG_LIST, NULL)->list_n;
}

const char *cfg_list_at(const cfg *c, const char *name, size_t i)
{
        const value *v = get(c, name, 1u << CFG_LIST, NULL);

        assert(i < v->list_n);
        return v->list[i];
}

static bool is_of(const cfg *named, const char *kind)
{
        size_t n = strlen(kind);

        return strncmp(named->title, kind, n) == 0 && named->title[n] == ' ';
}

unsigned cfg_line(const cfg *c, const char *name)
{
        for (size_t i = 0; name && i < c->n; i++)
                if (strcmp(c->keys[i].name, name) == 0)
                        return c->v[i].line;
        return c->line;
}

size_t cfg_named_n(const cfg *c, const char *kind)
{
        size_t n = 0;

        for (size_t i = 0; i < c->n_named; i++)
                n += is_of(c->named[i], kind);
        return n;
}

const cfg *cfg_named(const cfg *c, const char *kind, size_t i)
{
        for (size_t k = 0; k < c->n_named; k++)
                if (is_of(c->named[k], kind) && i-- == 0)
                        return c->named[k];
        assert(!"there are not so many");
        ODM_UNREACHABLE();
}

const char *cfg_name(const cfg *named)
{
        assert(named->title);
        return strchr(named->title, ' ') + 1;
}

/* ---- the file of defaults --------------------------------------------------------------- */

static void print_comment(const char *help, FILE *to)
{
        while (*help) {
                size_t n = strcspn(help, "\n");
                fprintf(to, "# %.*s\n", (int)n, help);
                help += n + (help[n] == '\n');
        }
}

static void print_range(const cfg_key *k, FILE *to)
{
        if (k->kind == CFG_ENUM) {
                fprintf(to, "# One of:");
                for (int i = 0; k->choices[i]; i++)
                        fprintf(to, " %s", k->choices[i]);
                fprintf(to, "\n");
        } else if (k->max && k->kind == CFG_DURATION) {
                fprintf(to, "# From %lld ms to %lld s.\n", (long long)k->min,
                        (long long)k->max / 1000);
        } else if (k->max) {
                fprintf(to, "# From %lld to %lld.\n", (long long)k->min, (long long)k->max);
        }
}

static void print_section(odm_str s, bool first, FILE *to)
{
        bool named = s.n > 2 && s.p[s.n - 1] == '*';

        fprintf(to, "%s%s[%.*s%s]\n", first ? "" : "\n", named ? "# as often as needed: " : "",
                (int)(named ? s.n - 1 : s.n), s.p, named ? "NAME" : "");
}

void cfg_print(const cfg_key *keys, size_t n, FILE *to)
{
        odm_str section = ODM_ABSENT;

        for (size_t i = 0; i < n; i++) {
                const cfg_key *k = &keys[i];
                size_t dot = strcspn(k->name, ".");
                odm_str here = {k->name, dot};
                bool open = k->required && !k->def && !is_named_key(k);

                if (!section.p || !odm_str_eq(section, here))
                        print_section(here, !section.p, to);
                section = here;
                fprintf(to, "\n");
                print_comment(k->help, to);
                print_range(k, to);
                fprintf(to, "%s%s = %s\n", open ? "" : "# ", k->name + dot + 1,
                        k->def ? k->def : "");
        }
}
