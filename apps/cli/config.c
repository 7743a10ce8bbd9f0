/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, the strongest source last: default, file, environment, command line. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "io.h"

static const char *env(const char *name)
{
        const char *v = getenv(name);

        return v && *v ? v : NULL;
}

static const char *config_path(xrem *c)
{
        const char *home = env("HOME"), *xdg = env("XDG_CONFIG_HOME");

        if (env("XREM_CONFIG"))
                return env("XREM_CONFIG");
        if (xdg)
                return xrem_fmt(c, "%s/xrem/config", xdg);
        return home ? xrem_fmt(c, "%s/.config/xrem/config", home) : NULL;
}

static odm_str take_line(odm_str *rest)
{
        size_t n = 0;

        while (n < rest->n && rest->p[n] != '\n')
                n++;
        odm_str line = odm_str_to(*rest, n);
        *rest = odm_str_from(*rest, n < rest->n ? n + 1 : n);
        return line;
}

static int token_from_file(xrem *c, const char *path)
{
        odm_str text;
        int rc = xrem_read_file(c, path, &text);

        if (rc != XREM_OK)
                return rc;
        odm_str token = odm_str_trim(take_line(&text));
        if (token.n == 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: no token in its first line", path);
        c->set.token = xrem_z(c, token);
        return XREM_OK;
}

static int set_timeout(xrem *c, odm_str v)
{
        uint64_t n;

        if (odm_str_u64(v, 86400, &n) < 0 || n == 0)
                return -1;
        c->set.timeout_s = (unsigned)n;
        return 0;
}

/* One setting of the file; NULL, or what is wrong with it. */
static const char *apply(xrem *c, odm_str key, odm_str value)
{
        if (value.n == 0)
                return "a value is missing";
        if (odm_str_is(key, "server"))
                c->set.server = xrem_z(c, value);
        else if (odm_str_is(key, "token"))
                c->set.token = xrem_z(c, value);
        else if (odm_str_is(key, "ca"))
                c->set.ca = xrem_z(c, value);
        else if (odm_str_is(key, "token-file"))
                return token_from_file(c, xrem_z(c, value)) == XREM_OK
                               ? NULL
                               : "no token to be had from it";
        else if (odm_str_is(key, "timeout"))
                return set_timeout(c, value) == 0 ? NULL : "not a number of seconds up to 86400";
        else
                return "unknown key; known are server, token, token-file, ca, timeout";
        return NULL;
}

static int load_file(xrem *c, const char *path)
{
        odm_str text;
        unsigned number = 0;
        int rc = xrem_read_file(c, path, &text);

        if (rc != XREM_OK)
                return rc;
        while (text.n > 0) {
                odm_str line = odm_str_trim(take_line(&text));
                size_t eq = 0;

                number++;
                if (line.n == 0 || line.p[0] == '#')
                        continue;
                while (eq < line.n && line.p[eq] != '=')
                        eq++;
                const char *why = eq == line.n ? "expected 'key = value'"
                                               : apply(c, odm_str_trim(odm_str_to(line, eq)),
                                                       odm_str_trim(odm_str_from(line, eq + 1)));
                if (why)
                        return xrem_fail(XREM_BAD_INPUT, "%s:%u: %s: %s", path, number,
                                         xrem_z(c, odm_str_trim(odm_str_to(line, eq))), why);
        }
        return XREM_OK;
}

static void load_environment(xrem *c)
{
        if (env("XREM_SERVER"))
                c->set.server = env("XREM_SERVER");
        if (env("XREM_TOKEN"))
                c->set.token = env("XREM_TOKEN");
        if (env("XREM_CA"))
                c->set.ca = env("XREM_CA");
}

static int load_options(xrem *c, const xrem_args *a)
{
        const char *v;

        if ((v = xrem_value(a, "server")))
                c->set.server = v;
        if ((v = xrem_value(a, "token")) && *v == 0)
                return xrem_fail(XREM_USAGE, "--token: it is empty");
        if (v)
                c->set.token = v;
        if ((v = xrem_value(a, "token-file"))) {
                int rc = token_from_file(c, v);

                if (rc != XREM_OK)
                        return rc;
        }
        if ((v = xrem_value(a, "ca")))
                c->set.ca = v;
        if ((v = xrem_value(a, "timeout")) && set_timeout(c, odm_cstr(v)) < 0)
                return xrem_fail(XREM_USAGE, "--timeout: '%s' is no number of seconds up to 86400",
                                 v);
        c->set.json = xrem_has(a, "json");
        c->set.quiet = xrem_has(a, "quiet");
        return XREM_OK;
}

/* It goes into a line of a request: half of one, or two, would be something else there. */
static int check_token(const xrem *c)
{
        for (const char *p = c->set.token; p && *p; p++)
                if ((uint8_t)*p <= ' ' || *p == 0x7f)
                        return xrem_fail(XREM_BAD_INPUT,
                                         "the token has blanks or control characters in it");
        return XREM_OK;
}

int xrem_config_load(xrem *c, const xrem_args *a)
{
        const char *path = config_path(c);
        int rc = XREM_OK;

        c->set = (xrem_settings){.server = XREM_SERVER_DEFAULT, .timeout_s = XREM_TIMEOUT_DEFAULT};
        if (a->cmd && xrem_cmd_is_local(a->cmd))
                return load_options(c, a);
        if (path && (env("XREM_CONFIG") || access(path, F_OK) == 0))
                rc = load_file(c, path);
        load_environment(c);
        if (rc == XREM_OK)
                rc = load_options(c, a);
        return rc == XREM_OK ? check_token(c) : rc;
}
