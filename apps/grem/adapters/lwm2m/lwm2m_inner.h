/* SPDX-License-Identifier: Apache-2.0 */
/* lwm2m_inner.h - what the files of the adapter share.
 *
 *   lwm2m.c     settings, listeners, start and end
 *   client.c    devices that are registered: by name, by registration, by address; their rows
 *   register.c  registration, update, deregistration, Send; what is asked after a registration
 *   errand.c    orders: a plan of the bridge, request by request
 *   send.c      a request of the bridge as one of CoAP
 *   watch.c     observations, and what notifications bring
 *   work.c      jobs of the bridge: firmware, software, restarts
 *   serve.c     images by block transfer
 *   keys.c      keys of DTLS
 *   boot.c      bootstrap server
 *   objects.c   definitions of objects
 *   behind.c    devices behind one that is a gateway of LwM2M itself
 *
 *     register -> row durable -> 2.01 -> record seen, awake -> read /3/0 -> observe
 *     order -> plan -> request -> answer -> ... -> reply
 *
 * All of it is the loop's thread, but for the end of a row's writing. */
#ifndef GREM_LWM2M_INNER_H
#define GREM_LWM2M_INNER_H

#include <netinet/in.h>
#include <pthread.h>

#include "coap.h"
#include "lwm2m.h"
#include "odm/bridge.h"
#include "table.h"
#include "words.h"

#define CHAINS 4096
#define ERRAND_CHAINS 256
#define LOCATION_MAX 16 /* octets of a registration's name, and a zero */
#define LW_GATEWAY 25   /* the object of a gateway of LwM2M */
#define WATCHES_MAX 24  /* observations of a device */
#define ERRAND_MEMORY ((size_t)4 << 20)
#define NEWS_MEMORY ((size_t)1 << 20)
#define REQUEST_MS 60000 /* for one that has no deadline of its own */

typedef struct lwm2m lwm2m;
typedef struct client client;
typedef struct lw_errand lw_errand;

typedef struct watch { /* an observation */
        struct watch *next;
        client *c;
        uint64_t ask;
        lw_errand *first; /* who waits for the first answer; NULL: nobody */
        odm_lw_path path;
        bool told;       /* the first answer is there */
        bool ordered;    /* by a server */
        unsigned accept; /* ODM_LW_NO_CT: none is asked for */
} watch;

typedef struct place { /* a net_addr, a fifth as large */
        union {
                struct sockaddr sa;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        };
        socklen_t n; /* 0: none */
} place;

typedef enum greeting { /* what is asked of a device after it has registered */
                        GREET_DUE,
                        GREET_READ,
                        GREET_DONE,
} greeting;

struct client {
        client *by_name, *by_location, *by_addr; /* chains */
        lwm2m *a;
        char *ep;
        char location[LOCATION_MAX];
        place addr;
        bool secure;
        char version[8], binding[8];
        const char *identity; /* words: of DTLS; "" without */
        const char *root;     /* alternate path: "lwm2m"; "" for none */
        const char *links;    /* the object list, as it was told */
        unsigned cts;         /* formats that it said it has; bits of odm_lw_can */
        int64_t lifetime_s;
        odm_wall since, heard;
        bool queue;     /* it sleeps */
        bool saving;    /* a row is on its way */
        bool again;     /* and another is to follow */
        odm_time awake; /* until then; ODM_NEVER without queue mode */
        odm_bridge *bridge;
        gw_device *record; /* NULL: not introduced, or refused */
        client *front;     /* it is behind that one, and reached through it; NULL: it is not */
        client *behind;    /* those behind it, by `beside` */
        client *beside;
        bool listed; /* its gateway told of it just now */
        bool fresh;  /* its jobs are to hear that it is back */
        bool relook; /* one behind it is missing: it is asked for them again */
        greeting greeting;
        bool joining; /* its registration is not answered: orders are held until then */
        bool retell;  /* an alert of it could not be kept */
        lw_errand *greeter;
        unsigned greets; /* pauses between greetings that were longer each time */
        watch *watches;
        size_t n_watches;
        struct work *work; /* NULL: no job was ever asked of it */
        loop_timer expiry, jobs, greet;
};

