/* SPDX-License-Identifier: Apache-2.0 */
/* crew.h - a few threads that do what others leave to them, in order of leaving. */
#ifndef NREM_CREW_H
#define NREM_CREW_H

#include "odm/base.h"

typedef struct crew crew;

/* In the caller's storage; one that was posted belongs to the crew until fn is called. */
typedef struct crew_task {
        struct crew_task *next;
        void (*fn)(void *ctx);
        void *ctx;
} crew_task;

/* 0, ODM_ENOMEM, ODM_EINVAL for no thread. */
ODM_MUST_USE int crew_new(unsigned threads, crew **out);
void crew_post(crew *c, crew_task *t); /* any thread; never fails */
/* Waits until nothing is posted or running. */
void crew_settle(crew *c);
void crew_free(crew *c); /* does what is left first; NULL is allowed */

#endif
