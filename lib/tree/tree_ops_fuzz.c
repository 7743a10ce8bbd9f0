/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that the fuzzer picks, some in transactions, some failing for want of memory.  What
 * is refused leaves no trace; what is rolled back neither; and the log replays to the same tree. */
#include "fixture.h"
#include "fuzz.h"

struct world {
        const uint8_t *p, *end;
        odm_mem mem;
        uint32_t fail_in; /* allocations until one fails; 0 = never */
        odm_tree *t;
        odm_arena a;
        odm_buf log, before, start;
};

static void *world_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        struct world *w = ctx;

        if (n && w->fail_in && --w->fail_in == 0)
                return NULL;
        return fuzz_resize(NULL, p, old_n, n);
}

static uint8_t take(struct world *w)
{
        return w->p < w->end ? *w->p++ : 0;
}

static int keep(void *ctx, odm_str record)
{
        struct world *w = ctx;

        return odm_buf_str(&w->log, record);
}

static const char *const paths[] = {
        ".",
        "./A",
        "./A/b",
        "./A/b/c",
        "./B",
        "./B/d",
        "./Vendor",
        "./Vendor/lab",
        "./Vendor/lab/Name",
        "./Vendor/lab/Level",
        "./Vendor/lab/Blob",
        "./Vendor/lab/Secret",
        "./Vendor/lab/Items",
        "./Vendor/lab/Items/i",
        "./Vendor/lab/Items/i/Id",
        "./Vendor/lab/Items/i/Text",
        "./Vendor/lab/Items/j/Id",
        "./Vendor/lab/Ext",
        "./Vendor/lab/Ext/x",
        "./Vendor/lab/Ext/x/y",
        "./Vendor/lab/Live",
        "./Vendor/lab/Ports",
        "./Vendor/lab/Ports/p1",
        "./Vendor/lab/Ports/p2/Count",
        "./Vendor/lab/Picky",
        "./Vendor/lab/Run",
        "./Inbox",
        "./Inbox/n",
        "./Acc",
        "./Acc/m",
        "./Acc/m/ServerID",
        "./Acc/m/Secret",
        "./none/of/these",
        "./A//b",
        "./Keys",
        "./Keys/k",
        "./Keys/k/far/away",
        "./Keys/m",
};
static const char *const queries[] = {"",
                                      "",
                                      "",
                                      "",
                                      "?prop=ACL",
                                      "?prop=Name",
                                      "?prop=Title",
                                      "?prop=Size",
                                      "?list=Struct",
                                      "?list=TNDS",
                                      "?list=StructData"};
static const char *const values[] = {
        "",
        "1",
        "-7",
        "true",
        "text",
        "no",
        "A",
        "b",
        "Items",
        "AAEC/w==",
        "Get=*",
        "Get=S&Add=S",
        "Add=*&Get=*&Replace=*&Delete=*",
        "Replace=S+T&Delete=T",
        "a/b",
        "\xff",
};
static const char *const names[] = {"", "A", "b", "i", "Id", "m", "ServerID", "x", "Ext", "a/b"};

/* Keys that the device makes, and below them nodes that live elsewhere. */
static const odm_desc key_nodes[] = {{.name = {"Keys", 4},
                                      .format = ODM_FMT_NODE,
                                      .access = ODM_ACC_GET | ODM_ACC_ADD | ODM_ACC_REPLACE,
                                      .permanent = true,
                                      .first_child = 1},
                                     {.format = ODM_FMT_NODE,
                                      .access = ODM_ACC_GET | ODM_ACC_DELETE | ODM_ACC_REPLACE,
                                      .occurs = ODM_OCC_ZERO_OR_MORE}};
static const odm_mo key_mo = {{"", 0}, {"", 0}, key_nodes, 2};

static int far_away(void *ctx, const odm_op *op, const odm_at *at, odm_arena *a, odm_answer *out)
{
        (void)ctx;
        (void)a;
        MUST(at->uri.n >= strlen("./Keys/k"));
        MUST(op->server.p || (op->kind != ODM_CMD_ADD && op->kind != ODM_CMD_DELETE) ||
             at->uri.n > strlen("./Keys/k"));
        out->status = 200;
        return 0;
}

static const odm_provider keys = {
        .name = "keys", .mo = &key_mo, .forward = far_away, .forward_below = 1};

#define PICK(w, list) ((list)[take(w) % ODM_COUNT(list)])

static void dump(struct world *w, odm_buf *to)
{
        uint32_t fail_in = w->fail_in;

        w->fail_in = 0;
        odm_buf_cut(to, 0);
        MUST(odm_tree_dump(w->t, to) == 0);
        w->fail_in = fail_in;
}

static void must_be(struct world *w, const odm_buf *state)
{
        odm_buf now;

        odm_buf_init(&now, &fuzz_heap, SIZE_MAX / 2);
        dump(w, &now);
        MUST(odm_str_eq(odm_buf_view(&now), odm_buf_view(state)));
        odm_buf_done(&now);
}

