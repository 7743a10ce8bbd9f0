/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs of a session: claimed in the store, given to the engine, and what came of them.  The
 * rules are in job.h; here they meet the store. */
#include <stdio.h>
#include <string.h>

#include "dm_inner.h"
#include "heap.h"
#include "job_event.h"
#include "log.h"

#define LIVE_MEMORY ((size_t)256 << 20)
#define CHECK_BIT ((uint64_t)1 << 62)
#define WALK_BIT ((uint64_t)1 << 61)
#define OWN_ID ((uint64_t)1 << 63)
#define CLAIMABLE (STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED))

/* ---- moves --------------------------------------------------------------------------- */

static bool is_end(store_job_state s)
{
        return !(STORE_JOB_OPEN & STORE_JOB_BIT(s));
}

store_op *work_move(store_batch *b, const store_job *j, uint32_t from, store_job_state to,
                    const char *reason, int64_t at)
{
        odm_arena *a = store_batch_arena(b);
        store_op *op = store_batch_add(b, STORE_JOB_MOVE);
        odm_str why, text;

        if (!op)
                return NULL;
        why = odm_arena_copy(a, odm_cstr(reason));
        text = odm_arena_fmt(a, "%s%s%s", store_job_state_name(to), reason[0] ? ": " : "", reason);
        if (!why.p || !text.p)
                return NULL;
        op->lenient = true;
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = from;
        op->job_move.to = to;
        op->job_move.reason = why;
        op->job_move.note = text;
        op->job_move.at = at;
        return is_end(to) && job_event_add(b, j, to, reason, at) < 0 ? NULL : op;
}

void work_count(dm *m, store_job_state to, const store_job *j, int64_t at)
{
        static const metric ends[STORE_JOB_STATES] = {
                [STORE_JOB_DONE] = METRIC_JOBS_DONE,
                [STORE_JOB_FAILED] = METRIC_JOBS_FAILED,
                [STORE_JOB_EXPIRED] = METRIC_JOBS_EXPIRED,
                [STORE_JOB_CANCELLED] = METRIC_JOBS_CANCELLED,
        };

        if (is_end(to)) {
                dm_count(m, ends[to], 1);
                if (m->opt.metrics)
                        metrics_observe(m->opt.metrics, METRIC_TIME_JOB, (at - j->created) * 1000);
        } else if (to == STORE_JOB_QUEUED) {
                dm_count(m, METRIC_JOBS_PUT_BACK, 1);
        }
}

/* ---- jobs in memory ------------------------------------------------------------------ */

static void live_free(live *l)
{
        if (!l)
                return;
        odm_arena_done(&l->a);
        odm_free(&heap_mem, l, sizeof *l);
}

void work_free(session *s)
{
        while (s->jobs) {
                live *l = s->jobs;
                s->jobs = l->next;
                live_free(l);
        }
}

void work_sweep(session *s)
{
        for (live **at = &s->jobs; *at;) {
                live *l = *at;
                if (l->state == LIVE_OVER) {
                        *at = l->next;
                        live_free(l);
                } else {
                        at = &l->next;
                }
        }
}

static bool copy_texts(store_job *j, odm_arena *a)
{
        odm_str *texts[] = {&j->kind,  &j->commands, &j->correlator, &j->actor,
                            &j->route, &j->reason,   &j->key};

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (texts[i]->p && !(*texts[i] = odm_arena_copy(a, *texts[i])).p)
                        return false;
        return true;
}

/* Tables by command, and what earlier sessions brought. */
static int prepare(session *s, live *l)
{
        store_result_list r = {0};
        uint32_t n;
        int rc = job_decode(l->job.commands, l->job.atomic, &l->a, &l->all);

        if (rc < 0)
                return rc;
        n = l->all.n;
        l->ans = odm_arena_zget(&l->a, n * sizeof *l->ans);
        l->told = odm_arena_zget(&l->a, n * sizeof *l->told);
        l->skip = odm_arena_zget(&l->a, n * sizeof *l->skip);
        l->there = odm_arena_zget(&l->a, n * sizeof *l->there);
        l->check = odm_arena_zget(&l->a, n * sizeof *l->check);
        l->lists = odm_arena_zget(&l->a, n * sizeof *l->lists);
        if (!l->ans || !l->told || !l->skip || !l->there || !l->check || !l->lists)
                return odm_arena_err(&l->a);
        if (l->job.attempts == 0)
                return 0;
        rc = store_job_results(s->dm->opt.store, l->job.device, l->job.id, &l->a, &r);
        if (rc < 0)
                return rc;
        job_answers(&l->all, &r, l->ans);
        for (uint32_t i = 0; i < n; i++)
                l->skip[i] = l->ans[i].has;
        l->n_check = job_to_check(&l->all, l->ans, l->check);
        return 0;
}

