/* SPDX-License-Identifier: Apache-2.0 */
/* delivery.h - one package on its way into a file: fetched, its signature beside it, and proved.
 *
 *     fetch URL -> FILE          a process (dremd-fetch); what a cut left of it goes on
 *     fetch URL.sig -> FILE.sig  when no signature was given
 *     prove                      on a thread
 *
 * Without an address FILE is there already, and FILE.sig with it unless a signature is given.
 * Deliveries are independent: several may be under way, each into a file of its own.
 *
 * Facts: mo-others.md 4; mo-fumo.md 2, 6. */
#ifndef DREM_DELIVERY_H
#define DREM_DELIVERY_H

#include "errand.h"
#include "proof.h"

typedef struct delivery delivery;

typedef struct delivery_opt { /* text is copied */
        errand_terms terms;
        const char *keys; /* folder of trusted keys; NULL: none, so nothing is proved */

        odm_str url;      /* absent: only to be proved */
        const char *file; /* in a folder that is there */
        proof proof;
        /* For who passes a package on to those that prove it themselves: a right SHA-256, which
         * has to be given, is enough; signatures are not looked at. */
        bool hash_alone;
        char *hash; /* of 65 octets, kept until done(): the SHA-256 of what is good; NULL: not
                       wanted */
        /* Octets are added here as they come over the network, those of a signature too, also of
         * what is then given up; kept until the end.  NULL: nobody counts. */
        uint64_t *received;
        /* It is over: FILE is there and proved with ODM_CAUSE_OK, else neither FILE nor FILE.sig
         * is, unless there was no address.  `note` says why, "" when there is nothing to say.  The
         * delivery is gone after this.  Called by the loop, not before delivery_start() returns. */
        void (*done)(void *ctx, odm_task_cause cause, const char *note);
        void *ctx;
} delivery_opt;

/* Begins.  0, ODM_ENOMEM, ODM_EINVAL (a name too long), ODM_EIO; `d` says why. */
ODM_MUST_USE int delivery_start(loop *l, const delivery_opt *opt, delivery **out, diag *d);
/* Octets there are and will be; the second is 0 while unknown. */
void delivery_progress(const delivery *v, int64_t *done, int64_t *total);
/* Ends it unheard, at any time; what was fetched so far stays for another one with the same address
 * and file.  Waits for a proof under way.  NULL is allowed. */
void delivery_end(delivery *v);
/* Removes FILE, FILE.sig and what a cut left of them. */
void delivery_drop(const char *file);

#endif
