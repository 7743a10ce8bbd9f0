/* SPDX-License-Identifier: Apache-2.0 */
/* Contents come and go by REST.
 *
 *     PUT, head: where it goes on --> sink: octets to disk --> handler --> the part's thread:
 *         all is there: fsync, hash, signature --> ready, durable --> 200
 *         else:         fsync                                     --> 202 and how much
 *
 * A peer that goes away leaves what it sent; the next PUT goes on behind it. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"
#include "package_part.h"
#include "proof.h"

#define KEYS_MOST 64

typedef struct upload {
        package p;
        uint64_t first, n; /* what the request brings */
        blob_put *put;
        int rc; /* of the write that failed */
        package_task task;
        call *c;
} upload;

/* ---- the head ------------------------------------------------------------------------------- */

/* What of the content comes: its range, or all of it. */
static bool read_range(call *c, const package *p, upload *u)
{
        odm_str range = httpd_field(c->req, "Content-Range");
        odm_str length = httpd_field(c->req, "Content-Length");
        uint64_t size = p->size, n;

        u->first = 0;
        u->n = size;
        if (range.p && http_content_range(range, &u->first, &u->n, &size) < 0)
                problem_set(&c->problem, PROBLEM_INVALID,
                            "Content-Range has to be \"bytes FIRST-LAST/SIZE\", or \"bytes "
                            "*/SIZE\" when nothing is left to send.");
        else if (size != p->size)
                problem_set(&c->problem, PROBLEM_INVALID, "The package has %llu octets.",
                            (unsigned long long)p->size);
        else if (length.p && (odm_str_u64(length, INT64_MAX, &n) < 0 || n != u->n))
                problem_set(&c->problem, PROBLEM_INVALID,
                            "%llu octets are announced, but the body has another length.",
                            (unsigned long long)u->n);
        return !problem_is(&c->problem);
}

static bool begin(call *c, packages *s, upload *u)
{
        uint64_t have = blobs_have(s->blobs, u->p.id, u->p.sha256, u->p.size);
        diag d = {{0}};
        int rc = 0;

        if (u->n > 0)
                rc = blobs_put(s->blobs, u->p.id, u->p.size, u->first, &u->put, &have, &d);
        else if (have != u->p.size)
                rc = ODM_ESTATE;
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The upload goes on at octet %llu (\"received\" of the package).",
                            (unsigned long long)have);
        else if (rc < 0)
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "The content cannot be taken: %s.",
                            d.text[0] ? d.text : odm_err_text(rc));
        return rc == 0;
}

static int on_octets(void *ctx, odm_str data)
{
        call *c = ctx;
        upload *u = c->data;
        packages *s = call_self(c);

        u->rc = u->put ? blob_put_write(u->put, data) : ODM_ELIMIT;
        if (u->rc == 0)
                atomic_fetch_add(&s->uploaded, data.n);
        return u->rc;
}

static void on_gone(void *ctx)
{
        call *c = ctx;
        upload *u = c->data;

        log_info("an upload was cut", log_int("package", u->p.id), log_str("name", u->p.name));
        blob_put_end(u->put);
        call_drop(c);
}

bool package_content_head(call *c, httpd_sink *sink, size_t *max_body)
{
        packages *s = call_self(c);
        upload *u = odm_new(&c->arena, upload);

        if (!u) {
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
                return false;
        }
        c->data = u;
        if (!package_may(c) || !package_find(c, &u->p))
                return false;
        if (u->p.state != PACKAGE_WANTED || u->p.url.n) {
                problem_set(&c->problem, PROBLEM_STATE, "The package has its content.");
                return false;
        }
        if (!read_range(c, &u->p, u) || !begin(c, s, u))
                return false;
        *sink = (httpd_sink){on_octets, on_gone, c};
        *max_body = (size_t)u->n;
        return true;
}

/* ---- signatures --------------------------------------------------------------------------- */

/* "NAME" of NAME.pub or NAME.ca, as the signature needs; absent for other files. */
static odm_str key_name(const char *file, bool ed)
{
        odm_str s = odm_cstr(file), suffix = ed ? ODM_STR(".pub") : ODM_STR(".ca");

        if (s.n <= suffix.n || s.p[0] == '.' ||
            !odm_str_eq(odm_str_from(s, s.n - suffix.n), suffix))
                return ODM_ABSENT;
        return odm_str_to(s, s.n - suffix.n);
}

static int try_key(const packages *s, const package *p, const char *path, odm_str key, bool *ok,
                   diag *d)
{
        const proof want = {.signature = p->signature, .key = key};
        odm_task_cause cause = ODM_CAUSE_OK;
        int rc = proof_check(s->keys, &want, path, &cause, d);

        *ok = rc == 0 && cause == ODM_CAUSE_OK;
        return rc;
}

