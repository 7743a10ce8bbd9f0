/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - what devices are to have: nodes of their trees and values, and what to say of those
 * that have something else.  Pure.
 *
 *     {"name": "report often", "devices": {"tags": ["outdoor"]}, "mode": "enforce", "every": 3600,
 *      "nodes": [{"uri": "./Vendor/xrem/Config/Interval", "format": "int", "data": "600"},
 *                {"uri": "./Vendor/old", "absent": true}]}
 *
 * Texts of nodes are filled in for each device as those of a campaign are (campaign_fill()):
 * ${device}, ${devid}, ${model}, ${tag.site} ...
 *
 * Where two templates that are for the same device name the same node, or one wants gone what the
 * other wants there, the one of higher priority decides; of equals the older.
 *
 * A node is compared by its value: `int` as a number, `bool` without regard to letters' case, all
 * else octet by octet; an interior node (format `node`) by being there.  Format and type are what
 * it is written with.  A node that cannot be read, or is secret, is not compared: it is written
 * once for each revision of its template, and where it is missing.
 *
 *     UNKNOWN --checked--> CONFORM <--> DRIFTED (mode watch)
 *                             ^  \
 *                             |   '--> APPLYING (mode enforce) --given up--> FAILED
 *                             '------------'                                    |
 *                             '-------------- found as wanted, at a check ------'
 * Facts: xrem.md N1. */
#ifndef NREM_TEMPLATE_H
#define NREM_TEMPLATE_H

#include "campaign.h"
#include "selector.h"
#include "table.h"

#define TEMPLATES_MAX 200
#define TEMPLATE_NODES 100
#define TEMPLATE_TEXT 262144 /* octets of what it says */
#define TEMPLATE_EVERY_S 3600
#define TEMPLATE_SHOWN 200 /* octets of a value in a difference */
#define TEMPLATE_TRIES 5   /* to put a device right, before it is given up */

typedef enum template_state {
        TEMPLATE_UNKNOWN,
        TEMPLATE_CONFORM,
        TEMPLATE_DRIFTED,
        TEMPLATE_APPLYING,
        TEMPLATE_FAILED,
} template_state;
#define TEMPLATE_STATES 5
extern const char *const template_states[]; /* up to a NULL; the others too */

typedef enum template_mode { TEMPLATE_WATCH, TEMPLATE_ENFORCE } template_mode;
extern const char *const template_modes[];

/* ---- rows --------------------------------------------------------------------------------- */

typedef struct template_row {
        int64_t id;
        odm_str name; /* unique */
        bool enabled;
        uint32_t mode;
        bool atomic;             /* in one Atomic, where the device can */
        int64_t priority, every; /* seconds */
        odm_str spec;            /* JSON: devices, nodes */
        int64_t rev;             /* rises with each change */
        int64_t unknown, conform, drifted, applying, failed; /* devices in that state */
        int64_t created, changed;
        odm_str actor;
} template_row;

#define TEMPLATE_FIELDS(X) \
        X(id, I64)         \
        X(name, STR)       \
        X(enabled, BOOL)   \
        X(mode, U32)       \
        X(atomic, BOOL)    \
        X(priority, I64)   \
        X(every, I64)      \
        X(spec, STR)       \
        X(rev, I64)        \
        X(unknown, I64)    \
        X(conform, I64)    \
        X(drifted, I64)    \
        X(applying, I64)   \
        X(failed, I64)     \
        X(created, I64)    \
        X(changed, I64)    \
        X(actor, STR)

typedef enum template_phase {
        PHASE_IDLE,
        PHASE_CHECKING,
        PHASE_APPLYING,
        PHASE_VERIFYING, /* checked after it was applied */
} template_phase;

/* A device and a template that selects it. */
typedef struct template_item {
        int64_t dev, tmpl;
        odm_str name; /* of the device */
        uint32_t state, phase;
        int64_t since;     /* in that state, ms since 1970 */
        int64_t due;       /* to be looked at */
        int64_t checked;   /* when it was last compared; 0: never */
        int64_t turn;      /* jobs ordered, by which the last one is known */
        uint32_t tries;    /* to put it right, in a row */
        int64_t seen_rev;  /* of the template, when it was last looked at */
        int64_t wrote_rev; /* of the template, when it was last applied and taken */
        odm_str diff;      /* JSON, template_difference(); empty: none */
        odm_str reason;
} template_item;

