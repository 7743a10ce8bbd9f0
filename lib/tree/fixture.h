/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - what the tests of this room share: a small object, rows of operations, and the state
 * of a tree as octets to compare. */
#ifndef TREE_FIXTURE_H
#define TREE_FIXTURE_H

#include "odm/tree.h"
#include "support.h"

/* An operation and what must come of it. */
struct row {
        const char *why;
        const char *server; /* NULL: the device itself */
        odm_cmd kind;
        const char *target;
        odm_format format;
        const char *data; /* or the source of a Copy */
        unsigned status;
        const char *want; /* data of the first result, or NULL */
};

struct lab {
        const odm_mem *mem;
        odm_tree *t;
        odm_arena a;    /* of answers: emptied by each operation */
        odm_arena docs; /* of what must live longer */
        int64_t now;
};

/* The object of the tests: see fixture.c for what it has. */
extern const odm_mo lab_mo;
extern const odm_provider lab_provider; /* at ./Vendor/lab */
extern const odm_provider lab_inbox;    /* ./Inbox */
extern const odm_provider lab_accounts; /* ./Acc, instances of urn:oma:mo:x-acc:1.0 */

ODM_MUST_USE int lab_open(struct lab *l, const odm_mem *mem, const odm_tree_opt *opt);
void lab_close(struct lab *l);
void lab_init(struct lab *l); /* on the heap, with the three mounted; asserts */
/* Does the row; fails the test with its `why` when the outcome differs. */
void lab_do(struct lab *l, const struct row *r);
void lab_rows(struct lab *l, const struct row *r, size_t n);
unsigned lab_status(struct lab *l, const odm_op *op, odm_answer *out);
/* The whole state; exact_free() it. */
odm_str lab_state(struct lab *l);
odm_op lab_op(const char *server, odm_cmd kind, const char *target, odm_format f, const char *data);

#endif
