/* SPDX-License-Identifier: Apache-2.0 */
/* coap_dtls.c - DTLS 1.2 under CoAP, by GnuTLS: one session a peer, all over the end's socket.
 *
 * A server keeps nothing of a stranger until its cookie has come back (RFC 6347 4.2.1); the secret
 * of cookies ages.  Whoever has not finished the handshake has proved no more than where it is: so
 * there are few of those at one time, they do not last, and push out none but each other.  A client
 * that begins anew from an address with a session (it restarted) replaces that session when its
 * handshake is finished, and not before (4.2.8 would allow it).
 *
 *     hello, no cookie --> its cookie, and nothing is kept
 *     hello, cookie ----> handshake, of a new peer or beside the session of an old one (rival)
 *                              | finished           | UNPROVEN_MS, or too many
 *                              v                    v
 *                         among the peers        forgotten */
#include <errno.h>
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "coap_inner.h"

#define MTU 1400
#define HANDSHAKE_MS 30000 /* of a client */
#define UNPROVEN_MS 20000  /* of whoever comes to a server */
#define COOKIE_MS 60000    /* a secret; cookies are good for one to two of these */
#define CROWD 8            /* an address that has this part of the handshakes has its own go */
#define RESEND_MS 1000
#define SUITES                                                                        \
        "NONE:+VERS-DTLS1.2:+MAC-ALL:+SIGN-ALL:+GROUP-ALL:+COMP-NULL:+AES-128-CCM-8:" \
        "+AES-128-CCM:+AES-128-GCM:+AES-256-GCM:+CTYPE-X509"
#define PSK_SUITES SUITES ":+PSK:+ECDHE-PSK"
#define CERT_SUITES SUITES ":+ECDHE-ECDSA:+ECDHE-RSA"
#define BOTH_SUITES CERT_SUITES ":+PSK:+ECDHE-PSK"

struct co_dtls_end {
        gnutls_priority_t priority;
        gnutls_psk_server_credentials_t psk_server;
        gnutls_psk_client_credentials_t psk_client;
        gnutls_certificate_credentials_t cert;
        gnutls_datum_t cookie[2]; /* the secret, and the one before */
        odm_time cookie_at;
        co_dtls *oldest, *newest; /* a server's handshakes */
        size_t n;
};

struct co_dtls {
        gnutls_session_t s;
        co_peer *peer;
        const char *in; /* the datagram that is being read */
        size_t in_n;
        bool up, told;
        bool unproven; /* it is among the handshakes of the end */
        co_dtls *older, *newer;
        co_dtls *rival;   /* of one that is up: a handshake that is to replace it */
        uint64_t hello;   /* by which its ClientHello is known */
        odm_time due;     /* the handshake's end */
        loop_timer timer; /* the handshake's */
        size_t identity_n;
        char identity[CO_IDENTITY_MAX];
};

typedef struct destination { /* of a cookie */
        co_end *end;
        const co_addr *to;
        const co_from *from;
} destination;

/* ---- octets in and out of GnuTLS ----------------------------------------------------------------------- */

static ssize_t push(gnutls_transport_ptr_t p, const void *d, size_t n)
{
        co_dtls *t = p;

        end_send(t->peer->end, &t->peer->addr, &t->peer->from, d, n);
        return (ssize_t)n;
}

static ssize_t push_cookie(gnutls_transport_ptr_t p, const void *d, size_t n)
{
        destination *to = p;

        end_send(to->end, to->to, to->from, d, n);
        return (ssize_t)n;
}

static ssize_t pull(gnutls_transport_ptr_t p, void *room, size_t n)
{
        co_dtls *t = p;

        if (!t->in) {
                gnutls_transport_set_errno(t->s, EAGAIN);
                return -1;
        }
        if (n > t->in_n)
                n = t->in_n;
        memcpy(room, t->in, n);
        t->in = NULL;
        return (ssize_t)n;
}

