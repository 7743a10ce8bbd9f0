/* SPDX-License-Identifier: Apache-2.0 */
/* presence_part.h - what is kept for knowing whether devices are there.
 *
 * A session writes nothing here.  A row says when to look at the device's last contact: if it has
 * called since, the row moves on, else the device is silent. */
#ifndef NREM_PRESENCE_PART_H
#define NREM_PRESENCE_PART_H

#include "fleet.h"
#include "presence.h"
#include "table.h"

typedef struct presence_row {
        int64_t device;
        int64_t silent_at;        /* when to look; 0: not before it has called */
        int64_t wish, wish_awake; /* seconds, as in presence_expectation */
        int64_t told, told_awake;
        int64_t since;   /* the state was entered then by other means than a call; 0: no */
        int64_t gateway; /* the device it is behind; 0: none that is known */
        bool relayed;    /* which tells how it is: nothing follows from its silence */
} presence_row;

enum presence_field {
        PF_DEVICE,
        PF_SILENT_AT,
        PF_WISH,
        PF_WISH_AWAKE,
        PF_TOLD,
        PF_TOLD_AWAKE,
        PF_SINCE,
        PF_GATEWAY,
        PF_RELAYED,
        PF_N
};

extern const store_table table_presence;

/* Takes over what the device has said of how often it calls, as far as anybody has read it.
 * 0, or as store_tree_get(). */
ODM_MUST_USE int presence_read_told(store *st, odm_arena *a, presence_row *r);
/* What is expected of a device, with the settings of `conf` (may be NULL). */
void presence_expect(const cfg *conf, const presence_row *r, presence_expectation *out);
/* Until when a call of the device is waited for, at the most: then it is unreachable.  0 in *out:
 * nobody says when it calls.  0, or as reads. */
ODM_MUST_USE int presence_waits(const fleet_turn *t, const store_device *d, int64_t *out);

#endif
