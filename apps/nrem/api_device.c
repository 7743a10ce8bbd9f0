/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: what is known of them, their accounts, and the wish that they call. */
#include <string.h>

#include "account.h"
#include "call.h"
#include "fleet.h"
#include "net.h"
#include "odm/auth.h"
#include "reach.h"

#define NAME_MAX_ 128
#define TAGS_MAX 64
#define TAG_MAX 64

static const char *const auth_words[] = {"none", "basic", "md5", "mac", "open", NULL};
_Static_assert(ODM_AUTH_NONE == 0 && ODM_AUTH_BASIC == 1 && ODM_AUTH_MD5 == 2 && ODM_AUTH_MAC == 3,
               "auth_words is in the order of odm_auth_type");

/* ---- showing --------------------------------------------------------------------- */

static json_t *tags_json(odm_str tags)
{
        json_t *list = json_array();

        while (tags.n > 0) {
                size_t n = 0;
                while (n < tags.n && tags.p[n] != ' ')
                        n++;
                if (json_array_append_new(list, json_stringn(tags.p, n)) < 0) {
                        json_decref(list);
                        return NULL;
                }
                tags = odm_str_from(tags, n + 1);
        }
        return list;
}

/* "none" stands for a certificate: the account then demands a digest that nobody can make, so that
 * without the certificate there is no way in.  "open" asks for nothing at all. */
static const char *auth_word(const store_account *a)
{
        if (a->flags & STORE_ACCOUNT_CERTIFICATE)
                return auth_words[ODM_AUTH_NONE];
        if (a->auth == ODM_AUTH_NONE)
                return auth_words[ACCOUNT_OPEN];
        return a->auth <= ODM_AUTH_MAC ? auth_words[a->auth] : "?";
}

static json_t *device_json(const store_device *d, const store_account *acc, bool addresses)
{
        json_t *o = json_object();
        odm_str wake = d->wake_override.p ? d->wake_override : d->wake_reported;
        bool ok = put_text(o, "name", d->name) &&
                  put_cstr(o, "state", store_device_state_name(d->state)) &&
                  put_text(o, "devid", d->devid) && put_text(o, "manufacturer", d->maker) &&
                  put_text(o, "model", d->model) && put_text(o, "hardware", d->hwv) &&
                  put_text(o, "firmware", d->fwv) && put_text(o, "software", d->swv) &&
                  put_text(o, "dm_version", d->dmv) && put_text(o, "language", d->lang) &&
                  json_object_set_new(o, "tags", tags_json(d->tags)) == 0 &&
                  put_text(o, "note", d->note) && put_text(o, "route", d->route) &&
                  put_ms(o, "created", d->created) && put_ms(o, "last_seen", d->last_contact);

        if (acc)
                ok = ok && put_text(o, "user", acc->user) && put_cstr(o, "auth", auth_word(acc)) &&
                     put_bool(o, "accept_basic", acc->flags & STORE_ACCOUNT_BASIC) &&
                     put_bool(o, "accept_dm11", acc->flags & STORE_ACCOUNT_DM11) &&
                     put_text(o, "server_user", acc->server_user);
        if (addresses)
                ok = ok && put_text(o, "wake", wake) && put_text(o, "address", d->address);
        if (!ok) {
                json_decref(o);
                return NULL;
        }
        return o;
}

/* With what the fleet's parts have to say of it, for which they may read the store. */
static json_t *whole_json(call *c, const store_device *d, const store_account *acc, bool addresses)
{
        json_t *o = device_json(d, acc, addresses);

        if (o && fleet_describe(c->api->opt.fleet, d, c->who.scope, addresses, &c->arena, o))
                return o;
        json_decref(o);
        return NULL;
}

/* Devices of a page: so many, at least, and then it ends, that no question keeps others waiting. */
#define LOOKED_AT 5000

/* ---- the list -------------------------------------------------------------------- */

static bool read_filter(call *c, store_device_filter *f)
{
        odm_str state = call_query(c, "state");
        store_device_state s;
        int64_t limit;

        if (!call_query_int(c, "limit", 1, 1000, 100, &limit))
                return false;
        *f = (store_device_filter){.after = call_query(c, "cursor"),
                                   .limit = (uint32_t)limit,
                                   .look = LOOKED_AT,
                                   .prefix = call_query(c, "prefix"),
                                   .text = call_query(c, "q"),
                                   .model = call_query(c, "model"),
                                   .tag = call_query(c, "tag")};
        if (state.p && !store_device_state_parse(state, &s)) {
                problem_at(&c->problem, "state", "is none of a device's states");
                return false;
        }
        if (state.p)
                f->states = 1u << s;
        return true;
}

