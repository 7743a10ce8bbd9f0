/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - what the programs that measure in one process share: memory that counts itself, the
 * clock, medians, and the command line. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdio.h>

#include "odm/base.h"

#define BENCH_MOST ((size_t)1 << 26) /* octets of an arena or buffer here */
#define BENCH_ROUNDS 101             /* at most */

/* malloc's memory; `bench_live` octets of it are held, after `bench_allocations` calls. */
extern const odm_mem bench_heap;
extern size_t bench_live, bench_allocations;

/* Ends the program when `what` did not work. */
void bench_must(bool holds, const char *what);
/* Processor time of the program so far, in microseconds. */
double bench_now_us(void);
/* The middle of n figures, which are sorted. */
double bench_median(double *figures, unsigned n);

typedef struct bench_opt {
        unsigned rounds;   /* default 11; without `only` at most BENCH_ROUNDS */
        unsigned commands; /* 0 when not given */
        const char *only;  /* NULL: all rows */
        bool json;
} bench_opt;

/* Reads --json, --rounds N, --only ROW and, if `sized`, --commands N.  Returns -1, or what the
 * program is to exit with after `usage` was called: help was asked for, or what stands there
 * cannot be. */
int bench_options(int argc, char **argv, bool sized, void (*usage)(FILE *to), bench_opt *out);

#endif