static int live_new(session *s, const store_job *j, live **out)
{
        live *l = odm_alloc(&heap_mem, sizeof *l);
        int rc;

        if (!l)
                return ODM_ENOMEM;
        odm_arena_init(&l->a, &heap_mem, LIVE_MEMORY);
        l->job = *j;
        rc = copy_texts(&l->job, &l->a) ? prepare(s, l) : odm_arena_err(&l->a);
        if (rc < 0) {
                live_free(l);
                return rc;
        }
        *out = l;
        return 0;
}

/* ---- claiming -------------------------------------------------------------------------- */

static void append(session *s, live *l)
{
        live **at = &s->jobs;

        while (*at)
                at = &(*at)->next;
        *at = l;
}

static void claim(session *s, const store_job *j)
{
        live *l;
        store_op *op;
        odm_str text;
        int rc = live_new(s, j, &l);

        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT) {
                s->urgent = true;
                if (!work_move(s->batch, j, CLAIMABLE, STORE_JOB_FAILED,
                               "its commands cannot be read", s->turn->at))
                        session_failed(s);
                return;
        }
        if (rc < 0) {
                session_failed(s);
                return;
        }
        op = session_op(s, STORE_JOB_MOVE);
        text = odm_arena_fmt(store_batch_arena(s->batch), "sent to the device, which %s",
                             strcmp(s->route, "called") == 0 ? "called by itself"
                                                             : "was woken by UDP");
        if (!op || !text.p) {
                live_free(l);
                session_failed(s);
                return;
        }
        op->lenient = true;
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = CLAIMABLE;
        op->job_move.to = STORE_JOB_IN_SESSION;
        op->job_move.expect_attempts = j->attempts;
        op->job_move.attempt = 1;
        op->job_move.session = s->id;
        op->job_move.reason = ODM_STR("");
        op->job_move.route = odm_cstr(s->route);
        op->job_move.note = text;
        op->job_move.at = s->turn->at;
        l->job.attempts++;
        l->claim = op;
        l->state = LIVE_CLAIMING;
        append(s, l);
}

/* Puts claims for the device's next jobs into the batch.  True: something is to be written. */
static bool claim_next(session *s)
{
        store_job_filter f = {
                .device = s->device.id, .states = CLAIMABLE, .limit = CLAIM_MOST, .in_order = true};
        store_job_list l = {0};
        odm_arena a;
        bool any = false;

        odm_arena_init(&a, &heap_mem, LIVE_MEMORY);
        s->look = false;
        if (store_job_find(s->dm->opt.store, &f, &a, &l) < 0)
                session_failed(s);
        if (l.more)
                s->look = true;
        for (size_t i = 0; i < l.n && session_batch_arena(s) && !s->failed; i++) {
                if (l.v[i].deadline && l.v[i].deadline <= s->turn->at)
                        continue; /* expires within the second */
                claim(s, &l.v[i]);
                any = true;
        }
        odm_arena_done(&a);
        return any;
}

/* ---- giving -------------------------------------------------------------------------------- */

odm_command *work_get_of(odm_arena *a, odm_str uri)
{
        odm_command *c = odm_new(a, odm_command);
        odm_item *i = odm_new(a, odm_item);

        if (!c || !i)
                return NULL;
        i->target = uri;
        c->kind = ODM_CMD_GET;
        c->items = i;
        return c;
}

/* Gets for the nodes of Adds whose fate is not known.  The jobs behind wait for what comes of it.
 */
