/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - a plan from inside: requests in order, values that came, and what is made of them. */
#ifndef BRIDGE_PLAN_H
#define BRIDGE_PLAN_H

#include "inner.h"

#define REQUESTS_MAX 512

struct step {
        odm_lw_request rq;
        odm_lw_path *paths; /* of a composite one */
        size_t n_paths;
        bool retried;
        bool unread; /* it failed otherwise than for want of what was asked for */
};

struct odm_plan {
        odm_bridge *b;
        odm_arena *a;
        struct step *step;
        size_t n_steps, cap_steps, at;
        bool asked, over;
        unsigned failed;     /* status of the first request that did */
        odm_str failed_text; /* which, for people */
        odm_lw_node *got;
        size_t n_got, cap_got;
        /* Called when all steps are answered well, or one failed and `stop` says that ends it: adds
         * steps, or makes the result and sets `over`.  0, ODM_ENOMEM, ODM_ELIMIT. */
        int (*then)(odm_plan *p);
        bool stop; /* the first failure ends it */
        void *state;
        odm_plan_result result;
};

/* An empty one.  0, ODM_ENOMEM. */
int odm_plan_new(odm_bridge *b, odm_arena *a, int (*then)(odm_plan *p), odm_plan **out);
/* Room for one more of `size` in the array *v of the arena, which has n; never more than `most`.
 * 0, ODM_ENOMEM, ODM_ELIMIT. */
int odm_plan_room(odm_arena *a, void **v, size_t n, size_t *cap, size_t size, size_t most);
/* 0, ODM_ENOMEM, ODM_ELIMIT. */
int odm_plan_add(odm_plan *p, const odm_lw_request *rq);
/* Ends it. */
void odm_plan_refuse(odm_plan *p, unsigned status, const char *why);
void odm_plan_finish(odm_plan *p, unsigned status, odm_str text);
/* For plans of orders: the status of what failed, or 200. */
int odm_plan_end(odm_plan *p);
/* Sees whether there is anything to ask at all. */
int odm_plan_begin(odm_plan *p);

#endif
