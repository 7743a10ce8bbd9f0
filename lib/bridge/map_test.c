/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: the one that ships is good, and what is wrong with a line is told with its number. */
#include "lab.h"

static const char *onem2m_path, *page_path;

static const struct row {
        const char *why, *text;
        unsigned line; /* 0: it is good */
        const char *says;
} rows[] = {
        {"nothing", "", 0, NULL},
        {"comments and blanks", "# x\n\n  \t# y\n", 0, NULL},
        {"a leaf", "./A/B chr G /3/0/0\n", 0, NULL},
        {"all there is", "./A/* int GRADE /9/*/10 exec ?7=2,3", 0, NULL},
        {"an asterisk on both sides", "./A/*/B int G /9/*/7 enum 0=1,1=2 ?7=2,3\r\n", 0, NULL},
        {"an instance of a resource", "./A/* chr G /8/0/2/*", 0, NULL},
        {"too few words", "./A/B chr G", 1, "address, format, access and source"},
        {"too many", "./A/B chr G /3/0/0 enum 1=2 3=4", 1, "too many words"},
        {"far too many", "1 2 3 4 5 6 7 8 9", 1, "too many words"},
        {"no address", "\nA/B chr G /3/0/0", 2, "no address"},
        {"no address either", "./A//B chr G /3/0/0", 1, "no address"},
        {"two asterisks", "./*/* chr G /9/*/0", 1, "more than one *"},
        {"no format", "./A/B text G /3/0/0", 1, "no format"},
        {"no access", "./A/B chr X /3/0/0", 1, "no access"},
        {"no path", "./A/B chr G 3/0/0", 1, "no path"},
        {"an asterisk where none may be", "./A/B chr G /*/0/0", 1, "may stand there"},
        {"two of them", "./A/* chr G /9/*/0/*", 1, "may stand there"},
        {"a resource that nobody knows", "./A/B chr G /3/0/99", 1, "no such resource"},
        {"secrets", "./A/B chr G /0/0/5", 1, "secrets"},
        {"no rule", "./A/B chr G /3/0/0 upper", 1, "no rule"},
        {"an argument too few", "./A/B chr G - const", 1, "wants an argument"},
        {"one too many", "./A/B chr G /3/0/0 or-empty x", 1, "takes no argument"},
        {"no source", "./A/B chr G - enum 1=2", 1, "wants a resource"},
        {"nor what is kept", "./A/B chr GR /5/0 or-kept", 1, "wants a resource"},
        {"a source", "./A node G /3 mo urn:x", 1, "wants no source"},
        {"a resource", "./A/B chr G /3", 1, "wants a resource"},
        {"an asterisk without the other", "./A/* chr G /3/0/0", 1, "and none in the source"},
        {"and the other way", "./A/B chr G /9/*/0", 1, "and none in the source"},
        {"no job", "./A/B null E /3/0/4 job fly", 1, "no job"},
        {"Exec without a rule", "./A/B chr GE /3/0/0", 1, "Exec goes with"},
        {"no condition", "./A/B chr G /3/0/0 ?x=1", 1, "no condition"},
        {"a condition without values", "./A/B chr G /3/0/0 ?7=", 1, "no condition"},
        {"with too many", "./A/B chr G /3/0/0 ?7=1,2,3,4,5,6,7,8,9", 1, "no condition"},
        {"of what has no instance", "./A/B chr G /9 kept ?7=1", 1, "wants an instance"},
        {"no number", "./A/B int G /3/0/9 times 0", 1, "no number"},
        {"twice", "./A/B chr G /3/0/0\n./A/B chr G /3/0/1\n", 2, "a rule already"},
        {"no text", "./A/B\xff chr G /3/0/0", 1, "no text"},
};

static void lines_are_read_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str text = exact_copy(rows[i].text);
                odm_map_fault why = {.line = 0};
                odm_map *m = NULL;
                int rc = odm_map_parse(&heap, text, NULL, &m, &why);

                if (rc != (rows[i].line ? ODM_EMALFORMED : 0))
                        fail_msg("%s: %s, %s", rows[i].why, odm_err_name(rc), why.text);
                if (why.line != rows[i].line || (rc < 0 && !strstr(why.text, rows[i].says)))
                        fail_msg("%s: line %u: %s", rows[i].why, why.line, why.text);
                odm_map_free(m);
                exact_free(text);
        }
}

