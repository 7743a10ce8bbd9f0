/* SPDX-License-Identifier: Apache-2.0 */
/* device_list.c - the records in memory: in the order of their numbers, and by DeviceID. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_inner.h"
#include "log.h"

/* Texts of a record: DEVICE_OWN of its own, then what those of a model have in common. */
const size_t device_texts[DEVICE_TEXTS] = {
        offsetof(gw_device, id),     offsetof(gw_device, name),     offsetof(gw_device, addr),
        offsetof(gw_device, reason), offsetof(gw_device, protocol), offsetof(gw_device, addr_type),
        offsetof(gw_device, man),    offsetof(gw_device, mod),      offsetof(gw_device, dev_type),
        offsetof(gw_device, fwv),    offsetof(gw_device, swv),      offsetof(gw_device, hwv),
        offsetof(gw_device, mos),    offsetof(gw_device, dms),
};

odm_str *device_text(gw_device *d, size_t i)
{
        return (odm_str *)(void *)((char *)d + device_texts[i]);
}

/* ---- finding ----------------------------------------------------------------------------------- */

static size_t place_of(const devices *v, odm_str id)
{
        uint64_t h = v->seed;

        for (size_t i = 0; i < id.n; i++)
                h = (h ^ (unsigned char)id.p[i]) * 0x100000001b3ull;
        return (size_t)(h ^ h >> 29) & (v->hash_n - 1);
}

rec *device_find(const devices *v, odm_str id)
{
        rec *r = v->hash[place_of(v, id)];

        while (r && !odm_str_eq(r->d.id, id))
                r = r->next;
        return r;
}

