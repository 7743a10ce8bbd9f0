/* SPDX-License-Identifier: Apache-2.0 */
/* alarm.h - what an alarm is, and what becomes of it.
 *
 *             raise                 raise: repeated, or changed
 *     (none) ------> ACTIVE ------------------------------+
 *                     |  ^  <-----------------------------+
 *               clear |  | raise, which begins a new count
 *                     v  |
 *                    CLEARED      acknowledge, comment: in either state
 *
 * An alarm is known by its device, cause and source: the same again is one alarm still, and
 * counted. Pure: no store, thread or clock.  Facts: xrem.md N3, mo-diagmon.md 7.9; severities,
 * event types and probable causes are those of ITU-T X.733. */
#ifndef NREM_ALARM_H
#define NREM_ALARM_H

#include "odm/base.h"

typedef enum alarm_severity { /* rising */
                              ALARM_NONE,
                              ALARM_INDETERMINATE,
                              ALARM_WARNING,
                              ALARM_MINOR,
                              ALARM_MAJOR,
                              ALARM_CRITICAL
} alarm_severity;
#define ALARM_SEVERITIES 6
extern const char *const alarm_severities[ALARM_SEVERITIES + 1]; /* "cleared" ..., then NULL */
bool alarm_severity_parse(odm_str s, alarm_severity *out);       /* ASCII case is ignored */

typedef enum alarm_type {
        ALARM_COMMUNICATIONS,
        ALARM_QUALITY,
        ALARM_PROCESSING,
        ALARM_EQUIPMENT,
        ALARM_ENVIRONMENT
} alarm_type;
#define ALARM_TYPES 5
extern const char *const alarm_types[ALARM_TYPES + 1]; /* "communicationsAlarm" ... */
bool alarm_type_parse(odm_str s, alarm_type *out);
/* Whether it is one of X.733's probable causes ("thresholdCrossed"), letter by letter. */
bool alarm_probable_known(odm_str s);

#define ALARM_CAUSE_MAX 128
#define ALARM_SOURCE_MAX 255
#define ALARM_TEXT_MAX 512

/* Causes with a meaning of their own. */
#define ALARM_UNREACHABLE "unreachable"
#define ALARM_UPDATE "update-failed"
#define ALARM_THRESHOLD "threshold-crossed"

/* What somebody says about an alarm. */
typedef struct alarm_news {
        bool clear;              /* it is over; else it is there */
        odm_str cause, source;   /* at most ALARM_CAUSE_MAX and ALARM_SOURCE_MAX octets */
        alarm_severity severity; /* of one that is there; never ALARM_NONE */
        int type;                /* alarm_type; -1: not known */
        odm_str probable;        /* one of X.733's; absent: not known */
        odm_str text;            /* for people; absent or empty: none, or as before */
        bool covered;            /* it follows from the loss of the device's gateway */
} alarm_news;

/* What is kept of it and can change. */
typedef struct alarm_state {
        bool known;  /* there is such an alarm, active or cleared */
        bool active; /* not cleared */
        bool hidden; /* active, but covered: nobody is told */
        bool acked;
        alarm_severity severity; /* the last one while it was active */
        uint32_t count;          /* told so often since it was raised */
        odm_str text;
} alarm_state;

typedef enum alarm_step {
        ALARM_NOTHING,      /* nobody learns anything: a clear of none that is active */
        ALARM_RAISED,       /* new, or active again */
        ALARM_REPEATED,     /* as it stands, counted */
        ALARM_CHANGED,      /* counted, with another severity or text; or no longer covered */
        ALARM_CLEARED,      /* over */
        ALARM_ACKNOWLEDGED, /* or no longer so */
        ALARM_COMMENTED
} alarm_step;
/* "raised" ...: the event is "alarm." and this.  NULL for ALARM_NOTHING. */
const char *alarm_step_word(alarm_step s);

/* What comes of the news; *s becomes what is to be kept.  Texts are borrowed from either. */
alarm_step alarm_hear(alarm_state *s, const alarm_news *n);
/* An operator has seen it (or not, after all).  ALARM_NOTHING when that was said already. */
alarm_step alarm_acknowledge(alarm_state *s, bool acked);
/* An operator gives an active alarm another severity.  ALARM_NOTHING: it has that, or is over. */
alarm_step alarm_judge(alarm_state *s, alarm_severity severity);
/* The gateway of its device is lost, or there again.  Uncovered, an active alarm is ALARM_RAISED:
 * only now is anybody told. */
alarm_step alarm_cover(alarm_state *s, bool covered);

/* Whether an alarm of `cause` follows from the loss of the gateway in front of the device: what can
 * be said only because nothing is heard of it. */
bool alarm_follows(odm_str cause, bool gateway_lost);

/* Whether people count it: active and not hidden. */
static inline bool alarm_counts(const alarm_state *s)
{
        return s->active && !s->hidden;
}

#endif
