/* SPDX-License-Identifier: Apache-2.0 */
/* Installing, trying, confirming, falling back; and the power cut at each step of all that. */
#include "slots.h"

#include <unistd.h>

#include "fsio_disk.h"
#include "heap.h"
#include "support.h"

static char folder[64], image[64];

static int set_up(void **state)
{
        (void)state;
        snprintf(folder, sizeof folder, "/tmp/slots_test.XXXXXX");
        snprintf(image, sizeof image, "/tmp/slots_image.XXXXXX");
        assert_non_null(mkdtemp(folder));
        int fd = mkstemp(image);
        assert_true(fd >= 0);
        close(fd);
        return 0;
}

static int tear_down(void **state)
{
        char command[160];

        (void)state;
        snprintf(command, sizeof command, "rm -rf %s %s", folder, image);
        return system(command);
}

/* An image is its version, many times over. */
static void make_image(const char *version)
{
        FILE *f = fopen(image, "w");

        assert_non_null(f);
        for (int i = 0; i < 500; i++)
                fprintf(f, "%s\n", version);
        fclose(f);
}

static bool is_image(const char *path, const char *version)
{
        size_t n = strlen(version) + 1;
        odm_buf b;
        bool ok;

        odm_buf_init(&b, &heap_mem, 65536);
        ok = fsio_read(path, 65536, &b, NULL) == 0 && b.n == 500 * n;
        for (size_t i = 0; ok && i < 500; i++)
                ok = memcmp(b.p + i * n, version, n - 1) == 0;
        odm_buf_done(&b);
        return ok;
}

static void install(slots *s, const char *version)
{
        make_image(version);
        assert_int_equal(slots_install(s, image, version, version, NULL), 0);
}

/* What the marker says and what it points at, as one text. */
static void expect(const slots *s, const char *why, slots_state state, const char *version)
{
        char path[300];

        slots_path(s, true, path);
        if (s->state != state || strcmp(s->version, version) != 0 ||
            (version[0] && !is_image(path, version)))
                fail_msg("%s: state %d, version '%s'", why, (int)s->state, s->version);
}

static void again(slots *s, const fsio_ops *ops)
{
        assert_int_equal(slots_open(s, ops, folder, NULL), 0);
        assert_int_equal(slots_start(s, NULL), 0);
}

