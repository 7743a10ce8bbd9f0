/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_row.h - gateways, the devices behind them, and what goes to those through them, as rows.
 *
 *     job of a device --> relay --> task --> job of its gateway
 *                           |         one for each relay (the same commands below the mount
 *                           |         point), or one for many (a fan-out)
 *                           '-- waits for an image first
 *
 * All of it is found again after a kill: a relay is made, and its task, in the batch that takes the
 * job; what comes of it is one batch with the job's end.  Facts: gwmo.md 6, 8, 9. */
#ifndef NREM_GATEWAY_ROW_H
#define NREM_GATEWAY_ROW_H

#include "gateway.h"
#include "table.h"

typedef enum gateway_sweep { /* of the devices behind it, page by page */
                             GATEWAY_SWEEP_NONE,
                             GATEWAY_SWEEP_LOST,    /* nobody can be reached */
                             GATEWAY_SWEEP_BACK,    /* as they were told last */
                             GATEWAY_SWEEP_MISSING, /* who was not in the inventory is detached */
                             GATEWAY_SWEEP_GONE,    /* it is no gateway any more */
} gateway_sweep;

/* clang-format off */
#define GATEWAY_ROW_FIELDS(X) \
        X(device, I64) X(work, I64) X(found, I64) X(wanted, I64) X(read_at, I64) X(job, I64) \
        X(place, I64) X(whole, BOOL) X(begun, I64) X(sweep, U32) X(swept, STR) X(serial, I64) \
        X(no_tasks, BOOL) X(no_images, BOOL) X(lost, BOOL) X(reason, STR) X(asking, I64) \
        X(asked_at, I64) X(names, BOOL) X(large, BOOL) X(listing, BOOL) X(listed, I64) X(early, I64)
#define GATEWAY_CHILD_FIELDS(X) \
        X(device, I64) X(gateway, I64) X(key, STR) X(mode, U32) X(component, U32) X(state, U32) \
        X(protocol, STR) X(addr, STR) X(addr_type, STR) X(called, STR) X(type, STR) \
        X(wake_interval, I64) X(lost, BOOL) X(since, I64) X(told, I64) X(moves, U32) X(seen, I64) \
        X(claimed, I64) X(claim_key, STR) X(naps, BOOL)
#define GATEWAY_WANT_FIELDS(X) \
        X(device, I64) X(key, STR) X(id, STR) X(protocol, STR) X(mode, I64) X(component, I64) \
        X(asked, BOOL) X(naps, BOOL)
#define GATEWAY_EARLY_FIELDS(X) \
        X(device, I64) X(key, STR) X(seq, I64) X(ripe, I64) X(at, I64) X(data, STR)
#define GATEWAY_RELAY_FIELDS(X) \
        X(device, I64) X(job, I64) X(gateway, I64) X(task, I64) X(image, STR) X(key, STR) \
        X(plain, BOOL) X(again, BOOL) X(at, I64)
#define GATEWAY_TASK_FIELDS(X) \
        X(device, I64) X(id, I64) X(work, I64) X(form, U32) X(image, STR) X(created, I64)
#define GATEWAY_IMAGE_FIELDS(X) \
        X(device, I64) X(sha256, STR) X(state, U32) X(package, I64) X(name, STR) X(at, I64) \
        X(reason, STR)
/* clang-format on */

typedef struct gateway_row { /* a device that is a gateway */
        int64_t device;
        int64_t work;    /* 1: the clock has to look at it */
        int64_t found;   /* ms since 1970: it first told anything as one */
        int64_t wanted;  /* its inventory is to be read; 0: it need not */
        int64_t read_at; /* it was; 0: never */
        int64_t job;     /* whose answer is being worked in; 0: none */
        int64_t place;   /* records of that answer worked in */
        bool whole;      /* that answer is the whole inventory */
        int64_t begun;   /* when the whole inventory was asked for */
        uint32_t sweep;
        odm_str swept;  /* key of the last device of the sweep */
        int64_t serial; /* number of the last task */
        bool no_tasks;  /* it has no Fanout object */
        bool no_images;
        bool lost;
        odm_str reason; /* why its inventory could not be read; empty */
        int64_t asking; /* the task that asks for records, one at a time; 0: none */
        int64_t asked_at;
        bool names;     /* the answer that is worked in has the keys of all records */
        bool large;     /* its inventory is too large for one answer */
        bool listing;   /* all keys are wants: when none is left, the whole was read */
        int64_t listed; /* records read since */
        int64_t early;  /* rows of gateway_early */
} gateway_row;

typedef struct gateway_child { /* a device that is behind a gateway, or was told of by one */
        int64_t device;
        int64_t gateway; /* 0: behind none any more */
        odm_str key;
        uint32_t mode, component, state; /* as told last */
        odm_str protocol, addr, addr_type, called, type;
        int64_t wake_interval; /* seconds; 0: it does not sleep */
        bool lost;             /* its gateway is: it is unreachable, whatever was told */
        int64_t since;         /* behind this gateway */
        int64_t told;          /* ms since 1970: last word on it */
        uint32_t moves;        /* from one gateway to another */
        int64_t seen;          /* when it was last, as its gateway says */
        int64_t claimed;       /* by another gateway, which has to wait; 0: by none */
        odm_str claim_key;     /* of the device there */
        bool naps; /* its gateway says that it sleeps but for moments: those are not told */
} gateway_child;

