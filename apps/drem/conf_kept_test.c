/* SPDX-License-Identifier: Apache-2.0 */
/* conf_kept_test.c - what a start makes of a configuration that is not what it was. */
#include "conf_kept.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"

/* ---- the rule ------------------------------------------------------------------------ */

static void a_start_makes_of_it(void **arg)
{
        static const struct {
                const char *why;
                conf_facts f;
                conf_was want;
        } rows[] = {
                {"the first one", {.there = true, .good = true}, CONF_FIRST},
                {"a bad one, and no copy", {.there = true}, CONF_UNREADABLE},
                {"none at all", {0}, CONF_UNREADABLE},
                {"as it was",
                 {.there = true,
                  .good = true,
                  .kept = true,
                  .kept_whole = true,
                  .kept_good = true,
                  .same = true,
                  .untouched = true},
                 CONF_SAME},
                {"as it was, which this version does not take",
                 {.there = true, .kept = true, .kept_whole = true, .same = true},
                 CONF_UNREADABLE},
                {"an edit",
                 {.there = true, .good = true, .kept = true, .kept_whole = true, .kept_good = true},
                 CONF_EDITED},
                {"an edit that has to be accepted",
                 {.there = true,
                  .good = true,
                  .kept = true,
                  .kept_whole = true,
                  .kept_good = true,
                  .refuse = true},
                 CONF_REFUSED},
                {"an edit that cannot be read",
                 {.there = true, .kept = true, .kept_whole = true, .kept_good = true},
                 CONF_DAMAGED},
                {"octets that nobody wrote",
                 {.there = true,
                  .good = true,
                  .kept = true,
                  .kept_whole = true,
                  .kept_good = true,
                  .untouched = true},
                 CONF_DAMAGED},
                {"nothing is left of it",
                 {.there = true,
                  .good = true,
                  .empty = true,
                  .kept = true,
                  .kept_whole = true,
                  .kept_good = true},
                 CONF_DAMAGED},
                {"it is gone", {.kept = true, .kept_whole = true, .kept_good = true}, CONF_DAMAGED},
                {"the copy is damaged",
                 {.there = true, .good = true, .kept = true},
                 CONF_COPY_LOST},
                {"both are", {.there = true, .kept = true}, CONF_UNREADABLE},
                {"the copy is of a version that took what this one does not",
                 {.there = true, .good = true, .kept = true, .kept_whole = true},
                 CONF_EDITED},
                {"neither is taken",
                 {.there = true, .kept = true, .kept_whole = true},
                 CONF_UNREADABLE},
        };

        (void)arg;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (conf_judge(&rows[i].f) != rows[i].want)
                        fail_msg("%s: %d", rows[i].why, (int)conf_judge(&rows[i].f));
}

/* ---- with files -------------------------------------------------------------------------- */

static const char *const edited[] = {"use", "refuse", NULL};
static const cfg_key keys[] = {
        {"agent.state", CFG_PATH, "/nowhere/at/all", ""},
        {"agent.word", CFG_STRING, "none", ""},
        {"integrity.edited", CFG_ENUM, "use", "", .choices = edited},
};

static char folder[64], file[96], copy[96];
static cli_list set;

static int check(const cfg *c, diag *d)
{
        return strcmp(cfg_str(c, "agent.word"), "bad") == 0 ? diag_set(d, ODM_EINVAL, "a bad word")
                                                            : 0;
}

static void put(const char *path, const char *text)
{
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0600, NULL), 0);
}

static void write_conf(const char *rest)
{
        char text[512];

        (void)snprintf(text, sizeof text, "[agent]\nstate = %s\n%s", folder, rest);
        put(file, text);
}

static void flip(const char *path, off_t at)
{
        char c = 0;
        int fd = open(path, O_RDWR);

        assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
        c ^= 1;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        close(fd);
}

/* What a start finds, with the word in use; kept as a start does. */
static conf_was start(char word[32])
{
        const conf_source s = {
                .keys = keys, .n_keys = ODM_COUNT(keys), .set = &set, .file = file, .check = check};
        conf_kept k;
        cfg *c = NULL;
        diag d = {{0}};
        int rc = conf_kept_open(&s, &k, &c, &d);

        word[0] = 0;
        if (rc < 0) {
                assert_int_equal(k.was, CONF_UNREADABLE);
                assert_null(c);
                return k.was;
        }
        (void)snprintf(word, 32, "%s", cfg_str(c, "agent.word"));
        if (k.was == CONF_FIRST || k.was == CONF_EDITED || k.was == CONF_COPY_LOST)
                assert_int_equal(conf_kept_write(&s, c, &d), 0);
        assert_int_equal(k.why[0] != 0, k.was == CONF_DAMAGED);
        cfg_free(c);
        return k.was;
}

