/* SPDX-License-Identifier: Apache-2.0 */
/* cert.c - certificates for development and tests; see cert.h. */
#include "cert.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "fsio.h"
#include "heap.h"
#include "net.h"
#include "rand.h"

typedef struct pair {
        gnutls_x509_crt_t crt;
        gnutls_x509_privkey_t key;
} pair;

static int pair_init(pair *p)
{
        *p = (pair){NULL, NULL};
        if (gnutls_x509_crt_init(&p->crt) < 0 || gnutls_x509_privkey_init(&p->key) < 0)
                return ODM_ENOMEM;
        return 0;
}

static void pair_done(pair *p)
{
        if (p->crt)
                gnutls_x509_crt_deinit(p->crt);
        if (p->key)
                gnutls_x509_privkey_deinit(p->key);
}

/* What every certificate of ours has. */
static int fill_common(pair *p, const char *name, unsigned days)
{
        uint8_t serial[16];
        time_t now = time(NULL);

        rand_bytes(serial, sizeof serial);
        serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
        if (gnutls_x509_privkey_generate(p->key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0 ||
            gnutls_x509_crt_set_version(p->crt, 3) < 0 ||
            gnutls_x509_crt_set_serial(p->crt, serial, sizeof serial) < 0 ||
            gnutls_x509_crt_set_activation_time(p->crt, now - 3600) < 0 ||
            gnutls_x509_crt_set_expiration_time(p->crt, now + (time_t)days * 86400) < 0 ||
            gnutls_x509_crt_set_key(p->crt, p->key) < 0 ||
            gnutls_x509_crt_set_dn_by_oid(p->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)strlen(name)) < 0)
                return ODM_EIO;
        return 0;
}

static int set_key_id(pair *p)
{
        uint8_t id[64];
        size_t n = sizeof id;

        if (gnutls_x509_crt_get_key_id(p->crt, 0, id, &n) < 0 ||
            gnutls_x509_crt_set_subject_key_id(p->crt, id, n) < 0)
                return ODM_EIO;
        return 0;
}

static int write_pair(const pair *p, const char *cert_path, const char *key_path, diag *d)
{
        gnutls_datum_t crt = {NULL, 0}, key = {NULL, 0};
        int rc = ODM_ENOMEM;

        if (gnutls_x509_crt_export2(p->crt, GNUTLS_X509_FMT_PEM, &crt) < 0 ||
            gnutls_x509_privkey_export2_pkcs8(p->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                              &key) < 0)
                goto out;
        rc = fsio_write(NULL, key_path, (odm_str){(char *)key.data, key.size}, 0600, d);
        if (rc == 0)
                rc = fsio_write(NULL, cert_path, (odm_str){(char *)crt.data, crt.size}, 0644, d);
out:
        if (key.data)
                odm_wipe(key.data, key.size);
        gnutls_free(key.data);
        gnutls_free(crt.data);
        return rc;
}

int cert_make_ca(const char *name, unsigned days, const char *cert_path, const char *key_path,
                 diag *d)
{
        pair ca;
        int rc = pair_init(&ca);

        if (rc == 0)
                rc = fill_common(&ca, name, days);
        if (rc == 0)
                rc = set_key_id(&ca);
        if (rc == 0 && (gnutls_x509_crt_set_basic_constraints(ca.crt, 1, 0) < 0 ||
                        gnutls_x509_crt_set_key_usage(ca.crt, GNUTLS_KEY_KEY_CERT_SIGN |
                                                                      GNUTLS_KEY_CRL_SIGN) < 0 ||
                        gnutls_x509_crt_sign2(ca.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0) < 0))
                rc = ODM_EIO;
        if (rc < 0)
                diag_set(d, rc, "the CA '%s' cannot be made", name);
        else
                rc = write_pair(&ca, cert_path, key_path, d);
        pair_done(&ca);
        return rc;
}

static int read_pem(const char *path, odm_buf *b, gnutls_datum_t *out, diag *d)
{
        int rc = fsio_read(path, 1u << 16, b, d);

        if (rc == 0)
                *out = (gnutls_datum_t){(unsigned char *)b->p, (unsigned)b->n};
        return rc;
}

