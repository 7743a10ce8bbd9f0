/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON made and read with jansson. */
#ifndef XREM_JSON_H
#define XREM_JSON_H

#include <jansson.h>

#include "xrem.h"

/* Prints `j`, indented, and lets go of it.  XREM_OK, or XREM_BROKEN. */
int xrem_print_json(json_t *j);
/* Keeps `j` until the program ends, so that text in it may be borrowed.  NULL means that memory
 * is out.  Returns j. */
json_t *xrem_own(xrem *c, json_t *j);
void xrem_let_go(xrem *c); /* of all that is owned */

/* A JSON string; octets that are no UTF-8 are made visible. */
json_t *xrem_json_text(xrem *c, odm_str s);
/* Sets obj[key]; ends the program when memory is out.  Takes `value`. */
void xrem_json_set(json_t *obj, const char *key, json_t *value);
void xrem_json_push(json_t *array, json_t *value);

/* Members of an object: absent, or the other value, when missing or of another type. */
odm_str xrem_json_str(const json_t *obj, const char *key);
const char *xrem_json_z(const json_t *obj, const char *key); /* NULL when missing */
long long xrem_json_int(const json_t *obj, const char *key, long long otherwise);

#endif
