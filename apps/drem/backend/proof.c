/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and signatures of packages, by GnuTLS.  A package is mapped, not read into memory: it may
 * be larger than what the device has. */
#include "proof.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/pkcs7.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX 65536
#define HASH 32
#define STRIDE (1u << 20) /* octets hashed between two looks at the mapping */

typedef struct package {
        const char *path;
        gnutls_datum_t data;
        uint8_t hash[HASH];
} package;

static int map(const char *path, gnutls_datum_t *out, diag *d)
{
        struct stat st;
        int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ODM_EIO;
        void *p = MAP_FAILED;

        if (fd < 0 || fstat(fd, &st) < 0) {
                (void)diag_set(d, 0, "%s: %s", path, strerror(errno));
        } else if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > UINT_MAX) {
                (void)diag_set(d, 0, "%s: no file of 1 octet to 4 GB", path);
        } else {
                p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
                if (p == MAP_FAILED)
                        (void)diag_set(d, 0, "%s: %s", path, strerror(errno));
        }
        if (p != MAP_FAILED) {
                *out = (gnutls_datum_t){p, (unsigned)st.st_size};
                rc = 0;
        }
        if (fd >= 0)
                close(fd);
        return rc;
}

static void unmap(gnutls_datum_t *d)
{
        if (d->data)
                munmap(d->data, d->size);
}

static int digest(package *p)
{
        gnutls_hash_hd_t h;
        int rc = 0;

        if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
                return ODM_ENOMEM;
        for (size_t at = 0; at < p->data.size; at += STRIDE) {
                size_t n = p->data.size - at;
                if (gnutls_hash(h, p->data.data + at, n < STRIDE ? n : STRIDE) < 0)
                        rc = ODM_EIO;
        }
        gnutls_hash_deinit(h, p->hash);
        return rc;
}

static int package_open(package *p, diag *d)
{
        int rc = map(p->path, &p->data, d);

        return rc < 0 ? rc : digest(p);
}

static void hex(const uint8_t *p, char out[65])
{
        for (size_t i = 0; i < HASH; i++)
                snprintf(out + 2 * i, 3, "%02x", p[i]);
}

int proof_hash(const char *path, char out[65], diag *d)
{
        package p = {.path = path};
        int rc = package_open(&p, d);

        if (rc == 0)
                hex(p.hash, out);
        unmap(&p.data);
        return rc;
}

int proof_hash_of(odm_str data, char out[65])
{
        uint8_t hash[HASH];

        if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data.p, data.n, hash) < 0)
                return ODM_EIO;
        hex(hash, out);
        return 0;
}

/* ---- keys ------------------------------------------------------------------------------- */

static bool has_suffix(const char *name, const char *suffix)
{
        size_t n = strlen(name), m = strlen(suffix);

        return n > m && strcmp(name + n - m, suffix) == 0;
}

/* Calls fn for each file of the folder with this suffix, or for the one of `key` alone, until it
 * says true. */
static bool any_key(const char *folder, odm_str key, const char *suffix,
                    bool (*fn)(const char *path, void *ctx), void *ctx)
{
        DIR *dir = folder ? opendir(folder) : NULL;
        const struct dirent *e;
        char path[PATH_MAX];
        bool found = false;

        while (dir && !found && (e = readdir(dir)) != NULL) {
                odm_str name = odm_cstr(e->d_name);
                if (e->d_name[0] == '.' || !has_suffix(e->d_name, suffix) ||
                    (key.n && !odm_str_eq(odm_str_to(name, name.n - strlen(suffix)), key)) ||
                    snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path)
                        continue;
                found = fn(path, ctx);
        }
        if (dir)
                closedir(dir);
        return found;
}

typedef struct question {
        const package *package;
        gnutls_datum_t signature;
} question;

static bool is_ed25519_of(const char *path, void *ctx)
{
        const question *q = ctx;
        const gnutls_datum_t hash = {(unsigned char *)q->package->hash, HASH};
        gnutls_datum_t pem = {NULL, 0};
        gnutls_pubkey_t key = NULL;
        bool ok = false;

        if (gnutls_load_file(path, &pem) == 0 && pem.size <= KEY_MAX &&
            gnutls_pubkey_init(&key) == 0 &&
            gnutls_pubkey_import(key, &pem, GNUTLS_X509_FMT_PEM) == 0)
                ok = gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &hash,
                                                &q->signature) >= 0;
        if (key)
                gnutls_pubkey_deinit(key);
        gnutls_free(pem.data);
        return ok;
}

