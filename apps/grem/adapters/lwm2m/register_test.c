/* SPDX-License-Identifier: Apache-2.0 */
/* register_test.c - who comes, what is kept of it, who is refused and who leaves. */
#include "stage.h"

static void registrations_are_answered_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *query, *links;
                uint8_t code;
        } rows[] = {
                {"as it should be", "ep=d1&lt=60&lwm2m=1.0&b=U", STAGE_LINKS, CO_CREATED},
                {"the shortest", "ep=d1&lwm2m=1.0", "</3/0>", CO_CREATED},
                {"version 1.1", "ep=d1&lwm2m=1.1&lt=300&Q", STAGE_LINKS, CO_CREATED},
                {"objects nobody knows", "ep=d1&lwm2m=1.0", "</3/0>,</31024/7>", CO_CREATED},
                {"parameters nobody knows", "ep=d1&lwm2m=1.0&pid=7", "</3/0>", CO_CREATED},
                {"an alternate root", "ep=d1&lwm2m=1.0", "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>",
                 CO_CREATED},
                {"no name", "lt=60&lwm2m=1.0", STAGE_LINKS, CO_BAD_REQUEST},
                {"an empty name", "ep=&lwm2m=1.0", STAGE_LINKS, CO_BAD_REQUEST},
                {"no version", "ep=d1&lt=60", STAGE_LINKS, CO_BAD_REQUEST},
                {"a version that is newer", "ep=d1&lwm2m=2.0", STAGE_LINKS, CO_PRECONDITION},
                {"a minor one that is newer", "ep=d1&lwm2m=1.9", STAGE_LINKS, CO_PRECONDITION},
                {"a lifetime of nothing", "ep=d1&lwm2m=1.0&lt=0", STAGE_LINKS, CO_BAD_REQUEST},
                {"a lifetime that is no number", "ep=d1&lwm2m=1.0&lt=soon", STAGE_LINKS,
                 CO_BAD_REQUEST},
                {"links that are none", "ep=d1&lwm2m=1.0", "<3/0", CO_BAD_REQUEST},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                device d;

                stage_begin_with(&s, &d, "", NULL);
                device_say(&d, CO_POST, "rd", rows[i].query, rows[i].links);
                if (d.code != rows[i].code || (s.n == 1) != (rows[i].code == CO_CREATED))
                        fail_msg("%s: %x, %zu records", rows[i].why, d.code, s.n);
                stage_end(&s);
        }
}

static void paths_are_answered_as_the_table_says(void **state)
{
        static const struct row {
                const char *why;
                uint8_t method;
                const char *path;
                uint8_t code;
        } rows[] = {
                {"an update of nobody", CO_POST, "rd/0123456789abcd", CO_NOT_FOUND},
                {"a deregistration of nobody", CO_DELETE, "rd/0123456789abcd", CO_NOT_FOUND},
                {"reading registrations", CO_GET, "rd", CO_NOT_ALLOWED},
                {"reading one", CO_GET, "rd/0123456789abcd", CO_NOT_ALLOWED},
                {"Send of nobody", CO_POST, "dp", CO_NOT_FOUND},
                {"an image that is not there", CO_GET, "img/nothing", CO_NOT_FOUND},
                {"what there is", CO_GET, ".well-known/core", CO_CONTENT},
                {"the root", CO_GET, NULL, CO_NOT_FOUND},
        };
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                device_say(&d, rows[i].method, rows[i].path, NULL, NULL);
                if (d.code != rows[i].code)
                        fail_msg("%s: %x", rows[i].why, d.code);
        }
        stage_end(&s);
}

