/* SPDX-License-Identifier: Apache-2.0 */
/* What the lab of the other tests has none of: other formats, live values that are not there or not
 * to be had, leaves that say themselves that they may be added, checks below unnamed nodes, and
 * objects whose home is deeper.
 *
 *  ./Bench             Add Get          permanent
 *    Float             float Get Replace     Date, Time alike
 *    Fixed             chr Get          permanent, default "f"
 *    Gone, Broken, Asked, Bare          chr Get, read: 404, 500, later, nothing said
 *    Once              node Add Get     permanent, ZeroOrOne
 *    Slots             node Add Get     permanent
 *      <X>             node Delete Get  no Add
 *        Pin           chr  Add Get Replace Delete   ZeroOrOne, checked
 *        Lock          chr  Get Replace Delete       ZeroOrOne
 *        Now           int  Get         read
 *    Doors             node Get         listed
 *      <X>             node Get
 *    Kits              node Add Get     permanent
 *      <X>             node Add Delete Get Replace   urn:oma:mo:x-kit:1.0
 *        Pots          node Add Get
 *          <X>         node Add Get     urn:oma:mo:x-pot:1.0 */
#include "fixture.h"
#include "value.h"

#define ADD ODM_CMD_ADD
#define REP ODM_CMD_REPLACE
#define DEL ODM_CMD_DELETE
#define GET ODM_CMD_GET
#define CPY ODM_CMD_COPY
#define NODE ODM_FMT_NODE
#define CHR ODM_FMT_CHR
#define INT ODM_FMT_INT
#define ABS ODM_FMT_ABSENT
#define S "srv"
#define NOW ((odm_wall){1000})

#define TEXT(literal)                           \
        {                                       \
                "" literal, sizeof(literal) - 1 \
        }
#define A ODM_ACC_ADD
#define D ODM_ACC_DELETE
#define G ODM_ACC_GET
#define R ODM_ACC_REPLACE
#define LEAF(text, fmt, rights, after)                                                      \
        {                                                                                   \
                .name = TEXT(text), .format = (fmt), .access = (rights), .permanent = true, \
                .type = TEXT("text/plain"), .next = (after)                                 \
        }

static const odm_desc bench_nodes[] = {
        [0] = {.name = TEXT("Bench"),
               .format = NODE,
               .access = A | G,
               .permanent = true,
               .type = TEXT("urn:oma:mo:x-bench:1.0"),
               .first_child = 1},
        [1] = LEAF("Float", ODM_FMT_FLOAT, G | R, 2),
        [2] = LEAF("Date", ODM_FMT_DATE, G | R, 3),
        [3] = LEAF("Time", ODM_FMT_TIME, G | R, 4),
        [4] = {.name = TEXT("Fixed"),
               .format = CHR,
               .access = G,
               .permanent = true,
               .type = TEXT("text/plain"),
               .has_default = true,
               .default_value = TEXT("f"),
               .next = 5},
        [5] = LEAF("Gone", CHR, G, 6),
        [6] = LEAF("Broken", CHR, G, 7),
        [7] = LEAF("Asked", CHR, G, 8),
        [8] = LEAF("Bare", CHR, G, 9),
        [9] = {.name = TEXT("Once"),
               .format = NODE,
               .access = A | G,
               .permanent = true,
               .occurs = ODM_OCC_ZERO_OR_ONE,
               .next = 10},
        [10] = {.name = TEXT("Slots"),
                .format = NODE,
                .access = A | G,
                .permanent = true,
                .first_child = 11,
                .next = 15},
        [11] = {.name = TEXT(""),
                .format = NODE,
                .access = D | G,
                .occurs = ODM_OCC_ZERO_OR_MORE,
                .parent = 10,
                .first_child = 12},
        [12] = {.name = TEXT("Pin"),
                .format = CHR,
                .access = A | D | G | R,
                .occurs = ODM_OCC_ZERO_OR_ONE,
                .type = TEXT("text/plain"),
                .parent = 11,
                .next = 13},
        [13] = {.name = TEXT("Lock"),
                .format = CHR,
                .access = D | G | R,
                .occurs = ODM_OCC_ZERO_OR_ONE,
                .type = TEXT("text/plain"),
                .parent = 11,
                .next = 14},
        [14] = {.name = TEXT("Now"),
                .format = INT,
                .access = A | G,
                .type = TEXT("text/plain"),
                .parent = 11},
        [15] = {.name = TEXT("Doors"),
                .format = NODE,
                .access = G,
                .permanent = true,
                .first_child = 16,
                .next = 17},
        [16] = {.name = TEXT(""),
                .format = NODE,
                .access = G,
                .occurs = ODM_OCC_ZERO_OR_MORE,
                .parent = 15},
        [17] = {.name = TEXT("Kits"),
                .format = NODE,
                .access = A | G,
                .permanent = true,
                .first_child = 18},
        [18] = {.name = TEXT(""),
                .format = NODE,
                .access = A | D | G | R,
                .occurs = ODM_OCC_ZERO_OR_MORE,
                .type = TEXT("urn:oma:mo:x-kit:1.0"),
                .parent = 17,
                .first_child = 19},
        [19] = {.name = TEXT("Pots"),
                .format = NODE,
                .access = A | G,
                .occurs = ODM_OCC_ZERO_OR_ONE,
                .parent = 18,
                .first_child = 20},
        [20] = {.name = TEXT(""),
                .format = NODE,
                .access = A | G,
                .occurs = ODM_OCC_ZERO_OR_MORE,
                .type = TEXT("urn:oma:mo:x-pot:1.0"),
                .parent = 19},
};
static const odm_mo bench_mo = {TEXT("urn:oma:mo:x-bench:1.0"), TEXT(""), bench_nodes,
                                ODM_COUNT(bench_nodes)};

