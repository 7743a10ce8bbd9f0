/* SPDX-License-Identifier: Apache-2.0 */
#include "jread.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void jread_init(jread *r, const json_t *obj, const char *path, problem *p)
{
        *r = (jread){.obj = obj, .problem = p};
        (void)snprintf(r->path, sizeof r->path, "%s", path);
        if (!json_is_object(obj))
                problem_at(p, path[0] ? path : "body", "has to be a JSON object");
}

static void full_name(const jread *r, const char *name, char out[2 * JREAD_PATH])
{
        (void)snprintf(out, 2 * JREAD_PATH, "%s%s%s", r->path, r->path[0] ? "." : "", name);
}

int jread_wrong(jread *r, const char *name, const char *reason)
{
        char full[2 * JREAD_PATH];

        full_name(r, name, full);
        problem_at(r->problem, full, "%s", reason);
        return -1;
}

int jread_missing(jread *r, const char *name)
{
        return jread_wrong(r, name, "is missing");
}

static const json_t *member(jread *r, const char *name)
{
        assert(r->n_asked < JREAD_MEMBERS);
        r->asked[r->n_asked++] = name;
        return json_object_get(r->obj, name);
}

static int text_of(jread *r, const char *name, const json_t *v, size_t min, size_t max,
                   odm_str *out)
{
        char reason[96];

        if (!json_is_string(v))
                return jread_wrong(r, name, "has to be text");
        odm_str s = {json_string_value(v), json_string_length(v)};
        if (s.n < min || s.n > max) {
                if (min == max)
                        (void)snprintf(reason, sizeof reason, "has to have %zu octets", max);
                else
                        (void)snprintf(reason, sizeof reason, "has to have %zu to %zu octets", min,
                                       max);
                return jread_wrong(r, name, reason);
        }
        *out = s;
        return 1;
}

int jread_text(jread *r, const char *name, size_t min, size_t max, odm_str *out)
{
        const json_t *v = member(r, name);

        return v ? text_of(r, name, v, min, max, out) : 0;
}

int jread_text_or_null(jread *r, const char *name, size_t min, size_t max, odm_str *out)
{
        const json_t *v = member(r, name);

        if (v && json_is_null(v)) {
                *out = ODM_ABSENT;
                return 2;
        }
        return v ? text_of(r, name, v, min, max, out) : 0;
}

int jread_int(jread *r, const char *name, int64_t min, int64_t max, int64_t *out)
{
        const json_t *v = member(r, name);
        char reason[96];

        if (!v)
                return 0;
        if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max) {
                (void)snprintf(reason, sizeof reason, "has to be a whole number from %lld to %lld",
                               (long long)min, (long long)max);
                return jread_wrong(r, name, reason);
        }
        *out = json_integer_value(v);
        return 1;
}

int jread_bool(jread *r, const char *name, bool *out)
{
        const json_t *v = member(r, name);

        if (!v)
                return 0;
        if (!json_is_boolean(v))
                return jread_wrong(r, name, "has to be true or false");
        *out = json_is_true(v);
        return 1;
}

int jread_list(jread *r, const char *name, size_t min, size_t max, const json_t **out)
{
        const json_t *v = member(r, name);
        char reason[96];

        if (!v)
                return 0;
        if (!json_is_array(v) || json_array_size(v) < min || json_array_size(v) > max) {
                (void)snprintf(reason, sizeof reason, "has to be a list of %zu to %zu entries", min,
                               max);
                return jread_wrong(r, name, reason);
        }
        *out = v;
        return 1;
}

int jread_word(jread *r, const char *name, const char *const *words, unsigned *out)
{
        const json_t *v = member(r, name);
        char reason[192] = "has to be one of";

        if (!v)
                return 0;
        for (unsigned i = 0; words[i]; i++) {
                if (json_is_string(v) && strcmp(json_string_value(v), words[i]) == 0) {
                        *out = i;
                        return 1;
                }
                size_t n = strlen(reason);
                (void)snprintf(reason + n, sizeof reason - n, " %s", words[i]);
        }
        return jread_wrong(r, name, reason);
}

int jread_wall(jread *r, const char *name, odm_wall *out)
{
        odm_str s;
        int rc = jread_text(r, name, 1, 40, &s);

        if (rc <= 0)
                return rc;
        if (wall_parse(s, out) < 0)
                return jread_wrong(r, name, "has to be a time such as 2026-11-22T16:35:05Z");
        return 1;
}

void jread_end(jread *r)
{
        const char *key;
        json_t *v;

        json_object_foreach((json_t *)(uintptr_t)r->obj, key, v)
        {
                unsigned i = 0;
                while (i < r->n_asked && strcmp(r->asked[i], key) != 0)
                        i++;
                if (i == r->n_asked)
                        (void)jread_wrong(r, key, "is not known here");
        }
}

/* The basic form with separators: the library knows the calendar. */
void wall_format(odm_wall w, char out[WALL_TEXT])
{
        char b[ODM_WALL_TEXT];

        odm_wall_format(w, b);
        (void)snprintf(out, WALL_TEXT, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", b, b + 4, b + 6, b + 9,
                       b + 11, b + 13);
}

int wall_parse(odm_str s, odm_wall *out)
{
        static const char shape[] = "dddd-dd-ddTdd:dd:dd";
        char b[ODM_WALL_TEXT];
        size_t n = 0, i = 0;

        for (; shape[i]; i++) {
                if (i >= s.n)
                        return ODM_EMALFORMED;
                bool digit = s.p[i] >= '0' && s.p[i] <= '9';
                if (shape[i] == 'd' ? !digit : s.p[i] != shape[i])
                        return ODM_EMALFORMED;
                if (shape[i] == 'd' || shape[i] == 'T')
                        b[n++] = s.p[i];
        }
        if (i < s.n && s.p[i] == '.')
                for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
                        ;
        if (i + 1 != s.n || s.p[i] != 'Z')
                return ODM_EMALFORMED;
        b[n++] = 'Z';
        return odm_wall_parse((odm_str){b, n}, out);
}
