/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h - what gateways tell of the devices behind them, and where those are found.
 *
 *     device <-- gateway: ./GwDev/<key>/...  its tree, as if it were its own
 *                         ./GwMO/...         what it knows of it, and does for us
 *
 * This is the one place where the server knows the names of our GwMO profile.  Pure: no store, no
 * clock.  Facts: gwmo.md 1.2, 5, 8, 9. */
#ifndef NREM_GATEWAY_H
#define NREM_GATEWAY_H

#include "store.h"

#define GATEWAY_MOUNT "./GwDev/"
#define GATEWAY_RECORDS "./GwMO/Inventory/Records"
#define GATEWAY_TASKS "./GwMO/Fanout/Fanout"
#define GATEWAY_TAKE_BACK "./GwMO/Fanout/Ext/TakeBack"
#define GATEWAY_IMAGES "./GwMO/ImageInventory/Images"
#define GATEWAY_TRIGGERS "./GwMO/EDTrigger/Trigger"

#define GATEWAY_KEY_MAX 64    /* octets of a device's key */
#define GATEWAY_ID_MAX 255    /* of a DeviceID */
#define GATEWAY_TEXT_MAX 128  /* of other texts of a record */
#define GATEWAY_DEPTH 4       /* gateways behind each other */
#define GATEWAY_DOC_MAX 16384 /* octets of what an alert of those below carries */

/* ---- alerts ---------------------------------------------------------------------------- */

typedef enum gateway_news {
        GATEWAY_NONE, /* no alert of a gateway */
        GATEWAY_ATTACHED,
        GATEWAY_DETACHED,
        GATEWAY_STATE,     /* a record's State has changed */
        GATEWAY_RENEWED,   /* records say something else than they did */
        GATEWAY_RESULTS,   /* of a fan-out */
        GATEWAY_COMPLETED, /* a fan-out or a trigger is over */
        GATEWAY_IMAGE,     /* an image is there, or will not be */
        GATEWAY_REQUEST,   /* a task is wanted of us */
        GATEWAY_SERVERS,   /* a device's servers have changed (it tells its gateway) */
        GATEWAY_ADDRESS,   /* a device tells its gateway's address */
        GATEWAY_VALUES,    /* measurements of devices (odm/values.h) */
} gateway_news;
gateway_news gateway_news_of(odm_str type);

/* What an alert of ATTACHED, DETACHED or REQUEST says; what is not said is absent or -1. */
typedef struct gateway_word {
        odm_str id, protocol;
        int64_t mode, component;
        int64_t reason;       /* of a detach: 1 .. 4 */
        int64_t at;           /* ms since 1970: when it was so; 0: not said */
        odm_str kind, detail; /* of a request */
} gateway_word;
/* Reads the document of such an alert.  0; ODM_EMALFORMED: it is none, or says not which device or
 * what is wanted; ODM_ELIMIT; ODM_ENOMEM. */
ODM_MUST_USE int gateway_word_read(gateway_news news, odm_str xml, odm_arena *a, gateway_word *out);
const char *gateway_detach_text(int64_t reason);
/* The Result of an ImageReady document; 0: it is none.  Looks at its text only. */
unsigned gateway_image_result(odm_str xml);
/* The ImageID of one, in which no entities are; absent: none. */
odm_str gateway_image_id(odm_str xml);

/* ---- addresses -------------------------------------------------------------------------- */

/* ./GwDev/d0001/FUMO/main: key d0001, rest /FUMO/main (empty: the mount point itself), borrowed.
 * False for a URI that is not below one. */
bool gateway_mount_split(odm_str uri, odm_str *key, odm_str *rest);
/* The address at the gateway of `uri` (./X or .) of the device `key`; absent: it is no address of a
 * tree, or memory is out (a->err). */
odm_str gateway_mount_join(odm_str key, odm_str uri, odm_arena *a);
/* The key in the address of a record, or of what is below it; absent: it is none. */
odm_str gateway_record_key(odm_str uri);
bool gateway_key_ok(odm_str key);
/* Whether the value at `uri`, a device's or one behind it, may carry local addresses: it is a node
 * of the records, where an image is served, or a document (a `format` other than node) of a part of
 * the tree with them inside. */
bool gateway_has_addresses(odm_str uri, odm_str format);
/* What an alert on an image says, without where it is served.  In `a`, or `xml` itself. */
odm_str gateway_without_places(odm_str xml, odm_arena *a);

/* ---- records ------------------------------------------------------------------------------ */

enum { /* State */
       GATEWAY_PROVISIONED,
       GATEWAY_ACTIVE,
       GATEWAY_ASLEEP,
       GATEWAY_UNREACHABLE,
       GATEWAY_DETACHED_STATE,
       GATEWAY_DEACTIVATED,
       GATEWAY_STATES
};
enum { GATEWAY_TRANSPARENT = 1, GATEWAY_PROXY, GATEWAY_ADAPTATION }; /* Mode */
const char *gateway_mode_name(int64_t mode); /* "transparent" ...; NULL: none of them */

typedef struct gateway_record { /* texts are absent where nothing was said */
        odm_str key, id, name, protocol, addr, addr_type;
        odm_str maker, model, type, fwv, swv, hwv, reason;
        int64_t mode, component, state; /* -1: not said */
        int64_t wake_interval;          /* seconds; 0: not said, or it never sleeps */
        int64_t seen;                   /* ms since 1970: when it was last; 0: not said */
        bool attached;                  /* it is told to have come just now */
} gateway_record;

/* The records in the answer to a Get of Records, or of some of them, as TNDS document or as a list
 * of nodes: those with key, DeviceID and Mode.  *refused counts others, and those beyond `most`.
 * In `a`, texts of `items` borrowed.  0, ODM_ENOMEM, ODM_ELIMIT (the arena's). */
ODM_MUST_USE int gateway_records_read(const store_value *items, size_t n, size_t most, odm_arena *a,
                                      gateway_record **out, size_t *n_out, size_t *refused);

/* What a record's State means for the device. */
store_device_state gateway_device_state(int64_t state);
/* A name for a new device: `own` when it is one and `by_own`, else GATEWAY/KEY.  Absent: memory is
 * out. */
odm_str gateway_name_of(odm_str gateway, const gateway_record *r, bool by_own, odm_arena *a);

#endif
