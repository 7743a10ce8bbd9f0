/* SPDX-License-Identifier: Apache-2.0 */
/* vendor.h - what an Exec of a vendor's node begins, where that is a command of the device: one
 * step, and an alert urn:oma:at:x-xrem-vendor:1.0:OperationComplete with one of these results.  The
 * command is begun once: what a power cut interrupts is not run again. */
#ifndef ODM_VENDOR_H
#define ODM_VENDOR_H

#include "odm/task.h"

#define ODM_VENDOR_AT "./Vendor"
#define ODM_VENDOR_RUN 1 /* the step: run the command of t->exec */

typedef enum odm_vendor_result {
        ODM_VENDOR_OK = 1200,
        ODM_VENDOR_FAILED = 1402,
        ODM_VENDOR_TIMEOUT = 1403,
        ODM_VENDOR_INTERRUPTED = 1404,
        ODM_VENDOR_UNSUPPORTED = 1411, /* the node has no command any more */
} odm_vendor_result;

extern const odm_task_kind odm_vendor_kind; /* its context is NULL */

#endif
