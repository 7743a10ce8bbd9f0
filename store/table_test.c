/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of table.h, sentence by sentence, held to each engine. */
#include <pthread.h>
#include <unistd.h>

#include "sqlite_row.h"
#include "support.h"

#define S(z) odm_cstr(z)
#define NONE ODM_ABSENT

/* ---- tables of a test --------------------------------------------------------------- */

typedef struct item { /* all kinds */
        int64_t device;
        odm_str name;
        odm_str group; /* in an index: never absent */
        int32_t level;
        uint32_t count;
        uint64_t total;
        bool on;
        double share;
        odm_str note; /* may be absent */
        odm_str octets;
        int64_t at;
        const char *mine; /* no field */
} item;

enum {
        I_DEVICE,
        I_NAME,
        I_GROUP,
        I_LEVEL,
        I_COUNT,
        I_TOTAL,
        I_ON,
        I_SHARE,
        I_NOTE,
        I_OCTETS,
        I_AT
};

static const field item_fields[] = {
        STORE_FIELD_OF(item, device, I64), STORE_FIELD_OF(item, name, STR),
        STORE_FIELD_OF(item, group, STR),  STORE_FIELD_OF(item, level, I32),
        STORE_FIELD_OF(item, count, U32),  STORE_FIELD_OF(item, total, U64),
        STORE_FIELD_OF(item, on, BOOL),    STORE_FIELD_OF(item, share, F64),
        STORE_FIELD_OF(item, note, STR),   STORE_FIELD_OF(item, octets, BLOB),
        STORE_FIELD_OF(item, at, I64),
};
static const record record_item = STORE_RECORD_OF(item, item_fields);
static const store_index item_index[] = {
        {.name = "group_level", .fields = {I_GROUP, I_LEVEL}, .n = 2},
        {.name = "share", .fields = {I_SHARE}, .n = 1},
        {.name = "level_name", .fields = {I_LEVEL, I_NAME}, .n = 2},
};
enum { BY_KEY, BY_GROUP, BY_SHARE, BY_LEVEL };
static const store_table table_item = {.name = "item",
                                       .rec = &record_item,
                                       .n_key = 2,
                                       .index = item_index,
                                       .n_index = ODM_COUNT(item_index)};

typedef struct ticket { /* numbered, with unique names */
        int64_t id;
        odm_str name;
        uint32_t state;
        odm_str text;
} ticket;

enum { T_ID, T_NAME, T_STATE, T_TEXT };

static const field ticket_fields[] = {
        STORE_FIELD_OF(ticket, id, I64), STORE_FIELD_OF(ticket, name, STR),
        STORE_FIELD_OF(ticket, state, U32), STORE_FIELD_OF(ticket, text, STR)};
static const record record_ticket = STORE_RECORD_OF(ticket, ticket_fields);
static const store_index ticket_index[] = {
        {.name = "name", .fields = {T_NAME}, .n = 1, .unique = true},
        {.name = "state", .fields = {T_STATE}, .n = 1}};
enum { BY_NAME = 1, BY_STATE };
static const store_table table_ticket = {.name = "ticket",
                                         .rec = &record_ticket,
                                         .n_key = 1,
                                         .numbered = true,
                                         .index = ticket_index,
                                         .n_index = ODM_COUNT(ticket_index)};

/* Numbered below a device; no index. */
typedef struct entry {
        int64_t device, n;
        odm_str text;
} entry;
static const field entry_fields[] = {STORE_FIELD_OF(entry, device, I64),
                                     STORE_FIELD_OF(entry, n, I64),
                                     STORE_FIELD_OF(entry, text, STR)};
static const record record_entry = STORE_RECORD_OF(entry, entry_fields);
static const store_table table_entry = {
        .name = "entry", .rec = &record_entry, .n_key = 2, .numbered = true};

/* All of it is key. */
typedef struct member {
        odm_str set;
        int64_t device;
} member;
static const field member_fields[] = {STORE_FIELD_OF(member, set, STR),
                                      STORE_FIELD_OF(member, device, I64)};
static const record record_member = STORE_RECORD_OF(member, member_fields);
static const store_table table_member = {.name = "member", .rec = &record_member, .n_key = 2};

static const store_table *const tables[] = {&table_item, &table_ticket, &table_entry,
                                            &table_member};
static const store_table table_stranger = {.name = "stranger", .rec = &record_entry, .n_key = 2};

/* ---- a store for a test --------------------------------------------------------------- */

typedef struct fix {
        char dir[64], where[128];
        store_opt opt;
        store_fault fault;
        store *st;
        odm_arena a;
} fix;

static void open_again(fix *f)
{
        char diag[STORE_DIAG];
        int rc = store_open(&f->opt, &f->st, diag);

        if (rc < 0)
                fail_msg("open %s: %s (%s)", f->where, odm_err_name(rc), diag);
}

static int fix_new(void **state, bool file, bool wrapped)
{
        fix *f = calloc(1, sizeof *f);

        snprintf(f->dir, sizeof f->dir, "%s", "/tmp/table_test.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->where, sizeof f->where, file ? "sqlite:%s/db" : "mem:", f->dir);
        store_opt_init(&f->opt);
        f->opt.where = f->where;
        f->opt.fault = wrapped ? &f->fault : NULL;
        f->opt.tables = tables;
        f->opt.n_tables = ODM_COUNT(tables);
        odm_arena_init(&f->a, &heap, (size_t)64 << 20);
        open_again(f);
        *state = f;
        return 0;
}

static int mem_setup(void **state)
{
        return fix_new(state, false, false);
}

static int sqlite_setup(void **state)
{
        return fix_new(state, true, false);
}

static int fail_setup(void **state)
{
        return fix_new(state, true, true);
}

static int teardown(void **state)
{
        static const char *const names[] = {"db", "db-wal", "db-shm", "db-lock"};
        fix *f = *state;
        char path[160];

        store_close(f->st);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
                unlink(path);
        }
        rmdir(f->dir);
        odm_arena_done(&f->a);
        free(f);
        return 0;
}

/* One operation as a batch of its own; its id at *id unless that is NULL. */
static int change(fix *f, store_op_kind kind, store_row_op row, int64_t *id)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, kind);
        int rc;

        op->row = row;
        rc = store_write_sync(f->st, b);
        assert_int_equal(rc, op->rc);
        if (id)
                *id = op->id;
        store_batch_free(b);
        return rc;
}

static int add(fix *f, const store_table *t, const void *row)
{
        return change(f, STORE_ROW_ADD, (store_row_op){.table = t, .row = row}, NULL);
}

static int put(fix *f, const store_table *t, const void *row)
{
        return change(f, STORE_ROW_PUT, (store_row_op){.table = t, .row = row}, NULL);
}

static int64_t new_ticket(fix *f, const char *name, uint32_t state)
{
        const ticket t = {.name = S(name), .state = state};
        int64_t id;

        assert_int_equal(
                change(f, STORE_ROW_ADD, (store_row_op){.table = &table_ticket, .row = &t}, &id),
                0);
        return id;
}

static int get_ticket(fix *f, int64_t id, ticket *out)
{
        return store_row_get(f->st, &table_ticket, &(ticket){.id = id}, &f->a, out);
}

static int get_item(fix *f, int64_t device, const char *name, item *out)
{
        return store_row_get(f->st, &table_item, &(item){.device = device, .name = S(name)}, &f->a,
                             out);
}

static int64_t new_device(fix *f, const char *name)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
        int64_t id;

        op->device = (store_device){.name = S(name), .created = 1};
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

/* ---- rows come and go ------------------------------------------------------------------ */