static int pull_wait(gnutls_transport_ptr_t p, unsigned ms)
{
        const co_dtls *t = p;

        (void)ms; /* nothing may wait here */
        return t->in != NULL;
}

/* ---- credentials -------------------------------------------------------------------------------------------- */

static int find_key(gnutls_session_t s, const gnutls_datum_t *user, gnutls_datum_t *key)
{
        co_dtls *t = gnutls_session_get_ptr(s);
        const co_end *e = t->peer->end;
        uint8_t k[CO_KEY_MAX];
        size_t n = 0;

        if (!e->set.app || !e->set.app->psk || user->size > CO_IDENTITY_MAX ||
            !e->set.app->psk(e->set.ctx, (odm_str){(char *)user->data, user->size}, k, &n) ||
            n == 0)
                return -1;
        key->data = gnutls_malloc(n);
        if (key->data) {
                memcpy(key->data, k, n);
                key->size = (unsigned)n;
        }
        odm_wipe(k, sizeof k);
        return key->data ? 0 : -1;
}

static int client_psk(co_dtls_end *t, const co_setup *s)
{
        const gnutls_datum_t user = {(unsigned char *)s->identity.p, (unsigned)s->identity.n};
        const gnutls_datum_t key = {(unsigned char *)s->key.p, (unsigned)s->key.n};

        if (gnutls_psk_allocate_client_credentials(&t->psk_client) < 0)
                return ODM_ENOMEM;
        return gnutls_psk_set_client_credentials2(t->psk_client, &user, &key, GNUTLS_PSK_KEY_RAW) <
                               0
                       ? ODM_EINVAL
                       : 0;
}

static int server_psk(co_dtls_end *t)
{
        if (gnutls_psk_allocate_server_credentials(&t->psk_server) < 0)
                return ODM_ENOMEM;
        gnutls_psk_set_server_credentials_function2(t->psk_server, find_key);
        return 0;
}

static int certificates(co_dtls_end *t, const co_setup *s, diag *d)
{
        int rc;

        if (gnutls_certificate_allocate_credentials(&t->cert) < 0)
                return ODM_ENOMEM;
        rc = gnutls_certificate_set_x509_key_file(t->cert, s->cert_file, s->key_file,
                                                  GNUTLS_X509_FMT_PEM);
        if (rc < 0) {
                diag_set(d, ODM_EIO, "%s: %s", s->cert_file, gnutls_strerror(rc));
                return ODM_EIO;
        }
        rc = gnutls_certificate_set_x509_trust_file(t->cert, s->ca_file, GNUTLS_X509_FMT_PEM);
        if (rc <= 0) {
                diag_set(d, ODM_EIO, "%s: %s", s->ca_file,
                         rc < 0 ? gnutls_strerror(rc) : "no certificate in it");
                return ODM_EIO;
        }
        return 0;
}

static const char *suites_of(const co_setup *s)
{
        if (s->security == CO_PSK)
                return PSK_SUITES;
        return !s->client && s->app && s->app->psk ? BOTH_SUITES : CERT_SUITES;
}

int dtls_end_new(co_end *e, const co_setup *s, diag *d)
{
        co_dtls_end *t = calloc(1, sizeof *t);
        bool psk = s->security == CO_PSK || (!s->client && s->app && s->app->psk);
        int rc = 0;

        if (!t)
                return ODM_ENOMEM;
        e->dtls = t;
        if (s->security == CO_CERT && (!s->cert_file || !s->key_file || !s->ca_file)) {
                diag_set(d, ODM_EINVAL, "coap: certificates need three files");
                return ODM_EINVAL;
        }
        if (gnutls_priority_init(&t->priority, suites_of(s), NULL) < 0 ||
            gnutls_key_generate(&t->cookie[0], GNUTLS_COOKIE_KEY_SIZE) < 0)
                return ODM_ENOMEM;
        t->cookie_at = loop_now();
        if (psk)
                rc = s->client ? client_psk(t, s) : server_psk(t);
        if (rc == 0 && s->security == CO_CERT)
                rc = certificates(t, s, d);
        return rc;
}

