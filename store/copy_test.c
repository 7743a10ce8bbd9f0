/* SPDX-License-Identifier: Apache-2.0 */
/* copy_test.c - a store is copied while it is written to; what is damaged takes nothing's place. */
#include "copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static char folder[64], file[96], copied[96];
static store *st;

static void open_at(const char *path)
{
        char why[STORE_DIAG];
        store_opt opt;

        store_opt_init(&opt);
        opt.where = path;
        if (store_open(&opt, &st, why) < 0)
                fail_msg("%s: %s", path, why);
}

static void put(unsigned from, unsigned to)
{
        for (unsigned i = from; i < to; i++) {
                store_batch *b = store_batch_new();
                store_op *op = b ? store_batch_add(b, STORE_SETTING_PUT) : NULL;
                assert_non_null(op);
                op->setting.key = odm_arena_fmt(store_batch_arena(b), "key%u", i);
                op->setting.value = odm_arena_fmt(store_batch_arena(b), "%0*u", 3000, i);
                assert_int_equal(store_write_sync(st, b), 0);
                store_batch_free(b);
        }
}

static bool has(unsigned i)
{
        char key[16];
        odm_str value;
        odm_arena a;
        int rc;

        (void)snprintf(key, sizeof key, "key%u", i);
        odm_arena_init(&a, &heap, 1 << 16);
        rc = store_setting_get(st, odm_cstr(key), &a, &value);
        odm_arena_done(&a);
        return rc == 0;
}

static int setup(void **arg)
{
        (void)arg;
        (void)snprintf(folder, sizeof folder, "/tmp/odm-copy-XXXXXX");
        assert_non_null(mkdtemp(folder));
        (void)snprintf(file, sizeof file, "%s/a.db", folder);
        (void)snprintf(copied, sizeof copied, "%s/b.db", folder);
        open_at(file);
        put(0, 100);
        return 0;
}

static int teardown(void **arg)
{
        char command[128];

        (void)arg;
        store_close(st);
        st = NULL;
        (void)snprintf(command, sizeof command, "rm -rf %s", folder);
        return system(command);
}

static unsigned asked;

static bool writes_on(void *ctx)
{
        unsigned *written = ctx;

        asked++;
        if (*written < 120) {
                put(*written, *written + 5);
                *written += 5;
        }
        return false;
}

static void it_is_of_one_moment(void **arg)
{
        unsigned written = 100;
        const store_copy_opt o = {
                .from = file, .to = copied, .pages = 16, .stop = writes_on, .ctx = &written};
        char why[STORE_DIAG];

        (void)arg;
        asked = 0;
        if (store_copy(&o, why) < 0)
                fail_msg("%s", why);
        assert_true(asked > 3);
        assert_int_equal(written, 120);
        assert_true(has(119)); /* the store itself went on */
        store_close(st);
        open_at(copied);
        for (unsigned i = 0; i < 100; i++)
                assert_true(has(i));
        assert_false(has(100));
}

static bool at_once(void *ctx)
{
        (void)ctx;
        return true;
}

static bool is_there(const char *path)
{
        return access(path, F_OK) == 0;
}

static void it_may_be_stopped(void **arg)
{
        store_copy_opt o = {.from = file, .to = copied, .pages = 1, .stop = at_once};
        char why[STORE_DIAG], fresh[128];

        (void)arg;
        (void)snprintf(fresh, sizeof fresh, "%s.new", copied);
        assert_int_equal(store_copy(&o, why), ODM_ESTATE);
        assert_true(why[0] && !is_there(copied) && !is_there(fresh));
}

static void damage(const char *path)
{
        struct stat s;
        int fd = open(path, O_RDWR);

        assert_true(fd >= 0 && fstat(fd, &s) == 0);
        for (off_t at = 4096; at + 512 < s.st_size; at += 4096) {
                char junk[64];
                memset(junk, 0x5a, sizeof junk);
                assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
        }
        close(fd);
}

static void what_is_damaged_takes_nothings_place(void **arg)
{
        static const struct {
                const char *why;
                uint32_t pages;
        } rows[] = {{"all at once", 0}, {"piece by piece", 8}};
        store_copy_opt o = {.from = file, .to = copied};
        char why[STORE_DIAG];
        struct stat before, after;

        (void)arg;
        store_close(st);
        st = NULL;
        assert_int_equal(store_copy(&o, why), 0);
        assert_int_equal(stat(copied, &before), 0);
        damage(file);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                o.pages = rows[i].pages;
                int rc = store_copy(&o, why);
                if (rc != ODM_EMALFORMED || !why[0])
                        fail_msg("%s: %d %s", rows[i].why, rc, why);
                assert_int_equal(stat(copied, &after), 0);
                assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
        }
        assert_int_equal(truncate(file, 100), 0);
        assert_int_equal(store_copy(&o, why), ODM_EMALFORMED);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(store_copy(&o, why), ODM_EACCESS);
        open_at(copied);
        assert_true(has(0) && has(99));
}

/* Somebody opens the copy, writes and is killed: its log stays beside it. */
static void leave_a_log(void)
{
        char log[128];
        int status;
        pid_t child = fork();

        if (child == 0) {
                open_at(copied);
                put(500, 530);
                _exit(0);
        }
        assert_true(child > 0 && waitpid(child, &status, 0) == child && status == 0);
        (void)snprintf(log, sizeof log, "%s-wal", copied);
        assert_true(is_there(log));
}

static void the_log_of_an_older_copy_is_not_the_new_ones(void **arg)
{
        const store_copy_opt o = {.from = file, .to = copied};
        char why[STORE_DIAG];

        (void)arg;
        store_close(st);
        st = NULL;
        assert_int_equal(store_copy(&o, why), 0);
        leave_a_log();
        open_at(file);
        put(100, 200);
        store_close(st);
        st = NULL;
        assert_int_equal(store_copy(&o, why), 0);
        open_at(copied);
        for (unsigned i = 0; i < 200; i++)
                assert_true(has(i));
        assert_false(has(500));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(it_is_of_one_moment),
                TEST(it_may_be_stopped),
                TEST(what_is_damaged_takes_nothings_place),
                TEST(the_log_of_an_older_copy_is_not_the_new_ones),
        };
        return RUN_TESTS(tests);
}
