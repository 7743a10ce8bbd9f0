/* SPDX-License-Identifier: Apache-2.0 */
#include "update.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "proof.h"

/* What a package is judged by, once the task is gone. */
typedef struct wanted {
        const char *keys, *model;
        odm_str hardware, version; /* version: PkgVersion, for packages that say none */
        odm_str package;           /* of software: its ID; absent: it is firmware */
        proof proof;
} wanted;

struct update {
        const update_host *host;
        void *ctx;
        uint32_t task;
        bool downloads, software, over;
        uint64_t faults;
        int64_t link;
        const group *group;
        odm_arena text; /* of the next ones */
        wanted wanted;
        const char *url, *signature_url;
        unsigned tries;
        download get;
        loop_timer timer;
        odm_buf package; /* while its signature is fetched */
        update_found found;
        odm_task_end end;
};

/* ---- faults ----------------------------------------------------------------------------- */

/* The fault of a kind among `faults`, whose bit goes to *bit; NULL when there is none. */
static const fault *fault_among(const scenario *s, uint64_t faults, fault_kind kind, uint64_t *bit)
{
        for (size_t i = 0; i < s->n_faults; i++)
                if ((faults >> i & 1) && s->fault[i].kind == kind) {
                        *bit = 1ull << i;
                        return &s->fault[i];
                }
        return NULL;
}

/* ---- the look at a package ------------------------------------------------------------------ */

static void say(update_found *f, odm_task_cause cause, const char *why)
{
        f->cause = cause;
        (void)snprintf(f->note, sizeof f->note, "%s", why);
}

static int check_proof(const wanted *w, odm_str package, update_found *f)
{
        diag d = {{0}};
        int rc = proof_check_of(package, w->keys, &w->proof, &f->cause, &d);

        (void)snprintf(f->note, sizeof f->note, "%.*s", UPDATE_NOTE - 1, d.text);
        return rc;
}

/* A file that tells none is one component, by the name of the package. */
static void take_component(const wanted *w, const image *m, update_found *f)
{
        odm_str id = m->component.p ? m->component : w->package;

        memcpy(f->version, m->version, sizeof f->version);
        if (id.n >= sizeof f->component)
                say(f, ODM_CAUSE_NOT_ACCEPTED, "the name of the package is too long");
        else
                (void)snprintf(f->component, sizeof f->component, "%.*s", (int)id.n, id.p);
}

static void check_image(const wanted *w, odm_str package, update_found *f)
{
        image m;

        if (image_read(package, &m) < 0)
                say(f, ODM_CAUSE_NOT_ACCEPTED, "the package tells no version that can be used");
        else if (m.model.p && !odm_str_is(m.model, w->model))
                say(f, ODM_CAUSE_MISMATCH, "the package is for another model");
        else if (m.hardware.p && !odm_str_eq(m.hardware, w->hardware))
                say(f, ODM_CAUSE_MISMATCH, "the package is for other hardware");
        else if (w->package.p)
                take_component(w, &m, f);
        else if (!m.version[0] && (w->version.n == 0 || w->version.n >= IMAGE_VERSION))
                say(f, ODM_CAUSE_NOT_ACCEPTED, "nobody says which version the package has");
        else if (m.version[0])
                memcpy(f->version, m.version, sizeof f->version);
        else
                (void)snprintf(f->version, sizeof f->version, "%.*s", (int)w->version.n,
                               w->version.p);
}

/* An octet of a copy becomes another one. */
static int spoil(odm_str package, odm_buf *copy, odm_str *out)
{
        int rc;

        odm_buf_init(copy, &heap_mem, package.n + 1);
        rc = odm_buf_str(copy, package);
        if (rc < 0)
                return rc;
        copy->p[package.n / 2] = (char)(copy->p[package.n / 2] ^ 0x20);
        *out = odm_buf_view(copy);
        return 0;
}

static int judge(const scenario *s, uint64_t faults, wanted *w, odm_str package, update_found *f)
{
        uint64_t bad = 0, unsigned_ = 0;
        bool damaged = fault_among(s, faults, FAULT_BAD_DOWNLOAD, &bad) && package.n;
        bool stranger = fault_among(s, faults, FAULT_BAD_SIGNATURE, &unsigned_) != NULL;
        odm_buf copy = {0};
        int rc = 0;

        *f = (update_found){.fired = (damaged ? bad : 0) | (stranger ? unsigned_ : 0)};
        if (damaged)
                rc = spoil(package, &copy, &package);
        if (rc == 0)
                rc = check_proof(w, package, f);
        /* Without a hash or a key nothing else would notice. */
        if (rc == 0 && f->cause == ODM_CAUSE_OK && damaged)
                say(f, ODM_CAUSE_CORRUPT, "the package is damaged");
        if (rc == 0 && f->cause == ODM_CAUSE_OK && stranger)
                say(f, ODM_CAUSE_UNSIGNED, "the signature is not by any key of this device");
        if (rc == 0 && f->cause == ODM_CAUSE_OK)
                check_image(w, package, f);
        odm_buf_done(&copy);
        return rc;
}

