/* SPDX-License-Identifier: Apache-2.0 */
/* body.h - the body of a request, as people hand it over. */
#ifndef XREM_BODY_H
#define XREM_BODY_H

#include "args.h"
#include "json.h"

/* What is in a file, or on standard input for "-": of `type`, JSON_OBJECT or JSON_ARRAY; a member
 * that stands twice is refused.  NULL with an exit code in *rc, having said why. */
json_t *xrem_body_file(xrem *c, const char *file, json_type type, int *rc);
/* --NAME yes or no, as the member of that name; nothing when it was not given.  XREM_OK, or
 * XREM_USAGE having said why. */
int xrem_body_yes_no(const xrem_args *a, const char *name, json_t *body);

#endif
