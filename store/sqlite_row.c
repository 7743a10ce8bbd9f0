/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables in SQLite.  A statement is made once for what it depends on, its shape: the table,
 * the kind of operation, which fields, which bounds; the cache of the connection keeps it.  Each
 * reading is bound to the index of its order, so that no plan depends on what SQLite guesses. */
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "sqlite_row.h"

/* db_shape.kind: one of these, and for scans index << 8, same << 16, bounds << 24. */
enum { GET, IS, ADD, PUT, PATCH, DELETE, DEVICE, FIND, COUNT, DELETE_ALL };

enum bound { FROM = 1, BELOW = 2, AFTER = 4, DOWN = 8 };

/* ---- texts of statements ------------------------------------------------------------ */

typedef struct text {
        const store_table *t;
        odm_buf *out;
        int rc;
} text;

#define SAY(w, ...)                                                   \
        do {                                                          \
                if ((w)->rc == 0)                                     \
                        (w)->rc = odm_buf_fmt((w)->out, __VA_ARGS__); \
        } while (0)

static const char *name_of(const text *w, size_t i)
{
        return w->t->rec->fields[i].name;
}

/* Each of `fields`, with `end` behind it and `between` between them. */
static void say_fields(text *w, uint64_t fields, const char *end, const char *between)
{
        const char *sep = "";

        for (size_t i = 0; i < w->t->rec->n; i++) {
                if (!(fields >> i & 1))
                        continue;
                SAY(w, "%s\"%s\"%s", sep, name_of(w, i), end);
                sep = between;
        }
}

static uint64_t all_fields(const store_table *t)
{
        return t->rec->n == STORE_FIELDS_MAX ? UINT64_MAX : STORE_FIELD(t->rec->n) - 1;
}

static void say_that(text *w, uint64_t where)
{
        SAY(w, " WHERE ");
        say_fields(w, row_key(w->t), "=?", " AND ");
        if (where)
                SAY(w, " AND ");
        say_fields(w, where, " IS ?", " AND ");
}

static void say_insert(text *w)
{
        SAY(w, "INSERT INTO \"t_%s\"(", w->t->name);
        say_fields(w, all_fields(w->t), "", ",");
        SAY(w, ") VALUES(");
        for (size_t i = 0; i < w->t->rec->n; i++)
                SAY(w, i ? ",?" : "?");
        SAY(w, ")");
}

static void say_put(text *w)
{
        const char *sep = "";

        say_insert(w);
        SAY(w, " ON CONFLICT(");
        say_fields(w, row_key(w->t), "", ",");
        SAY(w, w->t->n_key < w->t->rec->n ? ") DO UPDATE SET " : ") DO NOTHING");
        for (size_t i = w->t->n_key; i < w->t->rec->n; i++, sep = ",")
                SAY(w, "%s\"%s\"=excluded.\"%s\"", sep, name_of(w, i), name_of(w, i));
}

/* A sum that leaves the range of 64 bits is a REAL, and the cast brings it back to its end. */
static void say_sum(text *w, size_t i)
{
        const char *name = name_of(w, i);

        switch (w->t->rec->fields[i].kind) {
        case FIELD_I64: SAY(w, "\"%s\"=CAST(\"%s\"+? AS INTEGER)", name, name); break;
        case FIELD_U64: SAY(w, "\"%s\"=max(0,CAST(\"%s\"+? AS INTEGER))", name, name); break;
        case FIELD_I32:
                SAY(w, "\"%s\"=min(max(\"%s\"+?,-2147483648),2147483647)", name, name);
                break;
        case FIELD_U32: SAY(w, "\"%s\"=min(max(\"%s\"+?,0),4294967295)", name, name); break;
        case FIELD_F64: SAY(w, "\"%s\"=\"%s\"+?", name, name); break;
        case FIELD_BOOL:
        case FIELD_STR:
        case FIELD_BLOB: w->rc = ODM_EINVAL; break; /* row_op_check() lets none pass */
        }
}

static void say_patch(text *w, const db_shape *s)
{
        const char *sep = "";

        SAY(w, "UPDATE \"t_%s\" SET ", w->t->name);
        for (size_t i = 0; i < w->t->rec->n; i++) {
                if (!(s->a >> i & 1))
                        continue;
                SAY(w, "%s", sep);
                if (s->b >> i & 1)
                        say_sum(w, i);
                else
                        SAY(w, "\"%s\"=?", name_of(w, i));
                sep = ",";
        }
        say_that(w, s->c);
}

