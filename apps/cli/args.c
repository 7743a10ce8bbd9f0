/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a command line against the table of commands.  We do it ourselves because
 * getopt_long() accepts abbreviations, which break scripts when an option is added,
 * and cannot say which known word was nearly typed. */
#include "args.h"

#include <string.h>

#include "commands.h"

/* ---- the nearest word ------------------------------------------------------ */

#define WORD_MAX 32 /* longer words are not worth guessing at */

/* Levenshtein distance, with a swap of neighbours counted as one change. */
static unsigned distance(const char *a, const char *b)
{
        size_t n = strlen(a), m = strlen(b);
        unsigned row[3][WORD_MAX + 1];

        if (n > WORD_MAX || m > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= m; j++)
                row[0][j] = (unsigned)j;
        for (size_t i = 1; i <= n; i++) {
                unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *two = row[(i + 1) % 3];

                now[0] = (unsigned)i;
                for (size_t j = 1; j <= m; j++) {
                        unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

                        if (up[j] + 1 < best)
                                best = up[j] + 1;
                        if (now[j - 1] + 1 < best)
                                best = now[j - 1] + 1;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            two[j - 2] + 1 < best)
                                best = two[j - 2] + 1;
                        now[j] = best;
                }
        }
        return row[n % 3][m];
}

const char *xrem_nearest(const char *word, const char *const *names, size_t n)
{
        const char *best = NULL;
        size_t len = strlen(word);
        unsigned least = len < 4 ? 2 : len < 8 ? 3 : 4; /* this far is no longer near */

        for (size_t i = 0; i < n; i++) {
                bool begins = len >= 2 && strncmp(names[i], word, len) == 0;
                unsigned d = begins ? 1 : distance(word, names[i]);

                if (d < least) {
                        least = d;
                        best = names[i];
                }
        }
        return best;
}

/* ---- options ---------------------------------------------------------------- */

typedef struct parser {
        xrem *c;
        int argc, at;
        char **argv;
        bool ended; /* "--" was seen */
        xrem_args a;
} parser;

static const xrem_opt *find_in(const xrem_opt *opts, size_t n, odm_str name, char letter)
{
        for (size_t i = 0; i < n; i++)
                if (letter ? opts[i].letter == letter : odm_str_is(name, opts[i].name))
                        return &opts[i];
        return NULL;
}

static const xrem_opt *find_opt(const parser *p, odm_str name, char letter)
{
        const xrem_opt *o = NULL;

        if (p->a.cmd)
                o = find_in(p->a.cmd->opts, p->a.cmd->n_opts, name, letter);
        return o ? o : find_in(xrem_global_opts, xrem_n_global_opts, name, letter);
}

