/* SPDX-License-Identifier: Apache-2.0 */
/* ?list= and TNDS documents: C-LST and C-TND at tree level, the Inbox, properties (C-PRP), and the
 * ceilings. */
#include "fixture.h"

#define ADD ODM_CMD_ADD
#define REP ODM_CMD_REPLACE
#define DEL ODM_CMD_DELETE
#define GET ODM_CMD_GET
#define NODE ODM_FMT_NODE
#define CHR ODM_FMT_CHR
#define INT ODM_FMT_INT
#define BIN ODM_FMT_BIN
#define B64 ODM_FMT_B64
#define ABS ODM_FMT_ABSENT

static const struct row small_tree[] = {
        {"all", NULL, REP, ".?prop=ACL", ABS, "Add=*&Get=*&Replace=*&Delete=*", 200},
        {"A", NULL, ADD, "./A", NODE, NULL, 200},
        {"n", NULL, ADD, "./A/n", INT, "7", 200},
        {"t", NULL, ADD, "./A/t", CHR, "hello", 200},
        {"s", NULL, ADD, "./A/s/x", CHR, "deep", 200},
        {"s's list", NULL, REP, "./A/s?prop=ACL", ABS, "Get=Z", 200},
};

/* "uri=data;" of each result */
static odm_str flat(struct lab *l, const odm_answer *got)
{
        odm_str s = ODM_STR("");

        for (const odm_result *r = got->results; r; r = r->next)
                s = odm_arena_fmt(&l->a, "%.*s%.*s:%s%s%.*s;", (int)s.n, s.p, (int)r->uri.n,
                                  r->uri.p, odm_format_name(r->value.format),
                                  r->has_data ? "=" : "", r->has_data ? (int)r->value.data.n : 0,
                                  r->value.data.p);
        return s;
}

/* name(format acl value children) of each node */
static odm_str doc_text(struct lab *l, const odm_doc_node *n)
{
        odm_str s = ODM_STR("");

        for (; n; n = n->next) { /* recursion is for tests */
                odm_str kids = doc_text(l, n->children);
                s = odm_arena_fmt(
                        &l->a, "%.*s%.*s(%s|%.*s|%.*s|%.*s)", (int)s.n, s.p, (int)n->name.n,
                        n->name.p, n->format ? odm_format_name(n->format) : "", (int)n->acl.n,
                        n->acl.p, (int)n->value.bytes.n, n->value.bytes.p, (int)kids.n, kids.p);
        }
        return s;
}

static void lists_are_as_the_table_says(void **state)
{
        static const struct row_list {
                const char *why, *server, *target, *want;
                unsigned status;
        } rows[] = {
                {"C-LST-01", NULL, "./A?list=Struct",
                 "./A:node;./A/n:int;./A/s:node;./A/s/x:chr;./A/t:chr;", 200},
                {"C-LST-02", NULL, "./A?list=StructData",
                 "./A:node;./A/n:int=7;./A/s:node;./A/s/x:chr=deep;./A/t:chr=hello;", 200},
                {"C-LST-04", "S", "./A?list=Struct", "./A:node;./A/n:int;./A/t:chr;", 200},
                {"a leaf alone", "S", "A/n?list=StructData", "./A/n:int=7;", 200},
                {"no right at the start", "S", "./A/s?list=Struct", "", 425},
                {"nothing there", "S", "./none?list=Struct", "", 404},
                {"live nodes too", NULL, "./Vendor/lab/Ports?list=StructData",
                 "./Vendor/lab/Ports:node;./Vendor/lab/Ports/p1:node;"
                 "./Vendor/lab/Ports/p1/Count:int=1;./Vendor/lab/Ports/p2:node;"
                 "./Vendor/lab/Ports/p2/Count:int=2;",
                 200},
                {"below a live node", "S", "./Vendor/lab/Ports/p2?list=StructData",
                 "./Vendor/lab/Ports/p2:node;./Vendor/lab/Ports/p2/Count:int=2;", 200},
                {"C-LST-03 a bad one", "S", "./A?list=TNDS+Foo", "", 406},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        lab_rows(&l, small_tree, ODM_COUNT(small_tree));
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_op op = lab_op(rows[i].server, GET, rows[i].target, ABS, NULL);
                if (lab_status(&l, &op, &got) != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, got.status);
                assert_str(flat(&l, &got), rows[i].want);
        }
        lab_close(&l);
}

