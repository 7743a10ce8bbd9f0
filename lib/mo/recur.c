/* SPDX-License-Identifier: Apache-2.0 */
/* Due times (mo-scheduling.md 4).
 *
 * A rule is a set of minutes of the clock that the base is read from: those that lie a whole number
 * of intervals after the base's own period, on a day, hour and minute that the rule allows.  What
 * the rule leaves out and its period does not run through is the base's (RFC 5545, 3.3.10).  The
 * search walks over days, and within a day over what of it can be. */
#include "odm/recur.h"

#include <string.h>

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define LAST_DAY INT64_C(2932896) /* 9999-12-31 */

struct civil {
        int64_t day; /* since 1970-01-01 */
        int year;
        unsigned month, mday, hour, minute, second, wday; /* wday 0: Monday */
};

/* ---- the calendar ----------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
        return a / b - (a % b < 0);
}

static bool is_leap(int y)
{
        return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned month_length(int y, unsigned m)
{
        static const unsigned char length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

        return m == 2 && is_leap(y) ? 29 : length[m - 1];
}

/* The year is counted from March, so that leap days come last. */
static void date_of(int64_t day, struct civil *c)
{
        int64_t z = day + 719468, era = floor_div(z, 146097);
        unsigned doe = (unsigned)(z - era * 146097);
        unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        unsigned mp = (5 * doy + 2) / 153;

        c->day = day;
        c->mday = doy - (153 * mp + 2) / 5 + 1;
        c->month = mp < 10 ? mp + 3 : mp - 9;
        c->year = (int)(yoe + era * 400 + (c->month <= 2));
        c->wday = (unsigned)(day + 3 - floor_div(day + 3, 7) * 7); /* 1970-01-01 was a Thursday */
}

static struct civil civil_of(int64_t s)
{
        struct civil c;
        int64_t day = floor_div(s, DAY);
        unsigned in_day = (unsigned)(s - day * DAY);

        date_of(day, &c);
        c.hour = in_day / HOUR;
        c.minute = in_day / MINUTE % 60;
        c.second = in_day % 60;
        return c;
}

int odm_moment_parse(odm_str s, odm_moment *out)
{
        char utc[] = "YYYYMMDDThhmmssZ";
        bool local = s.n == sizeof utc - 2;
        odm_wall w;

        if (local) {
                memcpy(utc, s.p, s.n);
                s = odm_cstr(utc);
        }
        if (odm_wall_parse(s, &w) < 0)
                return ODM_EMALFORMED;
        *out = (odm_moment){.s = w.s, .local = local};
        return 0;
}

/* ---- local time ------------------------------------------------------------------------- */

static int64_t offset(const odm_zone *z, int64_t at)
{
        return z && z->offset ? z->offset(z->ctx, (odm_wall){at}) : 0;
}

odm_moment odm_moment_local(odm_wall w, const odm_zone *z)
{
        return (odm_moment){.s = w.s + offset(z, w.s), .local = true};
}

/* The moment after which the offset is no longer `before`, between `from` and `to`. */
static int64_t change_between(const odm_zone *z, int64_t from, int64_t to, int64_t before)
{
        while (from < to) {
                int64_t mid = from + (to - from) / 2;
                if (offset(z, mid) == before)
                        from = mid + 1;
                else
                        to = mid;
        }
        return to;
}

odm_wall odm_moment_wall(odm_moment m, const odm_zone *z)
{
        int64_t before, after;

        if (!m.local)
                return (odm_wall){m.s};
        before = offset(z, m.s - 2 * DAY);
        after = offset(z, m.s + 2 * DAY);
        if (offset(z, m.s - before) == before)
                return (odm_wall){m.s - before};
        if (offset(z, m.s - after) == after)
                return (odm_wall){m.s - after};
        /* in the gap: the next minute there is */
        int64_t at = change_between(z, m.s - 2 * DAY, m.s + 2 * DAY, before);
        int64_t shown = at + offset(z, at);
        return (odm_wall){at + (MINUTE - (shown % MINUTE + MINUTE) % MINUTE) % MINUTE};
}

/* ---- rules as text ---------------------------------------------------------------------- */

