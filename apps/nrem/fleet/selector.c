/* SPDX-License-Identifier: Apache-2.0 */
#include "selector.h"

#include <stdlib.h>
#include <string.h>

#include "jread.h"
#include "version.h"

#define NAME_MOST 128
#define TEXT_MOST 255
#define TAG_MOST 64

static int by_text(const void *a, const void *b)
{
        return odm_str_cmp(*(const odm_str *)a, *(const odm_str *)b);
}

static bool read_texts(jread *r, const char *name, const json_t *list, size_t most, odm_arena *a,
                       selector_list *out)
{
        selector_list l = {odm_arena_get(a, json_array_size(list) * sizeof *l.v), 0};
        const json_t *v;
        size_t i;

        if (!l.v) {
                problem_err(r->problem, odm_arena_err(a), "the selector cannot be read");
                return false;
        }
        json_array_foreach(list, i, v)
        {
                odm_str s = {json_string_value(v), json_string_length(v)};

                if (!s.p || s.n == 0 || s.n > most) {
                        jread_wrong(r, name, "has an entry that is no text, empty, or too long");
                        return false;
                }
                l.v[l.n++] = s;
        }
        *out = l;
        return true;
}

static bool read_list(jread *r, const char *name, size_t entries, size_t most, odm_arena *a,
                      selector_list *out)
{
        const json_t *list;

        return jread_list(r, name, 1, entries, &list) != 1 ||
               read_texts(r, name, list, most, a, out);
}

/* A text, or a list of them. */
static bool read_choice(jread *r, const char *name, odm_arena *a, selector_list *out)
{
        odm_str one;

        if (json_is_array(json_object_get(r->obj, name)))
                return read_list(r, name, SELECTOR_LIST, TEXT_MOST, a, out);
        if (jread_text(r, name, 1, TEXT_MOST, &one) != 1)
                return true;
        out->v = odm_arena_get(a, sizeof *out->v);
        if (!out->v) {
                problem_err(r->problem, odm_arena_err(a), "the selector cannot be read");
                return false;
        }
        out->v[0] = one;
        out->n = 1;
        return true;
}

static void read_range(jread *r, const char *name, odm_str *out)
{
        if (jread_text(r, name, 1, VERSION_RANGE_MAX, out) == 1 && !version_range_ok(*out))
                jread_wrong(r, name, "is neither a version nor a range such as \">=1.2 <2\"");
}

static void sort_names(selector_list *l)
{
        size_t n = 0;

        if (l->n == 0)
                return;
        qsort(l->v, l->n, sizeof *l->v, by_text);
        for (size_t i = 0; i < l->n; i++)
                if (n == 0 || !odm_str_eq(l->v[i], l->v[n - 1]))
                        l->v[n++] = l->v[i];
        l->n = n;
}

bool selector_read(const json_t *o, const char *path, problem *p, odm_arena *a, selector *out)
{
        selector s = {0};
        jread r;

        jread_init(&r, o, path, p);
        if (!read_list(&r, "devices", SELECTOR_DEVICES, NAME_MOST, a, &s.devices) ||
            !read_list(&r, "tags", SELECTOR_LIST, TAG_MOST, a, &s.tags) ||
            !read_choice(&r, "maker", a, &s.maker) || !read_choice(&r, "model", a, &s.model))
                return false;
        jread_text(&r, "prefix", 1, NAME_MOST, &s.prefix);
        read_range(&r, "hwv", &s.hwv);
        read_range(&r, "fwv", &s.fwv);
        read_range(&r, "swv", &s.swv);
        jread_end(&r);
        if (problem_is(p))
                return false;
        sort_names(&s.devices);
        *out = s;
        return true;
}

/* ---- from a row ------------------------------------------------------------------------ */

static void copy_list(odm_arena *a, selector_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                l->v[i] = odm_arena_copy(a, l->v[i]);
}

