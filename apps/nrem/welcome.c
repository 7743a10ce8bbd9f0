/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the door: the device of a session and its account, what happens to devices nobody
 * created, and the engine that will speak with it. */
#include <string.h>

#include "account.h"
#include "dm_inner.h"
#include "heap.h"
#include "log.h"
#include "odm/notify.h"
#include "rand.h"

#define SESSION_TEXTS ((size_t)1 << 20)
#define HOUR_MS ((int64_t)3600 * 1000)
#define INVENTORY_AGE_MS (24 * HOUR_MS)
#define USER_MOST 255

static bool keep_text(session *s, odm_str from, odm_str *to)
{
        *to = odm_arena_copy(&s->a, from);
        return to->p || !from.p;
}

/* Our URL as this device reaches it, and where it called. */
static bool find_uri(session *s, const turn *t)
{
        odm_str host = httpd_field(t->req, "Host");

        s->reached = odm_arena_fmt(&s->a, "%s://%.*s", s->tls ? "https" : "http", (int)host.n,
                                   host.p ? host.p : "");
        s->uri = s->dm->opt.url ? odm_arena_copy(&s->a, odm_cstr(s->dm->opt.url))
                                : odm_arena_fmt(&s->a, "%.*s%s", (int)s->reached.n,
                                                s->reached.p ? s->reached.p : "", s->dm->opt.path);
        return s->uri.p && s->reached.p;
}

int session_new(dm *m, const turn *t, session **out)
{
        session *s = odm_alloc(&heap_mem, sizeof *s);
        char host[NET_ADDR_TEXT];

        if (!s)
                return ODM_ENOMEM;
        s->dm = m;
        s->busy = true;
        s->codec = t->codec;
        s->tls = httpd_is_tls(t->req);
        s->route = "called";
        s->look = true;
        odm_arena_init(&s->a, &heap_mem, SESSION_TEXTS);
        rand_hex(s->sid, (SID_TEXT - 1) / 2);
        net_addr_format(httpd_peer(t->req), s->peer);
        net_addr_host(httpd_peer(t->req), host);
        if (!keep_text(s, t->peek.source, &s->source) ||
            !keep_text(s, t->peek.session_id, &s->dm_id) ||
            !keep_text(s, odm_cstr(host), &s->host) || !find_uri(s, t)) {
                session_free(s);
                return ODM_ENOMEM;
        }
        *out = s;
        return 0;
}

static odm_nonce nonce_of(odm_str s)
{
        odm_nonce n = {0};

        n.n = (uint8_t)(s.n < ODM_NONCE_MAX ? s.n : ODM_NONCE_MAX);
        if (n.n)
                memcpy(n.p, s.p, n.n);
        return n;
}

static bool secret_of(odm_str text, odm_secret *out)
{
        if (text.n != ODM_SECRET_LEN)
                return false;
        memcpy(out->b64, text.p, ODM_SECRET_LEN);
        return true;
}

/* Its session answers the package 0 that went out for it. */
static bool answers_wake(const session *s)
{
        char text[5];

        if (s->device.wake_session == 0 || s->device.wake_session > 0xffff)
                return false;
        odm_notify_session((uint16_t)s->device.wake_session, text);
        return odm_str_ieq(s->dm_id, text);
}

/* What is demanded or shown on this connection: auth-basic carries the password itself, so without
 * TLS the digest over it takes its place. */
static odm_auth_type auth_of(const session *s, uint32_t kept)
{
        odm_auth_type t = kept <= ODM_AUTH_MAC ? (odm_auth_type)kept : ODM_AUTH_MD5;

        return t == ODM_AUTH_BASIC && !s->tls ? ODM_AUTH_MD5 : t;
}

bool welcome_wants_nonce(const session *s)
{
        odm_auth_type t = auth_of(s, s->account.server_auth);

        return t == ODM_AUTH_MD5 || t == ODM_AUTH_MAC;
}

static void fill_peer(session *s, odm_peer *p)
{
        const store_account *x = &s->account;

        p->known = true;
        p->device_id = s->source;
        p->user = x->user;
        p->has_secret = secret_of(x->secret, &p->secret);
        p->password = x->password;
        p->type = auth_of(s, x->auth);
        p->accept_basic = s->tls && (x->flags & STORE_ACCOUNT_BASIC);
        p->nonce = nonce_of(x->nonce);
        p->has_nonce = x->nonce.p != NULL;
        p->previous = nonce_of(x->previous);
        p->has_previous = x->previous.p != NULL;
        p->server_user = x->server_user.p ? x->server_user : x->server_id;
        p->server_password = x->server_password;
        p->has_server_secret = secret_of(x->server_secret, &p->server_secret);
        p->server_type = auth_of(s, x->server_auth);
        p->server_nonce = nonce_of(x->server_nonce);
        p->default_nonce = answers_wake(s) && wake_resynced(s->dm, &s->device, x);
        p->allow_dm11 = x->flags & STORE_ACCOUNT_DM11;
}

