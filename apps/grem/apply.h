/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h - stored configuration, ./GwMO/Config/ConfigData, put onto a device: when it attaches,
 * and when it is healed (gwmo.md 4; xrem.md G4, G10). */
#ifndef GREM_APPLY_H
#define GREM_APPLY_H

#include "gateway.h"

/* `status`: the worst of the commands', 200 when all went well; of the order as a whole, when the
 * device did not answer. */
typedef void (*applied)(void *ctx, gw_device *d, unsigned status);

/* Puts every ConfigData that fits the device, has AutoApply and is of servers with the right to do
 * it there (rights.h) onto it, in the order of their names, as one order.  What a TNDS document has
 * as values is replaced; an Atomic is one as far as the protocol can.  `done` may be NULL, and is
 * not called after the record was removed. 1: begun; 0: there is nothing to apply, and done is not
 * called; ODM_EMALFORMED for what cannot be read, which is logged, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int apply_config(gateway *g, gw_device *d, applied done, void *ctx);

/* The commands it would be, in `a`; NULL for none.  0, ODM_EMALFORMED, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int apply_list(gateway *g, gw_device *d, odm_arena *a, const odm_command **out);

typedef struct applier applier;
/* From now on devices that attach get theirs.  0 or ODM_ENOMEM. */
ODM_MUST_USE int applier_new(gateway *g, applier **out);
void applier_free(applier *a); /* NULL is allowed */

#endif
