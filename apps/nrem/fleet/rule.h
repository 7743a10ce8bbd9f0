/* SPDX-License-Identifier: Apache-2.0 */
/* rule.h - when this happens, do that: what a rule says, and whether an event is meant.  Pure.
 *
 *     {"name": "reboot on panic", "on": "alarm.raised",
 *      "where": {"cause": "softwareProgramAbnormallyTerminated", "severity": ["critical",
 * "major"]}, "devices": {"prefix": "acme/"}, "again_after": 3600, "do": [{"job": {"commands":
 * [{"cmd": "exec", "uri": "./DiagMon/restart/Operations/Start"}]}},
 *             {"tag": "panicked"}, {"notify": "{device} panicked and is started again"}]}
 *
 * `on` is how the kind of event begins.  Every member of `where` has to hold of the member of that
 * name of the event's data: a text (which may end in '*'), a number or a truth value is what it has
 * to be, a list holds those one of which it has to be, {"above": n} and {"below": n} compare
 * numbers.  `devices` is a selector (selector.h); with one that says anything, events of no device
 * are not meant.  A rule fires for the same device again only after `again_after` seconds.
 *
 * In texts of `do`, {device}, {kind} and {NAME} of a member of the event's data are replaced.
 * Requirements: N3, G3. */
#ifndef NREM_RULE_H
#define NREM_RULE_H

#include "selector.h"
#include "table.h"

#define RULES_MAX 200
#define RULE_ACTIONS 8
#define RULE_TEXT 65536 /* octets of what it says */
#define RULE_AGAIN_S 60 /* when nothing is said */

typedef struct rule {
        int64_t id;
        odm_str name; /* unique */
        bool enabled;
        odm_str spec;        /* JSON: on, where, devices, do */
        int64_t again_after; /* seconds */
        int64_t fired;       /* times */
        int64_t last_fired;  /* ms since 1970; 0: never */
        int64_t created, changed;
        odm_str actor;
} rule;

enum {
        RULE_ID,
        RULE_NAME,
        RULE_ENABLED,
        RULE_SPEC,
        RULE_AGAIN_AFTER,
        RULE_FIRED,
        RULE_LAST_FIRED,
        RULE_CREATED,
        RULE_CHANGED,
        RULE_ACTOR,
        RULE_FIELDS
};

/* When a rule last fired for a device. */
typedef struct rule_shot {
        int64_t device, rule, at; /* device 0: for events of none */
} rule_shot;

extern const store_table table_rule, table_rule_shot;
#define RULE_BY_NAME 1 /* index of table_rule */

/* What a rule says, read. */
typedef struct rule_spec {
        odm_str on;
        const json_t *where; /* NULL: anything */
        selector devices;
        bool of_devices;       /* the selector says something */
        const json_t *actions; /* the list of `do` */
} rule_spec;

/* Reads on, where, devices and do of `o`; other members are the caller's.  What is wrong goes into
 * p.  Texts and JSON are borrowed from o, lists live in `a`.  True when nothing is wrong; *out is
 * written then only. */
bool rule_read(const json_t *o, problem *p, odm_arena *a, rule_spec *out);

/* Whether the event is meant, as far as kind and data tell; the device is the caller's to look at
 * (selector_has(), of_devices). */
bool rule_means(const rule_spec *r, odm_str kind, const json_t *data);

/* A copy of `v` in which all texts are filled in from the event; NULL when memory is out. */
json_t *rule_filled(const json_t *v, odm_str kind, odm_str device, const json_t *data);

#endif