struct bench {
        struct lab l;
        int broken; /* what reading Broken and listing Doors returns */
};

static int read_gone(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)at;
        (void)a;
        (void)out;
        return ODM_ENOENT;
}

static int read_broken(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)at;
        (void)a;
        out->data = ODM_STR("whole again");
        return ((const struct bench *)ctx)->broken;
}

static int read_asked(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)at;
        (void)a;
        (void)out;
        return ODM_LATER;
}

static int read_bare(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)at;
        (void)a;
        *out = (odm_value){.format = ODM_FMT_ABSENT};
        return 0;
}

static int read_now(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)a;
        out->data = odm_str_is(at->name[0], "s1") ? ODM_STR("1") : ODM_STR("0");
        return 0;
}

static int check_pin(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        if (odm_str_is(at->name[0], "held") && v == NULL)
                *status = ODM_ST_FORBIDDEN;
        if (v && odm_str_is(v->data, "0000"))
                *status = ODM_ST_FORBIDDEN;
        return 0;
}

static int list_doors(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        static const char *const names[] = {"front", "no/door", "back"};
        int rc = ((const struct bench *)ctx)->broken;

        (void)at;
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(names); i++)
                rc = add(to, odm_cstr(names[i]));
        return rc;
}

static const odm_binding bench_bind[] = {
        {.path = "Gone", .read = read_gone},         {.path = "Broken", .read = read_broken},
        {.path = "Asked", .read = read_asked},       {.path = "Bare", .read = read_bare},
        {.path = "Slots/*/Pin", .check = check_pin}, {.path = "Slots/*/Now", .read = read_now},
        {.path = "Doors", .list = list_doors},
};

static int forward_far(void *ctx, const odm_op *op, const odm_at *at, odm_arena *a, odm_answer *out)
{
        (void)op;
        (void)at;
        (void)a;
        ++*(unsigned *)ctx;
        out->status = 200;
        return 0;
}

static const odm_desc far_nodes[] = {
        {.name = TEXT("Far"), .format = NODE, .access = A | G, .permanent = true}};
static const odm_mo far_mo = {TEXT(""), TEXT(""), far_nodes, 1};

static odm_provider bench_provider;
static odm_provider far_provider;
static unsigned forwarded;

static void bench_open(struct bench *b, const odm_tree_opt *opt)
{
        b->broken = 0;
        forwarded = 0;
        bench_provider = (odm_provider){.name = "bench",
                                        .mo = &bench_mo,
                                        .bind = bench_bind,
                                        .n_bind = ODM_COUNT(bench_bind),
                                        .ctx = b};
        far_provider = (odm_provider){
                .name = "far", .mo = &far_mo, .ctx = &forwarded, .forward = forward_far};
        assert_int_equal(lab_open(&b->l, &heap, opt), 0);
        assert_int_equal(odm_tree_mount(b->l.t, NULL, &bench_provider), 0);
        assert_int_equal(odm_tree_mount(b->l.t, NULL, &far_provider), 0);
        lab_do(&b->l, &(struct row){"open to all", NULL, REP, ".?prop=ACL", ABS,
                                    "Add=*&Get=*&Replace=*&Delete=*&Exec=*", 200});
}

/* ---- values ----------------------------------------------------------------------------- */

