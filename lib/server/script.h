/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - a device that says what a test tells it, and a host that writes down what
 * it hears.  For the tests of this room.
 *
 *     play_open(&p, &odm_codec_xml);
 *     say(&p, "alert 1201");  say_devinfo(&p);  post(&p);
 *     expect(&p, "S0=407! S1=407 S2=407 Final");
 *     heard(&p, "");                                                          */
#ifndef SERVER_SCRIPT_H
#define SERVER_SCRIPT_H

#include "odm/server.h"

#define PLAY_JOBS 16
#define PLAY_LOG 8192

typedef struct play {
        const odm_codec *codec;
        const odm_mem *mem;
        odm_server_opt opt;
        odm_server *s;
        odm_arena a; /* the message being said, and the last reply */
        uint64_t seed;

        /* the device */
        const char *session, *source, *proto, *dtd, *target, *user, *password;
        odm_auth_type show; /* NONE, BASIC, MD5 or MAC */
        odm_nonce nonce;
        uint32_t msg_id; /* of the next message */
        uint32_t max_msg, max_obj;
        bool no_final, keep_id;
        odm_msg out;
        odm_command **end;
        uint32_t cmd_id;
        odm_buf body, mac_text; /* as posted */
        const char *content_type;

        /* the host */
        odm_job jobs[PLAY_JOBS];
        unsigned n_jobs, next_job;
        unsigned alert_status;
        bool save_each; /* save and load after every message */
        bool forget;    /* and have no job any more when asked again */
        char log[PLAY_LOG];

        /* the last reply */
        int rc;
        bool replied;
        odm_msg *reply;
        size_t reply_n;
        odm_str reply_mac, reply_type;
        char seen[PLAY_LOG];
} play;

void play_open(play *p, const odm_codec *codec, const odm_mem *mem);
void play_start(play *p); /* makes the session from p->opt; done by the first post */
void play_close(play *p);

/* One command of the device:
 *   "alert CODE [id=N]"        "status CMDREF CODE [item text]"  CmdRef in the last reply
 *   "results CMDREF URI TEXT"  "NAME [URI]" for another command */
void say(play *p, const char *fmt, ...) ODM_PRINTF(2, 3);
odm_command *say_command(play *p, odm_cmd kind);
odm_item *say_item(play *p, odm_command *c, const char *uri, const char *text);
void say_devinfo(play *p);
/* Status CODE for everything in the last reply, 212 for its SyncHdr, Results for Gets. */
void say_all(play *p, unsigned code);
/* Sends what was said; p->rc has what the session returned. */
void post(play *p);
void post_again(play *p); /* the same octets once more */
void package1(play *p);   /* alert 1201, DevInfo, post */

/* The host's jobs. */
odm_command *job(play *p, uint64_t id); /* the first command, a Get of ./A to be changed */
void job_list(play *p, uint64_t id, odm_command *list);
odm_command *command(play *p, odm_cmd kind, const char *uri, const char *text);
odm_command *chain(odm_command *a, odm_command *b); /* a, then b; returns a */
odm_command *group(play *p, odm_cmd kind, odm_command *members);

/* p->seen: "S<cmdref>=<status>[!]" for a Status (! with a challenge), "1222" for an alert,
 * "Get(./A)" for a command, "[Add(..) Add(..)]" for members, "Final". */
void expect_at(play *p, const char *want, const char *file, int line);
void heard_at(play *p, const char *want, const char *file, int line);
#define expect(p, want) expect_at((p), (want), __FILE__, __LINE__)
#define heard(p, want) heard_at((p), (want), __FILE__, __LINE__) /* and forgets it */

/* What most rows begin with: both codecs, and a device that is known by its DevInfo. */
#define DEVINFO "./DevInfo/DevId=IMEI:1; ./DevInfo/Man=Example"
#define WELCOME "auth; session 1201; " DEVINFO "; nonces c"
#define SETUP "S0=212! S1=200 S2=200"
extern const odm_codec *const codecs[2];
#define EACH_CODEC(i) for (size_t i = 0; i < ODM_COUNT(codecs); i++)
void open_play(play *p, size_t i);

/* An item of ./Vendor/X for a command of the device; type NULL: none. */
odm_item *typed_item(play *p, odm_command *c, const char *type, const char *text);
/* A challenge for MD5. */
odm_meta chal(const char *nonce);
/* n octets, always the same, and a Replace of ./Big with them, for the host. */
odm_str octets(play *p, size_t n);
odm_command *big(play *p, size_t n);

#endif
