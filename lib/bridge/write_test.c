/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that change something: what is asked of the device, what the gateway keeps, what is
 * refused and why. */
#include "lab.h"

enum verb { WRITE, CREATE, REMOVE, EXEC, OBSERVE };

struct pair {
        const char *path, *value; /* NULL: an interior node */
        odm_format format;
};

static const struct row {
        const char *why;
        enum verb verb;
        struct pair v[4];
        const char *asked;
        unsigned status;
} rows[] = {
        {"a text",
         WRITE,
         {{"./DevDetail/Ext/TZ", "Europe/Oslo"}},
         "Write /3/0/15 /3/0/15=Europe/Oslo",
         200},
        {"a time",
         WRITE,
         {{"./DevDetail/Ext/Time", "20240229T120000Z"}},
         "Write /3/0/13 /3/0/13=1709208000",
         200},
        {"no time", WRITE, {{"./DevDetail/Ext/Time", "noon"}}, "", 415},
        {"two of one instance are one Write",
         WRITE,
         {{"./DevDetail/Ext/TZ", "A"}, {"./DevDetail/Ext/UTCOffset", "+02:00"}},
         "Write (partial) /3/0 /3/0/14=+02:00 /3/0/15=A",
         200},
        {"two of several are refused",
         WRITE,
         {{"./DevDetail/Ext/TZ", "A"}, {"./DMAcc/0/Ext/Lifetime", "60"}},
         "",
         406},
        {"the same twice", WRITE, {{"./DevDetail/Ext/TZ", "A"}, {"./LwM2M/3/0/15", "B"}}, "", 400},
        {"not writable", WRITE, {{"./DevDetail/FwV", "x"}}, "", 405},
        {"not there", WRITE, {{"./DevDetail/Nothing", "x"}}, "", 404},
        {"an instance that is not there", WRITE, {{"./DMAcc/5/Ext/Lifetime", "60"}}, "", 404},
        {"the lifetime",
         WRITE,
         {{"./M2M/AreaNwkDev/1/SleepInterval", "120"}},
         "Write /1/0/1 /1/0/1=120",
         200},
        {"the address of a package stays here",
         WRITE,
         {{"./FUMO/main/DownloadAndUpdate/PkgURL", "coap://h/x"}},
         "",
         200},
        {"so does what the package is called",
         WRITE,
         {{"./FUMO/main/PkgName", "fw"}, {"./FUMO/main/PkgVersion", "2.0"}},
         "",
         200},
        {"what stays here and one of the device",
         WRITE,
         {{"./FUMO/main/Ext/xrem/Hash", "00"}, {"./DevDetail/Ext/TZ", "A"}},
         "Write /3/0/15 /3/0/15=A",
         200},
        {"a package is staged",
         WRITE,
         {{"./FUMO/main/Update/PkgData", "PKG", ODM_FMT_BIN}},
         "Stage /5/0/0 3 octets",
         200},
        {"and by itself",
         WRITE,
         {{"./FUMO/main/Update/PkgData", "PKG", ODM_FMT_BIN}, {"./FUMO/main/Ext/xrem/Hash", "0"}},
         "",
         406},
        {"a resource without a rule",
         WRITE,
         {{"./LwM2M/1/0/2", "10", ODM_FMT_INT}},
         "Write /1/0/2 /1/0/2=10",
         200},
        {"one that nobody knows, by its format",
         WRITE,
         {{"./LwM2M/3303/0/5601", "1.5", ODM_FMT_FLOAT}},
         "Write /3303/0/5601 /3303/0/5601=1.5",
         200},
        {"one that is only read", WRITE, {{"./LwM2M/3/0/9", "1"}}, "", 405},
        {"an instance is not written", WRITE, {{"./LwM2M/3/0", "1"}}, "", 405},
        {"secrets", WRITE, {{"./LwM2M/0/0/5", "x"}}, "", 404},
        {"a number that is none", WRITE, {{"./LwM2M/1/0/1", "x"}}, "", 415},

        {"a package to download, with its leaves",
         CREATE,
         {{"./SCM/Download/a", NULL},
          {"./SCM/Download/a/PkgID", "p1"},
          {"./SCM/Download/a/PkgURL", "http://h/p"}},
         "",
         200},
        {"a leaf alone brings its node", CREATE, {{"./SCM/Download/b/PkgID", "p2"}}, "", 200},
        {"no other node is made", CREATE, {{"./SCM/Inventory/Deployed/9", NULL}}, "", 404},
        {"an instance", CREATE, {{"./LwM2M/9/5", NULL}}, "Create /9 /9/5=", 201 - 1},
        {"an instance with values",
         CREATE,
         {{"./LwM2M/2/0", NULL}, {"./LwM2M/2/0/3", "101", ODM_FMT_INT}},
         "Create /2 /2/0/3=101",
         200},
        {"one that is there", CREATE, {{"./LwM2M/9/0", NULL}}, "", 418},
        {"a resource",
         CREATE,
         {{"./LwM2M/1/0/3", "60", ODM_FMT_INT}},
         "Write /1/0/3 /1/0/3=60",
         200},

        {"an instance", REMOVE, {{"./LwM2M/9/2", NULL}}, "Delete /9/2", 200},
        {"a resource", REMOVE, {{"./LwM2M/9/2/0", NULL}}, "", 405},
        {"an object", REMOVE, {{"./LwM2M/9", NULL}}, "", 405},
        {"what nobody made", REMOVE, {{"./SCM/Download/zz", NULL}}, "", 405},
        {"what the device has", REMOVE, {{"./DevDetail/FwV", NULL}}, "", 405},
        {"nothing", REMOVE, {{"./Nothing", NULL}}, "", 404},

        {"an executable", EXEC, {{"./LwM2M/3/0/12", NULL}}, "Execute /3/0/12", 200},
        {"with arguments", EXEC, {{"./LwM2M/9/0/6", "1"}}, "Execute /9/0/6 1", 200},
        {"arguments that are none", EXEC, {{"./LwM2M/9/0/6", "x=y"}}, "", 400},
        {"a resource that is read", EXEC, {{"./LwM2M/3/0/9", NULL}}, "", 405},
        {"an instance", EXEC, {{"./LwM2M/3/0", NULL}}, "", 405},
        {"a leaf that is read", EXEC, {{"./DevDetail/FwV", NULL}}, "", 405},
        {"nothing", EXEC, {{"./DevDetail/X", NULL}}, "", 404},

        {"a value",
         OBSERVE,
         {{"./DiagMon/Battery/DiagMonData/1/BatteryLevel", NULL}},
         "Observe /3/0/9",
         200},
        {"with attributes",
         OBSERVE,
         {{"./DiagMon/Battery/DiagMonData/1/BatteryLevel", "+"}},
         "Write-Attributes /3/0/9 has=9; Observe /3/0/9",
         200},
        {"state and result are one node",
         OBSERVE,
         {{"./FUMO/main/State", NULL}},
         "Observe /5/0/3; Observe /5/0/5",
         200},
        {"a resource", OBSERVE, {{"./LwM2M/4/0/2", NULL}}, "Observe /4/0/2", 200},
        {"what is kept here", OBSERVE, {{"./FUMO/main/Ext/xrem/Hash", NULL}}, "", 406},
        {"nothing", OBSERVE, {{"./X", NULL}}, "", 404},
};