/* The fields of an order from one on. */
static void say_order(text *w, const row_order *o, unsigned from, const char *end)
{
        for (unsigned i = from; i < o->n; i++)
                SAY(w, "%s\"%s\"%s", i > from ? "," : "", name_of(w, o->f[i]), end);
}

static void say_bounds(text *w, const row_order *o, unsigned same, unsigned bounds)
{
        const char *sep = " WHERE ";

        for (unsigned i = 0; i < same; i++, sep = " AND ")
                SAY(w, "%s\"%s\"=?", sep, name_of(w, o->f[i]));
        if (bounds & FROM) {
                SAY(w, "%s\"%s\">=?", sep, name_of(w, o->f[same]));
                sep = " AND ";
        }
        if (bounds & BELOW) {
                SAY(w, "%s\"%s\"<?", sep, name_of(w, o->f[same]));
                sep = " AND ";
        }
        if (bounds & AFTER) {
                SAY(w, "%s(", sep);
                say_order(w, o, same, "");
                SAY(w, ")%c(", bounds & DOWN ? '<' : '>');
                /* a rowid has no collation of its own, and without one the index is entered by
                 * the first field alone */
                for (unsigned i = same; i < o->n; i++)
                        SAY(w, "%s? COLLATE BINARY", i > same ? "," : "");
                SAY(w, ")");
        }
}

/* Which rows, in their order, as far as the last placeholder. */
static void say_scan(text *w, const db_shape *s, bool ordered)
{
        uint8_t index = s->kind >> 8 & 0xff;
        unsigned same = s->kind >> 16 & 0xff, bounds = (unsigned)(s->kind >> 24);
        row_order o = row_order_of(w->t, index);

        SAY(w, " FROM \"t_%s\"", w->t->name);
        if (index)
                SAY(w, " INDEXED BY \"t_%s.%s\"", w->t->name, w->t->index[index - 1].name);
        else
                SAY(w, " NOT INDEXED");
        say_bounds(w, &o, same, bounds);
        if (ordered && same < o.n) {
                SAY(w, " ORDER BY ");
                say_order(w, &o, same, bounds & DOWN ? " DESC" : "");
        }
        SAY(w, " LIMIT ?");
}

static void say_delete_all(text *w, const db_shape *s)
{
        SAY(w, "DELETE FROM \"t_%s\" WHERE (", w->t->name);
        say_fields(w, row_key(w->t), "", ",");
        SAY(w, ") IN (SELECT ");
        say_fields(w, row_key(w->t), "", ",");
        say_scan(w, s, true);
        SAY(w, ")");
}

static int write_text(const db_shape *s, odm_buf *out)
{
        text w = {.t = s->of, .out = out};

        switch (s->kind & 0xff) {
        case GET:
                SAY(&w, "SELECT ");
                say_fields(&w, all_fields(w.t), "", ",");
                SAY(&w, " FROM \"t_%s\"", w.t->name);
                say_that(&w, 0);
                break;
        case IS:
                SAY(&w, "SELECT 1 FROM \"t_%s\"", w.t->name);
                say_that(&w, s->c);
                break;
        case ADD: say_insert(&w); break;
        case PUT: say_put(&w); break;
        case PATCH: say_patch(&w, s); break;
        case DELETE:
                SAY(&w, "DELETE FROM \"t_%s\"", w.t->name);
                say_that(&w, s->c);
                break;
        case DEVICE: SAY(&w, "DELETE FROM \"t_%s\" WHERE \"device\"=?", w.t->name); break;
        case FIND:
                SAY(&w, "SELECT ");
                say_fields(&w, all_fields(w.t), "", ",");
                say_scan(&w, s, true);
                break;
        case COUNT:
                SAY(&w, "SELECT count(*) FROM (SELECT 1");
                say_scan(&w, s, false);
                SAY(&w, ")");
                break;
        case DELETE_ALL: say_delete_all(&w, s); break;
        }
        return w.rc;
}

/* ---- binding -------------------------------------------------------------------------- */

