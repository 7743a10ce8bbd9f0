/* SPDX-License-Identifier: Apache-2.0 */
/* xrem campaign: the same order for many devices. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg.h"
#include "commands.h"
#include "fields.h"
#include "io.h"
#include "package.h"

#define CAMPAIGNS "/api/v1/campaigns"
#define LOOK_MS 300
#define BAR 30

static const char *path_of(xrem *c, const char *id, const char *rest)
{
        return xrem_fmt(c, CAMPAIGNS "/%s%s", xrem_escape(c, id), rest);
}

/* ---- shown ------------------------------------------------------------------------------- */

static long long tally(const json_t *campaign, const char *state)
{
        return xrem_json_int(json_object_get(campaign, "devices"), state, 0);
}

static void print_tallies(xrem *c, const json_t *o)
{
        static const char *const states[] = {"pending",   "delayed", "ordered", "checking",
                                             "succeeded", "failed",  "skipped", "cancelled"};

        printf("\n%sDevices%s\n", xrem_colour(c, XREM_BOLD), xrem_colour(c, XREM_PLAIN));
        for (size_t i = 0; i < ODM_COUNT(states); i++)
                if (tally(o, states[i]))
                        printf("%10lld %s\n", tally(o, states[i]), states[i]);
        printf("%10lld in all\n", tally(o, "all"));
}

static int show(xrem *c, json_t *o)
{
        static const xrem_field shown[] = {
                {"Campaign", "id", false},
                {"Name", "name", false},
                {"State", "state", false},
                {"Reason", "reason", false},
                {"Kind", "kind", false},
                {"Package", "package", false},
                {"Version", "version", false},
                {"URL", "url", false},
                {"Rolls back", "rolls_back", false},
                {"Wave", "wave", false},
                {"Made by", "actor", false},
                {"Approved by", "approved", false},
                {"Created", "created", true},
                {"Started", "started", true},
                {"Ended", "ended", true},
        };

        if (c->set.json)
                return xrem_print_json(json_incref(o));
        xrem_fields_print(c, o, shown, ODM_COUNT(shown));
        print_tallies(c, o);
        return XREM_OK;
}

int xrem_run_campaign_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Name"}, "name", false, false},
                {{.head = "State", .keep = true}, "state", false, true},
                {{.head = "Kind"}, "kind", false, false},
                {{.head = "Done", .right = true}, "done", false, false},
                {{.head = "Failed", .right = true}, "failed", false, false},
                {{.head = "All", .right = true}, "all", false, false},
                {{.head = "Created"}, "created", true, false},
                {{.head = "Reason"}, "reason", false, false},
        };
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 20, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, xrem_query(c, CAMPAIGNS, "state", xrem_value(a, "state")),
                                   limit, &items);
        for (size_t i = 0; rc == XREM_OK && !c->set.json && i < json_array_size(items); i++) {
                json_t *o = json_array_get(items, i);

                xrem_json_set(o, "done", json_integer(tally(o, "succeeded")));
                xrem_json_set(o, "failed", json_integer(tally(o, "failed")));
                xrem_json_set(o, "all", json_integer(tally(o, "all")));
        }
        return rc == XREM_OK ? xrem_list_print(c, items, cols, ODM_COUNT(cols), "no campaigns")
                             : rc;
}

int xrem_run_campaign_show(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "GET", .path = path_of(c, a->word[0], "")};
        json_t *o = NULL;
        int rc = xrem_api(c, &ask, &o);

        return rc == XREM_OK ? show(c, o) : rc;
}

int xrem_run_campaign_devices(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Device", .keep = true}, "device", false, false},
                {{.head = "State", .keep = true}, "state", false, true},
                {{.head = "Wave", .right = true}, "wave", false, false},
                {{.head = "Tries", .right = true}, "tries", false, false},
                {{.head = "Before"}, "before", false, false},
                {{.head = "After"}, "after", false, false},
                {{.head = "Class"}, "class", false, false},
                {{.head = "Reason"}, "reason", false, false},
        };
        const char *path = path_of(c, a->word[0], "/devices");
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, xrem_query(c, path, "state", xrem_value(a, "state")), limit,
                                   &items);
        return rc == XREM_OK ? xrem_list_print(c, items, cols, ODM_COUNT(cols), "no devices") : rc;
}

/* ---- made --------------------------------------------------------------------------------- */

