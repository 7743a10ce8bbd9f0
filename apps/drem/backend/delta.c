/* SPDX-License-Identifier: Apache-2.0 */
/* The thread touches what it was given before it began and what it hands over at its end; an
 * eventfd says that there is something to take.  So a delta can be ended at any time, and nothing
 * of it is left with the loop. */
#include "delta.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errand.h"
#include "heap.h"
#include "proof.h"

#define TEXT (64u << 10) /* of addresses and names */
#define DELTA_SUFFIX ".delta"

static const char too_long[] = "it took too long";

struct delta {
        delta_opt opt;
        loop *loop;
        odm_arena text; /* all strings of opt */
        char patch_file[PATH_MAX], signature_file[PATH_MAX];
        errand errand;
        loop_timer patience;
        pthread_t thread;
        loop_io hashed;
        bool has_thread, is_late; /* it took too long, and nothing could be stopped then */
        int rc;                   /* of the hash */
        char hash[65];
        int64_t octets;
        char note[ERRAND_NOTE];
};

static void beside(const char *file, const char *suffix, char out[PATH_MAX])
{
        snprintf(out, PATH_MAX, "%s%s", file, suffix);
}

void delta_drop(const char *file)
{
        static const char *const suffixes[] = {DELTA_SUFFIX, DELTA_SUFFIX ".part",
                                               DELTA_SUFFIX ".part.of"};
        char path[PATH_MAX];

        for (size_t i = 0; i < ODM_COUNT(suffixes); i++) {
                beside(file, suffixes[i], path);
                (void)unlink(path);
        }
}

static void release(delta *v)
{
        loop_timer_stop(&v->patience);
        (void)errand_stop(&v->errand);
        loop_io_del(&v->hashed);
        if (v->has_thread)
                pthread_join(v->thread, NULL);
        if (v->hashed.fd >= 0)
                close(v->hashed.fd);
        odm_arena_done(&v->text);
        free(v);
}

/* The owner is told when all of ours is given back: it may begin another one at once. */
static void finish(delta *v, bool made, const char *note)
{
        void (*done)(void *ctx, bool made, int64_t octets, const char *note) = v->opt.done;
        void *ctx = v->opt.ctx;
        int64_t octets = v->octets;
        char text[ERRAND_NOTE];

        snprintf(text, sizeof text, "%s", note);
        (void)unlink(v->patch_file);
        if (!made) {
                (void)unlink(v->opt.file);
                (void)unlink(v->signature_file);
        }
        release(v);
        done(ctx, made, octets, text);
}

/* ---- the errands ------------------------------------------------------------------------ */

static int fetch(delta *v, odm_str url, const char *file, int64_t max, void (*done)(void *ctx),
                 diag *d)
{
        errand_fetch_opt o = {.terms = v->opt.terms, .url = url.p, .file = file};

        o.terms.max_size = max;
        return errand_fetch(&v->errand, v->loop, &o, done, v, d);
}

/* Its absence is no failure here: the proof says so. */
static void on_signature(void *ctx)
{
        finish(ctx, true, "");
}

static void on_patched(void *ctx)
{
        delta *v = ctx;
        diag d = {{0}};

        if (v->errand.cause != ODM_CAUSE_OK)
                finish(v, false, v->errand.note);
        else if (!v->opt.signature_url.p)
                finish(v, true, "");
        else if (fetch(v, v->opt.signature_url, v->signature_file, PROOF_SIGNATURE_MAX,
                       on_signature, &d) < 0)
                finish(v, false, d.text);
}

static void on_fetched(void *ctx)
{
        delta *v = ctx;
        char max[24];
        const char *const argv[] = {v->opt.patch, "--max-size",  max,         "--",
                                    v->opt.base,  v->patch_file, v->opt.file, NULL};
        struct stat st;
        diag d = {{0}};

        if (v->errand.cause != ODM_CAUSE_OK) {
                finish(v, false, v->errand.note);
                return;
        }
        if (stat(v->patch_file, &st) == 0)
                v->octets = st.st_size;
        snprintf(max, sizeof max, "%lld", (long long)v->opt.terms.max_size);
        if (errand_run(&v->errand, v->loop, argv, on_patched, v, &d) < 0)
                finish(v, false, d.text);
}