typedef struct bound_row { /* a statement while its places are filled, in order */
        db *x;
        sqlite3_stmt *st;
        const store_table *t;
        uint64_t never_absent;
        int n, rc;
} bound_row;

static bound_row begin(db *x, const db_shape *s)
{
        bound_row b = {.x = x, .t = s->of, .st = db_shaped(x, s, write_text)};

        b.never_absent = row_never_absent(b.t);
        b.rc = b.st ? 0 : db_error(x, x->rc);
        return b;
}

static void bind_one(bound_row *b, size_t i, const void *row)
{
        if (b->rc == 0)
                b->rc = db_bind_field(b->x, b->st, ++b->n, &b->t->rec->fields[i], row,
                                      b->never_absent >> i & 1);
}

static void bind_fields(bound_row *b, uint64_t fields, const void *row)
{
        for (size_t i = 0; i < b->t->rec->n; i++)
                if (fields >> i & 1)
                        bind_one(b, i, row);
}

static void bind_int(bound_row *b, int64_t v)
{
        if (b->rc == 0)
                b->rc = db_bind_more(b->x, b->st, ++b->n, "i", v);
}

/* ---- rows ----------------------------------------------------------------------------- */

int sqlite_row_get(db *x, const store_table *t, const void *row, odm_arena *a, void *out)
{
        bound_row b = begin(x, &(db_shape){.of = t, .kind = GET});

        bind_fields(&b, row_key(t), row);
        return b.rc < 0 ? b.rc : db_one(x, b.st, t->rec, a, out);
}

static int put_all(db *x, const store_table *t, unsigned kind, const void *row)
{
        bound_row b = begin(x, &(db_shape){.of = t, .kind = kind});

        bind_fields(&b, all_fields(t), row);
        return b.rc < 0 ? b.rc : db_run_unique(x, b.st);
}

int sqlite_row_add(db *x, const store_table *t, const void *row)
{
        return put_all(x, t, ADD, row);
}

int sqlite_row_put(db *x, const store_table *t, const void *row)
{
        return put_all(x, t, PUT, row);
}

/* 0, or ODM_ENOENT: no row has that key and, with `where`, is as op->is. */
static int is_there(db *x, const store_row_op *op, uint64_t where)
{
        bound_row b = begin(x, &(db_shape){.of = op->table, .kind = IS, .c = where});
        int64_t one;

        bind_fields(&b, row_key(op->table), op->row);
        bind_fields(&b, where, op->is);
        return b.rc < 0 ? b.rc : db_number(x, b.st, &one);
}

/* Why nothing was changed. */
static int why_not(db *x, const store_row_op *op)
{
        int rc = op->where ? is_there(x, op, 0) : ODM_ENOENT;

        return rc == 0 ? ODM_ESTATE : rc;
}

/* What is added to a U32 is signed. */
static void bind_patch(bound_row *b, const store_row_op *op)
{
        for (size_t i = 0; i < b->t->rec->n; i++) {
                const field *f = &b->t->rec->fields[i];

                if (!(op->fields >> i & 1))
                        continue;
                if (op->plus >> i & 1 && f->kind == FIELD_U32)
                        bind_int(b, (int32_t)(uint32_t)field_number(f, op->row));
                else
                        bind_one(b, i, op->row);
        }
}

int sqlite_row_patch(db *x, const store_row_op *op)
{
        bound_row b;
        int rc;

        if (op->fields == 0) {
                rc = is_there(x, op, op->where);
                return rc == ODM_ENOENT ? why_not(x, op) : rc;
        }
        b = begin(x, &(db_shape){op->table, PATCH, op->fields, op->plus, op->where});
        bind_patch(&b, op);
        bind_fields(&b, row_key(op->table), op->row);
        bind_fields(&b, op->where, op->is);
        rc = b.rc < 0 ? b.rc : db_run_unique(x, b.st);
        return rc < 0 || sqlite3_changes(x->c) ? rc : why_not(x, op);
}

int sqlite_row_delete(db *x, const store_row_op *op)
{
        bound_row b = begin(x, &(db_shape){.of = op->table, .kind = DELETE, .c = op->where});
        int rc;

        bind_fields(&b, row_key(op->table), op->row);
        bind_fields(&b, op->where, op->is);
        rc = b.rc < 0 ? b.rc : db_run(x, b.st);
        return rc < 0 || sqlite3_changes(x->c) ? rc : why_not(x, op);
}