static void a_row_comes_back_as_it_was_put(void **state)
{
        fix *f = *state;
        const item in = {.device = 7,
                         .name = S("n"),
                         .group = S("g"),
                         .level = -3,
                         .count = 4000000000u,
                         .total = INT64_MAX,
                         .on = true,
                         .share = 0.1,
                         .note = S(""),
                         .octets = {"a\0b", 3},
                         .at = INT64_MIN,
                         .mine = "not kept"};
        item out = {.device = 1};

        assert_int_equal(get_item(f, 7, "n", &out), ODM_ENOENT);
        assert_int_equal(out.device, 1);
        assert_int_equal(add(f, &table_item, &in), 0);
        assert_int_equal(get_item(f, 7, "n", &out), 0);
        assert_int_equal(out.device, 7);
        assert_str(out.name, "n");
        assert_str(out.group, "g");
        assert_int_equal(out.level, -3);
        assert_int_equal(out.count, 4000000000u);
        assert_int_equal(out.total, INT64_MAX);
        assert_true(out.on && out.share == 0.1);
        assert_true(out.note.p && out.note.n == 0);
        assert_int_equal(out.octets.n, 3);
        assert_memory_equal(out.octets.p, "a\0b", 3);
        assert_int_equal(out.at, INT64_MIN);
        assert_null(out.mine);
        assert_int_equal(get_item(f, 7, "m", &out), ODM_ENOENT);
        assert_int_equal(get_item(f, 8, "n", &out), ODM_ENOENT);
}

static void texts_of_key_and_index_are_never_absent(void **state)
{
        fix *f = *state;
        const item in = {.device = 7};
        item out;

        assert_int_equal(add(f, &table_item, &in), 0);
        assert_int_equal(get_item(f, 7, "", &out), 0);
        assert_true(out.name.p && out.name.n == 0);
        assert_true(out.group.p && out.group.n == 0);
        assert_true(out.note.p == NULL && out.octets.p == NULL);
        assert_int_equal(add(f, &table_item, &(item){.device = 7, .name = S("")}), ODM_EEXIST);
        assert_int_equal(
                store_row_by(f->st, &table_item, BY_GROUP, &(item){.group = S("")}, &f->a, &out),
                0);
        assert_int_equal(out.device, 7);
        assert_int_equal(change(f, STORE_ROW_PATCH,
                                (store_row_op){.table = &table_item,
                                               .row = &in,
                                               .fields = STORE_FIELD(I_GROUP) | STORE_FIELD(I_NOTE),
                                               .where = STORE_FIELD(I_GROUP) | STORE_FIELD(I_NAME),
                                               .is = &(item){.group = S("")}},
                                NULL),
                         0);
        assert_int_equal(get_item(f, 7, "", &out), 0);
        assert_true(out.group.p && out.group.n == 0 && out.note.p == NULL);
}

static void a_key_and_a_unique_index_exclude(void **state)
{
        fix *f = *state;
        int64_t a = new_ticket(f, "a", 1), b = new_ticket(f, "b", 1);
        ticket t;

        assert_int_equal(add(f, &table_ticket, &(ticket){.id = a, .name = S("z")}), ODM_EEXIST);
        assert_int_equal(add(f, &table_ticket, &(ticket){.name = S("a")}), ODM_EEXIST);
        assert_int_equal(put(f, &table_ticket, &(ticket){.id = b, .name = S("a")}), ODM_EEXIST);
        assert_int_equal(put(f, &table_ticket, &(ticket){.id = b + 9, .name = S("a")}), ODM_EEXIST);
        assert_int_equal(change(f, STORE_ROW_PATCH,
                                (store_row_op){.table = &table_ticket,
                                               .row = &(ticket){.id = b, .name = S("a")},
                                               .fields = STORE_FIELD(T_NAME)},
                                NULL),
                         ODM_EEXIST);
        assert_int_equal(get_ticket(f, b, &t), 0);
        assert_str(t.name, "b");
        assert_int_equal(get_ticket(f, b + 9, &t), ODM_ENOENT);
        /* its own values are no obstacle */
        assert_int_equal(put(f, &table_ticket, &(ticket){.id = b, .name = S("b"), .state = 5}), 0);
        assert_int_equal(
                store_row_by(f->st, &table_ticket, BY_NAME, &(ticket){.name = S("b")}, &f->a, &t),
                0);
        assert_true(t.id == b && t.state == 5);
        /* and they are free when it has gone on */
        assert_int_equal(put(f, &table_ticket, &(ticket){.id = b, .name = S("c")}), 0);
        assert_int_equal(put(f, &table_ticket, &(ticket){.id = a, .name = S("b")}), 0);
        assert_int_equal(add(f, &table_ticket, &(ticket){.name = S("a")}), 0);
}

static void a_put_is_new_or_in_place(void **state)
{
        fix *f = *state;
        item out;

        assert_int_equal(
                put(f, &table_item,
                    &(item){.device = 1, .name = S("n"), .note = S("one"), .group = S("g")}),
                0);
        assert_int_equal(put(f, &table_item, &(item){.device = 1, .name = S("n"), .level = 2}), 0);
        assert_int_equal(get_item(f, 1, "n", &out), 0);
        assert_true(out.note.p == NULL && out.level == 2 && out.group.n == 0);
        assert_int_equal(
                store_row_by(f->st, &table_item, BY_GROUP, &(item){.group = S("g")}, &f->a, &out),
                ODM_ENOENT);
        assert_int_equal(put(f, &table_member, &(member){S("s"), 1}), 0);
        assert_int_equal(put(f, &table_member, &(member){S("s"), 1}), 0);
        assert_int_equal(add(f, &table_member, &(member){S("s"), 1}), ODM_EEXIST);
}

static void numbers_rise_and_are_never_given_again(void **state)
{
        fix *f = *state;
        int64_t a = new_ticket(f, "a", 1), b = new_ticket(f, "b", 1), n;

        assert_true(a > 0 && b > a);
        assert_int_equal(change(f, STORE_ROW_DELETE,
                                (store_row_op){.table = &table_ticket, .row = &(ticket){.id = b}},
                                NULL),
                         0);
        assert_true(new_ticket(f, "c", 1) > b);
        assert_int_equal(change(f, STORE_ROW_ADD,
                                (store_row_op){.table = &table_ticket,
                                               .row = &(ticket){.id = 500, .name = S("given")}},
                                &n),
                         0);
        assert_int_equal(n, 500);
        assert_int_equal(new_ticket(f, "d", 1), 501);
        /* those of another table are its own, whatever else is in the key */
        assert_int_equal(change(f, STORE_ROW_ADD,
                                (store_row_op){.table = &table_entry, .row = &(entry){.device = 9}},
                                &n),
                         0);
        assert_int_equal(n, 1);
        assert_int_equal(change(f, STORE_ROW_ADD,
                                (store_row_op){.table = &table_entry, .row = &(entry){.device = 8}},
                                &n),
                         0);
        assert_int_equal(n, 2);
}

/* ---- patches -------------------------------------------------------------------------- */

static int patch_item(fix *f, item to, uint64_t fields, uint64_t plus)
{
        to.device = 1;
        to.name = S("n");
        return change(
                f, STORE_ROW_PATCH,
                (store_row_op){.table = &table_item, .row = &to, .fields = fields, .plus = plus},
                NULL);
}

