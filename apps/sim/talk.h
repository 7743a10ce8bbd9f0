/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - one session of one device over HTTP: what all of xremsim's devices share.
 *
 * A talk is a place where sessions happen, one after the other, with a connection of its own. */
#ifndef SIM_TALK_H
#define SIM_TALK_H

#include "hist.h"
#include "sim.h"

#define SIM_OUTCOMES (ODM_OUTCOME_LIMIT + 1)

typedef struct sim_stats {
        uint64_t begun, ended;          /* sessions */
        uint64_t outcome[SIM_OUTCOMES]; /* odm_outcome */
        uint64_t shed;                  /* of them: HTTP 429 and 503 */
        uint64_t no_start;              /* sessions our own side could not begin */
        uint64_t messages, octets_out, octets_in, commands;
        http_client_counts http;
        hist session, message; /* microseconds */
        char why[256];         /* of the first session that failed; empty when none */
        int64_t us;            /* from the first session to the last end */
        size_t record_octets;  /* of all devices at rest */
        size_t devices;        /* which have one */
        size_t live, peak;     /* octets of trees and sessions: now, at most */
} sim_stats;

/* The heap, counted in st->live and st->peak. */
odm_mem talk_mem(sim_stats *st);

typedef struct talk_host { /* functions may be NULL but for `over` */
        loop *loop;
        const tls_cred *tls;
        const odm_mem *mem;
        sim_stats *stats;
        bool keep, resume; /* see sim_opt */
        /* A message is about to leave: what it says is to be durable.  Negative: the session fails;
         * 1: it is gone, and so is the talk's part in it (talk_drop() was called). */
        int (*before)(void *ctx);
        void (*alerted)(void *ctx, uint64_t id, unsigned status);
        /* The session is over; a next one may begin, but not from within. */
        void (*over)(void *ctx, odm_outcome outcome);
} talk_host;

typedef struct talk { /* zero it, set host and ctx */
        const talk_host *host;
        void *ctx;
        http_client *http;
        odm_client *client;
        int64_t rate;          /* octets a second, of both ways; 0: as fast as can be */
        loop_timer late;       /* a message on a slow way: */
        odm_packet packet;     /* lent by the client */
        bool more;             /* there is one */
        size_t came;           /* octets of the last reply */
        odm_wall skew;         /* what the device's clock is ahead */
        int64_t began, posted; /* microseconds */
        http_client_counts gone;
} talk;

/* Makes a session on `tree`, which is borrowed until it is over or dropped; alerts may be queued
 * in t->client before talk_start().  `wake` is the session id of a wake-up, 0 for none; `resync`
 * its nonce was a default one. 0, ODM_ENOMEM, ODM_EIO, ODM_ENOENT (no account). */
ODM_MUST_USE int talk_begin(talk *t, const sim_opt *o, odm_tree *tree, uint16_t wake, bool resync);
/* Sends the first message; `over` may be called from within.  0 or an error: nothing began, and
 * `over` is not called. */
ODM_MUST_USE int talk_start(talk *t);
/* Ends it, unheard and unfinished, as a device that lost its power. */
void talk_drop(talk *t);
void talk_done(talk *t); /* the connection too */
http_client_counts talk_counts(const talk *t);

#endif
