/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - the server's DM side over a real listener, and a device in the same process.
 *
 * The loop runs on a thread of its own; the device's sessions run in the test's. */
#ifndef DM_WORLD_H
#define DM_WORLD_H

#include <pthread.h>

#include "device.h"
#include "dm.h"
#include "odm/task.h"
#include "support.h"

typedef struct world {
        char dir[64], where[96], addr[64];
        store_fault fault;
        store_opt store_opt;
        dm_opt opt;
        store *store;
        metrics metrics;
        loop *loop;
        pthread_t thread;
        bool looping;
        dm *dm;
        httpd *httpd;
        uint16_t port;
        odm_auth_type auth; /* of both sides; 0: md5 */
        device dev;
        int64_t device; /* the store's number of the device */
        odm_arena a;    /* of what tests read */

        /* how the next sessions go */
        const odm_codec *codec;
        unsigned stop_after;  /* messages of ours, then silence; 0: to the end */
        unsigned cut_after;   /* this reply is worked on, and its answer is lost; 0: none */
        const char *session;  /* SessionID; NULL: a new one */
        unsigned alert;       /* 0: 1201 */
        const odm_alert *say; /* alerts of the device's, and how many; 0: one */
        size_t says;
        odm_tasks *tasks; /* of the device, which tells of them; NULL: none */
        uint32_t max_msg;
        bool no_list, no_atomic, no_copy; /* what it has not */
        bool resync;
        store_batch *switch_off; /* written after the first reply; NULL: none */
        /* how the last one went */
        odm_outcome outcome;
        unsigned http; /* the last status */
        unsigned sent;
} world;

/* A job of one command, as JSON. */
#define JOB_GET(uri) "[{\"cmd\":\"get\",\"uri\":\"" uri "\"}]"
#define JOB_REPLACE(uri, data) "[{\"cmd\":\"replace\",\"uri\":\"" uri "\",\"data\":\"" data "\"}]"
#define JOB_EXEC(uri) "[{\"cmd\":\"exec\",\"uri\":\"" uri "\"}]"
#define JOB_EXEC_AS(uri, correlator) \
        "[{\"cmd\":\"exec\",\"uri\":\"" uri "\",\"correlator\":\"" correlator "\"}]"

/* A world with a device, on the heap, at the beginning of something of `size` octets, which are 0;
 * for cmocka's state. */
void *world_new(size_t size, const char *where);
int world_teardown(void **state); /* ends it, and frees that */

/* where: NULL for mem:, "sqlite" for a file.  Nothing runs yet: options may be changed. */
void world_init(world *w, const char *where);
void world_start(world *w);
void world_stop(world *w); /* the store stays open */
void world_done(world *w);
/* The device of the test, as an operator creates it. */
void world_add_device(world *w);
/* Another one of that name and DevId; its number. */
int64_t world_add_another(world *w, const char *name, const char *devid);
/* Another device's view of the same server, with an arena of its own. */
void world_copy(const world *w, world *out);
/* A device as the test has, with that DevId; for world_session() of a copy of the world. */
void world_open_device(world *w, const char *devid);

/* One session of the device; that it comes to its end; that it is not let in. */
void world_session(world *w);
void expect_done(world *w);
void expect_refused(world *w);
/* Starts, and the device is known: the first reply of the next session carries commands. */
void world_warm_up(world *w);
/* A POST of any body. */
unsigned world_post(world *w, const char *method, const char *path, const char *type, odm_str body,
                    char *reply, size_t room);

void world_write(world *w, store_batch *b); /* takes b */
/* What an operator, or a session, writes of the device and of its job; `from` is STORE_JOB_OPEN. */
void world_patch(world *w, uint32_t fields, store_device to);
void world_move(world *w, store_job_move m);

int64_t world_job(world *w, const char *commands, bool atomic); /* for w->device */
store_job world_job_now(world *w, int64_t id);                  /* texts live until world_done() */
/* Waits until the job has that state, for at most ten seconds. */
void world_wait(world *w, int64_t id, store_job_state state);
void expect_job(world *w, int64_t id, const char *state_and_reason);
/* "200 404 ..." by number, '-' where there is none, '*' behind those not sent. */
void expect_results(world *w, int64_t id, const char *want);
void expect_node(world *w, const char *uri, const char *want); /* of the mirror; "-": not there */
store_device world_device(world *w);

#endif
