/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - a program that is an agent: its command line, configuration, signals and life. */
#ifndef DREM_DAEMON_H
#define DREM_DAEMON_H

#include "agent.h"

typedef struct daemon_program {
        const char *name, *version, *about;
        const char *config; /* the file that is read when there is one */
        const cfg_key *keys;
        size_t n_keys;
        int (*check)(const cfg *c, diag *d);
        bool keeps; /* a copy of its configuration (conf_kept.h); `keys` has integrity.edited */

        /* What it is more than an agent; NULL without.  `app` is copied, and open() gives the copy
         * its app; no functions for one that has parts of its own alone.  Called around the agent's
         * life, in this order; stop() and close() also when a later one failed. */
        const agent_app *app;
        int (*open)(const cfg *c, loop *l, const char *version, void **out, diag *d);
        int (*start)(void *app, diag *d); /* the agent is open */
        void (*stop)(void *app);          /* the loop has ended */
        void (*close)(void *app);         /* the agent is closed */
} daemon_program;

/* The program's main(): its exit code. */
int daemon_main(const daemon_program *self, int argc, char **argv);

#endif
