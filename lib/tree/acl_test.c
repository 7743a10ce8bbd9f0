/* SPDX-License-Identifier: Apache-2.0 */
/* Access control: the grammar, and who may do what (dm-tree.md 4). */
#include "fixture.h"

#define ADD ODM_CMD_ADD
#define REP ODM_CMD_REPLACE
#define DEL ODM_CMD_DELETE
#define GET ODM_CMD_GET
#define NODE ODM_FMT_NODE
#define CHR ODM_FMT_CHR
#define ABS ODM_FMT_ABSENT

static void the_grammar_is_as_the_table_says(void **state)
{
        static const struct row_acl {
                const char *why, *in;
                bool ok;
        } rows[] = {
                {"empty", "", true},
                {"anyone", "Get=*", true},
                {"several", "Add=a&Delete=a&Replace=a+321_ibm.com&Get=*", true},
                {"anyone and one", "Get=*+A", true},
                {"dots and dashes", "Exec=www.sonera.fi-8765", true},
                {"no such command", "Foo=A", false},
                {"Copy has no entry", "Copy=A", false},
                {"a command alone", "Get", false},
                {"no ids", "Get=", false},
                {"an end that goes on", "Get=A&", false},
                {"a beginning without", "&Get=A", false},
                {"an empty id", "Get=A++B", false},
                {"an id missing at the end", "Get=A+", false},
                {"a blank", "Get=A B", false},
                {"a star inside", "Get=A*", false},
                {"an equals sign inside", "Get=A=B", false},
                {"twice the same", "Get=A&Get=B", false},
                {"other letters", "get=A", false},
                {"no UTF-8", "Get=\xff", false},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].in);
                if ((odm_acl_check(in) == 0) != rows[i].ok)
                        fail_msg("%s: '%s'", rows[i].why, rows[i].in);
                exact_free(in);
        }
}

static void ids_match_whole(void **state)
{
        odm_str acl = ODM_STR("Add=srv1&Get=srv10+srv2&Replace=*");

        (void)state;
        assert_true(odm_acl_allows(acl, ODM_ACC_ADD, ODM_STR("srv1")));
        assert_false(odm_acl_allows(acl, ODM_ACC_ADD, ODM_STR("srv10")));
        assert_false(odm_acl_allows(acl, ODM_ACC_GET, ODM_STR("srv1")));
        assert_true(odm_acl_allows(acl, ODM_ACC_GET, ODM_STR("srv2")));
        assert_true(odm_acl_allows(acl, ODM_ACC_REPLACE, ODM_STR("anyone")));
        assert_false(odm_acl_allows(acl, ODM_ACC_DELETE, ODM_STR("srv1")));
        assert_false(odm_acl_allows(acl, ODM_ACC_ADD, ODM_STR("")));
        assert_false(odm_acl_allows(ODM_STR(""), ODM_ACC_GET, ODM_STR("srv1")));
}

static void a_server_is_taken_out_as_the_table_says(void **state)
{
        static const struct row_out {
                const char *in, *want;
        } rows[] = {
                {"Get=A", ""},
                {"Get=A+B", "Get=B"},
                {"Get=B+A", "Get=B"},
                {"Add=A&Get=A+B+A&Delete=C", "Get=B&Delete=C"},
                {"Get=AA+A", "Get=AA"},
                {"Get=*", "Get=*"},
                {"", ""},
                {"Add=C&Get=A", "Add=C"},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 65536);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].in);
                assert_str(odm_acl_without(&a, in, ODM_STR("A")), rows[i].want);
                exact_free(in);
        }
        odm_arena_done(&a);
}

