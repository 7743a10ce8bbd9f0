/* SPDX-License-Identifier: Apache-2.0 */
/* Providers that forward, ask their host, or fail; the device's own view; documents and failing
 * memory. */
#include "fixture.h"

#define ADD ODM_CMD_ADD
#define REP ODM_CMD_REPLACE
#define DEL ODM_CMD_DELETE
#define GET ODM_CMD_GET
#define CPY ODM_CMD_COPY
#define NODE ODM_FMT_NODE
#define CHR ODM_FMT_CHR
#define ABS ODM_FMT_ABSENT
#define NOW ((odm_wall){1})
#define TEXT(literal)                           \
        {                                       \
                "" literal, sizeof(literal) - 1 \
        }

/* ---- forwarding ------------------------------------------------------------------------- */

struct far {
        unsigned calls;
        int rc;
        char uri[64];
};

static int far_forward(void *ctx, const odm_op *op, const odm_at *at, odm_arena *a, odm_answer *out)
{
        struct far *f = ctx;

        f->calls++;
        assert_true(at->uri.n < sizeof f->uri);
        memcpy(f->uri, at->uri.p, at->uri.n);
        f->uri[at->uri.n] = '\0';
        if (f->rc)
                return f->rc;
        out->status = 200;
        if (op->kind == GET) {
                out->results = odm_new(a, odm_result);
                if (out->results == NULL)
                        return odm_arena_err(a);
                out->results->value.data = ODM_STR("far");
        }
        return 0;
}

static const odm_desc far_nodes[] = {
        {.name = TEXT("GwDev"), .format = ODM_FMT_NODE, .access = ODM_ACC_GET, .permanent = true}};
static const odm_mo far_mo = {TEXT(""), TEXT(""), far_nodes, 1};

static void operations_are_forwarded(void **state)
{
        struct far f = {.calls = 0};
        odm_provider p = {.name = "far", .mo = &far_mo, .ctx = &f, .forward = far_forward};
        struct lab l;
        odm_answer got = {.status = 7};

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_mount(l.t, NULL, &p), 0);
        lab_do(&l, &(struct row){"the top", "S", GET, "./GwDev", ABS, NULL, 200, "far"});
        lab_do(&l, &(struct row){"far below", "S", GET, "./GwDev/k/DevInfo/Man", ABS, NULL, 200,
                                 "far"});
        assert_string_equal(f.uri, "./GwDev/k/DevInfo/Man");
        lab_do(&l, &(struct row){"rights are ours", "S", REP, "./GwDev/k/x", CHR, "1", 425});
        lab_do(&l, &(struct row){"so are addresses", "S", GET, "./GwDev//x", ABS, NULL, 404});
        assert_int_equal(f.calls, 2);
        lab_do(&l, &(struct row){"its own list", "S", GET, "./GwDev?prop=ACL", ABS, NULL, 200, ""});
        lab_do(&l, &(struct row){"a list from above", "S", GET, ".?list=Struct", ABS, NULL, 200});
        lab_do(&l, &(struct row){"no copy from there", NULL, CPY, "./X", ABS, "./GwDev/k/x", 405});
        assert_int_equal(f.calls, 2);
        lab_do(&l, &(struct row){"the device adds", NULL, ADD, "./GwDev/k/x", CHR, "1", 200});

        f.rc = ODM_LATER;
        odm_op op = lab_op(NULL, REP, "./GwDev/k/x", CHR, "1");
        assert_int_equal(odm_tree_do(l.t, &op, NOW, &l.a, &got), ODM_LATER);
        assert_false(odm_tree_in_transaction(l.t));
        f.rc = ODM_EIO;
        got.status = 7;
        assert_int_equal(odm_tree_do(l.t, &op, NOW, &l.a, &got), ODM_EIO);
        assert_int_equal(got.status, 7); /* untouched */
        lab_close(&l);
}

/* ---- forwarding one level below the mount ------------------------------------------------- */

