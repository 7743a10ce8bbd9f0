/* SPDX-License-Identifier: Apache-2.0 */
/* What nobody asks for but has to happen: sessions that went silent, jobs past their deadline, jobs
 * whose session is no more. */
#include <stdio.h>

#include "dm_inner.h"
#include "heap.h"
#include "log.h"

#define TICK_MS 1000
#define MINUTE_MS 60000
#define PAGE 200
#define CARE_MEMORY ((size_t)64 << 20) /* a page of jobs without their commands */
#define JOB_MEMORY ((size_t)256 << 20) /* one with them */
#define STRANGER_IDLE_MS 30000         /* a session whose device has not proved itself */
#define ENDED_IDLE_MS 30000            /* an ended one, kept for a repetition of its last message */
#define ORPHAN_AGE_MS 30000 /* a claim younger than this may not be known to its session yet */

/* ---- silent sessions -------------------------------------------------------------------- */

static bool is_silent(const dm *m, const session *s, odm_time now)
{
        int64_t idle = m->opt.session_idle_ms;

        if (!s->authenticated && idle > STRANGER_IDLE_MS)
                idle = STRANGER_IDLE_MS;
        if (s->over && idle > ENDED_IDLE_MS)
                idle = ENDED_IDLE_MS;
        return !s->busy && now.ms - s->used.ms >= idle;
}

static session *take_silent(dm *m, odm_time now)
{
        session *s;

        pthread_mutex_lock(&m->lock);
        for (s = m->oldest; s && !is_silent(m, s, now); s = s->newer)
                ;
        if (s)
                s->busy = true;
        pthread_mutex_unlock(&m->lock);
        return s;
}

static void end_silent(dm *m)
{
        session *s;

        while ((s = take_silent(m, loop_now()))) {
                if (!s->over)
                        log_info("session lost", log_str("device", s->source));
                session_lost(s, "the device fell silent");
        }
}

/* ---- deadlines ---------------------------------------------------------------------------- */

static const char *expiry_of(const store_job *j)
{
        switch (j->state) {
        case STORE_JOB_WAITING: return "its alert did not come in time";
        case STORE_JOB_NOTIFIED: return "the device did not answer its wake-ups in time";
        default: return "the device did not call in time";
        }
}

static bool is_at_gateway(const store_job *j)
{
        return j->state == STORE_JOB_WAITING && odm_str_is(j->route, "gateway");
}

/* Those in one of `from` whose deadline was before `then`; but for those at a gateway, unless
 * `all`. */
static void end_some(dm *m, uint32_t from, int64_t then, bool all)
{
        int64_t now = loop_wall_ms();
        store_job_filter f = {
                .states = from, .limit = PAGE, .deadline_before = then, .no_commands = true};
        store_job_list l = {0};
        store_batch *b;
        odm_arena a;
        bool ok = true;

        odm_arena_init(&a, &heap_mem, CARE_MEMORY);
        if (store_job_find(m->opt.store, &f, &a, &l) == 0 && l.n && (b = store_batch_new())) {
                for (size_t i = 0; ok && i < l.n; i++) {
                        if (!all && is_at_gateway(&l.v[i]))
                                continue;
                        ok = work_move(b, &l.v[i], from, STORE_JOB_EXPIRED, expiry_of(&l.v[i]),
                                       now) != NULL;
                        work_count(m, STORE_JOB_EXPIRED, &l.v[i], now);
                }
                if (ok && b->n)
                        dm_write(m, b);
                else
                        store_batch_free(b);
        }
        odm_arena_done(&a);
}

/* Pages are in no order: those at gateways, which fill some, are out of the way when the time for
 * their word has passed. */
static void end_overdue(dm *m)
{
        const uint32_t calls = STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED);
        int64_t now = loop_wall_ms();

        end_some(m, calls, now, true);
        end_some(m, STORE_JOB_BIT(STORE_JOB_WAITING), now - JOB_GRACE_MS, true);
        end_some(m, STORE_JOB_BIT(STORE_JOB_WAITING), now, false);
}

/* ---- jobs whose session is no more ----------------------------------------------------------- */

static int judge_one(dm *m, int64_t id, store_batch *b)
{
        store_job j;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, JOB_MEMORY);
        rc = store_job_get(m->opt.store, id, &a, &j);
        if (rc == 0 && j.state == STORE_JOB_IN_SESSION)
                rc = work_judge_stored(m, b, &j, loop_wall_ms());
        odm_arena_done(&a);
        return rc == ODM_ENOENT ? 0 : rc;
}

/* One page; *before moves on; *n says how many were looked at. */
static int judge_page(dm *m, int64_t older_than, int64_t *before, size_t *n, store_batch **out)
{
        store_job_filter f = {.states = STORE_JOB_BIT(STORE_JOB_IN_SESSION),
                              .limit = PAGE,
                              .before = *before,
                              .no_commands = true};
        store_job_list l = {0};
        store_batch *b = store_batch_new();
        odm_arena a;
        int rc = b ? 0 : ODM_ENOMEM;

        odm_arena_init(&a, &heap_mem, CARE_MEMORY);
        if (rc == 0)
                rc = store_job_find(m->opt.store, &f, &a, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                *before = l.v[i].id;
                if (l.v[i].updated <= older_than && !dm_has_session(m, l.v[i].session))
                        rc = judge_one(m, l.v[i].id, b);
        }
        *n = l.n;
        odm_arena_done(&a);
        if (rc < 0)
                store_batch_free(b);
        else
                *out = b;
        return rc;
}

static void adopt_orphans(dm *m)
{
        int64_t before = 0;
        size_t n = PAGE;

        while (n == PAGE) {
                store_batch *b;
                if (judge_page(m, loop_wall_ms() - ORPHAN_AGE_MS, &before, &n, &b) < 0)
                        return;
                if (b->n)
                        dm_write(m, b);
                else
                        store_batch_free(b);
        }
}

static int count_held(dm *m)
{
        store_counts c;
        int rc = store_count(m->opt.store, &c);

        if (rc == 0)
                atomic_store(&m->held, (unsigned)c.devices[STORE_DEVICE_HELD]);
        return rc;
}

/* ---- the clock -------------------------------------------------------------------------- */

void care_tick(void *ctx)
{
        dm *m = ctx;
        odm_time now = loop_now();

        end_silent(m);
        end_overdue(m);
        wake_tick(m);
        if (now.ms >= m->next_minute) {
                m->next_minute = now.ms + MINUTE_MS;
                adopt_orphans(m);
                if (count_held(m) < 0)
                        log_warn("the store cannot be read");
        }
        if (loop_timer_set(m->opt.loop, &m->tick, odm_time_add(loop_now(), TICK_MS)) < 0)
                log_error("no memory for a timer");
}

int care_start(dm *m, diag *d)
{
        int64_t before = 0;
        size_t n = PAGE, total = 0;
        int rc = count_held(m);

        while (rc == 0 && n == PAGE) {
                store_batch *b;
                rc = judge_page(m, INT64_MAX, &before, &n, &b);
                if (rc < 0)
                        break;
                rc = b->n ? store_write_sync(m->opt.store, b) : 0;
                total += n;
                store_batch_free(b);
        }
        if (rc < 0)
                return diag_set(d, rc, "jobs of lost sessions cannot be put back: %s",
                                odm_err_text(rc));
        if (total)
                log_info("jobs of lost sessions put back", log_int("jobs", (int64_t)total));
        m->next_minute = loop_now().ms + MINUTE_MS;
        return loop_timer_set(m->opt.loop, &m->tick, odm_time_add(loop_now(), TICK_MS));
}