typedef struct seal {         /* a key of DTLS */
        odm_str identity, ep; /* ep: whom it may be */
        uint8_t key[CO_KEY_MAX];
        size_t n;
} seal;

typedef struct keyring {
        const char *path; /* NULL: none */
        int64_t stamp[3]; /* of the file that was read */
        odm_arena mem;
        seal *v;
        size_t n;
} keyring;

typedef struct saved saved; /* a row on its way; client.c */

struct lwm2m {
        adapter_host host;
        const cfg *conf;
        loop *loop;
        store *store;
        co_end *plain, *secure;
        odm_lw_registry *registry;
        odm_map *map;
        words *words;
        client *by_name[CHAINS], *by_location[CHAINS], *by_addr[CHAINS];
        size_t n, max;
        int64_t awake_ms;
        lw_errand *errands[ERRAND_CHAINS];
        keyring keys;
        uint64_t objects; /* by which the folder of definitions is known */
        odm_time objects_seen;
        bool open, closing;
        char *url, *secure_url; /* of our listeners, for images; NULL: not told */

        loop_io stored; /* an eventfd: rows are durable */
        pthread_mutex_t lock;
        saved *done, **done_tail;

        loop_timer retell;             /* clients whose alerts could not be kept */
        loop_timer greet;              /* devices of before are greeted, a few at a time */
        size_t greeted;                /* chains of by_name that were */
        struct push *pushing, *pushes; /* one goes, the others wait */
        struct boot *boots;            /* devices that are given their accounts */
        size_t n_boots;
        char *folder; /* of packages that were given value by value */
        uint64_t registrations, updates, deregistrations, expiries, refusals, notifications,
                requests, failures, images;
};

/* ---- client.c ------------------------------------------------------------------------------- */

extern const store_table lwm2m_table_client;

client *lw_client_by_name(lwm2m *a, odm_str ep);
/* That of a record; NULL: it has none any more.  The record keeps its `native` beyond that. */
client *lw_client_of(lwm2m *a, const gw_device *d);
client *lw_client_by_location(lwm2m *a, odm_str location);
client *lw_client_by_addr(lwm2m *a, const net_addr *addr, bool secure);
/* A device not yet known, without an address.  NULL: no memory, or too many. */
client *lw_client_new(lwm2m *a, odm_str ep);
void lw_client_free(client *c); /* with all that goes on for it */
void lw_client_free_all(lwm2m *a);
void lw_client_locate(client *c); /* a new name for its registration */
void lw_client_move(client *c, const net_addr *addr, bool secure);
net_addr lw_client_addr(const client *c);
bool lw_client_is_at(const client *c, const net_addr *addr);
ODM_MUST_USE int lw_client_text(char **at, odm_str s); /* *at becomes a copy */
/* *at, one of the client's words, becomes another. */
ODM_MUST_USE int lw_client_word(client *c, const char **at, odm_str s);
/* What the object list says; ODM_EMALFORMED: none.  A client without a bridge gets one. */
ODM_MUST_USE int lw_client_offers(client *c, odm_str links, odm_str version);
co_end *lw_client_end(const client *c);
/* With whom one speaks to reach it: itself, or the gateway that it is behind. */
const client *lw_client_via(const client *c);
/* It is registered; else only its jobs are left, which wait for it. */
bool lw_client_here(const client *c);
bool lw_client_awake(const client *c); /* and can be asked: it was answered, and listens */
/* It has just been heard: its lifetime, and when it sleeps its time awake, begin anew. */
void lw_client_heard(client *c);
void lw_client_present(client *c); /* how that is, to the bridge and the gateway */
/* It is known from a life before: its lifetime begins anew. */
void lw_client_resume(client *c);
/* It does not answer. */
void lw_client_silent(client *c);
/* Tells the gateway what is known of it.  0, or the status with which it is refused. */
unsigned lw_client_introduce(client *c);
/* Its registration is over.  Without jobs it is freed. */
void lw_client_gone(client *c, adapter_gone why);
/* Its last job may be over: one that is not registered goes soon. */
void lw_client_settled(client *c);
void lw_client_leave(client *c); /* its row too */
/* Whose alerts its jobs tell; NULL: there is none any more. */
gw_device *lw_client_record(const client *c);
/* Writes its row; `done` may be NULL and is on the loop, not before this returns.  With 0 `ctx`, on
 * the heap or NULL, is taken: it is done()'s to free, and that of an adapter that closes first. */
