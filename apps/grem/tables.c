/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - the rows that the gateway and its parts keep; those of adapters are in their classes.
 */
#include "cache.h"
#include "fanout.h"
#include "images_inner.h"
#include "inner.h"
#include "trigger_part.h"

const store_table *const gw_tables[] = {
        &gw_table_device,
        &gw_table_north,
        &image_table,
        &gw_table_cache,
        &gw_table_trigger,
        &gw_table_fanout,
        &gw_table_target,
        NULL,
};
