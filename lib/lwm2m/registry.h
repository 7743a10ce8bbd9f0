/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - the registry of objects from inside. */
#ifndef LW_REGISTRY_H
#define LW_REGISTRY_H

#include "lw.h"

struct odm_lw_registry {
        const odm_mem *mem;
        odm_arena text; /* names and resources of what was loaded */
        odm_lw_object *v;
        size_t n, cap;
};

/* Makes room for n more.  0, ODM_ENOMEM, ODM_ELIMIT. */
int odm_lw_registry_room(odm_lw_registry *r, size_t n);
/* Takes a copy of `o`, whose insides are in r->text already, unless a newer one is there.  Its
 * version is digits and dots; there is room. */
void odm_lw_registry_put(odm_lw_registry *r, const odm_lw_object *o);

#endif
