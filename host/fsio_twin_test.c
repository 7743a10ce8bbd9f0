/* SPDX-License-Identifier: Apache-2.0 */
/* Journals with a copy: every octet of either damaged in turn, tails cut, compactions cut short. */
#include "fsio_twin.h"

#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "support.h"

static char dir[64], path[96], copy[96], aside[96];

static int set_up(void **state)
{
        (void)state;
        snprintf(dir, sizeof dir, "/tmp/twin_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/journal", dir);
        snprintf(copy, sizeof copy, "%s/copy", dir);
        snprintf(aside, sizeof aside, "%s/journal.damaged", dir);
        return 0;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -rf %s", dir);
        return system(command);
}

/* The order of things is what counts here; waiting for the disk is not. */
static ssize_t quick_write(void *ctx, int fd, const void *p, size_t n)
{
        (void)ctx;
        return write(fd, p, n);
}

static int quick_fsync(void *ctx, int fd)
{
        (void)ctx;
        (void)fd;
        return 0;
}

static int quick_rename(void *ctx, const char *from, const char *to)
{
        (void)ctx;
        return rename(from, to);
}

static int quick_truncate(void *ctx, int fd, off_t n)
{
        (void)ctx;
        return ftruncate(fd, n);
}

static const fsio_ops quick = {quick_write, quick_fsync, quick_rename, quick_truncate, NULL};

static int see(void *ctx, odm_str r)
{
        return odm_buf_fmt(ctx, "%.*s|", (int)r.n, r.p);
}

static odm_str content(const char *file)
{
        odm_buf b;
        odm_str s;

        odm_buf_init(&b, &heap_mem, 65536);
        if (fsio_read(file, 65536, &b, NULL) < 0)
                return ODM_ABSENT;
        s = exact_bytes(b.p, b.n);
        odm_buf_done(&b);
        return s;
}

static void put(const char *file, odm_str s)
{
        if (s.p)
                assert_int_equal(fsio_write(&quick, file, s, 0600, NULL), 0);
        else
                (void)unlink(file);
}