static const odm_doc *make_doc(struct world *w, odm_doc *doc, odm_doc_node *n, size_t count)
{
        size_t used = 1 + take(w) % (count - 1);

        for (size_t i = 0; i < used; i++) {
                uint8_t how = take(w);
                n[i] = (odm_doc_node){.name = odm_cstr(PICK(w, names)), .has_rt = how & 1};
                n[i].format = (odm_format)(how % ODM_FMT_OTHER);
                n[i].value = (odm_data){how & 2 ? ODM_DATA_TEXT : ODM_DATA_ABSENT,
                                        odm_cstr(PICK(w, values))};
                n[i].acl = how & 4 ? odm_cstr(PICK(w, values)) : ODM_ABSENT;
                n[i].type = how & 8 ? ODM_STR("urn:oma:mo:x-acc:1.0") : ODM_ABSENT;
                n[i].path = how & 16 ? odm_cstr(PICK(w, paths)) : ODM_ABSENT;
                if (i == 0)
                        continue;
                if (how & 32)
                        n[i - 1].children = &n[i];
                else
                        n[i - 1].next = &n[i];
        }
        *doc = (odm_doc){.nodes = n};
        return doc;
}

static void one_op(struct world *w)
{
        static const odm_cmd kinds[] = {ODM_CMD_ADD,  ODM_CMD_ADD,    ODM_CMD_REPLACE,
                                        ODM_CMD_GET,  ODM_CMD_DELETE, ODM_CMD_COPY,
                                        ODM_CMD_EXEC, ODM_CMD_REPLACE};
        static const char *const servers[] = {NULL, "S", "T"};
        odm_doc_node nodes[6];
        odm_doc doc;
        char uri[96];
        uint8_t how = take(w);
        odm_op op = {.kind = PICK(w, kinds), .server = odm_cstr(PICK(w, servers))};
        odm_answer got = {.status = 0};

        snprintf(uri, sizeof uri, "%s%s", PICK(w, paths), PICK(w, queries));
        op.target = odm_cstr(uri);
        op.source = odm_cstr(PICK(w, paths));
        op.value.format = (odm_format)(take(w) % (ODM_FMT_OTHER + 1));
        op.value.data = odm_cstr(PICK(w, values));
        op.has_value = true;
        op.b64 = op.value.format == ODM_FMT_B64;
        op.quiet = how & 1;
        if ((how & 6) == 6)
                op.doc = make_doc(w, &doc, nodes, ODM_COUNT(nodes));
        w->fail_in = how & 8 ? 1u + take(w) % 40 : 0;
        dump(w, &w->before);
        odm_arena_reset(&w->a);
        int rc = odm_tree_do(w->t, &op, (odm_wall){1000 + how}, &w->a, &got);
        w->fail_in = 0;
        MUST(rc == 0 || rc == ODM_LATER || rc == ODM_ENOMEM);
        if (rc != 0 || !odm_status_ok(got.status) || op.kind == ODM_CMD_GET)
                must_be(w, &w->before);
}

static void one_step(struct world *w)
{
        unsigned status = 0;

        switch (take(w) % 16) {
        case 0:
                if (odm_tree_begin(w->t, (odm_wall){5}) == 0)
                        dump(w, &w->start);
                return;
        case 1:
                if (odm_tree_commit(w->t, &status) == 0)
                        MUST(status == 200 || status == 510);
                return;
        case 2:
                if (odm_tree_in_transaction(w->t)) {
                        odm_tree_rollback(w->t);
                        must_be(w, &w->start);
                }
                return;
        case 3: MUST(odm_tree_forget_server(w->t, ODM_STR("S"), (odm_wall){7}) == 0); return;
        default: one_op(w);
        }
}

static odm_tree *open_tree(const odm_mem *mem, struct world *log)
{
        odm_tree_opt o;
        odm_tree *t = NULL;

        odm_tree_opt_init(&o, mem);
        o.max_nodes = 40;
        o.log = log ? keep : NULL;
        o.log_ctx = log;
        MUST(odm_tree_new(&o, &t) == 0);
        MUST(odm_tree_mount(t, NULL, &lab_provider) == 0);
        MUST(odm_tree_mount(t, NULL, &lab_inbox) == 0);
        MUST(odm_tree_mount(t, NULL, &lab_accounts) == 0);
        MUST(odm_tree_mount(t, NULL, &keys) == 0);
        return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct world w = {.p = data, .end = data + size};
        odm_buf end;

        w.mem = (odm_mem){world_resize, &w};
        odm_buf_init(&w.log, &fuzz_heap, SIZE_MAX / 2);
        odm_buf_init(&w.before, &fuzz_heap, SIZE_MAX / 2);
        odm_buf_init(&w.start, &fuzz_heap, SIZE_MAX / 2);
        odm_buf_init(&end, &fuzz_heap, SIZE_MAX / 2);
        w.t = open_tree(&w.mem, &w);
        odm_arena_init(&w.a, &w.mem, (size_t)64 << 20);
        for (int i = 0; i < 200 && w.p < w.end; i++)
                one_step(&w);
        odm_tree_rollback(w.t);
        dump(&w, &end);
        odm_tree_free(w.t);
        odm_arena_done(&w.a);

        w.t = open_tree(&fuzz_heap, NULL); /* what the log says is what was */
        if (w.log.n)
                MUST(odm_tree_load(w.t, odm_buf_view(&w.log)) == 0);
        must_be(&w, &end);
        odm_tree_free(w.t);
        odm_buf_done(&w.log);
        odm_buf_done(&w.before);
        odm_buf_done(&w.start);
        odm_buf_done(&end);
        return 0;
}
