/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns over REST: made, tried dry, shown, and acted upon. */
#include <stdlib.h>
#include <string.h>

#include "campaign_item.h"
#include "campaign_part.h"
#include "command.h"
#include "reach.h"

#define NAME_MOST 128
#define TEXT_MOST 255
#define LOOK_MOST 2000 /* devices of which a page of a dry run is made */
#define PLACE "/api/v1/campaigns/"

/* ---- showing ------------------------------------------------------------------------------- */

static json_t *text_json(odm_str text)
{
        return json_loadb(text.p ? text.p : "{}", text.p ? text.n : 2, 0, NULL);
}

static bool put_tallies(json_t *o, const campaign *c)
{
        json_t *t = json_object();
        campaign copy = *c;
        int64_t all = 0;
        bool ok = true;

        for (unsigned s = 0; s < ITEM_STATES; s++) {
                int64_t n = *campaign_tally(&copy, (campaign_item_state)s);
                all += n;
                ok = ok && put_int(t, campaign_item_states[s], n);
        }
        ok = ok && put_int(t, "all", all);
        return json_object_set_new(o, "devices", t) == 0 && ok;
}

static bool put_some(json_t *o, const char *name, odm_str s)
{
        return s.n == 0 || put_text(o, name, s);
}

static json_t *campaign_json(const campaign *c, bool whole)
{
        json_t *o = json_object();
        bool ok = json_object_set_new(o, "id", id_text(c->id)) == 0 &&
                  put_text(o, "name", c->name) && put_cstr(o, "state", campaign_states[c->state]) &&
                  put_cstr(o, "kind", campaign_kinds[c->kind]) &&
                  put_some(o, "reason", c->reason) && put_id(o, "package", c->package) &&
                  put_some(o, "version", c->version) && put_some(o, "url", c->url) &&
                  put_id(o, "rolls_back", c->source) && put_text(o, "actor", c->actor) &&
                  put_some(o, "approved", c->approved) && put_int(o, "wave", c->wave) &&
                  put_ms(o, "created", c->created) && put_ms(o, "changed", c->updated) &&
                  put_ms(o, "started", c->started) && put_ms(o, "ended", c->ended) &&
                  put_bool(o, "filled", c->filled) && put_tallies(o, c);

        if (whole)
                ok = ok && json_object_set_new(o, "target", text_json(c->target)) == 0 &&
                     json_object_set_new(o, "plan", text_json(c->plan)) == 0 &&
                     put_some(o, "node", c->node) && put_bool(o, "atomic", c->atomic);
        if (whole && c->commands.n)
                ok = ok && json_object_set_new(o, "commands", text_json(c->commands)) == 0;
        if (whole && c->verify.n) {
                json_t *v = json_object();
                ok = ok && put_text(v, "uri", c->verify) && put_text(v, "value", c->expect) &&
                     json_object_set(o, "verify", v) == 0;
                json_decref(v);
        }
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

/* A token of a scope sees campaigns that cannot reach beyond it. */
static bool sees(call *c, const campaign *row)
{
        selector s;

        if (c->who.scope.n == 0)
                return true;
        return selector_parse(row->target, &c->arena, &s) == 0 && selector_within(&s, c->who.scope);
}

/* The campaign of the path; false with the problem set. */
static bool find_campaign(call *c, campaign *out)
{
        campaign key = {.id = 0};
        int rc;

        if (!call_id(c, c->param[0], "campaign", &key.id))
                return false;
        rc = store_row_get(c->api->opt.store, &table_campaign, &key, &c->arena, out);
        if (rc == ODM_ENOENT || (rc == 0 && (out->sweep == SWEEP_REMOVE || !sees(c, out))))
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no campaign %lld.",
                            (long long)key.id);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the campaign cannot be read");
        return !problem_is(&c->problem);
}

static void campaign_show(call *c)
{
        campaign row;

        if (find_campaign(c, &row))
                call_reply(c, 200, campaign_json(&row, true));
        else
                call_fail(c);
}

static unsigned find_word(const char *const *words, odm_str s)
{
        unsigned i = 0;

        while (words[i] && !odm_str_is(s, words[i]))
                i++;
        return i;
}

