/* SPDX-License-Identifier: Apache-2.0 */
#include "wake_plan.h"

#include <assert.h>

static int64_t doubled(int64_t ms, uint32_t times, int64_t most)
{
        while (times-- > 0 && ms < most)
                ms *= 2;
        return ms < most ? ms : most;
}

uint32_t wake_plan_nth(const wake_plan *p, uint32_t sent)
{
        return sent ? (sent - 1) % p->tries + 1 : 0;
}

uint32_t wake_plan_round_end(const wake_plan *p, uint32_t sent)
{
        uint32_t nth = wake_plan_nth(p, sent);

        return sent - nth + p->tries;
}

wake_step wake_plan_next(const wake_plan *p, uint32_t sent, bool rests, bool orders)
{
        assert(p->tries > 0);
        if (rests && sent)
                return orders ? WAKE_SEND : WAKE_END;
        if (wake_plan_nth(p, sent) < p->tries)
                return WAKE_SEND;
        return orders && p->again ? WAKE_REST : WAKE_END;
}

int64_t wake_plan_wait(const wake_plan *p, uint32_t sent)
{
        assert(sent > 0);
        return doubled(p->first, wake_plan_nth(p, sent) - 1, p->max);
}

int64_t wake_plan_rest(const wake_plan *p, uint32_t sent)
{
        assert(sent > 0);
        return doubled(p->again, (sent - 1) / p->tries, WAKE_REST_MOST);
}
