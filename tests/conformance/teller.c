/* SPDX-License-Identifier: Apache-2.0 */
#include "teller.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odm/auth.h"
#include "order.h"

#define NONCE_LEAST 16

void teller_wrong(teller *t, const char *fmt, ...)
{
        va_list ap;
        int n = snprintf(t->why, t->why_n, "%s:%u: ", t->test->file, t->at ? t->at->number : 0);

        va_start(ap, fmt);
        if (n > 0 && (size_t)n < t->why_n)
                (void)vsnprintf(t->why + n, t->why_n - (size_t)n, fmt, ap);
        va_end(ap);
        longjmp(t->out, 1);
}

void teller_must(teller *t, int rc, const char *what)
{
        if (rc < 0)
                teller_wrong(t, "%s: %s", what, odm_err_name(rc));
}

odm_str teller_arg(teller *t, const line *l, unsigned i)
{
        if (i >= l->n)
                teller_wrong(t, "an argument is missing");
        return l->arg[i].text;
}

uint64_t teller_number(teller *t, odm_str s)
{
        uint64_t v;

        if (odm_str_u64(s, UINT32_MAX, &v) < 0)
                teller_wrong(t, "'%.*s' is no number", (int)s.n, s.p ? s.p : "");
        return v;
}

bool teller_code_is(odm_str want, unsigned code)
{
        char text[16];
        int n = snprintf(text, sizeof text, "%u", code);

        while (want.n) {
                size_t k = 0;
                while (k < want.n && want.p[k] != '|')
                        k++;
                if (k == (size_t)n && memcmp(want.p, text, k) == 0)
                        return true;
                want = odm_str_from(want, k + 1);
        }
        return false;
}

void teller_order(teller *t, odm_str xml)
{
        char why[160];

        if (!order_check(xml, why, sizeof why))
                teller_wrong(t, "%s", why);
}

void teller_nonce(teller *t, const odm_meta *chal, odm_arena *a, odm_str *seen)
{
        odm_str text = odm_arena_join(a, chal->next_nonce, ODM_STR(" "));
        odm_nonce nonce;

        if (chal->format != ODM_FMT_B64 || odm_nonce_parse(chal->next_nonce, &nonce) < 0 ||
            nonce.n < NONCE_LEAST)
                teller_wrong(t, "the nonce of the challenge is '%.*s'", (int)chal->next_nonce.n,
                             chal->next_nonce.p ? chal->next_nonce.p : "");
        if (seen->n && memmem(seen->p, seen->n, text.p, text.n))
                teller_wrong(t, "the nonce of the challenge is one of before");
        *seen = seen->p ? odm_arena_join(a, *seen, text) : text;
}

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

const odm_mem teller_mem = {heap_resize, NULL};
