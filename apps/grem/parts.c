/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - what makes an agent a gateway. */
#include "inner.h"

/* Others ask for settings of Config, so that it comes first; by part_gwnorth the rest begins. */
const part_class *const gw_parts[] = {
        &part_gwconfig,
        &part_gwinventory,
        &part_gwimages,
        &part_gwmount,
        &part_gwfanout,
        &part_gwtrigger,
        &part_gwnorth,
        &part_gwtraffic,
        &part_gwrecover,
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
