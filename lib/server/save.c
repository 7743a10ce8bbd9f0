/* SPDX-License-Identifier: Apache-2.0 */
/* A session as bytes, between two messages, so that another process can go on with it.
 *
 *   "odmS" version  conversation  verifier  prover  jobs  commands in flight
 *                   what is held  chunks out and in  late Statuses  last reply
 *                   Statuses that may have to be said again, if there are any
 *
 * Numbers are LEB128, text is a length and octets, absent text is length 0 and a mark.
 * Options are not saved, nor are secrets: the loader brings them.  What is read is
 * believed no further than a stranger's message: every number has its range. */
#include <string.h>

#include "session.h"

#define MAGIC "odmS\x01"
#define MAGIC_N 5

/* ---- writing --------------------------------------------------------------------- */

struct out {
        odm_buf *b;
        int rc; /* the first failure */
};

static void put_u(struct out *o, uint64_t v)
{
        uint8_t octets[10];
        size_t n = 0;

        do {
                octets[n] = v & 0x7f;
                v >>= 7;
                if (v)
                        octets[n] |= 0x80;
                n++;
        } while (v);
        if (o->rc == 0)
                o->rc = odm_buf_put(o->b, octets, n);
}

static void put_str(struct out *o, odm_str s)
{
        put_u(o, s.p ? (uint64_t)s.n + 1 : 0);
        if (o->rc == 0 && s.n)
                o->rc = odm_buf_str(o->b, s);
}

static void put_flags(struct out *o, const bool *const *flags, size_t n)
{
        uint64_t v = 0;

        for (size_t i = 0; i < n; i++)
                v |= (uint64_t)*flags[i] << i;
        put_u(o, v);
}

static void put_nonce(struct out *o, const odm_nonce *n)
{
        put_str(o, odm_nonce_view(n));
}

static void put_items(struct out *o, const odm_item *it)
{
        for (; it; it = it->next) {
                put_u(o, 1);
                put_str(o, it->target);
                put_str(o, it->target_name);
                put_str(o, it->source);
                put_str(o, it->source_name);
                put_u(o, it->meta.format);
                put_str(o, it->meta.format_text);
                put_str(o, it->meta.type);
                put_str(o, it->meta.mark);
                put_u(o, it->meta.has_size);
                put_u(o, it->meta.size);
                put_u(o, it->data.kind);
                put_str(o, it->data.bytes);
        }
        put_u(o, 0);
}

static uint64_t ordinal_of(const odm_server *s, const struct job *j)
{
        uint64_t n = 0;

        for (const struct job *k = s->jobs; k != j; k = k->next)
                n++;
        return n;
}

/* The flags of a session, in one place for both ways. */
#define SESSION_FLAGS(s)                                                                           \
        {                                                                                          \
                &(s)->xml, &(s)->bare_mime, &(s)->large_objects, &(s)->no_atomic, &(s)->told_auth, \
                        &(s)->told_session, &(s)->announced, &(s)->abort_asked, &(s)->open,        \
                        &(s)->has_reply, &(s)->holding, &(s)->sending.open, &(s)->sending.again,   \
                        &(s)->taking.open, &(s)->taking.has_size, &(s)->verifier.has_nonce,        \
                        &(s)->verifier.has_previous, &(s)->verifier.authenticated,                 \
                        &(s)->verifier.proven, &(s)->verifier.challenged, &(s)->verifier.mac_used, \
                        &(s)->prover.every_message, &(s)->prover.accepted, &(s)->prover.typed,     \
                        &(s)->prover.nonce_changed                                                 \
        }

static void put_conversation(struct out *o, const odm_server *s)
{
        const bool *const flags[] = SESSION_FLAGS(s);

        put_flags(o, flags, ODM_COUNT(flags));
        put_u(o, s->phase);
        put_u(o, s->outcome);
        put_str(o, (odm_str){s->session_id, s->session_id_n});
        put_str(o, s->device);
        put_u(o, s->version);
        put_u(o, s->in_id);
        put_u(o, s->out_id);
        put_u(o, s->messages);
        put_u(o, s->peer_max_msg);
        put_u(o, s->peer_max_obj);
        put_str(o, (odm_str){(const char *)s->digest, DIGEST_LEN});
        put_nonce(o, &s->verifier.nonce);
        put_nonce(o, &s->verifier.previous);
        put_u(o, s->verifier.type);
        put_u(o, s->verifier.failures);
        put_nonce(o, &s->prover.nonce);
        put_u(o, s->prover.type);
        put_u(o, s->prover.mac_alg);
        put_u(o, s->prover.refused);
}

