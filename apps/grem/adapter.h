/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.h - how devices of one protocol are reached: the table of functions that an adapter is.
 *
 * The gateway speaks of a device's tree: addresses are those of the device itself
 * ("./DevDetail/FwV", mo-others.md 1.6), values have format and type, refusals are statuses of OMA
 * DM.  What that is in the protocol below is the adapter's business.
 *
 *     adapter -> gateway   seen, awake, asleep, gone     devices come and go
 *                          changed, alert                what they say by themselves
 *     gateway -> adapter   read, write, create, delete, execute, observe, wake
 *     adapter -> gateway   reply(id)                     exactly once for each of them
 *
 * All of it happens on the loop's thread, and nothing may block it: a call takes its id and
 * returns; the reply may come at once, from within, or minutes later.  Facts: lwm2m.md 9, gwmo.md
 * 3, 8, 10.
 *
 * An adapter is built in (adapters.c has the table), or a shared object that exports
 * `const adapter_class adapter_v1` (docs/adapters.md has a guide, adapters/template one to copy).
 */
#ifndef GREM_ADAPTER_H
#define GREM_ADAPTER_H

#include "cfg.h"
#include "loop.h"
#include "odm/msg.h"
#include "odm/tree.h"
#include "store.h"

#define ADAPTER_VERSION 1

typedef struct gw_device gw_device; /* an inventory record; gateway.h shows what is in it */
struct adapter_class;               /* below */

/* ---- values and replies ------------------------------------------------------------------- */

typedef enum adapter_quality {
        ADAPTER_LIVE,   /* the device said so just now */
        ADAPTER_CACHED, /* it said so at `at` */
        ADAPTER_STALE,  /* as cached, but it should have said something since */
} adapter_quality;

typedef struct adapter_node { /* one node of a device's tree */
        odm_str path;         /* "./DevDetail/FwV" */
        odm_value value;      /* format NODE: an interior node; its type is the MO identifier */
        bool has_data;        /* false: only that it is there is known */
        odm_wall at;          /* 0: now */
        adapter_quality quality;
} adapter_node;

typedef struct adapter_reply { /* texts are read during reply() only */
        unsigned status; /* of OMA DM: 200; 202 for an execute whose final alert follows; gwmo.md
                            10, lwm2m.md 5.2 for refusals.  408: silent, or gone after it was sent;
                            503: known to be off-line, and it was not sent; 406: the protocol cannot
                            express it */
        odm_str text;    /* why, for people; a native code belongs in it.  May be absent */
        const adapter_node *nodes; /* read: what was found, parents before children */
        size_t n;
        odm_str created; /* create: where, when that is not where it was asked for */
} adapter_reply;

/* ---- what the gateway offers --------------------------------------------------------------- */

typedef struct adapter_device {  /* what an adapter knows of one; texts are copied */
        odm_str id;              /* DeviceID, the public one: "urn:imei:..", an endpoint name */
        odm_str protocol;        /* "LWM2M/1.0", "OMA-DM/1.2" ... (gwmo.md 5) */
        odm_str addr, addr_type; /* local address */
        odm_str man, mod, dev_type, fwv, swv, hwv; /* absent: not known (yet), keeps what was */
        odm_str dms;        /* ServerIDs of servers of its own, separated by blanks */
        const odm_str *mos; /* MO identifiers it offers */
        size_t n_mos;
        bool is_gateway;    /* a DM Gateway itself (ComponentType 1) */
        int64_t lifetime_s; /* silent for longer than that it is gone; 0: the adapter says so */
        int64_t wake_interval_s, awake_s; /* a sleeper's pattern; 0: not known, -1: never sleeps */
} adapter_device;

/* Why a device went (gwmo.md 5.1). */
typedef enum adapter_gone {
        ADAPTER_DEREGISTERED = 1,
        ADAPTER_EXPIRED = 2,
        ADAPTER_LINK_LOST = 3,
        ADAPTER_OPERATOR = 4,
} adapter_gone;

