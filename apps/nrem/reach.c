/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <string.h>

#include "fleet.h"
#include "gateway.h"

enum whose { ITS_OWN, ANOTHERS, UNKNOWN };

/* Whose tree the address is in, through as many gateways as it names. */
static int find_whose(call *c, int64_t device, odm_str uri, enum whose *whose, int64_t *whom)
{
        odm_str key, rest;
        int rc = 0;

        *whose = ITS_OWN;
        for (unsigned i = 0; gateway_mount_split(uri, &key, &rest); i++) {
                rc = i < GATEWAY_DEPTH
                             ? fleet_behind(c->api->opt.fleet, device, key, &c->arena, &device)
                             : ODM_ENOENT;
                if (rc == ODM_ENOENT) {
                        *whose = UNKNOWN;
                        return 0;
                }
                if (rc < 0)
                        return rc;
                *whose = ANOTHERS;
                *whom = device;
                uri = odm_arena_fmt(&c->arena, ".%.*s", (int)rest.n, rest.p ? rest.p : "");
                if (!uri.p)
                        return odm_arena_err(&c->arena);
        }
        return 0;
}

static void not_found(call *c, odm_str uri)
{
        problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no device at %.*s.",
                    (int)(uri.n < 128 ? uri.n : 128), uri.p);
}

static bool is_served(store_device_state s)
{
        return s != STORE_DEVICE_HELD && s != STORE_DEVICE_REFUSED && s != STORE_DEVICE_DEACTIVATED;
}

bool reach_uri(call *c, int64_t device, odm_str uri)
{
        store_device d = {0};
        enum whose whose;
        int64_t whom = 0;
        int rc = find_whose(c, device, uri, &whose, &whom);

        if (rc == 0 && whose == ANOTHERS)
                rc = store_device_get(c->api->opt.store, whom, &c->arena, &d);
        if (rc == 0 && whose == ITS_OWN)
                return true;
        if (rc == ODM_ENOENT || (rc == 0 && whose == UNKNOWN)) { /* nobody has a say in it */
                if (c->who.scope.n == 0)
                        return true;
                not_found(c, uri);
        } else if (rc < 0) {
                problem_err(&c->problem, rc, "the device behind it cannot be read");
        } else if (!call_sees(c, d.name)) {
                not_found(c, uri);
        } else if (!is_served(d.state)) {
                problem_set(&c->problem, PROBLEM_STATE, "%.*s is %s here.", (int)d.name.n, d.name.p,
                            store_device_state_name(d.state));
        } else {
                return true;
        }
        return false;
}

/* At or below one of the places from which all devices are acted on. */
static bool is_for_all(odm_str uri)
{
        static const char *const places[] = {"./GwDev",          "./GwMO/Config",
                                             "./GwMO/EDTrigger", "./GwMO/Fanout",
                                             "./GwMO/Inventory", "./Schedule"};
        odm_str key, rest;
        size_t n;

        if (gateway_mount_split(uri, &key, &rest))
                return false;
        for (size_t i = 0; i < ODM_COUNT(places); i++) {
                n = strlen(places[i]);
                if (odm_str_starts(uri, places[i]) &&
                    (uri.n == n || uri.p[n] == '/' || uri.p[n] == '?'))
                        return true;
        }
        return odm_str_is(uri, "./GwMO") || odm_str_starts(uri, "./GwMO?") ||
               odm_str_starts(uri, ".?");
}

bool reach_covers(call *c, int64_t device)
{
        bool all = false;

        if (c->who.scope.n == 0)
                return true;
        if (c->covered.device != device) { /* looked up once: there may be many behind it */
                if (fleet_covers(c->api->opt.fleet, device, c->who.scope, &c->arena, &all) < 0)
                        return false;
                c->covered.device = device;
                c->covered.all = all;
        }
        return c->covered.all;
}

bool reach_shows(call *c, int64_t device, odm_str uri)
{
        store_device d;
        enum whose whose;
        int64_t whom = 0;

        if (c->who.scope.n == 0)
                return true;
        if (odm_str_starts(uri, GATEWAY_TASKS))
                return false; /* a task is for many */
        if (find_whose(c, device, uri, &whose, &whom) < 0 || whose == UNKNOWN)
                return false;
        if (whose == ITS_OWN)
                return !is_for_all(uri) || reach_covers(c, device);
        return store_device_get(c->api->opt.store, whom, &c->arena, &d) == 0 &&
               call_sees(c, d.name);
}

static bool changes(const json_t *command)
{
        const char *cmd = json_string_value(json_object_get(command, "cmd"));

        return !cmd || strcmp(cmd, "get") != 0;
}

/* True when the token sees all behind the device; else false with the problem set, in which `what`
 * says what is for those who do. */
static bool sees_all(call *c, int64_t device, odm_str what)
{
        bool all = false;
        int rc = fleet_covers(c->api->opt.fleet, device, c->who.scope, &c->arena, &all);

        if (rc < 0)
                problem_err(&c->problem, rc, "the devices behind it cannot be read");
        else if (!all)
                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                            "%.*s is for all devices behind the gateway, which the token does not "
                            "see.",
                            (int)(what.n < 128 ? what.n : 128), what.p);
        return rc == 0 && all;
}

static bool may_have_all(call *c, int64_t device, odm_str uri)
{
        return c->who.scope.n == 0 || !is_for_all(uri) || sees_all(c, device, uri);
}

bool reach_end(call *c, int64_t device)
{
        return c->who.scope.n == 0 || sees_all(c, device, ODM_STR("The end of its service"));
}

static odm_str member(const json_t *o, const char *name)
{
        return odm_cstr(json_string_value(json_object_get(o, name)));
}

bool reach_commands(call *c, int64_t device, const json_t *list)
{
        const json_t *o;
        size_t i;

        json_array_foreach(list, i, o)
        {
                const odm_str at[] = {member(o, "uri"), member(o, "source")};
                const json_t *inner = json_object_get(o, "commands");

                if (inner && !reach_commands(c, device, inner)) /* no deeper than two more */
                        return false;
                for (size_t k = 0; k < ODM_COUNT(at); k++)
                        if (at[k].p && (!reach_uri(c, device, at[k]) ||
                                        (changes(o) && !may_have_all(c, device, at[k]))))
                                return false;
        }
        return true;
}

bool reach_none(call *c, const json_t *list)
{
        const json_t *o;
        size_t i;

        json_array_foreach(list, i, o)
        {
                const odm_str at[] = {member(o, "uri"), member(o, "source")};
                const json_t *inner = json_object_get(o, "commands");

                if (c->who.scope.n && inner && !reach_none(c, inner)) /* no deeper than two more */
                        return false;
                for (size_t k = 0; c->who.scope.n && k < ODM_COUNT(at); k++)
                        if (at[k].p && (odm_str_starts(at[k], "./GwDev") ||
                                        (changes(o) && is_for_all(at[k])))) {
                                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                                            "%.*s is of devices behind gateways, which the token "
                                            "may not all see.",
                                            (int)(at[k].n < 128 ? at[k].n : 128), at[k].p);
                                return false;
                        }
        }
        return true;
}