static void a_device_is_introduced_and_observed(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        device_enrol(&d, "ep=urn:imei:1&lwm2m=1.0&lt=60");
        assert_false(d.early);
        device_observed(&d);
        assert_non_null(strstr(d.asked, "GET 3/0\n"));
        assert_non_null(strstr(d.asked, "GET 3/0/11 observe"));
        assert_non_null(strstr(d.asked, "GET 5/0/3 observe"));
        assert_non_null(strstr(s.told, "seen urn:imei:1 LWM2M/1.0 man= fw=\n"));
        assert_non_null(strstr(s.told, "awake urn:imei:1 0\n"));
        assert_non_null(strstr(s.told, "seen urn:imei:1  man=Acm fw=1.0\n"));
        assert_non_null(strstr(s.told, "changed ./DevInfo/Mod=M1\n"));
        stage_end(&s);
}

static void updates_keep_a_registration(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        device_enrol(&d, STAGE_D1);
        stage_until(&s, s.told, "fw=1.0");
        loop_skip(50000);
        assert_int_equal(device_update(&d), CO_CHANGED);
        loop_skip(50000);
        assert_int_equal(device_say(&d, CO_POST, d.location, "lt=120&b=U", STAGE_LINKS ",</6/0>"),
                         CO_CHANGED);
        loop_skip(110000);
        stage_pass(&s, 20);
        assert_null(strstr(s.told, "gone"));
        assert_int_equal(device_say(&d, CO_POST, d.location, "lt=x", NULL), CO_BAD_REQUEST);
        loop_skip(16000);
        stage_until(&s, s.told, "gone d1 2\n"); /* its lifetime passed */
        assert_int_equal(device_update(&d), CO_NOT_FOUND);
        stage_end(&s);
}

static void a_device_leaves_and_comes_back(void **state)
{
        stage s;
        device d;
        char first[64];

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        device_enrol(&d, STAGE_D1);
        snprintf(first, sizeof first, "%s", d.location);
        device_enrol(&d, STAGE_D1); /* it restarted */
        assert_string_not_equal(first, d.location);
        assert_int_equal(s.n, 1);
        assert_int_equal(device_say(&d, CO_POST, first, NULL, NULL), CO_NOT_FOUND);
        assert_int_equal(device_leave(&d), CO_DELETED);
        assert_non_null(strstr(s.told, "gone d1 1\n"));
        assert_int_equal(device_leave(&d), CO_NOT_FOUND);
        device_enrol(&d, STAGE_D1);
        assert_int_equal(s.n, 1);
        stage_end(&s);
}

static void order_soon(void *ctx)
{
        stage *s = ctx;

        s->soon.fn = NULL;
        stage_ask(s, 7, STAGE_FWV);
}

/* Nor is a sleeper's lost, which is awake by what it says. */
static void nothing_is_asked_before_the_answer(void **state)
{
        static const char *const queries[] = {STAGE_D1, "ep=d1&lwm2m=1.0&lt=60&b=UQ"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(queries); i++) {
                stage s;
                device d;

                stage_begin_with(&s, &d, "", NULL);
                s.soon = (loop_timer){.fn = order_soon, .ctx = &s};
                device_enrol(&d, queries[i]);
                assert_false(d.early);
                assert_int_equal(stage_replied(&s, 7), 200);
                stage_end(&s);
        }
}

static void one_that_is_switched_off_is_refused(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        s.records[0]->state = GW_DEACTIVATED;
        s.refuse = ODM_ST_FORBIDDEN; /* as the gateway does then */
        assert_int_equal(device_update(&d), CO_FORBIDDEN);
        s.records[0]->state = GW_ACTIVE;
        s.refuse = 0;
        assert_int_equal(device_update(&d), CO_CHANGED);
        stage_end(&s);
}

static void a_device_may_be_refused(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        s.refuse = ODM_ST_FORBIDDEN;
        assert_int_equal(device_register(&d, "ep=d1&lwm2m=1.0"), CO_FORBIDDEN);
        s.refuse = ODM_ST_FULL;
        assert_int_equal(device_register(&d, "ep=d1&lwm2m=1.0"), CO_UNAVAILABLE);
        s.refuse = 0;
        device_enrol(&d, "ep=d1&lwm2m=1.0");
        stage_pass(&s, 20);
        stage_end(&s);
}