static void campaign_list(call *c)
{
        campaign at = {.id = 0}, after = {.id = 0};
        store_scan scan = {.table = &table_campaign, .at = &at, .down = true};
        odm_str word = call_query(c, "state");
        store_rows r = {0};
        json_t *items;
        bool ok = true;
        int rc;

        at.state = find_word(campaign_states, word);
        if (word.p && !campaign_states[at.state])
                problem_at(&c->problem, "state", "is none of a campaign's states");
        if (problem_is(&c->problem) || !call_page(c, &scan.limit, &after.id)) {
                call_fail(c);
                return;
        }
        if (word.p) {
                scan.index = CAMPAIGN_BY_STATE;
                scan.same = 1;
        }
        after.state = at.state;
        scan.after = after.id ? &after : NULL;
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &r);
        if (rc < 0) {
                call_refused(c, "the campaigns cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; ok && i < r.n; i++) {
                const campaign *row = (campaign *)r.v + i;
                if (row->sweep != SWEEP_REMOVE && sees(c, row))
                        ok = json_array_append_new(items, campaign_json(row, false)) == 0;
        }
        if (ok) {
                call_reply(c, 200,
                           page_new(items, r.more ? id_text(((campaign *)r.v)[r.n - 1].id) : NULL));
                return;
        }
        json_decref(items);
        call_fail(c);
}

/* ---- its devices ----------------------------------------------------------------------------- */

static json_t *item_json(const campaign_plan *p, const campaign *c, const campaign_item *it)
{
        json_t *o = json_object();
        bool ok = put_text(o, "device", it->name) &&
                  put_cstr(o, "state", campaign_item_states[it->state]) &&
                  (it->n == 0 || put_int(o, "wave", campaign_wave_of(p, it->n, c->total))) &&
                  (it->class == CLASS_NONE || put_cstr(o, "class", campaign_classes[it->class])) &&
                  put_some(o, "reason", it->reason) && put_int(o, "tries", it->tries) &&
                  put_some(o, "before", it->before) && put_some(o, "after", it->after) &&
                  put_some(o, "version", it->version) && put_ms(o, "ordered", it->ordered) &&
                  put_ms(o, "changed", it->updated) && put_ms(o, "ended", it->ended);

        if (it->state == ITEM_DELAYED)
                ok = ok && put_ms(o, "due", it->due);
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

/* Pages go on behind a name, or with a state behind a place in the order. */
static bool read_cursor(call *c, odm_str word, campaign_item *after)
{
        odm_str cursor = call_query(c, "cursor");
        uint64_t n, dev;
        size_t i = 0;

        if (!cursor.p)
                return true;
        after->name = cursor;
        after->dev = INT64_MAX; /* behind the one of that name */
        while (i < cursor.n && cursor.p[i] != '.')
                i++;
        if (word.p && (odm_str_u64(odm_str_to(cursor, i), INT64_MAX, &n) < 0 ||
                       odm_str_u64(odm_str_from(cursor, i + 1), INT64_MAX, &dev) < 0)) {
                problem_at(&c->problem, "cursor", "is none that was given out");
                return false;
        }
        if (word.p) {
                after->n = (int64_t)n;
                after->dev = (int64_t)dev;
        }
        return true;
}

static json_t *next_cursor(call *c, odm_str word, const campaign_item *last)
{
        odm_str s = word.p ? odm_arena_fmt(&c->arena, "%lld.%lld", (long long)last->n,
                                           (long long)last->dev)
                           : last->name;

        return json_stringn(s.p, s.n);
}

static void send_items(call *c, const campaign *row, const store_rows *r, odm_str word)
{
        json_t *plan = text_json(row->plan), *items = json_array();
        const campaign_item *v = r->v;
        campaign_plan p;
        problem none;
        bool ok;

        problem_init(&none);
        ok = campaign_plan_read(plan, "", &none, &p);
        problem_done(&none);
        for (size_t i = 0; ok && i < r->n; i++)
                if (call_sees(c, v[i].name))
                        ok = json_array_append_new(items, item_json(&p, row, &v[i])) == 0;
        json_decref(plan);
        if (ok) {
                call_reply(c, 200,
                           page_new(items, r->more ? next_cursor(c, word, &v[r->n - 1]) : NULL));
                return;
        }
        json_decref(items);
        call_fail(c);
}

static void campaign_devices(call *c)
{
        odm_str word = call_query(c, "state");
        campaign_item at = {.dev = 0}, after = {.dev = 0};
        store_scan scan = {.table = &table_campaign_item,
                           .index = word.p ? ITEM_BY_ORDER : ITEM_BY_NAME,
                           .same = word.p ? 2 : 1,
                           .at = &at};
        campaign row;
        store_rows r = {0};
        int64_t limit;
        int rc;

        at.state = find_word(campaign_item_states, word);
        if (word.p && !campaign_item_states[at.state])
                problem_at(&c->problem, "state", "is none of a device's states in a campaign");
        if (!find_campaign(c, &row) || !call_query_int(c, "limit", 1, 1000, 100, &limit) ||
            !read_cursor(c, word, &after)) {
                call_fail(c);
                return;
        }
        at.campaign = after.campaign = row.id;
        after.state = at.state;
        scan.after = call_query(c, "cursor").p ? &after : NULL;
        scan.limit = (uint32_t)limit;
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &r);
        if (rc < 0)
                call_refused(c, "its devices cannot be read", rc);
        else
                send_items(c, &row, &r, word);
}

