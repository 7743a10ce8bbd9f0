/* SPDX-License-Identifier: Apache-2.0 */
/* The log is read page by page; each event goes to the parts that want it, and what they make of
 * many events is one batch, with the place up to which the log was heard. */
#include "fleet.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "event.h"
#include "heap.h"
#include "job_codec.h"
#include "log.h"
#include "metrics.h"

#define PLACE ODM_STR("fleet.place")
#define BATCH_FULL 2048 /* operations; an event adds far fewer than are left */
#define SKIPPED_MOST 4096
#define UNHEARD_MOST 50 /* events that are looked through */
#define TURN_MEMORY ((size_t)256 << 20)
#define DEVICES_SEEN 1024 /* a power of two, more than twice EVENT_PAGE */
#define MINUTE_MS 60000
#define RETRY_MS 1000
#define TICK_RETRY_MS 5000
#define TICK_AGAIN_MS 20
#define TICKS_MOST 1000 /* of one part on end */

typedef struct slot {
        const fleet_part *part;
        void *self;
        int64_t due;
        bool heard;        /* since its last tick */
        atomic_bool poked; /* so by another thread */
} slot;

struct fleet {
        fleet_host host;
        slot *slots;
        size_t n;
        int64_t place, kept; /* heard up to; and what of it is durable */
        unsigned alone;      /* so many events have to be heard one by one */
        odm_arena arena;
        store_batch *batch;
        int64_t seen[DEVICES_SEEN]; /* devices with an event in the batch; 0: free */
        int64_t tick_all;           /* every part ticks then */
        _Atomic uint64_t missed;    /* events that were gone before they were heard */

        pthread_t thread;
        bool running;
        pthread_mutex_t lock;
        pthread_cond_t cond;
        bool stop;      /* under the lock */
        int64_t in_log; /* the same: highest number that is durable */
        bool poked;     /* the same: a part has to tick */
};

/* ---- open and close ----------------------------------------------------------------- */

const store_table **fleet_tables(const fleet_part *const *parts, size_t *n)
{
        const store_table **v;
        size_t count = 0, k = 0;

        for (size_t i = 0; parts[i]; i++)
                for (size_t j = 0; parts[i]->tables && parts[i]->tables[j]; j++)
                        count++;
        v = calloc(count + 1, sizeof *v);
        if (!v)
                return NULL;
        for (size_t i = 0; parts[i]; i++)
                for (size_t j = 0; parts[i]->tables && parts[i]->tables[j]; j++)
                        v[k++] = parts[i]->tables[j];
        *n = count;
        return v;
}

static int read_place(fleet *f, diag *d)
{
        odm_str text;
        uint64_t v = 0;
        int rc = store_setting_get(f->host.store, PLACE, &f->arena, &text);

        if (rc == 0 && odm_str_u64(text, INT64_MAX, &v) < 0)
                rc = ODM_EMALFORMED;
        if (rc < 0 && rc != ODM_ENOENT)
                return diag_set(d, rc, "the place in the log of events cannot be read: %s",
                                odm_err_text(rc));
        f->place = f->kept = (int64_t)v;
        store_events_heard(f->host.store, f->kept);
        odm_arena_reset(&f->arena);
        return 0;
}

static int open_parts(fleet *f, const fleet_part *const *parts, diag *d)
{
        for (size_t i = 0; parts[i]; i++) {
                void *self = NULL;
                int rc = parts[i]->open ? parts[i]->open(&f->host, &self, d) : 0;

                if (rc < 0)
                        return d->text[0] ? rc
                                          : diag_set(d, rc, "%s cannot begin: %s", parts[i]->name,
                                                     odm_err_text(rc));
                f->slots[f->n].part = parts[i];
                f->slots[f->n++].self = self;
        }
        return 0;
}