static void a_patch_changes_what_it_names(void **state)
{
        fix *f = *state;
        item out;

        assert_int_equal(patch_item(f, (item){.level = 1}, STORE_FIELD(I_LEVEL), 0), ODM_ENOENT);
        assert_int_equal(put(f, &table_item,
                             &(item){.device = 1,
                                     .name = S("n"),
                                     .group = S("g"),
                                     .level = 1,
                                     .note = S("x")}),
                         0);
        assert_int_equal(patch_item(f, (item){.level = 5, .group = S("other"), .on = true},
                                    STORE_FIELD(I_LEVEL) | STORE_FIELD(I_ON) | STORE_FIELD(I_NOTE),
                                    0),
                         0);
        assert_int_equal(get_item(f, 1, "n", &out), 0);
        assert_true(out.level == 5 && out.on && out.note.p == NULL);
        assert_str(out.group, "g");
        /* it is found by what it has become, and by nothing else */
        assert_int_equal(store_row_by(f->st, &table_item, BY_GROUP,
                                      &(item){.group = S("g"), .level = 5}, &f->a, &out),
                         0);
        assert_int_equal(store_row_by(f->st, &table_item, BY_GROUP,
                                      &(item){.group = S("g"), .level = 1}, &f->a, &out),
                         ODM_ENOENT);
}

static void sums_stay_within_their_kind(void **state)
{
        static const struct row {
                const char *why;
                item has, plus, gives;
        } rows[] = {
                {"all kinds at once",
                 {.level = 1, .count = 2, .total = 3, .share = 0.5, .at = 4},
                 {.level = 10, .count = 20, .total = 30, .share = 0.25, .at = 40},
                 {.level = 11, .count = 22, .total = 33, .share = 0.75, .at = 44}},
                {"less",
                 {.level = 1, .count = 2, .total = 3, .share = 0.5, .at = 4},
                 {.level = -2, .count = (uint32_t)-1, .total = (uint64_t)-3, .share = -1, .at = -5},
                 {.level = -1, .count = 1, .total = 0, .share = -0.5, .at = -1}},
                {"below the least",
                 {.level = INT32_MIN, .count = 2, .total = 3, .at = INT64_MIN},
                 {.level = -1, .count = (uint32_t)-3, .total = (uint64_t)-4, .at = -1},
                 {.level = INT32_MIN, .count = 0, .total = 0, .at = INT64_MIN}},
                {"above the most",
                 {.level = INT32_MAX, .count = UINT32_MAX, .total = INT64_MAX, .at = INT64_MAX},
                 {.level = 1, .count = 1, .total = 1, .at = 1},
                 {.level = INT32_MAX, .count = UINT32_MAX, .total = INT64_MAX, .at = INT64_MAX}},
        };
        const uint64_t all = STORE_FIELD(I_LEVEL) | STORE_FIELD(I_COUNT) | STORE_FIELD(I_TOTAL) |
                             STORE_FIELD(I_SHARE) | STORE_FIELD(I_AT);
        fix *f = *state;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                item has = r->has, out;

                has.device = 1;
                has.name = S("n");
                assert_int_equal(put(f, &table_item, &has), 0);
                assert_int_equal(patch_item(f, r->plus, all, all), 0);
                assert_int_equal(get_item(f, 1, "n", &out), 0);
                if (out.level != r->gives.level || out.count != r->gives.count ||
                    out.total != r->gives.total || out.share != r->gives.share ||
                    out.at != r->gives.at)
                        fail_msg("%s: %d %u %llu %g %lld", r->why, out.level, out.count,
                                 (unsigned long long)out.total, out.share, (long long)out.at);
        }
}

static void where_is_asked_first(void **state)
{
        static const struct row {
                const char *why;
                uint64_t where;
                item is;
                int rc;
        } rows[] = {
                {"one field", STORE_FIELD(I_LEVEL), {.level = 3}, 0},
                {"another value", STORE_FIELD(I_LEVEL), {.level = 4}, ODM_ESTATE},
                {"an absent text", STORE_FIELD(I_NOTE), {.level = 4}, 0},
                {"empty is not absent", STORE_FIELD(I_NOTE), {.note = {"", 0}}, ODM_ESTATE},
                {"but where absent is empty", STORE_FIELD(I_GROUP), {.group = {"", 0}}, 0},
                {"all of them",
                 STORE_FIELD(I_LEVEL) | STORE_FIELD(I_COUNT),
                 {.level = 3, .count = 1},
                 ODM_ESTATE},
                {"of the key", STORE_FIELD(I_NAME), {.name = {"m", 1}}, ODM_ESTATE},
                {"a double", STORE_FIELD(I_SHARE), {.share = 0.1}, 0},
        };
        fix *f = *state;
        item out;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                const item to = {.device = 1, .name = S("n"), .at = 9};
                store_row_op op = {.table = &table_item,
                                   .row = &to,
                                   .fields = STORE_FIELD(I_AT),
                                   .where = r->where,
                                   .is = &r->is};

                assert_int_equal(
                        put(f, &table_item,
                            &(item){.device = 1, .name = S("n"), .level = 3, .share = 0.1}),
                        0);
                int rc = change(f, STORE_ROW_PATCH, op, NULL);
                assert_int_equal(get_item(f, 1, "n", &out), 0);
                if (rc != r->rc || out.at != (rc == 0 ? 9 : 0))
                        fail_msg("%s: patched, %s", r->why, odm_err_name(rc));
                op.fields = 0; /* looks only */
                if (change(f, STORE_ROW_PATCH, op, NULL) != r->rc)
                        fail_msg("%s: looked at", r->why);
                if (change(f, STORE_ROW_DELETE, op, NULL) != r->rc)
                        fail_msg("%s: deleted", r->why);
                assert_int_equal(get_item(f, 1, "n", &out), r->rc == 0 ? ODM_ENOENT : 0);
        }
        assert_int_equal(change(f, STORE_ROW_DELETE,
                                (store_row_op){.table = &table_item,
                                               .row = &(item){.device = 5},
                                               .where = STORE_FIELD(I_AT),
                                               .is = &(item){.at = 0}},
                                NULL),
                         ODM_ENOENT);
}

