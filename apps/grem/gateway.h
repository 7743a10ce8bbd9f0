/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h - gremd put together: devices behind it, what is asked of them, what goes north.
 *
 *     server (nremd)
 *        |  one DM session, the agent's (apps/drem): parts serve ./GwMO and ./GwDev
 *     parts: config  inventory  mount  fanout  trigger  images
 *        |  gw_run(): commands on one device         north_add(): alerts, gathered
 *     gateway: records of devices, hooks
 *        |  adapter.h
 *     adapters: omadm  lwm2m  plug-ins
 *
 * Everything here is the loop's thread.  What must not be forgotten is in the store (rows of
 * store/table.h) before it is acknowledged; the records of devices are in memory as well, some 500
 * octets each.  Facts: gwmo.md; xrem.md G1-G11. */
#ifndef GREM_GATEWAY_H
#define GREM_GATEWAY_H

#include "adapter.h"
#include "part.h"
#include "table.h"

typedef struct gateway gateway;

/* ---- records of devices: device.c ------------------------------------------------------------ */

typedef enum gw_state { /* gwmo.md 5 */
                        GW_PROVISIONED = 0,
                        GW_ACTIVE = 1,
                        GW_ASLEEP = 2,
                        GW_UNREACHABLE = 3,
                        GW_DETACHED = 4,
                        GW_DEACTIVATED = 5,
} gw_state;

typedef enum gw_mode { GW_TRANSPARENT = 1, GW_PROXY = 2, GW_ADAPTATION = 3 } gw_mode;

#define GW_KEY 16 /* octets of a key with its zero: "d0001", "g0007" */

struct gw_device {        /* texts are the record's own; read only but for device.c */
        char key[GW_KEY]; /* node name below Records and ./GwDev */
        uint32_t number;  /* of the key; never given again */
        odm_str id;       /* DeviceID */
        odm_str name;     /* operator-friendly; may be empty */
        odm_str protocol, addr, addr_type;
        odm_str man, mod, dev_type, fwv, swv, hwv;
        odm_str mos, dms; /* separated by blanks */
        odm_str reason;   /* of State 5: "operator", "quarantine" */
        gw_state state;
        gw_mode mode;
        bool mode_set; /* by the server: no rule counts */
        bool is_gateway;
        odm_wall attached, seen;
        int64_t wake_interval_s, awake_s; /* 0: not known; -1: never sleeps */
        int64_t wake_set_s;               /* the server's wish for the interval; 0: none */
        odm_wall next_wake;               /* 0: not known */
        odm_time awake_until;             /* ODM_NEVER: until it says so; past: it is asleep */
        int64_t lifetime_s;
        uint32_t flaps;
        uint32_t pending; /* orders that wait for it */
        const adapter_class *adapter;
        void *adapter_self, *native;
};

gw_device *gw_by_key(gateway *g, odm_str key); /* NULL: none */
gw_device *gw_by_id(gateway *g, odm_str id);
/* All records in the order of their keys; NULL after the last. */
gw_device *gw_next(gateway *g, const gw_device *after);
size_t gw_count(const gateway *g, int state); /* of a gw_state; -1: of all */
bool gw_is_awake(const gw_device *d);
#define GW_QUARANTINE "quarantine" /* a reason of State 5 */
bool gw_is_quarantined(const gw_device *d);
/* The selector language of ModeRules, `key=glob[;key=glob]`, keys id man mod type proto (gwmo.md
 * 4); also name, key, state.  ODM_EMALFORMED for what is none (check it when it is set). */
ODM_MUST_USE int gw_selector_check(odm_str selector);
bool gw_matches(const gw_device *d, odm_str selector);
/* What the server may change of a record: Name, Mode, WakeInterval, AwakeFor; and the operator's
 * switch.  Durable when it returns 0.  ODM_ESTATE: mode of a device with something under way (405).
 */