/* A token's scope is a prefix too: the longer of both holds when one begins the other; else there
 * is nothing to see. */
static bool apply_scope(const call *c, store_device_filter *f)
{
        odm_str scope = c->who.scope;

        if (scope.n == 0 || call_sees(c, f->prefix))
                return true;
        if (!odm_str_eq(odm_str_to(scope, f->prefix.n), f->prefix))
                return false;
        f->prefix = scope;
        return true;
}

void device_list(call *c)
{
        store_device_filter f;
        store_device_list l = {0};
        json_t *items = NULL;
        bool addresses;
        int rc = 0;

        if (!read_filter(c, &f) || !call_admin_flag(c, "addresses", &addresses)) {
                call_fail(c);
                return;
        }
        if (apply_scope(c, &f))
                rc = store_device_find(c->api->opt.store, &f, &c->arena, &l);
        if (rc < 0) {
                call_refused(c, "the devices cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (json_array_append_new(items, whole_json(c, &l.v[i], NULL, addresses)) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200, page_new(items, l.more ? json_stringn(l.next.p, l.next.n) : NULL));
}

void device_show(call *c)
{
        store_device d;
        store_account acc;
        bool addresses;
        int rc;

        if (!call_admin_flag(c, "addresses", &addresses) || !call_device(c, &d)) {
                call_fail(c);
                return;
        }
        rc = store_account_get(c->api->opt.store, d.id, &c->arena, &acc);
        if (rc < 0 && rc != ODM_ENOENT)
                call_refused(c, "the account cannot be read", rc);
        else
                call_reply(c, 200, whole_json(c, &d, rc == 0 ? &acc : NULL, addresses));
}

/* ---- what a change or creation says ---------------------------------------------- */

/* What was given; absent or false where it was not. */
typedef struct wishes {
        odm_str name, devid, user, password, server_user, server_password;
        odm_str wake, note, tags;
        int has_wake, has_note, has_tags; /* 1: a value; 2: null or empty */
        int has_auth, has_accept, has_dm11;
        unsigned auth;
        bool accept_basic, accept_dm11;
        int has_state;
        unsigned state;
} wishes;

static bool name_ok(odm_str s)
{
        size_t begin = 0;

        if (!odm_utf8_ok(s))
                return false;
        for (size_t i = 0; i <= s.n; i++) {
                if (i < s.n && ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f))
                        return false;
                if (i < s.n && s.p[i] != '/')
                        continue;
                odm_str seg = {s.p + begin, i - begin};
                if (seg.n == 0 || odm_str_is(seg, ".") || odm_str_is(seg, ".."))
                        return false; /* browsers and proxies would fold these away */
                begin = i + 1;
        }
        return true;
}

static void read_name(jread *r, odm_str *out)
{
        if (jread_text(r, "name", 1, NAME_MAX_, out) == 1 && !name_ok(*out))
                (void)jread_wrong(r, "name",
                                  "has to be segments of visible characters joined by slashes");
}

static bool tag_ok(const json_t *v)
{
        size_t n = json_string_length(v);
        const char *p = json_string_value(v);

        if (!p || n < 1 || n > TAG_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)p[i] <= ' ' || p[i] == 0x7f)
                        return false;
        return true;
}

static int read_tags(call *c, jread *r, odm_str *out)
{
        const json_t *list, *v;
        odm_str all = ODM_STR("");
        size_t i;
        int rc = jread_list(r, "tags", 0, TAGS_MAX, &list);

        if (rc != 1)
                return rc;
        json_array_foreach(list, i, v)
        {
                if (!tag_ok(v))
                        return jread_wrong(r, "tags",
                                           "has to hold words of 1 to 64 octets without blanks");
                if (i > 0)
                        all = odm_arena_join(&c->arena, all, ODM_STR(" "));
                all = odm_arena_join(&c->arena, all,
                                     (odm_str){json_string_value(v), json_string_length(v)});
        }
        *out = all;
        return all.p ? 1 : jread_wrong(r, "tags", "cannot be kept");
}

static void read_wake(jread *r, wishes *w)
{
        net_url u;

        w->has_wake = jread_text_or_null(r, "wake", 1, 255, &w->wake);
        if (w->has_wake == 1 && (net_url_parse(w->wake, &u) < 0 || strcmp(u.scheme, "udp") != 0))
                (void)jread_wrong(r, "wake", "has to be udp://host:port; the host may be empty");
}