static void secret_free(gnutls_datum_t *s)
{
        if (!s->data)
                return;
        odm_wipe(s->data, s->size);
        gnutls_free(s->data);
        *s = (gnutls_datum_t){NULL, 0};
}

void dtls_end_free(co_dtls_end *t)
{
        if (!t)
                return;
        if (t->priority)
                gnutls_priority_deinit(t->priority);
        if (t->psk_server)
                gnutls_psk_free_server_credentials(t->psk_server);
        if (t->psk_client)
                gnutls_psk_free_client_credentials(t->psk_client);
        if (t->cert)
                gnutls_certificate_free_credentials(t->cert);
        secret_free(&t->cookie[0]);
        secret_free(&t->cookie[1]);
        free(t);
}

/* ---- sessions ------------------------------------------------------------------------------------------------- */

static co_dtls *handshake(co_dtls *t);

static void on_timer(void *ctx)
{
        (void)handshake(ctx);
}

static int credentials(co_dtls *t, const co_dtls_end *c)
{
        int rc = gnutls_priority_set(t->s, c->priority);

        if (rc >= 0 && c->psk_server)
                rc = gnutls_credentials_set(t->s, GNUTLS_CRD_PSK, c->psk_server);
        if (rc >= 0 && c->psk_client)
                rc = gnutls_credentials_set(t->s, GNUTLS_CRD_PSK, c->psk_client);
        if (rc >= 0 && c->cert)
                rc = gnutls_credentials_set(t->s, GNUTLS_CRD_CERTIFICATE, c->cert);
        return rc < 0 ? ODM_ENOMEM : 0;
}

/* A session of a peer, which does not have it yet.  NULL: no memory. */
static co_dtls *session_new(co_peer *p)
{
        co_end *e = p->end;
        co_dtls *t = calloc(1, sizeof *t);
        unsigned side = e->set.client ? GNUTLS_CLIENT : GNUTLS_SERVER;

        if (!t)
                return NULL;
        if (gnutls_init(&t->s, side | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK) < 0 ||
            credentials(t, e->dtls) < 0) {
                if (t->s)
                        gnutls_deinit(t->s);
                free(t);
                return NULL;
        }
        t->peer = p;
        t->due = odm_time_add(loop_now(), e->set.client ? HANDSHAKE_MS : UNPROVEN_MS);
        t->timer = (loop_timer){.fn = on_timer, .ctx = t};
        gnutls_session_set_ptr(t->s, t);
        gnutls_transport_set_ptr(t->s, t);
        gnutls_transport_set_push_function(t->s, push);
        gnutls_transport_set_pull_function(t->s, pull);
        gnutls_transport_set_pull_timeout_function(t->s, pull_wait);
        gnutls_dtls_set_mtu(t->s, MTU);
        gnutls_dtls_set_timeouts(t->s, RESEND_MS, e->set.client ? HANDSHAKE_MS : UNPROVEN_MS);
        if (e->dtls->cert && !e->set.client)
                gnutls_certificate_server_set_request(
                        t->s, e->dtls->psk_server ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_REQUIRE);
        return t;
}

static void list_unproven(co_dtls *t)
{
        co_dtls_end *l = t->peer->end->dtls;

        t->unproven = true;
        t->older = l->newest;
        *(l->newest ? &l->newest->newer : &l->oldest) = t;
        l->newest = t;
        l->n++;
}

static void unlist_unproven(co_dtls *t)
{
        co_dtls_end *l;

        if (!t->unproven)
                return;
        l = t->peer->end->dtls;
        t->unproven = false;
        *(t->older ? &t->older->newer : &l->oldest) = t->newer;
        *(t->newer ? &t->newer->older : &l->newest) = t->older;
        t->older = t->newer = NULL;
        l->n--;
}

