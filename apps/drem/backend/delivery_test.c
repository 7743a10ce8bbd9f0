/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that arrive whole, in part, late, unsigned or not at all.  The downloader is a stand-in
 * that copies; the real one has its own test. */
#include "delivery.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"
#include "workshop.h"

static loop *l;
static unsigned heard;
static odm_task_cause cause;
static char said[600];

static int set_up(void **state)
{
        char in[WORKSHOP_PATH];

        (void)state;
        workshop_open();
        workshop_path("in", in);
        assert_int_equal(mkdir(in, 0755), 0);
        workshop_put("signed", "the package", 0644);
        workshop_put("bare", "another package", 0644);
        workshop_sign("signed");
        return 0;
}

static void on_done(void *ctx, odm_task_cause c, const char *note)
{
        (void)ctx;
        cause = c;
        snprintf(said, sizeof said, "%s", note);
        heard++;
        loop_stop(l);
}

static int start(const char *url, const char *file, int64_t patience, odm_str signature,
                 delivery **out)
{
        char fetch[WORKSHOP_PATH], keys[WORKSHOP_PATH], from[WORKSHOP_PATH], to[WORKSHOP_PATH];
        delivery_opt o = {
                .terms = {.fetch = fetch, .max_size = 1 << 20, .tries = 1, .patience_ms = patience},
                .keys = keys,
                .url = url ? (odm_str){from, 0} : ODM_ABSENT,
                .file = to,
                .proof = {.signature = signature},
                .done = on_done};

        heard = 0;
        workshop_path("fetch", fetch);
        workshop_path("keys", keys);
        workshop_path(url ? url : "", from);
        workshop_path(file, to);
        if (url)
                o.url.n = strlen(from);
        return delivery_start(l, &o, out, NULL);
}

static void expect(const char *why, odm_task_cause c, const char *note)
{
        assert_int_equal(heard, 0); /* never from within */
        assert_int_equal(loop_run(l), 0);
        if (heard != 1 || cause != c || strcmp(said, note) != 0)
                fail_msg("%s: %s, '%s'", why, odm_task_cause_name(cause), said);
}

static void packages_arrive_and_are_proved(void **state)
{
        static const struct {
                const char *why, *url;
                odm_task_cause cause;
                const char *note;
                bool kept;
        } rows[] = {
                {"signed", "signed", ODM_CAUSE_OK, "", true},
                {"without a signature", "bare", ODM_CAUSE_UNSIGNED, "the package has no signature",
                 false},
                {"not there", "nowhere", ODM_CAUSE_BAD_URL, "the server has no such file", false},
                {"once more", "signed", ODM_CAUSE_OK, "", true},
        };
        delivery *v;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_int_equal(start(rows[i].url, "in/p", 0, ODM_ABSENT, &v), 0);
                expect(rows[i].why, rows[i].cause, rows[i].note);
                if (workshop_has("in/p") != rows[i].kept ||
                    workshop_has("in/p.sig") != rows[i].kept)
                        fail_msg("%s: what is kept", rows[i].why);
        }
        assert_int_equal(start(NULL, "in/p", 0, ODM_ABSENT, &v), 0);
        expect("what is there is proved", ODM_CAUSE_OK, "");
        workshop_put("in/p", "the packagf", 0600);
        assert_int_equal(start(NULL, "in/p", 0, ODM_ABSENT, &v), 0);
        assert_int_equal(loop_run(l), 0);
        assert_int_equal(cause, ODM_CAUSE_UNSIGNED);
        assert_true(workshop_has("in/p")); /* who put it there decides */
        loop_free(l);
}

static void a_signature_may_come_with_the_order(void **state)
{
        char path[WORKSHOP_PATH];
        delivery *v;
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap, 4096);
        workshop_path("signed.sig", path);
        assert_int_equal(fsio_read(path, 4096, &b, NULL), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(loop_new(&l), 0);
        assert_int_equal(start("signed", "in/q", 0, odm_buf_view(&b), &v), 0);
        expect("given", ODM_CAUSE_OK, "");
        assert_true(workshop_has("in/q") && !workshop_has("in/q.sig")); /* nobody asked for one */
        odm_buf_done(&b);
        loop_free(l);
}

#define BARE "00d7ca1bc1ae6ec0d4e3a6d4c5e5ac1c5a86a8a1b2d3f4e5968778695a4b3c2d"