static void put_jobs(struct out *o, const odm_server *s)
{
        for (const struct job *j = s->jobs; j; j = j->next) {
                const bool *const flags[] = {&j->alone, &j->split, &j->sent, &j->lost};
                put_u(o, 1);
                put_u(o, j->id);
                put_u(o, j->at);
                put_u(o, j->end);
                put_u(o, j->total);
                put_u(o, j->told);
                put_flags(o, flags, ODM_COUNT(flags));
        }
        put_u(o, 0);
}

static void put_sent(struct out *o, const odm_server *s)
{
        put_u(o, s->out_msg);
        put_u(o, s->out_first);
        put_u(o, s->n_out);
        for (uint32_t i = 0; i < s->n_out; i++) {
                const struct sent *e = &s->out[i];
                put_u(o, ordinal_of(s, e->job));
                put_u(o, e->index);
                put_u(o, e->status);
                put_u(o, e->flags);
                if (s->holding) {
                        put_items(o, s->answers[i].items.head);
                        put_items(o, s->answers[i].results.head);
                }
        }
}

static void put_chunks(struct out *o, const odm_server *s)
{
        if (s->sending.open) {
                put_u(o, ordinal_of(s, s->sending.job));
                put_u(o, s->sending.off);
                put_u(o, s->sending.flying);
        }
        if (s->taking.open) {
                odm_item item = s->taking.item;
                item.next = NULL;
                put_u(o, s->taking.entry);
                put_u(o, s->taking.size);
                put_items(o, &item);
                put_str(o, odm_buf_view(&s->taking.data));
        }
}

static void put_statuses(struct out *o, const struct status_out *st)
{
        for (; st; st = st->next) {
                put_u(o, 1);
                put_u(o, st->c.code);
                put_str(o, st->c.msg_ref);
                put_str(o, st->c.cmd_ref);
                put_str(o, st->c.cmd);
                put_str(o, st->c.target_refs ? st->c.target_refs->uri : ODM_ABSENT);
                put_str(o, st->c.source_refs ? st->c.source_refs->uri : ODM_ABSENT);
        }
        put_u(o, 0);
}

static void put_telling(struct out *o, const odm_server *s)
{
        put_u(o, s->telling_code);
        put_u(o, s->telling.has_size);
        put_u(o, s->telling.size);
        put_items(o, &s->telling.item);
        put_str(o, odm_buf_view(&s->telling.data));
}

int odm_server_save(const odm_server *s, odm_buf *out)
{
        struct out o = {.b = out};
        size_t before = out->n;

        if (s->err < 0 || s->turn != TURN_WAIT)
                return ODM_ESTATE;
        o.rc = odm_buf_put(out, MAGIC, MAGIC_N);
        put_conversation(&o, s);
        put_jobs(&o, s);
        put_sent(&o, s);
        put_chunks(&o, s);
        put_statuses(&o, s->late_list);
        put_str(&o, odm_buf_view(&s->reply));
        put_str(&o, odm_buf_view(&s->mac));
        if (s->said_list || s->telling.open)
                put_statuses(&o, s->said_list);
        if (s->telling.open)
                put_telling(&o, s);
        if (o.rc < 0)
                odm_buf_cut(out, before);
        return o.rc;
}

/* ---- reading ------------------------------------------------------------------------ */

struct in {
        odm_str rest;
        int rc; /* the first failure; nothing is read after it */
};

static void bad(struct in *in)
{
        if (in->rc == 0)
                in->rc = ODM_EMALFORMED;
}

/* A number up to `max`; 0 after a failure. */
static uint64_t get_u(struct in *in, uint64_t max)
{
        uint64_t v = 0;

        for (unsigned shift = 0; in->rc == 0; shift += 7) {
                if (in->rest.n == 0 || shift > 63)
                        break;
                uint8_t c = (uint8_t)*in->rest.p;
                in->rest = odm_str_from(in->rest, 1);
                v |= (uint64_t)(c & 0x7f) << shift;
                if (!(c & 0x80)) {
                        if (v > max)
                                break;
                        return v;
                }
        }
        bad(in);
        return 0;
}

