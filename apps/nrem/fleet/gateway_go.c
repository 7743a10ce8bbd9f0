/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of devices become tasks of their gateways: the same commands below the mount point, or one
 * fan-out for all that are the same.  An order that has a package fetched from us waits until its
 * gateway has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign_row.h"
#include "gateway_part.h"
#include "gateway_relay.h"
#include "job.h"
#include "job_event.h"

#define PAGE 200                           /* jobs a batch */
#define JOBS_OF_ONE 8                      /* of one device a batch */
#define OCTETS ((size_t)16 << 20)          /* of commands: a batch has no more behind so many */
#define ALIKE 4                            /* reads so many become a fan-out */
#define LOAD_MS 86400000                   /* an image may take so long */
#define AGAIN_MS 600000                    /* before an image that failed is tried again */
#define EXPIRE_MS (INT64_C(30) * 86400000) /* of tasks whose jobs have no deadline */
#define QUEUED (STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED))
#define REACHES_MAX 128
#define OPEN_MOST 1000      /* jobs.open_max */
#define PARALLEL 32         /* gateways.parallel */
#define VALUES_S 1          /* collected ones wait so long for others at most */
#define PARALLEL_MOST 10000 /* what a gateway takes */

typedef struct candidate {
        struct candidate *next; /* of its group */
        store_job job;
        store_device d;
        gateway_child child;
        gateway_relay relay; /* as it was, or empty */
        job_commands all;
        bool *skip; /* what has an answer; NULL: nothing */
        json_t *list;
        gateway_form form;
        odm_str link, image; /* what the commands name, and where it is by now */
        odm_str same;        /* whoever has this too may share a task */
        bool taken;
} candidate;

typedef struct going {
        gateways *s;
        fleet_turn *t;
        gateway_row row;
        store_device g;
        candidate *v;
        size_t n, octets;
        uint64_t fields; /* of the row */
} going;

/* ---- tasks -------------------------------------------------------------------------------- */

static odm_str dump(json_t *o, size_t flags, odm_arena *a)
{
        char *text = o ? json_dumps(o, flags | JSON_COMPACT) : NULL;
        odm_str s = text ? odm_arena_copy(a, odm_cstr(text)) : ODM_ABSENT;

        free(text);
        return s;
}

int gateway_task_new(fleet_turn *t, gateway_row *row, const gateway_new *n, int64_t *id)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_task *k = odm_new(a, gateway_task);
        odm_str text = dump(n->commands, 0, a);
        size_t at;
        int rc;
        fleet_order o = {.device = row->device,
                         .kind = "relay",
                         .commands = text,
                         .atomic = n->atomic,
                         .priority = n->priority,
                         .deadline = n->deadline,
                         .attempts = n->attempts ? n->attempts : 20,
                         .actor = n->actor};

        json_decref(n->commands);
        if (!k || !text.p || !fleet_row(t, STORE_ROW_ADD, &table_gateway_task, k))
                return ODM_ENOMEM;
        *k = (gateway_task){.device = row->device,
                            .id = ++row->serial,
                            .form = n->form,
                            .image = odm_arena_copy(a, n->image),
                            .created = t->now};
        o.key = odm_arena_fmt(a, GATEWAY_JOB_KEY "%lld", (long long)k->id);
        if (!o.key.p)
                return odm_arena_err(a);
        *id = k->id;
        at = t->batch->n;
        rc = fleet_job(t, &o);
        if (rc == 0) /* without it, nothing of this happens */
                t->batch->ops[at]->lenient = false;
        return rc;
}

int gateway_count(fleet_turn *t, const gateway_row *row, int64_t before, uint64_t fields)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_row *to = odm_new(a, gateway_row), *is = odm_new(a, gateway_row);
        store_op *op = to && is ? fleet_row(t, STORE_ROW_PATCH, &table_gateway, to) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *to = *row;
        to->swept = odm_arena_copy(a, row->swept);
        to->reason = odm_arena_copy(a, row->reason);
        is->serial = before;
        op->row.fields = fields | STORE_FIELD(GW_serial);
        op->row.where = STORE_FIELD(GW_serial);
        op->row.is = is;
        return a->err ? odm_arena_err(a) : 0;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Commands as they are for all who get the same: without correlators. */
