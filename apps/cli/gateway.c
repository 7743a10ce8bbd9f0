/* SPDX-License-Identifier: Apache-2.0 */
/* xrem gateway: gateways, what is behind them, and devices that are put elsewhere. */
#include <string.h>

#include "commands.h"
#include "fields.h"
#include "term.h"

static const char *path_of(xrem *c, const char *name, const char *rest)
{
        return xrem_fmt(c, "/api/v1/gateways/%s%s", xrem_escape(c, name), rest);
}

int xrem_run_gateway_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Gateway", .keep = true}, "name", false, false},
                {{.head = "State"}, "state", false, true},
                {{.head = "Devices", .right = true}, "devices", false, false},
                {{.head = "Last seen"}, "last_seen", true, false},
                {{.head = "Inventory"}, "inventory_read", true, false},
        };
        uint64_t limit = 0;
        json_t *items = NULL;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, "/api/v1/gateways", limit, &items);
        return rc == XREM_OK ? xrem_list_print(c, items, cols, ODM_COUNT(cols), "no gateways") : rc;
}

static int print_images(xrem *c, const json_t *gateway)
{
        static const xrem_list_col cols[] = {
                {{.head = "Package"}, "package", false, false},
                {{.head = "There"}, "state", false, false},
                {{.head = "Since"}, "since", true, false},
                {{.head = "Reason"}, "reason", false, false},
        };
        json_t *images = json_object_get(gateway, "images");

        if (json_array_size(images) == 0)
                return XREM_OK;
        return xrem_list_print(c, images, cols, ODM_COUNT(cols), "");
}

int xrem_run_gateway_show(xrem *c, const xrem_args *a)
{
        static const xrem_field shown[] = {
                {"Gateway", "name", false},
                {"DevId", "devid", false},
                {"State", "state", false},
                {"Devices", "devices", false},
                {"Last seen", "last_seen", true},
                {"Found", "found", true},
                {"Inventory read", "inventory_read", true},
                {"Inventory wanted", "inventory_wanted", false},
                {"Not read, for", "reason", false},
                {"Takes fan-outs", "fanouts", false},
                {"Keeps packages", "images_kept", false},
        };
        xrem_ask ask = {.method = "GET", .path = path_of(c, a->word[0], "")};
        json_t *o = NULL;
        int rc = xrem_api(c, &ask, &o);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(o));
        xrem_fields_print(c, o, shown, ODM_COUNT(shown));
        return print_images(c, o);
}

int xrem_run_gateway_devices(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Device", .keep = true}, "device", false, false},
                {{.head = "State"}, "state", false, true},
                {{.head = "Key"}, "key", false, false},
                {{.head = "Mode"}, "mode", false, false},
                {{.head = "Protocol"}, "protocol", false, false},
                {{.head = "DevId"}, "devid", false, false},
                {{.head = "Told"}, "told_at", true, false},
                {{.head = "Address"}, "address", false, false},
        };
        const char *path = path_of(c, a->word[0], "/devices");
        bool addresses = xrem_has(a, "addresses");
        uint64_t limit = 0;
        json_t *items = NULL;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, addresses ? xrem_query(c, path, "addresses", "1") : path,
                                   limit, &items);
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols) - !addresses, "no devices");
}

int xrem_run_gateway_sync(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "POST", .path = path_of(c, a->word[0], "/sync")};

        return xrem_api(c, &ask, NULL);
}

int xrem_run_gateway_forget(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE", .path = path_of(c, a->word[0], "")};
        json_t *o = NULL;
        int rc = xrem_api(c, &ask, &o);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(o));
        xrem_note(c,
                  "Devices that were behind it: %lld. They are detached until a gateway tells of "
                  "them.",
                  (long long)json_integer_value(json_object_get(o, "devices")));
        return XREM_OK;
}

static int replace(xrem *c, const xrem_args *a, bool removes, json_t **exists)
{
        json_t *o = json_object();
        json_t *told = NULL;
        xrem_ask ask = {.method = "POST",
                        .path = xrem_device_path(c, a->word[0], "/replace"),
                        .body = o,
                        .exists = exists};
        int rc;

        xrem_json_set(o, "devid", xrem_json_text(c, odm_cstr(a->word[1])));
        if (removes)
                xrem_json_set(o, "remove", json_true());
        rc = xrem_api(c, &ask, &told);
        if (rc != XREM_OK || !told)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(told));
        xrem_show_passwords(c, told);
        xrem_note_passwords(c, told);
        return XREM_OK;
}

/* Who attached already under another name loses that name with all that hangs on it: not without a
 * word. */
int xrem_run_gateway_replace(xrem *c, const xrem_args *a)
{
        json_t *exists = NULL;
        const char *why;
        int rc = replace(c, a, xrem_has(a, "yes"), &exists);

        if (!exists)
                return rc;
        why = xrem_json_z(exists, "detail");
        why = why ? why : "another device has that DevId, and would be removed";
        if (!xrem_confirm(c, xrem_fmt(c, "%s. Is that meant?", why)))
                return xrem_fail(rc, "%s; --yes does it", why);
        return replace(c, a, true, NULL);
}

int xrem_run_gateway_move(xrem *c, const xrem_args *a)
{
        const char *gateway = xrem_value(a, "gateway"), *key = xrem_value(a, "key"),
                   *mode = xrem_value(a, "mode");
        bool none = xrem_has(a, "none");
        json_t *o;
        xrem_ask ask = {.method = "POST", .path = xrem_device_path(c, a->word[0], "/move")};

        if (none ? gateway || key || mode : !gateway || !key)
                return xrem_fail(XREM_USAGE, "--gateway and --key, or --none");
        ask.body = o = json_object();
        xrem_json_set(o, "gateway", none ? json_null() : xrem_json_text(c, odm_cstr(gateway)));
        if (key)
                xrem_json_set(o, "key", xrem_json_text(c, odm_cstr(key)));
        if (mode)
                xrem_json_set(o, "mode", xrem_json_text(c, odm_cstr(mode)));
        return xrem_api(c, &ask, NULL);
}
