/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net.h"
#include "sim.h"

uint32_t sim_number(const sim_opt *o, uint32_t i)
{
        return o->first + i * o->stride;
}

void sim_name(const sim_opt *o, uint32_t i, char out[SIM_TEXT])
{
        (void)snprintf(out, SIM_TEXT, "%s%u", o->prefix, sim_number(o, i));
}

void sim_devid(const sim_opt *o, uint32_t i, char out[SIM_TEXT])
{
        (void)snprintf(out, SIM_TEXT, "urn:xremsim:%s%u", o->prefix, sim_number(o, i));
}

void sim_password(const sim_opt *o, uint32_t i, char out[SIM_TEXT])
{
        const char *mark = strstr(o->password, "{n}");

        if (!mark)
                (void)snprintf(out, SIM_TEXT, "%s", o->password);
        else
                (void)snprintf(out, SIM_TEXT, "%.*s%u%s", (int)(mark - o->password), o->password,
                               sim_number(o, i), mark + 3);
}

int64_t sim_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const char *url_wrong(const char *url, const char *scheme, bool remote, bool *secure)
{
        size_t n = strlen(scheme);
        net_url u;

        if (net_url_parse(odm_cstr(url), &u) < 0 || strncmp(u.scheme, scheme, n) != 0 ||
            (u.scheme[n] && strcmp(u.scheme + n, "s") != 0) || !u.host[0])
                return "";
        *secure = u.scheme[n] == 's';
        if (remote || sim_url_is_here(url))
                return NULL;
        return "is not this machine; --allow-remote if that is meant";
}

const char *sim_url_wrong(const char *url, bool remote, bool *secure)
{
        const char *why = url ? url_wrong(url, "http", remote, secure) : "is needed";

        return why && !why[0] ? "is no http or https URL" : why;
}

const char *sim_coap_wrong(const char *url, bool remote, bool *secure)
{
        const char *why = url ? url_wrong(url, "coap", remote, secure) : "is needed";

        return why && !why[0] ? "is no coap or coaps URL" : why;
}

bool sim_url_is_here(const char *url)
{
        net_url u;
        net_addr a;

        return net_url_parse(odm_cstr(url), &u) == 0 &&
               (strcmp(u.host, "localhost") == 0 ||
                (net_addr_parse(u.host, u.port, &a) == 0 && net_addr_is_loopback(&a)));
}
