/* SPDX-License-Identifier: Apache-2.0 */
/* xrem package: what devices are given to install.
 *
 * A content goes and comes in slices, each of which the server has durably before the next one is
 * sent; whatever breaks on the way, it goes on where the server says. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "fields.h"
#include "io.h"
#include "package.h"

#define PACKAGES "/api/v1/packages"
#define SLICE ((size_t)4 << 20)
#define HASH 32
#define TRIES 8      /* in a row that came to nothing */
#define AGAIN_MS 250 /* the wait after the first of them; it doubles */
#define SIGNATURE_MAX ((size_t)32 << 10)

/* ---- which package ------------------------------------------------------------------------ */

static bool is_number(const char *s)
{
        return *s && strspn(s, "0123456789") == strlen(s);
}

/* Those of one name, as an array. */
static int named(xrem *c, const char *name, json_t **out)
{
        xrem_ask ask = {.method = "GET", .path = xrem_query(c, PACKAGES, "name", name)};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);

        if (rc == XREM_OK)
                *out = json_object_get(j, "items");
        return rc;
}

static const json_t *of_version(const json_t *items, const char *version)
{
        for (size_t i = 0; i < json_array_size(items); i++) {
                const json_t *p = json_array_get(items, i);
                if (odm_str_is(xrem_json_str(p, "version"), version))
                        return p;
        }
        return NULL;
}

int xrem_package_find(xrem *c, const char *word, const char **id)
{
        const char *at = strrchr(word, '@');
        const json_t *p;
        json_t *items = NULL;
        int rc;

        if (is_number(word)) {
                *id = word;
                return XREM_OK;
        }
        if (!at || at == word || !at[1])
                return xrem_fail(XREM_USAGE,
                                 "'%s': a package is named by its number, or as "
                                 "NAME@VERSION",
                                 word);
        rc = named(c, xrem_z(c, (odm_str){word, (size_t)(at - word)}), &items);
        if (rc != XREM_OK)
                return rc;
        p = of_version(items, at + 1);
        if (!p)
                return xrem_fail(XREM_NOT_FOUND, "there is no package %s", word);
        *id = xrem_json_z(p, "id");
        return *id ? XREM_OK : xrem_fail(XREM_UNREACHABLE, "the server does not answer as nremd");
}

const char **xrem_package_names(xrem *c, size_t *n)
{
        xrem_ask ask = {.method = "GET", .path = PACKAGES "?limit=1000", .any_status = true};
        json_t *j = NULL;
        int rc = xrem_api(c, &ask, &j);
        const json_t *items = rc == XREM_OK ? json_object_get(j, "items") : NULL;
        const char **names = xrem_new(c, const char *, json_array_size(items) + 1);

        *n = 0;
        for (size_t i = 0; i < json_array_size(items); i++) {
                const json_t *p = json_array_get(items, i);
                if (xrem_json_z(p, "name") && xrem_json_z(p, "version"))
                        names[(*n)++] = xrem_fmt(c, "%s@%s", xrem_json_z(p, "name"),
                                                 xrem_json_z(p, "version"));
        }
        return names;
}

static const char *path_of(xrem *c, const char *id, const char *rest)
{
        return xrem_fmt(c, PACKAGES "/%s%s", xrem_escape(c, id), rest);
}

/* ---- shown ------------------------------------------------------------------------------------ */

static const xrem_field shown[] = {
        {"Package", "id", false},        {"Name", "name", false},
        {"Version", "version", false},   {"Kind", "kind", false},
        {"State", "state", false},       {"Component", "component", false},
        {"File", "file", false},         {"Size", "size", false},
        {"Received", "received", false}, {"SHA-256", "sha256", false},
        {"Type", "media_type", false},   {"URL", "url", false},
        {"Path", "path", false},         {"Signed", "signed", false},
        {"Signed by", "signer", false},  {"Notes", "notes", false},
        {"Made by", "actor", false},     {"Created", "created", true},
        {"Updated", "updated", true},    {"Used by", "users", false},
        {"Fits", "fits", false},
};

/* The conditions as one text, to stand among the other members. */
static void spell_fits(json_t *p)
{
        json_t *fits = json_object_get(p, "fits");
        char *text = fits ? json_dumps(fits, JSON_COMPACT) : NULL;

        if (text)
                xrem_json_set(p, "fits", json_string(text));
        free(text);
}

