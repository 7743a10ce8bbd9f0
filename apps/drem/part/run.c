/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of DiagMon functions: samples at their interval, reports at theirs, and an end
 * (mo-diagmon.md 3 to 5).  What acts (ping, checks, counters) does so in action.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "part/diagmon.h"
#include "part/ring.h"

#define KBYTE 1000
#define SERVERS 16 /* of one function that are told */

static char *copy(odm_str s)
{
        return s.p ? strndup(s.p, s.n) : NULL;
}

odm_str run_arg(const run *r, const char *name)
{
        size_t n = strlen(name);

        for (const char *at = r->args; at && *at;) {
                size_t line = strcspn(at, "\n");
                if (line > n && strncmp(at, name, n) == 0 && at[n] == '=')
                        return (odm_str){at + n + 1, line - n - 1};
                at += line + (at[line] != 0);
        }
        return ODM_ABSENT;
}

static int64_t number(const run *r, const char *name)
{
        uint64_t n = 0;

        return odm_str_u64(run_arg(r, name), INT64_MAX / 2000, &n) < 0 ? 0 : (int64_t)n;
}

static void take_out(run *r)
{
        run **at = &r->g->runs;

        while (*at && *at != r)
                at = &(*at)->next;
        if (*at)
                *at = r->next;
}

static void free_run(run *r)
{
        if (r->acting && r->f->quit)
                r->f->quit(r);
        take_out(r);
        loop_timer_stop(&r->sample);
        loop_timer_stop(&r->report);
        loop_timer_stop(&r->limit);
        free(r->object);
        free(r->server);
        free(r->correlator);
        free(r->args);
        free(r);
}

void run_free_all(diagmon *g)
{
        while (g->runs)
                free_run(g->runs);
}

/* ---- who is told ------------------------------------------------------------------------------- */

typedef struct listed {
        char *server[SERVERS];
        size_t n;
} listed;

static int add_listed(void *ctx, odm_str server)
{
        listed *l = ctx;

        for (size_t i = 0; i < l->n; i++)
                if (odm_str_is(server, l->server[i]))
                        return 0;
        if (l->n == SERVERS)
                return 0;
        l->server[l->n] = copy(server);
        return l->server[l->n] ? (l->n++, 0) : ODM_ENOMEM;
}

/* Those the function lists; none, then who started it (mo-diagmon.md 5). */
static void list_servers(const run *r, listed *l)
{
        *l = (listed){.n = 0};
        (void)ring_servers(r->g->host, r->f->f.name, add_listed, l);
        if (l->n == 0 && r->server)
                (void)add_listed(l, odm_cstr(r->server));
}

static void free_listed(listed *l)
{
        while (l->n)
                free(l->server[--l->n]);
}

static void report(run *r)
{
        listed l;

        if (samples_of(r->g->samples, r->id) == 0)
                return;
        samples_due(r->g->samples, r->id);
        list_servers(r, &l);
        for (size_t i = 0; i < l.n; i++)
                r->g->host->tell(r->g->host->ctx, odm_cstr(l.server[i]));
        free_listed(&l);
}

/* ---- samples ------------------------------------------------------------------------------------ */

static int keep_for(run *r, const char *server, const pairs *data, odm_wall now)
{
        samples *s = r->g->samples;
        char path[160];
        sample_head h = {.task = r->id,
                         .server = odm_cstr(server),
                         .correlator = odm_cstr(r->correlator),
                         .at = now};
        int rc;

        snprintf(path, sizeof path, "%s/DiagMonData", r->object);
        h.data = odm_cstr(path);
        rc = samples_begin(s, &h);
        for (size_t i = 0; i < data->n && rc == 0; i++)
                rc = samples_leaf(s, data->list[i].rel, diagmon_format(r->f, data->list[i].rel),
                                  data->list[i].text);
        return rc == 0 || rc == ODM_ELIMIT ? samples_end(s, NULL) : rc;
}

void run_sample(run *r, const pairs *data)
{
        odm_wall now = loop_wall();
        listed l;

        if (data->n == 0)
                return;
        list_servers(r, &l);
        for (size_t i = 0; i < l.n; i++) {
                int rc = keep_for(r, l.server[i], data, now);
                if (rc < 0)
                        log_error("a sample cannot be kept", log_text("object", r->object),
                                  log_text("reason", odm_err_text(rc)));
        }
        free_listed(&l);
}

/* ---- the end ------------------------------------------------------------------------------------ */

typedef struct others {
        const diagmon *g;
        odm_str ordered_by;
        odm_alert alert;
} others;

static int tell_other(void *ctx, odm_str server)
{
        const others *o = ctx;

        if (odm_str_eq(server, o->ordered_by))
                return 0;
        return o->g->host->alert(o->g->host->ctx, server, &o->alert);
}

void run_tell_others(const diagmon *g, const function *f, const char *object, odm_str ordered_by,
                     odm_str correlator, unsigned result)
{
        char text[16];
        others o = {.g = g,
                    .ordered_by = ordered_by,
                    .alert = {.code = ODM_ALERT_GENERIC,
                              .type = ODM_STR("urn:oma:at:diagmon:1.0:OperationComplete"),
                              .source = odm_cstr(object),
                              .format = ODM_FMT_INT,
                              .correlator = correlator}};

        snprintf(text, sizeof text, "%u", result);
        o.alert.data = odm_cstr(text);
        o.alert.mark = result < 1300 ? ODM_STR("informational") : ODM_STR("critical");
        if (ring_servers(g->host, f->f.name, tell_other, &o) < 0)
                log_error("a listed server is not told of a result", log_text("object", object));
}

