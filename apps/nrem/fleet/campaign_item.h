/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_item.h - one device of a campaign: whether it is ordered, what it is sent, and what its
 * answers mean.  Reads the store, writes nothing: a dry run uses it too. */
#ifndef NREM_CAMPAIGN_ITEM_H
#define NREM_CAMPAIGN_ITEM_H

#include "campaign_row.h"
#include "fleet.h"
#include "package.h"
#include "selector.h"

typedef struct campaign_scope { /* what all devices of a campaign share */
        const fleet_host *host;
        const campaign *c;
        campaign_plan plan;
        selector target;
        package pkg; /* with c->package, or the last one read of a rollback */
        odm_str base;
        json_t *holder; /* the plan's JSON, whose text the plan borrows */
        zone zone;      /* of the plan */
        odm_arena *a;   /* all of it lives there, and in holder */
        struct campaign_zone *zones;
} campaign_scope;

/* Reads plan, target, package, zone.  0, ODM_EMALFORMED, ODM_ENOENT (its package is gone), or as
 * reads of the store.  campaign_scope_done() in any case. */
ODM_MUST_USE int campaign_scope_init(campaign_scope *s, const fleet_host *h, const campaign *c,
                                     odm_arena *a);
void campaign_scope_done(campaign_scope *s);

typedef struct campaign_order {
        campaign_class class; /* NONE: it is ordered; else why not, and */
        const char *reason;   /* a sentence, in the arena */
        odm_str commands;     /* JSON */
        odm_str version, expect;
        bool unknown; /* it has to call first, so that its commands can be made */
        bool open;    /* its window is, until edge; else it opens then */
        int64_t edge; /* INT64_MAX: no window */
} campaign_order;

/* What device `d` would be sent at `now`.  `it` has package and version of a rollback.
 * 0, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int campaign_item_order(campaign_scope *s, const campaign_item *it,
                                     const store_device *d, int64_t now, campaign_order *out);

/* What it has to have then: `expect` of *out. */
ODM_MUST_USE int campaign_item_expect(campaign_scope *s, const campaign_item *it,
                                      const store_device *d, campaign_order *out);

/* For a rollback: the package of the version that the device ran before, into *it; class and reason
 * as above when there is none. */
ODM_MUST_USE int campaign_item_back(campaign_scope *s, campaign_item *it, campaign_order *out);

typedef struct campaign_verdict {
        campaign_class class;
        odm_str reason;
} campaign_verdict;
/* Why a job failed, by its results. */
ODM_MUST_USE int campaign_item_verdict(store *st, int64_t device, int64_t job, odm_str said,
                                       odm_arena *a, campaign_verdict *out);
/* What the Get of job brought; absent: nothing. */
ODM_MUST_USE int campaign_item_got(store *st, int64_t device, int64_t job, odm_arena *a,
                                   odm_str *out);
/* Whether `got` is what was to be reached. */
bool campaign_item_reached(const campaign *c, odm_str expect, odm_str got);

/* The job of that key; ODM_ENOENT. */
ODM_MUST_USE int campaign_item_job(store *st, int64_t device, odm_str key, odm_arena *a,
                                   store_job *out);

#endif
