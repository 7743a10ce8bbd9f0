/* SPDX-License-Identifier: Apache-2.0 */
#include "part/request.h"

#include "log.h"
#include "rand.h"

static void make(request *r, enum request_by who)
{
        r->asking[who - 1] = true;
        r->answer = 0;
        r->h->tell(r->h->ctx, ODM_ABSENT);
}

static void set_timer(request *r, int64_t ms)
{
        if (loop_timer_set(r->h->loop, &r->again, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static void on_again(void *ctx)
{
        request *r = ctx;

        make(r, REQUEST_DEVICE);
        set_timer(r, r->every_ms);
}

void request_init(request *r, const part_host *h)
{
        r->h = h;
        r->again = (loop_timer){.fn = on_again, .ctx = r};
}

void request_plan(request *r, int64_t every_ms)
{
        r->every_ms = every_ms;
        if (every_ms > 0) /* a fleet that starts at once does not ask at once */
                set_timer(r, 1 + (int64_t)rand_below((uint64_t)every_ms));
}

void request_stop(request *r)
{
        loop_timer_stop(&r->again);
}

int request_alerts(const request *r, int (*fn)(void *at, const odm_alert *a), void *at)
{
        int rc = 0;

        for (size_t i = 0; i < ODM_COUNT(r->asking) && rc == 0; i++) {
                const odm_alert a = {.code = ODM_ALERT_GENERIC,
                                     .id = i + 1,
                                     .source = odm_cstr(r->source),
                                     .type = odm_cstr(r->types[i]),
                                     .format = ODM_FMT_CHR,
                                     .mark = ODM_STR("informational"),
                                     .data = ODM_STR("")};
                if (r->asking[i])
                        rc = fn(at, &a);
        }
        return rc;
}

/* 200: it will order something in this session; 202: not now.  A session that brings no answer
 * leaves it to the next one. */
void request_answered(request *r, uint64_t id, unsigned status)
{
        if (id < REQUEST_DEVICE || id > REQUEST_USER || !odm_alert_over(status))
                return;
        r->asking[id - 1] = false;
        r->answer = status;
        log_info("the server was asked", log_text("for", r->what),
                 log_text("by", id == REQUEST_USER ? "user" : "device"), log_int("status", status),
                 log_text("meaning", status == 200   ? "it gives an order"
                                     : status == 202 ? "it has none now"
                                                     : "it does not do that"));
}

int request_asked(request *r, odm_str word, odm_buf *b)
{
        if (!odm_str_is(word, r->word))
                return ODM_EUNSUPPORTED;
        make(r, REQUEST_USER);
        return odm_buf_fmt(b, "the server is asked for %s\n", r->what);
}

int request_status(const request *r, odm_buf *b)
{
        if (r->answer)
                return odm_buf_fmt(b, "%s: answered with %u\n", r->key, r->answer);
        return r->asking[0] || r->asking[1] ? odm_buf_fmt(b, "%s: waiting\n", r->key) : 0;
}
