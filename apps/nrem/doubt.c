/* SPDX-License-Identifier: Apache-2.0 */
/* Execs of lost sessions: did the device, or the gateway, ever get them?
 *
 * A device of ours keeps each accepted Exec in ./Vendor/Task until we have answered its final alert
 * (task.h).  That answer leaves after the alert is durable here.  So, once the alerts of a session
 * are matched: an Exec that is in the list was accepted, and one that is not and was never told of
 * did not arrive.  Only then it is sent again.
 *
 *     names of ./Vendor/Task -> Exec and Correlator of each -> jobs moved
 *
 * A gateway tells of its fan-outs and images by their State, which is 0 until they are begun; each
 * has a node of its own, which it keeps until we delete it.  Those States are asked for with the
 * names; and of an image, whose node may be left from an order before, the Correlator of its last
 * one.
 *
 * A refusal of any of it leaves everything as it is: the device has no such list, or we may not
 * read it. */
#include <string.h>

#include "dm_inner.h"
#include "heap.h"
#include "log.h"

#define LIST "./Vendor/Task"
#define TASKS_MOST 64 /* twice what a device of ours keeps */
#define JOBS_MOST 200
#define STATES_MOST 64
#define DOUBT_MEMORY ((size_t)256 << 20)

typedef enum asking { ASK_NAMES, ASK_LEAVES, ASK_NO_MORE } asking;

typedef struct stated { /* an Exec of a gateway that has a State */
        odm_str uri, correlator, state;
        odm_str mark; /* absent: it has none */
        bool known, begun;
        bool others; /* what its State tells of is another Exec */
} stated;

struct doubt {
        asking next;
        stated *v; /* n_v of them; questions behind the list */
        size_t n_v;
        bool list;      /* the list is asked for */
        odm_job job;    /* what was asked last */
        bool known;     /* all of it is answered as it should be, so far */
        job_task *task; /* n of them, in the order of the list */
        size_t n, leaves;
        odm_str names; /* "1/4/5" */
};

/* ---- the jobs ---------------------------------------------------------------------------- */

typedef struct doubted {
        store_job *job;
        job_commands all;
        job_answer *ans;
        uint32_t *exec, n; /* the Execs in doubt */
} doubted;

static bool is_ours(const session *s, int64_t job)
{
        for (const live *l = s->jobs; l; l = l->next)
                if (l->job.id == job)
                        return true;
        return false;
}

typedef void look_fn(session *s, doubted *d, void *ctx);

/* False: no memory. */
static bool one(session *s, int64_t job, odm_arena *a, look_fn *fn, void *ctx)
{
        store_job j;
        doubted d = {.job = &j};
        int rc = store_job_get(s->dm->opt.store, job, a, &j);

        if (rc == 0)
                rc = work_load(s->dm, &j, a, &d.all, &d.ans);
        if (rc == ODM_EMALFORMED || rc == ODM_ENOENT)
                return true;
        d.exec = rc < 0 ? NULL : odm_arena_get(a, d.all.n * sizeof *d.exec);
        if (!d.exec)
                return false;
        d.n = job_in_doubt(&d.all, d.ans, d.exec);
        fn(s, &d, ctx);
        return true;
}

/* Calls fn for each job that `states` finds, which it knows one at a time; false: no memory. */
static bool each(session *s, uint32_t states, look_fn *fn, void *ctx)
{
        store_job_filter f = {.device = s->device.id,
                              .states = states,
                              .limit = JOBS_MOST,
                              .in_order = true,
                              .no_commands = true};
        store_job_list l = {0};
        odm_arena all;
        bool ok;

        odm_arena_init(&all, &heap_mem, DOUBT_MEMORY);
        ok = store_job_find(s->dm->opt.store, &f, &all, &l) == 0;
        for (size_t i = 0; i < l.n && ok; i++) {
                odm_arena a;

                if (l.v[i].session == s->id || is_ours(s, l.v[i].id))
                        continue; /* or an alert told of it just now */
                odm_arena_init(&a, &heap_mem, DOUBT_MEMORY);
                ok = one(s, l.v[i].id, &a, fn, ctx);
                odm_arena_done(&a);
        }
        odm_arena_done(&all);
        return ok;
}

static void move(session *s, const doubted *d, const job_verdict *v)
{
        if (!session_batch_arena(s) ||
            !work_move(s->batch, d->job, STORE_JOB_BIT(STORE_JOB_WAITING), v->to, v->reason,
                       s->turn->at)) {
                session_failed(s);
                return;
        }
        s->urgent = true;
        work_count(s->dm, v->to, d->job, s->turn->at);
        if (v->to == STORE_JOB_QUEUED)
                s->look = s->put_back = true; /* to be claimed when the batch is durable */
}

