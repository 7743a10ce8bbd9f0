/* SPDX-License-Identifier: Apache-2.0 */
/* small_test.c - the small things of the room: log, gzip, identity, command lines, randomness. */
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "budget.h"
#include "cli.h"
#include "gzip.h"
#include "heap.h"
#include "ident.h"
#include "log.h"
#include "rand.h"
#include "support.h"
#include "words.h"

/* ---- memory --------------------------------------------------------------------- */

static void budgets_have_a_ceiling_and_get_all_back(void **state)
{
        budget b;
        odm_buf x, y;
        char *p;

        (void)state;
        budget_init(&b, 2000);
        odm_buf_init(&x, &b.mem, 4000);
        odm_buf_init(&y, &b.mem, 4000);
        assert_int_equal(odm_buf_reserve(&x, 1024), 0);
        assert_false(budget_is_tight(&b));
        assert_int_equal(odm_buf_reserve(&y, 1024), ODM_ENOMEM);
        assert_int_equal(odm_buf_reserve(&y, 512), 0);
        assert_true(budget_is_tight(&b));
        odm_buf_done(&x);
        odm_buf_done(&y);
        assert_int_equal(budget_used(&b), 0);
        p = b.mem.resize(b.mem.ctx, NULL, 0, 2000);
        assert_non_null(p);
        assert_null(b.mem.resize(b.mem.ctx, p, 2000, 2001)); /* p stays */
        p = b.mem.resize(b.mem.ctx, p, 2000, 10);
        assert_int_equal(budget_used(&b), 10);
        assert_null(b.mem.resize(b.mem.ctx, NULL, 0, SIZE_MAX));
        assert_null(b.mem.resize(b.mem.ctx, p, 10, 0));
        assert_int_equal(budget_used(&b), 0);
}

/* ---- log ------------------------------------------------------------------------ */

static char logged[8192];

static void read_back(int fd)
{
        ssize_t n = pread(fd, logged, sizeof logged - 1, 0);

        logged[n > 0 ? n : 0] = 0;
        assert_int_equal(ftruncate(fd, 0), 0);
        lseek(fd, 0, SEEK_SET);
}

static int log_file(void)
{
        char name[] = "/tmp/log_test.XXXXXX";
        int fd = mkstemp(name);

        assert_true(fd >= 0);
        unlink(name);
        return fd;
}

static void forms_say_the_same(void **state)
{
        int fd = log_file();
        json_t *j;

        (void)state;
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_TEXT, fd, "");
        log_info("it went", log_text("who", "a b"), log_int("n", -3), log_bool("ok", true));
        log_debug("not said");
        read_back(fd);
        assert_non_null(strstr(logged, " INFO  prog: it went  who=\"a b\" n=-3 ok=true\n"));
        assert_int_equal(strlen(logged), strcspn(logged, "\n") + 1);
        log_init("prog", LOG_LEVEL_DEBUG, LOG_FORM_LOGFMT, fd, "");
        log_debug("said", log_str("s", ODM_STR("x\"\n\\")), log_err(ODM_EIO));
        read_back(fd);
        assert_non_null(
                strstr(logged, "level=debug program=prog msg=said s=\"x\\\"\\n\\\\\" error="));
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_JSON, fd, "");
        log_info("odd", log_str("bytes", ODM_STR("\x01\xff")), log_int("n", 5));
        read_back(fd);
        j = json_loads(logged, 0, NULL);
        assert_non_null(j);
        assert_string_equal(json_string_value(json_object_get(j, "msg")), "odd");
        assert_int_equal(json_integer_value(json_object_get(j, "n")), 5);
        json_decref(j);
        close(fd);
}

static void long_lines_are_cut_whole(void **state)
{
        int fd = log_file();
        char big[6000];
        json_t *j;

        (void)state;
        memset(big, 'x', sizeof big);
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_JSON, fd, "");
        log_info("long", log_str("big", (odm_str){big, sizeof big}), log_int("n", 1));
        read_back(fd);
        j = json_loads(logged, 0, NULL);
        assert_non_null(j); /* still one line of JSON */
        assert_null(json_object_get(j, "big"));
        json_decref(j);
        close(fd);
}

/* What an octet becomes may be six times as long as it is. */
static void long_messages_are_cut_whole(void **state)
{
        static const char *const parts[] = {"\xff", "\x01", "\"", "a\xc3\xa4\xc3\xa4", "x"};
        int fd = log_file();
        char big[1601];
        json_t *j;

        (void)state;
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_JSON, fd, "codec");
        for (size_t i = 0; i < ODM_COUNT(parts); i++) {
                size_t n = strlen(parts[i]), at = 0;
                for (; at + n < sizeof big; at += n)
                        memcpy(big + at, parts[i], n);
                big[at] = 0;
                log_tracer()->line(log_tracer()->ctx, "codec", big);
                read_back(fd);
                j = json_loads(logged, 0, NULL);
                if (!j)
                        fail_msg("row %zu: %s", i, logged);
                assert_true(json_string_length(json_object_get(j, "msg")) > 300);
                assert_string_equal(json_string_value(json_object_get(j, "room")), "codec");
                json_decref(j);
        }
        close(fd);
}

