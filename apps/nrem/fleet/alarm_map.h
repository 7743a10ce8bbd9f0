/* SPDX-License-Identifier: Apache-2.0 */
/* alarm_map.h - which alert means which alarm.
 *
 * A rule names alerts by their type, or alarms by their cause, and says what they mean.  Rules of
 * an operator come before those built in, the first that fits counts, and what it does not say is
 * taken from the next one:
 *
 *     [{"alert": "urn:example:hot", "cause": "overheat", "severity": "major"},
 *      {"alert": "urn:example:cool", "cause": "overheat", "clears": true},
 *      {"cause": "integrity", "severity": "critical"},
 *      {"cause": "urn:oma:mo:oma-diagmontrap:geo:*", "ignore": true}]
 *
 * A name with '*' at its end stands for all that begin so.  Pure: docs/alarms.md has the table. */
#ifndef NREM_ALARM_MAP_H
#define NREM_ALARM_MAP_H

#include <jansson.h>

#include "alarm.h"
#include "problem.h"

#define ALARM_RULES_MAX 256

typedef enum alarm_how { /* how an alert is read */
                         ALARM_RAISES,
                         ALARM_CLEARS,
                         ALARM_BY_RESULT, /* a result code: of failure raises, of success clears */
                         ALARM_BY_RECORD, /* the device says all of it (alarm_record.h) */
                         ALARM_IGNORED
} alarm_how;

typedef struct alarm_rule {
        odm_str alert;           /* type of the alert; absent: the rule is about a cause */
        odm_str cause;           /* of the alarm it makes; or which causes it is about */
        alarm_how how;           /* about a cause: RAISES or IGNORED */
        alarm_severity severity; /* ALARM_NONE: as it is told, or as the next rule says */
        int type;                /* alarm_type; -1: the next rule */
        odm_str probable;        /* absent: the next rule */
} alarm_rule;

typedef struct alarm_map {
        const alarm_rule *v; /* an operator's, n of them; texts are borrowed from their JSON */
        size_t n;
} alarm_map;

/* Reads an operator's rules; what is wrong is in `p`.  False then, or when the arena is full. */
bool alarm_map_read(const json_t *rules, odm_arena *a, alarm_map *out, problem *p);
/* Those built in, as JSON of the same form, for people; NULL: out of memory. */
json_t *alarm_map_built_in(void);

typedef struct alarm_alert { /* what a device told; each may be absent */
        odm_str type, source, mark, data;
} alarm_alert;

/* 1: the alert is news of an alarm, *out, texts in `a` or borrowed; 0: it is none, or is to be
 * ignored; ODM_ENOMEM, ODM_ELIMIT (the arena). */
ODM_MUST_USE int alarm_map_alert(const alarm_map *m, const alarm_alert *al, odm_arena *a,
                                 alarm_news *out);
/* Puts what the rules say of the cause to news that others than devices bring: a severity where
 * that is ALARM_NONE, type and probable cause where they are not said (type -1).  False: to be
 * ignored.  Severity of an operator's rule wins over what is told. */
bool alarm_map_cause(const alarm_map *m, alarm_news *n);

/* The cause of a trap's alarm by where the trap stands: its TrapID as our devices have it
 * (docs/traps.md), else "trap".  ODM_ABSENT when the arena is full. */
odm_str alarm_trap_cause(odm_str source, odm_arena *a);

#endif
