/* SPDX-License-Identifier: Apache-2.0 */
/* xrem metric, xrem threshold: performance data of devices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fields.h"

#define ENTRIES_MAX 1000000 /* of all pages together */
#define BAR 24              /* characters of the longest bar */

/* ---- list --------------------------------------------------------------------------- */

int xrem_run_metric_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Metric", .keep = true}, "metric", false, false},
                {{.head = "Value", .right = true}, "value", false, false},
                {{.head = "Text"}, "text", false, false},
                {{.head = "At"}, "at", true, false},
                {{.head = "Samples", .right = true}, "samples", false, false},
                {{.head = "Every s", .right = true}, "every", false, false},
                {{.head = "Late"}, "late", false, false},
        };
        json_t *items;
        int rc = xrem_api_list(c, xrem_device_path(c, a->word[0], "/metrics"), 0, &items);

        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no metrics");
}

/* ---- get: asking -------------------------------------------------------------------- */

static const char *get_path(xrem *c, const xrem_args *a)
{
        static const char *const options[] = {"from", "to", "step"};
        const char *device = a->word[0], *path = "/api/v1/metrics";
        size_t n = strlen(device);

        if (n && device[n - 1] == '*') /* all whose names begin so */
                path = xrem_query(c, path, "prefix", xrem_z(c, (odm_str){device, n - 1}));
        else
                path = xrem_query(c, path, "device", device);
        path = xrem_query(c, path, "metric", a->word[1]);
        for (size_t i = 0; i < ODM_COUNT(options); i++)
                path = xrem_query(c, path, options[i], xrem_value(a, options[i]));
        return xrem_query(c, path, "limit", "10000");
}

/* All pages as one answer. */
static int get_all(xrem *c, const char *path, json_t **out)
{
        json_t *all = NULL, *items = NULL;
        const char *cursor = NULL;

        do {
                xrem_ask ask = {.method = "GET", .path = xrem_query(c, path, "cursor", cursor)};
                json_t *j = NULL;
                int rc = xrem_api(c, &ask, &j);

                if (rc != XREM_OK)
                        return rc;
                if (!all) {
                        all = j;
                        items = json_object_get(all, "items");
                } else if (json_array_extend(items, json_object_get(j, "items")) < 0) {
                        xrem_out_of_memory();
                }
                cursor = xrem_json_z(j, "next");
        } while (cursor && json_array_size(items) < ENTRIES_MAX);
        (void)json_object_del(all, "next");
        *out = all;
        return XREM_OK;
}

/* ---- get: shown --------------------------------------------------------------------- */

/* As short as it can be without loss. */
static odm_str number(xrem *c, const json_t *o, const char *member)
{
        const json_t *v = json_object_get(o, member);
        char text[40];

        if (!json_is_number(v))
                return ODM_ABSENT;
        (void)snprintf(text, sizeof text, "%.15g", json_number_value(v));
        if (strtod(text, NULL) != json_number_value(v))
                (void)snprintf(text, sizeof text, "%.17g", json_number_value(v));
        return xrem_copy(c, odm_cstr(text));
}

/* For people: six digits are enough. */
static odm_str rounded(xrem *c, const json_t *o, const char *member)
{
        const json_t *v = json_object_get(o, member);

        if (!json_is_number(v))
                return ODM_ABSENT;
        if (json_number_value(v) == floor(json_number_value(v)))
                return number(c, o, member);
        return xrem_str(c, fabs(json_number_value(v)) < 1e5 ? "%.6g" : "%.0f",
                        json_number_value(v));
}

static void put_csv(xrem *c, odm_str s)
{
        const char *before = s.n && memchr("=+-@", s.p[0], 4) ? "'" : ""; /* no formula */
        size_t quotes = 0;

        for (size_t i = 0; i < s.n; i++)
                quotes += s.p[i] == '"' || s.p[i] == ',' || (unsigned char)s.p[i] < ' ';
        (void)c;
        if (quotes == 0) {
                printf("%s%.*s", before, (int)s.n, s.p ? s.p : "");
                return;
        }
        printf("\"%s", before);
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] == '"')
                        (void)putchar('"');
                (void)putchar(s.p[i]);
        }
        (void)putchar('"');
}

static const char *const raw_columns[] = {"value", NULL};
static const char *const step_columns[] = {"count", "min", "max", "mean", "last", NULL};
static const char *const many_columns[] = {"devices", "count", "min", "max", "mean", NULL};