static odm_str get_str(struct in *in)
{
        uint64_t n = get_u(in, SIZE_MAX / 2);

        if (in->rc < 0 || n == 0)
                return ODM_ABSENT;
        if (n - 1 > in->rest.n) {
                bad(in);
                return ODM_ABSENT;
        }
        odm_str s = {in->rest.p, (size_t)n - 1};
        in->rest = odm_str_from(in->rest, s.n);
        return s;
}

static void get_flags(struct in *in, bool *const *flags, size_t n)
{
        uint64_t v = get_u(in, (UINT64_C(1) << n) - 1);

        for (size_t i = 0; i < n; i++)
                *flags[i] = v >> i & 1;
}

static void get_nonce(struct in *in, odm_nonce *out)
{
        odm_str s = get_str(in);

        if (s.n > ODM_NONCE_MAX) {
                bad(in);
                return;
        }
        out->n = (uint8_t)s.n;
        if (s.n)
                memcpy(out->p, s.p, s.n);
}

static void get_fixed(struct in *in, void *out, size_t n)
{
        odm_str s = get_str(in);

        if (s.n != n)
                bad(in);
        else
                memcpy(out, s.p, n);
}

static void get_heap(struct in *in, odm_server *s, odm_str *out, size_t max)
{
        odm_str v = get_str(in);

        if (v.n > max)
                bad(in);
        if (in->rc == 0)
                in->rc = odm_session_copy(s, v, out);
}

static odm_item *get_item(struct in *in, odm_arena *a)
{
        odm_item it = {0};

        it.target = get_str(in);
        it.target_name = get_str(in);
        it.source = get_str(in);
        it.source_name = get_str(in);
        it.meta.present = true;
        it.meta.format = (odm_format)get_u(in, ODM_FMT_OTHER);
        it.meta.format_text = get_str(in);
        it.meta.type = get_str(in);
        it.meta.mark = get_str(in);
        it.meta.has_size = get_u(in, 1) == 1;
        it.meta.size = (uint32_t)get_u(in, UINT32_MAX);
        it.data.kind = (odm_data_kind)get_u(in, ODM_DATA_XML);
        it.data.bytes = get_str(in);
        odm_item *copy = in->rc == 0 ? odm_item_copy(a, &it.meta, &it, true) : NULL;
        if (copy == NULL && in->rc == 0)
                in->rc = odm_arena_err(a);
        return copy;
}

static odm_item *get_items(struct in *in, odm_arena *a, odm_item ***tail)
{
        odm_item *head = NULL, **end = &head;

        while (get_u(in, 1) == 1) {
                odm_item *it = get_item(in, a);
                if (it == NULL)
                        break;
                *end = it;
                end = &it->next;
        }
        *tail = head ? end : NULL;
        return head;
}

static void get_conversation(struct in *in, odm_server *s)
{
        bool *const flags[] = SESSION_FLAGS(s);
        odm_str id;

        get_flags(in, flags, ODM_COUNT(flags));
        s->phase = (enum phase)get_u(in, PHASE_OVER);
        s->outcome = (odm_outcome)get_u(in, ODM_OUTCOME_TOO_LARGE);
        id = get_str(in);
        if (id.n > SESSION_ID_MAX)
                bad(in);
        else if (id.n)
                memcpy(s->session_id, id.p, id.n);
        s->session_id_n = (uint8_t)id.n;
        get_heap(in, s, &s->device, URI_MAX);
        s->version = (uint8_t)get_u(in, 3);
        s->in_id = (uint32_t)get_u(in, INT32_MAX);
        s->out_id = (uint32_t)get_u(in, INT32_MAX);
        s->messages = (uint32_t)get_u(in, INT32_MAX);
        s->peer_max_msg = get_u(in, UINT64_MAX);
        s->peer_max_obj = get_u(in, UINT64_MAX);
        get_fixed(in, s->digest, DIGEST_LEN);
        get_nonce(in, &s->verifier.nonce);
        get_nonce(in, &s->verifier.previous);
        s->verifier.type = (odm_auth_type)get_u(in, ODM_AUTH_MAC);
        s->verifier.failures = (uint8_t)get_u(in, UINT8_MAX);
        get_nonce(in, &s->prover.nonce);
        s->prover.type = (odm_auth_type)get_u(in, ODM_AUTH_MAC);
        s->prover.mac_alg = (odm_mac_alg)get_u(in, ODM_MAC_SHA256);
        s->prover.refused = (uint8_t)get_u(in, UINT8_MAX);
}

