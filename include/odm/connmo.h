/* SPDX-License-Identifier: Apache-2.0 */
/* connmo.h - connections as managed objects: access points (./NAP), proxies (./Proxy), and the
 * trial of new settings, which comes back to the old ones when no server can be reached.
 *
 * The room judges what servers write, reads it as plain settings, and says what is to be done
 * next; who applies settings to interfaces is its host.  Facts: mo-connmo.md. */
#ifndef ODM_CONNMO_H
#define ODM_CONNMO_H

#include "odm/tree.h"

#define ODM_NAP_AT "./NAP"
#define ODM_PROXY_AT "./Proxy"
#define ODM_CONNMO_MAX 16       /* access points, and proxies */
#define ODM_CONNMO_TEXT 255     /* octets of a leaf */
#define ODM_CONNMO_NAME 64      /* octets of the name of an instance */
#define ODM_NAP_SERVERS 4       /* servers for names that are used */
#define ODM_NAP_NAMES 4         /* names of a wireless network that are used */
#define ODM_PROXY_URL 320       /* "http://host:port" with its zero */
#define ODM_CONNMO_KEPT 1048576 /* octets of a snapshot */

/* ---- settings as they are used ------------------------------------------------------- */

typedef enum odm_bearer {
        ODM_BEARER_ETHERNET,
        ODM_BEARER_WLAN,
        ODM_BEARER_3GPPPS,
} odm_bearer;
const char *odm_bearer_name(odm_bearer b); /* "ETHERNET", the value of BearerType */

typedef enum odm_wlan_mode {
        ODM_WLAN_OPEN,
        ODM_WLAN_WPA,
        ODM_WLAN_WPA2,
        ODM_WLAN_8021X,
} odm_wlan_mode;

typedef struct odm_nap_ip {
        bool used; /* the node IPv4 or IPv6 is there; none of both: both by network */
        bool automatic, auto_dns; /* given by the network */
        odm_str addr, gateway;    /* gateway may be absent */
        unsigned prefix;
        odm_str dns[ODM_NAP_SERVERS];
        size_t n_dns;
} odm_nap_ip;

typedef struct odm_nap { /* an access point that can be used */
        odm_str uri;     /* "./NAP/m2m" */
        odm_str name;    /* "m2m" */
        odm_str label;   /* Name; may be absent */
        odm_bearer bearer;
        int64_t rank; /* the lowest is used first */
        odm_str addr; /* the interface, the network's name, the APN */
        odm_nap_ip v4, v6;
        odm_str auth_type, user, secret; /* may be absent */
        odm_wlan_mode mode;              /* WLAN */
        odm_str ssid[ODM_NAP_NAMES];     /* WLAN: all names, the first one included */
        size_t n_ssid;
        odm_str key; /* WLAN: of WPA and WPA2 */
        bool hidden;
        odm_str pdp; /* 3GPPPS: "IPv4", "IPv6", "IPv4v6" */
} odm_nap;

/* Reads the access point at `uri`.  Text is in `a`.  Returns 1; 0 when it cannot be used, *lack
 * then naming the first leaf that is missing or makes no sense with the others ("IP/IPv4/IPAddr");
 * ODM_ENOMEM, ODM_ELIMIT (the arena's). */
ODM_MUST_USE int odm_nap_read(odm_tree *t, odm_str uri, odm_arena *a, odm_nap *out,
                              const char **lack);
/* All access points that are to be used, in `out`, which has room for ODM_CONNMO_MAX, best first:
 * those that accounts name (PrefConRef, then ToConRef), then by Priority, then by name.  Of several
 * for one Ethernet interface the best is taken, and so of those of 3GPPPS; all of WLAN are.
 * Returns 0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_nap_choose(odm_tree *t, odm_arena *a, odm_nap *out, size_t *n);

typedef struct odm_proxy {
        odm_str uri;          /* "./Proxy/web" */
        odm_str url;          /* "http://host:port" */
        odm_str user, secret; /* HTTP-BASIC; absent without AuthName */
} odm_proxy;
/* The HTTP proxy of the account at `account` ("./DMAcc/main"): the first one that its PrefConRef or
 * ToConRef name and that can be used; a proxy that is for certain access points (ToConRef) only
 * when one of `naps` is among them.  Returns 1, 0 for none, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_proxy_of(odm_tree *t, odm_str account, const odm_nap *naps, size_t n,
                              odm_arena *a, odm_proxy *out);

/* ---- the objects ---------------------------------------------------------------------- */

typedef struct odm_connmo {
        odm_provider nap, proxy;
        odm_tree *tree;
        const odm_mem *mem;
        /* Whether this device has the bearer; with `addr`, whether that may be its Addr.  NULL:
         * all of it. */
        bool (*offers)(void *ctx, odm_bearer b, odm_str addr);
        /* Whether servers may not change the instance at `uri`; the device may.  NULL: they may. */
        bool (*guards)(void *ctx, odm_str uri);
        void *ctx;
        bool own; /* what was judged before is written again: it is not judged */
} odm_connmo;