static int make_check(live *l)
{
        odm_command *head = NULL, **end = &head;

        for (uint32_t i = 0; i < l->n_check; i++) {
                *end = work_get_of(&l->a, job_uri(l->all.flat[l->check[i]].c));
                if (!*end)
                        return odm_arena_err(&l->a);
                end = &(*end)->next;
        }
        l->lent = (odm_job){.id = (uint64_t)l->job.id | CHECK_BIT, .commands = head, .alone = true};
        l->state = LIVE_CHECKING;
        return 0;
}

static bool asks_for_lists(const live *l, const bool *skip)
{
        for (uint32_t i = 0; i < l->all.n; i++)
                if (l->all.flat[i].walk && !skip[i])
                        return true;
        return false;
}

/* What has to wait for a list before it goes in another message; so do the jobs behind this one,
 * for plain Gets may come to stand in for the list. */
static int make_commands(live *l)
{
        uint32_t part = job_first_part(&l->all, l->skip);
        bool *skip = odm_arena_get(&l->a, l->all.n * sizeof *skip);
        int rc;

        if (!skip)
                return odm_arena_err(&l->a);
        for (uint32_t i = 0; i < l->all.n; i++)
                skip[i] = l->skip[i] || i >= part;
        rc = job_remainder(&l->all, skip, &l->a, &l->list, &l->map, &l->n);
        if (rc < 0)
                return rc;
        l->lent = (odm_job){.id = (uint64_t)l->job.id,
                            .commands = l->list,
                            .alone = asks_for_lists(l, skip),
                            .split_atomic = l->all.split};
        l->state = LIVE_GIVEN;
        return 0;
}

/* Gets that stand in for a list the device has not. */
static int make_walk(live *l)
{
        odm_command *list;
        int rc = 0;

        if (!l->walk) {
                l->walk = odm_arena_get(&l->a, sizeof *l->walk);
                if (!l->walk)
                        return odm_arena_err(&l->a);
                rc = walk_begin(l->walk, l->all.flat[l->lists[0]].c, &l->a);
        }
        if (rc == 0)
                rc = walk_gets(l->walk, &list);
        if (rc < 0)
                return rc;
        l->lent = (odm_job){.id = (uint64_t)l->job.id | WALK_BIT, .commands = list, .alone = true};
        l->state = LIVE_WALKING;
        return 0;
}

static void finish(session *s, live *l, const job_verdict *v)
{
        store_op *op;

        if (!session_batch_arena(s))
                return;
        op = work_move(s->batch, &l->job, STORE_JOB_BIT(STORE_JOB_IN_SESSION), v->to, v->reason,
                       s->turn->at);
        if (!op) {
                session_failed(s);
                return;
        }
        op->job_move.expect_session = s->id;
        s->urgent = true;
        work_count(s->dm, v->to, &l->job, s->turn->at);
        l->state = LIVE_OVER;
        s->due = true;
}

static void end_told(session *s, store_batch *b, live *l, int64_t at)
{
        job_verdict v;

        job_told(&l->all, l->ans, &v);
        if (v.to == STORE_JOB_QUEUED)
                s->look = s->put_back = true;
        s->urgent = true;
        l->state = LIVE_OVER;
        if (!work_move(b, &l->job, STORE_JOB_OPEN, v.to, v.reason, at))
                session_failed(s);
        work_count(s->dm, v.to, &l->job, at);
}

/* The package is over: no more alerts of it can come. */
static void end_all_told(session *s)
{
        for (live *l = s->jobs; l; l = l->next)
                if (l->state == LIVE_TOLD && session_batch_arena(s))
                        end_told(s, s->batch, l, s->turn->at);
}

/* Offers one job to the engine.  True: the engine has its answer; false: the job is over without
 * it, try the next. */
static bool give(session *s, live *l)
{
        int rc = l->n_lists ? make_walk(l) : l->n_check ? make_check(l) : make_commands(l);
        job_verdict v = {.to = STORE_JOB_FAILED};

        if (rc == 0 && l->state == LIVE_GIVEN && l->n == 0) { /* nothing is left to send */
                job_finish(&l->all, l->ans, &v);
                finish(s, l, &v);
                return false;
        }
        if (rc == 0)
                rc = odm_server_work(s->server, &l->lent);
        if (rc == 0) {
                s->spoke = l->given = true;
                return true;
        }
        if (rc == ODM_EINVAL) {
                (void)snprintf(v.reason, sizeof v.reason,
                               "it holds what may not be sent, such as Exec or Get inside Atomic");
                finish(s, l, &v);
                return true; /* it was an answer: the engine asks again */
        }
        session_failed(s);
        return false;
}

