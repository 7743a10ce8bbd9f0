/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to Get out of flat nodes: every form, as tables. */
#include "odm/view.h"

#include "support.h"

#define LEAF(p, f, d)                                                                           \
        {                                                                                       \
                .path = {p, sizeof(p) - 1}, .value = {.format = f, .data = {d, sizeof(d) - 1}}, \
                .has_data = true                                                                \
        }
#define INNER(p, t)                                    \
        {                                              \
                .path = {p, sizeof(p) - 1}, .value = { \
                        .format = ODM_FMT_NODE,        \
                        .type = {t, sizeof(t) - 1}     \
                }                                      \
        }

/* Out of order, without ./FUMO, with one twice and some that are none. */
static const odm_view_node nodes[] = {
        LEAF("./FUMO/main/State", ODM_FMT_INT, "10"),
        LEAF("./DevInfo/Mod", ODM_FMT_CHR, "M1"),
        INNER("./DevInfo", "urn:oma:mo:oma-dm-devinfo:1.1"),
        {.path = {"./DevInfo/Man", 13},
         .value = {.data = {"Acme", 4}},
         .has_data = true,
         .at = {1000000000}},
        {.path = {"./DevInfo/Man", 13}, .value = {.format = ODM_FMT_CHR}},
        {.path = {"./DevInfo/Man/below", 19}, .value = {.data = {"x", 1}}, .has_data = true},
        INNER("./FUMO/main", "urn:oma:mo:oma-fumo:1.0"),
        {.path = {"./FUMO/main/Update", 18}, .value = {.format = ODM_FMT_NULL}},
        LEAF("./DevInfo-2", ODM_FMT_CHR, "sorts before the slash by octets"),
        INNER("./Ext", ""),
        LEAF("./a//b", ODM_FMT_CHR, "no address"),
        LEAF("DevInfo/Lang", ODM_FMT_CHR, "nor this"),
        LEAF("./DevInfo?prop=ACL", ODM_FMT_CHR, "nor that"),
        LEAF("./Blob", ODM_FMT_BIN, "\0\1\2"),
};

static const odm_view all = {
        .top = {"./GwDev/d1", 10}, .nodes = nodes, .n = ODM_COUNT(nodes), .now = {1700000000}};

struct view_row {
        const char *why, *target;
        unsigned status;
        const char *want; /* results, as text */
};

/* "URI FORMAT TYPE=DATA;" for each result. */
static void tell(const odm_answer *a, odm_buf *b)
{
        for (const odm_result *r = a->results; r; r = r->next) {
                int rc = odm_buf_fmt(b, "%.*s", (int)r->uri.n, r->uri.p);
                if (rc == 0 && !r->is_prop)
                        rc = odm_buf_fmt(b, " %s %.*s", odm_format_name(r->value.format),
                                         (int)r->value.type.n,
                                         r->value.type.p ? r->value.type.p : "");
                if (rc == 0 && r->has_data)
                        rc = odm_buf_fmt(b, "=%.*s", (int)r->value.data.n,
                                         r->value.data.p ? r->value.data.p : "");
                if (rc == 0)
                        rc = odm_buf_str(b, ODM_STR(";"));
                assert_int_equal(rc, 0);
        }
}

static void check(const odm_view *v, const struct view_row *r)
{
        odm_answer got = {.status = 7};
        odm_str target = exact_copy(r->target);
        odm_arena a;
        odm_buf b;

        odm_arena_init(&a, &heap, 1 << 20);
        odm_buf_init(&b, &heap, 65536);
        assert_int_equal(odm_view_get(v, target, &a, &got), 0);
        if (got.status != r->status)
                fail_msg("%s: %s gave %u, not %u", r->why, r->target, got.status, r->status);
        tell(&got, &b);
        if (!odm_str_is(odm_buf_view(&b), r->want ? r->want : ""))
                fail_msg("%s: %s gave\n%.*s\nnot\n%s", r->why, r->target, (int)b.n, b.p,
                         r->want ? r->want : "");
        odm_buf_done(&b);
        odm_arena_done(&a);
        exact_free(target);
}

