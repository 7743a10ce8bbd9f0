/* SPDX-License-Identifier: Apache-2.0 */
/* work_test.c - firmware and restarts, over what may come between. */
#include "stage.h"

enum { PUSH = 1, PULL = 2 }; /* ways of delivery */

/* What /5/0 says: state, result, protocols (CoAP), ways of delivery. */
static void firmware_is(device *d, char state, char result, char delivery)
{
        static char tlv[16], one[2][1];
        char v[] = {(char)0xc1, 3, state, (char)0xc1, 5, result, (char)0xc1, 9, delivery};

        memcpy(tlv, v, sizeof v);
        device_have(d, "5/0", (odm_str){tlv, sizeof v}, ODM_LW_TLV);
        one[0][0] = (char)('0' + state);
        one[1][0] = (char)('0' + result);
        device_have(d, "5/0/3", (odm_str){one[0], 1}, ODM_LW_TEXT);
        device_have(d, "5/0/5", (odm_str){one[1], 1}, ODM_LW_TEXT);
}

static void order_firmware(stage *s)
{
        assert_int_equal(stage_write(s, 49, "./FUMO/main/DownloadAndUpdate/PkgURL", ODM_FMT_CHR,
                                     "http://127.0.0.1:8080/img/fw-2"),
                         200);
        stage_execute(s, 50, "./FUMO/main/DownloadAndUpdate", ODM_STR("c-1"));
        assert_int_not_equal(s->replied, 50); /* nothing before it is durable */
        assert_int_equal(stage_replied(s, 50), s->fault.for_ever ? 510 : 202);
}

/* A device that is observed, and an image that it may be ordered. */
static void begin_firmware(stage *s, device *d, char delivery)
{
        stage_begin_with(s, d, "", NULL);
        stage_image(s);
        firmware_is(d, 0, 0, delivery);
        device_enrol(d, STAGE_D1);
        device_observed(d);
}

static void push_firmware(stage *s, device *d)
{
        order_firmware(s);
        stage_until(s, d->asked, "PUT 5/0/0\n");
}

/* It has the package, and is told to install it. */
static void begin_update(stage *s, device *d, char delivery)
{
        firmware_is(d, 2, 0, delivery);
        device_tell(d, "5/0/3", ODM_STR("2"), ODM_LW_TEXT);
        stage_until(s, d->asked, "POST 5/0/2\n");
}

/* What it was given is not whole. */
static void refuse_package(device *d)
{
        firmware_is(d, 0, 5, PUSH);
        device_tell(d, "5/0/5", ODM_STR("5"), ODM_LW_TEXT);
}

/* It restarts with the new firmware. */
static void come_back(device *d)
{
        device_have(d, "3/0",
                    ODM_STR("\xc3\x00"
                            "Acm"
                            "\xc3\x03"
                            "2.0"),
                    ODM_LW_TLV);
        device_have(d, "3/0/3", ODM_STR("2.0"), ODM_LW_TEXT);
        firmware_is(d, 0, 1, PULL);
        d->n_watched = 0;
        device_enrol(d, STAGE_D1);
}

static void firmware_is_pulled_from_the_gateway(void **state)
{
        stage s;
        device d;
        char url[64];

        (void)state;
        begin_firmware(&s, &d, PULL);
        order_firmware(&s);
        stage_until(&s, d.asked, "PUT 5/0/1\n");
        snprintf(url, sizeof url, "coap://127.0.0.1:%u/img/fw-2", lwm2m_port(s.adapter, false));
        assert_int_equal(d.body_n, strlen(url));
        assert_memory_equal(d.body, url, d.body_n);

        assert_int_equal(device_say(&d, CO_GET, "img/fw-2", NULL, NULL), CO_CONTENT);
        assert_int_equal(d.got_n, STAGE_IMAGE_SIZE);
        assert_int_equal(s.served, 1);
        assert_int_equal(s.octets, STAGE_IMAGE_SIZE);
        assert_int_equal((uint8_t)d.got[4444], (uint8_t)(4444 * 7 + 4444 / 256));
        begin_update(&s, &d, PULL);
        come_back(&d);
        stage_until(&s, s.told, "downloadandupdate 200 c-1\n");
        stage_end(&s);
}

