/* SPDX-License-Identifier: Apache-2.0 */
/* Packages of LwM2M devices: fetched over HTTP or CoAP, installed, and the faults that hit
 * them.  State and result of /5 as faults name them: lwm2m.md 5.1. */
#include <stdio.h>
#include <string.h>

#include "things_inner.h"

unsigned things_fumo_state(const thing *t)
{
        unsigned result = t->firmware.result;

        switch ((thing_fw)t->firmware.state) {
        case FW_IDLE:
                if (result == THING_OK)
                        return 100;
                return result == THING_FAILED ? 80 : result ? 20 : 10;
        case FW_DOWNLOADING: return 30;
        case FW_DOWNLOADED: return result ? 80 : 50;
        case FW_UPDATING: return 60;
        }
        return 0;
}

/* ---- faults ------------------------------------------------------------------------------- */

/* Fires the first fault of a kind that may still happen. */
static const fault *take(node *d, fault_kind kind)
{
        for (size_t k = 0; d->mine && k < d->all->s->n_faults; k++) {
                const fault *f = things_fault(d, k, kind);
                if (!f)
                        continue;
                things_fired(d, k);
                return f;
        }
        return NULL;
}

unsigned things_spoil(node *d, unsigned result)
{
        if (result != THING_OK)
                return result;
        return take(d, FAULT_BAD_DOWNLOAD) || take(d, FAULT_BAD_SIGNATURE) ? THING_CORRUPT : result;
}

/* UpdateResult for what a fault wants to be told. */
static unsigned result_for(odm_task_cause cause)
{
        switch (cause) {
        case ODM_CAUSE_OK: return THING_OK;
        case ODM_CAUSE_CORRUPT: return THING_CORRUPT;
        case ODM_CAUSE_NO_ROOM: return THING_NO_ROOM;
        case ODM_CAUSE_UNSUPPORTED: return THING_TYPE;
        default: return THING_FAILED;
        }
}

/* ---- downloads ------------------------------------------------------------------------------ */

static void settle_soon(node *d, unsigned result, int64_t ms)
{
        d->result = result;
        d->step = loop_now().ms + ms;
        things_plan(d);
}

/* So long on a slow link. */
static int64_t slow(node *d, size_t octets)
{
        const fault *f = take(d, FAULT_SLOW_LINK);

        return f ? (int64_t)octets * 1000 / f->rate : 0;
}

static void take_package(node *d, odm_str package)
{
        unsigned result = thing_look(&d->t, package, d->version);

        d->all->st.octets_in += package.n;
        d->t.rx += package.n;
        settle_soon(d, things_spoil(d, result), slow(d, package.n));
}

/* Asked again where that may help. */
static bool tries_again(node *d)
{
        if (++d->tries >= things_group(d)->tries)
                return false;
        d->step = loop_now().ms + things_group(d)->retry_ms;
        d->result = 0;
        things_plan(d);
        return true;
}

static void take_status(node *d, unsigned status, odm_str body)
{
        const fault *f = take(d, FAULT_HTTP);

        if (f)
                status = f->status;
        if (status == 200)
                take_package(d, body);
        else if (status < 500 && status >= 300)
                settle_soon(d, THING_URI, 0);
        else if (!tries_again(d))
                settle_soon(d, THING_LOST, 0);
}

static void on_http(void *ctx, const http_reply *r)
{
        node *d = ctx;

        take_status(d, r->rc < 0 ? 503 : r->status, r->body);
}

static void on_coap(void *ctx, co_end_of why, const co_msg *m)
{
        node *d = ctx;

        d->fetch = 0;
        if (why != CO_REPLY) {
                take_status(d, 503, ODM_ABSENT);
                return;
        }
        things_count(d, m->format);
        take_status(d, co_class(m->code) == 2 ? 200 : co_class(m->code) == 4 ? 404 : 503, m->body);
}

