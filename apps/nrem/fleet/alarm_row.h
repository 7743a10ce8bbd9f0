/* SPDX-License-Identifier: Apache-2.0 */
/* alarm_row.h - alarms as they are kept, and the one way to change them. */
#ifndef NREM_ALARM_ROW_H
#define NREM_ALARM_ROW_H

#include <pthread.h>
#include <stdatomic.h>

#include "alarm_map.h"
#include "fleet.h"
#include "table.h"

#define ALARM_NOTES 100 /* lines of history an alarm has; the oldest go */

enum alarm_row_state { ALARM_ROW_CLEARED, ALARM_ROW_ACTIVE, ALARM_ROW_HIDDEN };

typedef struct alarm_row {
        int64_t device, id;
        odm_str cause, source;
        uint32_t state, severity; /* alarm_row_state, alarm_severity */
        int32_t type;             /* alarm_type; -1 */
        odm_str probable, text;
        uint32_t count;
        int64_t raised;  /* began */
        int64_t seen;    /* was so last, as far as was told */
        int64_t changed; /* anything happened to it: lists are in this order */
        int64_t cleared; /* 0: is active */
        uint32_t acked;  /* 0 or 1 */
        odm_str acked_by;
        int64_t acked_at;
        odm_str actor;   /* who raised it; empty: the device or the server */
        odm_str name;    /* the device's, for prefixes */
        int64_t gateway; /* its device; 0: none that matters */
        uint32_t notes;  /* lines of history written so far */
        int64_t rev;     /* rises with each change */
} alarm_row;

enum alarm_field {
        AF_DEVICE,
        AF_ID,
        AF_CAUSE,
        AF_SOURCE,
        AF_STATE,
        AF_SEVERITY,
        AF_TYPE,
        AF_PROBABLE,
        AF_TEXT,
        AF_COUNT,
        AF_RAISED,
        AF_SEEN,
        AF_CHANGED,
        AF_CLEARED,
        AF_ACKED,
        AF_ACKED_BY,
        AF_ACKED_AT,
        AF_ACTOR,
        AF_NAME,
        AF_GATEWAY,
        AF_NOTES,
        AF_REV,
        AF_N
};

enum alarm_index {
        ALARM_BY_WHAT = 1, /* device, cause, source; unique */
        ALARM_BY_ID,
        ALARM_BY_CHANGE,
        ALARM_BY_STATE,    /* state, changed */
        ALARM_BY_SEVERITY, /* state, severity, changed */
        ALARM_BY_DEVICE,   /* device, changed */
        ALARM_BY_NAME,     /* state, severity, acked, name: counts */
        ALARM_BY_GATEWAY,  /* gateway, state */
};

typedef struct alarm_note { /* a line of history: a ring of ALARM_NOTES */
        int64_t device, alarm, slot;
        int64_t n, at; /* of all that were written; when */
        uint32_t step, severity;
        odm_str text, actor;
} alarm_note;

/* How many there are, by severity: one row, changed in the same batch as the alarms. */
typedef struct alarm_tally {
        int64_t id;                                                         /* 1 */
        int64_t active[ALARM_SEVERITIES - 1], unseen[ALARM_SEVERITIES - 1]; /* from indeterminate */
        int64_t hidden, rev;
        int64_t last_id; /* highest number given to an alarm, or more */
} alarm_tally;

typedef struct alarm_gate { /* a gateway whose devices' alarms have to be looked at */
        int64_t device, at;
} alarm_gate;

extern const store_table table_alarm, table_alarm_note, table_alarm_tally, table_alarm_gate;

typedef struct alarm_self {
        const fleet_host *host;
        int64_t keep;        /* cleared ones, milliseconds */
        uint32_t per_device; /* at most */
        _Atomic int64_t last_id;
        _Atomic uint64_t dropped; /* above the ceiling */
        bool recount;             /* the tally has to be compared */
        int64_t recount_at, trim_at;
        pthread_rwlock_t lock; /* of the rules: */
        json_t *rules;         /* an operator's; NULL: none */
        odm_arena map_arena;
        alarm_map map;
} alarm_self;

#define ALARM_RULES_SETTING ODM_STR("alarm.rules")

/* What is said and by whom. */
typedef struct alarm_word {
        int64_t device;
        odm_str name;    /* of the device */
        odm_str actor;   /* empty: the device or the server */
        int64_t gateway; /* 0: none */
        int64_t at;      /* when it was so, of what is told late; 0: now */
        const alarm_news *news;
} alarm_word;

/* Adds to the turn's batch what the news makes of the alarm: rows, history, tally, event.
 * *step and *out (may be NULL) say what it became; out->id is 0 where there is none.
 * 0; ODM_ELIMIT: the device has too many, and none of them is over; ODM_ENOMEM; as store reads. */
ODM_MUST_USE int alarm_put(alarm_self *s, fleet_turn *t, const alarm_word *w, alarm_step *step,
                           alarm_row *out);
/* The same for what people and gateways do: `was` becomes `row` by that step, which was at `at`,
 * and whose line of history has `text` and `actor`. */
typedef struct alarm_act {
        alarm_step step;
        int64_t at;
        odm_str text, actor;
} alarm_act;
ODM_MUST_USE int alarm_move(fleet_turn *t, const alarm_row *was, alarm_row *row,
                            const alarm_act *act);
/* The row and its history go. */
ODM_MUST_USE int alarm_forget(fleet_turn *t, const alarm_row *r);
void alarm_state_of(const alarm_row *r, alarm_state *out);
void alarm_state_to(alarm_row *r, const alarm_state *s);

/* Counts by severity of alarms whose devices' names begin with `prefix` (empty: of all), by the
 * index and not the tally: the time it takes rises with their number.  None is counted beyond
 * `most`. */
ODM_MUST_USE int alarm_count(store *st, odm_str prefix, uint64_t most, alarm_tally *out);

#endif
