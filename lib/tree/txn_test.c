/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions, providers in them, and records: C-ATM at tree level, and what survives. */
#include "fixture.h"

#define ADD ODM_CMD_ADD
#define REP ODM_CMD_REPLACE
#define DEL ODM_CMD_DELETE
#define GET ODM_CMD_GET
#define CPY ODM_CMD_COPY
#define NODE ODM_FMT_NODE
#define CHR ODM_FMT_CHR
#define INT ODM_FMT_INT
#define ABS ODM_FMT_ABSENT
#define NOW ((odm_wall){1000})

static const struct row many[] = {
        {"add", NULL, ADD, "./T/a", CHR, "1", 200},
        {"add again", NULL, ADD, "./T/b", CHR, "2", 200},
        {"a value", NULL, REP, "./T/a", CHR, "11", 200},
        {"a value again", NULL, REP, "./T/a", CHR, "111", 200},
        {"a list", NULL, REP, "./T?prop=ACL", ABS, "Get=A", 200},
        {"a list again", NULL, REP, "./T?prop=ACL", ABS, "Get=A+B", 200},
        {"a title", NULL, REP, "./T?prop=Title", ABS, "tea", 200},
        {"a name", NULL, REP, "./T/b?prop=Name", ABS, "c", 200},
        {"a name again", NULL, REP, "./T?prop=Name", ABS, "U", 200},
        {"in the new place", NULL, REP, "./U/c", CHR, "22", 200},
        {"a copy", NULL, CPY, "./U/d", ABS, "./U/c", 200},
        {"a permanent value", NULL, REP, "./Vendor/lab/Level", INT, "5", 200},
        {"a format", NULL, REP, "./U/d", INT, "7", 200},
        {"an instance", NULL, ADD, "./Vendor/lab/Items/i/Id", INT, "3", 200},
        {"its name", NULL, REP, "./Vendor/lab/Items/i?prop=Name", ABS, "k", 200},
        {"gone", NULL, DEL, "./U/c", ABS, NULL, 200},
        {"all gone", NULL, DEL, "./U", ABS, NULL, 200},
        {"and back", NULL, ADD, "./U/x", CHR, "new", 200},
};

static void rollback_leaves_nothing(void **state) /* C-ATM-02, 04, 07 */
{
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_do(&l, &(struct row){"before", NULL, ADD, "./T2/x", CHR, "old", 200});
        lab_do(&l, &(struct row){"before", NULL, REP, "./T2?prop=ACL", ABS, "Get=Z", 200});
        for (size_t n = 0; n <= ODM_COUNT(many); n++) {
                odm_str before = lab_state(&l);
                size_t nodes = odm_tree_nodes(l.t);
                assert_int_equal(odm_tree_begin(l.t, NOW), 0);
                lab_rows(&l, many, n);
                lab_do(&l, &(struct row){"a subtree", NULL, DEL, "./T2", ABS, NULL, 200});
                lab_do(&l, &(struct row){"missing", NULL, REP, "./none", CHR, "x", 404});
                odm_tree_rollback(l.t);
                odm_str after = lab_state(&l);
                assert_octets(after, before);
                assert_int_equal(odm_tree_nodes(l.t), nodes);
                assert_false(odm_tree_in_transaction(l.t));
                exact_free(before);
                exact_free(after);
        }
        lab_close(&l);
}

static void commit_keeps_all(void **state) /* C-ATM-01 */
{
        struct lab l;
        unsigned status = 0;

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_commit(l.t, &status), ODM_ESTATE);
        assert_int_equal(odm_tree_begin(l.t, NOW), 0);
        assert_int_equal(odm_tree_begin(l.t, NOW), ODM_ESTATE);
        assert_int_equal(odm_tree_load(l.t, ODM_STR("x")), ODM_ESTATE);
        lab_rows(&l, many, ODM_COUNT(many));
        assert_int_equal(odm_tree_commit(l.t, &status), 0);
        assert_int_equal(status, 200);
        lab_do(&l, &(struct row){"there", NULL, GET, "./U/x", ABS, NULL, 200, "new"});
        lab_do(&l,
               &(struct row){"named", NULL, GET, "./Vendor/lab/Items/k/Id", ABS, NULL, 200, "3"});
        lab_close(&l);
}

