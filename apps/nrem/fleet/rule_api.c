/* SPDX-License-Identifier: Apache-2.0 */
/* Rules in REST.  Each change carries the event "rule.changed", by which the part knows. */
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "kept.h"
#include "reach.h"
#include "rule_part.h"

#define NAME_LONGEST 128
#define AGAIN_MAX 31536000

/* ---- shown ---------------------------------------------------------------------------- */

static json_t *rule_json(const void *row)
{
        const rule *r = row;
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
static bool is_within(call *c, const void *row)
{
        const rule *r = row;
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

static const kept kept_rules = {"rule", &table_rule, RULES_MAX, is_within, rule_json};

static void rule_list(call *c)
{
        kept_list(c, &kept_rules);
}

static void rule_show(call *c)
{
        kept_show(c, &kept_rules);
}

/* ---- read ----------------------------------------------------------------------------- */

static const char *const said[] = {"on", "where", "devices", "do", NULL};

static void check_reach(call *c, const json_t *actions)
{
        const json_t *v;
        size_t i;

        json_array_foreach(actions, i, v)(void)
                reach_none(c, json_object_get(json_object_get(v, "job"), "commands"));
}

/* What it says, from the body, and what was there before where the body says nothing. */
static void read_spec(call *c, jread *j, rule *r)
{
        json_t *old = r->spec.n ? json_loadb(r->spec.p, r->spec.n, 0, NULL) : NULL;
        json_t *spec = kept_said(c, j, old, said);
        rule_spec read = {0};

        json_decref(old);
        r->spec = ODM_ABSENT;
        if (spec && rule_read(spec, &c->problem, &c->arena, &read)) {
                if (c->who.scope.n &&
                    (!read.of_devices || !selector_within(&read.devices, c->who.scope)))
                        problem_at(&c->problem, "devices", "reaches beyond the token's scope");
                if (json_object_get(c->body, "on") && !event_kind_known(read.on))
                        problem_at(&c->problem, "on", "begins no kind of event (docs/events.md)");
                check_reach(c, read.actions);
                r->spec = kept_text(c, spec, RULE_TEXT, "do");
        }
        json_decref(spec);
}

static bool read_rule(call *c, rule *r, bool fresh)
{
        jread j;

        jread_init(&j, c->body, "", &c->problem);
        if (jread_text(&j, "name", 1, NAME_LONGEST, &r->name) == 0 && fresh)
                (void)jread_missing(&j, "name");
        (void)jread_bool(&j, "enabled", &r->enabled);
        (void)jread_int(&j, "again_after", 0, AGAIN_MAX, &r->again_after);
        read_spec(c, &j, r);
        jread_end(&j);
        r->name = odm_arena_copy(&c->arena, r->name);
        r->changed = c->now;
        if (!problem_is(&c->problem) && (!r->spec.p || !r->name.p))
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        return !problem_is(&c->problem);
}

/* ---- changes -------------------------------------------------------------------------- */

static void rule_create(call *c)
{
        rule *r = odm_new(&c->arena, rule);
        store_batch *b = NULL;

        if (r) {
                *r = (rule){.enabled = true,
                            .again_after = RULE_AGAIN_S,
                            .created = c->now,
                            .actor = c->who.name};
                if (read_rule(c, r, true) && kept_has_room(c, &kept_rules))
                        b = call_batch(c, "rule.create", 0, r->name, NULL);
        }
        kept_write(c, &kept_rules, b, &(kept_change){.kind = STORE_ROW_ADD, .row = r});
}

static void rule_change(call *c)
{
        const uint64_t fields = STORE_FIELD(RULE_NAME) | STORE_FIELD(RULE_ENABLED) |
                                STORE_FIELD(RULE_SPEC) | STORE_FIELD(RULE_AGAIN_AFTER) |
                                STORE_FIELD(RULE_CHANGED);
        rule *r = odm_new(&c->arena, rule);
        store_batch *b = NULL;

        if (r && kept_find(c, &kept_rules, r) && read_rule(c, r, false))
                b = call_batch(c, "rule.change", 0, r->name, NULL);
        kept_write(c, &kept_rules, b,
                   &(kept_change){.kind = STORE_ROW_PATCH, .row = r, .fields = fields});
}

static void rule_remove(call *c)
{
        rule *r = odm_new(&c->arena, rule);
        store_batch *b = NULL;

        if (r && kept_find(c, &kept_rules, r))
                b = call_batch(c, "rule.remove", 0, r->name, NULL);
        kept_write(c, &kept_rules, b, &(kept_change){.kind = STORE_ROW_DELETE, .row = r});
}

const call_route rule_routes[RULE_ROUTES] = {
        {"GET", "/api/v1/rules", ACCESS_VIEWER, "", false, rule_list},
        {"POST", "/api/v1/rules", ACCESS_OPERATOR, "", true, rule_create},
        {"GET", "/api/v1/rules/{id}", ACCESS_VIEWER, "", false, rule_show},
        {"PATCH", "/api/v1/rules/{id}", ACCESS_OPERATOR, "", true, rule_change},
        {"DELETE", "/api/v1/rules/{id}", ACCESS_OPERATOR, "", false, rule_remove},
};
