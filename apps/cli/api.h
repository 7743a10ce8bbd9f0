/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the REST interface of nremd (docs/openapi.yaml), and what its answers mean for the
 * exit code. */
#ifndef XREM_API_H
#define XREM_API_H

#include "json.h"
#include "progress.h"

typedef struct xrem_ask {
        const char *method, *path; /* the path with its query */
        json_t *body;              /* taken; NULL for none */
        odm_str octets;            /* a body that is no JSON; absent for none */
        odm_str range;             /* Range, or with octets Content-Range; absent for none */
        /* Takes the body of a success that is no JSON, lent; `all` is what Content-Range says there
         * is altogether, 0 when it says nothing.  NULL: the answer is JSON. */
        void (*take)(void *ctx, odm_str body, uint64_t all);
        void *ctx;
        unsigned wait_s;         /* how long the server may take before it answers at all */
        xrem_progress *progress; /* drawn meanwhile; NULL for none */
        bool any_status;         /* answers that are no success are answers too */
        json_t **exists; /* set to the document of a problem "exists", without a word, so that the
                            caller can ask whether that is meant.  NULL: as any other */
        bool *away;      /* set, without a word, when the server cannot be reached or is
                            busy: the caller tries again.  NULL: that is an error */
} xrem_ask;

/* Asks, and gives the JSON of a success, which lives as long as the program; NULL for an answer
 * without body.  Otherwise says on stderr what the server's problem document says.
 * Returns XREM_OK, or the exit code that fits; XREM_TIMEOUT, without a word, after Ctrl-C. */
int xrem_api(xrem *c, const xrem_ask *ask, json_t **out);
/* The items of a list, over as many pages as `limit` entries take (0 = all), as an array. */
int xrem_api_list(xrem *c, const char *path, uint64_t limit, json_t **out);
void xrem_api_done(xrem *c); /* closes the connection */

/* `s` as one segment of a path, or a value of a query. */
const char *xrem_escape(xrem *c, const char *s);
/* `path` with "name=value" added to its query; unchanged when value is NULL. */
const char *xrem_query(xrem *c, const char *path, const char *name, const char *value);
/* Passwords that the server made up, as its answer has them: shown this once, and a word on it. */
void xrem_show_passwords(xrem *c, const json_t *device);
void xrem_note_passwords(xrem *c, const json_t *device);
const char *xrem_device_path(xrem *c, const char *device, const char *rest);
/* "3 min ago" or "in 7 days", for a time as the server writes it; absent when absent. */
odm_str xrem_ago(xrem *c, odm_str time);

#endif