static const odm_desc keyed_nodes[] = {{.name = TEXT("GwDev"),
                                        .format = ODM_FMT_NODE,
                                        .access = ODM_ACC_GET | ODM_ACC_ADD | ODM_ACC_DELETE,
                                        .permanent = true,
                                        .first_child = 1},
                                       {.format = ODM_FMT_NODE,
                                        .access = ODM_ACC_GET | ODM_ACC_DELETE | ODM_ACC_REPLACE,
                                        .occurs = ODM_OCC_ZERO_OR_MORE}};
static const odm_mo keyed_mo = {TEXT(""), TEXT(""), keyed_nodes, 2};

static odm_doc_node key_doc = {.name = TEXT("d3"), .has_rt = true, .format = ODM_FMT_NODE};
static odm_doc_node keyed_doc = {.name = TEXT("GwDev"), .has_rt = true, .format = ODM_FMT_NODE};

static unsigned do_doc(struct lab *l, odm_cmd kind, const char *target, odm_doc_node *top)
{
        odm_doc doc = {.ver_dtd = ODM_STR("1.2"), .nodes = top};
        odm_op op = {.kind = kind, .target = odm_cstr(target), .server = ODM_STR("S"), .doc = &doc};
        odm_answer got;

        return lab_status(l, &op, &got);
}

static const struct row keyed_rows[] = {
        {"the device makes a key", NULL, ADD, "./GwDev/d1", NODE, NULL, 200},
        {"and another", NULL, ADD, "./GwDev/d2", NODE, NULL, 200},
        {"one that is there", NULL, ADD, "./GwDev/d2", NODE, NULL, 418},
        {"a server makes none", "S", ADD, "./GwDev/d9", NODE, NULL, 405},
        {"nor on the way", "S", ADD, "./GwDev/d9/A/b", CHR, "1", 405},
        {"keys are listed", "S", GET, "./GwDev", ABS, NULL, 200, "d1/d2"},
        {"no such key", "S", GET, "./GwDev/d9/A", ABS, NULL, 404},
        {"open to one", NULL, REP, "./GwDev/d1?prop=ACL", ABS, "Get=S&Replace=S&Delete=S", 200},
        {"closed to it", NULL, REP, "./GwDev/d2?prop=ACL", ABS, "Get=T", 200},
        {"far", "S", GET, "./GwDev/d1/DevInfo/Man", ABS, NULL, 200, "far"},
        {"the key itself is far", "S", GET, "./GwDev/d1", ABS, NULL, 200, "far"},
        {"rights are the key's", "S", GET, "./GwDev/d2/DevInfo/Man", ABS, NULL, 425},
        {"for each kind of operation", "S", ADD, "./GwDev/d1/X", CHR, "1", 425},
        {"for another server", "T", GET, "./GwDev/d2/DevInfo/Man", ABS, NULL, 200, "far"},
        {"properties below are far", "S", GET, "./GwDev/d1/DevInfo?prop=ACL", ABS, NULL, 200,
         "far"},
        {"the key's list is ours", "S", GET, "./GwDev/d1?prop=ACL", ABS, NULL, 200,
         "Get=S&Replace=S&Delete=S"},
        {"the server may change it", "S", REP, "./GwDev/d1?prop=ACL", ABS,
         "Get=S+T&Replace=S&Delete=S", 200},
        {"a name is kept", "S", REP, "./GwDev/d1?prop=Name", ABS, "e1", 405},
        {"by the device too", NULL, REP, "./GwDev/d1?prop=Name", ABS, "e1", 405},
        {"a server removes no key, but may ask", "S", DEL, "./GwDev/d1", ABS, NULL, 200},
        {"it is still there", "S", GET, "./GwDev", ABS, NULL, 200, "d1/d2"},
        {"no copy from there", NULL, CPY, "./X", ABS, "./GwDev/d1/x", 405},
        {"the device removes it", NULL, DEL, "./GwDev/d2", ABS, NULL, 200},
        {"gone", "S", GET, "./GwDev", ABS, NULL, 200, "d1"},
};

