/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h - what gateway.c, device.c, north.c, write.c and counts.c share; others use gateway.h. */
#ifndef GREM_INNER_H
#define GREM_INNER_H

#include "gateway.h"
#include "marks.h"
#include "recover_store.h"
#include "run.h"

#define GW_ADAPTERS_MAX 32

/* ---- write.c: batches whose end is heard on the loop ------------------------------------------- */

typedef struct gw_writer gw_writer;
ODM_MUST_USE int gw_writer_new(gateway *g, gw_writer **out);
/* The store is closed: what was not heard yet is not heard.  NULL is allowed. */
void gw_writer_free(gw_writer *w);

/* ---- device.c ------------------------------------------------------------------------------------ */

typedef struct devices devices;
/* Reads the records.  0 or an error with the reason in `d`. */
ODM_MUST_USE int devices_open(gateway *g, devices **out, diag *d);
/* What changed since is written, or an error logged. */
void devices_flush(devices *v);
void devices_close(devices *v);  /* NULL is allowed */
void devices_orphan(devices *v); /* adapters are closed: nobody speaks for any of them */
void devices_start(devices *v);  /* adapters have enumerated: time counts */
/* adapter_host's functions but for reply, of the gateway `ctx`. */
gw_device *devices_seen(void *ctx, const adapter_class *k, const adapter_device *d, void *native,
                        unsigned *why);
void devices_awake(void *ctx, gw_device *d, int64_t ms);
void devices_asleep(void *ctx, gw_device *d, int64_t ms);
void devices_gone(void *ctx, gw_device *d, adapter_gone why);
void devices_changed(void *ctx, gw_device *d, const adapter_node *v, size_t n);
int devices_alert(void *ctx, gw_device *d, const odm_alert *a, odm_wall at);
gw_device *devices_known(void *ctx, odm_str id);
/* The mode by rule or capability, where the server has set none; for all whose record is not busy.
 */
void devices_judge(devices *v);
/* A device the server expects: a record that was never seen.  0 with *out; ODM_EEXIST: it has one;
 * ODM_ELIMIT, ODM_ENOMEM.  Written a moment later, with others. */
ODM_MUST_USE int devices_provision(gateway *g, odm_str id, odm_str name, int mode, gw_device **out);
/* Forgets a record; ODM_ESTATE when its device is here.  Written a moment later, with others. */
ODM_MUST_USE int devices_remove(gateway *g, gw_device *d);

/* ---- bootstrap.c ----------------------------------------------------------------------------------- */

/* As adapter_host.bootstrap. */
ODM_MUST_USE int gw_bootstrap(void *ctx, const adapter_device *d, odm_arena *a, odm_str *out);

/* ---- north.c -------------------------------------------------------------------------------------- */

typedef struct north north;
ODM_MUST_USE int north_open(gateway *g, north **out, diag *d);
void north_close(north *n); /* NULL is allowed */
/* An attach, a detach or a change of state of a device; or of many, whose number is NORTH_MANY:
 * that is told behind all events before it, and before those after it. */
#define NORTH_MANY UINT32_MAX
ODM_MUST_USE int north_event(north *n, store_batch *b, uint32_t device, const odm_alert *a,
                             odm_wall at);
/* What a device tells: NORTH_RELAY or NORTH_FINAL.  Durable on return; as north_add().  Of one
 * device so many wait: one more, and its oldest goes. */
ODM_MUST_USE int north_relay(north *n, uint32_t device, north_class k, const odm_alert *a,
                             odm_wall at);
/* Marked fatal or critical: does not wait. */
bool north_is_grave(odm_str mark);
/* What asks the server for a task, unless the same waits already.  Durable on return. */
ODM_MUST_USE int north_request(north *n, const odm_alert *a);
/* A batch with rows of ours is durable (rc 0) or was refused. */
void north_written(north *n, const store_batch *b, int rc);
/* What a batch that was refused had of ours goes into `b` as well. */
ODM_MUST_USE int north_again(north *n, store_batch *b, const store_batch *failed);
/* Takes back the latest event of a device and of that type that waits and is not on its way, by
 * adding to `b`; false when there is none. */
bool north_cancel(north *n, store_batch *b, uint32_t device, odm_str type);
bool north_holds(north *n, uint32_t device, odm_str type); /* whether there is one */
size_t north_waiting(const north *n);
/* The agent's side: part_gwnorth. */
int north_alerts(north *n, odm_str server, int (*fn)(void *ctx, const odm_alert *a), void *ctx);
void north_alerted(north *n, uint64_t id, unsigned status);
void north_rest(north *n, bool good);
void north_flush(north *n); /* what was answered is forgotten, durably */
/* What waits leads to a session; the agent is open. */
void north_begin(north *n);
void north_session(north *n, uint64_t octets); /* a session with so many is over */
uint64_t north_least(const north *n); /* octets of the smallest session so far; 0: none yet */

/* ---- counts.c ------------------------------------------------------------------------------------- */

typedef struct meter meter;
/* Serves /metrics where the configuration wants it. */
ODM_MUST_USE int meter_open(gateway *g, meter **out, diag *d);
uint16_t meter_port(const meter *m); /* 0: it does not listen */
void meter_close(meter *m);          /* NULL is allowed */
/* For agent_app.over. */
void meter_session(void *app, bool good, uint64_t in, uint64_t out);

/* ---- config_part.c ---------------------------------------------------------------------------------- */

/* Nobody has written anything there. */
bool config_is_empty(gateway *g);
/* The mode that ModeRules give a device; 0: none fits. */
int gw_config_mode(gateway *g, const gw_device *d);

/* ---- request.c -------------------------------------------------------------------------------------- */

/* Asks the server for a task about the node `source`: "config", "resync", "update" or
 * "certificate"; `detail` is for people.  Durable on return; what fails is logged. */
void gw_request(gateway *g, odm_str source, const char *kind, odm_str detail);
/* What is to be asked for from the start on; adapters are there. */
void gw_requests_begin(gateway *g);
void gw_requests_end(gateway *g);

/* ---- the gateway ------------------------------------------------------------------------------------ */

typedef struct gw_adapter {
        const adapter_class *k;
        void *self;
        bool opened;
} gw_adapter;

struct gateway {
        const cfg *conf;
        loop *loop;
        char *folder;
        const char *version;
        store *store;
        gw_writer *writer;
        devices *devices;
        north *north;
        runner *runner;
        meter *meter;
        struct applier *applier;
        struct fanout_part *fanout; /* while it is open */
        struct recover *recover;    /* while it is open */
        struct report *report;      /* while it is open */
        recover_mended mended;      /* what was done about the store when it was opened */
        marks *marks;
        gw_hook *hooks;
        const part_host *host; /* while the agent's parts are mounted */
        void *config;          /* of config_part.c, as long */
        bool started;
        gw_counts counts;
        const store_table **tables;
        adapter_host adapter_host;
        gw_adapter adapters[GW_ADAPTERS_MAX];
        size_t n_adapters;
        loop_timer trim, certificates;
};

/* Tables of the gateway and its parts, up to a NULL; tables.c. */
extern const store_table *const gw_tables[];
extern const store_table gw_table_device, gw_table_north;

/* Every hook that has the function, in their order. */
#define GW_TELL(g, fn, ...)                                        \
        do {                                                       \
                for (gw_hook *h_ = (g)->hooks, *n_; h_; h_ = n_) { \
                        n_ = h_->next;                             \
                        if (h_->fn)                                \
                                h_->fn(h_->ctx, __VA_ARGS__);      \
                }                                                  \
        } while (0)

#endif