static void values_fit_as_the_table_says(void **state)
{
        static const struct {
                const char *why;
                odm_format f;
                const char *in;
                bool fits;
        } rows[] = {
                {"a whole number", ODM_FMT_FLOAT, "17", true},
                {"with a sign", ODM_FMT_FLOAT, "-1.5", true},
                {"no whole part", ODM_FMT_FLOAT, ".5", true},
                {"no fraction after the point", ODM_FMT_FLOAT, "5.", true},
                {"a power", ODM_FMT_FLOAT, "1e3", true},
                {"a power with a sign", ODM_FMT_FLOAT, "1.5E-07", true},
                {"nothing", ODM_FMT_FLOAT, "", false},
                {"a point alone", ODM_FMT_FLOAT, ".", false},
                {"a power of nothing", ODM_FMT_FLOAT, "e5", false},
                {"an empty power", ODM_FMT_FLOAT, "1e", false},
                {"a power that is a sign", ODM_FMT_FLOAT, "1e+", false},
                {"a power with more behind", ODM_FMT_FLOAT, "1e5x", false},
                {"a unit", ODM_FMT_FLOAT, "1.5V", false},
                {"two signs", ODM_FMT_FLOAT, "+-1", false},
                {"a date", ODM_FMT_DATE, "2026-11-22", true},
                {"a date without hyphens", ODM_FMT_DATE, "20261122", true},
                {"other separators", ODM_FMT_DATE, "2026/11/22", false},
                {"too short", ODM_FMT_DATE, "2026-1-22", false},
                {"letters", ODM_FMT_DATE, "2026-XI-22", false},
                {"a time", ODM_FMT_TIME, "12:30:59", true},
                {"of Greenwich", ODM_FMT_TIME, "12:30:59Z", true},
                {"without colons", ODM_FMT_TIME, "123059", true},
                {"of Greenwich without colons", ODM_FMT_TIME, "123059Z", true},
                {"without seconds", ODM_FMT_TIME, "12:30", true},
                {"a moment", ODM_FMT_TIME, "20261122T123059Z", true},
                {"a moment nowhere", ODM_FMT_TIME, "20261122T123059", false},
                {"four digits", ODM_FMT_TIME, "1230", false},
                {"an hour alone", ODM_FMT_TIME, "12", false},
                {"base64", ODM_FMT_B64, "QUJ+/A==\r\n", true},
                {"no base64", ODM_FMT_B64, "QU*D", false},
                {"null is empty", ODM_FMT_NULL, "", true},
                {"null is not", ODM_FMT_NULL, "0", false},
                {"xml is text", ODM_FMT_XML, "<a/>", true},
                {"half a character", ODM_FMT_CHR, "\xc3", false},
                {"a character that never ends", ODM_FMT_CHR, "\xc3(", false},
                {"a surrogate", ODM_FMT_CHR, "\xed\xa0\x80", false},
                {"any octets", ODM_FMT_BIN, "\xff\xfe", true},
                {"a node has no value", ODM_FMT_NODE, "", false},
                {"nobody knows", ODM_FMT_OTHER, "x", false},
                {"a plus", ODM_FMT_INT, "+7", true},
                {"a sign alone", ODM_FMT_INT, "-", false},
                {"the largest", ODM_FMT_INT, "2147483647", true},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].in);
                if (odm_value_fits(rows[i].f, in) != rows[i].fits)
                        fail_msg("%s: %s '%s'", rows[i].why, odm_format_name(rows[i].f),
                                 rows[i].in);
                exact_free(in);
        }
}

static void types_are_judged_as_the_table_says(void **state)
{
        static const struct {
                const char *why, *in;
                bool ok;
        } rows[] = {
                {"usual", "text/plain", true},
                {"with parameters", "text/plain; charset=utf-8", true},
                {"two slashes", "a/b/c", true},
                {"no slash", "text", false},
                {"nothing before it", "/plain", false},
                {"nothing behind it", "text/", false},
                {"a control character", "text/pl\x01in", false},
                {"no UTF-8", "text/\xff", false},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].in);
                if (odm_mime_ok(in) != rows[i].ok)
                        fail_msg("%s: '%s'", rows[i].why, rows[i].in);
                exact_free(in);
        }
}

/* ---- operations ---------------------------------------------------------------------------- */