bool update_is_software(const odm_task *t)
{
        return t->kind == &odm_scomo_kind;
}

bool update_is_download(const odm_task *t)
{
        return t->step ==
               (update_is_software(t) ? (unsigned)ODM_SCOMO_DOWNLOAD : (unsigned)ODM_FUMO_DOWNLOAD);
}

static odm_str copied(odm_arena *a, odm_str s)
{
        return s.p ? odm_arena_copy(a, s) : ODM_ABSENT;
}

static int want(gadget *g, const odm_task *t, odm_arena *a, wanted *out)
{
        wanted w = {.keys = g->group->keys,
                    .model = g->group->model,
                    .hardware = gadget_get(g, "./DevDetail/HwV", a),
                    .version = copied(a, gadget_get(g, GADGET_OBJECT "/PkgVersion", a))};
        odm_str sig = odm_task_arg(t, "signature");
        int rc = 0;

        w.hardware = copied(a, w.hardware);
        if (update_is_software(t))
                w.package = copied(a, odm_task_arg(t, "pkg"));
        w.proof = (proof){.hash_alg = copied(a, odm_task_arg(t, "hash_alg")),
                          .hash = copied(a, odm_task_arg(t, "hash")),
                          .sig_alg = copied(a, odm_task_arg(t, "sig_alg")),
                          .key = copied(a, odm_task_arg(t, "key"))};
        if (sig.n)
                rc = odm_b64_decode(a, sig, &w.proof.signature);
        if (rc == 0)
                rc = a->err;
        if (rc == 0)
                *out = w;
        return rc;
}