static int get_coap(node *d, const net_url *u)
{
        net_addr to;
        co_msg m;
        const char *query = strchr(u->target, '?');
        int rc = net_addr_parse(strcmp(u->host, "localhost") == 0 ? "127.0.0.1" : u->host,
                                u->port ? u->port : 5683, &to);

        if (rc < 0 || query)
                return ODM_EINVAL;
        co_msg_init(&m, CO_GET);
        m.path = odm_cstr(u->target + 1);
        return co_ask(d->end, &to, &m, NULL, on_coap, d, &d->fetch);
}

static int get_http(node *d)
{
        d->get = (download){.url = d->url, .fn = on_http, .ctx = d};
        return downloads_get(d->all->pool, &d->get);
}

static bool can_fetch(const node *d, const char *scheme)
{
        int bit = strcmp(scheme, "coap") == 0 ? 0 : strcmp(scheme, "http") == 0 ? 2 : -1;

        return bit >= 0 && (things_group(d)->protocols >> bit & 1);
}

static void fetch(node *d)
{
        net_url u;
        int rc = net_url_parse(odm_cstr(d->url), &u);

        if (rc == 0 && !can_fetch(d, u.scheme)) {
                settle_soon(d, THING_PROTOCOL, 0);
                return;
        }
        if (rc == 0)
                rc = u.scheme[0] == 'c' ? get_coap(d, &u) : get_http(d);
        if (rc < 0)
                settle_soon(d, THING_URI, 0);
}

/* ---- steps ----------------------------------------------------------------------------------- */

void things_step_begin(node *d)
{
        thing *t = &d->t;

        if (t->wants & THING_FETCH) {
                t->wants &= ~(unsigned)THING_FETCH;
                things_step_drop(d);
                (void)snprintf(d->url, sizeof d->url, "%s", t->order->uri ? t->order->uri : "");
                d->tries = 0;
                fetch(d);
        } else if (t->wants & THING_INSTALL) {
                t->wants &= ~(unsigned)THING_INSTALL;
                things_step_drop(d);
                settle_soon(d, THING_OK, things_group(d)->install_ms);
        }
}

/* New firmware is told of after the restart. */
static void installed(node *d)
{
        thing *t = &d->t;
        bool firmware = t->order == &t->firmware;
        const fault *f = take(d, FAULT_RESULT);
        unsigned result = f ? result_for(f->cause) : THING_OK;

        if (firmware && result == THING_OK) {
                d->trial = true;
                d->takes = !f;
                t->wants |= THING_REBOOT;
                return;
        }
        thing_installed(t, result, true);
        if (firmware)
                d->all->st.failed[result % THINGS_RESULTS]++;
        else
                d->all->st.programs++;
}

void things_step_boot(node *d)
{
        if (!d->trial)
                return;
        d->trial = false;
        d->t.order = &d->t.firmware;
        thing_installed(&d->t, THING_OK, d->takes);
        d->all->st.updated++;
}

void things_pushed(node *d)
{
        unsigned result = things_spoil(d, THING_OK);

        if (result == THING_OK)
                return;
        d->t.order = &d->t.firmware;
        thing_fetched(&d->t, result, "");
        d->all->st.failed[result]++;
}

void things_step_due(node *d)
{
        thing *t = &d->t;
        bool firmware = t->order == &t->firmware;
        bool fetches = t->order &&
                       t->order->state == (firmware ? (int)FW_DOWNLOADING : (int)SW_DOWNLOADING);

        d->step = NEVER;
        if (!t->order)
                return;
        if (fetches && d->result == 0) {
                fetch(d); /* once more */
                return;
        }
        if (fetches) {
                thing_fetched(t, d->result, d->version);
                if (firmware && d->result != THING_OK)
                        d->all->st.failed[d->result % THINGS_RESULTS]++;
        } else {
                installed(d);
        }
        things_settle(d);
}

void things_step_drop(node *d)
{
        downloads_drop(d->all->pool, &d->get);
        if (d->fetch && d->end)
                co_cancel(d->end, d->fetch);
        d->fetch = 0;
        d->step = NEVER;
}
