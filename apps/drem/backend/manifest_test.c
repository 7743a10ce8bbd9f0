/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests as sha256sum writes them, and every way a folder or a line can be wrong. */
#include "manifest.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"

static char dir[64], app[96], good[512];
static loop *l;

static void put(const char *name, const char *text)
{
        char path[160];

        snprintf(path, sizeof path, "%s/%s", dir, name);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0644, NULL), 0);
}

static int set_up(void **state)
{
        char command[256];
        FILE *p;

        (void)state;
        snprintf(dir, sizeof dir, "/tmp/manifest_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(app, sizeof app, "%s/app", dir);
        assert_int_equal(mkdir(app, 0755), 0);
        put("app/one", "the first");
        put("app/.two", "the second");
        put("app/empty", "");
        snprintf(command, sizeof command, "cd %s && sha256sum one .two", app);
        p = popen(command, "r"); /* NOLINT(cert-env33-c) */
        assert_non_null(p);
        good[fread(good, 1, sizeof good - 1, p)] = 0;
        return pclose(p) == 0 && strlen(good) == 2 * 66 + 9 ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -rf %s", dir);
        return system(command);
}

static void lines(void **state)
{
        static const char hash[] =
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        static const struct {
                const char *why, *first, *after, *text;
        } rows[] = {
                {"all is there", "", "", NULL},
                {"without its last line break", "", "\b", NULL},
                {"nothing", NULL, "", "its manifest is empty"},
                {"another hash", "", "  one\n", "one was changed"},
                {"an empty file", "", "  empty\n", NULL},
                {"a file that is gone", "", "  three\n", "three is not there"},
                {"a folder", "", "  .\n", ". was changed"},
                {"outside", "", "  ../app/one\n", "its manifest is damaged"},
                {"outside, later", "", "  x/../../app/one\n", "its manifest is damaged"},
                {"at its root", "", "  /etc/passwd\n", "its manifest is damaged"},
                {"no name", "", "  \n", "its manifest is damaged"},
                {"one blank", "", " one\n", "its manifest is damaged"},
                {"an empty line", "\n", "", "its manifest is damaged"},
                {"no hash", "x", "", "its manifest is damaged"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char text[1024] = "", why[256] = "";
                if (rows[i].first)
                        snprintf(text, sizeof text, "%s%s%s%s", rows[i].first, good,
                                 rows[i].after[0] > '\b' ? hash : "",
                                 rows[i].after[0] > '\b' ? rows[i].after : "");
                if (rows[i].after[0] == '\b')
                        text[strlen(text) - 1] = 0;
                odm_str exact = exact_copy(text);
                bool whole = manifest_holds(exact, app, why);
                exact_free(exact);
                if (whole != (rows[i].text == NULL) ||
                    (rows[i].text && strcmp(why, rows[i].text) != 0))
                        fail_msg("%s: %d, '%s'", rows[i].why, whole, why);
        }
}

static struct {
        unsigned n, damaged;
        char name[64], why[128];
} got;

static void on_found(void *ctx, const char *name, bool whole, const char *why)
{
        (void)ctx;
        got.n++;
        if (whole)
                return;
        got.damaged++;
        snprintf(got.name, sizeof got.name, "%s", name);
        snprintf(got.why, sizeof got.why, "%s", why);
}

static void on_done(void *ctx)
{
        (void)ctx;
        loop_stop(l);
}

static void look(const char *folder)
{
        const manifest_opt o = {.loop = l, .folder = folder, .found = on_found, .done = on_done};
        manifest_check *m = NULL;

        memset(&got, 0, sizeof got);
        assert_int_equal(manifest_check_start(&o, &m), 0);
        assert_int_equal(got.n, 0); /* never from within */
        assert_int_equal(loop_run(l), 0);
}

static void a_folder_of_them(void **state)
{
        char link_to[128];

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        look("/nonexistent");
        assert_int_equal(got.n, 0);
        look(dir);
        assert_int_equal(got.n, 0); /* no manifest, nothing to say */
        put("app.sha256", good);
        put("linked.sha256", good);
        put(".sha256", "nobody's");
        snprintf(link_to, sizeof link_to, "%s/linked", dir);
        assert_int_equal(symlink("app", link_to), 0);
        look(dir);
        assert_true(got.n == 2 && got.damaged == 0);
        put("app/one", "the furst");
        look(dir);
        assert_true(got.n == 2 && got.damaged == 2);
        assert_string_equal(got.why, "one was changed");
        put("app/one", "the first");
        put("gone.sha256", good);
        look(dir);
        assert_true(got.n == 3 && got.damaged == 1);
        assert_string_equal(got.name, "gone");
        assert_string_equal(got.why, "one is not there");
        loop_free(l);
}

static void what_is_written_holds(void **state)
{
        char path[160], text[400];

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        snprintf(path, sizeof path, "%s/app/lib", dir);
        assert_int_equal(mkdir(path, 0755), 0);
        put("app/lib/three", "the third");
        put("app/lib/two\nlines", "left out");
        snprintf(path, sizeof path, "%s/app/link", dir);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        snprintf(path, sizeof path, "%s/shelf/app/1.0", dir);
        snprintf(text, sizeof text, "mkdir -p %s/shelf/app && cp -a %s %s", dir, app, path);
        assert_int_equal(system(text), 0);
        snprintf(text, sizeof text, "%s.sha256", path);
        assert_int_equal(manifest_write(path, text), 0);
        snprintf(text, sizeof text, "%s/shelf", dir);
        look(text); /* one level down, where versions are */
        assert_true(got.n == 1 && got.damaged == 0);
        put("shelf/app/1.0/lib/three", "the turd");
        look(text);
        assert_true(got.n == 1 && got.damaged == 1);
        assert_string_equal(got.name, "app/1.0");
        assert_string_equal(got.why, "lib/three was changed");
        assert_int_equal(manifest_write("/nonexistent", text), ODM_EIO);
        loop_free(l);
}

static void it_can_be_ended(void **state)
{
        const manifest_opt o = {.folder = dir, .found = on_found, .done = on_done};
        manifest_opt with = o;
        manifest_check *m = NULL;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        with.loop = l;
        put("app.sha256", good);
        memset(&got, 0, sizeof got);
        assert_int_equal(manifest_check_start(&with, &m), 0);
        manifest_check_end(m);
        manifest_check_end(NULL);
        assert_int_equal(got.n, 0);
        loop_free(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(lines),
                T(a_folder_of_them),
                T(what_is_written_holds),
                T(it_can_be_ended),
        };

        return RUN_TESTS(tests);
}