static bool read_wishes(call *c, bool create, wishes *w)
{
        static const char *const states[] = {"active", "refused", "deactivated", "detached", NULL};
        jread r;

        *w = (wishes){0};
        jread_init(&r, c->body, "", &c->problem);
        read_name(&r, &w->name);
        if (create && !w->name.p && !problem_is(&c->problem))
                (void)jread_missing(&r, "name");
        (void)jread_text(&r, "devid", 1, 255, &w->devid);
        (void)jread_text(&r, "user", 1, ODM_USER_MAX, &w->user);
        (void)jread_text(&r, "password", 1, 255, &w->password);
        w->has_auth = jread_word(&r, "auth", auth_words, &w->auth);
        w->has_accept = jread_bool(&r, "accept_basic", &w->accept_basic);
        w->has_dm11 = jread_bool(&r, "accept_dm11", &w->accept_dm11);
        (void)jread_text(&r, "server_user", 1, ODM_USER_MAX, &w->server_user);
        (void)jread_text(&r, "server_password", 1, 255, &w->server_password);
        read_wake(&r, w);
        w->has_note = jread_text_or_null(&r, "note", 0, 1024, &w->note);
        w->has_tags = read_tags(c, &r, &w->tags);
        if (!create)
                w->has_state = jread_word(&r, "state", states, &w->state);
        if (w->user.p && odm_str_has(w->user, ':'))
                (void)jread_wrong(&r, "user", "cannot hold a colon");
        if (w->server_user.p && odm_str_has(w->server_user, ':'))
                (void)jread_wrong(&r, "server_user", "cannot hold a colon");
        jread_end(&r);
        if (!problem_is(&c->problem) && w->name.p && !call_sees(c, w->name))
                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                            "The token is limited to names that begin with %.*s.",
                            (int)c->who.scope.n, c->who.scope.p);
        return !problem_is(&c->problem);
}

/* ---- accounts -------------------------------------------------------------------- */

/* Somebody means to give the device an account of its own, and not only a name. */
static bool names_credentials(const wishes *w)
{
        return w->user.p || w->password.p || w->server_user.p || w->server_password.p ||
               w->has_auth == 1;
}

/* ---- creation -------------------------------------------------------------------- */

typedef struct creation {
        store_device d;
        store_account acc;
        odm_str password, server_password; /* generated ones */
} creation;

static bool fill_account(call *c, const wishes *w, creation *n)
{
        store_account *a = &n->acc;
        odm_str password = w->password, server_password = w->server_password;

        a->device = STORE_LAST;
        account_set_auth(a, w->has_auth == 1 ? w->auth : ODM_AUTH_MD5);
        if (w->accept_basic)
                a->flags |= STORE_ACCOUNT_BASIC;
        account_set_flag(a, STORE_ACCOUNT_DM11, w->accept_dm11);
        account_set_flag(a, STORE_ACCOUNT_MADE_UP, !names_credentials(w));
        if (!password.p) {
                password = account_made_up(c);
                if (account_needs_password(a))
                        n->password = password; /* else nobody is to know it */
        }
        if (!server_password.p)
                server_password = n->server_password = account_made_up(c);
        return account_set_password(c, a, w->user.p ? w->user : n->d.devid, password) &&
               account_set_server(
                       c, a, w->server_user.p ? w->server_user : odm_cstr(c->api->opt.server_id),
                       server_password);
}

static void on_created(call *c, store_batch *b, int rc)
{
        creation *n = c->data;
        json_t *o;

        (void)b;
        if (rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_EXISTS,
                            "A device of this name or devid exists already.");
        if (rc < 0) {
                call_refused(c, "the device cannot be created", rc);
                return;
        }
        o = device_json(&n->d, &n->acc, false);
        if (!o || !put_text(o, "password", n->password) ||
            !put_text(o, "server_password", n->server_password)) {
                json_decref(o);
                o = NULL;
        }
        c->secret = true;
        call_reply(c, 201, o);
}

/* The name as one segment of a path. */
static odm_str escape(odm_arena *a, odm_str s)
{
        static const char hex[] = "0123456789ABCDEF";
        char *q = odm_arena_get(a, 3 * s.n + 1);
        size_t n = 0;

        if (!q)
                return ODM_ABSENT;
        for (size_t i = 0; i < s.n; i++) {
                unsigned char ch = (unsigned char)s.p[i];
                bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                             (ch >= '0' && ch <= '9') || strchr("-._~", ch);
                if (!plain) {
                        q[n++] = '%';
                        q[n++] = hex[ch >> 4];
                        ch = (unsigned char)hex[ch & 15];
                }
                q[n++] = (char)ch;
        }
        q[n] = '\0';
        return (odm_str){q, n};
}

