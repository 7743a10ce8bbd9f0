/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_part.h - what the files of the part of gateways share.
 *
 *     gateway_part.c     events and the clock; which gateway has work
 *     gateway_child.c    devices: found, made, moved, as they are told to be
 *     gateway_list.c     inventories are asked for, and worked in page by page
 *     gateway_early.c    alerts of devices that are not known yet
 *     gateway_values.c   measurements
 *     gateway_go.c       jobs of devices become tasks of their gateways
 *     gateway_end.c      what came of those
 *     gateway_back.c     those that go back, or are wanted no more
 *     gateway_task.c     their rows
 *     gateway_api.c      REST
 *
 * Memory holds which devices may have new jobs, and the inventory that is being worked in; both
 * are found again when the part is opened. */
#ifndef NREM_GATEWAY_PART_H
#define NREM_GATEWAY_PART_H

#include <pthread.h>
#include <stdatomic.h>

#include "fleet.h"
#include "gateway_row.h"

#define GATEWAY_POKES 4096
#define GATEWAY_FEW 2000           /* devices behind gateways that /metrics has exactly */
#define GATEWAY_JOB_KEY "gateway/" /* and the number of the task */

typedef struct gateways {
        const fleet_host *host;
        bool own_names; /* new devices are called as their gateway calls them */
        bool tagged;    /* only devices with the tag "gateway" are believed */
        uint32_t most;  /* devices behind one */
        size_t room;    /* octets of one answer with an inventory */

        pthread_mutex_t lock;         /* over what follows */
        int64_t poked[GATEWAY_POKES]; /* devices that may have new jobs */
        size_t n_poked;
        bool scan;       /* all queued jobs are to be looked through, */
        int64_t scanned; /* down from this one; 0: all */
        uint64_t behind; /* devices behind gateways, counted when they were many; 0: never */
        int64_t counted; /* when that was */
        /* ---- the thread's own */
        odm_arena read_arena; /* what the answer of job read_job has */
        int64_t read_job;
        gateway_record *read;
        size_t n_read, n_refused;
        odm_str *read_names; /* or the keys that it has */
        size_t n_names;
        bool full;    /* jobs were left where they are, for their gateway had too many */
        odm_str late; /* when what is heard now was, told late; absent: now */
        /* ---- any thread */
        atomic_uint_fast64_t direct, fanned, tasks, ended, loads;
} gateways;

/* The device may have jobs that nobody has taken.  Any thread. */
void gateway_poke(gateways *s, int64_t device);
void gateway_unpoke(gateways *s, int64_t device);

/* ---- gateway_child.c ------------------------------------------------------------------------ */

/* The gateway `g`, whose row is made when it is new. */
ODM_MUST_USE int gateway_known(gateways *s, fleet_turn *t, const store_device *g, gateway_row *out);
/* `fields` of the row become as in *r; lenient. */
ODM_MUST_USE int gateway_patch(fleet_turn *t, const gateway_row *r, uint64_t fields);
/* Whether anybody believes the device that it is a gateway. */
bool gateway_allowed(const gateways *s, const store_device *g);
/* The device `d` is behind `g` as the record says. */
ODM_MUST_USE int gateway_take(gateways *s, fleet_turn *t, const store_device *g,
                              const gateway_row *row, const store_device *d,
                              const gateway_record *r);
/* How many devices more the gateway may have behind it. */
ODM_MUST_USE int gateway_places(gateways *s, int64_t gateway, size_t *out);
/* A device for the record, in one of `places`; it is told by device.created.  *made: false when
 * there is no room, or no name. */
ODM_MUST_USE int gateway_make(gateways *s, fleet_turn *t, const store_device *g,
                              const gateway_record *r, size_t *places, bool *made);
/* The State that was told of a child, and what its device is by that.  One that is asleep is not
 * told to be awake for a moment. */
ODM_MUST_USE int gateway_told(gateways *s, fleet_turn *t, const gateway_child *c, uint32_t state,
                              const char *reason);
/* The device has called by itself, and is reached so from now on; device.placed tells the rest. */
ODM_MUST_USE int gateway_leave(gateways *s, fleet_turn *t, const store_device *d,
                               const gateway_child *was);
/* A page of the gateway's sweep. */
ODM_MUST_USE int gateway_sweep_page(gateways *s, fleet_turn *t, gateway_row *row);

/* ---- gateway_list.c ------------------------------------------------------------------------- */

/* A record is to be read before its device is taken. */
ODM_MUST_USE int gateway_want_put(fleet_turn *t, const gateway_want *w);
/* Does a piece of what the row wants; *again: there is more. */
ODM_MUST_USE int gateway_list_work(gateways *s, fleet_turn *t, gateway_row *row, bool *again);
/* The answer of an inventory or a look has come. */
ODM_MUST_USE int gateway_list_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job,
                                    bool done, odm_str reason);
void gateway_list_forget(gateways *s);

/* ---- gateway_early.c ------------------------------------------------------------------------ */

