/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a device, and what was said in them.  A session is in the DM side's memory while it
 * runs, and in the store when it has ended; between the two it is in both. */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "reach.h"
#include "readable.h"

static json_t *session_json(const store_session *s, odm_str device, bool addresses)
{
        json_t *o = json_object();
        bool ok = json_object_set_new(o, "id", id_text(s->id)) == 0 &&
                  put_text(o, "device", device) && put_text(o, "session_id", s->dm_id) &&
                  put_ms(o, "started", s->started) &&
                  (!s->outcome.p || put_ms(o, "ended", s->last)) &&
                  put_text(o, "outcome", s->outcome) &&
                  put_cstr(o, "transport", s->tls ? "https" : "http") &&
                  put_text(o, "codec", s->codec) &&
                  put_bool(o, "authenticated", s->authenticated) &&
                  put_text(o, "route", s->route) && put_text(o, "agent", s->agent) &&
                  put_int(o, "message_count", s->messages) &&
                  put_int(o, "bytes_in", (int64_t)s->bytes_in) &&
                  put_int(o, "bytes_out", (int64_t)s->bytes_out) &&
                  (!addresses || put_text(o, "peer", s->peer));

        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

static int live_sessions(call *c, int64_t device, store_session_list *out)
{
        const api_hooks *h = &c->api->opt.hooks;

        *out = (store_session_list){0};
        return h->sessions ? h->sessions(h->ctx, device, &c->arena, out) : 0;
}

static const store_session *find_in(const store_session_list *l, int64_t id)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].id == id)
                        return &l->v[i];
        return NULL;
}

static int by_newest(const void *x, const void *y)
{
        const store_session *a = x, *b = y;

        return a->id > b->id ? -1 : a->id < b->id;
}

/* A page of both; what is in the store is the later state. */
static int all_sessions(call *c, int64_t device, int64_t before, uint32_t limit,
                        store_session_list *out)
{
        store_session_list live, kept = {0};
        store_session *v;
        size_t n;
        int rc = live_sessions(c, device, &live);

        if (rc == 0)
                rc = store_session_find(c->api->opt.store, device, before, limit, &c->arena, &kept);
        if (rc < 0)
                return rc;
        v = odm_arena_get(&c->arena, (kept.n + live.n + 1) * sizeof *v);
        if (!v)
                return odm_arena_err(&c->arena);
        n = kept.n;
        if (n)
                memcpy(v, kept.v, n * sizeof *v);
        for (size_t i = 0; i < live.n; i++)
                if ((before == 0 || live.v[i].id < before) && !find_in(&kept, live.v[i].id))
                        v[n++] = live.v[i];
        qsort(v, n, sizeof *v, by_newest);
        *out = (store_session_list){v, n < limit ? n : limit, kept.more || n > limit};
        return 0;
}