static const char *const *columns_of(const json_t *j)
{
        if (!json_object_get(j, "device"))
                return many_columns;
        return json_is_string(json_object_get(j, "step")) ? raw_columns : step_columns;
}

static int print_csv(xrem *c, const json_t *j)
{
        const char *const *columns = columns_of(j);
        const json_t *items = json_object_get(j, "items"), *e;
        odm_str device = xrem_json_str(j, "device"), of = xrem_json_str(j, "metric");
        size_t i;

        printf("time,%smetric", device.p ? "device," : "");
        for (size_t k = 0; columns[k]; k++)
                printf(",%s", columns[k]);
        printf(",gap_until\r\n");
        json_array_foreach(items, i, e)
        {
                put_csv(c, xrem_json_str(e, "at"));
                if (device.p) {
                        (void)putchar(',');
                        put_csv(c, device);
                }
                (void)putchar(',');
                put_csv(c, of);
                for (size_t k = 0; columns[k]; k++) {
                        odm_str v = number(c, e, columns[k]);
                        printf(",%.*s", (int)v.n, v.p ? v.p : "");
                }
                (void)putchar(',');
                put_csv(c, xrem_json_str(e, "until"));
                printf("\r\n");
        }
        return ferror(stdout) ? XREM_BROKEN : XREM_OK;
}

typedef struct scale {
        double min, max;
        const char *member;
} scale;

static scale scale_of(const json_t *items, const char *member)
{
        scale s = {0, 0, member};
        bool first = true;
        const json_t *e;
        size_t i;

        json_array_foreach(items, i, e)
        {
                const json_t *v = json_object_get(e, member);
                double x = json_number_value(v);

                if (!v)
                        continue;
                s.min = first || x < s.min ? x : s.min;
                s.max = first || x > s.max ? x : s.max;
                first = false;
        }
        return s;
}

/* A bar as long as the value lies between the smallest and the largest. */
static odm_str bar(xrem *c, const json_t *e, const scale *s)
{
        const json_t *v = json_object_get(e, s->member);
        const char *block = c->utf8 ? "\xe2\x96\x88" : "#";
        char *p;
        int n;

        if (!v)
                return ODM_STR("");
        n = s->max > s->min
                    ? 1 + (int)((json_number_value(v) - s->min) / (s->max - s->min) * (BAR - 1))
                    : BAR / 2;
        p = xrem_get(c, BAR * 3 + 1);
        for (int i = 0; i < n; i++)
                memcpy(p + (size_t)i * strlen(block), block, strlen(block));
        return odm_cstr(p);
}

static int print_chart(xrem *c, const json_t *j)
{
        static const char *const heads[] = {"value", "Value", "count",   "Samples", "min",
                                            "Min",   "max",   "Max",     "mean",    "Mean",
                                            "last",  "Last",  "devices", "Devices"};
        const char *const *columns = columns_of(j);
        const json_t *items = json_object_get(j, "items"), *e;
        const scale s = scale_of(items, columns == raw_columns ? "value" : "mean");
        xrem_col cols[XREM_COLS_MAX] = {{.head = "Time", .keep = true}};
        xrem_table *t;
        size_t n = 1, i;

        if (json_array_size(items) == 0) {
                xrem_note(c, "no samples");
                return XREM_OK;
        }
        for (size_t k = 0; columns[k]; k++)
                for (size_t h = 0; h < ODM_COUNT(heads); h += 2)
                        if (strcmp(heads[h], columns[k]) == 0)
                                cols[n++] = (xrem_col){.head = heads[h + 1], .right = true};
        cols[n++] = (xrem_col){.head = ""};
        t = xrem_table_new(c, cols, n);
        json_array_foreach(items, i, e)
        {
                bool gap = json_is_true(json_object_get(e, "gap"));
                xrem_cell cells[XREM_COLS_MAX] = {CELL(xrem_json_str(e, "at"))};

                for (size_t k = 0; columns[k]; k++)
                        cells[1 + k] = CELL(gap ? ODM_STR("") : rounded(c, e, columns[k]));
                cells[n - 1] = gap ? CELL_IN(xrem_str(c, "gap until %s",
                                                      xrem_z(c, xrem_json_str(e, "until"))),
                                             XREM_YELLOW)
                                   : CELL_IN(bar(c, e, &s), XREM_BLUE);
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, true);
        return XREM_OK;
}