typedef struct adapter_host { /* lent until close */
        loop *loop;
        const cfg *conf;
        store *store;       /* the gateway's; its tables, and devices of the DM kind */
        const char *folder; /* of the gateway's state; an adapter makes one of its name in it */

        /* A device attached, or came back, or says something new of itself.  `native` is the
         * adapter's own for it, given back in each call; it may be changed by another seen().  The
         * record is the gateway's and stays where it is until the adapter is told by forget().
         * NULL: refused (deactivated by the operator, or no room): it is not to be served; *why
         * then says which, a status of OMA DM.  One in quarantine is not refused: it is to be
         * healed. */
        gw_device *(*seen)(void *ctx, const struct adapter_class *k, const adapter_device *d,
                           void *native, unsigned *why);
        /* It can be spoken to now, for `ms` milliseconds from now on (0: until asleep() is said).
         */
        void (*awake)(void *ctx, gw_device *d, int64_t ms);
        /* It sleeps; it is awaited in `ms` (0: not known). */
        void (*asleep)(void *ctx, gw_device *d, int64_t ms);
        void (*gone)(void *ctx, gw_device *d, adapter_gone why);
        /* The end of call `id`.  Unknown ids (cancelled meanwhile) are ignored. */
        void (*reply)(void *ctx, uint64_t id, const adapter_reply *r);
        /* Values the device told unasked (an observation, a report): into the cache, and to whoever
         * watches. */
        void (*changed)(void *ctx, gw_device *d, const adapter_node *v, size_t n);
        /* A generic alert of the device, its addresses those of its own tree; `at` is when it was
         * (0: now).  0 when it is durable; then it reaches the server once; or when it was dropped,
         * of a device that talks too much, or whose addresses and names in it have more than 1 KiB.
         * ODM_ELIMIT, ODM_EIO, ODM_ENOMEM: it is not, and is to
         * be offered again or refused below. */
        int (*alert)(void *ctx, gw_device *d, const odm_alert *a, odm_wall at);
        void *ctx;
        /* The TNDS document (XML) that a device without an account of the gateway is to be given,
         * in `a`: the first of ./GwMO/Config/Bootstrap that fits it.  ODM_ENOENT: none does;
         * ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
        int (*bootstrap)(void *ctx, const adapter_device *d, odm_arena *a, odm_str *out);
        /* The record of a device that was seen before, here or not: for what is still to be told of
         * one that went.  NULL: there is none. */
        gw_device *(*known)(void *ctx, odm_str id);
        /* Where the gateway is reached from outside (GwAddress/Addr and AddrType of ./GwMO/Config),
         * in `a`; empty: nobody said.  0, ODM_ENOMEM, ODM_ELIMIT. */
        int (*address)(void *ctx, odm_arena *a, odm_str *addr, odm_str *type);
        /* Images that devices take from the adapter itself are counted here, on any thread: those
         * that began to go, and octets of them. */
        _Atomic uint64_t *images_served, *image_octets;
} adapter_host;

/* ---- what an adapter offers ----------------------------------------------------------------- */

/* What can be asked of a device; bits of adapter_caps(). */
enum adapter_cap {
        ADAPTER_READ = 1 << 0,
        ADAPTER_WRITE = 1 << 1,
        ADAPTER_CREATE = 1 << 2,
        ADAPTER_DELETE = 1 << 3,
        ADAPTER_EXECUTE = 1 << 4,
        ADAPTER_OBSERVE = 1 << 5,
        ADAPTER_WAKE = 1 << 6,
        ADAPTER_LIST = 1 << 7,     /* read with `list` */
        ADAPTER_COMMANDS = 1 << 8, /* whole lists of commands */
};

typedef enum adapter_list {                    /* what of the nodes at and below a path is wanted */
                            ADAPTER_LIST_NONE, /* the node alone; of an interior one the names of
                                                  its children, as nodes without data */
                            ADAPTER_LIST_STRUCT, /* all below, without values */
                            ADAPTER_LIST_DATA,   /* all below, with values */
} adapter_list;

