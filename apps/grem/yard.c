/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway's parts without its agent; see yard.h. */
#include "yard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "mo.h"
#include "odm/fanout.h"
#include "settings.h"
#include "support.h"

#define LIMIT_MS 10000

struct yard yard;

const adapter_class *const adapters_all[] = {&fake_class, NULL};

static int log_record(void *ctx, odm_str r)
{
        (void)ctx;
        return yard.journal ? state_log(yard.journal, r) : ODM_EIO;
}

void yard_open(void)
{
        size_t n;

        yard = (struct yard){.loop = NULL};
        (void)snprintf(yard.dir, sizeof yard.dir, "%s/yard.XXXXXX", quick_folder());
        log_init("yard", getenv("YARD_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORM_TEXT, 2,
                 NULL);
        assert_non_null(mkdtemp(yard.dir));
        assert_int_equal(loop_new(&yard.loop), 0);
        assert_int_equal(settings_keys(&yard.keys, &n), 0);
        assert_int_equal(cfg_new(yard.keys, n, &yard.conf), 0);
        char text[80];
        snprintf(text, sizeof text, "agent.state=%s/state", yard.dir);
        yard_set(text);
}

void yard_close(void)
{
        char command[64];

        loop_free(yard.loop);
        cfg_free(yard.conf);
        free(yard.keys);
        snprintf(command, sizeof command, "rm -r %s", yard.dir);
        assert_int_equal(system(command), 0);
}

void yard_set(const char *assignment)
{
        diag d = {{0}};

        if (cfg_set(yard.conf, assignment, &d) < 0)
                fail_msg("%s", d.text);
}

/* Alerts are for the server that the gateway has an account of. */
static void make_account(void)
{
        static const struct {
                const char *uri, *text;
        } leaves[] = {{"./DMAcc/main/AppID", "w7"},
                      {"./DMAcc/main/ServerID", YARD_SERVER},
                      {"./DMAcc/main/AppAddr/1/Addr", "http://127.0.0.1:1/dm"},
                      {"./DMAcc/main/AppAddr/1/AddrType", "URI"}};

        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                const odm_value v = {.data = odm_cstr(leaves[i].text)};
                assert_int_equal(
                        odm_tree_write(yard.tree, odm_cstr(leaves[i].uri), &v, loop_wall()), 0);
        }
}

static void grant(void)
{
        const odm_value acl = {.data = ODM_STR("Add=*&Get=*&Replace=" YARD_SERVER)};

        assert_int_equal(odm_tree_write(yard.tree, ODM_STR(".?prop=ACL"), &acl, loop_wall()), 0);
        assert_int_equal(
                parts_grant(yard.parts,
                            ODM_STR("Add=" YARD_SERVER "&Delete=" YARD_SERVER "&Exec=" YARD_SERVER
                                    "&Get=" YARD_SERVER "&Replace=" YARD_SERVER),
                            false, loop_wall()),
                0);
}

static void no_call(void *ctx, const char *why)
{
        (void)ctx, (void)why;
}

static void no_tell(void *ctx, odm_str server)
{
        (void)ctx, (void)server;
}

static void no_end(void *ctx)
{
        (void)ctx;
}

void yard_start(const part_class *const *classes)
{
        static const part_class *const none[] = {NULL};
        const parts_agent agent = {.tell = no_tell,
                                   .call = no_call,
                                   .restart = no_call,
                                   .again = no_call,
                                   .firmware = no_call,
                                   .ended = no_end};
        odm_tasks_opt t = {.mem = &heap_mem, .mo = &odm_mo_task};
        odm_tree_opt o;
        diag d = {{0}};

        if (gateway_open(yard.conf, yard.loop, "0.0", &yard.g, &d) < 0)
                fail_msg("%s", d.text);
        yard.fake = fake_latest();
        yard.app = gateway_app;
        yard.app.parts = classes;
        yard.app.app = yard.g;
        odm_tree_opt_init(&o, &heap_mem);
        o.max_nodes = 65536;
        o.log = log_record;
        assert_int_equal(odm_tree_new(&o, &yard.tree), 0);
        t.tree = yard.tree;
        assert_int_equal(odm_tasks_new(&t, &yard.tasks), 0);
        if (parts_mount(yard.tree, yard.tasks, yard.conf, none, &yard.app, &yard.parts, &d) < 0 ||
            state_open(NULL, gw_folder(yard.g), yard.tree, &yard.journal, &d) < 0 ||
            parts_fill(yard.parts, &d) < 0 ||
            parts_open(yard.parts, yard.loop, yard.journal, &agent, &d) < 0)
                fail_msg("%s", d.text);
        make_account();
        grant();
        assert_int_equal(gateway_start(yard.g, &d), 0);
}

void yard_stop(void)
{
        gateway_stop(yard.g);
        parts_close(yard.parts);
        odm_tree_free(yard.tree);
        odm_tasks_free(yard.tasks);
        state_close(yard.journal);
        yard.journal = NULL;
        gateway_close(yard.g);
        yard.g = NULL;
}

int yard_set_up(const part_class *const *classes, const char *const *settings)
{
        yard_open();
        for (size_t i = 0; settings && settings[i]; i++)
                yard_set(settings[i]);
        yard_start(classes);
        return 0;
}

int yard_tear_down(void **arg)
{
        (void)arg;
        yard_stop();
        yard_close();
        return 0;
}

