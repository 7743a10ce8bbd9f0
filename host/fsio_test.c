/* SPDX-License-Identifier: Apache-2.0 */
/* fsio_test.c - files and journals, with the power cut at every write. */
#include "fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap.h"
#include "support.h"

static char dir[64], path[128];

static int set_up(void **state)
{
        (void)state;
        snprintf(dir, sizeof dir, "/tmp/fsio_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/file", dir);
        return 0;
}

static int tear_down(void **state)
{
        char temp[160];

        (void)state;
        snprintf(temp, sizeof temp, "%s.new", path);
        unlink(temp);
        unlink(path);
        rmdir(dir);
        return 0;
}

/* A disk that loses power after so many octets or calls: from then on nothing changes. */
typedef struct cutter {
        long left; /* octets, and one for each other call, until the cut */
        bool armed;
} cutter;

static bool spend(cutter *c, long n)
{
        if (!c->armed)
                return true;
        c->left -= n;
        if (c->left >= 0)
                return true;
        errno = EIO;
        return false;
}

static ssize_t cut_write(void *ctx, int fd, const void *p, size_t n)
{
        cutter *c = ctx;
        long before = c->left;

        if (spend(c, (long)n))
                return write(fd, p, n);
        if (before > 0 && write(fd, p, (size_t)before) < 0) /* the part that made it */
                return -1;
        c->left = 0;
        errno = EIO;
        return -1;
}

static int cut_fsync(void *ctx, int fd)
{
        return spend(ctx, 1) ? fsync(fd) : -1;
}

static int cut_rename(void *ctx, const char *from, const char *to)
{
        return spend(ctx, 1) ? rename(from, to) : -1;
}

static int cut_truncate(void *ctx, int fd, off_t n)
{
        return spend(ctx, 1) ? ftruncate(fd, n) : -1;
}

static fsio_ops cutting(cutter *c)
{
        return (fsio_ops){cut_write, cut_fsync, cut_rename, cut_truncate, c};
}

static void check_file(const char *text)
{
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 1000);
        assert_int_equal(fsio_read(path, 1000, &b, NULL), 0);
        assert_str(odm_buf_view(&b), text);
        odm_buf_done(&b);
}

static void files_are_old_or_new(void **state)
{
        (void)state;
        for (long at = 0; at < 30; at++) {
                cutter c = {.left = at, .armed = true};
                fsio_ops ops = cutting(&c);
                int rc;
                odm_buf b;

                assert_int_equal(fsio_write(NULL, path, ODM_STR("old"), 0600, NULL), 0);
                rc = fsio_write(&ops, path, ODM_STR("a new text"), 0600, NULL);
                odm_buf_init(&b, &heap_mem, 100);
                assert_int_equal(fsio_read(path, 100, &b, NULL), 0);
                if (rc == 0)
                        assert_str(odm_buf_view(&b), "a new text");
                else if (!odm_str_is(odm_buf_view(&b), "a new text"))
                        assert_str(odm_buf_view(&b), "old");
                odm_buf_done(&b);
        }
}