static void keys_are_the_devices(void **state)
{
        struct far f = {.calls = 0};
        odm_provider p = {.name = "far",
                          .mo = &keyed_mo,
                          .ctx = &f,
                          .forward = far_forward,
                          .forward_below = 1};
        struct lab l;

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_mount(l.t, NULL, &p), 0);
        lab_do(&l, &(struct row){"open to all", NULL, REP, "./GwDev?prop=ACL", ABS,
                                 "Add=*&Get=*&Replace=*&Delete=*", 200});
        lab_rows(&l, keyed_rows, ODM_COUNT(keyed_rows));
        assert_int_equal(f.calls, 5); /* far, the key, the property, T's, Delete */
        assert_string_equal(f.uri, "./GwDev/d1");

        assert_int_equal(do_doc(&l, ADD, "./GwDev", &key_doc), 405);
        assert_int_equal(do_doc(&l, REP, "./GwDev", &keyed_doc), 200); /* d1 stays */
        lab_do(&l, &(struct row){"still there", "S", GET, "./GwDev", ABS, NULL, 200, "d1"});
        assert_int_equal(f.calls, 5);
        lab_close(&l);
}

static unsigned names_seen(const odm_answer *got, const char *list[], size_t n)
{
        unsigned count = 0;

        for (const odm_result *r = got->results; r; r = r->next, count++)
                for (size_t i = 0; i < n; i++)
                        if (list[i] && odm_str_is(r->uri, list[i]))
                                list[i] = NULL;
        return count;
}

static void lists_show_keys_and_no_more(void **state)
{
        struct far f = {.calls = 0};
        odm_provider p = {.name = "far",
                          .mo = &keyed_mo,
                          .ctx = &f,
                          .forward = far_forward,
                          .forward_below = 1};
        const char *want[] = {"./GwDev", "./GwDev/d1"};
        odm_op op = lab_op("S", GET, "./GwDev?list=StructData", ABS, NULL);
        odm_answer got;
        odm_str state_of;
        struct lab l;

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_mount(l.t, NULL, &p), 0);
        lab_rows(&l, keyed_rows, 2);
        lab_do(&l, &(struct row){"hidden", NULL, REP, "./GwDev/d2?prop=ACL", ABS, "Get=T", 200});
        assert_int_equal(lab_status(&l, &op, &got), 200);
        assert_int_equal(names_seen(&got, want, 2), 2);
        assert_null(want[0]);
        assert_null(want[1]);
        assert_int_equal(f.calls, 0);

        /* keys and their rights are kept */
        state_of = lab_state(&l);
        lab_close(&l);
        lab_init(&l);
        assert_int_equal(odm_tree_mount(l.t, NULL, &p), 0);
        assert_int_equal(odm_tree_load(l.t, state_of), 0);
        exact_free(state_of);
        lab_do(&l, &(struct row){"kept", "S", GET, "./GwDev", ABS, NULL, 200, "d1/d2"});
        lab_do(&l, &(struct row){"rights", "S", GET, "./GwDev/d2/A", ABS, NULL, 425});
        lab_close(&l);
}

/* ---- live leaves that take values ----------------------------------------------------------- */

struct knob {
        char value[16];
        unsigned writes;
        int rc;
};

static int read_knob(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const struct knob *k = ctx;

        (void)at;
        (void)a;
        out->data = odm_cstr(k->value);
        return 0;
}

static int write_knob(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        struct knob *k = ctx;

        assert_str(at->uri, "./Knob/Level");
        if (k->rc)
                return k->rc;
        if (odm_str_is(v->data, "13")) {
                *status = 403;
                return 0;
        }
        assert_true(v->data.n < sizeof k->value);
        memcpy(k->value, v->data.p, v->data.n);
        k->value[v->data.n] = '\0';
        k->writes++;
        return 0;
}

static const odm_desc knob_nodes[] = {{.name = TEXT("Knob"),
                                       .format = ODM_FMT_NODE,
                                       .access = ODM_ACC_GET,
                                       .permanent = true,
                                       .first_child = 1},
                                      {.name = TEXT("Level"),
                                       .format = ODM_FMT_INT,
                                       .access = ODM_ACC_GET | ODM_ACC_REPLACE,
                                       .permanent = true,
                                       .type = TEXT("text/plain")}};
static const odm_mo knob_mo = {TEXT(""), TEXT(""), knob_nodes, 2};
static const odm_binding knob_bind[] = {{.path = "Level", .read = read_knob, .write = write_knob}};

