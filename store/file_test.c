/* SPDX-License-Identifier: Apache-2.0 */
/* What only a file can show: that it outlives a kill, and refuses what it cannot read. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite_db.h"
#include "store_lab.h"
#include "tell.h"

/* ---- the file ------------------------------------------------------------------------------ */

static void all_is_there_after_a_new_start(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a"), job = lab_job(f, a, 0), session = lab_session(f, a, "tok");
        const store_tree_change c[] = {SET("./A/B", "x")}, more[] = {SET("./A/C", "y")};
        store_job j;
        store_batch *b = store_batch_new();
        int64_t unused = store_session_number(f->st); /* of a session that was never kept */

        lab_tree(f, a, 1, c, 1);
        store_batch_add(b, STORE_DEVICE_DELETE)->of = lab_device(f, "gone");
        assert_int_equal(lab_write(f, b), 0);
        store_close(f->st);
        lab_open(f);
        lab_expect_tree(f, a, "./A", "./A= ./A/B=x");
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
        assert_int_equal(lab_tree(f, a, 2, more, 1), 0);
        lab_expect_tree(f, a, "./A", "./A= ./A/B=x ./A/C=y");
        assert_true(lab_job(f, a, 0) > job);
        assert_true(lab_session(f, a, "t2") > session);
        assert_true(store_session_number(f->st) > unused);
        assert_true(lab_device(f, "next") >
                    a + 1); /* a deleted device's number is not used again */
}

