/* SPDX-License-Identifier: Apache-2.0 */
#include "rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "event.h"
#include "heap.h"
#include "jread.h"

#define CONDITIONS_MAX 16
#define CHOICES_MAX 64
#define DEEP 8 /* levels of commands */
#define FILLED_MAX ((size_t)64 << 10)
#define NAME_MAX_OCTETS 64

#define X(f, k)                                  \
        {                                        \
#f, offsetof(rule, f), FIELD_##k \
        }
static const field rule_fields[] = {
        X(id, I64),    X(name, STR),       X(enabled, BOOL), X(spec, STR),    X(again_after, I64),
        X(fired, I64), X(last_fired, I64), X(created, I64),  X(changed, I64), X(actor, STR),
};
#undef X
_Static_assert(ODM_COUNT(rule_fields) == RULE_FIELDS, "a number for each field");
static const record record_rule = {sizeof(rule), rule_fields, RULE_FIELDS};
static const store_index rule_index[] = {
        {.name = "name", .fields = {RULE_NAME}, .n = 1, .unique = true}};
const store_table table_rule = {.name = "rule",
                                .rec = &record_rule,
                                .n_key = 1,
                                .numbered = true,
                                .index = rule_index,
                                .n_index = 1};

#define X(f)                                          \
        {                                             \
#f, offsetof(rule_shot, f), FIELD_I64 \
        }
static const field shot_fields[] = {X(device), X(rule), X(at)};
#undef X
static const record record_shot = {sizeof(rule_shot), shot_fields, 3};
const store_table table_rule_shot = {.name = "rule_shot", .rec = &record_shot, .n_key = 2};

/* ---- reading -------------------------------------------------------------------------- */

static bool is_plain(const json_t *v)
{
        return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static bool is_comparison(const json_t *v)
{
        const json_t *above = json_object_get(v, "above"), *below = json_object_get(v, "below");

        return json_is_object(v) && json_object_size(v) == (above ? 1u : 0u) + (below ? 1u : 0u) &&
               (above || below) && (!above || json_is_number(above)) &&
               (!below || json_is_number(below));
}

static bool is_choice(const json_t *v)
{
        const json_t *one;
        size_t i;

        if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > CHOICES_MAX)
                return false;
        json_array_foreach(v, i, one) if (!is_plain(one)) return false;
        return true;
}

static void read_where(jread *r, const json_t *where, problem *p)
{
        const char *name;
        json_t *v;

        if (!json_is_object(where) || json_object_size(where) > CONDITIONS_MAX) {
                (void)jread_wrong(r, "where", "has to be an object of at most 16 conditions");
                return;
        }
        json_object_foreach((json_t *)(uintptr_t)where, name, v)
        {
                char at[80];

                (void)snprintf(at, sizeof at, "where.%.60s", name);
                if (!is_plain(v) && !is_choice(v) && !is_comparison(v))
                        problem_at(p, at,
                                   "has to be a text, a number, a truth value, a list of them, or "
                                   "an object with above or below");
        }
}

static void read_job(const json_t *job, const char *at, problem *p)
{
        const json_t *list = NULL;
        int64_t n;
        bool atomic = false;
        jread r;

        jread_init(&r, job, at, p);
        (void)jread_bool(&r, "atomic", &atomic);
        if (jread_list(&r, "commands", 1, COMMANDS_MAX, &list) == 0)
                (void)jread_missing(&r, "commands");
        if (list)
                (void)command_check(list, atomic, p);
        (void)jread_int(&r, "priority", -100, 100, &n);
        (void)jread_int(&r, "ttl", 1, 31536000, &n);
        jread_end(&r);
}

static bool is_word(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] <= ' ' || s.p[i] == 0x7f)
                        return false;
        return s.n > 0;
}