static const struct row knob_rows[] = {
        {"no right", "T", REP, "./Knob/Level", CHR, "6", 425},
        {"taken", "S", REP, "./Knob/Level", CHR, "6", 200},
        {"read back", "S", GET, "./Knob/Level", ABS, NULL, 200, "6"},
        {"no number", "S", REP, "./Knob/Level", CHR, "high", 415},
        {"another kind", "S", REP, "./Knob/Level", ODM_FMT_BOOL, "true", 405},
        {"the provider refuses", "S", REP, "./Knob/Level", CHR, "13", 403},
        {"never removed", "S", DEL, "./Knob/Level", ABS, NULL, 405},
        {"by copy", NULL, CPY, "./Knob/Level", ABS, "./Vendor/lab/Level", 200},
};

static odm_doc_node knob_leaf = {.name = TEXT("Level"),
                                 .has_rt = true,
                                 .format = ODM_FMT_INT,
                                 .value = {ODM_DATA_TEXT, TEXT("1")}};
static odm_doc_node knob_doc = {
        .name = TEXT("Knob"), .has_rt = true, .format = ODM_FMT_NODE, .children = &knob_leaf};

static void live_leaves_may_take_values(void **state)
{
        struct knob k = {.value = "5"};
        odm_provider p = {
                .name = "knob", .mo = &knob_mo, .bind = knob_bind, .n_bind = 1, .ctx = &k};
        odm_value v = {.data = ODM_STR("8")};
        unsigned status = 0;
        struct lab l;

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_mount(l.t, NULL, &p), 0);
        lab_do(&l, &(struct row){"rights", NULL, REP, "./Knob?prop=ACL", ABS,
                                 "Get=*&Replace=S&Add=S&Delete=S", 200});
        lab_rows(&l, knob_rows, ODM_COUNT(knob_rows));
        assert_string_equal(k.value, "1");
        assert_int_equal(k.writes, 2);
        assert_int_equal(odm_tree_write(l.t, ODM_STR("./Knob/Level"), &v, NOW), 0);
        assert_string_equal(k.value, "8");

        assert_int_equal(odm_tree_begin(l.t, NOW), 0);
        lab_do(&l, &(struct row){"in a transaction", "S", REP, "./Knob/Level", CHR, "7", 406});
        assert_int_equal(odm_tree_commit(l.t, &status), 0);
        assert_int_equal(do_doc(&l, REP, "./Knob", &knob_doc), 406); /* it would be changed */
        assert_string_equal(k.value, "8");
        (void)snprintf(k.value, sizeof k.value, "1");
        assert_int_equal(do_doc(&l, REP, "./Knob", &knob_doc), 200); /* it is as it was read */
        k.rc = ODM_EIO;
        lab_do(&l, &(struct row){"it fails", "S", REP, "./Knob/Level", CHR, "7", 500});
        lab_close(&l);
}

static void execution_may_wait_for_the_host(void **state)
{
        struct lab l;
        odm_answer got;
        odm_op op = lab_op(NULL, ODM_CMD_EXEC, "./Vendor/lab/Run", ABS, "later");

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_do(l.t, &op, NOW, &l.a, &got), ODM_LATER);
        lab_do(&l, &(struct row){"no right", "S", ODM_CMD_EXEC, "./Vendor/lab/Run", ABS, "x", 425});
        op.kind = ODM_CMD_ATOMIC;
        assert_int_equal(lab_status(&l, &op, &got), 406);
        lab_close(&l);
}

/* ---- mounting ----------------------------------------------------------------------------- */