static void a_gateway_that_begins_anew_knows_its_devices(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", "ep=d1&lwm2m=1.1&lt=60");
        stage_close(&s);
        s.told[0] = 0;
        device_forget(&d);
        stage_open(&s);
        assert_non_null(strstr(s.told, "seen d1 LWM2M/1.1"));
        assert_non_null(strstr(s.told, "awake d1 0"));
        device_observed(&d); /* it is asked, though it said nothing */
        assert_int_equal(device_update(&d), CO_CHANGED);
        assert_int_equal(s.n, 1);
        stage_end(&s);
}

static void nobody(void *ctx, co_end_of why, const co_msg *m)
{
        (void)ctx;
        (void)why;
        (void)m;
}

/* The row is durable, and nobody is told any more. */
static void it_may_end_before_it_answers(void **state)
{
        const odm_str query[] = {ODM_STR("ep=d1"), ODM_STR("lwm2m=1.0")};
        stage s;
        device d;
        co_msg m;
        uint64_t id;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        co_msg_init(&m, CO_POST);
        m.path = ODM_STR("rd");
        m.query = query;
        m.n_query = ODM_COUNT(query);
        m.format = ODM_LW_LINK;
        m.body = odm_cstr(STAGE_LINKS);
        assert_int_equal(co_ask(d.end, &d.to, &m, NULL, nobody, NULL, &id), 0);
        stage_until(&s, s.told, "seen d1");
        stage_end(&s);
}

static void a_thousand_come_and_go(void **state)
{
        enum { MANY = 1000, ROUNDS = 3 };
        static device d[8];
        stage s;

        (void)state;
        stage_begin(&s, "");
        for (size_t i = 0; i < ODM_COUNT(d); i++)
                device_begin(&s, &d[i], NULL);
        for (unsigned k = 0; k < ROUNDS; k++)
                for (unsigned i = 0; i < MANY; i++) {
                        device *x = &d[i % ODM_COUNT(d)];
                        char query[64];

                        snprintf(query, sizeof query, "ep=many-%u&lwm2m=1.0&lt=600", i);
                        x->asked[0] = 0;
                        device_enrol(x, query);
                        if (i % 2 == 0)
                                device_update(x);
                        if (i % 3 == 0 || k + 1 == ROUNDS)
                                device_leave(x);
                }
        assert_int_equal(s.n, MANY); /* each has one record, however often it came */
        stage_has_status(&s, "registered: 0\n");
        stage_end(&s);
}

static void it_tells_of_itself(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        device_enrol(&d, "ep=d1&lwm2m=1.0");
        stage_has_metric(&s, "\nxrem_lwm2m_registered 1\n");
        stage_has_metric(&s, "\nxrem_lwm2m_registrations_total 1\n");
        stage_end(&s);
}

/* How often it was asked for what it is; from here on anew. */
static unsigned asked_for_basics(device *d)
{
        unsigned n = 0;

        for (const char *at = d->asked; (at = strstr(at, "GET 3/0\n")); at++)
                n++;
        device_forget(d);
        return n;
}

/* Until what was asked of a silent device is over. */
static void silence(stage *s)
{
        stage_pass(s, 20);
        loop_skip(60000);
        stage_pass(s, 20);
}

/* It registered, and said nothing when it was asked who it is. */
static void begin_silent(stage *s, device *d, const char *query)
{
        stage_begin_with(s, d, "", NULL);
        d->mute = CO_GET;
        device_enrol(d, query);
        stage_until(s, d->asked, "GET 3/0\n");
        silence(s);
        assert_int_equal(asked_for_basics(d), 1);
}

