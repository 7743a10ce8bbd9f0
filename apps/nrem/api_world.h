/* SPDX-License-Identifier: Apache-2.0 */
/* api_world.h - a server's REST side in one process, for its tests: a store in memory, a listener
 * on loopback, a loop in a thread of its own, a token for each role, and a client. */
#ifndef NREM_API_WORLD_H
#define NREM_API_WORLD_H

#include <pthread.h>

#include "api.h"
#include "fleet.h"
#include "http_client.h"
#include "support.h"
#include "token.h"

#include <jansson.h>

typedef struct world {
        store *store;
        loop *loop;
        fleet *fleet; /* all parts, on a thread of its own */
        const store_table **tables;
        char folder[64]; /* of the parts' files; goes with the world */
        api *api;
        httpd *httpd;
        metrics metrics;
        ddf *ddf; /* the built-in descriptions */
        pthread_t thread;
        api_opt opt;
        char token[4][TOKEN_TEXT]; /* by token_role; the last one is an operator of "acme/" */
        unsigned port;
        const char *key; /* the Idempotency-Key of requests; NULL: none */
} world;

#define SCOPED 3
#define NOBODY 4

void world_start(world *w, const api_hooks *hooks);
void world_stop(world *w);

typedef struct answer {
        unsigned status;
        json_t *json; /* NULL when the body is none; freed by answer_done() */
        char type[64], location[256], allow[64];
        size_t size;
} answer;

/* Sends a request as `who` (a token_role, SCOPED or NOBODY); `body` NULL: none. */
answer world_ask(world *w, unsigned who, const char *method, const char *path, const char *body);
answer world_send(world *w, unsigned who, const char *method, const char *path, const char *type,
                  odm_str body);
void answer_done(answer *a);
/* Text of a member of the answer: "" when there is none. */
const char *answer_text(const answer *a, const char *member);

/* Creates a device, and asserts that it went well. */
void world_device(world *w, const char *name);
/* Makes a job with one Get and gives its id. */
int64_t world_job(world *w, const char *device_escaped);
/* Writes as the DM side would: the job's result and its end. */
void world_finish_job(world *w, int64_t job, store_job_state to, const store_result *r, size_t n);

#endif
