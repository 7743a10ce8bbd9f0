/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs in SQLite: their rows, results and notes. */
#include <stdlib.h>

#include "sqlite_engine.h"

static int64_t is_open(store_job_state s)
{
        return (STORE_JOB_OPEN & STORE_JOB_BIT(s)) != 0;
}

#define JOB_SELECT "SELECT " COLS(JOB_FIELDS) " FROM job"
#define JOB_LIST \
        "SELECT " COLS(JOB_HEAD_FIELDS) ", CASE WHEN ?1 THEN NULL ELSE commands END FROM job"
/* ?1 no commands, ?2 states, ?3 limit, ?4 correlator, ?5 deadline, ?6 before, ?7 device */
#define JOB_FILTER                                                           \
        " (?2 >> state) & 1 AND (?4 IS NULL OR ifnull(correlator, '') = ?4)" \
        " AND (?5 = 0 OR (deadline > 0 AND deadline <= ?5)) AND (?6 = 0 OR id < ?6)"

int sqlite_job_get(void *h, int64_t device, int64_t id, odm_arena *a, store_job *out)
{
        sqlite3_stmt *st =
                device ? db_bind(h, JOB_SELECT " WHERE device = ? AND id = ?", "ii", device, id)
                       : db_bind(h, JOB_SELECT " WHERE id = ?", "i", id);

        return db_one(h, st, &record_job, a, out);
}

/* Each shape of question has the statement whose index answers it. */
static const char *job_question(const store_job_filter *f)
{
        bool open = !(f->states & ~STORE_JOB_OPEN);

        if (f->in_order)
                return open ? JOB_LIST " WHERE device = ?7 AND open = 1 AND" JOB_FILTER
                                       " ORDER BY priority DESC, id LIMIT ?3"
                            : JOB_LIST " WHERE device = ?7 AND" JOB_FILTER
                                       " ORDER BY priority DESC, id LIMIT ?3";
        if (f->device)
                return open ? JOB_LIST " INDEXED BY job_open WHERE device = ?7 AND open = 1"
                                       " AND" JOB_FILTER " ORDER BY id DESC LIMIT ?3"
                            : JOB_LIST " WHERE device = ?7 AND" JOB_FILTER
                                       " ORDER BY id DESC LIMIT ?3";
        if (f->deadline_before && open)
                return JOB_LIST
                        " INDEXED BY job_deadline WHERE ?7 = 0 AND open = 1 AND deadline > 0"
                        " AND deadline <= ?5 AND" JOB_FILTER " ORDER BY deadline LIMIT ?3";
        return JOB_LIST " INDEXED BY job_id WHERE ?7 = 0 AND id < ?8 AND" JOB_FILTER
                        " ORDER BY id DESC LIMIT ?3";
}

static int read_jobs(db *x, const char *sql, const store_job_filter *f, record_list *l)
{
        sqlite3_stmt *st = db_bind(x, sql, "iiisiii", (int64_t)f->no_commands, (int64_t)f->states,
                                   (int64_t)f->limit + 1, f->correlator, f->deadline_before,
                                   f->before, f->device);
        int rc = 0;

        if (st && sqlite3_bind_parameter_count(st) > 7)
                rc = db_bind_more(x, st, 8, "i", f->before ? f->before : INT64_MAX);
        if (rc == 0 && st && sqlite3_bind_parameter_count(st) > 8)
                rc = db_bind_more(x, st, 9, "i", (int64_t)__builtin_ctz(f->states));
        return rc < 0 ? rc : db_all(x, st, l);
}

static int by_newest_job(const void *x, const void *y)
{
        const store_job *a = x, *b = y;

        return a->id > b->id ? -1 : a->id < b->id;
}

/* Jobs of all devices in some states: the newest of each state, and of these the newest.  One index
 * has them in that order for one state only. */
static int read_jobs_by_state(db *x, const store_job_filter *f, record_list *l)
{
        int rc = 0;

        for (uint32_t i = 0; rc == 0 && i < STORE_JOB_STATES; i++) {
                store_job_filter one = *f;
                one.states = f->states & STORE_JOB_BIT(i);
                if (one.states)
                        rc = read_jobs(x,
                                       JOB_LIST " INDEXED BY job_state WHERE ?7 = 0"
                                                " AND state = ?9 AND id < ?8 AND" JOB_FILTER
                                                " ORDER BY id DESC LIMIT ?3",
                                       &one, l);
        }
        if (rc == 0 && l->n)
                qsort(l->v, l->n, sizeof(store_job), by_newest_job);
        return rc;
}