static void strip_correlators(json_t *list)
{
        json_t *o;
        size_t i;

        json_array_foreach(list, i, o)
        {
                json_t *inner = json_object_get(o, "commands");

                (void)json_object_del(o, "correlator");
                if (inner) /* no deeper than two more */
                        strip_correlators(inner);
        }
}

static odm_str sameness(const candidate *c, odm_arena *a)
{
        json_t *copy = json_deep_copy(c->list);
        odm_str s;

        strip_correlators(copy);
        s = dump(copy, JSON_SORT_KEYS, a);
        json_decref(copy);
        return s.p ? odm_arena_fmt(a, "%d %d %.*s %.*s", c->job.atomic, (int)c->job.priority,
                                   (int)c->job.actor.n, c->job.actor.p ? c->job.actor.p : "",
                                   (int)s.n, s.p)
                   : ODM_ABSENT;
}

static bool may_go(const store_device *d, const gateway_child *c)
{
        switch (d->state) {
        case STORE_DEVICE_HELD:
        case STORE_DEVICE_REFUSED:
        case STORE_DEVICE_DEACTIVATED:
        case STORE_DEVICE_DETACHED: return false;
        default: return c->gateway != 0 && c->mode != GATEWAY_TRANSPARENT;
        }
}

static int answered(going *w, candidate *c)
{
        odm_arena *a = w->t->arena;
        store_result_list l = {0};
        int rc = store_job_results(w->s->host->store, c->job.device, c->job.id, a, &l);

        if (rc < 0 || !l.n)
                return rc == ODM_ENOENT ? 0 : rc;
        c->skip = odm_arena_zget(a, c->all.n * sizeof *c->skip);
        if (!c->skip)
                return odm_arena_err(a);
        for (size_t i = 0; i < l.n; i++)
                if (l.v[i].index < c->all.n)
                        c->skip[l.v[i].index] = true;
        return 0;
}

static int fill_candidate(going *w, candidate *c)
{
        odm_arena *a = w->t->arena;
        const gateway_relay key = {.device = c->job.device, .job = c->job.id};
        int rc = store_row_get(w->s->host->store, &table_gateway_relay, &key, a, &c->relay);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        rc = job_decode(c->job.commands, c->job.atomic, a, &c->all);
        if (rc < 0)
                return rc;
        c->list = json_loadb(c->job.commands.p, c->job.commands.n, 0, NULL);
        if (!c->list)
                return ODM_ENOMEM;
        if (c->relay.again)
                rc = answered(w, c);
        c->same = sameness(c, a);
        return rc < 0 ? rc : c->same.p ? 0 : ODM_ENOMEM;
}

/* Jobs of one device into the list. */
static int find_jobs(going *w, const gateway_child *child, size_t cap, size_t *found)
{
        const store_job_filter f = {.device = child->device,
                                    .states = QUEUED,
                                    .limit = JOBS_OF_ONE,
                                    .in_order = true,
                                    .no_commands = true};
        store_job_list l = {0};
        store_device d;
        int rc = store_device_get(w->s->host->store, child->device, w->t->arena, &d);

        *found = 0;
        if (rc == 0 && may_go(&d, child))
                rc = store_job_find(w->s->host->store, &f, w->t->arena, &l);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        for (size_t i = 0; i < l.n && w->n < cap && w->octets < OCTETS; i++) {
                candidate *c = &w->v[w->n];

                if (l.v[i].deadline && l.v[i].deadline <= w->t->now)
                        continue; /* it expires within the second */
                *c = (candidate){.d = d, .child = *child};
                rc = store_job_get(w->s->host->store, l.v[i].id, w->t->arena, &c->job);
                if (rc == ODM_ENOENT)
                        continue;
                if (rc < 0)
                        return rc;
                w->octets += c->job.commands.n;
                w->n++;
                ++*found;
        }
        return 0;
}

