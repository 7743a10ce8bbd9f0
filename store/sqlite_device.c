/* SPDX-License-Identifier: Apache-2.0 */
/* Devices in SQLite: rows, and lists of them.
 *
 * A list is in the order of names.  It is read by the index, among those of what is asked for, that
 * has the fewest devices (counted up to a ceiling); the other conditions are looked at in the rows
 * it leads to. */
#include <string.h>

#include "engine.h"
#include "sqlite_cols.h"
#include "sqlite_device.h"

#define COUNTED 3000 /* entries of an index that are counted before one is chosen */

/* ---- what devices are found by -------------------------------------------------- */

static int move_key(db *x, const char *remove, const char *add, odm_str old, odm_str now,
                    int64_t id)
{
        int rc = 0;

        if (old.p && now.p && odm_str_eq(old, now))
                return 0;
        if (old.p)
                rc = db_run(x, db_bind(x, remove, "s", old));
        if (rc == 0 && now.p)
                rc = db_run(x, db_bind(x, add, "si", now, id));
        return rc;
}

/* The next word of *tags, which goes on behind it; false: there is none. */
static bool next_tag(odm_str *tags, odm_str *out)
{
        size_t n = 0;

        while (tags->n && tags->p[0] == ' ')
                *tags = odm_str_from(*tags, 1);
        while (n < tags->n && tags->p[n] != ' ')
                n++;
        *out = odm_str_to(*tags, n);
        *tags = odm_str_from(*tags, n);
        return n > 0;
}

static int move_tags(db *x, const store_device *old, const store_device *now)
{
        odm_str left = old->tags, tag;
        int rc = 0;

        if (odm_str_eq(old->tags, now->tags) && odm_str_eq(old->name, now->name))
                return 0;
        while (rc == 0 && next_tag(&left, &tag))
                rc = db_run(x, db_bind(x, "DELETE FROM device_tag WHERE tag = ? AND name = ?", "ss",
                                       tag, old->name));
        left = now->tags;
        while (rc == 0 && next_tag(&left, &tag))
                rc = db_run(x, db_bind(x, "REPLACE INTO device_tag VALUES(?,?,?)", "ssi", tag,
                                       now->name, now->id));
        return rc;
}

static int move_keys(db *x, const store_device *old, const store_device *now)
{
        int rc = move_key(x, "DELETE FROM device_name WHERE name = ?",
                          "INSERT INTO device_name VALUES(?,?)", old->name, now->name, now->id);

        if (rc == 0)
                rc = move_key(x, "DELETE FROM device_devid WHERE devid = ?",
                              "INSERT INTO device_devid VALUES(?,?)", old->devid, now->devid,
                              now->id);
        return rc < 0 ? rc : move_tags(x, old, now);
}

int sqlite_device_keys_gone(db *x, const store_device *d)
{
        static const store_device none;

        return move_keys(x, d, &none);
}

/* ---- rows -------------------------------------------------------------------------- */

static bool field_changed(const field *f, const void *old, const void *now)
{
        odm_str x, y;

        if (!field_is_text(f))
                return field_number(f, old) != field_number(f, now);
        x = field_text(f, old);
        y = field_text(f, now);
        return (x.p == NULL) != (y.p == NULL) || !odm_str_eq(x, y);
}

/* An update of the columns whose bits are in shape->a: an index whose columns stay is not touched.
 */
static int update_text(const db_shape *shape, odm_buf *out)
{
        const record *r = shape->of;
        const char *sep = "";
        int rc = odm_buf_str(out, ODM_STR("UPDATE device SET "));

        for (size_t i = 0; rc == 0 && i < r->n; i++) {
                if (!(shape->a >> i & 1))
                        continue;
                rc = odm_buf_fmt(out, "%s\"%s\"=?", sep, r->fields[i].name);
                sep = ",";
        }
        return rc < 0 ? rc : odm_buf_str(out, ODM_STR(" WHERE id=?"));
}

static int update_row(db *x, const store_device *old, const store_device *d)
{
        const record *r = &record_device;
        db_shape shape = {.of = r};
        sqlite3_stmt *st;
        int n = 0, rc = 0;

        for (size_t i = 0; i < r->n; i++)
                if (field_changed(&r->fields[i], old, d))
                        shape.a |= UINT64_C(1) << i;
        if (shape.a == 0)
                return 0;
        st = db_shaped(x, &shape, update_text);
        if (st == NULL)
                return db_error(x, x->rc);
        for (size_t i = 0; rc == 0 && i < r->n; i++)
                if (shape.a >> i & 1)
                        rc = db_bind_field(x, st, ++n, &r->fields[i], d, false);
        if (rc == 0)
                rc = db_bind_more(x, st, ++n, "i", d->id);
        return rc < 0 ? rc : db_run(x, st);
}

