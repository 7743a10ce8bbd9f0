/* SPDX-License-Identifier: Apache-2.0 */
/* coap_dtls.c - DTLS 1.2 under CoAP, by GnuTLS: one session a peer, all over the end's socket.
 *
 * A server keeps nothing of a stranger until its cookie has come back (RFC 6347 4.2.1).  A client
 * that begins anew from an address with a session (it restarted) replaces that session, once its
 * cookie is good (4.2.8). */
#include <errno.h>
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "coap_inner.h"

#define MTU 1400
#define HANDSHAKE_MS 30000
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
        gnutls_datum_t cookie;
};

struct co_dtls {
        gnutls_session_t s;
        co_peer *peer;
        const char *in; /* the datagram that is being read */
        size_t in_n;
        bool up, told;
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
            gnutls_key_generate(&t->cookie, GNUTLS_COOKIE_KEY_SIZE) < 0)
                return ODM_ENOMEM;
        if (psk)
                rc = s->client ? client_psk(t, s) : server_psk(t);
        if (rc == 0 && s->security == CO_CERT)
                rc = certificates(t, s, d);
        return rc;
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
        if (t->cookie.data) {
                odm_wipe(t->cookie.data, t->cookie.size);
                gnutls_free(t->cookie.data);
        }
        free(t);
}

/* ---- sessions ------------------------------------------------------------------------------------------------- */

static void handshake(co_dtls *t);

static void on_timer(void *ctx)
{
        handshake(ctx);
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

static int session_new(co_peer *p)
{
        co_end *e = p->end;
        co_dtls *t = calloc(1, sizeof *t);
        unsigned side = e->set.client ? GNUTLS_CLIENT : GNUTLS_SERVER;

        if (!t)
                return ODM_ENOMEM;
        if (gnutls_init(&t->s, side | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK) < 0 ||
            credentials(t, e->dtls) < 0) {
                if (t->s)
                        gnutls_deinit(t->s);
                free(t);
                return ODM_ENOMEM;
        }
        t->peer = p;
        t->timer = (loop_timer){.fn = on_timer, .ctx = t};
        gnutls_session_set_ptr(t->s, t);
        gnutls_transport_set_ptr(t->s, t);
        gnutls_transport_set_push_function(t->s, push);
        gnutls_transport_set_pull_function(t->s, pull);
        gnutls_transport_set_pull_timeout_function(t->s, pull_wait);
        gnutls_dtls_set_mtu(t->s, MTU);
        gnutls_dtls_set_timeouts(t->s, RESEND_MS, HANDSHAKE_MS);
        if (e->dtls->cert && !e->set.client)
                gnutls_certificate_server_set_request(
                        t->s, e->dtls->psk_server ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_REQUIRE);
        p->dtls = t;
        return 0;
}

void dtls_end(co_peer *p)
{
        co_dtls *t = p->dtls;
        co_end *e = p->end;

        if (!t)
                return;
        loop_timer_stop(&t->timer);
        t->in = NULL;
        if (t->up)
                (void)gnutls_bye(t->s, GNUTLS_SHUT_WR);
        if (t->told) {
                e->counts.secured--;
                if (e->set.app && e->set.app->secured)
                        e->set.app->secured(e->set.ctx, p, false);
        }
        p->dtls = NULL;
        gnutls_deinit(t->s);
        free(t);
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

static void fail(co_dtls *t)
{
        t->peer->end->counts.refused++;
        peer_drop(t->peer, CO_UNREACHABLE);
}

static void came_up(co_dtls *t)
{
        co_peer *p = t->peer;
        co_end *e = p->end;

        loop_timer_stop(&t->timer);
        t->up = true;
        if (!learn_identity(t)) {
                fail(t);
                return;
        }
        t->told = true;
        e->counts.secured++;
        if (e->set.app && e->set.app->secured)
                e->set.app->secured(e->set.ctx, p, true);
        if (!p->dead)
                ask_pump(p);
}

static void handshake(co_dtls *t)
{
        co_peer *p = t->peer;
        int rc;

        peer_hold(p);
        do
                rc = gnutls_handshake(t->s);
        while (rc == GNUTLS_E_INTERRUPTED || rc == GNUTLS_E_WARNING_ALERT_RECEIVED);
        if (rc == 0) {
                came_up(t);
        } else if (rc != GNUTLS_E_AGAIN && gnutls_error_is_fatal(rc)) {
                (void)gnutls_alert_send_appropriate(t->s, rc);
                fail(t);
        } else if (loop_timer_set(p->end->loop, &t->timer,
                                  odm_time_add(loop_now(),
                                               (int64_t)gnutls_dtls_get_timeout(t->s) + 1)) < 0) {
                fail(t);
        }
        peer_let(p);
}

int dtls_begin(co_peer *p)
{
        int rc = session_new(p);

        if (rc < 0)
                return rc;
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

static void feed(co_peer *p, odm_str d)
{
        peer_hold(p);
        p->dtls->in = d.p;
        p->dtls->in_n = d.n;
        if (!p->dtls->up)
                handshake(p->dtls);
        if (!p->dead && p->dtls && p->dtls->up)
                read_records(p);
        if (p->dtls)
                p->dtls->in = NULL;
        peer_let(p);
}

/* A ClientHello of epoch 0: someone begins. */
static bool is_hello(odm_str d)
{
        return d.n > 14 && d.p[0] == 22 && d.p[3] == 0 && d.p[4] == 0 && d.p[13] == 1;
}

static void on_hello(co_end *e, const co_addr *from, const co_from *at, odm_str d, co_peer *old)
{
        gnutls_dtls_prestate_st state;
        destination to = {e, from, at};
        co_addr key = *from;
        co_peer *p;

        memset(&state, 0, sizeof state);
        if (gnutls_dtls_cookie_verify(&e->dtls->cookie, &key, key.n, (void *)d.p, d.n, &state) <
            0) {
                gnutls_dtls_cookie_send(&e->dtls->cookie, &key, key.n, &state, &to, push_cookie);
                return;
        }
        if (old)
                peer_drop(old, CO_CLOSED);
        p = peer_new(e, from, at);
        if (!p)
                return;
        if (session_new(p) < 0) {
                peer_drop(p, CO_UNREACHABLE);
                return;
        }
        gnutls_dtls_prestate_set(p->dtls->s, &state);
        feed(p, d);
}

void dtls_datagram(co_end *e, const co_addr *from, const co_from *at, odm_str d)
{
        co_peer *p = peer_find(e, from);

        if (is_hello(d) && !e->set.client && (!p || !p->dtls || p->dtls->up))
                on_hello(e, from, at, d, p);
        else if (p && p->dtls)
                feed(p, d);
        else
                e->counts.refused++;
}
