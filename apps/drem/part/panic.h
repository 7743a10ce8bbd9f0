/* SPDX-License-Identifier: Apache-2.0 */
/* panic.h - the function PanicLog (mo-diagmon.md 7.4): what the kernel left in pstore when it broke
 * down, and what it says of its own faults while it goes on. */
#ifndef DREM_PART_PANIC_H
#define DREM_PART_PANIC_H

#include "part/diagmon.h"

typedef struct panic panic;

/* Whether there is a pstore, or a kernel log that may be read. */
bool panic_offered(const diagmon *g);
/* Records what is new in pstore, and watches the kernel's log.  0 with *out NULL where the function
 * is not offered; an error with the reason in `d`. */
ODM_MUST_USE int panic_open(diagmon *g, panic **out, diag *d);
void panic_close(panic *p); /* NULL is allowed */

#endif
