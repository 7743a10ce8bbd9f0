/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what came of a run, for people and for programs. */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdio.h>

#include "load.h"
#include "rest.h"

void report_load(FILE *to, const sim_stats *s, bool json);
void report_rest(FILE *to, const sim_rest_result *r, const char *what, bool json);
/* The line a terminal shows meanwhile, without its end. */
void report_progress(FILE *to, const sim_stats *s, uint64_t total, double seconds);

/* Did all go well? */
bool report_load_ok(const sim_stats *s);
bool report_rest_ok(const sim_rest_result *r);

#endif
