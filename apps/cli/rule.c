/* SPDX-License-Identifier: Apache-2.0 */
/* xrem rule: when this happens, do that. */
#include <stdio.h>

#include "body.h"
#include "commands.h"
#include "fields.h"

static const char *path_of(xrem *c, const char *id)
{
        return xrem_fmt(c, "/api/v1/rules/%s", xrem_escape(c, id));
}

int xrem_run_rule_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Name"}, "name", false, false},
                {{.head = "On"}, "on", false, false},
                {{.head = "Enabled"}, "enabled", false, false},
                {{.head = "Fired", .right = true}, "fired", false, false},
                {{.head = "Last"}, "last_fired", true, false},
                {{.head = "By"}, "actor", false, false},
        };
        xrem_ask ask = {.method = "GET", .path = "/api/v1/rules"};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, json_object_get(j, "items"), cols, ODM_COUNT(cols), "no rules");
}

int xrem_run_rule_show(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "GET", .path = path_of(c, a->word[0])};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        return rc == XREM_OK ? xrem_print_json(json_incref(j)) : rc;
}

int xrem_run_rule_add(xrem *c, const xrem_args *a)
{
        int rc;
        json_t *o = xrem_body_file(c, a->word[0], JSON_OBJECT, &rc), *j = NULL;
        xrem_ask ask = {.method = "POST", .path = "/api/v1/rules", .body = o};

        if (!o)
                return rc;
        rc = xrem_api(c, &ask, &j);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        puts(xrem_z(c, xrem_json_str(j, "id")));
        return XREM_OK;
}

int xrem_run_rule_set(xrem *c, const xrem_args *a)
{
        const char *file = xrem_value(a, "file");
        int rc = XREM_OK;
        json_t *o = file ? xrem_body_file(c, file, JSON_OBJECT, &rc) : json_object(), *j = NULL;
        xrem_ask ask = {.method = "PATCH", .path = path_of(c, a->word[0]), .body = o};

        if (!o)
                return rc;
        rc = xrem_body_yes_no(a, "enabled", o);
        if (rc == XREM_OK && !file && json_object_size(o) == 0)
                rc = xrem_fail(XREM_USAGE, "nothing to change");
        if (rc != XREM_OK) {
                json_decref(o);
                return rc;
        }
        rc = xrem_api(c, &ask, &j);
        return rc == XREM_OK && c->set.json ? xrem_print_json(json_incref(j)) : rc;
}

int xrem_run_rule_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE", .path = path_of(c, a->word[0])};

        return xrem_api(c, &ask, NULL);
}
