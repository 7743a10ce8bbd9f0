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
                cmocka_unit_test(execution_may_wait_for_the_host),
                cmocka_unit_test(mounting_is_as_the_table_says),
                cmocka_unit_test(the_device_sees_all),
                cmocka_unit_test(no_document_is_half_taken),
                cmocka_unit_test(descriptions_go_with_the_tree),
        };

        return RUN_TESTS(tests);
}
