/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: made, listed, shown, waited for, cancelled. */
#include "api_job.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "gateway.h"
#include "job_event.h"
#include "odm/msg.h"
#include "odm/result.h"
#include "reach.h"
#include "readable.h"

#define TTL_MAX 31536000
#define WAIT_MAX_S 300
#define KEY_MAX 255

/* ---- showing a job --------------------------------------------------------------- */

static bool put_job(json_t *o, const store_job *j, odm_str device)
{
        bool open = STORE_JOB_BIT(j->state) & STORE_JOB_OPEN;

        return json_object_set_new(o, "id", id_text(j->id)) == 0 && put_text(o, "device", device) &&
               put_text(o, "kind", j->kind) &&
               put_cstr(o, "state", store_job_state_name(j->state)) &&
               put_bool(o, "atomic", j->atomic) && put_int(o, "priority", j->priority) &&
               put_ms(o, "created", j->created) && put_ms(o, "changed", j->updated) &&
               put_ms(o, "started", j->started) && put_ms(o, "deadline", j->deadline) &&
               (open || put_ms(o, "ended", j->finished)) && put_int(o, "attempts", j->attempts) &&
               put_id(o, "session", j->session) && put_text(o, "correlator", j->correlator) &&
               (j->route.n == 0 || put_text(o, "route", j->route)) &&
               put_text(o, "actor", j->actor) &&
               (j->reason.n == 0 || put_text(o, "reason", j->reason));
}

bool put_value(call *c, json_t *o, const store_value *v, odm_str asked)
{
        bool hidden = c->role < TOKEN_ADMIN &&
                      gateway_has_addresses(v->uri.n ? v->uri : asked, v->format);

        return put_text(o, "uri", v->uri) && put_text(o, "format", v->format) &&
               put_text(o, "type", v->type) &&
               (!v->data.p || put_int(o, "size", (int64_t)v->data.n)) &&
               (hidden || command_value_put(o, v->format, v->data, &c->arena) == 0);
}

/* The items that the token may see: a list of nodes may hold those of other devices. */
static bool put_items(call *c, int64_t device, json_t *items, const store_result *r, odm_str uri)
{
        bool ok = true;

        for (size_t i = 0; ok && i < r->n_items; i++) {
                json_t *v;

                if (r->items[i].uri.n && !reach_shows(c, device, r->items[i].uri))
                        continue;
                v = json_object();
                ok = put_value(c, v, &r->items[i], uri);
                if (json_array_append_new(items, v) < 0)
                        ok = false;
        }
        return ok;
}

static bool put_result(call *c, int64_t device, json_t *o, const store_result *r)
{
        json_t *items = json_array();
        odm_str alert = command_alert_type(r->text);
        odm_str uri = odm_cstr(json_string_value(json_object_get(o, "uri")));
        const char *text =
                alert.p ? odm_result_text(alert, r->status) : odm_result_status(uri, r->status);
        bool ok = put_int(o, "status", r->status) && put_cstr(o, "status_text", text) &&
                  put_bool(o, "sent", r->sent) && (r->text.n == 0 || put_text(o, "why", r->text));

        ok = ok && put_items(c, device, items, r, uri);
        if (r->n_items == 0)
                json_decref(items);
        else if (json_object_set_new(o, "results", items) < 0)
                ok = false;
        return ok;
}

/* Whether what the command writes is a credential, or a document that may carry one. */
static bool writes_secret(call *c, const json_t *o, odm_str uri)
{
        odm_str text = odm_cstr(json_string_value(json_object_get(o, "data")));
        odm_str b64 = odm_cstr(json_string_value(json_object_get(o, "data_base64")));

        if (json_is_true(json_object_get(o, "secret")) || readable_is_secret(uri) ||
            readable_names_secret(text))
                return true;
        return b64.p && (odm_b64_decode(&c->arena, b64, &text) < 0 || readable_names_secret(text));
}

/* Walks the commands in document order, which is how results are numbered, and puts to each what
 * came of it.  Secrets that were written are not shown, nor what is of devices that the token does
 * not see. */
static bool put_results(call *c, int64_t device, json_t *list, const store_result_list *l,
                        uint32_t *index, size_t *at)
{
        json_t *o;
        size_t i;

        json_array_foreach(list, i, o)
        {
                uint32_t me = (*index)++;
                odm_str uri = odm_cstr(json_string_value(json_object_get(o, "uri")));
                bool shown = !device || !uri.p || reach_shows(c, device, uri);
                while (*at < l->n && l->v[*at].index < me)
                        ++*at;
                if (*at < l->n && l->v[*at].index == me && shown &&
                    !put_result(c, device, o, &l->v[*at]))
                        return false;
                if (!shown || writes_secret(c, o, uri)) {
                        (void)json_object_del(o, "data");
                        (void)json_object_del(o, "data_base64");
                }
                json_t *inner = json_object_get(o, "commands"); /* no deeper than two more */
                if (inner && !put_results(c, device, inner, l, index, at))
                        return false;
        }
        return true;
}

