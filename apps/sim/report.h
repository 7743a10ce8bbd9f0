/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what came of a run, for people and for programs. */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "fleet.h"
#include "load.h"
#include "rest.h"
#include "things.h"

void report_load(FILE *to, const sim_stats *s, bool json);
json_t *report_load_json(const sim_stats *s); /* the caller's */
void report_rest(FILE *to, const sim_rest_result *r, const char *what, bool json);
/* The line a terminal shows meanwhile, without its end. */
void report_progress(FILE *to, const sim_stats *s, uint64_t total, double seconds);

/* Did all go well? */
bool report_load_ok(const sim_stats *s);
bool report_rest_ok(const sim_rest_result *r);

/* The same of a scenario; each of `f` and `t` may be NULL; `made` is what came of --create, or
 * NULL.
 */
void report_live(FILE *to, fleet *f, things *t, const scenario *s, const sim_rest_result *made,
                 bool json);
void report_fleet_line(FILE *to, const fleet_stats *s, double rate);
void report_things_line(FILE *to, const things_stats *s);
bool report_fleet_ok(const fleet_stats *s);

#endif
