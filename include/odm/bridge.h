/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - a device that speaks LwM2M, seen as a device with a DM tree.
 *
 *     map     rules, a line a node: ./DevDetail/FwV chr G /3/0/3      apps/grem/maps/lwm2m.map
 *     bridge  one device: what it offers, what is kept for it
 *     plan    one DM order as requests, one after the other           read, write, create ...
 *     job     what takes longer than an answer: an update, a restart  202, a final alert
 *
 * Nothing here sends, waits or reads a clock.  A plan, and a job, lend what is to be done next and
 * are told how it went:
 *
 *     odm_plan_read(b, paths, n, ODM_ASK_NODE, &arena, &p);
 *     while (odm_plan_next(p, &rq) == 1)
 *             ... send rq, and when it is answered: odm_plan_answer(p, &answer)
 *     r = odm_plan_result(p);
 *
 * Addresses are those of the device's own tree ("./DevDetail/FwV"); statuses are those of OMA DM.
 * What no rule maps is at ./LwM2M/<object>/<instance>/<resource>[/<resource instance>].
 * Facts: lwm2m.md 5, 6. */
#ifndef ODM_BRIDGE_H
#define ODM_BRIDGE_H

#include "odm/lwm2m.h"
#include "odm/tree.h"

/* ---- rules -------------------------------------------------------------------------------- */

typedef struct odm_map odm_map;

typedef struct odm_map_fault {
        unsigned line;
        char text[160];
} odm_map_fault;

/* Reads rules (lib/bridge/README.md has the form).  Borrows the registry, for the names and types
 * of resources; NULL: the built-in ones.  0; ODM_EMALFORMED with *why; ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_map_parse(const odm_mem *mem, odm_str text, const odm_lw_registry *reg,
                               odm_map **out, odm_map_fault *why);
void odm_map_free(odm_map *m); /* after all bridges; NULL is allowed */

typedef struct odm_map_row { /* for those who print the rules */
        odm_str node;        /* "./SCM/Inventory/Deployed/<x>/Name", an asterisk for <x> */
        odm_format format;   /* NODE: the root of an object, whose identifier is `arg` */
        uint8_t access;      /* bits of odm_access */
        odm_str source;      /* "/9/x/0" with its asterisk for x; "-" */
        odm_str rule, arg;   /* "" for the value as it is */
} odm_map_row;
size_t odm_map_size(const odm_map *m);
odm_map_row odm_map_row_at(const odm_map *m, size_t i);

/* ---- a device ------------------------------------------------------------------------------- */

typedef struct odm_bridge odm_bridge;

typedef struct odm_bridge_opt {
        const odm_mem *mem;
        const odm_tracer *trace;    /* NULL for none */
        const odm_map *map;         /* both borrowed while the bridge lives */
        const odm_lw_registry *reg; /* NULL: the built-in ones */
        odm_str id;                 /* endpoint name; copied */
        size_t max_kept;            /* octets of what is kept for it; 0: 16 KiB */
        int64_t back_ms;            /* how long a restart or reset may take; 0: 10 minutes */
} odm_bridge_opt;

/* 0, ODM_ENOMEM. */
ODM_MUST_USE int odm_bridge_new(const odm_bridge_opt *opt, odm_bridge **out);
void odm_bridge_free(odm_bridge *b); /* its jobs go with it; NULL is allowed */

/* What a registration, or an update with links, offers; it takes the place of what was known.  The
 * version is that of lwm2m=; composite requests are made from 1.1 on.  0, ODM_ENOMEM, ODM_ELIMIT.
 */
ODM_MUST_USE int odm_bridge_offers(odm_bridge *b, const odm_lw_links *l, odm_str version);
/* The answer of Discover on an object or an instance: which resources are there. */
ODM_MUST_USE int odm_bridge_discovered(odm_bridge *b, odm_lw_path at, const odm_lw_links *l);
/* For ./M2M/AreaNwkDev: lifetime in seconds, and whether it uses queue mode and is awake now. */
void odm_bridge_sleeps(odm_bridge *b, int64_t lifetime_s, bool queue, bool awake);
/* Whether another device registers for it: then nothing tells that it restarted but its answer. */
void odm_bridge_behind(odm_bridge *b, bool behind);
/* MO identifiers of what it offers, for the inventory; in `a`.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_bridge_mos(const odm_bridge *b, odm_arena *a, odm_str **out, size_t *n);
/* What is to be observed of it: paths for which requests are made after each registration (error
 * codes, states of updates, devices behind it), as far as it offers them.  At most
 * ODM_BRIDGE_WATCH. */
