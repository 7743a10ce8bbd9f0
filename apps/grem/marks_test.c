/* SPDX-License-Identifier: Apache-2.0 */
/* marks_test.c - numbers and marks beside the store, with the power cut at every step. */
#include "marks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio_disk.h"
#include "recover_store.h"
#include "support.h"

#define FAR_AWAY (INT64_C(1) << 20)

static char folder[64];

static int set_up(void **state)
{
        (void)state;
        snprintf(folder, sizeof folder, "/tmp/marks_test.XXXXXX");
        assert_non_null(mkdtemp(folder));
        return 0;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
        return 0;
}

static int no_sync(void *ctx, int fd)
{
        (void)ctx, (void)fd;
        return 0;
}

/* No power is cut here, so nothing waits for the disk. */
static marks *opened(void)
{
        static fsio_ops quick;
        marks *m = NULL;
        diag d = {{0}};

        quick = fsio_real;
        quick.fsync = no_sync;
        if (marks_open(&quick, folder, true, &m, &d) < 0)
                fail_msg("%s", d.text);
        return m;
}

static int64_t next(marks *m, marks_kind k)
{
        int64_t n = 0;

        assert_int_equal(marks_next(m, k, &n), 0);
        return n;
}

/* As if it had been killed: what is open stays so, and is not asked again. */
static marks *killed(marks *m, marks *old[])
{
        *old = m;
        return opened();
}

static void numbers_rise_whatever_happens(void **state)
{
        marks *m = opened(), *old;

        (void)state;
        assert_int_equal(next(m, MARKS_DEVICE), 1);
        assert_int_equal(next(m, MARKS_DEVICE), 2);
        assert_int_equal(next(m, MARKS_ALERT), 1);
        marks_close(m, true);
        m = opened();
        assert_int_equal(next(m, MARKS_DEVICE), 3); /* without a gap */
        assert_int_equal(next(m, MARKS_FANOUT), 1);
        m = killed(m, &old);
        assert_true(next(m, MARKS_DEVICE) > 3);
        assert_true(next(m, MARKS_FANOUT) > 1);
        marks_floor(m, MARKS_DEVICE, 5000); /* the store knows more */
        assert_int_equal(next(m, MARKS_DEVICE), 5000);
        marks_close(m, true);
        marks_close(old, true);
}

/* The file is gone, or damaged, and so was the store: nobody knows what was given. */
static void without_marks_a_mended_store_begins_far_above(void **state)
{
        char path[96];
        marks *m = opened(), *old;
        int64_t n;

        (void)state;
        (void)next(m, MARKS_DEVICE);
        marks_mended(m, RECOVER_COPY); /* the first start: nothing was there */
        assert_int_equal(marks_how(m), RECOVER_COPY);
        marks_floor(m, MARKS_DEVICE, 40);
        m = killed(m, &old); /* before anybody was given one */
        assert_int_equal(marks_how(m), RECOVER_COPY);
        marks_floor(m, MARKS_DEVICE, 40);
        n = next(m, MARKS_DEVICE);
        assert_true(n >= FAR_AWAY);
        marks_settled(m);
        assert_int_equal(marks_how(m), RECOVER_WHOLE);
        marks_close(m, true);
        marks_close(old, true);
        snprintf(path, sizeof path, "%s/gateway.marks", folder);
        assert_int_equal(truncate(path, 4), 0); /* no whole head */
        m = opened();
        marks_mended(m, RECOVER_ANEW);
        assert_true(next(m, MARKS_FANOUT) >= FAR_AWAY);
        marks_settled(m);
        marks_close(m, true);
        m = opened();
        assert_true(next(m, MARKS_FANOUT) >= FAR_AWAY); /* settled: they go on */
        assert_true(next(m, MARKS_DEVICE) >= FAR_AWAY);
        assert_true(next(m, MARKS_DEVICE) < 2 * FAR_AWAY);
        marks_close(m, true);
}

static void with_marks_a_mended_store_goes_on(void **state)
{
        marks *m = opened();

        (void)state;
        assert_int_equal(next(m, MARKS_DEVICE), 1);
        marks_close(m, true);
        m = opened();
        marks_mended(m, RECOVER_ANEW);
        assert_int_equal(next(m, MARKS_DEVICE), 2);
        marks_settled(m);
        marks_close(m, true);
}

/* Only of those that a copy may have. */
static void what_was_answered_is_known_until_a_copy_has_it_not(void **state)
{
        marks *m = opened(), *old, *older;
        int64_t id[4];
        size_t upto, rest;

        (void)state;
        for (int i = 0; i < 2; i++)
                id[i] = next(m, MARKS_ALERT);
        marks_answered(m, id, 1, &upto); /* there is no copy yet */
        marks_copying(m);
        marks_answered(m, id + 1, 1, &upto); /* the copy may have it */
        marks_copied(m, true);
        m = killed(m, &older);
        assert_false(marks_is_answered(m, id[0]));
        assert_true(marks_is_answered(m, id[1]));
        marks_copying(m);
        marks_copied(m, true);
        id[2] = next(m, MARKS_ALERT);
        id[3] = next(m, MARKS_ALERT);
        marks_copying(m);
        marks_copied(m, false); /* that was none */
        marks_answered(m, id + 2, 1, &upto);
        marks_copying(m);
        marks_answered(m, id + 2, 1, &upto);
        marks_gone(m, upto);
        marks_copied(m, true);
        marks_answered(m, id + 3, 1, &rest);
        m = killed(m, &old);
        assert_false(marks_is_answered(m, id[1])); /* the copy was made without it */
        assert_true(marks_is_answered(m, id[2]));  /* it went while the copy was made */
        assert_true(marks_is_answered(m, id[3]));
        marks_close(m, true);
        m = opened();
        assert_false(marks_is_answered(m, id[3]));
        marks_close(m, true);
        marks_close(old, true);
        marks_close(older, true);
}