typedef struct adapter_attrs { /* of an observation; a NAN or negative one is not set */
        int64_t pmin_s, pmax_s;
        double gt, lt, st;
        bool off; /* ends it */
} adapter_attrs;

/* An answer to each command of commands(), in document order, members of Sequence and Atomic
 * counted. */
typedef struct adapter_answer {
        unsigned status; /* 202: its final alert follows */
        odm_str text;
        const adapter_node *nodes; /* a Get's */
        size_t n;
} adapter_answer;

typedef struct adapter_class { /* functions that are NULL are not offered */
        uint32_t version;      /* ADAPTER_VERSION */
        uint32_t size;         /* sizeof(adapter_class) */
        const char *name;      /* "lwm2m"; its section of the configuration is called so */
        const cfg_key *keys;   /* settings, "lwm2m.listen"; may be NULL */
        size_t n_keys;
        const struct store_table *const *tables; /* rows it keeps, up to a NULL; may be NULL */

        /* Whether the configuration wants it. */
        bool (*wanted)(const cfg *c);
        /* Judges its settings by themselves, where they want it: no file is opened, nothing asked.
         * 0 or an error with the reason; open() would refuse the same. */
        int (*check)(const cfg *c, diag *d);
        /* Begins: opens its sockets.  `h` is lent until close.  0 or an error with the reason. */
        int (*open)(const adapter_host *h, void **out, diag *d);
        /* Says seen() for every device that it knows of now, and from then on as they come. */
        void (*enumerate)(void *a);
        /* What can be asked of `d`: adapter_cap bits. */
        unsigned (*caps)(void *a, gw_device *d, void *native);

        /* The calls.  `paths` and values are read during the call only.  `deadline_ms` from now an
         * answer is of no use any more; the gateway then calls cancel(). */
        void (*read)(void *a, uint64_t id, gw_device *d, void *native, const odm_str *paths,
                     size_t n, adapter_list list, int64_t deadline_ms);
        /* Existing leaves.  Several: all or none; 406 where the protocol cannot do that. */
        void (*write)(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                      size_t n, int64_t deadline_ms);
        void (*create)(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                       size_t n, int64_t deadline_ms);
        void (*remove)(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                       int64_t deadline_ms);
        /* The final alert of an execute that is answered 202 has this correlator. */
        void (*execute)(void *a, uint64_t id, gw_device *d, void *native, odm_str path, odm_str arg,
                        odm_str correlator, int64_t deadline_ms);
        void (*observe)(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                        const adapter_attrs *attrs, int64_t deadline_ms);
        /* Tries to have a sleeping device call; `notification` is a whole package 0, or absent: the
         * protocol's own way. */
        void (*wake)(void *a, uint64_t id, gw_device *d, void *native, odm_str notification,
                     odm_str server_id);
        /* Instead of the calls above, where the protocol itself has commands (OMA DM): the whole
         * list in one session.  The list lives until the reply, which comes by done() and not by
         * host->reply(). */
        void (*commands)(void *a, uint64_t id, gw_device *d, void *native, const odm_command *list,
                         int64_t deadline_ms,
                         void (*done)(void *ctx, uint64_t id, unsigned status, odm_str text,
                                      const adapter_answer *v, size_t n),
                         void *ctx);
        void (*cancel)(void *a, uint64_t id);

        /* The record is about to go: native is not to be used for it any more. */
        void (*forget)(void *a, gw_device *d, void *native);
        /* Lines of "key: value" for gremd --status. */
        int (*status)(void *a, odm_buf *b);
        int (*metrics)(void *a, odm_buf *b);
        void (*close)(void *a); /* what is under way ends unheard */
} adapter_class;

/* Those built in, up to a NULL; adapters.c has the table. */
extern const adapter_class *const adapters_all[];

#endif
