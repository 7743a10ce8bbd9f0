/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - one device management session, seen from the server.
 *
 * A session does no I/O.  Its host decodes nothing but the header to find the
 * session, then hands each message over and works through what comes out:
 *
 *     rc = odm_server_recv(s, &pkt, now);
 *     while (odm_server_next(s, &ev) == 1)
 *             switch (ev->kind) ...
 *                     ODM_EV_WORK: odm_server_work(s, job or NULL)
 *                     ODM_EV_ALERT: odm_server_alert_status(s, 200)
 *                     others: remember for the batch
 *     commit the batch; then
 *     odm_server_send(s, &reply) == 1: post the reply
 *
 * Between two messages a session can be saved as bytes and loaded by another process.
 * Facts: dm-protocol.md. */
#ifndef ODM_SERVER_H
#define ODM_SERVER_H

#include "odm/auth.h"
#include "odm/client.h" /* odm_packet */
#include "odm/codec.h"

/* ---- before there is a session --------------------------------------------------- */

/* What a host needs in order to find the session of a message. */
typedef struct odm_peek {
        odm_str session_id, msg_id, source, user, target; /* in `a` */
        odm_str cred_user; /* user name inside a basic Cred; else absent */
} odm_peek;
/* Decodes just enough.  Errors as odm_decode(). */
ODM_MUST_USE int odm_server_peek(const odm_codec *codec, odm_str body, const odm_limits *lim,
                                 odm_arena *a, odm_peek *out);

/* ---- options ------------------------------------------------------------------------ */

/* What the server knows of the device's account.  All text is copied. */
typedef struct odm_peer {
        bool known; /* false: play the same game with a random secret, never succeed */
        odm_str device_id;
        odm_str user;      /* AAuthName of CLCRED; when absent, any LocName goes */
        odm_secret secret; /* B64(H(user:password)) */
        bool has_secret;
        odm_str password;   /* only when kept: auth-basic, SHA-256 MAC */
        odm_auth_type type; /* what we demand of the device; NONE: nothing (policy) */
        bool accept_basic;
        odm_nonce nonce, previous; /* client nonce now and before */
        bool has_nonce, has_previous;
        odm_str server_user, server_password; /* SRVCRED: how we prove ourselves */
        odm_secret server_secret;
        bool has_server_secret;
        odm_auth_type server_type; /* NONE: we show nothing unless challenged */
        odm_nonce server_nonce;    /* newest one the device issued */
        bool default_nonce;        /* a resync trigger went out: accept the default nonce */
        bool allow_dm11;
} odm_peer;

typedef struct odm_server_opt {
        const odm_mem *mem;
        odm_rng rng;
        const odm_tracer *trace;
        odm_str server_uri; /* Source/LocURI of our messages */
        odm_str resp_uri;   /* RespURI of our messages; absent for none */
        odm_peer peer;
        bool every_message;    /* 200 + Chal each time instead of 212 (plain HTTP) */
        bool transport_auth;   /* TLS client certificate did it: no DM credentials needed */
        uint32_t max_msg_size; /* what we announce and take; default 65536 */
        uint32_t max_obj_size; /* default 16 MiB */
        uint32_t send_max; /* ceiling of our own messages when the device names none; default 65536
                            */
        uint32_t max_in_message; /* commands in one message; default 64 */
        odm_limits limits;
        uint32_t max_messages; /* of one session, both ways; default 10000 */
        size_t max_memory;     /* octets this session may hold; default 32 MiB */
} odm_server_opt;

void odm_server_opt_init(odm_server_opt *o, const odm_mem *mem);

typedef struct odm_server odm_server;
/* Copies `opt`.  ODM_ENOMEM, ODM_EINVAL. */
ODM_MUST_USE int odm_server_new(const odm_server_opt *opt, odm_server **out);
void odm_server_free(odm_server *s);

/* Takes one message of the device; `in` is read during the call, and until the events of this
 * message have been taken.  A byte-identical repetition of the last message (same MsgID) lends the
 * last reply again and makes no events.  What the device got wrong is answered.
 * After an end that was as it should be, a further message is answered with Statuses only.
 * Returns 0, ODM_ENOMEM, ODM_EIO (no randomness); ODM_EMALFORMED or ODM_ELIMIT for a body that is
 * no message, or one from before the last (HTTP 400, 413: the session stays as it was), ODM_ESTATE
 * when the session has ended otherwise or events are left. */
ODM_MUST_USE int odm_server_recv(odm_server *s, const odm_packet *in, odm_time now);

/* ---- events -------------------------------------------------------------------------- */

