/* SPDX-License-Identifier: Apache-2.0 */
/* stand.h - what tests of parts stand on: a folder, a tree with parts in it, their journal and
 * loop, and what a server does.  One at a time. */
#ifndef DREM_STAND_H
#define DREM_STAND_H

#include "parts.h"

extern struct stand {
        char dir[32];
        cfg *conf;
        loop *loop;
        odm_tree *tree;
        odm_tasks *tasks;
        state *journal;
        parts *parts;
        const agent_app *app; /* NULL, unless a test sets one */
} stand;

/* A folder and a loop, nothing in them. */
void stand_open(void);
void stand_close(void);
/* Configures it, in the place of what was before: `text` follows [agent] with its state. */
void stand_configure(const char *text);

/* The parts come to life with what the journal has, and go again.  `accounts`, if any, is mounted
 * before them. */
void stand_start(const part_class *const *classes, odm_provider *accounts,
                 const parts_agent *agent);
void stand_stop(void);

/* An operation of server "srv" with correlator "c1": its status. */
unsigned stand_operate(odm_cmd kind, const char *uri, const char *data, odm_wall now);
/* A value, "(none)" where there is none; until the next call. */
const char *stand_get(const char *uri);

#endif
