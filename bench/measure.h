/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - what the programs that measure share: memory that counts itself, the clock, medians,
 * the command line and the rows of a list. */
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

/* ---- the command line: what is wrong with it is one line, and ends the program with 2 ---------- */

/* Ends the program with what is wrong: "bench-rows: rows: 12x is no number from 1 to 9". */
_Noreturn ODM_PRINTF(1, 2) void bench_refuse(const char *fmt, ...);
/* Leaves the words in argv[1] ... and returns how many there are, `least` to `most`.  --help ends
 * the program with 0 after `usage` was called, --json sets *json; without `json`, and for all other
 * options, there is no such thing. */
int bench_words(int argc, char **argv, void (*usage)(void), int least, int most, bool *json);
/* The number that `text` is, `least` to `most`; `what` names it. */
uint64_t bench_number(const char *what, const char *text, uint64_t least, uint64_t most);
/* Refuses a file that is there: an earlier run's would be measured with ours. */
void bench_fresh(const char *path);

typedef struct bench_opt {
        unsigned rounds;   /* default 11; without `only` at most BENCH_ROUNDS */
        unsigned commands; /* 0 when not given */
        const char *only;  /* NULL: all rows */
        bool json;
} bench_opt;

/* Reads --help, --json, --rounds N, --only ROW and, if `sized`, --commands N. */
void bench_options(int argc, char **argv, bool sized, void (*usage)(void), bench_opt *out);

/* ---- what was found, as a table or, if `json`, a list of objects ------------------------------- */

/* Stands before each row that is printed, and behind the last. */
void bench_row(bool json);
void bench_rows_end(bool json);

#endif
