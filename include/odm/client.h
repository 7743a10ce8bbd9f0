/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - one device management session, seen from the device.
 *
 * A session does no I/O and reads no clock.  Its host moves the bytes, says what
 * time it is, and does what the session lends out:
 *
 *     rc = odm_client_start(c, now, wall);
 *     for (;;) {
 *             while (odm_client_next(c, &req) == 1)
 *                     ... do req, at once or later ... odm_client_answer(c, ...);
 *             if (odm_client_send(c, &pkt) != 1)
 *                     break;
 *             make the tree's log durable, then post pkt and wait for the reply;
 *             rc = odm_client_recv(c, &reply, now, wall);
 *     }
 *     outcome = odm_client_outcome(c);
 *
 * A session belongs to one thread at a time.  After a negative return it is
 * spent: only odm_client_diag() and odm_client_free() may follow.
 * Facts: dm-protocol.md; the account: dm-stdobj.md 1. */
#ifndef ODM_CLIENT_H
#define ODM_CLIENT_H

#include "odm/auth.h"
#include "odm/codec.h"
#include "odm/notify.h"
#include "odm/tree.h"

/* ---- the account ----------------------------------------------------------- */

/* What a DMAcc instance says, read out of the tree.  Text lives in the arena given. */
typedef struct odm_account {
        odm_str uri; /* "./DMAcc/main" */
        odm_str server_id;
        odm_str addr;           /* URL of the server */
        odm_str user, password; /* CLCRED */
        odm_auth_type type;     /* of CLCRED; AAuthPref when it names one */
        odm_nonce nonce;        /* client nonce: CLCRED AAuthData */
        bool has_nonce;
        odm_str server_user, server_password; /* SRVCRED */
        odm_auth_type server_type;
        odm_nonce server_nonce;              /* SRVCRED AAuthData */
        odm_str nonce_uri, server_nonce_uri; /* where the nonces are kept */
} odm_account;

/* Reads the account at `uri`.  ODM_ENOENT when AppID, ServerID or Addr is missing;
 * ODM_EUNSUPPORTED for an AppID that is not w7; ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int odm_account_read(odm_tree *t, odm_str uri, odm_arena *a, odm_account *out);
/* Finds the account of a Server Identifier, or the first one when `server_id` is absent.
 * Returns 0 or ODM_ENOENT, ODM_ENOMEM. */
ODM_MUST_USE int odm_account_find(odm_tree *t, odm_str server_id, odm_arena *a, odm_account *out);

/* The behaviour of ./DMAcc: the last account cannot be deleted (403), the server of an account that
 * goes is forgotten in all ACLs (dm-tree.md 4.6), and a server gives no account the ServerID
 * of another server that has one (403).  The host keeps `d` as long as the tree;
 * `mo` is the object's description, `at` where it is mounted ("./DMAcc").  Mount &d->provider,
 * and say odm_dmacc_learn() once the tree is loaded. */
#define ODM_DMACC_MAX 16
typedef struct odm_dmacc {
        odm_provider provider;
        const odm_mem *mem;
        const char *at;
        struct odm_dmacc_entry { /* who was there when the last transaction ended */
                char name[64], server[ODM_USER_MAX + 1];
        } entry[ODM_DMACC_MAX], next[ODM_DMACC_MAX]; /* next: when the open one commits */
        size_t n, n_next;
} odm_dmacc;
void odm_dmacc_init(odm_dmacc *d, const odm_mem *mem, const odm_mo *mo, const char *at);
/* Remembers which account is which server's.  0, ODM_ENOMEM. */
ODM_MUST_USE int odm_dmacc_learn(odm_dmacc *d, odm_tree *t);

/* ---- options ------------------------------------------------------------------ */

