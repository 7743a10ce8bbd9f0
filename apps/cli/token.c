/* SPDX-License-Identifier: Apache-2.0 */
/* xrem token: who may use the server. */
#include <stdio.h>

#include "commands.h"
#include "fields.h"

int xrem_run_token_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Name", .keep = true}, "name", false, false},
                {{.head = "Role", .keep = true}, "role", false, false},
                {{.head = "Scope"}, "scope", false, false},
                {{.head = "Created"}, "created", true, false},
                {{.head = "Expires"}, "expires", false, false},
        };
        xrem_ask ask = {.method = "GET", .path = "/api/v1/tokens"};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, json_object_get(j, "items"), cols, ODM_COUNT(cols), "no tokens");
}

int xrem_run_token_add(xrem *c, const xrem_args *a)
{
        const char *role = xrem_value(a, "role"), *scope = xrem_value(a, "scope");
        const char *expires = xrem_value(a, "expires");
        json_t *o = json_object(), *j = NULL;
        xrem_ask ask = {.method = "POST", .path = "/api/v1/tokens", .body = o};

        xrem_json_set(o, "name", xrem_json_text(c, odm_cstr(a->word[0])));
        xrem_json_set(o, "role", xrem_json_text(c, odm_cstr(role ? role : "viewer")));
        if (scope)
                xrem_json_set(o, "scope", xrem_json_text(c, odm_cstr(scope)));
        if (expires)
                xrem_json_set(o, "expires", xrem_json_text(c, odm_cstr(expires)));
        int rc = xrem_api(c, &ask, &j);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        puts(xrem_z(c, xrem_json_str(j, "token")));
        xrem_note(c, "Keep it: it is not shown again.");
        return XREM_OK;
}

int xrem_run_token_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE",
                        .path = xrem_fmt(c, "/api/v1/tokens/%s", xrem_escape(c, a->word[0]))};
        int rc = xrem_api(c, &ask, NULL);

        if (rc == XREM_OK && c->err_tty)
                xrem_note(c, "%s is withdrawn", a->word[0]);
        return rc;
}