/* The place of the first record whose number is not below. */
size_t device_at(const devices *v, uint32_t number)
{
        size_t lo = 0, hi = v->n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (v->all[mid]->d.number < number)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

gw_device *gw_by_id(gateway *g, odm_str id)
{
        rec *r = device_find(g->devices, id);

        return r ? &r->d : NULL;
}

gw_device *gw_by_key(gateway *g, odm_str key)
{
        const devices *v = g->devices;
        uint64_t number;
        size_t i;

        if (key.n < 2 || odm_str_u64(odm_str_from(key, 1), UINT32_MAX, &number) < 0)
                return NULL;
        i = device_at(v, (uint32_t)number);
        if (i == v->n || !odm_str_is(key, v->all[i]->d.key))
                return NULL;
        return &v->all[i]->d;
}

gw_device *gw_next(gateway *g, const gw_device *after)
{
        const devices *v = g->devices;
        size_t i = after ? device_at(v, after->number + 1) : 0;

        return i < v->n ? &v->all[i]->d : NULL;
}

size_t gw_count(const gateway *g, int state)
{
        assert(state < ODM_INV_STATES);
        return state < 0 ? g->devices->n : g->devices->by_state[state];
}

bool gw_is_awake(const gw_device *d)
{
        return d->adapter && d->state == GW_ACTIVE && !odm_time_reached(loop_now(), d->awake_until);
}

int gw_selector_check(odm_str selector)
{
        return odm_inv_selector_check(selector) < 0 ? ODM_EMALFORMED : 0;
}

bool gw_matches(const gw_device *d, odm_str selector)
{
        const odm_inv_facts f = {.id = d->id,
                                 .man = d->man,
                                 .mod = d->mod,
                                 .type = d->dev_type,
                                 .proto = d->protocol,
                                 .name = d->name,
                                 .key = odm_cstr(d->key),
                                 .state = (odm_inv_state)d->state};

        return odm_inv_matches(&f, selector);
}

/* ---- records ------------------------------------------------------------------------------------ */

/* Texts one after the other; with their lengths before them they are one text that only those with
 * the same texts have. */
static void write_texts(const odm_str *t, size_t n, char *at)
{
        for (size_t i = 0; i < n; i++) {
                if (t[i].n)
                        memcpy(at, t[i].p, t[i].n);
                at += t[i].n;
        }
}

static void take_texts(rec *r, size_t from, const uint32_t *n, size_t count, const char *at)
{
        for (size_t i = 0; i < count; i++) {
                *device_text(&r->d, from + i) = (odm_str){at, n[i]};
                at += n[i];
        }
}

static size_t lengths(const odm_str *t, size_t count, uint32_t *n)
{
        size_t total = 0;

        for (size_t i = 0; i < count; i++) {
                n[i] = (uint32_t)t[i].n;
                total += t[i].n;
        }
        return total;
}

/* The word of what it shares; NULL: no memory. */
static const char *kind_of(devices *v, const odm_str *t, const uint32_t *n, size_t total)
{
        const size_t head = sizeof *n * (DEVICE_TEXTS - DEVICE_OWN);
        char *whole = malloc(head + total);
        const char *kind;

        if (!whole)
                return NULL;
        memcpy(whole, n, head);
        write_texts(t, DEVICE_TEXTS - DEVICE_OWN, whole + head);
        kind = words_take(v->kinds, (odm_str){whole, head + total});
        free(whole);
        return kind;
}

int device_set_texts(rec *r, const odm_str t[DEVICE_TEXTS])
{
        uint32_t n[DEVICE_TEXTS];
        size_t own = lengths(t, DEVICE_OWN, n);
        size_t shared = lengths(t + DEVICE_OWN, DEVICE_TEXTS - DEVICE_OWN, n + DEVICE_OWN);
        const char *kind = kind_of(r->v, t + DEVICE_OWN, n + DEVICE_OWN, shared);
        char *block = malloc(own + 1);

        if (!kind || !block) {
                words_drop(r->v->kinds, kind);
                free(block);
                return ODM_ENOMEM;
        }
        write_texts(t, DEVICE_OWN, block);
        take_texts(r, 0, n, DEVICE_OWN, block);
        take_texts(r, DEVICE_OWN, n + DEVICE_OWN, DEVICE_TEXTS - DEVICE_OWN,
                   kind + sizeof *n * (DEVICE_TEXTS - DEVICE_OWN));
        free(r->block);
        words_drop(r->v->kinds, r->kind);
        r->block = block;
        r->kind = kind;
        return 0;
}

static int grow_all(devices *v)
{
        size_t cap = v->cap ? v->cap * 2 : 64;
        rec **all;

        if (v->n < v->cap)
                return 0;
        all = realloc(v->all, cap * sizeof(rec *));
        if (!all)
                return ODM_ENOMEM;
        v->all = all;
        v->cap = cap;
        return 0;
}

static void hash_in(devices *v, rec *r)
{
        rec **at = &v->hash[place_of(v, r->d.id)];

        r->next = *at;
        *at = r;
}

static int grow_hash(devices *v)
{
        rec **hash;

        if (v->n < v->hash_n)
                return 0;
        hash = calloc(v->hash_n * 2, sizeof(rec *));
        if (!hash)
                return ODM_ENOMEM;
        free(v->hash);
        v->hash = hash;
        v->hash_n *= 2;
        for (size_t i = 0; i < v->n; i++)
                hash_in(v, v->all[i]);
        return 0;
}

/* A record with its number and texts, not in any list. */
rec *device_rec_new(devices *v, uint32_t number, char prefix, const odm_str t[DEVICE_TEXTS])
{
        rec *r = calloc(1, sizeof *r);

        if (!r)
                return NULL;
        r->v = v;
        r->d.number = number;
        r->d.awake_until = ODM_NEVER;
        r->timer = (loop_timer){.fn = device_on_time, .ctx = r};
        snprintf(r->d.key, sizeof r->d.key, "%c%04u", prefix, (unsigned)number);
        if (device_set_texts(r, t) < 0) {
                free(r);
                return NULL;
        }
        return r;
}

void device_rec_free(rec *r)
{
        loop_timer_stop(&r->timer);
        words_drop(r->v->kinds, r->kind);
        free(r->block);
        free(r);
}

/* Numbers rise, so it is the last one. */
int device_put_in(devices *v, rec *r)
{
        int rc = grow_all(v);

        if (rc == 0)
                rc = grow_hash(v);
        if (rc < 0)
                return rc;
        assert(v->n == 0 || v->all[v->n - 1]->d.number < r->d.number);
        v->all[v->n++] = r;
        hash_in(v, r);
        v->by_state[r->d.state]++;
        return 0;
}

void device_take_out(devices *v, rec *r)
{
        size_t i = device_at(v, r->d.number);
        rec **at = &v->hash[place_of(v, r->d.id)], **dirty = &v->dirty;

        while (*at != r)
                at = &(*at)->next;
        *at = r->next;
        while (*dirty && *dirty != r)
                dirty = &(*dirty)->next_dirty;
        if (*dirty)
                *dirty = r->next_dirty;
        memmove(&v->all[i], &v->all[i + 1], (--v->n - i) * sizeof(rec *));
        v->by_state[r->d.state]--;
}
