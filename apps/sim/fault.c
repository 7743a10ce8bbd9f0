/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdlib.h>
#include <string.h>

const char *const fault_kinds[] = {
        "bad-download", "bad-signature", "power-cut", "silence", "slow-link", "clock-skew",
        "http-failure", "wrong-result",  "alarm",     "deaf",    NULL};

/* ---- draws ------------------------------------------------------------------------- */

uint64_t fault_random(uint64_t *state)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15u;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
}

static void stir(uint64_t *state, const char *text)
{
        for (; *text; text++) {
                *state ^= (unsigned char)*text;
                (void)fault_random(state);
        }
        *state = fault_random(state);
}

uint64_t fault_draw(uint64_t seed, const char *name, const char *group, uint32_t n)
{
        uint64_t state = seed;

        stir(&state, name);
        stir(&state, group);
        state ^= n;
        return fault_random(&state);
}

static int by_size(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

void fault_aim(fault *f, uint64_t *v, size_t n)
{
        size_t wanted = f->count;

        if (f->n_places || n == 0)
                return;
        if (f->share >= 0)
                wanted = (size_t)(f->share * (double)n / 100 + 0.5);
        f->count = 0; /* of none, unless one is found below */
        if (wanted == 0)
                return;
        qsort(v, n, sizeof *v, by_size);
        f->count = (uint32_t)(wanted < n ? wanted : n);
        f->below = v[f->count - 1];
}

bool fault_hits(const fault *f, uint32_t n, uint64_t draw)
{
        for (size_t i = 0; i < f->n_places; i++)
                if (n >= f->place[i].from && n <= f->place[i].to)
                        return true;
        return f->n_places == 0 && f->count > 0 && draw <= f->below;
}

/* ---- words ----------------------------------------------------------------------------- */

static int range_of(odm_str text, fault_range *out)
{
        const char *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
        odm_str from = odm_str_to(text, dash ? (size_t)(dash - text.p) : text.n);
        odm_str to = dash ? odm_str_from(text, from.n + 1) : from;
        uint64_t a, b;

        if (odm_str_u64(odm_str_trim(from), UINT32_MAX, &a) < 0 ||
            odm_str_u64(odm_str_trim(to), UINT32_MAX, &b) < 0 || a > b)
                return ODM_EMALFORMED;
        *out = (fault_range){(uint32_t)a, (uint32_t)b};
        return 0;
}

int fault_places(odm_str text, fault_range *out, size_t *n)
{
        size_t have = 0;

        for (;;) {
                const char *comma = text.n ? memchr(text.p, ',', text.n) : NULL;
                odm_str one = odm_str_to(text, comma ? (size_t)(comma - text.p) : text.n);
                if (have == FAULT_PLACES_MAX)
                        return ODM_ELIMIT;
                if (range_of(odm_str_trim(one), &out[have]) < 0)
                        return ODM_EMALFORMED;
                have++;
                if (!comma)
                        break;
                text = odm_str_from(text, one.n + 1);
        }
        *n = have;
        return 0;
}

int fault_share(odm_str text, double *out)
{
        uint64_t whole, part = 0;
        double unit = 1;
        odm_str rest;

        text = odm_str_trim(text);
        if (text.n < 2 || text.p[text.n - 1] != '%')
                return ODM_EMALFORMED;
        text.n--;
        const char *dot = memchr(text.p, '.', text.n);
        rest = dot ? odm_str_from(text, (size_t)(dot - text.p) + 1) : ODM_ABSENT;
        if (rest.n > 6 || (dot && odm_str_u64(rest, 999999, &part) < 0) ||
            odm_str_u64(odm_str_to(text, dot ? (size_t)(dot - text.p) : text.n), 100, &whole) < 0)
                return ODM_EMALFORMED;
        for (size_t i = 0; i < rest.n; i++)
                unit /= 10;
        if ((double)whole + (double)part * unit > 100)
                return ODM_EMALFORMED;
        *out = (double)whole + (double)part * unit;
        return 0;
}

static const struct {
        const char *name;
        unsigned state;
} states[] = {
        {"idle", 10},      {"download-failed", 20}, {"downloading", 30}, {"downloaded", 40},
        {"ready", 50},     {"updating", 60},        {"failed-data", 70}, {"failed", 80},
        {"done-data", 90}, {"done", 100},
};

int fault_state(odm_str text, unsigned *out)
{
        uint64_t n = 0;

        if (odm_str_u64(text, 100, &n) < 0)
                n = 0;
        for (size_t i = 0; i < ODM_COUNT(states); i++)
                if (n == states[i].state || odm_str_is(text, states[i].name)) {
                        *out = states[i].state;
                        return 0;
                }
        return ODM_EMALFORMED;
}

const char *fault_state_name(unsigned state)
{
        for (size_t i = 0; i < ODM_COUNT(states); i++)
                if (state == states[i].state)
                        return states[i].name;
        return "other";
}