static void print_device(xrem *c, const json_t *p)
{
        const json_t *d = json_object_get(p, "device");
        odm_str why = xrem_json_str(d, "why"), url = xrem_json_str(d, "url");

        if (!d)
                return;
        printf("\nFor %s: %s%s%s\n", xrem_visible(c, xrem_json_str(d, "name"), false).p,
               json_is_true(json_object_get(d, "fits")) ? "it fits" : "it does not fit",
               why.n ? ", " : "", why.n ? xrem_visible(c, why, false).p : "");
        if (url.n)
                printf("%s\n", xrem_visible(c, url, false).p);
}

static int print_package(xrem *c, json_t *p)
{
        if (c->set.json)
                return xrem_print_json(json_incref(p));
        spell_fits(p);
        xrem_fields_print(c, p, shown, ODM_COUNT(shown));
        print_device(c, p);
        return XREM_OK;
}

int xrem_run_package_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Id", .keep = true}, "id", false, false},
                {{.head = "Name"}, "name", false, false},
                {{.head = "Version"}, "version", false, false},
                {{.head = "Kind", .keep = true}, "kind", false, false},
                {{.head = "State", .keep = true}, "state", false, true},
                {{.head = "Size", .right = true}, "size", false, false},
                {{.head = "Signed by"}, "signer", false, false},
                {{.head = "Used by", .right = true}, "users", false, false},
                {{.head = "Created"}, "created", true, false},
        };
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 0, &limit);

        if (rc == XREM_OK && xrem_value(a, "name"))
                rc = named(c, xrem_value(a, "name"), &items);
        else if (rc == XREM_OK)
                rc = xrem_api_list(c, PACKAGES, limit, &items);
        return rc == XREM_OK ? xrem_list_print(c, items, cols, ODM_COUNT(cols), "no packages") : rc;
}

int xrem_run_package_show(xrem *c, const xrem_args *a)
{
        const char *id = NULL;
        json_t *p = NULL;
        int rc = xrem_package_find(c, a->word[0], &id);

        if (rc == XREM_OK) {
                xrem_ask ask = {.method = "GET",
                                .path = xrem_query(c, path_of(c, id, ""), "device",
                                                   xrem_value(a, "device"))};
                rc = xrem_api(c, &ask, &p);
        }
        return rc == XREM_OK ? print_package(c, p) : rc;
}

int xrem_run_package_remove(xrem *c, const xrem_args *a)
{
        const char *id = NULL;
        int rc = xrem_package_find(c, a->word[0], &id);

        if (rc == XREM_OK) {
                xrem_ask ask = {.method = "DELETE", .path = path_of(c, id, "")};
                rc = xrem_api(c, &ask, NULL);
        }
        return rc;
}

/* ---- progress ----------------------------------------------------------------------------- */

typedef struct meter {
        xrem_progress bar;
        const char *what;
        uint64_t all;
        char text[128];
} meter;

static void meter_begin(meter *m, xrem *c, const char *what, uint64_t all)
{
        m->what = what;
        m->all = all;
        xrem_progress_begin(&m->bar, c, what);
}

/* "uploading ######.... 61 %, 12.3 of 20.1 MB" */
static void meter_at(meter *m, uint64_t at)
{
        unsigned part = m->all ? (unsigned)(at * 1000 / m->all) : 1000;
        char bar[21];

        for (unsigned i = 0; i < 20; i++)
                bar[i] = i < part / 50 ? '#' : '.';
        bar[20] = 0;
        (void)snprintf(m->text, sizeof m->text, "%s %s %u %%, %.1f of %.1f MB", m->what, bar,
                       part / 10, (double)at / 1e6, (double)m->all / 1e6);
        xrem_progress_say(&m->bar, m->text);
        xrem_progress_tick(&m->bar);
}

/* Waits a little longer each time; false when it was tried often enough. */
static bool again(xrem *c, unsigned *tries, const char *what)
{
        const int64_t ms = (int64_t)AGAIN_MS << *tries;
        const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

        if (c->interrupted || ++*tries >= TRIES)
                return false;
        if (*tries == 1)
                xrem_note(c, "xrem: the %s was cut; trying again", what);
        (void)nanosleep(&t, NULL);
        return true;
}

