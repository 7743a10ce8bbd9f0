/* SPDX-License-Identifier: Apache-2.0 */
/* xrem job: the work the server has for devices. */
#include <stdio.h>

#include "commands.h"
#include "fields.h"
#include "job.h"
#include "odm/msg.h"

#define NESTED 8 /* sequences in sequences */

static const xrem_field shown[] = {
        {"Job", "id", false},           {"Device", "device", false},  {"State", "state", false},
        {"Reason", "reason", false},    {"Atomic", "atomic", false},  {"Made by", "actor", false},
        {"Created", "created", true},   {"Started", "started", true}, {"Ended", "ended", true},
        {"Deadline", "deadline", true}, {"Tries", "attempts", false}, {"Session", "session", false},
        {"Route", "route", false},
};

int xrem_run_job_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Job", .keep = true}, "id", false, false},
                {{.head = "Device"}, "device", false, false},
                {{.head = "State", .keep = true}, "state", false, true},
                {{.head = "Kind"}, "kind", false, false},
                {{.head = "Tries", .right = true}, "attempts", false, false},
                {{.head = "Created"}, "created", true, false},
                {{.head = "Reason"}, "reason", false, false},
        };
        const char *path = a->n_words ? xrem_device_path(c, a->word[0], "/jobs") : "/api/v1/jobs";
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 20, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, xrem_query(c, path, "state", xrem_value(a, "state")), limit,
                                   &items);
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no jobs");
}

/* ---- one job -------------------------------------------------------------------------- */

static odm_str status_text(xrem *c, const json_t *cmd)
{
        long long status = xrem_json_int(cmd, "status", 0);
        const char *text = xrem_json_z(cmd, "status_text");

        if (status == 0)
                return ODM_STR("");
        if (text == NULL)
                text = odm_status_text((unsigned)status);
        return xrem_str(c, "%lld %s", status, text);
}

static void add_commands(xrem *c, xrem_table *t, const json_t *list, unsigned depth)
{
        for (size_t i = 0; i < json_array_size(list) && depth < NESTED; i++) {
                const json_t *cmd = json_array_get(list, i);
                const json_t *results = json_object_get(cmd, "results");
                long long status = xrem_json_int(cmd, "status", 0);
                odm_str uri = xrem_json_str(cmd, "uri"), value = xrem_node_text(c, cmd);
                enum xrem_colour colour = xrem_succeeded((unsigned)status) ? XREM_GREEN : XREM_RED;

                if (json_array_size(results) == 1)
                        value = xrem_node_text(c, json_array_get(results, 0));
                if (json_array_size(results) > 1)
                        value = xrem_str(c, "(%zu nodes)", json_array_size(results));
                xrem_cell cells[] = {
                        CELL_IN(xrem_json_str(cmd, "cmd"), XREM_BOLD),
                        CELL(uri.p ? uri : ODM_STR("")),
                        CELL_IN(status_text(c, cmd), status ? colour : XREM_PLAIN),
                        CELL(value),
                };
                xrem_table_node(t, depth, cells);
                add_commands(c, t, json_object_get(cmd, "commands"), depth + 1);
        }
}

static void print_history(xrem *c, const json_t *list)
{
        if (json_array_size(list))
                printf("\n%sHistory%s\n", xrem_colour(c, XREM_BOLD), xrem_colour(c, XREM_PLAIN));
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *h = json_array_get(list, i);

                printf("%s  %s\n", xrem_z(c, xrem_json_str(h, "time")),
                       xrem_visible(c, xrem_json_str(h, "text"), false).p);
        }
}

static int show(xrem *c, json_t *job)
{
        static const xrem_col cols[] = {{.head = "Command", .keep = true},
                                        {.head = "Node"},
                                        {.head = "Status"},
                                        {.head = "Value"}};

        if (c->set.json)
                return xrem_print_json(json_incref(job));
        xrem_fields_print(c, job, shown, ODM_COUNT(shown));
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));
        add_commands(c, t, json_object_get(job, "commands"), 0);
        if (xrem_table_rows(t)) {
                putchar('\n');
                xrem_table_print(t, true);
        }
        print_history(c, json_object_get(job, "history"));
        return XREM_OK;
}

static int ask_job(xrem *c, const char *method, bool changes, const char *id)
{
        xrem_ask ask = {.method = method,
                        .path = xrem_fmt(c, "/api/v1/jobs/%s", xrem_escape(c, id))};
        json_t *job = NULL;
        int rc = xrem_api(c, &ask, &job);

        if (rc == XREM_OK && changes && xrem_terse(c, NULL))
                return XREM_OK;
        return rc == XREM_OK ? show(c, job) : rc;
}

int xrem_run_job_show(xrem *c, const xrem_args *a)
{
        return ask_job(c, "GET", false, a->word[0]);
}

int xrem_run_job_cancel(xrem *c, const xrem_args *a)
{
        return ask_job(c, "DELETE", true, a->word[0]);
}

int xrem_run_job_watch(xrem *c, const xrem_args *a)
{
        json_t *job = NULL;
        int rc = xrem_job_wait(c, a->word[0], &job), shown_rc;

        if (rc != XREM_OK)
                return rc;
        shown_rc = show(c, job);
        rc = xrem_job_verdict(c, job);
        return rc == XREM_OK ? shown_rc : rc;
}