static void session_free(co_dtls *t)
{
        unlist_unproven(t);
        loop_timer_stop(&t->timer);
        gnutls_deinit(t->s);
        free(t);
}

void dtls_end(co_peer *p)
{
        co_dtls *t = p->dtls;
        co_end *e = p->end;

        if (!t)
                return;
        t->in = NULL;
        if (t->rival)
                session_free(t->rival);
        t->rival = NULL;
        if (t->up)
                (void)gnutls_bye(t->s, GNUTLS_SHUT_WR);
        if (t->told) {
                e->counts.secured--;
                if (e->set.app && e->set.app->secured)
                        e->set.app->secured(e->set.ctx, p, false);
        }
        p->dtls = NULL;
        session_free(t);
}

bool dtls_up(const co_peer *p)
{
        return p->dtls && p->dtls->up;
}

odm_str dtls_identity(const co_peer *p)
{
        const co_dtls *t = p->dtls;

        return t->identity_n ? (odm_str){t->identity, t->identity_n} : ODM_ABSENT;
}

static void identity_is(co_dtls *t, const void *p, size_t n)
{
        if (n > sizeof t->identity)
                return;
        memcpy(t->identity, p, n);
        t->identity_n = n;
}

static bool name_in_certificate(co_dtls *t)
{
        unsigned n = 0, status = 1;
        const gnutls_datum_t *list = gnutls_certificate_get_peers(t->s, &n);
        gnutls_x509_crt_t crt = NULL;
        char name[CO_IDENTITY_MAX];
        size_t size = sizeof name;
        bool ok = false;

        if (n == 0 || gnutls_certificate_verify_peers2(t->s, &status) < 0 || status != 0 ||
            gnutls_x509_crt_init(&crt) < 0)
                return false;
        if (gnutls_x509_crt_import(crt, &list[0], GNUTLS_X509_FMT_DER) >= 0 &&
            gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) >=
                    0) {
                identity_is(t, name, size);
                ok = true;
        }
        gnutls_x509_crt_deinit(crt);
        return ok;
}

/* Who it is.  False: it may not stay. */
static bool learn_identity(co_dtls *t)
{
        gnutls_datum_t user;

        if (gnutls_auth_get_type(t->s) == GNUTLS_CRD_CERTIFICATE)
                return name_in_certificate(t);
        if (t->peer->end->set.client)
                return true;
        if (gnutls_psk_server_get_username2(t->s, &user) < 0)
                return false;
        identity_is(t, user.data, user.size);
        return true;
}

/* It is no more; a peer that has a session beside it keeps that. */
static void give_up(co_dtls *t, co_end_of why)
{
        co_peer *p = t->peer;

        if (p->dtls == t) {
                peer_drop(p, why);
                return;
        }
        p->dtls->rival = NULL;
        session_free(t);
}

static void fail(co_dtls *t)
{
        t->peer->end->counts.refused++;
        give_up(t, CO_UNREACHABLE);
}

void dtls_drop_unproven(co_end *e)
{
        while (e->dtls && e->dtls->oldest)
                give_up(e->dtls->oldest, CO_CLOSED);
}

/* A peer that began anew is another one: with what it was asked before it has nothing to do. */
static bool take_over(co_dtls *t)
{
        co_peer *old = t->peer;
        co_end *e = old->end;
        co_addr addr = old->addr;
        co_from from = old->from;
        co_peer *p;

        old->dtls->rival = NULL;
        peer_drop(old, CO_CLOSED);
        p = peer_new_unproven(e, &addr, &from);
        if (!p) {
                session_free(t);
                return false;
        }
        t->peer = p;
        p->dtls = t;
        return true;
}

