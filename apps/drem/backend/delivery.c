/* SPDX-License-Identifier: Apache-2.0 */
/* The thread touches what it was given before it began and what it hands over at its end; an
 * eventfd of the delivery says that there is something to take.  So a delivery can be ended at any
 * time, and nothing of it is left with the loop. */
#include "delivery.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "errand.h"
#include "fsio.h"
#include "heap.h"

#define TEXT (256u << 10) /* of addresses, names and a signature */

struct delivery {
        delivery_opt opt;
        loop *loop;
        odm_arena text; /* all strings of opt */
        char signature_file[PATH_MAX];
        errand errand;
        loop_timer patience;
        pthread_t thread;
        loop_io proved;
        bool has_thread;
        odm_task_cause cause;
        char note[ERRAND_NOTE];
        char hash[65];
};

static void beside(const char *file, const char *suffix, char out[PATH_MAX])
{
        snprintf(out, PATH_MAX, "%s%s", file, suffix);
}

void delivery_drop(const char *file)
{
        static const char *const suffixes[] = {
                "",         PROOF_SUFFIX,         ".part",
                ".part.of", PROOF_SUFFIX ".part", PROOF_SUFFIX ".part.of"};
        char path[PATH_MAX];

        for (size_t i = 0; i < ODM_COUNT(suffixes); i++) {
                beside(file, suffixes[i], path);
                (void)unlink(path);
        }
}

static void release(delivery *v)
{
        loop_timer_stop(&v->patience);
        (void)errand_stop(&v->errand);
        loop_io_del(&v->proved);
        if (v->has_thread)
                pthread_join(v->thread, NULL);
        if (v->proved.fd >= 0)
                close(v->proved.fd);
        odm_arena_done(&v->text);
        free(v);
}

static void finish(delivery *v)
{
        const delivery_opt opt = v->opt;
        const odm_task_cause cause = v->cause;
        char note[sizeof v->note];

        memcpy(note, v->note, sizeof note);
        if (cause == ODM_CAUSE_OK && opt.hash)
                memcpy(opt.hash, v->hash, sizeof v->hash);
        if (cause != ODM_CAUSE_OK && opt.url.p) {
                (void)unlink(opt.file);
                (void)unlink(v->signature_file);
        }
        release(v);
        opt.done(opt.ctx, cause, note);
}

static void fail(delivery *v, odm_task_cause cause, const char *note)
{
        v->cause = cause;
        snprintf(v->note, sizeof v->note, "%s", note);
        finish(v);
}

/* ---- the proof ---------------------------------------------------------------------------- */

static int prove_signed(delivery *v, diag *d)
{
        proof p = v->opt.proof;
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, PROOF_SIGNATURE_MAX);
        if (p.signature.n == 0 && fsio_read(v->signature_file, PROOF_SIGNATURE_MAX, &b, NULL) == 0)
                p.signature = odm_buf_view(&b);
        rc = proof_check(v->opt.keys, &p, v->opt.file, &v->cause, d);
        odm_buf_done(&b);
        return rc == 0 && v->cause == ODM_CAUSE_OK && v->opt.hash
                       ? proof_hash(v->opt.file, v->hash, d)
                       : rc;
}

static int prove_hash(delivery *v, diag *d)
{
        const proof *p = &v->opt.proof;
        int rc;

        v->cause = ODM_CAUSE_UNSUPPORTED;
        if (p->hash_alg.n && !odm_str_ieq(p->hash_alg, "sha-256"))
                return diag_set(d, 0, "%.*s is no hash known here", (int)p->hash_alg.n,
                                p->hash_alg.p);
        v->cause = ODM_CAUSE_UNSIGNED;
        if (!p->hash.n)
                return diag_set(d, 0, "there is neither a hash nor a signature");
        rc = proof_hash(v->opt.file, v->hash, d);
        if (rc < 0)
                return rc;
        v->cause = odm_str_ieq(p->hash, v->hash) ? ODM_CAUSE_OK : ODM_CAUSE_CORRUPT;
        return v->cause == ODM_CAUSE_OK ? 0 : diag_set(d, 0, "the hash differs");
}

static void *prove(void *ctx)
{
        delivery *v = ctx;
        const uint64_t one = 1;
        diag d = {{0}};

        if ((v->opt.hash_alone ? prove_hash(v, &d) : prove_signed(v, &d)) < 0)
                v->cause = ODM_CAUSE_FAILED;
        snprintf(v->note, sizeof v->note, "%s", d.text);
        (void)!write(v->proved.fd, &one, sizeof one); /* fails for no eventfd with room */
        return NULL;
}

static void on_proved(void *ctx, unsigned events)
{
        delivery *v = ctx;

        (void)events;
        pthread_join(v->thread, NULL);
        v->has_thread = false;
        finish(v);
}