ODM_MUST_USE int lw_client_save(client *c, void (*done)(void *ctx, int rc), void *ctx);
void lw_client_keep(client *c);               /* what the bridge keeps of it, when that changed */
ODM_MUST_USE int lw_client_unsave(client *c); /* takes the row away */
/* Reads the rows of a life before. */
ODM_MUST_USE int lw_client_load_all(lwm2m *a, diag *d);
ODM_MUST_USE int lw_saver_open(lwm2m *a);
void lw_saver_close(lwm2m *a); /* all is durable */

/* ---- register.c ------------------------------------------------------------------------------- */

void lw_register_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m);
void lw_update_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m, odm_str location);
void lw_deregister_request(lwm2m *a, co_request *r, co_peer *p, odm_str location);
void lw_send_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m);
/* What is to be asked of a device that is there, when it was not yet. */
void lw_greet(client *c);
void lw_greet_anew(client *c);  /* what it was asked before is no more of use */
void lw_greet_all(lwm2m *a);    /* ... by and by */
void lw_observe_all(client *c); /* what the bridge wants of every device */

/* ---- behind.c ---------------------------------------------------------------------------------- */

/* /25 of `front`, all of it: who is new is taken, who is not in it is gone. */
void lw_behind_learn(client *front, const odm_lw_list *l);
void lw_behind_look(client *front); /* observes that anew */
/* From now on `c`, which has a bridge, is reached through `front`; it is so no more. */
void lw_behind_join(client *c, client *front);
void lw_behind_leave(client *c);
void lw_behind_moved(client *front); /* what it was asked before is not told any more */
void lw_behind_heard(client *front); /* what waits for it goes on */

/* ---- errand.c ---------------------------------------------------------------------------------- */

struct lw_errand { /* a plan that is carried out */
        lw_errand *chain;
        client *c;
        uint64_t id;       /* the gateway's; 0: our own */
        bool linked, held; /* held: until the registration is answered */
        odm_arena mem;
        odm_plan *plan;
        uint64_t ask;
        watch *watching; /* the observation whose first answer is awaited */
        odm_time due;
        odm_str observes; /* the name of an observation that is ordered; absent: none */
        void (*over)(lw_errand *e, const odm_plan_result *r); /* of our own: it is freed after it */
};

void lw_errand_read(void *a, uint64_t id, gw_device *d, void *native, const odm_str *paths,
                    size_t n, adapter_list list, int64_t deadline_ms);
void lw_errand_write(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                     size_t n, int64_t deadline_ms);
void lw_errand_create(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                      size_t n, int64_t deadline_ms);
void lw_errand_remove(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                      int64_t deadline_ms);
void lw_errand_execute(void *a, uint64_t id, gw_device *d, void *native, odm_str path, odm_str arg,
                       odm_str correlator, int64_t deadline_ms);
void lw_errand_observe(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                       const adapter_attrs *attrs, int64_t deadline_ms);
void lw_errand_wake(void *a, uint64_t id, gw_device *d, void *native, odm_str notification,
                    odm_str server_id);
void lw_errand_cancel(void *a, uint64_t id);
/* One of our own; the caller makes e->plan in e->mem and calls lw_errand_go().  NULL: no memory. */
lw_errand *lw_errand_new(client *c, uint64_t id, int64_t deadline_ms);
void lw_errand_go(lw_errand *e);
void lw_errand_release(client *c);                             /* those that were held */
void lw_errand_answered(lw_errand *e, const odm_lw_answer *r); /* the request that it made */
void lw_errand_free(lw_errand *e);
void lw_errand_drop_all(client *c, unsigned status);
void lw_reply_text(lwm2m *a, uint64_t id, unsigned status, const char *text);

