/* SPDX-License-Identifier: Apache-2.0 */
/* kept.h - REST of what operators keep: the few rows of one table, each with an id and shown whole
 * (rules, templates, webhooks).  A change carries an event, by which the part knows.  Handlers and
 * helpers as in call.h. */
#ifndef NREM_KEPT_H
#define NREM_KEPT_H

#include "call.h"
#include "jread.h"
#include "table.h"

typedef struct kept {
        const char *what;         /* "rule"; its path is /api/v1/rules */
        const store_table *table; /* its key is one number, which the store gives */
        unsigned most;            /* rows */
        /* Whether the token may have to do with it: others are not there. */
        bool (*is_within)(call *c, const void *row);
        json_t *(*json)(const void *row); /* NULL: out of memory */
} kept;

/* The row of the path's first parameter, whose texts live as long as the call. */
bool kept_find(call *c, const kept *k, void *out);
/* Whether one more may be made. */
bool kept_has_room(call *c, const kept *k);
/* Adds the event `what`.`verb` with the id; 0: none yet, or no device. */
bool kept_tell(call *c, store_batch *b, const kept *k, const char *verb, int64_t device,
               int64_t id);

/* What it says beside its columns, a JSON object.  Its members `said` (up to a NULL) from the body,
 * and from `old` where the body says nothing; they are asked for then.  A new reference, or NULL.
 */
json_t *kept_said(call *c, jread *j, const json_t *old, const char *const *said);
/* As text that lives as long as the call; a problem at `where` beyond `most` octets.  Absent: out
 * of memory, or `spec` is NULL. */
odm_str kept_text(call *c, const json_t *spec, size_t most, const char *where);

/* Handlers: all of them, and the one of the path. */
void kept_list(call *c, const kept *k);
void kept_show(call *c, const kept *k);
typedef struct kept_change {
        store_op_kind kind; /* STORE_ROW_ADD, _PATCH, _DELETE */
        void *row;          /* lives as long as the call */
        uint64_t fields, where;
        const void *is; /* as in store_row_op */
} kept_change;
/* The end of a handler that changes one, with the event "changed".  Takes b; NULL: the problem is
 * set.  Answers 201 with the new one, 200 with the changed one, or 204. */
void kept_write(call *c, const kept *k, store_batch *b, const kept_change *change);

#endif
