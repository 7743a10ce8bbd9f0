/* SPDX-License-Identifier: Apache-2.0 */
/* The words of SyncML: names of commands, formats and statuses (dm-representation.md
 * 2 and 3, dm-protocol.md 8), and what an Item inherits from its command. */
#include "odm/msg.h"

static const char *const cmd_names[] = {[ODM_CMD_UNKNOWN] = "?",
#define X(id, text) [ODM_CMD_##id] = (text),
                                        ODM_COMMANDS(X)
#undef X
};

const char *odm_cmd_name(odm_cmd c)
{
        return (size_t)c < ODM_COUNT(cmd_names) ? cmd_names[c] : "?";
}

odm_cmd odm_cmd_parse(odm_str name)
{
        for (size_t i = 1; i < ODM_COUNT(cmd_names); i++)
                if (odm_str_is(name, cmd_names[i]))
                        return (odm_cmd)i;
        return ODM_CMD_UNKNOWN;
}

bool odm_cmd_is_foreign(odm_cmd c)
{
        return c >= ODM_CMD_PUT;
}

static const char *const format_names[] = {
        [ODM_FMT_ABSENT] = "chr",
#define X(id, text) [ODM_FMT_##id] = (text),
        ODM_FORMATS(X)
#undef X
                [ODM_FMT_OTHER] = "?",
};

const char *odm_format_name(odm_format f)
{
        return (size_t)f < ODM_COUNT(format_names) ? format_names[f] : "?";
}

odm_format odm_format_parse(odm_str s)
{
        s = odm_str_trim(s);
        for (int f = ODM_FMT_ABSENT + 1; f < ODM_FMT_OTHER; f++)
                if (odm_str_ieq(s, format_names[f]))
                        return (odm_format)f;
        return ODM_FMT_OTHER;
}

const char *odm_status_text(unsigned code)
{
        switch (code) {
#define X(number, id, text) \
        case number: return text;
                ODM_STATUSES(X)
#undef X
        default: return "Status";
        }
}

odm_meta odm_meta_of(const odm_command *cmd, const odm_item *item)
{
        odm_meta m = item->meta;
        const odm_meta *up = &cmd->meta;

        if (!up->present || cmd->kind == ODM_CMD_STATUS)
                return m;
        m.present = true;
        if (m.format == ODM_FMT_ABSENT) {
                m.format = up->format;
                m.format_text = up->format_text;
        }
        if (m.type.p == NULL)
                m.type = up->type;
        if (m.mark.p == NULL)
                m.mark = up->mark;
        if (!m.has_size) {
                m.has_size = up->has_size;
                m.size = up->size;
        }
        return m;
}

uint32_t odm_ref_number(odm_str s)
{
        uint64_t v;

        return odm_str_u64(odm_str_trim(s), INT32_MAX, &v) == 0 ? (uint32_t)v : 0;
}