static void finish(run *r, odm_task_cause cause, const char *note)
{
        const part_host *h = r->g->host;
        const odm_task_end e = {.cause = cause, .note = odm_cstr(note)};
        uint32_t id = r->id;

        if (r->complete)
                report(r);
        else
                samples_drop(r->g->samples, id);
        if (run_arg(r, "DiagDataURL").n == 0) /* else its delivery ends it */
                run_tell_others(r->g, r->f, r->object, odm_cstr(r->server), odm_cstr(r->correlator),
                                odm_diag_result(cause, false));
        free_run(r);
        (void)h->done(h->ctx, id, &e);
}

static void set_timer(run *r, loop_timer *t, int64_t ms)
{
        if (loop_timer_set(r->g->host->loop, t, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer", log_text("object", r->object));
}

static bool is_full(const run *r)
{
        return r->memory && samples_of(r->g->samples, r->id) > r->memory;
}

/* False when that was the end of the run. */
static bool sample_now(run *r)
{
        const pairs *data;
        int rc = diagmon_read(r->g, r->f, 0, &data);

        if (rc < 0)
                log_error("a sample cannot be taken", log_text("object", r->object),
                          log_text("reason", odm_err_text(rc)));
        else
                run_sample(r, data);
        if (!is_full(r))
                return true;
        finish(r, ODM_CAUSE_NO_ROOM, "the run's memory is full");
        return false;
}

static void act(run *r)
{
        int rc;

        r->acting = true;
        rc = r->f->act(r);
        if (rc < 0) {
                r->acting = false;
                finish(r, ODM_CAUSE_FAILED, odm_err_text(rc));
        }
}

static void on_sample(void *ctx)
{
        run *r = ctx;

        set_timer(r, &r->sample, r->interval);
        if (!r->f->act)
                (void)sample_now(r);
        else if (!r->acting)
                act(r);
}

static void on_report(void *ctx)
{
        run *r = ctx;

        set_timer(r, &r->report, r->period);
        report(r);
}

static void complete(run *r)
{
        if (r->acting && r->f->round_off)
                r->f->round_off(r);
        finish(r, ODM_CAUSE_OK, NULL);
}

static void on_limit(void *ctx)
{
        run *r = ctx;

        if (!r->f->act && !r->interval && !sample_now(r))
                return;
        complete(r);
}

void run_acted(run *r, odm_task_cause cause, const char *note)
{
        r->acting = false;
        if (cause != ODM_CAUSE_OK)
                finish(r, cause, note);
        else if (is_full(r))
                finish(r, ODM_CAUSE_NO_ROOM, "the run's memory is full");
        else if (!r->interval)
                finish(r, ODM_CAUSE_OK, NULL);
}

void run_stop(diagmon *g, uint32_t id)
{
        const odm_task_end e = {.cause = ODM_CAUSE_OK};
        run *r = g->runs;

        while (r && r->id != id)
                r = r->next;
        if (r)
                complete(r);
        else /* the agent was started in between */
                (void)g->host->done(g->host->ctx, id, &e);
}

/* ---- the beginning ------------------------------------------------------------------------------- */

static run *new_run(diagmon *g, const function *f, const odm_task *t)
{
        run *r = calloc(1, sizeof *r);

        if (!r)
                return NULL;
        r->g = g;
        r->f = f;
        r->id = t->id;
        r->next = g->runs;
        g->runs = r;
        r->object = copy(t->object);
        r->server = copy(t->server);
        r->correlator = copy(t->correlator);
        r->args = t->args.n ? copy(t->args) : strdup("");
        r->sample = (loop_timer){.fn = on_sample, .ctx = r};
        r->report = (loop_timer){.fn = on_report, .ctx = r};
        r->limit = (loop_timer){.fn = on_limit, .ctx = r};
        if (!r->object || !r->args || (t->server.p && !r->server) ||
            (t->correlator.p && !r->correlator)) {
                free_run(r);
                return NULL;
        }
        return r;
}

int run_begin(diagmon *g, const function *f, const odm_task *t)
{
        run *r = new_run(g, f, t);
        int64_t until, now = loop_wall().s;

        if (!r)
                return ODM_ENOMEM;
        r->interval = number(r, "SampIntrvl") * 1000;
        r->period = number(r, "Period") * 1000;
        r->memory = (size_t)number(r, "DefMemory") * KBYTE;
        r->complete = !odm_str_is(run_arg(r, "OnComplete"), "false");
        until = number(r, "until");
        if (until)
                set_timer(r, &r->limit, until > now ? (until - now) * 1000 : 0);
        if (r->period)
                set_timer(r, &r->report, r->period);
        if (r->interval)
                set_timer(r, &r->sample, r->interval);
        if (f->act)
                act(r);
        else
                (void)sample_now(r);
        return 0;
}
