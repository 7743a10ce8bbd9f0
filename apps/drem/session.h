/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - one management session, carried over HTTP (dm-protocol.md 10.1).
 *
 * The engine of lib/client says what to send; this file moves it, and makes the journal durable
 * before each message leaves. */
#ifndef DREM_SESSION_H
#define DREM_SESSION_H

#include "conf.h"
#include "device.h"
#include "http_client.h"

typedef struct session session;

typedef struct session_opt {
        loop *loop;
        http_client *http; /* idle; for this session's use until it ends */
        device *device;
        const odm_codec *codec;
        odm_str account;    /* URI of the DMAcc instance */
        odm_str session_id; /* of a wake-up; absent: a new one */
        unsigned alert;     /* ODM_ALERT_... */
        bool resync, resync_ascii, dm13, gzip;
        bool dm11, basic; /* may be spoken by the server; may be shown to one that asks, over TLS */
        conf_plain plain;
        uint32_t max_message, max_object;
        int64_t reply_ms;
} session_opt;

typedef struct session_end {
        odm_outcome outcome;
        const char *why;        /* a sentence; empty when all is well */
        int64_t retry_after_ms; /* the server asked for this pause; 0 = it did not */
        odm_client_stats stats;
        odm_str id;
} session_end;

/* Starts a session; copies `opt`.  `fn` is called once, not before this returns, and the session
 * is gone after it.  Returns 0, ODM_ENOMEM, or what odm_client_new() says of the account, with
 * the reason in `d`. */
ODM_MUST_USE int session_start(const session_opt *opt,
                               void (*fn)(void *ctx, const session_end *end), void *ctx,
                               session **out, diag *d);
/* Tells the server that we stop: the next message is an abort. */
void session_abort(session *s);
void session_drop(session *s); /* unheard; NULL is allowed */
/* For http_client_opt: some servers announce more octets than their message has. */
bool session_is_whole(odm_str body);

#endif