#define ODM_BRIDGE_WATCH 8
size_t odm_bridge_watch(const odm_bridge *b, odm_lw_path out[ODM_BRIDGE_WATCH]);

/* What servers ordered to be told, ./LwM2M/Observe/<x>; at most ODM_BRIDGE_OBSERVE.  It outlives
 * registrations, after each of which it is to be asked for again by odm_plan_watch(). */
#define ODM_BRIDGE_OBSERVE 12
typedef struct odm_bridge_observation { /* texts until the next order */
        odm_str name, ref;
        bool there;       /* the device has what Ref says */
        odm_lw_path path; /* which is this resource */
        odm_lw_attrs attrs;
} odm_bridge_observation;
size_t odm_bridge_observations(const odm_bridge *b, odm_bridge_observation out[ODM_BRIDGE_OBSERVE]);
/* Whether they were changed since this was asked last. */
bool odm_bridge_observe_news(odm_bridge *b);
/* How the device took one: a status of OMA DM, for its Status.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_bridge_observed(odm_bridge *b, odm_str name, unsigned status);

/* What is kept for the device by the gateway (addresses of packages, traps seen, jobs under way),
 * as one text for the adapter's row.  `dirty` until saved.  load: into a new bridge; 0,
 * ODM_EMALFORMED, ODM_ENOMEM, ODM_ELIMIT. */
bool odm_bridge_dirty(const odm_bridge *b);
ODM_MUST_USE int odm_bridge_save(odm_bridge *b, odm_buf *out);
ODM_MUST_USE int odm_bridge_load(odm_bridge *b, odm_str saved, odm_time now);

/* ---- nodes ------------------------------------------------------------------------------------- */

typedef struct odm_bridge_node {
        odm_str path;    /* "./DevDetail/FwV" */
        odm_value value; /* format NODE: interior; its type is the MO identifier */
        bool has_data;
        int64_t t; /* when the device says it was so, seconds since 1970; 0: now */
} odm_bridge_node;

typedef struct odm_bridge_nodes {
        const odm_bridge_node *v;
        size_t n;
} odm_bridge_nodes;

/* ---- requests ---------------------------------------------------------------------------------- */

typedef enum odm_lw_verb {
        ODM_LW_READ,            /* GET; Accept */
        ODM_LW_DISCOVER,        /* GET; Accept 40 */
        ODM_LW_WRITE,           /* PUT: replaces */
        ODM_LW_UPDATE,          /* POST on an instance: some of its resources */
        ODM_LW_ATTRS,           /* PUT without payload, `attrs` as queries */
        ODM_LW_EXECUTE,         /* POST on a resource; arguments */
        ODM_LW_CREATE,          /* POST on an object */
        ODM_LW_DELETE,          /* DELETE */
        ODM_LW_OBSERVE,         /* GET Observe 0 */
        ODM_LW_CANCEL,          /* GET Observe 1 */
        ODM_LW_READ_COMPOSITE,  /* FETCH "/" */
        ODM_LW_WRITE_COMPOSITE, /* iPATCH "/" */
        ODM_LW_STAGE,           /* none of CoAP: payload is a package, to be kept as a file for a
                                   later job; answered 204, 413 or 500 */
} odm_lw_verb;
const char *odm_lw_verb_name(odm_lw_verb v); /* "Read" */

typedef struct odm_lw_request {
        odm_lw_verb verb;
        odm_lw_path path;
        unsigned ct;     /* of the payload; ODM_LW_NO_CT: none */
        unsigned accept; /* ODM_LW_NO_CT: none is asked for */
        odm_str payload; /* until the answer */
        odm_lw_attrs attrs;
} odm_lw_request;