typedef struct gateway_want { /* a record that is to be read */
        int64_t device;       /* the gateway */
        odm_str key, id, protocol;
        int64_t mode, component;
        bool asked; /* a job for it is under way */
        bool naps;  /* it was told to be asleep before it was known */
} gateway_want;

#define GATEWAY_EARLY "gateway.early" /* the event of one */
#define GATEWAY_EARLY_DATA \
        ((size_t)1 << 20)      /* octets of one that is kept; a page of them is read */
typedef struct gateway_early { /* an alert of a device whose record was not read yet */
        int64_t device;        /* the gateway */
        odm_str key;
        int64_t seq;  /* of its event */
        int64_t ripe; /* 1: it is to be told now */
        int64_t at;   /* ms since 1970: it came */
        odm_str data; /* of its event */
} gateway_early;

#define GATEWAY_WAITS (-1)
typedef struct gateway_relay { /* a job that goes through a gateway */
        int64_t device, job;   /* as given to the server */
        int64_t gateway;
        int64_t task;  /* 0: none yet; GATEWAY_WAITS: not before its image is there */
        odm_str image; /* that; empty: none */
        odm_str key;   /* of the device there */
        bool plain;    /* no fan-out for it: the gateway could not do it */
        bool again;    /* the device was found asleep */
        int64_t at;
} gateway_relay;

typedef enum gateway_form {
        GATEWAY_DIRECT, /* the same commands, below the mount point */
        GATEWAY_FANOUT,
        GATEWAY_LOAD,      /* an image */
        GATEWAY_INVENTORY, /* of all records */
        GATEWAY_LOOK,      /* at some */
        GATEWAY_STOP,      /* a fan-out that nobody wants any more */
        GATEWAY_TRIGGER,   /* a device is to call us */
        GATEWAY_NAMES,     /* keys of all records */
} gateway_form;

typedef struct gateway_task { /* what was given to a gateway; its job has the key gateway/<id> */
        int64_t device, id;
        int64_t work; /* 1: a relay was taken out of it; is it still wanted? */
        uint32_t form;
        odm_str image; /* of GATEWAY_LOAD */
        int64_t created;
} gateway_task;

typedef enum gateway_image_state {
        GATEWAY_LOADING,
        GATEWAY_LOADED,
        GATEWAY_UNLOADED
} gateway_image_state;

typedef struct gateway_image { /* a package that is, or will be, at a gateway */
        int64_t device;
        odm_str sha256; /* its ImageID there */
        uint32_t state;
        int64_t package;
        odm_str name; /* of the package, and its version */
        int64_t at;
        odm_str reason;
} gateway_image;

enum {
#define X(f, KIND) GW_##f,
        GATEWAY_ROW_FIELDS(X)
#undef X
};
enum {
#define X(f, KIND) GC_##f,
        GATEWAY_CHILD_FIELDS(X)
#undef X
};
enum {
#define X(f, KIND) GE_##f,
        GATEWAY_RELAY_FIELDS(X)
#undef X
};
enum {
#define X(f, KIND) GT_##f,
        GATEWAY_TASK_FIELDS(X)
#undef X
};
enum {
#define X(f, KIND) GI_##f,
        GATEWAY_IMAGE_FIELDS(X)
#undef X
};
enum {
#define X(f, KIND) GN_##f,
        GATEWAY_WANT_FIELDS(X)
#undef X
};

enum {
#define X(f, KIND) GY_##f,
        GATEWAY_EARLY_FIELDS(X)
#undef X
};

extern const store_table table_gateway, table_gateway_child, table_gateway_want,
        table_gateway_relay, table_gateway_task, table_gateway_image, table_gateway_early;
#define GATEWAY_BY_WORK 1 /* work */
#define CHILD_BY_KEY 1    /* gateway, key */
#define RELAY_BY_TASK 1   /* gateway, task, device */
#define RELAY_BY_IMAGE 2  /* gateway, task, image, device */
#define TASK_BY_WORK 1    /* work */
#define WANT_BY_ASKED 1   /* device, asked, key */
#define EARLY_BY_RIPE 1   /* ripe, device, key, seq */

/* The device behind `gateway` that has that key there; ODM_ENOENT, or as reads. */
ODM_MUST_USE int gateway_find_key(store *st, int64_t gateway, odm_str key, odm_arena *a,
                                  gateway_child *out);
ODM_MUST_USE int gateway_find_child(store *st, int64_t device, odm_arena *a, gateway_child *out);
ODM_MUST_USE int gateway_find(store *st, int64_t device, odm_arena *a, gateway_row *out);
/* Whether a job that waits may be with its device, or with the gateway that is to give it to it;
 * else both have nothing of it yet.  0, or as reads. */
ODM_MUST_USE int gateway_has_begun(store *st, const store_job *j, odm_arena *a, bool *begun);
/* Whether `device` is the gateway itself, or one of the GATEWAY_DEPTH in front of it.  0, or as
 * reads. */
ODM_MUST_USE int gateway_is_above(store *st, int64_t gateway, int64_t device, odm_arena *a,
                                  bool *above);

#endif