void session_list(call *c)
{
        store_session_list l = {0};
        store_device d;
        uint32_t limit;
        int64_t before;
        bool addresses;
        json_t *items;
        int rc;

        if (!call_page(c, &limit, &before) || !call_admin_flag(c, "addresses", &addresses) ||
            !call_device(c, &d)) {
                call_fail(c);
                return;
        }
        rc = all_sessions(c, d.id, before, limit, &l);
        if (rc < 0) {
                call_refused(c, "the sessions cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (json_array_append_new(items, session_json(&l.v[i], d.name, addresses)) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200, page_new(items, l.more ? id_text(l.v[l.n - 1].id) : NULL));
}

typedef struct shown { /* of messages */
        bool secrets, addresses;
        bool others; /* they may be about devices that the token does not see */
} shown;

static bool put_decoded(call *c, json_t *o, const store_message *m, const shown *how)
{
        odm_str xml, b64;
        int rc;

        if (!m->bytes.p)
                return put_bool(o, "missing", true);
        if (m->bytes.n == 0)
                return true;
        rc = readable_xml(m->bytes, how->secrets, how->secrets || how->addresses, &c->arena, &xml);
        if (rc == ODM_ENOMEM)
                return false;
        if (rc < 0 ? !put_bool(o, "broken", true) : !put_text(o, "xml", xml))
                return false;
        if (!how->secrets)
                return true;
        b64 = odm_b64_encode(&c->arena, m->bytes);
        return b64.p && put_text(o, "raw_base64", b64);
}

/* What a gateway says in a message is of any device behind it: shown is what was said to who sees
 * them all. */
static json_t *message_json(call *c, const store_message *m, const shown *how)
{
        json_t *o = json_object();

        if (put_cstr(o, "direction", m->out ? "out" : "in") && put_ms(o, "time", m->at) &&
            put_int(o, "size", (int64_t)m->size) &&
            put_text(o, "content_type", m->mime.p ? m->mime : ODM_STR("")) &&
            put_bool(o, "mac", m->hmac.p != NULL) &&
            (how->others ? put_bool(o, "hidden", true) : put_decoded(c, o, m, how)))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *messages_json(call *c, const store_message_list *l, const shown *how)
{
        json_t *list = json_array();

        for (size_t i = 0; i < l->n; i++)
                if (json_array_append_new(list, message_json(c, &l->v[i], how)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

/* Reads the session of the path; false with the problem set. */
static bool find_session(call *c, const store_device *d, store_session *out)
{
        store_session_list live;
        const store_session *x;
        int64_t id;
        int rc;

        if (!call_id(c, c->param[1], "session", &id))
                return false;
        rc = live_sessions(c, d->id, &live);
        if (rc == 0)
                rc = store_session_get(c->api->opt.store, d->id, id, &c->arena, out);
        x = find_in(&live, id);
        if (x && (rc == ODM_ENOENT || (rc == 0 && !out->outcome.p))) {
                *out = *x;
                rc = 0;
        }
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND,
                            "This device has no session %lld, or it is no longer kept.",
                            (long long)id);
        else if (rc != 0)
                problem_err(&c->problem, rc, "the session cannot be read");
        return rc == 0;
}

/* What the store has, and what follows in memory. */
static int all_messages(call *c, int64_t device, int64_t session, store_message_list *out)
{
        const api_hooks *h = &c->api->opt.hooks;
        store_message_list kept = {0}, live = {0};
        store_message *v;
        int rc = store_session_messages(c->api->opt.store, device, session, &c->arena, &kept);

        if (rc == 0 && h->said) {
                rc = h->said(h->ctx, session, (uint32_t)kept.n, &c->arena, &live);
                if (rc == ODM_ENOENT)
                        rc = 0;
        }
        if (rc < 0)
                return rc;
        v = odm_arena_get(&c->arena, (kept.n + live.n + 1) * sizeof *v);
        if (!v)
                return odm_arena_err(&c->arena);
        if (kept.n)
                memcpy(v, kept.v, kept.n * sizeof *v);
        if (live.n)
                memcpy(v + kept.n, live.v, live.n * sizeof *v);
        *out = (store_message_list){v, kept.n + live.n};
        return 0;
}

void session_show(call *c)
{
        store_message_list l = {0};
        store_device d;
        store_session s;
        shown how = {0};
        json_t *o;
        int rc;

        if (!call_admin_flag(c, "secrets", &how.secrets) ||
            !call_admin_flag(c, "addresses", &how.addresses) || !call_device(c, &d) ||
            !find_session(c, &d, &s)) {
                call_fail(c);
                return;
        }
        rc = all_messages(c, d.id, s.id, &l);
        if (rc < 0) {
                call_refused(c, "the messages cannot be read", rc);
                return;
        }
        how.others = !reach_covers(c, d.id);
        c->secret = how.secrets;
        o = session_json(&s, d.name, how.addresses);
        if (o && json_object_set_new(o, "messages", messages_json(c, &l, &how)) < 0) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}
