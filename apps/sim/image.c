/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <string.h>

#define LINE_MAX_TEXT 200 /* of the head */
#define LINES 16

/* "name: value" of the next line; false when that is none. */
static bool next_line(odm_str *rest, odm_str *name, odm_str *value)
{
        odm_str head = odm_str_to(*rest, LINE_MAX_TEXT);
        const char *end = head.n ? memchr(head.p, '\n', head.n) : NULL;
        odm_str line = odm_str_to(head, end ? (size_t)(end - head.p) : head.n);
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

        if (!colon || (!end && rest->n > head.n))
                return false;
        *name = odm_str_to(line, (size_t)(colon - line.p));
        *value = odm_str_trim(odm_str_from(line, name->n + 1));
        *rest = odm_str_from(*rest, line.n + 1);
        return true;
}

static bool is_word(odm_str v, size_t room)
{
        for (size_t i = 0; i < v.n; i++)
                if ((unsigned char)v.p[i] <= ' ' || (unsigned char)v.p[i] >= 0x7f)
                        return false;
        return v.n > 0 && v.n < room;
}

int image_read(odm_str file, image *out)
{
        image m = {{0}};
        odm_str name, value;

        for (int i = 0; i < LINES && next_line(&file, &name, &value); i++) {
                if (odm_str_is(name, "version")) {
                        if (!is_word(value, IMAGE_VERSION))
                                return ODM_EMALFORMED;
                        memcpy(m.version, value.p, value.n);
                        m.version[value.n] = '\0';
                } else if (odm_str_is(name, "model")) {
                        m.model = value;
                } else if (odm_str_is(name, "hardware")) {
                        m.hardware = value;
                } else if (odm_str_is(name, "component")) {
                        if (!is_word(value, IMAGE_COMPONENT))
                                return ODM_EMALFORMED;
                        m.component = value;
                } else if (!m.version[0]) {
                        break; /* somebody else's file that happens to have a colon */
                }
        }
        if (m.version[0] == '\0')
                m.model = m.hardware = m.component = ODM_ABSENT;
        *out = m;
        return 0;
}