static void rooms_are_traced_by_name(void **state)
{
        int fd = log_file();

        (void)state;
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_LOGFMT, fd, "codec,client");
        ODM_TRACE(log_tracer(), "client", "state %d", 1);
        ODM_TRACE(log_tracer(), "tree", "state %d", 2);
        read_back(fd);
        assert_non_null(strstr(logged, "level=trace"));
        assert_non_null(strstr(logged, "msg=\"state 1\" room=client"));
        assert_null(strstr(logged, "state 2"));
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_LOGFMT, fd, "");
        assert_null(log_tracer());
        close(fd);
        log_init("prog", LOG_LEVEL_INFO, LOG_FORM_TEXT, 2, "");
        assert_int_equal(log_level_parse(ODM_STR("WARN")), LOG_LEVEL_WARN);
        assert_int_equal(log_level_parse(ODM_STR("loud")), -1);
}

/* ---- gzip ------------------------------------------------------------------------ */

static void gzip_gives_back_what_it_took(void **state)
{
        static const size_t sizes[] = {0, 1, 255, 4096, 100000};
        odm_buf packed, plain;
        char *text = malloc(100000);

        (void)state;
        for (size_t i = 0; i < 100000; i++)
                text[i] = (char)(i * i >> 3);
        for (size_t i = 0; i < ODM_COUNT(sizes); i++) {
                odm_str in = {text, sizes[i]};
                odm_buf_init(&packed, &heap_mem, 200000);
                odm_buf_init(&plain, &heap_mem, sizes[i] ? sizes[i] : 1); /* exactly enough */
                assert_int_equal(gzip_pack(in, &packed), 0);
                assert_int_equal(gzip_unpack(odm_buf_view(&packed), &plain), 0);
                assert_octets(odm_buf_view(&plain), in);
                odm_buf_done(&plain);
                if (sizes[i] > 1) {
                        odm_buf_init(&plain, &heap_mem, sizes[i] - 1);
                        assert_int_equal(gzip_unpack(odm_buf_view(&packed), &plain), ODM_ELIMIT);
                        assert_int_equal(plain.n, 0);
                        odm_buf_done(&plain);
                }
                odm_buf_done(&packed);
        }
        free(text);
}

static void damaged_streams_are_refused(void **state)
{
        odm_buf packed, plain;

        (void)state;
        odm_buf_init(&packed, &heap_mem, 1000);
        odm_buf_init(&plain, &heap_mem, 1000);
        assert_int_equal(gzip_pack(ODM_STR("hello hello hello hello"), &packed), 0);
        for (size_t n = 0; n < packed.n; n++) {
                odm_str cut = exact_bytes(packed.p, n);
                assert_int_equal(gzip_unpack(cut, &plain), ODM_EMALFORMED);
                assert_int_equal(plain.n, 0);
                exact_free(cut);
        }
        assert_int_equal(odm_buf_byte(&packed, 'x'), 0);
        assert_int_equal(gzip_unpack(odm_buf_view(&packed), &plain), ODM_EMALFORMED);
        odm_buf_done(&packed);
        odm_buf_init(&packed, &heap_mem, 10);
        assert_int_equal(gzip_pack(ODM_STR("does not fit at all"), &packed), ODM_ELIMIT);
        assert_int_equal(packed.n, 0);
        odm_buf_done(&packed);
        odm_buf_done(&plain);
}

/* ---- identity ---------------------------------------------------------------------- */

