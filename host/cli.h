/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - command lines: options from a table, --help and --version made of it. */
#ifndef HOST_CLI_H
#define HOST_CLI_H

#include <stdio.h>

#include "odm/base.h"

typedef enum cli_kind {
        CLI_FLAG,   /* bool * becomes true */
        CLI_STRING, /* const char ** */
        CLI_INT,    /* int64_t *; decimal, may be negative */
        CLI_LIST,   /* cli_list *: may be given several times */
} cli_kind;

#define CLI_LIST_MAX 64
typedef struct cli_list {
        size_t n;
        const char *at[CLI_LIST_MAX];
} cli_list;

typedef struct cli_option {
        char letter;      /* 0 = none */
        const char *name; /* without "--" */
        cli_kind kind;
        void *to;
        const char *arg;  /* what the value is called, "FILE"; NULL for flags */
        const char *help; /* lines broken by \n */
} cli_option;

typedef struct cli_program {
        const char *name;    /* "dremd" or "xrem device list" */
        const char *version; /* of the package */
        const char *usage;   /* what follows the name: "[options] NAME URI" */
        const char *about;   /* a paragraph, lines broken by \n */
        const cli_option *options;
        size_t n;
        const char *more; /* printed after the options: exit codes, examples; NULL = nothing */
} cli_program;

/* Exit codes that all our programs share. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef enum cli_result { CLI_GO_ON, CLI_EXIT_OK, CLI_EXIT_USAGE } cli_result;

/* Reads argv (argv[0] is skipped); options may stand between operands, "--" ends them, and with
 * `stop` the first operand does (for sub-commands).  --help, -h and --version are answered here.
 * *first is the index of the first operand in argv, which is reordered.  Mistakes are told on
 * standard error with a hint to --help. */
cli_result cli_parse(const cli_program *p, int argc, char **argv, bool stop, int *first);
void cli_help(const cli_program *p, FILE *to);

#endif
