/* SPDX-License-Identifier: Apache-2.0 */
#include "fanout_text.h"

#include "odm/codec.h"

/* How the character at s.p is written, and in *n how long it is there. */
static odm_str written(odm_str s, size_t *n)
{
        *n = 1;
        switch (s.p[0]) {
        case '<': return ODM_STR("&lt;");
        case '>': return ODM_STR("&gt;");
        case '&': return ODM_STR("&amp;");
        case '"': return ODM_STR("&quot;");
        case '\r': return ODM_STR("&#13;");
        case '\n': return ODM_STR("&#10;");
        case '\t': return ODM_STR("&#9;");
        default: break;
        }
        for (size_t k = 1; k <= 4 && k <= s.n; k++)
                if (odm_xml_can_carry(odm_str_to(s, k))) {
                        *n = k;
                        return odm_str_to(s, k);
                }
        return ODM_STR("?");
}

static bool is_plain(char c)
{
        return c >= 0x20 && c < 0x7f && c != '<' && c != '>' && c != '&' && c != '"';
}

static size_t plain_run(odm_str s)
{
        size_t n = 0;

        while (n < s.n && is_plain(s.p[n]))
                n++;
        return n;
}

int odm_fanout_put_text(odm_buf *b, odm_str s)
{
        size_t before = b->n, n;
        int rc = 0;

        while (s.n > 0 && rc == 0) {
                n = plain_run(s);
                rc = odm_buf_str(b, odm_str_to(s, n));
                s = odm_str_from(s, n);
                if (s.n > 0 && rc == 0) {
                        rc = odm_buf_str(b, written(s, &n));
                        s = odm_str_from(s, n);
                }
        }
        if (rc < 0)
                odm_buf_cut(b, before);
        return rc;
}

size_t odm_fanout_text_size(odm_str s)
{
        size_t size = 0, n;

        while (s.n > 0) {
                n = plain_run(s);
                size += n;
                s = odm_str_from(s, n);
                if (s.n > 0) {
                        size += written(s, &n).n;
                        s = odm_str_from(s, n);
                }
        }
        return size;
}