int xrem_run_metric_get(xrem *c, const xrem_args *a)
{
        json_t *j = NULL;
        int rc = get_all(c, get_path(c, a), &j);

        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        return xrem_has(a, "csv") ? print_csv(c, j) : print_chart(c, j);
}

/* ---- put ---------------------------------------------------------------------------- */

/* A number where it is one, whole. */
static json_t *value_of(xrem *c, const char *text)
{
        char *end;
        double v = strtod(text, &end);

        if (*text && *end == 0 && isfinite(v) && strspn(text, "+-.0123456789eE") == strlen(text))
                return json_real(v);
        return xrem_json_text(c, odm_cstr(text));
}

int xrem_run_metric_put(xrem *c, const xrem_args *a)
{
        json_t *values = json_object(), *sample = json_object(), *body = json_object(),
               *list = json_array(), *j = NULL;
        xrem_ask ask = {.method = "POST",
                        .path = xrem_device_path(c, a->word[0], "/metrics"),
                        .body = body};
        int rc;

        for (size_t i = 1; i < a->n_words; i++) {
                const char *eq = strchr(a->word[i], '=');

                if (!eq || eq == a->word[i]) {
                        json_decref(values);
                        json_decref(sample);
                        json_decref(body);
                        json_decref(list);
                        return xrem_fail(XREM_USAGE, "%s: METRIC=VALUE is wanted", a->word[i]);
                }
                xrem_json_set(values, xrem_z(c, (odm_str){a->word[i], (size_t)(eq - a->word[i])}),
                              value_of(c, eq + 1));
        }
        if (xrem_value(a, "at"))
                xrem_json_set(sample, "at", xrem_json_text(c, odm_cstr(xrem_value(a, "at"))));
        xrem_json_set(sample, "values", values);
        xrem_json_push(list, sample);
        xrem_json_set(body, "samples", list);
        rc = xrem_api(c, &ask, &j);
        return rc == XREM_OK && c->set.json ? xrem_print_json(json_incref(j)) : rc;
}

/* ---- which devices ------------------------------------------------------------------ */

static void put_text(xrem *c, const xrem_args *a, json_t *o, const char *option, const char *member)
{
        if (xrem_value(a, option))
                xrem_json_set(o, member, xrem_json_text(c, odm_cstr(xrem_value(a, option))));
}

static void put_list(xrem *c, const xrem_args *a, json_t *o, const char *option, const char *member)
{
        json_t *list = json_array();
        const char *one;

        for (size_t i = 0; (one = xrem_value_at(a, option, i)); i++)
                xrem_json_push(list, xrem_json_text(c, odm_cstr(one)));
        if (json_array_size(list))
                xrem_json_set(o, member, list);
        else
                json_decref(list);
}

/* NULL when nothing was said: nobody means all devices by accident. */
static json_t *selector_of(xrem *c, const xrem_args *a)
{
        json_t *o = json_object();

        put_list(c, a, o, "device", "devices");
        put_text(c, a, o, "prefix", "prefix");
        put_list(c, a, o, "tag", "tags");
        put_text(c, a, o, "model", "model");
        if (json_object_size(o) || xrem_has(a, "all"))
                return o;
        json_decref(o);
        return NULL;
}

/* ---- collections -------------------------------------------------------------------- */

static int seconds(const xrem_args *a, json_t *o, const char *name)
{
        uint64_t v = 0;
        int rc = xrem_number(a, name, 31 * 86400, 0, &v);

        if (rc == XREM_OK && v)
                xrem_json_set(o, name, json_integer((json_int_t)v));
        return rc;
}

static int make(xrem *c, const char *path, json_t *body, json_t *selector)
{
        xrem_ask ask = {.method = "POST", .path = path, .body = body};
        json_t *j = NULL;
        int rc;

        if (!selector) {
                json_decref(body);
                return xrem_fail(XREM_USAGE,
                                 "which devices: --device, --prefix, --tag, --model or --all");
        }
        xrem_json_set(body, "selector", selector);
        rc = xrem_api(c, &ask, &j);
        if (rc != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(j));
        printf("%s\n", xrem_z(c, xrem_json_str(j, "id")));
        return XREM_OK;
}

/* "URI", or "METRIC=URI". */
static json_t *node_of(xrem *c, const char *word)
{
        const char *uri = strstr(word, "=./");
        json_t *o;

        if (!uri || uri == word)
                return xrem_json_text(c, odm_cstr(word));
        o = json_object();
        xrem_json_set(o, "uri", xrem_json_text(c, odm_cstr(uri + 1)));
        xrem_json_set(o, "metric", xrem_json_text(c, (odm_str){word, (size_t)(uri - word)}));
        return o;
}

