/* SPDX-License-Identifier: Apache-2.0 */
/* recur.h - due times of schedules: times of day as text, the rules by which they come again, and
 * local time.
 *
 * A time with Z is UTC.  One without is local time: what the clock on the wall shows, whose
 * distance from UTC the host tells as a function of the moment.  A local time that does not exist,
 * for the clock is put forward over it, is the first moment after the gap; one that comes twice is
 * the first of the two.
 *
 * Facts: mo-scheduling.md 4. */
#ifndef ODM_RECUR_H
#define ODM_RECUR_H

#include "odm/base.h"

/* Where local time is, in seconds east of Greenwich, at the moment `at`; between -24 h and 24 h. */
typedef struct odm_zone {
        int32_t (*offset)(void *ctx, odm_wall at); /* NULL: local time is UTC */
        void *ctx;
} odm_zone;

typedef struct odm_moment {
        int64_t s;  /* seconds since 1970-01-01T00:00:00 on its own clock */
        bool local; /* that of the wall, else UTC */
} odm_moment;

/* "YYYYMMDDThhmmssZ" or without Z; years 1970 to 9999.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int odm_moment_parse(odm_str s, odm_moment *out);
/* When it is. */
odm_wall odm_moment_wall(odm_moment m, const odm_zone *z);
/* The local time of a moment. */
odm_moment odm_moment_local(odm_wall w, const odm_zone *z);

typedef enum odm_freq {
        ODM_FREQ_ONCE, /* no rule */
        ODM_FREQ_MINUTELY,
        ODM_FREQ_HOURLY,
        ODM_FREQ_DAILY,
        ODM_FREQ_WEEKLY,
        ODM_FREQ_MONTHLY,
        ODM_FREQ_YEARLY
} odm_freq;

#define ODM_RECUR_COUNT 9999 /* the largest COUNT and INTERVAL */
#define ODM_RECUR_YEARS 100  /* what is further away than this never comes */

/* A rule of iCalendar (RFC 5545) with FREQ, INTERVAL, COUNT or UNTIL, BYDAY, BYMONTHDAY, BYHOUR and
 * BYMINUTE.  Weeks begin on Monday. */
typedef struct odm_recur {
        odm_freq freq;
        unsigned interval, count; /* count 0: without end */
        bool has_until;
        odm_moment until;    /* the last moment that counts */
        uint8_t days;        /* bit 0: Monday; 0: any */
        uint32_t month_days; /* bit 1: the first; 0: any */
        uint32_t hours;      /* 0: any */
        uint64_t minutes;    /* 0: any */
} odm_recur;

/* Reads a rule; letters of either case.  A part that stands twice, COUNT beside UNTIL, BYMONTHDAY
 * in a weekly rule, and all parts that are not named above are refused.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int odm_recur_parse(odm_str rule, odm_recur *out);
/* Whether its times are a fixed number of seconds apart, whatever the calendar says. */
bool odm_recur_is_interval(const odm_recur *r);
/* The first due time after `after`.  `base` is the first of all, also where the rule leaves it out.
 * Returns 1, or 0 when there is none. */
int odm_recur_next(const odm_recur *r, odm_moment base, const odm_zone *z, odm_wall after,
                   odm_wall *out);
/* The latest due time after `after` and not after `now`, and how many there are between, at most
 * ODM_RECUR_COUNT.  Returns 1, or 0 when there is none. */
int odm_recur_latest(const odm_recur *r, odm_moment base, const odm_zone *z, odm_wall after,
                     odm_wall now, odm_wall *out, unsigned *n);

#endif
