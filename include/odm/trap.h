/* SPDX-License-Identifier: Apache-2.0 */
/* trap.h - events that a device watches for others: the Trap object of DiagMon, frame 1.1.
 *
 *     IDLE --somebody is registered--> WATCHING --bad--> HOLDING --for HoldTime--> ACTIVE
 *       ^                                 ^  '----------- good -------'              |
 *       '----- nobody is any more ------- '--------------- good ---------------------'
 *
 * A trap is a node ./Trap/<x>.  While a ServerID, a URI or a listener is registered it is watched;
 * on the way to ACTIVE it fires once: TrapNotification to each listed server, Exec of each URI with
 * the rights of the server that wrote it, each listener called.  On the way back:
 * TrapInactiveNotification and the listeners.  A trap without duration (hard reboot) fires, and is
 * not active afterwards.
 *
 * The state is the leaf Status.  It moves in one transaction with the leaf Ext/xrem/Event, which
 * says what is to be told and goes when all of it was: after a power cut in between it is told
 * again, never lost, and what is ACTIVE over a restart does not fire again.
 *
 * The room reads values in the tree by itself; for others, and to tell, it lends orders:
 *
 *     while (odm_traps_next(ts, now, wall, &o) == 1)
 *             ... do o ...  odm_traps_did(ts, &done, now, wall);
 *     and again at odm_traps_time(ts).
 *
 * Facts: mo-diagmon.md 8. */
#ifndef ODM_TRAP_H
#define ODM_TRAP_H

#include "odm/tree.h"

#define ODM_TRAP_AT "./Trap"
#define ODM_TRAP_MAX 64      /* instances */
#define ODM_TRAP_REASON 96   /* octets of the reason of an alert */
#define ODM_TRAP_INTERVAL 10 /* seconds between looks, where the object has no SampIntrvl */

typedef enum odm_trap_kind {
        ODM_TRAP_THRESHOLD, /* any int or float leaf; servers add and delete these */
        ODM_TRAP_GEO,       /* ./Trap/Geo: inside an area */
        ODM_TRAP_RXPWR,     /* ./Trap/RxPower: received power, dBm */
        ODM_TRAP_DATASPEED, /* ./Trap/DataSpeed: kbit/s */
        ODM_TRAP_REBOOT,    /* ./Trap/HardReboot: momentary */
        ODM_TRAP_LOGFULL,   /* ./Trap/LogFull: percent of a log of the device */
} odm_trap_kind;
#define ODM_TRAP_KINDS 6
const char *odm_trap_type(odm_trap_kind k); /* "urn:oma:mo:oma-diagmontrap:geo:1.0" */
const char *odm_trap_name(odm_trap_kind k); /* "Geo"; NULL for thresholds */

/* ---- hooks within the device ------------------------------------------------------------ */

typedef struct odm_trap_event { /* lent during the call */
        odm_str uri;            /* "./Trap/LowDisk" */
        odm_str id;             /* its TrapID */
        odm_str reason;         /* a few words for people */
        bool active;            /* false: it went inactive */
        odm_wall at;
} odm_trap_event;

/* In the caller's storage, and zeroed before its fields are set. */
typedef struct odm_trap_listener {
        odm_str id; /* the TrapID it hooks on; absent: all.  Borrowed */
        bool idle;  /* only listens: does not make the trap be watched */
        /* Called when the event is durable, outside of any transaction.  May change the tree, and
         * begin or end listening, itself too.  After a power cut it may be told again. */
        void (*fn)(void *ctx, const odm_trap_event *e);
        void *ctx;
        struct odm_trap_listener *next; /* the hub's */
} odm_trap_listener;

/* Where listeners and traps meet; zeroed it is empty.  A device has one: in dremd part_host.traps,
 * from part_class.mount on. */
typedef struct odm_trap_hub {
        odm_trap_listener *first;
        odm_trap_listener *cursor;  /* the next to be called, while an event is told */
        bool stale;                 /* who listens has changed since the traps looked */
        void (*changed)(void *ctx); /* of the traps' host: that it has.  May be NULL */
        void *ctx;
        /* For an id that no trap of the tree has: whether there is one elsewhere that `server` may
         * listen to.  0, ODM_ENOENT, ODM_EACCESS.  NULL: there is none.  Whoever sets it tells what
         * happens there by odm_trap_tell(). */
        int (*elsewhere)(void *ctx, odm_str id, odm_str server);
        void *elsewhere_ctx;
} odm_trap_hub;

void odm_trap_listen(odm_trap_hub *h, odm_trap_listener *l);
void odm_trap_unlisten(odm_trap_hub *h, odm_trap_listener *l); /* not listening: does nothing */
/* Calls those who listen to the event's id; with `all` also those who listen to any. */
void odm_trap_tell(odm_trap_hub *h, const odm_trap_event *e, bool all);
/* Whether two TrapIDs, or identifiers of objects, mean the same: case is ignored, and "oma-diag"
 * is "omadiag". */