static void operations_do_as_the_table_says(void **state)
{
        static const struct row rows[] = {
                {"a float", S, REP, "./Bench/Float", ABS, "2.5", 200},
                {"no float", S, REP, "./Bench/Float", ABS, "much", 415},
                {"a date", S, REP, "./Bench/Date", ABS, "2026-11-22", 200},
                {"no time", S, REP, "./Bench/Time", ABS, "noon", 415},
                {"not there now", S, GET, "./Bench/Gone", ABS, NULL, 404},
                {"nor is its size", S, GET, "./Bench/Gone?prop=Size", ABS, NULL, 404},
                {"nor can it be listed", S, GET, "./Bench/Gone?list=Struct", ABS, NULL, 404},
                {"but its format is known", S, GET, "./Bench/Gone?prop=Format", ABS, NULL, 200,
                 "chr"},
                {"nothing said is empty text", S, GET, "./Bench/Bare", ABS, NULL, 200, ""},
                {"of the usual type", S, GET, "./Bench/Bare?prop=Type", ABS, NULL, 200,
                 "text/plain"},
                {"it is the device's", S, GET, "./Bench/Bare?prop=ACL", ABS, NULL, 200, ""},
                {"children whose names no URI can carry do not show", S, GET, "./Bench/Doors", ABS,
                 NULL, 200, "back/front"},
                {"a permanent node is the device's to make", S, ADD, "./Bench/Once", NODE, NULL,
                 405},
                {"which it does", NULL, ADD, "./Bench/Once", NODE, NULL, 200},
                {"once", NULL, ADD, "./Bench/Once", NODE, NULL, 418},
                {"a slot", S, ADD, "./Bench/Slots/s1", NODE, NULL, 200},
                {"a leaf says itself that it may be added", S, ADD, "./Bench/Slots/s1/Pin", CHR,
                 "1234", 200},
                {"another does not", S, ADD, "./Bench/Slots/s1/Lock", CHR, "x", 405},
                {"and what is live is there by itself", S, ADD, "./Bench/Slots/s1/Now", INT, "1",
                 418},
                {"a check that refuses", S, ADD, "./Bench/Slots/s2/Pin", CHR, "0000", 403},
                {"left no slot", S, GET, "./Bench/Slots/s2", ABS, NULL, 404},
                {"live below a stored node", S, GET, "./Bench/Slots/s1/Now", ABS, NULL, 200, "1"},
                {"a leaf has nothing below", S, ADD, "./Bench/Slots/s3/Pin/x", CHR, "1", 405},
                {"what is checked", S, ADD, "./Bench/Slots/held/Pin", CHR, "1", 200},
                {"is refused to go", S, DEL, "./Bench/Slots/held/Pin", ABS, NULL, 403},
                {"from above too", S, DEL, "./Bench/Slots/held", ABS, NULL, 403},
                {"another goes", S, DEL, "./Bench/Slots/s1", ABS, NULL, 200},
                {"no copy of a property", S, CPY, "./Bench/Float", ABS, "./Bench/Date?prop=Name",
                 405},
                {"nor of a list", S, CPY, "./X", ABS, "./Bench?list=Struct", 405},
                {"nor onto a property", S, CPY, "./Bench/Float?prop=Title", ABS, "./Bench/Date",
                 405},
                {"a copy of another format", S, CPY, "./Bench/Float", ABS, "./Bench/Date", 405},
                {"no Replace of a list", S, REP, "./Bench?list=Struct", ABS, "x", 405},
                {"nor Add", S, ADD, "./Bench?list=Struct", ABS, "x", 405},
                {"nor Delete", S, DEL, "./Bench?list=Struct", ABS, NULL, 405},
                {"nor Exec", S, ODM_CMD_EXEC, "./Bench?list=Struct", ABS, NULL, 405},
                {"nothing there to delete", S, DEL, "./Bench/None", ABS, NULL, 404},
                {"a title is text", S, REP, "./Bench/Slots?prop=Title", ABS, "\xff", 415},
                {"live nodes have no properties to set", S, REP, "./Bench/Doors/back?prop=Title",
                 ABS, "x", 405},
                {"a plain node", S, ADD, "./P", NODE, NULL, 200},
                {"a name too long", S, REP, "./P?prop=Name", ABS,
                 "12345678901234567890123456789012345678901234567890123456789012345", 414},
                {"a kit", S, ADD, "./Bench/Kits/k", NODE, NULL, 200},
                {"its description names it", S, ADD, "./Bench/Kits/k/Pots", NODE, NULL, 200},
                {"so it keeps its name", S, REP, "./Bench/Kits/k/Pots?prop=Name", ABS, "q", 405},
                {"and leaves it to nobody", S, REP, "./Bench/Kits/k?prop=Name", ABS, "j", 200},
        };
        struct bench b;

        (void)state;
        bench_open(&b, NULL);
        lab_rows(&b.l, rows, ODM_COUNT(rows));
        lab_close(&b.l);
}

static void types_of_interior_nodes_are_kept(void **state)
{
        static const struct {
                const char *why, *target, *type;
                unsigned status;
                const char *kept;
        } rows[] = {
                {"free", "./P", "urn:oma:mo:x-own:1.0", 200, "urn:oma:mo:x-own:1.0"},
                {"no UTF-8", "./Q", "urn:\xff", 415, NULL},
                {"says nothing", "./Q", "text/plain", 200, ""},
                {"its description's", "./Bench/Kits/a", "urn:oma:mo:x-kit:1.0", 200,
                 "urn:oma:mo:x-kit:1.0"},
                {"another version of it", "./Bench/Kits/b", "urn:oma:mo:x-kit:1.3", 200,
                 "urn:oma:mo:x-kit:1.0"},
                {"another object", "./Bench/Kits/c", "urn:oma:mo:x-pot:1.0", 415, NULL},
        };
        struct bench b;
        odm_answer got;

        (void)state;
        bench_open(&b, NULL);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_op op = lab_op(S, ADD, rows[i].target, NODE, NULL);
                char type[64];
                op.value.type = odm_cstr(rows[i].type);
                if (lab_status(&b.l, &op, &got) != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, got.status);
                if (rows[i].kept == NULL)
                        continue;
                (void)snprintf(type, sizeof type, "%s?prop=Type", rows[i].target);
                lab_do(&b.l,
                       &(struct row){rows[i].why, NULL, GET, type, ABS, NULL, 200, rows[i].kept});
        }
        lab_close(&b.l);
}

