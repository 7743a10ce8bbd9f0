/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h - makes certificates for development and tests: a CA and what it signs, ECDSA P-256; how
 * long those of others are good. */
#ifndef HOST_CERT_H
#define HOST_CERT_H

#include "diag.h"
#include "odm/base.h"

/* Makes a CA in `cert_path` and `key_path` (0600).  `days` from an hour ago on.  Existing files
 * are replaced.  Returns 0 or ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int cert_make_ca(const char *name, unsigned days, const char *cert_path,
                              const char *key_path, diag *d);

typedef struct cert_request {
        const char *common_name;
        const char *const
                *names; /* subject alternative names, DNS or IP text; NULL-ended or NULL */
        unsigned days;
        bool server, client; /* extended key usage */
} cert_request;

/* Makes a certificate signed by the CA.  The file holds the certificate only, not the chain. */
ODM_MUST_USE int cert_make(const cert_request *r, const char *ca_cert_path, const char *ca_key_path,
                           const char *cert_path, const char *key_path, diag *d);

/* When the first certificate of a PEM file is not good any more.  0; ODM_ENOENT, ODM_EIO,
 * ODM_ELIMIT (the file); ODM_EMALFORMED (its contents); ODM_ENOMEM. */
ODM_MUST_USE int cert_end(const char *path, odm_wall *out, diag *d);

#endif