int sqlite_job_find(void *h, const store_job_filter *f, odm_arena *a, store_job_list *out)
{
        record_list l = {.r = &record_job, .a = a};
        bool all = f->states == STORE_JOB_BIT(STORE_JOB_STATES) - 1;
        bool due = f->deadline_before && !(f->states & ~STORE_JOB_OPEN);
        bool more;
        int rc = f->device || all || due ? read_jobs(h, job_question(f), f, &l)
                                         : read_jobs_by_state(h, f, &l);

        if (rc < 0)
                return rc;
        more = record_list_cut(&l, f->limit);
        *out = (store_job_list){(store_job *)(void *)l.v, l.n, more};
        return 0;
}

int sqlite_job_create(void *e, const store_job *j)
{
        sqlite *s = e;
        sqlite3_stmt *st = db_statement(
                &s->w,
                "INSERT INTO job(" COLS(JOB_FIELDS) ", open) VALUES(" PARAMS(JOB_FIELDS) ",?)");
        int rc = db_bind_record(&s->w, st, &record_job, record_job.n, j);

        if (rc == 0)
                rc = db_bind_more(&s->w, st, (int)record_job.n + 1, "i", is_open(j->state));
        if (rc == 0)
                rc = db_run(&s->w, st);
        if (rc == 0)
                s->count.jobs[j->state]++;
        return rc;
}

int sqlite_job_now(void *e, int64_t device, int64_t job, job_now *out)
{
        db *x = e;
        sqlite3_stmt *st = db_bind(x,
                                   "SELECT state, attempts, session, started, finished FROM job"
                                   " WHERE device = ? AND id = ?",
                                   "ii", device, job);
        int rc = db_first(x, st);

        if (rc < 0)
                return rc;
        *out = (job_now){(store_job_state)sqlite3_column_int64(st, 0),
                         (uint32_t)sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
                         sqlite3_column_int64(st, 3), sqlite3_column_int64(st, 4)};
        db_reset(st);
        return 0;
}

#define JOB_MOVE                                                                \
        "UPDATE job SET state = ?1, attempts = ?2, session = ?3, started = ?4," \
        " finished = ?5, updated = ?6,"                                         \
        " reason = CASE WHEN ?7 IS NULL THEN reason ELSE nullif(?7, '') END,"   \
        " correlator = ifnull(?8, correlator), route = ifnull(?9, route)"
#define JOB_THAT " WHERE device = ?10 AND id = ?11"

/* An open job stays where it is in the indexes of open ones. */
int sqlite_job_move(void *e, const store_job_move *m, const job_now *now)
{
        sqlite *s = e;
        const char *sql = !is_open(now->state)        ? JOB_MOVE ", open = 0" JOB_THAT
                          : m->from & ~STORE_JOB_OPEN ? JOB_MOVE ", open = 1" JOB_THAT
                                                      : JOB_MOVE JOB_THAT;

        int rc = db_change(&s->w, db_bind(&s->w, sql, "iiiiiisssii", (int64_t)now->state,
                                          (int64_t)now->attempts, now->session, now->started,
                                          now->finished, m->at, m->reason, m->correlator, m->route,
                                          m->device, m->job));

        if (rc == 0) {
                s->count.jobs[now->was]--;
                s->count.jobs[now->state]++;
        }
        return rc;
}

int sqlite_job_open_count(void *e, int64_t device, uint64_t *out)
{
        int64_t n;
        int rc = db_number(
                e,
                db_bind(e, "SELECT count(*) FROM job WHERE device = ? AND open = 1", "i", device),
                &n);

        if (rc == 0)
                *out = (uint64_t)n;
        return rc;
}

static int job_drop(sqlite *s, int64_t device, int64_t id)
{
        static const char *const drop[] = {"DELETE FROM result WHERE device = ? AND job = ?",
                                           "DELETE FROM note WHERE device = ? AND job = ?",
                                           "DELETE FROM job WHERE device = ? AND id = ?"};
        int rc = sqlite_uncount(s,
                                db_bind(&s->w,
                                        "SELECT state, 1 FROM job WHERE device = ? AND id = ?",
                                        "ii", device, id),
                                s->count.jobs, STORE_JOB_STATES);

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(drop); i++)
                rc = db_run(&s->w, db_bind(&s->w, drop[i], "ii", device, id));
        return rc;
}

