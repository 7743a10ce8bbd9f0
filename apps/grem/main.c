/* SPDX-License-Identifier: Apache-2.0 */
/* gremd: the gateway.  An agent (apps/drem) for itself, and what is in front of other devices. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "daemon.h"
#include "inner.h"
#include "plugin.h"
#include "settings.h"

static int open_gateway(const cfg *c, loop *l, const char *version, void **out, diag *d)
{
        gateway *g = NULL;
        int rc = gateway_open(c, l, version, &g, d);

        if (rc == 0)
                *out = g;
        return rc;
}

static int start_gateway(void *app, diag *d)
{
        return gateway_start(app, d);
}

static void stop_gateway(void *app)
{
        gateway_stop(app);
}

static void close_gateway(void *app)
{
        gateway_close(app);
}

int main(int argc, char **argv)
{
        daemon_program p = {
                .name = "gremd",
                .version = XREM_VERSION,
                .about =
                        "Makes this machine a gateway: an OMA DM server manages the devices behind "
                        "it as\nif they were its own.",
                .config = "/etc/xrem/gremd.conf",
                .check = settings_check,
                .keeps = true,
                .app = &gateway_app,
                .open = open_gateway,
                .start = start_gateway,
                .stop = stop_gateway,
                .close = close_gateway,
        };
        cfg_key *keys = NULL;
        diag d = {{0}};
        int code;

        if (plugins_load(plugins_folder(), &d) < 0) {
                (void)fprintf(stderr, "gremd: adapter %s\n", d.text);
                return CLI_FAILED;
        }
        if (settings_keys(&keys, &p.n_keys) < 0) {
                (void)fprintf(stderr, "gremd: out of memory\n");
                return CLI_FAILED;
        }
        p.keys = keys;
        code = daemon_main(&p, argc, argv);
        free(keys);
        plugins_unload();
        return code;
}
