/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a version are ordered early word < nothing = 0 < other word < 1 < 2 ..., and versions
 * by their pieces from the left, with nothing behind the last: so the order is a total one. */
#include "version.h"

#include <string.h>

typedef enum rank {
        RANK_EARLY, /* a word that comes before the version itself */
        RANK_ZERO,  /* the number 0, or nothing */
        RANK_LATE,  /* any other word */
        RANK_NUMBER
} rank;

typedef struct piece {
        rank rank;
        odm_str text; /* of a number: without zeros in front */
} piece;

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
        c = lower(c);
        return c >= 'a' && c <= 'z';
}

static bool is_early(odm_str word)
{
        static const char *const words[] = {"alpha",   "beta", "dev",     "pre",
                                            "preview", "rc",   "snapshot"};

        for (size_t i = 0; i < ODM_COUNT(words); i++)
                if (odm_str_ieq(word, words[i]))
                        return true;
        return false;
}

static piece take_number(odm_str *rest)
{
        size_t n = 0, zeros = 0;
        odm_str s = *rest;

        while (n < s.n && is_digit(s.p[n]))
                n++;
        while (zeros < n && s.p[zeros] == '0')
                zeros++;
        *rest = odm_str_from(s, n);
        return (piece){zeros == n ? RANK_ZERO : RANK_NUMBER, {s.p + zeros, n - zeros}};
}

/* The next piece, which is gone from *rest. */
static piece take(odm_str *rest)
{
        bool tilde = false;
        size_t n = 0;
        odm_str s = *rest;
        piece p = {RANK_ZERO, ODM_STR("")};

        while (s.n > 0 && !is_digit(s.p[0]) && !is_letter(s.p[0])) {
                tilde |= s.p[0] == '~';
                s = odm_str_from(s, 1);
        }
        if (s.n > 0 && is_digit(s.p[0])) {
                p = take_number(&s);
        } else if (s.n > 0) {
                while (n < s.n && is_letter(s.p[n]))
                        n++;
                p.text = odm_str_to(s, n);
                p.rank = is_early(p.text) ? RANK_EARLY : RANK_LATE;
                s = odm_str_from(s, n);
        }
        if (tilde)
                p.rank = RANK_EARLY;
        *rest = s;
        return p;
}

static int compare_words(odm_str a, odm_str b)
{
        for (size_t i = 0; i < a.n && i < b.n; i++)
                if (lower(a.p[i]) != lower(b.p[i]))
                        return lower(a.p[i]) < lower(b.p[i]) ? -1 : 1;
        return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

static int compare(const piece *a, const piece *b)
{
        if (a->rank != b->rank)
                return a->rank < b->rank ? -1 : 1;
        if (a->rank == RANK_NUMBER && a->text.n != b->text.n)
                return a->text.n < b->text.n ? -1 : 1;
        return compare_words(a->text, b->text);
}

static odm_str without_v(odm_str s)
{
        s = odm_str_trim(s);
        return s.n > 1 && lower(s.p[0]) == 'v' && is_digit(s.p[1]) ? odm_str_from(s, 1) : s;
}

int version_cmp(odm_str a, odm_str b)
{
        int d = 0;

        a = without_v(a);
        b = without_v(b);
        while (d == 0 && (a.n > 0 || b.n > 0)) {
                const piece x = take(&a), y = take(&b);
                d = compare(&x, &y);
        }
        return d;
}

/* ---- ranges ---------------------------------------------------------------------------- */

typedef enum relation { REL_NONE, REL_EQ, REL_NE, REL_LE, REL_LT, REL_GE, REL_GT } relation;

static const struct {
        const char *sign;
        relation rel;
} signs[] = {{"!=", REL_NE}, {"<=", REL_LE}, {">=", REL_GE}, {"==", REL_EQ},
             {"=", REL_EQ},  {"<", REL_LT},  {">", REL_GT}};

static relation take_sign(odm_str *rest)
{
        for (size_t i = 0; i < ODM_COUNT(signs); i++)
                if (odm_str_starts(*rest, signs[i].sign)) {
                        *rest = odm_str_trim(odm_str_from(*rest, strlen(signs[i].sign)));
                        return signs[i].rel;
                }
        return REL_NONE;
}

static bool holds(relation rel, odm_str v, odm_str than)
{
        int d = version_cmp(v, than);

        switch (rel) {
        case REL_NONE:
        case REL_EQ: return d == 0;
        case REL_NE: return d != 0;
        case REL_LE: return d <= 0;
        case REL_LT: return d < 0;
        case REL_GE: return d >= 0;
        case REL_GT: return d > 0;
        }
        ODM_UNREACHABLE();
}

static bool has_piece(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (is_digit(s.p[i]) || is_letter(s.p[i]))
                        return true;
        return false;
}

/* A version as it stands, and no range that is written in another way: "1.0 <2", "^1.2", "~1.2". */
static bool is_single(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] == '<' || s.p[i] == '>')
                        return false;
        return has_piece(s) && s.p[0] != '^' && s.p[0] != '~';
}

/* One range without "||".  False when it is not well formed; *in says whether all hold. */
static bool read_range(odm_str s, odm_str v, bool *in)
{
        odm_str rest = odm_str_trim(s);
        relation rel = take_sign(&rest);

        *in = true;
        if (rel == REL_NONE) {
                *in = holds(rel, v, rest);
                return is_single(rest);
        }
        while (rel != REL_NONE) {
                size_t n = 0;

                while (n < rest.n && !strchr(" \t,<>=!", rest.p[n]))
                        n++;
                if (!has_piece(odm_str_to(rest, n)))
                        return false;
                *in &= holds(rel, v, odm_str_to(rest, n));
                rest = odm_str_trim(odm_str_from(rest, n));
                if (rest.n > 0 && rest.p[0] == ',')
                        rest = odm_str_trim(odm_str_from(rest, 1));
                rel = take_sign(&rest);
        }
        return rest.n == 0;
}

/* All of it.  False when it is not well formed. */
static bool read_ranges(odm_str s, odm_str v, bool *in)
{
        bool any = false;

        if (s.n > VERSION_RANGE_MAX)
                return false;
        for (;;) {
                bool one, last = true;
                size_t n = 0;

                while (n + 1 < s.n && memcmp(s.p + n, "||", 2) != 0)
                        n++;
                if (n + 1 < s.n)
                        last = false;
                else
                        n = s.n;
                if (!read_range(odm_str_to(s, n), v, &one))
                        return false;
                any |= one;
                if (last)
                        break;
                s = odm_str_from(s, n + 2);
        }
        *in = any;
        return true;
}

bool version_range_ok(odm_str range)
{
        bool in;

        return read_ranges(range, ODM_STR("0"), &in);
}

bool version_in(odm_str range, odm_str v)
{
        bool in = false;

        return odm_str_trim(v).n > 0 && read_ranges(range, v, &in) && in;
}
