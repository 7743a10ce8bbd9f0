/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - objects of the server shown as name and value, and lists of them as tables. */
#ifndef XREM_FIELDS_H
#define XREM_FIELDS_H

#include "api.h"
#include "table.h"

typedef struct xrem_field {
        const char *label;
        const char *member; /* of the JSON object */
        bool time;          /* shown with how long ago it was */
} xrem_field;

/* Prints those members that are there. */
void xrem_fields_print(xrem *c, const json_t *obj, const xrem_field *fields, size_t n);
/* A member as text: numbers, booleans and lists of words too; absent when missing. */
odm_str xrem_field_text(xrem *c, const json_t *obj, const char *member);
enum xrem_colour xrem_state_colour(odm_str state); /* of devices, jobs and sessions */

/* One column of a list. */
typedef struct xrem_list_col {
        xrem_col col;
        const char *member;
        bool ago;   /* a time, shown as "3 min ago" */
        bool state; /* coloured */
} xrem_list_col;

/* Prints a list as a table, or with --json as {"items": [...]}; `none` is said of an empty one.
 * XREM_OK or XREM_BROKEN. */
int xrem_list_print(xrem *c, json_t *items, const xrem_list_col *cols, size_t n, const char *none);

#endif