int fleet_new(const fleet_part *const *parts, const fleet_host *h, fleet **out, diag *d)
{
        fleet *f = calloc(1, sizeof *f);
        pthread_condattr_t attr;
        size_t n = 0;
        int rc;

        if (!f)
                return ODM_ENOMEM;
        f->host = *h;
        while (parts[n])
                n++;
        f->slots = calloc(n + 1, sizeof *f->slots);
        odm_arena_init(&f->arena, &heap_mem, TURN_MEMORY);
        pthread_mutex_init(&f->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&f->cond, &attr);
        pthread_condattr_destroy(&attr);
        rc = f->slots ? read_place(f, d) : ODM_ENOMEM;
        if (rc == 0)
                rc = open_parts(f, parts, d);
        if (rc < 0)
                fleet_free(f);
        else
                *out = f;
        return rc;
}

void fleet_free(fleet *f)
{
        if (!f)
                return;
        for (size_t i = f->n; i-- > 0;)
                if (f->slots[i].part->close)
                        f->slots[i].part->close(f->slots[i].self);
        store_batch_free(f->batch);
        odm_arena_done(&f->arena);
        pthread_cond_destroy(&f->cond);
        pthread_mutex_destroy(&f->lock);
        free(f->slots);
        free(f);
}

void *fleet_self(fleet *f, const fleet_part *p)
{
        for (size_t i = 0; i < f->n; i++)
                if (f->slots[i].part == p)
                        return f->slots[i].self;
        return NULL;
}

const fleet_host *fleet_host_of(const fleet *f)
{
        return &f->host;
}

int fleet_metrics(fleet *f, odm_buf *out)
{
        int rc = metrics_line(out, "nrem_events_missed_total", "", "counter",
                              "Events that had to go before the server could act on them",
                              (double)atomic_load(&f->missed));

        for (size_t i = 0; rc == 0 && i < f->n; i++)
                if (f->slots[i].part->metrics)
                        rc = f->slots[i].part->metrics(f->slots[i].self, out);
        return rc;
}

bool fleet_describe(fleet *f, const store_device *d, odm_str scope, bool addresses, odm_arena *a,
                    json_t *o)
{
        bool ok = true;

        for (size_t i = 0; ok && f && i < f->n; i++)
                if (f->slots[i].part->describe)
                        ok = f->slots[i].part->describe(f->slots[i].self, d, scope, addresses, a,
                                                        o);
        return ok;
}

int fleet_behind(fleet *f, int64_t gateway, odm_str key, odm_arena *a, int64_t *out)
{
        for (size_t i = 0; f && i < f->n; i++)
                if (f->slots[i].part->behind)
                        return f->slots[i].part->behind(f->slots[i].self, gateway, key, a, out);
        return ODM_ENOENT;
}

int fleet_covers(fleet *f, int64_t gateway, odm_str scope, odm_arena *a, bool *out)
{
        for (size_t i = 0; f && i < f->n; i++)
                if (f->slots[i].part->covers)
                        return f->slots[i].part->covers(f->slots[i].self, gateway, scope, a, out);
        *out = true;
        return 0;
}

int fleet_unheard(store *st, int64_t device, odm_str kind, odm_arena *a, bool *out)
{
        store_event_list l = {0};
        odm_str text = ODM_ABSENT;
        uint64_t place = 0;
        int rc = store_setting_get(st, PLACE, a, &text);

        if (rc == 0)
                rc = odm_str_u64(text, INT64_MAX, &place);
        if (rc == 0 || rc == ODM_ENOENT)
                rc = store_event_find(st, (int64_t)place, device, UNHEARD_MOST, a, &l);
        if (rc < 0 && rc != ODM_ELIMIT)
                return rc;
        *out = l.more || rc == ODM_ELIMIT; /* more than is looked through */
        for (size_t i = 0; i < l.n && !*out; i++)
                *out = odm_str_eq(l.v[i].kind, kind);
        return 0;
}

void fleet_job_created(fleet *f, int64_t device, int64_t job)
{
        bool any = false;

        for (size_t i = 0; i < f->n; i++)
                if (f->slots[i].part->created) {
                        f->slots[i].part->created(f->slots[i].self, device, job);
                        atomic_store(&f->slots[i].poked, true);
                        any = true;
                }
        if (!any)
                return;
        pthread_mutex_lock(&f->lock);
        f->poked = true;
        pthread_cond_signal(&f->cond);
        pthread_mutex_unlock(&f->lock);
}