static void images_come_and_stay(void **state)
{
        slots s;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        expect(&s, "nothing yet", SLOTS_EMPTY, "");
        install(&s, "1.0");
        expect(&s, "installed", SLOTS_TRIAL, "1.0");
        again(&s, NULL);
        expect(&s, "started", SLOTS_TRIAL, "1.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        again(&s, NULL);
        expect(&s, "confirmed", SLOTS_GOOD, "1.0");
        install(&s, "2.0");
        assert_int_equal(slots_install(&s, image, "3.0", "", NULL), ODM_ESTATE);
        again(&s, NULL);
        assert_int_equal(slots_confirm(&s, NULL), 0);
        expect(&s, "the second", SLOTS_GOOD, "2.0");
        assert_string_equal(s.other_version, "1.0");
}

static void what_never_works_is_left(void **state)
{
        slots s;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        install(&s, "1.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        install(&s, "2.0");
        for (int i = 0; i < SLOTS_STARTS; i++) {
                again(&s, NULL);
                expect(&s, "tried", SLOTS_TRIAL, "2.0");
        }
        again(&s, NULL);
        expect(&s, "left", SLOTS_FELL_BACK, "1.0");
        assert_string_equal(s.reason, "2.0 was started 3 times and never confirmed");
        again(&s, NULL);
        expect(&s, "known until somebody heard it", SLOTS_FELL_BACK, "1.0");
        assert_int_equal(slots_heard(&s, NULL), 0);
        again(&s, NULL);
        expect(&s, "heard", SLOTS_GOOD, "1.0");
        install(&s, "3.0");
        assert_int_equal(slots_refuse(&s, "its self-test\nfailed", NULL), 0);
        expect(&s, "refused at once", SLOTS_FELL_BACK, "1.0");
        assert_string_equal(s.reason, "its self-test failed");
}

static void the_first_one_may_fail_too(void **state)
{
        slots s;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        install(&s, "1.0");
        assert_int_equal(slots_refuse(&s, "no", NULL), 0);
        expect(&s, "nothing to go back to", SLOTS_FELL_BACK, "");
        assert_int_equal(slots_heard(&s, NULL), 0);
        expect(&s, "empty again", SLOTS_EMPTY, "");
}

static void moves_without_a_trial_do_nothing(void **state)
{
        slots s;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        assert_int_equal(slots_confirm(&s, NULL), 0);
        assert_int_equal(slots_refuse(&s, "no", NULL), 0);
        assert_int_equal(slots_start(&s, NULL), 0);
        assert_int_equal(slots_heard(&s, NULL), 0);
        expect(&s, "as it was", SLOTS_EMPTY, "");
}

/* The hash stands for itself here: slots keep it, who looks is firmware. */
static void a_damaged_image_is_left_but_not_for_ever(void **state)
{
        slots s;
        diag d;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        install(&s, "1.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        install(&s, "2.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        assert_string_equal(s.hash, "2.0");
        assert_string_equal(s.other_hash, "1.0");
        assert_int_equal(slots_damaged(&s, "2.0 is damaged", NULL), 0);
        again(&s, NULL);
        expect(&s, "left", SLOTS_FELL_BACK, "1.0");
        assert_string_equal(s.reason, "2.0 is damaged");
        assert_string_equal(s.hash, "1.0");
        assert_string_equal(s.other_hash, "2.0");
        assert_int_equal(slots_damaged(&s, "1.0 is damaged", NULL), 0);
        assert_int_equal(slots_damaged(&s, "2.0 is damaged", NULL), 0);
        again(&s, NULL);
        assert_int_equal(slots_damaged(&s, "1.0 is damaged", &d), ODM_ELIMIT);
        expect(&s, "enough", SLOTS_FELL_BACK, "1.0");
        assert_int_equal(slots_sound(&s, NULL), 0);
        again(&s, NULL);
        assert_int_equal(slots_damaged(&s, "1.0 is damaged", NULL), 0);
        expect(&s, "it was whole for once", SLOTS_FELL_BACK, "2.0");
}

static void what_was_refused_is_nothing_to_go_back_to(void **state)
{
        slots s;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        install(&s, "1.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        install(&s, "2.0");
        assert_int_equal(slots_refuse(&s, "no", NULL), 0);
        again(&s, NULL);
        assert_string_equal(s.hash, "1.0");
        assert_string_equal(s.other_hash, "");
}

static void a_marker_without_hashes_is_read(void **state)
{
        char path[96];
        slots s;

        (void)state;
        snprintf(path, sizeof path, "%s/marker", folder);
        assert_int_equal(
                fsio_write(NULL, path,
                           ODM_STR("state=good\nslot=b\nstarts=0\nversion=1\nother-version=\n"
                                   "reason=\n"),
                           0644, NULL),
                0);
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        assert_true(s.state == SLOTS_GOOD && s.in_use == 'b' && !s.hash[0] && !s.other_hash[0]);
}

static void bad_input_changes_nothing(void **state)
{
        static const char *const markers[] = {
                "",
                "junk\n",
                "state=good\n",
                "state=better\nslot=a\nstarts=0\nversion=\nother-version=\nreason=\n",
                "state=good\nslot=c\nstarts=0\nversion=\nother-version=\nreason=\n",
                "state=good\nslot=a\nstarts=-1\nversion=\nother-version=\nreason=\n",
                "state=good\nslot=a\nstarts=0\nversion=\nother-version=\nreason=",
        };
        char path[96], text[128];
        slots s;
        diag d;

        (void)state;
        assert_int_equal(slots_open(&s, NULL, folder, NULL), 0);
        install(&s, "1.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        assert_int_equal(slots_install(&s, "/nonexistent", "2", "", &d), ODM_EIO);
        assert_int_equal(slots_install(&s, "/dev/null", "2", "", &d), ODM_EIO);
        assert_non_null(strstr(d.text, "/dev/null"));
        again(&s, NULL);
        expect(&s, "as it was", SLOTS_GOOD, "1.0");
        snprintf(path, sizeof path, "%s/marker", folder);
        for (size_t i = 0; i < ODM_COUNT(markers); i++) {
                assert_int_equal(fsio_write(NULL, path, odm_cstr(markers[i]), 0644, NULL), 0);
                assert_int_equal(slots_open(&s, NULL, folder, &d), ODM_EMALFORMED);
                snprintf(text, sizeof text, "%s: damaged", path);
                assert_non_null(strstr(d.text, text));
        }
}

/* ---- power cuts ------------------------------------------------------------------------- */

/* Two images, the second one left after its trial; each promise says what must be known from then
 * on. */
static void a_life(const fsio_ops *ops, disk *d)
{
        slots s;
        uint64_t n = 0;

        assert_int_equal(slots_open(&s, ops, folder, NULL), 0);
        install(&s, "1.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        disk_promise(d, ++n); /* 1.0 is good */
        install(&s, "2.0");
        disk_promise(d, ++n); /* 2.0 is on trial */
        assert_int_equal(slots_start(&s, NULL), 0);
        assert_int_equal(slots_refuse(&s, "no good", NULL), 0);
        disk_promise(d, ++n); /* 1.0 again, and why */
        assert_int_equal(slots_heard(&s, NULL), 0);
        install(&s, "3.0");
        assert_int_equal(slots_confirm(&s, NULL), 0);
        disk_promise(d, ++n); /* 3.0 is good */
}

static bool holds(uint64_t promised)
{
        static const char *const least[] = {"", "1.0", "2.0", "1.0", "3.0"};
        char path[300];
        slots s;

        if (slots_open(&s, NULL, folder, NULL) < 0)
                return false;
        slots_path(&s, true, path);
        if (s.version[0] && !is_image(path, s.version))
                return false;
        if (promised == 4 || promised == 0) /* between two promises it is the one or the other */
                return promised == 0 || strcmp(s.version, least[promised]) == 0;
        return strcmp(s.version, least[promised]) == 0 ||
               strcmp(s.version, least[promised + 1]) == 0;
}

static void the_power_may_go_at_any_step(void **state)
{
        disk *d = disk_new();
        const fsio_ops ops = fsio_disk_ops(d);
        unsigned cuts = 0;

        (void)state;
        a_life(&ops, d);
        for (size_t at = 0; at <= disk_steps(d); at++)
                for (uint64_t i = 0; i < DISK_TEARS + 6; i++, cuts++) {
                        disk_loss how = i < DISK_TEARS ? (disk_loss)i : DISK_TEARS;
                        disk *after = disk_cut(d, at, how, i * 1000 + at);
                        fsio_disk_lay(after, folder);
                        if (!holds(disk_promised(after, 0)))
                                fail_msg("cut after step %zu, which %s (%u)", at,
                                         disk_loss_name(how), (unsigned)i);
                        disk_free(after);
                }
        assert_true(cuts > 300);
        disk_free(d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(images_come_and_stay),
                T(what_never_works_is_left),
                T(the_first_one_may_fail_too),
                T(moves_without_a_trial_do_nothing),
                T(a_damaged_image_is_left_but_not_for_ever),
                T(what_was_refused_is_nothing_to_go_back_to),
                T(a_marker_without_hashes_is_read),
                T(bad_input_changes_nothing),
                T(the_power_may_go_at_any_step),
        };

        return RUN_TESTS(tests);
}
