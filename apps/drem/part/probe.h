/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - what the functions of DiagMon find on this machine (mo-diagmon.md 7), as pairs of a
 * path below DiagMonData and a text.
 *
 * Each call looks; nothing is kept.  What the machine has not is not given. */
#ifndef DREM_PART_PROBE_H
#define DREM_PART_PROBE_H

#include "machine.h"

/* Takes a pair, both lent during the call.  An error ends the probe. */
typedef struct probe_sink {
        int (*put)(void *ctx, odm_str rel, odm_str text);
        void *ctx;
        int rc; /* 0 at first; the first error of put */
} probe_sink;

#define PROBE_PROCESSES 512 /* the most that are given, in order of their numbers */

void probe_memory(const machine *m, odm_wall now, probe_sink *to);
void probe_battery(const machine *m, odm_wall now, probe_sink *to);
void probe_processes(const machine *m, odm_wall now, probe_sink *to);
void probe_sensors(const machine *m, odm_wall now, probe_sink *to);
void probe_links(const machine *m, odm_wall now, probe_sink *to);

/* The number that a counter of PM stands at.  Names: cpu.{user,nice,system,idle,iowait} in ms,
 * kernel.{contexts,interrupts,processes}, net.<interface>.<file of its statistics>, such as
 * net.eth0.rx_bytes, disk.<device>.{reads,read_bytes,writes,write_bytes}.
 * 0 or ODM_ENOENT with *out untouched. */
ODM_MUST_USE int probe_counter(const machine *m, odm_str name, uint64_t *out);

/* Gives one pair, its path made as by printf(); does nothing after an error.  "" is not given. */
void probe_put(probe_sink *to, const char *text, const char *rel, ...) ODM_PRINTF(3, 4);
void probe_put_int(probe_sink *to, int64_t n, const char *rel, ...) ODM_PRINTF(3, 4);

#endif
