/* SPDX-License-Identifier: Apache-2.0 */
/* xrem device: what the server knows of devices. */
#include "device.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "cred.h"
#include "fields.h"

static const xrem_field shown[] = {
        {"Name", "name", false},
        {"State", "state", false},
        {"DevId", "devid", false},
        {"Maker", "manufacturer", false},
        {"Model", "model", false},
        {"Firmware", "firmware", false},
        {"Software", "software", false},
        {"Hardware", "hardware", false},
        {"DM version", "dm_version", false},
        {"Language", "language", false},
        {"User", "user", false},
        {"Authentication", "auth", false},
        {"Basic accepted", "accept_basic", false},
        {"DM/1.1 accepted", "accept_dm11", false},
        {"Server user", "server_user", false},
        {"Tags", "tags", false},
        {"Note", "note", false},
        {"Created", "created", true},
        {"Last seen", "last_seen", true},
        {"Last route", "route", false},
        {"Behind", "behind", false},
        {"Key there", "key", false},
        {"Mode", "mode", false},
        {"Protocol", "protocol", false},
        {"Wake-up", "wake", false},
        {"Address", "address", false},
        {"Password", "password", false},
        {"Server password", "server_password", false},
};

/* What is said of the gateway stands among what is said of the device. */
static void spread_gateway(json_t *device)
{
        json_t *g = json_object_get(device, "gateway");

        if (json_object_get(g, "name"))
                (void)json_object_set(device, "behind", json_object_get(g, "name"));
        (void)json_object_del(g, "name");
        (void)json_object_update_missing(device, g);
}

void xrem_show_passwords(xrem *c, const json_t *device)
{
        xrem_fields_print(c, device, shown + ODM_COUNT(shown) - 2, 2);
}

void xrem_note_passwords(xrem *c, const json_t *device)
{
        if (xrem_json_z(device, "password") || xrem_json_z(device, "server_password"))
                xrem_note(c, "Keep the passwords: they are not shown again.");
}

static int show(xrem *c, json_t *device)
{
        if (c->set.json)
                return xrem_print_json(json_incref(device));
        spread_gateway(device);
        xrem_fields_print(c, device, shown, ODM_COUNT(shown));
        return XREM_OK;
}

int xrem_run_device_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Name", .keep = true}, "name", false, false},
                {{.head = "State", .keep = true}, "state", false, true},
                {{.head = "Maker"}, "manufacturer", false, false},
                {{.head = "Model"}, "model", false, false},
                {{.head = "Firmware"}, "firmware", false, false},
                {{.head = "Last seen"}, "last_seen", true, false},
                {{.head = "Tags"}, "tags", false, false},
        };
        const char *path = "/api/v1/devices";
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        path = xrem_query(c, path, "state", xrem_value(a, "state"));
        path = xrem_query(c, path, "tag", xrem_value(a, "tag"));
        path = xrem_query(c, path, "model", xrem_value(a, "model"));
        path = xrem_query(c, path, "prefix", xrem_value(a, "prefix"));
        path = xrem_query(c, path, "q", xrem_value(a, "find"));
        if (rc == XREM_OK)
                rc = xrem_api_list(c, path, limit, &items);
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no devices");
}

int xrem_run_device_show(xrem *c, const xrem_args *a)
{
        const char *path = xrem_device_path(c, a->word[0], "");
        json_t *device = NULL;

        if (xrem_has(a, "addresses"))
                path = xrem_query(c, path, "addresses", "1");
        xrem_ask ask = {.method = "GET", .path = path};
        int rc = xrem_api(c, &ask, &device);
        return rc == XREM_OK ? show(c, device) : rc;
}

/* ---- add and set ---------------------------------------------------------------------- */

static void set_text(xrem *c, json_t *o, const char *key, const char *value, bool clears)
{
        if (value && *value == 0 && clears)
                xrem_json_set(o, key, json_null());
        else if (value)
                xrem_json_set(o, key, xrem_json_text(c, odm_cstr(value)));
}

/* Members that a new device and a change have in common. */
static int read_members(xrem *c, const xrem_args *a, bool change, json_t *o)
{
        const char *password = NULL;
        int rc = xrem_cred_password(c, a, &password);

        if (rc != XREM_OK)
                return rc;
        set_text(c, o, "devid", xrem_value(a, "devid"), false);
        set_text(c, o, "user", xrem_value(a, "user"), false);
        set_text(c, o, "password", password, false);
        set_text(c, o, "auth", xrem_value(a, "auth"), false);
        set_text(c, o, "server_user", xrem_value(a, "server-user"), false);
        set_text(c, o, "server_password", xrem_value(a, "server-password"), false);
        set_text(c, o, "wake", xrem_value(a, "wake"), change);
        set_text(c, o, "note", xrem_value(a, "note"), change);
        if (!xrem_has(a, "tag"))
                return XREM_OK;
        json_t *tags = json_array();
        const char *tag;
        for (size_t i = 0; (tag = xrem_value_at(a, "tag", i)); i++)
                if (*tag)
                        xrem_json_push(tags, xrem_json_text(c, odm_cstr(tag)));
        xrem_json_set(o, "tags", tags);
        return XREM_OK;
}

