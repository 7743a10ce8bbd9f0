/* SPDX-License-Identifier: Apache-2.0 */
/* campaign.h - the rules of a campaign: the same order for many devices, by a plan.  Pure: no
 * store, no clock, no thread.
 *
 *     DRAFT --start--> RUNNING --all have ended--> DONE
 *                       |  ^ ^ '--cancel--> CANCELLED
 *                 pause |  | '--resume-- HALTED (by itself: too many failed)
 *                       v  | resume
 *                      PAUSED
 *
 * Each device is an item:
 *
 *     PENDING --its wave, its window--> ORDERED --job done--> CHECKING --reached--> SUCCEEDED
 *        ^                                | |                  |
 *        |         DELAYED <--retry later-' '------------------+--> FAILED
 *        '-(for its next try)                SKIPPED, CANCELLED: never ordered, or taken back
 *
 * Facts: xrem.md N6. */
#ifndef NREM_CAMPAIGN_H
#define NREM_CAMPAIGN_H

#include "problem.h"
#include "zone.h"

/* ---- states ------------------------------------------------------------------------------ */

typedef enum campaign_state {
        CAMPAIGN_DRAFT,
        CAMPAIGN_RUNNING,
        CAMPAIGN_PAUSED, /* by an operator */
        CAMPAIGN_HALTED, /* by itself; its reason tells why */
        CAMPAIGN_DONE,
        CAMPAIGN_CANCELLED,
} campaign_state;
extern const char *const campaign_states[]; /* up to a NULL; the others too */

typedef enum campaign_item_state {
        ITEM_PENDING,
        ITEM_DELAYED, /* to be ordered when it is due: a window, a further try */
        ITEM_ORDERED,
        ITEM_CHECKING, /* asked what it reached */
        ITEM_SUCCEEDED,
        ITEM_FAILED,
        ITEM_SKIPPED,
        ITEM_CANCELLED,
} campaign_item_state;
#define ITEM_STATES 8
extern const char *const campaign_item_states[];
static inline bool campaign_item_ended(campaign_item_state s)
{
        return s >= ITEM_SUCCEEDED;
}

typedef enum campaign_action {
        CAMPAIGN_APPROVE,
        CAMPAIGN_START,
        CAMPAIGN_PAUSE,
        CAMPAIGN_RESUME,
        CAMPAIGN_CANCEL,
        CAMPAIGN_RETRY, /* all items that failed */
        CAMPAIGN_ROLLBACK,
        CAMPAIGN_REMOVE,
} campaign_action;
extern const char *const campaign_actions[];

/* Whether the action is possible, and the state that it leads to.  NULL, or a sentence that says
 * why not (then *to is not written). */
const char *campaign_may(campaign_state s, campaign_action a, bool needs_approval, bool approved,
                         campaign_state *to);

/* ---- why an item ended ------------------------------------------------------------------ */

#define CAMPAIGN_CLASSES(X)                                                            \
        X(NONE, "none")               /* it succeeded, or has not ended */             \
        X(CORRUPT, "corrupt")         /* what arrived is not what was sent */          \
        X(SIGNATURE, "signature")     /* not signed by anybody the device trusts */    \
        X(NETWORK, "network")         /* the download was cut, or found no server */   \
        X(ADDRESS, "address")         /* there is nothing at that URL, or no way in */ \
        X(SPACE, "space")             /* no room */                                    \
        X(INSTALL, "install")         /* the installation failed */                    \
        X(UNFIT, "unfit")             /* not for this device */                        \
        X(UNSUPPORTED, "unsupported") /* the device has no such object */              \
        X(USER, "user")               /* its user said no */                           \
        X(BUSY, "busy")               /* the device does something else */             \
        X(DENIED, "denied")           /* the server may not do that there */           \
        X(SILENT, "silent")           /* it began, and was not heard of again */       \
        X(UNREACHED, "unreached")     /* it did not call */                            \
        X(LOST, "lost")               /* sessions broke off */                         \
        X(MISMATCH, "mismatch")       /* it says done, and is not */                   \
        X(STOPPED, "stopped")         /* its job was cancelled by hand */              \
        X(GONE, "gone")               /* the device was removed */                     \
        X(LATE, "late")               /* the campaign's deadline came */               \
        X(THERE, "there")             /* it has the version already */                 \
        X(STATE, "state")             /* the device is not active */                   \
        X(VALUE, "value")             /* a variable has no value for it */             \
        X(OTHER, "other")
typedef enum campaign_class {
#define X(id, word) CLASS_##id,
        CAMPAIGN_CLASSES(X)
#undef X
} campaign_class;
extern const char *const campaign_classes[];
#define CLASS_BIT(c) (1u << (c))

/* What a status says: the result code of an alert of that type, else (type absent) a Status of the
 * protocol.  CLASS_NONE for success. */