static void get_jobs(struct in *in, odm_server *s)
{
        struct job **end = &s->jobs;

        while (get_u(in, 1) == 1) {
                struct job *j = odm_alloc(&s->mem, sizeof *j);
                if (j == NULL) {
                        in->rc = odm_session_nomem(s);
                        break;
                }
                bool *const flags[] = {&j->alone, &j->split, &j->sent, &j->lost};
                *end = j;
                end = &j->next;
                j->id = get_u(in, UINT64_MAX);
                j->at = (uint32_t)get_u(in, UINT32_MAX);
                j->end = (uint32_t)get_u(in, UINT32_MAX);
                j->total = (uint32_t)get_u(in, s->opt.limits.max_items);
                j->told = (uint32_t)get_u(in, UINT32_MAX);
                get_flags(in, flags, ODM_COUNT(flags));
                if (j->at > j->end || j->end > j->total || j->told >= j->total)
                        bad(in);
        }
}

static struct job *job_at(const odm_server *s, uint64_t ordinal)
{
        struct job *j = s->jobs;

        while (j && ordinal-- > 0)
                j = j->next;
        return j;
}

static void get_one_sent(struct in *in, odm_server *s, uint32_t i)
{
        struct job *j = job_at(s, get_u(in, UINT32_MAX));
        uint32_t index = (uint32_t)get_u(in, UINT32_MAX);
        unsigned status = (unsigned)get_u(in, UINT16_MAX);
        uint8_t flags = (uint8_t)get_u(in, 2 * SENT_BROKEN - 1);
        bool chunk = flags & (SENT_CHUNK | SENT_LAST);

        if (j == NULL || index >= j->total || (i == 0 && (flags & SENT_MEMBER)) ||
            (chunk && !(s->sending.open && index == j->at && index < j->end)))
                bad(in);
        if (in->rc == 0)
                in->rc = odm_sent_add(s, j, index, flags);
        if (in->rc == 0)
                s->out[i].status = (uint16_t)status;
        if (in->rc == 0 && s->holding) {
                struct answer *a = &s->answers[i];
                a->items.head = get_items(in, &s->held, &a->items.tail);
                a->results.head = get_items(in, &s->held, &a->results.tail);
        }
}

/* Every command in flight will be told once, and no command twice.  When the session is over, those
 * in flight are told no more. */
static void check_told(struct in *in, const odm_server *s)
{
        for (const struct job *j = s->jobs; j; j = j->next) {
                uint32_t flying = 0, left = j->end - j->at;
                for (uint32_t i = 0; i < s->n_out; i++)
                        if (s->out[i].job == j && !(s->out[i].flags & (SENT_CHUNK | SENT_LAST)))
                                flying++;
                if (s->phase == PHASE_OVER ? flying + left > j->total - j->told
                                           : j->told + flying + left != j->total)
                        bad(in);
        }
}

static void get_sent(struct in *in, odm_server *s)
{
        s->out_msg = (uint32_t)get_u(in, INT32_MAX);
        s->out_first = (uint32_t)get_u(in, INT32_MAX);
        uint32_t n = (uint32_t)get_u(in, in->rest.n);
        if (in->rc == 0 && s->holding && n > 0) {
                s->answers = odm_arena_zget(&s->held, n * sizeof *s->answers);
                if (s->answers == NULL)
                        in->rc = odm_arena_err(&s->held);
        }
        if (s->holding && n == 0)
                bad(in);
        for (uint32_t i = 0; i < n && in->rc == 0; i++)
                get_one_sent(in, s, i);
        if (in->rc == 0)
                check_told(in, s);
}

