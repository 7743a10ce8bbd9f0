/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - events carried to somebody's URL: what is kept of each, and the rules that need no
 * network.
 *
 * Events go in order, many in one POST, and the place in the log moves on when the receiver has
 * answered 2xx: at least once, so a receiver knows a repetition by the number of the event. */
#ifndef NREM_WEBHOOK_H
#define NREM_WEBHOOK_H

#include "table.h"

#define WEBHOOK_EVENTS 100        /* in one POST, at most */
#define WEBHOOKS_MAX 200          /* there may be */
#define WEBHOOK_FIRST_MS 1000     /* wait after a failure; doubles */
#define WEBHOOK_LONGEST_MS 300000 /* up to this */
#define WEBHOOK_FAILING 3         /* failures in a row that are told as an event */
#define WEBHOOK_SIGNATURE 72      /* "sha256=", 64 hexadecimal digits, a zero */

typedef struct webhook {
        int64_t id;
        odm_str url;
        odm_str kinds;  /* how kinds begin, a blank between; empty: all */
        odm_str prefix; /* how names of devices begin; empty: all, and events of no device */
        odm_str secret; /* signs what is sent */
        bool enabled;
        int64_t place;            /* delivered up to this event */
        uint32_t failures;        /* in a row */
        uint32_t status;          /* of the last answer; 0: there was none */
        odm_str error;            /* of the last failure, in words; empty after a success */
        int64_t tried, delivered; /* when last; 0: never */
        int64_t created;
        odm_str actor;
} webhook;

/* Numbers of fields, for STORE_FIELD(). */
enum {
        WEBHOOK_ID,
        WEBHOOK_URL,
        WEBHOOK_KINDS,
        WEBHOOK_PREFIX,
        WEBHOOK_SECRET,
        WEBHOOK_ENABLED,
        WEBHOOK_PLACE,
        WEBHOOK_FAILURES,
        WEBHOOK_STATUS,
        WEBHOOK_ERROR,
        WEBHOOK_TRIED,
        WEBHOOK_DELIVERED,
        WEBHOOK_CREATED,
        WEBHOOK_ACTOR,
        WEBHOOK_FIELDS
};

extern const store_table table_webhook;

/* Whether an event of that kind is for it. */
bool webhook_wants(const webhook *w, odm_str kind);
/* How long to wait after so many failures in a row, in milliseconds: doubled each time, and within
 * a quarter of it by `random`. */
int64_t webhook_wait(uint32_t failures, uint32_t random);
/* "sha256=" and HMAC-SHA256 over "TIME.BODY" by the secret.  0 or ODM_EIO. */
ODM_MUST_USE int webhook_sign(odm_str secret, int64_t time_s, odm_str body,
                              char out[WEBHOOK_SIGNATURE]);

#endif