int sqlite_row_device_gone(db *x, const store_opt *opt, int64_t device)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < opt->n_tables; i++) {
                if (!row_is_devices(opt->tables[i]))
                        continue;
                bound_row b = begin(x, &(db_shape){.of = opt->tables[i], .kind = DEVICE});
                bind_int(&b, device);
                rc = b.rc < 0 ? b.rc : db_run(x, b.st);
        }
        return rc;
}

/* ---- scans -------------------------------------------------------------------------------- */

/* Leaves at most one bound at each end, so that the index goes straight to it.  False: no row can
 * be meant. */
static bool settle(store_scan *s, const row_order *o)
{
        int d;

        if (s->after == NULL)
                return true;
        d = row_cmp(s->table, o, 0, s->same, s->after, s->at);
        if (d == 0 && s->same == o->n)
                return false;
        if (d) { /* all that are meant are behind it, or none */
                s->after = NULL;
                return s->down ? d > 0 : d < 0;
        }
        const void **other = s->down ? &s->below : &s->from;
        if (*other) {
                d = row_cmp(s->table, o, s->same, s->same + 1u, s->after, *other);
                if (s->down ? d < 0 : d >= 0)
                        *other = NULL;
                else
                        s->after = NULL;
        }
        return true;
}

static db_shape shape_of(const store_scan *s, unsigned kind)
{
        uint64_t bounds = (s->from ? FROM : 0u) | (s->below ? BELOW : 0u) |
                          (s->after ? AFTER : 0u) | (s->down ? DOWN : 0u);

        return (db_shape){.of = s->table,
                          .kind = kind | (uint64_t)s->index << 8 | (uint64_t)s->same << 16 |
                                  bounds << 24};
}

static bound_row begin_scan(db *x, const store_scan *s, const row_order *o, unsigned kind,
                            int64_t limit)
{
        const db_shape shape = shape_of(s, kind);
        bound_row b = begin(x, &shape);

        for (unsigned i = 0; i < s->same; i++)
                bind_one(&b, o->f[i], s->at);
        if (s->from)
                bind_one(&b, o->f[s->same], s->from);
        if (s->below)
                bind_one(&b, o->f[s->same], s->below);
        for (unsigned i = s->same; s->after && i < o->n; i++)
                bind_one(&b, o->f[i], s->after);
        bind_int(&b, limit);
        return b;
}

int sqlite_row_find_text(const store_scan *s, odm_buf *out)
{
        store_scan own = *s;
        row_order o = row_order_of(s->table, s->index);
        db_shape shape;

        if (!settle(&own, &o))
                return ODM_EINVAL;
        shape = shape_of(&own, FIND);
        return write_text(&shape, out);
}

int sqlite_row_find(db *x, const store_scan *s, odm_arena *a, store_rows *out)
{
        record_list l = {.r = s->table->rec, .a = a};
        store_scan own = *s;
        row_order o = row_order_of(s->table, s->index);
        int rc = 0;

        if (settle(&own, &o)) {
                bound_row b = begin_scan(x, &own, &o, FIND, (int64_t)s->limit + 1);
                rc = b.rc < 0 ? b.rc : db_all(x, b.st, &l);
        }
        if (rc == 0)
                *out = (store_rows){l.v, l.n > s->limit ? s->limit : l.n, l.n > s->limit};
        return rc;
}

int sqlite_row_count(db *x, const store_scan *s, uint64_t most, uint64_t *out)
{
        row_order o = row_order_of(s->table, s->index);
        bound_row b = begin_scan(x, s, &o, COUNT, most > INT64_MAX ? INT64_MAX : (int64_t)most);
        int64_t n;
        int rc = b.rc < 0 ? b.rc : db_number(x, b.st, &n);

        if (rc == 0)
                *out = (uint64_t)n;
        return rc;
}

int sqlite_rows_delete(db *x, const store_scan *s, int64_t *out)
{
        store_scan own = *s;
        row_order o = row_order_of(s->table, s->index);
        int64_t n = 0;
        int rc = 0;

        if (settle(&own, &o)) {
                bound_row b = begin_scan(x, &own, &o, DELETE_ALL, s->limit);
                rc = b.rc < 0 ? b.rc : db_run(x, b.st);
                n = rc == 0 ? sqlite3_changes(x->c) : 0;
        }
        if (rc == 0)
                *out = n;
        return rc;
}

