/* SPDX-License-Identifier: Apache-2.0 */
/* Files and journals after a cut at each step that lost, kept or tore what was not synced. */
#include "fsio_disk.h"

#include <errno.h>
#include <unistd.h>

#include "heap.h"
#include "support.h"

#define RECORDS 12
#define SEEDS 20 /* ways to tear at each step */

static char folder[64], path[96];

/* ---- every cut ------------------------------------------------------------------------------ */

/* Whether the folder holds what was promised; why not. */
typedef bool (*holds_fn)(uint64_t promised, char why[300]);

/* How many of all cuts left a folder that does not hold; the first is told when `tell`. */
static unsigned cut_everywhere(disk *d, holds_fn holds, bool tell)
{
        char why[300];
        unsigned bad = 0;

        for (size_t at = 0; at <= disk_steps(d); at++)
                for (uint64_t i = 0; i < DISK_TEARS + SEEDS; i++) {
                        disk_loss how = i < DISK_TEARS ? (disk_loss)i : DISK_TEARS;
                        disk *after = disk_cut(d, at, how, i * 1000 + at);
                        fsio_disk_lay(after, folder);
                        if (!holds(disk_promised(after, 0), why) && bad++ == 0 && tell)
                                print_error("cut after step %zu of %zu, which %s (%u): %s\n", at,
                                            disk_steps(d), disk_loss_name(how), (unsigned)i, why);
                        disk_free(after);
                }
        return bad;
}

static int lie(void *ctx, int fd)
{
        (void)ctx;
        (void)fd;
        return 0;
}

/* ---- files ------------------------------------------------------------------------------ */

static bool file_holds(uint64_t promised, char why[300])
{
        unsigned n = 0;
        bool ok = true;
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 65536);
        int rc = fsio_read(path, 65536, &b, NULL);
        if (rc == 0) {
                for (n = 1; n <= 4; n++)
                        if (b.n == n * 700 && b.p[0] == (char)('a' + n) &&
                            memcmp(b.p, b.p + 1, b.n - 1) == 0)
                                break;
                ok = n <= 4;
        }
        if (n < promised || (rc < 0 && rc != ODM_ENOENT))
                ok = false;
        (void)snprintf(why, 300, "version %u after %u were promised (5: nobody wrote it)", n,
                       (unsigned)promised);
        odm_buf_done(&b);
        return ok;
}

static disk *write_files(bool lies)
{
        disk *d = disk_new();
        fsio_ops ops = fsio_disk_ops(d);
        char text[4 * 700];

        if (lies)
                ops.fsync = lie;
        for (unsigned i = 1; i <= 4; i++) {
                memset(text, (int)('a' + i), sizeof text);
                assert_int_equal(fsio_write(&ops, path, (odm_str){text, i * 700}, 0600, NULL), 0);
                disk_promise(d, i);
        }
        return d;
}

static void a_file_is_the_old_or_the_new_one(void **state)
{
        disk *d = write_files(false);

        (void)state;
        assert_true(disk_steps(d) >= 16);
        assert_int_equal(cut_everywhere(d, file_holds, true), 0);
        disk_free(d);
}

/* ---- journals --------------------------------------------------------------------------- */

/* Record i is 90 * i octets of 'A' + i; a snapshot stands for all before and says how many. */
static odm_str record(unsigned i, char out[90 * RECORDS])
{
        memset(out, (int)('A' + i), 90 * i);
        return (odm_str){out, 90 * i};
}

static int count_records(void *ctx, odm_str r)
{
        unsigned *n = ctx;
        char text[90 * RECORDS];

        if (r.n == 2 && r.p[0] == '=') {
                *n = (unsigned)(r.p[1] - '0');
                return 0;
        }
        return odm_str_eq(r, record(++*n, text)) ? 0 : ODM_EMALFORMED;
}

static bool journal_holds(uint64_t promised, char why[300])
{
        fsio_journal *j = NULL;
        unsigned n = 0, again = 0;
        char text[90 * RECORDS];
        diag d = {{0}};
        fsio_ops quick = fsio_real;
        int rc;

        quick.fsync = lie; /* no cut comes any more */
        rc = fsio_journal_open(&quick, path, count_records, &n, &j, &d);

        (void)snprintf(why, 300, "%s, %u records after %u were promised: %.200s", odm_err_name(rc),
                       n, (unsigned)promised, d.text);
        if (rc < 0)
                return false;
        /* it goes on, and what was cut off does not come back */
        assert_int_equal(fsio_journal_append(j, record(n + 1, text)), 0);
        assert_int_equal(fsio_journal_sync(j), 0);
        fsio_journal_close(j);
        assert_int_equal(fsio_journal_open(&quick, path, count_records, &again, &j, NULL), 0);
        assert_int_equal(again, n + 1);
        fsio_journal_close(j);
        return n >= promised;
}