static void a_provider_that_fails_is_told(void **state)
{
        static const struct row rows[] = {
                {"no value", S, GET, "./Bench/Broken", ABS, NULL, 500},
                {"no size", S, GET, "./Bench/Broken?prop=Size", ABS, NULL, 500},
                {"no list that has it", S, GET, "./Bench?list=Struct", ABS, NULL, 500},
                {"no names", S, GET, "./Bench/Doors", ABS, NULL, 500},
                {"no list of them", S, GET, "./Bench/Doors?list=Struct", ABS, NULL, 500},
                {"nobody knows what is there", S, GET, "./Bench/Doors/back", ABS, NULL, 500},
                {"nor what could be copied", S, CPY, "./X", ABS, "./Bench/Doors/back", 500},
                {"the rest is well", S, GET, "./Bench/Fixed", ABS, NULL, 200, "f"},
        };
        struct bench b;
        odm_value v = {.data = ODM_ABSENT};
        odm_answer got;

        (void)state;
        bench_open(&b, NULL);
        b.broken = ODM_EIO;
        lab_rows(&b.l, rows, ODM_COUNT(rows));
        assert_int_equal(odm_tree_read(b.l.t, ODM_STR("./Bench/Broken"), &b.l.a, &v), ODM_EIO);
        assert_int_equal(odm_tree_read(b.l.t, ODM_STR("./Bench/Gone"), &b.l.a, &v), ODM_ENOENT);
        assert_int_equal(odm_tree_read(b.l.t, ODM_STR("./Bench/Asked"), &b.l.a, &v), ODM_EIO);
        assert_null(v.data.p);
        assert_false(odm_tree_exists(b.l.t, ODM_STR("./Bench/Doors/back")));
        b.broken = 0;
        lab_do(&b.l,
               &(struct row){"again", S, GET, "./Bench/Broken", ABS, NULL, 200, "whole again"});
        odm_op ask = lab_op(S, GET, "./Bench/Asked", ABS, NULL);
        assert_int_equal(odm_tree_do(b.l.t, &ask, NOW, &b.l.a, &got), ODM_LATER);
        odm_op copy = lab_op(S, CPY, "./X", ABS, "./Bench/Asked");
        assert_int_equal(odm_tree_do(b.l.t, &copy, NOW, &b.l.a, &got), ODM_LATER);
        odm_op list = lab_op(S, GET, "./Bench?list=Struct", ABS, NULL);
        assert_int_equal(lab_status(&b.l, &list, &got), 200);
        for (const odm_result *r = got.results; r; r = r->next) {
                assert_false(odm_str_is(r->uri, "./Bench/Gone"));
                assert_false(odm_str_is(r->uri, "./Bench/Asked"));
        }
        lab_close(&b.l);
}

/* ---- the device's own view -------------------------------------------------------------- */

static int no_name(void *ctx, odm_str name)
{
        (void)ctx;
        (void)name;
        return 0;
}

static void errors_of_the_device_tell_what_it_was(void **state)
{
        static const struct {
                const char *why, *uri, *data;
                int rc;
        } rows[] = {
                {"no address", "./a//b", "x", ODM_ENOENT},
                {"an address too long",
                 "./12345678901234567890123456789012345678901234567890123456789012345", "x",
                 ODM_ELIMIT},
                {"a value too long", "./P", "12345678901234567", ODM_ELIMIT},
                {"one that fits", "./P", "1234567890123456", 0},
                {"a value that does not fit", "./Bench/Float", "x", ODM_EINVAL},
                {"a live one", "./Bench/Gone", "x", ODM_EACCESS},
                {"what a check forbids", "./Bench/Slots/a/Pin", "0000", ODM_EIO},
        };
        odm_tree_opt o;
        struct bench b;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        o.max_value = 40;
        bench_open(&b, &o);
        odm_tree_free(b.l.t);
        o.max_value = 16;
        assert_int_equal(odm_tree_new(&o, &b.l.t), 0);
        assert_int_equal(odm_tree_mount(b.l.t, NULL, &bench_provider), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_value v = {.data = odm_cstr(rows[i].data)};
                int rc = odm_tree_write(b.l.t, odm_cstr(rows[i].uri), &v, NOW);
                if (rc != rows[i].rc)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
        }
        assert_int_equal(odm_tree_children(b.l.t, ODM_STR("./P"), no_name, NULL), ODM_EINVAL);
        assert_int_equal(odm_tree_children(b.l.t, ODM_STR("./P?prop=ACL"), no_name, NULL),
                         ODM_ENOENT);
        lab_close(&b.l);
}