/* Gets of our own, whose answers go to the mirror only. */
static bool give_own(session *s, const char *const *uris, size_t n)
{
        odm_command *head = NULL, **end = &head;

        for (size_t i = 0; i < n; i++) {
                *end = work_get_of(&s->a, odm_cstr(uris[i]));
                if (!*end)
                        return false;
                end = &(*end)->next;
        }
        s->own_list = head;
        s->own_job = (odm_job){.id = OWN_ID, .commands = head};
        s->spoke = odm_server_work(s->server, &s->own_job) == 0;
        return s->spoke;
}

/* The versions of a device not asked for long. */
static bool give_inventory(session *s)
{
        static const char *const uris[] = {"./DevDetail/FwV", "./DevDetail/SwV", "./DevDetail/HwV",
                                           "./DevDetail/LrgObj", "./Vendor/xrem/Config/Interval"};
        bool ours = s->device.wake_reported.p; /* only our agent has the last node */

        s->inventory = false;
        return give_own(s, uris, ODM_COUNT(uris) - !ours);
}

/* A device hands over its next nonce with the Status of a command: a session without any would
 * leave us with one that was used (dm-protocol.md 9.5). */
static bool give_question(session *s)
{
        static const char *const uris[] = {"./DevInfo/DmV"};

        return !s->spoke && welcome_wants_nonce(s) && give_own(s, uris, ODM_COUNT(uris));
}

static bool give_ready(session *s)
{
        for (live *l = s->jobs; l; l = l->next)
                if (l->state == LIVE_READY && !s->failed && give(s, l))
                        return true;
        return false;
}

static bool answer_none(session *s)
{
        if (odm_server_work(s->server, NULL) < 0)
                session_failed(s);
        return true;
}

/* There is no work. */
static bool answer_last(session *s)
{
        return (!s->failed && give_question(s)) || answer_none(s);
}

bool work_looks(session *s)
{
        bool look;

        pthread_mutex_lock(&s->dm->lock); /* dm_job_created() tells those only that go on */
        look = s->look;
        pthread_mutex_unlock(&s->dm->lock);
        return look;
}

bool work_wanted(session *s)
{
        bool stop = !s->known || !s->authenticated || s->failed || s->cut ||
                    atomic_load(&s->dm->stopping);

        if (stop)
                return answer_none(s);
        end_all_told(s);
        if (session_waits(s))
                return false;
        if (doubt_ask(s))
                return true;
        if (s->inventory && give_inventory(s))
                return true;
        if (give_ready(s))
                return true;
        if (s->put_back || (s->look && claim_next(s))) {
                s->put_back = false;
                if (!s->failed && session_write_claims(s))
                        return false;
                session_failed(s);
        }
        return answer_last(s);
}

bool work_claimed(session *s)
{
        work_sweep(s); /* those that somebody else took or cancelled */
        if (give_ready(s))
                return true;
        if (s->failed || !s->look || !claim_next(s)) /* what others held may be ours now */
                return answer_last(s);
        if (!s->failed && session_write_claims(s))
                return false;
        session_failed(s);
        return answer_none(s);
}

/* ---- what came back ---------------------------------------------------------------------- */

static live *live_of(session *s, uint64_t id)
{
        for (live *l = s->jobs; l; l = l->next)
                if ((l->state == LIVE_GIVEN || l->state == LIVE_CHECKING ||
                     l->state == LIVE_WALKING) &&
                    l->lent.id == id)
                        return l;
        return NULL;
}

