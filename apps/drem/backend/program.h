/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - another program, run beside the loop: its lines as they come, and how it ended. */
#ifndef DREM_PROGRAM_H
#define DREM_PROGRAM_H

#include "diag.h"
#include "loop.h"

#define PROGRAM_LINE 1024 /* longer lines are cut */

typedef struct program program;

typedef struct program_opt {
        const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH */
        /* A line of its standard output or standard error, without its end.  May be NULL. */
        void (*line)(void *ctx, odm_str line);
        /* It is over: its exit code, 128 and the signal when one ended it.  `program` is gone after
         * this. */
        void (*done)(void *ctx, int code);
        void *ctx;
} program_opt;

/* Starts it, with an empty standard input and in a process group of its own.  The loop calls `done`
 * once, not before this returns.  0, ODM_EIO with the reason in `d`, ODM_ENOMEM. */
ODM_MUST_USE int program_start(loop *l, const program_opt *opt, program **out, diag *d);
/* Ends it, its children too, unheard; waits for that.  NULL is allowed. */
void program_kill(program *p);
/* Lets it go on alone, unheard: what it says from now on ends it, unless it ignores SIGPIPE.  NULL
 * is allowed. */
void program_leave(program *p);

#endif