static int start_proof(delivery *v)
{
        v->note[0] = 0;
        v->proved.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (v->proved.fd < 0 || loop_io_add(v->loop, &v->proved, LOOP_READ) < 0 ||
            pthread_create(&v->thread, NULL, prove, v) != 0)
                return ODM_EIO;
        v->has_thread = true;
        return 0;
}

/* ---- the download --------------------------------------------------------------------------- */

static int start_fetch(delivery *v, const char *url, const char *file, int64_t max,
                       void (*done)(void *ctx), diag *d)
{
        errand_fetch_opt o = {.terms = v->opt.terms, .url = url, .file = file};

        o.terms.max_size = max;
        return errand_fetch(&v->errand, v->loop, &o, done, v, d);
}

static void prove_or_fail(delivery *v)
{
        if (start_proof(v) < 0)
                fail(v, ODM_CAUSE_FAILED, "no thread to prove it");
}

/* A package without a signature is refused when it is proved; here its absence is no failure. */
static void on_signature(void *ctx)
{
        prove_or_fail(ctx);
}

static void on_package(void *ctx)
{
        delivery *v = ctx;
        diag d = {{0}};
        odm_str url;

        if (v->errand.cause != ODM_CAUSE_OK) {
                fail(v, v->errand.cause, v->errand.note);
                return;
        }
        url = odm_arena_fmt(&v->text, "%.*s" PROOF_SUFFIX, (int)v->opt.url.n, v->opt.url.p);
        if (v->opt.proof.signature.n || v->opt.hash_alone)
                prove_or_fail(v);
        else if (!url.p || start_fetch(v, url.p, v->signature_file, PROOF_SIGNATURE_MAX,
                                       on_signature, &d) < 0)
                fail(v, ODM_CAUSE_FAILED, d.text);
}

/* What was fetched whole by now is proved all the same. */
static void on_patience_over(void *ctx)
{
        delivery *v = ctx;

        if (errand_stop(&v->errand))
                fail(v, ODM_CAUSE_TIMEOUT, "the download took too long");
}

static int begin(delivery *v, diag *d)
{
        int rc = 0;

        if (!v->opt.url.p)
                return start_proof(v);
        (void)unlink(v->opt.file);
        (void)unlink(v->signature_file);
        if (v->opt.terms.patience_ms > 0)
                rc = loop_timer_set(v->loop, &v->patience,
                                    odm_time_add(loop_now(), v->opt.terms.patience_ms));
        return rc < 0 ? rc
                      : start_fetch(v, v->opt.url.p, v->opt.file, v->opt.terms.max_size, on_package,
                                    d);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void keep_text(delivery *v, const delivery_opt *o)
{
        odm_arena *a = &v->text;
        const char *const *from[] = {&o->terms.fetch, &o->terms.ca, &o->keys, &o->file};
        const char **to[] = {&v->opt.terms.fetch, &v->opt.terms.ca, &v->opt.keys, &v->opt.file};

        for (size_t i = 0; i < ODM_COUNT(from); i++)
                if (*from[i])
                        *to[i] = odm_arena_copy(a, odm_cstr(*from[i])).p;
        v->opt.url = odm_arena_copy(a, o->url);
        v->opt.proof = (proof){.hash_alg = odm_arena_copy(a, o->proof.hash_alg),
                               .hash = odm_arena_copy(a, o->proof.hash),
                               .sig_alg = odm_arena_copy(a, o->proof.sig_alg),
                               .signature = odm_arena_copy(a, o->proof.signature),
                               .key = odm_arena_copy(a, o->proof.key)};
}

int delivery_start(loop *l, const delivery_opt *opt, delivery **out, diag *d)
{
        delivery *v;
        int rc;

        if (strlen(opt->file) + sizeof PROOF_SUFFIX ".part.of" > PATH_MAX)
                return diag_set(d, ODM_EINVAL, "%.200s ...: the name is too long", opt->file);
        v = calloc(1, sizeof *v);
        if (!v)
                return ODM_ENOMEM;
        v->opt = *opt;
        v->loop = l;
        v->errand.received = opt->received;
        v->proved = (loop_io){.fd = -1, .fn = on_proved, .ctx = v};
        v->patience = (loop_timer){.fn = on_patience_over, .ctx = v};
        odm_arena_init(&v->text, &heap_mem, TEXT);
        keep_text(v, opt);
        beside(opt->file, PROOF_SUFFIX, v->signature_file);
        rc = v->text.err ? v->text.err : begin(v, d);
        if (rc < 0)
                release(v);
        else
                *out = v;
        return rc;
}

void delivery_progress(const delivery *v, int64_t *done, int64_t *total)
{
        *done = v->errand.have;
        *total = v->errand.total;
}

void delivery_end(delivery *v)
{
        if (v)
                release(v);
}
