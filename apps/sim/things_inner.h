/* SPDX-License-Identifier: Apache-2.0 */
/* things_inner.h - what the files of the LwM2M devices share.
 *
 *     things.c          life: power, registration, sleep, what is due
 *     things_boot.c     bootstrap: an account, and where it comes from
 *     things_request.c  a request of the server, and its answer
 *     things_step.c     packages: fetched, installed, and the faults that hit them
 *     things_watch.c    observations */
#ifndef SIM_THINGS_INNER_H
#define SIM_THINGS_INNER_H

#include "coap.h"
#include "thing.h"
#include "things.h"

#define NEVER INT64_MAX
#define WATCHES_MAX 32  /* of a device */
#define ATTRS_MAX 16    /* paths of a device that have attributes */
#define ANSWER_MAX 8192 /* octets of an answer or a notification */

typedef enum life { LIFE_OFF, LIFE_UP, LIFE_ASLEEP } life;

struct node;

typedef struct watch {
        struct watch *next;
        struct node *d;
        co_watcher *w;
        odm_lw_path at;
        int accept;
        uint64_t hash; /* of what was told last */
        double value;  /* where it is one number */
        bool number;
        int64_t told; /* when; ms */
} watch;

typedef struct attrs {
        odm_lw_path at;
        odm_lw_attrs v;
} attrs;

typedef struct account { /* of a server, as a bootstrap gave it */
        bool whole;      /* else it is being given */
        bool used;       /* the device began anew with it */
        int64_t mode;    /* SecurityMode */
        char uri[THING_URI_MAX + 1], identity[CO_IDENTITY_MAX + 1];
        uint8_t key[CO_KEY_MAX];
        size_t key_n;
        net_addr addr;
        int64_t lifetime_s; /* 0: not said */
} account;

/* Times are those of loop_now(); NEVER for none. */
typedef struct node {
        thing t;
        things *all;
        co_end *end;
        uint64_t ask;      /* registration or update under way; 0: none */
        int64_t asked;     /* microseconds */
        char location[64]; /* "rd/5"; "": not registered */
        loop_timer timer;
        int64_t call;               /* registration or update */
        int64_t boot;               /* it is off until then */
        int64_t sleep;              /* it goes to sleep */
        int64_t fall;               /* it restarts: the answer that says so has left by then */
        int64_t step;               /* an installation is over, or a download that takes its time */
        int64_t look;               /* observers may want to know */
        int64_t alarm;              /* one is due, or its end */
        uint64_t mine, fired, over; /* faults, as a device of the fleet has them */
        watch *watches;
        attrs *attrs;     /* heap */
        account *account; /* heap; NULL: none */
        uint8_t n_watches, n_attrs;
        uint8_t life, failures, tries;
        uint16_t group, port;
        bool dead, met, links_moved;
        bool cut; /* its power goes, and stays away so long; negative: for ever */
        int64_t cut_ms;
        bool trial,
                takes; /* new firmware is tried at the next start; it is the one that was meant */
        /* a package under way */
        download get;
        uint64_t fetch; /* of CoAP; 0 none */
        char url[THING_URI_MAX + 1];
        unsigned result; /* what came of it, when step is due */
        char version[IMAGE_VERSION];
        uint32_t calls;
} node;

struct things {
        loop *loop;
        const scenario *s;
        keep *keep;
        node *node;
        net_addr server[GROUPS_MAX];
        odm_lw_registry *reg;
        downloads *pool;
        loop_timer end;
        int64_t started; /* ms */
        bool stopped, over;
        void (*done)(void *ctx);
        void *ctx;
        things_stats st;
};

const group *things_group(const node *d);
odm_wall things_wall(const node *d);             /* what its clock says */
int64_t things_drawn(const node *d, int64_t ms); /* 0 .. ms, by the seed */
void things_trouble(things *f, const char *what, int rc);
const fault *things_fault(const node *d, size_t k, fault_kind kind); /* NULL: none may happen */
void things_fired(node *d, size_t k);
void things_plan(node *d);  /* sets the timer */
void things_awake(node *d); /* it listens, for its time from now on */
/* Keeps what is new, and does what the thing wants.  Before its answer leaves. */
void things_settle(node *d);
void things_power_off(node *d,
                      int64_t ms); /* negative: for ever; not from within a callback of CoAP */

void things_request(void *ctx, co_request *r, co_peer *p, const co_msg *m);
void things_count(node *d, int format); /* of a body */

bool things_boots(const node *d);                  /* it has no account yet, and needs one */
int things_boot_request(node *d, const co_msg *m); /* a code, or ODM_ENOMEM */
void things_boot_forget(node *d);

void things_step_begin(node *d); /* the thing wants something fetched or installed */
void things_step_due(node *d);
void things_step_drop(node *d);
void things_step_boot(node *d); /* it starts */
void things_pushed(node *d);    /* the server wrote a package of firmware, which was taken */
/* What a fault makes of a package that came; `result` otherwise. */
unsigned things_spoil(node *d, unsigned result);
unsigned things_fumo_state(const thing *t); /* as faults name it (lwm2m.md 5.1) */

/* The answer of a read, in `b`; *ct is its format.  A code, or ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int things_read(node *d, thing *t, odm_lw_path at, int accept, odm_arena *a,
                             odm_buf *b, int *ct, odm_lw_list *list);
void things_watch(node *d, co_request *r, odm_lw_path at, int accept, const odm_lw_list *l);
void things_look(node *d);               /* tells observers what is new */
int64_t things_look_time(const node *d); /* when that is due; NEVER */
void things_watch_drop(node *d);
ODM_MUST_USE int things_attrs(node *d, odm_lw_path at, const co_msg *m); /* a code */

#endif