static bool is_cms_of(const char *path, void *ctx)
{
        const question *q = ctx;
        gnutls_x509_trust_list_t trust = NULL;
        gnutls_pkcs7_t cms = NULL;
        bool ok = false;

        if (gnutls_pkcs7_init(&cms) == 0 &&
            gnutls_pkcs7_import(cms, &q->signature, GNUTLS_X509_FMT_DER) == 0 &&
            gnutls_x509_trust_list_init(&trust, 0) == 0 &&
            gnutls_x509_trust_list_add_trust_file(trust, path, NULL, GNUTLS_X509_FMT_PEM, 0, 0) > 0)
                ok = gnutls_pkcs7_verify(cms, trust, NULL, 0, 0, &q->package->data, 0) >= 0;
        if (trust)
                gnutls_x509_trust_list_deinit(trust, 1);
        if (cms)
                gnutls_pkcs7_deinit(cms);
        return ok;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static odm_task_cause check_hash(const proof *p, const package *k, diag *d)
{
        char have[65];

        if (p->hash_alg.n && !odm_str_ieq(p->hash_alg, "sha-256")) {
                (void)diag_set(d, 0, "the hash is %.*s; only sha-256 is known here",
                               (int)p->hash_alg.n, p->hash_alg.p);
                return ODM_CAUSE_UNSUPPORTED;
        }
        hex(k->hash, have);
        if (p->hash.n == 0 || odm_str_ieq(p->hash, have))
                return ODM_CAUSE_OK;
        (void)diag_set(d, 0, "the package has the SHA-256 %s, not %.*s", have, (int)p->hash.n,
                       p->hash.p);
        return ODM_CAUSE_CORRUPT;
}

static odm_task_cause check_signature(const char *folder, const proof *p, const package *k, diag *d)
{
        question q = {k, {(unsigned char *)p->signature.p, (unsigned)p->signature.n}};
        bool ed = p->sig_alg.n ? odm_str_ieq(p->sig_alg, "ed25519-sha256") : p->signature.n == 64;

        if (p->sig_alg.n && !ed && !odm_str_ieq(p->sig_alg, "cms")) {
                (void)diag_set(d, 0, "the signature is %.*s; ed25519-sha256 and cms are known here",
                               (int)p->sig_alg.n, p->sig_alg.p);
                return ODM_CAUSE_UNSUPPORTED;
        }
        if (p->signature.n == 0 || p->signature.n > PROOF_SIGNATURE_MAX) {
                (void)diag_set(d, 0, "the package has no signature");
                return ODM_CAUSE_UNSIGNED;
        }
        if (ed ? any_key(folder, p->key, ".pub", is_ed25519_of, &q)
               : any_key(folder, p->key, ".ca", is_cms_of, &q))
                return ODM_CAUSE_OK;
        (void)diag_set(d, 0, "the signature is not by %s%.*s of %s",
                       p->key.n ? "the key " : "any key", (int)p->key.n, p->key.p ? p->key.p : "",
                       folder ? folder : "no folder");
        return ODM_CAUSE_UNSIGNED;
}

static odm_task_cause judge(const char *folder, const proof *p, const package *k, diag *d)
{
        odm_task_cause cause = check_hash(p, k, d);

        return cause == ODM_CAUSE_OK ? check_signature(folder, p, k, d) : cause;
}

int proof_check(const char *folder, const proof *p, const char *path, odm_task_cause *out, diag *d)
{
        package k = {.path = path};
        int rc = package_open(&k, d);

        if (rc == 0)
                *out = judge(folder, p, &k, d);
        unmap(&k.data);
        return rc;
}

int proof_check_of(odm_str data, const char *folder, const proof *p, odm_task_cause *out, diag *d)
{
        package k = {.data = {(unsigned char *)data.p, (unsigned)data.n}};
        int rc = data.n > UINT_MAX ? ODM_ELIMIT : digest(&k);

        if (rc == 0)
                *out = folder ? judge(folder, p, &k, d) : check_hash(p, &k, d);
        return rc;
}