typedef struct gw_change {
        odm_str name;                     /* absent: as it is */
        int mode;                         /* 0: as it is */
        int64_t wake_interval_s, awake_s; /* -2: as it is */
        int active;                       /* 1, 0, -1: as it is */
        odm_str reason;                   /* with active 0 */
} gw_change;
ODM_MUST_USE int gw_change_device(gateway *g, gw_device *d, const gw_change *c);

/* ---- hooks: what happens to devices, told to whoever wants it ----------------------------------- */

typedef struct gw_hook { /* in the caller's storage; functions may be NULL */
        void (*attached)(void *ctx, gw_device *d, bool back);
        void (*awake)(void *ctx, gw_device *d);
        void (*asleep)(void *ctx, gw_device *d);
        void (*gone)(void *ctx, gw_device *d, adapter_gone why);
        /* Every change of state, or of mode: then `from` is the state it is in. */
        void (*moved)(void *ctx, gw_device *d, gw_state from);
        void (*changed)(void *ctx, gw_device *d, const adapter_node *v, size_t n);
        /* 1: taken, it goes no further (a fan-out gathers it).  0: it is relayed north.  ODM_EIO,
         * ODM_ENOMEM: it should have been taken, and is to be offered again. */
        int (*alert)(void *ctx, gw_device *d, const odm_alert *a);
        void (*removed)(void *ctx, gw_device *d); /* before the record is freed */
        void *ctx;
        struct gw_hook *next; /* the gateway's */
} gw_hook;
void gw_hook_add(gateway *g, gw_hook *h); /* those added first are asked first */
void gw_hook_del(gateway *g, gw_hook *h);

/* ---- commands on one device: run.c ---------------------------------------------------------------- */

typedef struct gw_answer { /* of one command, members of Sequence and Atomic counted */
        unsigned status;
        odm_str text;
        const adapter_node *nodes; /* a Get's */
        size_t n;
} gw_answer;

typedef struct gw_order {
        const odm_command *list; /* Get Add Replace Delete Exec Copy Atomic Sequence, addresses of
                                    the device's own tree; lives until done() */
        odm_str correlator;      /* of Execs that have none of their own */
        int64_t deadline_ms;     /* from now on; 0: 60 s */
        bool exact;              /* Atomic as such or not at all; else see run.c */
} gw_order;

/* Runs the commands now, in order, one order of a device after the other; whether it is awake is
 * the caller's business.  done() is called once, not before this returns, with an answer for each
 * command, or n = 0 and the status of all of them.  *id is for gw_cancel().
 * 0, ODM_ENOMEM, ODM_ELIMIT (too many wait for this device). */
typedef void (*gw_done)(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n);
ODM_MUST_USE int gw_run(gateway *g, gw_device *d, const gw_order *o, gw_done done, void *ctx,
                        uint64_t *id);
void gw_cancel(gateway *g, uint64_t id); /* done() is not called any more */
bool gw_busy(const gateway *g, const gw_device *d);

/* ---- what goes north: north.c ------------------------------------------------------------------- */

typedef enum north_class {
        NORTH_EVENT,  /* attach, detach, DeviceState: waits for BatchWindow */
        NORTH_RELAY,  /* a device's alert: as an event, but fatal and critical ones go within 1 s */
        NORTH_REPORT, /* a result, an image: within 1 s */
        NORTH_FINAL,  /* how a device's order ended, for which somebody waits: for ResultWindow */
} north_class;

/* Puts an alert into the batch `b`, or writes it at once (b NULL; durable on return).  It leaves
 * with the next session, one of which is begun when the window has passed, and is told until the
 * server has answered it.  `a->source` is an address of the gateway's tree.  `at` is when it was.
 * *id is its number, rising; may be NULL (and is 0 until the batch is durable).
 * 0, ODM_ENOMEM, ODM_EIO, ODM_ELIMIT (more wait than gateway.alerts, and none can be spared: the
 * oldest relayed one goes of the device that has most). */