/* What the device, or we, said beside the number. */
static odm_str text_of(odm_arena *a, const odm_event *ev)
{
        if (ev->why.n)
                return odm_arena_copy(a, ev->why);
        for (const odm_item *i = ev->items; i; i = i->next) {
                if (i->data.bytes.n)
                        return odm_arena_copy(a, odm_str_to(i->data.bytes, 512));
                if (i->target.n)
                        return odm_arena_fmt(a, "at %.*s", (int)odm_str_to(i->target, 512).n,
                                             i->target.p);
        }
        return ODM_ABSENT;
}

void work_put_result(session *s, const store_job *j, uint32_t index, const store_result *r)
{
        store_op *op = session_op(s, STORE_RESULT_PUT);

        if (!op)
                return;
        op->lenient = true;
        op->result.device = j->device;
        op->result.job = j->id;
        op->result.r = *r;
        op->result.r.index = index;
        op->result.r.at = s->turn->at;
}

static int copy_values(odm_arena *a, const store_value *v, size_t n, store_value **out)
{
        store_value *to = odm_arena_zget(a, (n + 1) * sizeof *to);

        for (size_t i = 0; to && i < n; i++)
                to[i] = (store_value){.uri = odm_arena_copy(a, v[i].uri),
                                      .format = odm_arena_copy(a, v[i].format),
                                      .type = odm_arena_copy(a, v[i].type),
                                      .data = odm_arena_copy(a, v[i].data)};
        if (!to || a->err)
                return odm_arena_err(a);
        *out = to;
        return 0;
}

static void check_result(session *s, live *l, const odm_event *ev)
{
        odm_arena *a = session_batch_arena(s);
        const odm_command *c = l->lent.commands;
        store_value *v;
        size_t n;
        uint32_t index;

        if (ev->command >= l->n_check || !a)
                return;
        for (uint32_t i = 0; i < ev->command; i++)
                c = c->next;
        index = l->check[ev->command];
        if (heard_items(s, ev->results, a, &v, &n) < 0 ||
            mirror_answer(&s->changes, c, ev->status, v, n) < 0)
                session_failed(s);
        else
                l->there[index] = job_is_there(l->all.flat[index].c, ev->status, v, n);
}

static void walk_result(session *s, live *l, const odm_event *ev)
{
        odm_arena *a = session_batch_arena(s);
        const odm_command *c = l->lent.commands;
        store_value *v;
        size_t n;

        for (uint32_t i = 0; c && i < ev->command; i++)
                c = c->next;
        if (!c || !a)
                return;
        if (heard_items(s, ev->results, a, &v, &n) < 0 ||
            mirror_answer(&s->changes, c, ev->status, v, n) < 0 ||
            walk_take(l->walk, ev->command, ev->status, v, n) < 0)
                session_failed(s);
        else if (job_status_ok(ev->status))
                heard_values(s, v, n);
}

/* Of a node, or of a component, whose node goes with it (mo-scomo.md 3). */
static bool is_removal(const odm_command *c)
{
        static const char end[] = "/Operations/Remove";
        odm_str uri = job_uri(c);

        return c->kind == ODM_CMD_DELETE ||
               (c->kind == ODM_CMD_EXEC && uri.n > sizeof end &&
                odm_str_is(odm_str_from(uri, uri.n - (sizeof end - 1)), end));
}

static void command_result(session *s, live *l, const odm_event *ev)
{
        odm_arena *a = session_batch_arena(s);
        uint32_t index = ev->command < l->n ? l->map[ev->command] : l->all.n;
        store_result r = {.status = ev->status, .sent = ev->sent};
        const odm_command *c;
        bool again = l->job.attempts > 1;

        if (index >= l->all.n || !a)
                return;
        if (job_wants_walk(&l->all.flat[index], ev->status, ev->sent)) {
                l->lists[l->n_lists++] = index;
                return;
        }
        c = l->all.flat[index].c;
        if (heard_items(s, ev->results, a, &r.items, &r.n_items) < 0) {
                session_failed(s);
                return;
        }
        r.text = text_of(a, ev);
        if (is_removal(c) && again && r.status == ODM_ST_NOT_FOUND) {
                r.status = ODM_ST_OK;
                r.text = ODM_STR("it was gone already; an earlier session may have deleted it");
        }
        if (mirror_answer(&s->changes, c, ev->status, r.items, r.n_items) < 0)
                session_failed(s);
        heard_values(s, r.items, r.n_items);
        if (c->kind == ODM_CMD_EXEC && r.status == ODM_ST_ACCEPTED && l->told[index].n) {
                l->ans[index].has = true; /* its alert was faster */
                return;
        }
        l->ans[index] =
                (job_answer){.has = true,
                             .status = r.status,
                             .text = odm_arena_copy(&l->a, r.text),
                             .pending = c->kind == ODM_CMD_EXEC && r.status == ODM_ST_ACCEPTED};
        dm_count(s->dm, job_status_ok(r.status) ? METRIC_COMMANDS_OK : METRIC_COMMANDS_FAILED, 1);
        work_put_result(s, &l->job, index, &r);
}

