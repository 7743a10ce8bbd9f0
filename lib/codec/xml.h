/* SPDX-License-Identifier: Apache-2.0 */
/* xml.h - expat as this room uses it: UTF-8 only, no entities but the predefined ones,
 * nothing fetched, no randomness read. */
#ifndef XML_H
#define XML_H

#include <expat.h>

#include "codec_ops.h"

/* The first member of what the handlers are given. */
struct xml_parse {
        XML_Parser parser;
        const char *copy; /* of the document: expat's, into which it points when it can */
        int rc;           /* the first error of a handler */
};

/* Ends the parse with rc; does nothing when rc is 0 or it has failed before. */
void odm_xml_fail(struct xml_parse *p, int rc);
/* Parses the whole of `in`.  A handler may still be called after odm_xml_fail().
 * Returns 0, a handler's error, ODM_EMALFORMED, ODM_ELIMIT or ODM_ENOMEM. */
ODM_MUST_USE int odm_xml_run(struct xml_parse *p, odm_str in, XML_StartElementHandler start,
                             XML_EndElementHandler end, XML_CharacterDataHandler text);

bool odm_xml_is(odm_str in);
int odm_xml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out);
int odm_xml_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out);

#endif
