/* SPDX-License-Identifier: Apache-2.0 */
/* xrem health: whether the server can do its work. */
#include <stdio.h>

#include "commands.h"
#include "fields.h"

int xrem_run_health(xrem *c, const xrem_args *a)
{
        static const xrem_col cols[] = {{.head = "", .keep = true}, {.head = ""}};
        xrem_ask ask = {.method = "GET", .path = "/api/v1/health", .any_status = true};
        json_t *j = NULL, *value;
        const char *key;
        int rc = xrem_api(c, &ask, &j);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        odm_str status = xrem_json_str(j, "status");
        if (status.p == NULL)
                return xrem_fail(XREM_UNREACHABLE, "%s does not answer as nremd does",
                                 c->set.server);
        bool ok = odm_str_is(status, "ok");
        if (c->set.json) {
                rc = xrem_print_json(json_incref(j));
                return rc == XREM_OK && !ok ? XREM_REFUSED : rc;
        }
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));
        xrem_cell head[] = {CELL_IN(odm_cstr(c->set.server), XREM_BOLD),
                            CELL_IN(status, ok ? XREM_GREEN : XREM_RED)};
        xrem_table_row(t, head);
        json_object_foreach(json_object_get(j, "checks"), key, value)
        {
                xrem_cell cells[] = {CELL(odm_cstr(key)), CELL(odm_cstr(json_string_value(value)))};

                xrem_table_row(t, cells);
        }
        xrem_table_print(t, false);
        return ok ? XREM_OK : XREM_REFUSED;
}
