/* SPDX-License-Identifier: Apache-2.0 */
/* DDF documents: what makes descriptors, and what is refused, where and why. */
#include "odm/tree.h"
#include "support.h"

static odm_ref mime = {NULL, {"text/plain", 10}};
static odm_ref no_id = {NULL, {"", 0}};

static odm_doc_node leaf(const char *name)
{
        return (odm_doc_node){.name = odm_cstr(name),
                              .has_df = true,
                              .df_format = ODM_FMT_CHR,
                              .df_types = &mime,
                              .access = ODM_ACC_GET};
}

static odm_doc_node inner(const char *name, odm_doc_node *kids)
{
        return (odm_doc_node){.name = odm_cstr(name),
                              .has_df = true,
                              .df_format = ODM_FMT_NODE,
                              .df_types = &no_id,
                              .df_type_is_ddf_name = true,
                              .access = ODM_ACC_GET,
                              .children = kids};
}

static void no_df(odm_doc_node *n)
{
        n->has_df = false;
}
static void no_format(odm_doc_node *n)
{
        n->df_format = ODM_FMT_ABSENT;
}
static void other_format(odm_doc_node *n)
{
        n->df_format = ODM_FMT_OTHER;
}
static void bad_name(odm_doc_node *n)
{
        n->name = ODM_STR("a/b");
}
static void a_path(odm_doc_node *n)
{
        n->path = ODM_STR("./X");
}
static void a_child(odm_doc_node *n)
{
        static odm_doc_node kid;

        kid = leaf("kid");
        n->children = &kid;
}
static void no_types(odm_doc_node *n)
{
        n->df_types = NULL;
}
static void an_id(odm_doc_node *n)
{
        n->df_type_is_ddf_name = true;
}
static void node_with_mime(odm_doc_node *n)
{
        n->df_format = ODM_FMT_NODE;
}
static void node_with_value(odm_doc_node *n)
{
        *n = inner("b", NULL);
        n->default_value = ODM_STR("x");
}
static void bad_default(odm_doc_node *n)
{
        n->df_format = ODM_FMT_BOOL;
        n->default_value = ODM_STR("perhaps");
}
static void bad_n(odm_doc_node *n)
{
        n->occurs = ODM_OCC_ZERO_OR_N;
        n->occurs_n = 1;
}
static void same_name(odm_doc_node *n)
{
        n->name = ODM_STR("a");
}
static void unnamed(odm_doc_node *n)
{
        n->name = ODM_STR("");
}

static void documents_are_judged_as_the_table_says(void **state)
{
        static const struct row {
                const char *why;
                void (*spoil)(odm_doc_node *);
                const char *where;
        } rows[] = {
                {"DFProperties is missing", no_df, "Top/b"},
                {"DFFormat is missing", no_format, "Top/b"},
                {"DFFormat is none of the known formats", other_format, "Top/b"},
                {"NodeName has a character that no name may have", bad_name, "Top/a/b"},
                {"Path is only for the top nodes of a document", a_path, "Top/b"},
                {"a leaf has children", a_child, "Top/b"},
                {"DFType of a leaf names no MIME type", no_types, "Top/b"},
                {"DFType of a leaf is an object identifier", an_id, "Top/b"},
                {"DFType of an interior node is a MIME type", node_with_mime, "Top/b"},
                {"an interior node has a value", node_with_value, "Top/b"},
                {"DefaultValue does not fit DFFormat", bad_default, "Top/b"},
                {"Occurrence N is not from 2 to 65536", bad_n, "Top/b"},
                {"two nodes have the same name", same_name, "Top"},
                {NULL, unnamed, NULL},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_doc_node second = leaf("b"), first = leaf("a"), top;
                const char *why = NULL;
                odm_str where = ODM_ABSENT;
                odm_mo mo = {.n = 77};
                rows[i].spoil(&second);
                first.next = &second;
                top = inner("Top", &first);
                int rc = odm_mo_from_doc(&top, &a, &mo, &why);
                if (rows[i].why == NULL) {
                        assert_int_equal(rc, 0);
                        assert_int_equal(mo.n, 3);
                        assert_int_equal(odm_mo_culprit(&top, &a, &where), ODM_ENOENT);
                        continue;
                }
                if (rc != ODM_EMALFORMED || strcmp(why, rows[i].why) != 0)
                        fail_msg("%s: %s, %s", rows[i].why, odm_err_name(rc), why ? why : "");
                assert_int_equal(mo.n, 77);
                assert_int_equal(odm_mo_culprit(&top, &a, &where), 0);
                assert_str(where, rows[i].where);
        }
        odm_arena_done(&a);
}

static void nesting_is_bounded(void **state)
{
        odm_doc_node nodes[ODM_URI_SEGS + 1];
        const char *why = NULL;
        odm_arena a;
        odm_mo mo;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        for (size_t i = 0; i <= ODM_URI_SEGS; i++)
                nodes[i] = inner("n", i < ODM_URI_SEGS ? &nodes[i + 1] : NULL);
        assert_int_equal(odm_mo_from_doc(&nodes[0], &a, &mo, &why), ODM_EMALFORMED);
        assert_string_equal(why, "nodes are nested too deeply");
        assert_int_equal(odm_mo_from_doc(&nodes[1], &a, &mo, &why), 0);
        assert_int_equal(mo.n, ODM_URI_SEGS);
        odm_arena_done(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(documents_are_judged_as_the_table_says),
                cmocka_unit_test(nesting_is_bounded),
        };

        return RUN_TESTS(tests);
}