static void put_text(xrem *c, const xrem_args *a, json_t *o, const char *option, const char *name)
{
        if (xrem_value(a, option))
                xrem_json_set(o, name, xrem_json_text(c, odm_cstr(xrem_value(a, option))));
}

/* The values of an option that may be given several times. */
static void put_list(xrem *c, const xrem_args *a, json_t *o, const char *option, const char *name)
{
        json_t *list;
        const char *v;

        if (!xrem_has(a, option))
                return;
        list = json_array();
        for (size_t i = 0; (v = xrem_value_at(a, option, i)); i++)
                xrem_json_push(list, xrem_json_text(c, odm_cstr(v)));
        xrem_json_set(o, name, list);
}

static int put_target(xrem *c, const xrem_args *a, json_t *body)
{
        json_t *o = json_object();

        put_list(c, a, o, "device", "devices");
        put_list(c, a, o, "tag", "tags");
        put_list(c, a, o, "maker", "maker");
        put_list(c, a, o, "model", "model");
        put_text(c, a, o, "prefix", "prefix");
        put_text(c, a, o, "hwv", "hwv");
        put_text(c, a, o, "fwv", "fwv");
        put_text(c, a, o, "swv", "swv");
        bool none = json_object_size(o) == 0;
        xrem_json_set(body, "target", o);
        if (none && !xrem_has(a, "all"))
                return xrem_fail(XREM_USAGE, "which devices?  --device, --prefix, --tag, --maker, "
                                             "--model, --hwv, --fwv, --swv, or --all");
        return XREM_OK;
}

/* A number, or with '%' behind it a share. */
static int put_share(const xrem_args *a, json_t *o, const char *option)
{
        const char *v = xrem_value(a, option);
        uint64_t n;

        if (!v)
                return XREM_OK;
        if (v[0] && v[strlen(v) - 1] == '%')
                xrem_json_set(o, option, json_string(v));
        else if (odm_str_u64(odm_cstr(v), UINT32_MAX, &n) == 0)
                xrem_json_set(o, option, json_integer((json_int_t)n));
        else
                return xrem_fail(XREM_USAGE, "--%s: a number, or a share such as 5%%", option);
        return XREM_OK;
}

static int put_number(const xrem_args *a, json_t *o, const char *option, const char *name)
{
        uint64_t n;
        int rc = xrem_number(a, option, UINT32_MAX, 0, &n);

        if (rc == XREM_OK && xrem_has(a, option))
                xrem_json_set(o, name, json_integer((json_int_t)n));
        return rc;
}

/* "90s", "30m", "2h", "7d" */
static int put_duration(const xrem_args *a, json_t *o, const char *option, const char *name)
{
        const char *v = xrem_value(a, option);
        int64_t ms;

        if (!v)
                return XREM_OK;
        if (cfg_duration_parse(odm_cstr(v), &ms) < 0)
                return xrem_fail(XREM_USAGE, "--%s: a time such as 90s, 30m, 2h, 7d", option);
        xrem_json_set(o, name, json_integer(ms / 1000));
        return XREM_OK;
}

static json_t *days_of(xrem *c, odm_str s)
{
        json_t *list = json_array();

        while (s.n > 0) {
                size_t n = 0;

                while (n < s.n && s.p[n] != ',')
                        n++;
                xrem_json_push(list, xrem_json_text(c, odm_str_to(s, n)));
                s = odm_str_from(s, n + 1);
        }
        return list;
}

/* "22:00-04:00" or "sat,sun 22:00-04:00" */
static int put_windows(xrem *c, const xrem_args *a, json_t *o)
{
        json_t *list = json_array();
        const char *v;

        for (size_t i = 0; (v = xrem_value_at(a, "window", i)); i++) {
                const char *blank = strchr(v, ' '), *times = blank ? blank + 1 : v;
                const char *dash = strchr(times, '-');
                json_t *w = json_object();

                xrem_json_push(list, w);
                if (!dash) {
                        json_decref(list);
                        return xrem_fail(XREM_USAGE,
                                         "--window: such as 22:00-04:00, or 'sat,sun 22:00-04:00'");
                }
                if (blank)
                        xrem_json_set(w, "days", days_of(c, (odm_str){v, (size_t)(blank - v)}));
                xrem_json_set(w, "from",
                              xrem_json_text(c, (odm_str){times, (size_t)(dash - times)}));
                xrem_json_set(w, "until", xrem_json_text(c, odm_cstr(dash + 1)));
        }
        if (json_array_size(list))
                xrem_json_set(o, "windows", list);
        else
                json_decref(list);
        return XREM_OK;
}