int cert_end(const char *path, odm_wall *out, diag *d)
{
        gnutls_x509_crt_t crt = NULL;
        gnutls_datum_t pem;
        odm_buf b;
        time_t end = -1;
        int rc;

        odm_buf_init(&b, &heap_mem, 1u << 16);
        rc = read_pem(path, &b, &pem, d);
        if (rc == 0 && gnutls_x509_crt_init(&crt) < 0)
                rc = diag_set(d, ODM_ENOMEM, "out of memory");
        if (rc == 0 && gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) == 0)
                end = gnutls_x509_crt_get_expiration_time(crt);
        if (rc == 0 && end == (time_t)-1)
                rc = diag_set(d, ODM_EMALFORMED, "%s is no certificate", path);
        if (crt)
                gnutls_x509_crt_deinit(crt);
        odm_buf_done(&b);
        if (rc == 0)
                out->s = end;
        return rc;
}

static int load_ca(const char *cert_path, const char *key_path, pair *ca, diag *d)
{
        gnutls_datum_t pem;
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, 1u << 17);
        rc = read_pem(cert_path, &b, &pem, d);
        if (rc == 0 && gnutls_x509_crt_import(ca->crt, &pem, GNUTLS_X509_FMT_PEM) < 0)
                rc = diag_set(d, ODM_EIO, "%s is no certificate", cert_path);
        odm_buf_cut(&b, 0);
        if (rc == 0)
                rc = read_pem(key_path, &b, &pem, d);
        if (rc == 0 && gnutls_x509_privkey_import2(ca->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
                rc = diag_set(d, ODM_EIO, "%s is no private key", key_path);
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        net_addr a;

        if (net_addr_parse(name, 0, &a) < 0 || !*name)
                return gnutls_x509_crt_set_subject_alt_name(
                        crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
        memcpy(&v4, &a.sa, sizeof v4);
        memcpy(&v6, &a.sa, sizeof v6);
        if (a.sa.ss_family == AF_INET)
                return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &v4.sin_addr,
                                                            4, GNUTLS_FSAN_APPEND);
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &v6.sin6_addr, 16,
                                                    GNUTLS_FSAN_APPEND);
}

static int fill_leaf(pair *p, const cert_request *r)
{
        int rc = fill_common(p, r->common_name, r->days);

        if (rc == 0)
                rc = set_key_id(p);
        for (size_t i = 0; rc == 0 && r->names && r->names[i]; i++)
                rc = add_name(p->crt, r->names[i]) < 0 ? ODM_EIO : 0;
        if (rc < 0)
                return rc;
        if (gnutls_x509_crt_set_basic_constraints(p->crt, 0, -1) < 0 ||
            gnutls_x509_crt_set_key_usage(p->crt, GNUTLS_KEY_DIGITAL_SIGNATURE) < 0)
                return ODM_EIO;
        if (r->server &&
            gnutls_x509_crt_set_key_purpose_oid(p->crt, GNUTLS_KP_TLS_WWW_SERVER, 0) < 0)
                return ODM_EIO;
        if (r->client &&
            gnutls_x509_crt_set_key_purpose_oid(p->crt, GNUTLS_KP_TLS_WWW_CLIENT, 0) < 0)
                return ODM_EIO;
        return 0;
}

int cert_make(const cert_request *r, const char *ca_cert_path, const char *ca_key_path,
              const char *cert_path, const char *key_path, diag *d)
{
        pair ca = {NULL, NULL}, leaf = {NULL, NULL};
        int rc = pair_init(&ca);

        if (rc == 0)
                rc = pair_init(&leaf);
        if (rc == 0)
                rc = load_ca(ca_cert_path, ca_key_path, &ca, d);
        if (rc < 0)
                goto out;
        rc = fill_leaf(&leaf, r);
        if (rc == 0 && gnutls_x509_crt_sign2(leaf.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0) < 0)
                rc = ODM_EIO;
        if (rc < 0)
                diag_set(d, rc, "the certificate for '%s' cannot be made", r->common_name);
        else
                rc = write_pair(&leaf, cert_path, key_path, d);
out:
        pair_done(&leaf);
        pair_done(&ca);
        return rc;
}
