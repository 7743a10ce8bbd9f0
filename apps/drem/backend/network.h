/* SPDX-License-Identifier: Apache-2.0 */
/* network.h - puts access points into force: by systemd-networkd and wpa_supplicant, by
 * NetworkManager, or by a program of the device's maker.
 *
 * All access points are given each time; what is no longer among them goes.  Only files of our own
 * are touched: their names begin with NETWORK_PREFIX (after a number, where the order of names
 * counts), their first line is NETWORK_HEADER. */
#ifndef DREM_NETWORK_H
#define DREM_NETWORK_H

#include "loop.h"
#include "network_text.h"
#include "program.h"

#define NETWORK_PREFIX "xrem-"

typedef enum network_kind { /* in the order of network.backend */
                            NETWORK_NONE,
                            NETWORK_NETWORKD,
                            NETWORK_MANAGER,
                            NETWORK_EXEC
} network_kind;

typedef struct network_opt { /* borrowed while the network is open */
        loop *loop;
        network_kind kind;
        const char *folder; /* where the manager reads: .network files, connections; exec: ours */
        const char *wpa_folder; /* networkd: where wpa_supplicant reads */
        network_place place;
        const char *command; /* exec */
        int64_t command_ms;  /* how long each program may take */
} network_opt;

typedef enum network_cause {
        NETWORK_START, /* they are in force, or should be: who reads the files is told of changes */
        NETWORK_TRIAL, /* they are new; whether the files are is no matter */
        NETWORK_BACK,  /* they are those of before a trial that failed */
} network_cause;

typedef struct network network;

/* 0 or ODM_ENOMEM. */
ODM_MUST_USE int network_open(const network_opt *opt, network **out);
void network_close(network *n); /* ends what is under way, unheard; NULL is allowed */

/* Puts `naps` into force, best first.  Copies.  `done` is called once, not before this returns:
 * `why` is NULL when they are in force, else a sentence.  What was under way before is ended,
 * unheard. */
void network_apply(network *n, const odm_nap *naps, size_t n_naps, network_cause cause,
                   void (*done)(void *ctx, const char *why), void *ctx);
bool network_busy(const network *n);

#endif
