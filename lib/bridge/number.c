/* SPDX-License-Identifier: Apache-2.0 */
/* States, results and codes of one world in the other (lwm2m.md 5.1, 5.2). */
#include "inner.h"

struct pair {
        int64_t from;
        unsigned to;
};

static unsigned find(const struct pair *v, size_t n, int64_t key, unsigned otherwise)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].from == key)
                        return v[i].to;
        return otherwise;
}
#define FIND(table, key, otherwise) find(table, ODM_COUNT(table), key, otherwise)

unsigned odm_bridge_status(unsigned coap)
{
        static const struct pair v[] = {{0, 408},   {201, 200}, {202, 200}, {204, 200}, {205, 200},
                                        {400, 400}, {401, 425}, {402, 400}, {403, 403}, {404, 404},
                                        {405, 405}, {406, 406}, {408, 400}, {412, 400}, {413, 413},
                                        {415, 415}, {500, 500}, {501, 406}, {503, 503}};

        return FIND(v, coap, coap >= 200 && coap < 300 ? 200 : coap >= 500 ? 500 : 400);
}

unsigned odm_bridge_fumo_state(int64_t state, int64_t result)
{
        static const struct pair idle[] = {{0, 10}, {1, 100}, {8, 80}};

        switch (state) {
        case 1: return 30;
        case 2: return result == 8 || result == 5 || result == 6 ? 70 : 50;
        case 3: return 60;
        default: return FIND(idle, result, 20);
        }
}

unsigned odm_bridge_fumo_result(int64_t result)
{
        static const struct pair v[] = {{0, 0},   {1, 200}, {2, 501}, {3, 501}, {4, 503},
                                        {5, 402}, {6, 405}, {7, 411}, {8, 410}, {9, 408}};

        return FIND(v, result, 409);
}

unsigned odm_bridge_scomo_status(int64_t state)
{
        static const struct pair v[] = {{0, 10}, {1, 30}, {2, 40}, {3, 40}, {4, 0}};

        return FIND(v, state, 10);
}

unsigned odm_bridge_scomo_result(int64_t result, odm_scomo_phase phase)
{
        static const struct pair v[] = {{0, 0},     {1, 0},     {2, 1200},  {3, 1200},  {50, 1404},
                                        {51, 1404}, {52, 1402}, {53, 1402}, {54, 1413}, {56, 1402},
                                        {57, 1400}, {58, 1405}, {59, 1408}};

        if (phase == ODM_PHASE_INSTALL && result == 3)
                return 0;
        if (phase == ODM_PHASE_INSTALL && result == 51)
                return 1406;
        return FIND(v, result, 1412);
}

unsigned odm_bridge_lock_state(int64_t state)
{
        static const struct pair v[] = {{0, 30}, {1, 20}, {2, 10}};

        return FIND(v, state, 0);
}

unsigned odm_bridge_lock_result(int64_t result)
{
        static const struct pair v[] = {{0, 0},    {1, 1200}, {2, 1200}, {3, 1200}, {4, 1201},
                                        {5, 1403}, {6, 1402}, {7, 1404}, {8, 1405}};

        return FIND(v, result, 1400);
}

const char *odm_lw_verb_name(odm_lw_verb v)
{
        static const char *const names[] = {
                [ODM_LW_READ] = "Read",
                [ODM_LW_DISCOVER] = "Discover",
                [ODM_LW_WRITE] = "Write",
                [ODM_LW_UPDATE] = "Write (partial)",
                [ODM_LW_ATTRS] = "Write-Attributes",
                [ODM_LW_EXECUTE] = "Execute",
                [ODM_LW_CREATE] = "Create",
                [ODM_LW_DELETE] = "Delete",
                [ODM_LW_OBSERVE] = "Observe",
                [ODM_LW_CANCEL] = "Cancel",
                [ODM_LW_READ_COMPOSITE] = "Read-Composite",
                [ODM_LW_WRITE_COMPOSITE] = "Write-Composite",
                [ODM_LW_STAGE] = "Stage",
        };
        return (unsigned)v < ODM_COUNT(names) ? names[v] : "?";
}
