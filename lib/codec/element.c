/* SPDX-License-Identifier: Apache-2.0 */
#include "element.h"

static const char *const names[ELEMENTS] = {
#define X(page, token, name) [E##page##_##name] = #name,
        ELEMENT_LIST(X)
#undef X
};

static const uint8_t sorted[] = {
#define X(page, token, name) E##page##_##name,
        ELEMENT_LIST(X)
#undef X
};

/* Where the names of each page begin in `sorted`, and where the last page ends. */
enum {
#define X(page, token, name) AT_##page##_##name,
        ELEMENT_LIST(X)
#undef X
                AT_END
};
static const uint8_t from[PAGES + 1] = {AT_0_Add, AT_1_Anchor, AT_2_ACL, AT_END};

/* Mostly the first octets differ, which no call of strncmp() would repay. */
static inline int compare(const char *name, size_t n, const char *with)
{
        for (size_t i = 0; i < n; i++)
                if (name[i] != with[i] || with[i] == '\0')
                        return (unsigned char)name[i] < (unsigned char)with[i] ? -1 : 1;
        return -(with[n] != '\0');
}

unsigned odm_element_find(unsigned page, const char *name, size_t n)
{
        unsigned low = from[page], high = from[page + 1];

        while (low < high) {
                unsigned mid = (low + high) / 2;
                int d = compare(name, n, names[sorted[mid]]);
                if (d == 0)
                        return sorted[mid];
                if (d < 0)
                        high = mid;
                else
                        low = mid + 1;
        }
        return E_NONE;
}

const char *odm_element_name(unsigned id)
{
        return id < ELEMENTS ? names[id] : NULL;
}
