/* SPDX-License-Identifier: Apache-2.0 */
/* A device that is not what it should be; see odm/heal.h for the states. */
#include "odm/heal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MINUTE ((int64_t)60 * 1000)
#define TURNS 2                /* one fault after another is mended so often beyond the tries */
#define SILENT_MS (5 * MINUTE) /* until one that was silent is looked at again */

/* ---- judging ------------------------------------------------------------------------------- */

static bool same_hex(odm_str a, odm_str b)
{
        if (a.n != b.n)
                return false;
        for (size_t i = 0; i < a.n; i++) {
                char x = a.p[i], y = b.p[i];
                if (x >= 'A' && x <= 'F')
                        x = (char)(x - 'A' + 'a');
                if (y >= 'A' && y <= 'F')
                        y = (char)(y - 'A' + 'a');
                if (x != y)
                        return false;
        }
        return true;
}

unsigned odm_heal_judge(const odm_heal_rule *r, const odm_heal_facts *f)
{
        unsigned faults = 0;

        if (r->version.n && !odm_str_eq(r->version, odm_str_trim(f->version)))
                faults |= ODM_HEAL_VERSION;
        if (r->hash.n && f->hash.n && !same_hex(r->hash, odm_str_trim(f->hash)))
                faults |= ODM_HEAL_HASH;
        if (f->differing)
                faults |= ODM_HEAL_CONFIG;
        return faults;
}

void odm_heal_text(unsigned faults, char out[ODM_HEAL_TEXT])
{
        static const struct {
                unsigned fault;
                const char *text;
        } v[] = {{ODM_HEAL_VERSION, "it runs another version than it should"},
                 {ODM_HEAL_HASH, "its firmware was changed"},
                 {ODM_HEAL_CONFIG, "it is configured otherwise"}};
        size_t n = 0;

        out[0] = '\0';
        for (size_t i = 0; i < ODM_COUNT(v); i++)
                if (faults & v[i].fault)
                        n += (size_t)snprintf(out + n, ODM_HEAL_TEXT - n, "%s%s", n ? "; " : "",
                                              v[i].text);
        assert(n < ODM_HEAL_TEXT);
}

/* 1 and true are one, 0 and false; -1 for what is none of them. */
static int boolean(odm_str s)
{
        if (odm_str_is(s, "1") || odm_str_ieq(s, "true"))
                return 1;
        return odm_str_is(s, "0") || odm_str_ieq(s, "false") ? 0 : -1;
}

/* A whole number without what can be left out of it: "+07" and "7". */
static odm_str number(odm_str s, bool *minus)
{
        odm_str d = s;

        *minus = odm_str_starts(d, "-");
        if (*minus || odm_str_starts(d, "+"))
                d = odm_str_from(d, 1);
        for (size_t i = 0; i < d.n; i++)
                if (d.p[i] < '0' || d.p[i] > '9')
                        return ODM_ABSENT;
        while (d.n > 1 && d.p[0] == '0')
                d = odm_str_from(d, 1);
        return d.n ? d : ODM_ABSENT;
}

bool odm_heal_same(odm_str is, odm_str stored)
{
        bool x, y;

        is = odm_str_trim(is);
        stored = odm_str_trim(stored);
        if (odm_str_eq(is, stored))
                return true;
        if (boolean(is) >= 0 && boolean(is) == boolean(stored))
                return true;
        odm_str a = number(is, &x), b = number(stored, &y);
        return a.p && b.p && x == y && odm_str_eq(a, b);
}

/* ---- states ---------------------------------------------------------------------------------- */

const char *odm_heal_state_name(odm_heal_state s)
{
        static const char *const names[] = {
                [ODM_HEAL_UNKNOWN] = "UNKNOWN", [ODM_HEAL_CHECKING] = "CHECKING",
                [ODM_HEAL_WELL] = "WELL",       [ODM_HEAL_HEALING] = "HEALING",
                [ODM_HEAL_PROVING] = "PROVING", [ODM_HEAL_RESTING] = "RESTING",
                [ODM_HEAL_LOST] = "LOST"};
        return (unsigned)s < ODM_COUNT(names) ? names[s] : "?";
}

static int64_t later(int64_t now, int64_t ms)
{
        return now > INT64_MAX - ms ? INT64_MAX : now + ms;
}

/* How long it rests before it is healed once more: the first time not at all. */
static int64_t rest(unsigned tries)
{
        static const int64_t waits[] = {0, MINUTE, 5 * MINUTE, 30 * MINUTE};

        return waits[tries < ODM_COUNT(waits) ? tries : ODM_COUNT(waits) - 1];
}

