/* SPDX-License-Identifier: Apache-2.0 */
/* Which codec a document is in; the only file besides a program's own that names both. */
#include "codec_ops.h"

const odm_codec *odm_codec_guess(odm_str in)
{
        if (odm_codec_xml.is(in))
                return &odm_codec_xml;
        return odm_codec_wbxml.is(in) ? &odm_codec_wbxml : NULL;
}

int odm_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out)
{
        return odm_doc_decode_as(&odm_codec_wbxml, &odm_codec_xml, in, lim, arena, out);
}