static void own_result(session *s, const odm_event *ev)
{
        odm_arena *a = session_batch_arena(s);
        const odm_command *c = s->own_list;
        store_value *v;
        size_t n;

        for (uint32_t i = 0; c && i < ev->command; i++)
                c = c->next;
        if (!c || !a)
                return;
        if (heard_items(s, ev->results, a, &v, &n) < 0 ||
            mirror_answer(&s->changes, c, ev->status, v, n) < 0) {
                session_failed(s);
                return;
        }
        if (job_status_ok(ev->status))
                heard_values(s, v, n);
}

void work_result(session *s, const odm_event *ev)
{
        live *l = live_of(s, ev->job);

        if (ev->job == OWN_ID)
                own_result(s, ev);
        else if (ev->job == DOUBT_ID)
                doubt_result(s, ev);
        else if (l && l->state == LIVE_CHECKING)
                check_result(s, l, ev);
        else if (l && l->state == LIVE_WALKING)
                walk_result(s, l, ev);
        else if (l)
                command_result(s, l, ev);
}

/* The Gets are answered: what is there need not be added. */
static void check_done(session *s, live *l)
{
        for (uint32_t i = 0; i < l->all.n; i++)
                l->skip[i] = l->ans[i].has;
        bool *before = odm_arena_get(&l->a, l->all.n * sizeof *before);
        if (!before) {
                session_failed(s);
                return;
        }
        memcpy(before, l->skip, l->all.n * sizeof *before);
        job_apply_check(&l->all, l->there, l->ans, l->skip);
        for (uint32_t i = 0; i < l->all.n; i++)
                if (l->skip[i] && !before[i])
                        work_put_result(
                                s, &l->job, i,
                                &(store_result){.status = ODM_ST_OK,
                                                .text = ODM_STR("it was there as wanted: an "
                                                                "earlier session did it")});
        l->n_check = 0;
        l->state = LIVE_READY;
}

/* Into the batch: what was read lives no longer than its job. */
static void put_walked(session *s, const live *l, uint32_t index)
{
        odm_arena *a = session_batch_arena(s);
        const walk *w = l->walk;
        store_result r = {.status = w->status, .sent = true, .n_items = w->n};

        if (!a)
                return;
        r.text = odm_arena_copy(a, w->text);
        if (copy_values(a, w->v, w->n, &r.items) < 0)
                session_failed(s);
        else
                work_put_result(s, &l->job, index, &r);
}

/* One list is read, or its next Gets are to go. */
static void walk_done(session *s, live *l)
{
        walk *w = l->walk;
        uint32_t index = l->lists[0];

        l->state = LIVE_READY;
        if (walk_next(w) < 0) {
                session_failed(s);
                return;
        }
        if (w->at < w->n_uri)
                return;
        l->ans[index] = (job_answer){.has = true, .status = w->status};
        dm_count(s->dm, job_status_ok(w->status) ? METRIC_COMMANDS_OK : METRIC_COMMANDS_FAILED, 1);
        put_walked(s, l, index);
        l->walk = NULL;
        memmove(l->lists, l->lists + 1, --l->n_lists * sizeof *l->lists);
}

/* What the commands given so far came to is kept; is anything of the job left for this session? */
static bool goes_on(live *l)
{
        uint32_t part = job_first_part(&l->all, l->skip);

        for (uint32_t i = 0; i < l->all.n; i++)
                l->skip[i] = l->ans[i].has;
        return l->n_lists || part < l->all.n;
}

