/* SPDX-License-Identifier: Apache-2.0 */
/* omadm_record.h - see omadm_record.c. */
#ifndef GREM_OMADM_RECORD_H
#define GREM_OMADM_RECORD_H

#include "adapter.h"

gw_device *record_gone(void);
gw_device *record_here(void);

#endif