static store_batch *creation_batch(call *c, creation *n)
{
        store_batch *b = call_batch(c, "device.create", 0, n->d.name, "");
        store_op *op;

        if (!b)
                return NULL;
        if (call_op(c, b, STORE_DEVICE_CREATE, &op)) {
                op->device = n->d;
                if (call_op(c, b, STORE_ACCOUNT_PUT, &op)) {
                        op->account = n->acc;
                        if (call_event(c, b, "device.created", STORE_LAST, n->d.name))
                                return b;
                }
        }
        store_batch_free(b);
        return NULL;
}

void device_create(call *c)
{
        wishes w;
        creation *n = odm_new(&c->arena, creation);
        store_batch *b = NULL;

        if (n && read_wishes(c, true, &w)) {
                c->data = n;
                n->d = (store_device){.name = w.name,
                                      .devid = w.devid.p ? w.devid : w.name,
                                      .state = STORE_DEVICE_PROVISIONED,
                                      .tags = w.tags,
                                      .note = w.note,
                                      .wake_override = w.wake,
                                      .created = c->now,
                                      .updated = c->now};
                c->location = odm_arena_join(&c->arena, ODM_STR("/api/v1/devices/"),
                                             escape(&c->arena, w.name));
                if (fill_account(c, &w, n))
                        b = creation_batch(c, n);
        }
        if (b)
                call_commit(c, b, on_created);
        else
                call_fail(c);
}

/* ---- change ---------------------------------------------------------------------- */

/* Whether it is there only it can tell: an operator lets it in. */
static store_device_state let_in(const store_device *d)
{
        switch (d->state) {
        case STORE_DEVICE_ACTIVE:
        case STORE_DEVICE_ASLEEP:
        case STORE_DEVICE_UNREACHABLE: return d->state;
        case STORE_DEVICE_DEACTIVATED:
        case STORE_DEVICE_DETACHED:
                return d->last_contact ? STORE_DEVICE_ACTIVE : STORE_DEVICE_PROVISIONED;
        case STORE_DEVICE_PROVISIONED:
        case STORE_DEVICE_HELD:
        case STORE_DEVICE_REFUSED: break;
        }
        return STORE_DEVICE_PROVISIONED; /* until it proves itself */
}

static void wish_state(const wishes *w, store_device_patch *p)
{
        static const store_device_state to[] = {STORE_DEVICE_ACTIVE, STORE_DEVICE_REFUSED,
                                                STORE_DEVICE_DEACTIVATED, STORE_DEVICE_DETACHED};

        if (w->has_state != 1)
                return;
        p->to.state = to[w->state] == STORE_DEVICE_ACTIVE ? let_in(&p->to) : to[w->state];
        p->fields |= STORE_DF_STATE;
}

static void wish_device(const wishes *w, store_device_patch *p)
{
        if (w->name.p) {
                p->to.name = w->name;
                p->fields |= STORE_DF_NAME;
        }
        if (w->devid.p) {
                p->to.devid = w->devid;
                p->fields |= STORE_DF_DEVID;
        }
        if (w->has_tags == 1) {
                p->to.tags = w->tags;
                p->fields |= STORE_DF_TAGS;
        }
        if (w->has_note > 0) {
                p->to.note = w->note;
                p->fields |= STORE_DF_NOTE;
        }
        if (w->has_wake > 0) {
                p->to.wake_override = w->wake;
                p->fields |= STORE_DF_WAKE_OVERRIDE;
        }
        wish_state(w, p);
}

/* What is wrong with the wishes for an account.  Names are part of the digests kept, so a new name
 * needs its password again. */
static bool account_wrong(call *c, const wishes *w, const store_account *a)
{
        bool none = w->has_auth == 1 ? w->auth == ODM_AUTH_NONE || w->auth == ACCOUNT_OPEN
                                     : a->secret.p && !account_needs_password(a);
        bool has = a->secret.p && account_needs_password(a);
        bool basic = (w->has_auth == 1 ? w->auth : a->server_auth) == ODM_AUTH_BASIC;

        if (!w->password.p && w->user.p && !odm_str_eq(w->user, a->user))
                problem_at(&c->problem, "password", "is needed with a new user");
        else if (!w->password.p && !none && !has)
                problem_at(&c->problem, "password", "is needed: the device has none");
        if (w->server_password.p)
                return problem_is(&c->problem);
        if (w->server_user.p && !odm_str_eq(w->server_user, a->server_user))
                problem_at(&c->problem, "server_password", "is needed with a new server_user");
        else if (basic && a->server_secret.p && !a->server_password.p)
                problem_at(&c->problem, "server_password",
                           "is needed: with basic it is sent itself");
        return problem_is(&c->problem);
}

