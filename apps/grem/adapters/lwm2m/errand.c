/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: a plan of the bridge is carried out request by request, and its result is the reply. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

/* ---- errands -------------------------------------------------------------------------------------------- */

static lw_errand **chain_of(lwm2m *a, uint64_t id)
{
        return &a->errands[id % ERRAND_CHAINS];
}

lw_errand *lw_errand_new(client *c, uint64_t id, int64_t deadline_ms)
{
        lw_errand *e = calloc(1, sizeof *e), **at = chain_of(c->a, id);

        if (!e)
                return NULL;
        *e = (lw_errand){.chain = *at, .c = c, .id = id, .linked = true};
        *at = e;
        odm_arena_init(&e->mem, &heap_mem, ERRAND_MEMORY);
        e->due = odm_time_add(loop_now(), deadline_ms > 0 ? deadline_ms : REQUEST_MS);
        return e;
}

/* From here on nobody finds it. */
static void take_out(lw_errand *e)
{
        lw_errand **at = chain_of(e->c->a, e->id);

        if (!e->linked)
                return;
        e->linked = false;
        while (*at != e)
                at = &(*at)->chain;
        *at = e->chain;
}

void lw_errand_free(lw_errand *e)
{
        take_out(e);
        if (e->c->greeter == e)
                e->c->greeter = NULL;
        if (e->watching)
                e->watching->first = NULL;
        else if (e->ask)
                lw_cancel(e->c->a, e->ask);
        odm_arena_done(&e->mem);
        free(e);
}

static void reply(lwm2m *a, uint64_t id, unsigned status, odm_str text)
{
        const adapter_reply r = {.status = status, .text = text};

        if (!odm_status_ok(status))
                a->failures++;
        a->host.reply(a->host.ctx, id, &r);
}

void lw_reply_text(lwm2m *a, uint64_t id, unsigned status, const char *text)
{
        reply(a, id, status, odm_cstr(text));
}

void lw_errand_drop_all(client *c, unsigned status)
{
        lwm2m *a = c->a;

        for (size_t i = 0; i < ERRAND_CHAINS; i++)
                for (lw_errand *e = a->errands[i], *next; e; e = next) {
                        uint64_t id = e->id;
                        bool sent = e->ask != 0; /* it may be doing it */

                        next = e->chain;
                        if (e->c != c && lw_client_via(e->c) != c)
                                continue;
                        lw_errand_free(e);
                        if (id && !a->closing)
                                lw_reply_text(a, id, sent ? (unsigned)ODM_ST_TIMEOUT : status,
                                              "the device is gone");
                }
}

static int to_nodes(lw_errand *e, const odm_plan_result *r, adapter_reply *out)
{
        adapter_node *v = odm_arena_zget(&e->mem, (r->nodes.n + 1) * sizeof *v);

        if (!v)
                return odm_arena_err(&e->mem);
        for (size_t i = 0; i < r->nodes.n; i++) {
                const odm_bridge_node *n = &r->nodes.v[i];

                v[i] = (adapter_node){.path = n->path,
                                      .value = n->value,
                                      .has_data = n->has_data,
                                      .at = {n->t},
                                      .quality = ADAPTER_LIVE};
        }
        out->nodes = v;
        out->n = r->nodes.n;
        return 0;
}

static void over(lw_errand *e)
{
        const odm_plan_result *r = odm_plan_result_of(e->plan);
        adapter_reply out = {.status = r->status, .text = r->text, .created = r->created};
        client *c = e->c;

        take_out(e);
        lw_client_keep(c);
        if (e->over) {
                e->over(e, r);
        } else if (to_nodes(e, r, &out) < 0) {
                lw_reply_text(c->a, e->id, ODM_ST_FAILED, "no memory");
        } else {
                if (!odm_status_ok(r->status))
                        c->a->failures++;
                c->a->host.reply(c->a->host.ctx, e->id, &out);
        }
        lw_errand_free(e);
        if (odm_bridge_observe_news(c->bridge))
                lw_watch_renew(c);
        lw_work_pump(c);
}

/* ---- requests ------------------------------------------------------------------------------------------- */

static void on_answer(void *ctx, co_end_of why, const co_msg *m)
{
        lw_errand *e = ctx;
        client *c = e->c;
        odm_lw_answer r = lw_send_answer(why, m);

        e->ask = 0;
        lw_errand_answered(e, &r);
        if (why == CO_SILENT)
                lw_client_silent(c);
}

