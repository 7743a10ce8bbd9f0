/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - what the device asks a server for: new firmware, new software (mo-fumo.md 5,
 * mo-scomo.md 5).  An alert goes with the next session, and with each one after it until a server
 * has answered; what comes of it is an order of the server's like any other. */
#ifndef DREM_PART_REQUEST_H
#define DREM_PART_REQUEST_H

#include "part.h"

enum request_by { REQUEST_DEVICE = 1, REQUEST_USER = 2 }; /* the ids of their alerts */

typedef struct request {      /* in the caller's storage */
        const char *types[2]; /* of the alerts: the device's, the user's */
        const char *source;   /* the object's address */
        const char *what;     /* "new firmware" */
        const char *word;     /* of the user: dremd --WORD */
        const char *key;      /* of dremd --status */
        const part_host *h;
        bool asking[2];
        unsigned answer; /* to the last one; 0: none yet */
        int64_t every_ms;
        loop_timer again;
} request;

/* The texts above are set.  Borrows all. */
void request_init(request *r, const part_host *h);
/* The device asks by itself every `every_ms` from now on, the first time at a random moment within
 * the first of them; 0: never. */
void request_plan(request *r, int64_t every_ms);
void request_stop(request *r); /* one that is zeroed is allowed */

/* As the functions of part_class. */
ODM_MUST_USE int request_alerts(const request *r, int (*fn)(void *at, const odm_alert *a),
                                void *at);
void request_answered(request *r, uint64_t id, unsigned status);
ODM_MUST_USE int request_asked(request *r, odm_str word, odm_buf *b);
ODM_MUST_USE int request_status(const request *r, odm_buf *b);

#endif