/* Mounts ./NAP and ./Proxy; the caller keeps `c`, with the three fields above set, as long as the
 * tree.  The descriptions are odm_mo_nap and odm_mo_proxy.
 *
 * What servers write is judged: 405 for another BearerType than before and for what is guarded;
 * 406 for a bearer or a mode the device does not have; 415 for what is no address, no mask, no key;
 * 413 above ODM_CONNMO_TEXT; 414 for the name, 420 for the number of instances.
 * Returns what odm_tree_mount() does. */
ODM_MUST_USE int odm_connmo_mount(odm_connmo *c, odm_tree *t, const odm_mem *mem, const odm_mo *nap,
                                  const odm_mo *proxy);

/* ---- what is in force, kept beside the tree -------------------------------------------- */

/* Appends everything that a trial may take back, as text: ./NAP, ./Proxy, and the ConRefs of all
 * accounts.  It holds secrets.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_connmo_save(odm_tree *t, const odm_mem *mem, odm_buf *out);
/* Makes the tree so again, in one transaction; accounts that are no more stay so.
 * 0, ODM_EMALFORMED, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO, ODM_ESTATE (a transaction is open). */
ODM_MUST_USE int odm_connmo_restore(odm_connmo *c, odm_str saved, odm_wall now);
/* Appends what the tree's settings do, as text: equal texts, equal network.  It holds secrets.
 * 0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_connmo_effect(odm_tree *t, const odm_mem *mem, odm_buf *out);
/* Calls fn for the address of each instance in which two snapshots differ ("./NAP/m2m",
 * "./Proxy/web", "./DMAcc/main"), access points first; stops at a non-zero return and returns it.
 */
int odm_connmo_differ(odm_str was, odm_str is, int (*fn)(void *ctx, odm_str uri), void *ctx);

/* ---- the trial --------------------------------------------------------------------------- */

/*  STEADY --changed--> APPLY --applied--> SETTLE --a while--> TRY --reached--> STEADY, the new
 *     ^                  '--not applied--.                     |                settings are kept
 *     |                                  v                     v no tries or no time left
 *     '---------- the old ones are there -- BACK <-------------'                              */
typedef enum odm_trial_phase {
        ODM_TRIAL_STEADY, /* what the tree says is in force */
        ODM_TRIAL_APPLY,  /* new settings are being applied */
        ODM_TRIAL_SETTLE, /* they are, as far as is known: the old ones may still work */
        ODM_TRIAL_TRY,    /* servers are called */
        ODM_TRIAL_BACK,   /* the old ones are being brought back */
} odm_trial_phase;
const char *odm_trial_phase_name(odm_trial_phase p);

typedef enum odm_trial_event {
        ODM_TRIAL_CHANGED,     /* no session is open, and the settings are others */
        ODM_TRIAL_APPLIED,     /* what was to be applied is */
        ODM_TRIAL_NOT_APPLIED, /* it could not be */
        ODM_TRIAL_REACHED,     /* a session was carried through */
        ODM_TRIAL_UNREACHED,   /* or not */
        ODM_TRIAL_CLOCK,       /* odm_trial_due() is there */
} odm_trial_event;

typedef enum odm_trial_action {
        ODM_TRIAL_NOTHING,
        ODM_TRIAL_DO_APPLY, /* record the trial, then apply the new settings */
        ODM_TRIAL_DO_CALL,  /* record the try, then call the servers */
        ODM_TRIAL_DO_KEEP,  /* the settings that were tried are in force now: record that */
        ODM_TRIAL_DO_BACK,  /* record it, restore the tree, apply the old settings */
        ODM_TRIAL_DO_TELL,  /* the old settings are in force: tell the server, record it */
        ODM_TRIAL_DO_AGAIN, /* what was not applied at the start is to be applied again */
} odm_trial_action;

typedef struct odm_trial { /* zero it, set the first four */
        unsigned max_tries;
        int64_t settle_ms; /* between what was applied and the first try */
        int64_t wait_ms;   /* between two tries, and before what is known is applied again */
        int64_t time_ms;   /* from the first try to the fall back */
        odm_trial_phase phase;
        unsigned tries;          /* begun in this trial */
        odm_time next, deadline; /* ODM_NEVER where there is none */
        const odm_tracer *trace; /* may be NULL */
} odm_trial;

/* After a start: `phase` and `tries` as they were recorded (SETTLE and TRY are as APPLY).  What was
 * applied may be gone, so a trial applies again; one without tries left goes back. */
odm_trial_action odm_trial_resume(odm_trial *t, odm_trial_phase phase, unsigned tries);
/* What happened; returns what is to be done, once. */
odm_trial_action odm_trial_on(odm_trial *t, odm_trial_event e, odm_time now);
/* When ODM_TRIAL_CLOCK is due, or ODM_NEVER. */
odm_time odm_trial_due(const odm_trial *t);

#endif
