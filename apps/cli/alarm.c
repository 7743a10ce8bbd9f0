/* SPDX-License-Identifier: Apache-2.0 */
/* xrem alarm: what is wrong with devices. */
#include <stdio.h>

#include "body.h"
#include "commands.h"
#include "fields.h"

static const char *path_of(xrem *c, const char *id, const char *rest)
{
        return xrem_fmt(c, "/api/v1/alarms/%s%s", xrem_escape(c, id), rest);
}

static void set_text(json_t *o, const char *name, const char *value)
{
        if (value)
                xrem_json_set(o, name, json_string(value));
}

/* ---- shown -------------------------------------------------------------------------- */

int xrem_run_alarm_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Severity", .keep = true}, "severity", false, true},
                {{.head = "Device"}, "device", false, false},
                {{.head = "Cause"}, "cause", false, false},
                {{.head = "Source"}, "source", false, false},
                {{.head = "Text"}, "text", false, false},
                {{.head = "State"}, "state", false, false},
                {{.head = "Count", .right = true}, "count", false, false},
                {{.head = "Seen"}, "seen", true, false},
                {{.head = "By"}, "acknowledged_by", false, false},
        };
        const char *path = "/api/v1/alarms", *state = xrem_value(a, "state");
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        if (!state && !xrem_has(a, "all"))
                state = "active";
        path = xrem_query(c, path, "state", state);
        path = xrem_query(c, path, "severity", xrem_value(a, "severity"));
        path = xrem_query(c, path, "prefix", xrem_value(a, "prefix"));
        path = xrem_query(c, path, "since", xrem_value(a, "since"));
        path = xrem_query(c, path, "acknowledged", xrem_has(a, "unseen") ? "false" : NULL);
        path = xrem_query(c, path, "device", a->n_words ? a->word[0] : NULL);
        if (rc == XREM_OK)
                rc = xrem_api_list(c, path, limit, &items);
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no alarms");
}

static void print_history(xrem *c, const json_t *list)
{
        if (json_array_size(list))
                printf("\n%sHistory%s\n", xrem_colour(c, XREM_BOLD), xrem_colour(c, XREM_PLAIN));
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *h = json_array_get(list, i);
                odm_str text = xrem_json_str(h, "text"), actor = xrem_json_str(h, "actor");

                printf("%s  %s, %s%s%s%s%s\n", xrem_z(c, xrem_json_str(h, "time")),
                       xrem_visible(c, xrem_json_str(h, "what"), false).p,
                       xrem_visible(c, xrem_json_str(h, "severity"), false).p,
                       actor.n ? ", by " : "", actor.n ? xrem_visible(c, actor, false).p : "",
                       text.n ? ": " : "", text.n ? xrem_visible(c, text, false).p : "");
        }
}

static int show(xrem *c, json_t *alarm)
{
        static const xrem_field shown[] = {
                {"Alarm", "id", false},
                {"Device", "device", false},
                {"State", "state", false},
                {"Severity", "severity", false},
                {"Cause", "cause", false},
                {"Source", "source", false},
                {"Text", "text", false},
                {"Event type", "event_type", false},
                {"Probable cause", "probable_cause", false},
                {"Count", "count", false},
                {"Raised", "raised", true},
                {"Raised by", "raised_by", false},
                {"Seen", "seen", true},
                {"Cleared", "cleared", true},
                {"Acknowledged", "acknowledged", false},
                {"By", "acknowledged_by", false},
                {"At", "acknowledged_at", true},
        };

        if (c->set.json)
                return xrem_print_json(json_incref(alarm));
        xrem_fields_print(c, alarm, shown, ODM_COUNT(shown));
        print_history(c, json_object_get(alarm, "history"));
        return XREM_OK;
}

int xrem_run_alarm_show(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "GET", .path = path_of(c, a->word[0], "")};
        json_t *alarm = NULL;
        int rc = xrem_api(c, &ask, &alarm);

        return rc == XREM_OK ? show(c, alarm) : rc;
}

int xrem_run_alarm_counts(xrem *c, const xrem_args *a)
{
        static const char *const severities[] = {"critical", "major", "minor", "warning",
                                                 "indeterminate"};
        static const xrem_col cols[] = {{.head = "Severity", .keep = true},
                                        {.head = "Active", .right = true},
                                        {.head = "Unacknowledged", .right = true}};
        xrem_ask ask = {
                .method = "GET",
                .path = xrem_query(c, "/api/v1/alarms/counts", "prefix", xrem_value(a, "prefix"))};
        json_t *n = NULL;
        xrem_table *t;
        int rc = xrem_api(c, &ask, &n);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(n));
        t = xrem_table_new(c, cols, ODM_COUNT(cols));
        for (size_t i = 0; i < ODM_COUNT(severities); i++) {
                odm_str name = odm_cstr(severities[i]);
                xrem_cell cells[] = {
                        CELL_IN(name, xrem_state_colour(name)),
                        CELL(xrem_field_text(c, json_object_get(n, "active"), severities[i])),
                        CELL(xrem_field_text(c, json_object_get(n, "unacknowledged"),
                                             severities[i])),
                };
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, true);
        return XREM_OK;
}

/* ---- changed ---------------------------------------------------------------------------- */

