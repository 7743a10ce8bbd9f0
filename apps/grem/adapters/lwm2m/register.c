/* SPDX-License-Identifier: Apache-2.0 */
/* Registration (lwm2m.md 3.1), Send, and what is asked of a device after it (section 6, flow 1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

#define GREET_MS 100         /* devices of before are greeted so often */
#define GREET_CHAINS 8       /* so many chains of them at once */
#define GREET_AGAIN_MS 60000 /* until one that was silent is asked again; then twice as long */
#define GREET_AGAIN_MAX_MS 3600000 /* and so on, up to this */
#define LIFETIME_MAX ((int64_t)10 * 365 * 86400)

/* What tells a device's kind, and changes with its firmware. */
static const char *const basics[] = {
        "./DevInfo/Man",   "./DevInfo/Mod",   "./DevDetail/DevTyp",
        "./DevDetail/FwV", "./DevDetail/SwV", "./DevDetail/HwV",
};

/* ---- after a registration ------------------------------------------------------------------------------ */

void lw_observe_all(client *c)
{
        odm_lw_path v[ODM_BRIDGE_WATCH];
        size_t n = odm_bridge_watch(c->bridge, v);
        bool fronts = false;

        for (size_t i = 0; i < n; i++) {
                fronts |= v[i].id[0] == LW_GATEWAY;
                if (lw_watch_start(c, v[i], lw_watch_format(c, v[i]), NULL) < 0)
                        log_warn("an observation cannot be made", log_text("endpoint", c->ep));
        }
        if (!fronts && c->behind) /* it is a gateway no more */
                lw_behind_learn(c, &(odm_lw_list){NULL, 0});
}

static odm_str *place_of(adapter_device *d, odm_str path)
{
        odm_str *to[] = {&d->man, &d->mod, &d->dev_type, &d->fwv, &d->swv, &d->hwv};

        for (size_t i = 0; i < ODM_COUNT(basics); i++)
                if (odm_str_is(path, basics[i]))
                        return to[i];
        return NULL;
}

static void tell_basics(client *c, const odm_plan_result *r)
{
        adapter_device d = {.id = odm_cstr(c->ep), .awake_s = c->queue ? 0 : -1};
        adapter_node v[ODM_COUNT(basics)];
        size_t n = 0;
        unsigned why;

        for (size_t i = 0; i < r->nodes.n; i++) {
                const odm_bridge_node *b = &r->nodes.v[i];
                odm_str *to = place_of(&d, b->path);

                if (!to || !b->has_data || n == ODM_COUNT(v))
                        continue;
                *to = b->value.data;
                v[n++] = (adapter_node){.path = b->path, .value = b->value, .has_data = true};
        }
        d.wake_interval_s = c->queue ? 0 : -1;
        if (!c->a->host.seen(c->a->host.ctx, &lwm2m_class, &d, c, &why))
                c->record = NULL;
        else if (n)
                c->a->host.changed(c->a->host.ctx, c->record, v, n);
}

static void on_greet_again(void *ctx)
{
        lw_greet(ctx);
}

/* It is asked again when it is heard, or by and by: the next word of one that does not sleep may be
 * hours away.  One that sleeps by then is asked when it is awake. */
static void greet_later(client *c)
{
        int64_t wait = GREET_AGAIN_MS;

        c->greeting = GREET_DUE;
        if (!c->record)
                return;
        for (unsigned i = 0; i < c->greets && wait < GREET_AGAIN_MAX_MS; i++)
                wait *= 2;
        if (wait < GREET_AGAIN_MAX_MS)
                c->greets++;
        else
                wait = GREET_AGAIN_MAX_MS;
        c->greet = (loop_timer){.fn = on_greet_again, .ctx = c};
        if (loop_timer_set(c->a->loop, &c->greet, odm_time_add(loop_now(), wait)) < 0)
                log_error("no memory for a timer", log_text("endpoint", c->ep));
}

/* One that fails at it is asked again, too, and observed meanwhile. */
static void on_basics(lw_errand *e, const odm_plan_result *r)
{
        client *c = e->c;

        if (r->status == ODM_ST_TIMEOUT || r->status == ODM_ST_UNAVAILABLE || !c->record) {
                greet_later(c);
                return;
        }
        if (r->status == ODM_ST_FAILED) {
                greet_later(c);
                if (c->watches)
                        return;
        } else {
                c->greeting = GREET_DONE;
                c->greets = 0;
        }
        if (odm_status_ok(r->status))
                tell_basics(c, r);
        if (!c->record)
                return;
        lw_observe_all(c);
        lw_watch_renew(c);
}