/* ---- tables ------------------------------------------------------------------------------ */

static const char *type_of(field_kind k)
{
        switch (k) {
        case FIELD_I64:
        case FIELD_U64:
        case FIELD_I32:
        case FIELD_U32:
        case FIELD_BOOL: return "INTEGER";
        case FIELD_F64: return "REAL";
        case FIELD_STR: return "TEXT";
        case FIELD_BLOB: return "BLOB";
        }
        return "";
}

static bool is_rowid(const store_table *t)
{
        const field *f = &t->rec->fields[0];

        return t->n_key == 1 && !field_is_text(f) && f->kind != FIELD_F64;
}

static void say_column(text *w, size_t i)
{
        const field *f = &w->t->rec->fields[i];

        SAY(w, "\"%s\" %s%s", f->name, type_of(f->kind),
            field_is_text(f) ? "" : " NOT NULL DEFAULT 0");
}

static void say_table(text *w)
{
        SAY(w, "CREATE TABLE \"t_%s\" (", w->t->name);
        for (size_t i = 0; i < w->t->rec->n; i++) {
                SAY(w, i ? ", " : "");
                if (i == 0 && is_rowid(w->t))
                        SAY(w, "\"%s\" INTEGER PRIMARY KEY", name_of(w, 0));
                else
                        say_column(w, i);
        }
        if (!is_rowid(w->t)) {
                SAY(w, ", PRIMARY KEY (");
                say_fields(w, row_key(w->t), "", ",");
                SAY(w, ")) WITHOUT ROWID");
        } else {
                SAY(w, ")");
        }
}

static void say_index(text *w, uint8_t i)
{
        const store_index *x = &w->t->index[i];

        SAY(w, "CREATE %sINDEX \"t_%s.%s\" ON \"t_%s\" (", x->unique ? "UNIQUE " : "", w->t->name,
            x->name, w->t->name);
        for (uint8_t k = 0; k < x->n; k++)
                SAY(w, "%s\"%s\"", k ? "," : "", name_of(w, x->fields[k]));
        SAY(w, ")");
}

/* Runs what was said, and empties it. */
static int run_text(db *x, text *w)
{
        int rc = w->rc;

        if (rc == 0)
                rc = odm_buf_byte(w->out, 0);
        if (rc == 0)
                rc = db_exec(x, w->out->p);
        odm_buf_cut(w->out, 0);
        w->rc = 0;
        return rc;
}

static int refuse(db *x, const store_table *t, const char *why, const char *what)
{
        snprintf(x->diag, sizeof x->diag, "the table \"%s\": %s: %s", t->name, why, what);
        return ODM_EINVAL;
}

/* A column that is there: its place in the key and its type are as the table says, or it is none of
 * its fields. */
static int check_column(db *x, const store_table *t, const char *name, const char *type,
                        int64_t in_key, uint64_t *seen)
{
        for (size_t i = 0; i < t->rec->n; i++) {
                if (strcmp(t->rec->fields[i].name, name) != 0)
                        continue;
                *seen |= STORE_FIELD(i);
                if (strcmp(type_of(t->rec->fields[i].kind), type) != 0)
                        return refuse(x, t, "another kind of column", name);
                if (in_key != (i < t->n_key ? (int64_t)i + 1 : 0))
                        return refuse(x, t, "another key", name);
                return 0;
        }
        return in_key ? refuse(x, t, "another key", name) : 0;
}

/* Which fields have a column. */
static int look_at_columns(db *x, const store_table *t, uint64_t *out)
{
        sqlite3_stmt *st;
        char table[64];
        uint64_t seen = 0;
        int rc;

        snprintf(table, sizeof table, "t_%s", t->name);
        st = db_bind(x, "SELECT name, type, pk FROM pragma_table_info(?)", "s", odm_cstr(table));
        if (st == NULL)
                return db_error(x, x->rc);
        while ((rc = db_step(x, st)) == 1) {
                rc = check_column(x, t, (const char *)sqlite3_column_text(st, 0),
                                  (const char *)sqlite3_column_text(st, 1),
                                  sqlite3_column_int64(st, 2), &seen);
                if (rc < 0) {
                        db_reset(st);
                        return rc;
                }
        }
        if (rc == 0)
                *out = seen;
        return rc;
}

