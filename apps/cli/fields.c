/* SPDX-License-Identifier: Apache-2.0 */
/* What devices, jobs, sessions and tokens have in common: members to be shown. */
#include "fields.h"

#include <stdio.h>

odm_str xrem_field_text(xrem *c, const json_t *obj, const char *member)
{
        const json_t *v = json_object_get(obj, member);
        const char *text = "";

        if (json_is_string(v))
                return (odm_str){json_string_value(v), json_string_length(v)};
        if (json_is_integer(v))
                return xrem_str(c, "%lld", (long long)json_integer_value(v));
        if (json_is_real(v))
                return xrem_str(c, "%.6g", json_real_value(v));
        if (json_is_boolean(v))
                return odm_cstr(json_is_true(v) ? "yes" : "no");
        for (size_t i = 0; i < json_array_size(v); i++) {
                const char *word = json_string_value(json_array_get(v, i));

                text = xrem_fmt(c, "%s%s%s", text, *text ? " " : "", word ? word : "?");
        }
        return json_is_array(v) ? odm_cstr(text) : ODM_ABSENT;
}

enum xrem_colour xrem_state_colour(odm_str s)
{
        static const struct {
                const char *word;
                enum xrem_colour colour;
        } states[] = {
                {"active", XREM_GREEN},    {"done", XREM_GREEN},        {"failed", XREM_RED},
                {"expired", XREM_RED},     {"refused", XREM_RED},       {"held", XREM_YELLOW},
                {"cancelled", XREM_RED},   {"deactivated", XREM_RED},   {"queued", XREM_YELLOW},
                {"notified", XREM_YELLOW}, {"in_session", XREM_YELLOW}, {"waiting", XREM_YELLOW},
                {"unreachable", XREM_RED}, {"asleep", XREM_BLUE},       {"critical", XREM_RED},
                {"succeeded", XREM_GREEN}, {"halted", XREM_RED},        {"running", XREM_GREEN},
                {"paused", XREM_YELLOW},   {"skipped", XREM_YELLOW},    {"ordered", XREM_YELLOW},
                {"checking", XREM_YELLOW}, {"delayed", XREM_YELLOW},    {"major", XREM_RED},
                {"minor", XREM_YELLOW},    {"warning", XREM_YELLOW},
        };

        for (size_t i = 0; i < ODM_COUNT(states); i++)
                if (odm_str_is(s, states[i].word))
                        return states[i].colour;
        return XREM_PLAIN;
}

void xrem_fields_print(xrem *c, const json_t *obj, const xrem_field *fields, size_t n)
{
        static const xrem_col cols[] = {{.head = "", .keep = true}, {.head = ""}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));

        for (size_t i = 0; i < n; i++) {
                odm_str v = xrem_field_text(c, obj, fields[i].member);

                if (v.p == NULL)
                        continue;
                if (fields[i].time)
                        v = xrem_str(c, "%s (%s)", xrem_z(c, v), xrem_z(c, xrem_ago(c, v)));
                xrem_cell cells[] = {CELL_IN(odm_cstr(fields[i].label), XREM_BOLD),
                                     CELL_IN(v, xrem_state_colour(v))};
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, false);
}

int xrem_list_print(xrem *c, json_t *items, const xrem_list_col *cols, size_t n, const char *none)
{
        xrem_col heads[XREM_COLS_MAX];
        xrem_cell cells[XREM_COLS_MAX];

        if (c->set.json) {
                json_t *o = json_object();

                xrem_json_set(o, "items", json_incref(items));
                return xrem_print_json(o);
        }
        for (size_t k = 0; k < n; k++)
                heads[k] = cols[k].col;
        xrem_table *t = xrem_table_new(c, heads, n);
        for (size_t i = 0; i < json_array_size(items); i++) {
                const json_t *o = json_array_get(items, i);

                for (size_t k = 0; k < n; k++) {
                        odm_str v = xrem_field_text(c, o, cols[k].member);

                        cells[k] = CELL_IN(cols[k].ago ? xrem_ago(c, v) : v,
                                           cols[k].state ? xrem_state_colour(v) : XREM_PLAIN);
                }
                xrem_table_row(t, cells);
        }
        if (xrem_table_rows(t))
                xrem_table_print(t, true);
        else
                xrem_note(c, "%s", none);
        return XREM_OK;
}
