/* SPDX-License-Identifier: Apache-2.0 */
/* diag.h - DiagMon functions as a device has them: the framework 1.0, with the configuration of
 * the later frame.
 *
 *     10 idle --Start--> 20 running --Stop--> 30 stopped
 *                         | | '--DefDuration, or done--> 40 completed
 *                         | '--DefMemory--> 50          any of 10, 30 .. 60 --Start--> 20
 *                         '--error--> 60
 *
 * A function is a node ./DiagMon/<name> with a description of its own (mo/diag_NAME.ddf).  What it
 * finds stands below DiagMonData: live, read when somebody asks, or stored by the host.  The work
 * is lent by odm_tasks_next() as steps of odm_diag_kind, with the values of ConfigParms and of
 * DefDuration, DefMemory, DiagDataURL, Period and OnComplete as arguments of these names, copied
 * when the Start was agreed to.  Further arguments: `until`, the second since 1970 at which the
 * run is over, when there is one.
 *
 * Facts: mo-diagmon.md 1 to 7, 10. */
#ifndef ODM_DIAG_H
#define ODM_DIAG_H

#include "odm/task.h"

#define ODM_DIAG_AT "./DiagMon"

typedef enum odm_diag_way {
        /* Its data are live.  Start with SampIntrvl or DefDuration is a run of samples; with
         * neither there is nothing to do but to send them to DiagDataURL, if that is set. */
        ODM_DIAG_SNAPSHOT,
        ODM_DIAG_ACTION, /* Start does something, which the host ends; results are stored */
        ODM_DIAG_RING,   /* a log, kept from the start, unless Stop came */
        ODM_DIAG_RESTART,
} odm_diag_way;

typedef enum odm_diag_status {
        ODM_DIAG_IDLE = 10,
        ODM_DIAG_RUNNING = 20,
        ODM_DIAG_STOPPED = 30,
        ODM_DIAG_COMPLETED = 40,
        ODM_DIAG_FULL = 50,
        ODM_DIAG_FAILED = 60,
} odm_diag_status;

/* What the host is asked for, and how it may end. */
typedef enum odm_diag_step {
        /* Run until `until`, or until the action is done: OK; ODM_CAUSE_NO_ROOM when DefMemory is
         * reached.  After a power cut it is lent again. */
        ODM_DIAG_RUN = 1,
        /* A Stop came: give the run up, report what it has. */
        ODM_DIAG_END,
        /* Send the data to `DiagDataURL`. */
        ODM_DIAG_UPLOAD,
        /* Start the device again, after `Delay` seconds: the whole of it where `Type` is 1.  Not
         * to answer is right; an answer says that it does not happen. */
        ODM_DIAG_REBOOT,
        /* The agent started: OK when that was the restart, else any other cause. */
        ODM_DIAG_CHECK,
} odm_diag_step;

extern const odm_task_kind odm_diag_kind;

typedef struct odm_diag odm_diag;

typedef struct odm_diag_function { /* in the caller's storage, as long as the tree */
        const char *name;          /* below ./DiagMon: "Memory", "RF/LTE" */
        const odm_mo *mo;
        odm_diag_way way;
        /* inside */
        odm_diag *diag;
        odm_provider provider;
        struct odm_diag_function *next;
} odm_diag_function;

struct odm_diag { /* in the caller's storage, as long as the tree */
        /* The live data of a function: as the functions of odm_binding, `rel` being the path below
         * DiagMonData. */
        int (*read)(void *ctx, const odm_diag_function *f, odm_str rel, odm_arena *a,
                    odm_value *out);
        int (*list)(void *ctx, const odm_diag_function *f, odm_str rel,
                    int (*add)(void *list, odm_str name), void *to);
        /* Whether a Start can be agreed to, its arguments being set: 1200, or the result that it
         * is refused with (1404).  May be NULL. */
        unsigned (*ready)(void *ctx, const odm_diag_function *f, const odm_task *t);
        void *ctx;
        /* inside */
        odm_tasks *tasks;
        odm_diag_function *functions;
        odm_arena text;
};

/* Makes the kind known; the fields above are set.  0 or ODM_ELIMIT. */
ODM_MUST_USE int odm_diag_init(odm_diag *d, odm_tasks *tasks);
/* Mounts a function.  0, ODM_ENOMEM, ODM_EINVAL, ODM_ELIMIT, ODM_EEXIST. */
ODM_MUST_USE int odm_diag_mount(odm_diag *d, odm_diag_function *f);
void odm_diag_done(
        odm_diag *d); /* when the tree is used no more; also what never was initialised */
/* The function of an object, or of a node below it; NULL when it is none of ours. */
const odm_diag_function *odm_diag_of(const odm_diag *d, odm_str uri);
/* The result code of a cause (mo-diagmon.md 6): of delivering the data, or else of a run. */
unsigned odm_diag_result(odm_task_cause cause, bool delivery);

#endif
