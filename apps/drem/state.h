/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the agent must not forget: the tree, alerts nobody has taken yet, and the
 * wake-ups it has seen.
 *
 * One journal in the state folder.  A record of the journal is a row of sections,
 *
 *     tag (1) | length (4, little-endian) | data
 *
 *     T  a record of the tree (odm_tree_opt.log, or odm_tree_dump())
 *     A  an alert to be sent        D  the number of one that was answered
 *     W  a wake-up seen (16 octets)
 *
 * Compaction writes all of it as one record.  Beside it is a copy, journal.copy: what the disk
 * damages in the one is taken from the other when the agent starts (fsio_twin.h). */
#ifndef DREM_STATE_H
#define DREM_STATE_H

#include "fsio_twin.h"
#include "odm/client.h"

typedef struct state state;

#define STATE_ALERTS 256 /* pending at one time */
#define STATE_SEEN 64    /* wake-ups remembered */
#define STATE_WAKE_ID 16

typedef struct state_alert {
        odm_alert alert; /* its id is the state's */
        odm_str server;  /* whom it is for; absent: whoever is called first */
        odm_wall since;
} state_alert;

/* Opens or makes the journal in `folder` and gives every record of the tree to `tree`, which has
 * its objects mounted.  `ops` NULL for the real disk; borrowed like `folder` during the call.
 * Returns 0, ODM_EIO, ODM_EMALFORMED, ODM_ENOMEM; `d` says why, or, with 0, that a torn record was
 * cut off. */
ODM_MUST_USE int state_open(const fsio_ops *ops, const char *folder, odm_tree *tree, state **out,
                            diag *d);
void state_close(state *s); /* NULL is allowed */
/* What was found damaged when it was opened, and mended but for `lost`. */
const fsio_healed *state_healed(const state *s);

/* For odm_tree_opt.log: ctx is the state.  0, ODM_EIO, ODM_ELIMIT, ODM_ENOMEM. */
int state_log(void *ctx, odm_str record);
/* Everything said so far is durable when this returns 0; ODM_EIO. */
ODM_MUST_USE int state_sync(state *s);
/* Compacts when that pays, or when the journal takes no more.  Not inside a transaction. */
ODM_MUST_USE int state_tidy(state *s, odm_tree *tree);
/* A write failed: nothing more is taken until state_tidy() succeeds. */
bool state_broken(const state *s);
/* Why the last write that failed did, with the file's name, for the log. */
const char *state_why(const state *s);
uint64_t state_size(const state *s); /* octets of the journal */

/* Keeps an alert until state_alert_done(); copies; gives it an id of its own.  0, ODM_ELIMIT,
 * ODM_ENOMEM, ODM_EIO.  Durable after the next sync. */
ODM_MUST_USE int state_alert_add(state *s, const state_alert *a);
void state_alert_done(state *s, uint64_t id); /* an unknown id is ignored */
size_t state_alerts(const state *s);
const state_alert *state_alert_at(const state *s, size_t i); /* lent until the next change */

bool state_wake_seen(const state *s, const uint8_t id[STATE_WAKE_ID]);
/* Remembers it, forgetting the oldest; durable on return.  0, or, with nothing remembered, ODM_EIO,
 * ODM_ENOMEM. */
ODM_MUST_USE int state_wake_add(state *s, const uint8_t id[STATE_WAKE_ID]);

#endif
