/* SPDX-License-Identifier: Apache-2.0 */
/*  ./Vendor/lab        Add Get           permanent
 *    Name              chr   Get Replace  permanent, default "lab"
 *    Level             int   Get Replace  permanent, default "1"
 *    Flag              bool  Get Replace  permanent, default "false"
 *    Blob              bin   Get Replace  permanent
 *    Secret            chr   Replace      permanent, default "hush"
 *    Items             node  Add Get      permanent
 *      <X>             node  Add Delete Get Replace, ZeroOrN 3
 *        Id            int   Get Replace
 *        Text          chr   Get Replace Delete   ZeroOrOne, text/plain text/html
 *    Ext               node  Add Get      permanent: open
 *    Live              chr   Get          permanent, read
 *    Ports             node  Get          permanent, listed
 *      <X>             node  Get
 *        Count         int   Get          read
 *    Run               chr   Exec         permanent
 *    Picky             chr   Get Replace  permanent, checked: refuses "no" with 403 */
#include "fixture.h"

/* An initialiser: ODM_STR() is no constant expression. */
#define TEXT(literal)                           \
        {                                       \
                "" literal, sizeof(literal) - 1 \
        }
#define A ODM_ACC_ADD
#define D ODM_ACC_DELETE
#define G ODM_ACC_GET
#define R ODM_ACC_REPLACE

static const odm_desc lab_nodes[] = {
        [0] = {.name = TEXT("lab"),
               .format = ODM_FMT_NODE,
               .access = A | G,
               .permanent = true,
               .type = TEXT("urn:oma:mo:x-lab:1.0"),
               .first_child = 1},
        [1] = {.name = TEXT("Name"),
               .format = ODM_FMT_CHR,
               .access = G | R,
               .permanent = true,
               .type = TEXT("text/plain"),
               .has_default = true,
               .default_value = TEXT("lab"),
               .next = 2},
        [2] = {.name = TEXT("Level"),
               .format = ODM_FMT_INT,
               .access = G | R,
               .permanent = true,
               .type = TEXT("text/plain"),
               .has_default = true,
               .default_value = TEXT("1"),
               .next = 3},
        [3] = {.name = TEXT("Flag"),
               .format = ODM_FMT_BOOL,
               .access = G | R,
               .permanent = true,
               .type = TEXT("text/plain"),
               .has_default = true,
               .default_value = TEXT("false"),
               .next = 4},
        [4] = {.name = TEXT("Blob"),
               .format = ODM_FMT_BIN,
               .access = G | R,
               .permanent = true,
               .type = TEXT("application/octet-stream"),
               .next = 5},
        [5] = {.name = TEXT("Secret"),
               .format = ODM_FMT_CHR,
               .access = R,
               .permanent = true,
               .type = TEXT("text/plain"),
               .has_default = true,
               .default_value = TEXT("hush"),
               .next = 6},
        [6] = {.name = TEXT("Items"),
               .format = ODM_FMT_NODE,
               .access = A | G,
               .permanent = true,
               .first_child = 7,
               .next = 10},
        [7] = {.name = TEXT(""),
               .format = ODM_FMT_NODE,
               .access = A | D | G | R,
               .occurs = ODM_OCC_ZERO_OR_N,
               .occurs_n = 3,
               .parent = 6,
               .first_child = 8},
        [8] = {.name = TEXT("Id"),
               .format = ODM_FMT_INT,
               .access = G | R,
               .type = TEXT("text/plain"),
               .parent = 7,
               .next = 9},
        [9] = {.name = TEXT("Text"),
               .format = ODM_FMT_CHR,
               .access = G | R | D,
               .occurs = ODM_OCC_ZERO_OR_ONE,
               .type = TEXT("text/plain"),
               .types = TEXT("text/plain text/html"),
               .parent = 7},
        [10] = {.name = TEXT("Ext"),
                .format = ODM_FMT_NODE,
                .access = A | G,
                .permanent = true,
                .next = 11},
        [11] = {.name = TEXT("Live"),
                .format = ODM_FMT_CHR,
                .access = G,
                .permanent = true,
                .type = TEXT("text/plain"),
                .next = 12},
        [12] = {.name = TEXT("Ports"),
                .format = ODM_FMT_NODE,
                .access = G,
                .permanent = true,
                .first_child = 13,
                .next = 15},
        [13] = {.name = TEXT(""),
                .format = ODM_FMT_NODE,
                .access = G,
                .occurs = ODM_OCC_ZERO_OR_MORE,
                .parent = 12,
                .first_child = 14},
        [14] = {.name = TEXT("Count"),
                .format = ODM_FMT_INT,
                .access = G,
                .type = TEXT("text/plain"),
                .parent = 13},
        [15] = {.name = TEXT("Run"),
                .format = ODM_FMT_CHR,
                .access = ODM_ACC_EXEC,
                .permanent = true,
                .type = TEXT("text/plain"),
                .next = 16},
        [16] = {.name = TEXT("Picky"),
                .format = ODM_FMT_CHR,
                .access = G | R,
                .permanent = true,
                .type = TEXT("text/plain")},
};
const odm_mo lab_mo = {TEXT("urn:oma:mo:x-lab:1.0"), TEXT("Vendor"), lab_nodes,
                       ODM_COUNT(lab_nodes)};