/* It has proved itself.  NULL: it is no more. */
static co_dtls *came_up(co_dtls *t)
{
        co_peer *p;
        co_end *e = t->peer->end;

        loop_timer_stop(&t->timer);
        unlist_unproven(t);
        t->up = true;
        if (!learn_identity(t)) {
                fail(t);
                return NULL;
        }
        if (t->peer->dtls != t && !take_over(t))
                return NULL;
        p = t->peer;
        if (!p->proven && !peer_prove(p)) {
                give_up(t, CO_CLOSED);
                return NULL;
        }
        t->told = true;
        e->counts.secured++;
        peer_hold(p);
        if (e->set.app && e->set.app->secured)
                e->set.app->secured(e->set.ctx, p, true);
        if (!p->dead)
                ask_pump(p);
        if (p->dead)
                t = NULL;
        peer_let(p);
        return t;
}

/* Goes on with it.  NULL: it is no more. */
static co_dtls *handshake(co_dtls *t)
{
        odm_time next;
        int rc;

        do
                rc = gnutls_handshake(t->s);
        while (rc == GNUTLS_E_INTERRUPTED || rc == GNUTLS_E_WARNING_ALERT_RECEIVED);
        if (rc == 0)
                return came_up(t);
        next = odm_time_add(loop_now(), (int64_t)gnutls_dtls_get_timeout(t->s) + 1);
        if (t->due.ms < next.ms)
                next = t->due;
        if (rc != GNUTLS_E_AGAIN && gnutls_error_is_fatal(rc))
                (void)gnutls_alert_send_appropriate(t->s, rc);
        else if (!odm_time_reached(loop_now(), t->due) &&
                 loop_timer_set(t->peer->end->loop, &t->timer, next) == 0)
                return t;
        fail(t);
        return NULL;
}

int dtls_begin(co_peer *p)
{
        p->dtls = session_new(p);
        if (!p->dtls)
                return ODM_ENOMEM;
        /* Not from within the caller's call: it may end at once. */
        return loop_timer_set(p->end->loop, &p->dtls->timer, loop_now());
}

/* ---- in and out --------------------------------------------------------------------------------------------------- */

void dtls_send(co_peer *p, const uint8_t *d, size_t n)
{
        if (p->dtls->up)
                (void)gnutls_record_send(p->dtls->s, d, n); /* what fails is as good as lost */
}

/* Everything in the datagram that is application data. */
static void read_records(co_peer *p)
{
        char buf[CO_DATAGRAM];

        while (!p->dead && p->dtls) {
                ssize_t n = gnutls_record_recv(p->dtls->s, buf, sizeof buf);

                if (n > 0) {
                        peer_datagram(p, (odm_str){buf, (size_t)n});
                } else if (n == 0 || (n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED &&
                                      gnutls_error_is_fatal((int)n))) {
                        p->dtls->up = false; /* it has ended already */
                        peer_drop(p, CO_CLOSED);
                } else if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_REHANDSHAKE) {
                        return;
                }
        }
}

static void feed(co_dtls *t, odm_str d)
{
        co_peer *was = t->peer, *p;

        peer_hold(was);
        t->in = d.p;
        t->in_n = d.n;
        if (!t->up)
                t = handshake(t);
        if (t) {
                p = t->peer;
                peer_hold(p);
                if (t->up)
                        read_records(p);
                if (!p->dead)
                        t->in = NULL;
                peer_let(p);
        }
        peer_let(was);
}

/* A ClientHello of epoch 0: someone begins. */
static bool is_hello(odm_str d)
{
        return d.n > 14 && d.p[0] == 22 && d.p[3] == 0 && d.p[4] == 0 && d.p[13] == 1;
}

/* By its random, which is another one each time that somebody begins. */
static uint64_t hello_of(odm_str d)
{
        size_t at = 13 + 12 + 2, n = 32; /* headers of record and handshake, version */

        return d.n >= at + n ? co_hash(CO_HASH, d.p + at, n) : 0;
}

