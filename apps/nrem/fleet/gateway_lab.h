/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_lab.h - what tests of gateways share: what gateways tell, written by hand, and what
 * becomes of their jobs.  What goes wrong fails the test; what is returned as text lives as long
 * as the stage. */
#ifndef NREM_GATEWAY_LAB_H
#define NREM_GATEWAY_LAB_H

#include "gateway_part.h"
#include "stage.h"

#define LAB_DAY INT64_C(86400000)
#define LAB_DETACHED "urn:oma:at:oma-gwmo:devicedetached:1.0"
#define LAB_STATE "urn:oma:at:x-xrem-gw:1.0:DeviceState"
#define LAB_RECORD(key) "./GwMO/Inventory/Records/" key
#define LAB_GET_FWV "[{\"cmd\":\"get\",\"uri\":\"./DevDetail/FwV\"}]"
#define LAB_LEAF(name, value)                                                                     \
        "<Node><NodeName>" name "</NodeName><RTProperties><Format><chr/></Format></RTProperties>" \
        "<Value>" value "</Value></Node>"

/* Alarms, gateways, presence and the table of packages, on day 100. */
void lab_begin(stage *s);
void lab_run(stage *s); /* until nothing is left to do */

/* Devices that call: gateways that an operator trusts, or with these tags. */
int64_t lab_gateway(stage *s, const char *name);
int64_t lab_gateway_tagged(stage *s, const char *name, const char *tags);
/* A gateway with meters d1 .. dN ("urn:NAME:1" ..) behind it, whose ids are given. */
int64_t lab_meters(stage *s, const char *name, unsigned n, int64_t *ids);
store_device lab_device(stage *s, int64_t id);
store_device_state lab_state(stage *s, int64_t id);
int64_t lab_by_devid(stage *s, const char *devid); /* or 0 */
gateway_child lab_child(stage *s, int64_t id);
void lab_set_state(stage *s, int64_t id, store_device_state to, const char *kind);
void lab_put_account(stage *s, int64_t id);

/* What a gateway tells, and what follows from it. */
void lab_alert(stage *s, int64_t gw, const char *type, const char *source, const char *data);
void lab_tells(stage *s, int64_t gw, const char *key, const char *state);
void lab_attach(stage *s, int64_t gw, const char *key, const char *id);
void lab_attach_as(stage *s, int64_t gw, const char *key, const char *id, int mode, int64_t at);
void lab_detach(stage *s, int64_t gw, const char *key, const char *id, unsigned reason);
void lab_results(stage *s, int64_t gw, int64_t task, const char *entries);

/* It is asked for its inventory; what it answers to that, a record of it, and to the question for
 * one record. */
void lab_sync(stage *s, int64_t gw);
void lab_inventory(stage *s, int64_t gw, const char *records);
const char *lab_record(stage *s, const char *key, const char *id, const char *state);
const char *lab_record_at(stage *s, const char *key, const char *id, const char *state,
                          int64_t seen);
void lab_looked(stage *s, int64_t gw, const char *key, const char *id);

/* Jobs of a device: of a kind ("test" otherwise), with a deadline, and the same for many, after
 * which the gateway has what it is given for them (`jobs`: their ids, or NULL). */
int64_t lab_order_kind(stage *s, const char *kind, int64_t device, const char *commands,
                       int64_t deadline);
int64_t lab_order_with(stage *s, int64_t device, const char *commands, int64_t deadline);
int64_t lab_order(stage *s, int64_t device, const char *commands);
void lab_orders(stage *s, const int64_t *devices, unsigned n, const char *commands, int64_t *jobs);
store_job lab_job(stage *s, int64_t id);
store_job_state lab_job_state(stage *s, int64_t id);
unsigned lab_open_jobs(stage *s, int64_t device);

/* The oldest job of a gateway that nobody has begun: whether there is one; it; it, with `what` in
 * its commands; and the task that it makes there. */
bool lab_open_job(stage *s, int64_t device, store_job *out);
store_job lab_carrier(stage *s, int64_t gw);
store_job lab_carries(stage *s, int64_t gw, const char *what);
int64_t lab_task_of(const store_job *k);
/* A job ends, or goes on, as a session would leave it: the job, or the oldest of the gateway. */
void lab_ends(stage *s, const store_job *j, store_job_state to);
void lab_ends_with(stage *s, const store_job *j, store_job_state to, const store_result *v,
                   size_t n);
void lab_answers(stage *s, int64_t gw, unsigned status, const char *uri, const char *data);

bool lab_says(odm_str text, const char *z);

#endif