/* ---- a batch ------------------------------------------------------------------------ */

static fleet_turn turn_of(fleet *f)
{
        return (fleet_turn){.host = &f->host,
                            .batch = f->batch,
                            .arena = &f->arena,
                            .now = f->host.now(f->host.ctx)};
}

static int begin_batch(fleet *f)
{
        if (!f->batch) {
                memset(f->seen, 0, sizeof f->seen);
                f->batch = store_batch_new();
        }
        return f->batch ? 0 : ODM_ENOMEM;
}

static void drop_batch(fleet *f)
{
        store_batch_free(f->batch);
        f->batch = NULL;
        odm_arena_reset(&f->arena);
}

static int add_place(fleet *f, int64_t place)
{
        store_op *op = store_batch_add(f->batch, STORE_SETTING_PUT);

        if (!op)
                return ODM_ENOMEM;
        op->setting.key = PLACE;
        op->setting.value = odm_arena_number(store_batch_arena(f->batch), (uint64_t)place);
        return op->setting.value.p ? 0 : ODM_ENOMEM;
}

/* Devices whose jobs have become durable are woken, and who waits for a job is told. */
static void tell_jobs(fleet *f)
{
        for (size_t i = 0; i < f->batch->n; i++) {
                const store_op *op = f->batch->ops[i];

                if (op->rc < 0)
                        continue;
                if (op->kind == STORE_JOB_MOVE && f->host.job_moved)
                        f->host.job_moved(f->host.ctx, op->job_move.job);
                if (op->kind != STORE_JOB_CREATE)
                        continue;
                fleet_job_created(f, op->job.device, op->id);
                if (f->host.job_created)
                        f->host.job_created(f->host.ctx, op->job.device, op->id);
        }
}

static int write_batch(fleet *f)
{
        int rc = store_write_sync(f->host.store, f->batch);

        if (rc == 0)
                tell_jobs(f);
        return rc;
}

/* Makes what came of the events up to `place` durable, and forgets the batch. */
static int flush(fleet *f, int64_t place)
{
        int rc = 0;

        if (f->batch && (f->batch->n || place - f->kept >= SKIPPED_MOST)) {
                rc = add_place(f, place);
                if (rc == 0)
                        rc = write_batch(f);
                if (rc == 0) {
                        f->kept = place;
                        store_events_heard(f->host.store, f->kept);
                }
        }
        if (rc == 0)
                f->place = place;
        return rc;
}

/* True when the store understood the batch and turned an operation down. */
static bool was_refused(const store_batch *b)
{
        for (size_t i = 0; b && i < b->n; i++)
                if (b->ops[i]->rc < 0 && !b->ops[i]->lenient)
                        return true;
        return false;
}

/* ---- events --------------------------------------------------------------------------- */

static bool wants(const fleet_part *p, odm_str kind)
{
        if (!p->event || !p->events)
                return false;
        for (const char *at = p->events; *at;) {
                size_t n = strcspn(at, " ");

                if (*at == '*' || (n <= kind.n && memcmp(at, kind.p, n) == 0))
                        return true;
                at += n + strspn(at + n, " ");
        }
        return false;
}

static bool anybody_wants(const fleet *f, odm_str kind)
{
        for (size_t i = 0; i < f->n; i++)
                if (wants(f->slots[i].part, kind))
                        return true;
        return false;
}

/* True when the device had no event in this batch; then it has one now. */
static bool first_of_device(fleet *f, int64_t device)
{
        size_t i = (size_t)device * 0x9E3779B97F4A7C15u >> 32;

        for (i &= DEVICES_SEEN - 1; f->seen[i]; i = (i + 1) & (DEVICES_SEEN - 1))
                if (f->seen[i] == device)
                        return false;
        f->seen[i] = device;
        return true;
}

