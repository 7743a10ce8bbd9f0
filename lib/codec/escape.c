/* SPDX-License-Identifier: Apache-2.0 */
/* Text as XML has it.  CR is escaped, or a reader would make a line feed of it. */
#include "sink.h"

enum { PLAIN, MARKUP, HIGH, NEVER };

/* What each octet is: control characters cannot be in XML 1.0 at all. */
static unsigned class_of(unsigned char c)
{
        if (c >= 0x80)
                return HIGH;
        if (c == '<' || c == '>' || c == '&' || c == '\r')
                return MARKUP;
        return c < 0x20 && c != '\t' && c != '\n' ? NEVER : PLAIN;
}

static odm_str entity_of(char c)
{
        switch (c) {
        case '<': return ODM_STR("&lt;");
        case '>': return ODM_STR("&gt;");
        case '&': return ODM_STR("&amp;");
        default: return ODM_STR("&#13;");
        }
}

/* Octets of the character at s, which begins with a high bit; 0 when XML cannot carry it. */
static size_t character(odm_str s)
{
        size_t n = odm_utf8_cut(s, 4 < s.n ? 4 : s.n);
        const unsigned char *p = (const unsigned char *)s.p;

        for (size_t i = 1; i < n; i++) /* cut() may leave more than one character */
                if ((p[i] & 0xc0) != 0x80)
                        n = i;
        if (!odm_utf8_ok(odm_str_to(s, n)))
                return 0;
        return n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe ? 0 : n;
}

static size_t plain_run(odm_str s)
{
        size_t n = 0;

        while (n < s.n && class_of((unsigned char)s.p[n]) == PLAIN)
                n++;
        return n;
}

void odm_sink_escaped(struct sink *s, odm_str text)
{
        while (text.n > 0) {
                size_t n = plain_run(text);
                sink_put(s, text.p, n);
                text = odm_str_from(text, n);
                if (text.n == 0)
                        return;
                unsigned class = class_of((unsigned char)text.p[0]);
                odm_str out = class == MARKUP
                                      ? entity_of(text.p[0])
                                      : odm_str_to(text, class == HIGH ? character(text) : 0);
                if (out.n == 0) {
                        if (s->rc == 0)
                                s->rc = ODM_EINVAL;
                        return;
                }
                sink_put(s, out.p, out.n);
                text = odm_str_from(text, class == MARKUP ? 1 : out.n);
        }
}

bool odm_xml_can_carry(odm_str s)
{
        while (s.n > 0) {
                unsigned class = class_of((unsigned char)s.p[0]);
                size_t n = class == PLAIN ? plain_run(s) : class == HIGH ? character(s) : 1;
                if (class == NEVER || n == 0)
                        return false;
                s = odm_str_from(s, n);
        }
        return true;
}

size_t odm_escaped_fit(odm_str s, size_t room)
{
        size_t taken = 0;

        while (taken < s.n) {
                odm_str rest = odm_str_from(s, taken);
                unsigned class = class_of((unsigned char)rest.p[0]);
                size_t n = 1, cost = 1;
                if (class == MARKUP)
                        cost = entity_of(rest.p[0]).n;
                else if (class == HIGH)
                        cost = n = character(rest) ? character(rest) : 1;
                if (cost > room)
                        break;
                room -= cost;
                taken += n;
        }
        return taken;
}
