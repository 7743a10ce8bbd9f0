/* SPDX-License-Identifier: Apache-2.0 */
/* errand.h - a program of ours that is sent for something (dremd-fetch, dremd-patch): how far it
 * is, and how it ended.
 *
 * It says on standard output "progress DONE TOTAL" and "received OCTETS" (since it last said so)
 * now and then, and at last "end CAUSE SENTENCE", CAUSE as in ODM_TASK_CAUSES.  Other lines are
 * passed over. */
#ifndef DREM_ERRAND_H
#define DREM_ERRAND_H

#include "odm/task.h"
#include "program.h"

#define ERRAND_NOTE 512

typedef struct errand { /* in the caller's storage; zeroed at first */
        program *program;
        odm_task_cause cause; /* how it ended; FAILED if it died without a word */
        char note[ERRAND_NOTE];
        int64_t have, total; /* octets there are and will be; total 0 while unknown */
        uint64_t *received;  /* octets that came over the network are added here; NULL: uncounted */
        void (*done)(void *ctx);
        void *ctx;
} errand;

typedef struct errand_terms {   /* on which a package is fetched */
        const char *fetch;      /* the downloader's program */
        const char *ca;         /* trusted by it; NULL: the system's */
        int64_t max_size;       /* octets */
        int64_t tries, wait_ms; /* how often, and the wait in between */
        int64_t patience_ms;    /* all of it together, for the caller to keep; 0: for ever */
} errand_terms;

typedef struct errand_fetch_opt { /* borrowed during the call */
        errand_terms terms;
        const char *url, *file;
} errand_fetch_opt;

/* Sends `argv`, which ends with NULL, while no other errand of `e` is under way.  The loop calls
 * `done` once, not before this returns; `e` may be used again from then on.
 * 0, ODM_EIO with the reason in `d`, ODM_ENOMEM. */
ODM_MUST_USE int errand_run(errand *e, loop *l, const char *const *argv, void (*done)(void *ctx),
                            void *ctx, diag *d);
/* Sends the downloader. */
ODM_MUST_USE int errand_fetch(errand *e, loop *l, const errand_fetch_opt *opt,
                              void (*done)(void *ctx), void *ctx, diag *d);
/* Ends it unheard; whether it was under way. */
bool errand_stop(errand *e);

#endif