static void copy_pokes(gateways *s, int64_t *out, size_t *n)
{
        pthread_mutex_lock(&s->lock);
        *n = s->n_poked;
        memcpy(out, s->poked, *n * sizeof *out);
        pthread_mutex_unlock(&s->lock);
}

/* Those of one gateway: the first that has any. */
static int find_candidates(going *w)
{
        int64_t *ids = odm_arena_get(w->t->arena, GATEWAY_POKES * sizeof *ids);
        size_t n, found;
        int rc = 0;

        w->v = odm_arena_zget(w->t->arena, PAGE * sizeof *w->v);
        if (!ids || !w->v)
                return odm_arena_err(w->t->arena);
        copy_pokes(w->s, ids, &n);
        for (size_t i = 0; i < n && rc == 0 && w->n < PAGE && w->octets < OCTETS; i++) {
                gateway_child c;

                rc = gateway_find_child(w->s->host->store, ids[i], w->t->arena, &c);
                if (rc == 0 && w->row.device && c.gateway && c.gateway != w->row.device)
                        continue;
                found = 0;
                if (rc == 0)
                        rc = find_jobs(w, &c, PAGE, &found);
                rc = rc == ODM_ENOENT ? 0 : rc;
                if (rc == 0 && !found)
                        gateway_unpoke(w->s, ids[i]);
                if (found)
                        w->row.device = c.gateway;
        }
        return rc;
}

/* ---- images ----------------------------------------------------------------------------------- */

static int load(going *w, const package *p, odm_str link)
{
        const gateway_image img = {.device = w->row.device,
                                   .sha256 = p->sha256,
                                   .state = GATEWAY_LOADING,
                                   .package = p->id,
                                   .name = odm_arena_fmt(w->t->arena, "%.*s %.*s", (int)p->name.n,
                                                         p->name.p, (int)p->version.n,
                                                         p->version.p ? p->version.p : ""),
                                   .at = w->t->now};
        const gateway_new n = {.form = GATEWAY_LOAD,
                               .commands = gateway_image_load(p, link),
                               .deadline = w->t->now + LOAD_MS,
                               .image = p->sha256,
                               .actor = ODM_STR("gateway")};
        int64_t id;
        int rc = gateway_task_new(w->t, &w->row, &n, &id);

        atomic_fetch_add(&w->s->loads, 1);
        return rc == 0 ? gateway_image_put(w->t, &img) : rc;
}

static bool is_loading(const going *w, const candidate *until, odm_str image)
{
        for (const candidate *c = w->v; c < until; c++)
                if (odm_str_eq(c->image, image))
                        return true;
        return false;
}

/* What the order has the device fetch, and whether it waits for it.  c->image stays absent where
 * the device fetches from us by itself. */
static int look_at_image(going *w, candidate *c, bool *waits)
{
        gateway_image key = {.device = w->row.device}, img = {.state = GATEWAY_UNLOADED};
        package pkey = {0}, p;
        package_path path;
        int rc;

        *waits = false;
        if (c->relay.plain || w->row.no_images || w->row.no_tasks || c->skip ||
            !gateway_link_find(c->list, &c->link, &path))
                return 0;
        pkey.id = path.id;
        rc = store_row_get(w->s->host->store, &table_package, &pkey, w->t->arena, &p);
        if (rc < 0 || p.state != PACKAGE_READY || !odm_str_eq(p.sha256, path.sha256))
                return rc == ODM_ENOENT || rc == 0 ? 0 : rc;
        key.sha256 = path.sha256;
        rc = store_row_get(w->s->host->store, &table_gateway_image, &key, w->t->arena, &img);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (rc == 0 && img.state == GATEWAY_UNLOADED &&
            !fleet_due(w->t->now, img.at + AGAIN_MS, AGAIN_MS))
                return 0;
        c->image = p.sha256;
        *waits = img.state != GATEWAY_LOADED;
        if (!*waits || img.state == GATEWAY_LOADING || is_loading(w, c, c->image))
                return 0;
        return load(w, &p, c->link);
}

/* ---- relays ------------------------------------------------------------------------------------ */

