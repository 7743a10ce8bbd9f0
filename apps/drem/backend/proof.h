/* SPDX-License-Identifier: Apache-2.0 */
/* proof.h - whether a package is what its maker signed (mo-fumo.md 2, Ext/xrem).
 *
 * Trusted keys are files of one folder: `NAME.pub`, an Ed25519 public key (PEM, as
 * `openssl pkey -pubout` writes it), and `NAME.ca`, certificates (PEM) that CMS signers descend
 * from. NAME is the KeyID. */
#ifndef DREM_PROOF_H
#define DREM_PROOF_H

#include "diag.h"
#include "odm/task.h"

#define PROOF_SIGNATURE_MAX 65536
#define PROOF_SUFFIX ".sig" /* of the file beside a package that holds its signature */

typedef struct proof {     /* text borrowed; absent where the server said nothing */
        odm_str hash_alg;  /* "sha-256" or absent */
        odm_str hash;      /* 64 hexadecimal digits */
        odm_str sig_alg;   /* "ed25519-sha256", "cms", or absent: told by the signature */
        odm_str signature; /* 64 octets over the SHA-256, or DER SignedData, detached */
        odm_str key;       /* KeyID; absent: any trusted key will do */
} proof;

/* Reads the file at `path` and says in *out whether it is the package that was meant:
 * ODM_CAUSE_OK; ODM_CAUSE_CORRUPT when the hash differs; ODM_CAUSE_UNSIGNED when there is no
 * signature, no such key, or the signature is not its; ODM_CAUSE_UNSUPPORTED for an algorithm we do
 * not have. `d` says which in words.  `folder` NULL or without a key trusts nobody. Returns 0, or
 * ODM_EIO, ODM_ENOMEM when it could not be found out. */
ODM_MUST_USE int proof_check(const char *folder, const proof *p, const char *path,
                             odm_task_cause *out, diag *d);
/* The same of octets in memory; but where `folder` is NULL signatures are not looked at at all.
 * 0, ODM_EIO, ODM_ENOMEM, ODM_ELIMIT (above 4 GB). */
ODM_MUST_USE int proof_check_of(odm_str data, const char *folder, const proof *p,
                                odm_task_cause *out, diag *d);
/* The SHA-256 of a file as 64 hexadecimal digits and a zero.  0 or ODM_EIO. */
ODM_MUST_USE int proof_hash(const char *path, char out[65], diag *d);
/* The same of octets in memory. */
ODM_MUST_USE int proof_hash_of(odm_str data, char out[65]);

#endif