/* An alert of a device that was not known when it came: kept, or told. */
ODM_MUST_USE int gateway_early_heard(gateways *s, fleet_turn *t, const fleet_event *ev);
/* The record of that key was read, or will not be: what is kept of it is told soon. */
ODM_MUST_USE int gateway_early_ripe(gateways *s, fleet_turn *t, int64_t gateway, odm_str key);
/* The same for all that is kept of the gateway, a page; *any: there was some. */
ODM_MUST_USE int gateway_early_all_ripe(gateways *s, fleet_turn *t, int64_t gateway, bool *any);
/* A page of what is ripe; *again: there was some. */
ODM_MUST_USE int gateway_early_tell(gateways *s, fleet_turn *t, bool *again);

/* ---- gateway_values.c ----------------------------------------------------------------------- */

/* Values that the gateway tells of devices behind it become samples of theirs; others are left
 * out.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int gateway_values(gateways *s, fleet_turn *t, int64_t gateway, odm_str doc);

/* ---- gateway_image.c ------------------------------------------------------------------------- */

ODM_MUST_USE int gateway_image_put(fleet_turn *t, const gateway_image *i);
/* It is at its gateway, or is not, for the reason; which is told. */
ODM_MUST_USE int gateway_image_now(fleet_turn *t, const gateway_image *known, bool ready,
                                   odm_str why);
/* The gateway says by itself that it has lost a package, or has it again. */
ODM_MUST_USE int gateway_image_told(gateways *s, fleet_turn *t, const fleet_event *ev);

/* ---- gateway_go.c ---------------------------------------------------------------------------- */

/* Takes jobs of devices behind one gateway; *again: it did something. */
ODM_MUST_USE int gateway_go(gateways *s, fleet_turn *t, bool *again);
/* How many jobs more the gateway may have of us: a tenth is left for whoever wants something of the
 * gateway itself. */
ODM_MUST_USE int gateway_room(const gateways *s, odm_arena *a, int64_t gateway, size_t *out);
/* A page of those that wait for an image which is there now, or will not be; *more. */
ODM_MUST_USE int gateway_go_loaded(gateways *s, fleet_turn *t, const gateway_row *row, bool *more);
/* Looks through a page of queued jobs; *again: there is another. */
ODM_MUST_USE int gateway_scan(gateways *s, fleet_turn *t, bool *again);
/* A task for the gateway, and its job; row->serial counts it, and the caller writes that.  Takes
 * `commands`; NULL: out of memory. */
typedef struct gateway_new {
        gateway_form form;
        json_t *commands;
        bool atomic;
        int32_t priority;
        int64_t deadline;
        uint32_t attempts;
        odm_str image, actor;
} gateway_new;
ODM_MUST_USE int gateway_task_new(fleet_turn *t, gateway_row *row, const gateway_new *n,
                                  int64_t *id);
/* The row's serial goes into the batch, which is undone when somebody else has counted. */
ODM_MUST_USE int gateway_count(fleet_turn *t, const gateway_row *row, int64_t before,
                               uint64_t fields);

/* ---- gateway_task.c --------------------------------------------------------------------------- */

bool gateway_job_over(store_job_state s);
/* Not lenient: what follows from it must not happen without it.  Its end is told. */
ODM_MUST_USE int gateway_job_move(fleet_turn *t, const store_job *j, uint32_t from,
                                  store_job_state to, const char *reason);
ODM_MUST_USE int gateway_relay_put(fleet_turn *t, const gateway_relay *r);
ODM_MUST_USE int gateway_relay_drop(fleet_turn *t, const gateway_relay *r);
ODM_MUST_USE int gateway_task_drop(fleet_turn *t, int64_t gateway, int64_t id);
/* The clock looks whether the task is still wanted (gateway_tasks_look()). */
ODM_MUST_USE int gateway_task_look(fleet_turn *t, int64_t gateway, int64_t id);
/* The relays that a task was made for. */
ODM_MUST_USE int gateway_members(gateways *s, odm_arena *a, int64_t gateway, int64_t task,
                                 store_rows *out);

/* ---- gateway_end.c ---------------------------------------------------------------------------- */

/* A job of ours at a gateway has ended. */
ODM_MUST_USE int gateway_task_ended(gateways *s, fleet_turn *t, const fleet_event *ev, int64_t id);
/* Results of a fan-out. */
ODM_MUST_USE int gateway_results(gateways *s, fleet_turn *t, const fleet_event *ev);

/* ---- gateway_back.c --------------------------------------------------------------------------- */

/* The job goes back into the queue, for another way; `why` for people. */
ODM_MUST_USE int gateway_put_back(gateways *s, fleet_turn *t, const gateway_relay *r,
                                  const char *why);
/* A relayed job was ended by somebody else. */
ODM_MUST_USE int gateway_withdrawn(gateways *s, fleet_turn *t, int64_t device, int64_t job);
/* All of a device: it is behind another gateway now, or behind none.  What had begun and must not
 * be done twice fails. */
ODM_MUST_USE int gateway_put_back_all(gateways *s, fleet_turn *t, int64_t device);
/* The gateway was to take an Exec back whose device has left: where it has, the Exec is done behind
 * the other gateway. */
ODM_MUST_USE int gateway_stop_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job);
/* A task of which relays were taken out: is it still wanted?  A page; *again. */
ODM_MUST_USE int gateway_tasks_look(gateways *s, fleet_turn *t, bool *again);

#endif
