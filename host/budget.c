/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - see budget.h. */
#include "budget.h"

#include <assert.h>

#include "heap.h"

/* Counts `more` octets; false when that is beyond the ceiling. */
static bool take(budget *b, size_t more)
{
        size_t used = atomic_load(&b->used);

        do {
                if (more > b->max || used > b->max - more)
                        return false;
        } while (!atomic_compare_exchange_weak(&b->used, &used, used + more));
        return true;
}

static void give_back(budget *b, size_t n)
{
        size_t used = atomic_fetch_sub(&b->used, n);

        assert(used >= n);
        (void)used;
}

static void *resize(void *ctx, void *p, size_t old_n, size_t n)
{
        budget *b = ctx;
        void *fresh;

        if (n > old_n && !take(b, n - old_n))
                return NULL;
        fresh = heap_mem.resize(NULL, p, old_n, n);
        if (n > old_n && !fresh)
                give_back(b, n - old_n);
        if (n < old_n && (fresh || n == 0))
                give_back(b, old_n - n);
        return fresh;
}

void budget_init(budget *b, size_t max)
{
        b->mem = (odm_mem){.resize = resize, .ctx = b};
        atomic_init(&b->used, 0);
        b->max = max;
}

size_t budget_used(const budget *b)
{
        return atomic_load(&b->used);
}

bool budget_is_tight(const budget *b)
{
        return budget_used(b) > b->max - b->max / 4;
}
