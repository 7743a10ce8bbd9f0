/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of the bridge: what they want is done, and what became of it they are told.
 *
 *     SEND    a request of CoAP; a sleeping device's waits until it is awake
 *     PUSH    a file, block by block, one device after the other
 *     FETCH   an image that the gateway holds
 *     OVER    the alert goes to the gateway, until it is durable there */
#include <assert.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "images.h"
#include "log.h"
#include "lwm2m_inner.h"

#define AGAIN_MS 2000   /* until an alert is offered again */
#define PUSH_MS 3600000 /* a whole package */
#define PACKAGE_MAX ((size_t)64 << 20)
#define PATH_ROOM 4096
#define UPDATE "org.openmobilealliance.dm.firmwareupdate.update" /* installs what is staged */
#define FETCH_NO_SERVER 500 /* FUMO: the package cannot be had (mo-fumo.md 6) */

typedef struct task { /* a job and what goes on for it */
        client *c;
        odm_job *job;                /* NULL: this place is free */
        const odm_lw_request *later; /* lent, and waits until the device is awake */
        uint64_t ask;
        odm_time due; /* ODM_NEVER: nothing to be told before an answer */
        struct push *push;
} task;

struct work {
        task v[ODM_BRIDGE_JOBS];
        bool running; /* lw_work_pump() is under way */
        bool again;
};

typedef struct push {
        struct push *next;
        task *t;
        const odm_lw_request *request;
        char *file;
        bool image; /* of the gateway, not what a server wrote */
} push;

/* ---- pushes, one at a time ------------------------------------------------------------------------------ */

static void push_next(lwm2m *a);

static void push_free(lwm2m *a, push *p)
{
        if (a->pushing == p)
                a->pushing = NULL;
        for (push **at = &a->pushes; *at; at = &(*at)->next)
                if (*at == p) {
                        *at = p->next;
                        break;
                }
        p->t->push = NULL;
        free(p->file);
        free(p);
}

static void answer(task *t, const odm_lw_answer *r)
{
        if (odm_job_answer(t->job, r, loop_now()) < 0)
                log_error("a job does not take an answer", log_text("endpoint", t->c->ep));
        lw_work_pump(t->c);
}

static void on_pushed(void *ctx, co_end_of why, const co_msg *m)
{
        push *p = ctx;
        task *t = p->t;
        lwm2m *a = t->c->a;
        const odm_lw_answer r = lw_send_answer(why, m);

        t->ask = 0;
        push_free(a, p);
        answer(t, &r);
        push_next(a);
}

static int push_start(push *p)
{
        struct stat st;
        co_file f = {.fd = open(p->file, O_RDONLY | O_CLOEXEC)};

        if (f.fd < 0)
                return ODM_EIO;
        if (fstat(f.fd, &st) < 0) {
                close(f.fd);
                return ODM_EIO;
        }
        f.size = (uint64_t)st.st_size;
        if (p->image) {
                ++*p->t->c->a->host.images_served;
                f.sent = p->t->c->a->host.image_octets;
        }
        return lw_send_ask(p->t->c, p->request, &f, PUSH_MS, on_pushed, p, &p->t->ask);
}

/* The place of the first whose device is awake, or the end: a sleeper holds up nobody. */
static push **first_awake(lwm2m *a)
{
        push **at = &a->pushes;

        while (*at && !lw_client_awake((*at)->t->c))
                at = &(*at)->next;
        return at;
}

static void push_next(lwm2m *a)
{
        while (!a->pushing) {
                push **at = first_awake(a), *p = *at;
                const odm_lw_answer failed = {.code = ODM_COAP_FAILED, .ct = ODM_LW_NO_CT};

                task *t;

                if (!p)
                        return;
                t = p->t;
                *at = p->next;
                a->pushing = p;
                if (push_start(p) == 0)
                        return;
                log_error("a package cannot be sent", log_text("endpoint", t->c->ep),
                          log_text("file", p->file));
                push_free(a, p);
                answer(t, &failed);
        }
}

void lw_work_wake(lwm2m *a)
{
        push_next(a);
}