int xrem_run_device_add(xrem *c, const xrem_args *a)
{
        json_t *o = json_object(), *device = NULL;
        xrem_ask ask = {.method = "POST", .path = "/api/v1/devices", .body = o};

        xrem_json_set(o, "name", xrem_json_text(c, odm_cstr(a->word[0])));
        if (xrem_has(a, "accept-basic"))
                xrem_json_set(o, "accept_basic", json_true());
        if (xrem_has(a, "accept-dm11"))
                xrem_json_set(o, "accept_dm11", json_true());
        int rc = read_members(c, a, false, o);
        if (rc != XREM_OK) {
                json_decref(o);
                return rc;
        }
        rc = xrem_api(c, &ask, &device);
        if (rc == XREM_OK && xrem_terse(c, NULL))
                xrem_show_passwords(c, device);
        else if (rc == XREM_OK)
                rc = show(c, device);
        if (rc != XREM_OK)
                return rc;
        xrem_note_passwords(c, device);
        return XREM_OK;
}

static int change(xrem *c, const char *name, json_t *patch)
{
        xrem_ask ask = {.method = "PATCH", .path = xrem_device_path(c, name, ""), .body = patch};
        json_t *device = NULL;
        int rc = xrem_api(c, &ask, &device);

        if (rc == XREM_OK && xrem_terse(c, NULL))
                return XREM_OK;
        return rc == XREM_OK ? show(c, device) : rc;
}

/* --NAME yes or no, as a member; nothing when it is not given. */
static int set_yesno(const xrem_args *a, const char *name, json_t *o, const char *member)
{
        const char *v = xrem_value(a, name);

        if (!v)
                return XREM_OK;
        if (strcmp(v, "yes") != 0 && strcmp(v, "no") != 0)
                return xrem_fail(XREM_USAGE, "--%s: '%s' is neither yes nor no", name, v);
        xrem_json_set(o, member, json_boolean(strcmp(v, "yes") == 0));
        return XREM_OK;
}

int xrem_run_device_set(xrem *c, const xrem_args *a)
{
        json_t *o = json_object();
        int rc = read_members(c, a, true, o);

        set_text(c, o, "name", xrem_value(a, "name"), false);
        set_text(c, o, "state", xrem_value(a, "state"), false);
        if (rc == XREM_OK)
                rc = set_yesno(a, "accept-basic", o, "accept_basic");
        if (rc == XREM_OK)
                rc = set_yesno(a, "accept-dm11", o, "accept_dm11");
        if (rc == XREM_OK && json_object_size(o) == 0)
                rc = xrem_fail(XREM_USAGE, "nothing to change; see 'xrem help device set'");
        if (rc != XREM_OK) {
                json_decref(o);
                return rc;
        }
        return change(c, a->word[0], o);
}

int xrem_run_device_approve(xrem *c, const xrem_args *a)
{
        json_t *o = json_object();

        xrem_json_set(o, "state", json_string("active"));
        return change(c, a->word[0], o);
}

int xrem_run_device_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE", .path = xrem_device_path(c, a->word[0], "")};
        int rc = xrem_api(c, &ask, NULL);

        if (rc == XREM_OK && c->err_tty)
                xrem_note(c, "%s is removed", a->word[0]);
        return rc;
}

int xrem_run_device_wake(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "POST", .path = xrem_device_path(c, a->word[0], "/wake")};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        const char *route = xrem_json_z(j, "route");
        xrem_note(c, "a wake-up is on its way%s%s", route ? " by " : "", route ? route : "");
        return XREM_OK;
}

const char **xrem_device_names(xrem *c, const char *begin, size_t *n)
{
        xrem_ask ask = {.method = "GET",
                        .path = xrem_query(c, "/api/v1/devices?limit=1000", "prefix",
                                           *begin ? begin : NULL),
                        .any_status = true};
        const char **names;
        json_t *j = NULL;

        *n = 0;
        int rc = xrem_api(c, &ask, &j);
        const json_t *items = rc == XREM_OK ? json_object_get(j, "items") : NULL;
        names = xrem_new(c, const char *, json_array_size(items) + 1);
        for (size_t i = 0; i < json_array_size(items); i++) {
                const char *name = xrem_json_z(json_array_get(items, i), "name");

                if (name)
                        names[(*n)++] = name;
        }
        return names;
}