void lw_greet(client *c)
{
        lw_errand *e;
        odm_str *paths;

        if (!c->record || !lw_client_awake(c) || c->greeting != GREET_DUE || c->greeter)
                return;
        loop_timer_stop(&c->greet);
        e = lw_errand_new(c, 0, REQUEST_MS);
        if (!e) {
                greet_later(c);
                return;
        }
        paths = odm_arena_zget(&e->mem, sizeof *paths * ODM_COUNT(basics));
        for (size_t i = 0; paths && i < ODM_COUNT(basics); i++)
                paths[i] = odm_cstr(basics[i]);
        if (!paths || odm_plan_read(c->bridge, paths, ODM_COUNT(basics), ODM_ASK_NODE, &e->mem,
                                    &e->plan) < 0) {
                lw_errand_free(e);
                greet_later(c);
                return;
        }
        c->greeting = GREET_READ;
        c->greeter = e;
        e->over = on_basics;
        lw_errand_go(e);
}

void lw_greet_anew(client *c)
{
        if (c->greeter)
                lw_errand_free(c->greeter);
        c->greeting = GREET_DUE;
        c->greets = 0;
}

static void on_greet(void *ctx)
{
        lwm2m *a = ctx;

        for (int i = 0; i < GREET_CHAINS && a->greeted < CHAINS; i++, a->greeted++)
                for (client *c = a->by_name[a->greeted], *next; c; c = next) {
                        next = c->by_name;
                        lw_greet(c);
                }
        if (a->greeted < CHAINS &&
            loop_timer_set(a->loop, &a->greet, odm_time_add(loop_now(), GREET_MS)) < 0)
                log_error("no memory for a timer");
}

void lw_greet_all(lwm2m *a)
{
        a->greeted = 0;
        a->greet = (loop_timer){.fn = on_greet, .ctx = a};
        on_greet(a);
}

/* It is there, and may be asked. */
static void settle(client *c)
{
        lw_client_heard(c);
        c->greets = 0;
        lw_greet(c);
        lw_watch_retell(c);
        lw_work_pump(c);
        lw_behind_heard(c);
}

/* ---- answers when rows are durable --------------------------------------------------------------------- */

typedef struct joining {
        lwm2m *a;
        co_request *r;
        char location[LOCATION_MAX];
        bool update;
} joining;

static void on_saved(void *ctx, int rc)
{
        joining *j = ctx;
        client *c = lw_client_by_location(j->a, odm_cstr(j->location));
        char path[LOCATION_MAX + 8];
        co_msg m;

        snprintf(path, sizeof path, "rd/%s", j->location);
        co_msg_init(&m, rc < 0 || !c ? CO_SERVER_ERROR : j->update ? CO_CHANGED : CO_CREATED);
        if (m.code == CO_CREATED)
                m.path = odm_cstr(path);
        co_answer(j->r, &m);
        if (c)
                c->joining = false;
        if (c && rc == 0) {
                if (!j->update)
                        lw_work_back(c);
                settle(c);
                lw_errand_release(c);
        } else if (c) {
                lw_errand_drop_all(c, ODM_ST_UNAVAILABLE);
        }
        free(j);
}

/* Answers when the row is durable. */
static void save_and_answer(client *c, co_request *r, bool update)
{
        joining *j = calloc(1, sizeof *j);

        if (j) {
                *j = (joining){.a = c->a, .r = r, .update = update};
                memcpy(j->location, c->location, sizeof j->location);
        }
        if (j && lw_client_save(c, on_saved, j) == 0)
                return;
        c->joining = false;
        lw_errand_drop_all(c, ODM_ST_UNAVAILABLE);
        free(j);
        co_answer_code(r, CO_SERVER_ERROR);
}

/* ---- Register ---------------------------------------------------------------------------------------------- */

static uint8_t code_of(int rc)
{
        switch (rc) {
        case ODM_EMALFORMED:
        case ODM_EINVAL: return CO_BAD_REQUEST;
        case ODM_EUNSUPPORTED: return CO_PRECONDITION;
        case ODM_ELIMIT: return CO_TOO_LARGE;
        default: return CO_SERVER_ERROR;
        }
}