/* The job is taken: nobody else has it, until what comes of it is here. */
static int take_job(going *w, const candidate *c, const char *how, int64_t task)
{
        odm_arena *a = store_batch_arena(w->t->batch);
        gateway_relay *r = odm_new(a, gateway_relay);
        store_op *op = fleet_op(w->t, STORE_JOB_MOVE);
        odm_str name = odm_str_to(w->g.name, REACHES_MAX);

        if (!op || !r || !fleet_row(w->t, STORE_ROW_PUT, &table_gateway_relay, r))
                return ODM_ENOMEM;
        op->job_move.device = c->job.device;
        op->job_move.job = c->job.id;
        op->job_move.from = QUEUED;
        op->job_move.expect_attempts = c->job.attempts;
        op->job_move.to = STORE_JOB_WAITING;
        op->job_move.attempt = 1;
        op->job_move.reason = odm_arena_fmt(a, "%s %.*s", how, (int)name.n, name.p);
        op->job_move.note = odm_arena_fmt(a, "waiting: %s %.*s", how, (int)name.n, name.p);
        op->job_move.route = ODM_STR("gateway");
        op->job_move.at = w->t->now;
        *r = (gateway_relay){.device = c->job.device,
                             .job = c->job.id,
                             .gateway = w->row.device,
                             .task = task,
                             .image = odm_arena_copy(a, c->image),
                             .key = odm_arena_copy(a, c->child.key),
                             .plain = c->relay.plain,
                             .again = c->relay.again,
                             .at = w->t->now};
        return a->err ? odm_arena_err(a) : 0;
}

static int refuse_job(going *w, const candidate *c, const char *why)
{
        odm_arena *a = store_batch_arena(w->t->batch);
        store_op *op = fleet_op(w->t, STORE_JOB_MOVE);

        if (!op)
                return ODM_ENOMEM;
        op->job_move.device = c->job.device;
        op->job_move.job = c->job.id;
        op->job_move.from = QUEUED;
        op->job_move.to = STORE_JOB_FAILED;
        op->job_move.reason = odm_arena_copy(a, odm_cstr(why));
        op->job_move.note = odm_arena_fmt(a, "failed: %s", why);
        op->job_move.at = w->t->now;
        if (a->err)
                return odm_arena_err(a);
        return job_event_add(w->t->batch, &c->job, STORE_JOB_FAILED, why, w->t->now);
}

static int go_direct(going *w, candidate *c)
{
        const gateway_new n = {.form = GATEWAY_DIRECT,
                               .commands = gateway_commands(c->list, c->child.key, w->t->arena),
                               .atomic = c->job.atomic,
                               .priority = c->job.priority,
                               .deadline = c->job.deadline,
                               .attempts = c->job.max_attempts,
                               .actor = c->job.actor};
        int64_t id = 0;
        int rc;

        if (!n.commands)
                return refuse_job(w, c, "its commands cannot go through a gateway");
        rc = gateway_task_new(w->t, &w->row, &n, &id);
        atomic_fetch_add(&w->s->direct, 1);
        return rc == 0 ? take_job(w, c, "with its gateway", id) : rc;
}

/* The candidates that share a task with `first`, linked; a device once. */
static size_t gather(going *w, candidate *first)
{
        candidate *last = first;
        size_t n = 1;

        first->taken = true;
        for (candidate *c = first + 1; c < w->v + w->n && n < GATEWAY_TARGETS && !first->skip;
             c++) {
                bool twice = false;

                if (c->taken || c->skip || c->form != GATEWAY_FANOUT ||
                    !odm_str_eq(c->same, first->same))
                        continue;
                for (const candidate *o = first; o && !twice; o = o->next)
                        twice = o->job.device == c->job.device;
                if (twice)
                        continue;
                last->next = c;
                last = c;
                c->taken = true;
                n++;
        }
        return n;
}

