/* SPDX-License-Identifier: Apache-2.0 */
/* device_many.c - what is told of many devices at once: which are sleepers, and whose record says
 * something else of them than it did.
 *
 * A sleeper is told to be asleep when it first is, and from then on nothing: that it wakes each
 * half hour for two seconds is what sleeping means.  One that goes to stay awake is told to be
 * awake.  So ten thousand of them cost some dozens of alerts when they attach, and none after.
 *
 * A device that says who made it, or what it runs, when its attach is no longer waiting here, is
 * named: the server, which may have read its record before, reads it again. */
#include <string.h>

#include "device_inner.h"
#include "log.h"

#define GATHER_MS 1000   /* what happens to many together is told together */
#define STAYS_MS 3600000 /* awake for longer, with no end known, it is no sleeper */
#define AGAIN_MS 60000   /* there was no room for alerts */
#define KEYS_MOST 200    /* in an alert */

static bool is_managed(const gw_device *d)
{
        return d->mode !=
               GW_TRANSPARENT; /* the others show by their own calls that they are there */
}

static bool has_slept(const rec *r)
{
        return r->d.state == GW_ASLEEP && !r->told_asleep;
}

static bool is_up(const rec *r)
{
        return r->d.state == GW_ACTIVE && r->told_asleep && r->d.awake_until.ms == ODM_NEVER.ms;
}

static void look_in(devices *v, int64_t ms)
{
        odm_time due = odm_time_add(loop_now(), ms);

        if (v->many.in && v->many.due.ms <= due.ms)
                return;
        if (loop_timer_set(v->g->loop, &v->many, due) < 0)
                log_error("no memory for a timer");
}

void device_many_heard(rec *r, bool woke)
{
        if (woke)
                r->woke_at = loop_now().ms;
        if (!is_managed(&r->d))
                return;
        if (has_slept(r))
                look_in(r->v, GATHER_MS);
        else if (is_up(r))
                look_in(r->v, r->woke_at + STAYS_MS - loop_now().ms);
}

void device_many_renewed(rec *r)
{
        r->renewed = true;
        device_mark(r);
        look_in(r->v, GATHER_MS);
}

enum topic { SLEEPERS, NO_SLEEPERS, RENEWED };

typedef struct list { /* of keys, of states behind its digit */
        enum topic topic;
        char text[4 + KEYS_MOST * GW_KEY];
        size_t n, keys;
        rec *of[KEYS_MOST];
} list;

static void is_told(rec *r, enum topic topic)
{
        if (topic == RENEWED)
                r->renewed = false;
        else
                r->told_asleep = topic == SLEEPERS;
        device_mark(r);
}

/* Tells what is in the list, and empties it.  False: not now. */
static bool tell(devices *v, list *l)
{
        const odm_alert a = {
                .code = ODM_ALERT_GENERIC,
                .source = ODM_STR("./GwMO/Inventory/Records"),
                .type = odm_cstr(l->topic == RENEWED ? ODM_INV_RECORD_ALERT : ODM_INV_STATE_ALERT),
                .format = ODM_FMT_CHR,
                .mark = ODM_STR("informational"),
                .data = {l->text, l->n}};
        store_batch *b = l->keys ? device_batch(v) : NULL;

        if (l->keys == 0)
                return true;
        if (!b || north_event(v->g->north, b, NORTH_MANY, &a, loop_wall()) < 0)
                return false;
        for (size_t i = 0; i < l->keys; i++)
                is_told(l->of[i], l->topic);
        l->n = l->keys = 0;
        return true;
}

static void put(list *l, rec *r)
{
        size_t n = strlen(r->d.key);

        if (l->n == 0 && l->topic != RENEWED)
                l->text[l->n++] = (char)('0' + (l->topic == SLEEPERS ? GW_ASLEEP : GW_ACTIVE));
        if (l->n)
                l->text[l->n++] = ' ';
        memcpy(l->text + l->n, r->d.key, n);
        l->n += n;
        l->of[l->keys++] = r;
}

static bool is_of(const rec *r, enum topic topic)
{
        switch (topic) {
        case SLEEPERS: return is_managed(&r->d) && has_slept(r);
        case NO_SLEEPERS: return is_managed(&r->d) && is_up(r);
        case RENEWED: break;
        }
        return r->renewed;
}

/* All of a topic.  False: not now. */
static bool tell_all(devices *v, enum topic topic)
{
        int64_t now = loop_now().ms;
        list l = {.topic = topic};
        bool good = true;

        for (size_t i = 0; i < v->n && good; i++) {
                rec *r = v->all[i];
                if (!is_of(r, topic))
                        continue;
                if (topic == NO_SLEEPERS && now - r->woke_at < STAYS_MS) {
                        look_in(v, r->woke_at + STAYS_MS - now);
                        continue;
                }
                put(&l, r);
                good = l.keys < KEYS_MOST || tell(v, &l);
        }
        return good && tell(v, &l);
}

void device_many_tell(void *ctx)
{
        devices *v = ctx;

        if (!tell_all(v, SLEEPERS) || !tell_all(v, NO_SLEEPERS) || !tell_all(v, RENEWED)) {
                log_warn("it cannot be told who sleeps, or whose record is new: it is tried again");
                look_in(v, AGAIN_MS);
        }
}