/* ---- providers in a transaction ------------------------------------------------------ */

struct watcher {
        unsigned refuse;
        int commit_rc;
        unsigned validated, committed, rolled_back, changes;
        bool meddles;
        char seen[512];
};

static const char *kind_name(odm_change_kind k)
{
        static const char *const names[] = {"add", "value", "delete", "prop"};

        return names[k];
}

static int watch_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        struct watcher *w = ctx;
        size_t n = 0;

        w->validated++;
        w->changes = 0;
        for (const odm_change *c = list; c; c = c->next)
                if (c->kind == ODM_CHANGE_DELETE) {
                        assert_str(odm_change_value(c, ODM_STR("Id")), "3");
                        assert_null(odm_change_value(c, ODM_STR("None")).p);
                        assert_null(odm_change_value(c, ODM_STR("")).p);
                }
        w->seen[0] = '\0';
        for (const odm_change *c = list; c; c = c->next, w->changes++)
                n += (size_t)snprintf(w->seen + n, sizeof w->seen - n, "%s %.*s%s%.*s;",
                                      kind_name(c->kind), (int)c->uri.n, c->uri.p,
                                      c->server.p ? " by " : "", (int)c->server.n,
                                      c->server.p ? c->server.p : "");
        if (w->meddles) {
                odm_value v = {.data = ODM_STR("42")};
                int rc = odm_tree_write(t, ODM_STR("./Vendor/lab/Level"), &v, NOW);
                if (rc < 0)
                        return rc;
        }
        if (w->refuse)
                *status = w->refuse;
        return 0;
}

static int watch_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        struct watcher *w = ctx;
        odm_value v = {.data = ODM_STR("x")};

        assert_non_null(list);
        assert_int_equal(odm_tree_write(t, ODM_STR("./other"), &v, NOW), ODM_ESTATE);
        w->committed++;
        return w->commit_rc;
}

static void watch_rollback(void *ctx)
{
        ((struct watcher *)ctx)->rolled_back++;
}

static odm_provider watched(struct watcher *w)
{
        odm_provider p = lab_provider;

        p.ctx = w;
        p.validate = watch_validate;
        p.commit = watch_commit;
        p.rollback = watch_rollback;
        return p;
}

