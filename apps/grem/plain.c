/* SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

#include <string.h>

#define OWN_MIN 4 /* a shorter one would be found in words */

static bool is_end(char c)
{
        return (unsigned char)c <= ' ' || memchr("\"'()<>,;=", c, 9);
}

/* Punctuation behind a word is none of it. */
static odm_str word_at(odm_str s)
{
        size_t n = 0;

        while (n < s.n && !is_end(s.p[n]))
                n++;
        while (n > 0 && (s.p[n - 1] == '.' || (s.p[n - 1] == ':' && n > 1 && s.p[n - 2] != ':')))
                n--;
        return odm_str_to(s, n);
}

static bool has_scheme(odm_str s)
{
        return s.n > 3 && memmem(s.p, s.n, "://", 3);
}

/* 10.0.0.7, with :5683 or /24 behind it. */
static bool is_ipv4(odm_str s)
{
        size_t at = 0;

        for (unsigned group = 0; group < 4; group++) {
                size_t from = at;
                while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9')
                        at++;
                if (at == from || at - from > 3)
                        return false;
                if (group < 3 && (at == s.n || s.p[at++] != '.'))
                        return false;
        }
        return at == s.n || s.p[at] == ':' || s.p[at] == '/';
}

/* fe80::1%eth0, [2001:db8::1]:5683, 02:42:ac:11:00:02; not 12:30:45. */
static bool is_ipv6(odm_str s)
{
        unsigned colons = 0;
        bool twice = false;

        if (s.n && s.p[0] == '[')
                s = odm_str_from(s, 1);
        for (size_t i = 0; i < s.n && s.p[i] != ']' && s.p[i] != '%'; i++) {
                char c = s.p[i];
                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
                      c == ':' || c == '.'))
                        return false;
                colons += c == ':';
                twice = twice || (c == ':' && i > 0 && s.p[i - 1] == ':');
        }
        return colons > 3 || (twice && s.n > 2);
}

static bool is_host(odm_str s)
{
        static const char here[] = "localhost";
        size_t n = sizeof here - 1;

        return odm_str_ieq(odm_str_to(s, n), here) && (s.n == n || s.p[n] == ':' || s.p[n] == '/');
}

/* How many octets at the start of `s` are an address; `fresh`: a word begins here. */
static size_t address_at(odm_str s, odm_str own, bool fresh)
{
        odm_str word;

        if (own.n >= OWN_MIN && s.n >= own.n && memcmp(s.p, own.p, own.n) == 0)
                return own.n;
        if (!fresh)
                return 0;
        word = word_at(s);
        return has_scheme(word) || is_ipv4(word) || is_ipv6(word) || is_host(word) ? word.n : 0;
}

odm_str plain_text(odm_str text, odm_str own, odm_arena *a)
{
        size_t room = text.n * (sizeof PLAIN_ADDRESS - 1), to = 0;
        char *out = text.p ? odm_arena_get(a, room + 1) : NULL;
        bool fresh = true;

        if (!out)
                return ODM_ABSENT;
        for (size_t i = 0; i < text.n;) {
                size_t n = address_at(odm_str_from(text, i), own, fresh);
                if (n) {
                        memcpy(out + to, PLAIN_ADDRESS, sizeof PLAIN_ADDRESS - 1);
                        to += sizeof PLAIN_ADDRESS - 1;
                        i += n;
                        fresh = false;
                        continue;
                }
                fresh = is_end(text.p[i]);
                out[to++] = text.p[i++];
        }
        return (odm_str){out, to};
}
