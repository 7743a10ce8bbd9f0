/* SPDX-License-Identifier: Apache-2.0 */
/* Rules in REST.  Each change carries the event "rule.changed", by which the part knows. */
#include <stdlib.h>
#include <string.h>

#include "rule_part.h"

#define NAME_LONGEST 128
#define AGAIN_MAX 31536000

/* ---- shown ---------------------------------------------------------------------------- */

static json_t *rule_json(const rule *r)
{
        json_t *o = json_object(), *spec = json_loadb(r->spec.p, r->spec.n, 0, NULL);
        bool ok = spec && put_id(o, "id", r->id) && put_text(o, "name", r->name) &&
                  put_bool(o, "enabled", r->enabled) && json_object_update(o, spec) == 0 &&
                  put_int(o, "again_after", r->again_after) && put_int(o, "fired", r->fired) &&
                  put_ms(o, "last_fired", r->last_fired) && put_ms(o, "created", r->created) &&
                  put_ms(o, "changed", r->changed) && put_text(o, "actor", r->actor);

        json_decref(spec);
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

/* A token with a scope has to do with rules that cannot reach beyond it. */
static bool is_within(call *c, const rule *r)
{
        json_t *spec = json_loadb(r->spec.p, r->spec.n, 0, NULL);
        rule_spec s = {0};
        problem p;
        bool ok;

        if (c->who.scope.n == 0) {
                json_decref(spec);
                return true;
        }
        problem_init(&p);
        ok = spec && rule_read(spec, &p, &c->arena, &s) && s.of_devices &&
             selector_within(&s.devices, c->who.scope);
        problem_done(&p);
        json_decref(spec);
        return ok;
}

static bool find_rule(call *c, rule *out)
{
        rule key = {0}, found = {0};
        int rc;

        if (!call_id(c, c->param[0], "rule", &key.id))
                return false;
        rc = store_row_get(c->api->opt.store, &table_rule, &key, &c->arena, &found);
        if (rc == 0 && !is_within(c, &found))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no rule %lld.",
                            (long long)key.id);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the rule cannot be read");
        else
                *out = found;
        return rc == 0;
}