int xrem_run_metric_collect(xrem *c, const xrem_args *a)
{
        json_t *o = json_object(), *nodes = json_array();
        int rc = seconds(a, o, "every");

        if (rc == XREM_OK)
                rc = seconds(a, o, "period");
        if (rc == XREM_OK && !json_object_get(o, "every"))
                rc = xrem_fail(XREM_USAGE, "--every SECONDS is needed");
        if (rc != XREM_OK) {
                json_decref(o);
                json_decref(nodes);
                return rc;
        }
        for (size_t i = 0; i < a->n_words; i++)
                xrem_json_push(nodes, node_of(c, a->word[i]));
        if (a->n_words)
                xrem_json_set(o, "nodes", nodes);
        else
                json_decref(nodes);
        put_text(c, a, o, "function", "function");
        put_text(c, a, o, "name", "name");
        return make(c, "/api/v1/metrics/collections", o, selector_of(c, a));
}

int xrem_run_metric_collections(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Name"}, "name", false, false},
                {{.head = "State"}, "state", false, true},
                {{.head = "What"}, "what", false, false},
                {{.head = "Every s", .right = true}, "every", false, false},
                {{.head = "Asked", .right = true}, "asked", false, false},
                {{.head = "Answered", .right = true}, "answered", false, false},
                {{.head = "Failed", .right = true}, "failed", false, false},
                {{.head = "By"}, "actor", false, false},
        };
        json_t *items, *o;
        size_t i;
        int rc = xrem_api_list(c, "/api/v1/metrics/collections", 0, &items);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        json_array_foreach(items, i, o)
        {
                const json_t *nodes = json_object_get(o, "nodes");
                odm_str what = xrem_json_str(o, "function");

                if (nodes)
                        what = xrem_json_str(json_array_get(nodes, 0), "uri");
                if (json_array_size(nodes) > 1)
                        what = xrem_str(c, "%s and %zu more", xrem_z(c, what),
                                        json_array_size(nodes) - 1);
                if (!c->set.json)
                        xrem_json_set(o, "what", xrem_json_text(c, what));
        }
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no collections");
}

int xrem_run_metric_stop(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {
                .method = "DELETE",
                .path = xrem_fmt(c, "/api/v1/metrics/collections/%s", xrem_escape(c, a->word[0]))};

        return xrem_api(c, &ask, NULL);
}

/* ---- thresholds --------------------------------------------------------------------- */

int xrem_run_threshold_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Name"}, "name", false, false},
                {{.head = "Metric"}, "metric", false, false},
                {{.head = "Low", .right = true}, "low", false, false},
                {{.head = "High", .right = true}, "high", false, false},
                {{.head = "Hysteresis", .right = true}, "hysteresis", false, false},
                {{.head = "Severity"}, "severity", false, false},
                {{.head = "By"}, "actor", false, false},
        };
        json_t *items;
        int rc = xrem_api_list(c, "/api/v1/metrics/thresholds", 0, &items);

        (void)a;
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no thresholds");
}

int xrem_run_threshold_add(xrem *c, const xrem_args *a)
{
        static const char *const numbers[] = {"low", "high", "hysteresis"};
        json_t *o = json_object();

        for (size_t i = 0; i < ODM_COUNT(numbers); i++) {
                const char *text = xrem_value(a, numbers[i]);
                json_t *v = text ? value_of(c, text) : NULL;

                if (text && !json_is_number(v)) {
                        json_decref(v);
                        json_decref(o);
                        return xrem_fail(XREM_USAGE, "--%s: %s is no number", numbers[i], text);
                }
                if (text)
                        xrem_json_set(o, numbers[i], v);
        }
        xrem_json_set(o, "metric", xrem_json_text(c, odm_cstr(a->word[0])));
        put_text(c, a, o, "severity", "severity");
        put_text(c, a, o, "name", "name");
        return make(c, "/api/v1/metrics/thresholds", o, selector_of(c, a));
}

int xrem_run_threshold_remove(xrem *c, const xrem_args *a)
{
        xrem_ask ask = {
                .method = "DELETE",
                .path = xrem_fmt(c, "/api/v1/metrics/thresholds/%s", xrem_escape(c, a->word[0]))};

        return xrem_api(c, &ask, NULL);
}
