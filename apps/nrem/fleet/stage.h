/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - parts over a store in memory and a clock of the test's, without a thread, for tests of
 * parts.  What goes wrong here fails the test. */
#ifndef NREM_STAGE_H
#define NREM_STAGE_H

#include "fleet.h"
#include "support.h"

/* The clock of all stages: milliseconds since 1970. */
extern int64_t stage_ms;

typedef struct stage {
        store *st;
        store_fault fault; /* of the store */
        fleet *f;
        odm_arena a; /* of what is read; until the end */
        const store_table **tables;
        size_t n_tables;
        const fleet_part *const *parts;
        fleet_host host;
} stage;

/* A store with the tables of `parts`, which is borrowed; the clock stands at `ms`.  No part is open
 * yet.  `with` has what the host lends besides the store and the clock; NULL: nothing. */
void stage_begin(stage *s, const fleet_part *const *parts, const fleet_host *with, int64_t ms);
/* The same, and the log keeps so many events, and so many more that were not heard yet. */
void stage_begin_log(stage *s, const fleet_part *const *parts, const fleet_host *with, int64_t ms,
                     uint32_t kept, uint32_t unheard);
/* Opens the parts; those that were open are closed first: as after a kill, only what is in the
 * store is left. */
void stage_open(stage *s);
void stage_end(stage *s);

void stage_write(stage *s, store_batch *b);            /* takes b */
int64_t stage_device(stage *s, const store_device *d); /* its id */
void stage_devices(stage *s, unsigned n);              /* d1, d2 ..., with nothing but a name */
/* An event now, in a batch, which borrows the texts, or written at once.  device 0: none; data:
 * JSON; NULL: none. */
void stage_event(store_batch *b, int64_t device, const char *kind, const char *data);
void stage_say(stage *s, int64_t device, const char *kind, const char *data);
/* How many events of that kind the log has. */
unsigned stage_told(stage *s, const char *kind);
/* fleet_run(): when something is due again. */
int64_t stage_run(stage *s, unsigned rounds);

#endif
