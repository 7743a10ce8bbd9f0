/* SPDX-License-Identifier: Apache-2.0 */
/* lw.h - what the files of this room share: a list under construction, names as JSON has them,
 * numbers as text. */
#ifndef LW_H
#define LW_H

#include "odm/lwm2m.h"

/* ---- numbers as text: value.c ---- */

/* An optional minus and digits.  0, ODM_EMALFORMED, ODM_ELIMIT. */
int odm_lw_int_parse(odm_str s, int64_t *out);
/* A number of JSON.  0, ODM_EMALFORMED, ODM_ELIMIT (not finite). */
int odm_lw_float_parse(odm_str s, double *out);
#define ODM_LW_FLOAT_TEXT 32
/* The shortest digits that read back as v, which is finite. */
void odm_lw_float_format(double v, char out[ODM_LW_FLOAT_TEXT]);
/* "12:0".  0, ODM_EMALFORMED, ODM_ELIMIT. */
int odm_lw_objlnk_parse(odm_str s, uint16_t out[2]);
/* v as `want` where the same fact can be said so: an integer as time, a number as boolean ...  0 or
 * ODM_EMALFORMED. */
int odm_lw_value_as(odm_lw_type want, odm_lw_value *v);

/* ---- lists under construction: payload.c ---- */

struct maker {
        odm_arena *a;
        odm_lw_node *v;
        size_t n, cap;
};
/* 0, ODM_ENOMEM, ODM_ELIMIT. */
int odm_lw_push(struct maker *m, const odm_lw_node *node);

/* What a name in JSON or SenML addresses: `base` and `name` joined.  `slash`: one is put between
 * them where neither has one.  0, ODM_EMALFORMED (no path, or not at or below f->at). */
int odm_lw_name(const odm_lw_frame *f, odm_str base, odm_str name, bool slash, odm_lw_path *out);

/* ---- the formats ---- */

int odm_lw_tlv_decode(const odm_lw_frame *f, odm_str in, struct maker *out);
int odm_lw_tlv_encode(const odm_lw_frame *f, const odm_lw_list *l, odm_buf *out);
int odm_lw_json_decode(const odm_lw_frame *f, bool senml, odm_str in, struct maker *out);
int odm_lw_json_encode(const odm_lw_frame *f, bool senml, const odm_lw_list *l, odm_buf *out);
int odm_lw_cbor_decode(const odm_lw_frame *f, odm_str in, struct maker *out); /* 112 */
int odm_lw_cbor_encode(const odm_lw_frame *f, const odm_lw_list *l, odm_buf *out);
int odm_lw_cbor_one_decode(odm_lw_type want, odm_str in, odm_lw_value *out); /* 60 */
int odm_lw_cbor_one_encode(const odm_lw_value *v, odm_buf *out);

/* The nodes of `l` checked for what every writer needs: in order, at or below f->at, no node twice.
 * 0 or ODM_EINVAL. */
int odm_lw_list_check(const odm_lw_frame *f, const odm_lw_list *l);
/* What stands before the rest of the names: root and path of the request, with a slash behind
 * unless the one node is that itself.  Absent when there is no room. */
odm_str odm_lw_base(const odm_lw_frame *f, const odm_lw_list *l, char *room, size_t n);
/* The rest of the name of `p` behind that. */
odm_str odm_lw_rest(const odm_lw_frame *f, odm_lw_path p, char room[ODM_LW_PATH_TEXT]);
#define ODM_LW_BASE_TEXT 192

#endif
