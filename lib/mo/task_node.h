/* SPDX-License-Identifier: Apache-2.0 */
/* task_node.h - the image of a task in memory, and its nodes in the tree. */
#ifndef MO_TASK_NODE_H
#define MO_TASK_NODE_H

#include "odm/task.h"

#define ODM_TASK_TEXT 16384                 /* octets of arguments of a task */
#define ODM_TASK_ARENA (8u * ODM_TASK_TEXT) /* they are copied whole for each one that is set */
#define ODM_TASK_NOTE 240                   /* octets of a note that are kept */

struct slot {
        odm_task t; /* first: see slot_of() */
        odm_arena text;
        bool saved, lent;
        /* reports, all forgotten at a restart: then the next session tells everything again */
        bool told;         /* in the session under way */
        unsigned alerts;   /* how many there are, once known */
        uint32_t answered; /* a bit for each */
        unsigned reports;  /* sessions that brought no answer */
        odm_time due;
};

struct odm_tasks {
        odm_tasks_opt opt;
        odm_provider provider;
        struct {
                const odm_task_kind *kind;
                void *ctx;
        } kind[ODM_TASK_KINDS];
        size_t n_kinds;
        struct slot slot[ODM_TASK_MAX];
        size_t n;
        uint32_t next_id;
        odm_wall now; /* of the move under way */
        bool moving;
};

/* A new slot at the end, its arena ready; NULL when all are taken. */
struct slot *odm_slot_add(odm_tasks *ts);
/* Writes what differs from `before`, or all of a task that was never saved, in the open
 * transaction. 0, ODM_ENOMEM, ODM_EIO, ODM_ELIMIT. */
ODM_MUST_USE int odm_slot_save(odm_tasks *ts, const struct slot *s, const odm_task *before);
/* Deletes a task's nodes in the open transaction. */
ODM_MUST_USE int odm_task_node_delete(odm_tasks *ts, uint32_t id);
/* Makes slots of all tasks in the tree, and deletes those that make no sense. */
ODM_MUST_USE int odm_task_nodes_read(odm_tasks *ts, odm_wall now);

#endif