static void mounting_is_as_the_table_says(void **state)
{
        static const odm_binding no_such[] = {{.path = "None"}};
        static const odm_binding twice[] = {{.path = "Run"}, {.path = "Run"}};
        static const odm_binding only_written[] = {{.path = "Level", .write = write_knob}};
        static const struct row_mount {
                const char *why, *at;
                const odm_binding *bind;
                size_t n;
                int rc;
        } rows[] = {
                {"taken", NULL, NULL, 0, ODM_EEXIST},
                {"the root", ".", NULL, 0, ODM_EINVAL},
                {"no URI", "./a//b", NULL, 0, ODM_EINVAL},
                {"a property", "./a?prop=ACL", NULL, 0, ODM_EINVAL},
                {"below a leaf", "./Vendor/lab/Name/x", NULL, 0, ODM_EEXIST},
                {"no such descriptor", "./y", no_such, 1, ODM_EINVAL},
                {"bound twice", "./y", twice, 2, ODM_EINVAL},
                {"written, but stored", "./y", only_written, 1, ODM_EINVAL},
                {"elsewhere", "./Other/place", NULL, 0, 0},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                static odm_provider p[ODM_COUNT(rows)];
                size_t nodes = odm_tree_nodes(l.t);
                p[i] = (odm_provider){.name = "x", .mo = &lab_mo, .bind = rows[i].bind};
                p[i].n_bind = rows[i].n;
                int rc = odm_tree_mount(l.t, rows[i].at, &p[i]);
                if (rc != rows[i].rc)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                if (rc < 0)
                        assert_int_equal(odm_tree_nodes(l.t), nodes);
        }
        lab_do(&l, &(struct row){"there", "S", GET, "./Other/place/Name", ABS, NULL, 200, "lab"});
        lab_do(&l, &(struct row){"plain", "S", DEL, "./Other", ABS, NULL, 405});
        lab_close(&l);
}

/* ---- the device's own view ----------------------------------------------------------------- */

static int first_only(void *ctx, odm_str name)
{
        *(odm_str *)ctx = name;
        return 33;
}

static void the_device_sees_all(void **state)
{
        struct lab l;
        odm_value v = {.data = ODM_ABSENT};
        odm_str name = ODM_ABSENT;

        (void)state;
        lab_init(&l);
        assert_int_equal(odm_tree_read(l.t, ODM_STR("./Vendor/lab/Secret"), &l.a, &v), 0);
        assert_str(v.data, "hush");
        assert_int_equal(odm_tree_read(l.t, ODM_STR("Vendor/lab/Live"), &l.a, &v), 0);
        assert_str(v.data, "alive");
        assert_int_equal(odm_tree_read(l.t, ODM_STR("./Vendor/lab"), &l.a, &v), ODM_EINVAL);
        assert_int_equal(odm_tree_read(l.t, ODM_STR("./Vendor/none"), &l.a, &v), ODM_ENOENT);
        assert_int_equal(odm_tree_read(l.t, ODM_STR("./a//b"), &l.a, &v), ODM_ENOENT);
        assert_int_equal(odm_tree_children(l.t, ODM_STR("./Vendor/lab/Ports"), first_only, &name),
                         33);
        assert_int_equal(odm_tree_children(l.t, ODM_STR("./none"), first_only, &name), ODM_ENOENT);
        assert_true(odm_tree_exists(l.t, ODM_STR("./Vendor/lab/Ports/p1/Count")));
        assert_false(odm_tree_exists(l.t, ODM_STR("./Vendor/lab/Ports/p9")));

        v = (odm_value){.data = ODM_STR("5")};
        assert_int_equal(odm_tree_write(l.t, ODM_STR("./Vendor/lab/Items/q/Id"), &v, NOW), 0);
        assert_int_equal(odm_tree_write(l.t, ODM_STR("./Vendor/lab/Live"), &v, NOW), ODM_EACCESS);
        assert_int_equal(odm_tree_write(l.t, ODM_STR("./Vendor/lab/Flag"), &v, NOW), ODM_EINVAL);
        assert_int_equal(odm_tree_write(l.t, ODM_STR("./Vendor/lab/Flag/x"), &v, NOW), ODM_EACCESS);
        lab_close(&l);
}

/* ---- documents and failing memory ------------------------------------------------------- */

static odm_doc_node port = {.name = TEXT("Text"),
                            .has_rt = true,
                            .format = ODM_FMT_CHR,
                            .value = {ODM_DATA_TEXT, TEXT("text of it")}};
static odm_doc_node id = {.next = &port,
                          .name = TEXT("Id"),
                          .has_rt = true,
                          .format = ODM_FMT_INT,
                          .value = {ODM_DATA_TEXT, TEXT("12")}};
static odm_doc_node item = {.name = TEXT("q"),
                            .has_rt = true,
                            .acl = TEXT("Get=*&Replace=S"),
                            .format = ODM_FMT_NODE,
                            .children = &id};
