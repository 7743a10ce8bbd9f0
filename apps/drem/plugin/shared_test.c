/* SPDX-License-Identifier: Apache-2.0 */
/* shared_test.c - a shared object in memory: what its functions are asked, and what is refused. */
#include "shared.h"

#include "heap.h"
#include "support.h"

#define NODE(name, access, format, type, inner)                                                 \
        "<Node><NodeName>" name "</NodeName><DFProperties><AccessType>" access                  \
        "</AccessType><DFFormat><" format "/></DFFormat><Occurrence><One/></Occurrence><Scope>" \
        "<Permanent/></Scope><DFType>" type "</DFType></DFProperties>" inner "</Node>"
#define TEXT "<MIME>text/plain</MIME>"
#define HEAD "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD>"
#define DDF                                                                               \
        HEAD NODE("lamp", "<Get/>", "node", "<DDFName>urn:x</DDFName>",                   \
                  NODE("On", "<Get/>", "bool", TEXT, "")                                  \
                          NODE("Dim", "<Get/><Replace/>", "int", TEXT, "")                \
                                  NODE("Blink", "<Exec/>", "null", TEXT,                  \
                                       "") "<Node><NodeName/>"                            \
                                           "<DFProperties><AccessType><Get/></"           \
                                           "AccessType><DFFormat><node/></DFFormat>"      \
                                           "<Occurrence><ZeroOrMore/></"                  \
                                           "Occurrence><Scope><Dynamic/></Scope><DFType>" \
                                           "<DDFName/></DFType></DFProperties>" NODE(     \
                                                   "Hue", "<Get/>", "chr", TEXT,          \
                                                   "") "</Node>") "</MgmtTree>"

static char said[256];
static const char *on_text;
static int code;

static int open_lamp(void **ctx, char *why, size_t room)
{
        snprintf(why, room, "no bulb");
        *ctx = said;
        return code;
}

static void close_lamp(void *ctx)
{
        assert_ptr_equal(ctx, said);
        strncat(said, "closed;", sizeof said - strlen(said) - 1);
}

static int read_on(void *ctx, const char *const name[], char *out, size_t room, size_t *n)
{
        assert_ptr_equal(ctx, said);
        assert_null(name[0]);
        *n = (size_t)snprintf(out, room, "%s", on_text);
        return code;
}

static int check_dim(void *ctx, const char *const name[], const char *value, size_t n)
{
        (void)ctx;
        (void)name;
        return n && value[0] == '9' ? ODM_PLUGIN_REFUSED : code;
}

static void dim_changed(void *ctx, const char *const name[], const char *value, size_t n)
{
        (void)ctx;
        (void)name;
        snprintf(said + strlen(said), sizeof said - strlen(said), "dim %.*s;", (int)n, value);
}

static int blink(void *ctx, const char *const name[], const char *value, size_t n)
{
        (void)ctx;
        (void)name;
        snprintf(said + strlen(said), sizeof said - strlen(said), "blink %.*s;", (int)n, value);
        return code;
}

static int list_rooms(void *ctx, const char *const name[], int (*add)(void *to, const char *name),
                      void *to)
{
        static const char *const rooms[] = {"hall", "a/b", "", "attic"};
        int rc = 0;

        (void)ctx;
        (void)name;
        for (size_t i = 0; rc == 0 && i < 4; i++)
                rc = add(to, rooms[i]);
        return rc;
}

static int read_hue(void *ctx, const char *const name[], char *out, size_t room, size_t *n)
{
        (void)ctx;
        *n = (size_t)snprintf(out, room, "%s is red", name[0]);
        return 0;
}

static const odm_plugin_node nodes[] = {
        {.path = "On", .read = read_on},
        {.path = "Dim", .check = check_dim, .changed = dim_changed},
        {.path = "Blink", .exec = blink},
        {.path = "", .list = list_rooms},
        {.path = "*/Hue", .read = read_hue},
};

static const odm_plugin lamp = {.version = ODM_PLUGIN_VERSION,
                                .size = sizeof(odm_plugin),
                                .name = "lamp",
                                .ddf = DDF,
                                .nodes = nodes,
                                .n_nodes = ODM_COUNT(nodes),
                                .open = open_lamp,
                                .close = close_lamp};

typedef struct world {
        odm_tree *tree;
        shared *s;
} world;

