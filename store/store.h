/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - where a server remembers devices, jobs, nonces, sessions and results.
 *
 * Reading is direct: any thread calls a store_*_get() or store_*_list(), and what was found is
 * copied into the caller's arena.  Writing is by batches: a list of plain operations that happen
 * together or not at all.  One writer thread takes whatever batches wait as one transaction (group
 * commit), and says `done` when they are durable:
 *
 *     b = store_batch_new(st);
 *     op = store_batch_add(b, STORE_JOB_STATE);      fill op->job_state
 *     rc = store_write(st, b, done, ctx);            0: b belongs to the store until done()
 * returned
 *
 * A reader sees a batch from the moment it is durable, never a part of one.
 *
 * Text in an operation is borrowed until the batch is freed: copy it into store_batch_arena()
 * unless it lives longer.  Times are milliseconds since 1970-01-01T00:00:00Z; 0 means never.
 * Numbers given by the store (ids) are positive, rise, and are never used again.
 *
 * Common returns: 0; ODM_ENOENT (no such thing); ODM_ENOMEM; ODM_ELIMIT (the arena's ceiling, or
 * the queue's); ODM_EIO (the store failed; store_diag() tells).  A failed read leaves `out`
 * untouched. */
#ifndef STORE_H
#define STORE_H

#include "odm/base.h"

typedef struct store store;

/* ---- devices ------------------------------------------------------------------- */

typedef enum store_device_state {
        STORE_DEVICE_PROVISIONED, /* known, has never called */
        STORE_DEVICE_ACTIVE,      /* has had an authenticated session */
        STORE_DEVICE_HELD,        /* unknown device that called, waits for approval */
        STORE_DEVICE_REFUSED,     /* an operator said no */
        STORE_DEVICE_DEACTIVATED, /* an operator switched it off: sessions are refused */
        STORE_DEVICE_ASLEEP,      /* silent, as expected of it */
        STORE_DEVICE_UNREACHABLE, /* silent, when it was expected to call */
        STORE_DEVICE_DETACHED,    /* taken away on purpose: nobody expects it */
} store_device_state;
#define STORE_DEVICE_STATES 8
const char *store_device_state_name(store_device_state s); /* "provisioned" ... */
bool store_device_welcome(store_device_state s);           /* may have sessions */
bool store_device_state_parse(odm_str s, store_device_state *out);

typedef struct store_device {
        int64_t id;
        int64_t rev;   /* rises with each change an operator makes (name, tags, state, ...) */
        odm_str name;  /* what people say, unique: acme/meter/17 */
        odm_str devid; /* ./DevInfo/DevId, unique; absent while not known */
        store_device_state state;
        odm_str maker, model, hwv, fwv, swv, dmv, lang; /* as last reported; absent: never */
        odm_str tags;                                   /* words separated by one blank */
        odm_str note;                                   /* free text of an operator */
        odm_str wake_reported; /* ./DevInfo/Ext/xrem/Wake, udp://host:port */
        odm_str wake_override; /* an operator's, wins over the reported one */
        odm_str address;       /* source address of the last session, without port */
        odm_str route;         /* how the last session came to be: "called", "udp wake" ... */
        odm_str reached; /* by which of our addresses: "http://host:port", as the device said it */
        int64_t created, updated, last_contact;
        /* the running wake-up, dm's business */
        int64_t wake_at;       /* when to send the next package 0; 0: none is due */
        uint32_t wake_tries;   /* sent so far without an answer */
        uint32_t wake_session; /* session id of the package 0 sent; 0: none */
} store_device;

/* Fields of a STORE_DEVICE_PATCH. */
enum store_device_field {
        STORE_DF_NAME = 1 << 0,
        STORE_DF_DEVID = 1 << 1,
        STORE_DF_STATE = 1 << 2,
        STORE_DF_MAKER = 1 << 3,
        STORE_DF_MODEL = 1 << 4,
        STORE_DF_HWV = 1 << 5,
        STORE_DF_FWV = 1 << 6,
        STORE_DF_SWV = 1 << 7,
        STORE_DF_DMV = 1 << 8,
        STORE_DF_LANG = 1 << 9,
        STORE_DF_TAGS = 1 << 10,
        STORE_DF_NOTE = 1 << 11,
        STORE_DF_WAKE_REPORTED = 1 << 12,
        STORE_DF_WAKE_OVERRIDE = 1 << 13,
        STORE_DF_ADDRESS = 1 << 14,
        STORE_DF_ROUTE = 1 << 15,
        STORE_DF_LAST_CONTACT = 1 << 16,
        STORE_DF_WAKE = 1 << 17, /* wake_at, wake_tries and wake_session */
        STORE_DF_REACHED = 1 << 18,
        /* those of an operator: a patch with any of them makes `rev` rise */
        STORE_DF_OPERATOR = STORE_DF_NAME | STORE_DF_DEVID | STORE_DF_STATE | STORE_DF_TAGS |
                            STORE_DF_NOTE | STORE_DF_WAKE_OVERRIDE,
};

/* A page of devices, in the order of their names.  Zero-initialise; an absent or zero field filters
 * nothing. */
typedef struct store_device_filter {
        odm_str after;   /* names behind this one: the last of the page before */
        uint32_t limit;  /* 1 .. 1000; 0: 100 */
        uint32_t states; /* bits 1 << store_device_state */
        odm_str prefix;  /* of the name: "acme/" */
        odm_str text;    /* somewhere in name, devid, maker or model; ASCII case is ignored */
        odm_str maker, model, fwv;             /* exactly */
        odm_str tag;                           /* one word */
        int64_t contact_after, contact_before; /* last_contact >= / < */
        /* So many devices are looked at, at least, before a page ends that is not full; 0: as many
         * as it takes.  What is asked for by state, tag, maker, model, firmware or prefix is gone
         * straight to. */
        uint32_t look;
} store_device_filter;

typedef struct store_device_list {
        store_device *v; /* n of them, in the arena */
        size_t n;
        bool more; /* perhaps; with `look` a page may be empty and have more behind it */
        odm_str next; /* with more: `after` of the next page */ /* there is a next page */
} store_device_list;

ODM_MUST_USE int store_device_get(store *st, int64_t id, odm_arena *a, store_device *out);
ODM_MUST_USE int store_device_by_name(store *st, odm_str name, odm_arena *a, store_device *out);
ODM_MUST_USE int store_device_by_devid(store *st, odm_str devid, odm_arena *a, store_device *out);
ODM_MUST_USE int store_device_find(store *st, const store_device_filter *f, odm_arena *a,
                                   store_device_list *out);
/* Devices with 0 < wake_at <= now, the longest due first, at most `limit`. */
ODM_MUST_USE int store_device_wake_due(store *st, int64_t now, uint32_t limit, odm_arena *a,
                                       store_device_list *out);

/* ---- accounts: the secrets, apart from all that REST shows ------------------------- */

typedef struct store_account {
        int64_t device;
        odm_str user;                   /* AAuthName of CLCRED; absent: any */
        odm_str secret;                 /* B64(H(user:password)), 24 characters */
        odm_str password;               /* only when kept: auth-basic answers, SHA-256 MAC */
        uint32_t auth;                  /* odm_auth_type we demand; 0: none (policy) */
        uint32_t flags;                 /* STORE_ACCOUNT_* */
        odm_str server_id, server_user; /* SRVCRED: ServerID, AAuthName */
        odm_str server_secret, server_password;
        uint32_t server_auth; /* odm_auth_type by which we prove ourselves */
        /* STORE_NONCES */
        odm_str nonce, previous, server_nonce; /* octets; absent: none yet */
        /* STORE_LOCKOUT */
        uint32_t failures;    /* wrong credentials in a row */
        int64_t locked_until; /* refuse all the same until then */
} store_account;

enum store_account_flag {
        STORE_ACCOUNT_BASIC = 1,       /* auth-basic is good enough */
        STORE_ACCOUNT_DM11 = 2,        /* DM/1.1 may be spoken */
        STORE_ACCOUNT_NO_RESYNC = 4,   /* never wake it with the default nonce */
        STORE_ACCOUNT_CERTIFICATE = 8, /* a TLS client certificate named for it is enough */
        STORE_ACCOUNT_MADE_UP = 16,    /* nobody asked for it: no credential of it was given */
        STORE_ACCOUNT_BY_DEVID = 32    /* the certificate names the DevId; that of its name is a
                                          former unit's */
};

/* Nothing but the DM endpoint calls this. */
ODM_MUST_USE int store_account_get(store *st, int64_t device, odm_arena *a, store_account *out);

/* ---- jobs ---------------------------------------------------------------------- */

/*  queued -> notified -> in_session -> waiting -> done | failed | expired | cancelled
 *     ^---------'------------'   (a lost session, a wake-up without answer)          */
typedef enum store_job_state {
        STORE_JOB_QUEUED,
        STORE_JOB_NOTIFIED,   /* a wake-up went out for it */
        STORE_JOB_IN_SESSION, /* claimed by a session, which sends it */
        STORE_JOB_WAITING,    /* accepted by the device (202), or sent and its fate unknown */
        STORE_JOB_DONE,
        STORE_JOB_FAILED,
        STORE_JOB_EXPIRED,
        STORE_JOB_CANCELLED,
} store_job_state;
#define STORE_JOB_STATES 8
#define STORE_JOB_BIT(s) (1u << (s))
#define STORE_JOB_OPEN /* states in which something may still happen */        \
        (STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED) | \
         STORE_JOB_BIT(STORE_JOB_IN_SESSION) | STORE_JOB_BIT(STORE_JOB_WAITING))
