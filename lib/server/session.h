/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - what the files of this room share: the state of one session.
 *
 *   server.c   the public calls, the turn of a message, what is told to the host
 *   receive.c  one message of the device: who it is, what it says
 *   results.c  Results, whole or in chunks
 *   job.c      jobs, their cursors, and the commands that wait for a Status
 *   reply.c    our message: Statuses, commands
 *   chunk.c    objects that leave in chunks
 *   clone.c    a command as it goes out
 *   save.c     the whole state as bytes, and back
 *
 * A message takes its turn like this:
 *
 *   WAIT --message--> [RELEND] --> TELL --all told--> FILL --full or nothing left--> CLOSE
 *     ^                 jobs again                     jobs asked for                  |
 *     +-------------------------------- reply lent <-----------------------------------+
 *
 * and the conversation like this:
 *
 *   SETUP --authenticated package--> MANAGE --no commands left, abort, refusal--> OVER     */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "odm/server.h"

enum turn { TURN_WAIT, TURN_RELEND, TURN_TELL, TURN_FILL, TURN_CLOSE };
enum phase { PHASE_SETUP, PHASE_MANAGE, PHASE_OVER };

/* What the reply to the message in hand is to be. */
enum plan {
        PLAN_REFUSE, /* Statuses of one refusal, Final: nothing was executed */
        PLAN_NEXT,   /* the device's package is open: Alert 1222, no Final */
        PLAN_WORK,   /* our turn: commands, if there are any */
        PLAN_STOP,   /* Statuses and Final: the session is over */
        PLAN_ABORT,  /* Alert 1223 and Final: the session is over */
};

#define SESSION_ID_MAX 64
#define URI_MAX 1024 /* of a device's or server's address */
#define DIGEST_LEN 16

/* A job in flight.  `at` counts commands in document order, members included. */
struct job {
        struct job *next;
        uint64_t id;
        const odm_command *commands; /* NULL after a load, until lent again */
        const odm_command *top;      /* the cursor: next command to send, NULL at the end */
        const odm_command *member;   /* set when an Atomic's members go singly */
        uint32_t at, end;            /* commands from `end` on are not to be sent */
        uint32_t total, told;        /* commands, and RESULTs told */
        bool alone, split;
        bool sent; /* something of it went out */
        bool lost; /* the host has it no more: nothing of it can be sent */
};

enum sent_flags {
        SENT_MEMBER = 1,    /* inside the nearest entry before that is no member */
        SENT_CHUNK = 2,     /* a chunk with more to come: 213 is wanted */
        SENT_LAST = 4,      /* the last chunk */
        SENT_ATOMIC = 8,    /* an Atomic whose members may go singly */
        SENT_MINE = 16,     /* `status` is ours: the answer was unusable */
        SENT_ANSWERED = 32, /* a Status came */
        SENT_BROKEN = 64    /* its object broke off and has not come again */
};

/* One command that waits for its Status.  Entry i has the CmdID first + i. */
struct sent {
        struct job *job;
        uint32_t index;
        uint16_t status;
        uint8_t flags;
};

struct item_list {
        odm_item *head, **tail; /* tail is NULL while the list is empty */
};

struct answer { /* what came for a sent command; lives in an arena */
        struct item_list items, results;
};

/* A Status of ours, not yet written. */
struct status_out {
        struct status_out *next;
        odm_command c;
        const odm_command *of; /* the device's command: Statuses of one may be merged */
};

struct told { /* an event that waits for the host */
        struct told *next;
        odm_event ev;
        struct status_out *status; /* ALERT: where the answer goes */
        struct job *done;          /* JOB_DONE: freed once taken */
};

/* An object that leaves in chunks: the command under its job's cursor. */
struct sending {
        bool open, again; /* again: it was begun anew after an Alert 1225 */
        struct job *job;
        size_t off;    /* octets of the value that the device has */
        size_t flying; /* octets in the chunk that waits for its 213 */
        bool converted;
        odm_buf value; /* a value in the form of the codec, kept while it is sent */
};

/* A Results item, or an alert's, that arrives in chunks. */
struct taking {
        bool open;
        uint32_t entry;
        bool has_size;
        uint64_t size;
        odm_item item; /* text in `held` */
        odm_buf data;
};

/* The octets of a joined object, lent by events until their message is done. */
struct object {
        struct object *next;
        odm_buf data;
};

