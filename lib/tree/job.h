/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - one operation on its way through the checks of dm-protocol.md 7.1. */
#ifndef TREE_JOB_H
#define TREE_JOB_H

#include "spot.h"

struct job {
        odm_tree *t;
        const odm_op *op;
        odm_wall now;
        odm_arena *a;
        odm_uri uri;
        struct trail trail;
        bool placed;  /* the device chooses the place (Inbox): no AccessType, no ACL there */
        bool trusted; /* the rights were checked above: no ACL here */
        bool in_doc;  /* a node of a TNDS document: what this operation made is open to it */
        bool alone;   /* in no transaction but its own, and all of it */
        odm_answer *out;
};

static inline bool job_is_device(const struct job *j)
{
        return j->op->server.p == NULL;
}

/* Sets the status and returns 0, so that a refusal is one line. */
static inline int job_status(struct job *j, unsigned status)
{
        j->out->status = status;
        return 0;
}

/* Parses the target and finds it; a bad URI ends in out->status.  1 to go on, 0, or an error. */
ODM_MUST_USE int odm_job_find(struct job *j, odm_str target);
/* The same job for another operation, such as a node of a document. */
struct job odm_job_for(const struct job *j, const odm_op *op, odm_answer *out);

/* AccessType of the place; nodes nobody described allow all but Exec. */
bool odm_job_may(const struct job *j, const struct spot *s, unsigned access);
/* The effective ACL of the place. */
bool odm_job_has_right(const struct job *j, const struct spot *s, unsigned access);
/* True for what belongs to ./Inbox. */
bool odm_spot_is_inbox(const struct spot *s);
/* Asks the binding's check about a new value, or a Delete when v is NULL.  0 or an error. */
ODM_MUST_USE int odm_job_check(struct job *j, const struct spot *s, odm_str uri, const odm_value *v,
                               unsigned *status);

/* Each does its kind of operation: 0 with out->status set, ODM_LATER, or an error. */
ODM_MUST_USE int odm_do_get(struct job *j);
ODM_MUST_USE int odm_do_add(struct job *j);
/* What an interior node's Type says: an MO identifier, or nothing worth keeping.  200, or 415. */
unsigned odm_interior_type(const odm_desc *d, odm_str sent, odm_str *out);
ODM_MUST_USE int odm_do_replace(struct job *j);
ODM_MUST_USE int odm_do_delete(struct job *j);
ODM_MUST_USE int odm_do_copy(struct job *j);
ODM_MUST_USE int odm_do_exec(struct job *j);
ODM_MUST_USE int odm_do_list(struct job *j);
ODM_MUST_USE int odm_do_prop_get(struct job *j);
ODM_MUST_USE int odm_do_prop_replace(struct job *j);
ODM_MUST_USE int odm_do_doc_add(struct job *j);
ODM_MUST_USE int odm_do_doc_replace(struct job *j);
ODM_MUST_USE int odm_do_inbox(struct job *j);

/* Deletes the found node with all below, after the checks of permanence and bindings only. */
ODM_MUST_USE int odm_delete_found(struct job *j);
/* A result at the end of the answer's list; NULL when the arena is exhausted. */
odm_result *odm_job_result(struct job *j);

#endif