static odm_str cut(odm_str *rest, char at)
{
        const char *p = rest->n ? memchr(rest->p, at, rest->n) : NULL;
        size_t n = p ? (size_t)(p - rest->p) : rest->n;
        odm_str head = odm_str_to(*rest, n);

        *rest = p ? odm_str_from(*rest, n + 1) : ODM_ABSENT;
        return head;
}

static bool number(odm_str s, unsigned least, unsigned most, unsigned *out)
{
        uint64_t v;

        if (s.n == 0 || odm_str_u64(s, most, &v) < 0 || v < least)
                return false;
        *out = (unsigned)v;
        return true;
}

static bool number_list(odm_str s, unsigned least, unsigned most, uint64_t *out)
{
        unsigned v;

        *out = 0;
        if (!s.p)
                return false;
        while (s.p) {
                if (!number(cut(&s, ','), least, most, &v))
                        return false;
                *out |= UINT64_C(1) << v;
        }
        return true;
}

static bool day_list(odm_str s, uint8_t *out)
{
        static const char *const names[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};

        *out = 0;
        while (s.p) {
                odm_str name = cut(&s, ',');
                unsigned d = 0;
                while (d < ODM_COUNT(names) && !odm_str_ieq(name, names[d]))
                        d++;
                if (d == ODM_COUNT(names))
                        return false;
                *out |= (uint8_t)(1u << d);
        }
        return *out != 0;
}

static bool frequency(odm_str s, odm_freq *out)
{
        static const char *const names[] = {
                [ODM_FREQ_MINUTELY] = "MINUTELY", [ODM_FREQ_HOURLY] = "HOURLY",
                [ODM_FREQ_DAILY] = "DAILY",       [ODM_FREQ_WEEKLY] = "WEEKLY",
                [ODM_FREQ_MONTHLY] = "MONTHLY",   [ODM_FREQ_YEARLY] = "YEARLY"};

        for (unsigned i = ODM_FREQ_MINUTELY; i < ODM_COUNT(names); i++) {
                if (odm_str_ieq(s, names[i])) {
                        *out = (odm_freq)i;
                        return true;
                }
        }
        return false;
}

enum part { FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYHOUR, BYMINUTE, N_PARTS };

static bool take_part(odm_recur *r, enum part p, odm_str v)
{
        uint64_t bits = 0;
        bool ok = false;

        switch (p) {
        case FREQ: return frequency(v, &r->freq);
        case INTERVAL: return number(v, 1, ODM_RECUR_COUNT, &r->interval);
        case COUNT: return number(v, 1, ODM_RECUR_COUNT, &r->count);
        case UNTIL: r->has_until = odm_moment_parse(v, &r->until) == 0; return r->has_until;
        case BYDAY: return day_list(v, &r->days);
        case BYMONTHDAY:
                ok = number_list(v, 1, 31, &bits);
                r->month_days = (uint32_t)bits;
                return ok;
        case BYHOUR:
                ok = number_list(v, 0, 23, &bits);
                r->hours = (uint32_t)bits;
                return ok;
        case BYMINUTE: return number_list(v, 0, 59, &r->minutes);
        case N_PARTS: break;
        }
        return ok;
}

int odm_recur_parse(odm_str rule, odm_recur *out)
{
        static const char *const names[N_PARTS] = {"FREQ",  "INTERVAL",   "COUNT",  "UNTIL",
                                                   "BYDAY", "BYMONTHDAY", "BYHOUR", "BYMINUTE"};
        odm_recur r = {.interval = 1};
        unsigned seen = 0;

        while (rule.p) {
                odm_str value = cut(&rule, ';'), name = cut(&value, '=');
                unsigned p = 0;
                while (p < N_PARTS && !odm_str_ieq(name, names[p]))
                        p++;
                if (p == N_PARTS || seen & 1u << p || !value.p ||
                    !take_part(&r, (enum part)p, value))
                        return ODM_EMALFORMED;
                seen |= 1u << p;
        }
        if (!(seen & 1u << FREQ) || (r.count && r.has_until) ||
            (r.freq == ODM_FREQ_WEEKLY && r.month_days))
                return ODM_EMALFORMED;
        *out = r;
        return 0;
}