/* A journal of records, the first one a compaction. */
static odm_str journal_of(const char *const *records, size_t n)
{
        fsio_journal *j = NULL;
        odm_buf none;

        odm_buf_init(&none, &heap_mem, 4096);
        (void)unlink(path);
        assert_int_equal(fsio_journal_open(&quick, path, see, &none, &j, NULL), 0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(i ? fsio_journal_append(j, odm_cstr(records[i]))
                                   : fsio_journal_compact(j, odm_cstr(records[i])),
                                 0);
        fsio_journal_close(j);
        odm_buf_done(&none);
        return content(path);
}

/* What is in it once it was mended and opened. */
static const char *healed(const char *why, fsio_healed *out)
{
        static char text[512];
        fsio_journal *j = NULL;
        odm_buf b;
        diag d = {{0}};

        *out = (fsio_healed){0};
        if (fsio_twin_heal(&quick, path, copy, out, &d) < 0)
                fail_msg("%s: %s", why, d.text);
        odm_buf_init(&b, &heap_mem, sizeof text - 1);
        if (fsio_journal_open(&quick, path, see, &b, &j, &d) < 0)
                fail_msg("%s: %s", why, d.text);
        fsio_journal_close(j);
        snprintf(text, sizeof text, "%.*s", (int)b.n, b.p ? b.p : "");
        odm_buf_done(&b);
        return text;
}

static const char *const usual[] = {"snapshot", "one", "", "three"};
static const char all[] = "snapshot|one||three|";

static void any_octet_of_either_may_be_damaged(void **state)
{
        static const unsigned char flips[] = {1, 0x80, 0xff};
        odm_str good = journal_of(usual, ODM_COUNT(usual));
        char why[64];

        (void)state;
        for (int which = 0; which < 2; which++)
                for (size_t at = 0; at < good.n; at++)
                        for (size_t k = 0; k < ODM_COUNT(flips); k++) {
                                odm_str bad = exact_bytes(good.p, good.n);
                                fsio_healed h;
                                ((char *)bad.p)[at] ^= (char)flips[k];
                                put(path, which ? good : bad);
                                put(copy, which ? bad : good);
                                snprintf(why, sizeof why, "%s, octet %zu", which ? "copy" : "it",
                                         at);
                                const char *got = healed(why, &h);
                                if (strcmp(got, all) != 0)
                                        fail_msg("%s: '%s'", why, got);
                                if (which ? h.records || h.head || h.lost
                                          : h.records + h.head != 1 || h.copy || h.lost)
                                        fail_msg("%s: %u records, head %d, copy %d, lost %d", why,
                                                 h.records, h.head, h.copy, h.lost);
                                if (which && at < good.n - 11 && !h.copy)
                                        fail_msg("%s: not seen", why);
                                odm_str after = content(path);
                                assert_octets(after, good);
                                exact_free(after);
                                after = content(aside);
                                if (!which)
                                        assert_octets(after, bad);
                                if (after.p)
                                        exact_free(after);
                                (void)unlink(aside);
                                exact_free(bad);
                        }
        exact_free(good);
}

/* A cut leaves a short tail in either or both: that is no damage, and nothing is told. */
static void any_tail_may_be_cut(void **state)
{
        static const char *const prefixes[] = {"", "snapshot|", "snapshot|one|", "snapshot|one||",
                                               all};
        odm_str good = journal_of(usual, ODM_COUNT(usual));

        (void)state;
        for (size_t a = 0; a <= good.n; a++)
                for (size_t b = a % 3; b <= good.n; b += 3) {
                        fsio_healed h;
                        size_t found = 9, most = 9;
                        put(path, odm_str_to(good, a));
                        put(copy, odm_str_to(good, b));
                        const char *got = healed("a cut", &h);
                        for (size_t i = 0; i < ODM_COUNT(prefixes); i++)
                                if (strcmp(got, prefixes[i]) == 0)
                                        found = i;
                        put(path, odm_str_to(good, a > b ? a : b));
                        put(copy, ODM_ABSENT);
                        fsio_healed none;
                        got = healed("the longer one", &none);
                        for (size_t i = 0; i < ODM_COUNT(prefixes); i++)
                                if (strcmp(got, prefixes[i]) == 0)
                                        most = i;
                        if (found != most && a >= FSIO_JOURNAL_HEAD)
                                fail_msg("cut at %zu and %zu: %zu records, not %zu", a, b, found,
                                         most);
                        if (h.records || h.copy || h.lost || (h.head && a >= FSIO_JOURNAL_HEAD))
                                fail_msg("cut at %zu and %zu: taken for damage", a, b);
                        (void)unlink(aside);
                }
        exact_free(good);
}

static void both_may_be_damaged_in_different_places(void **state)
{
        odm_str good = journal_of(usual, ODM_COUNT(usual));
        fsio_healed h;

        (void)state;
        for (size_t at = 8; at < good.n; at++) {
                odm_str a = exact_bytes(good.p, good.n), b = exact_bytes(good.p, good.n);
                size_t other = at < 30 ? good.n - 2 : 10; /* in another record */
                ((char *)a.p)[at] ^= 1;
                ((char *)b.p)[other] ^= 1;
                put(path, a);
                put(copy, b);
                assert_string_equal(healed("both", &h), all);
                assert_true(h.records == 1 && !h.lost);
                exact_free(a);
                exact_free(b);
        }
        ((char *)good.p)[33] ^= 1; /* in "one", in both */
        put(path, good);
        put(copy, good);
        assert_string_equal(healed("the same record", &h), "snapshot|");
        assert_true(h.lost);
        exact_free(good);
}

/* The journal was compacted and the copy was not, or the other way about when it stays behind. */
static void a_copy_of_before_the_compaction(void **state)
{
        static const struct {
                const char *why;
                const char *now[2], *before[3];
                size_t n, m;
                int damage; /* an octet of the journal, or -1 */
                const char *want;
                unsigned told;
        } rows[] = {
                {"it is left alone", {"new"}, {"old", "r"}, 1, 2, -1, "new|", 0},
                {"of the same length", {"newer"}, {"older", "r"}, 1, 2, -1, "newer|", 0},
                {"it stands for the same", {"newer"}, {"older", "r"}, 1, 2, 17, "older|r|", 1},
                {"and so when it is shorter", {"new"}, {"oldest", "r"}, 1, 2, 9, "oldest|r|", 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str before = journal_of(rows[i].before, rows[i].m);
                odm_str now = journal_of(rows[i].now, rows[i].n);
                fsio_healed h;
                if (rows[i].damage >= 0)
                        ((char *)now.p)[rows[i].damage] ^= 1;
                put(path, now);
                put(copy, before);
                const char *got = healed(rows[i].why, &h);
                if (strcmp(got, rows[i].want) != 0)
                        fail_msg("%s: '%s'", rows[i].why, got);
                if (h.records != rows[i].told || h.head || h.lost)
                        fail_msg("%s: %u records, lost %d", rows[i].why, h.records, h.lost);
                exact_free(before);
                exact_free(now);
        }
}

static void what_is_no_journal_is_left_alone(void **state)
{
        diag d = {{0}};
        const odm_str other = ODM_STR("[agent]\nid = 7\n");
        odm_str good = journal_of(usual, ODM_COUNT(usual)), got;
        fsio_healed h = {0};

        (void)state;
        put(path, other);
        assert_int_equal(fsio_twin_heal(&quick, path, copy, &h, &d), 0); /* no copy */
        assert_string_equal(d.text, "");
        put(copy, other);
        assert_int_equal(fsio_twin_heal(&quick, path, copy, &h, NULL), 0);
        got = content(path);
        assert_octets(got, other);
        exact_free(got);
        put(path, ODM_ABSENT);
        put(copy, good);
        assert_int_equal(fsio_twin_heal(&quick, path, copy, &h, NULL), 0);
        assert_int_equal(access(path, F_OK), -1); /* it was moved away */
        assert_true(!h.records && !h.head && !h.lost && !h.copy);
        exact_free(good);
}

static void copies_are_made_once(void **state)
{
        odm_str good = journal_of(usual, ODM_COUNT(usual)), got;
        struct stat one, two;

        (void)state;
        assert_int_equal(fsio_twin_copy(&quick, path, copy, NULL), 0);
        got = content(copy);
        assert_octets(got, good);
        exact_free(got);
        assert_int_equal(stat(copy, &one), 0);
        assert_int_equal(one.st_mode & 0777, 0600); /* secrets are in it */
        assert_int_equal(fsio_twin_copy(&quick, path, copy, NULL), 0);
        assert_int_equal(stat(copy, &two), 0);
        assert_int_equal(one.st_ino, two.st_ino);
        put(path, ODM_ABSENT);
        assert_int_equal(fsio_twin_copy(&quick, path, copy, NULL), ODM_EIO);
        exact_free(good);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(any_octet_of_either_may_be_damaged),      T(any_tail_may_be_cut),
                T(both_may_be_damaged_in_different_places), T(a_copy_of_before_the_compaction),
                T(what_is_no_journal_is_left_alone),        T(copies_are_made_once),
        };

        return RUN_TESTS(tests);
}