static int hear(fleet *f, const store_event *e)
{
        fleet_turn t = turn_of(f);
        json_t *data = json_loadb(e->data.p ? e->data.p : "", e->data.n, 0, NULL);
        int rc = 0;

        if (!json_is_object(data)) {
                json_decref(data);
                data = json_object();
        }
        for (size_t i = 0; data && rc == 0 && i < f->n; i++)
                if (wants(f->slots[i].part, e->kind)) {
                        const fleet_event ev = {.e = *e, .data = data};

                        rc = f->slots[i].part->event(f->slots[i].self, &t, &ev);
                        f->slots[i].heard = true;
                }
        if (!data)
                rc = ODM_ENOMEM;
        json_decref(data);
        return rc;
}

/* Whether the batch has to be written before this event is heard. */
static bool needs_flush(fleet *f, const store_event *e)
{
        if (!f->batch)
                return false;
        if (e->device == 0 || f->alone || f->batch->n > BATCH_FULL)
                return true;
        return !first_of_device(f, e->device);
}

/* What came of a batch cannot be kept: its events are heard again, alone. */
static int fall_back(fleet *f, const store_event *last, unsigned events, int rc)
{
        bool refused = was_refused(f->batch) ||
                       (rc != ODM_ENOMEM && rc != ODM_EIO && rc != ODM_ELIMIT && rc != ODM_ESTATE);

        drop_batch(f);
        if (!f->alone) {
                f->alone = events;
                return 0;
        }
        if (!refused)
                return rc; /* no fault of the event: later */
        log_error("what comes of an event is refused; it is left out", log_int("event", last->seq),
                  log_str("kind", last->kind), log_text("reason", odm_err_text(rc)));
        f->place = last->seq;
        f->alone--;
        return 0;
}

/* Hears events of the page from *i on, as many as go into one batch, and writes what came of them.
 */
static int one_batch(fleet *f, const store_event_list *l, size_t *i)
{
        size_t from = *i, to = from;
        int rc = begin_batch(f);

        while (rc == 0 && to < l->n) {
                const store_event *e = &l->v[to];

                if (anybody_wants(f, e->kind)) {
                        if (to > from && needs_flush(f, e))
                                break;
                        if (to == from)
                                (void)first_of_device(f, e->device);
                        rc = hear(f, e);
                }
                to++;
                if (f->alone || e->device == 0)
                        break;
        }
        if (rc == 0)
                rc = flush(f, l->v[to - 1].seq);
        if (rc < 0)
                return to > from ? fall_back(f, &l->v[to - 1], (unsigned)(to - from), rc) : rc;
        drop_batch(f);
        if (f->alone)
                f->alone--;
        *i = to;
        return 0;
}

/* The log waits for us, but not for ever: what had to go is said, and the parts go on behind it.
 * Who waits for the end of a job or a sign of a device has a deadline, and looks at it then. */
static int find_place(fleet *f)
{
        int64_t at = f->place, missed;
        int rc = event_place(f->host.store, &at, &missed);

        if (rc == 0 && missed) {
                log_error("events had to go before the server could act on them",
                          log_int("events", missed), log_int("first", f->place + 1));
                atomic_fetch_add(&f->missed, (uint64_t)missed);
                f->place = at;
        }
        return rc;
}

/* One page of the log.  *more: there is another. */
static int hear_page(fleet *f, bool *more)
{
        store_event_list l = {0};
        odm_arena a;
        size_t i = 0;
        int rc;

        odm_arena_init(&a, &heap_mem, EVENT_MEMORY);
        rc = event_page(f->host.store, f->place, 0, &a, &l);
        if (rc == 0 && l.n && l.v[0].seq > f->place + 1)
                rc = find_place(f);
        while (rc == 0 && i < l.n) {
                int64_t before = f->place;

                rc = one_batch(f, &l, &i);
                if (rc == 0 && f->place != before && i < l.n && l.v[i].seq <= f->place)
                        i++; /* it was left out */
        }
        *more = rc == 0 && l.more;
        odm_arena_done(&a);
        return rc;
}

/* ---- the clock ------------------------------------------------------------------------ */