static int insert_row(db *x, const store_device *d)
{
        sqlite3_stmt *st = db_statement(
                x, "INSERT INTO device(" COLS(DEVICE_FIELDS) ") VALUES(" PARAMS(DEVICE_FIELDS) ")");
        int rc = db_bind_record(x, st, &record_device, record_device.n, d);

        return rc < 0 ? rc : db_run(x, st);
}

int sqlite_device_put(void *e, const store_device *old, const store_device *d)
{
        static const store_device none;
        db *x = e;
        int rc = move_keys(x, old ? old : &none, d);

        if (rc < 0)
                return rc;
        return old ? update_row(x, old, d) : insert_row(x, d);
}

/* ---- lists -------------------------------------------------------------------------- */

/* ?1 in small letters, somewhere in one of the others.  SQLite's own instr(lower()) makes a copy of
 * each text of each device that is looked at. */
static bool text_has(const char *hay, int n, const char *needle, int n_needle)
{
        for (int i = 0; i + n_needle <= n; i++) {
                int k = 0;
                while (k < n_needle &&
                       (hay[i + k] >= 'A' && hay[i + k] <= 'Z' ? hay[i + k] + 32 : hay[i + k]) ==
                               needle[k])
                        k++;
                if (k == n_needle)
                        return true;
        }
        return false;
}

static void has_text(sqlite3_context *c, int n, sqlite3_value **v)
{
        const char *needle = (const char *)sqlite3_value_text(v[0]);
        int length = sqlite3_value_bytes(v[0]), found = 0;

        for (int i = 1; !found && i < n; i++) {
                const char *hay = (const char *)sqlite3_value_text(v[i]);
                found = hay && text_has(hay, sqlite3_value_bytes(v[i]), needle, length);
        }
        sqlite3_result_int(c, found);
}

static odm_str str_of(sqlite3_value *v)
{
        const char *p = (const char *)sqlite3_value_text(v);

        return (odm_str){p, p ? (size_t)sqlite3_value_bytes(v) : 0};
}

static void has_tag(sqlite3_context *c, int n, sqlite3_value **v)
{
        odm_str wanted = str_of(v[0]), tags = str_of(v[1]), tag;
        int found = 0;

        (void)n;
        while (!found && next_tag(&tags, &tag))
                found = odm_str_eq(tag, wanted);
        sqlite3_result_int(c, found);
}

int sqlite_device_functions(db *x)
{
        const int how = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
        int code = sqlite3_create_function(x->c, "has_text", 5, how, NULL, has_text, NULL, NULL);

        if (code == SQLITE_OK)
                code = sqlite3_create_function(x->c, "has_tag", 2, how, NULL, has_tag, NULL, NULL);
        return code == SQLITE_OK ? 0 : db_error(x, code);
}

#define DEVICE_COLS DEVICE_FIELDS(FIRST_D, MORE_D)

/* ?1 names from, ?2 below, ?3 .. as question binds them */
#define WANTED                                                                 \
        " AND (?3 = 0 OR (?3 >> d.state) & 1)"                                 \
        " AND (?4 IS NULL OR has_text(?4, d.name, d.devid, d.maker, d.model))" \
        " AND (?5 IS NULL OR ifnull(d.maker, '') = ?5)"                        \
        " AND (?6 IS NULL OR ifnull(d.model, '') = ?6)"                        \
        " AND (?7 IS NULL OR ifnull(d.fwv, '') = ?7)"                          \
        " AND (?8 IS NULL OR has_tag(?8, d.tags))"                             \
        " AND (?9 = 0 OR d.last_contact >= ?9) AND (?10 = 0 OR d.last_contact < ?10)"

/* An index that gives names in order, ?1 to ?2 of them, of one value (or all: the first). */
#define LIST_OF(from, name, that)                                                                 \
        "SELECT " DEVICE_COLS " FROM " from " WHERE " that name " >= ?1 AND " name " < ?2" WANTED \
        " ORDER BY " name " LIMIT ?11"
#define COUNT_OF(from, name, that)                                                         \
        "SELECT count(*) FROM (SELECT 1 FROM " from " WHERE " that name " >= ?1 AND " name \
        " < ?2 LIMIT ?4)"