const char *store_job_state_name(store_job_state s); /* "queued" ... */
bool store_job_state_parse(odm_str s, store_job_state *out);

typedef struct store_job {
        int64_t id, device;
        odm_str kind;     /* what made it, for people: "get", "exec", "commands" ... */
        odm_str commands; /* JSON array in the one format of apps/nrem/job_codec.h */
        bool atomic;      /* the whole of it inside one Atomic */
        store_job_state state;
        int32_t priority;  /* higher goes first; 0 is usual */
        int64_t deadline;  /* then it expires; 0: never */
        uint32_t attempts; /* sessions that claimed it */
        uint32_t max_attempts;
        odm_str correlator; /* of its Exec; the later alert names it */
        odm_str actor;      /* who asked */
        odm_str route;      /* how the device was reached: "called", "udp wake" ... */
        odm_str reason;     /* why it failed, waits or was put back */
        int64_t session;    /* the session (store id) that last claimed it; 0: none */
        int64_t created, updated, started, finished;
        odm_str key; /* who asked calls it so: one job of the device at most; absent: nothing */
} store_job;

/* One node's value inside a command result. */
typedef struct store_value {
        odm_str uri;
        odm_str format; /* "chr", "bin", ...; absent: none said */
        odm_str type;   /* MIME type; absent: none said */
        odm_str data;   /* octets, base64 of the wire already decoded; absent: no Data */
} store_value;