/* ---- making one ------------------------------------------------------------------------------ */

static odm_str keep_json(call *c, const json_t *o)
{
        char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
        odm_str s = text ? odm_arena_copy(&c->arena, odm_cstr(text)) : ODM_ABSENT;

        free(text);
        if (!s.p)
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        return s;
}

static void read_target(call *c, jread *r, campaign *row)
{
        const json_t *o = json_object_get(c->body, "target");
        selector s;

        r->asked[r->n_asked++] = "target";
        if (!json_is_object(o)) {
                jread_wrong(r, "target",
                            "is needed: an object that selects devices, {} for all of them");
                return;
        }
        if (!selector_read(o, "target", &c->problem, &c->arena, &s))
                return;
        if (!selector_within(&s, c->who.scope))
                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                            "The token is for devices whose names begin with %.*s: \"prefix\" or "
                            "\"devices\" of the target have to say so.",
                            (int)c->who.scope.n, c->who.scope.p);
        row->target = keep_json(c, o);
        for (size_t i = 0; i < s.devices.n; i++) {
                store_device d;
                if (store_device_by_name(c->api->opt.store, s.devices.v[i], &c->arena, &d) ==
                    ODM_ENOENT)
                        problem_at(&c->problem, "target.devices", "there is no device %.*s",
                                   (int)s.devices.v[i].n, s.devices.v[i].p);
        }
}

static void read_plan(call *c, jread *r, campaign *row, campaign_plan *p)
{
        const json_t *o = json_object_get(c->body, "plan");
        json_t *none = json_object(), *out = NULL;

        r->asked[r->n_asked++] = "plan";
        if (o && !json_is_object(o))
                jread_wrong(r, "plan", "has to be an object");
        else if (campaign_plan_read(o ? o : none, "plan", &c->problem, p))
                out = campaign_plan_json(p);
        if (out)
                row->plan = keep_json(c, out);
        json_decref(out);
        json_decref(none);
}

static void read_package(call *c, jread *r, campaign *row, package *pkg)
{
        package key = {.id = 0};
        odm_str id;
        uint64_t n = 0;
        int rc;

        if (jread_text(r, "package", 1, 20, &id) != 1)
                return;
        rc = odm_str_u64(id, INT64_MAX, &n) < 0 ? ODM_ENOENT : 0;
        key.id = (int64_t)n;
        if (rc == 0)
                rc = store_row_get(c->api->opt.store, &table_package, &key, &c->arena, pkg);
        if (rc == ODM_ENOENT)
                jread_wrong(r, "package", "there is no such package");
        else if (rc < 0)
                problem_err(&c->problem, rc, "the package cannot be read");
        else if (pkg->state != PACKAGE_READY)
                jread_wrong(r, "package", "it is not ready: its content has not come");
        else
                row->package = key.id;
}

/* Every variable has to be one that there is; the values do not matter here. */
static void check_variables(call *c, const json_t *list)
{
        const odm_str x = ODM_STR("x");
        const campaign_vars v = {x, x, x, x, x, x, x, ODM_STR(""), x, x, x, x, x, x};
        json_t *copy = json_deep_copy(list);
        char which[CAMPAIGN_VAR] = "";
        int rc = copy ? campaign_fill(copy, &v, which) : ODM_ENOMEM;

        if (rc == ODM_EMALFORMED)
                problem_at(&c->problem, "commands", "${%s} is no variable", which);
        json_decref(copy);
}

static void read_commands(call *c, jread *r, campaign *row)
{
        const json_t *list = NULL;

        jread_bool(r, "atomic", &row->atomic);
        if (jread_list(r, "commands", 1, COMMANDS_MAX, &list) != 1)
                return;
        if (command_check(list, row->atomic, &c->problem) && reach_none(c, list))
                check_variables(c, list);
        row->commands = keep_json(c, list);
}

