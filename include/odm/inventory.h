/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.h - the devices that a gateway knows: what states they are in and when those end by
 * themselves, which mode they are managed in, and the language that selects some of them.
 *
 *                    seen                asleep
 *     PROVISIONED ----------> ACTIVE <-----------> ASLEEP
 *                               ^  \               /   silent when it was expected
 *                          seen |   v             v
 *                               +-- UNREACHABLE <-+
 *     any but PROVISIONED, DEACTIVATED --gone, silent for too long--> DETACHED --seen--> ACTIVE
 *     any --switched off--> DEACTIVATED --switched on--> DETACHED, or PROVISIONED if never seen
 *
 * No clock and no I/O: times are milliseconds of one clock, which the caller reads.
 * Facts: gwmo.md 3, 4 and 5. */
#ifndef ODM_INVENTORY_H
#define ODM_INVENTORY_H

#include "odm/msg.h"

typedef enum odm_inv_state { /* Records/<x>/State */
                             ODM_INV_PROVISIONED = 0,
                             ODM_INV_ACTIVE = 1,
                             ODM_INV_ASLEEP = 2,
                             ODM_INV_UNREACHABLE = 3,
                             ODM_INV_DETACHED = 4,
                             ODM_INV_DEACTIVATED = 5,
} odm_inv_state;
#define ODM_INV_STATES 6

typedef enum odm_inv_mode { /* Records/<x>/Mode */
                            ODM_INV_TRANSPARENT = 1,
                            ODM_INV_PROXY = 2,
                            ODM_INV_ADAPTATION = 3,
} odm_inv_mode;

enum odm_inv_reason { /* of a detach: gwmo.md 5.1 */
                      ODM_INV_DEREGISTERED = 1,
                      ODM_INV_EXPIRED = 2,
                      ODM_INV_LINK_LOST = 3,
                      ODM_INV_OPERATOR = 4,
};

/* ---- a device's state ------------------------------------------------------------------------ */

#define ODM_INV_NEVER INT64_MAX

typedef struct odm_inv {
        odm_inv_state state;
        bool known;                             /* it has been seen at some time */
        int64_t seen;                           /* when it was heard of last */
        int64_t awake_until;                    /* ACTIVE: ODM_INV_NEVER until it says so */
        int64_t next_wake;                      /* ASLEEP: when it is awaited; 0: not known */
        int64_t lifetime, wake_interval, awake; /* milliseconds; 0: not known.  -1: never sleeps */
} odm_inv;

typedef struct odm_inv_terms { /* what Config and the configuration say, milliseconds */
        int64_t grace;         /* Alerts/DetachGrace; 0: the lifetime is all there is */
        int64_t kept;          /* how long a record outlives its detach; 0: for ever */
} odm_inv_terms;

typedef enum odm_inv_event {
        ODM_INV_SEEN,   /* it attached, or told something of itself */
        ODM_INV_AWAKE,  /* it can be spoken to, for `ms` (0: until it sleeps) */
        ODM_INV_SLEEPS, /* it is awaited in `ms` (0: by its pattern) */
        ODM_INV_GONE,
        ODM_INV_LOST, /* nobody speaks for it any more */
        ODM_INV_TIME, /* nothing happened */
        ODM_INV_ON,   /* the operator, or who healed it */
        ODM_INV_OFF,  /* the operator, or who found it broken */
} odm_inv_event;

typedef enum odm_inv_news { /* what others are to hear; bits */
                            ODM_INV_ATTACHED = 1 << 0,
                            ODM_INV_BACK = 1 << 1, /* with ATTACHED: it was here before */
                            ODM_INV_WOKE = 1 << 2,
                            ODM_INV_SLEPT = 1 << 3,
                            ODM_INV_WENT = 1 << 4,    /* detached */
                            ODM_INV_LATE = 1 << 5,    /* with WENT: it was silent for too long */
                            ODM_INV_MOVED = 1 << 6,   /* the state is another */
                            ODM_INV_TELL = 1 << 7,    /* a DeviceState alert (gwmo.md 1.2) */
                            ODM_INV_REFUSED = 1 << 8, /* it is switched off: not to be served */
                            ODM_INV_OVER = 1 << 9,    /* the record's time has come */
} odm_inv_news;

/* What `e` makes of it at `now`; what follows from times that have passed comes first.  Returns
 * odm_inv_news bits. */
unsigned odm_inv_hear(odm_inv *v, odm_inv_event e, int64_t ms, const odm_inv_terms *t, int64_t now);
/* When ODM_INV_TIME is to be said next; ODM_INV_NEVER: no need. */
int64_t odm_inv_due(const odm_inv *v, const odm_inv_terms *t);

/* ---- selectors ------------------------------------------------------------------------------- */

/* `key=glob[;key=glob]`, all of which must fit; keys id man mod type proto name key state.  In a
 * glob '*' is any text and '?' any octet; letters of either case differ.  "" fits nothing. */
#define ODM_INV_SELECTOR_MAX 512

typedef struct odm_inv_facts { /* what a selector is held against; absent reads as "" */
        odm_str id, man, mod, type, proto, name, key;
        odm_inv_state state; /* by its number */
} odm_inv_facts;

/* 0; ODM_EMALFORMED for what is none, ODM_ELIMIT for one longer than ODM_INV_SELECTOR_MAX. */
ODM_MUST_USE int odm_inv_selector_check(odm_str selector);
/* False for one that the check refuses, too.  Takes time in proportion to the selector and the
 * facts multiplied. */
bool odm_inv_matches(const odm_inv_facts *f, odm_str selector);
/* The glob alone. */
bool odm_inv_glob(odm_str text, odm_str glob);

/* ---- modes ------------------------------------------------------------------------------------ */

/* What the device can do decides last: an OMA DM client with a server of its own, one without. */
odm_inv_mode odm_inv_by_capability(odm_str protocol, odm_str dms);

/* ---- documents --------------------------------------------------------------------------------- */

typedef struct odm_inv_attach {
        odm_str id, protocol;
        odm_inv_mode mode;
        bool is_gateway;
        odm_wall at;
} odm_inv_attach;

/* The payloads of deviceattached, devicedetached and TaskRequest; appended.  0, ODM_ENOMEM,
 * ODM_ELIMIT. */
ODM_MUST_USE int odm_inv_attach_doc(const odm_inv_attach *v, odm_buf *b);
ODM_MUST_USE int odm_inv_detach_doc(odm_str id, unsigned reason, odm_wall at, odm_buf *b);
ODM_MUST_USE int odm_inv_request_doc(odm_str kind, odm_str detail, odm_buf *b);

#define ODM_INV_ATTACHED_ALERT "urn:oma:at:oma-gwmo:deviceattached:1.1"
#define ODM_INV_DETACHED_ALERT "urn:oma:at:oma-gwmo:devicedetached:1.0"
#define ODM_INV_DMS_ALERT "urn:oma:at:oma-gwmo:BootstrappedDMSList:1.0"
#define ODM_INV_GATEWAY_ALERT "urn:oma:at:oma-gwmo:AssociatedGateway:1.0"
#define ODM_INV_STATE_ALERT "urn:oma:at:x-xrem-gw:1.0:DeviceState"
#define ODM_INV_RECORD_ALERT "urn:oma:at:x-xrem-gw:1.0:RecordChange"
#define ODM_INV_REQUEST_ALERT "urn:oma:at:x-xrem-gw:1.0:TaskRequest"

#endif
