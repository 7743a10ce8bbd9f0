/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - a run of xremsim --scenario: from the file to the report. */
#ifndef SIM_LIVE_H
#define SIM_LIVE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct live_opt {
        const char *scenario, *state; /* state: folder, or NULL */
        const char *server, *api;     /* NULL: as the file says */
        const char *token, *ca;
        int64_t seed, max_ms; /* 0: none, for ever */
        bool create, remote, quiet, json;
} live_opt;

/* Says what is wrong on standard error.  An exit code of cli.h. */
int live_run(const live_opt *o);

void live_raise_files(void); /* as many descriptors as may be had */

#endif