#define TEMPLATE_ITEM_FIELDS(X) \
        X(dev, I64)             \
        X(tmpl, I64)            \
        X(name, STR)            \
        X(state, U32)           \
        X(phase, U32)           \
        X(since, I64)           \
        X(due, I64)             \
        X(checked, I64)         \
        X(turn, I64)            \
        X(tries, U32)           \
        X(seen_rev, I64)        \
        X(wrote_rev, I64)       \
        X(diff, STR)            \
        X(reason, STR)

#define X(f, KIND) TEMPLATE_F_##f,
enum { TEMPLATE_FIELDS(X) TEMPLATE_FIELD_COUNT };
#undef X
#define X(f, KIND) TEMPLATE_ITEM_F_##f,
enum { TEMPLATE_ITEM_FIELDS(X) TEMPLATE_ITEM_FIELD_COUNT };
#undef X

extern const store_table table_template, table_template_item;
#define TEMPLATE_BY_NAME 1
#define TEMPLATE_ITEM_BY_DUE 1   /* due */
#define TEMPLATE_ITEM_BY_NAME 2  /* tmpl, name */
#define TEMPLATE_ITEM_BY_STATE 3 /* tmpl, state, name */
#define TEMPLATE_ITEM_OF_NAME 4  /* name */

/* The tally of a state. */
int64_t *template_tally(template_row *r, template_state s);
uint64_t template_tally_field(template_state s);

/* ---- what it says ------------------------------------------------------------------------- */

typedef struct template_spec {
        selector devices;
        const json_t *nodes; /* the list */
} template_spec;

/* Reads devices and nodes of `o`; other members are the caller's.  What is wrong goes into p.
 * Texts and JSON are borrowed from o, lists live in `a`.  True when nothing is wrong; *out is
 * written then only. */
bool template_read(const json_t *o, problem *p, odm_arena *a, template_spec *out);

/* ---- one device ---------------------------------------------------------------------------- */

typedef enum template_finding {
        FINDING_UNASKED, /* not read yet */
        FINDING_SAME,
        FINDING_DIFFERS,
        FINDING_MISSING,    /* wanted, and not there */
        FINDING_EXTRA,      /* there, and wanted gone */
        FINDING_UNREADABLE, /* or secret: not compared */
        FINDING_OVERRULED,  /* another template decides */
} template_finding;
extern const char *const template_findings[];

typedef struct template_node {
        odm_str uri, format, type; /* absent: not said */
        odm_str value;             /* octets; absent: none */
        bool absent;               /* it is not to be there */
        bool secret;               /* said so, or by its name */
        odm_str overruled;         /* by the template of that name; absent: not */
        template_finding finding;
        uint32_t status; /* of the device, when it was read */
        odm_str found;   /* octets */
} template_node;

typedef struct template_list {
        template_node *v;
        size_t n;
} template_list;

/* The nodes for one device, in `a`.  0; ODM_ENOENT with the variable in `which` that has no value
 * for it, ODM_EMALFORMED with one that is none; ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int template_fill(const json_t *nodes, const campaign_vars *vars, odm_arena *a,
                               template_list *out, char which[CAMPAIGN_VAR]);
/* Marks the nodes of `l` that `higher`, a template called so, decides. */
void template_overrule(template_list *l, const template_list *higher, odm_str name);

/* The commands that read what is wanted, JSON in `a`; "[]" when there is nothing to read.  Absent
 * when memory is out. */
odm_str template_gets(const template_list *l, odm_arena *a);

/* One answer to those: finding of the node with that URI.  `value` is borrowed. */
void template_found(template_list *l, odm_str uri, uint32_t status, odm_str value);

/* Whether a node was not asked for. */
bool template_is_open(const template_list *l);
/* Whether anything is to be put right; `write`: also what cannot be compared. */
bool template_differs(const template_list *l, bool write);
/* The commands that put it right, JSON in `a`; absent when memory is out. */
odm_str template_fixes(const template_list *l, bool atomic, bool write, odm_arena *a);
/* What is not as wanted, and what cannot be told, as JSON in `a`: a list of {"uri", "is": finding,
 * "wanted", "found", "status", "by"}; values are cut, and those of secrets left out.  Empty when
 * there is nothing; absent when memory is out. */
odm_str template_difference(const template_list *l, odm_arena *a);

/* ms until the next try after so many. */
int64_t template_delay(uint32_t tries);

/* A copy of `nodes` for people: secrets without their values; NULL: out of memory. */
json_t *template_public(const json_t *nodes);
/* Values of secrets that `nodes` leaves out are taken from `old` (may be NULL), by URI.
 * ODM_ENOMEM. */
ODM_MUST_USE int template_keep_secrets(json_t *nodes, const json_t *old);

#endif