void work_done(session *s, const odm_event *ev)
{
        live *l = live_of(s, ev->job);
        job_verdict v;

        if (ev->job == DOUBT_ID)
                doubt_done(s);
        if (!l)
                return;
        if (l->state == LIVE_CHECKING) {
                check_done(s, l);
                return;
        }
        if (l->state == LIVE_WALKING) {
                walk_done(s, l);
                return;
        }
        if (goes_on(l)) {
                l->state = LIVE_READY;
                return;
        }
        bool whole = true;
        for (uint32_t i = 0; i < l->all.n; i++)
                whole = whole && l->ans[i].has;
        if (whole || ev->sent)
                job_finish(&l->all, l->ans, &v);
        else
                job_lost(&l->all, l->ans, false, l->job.attempts, l->job.max_attempts,
                         l->job.correlator, &v);
        finish(s, l, &v);
}

/* ---- putting back ----------------------------------------------------------------------- */

static void put_back(session *s, store_batch *b, live *l, int64_t at)
{
        job_verdict v;
        store_op *op;

        job_lost(&l->all, l->ans, l->given, l->job.attempts, l->job.max_attempts, l->job.correlator,
                 &v);
        op = work_move(b, &l->job, STORE_JOB_BIT(STORE_JOB_IN_SESSION), v.to, v.reason, at);
        if (!op) {
                session_failed(s);
                return;
        }
        op->job_move.expect_session = s->id;
        if (!l->given && v.to == STORE_JOB_QUEUED)
                op->job_move.attempt = -1;
        work_count(s->dm, v.to, &l->job, at);
        l->state = LIVE_OVER;
}

void work_put_back(session *s, store_batch *b, int64_t at)
{
        if (!b)
                return;
        for (live *l = s->jobs; l; l = l->next)
                if (l->state == LIVE_READY || l->state == LIVE_GIVEN || l->state == LIVE_CHECKING ||
                    l->state == LIVE_WALKING)
                        put_back(s, b, l, at);
                else if (l->state == LIVE_TOLD)
                        end_told(s, b, l, at);
}

int work_load(dm *m, const store_job *j, odm_arena *a, job_commands *all, job_answer **ans)
{
        store_result_list r;
        int rc = job_decode(j->commands, j->atomic, a, all);

        if (rc == 0)
                rc = store_job_results(m->opt.store, j->device, j->id, a, &r);
        if (rc < 0)
                return rc;
        *ans = odm_arena_zget(a, all->n * sizeof **ans);
        if (!*ans)
                return odm_arena_err(a);
        job_answers(all, &r, *ans);
        return 0;
}

int work_judge_stored(dm *m, store_batch *b, const store_job *j, int64_t at)
{
        job_verdict v = {.to = STORE_JOB_FAILED, .reason = "its commands cannot be read"};
        job_commands all;
        job_answer *ans;
        odm_arena a;
        store_op *op;
        int rc;

        odm_arena_init(&a, &heap_mem, LIVE_MEMORY);
        rc = work_load(m, j, &a, &all, &ans);
        if (rc == 0)
                job_lost(&all, ans, true, j->attempts, j->max_attempts, j->correlator, &v);
        odm_arena_done(&a);
        if (rc < 0 && rc != ODM_EMALFORMED)
                return rc;
        op = work_move(b, j, STORE_JOB_BIT(STORE_JOB_IN_SESSION), v.to, v.reason, at);
        if (!op)
                return ODM_ENOMEM;
        op->job_move.expect_session = j->session;
        op->job_move.expect_attempts = j->attempts;
        work_count(m, v.to, j, at);
        return 0;
}

/* ---- alerts ----------------------------------------------------------------------------- */

/* Into the batch, with all that the alerts told so far. */
static void put_told(session *s, const live *l, uint32_t index, odm_str text)
{
        odm_arena *a = session_batch_arena(s);
        const live_told *t = &l->told[index];
        store_result r = {.status = t->status, .sent = true, .text = text};

        if (!a || copy_values(a, t->v, t->n, &r.items) < 0) {
                session_failed(s);
                return;
        }
        r.n_items = t->n;
        work_put_result(s, &l->job, index, &r);
}