static void documents_are_as_the_table_says(void **state)
{
        static const struct row_doc {
                const char *why, *server, *target, *want;
        } rows[] = {
                {"C-LST-03 all", NULL, "./A?list=TNDS",
                 "A(node|||n(int||7|)s(node|Get=Z||x(chr||deep|))t(chr||hello|))"},
                {"C-LST-03 some", NULL, "./A?list=TNDS+Value+ACL",
                 "A(|||n(||7|)s(|Get=Z||x(||deep|))t(||hello|))"},
                {"C-LST-03 no format", "S", "./A?list=TNDS-Format", "A(|||n(||7|)t(||hello|))"},
                {"but that of octets", "S", "./B?list=TNDS-Format",
                 "B(|||o(bin||oct|)t(||hello|))"},
                {"unless they are not told", "S", "./B?list=TNDS+ACL", "B(|||o(|||)t(|||))"},
                {"C-OBJ-02 secrets are left out", "S", "./Vendor/lab/Items/i?list=TNDS",
                 "i(node|||Id(int||1|))"},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        lab_rows(&l, small_tree, ODM_COUNT(small_tree));
        lab_do(&l, &(struct row){"i", NULL, ADD, "./Vendor/lab/Items/i/Id", INT, "1", 200});
        lab_do(&l, &(struct row){"o", NULL, ADD, "./B/o", BIN, "oct", 200});
        lab_do(&l, &(struct row){"t", NULL, ADD, "./B/t", CHR, "hello", 200});
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_op op = lab_op(rows[i].server, GET, rows[i].target, ABS, NULL);
                if (lab_status(&l, &op, &got) != 200)
                        fail_msg("%s: %u", rows[i].why, got.status);
                assert_null(got.results->next);
                assert_true(got.results->value.format == ODM_FMT_XML);
                assert_str(doc_text(&l, got.results->doc->nodes), rows[i].want);
        }
        odm_op op = lab_op("S", GET, "./Vendor/lab?list=TNDS", ABS, NULL);
        assert_int_equal(lab_status(&l, &op, &got), 200);
        for (const odm_doc_node *n = got.results->doc->nodes->children; n; n = n->next)
                assert_false(odm_str_is(n->name, "Secret") || odm_str_is(n->name, "Run"));
        lab_close(&l);
}

/* ---- documents that come in -------------------------------------------------------------- */

static odm_doc_node *leaf(struct lab *l, const char *name, odm_format f, const char *value,
                          odm_doc_node *next)
{
        odm_doc_node *n = odm_new(&l->docs, odm_doc_node);

        assert_non_null(n);
        n->name = odm_cstr(name);
        n->next = next;
        n->has_rt = true;
        n->format = f;
        if (value)
                n->value = (odm_data){ODM_DATA_TEXT, odm_cstr(value)};
        return n;
}

static odm_doc_node *inner(struct lab *l, const char *name, odm_doc_node *kids, odm_doc_node *next)
{
        odm_doc_node *n = leaf(l, name, NODE, NULL, next);

        n->children = kids;
        n->type_is_ddf_name = true;
        return n;
}

static unsigned send_doc(struct lab *l, const char *server, odm_cmd kind, const char *target,
                         odm_doc_node *top, odm_answer *got)
{
        odm_doc doc = {.ver_dtd = ODM_STR("1.2"), .nodes = top};
        odm_op op = {.kind = kind,
                     .target = odm_cstr(target),
                     .server = odm_cstr(server),
                     .doc = &doc,
                     .has_value = true};
        odm_str before = lab_state(l);

        *got = (odm_answer){.status = 0};
        assert_int_equal(odm_tree_do(l->t, &op, (odm_wall){l->now++}, &l->docs, got), 0);
        if (!odm_status_ok(got->status)) {
                odm_str after = lab_state(l);
                assert_octets(after, before);
                exact_free(after);
        }
        exact_free(before);
        return got->status;
}

static odm_doc_node *mail(struct lab *l, const char *name, const char *port)
{
        odm_doc_node *n = inner(l, name,
                                leaf(l, "Host", CHR, "mail.example",
                                     inner(l, "Sub", leaf(l, "Port", INT, port, NULL), NULL)),
                                NULL);

        n->type = ODM_STR("com.example.dm/1.0/Mail");
        n->acl = ODM_STR("Get=*&Replace=S&Delete=S&Add=S");
        return n;
}