typedef struct odm_lw_answer {
        unsigned code; /* 205; 0: no reply came */
        unsigned ct;   /* ODM_LW_NO_CT: not said */
        odm_str payload;
        odm_str location; /* of CREATE: "/9/3"; may be absent */
} odm_lw_answer;

/* lwm2m.md 5.2.  0 (no reply) is 408. */
unsigned odm_bridge_status(unsigned coap);

/* ---- plans: orders that are done when they are answered ------------------------------------------ */

typedef struct odm_plan odm_plan;

typedef enum odm_ask {
        ODM_ASK_NODE,   /* that node; of an interior one the names of its children, without data */
        ODM_ASK_STRUCT, /* all at and below, without values */
        ODM_ASK_DATA,   /* all at and below, with values */
} odm_ask;

/* A plan and its result live in `a`, which must live as long; paths and values given must, too.  A
 * plan can be dropped at any moment.  What cannot be expressed is a plan without requests whose
 * result is a refusal.  All: 0, ODM_ENOMEM, ODM_ELIMIT.
 *
 * Several paths of one read are answered by as few requests as can be: those of one instance by one
 * Read of it.  A path that is not there is left out of the nodes; when none is there it is 404. */
ODM_MUST_USE int odm_plan_read(odm_bridge *b, const odm_str *paths, size_t n, odm_ask ask,
                               odm_arena *a, odm_plan **out);
/* Existing leaves.  Several are all or none: those of one instance as one Write, else 406. */
ODM_MUST_USE int odm_plan_write(odm_bridge *b, const odm_bridge_node *v, size_t n, odm_arena *a,
                                odm_plan **out);
/* ./LwM2M/<O>/<I> with its leaves; ./SCM/Download/<x> with its. */
ODM_MUST_USE int odm_plan_create(odm_bridge *b, const odm_bridge_node *v, size_t n, odm_arena *a,
                                 odm_plan **out);
ODM_MUST_USE int odm_plan_remove(odm_bridge *b, odm_str path, odm_arena *a, odm_plan **out);
/* Attributes with a bit set are written first; `off` ends it. */
ODM_MUST_USE int odm_plan_observe(odm_bridge *b, odm_str path, const odm_lw_attrs *attrs, bool off,
                                  odm_arena *a, odm_plan **out);
/* An observation that is there.  A device that takes no attributes is observed without them. */
ODM_MUST_USE int odm_plan_watch(odm_bridge *b, const odm_bridge_observation *o, odm_arena *a,
                                odm_plan **out);

/* 1 with *out set, the request to be made now (again, until it is answered); 0 when it is over. */
int odm_plan_next(odm_plan *p, const odm_lw_request **out);
/* The answer to it.  What is in it is copied when it is needed.  0, ODM_ENOMEM, ODM_ELIMIT (the
 * plan is over then, with status 500); ODM_ESTATE when nothing was asked. */
ODM_MUST_USE int odm_plan_answer(odm_plan *p, const odm_lw_answer *r);

typedef struct odm_plan_result {
        unsigned status;
        odm_str text; /* "4.05 Method Not Allowed, /3/0/1"; absent when it went well */
        odm_bridge_nodes nodes;
        odm_str created; /* "./LwM2M/9/3" when the device chose the number */
} odm_plan_result;
const odm_plan_result *odm_plan_result_of(const odm_plan *p); /* when it is over */

/* ---- jobs: orders that end with an alert ----------------------------------------------------------- */

typedef struct odm_job odm_job;
#define ODM_BRIDGE_JOBS 4 /* of one device */

typedef struct odm_job_image { /* a package that the gateway holds */
        odm_str name, version;
        odm_str file;               /* the adapter's name for it: a path, or a staged one */
        odm_str url_http, url_coap; /* where the gateway serves it; absent: it does not */
} odm_job_image;

typedef struct odm_job_opt {
        odm_str correlator;  /* may be absent */
        int64_t deadline_ms; /* of the whole; 0: an hour, a day for what waits for a sleeper */
} odm_job_opt;

typedef struct odm_exec { /* what an Exec comes to: one of */
        unsigned status;  /* 202: *job begins; else refused, or with plan 0 */
        odm_str text;
        odm_plan *plan; /* done when it is answered */
        odm_job *job;   /* the bridge's; until it is over and odm_job_drop()ped */
} odm_exec;