static void machines_are_told_apart(void **state)
{
        char root[] = "/tmp/ident_test.XXXXXX", command[64];
        ident a, b;

        (void)state;
        assert_non_null(mkdtemp(root));
        write_below(root, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        write_below(root, "/etc/os-release",
                    "NAME=\"An OS\"\nVERSION_ID=12\nPRETTY_NAME='An OS 12'\n"
                    "ID=x\n");
        write_below(root, "/sys/class/dmi/id/sys_vendor", "To Be Filled By O.E.M.\n");
        write_below(root, "/sys/class/dmi/id/board_vendor", "Maker\n");
        write_below(root, "/sys/class/dmi/id/product_name", " Model 1 \n");
        ident_read(root, &a);
        assert_string_equal(a.os_name, "An OS");
        assert_string_equal(a.os_version, "12");
        assert_string_equal(a.os_pretty, "An OS 12");
        assert_string_equal(a.maker, "Maker");
        assert_string_equal(a.model, "Model 1");
        assert_string_equal(a.hw_version, "");
        assert_int_equal(strlen(a.machine_uuid), 36);
        assert_null(strstr(a.machine_uuid, "01234567")); /* never the id itself */
        ident_read(root, &b);
        assert_string_equal(a.machine_uuid, b.machine_uuid);
        write_below(root, "/etc/machine-id", "1123456789abcdef0123456789abcdef\n");
        ident_read(root, &b);
        assert_string_not_equal(a.machine_uuid, b.machine_uuid);
        assert_true(a.kernel[0] != 0);
        snprintf(command, sizeof command, "rm -r %s", root);
        assert_int_equal(system(command), 0);
}

/* ---- command lines -------------------------------------------------------------------- */

static int split(char *line, char **argv)
{
        int n = 0;

        for (char *at = line; at; n++) {
                argv[n] = at;
                at = strchr(at, ' ');
                if (at)
                        *at++ = 0;
        }
        argv[n] = NULL;
        return n;
}

static void options_are_read(void **state)
{
        bool flag = false;
        const char *name = NULL;
        int64_t count = 0;
        cli_list list = {0};
        const cli_option options[] = {
                {'f', "flag", CLI_FLAG, &flag, NULL, "A flag."},
                {'n', "name", CLI_STRING, &name, "NAME", "A name."},
                {0, "count", CLI_INT, &count, "N", "A count."},
                {0, "set", CLI_LIST, &list, "K=V", "Several."},
        };
        const cli_program p = {.name = "prog",
                               .version = "1",
                               .usage = "[options]",
                               .options = options,
                               .n = ODM_COUNT(options)};
        char line[] = "prog --name=x one -f --count -5 --set=a --set b two";
        char *argv[12];
        int argc = split(line, argv);
        int first = 0;

        (void)state;
        assert_int_equal(cli_parse(&p, argc, argv, false, &first), CLI_GO_ON);
        assert_true(flag);
        assert_string_equal(name, "x");
        assert_int_equal(count, -5);
        assert_int_equal(list.n, 2);
        assert_string_equal(list.at[1], "b");
        assert_int_equal(first, 8);
        assert_string_equal(argv[8], "one");
}

static void randomness_is_spread(void **state)
{
        unsigned seen[5] = {0};
        char hex[9];

        (void)state;
        for (int i = 0; i < 5000; i++)
                seen[rand_below(5)]++;
        for (int i = 0; i < 5; i++)
                assert_in_range(seen[i], 800, 1200);
        rand_hex(hex, 4);
        assert_int_equal(strspn(hex, "0123456789abcdef"), 8);
}

static void words_are_kept_once(void **state)
{
        static const odm_str zeros = {"a\0b", 3};
        words *w = words_new();
        const char *same[3], *many[500];
        char name[16];

        (void)state;
        assert_non_null(w);
        for (int i = 0; i < 3; i++)
                same[i] = words_take(w, ODM_STR("Model 1"));
        assert_string_equal(same[0], "Model 1");
        assert_ptr_equal(same[0], same[1]);
        assert_ptr_equal(same[0], same[2]);
        assert_string_equal(words_take(w, ODM_ABSENT), "");
        assert_true(odm_str_eq(words_text(words_take(w, zeros)), zeros));
        assert_ptr_not_equal(words_take(w, ODM_STR("a")), words_take(w, zeros));
        assert_int_equal(words_count(w), 4);
        for (int i = 0; i < 500; i++) { /* more than there are chains at first */
                snprintf(name, sizeof name, "%d", i);
                many[i] = words_take(w, odm_cstr(name));
        }
        assert_ptr_equal(words_take(w, ODM_STR("77")), many[77]);
        for (int i = 0; i < 500; i++)
                words_drop(w, many[i]);
        assert_int_equal(words_count(w), 5);
        words_drop(w, same[0]);
        words_drop(w, same[1]);
        assert_string_equal(same[2], "Model 1");
        words_drop(w, same[2]);
        words_drop(w, NULL);
        assert_int_equal(words_count(w), 4);
        words_free(w);
        words_free(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(budgets_have_a_ceiling_and_get_all_back),
                cmocka_unit_test(forms_say_the_same),
                cmocka_unit_test(long_lines_are_cut_whole),
                cmocka_unit_test(long_messages_are_cut_whole),
                cmocka_unit_test(rooms_are_traced_by_name),
                cmocka_unit_test(gzip_gives_back_what_it_took),
                cmocka_unit_test(damaged_streams_are_refused),
                cmocka_unit_test(machines_are_told_apart),
                cmocka_unit_test(options_are_read),
                cmocka_unit_test(randomness_is_spread),
                cmocka_unit_test(words_are_kept_once),
        };

        return RUN_TESTS(tests);
}
