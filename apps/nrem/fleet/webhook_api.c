/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks in REST.  Each change carries the event "webhook.changed", by which the part knows. */
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "kept.h"
#include "net.h"
#include "rand.h"
#include "webhook_part.h"

#define URL_MAX 2000
#define KINDS_MAX 32
#define SECRET_OCTETS 24

/* ---- shown ---------------------------------------------------------------------------- */

static bool put_kinds(json_t *o, odm_str kinds)
{
        json_t *list = json_array();
        bool ok = list != NULL;

        while (ok && kinds.n) {
                size_t n = 0;

                while (n < kinds.n && kinds.p[n] != ' ')
                        n++;
                ok = json_array_append_new(list, json_stringn(kinds.p, n)) == 0;
                kinds = odm_str_from(kinds, n + 1);
        }
        return json_object_set_new(o, "kinds", list) == 0 && ok;
}

static const char *state_of(const webhook *w)
{
        return !w->enabled ? "disabled" : w->failures >= WEBHOOK_FAILING ? "failing" : "ok";
}

static json_t *webhook_json(const webhook *w, bool secret)
{
        json_t *o = json_object();

        if (put_id(o, "id", w->id) && put_text(o, "url", w->url) && put_kinds(o, w->kinds) &&
            (w->prefix.n == 0 || put_text(o, "prefix", w->prefix)) &&
            put_bool(o, "enabled", w->enabled) && put_cstr(o, "state", state_of(w)) &&
            put_int(o, "failures", w->failures) &&
            (w->status == 0 || put_int(o, "status", w->status)) &&
            (w->error.n == 0 || put_text(o, "error", w->error)) && put_ms(o, "tried", w->tried) &&
            put_ms(o, "delivered", w->delivered) && put_ms(o, "created", w->created) &&
            put_text(o, "actor", w->actor) && (!secret || put_text(o, "secret", w->secret)))
                return o;
        json_decref(o);
        return NULL;
}

/* A token with a scope has to do with the webhooks of that scope. */
static bool is_within(call *c, const void *row)
{
        const webhook *w = row;

        return call_sees(c, w->prefix);
}

static json_t *shown(const void *row)
{
        return webhook_json(row, false);
}

static const kept kept_webhooks = {"webhook", &table_webhook, WEBHOOKS_MAX, is_within, shown};

static void webhook_list(call *c)
{
        kept_list(c, &kept_webhooks);
}

static void webhook_show(call *c)
{
        kept_show(c, &kept_webhooks);
}

/* ---- read ----------------------------------------------------------------------------- */

static void read_url(call *c, jread *r, webhook *w, bool required)
{
        odm_str url;
        net_url u;
        int rc = jread_text(r, "url", 8, URL_MAX, &url);

        if (rc == 0 && required)
                (void)jread_missing(r, "url");
        if (rc != 1)
                return;
        if (net_url_parse(url, &u) < 0 || !u.host[0] ||
            (strcmp(u.scheme, "http") != 0 && strcmp(u.scheme, "https") != 0))
                (void)jread_wrong(r, "url", "is no http or https URL");
        w->url = odm_arena_copy(&c->arena, url);
}

static void read_kinds(call *c, jread *r, webhook *w)
{
        const json_t *list, *v;
        size_t i;
        odm_str kinds = ODM_STR("");

        if (jread_list(r, "kinds", 0, KINDS_MAX, &list) != 1)
                return;
        json_array_foreach(list, i, v)
        {
                odm_str s = json_is_string(v) ? odm_cstr(json_string_value(v)) : ODM_ABSENT;

                if (!event_kind_known(s)) {
                        (void)jread_wrong(r, "kinds",
                                          "holds what begins no kind of event (docs/events.md)");
                        return;
                }
                kinds = odm_arena_fmt(&c->arena, "%.*s%s%.*s", (int)kinds.n, kinds.p,
                                      kinds.n ? " " : "", (int)s.n, s.p);
        }
        w->kinds = kinds;
}

static void read_prefix(call *c, jread *r, webhook *w)
{
        odm_str prefix;

        if (jread_text(r, "prefix", 0, 255, &prefix) == 1) {
                w->prefix = odm_arena_copy(&c->arena, prefix);
                if (!call_sees(c, w->prefix))
                        (void)jread_wrong(r, "prefix", "reaches beyond the token's scope");
        }
}

static void read_secret(call *c, jread *r, webhook *w)
{
        odm_str secret;

        if (jread_text(r, "secret", 16, 128, &secret) == 1)
                w->secret = odm_arena_copy(&c->arena, secret);
}

static void read_webhook(call *c, webhook *w, bool fresh)
{
        jread r;

        jread_init(&r, c->body, "", &c->problem);
        read_url(c, &r, w, fresh);
        read_kinds(c, &r, w);
        read_prefix(c, &r, w);
        read_secret(c, &r, w);
        (void)jread_bool(&r, "enabled", &w->enabled);
        jread_end(&r);
}