#define LAST_OF(from, name, that)                                                   \
        "SELECT " name " FROM " from " WHERE " that name " >= ?1 AND " name " < ?2" \
        " ORDER BY " name " LIMIT 1 OFFSET ?4"
#define COLUMN(column, param)                                                    \
        {                                                                        \
                LIST_OF("device d INDEXED BY device_" column, "d.name",          \
                        column " = ?" param " AND "),                            \
                        COUNT_OF("device d INDEXED BY device_" column, "d.name", \
                                 column " = ?3 AND "),                           \
                        LAST_OF("device d INDEXED BY device_" column, "d.name",  \
                                column " = ?3 AND ")                             \
        }

/* Of two with as many devices as were counted the earlier is taken, but for the first. */
enum way { BY_NAME, BY_FWV, BY_MODEL, BY_TAG, BY_MAKER, BY_STATE, WAYS };

static const struct way_text {
        const char *list, *count, *last;
} ways[WAYS] = {
        [BY_NAME] = {LIST_OF("device_name n CROSS JOIN device d ON d.id = n.device", "n.name", ""),
                     COUNT_OF("device_name n", "n.name", "?3 IS NULL AND "),
                     LAST_OF("device_name n", "n.name", "?3 IS NULL AND ")},
        [BY_TAG] = {LIST_OF("device_tag n CROSS JOIN device d ON d.id = n.device", "n.name",
                            "n.tag = ?8 AND "),
                    COUNT_OF("device_tag n", "n.name", "n.tag = ?3 AND "),
                    LAST_OF("device_tag n", "n.name", "n.tag = ?3 AND ")},
        [BY_FWV] = COLUMN("fwv", "7"),
        [BY_MODEL] = COLUMN("model", "6"),
        [BY_MAKER] = COLUMN("maker", "5"),
        [BY_STATE] = {LIST_OF("device d INDEXED BY device_state", "d.name", "d.state = ?12 AND "),
                      COUNT_OF("device d INDEXED BY device_state", "d.name", "d.state = ?3 AND "),
                      LAST_OF("device d INDEXED BY device_state", "d.name", "d.state = ?3 AND ")},
};

typedef struct question {
        const store_device_filter *f;
        odm_str text;     /* in lower case */
        odm_str from, to; /* names, the second exclusive; absent: no end */
        int64_t state;    /* the only one asked for; -1: none or several */
} question;

static odm_str or_absent(odm_str s)
{
        return s.n ? s : ODM_ABSENT;
}

static int lower_copy(odm_str s, odm_arena *a, odm_str *out)
{
        char *p;

        if (s.n == 0) {
                *out = ODM_ABSENT;
                return 0;
        }
        p = odm_arena_get(a, s.n);
        if (p == NULL)
                return odm_arena_err(a);
        for (size_t i = 0; i < s.n; i++)
                p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
        *out = (odm_str){p, s.n};
        return 0;
}

/* The first text behind all that begin with s; absent: there is none. */
static int end_of(odm_str s, odm_arena *a, odm_str *out)
{
        char *p;

        while (s.n && (uint8_t)s.p[s.n - 1] == 0xff)
                s.n--;
        if (s.n == 0) {
                *out = ODM_ABSENT;
                return 0;
        }
        p = odm_arena_get(a, s.n);
        if (p == NULL)
                return odm_arena_err(a);
        memcpy(p, s.p, s.n);
        p[s.n - 1]++;
        *out = (odm_str){p, s.n};
        return 0;
}

/* The first text behind s. */
static int behind(odm_str s, odm_arena *a, odm_str *out)
{
        char *p = odm_arena_zget(a, s.n + 1);

        if (p == NULL)
                return odm_arena_err(a);
        memcpy(p, s.p, s.n);
        *out = (odm_str){p, s.n + 1};
        return 0;
}

static int ask(const store_device_filter *f, odm_arena *a, question *out)
{
        question q = {.f = f, .from = ODM_STR(""), .state = -1};
        int rc = lower_copy(f->text, a, &q.text);

        for (int i = 0; i < STORE_DEVICE_STATES; i++)
                if (f->states == 1u << i)
                        q.state = i;
        if (rc == 0 && f->prefix.n) {
                q.from = f->prefix;
                rc = end_of(f->prefix, a, &q.to);
        }
        if (rc == 0 && f->after.n && odm_str_cmp(f->after, q.from) >= 0)
                rc = behind(f->after, a, &q.from);
        if (rc == 0)
                *out = q;
        return rc;
}