typedef struct store_result {
        uint32_t index;  /* of the command, members of Atomic and Sequence counted in document order
                          */
        uint32_t status; /* the device's, or the engine's when not sent */
        bool sent;
        odm_str text; /* why, where somebody said */
        int64_t at;
        store_value *items;
        size_t n_items;
} store_result;

typedef struct store_result_list {
        store_result *v; /* by index */
        size_t n;
} store_result_list;

typedef struct store_note {
        int64_t at;
        store_job_state state; /* of the job then */
        odm_str text;
} store_note;

typedef struct store_note_list {
        store_note *v; /* oldest first */
        size_t n;
} store_note_list;

/* A page of jobs, newest (highest id) first, or by priority and age with `in_order`. */
typedef struct store_job_filter {
        int64_t device;  /* 0: of all */
        uint32_t states; /* STORE_JOB_BIT()s; 0: all */
        int64_t before;  /* ids below this one: the last of the page before */
        uint32_t limit;  /* 1 .. 1000; 0: 100 */
        bool in_order; /* highest priority, then lowest id, first; needs device, excludes before */
        odm_str correlator;      /* exactly */
        int64_t deadline_before; /* 0 < deadline <= this; of all devices and open ones alone the
                                    page is in no order, and what is dealt with makes room for more
                                  */
        bool no_commands;        /* leave `commands` absent: a list for people */
} store_job_filter;