/* 0 when it is on its way; else it is answered at once, with *r. */
static bool at_once(lw_errand *e, const odm_lw_request *rq, odm_lw_answer *r)
{
        int64_t left = e->due.ms - loop_now().ms;
        int rc = 0;

        *r = (odm_lw_answer){.code = ODM_COAP_CHANGED, .ct = ODM_LW_NO_CT};
        if (rq->verb == ODM_LW_STAGE) {
                rc = lw_work_stage(e->c, rq->payload);
                r->code = rc == 0            ? ODM_COAP_CHANGED
                          : rc == ODM_ELIMIT ? ODM_COAP_TOO_LARGE
                                             : ODM_COAP_FAILED;
                return true;
        }
        if (rq->verb == ODM_LW_CANCEL) { /* forgotten: its next notification is reset */
                lw_watch_stop(e->c, rq->path);
                r->code = ODM_COAP_CONTENT;
                return true;
        }
        if (left <= 0)
                r->code = 0;
        else if (rq->verb == ODM_LW_OBSERVE)
                rc = lw_watch_start(e->c, rq->path,
                                    rq->accept != ODM_LW_NO_CT ? rq->accept
                                                               : lw_watch_format(e->c, rq->path),
                                    e);
        else
                rc = lw_send_ask(e->c, rq, NULL, left, on_answer, e, &e->ask);
        if (rc < 0)
                r->code = ODM_COAP_FAILED;
        return left <= 0 || rc < 0;
}

static void carry_on(lw_errand *e)
{
        const odm_lw_request *rq;
        odm_lw_answer r;

        while (odm_plan_next(e->plan, &rq) == 1) {
                if (!at_once(e, rq, &r))
                        return;
                if (odm_plan_answer(e->plan, &r) < 0)
                        break;
        }
        over(e);
}

void lw_errand_go(lw_errand *e)
{
        e->held = lw_client_via(e->c)->joining;
        if (!e->held)
                carry_on(e);
}

static lw_errand *held_one(client *c)
{
        for (size_t i = 0; i < ERRAND_CHAINS; i++)
                for (lw_errand *e = c->a->errands[i]; e; e = e->chain)
                        if (lw_client_via(e->c) == c && e->held)
                                return e;
        return NULL;
}

void lw_errand_release(client *c)
{
        for (lw_errand *e = held_one(c); e; e = held_one(c)) {
                e->held = false;
                carry_on(e);
        }
}

void lw_errand_answered(lw_errand *e, const odm_lw_answer *r)
{
        if (odm_plan_answer(e->plan, r) < 0)
                over(e);
        else
                carry_on(e);
}

/* ---- calls of the gateway ---------------------------------------------------------------------------------- */

/* A device that can be asked now; else the answer is given. */
static lw_errand *begin(lwm2m *a, const gw_device *d, uint64_t id, int64_t deadline_ms)
{
        client *c = lw_client_of(a, d);
        lw_errand *e = NULL;

        lw_objects_refresh(a);
        if (!c)
                lw_reply_text(a, id, ODM_ST_UNAVAILABLE, "the device is gone");
        else if (!lw_client_awake(c) && !lw_client_via(c)->joining)
                lw_reply_text(a, id, ODM_ST_UNAVAILABLE, "the device sleeps");
        else if (!(e = lw_errand_new(c, id, deadline_ms)))
                lw_reply_text(a, id, ODM_ST_FAILED, "no memory");
        return e;
}

static void go(lw_errand *e, int rc)
{
        lwm2m *a = e->c->a;
        uint64_t id = e->id;

        if (rc == 0) {
                lw_errand_go(e);
                return;
        }
        lw_errand_free(e);
        lw_reply_text(a, id, rc == ODM_ELIMIT ? ODM_ST_TOO_LARGE : ODM_ST_FAILED, odm_err_text(rc));
}

static odm_str *copy_paths(lw_errand *e, const odm_str *paths, size_t n)
{
        odm_str *v = odm_arena_zget(&e->mem, (n + 1) * sizeof *v);

        for (size_t i = 0; v && i < n; i++)
                v[i] = odm_arena_copy(&e->mem, paths[i]);
        return v;
}