static void refuse(lwm2m *a, co_request *r, uint8_t code, odm_str ep, const char *why)
{
        a->refusals++;
        log_info("registration refused", log_str("endpoint", odm_str_to(ep, ODM_LW_EP_MAX)),
                 log_text("why", why));
        co_answer_code(r, code);
}

/* NULL: it may be who it says. */
static const char *impostor(lwm2m *a, odm_str ep, odm_str identity, bool secure)
{
        const client *c = lw_client_by_name(a, ep);

        if (secure)
                return lw_keys_may_be(a, identity, ep) ? NULL : "not the endpoint of its key";
        if (c && c->secure)
                return "it is registered with DTLS, and comes without";
        return lw_keys_need(a, ep) ? "it has a key, and comes without DTLS" : NULL;
}

static int take(client *c, const odm_lw_register *q, const co_msg *m, const net_addr *from,
                odm_str identity, bool secure)
{
        int rc;

        /* First what may be refused: until then it is as it was. */
        rc = lw_client_offers(c, m->body.p ? m->body : ODM_STR(""), q->version);
        if (rc == 0)
                rc = lw_client_word(c, &c->identity, identity);
        if (rc < 0)
                return rc;
        lw_watch_stop_all(c);
        lw_behind_leave(c);
        lw_behind_moved(c);
        lw_client_move(c, from, secure);
        lw_client_locate(c);
        c->queue = q->queue;
        c->lifetime_s = q->lt < 0 ? ODM_LW_LIFETIME : q->lt;
        snprintf(c->binding, sizeof c->binding, "%.*s", (int)q->binding.n,
                 q->binding.p ? q->binding.p : "U");
        c->since = loop_wall();
        lw_greet_anew(c);
        return 0;
}

static void enter(lwm2m *a, co_request *r, co_peer *p, const co_msg *m, const odm_lw_register *q)
{
        bool secure = co_request_end(r) == a->secure;
        odm_str identity = co_peer_identity(p);
        client *known = lw_client_by_name(a, q->ep);
        client *c = known ? known : lw_client_new(a, q->ep);
        net_addr from;
        unsigned why;
        int rc;

        if (!c) {
                refuse(a, r, CO_UNAVAILABLE, q->ep, "no room");
                return;
        }
        co_peer_addr(p, &from);
        rc = take(c, q, m, &from, identity.p ? identity : ODM_STR(""), secure);
        if (rc < 0) {
                refuse(a, r, code_of(rc), q->ep, "its object list cannot be read");
                if (!known)
                        lw_client_free(c);
                return;
        }
        c->joining = true; /* what is ordered from here on goes after the answer */
        why = lw_client_introduce(c);
        if (why) {
                c->joining = false;
                refuse(a, r, why == ODM_ST_FORBIDDEN ? CO_FORBIDDEN : CO_UNAVAILABLE, q->ep,
                       "not to be served");
                lw_client_gone(c, ADAPTER_OPERATOR);
                return;
        }
        a->registrations++;
        log_debug("registered", log_text("endpoint", c->ep), log_text("version", c->version),
                  log_int("lifetime_s", c->lifetime_s), log_bool("queue", c->queue));
        save_and_answer(c, r, false);
}

void lw_register_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m)
{
        odm_lw_register q;
        const char *why;
        int rc;

        lw_objects_refresh(a);
        rc = odm_lw_register_parse(m->query, m->n_query, false, &q);
        if (rc == 0 && (q.lt == 0 || q.lt > LIFETIME_MAX))
                rc = ODM_EMALFORMED;
        if (rc == 0 && m->format >= 0 && m->format != ODM_LW_LINK)
                rc = ODM_EMALFORMED;
        if (rc < 0) {
                refuse(a, r, code_of(rc), co_query(m, "ep"), odm_err_text(rc));
                return;
        }
        why = impostor(a, q.ep, co_peer_identity(p), co_request_end(r) == a->secure);
        if (why)
                refuse(a, r, CO_FORBIDDEN, q.ep, why);
        else
                enter(a, r, p, m, &q);
}

/* ---- Update, De-register, Send ----------------------------------------------------------------------------- */

/* Whether the request is the device's own. */
static bool is_own(const client *c, co_request *r, co_peer *p)
{
        bool secure = co_request_end(r) == c->a->secure;

        return c->secure == secure && (!secure || odm_str_is(co_peer_identity(p), c->identity));
}

