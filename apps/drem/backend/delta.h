/* SPDX-License-Identifier: Apache-2.0 */
/* delta.h - a package made of the image in use and a patch (mo-fumo.md 2: DeltaURL, DeltaBase).
 *
 *     hash BASE                  on a thread: is it the image that the patch is against?
 *     fetch URL -> FILE.delta    a process (dremd-fetch); what a cut left of it goes on
 *     patch -> FILE              a process (dremd-patch)
 *     fetch SIGNATURE_URL -> FILE.sig
 *
 * What comes of it is trusted no more than a download is: the caller has it proved. */
#ifndef DREM_DELTA_H
#define DREM_DELTA_H

#include "errand.h"

typedef struct delta delta;

typedef struct delta_opt {  /* text is copied */
        errand_terms terms; /* max_size is the package's, too */
        const char *patch;  /* the program */

        odm_str url;           /* of the patch */
        odm_str base_hash;     /* SHA-256 of the image it is against, hexadecimal */
        const char *base;      /* the image in use */
        odm_str signature_url; /* absent: no signature is to be fetched */
        const char *file;      /* in a folder that is there */
        /* It is over: FILE is there when `made`, and FILE.sig if that could be had; else neither
         * is.  `octets` is the size of the patch, `note` says why it was not made.  The delta is
         * gone after this.  Called by the loop, not before delta_start() returns. */
        void (*done)(void *ctx, bool made, int64_t octets, const char *note);
        void *ctx;
} delta_opt;

/* Begins.  0, ODM_ENOMEM, ODM_EINVAL (a name too long), ODM_EIO. */
ODM_MUST_USE int delta_start(loop *l, const delta_opt *opt, delta **out);
/* Octets of the patch there are and will be; the second is 0 while unknown. */
void delta_progress(const delta *v, int64_t *done, int64_t *total);
/* Ends it unheard, at any time; what was fetched so far stays for another one.  Waits for the
 * hash.  NULL is allowed. */
void delta_end(delta *v);
/* Removes what a delta for FILE left. */
void delta_drop(const char *file);

#endif
