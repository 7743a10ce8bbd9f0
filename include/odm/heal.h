/* SPDX-License-Identifier: Apache-2.0 */
/* heal.h - a device that is not what it should be: how that is judged, and what is done about it,
 * in which order and how often (xrem.md G10).
 *
 *     UNKNOWN --> CHECKING --good--> WELL --every so often--> CHECKING
 *                    |                 ^
 *                  faults           good: released
 *                    v                 |
 *            quarantined: HEALING --> PROVING --faults--> RESTING --> HEALING ...
 *                                                    \--too often--> LOST --every so often-->
 * PROVING
 *
 * No clock and no I/O: times are milliseconds of one clock, which the caller reads. */
#ifndef ODM_HEAL_H
#define ODM_HEAL_H

#include "odm/base.h"

enum odm_heal_fault {                       /* bits */
                      ODM_HEAL_VERSION = 1, /* it runs another firmware than it should */
                      ODM_HEAL_HASH = 2,    /* what it runs has been changed */
                      ODM_HEAL_CONFIG = 4,  /* it is configured otherwise */
};

typedef struct odm_heal_rule { /* what a device should be; what is empty is not judged */
        odm_str version, hash; /* hash in hexadecimal, letters of either case */
} odm_heal_rule;

typedef struct odm_heal_facts { /* what it says */
        odm_str version;        /* absent: it has none */
        odm_str hash;           /* absent: it tells none, which is no fault */
        unsigned differing;     /* leaves of the stored configuration that are not as stored */
} odm_heal_facts;

unsigned odm_heal_judge(const odm_heal_rule *r, const odm_heal_facts *f); /* odm_heal_fault bits */
/* "runs another version, is configured otherwise". */
#define ODM_HEAL_TEXT 128
void odm_heal_text(unsigned faults, char out[ODM_HEAL_TEXT]);
/* Whether a leaf has the value that is stored: as text; numbers and booleans by what they say. */
bool odm_heal_same(odm_str is, odm_str stored);

typedef enum odm_heal_state {
        ODM_HEAL_UNKNOWN,
        ODM_HEAL_CHECKING,
        ODM_HEAL_WELL,
        ODM_HEAL_HEALING,
        ODM_HEAL_PROVING,
        ODM_HEAL_RESTING,
        ODM_HEAL_LOST,
} odm_heal_state;
const char *odm_heal_state_name(odm_heal_state s); /* "HEALING" */

typedef struct odm_heal { /* of one device; zeroed: UNKNOWN */
        odm_heal_state state;
        unsigned faults, tries;
        int64_t due; /* when ODM_HEAL_TIME is to be said; INT64_MAX: no need */
} odm_heal;

typedef struct odm_heal_terms {
        int64_t every_ms; /* between two looks at one that is well; 0: when it attaches alone */
        unsigned tries;   /* to heal one, at most */
} odm_heal_terms;

typedef enum odm_heal_event {
        ODM_HEAL_SEEN,     /* it attached, or is awake */
        ODM_HEAL_FOUND,    /* a look ended, with `faults` */
        ODM_HEAL_SILENT,   /* a look could not be made */
        ODM_HEAL_DONE,     /* what was ordered ended, well or not */
        ODM_HEAL_TIME,     /* `due` has come */
        ODM_HEAL_MEANS,    /* what it is healed by was missing, and is there now */
        ODM_HEAL_RELEASED, /* somebody else took it out of quarantine, or put it there */
} odm_heal_event;

enum odm_heal_action { /* bits; at most one of LOOK, INSTALL, CONFIGURE */
                       ODM_HEAL_LOOK = 1,
                       ODM_HEAL_QUARANTINE = 2,
                       ODM_HEAL_INSTALL = 4,   /* the image that it should run */
                       ODM_HEAL_CONFIGURE = 8, /* the stored configuration */
                       ODM_HEAL_RELEASE = 16,
                       ODM_HEAL_GIVE_UP = 32, /* it stays where it is, and people are told */
};

/* What an event leads to. */
unsigned odm_heal_hear(odm_heal *h, odm_heal_event e, unsigned faults, const odm_heal_terms *t,
                       int64_t now);

#endif
