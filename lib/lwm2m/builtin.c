/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in objects as tables, made of objects.def read twice: resources, then objects. */
#include "odm/lwm2m.h"

#define TEXT(z)                  \
        {                        \
                z, sizeof(z) - 1 \
        }
#define MANY_S false
#define MANY_M true
#define R ODM_LW_R
#define W ODM_LW_W
#define E ODM_LW_E

/* clang-format off */
#define OBJECT(number, title, ver, name, instances, must) \
        static const odm_lw_resource resources_##number[] = {
#define RES(number, title, operations, instances, must, kind, unit) \
        {.id = (number), .ops = (operations), .type = ODM_LW_T_##kind, .multiple = MANY_##instances, \
         .mandatory = (must), .name = TEXT(title), .units = TEXT(unit)},
#define END(number) };
#include "objects.def"
#undef OBJECT
#undef RES
#undef END

#define OBJECT(number, title, ver, identifier, instances, must) \
        {.id = (number), .name = TEXT(title), .urn = TEXT(identifier), .version = TEXT(ver), \
         .multiple = MANY_##instances, .mandatory = (must), .v = resources_##number, \
         .n = ODM_COUNT(resources_##number)},
#define RES(number, title, operations, instances, must, kind, unit)
#define END(number)
const odm_lw_object odm_lw_builtin[] = {
#include "objects.def"
};
/* clang-format on */

const size_t odm_lw_builtin_n = ODM_COUNT(odm_lw_builtin);
