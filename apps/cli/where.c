/* SPDX-License-Identifier: Apache-2.0 */
/* The codec says only that bytes are malformed.  For text we let expat point at the place. */
#include "where.h"

#include <expat.h>

#include "odm/codec.h"

static int at_line(const char *name, odm_str in)
{
        XML_Parser p = XML_ParserCreate(NULL);
        int rc = XREM_OK;

        if (p == NULL)
                xrem_out_of_memory();
        if (in.n <= INT32_MAX && XML_Parse(p, in.p, (int)in.n, 1) != XML_STATUS_OK) {
                xrem_fail(XREM_BAD_INPUT, "%s:%lu:%lu: %s", name,
                          (unsigned long)XML_GetCurrentLineNumber(p),
                          (unsigned long)XML_GetCurrentColumnNumber(p) + 1,
                          XML_ErrorString(XML_GetErrorCode(p)));
                rc = XREM_BAD_INPUT;
        }
        XML_ParserFree(p);
        return rc;
}

int xrem_bad_document(xrem *c, const char *name, odm_str in, int err, const char *what)
{
        odm_str text = odm_str_trim(in);

        (void)c;
        if (err == ODM_ENOMEM)
                xrem_out_of_memory();
        if (text.n == 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: it is empty", name);
        if (text.p[0] == '<' && at_line(name, in) != XREM_OK)
                return XREM_BAD_INPUT;
        if (err == ODM_ELIMIT)
                return xrem_fail(XREM_BAD_INPUT, "%s: too large or too deeply nested", name);
        return xrem_fail(XREM_BAD_INPUT, "%s: this is no %s", name, what);
}