static void providers_have_their_say(void **state)
{
        struct watcher w = {.refuse = 0};
        odm_provider p = watched(&w);
        struct lab l = {.mem = &heap};
        odm_tree_opt o;
        unsigned status = 0;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        odm_arena_init(&l.a, &heap, 1 << 20);
        assert_int_equal(odm_tree_new(&o, &l.t), 0);
        assert_int_equal(odm_tree_mount(l.t, NULL, &p), 0);

        lab_do(&l, &(struct row){"not below it", NULL, ADD, "./T", NODE, NULL, 200});
        assert_int_equal(w.validated, 0);
        lab_do(&l, &(struct row){"one operation", NULL, REP, "./Vendor/lab/Name", CHR, "x", 200});
        assert_int_equal(w.validated, 1);
        assert_int_equal(w.committed, 1);
        assert_string_equal(w.seen, "value ./Vendor/lab/Name;");
        lab_do(&l, &(struct row){"a server gets the right", NULL, REP, "./Vendor/lab?prop=ACL", ABS,
                                 "Get=*&Replace=srv", 200});
        assert_int_equal(odm_tree_begin(l.t, NOW), 0);
        lab_do(&l, &(struct row){"its", "srv", REP, "./Vendor/lab/Name", CHR, "x", 200});
        lab_do(&l, &(struct row){"its", "srv", REP, "./Vendor/lab/Name", CHR, "y", 200});
        lab_do(&l, &(struct row){"ours", NULL, REP, "./Vendor/lab/Name", CHR, "x", 200});
        assert_int_equal(odm_tree_commit(l.t, &status), 0);
        assert_string_equal(w.seen, "value ./Vendor/lab/Name by srv;"
                                    "value ./Vendor/lab/Name by srv;value ./Vendor/lab/Name;");
        w.committed = 1;
        w.refuse = 403;
        lab_do(&l, &(struct row){"refused", NULL, REP, "./Vendor/lab/Name", CHR, "y", 403});
        assert_int_equal(w.committed, 1);
        assert_int_equal(w.rolled_back, 1);

        assert_int_equal(odm_tree_begin(l.t, NOW), 0);
        lab_do(&l, &(struct row){"1", NULL, REP, "./Vendor/lab/Name", CHR, "y", 200});
        uint64_t second = odm_tree_latest(l.t);
        lab_do(&l, &(struct row){"2", NULL, ADD, "./T/x", CHR, "1", 200});
        assert_true(odm_tree_latest(l.t) > second);
        assert_int_equal(odm_tree_commit(l.t, &status), 0);
        assert_int_equal(status, 403);
        assert_int_equal(odm_tree_culprit(l.t), second);

        w.refuse = 0;
        w.meddles = true;
        assert_int_equal(odm_tree_begin(l.t, NOW), 0);
        lab_do(&l, &(struct row){"1", NULL, ADD, "./Vendor/lab/Items/i/Id", INT, "3", 200});
        lab_do(&l, &(struct row){"2", NULL, REP, "./Vendor/lab/Items/i?prop=Name", ABS, "k", 200});
        lab_do(&l, &(struct row){"3", NULL, REP, "./Vendor/lab/Items?prop=ACL", ABS, "Get=*", 200});
        lab_do(&l, &(struct row){"4", NULL, DEL, "./Vendor/lab/Items/k", ABS, NULL, 200});
        assert_int_equal(odm_tree_commit(l.t, &status), 0);
        assert_int_equal(status, 200);
        assert_string_equal(w.seen, "add ./Vendor/lab/Items/i;add ./Vendor/lab/Items/i/Id;"
                                    "prop ./Vendor/lab/Items/k;prop ./Vendor/lab/Items;"
                                    "delete ./Vendor/lab/Items/k;");
        lab_do(&l, &(struct row){"its own", NULL, GET, "./Vendor/lab/Level", ABS, NULL, 200, "42"});

        w.commit_rc = ODM_EIO; /* the device fails after all was agreed */
        odm_value v = {.data = ODM_STR("z")};
        assert_int_equal(odm_tree_write(l.t, ODM_STR("./Vendor/lab/Name"), &v, NOW), ODM_EIO);
        assert_false(odm_tree_in_transaction(l.t));
        lab_close(&l);
}

/* ---- records -------------------------------------------------------------------------- */

static int keep_record(void *ctx, odm_str record)
{
        return odm_buf_str(ctx, record);
}

static void compare(struct lab *x, struct lab *y)
{
        odm_str a = lab_state(x), b = lab_state(y);

        assert_octets(a, b);
        assert_int_equal(odm_tree_nodes(x->t), odm_tree_nodes(y->t));
        exact_free(a);
        exact_free(b);
}

static void records_bring_all_back(void **state)
{
        struct lab l, from_dump, from_log;
        odm_tree_opt o;
        odm_buf log;
        unsigned status = 0;

        (void)state;
        odm_buf_init(&log, &heap, 1 << 20);
        odm_tree_opt_init(&o, &heap);
        o.log = keep_record;
        o.log_ctx = &log;
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        assert_int_equal(log.n, 0);
        lab_rows(&l, many, 4);
        assert_int_equal(odm_tree_begin(l.t, NOW), 0);
        lab_rows(&l, many + 4, ODM_COUNT(many) - 4);
        lab_do(&l, &(struct row){"refused", NULL, ADD, "./Vendor/lab/x/y", CHR, "x", 405});
        assert_int_equal(odm_tree_commit(l.t, &status), 0);
        size_t n = log.n;
        lab_do(&l, &(struct row){"refused", NULL, REP, "./none", CHR, "x", 404});
        assert_int_equal(log.n, n);

        lab_init(&from_log);
        assert_int_equal(odm_tree_load(from_log.t, odm_buf_view(&log)), 0);
        compare(&l, &from_log);
        odm_str whole = lab_state(&l);
        lab_init(&from_dump);
        assert_int_equal(odm_tree_load(from_dump.t, whole), 0);
        compare(&l, &from_dump);
        for (size_t i = 0; i < whole.n; i++) { /* no part of a record is one */
                odm_str part = exact_bytes(whole.p, i);
                assert_int_equal(odm_tree_load(from_dump.t, part), ODM_EMALFORMED);
                exact_free(part);
        }
        compare(&l, &from_dump);
        exact_free(whole);
        odm_buf_done(&log);
        lab_close(&l);
        lab_close(&from_dump);
        lab_close(&from_log);
}