static void enter(odm_heal *h, odm_heal_state to, int64_t due)
{
        h->state = to; /* the only assignment to state */
        h->due = due;
}

static unsigned well(odm_heal *h, bool was_out, const odm_heal_terms *t, int64_t now)
{
        h->faults = h->tries = 0;
        enter(h, ODM_HEAL_WELL, t->every_ms ? later(now, t->every_ms) : INT64_MAX);
        return was_out ? ODM_HEAL_RELEASE : 0;
}

/* Firmware first: a new one may bring settings of its own. */
static unsigned begin(odm_heal *h)
{
        h->tries++;
        enter(h, ODM_HEAL_HEALING, INT64_MAX);
        return h->faults & (ODM_HEAL_VERSION | ODM_HEAL_HASH) ? ODM_HEAL_INSTALL
                                                              : ODM_HEAL_CONFIGURE;
}

static unsigned found(odm_heal *h, unsigned faults, const odm_heal_terms *t, int64_t now)
{
        bool was_out = h->state == ODM_HEAL_PROVING;
        unsigned before = h->faults;

        if (!faults)
                return well(h, was_out, t, now);
        h->faults = faults;
        if (!was_out)
                return ODM_HEAL_QUARANTINE | begin(h);
        /* something is mended, so it goes on at once, unless its faults take turns */
        if (before & ~faults && h->tries < t->tries + TURNS)
                return begin(h);
        if (h->tries >= t->tries) {
                enter(h, ODM_HEAL_LOST, t->every_ms ? later(now, t->every_ms) : INT64_MAX);
                return ODM_HEAL_GIVE_UP;
        }
        enter(h, ODM_HEAL_RESTING, later(now, rest(h->tries)));
        return 0;
}

static unsigned look(odm_heal *h, odm_heal_state as)
{
        enter(h, as, INT64_MAX);
        return ODM_HEAL_LOOK;
}

static unsigned on_time(odm_heal *h, int64_t now)
{
        if (now < h->due)
                return 0;
        switch (h->state) {
        case ODM_HEAL_WELL:
        case ODM_HEAL_CHECKING: return look(h, ODM_HEAL_CHECKING);
        case ODM_HEAL_LOST:
        case ODM_HEAL_PROVING: return look(h, ODM_HEAL_PROVING);
        case ODM_HEAL_RESTING: return begin(h);
        case ODM_HEAL_UNKNOWN:
        case ODM_HEAL_HEALING: break;
        }
        return 0;
}

static unsigned on_seen(odm_heal *h)
{
        switch (h->state) {
        case ODM_HEAL_UNKNOWN:
        case ODM_HEAL_WELL: return look(h, ODM_HEAL_CHECKING);
        case ODM_HEAL_LOST: return look(h, ODM_HEAL_PROVING);
        case ODM_HEAL_CHECKING:
        case ODM_HEAL_PROVING: /* under way, or silent before: now it is here */
                return h->due == INT64_MAX ? 0 : look(h, h->state);
        case ODM_HEAL_HEALING:
        case ODM_HEAL_RESTING: break;
        }
        return 0;
}

/* What was tried before could not do it. */
static unsigned on_means(odm_heal *h)
{
        if (h->state != ODM_HEAL_RESTING && h->state != ODM_HEAL_LOST)
                return 0;
        h->tries = 0;
        return h->faults ? begin(h) : look(h, ODM_HEAL_PROVING);
}

unsigned odm_heal_hear(odm_heal *h, odm_heal_event e, unsigned faults, const odm_heal_terms *t,
                       int64_t now)
{
        bool looks = h->state == ODM_HEAL_CHECKING || h->state == ODM_HEAL_PROVING;

        switch (e) {
        case ODM_HEAL_SEEN: return on_seen(h);
        case ODM_HEAL_FOUND: return looks ? found(h, faults, t, now) : 0;
        case ODM_HEAL_SILENT:
                if (looks)
                        h->due = later(now, SILENT_MS);
                return 0;
        case ODM_HEAL_DONE: return h->state == ODM_HEAL_HEALING ? look(h, ODM_HEAL_PROVING) : 0;
        case ODM_HEAL_TIME: return on_time(h, now);
        case ODM_HEAL_MEANS: return on_means(h);
        case ODM_HEAL_RELEASED: *h = (odm_heal){.due = INT64_MAX}; return 0;
        }
        ODM_UNREACHABLE();
}