static bool put_commands(call *c, json_t *o, const store_job *j)
{
        store_result_list l = {0};
        json_t *list = json_loadb(j->commands.p ? j->commands.p : "[]",
                                  j->commands.p ? j->commands.n : 2, 0, NULL);
        uint32_t index = j->atomic ? 1 : 0; /* the Atomic around them is number 0 */
        size_t at = 0;
        bool ok = json_is_array(list) &&
                  store_job_results(c->api->opt.store, j->device, j->id, &c->arena, &l) == 0 &&
                  put_results(c, j->device, list, &l, &index, &at);

        return json_object_set_new(o, "commands", list) == 0 && ok;
}

static bool put_history(call *c, json_t *o, const store_job *j)
{
        store_note_list l = {0};
        json_t *list = json_array();
        bool ok = store_job_notes(c->api->opt.store, j->device, j->id, &c->arena, &l) == 0;

        for (size_t i = 0; ok && i < l.n; i++) {
                json_t *e = json_object();
                ok = put_ms(e, "time", l.v[i].at) &&
                     put_cstr(e, "state", store_job_state_name(l.v[i].state)) &&
                     put_text(e, "text", l.v[i].text);
                if (json_array_append_new(list, e) < 0)
                        ok = false;
        }
        return json_object_set_new(o, "history", list) == 0 && ok;
}

/* The job when the token may see its device; else false with the problem set. */
static bool find_job(call *c, int64_t id, store_job *j, odm_str *device)
{
        store_device d;
        int rc = store_job_get(c->api->opt.store, id, &c->arena, j);

        if (rc == 0)
                rc = store_device_get(c->api->opt.store, j->device, &c->arena, &d);
        if (rc == 0 && !call_sees(c, d.name))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no job %lld.", (long long)id);
        else if (rc != 0)
                problem_err(&c->problem, rc, "the job cannot be read");
        else
                *device = d.name;
        return rc == 0;
}

/* Ends the call with the job as it is now. */
static void send_job(call *c, int64_t id, unsigned status)
{
        store_job j;
        odm_str device;
        json_t *o;

        if (!find_job(c, id, &j, &device)) {
                call_fail(c);
                return;
        }
        o = json_object();
        if (!put_job(o, &j, device) || !put_commands(c, o, &j) || !put_history(c, o, &j)) {
                json_decref(o);
                problem_set(&c->problem, PROBLEM_INTERNAL, "The job cannot be shown.");
                call_fail(c);
                return;
        }
        call_reply(c, status, o);
}

static void on_job_seen(call *c, int rc)
{
        const int64_t *id = c->data;

        (void)rc; /* ended or not, gone or not: the job as it is says it */
        send_job(c, *id, 200);
}

void job_show(call *c)
{
        int64_t *id = odm_new(&c->arena, int64_t), wait;
        store_job j;
        odm_str device;

        if (!id || !call_id(c, c->param[0], "job", id) ||
            !call_query_int(c, "wait", 0, WAIT_MAX_S, 0, &wait)) {
                call_fail(c);
                return;
        }
        c->data = id;
        if (wait == 0)
                send_job(c, *id, 200);
        else if (find_job(c, *id, &j, &device))
                call_wait(c, *id, wait * 1000, on_job_seen);
        else
                call_fail(c);
}

/* ---- lists ----------------------------------------------------------------------- */

static bool append_job(call *c, json_t *items, const store_job *j)
{
        store_device d;
        json_t *o;
        int rc = store_device_get(c->api->opt.store, j->device, &c->arena, &d);

        if (rc == ODM_ENOENT || (rc == 0 && !call_sees(c, d.name)))
                return true; /* removed meanwhile, or not this token's: left out */
        if (rc < 0)
                return false;
        o = json_object();
        if (put_job(o, j, d.name))
                return json_array_append_new(items, o) == 0;
        json_decref(o);
        return false;
}

