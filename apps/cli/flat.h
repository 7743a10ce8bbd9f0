/* SPDX-License-Identifier: Apache-2.0 */
/* flat.h - a tree document as a flat list of nodes: lines of text, or JSON.
 *
 * A line is URI, format, type and value with tabs between.  In the value \t \n \r \\ and \xNN
 * stand for what cannot be written plainly; of a bin node it is base64.  Lines that begin with
 * # and empty ones count for nothing.  The JSON form is a list of objects with the members of
 * `Node` in docs/openapi.yaml, and acl and title. */
#ifndef XREM_FLAT_H
#define XREM_FLAT_H

#include "doc.h"
#include "json.h"

typedef struct xrem_flat { /* one node */
        odm_str uri;
        odm_format format;
        odm_str type;
        odm_str value; /* octets; absent: none */
        odm_str acl, title;
} xrem_flat;

/* The node at which a walk stands.  XREM_OK, or XREM_BAD_INPUT for a value that is no base64. */
int xrem_flat_of(xrem *c, const xrem_walk *w, xrem_flat *out);
odm_str xrem_flat_line(xrem *c, const xrem_flat *f); /* without line end */
json_t *xrem_flat_json(xrem *c, const xrem_flat *f);

/* Reads a whole list in either form; `name` is for messages.  XREM_OK or XREM_BAD_INPUT. */
int xrem_flat_read(xrem *c, const char *name, odm_str text, xrem_flat **out, size_t *n);
/* Makes a document; nodes left out between others become interior ones.  With `binary`, octets
 * of bin nodes stay octets, else they become base64.  XREM_OK or XREM_BAD_INPUT. */
int xrem_flat_doc(xrem *c, const char *name, const xrem_flat *list, size_t n, bool binary,
                  odm_doc **out);
/* Rewrites the values of bin nodes for the other codec. */
int xrem_flat_recode(xrem *c, odm_doc *d, bool binary);

#endif
