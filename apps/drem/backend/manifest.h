/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h - deployed folders compared with the hashes that were written down beside them.
 *
 *     FOLDER/NAME           a folder, or a link to one
 *     FOLDER/NAME.sha256    lines "HASH  PATH", as `cd NAME && sha256sum ...` writes them
 *     FOLDER/ID/NAME ...    the same, one level down, where versions are kept
 *
 * What the manifest does not name is not looked at. */
#ifndef DREM_MANIFEST_H
#define DREM_MANIFEST_H

#include "loop.h"
#include "odm/base.h"

#define MANIFEST_MAX ((size_t)4 << 20) /* octets of one */
#define MANIFEST_NAMES 256             /* of them that are looked at */

typedef struct manifest_check manifest_check;

typedef struct manifest_opt {
        loop *loop;
        const char *folder; /* copied; one that is not there holds nothing */
        /* One of them, in no order: whether it is whole, or else the first thing that is wrong. */
        void (*found)(void *ctx, const char *name, bool whole, const char *why);
        /* That was all; the check is gone after this. */
        void (*done)(void *ctx);
        void *ctx;
} manifest_opt;

/* Begins; the loop calls back, not before this returns.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int manifest_check_start(const manifest_opt *opt, manifest_check **out);
/* Ends it unheard, soon.  NULL is allowed. */
void manifest_check_end(manifest_check *m);

/* Writes the manifest of all files below `folder` to `path`, durable on return.  Links are left
 * out, and names with a line break in them.  0, ODM_ELIMIT (more than MANIFEST_MAX), ODM_EIO,
 * ODM_ENOMEM. */
ODM_MUST_USE int manifest_write(const char *folder, const char *path);
/* Looks at one: whether each file that `manifest` names has its hash, below `folder`.  `why` gets
 * the first that has not, in words. */
bool manifest_holds(odm_str manifest, const char *folder, char why[256]);

#endif
