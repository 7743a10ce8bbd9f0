/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - what the functions of DiagMon find on a simulated device.  All of it is made up, from
 * the time and the number of the device alone: nothing of a sample has to be kept but when it was
 * taken. */
#ifndef SIM_MEASURE_H
#define SIM_MEASURE_H

#include "odm/msg.h"

typedef enum measure_of { MEASURE_MEMORY, MEASURE_BATTERY, MEASURE_SENSOR, MEASURES } measure_of;

#define MEASURE_LEAVES 8 /* of one function at most */
#define MEASURE_TEXT 24  /* room for a value and a zero */

typedef struct measure_leaf {
        const char *path; /* below DiagMonData: "1/BatteryLevel" */
        odm_format format;
        char text[MEASURE_TEXT];
} measure_leaf;

typedef struct measure_who {
        uint32_t i;       /* of its group */
        unsigned battery; /* per cent at its best */
        int64_t drain_ms; /* so long a per cent lasts; 0: for ever */
} measure_who;

/* What a function finds at `at`: *out gets its leaves, their number is returned. */
size_t measure(measure_of what, const measure_who *who, odm_wall at,
               measure_leaf out[MEASURE_LEAVES]);
const char *measure_name(measure_of what); /* "Memory" */

/* Tenths of a degree: of a day that is warm at noon, and a little of the device itself. */
int64_t measure_tenths(uint32_t i, odm_wall at);

#endif
