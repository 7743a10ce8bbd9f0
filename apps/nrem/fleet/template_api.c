/* SPDX-License-Identifier: Apache-2.0 */
/* Templates in REST.  Each change carries the event "template.changed", by which the part knows. */
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "reach.h"
#include "template_part.h"

#define NAME_LONGEST 128
#define EVERY_LEAST 60
#define EVERY_MOST 31536000
#define PRIORITY_MOST 1000

/* ---- shown ---------------------------------------------------------------------------- */

/* Secrets are not among the nodes. */
static bool put_spec(json_t *o, odm_str text)
{
        json_t *spec = json_loadb(text.p, text.n, 0, NULL);
        json_t *devices = json_object_get(spec, "devices");
        bool ok = spec &&
                  json_object_set_new(o, "nodes",
                                      template_public(json_object_get(spec, "nodes"))) == 0 &&
                  (!devices || json_object_set(o, "devices", devices) == 0);

        json_decref(spec);
        return ok;
}

static bool put_counts(json_t *o, const template_row *r)
{
        json_t *counts = json_object();
        bool ok = true;

        for (unsigned s = 0; s < TEMPLATE_STATES; s++) {
                template_row copy = *r;

                ok = ok &&
                     put_int(counts, template_states[s], *template_tally(&copy, (template_state)s));
        }
        return json_object_set_new(o, "counts", counts) == 0 && ok;
}

static json_t *template_json(const void *row)
{
        const template_row *r = row;
        json_t *o = json_object();

        if (put_id(o, "id", r->id) && put_text(o, "name", r->name) &&
            put_bool(o, "enabled", r->enabled) && put_cstr(o, "mode", template_modes[r->mode]) &&
            put_int(o, "priority", r->priority) && put_int(o, "every", r->every) &&
            put_bool(o, "atomic", r->atomic) && put_spec(o, r->spec) &&
            put_int(o, "revision", r->rev) && put_counts(o, r) &&
            put_ms(o, "created", r->created) && put_ms(o, "changed", r->changed) &&
            put_text(o, "actor", r->actor))
                return o;
        json_decref(o);
        return NULL;
}

/* A token with a scope has to do with templates that cannot reach beyond it. */
static bool is_within(call *c, const void *row)
{
        const template_row *r = row;
        json_t *spec;
        template_spec s;
        problem p;
        bool ok;

        if (c->who.scope.n == 0)
                return true;
        spec = json_loadb(r->spec.p, r->spec.n, 0, NULL);
        problem_init(&p);
        ok = spec && template_read(spec, &p, &c->arena, &s) &&
             selector_within(&s.devices, c->who.scope);
        problem_done(&p);
        json_decref(spec);
        return ok;
}

static const kept kept_templates = {"template", &table_template, TEMPLATES_MAX, is_within,
                                    template_json};

static void template_index(call *c)
{
        kept_list(c, &kept_templates);
}

static void template_show(call *c)
{
        kept_show(c, &kept_templates);
}

/* ---- devices of a template ---------------------------------------------------------------- */

static bool put_item(json_t *o, const template_item *it)
{
        static const char *const doing[] = {NULL, "checking", "applying", "verifying"};
        json_t *diff = it->diff.n ? json_loadb(it->diff.p, it->diff.n, 0, NULL) : NULL;

        if (diff && json_object_set_new(o, "difference", diff) < 0)
                return false;
        return put_cstr(o, "state", template_states[it->state]) && put_ms(o, "since", it->since) &&
               (!doing[it->phase] || put_cstr(o, "doing", doing[it->phase])) &&
               put_ms(o, "checked", it->checked) &&
               (it->phase != PHASE_IDLE || put_ms(o, "next", it->due)) &&
               (it->tries == 0 || put_int(o, "tries", it->tries)) &&
               (it->reason.n == 0 || put_text(o, "reason", it->reason));
}

static json_t *item_json(const template_item *it)
{
        json_t *o = json_object();

        if (put_text(o, "device", it->name) && put_item(o, it))
                return o;
        json_decref(o);
        return NULL;
}

/* The state asked for, or TEMPLATE_STATES. */
static bool read_state(call *c, unsigned *out)
{
        odm_str word = call_query(c, "state");

        for (*out = 0; word.p && *out < TEMPLATE_STATES; ++*out)
                if (odm_str_is(word, template_states[*out]))
                        return true;
        if (!word.p)
                *out = TEMPLATE_STATES;
        else
                problem_at(&c->problem, "state",
                           "has to be unknown, conform, drifted, applying or failed");
        return !word.p;
}

/* The place behind a device of that name: the cursor is the name, which has one row. */
static void place_after(const template_row *r, unsigned state, odm_str name, template_item *out)
{
        *out = (template_item){
                .tmpl = r->id, .name = name, .state = state % TEMPLATE_STATES, .dev = INT64_MAX};
}

