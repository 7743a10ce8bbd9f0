/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - the two engines, a network that loses things, and what must hold whatever it does.
 *
 *   jobs.c   what the server wants of the device, and what must come of it
 *   host.c   the server's side: sessions, results, nonces, crashes
 *   net.c    the device's side, and the network between them
 *   sim.c    the suites
 *
 * Everything follows from one seed. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "device.h"
#include "odm/server.h"
#include "support.h"

#define KEYS 8
#define MAYBE 64

/* What a node may hold: what was acknowledged last, or anything sent after that. */
typedef struct model {
        uint64_t sure;
        struct {
                uint64_t value, given;
        } maybe[MAYBE];
        unsigned n_maybe;
} model;

typedef enum job_kind {
        JOB_GET,
        JOB_LIST,
        JOB_REPLACE,
        JOB_ADD,
        JOB_COPY,
        JOB_SEQUENCE,
        JOB_ATOMIC,
        JOB_ATOMIC_FAILS,
        JOB_EXEC,
        JOB_LATER,
        JOB_LARGE,
        JOB_TNDS,
        JOB_USER,
        JOB_KINDS
} job_kind;

typedef enum job_state { JOB_NEW, JOB_GIVEN, JOB_DONE, JOB_UNKNOWN } job_state;

typedef struct sim_job {
        struct sim_job *next;
        uint64_t id;
        job_kind kind;
        job_state state;
        unsigned key;
        uint64_t given; /* when: a running number */
        uint32_t told;  /* bit by bit, the commands with a RESULT in this session */
        odm_job job;
        odm_str octets; /* LARGE: what was written */
} sim_job;

typedef struct world {
        uint64_t seed; /* of this life; printed when something is wrong */
        seeded dice, rng;
        odm_rng device_rng, server_rng;
        unsigned faults; /* per mille, of each kind */
        bool verbose;

        /* how they speak */
        const odm_codec *codec;
        odm_auth_type type, server_type;
        bool every_message, split_atomic;
        uint32_t device_max, server_max;
        size_t large; /* octets of a large object */

        /* the device */
        device dev;
        odm_client *client;
        odm_time now;
        uint64_t alert_id, alert_told, alert_acked;

        /* the server and its store */
        odm_server *server;
        bool busy;          /* the session had a command */
        char server_sid[8]; /* session it serves */
        odm_nonce nonce, previous, server_nonce;
        bool has_nonce, has_previous;
        sim_job *jobs;
        uint64_t job_ids, clock;
        odm_arena text; /* of jobs */
        model keys[KEYS], pair;

        /* what happened */
        unsigned sessions, finished, jobs_done, lost, crashes;
        odm_str issued[256]; /* nonces, to see none twice */
        unsigned n_issued;
} world;

void wrong(world *w, const char *fmt, ...) ODM_PRINTF(2, 3);
uint64_t roll(world *w, uint64_t n); /* 0 .. n - 1 */
bool happens(world *w);              /* a fault, now? */

void model_given(model *m, uint64_t value, uint64_t given);
void model_sure(model *m, uint64_t value, uint64_t given);
bool model_may(const model *m, uint64_t value);

sim_job *sim_make(world *w, job_kind kind);
void sim_give(world *w, sim_job *j);
void sim_result(world *w, sim_job *j, const odm_event *ev);
void sim_done(world *w, sim_job *j, const odm_event *ev);
void sim_put_back(world *w); /* the session is lost */
bool sim_left(const world *w);

/* The server takes one message; false when nothing comes back. */
bool host_take(world *w, const odm_packet *in, odm_packet *out);
void host_crash(world *w);
void host_reload(world *w);
void host_lose_session(world *w);
void host_saw_nonces(world *w, odm_str body);

void world_open(world *w, uint64_t seed);
void world_start(world *w); /* after the choices above were made */
void world_close(world *w);
void sim_session(world *w);
void world_check(world *w); /* the invariants */

#endif
