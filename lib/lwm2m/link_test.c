/* SPDX-License-Identifier: Apache-2.0 */
/* Links, registrations, attributes, arguments. */
#include "odm/lwm2m.h"
#include "support.h"

static const struct link_row {
        const char *why, *in, *root;
        int rc;
        const char *out; /* written again, with its root */
} link_rows[] = {
        {"the example of the standard",
         "</>;rt=\"oma.lwm2m\";ct=11542,</1/0>,</3/0>,</5/0>,</44>;ver=\"2.2\",</44/0>", NULL, 0,
         "</>;rt=\"oma.lwm2m\";ct=11542,</1/0>,</3/0>,</5/0>,</44>;ver=2.2,</44/0>"},
        {"another root, blanks", "</lwm2m>;rt=\"oma.lwm2m\", </lwm2m/1/0>,</lwm2m/3/0> , </x>",
         NULL, 0, "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/1/0>,</lwm2m/3/0>"},
        {"the root told last", "</a/3/0>,</a>;rt=\"x oma.lwm2m\";ct=\"110 112\"", NULL, 0,
         "</a>;rt=\"oma.lwm2m\";ct=\"110 112\",</a/3/0>"},
        {"without a root", "</1/0>,</3/0>", NULL, 0, "</>;rt=\"oma.lwm2m\",</1/0>,</3/0>"},
        {"Discover: attributes and dimensions",
         "</3/0>;pmin=10;pmax=60,</3/0/6>;dim=8,</3/0/7>;dim=8;gt=50;lt=42.2,</3/0/4>", NULL, 0,
         "</>;rt=\"oma.lwm2m\",</3/0>;pmin=10;pmax=60,</3/0/6>;dim=8,</3/0/7>;dim=8;gt=50;lt=42.2,"
         "</3/0/4>"},
        {"a given prefix", "</d1/3/0>,</d2/3/0>", "/d1", 0, "</d1>;rt=\"oma.lwm2m\",</d1/3/0>"},
        {"a comma and a semicolon within quotes", "</3/0>;title=\"a,b;c\\\"d\",</4/0>", NULL, 0,
         "</>;rt=\"oma.lwm2m\",</3/0>,</4/0>"},
        {"unknown objects stay, paths of others go", "</3/0>,</33333/7>,</temp>,</70000>", NULL, 0,
         "</>;rt=\"oma.lwm2m\",</3/0>,</33333/7>"},
        {"the server that an instance is of, all formats",
         "</>;rt=\"oma.lwm2m\";ct=\"11542 11543 110 112\",</1/0>;ssid=101", NULL, 0,
         "</>;rt=\"oma.lwm2m\";ct=\"11542 11543 110 112\",</1/0>;ssid=101"},
        {"text that is none", "</3/0>;a=\"\xff\"", NULL, ODM_EMALFORMED, NULL},
        {"none", "", NULL, 0, "</>;rt=\"oma.lwm2m\""},
        {"no bracket", "/3/0", NULL, ODM_EMALFORMED, NULL},
        {"no end of it", "</3/0", NULL, ODM_EMALFORMED, NULL},
        {"a comma behind", "</3/0>,", NULL, ODM_EMALFORMED, NULL},
        {"no comma between", "</3/0></4/0>", NULL, ODM_EMALFORMED, NULL},
        {"a quote without end", "</3/0>;a=\"b", NULL, ODM_EMALFORMED, NULL},
        {"an escape at the end", "</3/0>;a=\"b\\", NULL, ODM_EMALFORMED, NULL},
};