typedef struct store_job_list {
        store_job *v;
        size_t n;
        bool more;
} store_job_list;

ODM_MUST_USE int store_job_get(store *st, int64_t id, odm_arena *a, store_job *out);
ODM_MUST_USE int store_job_find(store *st, const store_job_filter *f, odm_arena *a,
                                store_job_list *out);
ODM_MUST_USE int store_job_results(store *st, int64_t device, int64_t job, odm_arena *a,
                                   store_result_list *out);
ODM_MUST_USE int store_job_notes(store *st, int64_t device, int64_t job, odm_arena *a,
                                 store_note_list *out);

/* ---- the tree mirror -------------------------------------------------------------- */

typedef struct store_node {
        odm_str path;   /* ./DevInfo/Man */
        odm_str format; /* "node" for an interior one; absent: not known yet */
        odm_str type;
        odm_str value;   /* absent: not known, or too large to keep (size tells) */
        uint64_t size;   /* octets of the value when it was seen; 0 when not seen */
        int64_t at;      /* when the device last told */
        uint32_t number; /* of its path, the store's own; 0: not looked up */
} store_node;

typedef struct store_tree {
        store_node *v; /* by path, octet order with '/' before all else: parents before children */
        size_t n;
        int64_t at; /* of the newest */
} store_tree;

/* The node at `prefix` and all below it ("." for the whole tree); paths are lent until the store is
 * closed.  ODM_ENOENT when the mirror holds nothing there. */
ODM_MUST_USE int store_tree_get(store *st, int64_t device, odm_str prefix, odm_arena *a,
                                store_tree *out);

typedef enum store_tree_change_kind {
        STORE_TREE_SET,      /* the node is there; absent format, type, value keep what was known */
        STORE_TREE_GONE,     /* it is not, nor what was below */
        STORE_TREE_CHILDREN, /* `value` is its complete list of child names, '/' between: others go
                              */
} store_tree_change_kind;

typedef struct store_tree_change {
        store_tree_change_kind kind;
        odm_str path, format, type, value;
        uint64_t size; /* SET without value: how large it was */
} store_tree_change;

/* ---- sessions and their messages ------------------------------------------------------ */

typedef struct store_session {
        int64_t id, device;
        odm_str dm_id; /* SessionID of the device */
        odm_str sid;   /* the token in RespURI */
        odm_str peer;  /* address:port */
        odm_str route; /* "called", "udp wake" ... */
        odm_str codec; /* "xml" or "wbxml" */
        odm_str agent; /* User-Agent */
        bool tls;
        bool authenticated;
        odm_str outcome; /* absent while it runs; then one word and maybe a sentence */
        int64_t started, last;
        uint32_t messages; /* both ways, kept or not */
        uint64_t bytes_in, bytes_out;
} store_session;

typedef struct store_message {
        uint32_t n; /* from 1, by the store */
        int64_t at;
        bool out; /* from us to the device */
        odm_str mime;
        odm_str hmac;  /* x-syncml-hmac header, absent when there was none */
        odm_str bytes; /* absent when too large to keep */
        uint64_t size;
} store_message;

typedef struct store_session_list {
        store_session *v; /* newest first */
        size_t n;
        bool more;
} store_session_list;