/* What is to be asked about the job. */
static void want(session *s, const doubted *d)
{
        doubt *q = s->doubt;

        for (uint32_t i = 0; i < d->n; i++) {
                const odm_command *c = d->all.flat[d->exec[i]].c;
                odm_str state = job_exec_state(job_uri(c), &s->a);
                if (!state.p) {
                        q->list = true;
                } else if (q->n_v < STATES_MOST) {
                        q->v[q->n_v++] =
                                (stated){.uri = odm_arena_copy(&s->a, job_uri(c)),
                                         .correlator = odm_arena_copy(&s->a, c->correlator),
                                         .state = state,
                                         .mark = job_exec_mark(job_uri(c), &s->a)};
                }
        }
        if (s->a.err)
                session_failed(s);
}

/* One that was told of in a message whose package never ended has no more to wait for. */
static void look_at(session *s, doubted *d, void *ctx)
{
        job_verdict v;

        if (d->n) {
                *(bool *)ctx = true;
                want(s, d);
        } else if (d->job->state == STORE_JOB_WAITING && job_is_told(&d->all, d->ans)) {
                job_told(&d->all, d->ans, &v);
                move(s, d, &v);
        }
}

static bool any_in_doubt(session *s)
{
        bool any = false;

        if (!each(s, STORE_JOB_BIT(STORE_JOB_WAITING) | STORE_JOB_BIT(STORE_JOB_IN_SESSION),
                  look_at, &any))
                session_failed(s);
        return any;
}

static const stated *state_of(const doubt *q, const odm_command *c)
{
        for (size_t i = 0; i < q->n_v; i++)
                if (odm_str_eq(q->v[i].uri, job_uri(c)) &&
                    odm_str_eq(q->v[i].correlator, c->correlator))
                        return &q->v[i];
        return NULL;
}

static bool list_known(const doubt *q)
{
        return q->known && q->leaves == 2 * q->n;
}

/* Whether all of its Execs are known to have begun, or not to. */
static bool is_told(const doubt *q, const doubted *d)
{
        for (uint32_t i = 0; i < d->n; i++) {
                const odm_command *c = d->all.flat[d->exec[i]].c;
                const stated *v = state_of(q, c);
                if (!(v ? v->known : job_exec_is_task(job_uri(c)) && list_known(q)))
                        return false;
        }
        return true;
}

static bool has_begun(const doubt *q, const odm_command *c)
{
        const stated *v = state_of(q, c);

        return v ? v->begun && !v->others : job_is_kept(c, q->task, q->n);
}

static void judge(session *s, doubted *d, void *ctx)
{
        const doubt *q = ctx;
        job_verdict v;

        if (d->n == 0 || !is_told(q, d))
                return;
        for (uint32_t i = 0; i < d->n; i++) {
                if (!has_begun(q, d->all.flat[d->exec[i]].c))
                        continue;
                d->ans[d->exec[i]] =
                        (job_answer){.has = true, .pending = true, .status = ODM_ST_ACCEPTED};
                work_put_result(s, d->job, d->exec[i],
                                &(store_result){.status = ODM_ST_ACCEPTED,
                                                .sent = true,
                                                .text = ODM_STR("it is among the device's tasks; "
                                                                "its answer was lost")});
        }
        job_doubt_over(&d->all, d->ans, d->job->attempts, d->job->max_attempts, &v);
        if (v.to == STORE_JOB_QUEUED)
                log_info("an Exec did not arrive", log_str("device", s->device.name),
                         log_int("job", d->job->id));
        move(s, d, &v);
}

static void judge_all(session *s)
{
        if (!each(s, STORE_JOB_BIT(STORE_JOB_WAITING), judge, s->doubt))
                session_failed(s);
}

/* ---- the questions ----------------------------------------------------------------------- */

static bool add_get(session *s, odm_str uri, odm_command ***end)
{
        odm_command *c = uri.p ? work_get_of(&s->a, uri) : NULL;

        if (!c)
                return false;
        **end = c;
        *end = &c->next;
        return true;
}

/* Exec and Correlator of each task; or the names of all, and the States of gateways' own. */
static odm_command *questions(session *s)
{
        doubt *q = s->doubt;
        odm_command *list = NULL, **end = &list;
        odm_str rest = q->names;
        bool ok = true;

        if (q->next == ASK_NAMES && q->list)
                ok = add_get(s, ODM_STR(LIST), &end);
        for (size_t i = 0; ok && q->next == ASK_NAMES && i < q->n_v; i++)
                ok = add_get(s, q->v[i].state, &end) &&
                     (!q->v[i].mark.p || add_get(s, q->v[i].mark, &end));
        for (size_t i = 0; ok && i < q->n; i++) {
                const char *slash = memchr(rest.p, '/', rest.n);
                odm_str name = odm_str_to(rest, slash ? (size_t)(slash - rest.p) : rest.n);
                rest = odm_str_from(rest, name.n + 1);
                ok = add_get(s, odm_arena_fmt(&s->a, LIST "/%.*s/Exec", (int)name.n, name.p),
                             &end) &&
                     add_get(s, odm_arena_fmt(&s->a, LIST "/%.*s/Correlator", (int)name.n, name.p),
                             &end);
        }
        return ok ? list : NULL;
}