static int tick_part(fleet *f, slot *s)
{
        int rc = begin_batch(f);

        if (rc == 0) {
                fleet_turn t = turn_of(f);
                int64_t at = INT64_MAX;

                rc = s->part->tick(s->self, &t, &at);
                s->due = at;
                if (rc == 0 && f->batch->n)
                        rc = write_batch(f);
                if (rc == ODM_ESTATE) { /* what was read has changed meanwhile */
                        s->due = t.now + TICK_AGAIN_MS;
                        rc = 0;
                }
                if (rc < 0) {
                        log_error("work that was due failed; it is tried again",
                                  log_text("part", s->part->name),
                                  log_text("reason", odm_err_text(rc)));
                        s->due = t.now + TICK_RETRY_MS;
                }
        }
        drop_batch(f);
        return rc;
}

static int tick_parts(fleet *f)
{
        int64_t now = f->host.now(f->host.ctx);
        bool all = fleet_due(now, f->tick_all, MINUTE_MS);
        int worst = 0;

        if (all)
                f->tick_all = now + MINUTE_MS;
        for (size_t i = 0; i < f->n; i++) {
                slot *s = &f->slots[i];
                bool poked = atomic_exchange(&s->poked, false);
                bool due = all || s->heard || poked || s->due <= now;
                int rc = 0;

                s->heard = false;
                if (!s->part->tick)
                        s->due = INT64_MAX;
                else
                        for (unsigned k = 0; due && rc == 0 && k < TICKS_MOST; k++) {
                                rc = tick_part(f, s);
                                due = s->due <= now;
                        }
                if (rc < 0)
                        worst = rc;
        }
        return worst;
}

static int64_t next_due(const fleet *f)
{
        int64_t next = f->tick_all;

        for (size_t i = 0; i < f->n; i++)
                if (f->slots[i].due < next)
                        next = f->slots[i].due;
        return next;
}

int fleet_run(fleet *f, unsigned rounds, int64_t *next)
{
        for (unsigned i = 0; i < rounds; i++) {
                int64_t before;
                bool more = true;
                int rc = 0;

                while (rc == 0 && more)
                        rc = hear_page(f, &more);
                before = f->place;
                if (rc == 0)
                        rc = tick_parts(f);
                if (rc == 0)
                        rc = hear_page(f, &more);
                if (rc < 0)
                        return rc;
                if (f->place == before && !more) {
                        *next = next_due(f);
                        return 0;
                }
        }
        return ODM_ELIMIT;
}

/* ---- the thread ----------------------------------------------------------------------- */

static void on_log(void *ctx, int64_t seq)
{
        fleet *f = ctx;

        pthread_mutex_lock(&f->lock);
        if (seq > f->in_log)
                f->in_log = seq;
        pthread_cond_signal(&f->cond);
        pthread_mutex_unlock(&f->lock);
}

/* Sleeps until there is something to do, at most `ms`.  False: it is to end. */
static bool rest(fleet *f, int64_t ms, bool for_log)
{
        struct timespec until;
        bool go_on;
        int rc = 0;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
        }
        pthread_mutex_lock(&f->lock);
        while (!f->stop && rc != ETIMEDOUT && !(for_log && (f->in_log > f->place || f->poked)))
                rc = pthread_cond_timedwait(&f->cond, &f->lock, &until);
        f->poked = false;
        go_on = !f->stop;
        pthread_mutex_unlock(&f->lock);
        return go_on;
}

static void *run(void *ctx)
{
        fleet *f = ctx;
        bool more = true, go_on = true, failing = false;

        while (go_on) {
                int rc = hear_page(f, &more);
                int64_t now;

                if (rc == 0)
                        (void)tick_parts(f);
                if (rc < 0 && !failing)
                        log_error("events cannot be heard", log_text("reason", odm_err_text(rc)));
                if (rc == 0 && failing)
                        log_info("events are heard again");
                failing = rc < 0;
                now = f->host.now(f->host.ctx);
                if (failing)
                        go_on = rest(f, RETRY_MS, false);
                else if (more)
                        go_on = rest(f, 0, true);
                else
                        go_on = rest(f, next_due(f) > now ? next_due(f) - now : 0, true);
        }
        return NULL;
}

int fleet_start(fleet *f)
{
        store_watch(f->host.store, on_log, f);
        if (pthread_create(&f->thread, NULL, run, f) != 0) {
                store_watch(f->host.store, NULL, NULL);
                return ODM_EIO;
        }
        f->running = true;
        return 0;
}

