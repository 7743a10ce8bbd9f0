/* SPDX-License-Identifier: Apache-2.0 */
/* devca.h - a CA and a server certificate for trying things on one machine. */
#ifndef NREM_DEVCA_H
#define NREM_DEVCA_H

#include "diag.h"

/* Makes in `folder`, where they are missing: ca.pem and ca.key; server.pem and server.key, good
 * for localhost, 127.0.0.1, ::1 and the machine's name.  A server certificate is made again when
 * the CA was.  0, ODM_EIO, ODM_ELIMIT, ODM_ENOMEM with the reason in `d`. */
ODM_MUST_USE int devca_make(const char *folder, diag *d);

#endif