static int unknown_option(const parser *p, const char *word)
{
        const char *names[64];
        size_t n = 0;
        const char *cmd = p->a.cmd ? xrem_cmd_title(p->c, p->a.cmd) : "";
        const char *near = NULL;

        for (size_t i = 0; p->a.cmd && i < p->a.cmd->n_opts && n < ODM_COUNT(names); i++)
                names[n++] = p->a.cmd->opts[i].name;
        for (size_t i = 0; i < xrem_n_global_opts && n < ODM_COUNT(names); i++)
                names[n++] = xrem_global_opts[i].name;
        if (word[1] == '-') {
                const char *bare =
                        xrem_z(p->c, odm_str_to(odm_cstr(word + 2), strcspn(word + 2, "=")));

                near = xrem_nearest(bare, names, n);
        }
        xrem_fail(XREM_USAGE, "unknown option '%s'%s%s%s%s%s", word, *cmd ? " for " : "", cmd,
                  near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
        return xrem_fail(XREM_USAGE, "try 'xrem help%s%s'", *cmd ? " " : "", cmd);
}

static void add_given(parser *p, const xrem_opt *o, const char *value)
{
        p->a.given[p->a.n_given++] = (xrem_given){o, value};
}

/* `rest` is the value that came in the same word, or NULL. */
static int take_option(parser *p, const xrem_opt *o, const char *rest)
{
        if (o->arg == NULL) {
                if (rest)
                        return xrem_fail(XREM_USAGE, "option --%s takes no value", o->name);
                add_given(p, o, NULL);
                return XREM_OK;
        }
        if (rest == NULL && p->at < p->argc)
                rest = p->argv[p->at++];
        if (rest == NULL)
                return xrem_fail(XREM_USAGE, "option --%s needs a value: %s", o->name, o->arg);
        add_given(p, o, rest);
        return XREM_OK;
}

static int take_long(parser *p, const char *word)
{
        size_t n = strcspn(word + 2, "=");
        const xrem_opt *o = find_opt(p, (odm_str){word + 2, n}, 0);

        if (o == NULL)
                return unknown_option(p, word);
        return take_option(p, o, word[2 + n] ? word + 3 + n : NULL);
}

static int take_short(parser *p, const char *word)
{
        for (const char *at = word + 1; *at; at++) {
                const xrem_opt *o = find_opt(p, ODM_ABSENT, *at);

                if (o == NULL)
                        return unknown_option(p, word);
                if (o->arg)
                        return take_option(p, o, at[1] ? at + 1 : NULL);
                add_given(p, o, NULL);
        }
        return XREM_OK;
}

static bool is_option(const parser *p, const char *word)
{
        bool number = word[0] == '-' && (word[1] == '.' || (word[1] >= '0' && word[1] <= '9'));

        return !p->ended && word[0] == '-' && word[1] != 0 && !number;
}

/* ---- words -------------------------------------------------------------------- */

static int unknown_command(const parser *p, const char *word)
{
        const char *names[64];
        size_t n = xrem_command_names(p->a.group, names, ODM_COUNT(names));
        const char *near = xrem_nearest(word, names, n);

        xrem_fail(XREM_USAGE, "unknown command '%s%s%s'%s%s%s", p->a.group ? p->a.group : "",
                  p->a.group ? " " : "", word, near ? "; did you mean '" : "", near ? near : "",
                  near ? "'?" : "");
        return xrem_fail(XREM_USAGE, "'xrem help%s%s' lists the commands", p->a.group ? " " : "",
                         p->a.group ? p->a.group : "");
}

static int take_word(parser *p, const char *word)
{
        if (p->a.cmd) {
                p->a.word[p->a.n_words++] = word;
                return XREM_OK;
        }
        p->a.cmd = xrem_command_find(p->a.group, word);
        if (p->a.cmd)
                return XREM_OK;
        if (p->a.group == NULL && xrem_is_group(word)) {
                p->a.group = word;
                return XREM_OK;
        }
        return unknown_command(p, word);
}

int xrem_args_parse(xrem *c, int argc, char **argv, xrem_args *out)
{
        parser p = {.c = c, .argc = argc, .at = 1, .argv = argv};
        int rc = XREM_OK;

        p.a.word = xrem_new(c, const char *, (size_t)argc + 1);
        size_t letters = 0;
        for (int i = 1; i < argc; i++)
                letters += strlen(argv[i]) + 1;
        p.a.given = xrem_new(c, xrem_given, letters + 1); /* -abc gives three */
        while (rc == XREM_OK && p.at < argc) {
                const char *word = argv[p.at++];

                if (!p.ended && strcmp(word, "--") == 0)
                        p.ended = true;
                else if (!is_option(&p, word))
                        rc = take_word(&p, word);
                else
                        rc = word[1] == '-' ? take_long(&p, word) : take_short(&p, word);
        }
        *out = p.a;
        return rc;
}

int xrem_args_count(const xrem_args *a)
{
        const xrem_cmd *cmd = a->cmd;
        const char *g = cmd->group ? cmd->group : "", *blank = cmd->group ? " " : "";

        if (a->n_words >= cmd->min && a->n_words <= cmd->max)
                return XREM_OK;
        if (a->n_words < cmd->min)
                xrem_fail(XREM_USAGE, "'%s%s%s' needs more words", g, blank, cmd->name);
        else
                xrem_fail(XREM_USAGE, "'%s%s%s' does not take '%s'", g, blank, cmd->name,
                          a->word[cmd->max]);
        return xrem_fail(XREM_USAGE, "usage: xrem %s%s%s%s%s", g, blank, cmd->name,
                         *cmd->args ? " " : "", cmd->args);
}

const char *xrem_value_at(const xrem_args *a, const char *name, size_t i)
{
        for (size_t k = 0; k < a->n_given; k++)
                if (strcmp(a->given[k].opt->name, name) == 0 && i-- == 0)
                        return a->given[k].value;
        return NULL;
}

bool xrem_has(const xrem_args *a, const char *name)
{
        for (size_t k = 0; k < a->n_given; k++)
                if (strcmp(a->given[k].opt->name, name) == 0)
                        return true;
        return false;
}

const char *xrem_value(const xrem_args *a, const char *name)
{
        const char *v = NULL;

        for (size_t k = 0; k < a->n_given; k++)
                if (strcmp(a->given[k].opt->name, name) == 0)
                        v = a->given[k].value;
        return v;
}

int xrem_number(const xrem_args *a, const char *name, uint64_t max, uint64_t otherwise,
                uint64_t *out)
{
        const char *v = xrem_value(a, name);

        if (v == NULL) {
                *out = otherwise;
                return XREM_OK;
        }
        if (odm_str_u64(odm_cstr(v), max, out) < 0)
                return xrem_fail(XREM_USAGE, "--%s: '%s' is no number from 0 to %llu", name, v,
                                 (unsigned long long)max);
        return XREM_OK;
}
