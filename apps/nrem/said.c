/* SPDX-License-Identifier: Apache-2.0 */
/* What is said in a session, as it was on the wire.  It is a record for people and acknowledges
 * nothing, so no reply waits for it: it is gathered in memory, can be looked at there, and goes
 * into the store as one row when the session ends, or in parts when it becomes long. */
#include <string.h>

#include "dm_inner.h"

#define IN_MEMORY ((size_t)64 << 10) /* octets of a session; beyond it they are put */

struct said {
        said *next;
        store_message m; /* its texts behind; n counts from 1 */
        size_t size;     /* of all this */
        char octets[];
};

/* ---- gathering --------------------------------------------------------------------- */

static said *said_new(const session *s, odm_str bytes, odm_str mac)
{
        size_t size = sizeof(said) + bytes.n + mac.n;
        said *x = odm_alloc(dm_mem(s->dm), size);

        if (!x)
                return NULL;
        x->size = size;
        if (bytes.n)
                memcpy(x->octets, bytes.p, bytes.n);
        if (mac.n)
                memcpy(x->octets + bytes.n, mac.p, mac.n);
        if (bytes.p)
                x->m.bytes = (odm_str){x->octets, bytes.n};
        if (mac.p)
                x->m.hmac = (odm_str){x->octets + bytes.n, mac.n};
        return x;
}

/* The row as it is now; the table's lock is held. */
static void renew_row(session *s, int64_t at)
{
        s->row.authenticated = s->authenticated;
        s->row.last = at;
        s->row.messages = s->messages;
        s->row.bytes_in = s->bytes_in;
        s->row.bytes_out = s->bytes_out;
}

void said_open(session *s)
{
        const turn *t = s->turn;
        store_session row;

        if (s->id || !s->known)
                return;
        row = (store_session){
                .device = s->device.id,
                .id = store_session_number(s->dm->opt.store),
                .dm_id = s->dm_id,
                .sid = odm_cstr(s->sid),
                .peer = odm_cstr(s->peer),
                .route = odm_cstr(s->route),
                .codec = odm_cstr(odm_codec_name(s->codec)),
                .agent = odm_arena_copy(&s->a, odm_str_to(httpd_field(t->req, "User-Agent"), 120)),
                .tls = s->tls,
                .started = t->at,
        };
        pthread_mutex_lock(&s->dm->lock);
        s->row = row;
        pthread_mutex_unlock(&s->dm->lock);
        s->log_end = &s->log;
        s->id = row.id;
}

void said_add(session *s, bool out, int64_t at, odm_str bytes, odm_str mac)
{
        said *x;

        if (!s->id)
                return;
        x = said_new(s, bytes, mac);
        if (!x) /* what is short of memory needs it for other things */
                x = said_new(s, ODM_ABSENT, ODM_ABSENT);
        if (!x)
                return;
        x->m.at = at;
        x->m.out = out;
        x->m.mime = odm_cstr(odm_codec_mime(s->codec));
        x->m.size = bytes.n;
        pthread_mutex_lock(&s->dm->lock);
        x->m.n = ++s->log_n;
        *s->log_end = x;
        s->log_end = &x->next;
        s->log_octets += x->size;
        renew_row(s, at);
        pthread_mutex_unlock(&s->dm->lock);
}

/* ---- putting ------------------------------------------------------------------------- */

bool said_long(const session *s)
{
        return s->log_octets > IN_MEMORY;
}

static bool copy_message(odm_arena *a, const store_message *from, store_message *to)
{
        *to = *from;
        to->bytes = odm_arena_copy(a, from->bytes);
        to->hmac = odm_arena_copy(a, from->hmac);
        return !a->err;
}

/* Those that are in no batch yet. */
static bool copy_messages(const session *s, odm_arena *a, const store_message **out, size_t *n)
{
        store_message *v = odm_arena_zget(a, (s->log_n - s->log_put + 1) * sizeof *v);

        *n = 0;
        for (const said *x = s->log; v && x; x = x->next)
                if (x->m.n > s->log_put && !copy_message(a, &x->m, &v[(*n)++]))
                        return false;
        *out = v;
        return v != NULL;
}

static bool copy_row(odm_arena *a, const store_session *from, store_session *to)
{
        odm_str *texts[] = {&to->dm_id, &to->sid,   &to->peer,   &to->route,
                            &to->codec, &to->agent, &to->outcome};

        *to = *from;
        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                *texts[i] = odm_arena_copy(a, *texts[i]);
        return !a->err;
}

void said_put(session *s)
{
        odm_arena *a;
        store_op *op;

        if (!s->id)
                return;
        pthread_mutex_lock(&s->dm->lock);
        renew_row(s, s->row.last);
        s->row.outcome = s->outcome;
        pthread_mutex_unlock(&s->dm->lock);
        op = session_op_later(s, STORE_SESSION_PUT);
        a = session_batch_arena(s);
        if (!op || !copy_row(a, &s->row, &op->session.s) ||
            !copy_messages(s, a, &op->session.v, &op->session.n)) {
                session_failed(s);
                return;
        }
        op->lenient = true; /* the device may be gone */
        s->log_put = s->log_n;
}

bool said_unput(const session *s)
{
        return s->id && s->log_put < s->log_n;
}

static void drop_to(session *s, uint32_t n)
{
        while (s->log && s->log->m.n <= n) {
                said *x = s->log;
                s->log = x->next;
                s->log_octets -= x->size;
                odm_free(dm_mem(s->dm), x, x->size);
        }
        if (!s->log)
                s->log_end = &s->log;
}

void said_kept(session *s)
{
        pthread_mutex_lock(&s->dm->lock);
        drop_to(s, s->log_put);
        pthread_mutex_unlock(&s->dm->lock);
}

void said_free(session *s)
{
        drop_to(s, s->log_n);
}

/* ---- looking at it, from REST ----------------------------------------------------------- */

int dm_sessions(dm *m, int64_t device, odm_arena *a, store_session_list *out)
{
        store_session_list l = {0};
        int rc = 0;

        pthread_mutex_lock(&m->lock);
        for (const session *s = m->oldest; s; s = s->newer)
                l.n += s->row.device == device && s->row.id;
        l.v = odm_arena_zget(a, (l.n + 1) * sizeof *l.v);
        l.n = 0;
        for (const session *s = m->newest; s && l.v; s = s->older)
                if (s->row.device == device && s->row.id && !copy_row(a, &s->row, &l.v[l.n++]))
                        break;
        pthread_mutex_unlock(&m->lock);
        if (!l.v || a->err)
                rc = odm_arena_err(a);
        else
                *out = l;
        return rc;
}

static int copy_said(const session *s, uint32_t after, odm_arena *a, store_message_list *out)
{
        store_message *v = odm_arena_zget(a, (s->log_n + 1) * sizeof *v);
        size_t n = 0;

        for (const said *x = s->log; v && x; x = x->next)
                if (x->m.n > after && !copy_message(a, &x->m, &v[n++]))
                        break;
        if (!v || a->err)
                return odm_arena_err(a);
        *out = (store_message_list){v, n};
        return 0;
}

int dm_session_said(dm *m, int64_t id, uint32_t after, odm_arena *a, store_message_list *out)
{
        int rc = ODM_ENOENT;

        pthread_mutex_lock(&m->lock);
        for (const session *s = m->newest; s && rc == ODM_ENOENT; s = s->older)
                if (s->row.id == id)
                        rc = copy_said(s, after, a, out);
        pthread_mutex_unlock(&m->lock);
        return rc;
}
