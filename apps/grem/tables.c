/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - the rows that the gateway and its parts keep; those of adapters are in their classes.
 */
#include "cache.h"
#include "fanout.h"
#include "images_inner.h"
#include "inner.h"
#include "report.h"
#include "trigger_part.h"

const store_table *const gw_tables[] = {
        &gw_table_device,  /* records */
        &gw_table_north,   /* alerts that the server has not answered */
        &gw_table_cache,   /* what devices said last */
        &gw_table_fanout,  /* orders for many devices */
        &gw_table_target,  /* ... each of these */
        &gw_table_trigger, /* wake-ups that wait */
        &image_table,      /* images that are ready */
        &gw_table_sample,  /* measurements of devices that the server has not been told */
        NULL,
};