static void what_makes_no_sense_is_refused(void **state)
{
        static const item i = {.device = 1};
        static const ticket none = {.id = 0}, below = {.id = -1}, ten = {.id = 10};
        static const item large = {.total = UINT64_MAX}, nan = {.share = 0.0 / 0.0};
        static const store_scan scan = {.table = &table_item, .same = 3};
        static const struct row {
                const char *why;
                store_op_kind kind;
                store_row_op op;
        } rows[] = {
                {"no table", STORE_ROW_ADD, {.row = &i}},
                {"no row", STORE_ROW_ADD, {.table = &table_item}},
                {"a table it was not given", STORE_ROW_PUT, {&table_stranger, .row = &i}},
                {"a U64 beyond its range", STORE_ROW_PUT, {&table_item, .row = &large}},
                {"no number", STORE_ROW_ADD, {&table_item, .row = &nan}},
                {"a number below 1", STORE_ROW_ADD, {&table_ticket, .row = &below}},
                {"no number to put", STORE_ROW_PUT, {&table_ticket, .row = &none}},
                {"a field that is none", STORE_ROW_PATCH, {&table_item, &i, STORE_FIELD(11)}},
                {"a key field", STORE_ROW_PATCH, {&table_item, &i, STORE_FIELD(I_NAME)}},
                {"plus without field",
                 STORE_ROW_PATCH,
                 {&table_item, &i, STORE_FIELD(I_AT), STORE_FIELD(I_LEVEL)}},
                {"plus of a text",
                 STORE_ROW_PATCH,
                 {&table_item, &i, STORE_FIELD(I_NOTE), STORE_FIELD(I_NOTE)}},
                {"plus of a bool",
                 STORE_ROW_PATCH,
                 {&table_item, &i, STORE_FIELD(I_ON), STORE_FIELD(I_ON)}},
                {"where without is",
                 STORE_ROW_PATCH,
                 {&table_item, &i, STORE_FIELD(I_AT), .where = STORE_FIELD(I_AT)}},
                {"where of no field",
                 STORE_ROW_DELETE,
                 {&table_ticket, &ten, .where = STORE_FIELD(4), .is = &ten}},
                {"no scan", STORE_ROWS_DELETE, {&table_item, &i}},
                {"a scan with more same fields than there are", STORE_ROWS_DELETE, {.scan = &scan}},
        };
        static const store_scan scans[] = {
                {.table = NULL},
                {.table = &table_stranger},
                {.table = &table_item, .index = 4},
                {.table = &table_item, .same = 1},
                {.table = &table_item, .same = 3, .at = &i},
                {.table = &table_item, .same = 2, .at = &i, .from = &i},
                {.table = &table_item, .same = 2, .at = &i, .below = &i},
        };
        fix *f = *state;
        store_rows found = {.n = 77};
        uint64_t n;
        item out;

        assert_int_equal(put(f, &table_item, &i), 0);
        for (size_t k = 0; k < ODM_COUNT(rows); k++)
                if (change(f, rows[k].kind, rows[k].op, NULL) != ODM_EINVAL)
                        fail_msg("%s", rows[k].why);
        for (size_t k = 0; k < ODM_COUNT(scans); k++) {
                if (store_row_find(f->st, &scans[k], &f->a, &found) != ODM_EINVAL ||
                    store_row_count(f->st, &scans[k], 9, &n) != ODM_EINVAL)
                        fail_msg("scan %zu", k);
        }
        assert_int_equal(found.n, 77);
        assert_int_equal(store_row_get(f->st, &table_stranger, &i, &f->a, &out), ODM_EINVAL);
        assert_int_equal(store_row_by(f->st, &table_item, 0, &i, &f->a, &out), ODM_EINVAL);
        assert_int_equal(store_row_by(f->st, &table_item, 4, &i, &f->a, &out), ODM_EINVAL);
        assert_int_equal(store_row_by(f->st, &table_stranger, 1, &i, &f->a, &out), ODM_EINVAL);
}

/* ---- scans ---------------------------------------------------------------------------- */

/* Rows enough for equal values in every order: devices 1 to 4, each with names a to h, in groups
 * "", g and gg, levels -1 to 1. */
static void many_items(fix *f)
{
        static const char *const groups[] = {"", "g", "gg"};
        store_batch *b = store_batch_new();

        for (int device = 4; device >= 1; device--)
                for (int n = 0; n < 8; n++) {
                        store_op *op = store_batch_add(b, STORE_ROW_ADD);
                        item *i = odm_new(store_batch_arena(b), item);
                        *i = (item){.device = device,
                                    .name = odm_arena_fmt(store_batch_arena(b), "%c", 'a' + n),
                                    .group = S(groups[(n + device) % 3]),
                                    .level = (n * device) % 3 - 1,
                                    .share = (n % 4) / 4.0 - 0.5};
                        op->row = (store_row_op){.table = &table_item, .row = i};
                }
        assert_int_equal(store_write_sync(f->st, b), 0);
        store_batch_free(b);
}

static void say_items(const store_rows *r, char *out, size_t n)
{
        const item *v = r->v;
        size_t at = 0;

        out[0] = 0;
        for (size_t i = 0; i < r->n && at < n; i++)
                at += (size_t)snprintf(out + at, n - at, "%s%lld%.*s", i ? " " : "",
                                       (long long)v[i].device, (int)v[i].name.n, v[i].name.p);
}

static void scans_find_what_they_say(void **state)
{
        static const item two = {.device = 2}, d2d = {.device = 2, .name = {"d", 1}},
                          f2 = {.name = {"f", 1}}, zero = {.device = 0}, three = {.device = 3};
        static const struct row {
                const char *why;
                store_scan s;
                const char *want;
                bool more;
        } rows[] = {
                {"a device", {.same = 1, .at = &two}, "2a 2b 2c 2d 2e 2f 2g 2h", false},
                {"a device, down, with a limit",
                 {.same = 1, .at = &two, .down = true, .limit = 3},
                 "2h 2g 2f",
                 true},
                {"from a name", {.same = 1, .at = &two, .from = &f2}, "2f 2g 2h", false},
                {"below a name", {.same = 1, .at = &two, .below = &f2}, "2a 2b 2c 2d 2e", false},
                {"between, down",
                 {.same = 1, .at = &two, .from = &d2d, .below = &f2, .down = true},
                 "2e 2d",
                 false},
                {"behind one", {.same = 1, .at = &two, .after = &d2d}, "2e 2f 2g 2h", false},
                {"behind one, down",
                 {.same = 1, .at = &two, .after = &d2d, .down = true},
                 "2c 2b 2a",
                 false},
                {"behind one and from a later one",
                 {.same = 1, .at = &two, .after = &d2d, .from = &f2},
                 "2f 2g 2h",
                 false},
                {"behind one that is behind all of them",
                 {.same = 1, .at = &two, .after = &three},
                 "",
                 false},
                {"behind one that is before them",
                 {.same = 1, .at = &two, .after = &zero, .limit = 2},
                 "2a 2b",
                 true},
                {"the same the other way",
                 {.same = 1, .at = &two, .after = &zero, .down = true},
                 "",
                 false},
                {"a whole key", {.same = 2, .at = &d2d}, "2d", false},
                {"behind that very key", {.same = 2, .at = &d2d, .after = &d2d}, "", false},
                {"from a device on, without same", {.from = &three, .limit = 2}, "3a 3b", true},
                {"all, down", {.down = true, .limit = 2}, "4h 4g", true},
        };
        fix *f = *state;
        char got[400];

        many_items(f);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                store_scan s = rows[i].s;
                store_rows found;

                s.table = &table_item;
                assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
                say_items(&found, got, sizeof got);
                if (strcmp(got, rows[i].want) != 0 || found.more != rows[i].more)
                        fail_msg("%s: \"%s\"%s", rows[i].why, got, found.more ? " and more" : "");
        }
}

/* ---- scans beside a plain list ------------------------------------------------------------ */

static const uint8_t orders[][4] = {
        [BY_KEY] = {I_DEVICE, I_NAME},
        [BY_GROUP] = {I_GROUP, I_LEVEL, I_DEVICE, I_NAME},
        [BY_SHARE] = {I_SHARE, I_DEVICE, I_NAME},
        [BY_LEVEL] = {I_LEVEL, I_NAME, I_DEVICE},
};
static const uint8_t order_lengths[] = {2, 4, 3, 3};

static int cmp_one(uint8_t of, const item *a, const item *b)
{
        switch (of) {
        case I_DEVICE: return a->device < b->device ? -1 : a->device > b->device;
        case I_NAME: return odm_str_cmp(a->name, b->name);
        case I_GROUP: return odm_str_cmp(a->group, b->group);
        case I_LEVEL: return a->level < b->level ? -1 : a->level > b->level;
        default: return a->share < b->share ? -1 : a->share > b->share;
        }
}

static uint8_t sort_index;

static int cmp_items(const void *a, const void *b)
{
        int d = 0;

        for (uint8_t i = 0; d == 0 && i < order_lengths[sort_index]; i++)
                d = cmp_one(orders[sort_index][i], a, b);
        return d;
}