/* Whether the wishes touch the account: approval does where there is none yet. */
static bool wants_account(const wishes *w, bool has_account)
{
        return w->user.p || w->password.p || w->server_user.p || w->server_password.p ||
               w->has_auth == 1 || w->has_accept == 1 || w->has_dm11 == 1 ||
               (!has_account && w->has_state == 1 && w->state == 0);
}

/* Changes the account; *server_password is the one that was made up, where there was none. */
static bool wish_account(call *c, const wishes *w, odm_str devid, store_account *a,
                         odm_str *server_password)
{
        odm_str user = w->user.p ? w->user : a->user.p ? a->user : devid;
        odm_str server = w->server_user.p ? w->server_user : a->server_user;
        odm_str password = w->server_password;
        bool ok = true;

        if (account_wrong(c, w, a))
                return false;
        if (names_credentials(w))
                account_set_flag(a, STORE_ACCOUNT_MADE_UP, false);
        if (w->has_auth == 1 || !a->secret.p)
                account_set_auth(a, w->has_auth == 1 ? w->auth : ODM_AUTH_MD5);
        if (w->has_accept == 1)
                account_set_flag(a, STORE_ACCOUNT_BASIC, w->accept_basic);
        if (w->has_dm11 == 1)
                account_set_flag(a, STORE_ACCOUNT_DM11, w->accept_dm11);
        if (w->password.p || !a->secret.p)
                ok = account_set_password(c, a, user,
                                          w->password.p ? w->password : account_made_up(c));
        if (!password.p && !a->server_secret.p)
                password = *server_password = account_made_up(c);
        if (password.p)
                ok = ok &&
                     account_set_server(c, a, server.p ? server : odm_cstr(c->api->opt.server_id),
                                        password);
        return ok;
}

typedef struct change {
        store_device d; /* as it will be */
        store_account acc;
        bool has_account;
        int64_t id;
        odm_str server_password; /* when it was made up */
} change;