static int make_columns(db *x, text *w)
{
        uint64_t there = 0;
        int rc = look_at_columns(x, w->t, &there);

        if (rc < 0)
                return rc;
        if (there == 0) {
                say_table(w);
                return run_text(x, w);
        }
        if (row_key(w->t) & ~there)
                return refuse(x, w->t, "another key", "it has fewer columns");
        for (size_t i = 0; rc == 0 && i < w->t->rec->n; i++) {
                if (there >> i & 1)
                        continue;
                SAY(w, "ALTER TABLE \"t_%s\" ADD COLUMN ", w->t->name);
                say_column(w, i);
                rc = run_text(x, w);
        }
        return rc;
}

/* Which index of the table has that text, as SQLite keeps it; n_index: none. */
static int index_of_text(text *w, const char *sql, uint8_t *out)
{
        uint8_t i;

        for (i = 0; i < w->t->n_index; i++) {
                say_index(w, i);
                bool same = w->rc == 0 && w->out->n == strlen(sql) &&
                            memcmp(w->out->p, sql, w->out->n) == 0;
                odm_buf_cut(w->out, 0);
                if (w->rc < 0)
                        return w->rc;
                if (same)
                        break;
        }
        *out = i;
        return 0;
}

/* Which indexes are there as they should be (bits), and the name of one that should not be. */
static int look_at_indexes(db *x, text *w, uint64_t *there, char other[128])
{
        sqlite3_stmt *st;
        char table[64];
        int rc;

        *there = 0;
        other[0] = 0;
        snprintf(table, sizeof table, "t_%s", w->t->name);
        st = db_bind(x,
                     "SELECT name, sql FROM sqlite_master"
                     " WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
                     "s", odm_cstr(table));
        if (st == NULL)
                return db_error(x, x->rc);
        while ((rc = db_step(x, st)) == 1) {
                uint8_t i;
                rc = index_of_text(w, (const char *)sqlite3_column_text(st, 1), &i);
                if (rc < 0) {
                        db_reset(st);
                        break;
                }
                if (i < w->t->n_index)
                        *there |= UINT64_C(1) << i;
                else
                        snprintf(other, 128, "%s", (const char *)sqlite3_column_text(st, 0));
        }
        return rc;
}

static int make_index(db *x, text *w, uint8_t i)
{
        const store_index *index = &w->t->index[i];
        int rc = 0;

        for (uint8_t k = 0; rc == 0 && k < index->n; k++) {
                if (!field_is_text(&w->t->rec->fields[index->fields[k]]))
                        continue;
                SAY(w, "UPDATE \"t_%s\" SET \"%s\" = '' WHERE \"%s\" IS NULL", w->t->name,
                    name_of(w, index->fields[k]), name_of(w, index->fields[k]));
                rc = run_text(x, w);
        }
        if (rc < 0)
                return rc;
        say_index(w, i);
        return run_text(x, w);
}

static int make_indexes(db *x, text *w)
{
        uint64_t there = 0;
        char other[128];
        int rc;

        while ((rc = look_at_indexes(x, w, &there, other)) == 0 && other[0]) {
                SAY(w, "DROP INDEX \"%s\"", other);
                rc = run_text(x, w);
                if (rc < 0)
                        break;
        }
        for (uint8_t i = 0; rc == 0 && i < w->t->n_index; i++)
                if (!(there >> i & 1))
                        rc = make_index(x, w, i);
        return rc;
}

int sqlite_row_tables(db *x, const store_opt *opt)
{
        odm_buf sql;
        int rc = db_exec(x, "BEGIN IMMEDIATE");

        odm_buf_init(&sql, &store_heap, (size_t)64 << 10);
        for (size_t i = 0; rc == 0 && i < opt->n_tables; i++) {
                text w = {.t = opt->tables[i], .out = &sql};
                rc = make_columns(x, &w);
                if (rc == 0)
                        rc = make_indexes(x, &w);
        }
        if (rc == 0)
                rc = db_exec(x, "COMMIT");
        if (rc < 0) /* the sentence of the first failure is the one to keep */
                sqlite3_exec(x->c, "ROLLBACK", NULL, NULL, NULL);
        odm_buf_done(&sql);
        return rc;
}