static int put_retry(const xrem_args *a, json_t *plan)
{
        json_t *o = json_object();
        int rc = put_number(a, o, "retries", "count");

        if (rc == XREM_OK)
                rc = put_duration(a, o, "retry-delay", "delay");
        if (json_object_size(o))
                xrem_json_set(plan, "retry", o);
        else
                json_decref(o);
        return rc;
}

static int read_json(xrem *c, const char *file, json_t **out)
{
        odm_str text;
        json_error_t e;
        int rc = xrem_read_file(c, file, &text);

        if (rc != XREM_OK)
                return rc;
        *out = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &e);
        if (!*out)
                return xrem_fail(XREM_BAD_INPUT, "%s:%d: %s", file, e.line, e.text);
        return XREM_OK;
}

static int put_plan(xrem *c, const xrem_args *a, json_t *body)
{
        static const struct {
                const char *option, *name;
        } numbers[] = {{"threshold", "threshold"},
                       {"stop-above", "stop_above"},
                       {"stop-least", "stop_least"},
                       {"parallel", "parallel"}},
          times[] = {{"soak", "soak"},
                     {"contact-time", "contact_time"},
                     {"update-time", "update_time"}},
          flags[] = {{"hold", "hold"}, {"join", "join"}, {"approval", "approval"}};
        json_t *o = NULL;
        int rc = xrem_has(a, "plan") ? read_json(c, xrem_value(a, "plan"), &o) : XREM_OK;

        if (rc != XREM_OK)
                return rc;
        if (!o)
                o = json_object();
        xrem_json_set(body, "plan", o);
        if (!json_is_object(o))
                return xrem_fail(XREM_BAD_INPUT, "%s: no JSON object", xrem_value(a, "plan"));
        if ((rc = put_share(a, o, "canary")) != XREM_OK ||
            (rc = put_share(a, o, "wave")) != XREM_OK)
                return rc;
        for (size_t i = 0; rc == XREM_OK && i < ODM_COUNT(numbers); i++)
                rc = put_number(a, o, numbers[i].option, numbers[i].name);
        for (size_t i = 0; rc == XREM_OK && i < ODM_COUNT(times); i++)
                rc = put_duration(a, o, times[i].option, times[i].name);
        for (size_t i = 0; i < ODM_COUNT(flags); i++)
                if (xrem_has(a, flags[i].option))
                        xrem_json_set(o, flags[i].name, json_true());
        put_text(c, a, o, "zone", "zone");
        put_text(c, a, o, "begin", "begin");
        put_text(c, a, o, "deadline", "deadline");
        if (rc == XREM_OK)
                rc = put_windows(c, a, o);
        return rc == XREM_OK ? put_retry(a, o) : rc;
}

/* "URI=VALUE" */
static int put_verify(xrem *c, const xrem_args *a, json_t *body)
{
        const char *v = xrem_value(a, "verify"), *is = v ? strchr(v, '=') : NULL;
        json_t *o;

        if (!v)
                return XREM_OK;
        if (!*v) {
                xrem_json_set(body, "verify", json_null());
                return XREM_OK;
        }
        if (!is)
                return xrem_fail(XREM_USAGE, "--verify: URI=VALUE, or nothing for no look");
        o = json_object();
        xrem_json_set(o, "uri", xrem_json_text(c, (odm_str){v, (size_t)(is - v)}));
        xrem_json_set(o, "value", xrem_json_text(c, odm_cstr(is + 1)));
        xrem_json_set(body, "verify", o);
        return XREM_OK;
}

static int put_what(xrem *c, const xrem_args *a, json_t *body)
{
        const char *id = NULL;
        json_t *list = NULL;
        int rc = XREM_OK;

        if (xrem_has(a, "package"))
                rc = xrem_package_find(c, xrem_value(a, "package"), &id);
        if (rc == XREM_OK && id)
                xrem_json_set(body, "package", json_string(id));
        if (rc == XREM_OK && xrem_has(a, "commands"))
                rc = read_json(c, xrem_value(a, "commands"), &list);
        if (list)
                xrem_json_set(body, "commands", list);
        put_text(c, a, body, "kind", "kind");
        put_text(c, a, body, "url", "url");
        put_text(c, a, body, "to", "version");
        put_text(c, a, body, "node", "node");
        if (xrem_has(a, "atomic"))
                xrem_json_set(body, "atomic", json_true());
        return rc == XREM_OK ? put_verify(c, a, body) : rc;
}

