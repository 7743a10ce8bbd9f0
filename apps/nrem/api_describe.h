/* SPDX-License-Identifier: Apache-2.0 */
/* api_describe.h - what descriptions (DDF) say of the nodes of an answer. */
#ifndef NREM_API_DESCRIBE_H
#define NREM_API_DESCRIBE_H

#include "call.h"

/* Adds title, description, access and scope to each of `nodes` (objects with uri, and perhaps type
 * and format) that has a description, and the format to those without one.  `root` is the first
 * node's URI; what stands above it is looked up in the device's mirror.  Reads the store: on the
 * loop or a listener's thread.  0, or what the store says, ODM_ENOMEM. */
ODM_MUST_USE int describe_nodes(call *c, int64_t device, odm_str root, json_t *nodes);

#endif
