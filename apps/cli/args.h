/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - the words of a command line, checked against the table of commands.
 *
 * Options may stand anywhere, as --name VALUE, --name=VALUE, -n VALUE or -nVALUE;
 * "--" ends them.  A word such as -5 is a value, not an option. */
#ifndef XREM_ARGS_H
#define XREM_ARGS_H

#include "xrem.h"

struct xrem_args;

typedef struct xrem_opt {
        char letter;      /* 0: long name only */
        const char *name; /* without the dashes */
        const char *arg;  /* what its value is called, or NULL when it takes none */
        const char *help; /* one line */
} xrem_opt;

typedef struct xrem_cmd {
        const char *group, *name; /* group: "device" of `device add`; NULL at top level */
        const char *args;         /* its words, as help shows them */
        const char *brief;        /* one line for lists */
        const char *text;         /* a paragraph or two for help; may be NULL */
        const xrem_opt *opts;
        size_t n_opts;
        unsigned min, max;    /* how many words it takes */
        const char *complete; /* a letter a word, the last one repeats: d device, f file, p package,
                                 c command, other letters nothing */
        int (*run)(xrem *c, const struct xrem_args *a);
        bool general; /* listed apart: it is about no device */
} xrem_cmd;

typedef struct xrem_given {
        const xrem_opt *opt;
        const char *value; /* NULL for an option without value */
} xrem_given;

typedef struct xrem_args {
        const xrem_cmd *cmd; /* NULL when none was named */
        const char *group;   /* the group named, or NULL */
        const char **word;   /* after the command's name */
        size_t n_words;
        xrem_given *given;
        size_t n_given;
} xrem_args;

/* Parses argv[1..] into *out.  Returns XREM_OK, or XREM_USAGE having said why on stderr;
 * *out is set either way, as far as it came. */
int xrem_args_parse(xrem *c, int argc, char **argv, xrem_args *out);
/* Checks the number of words; XREM_OK or XREM_USAGE with a message. */
int xrem_args_count(const xrem_args *a);

bool xrem_has(const xrem_args *a, const char *name);          /* was the option given */
const char *xrem_value(const xrem_args *a, const char *name); /* its last value, or NULL */
/* The value of the i-th time `name` was given, or NULL. */
const char *xrem_value_at(const xrem_args *a, const char *name, size_t i);
/* Its value as a number 0 .. max; `otherwise` when not given.  XREM_OK or XREM_USAGE. */
int xrem_number(const xrem_args *a, const char *name, uint64_t max, uint64_t otherwise,
                uint64_t *out);

/* The name among `n` names nearest to `word`, or NULL when none is near. */
const char *xrem_nearest(const char *word, const char *const *names, size_t n);

#endif
