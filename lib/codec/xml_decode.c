/* SPDX-License-Identifier: Apache-2.0 */
/* SyncML and DDF as XML (dm-representation.md 1), read by expat.  Names count by
 * their local part, so that any or no prefix will do.  Text is borrowed from the input
 * where expat reports it as it stands there. */
#include <assert.h>
#include <string.h>

#include "builder.h"
#include "xml.h"

#define MET 64

struct reader {
        struct xml_parse parse; /* comes first: see xml.h */
        odm_str in;
        size_t data_at;   /* where the content of the Data we are in begins */
        uint8_t met[MET]; /* elements met before, by met_at(): a message has few names, often */
        struct builder b;
};

static size_t here(const struct reader *r)
{
        return (size_t)XML_GetCurrentByteIndex(r->parse.parser);
}

/* The local part of the name of the tag that begins here, in the input. */
static odm_str local_name(const struct reader *r, const char *qualified)
{
        size_t n = 0, prefix = 0;

        while (qualified[n])
                if (qualified[n++] == ':')
                        prefix = n;
        assert(n < r->in.n - here(r)); /* UTF-8 in, so the name stands there as we were told it */
        return (odm_str){r->in.p + here(r) + 1 + prefix, n - prefix};
}

static uint8_t *met_at(struct reader *r, unsigned page, odm_str name)
{
        unsigned first = (uint8_t)name.p[0], last = (uint8_t)name.p[name.n - 1];

        return &r->met[(first * 21 + last * 5 + name.n + page * 17) % MET];
}

/* odm_element_find(), mostly without looking for it. */
static unsigned find(struct reader *r, unsigned page, odm_str name)
{
        if (name.n == 0)
                return E_NONE;
        uint8_t *met = met_at(r, page, name);
        if (PAGE(*met) != page || !odm_element_is(*met, name.p, name.n))
                *met = (uint8_t)odm_element_find(page, name.p, name.n);
        return *met;
}

static void on_start(void *ctx, const char *qualified, const char **attributes)
{
        struct reader *r = ctx;
        enum context top = builder_top(&r->b)->ctx;

        (void)attributes;
        if (r->parse.rc < 0)
                return;
        if (top == CTX_DATA || top == CTX_RAW) {
                r->b.acc_kind = ODM_DATA_XML;
                odm_xml_fail(&r->parse, builder_push(&r->b, CTX_RAW, NULL));
                return;
        }
        odm_str name = local_name(r, qualified);
        unsigned page = odm_builder_pages[top];
        odm_xml_fail(&r->parse, odm_builder_open(&r->b, find(r, page, name), name));
        if (builder_top(&r->b)->ctx == CTX_DATA)
                r->data_at = here(r) + (size_t)XML_GetCurrentByteCount(r->parse.parser);
}

static void on_end(void *ctx, const char *qualified)
{
        struct reader *r = ctx;

        (void)qualified;
        if (r->parse.rc < 0)
                return;
        if (builder_top(&r->b)->ctx == CTX_DATA && r->b.acc_kind == ODM_DATA_XML) {
                odm_str raw = {r->in.p + r->data_at, here(r) - r->data_at};
                r->b.acc = odm_str_trim(raw);
        }
        odm_xml_fail(&r->parse, odm_builder_close(&r->b));
}

static void on_text(void *ctx, const char *p, int n)
{
        struct reader *r = ctx;
        odm_str piece = {p, (size_t)n};
        size_t at = here(r);
        bool same;

        if (r->parse.rc < 0 || builder_top(&r->b)->ctx == CTX_RAW || r->b.acc_kind == ODM_DATA_XML)
                return;
        same = at <= r->in.n && piece.n <= r->in.n - at && memcmp(r->in.p + at, p, piece.n) == 0;
        if (same)
                piece.p = r->in.p + at;
        odm_xml_fail(&r->parse, odm_builder_text(&r->b, ODM_DATA_TEXT, piece, same));
}

bool odm_xml_is(odm_str in)
{
        in = odm_str_trim(odm_str_from(in, odm_str_starts(in, "\xef\xbb\xbf") ? 3 : 0));
        return in.n > 0 && in.p[0] == '<';
}

static int parse(struct reader *r, odm_str in)
{
        r->in = in;
        memset(r->met, E_NONE, sizeof r->met);
        return odm_xml_run(&r->parse, in, on_start, on_end, on_text);
}

int odm_xml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out)
{
        struct reader r;
        int rc;

        rc = odm_builder_begin_msg(&r.b, in, lim, arena);
        if (rc == 0)
                rc = parse(&r, in);
        if (rc == 0)
                rc = odm_builder_end_msg(&r.b);
        if (rc == 0)
                *out = r.b.msg;
        return rc;
}

int odm_xml_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out)
{
        struct reader r;
        int rc;

        rc = odm_builder_begin_doc(&r.b, in, lim, arena);
        if (rc == 0)
                rc = parse(&r, in);
        if (rc == 0)
                rc = odm_builder_end_doc(&r.b);
        if (rc == 0)
                *out = r.b.doc;
        return rc;
}