static void documents_are_added_whole(void **state)
{
        static const struct row rows[] = {
                {"C-TND-01 value", "S", GET, "./V/Mail/Sub/Port", ABS, NULL, 200, "993"},
                {"C-TND-01 list", "S", GET, "./V/Mail?prop=ACL", ABS, NULL, 200,
                 "Get=*&Replace=S&Delete=S&Add=S"},
                {"C-TND-01 type", "S", GET, "./V/Mail?prop=Type", ABS, NULL, 200,
                 "com.example.dm/1.0/Mail"},
                {"C-TND-01 format", "S", GET, "./V/Mail/Sub/Port?prop=Format", ABS, NULL, 200,
                 "int"},
                {"C-TND-05 named by the target", "S", GET, "./V/Z/Host", ABS, NULL, 200,
                 "mail.example"},
                {"named by both", "S", GET, "./V/Y/Host", ABS, NULL, 200, "mail.example"},
                {"the target is made", "S", GET, "./V/W/Mail/Host", ABS, NULL, 200, "mail.example"},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        lab_do(&l, &(struct row){"V", NULL, ADD, "./V", NODE, NULL, 200});
        lab_do(&l,
               &(struct row){"open", NULL, REP, "./V?prop=ACL", ABS, "Add=S&Get=S&Replace=S", 200});
        assert_int_equal(send_doc(&l, "S", ADD, "./V", mail(&l, "Mail", "993"), &got), 200);
        assert_int_equal(send_doc(&l, "S", ADD, "./V", mail(&l, "Mail", "993"), &got), 418);
        assert_int_equal(send_doc(&l, "S", ADD, "./V", mail(&l, "Other", "many"), &got), 415);
        assert_int_equal(send_doc(&l, "Q", ADD, "./V", mail(&l, "Other", "1"), &got), 425);
        assert_int_equal(send_doc(&l, "S", ADD, "./V/Z", mail(&l, "", "1"), &got), 200);
        assert_int_equal(send_doc(&l, "S", ADD, "./V/Y", mail(&l, "Y", "1"), &got), 200);
        assert_int_equal(send_doc(&l, "S", ADD, "./V/W", mail(&l, "Mail", "1"), &got), 200);
        assert_int_equal(send_doc(&l, "S", ADD, "./V/Mail/Host", mail(&l, "x", "1"), &got), 405);
        assert_int_equal(send_doc(&l, "S", ADD, "./V", NULL, &got), 500);
        assert_int_equal(send_doc(&l, "S", ADD, "./V", mail(&l, "a/b", "1"), &got), 500);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

static void flat_documents_make_the_same_tree(void **state) /* C-TND-06 */
{
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        odm_doc_node *port = leaf(&l, "Port", INT, "1", NULL);
        port->path = ODM_STR("./Mail/Sub");
        odm_doc_node *sub = inner(&l, "Sub", NULL, port);
        sub->path = ODM_STR("Mail");
        assert_int_equal(send_doc(&l, "S", ADD, ".", inner(&l, "Mail", NULL, sub), &got), 200);
        lab_do(&l, &(struct row){"port", NULL, GET, "./Mail/Sub/Port", ABS, NULL, 200, "1"});
        lab_do(&l, &(struct row){"the creator's", NULL, GET, "./Mail?prop=ACL", ABS, NULL, 200,
                                 "Add=S&Delete=S&Replace=S"});
        lab_close(&l);
}

static void documents_replace_whole_subtrees(void **state) /* C-TND-03 */
{
        static const struct row rows[] = {
                {"old gone", NULL, GET, "./A/t", ABS, NULL, 404},
                {"old branch gone", NULL, GET, "./A/s", ABS, NULL, 404},
                {"new there", NULL, GET, "./A/new/y", ABS, NULL, 200, "1"},
                {"replaced", NULL, GET, "./A/n", ABS, NULL, 200, "8"},
                {"a leaf became a node", NULL, GET, "./A", ABS, NULL, 200, "n/new"},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        lab_rows(&l, small_tree, ODM_COUNT(small_tree));
        assert_int_equal(send_doc(&l, "S", REP, "./A",
                                  inner(&l, "A", leaf(&l, "n", INT, "eight", NULL), NULL), &got),
                         415);
        assert_int_equal(send_doc(&l, "S", REP, "./none", inner(&l, "", NULL, NULL), &got), 404);
        odm_doc_node *fresh = inner(&l, "new", leaf(&l, "y", CHR, "1", NULL), NULL);
        odm_doc_node *top = inner(&l, "A", leaf(&l, "n", INT, "8", fresh), NULL);
        assert_int_equal(send_doc(&l, "S", REP, "./A", top, &got), 200);
        lab_rows(&l, rows, ODM_COUNT(rows));

        /* the top named, or left to the target */
        top = inner(&l, "new", leaf(&l, "z", CHR, "2", NULL), NULL);
        assert_int_equal(send_doc(&l, "S", REP, "./A", top, &got), 200);
        lab_do(&l, &(struct row){"its child only", NULL, GET, "./A", ABS, NULL, 200, "n/new"});
        lab_do(&l, &(struct row){"replaced", NULL, GET, "./A/new", ABS, NULL, 200, "z"});
        assert_int_equal(send_doc(&l, "S", REP, "./A/new", inner(&l, "", NULL, NULL), &got), 200);
        lab_do(&l, &(struct row){"emptied", NULL, GET, "./A/new", ABS, NULL, 200, ""});
        assert_int_equal(send_doc(&l, "S", REP, "./A/n", leaf(&l, "n", INT, "9", NULL), &got), 200);
        lab_do(&l, &(struct row){"a leaf", NULL, GET, "./A/n", ABS, NULL, 200, "9"});
        assert_int_equal(send_doc(&l, "S", REP, "./A/n", inner(&l, "n", NULL, NULL), &got), 200);
        lab_do(&l,
               &(struct row){"now a node", NULL, GET, "./A/n?prop=Format", ABS, NULL, 200, "node"});

        /* what was read can be written back, permanent and live nodes and all */
        lab_do(&l, &(struct row){"item", NULL, ADD, "./Vendor/lab/Items/i/Id", INT, "1", 200});
        lab_do(&l, &(struct row){"blob", NULL, REP, "./Vendor/lab/Blob", BIN, "\xff\x01", 200});
        odm_op get = lab_op(NULL, GET, "./Vendor/lab?list=TNDS", ABS, NULL);
        assert_int_equal(odm_tree_do(l.t, &get, (odm_wall){1}, &l.docs, &got), 0);
        odm_doc_node *all = got.results->doc->nodes;
        lab_do(&l, &(struct row){"another", NULL, ADD, "./Vendor/lab/Items/j/Id", INT, "2", 200});
        assert_int_equal(send_doc(&l, "S", REP, "./Vendor/lab", all, &got), 200);
        lab_do(&l, &(struct row){"it went", NULL, GET, "./Vendor/lab/Items", ABS, NULL, 200, "i"});
        lab_do(&l,
               &(struct row){"octets", NULL, GET, "./Vendor/lab/Blob", ABS, NULL, 200, "\xff\x01"});
        lab_close(&l);
}

/* Whatever its type, and whether the document came as XML or as WBXML. */
static void octets_of_a_document_are_octets(void **state)
{
        static const struct row rows[] = {
                {"as text", "S", GET, "./V/t", ABS, NULL, 200, "\xb6\xbb\x9e"},
                {"its format", "S", GET, "./V/t?prop=Format", ABS, NULL, 200, "bin"},
                {"as octets", "S", GET, "./V/o", ABS, NULL, 200, "\xb6\xbb\x9e"},
                {"its format", "S", GET, "./V/o?prop=Format", ABS, NULL, 200, "bin"},
                {"none", "S", GET, "./V/e", ABS, NULL, 200, ""},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        odm_doc_node *e = leaf(&l, "e", BIN, "", NULL), *o = leaf(&l, "o", BIN, NULL, e);
        odm_doc_node *t = leaf(&l, "t", BIN, "true", o), *v = inner(&l, "V", t, NULL);
        o->value = (odm_data){ODM_DATA_OPAQUE, ODM_STR("\xb6\xbb\x9e")};
        o->type = t->type = ODM_STR("text/plain");
        v->acl = ODM_STR("Add=S&Delete=S&Get=S&Replace=S");
        assert_int_equal(send_doc(&l, "S", ADD, ".", v, &got), 200);
        lab_rows(&l, rows, ODM_COUNT(rows));
        assert_int_equal(send_doc(&l, "S", REP, "./V", v, &got), 200);
        lab_rows(&l, rows, ODM_COUNT(rows));
        t->value.bytes = ODM_STR("tru");
        assert_int_equal(send_doc(&l, "S", REP, "./V", v, &got), 415);
        assert_int_equal(send_doc(&l, "S", REP, "./V?prop=Title", v, &got), 415);
        v->name = ODM_STR("W");
        assert_int_equal(send_doc(&l, "S", ADD, ".", v, &got), 415);
        v->name = ODM_STR("V"); /* what is there comes before what is wrong with the value */
        v->acl = ODM_ABSENT;
        assert_int_equal(send_doc(&l, "S", ADD, "./V", leaf(&l, "t", BIN, "tru", NULL), &got), 418);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

/* As if it had been deleted and added: another object is another object, in whatever place. */
static void a_replaced_node_has_the_identifier_of_the_document(void **state)
{
        static const struct row rows[] = {
                {"the top", NULL, GET, "./A?prop=Type", ABS, NULL, 200, "com.example.dm/1.0/New"},
                {"below", NULL, GET, "./A/m?prop=Type", ABS, NULL, 200, "com.example.dm/1.0/New"},
                {"said to be none", NULL, GET, "./A/s?prop=Type", ABS, NULL, 200, ""},
                {"not said", NULL, GET, "./A/k?prop=Type", ABS, NULL, 200, "com.example.dm/1.0/K"},
        };
        static const struct row before[] = {
                {"A", NULL, ADD, "./A", NODE, NULL, 200},
                {"m", NULL, ADD, "./A/m", NODE, NULL, 200},
                {"s", NULL, ADD, "./A/s", NODE, NULL, 200},
                {"open", NULL, REP, "./A?prop=ACL", ABS, "Add=S&Delete=S&Replace=S", 200},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        lab_rows(&l, before, ODM_COUNT(before));
        odm_doc_node *k = inner(&l, "k", NULL, NULL), *s = inner(&l, "s", NULL, k);
        odm_doc_node *m = inner(&l, "m", NULL, s), *top = inner(&l, "A", m, NULL);
        s->type = k->type = ODM_STR("com.example.dm/1.0/K");
        assert_int_equal(send_doc(&l, "S", REP, "./A", top, &got), 200);
        lab_do(&l, &(struct row){"an identifier for one without", NULL, GET, "./A/s?prop=Type", ABS,
                                 NULL, 200, "com.example.dm/1.0/K"});
        top->type = m->type = ODM_STR("com.example.dm/1.0/New");
        s->type = ODM_STR("");
        k->type_is_ddf_name = false;
        k->type = ODM_ABSENT;
        assert_int_equal(send_doc(&l, "S", REP, "./A", top, &got), 200);
        lab_rows(&l, rows, ODM_COUNT(rows));
        k->children = leaf(&l, "n", INT, "many", NULL);
        m->type = ODM_STR("com.example.dm/1.0/Newer");
        assert_int_equal(send_doc(&l, "S", REP, "./A", top, &got), 415);
        lab_rows(&l, rows, ODM_COUNT(rows));

        /* what a description says stays as it says */
        lab_do(&l, &(struct row){"item", NULL, ADD, "./Vendor/lab/Items/i/Id", INT, "1", 200});
        top = inner(&l, "i", leaf(&l, "Id", INT, "2", NULL), NULL);
        top->type = ODM_STR("com.example.dm/1.0/New");
        lab_do(&l, &(struct row){"open", NULL, REP, "./Vendor/lab/Items?prop=ACL", ABS,
                                 "Add=S&Delete=S&Replace=S", 200});
        assert_int_equal(send_doc(&l, "S", REP, "./Vendor/lab/Items/i", top, &got), 415);
        lab_close(&l);
}

static void the_inbox_places_objects(void **state) /* C-OBJ-03 */
{
        static const struct row rows[] = {
                {"Get", "S", GET, "./Inbox", ABS, NULL, 405},
                {"below", "S", GET, "./Inbox/x", ABS, NULL, 405},
                {"a property", "S", GET, "./Inbox?prop=ACL", ABS, NULL, 405},
                {"Delete", "S", DEL, "./Inbox", ABS, NULL, 405},
                {"Replace of a list", "S", REP, "./Inbox?prop=ACL", ABS, "Get=*", 405},
                {"a leaf", "S", ADD, "./Inbox/x", CHR, "1", 405},
                {"nothing stays", NULL, GET, "./Inbox", ABS, NULL, 200, ""},
                {"there", NULL, GET, "./Acc/main/ServerID", ABS, NULL, 200, "S1"},
                {"numbered", NULL, GET, "./Acc", ABS, NULL, 200, "1/2/main/own/wish"},
                {"C-OBJ-02 secret", NULL, REP, ".?prop=ACL", ABS, "Add=*&Get=*&Replace=*", 200},
                {"C-OBJ-02 set", "S1", ADD, "./Vendor/lab/Ext/q", CHR, "", 200},
                {"C-OBJ-02 read", "S1", GET, "./Vendor/lab/Secret", ABS, NULL, 405},
                {"C-OBJ-02 written", "S1", REP, "./Vendor/lab/Secret", ABS, "new", 200},
        };
        struct lab l;
        odm_answer got;

        (void)state;
        lab_init(&l);
        odm_doc_node *acc = inner(&l, "main", leaf(&l, "ServerID", CHR, "S1", NULL), NULL);
        acc->type = ODM_STR("urn:oma:mo:x-acc:1.0");
        assert_int_equal(send_doc(&l, "S1", ADD, "./Inbox", acc, &got), 200);
        assert_str(got.created, "./Acc/main");
        assert_int_equal(send_doc(&l, "S1", ADD, "./Inbox", acc, &got), 200);
        assert_str(got.created, "./Acc/1");
        acc->type = ODM_STR("urn:oma:mo:x-acc:1.1"); /* another version of the same */
        acc->name = ODM_STR("");
        assert_int_equal(send_doc(&l, "S1", ADD, "./Inbox/wish", acc, &got), 200);
        assert_str(got.created, "./Acc/wish");
        assert_int_equal(send_doc(&l, "S1", ADD, "./Inbox", acc, &got), 200);
        assert_str(got.created, "./Acc/2");
        acc->type = ODM_STR("urn:oma:mo:x-none:1.0");
        assert_int_equal(send_doc(&l, "S1", ADD, "./Inbox", acc, &got), 404);
        assert_int_equal(send_doc(&l, "S1", ADD, "./Inbox/a/b", acc, &got), 405);
        acc->type =
                ODM_STR("urn:oma:mo:x-acc:1.0"); /* what the device itself adds goes there too */
        assert_int_equal(send_doc(&l, NULL, ADD, "./Inbox/own", acc, &got), 200);
        assert_str(got.created, "./Acc/own");
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

/* ---- properties --------------------------------------------------------------------------- */

static void properties_are_as_the_table_says(void **state)
{
        static const struct row rows[] = {
                {"C-PRP-01 Name", NULL, GET, "./A?prop=Name", ABS, NULL, 200, "A"},
                {"C-PRP-01 Format", NULL, GET, "./A?prop=Format", ABS, NULL, 200, "node"},
                {"C-PRP-01 Type", NULL, GET, "./Vendor/lab?prop=Type", ABS, NULL, 200,
                 "urn:oma:mo:x-lab:1.0"},
                {"C-PRP-01 Size", NULL, GET, "./A/t?prop=Size", ABS, NULL, 200, "5"},
                {"C-PRP-01 no Size", NULL, GET, "./A?prop=Size", ABS, NULL, 406},
                {"C-PRP-01 Title", NULL, GET, "./A?prop=Title", ABS, NULL, 200, ""},
                {"C-PRP-04 unknown", NULL, GET, "./A?prop=Foo", ABS, NULL, 406},
                {"C-PRP-02 clash", "S", REP, "./A/n?prop=Name", ABS, "t", 418},
                {"C-PRP-02 the same", "S", REP, "./A/n?prop=Name", ABS, "n", 200},
                {"C-PRP-02 rename", "S", REP, "./A?prop=Name", ABS, "U", 200},
                {"C-PRP-02 the subtree", "S", GET, "./U/n", ABS, NULL, 200, "7"},
                {"C-PRP-02 the list", NULL, GET, "./U/s?prop=ACL", ABS, NULL, 200, "Get=Z"},
                {"C-PRP-02 old", "S", GET, "./A", ABS, NULL, 404},
                {"C-PRP-02 permanent", "S", REP, "./Vendor/lab?prop=Name", ABS, "x", 405},
                {"a slash", "S", REP, "./U?prop=Name", ABS, "a/b", 500},
                {"C-PRP-03 Size", "S", REP, "./U/n?prop=Size", ABS, "1", 405},
                {"C-PRP-03 Add", "S", ADD, "./U/n?prop=Title", ABS, "1", 405},
                {"C-PRP-03 Delete", "S", DEL, "./U/n?prop=ACL", ABS, NULL, 405},
                {"C-PRP-03 Exec", "S", ODM_CMD_EXEC, "./U/n?prop=Name", ABS, NULL, 405},
                {"C-PRP-05 octets", "S", REP, "./Vendor/lab/Blob", B64, "AAEC/w==", 200},
                {"C-PRP-05 Format", "S", GET, "./Vendor/lab/Blob?prop=Format", ABS, NULL, 200,
                 "bin"},
                {"C-PRP-05 Size", "S", GET, "./Vendor/lab/Blob?prop=Size", ABS, NULL, 200, "4"},
                {"no base64", "S", REP, "./Vendor/lab/Blob", B64, "A", 415},
                {"base64 that is text", "S", ADD, "./U/b", B64, "QUJD", 200},
                {"stays text", "S", GET, "./U/b", ABS, NULL, 200, "QUJD"},
                {"of its own format", "S", GET, "./U/b?prop=Format", ABS, NULL, 200, "b64"},
                {"VerNo", NULL, GET, "./U/n?prop=VerNo", ABS, NULL, 200, "0"},
                {"change", "S", REP, "./U/n", INT, "1", 200},
                {"change", "S", REP, "./U/n", INT, "2", 200},
                {"C-PRP-06", NULL, GET, "./U/n?prop=VerNo", ABS, NULL, 200, "2"},
                {"a title", "S", REP, "./U/n?prop=Title", ABS, "number", 200},
                {"counts too", NULL, GET, "./U/n?prop=VerNo", ABS, NULL, 200, "3"},
                {"C-CMD-20 another format", "S", REP, "./U/n", CHR, "x", 200},
        };
        struct lab l;
        odm_answer got;
        char title[257];

        (void)state;
        lab_init(&l);
        lab_rows(&l, small_tree, ODM_COUNT(small_tree));
        lab_rows(&l, rows, ODM_COUNT(rows));
        memset(title, 't', sizeof title);
        title[256] = '\0';
        lab_do(&l, &(struct row){"C-PRP-07", "S", REP, "./U?prop=Title", ABS, title, 413});
        lab_do(&l, &(struct row){"C-PRP-07", "S", REP, "./U?prop=Title", ABS, title + 1, 200});
        l.now = 994869497;
        lab_do(&l, &(struct row){"stamp", "S", REP, "./U/t", CHR, "1", 200});
        odm_op op = lab_op(NULL, REP, "./U/t", CHR, "2");
        op.quiet = true;
        assert_int_equal(lab_status(&l, &op, &got), 200);
        lab_do(&l, &(struct row){"C-PRP-06, and a quiet change is not seen", NULL, GET,
                                 "./U/t?prop=TStamp", ABS, NULL, 200, "20010711T163817Z"});
        odm_op bin = lab_op("S", ADD, "./U/octets", B64, "AAEC/w==");
        bin.value.type = ODM_STR("application/octet-stream");
        assert_int_equal(lab_status(&l, &bin, &got), 200);
        lab_do(&l,
               &(struct row){"decoded", NULL, GET, "./U/octets?prop=Size", ABS, NULL, 200, "4"});
        odm_op typed = lab_op("S", ADD, "./Vendor/lab/Items/i/Text", CHR, "<p>");
        typed.value.type = ODM_STR("image/png");
        assert_int_equal(lab_status(&l, &typed, &got), 415);
        typed.value.type = ODM_STR("text/html");
        assert_int_equal(lab_status(&l, &typed, &got), 200);
        lab_do(&l, &(struct row){"kept", NULL, GET, "./Vendor/lab/Items/i/Text?prop=Type", ABS,
                                 NULL, 200, "text/html"});
        lab_close(&l);
}

static void without_the_optional_properties(void **state)
{
        static const struct row rows[] = {
                {"TStamp", NULL, GET, "./Vendor/lab/Name?prop=TStamp", ABS, NULL, 406},
                {"Size", NULL, GET, "./Vendor/lab/Name?prop=Size", ABS, NULL, 406},
                {"Title", NULL, REP, "./Vendor/lab/Name?prop=Title", ABS, "x", 406},
                {"in a list", NULL, GET, "./Vendor/lab?list=TNDS+TStamp", ABS, NULL, 406},
                {"ACL", NULL, GET, "./Vendor/lab/Name?prop=ACL", ABS, NULL, 200, ""},
        };
        odm_tree_opt o;
        struct lab l;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        o.has_tstamp = false;
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

/* ---- ceilings ------------------------------------------------------------------------------ */

static void every_ceiling_holds(void **state)
{
        static const struct row rows[] = {
                {"a value at its limit", NULL, ADD, "./a", CHR, "12345678", 200},
                {"a value beyond", NULL, REP, "./a", CHR, "123456789", 413},
                {"a value beyond", NULL, ADD, "./b", CHR, "123456789", 413},
                {"the last node", NULL, ADD, "./b", CHR, "1", 200},
                {"C-CMD-19 one more node", NULL, ADD, "./c", CHR, "1", 420},
                {"C-CMD-19 still of use", NULL, REP, "./b", CHR, "2", 200},
                {"too many to list", NULL, GET, ".?list=Struct", ABS, NULL, 413},
                {"few enough", NULL, GET, "./Vendor/lab/Ext?list=Struct", ABS, NULL, 200},
                {"octets in all", NULL, REP, "./a?prop=ACL", ABS,
                 "Get=123456789012345678901234567890123456789012345678901234567890", 420},
                {"octets in all", NULL, REP, "./a?prop=Title", ABS,
                 "123456789012345678901234567890123456789012345678901234567890", 420},
        };
        odm_tree_opt o;
        odm_tree *t;
        struct lab l;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        o.max_nodes = (uint32_t)odm_tree_nodes(l.t) + 2;
        lab_close(&l);
        o.max_value = 8;
        o.max_list = 10;
        o.max_bytes = 60;
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        lab_rows(&l, rows, ODM_COUNT(rows));
        odm_op op = lab_op(NULL, GET, "./a", ABS, NULL);
        odm_answer got;
        op.max_result = 7;
        assert_int_equal(lab_status(&l, &op, &got), 413);
        op.max_result = 8;
        assert_int_equal(lab_status(&l, &op, &got), 200);
        lab_close(&l);

        o.max_nodes = 4;
        assert_int_equal(odm_tree_new(&o, &t), 0);
        assert_int_equal(odm_tree_mount(t, NULL, &lab_provider), ODM_ELIMIT);
        assert_int_equal(odm_tree_nodes(t), 1);
        odm_tree_free(t);
}

static void many_children_are_fine(void **state)
{
        struct lab l;
        char uri[32];

        (void)state;
        lab_init(&l);
        for (unsigned i = 0; i < 10000; i++) {
                odm_value v = {.data = ODM_STR("1")};
                snprintf(uri, sizeof uri, "./M/n%u", i * 7919u % 10007u);
                assert_int_equal(odm_tree_write(l.t, odm_cstr(uri), &v, (odm_wall){1}), 0);
        }
        assert_true(odm_tree_nodes(l.t) > 10000);
        lab_do(&l, &(struct row){"one of them", NULL, GET, "./M/n42", ABS, NULL, 200, "1"});
        lab_do(&l, &(struct row){"listed", NULL, GET, "./M?list=Struct", ABS, NULL, 200});
        lab_do(&l, &(struct row){"all go", NULL, DEL, "./M", ABS, NULL, 200});
        lab_close(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lists_are_as_the_table_says),
                cmocka_unit_test(documents_are_as_the_table_says),
                cmocka_unit_test(documents_are_added_whole),
                cmocka_unit_test(flat_documents_make_the_same_tree),
                cmocka_unit_test(documents_replace_whole_subtrees),
                cmocka_unit_test(octets_of_a_document_are_octets),
                cmocka_unit_test(a_replaced_node_has_the_identifier_of_the_document),
                cmocka_unit_test(the_inbox_places_objects),
                cmocka_unit_test(properties_are_as_the_table_says),
                cmocka_unit_test(without_the_optional_properties),
                cmocka_unit_test(every_ceiling_holds),
                cmocka_unit_test(many_children_are_fine),
        };

        return RUN_TESTS(tests);
}