/* A certificate that the listener's CA signed, named for the device. */
static bool certificate_is_enough(const session *s, const turn *t)
{
        const tls_peer *c = httpd_peer_cert(t->req);

        return s->known && (s->account.flags & STORE_ACCOUNT_CERTIFICATE) && c->verified &&
               account_is_named(&s->account, &s->device, odm_cstr(c->common_name));
}

static int make_server(session *s, const turn *t)
{
        const dm_opt *o = &s->dm->opt;
        odm_server_opt opt;

        odm_server_opt_init(&opt, dm_mem(s->dm));
        opt.rng = rand_rng;
        opt.trace = log_tracer();
        opt.server_uri = s->uri;
        opt.resp_uri = odm_arena_fmt(&s->a, "%.*s?sid=%s", (int)s->uri.n, s->uri.p, s->sid);
        if (!opt.resp_uri.p)
                return ODM_ENOMEM;
        opt.every_message = !s->tls && !o->plain_once;
        opt.transport_auth = certificate_is_enough(s, t);
        opt.max_msg_size = (uint32_t)o->max_message;
        opt.send_max = (uint32_t)o->max_message;
        opt.max_obj_size = (uint32_t)o->max_object;
        opt.limits.max_msg = o->max_message;
        opt.max_memory = o->session_memory;
        if (s->known)
                fill_peer(s, &opt.peer);
        else
                opt.peer.type = ODM_AUTH_MD5;
        opt.peer.device_id = s->source;
        int rc = odm_server_new(&opt, &s->server);
        odm_wipe(&opt.peer, sizeof opt.peer);
        return rc;
}

/* What the mirror knows that matters for this session. */
static void look_at_mirror(session *s, const turn *t)
{
        odm_arena a;
        store_tree tree;
        bool fresh = false;

        odm_arena_init(&a, &heap_mem, TURN_MEMORY);
        if (store_tree_get(s->dm->opt.store, s->device.id, ODM_STR("./DevDetail"), &a, &tree) == 0)
                for (size_t i = 0; i < tree.n; i++) {
                        const store_node *n = &tree.v[i];
                        if (odm_str_is(n->path, "./DevDetail/LrgObj") &&
                            odm_str_ieq(n->value, "false"))
                                odm_server_set_large_objects(s->server, false);
                        if (odm_str_is(n->path, "./DevDetail/FwV"))
                                fresh = t->at - n->at < INVENTORY_AGE_MS;
                }
        odm_arena_done(&a);
        s->inventory = !fresh;
}

int welcome_server(session *s, const turn *t)
{
        int rc;

        if (s->known && answers_wake(s))
                s->route = wake_route(s->dm, &s->device);
        rc = make_server(s, t);
        if (rc == 0 && s->known)
                look_at_mirror(s, t);
        return rc;
}

/* Finds the device; *known is false for those with whom the game of an unknown one is played. */
static int find_device(session *s, bool *exists)
{
        store *st = s->dm->opt.store;
        int rc = store_device_by_devid(st, s->source, &s->a, &s->device);

        *exists = rc == 0;
        s->known = rc == 0 && store_device_welcome(s->device.state);
        if (s->known) {
                rc = store_account_get(st, s->device.id, &s->a, &s->account);
                s->known = rc == 0;
        }
        s->failures = s->account.failures;
        s->device_id = s->known ? s->device.id : 0;
        return rc == ODM_ENOENT ? 0 : rc;
}

/* ---- devices nobody created ------------------------------------------------------------------ */

/* A name people can live with until they give a better one. */
static odm_str name_for(const session *s, odm_arena *a, bool again)
{
        char *p = odm_arena_get(a, 160);
        static const char prefix[] = "new/";
        size_t n = sizeof prefix - 1;

        if (!p)
                return ODM_ABSENT;
        memcpy(p, prefix, n);
        for (size_t i = 0; i < s->source.n && n < 100; i++) {
                char c = s->source.p[i];
                bool plain = c > ' ' && c < 0x7f && c != '/' && c != '%' && c != '"';
                p[n++] = plain ? c : '-';
        }
        if (again) {
                p[n++] = '-';
                rand_hex(p + n, 4);
                n += 8;
        }
        return (odm_str){p, n};
}

static store_batch *unknown_batch(const session *s, store_device_state state, int64_t at)
{
        store_batch *b = store_batch_new();
        odm_arena *a = b ? store_batch_arena(b) : NULL;
        store_op *op = b ? store_batch_add(b, STORE_DEVICE_CREATE) : NULL;
        store_op *ev = op ? store_batch_add(b, STORE_EVENT_ADD) : NULL;
        store_device other;
        odm_arena scratch;

        if (!ev) {
                store_batch_free(b);
                return NULL;
        }
        odm_arena_init(&scratch, &heap_mem, TURN_MEMORY);
        op->device = (store_device){.devid = odm_arena_copy(a, s->source),
                                    .state = state,
                                    .address = odm_arena_copy(a, s->host),
                                    .created = at,
                                    .last_contact = at};
        op->device.name = name_for(s, a, false);
        if (store_device_by_name(s->dm->opt.store, op->device.name, &scratch, &other) == 0)
                op->device.name = name_for(s, a, true);
        odm_arena_done(&scratch);
        ev->event = (store_event){.at = at,
                                  .device = STORE_LAST,
                                  .kind = state == STORE_DEVICE_HELD ? ODM_STR("device.held")
                                                                     : ODM_STR("device.accepted"),
                                  .data = ODM_STR("{}")};
        return b;
}