bool doubt_ask(session *s)
{
        doubt *q = s->doubt;

        if (!q) {
                q = s->doubt = odm_arena_zget(&s->a, sizeof *q);
                if (q)
                        q->v = odm_arena_zget(&s->a, STATES_MOST * sizeof *q->v);
                if (!q || !q->v)
                        session_failed(s);
                else if (!any_in_doubt(s))
                        q->next = ASK_NO_MORE;
        }
        if (!q || s->failed || q->next == ASK_NO_MORE)
                return false;
        /* what is behind it waits: the oldest Exec is to be the first */
        q->job = (odm_job){.id = DOUBT_ID, .commands = questions(s), .alone = true};
        if (!q->job.commands || odm_server_work(s->server, &q->job) < 0) {
                session_failed(s);
                return false;
        }
        s->spoke = true;
        return true;
}

/* ---- the answers ------------------------------------------------------------------------- */

/* Our tasks are numbers; a maker's own ./Vendor/Task tells nothing. */
static bool count_names(odm_str names, size_t *n)
{
        *n = 0;
        for (size_t i = 0; i < names.n; i++) {
                bool first = i == 0 || names.p[i - 1] == '/';
                if (names.p[i] == '/' ? first || i + 1 == names.n
                                      : names.p[i] < '0' || names.p[i] > '9')
                        return false;
                *n += first;
        }
        return *n <= TASKS_MOST;
}

static void take_names(session *s, const odm_event *ev)
{
        doubt *q = s->doubt;
        odm_str names = ev->results ? ev->results->data.bytes : ODM_ABSENT;

        if (ev->status != ODM_ST_OK || !ev->results || ev->results->meta.format != ODM_FMT_NODE ||
            !count_names(names, &q->n))
                return;
        q->names = odm_arena_copy(&s->a, names);
        q->task = odm_arena_zget(&s->a, (q->n + 1) * sizeof *q->task);
        q->known = true;
        if (s->a.err)
                session_failed(s);
}

/* A task without a Correlator has none; one that is gone was told of, and answered. */
static void take_leaf(session *s, const odm_event *ev)
{
        doubt *q = s->doubt;
        job_task *t = &q->task[ev->command / 2];
        odm_str *leaf = ev->command % 2 ? &t->correlator : &t->exec;

        if (ev->status == ODM_ST_OK && ev->results)
                *leaf = odm_arena_copy(&s->a, ev->results->data.bytes);
        else if (ev->status != ODM_ST_NOT_FOUND)
                return;
        q->leaves++;
        if (s->a.err)
                session_failed(s);
}

/* A node that is not there was never begun. */
static void take_state(stated *v, const odm_event *ev)
{
        uint64_t n = 0;

        v->known = ev->status == ODM_ST_NOT_FOUND ||
                   (ev->status == ODM_ST_OK && ev->results &&
                    odm_str_u64(odm_str_trim(ev->results->data.bytes), UINT32_MAX, &n) == 0);
        v->begun = n > 0;
}

/* A gateway without such a leaf tells nothing by that. */
static void take_mark(stated *v, const odm_event *ev)
{
        v->others = ev->status == ODM_ST_OK && ev->results &&
                    !odm_str_eq(ev->results->data.bytes, v->correlator);
}

/* The answer to question k about States and marks. */
static void take_stated(doubt *q, uint32_t k, const odm_event *ev)
{
        for (stated *v = q->v; v < q->v + q->n_v; v++) {
                if (k-- == 0) {
                        take_state(v, ev);
                        return;
                }
                if (v->mark.p && k-- == 0) {
                        take_mark(v, ev);
                        return;
                }
        }
}

void doubt_result(session *s, const odm_event *ev)
{
        doubt *q = s->doubt;

        if (ev->sent && q->next == ASK_NAMES && ev->command >= q->list && q->n_v)
                take_stated(q, ev->command - q->list, ev);
        else if (ev->sent && q->next == ASK_NAMES && q->list && ev->command == 0)
                take_names(s, ev);
        else if (ev->sent && q->next == ASK_LEAVES && ev->command < 2 * q->n)
                take_leaf(s, ev);
}

void doubt_done(session *s)
{
        doubt *q = s->doubt;

        if (q->next == ASK_NAMES && q->known && q->n) {
                q->next = ASK_LEAVES;
                return;
        }
        q->next = ASK_NO_MORE;
        if (!s->failed)
                judge_all(s);
}
