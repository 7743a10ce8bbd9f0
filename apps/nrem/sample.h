/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - performance data as the log of events carries them: an event "metric.samples" of a
 * device, whose data are
 *
 *     {"by": "report", "correlator": "pm-5",
 *      "samples": [{"at": "2026-11-22T16:35:05Z", "values": {"memory.RAMAvail": 123}}]}
 *
 * `by` says where they come from: "report" of the device, "collection" of ours, "rest".  A value is
 * a number or a text.  Names: mo-diagmon.md 5. */
#ifndef NREM_SAMPLE_H
#define NREM_SAMPLE_H

#include <jansson.h>

#include "odm/base.h"

#define SAMPLE_EVENT "metric.samples"
#define SAMPLE_NAME 128   /* octets of a metric's name */
#define SAMPLE_TEXT 255   /* of a value that is no number */
#define SAMPLE_VALUES 200 /* of one event */
#define SAMPLE_TIME 25    /* "2026-11-22T16:35:05.250Z" and a zero */

/* How a metric is called that the node at `uri` has the value of, in `a`: "memory.RAMAvail",
 * "sensorinfo.cpu.Value"; a node that is none of DiagMon is called by its path.  Absent when that
 * is too long or no text, or the arena has no room (a->err). */
odm_str sample_name(odm_str uri, odm_arena *a);
/* Whether it is a name that sample_name() could have given. */
bool sample_name_ok(odm_str name);

/* A value out of a node: a number where the text is one (a bool is 0 or 1), else a text.
 * NULL for octets, text that is too long, and numbers beyond 1e100, which are not kept; *refused
 * says so.  NULL without that when memory is out. */
json_t *sample_value(odm_str format, odm_str text, bool *refused);
/* Whether the text is a decimal number, with or without point and exponent. */
bool sample_number(odm_str text, double *out);

/* RFC 3339 in UTC with milliseconds where there are some; years 1970 to 9999. */
void sample_time_format(int64_t ms, char out[SAMPLE_TIME]);
ODM_MUST_USE int sample_time_parse(odm_str s, int64_t *ms); /* 0 or ODM_EMALFORMED */

/* The data of an event in the making. */
typedef struct sample_set {
        json_t *samples; /* NULL: none yet */
        size_t n;        /* values */
} sample_set;

/* Adds a value to the sample of that time, which is the last one or a new one; takes `value`.
 * A second value of the same name in one sample is left out.  0, ODM_ENOMEM, or ODM_ELIMIT when
 * the event is full (then `value` is let go of, too). */
ODM_MUST_USE int sample_add(sample_set *s, int64_t at_ms, odm_str name, json_t *value);
/* The text of the data, in `a`, and the set is empty again.  Absent texts are left out.
 * Absent when memory is out. */
odm_str sample_take(sample_set *s, const char *by, odm_str correlator, odm_arena *a);
void sample_drop(sample_set *s);

#endif
