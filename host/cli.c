/* SPDX-License-Identifier: Apache-2.0 */
/* cli.c - getopt_long(3) from a table; see cli.h. */
#include "cli.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#define OPTIONS_MAX 48
#define LONG_BASE 256 /* getopt's value of the option with this index, and on */
#define HELP_AT 28    /* column where help begins */

enum { OPT_HELP = LONG_BASE + OPTIONS_MAX, OPT_VERSION };

static void print_lines(const char *text, int indent, FILE *to)
{
        while (*text) {
                size_t n = strcspn(text, "\n");
                fprintf(to, "%.*s\n", (int)n, text);
                text += n + (text[n] == '\n');
                if (*text)
                        fprintf(to, "%*s", indent, "");
        }
}

static void print_option(char letter, const char *name, const char *arg, const char *help, FILE *to)
{
        char left[80];
        int n = snprintf(left, sizeof left, letter ? "  -%c, --%s%s%s" : "   %c  --%s%s%s",
                         letter ? letter : ' ', name, arg ? "=" : "", arg ? arg : "");

        if (n < HELP_AT)
                fprintf(to, "%-*s", HELP_AT, left);
        else
                fprintf(to, "%s\n%*s", left, HELP_AT, "");
        print_lines(help, HELP_AT, to);
}

void cli_help(const cli_program *p, FILE *to)
{
        fprintf(to, "Usage: %s %s\n", p->name, p->usage);
        if (p->about)
                fprintf(to, "\n%s\n", p->about);
        fprintf(to, "\nOptions:\n");
        for (size_t i = 0; i < p->n; i++)
                print_option(p->options[i].letter, p->options[i].name, p->options[i].arg,
                             p->options[i].help, to);
        print_option('h', "help", NULL, "print this and exit", to);
        if (p->version)
                print_option(0, "version", NULL, "print the version and exit", to);
        if (p->more)
                fprintf(to, "\n%s\n", p->more);
}

static int usage_error(const cli_program *p, const char *what, const char *name)
{
        fprintf(stderr, "%s: %s%s%s; try '%s --help'\n", p->name, what, name ? " --" : "",
                name ? name : "", p->name);
        return -1;
}

static int take_int(const cli_program *p, const cli_option *o, const char *arg)
{
        bool minus = arg[0] == '-';
        uint64_t n;

        if (odm_str_u64(odm_cstr(arg + minus), INT64_MAX, &n) < 0)
                return usage_error(p, "a whole number must follow", o->name);
        *(int64_t *)o->to = minus ? -(int64_t)n : (int64_t)n;
        return 0;
}

static int take(const cli_program *p, const cli_option *o, const char *arg)
{
        cli_list *list;

        switch (o->kind) {
        case CLI_FLAG: *(bool *)o->to = true; return 0;
        case CLI_STRING: *(const char **)o->to = arg; return 0;
        case CLI_INT: return take_int(p, o, arg);
        case CLI_LIST:
                list = o->to;
                if (list->n == CLI_LIST_MAX)
                        return usage_error(p, "too many times", o->name);
                list->at[list->n++] = arg;
                return 0;
        }
        ODM_UNREACHABLE();
}

/* getopt's two tables out of ours. */
static void make_tables(const cli_program *p, bool stop, char *letters, struct option *longs)
{
        size_t n = 0;

        if (stop)
                letters[n++] = '+';
        letters[n++] = ':'; /* we say ourselves what is wrong */
        letters[n++] = 'h';
        for (size_t i = 0; i < p->n; i++) {
                const cli_option *o = &p->options[i];
                longs[i] = (struct option){o->name, o->kind == CLI_FLAG ? 0 : 1, NULL,
                                           LONG_BASE + (int)i};
                if (!o->letter)
                        continue;
                letters[n++] = o->letter;
                if (o->kind != CLI_FLAG)
                        letters[n++] = ':';
        }
        letters[n] = 0;
        longs[p->n] = (struct option){"help", 0, NULL, OPT_HELP};
        if (p->version)
                longs[p->n + 1] = (struct option){"version", 0, NULL, OPT_VERSION};
}

static const cli_option *option_of(const cli_program *p, int c)
{
        if (c >= LONG_BASE)
                return &p->options[c - LONG_BASE];
        for (size_t i = 0; i < p->n; i++)
                if (p->options[i].letter == c)
                        return &p->options[i];
        return NULL;
}

static cli_result refuse(const cli_program *p, int c, char **argv)
{
        const char *at = argv[optind - 1];

        fprintf(stderr, "%s: %s '%s'; try '%s --help'\n", p->name,
                c == ':' ? "a value must follow" : "unknown option", at, p->name);
        return CLI_EXIT_USAGE;
}

cli_result cli_parse(const cli_program *p, int argc, char **argv, bool stop, int *first)
{
        char letters[2 * OPTIONS_MAX + 8];
        struct option longs[OPTIONS_MAX + 3] = {0};
        int c;

        assert(p->n <= OPTIONS_MAX);
        make_tables(p, stop, letters, longs);
        optind = 0; /* start anew: sub-commands parse the rest again */
        opterr = 0;
        while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
                const cli_option *o;
                if (c == 'h' || c == OPT_HELP) {
                        cli_help(p, stdout);
                        return CLI_EXIT_OK;
                }
                if (c == OPT_VERSION) {
                        printf("%s %s\n", p->name, p->version);
                        return CLI_EXIT_OK;
                }
                o = c == '?' || c == ':' ? NULL : option_of(p, c);
                if (!o)
                        return refuse(p, c, argv);
                if (take(p, o, optarg) < 0)
                        return CLI_EXIT_USAGE;
        }
        *first = optind;
        return CLI_GO_ON;
}
