/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - the two engines, a network that mistreats messages, and what must hold whatever it
 * does.
 *
 *   jobs.c   what the server wants of the device, and what must come of it
 *   host.c   the server's host: sessions, a store, crashes
 *   agent.c  the device's host: one session after the other, alerts, crashes
 *   net.c    the network between them
 *   watch.c  the invariants
 *   sim.c    the suites
 *
 * Everything follows from one seed.  What a host keeps in its store is told apart from what it only
 * knows: a crash leaves the first. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "device.h"
#include "odm/server.h"
#include "support.h"

#define KEYS 8
#define MAYBE 64
#define SESSIONS 4 /* that the server holds at one time */
#define FACTS 256  /* of one turn */
#define LATE 8     /* messages on their way for longer */
#define ALERTS 64  /* of one life */

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
        unsigned key;
        const odm_command *commands;
        odm_job job;
        odm_str octets; /* LARGE: what was written */
        /* in the store */
        job_state state;
        uint64_t holder; /* the session it is given to */
        uint64_t given;  /* when: a running number */
        uint32_t told;   /* bit by bit, the commands whose RESULT is kept */
        /* of the turn in hand */
        bool taken;
        uint32_t heard;
        unsigned base; /* commands of it that are done and not sent again */
} sim_job;

/* What a turn came to; the store takes all of them or none. */
typedef enum fact_kind { FACT_GIVEN, FACT_RESULT, FACT_DONE, FACT_ALERT } fact_kind;

typedef struct fact {
        fact_kind kind;
        sim_job *job;
        uint32_t command;
        unsigned status;
        uint64_t alert;
} fact;

/* A session at the server. */
typedef struct host_session {
        uint64_t serial;     /* 0: a free place */
        char id[8], uri[48]; /* uri: our RespURI, which names the serial */
        odm_server *engine;  /* NULL: only the store has it */
        struct host_mark {
                uint32_t msg;
                uint64_t digest; /* of the last message */
                bool busy;       /* it had a command */
        } now, kept;
        bool has_kept;
        odm_buf kept_engine;
} host_session;

typedef struct number_set { /* of numbers, to see none twice */
        uint64_t *v;
        size_t room, n;
} number_set;

typedef struct late_message {
        odm_buf body, mac, url;
        odm_str type;
        unsigned due; /* exchanges from now; 0: a free place */
} late_message;

typedef struct counts {
        uint64_t sessions, finished, jobs_done, jobs_unknown;
        uint64_t lost, cut, repeated, late, crossed, device_down, server_down, reloaded;
} counts;

typedef struct world {
        uint64_t seed; /* of this life; printed when something is wrong */
        seeded dice, rng;
        odm_rng device_rng, server_rng;
        unsigned faults; /* per mille, of each kind */
        bool settling;   /* no faults, but what they did may still be seen */
        bool verbose;
        counts n;

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
        unsigned alerts;            /* that it has to tell: numbers 0 .. alerts - 1 */
        uint64_t alerts_settled;    /* bit by bit, those answered */
        odm_buf heard, heard_mac;   /* the last reply */
        odm_buf before, before_mac; /* and the one before it */
        odm_packet delivered;       /* of those, what it was given last; none: no body */

        /* the server; `keeps`: its store has the engines of running sessions too */
        bool keeps;
        host_session sessions[SESSIONS];
        uint64_t serials;
        fact facts[FACTS];
        unsigned n_facts;
        bool new_nonces;
        odm_nonce turn_nonce, turn_previous, turn_server_nonce;
        /* its store */
        odm_nonce nonce, previous, server_nonce;
        bool has_nonces;
        uint64_t alerts_told;
        sim_job *jobs;
        uint64_t job_ids, clock;
        odm_arena text; /* of jobs */
        model keys[KEYS], pair;

        late_message late[LATE];
        number_set messages, nonces, accepted;
} world;

void wrong(world *w, const char *fmt, ...) ODM_PRINTF(2, 3);
void tell(const world *w, const char *what); /* when verbose */
uint64_t roll(world *w, uint64_t n);         /* 0 .. n - 1 */
bool happens(world *w);                      /* a fault, now? */

/* ---- jobs.c ------------------------------------------------------------------------------ */

void model_given(model *m, uint64_t value, uint64_t given);
void model_sure(model *m, uint64_t value, uint64_t given);
bool model_may(const model *m, uint64_t value);

sim_job *sim_make(world *w, job_kind kind);
/* What the session has to send of it, for odm_server_work(). */
const odm_job *sim_lend(world *w, sim_job *j);
void sim_result(world *w, sim_job *j, const odm_event *ev);
void sim_keep(world *w, const fact *f, uint64_t session); /* the store takes it */
void sim_put_back(world *w, uint64_t session);            /* in the store: the session is lost */
bool sim_left(const world *w);

/* ---- host.c ------------------------------------------------------------------------------ */

typedef enum host_said { HOST_REPLY, HOST_SILENCE, HOST_NOT_FOUND } host_said;

/* The server takes one message; with HOST_REPLY, *out is lent until its next call. */
host_said host_take(world *w, const odm_packet *in, odm_packet *out);
void host_crash(world *w);
void host_reload(world *w); /* another process goes on with every session */
void host_lose_all(world *w);
void host_note(world *w, const fact *f);

/* ---- agent.c ----------------------------------------------------------------------------- */

void agent_session(world *w);
void agent_alert(world *w); /* something to tell, until the server has answered */

/* ---- net.c ------------------------------------------------------------------------------- */

/* Brings a message over; with HOST_REPLY, *reply comes back, its octets in w->heard. */
host_said net_carry(world *w, const odm_packet *pkt, odm_packet *reply);
void net_calm(world *w); /* what is on its way gets lost */

/* ---- watch.c ----------------------------------------------------------------------------- */

uint64_t watch_digest(odm_str s);
/* A message leaves: no nonce may be issued twice.  False: it left before. */
bool watch_message(world *w, odm_str body);
/* `out`, which did not leave before, is the answer of either side to `in`, whose sender proves
 * itself by `type`: no credentials may be accepted twice. */
void watch_answer(world *w, const odm_packet *in, odm_auth_type type, const odm_packet *out);
void watch_step(world *w); /* values, runs, alerts */
void watch_disk(world *w); /* the tree of the disk is the tree */
void watch_end(world *w);  /* after a fair session: nothing is left */
void watch_close(world *w);

void world_open(world *w, uint64_t seed);
void world_start(world *w); /* after the choices above were made */
void world_close(world *w);

#endif
