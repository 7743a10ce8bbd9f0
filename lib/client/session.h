/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - what the files of this room share: the session and its parts.
 *
 * client.c moves the session along, inbox.c takes a message of the server apart, runner.c
 * walks its commands, operation.c makes tree operations of their items, object.c joins the
 * chunks of large objects, prompt.c reads user interaction alerts, outbox.c packs what we
 * have to say into messages. */
#ifndef ODM_CLIENT_SESSION_H
#define ODM_CLIENT_SESSION_H

#include "odm/client.h"

#define DIAG_MAX 160
#define URL_MAX_LEN 2048
#define SESSION_ID_MAX 64
#define FRAMES 3   /* the body, a Sequence in it, an Atomic in that */
#define NESTING 64 /* deepest containers whose members get a Status each */
#define NUMBER_TEXT 12

/* IDLE --start--> READY --send--> WAIT --recv--> WORK --all done--> READY
 *                   ^---tick------'                '--open request: stays until answered
 * Any --over--> ENDED                                                                    */
enum client_state { CLIENT_IDLE, CLIENT_WORK, CLIENT_READY, CLIENT_WAIT, CLIENT_ENDED };

/* What our messages are for: package 1, package 3, or the last word. */
enum client_stage { STAGE_SETUP, STAGE_MANAGE, STAGE_CLOSING };

/* ---- what goes out --------------------------------------------------------- */

/* In each message the statuses come first (with package 1's own commands), then results, then
 * the alerts of the host. */
enum lane { LANE_STATUS, LANE_RESULTS, LANE_ALERTS, N_LANES };

struct entry {
        struct entry *next;
        odm_command cmd; /* MsgRef and all text in the outbox's arena; CmdID given when written */
        bool late;       /* the host did it: rolling back the tree does not undo it */
        uint64_t op, op_end; /* operations of the tree that it tells of; 0 = none */
};

struct alert {          /* queued by the host; one block of memory */
        struct entry e; /* first: the lane links these */
        odm_item item;
        uint64_t id;
        uint32_t msg_id, cmd_id; /* where it was sent last; 0 = not yet */
        unsigned status;         /* the server's; 0 = not answered */
        size_t size;             /* of the block */
};

struct position { /* how far the lanes have gone out */
        struct entry *at[N_LANES];
        odm_item *item; /* first item not sent of the entry begun; NULL: none begun */
        enum lane lane; /* of that entry */
        size_t off;     /* octets of its Data that have gone out in chunks */
};

struct outbox {
        odm_arena arena; /* entries and statuses */
        odm_arena data; /* results: what is too much for it is 413, and its Status still has room */
        struct entry *head[N_LANES], *tail[N_LANES];
        struct position now, before; /* before: where the last message began */
        uint32_t before_msg;         /* our MsgID then */
        bool before_closed;          /* and whether the server's package was complete */
        uint32_t chunk_cmd;          /* CmdID of the chunk in the last message; 0 = none */
        uint32_t least, idle; /* Statuses left over, and messages in a row that changed nothing */
        odm_buf buf;          /* the last message built */
        odm_buf mac;          /* its header, when MAC is used */
};

/* ---- what comes in ------------------------------------------------------------ */

struct outcome { /* of one item */
        struct outcome *next;
        const odm_item *item; /* NULL for a whole command (user interaction) */
        unsigned code;
        odm_str failing, created, text; /* in the outbox's arena */
        odm_item *items;                /* Results of a Get, or texts of the user; there too */
        bool late;
        uint64_t op; /* the tree's number of the operation */
};

struct frame { /* a list of commands being walked: the body, a Sequence or an Atomic */
        const odm_command *self, *at;
        struct entry *status; /* of the container; members' statuses follow it */
        bool failed;          /* Atomic: rolled back */
        bool stopped;         /* Sequence: the user refused */
};

struct runner {
        struct frame frame[FRAMES];
        unsigned depth;         /* of the innermost frame */
        const odm_command *cmd; /* whose items are being done; NULL between commands */
        const odm_item *item;   /* next one */
        struct outcome *first, **last;
        bool item_failed; /* in an Atomic: the rest of the items are not done */
        bool cancelled;   /* the user cancelled: nothing of this message is done any more */
};

/* A large object coming in chunks. */
enum object_state { OBJECT_NONE, OBJECT_OPEN, OBJECT_REFUSED };
struct place { /* what an Item is about */
        odm_cmd kind;
        odm_buf target, source;
};
struct object {
        enum object_state state;
        struct place place;
        struct place stray; /* of the last chunk that was not looked at; has_stray says it is one */
        bool has_stray;
        odm_buf data;
        uint64_t size;
        unsigned refusal; /* REFUSED: the status of its further chunks */
};

struct odm_client {
        odm_client_opt opt; /* text in `perm` */
        odm_tree *tree;
        enum client_state state;
        enum client_stage stage;
        odm_outcome outcome, closing; /* closing: the outcome once the last word is answered */
        char diag[DIAG_MAX];

        odm_arena perm, in, scratch; /* for ever, one server message, one item */
        odm_arena head;              /* what is said of its header, which outlives the message */
        odm_account account;
        odm_str device_id, session_id;
        odm_prover prover;
        odm_verifier verifier;
        odm_buf url; /* where messages go: of the account, then as RespURI says */
        bool say_dm13;