void lw_errand_read(void *ctx, uint64_t id, gw_device *d, void *native, const odm_str *paths,
                    size_t n, adapter_list list, int64_t deadline_ms)
{
        static const odm_ask asks[] = {[ADAPTER_LIST_NONE] = ODM_ASK_NODE,
                                       [ADAPTER_LIST_STRUCT] = ODM_ASK_STRUCT,
                                       [ADAPTER_LIST_DATA] = ODM_ASK_DATA};
        lw_errand *e = begin(ctx, d, id, deadline_ms);
        odm_str *v;

        (void)native;
        if (!e)
                return;
        v = copy_paths(e, paths, n);
        go(e, v && !e->mem.err ? odm_plan_read(e->c->bridge, v, n, asks[list], &e->mem, &e->plan)
                               : odm_arena_err(&e->mem));
}

static odm_bridge_node *copy_nodes(lw_errand *e, const adapter_node *v, size_t n)
{
        odm_bridge_node *out = odm_arena_zget(&e->mem, (n + 1) * sizeof *out);

        for (size_t i = 0; out && i < n; i++) {
                out[i] = (odm_bridge_node){.path = odm_arena_copy(&e->mem, v[i].path),
                                           .value = v[i].value,
                                           .has_data = v[i].has_data};
                out[i].value.data = odm_arena_copy(&e->mem, v[i].value.data);
                out[i].value.type = odm_arena_copy(&e->mem, v[i].value.type);
        }
        return out;
}

static void with_nodes(lwm2m *a, uint64_t id, const gw_device *d, const adapter_node *v, size_t n,
                       int64_t deadline_ms,
                       int (*plan)(odm_bridge *b, const odm_bridge_node *v, size_t n, odm_arena *a,
                                   odm_plan **out))
{
        lw_errand *e = begin(a, d, id, deadline_ms);
        odm_bridge_node *copy;

        if (!e)
                return;
        copy = copy_nodes(e, v, n);
        go(e, copy && !e->mem.err ? plan(e->c->bridge, copy, n, &e->mem, &e->plan)
                                  : odm_arena_err(&e->mem));
}

void lw_errand_write(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                     size_t n, int64_t deadline_ms)
{
        (void)native;
        with_nodes(a, id, d, v, n, deadline_ms, odm_plan_write);
}

void lw_errand_create(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                      size_t n, int64_t deadline_ms)
{
        (void)native;
        with_nodes(a, id, d, v, n, deadline_ms, odm_plan_create);
}

void lw_errand_remove(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                      int64_t deadline_ms)
{
        lw_errand *e = begin(a, d, id, deadline_ms);

        (void)native;
        if (!e)
                return;
        path = odm_arena_copy(&e->mem, path);
        go(e, path.p ? odm_plan_remove(e->c->bridge, path, &e->mem, &e->plan)
                     : odm_arena_err(&e->mem));
}

void lw_errand_observe(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                       const adapter_attrs *t, int64_t deadline_ms)
{
        lw_errand *e = begin(a, d, id, deadline_ms);
        odm_lw_attrs at = {0};

        (void)native;
        if (!e)
                return;
        at = (odm_lw_attrs){
                .pmin = t->pmin_s, .pmax = t->pmax_s, .gt = t->gt, .lt = t->lt, .st = t->st};
        at.has = (t->pmin_s >= 0 ? ODM_LW_PMIN : 0u) | (t->pmax_s >= 0 ? ODM_LW_PMAX : 0u) |
                 (isnan(t->gt) ? 0u : ODM_LW_GT) | (isnan(t->lt) ? 0u : ODM_LW_LT) |
                 (isnan(t->st) ? 0u : ODM_LW_ST);
        path = odm_arena_copy(&e->mem, path);
        go(e, path.p ? odm_plan_observe(e->c->bridge, path, &at, t->off, &e->mem, &e->plan)
                     : odm_arena_err(&e->mem));
}

/* ---- what goes on by itself ---------------------------------------------------------------------------------- */

typedef struct promise { /* a job that is on its way to the disk */
        lwm2m *a;
        odm_job *job;
        uint64_t id;
        unsigned status;
        char ep[];
} promise;

static odm_job *job_of(const client *c, const odm_job *job)
{
        odm_job *j = NULL;

        for (size_t i = 0; c && (j = odm_bridge_job(c->bridge, i)) && j != job; i++) {
        }
        return j;
}

