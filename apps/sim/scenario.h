/* SPDX-License-Identifier: Apache-2.0 */
/* scenario.h - a file that says which devices live, how, and what goes wrong with them.
 *
 *     [run]            where they call, the seed, ceilings
 *     [group NAME]     devices of a kind
 *     [fault NAME]     what happens to some of them (fault.h)
 * docs/simulator.md explains all of it to people. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "cfg.h"
#include "fault.h"
#include "measure.h"
#include "sim.h"

#define GROUPS_MAX 64
#define GROUP_LEAVES_MAX 8 /* devices behind one that is a gateway of LwM2M */

typedef enum group_kind {
        GROUP_DM,    /* OMA DM devices: fleet.h */
        GROUP_LWM2M, /* LwM2M clients: things.h */
} group_kind;

typedef enum group_delivery { DELIVERY_PULL, DELIVERY_PUSH, DELIVERY_BOTH } group_delivery;

typedef struct group {
        const char *name;
        char own_prefix[48]; /* of names, where none is given */
        group_kind kind;
        sim_opt o;      /* who they are, as for a load; the caller sets what [run] says */
        uint32_t begin; /* of all devices of its kind, the first */
        const char *server, *server_id; /* NULL: those of [run] */
        bool behind;                    /* a gateway tells of them: --create makes none */
        const char *maker, *model, *hwv, *fwv, *swv;
        int64_t call_ms, jitter_ms, start_ms;
        int64_t install_ms, reboot_ms, retry_ms;
        unsigned tries;
        const char *keys; /* folder of trusted keys; NULL: signatures are not looked at */
        int64_t link;     /* octets a second; 0: as fast as can be */
        /* OMA DM */
        unsigned diag; /* functions of DiagMon, a bit of measure_of each; MEASURES: Restart */
        bool software, traps;
        /* LwM2M */
        bool v11;   /* LwM2M 1.1, else 1.0 */
        bool psk;   /* the password is the key of DTLS */
        bool certs; /* DTLS with certificates; {n} in the names of the files is the number */
        const char *cert_file, *key_file, *ca_file;
        bool bootstrap;     /* `server` gives them their accounts */
        bool farewell;      /* they deregister before they restart */
        unsigned formats;   /* bits of odm_lw_can */
        unsigned leaves;    /* devices behind each */
        unsigned protocols; /* how they fetch packages, bits as /5/0/8 counts */
        int64_t lifetime_ms;
        int64_t awake_ms; /* queue mode: so long after the last exchange; 0: they always listen */
        unsigned battery; /* per cent at the start; of OMA DM devices as well */
        int64_t drain_ms; /* one less each time; 0: never */
        group_delivery delivery;
} group;

typedef struct scenario {
        cfg *c; /* owns all text */
        group group[GROUPS_MAX];
        size_t n_groups;
        fault fault[FAULTS_MAX];
        size_t n_faults;
        uint32_t devices; /* of OMA DM, of all groups */
        uint32_t things;  /* of LwM2M */
        uint64_t seed;    /* 0: none is given */
        uint32_t parallel, downloads;
        size_t image_max;
        bool wake;
        uint16_t wake_port;
} scenario;

extern const cfg_key scenario_keys[];
extern const size_t scenario_n_keys;

/* Reads and checks a file.  What faults hit is known after scenario_aim().  0, or ODM_ENOENT,
 * ODM_EIO, ODM_EMALFORMED, ODM_EINVAL, ODM_ENOMEM with the reason in `d`. */
ODM_MUST_USE int scenario_load(scenario *s, const char *path, diag *d);
void scenario_done(scenario *s); /* also after a failed load, when it was zeroed before */
/* Draws whom the faults hit, by s->seed.  0, ODM_ENOMEM. */
ODM_MUST_USE int scenario_aim(scenario *s);
/* The faults that hit device `i` of a group, a bit each. */
uint64_t scenario_faults(const scenario *s, const group *g, uint32_t i);

#endif
