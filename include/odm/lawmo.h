/* SPDX-License-Identifier: Apache-2.0 */
/* lawmo.h - the Lock and Wipe Management Object, LAWMO 1.0, as a device has it.
 *
 *     30 unlocked --FullyLock--> 10 fully locked --UnLock--> 30
 *     30 or 10 --PartiallyLock--> 20 partially locked --UnLock--> 30;  20 --FullyLock--> 10
 *     any --Wipe--> the same;  any --FactoryReset--> 30, with a tree that is new
 *
 * The work is the host's, lent by odm_tasks_next() as tasks of odm_lawmo_kind.  The state moves
 * when the work is done; what failed leaves it as it was.  The order of a state that the device is
 * in already, and a Wipe of nothing, are done at once: their result is the Status of the Exec.  An
 * operation that this device has no means for answers 406.
 *
 * Facts: mo-lawmo-dcmo.md A. */
#ifndef ODM_LAWMO_H
#define ODM_LAWMO_H

#include "odm/task.h"

#define ODM_LAWMO_AT "./LAWMO"

typedef enum odm_lawmo_state {
        ODM_LAWMO_FULLY_LOCKED = 10,
        ODM_LAWMO_PARTIALLY_LOCKED = 20,
        ODM_LAWMO_UNLOCKED = 30,
} odm_lawmo_state;

/* What the host is asked for.  Each may be lent again after a power cut, and must bear it. */
typedef enum odm_lawmo_step {
        ODM_LAWMO_FULLY_LOCK = 1,
        ODM_LAWMO_PARTIALLY_LOCK,
        ODM_LAWMO_UNLOCK,
        /* Wipe the user's data, and the items of argument `items` (odm_lawmo_item()). */
        ODM_LAWMO_WIPE,
        /* After the session: put the device back to what it was.  On success nothing is answered:
         * the tree, this task with it, is made anew, and the host itself keeps what it needs for
         * the report.  A failure is answered as always. */
        ODM_LAWMO_FACTORY_RESET,
} odm_lawmo_step;

extern const odm_task_kind odm_lawmo_kind;

#define ODM_LAWMO_ALERT "urn:oma:at:lawmo:1.0:OperationComplete"
#define ODM_LAWMO_OK 1200

typedef struct odm_lawmo {
        odm_provider provider;
        odm_tasks *tasks;
        unsigned able;   /* bit 1 << step of each operation there are means for */
        bool wipes_data; /* a Wipe takes data of the user beside the items */
        bool notifies;   /* there is a way to tell the user: LAWMOConfig/NotifyUser is offered */
} odm_lawmo;

/* Mounts ./LAWMO on the tree of `tasks`, and makes the kind known to them; the caller has set the
 * last three fields, and keeps `l` as long as the tree.  `mo` is its description, odm_mo_lawmo.
 * 0, ODM_ENOMEM, ODM_EINVAL, ODM_ELIMIT, ODM_EEXIST. */
ODM_MUST_USE int odm_lawmo_mount(odm_lawmo *l, odm_tasks *tasks, const odm_mo *mo);

typedef struct odm_lawmo_item { /* something that can be wiped by itself */
        const char *name;       /* of its node */
        const char *title;      /* ListItemName */
} odm_lawmo_item;

/* Once the tree is loaded: AvailableWipeList has these items and no others; marks of those that
 * stay are kept.  0, ODM_ENOMEM, ODM_EINVAL, ODM_EIO, ODM_ELIMIT, ODM_ESTATE. */
ODM_MUST_USE int odm_lawmo_fill(odm_lawmo *l, const odm_lawmo_item *items, size_t n, odm_wall now);

/* The state that a device is to be in when it starts, before anybody uses it: the one it was left
 * in, or the stricter one of an order that the power cut short (A7). */
odm_lawmo_state odm_lawmo_at_start(const odm_lawmo *l);
/* The state of the tree. */
odm_lawmo_state odm_lawmo_now(const odm_lawmo *l);
/* Whether LAWMOConfig/NotifyUser says so. */
bool odm_lawmo_notifies(const odm_lawmo *l);
/* Takes the next name off a list of argument `items`; false at its end. */
bool odm_lawmo_next_item(odm_str *list, odm_str *out);
/* The result code of a step that ended with `cause` (A6); `items`: it was a Wipe with items. */
unsigned odm_lawmo_result(odm_lawmo_step step, odm_task_cause cause, bool items);

#endif