static void read_action(const json_t *v, size_t i, problem *p)
{
        char at[32];
        const json_t *job = json_object_get(v, "job");
        odm_str text;
        jread r;
        int tag, untag;

        (void)snprintf(at, sizeof at, "do[%zu]", i);
        if (!json_is_object(v) || json_object_size(v) != 1) {
                problem_at(p, at,
                           "has to be an object with one of job, campaign, tag, untag, notify");
                return;
        }
        if (job) {
                (void)snprintf(at, sizeof at, "do[%zu].job", i);
                if (json_is_object(job))
                        read_job(job, at, p);
                else
                        problem_at(p, at, "has to be an object");
                return;
        }
        jread_init(&r, v, at, p);
        (void)jread_text(&r, "notify", 1, 1000, &text);
        (void)jread_text(&r, "campaign", 1, 32, &text);
        tag = jread_text(&r, "tag", 1, 64, &text);
        if (tag == 1 && !is_word(text))
                (void)jread_wrong(&r, "tag", "has to be one word");
        untag = jread_text(&r, "untag", 1, 64, &text);
        if (untag == 1 && !is_word(text))
                (void)jread_wrong(&r, "untag", "has to be one word");
        jread_end(&r);
}

bool rule_read(const json_t *o, problem *p, odm_arena *a, rule_spec *out)
{
        const json_t *devices = json_object_get(o, "devices"), *action;
        rule_spec s = {.where = json_object_get(o, "where"), .actions = NULL};
        size_t i;
        jread r;

        jread_init(&r, o, "", p);
        if (jread_text(&r, "on", 1, NAME_MAX_OCTETS, &s.on) == 0)
                (void)jread_missing(&r, "on");
        else if (s.on.n && !event_kind_ok(s.on))
                (void)jread_wrong(&r, "on", "begins no kind of event (docs/events.md)");
        if (odm_str_starts(s.on, "rule."))
                (void)jread_wrong(&r, "on", "cannot be what rules do themselves");
        if (s.where)
                read_where(&r, s.where, p);
        if (jread_list(&r, "do", 1, RULE_ACTIONS, &s.actions) == 0)
                (void)jread_missing(&r, "do");
        json_array_foreach(s.actions, i, action) read_action(action, i, p);
        s.of_devices = devices && json_object_size(devices) > 0;
        if (devices && !selector_read(devices, "devices", p, a, &s.devices))
                return false;
        if (problem_is(p))
                return false;
        *out = s;
        return true;
}

/* ---- whether it is meant ---------------------------------------------------------------- */

static bool is_text(const json_t *want, const json_t *got)
{
        odm_str w = {json_string_value(want), json_string_length(want)};
        odm_str g = {json_string_value(got), json_string_length(got)};

        if (!json_is_string(got))
                return false;
        if (w.n && w.p[w.n - 1] == '*')
                return g.n >= w.n - 1 && memcmp(g.p, w.p, w.n - 1) == 0;
        return odm_str_eq(w, g);
}

/* A number, or a text that is one: devices say either. */
static bool number_of(const json_t *v, double *out)
{
        const char *z = json_string_value(v);
        char *end;

        if (json_is_number(v)) {
                *out = json_number_value(v);
                return true;
        }
        if (!z || !*z)
                return false;
        *out = strtod(z, &end);
        return *end == 0 && isfinite(*out);
}

static bool is_value(const json_t *want, const json_t *got)
{
        double w, g;

        if (json_is_string(want))
                return is_text(want, got);
        if (json_is_number(want))
                return number_of(want, &w) && number_of(got, &g) && !(w < g) && !(w > g);
        return json_is_boolean(got) && json_is_true(want) == json_is_true(got);
}

static bool holds(const json_t *want, const json_t *got)
{
        const json_t *above = json_object_get(want, "above"),
                     *below = json_object_get(want, "below");
        const json_t *one;
        double g;
        size_t i;

        if (json_is_object(want))
                return number_of(got, &g) && (!above || g > json_number_value(above)) &&
                       (!below || g < json_number_value(below));
        if (!json_is_array(want))
                return is_value(want, got);
        json_array_foreach(want, i, one) if (is_value(one, got)) return true;
        return false;
}