static void rule_list(call *c)
{
        const store_scan scan = {.table = &table_rule, .limit = RULES_MAX};
        store_rows rows = {0};
        json_t *items;
        int rc = store_row_find(c->api->opt.store, &scan, &c->arena, &rows);

        if (rc < 0) {
                call_refused(c, "the rules cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < rows.n; i++) {
                const rule *r = (const rule *)rows.v + i;

                if (is_within(c, r) && json_array_append_new(items, rule_json(r)) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        }
        call_reply(c, 200, page_new(items, NULL));
}

static void rule_show(call *c)
{
        rule r;

        if (find_rule(c, &r))
                call_reply(c, 200, rule_json(&r));
        else
                call_fail(c);
}

/* ---- read ----------------------------------------------------------------------------- */

static const char *const said[] = {"on", "where", "devices", "do"};

/* Members that are not known are named. */
static void check_members(call *c)
{
        static const char *const others[] = {"name", "enabled", "again_after"};
        const char *name;
        json_t *v;

        json_object_foreach(c->body, name, v)
        {
                bool known = false;

                for (size_t i = 0; i < ODM_COUNT(said); i++)
                        known |= strcmp(name, said[i]) == 0;
                for (size_t i = 0; i < ODM_COUNT(others); i++)
                        known |= strcmp(name, others[i]) == 0;
                if (!known)
                        problem_at(&c->problem, name, "is not known here");
        }
}

/* What it says, from the body, and what was there before where the body says nothing. */
static void read_spec(call *c, rule *r)
{
        json_t *old = r->spec.n ? json_loadb(r->spec.p, r->spec.n, 0, NULL) : json_object();
        json_t *spec = json_object();
        rule_spec read = {0};
        char *text = NULL;

        for (size_t i = 0; old && i < ODM_COUNT(said); i++) {
                json_t *v = json_object_get(c->body, said[i]);

                if (!v)
                        v = json_object_get(old, said[i]);
                if (v && !json_is_null(v))
                        (void)json_object_set(spec, said[i], v);
        }
        json_decref(old);
        if (rule_read(spec, &c->problem, &c->arena, &read)) {
                if (c->who.scope.n &&
                    (!read.of_devices || !selector_within(&read.devices, c->who.scope)))
                        problem_at(&c->problem, "devices", "reaches beyond the token's scope");
                text = json_dumps(spec, JSON_COMPACT);
        }
        if (text && strlen(text) > RULE_TEXT)
                problem_at(&c->problem, "do", "is too long");
        r->spec = text ? odm_arena_copy(&c->arena, odm_cstr(text)) : ODM_ABSENT;
        free(text);
        json_decref(spec);
}

static bool read_rule(call *c, rule *r, bool fresh)
{
        jread j;

        check_members(c);
        jread_init(&j, c->body, "", &c->problem);
        if (jread_text(&j, "name", 1, NAME_LONGEST, &r->name) == 0 && fresh)
                (void)jread_missing(&j, "name");
        (void)jread_bool(&j, "enabled", &r->enabled);
        (void)jread_int(&j, "again_after", 0, AGAIN_MAX, &r->again_after);
        read_spec(c, r);
        r->name = odm_arena_copy(&c->arena, r->name);
        r->changed = c->now;
        if (!problem_is(&c->problem) && (!r->spec.p || !r->name.p))
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        return !problem_is(&c->problem);
}

/* ---- changes -------------------------------------------------------------------------- */

static bool tell(call *c, store_batch *b, const rule *r)
{
        store_op *op;

        if (!call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){.at = c->now, .kind = ODM_STR("rule.changed")};
        op->event.data = r->id ? odm_arena_fmt(&c->arena, "{\"rule\":\"%lld\"}", (long long)r->id)
                               : ODM_STR("{}");
        return op->event.data.p != NULL;
}

static void on_written(call *c, store_batch *b, int rc)
{
        rule *r = c->data;
        bool fresh = r && r->id == 0;

        if (rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_EXISTS, "There is a rule of that name.");
        if (rc < 0) {
                call_refused(c, "the rule cannot be kept", rc);
                return;
        }
        for (size_t i = 0; fresh && i < b->n; i++)
                if (b->ops[i]->kind == STORE_ROW_ADD)
                        r->id = b->ops[i]->id;
        if (fresh)
                c->location = odm_arena_fmt(&c->arena, "/api/v1/rules/%lld", (long long)r->id);
        if (r)
                call_reply(c, fresh ? 201 : 200, rule_json(r));
        else
                call_empty(c, 204);
}

/* Takes b, which may be NULL: the problem is set. */
static void write_rule(call *c, store_batch *b, store_op_kind kind, rule *r, uint64_t fields)
{
        store_op *op;

        if (b && call_op(c, b, kind, &op) && tell(c, b, r)) {
                op->row.table = &table_rule;
                op->row.row = r;
                op->row.fields = fields;
                c->data = kind == STORE_ROW_DELETE ? NULL : r;
                call_commit(c, b, on_written);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

static bool has_room(call *c)
{
        const store_scan scan = {.table = &table_rule};
        uint64_t n = 0;
        int rc = store_row_count(c->api->opt.store, &scan, RULES_MAX, &n);

        if (rc < 0)
                problem_err(&c->problem, rc, "the rules cannot be read");
        else if (n >= RULES_MAX)
                problem_set(&c->problem, PROBLEM_STATE, "There are %d rules already.", RULES_MAX);
        return !problem_is(&c->problem);
}

static void rule_create(call *c)
{
        rule *r = odm_new(&c->arena, rule);
        store_batch *b = NULL;

        if (r) {
                *r = (rule){.enabled = true,
                            .again_after = RULE_AGAIN_S,
                            .created = c->now,
                            .actor = c->who.name};
                if (read_rule(c, r, true) && has_room(c))
                        b = call_batch(c, "rule.create", 0, r->name, NULL);
        }
        write_rule(c, b, STORE_ROW_ADD, r, 0);
}

static void rule_change(call *c)
{
        const uint64_t fields = STORE_FIELD(RULE_NAME) | STORE_FIELD(RULE_ENABLED) |
                                STORE_FIELD(RULE_SPEC) | STORE_FIELD(RULE_AGAIN_AFTER) |
                                STORE_FIELD(RULE_CHANGED);
        rule *r = odm_new(&c->arena, rule);
        store_batch *b = NULL;

        if (r && find_rule(c, r) && read_rule(c, r, false))
                b = call_batch(c, "rule.change", 0, r->name, NULL);
        write_rule(c, b, STORE_ROW_PATCH, r, fields);
}

static void rule_remove(call *c)
{
        rule *r = odm_new(&c->arena, rule);
        store_batch *b = NULL;

        if (r && find_rule(c, r))
                b = call_batch(c, "rule.remove", 0, r->name, NULL);
        write_rule(c, b, STORE_ROW_DELETE, r, 0);
}

const call_route rule_routes[RULE_ROUTES] = {
        {"GET", "/api/v1/rules", ACCESS_VIEWER, "", false, rule_list},
        {"POST", "/api/v1/rules", ACCESS_OPERATOR, "", true, rule_create},
        {"GET", "/api/v1/rules/{id}", ACCESS_VIEWER, "", false, rule_show},
        {"PATCH", "/api/v1/rules/{id}", ACCESS_OPERATOR, "", true, rule_change},
        {"DELETE", "/api/v1/rules/{id}", ACCESS_OPERATOR, "", false, rule_remove},
};
