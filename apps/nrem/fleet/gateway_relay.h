/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_relay.h - the commands of a device as its gateway takes them.
 *
 *     as they are, below the mount point     ./DevDetail/FwV -> ./GwDev/d0001/DevDetail/FwV
 *     as a fan-out task, of one or of many   <SyncBody>..</SyncBody>, which waits for sleepers
 *
 * Pure but for the arena.  Facts: gwmo.md 6, 8, 9. */
#ifndef NREM_GATEWAY_RELAY_H
#define NREM_GATEWAY_RELAY_H

#include <jansson.h>

#include "gateway_row.h"
#include "job_codec.h"
#include "package.h"

#define GATEWAY_TARGETS 100   /* devices of one task */
#define GATEWAY_TASK_CMDS 250 /* commands of one: odm/fanout.h has its ceiling */
#define GATEWAY_BODY_MAX ((size_t)512 << 10)

typedef struct gateway_way { /* what is known of the device and its gateway */
        bool asleep;         /* or was found so */
        bool sleeps;         /* it does now and then */
        bool tasks;          /* the gateway has fan-outs, as far as is known */
        bool fresh;          /* what the gateway knows of it is no answer to a read */
} gateway_way;

/* How a job goes.  -1: it cannot go through a gateway, and *why says the reason. */
int gateway_form_of(const job_commands *all, const gateway_way *w, const char **why);

/* The array of commands with all addresses below the device's mount point; NULL: memory is out, or
 * one of them is no address. */
json_t *gateway_commands(const json_t *commands, odm_str key, odm_arena *a);

/* The package whose content an order has a device fetch from us: the first text that is a link to
 * one.  True with the link's text, borrowed from the list. */
bool gateway_link_find(const json_t *commands, odm_str *link, package_path *out);

/* The commands as text of a Cmds leaf.  CmdIDs are their numbers in `all`, from 1; those whose
 * `skip` is true (NULL: none) are left out, and correlators too.  `link`, where it is not absent,
 * becomes {LocalURL:image} wherever a value is that.  In `a`.  0, ODM_EMALFORMED: XML cannot carry
 * it; ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int gateway_body(const job_commands *all, const bool *skip, odm_str link,
                              odm_str image, odm_arena *a, odm_str *out);

/* Whether any of the commands has data that readers of the job are not shown. */
bool gateway_has_secret(const json_t *commands);

typedef struct gateway_order { /* a task for a gateway */
        int64_t id;
        const odm_str *targets; /* DeviceIDs */
        const odm_str *keys;    /* and the devices' keys, by which they are called */
        size_t n_targets;
        uint32_t parallel; /* devices at once; 0: as the gateway likes */
        odm_str body;
        int64_t expire;   /* ms since 1970 */
        int32_t priority; /* of the job */
        bool secret;      /* `body` is not for readers of the job */
        bool grouped;     /* results by outcome; else each device by itself */
        uint32_t window;  /* s: so often what is known by then; 0: at the end */
} gateway_order;
/* Commands that make the task and start it, as JSON; those that end it, and take it away; those
 * that take one device out of it; and, when it is over, those that take it away.  NULL: memory is
 * out.
 */
json_t *gateway_task_make(const gateway_order *o);
json_t *gateway_task_stop(int64_t id);
json_t *gateway_target_stop(int64_t id, odm_str key);
/* Takes back the Exec that waits for its device at the gateway; NULL also when the commands have
 * none, or more than one: then nothing is certain. */
json_t *gateway_exec_stop(const job_commands *all);
json_t *gateway_task_clear(int64_t id);
/* The number of the task in a Source or TaskID; 0: it is none of ours. */
int64_t gateway_task_number(odm_str uri);

/* Commands that have an image fetched from `url`. */
json_t *gateway_image_load(const package *p, odm_str url);
/* A Get of all records, or of those with these keys. */
json_t *gateway_inventory_get(const odm_str *keys, size_t n);
/* Those that have all get the keys alone; NULL: out of memory. */
ODM_MUST_USE json_t *gateway_names_get(void);

/* What an alert that ends an Exec of `uri` is called, for its result code; absent: not known. */
odm_str gateway_alert_of(odm_str uri);
/* The node that such an alert comes from, when a device sends it itself. */
odm_str gateway_alert_source(odm_str uri);

#endif