static int find_page(call *c, const template_row *r, unsigned state, uint32_t limit,
                     store_rows *out)
{
        bool by_state = state < TEMPLATE_STATES;
        odm_str cursor = call_query(c, "cursor");
        template_item at = {.tmpl = r->id, .state = state % TEMPLATE_STATES}, after;
        store_scan scan = {.table = &table_template_item,
                           .index = by_state ? TEMPLATE_ITEM_BY_STATE : TEMPLATE_ITEM_BY_NAME,
                           .same = by_state ? 2 : 1,
                           .at = &at,
                           .limit = limit};

        if (cursor.n) {
                place_after(r, state, cursor, &after);
                scan.after = &after;
        }
        return store_row_find(c->api->opt.store, &scan, &c->arena, out);
}

static void template_devices(call *c)
{
        template_row r;
        store_rows rows = {0};
        json_t *items = NULL, *next = NULL;
        const template_item *v;
        int64_t limit = 0;
        unsigned state;
        int rc = 0;

        if (!kept_find(c, &kept_templates, &r) || !read_state(c, &state) ||
            !call_query_int(c, "limit", 1, 1000, 100, &limit)) {
                call_fail(c);
                return;
        }
        rc = find_page(c, &r, state, (uint32_t)limit, &rows);
        if (rc < 0) {
                call_refused(c, "the devices of the template cannot be read", rc);
                return;
        }
        v = rows.v;
        items = json_array();
        for (size_t i = 0; i < rows.n; i++)
                if (call_sees(c, v[i].name) && json_array_append_new(items, item_json(&v[i])) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        if (rows.more)
                next = json_stringn(v[rows.n - 1].name.p, v[rows.n - 1].name.n);
        call_reply(c, 200, page_new(items, next));
}

/* ---- templates of a device ---------------------------------------------------------------- */

static int add_of_device(call *c, json_t *items, const template_item *it)
{
        template_row r = {.id = it->tmpl};
        json_t *o;
        int rc = store_row_get(c->api->opt.store, &table_template, &r, &c->arena, &r);

        if (rc == ODM_ENOENT || (rc == 0 && !is_within(c, &r)))
                return 0;
        if (rc < 0)
                return rc;
        o = json_object();
        if (put_id(o, "template", r.id) && put_text(o, "name", r.name) &&
            put_cstr(o, "mode", template_modes[r.mode]) && put_item(o, it))
                return json_array_append_new(items, o) < 0 ? ODM_ENOMEM : 0;
        json_decref(o);
        return ODM_ENOMEM;
}

static void device_templates(call *c)
{
        store_device d;
        template_item at = {0};
        store_rows rows = {0};
        json_t *items;
        int rc;

        if (!call_device(c, &d)) {
                call_fail(c);
                return;
        }
        at.dev = d.id;
        rc = store_row_find(c->api->opt.store,
                            &(store_scan){.table = &table_template_item,
                                          .same = 1,
                                          .at = &at,
                                          .limit = TEMPLATES_MAX},
                            &c->arena, &rows);
        items = json_array();
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = add_of_device(c, items, (const template_item *)rows.v + i);
        if (rc == 0) {
                call_reply(c, 200, page_new(items, NULL));
                return;
        }
        json_decref(items);
        call_refused(c, "the templates of the device cannot be read", rc);
}

/* ---- read ----------------------------------------------------------------------------- */

static const char *const said[] = {"devices", "nodes", NULL};

/* What it says, from the body, and what was there before where the body says nothing. */
static void read_spec(call *c, jread *j, template_row *r)
{
        json_t *old = r->spec.n ? json_loadb(r->spec.p, r->spec.n, 0, NULL) : NULL;
        json_t *spec = kept_said(c, j, old, said);
        template_spec read = {.nodes = NULL};

        if (template_keep_secrets(json_object_get(spec, "nodes"), json_object_get(old, "nodes")) <
            0)
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        json_decref(old);
        r->spec = ODM_ABSENT;
        if (spec && template_read(spec, &c->problem, &c->arena, &read)) {
                if (!selector_within(&read.devices, c->who.scope))
                        problem_at(&c->problem, "devices", "reaches beyond the token's scope");
                (void)reach_none(c, read.nodes);
                r->spec = kept_text(c, spec, TEMPLATE_TEXT, "nodes");
        }
        json_decref(spec);
}

static bool read_template(call *c, template_row *r, bool fresh)
{
        unsigned mode = r->mode;
        jread j;

        jread_init(&j, c->body, "", &c->problem);
        if (jread_text(&j, "name", 1, NAME_LONGEST, &r->name) == 0 && fresh)
                (void)jread_missing(&j, "name");
        (void)jread_bool(&j, "enabled", &r->enabled);
        (void)jread_bool(&j, "atomic", &r->atomic);
        (void)jread_word(&j, "mode", template_modes, &mode);
        (void)jread_int(&j, "priority", -PRIORITY_MOST, PRIORITY_MOST, &r->priority);
        (void)jread_int(&j, "every", EVERY_LEAST, EVERY_MOST, &r->every);
        r->mode = mode;
        read_spec(c, &j, r);
        jread_end(&j);
        r->name = odm_arena_copy(&c->arena, r->name);
        r->changed = c->now;
        r->rev++;
        if (!problem_is(&c->problem) && (!r->spec.p || !r->name.p))
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        return !problem_is(&c->problem);
}

/* ---- changes -------------------------------------------------------------------------- */

static void template_create(call *c)
{
        template_row *r = odm_new(&c->arena, template_row);
        store_batch *b = NULL;

        if (r) {
                *r = (template_row){.enabled = true,
                                    .every = TEMPLATE_EVERY_S,
                                    .created = c->now,
                                    .actor = c->who.name};
                if (read_template(c, r, true) && kept_has_room(c, &kept_templates))
                        b = call_batch(c, "template.create", 0, r->name, NULL);
        }
        kept_write(c, &kept_templates, b, &(kept_change){.kind = STORE_ROW_ADD, .row = r});
}

static void template_change(call *c)
{
        const uint64_t fields = STORE_FIELD(TEMPLATE_F_name) | STORE_FIELD(TEMPLATE_F_enabled) |
                                STORE_FIELD(TEMPLATE_F_mode) | STORE_FIELD(TEMPLATE_F_atomic) |
                                STORE_FIELD(TEMPLATE_F_priority) | STORE_FIELD(TEMPLATE_F_every) |
                                STORE_FIELD(TEMPLATE_F_spec) | STORE_FIELD(TEMPLATE_F_rev) |
                                STORE_FIELD(TEMPLATE_F_changed);
        template_row *r = odm_new(&c->arena, template_row), *was = odm_new(&c->arena, template_row);
        store_batch *b = NULL;

        if (r && was && kept_find(c, &kept_templates, r)) {
                *was = *r;
                if (read_template(c, r, false))
                        b = call_batch(c, "template.change", 0, r->name, NULL);
        }
        kept_write(c, &kept_templates, b,
                   &(kept_change){.kind = STORE_ROW_PATCH,
                                  .row = r,
                                  .fields = fields,
                                  .where = STORE_FIELD(TEMPLATE_F_rev),
                                  .is = was});
}

static void template_remove(call *c)
{
        template_row *r = odm_new(&c->arena, template_row);
        store_batch *b = NULL;

        if (r && kept_find(c, &kept_templates, r))
                b = call_batch(c, "template.remove", 0, r->name, NULL);
        kept_write(c, &kept_templates, b, &(kept_change){.kind = STORE_ROW_DELETE, .row = r});
}

/* ---- check now -------------------------------------------------------------------------- */

static void on_ordered(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc < 0)
                call_refused(c, "the check cannot be ordered", rc);
        else
                call_empty(c, 204);
}

