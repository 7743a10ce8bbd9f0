/* SPDX-License-Identifier: Apache-2.0 */
/* http_parse.h - reads HTTP/1.1 responses, octet by octet or in any pieces.  Pure: no I/O.
 *
 * Strict where leniency is dangerous: a response with both lengths, with differing lengths, a
 * field name that is no token, a control character in a value, or a transfer coding other than
 * chunked is malformed.  RFC 9112; interim responses (1xx) are skipped. */
#ifndef HOST_HTTP_PARSE_H
#define HOST_HTTP_PARSE_H

#include "odm/base.h"

typedef struct http_limits {
        size_t max_head;   /* octets of status line and fields, those of all interim responses
                              before it counted too; default 16384 */
        size_t max_fields; /* default 64 */
        size_t max_body;   /* octets after decoding chunks, before decompression; default 1 MiB */
} http_limits;
void http_limits_init(http_limits *l);

typedef struct http_field {
        odm_str name, value; /* value without blanks around */
} http_field;

typedef enum http_parse_state {
        HTTP_PARSE_HEAD, /* in the status line and fields */
        HTTP_PARSE_BODY,
        HTTP_PARSE_DONE,
} http_parse_state;

typedef struct http_parse {
        http_limits lim;
        const odm_mem *mem;
        bool head_request; /* the answer to HEAD (or CONNECT 2xx): no body whatever it says */
        /* results, good from HTTP_PARSE_BODY on */
        unsigned status;
        bool http10;
        bool close; /* the connection does not go on after this */
        http_field *fields;
        size_t n_fields;
        odm_buf body;
        /* inside */
        http_parse_state state;
        odm_buf head;
        uint8_t mode, chunk_state;
        uint64_t left;
        bool any;       /* an octet came */
        size_t interim; /* octets of interim responses so far */
        char line[256]; /* a line of the chunked coding, being collected */
        size_t line_n, trailer_n;
} http_parse;

void http_parse_init(http_parse *p, const odm_mem *m, const http_limits *lim);
void http_parse_done(http_parse *p);
void http_parse_reset(http_parse *p); /* for the next response on the connection */

/* Takes octets; *used says how many belong to this response.  Returns 1 when the response is
 * whole, 0 when more is needed, ODM_EMALFORMED, ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int http_parse_feed(http_parse *p, odm_str in, size_t *used);
/* The connection has ended: 1 when that ends the response, else ODM_EMALFORMED. */
ODM_MUST_USE int http_parse_eof(http_parse *p);

/* In a body of which fewer octets than announced have come, but some. */
bool http_parse_is_short(const http_parse *p);

/* The value of the first field of that name, letters of either case; absent when none. */
odm_str http_parse_field(const http_parse *p, const char *name);
/* True when `list` (a field value such as "gzip, br;q=0") names `token` with a weight above 0. */
bool http_list_has(odm_str list, const char *token);
/* The one range of octets that a Range field asks of a thing of `size` octets (RFC
 * 9110 14.1.2, 14.2). 1 with *first and *n, which is above 0; 0 when the field means nothing to us
 * (another unit, bad syntax, several ranges), and so the whole is asked for; ODM_ELIMIT when there
 * is no such octet. */
ODM_MUST_USE int http_range(odm_str field, uint64_t size, uint64_t *first, uint64_t *n);
/* A Content-Range field (RFC 9110 14.4) of which the whole size is told.  "bytes *" for the range
 * gives *n 0 and *first the size.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int http_content_range(odm_str field, uint64_t *first, uint64_t *n, uint64_t *size);
bool http_is_token(odm_str s);
bool http_value_ok(odm_str s); /* no control characters but tab */

#endif
