/* SPDX-License-Identifier: Apache-2.0 */
/* yard.h - what tests of the gateway's parts stand on: a gateway with devices in memory (fake.h),
 * its parts on a tree that is kept, and what a server does there.  No session and no agent: what
 * would go north waits.  One at a time. */
#ifndef GREM_YARD_H
#define GREM_YARD_H

#include "fake.h"
#include "inner.h"
#include "parts.h"

#define YARD_SERVER "srv" /* has all rights */

extern struct yard {
        char dir[40];
        cfg_key *keys;
        cfg *conf;
        loop *loop;
        gateway *g;
        fake *fake;
        odm_tree *tree;
        odm_tasks *tasks;
        state *journal;
        parts *parts;
        agent_app app;
        bool answered;
        unsigned status;
        char text[8192]; /* "URI=value\n" of each result */
        char why[512];   /* what was said of a refusal */
        unsigned later;  /* operations that a part was lent */
} yard;

/* An empty folder and a loop. */
void yard_open(void);
void yard_close(void);
void yard_set(const char *assignment); /* "gateway.live=100ms"; before yard_start() */
/* The gateway with these parts (up to a NULL) of what the folder has. */
void yard_start(const part_class *const *classes);
void yard_stop(void);
/* For cmocka's set-up and tear-down: all of that, with these settings (up to a NULL; NULL: none).
 * They return 0. */
int yard_set_up(const part_class *const *classes, const char *const *settings);
int yard_tear_down(void **arg);

/* An operation of `server` (NULL: YARD_SERVER) with correlator "c1": its status, results in
 * yard.text.  Turns the loop while a part is at it, for ten seconds at most. */
unsigned yard_do(const char *server, odm_cmd kind, const char *uri, const char *data,
                 odm_format format);
#define yard_get(uri) yard_do(NULL, ODM_CMD_GET, uri, NULL, ODM_FMT_ABSENT)
/* Turns the loop for `ms`, or until `until` is true. */
bool yard_turn(int64_t ms, bool (*until)(void *ctx), void *ctx);
/* What the loop and the store have to do at once is done. */
void yard_settle(void);
/* The device, attached; its record called in the fake's log as its key. */
fake_device *yard_attach(const char *id);

/* A fan-out of the server: what Add of it (rel NULL), or of a node below it, and Exec of an
 * operation are answered. */
#define YARD_TASKS "./GwMO/Fanout/Fanout"
unsigned yard_task_add(const char *task, const char *rel, const char *data, odm_format format);
unsigned yard_task_exec(const char *task, const char *operation);
/* The value of a leaf of it, until the next call; "(none)" when it cannot be read. */
const char *yard_task_leaf(const char *task, const char *rel);
bool yard_task_over(void *task); /* for yard_turn(); its name */

/* How many alerts of `type` wait for the server; "SOURCE:CORRELATOR:DATA" of each, with blanks
 * between, in yard.text. */
unsigned yard_alerts(const char *type);

#endif