/* Named for the endpoint, whatever its registration; by a digest, as it may be no file name. */
static char *staged_name(const client *c)
{
        char *name = malloc(PATH_ROOM);
        uint8_t h[32];
        int n = name ? snprintf(name, PATH_ROOM, "%s/", c->a->folder) : 0;
        bool fits = n > 0 && (size_t)n + 2 * sizeof h + sizeof ".package" <= PATH_ROOM &&
                    gnutls_hash_fast(GNUTLS_DIG_SHA256, c->ep, strlen(c->ep), h) == 0;

        for (size_t i = 0; fits && i < sizeof h; i++)
                n += snprintf(name + n, 3, "%02x", h[i]);
        if (fits)
                snprintf(name + n, sizeof ".package", ".package");
        if (name && !fits) {
                free(name);
                return NULL;
        }
        return name;
}

int lw_work_stage(client *c, odm_str package)
{
        char *name = staged_name(c);
        diag d = {0};
        int rc = !name ? ODM_ENOMEM : package.n > PACKAGE_MAX ? ODM_ELIMIT : 0;

        if (rc == 0)
                rc = fsio_write(NULL, name, package, 0600, &d);
        if (rc < 0)
                log_error("a package is not kept", log_text("endpoint", c->ep),
                          log_text("why", d.text));
        free(name);
        return rc;
}

