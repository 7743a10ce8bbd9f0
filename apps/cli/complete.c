/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for shells: `xrem --complete WORDS...`, called by the scripts in tools/. */
#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config.h"
#include "device.h"
#include "package.h"

static void offer(const char *candidate, const char *typed)
{
        if (strncmp(candidate, typed, strlen(typed)) == 0)
                puts(candidate);
}

static void offer_options(const xrem_opt *opts, size_t n, const char *typed)
{
        for (size_t i = 0; i < n; i++) {
                char word[64];

                snprintf(word, sizeof word, "--%s", opts[i].name);
                offer(word, typed);
        }
}

/* `word` is --name, or -x: one letter, whose value is the next word. */
static bool is_named(const xrem_opt *o, const char *word)
{
        return word[1] == '-' ? strcmp(word + 2, o->name) == 0
                              : o->letter && word[1] == o->letter && word[2] == 0;
}

static const xrem_opt *option_named(const xrem_cmd *cmd, const char *word)
{
        for (size_t i = 0; cmd && i < cmd->n_opts; i++)
                if (is_named(&cmd->opts[i], word))
                        return &cmd->opts[i];
        for (size_t i = 0; i < xrem_n_global_opts; i++)
                if (is_named(&xrem_global_opts[i], word))
                        return &xrem_global_opts[i];
        return NULL;
}

static void offer_names(const char *group, const char *typed)
{
        const char *names[64];
        size_t n = xrem_command_names(group, names, ODM_COUNT(names));

        for (size_t i = 0; i < n; i++)
                offer(names[i], typed);
}

/* `last` is the word before, of which `at` came before this one. */
static void offer_word(xrem *c, const xrem_cmd *cmd, size_t at, const char *last, const char *typed)
{
        size_t kinds = cmd->complete ? strlen(cmd->complete) : 0;
        char kind = kinds ? cmd->complete[at < kinds ? at : kinds - 1] : 0;

        if (kind == 'f') {
                puts("<file>");
        } else if (kind == 'c') {
                if (at == 0 || xrem_is_group(last))
                        offer_names(at ? last : NULL, typed);
        } else if (kind == 'd') {
                size_t n;
                const char **names = xrem_device_names(c, typed, &n);

                for (size_t i = 0; i < n; i++)
                        offer(names[i], typed);
        } else if (kind == 'p') {
                size_t n;
                const char **names = xrem_package_names(c, &n);

                for (size_t i = 0; i < n; i++)
                        offer(names[i], typed);
        }
}

/* What has been typed before the last word. */
typedef struct before {
        const xrem_cmd *cmd;
        const char *group;
        const xrem_opt *pending; /* an option that waits for its value */
        const char *last;        /* of the words behind the command */
        size_t words;
} before;

static void look_at(before *b, const char *word)
{
        if (b->pending) {
                if (strcmp(word, "=") != 0) /* bash makes a word of its own of it */
                        b->pending = NULL;
        } else if (word[0] == '-' && word[1] != 0) {
                const xrem_opt *o = option_named(b->cmd, word);

                b->pending = o && o->arg ? o : NULL;
        } else if (b->cmd) {
                b->last = word;
                b->words++;
        } else {
                b->cmd = xrem_command_find(b->group, word);
                if (b->cmd == NULL && xrem_is_group(word))
                        b->group = word;
        }
}

int xrem_complete(xrem *c, int n, char **words)
{
        const char *typed = n > 0 ? words[n - 1] : "";
        before b = {0};
        xrem_args none = {0};

        c->hurry = true;
        if (freopen("/dev/null", "w", stderr) == NULL || xrem_config_load(c, &none) != XREM_OK)
                return XREM_BAD_INPUT;
        for (int i = 0; i + 1 < n; i++)
                look_at(&b, words[i]);
        if (b.pending) {
                if (strcmp(b.pending->arg, "FILE") == 0)
                        puts("<file>");
        } else if (typed[0] == '-') {
                if (b.cmd)
                        offer_options(b.cmd->opts, b.cmd->n_opts, typed);
                offer_options(xrem_global_opts, xrem_n_global_opts, typed);
        } else if (b.cmd) {
                offer_word(c, b.cmd, b.words, b.last, typed);
        } else {
                offer_names(b.group, typed);
        }
        return XREM_OK;
}
