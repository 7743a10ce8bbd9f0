/* SPDX-License-Identifier: Apache-2.0 */
/* source_test.c - real files, real commands, a real message bus where there is one. */
#include "source.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap.h"
#include "support.h"

static char folder[64];

static int set_up(void **state)
{
        (void)state;
        snprintf(folder, sizeof folder, "/tmp/source_test.XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -r %s", folder);
        return system(command);
}

static const char *in_folder(const char *name)
{
        static char path[128];

        snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

static void put_file(const char *name, const char *text)
{
        FILE *f = fopen(in_folder(name), "we");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void values_fit_or_not(void **state)
{
        static const struct {
                odm_format f;
                const char *text;
                bool fits;
        } row[] = {
                {ODM_FMT_INT, "0", true},
                {ODM_FMT_INT, "-2147483648", true},
                {ODM_FMT_INT, "2147483648", false},
                {ODM_FMT_INT, "", false},
                {ODM_FMT_INT, "1.5", false},
                {ODM_FMT_INT, "-", false},
                {ODM_FMT_FLOAT, "1.5e3", true},
                {ODM_FMT_FLOAT, "warm", false},
                {ODM_FMT_BOOL, "true", true},
                {ODM_FMT_BOOL, "yes", false},
                {ODM_FMT_CHR, "", true},
                {ODM_FMT_CHR, "\xff", false},
                {ODM_FMT_BIN, "\xff", true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++)
                if (source_fits(row[i].f, odm_cstr(row[i].text)) != row[i].fits)
                        fail_msg("'%s'", row[i].text);
}

static void files_are_read(void **state)
{
        odm_buf b;
        diag d = {{0}};

        (void)state;
        odm_buf_init(&b, &heap_mem, SOURCE_MOST);
        put_file("n", "42\n");
        assert_int_equal(source_file(in_folder("n"), ODM_FMT_INT, &b), 0);
        assert_octets(odm_buf_view(&b), ODM_STR("42"));
        odm_buf_cut(&b, 0);
        assert_int_equal(source_file(in_folder("n"), ODM_FMT_BIN, &b), 0);
        assert_octets(odm_buf_view(&b), ODM_STR("42\n"));
        odm_buf_cut(&b, 0);
        assert_int_equal(source_file(in_folder("n"), ODM_FMT_BOOL, &b), ODM_ENOENT);
        assert_int_equal(source_file(in_folder("none"), ODM_FMT_CHR, &b), ODM_ENOENT);
        assert_int_equal(source_file(folder, ODM_FMT_CHR, &b), ODM_ENOENT);
        assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
        assert_int_equal(source_file(in_folder("pipe"), ODM_FMT_CHR, &b), ODM_ENOENT);
        assert_int_equal(source_file("/dev/zero", ODM_FMT_BIN, &b), ODM_ENOENT);
        assert_int_equal(b.n, 0);
        assert_int_equal(source_file("/proc/sys/kernel/ostype", ODM_FMT_CHR, &b), 0);
        assert_octets(odm_buf_view(&b), ODM_STR("Linux"));
        odm_buf_cut(&b, 0);

        assert_int_equal(source_put(in_folder("n"), ODM_FMT_INT, ODM_STR("7"), &d), 0);
        assert_int_equal(source_file(in_folder("n"), ODM_FMT_BIN, &b), 0);
        assert_octets(odm_buf_view(&b), ODM_STR("7\n"));
        char target[160];
        struct stat st;
        snprintf(target, sizeof target, "%s/n", folder);
        assert_int_equal(symlink(target, in_folder("link")), 0);
        assert_int_equal(source_put(in_folder("link"), ODM_FMT_INT, ODM_STR("8"), &d), 0);
        assert_int_equal(lstat(in_folder("link"), &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        odm_buf_cut(&b, 0);
        assert_int_equal(source_file(in_folder("n"), ODM_FMT_INT, &b), 0);
        assert_octets(odm_buf_view(&b), ODM_STR("8"));
        assert_int_equal(source_put(in_folder("none"), ODM_FMT_INT, ODM_STR("7"), &d), ODM_ENOENT);
        assert_int_equal(source_put(folder, ODM_FMT_INT, ODM_STR("7"), &d), ODM_ENOENT);
        assert_true(source_put("/proc/version", ODM_FMT_CHR, ODM_STR("7"), &d) < 0);
        odm_buf_done(&b);
}

static void properties_are_read(void **state)
{
        static const struct {
                const char *text;
                int rc;
                const char *want;
        } row[] = {
                {"s \"web 1\"", 0, "web 1"},
                {"s \"\"\n", 0, ""},
                {"s \"a\\\"b\\\\c\\n\\x41\\101\"", 0, "a\"b\\c\nAA"},
                {"i -5", 0, "-5"},
                {"u 17", 0, "17"},
                {"b true", 0, "true"},
                {"d 0.5", 0, "0.5"},
                {"o \"/org/a\"", 0, "/org/a"},
                {"as 2 \"SELinux\" \"AppArmor x\"", 0, "SELinux AppArmor x"},
                {"as 0", 0, ""},
                {"ai 3 1 2 3", 0, "1 2 3"},
                {"a{sv} 0", ODM_EUNSUPPORTED, ""},
                {"(ii) 1 2", ODM_EUNSUPPORTED, ""},
                {"v s \"x\"", ODM_EUNSUPPORTED, ""},
                {"", ODM_EUNSUPPORTED, ""},
                {"s", ODM_EMALFORMED, ""},
                {"s \"open", ODM_EMALFORMED, ""},
                {"s \"a\\", ODM_EMALFORMED, ""},
                {"s \"a\\x4\"", ODM_EMALFORMED, ""},
                {"s \"a\\999\"", ODM_EMALFORMED, ""},
                {"s \"a\" more", ODM_EMALFORMED, ""},
                {"as 2 \"a\"", ODM_EMALFORMED, ""},
                {"as 99999 \"a\"", ODM_EMALFORMED, ""},
                {"as many", ODM_EMALFORMED, ""},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                odm_str text = exact_copy(row[i].text);
                odm_buf b;
                odm_buf_init(&b, &heap_mem, 1024);
                int rc = source_property(text, &b);
                if (rc != row[i].rc || !odm_str_is(odm_buf_view(&b), row[i].want))
                        fail_msg("%s: %d '%.*s'", row[i].text, rc, (int)b.n, b.p ? b.p : "");
                odm_buf_done(&b);
                exact_free(text);
        }
}

/* ---- commands ------------------------------------------------------------------------------- */

static unsigned heard;

static void hear(void *ctx, const table_node *n)
{
        (void)n;
        heard++;
        loop_stop(ctx);
}

/* Runs the loop until the source has something to say. */
static void wait_for(loop *l, unsigned times)
{
        odm_time end = odm_time_add(loop_now(), 10000);

        while (heard < times && loop_now().ms < end.ms)
                assert_int_equal(loop_once(l, 200), 0);
        assert_true(heard >= times);
}

static void commands_are_asked_again(void **state)
{
        char text[200];
        table_node n = {.at = "x",
                        .kind = TABLE_COMMAND,
                        .format = ODM_FMT_INT,
                        .text = text,
                        .refresh_ms = 50,
                        .timeout_ms = 5000};
        source *s = NULL;
        odm_str v = ODM_ABSENT;
        loop *l = NULL;

        (void)state;
        heard = 0;
        snprintf(text, sizeof text, "echo x >>%s/n; wc -l <%s/n", folder, folder);
        assert_int_equal(loop_new(&l), 0);
        assert_int_equal(source_open(l, &n, hear, l, &s), 0);
        assert_int_equal(source_value(s, &v), ODM_ENOENT); /* it has said nothing yet */
        wait_for(l, 1);
        assert_int_equal(source_value(s, &v), 0);
        assert_octets(v, ODM_STR("1"));
        wait_for(l, 2);
        assert_int_equal(source_value(s, &v), 0);
        assert_octets(v, ODM_STR("2"));
        source_close(s);
        loop_free(l);
}

static void bad_commands_have_no_value(void **state)
{
        static const struct {
                const char *why, *first, *then; /* what it does, and the second time */
        } row[] = {
                {"it fails", "echo 5", "echo 6; exit 1"},
                {"it prints what is no number", "echo 5", "echo five"},
                {"it hangs", "echo 5", "sleep 60"},
                {"it never ends to print", "echo 5", "yes"},
                {"it is not there", "echo 5", "exec /nowhere/at/all"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                char text[300];
                const table_node n = {.at = "x",
                                      .kind = TABLE_COMMAND,
                                      .format = ODM_FMT_INT,
                                      .text = text,
                                      .refresh_ms = 20,
                                      .timeout_ms = 300};
                source *s = NULL;
                odm_str v = ODM_ABSENT;
                loop *l = NULL;
                heard = 0;
                snprintf(text, sizeof text, "if test -e %s/%zu; then %s; else touch %s/%zu; %s; fi",
                         folder, i, row[i].then, folder, i, row[i].first);
                assert_int_equal(loop_new(&l), 0);
                assert_int_equal(source_open(l, &n, hear, l, &s), 0);
                wait_for(l, 1);
                if (source_value(s, &v) != 0)
                        fail_msg("%s: not even at first", row[i].why);
                wait_for(l, 2);
                if (source_value(s, &v) != ODM_ENOENT)
                        fail_msg("%s", row[i].why);
                source_close(s);
                loop_free(l);
        }
}

/* ---- a message bus of our own ----------------------------------------------------------------- */

static void a_property_of_a_bus(void **state)
{
        char command[400], text[300], address[128];
        table_node n = {.at = "x",
                        .kind = TABLE_DBUS,
                        .format = ODM_FMT_CHR,
                        .text = text,
                        .refresh_ms = 60000,
                        .timeout_ms = 5000};
        source *s = NULL;
        odm_str v = ODM_ABSENT;
        loop *l = NULL;
        FILE *f;
        long pid = 0;

        (void)state;
        if (system("command -v dbus-daemon >/dev/null && command -v busctl >/dev/null") != 0)
                SKIP_TEST("there is no dbus-daemon or no busctl");
        snprintf(address, sizeof address, "unix:path=%s/bus", folder);
        snprintf(command, sizeof command,
                 "dbus-daemon --session --nosyslog --fork --print-pid --address=%s >%s/pid "
                 "2>/dev/null",
                 address, folder);
        if (system(command) != 0)
                SKIP_TEST("no message bus can be started");
        f = fopen(in_folder("pid"), "re");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%ld", &pid), 1);
        fclose(f);
        snprintf(text, sizeof text,
                 "%s org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus Interfaces",
                 address);
        heard = 0;
        assert_int_equal(loop_new(&l), 0);
        assert_int_equal(source_open(l, &n, hear, l, &s), 0);
        wait_for(l, 1);
        kill((pid_t)pid, SIGTERM);
        assert_int_equal(source_value(s, &v), 0);
        assert_non_null(memmem(v.p, v.n, "org.freedesktop.DBus.", 21));
        source_close(s);
        loop_free(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_fit_or_not),
                cmocka_unit_test_setup_teardown(files_are_read, set_up, tear_down),
                cmocka_unit_test(properties_are_read),
                cmocka_unit_test_setup_teardown(commands_are_asked_again, set_up, tear_down),
                cmocka_unit_test_setup_teardown(bad_commands_have_no_value, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_property_of_a_bus, set_up, tear_down),
        };

        return RUN_TESTS(tests);
}