typedef struct store_message_list {
        store_message *v; /* by n */
        size_t n;
} store_message_list;

/* A number for a session that begins, any thread: it is kept with STORE_SESSION_PUT when it ends.
 */
int64_t store_session_number(store *st);
/* The kept sessions of a device, ids below `before` when it is set. */
ODM_MUST_USE int store_session_find(store *st, int64_t device, int64_t before, uint32_t limit,
                                    odm_arena *a, store_session_list *out);
ODM_MUST_USE int store_session_get(store *st, int64_t device, int64_t id, odm_arena *a,
                                   store_session *out);
ODM_MUST_USE int store_session_messages(store *st, int64_t device, int64_t session, odm_arena *a,
                                        store_message_list *out);
/* The engine's state between two messages as STORE_SESSION_SAVE left it, found by token. */
ODM_MUST_USE int store_session_saved(store *st, odm_str sid, odm_arena *a, store_session *out,
                                     odm_str *saved);

/* ---- tokens, settings, events, audit -------------------------------------------------- */

typedef struct store_token {
        odm_str name;  /* unique, for people */
        odm_str hash;  /* SHA-256 octets of the token: all that is kept */
        odm_str role;  /* "viewer", "operator", "admin" */
        odm_str scope; /* name prefix it is limited to; absent: all */
        int64_t created, expires;
} store_token;

typedef struct store_token_list {
        store_token *v; /* by name */
        size_t n;
} store_token_list;

ODM_MUST_USE int store_token_by_hash(store *st, odm_str hash, odm_arena *a, store_token *out);
ODM_MUST_USE int store_token_find(store *st, odm_arena *a, store_token_list *out);

/* Small values a server keeps for itself: "rest.token_hash", "tls.ticket_key" ... */
ODM_MUST_USE int store_setting_get(store *st, odm_str key, odm_arena *a, odm_str *out);

typedef struct store_event {
        int64_t seq; /* given by the store, rises without exception */
        int64_t at;
        int64_t device; /* 0: none */
        odm_str kind;   /* "job.done", "device.created" ... */
        odm_str data;   /* a JSON object */
} store_event;

typedef struct store_event_list {
        store_event *v; /* by seq */
        size_t n;
        bool more;
} store_event_list;

/* `fn` is called on the writer thread after each transaction that added events, when they can be
 * read, with the highest seq among them, before the `done` of its batches.  It must not block and
 * may call store_write().  NULL: nobody any more.  When this returns, no call of the former `fn` is
 * under way or to come; so not to be called by it. */
void store_watch(store *st, void (*fn)(void *ctx, int64_t seq), void *ctx);

/* Somebody who must not miss any has heard the events up to `seq`: those behind it stay in the log,
 * beyond events_kept by events_unheard at most.  Before the first call, and with INT64_MAX, nobody
 * is waited for.  Any thread. */
void store_events_heard(store *st, int64_t seq);

/* Events behind `after`, oldest first; device 0: of all. */
ODM_MUST_USE int store_event_find(store *st, int64_t after, int64_t device, uint32_t limit,
                                  odm_arena *a, store_event_list *out);
/* The number of the newest event; 0 when there is none. */
ODM_MUST_USE int store_event_last(store *st, int64_t *out);

typedef struct store_audit {
        int64_t seq, at;
        int64_t device; /* 0: none */
        odm_str actor, action, target, detail, outcome;
} store_audit;

typedef struct store_audit_list {
        store_audit *v; /* newest first */
        size_t n;
        bool more;
} store_audit_list;

/* Entries with seq below `before` (0: the newest), newest first; device 0: of all. */
ODM_MUST_USE int store_audit_find(store *st, int64_t before, int64_t device, uint32_t limit,
                                  odm_arena *a, store_audit_list *out);

typedef struct store_counts {
        uint64_t devices[STORE_DEVICE_STATES];
        uint64_t jobs[STORE_JOB_STATES];
        uint64_t sessions; /* kept */
} store_counts;
ODM_MUST_USE int store_count(store *st, store_counts *out);

