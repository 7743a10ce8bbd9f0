/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_row.h - campaigns and their items as rows. */
#ifndef NREM_CAMPAIGN_ROW_H
#define NREM_CAMPAIGN_ROW_H

#include "campaign.h"
#include "table.h"

typedef enum campaign_kind {
        CAMPAIGN_FIRMWARE,
        CAMPAIGN_SOFTWARE,
        CAMPAIGN_COMMANDS
} campaign_kind;
extern const char *const campaign_kinds[];

/* Work on many items that goes on page by page. */
typedef enum campaign_sweep {
        SWEEP_NONE,
        SWEEP_WITHDRAW, /* orders that no device has begun are taken back */
        SWEEP_CLOSE,    /* so, and what was not ordered ends */
        SWEEP_RETRY,    /* what failed is to be ordered again */
        SWEEP_REMOVE,   /* items go, and the campaign behind them */
} campaign_sweep;

/* clang-format off */
#define CAMPAIGN_FIELDS(X) \
        X(id, I64) X(state, U32) X(work, I64) X(rev, I64) \
        X(name, STR) X(actor, STR) X(approved, STR) X(reason, STR) X(kind, U32) \
        X(package, I64) X(version, STR) X(url, STR) X(node, STR) X(commands, STR) X(atomic, BOOL) \
        X(verify, STR) X(expect, STR) X(source, I64) X(target, STR) X(plan, STR) \
        X(created, I64) X(updated, I64) X(started, I64) X(ended, I64) \
        X(cursor, STR) X(cursor_n, I64) X(filled, BOOL) X(refill, I64) \
        X(wave, U32) X(released, I64) X(reached, I64) X(forced, BOOL) X(closing, BOOL) \
        X(sweep, U32) X(swept, I64) X(classes, U32) \
        X(base_succeeded, I64) X(base_failed, I64) X(total, I64) X(left, I64) \
        X(pending, I64) X(delayed, I64) X(ordered, I64) X(checking, I64) X(succeeded, I64) \
        X(failed, I64) X(skipped, I64) X(cancelled, I64) \
        X(holds, BOOL)

#define ITEM_FIELDS(X) \
        X(dev, I64) X(campaign, I64) X(state, U32) X(n, I64) X(due, I64) X(name, STR) \
        X(class, U32) X(reason, STR) X(tries, U32) X(attempts, U32) X(package, I64) \
        X(version, STR) X(before, STR) X(after, STR) X(ordered, I64) X(updated, I64) X(ended, I64)
/* clang-format on */

typedef struct campaign {
        int64_t id;
        uint32_t state;
        int64_t work; /* 1: the clock has to look at it */
        int64_t rev;  /* rises with each act of an operator */
        odm_str name, actor;
        odm_str approved; /* by whom; empty: not */
        odm_str reason;
        uint32_t kind;
        int64_t package; /* 0: none; then version, url, or commands alone */
        odm_str version, url;
        odm_str node;     /* of the firmware object */
        odm_str commands; /* JSON with variables; empty: those of the kind */
        bool atomic;
        odm_str verify, expect; /* a leaf, and what it has to be then; empty: not looked at */
        int64_t source;         /* it rolls back what this campaign did; 0: it has a target */
        odm_str target, plan;   /* JSON */
        int64_t created, updated, started, ended;
        odm_str cursor; /* name of the last device looked at to fill it */
        int64_t cursor_n;
        bool filled;
        int64_t refill; /* when it is looked for devices that came late; 0: never */
        uint32_t wave;
        int64_t released, reached;
        bool forced;
        bool closing; /* its deadline has come */
        uint32_t sweep;
        int64_t swept;
        uint32_t classes; /* of SWEEP_RETRY */
        int64_t base_succeeded, base_failed;
        int64_t total; /* items that may be ordered: they are numbered by n */
        int64_t left;  /* of those: skipped or cancelled */
        /* tallies by state */
        int64_t pending, delayed, ordered, checking, succeeded, failed, skipped, cancelled;
        bool holds; /* its package: package_use() */
} campaign;

typedef struct campaign_item {
        int64_t dev, campaign; /* the row outlives its device: so that what happened is known */
        uint32_t state;
        int64_t n;   /* place in the order; 0: it was never to be ordered */
        int64_t due; /* DELAYED: when it is ordered; ORDERED, CHECKING: when it is looked after */
        odm_str name;
        uint32_t class; /* why it failed, or the last try did */
        odm_str reason;
        uint32_t tries;        /* jobs made: the last one's key */
        uint32_t attempts;     /* that failed, since it was taken up */
        int64_t package;       /* of a rollback */
        odm_str version;       /* the same */
        odm_str before, after; /* what it ran when it was ordered, and what it said in the end */
        int64_t ordered, updated, ended;
} campaign_item;

enum {
#define X(f, KIND) CAMPAIGN_F_##f,
        CAMPAIGN_FIELDS(X)
#undef X
};
enum {
#define X(f, KIND) ITEM_F_##f,
        ITEM_FIELDS(X)
#undef X
};

extern const store_table table_campaign, table_campaign_item;
#define CAMPAIGN_BY_WORK 1 /* work */
#define CAMPAIGN_BY_STATE 2
#define ITEM_BY_ORDER 1 /* campaign, state, n */
#define ITEM_BY_DUE 2   /* campaign, state, due */
#define ITEM_BY_NAME 3  /* campaign, name */

/* The tally of items in that state. */
int64_t *campaign_tally(campaign *c, campaign_item_state s);
uint64_t campaign_tally_field(campaign_item_state s); /* STORE_FIELD() */

/* It runs from now on. */
void campaign_begin(campaign *row, int64_t now);
/* Does what an operator asks for to the row, which becomes `to`; for CAMPAIGN_RETRY the caller has
 * set `classes`.  Gives the fields that were changed, as STORE_FIELD()s.  Texts are borrowed from
 * `who` or live in `mem`. */
uint64_t campaign_act(campaign *row, campaign_action a, campaign_state to, odm_str who, int64_t now,
                      odm_arena *mem);

#endif