/* All texts are less than any octets: an end where there is none. */
static int bind_end(db *x, sqlite3_stmt *st, odm_str to)
{
        return db_bind_more(x, st, 2, to.p ? "s" : "b", to.p ? to : ODM_STR(""));
}

/* What an index is asked for; false: the question does not name it. */
static bool value_of(const question *q, enum way w, odm_str *out)
{
        switch (w) {
        case BY_TAG: *out = q->f->tag; return out->n > 0;
        case BY_FWV: *out = q->f->fwv; return out->n > 0;
        case BY_MODEL: *out = q->f->model; return out->n > 0;
        case BY_MAKER: *out = q->f->maker; return out->n > 0;
        case BY_STATE: *out = ODM_ABSENT; return q->state >= 0;
        case BY_NAME:
        case WAYS: break;
        }
        *out = ODM_ABSENT;
        return true;
}

/* The statement of an index with ?1 to ?4. */
static sqlite3_stmt *bind_way(db *x, const char *sql, const question *q, enum way w, int64_t most)
{
        sqlite3_stmt *st;
        odm_str value;
        int rc;

        (void)value_of(q, w, &value);
        st = db_bind(x, sql, "s", q->from);
        if (st == NULL || bind_end(x, st, q->to) < 0)
                return NULL;
        rc = w == BY_STATE ? db_bind_more(x, st, 3, "ii", q->state, most)
                           : db_bind_more(x, st, 3, "si", value, most);
        return rc < 0 ? NULL : st;
}

static int choose(db *x, const question *q, enum way *out)
{
        int64_t fewest = INT64_MAX, n;
        enum way best = BY_NAME;
        odm_str value;
        int rc = 0;

        for (int w = WAYS - 1; rc == 0 && w >= 0; w--) {
                if (!value_of(q, (enum way)w, &value) || (w == BY_NAME && fewest == INT64_MAX))
                        continue; /* by name there is always a way */
                rc = db_number(x, bind_way(x, ways[w].count, q, (enum way)w, COUNTED), &n);
                if (rc == 0 && (n < fewest || (n == fewest && w != BY_NAME))) {
                        fewest = n;
                        best = (enum way)w;
                }
        }
        if (rc == 0)
                *out = best;
        return rc;
}

/* Ends the question at the last name that may be looked at, which is *last; absent: it ends before.
 */
static int end_at(db *x, question *q, enum way w, odm_arena *a, odm_str *last)
{
        sqlite3_stmt *st;
        int rc;

        *last = ODM_ABSENT;
        if (q->f->look == 0)
                return 0;
        st = bind_way(x, ways[w].last, q, w, (int64_t)q->f->look - 1);
        rc = st ? db_step(x, st) : db_error(x, x->rc);
        if (rc <= 0)
                return rc;
        rc = db_read_str(st, 0, a, last);
        db_reset(st);
        return rc < 0 ? rc : behind(*last, a, &q->to);
}

static int read_list(db *x, const question *q, enum way w, record_list *l)
{
        const store_device_filter *f = q->f;
        sqlite3_stmt *st = db_bind(x, ways[w].list, "s", q->from);
        int rc = st ? bind_end(x, st, q->to) : db_error(x, x->rc);

        if (rc == 0)
                rc = db_bind_more(x, st, 3, "isssssiii", (int64_t)f->states, q->text, f->maker,
                                  f->model, f->fwv, or_absent(f->tag), f->contact_after,
                                  f->contact_before, (int64_t)f->limit + 1);
        if (rc == 0 && w == BY_STATE)
                rc = db_bind_more(x, st, 12, "i", q->state);
        return rc < 0 ? rc : db_all(x, st, l);
}

int sqlite_device_find(db *x, const store_device_filter *f, odm_arena *a, store_device_list *out)
{
        record_list l = {.r = &record_device, .a = a};
        store_device_list found = {.n = 0};
        question q;
        odm_str last = ODM_ABSENT;
        enum way w = BY_NAME;
        int rc = ask(f, a, &q);

        if (rc == 0)
                rc = choose(x, &q, &w);
        if (rc == 0)
                rc = end_at(x, &q, w, a, &last);
        if (rc == 0)
                rc = read_list(x, &q, w, &l);
        if (rc < 0)
                return rc;
        found.v = (store_device *)(void *)l.v;
        found.n = l.n > f->limit ? f->limit : l.n;
        found.more = l.n > f->limit || last.p;
        found.next = l.n > f->limit ? found.v[found.n - 1].name : last;
        *out = found;
        return 0;
}
