/* SPDX-License-Identifier: Apache-2.0 */
/* adapters.c - the adapters that are built in. */
#include "adapter.h"
#include "lwm2m.h"
#include "omadm.h"

const adapter_class *const adapters_all[] = {
        &lwm2m_class,
        &omadm_class,
        NULL,
};
