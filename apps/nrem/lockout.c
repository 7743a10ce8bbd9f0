/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of pairs by their digest: fixed in size, the oldest entry of a bucket gives way. */
#include "lockout.h"

#include <nettle/sha2.h>
#include <pthread.h>
#include <string.h>

#include "heap.h"
#include "rand.h"

#define WAYS 4
#define BUCKETS (LOCKOUT_PAIRS / WAYS)
#define KEY 16

typedef struct pair {
        uint8_t key[KEY];
        uint64_t device;   /* digest of the device alone */
        uint32_t failures; /* 0: the place is free */
        odm_time last, until;
} pair;

struct lockout {
        pthread_mutex_t lock;
        uint32_t after;
        int64_t first_ms;
        uint8_t salt[KEY]; /* so that nobody can choose who shares a bucket */
        pair pairs[BUCKETS][WAYS];
};

int lockout_new(uint32_t after, int64_t first_ms, lockout **out)
{
        lockout *l = odm_alloc(&heap_mem, sizeof *l);

        if (!l)
                return ODM_ENOMEM;
        pthread_mutex_init(&l->lock, NULL);
        l->after = after;
        l->first_ms = first_ms;
        rand_bytes(l->salt, sizeof l->salt);
        *out = l;
        return 0;
}

void lockout_free(lockout *l)
{
        if (!l)
                return;
        pthread_mutex_destroy(&l->lock);
        odm_free(&heap_mem, l, sizeof *l);
}

static uint64_t digest_of(const lockout *l, odm_str device)
{
        struct sha256_ctx h;
        uint8_t d[SHA256_DIGEST_SIZE];
        uint64_t n;

        sha256_init(&h);
        sha256_update(&h, sizeof l->salt, l->salt);
        sha256_update(&h, device.n, (const uint8_t *)device.p);
        sha256_digest(&h, sizeof d, d);
        memcpy(&n, d, sizeof n);
        return n;
}

static size_t bucket_of(const lockout *l, odm_str device, odm_str address, uint8_t key[KEY])
{
        struct sha256_ctx h;
        uint8_t d[SHA256_DIGEST_SIZE];
        uint32_t n;

        sha256_init(&h);
        sha256_update(&h, sizeof l->salt, l->salt);
        sha256_update(&h, sizeof address.n, (const uint8_t *)&address.n);
        sha256_update(&h, address.n, (const uint8_t *)address.p);
        sha256_update(&h, device.n, (const uint8_t *)device.p);
        sha256_digest(&h, sizeof d, d);
        memcpy(key, d, KEY);
        memcpy(&n, d + KEY, sizeof n);
        return n % BUCKETS;
}

static bool is_old(const pair *p, odm_time now)
{
        return now.ms - p->last.ms > LOCKOUT_FORGET_MS && odm_time_reached(now, p->until);
}

static pair *find(pair *ways, const uint8_t key[KEY], odm_time now)
{
        for (int i = 0; i < WAYS; i++)
                if (ways[i].failures && memcmp(ways[i].key, key, KEY) == 0) {
                        if (is_old(&ways[i], now))
                                ways[i].failures = 0;
                        return &ways[i];
                }
        return NULL;
}

int64_t lockout_left(lockout *l, odm_str device, odm_str address, odm_time now)
{
        uint8_t key[KEY];
        size_t b = bucket_of(l, device, address, key);
        int64_t left = 0;

        pthread_mutex_lock(&l->lock);
        const pair *p = find(l->pairs[b], key, now);
        if (p && p->failures >= l->after && p->until.ms > now.ms)
                left = p->until.ms - now.ms;
        pthread_mutex_unlock(&l->lock);
        return left;
}

static int64_t wait_of(const lockout *l, uint32_t failures)
{
        int64_t ms = l->first_ms;

        for (uint32_t i = l->after; i < failures && ms < LOCKOUT_MOST_MS; i++)
                ms *= 2;
        return ms < LOCKOUT_MOST_MS ? ms : LOCKOUT_MOST_MS;
}

uint32_t lockout_failed(lockout *l, odm_str device, odm_str address, odm_time now)
{
        uint8_t key[KEY];
        size_t b = bucket_of(l, device, address, key);
        uint32_t failures;

        pthread_mutex_lock(&l->lock);
        pair *p = find(l->pairs[b], key, now);
        if (!p) {
                p = &l->pairs[b][0];
                for (int i = 1; i < WAYS; i++)
                        if (p->failures &&
                            (!l->pairs[b][i].failures || l->pairs[b][i].last.ms < p->last.ms))
                                p = &l->pairs[b][i];
                *p = (pair){0};
                memcpy(p->key, key, KEY);
                p->device = digest_of(l, device);
        }
        p->last = now;
        failures = ++p->failures;
        if (failures >= l->after)
                p->until = odm_time_add(now, wait_of(l, failures));
        pthread_mutex_unlock(&l->lock);
        return failures;
}

void lockout_clear(lockout *l, odm_str device, odm_str address)
{
        uint8_t key[KEY];
        size_t b = bucket_of(l, device, address, key);

        pthread_mutex_lock(&l->lock);
        for (int i = 0; i < WAYS; i++)
                if (l->pairs[b][i].failures && memcmp(l->pairs[b][i].key, key, KEY) == 0)
                        l->pairs[b][i].failures = 0;
        pthread_mutex_unlock(&l->lock);
}

void lockout_pardon(lockout *l, odm_str device)
{
        uint64_t digest = digest_of(l, device);

        pthread_mutex_lock(&l->lock);
        for (size_t b = 0; b < BUCKETS; b++)
                for (int i = 0; i < WAYS; i++)
                        if (l->pairs[b][i].device == digest)
                                l->pairs[b][i].failures = 0;
        pthread_mutex_unlock(&l->lock);
}