/* ---- changes -------------------------------------------------------------------------- */

static void on_created(call *c, store_batch *b, int rc)
{
        webhook *w = c->data;

        if (rc < 0) {
                call_refused(c, "the webhook cannot be kept", rc);
                return;
        }
        for (size_t i = 0; i < b->n; i++)
                if (b->ops[i]->kind == STORE_ROW_ADD)
                        w->id = b->ops[i]->id;
        c->location = odm_arena_fmt(&c->arena, "/api/v1/webhooks/%lld", (long long)w->id);
        c->secret = true;
        call_reply(c, 201, webhook_json(w, true));
}

/* How far the log is: what was before is not sent. */
static bool may_add(call *c, webhook *w)
{
        int rc;

        if (!kept_has_room(c, &kept_webhooks))
                return false;
        rc = store_event_last(c->api->opt.store, &w->place);
        if (rc < 0)
                problem_err(&c->problem, rc, "the webhooks cannot be read");
        return rc == 0;
}

static void webhook_create(call *c)
{
        webhook *w = odm_new(&c->arena, webhook);
        char secret[2 * SECRET_OCTETS + 1];
        store_batch *b = NULL;
        store_op *op;

        if (!w) {
                call_fail(c);
                return;
        }
        *w = (webhook){.enabled = true,
                       .kinds = ODM_STR(""),
                       .prefix = c->who.scope.p ? c->who.scope : ODM_STR(""),
                       .created = c->now,
                       .actor = c->who.name};
        read_webhook(c, w, true);
        if (!w->secret.p) {
                rand_hex(secret, SECRET_OCTETS);
                w->secret = odm_arena_copy(&c->arena, odm_cstr(secret));
        }
        if (!problem_is(&c->problem) && may_add(c, w))
                b = call_batch(c, "webhook.create", 0, w->url, NULL);
        if (b && call_op(c, b, STORE_ROW_ADD, &op) &&
            kept_tell(c, b, &kept_webhooks, "changed", 0, w->id)) {
                op->row.table = &table_webhook;
                op->row.row = w;
                c->data = w;
                call_commit(c, b, on_created);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

static void webhook_change(call *c)
{
        const uint64_t fields = STORE_FIELD(WEBHOOK_URL) | STORE_FIELD(WEBHOOK_KINDS) |
                                STORE_FIELD(WEBHOOK_PREFIX) | STORE_FIELD(WEBHOOK_SECRET) |
                                STORE_FIELD(WEBHOOK_ENABLED);
        webhook *w = odm_new(&c->arena, webhook);
        store_batch *b = NULL;

        if (w && kept_find(c, &kept_webhooks, w)) {
                read_webhook(c, w, false);
                if (!problem_is(&c->problem))
                        b = call_batch(c, "webhook.change", 0, w->url, NULL);
        }
        kept_write(c, &kept_webhooks, b,
                   &(kept_change){.kind = STORE_ROW_PATCH, .row = w, .fields = fields});
}

static void webhook_remove(call *c)
{
        webhook *w = odm_new(&c->arena, webhook);
        store_batch *b = NULL;

        if (w && kept_find(c, &kept_webhooks, w))
                b = call_batch(c, "webhook.remove", 0, w->url, NULL);
        kept_write(c, &kept_webhooks, b, &(kept_change){.kind = STORE_ROW_DELETE, .row = w});
}

static void on_tested(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc < 0)
                call_refused(c, "the test cannot be begun", rc);
        else
                call_reply(c, 202, json_object());
}

/* An event like any other, for whoever wants its kind. */
static void webhook_test(call *c)
{
        webhook w;
        store_batch *b = NULL;

        if (kept_find(c, &kept_webhooks, &w))
                b = call_batch(c, "webhook.test", 0, w.url, NULL);
        if (b && kept_tell(c, b, &kept_webhooks, "test", 0, w.id)) {
                call_commit(c, b, on_tested);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

const call_route webhook_routes[WEBHOOK_ROUTES] = {
        {"GET", "/api/v1/webhooks", ACCESS_ADMIN, "", false, webhook_list},
        {"POST", "/api/v1/webhooks", ACCESS_ADMIN, "", true, webhook_create},
        {"GET", "/api/v1/webhooks/{id}", ACCESS_ADMIN, "", false, webhook_show},
        {"PATCH", "/api/v1/webhooks/{id}", ACCESS_ADMIN, "", true, webhook_change},
        {"DELETE", "/api/v1/webhooks/{id}", ACCESS_ADMIN, "", false, webhook_remove},
        {"POST", "/api/v1/webhooks/{id}/test", ACCESS_ADMIN, "", false, webhook_test},
};