static bool is_meant(const store_scan *s, const item *i)
{
        const uint8_t *o = orders[s->index];

        for (uint8_t k = 0; k < s->same; k++)
                if (cmp_one(o[k], i, s->at))
                        return false;
        if (s->from && cmp_one(o[s->same], i, s->from) < 0)
                return false;
        if (s->below && cmp_one(o[s->same], i, s->below) >= 0)
                return false;
        if (s->after == NULL)
                return true;
        return s->down ? cmp_items(i, s->after) < 0 : cmp_items(i, s->after) > 0;
}

static size_t expected(const store_scan *s, item *all, size_t n, const item *out[])
{
        size_t found = 0;

        sort_index = s->index;
        qsort(all, n, sizeof *all, cmp_items);
        for (size_t i = 0; i < n; i++) {
                const item *at = &all[s->down ? n - 1 - i : i];
                if (is_meant(s, at))
                        out[found++] = at;
        }
        return found;
}

static unsigned below(uint64_t *seed, unsigned n)
{
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        return (unsigned)(*seed >> 33) % n;
}

static store_scan any_scan(uint64_t *seed, const item *all, unsigned n)
{
        store_scan s = {.table = &table_item,
                        .index = (uint8_t)below(seed, 4),
                        .at = &all[below(seed, n)],
                        .down = below(seed, 2),
                        .limit = 1 + below(seed, 40)};

        s.same = (uint8_t)below(seed, order_lengths[s.index] + 1u);
        if (below(seed, 2))
                s.after = &all[below(seed, n)];
        if (s.same < order_lengths[s.index]) {
                s.from = below(seed, 2) ? &all[below(seed, n)] : NULL;
                s.below = below(seed, 2) ? &all[below(seed, n)] : NULL;
        }
        return s;
}

static void expect_rows(fix *f, const store_scan *s, const item *const *want, size_t n)
{
        store_rows found;
        const item *v;
        store_scan whole = *s;
        uint64_t count;

        assert_int_equal(store_row_find(f->st, s, &f->a, &found), 0);
        assert_int_equal(found.n, n < s->limit ? n : s->limit);
        assert_int_equal(found.more, n > s->limit);
        v = found.v;
        for (size_t i = 0; i < found.n; i++)
                if (v[i].device != want[i]->device || !odm_str_eq(v[i].name, want[i]->name))
                        fail_msg("row %zu of a scan by %u, same %u", i, s->index, s->same);
        assert_int_equal(store_row_count(f->st, s, 3, &count), 0);
        assert_true(count <= 3);
        if (s->after)
                return;
        whole.limit = 1;
        assert_int_equal(store_row_count(f->st, &whole, 1000, &count), 0);
        assert_int_equal(count, n);
}

static size_t all_items(fix *f, item *out)
{
        const store_scan every = {.table = &table_item, .limit = 1000};
        store_rows found;

        assert_int_equal(store_row_find(f->st, &every, &f->a, &found), 0);
        memcpy(out, found.v, found.n * sizeof *out);
        return found.n;
}

static void scans_agree_with_a_plain_list(void **state)
{
        fix *f = *state;
        const item *want[32];
        item all[32], sorted[32];
        uint64_t seed = 5;
        size_t n;

        many_items(f);
        n = all_items(f, all);
        assert_int_equal(n, 32);
        for (int i = 0; i < 1500; i++) {
                store_scan s = any_scan(&seed, all, 32);
                memcpy(sorted, all, sizeof all);
                expect_rows(f, &s, want, expected(&s, sorted, n, want));
        }
}

/* Each row once, whatever the size of a page. */
static void pages_go_through_equal_values(void **state)
{
        fix *f = *state;
        const item *want[32];
        item sorted[32];

        many_items(f);
        for (unsigned i = 0; i < 4 * 2 * 8; i++) {
                store_scan s = {.table = &table_item,
                                .index = (uint8_t)(i % 4),
                                .down = i / 4 % 2,
                                .limit = 1 + i / 8};
                size_t n = all_items(f, sorted), seen = 0;
                store_rows page;

                assert_int_equal(expected(&s, sorted, n, want), 32);
                do {
                        assert_int_equal(store_row_find(f->st, &s, &f->a, &page), 0);
                        for (size_t k = 0; k < page.n; k++, seen++)
                                assert_int_equal(cmp_items((item *)page.v + k, want[seen]), 0);
                        assert_true(page.n > 0);
                        s.after = (item *)page.v + page.n - 1;
                } while (page.more);
                assert_int_equal(seen, 32);
        }
}

static void a_unique_index_is_an_order_too(void **state)
{
        fix *f = *state;
        store_scan s = {.table = &table_ticket, .index = BY_NAME, .limit = 2};
        store_rows found;
        ticket t = {.id = 1};

        new_ticket(f, "c", 1);
        new_ticket(f, "a", 2);
        new_ticket(f, "b", 1);
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_true(found.n == 2 && found.more);
        assert_str(((ticket *)found.v)[1].name, "b");
        s.after = (ticket *)found.v + 1;
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_true(found.n == 1 && !found.more);
        assert_str(((ticket *)found.v)[0].name, "c");
        /* the first by number among those of a state */
        assert_int_equal(
                store_row_by(f->st, &table_ticket, BY_STATE, &(ticket){.state = 1}, &f->a, &t), 0);
        assert_str(t.name, "c");
        assert_int_equal(
                store_row_by(f->st, &table_ticket, BY_STATE, &(ticket){.state = 7}, &f->a, &t),
                ODM_ENOENT);
        assert_str(t.name, "c");
}

static void limits_are_as_said(void **state)
{
        fix *f = *state;
        store_scan s = {.table = &table_member};
        store_rows found;
        uint64_t n;
        int64_t gone;

        for (int k = 0; k < 3; k++) {
                store_batch *b = store_batch_new();
                for (int i = 0; i < 4096; i++) {
                        store_op *op = store_batch_add(b, STORE_ROW_ADD);
                        member *m = odm_new(store_batch_arena(b), member);
                        *m = (member){S("s"), k * 4096 + i};
                        op->row = (store_row_op){.table = &table_member, .row = m};
                }
                assert_int_equal(store_write_sync(f->st, b), 0);
                store_batch_free(b);
        }
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_true(found.n == 100 && found.more);
        s.limit = 20000;
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_true(found.n == 10000 && found.more);
        assert_int_equal(store_row_count(f->st, &s, 11000, &n), 0);
        assert_int_equal(n, 11000);
        assert_int_equal(store_row_count(f->st, &s, UINT64_MAX, &n), 0);
        assert_int_equal(n, 3 * 4096);
        s.limit = 0;
        assert_int_equal(change(f, STORE_ROWS_DELETE, (store_row_op){.scan = &s}, &gone), 0);
        assert_int_equal(gone, 1000);
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_int_equal(((member *)found.v)[0].device, 1000);
}

/* ---- many at once, and a device's ---------------------------------------------------------- */

static void rows_of_a_scan_go(void **state)
{
        static const item two = {.device = 2}, d2 = {.name = {"d", 1}}, g = {.group = {"g", 1}};
        fix *f = *state;
        store_scan s = {.table = &table_item, .same = 1, .at = &two, .from = &d2, .limit = 3};
        uint64_t n;
        int64_t gone;
        item out;

        many_items(f);
        assert_int_equal(change(f, STORE_ROWS_DELETE, (store_row_op){.scan = &s}, &gone), 0);
        assert_int_equal(gone, 3);
        assert_int_equal(get_item(f, 2, "c", &out), 0);
        assert_int_equal(get_item(f, 2, "d", &out), ODM_ENOENT);
        assert_int_equal(get_item(f, 2, "f", &out), ODM_ENOENT);
        assert_int_equal(get_item(f, 2, "g", &out), 0);
        s = (store_scan){.table = &table_item, .index = BY_GROUP, .same = 1, .at = &g};
        assert_int_equal(store_row_count(f->st, &s, 99, &n), 0);
        assert_int_equal(change(f, STORE_ROWS_DELETE, (store_row_op){.scan = &s}, &gone), 0);
        assert_int_equal(gone, n);
        assert_int_equal(change(f, STORE_ROWS_DELETE, (store_row_op){.scan = &s}, &gone), 0);
        assert_int_equal(gone, 0);
        s = (store_scan){.table = &table_item};
        assert_int_equal(store_row_count(f->st, &s, 99, &n), 0);
        assert_true(n > 0 && n < 29);
        assert_int_equal(change(f, STORE_ROWS_DELETE, (store_row_op){.scan = &s}, &gone), 0);
        assert_int_equal(gone, n);
}

