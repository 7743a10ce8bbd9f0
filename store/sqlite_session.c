/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions in SQLite: their rows, their logs, and the states of those that are parked. */
#include "sqlite_engine.h"

#define SESSION_SELECT "SELECT " COLS(SESSION_FIELDS) " FROM session"

int sqlite_session_get(void *h, int64_t device, int64_t id, odm_arena *a, store_session *out)
{
        return db_one(h,
                      db_bind(h, SESSION_SELECT " WHERE device = ? AND id = ?", "ii", device, id),
                      &record_session, a, out);
}

int sqlite_session_put(void *e, const store_session *x, odm_str log, bool fresh)
{
        sqlite *s = e;
        sqlite3_stmt *st = db_statement(
                &s->w, "INSERT INTO session(" COLS(SESSION_FIELDS) ", log) VALUES(" PARAMS(
                               SESSION_FIELDS) ",?) ON CONFLICT(device, id) DO UPDATE "
                                               "SET " SESSION_STATE_FIELDS(
                                                       FIRST_SET, MORE_SET) ", log = "
                                                                            "excluded.log");
        int rc = db_bind_record(&s->w, st, &record_session, record_session.n, x);

        if (rc == 0)
                rc = db_bind_more(&s->w, st, (int)record_session.n + 1, "b", log);
        if (rc == 0)
                rc = db_run(&s->w, st);
        if (rc == 0)
                s->count.sessions += fresh;
        return rc;
}

int sqlite_session_save(void *e, int64_t device, int64_t session, odm_str sid, odm_str saved)
{
        return db_run(e, saved.p ? db_bind(e,
                                           "REPLACE INTO saved(device, session, sid, state)"
                                           " VALUES(?,?,?,?)",
                                           "iisb", device, session, sid, saved)
                                 : db_bind(e, "DELETE FROM saved WHERE device = ? AND session = ?",
                                           "ii", device, session));
}

int sqlite_session_trim(void *e, int64_t device, uint32_t keep)
{
        static const char *const drop[] = {"DELETE FROM session WHERE device = ? AND id <= ?",
                                           "DELETE FROM saved WHERE device = ? AND session <= ?",
                                           "DELETE FROM message WHERE device = ? AND session <= ?"};
        sqlite *s = e;
        int64_t id;
        int rc = db_number(&s->w,
                           db_bind(&s->w,
                                   "SELECT id FROM session WHERE device = ?"
                                   " ORDER BY id DESC LIMIT 1 OFFSET ?",
                                   "ii", device, (int64_t)keep),
                           &id);

        if (rc == ODM_ENOENT)
                return 0;
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(drop) - !s->old_messages; i++) {
                rc = db_run(&s->w, db_bind(&s->w, drop[i], "ii", device, id));
                if (rc == 0 && i == 0)
                        s->count.sessions -= (uint64_t)sqlite3_changes(s->w.c);
        }
        return rc;
}

int sqlite_session_find(void *h, int64_t device, int64_t before, uint32_t limit, odm_arena *a,
                        store_session_list *out)
{
        record_list l = {.r = &record_session, .a = a};
        int64_t below = before ? before : INT64_MAX, most = (int64_t)limit + 1;
        bool more;
        int rc = db_all(
                h,
                db_bind(h, SESSION_SELECT " WHERE device = ? AND id < ? ORDER BY id DESC LIMIT ?",
                        "iii", device, below, most),
                &l);

        if (rc < 0)
                return rc;
        more = record_list_cut(&l, limit);
        *out = (store_session_list){(store_session *)(void *)l.v, l.n, more};
        return 0;
}

/* What an older version kept, as if it had been kept by this one. */
static int old_log(db *x, int64_t device, int64_t session, odm_arena *a, odm_str *out)
{
        record_list l = {.r = &record_message, .a = a};
        int rc = db_all(x,
                        db_bind(x,
                                "SELECT " COLS(MESSAGE_FIELDS) " FROM message"
                                                               " WHERE device = ? AND session = ?"
                                                               " ORDER BY n",
                                "ii", device, session),
                        &l);

        return rc < 0 || l.n == 0 ? rc
                                  : pack_messages(ODM_ABSENT, (store_message *)(void *)l.v, l.n,
                                                  SIZE_MAX, a, out);
}

int sqlite_session_log(void *h, int64_t device, int64_t session, odm_arena *a, odm_str *out)
{
        sqlite *s = ((db *)h)->owner;
        odm_str log;
        int rc = db_str(h,
                        db_bind(h, "SELECT log FROM session WHERE device = ? AND id = ?", "ii",
                                device, session),
                        a, &log);

        if (rc == 0 && log.p == NULL && s->old_messages)
                rc = old_log(h, device, session, a, &log);
        if (rc == 0)
                *out = log;
        return rc;
}

int sqlite_saved_get(void *h, odm_str sid, odm_arena *a, store_session *out, odm_str *saved)
{
        db *x = h;
        sqlite3_stmt *st =
                db_bind(x, "SELECT device, session, state FROM saved WHERE sid = ?", "s", sid);
        int rc = db_first(x, st);
        int64_t device, id;
        odm_str state;

        if (rc < 0)
                return rc;
        device = sqlite3_column_int64(st, 0);
        id = sqlite3_column_int64(st, 1);
        rc = db_read_str(st, 2, a, &state);
        db_reset(st);
        if (rc == 0)
                rc = sqlite_session_get(h, device, id, a, out);
        if (rc == 0)
                *saved = state;
        return rc;
}