static void open_small(struct lab *l, odm_tree_opt *o)
{
        *l = (struct lab){.mem = &heap};
        odm_arena_init(&l->a, &heap, 1 << 20);
        odm_arena_init(&l->docs, &heap, 1 << 20);
        assert_int_equal(odm_tree_new(o, &l->t), 0);
}

/* What took the place of something as long has room again when it is read back. */
static void a_full_tree_comes_back_as_it_was(void **state)
{
        static const struct row rows[] = {
                {"full", NULL, ADD, "./P", CHR, "12345678", 200},
                {"a list", NULL, REP, "./P?prop=ACL", ABS, "Get=Alpha", 200},
                {"a title", NULL, REP, "./P?prop=Title", ABS, "The first", 200},
                {"no more", NULL, ADD, "./Q", CHR, "1", 420},
                {"another value", NULL, REP, "./P", CHR, "abcdefgh", 200},
                {"another list", NULL, REP, "./P?prop=ACL", ABS, "Get=Gamma", 200},
                {"another title", NULL, REP, "./P?prop=Title", ABS, "The other", 200},
        };
        struct lab l, back;
        odm_tree_opt o;
        odm_buf log;

        (void)state;
        odm_buf_init(&log, &heap, 1 << 20);
        odm_tree_opt_init(&o, &heap);
        o.log = keep_record;
        o.log_ctx = &log;
        o.max_bytes = 11 + 1 + 8 + 9 + 9; /* the root's list; a name, its value, list and title */
        open_small(&l, &o);
        lab_rows(&l, rows, ODM_COUNT(rows));
        o.log = NULL;
        open_small(&back, &o);
        assert_int_equal(odm_tree_load(back.t, odm_buf_view(&log)), 0);
        compare(&l, &back);
        odm_buf_done(&log);
        lab_close(&l);
        lab_close(&back);
}

/* Whatever octet is wrong: the record is refused and nothing has changed, or it is one. */
static void damaged_records_are_refused_or_load(void **state)
{
        static const unsigned char wrong[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        struct lab l, to;

        (void)state;
        lab_init(&l);
        lab_init(&to);
        lab_rows(&l, many, ODM_COUNT(many));
        lab_do(&l, &(struct row){"a title", NULL, REP, "./U?prop=Title", ABS, "tea", 200});
        odm_str whole = lab_state(&l);
        char *p = (char *)(uintptr_t)whole.p;
        for (size_t i = 0; i < whole.n * ODM_COUNT(wrong); i++) {
                char good = p[i / ODM_COUNT(wrong)];
                odm_str before = lab_state(&to);
                p[i / ODM_COUNT(wrong)] = (char)wrong[i % ODM_COUNT(wrong)];
                int rc = odm_tree_load(to.t, whole);
                p[i / ODM_COUNT(wrong)] = good;
                odm_str after = lab_state(&to);
                assert_true(rc == 0 || rc == ODM_EMALFORMED);
                if (rc < 0)
                        assert_octets(after, before);
                assert_true(odm_tree_nodes(to.t) >= 1);
                exact_free(before);
                exact_free(after);
                if (rc == 0) { /* what it made need not be the same tree */
                        lab_close(&to);
                        lab_init(&to);
                }
        }
        assert_int_equal(odm_tree_load(to.t, whole), 0);
        compare(&l, &to);
        exact_free(whole);
        lab_close(&l);
        lab_close(&to);
}

static void records_of_strangers_are_skipped(void **state)
{
        odm_tree_opt o;
        odm_tree *bare;
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, many, ODM_COUNT(many));
        odm_str whole = lab_state(&l);
        odm_tree_opt_init(&o, &heap);
        assert_int_equal(odm_tree_new(&o, &bare), 0);
        assert_int_equal(odm_tree_load(bare, whole), 0);
        assert_true(odm_tree_exists(bare, ODM_STR("./U/x")));
        assert_false(odm_tree_exists(bare, ODM_STR("./Vendor")));
        exact_free(whole);
        odm_tree_free(bare);
        lab_close(&l);
}