/* ---- is it for the image that runs? ----------------------------------------------------- */

static void *hash(void *ctx)
{
        delta *v = ctx;
        const uint64_t one = 1;

        v->rc = proof_hash(v->opt.base, v->hash, NULL);
        (void)!write(v->hashed.fd, &one, sizeof one); /* fails for no eventfd with room */
        return NULL;
}

static void on_hashed(void *ctx, unsigned events)
{
        delta *v = ctx;
        diag d = {{0}};

        (void)events;
        pthread_join(v->thread, NULL);
        v->has_thread = false;
        loop_io_del(&v->hashed);
        if (v->is_late)
                finish(v, false, too_long);
        else if (v->rc < 0)
                finish(v, false, "the image in use cannot be read");
        else if (!odm_str_ieq(v->opt.base_hash, v->hash))
                finish(v, false, "it is against another image than the one in use");
        else if (fetch(v, v->opt.url, v->patch_file, v->opt.terms.max_size, on_fetched, &d) < 0)
                finish(v, false, d.text);
}

static void on_patience_over(void *ctx)
{
        delta *v = ctx;

        if (errand_stop(&v->errand))
                finish(v, false, too_long);
        else
                v->is_late = true;
}

/* ---- life --------------------------------------------------------------------------------- */

static int keep_text(delta *v, const delta_opt *o)
{
        odm_arena *a = &v->text;
        const char *const *from[] = {&o->terms.fetch, &o->patch, &o->terms.ca, &o->base, &o->file};
        const char **to[] = {&v->opt.terms.fetch, &v->opt.patch, &v->opt.terms.ca, &v->opt.base,
                             &v->opt.file};

        for (size_t i = 0; i < ODM_COUNT(from); i++)
                if (*from[i])
                        *to[i] = odm_arena_copy(a, odm_cstr(*from[i])).p;
        v->opt.url = odm_arena_copy(a, o->url);
        v->opt.base_hash = odm_arena_copy(a, o->base_hash);
        v->opt.signature_url = odm_arena_copy(a, o->signature_url);
        return a->err;
}

static int begin(delta *v)
{
        v->hashed.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (v->hashed.fd < 0 || loop_io_add(v->loop, &v->hashed, LOOP_READ) < 0)
                return ODM_EIO;
        if (v->opt.terms.patience_ms > 0 &&
            loop_timer_set(v->loop, &v->patience,
                           odm_time_add(loop_now(), v->opt.terms.patience_ms)) < 0)
                return ODM_ENOMEM;
        if (pthread_create(&v->thread, NULL, hash, v) != 0)
                return ODM_EIO;
        v->has_thread = true;
        return 0;
}

int delta_start(loop *l, const delta_opt *opt, delta **out)
{
        delta *v;
        int rc;

        if (strlen(opt->file) + sizeof DELTA_SUFFIX ".part.of" > PATH_MAX)
                return ODM_EINVAL;
        v = calloc(1, sizeof *v);
        if (!v)
                return ODM_ENOMEM;
        v->opt = *opt;
        v->loop = l;
        v->hashed = (loop_io){.fd = -1, .fn = on_hashed, .ctx = v};
        v->patience = (loop_timer){.fn = on_patience_over, .ctx = v};
        odm_arena_init(&v->text, &heap_mem, TEXT);
        rc = keep_text(v, opt);
        beside(opt->file, DELTA_SUFFIX, v->patch_file);
        beside(opt->file, PROOF_SUFFIX, v->signature_file);
        if (rc == 0)
                rc = begin(v);
        if (rc < 0)
                release(v);
        else
                *out = v;
        return rc;
}

void delta_progress(const delta *v, int64_t *done, int64_t *total)
{
        *done = v->errand.have;
        *total = v->errand.total;
}

void delta_end(delta *v)
{
        if (v)
                release(v);
}