/* What the campaign of a job says; 0: it is of none, or says nothing. */
static uint32_t campaign_parallel(const going *w, odm_str key)
{
        static const char of[] = "campaign/";
        odm_str s = odm_str_starts(key, of) ? odm_str_from(key, sizeof of - 1) : ODM_ABSENT;
        campaign k = {0}, row;
        json_int_t v = 0;
        uint64_t id;
        json_t *plan;
        size_t n = 0;

        while (n < s.n && s.p[n] != '/')
                n++;
        if (odm_str_u64(odm_str_to(s, n), INT64_MAX, &id) < 0)
                return 0;
        k.id = (int64_t)id;
        if (store_row_get(w->s->host->store, &table_campaign, &k, w->t->arena, &row) < 0)
                return 0;
        plan = json_loadb(row.plan.p ? row.plan.p : "", row.plan.n, 0, NULL);
        v = json_integer_value(json_object_get(plan, "parallel"));
        json_decref(plan);
        return v > 0 && v <= PARALLEL_MOST ? (uint32_t)v : 0;
}

/* Devices of a task at once: what its campaign allows in all, else as is set. */
static uint32_t parallel_of(const going *w, const candidate *first)
{
        const cfg *c = w->s->host->conf;
        uint32_t n = campaign_parallel(w, first->job.key);

        return n ? n : c ? (uint32_t)cfg_int(c, "gateways.parallel") : PARALLEL;
}

/* Values are as old as they are when they come. */
static bool is_collection(const candidate *c)
{
        return odm_str_is(c->job.kind, "collection");
}

static int go_one_by_one(going *w, candidate *first)
{
        int rc = 0;

        for (candidate *c = first; c && rc >= 0; c = c->next)
                rc = go_direct(w, c);
        return rc < 0 ? rc : 0;
}

/* The latest deadline of them; 0: one has none. */
static int64_t last_deadline(const candidate *first)
{
        int64_t at = first->job.deadline;

        for (const candidate *c = first; c && at; c = c->next)
                at = !c->job.deadline || c->job.deadline > at ? c->job.deadline : at;
        return at;
}

static int go_together(going *w, candidate *first)
{
        odm_arena *a = w->t->arena;
        size_t n = gather(w, first), i = 0;
        odm_str *targets = odm_arena_get(a, n * sizeof *targets);
        odm_str *keys = targets ? odm_arena_get(a, n * sizeof *keys) : NULL;
        gateway_order o = {.id = w->row.serial + 1,
                           .targets = targets,
                           .keys = keys,
                           .n_targets = n,
                           .parallel = n > 1 ? parallel_of(w, first) : 0,
                           .priority = first->job.priority,
                           .secret = gateway_has_secret(first->list),
                           .grouped = n > 1,
                           .window = n > 1 && is_collection(first) ? VALUES_S : 0};
        gateway_new k = {.form = GATEWAY_FANOUT,
                         .priority = first->job.priority,
                         .deadline = last_deadline(first),
                         .actor = first->job.actor};
        int64_t id;
        int rc = keys ? gateway_body(&first->all, first->skip,
                                     first->image.n ? first->link : ODM_ABSENT, first->image, a,
                                     &o.body)
                      : odm_arena_err(a);

        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT) /* too large, or no text */
                return go_one_by_one(w, first);
        if (rc < 0)
                return rc;
        for (candidate *c = first; c; c = c->next) {
                keys[i] = c->child.key;
                targets[i++] = c->d.devid;
        }
        o.expire = k.deadline ? k.deadline : w->t->now + EXPIRE_MS;
        if (k.deadline) /* how it ended is told after that */
                k.deadline += JOB_GRACE_MS;
        k.commands = gateway_task_make(&o);
        rc = gateway_task_new(w->t, &w->row, &k, &id);
        atomic_fetch_add(&w->s->tasks, 1);
        for (candidate *c = first; c && rc == 0; c = c->next) {
                atomic_fetch_add(&w->s->fanned, 1);
                rc = take_job(w, c, n > 1 ? "one of many, with its gateway" : "kept for it by", id);
        }
        return rc;
}

/* ---- which way each goes -------------------------------------------------------------------------- */

static bool only_small_reads(const candidate *c)
{
        for (uint32_t i = 0; i < c->all.n; i++)
                if (c->all.flat[i].c->kind == ODM_CMD_GET &&
                    job_list_of(c->all.flat[i].c) != JOB_NO_LIST)
                        return false;
        return true;
}

