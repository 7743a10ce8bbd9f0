/* SPDX-License-Identifier: Apache-2.0 */
#include "require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odm/trap.h"

#define SUPPLIES "/sys/class/power_supply"
#define NETS "/sys/class/net"

static bool line_is(const machine *m, const char *folder, const char *name, const char *leaf,
                    const char *want)
{
        char path[256], text[64];

        snprintf(path, sizeof path, "%s/%s/%s", folder, name, leaf);
        return machine_line(m, path, text, sizeof text) && strcmp(text, want) == 0;
}

/* ---- power ---------------------------------------------------------------------------------- */

typedef struct supplies {
        const machine *m;
        bool online, battery;
} supplies;

static void look_at_supply(void *ctx, const char *name)
{
        supplies *s = ctx;

        if (line_is(s->m, SUPPLIES, name, "type", "Battery")) {
                /* that of a mouse does not keep the machine going */
                s->battery |= !line_is(s->m, SUPPLIES, name, "scope", "Device");
        } else if (line_is(s->m, SUPPLIES, name, "online", "1")) {
                s->online = true;
        }
}

bool require_power(const machine *m)
{
        supplies s = {.m = m};

        machine_each(m, SUPPLIES, look_at_supply, &s);
        return s.online || !s.battery;
}

/* ---- load ----------------------------------------------------------------------------------- */

bool require_load(const machine *m, uint64_t most)
{
        char load[3][16];
        int64_t millionths;

        if (machine_load(m, load) < 0 || odm_trap_number(odm_cstr(load[0]), &millionths) < 0)
                return false;
        return (uint64_t)millionths / 10000 <= most;
}

/* ---- connections ------------------------------------------------------------------------------ */

static bool is_up(const machine *m, const char *name)
{
        return line_is(m, NETS, name, "operstate", "up") ||
               (line_is(m, NETS, name, "operstate", "unknown") &&
                line_is(m, NETS, name, "carrier", "1"));
}

typedef struct search {
        const machine *m;
        odm_str what;
        bool found;
} search;

static bool has_line(const machine *m, const char *name, const char *leaf, const char *want)
{
        char path[256], text[64];

        snprintf(path, sizeof path, NETS "/%s/%s", name, leaf);
        return machine_line(m, path, text, sizeof text) && strstr(text, want) != NULL;
}

static bool is_of(const search *s, const char *name)
{
        bool wlan = has_line(s->m, name, "uevent", "DEVTYPE=wlan");
        bool wwan = has_line(s->m, name, "uevent", "DEVTYPE=wwan") || strncmp(name, "wwan", 4) == 0;

        if (odm_str_ieq(s->what, "WLAN"))
                return wlan;
        if (odm_str_ieq(s->what, "3GPPPS"))
                return wwan;
        return odm_str_ieq(s->what, "ETHERNET") && !wlan && !wwan &&
               line_is(s->m, NETS, name, "type", "1") /* ARPHRD_ETHER */;
}

static void look_at_bearer(void *ctx, const char *name)
{
        search *s = ctx;

        s->found |= is_of(s, name) && is_up(s->m, name);
}

bool require_bearer(const machine *m, odm_str bearer)
{
        search s = {.m = m, .what = bearer};

        machine_each(m, NETS, look_at_bearer, &s);
        return s.found;
}

static void look_at_name(void *ctx, const char *name)
{
        search *s = ctx;

        s->found |= odm_str_is(s->what, name) && is_up(s->m, name);
}

bool require_interface(const machine *m, odm_str name)
{
        search s = {.m = m, .what = name};

        machine_each(m, NETS, look_at_name, &s);
        return s.found;
}
