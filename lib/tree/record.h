/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - the entries of a persistent record; the layout is drawn in record.c. */
#ifndef TREE_RECORD_H
#define TREE_RECORD_H

#include "node.h"

enum { REC_VALUE = 1, REC_ACL = 2, REC_TITLE = 4, REC_STAMP = 8, REC_ALL = 15 };

ODM_MUST_USE int odm_record_begin(odm_buf *rec);
/* Closes the record that began at the start of `rec`. */
void odm_record_end(odm_buf *rec);
/* Where entries are written: `path` is that of the entry before, on which the next one leans. */
struct recorder {
        odm_buf *out, *path;
        bool *fresh;
};
ODM_MUST_USE int odm_record_node(const struct recorder *r, const struct node *n, unsigned what);
ODM_MUST_USE int odm_record_delete(const struct recorder *r, const struct node *n);
/* The node still has its old name. */
ODM_MUST_USE int odm_record_rename(const struct recorder *r, const struct node *n, odm_str name);

#endif
