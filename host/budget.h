/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - memory of the heap with a ceiling over all who take from it, from any thread. */
#ifndef HOST_BUDGET_H
#define HOST_BUDGET_H

#include <stdatomic.h>

#include "odm/base.h"

typedef struct budget {
        odm_mem mem; /* gives nothing beyond the ceiling; good as long as the budget */
        atomic_size_t used;
        size_t max;
} budget;

/* `max`: octets in all. */
void budget_init(budget *b, size_t max);
size_t budget_used(const budget *b);
/* True when less than a quarter is left: time to begin nothing new, so that what has begun can end.
 */
bool budget_is_tight(const budget *b);

#endif
