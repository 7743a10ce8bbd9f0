/* SPDX-License-Identifier: Apache-2.0 */
/* ident.h - which machine and which system this is. */
#ifndef HOST_IDENT_H
#define HOST_IDENT_H

#include "odm/base.h"

/* Each is empty when the machine does not tell. */
typedef struct ident {
        char machine_uuid[37]; /* derived from the machine id by a digest, never the id itself */
        char maker[128];       /* DMI sys_vendor; device tree compatible's vendor */
        char model[128];       /* DMI product_name; device tree model */
        char hw_version[128];  /* DMI product_version, board_version */
        char os_name[128];     /* os-release NAME */
        char os_version[128];  /* os-release VERSION_ID, else BUILD_ID */
        char os_pretty[256];   /* os-release PRETTY_NAME */
        char kernel[128];      /* uname release */
        char arch[64];         /* uname machine */
        char host[128];        /* uname nodename */
} ident;

/* Reads below `root` ("" for the machine itself; a folder in tests).  Never fails. */
void ident_read(const char *root, ident *out);

#endif