static void on_changed(call *c, store_batch *b, int rc)
{
        change *n = c->data;

        (void)b;
        if (rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_EXISTS,
                            "Another device has this name or devid already.");
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The device was changed at the same time: look, and try again.");
        if (rc < 0) {
                call_refused(c, "the device cannot be changed", rc);
                return;
        }
        if (c->api->opt.hooks.device_changed)
                c->api->opt.hooks.device_changed(c->api->opt.hooks.ctx, n->id);
        json_t *o = device_json(&n->d, n->has_account ? &n->acc : NULL, false);
        c->secret = n->server_password.p != NULL;
        if (o && !put_text(o, "server_password", n->server_password)) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

/* The names of what is changed, for the audit log; never the values. */
static const char *changed_words(call *c)
{
        odm_str all = ODM_STR("");
        const char *key;
        json_t *v;

        json_object_foreach(c->body, key, v)
        {
                if (all.n > 0)
                        all = odm_arena_join(&c->arena, all, ODM_STR(" "));
                all = odm_arena_join(&c->arena, all, odm_cstr(key));
        }
        return all.p ? all.p : "";
}

static bool change_ops(call *c, store_batch *b, store_device_patch *p, const store_account *acc)
{
        store_op *op;

        /* rev rises with a field of the operator's: the account is guarded by it too */
        if (!(p->fields & STORE_DF_OPERATOR))
                p->fields |= STORE_DF_NOTE;
        if (!call_op(c, b, STORE_DEVICE_PATCH, &op))
                return false;
        op->device_patch = *p;
        if (acc) {
                if (!call_op(c, b, STORE_ACCOUNT_PUT, &op))
                        return false;
                op->account = *acc;
        }
        return call_event(c, b, "device.changed", p->to.id, p->to.name);
}

/* What others act on has an event of its own. */
static bool state_event(call *c, store_batch *b, const store_device *was, store_device_state to)
{
        const char *kind = to == STORE_DEVICE_ACTIVE        ? "device.active"
                           : to == STORE_DEVICE_DEACTIVATED ? "device.deactivated"
                           : to == STORE_DEVICE_DETACHED    ? "device.detached"
                                                            : NULL;
        odm_str data;
        store_op *op;

        if (!kind || to == was->state)
                return true;
        data = odm_arena_fmt(&c->arena, "{\"from\":\"%s\"}", store_device_state_name(was->state));
        if (!data.p || !call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){
                .at = c->now, .device = was->id, .kind = odm_cstr(kind), .data = data};
        return true;
}

static store_batch *change_batch(call *c, const wishes *w, const store_device *d, change *n,
                                 bool account)
{
        store_device_patch p = {.expect_rev = d->rev, .to = *d};
        store_batch *b = call_batch(c, "device.change", d->id, d->name, changed_words(c));

        p.to.updated = c->now;
        wish_device(w, &p);
        n->d = p.to;
        n->has_account |= account;
        if (b && (!change_ops(c, b, &p, account ? &n->acc : NULL) ||
                  !state_event(c, b, d, p.to.state))) {
                store_batch_free(b);
                b = NULL;
        }
        return b;
}

static bool switches_off(const wishes *w)
{
        return w->has_state == 1 && w->state != 0;
}

void device_change(call *c)
{
        wishes w;
        store_device d;
        change *n = odm_new(&c->arena, change);
        store_batch *b = NULL;
        bool account = false;
        int rc;

        if (!n || !call_device(c, &d) || !read_wishes(c, false, &w)) {
                call_fail(c);
                return;
        }
        c->data = n;
        rc = store_account_get(c->api->opt.store, d.id, &c->arena, &n->acc);
        if (rc < 0 && rc != ODM_ENOENT) {
                call_refused(c, "the account cannot be read", rc);
                return;
        }
        n->has_account = rc == 0;
        n->acc.device = n->id = d.id;
        account = wants_account(&w, n->has_account);
        if (switches_off(&w) && !reach_end(c, d.id)) {
                call_fail(c);
                return;
        }
        if (!account || wish_account(c, &w, d.devid, &n->acc, &n->server_password))
                b = change_batch(c, &w, &d, n, account);
        if (b)
                call_commit(c, b, on_changed);
        else
                call_fail(c);
}

/* ---- the end, and a call --------------------------------------------------------- */

static void on_removed(call *c, store_batch *b, int rc)
{
        const int64_t *id = c->data;

        (void)b;
        if (rc < 0) {
                call_refused(c, "the device cannot be removed", rc);
                return;
        }
        if (c->api->opt.hooks.device_changed)
                c->api->opt.hooks.device_changed(c->api->opt.hooks.ctx, *id);
        call_empty(c, 204);
}

void device_remove(call *c)
{
        store_device d;
        store_batch *b = NULL;
        store_op *op;
        int64_t *id = odm_new(&c->arena, int64_t);

        if (id && call_device(c, &d) && reach_end(c, d.id))
                b = call_batch(c, "device.remove", 0, d.name, "");
        if (b && call_event(c, b, "device.removed", d.id, d.name) &&
            call_op(c, b, STORE_DEVICE_DELETE, &op)) {
                op->of = *id = d.id;
                c->data = id;
                call_commit(c, b, on_removed);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

static void on_wake_noted(call *c, store_batch *b, int rc)
{
        const odm_str *name = c->data;
        json_t *o;

        (void)b;
        if (rc < 0) {
                call_refused(c, "the wish cannot be kept", rc);
                return;
        }
        o = json_object();
        if (!put_text(o, "device", *name) || !put_cstr(o, "route", "udp")) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 202, o);
}

static void wake_refused(call *c, int rc)
{
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_STATE,
                            "Nobody knows where this device listens: set \"wake\", or wait until "
                            "it has called and told.");
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE, "Wake-ups are switched off ([wake]).");
        call_refused(c, "the device cannot be woken", rc);
}

void device_wake(call *c)
{
        const api_hooks *h = &c->api->opt.hooks;
        odm_str *name = odm_new(&c->arena, odm_str);
        store_device d;
        store_batch *b;
        int rc;

        if (!name || !call_device(c, &d)) {
                call_fail(c);
                return;
        }
        rc = h->wake ? h->wake(h->ctx, &d) : ODM_ESTATE;
        if (rc < 0) {
                wake_refused(c, rc);
                return;
        }
        *name = d.name;
        c->data = name;
        b = call_batch(c, "device.wake", d.id, d.name, "");
        if (b)
                call_commit(c, b, on_wake_noted);
        else
                call_fail(c);
}