static enum xrem_colour action_colour(odm_str action)
{
        return odm_str_is(action, "order")  ? XREM_GREEN
               : odm_str_is(action, "skip") ? XREM_YELLOW
                                            : XREM_PLAIN;
}

static odm_str commands_text(xrem *c, const json_t *list)
{
        odm_str s = ODM_STR("");

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *cmd = json_array_get(list, i);
                odm_str verb = xrem_json_str(cmd, "cmd"), uri = xrem_json_str(cmd, "uri");

                s = xrem_str(c, "%.*s%s%.*s %.*s", (int)s.n, s.p, i ? ", " : "", (int)verb.n,
                             verb.p ? verb.p : "", (int)uri.n, uri.p ? uri.p : "");
        }
        return s;
}

static int print_trial(xrem *c, const json_t *items)
{
        static const xrem_col cols[] = {{.head = "Device", .keep = true},
                                        {.head = "What", .keep = true},
                                        {.head = "Why, or what is sent"}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));
        size_t orders = 0;

        for (size_t i = 0; i < json_array_size(items); i++) {
                const json_t *o = json_array_get(items, i);
                odm_str action = xrem_json_str(o, "action"), why = xrem_json_str(o, "reason");
                odm_str at = xrem_json_str(o, "not_before");

                if (!why.p)
                        why = commands_text(c, json_object_get(o, "commands"));
                if (at.p)
                        why = xrem_str(c, "not before %.*s: %.*s", (int)at.n, at.p, (int)why.n,
                                       why.p);
                orders += odm_str_is(action, "order");
                xrem_cell cells[] = {CELL(xrem_json_str(o, "device")),
                                     CELL_IN(action, action_colour(action)), CELL(why)};
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, true);
        xrem_note(c, "%zu of %zu devices would be sent an order", orders, json_array_size(items));
        return XREM_OK;
}

/* Page by page: the body goes with each. */
static int try_dry(xrem *c, json_t *body)
{
        json_t *all = xrem_own(c, json_array()), *page = NULL;
        const char *next = NULL;
        int rc;

        xrem_own(c, body);
        do {
                xrem_ask ask = {.method = "POST", .body = json_incref(body)};
                json_t *item;
                size_t i;

                ask.path = xrem_query(c, CAMPAIGNS "/preview?others=1&limit=1000", "cursor", next);
                rc = xrem_api(c, &ask, &page);
                if (rc != XREM_OK)
                        return rc;
                json_array_foreach(json_object_get(page, "items"), i, item)
                        xrem_json_push(all, json_incref(item));
                next = xrem_json_z(page, "next");
        } while (next);
        if (!c->set.json)
                return print_trial(c, all);
        page = json_object();
        xrem_json_set(page, "items", json_incref(all));
        return xrem_print_json(page);
}

int xrem_run_campaign_create(xrem *c, const xrem_args *a)
{
        json_t *body = json_object(), *o = NULL;
        int rc;

        xrem_json_set(body, "name", xrem_json_text(c, odm_cstr(a->word[0])));
        rc = put_what(c, a, body);
        if (rc == XREM_OK)
                rc = put_target(c, a, body);
        if (rc == XREM_OK)
                rc = put_plan(c, a, body);
        if (rc != XREM_OK) {
                json_decref(body);
                return rc;
        }
        if (xrem_has(a, "dry-run"))
                return try_dry(c, body);
        if (xrem_has(a, "start"))
                xrem_json_set(body, "start", json_true());
        xrem_ask ask = {.method = "POST", .path = CAMPAIGNS, .body = body};
        rc = xrem_api(c, &ask, &o);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(o));
        printf("%s\n", xrem_z(c, xrem_json_str(o, "id")));
        if (!xrem_has(a, "start"))
                xrem_note(c, "A draft: 'xrem campaign start %s' begins.",
                          xrem_z(c, xrem_json_str(o, "id")));
        return XREM_OK;
}

/* ---- acts --------------------------------------------------------------------------------- */

/* `makes`: another campaign. */
static int act(xrem *c, const char *path, bool makes)
{
        xrem_ask ask = {.method = "POST", .path = path};
        json_t *o = NULL;
        int rc = xrem_api(c, &ask, &o);

        if (rc == XREM_OK && xrem_terse(c, makes ? xrem_json_z(o, "id") : NULL))
                return XREM_OK;
        return rc == XREM_OK ? show(c, o) : rc;
}