static odm_plan *plan_of(lab *l, const struct row *r)
{
        const odm_lw_attrs attrs = {.has = ODM_LW_PMIN | ODM_LW_LT, .pmin = 10, .lt = 20};
        const odm_job_opt opt = {0};
        odm_bridge_node v[4];
        odm_exec exec;
        odm_plan *p = NULL;
        size_t n = 0;
        int rc = 0;

        for (; n < 4 && r->v[n].path; n++)
                v[n] = (odm_bridge_node){
                        .path = odm_cstr(r->v[n].path),
                        .value = {.format = r->v[n].value ? r->v[n].format : ODM_FMT_NODE,
                                  .data = odm_cstr(r->v[n].value)}};
        switch (r->verb) {
        case WRITE: rc = odm_plan_write(l->b, v, n, &l->a, &p); break;
        case CREATE: rc = odm_plan_create(l->b, v, n, &l->a, &p); break;
        case REMOVE: rc = odm_plan_remove(l->b, v[0].path, &l->a, &p); break;
        case OBSERVE:
                rc = odm_plan_observe(l->b, v[0].path, r->v[0].value ? &attrs : NULL, false, &l->a,
                                      &p);
                break;
        case EXEC:
                rc = odm_bridge_execute(l->b, v[0].path, v[0].value.data, &opt, (odm_time){0},
                                        &l->a, &exec);
                assert_null(exec.job);
                p = exec.plan;
                if (p == NULL)
                        assert_int_equal(exec.status, r->status);
                break;
        }
        assert_int_equal(rc, 0);
        return p;
}