/* Whether it does so from now on.  In 1.0 the binding says it; in 1.1 a flag beside it, which an
 * update does not repeat. */
static bool sleeps(const client *c, const odm_lw_register *q)
{
        bool by_binding = odm_str_has(odm_cstr(c->binding), 'Q');

        return q->queue || (c->queue && (!by_binding || !q->binding.p));
}

/* 1: its row is to be written; 0: nothing changed; or an error. */
static int change(client *c, const odm_lw_register *q, const co_msg *m, co_peer *p)
{
        net_addr from;
        int changed = 0, rc;
        bool queue;

        if (m->body.p && m->body.n && !odm_str_is(m->body, c->links)) {
                rc = lw_client_offers(c, m->body, odm_cstr(c->version));
                if (rc < 0)
                        return rc;
                changed = 1;
                lw_greet_anew(c);
        }
        if (q->lt > 0 && q->lt <= LIFETIME_MAX && q->lt != c->lifetime_s) {
                c->lifetime_s = q->lt;
                changed = 1;
        }
        queue = sleeps(c, q);
        changed |= queue != c->queue;
        c->queue = queue;
        if (q->binding.p && !odm_str_is(q->binding, c->binding)) {
                snprintf(c->binding, sizeof c->binding, "%.*s", (int)q->binding.n, q->binding.p);
                changed = 1;
        }
        co_peer_addr(p, &from);
        if (lw_client_is_at(c, &from))
                return changed;
        lw_watch_stop_all(c); /* its notifications would come from elsewhere */
        lw_behind_moved(c);
        lw_client_move(c, &from, c->secure);
        lw_greet_anew(c);
        return 1;
}

/* An operator has switched it off; one in quarantine is to be healed. */
static bool is_off(const gw_device *d)
{
        return d->state == GW_DEACTIVATED && !odm_str_is(d->reason, GW_QUARANTINE);
}

void lw_update_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m, odm_str location)
{
        client *c = lw_client_by_location(a, location);
        odm_lw_register q;
        int rc;

        if (!c || !is_own(c, r, p)) {
                co_answer_code(r, CO_NOT_FOUND); /* it registers again */
                return;
        }
        rc = odm_lw_register_parse(m->query, m->n_query, true, &q);
        if (rc == 0)
                rc = change(c, &q, m, p);
        if (rc < 0) {
                co_answer_code(r, code_of(rc));
                return;
        }
        a->updates++;
        if (!c->record || is_off(c->record) || (rc > 0 && c->greeting == GREET_DUE)) {
                if (lw_client_introduce(c)) {
                        co_answer_code(r, CO_FORBIDDEN);
                        return;
                }
        }
        if (rc > 0) {
                save_and_answer(c, r, true);
                return;
        }
        co_answer_code(r, CO_CHANGED);
        settle(c);
}

void lw_deregister_request(lwm2m *a, co_request *r, co_peer *p, odm_str location)
{
        client *c = lw_client_by_location(a, location);

        if (!c || !is_own(c, r, p)) {
                co_answer_code(r, CO_NOT_FOUND);
                return;
        }
        a->deregistrations++;
        log_debug("deregistered", log_text("endpoint", c->ep));
        lw_client_gone(c, ADAPTER_DEREGISTERED);
        co_answer_code(r, CO_DELETED);
}

void lw_send_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m)
{
        net_addr from;
        client *c;
        int rc;

        co_peer_addr(p, &from);
        c = lw_client_by_addr(a, &from, co_request_end(r) == a->secure);
        if (!c || !is_own(c, r, p)) {
                co_answer_code(r, CO_NOT_FOUND);
                return;
        }
        if (m->format != ODM_LW_SENML_JSON && m->format != ODM_LW_SENML_CBOR) {
                co_answer_code(r, CO_UNSUPPORTED_FORMAT);
                return;
        }
        lw_client_heard(c);
        rc = lw_watch_take(c, (odm_lw_path){0}, (unsigned)m->format, m->body);
        co_answer_code(r, rc == 0                                          ? CO_CHANGED
                          : rc == ODM_EMALFORMED || rc == ODM_EUNSUPPORTED ? CO_BAD_REQUEST
                                                                           : CO_UNAVAILABLE);
        lw_greet(c);
        lw_work_pump(c);
}
