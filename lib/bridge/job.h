/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - a job from inside: where it is, what it wants next, what it knows of the device. */
#ifndef BRIDGE_JOB_H
#define BRIDGE_JOB_H

#include "inner.h"

#define JOB_TEXT_MAX ((size_t)64 << 10)
#define JOB_POLL_MS 30000 /* between two looks at a device that tells nothing by itself */
#define JOB_FIRST_MS 500  /* to the first look where nothing is observed; then twice as long */
#define JOB_LOOK_MS 2000  /* between looks at what is done at once */
#define JOB_LOOKS 5       /* of those */
#define JOB_DEADLINE_MS ((int64_t)3600 * 1000)
#define JOB_DEADLINE_QUEUE_MS ((int64_t)24 * 3600 * 1000)

/* What a job waits for an answer to, or for the device to tell. */
#define JOB_PHASES(X)                                                        \
        X(BEGIN)                                                             \
        X(PICK)      /* software: read the instances there are */            \
        X(CREATE)    /* software: make one */                                \
        X(PROBE)     /* read the object's instance */                        \
        X(VERSION)   /* firmware: read the version that runs */              \
        X(PROTOCOLS) /* software: read how it fetches */                     \
        X(RESET)     /* firmware: give up what is there */                   \
        X(FETCH)     /* the gateway fetches the package */                   \
        X(OFFER)     /* write the address */                                 \
        X(PUSH)      /* write the package */                                 \
        X(LOADING)   /* until it is there */                                 \
        X(INSTALL)   /* execute Update, or Install */                        \
        X(WORKING)   /* until that is over */                                \
        X(VERIFY)    /* read how it went */                                  \
        X(SWITCH)    /* software: execute Activate, Deactivate, Uninstall */ \
        X(SWITCHED)  /* until that shows */                                  \
        X(ITEMS)     /* wipe: read what can be */                            \
        X(TARGETS)   /* wipe: write what is to be */                         \
        X(ORDER)     /* write or execute the order itself */                 \
        X(VERDICT)   /* until the device says how it went, or is back */     \
        X(OVER)

enum phase {
#define X(name) PHASE_##name,
        JOB_PHASES(X)
#undef X
};

enum event {
        EV_BEGIN,   /* also after the gateway was away */
        EV_ANSWER,  /* j->answer */
        EV_FETCHED, /* j->has_image, or j->fetch_result */
        EV_TOLD,    /* facts may have changed */
        EV_BACK,    /* the device registered anew */
        EV_TIME,    /* time to look */
};

struct odm_job {
        odm_bridge *b;
        odm_arena text; /* what lives as long as the job */
        odm_arena work; /* what lives as long as a request */
        uint32_t number;
        enum task task;
        enum phase phase;
        odm_str path, name, correlator, url;
        odm_job_image image;
        bool has_image;
        odm_time now, deadline, until;
        odm_job_want want;
        bool lent; /* and not answered */
        odm_lw_request rq;
        const odm_lw_answer *answer; /* during EV_ANSWER */
        unsigned fetch_result;
        /* what the device said last; -1: nothing */
        int64_t state, result, delivery, active;
        uint32_t protocols; /* bits by number; bit 31: none were told */
        odm_str version, before, expected;
        uint16_t instance; /* software: of object 9 */
        bool executed;     /* the order was given */
        bool back;         /* and the device registered after it */
        bool anew;         /* it registered anew in the middle of a download */
        unsigned looks, polls;
        unsigned items; /* wipe: how many were chosen */
        unsigned code;
        odm_alert alert;
};

/* Each kind of job; 0, ODM_ENOMEM, ODM_ELIMIT. */
int odm_job_fumo(odm_job *j, enum event ev);
int odm_job_scomo(odm_job *j, enum event ev);
int odm_job_order(odm_job *j, enum event ev);

/* What comes next. */
void odm_job_enter(odm_job *j, enum phase to);
int odm_job_read(odm_job *j, enum phase to, odm_lw_path p);
int odm_job_execute(odm_job *j, enum phase to, odm_lw_path p, odm_str arg);
int odm_job_write(odm_job *j, enum phase to, odm_lw_path p, const odm_lw_value *v);
void odm_job_push(odm_job *j, enum phase to, odm_lw_path p);
void odm_job_fetch(odm_job *j, enum phase to);
void odm_job_wait(odm_job *j, enum phase to, int64_t ms);
/* Ends it: the code, and whether the gateway's own state of the object is kept (NULL: taken away).
 */
int odm_job_end(odm_job *j, unsigned code, const char *state);

bool odm_job_ok(const odm_job *j); /* the answer is a good one */
/* Takes the values of the answer as facts.  0 when there were none, 1, errors. */
int odm_job_learn(odm_job *j);

/* How a package comes to the device. */
enum way { WAY_PULL, WAY_PULL_LOCAL, WAY_PUSH, WAY_FETCH, WAY_NONE };
enum way odm_job_way(const odm_job *j, odm_str *url);

#endif