static void links_are_read_and_written(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(link_rows); i++) {
                const struct link_row *r = &link_rows[i];
                odm_str in = exact_copy(r->in);
                odm_lw_links l = {.n = 77};
                odm_arena a;
                odm_buf b;

                odm_arena_init(&a, &heap, 65536);
                odm_buf_init(&b, &heap, 4096);
                int rc = odm_lw_links_parse(in, odm_cstr(r->root), &a, &l);
                if (rc != r->rc)
                        fail_msg("%s: %s", r->why, odm_err_name(rc));
                if (rc == 0) {
                        assert_int_equal(odm_lw_links_format(&l, true, &b), 0);
                        if (!odm_str_is(odm_buf_view(&b), r->out))
                                fail_msg("%s: %.*s", r->why, (int)b.n, b.p);
                } else {
                        assert_int_equal(l.n, 77);
                }
                odm_buf_done(&b);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static const struct reg_row {
        const char *why;
        const char *query[6];
        bool update;
        int rc;
        const char *ep;
        int64_t lt;
        bool queue;
        const char *again; /* formatted, joined by "&" */
} reg_rows[] = {
        {"a plain one",
         {"ep=meter-1", "lt=300", "lwm2m=1.0", "b=U"},
         false,
         0,
         "meter-1",
         300,
         false,
         "ep=meter-1&lt=300&lwm2m=1.0&b=U"},
        {"what is left out",
         {"ep=x", "lwm2m=1.1"},
         false,
         0,
         "x",
         86400,
         false,
         "ep=x&lt=86400&lwm2m=1.1"},
        {"queue mode of 1.0",
         {"ep=x", "lwm2m=1.0", "b=UQS", "sms=491701"},
         false,
         0,
         "x",
         86400,
         true,
         "ep=x&lt=86400&lwm2m=1.0&b=UQS&sms=491701"},
        {"queue mode of 1.1",
         {"ep=x", "lwm2m=1.1", "b=U", "Q"},
         false,
         0,
         "x",
         86400,
         true,
         "ep=x&lt=86400&lwm2m=1.1&b=U&Q"},
        {"names nobody knows",
         {"ep=x", "lwm2m=1.0", "et=z", "nb"},
         false,
         0,
         "x",
         86400,
         false,
         "ep=x&lt=86400&lwm2m=1.0"},
        {"an update with nothing", {NULL}, true, 0, NULL, -1, false, ""},
        {"an update of the lifetime", {"lt=60"}, true, 0, NULL, 60, false, "lt=60"},
        {"no endpoint", {"lwm2m=1.0"}, false, ODM_EMALFORMED, NULL, 0, false, NULL},
        {"an empty endpoint", {"ep=", "lwm2m=1.0"}, false, ODM_EMALFORMED, NULL, 0, false, NULL},
        {"control characters in it",
         {"ep=a\nb", "lwm2m=1.0"},
         false,
         ODM_EMALFORMED,
         NULL,
         0,
         false,
         NULL},
        {"no version", {"ep=x"}, false, ODM_EMALFORMED, NULL, 0, false, NULL},
        {"the next major version",
         {"ep=x", "lwm2m=2.0"},
         false,
         ODM_EUNSUPPORTED,
         NULL,
         0,
         false,
         NULL},
        {"newer than ours", {"ep=x", "lwm2m=1.2"}, false, ODM_EUNSUPPORTED, NULL, 0, false, NULL},
        {"a lifetime of nothing",
         {"ep=x", "lwm2m=1.0", "lt=0"},
         false,
         ODM_EMALFORMED,
         NULL,
         0,
         false,
         NULL},
        {"a lifetime that is no number",
         {"ep=x", "lwm2m=1.0", "lt=-1"},
         false,
         ODM_EMALFORMED,
         NULL,
         0,
         false,
         NULL},
        {"a binding that is none",
         {"ep=x", "lwm2m=1.0", "b=X"},
         false,
         ODM_EMALFORMED,
         NULL,
         0,
         false,
         NULL},
};

static void links_have_a_ceiling(void **state)
{
        odm_lw_links l;
        odm_arena a;
        odm_buf b;

        (void)state;
        odm_arena_init(&a, &heap, 4 << 20);
        odm_buf_init(&b, &heap, 1 << 20);
        for (unsigned i = 0; i < ODM_LW_LINKS_MAX; i++)
                assert_int_equal(odm_buf_fmt(&b, "%s</9/%u>", i ? "," : "", i), 0);
        assert_int_equal(odm_lw_links_parse(odm_buf_view(&b), ODM_ABSENT, &a, &l), 0);
        assert_int_equal(l.n, ODM_LW_LINKS_MAX);
        assert_int_equal(odm_buf_str(&b, ODM_STR(",</3/0>")), 0);
        assert_int_equal(odm_lw_links_parse(odm_buf_view(&b), ODM_ABSENT, &a, &l), ODM_ELIMIT);
        odm_buf_done(&b);
        odm_arena_done(&a);
}

static int read_and_write(failing *f, void *arg)
{
        odm_lw_links l;
        odm_arena a;
        odm_buf b;

        odm_arena_init(&a, &f->mem, 65536);
        odm_buf_init(&b, &f->mem, 4096);
        int rc = odm_lw_links_parse(odm_cstr(arg), ODM_ABSENT, &a, &l);
        if (rc == 0)
                rc = odm_lw_links_format(&l, true, &b);
        if (rc < 0)
                assert_int_equal(b.n, 0);
        odm_buf_done(&b);
        odm_arena_done(&a);
        return rc;
}

static void it_survives_want_of_memory(void **state)
{
        (void)state;
        torture(read_and_write, (void *)(uintptr_t)link_rows[4].in, 100);
}

static void registrations_are_read_and_written(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(reg_rows); i++) {
                const struct reg_row *r = &reg_rows[i];
                odm_lw_register got = {.lt = 77};
                odm_str q[6], out[ODM_LW_QUERIES], all = ODM_STR("");
                odm_arena a;
                size_t n = 0;

                while (n < 6 && r->query[n]) {
                        q[n] = odm_cstr(r->query[n]);
                        n++;
                }
                odm_arena_init(&a, &heap, 4096);
                int rc = odm_lw_register_parse(q, n, r->update, &got);
                if (rc != r->rc)
                        fail_msg("%s: %s", r->why, odm_err_name(rc));
                if (rc < 0) {
                        assert_int_equal(got.lt, 77);
                } else {
                        assert_octets(got.ep, odm_cstr(r->ep));
                        assert_int_equal(got.lt, r->lt);
                        assert_int_equal(got.queue, r->queue);
                        assert_int_equal(odm_lw_register_format(&got, r->update, &a, out, &n), 0);
                        for (size_t k = 0; k < n; k++)
                                all = odm_arena_fmt(&a, "%s%s%.*s", all.p, k ? "&" : "",
                                                    (int)out[k].n, out[k].p);
                        assert_str(all, r->again);
                }
                odm_arena_done(&a);
        }
}

