/* SPDX-License-Identifier: Apache-2.0 */
/* requirement.h - the list of requirements, what proves each, and the table of it.
 *
 *     ID purpose                      proved by the cases that cover it, and by
 *             cases ID ...            those of other requirements
 *             every                   all cases there are, in both codecs
 *             test NAME FILE FUNCTION a named test of another suite
 *             promise TEXT            a promise of tests/acceptance
 *             because TEXT            nothing, and that is why (or a remark)                  */
#ifndef CONFORMANCE_REQUIREMENT_H
#define CONFORMANCE_REQUIREMENT_H

#include "case.h"

typedef struct proof {
        struct proof *next;
        odm_str word, text; /* "cases", "every", "test", "promise", "because" */
} proof;

typedef struct requirement {
        struct requirement *next;
        odm_str id, purpose;
        proof *proofs;
} requirement;

/* Reads the list.  False, with a message on standard output, when it cannot be understood. */
bool requirement_read(const char *file, odm_arena *a, requirement **out);
/* Checks that each has a case, another proof, or a reason; that named tests are in `tests`, Meson's
 * intro-tests.json, and in their files; and promises in theirs, below `root`.  `why` tells what is
 * missing first. */
bool requirement_check(const requirement *list, const test_case *cases, const char *root,
                       const char *tests, odm_arena *a, char *why, size_t n);
/* Appends the table as a page.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int requirement_page(const requirement *list, const test_case *cases, odm_buf *out);

#endif