static void files_have_their_mode_and_ceiling(void **state)
{
        struct stat st;
        odm_buf b;

        (void)state;
        assert_int_equal(fsio_write(NULL, path, ODM_STR("0123456789"), 0640, NULL), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
        check_file("0123456789");
        odm_buf_init(&b, &heap_mem, 100);
        assert_int_equal(fsio_read(path, 9, &b, NULL), ODM_ELIMIT);
        assert_int_equal(b.n, 0);
        assert_int_equal(fsio_read("/nonexistent", 9, &b, NULL), ODM_ENOENT);
        odm_buf_done(&b);
        odm_buf_init(&b, &heap_mem, 9);
        assert_int_equal(fsio_read(path, 100, &b, NULL), ODM_ELIMIT);
        odm_buf_done(&b);
        odm_buf_init(&b, &heap_mem, 10);
        assert_int_equal(fsio_read(path, 10, &b, NULL), 0); /* exactly as long as the ceiling */
        assert_str(odm_buf_view(&b), "0123456789");
        odm_buf_done(&b);
}

/* What replay saw: the records joined by '|'. */
typedef struct seen {
        char text[4096];
        size_t n;
} seen;

static int see(void *ctx, odm_str r)
{
        seen *s = ctx;

        memcpy(s->text + s->n, r.p, r.n);
        s->n += r.n;
        s->text[s->n++] = '|';
        s->text[s->n] = 0;
        return 0;
}

static fsio_journal *open_journal(const fsio_ops *ops, seen *s)
{
        fsio_journal *j = NULL;
        diag d = {0};

        *s = (seen){0};
        if (fsio_journal_open(ops, path, see, s, &j, &d) < 0)
                fail_msg("%s", d.text);
        return j;
}

static void journals_give_back_what_they_took(void **state)
{
        seen s;
        fsio_journal *j = open_journal(NULL, &s);

        (void)state;
        assert_int_equal(s.n, 0);
        assert_int_equal(fsio_journal_append(j, ODM_STR("one")), 0);
        assert_int_equal(fsio_journal_append(j, ODM_STR("")), 0);
        assert_int_equal(fsio_journal_append(j, ODM_STR("three")), 0);
        assert_int_equal(fsio_journal_sync(j), 0);
        fsio_journal_close(j);
        j = open_journal(NULL, &s);
        assert_string_equal(s.text, "one||three|");
        assert_int_equal(fsio_journal_compact(j, ODM_STR("all")), 0);
        assert_int_equal(fsio_journal_grown(j), 0);
        assert_int_equal(fsio_journal_append(j, ODM_STR("four")), 0);
        assert_int_equal(fsio_journal_sync(j), 0);
        fsio_journal_close(j);
        j = open_journal(NULL, &s);
        assert_string_equal(s.text, "all|four|");
        fsio_journal_close(j);
}

/* Appends a, bb, ccc, syncing each; says how many syncs were promised. */
static int run_appends(fsio_journal *j)
{
        const odm_str records[] = {ODM_STR("a"), ODM_STR("bb"), ODM_STR("ccc")};
        int promised = 0;

        for (size_t i = 0; i < ODM_COUNT(records); i++) {
                if (fsio_journal_append(j, records[i]) < 0 || fsio_journal_sync(j) < 0)
                        break;
                promised++;
        }
        return promised;
}

static void cut_at_every_write(void **state)
{
        static const char *const states[] = {"", "a|", "a|bb|", "a|bb|ccc|"};

        (void)state;
        for (long at = 0; at < 45; at++) {
                cutter c = {.left = at, .armed = true};
                fsio_ops ops = cutting(&c);
                seen s = {0};
                fsio_journal *j = NULL;
                int promised = 0, found = -1;

                unlink(path);
                if (fsio_journal_open(&ops, path, see, &s, &j, NULL) == 0)
                        promised = run_appends(j);
                fsio_journal_close(j);
                j = open_journal(NULL, &s); /* power is back */
                for (int i = 0; i < 4; i++)
                        if (strcmp(states[i], s.text) == 0)
                                found = i;
                if (found < promised)
                        fail_msg("cut at %ld: '%s' after %d promises", at, s.text, promised);
                assert_int_equal(fsio_journal_append(j, ODM_STR("on")), 0); /* and it goes on */
                assert_int_equal(fsio_journal_sync(j), 0);
                fsio_journal_close(j);
                j = open_journal(NULL, &s);
                assert_non_null(strstr(s.text, "on|"));
                fsio_journal_close(j);
        }
}

static void cut_while_compacting(void **state)
{
        (void)state;
        for (long at = 0; at < 40; at++) {
                cutter c = {.left = at};
                fsio_ops ops = cutting(&c);
                seen s;
                fsio_journal *j;
                int rc;

                unlink(path);
                j = open_journal(&ops, &s);
                assert_int_equal(run_appends(j), 3);
                c.armed = true;
                rc = fsio_journal_compact(j, ODM_STR("snapshot"));
                fsio_journal_close(j);
                j = open_journal(NULL, &s);
                if (rc == 0)
                        assert_string_equal(s.text, "snapshot|");
                else if (strcmp(s.text, "snapshot|") != 0)
                        assert_string_equal(s.text, "a|bb|ccc|");
                fsio_journal_close(j);
        }
}

static void damage_stops_the_replay(void **state)
{
        seen s;
        fsio_journal *j = open_journal(NULL, &s);
        diag d = {0};
        int fd;

        (void)state;
        assert_int_equal(run_appends(j), 3);
        fsio_journal_close(j);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "X", 1, 8 + 9 + 8), 1); /* inside "bb" */
        close(fd);
        s = (seen){0};
        assert_int_equal(fsio_journal_open(NULL, path, see, &s, &j, &d), 0);
        assert_string_equal(s.text, "a|");
        assert_non_null(strstr(d.text, "torn"));
        fsio_journal_close(j);
}

