/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - the objects of a Linux machine with their real values: DevInfo, DevDetail, and
 * our vendor object ./Vendor/xrem.  The descriptions are mo/NAME.ddf. */
#ifndef DREM_OBJECTS_H
#define DREM_OBJECTS_H

#include "machine.h"
#include "odm/client.h"

/* Where a server finds our settings. */
#define OBJECTS_INTERVAL "./Vendor/xrem/Config/Interval"
#define OBJECTS_LOG "./Vendor/xrem/Config/Log"
#define OBJECTS_SYNC "./Vendor/xrem/Sync"

typedef struct objects { /* in the caller's storage, as long as the tree */
        /* What stays the same while the program runs; text borrowed, NULL = the node is absent. */
        const char *dev_id, *maker, *model, *dm_version, *language, *wake;
        const char *dev_type, *oem, *fw_version, *sw_version, *hw_version;
        const char *machine_id, *host, *os, *kernel, *arch;
        machine machine;
        /* The host is told; both are called inside a session and must not call it. */
        void (*on_config)(void *ctx); /* something below Config changed */
        void (*on_sync)(void *ctx, odm_str correlator);
        void *ctx;
        /* inside */
        odm_provider devinfo, devdetail, vendor, inbox;
        odm_dmacc dmacc;
} objects;

/* Mounts all of them on `t`.  `o` has its values set.  0, ODM_ENOMEM, ODM_EINVAL, ODM_ELIMIT. */
ODM_MUST_USE int objects_mount(objects *o, odm_tree *t);

/* Seconds between sessions, or the level of the log, as the tree has them now. */
int64_t objects_interval(odm_tree *t);
int objects_log_level(odm_tree *t); /* a log_level, -1 when it says something else */

#endif