/* ---- writing ------------------------------------------------------------------------ */

/* As `device`, `job` or `session` of an operation: the one created by an earlier operation of the
 * same batch. */
#define STORE_LAST (-1)

typedef enum store_op_kind {
        STORE_DEVICE_CREATE, /* device; id is ignored and given back.  EEXIST: name or devid */
        STORE_DEVICE_PATCH,  /* device_patch.  EEXIST; ENOENT; ESTATE when rev or wake_at differs */
        STORE_DEVICE_DELETE, /* of: with all that is its.  ENOENT */
        STORE_ACCOUNT_PUT,   /* account, without nonces and lock-out, which stay.  ENOENT: device */
        STORE_NONCES,        /* nonces.  ENOENT: no account */
        STORE_LOCKOUT,       /* lockout.  ENOENT: no account */
        STORE_JOB_CREATE,  /* job; id is given back.  ENOENT: no such device; ELIMIT: too many open;
                              EEXIST: the device has a job of that key, whose id is given back */
        STORE_JOB_MOVE,    /* job_move.  ENOENT; ESTATE when an expectation does not hold */
        STORE_RESULT_PUT,  /* result; replaces an earlier one of that index.  ENOENT: no such job */
        STORE_JOB_NOTE,    /* note; the oldest go beyond 100.  ENOENT: no such job */
        STORE_TREE_UPDATE, /* tree.  ENOENT: no such device */
        STORE_SESSION_PUT, /* session: the whole row, made when it is not there (id 0: numbered, and
                              given back); its messages go behind those kept.  Oldest sessions
                              beyond the ring go.  ENOENT: no such device */
        STORE_SESSION_SAVE,   /* save.  ENOENT: no such session */
        STORE_TOKEN_PUT,      /* token.  EEXIST when the hash is another's */
        STORE_TOKEN_ADD,      /* the same, but EEXIST when the name is another's, too */
        STORE_TOKEN_DELETE,   /* key: the name.  ENOENT */
        STORE_TOKEN_WITHDRAW, /* token: that of `name` goes.  ENOENT; ESTATE when no other one would
                                 be left of `role` that is good at the time `created` */
        STORE_SETTING_PUT,    /* setting; an absent value deletes */
        STORE_EVENT_ADD,      /* event; seq given back as id */
        STORE_AUDIT_ADD,      /* audit; seq given back as id */
        STORE_ROW_ADD,        /* row, all five: see store_row_op */
        STORE_ROW_PUT,
        STORE_ROW_PATCH,
        STORE_ROW_DELETE,
        STORE_ROWS_DELETE,
} store_op_kind;

typedef struct store_device_patch {
        uint32_t fields;    /* STORE_DF_* */
        int64_t expect_rev; /* 0: any */
        /* Only if wake_at is this, so that who wakes a device does not undo what a session of it
         * did meanwhile. */
        bool expect_wake;
        int64_t expect_wake_at;
        store_device to; /* id names the device; the fields named count; `updated` always does */
} store_device_patch;

typedef struct store_nonces {
        int64_t device;
        odm_str nonce, previous, server_nonce; /* absent: kept as it is */
} store_nonces;

typedef struct store_lockout {
        int64_t device;
        uint32_t failures;
        int64_t locked_until;
} store_lockout;

/* Moves a job from one of the expected states into another. */
typedef struct store_job_move {
        int64_t device, job;
        uint32_t from;           /* STORE_JOB_BIT()s expected; others are ESTATE */
        int64_t expect_session;  /* 0: any; else job.session must be this */
        int64_t expect_attempts; /* -1: any; else job.attempts must be this */
        store_job_state to;
        int attempt; /* 1: one more, and `started` when it is the first; -1: it came to nothing */
        int64_t session;    /* 0: kept */
        odm_str reason;     /* absent: kept; empty: cleared */
        odm_str correlator; /* absent: kept */
        odm_str route;      /* absent: kept */
        odm_str note;       /* its note; absent: none */
        int64_t at;         /* becomes `updated`, and `finished` for a state that is an end */
} store_job_move;

