/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - an account as nodes of a TNDS document, put together piece by piece. */
#ifndef BOOTSTRAP_RECORD_H
#define BOOTSTRAP_RECORD_H

#include "odm/bootstrap.h"

#define DMACC_ID "urn:oma:mo:oma-dm-dmacc:1.0"

/* Each appends to `parent` and returns what it made; NULL when the arena is at its end, or
 * `parent` is NULL: the caller looks at the last one, or at the arena. */
odm_doc_node *odm_boot_node(odm_arena *a, odm_doc_node *parent, odm_str name);
odm_doc_node *odm_boot_leaf(odm_arena *a, odm_doc_node *parent, const char *name, odm_str text);
odm_doc_node *odm_boot_octets(odm_arena *a, odm_doc_node *parent, const char *name, odm_str octets);
/* The top of an account. */
odm_doc_node *odm_boot_account_top(odm_arena *a, odm_str name);
/* The value of a child that is a leaf; absent when there is none. */
odm_str odm_boot_child(const odm_doc_node *top, const char *name);

/* The objects of a Client Provisioning document: an account for each application w7. */
ODM_MUST_USE int odm_boot_cp_objects(odm_str doc, const odm_limits *lim, odm_arena *a,
                                     odm_doc **out);
ODM_MUST_USE int odm_boot_make_cp(const odm_boot_offer *o, odm_arena *a, odm_buf *out);

#endif
