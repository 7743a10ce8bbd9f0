/* SPDX-License-Identifier: Apache-2.0 */
/* SyncML and DDF as XML (dm-representation.md 1), read by expat.  Names count by
 * their local part, so that any or no prefix will do.  Text is borrowed from the input
 * where expat reports it as it stands there.
 *
 * Entities are the predefined ones only: a declaration ends the parse, and nothing is
 * ever fetched.  The hash salt is constant so that no randomness is read; to make names
 * collide all the same, someone would have to match far more bits of SipHash than a
 * message of max_msg octets repays. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include <expat.h>

#include "builder.h"
#include "xml.h"

struct reader {
        XML_Parser parser;
        odm_str in;
        size_t data_at; /* where the content of the Data we are in begins */
        int rc;
        struct builder b;
};

static void fail(struct reader *r, int rc)
{
        if (rc < 0 && r->rc == 0) {
                r->rc = rc;
                (void)XML_StopParser(r->parser, XML_FALSE);
        }
}

static size_t here(const struct reader *r)
{
        return (size_t)XML_GetCurrentByteIndex(r->parser);
}

/* The local part of the name of the tag that begins here, in the input. */
static odm_str local_name(const struct reader *r, const char *qualified)
{
        const char *colon = strrchr(qualified, ':');
        size_t prefix = colon ? (size_t)(colon + 1 - qualified) : 0;

        return (odm_str){r->in.p + here(r) + 1 + prefix, strlen(qualified + prefix)};
}

static void on_start(void *ctx, const char *qualified, const char **attributes)
{
        struct reader *r = ctx;
        enum context top = builder_top(&r->b)->ctx;

        (void)attributes;
        if (r->rc < 0)
                return;
        if (top == CTX_DATA || top == CTX_RAW) {
                r->b.acc_kind = ODM_DATA_XML;
                fail(r, builder_push(&r->b, CTX_RAW, NULL));
                return;
        }
        odm_str name = local_name(r, qualified);
        unsigned page = top < CTX_TABLES ? builder_pages[top] : PAGE_SYNCML;
        fail(r, builder_open(&r->b, element_find(page, name.p, name.n), name));
        if (builder_top(&r->b)->ctx == CTX_DATA)
                r->data_at = here(r) + (size_t)XML_GetCurrentByteCount(r->parser);
}

static void on_end(void *ctx, const char *qualified)
{
        struct reader *r = ctx;

        (void)qualified;
        if (r->rc < 0)
                return;
        if (builder_top(&r->b)->ctx == CTX_DATA && r->b.acc_kind == ODM_DATA_XML) {
                odm_str raw = {r->in.p + r->data_at, here(r) - r->data_at};
                r->b.acc = odm_str_trim(raw);
        }
        fail(r, builder_close(&r->b));
}

static void on_text(void *ctx, const char *p, int n)
{
        struct reader *r = ctx;
        odm_str piece = {p, (size_t)n};
        size_t at = here(r);
        bool same;

        if (r->rc < 0 || builder_top(&r->b)->ctx == CTX_RAW || r->b.acc_kind == ODM_DATA_XML)
                return;
        same = at <= r->in.n && piece.n <= r->in.n - at && memcmp(r->in.p + at, p, piece.n) == 0;
        if (same)
                piece.p = r->in.p + at;
        fail(r, builder_text(&r->b, ODM_DATA_TEXT, piece, same));
}

static void on_entity(void *ctx, const char *name, int is_parameter, const char *value, int n,
                      const char *base, const char *system_id, const char *public_id,
                      const char *notation)
{
        (void)name, (void)is_parameter, (void)value, (void)n, (void)base, (void)system_id,
                (void)public_id, (void)notation;
        fail(ctx, ODM_EMALFORMED);
}

/* Default attributes would let a short message stand for a long one. */
static void on_attributes(void *ctx, const char *element, const char *name, const char *type,
                          const char *value, int required)
{
        (void)element, (void)name, (void)type, (void)value, (void)required;
        fail(ctx, ODM_EMALFORMED);
}

static void on_skipped(void *ctx, const char *name, int is_parameter)
{
        (void)name, (void)is_parameter;
        fail(ctx, ODM_EMALFORMED);
}

static int parse(struct reader *r)
{
        if (r->in.n > INT_MAX)
                return ODM_ELIMIT;
        /* The encoding is said, not read: what we borrow must be UTF-8. */
        r->parser = XML_ParserCreate("UTF-8");
        if (r->parser == NULL)
                return ODM_ENOMEM;
        (void)XML_SetHashSalt(r->parser, XML_HASH_SALT);
        XML_SetUserData(r->parser, r);
        XML_SetElementHandler(r->parser, on_start, on_end);
        XML_SetCharacterDataHandler(r->parser, on_text);
        XML_SetEntityDeclHandler(r->parser, on_entity);
        XML_SetAttlistDeclHandler(r->parser, on_attributes);
        XML_SetSkippedEntityHandler(r->parser, on_skipped);
        enum XML_Status ok = XML_Parse(r->parser, r->in.p, (int)r->in.n, 1);
        if (r->rc == 0 && ok != XML_STATUS_OK)
                r->rc = XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY ? ODM_ENOMEM
                                                                           : ODM_EMALFORMED;
        XML_ParserFree(r->parser);
        return r->rc;
}

int xml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out)
{
        struct reader r;
        int rc;

        r.in = in;
        r.rc = 0;
        rc = builder_begin_msg(&r.b, in, lim, arena);
        if (rc == 0)
                rc = parse(&r);
        if (rc == 0)
                rc = builder_end_msg(&r.b);
        if (rc == 0)
                *out = r.b.msg;
        return rc;
}

int xml_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out)
{
        struct reader r;
        int rc;

        r.in = in;
        r.rc = 0;
        rc = builder_begin_doc(&r.b, in, lim, arena);
        if (rc == 0)
                rc = parse(&r);
        if (rc == 0)
                rc = builder_end_doc(&r.b);
        if (rc == 0)
                *out = r.b.doc;
        return rc;
}