static bool push_wait(task *t, const odm_job_step *s)
{
        lwm2m *a = t->c->a;
        push *p = calloc(1, sizeof *p), **at = &a->pushes;

        int rc = p ? 0 : ODM_ENOMEM;

        if (p && odm_str_starts(s->file, "/")) /* an image */
                rc = lw_client_text(&p->file, s->file);
        else if (p)
                p->file = staged_name(t->c);
        if (rc < 0 || !p->file) {
                free(p);
                return false;
        }
        p->t = t;
        p->image = odm_str_starts(s->file, "/");
        p->request = s->request;
        t->push = p;
        while (*at)
                at = &(*at)->next;
        *at = p;
        push_next(a);
        return true;
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void on_answer(void *ctx, co_end_of why, const co_msg *m)
{
        task *t = ctx;
        client *c = t->c;
        const odm_lw_answer r = lw_send_answer(why, m);

        t->ask = 0;
        answer(t, &r);
        if (why == CO_SILENT)
                lw_client_silent(c);
}

static void lw_send_now(task *t, const odm_lw_request *rq)
{
        const odm_lw_answer failed = {.code = ODM_COAP_FAILED, .ct = ODM_LW_NO_CT};

        t->later = NULL;
        if (!lw_client_awake(t->c))
                t->later = rq;
        else if (rq->verb == ODM_LW_OBSERVE || rq->verb == ODM_LW_CANCEL ||
                 lw_send_ask(t->c, rq, NULL, REQUEST_MS, on_answer, t, &t->ask) < 0)
                answer(t, &failed);
}

/* ---- images ---------------------------------------------------------------------------------------------------- */

static void fetch(task *t, odm_str url)
{
        client *c = t->c;
        odm_arena mem;
        odm_job_image out = {0};
        gw_image i;
        int rc;

        odm_arena_init(&mem, &heap_mem, 65536);
        rc = gw_image_by_url(c->a->store, c->a->host.folder, url, &mem, &i);
        if (rc == 0)
                out = (odm_job_image){.name = i.name,
                                      .version = i.version,
                                      .file = i.path,
                                      .url_http = i.url_http,
                                      .url_coap = lw_serve_url(c, i.url_http, &mem)};
        rc = odm_job_fetched(t->job, rc == 0 ? &out : NULL, rc == 0 ? 0 : FETCH_NO_SERVER,
                             loop_now());
        odm_arena_done(&mem);
        if (rc < 0)
                log_error("a job does not take an image", log_text("endpoint", c->ep));
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static void task_end(task *t)
{
        if (t->push)
                push_free(t->c->a, t->push);
        if (t->ask)
                lw_cancel(t->c->a, t->ask);
        *t = (task){.c = t->c};
}

/* The alert of a job that is over.  False: it is to be offered again. */
static bool tell(task *t, const odm_alert *alert)
{
        client *c = t->c;
        gw_device *d = alert ? lw_client_record(c) : NULL;
        char *package;

        if (d && c->a->host.alert(c->a->host.ctx, d, alert, (odm_wall){0}) < 0)
                return false;
        if (alert && odm_str_is(alert->mark, "critical"))
                log_warn("an order has failed", log_text("endpoint", c->ep),
                         log_str("node", alert->source), log_str("result", alert->data));
        package = alert && odm_str_is(alert->type, UPDATE) ? staged_name(c) : NULL;
        if (package)
                (void)unlink(package);
        free(package);
        odm_job_drop(t->job);
        return true;
}

/* One step of a job; true when there may be another at once. */
static bool step(task *t)
{
        odm_job_step s;

        if (t->later && lw_client_awake(t->c)) {
                lw_send_now(t, t->later);
                return false;
        }
        s = odm_job_next(t->job);
        t->due = s.until;
        switch (s.want) {
        case ODM_JOB_SEND: lw_send_now(t, s.request); return false;
        case ODM_JOB_PUSH:
                if (!push_wait(t, &s))
                        answer(t, &(odm_lw_answer){.code = ODM_COAP_FAILED, .ct = ODM_LW_NO_CT});
                return false;
        case ODM_JOB_FETCH: fetch(t, s.url); return true;
        case ODM_JOB_WAIT: return false;
        case ODM_JOB_OVER:
                if (tell(t, s.alert))
                        task_end(t);
                else
                        t->due = odm_time_add(loop_now(), AGAIN_MS);
                return false;
        }
        ODM_UNREACHABLE();
}

static task *task_of(client *c, odm_job *j)
{
        task *room = NULL;

        for (size_t i = 0; i < ODM_BRIDGE_JOBS; i++) {
                task *t = &c->work->v[i];

                if (t->job == j)
                        return t;
                if (!t->job)
                        room = t;
        }
        assert(room); /* whoever has a place is one of the bridge's jobs, and this one had none */
        *room = (task){.c = c, .job = j, .due = ODM_NEVER};
        return room;
}

/* Those whose time has come are told so. */
static void tick(client *c)
{
        odm_time now = loop_now();

        for (size_t i = 0; i < ODM_BRIDGE_JOBS; i++) {
                task *t = &c->work->v[i];

                if (!t->job || !odm_time_reached(now, t->due))
                        continue;
                t->due = ODM_NEVER;
                if (odm_job_tick(t->job, now) < 0)
                        log_error("a job does not take the time", log_text("endpoint", c->ep));
        }
}

static void wait_for_next(client *c)
{
        odm_time due = ODM_NEVER;

        for (size_t i = 0; i < ODM_BRIDGE_JOBS; i++)
                if (c->work->v[i].job && c->work->v[i].due.ms < due.ms)
                        due = c->work->v[i].due;
        if (loop_timer_set(c->a->loop, &c->jobs, due) < 0)
                log_error("no memory for a timer");
}

static void go_round(client *c)
{
        odm_job *j;
        size_t i = 0;

        tick(c);
        while ((j = odm_bridge_job(c->bridge, i))) {
                task *t = task_of(c, j);

                while (t->job == j && step(t)) {
                }
                if (t->job) /* else the next one has taken its place */
                        i++;
        }
}

void lw_work_pump(client *c)
{
        if (!odm_bridge_job(c->bridge, 0) && !c->work)
                return;
        if (!c->work && !(c->work = calloc(1, sizeof *c->work))) {
                log_error("no memory for a job", log_text("endpoint", c->ep));
                return;
        }
        c->work->again = true;
        if (c->work->running)
                return;
        c->work->running = true;
        while (c->work->again) {
                c->work->again = false;
                go_round(c);
        }
        c->work->running = false;
        wait_for_next(c);
        lw_client_keep(c);
        lw_client_settled(c);
}

/* What has not been sent yet cannot be why it registers anew. */
static bool holds_order(const client *c, const odm_job *j)
{
        for (size_t i = 0; c->work && i < ODM_BRIDGE_JOBS; i++) {
                const task *t = &c->work->v[i];

                if (t->job == j && t->later && t->later->verb == ODM_LW_EXECUTE)
                        return true;
        }
        return false;
}

void lw_work_back(client *c)
{
        odm_job *j;

        for (size_t i = 0; (j = odm_bridge_job(c->bridge, i)); i++)
                if (!holds_order(c, j) && odm_job_registered(j, loop_now()) < 0)
                        log_error("a job is not told of a registration",
                                  log_text("endpoint", c->ep));
}

void lw_work_drop(client *c)
{
        if (!c->work)
                return;
        for (size_t i = 0; i < ODM_BRIDGE_JOBS; i++)
                if (c->work->v[i].job)
                        task_end(&c->work->v[i]);
        free(c->work);
        c->work = NULL;
        if (!c->a->closing)
                push_next(c->a);
}

void lw_work_take_back(client *c, odm_job *j)
{
        for (size_t i = 0; c->work && i < ODM_BRIDGE_JOBS; i++)
                if (c->work->v[i].job == j)
                        task_end(&c->work->v[i]);
        odm_job_drop(j);
}