static void get_chunks(struct in *in, odm_server *s)
{
        if (s->sending.open) {
                s->sending.job = job_at(s, get_u(in, UINT32_MAX));
                s->sending.off = (size_t)get_u(in, SIZE_MAX / 2);
                s->sending.flying = (size_t)get_u(in, SIZE_MAX / 2);
                if (s->sending.job == NULL || s->sending.job->at >= s->sending.job->end)
                        bad(in);
        }
        for (uint32_t i = 0; i < s->n_out && in->rc == 0; i++)
                if ((s->out[i].flags & (SENT_CHUNK | SENT_LAST)) &&
                    (s->n_out > 1 || s->out[i].job != s->sending.job))
                        bad(in);
        if (s->taking.open) {
                odm_item **tail, *item;
                s->taking.entry = (uint32_t)get_u(in, UINT32_MAX);
                s->taking.size = get_u(in, UINT64_MAX);
                item = get_items(in, &s->held, &tail);
                odm_str data = get_str(in);
                if (in->rc == 0 && (item == NULL || s->taking.entry >= s->n_out || !s->holding))
                        bad(in);
                if (in->rc == 0) {
                        s->taking.item = *item;
                        s->taking.item.next = NULL;
                        in->rc = odm_buf_str(&s->taking.data, data);
                }
        }
}

static odm_ref *get_ref(struct in *in, odm_arena *a)
{
        odm_str uri = odm_arena_copy(a, get_str(in));
        odm_ref *r = uri.p ? odm_new(a, odm_ref) : NULL;

        if (r)
                r->uri = uri;
        return r;
}

static void get_statuses(struct in *in, odm_server *s, odm_arena *a, struct status_out **end)
{
        while (get_u(in, 1) == 1) {
                struct status_out *st = odm_new(a, struct status_out);
                if (st == NULL)
                        break;
                st->c.kind = ODM_CMD_STATUS;
                st->c.code = (unsigned)get_u(in, 1999);
                st->c.msg_ref = odm_arena_copy(a, get_str(in));
                st->c.cmd_ref = odm_arena_copy(a, get_str(in));
                st->c.cmd = odm_arena_copy(a, get_str(in));
                st->c.target_refs = get_ref(in, a);
                st->c.source_refs = get_ref(in, a);
                *end = st;
                end = &st->next;
        }
        if (a->err && in->rc == 0)
                in->rc = odm_session_arena_err(s, a);
}

static void get_telling(struct in *in, odm_server *s)
{
        odm_item **tail, *item;
        odm_str data;

        s->telling_code = (unsigned)get_u(in, 1999);
        s->telling.has_size = get_u(in, 1) == 1;
        s->telling.size = get_u(in, UINT64_MAX);
        item = get_items(in, &s->telling_text, &tail);
        data = get_str(in);
        if (in->rc == 0 && item == NULL)
                bad(in);
        if (in->rc < 0)
                return;
        s->telling.item = *item;
        s->telling.item.next = NULL;
        s->telling.open = true;
        in->rc = odm_buf_str(&s->telling.data, data);
}

static void get_reply(struct in *in, odm_server *s)
{
        odm_str body = get_str(in), mac = get_str(in);

        s->reply.max = s->opt.max_memory;
        if (in->rc == 0)
                in->rc = odm_buf_str(&s->reply, body);
        if (in->rc == 0)
                in->rc = odm_buf_str(&s->mac, mac);
}

static int load_into(odm_server *s, odm_str saved)
{
        struct in in = {.rest = saved};

        if (saved.n < MAGIC_N || memcmp(saved.p, MAGIC, MAGIC_N) != 0)
                return ODM_EMALFORMED;
        in.rest = odm_str_from(saved, MAGIC_N);
        get_conversation(&in, s);
        get_jobs(&in, s);
        get_sent(&in, s);
        get_chunks(&in, s);
        get_statuses(&in, s, &s->late, &s->late_list);
        get_reply(&in, s);
        if (in.rc == 0 && in.rest.n != 0)
                get_statuses(&in, s, &s->said, &s->said_list);
        if (in.rc == 0 && in.rest.n != 0)
                get_telling(&in, s);
        if (in.rc == 0 && in.rest.n != 0)
                bad(&in);
        return in.rc == ODM_ENOMEM ? odm_session_nomem(s) : in.rc;
}

int odm_server_load(const odm_server_opt *opt, odm_str saved, odm_server **out)
{
        odm_server *s;
        int rc = odm_server_new(opt, &s);

        if (rc < 0)
                return rc;
        rc = load_into(s, saved);
        if (rc < 0)
                odm_server_free(s);
        else
                *out = s;
        return rc;
}
