/* SPDX-License-Identifier: Apache-2.0 */
/* Thin helpers over jansson; a failed allocation ends the program. */
#include "json.h"

#include <stdio.h>

#include "term.h"

struct xrem_owned {
        struct xrem_owned *next;
        json_t *j;
};

int xrem_print_json(json_t *j)
{
        int rc = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

        json_decref(j);
        putchar('\n');
        return rc == 0 ? XREM_OK : xrem_fail(XREM_BROKEN, "cannot write to standard output");
}

json_t *xrem_own(xrem *c, json_t *j)
{
        if (j == NULL)
                xrem_out_of_memory();
        struct xrem_owned *o = xrem_new(c, struct xrem_owned, 1);
        *o = (struct xrem_owned){c->owned, j};
        c->owned = o;
        return j;
}

void xrem_let_go(xrem *c)
{
        for (struct xrem_owned *o = c->owned; o; o = o->next)
                json_decref(o->j);
        c->owned = NULL;
}

json_t *xrem_json_text(xrem *c, odm_str s)
{
        if (!odm_utf8_ok(s))
                s = xrem_visible(c, s, true);
        json_t *j = json_stringn(s.p ? s.p : "", s.n);
        if (j == NULL)
                xrem_out_of_memory();
        return j;
}

void xrem_json_set(json_t *obj, const char *key, json_t *value)
{
        if (json_object_set_new(obj, key, value) < 0)
                xrem_out_of_memory();
}

void xrem_json_push(json_t *array, json_t *value)
{
        if (json_array_append_new(array, value) < 0)
                xrem_out_of_memory();
}

odm_str xrem_json_str(const json_t *obj, const char *key)
{
        const json_t *v = json_object_get(obj, key);

        return json_is_string(v) ? (odm_str){json_string_value(v), json_string_length(v)}
                                 : ODM_ABSENT;
}

const char *xrem_json_z(const json_t *obj, const char *key)
{
        return json_string_value(json_object_get(obj, key));
}

long long xrem_json_int(const json_t *obj, const char *key, long long otherwise)
{
        const json_t *v = json_object_get(obj, key);

        return json_is_integer(v) ? json_integer_value(v) : otherwise;
}