bool odm_recur_is_interval(const odm_recur *r)
{
        return r->freq <= ODM_FREQ_WEEKLY && !r->days && !r->month_days && !r->hours && !r->minutes;
}

/* ---- which minutes ---------------------------------------------------------------------- */

struct search {
        const odm_recur *r;
        struct civil base;
        int64_t base_minute; /* since 1970 */
};

static bool in_days(const odm_recur *r, const struct civil *c)
{
        return (!r->days || r->days >> c->wday & 1) &&
               (!r->month_days || r->month_days >> c->mday & 1);
}

static bool names_days(const odm_recur *r)
{
        return r->days || r->month_days;
}

/* Whether the rule has times on the day of `c`, but for those that hours and minutes leave out. */
static bool day_fits(const struct search *q, const struct civil *c)
{
        const odm_recur *r = q->r;
        const struct civil *b = &q->base;
        int64_t apart = 0;

        switch (r->freq) {
        case ODM_FREQ_ONCE: return false;
        case ODM_FREQ_MINUTELY:
        case ODM_FREQ_HOURLY: return in_days(r, c);
        case ODM_FREQ_DAILY: return (c->day - b->day) % r->interval == 0 && in_days(r, c);
        case ODM_FREQ_WEEKLY:
                apart = (c->day - (int64_t)c->wday - b->day + (int64_t)b->wday) / 7;
                return apart % r->interval == 0 && (r->days ? in_days(r, c) : c->wday == b->wday);
        case ODM_FREQ_MONTHLY:
                apart = ((int64_t)c->year - b->year) * 12 + (int64_t)c->month - (int64_t)b->month;
                return apart % r->interval == 0 &&
                       (names_days(r) ? in_days(r, c) : c->mday == b->mday);
        case ODM_FREQ_YEARLY:
                apart = (int64_t)c->year - b->year;
                return apart % r->interval == 0 &&
                       (names_days(r) ? in_days(r, c) : c->month == b->month && c->mday == b->mday);
        }
        return false;
}

/* The first minute of the day, not before `m`, that lies a whole number of intervals after the
 * base: 1440 or more when there is none. */
static int64_t aligned(const struct search *q, int64_t day, int64_t m)
{
        int64_t every = q->r->interval, apart;

        if (q->r->freq == ODM_FREQ_MINUTELY) {
                apart = (day * 1440 + m - q->base_minute) % every;
                return apart == 0 ? m : m + (apart < 0 ? -apart : every - apart);
        }
        if (q->r->freq == ODM_FREQ_HOURLY) {
                apart = (day * 24 + m / 60 - q->base_minute / 60) % every;
                return apart == 0 ? m : (m / 60 + (apart < 0 ? -apart : every - apart)) * 60;
        }
        return m;
}

static bool hour_fits(const struct search *q, int64_t h)
{
        return q->r->hours ? (q->r->hours >> h & 1) != 0
                           : q->r->freq < ODM_FREQ_DAILY || h == q->base.hour;
}

static bool minute_fits(const struct search *q, int64_t m)
{
        return q->r->minutes ? (q->r->minutes >> m & 1) != 0
                             : q->r->freq == ODM_FREQ_MINUTELY || m == q->base.minute;
}

/* The first minute of the day that fits, not before `m`; 1440 or more when there is none. */
static int64_t minute_of(const struct search *q, int64_t day, int64_t m)
{
        while ((m = aligned(q, day, m)) < 1440) {
                if (!hour_fits(q, m / 60))
                        m = (m / 60 + 1) * 60;
                else if (!minute_fits(q, m % 60))
                        m++;
                else
                        break;
        }
        return m;
}

static unsigned gcd(unsigned a, unsigned b)
{
        while (b) {
                unsigned t = a % b;
                a = b;
                b = t;
        }
        return a;
}

/* Whether a minute of any day can fit at all: else the search for it would be long.  Over the days,
 * the minutes that are aligned are those that are so for the common divisor with a day's. */
