/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.h - whole bodies compressed and inflated, with a ceiling. */
#ifndef HOST_GZIP_H
#define HOST_GZIP_H

#include "odm/base.h"

/* Appends to `out`, whose max is the ceiling.  Returns 0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int gzip_pack(odm_str in, odm_buf *out);
/* Takes gzip and zlib form, one member.  ODM_EMALFORMED for what is no such stream, is cut, or
 * has octets behind it; ODM_ELIMIT past the maximum of `out`; `out` keeps what it held. */
ODM_MUST_USE int gzip_unpack(odm_str in, odm_buf *out);

#endif