int update_look(gadget *g, const odm_task *t, odm_str package, const scenario *s, uint64_t faults,
                update_found *out)
{
        odm_arena a;
        wanted w;
        int rc;

        odm_arena_init(&a, &heap_mem, 1u << 20);
        rc = want(g, t, &a, &w);
        if (rc == 0)
                rc = judge(s, faults, &w, package, out);
        odm_arena_done(&a);
        return rc;
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void finish(update *u)
{
        u->end = (odm_task_end){.cause = u->found.cause,
                                .note = u->found.note[0] ? odm_cstr(u->found.note) : ODM_ABSENT};
        u->over = true;
        odm_buf_done(&u->package);
        u->host->over(u->ctx);
}

static void on_time(void *ctx)
{
        finish(ctx);
}

static int later(update *u, void (*fn)(void *ctx), int64_t ms)
{
        u->timer.fn = fn;
        return loop_timer_set(u->host->loop, &u->timer, odm_time_add(loop_now(), ms));
}

/* ---- the download ----------------------------------------------------------------------------- */

typedef struct verdict {
        odm_task_cause cause;
        bool again; /* it may succeed later */
        const char *why;
} verdict;

static verdict verdict_of_status(unsigned code)
{
        switch (code) {
        case 200: return (verdict){ODM_CAUSE_OK, false, ""};
        case 401:
        case 403:
        case 407: return (verdict){ODM_CAUSE_AUTH, false, "the server demands credentials"};
        case 404:
        case 410: return (verdict){ODM_CAUSE_BAD_URL, false, "the server has no such file"};
        case 408: return (verdict){ODM_CAUSE_TIMEOUT, true, "the server gave up waiting"};
        case 503: return (verdict){ODM_CAUSE_UNAVAILABLE, true, "the server is busy"};
        default:
                return code >= 500 ? (verdict){ODM_CAUSE_SERVER, true, "the server failed"}
                                   : (verdict){ODM_CAUSE_BAD_URL, false, "the server refused"};
        }
}

static verdict verdict_of(const http_reply *r)
{
        switch (r->rc) {
        case 0: return verdict_of_status(r->status);
        case ODM_EINVAL: return (verdict){ODM_CAUSE_BAD_URL, false, r->why};
        case ODM_ELIMIT:
                return (verdict){ODM_CAUSE_NO_ROOM, false, "larger than there is room for"};
        case ODM_EIO:
                return r->sent ? (verdict){ODM_CAUSE_NETWORK, true, r->why}
                               : (verdict){ODM_CAUSE_UNAVAILABLE, true, r->why};
        default: return (verdict){ODM_CAUSE_NETWORK, true, r->why};
        }
}

static int fetch(update *u);

static void on_again(void *ctx)
{
        update *u = ctx;

        if (fetch(u) == 0)
                return;
        say(&u->found, ODM_CAUSE_FAILED, "out of memory");
        finish(u);
}

static void failed(update *u, verdict v)
{
        if (v.again && ++u->tries < u->group->tries && later(u, on_again, u->group->retry_ms) == 0)
                return;
        say(&u->found, v.cause, v.why);
        finish(u);
}

static void look(update *u, odm_str package)
{
        uint64_t fired = u->found.fired, bit = 0;
        const fault *slow = fault_among(u->host->scenario, u->faults, FAULT_SLOW_LINK, &bit);

        if (judge(u->host->scenario, u->faults, &u->wanted, package, &u->found) < 0)
                say(&u->found, ODM_CAUSE_FAILED, "the package cannot be looked at");
        u->found.fired |= fired;
        if (slow)
                u->found.fired |= bit;
        if (u->link <= 0 || later(u, on_time, (int64_t)package.n * 1000 / u->link) < 0)
                finish(u);
}

/* Without one the package will be found unsigned. */
static void on_signature(void *ctx, const http_reply *r)
{
        update *u = ctx;

        if (r->rc == 0 && r->status == 200 && r->body.n <= PROOF_SIGNATURE_MAX)
                u->wanted.proof.signature = odm_arena_copy(&u->text, r->body);
        look(u, odm_buf_view(&u->package));
}

static void on_package(void *ctx, const http_reply *r)
{
        update *u = ctx;
        verdict v = verdict_of(r);

        if (v.cause != ODM_CAUSE_OK) {
                failed(u, v);
        } else if (!u->wanted.keys || u->wanted.proof.signature.n) {
                look(u, r->body);
        } else {
                u->get = (download){.url = u->signature_url, .fn = on_signature, .ctx = u};
                if (odm_buf_str(&u->package, r->body) < 0)
                        failed(u, (verdict){ODM_CAUSE_NO_ROOM, false, "out of memory"});
                else if (downloads_get(u->host->pool, &u->get) < 0)
                        look(u, odm_buf_view(&u->package));
        }
}

static void on_made_up(void *ctx)
{
        update *u = ctx;
        uint64_t bit = 0;
        const fault *f = fault_among(u->host->scenario, u->faults, FAULT_HTTP, &bit);

        assert(f); /* fetch() saw it */
        const http_reply r = {.status = f->status};
        u->found.fired |= bit;
        failed(u, verdict_of(&r));
}

static int fetch(update *u)
{
        uint64_t bit;

        if (fault_among(u->host->scenario, u->faults, FAULT_HTTP, &bit))
                return later(u, on_made_up, 0);
        u->get = (download){.url = u->url, .fn = on_package, .ctx = u};
        if (downloads_get(u->host->pool, &u->get) == 0)
                return 0;
        say(&u->found, ODM_CAUSE_BAD_URL, "the address is no URL");
        return later(u, on_time, 0);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static int keep_urls(update *u, odm_str url)
{
        odm_str text = odm_arena_copy(&u->text, url.p ? url : ODM_STR(""));
        odm_str beside = odm_arena_join(&u->text, text, ODM_STR(PROOF_SUFFIX));

        beside = beside.p ? odm_arena_copy(&u->text, beside) : beside;
        u->url = text.p;
        u->signature_url = beside.p;
        return text.p && beside.p ? 0 : odm_arena_err(&u->text);
}

int update_new(const update_host *h, gadget *g, const odm_task *t, uint64_t faults, int64_t link,
               void *ctx, update **out)
{
        update *u = calloc(1, sizeof *u);
        int rc = 0;

        if (!u)
                return ODM_ENOMEM;
        u->host = h;
        u->ctx = ctx;
        u->task = t->id;
        u->faults = faults;
        u->group = g->group;
        u->downloads = update_is_download(t);
        u->software = update_is_software(t);
        u->link = link;
        u->timer = (loop_timer){.ctx = u};
        odm_arena_init(&u->text, &heap_mem, 1u << 20);
        odm_buf_init(&u->package, &heap_mem, h->scenario->image_max);
        if (u->downloads)
                rc = want(g, t, &u->text, &u->wanted);
        if (rc == 0 && u->downloads)
                rc = keep_urls(u, odm_task_arg(t, "url"));
        if (rc == 0)
                rc = u->downloads ? fetch(u) : later(u, on_time, g->group->install_ms);
        if (rc < 0)
                update_free(u);
        else
                *out = u;
        return rc;
}

void update_free(update *u)
{
        if (!u)
                return;
        if (u->downloads && u->host->pool)
                downloads_drop(u->host->pool, &u->get);
        loop_timer_stop(&u->timer);
        odm_buf_done(&u->package);
        odm_arena_done(&u->text);
        free(u);
}

uint32_t update_task(const update *u)
{
        return u->task;
}

bool update_downloads(const update *u)
{
        return u->downloads;
}

bool update_for_software(const update *u)
{
        return u->software;
}

const odm_task_end *update_end(const update *u, const update_found **found)
{
        if (!u->over)
                return NULL;
        *found = &u->found;
        return &u->end;
}
