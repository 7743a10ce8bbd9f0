/* SPDX-License-Identifier: Apache-2.0 */
/* A device's tree as it is kept: the contract of store.h, held to each engine in turn. */
#include <time.h>

#include "store_lab.h"

static void the_mirror_follows_changes(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a");
        const store_tree_change first[] = {SET("./A-B", "x"), SET("./A/B/C", "1"),
                                           SET("./A/B/D", "2"), SET("./A/E", "3")};
        const store_tree_change children[] = {
                {STORE_TREE_CHILDREN, S("./A/B"), ODM_ABSENT, ODM_ABSENT, S("D/F"), 0}};
        const store_tree_change gone[] = {
                {STORE_TREE_GONE, S("./A/B"), ODM_ABSENT, ODM_ABSENT, ODM_ABSENT, 0}};
        const store_tree_change leaf[] = {SET("./A", "flat")};
        const store_tree_change bad[] = {SET("A", "x")};
        store_tree t;

        lab_expect_tree(f, a, ".", "ENOENT");
        assert_int_equal(lab_tree(f, a, 100, first, 4), 0);
        lab_expect_tree(f, a, ".", ".= ./A= ./A/B= ./A/B/C=1 ./A/B/D=2 ./A/E=3 ./A-B=x");
        lab_expect_tree(f, a, "./A/B", "./A/B= ./A/B/C=1 ./A/B/D=2");
        lab_expect_tree(f, a, "./A/B/D", "./A/B/D=2");
        lab_expect_tree(f, a, "./A/B/Dx", "ENOENT");
        assert_int_equal(lab_tree(f, a, 200, children, 1), 0);
        lab_expect_tree(f, a, "./A/B", "./A/B= ./A/B/D=2 ./A/B/F=");
        assert_int_equal(store_tree_get(f->st, a, S("./A/B"), &f->a, &t), 0);
        assert_int_equal(t.at, 200);
        assert_int_equal(t.v[1].at, 100);
        assert_str(t.v[1].format, "chr");
        assert_str(t.v[1].type, "text/plain");
        assert_str(t.v[0].format, "node");
        assert_null(t.v[2].format.p);
        assert_int_equal(lab_tree(f, a, 300, gone, 1), 0);
        lab_expect_tree(f, a, ".", ".= ./A= ./A/E=3 ./A-B=x");
        assert_int_equal(lab_tree(f, a, 300, bad, 1), ODM_EINVAL);
        assert_int_equal(lab_tree(f, a, 250, leaf, 1), 0); /* the clock stepped back */
        lab_expect_tree(f, a, ".", ".= ./A=flat ./A-B=x");
        assert_int_equal(lab_tree(f, a + 1, 250, leaf, 1), ODM_ENOENT);
}

static void the_mirror_has_ceilings(void **state)
{
        lab *f = *state;
        int64_t a;
        char big[200];
        store_tree_change c[2] = {SET("./A", "x"), SET("./B", "x")};
        store_tree t;

        store_close(f->st);
        f->opt.mirror_value_max = 100;
        f->opt.mirror_bytes = 150;
        lab_open(f);
        a = lab_device(f, "m");
        memset(big, 'b', sizeof big);
        c[0].value = (odm_str){big, 101};
        c[1].value = (odm_str){big, 100};
        assert_int_equal(lab_tree(f, a, 5, c, 2), 0);
        assert_int_equal(store_tree_get(f->st, a, S("."), &f->a, &t), 0);
        assert_int_equal(t.n, 3);
        assert_null(t.v[1].value.p); /* too large by itself */
        assert_int_equal(t.v[1].size, 101);
        assert_int_equal(t.v[2].value.n, 100);
        c[0].path = S("./C");
        c[0].value = (odm_str){big, 90};
        assert_int_equal(lab_tree(f, a, 6, c, 1), 0);
        assert_int_equal(store_tree_get(f->st, a, S("./C"), &f->a, &t), 0);
        assert_null(t.v[0].value.p); /* no room left for it */
        assert_int_equal(t.v[0].size, 90);
}

/* What was a leaf loses its value where it turns out to have children. */
static void the_mirror_keeps_no_value_of_an_interior_node(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a");
        const store_tree_change leaf[] = {SET("./A", "x"), SET("./B", "y")};
        const store_tree_change interior[] = {
                {STORE_TREE_CHILDREN, S("./A"), ODM_ABSENT, ODM_ABSENT, S("C"), 0},
                {STORE_TREE_SET, S("./B"), S("node"), ODM_ABSENT, ODM_ABSENT, 0}};
        store_tree t;

        assert_int_equal(lab_tree(f, a, 1, leaf, 2), 0);
        assert_int_equal(lab_tree(f, a, 2, interior, 2), 0);
        lab_expect_tree(f, a, ".", ".= ./A= ./A/C= ./B=");
        assert_int_equal(store_tree_get(f->st, a, S("./B"), &f->a, &t), 0);
        assert_int_equal(t.v[0].size, 0);
}

