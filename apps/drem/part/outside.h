/* SPDX-License-Identifier: Apache-2.0 */
/* outside.h - what other programs know of this machine: systemd what its services sent and
 * received, ModemManager how the radio is, gpsd where we are.
 *
 * Whether they are there is looked at once, when the functions are mounted.  Afterwards their
 * answers are asked for when somebody reads and the last ones are old: what is read is what they
 * said last. */
#ifndef DREM_PART_OUTSIDE_H
#define DREM_PART_OUTSIDE_H

#include "loop.h"
#include "part/probe.h"

typedef struct outside outside;

/* Asks each of them once, at most three seconds.  0 or ODM_ENOMEM. */
ODM_MUST_USE int outside_new(outside **out);
/* From now on they are asked by the loop. */
void outside_open(outside *o, loop *l);
void outside_close(outside *o); /* NULL is allowed */

bool outside_has_services(const outside *o);
bool outside_has_radio(const outside *o);
bool outside_has_place(const outside *o);

void outside_services(outside *o, probe_sink *to);
/* `access`: "gsm", "umts" or "lte". */
void outside_radio(outside *o, const char *access, probe_sink *to);
/* False when gpsd knows no place. */
bool outside_place(outside *o, probe_sink *to);

/* Reading what they print; lines may come in pieces of a file too.  For tests. */
typedef struct outside_radio_state {
        char tech[32], mcc[8], mnc[8], cell[24], area[24];
        char rssi[3][16], rscp[16], ecno[16], rsrp[16], rsrq[16]; /* rssi: gsm, umts, lte */
        int roaming;                                              /* -1 not known */
} outside_radio_state;
void outside_radio_line(outside_radio_state *s, odm_str line);
typedef struct outside_place_state {
        char lat[32], lon[32], alt[32], radius[32], time[ODM_WALL_TEXT];
} outside_place_state;
/* A line of gpsd; false when it is no report of a place. */
bool outside_place_line(outside_place_state *s, odm_str line);

#endif
