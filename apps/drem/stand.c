/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's furniture without the agent; see stand.h. */
#include "stand.h"

#include "mo.h"
#include "support.h"

struct stand stand;

static int log_record(void *ctx, odm_str record)
{
        (void)ctx;
        return stand.journal ? state_log(stand.journal, record) : ODM_EIO;
}

void stand_open(void)
{
        stand = (struct stand){.dir = "/tmp/stand.XXXXXX"};
        assert_non_null(mkdtemp(stand.dir));
        assert_int_equal(loop_new(&stand.loop), 0);
}

void stand_close(void)
{
        char command[64];

        loop_free(stand.loop);
        cfg_free(stand.conf);
        snprintf(command, sizeof command, "rm -r %s", stand.dir);
        assert_int_equal(system(command), 0);
}

void stand_configure(const char *text)
{
        char whole[1024];

        assert_true((size_t)snprintf(whole, sizeof whole, "[agent]\nstate = %s\n%s", stand.dir,
                                     text) < sizeof whole);
        cfg_free(stand.conf);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &stand.conf), 0);
        assert_int_equal(cfg_parse(stand.conf, odm_cstr(whole), "f", NULL), 0);
        assert_int_equal(conf_check(stand.conf, NULL), 0);
}

void stand_start(const part_class *const *classes, odm_provider *accounts, const parts_agent *agent)
{
        odm_tree_opt o;
        odm_tasks_opt t = {.mem = &heap, .mo = &odm_mo_task};

        odm_tree_opt_init(&o, &heap);
        o.log = log_record;
        assert_int_equal(odm_tree_new(&o, &stand.tree), 0);
        t.tree = stand.tree;
        if (accounts)
                assert_int_equal(odm_tree_mount(stand.tree, NULL, accounts), 0);
        assert_int_equal(odm_tasks_new(&t, &stand.tasks), 0);
        assert_int_equal(parts_mount(stand.tree, stand.tasks, stand.conf, classes, stand.app,
                                     &stand.parts, NULL),
                         0);
        assert_int_equal(state_open(NULL, stand.dir, stand.tree, &stand.journal, NULL), 0);
        assert_int_equal(parts_fill(stand.parts, NULL), 0);
        assert_int_equal(parts_open(stand.parts, stand.loop, stand.journal, agent, NULL), 0);
}

void stand_stop(void)
{
        parts_close(stand.parts);
        odm_tree_free(stand.tree);
        odm_tasks_free(stand.tasks);
        state_close(stand.journal);
        stand.journal = NULL;
}

unsigned stand_operate(odm_cmd kind, const char *uri, const char *data, odm_wall now)
{
        const odm_op op = {.kind = kind,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .correlator = ODM_STR("c1"),
                           .has_value = data != NULL,
                           .value = {.data = odm_cstr(data)}};
        odm_answer out = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(odm_tree_do(stand.tree, &op, now, &a, &out), 0);
        odm_arena_done(&a);
        return out.status;
}

const char *stand_get(const char *uri)
{
        static char text[4096];
        odm_value v = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        if (odm_tree_read(stand.tree, odm_cstr(uri), &a, &v) == 0)
                snprintf(text, sizeof text, "%.*s", (int)v.data.n, v.data.n ? v.data.p : "");
        else
                snprintf(text, sizeof text, "(none)");
        odm_arena_done(&a);
        return text;
}