static void a_deleted_device_takes_its_rows(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), b = new_device(f, "b");
        store_batch *x = store_batch_new();
        item out;
        entry e;
        uint64_t n;

        assert_int_equal(put(f, &table_item, &(item){.device = a, .name = S("1")}), 0);
        assert_int_equal(put(f, &table_item, &(item){.device = a, .name = S("2")}), 0);
        assert_int_equal(put(f, &table_item, &(item){.device = b, .name = S("1")}), 0);
        assert_int_equal(add(f, &table_entry, &(entry){.device = a}), 0);
        assert_int_equal(put(f, &table_member, &(member){S("s"), a}), 0);
        store_batch_add(x, STORE_DEVICE_DELETE)->of = a;
        assert_int_equal(store_write_sync(f->st, x), 0);
        store_batch_free(x);
        assert_int_equal(get_item(f, a, "1", &out), ODM_ENOENT);
        assert_int_equal(get_item(f, a, "2", &out), ODM_ENOENT);
        assert_int_equal(get_item(f, b, "1", &out), 0);
        assert_int_equal(
                store_row_get(f->st, &table_entry, &(entry){.device = a, .n = 1}, &f->a, &e),
                ODM_ENOENT);
        /* not the device's: its key begins with another field */
        assert_int_equal(store_row_count(f->st, &(store_scan){.table = &table_member}, 9, &n), 0);
        assert_int_equal(n, 1);
}

static void refused_rows_undo_their_batch(void **state)
{
        fix *f = *state;
        const ticket a = {.name = S("a")}, b = {.name = S("b")};
        store_batch *x = store_batch_new();
        ticket t;

        new_ticket(f, "a", 1);
        store_batch_add(x, STORE_ROW_ADD)->row = (store_row_op){&table_ticket, .row = &b};
        store_batch_add(x, STORE_ROW_ADD)->row = (store_row_op){&table_ticket, .row = &a};
        assert_int_equal(store_write_sync(f->st, x), ODM_EEXIST);
        assert_int_equal(store_row_by(f->st, &table_ticket, BY_NAME, &b, &f->a, &t), ODM_ENOENT);
        x->ops[1]->lenient = true;
        assert_int_equal(store_write_sync(f->st, x), 0);
        assert_int_equal(x->ops[1]->rc, ODM_EEXIST);
        assert_int_equal(store_row_by(f->st, &table_ticket, BY_NAME, &b, &f->a, &t), 0);
        assert_int_equal(t.id, x->ops[0]->id);
        store_batch_free(x);
}

/* A batch with one of each kind of operation, each on rows and indexes that are there. */
static store_batch *one_of_each(void)
{
        static const item changed = {.device = 1, .name = {"a", 1}, .group = {"new", 3}},
                          put_there = {.device = 1, .name = {"b", 1}, .level = 7},
                          gone = {.device = 1, .name = {"c", 1}}, two = {.device = 2};
        static const ticket added = {.name = {"t", 1}};
        static const store_scan all_of_two = {.table = &table_item, .same = 1, .at = &two};
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_ROW_ADD)->row = (store_row_op){&table_ticket, .row = &added};
        store_batch_add(b, STORE_ROW_PATCH)->row =
                (store_row_op){&table_item, &changed, .fields = STORE_FIELD(I_GROUP)};
        store_batch_add(b, STORE_ROW_PUT)->row = (store_row_op){&table_item, .row = &put_there};
        store_batch_add(b, STORE_ROW_DELETE)->row = (store_row_op){&table_item, .row = &gone};
        store_batch_add(b, STORE_ROWS_DELETE)->row = (store_row_op){.scan = &all_of_two};
        return b;
}

static void each_failing_write_leaves_rows_as_they_were(void **state)
{
        fix *f = *state;
        const store_scan by_group = {.table = &table_item, .index = BY_GROUP};
        char before[400], now[400];
        store_rows found;
        uint64_t n = 0;
        int rc;

        many_items(f);
        assert_int_equal(store_row_find(f->st, &by_group, &f->a, &found), 0);
        say_items(&found, before, sizeof before);
        do {
                store_batch *b = one_of_each();
                store_fault_set(&f->fault, (store_fault){.fail_write = ++n});
                rc = store_write_sync(f->st, b);
                store_fault_set(&f->fault, (store_fault){0});
                store_batch_free(b);
                assert_int_equal(store_row_find(f->st, &by_group, &f->a, &found), 0);
                say_items(&found, now, sizeof now);
                if (rc < 0) {
                        assert_int_equal(rc, ODM_EIO);
                        assert_string_equal(now, before);
                }
        } while (rc < 0);
        assert_int_equal(n, 6);
        assert_string_not_equal(now, before);
        store_fault_set(&f->fault, (store_fault){.fail_read = 1});
        assert_int_equal(store_row_find(f->st, &by_group, &f->a, &found), ODM_EIO);
}

/* ---- who listens ---------------------------------------------------------------------------- */

typedef struct heard {
        store *st;
        pthread_mutex_t lock;
        unsigned calls;
        int64_t last;
        bool readable;
} heard;

static void hear(void *ctx, int64_t seq)
{
        heard *h = ctx;
        store_event_list l;
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        pthread_mutex_lock(&h->lock);
        h->calls++;
        h->last = seq;
        h->readable = store_event_find(h->st, seq - 1, 0, 9, &a, &l) == 0 && l.n == 1 &&
                      l.v[0].seq == seq;
        pthread_mutex_unlock(&h->lock);
        odm_arena_done(&a);
}

static int write_events(fix *f, unsigned n, bool refused)
{
        store_batch *b = store_batch_new();
        int rc;

        for (unsigned i = 0; i < n; i++)
                store_batch_add(b, STORE_EVENT_ADD)->event = (store_event){.kind = S("k")};
        if (refused)
                store_batch_add(b, STORE_TOKEN_DELETE)->key = S("none");
        rc = store_write_sync(f->st, b);
        store_batch_free(b);
        return rc;
}

static void events_are_told_of_when_they_are_durable(void **state)
{
        fix *f = *state;
        heard h = {.st = f->st, .lock = PTHREAD_MUTEX_INITIALIZER};

        assert_int_equal(write_events(f, 1, false), 0);
        store_watch(f->st, hear, &h);
        assert_int_equal(write_events(f, 3, false), 0);
        assert_true(h.calls == 1 && h.last == 4 && h.readable);
        assert_int_equal(write_events(f, 2, true), ODM_ENOENT);
        new_device(f, "quiet");
        assert_int_equal(h.calls, 1);
        assert_int_equal(write_events(f, 1, false), 0);
        assert_true(h.calls == 2 && h.last > 4 && h.readable);
        store_watch(f->st, NULL, NULL);
        assert_int_equal(write_events(f, 1, false), 0);
        assert_int_equal(h.calls, 2);
}