static void open_world(world *w)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv&Add=srv")};
        odm_tree_opt o;
        diag d = {{0}};

        said[0] = 0;
        on_text = "true";
        code = 0;
        odm_tree_opt_init(&o, &heap);
        assert_int_equal(odm_tree_new(&o, &w->tree), 0);
        assert_int_equal(shared_take(&lamp, "lamp.so", &w->s, &d), 0);
        assert_int_equal(shared_mount(w->s, w->tree, &d), 0);
        assert_int_equal(odm_tree_write(w->tree, ODM_STR("./Vendor?prop=ACL"), &acl, (odm_wall){0}),
                         0);
}

static void close_world(world *w)
{
        shared_close(w->s);
        odm_tree_free(w->tree);
}

static unsigned ask(world *w, odm_cmd kind, const char *uri, const char *data, char *out)
{
        const odm_op op = {.kind = kind,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .has_value = data != NULL,
                           .value = {.data = odm_cstr(data)}};
        odm_answer got = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(odm_tree_do(w->tree, &op, (odm_wall){0}, &a, &got), 0);
        out[0] = 0;
        if (got.results && got.results->has_data)
                snprintf(out, 64, "%.*s", (int)got.results->value.data.n,
                         got.results->value.data.p);
        odm_arena_done(&a);
        return got.status;
}

static void functions_are_asked(void **state)
{
        static const struct {
                const char *why;
                odm_cmd kind;
                const char *uri, *data;
                const char *on; /* what the value reads, or NULL */
                int code;
                unsigned status;
                const char *got, *said;
        } row[] = {
                {"a value", ODM_CMD_GET, "On", NULL, NULL, 0, 200, "true", ""},
                {"none now", ODM_CMD_GET, "On", NULL, NULL, ODM_PLUGIN_NONE, 404, "", ""},
                {"it failed", ODM_CMD_GET, "On", NULL, NULL, ODM_PLUGIN_FAILED, 500, "", ""},
                {"no value of its format", ODM_CMD_GET, "On", NULL, "bright", 0, 500, "", ""},
                {"live: nobody sets it", ODM_CMD_REPLACE, "On", "false", NULL, 0, 405, "", ""},
                {"kept", ODM_CMD_REPLACE, "Dim", "7", NULL, 0, 200, "", "dim 7;"},
                {"... and read back", ODM_CMD_GET, "Dim", NULL, NULL, 0, 200, "7", ""},
                {"refused", ODM_CMD_REPLACE, "Dim", "9", NULL, 0, 415, "", ""},
                {"refused, and still the old", ODM_CMD_GET, "Dim", NULL, NULL, 0, 200, "7", ""},
                {"not possible", ODM_CMD_REPLACE, "Dim", "6", NULL, ODM_PLUGIN_FAILED, 500, "", ""},
                {"run", ODM_CMD_EXEC, "Blink", "twice", NULL, 0, 200, "", "blink twice;"},
                {"not now", ODM_CMD_EXEC, "Blink", NULL, NULL, ODM_PLUGIN_REFUSED, 405, "",
                 "blink ;"},
                {"it failed", ODM_CMD_EXEC, "Blink", NULL, NULL, 77, 500, "", "blink ;"},
                {"gone", ODM_CMD_EXEC, "Blink", NULL, NULL, ODM_PLUGIN_NONE, 404, "", "blink ;"},
                {"a live child", ODM_CMD_GET, "attic/Hue", NULL, NULL, 0, 200, "attic is red", ""},
                {"none of that name", ODM_CMD_GET, "cellar/Hue", NULL, NULL, 0, 404, "", ""},
                {"children by name", ODM_CMD_GET, "", NULL, NULL, 0, 200, "attic/hall/Blink/Dim/On",
                 ""},
        };
        world w;

        (void)state;
        open_world(&w);
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                char uri[96], got[64];
                unsigned status;
                snprintf(uri, sizeof uri, "./Vendor/lamp%s%s", row[i].uri[0] ? "/" : "",
                         row[i].uri);
                said[0] = 0;
                on_text = row[i].on ? row[i].on : "true";
                code = row[i].code;
                status = ask(&w, row[i].kind, uri, row[i].data, got);
                if (status != row[i].status || strcmp(said, row[i].said) != 0)
                        fail_msg("%s: %u, said '%s'", row[i].why, status, said);
                if (strncmp(row[i].got, "attic/hall", 10) == 0) {
                        assert_non_null(strstr(got, "attic"));
                        assert_non_null(strstr(got, "hall"));
                        assert_null(strstr(got, "a/b"));
                } else if (strcmp(got, row[i].got) != 0) {
                        fail_msg("%s: '%s'", row[i].why, got);
                }
        }
        code = 0;
        said[0] = 0;
        assert_int_equal(shared_start(w.s, w.tree), 0);
        assert_string_equal(said, "dim 7;");
        said[0] = 0;
        close_world(&w);
        assert_string_equal(said, "closed;");
}

