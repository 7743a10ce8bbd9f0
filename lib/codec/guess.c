/* SPDX-License-Identifier: Apache-2.0 */
/* Which codec a document is in; the only file besides a program's own that names both. */
#include "wbxml.h"
#include "xml.h"

static odm_str after_mark(odm_str in)
{
        return odm_str_from(in, odm_str_starts(in, "\xef\xbb\xbf") ? 3 : 0);
}

static bool is_xml(odm_str in)
{
        in = odm_str_trim(after_mark(in));
        return in.n > 0 && in.p[0] == '<';
}

const odm_codec *odm_codec_guess(odm_str in)
{
        if (is_xml(in))
                return &odm_codec_xml;
        return in.n > 0 && in.p[0] >= 1 && in.p[0] <= 3 ? &odm_codec_wbxml : NULL;
}

int odm_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out)
{
        return is_xml(in) ? odm_xml_doc_decode(in, lim, arena, out)
                          : odm_wbxml_doc_decode(in, lim, arena, out);
}
