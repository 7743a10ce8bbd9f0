/* SPDX-License-Identifier: Apache-2.0 */
/* trigger_part.h - the rows of ./GwMO/EDTrigger. */
#ifndef GREM_TRIGGER_PART_H
#define GREM_TRIGGER_PART_H

#include "gateway.h"

extern const store_table gw_table_trigger;

#endif