static void orders_are_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                lab l;

                lab_begin(&l, LAB_LINKS);
                odm_plan *p = plan_of(&l, r);
                if (p) {
                        const odm_plan_result *got = lab_done(&l, p);
                        if (got->status != r->status)
                                fail_msg("%s: %u %.*s", r->why, got->status, (int)got->text.n,
                                         got->text.p);
                }
                if (strcmp(l.log, r->asked) != 0)
                        fail_msg("%s: asked %s", r->why, l.log);
                lab_close(&l);
        }
}

static unsigned write_one(lab *l, const char *path, const char *value)
{
        odm_bridge_node v = {.path = odm_cstr(path), .value.data = odm_cstr(value)};
        odm_plan *p;

        l->log[0] = '\0';
        l->log_n = 0;
        assert_int_equal(odm_plan_write(l->b, &v, 1, &l->a, &p), 0);
        return lab_done(l, p)->status;
}

/* A version of 1.0 has no path of one of several values. */
static void one_of_several_values_is_written_as_the_version_has_it(void **state)
{
        static const char *const asked[][2] = {
                {"1.0", "Write (partial) /16/0 /16/0/0/2=M2"},
                {"1.1", "Write /16/0/0/2 /16/0/0/2=M2"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(asked); i++) {
                lab l;

                assert_int_equal(lab_open(&l, &heap, "</1/0>,</3/0>,</16/0>", asked[i][0]), 0);
                lab_set(&l, "/16/0/0/0", "host");
                lab_set(&l, "/16/0/0/2", "M1");
                assert_int_equal(write_one(&l, "./DevDetail/Ext/Portfolio/0/Mod", "M2"), 200);
                assert_string_equal(l.log, asked[i][1]);
                assert_string_equal(lab_get(&l, "/16/0/0/2"), "M2");
                assert_int_equal(write_one(&l, "./DevDetail/Ext/Portfolio/1/Mod", "M2"), 404);
                lab_close(&l);
        }
}

static const char *read_one(lab *l, const char *path, odm_ask ask)
{
        odm_str s = odm_cstr(path);
        odm_plan *p;

        assert_int_equal(odm_plan_read(l->b, &s, 1, ask, &l->a, &p), 0);
        const odm_plan_result *r = lab_done(l, p);
        return r->status == 200 ? lab_nodes(l, r->nodes) : "none";
}

static void what_is_kept_is_read_again(void **state)
{
        const struct row make = {.verb = CREATE,
                                 .v = {{"./SCM/Download/a", NULL},
                                       {"./SCM/Download/a/PkgID", "p1"},
                                       {"./SCM/Download/a/PkgURL", "http://h/p"}}};
        const struct row again = {.verb = CREATE, .v = {{"./SCM/Download/a", NULL}}};
        const struct row away = {.verb = REMOVE, .v = {{"./SCM/Download/a", NULL}}};
        odm_buf saved;
        odm_plan *p;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        assert_string_equal(read_one(&l, "./SCM/Download", ODM_ASK_DATA), "./SCM/Download node");
        assert_int_equal(lab_run(&l, plan_of(&l, &make)), 0);
        p = plan_of(&l, &again);
        assert_int_equal(odm_plan_result_of(p)->status, 418);
        assert_int_equal(write_one(&l, "./SCM/Download/a/PkgURL", "http://h/q"), 200);
        odm_buf_init(&saved, &heap, 65536);
        assert_int_equal(odm_bridge_save(l.b, &saved), 0);
        lab_close(&l);

        lab_begin(&l, LAB_LINKS);
        assert_int_equal(odm_bridge_load(l.b, odm_buf_view(&saved), (odm_time){0}), 0);
        odm_buf_done(&saved);
        assert_string_equal(
                read_one(&l, "./SCM/Download", ODM_ASK_DATA),
                "./SCM/Download node; ./SCM/Download/a node; ./SCM/Download/a/Operations node; "
                "./SCM/Download/a/Operations/Download null; "
                "./SCM/Download/a/Operations/DownloadInstall null; "
                "./SCM/Download/a/Operations/DownloadInstallInactive null; "
                "./SCM/Download/a/PkgID chr=p1; ./SCM/Download/a/PkgURL chr=http://h/q; "
                "./SCM/Download/a/Status int=10");
        p = plan_of(&l, &away);
        assert_int_equal(odm_plan_result_of(p)->status, 200);
        assert_string_equal(read_one(&l, "./SCM/Download", ODM_ASK_DATA), "./SCM/Download node");
        lab_close(&l);
}

/* LwM2M has it read only: what a server writes is shown for as long as the device says nothing. */
static void the_devices_own_word_goes_before_what_is_kept(void **state)
{
        static const char node[] = "./FUMO/main/PkgVersion";
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        lab_del(&l, "/5/0/7");
        assert_string_equal(read_one(&l, node, ODM_ASK_NODE), "./FUMO/main/PkgVersion chr=");
        assert_int_equal(write_one(&l, node, "2.0"), 200);
        assert_string_equal(l.log, "");
        assert_string_equal(read_one(&l, node, ODM_ASK_NODE), "./FUMO/main/PkgVersion chr=2.0");
        lab_set(&l, "/5/0/7", "");
        assert_string_equal(read_one(&l, node, ODM_ASK_NODE), "./FUMO/main/PkgVersion chr=2.0");
        lab_set(&l, "/5/0/7", "1.9");
        assert_string_equal(read_one(&l, node, ODM_ASK_NODE), "./FUMO/main/PkgVersion chr=1.9");
        lab_close(&l);
}

static void a_damaged_text_is_not_loaded(void **state)
{
        static const char *const bad[] = {"",
                                          "bridge 2\n",
                                          "bridge 1\nk 9 1\nab\n",
                                          "bridge 1\nx 1 1\nab\n",
                                          "bridge 1\nk 1 1\nabc",
                                          "bridge 1\nt 3 0\n1 x\n",
                                          "bridge 1\nj 4 0\nnone\n",
                                          "bridge 1\nj 8 0\nrestart \n",
                                          "bridge 1\nk 99999999999999999999 1\n"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                lab l;
                odm_str s = exact_copy(bad[i]);
                assert_int_equal(lab_open(&l, &heap, LAB_LINKS, "1.0"), 0);
                if (odm_bridge_load(l.b, s, (odm_time){0}) != ODM_EMALFORMED)
                        fail_msg("taken: %s", bad[i]);
                lab_close(&l);
                exact_free(s);
        }
}

static void text_that_is_not_taken_goes_as_tlv(void **state)
{
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        l.tlv_only = true;
        assert_int_equal(write_one(&l, "./DevDetail/Ext/TZ", "X"), 200);
        assert_string_equal(l.log, "Write /3/0/15; Write /3/0/15 /3/0/15=X");
        lab_close(&l);
}

/* One of 1.0 has TLV always; one of 1.1 has what its registration says. */
static void several_values_go_in_a_format_that_the_device_has(void **state)
{
        static const struct {
                const char *why, *version, *ct;
                unsigned want;
        } v[] = {
                {"nothing said", "1.0", "", ODM_LW_TLV},
                {"nothing said, 1.1", "1.1", "", ODM_LW_TLV},
                {"JSON beside TLV", "1.0", ";ct=11543", ODM_LW_TLV},
                {"both", "1.1", ";ct=\"11542 112\"", ODM_LW_TLV},
                {"SenML CBOR", "1.1", ";ct=\"110 112\"", ODM_LW_SENML_CBOR},
                {"SenML JSON", "1.1", ";ct=110", ODM_LW_SENML_JSON},
        };
        const struct row orders[] = {
                {.verb = WRITE,
                 .v = {{"./DevDetail/Ext/TZ", "A"}, {"./DevDetail/Ext/UTCOffset", "+02:00"}}},
                {.verb = CREATE,
                 .v = {{"./LwM2M/9/5", NULL}, {"./LwM2M/9/5/14", "me", ODM_FMT_CHR}}},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v) * ODM_COUNT(orders); i++) {
                const odm_lw_request *rq;
                char links[128];
                odm_plan *p;
                lab l;

                (void)snprintf(links, sizeof links, "</>;rt=\"oma.lwm2m\"%s,%s", v[i / 2].ct,
                               LAB_LINKS);
                assert_int_equal(lab_open(&l, &heap, links, v[i / 2].version), 0);
                p = plan_of(&l, &orders[i % 2]);
                assert_int_equal(odm_plan_next(p, &rq), 1);
                if (rq->ct != v[i / 2].want)
                        fail_msg("%s: %u", v[i / 2].why, rq->ct);
                assert_int_equal(lab_run(&l, p), 0);
                assert_int_equal(odm_plan_result_of(p)->status, 200);
                assert_non_null(strstr(l.log, i % 2 ? " /9/5/14=me" : " /3/0/14=+02:00"));
                lab_close(&l);
        }
}