/* It stands in JSON that we write ourselves. */
static void check_uri(jread *r, const char *name, odm_str uri)
{
        bool ok = odm_str_starts(uri, "./");

        for (size_t i = 0; ok && i < uri.n; i++)
                ok = (unsigned char)uri.p[i] > ' ' && uri.p[i] != '"' && uri.p[i] != '\\';
        if (uri.n && !ok)
                jread_wrong(r, name, "has to be a URI that begins with ./");
}

static void read_verify(call *c, jread *r, campaign *row)
{
        const json_t *o = json_object_get(c->body, "verify");
        jread in;

        r->asked[r->n_asked++] = "verify";
        if (!o && row->kind == CAMPAIGN_FIRMWARE) {
                row->verify = ODM_STR("./DevDetail/FwV");
                row->expect = ODM_STR("${version}");
        }
        if (!o || json_is_null(o))
                return;
        if (!json_is_object(o)) {
                jread_wrong(r, "verify", "has to be an object, or null for no look");
                return;
        }
        jread_init(&in, o, "verify", &c->problem);
        if (jread_text(&in, "uri", 3, TEXT_MOST, &row->verify) == 0)
                jread_missing(&in, "uri");
        check_uri(&in, "uri", row->verify);
        if (jread_text(&in, "value", 0, TEXT_MOST, &row->expect) == 0)
                jread_missing(&in, "value");
        jread_end(&in);
}

/* The commands that we make bring a package as what the campaign is. */
static void check_kind(jread *r, const campaign *row, const package *pkg)
{
        if (!row->package || row->commands.n || row->kind == CAMPAIGN_COMMANDS)
                return;
        if (pkg->kind != (row->kind == CAMPAIGN_FIRMWARE ? PACKAGE_FIRMWARE : PACKAGE_SOFTWARE))
                jread_wrong(r, "package",
                            "is of another kind: commands have to say how devices get it");
}

static void read_what(call *c, jread *r, campaign *row)
{
        package pkg = {.id = 0};
        unsigned kind = CAMPAIGN_FIRMWARE;
        int given;

        read_package(c, r, row, &pkg);
        read_commands(c, r, row);
        jread_text(r, "version", 1, TEXT_MOST, &row->version);
        if (jread_text(r, "url", 8, PACKAGE_URL_MOST, &row->url) == 1 && !package_url_ok(row->url))
                jread_wrong(r, "url", "is no http or https URL");
        jread_text(r, "node", 3, TEXT_MOST - 100, &row->node);
        check_uri(r, "node", row->node);
        given = jread_word(r, "kind", campaign_kinds, &kind);
        if (given == 0)
                kind = row->package && pkg.kind == PACKAGE_FIRMWARE   ? CAMPAIGN_FIRMWARE
                       : row->package && pkg.kind == PACKAGE_SOFTWARE ? CAMPAIGN_SOFTWARE
                       : row->commands.n                              ? CAMPAIGN_COMMANDS
                                                                      : CAMPAIGN_FIRMWARE;
        row->kind = kind;
        check_kind(r, row, &pkg);
        if (row->package && (row->url.n || row->version.n))
                jread_wrong(r, "package", "has its own url and version");
        if (kind == CAMPAIGN_COMMANDS && !row->commands.n)
                jread_wrong(r, "commands", "are needed");
        if (kind != CAMPAIGN_COMMANDS && !row->commands.n && !row->package && !row->url.n)
                jread_wrong(r, "package", "is needed, or url, or commands");
        if (kind == CAMPAIGN_FIRMWARE && !row->package && !row->version.n)
                jread_wrong(r, "version", "is needed: what the devices run in the end");
        read_verify(c, r, row);
}

static void read_campaign(call *c, campaign *row, campaign_plan *p, bool *start)
{
        jread r;

        *row = (campaign){.actor = c->who.name,
                          .rev = 1,
                          .created = c->now,
                          .updated = c->now,
                          .state = CAMPAIGN_DRAFT};
        *start = false;
        jread_init(&r, c->body, "", &c->problem);
        if (jread_text(&r, "name", 1, NAME_MOST, &row->name) == 0)
                jread_missing(&r, "name");
        read_what(c, &r, row);
        read_target(c, &r, row);
        read_plan(c, &r, row, p);
        jread_bool(&r, "start", start);
        jread_end(&r);
        if (problem_is(&c->problem))
                return;
        if (*start && p->approval)
                jread_wrong(&r, "start", "its plan asks for approval first");
        if (p->deadline && p->deadline <= c->now)
                problem_at(&c->problem, "plan.deadline", "has passed");
}