/* 0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_bridge_execute(odm_bridge *b, odm_str path, odm_str arg,
                                    const odm_job_opt *opt, odm_time now, odm_arena *a,
                                    odm_exec *out);
odm_job *odm_bridge_job(odm_bridge *b, size_t i); /* NULL past the last */

typedef enum odm_job_want {
        ODM_JOB_SEND,  /* make `request`, then odm_job_answer() */
        ODM_JOB_PUSH,  /* PUT the file `file` to request->path, block-wise, then odm_job_answer() */
        ODM_JOB_FETCH, /* have the gateway fetch `url`, then odm_job_fetched() */
        ODM_JOB_WAIT,  /* for what the device tells, at most until `until`; then odm_job_tick() */
        ODM_JOB_OVER,  /* `alert` is to be told, then odm_job_drop() */
} odm_job_want;

typedef struct odm_job_step {
        odm_job_want want;
        const odm_lw_request *request;
        odm_str file, url;
        odm_time until; /* also of the other ones: when to tick */
        const odm_alert *alert;
} odm_job_step;

/* What is wanted now.  SEND, PUSH and FETCH are lent once. */
odm_job_step odm_job_next(odm_job *j);
bool odm_job_asked(const odm_job *j); /* something lent is not answered yet */
/* All: 0, ODM_ENOMEM, ODM_ELIMIT; ODM_ESTATE when that was not asked. */
ODM_MUST_USE int odm_job_answer(odm_job *j, const odm_lw_answer *r, odm_time now);
/* The gateway has it (`i`, copied), or not (NULL): `result` is then the code of mo-fumo.md 6 (see
 * odm_fumo_result()), for software too. */
ODM_MUST_USE int odm_job_fetched(odm_job *j, const odm_job_image *i, unsigned result, odm_time now);
/* Values of a notification; the device registered anew, and when an Execute is lent that had left
 * before; time passed. */
ODM_MUST_USE int odm_job_told(odm_job *j, const odm_lw_list *l, odm_time now);
ODM_MUST_USE int odm_job_registered(odm_job *j, odm_time now);
ODM_MUST_USE int odm_job_tick(odm_job *j, odm_time now);
void odm_job_cancel(odm_job *j, odm_time now); /* ends it with "cancelled by the user" */
void odm_job_drop(odm_job *j);

/* ---- what a device tells by itself ------------------------------------------------------------------ */

#define ODM_BRIDGE_ALERTS 32
typedef struct odm_bridge_news {
        odm_bridge_nodes nodes; /* values as the tree has them */
        odm_alert alert[ODM_BRIDGE_ALERTS];
        int64_t at[ODM_BRIDGE_ALERTS]; /* when the device says it was so, seconds; 0: now */
        size_t n_alerts; /* traps that became active, or are over; samples that were ordered */
} odm_bridge_news;

/* Values of a notification or a Send, or of any answer: what they are in the tree, which traps they
 * set off, and which were ordered to be reported.  In `a`.  Goes to the jobs as well.  0,
 * ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_bridge_told(odm_bridge *b, const odm_lw_list *l, odm_time now, odm_arena *a,
                                 odm_bridge_news *out);
/* An alert of those could not be kept: the next values of its resource tell it again.  0,
 * ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_bridge_untold(odm_bridge *b, const odm_alert *alert);

/* ---- numbers of one world in the other (lwm2m.md 5.1) -------------------------------------------------- */

unsigned odm_bridge_fumo_state(int64_t state, int64_t result); /* of /5/0/3, /5/0/5 */
unsigned odm_bridge_fumo_result(int64_t result);               /* 0: none yet */
unsigned odm_bridge_scomo_status(int64_t state); /* of Download/x; 0: it is deployed */
typedef enum odm_scomo_phase { ODM_PHASE_DOWNLOAD, ODM_PHASE_INSTALL } odm_scomo_phase;
unsigned odm_bridge_scomo_result(int64_t result, odm_scomo_phase phase); /* 0: none yet */
unsigned odm_bridge_lock_state(int64_t state);
unsigned odm_bridge_lock_result(int64_t result); /* 0: none yet */

#endif