static const struct view_row rows[] = {
        {"a leaf", "./GwDev/d1/DevInfo/Man", 200, "./GwDev/d1/DevInfo/Man chr text/plain=Acme;"},
        {"its address without dot", "GwDev/d1/DevInfo/Mod", 200,
         "GwDev/d1/DevInfo/Mod chr text/plain=M1;"},
        {"a number", "./GwDev/d1/FUMO/main/State", 200,
         "./GwDev/d1/FUMO/main/State int text/plain=10;"},
        {"the names of children", "./GwDev/d1/DevInfo", 200,
         "./GwDev/d1/DevInfo node text/plain=Man/Mod;"},
        {"of a node between", "./GwDev/d1/FUMO", 200, "./GwDev/d1/FUMO node text/plain=main;"},
        {"of one without any", "./GwDev/d1/Ext", 200, "./GwDev/d1/Ext node text/plain=;"},
        {"of the top", "./GwDev/d1", 200,
         "./GwDev/d1 node text/plain=Blob/DevInfo/DevInfo-2/Ext/FUMO;"},
        {"not there", "./GwDev/d1/Nope", 404, NULL},
        {"below a leaf", "./GwDev/d1/DevInfo/Man/none", 404, NULL},
        {"another device", "./GwDev/d2/DevInfo/Man", 404, NULL},
        {"one whose name begins alike", "./GwDev/d10/DevInfo/Man", 404, NULL},
        {"above", "./GwDev", 404, NULL},
        {"no URI", "./GwDev/d1//x", 404, NULL},
        {"a leaf without a value", "./GwDev/d1/FUMO/main/Update", 405, NULL},
        {"a format", "./GwDev/d1/FUMO/main/State?prop=Format", 200,
         "./GwDev/d1/FUMO/main/State?prop=Format=int;"},
        {"of an interior node", "./GwDev/d1/FUMO?prop=Format", 200,
         "./GwDev/d1/FUMO?prop=Format=node;"},
        {"a type", "./GwDev/d1/DevInfo/Man?prop=Type", 200,
         "./GwDev/d1/DevInfo/Man?prop=Type=text/plain;"},
        {"of an object", "./GwDev/d1/FUMO/main?prop=Type", 200,
         "./GwDev/d1/FUMO/main?prop=Type=urn:oma:mo:oma-fumo:1.0;"},
        {"of a leaf without a value", "./GwDev/d1/FUMO/main/Update?prop=Format", 200,
         "./GwDev/d1/FUMO/main/Update?prop=Format=null;"},
        {"a name", "./GwDev/d1/DevInfo?prop=Name", 200, "./GwDev/d1/DevInfo?prop=Name=DevInfo;"},
        {"rights are those of the key", "./GwDev/d1/DevInfo?prop=ACL", 200,
         "./GwDev/d1/DevInfo?prop=ACL=;"},
        {"a size", "./GwDev/d1/Blob?prop=Size", 200, "./GwDev/d1/Blob?prop=Size=3;"},
        {"no size", "./GwDev/d1/DevInfo?prop=Size", 406, NULL},
        {"a size nobody knows", "./GwDev/d1/FUMO/main/Update?prop=Size", 405, NULL},
        {"the time of a cached value", "./GwDev/d1/DevInfo/Man?prop=TStamp", 200,
         "./GwDev/d1/DevInfo/Man?prop=TStamp=20010909T014640Z;"},
        {"the time of a live one", "./GwDev/d1/DevInfo/Mod?prop=TStamp", 200,
         "./GwDev/d1/DevInfo/Mod?prop=TStamp=20231114T221320Z;"},
        {"no title", "./GwDev/d1/DevInfo?prop=Title", 406, NULL},
        {"no version", "./GwDev/d1/DevInfo?prop=VerNo", 406, NULL},
        {"a property nobody knows", "./GwDev/d1/DevInfo?prop=Shape", 406, NULL},
        {"a property of what is not there", "./GwDev/d1/Nope?prop=Name", 404, NULL},
        {"structure", "./GwDev/d1/FUMO?list=Struct", 200,
         "./GwDev/d1/FUMO node ;./GwDev/d1/FUMO/main node urn:oma:mo:oma-fumo:1.0;"
         "./GwDev/d1/FUMO/main/State int text/plain;./GwDev/d1/FUMO/main/Update null text/plain;"},
        {"with data", "./GwDev/d1/FUMO?list=StructData", 200,
         "./GwDev/d1/FUMO node ;./GwDev/d1/FUMO/main node urn:oma:mo:oma-fumo:1.0;"
         "./GwDev/d1/FUMO/main/State int text/plain=10;"},
        {"of a leaf", "./GwDev/d1/DevInfo/Mod?list=StructData", 200,
         "./GwDev/d1/DevInfo/Mod chr text/plain=M1;"},
        {"a list of what is not there", "./GwDev/d1/Nope?list=Struct", 404, NULL},
};

