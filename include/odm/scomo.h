/* SPDX-License-Identifier: Apache-2.0 */
/* scomo.h - the Software Component Management Object, SCOMO 1.0, as a device has it.
 *
 *     ./SCM/Download/x             10 --Download--> 30 --> 40, and a Delivered/y holds the package
 *                                      DownloadInstall, DownloadInstallInactive: 30 --> 50 --> 10
 *                                      failed: 20 download; 60, 70 installation
 *     ./SCM/Inventory/Delivered/y  10 --Install, InstallInactive--> 40 --> 10, State 20
 *                                      failed: 50 with the package, 60 without; Remove: at once
 *     ./SCM/Inventory/Deployed/z   10 --Activate--> 50 --> 10, State 20     failed: 40
 *                                     --Deactivate--> 70 --> 10, State 10   failed: 60
 *                                     --Remove--> 30, gone                  failed: 20
 *
 * A package (PkgID) is what travels, a component (ID) what comes of it.  The work is the host's,
 * lent by odm_tasks_next() as tasks of odm_scomo_kind with the arguments named below, copied when
 * the Exec was accepted.  Each node has a task of its own: several may be under way, and the host
 * does one change of the software at a time, in the order in which they are lent.
 *
 * Facts: mo-scomo.md. */
#ifndef ODM_SCOMO_H
#define ODM_SCOMO_H

#include "odm/task.h"

#define ODM_SCOMO_AT "./SCM"
#define ODM_SCOMO_MADE ODM_TASK_ALERTS /* components of one package */
#define ODM_SCOMO_ID 255               /* octets of a component's ID */
#define ODM_SCOMO_TRIES 3 /* times a change of a component is begun that the power cut short */

/* What the host is asked for.  `hold` names the file of the package, and nothing else does;
 * `pkg` is PkgID, `name`, `description`, `env`, `type` and `params` the leaves of the package. */
typedef enum odm_scomo_step {
        /* Fetch `url` into `hold`, or resume that, and prove it by `hash_alg`, `hash`, `sig_alg`,
         * `signature` (base64) and `key`. */
        ODM_SCOMO_DOWNLOAD = 1,
        /* Prove and install the package in `hold`; with `pushed` it is the value of Data and is to
         * be put there first.  `active` is 1 or 0.  OK: all its components are there, as `made`
         * tells; else none of them is, and what an update was for is as it was.  has_data: the file
         * is good for another try. */
        ODM_SCOMO_INSTALL,
        /* The device started in the middle of it: OK when it is done, or else undo it. */
        ODM_SCOMO_CHECK,
        /* Component `id` of `installer`.  Each may have been done in part, or whole, before. */
        ODM_SCOMO_ACTIVATE,
        ODM_SCOMO_DEACTIVATE,
        ODM_SCOMO_REMOVE,
} odm_scomo_step;

typedef struct odm_component { /* what is absent stays as it is */
        odm_str id;            /* not absent; up to ODM_SCOMO_ID octets, no control characters */
        odm_str package;       /* PkgIDRef */
        odm_str name, version, description, env;
        odm_str installer; /* of those of the host that one which looks after it */
        bool active;
} odm_component;

extern const odm_task_kind odm_scomo_kind;

/* Fill it before odm_scomo_mount(); functions may be NULL, and call nothing of the tree or tasks.
 */
typedef struct odm_scomo {
        /* Packages stay on the device after the installation they were downloaded for. */
        bool keep;
        /* Whether packages of this environment and type, "" for any, can be installed:
         * ODM_CAUSE_OK, or what it ends with. */
        odm_task_cause (*fits)(void *ctx, odm_str env, odm_str type);
        /* Lends component `i` that the installation of task `id` left.  1, or 0 past the end. */
        int (*made)(void *ctx, uint32_t id, size_t i, odm_component *out);
        /* Does step `step` of `t` here and now, if it takes next to no time: 1 with *out set; 0: as
         * a task. */
        int (*at_once)(void *ctx, const odm_task *t, odm_scomo_step step, odm_task_end *out);
        /* A file of a package may be held by nobody any more: see odm_scomo_holds(). */
        void (*changed)(void *ctx);
        void *ctx;

        odm_provider provider; /* the rest is set here */
        odm_tasks *tasks;
        bool own; /* changes are ours, not a server's */
} odm_scomo;

/* Mounts ./SCM on the tree of `tasks`, and makes the kind known to them; the caller keeps `s` as
 * long as the tree.  `mo` is its description, odm_mo_scomo.  0, ODM_ENOMEM, ODM_EINVAL, ODM_ELIMIT,
 * ODM_EEXIST. */
ODM_MUST_USE int odm_scomo_mount(odm_scomo *s, odm_tasks *tasks, const odm_mo *mo);
/* Makes Inventory/Deployed tell what `installer` has: adds, changes and deletes nodes of its
 * components, but for those whose task is under way.  *changed: whether anything was.
 * 0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE (a transaction is open), ODM_ELIMIT, ODM_EINVAL (no text). */
ODM_MUST_USE int odm_scomo_sync(odm_scomo *s, const char *installer, const odm_component *list,
                                size_t n, odm_wall now, bool *changed);
/* Calls fn for each component of `installer` that Deployed tells of; stops when it returns
 * non-zero, and returns that.  Text until fn returns.  0, ODM_ENOMEM. */
int odm_scomo_each(odm_scomo *s, const char *installer,
                   int (*fn)(void *ctx, const odm_component *c), void *ctx);
/* Whether a package or a task needs the file `hold`.  1, 0, ODM_ENOMEM. */
ODM_MUST_USE int odm_scomo_holds(odm_scomo *s, odm_str hold);
/* The result code of a cause in a step (mo-scomo.md 6). */
unsigned odm_scomo_result(odm_task_cause c, odm_scomo_step step);

#endif
