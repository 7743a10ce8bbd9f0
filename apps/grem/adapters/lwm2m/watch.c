/* SPDX-License-Identifier: Apache-2.0 */
/* Observations, and what devices tell by themselves. */
#include <stdlib.h>

#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

#define RETELL_MS 2000 /* until a device is looked at again, whose alert could not be kept */

static watch *find(client *c, odm_lw_path path)
{
        for (watch *w = c->watches; w; w = w->next)
                if (odm_lw_path_eq(w->path, path))
                        return w;
        return NULL;
}

static void take_out(watch *w)
{
        client *c = w->c;
        watch **at = &c->watches;

        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        c->n_watches--;
        free(w);
}

static int observe(watch *w);

/* A device that has not the format asked for may choose one. */
static bool again(watch *w, const odm_lw_answer *r)
{
        if (w->told || w->accept == ODM_LW_NO_CT || r->code != ODM_COAP_NOT_ACCEPTABLE)
                return false;
        w->accept = ODM_LW_NO_CT;
        return observe(w) == 0;
}

/* Of them nothing says much: that there are none. */
static bool is_of_gateways(odm_lw_path p)
{
        return p.depth == 1 && p.id[0] == LW_GATEWAY;
}

static void on_told(void *ctx, co_end_of why, const co_msg *m)
{
        watch *w = ctx;
        client *c = w->c;
        lw_errand *first = w->first;
        odm_lw_answer r = lw_send_answer(why, m);
        odm_lw_path path = w->path;
        bool good = why == CO_REPLY && co_class(m->code) == 2;
        bool news = w->told && good;

        if (again(w, &r))
                return;
        /* `w` may go with any word to others. */
        w->told = true;
        w->first = NULL;
        if (!good || m->observe < 0)
                take_out(w); /* it is over; or the device does not do it, but tells the value */
        if (first) {
                first->watching = NULL;
                lw_errand_answered(first, &r);
        }
        if (why == CO_SILENT)
                lw_client_silent(c);
        if (news) {
                c->a->notifications++;
                lw_client_heard(c);
        }
        if (good && (m->body.n || is_of_gateways(path)))
                lw_watch_tell(c, path, r.ct, m->body);
}

static int observe(watch *w)
{
        const odm_lw_request rq = {
                .verb = ODM_LW_OBSERVE, .path = w->path, .ct = ODM_LW_NO_CT, .accept = w->accept};

        return lw_send_ask(w->c, &rq, NULL, REQUEST_MS, on_told, w, &w->ask);
}

unsigned lw_watch_format(const client *c, odm_lw_path path)
{
        const odm_lw_resource *r =
                path.depth == 3 ? odm_lw_resource_find(c->a->registry, path.id[0], path.id[2])
                                : NULL;

        if (path.depth > 3 || (r && !r->multiple))
                return ODM_LW_NO_CT;
        if (c->cts == 0 || c->cts & ODM_LW_CAN_TLV)
                return ODM_LW_TLV;
        if (c->cts & ODM_LW_CAN_SENML_CBOR)
                return ODM_LW_SENML_CBOR;
        return c->cts & ODM_LW_CAN_SENML_JSON ? ODM_LW_SENML_JSON : ODM_LW_JSON;
}

int lw_watch_start(client *c, odm_lw_path path, unsigned accept, lw_errand *e)
{
        watch *w;
        int rc;

        lw_watch_stop(c, path); /* anew: its attributes may be others */
        if (c->n_watches >= WATCHES_MAX)
                return ODM_ELIMIT;
        w = calloc(1, sizeof *w);
        if (!w)
                return ODM_ENOMEM;
        *w = (watch){.next = c->watches, .c = c, .path = path, .accept = accept, .first = e};
        w->ordered = e && e->observes.p;
        rc = observe(w);
        if (rc < 0) {
                free(w);
                return rc;
        }
        c->watches = w;
        c->n_watches++;
        if (e)
                e->watching = w;
        return 0;
}

static void stop(watch *w)
{
        lw_errand *first = w->first;
        const odm_lw_answer none = {.ct = ODM_LW_NO_CT};

        lw_cancel(w->c->a, w->ask);
        take_out(w);
        if (first) {
                first->watching = NULL;
                lw_errand_answered(first, &none);
        }
}

void lw_watch_stop(client *c, odm_lw_path path)
{
        watch *w = find(c, path);

        if (w)
                stop(w);
}

void lw_watch_stop_all(client *c)
{
        while (c->watches)
                stop(c->watches);
}

/* ---- those that servers ordered ----------------------------------------------------------------------- */

static void note_status(client *c, odm_str name, unsigned status)
{
        if (odm_bridge_observed(c->bridge, name, status) < 0)
                log_error("no room for how an observation went", log_text("endpoint", c->ep));
        lw_client_keep(c);
}

static void on_ordered(lw_errand *e, const odm_plan_result *r)
{
        note_status(e->c, e->observes, r->status);
}

static void order(client *c, const odm_bridge_observation *o)
{
        lw_errand *e = o->there ? lw_errand_new(c, 0, REQUEST_MS) : NULL;

        if (!o->there) {
                note_status(c, o->name, ODM_ST_NOT_FOUND);
                return;
        }
        if (!e)
                return;
        e->observes = odm_arena_copy(&e->mem, o->name);
        e->over = on_ordered;
        if (e->observes.p && odm_plan_watch(c->bridge, o, &e->mem, &e->plan) == 0)
                lw_errand_go(e);
        else
                lw_errand_free(e);
}

