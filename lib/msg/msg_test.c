/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/msg.h"
#include "support.h"

static void commands_by_name(void **state)
{
        (void)state;
        for (int c = ODM_CMD_STATUS; c <= ODM_CMD_SYNC; c++) {
                odm_str name = exact_copy(odm_cmd_name((odm_cmd)c));
                assert_int_equal(odm_cmd_parse(name), c);
                assert_int_equal(odm_cmd_parse(odm_str_to(name, name.n - 1)), ODM_CMD_UNKNOWN);
                assert_int_equal(odm_cmd_is_foreign((odm_cmd)c), c >= ODM_CMD_PUT);
                exact_free(name);
        }
        assert_int_equal(odm_cmd_parse(ODM_STR("add")), ODM_CMD_UNKNOWN);
        assert_int_equal(odm_cmd_parse(ODM_STR("?")), ODM_CMD_UNKNOWN);
        assert_int_equal(odm_cmd_parse(ODM_ABSENT), ODM_CMD_UNKNOWN);
        assert_string_equal(odm_cmd_name(ODM_CMD_UNKNOWN), "?");
        assert_string_equal(odm_cmd_name((odm_cmd)99), "?");
        assert_false(odm_cmd_is_foreign(ODM_CMD_UNKNOWN));
}

static const struct format_row {
        const char *why, *in;
        odm_format want;
} format_rows[] = {
        {"as written", "chr", ODM_FMT_CHR},
        {"capitals", "NODE", ODM_FMT_NODE},
        {"blanks around", " b64\r\n", ODM_FMT_B64},
        {"the longest", "float", ODM_FMT_FLOAT},
        {"a word that is none", "text", ODM_FMT_OTHER},
        {"a word cut short", "floa", ODM_FMT_OTHER},
        {"nothing", "", ODM_FMT_OTHER},
};

static void formats_by_name(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(format_rows); i++) {
                odm_str in = exact_copy(format_rows[i].in);
                if (odm_format_parse(in) != format_rows[i].want)
                        fail_msg("%s: '%s'", format_rows[i].why, format_rows[i].in);
                exact_free(in);
        }
        for (int f = ODM_FMT_B64; f < ODM_FMT_OTHER; f++)
                assert_int_equal(odm_format_parse(odm_cstr(odm_format_name((odm_format)f))), f);
        assert_string_equal(odm_format_name(ODM_FMT_ABSENT), "chr");
        assert_string_equal(odm_format_name(ODM_FMT_OTHER), "?");
        assert_string_equal(odm_format_name((odm_format)99), "?");
}

static void statuses(void **state)
{
        (void)state;
        assert_string_equal(odm_status_text(404), "Not found");
        assert_string_equal(odm_status_text(ODM_ST_ROLLED_BACK), "Atomic roll back OK");
        assert_string_equal(odm_status_text(599), "Status");
#define X(number, id, text) assert_string_equal(odm_status_text(number), text);
        ODM_STATUSES(X)
#undef X
        assert_true(odm_status_ok(200) && odm_status_ok(299) && odm_status_ok(1200));
        assert_false(odm_status_ok(199) || odm_status_ok(300) || odm_status_ok(1300) ||
                     odm_status_ok(0));
}

/* An Item's own Meta counts, element by element, before its command's. */
static void items_inherit_from_their_command(void **state)
{
        odm_command cmd = {.meta = {.present = true,
                                    .format = ODM_FMT_OTHER,
                                    .format_text = ODM_STR("odd"),
                                    .type = ODM_STR("a/b"),
                                    .mark = ODM_STR("m"),
                                    .has_size = true,
                                    .size = 7}};
        odm_item bare = {.next = NULL};
        odm_item own = {.meta = {.present = true,
                                 .format = ODM_FMT_INT,
                                 .type = ODM_STR(""),
                                 .has_size = true,
                                 .size = 0}};
        odm_command plain = {.kind = ODM_CMD_ADD};

        (void)state;
        odm_meta m = odm_meta_of(&cmd, &bare);
        assert_true(m.present && m.has_size);
        assert_int_equal(m.format, ODM_FMT_OTHER);
        assert_str(m.format_text, "odd");
        assert_str(m.type, "a/b");
        assert_str(m.mark, "m");
        assert_int_equal(m.size, 7);
        m = odm_meta_of(&cmd, &own);
        assert_int_equal(m.format, ODM_FMT_INT);
        assert_true(m.type.p && m.type.n == 0); /* empty is not absent */
        assert_str(m.mark, "m");
        assert_int_equal(m.size, 0);
        m = odm_meta_of(&plain, &bare);
        assert_false(m.present);
        assert_int_equal(odm_meta_of(&plain, &own).format, ODM_FMT_INT);
        own.meta.mark = ODM_STR("its own");
        assert_str(odm_meta_of(&cmd, &own).mark, "its own");
        cmd.kind = ODM_CMD_STATUS; /* what stands there now is a challenge */
        assert_false(odm_meta_of(&cmd, &bare).present);
}

static const struct number_row {
        const char *why, *in;
        uint32_t want;
} number_rows[] = {
        {"one", "1", 1},
        {"blanks around", " 12\n", 12},
        {"leading zeros", "007", 7},
        {"the largest", "2147483647", 2147483647},
        {"one more", "2147483648", 0},
        {"zero", "0", 0},
        {"negative", "-1", 0},
        {"letters", "1a", 0},
        {"nothing", "", 0},
};

static void references_as_numbers(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(number_rows); i++) {
                odm_str in = exact_copy(number_rows[i].in);
                if (odm_ref_number(in) != number_rows[i].want)
                        fail_msg("%s: '%s'", number_rows[i].why, number_rows[i].in);
                exact_free(in);
        }
        assert_int_equal(odm_ref_number(ODM_ABSENT), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_by_name),
                cmocka_unit_test(formats_by_name),
                cmocka_unit_test(statuses),
                cmocka_unit_test(items_inherit_from_their_command),
                cmocka_unit_test(references_as_numbers),
        };

        return RUN_TESTS(tests);
}
