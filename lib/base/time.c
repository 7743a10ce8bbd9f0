/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar text without the C library's clock or time zone: the proleptic
 * Gregorian calendar counted in days from 0000-03-01, so that leap days come last. */
#include <stdio.h>

#include "odm/base.h"

#define DAY 86400
#define WALL_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
        y -= m <= 2;
        int64_t era = y / 400;
        unsigned yoe = (unsigned)(y - era * 400);
        unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
        unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

        return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, unsigned *y, unsigned *m, unsigned *d)
{
        z += 719468;
        int64_t era = z / 146097;
        unsigned doe = (unsigned)(z - era * 146097);
        unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        unsigned mp = (5 * doy + 2) / 153;

        *d = doy - (153 * mp + 2) / 5 + 1;
        *m = mp < 10 ? mp + 3 : mp - 9;
        *y = yoe + (unsigned)era * 400 + (*m <= 2);
}

void odm_wall_format(odm_wall w, char out[ODM_WALL_TEXT])
{
        int64_t s = w.s < 0 ? 0 : w.s > WALL_MAX ? WALL_MAX : w.s;
        unsigned y, m, d, in_day = (unsigned)(s % DAY);

        civil_from_days(s / DAY, &y, &m, &d);
        (void)snprintf(out, ODM_WALL_TEXT, "%04u%02u%02uT%02u%02u%02uZ", y % 10000, m % 100,
                       d % 100, in_day / 3600 % 100, in_day / 60 % 60, in_day % 60);
}

static bool two(const char *p, unsigned *out)
{
        if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
                return false;
        *out = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
        return true;
}

int odm_wall_parse(odm_str s, odm_wall *out)
{
        static const unsigned char length[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        unsigned c, y, m, d, h, mi, se;

        if (s.n != 16 || s.p[8] != 'T' || s.p[15] != 'Z' || !two(s.p, &c) || !two(s.p + 2, &y) ||
            !two(s.p + 4, &m) || !two(s.p + 6, &d) || !two(s.p + 9, &h) || !two(s.p + 11, &mi) ||
            !two(s.p + 13, &se))
                return ODM_EMALFORMED;
        y += c * 100;
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
        if (y < 1970 || m < 1 || m > 12 || d < 1 || d > length[m - 1] || h > 23 || mi > 59 ||
            se > 59 || (m == 2 && d == 29 && !leap))
                return ODM_EMALFORMED;
        out->s = days_from_civil(y, m, d) * DAY + (int64_t)h * 3600 + (int64_t)mi * 60 + se;
        return 0;
}