/* The same request for each alarm named; stops at the first that fails. */
static int ask_each(xrem *c, const xrem_args *a, const char *method, const char *rest,
                    const json_t *body)
{
        int rc = XREM_OK;

        for (size_t i = 0; rc == XREM_OK && i < a->n_words; i++) {
                xrem_ask ask = {.method = method,
                                .path = path_of(c, a->word[i], rest),
                                .body = json_deep_copy(body)};
                json_t *alarm = NULL;

                rc = xrem_api(c, &ask, &alarm);
                if (rc == XREM_OK && c->set.json)
                        rc = xrem_print_json(json_incref(alarm));
        }
        return rc;
}

static int change_each(xrem *c, const xrem_args *a, const char *method, const char *rest,
                       json_t *body)
{
        int rc = ask_each(c, a, method, rest, body);

        json_decref(body);
        return rc;
}

int xrem_run_alarm_ack(xrem *c, const xrem_args *a)
{
        json_t *o = json_object();

        xrem_json_set(o, "acknowledged", json_boolean(!xrem_has(a, "undo")));
        set_text(o, "comment", xrem_value(a, "comment"));
        return change_each(c, a, "PATCH", "", o);
}

int xrem_run_alarm_clear(xrem *c, const xrem_args *a)
{
        json_t *o = json_object();

        set_text(o, "comment", xrem_value(a, "comment"));
        return change_each(c, a, "POST", "/clear", o);
}

static int change_one(xrem *c, const xrem_args *a, const char *member, const char *value)
{
        xrem_ask ask = {
                .method = "PATCH", .path = path_of(c, a->word[0], ""), .body = json_object()};
        json_t *alarm = NULL;
        int rc;

        set_text(ask.body, member, value);
        rc = xrem_api(c, &ask, &alarm);
        return rc == XREM_OK && c->set.json ? xrem_print_json(json_incref(alarm)) : rc;
}

int xrem_run_alarm_comment(xrem *c, const xrem_args *a)
{
        return change_one(c, a, "comment", a->word[1]);
}

int xrem_run_alarm_judge(xrem *c, const xrem_args *a)
{
        return change_one(c, a, "severity", a->word[1]);
}

int xrem_run_alarm_raise(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "POST", .path = "/api/v1/alarms", .body = json_object()};
        json_t *alarm = NULL;
        int rc;

        set_text(ask.body, "device", a->word[0]);
        set_text(ask.body, "cause", a->word[1]);
        set_text(ask.body, "source", xrem_value(a, "source"));
        set_text(ask.body, "severity", xrem_value(a, "severity"));
        set_text(ask.body, "text", xrem_value(a, "text"));
        set_text(ask.body, "event_type", xrem_value(a, "type"));
        set_text(ask.body, "probable_cause", xrem_value(a, "probable"));
        rc = xrem_api(c, &ask, &alarm);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(alarm));
        puts(xrem_z(c, xrem_json_str(alarm, "id")));
        return XREM_OK;
}

/* ---- rules ------------------------------------------------------------------------------- */

static void add_rules(xrem_table *t, const json_t *list, const char *whose)
{
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *r = json_array_get(list, i);
                const char *does = json_is_true(json_object_get(r, "ignore"))   ? "ignore"
                                   : json_is_true(json_object_get(r, "clears")) ? "clears"
                                                                                : NULL;
                odm_str alert = xrem_json_str(r, "alert"), cause = xrem_json_str(r, "cause"),
                        said = xrem_json_str(r, "does"), severity = xrem_json_str(r, "severity"),
                        probable = xrem_json_str(r, "probable_cause");
                xrem_cell cells[] = {CELL(odm_cstr(whose)),
                                     CELL(alert.p ? alert : ODM_STR("")),
                                     CELL(does      ? odm_cstr(does)
                                          : said.p  ? said
                                          : alert.p ? ODM_STR("raises")
                                                    : ODM_STR("")),
                                     CELL(cause.p ? cause : ODM_STR("")),
                                     CELL(severity.p ? severity : ODM_STR("")),
                                     CELL(probable.p ? probable : ODM_STR(""))};
                xrem_table_row(t, cells);
        }
}

static int print_rules(xrem *c, const json_t *rules)
{
        static const xrem_col cols[] = {{.head = "Whose", .keep = true},
                                        {.head = "Alert"},
                                        {.head = "Does"},
                                        {.head = "Cause"},
                                        {.head = "Severity"},
                                        {.head = "Probable cause"}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));

        add_rules(t, json_object_get(rules, "rules"), "own");
        add_rules(t, json_object_get(rules, "built_in"), "built in");
        xrem_table_print(t, true);
        return XREM_OK;
}

/* A file with a list of rules becomes a body; NULL after a word on stderr. */
static json_t *read_rules(xrem *c, const char *file, int *rc)
{
        json_t *list = xrem_body_file(c, file, JSON_ARRAY, rc), *o;

        if (!list)
                return NULL;
        o = json_object();
        xrem_json_set(o, "rules", list);
        return o;
}

int xrem_run_alarm_rules(xrem *c, const xrem_args *a)
{
        const char *file = xrem_value(a, "file");
        int rc = XREM_OK;
        json_t *rules = NULL, *body = file ? read_rules(c, file, &rc) : NULL;
        xrem_ask ask = {
                .method = file ? "PUT" : "GET", .path = "/api/v1/alarms/rules", .body = body};

        if (rc != XREM_OK)
                return rc;
        rc = xrem_api(c, &ask, &rules);
        if (rc != XREM_OK)
                return rc;
        return c->set.json ? xrem_print_json(json_incref(rules)) : print_rules(c, rules);
}
