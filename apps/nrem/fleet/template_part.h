/* SPDX-License-Identifier: Apache-2.0 */
/* template_part.h - templates at work: what is known of them in memory, and one device's turn. */
#ifndef NREM_TEMPLATE_PART_H
#define NREM_TEMPLATE_PART_H

#include "call.h"
#include "fleet.h"
#include "template.h"

#define TEMPLATE_ROUTES 8
extern const call_route template_routes[TEMPLATE_ROUTES];

/* The states of devices that templates are for: those that may call. */
#define TEMPLATE_DEVICES                                                                          \
        (1u << STORE_DEVICE_PROVISIONED | 1u << STORE_DEVICE_ACTIVE | 1u << STORE_DEVICE_ASLEEP | \
         1u << STORE_DEVICE_UNREACHABLE)

#define TEMPLATE_NAME 128 /* octets of a device's name, at most */

/* A walk over many devices, page by page. */
typedef struct template_walk {
        bool on;
        odm_str after;            /* name of the last one */
        int64_t dev;              /* and its number */
        char room[TEMPLATE_NAME]; /* where `after` is */
} template_walk;

typedef struct template_known {
        struct template_known *next;
        odm_arena a; /* texts of row and spec */
        template_row row;
        template_spec spec;
        json_t *json;        /* what the spec borrows from */
        bool rests;          /* disabled, or not understood */
        template_walk sweep; /* over the devices it has: those that go, those to look at */
        template_walk scan;  /* over the devices there are: those that come */
        bool all;            /* the sweep looks at all, not only at those not looked at since */
        int64_t slot;        /* when the next device found is due */
} template_known;

typedef struct templates {
        const fleet_host *host;
        template_known *all;  /* in the order in which they decide */
        template_known *gone; /* removed, and left by its devices */
        int64_t scan_at;      /* devices that came in another way are found then */
        bool walked;          /* the last tick was a page of a walk */
        bool walking;         /* there may be another */
} templates;

template_known *templates_find(const templates *s, int64_t id);
bool template_selects(const template_known *k, const store_device *d);

/* ---- one device's turn; all: 0, ODM_ENOMEM, ODM_EIO, ODM_ELIMIT -------------------------------- */

/* A device that it selects; checked at `due`. */
ODM_MUST_USE int template_join(fleet_turn *t, const template_known *k, const store_device *d,
                               int64_t due);
/* It is the device's turn: it is asked, or leaves. */
ODM_MUST_USE int template_due(templates *s, fleet_turn *t, template_item *it);
/* The template has changed: an order of before that has not begun is taken back, and the device is
 * asked at `due`. */
ODM_MUST_USE int template_anew(fleet_turn *t, template_item *it, int64_t due);
/* It leaves.  A job that has not begun is taken back. */
ODM_MUST_USE int template_leave(templates *s, fleet_turn *t, const template_item *it);
/* A job with a key of ours has ended. */
ODM_MUST_USE int template_job_ended(templates *s, fleet_turn *t, const fleet_event *ev);
/* Whether the mirror knows by now that the device has something else than when it was checked. */
ODM_MUST_USE int template_suspects(templates *s, fleet_turn *t, const template_item *it, bool *out);
/* Writes the row as it is now; `from`: the state it had. */
ODM_MUST_USE int template_put(fleet_turn *t, const template_item *it, template_state from);

#endif
