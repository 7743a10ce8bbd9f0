/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - who begins the steps of tasks, and hears how they ended. */
#ifndef DREM_WORKER_H
#define DREM_WORKER_H

#include "conf.h"
#include "device.h"
#include "loop.h"

typedef struct worker worker;

typedef struct worker_opt {
        loop *loop;
        device *device;
        const cfg *conf;
        void (*ended)(void *ctx);                    /* a task has something to report */
        void (*restart)(void *ctx, const char *why); /* the device is to start again */
        void *ctx;
} worker_opt;

/* Copies `opt`.  0, or an error with the reason in `d`. */
ODM_MUST_USE int worker_open(const worker_opt *opt, worker **out, diag *d);
void worker_close(worker *w); /* NULL is allowed; the loop may not run again after it */
/* Begins what can begin: at the start, and when a session is over. */
void worker_go(worker *w);
/* Lines of "key: value". */
ODM_MUST_USE int worker_status(const worker *w, odm_buf *b);

#endif