static store_tree_change random_change(odm_arena *a, uint64_t *seed)
{
        static const char *const lists[] = {"", "a", "b/c", "c/a-/b/a"};
        static const char *const names[] = {"a", "a-", "b", "bb", "c"};
        store_tree_change c = {STORE_TREE_SET, .format = ODM_STR("chr"), .value = ODM_STR("v")};
        odm_str path = ODM_STR(".");
        uint64_t r = *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        const unsigned kind = r >> 33 & 63;

        for (unsigned depth = 1 + (r >> 40) % 4; depth; depth--, r /= 5)
                path = odm_arena_fmt(a, "%.*s/%s", (int)path.n, path.p, names[(r >> 44) % 5]);
        c.path = path;
        if (kind == 0) {
                c.kind = STORE_TREE_GONE;
        } else if (kind == 1) {
                c.kind = STORE_TREE_CHILDREN;
                c.value = S(lists[(r >> 20) % 4]);
        } else if (kind < 48) { /* mostly not known whether it is a leaf */
                c.format = ODM_ABSENT;
        }
        return c;
}

/* Many changes in one operation come to what they come to one by one. */
static void the_mirror_makes_the_same_of_many_changes_at_once(void **state)
{
        enum { CHANGES = 200 };
        lab *f = *state;
        int64_t at_once = lab_device(f, "a"), singly = lab_device(f, "b");
        store_tree_change v[CHANGES];
        store_tree x, y;
        uint64_t seed = 1;

        for (int round = 0; round < 5; round++) {
                for (size_t i = 0; i < CHANGES; i++)
                        v[i] = random_change(&f->a, &seed);
                assert_int_equal(lab_tree(f, at_once, 5 + round, v, CHANGES), 0);
                for (size_t i = 0; i < CHANGES; i++)
                        assert_int_equal(lab_tree(f, singly, 5 + round, &v[i], 1), 0);
                assert_int_equal(store_tree_get(f->st, at_once, S("."), &f->a, &x), 0);
                assert_int_equal(store_tree_get(f->st, singly, S("."), &f->a, &y), 0);
                assert_int_equal(x.n, y.n);
                assert_true(x.n > 20);
                for (size_t i = 0; i < x.n; i++) {
                        assert_true(odm_str_eq(x.v[i].path, y.v[i].path));
                        assert_true(odm_str_eq(x.v[i].format, y.v[i].format));
                        assert_true(odm_str_eq(x.v[i].value, y.v[i].value));
                        assert_int_equal(x.v[i].at, y.v[i].at);
                }
        }
}

/* Processor time of telling a device's n nodes, twice, in an order that is none. */
static double time_of_telling(lab *f, const char *device, size_t n, bool as_list)
{
        int64_t id = lab_device(f, device);
        store_tree_change *v = calloc(n, sizeof *v), list = {STORE_TREE_CHILDREN, .path = S("./A")};
        char(*paths)[8] = calloc(n, sizeof *paths), *names = malloc(n * 7 + 1), *p = names;
        clock_t start;

        assert_true(v && paths && names);
        for (size_t i = 0; i < n; i++) {
                p += snprintf(p, 8, "%s%06zx", i ? "/" : "", (n - i) * 7919 % 0xfffffd);
                memcpy(paths[i], "./", 2);
                memcpy(paths[i] + 2, p - 6, 6);
                v[i] = (store_tree_change){STORE_TREE_SET, .path = {paths[i], 8},
                                           .value = ODM_STR("")};
        }
        list.value = (odm_str){names, (size_t)(p - names)};
        start = clock();
        for (int i = 0; i < 2; i++)
                assert_int_equal(as_list ? lab_tree(f, id, 1, &list, 1) : lab_tree(f, id, 1, v, n),
                                 0);
        free(v);
        free(paths);
        free(names);
        return (double)(clock() - start);
}

/* All devices wait for the one writer: what one of them says costs by how much that is, not by the
 * square of it. */
static void the_mirror_takes_many_nodes_in_any_order(void **state)
{
        lab *f = *state;

        for (int as_list = 0; as_list <= 1; as_list++) {
                double few = time_of_telling(f, as_list ? "few l" : "few", 3000, as_list);
                double many = time_of_telling(f, as_list ? "many l" : "many", 48000, as_list);

                if (many > few * 60) /* sixteen times as much */
                        fail_msg("%d: %.0f for few, %.0f for many", as_list, few, many);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH_ENGINE(the_mirror_follows_changes),
                EACH_ENGINE(the_mirror_has_ceilings),
                EACH_ENGINE(the_mirror_keeps_no_value_of_an_interior_node),
                EACH_ENGINE(the_mirror_makes_the_same_of_many_changes_at_once),
                EACH_ENGINE(the_mirror_takes_many_nodes_in_any_order),
        };

        return RUN_TESTS(tests);
}
