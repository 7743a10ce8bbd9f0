/* SPDX-License-Identifier: Apache-2.0 */
#include "rest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 64 /* requests at one time */
#define PATH_MAX_TEXT 1024

typedef struct asker {
        sim_rest *r;
        http_client *http;
} asker;

struct sim_rest {
        const sim_opt *o;
        odm_str job;
        loop_timer timer;
        asker askers[CLIENTS_MAX];
        uint32_t n, next, running;
        int64_t began;
        bool stopped;
        char bearer[256];
        void (*done)(void *ctx);
        void *ctx;
        sim_rest_result res;
};

static const char *const auth_words[] = {"none", "basic", "md5", "mac", "none"};

static void ask(asker *a);

static void note(sim_rest *r, const char *why, odm_str more)
{
        r->res.failed++;
        if (!r->res.why[0])
                (void)snprintf(r->res.why, sizeof r->res.why, "%s%.*s", why, (int)more.n,
                               more.n ? more.p : "");
}

static void on_answer(void *ctx, const http_reply *h)
{
        asker *a = ctx;
        sim_rest *r = a->r;
        char status[48];

        r->running--;
        (void)snprintf(status, sizeof status, "HTTP status %u: ", h->status);
        if (h->rc < 0)
                note(r, h->why, ODM_ABSENT);
        else if (h->status / 100 == 2)
                r->res.done++;
        else if (h->status == 409 && !r->job.p)
                r->res.there++;
        else
                note(r, status, odm_str_to(h->body, 180));
        if (h->rc < 0) /* nobody is there: no need to try it a million times */
                r->stopped = true;
        ask(a);
}

/* The name as one segment of a path: the slash and all that is not plain is encoded. */
static void put_escaped(char *out, size_t room, const char *name)
{
        size_t n = 0;

        for (; *name && n + 4 < room; name++) {
                bool plain = (*name >= '0' && *name <= '9') || (*name >= 'a' && *name <= 'z') ||
                             (*name >= 'A' && *name <= 'Z') || strchr("-_.~", *name);
                n += (size_t)snprintf(out + n, room - n, plain ? "%c" : "%%%02X",
                                      (unsigned char)*name);
        }
        out[n] = '\0';
}

static char *device_body(const sim_opt *o, uint32_t i)
{
        char name[SIM_TEXT], devid[SIM_TEXT], password[SIM_TEXT];

        sim_name(o, i, name);
        sim_devid(o, i, devid);
        sim_password(o, i, password);
        json_t *j = o->named ? json_pack("{s:s,s:s}", "name", name, "devid", devid)
                             : json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "name", name, "devid",
                                         devid, "user", name, "password", password, "auth",
                                         auth_words[o->auth], "server_user", o->server_user,
                                         "server_password", password);
        if (j && o->n_tags) {
                json_t *tags = json_array();
                for (size_t k = 0; k < o->n_tags; k++)
                        (void)json_array_append_new(tags, json_string(o->tag[k]));
                (void)json_object_set_new(j, "tags", tags);
        }
        char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
        json_decref(j);
        odm_wipe(password, sizeof password);
        return text;
}

static int send_one(asker *a, uint32_t i)
{
        sim_rest *r = a->r;
        char url[PATH_MAX_TEXT], name[SIM_TEXT], path[3 * SIM_TEXT];
        char *body = r->job.p ? NULL : device_body(r->o, i);
        const http_field f[] = {{ODM_STR("Authorization"), odm_cstr(r->bearer)},
                                {ODM_STR("Content-Type"), ODM_STR("application/json")}};
        http_request q = {.method = "POST",
                          .url = {url, 0},
                          .fields = f,
                          .n_fields = ODM_COUNT(f),
                          .body = r->job.p ? r->job : odm_cstr(body)};
        int rc = ODM_ENOMEM;

        sim_name(r->o, i, name);
        put_escaped(path, sizeof path, name);
        q.url.n = (size_t)snprintf(url, sizeof url, "%.300s/api/v1/devices%s%s%s", r->o->api,
                                   r->job.p ? "/" : "", r->job.p ? path : "",
                                   r->job.p ? "/jobs" : "");
        if (q.body.p)
                rc = http_client_send(a->http, &q, on_answer, a);
        free(body);
        return rc;
}

static void ask(asker *a)
{
        sim_rest *r = a->r;

        if (!r->stopped && r->next < r->o->n) {
                r->running++;
                if (send_one(a, r->next++) == 0)
                        return;
                r->running--;
                note(r, "a request could not be sent", ODM_ABSENT);
                r->stopped = true;
        }
        if (r->running > 0)
                return;
        r->res.us = sim_us() - r->began;
        r->done(r->ctx);
}

static void on_start(void *ctx)
{
        sim_rest *r = ctx;

        r->began = sim_us();
        r->running++; /* not over before all have begun */
        for (uint32_t i = 0; i < r->n; i++)
                ask(&r->askers[i]);
        r->running--;
        if (r->running == 0)
                r->done(r->ctx);
}

int sim_rest_start(loop *l, const sim_opt *o, odm_str job, void (*done)(void *ctx), void *ctx,
                   sim_rest **out)
{
        sim_rest *r = calloc(1, sizeof *r);
        http_client_opt ho;
        int rc = 0;

        if (!r)
                return ODM_ENOMEM;
        r->o = o;
        r->job = job;
        r->done = done;
        r->ctx = ctx;
        (void)snprintf(r->bearer, sizeof r->bearer, "Bearer %.200s", o->token);
        http_client_opt_init(&ho);
        ho.tls = o->tls;
        ho.user_agent = "xremsim";
        while (rc == 0 && r->n < CLIENTS_MAX && r->n < o->parallel && r->n < o->n) {
                r->askers[r->n].r = r;
                rc = http_client_new(l, &ho, &r->askers[r->n].http);
                r->n += rc == 0;
        }
        r->timer = (loop_timer){.fn = on_start, .ctx = r};
        if (rc == 0)
                rc = loop_timer_set(l, &r->timer, loop_now());
        if (rc < 0)
                sim_rest_free(r);
        else
                *out = r;
        return rc;
}

void sim_rest_stop(sim_rest *r)
{
        r->stopped = true;
}

const sim_rest_result *sim_rest_get(sim_rest *r)
{
        return &r->res;
}

void sim_rest_free(sim_rest *r)
{
        if (!r)
                return;
        loop_timer_stop(&r->timer);
        for (uint32_t i = 0; i < r->n; i++)
                http_client_free(r->askers[i].http);
        odm_wipe(r->bearer, sizeof r->bearer);
        free(r);
}
