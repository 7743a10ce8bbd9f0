/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h - the C library's heap as the allocator libodm is given. */
#ifndef HOST_HEAP_H
#define HOST_HEAP_H

#include "odm/base.h"

extern const odm_mem heap_mem;

#endif
