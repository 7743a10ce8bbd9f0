/* SPDX-License-Identifier: Apache-2.0 */
/* codec_ops.h - what a codec is made of, inside this room. */
#ifndef CODEC_OPS_H
#define CODEC_OPS_H

#include "odm/codec.h"

/* The most that odm_limits.max_depth can allow; also how deep an encoder goes. */
#define ODM_DEPTH_MOST 128

struct odm_codec {
        const char *name, *mime, *tnds_mime, *ddf_mime;
        bool binary;
        bool (*is)(odm_str in); /* by the first octets, is `in` in this form? */
        int (*decode)(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out);
        int (*begin)(odm_writer *w, const odm_hdr *hdr);
        int (*command)(odm_writer *w, const odm_command *cmd);
        int (*end)(odm_writer *w, bool final);
        size_t (*tail)(const odm_writer *w, bool final); /* octets that end() would add */
        size_t (*fit)(const odm_data *d, size_t off, size_t room);
        int (*doc_decode)(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out);
        int (*doc_encode)(const odm_doc *d, bool df, odm_buf *out);
};

#endif