static void one_that_did_not_say_what_it_is_is_asked_again(void **state)
{
        static const int64_t waits[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};
        stage s;
        device d;

        (void)state;
        begin_silent(&s, &d, "ep=d1&lwm2m=1.0&lt=86400");
        for (size_t i = 0; i < ODM_COUNT(waits); i++) {
                loop_skip(waits[i] * 1000 - 2000);
                stage_pass(&s, 20);
                assert_int_equal(asked_for_basics(&d), 0);
                loop_skip(2000);
                silence(&s);
                assert_int_equal(asked_for_basics(&d), 1);
        }
        d.mute = 0;
        loop_skip(3600000);
        stage_until(&s, s.told, "seen d1  man=Acm fw=1.0\n");
        device_observed(&d);
        device_forget(&d);
        loop_skip(7200000);
        stage_pass(&s, 20);
        assert_int_equal(asked_for_basics(&d), 0);
        stage_end(&s);
}

static void one_that_is_heard_is_asked_at_once_and_soon_again(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_silent(&s, &d, "ep=d1&lwm2m=1.1&lt=86400");
        loop_skip(60000);
        silence(&s);
        assert_int_equal(asked_for_basics(&d), 1);
        assert_int_equal(device_update(&d), CO_CHANGED);
        silence(&s);
        assert_int_equal(asked_for_basics(&d), 1);
        loop_skip(60000); /* the pause is the first one again */
        silence(&s);
        assert_int_equal(asked_for_basics(&d), 1);
        d.mute = 0;
        assert_int_equal(device_send(&d, ODM_STR("[{\"n\":\"/3/0/9\",\"v\":5}]")), CO_CHANGED);
        stage_until(&s, s.told, "seen d1  man=Acm fw=1.0\n");
        stage_end(&s);
}

/* It is not ready yet, it may be; what it has to tell is heard all the same. */
static void one_that_fails_to_say_what_it_is_is_asked_again(void **state)
{
        stage s;
        device d;
        odm_str good = ODM_ABSENT;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        for (size_t i = 0; i < d.n; i++)
                if (strcmp(d.v[i].path, "3/0") == 0)
                        good = d.v[i].value;
        device_have(&d, "3/0", ODM_STR("\xc8"), ODM_LW_TLV);
        device_enrol(&d, "ep=d1&lwm2m=1.0&lt=86400");
        device_observed(&d);
        for (unsigned i = 0; i < 3; i++) {
                device_forget(&d);
                loop_skip(60000 << i);
                stage_pass(&s, 20);
                assert_string_equal(d.asked, "GET 3/0\n"); /* and observed only once */
        }
        device_have(&d, "3/0", good, ODM_LW_TLV);
        loop_skip(480000);
        stage_until(&s, s.told, "seen d1  man=Acm fw=1.0\n");
        stage_end(&s);
}

static void a_sleeper_is_asked_again_when_it_is_awake(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_silent(&s, &d, "ep=d1&lwm2m=1.1&lt=86400&Q");
        d.mute = 0;
        for (unsigned i = 0; i < 5; i++) {
                loop_skip(1000000);
                stage_pass(&s, 20);
        }
        assert_int_equal(asked_for_basics(&d), 0);
        assert_int_equal(device_update(&d), CO_CHANGED);
        stage_until(&s, s.told, "seen d1  man=Acm fw=1.0\n");
        stage_end(&s);
}

static void one_that_has_gone_is_not_asked_again(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_silent(&s, &d, "ep=d1&lwm2m=1.0&lt=86400");
        assert_int_equal(device_leave(&d), CO_DELETED);
        loop_skip(3600000);
        stage_pass(&s, 20);
        assert_int_equal(asked_for_basics(&d), 0);
        stage_end(&s);
}

static void an_end_forgets_who_is_to_be_asked_again(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_silent(&s, &d, "ep=d1&lwm2m=1.0&lt=86400");
        stage_close(&s);
        loop_skip(3600000);
        stage_pass(&s, 20);
        assert_int_equal(asked_for_basics(&d), 0);
        stage_end(&s);
}

/* What was asked of it before goes to where it was. */
static void one_that_registers_anew_is_asked_anew(void **state)
{
        stage s;
        device before, d;

        (void)state;
        stage_begin_with(&s, &before, "", NULL);
        before.mute = CO_GET;
        device_enrol(&before, STAGE_D1);
        stage_until(&s, before.asked, "GET 3/0\n");
        device_begin(&s, &d, NULL);
        device_enrol(&d, STAGE_D1);
        stage_until(&s, s.told, "seen d1  man=Acm fw=1.0\n");
        stage_end(&s);
}

