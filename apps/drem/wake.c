/* SPDX-License-Identifier: Apache-2.0 */
/* wake.c - from a datagram to a call that may be followed; see wake.h.
 *
 * What is remembered of a wake-up is a digest of server, session id and nonce: a resent one is the
 * same, while after a new nonce the server may use an old session id again. */
#include "wake.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"

#define LOOK_PER_S 50 /* datagrams looked at in a second: a check costs two digests */
#define BURST 30      /* calls followed at once: somebody at work with the device */

typedef struct bucket { /* holds up to `most` tokens, gets one each `every` ms */
        int64_t tokens, most, every;
        odm_time filled;
} bucket;

struct wake {
        udp *udp;
        device *device;
        bucket look, follow;
        wake_stats stats;
        void (*fn)(void *ctx, const wake_call *call);
        void *ctx;
};

static bool bucket_take(bucket *b, odm_time now)
{
        int64_t more = b->every > 0 ? (now.ms - b->filled.ms) / b->every : b->most;

        if (more > 0) {
                b->tokens = more > b->most - b->tokens ? b->most : b->tokens + more;
                b->filled = now;
        }
        if (b->tokens == 0)
                return false;
        b->tokens--;
        return true;
}

static bool wake_id(const odm_notification *n, const odm_nonce *nonce, uint8_t out[STATE_WAKE_ID])
{
        const uint8_t id[3] = {0, (uint8_t)(n->session_id >> 8), (uint8_t)n->session_id};
        gnutls_hash_hd_t h;
        uint8_t digest[32];

        if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
                return false;
        (void)gnutls_hash(h, n->server_id.p, n->server_id.n);
        (void)gnutls_hash(h, id, sizeof id);
        (void)gnutls_hash(h, nonce->p, nonce->n);
        gnutls_hash_deinit(h, digest);
        memcpy(out, digest, STATE_WAKE_ID);
        return true;
}

static const odm_nonce *nonce_of(odm_notify_check check, const odm_account *a)
{
        if (check == ODM_NOTIFY_RESYNC)
                return &odm_nonce_default_zero;
        return check == ODM_NOTIFY_RESYNC_ASCII ? &odm_nonce_default_ascii : &a->server_nonce;
}

/* A journal that failed is made anew first: the next session may be an hour away. */
static bool remember(wake *w, const uint8_t id[STATE_WAKE_ID])
{
        state *s = w->device->state;

        if (state_broken(s) && state_tidy(s, w->device->tree) < 0)
                return false;
        return state_wake_add(s, id) == 0;
}

/* The digest is right.  Follows the call unless it was followed before. */
static void follow(wake *w, const odm_notification *n, odm_notify_check check, const odm_account *a)
{
        wake_call call = {.account = a->uri,
                          .by_server = n->by_server,
                          .resync = check != ODM_NOTIFY_GOOD,
                          .resync_ascii = check == ODM_NOTIFY_RESYNC_ASCII};
        uint8_t id[STATE_WAKE_ID];

        odm_notify_session(n->session_id, call.session_id);
        if (!wake_id(n, nonce_of(check, a), id))
                return;
        if (state_wake_seen(w->device->state, id)) {
                w->stats.repeated++;
                log_debug("wake-up repeated", log_text("session", call.session_id));
                return;
        }
        if (!bucket_take(&w->follow, loop_now())) {
                w->stats.dropped++; /* and not remembered: the server sends it again */
                log_warn("wake-ups come too fast", log_str("server", a->server_id));
                return;
        }
        if (!remember(w, id)) { /* the server sends it again */
                log_error("a wake-up is not followed: the journal cannot be written",
                          log_text("reason", state_why(w->device->state)));
                return;
        }
        w->stats.followed++;
        log_info("woken", log_str("server", a->server_id), log_text("session", call.session_id),
                 log_bool("resync", call.resync));
        w->fn(w->ctx, &call);
}

static void forged(wake *w, const net_addr *from, const char *why)
{
        char text[NET_ADDR_TEXT];

        net_addr_format(from, text);
        w->stats.forged++;
        log_debug("datagram ignored", log_text("from", text), log_text("reason", why));
}

static void look(wake *w, odm_str datagram, const net_addr *from, odm_arena *arena)
{
        odm_notification n;
        odm_notify_check check;
        odm_account a;
        odm_secret secret;
        odm_str package;

        if (odm_wsp_unwrap(datagram, &package) < 0 || odm_notify_parse(package, &n) < 0) {
                forged(w, from, "no package 0");
                return;
        }
        if (odm_account_find(w->device->tree, n.server_id, arena, &a) < 0 ||
            !odm_str_eq(a.server_id, n.server_id) || a.server_password.n == 0) {
                forged(w, from, "a server we do not know");
                return;
        }
        odm_secret_of(n.server_id, a.server_password, &secret);
        check = odm_notify_verify(package, &secret, &a.server_nonce);
        odm_wipe(&secret, sizeof secret);
        if (check == ODM_NOTIFY_FORGED)
                forged(w, from, "the digest is wrong");
        else
                follow(w, &n, check, &a);
}

static void on_datagram(void *ctx, odm_str datagram, const net_addr *from)
{
        wake *w = ctx;
        odm_arena arena;

        w->stats.datagrams++;
        if (!bucket_take(&w->look, loop_now())) {
                w->stats.dropped++;
                return;
        }
        odm_arena_init(&arena, &heap_mem, 65536);
        look(w, datagram, from, &arena);
        odm_arena_done(&arena);
}

int wake_open(loop *l, const net_addr *at, device *v, int64_t min_interval_ms,
              void (*fn)(void *ctx, const wake_call *call), void *ctx, wake **out, diag *d)
{
        wake *w = calloc(1, sizeof *w);
        int rc;

        if (!w)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        w->device = v;
        w->fn = fn;
        w->ctx = ctx;
        w->look = (bucket){LOOK_PER_S, LOOK_PER_S, 1000 / LOOK_PER_S, loop_now()};
        w->follow = (bucket){BURST, BURST, min_interval_ms, loop_now()};
        rc = udp_open(l, at, on_datagram, w, &w->udp, d);
        if (rc < 0)
                free(w);
        else
                *out = w;
        return rc;
}

void wake_close(wake *w)
{
        if (!w)
                return;
        udp_close(w->udp);
        free(w);
}

uint16_t wake_port(const wake *w)
{
        return udp_port(w->udp);
}

wake_stats wake_get_stats(const wake *w)
{
        return w->stats;
}