int selector_parse(odm_str text, odm_arena *a, selector *out)
{
        json_t *o = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);
        problem p;
        selector s;
        int rc = 0;

        problem_init(&p);
        if (!json_is_object(o) || !selector_read(o, "", &p, a, &s))
                rc = a->err ? odm_arena_err(a) : ODM_EMALFORMED;
        if (rc == 0) {
                odm_str *const texts[] = {&s.prefix, &s.hwv, &s.fwv, &s.swv};
                selector_list *const lists[] = {&s.devices, &s.tags, &s.maker, &s.model};

                for (size_t i = 0; i < ODM_COUNT(texts); i++)
                        *texts[i] = odm_arena_copy(a, *texts[i]);
                for (size_t i = 0; i < ODM_COUNT(lists); i++)
                        copy_list(a, lists[i]);
                rc = a->err ? odm_arena_err(a) : 0;
        }
        if (rc == 0)
                *out = s;
        problem_done(&p);
        json_decref(o);
        return rc;
}

/* ---- devices --------------------------------------------------------------------------- */

static bool in_list(const selector_list *l, odm_str s)
{
        if (l->n == 0)
                return true;
        for (size_t i = 0; i < l->n; i++)
                if (odm_str_eq(l->v[i], s))
                        return true;
        return false;
}

bool selector_word(odm_str words, odm_str word)
{
        while (words.n > 0) {
                size_t n = 0;

                while (n < words.n && words.p[n] != ' ')
                        n++;
                if (odm_str_eq(odm_str_to(words, n), word))
                        return true;
                words = odm_str_from(words, n + 1);
        }
        return false;
}

static bool say(odm_arena *a, odm_str *why, const char *what, odm_str is, odm_str wanted)
{
        is = odm_str_to(is, TEXT_MOST);
        if (why && is.n == 0)
                *why = odm_arena_fmt(a, "%s is not known; wanted is %.*s", what, (int)wanted.n,
                                     wanted.p);
        else if (why)
                *why = odm_arena_fmt(a, "%s is %.*s; wanted is %.*s", what, (int)is.n, is.p,
                                     (int)wanted.n, wanted.p);
        return false;
}

static bool has_name(const selector *s, const store_device *d, odm_arena *a, odm_str *why)
{
        if (s->devices.n > 0 &&
            !bsearch(&d->name, s->devices.v, s->devices.n, sizeof d->name, by_text)) {
                if (why)
                        *why = odm_arena_copy(a, ODM_STR("it is not in the list of devices"));
                return false;
        }
        if (s->prefix.n > 0 && !odm_str_eq(odm_str_to(d->name, s->prefix.n), s->prefix))
                return say(a, why, "its name", d->name, s->prefix);
        return true;
}

bool selector_has(const selector *s, const store_device *d, odm_arena *a, odm_str *why)
{
        const struct {
                const char *what;
                odm_str range, is;
        } versions[] = {{"its hardware version", s->hwv, d->hwv},
                        {"its firmware version", s->fwv, d->fwv},
                        {"its software version", s->swv, d->swv}};

        if (!has_name(s, d, a, why))
                return false;
        for (size_t i = 0; i < s->tags.n; i++)
                if (!selector_word(d->tags, s->tags.v[i])) {
                        if (why)
                                *why = odm_arena_fmt(a, "it has no tag %.*s", (int)s->tags.v[i].n,
                                                     s->tags.v[i].p);
                        return false;
                }
        if (!in_list(&s->maker, d->maker))
                return say(a, why, "its maker", d->maker, s->maker.v[0]);
        if (!in_list(&s->model, d->model))
                return say(a, why, "its model", d->model, s->model.v[0]);
        for (size_t i = 0; i < ODM_COUNT(versions); i++)
                if (versions[i].range.n > 0 && !version_in(versions[i].range, versions[i].is))
                        return say(a, why, versions[i].what, versions[i].is, versions[i].range);
        return true;
}

void selector_filter(const selector *s, store_device_filter *f)
{
        f->prefix = s->prefix;
        if (s->maker.n == 1)
                f->maker = s->maker.v[0];
        if (s->model.n == 1)
                f->model = s->model.v[0];
        if (s->tags.n > 0)
                f->tag = s->tags.v[0];
}

bool selector_within(const selector *s, odm_str scope)
{
        if (scope.n == 0 || odm_str_eq(odm_str_to(s->prefix, scope.n), scope))
                return true;
        if (s->devices.n == 0)
                return false;
        for (size_t i = 0; i < s->devices.n; i++)
                if (!odm_str_eq(odm_str_to(s->devices.v[i], scope.n), scope))
                        return false;
        return true;
}
