/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS over GnuTLS; see tls.h. */
#include "tls.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsio.h"
#include "heap.h"
#include "net.h"

/* The server's order wins: X25519 and AES-128 with SHA-256, which processors have instructions for;
 * a session with SHA-384 and P-256 costs a third more.  The rest of what GnuTLS thinks well of
 * follows. */
const char tls_priorities[] =
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"
        ":-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:+AES-128-CCM:+AES-256-CCM"
        ":+AES-128-CBC:+AES-256-CBC"
        ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
        ":+GROUP-X448:+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096";

#define TICKET_KEY 64 /* octets; GnuTLS takes no others, and then gives no tickets */

/* ---- credentials -------------------------------------------------------------- */

struct tls_cred {
        gnutls_certificate_credentials_t x509;
        gnutls_priority_t priority;
};

static int file_failed(diag *d, const char *what, const char *file, int grc)
{
        int rc = grc == GNUTLS_E_MEMORY_ERROR ? ODM_ENOMEM
                 : grc == GNUTLS_E_FILE_ERROR ? ODM_EIO
                                              : ODM_EMALFORMED;

        return diag_set(d, rc, "%s %s: %s", what, file, gnutls_strerror(grc));
}

static int load_trust(tls_cred *c, const tls_cred_opt *opt, diag *d)
{
        int n;

        if (!opt->ca_file) {
                /* a machine without them trusts nobody, and each handshake says so */
                (void)gnutls_certificate_set_x509_system_trust(c->x509);
                return 0;
        }
        n = gnutls_certificate_set_x509_trust_file(c->x509, opt->ca_file, GNUTLS_X509_FMT_PEM);
        if (n < 0)
                return file_failed(d, "CA file", opt->ca_file, n);
        if (n == 0)
                return diag_set(d, ODM_EMALFORMED, "CA file %s holds no certificate", opt->ca_file);
        return 0;
}

static int load_own(tls_cred *c, const tls_cred_opt *opt, diag *d)
{
        const char *key = opt->key_file ? opt->key_file : opt->cert_file;
        int rc;

        if (opt->crl_file) {
                rc = gnutls_certificate_set_x509_crl_file(c->x509, opt->crl_file,
                                                          GNUTLS_X509_FMT_PEM);
                if (rc < 0)
                        return file_failed(d, "revocation list", opt->crl_file, rc);
        }
        if (!opt->cert_file)
                return 0;
        rc = gnutls_certificate_set_x509_key_file(c->x509, opt->cert_file, key,
                                                  GNUTLS_X509_FMT_PEM);
        return rc < 0 ? file_failed(d, "certificate", opt->cert_file, rc) : 0;
}

int tls_cred_new(const tls_cred_opt *opt, tls_cred **out, diag *d)
{
        tls_cred *c = calloc(1, sizeof *c);
        int rc = ODM_ENOMEM;

        if (!c || gnutls_certificate_allocate_credentials(&c->x509) < 0)
                goto out;
        if (gnutls_priority_init(&c->priority, tls_priorities, NULL) < 0)
                goto out;
        rc = load_trust(c, opt, d);
        if (rc == 0)
                rc = load_own(c, opt, d);
out:
        if (rc < 0)
                tls_cred_free(c);
        else
                *out = c;
        return rc;
}

void tls_cred_free(tls_cred *c)
{
        if (!c)
                return;
        if (c->priority)
                gnutls_priority_deinit(c->priority);
        if (c->x509)
                gnutls_certificate_free_credentials(c->x509);
        free(c);
}

/* ---- client connections ---------------------------------------------------------- */

struct tls_conn {
        gnutls_session_t s;
        char host[256]; /* GnuTLS borrows it for the verification */
};

void tls_resume_done(tls_resume *r)
{
        if (r->p)
                odm_wipe(r->p, r->n);
        free(r->p);
        *r = (tls_resume){0};
}

static bool is_address(const char *host)
{
        net_addr a;

        return net_addr_parse(host, 0, &a) == 0;
}

