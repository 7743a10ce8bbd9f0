/* SPDX-License-Identifier: Apache-2.0 */
/* bound_test.c - settings and their files: written before they are agreed, put back when not. */
#include "bound.h"

#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "mo.h"
#include "support.h"

typedef struct world {
        char folder[64];
        odm_tree *tree;
        odm_tasks *tasks;
        bound *b;
} world;

static const char *in_folder(const world *w, const char *name)
{
        static char path[128];

        snprintf(path, sizeof path, "%s/%s", w->folder, name);
        return path;
}

static void put_file(const world *w, const char *name, const char *text)
{
        FILE *f = fopen(in_folder(w, name), "we");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static const char *get_file(const world *w, const char *name)
{
        static char text[64];
        FILE *f = fopen(in_folder(w, name), "re");

        assert_non_null(f);
        if (!fgets(text, sizeof text, f))
                text[0] = 0;
        text[strcspn(text, "\n")] = 0;
        fclose(f);
        return text;
}

static void open_world(world *w)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv")};
        odm_tasks_opt to = {.mem = &heap, .mo = &odm_mo_task};
        odm_tree_opt o;
        table *t = NULL;
        diag d = {{0}};
        bool moved = false;

        snprintf(w->folder, sizeof w->folder, "/tmp/bound_test.XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        put_file(w, "a", "1\n");
        put_file(w, "b", "one\n");
        put_file(w, "x.table",
                 "[node A]\nformat = int\nfile = a\nwrite = yes\nrefresh = 3s\n"
                 "[node B]\nat = Deep/B\nfile = b\nwrite = yes\n[node C]\nfile = c\n"
                 "[node Run]\nexec = true\n");
        odm_tree_opt_init(&o, &heap);
        assert_int_equal(odm_tree_new(&o, &w->tree), 0);
        to.tree = w->tree;
        assert_int_equal(odm_tasks_new(&to, &w->tasks), 0);
        assert_int_equal(table_load(in_folder(w, "x.table"), &t, &d), 0);
        assert_int_equal(bound_mount(t, w->tree, w->tasks, &w->b, &d), 0);
        assert_int_equal(odm_tree_write(w->tree, ODM_STR("./Vendor?prop=ACL"), &acl, (odm_wall){0}),
                         0);
        assert_int_equal(bound_refresh(w->b, &moved), 0);
        assert_true(moved);
}

static void close_world(world *w)
{
        char command[96];

        bound_close(w->b);
        odm_tree_free(w->tree);
        odm_tasks_free(w->tasks);
        snprintf(command, sizeof command, "rm -r %s", w->folder);
        assert_int_equal(system(command), 0);
}

static unsigned set(world *w, const char *uri, const char *data)
{
        const odm_op op = {.kind = ODM_CMD_REPLACE,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .has_value = true,
                           .value = {.data = odm_cstr(data)}};
        odm_answer got = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(odm_tree_do(w->tree, &op, (odm_wall){0}, &a, &got), 0);
        odm_arena_done(&a);
        return got.status;
}

static const char *get(world *w, const char *uri)
{
        static char text[64];
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        if (odm_tree_read(w->tree, odm_cstr(uri), &a, &v) == 0)
                snprintf(text, sizeof text, "%.*s", (int)v.data.n, v.data.p);
        else
                snprintf(text, sizeof text, "(none)");
        odm_arena_done(&a);
        return text;
}

static void settings_are_their_files(void **state)
{
        bool moved = false;
        world w;

        (void)state;
        open_world(&w);
        assert_int_equal(bound_interval(w.b), 3000);
        assert_string_equal(get(&w, "./Vendor/x/A"), "1");
        assert_string_equal(get(&w, "./Vendor/x/C"), "(none)");
        assert_int_equal(set(&w, "./Vendor/x/A", "2"), 200);
        assert_string_equal(get_file(&w, "a"), "2");
        assert_int_equal(set(&w, "./Vendor/x/A", "two"), 415);
        assert_string_equal(get_file(&w, "a"), "2");
        assert_int_equal(bound_refresh(w.b, &moved), 0);
        assert_false(moved);
        put_file(&w, "a", "3\n");
        put_file(&w, "c", "sea");
        assert_int_equal(bound_refresh(w.b, &moved), 0);
        assert_true(moved);
        assert_string_equal(get(&w, "./Vendor/x/A"), "3");
        assert_string_equal(get(&w, "./Vendor/x/C"), "sea");
        put_file(&w, "a", "no number\n");
        assert_int_equal(bound_refresh(w.b, &moved), 0);
        assert_string_equal(get(&w, "./Vendor/x/A"), "(none)");
        assert_int_equal(set(&w, "./Vendor/x/A", "5"), 404);
        close_world(&w);
}

static void a_file_that_cannot_be_written_refuses(void **state)
{
        world w;

        (void)state;
        open_world(&w);
        assert_int_equal(unlink(in_folder(&w, "b")), 0);
        assert_int_equal(mkdir(in_folder(&w, "b"), 0700), 0);
        assert_int_equal(set(&w, "./Vendor/x/Deep/B", "two"), 500);
        assert_string_equal(get(&w, "./Vendor/x/Deep/B"), "one");
        close_world(&w);
}

static void what_is_taken_back_is_so_in_files(void **state)
{
        bool moved = false;
        unsigned status = 0;
        world w;

        (void)state;
        open_world(&w);
        assert_int_equal(odm_tree_begin(w.tree, (odm_wall){0}), 0);
        assert_int_equal(set(&w, "./Vendor/x/A", "7"), 200);
        assert_int_equal(set(&w, "./Vendor/x/A", "8"), 200);
        assert_string_equal(get_file(&w, "a"), "1"); /* nothing is agreed yet */
        assert_int_equal(bound_refresh(w.b, &moved), ODM_ESTATE);
        odm_tree_rollback(w.tree);
        assert_string_equal(get_file(&w, "a"), "1");

        /* the first is written, the second cannot be: both are as they were */
        assert_int_equal(unlink(in_folder(&w, "b")), 0);
        assert_int_equal(mkdir(in_folder(&w, "b"), 0700), 0);
        assert_int_equal(odm_tree_begin(w.tree, (odm_wall){0}), 0);
        assert_int_equal(set(&w, "./Vendor/x/A", "7"), 200);
        assert_int_equal(set(&w, "./Vendor/x/Deep/B", "two"), 200);
        assert_int_equal(odm_tree_commit(w.tree, &status), 0);
        assert_int_equal(status, 500);
        assert_string_equal(get_file(&w, "a"), "1");
        assert_string_equal(get(&w, "./Vendor/x/A"), "1");
        close_world(&w);
}

static void commands_have_an_address(void **state)
{
        world w;

        (void)state;
        open_world(&w);
        assert_non_null(bound_exec(w.b, ODM_STR("./Vendor/x/Run")));
        assert_null(bound_exec(w.b, ODM_STR("./Vendor/x/A")));
        assert_null(bound_exec(w.b, ODM_STR("./Vendor/xx/Run")));
        assert_null(bound_exec(w.b, ODM_STR("./Vendor/x")));
        close_world(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings_are_their_files),
                cmocka_unit_test(a_file_that_cannot_be_written_refuses),
                cmocka_unit_test(what_is_taken_back_is_so_in_files),
                cmocka_unit_test(commands_have_an_address),
        };

        return RUN_TESTS(tests);
}
