/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a trial, the power going as it is told: what tells of the trial is there until the end
 * is kept, and a step after it is not taken for it. */
#include <sys/stat.h>
#include <unistd.h>

#include "firmware.h"
#include "log.h"
#include "support.h"

static char dir[64];
static loop *l;
static slots marker; /* as it was when the end was told */
static odm_task_end told;
static bool had_package, restarted;
static const char *check; /* NULL: none */
static char note[64];

static const char *at(const char *name)
{
        static char path[4][128];
        static unsigned next;
        char *p = path[next++ % ODM_COUNT(path)];

        snprintf(p, sizeof path[0], "%s/%s", dir, name);
        return p;
}

static firmware_installer kind;

static void put(const char *name, const char *text)
{
        assert_int_equal(fsio_write(NULL, at(name), odm_cstr(text), 0644, NULL), 0);
}

static int set_up(void **state)
{
        (void)state;
        log_init("trial_test", LOG_LEVEL_ERROR, LOG_FORM_TEXT, 2, NULL);
        snprintf(dir, sizeof dir, "/tmp/trial_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        assert_int_equal(mkdir(at("work"), 0700), 0);
        put("image", "the image");
        put("work/package", "the image");
        assert_int_equal(slots_open(&marker, NULL, at("slots"), NULL), 0);
        assert_int_equal(slots_install(&marker, at("image"), "2.0", "", NULL), 0);
        return loop_new(&l);
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        loop_free(l);
        snprintf(command, sizeof command, "rm -r %s", dir);
        return system(command);
}

static int on_done(void *ctx, uint32_t id, const odm_task_end *e)
{
        (void)ctx;
        (void)id;
        told = *e;
        snprintf(note, sizeof note, "%.*s", (int)e->note.n, e->note.p ? e->note.p : "");
        had_package = access(at("work/package"), F_OK) == 0;
        assert_int_equal(slots_open(&marker, NULL, at("slots"), NULL), 0);
        loop_stop(l);
        return 0;
}

static void on_restart(void *ctx, const char *why)
{
        (void)ctx;
        (void)why;
        restarted = true;
        loop_stop(l);
}

static firmware *start(void)
{
        static char folder[128], both[128];
        const firmware_opt o = {.loop = l,
                                .folder = folder,
                                .terms = {.fetch = "/bin/false", .max_size = 1 << 20, .tries = 1},
                                .installer = check ? kind : FIRMWARE_SLOTS,
                                .command = check,
                                .command_ms = 100,
                                .slots = both,
                                .done = on_done,
                                .restart = on_restart};
        firmware *f = NULL;

        snprintf(folder, sizeof folder, "%s", at("work"));
        snprintf(both, sizeof both, "%s", at("slots"));
        assert_int_equal(firmware_open(&o, &f, NULL), 0);
        return f;
}

static void step(firmware *f, odm_fumo_step s)
{
        const odm_task t = {
                .id = 7, .kind = &odm_fumo_kind, .step = s, .args = ODM_STR("url=http://h/\n")};

        assert_int_equal(firmware_begin(f, &t, ODM_STR("2.0"), ODM_ABSENT), 0);
        assert_int_equal(loop_run(l), 0);
}

static void a_good_one_is_told_with_its_package_there(void **state)
{
        firmware *f = start();

        (void)state;
        step(f, ODM_FUMO_CHECK);
        assert_int_equal(told.cause, ODM_CAUSE_OK);
        assert_true(had_package); /* or a start after a cut here would find nothing to compare */
        assert_int_equal(marker.state, SLOTS_GOOD);
        assert_int_equal(access(at("work/package"), F_OK), -1);
        put("work/package", "the image"); /* that cut */
        step(f, ODM_FUMO_CHECK);
        assert_int_equal(told.cause, ODM_CAUSE_OK);
        assert_true(had_package);
        assert_int_equal(access(at("work/package"), F_OK), -1);
        firmware_close(f);
}

static void a_bad_one_is_told_with_its_marker_there(void **state)
{
        (void)state;
        assert_int_equal(slots_refuse(&marker, "its self-test failed", NULL), 0);
        firmware *f = start();
        step(f, ODM_FUMO_CHECK);
        assert_int_equal(told.cause, ODM_CAUSE_FAILED);
        assert_true(had_package);
        assert_int_equal(marker.state, SLOTS_FELL_BACK); /* it would be told once more */
        firmware_close(f);
        assert_int_equal(slots_open(&marker, NULL, at("slots"), NULL), 0);
        assert_int_equal(marker.state, SLOTS_EMPTY);
}

/* The end was kept, and then the power went: the next order is not answered by that marker. */
static void an_old_trial_does_not_answer_for_a_new_one(void **state)
{
        (void)state;
        assert_int_equal(slots_refuse(&marker, "its self-test failed", NULL), 0);
        firmware *f = start();
        step(f, ODM_FUMO_DOWNLOAD);
        assert_int_equal(told.cause, ODM_CAUSE_FAILED); /* the downloader is none */
        assert_int_equal(marker.state, SLOTS_EMPTY);
        firmware_close(f);
}

static void a_check_that_hangs_is_ended(void **state)
{
        char hang[128];

        (void)state;
        put("hang", "#!/bin/sh\nexec sleep 60\n");
        snprintf(hang, sizeof hang, "%s", at("hang"));
        assert_int_equal(chmod(hang, 0755), 0);
        check = hang;
        for (int i = 0; i < 2; i++) {
                kind = i ? FIRMWARE_EXEC : FIRMWARE_SLOTS;
                restarted = false;
                firmware *f = start();
                step(f, ODM_FUMO_CHECK);
                firmware_close(f);
                assert_true(restarted == !i); /* slots: the next start counts */
        }
        assert_int_equal(told.cause, ODM_CAUSE_FAILED);
        assert_string_equal(note, "the command took too long");
        check = NULL;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(a_good_one_is_told_with_its_package_there),
                T(a_bad_one_is_told_with_its_marker_there),
                T(a_check_that_hangs_is_ended),
                T(an_old_trial_does_not_answer_for_a_new_one),
        };

        return RUN_TESTS(tests);
}
