/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - what makes an agent a gateway. */
#include "inner.h"
#include "report.h"

const part_class *const gw_parts[] = {
        &part_gwconfig,    /* ./GwMO/Config: first, since others ask for its settings */
        &part_gwinventory, /* ./GwMO/Inventory */
        &part_gwimages,    /* ./GwMO/ImageInventory */
        &part_gwmount,     /* ./GwDev */
        &part_gwfanout,    /* ./GwMO/Fanout */
        &part_gwtrigger,   /* ./GwMO/EDTrigger */
        &part_gwpolicy,    /* traps of devices start schedules */
        &part_gwreport,    /* measurements, as alerts */
        &part_gwnorth,     /* alerts of all of them */
        &part_gwtraffic,   /* ./DiagMon/Traffic */
        &part_gwrecover,   /* what is damaged */
        NULL,
};

/* ./GwDev has a stored node for each device, and the inventory some forty nodes in a list. */
#define NODES_MAX 65536
#define LIST_MAX 600000

const agent_app gateway_app = {.parts = gw_parts,
                               .program = "gremd",
                               .max_nodes = NODES_MAX,
                               .max_list = LIST_MAX,
                               .over = meter_session};