ODM_MUST_USE int north_add(gateway *g, store_batch *b, north_class k, const odm_alert *a,
                           odm_wall at, int64_t *id);
/* Called when the server has answered an alert for good (2xx), with its number.  One owner. */
void north_watch(gateway *g, void (*answered)(void *ctx, int64_t id, odm_str type, odm_str source),
                 void *ctx);
/* Whether the server has not answered it for good yet. */
bool north_waits(const gateway *g, int64_t id);
/* Octets and sessions saved and spent, for G5 (counts.c): see gw_counts. */
typedef struct gw_counts {
        uint64_t north_sessions, north_bytes; /* spent */
        uint64_t north_bytes_in;              /* of these */
        uint64_t sessions_saved,
                bytes_saved; /* what each device by itself would have cost, less that */
        uint64_t alerts_gathered, results_merged, reads_cached;
        uint64_t image_bytes_in; /* of images that were fetched; not among north_bytes */
        _Atomic uint64_t images_served, image_bytes_out; /* that devices took from here */
} gw_counts;
gw_counts *gw_counts_of(gateway *g);

/* ---- the gateway ------------------------------------------------------------------------------- */

store *gw_store(gateway *g);
loop *gw_loop(gateway *g);
const cfg *gw_conf(gateway *g);
const char *gw_folder(gateway *g); /* of its state */
/* The agent's tree, for reading settings of ./GwMO/Config; NULL until it is open. */
odm_tree *gw_tree(gateway *g);
const part_host *gw_part_host(gateway *g);
/* Writes and waits for it: on the loop's thread, so for what is rare.  As store_write_sync(). */
ODM_MUST_USE int gw_write(gateway *g, store_batch *b);
/* Writes; done(ctx, rc, b) comes on the loop's thread, and the batch is freed after it.  As
 * store_write(). */
ODM_MUST_USE int gw_write_then(gateway *g, store_batch *b,
                               void (*done)(void *ctx, store_batch *b, int rc), void *ctx);

/* Opens the store, the records, and the adapters that the configuration wants; `l` and `c` are
 * borrowed.  The agent is opened by gremd's main with gw_parts and app = the gateway, after
 * gateway_open(); gateway_start() then has the adapters enumerate. */
ODM_MUST_USE int gateway_open(const cfg *c, loop *l, const char *version, gateway **out, diag *d);
ODM_MUST_USE int gateway_start(gateway *g, diag *d);
void gateway_stop(gateway *g);  /* adapters end, what waits is written */
void gateway_close(gateway *g); /* after the agent; NULL is allowed */
/* Lines of "key: value" on devices, alerts and adapters; appended. */
ODM_MUST_USE int gateway_status(gateway *g, odm_buf *b);
/* For agent_open(), with a gateway as its app. */
extern const agent_app gateway_app;

/* Parts of the agent that make it a gateway, up to a NULL; parts.c has the table.  part_host.app is
 * the gateway. */
extern const part_class *const gw_parts[];
extern const part_class part_gwconfig;    /* ./GwMO/Config */
extern const part_class part_gwinventory; /* ./GwMO/Inventory */
extern const part_class part_gwmount;     /* ./GwDev */
extern const part_class part_gwfanout;    /* ./GwMO/Fanout */
extern const part_class part_gwtrigger;   /* ./GwMO/EDTrigger */
extern const part_class part_gwimages;    /* ./GwMO/ImageInventory */
extern const part_class part_gwpolicy;    /* traps of devices, for ./Schedule */
extern const part_class part_gwnorth;     /* alerts to the server */
extern const part_class part_gwrecover;   /* what is damaged is mended, devices too */
extern const part_class part_gwtraffic;   /* ./DiagMon/Traffic */

/* A setting of ./GwMO/Config as the tree has it now: "Alerts/BatchWindow", or `otherwise`. */
int64_t gw_config_int(gateway *g, const char *rel, int64_t otherwise);
bool gw_config_bool(gateway *g, const char *rel, bool otherwise);

#endif
