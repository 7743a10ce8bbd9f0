/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - what this Linux machine says about itself now: /proc, /sys and statvfs(3).
 *
 * Nothing is kept: each call looks.  What the machine has not is ODM_ENOENT, never a made-up
 * value. */
#ifndef DREM_MACHINE_H
#define DREM_MACHINE_H

#include "odm/base.h"

typedef struct machine {
        const char *root; /* "" for this machine, a folder in tests */
} machine;

/* The first line of a small file, without its end; false when there is none.  The path is one below
 * the root. */
bool machine_line(const machine *m, const char *path, char *out, size_t room);
bool machine_number(const machine *m, const char *path, int64_t *out);
/* Calls fn for each entry of a folder that is not hidden, in order of versions. */
void machine_each(const machine *m, const char *folder, void (*fn)(void *ctx, const char *name),
                  void *ctx);

/* Each returns 0 or ODM_ENOENT. */
ODM_MUST_USE int machine_uptime(const machine *m, int64_t *seconds);
ODM_MUST_USE int machine_load(const machine *m, char out[3][16]); /* 1, 5, 15 minutes */
ODM_MUST_USE int machine_memory(const machine *m, const char *key, int64_t *kb); /* "MemTotal" */
ODM_MUST_USE int machine_cpu_count(const machine *m, int64_t *out);
ODM_MUST_USE int machine_cpu_model(const machine *m, char *out, size_t room);

#define MACHINE_NAME 65 /* a node name and its zero */
#define MACHINE_DISKS 32
#define MACHINE_TEMPS 64
#define MACHINE_NETS 64

typedef struct machine_disk {    /* a mounted file system on real storage */
        char name[MACHINE_NAME]; /* "root", "var_lib" */
        char mount[256], fs[32];
        int64_t total_mb, free_mb;
        bool removable;
} machine_disk;

typedef struct machine_temp {
        char name[MACHINE_NAME]; /* "hwmon0-temp1", "zone2" */
        char label[128];
        int64_t milli;
} machine_temp;

typedef struct machine_net {
        char name[MACHINE_NAME]; /* "eth0" */
        char mac[32];            /* empty: it has none */
        char addrs[512];         /* "192.0.2.1/24 fe80::1/64" */
        char counter[6][24];     /* as in machine_net_counters */
        int64_t mtu;
        bool up;
} machine_net;
extern const char *const machine_net_counters[6]; /* "rx_bytes" ... */

/* Fill at most so many and return how many there are; in the order of the system. */
size_t machine_disks(const machine *m, machine_disk out[MACHINE_DISKS]);
size_t machine_temps(const machine *m, machine_temp out[MACHINE_TEMPS]);
size_t machine_nets(const machine *m, machine_net out[MACHINE_NETS]);

#endif
