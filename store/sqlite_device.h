/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_device.h - devices in SQLite: their rows, what they are found by, and lists of them. */
#ifndef STORE_SQLITE_DEVICE_H
#define STORE_SQLITE_DEVICE_H

#include "sqlite_db.h"

/* The functions that statements of lists call, for a new connection. */
ODM_MUST_USE int sqlite_device_functions(db *x);

/* As engine.h says of device_put() and device_find(). */
ODM_MUST_USE int sqlite_device_put(void *e, const store_device *old, const store_device *d);
ODM_MUST_USE int sqlite_device_find(db *x, const store_device_filter *f, odm_arena *a,
                                    store_device_list *out);
/* Name, device id and tags of a device that goes. */
ODM_MUST_USE int sqlite_device_keys_gone(db *x, const store_device *d);

#endif
