/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - what the tests of this room share: the adapter over loopback, a gateway that writes
 * down what it is told, and devices made of a CoAP end and a few resources.
 *
 *     stage_begin_with(&s, &d, "", STAGE_D1);
 *     assert_int_equal(stage_read(&s, 1, "./DevDetail/FwV"), 200);
 *     assert_int_equal(device_leave(&d), CO_DELETED);
 *     assert_non_null(strstr(s.told, "gone d1 1\n"));
 *     stage_end(&s);
 *
 * What goes wrong fails the test; what is waited for may take ten seconds. */
#ifndef GREM_LWM2M_STAGE_H
#define GREM_LWM2M_STAGE_H

#include "coap.h"
#include "fsio.h"
#include "gateway.h"
#include "lwm2m.h"
#include "odm/lwm2m.h"
#include "support.h"

#define STAGE_RECORDS 1100
#define STAGE_LINKS "</>;rt=\"oma.lwm2m\",</1/0>,</3/0>,</5/0>"
#define STAGE_D1 "ep=d1&lwm2m=1.0&lt=60"
#define STAGE_FWV "./DevDetail/FwV" /* of a device: 1.0 */

typedef struct device device;

typedef struct stage {
        loop *l;
        cfg *conf;
        store *store;
        store_fault fault;
        char folder[64];
        void *adapter;
        device *devices[12]; /* which stage_end() closes */
        size_t n_devices;
        gw_device *records[STAGE_RECORDS];
        size_t n;
        unsigned refuse; /* status with which all devices are refused */
        bool full;       /* no alert can be kept */
        loop_timer soon; /* an order as soon as a device is seen */
        char told[8192]; /* a line a word of the adapter */
        uint64_t replied;
        unsigned status;
        uint64_t open;                   /* an order that is cancelled when its device is gone */
        char nodes[2048];                /* of the reply, "path=value " */
        odm_format format;               /* of its last node */
        _Atomic uint64_t served, octets; /* of images */
} stage;

/* A folder, settings, a loop and a store in memory. */
void stage_make(stage *s);
/* Settings of [lwm2m], a line each; for what is opened next. */
void stage_set(stage *s, const char *fmt, ...) ODM_PRINTF(2, 3);
/* The adapter: what its open() returns. */
int stage_try(stage *s, diag *d);
void stage_open(stage *s);
/* What it does on its way to the store is done first; it begins anew at the same port. */
void stage_close(stage *s);
void stage_reopen(stage *s);
/* All of that with these settings; and with a device, plain, that has registered and is observed
 * (`query`: NULL: has not). */
void stage_begin(stage *s, const char *settings);
void stage_begin_with(stage *s, device *d, const char *settings, const char *query);
void stage_end(stage *s);

/* Turns the loop until `word` is in what was told or asked; for `ms`. */
void stage_until(stage *s, const char *where, const char *word);
void stage_pass(stage *s, int64_t ms);

gw_device *stage_record(stage *s, odm_str id); /* or NULL */
/* Orders of the first record's device; those that return the status wait for their reply. */
unsigned stage_replied(stage *s, uint64_t id);
void stage_ask(stage *s, uint64_t id, const char *path); /* a Read */
unsigned stage_read(stage *s, uint64_t id, const char *path);
unsigned stage_read_of(stage *s, uint64_t id, const char *who, const char *path);
unsigned stage_write(stage *s, uint64_t id, const char *path, odm_format format, const char *text);
void stage_execute(stage *s, uint64_t id, const char *path, odm_str correlator);
/* What the adapter's status() begins with, and what is in its metrics(). */
void stage_has_status(stage *s, const char *begin);
void stage_has_metric(stage *s, const char *line);

#define STAGE_IMAGE_SIZE 5000 /* an octet i of it: i * 7 + i / 256 */
/* The gateway has image "fw-2". */
void stage_image(const stage *s);
/* A file in the folder: its name, until the next call. */
const char *stage_file(const stage *s, const char *name, const char *text);

typedef struct resource {
        const char *path;
        odm_str value; /* as it is on the wire */
        int format;
} resource;

struct device {
        stage *s;
        co_end *end;
        net_addr to;
        resource v[24];
        size_t n;
        uint8_t mute; /* a method that it hears, and says nothing to */
        char asked[4096];
        char body[4096]; /* of the last request with one */
        size_t body_n;
        char all[4096]; /* of all of them */
        size_t all_n;
        size_t last_n;  /* octets of the last one */
        char got[8192]; /* what its own last request brought */
        size_t got_n;
        co_watcher *watcher[8];
        char watched[8][32];
        size_t n_watched;
        /* its own last request */
        unsigned answered;
        bool early; /* it was asked before it was answered */
        uint8_t code;
        char location[64];
};

/* Its end (`as`: a client of DTLS; NULL: plain), and what it has: manufacturer Acm, model M1,
 * firmware 1.0, no error, a battery of 77, no update under way. */
void device_begin(stage *s, device *d, const co_setup *as);
void device_end(device *d);
void device_have(device *d, const char *path, odm_str value, int format);
/* It forgets what it was asked, and who observes it. */
void device_forget(device *d);

/* Its requests: the code of the answer, or 0 without one. */
uint8_t device_say(device *d, uint8_t code, const char *path, const char *query, const char *body);
uint8_t device_send(device *d, odm_str senml);
uint8_t device_register(device *d, const char *query); /* with STAGE_LINKS */
uint8_t device_update(device *d);
uint8_t device_leave(device *d);
void device_enrol(device *d, const char *query); /* registers, and is taken */
void device_observed(device *d);                 /* until the gateway has observed what it wants */
/* A notification of what is observed at `path`. */
void device_tell(device *d, const char *path, odm_str value, int format);

#endif
