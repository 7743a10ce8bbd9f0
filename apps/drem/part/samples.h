/* SPDX-License-Identifier: Apache-2.0 */
/* samples.h - what DiagMon runs have collected and no server has taken yet: alerts of type
 * CollectedSimpleDataReport, one for each leaf of each sample (mo-diagmon.md 5).
 *
 * Kept in memory and in a journal, up to a ceiling: then the oldest go, which is counted and
 * logged.  The journal is synced when a report is due, not for each sample: a power cut may take
 * the samples since then, a crash of the agent takes none. */
#ifndef DREM_PART_SAMPLES_H
#define DREM_PART_SAMPLES_H

#include "fsio.h"
#include "odm/msg.h"

typedef struct samples samples;

#define SAMPLES_LEAVES 4096 /* of one sample; more are left out */

/* `path` is the journal's; `max` octets are kept.  0, ODM_ENOMEM, ODM_EIO, ODM_EMALFORMED. */
ODM_MUST_USE int samples_open(const char *path, size_t max, samples **out, diag *d);
void samples_close(samples *s); /* NULL is allowed */

typedef struct sample_head {
        uint32_t task;      /* whose run it is of */
        odm_str server;     /* who is told */
        odm_str correlator; /* absent when the Start had none */
        odm_str data;       /* "./DiagMon/Memory/DiagMonData" */
        odm_wall at;
} sample_head;

/* A sample, leaf by leaf; it is there from samples_end() on, but not due.  All is copied.  `rel` is
 * a path below head->data.  *octets, which may be NULL, gets what it takes.
 * 0, ODM_ENOMEM, ODM_EIO (kept in memory only), ODM_ELIMIT for one larger than the ceiling. */
ODM_MUST_USE int samples_begin(samples *s, const sample_head *head);
ODM_MUST_USE int samples_leaf(samples *s, odm_str rel, odm_format format, odm_str text);
ODM_MUST_USE int samples_end(samples *s, size_t *octets);

/* The samples of a run are due, durable on return; or they are forgotten, those that are not due.
 */
void samples_due(samples *s, uint32_t task);
void samples_drop(samples *s, uint32_t task);
/* What a run holds still, due or not. */
size_t samples_of(const samples *s, uint32_t task);

/* Calls fn for each alert due to `server`; stops at a non-zero return and returns it.
 * Else 0, ODM_ENOMEM. */
ODM_MUST_USE int samples_each(const samples *s, odm_str server,
                              int (*fn)(void *ctx, const odm_alert *a), void *ctx);
/* The server is done with an alert: it is not said again. */
void samples_over(samples *s, uint64_t id);
/* The server of the oldest sample that is due, or absent. */
odm_str samples_waits(const samples *s);

size_t samples_held(const samples *s);      /* how many */
uint64_t samples_dropped(const samples *s); /* since the start, for want of room */

#endif
