/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rand.h"

#define CHAINS_MIN 64 /* a power of two */

typedef struct word {
        struct word *next;
        uint32_t taken;
        uint32_t n;
        char text[]; /* n octets and a zero */
} word;

struct words {
        word **chains;
        size_t n, cap;
        uint64_t seed; /* whoever chooses texts does not choose their places */
};

static word *word_of(const char *text)
{
        return (word *)(uintptr_t)(text - offsetof(word, text));
}

static word **place_of(const words *w, odm_str s)
{
        uint64_t h = w->seed;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
        return &w->chains[(h ^ h >> 29) & (w->cap - 1)];
}

words *words_new(void)
{
        words *w = calloc(1, sizeof *w);

        if (!w)
                return NULL;
        w->cap = CHAINS_MIN;
        w->chains = calloc(w->cap, sizeof(word *));
        if (!w->chains) {
                free(w);
                return NULL;
        }
        rand_bytes(&w->seed, sizeof w->seed);
        return w;
}

void words_free(words *w)
{
        if (!w)
                return;
        for (size_t i = 0; i < w->cap; i++)
                while (w->chains[i]) {
                        word *x = w->chains[i];

                        w->chains[i] = x->next;
                        free(x);
                }
        free(w->chains);
        free(w);
}

/* Twice the chains; where there is no memory for them, they are longer. */
static void grow(words *w)
{
        words wider = {.cap = w->cap * 2, .seed = w->seed};

        wider.chains = calloc(wider.cap, sizeof(word *));
        if (!wider.chains)
                return;
        for (size_t i = 0; i < w->cap; i++)
                while (w->chains[i]) {
                        word *x = w->chains[i], **at = place_of(&wider, words_text(x->text));

                        w->chains[i] = x->next;
                        x->next = *at;
                        *at = x;
                }
        free(w->chains);
        w->chains = wider.chains;
        w->cap = wider.cap;
}

const char *words_take(words *w, odm_str text)
{
        word *x = *place_of(w, text), **at;

        while (x && !odm_str_eq(words_text(x->text), text))
                x = x->next;
        if (x) {
                x->taken++;
                return x->text;
        }
        x = text.n < UINT32_MAX ? malloc(sizeof *x + text.n + 1) : NULL;
        if (!x)
                return NULL;
        if (w->n >= w->cap)
                grow(w);
        at = place_of(w, text);
        *x = (word){.next = *at, .taken = 1, .n = (uint32_t)text.n};
        if (text.n)
                memcpy(x->text, text.p, text.n);
        x->text[text.n] = 0;
        *at = x;
        w->n++;
        return x->text;
}

void words_drop(words *w, const char *text)
{
        word *x = text ? word_of(text) : NULL, **at;

        if (!x || --x->taken > 0)
                return;
        at = place_of(w, words_text(text));
        while (*at != x)
                at = &(*at)->next;
        *at = x->next;
        w->n--;
        free(x);
}

odm_str words_text(const char *text)
{
        return (odm_str){text, word_of(text)->n};
}

size_t words_count(const words *w)
{
        return w->n;
}
