/* SPDX-License-Identifier: Apache-2.0 */
/* The time that a package made of a delta may take, wherever it runs out; how deltas go otherwise
 * is in firmware_test.c. */
#include "delta.h"

#include <unistd.h>

#include "proof.h"
#include "support.h"
#include "workshop.h"

#define IMAGE ((off_t)64 << 20) /* octets: to hash them takes longer than SHORT_MS by far */
#define SHORT_MS 1

static loop *l;
static char said[128];

static void on_done(void *ctx, bool made, int64_t octets, const char *note)
{
        (void)ctx;
        (void)octets;
        assert_false(made);
        snprintf(said, sizeof said, "%s", note);
        loop_stop(l);
}

static void the_time_runs_out_at_any_step(void **unused)
{
        static const struct {
                const char *why;
                off_t image;
                int64_t patience;
        } rows[] = {
                {"while the image in use is hashed", IMAGE, SHORT_MS},
                {"while the patch is fetched", 1, 300},
        };

        (void)unused;
        workshop_open();
        workshop_put("fetch", "#!/bin/sh\nexec sleep 60\n", 0755);
        workshop_put("image", "x", 0644);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char fetch[WORKSHOP_PATH], image[WORKSHOP_PATH], file[WORKSHOP_PATH], hash[65];
                delta_opt o = {.terms = {.fetch = fetch,
                                         .max_size = 1 << 20,
                                         .tries = 1,
                                         .patience_ms = rows[i].patience},
                               .patch = fetch,
                               .url = ODM_STR("http://localhost/patch"),
                               .base = image,
                               .file = file,
                               .done = on_done};
                delta *v;

                workshop_path("fetch", fetch);
                workshop_path("image", image);
                workshop_path("package", file);
                assert_int_equal(truncate(image, rows[i].image), 0);
                assert_int_equal(proof_hash(image, hash, NULL), 0);
                o.base_hash = odm_cstr(hash);
                assert_int_equal(loop_new(&l), 0);
                assert_int_equal(delta_start(l, &o, &v), 0);
                assert_int_equal(loop_run(l), 0);
                loop_free(l);
                if (strcmp(said, "it took too long") != 0)
                        fail_msg("%s: '%s'", rows[i].why, said);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(the_time_runs_out_at_any_step, workshop_close)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
