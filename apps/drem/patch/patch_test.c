/* SPDX-License-Identifier: Apache-2.0 */
/* dremd-patch against patches that fit, that do not, and that were damaged at any octet. */
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "fsio.h"
#include "heap.h"
#include "support.h"

#define IMAGE 300000

static char dir[64], program[512], output[4096];
static char *old_image, *new_image;

static char *path_of(const char *name)
{
        static char path[4][128];
        static unsigned k;

        k = (k + 1) % 4;
        snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
        return path[k];
}

static void put(const char *name, odm_str data)
{
        assert_int_equal(fsio_write(NULL, path_of(name), data, 0600, NULL), 0);
}

/* A patch as `zstd --patch-from` writes it; without the size of the image when `sized` is not. */
static odm_str make_patch(odm_str base, odm_str to, bool sized)
{
        ZSTD_CCtx *z = ZSTD_createCCtx();
        size_t room = ZSTD_compressBound(to.n), n;
        char *p = malloc(room);

        assert_non_null(z);
        assert_non_null(p);
        (void)ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
        (void)ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, sized);
        (void)ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 20);
        (void)ZSTD_CCtx_refPrefix(z, base.p, base.n);
        n = ZSTD_compress2(z, p, room, to.p, to.n);
        assert_false(ZSTD_isError(n));
        ZSTD_freeCCtx(z);
        return (odm_str){p, n};
}

static int set_up(void **state)
{
        seeded s;
        odm_rng rng = seeded_rng(&s, 7);

        (void)state;
        (void)rng;
        snprintf(dir, sizeof dir, "/tmp/patch_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        old_image = malloc(IMAGE);
        new_image = malloc(IMAGE);
        assert_true(old_image && new_image);
        for (size_t i = 0; i < IMAGE; i++)
                old_image[i] = (char)seeded_next(&s);
        memcpy(new_image, old_image + 1000, IMAGE - 1000); /* a bit left out, a bit put in */
        memset(new_image + IMAGE - 1000, 'n', 1000);
        put("old", (odm_str){old_image, IMAGE});
        return 0;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        free(old_image);
        free(new_image);
        snprintf(command, sizeof command, "rm -rf %s", dir);
        return system(command);
}

/* The cause it ends with; "" when it says none. */
static const char *patch(const char *before, const char *options)
{
        static char cause[32];
        char command[1200];
        size_t n;
        FILE *p;

        snprintf(command, sizeof command, "%s%s %s %s %s %s 2>&1", before, program, options,
                 path_of("old"), path_of("patch"), path_of("new"));
        p = popen(command, "r"); /* NOLINT(cert-env33-c) */
        assert_non_null(p);
        n = fread(output, 1, sizeof output - 1, p);
        output[n] = 0;
        cause[0] = 0;
        (void)sscanf(output, "end %31s", cause);
        assert_int_equal(pclose(p) == 0, strcmp(cause, "OK") == 0);
        return cause;
}

static bool has_image(odm_str want)
{
        odm_buf b;
        bool same;

        odm_buf_init(&b, &heap_mem, 1 << 20);
        same = fsio_read(path_of("new"), 1 << 20, &b, NULL) == 0 &&
               odm_str_eq(odm_buf_view(&b), want);
        odm_buf_done(&b);
        return same;
}

static void makes_the_image(void **state)
{
        const odm_str base = {old_image, IMAGE}, to = {new_image, IMAGE};
        odm_str p = make_patch(base, to, true);

        (void)state;
        assert_true(p.n < IMAGE / 10);
        put("patch", p);
        assert_string_equal(patch("", ""), "OK");
        assert_true(has_image(to));
        assert_string_equal(patch("", "--max-size 300000"), "OK"); /* over what is there */
        assert_true(has_image(to));
        free((void *)p.p);
}

static void refuses_what_does_not_fit(void **state)
{
        const odm_str base = {old_image, IMAGE}, to = {new_image, IMAGE};
        odm_str good = make_patch(base, to, true), unsized = make_patch(base, to, false);
        odm_str other = make_patch(to, base, true);
        const struct {
                const char *why, *before, *options, *cause;
                odm_str patch;
        } rows[] = {
                {"an image too large", "", "--max-size 299999", "NO_ROOM", good},
                {"a full disk", "ulimit -f 100; ", "", "NO_ROOM", good},
                {"no size told", "", "", "NOT_ACCEPTED", unsized},
                {"no patch at all", "", "", "NOT_ACCEPTED", ODM_STR("PK\3\4 nonsense")},
                {"against another image", "", "", "CORRUPT", other},
                {"cut short", "", "", "CORRUPT", odm_str_to(good, good.n - 5)},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                put("patch", rows[i].patch);
                const char *cause = patch(rows[i].before, rows[i].options);
                if (strcmp(cause, rows[i].cause) != 0)
                        fail_msg("%s: '%s'\n%s", rows[i].why, cause, output);
                if (access(path_of("new"), F_OK) == 0)
                        fail_msg("%s: something is left", rows[i].why);
        }
        unlink(path_of("patch"));
        assert_string_equal(patch("", ""), "FAILED");
        free((void *)good.p);
        free((void *)unsized.p);
        free((void *)other.p);
}

static void a_damaged_patch_makes_no_image(void **state)
{
        const odm_str base = {old_image, IMAGE}, to = {new_image, IMAGE};
        odm_str p = make_patch(base, to, true);
        char *bytes = (char *)p.p;

        (void)state;
        for (size_t at = 0; at < p.n; at += 1 + p.n / 40) {
                bytes[at] ^= 0x41;
                put("patch", p);
                if (strcmp(patch("", "--max-size 1000000"), "OK") == 0 && !has_image(to))
                        fail_msg("octet %zu: another image", at);
                unlink(path_of("new"));
                bytes[at] ^= 0x41;
        }
        free(bytes);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(makes_the_image),
                cmocka_unit_test(refuses_what_does_not_fit),
                cmocka_unit_test(a_damaged_patch_makes_no_image),
        };

        if (argc < 2)
                return 2;
        snprintf(program, sizeof program, "%s", argv[1]);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