static bool is_wanted(const client *c, odm_lw_path path)
{
        odm_bridge_observation v[ODM_BRIDGE_OBSERVE];
        odm_lw_path own[ODM_BRIDGE_WATCH];
        size_t n = odm_bridge_observations(c->bridge, v), m = odm_bridge_watch(c->bridge, own);
        bool wanted = false;

        for (size_t i = 0; i < n; i++)
                wanted = wanted || (v[i].there && odm_lw_path_eq(v[i].path, path));
        for (size_t i = 0; i < m; i++)
                wanted = wanted || odm_lw_path_eq(own[i], path);
        return wanted;
}

static watch *unwanted(const client *c)
{
        watch *w = c->watches;

        while (w && (!w->ordered || is_wanted(c, w->path)))
                w = w->next;
        return w;
}

void lw_watch_renew(client *c)
{
        odm_bridge_observation v[ODM_BRIDGE_OBSERVE];

        for (watch *w = unwanted(c); w; w = unwanted(c))
                stop(w);
        /* read anew each time: what is kept of one moves the others */
        for (size_t i = 0; i < odm_bridge_observations(c->bridge, v); i++)
                order(c, &v[i]);
}

/* ---- what is told ---------------------------------------------------------------------------------------- */

/* What could not be kept is found again by a look at what is observed: the first answer tells it.
 */
void lw_watch_retell(client *c)
{
        if (!c->retell || !c->record || !lw_client_awake(c))
                return;
        c->retell = false;
        lw_observe_all(c);
        lw_watch_renew(c);
}

static void on_retell(void *ctx)
{
        lwm2m *a = ctx;

        for (size_t i = 0; i < CHAINS; i++)
                for (client *c = a->by_name[i], *next; c; c = next) {
                        next = c->by_name;
                        lw_watch_retell(c);
                }
}

static void retell_later(client *c)
{
        lwm2m *a = c->a;

        c->retell = true;
        a->retell.fn = on_retell;
        a->retell.ctx = a;
        if (!a->retell.in &&
            loop_timer_set(a->loop, &a->retell, odm_time_add(loop_now(), RETELL_MS)) < 0)
                log_error("no memory for a timer");
}

/* 0, or why an alert is not durable. */
static int alert(client *c, const odm_alert *what, int64_t at)
{
        int rc = c->a->host.alert(c->a->host.ctx, c->record, what, (odm_wall){at});

        if (rc == 0)
                return 0;
        log_error("an alert waits", log_text("endpoint", c->ep), log_str("type", what->type),
                  log_err(rc));
        if (odm_bridge_untold(c->bridge, what) < 0)
                log_error("no memory: it is lost");
        retell_later(c);
        return rc;
}

static int pass_on(client *c, const odm_bridge_news *news)
{
        int worst = 0;
        lwm2m *a = c->a;
        odm_arena mem;
        adapter_node *v;

        odm_arena_init(&mem, &heap_mem, NEWS_MEMORY);
        v = news->nodes.n ? odm_arena_zget(&mem, news->nodes.n * sizeof *v) : NULL;
        for (size_t i = 0; v && i < news->nodes.n; i++) {
                const odm_bridge_node *n = &news->nodes.v[i];

                v[i] = (adapter_node){.path = n->path,
                                      .value = n->value,
                                      .has_data = n->has_data,
                                      .at = {n->t},
                                      .quality = ADAPTER_LIVE};
        }
        if (v)
                a->host.changed(a->host.ctx, c->record, v, news->nodes.n);
        odm_arena_done(&mem);
        for (size_t i = 0; i < news->n_alerts; i++) {
                int rc = alert(c, &news->alert[i], news->at[i]);

                worst = rc < 0 ? rc : worst;
        }
        return worst;
}

int lw_watch_take(client *c, odm_lw_path at, unsigned ct, odm_str payload)
{
        odm_lw_frame f = {.reg = c->a->registry, .at = at};
        odm_arena mem;
        odm_lw_list list;
        odm_bridge_news news = {.n_alerts = 0};
        int rc;

        odm_arena_init(&mem, &heap_mem, NEWS_MEMORY);
        if (c->root[0])
                f.root = odm_arena_fmt(&mem, "/%s", c->root);
        rc = odm_lw_decode(&f, ct, payload, &mem, &list);
        if (rc == 0)
                rc = odm_bridge_told(c->bridge, &list, loop_now(), &mem, &news);
        if (rc < 0)
                log_warn("what a device tells cannot be read", log_text("endpoint", c->ep),
                         log_err(rc));
        else if (c->record)
                rc = pass_on(c, &news);
        if (rc == 0 && is_of_gateways(at) && !c->front)
                lw_behind_learn(c, &list);
        odm_arena_done(&mem);
        lw_client_keep(c);
        return rc;
}

void lw_watch_tell(client *c, odm_lw_path at, unsigned ct, odm_str payload)
{
        (void)!lw_watch_take(c, at, ct, payload);
        lw_work_pump(c);
}