static bool put_row(call *c, store_batch *b, store_op_kind kind, const campaign *row,
                    store_op **out)
{
        campaign *keep = odm_new(&c->arena, campaign);

        if (!keep || !call_op(c, b, kind, out))
                return false;
        *keep = *row;
        (*out)->row = (store_row_op){.table = &table_campaign, .row = keep};
        return true;
}

/* {"campaign", "name", "actor"} */
static bool put_event(call *c, store_batch *b, const char *kind, const campaign *row)
{
        odm_str id = row->id ? odm_arena_number(&c->arena, (uint64_t)row->id) : ODM_ABSENT, data;
        json_t *o = json_object();
        store_op *op;
        bool ok = put_text(o, "campaign", id) && put_text(o, "name", row->name) &&
                  put_text(o, "actor", c->who.name);

        data = ok ? keep_json(c, o) : ODM_ABSENT;
        json_decref(o);
        if (!data.p || !call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){.at = c->now, .kind = odm_cstr(kind), .data = data};
        return true;
}

/* False with the problem set when so many are at work that no other may begin. */
static bool may_begin(call *c)
{
        const campaign at = {.work = 1};
        const store_scan scan = {
                .table = &table_campaign, .index = CAMPAIGN_BY_WORK, .same = 1, .at = &at};
        uint64_t n = 0;
        int rc = store_row_count(c->api->opt.store, &scan, CAMPAIGNS_AT_WORK, &n);

        if (rc < 0)
                problem_err(&c->problem, rc, "the campaigns cannot be counted");
        else if (n >= CAMPAIGNS_AT_WORK)
                problem_set(&c->problem, PROBLEM_STATE,
                            "%u campaigns run already: wait until one has ended.",
                            CAMPAIGNS_AT_WORK);
        return !problem_is(&c->problem);
}

typedef struct making {
        campaign row;
        store_op *op;
} making;