void fleet_stop(fleet *f)
{
        if (!f)
                return;
        if (f->running) {
                store_watch(f->host.store, NULL, NULL);
                pthread_mutex_lock(&f->lock);
                f->stop = true;
                pthread_cond_signal(&f->cond);
                pthread_mutex_unlock(&f->lock);
                pthread_join(f->thread, NULL);
                f->running = false;
        }
        for (size_t i = 0; i < f->n; i++)
                if (f->slots[i].part->stop)
                        f->slots[i].part->stop(f->slots[i].self);
}

/* ---- for parts -------------------------------------------------------------------------- */

store_op *fleet_op(fleet_turn *t, store_op_kind kind)
{
        return store_batch_add(t->batch, kind);
}

store_op *fleet_row(fleet_turn *t, store_op_kind kind, const store_table *table, const void *row)
{
        store_op *op = store_batch_add(t->batch, kind);

        if (op) {
                op->row.table = table;
                op->row.row = row;
        }
        return op;
}

static odm_str dump(store_batch *b, json_t *o)
{
        char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
        odm_str s = ODM_ABSENT;

        if (text)
                s = odm_arena_copy(store_batch_arena(b), odm_cstr(text));
        free(text);
        json_decref(o);
        return s;
}

int fleet_tell(fleet_turn *t, int64_t device, const char *kind, json_t *data)
{
        odm_arena *a = store_batch_arena(t->batch);
        odm_str text = dump(t->batch, data), k = odm_arena_copy(a, odm_cstr(kind));
        store_op *op = text.p && k.p ? fleet_op(t, STORE_EVENT_ADD) : NULL;

        if (!op)
                return ODM_ENOMEM;
        op->event = (store_event){.at = t->now, .device = device, .kind = k, .data = text};
        return 0;
}

int fleet_job(fleet_turn *t, const fleet_order *o)
{
        odm_arena *a = store_batch_arena(t->batch);
        json_t *list = json_loadb(o->commands.p ? o->commands.p : "", o->commands.n,
                                  JSON_REJECT_DUPLICATES, NULL);
        store_job j = {.device = o->device,
                       .kind = odm_arena_copy(a, odm_cstr(o->kind)),
                       .atomic = o->atomic,
                       .priority = o->priority,
                       .deadline = o->deadline,
                       .max_attempts = o->attempts ? o->attempts : 10,
                       .actor = odm_arena_copy(a, o->actor),
                       .key = odm_arena_copy(a, o->key),
                       .created = t->now,
                       .updated = t->now};
        store_op *op;
        int rc;

        if (!list)
                return ODM_EMALFORMED;
        rc = command_correlate(list, a, &j.correlator);
        if (rc < 0) {
                json_decref(list);
                return rc;
        }
        if (j.correlator.p) /* it may be the list's */
                j.correlator = odm_arena_copy(a, j.correlator);
        j.commands = dump(t->batch, list);
        op = j.commands.p && j.key.p ? fleet_op(t, STORE_JOB_CREATE) : NULL;
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->job = j;
        op = fleet_op(t, STORE_JOB_NOTE);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->note.device = o->device;
        op->note.job = STORE_LAST;
        op->note.n.at = t->now;
        op->note.n.text = odm_arena_join(a, ODM_STR("made by "), j.kind);
        return a->err ? odm_arena_err(a) : 0;
}

odm_str fleet_text(const fleet_event *ev, const char *member)
{
        const json_t *v = json_object_get(ev->data, member);

        return json_is_string(v) ? (odm_str){json_string_value(v), json_string_length(v)}
                                 : ODM_ABSENT;
}

int64_t fleet_int(const fleet_event *ev, const char *member)
{
        return json_integer_value(json_object_get(ev->data, member));
}

int64_t fleet_id(const fleet_event *ev, const char *member)
{
        uint64_t v = 0;

        return odm_str_u64(fleet_text(ev, member), INT64_MAX, &v) == 0 ? (int64_t)v : 0;
}