int xrem_run_campaign_act(xrem *c, const xrem_args *a)
{
        return act(c, path_of(c, a->word[0], xrem_fmt(c, "/%s", a->cmd->name)), false);
}

int xrem_run_campaign_retry(xrem *c, const xrem_args *a)
{
        return act(c,
                   xrem_query(c, path_of(c, a->word[0], "/retry"), "class", xrem_value(a, "class")),
                   false);
}

int xrem_run_campaign_rollback(xrem *c, const xrem_args *a)
{
        const char *path = path_of(c, a->word[0], "/rollback"), *id = NULL;
        int rc = XREM_OK;

        if (xrem_has(a, "package"))
                rc = xrem_package_find(c, xrem_value(a, "package"), &id);
        path = xrem_query(c, path, "package", id);
        path = xrem_query(c, path, "url", xrem_value(a, "url"));
        path = xrem_query(c, path, "version", xrem_value(a, "to"));
        return rc == XREM_OK ? act(c, path, true) : rc;
}

int xrem_run_campaign_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {.method = "DELETE", .path = path_of(c, a->word[0], "")};

        return xrem_api(c, &ask, NULL);
}

/* ---- watched ------------------------------------------------------------------------------ */

typedef struct view {
        char text[200];
        bool over;
        int verdict;
} view;

/* "running, wave 2 ########....... 62 of 100: 58 succeeded, 4 failed" */
static void look(const json_t *o, view *v)
{
        long long all = tally(o, "all"), good = tally(o, "succeeded"), bad = tally(o, "failed");
        long long ended = good + bad + tally(o, "skipped") + tally(o, "cancelled");
        odm_str state = xrem_json_str(o, "state");
        char bar[BAR + 1];

        for (int i = 0; i < BAR; i++)
                bar[i] = all > 0 && i < ended * BAR / all ? '#' : '.';
        bar[BAR] = 0;
        (void)snprintf(v->text, sizeof v->text,
                       "%.*s, wave %lld %s %lld of %lld: %lld succeeded, %lld failed", (int)state.n,
                       state.p ? state.p : "", xrem_json_int(o, "wave", 0), bar, ended, all, good,
                       bad);
        v->over = !odm_str_is(state, "running");
        v->verdict = odm_str_is(state, "done") && bad == 0 ? XREM_OK : XREM_REFUSED;
}

/* One request, whose memory is given back: watching may take days.  With `last` its answer is
 * shown. */
static int look_once(xrem *c, const char *id, view *v, bool last, bool *away)
{
        odm_arena arena = c->arena;
        struct xrem_owned *owned = c->owned;
        json_t *o = NULL;
        int rc;

        odm_arena_init(&c->arena, arena.mem, arena.max);
        c->owned = NULL;
        xrem_ask ask = {.method = "GET", .path = path_of(c, id, ""), .away = away};
        rc = xrem_api(c, &ask, &o);
        if (rc == XREM_OK && o)
                look(o, v);
        if (rc == XREM_OK && o && last)
                rc = show(c, o);
        xrem_let_go(c);
        odm_arena_done(&c->arena);
        c->arena = arena;
        c->owned = owned;
        return rc;
}

int xrem_run_campaign_watch(xrem *c, const xrem_args *a)
{
        view v = {.text = "asking"};
        xrem_progress p;
        uint64_t wait;
        bool away = false;
        int rc = xrem_number(a, "for", UINT32_MAX, UINT32_MAX, &wait);

        if (rc != XREM_OK)
                return rc;
        xrem_progress_begin(&p, c, v.text);
        while (!v.over) {
                away = false;
                rc = look_once(c, a->word[0], &v, false, &away);
                if (c->interrupted || (rc != XREM_OK && !away) || v.over)
                        break;
                if (away)
                        (void)snprintf(v.text, sizeof v.text, "the server is away");
                for (int ms = 0; ms < LOOK_MS; ms += XREM_PROGRESS_MS) {
                        xrem_progress_tick(&p);
                        (void)poll(NULL, 0, XREM_PROGRESS_MS);
                }
                if (xrem_progress_seconds(&p) >= wait) {
                        rc = XREM_TIMEOUT;
                        break;
                }
        }
        xrem_progress_end(&p);
        if (rc != XREM_OK)
                return rc;
        rc = look_once(c, a->word[0], &v, true, NULL);
        return rc == XREM_OK ? v.verdict : rc;
}