static void attributes_are_read_and_written(void **state)
{
        static const struct {
                const char *query;
                int rc;
                unsigned has, cleared;
        } v[] = {
                {"pmin=10", 0, ODM_LW_PMIN, 0},
                {"pmax=60", 0, ODM_LW_PMIN | ODM_LW_PMAX, 0},
                {"gt=-1.5", 0, ODM_LW_PMIN | ODM_LW_PMAX | ODM_LW_GT, 0},
                {"pmin", 0, ODM_LW_PMAX | ODM_LW_GT, ODM_LW_PMIN},
                {"st=x", ODM_EMALFORMED, ODM_LW_PMAX | ODM_LW_GT, 0},
                {"pmax=-1", ODM_EMALFORMED, ODM_LW_PMAX | ODM_LW_GT, 0},
                {"epmin=1", ODM_ENOENT, ODM_LW_PMAX | ODM_LW_GT, 0},
        };
        odm_lw_attrs at = {0};
        odm_str out[ODM_LW_QUERIES];
        odm_arena a;
        size_t n;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                unsigned cleared = 0;
                assert_int_equal(odm_lw_attrs_parse(odm_cstr(v[i].query), &at, &cleared), v[i].rc);
                assert_int_equal(at.has, v[i].has);
                assert_int_equal(cleared, v[i].cleared);
        }
        odm_arena_init(&a, &heap, 4096);
        assert_int_equal(odm_lw_attrs_format(&at, &a, out, &n), 0);
        assert_int_equal(n, 2);
        assert_str(out[0], "pmax=60");
        assert_str(out[1], "gt=-1.5");
        odm_arena_done(&a);
}

static void arguments_are_read_and_written(void **state)
{
        static const struct {
                const char *why, *in;
                int rc;
                size_t n;
        } v[] = {
                {"none", "", 0, 0},
                {"one without a value", "5", 0, 1},
                {"two", "2='10.3',7", 0, 2},
                {"an empty value", "0=''", 0, 1},
                {"an address", "0='http://h/x,y'", 0, 1},
                {"the same twice", "1,1", ODM_EMALFORMED, 0},
                {"no digit", "a", ODM_EMALFORMED, 0},
                {"a quote missing", "1='x", ODM_EMALFORMED, 0},
                {"no quote", "1=x", ODM_EMALFORMED, 0},
                {"a comma behind", "1,", ODM_EMALFORMED, 0},
                {"a blank inside", "1='a b'", ODM_EMALFORMED, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_lw_arg args[ODM_LW_ARGS];
                odm_str in = exact_copy(v[i].in);
                size_t n = 77;
                odm_buf b;

                odm_buf_init(&b, &heap, 256);
                int rc = odm_lw_args_parse(in, args, &n);
                if (rc != v[i].rc)
                        fail_msg("%s: %s", v[i].why, odm_err_name(rc));
                assert_int_equal(n, rc < 0 ? 77 : v[i].n);
                if (rc == 0) {
                        assert_int_equal(odm_lw_args_format(args, n, &b), 0);
                        assert_octets(odm_buf_view(&b), in);
                }
                odm_buf_done(&b);
                exact_free(in);
        }
        odm_lw_arg bad = {.id = 10};
        odm_buf none;
        odm_buf_init(&none, &heap, 256);
        assert_int_equal(odm_lw_args_format(&bad, 1, &none), ODM_EINVAL);
        odm_buf_done(&none);
        bad = (odm_lw_arg){.id = 1, .value = ODM_STR("it's")};
        odm_buf b;
        odm_buf_init(&b, &heap, 256);
        assert_int_equal(odm_lw_args_format(&bad, 1, &b), ODM_EINVAL);
        odm_buf_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(links_are_read_and_written),
                cmocka_unit_test(links_have_a_ceiling),
                cmocka_unit_test(it_survives_want_of_memory),
                cmocka_unit_test(registrations_are_read_and_written),
                cmocka_unit_test(attributes_are_read_and_written),
                cmocka_unit_test(arguments_are_read_and_written),
        };
        return RUN_TESTS(tests);
}
