/* SPDX-License-Identifier: Apache-2.0 */
/* metric.h - performance data at the server: what its files share (xrem.md N2).
 *
 *   metric.c              rows and their tables
 *   metric_part.c         the part: samples of the log become series and roll-ups; old ones go
 *   metric_limit.c        thresholds
 *   metric_collect.c      collections: what is asked of devices, and when
 *   metric_api.c          REST: samples asked for and put
 *   metric_order_api.c    REST: collections and thresholds
 *
 * A series is one metric of one device.  Its row has the newest sample and the open bucket of each
 * level; buckets that are closed are rows of their own, so a sample in order costs two rows.  All
 * of it changes on the fleet's thread only. */
#ifndef NREM_METRIC_H
#define NREM_METRIC_H

#include "call.h"
#include "fleet.h"
#include "sample.h"
#include "selector.h"
#include "series.h"

#define METRIC_COLLECTIONS 1000 /* at one time */
#define METRIC_LIMITS 1000
#define METRIC_NODES 50       /* of a collection */
#define METRIC_EVERY_MIN 1000 /* ms */
#define METRIC_EVERY_MAX ((int64_t)31 * 24 * 3600 * 1000)

/* ---- rows ----------------------------------------------------------------------------- */

typedef struct metric_name {
        int64_t id;
        odm_str name;
} metric_name;

typedef struct metric_series {
        int64_t device, metric;
        int64_t samples; /* numbers taken so far */
        int64_t last;    /* time of the newest; 0: none */
        double value;    /* the newest */
        odm_str text;    /* the newest value that is no number; absent: there was none */
        int64_t text_at;
        series_rhythm rhythm;
        bool told; /* the rhythm, by the collection that asks */
        series_bucket open[SERIES_LEVELS];
} metric_series;

typedef struct metric_sample {
        int64_t device, metric, at;
        double value;
        int64_t every; /* the rhythm when it came */
} metric_sample;

typedef struct metric_rollup { /* a closed bucket */
        int64_t device, metric;
        uint32_t level;
        series_bucket b; /* its start is the rest of the key */
} metric_rollup;

typedef enum metric_collection_state { METRIC_ACTIVE, METRIC_STOPPING } metric_collection_state;

typedef struct metric_collection {
        int64_t id;
        odm_str name;     /* for people; may be empty */
        odm_str selector; /* JSON */
        odm_str nodes;    /* JSON array of {"uri", "metric"}: values that are asked for */
        odm_str function; /* or the function of DiagMon that runs on the device: "./DiagMon/Memory"
                           */
        int64_t every;    /* ms between samples */
        int64_t period;   /* of a function: ms between reports */
        uint32_t state;
        odm_str scope, actor;
        int64_t created, asked, answered, failed; /* jobs so far */
} metric_collection;

typedef struct metric_task { /* a device of a collection */
        int64_t device, collection;
        int64_t due;       /* INT64_MAX: nothing more to be asked */
        uint32_t failures; /* of jobs in a row */
} metric_task;

typedef struct metric_limit {
        int64_t id;
        odm_str name, selector, metric, severity;
        bool has_low, has_high;
        double low, high, hysteresis;
        odm_str scope, actor;
        int64_t created;
} metric_limit;

typedef struct metric_side { /* where a device stands at a threshold */
        int64_t device, limit;
        uint32_t side;
        int64_t since;
} metric_side;

extern const store_table table_metric_name, table_metric_series, table_metric_sample,
        table_metric_rollup, table_metric_collection, table_metric_task, table_metric_limit,
        table_metric_side;
/* Indexes of theirs, from 1. */
#define METRIC_NAME_BY_NAME 1
#define METRIC_TASK_BY_DUE 1
#define METRIC_TASK_BY_COLLECTION 2
#define METRIC_SIDE_BY_LIMIT 1
/* The fields of a series' rhythm. */
#define METRIC_SERIES_RHYTHM \
        (STORE_FIELD(7) | STORE_FIELD(8) | STORE_FIELD(9) | STORE_FIELD(10)) /* every .. told */