/* For an operator to approve; the device itself learns nothing. */
static void hold_device(session *s, const turn *t)
{
        store_batch *b;

        if (atomic_fetch_add(&s->dm->held, 1) >= s->dm->opt.held_max) {
                atomic_fetch_sub(&s->dm->held, 1);
                return;
        }
        b = unknown_batch(s, STORE_DEVICE_HELD, t->at);
        log_info("unknown device held for approval", log_str("devid", s->source),
                 log_str("address", s->host));
        dm_write(s->dm, b);
}

static void on_accepted(void *ctx)
{
        session *s = ctx;
        bool exists;

        if (s->write_rc < 0 && s->write_rc != ODM_EEXIST) {
                session_break(s, "the device could not be kept");
                return;
        }
        if (find_device(s, &exists) < 0)
                session_break(s, "the store failed");
        else
                session_run(s);
}

static void accepted_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        (void)b;
        s->write_rc = rc;
        s->task = (crew_task){.fn = on_accepted, .ctx = s};
        crew_post(s->dm->crew, &s->task);
}

/* Ceilings: of an hour, so that a flood costs little, and of all devices that are known. */
static bool may_accept(dm *m, odm_time now)
{
        store_counts n;
        uint64_t known = 0;
        bool ok;

        pthread_mutex_lock(&m->lock);
        if (now.ms - m->accept_from >= HOUR_MS) {
                m->accept_from = now.ms;
                m->accepted = 0;
        }
        ok = m->accepted < m->opt.accept_hour;
        m->accepted += ok;
        pthread_mutex_unlock(&m->lock);
        if (!ok || store_count(m->opt.store, &n) < 0)
                return false;
        for (size_t i = 0; i < STORE_DEVICE_STATES; i++)
                known += n.devices[i];
        return known < m->opt.accept_max;
}

static odm_str shared_secret(odm_arena *a, odm_str user, const char *password)
{
        odm_secret secret;
        odm_str text;

        odm_secret_of(user, odm_cstr(password), &secret);
        text = odm_arena_copy(a, (odm_str){secret.b64, ODM_SECRET_LEN});
        odm_wipe(&secret, sizeof secret);
        return text;
}

/* Passwords that all devices let in have in common; without them no proof is asked for, or shown.
 * The user is the name the device gives of itself. */
static bool accepted_account(const session *s, odm_arena *a, store_account *out)
{
        const dm_opt *o = &s->dm->opt;
        const odm_peek *p = &s->turn->peek;
        odm_str user = p->user.n ? p->user : p->cred_user;
        store_account x = {.device = STORE_LAST,
                           .auth = ODM_AUTH_NONE,
                           .server_auth = ODM_AUTH_NONE,
                           .server_id = odm_cstr(o->server_id)};

        if (o->accept_password) {
                x.auth = ODM_AUTH_MD5;
                x.user = odm_arena_copy(a, user.n && user.n <= USER_MOST ? user : s->source);
                x.secret = shared_secret(a, x.user, o->accept_password);
        }
        if (o->accept_server_password) {
                x.server_auth = ODM_AUTH_MD5;
                x.server_user = x.server_id;
                x.server_secret = shared_secret(a, x.server_id, o->accept_server_password);
        }
        if (a->err)
                return false;
        *out = x;
        return true;
}

/* Where the network itself is trusted, devices come in as they are. */
static void accept_device(session *s)
{
        bool proof = s->dm->opt.accept_password != NULL;
        store_batch *b = unknown_batch(s, proof ? STORE_DEVICE_PROVISIONED : STORE_DEVICE_ACTIVE,
                                       s->turn->at);
        store_op *op = b ? store_batch_add(b, STORE_ACCOUNT_PUT) : NULL;

        log_info("unknown device let in", log_str("devid", s->source), log_str("address", s->host));
        if (!op || !accepted_account(s, store_batch_arena(b), &op->account) ||
            store_write(s->dm->opt.store, b, accepted_written, s) < 0) {
                store_batch_free(b);
                session_break(s, "the device could not be kept");
        }
}

/* The first turn.  True: go on; false: it was taken over. */
bool welcome(session *s)
{
        bool exists;

        if (find_device(s, &exists) < 0) {
                session_break(s, "the store failed");
                return false;
        }
        if (!exists) {
                dm_count(s->dm, METRIC_UNKNOWN_DEVICES, 1);
                if (s->dm->opt.unknown == DM_UNKNOWN_HOLD)
                        hold_device(s, s->turn);
                if (s->dm->opt.unknown == DM_UNKNOWN_ACCEPT && may_accept(s->dm, s->turn->now)) {
                        accept_device(s);
                        return false;
                }
        }
        return true;
}