static bool only_reads(const candidate *c)
{
        for (uint32_t i = 0; i < c->all.n; i++)
                if (c->all.flat[i].c->kind != ODM_CMD_GET)
                        return false;
        return true;
}

static size_t alike(const going *w, const candidate *of)
{
        size_t n = 0;

        for (const candidate *c = w->v; c < w->v + w->n; c++)
                n += !c->taken && odm_str_eq(c->same, of->same);
        return n;
}

/* One for many is cheaper for the gateway's way to us. */
static bool goes_together(const going *w, const candidate *c)
{
        size_t n;

        if (w->row.no_tasks || c->relay.plain || c->all.n > GATEWAY_TASK_CMDS ||
            !only_small_reads(c))
                return false;
        n = alike(w, c);
        return n >= (only_reads(c) ? ALIKE : 2);
}

static int decide(going *w, candidate *c)
{
        const gateway_way way = {.asleep = c->d.state == STORE_DEVICE_ASLEEP ||
                                           c->d.state == STORE_DEVICE_UNREACHABLE || c->relay.again,
                                 .sleeps = c->child.wake_interval > 0,
                                 .tasks = !w->row.no_tasks && !c->relay.plain,
                                 .fresh = is_collection(c)};
        const char *why = NULL;
        bool waits = false;
        int form = gateway_form_of(&c->all, &way, &why);
        int rc;

        if (form < 0) {
                c->taken = true;
                return refuse_job(w, c, why);
        }
        rc = look_at_image(w, c, &waits);
        if (rc < 0)
                return rc;
        if (waits) {
                c->taken = true;
                return take_job(w, c, "waits until its package is at", GATEWAY_WAITS);
        }
        c->form = c->image.n || (c->relay.again && way.tasks) ? GATEWAY_FANOUT : (gateway_form)form;
        return 0;
}

static int go_all(going *w)
{
        int rc = 0;

        for (candidate *c = w->v; c < w->v + w->n && rc == 0; c++)
                rc = decide(w, c);
        for (candidate *c = w->v; c < w->v + w->n && rc == 0; c++)
                if (!c->taken && c->form == GATEWAY_DIRECT && goes_together(w, c))
                        c->form = GATEWAY_FANOUT;
        for (candidate *c = w->v; c < w->v + w->n && rc == 0; c++) {
                if (c->taken)
                        continue;
                if (c->form == GATEWAY_FANOUT) {
                        rc = go_together(w, c);
                } else {
                        c->taken = true;
                        rc = go_direct(w, c);
                }
        }
        return rc;
}

/* Everything is read before the first operation: what cannot be, is not the others' fault. */
static int prepare(going *w)
{
        int rc = 0;

        for (size_t i = 0; i < w->n && rc == 0; i++) {
                rc = fill_candidate(w, &w->v[i]);
                if (rc == ODM_EMALFORMED) {
                        w->v[i].taken = true;
                        w->v[i].same = ODM_STR("");
                        rc = refuse_job(w, &w->v[i], "its commands cannot be read");
                }
        }
        return rc;
}

int gateway_room(const gateways *s, odm_arena *a, int64_t gateway, size_t *out)
{
        const fleet_host *h = s->host;
        int64_t most = h->conf ? cfg_int(h->conf, "jobs.open_max") : OPEN_MOST;
        const store_job_filter f = {
                .device = gateway, .states = STORE_JOB_OPEN, .limit = 1000, .no_commands = true};
        store_job_list l = {0};
        int rc = store_job_find(h->store, &f, a, &l);

        most = most - most / 10;
        if (most > 1000)
                most = 1000;
        *out = (int64_t)l.n < most ? (size_t)(most - (int64_t)l.n) : 0;
        return rc;
}

/* Those behind other gateways have their turn; these are found again when a job of a gateway has
 * ended. */
static void leave(going *w)
{
        for (size_t i = 0; i < w->n; i++)
                gateway_unpoke(w->s, w->v[i].job.device);
        w->s->full = true;
}