static void bad_ones_are_refused(void **state)
{
        static const odm_plugin_node no_path[] = {{.read = read_on}},
                                     both[] = {{.path = "On", .read = read_on, .check = check_dim}},
                                     other[] = {{.path = "On/Off", .read = read_on}},
                                     wrong[] = {{.path = "On", .list = list_rooms}};
        static const struct {
                const char *why;
                odm_plugin p;
                int code;
                const char *want;
        } row[] = {
#define P(v, sz, nm, dd, ...) {.version = v, .size = sz, .name = nm, .ddf = dd, __VA_ARGS__}
#define Q(...) P(1, sizeof(odm_plugin), "lamp", DDF, __VA_ARGS__)
                {"another version", P(2, sizeof(odm_plugin), "lamp", DDF, .open = NULL), 0,
                 "another version"},
                {"an older one", P(1, 8, "lamp", DDF, .open = NULL), 0, "another version"},
                {"no name", P(1, sizeof(odm_plugin), "", DDF, .open = NULL), 0, "its name"},
                {"two names", P(1, sizeof(odm_plugin), "a/b", DDF, .open = NULL), 0, "its name"},
                {"no description", P(1, sizeof(odm_plugin), "lamp", NULL, .open = NULL), 0,
                 "no description"},
                {"nodes that are not there", Q(.n_nodes = 1), 0, "no description"},
                {"no document", P(1, sizeof(odm_plugin), "lamp", "hello", .open = NULL), 0,
                 "it is no DDF document"},
                {"another name", P(1, sizeof(odm_plugin), "light", DDF, .open = NULL), 0,
                 "one top Node called: light"},
                {"a description that breaks the rules",
                 P(1, sizeof(odm_plugin), "lamp",
                   HEAD NODE("lamp", "<Get/>", "node", "<DDFName/>",
                             NODE("X", "<Get/>", "int", "<DDFName>u</DDFName>", "")) "</MgmtTree>",
                   .open = NULL),
                 0, "lamp.so: lamp/X: "},
                {"a node without a path", Q(.nodes = no_path, .n_nodes = 1), 0, "has no path"},
                {"live and kept", Q(.nodes = both, .n_nodes = 1), 0, "cannot be set: On"},
                {"not described", Q(.nodes = other, .n_nodes = 1), 0, "has no node: On/Off"},
                {"it does not open", Q(.open = open_lamp), 1, "cannot be opened: no bulb"},
                {"of the wrong kind", Q(.nodes = wrong, .n_nodes = 1), 0, "wrong kind"},
#undef Q
#undef P
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                odm_tree_opt o;
                odm_tree *t = NULL;
                shared *s = NULL;
                diag d = {{0}};
                code = row[i].code;
                odm_tree_opt_init(&o, &heap);
                assert_int_equal(odm_tree_new(&o, &t), 0);
                int rc = shared_take(&row[i].p, "lamp.so", &s, &d);
                if (rc == 0)
                        rc = shared_mount(s, t, &d);
                if (rc >= 0 || !strstr(d.text, row[i].want))
                        fail_msg("%s: %d '%s'", row[i].why, rc, d.text);
                shared_close(s);
                odm_tree_free(t);
        }
}

static void files_are_judged(void **state)
{
        shared *s = NULL;
        diag d = {{0}};

        (void)state;
        assert_int_equal(shared_load("/nowhere", "lamp", &s, &d), ODM_ENOENT);
        assert_int_equal(shared_load("/nowhere", "../lamp", &s, &d), ODM_EMALFORMED);
        assert_null(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(functions_are_asked),
                cmocka_unit_test(bad_ones_are_refused),
                cmocka_unit_test(files_are_judged),
        };

        return RUN_TESTS(tests);
}