static void text_that_is_not_taken_goes_as_senml(void **state)
{
        const odm_lw_answer no = {.code = 415, .ct = ODM_LW_NO_CT};
        const odm_lw_request *rq;
        const struct row one = {.verb = WRITE, .v = {{"./DevDetail/Ext/TZ", "A"}}};
        odm_plan *p;
        lab l;

        (void)state;
        assert_int_equal(lab_open(&l, &heap, "</>;rt=\"oma.lwm2m\";ct=112,</1/0>,</3/0>", "1.1"),
                         0);
        p = plan_of(&l, &one);
        assert_int_equal(odm_plan_next(p, &rq), 1);
        assert_int_equal(rq->ct, ODM_LW_TEXT);
        assert_int_equal(odm_plan_answer(p, &no), 0);
        assert_int_equal(odm_plan_next(p, &rq), 1);
        assert_int_equal(rq->ct, ODM_LW_SENML_CBOR);
        lab_close(&l);
}

static void a_refused_write_keeps_nothing(void **state)
{
        const struct row both = {
                .verb = WRITE,
                .v = {{"./FUMO/main/Ext/xrem/Hash", "77"}, {"./DevDetail/Ext/TZ", "A"}}};
        odm_plan *p;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        l.refuse = 401;
        p = plan_of(&l, &both);
        assert_int_equal(lab_done(&l, p)->status, 425);
        assert_string_equal(read_one(&l, "./FUMO/main/Ext/xrem/Hash", ODM_ASK_NODE),
                            "./FUMO/main/Ext/xrem/Hash chr=");
        lab_close(&l);
}