static void make_file(const lab *f, const char *name, const char *text, char out[160])
{
        FILE *file;

        snprintf(out, 160, "%s/%s", f->dir, name);
        file = fopen(out, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void expect_open(const char *where, int rc, const char *word)
{
        store_opt opt;
        store *st = NULL;
        char diag[STORE_DIAG];

        store_opt_init(&opt);
        opt.where = where;
        assert_int_equal(store_open(&opt, &st, diag), rc);
        assert_null(st);
        if (strstr(diag, word) == NULL)
                fail_msg("\"%s\" says nothing of \"%s\"", diag, word);
}

static void drop_file(const char *path)
{
        static const char *const ends[] = {"", "-lock", "-wal", "-shm"};
        char name[200];

        for (size_t i = 0; i < ODM_COUNT(ends); i++) {
                snprintf(name, sizeof name, "%s%s", path, ends[i]);
                unlink(name);
        }
}

static void what_is_no_store_is_refused_with_a_reason(void **state)
{
        lab *f = *state;
        char path[160], text[9000];
        db x;

        memset(text, 'z', sizeof text - 1);
        text[sizeof text - 1] = 0;
        make_file(f, "junk", text, path);
        expect_open(path, ODM_EMALFORMED, "damaged");
        drop_file(path);
        expect_open("/nowhere/at/all", ODM_EACCESS, "No such file");
        expect_open(f->dir, ODM_EACCESS, "may not be written");
        expect_open("pgsql:x", ODM_EINVAL, "no such engine");
        expect_open("sqlite:", ODM_EINVAL, "empty");
        expect_open(f->where, ODM_EACCESS, "another process");

        snprintf(path, sizeof path, "%s/other", f->dir);
        assert_int_equal(db_open(&x, path, false), 0);
        assert_int_equal(db_exec(&x, "CREATE TABLE t(a)"), 0);
        db_close(&x);
        expect_open(path, ODM_EUNSUPPORTED, "another program");
        drop_file(path);
        snprintf(path, sizeof path, "%s-lock", f->dir); /* of the try to open the folder */
        unlink(path);
}

static int open_as(const char *path, store_owner owner, const store_table *t, char why[STORE_DIAG])
{
        const store_table *const tables[] = {t};
        store_opt opt;
        store *st;
        int rc;

        store_opt_init(&opt);
        opt.where = path;
        opt.owner = owner;
        opt.tables = tables;
        opt.n_tables = t != NULL;
        rc = store_open(&opt, &st, why);
        if (rc == 0)
                store_close(st);
        return rc;
}

/* Nobody takes another's.  Files of gateways had the server's number once: their tables tell. */
static void a_file_is_its_owners(void **state)
{
        static const field id = {"id", 0, FIELD_I64};
        static const record device = {.size = sizeof(int64_t), .fields = &id, .n = 1};
        static const store_table devices = {.name = "gw_device", .rec = &device, .n_key = 1};
        static const struct row {
                store_owner owner;
                bool old; /* and not opened since */
                const char *whose;
        } rows[] = {{STORE_OF_SERVER, false, "a server, nremd"},
                    {STORE_OF_GATEWAY, false, "a gateway, gremd"},
                    {STORE_OF_GATEWAY, true, "a gateway, gremd"}};
        lab *f = *state;
        char path[160], why[STORE_DIAG];
        int64_t n;
        db x;

        snprintf(path, sizeof path, "%s/owned", f->dir);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                bool gateway = r->owner == STORE_OF_GATEWAY;
                store_owner other = gateway ? STORE_OF_SERVER : STORE_OF_GATEWAY;

                assert_int_equal(open_as(path, r->owner, r->old ? &devices : NULL, why), 0);
                assert_int_equal(db_open(&x, path, false), 0);
                if (r->old)
                        assert_int_equal(db_exec(&x, "PRAGMA application_id=0x7872656d"), 0);
                db_close(&x);
                assert_int_equal(open_as(path, other, &devices, why), ODM_EUNSUPPORTED);
                if (!strstr(why, r->whose) || !strstr(why, path))
                        fail_msg("%s", why);
                assert_int_equal(open_as(path, r->owner, NULL, why), 0);
                assert_int_equal(db_open(&x, path, false), 0);
                assert_int_equal(db_number(&x, db_bind(&x, "PRAGMA application_id", ""), &n), 0);
                assert_int_equal(n, gateway ? 0x78726d67 : 0x7872656d);
                db_close(&x);
                drop_file(path);
        }
}

static void a_newer_file_is_left_alone(void **state)
{
        lab *f = *state;
        db x;

        store_close(f->st);
        f->st = NULL;
        assert_int_equal(db_open(&x, f->where + 7, false), 0);
        assert_int_equal(db_exec(&x, "PRAGMA user_version=900"), 0);
        db_close(&x);
        expect_open(f->where, ODM_EUNSUPPORTED, "newer");
}

static void a_damaged_file_is_noticed(void **state)
{
        lab *f = *state;
        char junk[6000];
        int fd;

        for (int i = 0; i < 50; i++) {
                char name[16];
                snprintf(name, sizeof name, "d%d", i);
                lab_device(f, name);
        }
        store_close(f->st);
        f->st = NULL;
        memset(junk, 0x5a, sizeof junk);
        fd = open(f->where + 7, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, junk, sizeof junk, 4096 * 2), sizeof junk);
        close(fd);
        expect_open(f->where, ODM_EMALFORMED, "damaged");
}

static void migrations_run_once_in_order_and_whole(void **state)
{
        static const char *const scripts[] = {
                "CREATE TABLE a(x); INSERT INTO a VALUES(1)",
                "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1",
                "CREATE TABLE b(z); INSERT INTO nosuch VALUES(1)",
                "CREATE TABLE b(z)",
        };
        lab *f = *state;
        const char *good[] = {scripts[0], scripts[1], scripts[3]};
        char path[160];
        int64_t n;
        db x;

        snprintf(path, sizeof path, "%s/mig", f->dir);
        for (unsigned from = 0; from <= 3; from++) { /* from every earlier version */
                assert_int_equal(db_open(&x, path, false), 0);
                assert_int_equal(db_migrate(&x, good, from), 0);
                assert_int_equal(db_migrate(&x, good, 3), 0);
                assert_int_equal(db_migrate(&x, good, 3), 0);
                assert_int_equal(db_number(&x, db_bind(&x, "SELECT sum(y) FROM a", ""), &n), 0);
                assert_int_equal(n, 2);
                assert_int_equal(db_migrate(&x, good, 2), ODM_EUNSUPPORTED);
                db_close(&x);
                drop_file(path);
        }
        assert_int_equal(db_open(&x, path, false), 0);
        assert_int_equal(db_migrate(&x, scripts, 3), ODM_EIO); /* the third is broken */
        assert_non_null(strstr(x.diag, "nosuch"));
        assert_int_equal(
                db_number(&x, db_bind(&x, "SELECT count(*) FROM sqlite_master WHERE name='b'", ""),
                          &n),
                0);
        assert_int_equal(n, 0); /* nothing of it stayed */
        assert_int_equal(db_migrate(&x, good, 3), 0);
        db_close(&x);
        drop_file(path);
}

