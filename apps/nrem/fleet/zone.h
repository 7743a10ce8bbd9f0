/* SPDX-License-Identifier: Apache-2.0 */
/* zone.h - local time of a zone, from a file of the time zone database (RFC 8536), and windows of
 * the week in it.  Pure: nothing here reads a file, the clock or TZ.
 *
 * Behind the last change that a file lists its rule holds (the TZ text at its end). */
#ifndef NREM_ZONE_H
#define NREM_ZONE_H

#include "odm/base.h"

#define ZONE_NAME_MAX 64
#define ZONE_FILE_MAX ((size_t)64 << 10)

typedef struct zone_day { /* when a rule begins */
        char form;        /* 'M': the w-th d of month m; 'J': day d, 1 to 365; 'n': day d from 0 */
        int m, w, d;
        int32_t time; /* seconds of the day; may be below 0 or beyond a day */
} zone_day;

typedef struct zone {
        odm_str times;   /* n_times of 8 octets, as in the file */
        odm_str indexes; /* n_times of one */
        odm_str types;   /* n_types of 6 */
        size_t n_times, n_types;
        bool rule; /* the rest is set */
        bool dst;
        int32_t std_off, dst_off;
        zone_day begin, end;
} zone;

/* Names such as "Europe/Paris": what may be looked for in the database. */
bool zone_name_ok(odm_str name);
/* "UTC", "Z" and offsets such as "+02:00", which need no file.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int zone_fixed(odm_str text, zone *out);
/* Borrows `file` as long as the zone is used.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int zone_parse(odm_str file, zone *out);
/* Seconds that local time is ahead of UTC at `t`, seconds since 1970. */
int32_t zone_offset(const zone *z, int64_t t);

#define ZONE_WINDOWS 16
#define ZONE_DAYS 0x7f
typedef struct zone_window {
        uint8_t days;         /* bits from Monday; of the day on which it opens */
        uint16_t from, until; /* minutes of the day; until <= from is of the next day */
} zone_window;

/* Whether one of the n windows is open at `now` (ms since 1970), and in *edge when that changes;
 * without windows it always is (*edge INT64_MAX). */
bool zone_open(const zone *z, const zone_window *v, size_t n, int64_t now, int64_t *edge);

#endif