int package_signer(const packages *s, const package *p, const char *path, odm_arena *a,
                   odm_str *signer, diag *d)
{
        DIR *dir = s->keys ? opendir(s->keys) : NULL;
        const struct dirent *e;
        unsigned tried = 0;
        bool ok = false;
        int rc = 0;

        *signer = ODM_STR("");
        if (!s->keys || (p->signature.n == 0 && !s->signed_only)) {
                if (dir)
                        closedir(dir);
                return 0;
        }
        while (rc == 0 && !ok && dir && tried < KEYS_MOST && (e = readdir(dir)) != NULL) {
                odm_str key = key_name(e->d_name, p->signature.n == 64);
                if (!key.p)
                        continue;
                tried++;
                rc = try_key(s, p, path, key, &ok, d);
                if (ok)
                        *signer = odm_arena_copy(a, key);
        }
        if (dir)
                closedir(dir);
        if (rc == 0 && !ok)
                rc = diag_set(d, ODM_EACCESS, "the signature is not by any key of %s", s->keys);
        return rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void on_ready(call *c, store_batch *b, int rc)
{
        const upload *u = c->data;

        (void)b;
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE, "The package has its content.");
        if (rc < 0) {
                call_refused(c, "the package cannot be kept", rc);
                return;
        }
        log_info("package is ready", log_int("package", u->p.id), log_str("name", u->p.name),
                 log_str("version", u->p.version), log_int("size", (int64_t)u->p.size),
                 log_str("signer", u->p.signer));
        call_reply(c, 200, package_json(call_self(c), &u->p));
}

static void refuse(call *c, int rc, const diag *d)
{
        const char *why = d->text[0] ? d->text : odm_err_text(rc);

        if (rc == ODM_EMALFORMED || rc == ODM_EACCESS)
                problem_set(&c->problem, PROBLEM_INVALID, "The content is refused: %s.", why);
        else if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The content is not whole yet, or is being proved.");
        else
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "The content cannot be kept: %s.",
                            why);
        call_fail(c);
}

/* Whole: it is proved, and the package is ready. */
static void complete(call *c, packages *s, upload *u)
{
        char path[BLOB_PATH];
        diag d = {{0}};
        store_batch *b;
        int rc = blobs_finish(s->blobs, u->p.id, u->p.sha256, u->p.size, &d);

        if (rc == 0)
                rc = blobs_path(s->blobs, u->p.sha256, 0, path)
                             ? package_signer(s, &u->p, path, &c->arena, &u->p.signer, &d)
                             : ODM_EIO;
        if (rc < 0) {
                refuse(c, rc, &d);
                return;
        }
        u->p.updated = c->now;
        b = package_ready(c, &u->p);
        if (b)
                call_commit(c, b, on_ready);
        else
                call_fail(c);
}

/* On the part's thread. */
static void settle(void *ctx)
{
        upload *u = ctx;
        call *c = u->c;
        packages *s = call_self(c);
        diag d = {{0}};
        int rc;

        if (blobs_have(s->blobs, u->p.id, u->p.sha256, u->p.size) == u->p.size) {
                complete(c, s, u);
                return;
        }
        rc = blobs_sync(s->blobs, u->p.id, &d);
        if (rc < 0)
                refuse(c, rc, &d);
        else
                call_reply(c, 202, package_json(s, &u->p));
}

static void write_failed(call *c, const upload *u, const char *why)
{
        if (u->rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "Another upload of this package took its place.");
        else
                problem_set(&c->problem,
                            u->rc == ODM_ELIMIT && why[0] ? PROBLEM_NO_ROOM : PROBLEM_UNAVAILABLE,
                            "%s.", why[0] ? why : odm_err_text(u->rc));
}

void package_content_put(call *c)
{
        packages *s = call_self(c);
        upload *u = c->data;

        if (u->rc < 0) {
                write_failed(c, u, u->put ? blob_put_why(u->put) : "");
                log_warn("an upload failed", log_int("package", u->p.id),
                         log_text("reason", c->problem.detail));
        }
        blob_put_end(u->put);
        u->put = NULL;
        u->c = c;
        u->task = (package_task){.run = settle, .ctx = u};
        if (u->rc == 0 && package_later(s, &u->task))
                return;
        problem_set(&c->problem, PROBLEM_UNAVAILABLE, "The server stops.");
        call_fail(c);
}

void package_content_get(call *c)
{
        packages *s = call_self(c);
        httpd_file f = {.fd = -1};
        package p;

        if (!package_find(c, &p)) {
                call_fail(c);
                return;
        }
        if (p.url.n)
                problem_set(&c->problem, PROBLEM_STATE, "The content is elsewhere: \"url\".");
        else if (p.state != PACKAGE_READY)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The content has not come: %llu of %llu octets.",
                            (unsigned long long)blobs_have(s->blobs, p.id, p.sha256, p.size),
                            (unsigned long long)p.size);
        else if ((f.fd = blobs_open(s->blobs, p.sha256, &f.size)) < 0)
                problem_set(&c->problem, PROBLEM_INTERNAL, "The content is not there any more.");
        if (f.fd < 0) {
                call_fail(c);
                return;
        }
        f.etag = p.sha256;
        f.type = odm_arena_fmt(&c->arena, "%.*s", (int)p.type.n, p.type.p).p;
        call_file(c, &f);
}
