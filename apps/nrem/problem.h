/* SPDX-License-Identifier: Apache-2.0 */
/* problem.h - what is wrong with a request, as an RFC 9457 problem document.
 *
 * A problem starts clear, takes what is found wrong, and is written once.  The first
 * kind named stays: what goes wrong later is a consequence. */
#ifndef NREM_PROBLEM_H
#define NREM_PROBLEM_H

#include <jansson.h>

#include "odm/base.h"

#define PROBLEMS(X)                                                            \
        X(INVALID, 400, "invalid", "The request is not valid")                 \
        X(UNAUTHENTICATED, 401, "unauthenticated", "A bearer token is needed") \
        X(FORBIDDEN, 403, "forbidden", "The token does not permit this")       \
        X(NOT_FOUND, 404, "not-found", "There is no such thing")               \
        X(METHOD, 405, "method", "The method is not possible here")            \
        X(EXISTS, 409, "exists", "It exists already")                          \
        X(STATE, 409, "state", "Not possible in its present state")            \
        X(NOT_ATOMIC, 400, "not-atomic", "An atomic job cannot hold this")     \
        X(TOO_LARGE, 413, "too-large", "The request is too large")             \
        X(MEDIA_TYPE, 415, "media-type", "The body has to be JSON")            \
        X(INTERNAL, 500, "internal", "The server failed")                      \
        X(REFUSED, 502, "device-refused", "The device refused it")             \
        X(UNAVAILABLE, 503, "unavailable", "The server cannot do this now")    \
        X(NO_ROOM, 507, "no-room", "The server has no room for this")          \
        X(DEVICE_TIMEOUT, 504, "device-timeout", "The device did not answer in time")

typedef enum problem_kind {
        PROBLEM_NONE,
#define X(id, status, word, title) PROBLEM_##id,
        PROBLEMS(X)
#undef X
} problem_kind;

#define PROBLEM_ERRORS_MAX 32 /* named parameters; more are not listed */

typedef struct problem {
        problem_kind kind;
        char detail[256];       /* cut when longer */
        json_t *errors;         /* array of {name, reason}; NULL when empty */
        char job[72];           /* empty: none */
        unsigned device_status; /* 0: none */
} problem;

void problem_init(problem *p);
void problem_done(problem *p);

/* Sets kind and detail, unless a kind is set already. */
void problem_set(problem *p, problem_kind kind, const char *fmt, ...) ODM_PRINTF(3, 4);
/* Names a parameter at fault ("commands[2].uri"); the kind becomes INVALID if none is set. */
void problem_at(problem *p, const char *name, const char *fmt, ...) ODM_PRINTF(3, 4);
/* From an error of the library or the store; ENOENT, EEXIST, ESTATE, ELIMIT, EINVAL keep their
 * meaning. */
void problem_err(problem *p, int err, const char *what);

static inline bool problem_is(const problem *p)
{
        return p->kind != PROBLEM_NONE;
}
unsigned problem_status(const problem *p); /* 500 for PROBLEM_NONE */
const char *problem_word(const problem *p);
/* The document; NULL when out of memory.  `instance` may be NULL. */
json_t *problem_json(const problem *p, const char *instance);

#endif