int tls_conn_new(const tls_cred *cred, int fd, const char *host, const tls_resume *resume,
                 tls_conn **out)
{
        tls_conn *c = calloc(1, sizeof *c);
        int rc = ODM_ENOMEM;

        if (!c || gnutls_init(&c->s, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
                goto out;
        rc = ODM_EIO;
        snprintf(c->host, sizeof c->host, "%s", host);
        if (!is_address(host) &&
            gnutls_server_name_set(c->s, GNUTLS_NAME_DNS, c->host, strlen(c->host)) < 0)
                goto out;
        if (gnutls_priority_set(c->s, cred->priority) < 0 ||
            gnutls_credentials_set(c->s, GNUTLS_CRD_CERTIFICATE, cred->x509) < 0)
                goto out;
        gnutls_session_set_verify_cert(c->s, c->host, 0);
        gnutls_transport_set_int(c->s, fd);
        gnutls_handshake_set_timeout(c->s, 0); /* the caller's timer does it */
        if (resume && resume->p)               /* stale data only costs a full handshake */
                (void)gnutls_session_set_data(c->s, resume->p, resume->n);
        rc = 0;
out:
        if (rc < 0)
                tls_conn_free(c);
        else
                *out = c;
        return rc;
}

void tls_conn_free(tls_conn *c)
{
        if (!c)
                return;
        if (c->s)
                gnutls_deinit(c->s);
        free(c);
}

static int again(const tls_conn *c)
{
        return gnutls_record_get_direction(c->s) ? TLS_AGAIN_WRITE : TLS_AGAIN_READ;
}

static int untrusted(const tls_conn *c, diag *d)
{
        unsigned status = gnutls_session_get_verify_cert_status(c->s);
        gnutls_datum_t text = {NULL, 0};

        if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
                return diag_set(d, ODM_EACCESS, "the certificate of %s is not trusted", c->host);
        diag_set(d, 0, "certificate of %s: %s", c->host, (const char *)text.data);
        gnutls_free(text.data);
        return ODM_EACCESS;
}

static int failed(const tls_conn *c, int grc, diag *d)
{
        if (grc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
                return untrusted(c, d);
        if (grc == GNUTLS_E_FATAL_ALERT_RECEIVED || grc == GNUTLS_E_WARNING_ALERT_RECEIVED)
                return diag_set(d, ODM_EIO, "TLS: %s sent the alert: %s", c->host,
                                gnutls_alert_get_name(gnutls_alert_get(c->s)));
        return diag_set(d, ODM_EIO, "TLS with %s: %s", c->host, gnutls_strerror(grc));
}

int tls_conn_handshake(tls_conn *c, diag *d)
{
        int grc;

        do
                grc = gnutls_handshake(c->s);
        while (grc == GNUTLS_E_INTERRUPTED || grc == GNUTLS_E_WARNING_ALERT_RECEIVED);
        if (grc == GNUTLS_E_AGAIN)
                return again(c);
        return grc < 0 ? failed(c, grc, d) : 0;
}

int tls_conn_read(tls_conn *c, void *p, size_t room, size_t *n, diag *d)
{
        ssize_t got;

        do /* a renegotiation is refused by going on; TLS 1.3 tickets arrive in here */
                got = gnutls_record_recv(c->s, p, room);
        while (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_WARNING_ALERT_RECEIVED ||
               got == GNUTLS_E_REHANDSHAKE);
        if (got == GNUTLS_E_AGAIN)
                return again(c);
        if (got < 0)
                return failed(c, (int)got, d);
        *n = (size_t)got;
        return 0;
}

int tls_conn_write(tls_conn *c, const void *p, size_t len, size_t *n, diag *d)
{
        ssize_t put;

        do
                put = gnutls_record_send(c->s, p, len);
        while (put == GNUTLS_E_INTERRUPTED);
        if (put == GNUTLS_E_AGAIN)
                return again(c);
        if (put < 0)
                return failed(c, (int)put, d);
        *n = (size_t)put;
        return 0;
}

bool tls_conn_pending(const tls_conn *c)
{
        return gnutls_record_check_pending(c->s) > 0;
}

void tls_conn_bye(tls_conn *c)
{
        (void)gnutls_bye(c->s, GNUTLS_SHUT_WR);
}

void tls_conn_save(tls_conn *c, tls_resume *r)
{
        gnutls_datum_t d = {NULL, 0};
        void *copy;

        /* without a ticket GnuTLS would wait for one here */
        if (!(gnutls_session_get_flags(c->s) & GNUTLS_SFLAGS_SESSION_TICKET) ||
            gnutls_session_get_data2(c->s, &d) < 0)
                return;
        copy = malloc(d.size);
        if (copy) {
                memcpy(copy, d.data, d.size);
                tls_resume_done(r);
                r->p = copy;
                r->n = d.size;
        }
        odm_wipe(d.data, d.size);
        gnutls_free(d.data);
}

bool tls_conn_resumed(const tls_conn *c)
{
        return gnutls_session_is_resumed(c->s) != 0;
}

/* ---- server half -------------------------------------------------------------------- */

static int ticket_key_make(const char *path, tls_ticket_key *out, diag *d)
{
        gnutls_datum_t k = {NULL, 0};
        int rc;

        if (gnutls_session_ticket_key_generate(&k) < 0)
                return diag_set(d, ODM_ENOMEM, "no key for session tickets can be made");
        rc = fsio_write(NULL, path, (odm_str){(const char *)k.data, k.size}, 0600, d);
        if (rc == 0)
                out->d = k;
        else
                gnutls_free(k.data);
        return rc;
}

static int ticket_key_read(const char *path, tls_ticket_key *out, diag *d)
{
        unsigned char *copy = NULL;
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, (size_t)2 * TICKET_KEY);
        rc = fsio_read(path, TICKET_KEY, &b, d);
        if (rc == ODM_ELIMIT || (rc == 0 && b.n != TICKET_KEY))
                rc = diag_set(d, ODM_EMALFORMED, "%s is no ticket key: that has %d octets", path,
                              TICKET_KEY);
        if (rc == 0 && !(copy = gnutls_malloc(b.n)))
                rc = diag_set(d, ODM_ENOMEM, "%s: out of memory", path);
        if (rc == 0 && copy) {
                memcpy(copy, b.p, b.n);
                out->d = (gnutls_datum_t){copy, (unsigned)b.n};
        }
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

int tls_ticket_key_load(const char *path, tls_ticket_key *out, diag *d)
{
        struct stat st;

        if (stat(path, &st) < 0) {
                if (errno == ENOENT)
                        return ticket_key_make(path, out, d);
                return diag_set(d, ODM_EIO, "%s: %s", path, strerror(errno));
        }
        if (st.st_mode & 077) /* whoever reads it reads every session */
                return diag_set(d, ODM_EACCESS, "%s may be read by others; its mode must be 0600",
                                path);
        return ticket_key_read(path, out, d);
}

void tls_ticket_key_done(tls_ticket_key *k)
{
        if (k->d.data)
                odm_wipe(k->d.data, k->d.size);
        gnutls_free(k->d.data);
        *k = (tls_ticket_key){{NULL, 0}};
}

static void describe(const gnutls_datum_t *der, tls_peer *out)
{
        gnutls_x509_crt_t crt;
        uint8_t h[32];
        size_t n = sizeof out->subject;

        if (gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, h) == 0)
                for (size_t i = 0; i < sizeof h; i++)
                        snprintf(out->sha256 + 2 * i, 3, "%02x", h[i]);
        if (gnutls_x509_crt_init(&crt) < 0)
                return;
        if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
                if (gnutls_x509_crt_get_dn(crt, out->subject, &n) < 0)
                        out->subject[0] = 0;
                n = sizeof out->common_name;
                if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                                  out->common_name, &n) < 0)
                        out->common_name[0] = 0;
        }
        gnutls_x509_crt_deinit(crt);
}

void tls_peer_of(gnutls_session_t s, bool verify, tls_peer *out)
{
        unsigned n = 0, status = ~0u;
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(s, &n);

        *out = (tls_peer){0};
        if (!chain || n == 0)
                return;
        out->present = true;
        describe(&chain[0], out);
        out->verified = verify && gnutls_certificate_verify_peers2(s, &status) == 0 && status == 0;
}