/* ---- send.c -------------------------------------------------------------------------------------- */

/* Sends a request of the bridge, but for those that are none of CoAP and observations; done() as
 * co_ask()'s.  `file` takes the place of the payload; may be NULL. */
ODM_MUST_USE int lw_send_ask(client *c, const odm_lw_request *rq, const co_file *file,
                             int64_t deadline_ms, co_done done, void *ctx, uint64_t *id);
/* Ends it without a word, whichever listener it went by: the device may have changed it since. */
void lw_cancel(lwm2m *a, uint64_t id);
/* What came back, for the bridge. */
odm_lw_answer lw_send_answer(co_end_of why, const co_msg *m);

/* ---- watch.c --------------------------------------------------------------------------------------- */

/* Observes, in the format `accept` (ODM_LW_NO_CT: any); `e` (may be NULL) is told the first answer.
 * 0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int lw_watch_start(client *c, odm_lw_path path, unsigned accept, lw_errand *e);
/* The format to ask for where nobody says one: what has several values cannot be text. */
unsigned lw_watch_format(const client *c, odm_lw_path path);
void lw_watch_stop(client *c, odm_lw_path path);
void lw_watch_stop_all(client *c);
/* Asks for what servers ordered to be told, as it is now. */
void lw_watch_renew(client *c);
/* Looks at a device whose alert could not be kept, when it can be asked. */
void lw_watch_retell(client *c);
/* Values the device told: to the gateway, to jobs, as alerts. */
void lw_watch_tell(client *c, odm_lw_path at, unsigned ct, odm_str payload);
/* The same but for the jobs' next steps.  0 when its alerts are durable; ODM_EMALFORMED and others
 * of odm_lw_decode(); ODM_EIO, ODM_ELIMIT, ODM_ENOMEM: an alert is not, and is told by a later look
 * at the device. */
ODM_MUST_USE int lw_watch_take(client *c, odm_lw_path at, unsigned ct, odm_str payload);

/* ---- work.c ------------------------------------------------------------------------------------------ */

void lw_work_pump(client *c); /* has jobs go on */
void lw_work_back(client *c); /* tells jobs that it registered anew */
void lw_work_drop(client *c);
void lw_work_take_back(client *c, odm_job *j); /* one that has not been promised */
void lw_work_wake(lwm2m *a);                   /* a device woke, for which a package may wait */
/* Keeps a package that was given as a value; the name of it in `a`. */
ODM_MUST_USE int lw_work_stage(client *c, odm_str package);

/* ---- serve.c ------------------------------------------------------------------------------------------- */

void lw_serve_image(lwm2m *a, co_request *r, const co_msg *m);
/* Where a device of `c`'s listener finds the image that an HTTP address of ours names, by CoAP; in
 * `mem`, absent when it does not. */
odm_str lw_serve_url(const client *c, odm_str http, odm_arena *mem);

/* ---- keys.c ---------------------------------------------------------------------------------------------- */

ODM_MUST_USE int lw_keys_open(lwm2m *a, diag *d);
void lw_keys_close(lwm2m *a);
bool lw_keys_find(void *a, odm_str identity, uint8_t key[CO_KEY_MAX], size_t *n);
/* A key in hexadecimal; false: none, or too short or long a one. */
bool lw_keys_hex(odm_str hex, uint8_t key[CO_KEY_MAX], size_t *n);
/* Whether an identity may register as `ep`, and whether `ep` must not come without one. */
bool lw_keys_may_be(lwm2m *a, odm_str identity, odm_str ep);
bool lw_keys_need(lwm2m *a, odm_str ep);

/* ---- objects.c -------------------------------------------------------------------------------------------- */

ODM_MUST_USE int lw_objects_open(lwm2m *a, diag *d);
void lw_objects_refresh(lwm2m *a); /* when the folder has changed; before what needs it */

/* ---- boot.c ---------------------------------------------------------------------------------------------- */

void lw_boot_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m);
void lw_boot_drop_all(lwm2m *a);

#endif