static int read_live(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        assert_str(at->uri, "./Vendor/lab/Live");
        out->data = odm_arena_copy(a, ODM_STR("alive"));
        return out->data.p ? 0 : odm_arena_err(a);
}

static int list_ports(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        static const char *const names[] = {"p2", "p1", "p2"}; /* twice is once */
        int rc = 0;

        (void)ctx;
        assert_str(at->uri, "./Vendor/lab/Ports");
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(names); i++)
                rc = add(to, odm_cstr(names[i]));
        return rc;
}

static int read_count(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        out->data = odm_arena_fmt(a, "%c", at->name[0].p[1]);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int exec_run(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (odm_str_is(op->value.data, "later"))
                return ODM_LATER;
        *status = ODM_ST_ACCEPTED;
        return 0;
}

static int check_picky(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && odm_str_is(v->data, "no"))
                *status = ODM_ST_FORBIDDEN;
        return 0;
}

static const odm_binding lab_bind[] = {
        {.path = "Live", .read = read_live},           {.path = "Ports", .list = list_ports},
        {.path = "Ports/*/Count", .read = read_count}, {.path = "Run", .exec = exec_run},
        {.path = "Picky", .check = check_picky},
};
const odm_provider lab_provider = {
        .name = "lab", .mo = &lab_mo, .bind = lab_bind, .n_bind = ODM_COUNT(lab_bind)};

static const odm_desc inbox_nodes[] = {{.name = TEXT("Inbox"),
                                        .format = ODM_FMT_NODE,
                                        .access = A,
                                        .permanent = true,
                                        .type = TEXT("urn:oma:mo:oma-dm-inbox:1.0")}};
static const odm_mo inbox_mo = {TEXT("urn:oma:mo:oma-dm-inbox:1.0"), TEXT(""), inbox_nodes, 1};
const odm_provider lab_inbox = {.name = "inbox", .mo = &inbox_mo};

static const odm_desc acc_nodes[] = {
        [0] = {.name = TEXT("Acc"),
               .format = ODM_FMT_NODE,
               .access = A | G,
               .permanent = true,
               .first_child = 1},
        [1] = {.name = TEXT(""),
               .format = ODM_FMT_NODE,
               .access = A | D | G | R,
               .occurs = ODM_OCC_ONE_OR_MORE,
               .type = TEXT("urn:oma:mo:x-acc:1.0"),
               .first_child = 2},
        [2] = {.name = TEXT("ServerID"),
               .format = ODM_FMT_CHR,
               .access = G | R,
               .type = TEXT("text/plain"),
               .parent = 1,
               .next = 3},
        [3] = {.name = TEXT("Secret"),
               .format = ODM_FMT_CHR,
               .access = R,
               .occurs = ODM_OCC_ZERO_OR_ONE,
               .type = TEXT("text/plain"),
               .parent = 1},
};
static const odm_mo acc_mo = {TEXT(""), TEXT(""), acc_nodes, ODM_COUNT(acc_nodes)};
const odm_provider lab_accounts = {.name = "acc", .mo = &acc_mo};