static void objects_are_found_one_after_the_other(void **state)
{
        const odm_str id = ODM_STR("urn:oma:mo:x-kit:1.0");
        odm_str at = ODM_ABSENT;
        struct bench b;

        (void)state;
        bench_open(&b, NULL);
        assert_int_equal(odm_tree_find_mo(b.l.t, id, at, &b.l.docs, &at), 0);
        lab_do(&b.l, &(struct row){"one", S, ADD, "./Bench/Kits/one", NODE, NULL, 200});
        lab_do(&b.l, &(struct row){"two", S, ADD, "./Bench/Kits/two", NODE, NULL, 200});
        lab_do(&b.l, &(struct row){"below", S, ADD, "./Bench/Kits/one/Pots", NODE, NULL, 200});
        assert_int_equal(odm_tree_find_mo(b.l.t, id, at, &b.l.docs, &at), 1);
        assert_str(at, "./Bench/Kits/one");
        assert_int_equal(odm_tree_find_mo(b.l.t, id, at, &b.l.docs, &at), 1);
        assert_str(at, "./Bench/Kits/two");
        assert_int_equal(odm_tree_find_mo(b.l.t, id, at, &b.l.docs, &at), 0);
        assert_str(at, "./Bench/Kits/two"); /* untouched */
        lab_do(&b.l, &(struct row){"gone", S, DEL, "./Bench/Kits/two", ABS, NULL, 200});
        assert_int_equal(odm_tree_find_mo(b.l.t, id, at, &b.l.docs, &at), 0);
        assert_int_equal(odm_tree_find_mo(b.l.t, ODM_STR(""), ODM_ABSENT, &b.l.docs, &at), 0);
        lab_close(&b.l);
}

static void mounts_are_refused_as_the_table_says(void **state)
{
        static const odm_desc no_name_nodes[] = {{.name = TEXT(""), .format = NODE}};
        static const odm_mo no_name_mo = {TEXT(""), TEXT(""), no_name_nodes, 1};
        static const odm_binding listed_leaf = {.path = "Float", .list = list_doors};
        static const odm_binding read_node = {.path = "Doors", .read = read_bare};
        static const odm_binding checked_node = {.path = "Slots/*", .check = check_pin};
        static const struct {
                const char *why;
                const odm_mo *mo;
                const odm_binding *bind;
        } rows[] = {
                {"an object without a name needs a place", &no_name_mo, NULL},
                {"a leaf has no children to list", &bench_mo, &listed_leaf},
                {"a node has no value to read", &bench_mo, &read_node},
                {"nor to check", &bench_mo, &checked_node},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_provider p = {.name = "p",
                                  .mo = rows[i].mo,
                                  .bind = rows[i].bind,
                                  .n_bind = rows[i].bind != NULL};
                size_t nodes = odm_tree_nodes(l.t);
                if (odm_tree_mount(l.t, NULL, &p) != ODM_EINVAL)
                        fail_msg("%s", rows[i].why);
                assert_int_equal(odm_tree_nodes(l.t), nodes);
        }
        lab_close(&l);
}

/* ---- documents -------------------------------------------------------------------------- */

static odm_doc_node *doc_leaf(struct bench *b, const char *name, odm_format f, const char *value,
                              odm_doc_node *next)
{
        odm_doc_node *n = odm_new(&b->l.docs, odm_doc_node);

        assert_non_null(n);
        *n = (odm_doc_node){.name = odm_cstr(name),
                            .next = next,
                            .has_rt = true,
                            .format = f,
                            .value = {ODM_DATA_TEXT, odm_cstr(value)}};
        return n;
}

static odm_doc_node *doc_node(struct bench *b, const char *name, odm_doc_node *kids)
{
        odm_doc_node *n = doc_leaf(b, name, NODE, "", NULL);

        n->value = (odm_data){ODM_DATA_ABSENT, ODM_ABSENT};
        n->children = kids;
        return n;
}

static unsigned send_doc(struct bench *b, odm_cmd kind, const char *target, odm_doc_node *top)
{
        odm_doc doc = {.ver_dtd = ODM_STR("1.2"), .nodes = top};
        odm_op op = {.kind = kind, .target = odm_cstr(target), .server = ODM_STR(S), .doc = &doc};
        odm_str before = lab_state(&b->l);
        odm_answer got = {.status = 0};

        assert_int_equal(odm_tree_do(b->l.t, &op, (odm_wall){b->l.now++}, &b->l.docs, &got), 0);
        if (!odm_status_ok(got.status)) {
                odm_str after = lab_state(&b->l);
                assert_octets(after, before);
                exact_free(after);
        }
        exact_free(before);
        return got.status;
}