/* Rows of the tables of table.h: structs of table->rec, borrowed with their texts until the batch
 * is freed.
 *
 *   STORE_ROW_ADD     a new row; its number is given back as op->id.  EEXIST: key or unique index
 *   STORE_ROW_PUT     the row, new or in place of the one with its key.  EEXIST: a unique index
 *   STORE_ROW_PATCH   `fields` of the row with the key of `row` become as in `row`; those also in
 *                     `plus`, whose kind is a number, are added to what is there.  With `where`,
 *                     only if those fields are as in `is`, else ESTATE.  ENOENT; EEXIST
 *   STORE_ROW_DELETE  the row with the key of `row`; `where` as above.  ENOENT; ESTATE
 *   STORE_ROWS_DELETE all rows of `scan`, at most its limit (0: 1000); how many is op->id
 *   EINVAL for a field that is none, a key field among `fields`, a table the store was not given,
 *   a number of a numbered table that is below 1 (0 where none is given by the store)
 *
 * Sums stay within the range of their kind; what is added to a U32 or U64 is taken as signed, so
 * (uint32_t)-1 takes one away.  A patch without `fields` looks at `where` alone. */
typedef struct store_row_op {
        const struct store_table *table;
        const void *row;
        uint64_t fields, plus; /* STORE_FIELD()s */
        uint64_t where;
        const void *is;
        const struct store_scan *scan;
} store_row_op;

typedef struct store_op {
        store_op_kind kind;
        bool lenient; /* a refusal (ENOENT, EEXIST, ESTATE) stays with this operation; otherwise it
                         undoes the whole batch and is its result */
        bool follows; /* left out, with its refusal, when the operation before it was refused */
        int rc;       /* result of this operation, once done; 0 or the refusal */
        int64_t id;   /* what the store numbered: device, job, session, seq, row */
        union {
                store_device device;
                store_device_patch device_patch;
                int64_t of;
                store_account account;
                store_nonces nonces;
                store_lockout lockout;
                store_job job;
                store_job_move job_move;
                struct {
                        int64_t device, job;
                        store_result r;
                } result;
                struct {
                        int64_t device, job;
                        store_note n;
                } note;
                struct {
                        int64_t device, at;
                        const store_tree_change *v;
                        size_t n;
                } tree;
                struct {
                        store_session s;
                        const store_message *v; /* n of them; their own n is the store's */
                        size_t n;
                } session;
                struct {
                        int64_t device, session;
                        odm_str saved; /* absent: forget */
                } save;
                store_token token;
                odm_str key;
                struct {
                        odm_str key, value;
                } setting;
                store_event event;
                store_audit audit;
                store_row_op row;
        };
} store_op;

typedef struct store_batch {
        odm_arena arena;
        store_op **ops; /* in the order added */
        size_t n, cap;
        /* the store's own */
        struct store_batch *next;
        void (*done)(void *ctx, struct store_batch *b, int rc);
        void *ctx;
        int rc;
} store_batch;

/* Called on the writer thread, once, when the batch is durable (rc 0) or nothing of it happened (a
 * refusal of an operation, ODM_EIO, ODM_ENOMEM, ODM_ESTATE at shutdown).  The operations carry
 * their results.  It must not block and may call store_write(); the batch is freed when it returns.
 */
typedef void (*store_done)(void *ctx, store_batch *b, int rc);

store_batch *store_batch_new(void); /* NULL: out of memory */
/* A zeroed operation, or NULL when memory is out or the batch is full (4096).  STORE_JOB_MOVE
 * starts with expect_attempts -1. */
store_op *store_batch_add(store_batch *b, store_op_kind kind);
odm_arena *store_batch_arena(store_batch *b);
void store_batch_free(
        store_batch *b); /* one that was not given to store_write(); NULL is allowed */

