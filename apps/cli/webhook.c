/* SPDX-License-Identifier: Apache-2.0 */
/* xrem webhook: where events are carried to. */
#include <stdio.h>

#include "body.h"
#include "commands.h"
#include "fields.h"

static const char *path_of(xrem *c, const char *id, const char *rest)
{
        return xrem_fmt(c, "/api/v1/webhooks/%s%s", xrem_escape(c, id), rest);
}

int xrem_run_webhook_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "URL"}, "url", false, false},
                {{.head = "Kinds"}, "kinds", false, false},
                {{.head = "Prefix"}, "prefix", false, false},
                {{.head = "State", .keep = true}, "state", false, true},
                {{.head = "Delivered"}, "delivered", true, false},
                {{.head = "Error"}, "error", false, false},
        };
        xrem_ask ask = {.method = "GET", .path = "/api/v1/webhooks"};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, json_object_get(j, "items"), cols, ODM_COUNT(cols),
                               "no webhooks");
}

static json_t *kinds_of(xrem *c, const xrem_args *a)
{
        json_t *list = json_array();
        const char *kind;

        for (size_t i = 0; (kind = xrem_value_at(a, "kind", i)); i++)
                xrem_json_push(list, xrem_json_text(c, odm_cstr(kind)));
        return list;
}

static void put_option(xrem *c, const xrem_args *a, json_t *o, const char *name)
{
        if (xrem_value(a, name))
                xrem_json_set(o, name, xrem_json_text(c, odm_cstr(xrem_value(a, name))));
}

int xrem_run_webhook_add(xrem *c, const xrem_args *a)
{
        json_t *o = json_object(), *j = NULL;
        xrem_ask ask = {.method = "POST", .path = "/api/v1/webhooks", .body = o};
        int rc;

        xrem_json_set(o, "url", xrem_json_text(c, odm_cstr(a->word[0])));
        xrem_json_set(o, "kinds", kinds_of(c, a));
        put_option(c, a, o, "prefix");
        put_option(c, a, o, "secret");
        rc = xrem_api(c, &ask, &j);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        if (xrem_has(a, "secret") && xrem_terse(c, xrem_json_z(j, "id")))
                return XREM_OK; /* who said the secret knows it */
        printf("Webhook  %s\nSecret   %s\n", xrem_z(c, xrem_json_str(j, "id")),
               xrem_z(c, xrem_json_str(j, "secret")));
        xrem_note(c, "Keep the secret: it is not shown again.");
        return XREM_OK;
}

int xrem_run_webhook_set(xrem *c, const xrem_args *a)
{
        json_t *o = json_object(), *j = NULL;
        xrem_ask ask = {.method = "PATCH", .path = path_of(c, a->word[0], ""), .body = o};
        int rc = xrem_body_yes_no(a, "enabled", o);

        put_option(c, a, o, "url");
        put_option(c, a, o, "prefix");
        put_option(c, a, o, "secret");
        if (xrem_has(a, "kind"))
                xrem_json_set(o, "kinds", kinds_of(c, a));
        if (rc == XREM_OK && json_object_size(o) == 0)
                rc = xrem_fail(XREM_USAGE, "nothing to change");
        if (rc != XREM_OK) {
                json_decref(o);
                return rc;
        }
        rc = xrem_api(c, &ask, &j);
        return rc == XREM_OK && c->set.json ? xrem_print_json(json_incref(j)) : rc;
}

int xrem_run_webhook_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE", .path = path_of(c, a->word[0], "")};

        return xrem_api(c, &ask, NULL);
}

int xrem_run_webhook_test(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "POST", .path = path_of(c, a->word[0], "/test")};

        return xrem_api(c, &ask, NULL);
}
