/* SPDX-License-Identifier: Apache-2.0 */
/* support.h - what unit tests share: exact copies, an allocator that fails on
 * demand, seeded randomness, hexadecimal text, files of a made-up machine, and the torture loop. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "odm/base.h"

/* The C library's heap as an odm_mem, checking the sizes it is told. */
extern const odm_mem heap;

/* A copy on the heap of exactly its length, so that ASan sees one octet too far. */
odm_str exact_copy(const char *z);
odm_str exact_bytes(const void *p, size_t n);
void exact_free(odm_str s);

/* Octets from hexadecimal text (blanks and line breaks skipped); exact, to be exact_free()d. */
odm_str from_hex(const char *hex);

/* Randomness from a seed: the same every run. */
typedef struct seeded {
        uint64_t state;
} seeded;
odm_rng seeded_rng(seeded *s, uint64_t seed);
uint64_t seeded_next(seeded *s);

/* An allocator that counts, and fails the Nth call (once, or from there on). */
typedef struct failing {
        odm_mem mem;      /* hand &f.mem to what is tested */
        uint64_t calls;   /* allocations and growths so far */
        uint64_t fail_at; /* 0 = never; 1 = the first */
        bool for_ever;
        uint64_t live; /* blocks not given back */
} failing;
void failing_init(failing *f);

/* Runs `body(f, arg)` once to count allocations, then again failing each in turn, once
 * and for ever.  The body returns 0 or a negative error; while a failure is injected it must
 * return 0 or ODM_ENOMEM; it must leave no block behind.  Runs at most `most` failures,
 * spread evenly when there are more. */
typedef int (*torture_body)(failing *f, void *arg);
void torture(torture_body body, void *arg, unsigned most);

/* assert that a and b hold the same octets, printing both when not */
#define assert_str(a, z) assert_str_at((a), odm_cstr(z), __FILE__, __LINE__)
#define assert_octets(a, b) assert_str_at((a), (b), __FILE__, __LINE__)
void assert_str_at(odm_str a, odm_str b, const char *file, int line);

/* Makes the file `path` ("/sys/class/x") with `text` below the folder `root`, and the folders on
 * its way. */
void write_below(const char *root, const char *path, const char *text);

/* Where a test that is not about disks has its files: in memory where that can be, for each of a
 * thousand syncs takes as long as a busy disk wants. */
const char *quick_folder(void);

/* Ends a test for which this machine lacks something; cmocka's own skip() is a failure in TAP. */
#define SKIP_TEST(why)                               \
        do {                                         \
                print_message("# SKIP %s\n", (why)); \
                return;                              \
        } while (0)

#define RUN_TESTS(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
