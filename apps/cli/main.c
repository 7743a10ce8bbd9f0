/* SPDX-License-Identifier: Apache-2.0 */
/* xrem - the command line for people and scripts: talks to nremd over REST, and works on the
 * formats of OMA DM without any server. */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "commands.h"
#include "complete.h"
#include "config.h"
#include "help.h"
#include "json.h"
#include "term.h"

static int help_or_usage(const xrem_args *a, FILE *to)
{
        if (a->cmd)
                xrem_help_command(to, a->cmd);
        else if (a->group)
                xrem_help_group(to, a->group);
        else
                xrem_help_all(to);
        return to == stdout ? XREM_OK : XREM_USAGE;
}

static int dispatch(xrem *c, int argc, char **argv)
{
        xrem_args a = {0};
        int rc = xrem_args_parse(c, argc, argv, &a);

        if (rc != XREM_OK)
                return rc;
        if (xrem_has(&a, "help"))
                return help_or_usage(&a, stdout);
        if (xrem_has(&a, "version") && !xrem_value(&a, "version")) { /* a command's has a value */
                puts("xrem " XREM_VERSION);
                return XREM_OK;
        }
        if (a.cmd == NULL)
                return help_or_usage(&a, stderr);
        rc = xrem_args_count(&a);
        if (rc == XREM_OK)
                rc = xrem_config_load(c, &a);
        return rc == XREM_OK ? a.cmd->run(c, &a) : rc;
}

int main(int argc, char **argv)
{
        xrem c = {0};
        int rc;

        odm_arena_init(&c.arena, &heap_mem, XREM_MEMORY_MAX);
        xrem_term_init(&c);
        if (argc > 1 && strcmp(argv[1], "--complete") == 0)
                rc = xrem_complete(&c, argc - 2, argv + 2);
        else
                rc = dispatch(&c, argc, argv);
        xrem_api_done(&c);
        xrem_let_go(&c);
        odm_arena_done(&c.arena);
        if (fflush(stdout) != 0 && rc == XREM_OK)
                rc = xrem_fail(XREM_BROKEN, "cannot write to standard output");
        return rc;
}