int gateway_go(gateways *s, fleet_turn *t, bool *again)
{
        going w = {.s = s, .t = t};
        gateway_row row;
        int rc = find_candidates(&w);
        size_t room = 0;
        int64_t before;

        if (rc == 0 && w.n)
                rc = gateway_room(s, t->arena, w.row.device, &room);
        if (rc < 0 || !w.n)
                return rc;
        *again = true;
        if (!room) {
                leave(&w);
                return 0;
        }
        if (w.n > room)
                w.n = room;
        rc = gateway_find(s->host->store, w.row.device, t->arena, &row);
        if (rc == 0)
                rc = store_device_get(s->host->store, w.row.device, t->arena, &w.g);
        if (rc == ODM_ENOENT) { /* its gateway has gone: nothing goes through it */
                for (size_t i = 0; i < w.n; i++)
                        gateway_unpoke(s, w.v[i].job.device);
                return 0;
        }
        w.row = row;
        before = row.serial;
        if (rc == 0)
                rc = prepare(&w);
        if (rc == 0)
                rc = go_all(&w);
        if (rc == 0 && w.row.serial != before)
                rc = gateway_count(t, &w.row, before, 0);
        for (size_t i = 0; i < w.n; i++)
                json_decref(w.v[i].list);
        return rc;
}

/* ---- who waited for an image ------------------------------------------------------------------------ */

int gateway_go_loaded(gateways *s, fleet_turn *t, const gateway_row *row, bool *more)
{
        const gateway_relay at = {.gateway = row->device, .task = GATEWAY_WAITS};
        const store_scan scan = {.table = &table_gateway_relay,
                                 .index = RELAY_BY_IMAGE,
                                 .same = 2,
                                 .at = &at,
                                 .limit = 1000};
        store_rows l = {0};
        gateway_image img = {.state = GATEWAY_LOADING};
        const gateway_relay *v;
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);
        size_t done = 0;

        v = l.v;
        *more = false;
        for (size_t i = 0; i < l.n && rc == 0 && done < PAGE; i++) {
                const gateway_image key = {.device = row->device, .sha256 = v[i].image};

                if (i == 0 || !odm_str_eq(v[i].image, v[i - 1].image)) {
                        rc = store_row_get(s->host->store, &table_gateway_image, &key, t->arena,
                                           &img);
                        if (rc == ODM_ENOENT) {
                                img.state = GATEWAY_UNLOADED;
                                rc = 0;
                        }
                }
                if (rc < 0 || img.state == GATEWAY_LOADING)
                        continue;
                rc = gateway_put_back(s, t, &v[i],
                                      img.state == GATEWAY_LOADED
                                              ? "its package is at its gateway"
                                              : "its gateway has not got its package");
                done++;
        }
        *more = done > 0;
        return rc;
}

/* ---- after a start ----------------------------------------------------------------------------------- */

int gateway_scan(gateways *s, fleet_turn *t, bool *again)
{
        store_job_filter f = {.states = QUEUED, .limit = 1000, .no_commands = true};
        store_job_list l = {0};
        size_t waiting;
        int rc;

        pthread_mutex_lock(&s->lock);
        *again = s->scan;
        waiting = s->n_poked;
        f.before = s->scanned;
        pthread_mutex_unlock(&s->lock);
        *again = *again && waiting <= GATEWAY_POKES / 2; /* else those first */
        if (!*again)
                return 0;
        rc = store_job_find(s->host->store, &f, t->arena, &l);
        for (size_t i = 0; i < l.n && rc == 0; i++) {
                gateway_child c;

                rc = gateway_find_child(s->host->store, l.v[i].device, t->arena, &c);
                if (rc == 0)
                        gateway_poke(s, l.v[i].device);
                rc = rc == ODM_ENOENT ? 0 : rc;
        }
        if (rc < 0)
                return rc;
        pthread_mutex_lock(&s->lock);
        if (f.before == s->scanned) { /* else it is to begin anew */
                s->scanned = l.n ? l.v[l.n - 1].id : 0;
                s->scan = l.more;
        }
        pthread_mutex_unlock(&s->lock);
        return 0;
}
