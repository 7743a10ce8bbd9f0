/* SPDX-License-Identifier: Apache-2.0 */
/* hist.h - how long things took, in constant memory.
 *
 * Buckets grow with what they hold: 32 to each power of two, so that what is read out is at most
 * one part in 32 above what went in. */
#ifndef SIM_HIST_H
#define SIM_HIST_H

#include <stdint.h>

#define HIST_FINE 32 /* buckets to a power of two */
#define HIST_BUCKETS (HIST_FINE * 36)

typedef struct hist { /* zero it first */
        uint64_t n, sum, max;
        uint64_t bucket[HIST_BUCKETS];
} hist;

void hist_add(hist *h, uint64_t us);
/* What `per_mille` of all stayed within; 0 when there were none. */
uint64_t hist_at(const hist *h, unsigned per_mille);

#endif
