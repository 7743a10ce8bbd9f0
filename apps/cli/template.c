/* SPDX-License-Identifier: Apache-2.0 */
/* xrem template: what devices are to have, and what they have instead. */
#include <stdio.h>

#include "body.h"
#include "commands.h"
#include "fields.h"

static const char *path_of(xrem *c, const char *id, const char *rest)
{
        return xrem_fmt(c, "/api/v1/templates/%s%s", xrem_escape(c, id), rest);
}

int xrem_run_template_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Name"}, "name", false, false},
                {{.head = "Mode"}, "mode", false, false},
                {{.head = "Enabled"}, "enabled", false, false},
                {{.head = "Unknown", .right = true}, "unknown", false, false},
                {{.head = "Conform", .right = true}, "conform", false, false},
                {{.head = "Drifted", .right = true}, "drifted", false, false},
                {{.head = "Applying", .right = true}, "applying", false, false},
                {{.head = "Failed", .right = true}, "failed", false, false},
        };
        xrem_ask ask = {.method = "GET", .path = "/api/v1/templates"};
        json_t *j = NULL, *one;
        size_t i;
        int rc = xrem_api(c, &ask, &j);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        if (!c->set.json)
                json_array_foreach(json_object_get(j, "items"), i, one)
                {
                        (void)json_object_update(one, json_object_get(one, "counts"));
                }
        return xrem_list_print(c, json_object_get(j, "items"), cols, ODM_COUNT(cols),
                               "no templates");
}

int xrem_run_template_show(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "GET", .path = path_of(c, a->word[0], "")};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        return rc == XREM_OK ? xrem_print_json(json_incref(j)) : rc;
}

int xrem_run_template_add(xrem *c, const xrem_args *a)
{
        const char *mode = xrem_value(a, "mode");
        int rc;
        json_t *o = xrem_body_file(c, a->word[0], JSON_OBJECT, &rc), *j = NULL;
        xrem_ask ask = {.method = "POST", .path = "/api/v1/templates", .body = o};

        if (!o)
                return rc;
        if (mode)
                xrem_json_set(o, "mode", json_string(mode));
        rc = xrem_api(c, &ask, &j);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        puts(xrem_z(c, xrem_json_str(j, "id")));
        return XREM_OK;
}

int xrem_run_template_set(xrem *c, const xrem_args *a)
{
        const char *file = xrem_value(a, "file"), *mode = xrem_value(a, "mode");
        int rc = XREM_OK;
        json_t *o = file ? xrem_body_file(c, file, JSON_OBJECT, &rc) : json_object(), *j = NULL;
        xrem_ask ask = {.method = "PATCH", .path = path_of(c, a->word[0], ""), .body = o};

        if (!o)
                return rc;
        if (mode)
                xrem_json_set(o, "mode", json_string(mode));
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

int xrem_run_template_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE", .path = path_of(c, a->word[0], "")};

        return xrem_api(c, &ask, NULL);
}

int xrem_run_template_devices(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Device", .keep = true}, "device", false, false},
                {{.head = "State"}, "state", false, true},
                {{.head = "Since"}, "since", true, false},
                {{.head = "Checked"}, "checked", true, false},
                {{.head = "Nodes", .right = true}, "nodes", false, false},
                {{.head = "Reason"}, "reason", false, false},
        };
        const char *path = path_of(c, a->word[0], "/devices");
        uint64_t limit = 0;
        json_t *items = NULL, *one;
        size_t i;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, xrem_query(c, path, "state", xrem_value(a, "state")), limit,
                                   &items);
        if (rc != XREM_OK)
                return rc;
        if (!c->set.json)
                json_array_foreach(items, i, one)
                {
                        json_t *diff = json_object_get(one, "difference");

                        xrem_json_set(one, "nodes",
                                      json_integer((json_int_t)json_array_size(diff)));
                }
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no devices");
}

/* A line for each node that is not as it is to be; templates without one say their state. */
static json_t *difference_of(const json_t *items)
{
        json_t *all = json_array(), *one, *node;
        size_t i, k;

        json_array_foreach(items, i, one)
        {
                json_t *diff = json_object_get(one, "difference");

                if (json_array_size(diff) == 0)
                        (void)json_array_append_new(
                                all, json_pack("{s:O, s:O}", "name", json_object_get(one, "name"),
                                               "state", json_object_get(one, "state")));
                json_array_foreach(diff, k, node)
                {
                        (void)json_object_set(node, "name", json_object_get(one, "name"));
                        (void)json_object_set(node, "state", json_object_get(one, "state"));
                        (void)json_array_append(all, node);
                }
        }
        return all;
}

int xrem_run_template_diff(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Template"}, "name", false, false},
                {{.head = "State"}, "state", false, true},
                {{.head = "Node", .keep = true}, "uri", false, false},
                {{.head = "Is"}, "is", false, false},
                {{.head = "Wanted"}, "wanted", false, false},
                {{.head = "Found"}, "found", false, false},
        };
        xrem_ask ask = {.method = "GET", .path = xrem_device_path(c, a->word[0], "/templates")};
        json_t *j = NULL, *lines;
        int rc = xrem_api(c, &ask, &j);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        lines = difference_of(json_object_get(j, "items"));
        rc = xrem_list_print(c, lines, cols, ODM_COUNT(cols), "no template is for this device");
        json_decref(lines);
        return rc;
}

int xrem_run_template_check(xrem *c, const xrem_args *a)
{
        json_t *o = json_object();
        xrem_ask ask = {.method = "POST", .path = path_of(c, a->word[0], "/check"), .body = o};

        if (a->n_words > 1)
                xrem_json_set(o, "device", json_string(a->word[1]));
        return xrem_api(c, &ask, NULL);
}