static void the_map_that_ships_is_good(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(lab_open(&l, &heap, LAB_LINKS, "1.0"), 0);
        assert_true(odm_map_size(l.map) > 100);
        for (size_t i = 0; i < odm_map_size(l.map); i++) {
                odm_map_row r = odm_map_row_at(l.map, i);
                assert_true(odm_str_starts(r.node, "./"));
                if (odm_str_is(r.node, "./DevDetail/FwV")) {
                        assert_str(r.source, "/3/0/3");
                        assert_int_equal(r.format, ODM_FMT_CHR);
                        assert_int_equal(r.access, ODM_ACC_GET);
                        assert_str(r.rule, "");
                }
        }
        lab_close(&l);
}

static odm_str read_whole(const char *path)
{
        FILE *f = fopen(path, "r");
        char *p = malloc(65536);

        assert_non_null(f);
        assert_non_null(p);
        size_t n = fread(p, 1, 65535, f);
        p[n] = '\0';
        (void)fclose(f);
        return (odm_str){p, n};
}

/* What oneM2M has, the map says too, with the same resource. */
static void the_three_worlds_agree(void **state)
{
        odm_str text = read_whole(onem2m_path);
        size_t lines = 0;
        lab l;

        (void)state;
        assert_int_equal(lab_open(&l, &heap, LAB_LINKS, "1.0"), 0);
        for (const char *line = text.p; *line; line += strcspn(line, "\n") + 1) {
                char attribute[64], node[96], source[32];
                bool found = false;
                if (*line == '#' || sscanf(line, "%63s %95s %31s", attribute, node, source) != 3)
                        continue;
                lines++;
                for (size_t i = 0; i < odm_map_size(l.map) && !found; i++) {
                        odm_map_row r = odm_map_row_at(l.map, i);
                        found = odm_str_is(r.node, node) &&
                                strncmp(source, r.source.p, r.source.n) == 0;
                }
                if (!found)
                        fail_msg("%s: %s is not %s in the map", attribute, node, source);
        }
        assert_true(lines > 20);
        lab_close(&l);
        free((void *)(uintptr_t)text.p);
}

/* Every object that the map makes is in the users' page. */
static void the_page_tells_of_every_object(void **state)
{
        odm_str text = read_whole(page_path);
        lab l;

        (void)state;
        assert_int_equal(lab_open(&l, &heap, LAB_LINKS, "1.0"), 0);
        for (size_t i = 0; i < odm_map_size(l.map); i++) {
                odm_map_row r = odm_map_row_at(l.map, i);
                char z[96];
                if (!odm_str_is(r.rule, "mo"))
                        continue;
                (void)snprintf(z, sizeof z, "`%.*s`", (int)r.node.n, r.node.p);
                if (!strstr(text.p, z))
                        fail_msg("%s is not told of", z);
        }
        lab_close(&l);
        free((void *)(uintptr_t)text.p);
}

static int parse(failing *f, void *arg)
{
        odm_map_fault why;
        odm_map *m = NULL;
        int rc = odm_map_parse(&f->mem, odm_cstr(arg), NULL, &m, &why);

        odm_map_free(m);
        return rc;
}

static void it_survives_want_of_memory(void **state)
{
        char text[] = "./A/B chr G /3/0/0\n./A/C chr G /3/0/1\n";

        (void)state;
        torture(parse, text, 20);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_are_read_as_the_table_says),
                cmocka_unit_test(the_map_that_ships_is_good),
                cmocka_unit_test(the_three_worlds_agree),
                cmocka_unit_test(the_page_tells_of_every_object),
                cmocka_unit_test(it_survives_want_of_memory),
        };
        lab_map_path = argc > 1 ? argv[1] : "apps/grem/maps/lwm2m.map";
        onem2m_path = argc > 2 ? argv[2] : "apps/grem/maps/onem2m.map";
        page_path = argc > 3 ? argv[3] : "docs/gateway.md";
        return RUN_TESTS(tests);
}