/* ---- the file -------------------------------------------------------------------------------- */

typedef struct content {
        const char *path;
        int fd;
        uint64_t size;
        uint8_t hash[HASH];
        char sha256[2 * HASH + 1];
        char *slice; /* SLICE octets */
} content;

static int read_at(const content *f, uint64_t at, size_t n)
{
        size_t have = 0;

        while (have < n) {
                ssize_t got = pread(f->fd, f->slice + have, n - have, (off_t)(at + have));
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return xrem_fail(XREM_BAD_INPUT, "%s: %s", f->path,
                                         got < 0 ? strerror(errno) : "it has become shorter");
                have += (size_t)got;
        }
        return XREM_OK;
}

static void hex(const uint8_t hash[HASH], char out[2 * HASH + 1])
{
        for (size_t i = 0; i < HASH; i++)
                (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* The hash of the first `n` octets. */
static int digest(content *f, uint64_t n, meter *m)
{
        gnutls_hash_hd_t h;
        int rc = XREM_OK;

        if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
                xrem_out_of_memory();
        for (uint64_t at = 0; rc == XREM_OK && at < n;) {
                size_t step = n - at < SLICE ? (size_t)(n - at) : SLICE;
                rc = read_at(f, at, step);
                if (rc == XREM_OK && gnutls_hash(h, f->slice, step) < 0)
                        rc = xrem_fail(XREM_BROKEN, "the hash cannot be computed");
                at += step;
                meter_at(m, at);
        }
        gnutls_hash_deinit(h, f->hash);
        hex(f->hash, f->sha256);
        return rc;
}

static int open_content(xrem *c, const char *path, content *f)
{
        struct stat st;
        meter m;
        int rc;

        *f = (content){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
        if (f->fd < 0 || fstat(f->fd, &st) < 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: no file of at least one octet", path);
        f->size = (uint64_t)st.st_size;
        f->slice = xrem_get(c, SLICE);
        meter_begin(&m, c, "hashing", f->size);
        rc = digest(f, f->size, &m);
        xrem_progress_end(&m.bar);
        return rc;
}

static void close_content(content *f)
{
        if (f->fd >= 0)
                close(f->fd);
        f->fd = -1;
}

/* ---- signatures ---------------------------------------------------------------------------- */

/* Ed25519 over the SHA-256, as dremd proves it. */
static int sign_hash(xrem *c, const char *key_file, const content *f, odm_str *out)
{
        const gnutls_datum_t hash = {(unsigned char *)f->hash, HASH};
        gnutls_datum_t pem, sig = {NULL, 0};
        gnutls_privkey_t key = NULL;
        odm_str text;
        int rc = xrem_read_file(c, key_file, &text), err;

        if (rc != XREM_OK)
                return rc;
        pem = (gnutls_datum_t){(unsigned char *)(uintptr_t)text.p, (unsigned)text.n};
        err = gnutls_privkey_init(&key);
        if (err == 0)
                err = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (err == 0 && gnutls_privkey_get_pk_algorithm(key, NULL) != GNUTLS_PK_EDDSA_ED25519)
                err = GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
        if (err == 0)
                err = gnutls_privkey_sign_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &hash, &sig);
        if (err == 0)
                *out = xrem_copy(c, (odm_str){(char *)sig.data, sig.size});
        else
                rc = xrem_fail(XREM_BAD_INPUT, "%s: no private Ed25519 key: %s", key_file,
                               gnutls_strerror(err));
        gnutls_free(sig.data);
        if (key)
                gnutls_privkey_deinit(key);
        return rc;
}

/* By --sign, of --signature, or FILE.sig where that is; absent when there is none. */
static int find_signature(xrem *c, const xrem_args *a, const content *f, odm_str *out)
{
        const char *key = xrem_value(a, "sign"), *file = xrem_value(a, "signature");
        int rc;

        *out = ODM_ABSENT;
        if (key && file)
                return xrem_fail(XREM_USAGE, "--sign or --signature, not both");
        if (key)
                return sign_hash(c, key, f, out);
        if (!file) {
                file = xrem_fmt(c, "%s.sig", f->path);
                if (access(file, R_OK) != 0)
                        return XREM_OK;
                xrem_note(c, "xrem: the signature is taken from %s", file);
        }
        rc = xrem_read_file(c, file, out);
        if (rc == XREM_OK && (out->n == 0 || out->n > SIGNATURE_MAX))
                rc = xrem_fail(XREM_BAD_INPUT, "%s: no signature of up to %zu octets", file,
                               SIGNATURE_MAX);
        return rc;
}

/* ---- a new one ---------------------------------------------------------------------------------- */

static void put_option(xrem *c, const xrem_args *a, json_t *o, const char *option,
                       const char *member)
{
        if (xrem_value(a, option))
                xrem_json_set(o, member, xrem_json_text(c, odm_cstr(xrem_value(a, option))));
}

static void put_all(xrem *c, const xrem_args *a, json_t *o, const char *name)
{
        json_t *list;
        const char *v;

        if (!xrem_has(a, name))
                return;
        list = json_array();
        for (size_t i = 0; (v = xrem_value_at(a, name, i)); i++)
                xrem_json_push(list, xrem_json_text(c, odm_cstr(v)));
        xrem_json_set(o, name, list);
}

static json_t *fits_of(xrem *c, const xrem_args *a)
{
        static const char *const ranges[] = {"hwv", "fwv", "swv"};
        json_t *o = json_object();

        put_all(c, a, o, "maker");
        put_all(c, a, o, "model");
        for (size_t i = 0; i < ODM_COUNT(ranges); i++)
                put_option(c, a, o, ranges[i], ranges[i]);
        return o;
}

/* The name of the file as the server takes it: what a URL cannot hold becomes '-'. */
static const char *file_name(xrem *c, const char *path)
{
        const char *slash = strrchr(path, '/');
        char *name = xrem_get(c, 129);
        size_t n = 0;

        for (const char *p = slash ? slash + 1 : path; *p && n < 128; p++) {
                bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
                             (*p >= 'a' && *p <= 'z') || strchr("._~+-", *p);
                name[n] = plain && !(n == 0 && *p == '.') ? *p : '-';
                n++;
        }
        return name;
}

static json_t *wanted(xrem *c, const xrem_args *a, const content *f, odm_str signature)
{
        json_t *o = json_object(), *fits = fits_of(c, a);
        const char *kind = xrem_value(a, "kind"), *file = xrem_value(a, "file");

        put_option(c, a, o, "name", "name");
        put_option(c, a, o, "version", "version");
        xrem_json_set(o, "kind", xrem_json_text(c, odm_cstr(kind ? kind : "firmware")));
        put_option(c, a, o, "component", "component");
        if (json_object_size(fits))
                xrem_json_set(o, "fits", fits);
        else
                json_decref(fits);
        xrem_json_set(o, "sha256", xrem_json_text(c, odm_cstr(f->sha256)));
        xrem_json_set(o, "size", json_integer((json_int_t)f->size));
        xrem_json_set(o, "file", xrem_json_text(c, odm_cstr(file ? file : file_name(c, f->path))));
        put_option(c, a, o, "url", "url");
        put_option(c, a, o, "media-type", "media_type");
        put_option(c, a, o, "notes", "notes");
        if (signature.p)
                xrem_json_set(o, "signature", xrem_json_text(c, xrem_b64(c, signature)));
        return o;
}

/* One that is there already and is this very content goes on; else a new one. */
static int announce(xrem *c, const xrem_args *a, const content *f, json_t **out)
{
        const json_t *p;
        odm_str signature;
        json_t *items = NULL;
        int rc = named(c, xrem_value(a, "name"), &items);

        if (rc != XREM_OK)
                return rc;
        p = of_version(items, xrem_value(a, "version"));
        if (p && odm_str_is(xrem_json_str(p, "sha256"), f->sha256)) {
                *out = (json_t *)(uintptr_t)p;
                return XREM_OK;
        }
        if (p)
                return xrem_fail(XREM_REFUSED, "there is a package %s %s with another content",
                                 xrem_value(a, "name"), xrem_value(a, "version"));
        rc = find_signature(c, a, f, &signature);
        if (rc == XREM_OK) {
                xrem_ask ask = {
                        .method = "POST", .path = PACKAGES, .body = wanted(c, a, f, signature)};
                rc = xrem_api(c, &ask, out);
        }
        return rc;
}

/* How much of it the server has, or the package once it is ready. */
static int ask_received(xrem *c, const char *id, bool *away, json_t **p)
{
        xrem_ask ask = {.method = "GET", .path = path_of(c, id, ""), .away = away};

        return xrem_api(c, &ask, p);
}

static bool is_ready(const json_t *p)
{
        return odm_str_is(xrem_json_str(p, "state"), "ready");
}

static int send_slice(xrem *c, content *f, const char *id, uint64_t at, meter *m, bool *away,
                      json_t **p)
{
        size_t n = f->size - at < SLICE ? (size_t)(f->size - at) : SLICE;
        unsigned long long first = at, size = f->size;
        xrem_ask ask = {.method = "PUT",
                        .path = path_of(c, id, "/content"),
                        .octets = {f->slice, n},
                        .progress = &m->bar,
                        .wait_s = 300, /* for the disk, and the proof of a large content */
                        .away = away};
        int rc = n ? read_at(f, at, n) : XREM_OK;

        ask.range = n ? xrem_str(c, "bytes %llu-%llu/%llu", first, first + n - 1, size)
                      : xrem_str(c, "bytes */%llu", size);
        return rc == XREM_OK ? xrem_api(c, &ask, p) : rc;
}

static int upload(xrem *c, content *f, json_t **p)
{
        const char *id = xrem_z(c, xrem_json_str(*p, "id"));
        unsigned tries = 0;
        int rc = XREM_OK;
        meter m;

        meter_begin(&m, c, "uploading", f->size);
        while (rc == XREM_OK && !is_ready(*p)) {
                long long at = xrem_json_int(*p, "received", 0);
                bool away = false;
                meter_at(&m, (uint64_t)at);
                rc = send_slice(c, f, id, (uint64_t)at, &m, &away, p);
                if (rc == XREM_OK && xrem_json_int(*p, "received", 0) > at)
                        tries = 0;
                while (away && again(c, &tries, "upload")) {
                        away = false;
                        rc = ask_received(c, id, &away, p);
                }
                if (away)
                        rc = xrem_fail(XREM_UNREACHABLE,
                                       "the server is away; the same command goes on where it "
                                       "ended");
        }
        xrem_progress_end(&m.bar);
        return rc;
}

int xrem_run_package_add(xrem *c, const xrem_args *a)
{
        content f = {.fd = -1};
        json_t *p = NULL;
        int rc;

        if (!xrem_value(a, "name") || !xrem_value(a, "version"))
                return xrem_fail(XREM_USAGE, "a package needs --name and --version");
        rc = open_content(c, a->word[0], &f);
        if (rc == XREM_OK)
                rc = announce(c, a, &f, &p);
        if (rc == XREM_OK)
                rc = upload(c, &f, &p);
        close_content(&f);
        if (rc == XREM_OK && xrem_terse(c, xrem_json_z(p, "id")))
                return XREM_OK;
        return rc == XREM_OK ? print_package(c, p) : rc;
}

int xrem_run_package_set(xrem *c, const xrem_args *a)
{
        json_t *o = json_object(), *fits = fits_of(c, a), *p = NULL;
        const char *id = NULL;
        int rc;

        put_option(c, a, o, "notes", "notes");
        if (json_object_size(fits) || xrem_has(a, "fits-all"))
                xrem_json_set(o, "fits", fits);
        else
                json_decref(fits);
        rc = json_object_size(o) ? xrem_package_find(c, a->word[0], &id)
                                 : xrem_fail(XREM_USAGE, "nothing to change");
        if (rc == XREM_OK) {
                xrem_ask ask = {.method = "PATCH", .path = path_of(c, id, ""), .body = o};
                rc = xrem_api(c, &ask, &p);
        } else {
                json_decref(o);
        }
        if (rc == XREM_OK && xrem_terse(c, NULL))
                return XREM_OK;
        return rc == XREM_OK ? print_package(c, p) : rc;
}

/* ---- fetched -------------------------------------------------------------------------------- */

typedef struct taker {
        content *f;
        uint64_t at;
        int failed; /* errno */
} taker;

static void take(void *ctx, odm_str body, uint64_t all)
{
        taker *t = ctx;

        (void)all;
        while (body.n > 0 && !t->failed) { /* a full disk takes a part first, and tells then */
                ssize_t n = pwrite(t->f->fd, body.p, body.n, (off_t)t->at);

                if (n < 0) {
                        t->failed = errno;
                } else {
                        t->at += (uint64_t)n;
                        body = odm_str_from(body, (size_t)n);
                }
        }
}

static int fetch_all(xrem *c, const char *id, content *f, uint64_t at)
{
        taker t = {.f = f, .at = at};
        unsigned tries = 0;
        int rc = XREM_OK;
        meter m;

        meter_begin(&m, c, "fetching", f->size);
        while (rc == XREM_OK && t.at < f->size) {
                unsigned long long first = t.at, last = first + SLICE - 1;
                bool away = false;
                xrem_ask ask = {.method = "GET",
                                .path = path_of(c, id, "/content"),
                                .range = xrem_str(c, "bytes=%llu-%llu", first, last),
                                .take = take,
                                .ctx = &t,
                                .progress = &m.bar,
                                .away = &away};
                meter_at(&m, t.at);
                rc = xrem_api(c, &ask, NULL);
                if (t.failed)
                        rc = xrem_fail(XREM_BROKEN, "%s: %s", f->path, strerror(t.failed));
                if (t.at > first)
                        tries = 0;
                if (away)
                        rc = again(c, &tries, "download")
                                     ? XREM_OK
                                     : xrem_fail(XREM_UNREACHABLE, "the server is away; the same "
                                                                   "command goes on where it "
                                                                   "ended");
        }
        if (rc == XREM_OK)
                rc = digest(f, f->size, &m);
        xrem_progress_end(&m.bar);
        return rc;
}

/* What an earlier try left is kept, up to the size; a wrong octet in it shows in the hash. */
static int open_part(xrem *c, const char *path, const json_t *p, content *f, uint64_t *at)
{
        struct stat st;

        *f = (content){.path = path, .size = (uint64_t)xrem_json_int(p, "size", 0)};
        f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (f->fd < 0 || fstat(f->fd, &st) < 0)
                return xrem_fail(XREM_BROKEN, "%s: %s", path, strerror(errno));
        f->slice = xrem_get(c, SLICE);
        *at = (uint64_t)st.st_size <= f->size ? (uint64_t)st.st_size : 0;
        if (ftruncate(f->fd, (off_t)*at) < 0)
                return xrem_fail(XREM_BROKEN, "%s: %s", path, strerror(errno));
        return XREM_OK;
}

static int settle(content *f, const json_t *p, const char *to)
{
        if (!odm_str_is(xrem_json_str(p, "sha256"), f->sha256)) {
                (void)unlink(f->path);
                return xrem_fail(XREM_REFUSED, "what came has another SHA-256; it is thrown away");
        }
        if (fsync(f->fd) < 0 || rename(f->path, to) < 0)
                return xrem_fail(XREM_BROKEN, "%s: %s", to, strerror(errno));
        return XREM_OK;
}

int xrem_run_package_fetch(xrem *c, const xrem_args *a)
{
        const char *id = NULL, *to = xrem_value(a, "output");
        content f = {.fd = -1};
        json_t *p = NULL;
        uint64_t at = 0;
        int rc = xrem_package_find(c, a->word[0], &id);

        if (rc == XREM_OK) {
                xrem_ask ask = {.method = "GET", .path = path_of(c, id, "")};
                rc = xrem_api(c, &ask, &p);
        }
        if (rc == XREM_OK && xrem_json_z(p, "url"))
                rc = xrem_fail(XREM_REFUSED, "its content is at %s", xrem_json_z(p, "url"));
        else if (rc == XREM_OK && !is_ready(p))
                rc = xrem_fail(XREM_REFUSED, "its content has not come yet");
        if (rc == XREM_OK && !to)
                to = file_name(c, xrem_z(c, xrem_json_str(p, "file")));
        if (rc == XREM_OK)
                rc = open_part(c, xrem_fmt(c, "%s.part", to), p, &f, &at);
        if (rc == XREM_OK)
                rc = fetch_all(c, id, &f, at);
        if (rc == XREM_OK)
                rc = settle(&f, p, to);
        close_content(&f);
        if (rc == XREM_OK)
                xrem_note(c, "xrem: %s, %lld octets", to, xrem_json_int(p, "size", 0));
        return rc;
}