static void on_made(call *c, store_batch *b, int rc)
{
        making *m = c->data;

        (void)b;
        if (rc == ODM_ESTATE || rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The package or the campaign has changed meanwhile: try again.");
        if (rc < 0) {
                call_refused(c, "the campaign cannot be made", rc);
                return;
        }
        m->row.id = m->op->id;
        c->location = odm_arena_fmt(&c->arena, PLACE "%lld", (long long)m->row.id);
        call_reply(c, 201, campaign_json(&m->row, true));
}

static bool make_ops(call *c, store_batch *b, making *m)
{
        m->row.holds = m->row.package != 0;
        return put_row(c, b, STORE_ROW_ADD, &m->row, &m->op) &&
               (!m->row.package || package_use(b, m->row.package, 1)) &&
               put_event(c, b, "campaign.created", &m->row);
}

static void campaign_create(call *c)
{
        making *m = odm_new(&c->arena, making);
        campaign_plan p;
        store_batch *b = NULL;
        bool start = false;

        if (m)
                read_campaign(c, &m->row, &p, &start);
        if (m && !problem_is(&c->problem) && (!start || may_begin(c))) {
                if (start)
                        campaign_begin(&m->row, c->now);
                b = call_batch(c, "campaign.create", 0, m->row.name, start ? "started" : "");
        }
        c->data = m;
        if (b && make_ops(c, b, m)) {
                call_commit(c, b, on_made);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- a dry run --------------------------------------------------------------------------------- */

static bool put_order(json_t *o, const campaign_order *w, int64_t now)
{
        json_t *list;

        if (w->class != CLASS_NONE)
                return put_cstr(o, "action", "skip") &&
                       put_cstr(o, "class", campaign_classes[w->class]) &&
                       put_cstr(o, "reason", w->reason);
        if (w->unknown)
                return put_cstr(o, "action", "order") &&
                       put_cstr(o, "reason", "it has never called: what it is sent is made then");
        list = json_loadb(w->commands.p, w->commands.n, 0, NULL);
        return json_object_set_new(o, "commands", list) == 0 && put_cstr(o, "action", "order") &&
               (w->open || put_ms(o, "not_before", w->edge > now ? w->edge : 0));
}

/* What would come of the device; NULL for one that is left out of the answer, or with *failed. */
static json_t *try_device(call *c, campaign_scope *s, const store_device *d, bool others,
                          bool *failed)
{
        const campaign_item none = {.dev = d->id};
        campaign_order w = {.class = CLASS_NONE};
        odm_str why = ODM_ABSENT;
        json_t *o;
        bool ok = selector_has(&s->target, d, &c->arena, &why);

        if (!call_sees(c, d->name) || (!ok && !others))
                return NULL;
        o = json_object();
        *failed = !put_text(o, "device", d->name);
        if (!ok)
                *failed |= !put_cstr(o, "action", "out") || !put_text(o, "reason", why);
        else if (campaign_item_order(s, &none, d, c->now, &w) < 0)
                *failed = true;
        else
                *failed |= !put_order(o, &w, c->now);
        if (*failed) {
                json_decref(o);
                o = NULL;
        }
        return o;
}

static void send_trial(call *c, campaign_scope *s, store_device_filter *f, bool others)
{
        store_device_list l = {0};
        json_t *items = json_array();
        bool failed = false;
        int rc;

        if (!others)
                selector_filter(&s->target, f);
        rc = store_device_find(c->api->opt.store, f, &c->arena, &l);
        for (size_t i = 0; rc == 0 && !failed && i < l.n; i++) {
                json_t *o = try_device(c, s, &l.v[i], others, &failed);
                if (o)
                        failed = json_array_append_new(items, o) < 0;
        }
        if (rc == 0 && !failed) {
                call_reply(c, 200,
                           page_new(items, l.more ? json_stringn(l.next.p, l.next.n) : NULL));
                return;
        }
        json_decref(items);
        if (rc < 0)
                call_refused(c, "the devices cannot be read", rc);
        else
                call_fail(c);
}

static void run_dry(call *c, const campaign *row)
{
        store_device_filter f = {.after = call_query(c, "cursor"), .look = LOOK_MOST};
        int64_t limit, others;
        campaign_scope s;
        int rc;

        if (!call_query_int(c, "limit", 1, 1000, 100, &limit) ||
            !call_query_int(c, "others", 0, 1, 0, &others)) {
                call_fail(c);
                return;
        }
        f.limit = (uint32_t)limit;
        rc = campaign_scope_init(&s, fleet_host_of(c->api->opt.fleet), row, &c->arena);
        if (rc == 0)
                send_trial(c, &s, &f, others);
        else
                call_refused(c, "the campaign cannot be tried", rc);
        campaign_scope_done(&s);
}

static void campaign_try(call *c)
{
        campaign row;
        campaign_plan p;
        bool start;

        read_campaign(c, &row, &p, &start);
        if (problem_is(&c->problem))
                call_fail(c);
        else
                run_dry(c, &row);
}

static void campaign_preview(call *c)
{
        campaign row;

        if (!find_campaign(c, &row))
                call_fail(c);
        else if (row.source) {
                problem_set(&c->problem, PROBLEM_STATE,
                            "A rollback is for the devices that succeeded in campaign %lld.",
                            (long long)row.source);
                call_fail(c);
        } else
                run_dry(c, &row);
}

/* ---- acts -------------------------------------------------------------------------------------- */

/* Patches the row unless somebody was faster. */
static bool act_op(call *c, store_batch *b, const campaign *row, uint64_t fields, int64_t rev)
{
        campaign *is = odm_new(&c->arena, campaign);
        store_op *op;

        if (!is || !put_row(c, b, STORE_ROW_PATCH, row, &op))
                return false;
        is->rev = rev;
        op->row.fields = fields;
        op->row.where = STORE_FIELD(CAMPAIGN_F_rev);
        op->row.is = is;
        return true;
}

static campaign_action action_of(const call *c)
{
        const char *word = strrchr(c->route->pattern, '/') + 1;

        if (strcmp(c->route->method, "DELETE") == 0)
                return CAMPAIGN_REMOVE;
        return (campaign_action)find_word(campaign_actions, odm_cstr(word));
}

/* "network,corrupt" */
static bool read_classes(call *c, uint32_t *out)
{
        odm_str s = call_query(c, "class");
        uint32_t got = 0;

        while (s.n > 0) {
                unsigned i;
                size_t n = 0;

                while (n < s.n && s.p[n] != ',')
                        n++;
                i = find_word(campaign_classes, odm_str_to(s, n));
                if (!campaign_classes[i]) {
                        problem_at(&c->problem, "class", "has a word that is no class of failures");
                        return false;
                }
                got |= CLASS_BIT(i);
                s = odm_str_from(s, n + 1);
        }
        *out = got;
        return true;
}

static bool may_act(call *c, const campaign *row, campaign_action a, campaign_state *to)
{
        json_t *text = text_json(row->plan);
        campaign_plan p;
        problem none;
        const char *no = "Its plan cannot be read.";

        problem_init(&none);
        if (campaign_plan_read(text, "", &none, &p))
                no = campaign_may((campaign_state)row->state, a, p.approval, row->approved.n > 0,
                                  to);
        problem_done(&none);
        json_decref(text);
        if (!no && a == CAMPAIGN_RETRY && p.deadline && p.deadline <= c->now)
                no = "Its deadline has passed.";
        if (!no && row->sweep == SWEEP_RETRY && a == CAMPAIGN_PAUSE)
                no = "Its devices that failed are just being taken up again: try in a moment.";
        if (!no && a == CAMPAIGN_REMOVE && row->work)
                no = "Some of its devices are still under way.";
        if (no)
                problem_set(&c->problem, PROBLEM_STATE, "%s", no);
        else if (a == CAMPAIGN_APPROVE && odm_str_eq(c->who.name, row->actor))
                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                            "Who made a campaign does not approve it: use another token.");
        return !problem_is(&c->problem) &&
               (row->work || (a != CAMPAIGN_START && a != CAMPAIGN_RETRY) || may_begin(c));
}

static void on_acted(call *c, store_batch *b, int rc)
{
        making *m = c->data;

        (void)b;
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "Somebody else has just acted on it: look, and try again.");
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_STATE, "Its package is not there any more.");
        if (rc < 0)
                call_refused(c, "that cannot be done", rc);
        else if (action_of(c) == CAMPAIGN_REMOVE)
                call_empty(c, 204);
        else
                call_reply(c, 200, campaign_json(&m->row, true));
}

