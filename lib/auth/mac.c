/* SPDX-License-Identifier: Apache-2.0 */
/* The x-syncml-hmac header: a list of name=value, in any order, folded at will
 * (dm-protocol.md 9.1). */
#include "odm/auth.h"

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static odm_str skip(odm_str s, bool commas)
{
        while (s.n > 0 && (is_blank(s.p[0]) || (commas && s.p[0] == ',')))
                s = odm_str_from(s, 1);
        return s;
}

/* Takes octets up to one of `stop` or a blank. */
static odm_str take_word(odm_str *s, const char *stop)
{
        size_t n = 0;
        odm_str ends = odm_cstr(stop);

        while (n < s->n && !is_blank(s->p[n]) && !odm_str_has(ends, s->p[n]))
                n++;
        odm_str word = odm_str_to(*s, n);
        *s = odm_str_from(*s, n);
        return word;
}

/* Behind the opening quote.  Nothing is unescaped, because the result is borrowed: a backslash
 * is refused. */
static int take_quoted(odm_str *s, odm_str *out)
{
        size_t n = 0;

        while (n < s->n && s->p[n] != '"') {
                unsigned char c = (unsigned char)s->p[n];
                if (c == '\\' || c < 0x20 || c == 0x7f)
                        return ODM_EMALFORMED;
                n++;
        }
        if (n == s->n)
                return ODM_EMALFORMED;
        *out = odm_str_to(*s, n);
        *s = odm_str_from(*s, n + 1);
        return 0;
}

static int take_pair(odm_str *s, odm_str *name, odm_str *value)
{
        *name = take_word(s, "=,\"");
        *s = skip(*s, false);
        if (name->n == 0 || s->n == 0 || s->p[0] != '=')
                return ODM_EMALFORMED;
        *s = skip(odm_str_from(*s, 1), false);
        if (s->n > 0 && s->p[0] == '"') {
                *s = odm_str_from(*s, 1);
                if (take_quoted(s, value) < 0)
                        return ODM_EMALFORMED;
        } else {
                *value = take_word(s, ",\"");
        }
        *s = skip(*s, false);
        return s->n == 0 || s->p[0] == ',' ? 0 : ODM_EMALFORMED;
}

static bool is_text(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (((unsigned char)s.p[i] < 0x20 && !is_blank(s.p[i])) || s.p[i] == 0x7f)
                        return false;
        return true;
}

static int set_once(odm_str *slot, odm_str value)
{
        if (slot->p)
                return ODM_EMALFORMED;
        *slot = value;
        return 0;
}

static int alg_parse(odm_str s, odm_mac_alg *out)
{
        if (s.p == NULL || odm_str_ieq(s, "MD5"))
                *out = ODM_MAC_MD5;
        else if (odm_str_ieq(s, "SHA256") || odm_str_ieq(s, "SHA-256"))
                *out = ODM_MAC_SHA256;
        else
                return ODM_EUNSUPPORTED;
        return 0;
}

int odm_mac_parse(odm_str header, odm_mac *out)
{
        odm_str alg = ODM_ABSENT, name, value;
        odm_mac m = {.alg = ODM_MAC_MD5};
        int rc = is_text(header) ? 0 : ODM_EMALFORMED;

        for (odm_str s = skip(header, true); s.n > 0 && rc == 0; s = skip(s, true)) {
                rc = take_pair(&s, &name, &value);
                if (rc < 0)
                        break;
                if (odm_str_ieq(name, "algorithm"))
                        rc = set_once(&alg, value);
                else if (odm_str_ieq(name, "username"))
                        rc = set_once(&m.user, value);
                else if (odm_str_ieq(name, "mac"))
                        rc = set_once(&m.mac, value);
        }
        if (rc == 0 && (m.user.p == NULL || m.mac.n == 0 || m.user.n > ODM_USER_MAX))
                rc = ODM_EMALFORMED;
        if (rc == 0)
                rc = alg_parse(alg, &m.alg);
        if (rc == 0)
                *out = m;
        return rc;
}

static bool quotable(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
                        return false;
        }
        return s.n <= ODM_USER_MAX;
}

int odm_mac_format(odm_buf *b, const odm_mac *m)
{
        if (!quotable(m->user))
                return ODM_EINVAL;
        return odm_buf_fmt(b, "algorithm=%s, username=\"%.*s\", mac=%.*s",
                           m->alg == ODM_MAC_SHA256 ? "SHA256" : "MD5", (int)m->user.n,
                           m->user.p ? m->user.p : "", (int)m->mac.n, m->mac.p);
}