/* Without memory for a new secret the old one stays. */
static void age_cookies(co_dtls_end *l)
{
        gnutls_datum_t fresh = {NULL, 0};
        int64_t age = loop_now().ms - l->cookie_at.ms;

        if (age < COOKIE_MS || gnutls_key_generate(&fresh, GNUTLS_COOKIE_KEY_SIZE) < 0)
                return;
        secret_free(&l->cookie[1]);
        if (age < 2 * COOKIE_MS)
                l->cookie[1] = l->cookie[0];
        else
                secret_free(&l->cookie[0]);
        l->cookie[0] = fresh;
        l->cookie_at = loop_now();
}

/* Whether it has the cookie that was given to its address; if not, that is sent. */
static bool has_cookie(co_end *e, const co_addr *from, const co_from *at, odm_str d,
                       gnutls_dtls_prestate_st *state)
{
        destination to = {e, from, at};
        co_addr key = *from;

        age_cookies(e->dtls);
        for (size_t i = 0; i < 2 && e->dtls->cookie[i].data; i++) {
                memset(state, 0, sizeof *state);
                if (gnutls_dtls_cookie_verify(&e->dtls->cookie[i], &key, key.n, (void *)d.p, d.n,
                                              state) >= 0)
                        return true;
        }
        (void)gnutls_dtls_cookie_send(&e->dtls->cookie[0], &key, key.n, state, &to, push_cookie);
        return false;
}

static bool same_host(const co_addr *a, const co_addr *b)
{
        if (a->sa.sa_family != b->sa.sa_family)
                return false;
        if (a->sa.sa_family == AF_INET)
                return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
        return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

/* Room for one more handshake: the oldest goes, and of a crowd from one address the oldest of
 * that. */
static void make_way(co_end *e, const co_addr *from)
{
        co_dtls_end *l = e->dtls;
        co_dtls *own = NULL;
        size_t n = 0;

        if (l->n < e->set.handshakes_max)
                return;
        for (co_dtls *t = l->newest; t; t = t->older)
                if (same_host(&t->peer->addr, from)) {
                        own = t;
                        n++;
                }
        e->counts.refused++;
        give_up(own && n >= e->set.handshakes_max / CROWD ? own : l->oldest, CO_CLOSED);
}

/* The handshake of a peer that is under way. */
static co_dtls *unproven_of(const co_peer *p)
{
        if (!p || !p->dtls)
                return NULL;
        return p->dtls->up ? p->dtls->rival : p->dtls;
}

static void on_hello(co_end *e, const co_addr *from, const co_from *at, odm_str d)
{
        gnutls_dtls_prestate_st state;
        co_peer *p = peer_find(e, from);
        co_dtls *t = unproven_of(p);

        if (!has_cookie(e, from, at, d, &state))
                return;
        if (t && t->hello == hello_of(d)) { /* it came twice */
                feed(t, d);
                return;
        }
        if (t)
                give_up(t, CO_CLOSED);
        make_way(e, from);
        p = peer_find(e, from);
        if (!p && !(p = peer_new_unproven(e, from, at)))
                return;
        t = session_new(p);
        if (!t) {
                if (!p->dtls)
                        peer_drop(p, CO_UNREACHABLE);
                return;
        }
        *(p->dtls ? &p->dtls->rival : &p->dtls) = t;
        t->hello = hello_of(d);
        list_unproven(t);
        gnutls_dtls_prestate_set(t->s, &state);
        feed(t, d);
}

/* Whose record it is: a handshake's, which are all but application data and alerts of a session. */
static co_dtls *session_of(const co_peer *p, odm_str d)
{
        bool plain = d.n > 4 && d.p[3] == 0 && d.p[4] == 0; /* of epoch 0 */

        if (!p->dtls->rival || (!plain && d.p[0] != 20 && d.p[0] != 22))
                return p->dtls;
        return p->dtls->rival;
}

void dtls_datagram(co_end *e, const co_addr *from, const co_from *at, odm_str d)
{
        const co_peer *p;

        if (is_hello(d) && !e->set.client) {
                on_hello(e, from, at, d);
                return;
        }
        p = peer_find(e, from);
        if (p && p->dtls)
                feed(session_of(p, d), d);
        else
                e->counts.refused++;
}
