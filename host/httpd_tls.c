/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_tls.c - the certificates of a listener, which may be replaced while it runs: connections
 * keep those they began with. */
#include "httpd_inner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"

#define PEM_MAX ((size_t)1 << 20)

int httpd_pem_read(const char *path, char **out, diag *d)
{
        odm_buf b;
        int rc;

        if (!path)
                return 0;
        odm_buf_init(&b, &heap_mem, PEM_MAX);
        rc = fsio_read(path, PEM_MAX - 1, &b, d);
        if (rc == 0)
                rc = odm_buf_byte(&b, 0);
        if (rc < 0)
                odm_buf_done(&b);
        else
                *out = b.p; /* malloc's, see heap.h */
        return rc;
}

void httpd_pem_free(char *pem)
{
        if (pem)
                odm_wipe(pem, strlen(pem));
        free(pem);
}

void httpd_tls_unref(httpd_tls *t)
{
        if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
                return;
        if (t->cred)
                gnutls_certificate_free_credentials(t->cred);
        tls_ticket_key_done(&t->ticket);
        free(t);
}

static gnutls_datum_t datum(char *pem)
{
        return (gnutls_datum_t){(unsigned char *)pem, (unsigned)strlen(pem)};
}

static int fill(httpd_tls *t, const listener_files *f, char *cert, char *key, char *trust, diag *d)
{
        gnutls_datum_t c, k;
        int rc = gnutls_certificate_allocate_credentials(&t->cred);

        if (rc < 0)
                return ODM_ENOMEM;
        assert(cert && key); /* there is no TLS listener without them */
        c = datum(cert);
        k = datum(key);
        rc = gnutls_certificate_set_x509_key_mem(t->cred, &c, &k, GNUTLS_X509_FMT_PEM);
        if (rc < 0)
                return diag_set(d, ODM_EMALFORMED, "certificate %s: %s", f->cert,
                                gnutls_strerror(rc));
        if (!trust)
                return 0;
        c = datum(trust);
        if (gnutls_certificate_set_x509_trust_mem(t->cred, &c, GNUTLS_X509_FMT_PEM) <= 0)
                return diag_set(d, ODM_EMALFORMED, "CA file %s holds no certificate", f->client_ca);
        return 0;
}

int httpd_tls_load(const listener_files *f, httpd_tls **out, diag *d)
{
        httpd_tls *t = calloc(1, sizeof *t);
        char *cert = NULL, *key = NULL, *trust = NULL;
        int rc;

        if (!t)
                return ODM_ENOMEM;
        atomic_init(&t->refs, 1);
        rc = httpd_pem_read(f->cert, &cert, d);
        if (rc == 0)
                rc = httpd_pem_read(f->key ? f->key : f->cert, &key, d);
        if (rc == 0)
                rc = httpd_pem_read(f->client_ca, &trust, d);
        if (rc == 0)
                rc = fill(t, f, cert, key, trust, d);
        if (rc == 0 && f->ticket)
                rc = tls_ticket_key_load(f->ticket, &t->ticket, d);
        else if (rc == 0 && gnutls_session_ticket_key_generate(&t->ticket.d) < 0)
                rc = ODM_ENOMEM;
        httpd_pem_free(cert);
        httpd_pem_free(key);
        httpd_pem_free(trust);
        if (rc < 0)
                httpd_tls_unref(t);
        else
                *out = t;
        return rc;
}

httpd_tls *httpd_tls_ref(listener *l)
{
        httpd_tls *t;

        pthread_mutex_lock(&l->h->watch);
        t = l->tls;
        atomic_fetch_add(&t->refs, 1);
        pthread_mutex_unlock(&l->h->watch);
        return t;
}

static void replace(listener *l, httpd_tls *fresh)
{
        httpd_tls *old;

        pthread_mutex_lock(&l->h->watch);
        old = l->tls;
        l->tls = fresh;
        pthread_mutex_unlock(&l->h->watch);
        httpd_tls_unref(old);
}

int httpd_reload(httpd *h, diag *d)
{
        httpd_tls **fresh = calloc(h->n, sizeof(httpd_tls *));
        int rc = fresh ? 0 : ODM_ENOMEM;

        for (size_t i = 0; rc == 0 && i < h->n; i++)
                if (h->l[i].opt.tls)
                        rc = httpd_tls_load(&h->l[i].files, &fresh[i], d);
        for (size_t i = 0; fresh && i < h->n; i++) {
                if (rc == 0 && fresh[i])
                        replace(&h->l[i], fresh[i]);
                else
                        httpd_tls_unref(fresh[i]);
        }
        free(fresh);
        return rc;
}