static void gets_are_answered_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                check(&all, &rows[i]);
}

static void ceilings_hold(void **state)
{
        static const struct view_row too_many = {"too many", "./GwDev/d1?list=Struct", 413, NULL};
        static const struct view_row few = {"few enough", "./GwDev/d1/DevInfo?list=Struct", 200,
                                            "./GwDev/d1/DevInfo node urn:oma:mo:oma-dm-devinfo:1.1;"
                                            "./GwDev/d1/DevInfo/Man chr text/plain;"
                                            "./GwDev/d1/DevInfo/Mod chr text/plain;"};
        static const struct view_row names = {
                "names are no list", "./GwDev/d1", 200,
                "./GwDev/d1 node text/plain=Blob/DevInfo/DevInfo-2/Ext/FUMO;"};
        static const struct view_row large = {"too large", "./GwDev/d1/DevInfo-2", 413, NULL};
        static const struct view_row one_large = {"one of a list", "./GwDev/d1?list=StructData",
                                                  413, NULL};
        static const struct view_row doc_large = {"a document", "./GwDev/d1/DevInfo?list=TNDS", 413,
                                                  NULL};
        odm_view v = all;

        (void)state;
        v.max_list = 3;
        check(&v, &too_many);
        check(&v, &few);
        check(&v, &names);
        v = all;
        v.max_result = 8;
        check(&v, &large);
        check(&v, &one_large);
        v.max_result = 5; /* Acme and M1 are six */
        check(&v, &doc_large);
}

static void an_empty_view_has_its_top(void **state)
{
        static const struct view_row top = {"its top", "./GwDev/d1", 200,
                                            "./GwDev/d1 node text/plain=;"};
        static const struct view_row list = {"a list", "./GwDev/d1?list=StructData", 200,
                                             "./GwDev/d1 node ;"};
        static const struct view_row none = {"no more", "./GwDev/d1/DevInfo", 404, NULL};
        odm_view v = {.top = ODM_STR("./GwDev/d1")};

        (void)state;
        check(&v, &top);
        check(&v, &list);
        check(&v, &none);
}

static void documents_are_whole(void **state)
{
        odm_answer got;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(
                odm_view_get(&all, ODM_STR("./GwDev/d1?list=TNDS+Format+Value+TStamp"), &a, &got),
                0);
        assert_int_equal(got.status, 200);
        assert_str(got.results->uri, "./GwDev/d1");
        assert_int_equal(got.results->value.format, ODM_FMT_XML);
        const odm_doc_node *top = got.results->doc->nodes;
        assert_str(top->name, "d1");
        const odm_doc_node *blob = top->children, *info = blob->next;
        assert_str(blob->name, "Blob");
        assert_int_equal(blob->value.kind, ODM_DATA_OPAQUE);
        assert_str(info->name, "DevInfo");
        assert_true(info->type_is_ddf_name);
        assert_str(info->type, "urn:oma:mo:oma-dm-devinfo:1.1");
        assert_str(info->children->name, "Man");
        assert_str(info->children->value.bytes, "Acme");
        assert_str(info->children->tstamp, "20010909T014640Z");
        assert_null(info->children->children);
        assert_str(info->children->next->name, "Mod");
        assert_null(info->children->next->next);
        const odm_doc_node *fumo = info->next->next->next;
        assert_str(fumo->name, "FUMO");
        assert_null(fumo->next);
        assert_str(fumo->children->name, "main");
        assert_str(fumo->children->children->name, "State");
        assert_null(fumo->children->children->next); /* Update has no value */

        assert_int_equal(odm_view_get(&all, ODM_STR("./GwDev/d1/FUMO?list=TNDS+Type"), &a, &got),
                         0);
        const odm_doc_node *main_node = got.results->doc->nodes->children;
        assert_str(main_node->children->next->name, "Update"); /* no values were asked for */
        assert_int_equal(main_node->children->format, ODM_FMT_ABSENT);
        assert_int_equal(main_node->children->value.kind, ODM_DATA_ABSENT);
        odm_arena_done(&a);
}