/* The device of the body, when it is one of the template; id 0: none is named. */
static bool read_device(call *c, const template_row *r, store_device *out)
{
        odm_str name = ODM_ABSENT;
        template_item it = {.tmpl = r->id};
        jread j;
        int rc;

        jread_init(&j, c->body, "", &c->problem);
        (void)jread_text(&j, "device", 1, TEMPLATE_NAME, &name);
        jread_end(&j);
        if (!name.p || problem_is(&c->problem))
                return !problem_is(&c->problem);
        rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, out)
                                : ODM_ENOENT;
        if (rc == 0) {
                it.dev = out->id;
                rc = store_row_get(c->api->opt.store, &table_template_item, &it, &c->arena, &it);
        }
        if (rc == ODM_ENOENT)
                problem_at(&c->problem, "device", "is none of the template's");
        else if (rc < 0)
                problem_err(&c->problem, rc, "the device cannot be read");
        return rc == 0;
}

static void template_check(call *c)
{
        template_row r;
        store_device d = {0};
        store_batch *b = NULL;

        if (kept_find(c, &kept_templates, &r) && read_device(c, &r, &d))
                b = call_batch(c, "template.check", d.id, r.name, NULL);
        if (b && kept_tell(c, b, &kept_templates, "check", d.id, r.id)) {
                call_commit(c, b, on_ordered);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

#define TEMPLATES "/api/v1/templates"
const call_route template_routes[TEMPLATE_ROUTES] = {
        {"GET", TEMPLATES, ACCESS_VIEWER, "", false, template_index},
        {"POST", TEMPLATES, ACCESS_OPERATOR, "", true, template_create},
        {"GET", TEMPLATES "/{id}", ACCESS_VIEWER, "", false, template_show},
        {"PATCH", TEMPLATES "/{id}", ACCESS_OPERATOR, "", true, template_change},
        {"DELETE", TEMPLATES "/{id}", ACCESS_OPERATOR, "", false, template_remove},
        {"GET", TEMPLATES "/{id}/devices", ACCESS_VIEWER, "state limit cursor", false,
         template_devices},
        {"POST", TEMPLATES "/{id}/check", ACCESS_OPERATOR, "", true, template_check},
        {"GET", "/api/v1/devices/{name}/templates", ACCESS_VIEWER, "", false, device_templates},
};