bool odm_trap_id_same(odm_str a, odm_str b);
/* The instance with this TrapID, in `a`.  0, ODM_ENOENT, ODM_ENOMEM. */
ODM_MUST_USE int odm_trap_find(odm_tree *t, odm_str id, odm_arena *a, odm_str *uri);

/* ---- numbers ------------------------------------------------------------------------------- */

/* Decimal text, with fraction and exponent, in millionths; what is too large stays at the largest.
 * 0 or ODM_EMALFORMED. */
ODM_MUST_USE int odm_trap_number(odm_str text, int64_t *out);
/* A position in millionths of a degree: decimal degrees, or the integer of 3GPP TS 23.032, which is
 * above 180.  `is_lat` chooses its scale.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int odm_trap_degrees(odm_str text, bool is_lat, int64_t *out);
/* Whether two positions are at most `radius` metres apart, on a sphere. */
bool odm_trap_near(int64_t lat1, int64_t long1, int64_t lat2, int64_t long2, int64_t radius);

/* ---- the traps of a device ------------------------------------------------------------------- */

typedef struct odm_traps odm_traps;

typedef struct odm_traps_opt {
        const odm_mem *mem;
        const odm_tracer *trace; /* NULL for none */
        odm_tree *tree;          /* borrowed while the traps live */
        const odm_mo *mo;        /* odm_mo_trap */
        odm_trap_hub *hub;       /* borrowed; NULL: nobody listens */
} odm_traps_opt;

/* Mounts ./Trap.  0, ODM_ENOMEM, or what odm_tree_mount() says. */
ODM_MUST_USE int odm_traps_new(const odm_traps_opt *opt, odm_traps **out);
void odm_traps_free(odm_traps *ts); /* before or after its tree; NULL is allowed */
/* Once the tree is loaded: the device can watch this kind, or cannot.  Makes the node, or takes it
 * away; one where somebody is registered stays, for hardware may be slow to appear.
 * 0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE. */
ODM_MUST_USE int odm_traps_offer(odm_traps *ts, odm_trap_kind kind, bool can, odm_wall now);

typedef enum odm_trap_do {
        ODM_TRAP_KEEP,   /* make the tree durable.  done.rc: 0 or an error, then asked again */
        ODM_TRAP_SAMPLE, /* measure, and say done.value.  done.rc: 0, or ODM_ENOENT: not now */
        ODM_TRAP_ALERT,  /* keep `alert` for `server`.  done.rc: 0; ODM_ENOENT: there is no such
                            account, and the entry goes; another error: asked again */
} odm_trap_do;

typedef struct odm_trap_order { /* lent until it is done */
        odm_trap_do what;
        odm_trap_kind kind; /* SAMPLE */
        odm_str detail;     /* SAMPLE: NetType or Direction as configured; may be absent */
        odm_str server;     /* ALERT */
        odm_alert alert;
} odm_trap_order;

typedef struct odm_trap_done {
        int rc;
        int64_t value; /* in millionths of the unit of the kind; REBOOT: not 0 when it was one */
} odm_trap_done;

/* Returns 1 with *out set, 0 when nothing is to be done now, or ODM_ENOMEM, ODM_EIO, ODM_ESTATE (a
 * transaction is open; call again after it).  The same order until it is done. */
ODM_MUST_USE int odm_traps_next(odm_traps *ts, odm_time now, odm_wall wall,
                                const odm_trap_order **out);
/* 0, ODM_ENOENT when nothing was lent, ODM_ENOMEM, ODM_EIO, ODM_ESTATE. */
ODM_MUST_USE int odm_traps_did(odm_traps *ts, const odm_trap_done *d, odm_time now, odm_wall wall);
/* When odm_traps_next() has something to do again.  After a change of the tree or of the listeners
 * it is at once. */
odm_time odm_traps_time(const odm_traps *ts);
/* The device knows that a measurement of this kind may have changed: it is looked at, at once. */
void odm_traps_poke(odm_traps *ts, odm_trap_kind kind);
/* For a device that lies down between two looks, traps and all, and goes on as the same one: since
 * when the condition of a trap holds that has not fired yet (HoldTime). */
#define ODM_TRAP_NAME 65 /* room for the name of an instance and a zero */
typedef struct odm_trap_since {
        char name[ODM_TRAP_NAME];
        odm_time at;
} odm_trap_since;
size_t odm_traps_holding(const odm_traps *ts, odm_trap_since *out, size_t max); /* how many */
/* Before the first odm_traps_next(); `list` is borrowed while the traps live. */
void odm_traps_go_on(odm_traps *ts, const odm_trap_since *list, size_t n);
size_t odm_traps_active(const odm_traps *ts);  /* how many are */
size_t odm_traps_watched(const odm_traps *ts); /* how many are watched, those included */

#endif