typedef enum odm_event_kind {
        ODM_EV_AUTHENTICATED, /* the device proved itself; comes once */
        ODM_EV_AUTH_FAILED,   /* it did not (count it, lock it out) */
        ODM_EV_NONCES,        /* client_nonce or server_nonce is new: durable before the reply */
        ODM_EV_DEVINFO,       /* uri, value: one leaf the device reported in package 1 */
        ODM_EV_SESSION_ALERT, /* code 1200 or 1201, once */
        ODM_EV_ALERT,  /* 1224 or 1226, an item at a time: answer with odm_server_alert_status() */
        ODM_EV_RESULT, /* status and items for one command of a job */
        ODM_EV_JOB_DONE, /* every command of `job` has its status, or the engine gave up on it */
        ODM_EV_WORK,     /* wants a job: answer with odm_server_work() */
        ODM_EV_END,      /* the session is over after this reply; outcome tells how.  A job without
                            its JOB_DONE is to be put back, but for the commands whose RESULT came */
} odm_event_kind;

typedef struct odm_event {
        odm_event_kind kind;
        bool client_nonce, server_nonce; /* NONCES: which; read them with odm_server_nonces() */
        odm_str uri;                     /* DEVINFO */
        odm_value value;                 /* DEVINFO */
        const odm_command *alert;        /* ALERT: the whole command, and */
        const odm_item *item;            /*        the item concerned */
        unsigned code;                   /* SESSION_ALERT */
        uint64_t job;            /* RESULT, JOB_DONE: the number given to odm_server_work() */
        uint32_t command;        /* RESULT: index, counting members of Atomic and Sequence in
                                    document order */
        bool sent;               /* RESULT, JOB_DONE: false when it never went out */
        unsigned status;         /* RESULT: the device's (the first that is no success, when several
                                    came); ours when `why` is set; 0 when the device gave none */
        const odm_item *items;   /* RESULT: items of the Status (texts, failing parent) */
        const odm_item *results; /* RESULT of Get: all its Results items, chunks joined */
        odm_str why;             /* RESULT of ours, END: a sentence.  An Atomic that was split has
                                    status 200 and says so here */
        odm_outcome outcome;     /* END */
} odm_event;

/* Returns 1 with *out set, valid until the next call on s; 0 when all is told.  The message is
 * worked on between the events: ODM_ENOMEM, ODM_ELIMIT, ODM_EIO mean what they mean of
 * odm_server_recv(), and the session is spent. */
ODM_MUST_USE int odm_server_next(odm_server *s, const odm_event **out);
/* Answers the last ODM_EV_ALERT: 200, 202, 406, 415, 412. */
void odm_server_alert_status(odm_server *s, unsigned status);

/* A job: its commands are sent in order, as many in one message as fit; the next job's may follow
 * in the same message when `alone` is not set.  Get, Replace, Add, Delete, Copy, Exec, Alert (UI),
 * Sequence, Atomic with CmdIDs absent; values may exceed a message and are chunked. */
typedef struct odm_job {
        uint64_t id;
        const odm_command *commands; /* borrowed until its JOB_DONE was taken, or
                                        the session is freed */
        bool alone;
        bool split_atomic; /* where the device answers 406 to Atomic, send the members singly */
} odm_job;
/* Answers ODM_EV_WORK; NULL: no more now.  0, ODM_ESTATE, ODM_ENOMEM, ODM_EINVAL for a job that may
 * not be sent (Get, Exec, Atomic or Sequence inside Atomic; more commands, members included, than
 * limits.max_items, for such a session would not be loaded); then no event follows for it. */
ODM_MUST_USE int odm_server_work(odm_server *s, const odm_job *job);

/* Lends the reply, valid until the next call; 1 or 0 (nothing to say: a client message after the
 * end).  ODM_EV_* must have been taken before. */
int odm_server_send(odm_server *s, odm_packet *out);

/* The server shuts down or an operator asks: the next reply carries Alert 1223. */
void odm_server_abort(odm_server *s);
bool odm_server_ended(const odm_server *s);
odm_outcome odm_server_outcome(const odm_server *s);
/* The nonces to keep: client nonce (newest), previous, server nonce. */
void odm_server_nonces(const odm_server *s, odm_nonce *client, odm_nonce *previous,
                       odm_nonce *server);
/* What the device said it can take; 0 = nothing said. */
uint64_t odm_server_peer_max_msg(const odm_server *s);
uint64_t odm_server_peer_max_obj(const odm_server *s);
/* ./DevDetail/LrgObj as far as the host knows it: false forbids chunks; default true. */
void odm_server_set_large_objects(odm_server *s, bool yes);
const char *odm_server_diag(const odm_server *s);
size_t odm_server_memory(const odm_server *s); /* octets held now */

/* Between messages (send done, no events left): the whole state as bytes, and back.  Jobs in flight
 * are named by their ids; after load the host is asked for each again through ODM_EV_WORK with
 * `job` set.  ODM_ESTATE at another time; ODM_EMALFORMED for bytes that are no saved session. */
ODM_MUST_USE int odm_server_save(const odm_server *s, odm_buf *out);
ODM_MUST_USE int odm_server_load(const odm_server_opt *opt, odm_str saved, odm_server **out);

#endif
