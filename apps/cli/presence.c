/* SPDX-License-Identifier: Apache-2.0 */
/* xrem device expect: when a device is to call. */
#include <stdio.h>

#include "cfg.h"
#include "commands.h"
#include "fields.h"

/* Seconds of "90", "5m", "6h"; `never` is 0; `device` takes back what was said.  False after a word
 * on stderr. */
static bool set_seconds(json_t *o, const xrem_args *a, const char *name, const char *never, int *rc)
{
        const char *value = xrem_value(a, name);
        int64_t ms = 0;

        if (!value)
                return false;
        if (odm_str_is(odm_cstr(value), "device"))
                xrem_json_set(o, name, json_null());
        else if (odm_str_is(odm_cstr(value), never))
                xrem_json_set(o, name, json_integer(0));
        else if (cfg_duration_parse(odm_cstr(value), &ms) == 0 && ms >= 1000)
                xrem_json_set(o, name, json_integer(ms / 1000));
        else
                *rc = xrem_fail(XREM_USAGE, "--%s: a time such as 90, 5m or 6h, %s, or device",
                                name, never);
        return true;
}

static int show(xrem *c, const char *path)
{
        static const xrem_field shown[] = {
                {"Device", "device", false},
                {"State", "state", false},
                {"Last seen", "last_seen", true},
                {"Expected every (s)", "expected_every", false},
                {"Awake for (s)", "awake_for", false},
                {"Expected by", "expected_by", false},
                {"Unreachable at", "unreachable_at", true},
                {"Behind", "gateway", false},
        };
        xrem_ask ask = {.method = "GET", .path = path};
        json_t *o = NULL;
        int rc = xrem_api(c, &ask, &o);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(o));
        xrem_fields_print(c, o, shown, ODM_COUNT(shown));
        return XREM_OK;
}

int xrem_run_device_expect(xrem *c, const xrem_args *a)
{
        const char *path = xrem_device_path(c, a->word[0], "/presence"),
                   *gateway = xrem_value(a, "gateway");
        xrem_ask ask = {.method = "PATCH", .path = path, .body = json_object()};
        int rc = XREM_OK;
        bool said = set_seconds(ask.body, a, "interval", "never", &rc);

        said = set_seconds(ask.body, a, "awake", "always", &rc) || said || gateway;
        if (gateway)
                xrem_json_set(ask.body, "gateway", *gateway ? json_string(gateway) : json_null());
        if (rc != XREM_OK || !said) {
                json_decref(ask.body);
                return rc == XREM_OK ? show(c, path) : rc;
        }
        return xrem_api(c, &ask, NULL);
}