static void firmware_is_pushed_to_who_cannot_pull(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_firmware(&s, &d, PUSH);
        push_firmware(&s, &d);
        assert_int_equal(d.last_n, STAGE_IMAGE_SIZE);
        assert_int_equal(s.served, 1);
        assert_int_equal(s.octets, STAGE_IMAGE_SIZE);
        begin_update(&s, &d, PUSH);
        come_back(&d);
        stage_until(&s, s.told, "downloadandupdate 200 c-1\n");
        stage_end(&s);
}

static void a_job_outlives_the_gateway(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_firmware(&s, &d, PUSH);
        push_firmware(&s, &d);
        begin_update(&s, &d, PUSH);
        stage_reopen(&s);
        come_back(&d);
        stage_until(&s, s.told, "downloadandupdate 200 c-1\n");
        stage_end(&s);
}

/* A device that restarts for its update may say good-bye first, or be silent for its lifetime. */
static void a_job_outlives_a_registration(void **state)
{
        static const struct row {
                const char *why;
                bool expires, restart, back;
                const char *end;
        } rows[] = {
                {"it says good-bye and comes back", false, false, true, " 200 c-1\n"},
                {"it is silent and comes back", true, false, true, " 200 c-1\n"},
                {"the gateway restarts meanwhile", false, true, true, " 200 c-1\n"},
                {"it does not come back", false, false, false, " 409 c-1\n"},
                {"nor after a restart of the gateway", false, true, false, " 409 c-1\n"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                device d;

                begin_firmware(&s, &d, PUSH);
                push_firmware(&s, &d);
                begin_update(&s, &d, PUSH);
                stage_pass(&s, 20);
                if (r->expires)
                        loop_skip(70000);
                else
                        device_leave(&d);
                stage_until(&s, s.told, r->expires ? "gone d1 2\n" : "gone d1 1\n");
                stage_has_status(&s, "registered: 0\n");
                assert_int_equal(stage_read(&s, 9, "./DevInfo/Man"), 503);
                if (r->restart)
                        stage_reopen(&s);
                assert_null(strstr(s.told, "downloadandupdate"));
                if (r->back)
                        come_back(&d);
                else
                        loop_skip(3700000);
                stage_until(&s, s.told, r->end);
                stage_pass(&s, 50);
                stage_has_status(&s, r->back ? "registered: 1\n" : "registered: 0\n");
                stage_reopen(&s); /* nothing is told twice */
                stage_pass(&s, 50);
                assert_null(strstr(strstr(s.told, r->end) + 1, r->end));
                stage_end(&s);
        }
}

static void a_sleeper_holds_up_no_package(void **state)
{
        stage s;
        device slow, d;
        gw_device *r;

        (void)state;
        stage_begin(&s, "awake = 1h\n");
        stage_image(&s);
        device_begin(&s, &slow, NULL);
        device_begin(&s, &d, NULL);
        firmware_is(&slow, 0, 0, PUSH); /* the values are both's */
        device_enrol(&slow, "ep=slow&lwm2m=1.0&lt=86400");
        device_observed(&slow);
        firmware_is(&d, 0, 0, PUSH);
        device_enrol(&d, "ep=d1&lwm2m=1.0&lt=86400&b=UQ");
        device_observed(&d);
        slow.mute = CO_PUT;
        order_firmware(&s);
        r = s.records[0];
        s.records[0] = s.records[1];
        s.records[1] = r;
        stage_until(&s, slow.asked, "PUT 5/0/0\n");
        s.replied = 0;
        order_firmware(&s);
        stage_pass(&s, 200);
        loop_skip(3700000); /* the one is given up, the other sleeps */
        stage_pass(&s, 200);
        assert_null(strstr(d.asked, "PUT 5/0/0"));
        device_update(&d);
        stage_until(&s, d.asked, "PUT 5/0/0\n");
        stage_end(&s);
}

static void a_staged_package_outlives_a_registration(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_firmware(&s, &d, PUSH);
        assert_int_equal(stage_write(&s, 1, "./FUMO/main/Update/PkgData", ODM_FMT_BIN, "a package"),
                         200);
        device_forget(&d);
        device_enrol(&d, STAGE_D1);
        device_observed(&d);
        stage_execute(&s, 2, "./FUMO/main/Update", ODM_STR("c-2"));
        assert_int_equal(stage_replied(&s, 2), 202);
        stage_until(&s, d.asked, "PUT 5/0/0\n");
        assert_int_equal(d.last_n, 9);
        refuse_package(&d);
        stage_until(&s, s.told, "firmwareupdate.update ");
        stage_pass(&s, 20);
        stage_end(&s); /* which finds nothing left */
}

static void what_cannot_be_kept_is_not_promised(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_firmware(&s, &d, PULL);
        store_fault_set(&s.fault, (store_fault){.fail_commit = 1, .for_ever = true});
        order_firmware(&s);
        store_fault_set(&s.fault, (store_fault){0});
        order_firmware(&s); /* nothing of the first is left that it would be refused for */
        stage_until(&s, d.asked, "PUT 5/0/1\n");
        stage_end(&s);
}

static void a_refusal_ends_the_job(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_firmware(&s, &d, PUSH);
        push_firmware(&s, &d);
        refuse_package(&d);
        stage_until(&s, s.told, "downloadandupdate 402 c-1\n");
        stage_end(&s);
}

static void order_restart(stage *s, uint64_t id)
{
        stage_execute(s, id, "./DiagMon/Restart/Operations/Start", ODM_STR("c-2"));
}

/* Whether it restarts is seen by its registering anew, in good time. */
static void a_restart_is_over_when_the_device_is_back(void **state)
{
        static const struct row {
                const char *why;
                bool answers, back;
                const char *end;
        } rows[] = {
                {"it answers, and is back", true, true, " 1200 c-2\n"},
                {"it is back before it answers", false, true, " 1200 c-2\n"},
                {"it answers, and stays", true, false, " 1402 c-2\n"},
                {"it is silent", false, false, " 1402 c-2\n"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                device d;

                stage_begin_with(&s, &d, "restart = 5m\nretransmit = 2\n",
                                 "ep=d1&lwm2m=1.0&lt=86400");
                d.mute = r->answers ? 0 : CO_POST;
                order_restart(&s, 1);
                assert_int_equal(stage_replied(&s, 1), 202);
                stage_until(&s, d.asked, "POST 3/0/4\n");
                if (r->answers)
                        stage_pass(&s, 20);
                order_restart(&s, 2); /* nothing else while it may be on its way */
                assert_int_equal(s.status, 405);
                assert_null(strstr(s.told, "OperationComplete"));
                d.asked[0] = 0;
                if (r->back) {
                        d.n_watched = 0;
                        device_enrol(&d, "ep=d1&lwm2m=1.0&lt=86400");
                } else {
                        stage_pass(&s, 500); /* nothing is sent again any more */
                        loop_skip(290000);
                        stage_pass(&s, 20);
                        assert_null(strstr(s.told, "OperationComplete"));
                        loop_skip(10000);
                }
                stage_until(&s, s.told, r->end);
                stage_pass(&s, 500);
                if (r->back && strstr(d.asked, "POST 3/0/4\n"))
                        fail_msg("%s: it is ordered twice", r->why);
                order_restart(&s, 3);
                assert_int_equal(stage_replied(&s, 3), 202);
                stage_end(&s);
        }
}

/* A sleeper that registers when it wakes has not done what it is then told. */
static void an_order_that_waits_is_not_what_brought_it_back(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "awake = 1s\n", "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        order_restart(&s, 1);
        loop_skip(2000); /* it sleeps before the order is durable */
        assert_int_equal(stage_replied(&s, 1), 202);
        device_enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        stage_until(&s, d.asked, "POST 3/0/4\n");
        stage_pass(&s, 50);
        assert_null(strstr(s.told, "OperationComplete"));
        device_enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        stage_until(&s, s.told, " 1200 c-2\n");
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(firmware_is_pulled_from_the_gateway),
                cmocka_unit_test(firmware_is_pushed_to_who_cannot_pull),
                cmocka_unit_test(a_job_outlives_the_gateway),
                cmocka_unit_test(a_job_outlives_a_registration),
                cmocka_unit_test(a_sleeper_holds_up_no_package),
                cmocka_unit_test(a_staged_package_outlives_a_registration),
                cmocka_unit_test(what_cannot_be_kept_is_not_promised),
                cmocka_unit_test(a_refusal_ends_the_job),
                cmocka_unit_test(a_restart_is_over_when_the_device_is_back),
                cmocka_unit_test(an_order_that_waits_is_not_what_brought_it_back),
        };

        return RUN_TESTS(tests);
}