static void expect(const char *why, conf_was want, const char *want_word)
{
        char word[32];
        conf_was was = start(word);

        if (was != want || strcmp(word, want_word) != 0)
                fail_msg("%s: %d, word '%s'", why, (int)was, word);
}

static int setup(void **arg)
{
        (void)arg;
        set = (cli_list){.n = 0};
        (void)snprintf(folder, sizeof folder, "/tmp/odm-kept-XXXXXX");
        assert_non_null(mkdtemp(folder));
        (void)snprintf(file, sizeof file, "%s/x.conf", folder);
        (void)snprintf(copy, sizeof copy, "%s/conf.kept", folder);
        return 0;
}

static int teardown(void **arg)
{
        (void)arg;
        (void)unlink(file);
        (void)unlink(copy);
        return rmdir(folder);
}

static void edits_are_taken_and_damage_is_not(void **arg)
{
        struct stat st;
        char given[96];

        (void)arg;
        expect("nothing", CONF_UNREADABLE, "");
        write_conf("word = one\n");
        expect("first", CONF_FIRST, "one");
        assert_int_equal(stat(copy, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        expect("as it was", CONF_SAME, "one");
        write_conf("word = two\n");
        expect("edited", CONF_EDITED, "two");
        expect("once", CONF_SAME, "two");
        write_conf("word = bad\n");
        expect("a bad value", CONF_DAMAGED, "two");
        write_conf("wo");
        expect("cut off", CONF_DAMAGED, "two");
        expect("and it stays so", CONF_DAMAGED, "two");
        (void)snprintf(given, sizeof given, "agent.state=%s", folder);
        set = (cli_list){.at = {given}, .n = 1};
        put(file, "");
        expect("empty", CONF_DAMAGED, "two");
        assert_int_equal(unlink(file), 0);
        expect("gone", CONF_DAMAGED, "two");
}

/* The line that tells where the copy is has to be there still, or the default. */
static void a_copy_is_found_by_its_line(void **arg)
{
        struct stat st;

        (void)arg;
        write_conf("word = one\n");
        expect("first", CONF_FIRST, "one");
        write_conf("[nonsense]\n");
        expect("the line is there", CONF_DAMAGED, "one");
        assert_int_equal(stat(copy, &st), 0);
        flip(copy, st.st_size - 3);
        expect("both are damaged", CONF_UNREADABLE, "");
        write_conf("word = three\n");
        expect("the copy is", CONF_COPY_LOST, "three");
        expect("it is made anew", CONF_SAME, "three");
        put(copy, "");
        expect("nothing is left of it", CONF_COPY_LOST, "three");
}

static void an_edit_may_have_to_be_accepted(void **arg)
{
        const conf_source s = {
                .keys = keys, .n_keys = ODM_COUNT(keys), .set = &set, .file = file, .check = check};
        char text[256];
        conf_kept k;
        cfg *c = NULL;
        diag d = {{0}};

        (void)arg;
        write_conf("word = one\n[integrity]\nedited = refuse\n");
        expect("first", CONF_FIRST, "one");
        write_conf("word = two\n");
        expect("not accepted", CONF_REFUSED, "one");
        expect("still not", CONF_REFUSED, "one");
        assert_int_equal(conf_kept_open(&s, &k, &c, &d), 0);
        assert_int_equal(conf_kept_write(&s, c, &d), 0);
        cfg_free(c);
        expect("accepted", CONF_SAME, "two");
        (void)snprintf(text, sizeof text, "[agent]\nstate = %s\nword = bad\n", folder);
        put(file, text);
        assert_int_equal(conf_kept_open(&s, &k, &c, &d), 0);
        assert_true(conf_kept_write(&s, c, &d) < 0); /* what cannot be read is not kept */
        cfg_free(c);
        expect("never", CONF_DAMAGED, "two");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_start_makes_of_it),
                TEST(edits_are_taken_and_damage_is_not),
                TEST(a_copy_is_found_by_its_line),
                TEST(an_edit_may_have_to_be_accepted),
        };
        return RUN_TESTS(tests);
}
