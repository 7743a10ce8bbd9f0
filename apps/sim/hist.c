/* SPDX-License-Identifier: Apache-2.0 */
#include "hist.h"

/* Below 2 * HIST_FINE a bucket is one number; above, `shift` low bits are dropped. */
static unsigned bucket_of(uint64_t v)
{
        unsigned shift = 0;

        while ((v >> shift) >= 2 * HIST_FINE)
                shift++;
        uint64_t i = (uint64_t)shift * HIST_FINE + (v >> shift);
        return i < HIST_BUCKETS ? (unsigned)i : HIST_BUCKETS - 1;
}

/* The largest number that falls into bucket i. */
static uint64_t bucket_top(unsigned i)
{
        unsigned shift = i < 2 * HIST_FINE ? 0 : i / HIST_FINE - 1;

        return (((uint64_t)(i - shift * HIST_FINE) + 1) << shift) - 1;
}

void hist_add(hist *h, uint64_t us)
{
        h->n++;
        h->sum += us;
        if (us > h->max)
                h->max = us;
        h->bucket[bucket_of(us)]++;
}

uint64_t hist_at(const hist *h, unsigned per_mille)
{
        uint64_t want = (h->n * per_mille + 999) / 1000, seen = 0;

        for (unsigned i = 0; i < HIST_BUCKETS && h->n > 0; i++) {
                seen += h->bucket[i];
                if (seen >= want)
                        return bucket_top(i) < h->max ? bucket_top(i) : h->max;
        }
        return h->max;
}
