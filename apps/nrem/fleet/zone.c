/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 8536: a header, a block of 32-bit data that is skipped, the header again, a block of 64-bit
 * data, and a line with a rule.  The file may come from anywhere the operator's system has it, so
 * every count is checked. */
#include "zone.h"

#include <string.h>

#define HEADER 44
#define DAY 86400
#define OFFSET_MAX (26 * 3600)
#define RULE_TIME_MAX (167 * 3600)

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool zone_name_ok(odm_str s)
{
        if (s.n == 0 || s.n > ZONE_NAME_MAX || !is_alpha(s.p[0]))
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && !strchr("/_-+", s.p[i]))
                        return false;
        return s.p[s.n - 1] != '/';
}

/* ---- days ------------------------------------------------------------------------------ */

static bool is_leap(int64_t y)
{
        return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
        return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to January 1st of year y. */
static int64_t year_days(int64_t y)
{
        int64_t p = y - 1;

        return 365 * (y - 1970) + floor_div(p, 4) - floor_div(p, 100) + floor_div(p, 400) - 477;
}

static int64_t year_of(int64_t days)
{
        int64_t y = 1970 + floor_div(days * 400, 146097);

        while (year_days(y) > days)
                y--;
        while (year_days(y + 1) <= days)
                y++;
        return y;
}

static int month_days(int64_t y, int m)
{
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

        return days[m - 1] + (m == 2 && is_leap(y));
}

static int64_t weekday(int64_t days) /* 0: Sunday */
{
        return ((days + 4) % 7 + 7) % 7;
}

/* ---- the rule -------------------------------------------------------------------------- */

typedef struct reader {
        odm_str s;
        bool bad;
} reader;

static char peek(const reader *r)
{
        return r->s.n > 0 ? r->s.p[0] : 0;
}

static bool accept(reader *r, char c)
{
        if (peek(r) != c || r->s.n == 0)
                return false;
        r->s = odm_str_from(r->s, 1);
        return true;
}

static int number(reader *r, int min, int max)
{
        int v = 0;
        size_t n = 0;

        while (n < r->s.n && n < 3 && is_digit(r->s.p[n]))
                v = v * 10 + (r->s.p[n++] - '0');
        if (n == 0 || v < min || v > max)
                r->bad = true;
        r->s = odm_str_from(r->s, n);
        return v;
}

/* [+-]hh[:mm[:ss]] */
static int32_t clock_time(reader *r, int hours)
{
        int32_t sign = accept(r, '-') ? -1 : 1, t;

        if (sign > 0)
                accept(r, '+');
        t = number(r, 0, hours) * 3600;
        if (accept(r, ':'))
                t += number(r, 0, 59) * 60;
        if (accept(r, ':'))
                t += number(r, 0, 59);
        return sign * t;
}

static void abbreviation(reader *r)
{
        size_t n = 0;
        bool quoted = accept(r, '<');

        while (n < r->s.n && (quoted ? r->s.p[n] != '>' : is_alpha(r->s.p[n])))
                n++;
        r->bad |= n == 0;
        r->s = odm_str_from(r->s, n);
        r->bad |= quoted && !accept(r, '>');
}

static void rule_day(reader *r, zone_day *d)
{
        r->bad |= !accept(r, ',');
        d->time = 2 * 3600;
        if (accept(r, 'M')) {
                d->form = 'M';
                d->m = number(r, 1, 12);
                r->bad |= !accept(r, '.');
                d->w = number(r, 1, 5);
                r->bad |= !accept(r, '.');
                d->d = number(r, 0, 6);
        } else if (accept(r, 'J')) {
                d->form = 'J';
                d->d = number(r, 1, 365);
        } else {
                d->form = 'n';
                d->d = number(r, 0, 365);
        }
        if (accept(r, '/'))
                d->time = clock_time(r, 167);
}

static bool read_rule(odm_str s, zone *z)
{
        reader r = {.s = s};

        if (s.n == 0)
                return true;
        abbreviation(&r);
        z->std_off = -clock_time(&r, 24);
        z->dst = peek(&r) != 0;
        if (z->dst) {
                abbreviation(&r);
                z->dst_off = z->std_off + 3600;
                if (peek(&r) != ',')
                        z->dst_off = -clock_time(&r, 24);
                rule_day(&r, &z->begin);
                rule_day(&r, &z->end);
        }
        z->rule = true;
        return !r.bad && r.s.n == 0;
}

/* Seconds since 1970 of local time at which it begins in year y. */
static int64_t rule_begins(const zone_day *d, int64_t y)
{
        int64_t day = year_days(y);

        if (d->form == 'M') {
                int64_t first;
                for (int m = 1; m < d->m; m++)
                        day += month_days(y, m);
                first = (d->d - weekday(day) + 7) % 7;
                first += (int64_t)(d->w - 1) * 7;
                while (first >= month_days(y, d->m))
                        first -= 7;
                day += first;
        } else if (d->form == 'J') {
                day += d->d - 1 + (is_leap(y) && d->d >= 60);
        } else {
                day += d->d;
        }
        return day * DAY + d->time;
}

static int32_t rule_offset(const zone *z, int64_t t)
{
        int64_t y, begin, end;

        if (!z->dst)
                return z->std_off;
        y = year_of(floor_div(t + z->std_off, DAY));
        begin = rule_begins(&z->begin, y) - z->std_off;
        end = rule_begins(&z->end, y) - z->dst_off;
        if (begin < end)
                return t >= begin && t < end ? z->dst_off : z->std_off;
        return t >= end && t < begin ? z->std_off : z->dst_off;
}

/* ---- the file -------------------------------------------------------------------------- */

static uint64_t big_endian(const char *p, unsigned n)
{
        uint64_t v = 0;

        while (n-- > 0)
                v = v << 8 | (unsigned char)*p++;
        return v;
}

typedef struct counts {
        size_t isut, isstd, leap, time, type, chars;
} counts;

static bool read_header(odm_str s, counts *c)
{
        size_t *const v[] = {&c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars};

        if (s.n < HEADER || memcmp(s.p, "TZif", 4) != 0)
                return false;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                *v[i] = (size_t)big_endian(s.p + 20 + 4 * i, 4);
                if (*v[i] > ZONE_FILE_MAX)
                        return false;
        }
        return true;
}

