/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations that could make a short document stand for a long one, entities and default
 * attributes, end the parse; other declarations and DOCTYPE itself are ignored.
 *
 * The hash salt is constant so that no randomness is read.  To make names collide all the
 * same, someone would have to match far more bits of SipHash than a message of max_msg
 * octets repays.  expat has no room for our allocator's context and uses malloc. */
#include <limits.h>
#include <string.h>

#include "xml.h"

#define SALT 0x6f646dUL /* 0 would ask for the system's randomness */

void odm_xml_fail(struct xml_parse *p, int rc)
{
        if (rc < 0 && p->rc == 0) {
                p->rc = rc;
                (void)XML_StopParser(p->parser, XML_FALSE);
        }
}

static void on_entity(void *ctx, const char *name, int is_parameter, const char *value, int n,
                      const char *base, const char *system_id, const char *public_id,
                      const char *notation)
{
        (void)name, (void)is_parameter, (void)value, (void)n, (void)base, (void)system_id,
                (void)public_id, (void)notation;
        odm_xml_fail(ctx, ODM_EMALFORMED);
}

static void on_attributes(void *ctx, const char *element, const char *name, const char *type,
                          const char *value, int required)
{
        (void)element, (void)name, (void)type, (void)value, (void)required;
        odm_xml_fail(ctx, ODM_EMALFORMED);
}

static void on_skipped(void *ctx, const char *name, int is_parameter)
{
        (void)name, (void)is_parameter;
        odm_xml_fail(ctx, ODM_EMALFORMED);
}

/* Expat takes a document for UTF-16 by its first two octets, whatever encoding it was told. */
static bool is_utf16(odm_str in)
{
        return in.n >= 2 && (in.p[0] == '\0' || in.p[1] == '\0' ||
                             memcmp(in.p, "\xfe\xff", 2) == 0 || memcmp(in.p, "\xff\xfe", 2) == 0);
}

int odm_xml_run(struct xml_parse *p, odm_str in, XML_StartElementHandler start,
                XML_EndElementHandler end, XML_CharacterDataHandler text)
{
        p->rc = 0;
        if (in.n > INT_MAX)
                return ODM_ELIMIT;
        if (in.n == 0 || is_utf16(in))
                return ODM_EMALFORMED;
        /* The encoding is said, not read: what is borrowed must be UTF-8. */
        p->parser = XML_ParserCreate("UTF-8");
        if (p->parser == NULL)
                return ODM_ENOMEM;
        (void)XML_SetHashSalt(p->parser, SALT);
        XML_SetUserData(p->parser, p);
        XML_SetElementHandler(p->parser, start, end);
        XML_SetCharacterDataHandler(p->parser, text);
        XML_SetEntityDeclHandler(p->parser, on_entity);
        XML_SetAttlistDeclHandler(p->parser, on_attributes);
        XML_SetSkippedEntityHandler(p->parser, on_skipped);
        enum XML_Status ok = XML_STATUS_ERROR;
        void *copy = XML_GetBuffer(p->parser, (int)in.n);
        if (copy) { /* XML_Parse() would do the same, and not say where the copy is */
                memcpy(copy, in.p, in.n);
                p->copy = copy;
                ok = XML_ParseBuffer(p->parser, (int)in.n, 1);
        }
        if (p->rc == 0 && ok != XML_STATUS_OK)
                p->rc = XML_GetErrorCode(p->parser) == XML_ERROR_NO_MEMORY ? ODM_ENOMEM
                                                                           : ODM_EMALFORMED;
        XML_ParserFree(p->parser);
        return p->rc;
}
