/* SPDX-License-Identifier: Apache-2.0 */
/* fumo.h - the Firmware Update Management Object, FUMO 1.0, as a device has it.
 *
 *     10 Idle --Download--> 30 --> 40 --> 50 Ready --Update--> 60 --> 90 or 100 Successful
 *                            |      '--DownloadAndUpdate--------'|
 *                            v                                   v
 *                     20 Download Failed               70 or 80 Update Failed
 *
 * (70 and 90 still hold the package.)  Any of 20, 70, 80, 90 and 100 stays until the next order,
 * which passes through 10.  The work is the host's, lent by odm_tasks_next() as tasks of
 * odm_fumo_kind: a step's task carries the arguments named below, copied when the Exec was
 * accepted.
 *
 * Facts: mo-fumo.md. */
#ifndef ODM_FUMO_H
#define ODM_FUMO_H

#include "odm/task.h"

#define ODM_FUMO_AT "./FUMO"
#define ODM_FUMO_TRIES \
        3 /* times an installation is begun that the power cut short before it began */

typedef enum odm_fumo_state {
        ODM_FUMO_IDLE = 10,
        ODM_FUMO_DOWNLOAD_FAILED = 20,
        ODM_FUMO_DOWNLOADING = 30,
        ODM_FUMO_DOWNLOADED = 40,
        ODM_FUMO_READY = 50,
        ODM_FUMO_UPDATING = 60,
        ODM_FUMO_FAILED_DATA = 70,
        ODM_FUMO_FAILED = 80,
        ODM_FUMO_DONE_DATA = 90,
        ODM_FUMO_DONE = 100,
} odm_fumo_state;

/* What the host is asked for, and how it may end. */
typedef enum odm_fumo_step {
        /* Fetch the package of argument `url`, or resume that; check size, `hash` and `signature`
         * before saying OK.  Arguments `delta_url` and `delta_base` name a smaller form, which is
         * tried first; `saved` of the end tells what it spared.  What was held before is of no use
         * any more. */
        ODM_FUMO_DOWNLOAD = 1,
        /* Install the package held: the one that was downloaded or, with argument `pushed`, the
         * value of Update/PkgData, whose proof is to be checked now.  If that takes a restart of
         * the device, not to answer before is right: ODM_FUMO_CHECK follows. */
        ODM_FUMO_INSTALL,
        /* The device started in the middle of an installation: say how it went, or
         * ODM_CAUSE_INTERRUPTED when it never began. */
        ODM_FUMO_CHECK,
} odm_fumo_step;

extern const odm_task_kind odm_fumo_kind;

typedef struct odm_fumo {
        odm_provider provider;
        odm_tasks *tasks;
        /* The object at `uri` was deleted: its package may go.  May be NULL. */
        void (*drop)(void *ctx, odm_str uri);
        void *ctx;
} odm_fumo;

/* Mounts ./FUMO on the tree of `tasks`, and makes the kind known to them; the caller keeps `f` as
 * long as the tree.  `mo` is its description, odm_mo_fumo.  0, ODM_ENOMEM, ODM_EINVAL, ODM_ELIMIT,
 * ODM_EEXIST. */
ODM_MUST_USE int odm_fumo_mount(odm_fumo *f, odm_tasks *tasks, const odm_mo *mo);
/* Once the tree is loaded: makes ./FUMO/<name> with all its leaves, unless it is there.
 * 0, ODM_ENOMEM, ODM_EINVAL (no name for a node), ODM_EIO, ODM_ESTATE. */
ODM_MUST_USE int odm_fumo_add(odm_fumo *f, const char *name, odm_wall now);
/* The device found by itself that the image of ./FUMO/<name> is not to be used any more: State
 * becomes 80 and Ext/xrem/Reason says why, unless a task is under way, whose end will.
 * 0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE (a transaction is open), ODM_ELIMIT. */
ODM_MUST_USE int odm_fumo_lost(odm_fumo *f, const char *name, odm_str reason, odm_wall now);
/* Says which image is in use, by its SHA-256 in hexadecimal.  1, or 0 when that is known and
 * nothing was written; errors as above. */
ODM_MUST_USE int odm_fumo_image(odm_fumo *f, const char *name, odm_str hash, odm_wall now);
/* The result code of a cause (mo-fumo.md 6): in a download, or else an installation. */
unsigned odm_fumo_result(odm_task_cause cause, bool download);

#endif
