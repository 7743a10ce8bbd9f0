/* SPDX-License-Identifier: Apache-2.0 */
/* device_inner.h - what the files of the records share: the lists (device_list.c), the rows
 * (device_row.c), what happens to them (device.c), what is told of many (device_many.c). */
#ifndef GREM_DEVICE_INNER_H
#define GREM_DEVICE_INNER_H

#include "inner.h"
#include "odm/inventory.h"
#include "words.h"

#define DEVICE_TEXTS 14 /* of a record */
#define DEVICE_OWN 4    /* the first of them are its own, the others like those of its model */

typedef struct rec {
        gw_device d; /* the first member: a gw_device is its rec */
        struct devices *v;
        char *block;      /* its own texts */
        const char *kind; /* the others, one word */
        struct rec *next; /* of the same hash */
        struct rec *next_dirty;
        loop_timer timer;
        int64_t heard, wake_due; /* of the loop's clock; 0: not known */
        int64_t woke, gap;       /* a sleeper's pattern, learnt */
        int64_t woke_at;         /* of the loop's clock: awake since */
        bool here;               /* its adapter has it, whatever its state is */
        odm_time up;             /* ... and says that it is awake until then */
        bool told_asleep;        /* the server knows it as a sleeper, or will */
        bool told_away;          /* ... as silent, gone or switched off, by its state */
        bool renewed;            /* its record is to be read anew by the server */
        int64_t alerts_at;       /* when so many alerts will have been forgotten */
        int64_t written_seen;    /* LastSeen as it is kept */
        int64_t talks_told;      /* when it may be logged again that it talks too much */
        uint32_t dropped;        /* alerts since it was */
        bool dirty;
} rec;

struct devices {
        gateway *g;
        rec **all; /* in the order of numbers */
        size_t n, cap;
        rec **hash;
        size_t hash_n; /* a power of two */
        uint64_t seed;
        words *kinds;
        uint32_t next;
        bool next_changed;
        size_t by_state[ODM_INV_STATES];
        rec *dirty;
        store_batch *b; /* alerts and what goes with them, to be written */
        bool failing;   /* the last batch was refused: full ones are held until `flush` is due */
        struct held *held, **last_held;
        loop_timer flush, absent, many;
};

/* ---- device_list.c --------------------------------------------------------------------------- */

extern const size_t device_texts[DEVICE_TEXTS]; /* where each is in a gw_device */
odm_str *device_text(gw_device *d, size_t i);
rec *device_find(const devices *v, odm_str id); /* NULL: none */
/* The place of the first record whose number is not below. */
size_t device_at(const devices *v, uint32_t number);
/* All texts anew; those of `t` may be the record's own.  0 or ODM_ENOMEM (they are as they were).
 */
ODM_MUST_USE int device_set_texts(rec *r, const odm_str t[DEVICE_TEXTS]);
/* A record with its number and texts, not in any list; NULL: no memory. */
rec *device_rec_new(devices *v, uint32_t number, char prefix, const odm_str t[DEVICE_TEXTS]);
void device_rec_free(rec *r);
/* Numbers rise, so it is the last one.  0 or ODM_ENOMEM. */
ODM_MUST_USE int device_put_in(devices *v, rec *r);
void device_take_out(devices *v, rec *r);

/* ---- device_row.c ---------------------------------------------------------------------------- */

/* Into the batch: the record as it is now; the number of the next one, where the store does not
 * have it; that there is no such record any more (NULL: no memory). */
ODM_MUST_USE int device_put_row(rec *r, store_batch *b);
ODM_MUST_USE int device_put_next(devices *v, store_batch *b);
store_op *device_delete_row(store_batch *b, uint32_t number);
/* What a batch that was refused took away is taken away by `b`: a row that stayed would hold the
 * DeviceID against the next record of that device, and with it every batch.  0 or ODM_ENOMEM. */
ODM_MUST_USE int device_again(store_batch *b, const store_batch *failed);
/* At the start: the number, then all records. */
ODM_MUST_USE int device_load_next(devices *v);
ODM_MUST_USE int device_load_rows(devices *v);

/* ---- device.c -------------------------------------------------------------------------------- */

void device_on_time(void *ctx); /* of a record's timer */
/* The row is to be written. */
void device_mark(rec *r);
/* The batch that alerts go with, made when there is none; NULL: no memory. */
store_batch *device_batch(devices *v);

/* ---- device_many.c --------------------------------------------------------------------------- */

/* Something happened to it; `woke`: it is awake since now. */
void device_many_heard(rec *r, bool woke);
/* It says something else of itself, and its attach was told. */
void device_many_renewed(rec *r);
void device_many_tell(void *ctx); /* of devices.many */

#endif