campaign_class campaign_class_of(odm_str type, unsigned status);

/* ---- the plan --------------------------------------------------------------------------- */

typedef struct campaign_share { /* of all devices: */
        uint32_t count;         /* so many, */
        uint32_t percent;       /* or this share */
} campaign_share;

typedef struct campaign_plan {
        campaign_share canary, wave;     /* nothing: no canary; all the rest at once */
        uint32_t threshold;              /* percent that must have succeeded before the next wave */
        int64_t soak;                    /* and so many ms have to pass then */
        bool hold;                       /* after the canary it is paused */
        uint32_t stop_above;             /* percent that failed; 0: it never halts for that */
        uint32_t stop_least;             /* not before so many have ended */
        uint32_t retries;                /* further tries of an item */
        int64_t retry_delay, retry_most; /* ms; doubled by each try up to the second */
        uint32_t retry_classes;          /* CLASS_BIT()s */
        uint32_t parallel;               /* under way at one time; 0: any number */
        int64_t contact_time;            /* ms in which a device has to call */
        int64_t update_time;             /* ms from taking the order to its result */
        zone_window windows[ZONE_WINDOWS];
        size_t n_windows;
        odm_str zone; /* name, or offset; absent: UTC */
        bool join, approval;
        int64_t begin, deadline; /* ms since 1970; 0: none */
} campaign_plan;

void campaign_plan_init(campaign_plan *p); /* the defaults */
/* Reads the object (docs/openapi.yaml, CampaignPlan); what is wrong goes into `p`.  Text is
 * borrowed. True when nothing is wrong; *out is written then only. */
bool campaign_plan_read(const json_t *o, const char *path, problem *p, campaign_plan *out);
/* All members, those too that were not given; NULL: out of memory. */
json_t *campaign_plan_json(const campaign_plan *p);

/* How many of `total` items are released with wave `wave` (from 1); total at least with the last.
 */
int64_t campaign_bound(const campaign_plan *p, uint32_t wave, int64_t total);
/* Which wave the n-th item (from 1) is of. */
uint32_t campaign_wave_of(const campaign_plan *p, int64_t n, int64_t total);
/* ms until the next try after `tries` failed. */
int64_t campaign_delay(const campaign_plan *p, uint32_t tries);
bool campaign_retries(const campaign_plan *p, campaign_class c, uint32_t tries);

/* ---- what is to be done next ----------------------------------------------------------------- */

typedef struct campaign_stage {
        uint32_t wave;                       /* released; 0: none */
        int64_t released;                    /* items of them */
        int64_t total;                       /* that may be ordered */
        int64_t reached;                     /* when the threshold was; 0: not yet */
        int64_t succeeded, failed, left;     /* of those released; left: skipped or cancelled */
        int64_t base_succeeded, base_failed; /* as they were when it was started or resumed */
        bool filled;                         /* all items are there */
        bool open;                           /* an item of those released has not ended */
        bool coming;                         /* more items may come */
        bool forced; /* an operator has it go on although the threshold was not reached */
        int64_t now;
} campaign_stage;

typedef enum campaign_step {
        STEP_WAIT,    /* until *at, or an event */
        STEP_REACHED, /* write down that the threshold was reached now */
        STEP_RELEASE, /* the next wave */
        STEP_HOLD,    /* pause: the canary is done */
        STEP_HALT,
        STEP_FINISH,
} campaign_step;

#define CAMPAIGN_REASON 160
/* `reason` is written for STEP_HALT and STEP_HOLD. */
campaign_step campaign_next(const campaign_plan *p, const campaign_stage *s, int64_t *at,
                            char reason[CAMPAIGN_REASON]);

/* ---- commands ------------------------------------------------------------------------------- */

typedef struct campaign_vars { /* what ${...} stands for; absent: no value */
        odm_str name, devid, maker, model, hwv, fwv, swv;
        odm_str tags; /* ${tag.site} is X of the tag site:X */
        odm_str version, url, sha256, size, package, campaign;
} campaign_vars;

/* Fills the variables in all texts of a list of commands, in place; "$$" is a dollar sign.
 * 0; ODM_ENOENT with the variable in `which` when one has no value; ODM_EMALFORMED when there is
 * none of that name; ODM_ENOMEM. */
#define CAMPAIGN_VAR 72
ODM_MUST_USE int campaign_fill(json_t *commands, const campaign_vars *v, char which[CAMPAIGN_VAR]);

/* The commands that bring a package to a device whose firmware object is at `node`
 * ("./FUMO/main"); mo-fumo.md 4. */
json_t *campaign_firmware(const char *node);
/* The same for software: DownloadInstall of the node `name` below ./SCM/Download, which
 * is at most 64 octets; mo-scomo.md 4. */
json_t *campaign_software(const char *name);

#endif