static void old_events_go_in_steps(void **state)
{
        fix *f = *state;
        store_event_list l;

        store_close(f->st);
        f->opt.events_kept = 640;
        open_again(f);
        for (int i = 0; i < 30; i++) {
                assert_int_equal(write_events(f, 50, false), 0);
                assert_int_equal(store_event_find(f->st, 0, 0, 1000, &f->a, &l), 0);
                assert_true(l.n >= (i < 12 ? 50u * ((unsigned)i + 1) : 640u) && l.n <= 650);
        }
        assert_int_equal(l.v[l.n - 1].seq, 1500);
}

/* Who must not miss any is waited for, up to a ceiling. */
static void events_that_were_not_heard_stay(void **state)
{
        static const struct {
                unsigned more;
                int64_t heard, oldest;
        } rows[] = {
                {1000, 20, 21},        /* all behind 20 */
                {200, 20, 21},         /* 1200: as many as may wait */
                {100, 20, 101},        /* 1300: more than may */
                {300, 700, 701},       /* 1600: 640 are kept, and what was not heard */
                {50, 1605, 901},       /* 1650: what may go goes in steps, */
                {50, 1605, 1061},      /* 1700: and then all that may has gone */
                {400, INT64_MAX, 1461} /* 2100: nobody is waited for */
        };
        fix *f = *state;

        store_close(f->st);
        f->opt.events_kept = 640;
        f->opt.events_unheard = 560;
        open_again(f);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                store_event_list l;

                store_events_heard(f->st, rows[i].heard);
                for (unsigned k = 0; k < rows[i].more; k += 50)
                        assert_int_equal(write_events(f, 50, false), 0);
                assert_int_equal(store_event_find(f->st, 0, 0, 1, &f->a, &l), 0);
                assert_int_equal(l.v[0].seq, rows[i].oldest);
        }
}

