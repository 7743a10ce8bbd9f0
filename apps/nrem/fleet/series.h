/* SPDX-License-Identifier: Apache-2.0 */
/* series.h - the rules of one metric of one device over time: roll-ups, the rhythm of its samples,
 * gaps.  Pure; times are milliseconds since 1970, those of the device's samples.
 *
 *     samples, mostly in order --> open bucket of each level --next begins--> closed, a row
 *                                         ^ late ones go into the row of their bucket
 *
 * A gap is where samples were due and none came.  It is never filled: what is shown between two
 * samples is a gap or nothing. */
#ifndef NREM_SERIES_H
#define NREM_SERIES_H

#include "odm/base.h"

typedef enum series_level { SERIES_5M, SERIES_HOUR, SERIES_DAY } series_level;
#define SERIES_LEVELS 3
extern const int64_t series_span[SERIES_LEVELS];

typedef struct series_bucket { /* of one or many samples */
        int64_t start;         /* the bucket's */
        int64_t n;             /* samples; 0: nothing in it */
        int64_t first, last;   /* their times */
        double min, max, sum;
        double value;  /* of the last sample */
        int64_t every; /* the rhythm when the last came: time between two; 0: not known */
} series_bucket;

/* The start of the bucket of `span` that has `at` in it; days begin at midnight UTC. */
int64_t series_start(int64_t at, int64_t span);
/* A bucket of one sample. */
series_bucket series_one(int64_t start, int64_t at, double value, int64_t every);
/* Adds what is in `b`, in any order of time; samples of both are different ones.  An empty one
 * takes the start of `b`. */
void series_merge(series_bucket *into, const series_bucket *b);

/* ---- rhythm --------------------------------------------------------------------------- */

/* How far apart samples are: told by who ordered them, or learnt. */
typedef struct series_rhythm {
        int64_t every; /* 0: not known yet */
        int64_t odd;   /* another distance, seen odd_n times in a row */
        uint32_t odd_n;
} series_rhythm;
#define SERIES_ODD 3 /* so often, and that is the rhythm now */

/* Two samples that followed each other were so far apart. */
void series_learn(series_rhythm *r, int64_t distance);
/* Whether samples are missing between two at these times. */
bool series_gap(int64_t from, int64_t to, int64_t every);

/* ---- limits --------------------------------------------------------------------------- */

typedef enum series_side { SERIES_NORMAL, SERIES_LOW, SERIES_HIGH } series_side;
const char *series_side_name(series_side s); /* "normal", "low", "high" */

typedef struct series_limits {
        bool has_low, has_high;
        double low, high;
        double hysteresis; /* so far back it has to be to be normal again */
} series_limits;

/* At `low` or below it is low, at `high` or above high; `now` is where it stood. */
series_side series_judge(const series_limits *l, series_side now, double value);

/* ---- showing -------------------------------------------------------------------------- */

typedef struct series_entry {
        bool gap;        /* from `b.start`, when a sample was due, until `until` */
        series_bucket b; /* else: a bucket, or one sample */
        int64_t until;
} series_entry;

/* Makes entries of buckets (or samples) that are fed in order of time. */
typedef struct series_plot {
        int64_t step;        /* buckets are merged to this; 0: as they are */
        int64_t from, to;    /* gaps are cut to this */
        series_bucket cur;   /* not told yet */
        int64_t last, every; /* of the last sample before `cur`; last -1: none */
        int (*tell)(void *ctx, const series_entry *e);
        void *ctx;
} series_plot;

/* `before` is the newest bucket or sample before `from`, NULL: there is none. */
void series_plot_begin(series_plot *p, const series_bucket *before);
/* Each returns 0, or what `tell` returned that was not 0. */
ODM_MUST_USE int series_plot_feed(series_plot *p, const series_bucket *b);
/* No more before `to`, which is not in the future.  `after` is the first behind it, if any. */
ODM_MUST_USE int series_plot_end(series_plot *p, const series_bucket *after);

#endif