static size_t block_size(const counts *c, unsigned width)
{
        return c->time * (width + 1) + c->type * 6 + c->chars + c->leap * (width + 4) + c->isstd +
               c->isut;
}

static int32_t type_offset(const zone *z, size_t type)
{
        return (int32_t)(uint32_t)big_endian(z->types.p + 6 * type, 4);
}

static bool types_ok(const zone *z)
{
        for (size_t i = 0; i < z->n_types; i++) {
                int32_t off = type_offset(z, i);
                if (off < -OFFSET_MAX || off > OFFSET_MAX)
                        return false;
        }
        for (size_t i = 0; i < z->n_times; i++)
                if ((unsigned char)z->indexes.p[i] >= z->n_types)
                        return false;
        return z->n_types > 0;
}

static bool take_line(odm_str s, odm_str *line)
{
        size_t n = 0;

        if (s.n < 2 || s.p[0] != '\n')
                return false;
        s = odm_str_from(s, 1);
        while (n < s.n && s.p[n] != '\n')
                n++;
        *line = odm_str_to(s, n);
        return n < s.n;
}

int zone_parse(odm_str file, zone *out)
{
        zone z = {0};
        odm_str s = file, line;
        counts c;

        if (s.n > ZONE_FILE_MAX || !read_header(s, &c) || s.p[4] < '2')
                return ODM_EMALFORMED;
        s = odm_str_from(s, HEADER + block_size(&c, 4));
        if (!read_header(s, &c))
                return ODM_EMALFORMED;
        s = odm_str_from(s, HEADER);
        if (block_size(&c, 8) >= s.n)
                return ODM_EMALFORMED;
        z.n_times = c.time;
        z.n_types = c.type;
        z.times = odm_str_to(s, c.time * 8);
        z.indexes = odm_str_to(odm_str_from(s, c.time * 8), c.time);
        z.types = odm_str_to(odm_str_from(s, c.time * 9), c.type * 6);
        if (!types_ok(&z) || !take_line(odm_str_from(s, block_size(&c, 8)), &line) ||
            !read_rule(line, &z))
                return ODM_EMALFORMED;
        *out = z;
        return 0;
}

int zone_fixed(odm_str text, zone *out)
{
        zone z = {.rule = true};
        reader r = {.s = text};

        if (!odm_str_is(text, "UTC") && !odm_str_is(text, "Z")) {
                if (text.n != 6 || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':')
                        return ODM_EMALFORMED;
                z.std_off = clock_time(&r, 23);
                if (r.bad || r.s.n > 0)
                        return ODM_EMALFORMED;
        }
        *out = z;
        return 0;
}

int32_t zone_offset(const zone *z, int64_t t)
{
        size_t lo = 0, hi = z->n_times;

        while (lo < hi) { /* how many changes are not behind t */
                size_t mid = lo + (hi - lo) / 2;
                if ((int64_t)big_endian(z->times.p + 8 * mid, 8) <= t)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        if (lo == z->n_times && z->rule)
                return rule_offset(z, t);
        return type_offset(z, lo ? (unsigned char)z->indexes.p[lo - 1] : 0);
}

/* ---- windows --------------------------------------------------------------------------- */

/* Of a moment in local time that is there twice the earlier one, of one that is not there one near
 * it. */
static int64_t to_utc(const zone *z, int64_t local)
{
        int64_t t = local - zone_offset(z, local - zone_offset(z, local));
        int64_t before = local - zone_offset(z, t - 6 * 3600);

        return before + zone_offset(z, before) == local ? before : t;
}

bool zone_open(const zone *z, const zone_window *v, size_t n, int64_t now, int64_t *edge)
{
        int64_t s = floor_div(now, 1000);
        int64_t today = floor_div(s + zone_offset(z, s), DAY), opens = INT64_MAX, closes = 0;

        if (n == 0) {
                *edge = INT64_MAX;
                return true;
        }
        for (int64_t day = today - 1; day <= today + 8; day++)
                for (size_t i = 0; i < n; i++) {
                        const zone_window *w = &v[i];
                        int64_t until = w->until + (w->until <= w->from ? DAY / 60 : 0);
                        int64_t b, e;

                        if (!(w->days >> (weekday(day) + 6) % 7 & 1))
                                continue;
                        b = to_utc(z, day * DAY + w->from * 60) * 1000;
                        e = to_utc(z, day * DAY + until * 60) * 1000;
                        if (b <= now && now < e && e > closes)
                                closes = e;
                        if (b > now && b < opens)
                                opens = b;
                }
        *edge = closes ? closes : opens;
        return closes != 0;
}