int sqlite_job_trim(void *e, int64_t device, int64_t ended, uint32_t keep)
{
        sqlite *s = e;
        int64_t id;
        int rc;

        do {
                rc = db_number(&s->w,
                               db_bind(&s->w,
                                       "SELECT id FROM job WHERE device = ? AND open = 0"
                                       " ORDER BY id DESC LIMIT 1 OFFSET ?",
                                       "ii", device, (int64_t)keep),
                               &id);
                if (rc == 0)
                        rc = db_number(
                                &s->w,
                                db_bind(&s->w,
                                        "SELECT id FROM (SELECT id, finished FROM job"
                                        " WHERE device = ? AND open = 0 AND id <> ?"
                                        " ORDER BY id LIMIT ?) ORDER BY finished, id LIMIT 1",
                                        "iii", device, ended, (int64_t)JOBS_LOOKED_AT),
                                &id);
                if (rc == 0)
                        rc = job_drop(s, device, id);
        } while (rc == 0);
        return rc == ODM_ENOENT ? 0 : rc;
}

int sqlite_result_put(void *e, int64_t device, int64_t job, const store_result *r, odm_str items)
{
        sqlite *s = e;
        sqlite3_stmt *st = db_statement(
                &s->w,
                "REPLACE INTO result(" COLS(RESULT_FIELDS) ", device, job, items) VALUES(" PARAMS(
                        RESULT_FIELDS) ",?,?,?)");
        int rc = db_bind_record(&s->w, st, &record_result, record_result.n, r);

        if (rc == 0)
                rc = db_bind_more(&s->w, st, (int)record_result.n + 1, "iib", device, job, items);
        return rc < 0 ? rc : db_run(&s->w, st);
}

static int read_result(sqlite3_stmt *st, odm_arena *a, record_list *l)
{
        void *slot;
        odm_str items;
        int rc = record_list_room(l, &slot);

        if (rc == 0)
                rc = db_read_record(st, 0, &record_result, a, slot);
        if (rc == 0)
                rc = db_read_str(st, (int)record_result.n, a, &items);
        if (rc == 0) {
                store_result *r = slot;
                rc = unpack_values(items, a, &r->items, &r->n_items);
        }
        if (rc == 0)
                l->n++;
        return rc;
}

int sqlite_results(void *h, int64_t device, int64_t job, odm_arena *a, store_result_list *out)
{
        record_list l = {.r = &record_result, .a = a};
        db *x = h;
        sqlite3_stmt *st = db_bind(
                x,
                "SELECT " COLS(RESULT_FIELDS) ", items FROM result"
                                              " WHERE device = ? AND job = ? ORDER BY \"index\"",
                "ii", device, job);
        int rc;

        if (st == NULL)
                return db_error(x, x->rc);
        while ((rc = db_step(x, st)) == 1) {
                rc = read_result(st, a, &l);
                if (rc < 0) {
                        db_reset(st);
                        break;
                }
        }
        if (rc == 0)
                *out = (store_result_list){(store_result *)(void *)l.v, l.n};
        return rc;
}

int sqlite_note_add(void *e, int64_t device, int64_t job, const store_note *n, uint32_t keep)
{
        sqlite *s = e;
        int64_t last;
        int rc = db_number(
                &s->w,
                db_bind(&s->w, "SELECT ifnull(max(n), 0) FROM note WHERE device = ? AND job = ?",
                        "ii", device, job),
                &last);

        if (rc == 0)
                rc = db_run(&s->w,
                            db_bind(&s->w, "INSERT INTO note VALUES(?,?,?,?,?,?)", "iiiiis", device,
                                    job, last + 1, n->at, (int64_t)n->state, n->text));
        if (rc == 0 && last + 1 > (int64_t)keep)
                rc = db_run(&s->w,
                            db_bind(&s->w,
                                    "DELETE FROM note WHERE device = ? AND job = ? AND n <= ?",
                                    "iii", device, job, last + 1 - (int64_t)keep));
        return rc;
}

int sqlite_job_by_key(void *h, int64_t device, odm_str key, int64_t *out)
{
        return db_number(
                h, db_bind(h, "SELECT id FROM job WHERE device = ? AND key = ?", "is", device, key),
                out);
}

int sqlite_notes(void *h, int64_t device, int64_t job, odm_arena *a, store_note_list *out)
{
        record_list l = {.r = &record_note, .a = a};
        int rc = db_all(
                h,
                db_bind(h,
                        "SELECT " COLS(NOTE_FIELDS) " FROM note"
                                                    " WHERE device = ? AND job = ? ORDER BY n",
                        "ii", device, job),
                &l);

        if (rc == 0)
                *out = (store_note_list){(store_note *)(void *)l.v, l.n};
        return rc;
}