static void other_files_are_no_journals(void **state)
{
        fsio_journal *j = NULL;
        seen s = {0};

        (void)state;
        assert_int_equal(fsio_write(NULL, path, ODM_STR("[section]\nkey"), 0600, NULL), 0);
        assert_int_equal(fsio_journal_open(NULL, path, see, &s, &j, NULL), ODM_EMALFORMED);
        assert_null(j);
        check_file("[section]\nkey");
}

static void a_failed_append_closes_the_journal(void **state)
{
        cutter c = {0};
        fsio_ops ops = cutting(&c);
        seen s;
        fsio_journal *j = open_journal(&ops, &s);

        (void)state;
        c = (cutter){.left = 10, .armed = true};
        assert_int_equal(fsio_journal_append(j, ODM_STR("torn record")), ODM_EIO);
        c.armed = false;
        assert_int_equal(fsio_journal_append(j, ODM_STR("next")), ODM_EIO);
        assert_int_equal(fsio_journal_sync(j), ODM_EIO);
        assert_int_equal(fsio_journal_compact(j, ODM_STR("new")), 0);
        assert_int_equal(fsio_journal_append(j, ODM_STR("next")), 0);
        assert_int_equal(fsio_journal_sync(j), 0);
        fsio_journal_close(j);
        j = open_journal(NULL, &s);
        assert_string_equal(s.text, "new|next|");
        fsio_journal_close(j);
}

static void locks_exclude(void **state)
{
        int a = -1, b = -1;
        diag d = {0};

        (void)state;
        assert_int_equal(fsio_lock(path, &a, &d), 0);
        assert_int_equal(fsio_lock(path, &b, &d), ODM_EEXIST);
        assert_non_null(strstr(d.text, "process"));
        fsio_unlock(a);
        assert_int_equal(fsio_lock(path, &b, &d), 0);
        fsio_unlock(b);
}

/* What a killed process had just begun to start has the lock until it runs. */
static void a_lock_is_waited_for(void **state)
{
        int a = -1, b = -1;
        diag d = {0};
        pid_t pid;

        (void)state;
        assert_int_equal(fsio_lock(path, &a, &d), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)poll(NULL, 0, 100);
                _exit(0);
        }
        fsio_unlock(a); /* the child has it still */
        assert_int_equal(fsio_lock(path, &b, &d), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        fsio_unlock(b);
}

static void folders_are_made(void **state)
{
        char deep[160];

        (void)state;
        snprintf(deep, sizeof deep, "%s/a/b", dir);
        assert_int_equal(fsio_mkdir(deep, 0700, NULL), 0);
        assert_int_equal(fsio_mkdir(deep, 0700, NULL), 0);
        rmdir(deep);
        snprintf(deep, sizeof deep, "%s/a", dir);
        rmdir(deep);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(files_are_old_or_new),
                T(files_have_their_mode_and_ceiling),
                T(journals_give_back_what_they_took),
                T(cut_at_every_write),
                T(cut_while_compacting),
                T(damage_stops_the_replay),
                T(other_files_are_no_journals),
                T(a_failed_append_closes_the_journal),
                T(locks_exclude),
                T(a_lock_is_waited_for),
                T(folders_are_made),
        };

        return RUN_TESTS(tests);
}