static void send_jobs(call *c, store_job_filter *f)
{
        odm_str state = call_query(c, "state");
        store_job_state s;
        store_job_list l = {0};
        json_t *items;
        int rc;

        if (state.p && !store_job_state_parse(state, &s))
                problem_at(&c->problem, "state", "is none of a job's states");
        if (problem_is(&c->problem) || !call_page(c, &f->limit, &f->before)) {
                call_fail(c);
                return;
        }
        f->no_commands = true;
        f->states = state.p ? STORE_JOB_BIT(s) : 0;
        rc = store_job_find(c->api->opt.store, f, &c->arena, &l);
        if (rc < 0) {
                call_refused(c, "the jobs cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (!append_job(c, items, &l.v[i])) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200, page_new(items, l.more ? id_text(l.v[l.n - 1].id) : NULL));
}

void device_job_list(call *c)
{
        store_device d;
        store_job_filter f = {0};

        if (!call_device(c, &d)) {
                call_fail(c);
                return;
        }
        f.device = d.id;
        send_jobs(c, &f);
}

void job_list(call *c)
{
        odm_str name = call_query(c, "device");
        store_device d;
        store_job_filter f = {0};

        if (name.p) {
                c->param[0] = name;
                if (!call_device(c, &d)) {
                        call_fail(c);
                        return;
                }
                f.device = d.id;
        }
        send_jobs(c, &f);
}

/* ---- making one ------------------------------------------------------------------ */

static odm_str dump(call *c, const json_t *list)
{
        char *text = json_dumps(list, JSON_COMPACT);
        odm_str s = ODM_ABSENT;

        if (text)
                s = odm_arena_copy(&c->arena, odm_cstr(text));
        free(text);
        return s;
}

store_op *job_put(call *c, store_batch *b, const store_device *d, json_t *list, store_job job)
{
        store_op *op = NULL, *note;

        job.device = d->id;
        job.correlator = ODM_ABSENT;
        job.state = STORE_JOB_QUEUED;
        job.max_attempts = c->api->opt.job_attempts;
        job.actor = c->who.name;
        job.created = job.updated = c->now;
        if (command_correlate(list, &c->arena, &job.correlator) < 0 ||
            !(job.commands = dump(c, list)).p) {
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        } else if (call_op(c, b, STORE_JOB_CREATE, &op) && call_op(c, b, STORE_JOB_NOTE, &note)) {
                op->job = job;
                note->note.device = d->id;
                note->note.job = STORE_LAST;
                note->note.n.at = c->now;
                note->note.n.text = odm_arena_join(&c->arena, ODM_STR("made by "), c->who.name);
                if (note->note.n.text.p)
                        return op;
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        }
        store_batch_free(b);
        return NULL;
}

typedef struct making {
        store_op *op;
        odm_str device;
        int64_t device_id, wait, id;
        store_job job;
} making;

static void read_job(call *c, making *m, const json_t **list)
{
        jread r;
        int64_t priority = 0, ttl = 0;
        odm_wall deadline;

        jread_init(&r, c->body, "", &c->problem);
        if (jread_list(&r, "commands", 1, COMMANDS_MAX, list) == 0)
                (void)jread_missing(&r, "commands");
        (void)jread_bool(&r, "atomic", &m->job.atomic);
        (void)jread_int(&r, "priority", -100, 100, &priority);
        (void)jread_int(&r, "wait", 0, WAIT_MAX_S, &m->wait);
        int has_ttl = jread_int(&r, "ttl", 1, TTL_MAX, &ttl);
        int has_deadline = jread_wall(&r, "deadline", &deadline);
        jread_end(&r);
        if (has_ttl == 1 && has_deadline == 1)
                (void)jread_wrong(&r, "deadline", "ttl is given too: one of them");
        m->job.priority = (int32_t)priority;
        m->job.deadline = has_deadline == 1            ? deadline.s * 1000
                          : has_ttl == 1               ? c->now + ttl * 1000
                          : c->api->opt.job_ttl_ms > 0 ? c->now + c->api->opt.job_ttl_ms
                                                       : 0;
        if (has_deadline == 1 && m->job.deadline <= c->now)
                (void)jread_wrong(&r, "deadline", "is in the past");
}

/* The request came again: the job of the first one answers. */
static void on_job_again(call *c, int rc)
{
        const making *m = c->data;

        (void)rc;
        send_job(c, m->id, 200);
}

/* By such keys the fleet's parts know what became of their own jobs. */
static bool is_of_the_server(odm_str key)
{
        static const char *const begins[] = {"campaign/", "collect/", "gateway/", "rule/",
                                             "template/"};

        for (size_t i = 0; i < ODM_COUNT(begins); i++)
                if (odm_str_starts(key, begins[i]))
                        return true;
        return false;
}

static bool read_key(call *c, odm_str *out)
{
        odm_str key = httpd_field(c->req, "Idempotency-Key");

        if (key.p && (key.n == 0 || key.n > KEY_MAX || !odm_utf8_ok(key)))
                problem_at(&c->problem, "Idempotency-Key", "has to be 1 to 255 octets of text");
        else if (is_of_the_server(key))
                problem_at(&c->problem, "Idempotency-Key",
                           "begins as those of the server's own jobs do");
        *out = odm_arena_copy(&c->arena, key);
        return !problem_is(&c->problem);
}

static void on_job_waited(call *c, int rc)
{
        const making *m = c->data;

        (void)rc;
        send_job(c, m->id, 201);
}

/* As it was made, without asking the store: this is the writer's thread. */
static json_t *fresh_job(call *c, const making *m)
{
        static const store_result_list none;
        store_job j = m->job;
        json_t *o = json_object(), *list = json_object_get(c->body, "commands");
        uint32_t index = 0;
        size_t at = 0;

        j.id = m->id;
        if (put_job(o, &j, m->device) && put_results(c, 0, list, &none, &index, &at) &&
            json_object_set(o, "commands", list) == 0)
                return o;
        json_decref(o);
        return NULL;
}

static void on_job_made(call *c, store_batch *b, int rc)
{
        making *m = c->data;
        const api_hooks *h = &c->api->opt.hooks;

        (void)b;
        if (rc == ODM_EEXIST && m->job.key.p) {
                m->id = m->op->id;
                call_wait(c, m->id, m->wait * 1000, on_job_again);
                return;
        }
        if (rc == ODM_ELIMIT)
                problem_set(&c->problem, PROBLEM_STATE,
                            "Too many jobs of this device wait already.");
        if (rc < 0) {
                call_refused(c, "the job cannot be kept", rc);
                return;
        }
        m->id = m->op->id;
        metrics_add(c->api->opt.metrics, METRIC_JOBS_CREATED, 1);
        if (h->job_created)
                h->job_created(h->ctx, m->device_id, m->id);
        c->location = odm_arena_fmt(&c->arena, "/api/v1/jobs/%lld", (long long)m->id);
        if (m->wait > 0)
                call_wait(c, m->id, m->wait * 1000, on_job_waited);
        else
                call_reply(c, 201, fresh_job(c, m));
}

void job_create(call *c)
{
        making *m = odm_new(&c->arena, making);
        const json_t *list = NULL;
        store_device d;
        store_batch *b;

        if (!m || !call_device(c, &d)) {
                call_fail(c);
                return;
        }
        read_job(c, m, &list);
        (void)read_key(c, &m->job.key);
        if (list)
                (void)(command_check(list, m->job.atomic, &c->problem) &&
                       reach_commands(c, d.id, list));
        if (problem_is(&c->problem)) {
                call_fail(c);
                return;
        }
        c->data = m;
        m->device = d.name;
        m->device_id = d.id;
        m->job.kind = odm_cstr(command_kind(list));
        b = call_batch(c, "job.create", d.id, d.name, m->job.kind.p);
        if (b)
                m->op = job_put(c, b, &d, json_object_get(c->body, "commands"), m->job);
        if (!m->op) {
                call_fail(c);
                return;
        }
        m->job = m->op->job;
        call_commit(c, b, on_job_made);
}

/* ---- cancelling ------------------------------------------------------------------ */

static void on_cancelled(call *c, store_batch *b, int rc)
{
        int64_t *id = c->data;

        (void)b;
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE, "The job has ended already.");
        if (rc < 0) {
                call_refused(c, "the job cannot be cancelled", rc);
                return;
        }
        metrics_add(c->api->opt.metrics, METRIC_JOBS_CANCELLED, 1);
        api_job_moved(c->api, *id);
        call_wait(c, *id, 0, on_job_seen); /* to read it on the loop, off the writer's thread */
}

void job_cancel(call *c)
{
        int64_t *id = odm_new(&c->arena, int64_t);
        store_job j = {0};
        odm_str device = ODM_ABSENT;
        store_batch *b;
        store_op *op, *note;

        if (!id || !call_id(c, c->param[0], "job", id) || !find_job(c, *id, &j, &device)) {
                call_fail(c);
                return;
        }
        c->data = id;
        b = call_batch(c, "job.cancel", j.device, c->param[0], device.p);
        if (b && call_op(c, b, STORE_JOB_MOVE, &op) && call_op(c, b, STORE_JOB_NOTE, &note) &&
            job_event_add(b, &j, STORE_JOB_CANCELLED, "cancelled by an operator", c->now) == 0) {
                op->job_move = (store_job_move){.device = j.device,
                                                .job = j.id,
                                                .from = STORE_JOB_OPEN,
                                                .expect_attempts = -1,
                                                .to = STORE_JOB_CANCELLED,
                                                .reason = ODM_STR("cancelled by an operator"),
                                                .at = c->now};
                note->note.device = j.device;
                note->note.job = j.id;
                note->note.n.at = c->now;
                note->note.n.state = STORE_JOB_CANCELLED;
                note->note.n.text =
                        odm_arena_join(&c->arena, ODM_STR("cancelled by "), c->who.name);
                call_commit(c, b, on_cancelled);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}