bool rule_means(const rule_spec *r, odm_str kind, const json_t *data)
{
        const char *name;
        json_t *want;

        if (kind.n < r->on.n || memcmp(kind.p, r->on.p, r->on.n) != 0)
                return false;
        json_object_foreach((json_t *)(uintptr_t)r->where, name, want)
        {
                if (!holds(want, json_object_get(data, name)))
                        return false;
        }
        return true;
}

/* ---- filling in ------------------------------------------------------------------------- */

static int put_member(odm_buf *b, const json_t *v)
{
        if (json_is_string(v))
                return odm_buf_put(b, json_string_value(v), json_string_length(v));
        if (json_is_integer(v))
                return odm_buf_fmt(b, "%lld", (long long)json_integer_value(v));
        if (json_is_real(v))
                return odm_buf_fmt(b, "%.15g", json_real_value(v));
        if (json_is_boolean(v))
                return odm_buf_fmt(b, "%s", json_is_true(v) ? "true" : "false");
        return ODM_ENOENT;
}

/* What stands in braces; ODM_ENOENT leaves it as it is. */
static int put_name(odm_buf *b, odm_str name, odm_str kind, odm_str device, const json_t *data)
{
        char z[NAME_MAX_OCTETS + 1];

        if (odm_str_is(name, "device"))
                return odm_buf_put(b, device.p ? device.p : "", device.n);
        if (odm_str_is(name, "kind"))
                return odm_buf_put(b, kind.p, kind.n);
        if (name.n == 0 || name.n > NAME_MAX_OCTETS)
                return ODM_ENOENT;
        (void)snprintf(z, sizeof z, "%.*s", (int)name.n, name.p);
        return put_member(b, json_object_get(data, z));
}

static json_t *filled_text(const json_t *v, odm_str kind, odm_str device, const json_t *data)
{
        odm_str s = {json_string_value(v), json_string_length(v)}, out;
        json_t *j = NULL;
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, &heap_mem, FILLED_MAX);
        for (size_t i = 0; rc == 0 && i < s.n;) {
                size_t end = i + 1;

                while (s.p[i] == '{' && end < s.n && s.p[end] != '}' && s.p[end] != '{')
                        end++;
                if (s.p[i] == '{' && end < s.n && s.p[end] == '}') {
                        odm_str name = {s.p + i + 1, end - i - 1};

                        rc = put_name(&b, name, kind, device, data);
                        if (rc == ODM_ENOENT)
                                rc = odm_buf_put(&b, s.p + i, end + 1 - i);
                        i = end + 1;
                } else {
                        rc = odm_buf_put(&b, s.p + i++, 1);
                }
        }
        out = odm_buf_view(&b);
        if (rc == 0)
                j = json_stringn(out.p ? out.p : "", out.n);
        else if (rc == ODM_ELIMIT) /* longer than anybody wants it: as it was */
                j = json_copy((json_t *)(uintptr_t)v);
        odm_buf_done(&b);
        return j;
}

static json_t *filled(const json_t *v, odm_str kind, odm_str device, const json_t *data,
                      unsigned depth)
{
        json_t *out;
        const json_t *one;
        const char *name;
        json_t *member;
        size_t i;

        if (json_is_string(v))
                return filled_text(v, kind, device, data);
        if ((!json_is_array(v) && !json_is_object(v)) || depth == 0)
                return json_deep_copy(v);
        out = json_is_array(v) ? json_array() : json_object();
        if (json_is_array(v))
                json_array_foreach(v, i, one)
                {
                        if (json_array_append_new(out, filled(one, kind, device, data, depth - 1)) <
                            0)
                                goto fail;
                }
        else
                json_object_foreach((json_t *)(uintptr_t)v, name, member)
                {
                        if (json_object_set_new(out, name,
                                                filled(member, kind, device, data, depth - 1)) < 0)
                                goto fail;
                }
        return out;
fail:
        json_decref(out);
        return NULL;
}

json_t *rule_filled(const json_t *v, odm_str kind, odm_str device, const json_t *data)
{
        return filled(v, kind, device, data, 2 * DEEP);
}
