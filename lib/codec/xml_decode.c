/* SPDX-License-Identifier: Apache-2.0 */
/* SyncML and DDF as XML (dm-representation.md 1), read by expat.  Names count by
 * their local part, so that any or no prefix will do.  Text is borrowed from the input
 * where expat reports it as it stands there. */
#include <assert.h>
#include <string.h>

#include "builder.h"
#include "xml.h"

#define NEXT 256
#define STAND_IN 0x7f /* for a zero: a character of XML, but of no name and no mark-up */

struct reader {
        struct xml_parse parse; /* comes first: see xml.h */
        odm_str in;
        bool covered;             /* zeros of `in` are something else in what expat reads */
        size_t data_at;           /* where the content of the Data we are in begins */
        uint8_t last, next[NEXT]; /* the element before, and what followed it where we are now */
        struct builder b;
};

static bool has_zero(odm_str s)
{
        return odm_str_has(s, '\0');
}

static size_t here(const struct reader *r)
{
        return (size_t)XML_GetCurrentByteIndex(r->parse.parser);
}

/* The local part of the name of the tag that begins here, in the input. */
static odm_str local_name(const struct reader *r, const char *qualified)
{
        size_t n = 0, prefix = 0, at = here(r);

        while (qualified[n])
                if (qualified[n++] == ':')
                        prefix = n;
        assert(n < r->in.n - at); /* UTF-8 in, so the name stands there as we were told it */
        return (odm_str){r->in.p + at + 1 + prefix, n - prefix};
}

static bool is(unsigned id, const char *name)
{
        const char *known = odm_element_name(id);

        while (*name == *known && *name)
                name++, known++;
        return *name == *known;
}

/* Which element begins, mostly without looking for it: the one that came next the last time.
 * *name is set, borrowed, when it is in no table. */
static unsigned find(struct reader *r, enum context top, const char *qualified, odm_str *name)
{
        unsigned page = odm_builder_pages[top];
        uint8_t *next = &r->next[(top * 9 + r->last) % NEXT];

        if (*next == E_NONE || PAGE(*next) != page || !is(*next, qualified)) {
                odm_str local = local_name(r, qualified);
                *next = (uint8_t)odm_element_find(page, local.p, local.n);
                if (*next == E_NONE)
                        *name = local;
        }
        r->last = *next;
        return *next;
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
        odm_str name = ODM_ABSENT;
        unsigned id = find(r, top, qualified, &name);
        odm_xml_fail(&r->parse, odm_builder_open(&r->b, id, name));
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
                if (has_zero(raw)) /* octets, then: no document */
                        r->b.acc_kind = ODM_DATA_OPAQUE;
        }
        odm_xml_fail(&r->parse, odm_builder_close(&r->b));
}

static void on_text(void *ctx, const char *p, int n)
{
        struct reader *r = ctx;
        odm_str piece = {p, (size_t)n};
        size_t at = (uintptr_t)p - (uintptr_t)r->parse.copy;
        bool same = at < r->in.n; /* else expat made it: of an entity, of a line's end */
        enum context top = builder_top(&r->b)->ctx;

        if (r->parse.rc < 0 || top == CTX_RAW || r->b.acc_kind == ODM_DATA_XML)
                return;
        if (same)
                piece.p = r->in.p + at;
        if (r->covered && top != CTX_DATA && has_zero(piece))
                odm_xml_fail(&r->parse, ODM_EMALFORMED);
        else
                odm_xml_fail(&r->parse, odm_builder_text(&r->b, ODM_DATA_TEXT, piece, same));
}

bool odm_xml_is(odm_str in)
{
        in = odm_str_trim(odm_str_from(in, odm_str_starts(in, "\xef\xbb\xbf") ? 3 : 0));
        return in.n > 0 && in.p[0] == '<';
}

/* Some devices count the zero at the end of a C string as text, which would end the parse.  Expat
 * reads a copy without; text is taken from where the zeros are, so that only the Item they stand in
 * is lost.  Behind the document they are blanks. */
static int cover_zeros(odm_str in, odm_arena *arena, odm_str *out)
{
        size_t end = in.n;
        char *copy;

        *out = in;
        if (in.n < 2 || in.p[0] == '\0' || in.p[1] == '\0' || !has_zero(in))
                return 0; /* a zero so early is of another encoding */
        copy = odm_arena_get(arena, in.n);
        if (copy == NULL)
                return odm_arena_err(arena);
        for (size_t i = 0; i < in.n; i++)
                copy[i] = in.p[i] ? in.p[i] : STAND_IN;
        while (in.p[end - 1] == '\0')
                copy[--end] = ' ';
        *out = (odm_str){copy, in.n};
        return 0;
}

/* `read` is what expat reads: `in`, or the same with STAND_IN for zeros. */
static int parse(struct reader *r, odm_str in, odm_str read)
{
        r->in = in;
        r->covered = in.p != read.p;
        r->last = E_NONE;
        memset(r->next, E_NONE, sizeof r->next);
        return odm_xml_run(&r->parse, read, on_start, on_end, on_text);
}

int odm_xml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out)
{
        struct reader r;
        odm_str read;
        int rc;

        rc = odm_builder_begin_msg(&r.b, in, lim, arena);
        if (rc == 0)
                rc = cover_zeros(in, arena, &read);
        if (rc == 0)
                rc = parse(&r, in, read);
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
                rc = parse(&r, in, in);
        if (rc == 0)
                rc = odm_builder_end_doc(&r.b);
        if (rc == 0)
                *out = r.b.doc;
        return rc;
}