/* Nor is one lost that goes elsewhere while it is asked. */
static void one_that_moves_is_asked_anew(void **state)
{
        stage s;
        device before, d;

        (void)state;
        stage_begin_with(&s, &before, "", NULL);
        before.mute = CO_GET;
        device_enrol(&before, STAGE_D1);
        stage_until(&s, before.asked, "GET 3/0\n");
        device_begin(&s, &d, NULL);
        memcpy(d.location, before.location, sizeof d.location);
        assert_int_equal(device_update(&d), CO_CHANGED);
        stage_until(&s, s.told, "seen d1  man=Acm fw=1.0\n");
        stage_end(&s);
}

/* In 1.0 the binding says it; in 1.1 the registration does, beside the binding. */
static void who_sleeps_is_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *query, *update;
                bool before, after;
        } rows[] = {
                {"1.0, by its binding", "ep=d1&lwm2m=1.0&b=UQ", NULL, true, true},
                {"1.0, no more", "ep=d1&lwm2m=1.0&b=UQ", "b=U", true, false},
                {"1.0, from now on", "ep=d1&lwm2m=1.0&b=U", "b=UQ", false, true},
                {"1.1, another binding", "ep=d1&lwm2m=1.1&b=U&Q", "b=UT", true, true},
                {"1.1, without a binding", "ep=d1&lwm2m=1.1&Q", "lt=90", true, true},
                {"1.1, as in 1.0", "ep=d1&lwm2m=1.1&b=UQ", "b=U", true, false},
                {"1.1, never", "ep=d1&lwm2m=1.1&b=U", "b=UT", false, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                device d;

                stage_begin_with(&s, &d, "", r->query);
                if (!strstr(s.told, r->before ? "awake d1 93000\n" : "awake d1 0\n"))
                        fail_msg("%s, before: %s", r->why, s.told);
                s.told[0] = 0;
                assert_int_equal(device_say(&d, CO_POST, d.location, r->update, NULL), CO_CHANGED);
                stage_until(&s, s.told, "awake d1 ");
                if (!strstr(s.told, r->after ? "awake d1 93000\n" : "awake d1 0\n"))
                        fail_msg("%s, after: %s", r->why, s.told);
                stage_end(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(registrations_are_answered_as_the_table_says),
                cmocka_unit_test(paths_are_answered_as_the_table_says),
                cmocka_unit_test(a_device_is_introduced_and_observed),
                cmocka_unit_test(updates_keep_a_registration),
                cmocka_unit_test(a_device_leaves_and_comes_back),
                cmocka_unit_test(nothing_is_asked_before_the_answer),
                cmocka_unit_test(one_that_is_switched_off_is_refused),
                cmocka_unit_test(a_device_may_be_refused),
                cmocka_unit_test(a_gateway_that_begins_anew_knows_its_devices),
                cmocka_unit_test(it_may_end_before_it_answers),
                cmocka_unit_test(a_thousand_come_and_go),
                cmocka_unit_test(it_tells_of_itself),
                cmocka_unit_test(one_that_did_not_say_what_it_is_is_asked_again),
                cmocka_unit_test(one_that_is_heard_is_asked_at_once_and_soon_again),
                cmocka_unit_test(one_that_fails_to_say_what_it_is_is_asked_again),
                cmocka_unit_test(a_sleeper_is_asked_again_when_it_is_awake),
                cmocka_unit_test(one_that_has_gone_is_not_asked_again),
                cmocka_unit_test(an_end_forgets_who_is_to_be_asked_again),
                cmocka_unit_test(one_that_registers_anew_is_asked_anew),
                cmocka_unit_test(one_that_moves_is_asked_anew),
                cmocka_unit_test(who_sleeps_is_as_the_table_says),
        };

        return RUN_TESTS(tests);
}