/* Who hears 202 may be sure that it goes on, whatever happens to the power. */
static void on_kept(void *ctx, int rc)
{
        promise *k = ctx;
        client *c = lw_client_by_name(k->a, odm_cstr(k->ep));
        odm_job *j = job_of(c, k->job);

        if (rc < 0 && j)
                lw_work_take_back(c, j);
        if (rc < 0)
                lw_reply_text(k->a, k->id, ODM_ST_STORE_FAILED, "the gateway cannot keep it");
        else
                lw_reply_text(k->a, k->id, k->status, NULL);
        free(k);
        if (c)
                lw_work_pump(c);
}

/* Answered when it is durable. */
static void promised(client *c, uint64_t id, const odm_exec *x)
{
        size_t n = strlen(c->ep) + 1;
        promise *k = calloc(1, sizeof *k + n);

        if (k) {
                *k = (promise){.a = c->a, .job = x->job, .id = id, .status = x->status};
                memcpy(k->ep, c->ep, n);
        }
        if (k && lw_client_save(c, on_kept, k) == 0)
                return;
        free(k);
        lw_work_take_back(c, x->job);
        lw_reply_text(c->a, id, ODM_ST_STORE_FAILED, "the gateway cannot keep it");
}

/* What an Exec came to: a plan, a job that goes on by itself, or a refusal. */
static void executed(lw_errand *e, const odm_exec *x)
{
        client *c = e->c;

        if (x->plan) {
                e->plan = x->plan;
                lw_errand_go(e);
                return;
        }
        take_out(e);
        if (x->job) {
                promised(c, e->id, x);
        } else {
                lw_client_keep(c);
                reply(c->a, e->id, x->status, x->text);
        }
        lw_errand_free(e);
}

static void execute(lw_errand *e, odm_str path, odm_str arg, const odm_job_opt *opt)
{
        odm_exec x = {0};
        int rc;

        path = odm_arena_copy(&e->mem, path);
        arg = odm_arena_copy(&e->mem, arg);
        rc = e->mem.err ? e->mem.err
                        : odm_bridge_execute(e->c->bridge, path, arg, opt, loop_now(), &e->mem, &x);
        if (rc < 0)
                go(e, rc);
        else
                executed(e, &x);
}

void lw_errand_execute(void *a, uint64_t id, gw_device *d, void *native, odm_str path, odm_str arg,
                       odm_str correlator, int64_t deadline_ms)
{
        lw_errand *e = begin(a, d, id, deadline_ms);
        const odm_job_opt opt = {.correlator = correlator};

        (void)native;
        if (e)
                execute(e, path, arg, &opt);
}

/* The first account it has for a server: /1/0 mostly, another after a bootstrap. */
static uint16_t first_account(const client *c)
{
        odm_lw_links l = {.n = 0};
        odm_arena mem;
        uint16_t id = 0;

        odm_arena_init(&mem, &heap_mem, ERRAND_MEMORY);
        if (odm_lw_links_parse(odm_cstr(c->links), ODM_ABSENT, &mem, &l) < 0)
                l.n = 0;
        for (size_t i = l.n; i-- > 0;)
                if (l.v[i].path.depth == 2 && l.v[i].path.id[0] == 1)
                        id = l.v[i].path.id[1];
        odm_arena_done(&mem);
        return id;
}

void lw_errand_wake(void *a, uint64_t id, gw_device *d, void *native, odm_str notification,
                    odm_str server_id)
{
        lw_errand *e;

        (void)native;
        (void)server_id;
        if (notification.p && notification.n) {
                lw_reply_text(a, id, ODM_ST_UNSUPPORTED, "no package 0 with LwM2M");
                return;
        }
        e = begin(a, d, id, REQUEST_MS);
        if (e)
                execute(e, odm_arena_fmt(&e->mem, "./LwM2M/1/%u/8", first_account(e->c)),
                        ODM_ABSENT, &(odm_job_opt){0});
}

void lw_errand_cancel(void *ctx, uint64_t id)
{
        lwm2m *a = ctx;

        for (lw_errand *e = *chain_of(a, id); e; e = e->chain)
                if (e->id == id && id) {
                        lw_errand_free(e);
                        return;
                }
}