/* Who does not put the package to use himself. */
static void a_right_hash_may_be_enough(void **state)
{
        char fetch[WORKSHOP_PATH], from[WORKSHOP_PATH], to[WORKSHOP_PATH], right[65], got[65];
        const struct {
                const char *why, *alg, *hash;
                odm_task_cause cause;
                const char *note;
        } rows[] = {
                {"right", NULL, right, ODM_CAUSE_OK, ""},
                {"named", "SHA-256", right, ODM_CAUSE_OK, ""},
                {"wrong", NULL, BARE, ODM_CAUSE_CORRUPT, "the hash differs"},
                {"none", NULL, NULL, ODM_CAUSE_UNSIGNED, "there is neither a hash nor a signature"},
                {"another kind", "md5", right, ODM_CAUSE_UNSUPPORTED, "md5 is no hash known here"},
        };
        delivery *v;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        workshop_path("fetch", fetch);
        workshop_path("bare", from);
        workshop_path("in/h", to);
        assert_int_equal(proof_hash(from, right, NULL), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const delivery_opt o = {.terms = {.fetch = fetch, .max_size = 1 << 20, .tries = 1},
                                        .url = odm_cstr(from),
                                        .file = to,
                                        .proof = {.hash_alg = odm_cstr(rows[i].alg),
                                                  .hash = odm_cstr(rows[i].hash)},
                                        .hash_alone = true,
                                        .hash = got,
                                        .done = on_done};
                heard = 0;
                got[0] = 0;
                assert_int_equal(delivery_start(l, &o, &v, NULL), 0);
                expect(rows[i].why, rows[i].cause, rows[i].note);
                assert_int_equal(workshop_has("in/h"), rows[i].cause == ODM_CAUSE_OK);
                assert_string_equal(got, rows[i].cause == ODM_CAUSE_OK ? right : "");
        }
        loop_free(l);
}

static void downloads_do_not_go_on_for_ever(void **state)
{
        delivery *v;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        workshop_put("fetch", "#!/bin/sh\nexec sleep 60\n", 0755);
        assert_int_equal(start("signed", "in/r", 50, ODM_ABSENT, &v), 0);
        expect("it drips", ODM_CAUSE_TIMEOUT, "the download took too long");
        workshop_put("fetch", "#!/bin/sh\nexit 9\n", 0755);
        assert_int_equal(start("signed", "in/r", 0, ODM_ABSENT, &v), 0);
        expect("it dies", ODM_CAUSE_FAILED, "the downloader died");
        loop_free(l);
}

static void it_can_be_ended_at_any_time(void **state)
{
        int64_t done = 0, total = 0;
        delivery *v = NULL;

        (void)state;
        delivery_end(NULL);
        assert_int_equal(loop_new(&l), 0);
        workshop_put("fetch", "#!/bin/sh\necho progress 5 9\nexec sleep 60\n", 0755);
        assert_int_equal(start("signed", "in/s", 0, ODM_ABSENT, &v), 0);
        while (done == 0) {
                assert_int_equal(loop_once(l, 1000), 0);
                delivery_progress(v, &done, &total);
        }
        assert_true(done == 5 && total == 9);
        delivery_end(v); /* while it is fetched */
        workshop_put("in/s", "x", 0600);
        assert_int_equal(start(NULL, "in/s", 0, ODM_ABSENT, &v), 0);
        delivery_end(v); /* while it is proved */
        assert_int_equal(loop_once(l, 0), 0);
        assert_int_equal(heard, 0);
        workshop_put("in/s.part", "y", 0600);
        char path[WORKSHOP_PATH];
        workshop_path("in/s", path);
        delivery_drop(path);
        assert_false(workshop_has("in/s") || workshop_has("in/s.part"));
        loop_free(l);
}

static void a_downloader_that_is_not_there_is_no_start(void **state)
{
        delivery *v = NULL;
        char path[WORKSHOP_PATH];

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        workshop_path("fetch", path);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(start("signed", "in/t", 1000, ODM_ABSENT, &v), ODM_EIO);
        assert_null(v);
        loop_free(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(packages_arrive_and_are_proved, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(a_signature_may_come_with_the_order, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(a_right_hash_may_be_enough, set_up, workshop_close),
                cmocka_unit_test_setup_teardown(downloads_do_not_go_on_for_ever, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(it_can_be_ended_at_any_time, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(a_downloader_that_is_not_there_is_no_start, set_up,
                                                workshop_close),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