/* ---- the part ------------------------------------------------------------------------- */

typedef struct metric_word { /* a name and its number */
        char *name;
        int64_t id;
        bool kept; /* its row is durable */
} metric_word;

#define METRIC_DEVICE_NAME 128 /* octets, at most */

typedef struct metric_order { /* a collection as it is worked on */
        metric_collection row;
        selector sel;
        bool scanning; /* devices are still to be found */
        odm_str after; /* as far as they were; in: */
        char room[METRIC_DEVICE_NAME];
} metric_order;

typedef struct metric_part {
        const fleet_host *host;
        /* [performance] */
        int64_t keep_raw, keep[SERIES_LEVELS], ahead;
        size_t names_max, series_max;

        metric_word *words; /* open addressing */
        size_t n_words, cap_words, fresh;
        int64_t next_word;

        odm_arena limits_memory, orders_memory;
        metric_limit *limits;
        selector *limit_sel;
        size_t n_limits;
        metric_order *orders;
        size_t n_orders;
        int64_t scan_at; /* devices are looked for again */

        metric_series swept; /* up to this series old rows were taken away */
        int64_t sweep_at;

        /* /metrics */
        _Atomic uint64_t taken, repeated, late, refused, crossed;
} metric_part;

extern const fleet_part part_metric;

/* The number of a name: given to it now when it is new, and its row put into the batch.
 * 0, ODM_ELIMIT when there are too many names, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int metric_word_id(metric_part *p, fleet_turn *t, odm_str name, int64_t *out);

/* ---- thresholds (metric_limit.c) ------------------------------------------------------- */

typedef struct metric_judge { /* those of one series, while an event is heard */
        metric_part *p;
        fleet_turn *t;
        int64_t device;
        odm_str metric;
        bool known; /* the sides were read */
        struct metric_stand {
                size_t limit; /* of p->limits */
                metric_side side;
                bool changed;
        } * v;
        size_t n;
} metric_judge;

ODM_MUST_USE int metric_limits_read(metric_part *p, diag *d);
/* A sample that is newer than those before; in order.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int metric_judge_sample(metric_judge *j, int64_t at, double value);
ODM_MUST_USE int metric_judge_end(metric_judge *j); /* what changed goes into the batch */
/* The event says that a threshold was removed: for who stood beyond it all is normal.  A page of
 * them; the event is told again for the rest. */
ODM_MUST_USE int metric_limit_gone(metric_part *p, fleet_turn *t, const fleet_event *ev);

/* ---- collections (metric_collect.c) ---------------------------------------------------- */

ODM_MUST_USE int metric_orders_read(metric_part *p, diag *d);
/* A job of ours has ended: its values become samples. */
ODM_MUST_USE int metric_job_ended(metric_part *p, fleet_turn *t, const fleet_event *ev);
/* The device is there or has changed: it may be selected now. */
ODM_MUST_USE int metric_device_changed(metric_part *p, fleet_turn *t, int64_t device);
ODM_MUST_USE int metric_collect(metric_part *p, fleet_turn *t, int64_t *at);
/* What a collection is for a device, as commands of a job, in `a`; absent when memory is out. */
odm_str metric_commands(const metric_collection *c, bool stop, odm_arena *a);
/* When a device's first turn is: spread over `every`, so that not all are asked at once. */
int64_t metric_first_due(int64_t device, int64_t collection, int64_t every, int64_t now);
/* The turn after one that was due then: never one that has passed. */
int64_t metric_next_due(int64_t due, int64_t every, int64_t now);

/* ---- REST ------------------------------------------------------------------------------ */

void metric_list(call *c); /* metric_api.c */
void metric_get(call *c);
void metric_put(call *c);
void collection_list(call *c); /* metric_order_api.c */
void collection_show(call *c);
void collection_create(call *c);
void collection_stop(call *c);
void limit_list(call *c);
void limit_create(call *c);
void limit_remove(call *c);

#endif
