/* SPDX-License-Identifier: Apache-2.0 */
/* things.h - the LwM2M devices of a scenario, alive on one loop: each has a socket of its own,
 * registers, sleeps, answers, notifies, updates its firmware, and fails as the scenario wants. */
#ifndef SIM_THINGS_H
#define SIM_THINGS_H

#include "download.h"
#include "hist.h"
#include "keep.h"
#include "scenario.h"

#define THINGS_RESULTS 10 /* of /5/0/5 */
#define THINGS_FORMATS 8
extern const struct things_format {
        int ct;
        const char *name;
} things_formats[THINGS_FORMATS];

typedef struct things_stats {
        uint32_t devices, registered, met; /* met: registered once in this run */
        uint32_t asleep, off, dead;
        uint32_t observers;                               /* now */
        uint64_t registrations, updates, refused, silent; /* of them without an answer */
        uint64_t requests, notifications;
        uint64_t octets_in, octets_out;   /* of bodies */
        uint64_t composites;              /* of the requests */
        uint64_t formats[THINGS_FORMATS]; /* bodies that went either way, by things_formats */
        uint64_t bootstrapped;
        uint64_t updated, failed[THINGS_RESULTS];
        uint64_t programs; /* installed */
        uint64_t restarts, sleeps;
        uint64_t fired[FAULTS_MAX], hit[FAULTS_MAX];
        downloads_counts downloads;
        hist call;     /* microseconds from a registration or update to its answer */
        char why[256]; /* of the first trouble of our own; "" */
        size_t octets; /* of a device, without its socket */
} things_stats;

typedef struct things things;

/* Prepares; borrows all.  `keep` may be NULL.  `done` is called on the loop when all is over.
 * 0, ODM_ENOMEM, ODM_EINVAL (an address), ODM_EIO, ODM_EMALFORMED; `d` says why. */
ODM_MUST_USE int things_new(loop *l, const scenario *s, keep *k, const tls_cred *tls,
                            void (*done)(void *ctx), void *ctx, things **out, diag *d);
void things_free(things *f); /* NULL is allowed */
/* Begins; ends after `max_ms`, 0 for never.  0, ODM_ENOMEM with the reason in `d`. */
ODM_MUST_USE int things_start(things *f, int64_t max_ms, diag *d);
void things_stop(things *f); /* they are gone at once, unheard, as devices without power */
const things_stats *things_get_stats(things *f);

#endif
