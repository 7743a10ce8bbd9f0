/* SPDX-License-Identifier: Apache-2.0 */
/* play_inner.h - a case of the client's side while it is played: what is said to the client is in
 * play.c, what must come back in play_want.c. */
#ifndef CONFORMANCE_PLAY_INNER_H
#define CONFORMANCE_PLAY_INNER_H

#include "device.h"
#include "outside.h"
#include "play.h"
#include "teller.h"

#define HEARD_MOST 4096
#define MEMORY ((size_t)64 << 20)

struct heard { /* one Status, Item of Results, or Alert of the client's message */
        const odm_command *c;
        const odm_item *item;
        odm_str value; /* of Results: its Data, behind that of the chunks before it */
};

struct ever { /* the same, of all messages of the session */
        struct heard what;
        struct ever *next;
};

struct play {
        teller t;
        const odm_codec *codec;
        device dev;
        odm_wall outside_time;
        outside out; /* what reaches the device without a session */
        odm_client_opt opt;
        odm_client *client;
        odm_arena a;
        odm_buf state; /* of the tree, before the last message */
        odm_time now;
        uint64_t dice;

        odm_msg say; /* the message being put together */
        bool saying, open;
        odm_str raw;          /* the message as the case writes it; absent: made of `say` */
        unsigned hdr_code;    /* of the Status for the client's SyncHdr */
        unsigned alerts_code; /* of those for its events */
        unsigned told;        /* the status of an event, as the host heard it; 0 = none yet */
        const line *done;     /* what is to be reported of the device's long job */
        odm_meta chal;
        odm_str url, mac; /* where the client's message goes, and its MAC */
        odm_str body;     /* its octets */
        odm_str say_type; /* media type of the server's message, when it is not the usual one */
        odm_str say_mac;  /* the nonce of the server's MAC, or "wrong"; absent for none */
        bool first;       /* `heard` is package 1 */
        uint32_t msg_id;
        odm_msg *reply; /* the client's last; NULL when it said nothing */
        size_t reply_n; /* its octets */
        struct heard heard[HEARD_MOST];
        unsigned n_heard, next;
        const line *user; /* where to look for the user's next answer */
        odm_str whole;    /* of Results that come in chunks, what came before */
        struct ever *ever;
        odm_str stamp;  /* the last TStamp that was told */
        odm_str nonces; /* those of the client's challenges, each with a blank behind */
};

#define wrong(p, ...) teller_wrong(&(p)->t, __VA_ARGS__)
#define must(p, rc, what) teller_must(&(p)->t, (rc), (what))
#define arg(p, l, i) teller_arg(&(p)->t, (l), (i))
#define number(p, s) teller_number(&(p)->t, (s))
#define code_is teller_code_is

/* The header for `body` by one side's secret and a nonce in base64. */
odm_str play_mac(struct play *p, const char *user, const char *password, odm_str nonce_b64,
                 odm_str body);
odm_str play_digest(struct play *p, const char *user, const char *password, odm_str nonce_b64);
/* The message that was put together goes to the client, and its answer is heard. */
void play_send(struct play *p);

/* want ...: something in the client's answer */
void play_want(struct play *p, const line *l);
/* Before anything else is played, all that the client said must have been wanted. */
void play_finish_wants(struct play *p);

#endif