int lab_open(struct lab *l, const odm_mem *mem, const odm_tree_opt *opt)
{
        odm_tree_opt o;
        int rc;

        odm_tree_opt_init(&o, mem);
        if (opt) {
                o = *opt;
                o.mem = mem;
        }
        *l = (struct lab){.mem = mem, .now = 994869497};
        odm_arena_init(&l->a, mem, (size_t)64 << 20);
        odm_arena_init(&l->docs, mem, (size_t)64 << 20);
        rc = odm_tree_new(&o, &l->t);
        if (rc == 0)
                rc = odm_tree_mount(l->t, NULL, &lab_provider);
        if (rc == 0)
                rc = odm_tree_mount(l->t, NULL, &lab_inbox);
        if (rc == 0)
                rc = odm_tree_mount(l->t, "./Acc", &lab_accounts);
        return rc;
}

void lab_init(struct lab *l)
{
        assert_int_equal(lab_open(l, &heap, NULL), 0);
}

void lab_close(struct lab *l)
{
        odm_tree_free(l->t);
        odm_arena_done(&l->a);
        odm_arena_done(&l->docs);
}

odm_op lab_op(const char *server, odm_cmd kind, const char *target, odm_format f, const char *data)
{
        odm_op op = {.kind = kind, .target = odm_cstr(target), .server = odm_cstr(server)};

        if (kind == ODM_CMD_COPY)
                op.source = odm_cstr(data);
        else
                op.value = (odm_value){f, ODM_ABSENT, odm_cstr(data)};
        op.has_value = data != NULL;
        op.b64 = f == ODM_FMT_B64;
        return op;
}

unsigned lab_status(struct lab *l, const odm_op *op, odm_answer *out)
{
        *out = (odm_answer){.status = 0};
        odm_arena_reset(&l->a);
        assert_int_equal(odm_tree_do(l->t, op, (odm_wall){l->now++}, &l->a, out), 0);
        return out->status;
}

void lab_do(struct lab *l, const struct row *r)
{
        odm_str target = exact_copy(r->target);
        odm_str data = exact_copy(r->data ? r->data : "");
        odm_op op = lab_op(r->server, r->kind, r->target, r->format, r->data);
        odm_str before = lab_state(l);
        odm_answer got;

        op.target = target;
        if (r->data && r->kind == ODM_CMD_COPY)
                op.source = data;
        else if (r->data)
                op.value.data = data;
        if (lab_status(l, &op, &got) != r->status)
                fail_msg("%s: %s %s gave %u, not %u", r->why, odm_cmd_name(r->kind), r->target,
                         got.status, r->status);
        if (r->want && (got.results == NULL || !odm_str_is(got.results->value.data, r->want)))
                fail_msg("%s: %s gave '%.*s', not '%s'", r->why, r->target,
                         got.results ? (int)got.results->value.data.n : 0,
                         got.results ? got.results->value.data.p : "", r->want);
        odm_str after = lab_state(l);
        if (r->status >= 300 && !odm_str_eq(before, after))
                fail_msg("%s: refused with %u, but the tree changed", r->why, r->status);
        exact_free(before);
        exact_free(after);
        exact_free(target);
        exact_free(data);
}

void lab_rows(struct lab *l, const struct row *r, size_t n)
{
        for (size_t i = 0; i < n; i++)
                lab_do(l, &r[i]);
}

odm_str lab_state(struct lab *l)
{
        odm_buf b;
        odm_str s;

        odm_buf_init(&b, &heap, (size_t)64 << 20);
        assert_int_equal(odm_tree_dump(l->t, &b), 0);
        s = exact_bytes(b.p, b.n);
        odm_buf_done(&b);
        return s;
}