static void targets_say_what_is_needed(void **state)
{
        static const odm_uri_limits lim = {.max_depth = 4};
        static const struct {
                const char *top, *target, *path;
                odm_view_need need;
                unsigned status;
        } needs[] = {
                {"./GwDev/d1", "./GwDev/d1", ".", ODM_VIEW_NODE, 200},
                {"./GwDev/d1", "./GwDev/d1?list=Struct", ".", ODM_VIEW_STRUCT, 200},
                {"./GwDev/d1", "./GwDev/d1/A/b?list=StructData", "./A/b", ODM_VIEW_DATA, 200},
                {"./GwDev/d1", "./GwDev/d1/A?list=TNDS", "./A", ODM_VIEW_DATA, 200},
                {"./GwDev/d1", "./GwDev/d1/A?list=TNDS+Format", "./A", ODM_VIEW_STRUCT, 200},
                {"./GwDev/d1", "./GwDev/d1/A?list=TNDS-ACL", "./A", ODM_VIEW_DATA, 200},
                {"./GwDev/d1", "GwDev/d1/A?prop=Size", "./A", ODM_VIEW_NODE, 200},
                {"./GwDev/d1", "./GwDev/d1/A/B/c", NULL, ODM_VIEW_NODE, 414},
                {"./GwDev/d1", "./GwDev/d2/A", NULL, ODM_VIEW_NODE, 404},
                {"./GwDev/d1", "./GwDev/d1?x=y", NULL, ODM_VIEW_NODE, 406},
                {".", "./A/b", "./A/b", ODM_VIEW_NODE, 200},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(needs); i++) {
                odm_view_need need = ODM_VIEW_NODE;
                odm_str path = ODM_STR("untouched");
                unsigned status = 0;
                odm_arena a;

                odm_arena_init(&a, &heap, 4096);
                assert_int_equal(odm_view_target(odm_cstr(needs[i].top), odm_cstr(needs[i].target),
                                                 &lim, &a, &path, &need, &status),
                                 0);
                if (status != needs[i].status || need != needs[i].need)
                        fail_msg("%s: %u, need %d", needs[i].target, status, (int)need);
                assert_str(path, needs[i].path ? needs[i].path : "untouched");
                odm_arena_done(&a);
        }
}

static int torture_view(failing *f, void *arg)
{
        odm_answer got = {.status = 7};
        odm_arena a;

        odm_arena_init(&a, &f->mem, 1 << 20);
        int rc = odm_view_get(&all, odm_cstr(arg), &a, &got);
        if (rc == 0)
                assert_int_equal(got.status, 200);
        else
                assert_int_equal(got.status, 7);
        odm_arena_done(&a);
        return rc;
}

static void credentials_are_known_by_their_names(void **state)
{
        static const struct {
                const char *uri;
                bool want;
        } names[] = {
                {"./DMAcc/a/AppAuth/1/AAuthSecret", true},
                {"./DMAcc/a/AppAuth/1/AAuthData?prop=Size", true},
                {"ClientPW", true},
                {"./DMAcc/a/AppAuth/1/AAuthName", false},
                {"./AAuthSecret/x", false},
                {"", false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(names); i++)
                if (odm_is_secret(odm_cstr(names[i].uri)) != names[i].want)
                        fail_msg("%s", names[i].uri);
        assert_false(odm_is_secret(ODM_ABSENT));
}

static void memory_may_run_out(void **state)
{
        (void)state;
        torture(torture_view, (void *)(uintptr_t) "./GwDev/d1?list=TNDS", 100);
        torture(torture_view, (void *)(uintptr_t) "./GwDev/d1?list=StructData", 100);
        torture(torture_view, (void *)(uintptr_t) "./GwDev/d1", 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(gets_are_answered_as_the_table_says),
                cmocka_unit_test(ceilings_hold),
                cmocka_unit_test(an_empty_view_has_its_top),
                cmocka_unit_test(documents_are_whole),
                cmocka_unit_test(targets_say_what_is_needed),
                cmocka_unit_test(credentials_are_known_by_their_names),
                cmocka_unit_test(memory_may_run_out),
        };

        return RUN_TESTS(tests);
}