/* ---- a kill in the middle ------------------------------------------------------------------ */

static void put_row(store_batch *b, uint32_t i)
{
        store_op *op = store_batch_add(b, STORE_ROW_PUT);
        tell_row *row = odm_new(store_batch_arena(b), tell_row);

        *row = (tell_row){.device = 1,
                          .n = i,
                          .name = odm_arena_fmt(store_batch_arena(b), "%u", i),
                          .count = i};
        op->row = (store_row_op){.table = &tell_table, .row = row};
}

/* The child acknowledges each batch on the pipe only after `done`. */
static void write_until_killed(const lab *f, int out)
{
        char diag[STORE_DIAG];
        store *st;

        if (store_open(&f->opt, &st, diag) < 0)
                _exit(2);
        for (uint32_t i = 1;; i++) {
                store_batch *b = store_batch_new();
                char key[24];
                for (int half = 0; half < 2; half++) {
                        store_op *op = store_batch_add(b, STORE_SETTING_PUT);
                        snprintf(key, sizeof key, "%u.%d", i, half);
                        op->setting.key = odm_arena_copy(store_batch_arena(b), S(key));
                        op->setting.value = S("v");
                }
                put_row(b, i);
                if (store_write_sync(st, b) < 0)
                        _exit(3);
                store_batch_free(b);
                if (write(out, &i, sizeof i) != sizeof i)
                        _exit(4);
        }
}

static bool has_setting(lab *f, uint32_t i, int half)
{
        char key[24];
        odm_str v;

        snprintf(key, sizeof key, "%u.%d", i, half);
        return store_setting_get(f->st, S(key), &f->a, &v) == 0;
}

static bool has_row(lab *f, uint32_t i)
{
        char name[24];
        tell_row row;

        snprintf(name, sizeof name, "%u", i);
        row.name = S(name);
        return store_row_by(f->st, &tell_table, TELL_BY_NAME, &row, &f->a, &row) == 0 &&
               row.count == i;
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
        lab *f = *state;
        uint32_t last = 0, i;

        f->opt.tables = tell_tables;
        f->opt.n_tables = 1;
        for (int round = 0; round < 3; round++) {
                int p[2];
                pid_t pid;
                store_close(f->st);
                f->st = NULL;
                assert_int_equal(pipe(p), 0);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        close(p[0]);
                        write_until_killed(f, p[1]);
                }
                close(p[1]);
                last = 0;
                while (last < 30u + 17u * (unsigned)round && read(p[0], &i, sizeof i) == sizeof i)
                        last = i;
                kill(pid, SIGKILL);
                while (read(p[0], &i, sizeof i) == sizeof i)
                        last = i;
                close(p[0]);
                waitpid(pid, NULL, 0);
                assert_true(last >= 30);
                lab_open(f);
                for (i = 1; i <= last; i++)
                        if (!has_setting(f, i, 0) || !has_setting(f, i, 1) || !has_row(f, i))
                                fail_msg("batch %u of %u was acknowledged and is gone", i, last);
                /* the one in flight is there whole or not at all */
                assert_int_equal(has_setting(f, last + 1, 0), has_setting(f, last + 1, 1));
                assert_int_equal(has_setting(f, last + 1, 0), has_row(f, last + 1));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON(lab_sqlite, all_is_there_after_a_new_start),
                ON(lab_sqlite, what_is_no_store_is_refused_with_a_reason),
                ON(lab_sqlite, a_file_is_its_owners),
                ON(lab_sqlite, a_newer_file_is_left_alone),
                ON(lab_sqlite, a_damaged_file_is_noticed),
                ON(lab_sqlite, migrations_run_once_in_order_and_whole),
                ON(lab_sqlite, what_was_acknowledged_survives_a_kill),
        };

        return RUN_TESTS(tests);
}
