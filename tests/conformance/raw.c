/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a case to the octets of a message.  WBXML: each element a tag with content, each text an
 * inline string, or octets where it holds a zero (dm-representation.md 4). */
#include "raw.h"

#include <expat.h>
#include <string.h>

#include "element.h"
#include "teller.h"

#define DEPTH 32
#define MOST ((size_t)8 << 20)
#define ZERO "\xee\x80\x80" /* stands for a zero while expat reads */
#define UNKNOWN_TAG 0x3e

typedef struct maker {
        odm_buf out, text;
        unsigned depth, page; /* page: of the tag written last */
        uint8_t children[DEPTH];
        bool bad;
} maker;

static void put(maker *m, const void *p, size_t n)
{
        m->bad = m->bad || odm_buf_put(&m->out, p, n) < 0;
}

static void put_byte(maker *m, unsigned c)
{
        m->bad = m->bad || odm_buf_byte(&m->out, (uint8_t)c) < 0;
}

static void put_length(maker *m, size_t n)
{
        uint8_t group[5];
        unsigned k = 0;

        do
                group[k++] = n & 0x7f;
        while (n >>= 7);
        while (k-- > 0)
                put_byte(m, group[k] | (k ? 0x80u : 0));
}

/* ZEROs become zeros again. */
static void put_text(maker *m)
{
        odm_str s = odm_buf_view(&m->text);
        bool octets = s.n && memmem(s.p, s.n, ZERO, 3);
        size_t n = 0;

        for (size_t i = 0; octets && i < s.n; n++)
                i += s.n - i >= 3 && memcmp(s.p + i, ZERO, 3) == 0 ? 3 : 1;
        put_byte(m, octets ? 0xc3 : 0x03);
        if (octets)
                put_length(m, n);
        while (s.n) {
                bool zero = octets && s.n >= 3 && memcmp(s.p, ZERO, 3) == 0;
                put_byte(m, zero ? 0 : (uint8_t)*s.p);
                s = odm_str_from(s, zero ? 3 : 1);
        }
        if (!octets)
                put_byte(m, 0);
}

static void flush_text(maker *m)
{
        odm_str s = odm_buf_view(&m->text);

        if (odm_str_trim(s).n)
                put_text(m);
        odm_buf_cut(&m->text, 0);
}

/* The page of what stands inside an element. */
static unsigned page_inside(unsigned page, const char *name)
{
        return strcmp(name, "MgmtTree") == 0                      ? PAGE_DDF
               : page == PAGE_SYNCML && strcmp(name, "Meta") == 0 ? PAGE_METINF
                                                                  : page;
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
        maker *m = ctx;

        (void)attributes;
        flush_text(m);
        if (m->bad || m->depth + 1 == DEPTH) {
                m->bad = true;
                return;
        }
        unsigned page = m->children[m->depth];
        if (strcmp(name, "MgmtTree") == 0)
                page = PAGE_DDF;
        unsigned id = odm_element_find(page, name, strlen(name));
        if (page != m->page) {
                put_byte(m, 0);
                put_byte(m, page);
                m->page = page;
        }
        put_byte(m, 0x40u | (id ? TOKEN(id) : UNKNOWN_TAG));
        m->children[++m->depth] = (uint8_t)page_inside(page, name);
}

static void on_end(void *ctx, const char *name)
{
        maker *m = ctx;

        (void)name;
        flush_text(m);
        put_byte(m, 1);
        m->depth -= m->depth > 0;
}

static void on_text(void *ctx, const char *p, int n)
{
        maker *m = ctx;

        m->bad = m->bad || odm_buf_put(&m->text, p, (size_t)n) < 0;
}

static bool make_wbxml(maker *m, odm_str xml)
{
        static const uint8_t head[] = {2, 0xa4, 0x01, 0x6a, 0}, old[] = {2, 0x9f, 0x53, 0x6a, 0};
        XML_Parser p = XML_ParserCreate("UTF-8");
        bool is_old = memmem(xml.p, xml.n, "SYNCML:SYNCML1.1", 16);
        bool ok = false;

        if (p) {
                put(m, is_old ? old : head, sizeof head);
                XML_SetUserData(p, m);
                XML_SetElementHandler(p, on_start, on_end);
                XML_SetCharacterDataHandler(p, on_text);
                ok = XML_Parse(p, xml.p, (int)xml.n, 1) == XML_STATUS_OK && !m->bad;
        }
        XML_ParserFree(p);
        return ok;
}

/* ---- what is left open ----------------------------------------------------------- */

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const raw_word *word_at(odm_str s, const raw_word *words, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (odm_str_starts(odm_str_from(s, 1), words[i].name))
                        return &words[i];
        return NULL;
}

static bool fill_in(odm_str s, const raw_word *words, size_t n, bool wbxml, odm_buf *out)
{
        while (s.n) {
                const raw_word *w = *s.p == '$' ? word_at(s, words, n) : NULL;
                bool octet = s.n >= 4 && s.p[0] == '\\' && s.p[1] == 'x' && digit(s.p[2]) >= 0 &&
                             digit(s.p[3]) >= 0;
                unsigned c = octet ? (unsigned)(digit(s.p[2]) * 16 + digit(s.p[3])) : (uint8_t)*s.p;
                int rc;
                if (w)
                        rc = odm_buf_str(out, w->value);
                else if (c == 0 && wbxml)
                        rc = odm_buf_str(out, ODM_STR(ZERO));
                else
                        rc = odm_buf_byte(out, (uint8_t)c);
                if (rc < 0)
                        return false;
                s = odm_str_from(s, w ? 1 + strlen(w->name) : octet ? 4 : 1);
        }
        return true;
}

odm_str raw_message(odm_str text, const odm_codec *codec, const raw_word *words, size_t n,
                    odm_arena *a, const char **why)
{
        bool wbxml = odm_codec_is_binary(codec);
        odm_str made = ODM_ABSENT;
        maker m = {.depth = 0};
        odm_buf xml;

        odm_buf_init(&xml, &teller_mem, MOST);
        odm_buf_init(&m.out, &teller_mem, MOST);
        odm_buf_init(&m.text, &teller_mem, MOST);
        if (!fill_in(text, words, n, wbxml, &xml))
                *why = "no room for the message";
        else if (!wbxml)
                made = odm_arena_copy(a, odm_buf_view(&xml));
        else if (make_wbxml(&m, odm_buf_view(&xml)))
                made = odm_arena_copy(a, odm_buf_view(&m.out));
        else
                *why = "the message is not well-formed";
        odm_buf_done(&xml);
        odm_buf_done(&m.out);
        odm_buf_done(&m.text);
        return made;
}