struct odm_server {
        odm_server_opt opt;    /* text in `text` */
        const odm_mem *parent; /* the host's allocator */
        odm_mem mem;           /* ours: counts, and stops at opt.max_memory */
        size_t live;
        bool over_memory; /* an allocation was refused by our ceiling */
        char *text;       /* copies of the option's strings */
        size_t text_n;
        odm_verifier verifier;
        odm_prover prover;

        enum turn turn;
        enum phase phase;
        enum plan plan;
        odm_outcome outcome;
        const char *diag;
        int err; /* a failure that next() met; the session is spent */

        /* the conversation */
        char session_id[SESSION_ID_MAX];
        uint8_t session_id_n;
        odm_str device;         /* Source of the device; ours */
        bool xml, bare_mime;    /* codec; application/vnd.syncml+... was used */
        uint8_t version;        /* 1, 2, 3: DM/1.x */
        uint32_t in_id, out_id; /* MsgID of the last message of each side */
        uint32_t messages;
        uint64_t peer_max_msg, peer_max_obj;
        bool large_objects, no_atomic;
        bool told_auth, told_session, announced, abort_asked;
        bool open; /* our package is not closed: chunks, or Statuses that did not fit */
        uint8_t digest[DIGEST_LEN]; /* of the last message, to know its repetition */
        bool has_reply;
        odm_buf reply, mac; /* lent until the next message; kept for a repetition */

        /* work */
        struct job *jobs;
        uint32_t out_msg, out_first, n_out, cap_out;
        struct sent *out;
        struct answer *answers; /* n_out of them while a message is in hand, or held */
        odm_arena held;         /* answers of a package that takes several messages */
        bool holding;           /* `answers` live in `held` */
        bool deep;              /* what arrives now must outlive its message */
        struct object *objects;
        struct sending sending;
        struct taking taking;
        struct taking telling; /* an alert's; its text in telling_text */
        unsigned telling_code;
        odm_arena telling_text;
        odm_arena late; /* Statuses that are to be in the next message, from before it */
        struct status_out *late_list;
        odm_arena said; /* those of alerts in our last message, which the device may not believe */
        struct status_out *said_list;

        /* the message in hand; all of it in `arena` */
        odm_arena arena;
        odm_msg *in;
        odm_packet packet;
        struct told *told, **told_end, *lent;
        struct status_out *statuses, **statuses_end;
        odm_str no_end;    /* Source of an object that was cut off: Alert 1225 */
        struct job *asked; /* RELEND: the job asked for */
        bool want_work, no_more;
        bool refused; /* nobody proved it: what we are is not shown in the answer */
        odm_writer w;
        uint32_t next_cmd;           /* CmdID of the next command we write */
        uint32_t wrote;              /* commands of jobs in this message */
        const struct job *wrote_job; /* the last one with a command in this message */
        bool wrote_full;             /* nothing may follow */
        bool overflow;               /* Statuses are left for the next message */
        bool stay_open;              /* a command needs a message with fewer Statuses */
        bool lean;                   /* no message of ours could have more room */
        size_t limit;                /* octets of this message */
};

/* ---- server.c ------------------------------------------------------------ */

void odm_session_turn(odm_server *s, enum turn to);
void odm_session_phase(odm_server *s, enum phase to);
/* The reason of an allocation that failed: our ceiling, or real need. */
int odm_session_nomem(const odm_server *s);
int odm_session_arena_err(const odm_server *s, const odm_arena *a);
/* Appends an event; NULL when there is no memory. */
struct told *odm_session_tell(odm_server *s, odm_event_kind kind);
/* Ends the session after this reply; the first reason counts. */
void odm_session_finish(odm_server *s, odm_outcome outcome, const char *why);
const odm_codec *odm_session_codec(const odm_server *s);
int odm_session_copy(odm_server *s, odm_str in, odm_str *out); /* on the heap */
void odm_session_free_str(odm_server *s, odm_str *str);

/* ---- receive.c ------------------------------------------------------------- */

/* Works through the decoded message: 0, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int odm_receive_message(odm_server *s);

/* A NUL octet in what should be text: that item fails, never the session. */
#define STATUS_NUL ODM_ST_BAD_REQUEST
bool odm_data_has_nul(odm_format f, const odm_data *d);

/* ---- results.c ------------------------------------------------------------- */

ODM_MUST_USE int odm_results_take(odm_server *s, const odm_command *c);
/* Something else began before the object was whole: Alert 1225 will name it. */
ODM_MUST_USE int odm_results_interrupted(odm_server *s);
/* The package ended; an object still open has failed. */
void odm_results_cut_off(odm_server *s);

/* ---- job.c ----------------------------------------------------------------- */