/* ---- what a server does ---------------------------------------------------------------------------- */

static void tell(const odm_result *r)
{
        size_t n = 0;

        yard.text[0] = '\0';
        for (; r; r = r->next) {
                int more = snprintf(yard.text + n, sizeof yard.text - n, "%.*s=%.*s\n",
                                    (int)r->uri.n, r->uri.p, (int)r->value.data.n,
                                    r->value.data.n ? r->value.data.p : "");
                assert_true(more >= 0 && (size_t)more < sizeof yard.text - n);
                n += (size_t)more;
        }
}

static void say_why(odm_str text)
{
        (void)snprintf(yard.why, sizeof yard.why, "%.*s", (int)text.n, text.n ? text.p : "");
}

static void on_answer(void *ctx, uint64_t id, const odm_reply *r)
{
        (void)ctx, (void)id;
        yard.answered = true;
        yard.status = r->status;
        say_why(r->text);
        tell(r->results);
}

static bool is_answered(void *ctx)
{
        (void)ctx;
        return yard.answered;
}

unsigned yard_do(const char *server, odm_cmd kind, const char *uri, const char *data,
                 odm_format format)
{
        static uint64_t id;
        const parts_asker by = {.answer = on_answer};
        const odm_op op = {.kind = kind,
                           .target = odm_cstr(uri),
                           .source = kind == ODM_CMD_COPY ? odm_cstr(data) : ODM_ABSENT,
                           .server = odm_cstr(server ? server : YARD_SERVER),
                           .correlator = ODM_STR("c1"),
                           .has_value = data != NULL,
                           .value = {.format = format, .data = odm_cstr(data)}};
        odm_answer out = {.status = 0};
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 24);
        yard.answered = false;
        int rc = odm_tree_do(yard.tree, &op, loop_wall(), &a, &out);
        if (rc == ODM_LATER) {
                yard.later++;
                assert_int_equal(parts_serve(yard.parts, ++id, &op, &by), 0);
                if (!yard_turn(LIMIT_MS, is_answered, NULL))
                        fail_msg("%s is not answered", uri);
        } else {
                assert_int_equal(rc, 0);
                yard.status = out.status;
                say_why(out.text);
                tell(out.results);
        }
        odm_arena_done(&a);
        return yard.status;
}

bool yard_turn(int64_t ms, bool (*until)(void *ctx), void *ctx)
{
        odm_time limit = odm_time_add(loop_now(), ms);

        while (!(until && until(ctx))) {
                if (odm_time_reached(loop_now(), limit))
                        return false;
                assert_int_equal(loop_once(yard.loop, 5), 0);
        }
        return true;
}

void yard_settle(void)
{
        devices_flush(yard.g->devices);
        (void)yard_turn(60, NULL, NULL);
}

fake_device *yard_attach(const char *id)
{
        fake_device *d = fake_find(yard.fake, id);

        if (d == NULL)
                d = fake_new(yard.fake, id);
        gw_device *r = fake_attach(d);
        assert_non_null(r);
        fake_key(d, r->key);
        yard_settle();
        return d;
}

unsigned yard_task_add(const char *task, const char *rel, const char *data, odm_format format)
{
        char uri[160];

        snprintf(uri, sizeof uri, YARD_TASKS "/%s%s%s", task, rel ? "/" : "", rel ? rel : "");
        return yard_do(NULL, ODM_CMD_ADD, uri, data, format);
}

unsigned yard_task_exec(const char *task, const char *operation)
{
        char uri[160];

        snprintf(uri, sizeof uri, YARD_TASKS "/%s/Operations/%s", task, operation);
        return yard_do(NULL, ODM_CMD_EXEC, uri, NULL, ODM_FMT_ABSENT);
}

const char *yard_task_leaf(const char *task, const char *rel)
{
        static char text[4096];
        char uri[160];
        const char *at;

        snprintf(uri, sizeof uri, YARD_TASKS "/%s/%s", task, rel);
        if (yard_get(uri) != 200)
                return "(none)";
        at = strchr(yard.text, '=');
        snprintf(text, sizeof text, "%s", at ? at + 1 : "");
        text[strcspn(text, "\n")] = '\0';
        return text;
}

bool yard_task_over(void *task)
{
        return odm_fanout_over((unsigned)strtoul(yard_task_leaf(task, "State"), NULL, 10));
}

struct counted {
        const char *type;
        unsigned n;
        size_t at;
};

static int count_alert(void *ctx, const odm_alert *a)
{
        struct counted *c = ctx;

        if (!odm_str_ieq(a->type, c->type))
                return 0;
        c->n++;
        c->at += (size_t)snprintf(
                yard.text + c->at, sizeof yard.text - c->at, "%s%.*s:%.*s:%.*s", c->at ? " " : "",
                (int)a->source.n, a->source.p ? a->source.p : "", (int)a->correlator.n,
                a->correlator.p ? a->correlator.p : "", (int)a->data.n, a->data.p ? a->data.p : "");
        assert_true(c->at < sizeof yard.text);
        return 0;
}

unsigned yard_alerts(const char *type)
{
        struct counted c = {.type = type};

        yard.text[0] = '\0';
        assert_int_equal(north_alerts(yard.g->north, ODM_STR(YARD_SERVER), count_alert, &c), 0);
        north_rest(yard.g->north, false); /* as if the session had been lost: they wait on */
        return c.n;
}