static const struct row example_tree[] = {
        {"A", NULL, ADD, "./NodeA", NODE, NULL, 200},
        {"A's list", NULL, REP, "./NodeA?prop=ACL", ABS, "Get=ServerC&Replace=ServerC", 200},
        {"1", NULL, ADD, "./NodeA/Node1", CHR, "1", 200},
        {"1's list", NULL, REP, "./NodeA/Node1?prop=ACL", ABS, "Get=*", 200},
        {"B", NULL, ADD, "./NodeB", NODE, NULL, 200},
        {"B's list", NULL, REP, "./NodeB?prop=ACL", ABS, "Get=ServerA&Replace=ServerA", 200},
        {"2", NULL, ADD, "./NodeB/Node2", CHR, "2", 200},
        {"3", NULL, ADD, "./NodeB/Node3", NODE, NULL, 200},
        {"3's list", NULL, REP, "./NodeB/Node3?prop=ACL", ABS,
         "Get=ServerB&Replace=ServerB&Delete=ServerB", 200},
        {"4", NULL, ADD, "./NodeB/Node3/Node4", CHR, "4", 200},
        {"5", NULL, ADD, "./NodeB/Node3/Node5", CHR, "5", 200},
        {"5's list", NULL, REP, "./NodeB/Node3/Node5?prop=ACL", ABS,
         "Get=ServerA+ServerB&Replace=ServerA", 200},
        {"C", NULL, ADD, "./NodeC", NODE, NULL, 200},
        {"C's list", NULL, REP, "./NodeC?prop=ACL", ABS, "Get=ServerA&Replace=ServerA", 200},
};