/* More statements than a connection keeps. */
static void statements_give_way(void **state)
{
        fix *f = *state;
        const item to = {.device = 1, .name = S("n"), .level = 1, .at = 1};
        item out;

        assert_int_equal(put(f, &table_item, &to), 0);
        for (int round = 0; round < 2; round++) {
                store_batch *b = store_batch_new();
                for (uint64_t fields = 1; fields < 2 * DB_SHAPES; fields++) {
                        store_op *op = store_batch_add(b, STORE_ROW_PATCH);
                        op->row = (store_row_op){
                                .table = &table_item,
                                .row = &to,
                                .fields = fields << 2,
                                .plus = fields << 2 & (STORE_FIELD(I_LEVEL) | STORE_FIELD(I_AT))};
                }
                assert_int_equal(store_write_sync(f->st, b), 0);
                store_batch_free(b);
        }
        assert_int_equal(get_item(f, 1, "n", &out), 0);
        assert_true(out.level == 1 + 2 * DB_SHAPES && out.at == 1 + 2 * DB_SHAPES);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void all_is_there_after_a_new_start(void **state)
{
        fix *f = *state;
        int64_t a = new_ticket(f, "a", 3), b = new_ticket(f, "b", 1);
        ticket t;
        item out;

        assert_int_equal(put(f, &table_item, &(item){.device = 1, .name = S("n"), .share = 2}), 0);
        assert_int_equal(change(f, STORE_ROW_DELETE,
                                (store_row_op){.table = &table_ticket, .row = &(ticket){.id = b}},
                                NULL),
                         0);
        for (int i = 0; i < 2; i++) {
                store_close(f->st);
                open_again(f);
        }
        assert_int_equal(get_ticket(f, a, &t), 0);
        assert_true(t.state == 3);
        assert_int_equal(get_item(f, 1, "n", &out), 0);
        assert_true(out.share == 2);
        assert_true(new_ticket(f, "c", 1) > b);
}

/* ---- plans ------------------------------------------------------------------------------------- */

static unsigned count_of(const char *text, char c)
{
        unsigned n = 0;

        for (; *text; text++)
                n += *text == c;
        return n;
}

/* Each condition has to be one by which the index is entered, and the order has to be the index's.
 */
static void expect_plan(db *x, const store_scan *s)
{
        sqlite3_stmt *st;
        odm_buf sql;
        char detail[300];

        odm_buf_init(&sql, &heap, 1 << 16);
        assert_int_equal(odm_buf_fmt(&sql, "EXPLAIN QUERY PLAN "), 0);
        assert_int_equal(sqlite_row_find_text(s, &sql), 0);
        assert_int_equal(odm_buf_byte(&sql, 0), 0);
        if (sqlite3_prepare_v2(x->c, sql.p, -1, &st, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql.p, sqlite3_errmsg(x->c));
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        snprintf(detail, sizeof detail, "%s", (const char *)sqlite3_column_text(st, 3));
        if (sqlite3_step(st) != SQLITE_DONE)
                fail_msg("%s: %s, and %s", sql.p, detail, (const char *)sqlite3_column_text(st, 3));
        bool searched = s->same || s->from || s->below || s->after;
        if (strncmp(detail, searched ? "SEARCH" : "SCAN", 4) != 0 ||
            count_of(detail, '?') + 1 != count_of(sql.p, '?'))
                fail_msg("%s: %s", sql.p, detail);
        sqlite3_finalize(st);
        odm_buf_done(&sql);
}

static unsigned expect_plans(db *x, const store_table *t, const void *row)
{
        unsigned n = 0;

        for (unsigned i = 0; i <= t->n_index; i++) {
                uint8_t length = row_order_of(t, (uint8_t)i).n;
                for (unsigned k = 0; k < (length + 1u) * 16; k++) {
                        store_scan s = {.table = t,
                                        .index = (uint8_t)i,
                                        .same = (uint8_t)(k / 16),
                                        .at = row,
                                        .down = k & 1,
                                        .after = k & 2 ? row : NULL,
                                        .from = k & 4 ? row : NULL,
                                        .below = k & 8 ? row : NULL};
                        if (s.same == length && k & 14)
                                continue;
                        expect_plan(x, &s);
                        n++;
                }
        }
        return n;
}

static void every_scan_enters_its_index(void **state)
{
        static const item i;
        static const ticket t;
        static const entry e;
        static const member m;
        const void *const row[] = {&i, &t, &e, &m};
        fix *f = *state;
        unsigned n = 0;
        db x;

        many_items(f);
        store_close(f->st);
        f->st = NULL;
        assert_int_equal(db_open(&x, f->where + 7, false), 0);
        for (int analyzed = 0; analyzed < 2; analyzed++) {
                for (size_t k = 0; k < ODM_COUNT(tables); k++)
                        n += expect_plans(&x, tables[k], row[k]);
                assert_int_equal(db_exec(&x, "ANALYZE"), 0);
        }
        db_close(&x);
        assert_true(n > 500);
}

/* ---- older tables -------------------------------------------------------------------------------- */

/* The tickets of an earlier program, and of later ones. */
typedef struct old_ticket {
        int64_t id;
        odm_str name;
} old_ticket;
static const field old_ticket_fields[] = {STORE_FIELD_OF(old_ticket, id, I64),
                                          STORE_FIELD_OF(old_ticket, name, STR)};
static const record record_old_ticket = STORE_RECORD_OF(old_ticket, old_ticket_fields);
static const store_index old_index[] = {{.name = "state", .fields = {T_NAME}, .n = 1},
                                        {.name = "gone", .fields = {T_NAME, T_ID}, .n = 2}};
static const store_table old_table = {.name = "ticket",
                                      .rec = &record_old_ticket,
                                      .n_key = 1,
                                      .numbered = true,
                                      .index = old_index,
                                      .n_index = 2};

static void open_with(fix *f, const store_table *const *t, size_t n)
{
        store_close(f->st);
        f->opt.tables = t;
        f->opt.n_tables = n;
        open_again(f);
}

static void a_file_gets_the_columns_and_indexes_of_its_tables(void **state)
{
        static const store_index text_index[] = {
                {.name = "text", .fields = {T_TEXT, T_NAME}, .n = 2}};
        static const store_table later = {.name = "ticket",
                                          .rec = &record_ticket,
                                          .n_key = 1,
                                          .numbered = true,
                                          .index = text_index,
                                          .n_index = 1};
        static const store_table *const before[] = {&old_table}, *const after[] = {&later};
        fix *f = *state;
        store_scan s = {.table = &table_ticket, .index = BY_STATE};
        store_rows found;
        ticket t;

        open_with(f, before, 1); /* of this file, an empty table has more columns already */
        assert_int_equal(add(f, &old_table, &(old_ticket){.name = S("x")}), 0);
        assert_int_equal(add(f, &old_table, &(old_ticket){.name = S("x2")}), 0);
        open_with(f, tables, ODM_COUNT(tables));
        assert_int_equal(get_ticket(f, 1, &t), 0);
        assert_true(t.state == 0 && t.text.p == NULL);
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_int_equal(found.n, 2);
        assert_int_equal(put(f, &table_ticket, &(ticket){.id = 2, .name = S("x"), .state = 1}),
                         ODM_EEXIST);
        open_with(f, after, 1); /* a text that may be absent comes into an index */
        s = (store_scan){.table = &later, .index = 1, .same = 1, .at = &(ticket){.text = S("")}};
        assert_int_equal(store_row_find(f->st, &s, &f->a, &found), 0);
        assert_int_equal(found.n, 2);
        assert_non_null(((ticket *)found.v)[0].text.p);
}

static void expect_refusal(fix *f, const store_table *t, int rc, const char *word)
{
        const store_table *const one[] = {t};
        char diag[STORE_DIAG];
        store *st = NULL;

        f->opt.tables = one;
        f->opt.n_tables = 1;
        assert_int_equal(store_open(&f->opt, &st, diag), rc);
        assert_null(st);
        if (strstr(diag, word) == NULL)
                fail_msg("\"%s\" says nothing of \"%s\"", diag, word);
}

static void tables_that_cannot_be_made_are_refused(void **state)
{
        static const field kinds[] = {STORE_FIELD_OF(ticket, id, I64),
                                      {"state", offsetof(ticket, text), FIELD_STR}};
        static const record record_kinds = STORE_RECORD_OF(ticket, kinds);
        static const store_index unique[] = {
                {.name = "state", .fields = {T_STATE}, .n = 1, .unique = true}};
        static const store_table other_kind = {.name = "ticket", .rec = &record_kinds, .n_key = 1},
                                 other_key = {.name = "ticket", .rec = &record_ticket, .n_key = 2},
                                 unique_now = {.name = "ticket",
                                               .rec = &record_ticket,
                                               .n_key = 1,
                                               .index = unique,
                                               .n_index = 1};
        fix *f = *state;

        new_ticket(f, "a", 1);
        new_ticket(f, "b", 1);
        store_close(f->st);
        f->st = NULL;
        expect_refusal(f, &other_kind, ODM_EINVAL, "another kind of column: state");
        expect_refusal(f, &other_key, ODM_EINVAL, "another key: name");
        expect_refusal(f, &unique_now, ODM_EIO, "UNIQUE");
        f->opt.tables = tables;
        f->opt.n_tables = ODM_COUNT(tables);
        open_again(f);
        assert_int_equal(new_ticket(f, "c", 1), 3);
}

static void tables_that_are_none_are_refused(void **state)
{
        static const store_index bad_field[] = {{.name = "i", .fields = {4}, .n = 1}},
                                 twice[] = {{.name = "i", .fields = {1, 1}, .n = 2}},
                                 no_field[] = {{.name = "i"}},
                                 same_name[] = {{.name = "i", .fields = {1}, .n = 1},
                                                {.name = "i", .fields = {2}, .n = 1}};
        static const store_table rows[] = {
                {.name = "Upper", .rec = &record_ticket, .n_key = 1},
                {.name = "", .rec = &record_ticket, .n_key = 1},
                {.name = "no\"quote", .rec = &record_ticket, .n_key = 1},
                {.name = "t", .rec = &record_ticket},
                {.name = "t", .rec = &record_ticket, .n_key = 5},
                {.name = "t", .rec = &record_item, .n_key = 7},
                {.name = "t", .rec = &record_ticket, .n_key = 2, .numbered = true},
                {.name = "t", .rec = &record_ticket, .n_key = 1, .index = bad_field, .n_index = 1},
                {.name = "t", .rec = &record_ticket, .n_key = 1, .index = twice, .n_index = 1},
                {.name = "t", .rec = &record_ticket, .n_key = 1, .index = no_field, .n_index = 1},
                {.name = "t", .rec = &record_ticket, .n_key = 1, .index = same_name, .n_index = 2},
        };
        static const store_table *const again[] = {&table_ticket, &old_table};
        fix *f = *state;
        char diag[STORE_DIAG];
        store *st = NULL;

        store_close(f->st);
        f->st = NULL;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                expect_refusal(f, &rows[i], ODM_EINVAL, "described wrongly");
        f->opt.tables = again;
        f->opt.n_tables = 2;
        assert_int_equal(store_open(&f->opt, &st, diag), ODM_EINVAL);
}

#define ON(setup, t)                                         \
        {                                                    \
#t " (" #setup ")", t, setup, teardown, NULL \
        }
#define EACH_ENGINE(t) ON(mem_setup, t), ON(sqlite_setup, t), ON(fail_setup, t)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH_ENGINE(a_row_comes_back_as_it_was_put),
                EACH_ENGINE(texts_of_key_and_index_are_never_absent),
                EACH_ENGINE(a_key_and_a_unique_index_exclude),
                EACH_ENGINE(a_put_is_new_or_in_place),
                EACH_ENGINE(numbers_rise_and_are_never_given_again),
                EACH_ENGINE(a_patch_changes_what_it_names),
                EACH_ENGINE(sums_stay_within_their_kind),
                EACH_ENGINE(where_is_asked_first),
                EACH_ENGINE(what_makes_no_sense_is_refused),
                EACH_ENGINE(scans_find_what_they_say),
                EACH_ENGINE(scans_agree_with_a_plain_list),
                EACH_ENGINE(pages_go_through_equal_values),
                EACH_ENGINE(a_unique_index_is_an_order_too),
                EACH_ENGINE(limits_are_as_said),
                EACH_ENGINE(rows_of_a_scan_go),
                EACH_ENGINE(a_deleted_device_takes_its_rows),
                EACH_ENGINE(refused_rows_undo_their_batch),
                ON(fail_setup, each_failing_write_leaves_rows_as_they_were),
                EACH_ENGINE(events_are_told_of_when_they_are_durable),
                EACH_ENGINE(old_events_go_in_steps),
                EACH_ENGINE(events_that_were_not_heard_stay),
                ON(sqlite_setup, all_is_there_after_a_new_start),
                EACH_ENGINE(statements_give_way),
                ON(sqlite_setup, every_scan_enters_its_index),
                ON(sqlite_setup, a_file_gets_the_columns_and_indexes_of_its_tables),
                ON(sqlite_setup, tables_that_cannot_be_made_are_refused),
                EACH_ENGINE(tables_that_are_none_are_refused),
        };

        return RUN_TESTS(tests);
}
