/* SPDX-License-Identifier: Apache-2.0 */
/* tell.h - for tests: everything a store says, as text, so that two can be compared. */
#ifndef STORE_TELL_H
#define STORE_TELL_H

#include "store.h"

/* All there is to read, on the heap.  What cannot be read is passed over, and the first error of it
 * is returned, with *out untouched. */
ODM_MUST_USE int tell_all(store *st, char **out);

#endif