static void tell(session *s, live *l, uint32_t index, const store_value *v, odm_str text)
{
        live_told *t = &l->told[index];
        uint32_t status = job_alert_status(v->data);
        store_value *all = odm_arena_get(&l->a, (t->n + 1) * sizeof *all), *last = NULL;

        if (!all || copy_values(&l->a, v, 1, &last) < 0 || !last) {
                session_failed(s);
                return;
        }
        if (t->n)
                memcpy(all, t->v, t->n * sizeof *all);
        if (t->n == 0 || job_status_ok(t->status)) /* one failure is a failure of all */
                t->status = status;
        all[t->n] = *last;
        t->v = all;
        t->n += t->n < TOLD_MOST;
        l->ans[index] = (job_answer){.has = l->state != LIVE_GIVEN || l->ans[index].has,
                                     .told = true,
                                     .status = t->status,
                                     .alert = last->type};
        l->skip[index] = l->ans[index].has;
        put_told(s, l, index, text);
}

bool work_alert_live(session *s, odm_str correlator, odm_str source, const store_value *v,
                     odm_str text)
{
        for (live *l = s->jobs; l; l = l->next) {
                if (l->state == LIVE_CLAIMING || l->state == LIVE_OVER)
                        continue;
                int32_t i = job_alerted(&l->all, l->ans, correlator, source,
                                        job_alert_gathers(v->type));
                if (i < 0)
                        continue;
                tell(s, l, (uint32_t)i, v, text);
                return true;
        }
        return false;
}

static bool is_ours(const session *s, int64_t job)
{
        for (const live *l = s->jobs; l; l = l->next)
                if (l->job.id == job && l->state != LIVE_OVER)
                        return true;
        return false;
}

/* Its job is ours until the device has told all that belongs to it. */
static bool tell_stored(session *s, const store_job *j, odm_str correlator, odm_str source,
                        const store_value *v, odm_str text)
{
        live *l;
        int32_t i;
        int rc = live_new(s, j, &l);

        if (rc == ODM_EMALFORMED)
                return false;
        if (rc < 0) {
                session_failed(s);
                return false;
        }
        i = job_alerted(&l->all, l->ans, correlator, source, job_alert_gathers(v->type));
        if (i < 0) {
                live_free(l);
                return false;
        }
        l->state = LIVE_TOLD;
        append(s, l);
        tell(s, l, (uint32_t)i, v, text);
        return true;
}

/* An alert says more than our states do: the job may be in a session that is lost. */
static bool tell_first(session *s, const store_job_filter *f, odm_str correlator, odm_str source,
                       const store_value *v, odm_str text)
{
        store_job_list l = {0};
        odm_arena a, one;
        bool found = false;

        odm_arena_init(&a, &heap_mem, LIVE_MEMORY);
        if (store_job_find(s->dm->opt.store, f, &a, &l) < 0)
                session_failed(s);
        for (size_t i = 0; i < l.n && !found; i++) {
                store_job j;
                int rc;

                if (is_ours(s, l.v[i].id))
                        continue;
                odm_arena_init(&one, &heap_mem, LIVE_MEMORY);
                rc = store_job_get(s->dm->opt.store, l.v[i].id, &one, &j);
                if (rc == 0)
                        found = tell_stored(s, &j, correlator, source, v, text);
                else if (rc != ODM_ENOENT)
                        session_failed(s);
                odm_arena_done(&one);
        }
        odm_arena_done(&a);
        return found;
}

/* The oldest job that the alert can be for. */
bool work_alert_stored(session *s, odm_str correlator, odm_str source, const store_value *v,
                       odm_str text)
{
        store_job_filter f = {.device = s->device.id,
                              .states = STORE_JOB_OPEN,
                              .correlator = correlator,
                              .limit = 200,
                              .in_order = true,
                              .no_commands = true};

        if (correlator.n && tell_first(s, &f, correlator, source, v, text))
                return true;
        f.correlator = ODM_ABSENT; /* a job has several, and the store knows one */
        f.states = STORE_JOB_BIT(STORE_JOB_WAITING) | STORE_JOB_BIT(STORE_JOB_IN_SESSION);
        return tell_first(s, &f, correlator, source, v, text);
}