typedef struct odm_client_opt {
        const odm_mem *mem;
        odm_rng rng;
        const odm_tracer *trace;
        const odm_codec *codec; /* of our first message; default WBXML */
        const odm_codec *other; /* also read in documents that the server sends (TNDS); default
                                   NULL: they are in `codec`'s form, others answer 400 */
        odm_str account;        /* URI of the DMAcc instance */
        odm_str session_id;     /* absent: made from rng, 1 to 4 hex digits */
        unsigned alert;         /* ODM_ALERT_SERVER_INITIATED or ODM_ALERT_CLIENT_INITIATED */
        bool resync;            /* begun by a trigger with the default nonce */
        bool resync_ascii;      /* ... in its ASCII form */
        bool dm13;              /* say DM/1.3; falls back to 1.2 on 513 */
        bool secure;            /* the transport is TLS: basic may be shown */
        bool server_known;      /* the transport authenticated the server: no DM check needed */
        bool allow_dm11;        /* take DM/1.1 in the server's SyncHdr */
        bool allow_basic;       /* answer a Basic challenge (over TLS) */
        uint32_t max_msg_size;  /* what we can receive: default 65536; at least 2048 */
        uint32_t max_obj_size;  /* default 16 MiB */
        uint32_t send_max;      /* ceiling of what we send even if the server names none;
                                   default 65536 */
        bool has_copy, has_exec, has_atomic, has_tnds, has_list; /* default: all */
        bool has_ui;           /* user interaction alerts: else 406; default off */
        uint32_t max_alerts;   /* queued by the host; default 64 */
        odm_limits limits;     /* of the decoder */
        int64_t reply_ms;      /* time a reply may take; default 60000 */
        uint8_t retries;       /* of the last message when no reply came; default 2 */
        uint32_t max_messages; /* of ours in one session; default 10000 */
        size_t max_memory;     /* octets the session may hold; default 64 MiB */
} odm_client_opt;

void odm_client_opt_init(odm_client_opt *o, const odm_mem *mem);

/* ---- the session ----------------------------------------------------------------- */

typedef struct odm_packet { /* one message and what the transport must know of it */
        odm_str body;
        odm_str content_type; /* media type of the codec */
        odm_str mac;          /* value of x-syncml-hmac, or absent */
        odm_str url;          /* where it goes (client, out): account address or RespURI */
} odm_packet;

typedef enum odm_outcome {
        ODM_OUTCOME_NONE,             /* not ended yet */
        ODM_OUTCOME_DONE,             /* ended as it should */
        ODM_OUTCOME_ABORTED,          /* Alert 1223 by the server */
        ODM_OUTCOME_USER_ABORT,       /* odm_client_abort() */
        ODM_OUTCOME_AUTH_REFUSED,     /* the server did not take our credentials */
        ODM_OUTCOME_SERVER_UNTRUSTED, /* the server did not prove itself */
        ODM_OUTCOME_BAD_MESSAGE,      /* what came was no message of this session */
        ODM_OUTCOME_VERSION,          /* no common protocol version */
        ODM_OUTCOME_NO_REPLY,         /* retries and deadlines exhausted */
        ODM_OUTCOME_TRANSPORT,        /* odm_client_fail() */
        ODM_OUTCOME_TOO_LARGE,        /* our answer fits no message the server takes */
        ODM_OUTCOME_REFUSED, /* the server refused our message as such (400, 503, 511 ...) */
        ODM_OUTCOME_LIMIT,   /* a ceiling of this session was reached */
} odm_outcome;
const char *odm_outcome_name(odm_outcome o); /* "done", "auth-refused" ... */

typedef struct odm_client odm_client;

/* Makes an idle session.  Copies `opt`; borrows `tree` until the session is freed.  On success
 * *out is the caller's to free; on failure it is untouched.
 * Returns 0, ODM_ENOMEM, ODM_EINVAL for an option out of range, ODM_ENOENT when ./DevInfo/DevId is
 * missing, ODM_EIO, or what odm_account_read() says. */
ODM_MUST_USE int odm_client_new(const odm_client_opt *opt, odm_tree *tree, odm_client **out);
void odm_client_free(odm_client *c); /* NULL is allowed; wipes secrets */

/* Queues an alert of the device (1224 or 1226) for this session: `source`, type, format, mark,
 * data, correlator are copied.  `id` comes back in ODM_REQ_ALERTED.  Before or during the session.
 * Octets, and text that XML cannot carry, go as base64 in XML.  Returns 0, ODM_ELIMIT, ODM_ENOMEM,
 * ODM_EINVAL for another code or a name that XML cannot carry, ODM_ESTATE after the end. */
ODM_MUST_USE int odm_client_alert(odm_client *c, const odm_alert *alert);

