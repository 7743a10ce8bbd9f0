/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include "io.h"

json_t *xrem_body_file(xrem *c, const char *file, json_type type, int *rc)
{
        odm_str text;
        json_error_t e;
        json_t *j;

        *rc = xrem_read_file(c, file, &text);
        if (*rc != XREM_OK)
                return NULL;
        j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &e);
        if (j && json_typeof(j) == type)
                return j;
        *rc = j ? xrem_fail(XREM_BAD_INPUT, "%s: no JSON %s", file,
                            type == JSON_ARRAY ? "list" : "object")
                : xrem_fail(XREM_BAD_INPUT, "%s:%d: %s", file, e.line, e.text);
        json_decref(j);
        return NULL;
}

int xrem_body_yes_no(const xrem_args *a, const char *name, json_t *body)
{
        const char *v = xrem_value(a, name);
        bool yes = v && odm_str_is(odm_cstr(v), "yes");

        if (!v)
                return XREM_OK;
        if (!yes && !odm_str_is(odm_cstr(v), "no"))
                return xrem_fail(XREM_USAGE, "--%s: yes or no", name);
        xrem_json_set(body, name, json_boolean(yes));
        return XREM_OK;
}
