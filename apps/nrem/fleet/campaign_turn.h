/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_turn.h - what is done for one campaign in one batch: items move, their tallies with
 * them. */
#ifndef NREM_CAMPAIGN_TURN_H
#define NREM_CAMPAIGN_TURN_H

#include "campaign_item.h"

typedef struct campaign_turn {
        fleet_turn *t;
        campaign c;      /* as it was read; tallies and what was changed as it will be */
        int64_t rev;     /* as it was read */
        uint64_t fields; /* of c that are to be written */
        int64_t delta[ITEM_STATES];
        int64_t d_total, d_left, d_base_failed;
        campaign_scope scope;
        bool scoped;
} campaign_turn;

/* Reads the campaign.  ODM_ENOENT, or as reads; campaign_turn_done() after success. */
ODM_MUST_USE int campaign_turn_begin(campaign_turn *w, fleet_turn *t, int64_t id);
ODM_MUST_USE int campaign_turn_scope(campaign_turn *w); /* plan, target and the rest */
/* Adds what changed of the campaign itself.  With `guard` the batch is undone when an operator has
 * acted since it was read (ODM_ESTATE). */
ODM_MUST_USE int campaign_turn_end(campaign_turn *w, bool guard);
void campaign_turn_done(campaign_turn *w);

/* The item becomes *it; `from` is the state that it was in.  An end is told by an event. */
ODM_MUST_USE int campaign_turn_item(campaign_turn *w, const campaign_item *it,
                                    campaign_item_state from);
ODM_MUST_USE int campaign_turn_add(campaign_turn *w, const campaign_item *it);
/* An item that was left out (state skipped) waits for its turn; without a place (n 0) it is the
 * last one. */
ODM_MUST_USE int campaign_turn_join(campaign_turn *w, campaign_item *it);

/* Orders the item, or leaves it out, or has it wait for its window. */
ODM_MUST_USE int campaign_turn_order(campaign_turn *w, campaign_item *it);
/* It failed: another try, or the end. */
ODM_MUST_USE int campaign_turn_failed(campaign_turn *w, campaign_item *it, campaign_class class,
                                      odm_str reason);
ODM_MUST_USE int campaign_turn_job_ended(campaign_turn *w, campaign_item *it, int64_t job,
                                         odm_str kind, odm_str reason);
/* Ends the item if there is no such device any more. */
ODM_MUST_USE int campaign_turn_gone(campaign_turn *w, campaign_item *it, bool *gone);
/* It is due while a job of it is under way. */
ODM_MUST_USE int campaign_turn_look(campaign_turn *w, campaign_item *it);
/* Takes its order back when no device has begun it, and the item becomes `to`.  *begun: it had, and
 * stays. */
ODM_MUST_USE int campaign_turn_withdraw(campaign_turn *w, campaign_item *it, campaign_item_state to,
                                        campaign_class class, const char *reason, bool *begun);

/* An event of the campaign: {"campaign", "name"}, and what else is in `more` (taken; may be NULL).
 */
ODM_MUST_USE int campaign_turn_tell(campaign_turn *w, const char *kind, json_t *more);

#endif