/* Builds package 1.  Returns 0, ODM_ESTATE if started before, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int odm_client_start(odm_client *c, odm_time now, odm_wall wall);

/* Takes the reply; it is read during the call only.  What the server got wrong is not an error
 * here: the session answers it, or ends with a reason that odm_client_outcome() gives.  The answer
 * to an earlier message of ours, come late, is silence: the last message is lent again.
 * Returns 0, ODM_ENOMEM, ODM_EIO (no randomness, or the tree failed), or ODM_ESTATE if no reply is
 * due: the session goes on as it was then. */
ODM_MUST_USE int odm_client_recv(odm_client *c, const odm_packet *reply, odm_time now,
                                 odm_wall wall);

/* Lends the next message to send, valid until the next call on `c`.  Returns 1 with *out set,
 * or 0 when there is nothing to send: the session has ended, or a request is open. */
int odm_client_send(odm_client *c, odm_packet *out);

/* The transport failed, finally: ends the session. */
void odm_client_fail(odm_client *c);
/* The user or host wants to stop: the next message is Alert 1223. */
ODM_MUST_USE int odm_client_abort(odm_client *c);

/* The time at which odm_client_tick() next has work, or ODM_NEVER.  The tick makes send lend the
 * last message again (byte-identical), or ends the session when retries are used up. */
odm_time odm_client_deadline(const odm_client *c);
ODM_MUST_USE int odm_client_tick(odm_client *c, odm_time now);

/* ---- what the session lends out ------------------------------------------------- */

typedef enum odm_request_kind {
        ODM_REQ_EXEC,    /* run a node whose provider said ODM_LATER: answer with a status */
        ODM_REQ_NODE,    /* another operation whose provider said ODM_LATER: answer with a status
                            and, for GET, results */
        ODM_REQ_USER,    /* ask the user: answer with a status and, for input and choices, items */
        ODM_REQ_ALERTED, /* an alert of the host was answered by the server; needs no answer */
} odm_request_kind;

typedef struct odm_request {
        uint64_t id;
        odm_request_kind kind;
        const odm_op *op; /* EXEC, NODE */
        /* USER */
        unsigned alert;  /* 1100 .. 1104 */
        odm_str options; /* MINDT=..&MAXDT=.. as received */
        odm_str text;
        const odm_item *choices; /* list through next; Data is the text */
        uint32_t min_s, max_s;   /* from the options; 0 = not given */
        uint32_t max_len;        /* MAXLEN; 0 = not given */
        char input, echo;        /* IT: A N D T P I; ET: T P */
        odm_str preset;          /* DR, URL-decoded */
        /* ALERTED */
        uint64_t alert_id;
        unsigned status;
} odm_request;

#define ODM_CLIENT_TEXT 255
typedef struct odm_reply { /* answer to a request */
        unsigned status;
        const odm_result *results; /* NODE with GET */
        odm_str text;              /* EXEC, NODE refused: why, for people, as Item/Data of the
                                      Status, cut after ODM_CLIENT_TEXT octets; absent, or what XML
                                      cannot carry: nothing is said */
        const odm_str *items;      /* USER: the text, or numbers of choices */
        size_t n_items;
} odm_reply;

/* Returns 1 with *out set (lent until the answer), or 0.  EXEC, NODE and USER come one at a time,
 * and the same one again until it is answered; an ALERTED is told once, and lent until the next
 * call of this function.  Those of the last message are told after the session has ended.
 * While a request is open inside an Atomic so is the tree's transaction: the host leaves the tree
 * alone until it has answered. */
int odm_client_next(odm_client *c, const odm_request **out);
/* Answers request `id`; copies what it needs.  ODM_ESTATE for an id that is not open. */
ODM_MUST_USE int odm_client_answer(odm_client *c, uint64_t id, const odm_reply *r, odm_time now,
                                   odm_wall wall);

/* ---- afterwards ------------------------------------------------------------------- */

odm_outcome odm_client_outcome(const odm_client *c);
odm_str odm_client_session_id(const odm_client *c);
const char *odm_client_diag(const odm_client *c); /* a sentence on what went wrong, or "" */
typedef struct odm_client_stats {
        uint32_t messages_out, messages_in, commands, retries;
        uint64_t bytes_out, bytes_in;
} odm_client_stats;
odm_client_stats odm_client_get_stats(const odm_client *c);

#endif