static disk *write_journal(bool lies)
{
        disk *d = disk_new();
        fsio_ops ops = fsio_disk_ops(d);
        fsio_journal *j = NULL;
        unsigned n = 0;
        char text[90 * RECORDS];

        if (lies)
                ops.fsync = lie;
        assert_int_equal(fsio_journal_open(&ops, path, count_records, &n, &j, NULL), 0);
        for (unsigned i = 1; i < RECORDS - 2; i++) {
                assert_int_equal(fsio_journal_append(j, record(i, text)), 0);
                if (i % 3 == 0)
                        continue; /* two records in one sync */
                assert_int_equal(fsio_journal_sync(j), 0);
                disk_promise(d, i);
                if (i != 4 && i != 7)
                        continue;
                const char snapshot[2] = {'=', (char)('0' + i)};
                assert_int_equal(fsio_journal_compact(j, (odm_str){snapshot, 2}), 0);
        }
        fsio_journal_close(j);
        return d;
}

static void a_journal_keeps_what_was_synced(void **state)
{
        disk *d = write_journal(false);

        (void)state;
        assert_int_equal(cut_everywhere(d, journal_holds, true), 0);
        disk_free(d);
}

/* A test that no fault could fail would prove nothing. */
static void a_disk_that_lies_is_caught(void **state)
{
        disk *d = write_files(true);

        (void)state;
        assert_true(cut_everywhere(d, file_holds, false) > 0);
        disk_free(d);
        (void)unlink(path);
        d = write_journal(true);
        assert_true(cut_everywhere(d, journal_holds, false) > 0);
        disk_free(d);
}

/* ---- killed, begun anew, and then the cut ---------------------------------------------------- */

/* Operations of a process that is killed: after so many nothing happens any more. */
typedef struct killed {
        fsio_ops real;
        unsigned left;
} killed;

static bool is_dead(killed *k)
{
        errno = EIO;
        return k->left == 0 || k->left-- == 0;
}

static ssize_t killed_write(void *ctx, int fd, const void *p, size_t n)
{
        killed *k = ctx;

        return is_dead(k) ? -1 : k->real.write(k->real.ctx, fd, p, n);
}

static int killed_fsync(void *ctx, int fd)
{
        killed *k = ctx;

        return is_dead(k) ? -1 : k->real.fsync(k->real.ctx, fd);
}

static int killed_rename(void *ctx, const char *from, const char *to)
{
        killed *k = ctx;

        return is_dead(k) ? -1 : k->real.rename(k->real.ctx, from, to);
}

static int killed_truncate(void *ctx, int fd, off_t n)
{
        killed *k = ctx;

        return is_dead(k) ? -1 : k->real.ftruncate(k->real.ctx, fd, n);
}

/* Some records, two compactions among them; whether that came to an end. */
static bool live(killed *k)
{
        const fsio_ops ops = {killed_write, killed_fsync, killed_rename, killed_truncate, k};
        fsio_journal *j = NULL;
        unsigned n = 0;
        char text[90 * RECORDS];
        int rc = fsio_journal_open(&ops, path, count_records, &n, &j, NULL);

        for (unsigned i = 1; rc == 0 && i < RECORDS - 4; i++) {
                rc = fsio_journal_append(j, record(i, text));
                if (rc == 0 && i != 2)
                        rc = fsio_journal_sync(j);
                const char snapshot[2] = {'=', (char)('0' + i)};
                if (rc == 0 && (i == 3 || i == 6))
                        rc = fsio_journal_compact(j, (odm_str){snapshot, 2});
        }
        fsio_journal_close(j);
        return rc == 0;
}

/* Whoever reads a record acts by it, and whoever syncs may tell others. */
static void what_was_read_after_a_kill_outlives_a_cut(void **state)
{
        bool over = false;
        char why[300];

        (void)state;
        for (unsigned at = 0; !over; at++)
                for (unsigned more = 0; more <= 1; more++) {
                        disk *d = disk_new();
                        killed k = {.real = fsio_disk_ops(d), .left = at};
                        fsio_journal *j = NULL;
                        unsigned n = 0;
                        char text[90 * RECORDS];

                        over = live(&k);
                        assert_int_equal(
                                fsio_journal_open(&k.real, path, count_records, &n, &j, NULL), 0);
                        if (more)
                                assert_int_equal(fsio_journal_append(j, record(n + 1, text)), 0);
                        assert_int_equal(fsio_journal_sync(j), 0);
                        fsio_journal_close(j);
                        for (uint64_t i = 0; i < DISK_TEARS + SEEDS; i++) {
                                disk_loss how = i < DISK_TEARS ? (disk_loss)i : DISK_TEARS;
                                disk *after = disk_cut(d, disk_steps(d), how, i);
                                fsio_disk_lay(after, folder);
                                if (!journal_holds(n + more, why))
                                        fail_msg("killed after %u, cut which %s: %s", at,
                                                 disk_loss_name(how), why);
                                disk_free(after);
                        }
                        disk_free(d);
                        (void)unlink(path);
                }
}

/* ---- main ---------------------------------------------------------------------------------- */

static int set_up(void **state)
{
        (void)state;
        (void)snprintf(folder, sizeof folder, "/tmp/fsio_disk_test.XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        (void)snprintf(path, sizeof path, "%s/f", folder);
        return 0;
}

static int tear_down(void **state)
{
        disk *nothing = disk_new();

        (void)state;
        fsio_disk_lay(nothing, folder);
        disk_free(nothing);
        return rmdir(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_file_is_the_old_or_the_new_one, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_journal_keeps_what_was_synced, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_disk_that_lies_is_caught, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_was_read_after_a_kill_outlives_a_cut, set_up,
                                                tear_down),
        };

        return RUN_TESTS(tests);
}