static odm_doc_node server_id = {.name = TEXT("ServerID"),
                                 .has_rt = true,
                                 .format = ODM_FMT_CHR,
                                 .value = {ODM_DATA_TEXT, TEXT("S")}};
static odm_doc_node account = {.name = TEXT("m"),
                               .has_rt = true,
                               .type_is_ddf_name = true,
                               .type = TEXT("urn:oma:mo:x-acc:1.0"),
                               .format = ODM_FMT_NODE,
                               .children = &server_id};

static const struct doc_row {
        odm_cmd kind;
        const char *target;
        odm_doc_node *top;
} doc_rows[] = {
        {ADD, "./Vendor/lab/Items", &item},
        {REP, "./Vendor/lab/Items/old", &item},
        {ADD, "./Inbox", &account},
};

static int torture_doc(failing *f, void *arg)
{
        const struct doc_row *r = arg;
        odm_doc doc = {.nodes = r->top};
        odm_op op = {.kind = r->kind, .target = odm_cstr(r->target), .doc = &doc};
        odm_value v = {.data = ODM_STR("1")};
        odm_doc_node renamed = *r->top;
        odm_buf before, after;
        odm_answer got;
        struct lab l;
        int rc = lab_open(&l, &f->mem, NULL);

        odm_buf_init(&before, &heap, 1 << 20);
        odm_buf_init(&after, &heap, 1 << 20);
        if (r->kind == REP) {
                renamed.name = ODM_STR("old");
                doc.nodes = &renamed;
        } else {
                op.server = ODM_STR("S");
        }
        if (r->top == &item)
                op.server = ODM_ABSENT;
        if (rc == 0)
                rc = odm_tree_write(l.t, ODM_STR("./Vendor/lab/Items/old/Text"), &v, NOW);
        if (rc == 0) {
                uint64_t fail_at = f->fail_at;
                f->fail_at = 0;
                assert_int_equal(odm_tree_dump(l.t, &before), 0);
                f->fail_at = fail_at;
                rc = odm_tree_do(l.t, &op, NOW, &l.a, &got);
                f->fail_at = 0;
                assert_int_equal(odm_tree_dump(l.t, &after), 0);
                if (rc < 0)
                        assert_octets(odm_buf_view(&after), odm_buf_view(&before));
                else
                        assert_int_equal(got.status, 200);
        }
        if (l.t)
                lab_close(&l);
        else
                odm_arena_done(&l.a);
        odm_buf_done(&before);
        odm_buf_done(&after);
        return rc;
}

static void no_document_is_half_taken(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(doc_rows); i++)
                torture(torture_doc, (void *)(uintptr_t)&doc_rows[i], 300);
}

static void count_gone(void *ctx)
{
        ++*(int *)ctx;
}

/* A provider may be freed before the tree: nothing of it is read then but what the tree copied. */
static void descriptions_go_with_the_tree(void **state)
{
        odm_provider *p = malloc(sizeof *p);
        odm_tree_opt o;
        odm_tree *t = NULL;
        int gone = 0;

        (void)state;
        assert_non_null(p);
        *p = lab_provider;
        p->ctx = &gone;
        p->gone = count_gone;
        odm_tree_opt_init(&o, &heap);
        assert_int_equal(odm_tree_new(&o, &t), 0);
        assert_int_equal(odm_tree_mount(t, NULL, p), 0);
        assert_int_equal(odm_tree_mount(t, NULL, p), ODM_EEXIST);
        assert_int_equal(gone, 0);
        free(p);
        odm_tree_free(t);
        assert_int_equal(gone, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(operations_are_forwarded),
                cmocka_unit_test(keys_are_the_devices),
                cmocka_unit_test(lists_show_keys_and_no_more),
                cmocka_unit_test(live_leaves_may_take_values),
                cmocka_unit_test(execution_may_wait_for_the_host),
                cmocka_unit_test(mounting_is_as_the_table_says),
                cmocka_unit_test(the_device_sees_all),
                cmocka_unit_test(no_document_is_half_taken),
                cmocka_unit_test(descriptions_go_with_the_tree),
        };

        return RUN_TESTS(tests);
}
