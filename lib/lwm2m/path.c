/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of LwM2M, and the names of its types. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lw.h"

const char *odm_lw_type_name(odm_lw_type t)
{
        static const char *const names[] = {
                [ODM_LW_T_NONE] = "None",       [ODM_LW_T_STRING] = "String",
                [ODM_LW_T_INTEGER] = "Integer", [ODM_LW_T_FLOAT] = "Float",
                [ODM_LW_T_BOOLEAN] = "Boolean", [ODM_LW_T_OPAQUE] = "Opaque",
                [ODM_LW_T_TIME] = "Time",       [ODM_LW_T_OBJLNK] = "Objlnk",
                [ODM_LW_T_CORELNK] = "Corelnk", [ODM_LW_T_UNKNOWN] = "Unknown",
        };
        return (unsigned)t < ODM_COUNT(names) ? names[t] : "?";
}

/* The number at the start of s, up to a slash or the end; *n octets of it. */
static int number(odm_str s, uint16_t *out, size_t *n)
{
        uint64_t v;
        size_t k = 0;

        while (k < s.n && s.p[k] != '/')
                k++;
        if (k == 0 || (k > 1 && s.p[0] == '0'))
                return ODM_EMALFORMED;
        int rc = odm_str_u64(odm_str_to(s, k), ODM_LW_ID_MAX, &v);
        if (rc < 0)
                return rc;
        *out = (uint16_t)v;
        *n = k;
        return 0;
}

int odm_lw_path_parse(odm_str s, odm_lw_path *out)
{
        odm_lw_path p = {0};
        size_t n;

        if (odm_str_starts(s, "/"))
                s = odm_str_from(s, 1);
        while (s.n > 0) {
                if (p.depth == 4)
                        return ODM_EMALFORMED;
                int rc = number(s, &p.id[p.depth], &n);
                if (rc < 0)
                        return rc;
                p.depth++;
                if (n + 1 == s.n) /* a slash and nothing behind it */
                        return ODM_EMALFORMED;
                s = odm_str_from(s, n + 1);
        }
        *out = p;
        return 0;
}

odm_str odm_lw_path_format(odm_lw_path p, char out[ODM_LW_PATH_TEXT])
{
        size_t n = 0;

        assert(p.depth <= 4);
        if (p.depth == 0) {
                memcpy(out, "/", 2);
                return (odm_str){out, 1};
        }
        for (unsigned i = 0; i < p.depth; i++)
                n += (size_t)snprintf(out + n, ODM_LW_PATH_TEXT - n, "/%u", p.id[i]);
        return (odm_str){out, n};
}

bool odm_lw_path_eq(odm_lw_path a, odm_lw_path b)
{
        return a.depth == b.depth && odm_lw_path_below(a, b);
}

bool odm_lw_path_below(odm_lw_path p, odm_lw_path top)
{
        return p.depth >= top.depth && memcmp(p.id, top.id, top.depth * sizeof p.id[0]) == 0;
}

int odm_lw_path_cmp(odm_lw_path a, odm_lw_path b)
{
        for (unsigned i = 0; i < a.depth && i < b.depth; i++)
                if (a.id[i] != b.id[i])
                        return a.id[i] < b.id[i] ? -1 : 1;
        return (a.depth > b.depth) - (a.depth < b.depth);
}

odm_lw_path odm_lw_path_down(odm_lw_path p, uint16_t id)
{
        assert(p.depth < 4);
        p.id[p.depth++] = id;
        return p;
}

odm_lw_path odm_lw_path_to(odm_lw_path p, unsigned depth)
{
        if (depth < p.depth)
                p.depth = (uint8_t)depth;
        return p;
}
