/* SPDX-License-Identifier: Apache-2.0 */
/* Help is printed from the same table that parsing reads, so the two agree. */
#include "help.h"

#include <string.h>

#include "commands.h"

static const char *const titles[][2] = {
        {NULL, "The nodes of a device"},
        {"device", "Devices"},
        {"gateway", "Gateways, and devices behind them"},
        {"job", "Jobs"},
        {"session", "Sessions"},
        {"campaign", "Campaigns: the same order for many devices"},
        {"package", "Packages"},
        {"template", "Desired configuration"},
        {"alarm", "Alarms"},
        {"metric", "Performance data"},
        {"threshold", "Thresholds of performance data"},
        {"rule", "Rules: when this happens, do that"},
        {"webhook", "Webhooks"},
        {"token", "Access to the server"},
        {"msg", "SyncML messages (no server needed)"},
        {"ddf", "Descriptions of objects"},
        {"tnds", "Trees as documents"},
        {"notify", "Wake-up notifications"},
        {"bootstrap", "First accounts"},
        {"auth", "Credentials"},
};

static bool same_group(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

static void list_group(FILE *to, const char *group, bool general)
{
        for (size_t i = 0; i < xrem_n_commands; i++) {
                const xrem_cmd *cmd = &xrem_commands[i];

                if (same_group(cmd->group, group) && cmd->general == general)
                        fprintf(to, "  %s%s%-*s %s\n", group ? group : "", group ? " " : "",
                                19 - (group ? (int)strlen(group) + 1 : 0), cmd->name, cmd->brief);
        }
}

static void list_options(FILE *to, const xrem_opt *opts, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char left[64];

                snprintf(left, sizeof left, "--%s%s%s", opts[i].name, opts[i].arg ? " " : "",
                         opts[i].arg ? opts[i].arg : "");
                if (opts[i].letter)
                        fprintf(to, "  -%c, %-24s %s\n", opts[i].letter, left, opts[i].help);
                else
                        fprintf(to, "      %-24s %s\n", left, opts[i].help);
        }
}

void xrem_help_all(FILE *to)
{
        fputs("Usage: xrem [options] COMMAND [words]\n\n"
              "Manages devices through an nremd server, and works on the formats of OMA DM.\n",
              to);
        for (size_t i = 0; i < ODM_COUNT(titles); i++) {
                fprintf(to, "\n%s:\n", titles[i][1]);
                list_group(to, titles[i][0], false);
        }
        fputs("\nOther:\n", to);
        list_group(to, NULL, true);
        fputs("\nOptions of every command:\n", to);
        list_options(to, xrem_global_opts, xrem_n_global_opts);
        fputs("\n'xrem help COMMAND' tells more about one; exit codes are in xrem(1).\n", to);
}

void xrem_help_group(FILE *to, const char *group)
{
        fprintf(to, "Usage: xrem %s COMMAND [words]\n\n", group);
        list_group(to, group, false);
        fprintf(to, "\n'xrem help %s COMMAND' tells more about one.\n", group);
}

void xrem_help_command(FILE *to, const xrem_cmd *cmd)
{
        fprintf(to, "Usage: xrem %s%s%s%s%s%s\n\n%s.\n", cmd->group ? cmd->group : "",
                cmd->group ? " " : "", cmd->name, *cmd->args ? " " : "", cmd->args,
                cmd->n_opts ? " [options]" : "", cmd->brief);
        if (cmd->text)
                fprintf(to, "\n%s", cmd->text);
        if (cmd->n_opts) {
                fputs("\nOptions:\n", to);
                list_options(to, cmd->opts, cmd->n_opts);
        }
        fputs("\nOptions of every command:\n", to);
        list_options(to, xrem_global_opts, xrem_n_global_opts);
}

int xrem_run_help(xrem *c, const xrem_args *a)
{
        const char *first = a->n_words > 0 ? a->word[0] : NULL;
        const char *second = a->n_words > 1 ? a->word[1] : NULL;
        const xrem_cmd *cmd = NULL;

        (void)c;
        if (first == NULL) {
                xrem_help_all(stdout);
                return XREM_OK;
        }
        if (xrem_is_group(first) && second == NULL) {
                xrem_help_group(stdout, first);
                return XREM_OK;
        }
        cmd = second ? xrem_command_find(first, second) : xrem_command_find(NULL, first);
        if (cmd == NULL)
                return xrem_fail(XREM_USAGE, "no help for '%s%s%s'; 'xrem help' lists the commands",
                                 first, second ? " " : "", second ? second : "");
        xrem_help_command(stdout, cmd);
        return XREM_OK;
}