static int no_disk(void *ctx, odm_str record)
{
        (void)ctx;
        (void)record;
        return ODM_EIO;
}

static void what_cannot_be_stored_does_not_happen(void **state)
{
        odm_tree_opt o;
        struct lab l;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        o.log = no_disk;
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        lab_do(&l, &(struct row){"no disk", NULL, ADD, "./T", NODE, NULL, 510});
        lab_do(&l, &(struct row){"no disk", NULL, REP, "./Vendor/lab/Name", CHR, "x", 510});
        lab_close(&l);
}

/* ---- torture -------------------------------------------------------------------------------- */

/* What is there before the operation that memory fails in; built of the same allocator, so it may
 * fail too.  After a failure the state must be as before. */
static int torture_op(failing *f, void *arg)
{
        const struct row *r = arg;
        struct lab l;
        odm_buf before, after, log;
        odm_answer got;
        odm_tree_opt o;
        uint64_t fail_at = f->fail_at;
        int rc;

        odm_buf_init(&before, &heap, 1 << 20);
        odm_buf_init(&after, &heap, 1 << 20);
        odm_buf_init(&log, &f->mem, 1 << 20);
        odm_tree_opt_init(&o, &f->mem);
        o.log = keep_record;
        o.log_ctx = &log;
        rc = lab_open(&l, &f->mem, &o);
        for (size_t i = 0; rc == 0 && i < 6; i++) {
                odm_op op =
                        lab_op(NULL, many[i].kind, many[i].target, many[i].format, many[i].data);
                rc = odm_tree_do(l.t, &op, NOW, &l.a, &got);
                if (rc == 0 && got.status == ODM_ST_STORE_FAILED)
                        rc = ODM_ENOMEM;
        }
        if (rc == 0) {
                odm_op op = lab_op(r->server, r->kind, r->target, r->format, r->data);
                f->fail_at = 0;
                assert_int_equal(odm_tree_dump(l.t, &before), 0);
                f->fail_at = fail_at;
                rc = odm_tree_do(l.t, &op, NOW, &l.a, &got);
                if (rc == 0 && got.status == ODM_ST_STORE_FAILED)
                        rc = ODM_ENOMEM;
                if (rc < 0) {
                        f->fail_at = 0;
                        assert_int_equal(odm_tree_dump(l.t, &after), 0);
                        assert_octets(odm_buf_view(&after), odm_buf_view(&before));
                } else {
                        assert_int_equal(got.status, r->status);
                }
        }
        if (l.t)
                lab_close(&l);
        else
                odm_arena_done(&l.a);
        odm_buf_done(&before);
        odm_buf_done(&after);
        odm_buf_done(&log);
        return rc;
}

