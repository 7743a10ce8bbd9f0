/* SPDX-License-Identifier: Apache-2.0 */
/* dcmo.h - the Device Capability Management Object, DCMO 1.0, as a device has it: what it can do
 * that may be switched off, one ./DCMO/<name> each.
 *
 *     enabled --Disable--> disabled --Enable--> enabled       whether attached or not
 *
 * The work is the host's, lent by odm_tasks_next() as tasks of odm_dcmo_kind.  Enabled moves when
 * the work is done, and stays over a restart.  The order of what is so already is done at once: its
 * result is the Status of the Exec.
 *
 * Facts: mo-lawmo-dcmo.md B. */
#ifndef ODM_DCMO_H
#define ODM_DCMO_H

#include "odm/task.h"

#define ODM_DCMO_AT "./DCMO"

typedef enum odm_dcmo_step { /* what the host is asked for */
                             ODM_DCMO_ENABLE = 1,
                             ODM_DCMO_DISABLE,
                             /* The device started in the middle of an operation: say ODM_CAUSE_OK
                              * when the capability is as the operation wanted it, else
                              * ODM_CAUSE_INTERRUPTED.  Where that cannot be seen the operation is
                              * to be done again. */
                             ODM_DCMO_CHECK,
} odm_dcmo_step;

extern const odm_task_kind odm_dcmo_kind;

#define ODM_DCMO_NEW "urn:oma:at:dcmo:1.0:NewCapability" /* [project] */

typedef struct odm_dcmo_capability {
        const char *name;                /* of its node */
        const char *property;            /* what it is called in the vocabulary */
        const char *group, *description; /* NULL: not there */
        bool can_enable, can_disable;    /* else 406 */
        bool bearer;                     /* the session needs it: Disable is refused with 405 */
        bool removable;                  /* Attached is there */
} odm_dcmo_capability;

typedef struct odm_dcmo {
        odm_provider provider;
        odm_tasks *tasks;
        const odm_dcmo_capability *list; /* borrowed */
        size_t n;
        bool notifies; /* there is a way to tell the user: DCMOConfig/NotifyUser is offered */
} odm_dcmo;

/* Mounts ./DCMO on the tree of `tasks`, and makes the kind known to them; the caller has set the
 * last three fields, and keeps `d` as long as the tree.  `mo` is its description, odm_mo_dcmo.
 * 0, ODM_ENOMEM, ODM_EINVAL, ODM_ELIMIT, ODM_EEXIST. */
ODM_MUST_USE int odm_dcmo_mount(odm_dcmo *d, odm_tasks *tasks, const odm_mo *mo);

/* Once the tree is loaded.  All return 0 or ODM_ENOMEM, ODM_EINVAL (no name for a node), ODM_EIO,
 * ODM_ELIMIT, ODM_ESTATE.
 * Capabilities that are on the list no more go. */
ODM_MUST_USE int odm_dcmo_prune(odm_dcmo *d, odm_wall now);
/* Whether its node is there. */
bool odm_dcmo_has(const odm_dcmo *d, const odm_dcmo_capability *c);
/* Makes its node or brings it up to date; `enabled` counts where it was not there. */
ODM_MUST_USE int odm_dcmo_add(odm_dcmo *d, const odm_dcmo_capability *c, bool enabled,
                              odm_wall now);
/* What was found out about it. */
ODM_MUST_USE int odm_dcmo_set_enabled(odm_dcmo *d, const odm_dcmo_capability *c, bool yes,
                                      odm_wall now);
ODM_MUST_USE int odm_dcmo_set_attached(odm_dcmo *d, const odm_dcmo_capability *c, bool yes,
                                       odm_wall now);
bool odm_dcmo_is_enabled(const odm_dcmo *d, const odm_dcmo_capability *c);
bool odm_dcmo_denies_user(const odm_dcmo *d, const odm_dcmo_capability *c);
bool odm_dcmo_notifies(const odm_dcmo *d, const odm_dcmo_capability *c);
/* Whether an operation on it is under way. */
bool odm_dcmo_is_busy(const odm_dcmo *d, const odm_dcmo_capability *c);
/* The capability of a task's object; NULL when it is on the list no more. */
const odm_dcmo_capability *odm_dcmo_of(const odm_dcmo *d, odm_str object);

/* What is to come of a capability that is found on or off. */
typedef enum odm_dcmo_verdict {
        ODM_DCMO_AS_IT_IS,
        ODM_DCMO_BACK, /* it is to be switched to what Enabled says */
        ODM_DCMO_TAKEN /* somebody on the device did it: Enabled follows */
} odm_dcmo_verdict;
/* `starting`: the device starts, and nobody can have done anything on it yet. */
odm_dcmo_verdict odm_dcmo_judge(bool enabled, bool found_on, bool starting, bool deny_user);
/* The result code of a task's operation that ended with `cause` (B6). */
unsigned odm_dcmo_result(bool enable, odm_task_cause cause);

#endif
