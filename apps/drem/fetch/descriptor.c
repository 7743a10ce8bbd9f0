/* SPDX-License-Identifier: Apache-2.0 */
/* One flat element row below a root called media; expat reads it, with every declaration refused.
 */
#include "descriptor.h"

#include <expat.h>
#include <string.h>

typedef struct reader {
        XML_Parser xml;
        descriptor got;
        unsigned depth;
        bool is_media, has_type, has_size;
        char name[32];
        char text[DESCRIPTOR_URL + 1];
        size_t n;
        int rc;
} reader;

static void stop(reader *r, int rc)
{
        if (r->rc == 0)
                r->rc = rc;
        (void)XML_StopParser(r->xml, XML_FALSE);
}

static const char *local_name(const char *name)
{
        const char *colon = strrchr(name, ':');

        return colon ? colon + 1 : name;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
        reader *r = ctx;

        (void)attributes;
        name = local_name(name);
        if (++r->depth == 1)
                r->is_media = strcmp(name, "media") == 0;
        if (r->depth == 2) {
                r->name[0] = 0;
                if (strlen(name) < sizeof r->name)
                        memcpy(r->name, name, strlen(name) + 1);
        }
        r->n = 0;
        if (r->depth > 8)
                stop(r, ODM_ELIMIT);
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int n)
{
        reader *r = ctx;

        if (r->depth != 2)
                return;
        if (r->n + (size_t)n > DESCRIPTOR_URL) {
                stop(r, ODM_ELIMIT);
                return;
        }
        memcpy(r->text + r->n, s, (size_t)n);
        r->n += (size_t)n;
}

static void keep(char *to, odm_str v)
{
        memcpy(to, v.p, v.n);
        to[v.n] = 0;
}

static int take(reader *r, odm_str v)
{
        if (strcmp(r->name, "type") == 0) {
                r->has_type = v.n > 0;
        } else if (strcmp(r->name, "size") == 0) {
                r->has_size = true;
                return odm_str_u64(v, INT64_MAX, &r->got.size) < 0 ? ODM_EMALFORMED : 0;
        } else if (strcmp(r->name, "objectURI") == 0) {
                keep(r->got.object, v);
        } else if (strcmp(r->name, "installNotifyURI") == 0) {
                keep(r->got.notify, v);
        } else if (strcmp(r->name, "DDVersion") == 0) {
                if (v.n >= sizeof r->got.version || !odm_str_starts(v, "1."))
                        return ODM_EUNSUPPORTED;
                keep(r->got.version, v);
        }
        return 0;
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
        reader *r = ctx;

        (void)name;
        if (r->depth-- == 2) {
                int rc = take(r, odm_str_trim((odm_str){r->text, r->n}));
                if (rc < 0)
                        stop(r, rc);
        }
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *a, const XML_Char *b, const XML_Char *c,
                               int d)
{
        (void)a;
        (void)b;
        (void)c;
        (void)d;
        stop(ctx, ODM_EMALFORMED);
}

int descriptor_parse(odm_str text, descriptor *out)
{
        reader r = {.xml = XML_ParserCreate(NULL)};

        if (!r.xml)
                return ODM_ENOMEM;
        XML_SetUserData(r.xml, &r);
        XML_SetElementHandler(r.xml, on_start, on_end);
        XML_SetCharacterDataHandler(r.xml, on_text);
        XML_SetStartDoctypeDeclHandler(r.xml, on_doctype);
        if (text.n > DESCRIPTOR_MAX)
                r.rc = ODM_ELIMIT;
        else if (XML_Parse(r.xml, text.p, (int)text.n, 1) != XML_STATUS_OK && r.rc == 0)
                r.rc = XML_GetErrorCode(r.xml) == XML_ERROR_NO_MEMORY ? ODM_ENOMEM : ODM_EMALFORMED;
        XML_ParserFree(r.xml);
        if (r.rc == 0 && (!r.is_media || !r.has_type || !r.has_size || !r.got.object[0]))
                r.rc = ODM_EMALFORMED;
        if (r.rc == 0)
                *out = r.got;
        return r.rc;
}