        odm_time now, deadline;
        odm_wall wall;
        uint8_t tries; /* repetitions of the last message */
        uint32_t msg_id;
        uint32_t peer_msg; /* MsgID of the server's last message; 0: none yet, or no number */
        uint32_t peer_max_msg, peer_max_obj; /* 0 = no limit */
        bool peer_closed;                    /* the server's package is complete: Final came */
        bool own_closed;                     /* our last message had Final */
        bool abort_wanted;
        odm_client_stats stats;

        odm_msg *msg; /* being processed, in `in`; NULL once it is done with */
        odm_command hdr_status;
        bool has_hdr_status; /* the next message answers one of the server's */
        bool trusted;        /* the message comes from a server that proved itself */
        struct outbox box;
        struct runner run;
        struct object object;

        odm_op op; /* the operation lent out */
        odm_request request;
        bool request_open;
        uint64_t next_request;
        struct alert *told; /* lent as ODM_REQ_ALERTED; freed at the next call */
        uint32_t alerts;    /* queued and not told yet */
};

/* client.c */
void odm_client_enter(odm_client *c, enum client_state to);
int odm_client_finish(odm_client *c, odm_outcome o, const char *diag); /* always returns 0 */
/* No reply to our last message came: it is lent again, or that was the last time.  Returns 0. */
int odm_client_repeat(odm_client *c);

/* setup.c: package 1. */
ODM_MUST_USE int odm_setup_build(odm_client *c);

/* inbox.c: one message of the server. */
ODM_MUST_USE int odm_inbox_take(odm_client *c, const odm_packet *reply);
/* The message is done with: gives its memory back, before ours is built. */
void odm_inbox_drop(odm_client *c);
/* Keeps the nonce we issued to the server.  Called when the message that carries it is made: one
 * that is never said, since the server left us nothing to answer, must not replace the one it has.
 */
ODM_MUST_USE int odm_inbox_keep_server_nonce(odm_client *c);

/* runner.c.  run: 0 when all is done or a request is open; else an error. */
void odm_runner_begin(odm_client *c);
ODM_MUST_USE int odm_runner_run(odm_client *c);
ODM_MUST_USE int odm_runner_answer(odm_client *c, const odm_reply *r);
/* Cancels what is not done yet, the open request included (215). */
ODM_MUST_USE int odm_runner_cancel(odm_client *c);
bool odm_runner_done(const odm_client *c);
/* Calls fn for every command, members included, in document order. */
int odm_commands_walk(const odm_command *list, int (*fn)(void *ctx, const odm_command *cmd),
                      void *ctx);

/* operation.c.  Makes c->op of one item; *code is 0, or the status that ends it. */
ODM_MUST_USE int odm_operation_make(odm_client *c, const odm_command *cmd, const odm_item *item,
                                    const odm_data *data, unsigned *code);
/* The items of a Results, in the outbox's data; *code becomes 413 above the server's limit. */
ODM_MUST_USE int odm_operation_items(odm_client *c, const odm_result *results, odm_item **out,
                                     unsigned *code);
/* Sets Meta and Data of `it` from a value of the tree. */
ODM_MUST_USE int odm_operation_put_value(odm_client *c, const odm_value *v, odm_item *it);

/* object.c.  *code: 0 = *data is whole; else the status of this item. */
ODM_MUST_USE int odm_object_take(odm_client *c, const odm_command *cmd, const odm_item *item,
                                 odm_data *data, unsigned *code);
/* A command that does not go on with the open object: Alert 1225. */
ODM_MUST_USE int odm_object_interrupt(odm_client *c);
/* A command that is not begun: what still comes of its object must not pass for a whole value. */
ODM_MUST_USE int odm_object_pass_over(odm_client *c, const odm_command *cmd, const odm_item *items);
bool odm_object_continues(const odm_client *c, const odm_command *cmd);
void odm_object_forget(odm_client *c);

/* prompt.c.  Fills c->request from a user interaction alert; *code as above. */
ODM_MUST_USE int odm_prompt_read(odm_client *c, const odm_command *cmd, unsigned *code);

/* outbox.c.  Entries are in the outbox's arena; NULL when out of memory. */
struct entry *odm_outbox_add(odm_client *c, enum lane lane, odm_cmd kind);
struct entry *odm_outbox_status(odm_client *c, const odm_command *cmd, unsigned code);
odm_str odm_outbox_copy(odm_client *c, odm_str s);
odm_ref *odm_outbox_ref(odm_client *c, odm_str uri);
bool odm_outbox_empty(const odm_client *c); /* nothing but the SyncHdr's Status is to be said */
/* The last message was accepted: forgets what went out with it. */
void odm_outbox_accepted(odm_client *c);
/* The last message was refused: it is to be sent again. */
void odm_outbox_rewind(odm_client *c);
/* The server wants no more of the object being sent in chunks. */
void odm_outbox_drop_chunk(odm_client *c);
/* Builds the next message and makes the session READY. */
ODM_MUST_USE int odm_outbox_build(odm_client *c);
/* Builds one that only refuses what came: every command gets `code`. */
ODM_MUST_USE int odm_outbox_build_refusal(odm_client *c, unsigned code);
/* Builds the abort message. */
ODM_MUST_USE int odm_outbox_build_abort(odm_client *c);
void odm_outbox_free_alert(odm_client *c, struct alert *a);

static inline int arena_rc(const odm_arena *a)
{
        return odm_arena_err(a);
}

#define CLIENT_TRACE(c, ...) ODM_TRACE((c)->opt.trace, "client", __VA_ARGS__)

#endif
