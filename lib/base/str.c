/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "odm/base.h"

odm_str odm_cstr(const char *z)
{
        return z ? (odm_str){z, strlen(z)} : ODM_ABSENT;
}

bool odm_str_eq(odm_str a, odm_str b)
{
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool odm_str_is(odm_str a, const char *z)
{
        return odm_str_eq(a, odm_cstr(z));
}

static unsigned char lower(char c)
{
        return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool odm_str_ieq(odm_str a, const char *z)
{
        for (size_t i = 0; i < a.n; i++)
                if (z[i] == '\0' || lower(a.p[i]) != lower(z[i]))
                        return false;
        return z[a.n] == '\0';
}

bool odm_str_starts(odm_str a, const char *z)
{
        size_t n = strlen(z);

        return a.n >= n && (n == 0 || memcmp(a.p, z, n) == 0);
}

int odm_str_cmp(odm_str a, odm_str b)
{
        size_t n = a.n < b.n ? a.n : b.n;
        int d = n ? memcmp(a.p, b.p, n) : 0;

        if (d == 0)
                d = (a.n > b.n) - (a.n < b.n);
        return d;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

odm_str odm_str_trim(odm_str a)
{
        while (a.n > 0 && is_blank(a.p[0])) {
                a.p++;
                a.n--;
        }
        while (a.n > 0 && is_blank(a.p[a.n - 1]))
                a.n--;
        return a;
}

odm_str odm_str_from(odm_str a, size_t off)
{
        if (a.p == NULL)
                return a;
        if (off > a.n)
                off = a.n;
        return (odm_str){a.p + off, a.n - off};
}

odm_str odm_str_to(odm_str a, size_t n)
{
        return (odm_str){a.p, n < a.n ? n : a.n};
}

bool odm_str_has(odm_str a, char c)
{
        return a.n > 0 && memchr(a.p, c, a.n) != NULL;
}

int odm_str_u64(odm_str a, uint64_t max, uint64_t *out)
{
        uint64_t v = 0;

        if (a.n == 0)
                return ODM_EMALFORMED;
        for (size_t i = 0; i < a.n; i++)
                if (a.p[i] < '0' || a.p[i] > '9')
                        return ODM_EMALFORMED;
        for (size_t i = 0; i < a.n; i++) {
                uint64_t digit = (uint64_t)(a.p[i] - '0');
                if (v > (max - digit) / 10 || digit > max)
                        return ODM_ELIMIT;
                v = v * 10 + digit;
        }
        *out = v;
        return 0;
}

bool odm_equal_ct(const void *a, const void *b, size_t n)
{
        const volatile unsigned char *x = a, *y = b;
        unsigned char diff = 0;

        for (size_t i = 0; i < n; i++)
                diff |= (unsigned char)(x[i] ^ y[i]);
        return diff == 0;
}

void odm_wipe(void *p, size_t n)
{
        if (n == 0)
                return;
        memset(p, 0, n);
        __asm__ volatile("" : : "r"(p) : "memory"); /* somebody may look: the zeroes stay */
}

/* Length of the well-formed sequence at s[i], or 0 (Unicode 15, table 3-7). */
static size_t utf8_step(const unsigned char *s, size_t n)
{
        unsigned char c = s[0];
        size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

        if (len == 0 || len > n)
                return 0;
        for (size_t i = 1; i < len; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) ||
            (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
                return 0;
        return len;
}

bool odm_utf8_ok(odm_str s)
{
        const unsigned char *p = (const unsigned char *)s.p;
        size_t i = 0;

        while (i < s.n) {
                size_t step = p[i] == 0 ? 0 : utf8_step(p + i, s.n - i);
                if (step == 0)
                        return false;
                i += step;
        }
        return true;
}

size_t odm_utf8_len(odm_str s)
{
        size_t n = 0;

        for (size_t i = 0; i < s.n; i++)
                n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
        return n;
}

size_t odm_utf8_cut(odm_str s, size_t n)
{
        if (n >= s.n)
                return s.n;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
                n--;
        return n;
}