static void documents_that_add_are_judged(void **state)
{
        struct bench b;
        odm_doc_node *n;

        (void)state;
        bench_open(&b, NULL);
        n = doc_leaf(&b, "t", CHR, "x", NULL);
        n->children = doc_leaf(&b, "u", CHR, "x", NULL);
        assert_int_equal(send_doc(&b, ADD, ".", doc_node(&b, "T", n)), 415); /* a leaf has none */
        n = doc_node(&b, "T", NULL);
        n->acl = ODM_STR("Get=a&b");
        assert_int_equal(send_doc(&b, ADD, ".", n), 500); /* no list */
        assert_int_equal(send_doc(&b, ADD, ".", doc_node(&b, "Far", NULL)), 405);
        assert_int_equal(send_doc(&b, ADD, ".", doc_node(&b, "Inbox", NULL)), 405);
        assert_int_equal(forwarded, 0);
        n = doc_node(&b, "a/b", NULL); /* a name no node may have, inside */
        assert_int_equal(send_doc(&b, ADD, ".", doc_node(&b, "T", n)), 500);

        n = doc_leaf(&b, "octets", ODM_FMT_BIN, "AAEC/w==", NULL);
        n->type = ODM_STR("application/octet-stream");
        n->next = doc_leaf(&b, "unsaid", ABS, "7", NULL);
        n->next->next = doc_node(&b, "inner", NULL);
        n->next->next->format = ABS; /* known by its type alone */
        n->next->next->type_is_ddf_name = true;
        n = doc_node(&b, ".", n);
        assert_int_equal(send_doc(&b, ADD, "./T", n), 200);
        static const struct row rows[] = {
                {"decoded", S, GET, "./T/octets?prop=Size", ABS, NULL, 200, "4"},
                {"a format unsaid is chr", S, GET, "./T/unsaid?prop=Format", ABS, NULL, 200, "chr"},
                {"a node", S, GET, "./T/inner?prop=Format", ABS, NULL, 200, "node"},
        };
        lab_rows(&b.l, rows, ODM_COUNT(rows));
        lab_close(&b.l);
}

static void documents_that_replace_are_judged(void **state)
{
        struct bench b;
        odm_doc_node *n;

        (void)state;
        bench_open(&b, NULL);
        lab_do(&b.l, &(struct row){"held", S, ADD, "./Bench/Slots/held/Pin", CHR, "1", 200});
        assert_int_equal(send_doc(&b, REP, "./T", NULL), 404);
        assert_int_equal(send_doc(&b, REP, "./Bench", NULL), 500);
        assert_int_equal(send_doc(&b, REP, "./Bench/None", doc_node(&b, "", NULL)), 404);
        assert_int_equal(send_doc(&b, REP, "./Bench/Doors/back", doc_node(&b, "", NULL)), 405);
        assert_int_equal(send_doc(&b, REP, "./Bench/Slots", doc_node(&b, "Slots", NULL)), 403);
        n = doc_node(&b, "Slots", doc_leaf(&b, "held", CHR, "x", NULL));
        assert_int_equal(send_doc(&b, REP, "./Bench/Slots", n), 403); /* a node becomes a leaf */
        n = doc_leaf(&b, "Fixed", CHR, "g", NULL);
        assert_int_equal(send_doc(&b, REP, "./Bench", doc_node(&b, "Bench", n)), 405);
        assert_int_equal(send_doc(&b, REP, ".", doc_node(&b, ".", doc_node(&b, "Far", NULL))), 405);
        lab_do(&b.l, &(struct row){"a list", NULL, REP, "./Bench/Kits?prop=ACL", ABS, "Replace=srv",
                                   200});
        assert_int_equal(send_doc(&b, REP, "./Bench/Kits", doc_node(&b, "Kits", NULL)), 425);
        n = doc_node(&b, "held", NULL); /* a list of its own goes with the document that has none */
        lab_do(&b.l, &(struct row){"a list", NULL, REP, "./Bench/Slots/held?prop=ACL", ABS,
                                   "Get=srv&Replace=srv", 200});
        n->children = doc_leaf(&b, "Pin", CHR, "2", NULL);
        assert_int_equal(send_doc(&b, REP, "./Bench/Slots", doc_node(&b, "Slots", n)), 200);
        lab_do(&b.l,
               &(struct row){"none", NULL, GET, "./Bench/Slots/held?prop=ACL", ABS, NULL, 200, ""});
        lab_do(&b.l,
               &(struct row){"new", NULL, GET, "./Bench/Slots/held/Pin", ABS, NULL, 200, "2"});
        lab_close(&b.l);
}

static void titles_and_stamps_are_in_documents(void **state)
{
        struct bench b;
        odm_answer got;
        odm_op op = lab_op(NULL, GET, "./P?list=TNDS+Title+TStamp+VerNo", ABS, NULL);

        (void)state;
        bench_open(&b, NULL);
        b.l.now = 994869497;
        lab_do(&b.l, &(struct row){"P", S, ADD, "./P", NODE, NULL, 200});
        b.l.now = 994869497;
        lab_do(&b.l, &(struct row){"title", S, REP, "./P?prop=Title", ABS, "desk", 200});
        assert_int_equal(lab_status(&b.l, &op, &got), 200);
        assert_str(got.results->doc->nodes->title, "desk");
        assert_str(got.results->doc->nodes->tstamp, "20010711T163817Z");
        assert_str(got.results->doc->nodes->ver_no, "1");
        lab_close(&b.l);
}

/* ---- the Inbox -------------------------------------------------------------------------- */

