/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - a command of the configuration, run by the shell beside the loop, for a limited time.
 *
 * The words given with it are $1, $2 ... of the command.  What it says last is kept, for people. */
#ifndef DREM_COMMAND_H
#define DREM_COMMAND_H

#include "program.h"

#define COMMAND_LATE (-1) /* in place of an exit code: it was ended when its time was over */
#define COMMAND_WORDS 4
#define COMMAND_NOTE 256

typedef struct command { /* in the caller's storage; zeroed at first */
        program *program;
        char note[COMMAND_NOTE]; /* its last line that is not empty */
        loop_timer limit;
        void (*done)(void *ctx, int code);
        void *ctx;
} command;

/* Runs `text` with the `words`, which end with NULL, while no other one of `c` is under way; it is
 * killed after `ms`.  The loop calls `done` once, not before this returns; `c` may be used again
 * from then on.  0, ODM_EIO with the reason in `d`, ODM_ENOMEM. */
ODM_MUST_USE int command_run(command *c, loop *l, const char *text, const char *const *words,
                             int64_t ms, void (*done)(void *ctx, int code), void *ctx, diag *d);
/* The same for a program and its arguments, without a shell. */
ODM_MUST_USE int command_exec(command *c, loop *l, const char *const *argv, int64_t ms,
                              void (*done)(void *ctx, int code), void *ctx, diag *d);
void command_stop(command *c); /* ends it unheard */

#endif