uint32_t odm_job_count(const odm_command *c); /* a command with its members */
uint32_t odm_job_count_all(const odm_command *list);
bool odm_job_allowed(const odm_command *list); /* may it be sent by us? */
ODM_MUST_USE int odm_job_add(odm_server *s, const odm_job *job);
/* Lends the commands again after a load; false when they are not the same. */
bool odm_job_relend(struct job *j, const odm_job *job);
void odm_job_free(odm_server *s, struct job *j);
const odm_command *odm_job_peek(const struct job *j); /* the next to send, or NULL */
void odm_job_advance(struct job *j);
void odm_job_seek(struct job *j, uint32_t index);
/* Reports every command from the cursor on as not sent. */
ODM_MUST_USE int odm_job_give_up(odm_server *s, struct job *j, unsigned status, const char *why);

/* The device has no Atomic: the members of the one at `index` go singly from now on. */
ODM_MUST_USE int odm_job_split(odm_server *s, struct job *j, uint32_t index);

ODM_MUST_USE int odm_sent_add(odm_server *s, struct job *j, uint32_t index, uint8_t flags);
/* Prepares the answers of this message. */
ODM_MUST_USE int odm_sent_open(odm_server *s, bool hold);
struct sent *odm_sent_find(const odm_server *s, odm_str msg_ref, odm_str cmd_ref);
ODM_MUST_USE int odm_sent_status(odm_server *s, struct sent *e, const odm_command *status);
ODM_MUST_USE int odm_sent_result(odm_server *s, struct sent *e, const odm_command *results,
                                 const odm_item *item, const odm_data *data);
/* The device's package is complete: tells what came, and forgets the entries. */
ODM_MUST_USE int odm_sent_settle(odm_server *s, bool all); /* not all: only those with a Status */
void odm_sent_rewind(odm_server *s); /* the commands in flight are to be sent again */
void odm_sent_forget(odm_server *s);
void odm_sent_all_status(odm_server *s, unsigned status); /* for those without one */
/* Copies an item with its effective Meta; all text into `a` when `deep`. */
odm_item *odm_item_copy(odm_arena *a, const odm_meta *meta, const odm_item *item, bool deep);

/* ---- reply.c --------------------------------------------------------------- */

ODM_MUST_USE int odm_reply_begin(odm_server *s);
enum fill { FILL_GOES_ON, FILL_FULL, FILL_TOLD, FILL_ASK };
/* Puts the next command into the message, or says what is in the way: *out. */
ODM_MUST_USE int odm_reply_fill(odm_server *s, enum fill *out);
ODM_MUST_USE int odm_reply_end(odm_server *s);
/* A Status of ours for a command of the device; NULL when there is no memory. */
struct status_out *odm_status_add(odm_server *s, const odm_command *of, unsigned code);
/* The device did not believe our last message: what it said of alerts is said again in the next. */
ODM_MUST_USE int odm_status_again(odm_server *s);

/* ---- large.c: alerts whose Data come in chunks --------------------------- */

/* Whether the item of the Alert is a chunk, the last one too. */
bool odm_large_is_part(const odm_server *s, const odm_command *c, const odm_item *item);
/* Takes it.  *status: 213, more is awaited; 200 with *whole, in the message's arena; or why the
 * object is refused.  0 or an error. */
ODM_MUST_USE int odm_large_take(odm_server *s, const odm_command *c, const odm_item *item,
                                unsigned *status, odm_item **whole);
/* Something else began: what came so far is forgotten, and the device tells it again. */
void odm_large_drop(odm_server *s);
/* Whether as much has come as was said. */
bool odm_taking_fits(const struct taking *t);

/* ---- chunk.c: objects that leave in chunks ------------------------------ */

/* True when `c` is one command with one item whose value may be cut. */
bool odm_chunk_possible(const odm_command *c);
void odm_chunk_begin(odm_server *s, struct job *j);
/* Writes the next chunk, the only command of its message.  *fits is false when not one octet
 * found room. */
ODM_MUST_USE int odm_chunk_put(odm_server *s, bool *fits);
void odm_chunk_close(odm_server *s);

/* ---- clone.c ----------------------------------------------------------------- */

/* A command of a job as it is sent: text borrowed, the rest in s->arena; CmdIDs from `id` on.
 * `convert` turns its values into the form of the session's codec.
 * 0, ODM_ENOMEM, ODM_ELIMIT, ODM_EMALFORMED for a broken document inside. */
ODM_MUST_USE int odm_clone_command(odm_server *s, const odm_command *c, uint32_t id, bool convert,
                                   odm_command **out);

#endif