static void objects_find_their_home(void **state)
{
        static const struct {
                const char *why, *target, *type;
                unsigned status;
                const char *created;
        } rows[] = {
                {"below a named node", "./Inbox/k", "urn:oma:mo:x-kit:1.0", 200, "./Bench/Kits/k"},
                {"its name is taken", "./Inbox/k", "urn:oma:mo:x-kit:1.0", 200, "./Bench/Kits/1"},
                {"the home is below an unnamed node: which?", "./Inbox/p", "urn:oma:mo:x-pot:1.0",
                 404, NULL},
                {"there is one already", "./Inbox/b", "urn:oma:mo:x-bench:1.0", 418, NULL},
                {"no identifier", "./Inbox/n", "", 404, NULL},
        };
        struct bench b;
        odm_answer got;

        (void)state;
        bench_open(&b, NULL);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_op op = lab_op(S, ADD, rows[i].target, NODE, NULL);
                op.value.type = odm_cstr(rows[i].type);
                if (lab_status(&b.l, &op, &got) != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, got.status);
                if (rows[i].created)
                        assert_str(got.created, rows[i].created);
        }
        lab_do(&b.l, &(struct row){"closed", NULL, REP, "./Inbox?prop=ACL", ABS, "Get=*", 200});
        odm_op op = lab_op(S, ADD, "./Inbox/k2", NODE, NULL);
        op.value.type = ODM_STR("urn:oma:mo:x-kit:1.0");
        assert_int_equal(lab_status(&b.l, &op, &got), 425);
        lab_close(&b.l);
}

/* Where nothing can be made the Inbox says so, and soon: its answer is no success. */
static void an_object_without_a_place_is_refused(void **state)
{
        odm_tree_opt o;
        struct lab l;
        odm_op op = lab_op(NULL, ADD, "./Inbox", NODE, NULL);
        odm_answer got;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        o.uri.max_depth = 1;
        assert_int_equal(lab_open(&l, &heap, &o), 0);
        op.value.type = ODM_STR("urn:oma:mo:x-acc:1.0");
        assert_int_equal(lab_status(&l, &op, &got), 420);
        lab_close(&l);
}

/* ---- ceilings --------------------------------------------------------------------------- */

static void a_full_tree_takes_nothing_longer(void **state)
{
        static const struct row rows[] = {
                {"room for this", NULL, ADD, "./P", CHR, "12345", 200},
                {"not for this value", NULL, REP, "./P", CHR, "a value longer than the rest", 420},
                {"nor this node", NULL, ADD, "./Q", CHR, "a value longer than the rest", 420},
                {"nor this list", NULL, REP, "./P?prop=ACL", ABS, "Get=A+B+C+D+E+F+G+H+I", 420},
                {"nor this title", NULL, REP, "./P?prop=Title", ABS, "a title of some length", 420},
                {"nor this name", NULL, REP, "./P?prop=Name", ABS, "a-name-of-some-length", 420},
                {"a shorter value", NULL, REP, "./P", CHR, "1", 200},
        };
        odm_tree_opt o;
        struct lab l = {.mem = &heap};
        odm_doc_node p = {
                .name = ODM_STR("N"), .format = NODE, .acl = ODM_STR("Get=A+B+C+D+E+F+G+H")};
        odm_doc doc = {.nodes = &p};
        odm_op op = {.kind = ADD, .target = ODM_STR("."), .doc = &doc};
        odm_answer got;

        (void)state;
        odm_tree_opt_init(&o, &heap);
        o.max_bytes = 11 + 1 + 5 + 10; /* the root's list, a name, its value, and a little */
        odm_arena_init(&l.a, &heap, 1 << 20);
        odm_arena_init(&l.docs, &heap, 1 << 20);
        assert_int_equal(odm_tree_new(&o, &l.t), 0);
        lab_rows(&l, rows, ODM_COUNT(rows));
        assert_int_equal(lab_status(&l, &op, &got), 420);
        assert_false(odm_tree_exists(l.t, ODM_STR("./N")));
        lab_close(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_fit_as_the_table_says),
                cmocka_unit_test(types_are_judged_as_the_table_says),
                cmocka_unit_test(operations_do_as_the_table_says),
                cmocka_unit_test(types_of_interior_nodes_are_kept),
                cmocka_unit_test(a_provider_that_fails_is_told),
                cmocka_unit_test(errors_of_the_device_tell_what_it_was),
                cmocka_unit_test(objects_are_found_one_after_the_other),
                cmocka_unit_test(mounts_are_refused_as_the_table_says),
                cmocka_unit_test(documents_that_add_are_judged),
                cmocka_unit_test(documents_that_replace_are_judged),
                cmocka_unit_test(titles_and_stamps_are_in_documents),
                cmocka_unit_test(objects_find_their_home),
                cmocka_unit_test(an_object_without_a_place_is_refused),
                cmocka_unit_test(a_full_tree_takes_nothing_longer),
        };

        return RUN_TESTS(tests);
}