static void no_operation_is_half_done(void **state)
{
        static const struct row rows[] = {
                {"add", "S", ADD, "./X/Y/z", CHR, "1", 200},
                {"instance", NULL, ADD, "./Vendor/lab/Items/i/Id", INT, "3", 200},
                {"value", NULL, REP, "./T/a", CHR, "a long value, longer than the one before", 200},
                {"acl", NULL, REP, "./T?prop=ACL", ABS, "Get=A+B+C", 200},
                {"title", NULL, REP, "./T?prop=Title", ABS, "title", 200},
                {"name", NULL, REP, "./T?prop=Name", ABS, "Renamed", 200},
                {"instance", NULL, REP, "./Vendor/lab/Level", INT, "9", 200},
                {"delete", NULL, DEL, "./T", ABS, NULL, 200},
                {"copy", NULL, CPY, "./T/c", ABS, "./T/a", 200},
                {"get", NULL, GET, "./Vendor/lab", ABS, NULL, 200},
                {"list", NULL, GET, ".?list=StructData", ABS, NULL, 200},
                {"document", NULL, GET, ".?list=TNDS", ABS, NULL, 200},
                {"exec", NULL, ODM_CMD_EXEC, "./Vendor/lab/Run", ABS, "x", 202},
                {"inbox", "S", ADD, "./Inbox/n", NODE, "", 404},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                torture(torture_op, (void *)(uintptr_t)&rows[i], 400);
}

static int torture_txn(failing *f, void *arg)
{
        struct lab l = {.mem = NULL};
        odm_buf before, after, log;
        odm_tree_opt o;
        odm_answer got;
        unsigned status = 0;
        int rc;

        (void)arg;
        odm_buf_init(&before, &heap, 1 << 20);
        odm_buf_init(&after, &heap, 1 << 20);
        odm_buf_init(&log, &f->mem, 1 << 20);
        odm_tree_opt_init(&o, &f->mem);
        o.log = keep_record; /* so that the record grows in the middle of it */
        o.log_ctx = &log;
        rc = lab_open(&l, &f->mem, &o);
        if (rc == 0) {
                uint64_t fail_at = f->fail_at;
                f->fail_at = 0;
                assert_int_equal(odm_tree_dump(l.t, &before), 0);
                f->fail_at = fail_at;
                assert_int_equal(odm_tree_begin(l.t, NOW), 0);
                for (size_t i = 0; rc == 0 && i < ODM_COUNT(many); i++) {
                        odm_op op = lab_op(NULL, many[i].kind, many[i].target, many[i].format,
                                           many[i].data);
                        rc = odm_tree_do(l.t, &op, NOW, &l.a, &got);
                }
                if (rc == 0)
                        rc = odm_tree_commit(l.t, &status);
                if (rc == 0 && status == ODM_ST_STORE_FAILED)
                        rc = ODM_ENOMEM; /* of the log */
                if (rc < 0) {
                        f->fail_at = 0;
                        odm_tree_rollback(l.t);
                        assert_int_equal(odm_tree_dump(l.t, &after), 0);
                        assert_octets(odm_buf_view(&after), odm_buf_view(&before));
                        f->fail_at = fail_at;
                }
        }
        if (l.t)
                lab_close(&l);
        else
                odm_arena_done(&l.a);
        odm_buf_done(&before);
        odm_buf_done(&after);
        odm_buf_done(&log);
        return rc;
}

static void no_transaction_is_half_done(void **state)
{
        (void)state;
        torture(torture_txn, NULL, 600);
}

static int torture_load(failing *f, void *arg)
{
        const odm_str *record = arg;
        struct lab l = {.mem = NULL};
        int rc = lab_open(&l, &f->mem, NULL);

        if (rc == 0)
                rc = odm_tree_load(l.t, *record);
        if (rc == 0) {
                odm_value v = {.data = ODM_STR("1")};
                rc = odm_tree_write(l.t, ODM_STR("./Q/r"), &v, NOW);
        }
        if (rc == 0)
                rc = odm_tree_forget_server(l.t, ODM_STR("A"), NOW);
        if (l.t)
                lab_close(&l);
        else
                odm_arena_done(&l.a);
        return rc;
}

static void no_record_is_half_loaded(void **state)
{
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, many, 9);
        odm_str whole = lab_state(&l);
        torture(torture_load, &whole, 400);
        exact_free(whole);
        lab_close(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rollback_leaves_nothing),
                cmocka_unit_test(commit_keeps_all),
                cmocka_unit_test(providers_have_their_say),
                cmocka_unit_test(records_bring_all_back),
                cmocka_unit_test(a_full_tree_comes_back_as_it_was),
                cmocka_unit_test(damaged_records_are_refused_or_load),
                cmocka_unit_test(records_of_strangers_are_skipped),
                cmocka_unit_test(what_cannot_be_stored_does_not_happen),
                cmocka_unit_test(no_operation_is_half_done),
                cmocka_unit_test(no_transaction_is_half_done),
                cmocka_unit_test(no_record_is_half_loaded),
        };

        return RUN_TESTS(tests);
}