static void the_worked_example_holds(void **state) /* dm-tree.md 4.7, C-ACL-01 */
{
        static const struct row rows[] = {
                {"own list: any", "ServerA", GET, "./NodeA/Node1", ABS, NULL, 200, "1"},
                {"own list: any", "ServerB", GET, "./NodeA/Node1", ABS, NULL, 200, "1"},
                {"Replace on the parent", "ServerC", REP, "./NodeA/Node1?prop=ACL", ABS, "Get=*",
                 200},
                {"none on the parent", "ServerA", REP, "./NodeA/Node1?prop=ACL", ABS, "Get=*", 425},
                {"none on the parent", "ServerB", REP, "./NodeA/Node1?prop=ACL", ABS, "Get=*", 425},
                {"no Delete", "ServerC", DEL, "./NodeA/Node1", ABS, NULL, 425},
                {"no Replace", "ServerC", REP, "./NodeA/Node1", CHR, "x", 425},
                {"its list, to any", "ServerA", GET, "./NodeA/Node1?prop=ACL", ABS, NULL, 200,
                 "Get=*"},
                {"C-ACL-02 its own only", "ServerB", GET, "./NodeB/Node3/Node4?prop=ACL", ABS, NULL,
                 200, ""},
                {"inherited", "ServerA", GET, "./NodeB/Node2", ABS, NULL, 200, "2"},
                {"inherited", "ServerB", GET, "./NodeB/Node2", ABS, NULL, 425},
                {"own Replace", "ServerA", REP, "./NodeB/Node3/Node5", CHR, "x", 200},
                {"none", "ServerB", REP, "./NodeB/Node3/Node5", CHR, "x", 425},
                {"C-ACL-03 on the parent", "ServerB", REP, "./NodeB/Node3/Node5?prop=ACL", ABS,
                 "Get=ServerA+ServerB&Replace=ServerA", 200},
                {"C-ACL-03 on the leaf only", "ServerA", REP, "./NodeB/Node3/Node5?prop=ACL", ABS,
                 "Get=*", 425},
                {"interior, by the parent", "ServerA", REP, "./NodeB/Node3?prop=ACL", ABS,
                 "Get=ServerB&Replace=ServerB&Delete=ServerB", 200},
                {"interior, by itself", "ServerB", REP, "./NodeB/Node3?prop=ACL", ABS,
                 "Get=ServerB&Replace=ServerB&Delete=ServerB", 200},
                {"interior, by neither", "ServerC", REP, "./NodeB/Node3?prop=ACL", ABS, "Get=*",
                 425},
                {"a child of no concern", "ServerB", DEL, "./NodeB/Node3", ABS, NULL, 200},
                {"C-ACL-05 nothing is merged", "ServerA", ADD, "./NodeB/NodeX", NODE, NULL, 425},
                {"C-ACL-04 the creator", "ServerB", ADD, "./NodeX", NODE, NULL, 200},
                {"C-ACL-04 may change it, not read it", "ServerB", GET, "./NodeX", ABS, NULL, 425},
                {"the device sees it", NULL, GET, "./NodeX?prop=ACL", ABS, NULL, 200,
                 "Add=ServerB&Delete=ServerB&Replace=ServerB"},
                {"C-ACL-04 a leaf gets none", "ServerB", ADD, "./NodeX/l", CHR, "", 200},
                {"C-ACL-04 none", NULL, GET, "./NodeX/l?prop=ACL", ABS, NULL, 200, ""},
                {"nor an interior node of his own", "ServerB", ADD, "./NodeX/i", NODE, NULL, 200},
                {"none", NULL, GET, "./NodeX/i?prop=ACL", ABS, NULL, 200, ""},
                {"the read-modify-write of a list", "ServerA", GET, "./NodeA?prop=ACL", ABS, NULL,
                 425},
                {"renaming needs Replace", "ServerC", REP, "./NodeX?prop=Name", ABS, "Y", 425},
                {"Title needs Replace", "ServerC", REP, "./NodeX?prop=Title", ABS, "Y", 425},
                {"and is given", "ServerB", REP, "./NodeX?prop=Title", ABS, "Y", 200},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, example_tree, ODM_COUNT(example_tree));
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

static void the_root_keeps_its_list(void **state)
{
        static const struct row rows[] = {
                {"C-ACL-08 no Replace right", "S", REP, ".?prop=ACL", ABS, "Get=*", 425},
                {"a right for S", NULL, REP, ".?prop=ACL", ABS, "Add=*&Get=*&Replace=S", 200},
                {"C-ACL-08 Add=* must stay", "S", REP, ".?prop=ACL", ABS, "Add=S&Get=*", 405},
                {"C-ACL-07 no command", "S", REP, ".?prop=ACL", ABS, "Foo=A", 500},
                {"C-ACL-07 no ids", "S", REP, ".?prop=ACL", ABS, "Get=", 500},
                {"C-ACL-07 goes on", "S", REP, ".?prop=ACL", ABS, "Get=A&", 500},
                {"it is as it was", "S", GET, ".?prop=ACL", ABS, NULL, 200,
                 "Add=*&Get=*&Replace=S"},
                {"another one", "S", REP, ".?prop=ACL", ABS, "Add=*&Get=S&Replace=S", 200},
                {"empty would be none", "S", REP, ".?prop=ACL", ABS, "", 405},
                {"no other name", "S", REP, ".?prop=Name", ABS, "x", 405},
                {"C-ACL-06 any and one", NULL, REP, "./Vendor/lab?prop=ACL", ABS, "Get=*+A", 200},
                {"any", "B", GET, "./Vendor/lab/Name", ABS, NULL, 200, "lab"},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

static odm_doc_node doc_leaf(const char *path, const char *name, const char *value)
{
        return (odm_doc_node){.path = path ? odm_cstr(path) : ODM_ABSENT,
                              .name = odm_cstr(name),
                              .has_rt = true,
                              .format = CHR,
                              .value = {ODM_DATA_TEXT, odm_cstr(value)}};
}

static odm_doc_node doc_top(const char *name, odm_doc_node *kids)
{
        return (odm_doc_node){
                .name = odm_cstr(name), .has_rt = true, .format = NODE, .children = kids};
}

static unsigned replace_by(struct lab *l, const char *target, odm_doc_node *top)
{
        odm_doc doc = {.ver_dtd = ODM_STR("1.2"), .nodes = top};
        odm_op op = {.kind = REP, .target = odm_cstr(target), .server = ODM_STR("S"), .doc = &doc};
        odm_answer got;

        return lab_status(l, &op, &got);
}

/* A document has as many tops as it likes, and each is replaced by who may replace that one. */
static void rights_to_one_top_are_none_to_the_next(void **state)
{
        static const struct row before[] = {
                {"a place", NULL, ADD, "./A", NODE, NULL, 200},
                {"of S", NULL, ADD, "./A/mine", NODE, NULL, 200},
                {"", NULL, ADD, "./A/mine/v", CHR, "1", 200},
                {"", NULL, ADD, "./A/also", NODE, NULL, 200},
                {"", NULL, ADD, "./A/also/v", CHR, "1", 200},
                {"", NULL, ADD, "./A/also/w", CHR, "1", 200},
                {"of another", NULL, ADD, "./A/theirs", NODE, NULL, 200},
                {"", NULL, ADD, "./A/theirs/v", CHR, "1", 200},
                {"", NULL, REP, "./A/mine?prop=ACL", ABS, "Add=S&Delete=S&Get=S&Replace=S", 200},
                {"", NULL, REP, "./A/also?prop=ACL", ABS, "Add=S&Delete=S&Get=S&Replace=S", 200},
                {"", NULL, REP, "./A/theirs?prop=ACL", ABS, "Get=T", 200},
        };
        static const struct row after[] = {
                {"untouched", NULL, GET, "./A/theirs/v", ABS, NULL, 200, "1"},
                {"its list too", NULL, GET, "./A/theirs?prop=ACL", ABS, NULL, 200, "Get=T"},
                {"replaced", NULL, GET, "./A/mine/v", ABS, NULL, 200, "2"},
                {"the other as well", NULL, GET, "./A/also/v", ABS, NULL, 200, "2"},
                {"and what it lacks is gone", NULL, GET, "./A/also/w", ABS, NULL, 404},
        };
        odm_doc_node one = doc_leaf(NULL, "v", "2"), two = one;
        odm_doc_node mine = doc_top("mine", &one), also = doc_top("also", &two);
        odm_doc_node theirs = doc_top("theirs", &two), flat = doc_leaf("theirs", "v", "2");
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, before, ODM_COUNT(before));
        mine.next = &theirs;
        assert_int_equal(replace_by(&l, "./A", &mine), 425);
        mine.next = &flat; /* placed by a Path */
        assert_int_equal(replace_by(&l, "./A", &mine), 425);
        mine.next = NULL;
        also.next = &mine;
        assert_int_equal(replace_by(&l, "./A", &also), 200);
        lab_rows(&l, after, ODM_COUNT(after));
        lab_close(&l);
}

/* What was below it went with it: it is not taken away, nor counted, a second time. */
static void a_leaf_in_place_of_a_subtree_counts_once(void **state)
{
        static const struct row before[] = {
                {"a subtree", NULL, ADD, "./A", NODE, NULL, 200},
                {"", NULL, ADD, "./A/a", CHR, "1", 200},
                {"", NULL, ADD, "./A/b", CHR, "1", 200},
                {"", NULL, REP, "./A?prop=ACL", ABS, "Add=S&Delete=S&Get=S&Replace=S", 200},
        };
        odm_doc_node leaf = doc_leaf(NULL, "A", "2");
        struct lab l;

        (void)state;
        lab_init(&l);
        size_t n = odm_tree_nodes(l.t);
        lab_rows(&l, before, ODM_COUNT(before));
        assert_int_equal(replace_by(&l, "./A", &leaf), 200);
        assert_int_equal(odm_tree_nodes(l.t), n + 1);
        lab_close(&l);
}

static void no_document_takes_the_roots_add(void **state)
{
        static const struct row row = {
                "a right", NULL, REP, ".?prop=ACL", ABS, "Add=*&Delete=S&Get=*&Replace=S", 200};
        odm_doc_node top = doc_top(".", NULL);
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_do(&l, &row);
        top.acl = ODM_STR("Add=S&Delete=S&Replace=S");
        assert_int_equal(replace_by(&l, ".", &top), 405);
        top.acl = ODM_STR("Add=*&Delete=S&Replace=S");
        assert_int_equal(replace_by(&l, ".", &top), 200);
        lab_close(&l);
}

static void a_server_is_forgotten_everywhere(void **state) /* C-ACL-09 */
{
        static const struct row before[] = {
                {"a list", NULL, ADD, "./X", NODE, NULL, 200},
                {"a list", NULL, REP, "./X?prop=ACL", ABS, "Get=A+AB&Replace=A", 200},
                {"another", NULL, ADD, "./X/y", CHR, "1", 200},
                {"another", NULL, REP, "./X/y?prop=ACL", ABS, "Get=A", 200},
                {"the root's", NULL, REP, ".?prop=ACL", ABS, "Add=*&Get=A&Exec=A+B", 200},
        };
        static const struct row after[] = {
                {"left", NULL, GET, "./X?prop=ACL", ABS, NULL, 200, "Get=AB"},
                {"inherits", NULL, GET, "./X/y?prop=ACL", ABS, NULL, 200, ""},
                {"for all", NULL, GET, ".?prop=ACL", ABS, NULL, 200, "Add=*&Get=*&Exec=B"},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, before, ODM_COUNT(before));
        assert_int_equal(odm_tree_forget_server(l.t, ODM_STR("A"), (odm_wall){9}), 0);
        lab_rows(&l, after, ODM_COUNT(after));
        lab_close(&l);
}

static void a_creator_may_be_given_get(void **state)
{
        static const struct row rows[] = {
                {"the creator", "S", ADD, "./X/Y", NODE, NULL, 200},
                {"reads", "S", GET, "./X?prop=ACL", ABS, NULL, 200,
                 "Add=S&Delete=S&Get=S&Replace=S"},
                {"below it is inherited", "S", GET, "./X/Y?prop=ACL", ABS, NULL, 200, ""},
        };
        odm_tree_opt o;
        struct lab l;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        o.creator_get = true;
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

static void a_list_is_read_from_above_of_leaves_only(void **state) /* dm-tree.md 4.4 */
{
        static const struct row rows[] = {
                {"their parent", NULL, ADD, "./P", NODE, NULL, 200},
                {"is S's to change", NULL, REP, "./P?prop=ACL", ABS, "Replace=S", 200},
                {"a leaf", NULL, ADD, "./P/l", CHR, "1", 200},
                {"its list", NULL, REP, "./P/l?prop=ACL", ABS, "Get=Z", 200},
                {"an interior node", NULL, ADD, "./P/i", NODE, NULL, 200},
                {"its list", NULL, REP, "./P/i?prop=ACL", ABS, "Get=Z", 200},
                {"what S may replace, S may read", "S", GET, "./P/l?prop=ACL", ABS, NULL, 200,
                 "Get=Z"},
                {"that list only", "S", GET, "./P/l?prop=Name", ABS, NULL, 425},
                {"an interior node's needs Get", "S", GET, "./P/i?prop=ACL", ABS, NULL, 425},
                {"which Z has", "Z", GET, "./P/i?prop=ACL", ABS, NULL, 200, "Get=Z"},
                {"so does its parent's", "S", GET, "./P?prop=ACL", ABS, NULL, 425},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

static void no_list_names_what_is_no_id(void **state) /* dm-tree.md 4.1, 4.5 */
{
        static const struct row rows[] = {
                {"a list in a name", "A&Get=B", ADD, "./X", NODE, NULL, 425},
                {"two names", "A+B", ADD, "./X", NODE, NULL, 425},
                {"an equals sign", "A=", ADD, "./X", NODE, NULL, 425},
                {"everybody", "*", ADD, "./X", NODE, NULL, 425},
                {"everybody, inside", "A*", ADD, "./X", NODE, NULL, 425},
                {"a blank", "A B", ADD, "./X", NODE, NULL, 425},
                {"a tab", "A\t", ADD, "./X", NODE, NULL, 425},
                {"a parent that is made on the way", "A+B", ADD, "./X/Y/l", CHR, "1", 425},
                {"nothing of it is there", NULL, GET, "./X", ABS, NULL, 404},
                {"a leaf gets no list", "A+B", ADD, "./l", CHR, "1", 200},
                {"a parent for all", NULL, ADD, "./P", NODE, NULL, 200},
                {"a parent for all", NULL, REP, "./P?prop=ACL", ABS, "Add=*&Replace=*", 200},
                {"its children need no list", "A+B", ADD, "./P/i", NODE, NULL, 200},
                {"a name as it should be", "A-B.example", ADD, "./X", NODE, NULL, 200},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_grammar_is_as_the_table_says),
                cmocka_unit_test(ids_match_whole),
                cmocka_unit_test(a_server_is_taken_out_as_the_table_says),
                cmocka_unit_test(the_worked_example_holds),
                cmocka_unit_test(the_root_keeps_its_list),
                cmocka_unit_test(rights_to_one_top_are_none_to_the_next),
                cmocka_unit_test(a_leaf_in_place_of_a_subtree_counts_once),
                cmocka_unit_test(no_document_takes_the_roots_add),
                cmocka_unit_test(a_server_is_forgotten_everywhere),
                cmocka_unit_test(a_creator_may_be_given_get),
                cmocka_unit_test(a_list_is_read_from_above_of_leaves_only),
                cmocka_unit_test(no_list_names_what_is_no_id),
        };

        return RUN_TESTS(tests);
}
