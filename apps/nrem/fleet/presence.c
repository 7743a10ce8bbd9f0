/* SPDX-License-Identifier: Apache-2.0 */
#include "presence.h"

static int64_t first_said(int64_t a, int64_t b, int64_t c)
{
        int64_t s = a ? a : b ? b : c;

        return s < 0 ? 0 : s > PRESENCE_INTERVAL_MAX_S ? PRESENCE_INTERVAL_MAX_S : s;
}

int64_t presence_interval(const presence_expectation *x)
{
        return 1000 * first_said(x->wish, x->told, x->usual);
}

int64_t presence_awake(const presence_expectation *x)
{
        int64_t interval = presence_interval(x);
        int64_t awake = 1000 * first_said(x->wish_awake, x->told_awake, 0);

        return awake < interval ? awake : 0;
}

int64_t presence_lost_at(int64_t base, const presence_expectation *x)
{
        int64_t interval = presence_interval(x);

        return interval ? base + x->missed * interval + interval / 2 : 0;
}

static int64_t latest(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

/* States in which a silence says something. */
static bool is_expected(store_device_state s)
{
        return s == STORE_DEVICE_ACTIVE || s == STORE_DEVICE_ASLEEP;
}

/* It was found silent when a session was just being written. */
static presence_verdict look_at_lost(const presence_facts *f)
{
        return (presence_verdict){.state = f->since && f->contact > f->since ? STORE_DEVICE_ACTIVE
                                                                             : f->state};
}

presence_verdict presence_judge(const presence_facts *f, const presence_expectation *x, int64_t now)
{
        int64_t interval = presence_interval(x), awake = presence_awake(x);
        int64_t base = latest(latest(f->contact, f->since), f->opened);
        int64_t lost_at = presence_lost_at(base, x);
        int64_t sleeps_at = f->contact + awake;

        if (f->state == STORE_DEVICE_UNREACHABLE)
                return look_at_lost(f);
        if (!is_expected(f->state) || interval == 0)
                return (presence_verdict){.state = f->state};
        if (now >= lost_at)
                return (presence_verdict){.state = STORE_DEVICE_UNREACHABLE};
        if (awake == 0)
                return (presence_verdict){STORE_DEVICE_ACTIVE, lost_at};
        if (now >= sleeps_at)
                return (presence_verdict){STORE_DEVICE_ASLEEP, lost_at};
        return (presence_verdict){STORE_DEVICE_ACTIVE, sleeps_at < lost_at ? sleeps_at : lost_at};
}