static const char *const told[] = {"campaign.approved", "campaign.started",   "campaign.paused",
                                   "campaign.resumed",  "campaign.cancelled", "campaign.retried",
                                   "campaign.rollback", "campaign.removed"};

static void campaign_change(call *c)
{
        making *m = odm_new(&c->arena, making);
        campaign_action a = action_of(c);
        campaign_state to;
        store_batch *b = NULL;
        uint32_t classes = 0;

        if (m && find_campaign(c, &m->row) && read_classes(c, &classes) &&
            may_act(c, &m->row, a, &to)) {
                int64_t rev = m->row.rev;
                bool held = m->row.holds;
                uint64_t fields;

                m->row.classes = classes;
                fields = campaign_act(&m->row, a, to, c->who.name, c->now, &c->arena);
                b = call_batch(c, told[a], 0, m->row.name, "");
                c->data = m;
                if (b && act_op(c, b, &m->row, fields, rev) &&
                    (held || !m->row.holds || package_use(b, m->row.package, 1)) &&
                    put_event(c, b, told[a], &m->row)) {
                        call_commit(c, b, on_acted);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- back ---------------------------------------------------------------------------------------- */

/* Everything at once: there is no time for waves. */
static odm_str back_plan(call *c, const campaign *from)
{
        json_t *text = text_json(from->plan), *out = NULL;
        campaign_plan p;
        problem none;
        odm_str s = ODM_ABSENT;

        problem_init(&none);
        if (campaign_plan_read(text, "", &none, &p)) {
                p.canary = p.wave = (campaign_share){0};
                p.n_windows = 0;
                p.hold = p.join = p.approval = false;
                p.begin = p.deadline = 0;
                out = campaign_plan_json(&p);
                s = keep_json(c, out);
        }
        problem_done(&none);
        json_decref(out);
        json_decref(text);
        return s;
}

static bool has_package(call *c, int64_t id)
{
        const package key = {.id = id};
        package pkg;

        return store_row_get(c->api->opt.store, &table_package, &key, &c->arena, &pkg) !=
               ODM_ENOENT;
}

/* To what: a package, or a URL and a version; else each to the package of the version it had. */
static bool back_to(call *c, const campaign *from, campaign *back)
{
        odm_str id = call_query(c, "package");
        uint64_t n;

        back->package = from->package;
        back->url = call_query(c, "url");
        back->version = call_query(c, "version");
        if (id.n && (back->url.n || back->version.n)) {
                problem_at(&c->problem, "package", "has its own url and version");
        } else if (back->url.n && !package_url_ok(back->url)) {
                problem_at(&c->problem, "url", "is no http or https URL");
        } else if (!back->url.n != !back->version.n) {
                problem_at(&c->problem, "url", "and version go together");
        } else if (back->url.n) {
                back->package = 0;
        } else if (id.n) {
                package key = {.id = 0}, pkg;

                if (odm_str_u64(id, INT64_MAX, &n) == 0)
                        key.id = (int64_t)n;
                if (store_row_get(c->api->opt.store, &table_package, &key, &c->arena, &pkg) < 0 ||
                    pkg.state != PACKAGE_READY)
                        problem_at(&c->problem, "package",
                                   "there is no such package that is ready");
                else
                        back->version = pkg.version;
                back->package = key.id;
        } else if (!from->package) {
                problem_at(&c->problem, "url",
                           "is needed, with version: or package, as that campaign has none");
        } else if (!has_package(c, from->package)) {
                problem_set(&c->problem, PROBLEM_STATE,
                            "Its package is not there any more, and nobody knows the one before: "
                            "name a package, or url and version.");
        }
        return !problem_is(&c->problem);
}

static bool make_back(call *c, const campaign *from, campaign *back)
{
        *back = (campaign){.name = odm_arena_join(&c->arena, ODM_STR("rollback of "), from->name),
                           .kind = from->kind,
                           .actor = c->who.name,
                           .rev = 1,
                           .node = from->node,
                           .verify = from->verify,
                           .expect = from->expect,
                           .source = from->id,
                           .target = from->target,
                           .plan = back_plan(c, from),
                           .created = c->now,
                           .updated = c->now};
        if (from->kind != CAMPAIGN_FIRMWARE || from->commands.n)
                problem_set(&c->problem, PROBLEM_STATE,
                            "Only firmware is rolled back: what undoes other orders is not known. "
                            "Make a campaign that does.");
        else if (from->source)
                problem_set(&c->problem, PROBLEM_STATE, "It is a rollback itself.");
        campaign_begin(back, c->now);
        return !problem_is(&c->problem) && back_to(c, from, back) && back->plan.p && may_begin(c);
}

static void campaign_rollback(call *c)
{
        making *m = odm_new(&c->arena, making);
        campaign from;
        campaign_state to;
        store_batch *b = NULL;

        if (m && find_campaign(c, &from) && may_act(c, &from, CAMPAIGN_ROLLBACK, &to) &&
            make_back(c, &from, &m->row)) {
                int64_t rev = from.rev;
                uint64_t fields =
                        campaign_act(&from, CAMPAIGN_ROLLBACK, to, c->who.name, c->now, &c->arena);

                b = call_batch(c, "campaign.rollback", 0, from.name, "");
                c->data = m;
                if (b && act_op(c, b, &from, fields, rev) &&
                    put_event(c, b, "campaign.rollback", &from) && make_ops(c, b, m)) {
                        call_commit(c, b, on_made);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

#define PAGE "limit cursor"
#define ONE "/api/v1/campaigns/{id}"
const call_route campaign_routes[CAMPAIGN_ROUTES] = {
        {"GET", "/api/v1/campaigns", ACCESS_VIEWER, PAGE " state", false, campaign_list, NULL},
        {"POST", "/api/v1/campaigns", ACCESS_OPERATOR, "", true, campaign_create, NULL},
        {"POST", "/api/v1/campaigns/preview", ACCESS_OPERATOR, PAGE " others", true, campaign_try,
         NULL},
        {"GET", ONE, ACCESS_VIEWER, "", false, campaign_show, NULL},
        {"DELETE", ONE, ACCESS_OPERATOR, "", false, campaign_change, NULL},
        {"GET", ONE "/devices", ACCESS_VIEWER, PAGE " state", false, campaign_devices, NULL},
        {"GET", ONE "/preview", ACCESS_VIEWER, PAGE " others", false, campaign_preview, NULL},
        {"POST", ONE "/approve", ACCESS_OPERATOR, "", false, campaign_change, NULL},
        {"POST", ONE "/start", ACCESS_OPERATOR, "", false, campaign_change, NULL},
        {"POST", ONE "/pause", ACCESS_OPERATOR, "", false, campaign_change, NULL},
        {"POST", ONE "/resume", ACCESS_OPERATOR, "", false, campaign_change, NULL},
        {"POST", ONE "/cancel", ACCESS_OPERATOR, "", false, campaign_change, NULL},
        {"POST", ONE "/retry", ACCESS_OPERATOR, "class", false, campaign_change, NULL},
        {"POST", ONE "/rollback", ACCESS_OPERATOR, "package url version", false, campaign_rollback,
         NULL},
};