static bool can_fit(const struct search *q)
{
        odm_recur loose = *q->r;
        struct search l = {.r = &loose, .base = q->base, .base_minute = q->base_minute};

        if (loose.freq == ODM_FREQ_MINUTELY)
                loose.interval = gcd(loose.interval, 1440);
        if (loose.freq == ODM_FREQ_HOURLY)
                loose.interval = gcd(loose.interval, 24);
        return minute_of(&l, q->base.day, 0) < 1440;
}

/* The first time of the rule at or after `from`, on the base's own clock; -1: none. */
static int64_t search(const struct search *q, int64_t from)
{
        struct civil c = civil_of(from);
        int64_t minute = c.hour * 60 + c.minute + (c.second > q->base.second);
        int64_t last = c.day + ODM_RECUR_YEARS * INT64_C(366);

        for (; c.day <= last && c.day <= LAST_DAY; minute = 0) {
                if (day_fits(q, &c) && (minute = minute_of(q, c.day, minute)) < 1440)
                        return c.day * DAY + minute * MINUTE + q->base.second;
                c.day++;
                c.wday = c.wday == 6 ? 0 : c.wday + 1;
                if (++c.mday > month_length(c.year, c.month)) {
                        c.mday = 1;
                        c.year += c.month == 12;
                        c.month = c.month == 12 ? 1 : c.month + 1;
                }
        }
        return -1;
}

/* ---- one time after the other ----------------------------------------------------------- */

struct walk {
        struct search q;
        const odm_zone *z;
        odm_moment base;
        int64_t from;   /* on the base's clock: where the search goes on */
        odm_wall last;  /* the time given last */
        unsigned given; /* times so far, those before `after` included when they are counted */
};

/* Nothing before `after` matters to a rule whose times are not counted; its base is given all the
 * same. */
static void walk_begin(struct walk *w, const odm_recur *r, odm_moment base, const odm_zone *z,
                       odm_wall after)
{
        int64_t from = base.local ? odm_moment_local(after, z).s : after.s;

        *w = (struct walk){.q = {.r = r, .base = civil_of(base.s), .base_minute = base.s / MINUTE},
                           .z = z,
                           .base = base,
                           .from = r->count || from < base.s ? base.s + 1 : from + 1};
        if (r->freq == ODM_FREQ_ONCE || from / DAY > LAST_DAY || !can_fit(&w->q))
                w->from = -1;
}

static bool give(struct walk *w, odm_wall at)
{
        w->last = at;
        w->given++;
        return true;
}

static bool walk_next(struct walk *w)
{
        const odm_recur *r = w->q.r;
        odm_wall end = {INT64_MAX}, at = odm_moment_wall(w->base, w->z);

        if (r->has_until)
                end = odm_moment_wall(r->until, w->z);
        if (w->given == 0)
                return at.s <= end.s && give(w, at);
        while (w->from >= 0 && (!r->count || w->given < r->count)) {
                w->from = search(&w->q, w->from);
                at = odm_moment_wall((odm_moment){w->from, w->base.local}, w->z);
                if (w->from < 0 || at.s > end.s)
                        break;
                w->from++;
                if (at.s != w->last.s) /* times in a gap are one */
                        return give(w, at);
        }
        return false;
}

int odm_recur_next(const odm_recur *r, odm_moment base, const odm_zone *z, odm_wall after,
                   odm_wall *out)
{
        struct walk w;

        walk_begin(&w, r, base, z, after);
        while (walk_next(&w)) {
                if (w.last.s > after.s) {
                        *out = w.last;
                        return 1;
                }
        }
        return 0;
}

int odm_recur_latest(const odm_recur *r, odm_moment base, const odm_zone *z, odm_wall after,
                     odm_wall now, odm_wall *out, unsigned *n)
{
        struct walk w;
        odm_wall latest = after;
        unsigned found = 0;

        walk_begin(&w, r, base, z, after);
        while (walk_next(&w) && w.last.s <= now.s) {
                if (w.last.s <= latest.s)
                        continue;
                latest = w.last;
                if (++found == ODM_RECUR_COUNT && !r->count && latest.s < now.s - 2 * DAY)
                        walk_begin(&w, r, base, z, (odm_wall){now.s - 2 * DAY});
        }
        if (!found)
                return 0;
        *out = latest;
        *n = found < ODM_RECUR_COUNT ? found : ODM_RECUR_COUNT;
        return 1;
}
