/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold, whatever the network and the hosts do. */
#include "world.h"

void wrong(world *w, const char *fmt, ...)
{
        va_list ap;
        char text[400];

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        fail_msg("seed %llu, session %llu: %s (again: sim --seed %llu --lives 1)",
                 (unsigned long long)w->seed, (unsigned long long)w->n.sessions, text,
                 (unsigned long long)w->seed);
}

void tell(const world *w, const char *what)
{
        if (w->verbose)
                print_message("# %s\n", what);
}

/* ---- numbers that may come once ------------------------------------------------------------ */

static void set_grow(number_set *s)
{
        number_set more = {.room = s->room ? 2 * s->room : 256};

        more.v = calloc(more.room, sizeof *more.v);
        assert_non_null(more.v);
        for (size_t i = 0; i < s->room; i++)
                if (s->v[i]) {
                        size_t at = s->v[i] & (more.room - 1);
                        while (more.v[at])
                                at = (at + 1) & (more.room - 1);
                        more.v[at] = s->v[i];
                }
        more.n = s->n;
        free(s->v);
        *s = more;
}

/* False: it was there. */
static bool set_add(number_set *s, uint64_t x)
{
        size_t at;

        if (2 * s->n >= s->room)
                set_grow(s);
        for (at = x & (s->room - 1); s->v[at]; at = (at + 1) & (s->room - 1))
                if (s->v[at] == x)
                        return false;
        s->v[at] = x;
        s->n++;
        return true;
}

uint64_t watch_digest(odm_str s)
{
        uint64_t h = 14695981039346656037u;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
        h ^= h >> 32;
        return h ? h : 1;
}

/* ---- nonces and credentials ------------------------------------------------------------------ */

/* NULL: it is none. */
static odm_msg *read_message(odm_str body, odm_arena *a)
{
        const odm_codec *codec = odm_codec_guess(body);
        odm_limits lim;
        odm_msg *m;

        odm_limits_init(&lim);
        odm_arena_init(a, &heap, (size_t)64 << 20);
        return codec && odm_decode(codec, body, &lim, a, &m) == 0 ? m : NULL;
}

bool watch_message(world *w, odm_str body)
{
        odm_arena a;

        if (!set_add(&w->messages, watch_digest(body)))
                return false; /* the same octets say the same */
        const odm_msg *m = read_message(body, &a);
        if (m == NULL)
                wrong(w, "one of us does not speak SyncML");
        for (const odm_command *c = m ? m->body : NULL; c; c = c->next)
                if (c->kind == ODM_CMD_STATUS && c->chal.next_nonce.n &&
                    !set_add(&w->nonces, watch_digest(c->chal.next_nonce)))
                        wrong(w, "a nonce was issued twice");
        odm_arena_done(&a);
        return true;
}

/* The digest or MAC that a message shows; 0 for none, and for what has no nonce in it or proves
 * nothing. */
static uint64_t proof_of(const odm_msg *m, const odm_packet *pkt, odm_auth_type type)
{
        if (type == ODM_AUTH_NONE)
                return 0;
        if (pkt->mac.n)
                return watch_digest(pkt->mac);
        if (m->hdr.cred.present && odm_str_is(m->hdr.cred.meta.type, "syncml:auth-md5"))
                return watch_digest(m->hdr.cred.data);
        return 0;
}

static bool accepts(const odm_msg *m, const odm_msg *asked)
{
        const odm_command *c = m->body;

        return c && c->kind == ODM_CMD_STATUS && odm_ref_number(c->cmd_ref) == 0 &&
               odm_str_eq(c->msg_ref, asked->hdr.msg_id) &&
               (c->code == ODM_ST_OK || c->code == ODM_ST_AUTH_ACCEPTED);
}

void watch_answer(world *w, const odm_packet *in, odm_auth_type type, const odm_packet *out)
{
        odm_arena a, b;

        const odm_msg *asked = read_message(in->body, &a); /* what was cut is none */
        const odm_msg *said = read_message(out->body, &b);
        uint64_t proof = asked ? proof_of(asked, in, type) : 0;
        if (proof && said && accepts(said, asked) && !set_add(&w->accepted, proof))
                wrong(w, "credentials were accepted twice");
        odm_arena_done(&a);
        odm_arena_done(&b);
}

/* ---- the tree --------------------------------------------------------------------------- */

static uint64_t read_number(world *w, const char *uri)
{
        char text[32];
        uint64_t v = 0;

        if (!device_read(&w->dev, uri, text, sizeof text) ||
            odm_str_u64(odm_cstr(text), UINT64_MAX, &v) < 0)
                wrong(w, "%s is gone or no number", uri);
        return v;
}

static void check_keys(world *w)
{
        char uri[] = "./Vendor/lab/Ext/k0";

        for (unsigned k = 0; k < KEYS; k++) {
                uri[sizeof uri - 2] = (char)('0' + k);
                uint64_t v = read_number(w, uri);
                if (!model_may(&w->keys[k], v))
                        wrong(w, "%s holds %llu, which is lost or was never written (sure: %llu)",
                              uri, (unsigned long long)v, (unsigned long long)w->keys[k].sure);
        }
        uint64_t a = read_number(w, "./Vendor/lab/Ext/a");
        uint64_t b = read_number(w, "./Vendor/lab/Ext/b");
        if ((a != b && !w->split_atomic) || !model_may(&w->pair, a) || !model_may(&w->pair, b))
                wrong(w, "an Atomic was done by half, or is lost: %llu and %llu (sure: %llu)",
                      (unsigned long long)a, (unsigned long long)b,
                      (unsigned long long)w->pair.sure);
}

void watch_step(world *w)
{
        check_keys(w);
        for (size_t i = 0; i < w->dev.n_ran; i++)
                if (w->dev.ran[i] > 1)
                        wrong(w, "job %zu ran %u times", i, w->dev.ran[i]);
        if (w->alerts_settled & ~w->alerts_told)
                wrong(w, "an alert was acknowledged that the store does not have");
}

void watch_disk(world *w)
{
        odm_buf now, again;

        odm_buf_init(&now, &heap, (size_t)64 << 20);
        odm_buf_init(&again, &heap, (size_t)64 << 20);
        if (device_state(&w->dev, &now) < 0 || device_crash(&w->dev, SIZE_MAX) < 0 ||
            device_state(&w->dev, &again) < 0)
                wrong(w, "the disk cannot be read");
        if (!odm_str_eq(odm_buf_view(&now), odm_buf_view(&again)))
                wrong(w, "the tree of the disk is another one");
        odm_buf_done(&now);
        odm_buf_done(&again);
}

void watch_end(world *w)
{
        if (sim_left(w))
                wrong(w, "jobs are left");
        if (w->alerts_settled !=
            (w->alerts == ALERTS ? UINT64_MAX : (UINT64_C(1) << w->alerts) - 1))
                wrong(w, "alerts were not told");
}

void watch_close(world *w)
{
        free(w->messages.v);
        free(w->nonces.v);
        free(w->accepted.v);
}