static void what_is_kept_has_a_ceiling(void **state)
{
        char big[9000];
        lab l;

        (void)state;
        memset(big, 'x', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        assert_int_equal(lab_open(&l, &heap, LAB_LINKS, "1.0"), 0);
        assert_int_equal(write_one(&l, "./FUMO/main/Download/PkgURL", big), 200);
        assert_int_equal(write_one(&l, "./FUMO/main/DownloadAndUpdate/PkgURL", big), 420);
        assert_int_equal(write_one(&l, "./FUMO/main/Download/PkgURL", "short"), 200);
        assert_int_equal(write_one(&l, "./FUMO/main/DownloadAndUpdate/PkgURL", big), 200);
        lab_close(&l);
}

static void a_number_that_the_device_chose_is_told(void **state)
{
        const struct row make = {.verb = CREATE, .v = {{"./LwM2M/9/5", NULL}}};
        const odm_lw_answer r = {.code = 201, .ct = ODM_LW_NO_CT, .location = ODM_STR("/9/6")};
        const odm_lw_request *rq;
        odm_plan *p;
        lab l;

        (void)state;
        assert_int_equal(lab_open(&l, &heap, LAB_LINKS, "1.0"), 0);
        p = plan_of(&l, &make);
        assert_int_equal(odm_plan_answer(p, &r), ODM_ESTATE);
        assert_int_equal(odm_plan_next(p, &rq), 1);
        assert_int_equal(odm_plan_answer(p, &r), 0);
        assert_int_equal(odm_plan_next(p, &rq), 0);
        assert_str(odm_plan_result_of(p)->created, "./LwM2M/9/6");
        lab_close(&l);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(orders_are_as_the_table_says),
                cmocka_unit_test(one_of_several_values_is_written_as_the_version_has_it),
                cmocka_unit_test(what_is_kept_is_read_again),
                cmocka_unit_test(the_devices_own_word_goes_before_what_is_kept),
                cmocka_unit_test(a_damaged_text_is_not_loaded),
                cmocka_unit_test(text_that_is_not_taken_goes_as_tlv),
                cmocka_unit_test(several_values_go_in_a_format_that_the_device_has),
                cmocka_unit_test(text_that_is_not_taken_goes_as_senml),
                cmocka_unit_test(a_refused_write_keeps_nothing),
                cmocka_unit_test(what_is_kept_has_a_ceiling),
                cmocka_unit_test(a_number_that_the_device_chose_is_told),
        };
        lab_map_path = argc > 1 ? argv[1] : "apps/grem/maps/lwm2m.map";
        return RUN_TESTS(tests);
}