/* ---- every cut ------------------------------------------------------------------------------ */

#define STEPS 600

static struct promise { /* what was true when it returned */
        int64_t given[MARKS_KINDS], answered;
        unsigned how;
} promises[STEPS];
static unsigned promised;

static void promise(disk *d, int64_t answered, unsigned how, marks_kind k, int64_t given)
{
        struct promise p = promises[promised];

        p.answered = answered;
        p.how = how;
        if (given)
                p.given[k] = given;
        assert_true(promised + 1 < STEPS);
        promises[++promised] = p;
        disk_promise(d, promised);
}

static void go_on(disk *d, marks *m)
{
        int64_t first = next(m, MARKS_ALERT);
        size_t upto;

        promise(d, 0, 0, MARKS_ALERT, first);
        for (int i = 0; i < 40; i++)
                promise(d, 0, 0, MARKS_FANOUT, next(m, MARKS_FANOUT));
        for (int i = 0; i < 300; i++)
                if (i % 20 == 0)
                        promise(d, 0, 0, MARKS_DEVICE, next(m, MARKS_DEVICE));
                else
                        (void)next(m, MARKS_DEVICE);
        marks_copying(m);
        marks_answered(m, &first, 1, &upto);
        marks_gone(m, upto);
        promise(d, first, 0, 0, 0);
        marks_copied(m, true);
        promise(d, first, 0, 0, 0);
        marks_mended(m, RECOVER_COPY);
        promise(d, first, RECOVER_COPY, MARKS_ALERT, next(m, MARKS_ALERT));
        promise(d, first, RECOVER_COPY, MARKS_DEVICE, next(m, MARKS_DEVICE));
        marks_settled(m);
        promise(d, first, 0, 0, 0);
        marks_copying(m);
        marks_copied(m, true);
        promise(d, 0, 0, 0, 0);
}

static void holds(const struct promise *p, const struct promise *after, size_t at)
{
        marks *m = opened();

        if (p->answered && p->answered == after->answered && !marks_is_answered(m, p->answered))
                fail_msg("step %zu: forgot what was answered", at);
        if (p->how && p->how == after->how && marks_how(m) != p->how)
                fail_msg("step %zu: forgot that it was mended", at);
        for (marks_kind k = 0; k < MARKS_KINDS; k++)
                if (next(m, k) <= p->given[k])
                        fail_msg("step %zu: %d gives a number twice", at, (int)k);
        marks_close(m, false);
}

static void the_power_goes_at_every_step(void **state)
{
        disk *d = disk_new();
        const fsio_ops ops = fsio_disk_ops(d);
        marks *m = NULL;

        (void)state;
        for (int i = 0; i < 2; i++) {
                assert_int_equal(marks_open(&ops, folder, true, &m, NULL), 0);
                go_on(d, m);
                marks_close(m, true);
        }
        assert_true(disk_steps(d) > 40);
        for (size_t at = 0; at <= disk_steps(d); at++)
                for (unsigned how = 0; how < DISK_LOSSES; how++) {
                        disk *after = disk_cut(d, at, (disk_loss)how, at);
                        uint64_t n = disk_promised(after, 0);
                        fsio_disk_lay(after, folder);
                        holds(&promises[n], &promises[n < promised ? n + 1 : n], at);
                        disk_free(after);
                }
        disk_free(d);
}

/* ---- whose store it is --------------------------------------------------------------------- */

static int open_store_at(const char *path, store_owner owner, store **out, recover_mended *how)
{
        char why[STORE_DIAG] = "";
        store_opt opt;
        marks *m = opened();
        int rc;

        store_opt_init(&opt);
        opt.where = path;
        opt.owner = owner;
        rc = recover_store_open(path, &opt, m, out, why, how);
        assert_true(rc == 0 || strstr(why, "name another file") || strstr(why, "newer"));
        marks_close(m, true);
        return rc;
}

static void what_is_anothers_is_left_as_it_is(void **state)
{
        static const struct row {
                const char *why;
                off_t at; /* in the file */
                const char *octets;
                store_owner owner;
        } rows[] = {
                {"of another program", 68, "ABCD", STORE_OF_GATEWAY},
                {"of a newer version", 60, "\001\001\001\001", STORE_OF_GATEWAY},
                {"a server's", 0, "", STORE_OF_SERVER},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                recover_mended how;
                char path[96], away[128];
                store *st = NULL;

                snprintf(path, sizeof path, "%s/gateway%zu.db", folder, i);
                snprintf(away, sizeof away, "%s.damaged", path);
                assert_int_equal(open_store_at(path, rows[i].owner, &st, &how), 0);
                store_close(st);
                if (rows[i].at) {
                        int fd = open(path, O_WRONLY);
                        assert_true(fd >= 0);
                        assert_int_equal(pwrite(fd, rows[i].octets, 4, rows[i].at), 4);
                        close(fd);
                }
                if (open_store_at(path, STORE_OF_GATEWAY, &st, &how) != ODM_EUNSUPPORTED)
                        fail_msg("%s: it is taken", rows[i].why);
                if (access(path, F_OK) < 0 || access(away, F_OK) == 0)
                        fail_msg("%s: it is not left as it is", rows[i].why);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(numbers_rise_whatever_happens),
                TEST(without_marks_a_mended_store_begins_far_above),
                TEST(with_marks_a_mended_store_goes_on),
                TEST(what_was_answered_is_known_until_a_copy_has_it_not),
                TEST(the_power_goes_at_every_step),
                TEST(what_is_anothers_is_left_as_it_is),
        };

        return RUN_TESTS(tests);
}
