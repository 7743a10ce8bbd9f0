/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_scene.h - what tests of campaigns play on: devices that fail in every way, campaigns of
 * them, and simulated time.  What goes wrong fails the test. */
#ifndef NREM_CAMPAIGN_SCENE_H
#define NREM_CAMPAIGN_SCENE_H

#include "campaign_item.h"
#include "stage.h"

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define BEHAVIOURS(X)                                                                   \
        /*  name, share, ends as, class, orders: what becomes of it under SCENE_PLAN */ \
        X(OK, 50, SUCCEEDED, NONE, 1)     /* takes it, and is new */                    \
        X(CORRUPT, 3, FAILED, CORRUPT, 1) /* the download is damaged */                 \
        X(FLAKY, 8, SUCCEEDED, NONE, 2)   /* the network fails it once */               \
        X(CUT_OFF, 4, FAILED, NETWORK, 3) /* and always */                              \
        X(BAD, 3, FAILED, INSTALL, 1)     /* the image does not come up */              \
        X(DEAF, 4, FAILED, UNREACHED, 1)  /* never calls */                             \
        X(DEAD, 3, FAILED, SILENT, 1)     /* begins, and is never heard of again */     \
        X(REBORN, 4, SUCCEEDED, NONE, 1)  /* is silent for a day, and then new */       \
        X(HALF, 3, FAILED, SILENT, 1)     /* is silent for a day, and then as it was */ \
        X(LIAR, 3, FAILED, MISMATCH, 1)   /* says done, and is as it was */             \
        X(BUSY, 5, SUCCEEDED, NONE, 2)    /* does something else at first */            \
        X(BROKEN, 3, SUCCEEDED, NONE, 2)  /* its sessions break off */                  \
        X(NEW, 4, SKIPPED, THERE, 0)      /* runs it already */                         \
        X(OFF, 3, SKIPPED, STATE, 0)      /* is switched off */

typedef enum behaviour {
#define X(id, share, state, class, orders) DEV_##id,
        BEHAVIOURS(X)
#undef X
} behaviour;

typedef struct device {
        behaviour is;
        unsigned orders, questions;
        bool fresh; /* runs what it was sent */
} device;

typedef struct act { /* of a device, at a time */
        int64_t at, device, job;
        unsigned step;
} act;

typedef struct scene {
        stage on;
        device *dev; /* by id, from 1 */
        unsigned n;
        act *acts; /* n_acts of them, in no order */
        size_t n_acts, cap;
        seeded rng;
        store_batch *said;
} scene;

/* The plan that BEHAVIOURS speaks of. */
#define SCENE_PLAN                                                           \
        "{\"canary\":\"2%\",\"wave\":\"30%\",\"threshold\":50,\"soak\":600," \
        "\"contact_time\":86400,\"update_time\":3600,"                       \
        "\"retry\":{\"count\":2,\"delay\":300}}"

/* Room for so many devices, on a Monday, 00:00 UTC. */
void scene_begin(scene *s, unsigned room, uint64_t seed);
void scene_end(scene *s);
/* So many more devices "d/000001" .. as `as`, or, below 0, as their shares are. */
void scene_devices(scene *s, unsigned n, int as);
void scene_write(scene *s, store_batch *b); /* takes b */

/* A campaign, begun: its id.  To version 2.0, of all devices or of a target. */
int64_t scene_create(scene *s, const campaign *with, const char *target, const char *plan);
int64_t scene_campaign(scene *s, const char *plan);
int64_t scene_campaign_of(scene *s, const char *target, const char *plan);
/* Both live until the next call; with id or dev 0 when there is none. */
campaign scene_row(scene *s, int64_t id);
campaign_item scene_item(scene *s, int64_t id, int64_t dev);
/* What an operator does: NULL, or why not. */
const char *scene_order(scene *s, int64_t id, campaign_action a);

/* Runs until the campaign has nothing to do any more, or the time comes.  `chaos`: the server is
 * killed now and then, and its disk fails. */
void scene_run(scene *s, int64_t id, int64_t until, bool chaos);
void scene_pass(scene *s, int64_t id, int64_t ms);
void scene_finish(scene *s, int64_t id); /* until it has nothing to do */

/* The campaign's state, and all tallies that are not 0: "done: 5 succeeded, 5 failed". */
void scene_stands(scene *s, int64_t id, const char *want);
/* Every item is where its device's behaviour leads, and the tallies are what the items are. */
void scene_check_ends(scene *s, int64_t id);

#endif
