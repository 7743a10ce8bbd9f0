/* SPDX-License-Identifier: Apache-2.0 */
/* teller.h - what both players share: where they are in a case, and saying what is wrong. */
#ifndef CONFORMANCE_TELLER_H
#define CONFORMANCE_TELLER_H

#include <setjmp.h>

#include "case.h"
#include "odm/msg.h"

typedef struct teller {
        const test_case *test;
        const line *at; /* the line being played */
        char *why;
        size_t why_n;
        jmp_buf out; /* where a case ends that went wrong */
} teller;

/* Says where and what, and leaves by `out`. */
void teller_wrong(teller *t, const char *fmt, ...) ODM_PRINTF(2, 3) __attribute__((noreturn));
void teller_must(teller *t, int rc, const char *what);
odm_str teller_arg(teller *t, const line *l, unsigned i);
uint64_t teller_number(teller *t, odm_str s);
/* "404" or "404|405" */
bool teller_code_is(odm_str want, unsigned code);
/* What we said in XML has its elements in the DTD's order. */
void teller_order(teller *t, odm_str xml);
/* A challenge asks for proof with a nonce of 16 octets or more, in base64, that is not among those
 * before it; *seen (in `a`) has them. */
void teller_nonce(teller *t, const odm_meta *chal, odm_arena *a, odm_str *seen);

extern const odm_mem teller_mem;

#endif
