/* SPDX-License-Identifier: Apache-2.0 */
/* gauge.h - what traps are about and the tree does not hold: how fast data flows, how well the
 * radio hears, and whether the last run of the machine ended in an orderly way.
 *
 * Everywhere `root` is "" for this machine, a folder in tests. */
#ifndef DREM_GAUGE_H
#define DREM_GAUGE_H

#include "diag.h"
#include "odm/base.h"

/* ---- speed ------------------------------------------------------------------------------- */

typedef enum gauge_way { GAUGE_DOWN, GAUGE_UP, GAUGE_BOTH } gauge_way;

typedef struct gauge_speed { /* zeroed at first */
        odm_time at;
        uint64_t down, up; /* octets of all interfaces but the loopback */
        int64_t last[2];   /* bit/s, between the latest two looks */
        bool begun, known;
} gauge_speed;

/* Whether the machine has an interface beyond the loopback. */
bool gauge_has_net(const char *root);
/* Bits a second since the look before, which is at least a second ago; else those of the look
 * before.  0; ODM_ENOENT: not known yet, or the counters went back. */
ODM_MUST_USE int gauge_speed_look(gauge_speed *g, const char *root, odm_time now, gauge_way way,
                                  int64_t *out);

/* ---- radio ------------------------------------------------------------------------------- */

/* What the first wireless interface receives, dBm.  0 or ODM_ENOENT. */
ODM_MUST_USE int gauge_wlan(const char *root, int *dbm);

/* ---- restarts ---------------------------------------------------------------------------- */

#define GAUGE_BOOT_ID 37 /* with its zero */

typedef struct gauge_boot {
        char id[GAUGE_BOOT_ID]; /* of this run of the machine */
        bool hard;              /* the one before ended while we were running */
} gauge_boot;

/* Looks at the marker that gauge_boot_mark() left in `folder`; one that cannot be read is none.  0;
 * ODM_ENOENT: this machine does not number its runs; ODM_ENOMEM. */
ODM_MUST_USE int gauge_boot_look(const char *root, const char *folder, gauge_boot *out);
/* Says that we run, or were stopped; durable on return.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int gauge_boot_mark(const char *folder, const gauge_boot *b, bool running, diag *d);

#endif