/* Hands the batch over.  0: taken, `done` will be called (NULL: nobody waits).  ODM_ELIMIT: the
 * queue is full (shed load), ODM_ESTATE: the store is closing; then the batch stays the caller's
 * and `done` is not called.  An empty batch is durable when all before it are. */
ODM_MUST_USE int store_write(store *st, store_batch *b, store_done done, void *ctx);
/* The same, waiting; not to be called on the writer thread.  The batch stays the caller's, with its
 * results.  Returns as `done` is told, or as store_write(). */
ODM_MUST_USE int store_write_sync(store *st, store_batch *b);

/* ---- opening and closing -------------------------------------------------------------- */

/* Errors on demand, for tests: the Nth call fails with ODM_EIO, counted from 1; 0: never. */
typedef struct store_fault {
        uint64_t fail_write, fail_commit, fail_read; /* operations, transactions, reads */
        bool for_ever;                               /* and all after it */
        uint64_t writes, commits, reads;             /* counted so far */
} store_fault;
/* While the store is open, from any thread: new orders and counts; and what was counted. */
void store_fault_set(store_fault *f, store_fault to);
store_fault store_fault_get(store_fault *f);

typedef enum store_owner { STORE_OF_SERVER, STORE_OF_GATEWAY } store_owner;

typedef struct store_opt {
        const char *where;       /* "mem:" or "sqlite:FILE"; "FILE" means sqlite */
        store_owner owner;       /* whose it is for ever; default a server's */
        uint32_t queue_max;      /* batches waiting; default 4096 */
        size_t queue_bytes;      /* octets of waiting batches; default 64 MiB */
        uint32_t group_max;      /* batches in one transaction; default 256 */
        uint32_t readers;        /* read connections kept; default 4 */
        size_t cache_bytes;      /* of the file, kept by the writer; default 16 MiB */
        uint32_t sessions_kept;  /* a device; default 20 */
        size_t session_bytes;    /* octets of messages kept a session; default 1 MiB */
        size_t mirror_value_max; /* larger values are not mirrored; default 4096 */
        size_t mirror_bytes;     /* a device's whole mirror; default 1 MiB */
        uint32_t jobs_open_max;  /* a device; default 1000 */
        uint32_t jobs_kept; /* finished ones a device; default 1000.  Those that finished first go,
                               as far as they are among the oldest */
        uint32_t events_kept;    /* default 1000000.  A sixty-fourth more may be there */
        uint32_t events_unheard; /* so many more, when they are not heard yet; default 1000000 */
        const struct store_table *const *tables; /* n of them (table.h), borrowed while open */
        size_t n_tables;
        store_fault *fault; /* NULL: none.  Borrowed while the store is open */
} store_opt;

void store_opt_init(store_opt *o);

#define STORE_DIAG 400
/* Opens (and creates, migrates) the store and starts its writer.  ODM_EINVAL for an unknown engine;
 * ODM_EIO, ODM_EUNSUPPORTED (of a newer version, or another owner's), ODM_EMALFORMED (damaged),
 * ODM_EACCESS (may not be written): `diag` then has a sentence for the operator. */
ODM_MUST_USE int store_open(const store_opt *opt, store **out, char diag[STORE_DIAG]);
/* Lets waiting batches finish, then closes.  NULL is allowed.  No other call may be running. */
void store_close(store *st);

typedef struct store_stats {
        uint64_t batches, transactions, ops, reads;
        uint64_t refused; /* batches turned away by the queue's ceiling */
        uint64_t failed;  /* transactions that failed */
        bool failing;     /* the last one that wrote something did */
        uint32_t queue;   /* batches waiting now */
        uint64_t commit_us_total, commit_us_max;
} store_stats;
void store_stat(store *st, store_stats *out);
const char *store_engine_name(const store *st); /* "sqlite", "mem" */
/* Copies the sentence of the last transaction that failed into `out` ("" when none did). */
void store_diag(store *st, char out[STORE_DIAG]);

#endif
