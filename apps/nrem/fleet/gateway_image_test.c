/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that gateways fetch once for the devices behind them. */
#include "gateway_lab.h"

#include "package.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LINK "http://server:8080/packages/7/" HASH "/fw.bin"
#define FETCH                                                                                     \
        "[{\"cmd\":\"replace\",\"uri\":\"./FUMO/main/DownloadAndUpdate/PkgURL\",\"data\":\"" LINK \
        "\"},{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/DownloadAndUpdate\"}]"

/* The gateway's word that it has the package, or why not. */
static void fetched(stage *s, const store_job *k, unsigned status)
{
        const store_result r = {
                .index = 11, .status = status, .sent = true, .text = ODM_STR("alert x")};

        lab_ends_with(s, k, status < 300 ? STORE_JOB_DONE : STORE_JOB_FAILED, &r, 1);
}

static void put_package_as(stage *s, package_state state, const char *hash)
{
        const package p = {.id = 7,
                           .name = ODM_STR("meter"),
                           .version = ODM_STR("2.0"),
                           .state = state,
                           .sha256 = odm_cstr(hash),
                           .size = 20000};
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_ROW_PUT)->row = (store_row_op){.table = &table_package, .row = &p};
        stage_write(s, b);
}

static void put_package(stage *s)
{
        put_package_as(s, PACKAGE_READY, HASH);
}

/* Three of them want the same package: the job that has the gateway fetch it. */
static store_job load(stage *s, int64_t *gw, int64_t jobs[3])
{
        int64_t ids[3];
        store_job k;

        *gw = lab_meters(s, "g", 3, ids);
        put_package(s);
        lab_orders(s, ids, 3, FETCH, jobs);
        assert_int_equal(lab_open_jobs(s, *gw), 1);
        for (unsigned i = 0; i < 3; i++)
                assert_str(lab_job(s, jobs[i]).reason, "waits until its package is at g");
        k = lab_carries(s, *gw, "./GwMO/ImageInventory/Images/i0123456789abcdef/URL");
        assert_true(lab_says(k.commands, LINK));
        return k;
}

static void a_package_goes_to_the_gateway_once(void **state)
{
        int64_t gw, jobs[3];
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        k = load(&s, &gw, jobs);
        fetched(&s, &k, 200);
        assert_int_equal(stage_told(&s, "gateway.image"), 1);
        assert_int_equal(lab_open_jobs(&s, gw), 1);
        k = lab_carries(&s, gw, "{LocalURL:" HASH "}");
        assert_false(lab_says(k.commands, LINK));
        lab_results(&s, gw, lab_task_of(&k),
                    "<Group><Cmd CmdRef=\"1\" Status=\"200\"/>"
                    "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/><Count>3</Count>"
                    "<Devices>d1 d2 d3</Devices></Group>");
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(lab_job_state(&s, jobs[i]), STORE_JOB_DONE);
        stage_end(&s);
}

static void image_says(stage *s, int64_t gw, const char *id, const char *result)
{
        lab_alert(
                s, gw, "urn:oma:at:oma-gwmo:imageready:1.0",
                "./GwMO/ImageInventory/Images/i0123456789abcdef",
                odm_arena_fmt(&s->a,
                              "<ImageReady><ImageID>%s</ImageID><Hash></Hash><LocalURL></LocalURL>"
                              "<Result>%s</Result></ImageReady>",
                              id, result)
                        .p);
}

static gateway_image image_of(stage *s, int64_t gw)
{
        const gateway_image key = {.device = gw, .sha256 = ODM_STR(HASH)};
        gateway_image i;

        assert_int_equal(store_row_get(s->host.store, &table_gateway_image, &key, &s->a, &i), 0);
        return i;
}

/* Nobody asked: it was found damaged there, and could not be had again; later it could. */
static void a_package_is_lost_there_and_found(void **state)
{
        int64_t gw, jobs[3];
        gateway_image i;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        k = load(&s, &gw, jobs);
        image_says(&s, gw, HASH, "402"); /* of what we ordered our job knows more */
        assert_int_equal(image_of(&s, gw).state, GATEWAY_LOADING);
        fetched(&s, &k, 200);
        image_says(&s, gw, HASH, "200");
        image_says(&s, gw, "another", "402");
        image_says(&s, gw, HASH, "");
        assert_int_equal(image_of(&s, gw).state, GATEWAY_LOADED);
        assert_int_equal(stage_told(&s, "gateway.image"), 1);
        image_says(&s, gw, HASH, "402");
        image_says(&s, gw, HASH, "402");
        i = image_of(&s, gw);
        assert_int_equal(i.state, GATEWAY_UNLOADED);
        assert_str(i.reason, "its gateway has it no more: Corrupted package (402)");
        assert_int_equal(stage_told(&s, "gateway.image"), 2);
        image_says(&s, gw, HASH, "200");
        assert_int_equal(image_of(&s, gw).state, GATEWAY_LOADED);
        assert_int_equal(stage_told(&s, "gateway.image"), 3);
        stage_end(&s);
}

static void without_it_devices_fetch_by_themselves(void **state)
{
        int64_t gw, jobs[3];
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        k = load(&s, &gw, jobs);
        fetched(&s, &k, 410);
        (void)lab_carries(&s, gw, LINK);
        assert_int_equal(lab_job_state(&s, jobs[0]), STORE_JOB_WAITING);
        stage_end(&s);
}

/* The gateway is not told to fetch it once more, and nobody is sent there before it has. */
static void who_comes_while_it_is_fetched_waits_too(void **state)
{
        int64_t ids[2], jobs[2], gw;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        put_package(&s);
        lab_orders(&s, ids, 1, FETCH, jobs);
        k = lab_carrier(&s, gw);
        lab_orders(&s, ids + 1, 1, FETCH, jobs + 1);
        assert_int_equal(lab_open_jobs(&s, gw), 1);
        assert_str(lab_job(&s, jobs[1]).reason, "waits until its package is at g");
        lab_sync(&s, gw); /* something else is to be done there meanwhile */
        for (unsigned i = 0; i < 2; i++) {
                assert_str(lab_job(&s, jobs[i]).reason, "waits until its package is at g");
                assert_int_equal(lab_job(&s, jobs[i]).attempts, 1);
        }
        fetched(&s, &k, 200);
        k = lab_carries(&s, gw, GATEWAY_RECORDS);
        lab_ends(&s, &k, STORE_JOB_FAILED);
        (void)lab_carries(&s, gw, "dev:urn:g:2");
        stage_end(&s);
}

/* Not at once, and not never. */
static void one_that_failed_is_fetched_again_later(void **state)
{
        static const struct {
                int64_t after;
                bool again;
        } rows[] = {{599000, false}, {600000, true}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t ids[2], jobs[2], gw;
                store_job k;
                stage s;

                lab_begin(&s);
                gw = lab_meters(&s, "g", 2, ids);
                put_package(&s);
                lab_orders(&s, ids, 1, FETCH, jobs);
                k = lab_carrier(&s, gw);
                fetched(&s, &k, 410);
                k = lab_carries(&s, gw, LINK); /* by itself */
                lab_ends(&s, &k, STORE_JOB_WAITING);
                stage_ms += rows[i].after;
                lab_orders(&s, ids + 1, 1, FETCH, jobs + 1);
                k = lab_carrier(&s, gw);
                assert_int_equal(lab_says(k.commands, GATEWAY_IMAGES), rows[i].again);
                assert_int_equal(image_of(&s, gw).state,
                                 rows[i].again ? GATEWAY_LOADING : GATEWAY_UNLOADED);
                stage_end(&s);
        }
}

/* Nobody has begun it: it waits for the package behind the new gateway. */
static void who_moves_while_it_is_fetched_waits_there(void **state)
{
        int64_t id, a, b, job;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        put_package(&s);
        lab_orders(&s, &id, 1, FETCH, &job);
        assert_int_equal(lab_open_jobs(&s, a), 1);
        b = lab_gateway(&s, "b");
        lab_attach(&s, b, "d9", "urn:a:1");
        lab_run(&s);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        assert_str(lab_job(&s, job).reason, "waits until its package is at b");
        stage_end(&s);
}

/* What the link names is not what the server would give. */
static void only_a_package_that_is_here_goes_to_the_gateway(void **state)
{
        static const struct {
                package_state state;
                const char *hash;
        } rows[] = {{PACKAGE_WANTED, HASH}, {PACKAGE_READY, "f" HASH}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t id, gw;
                stage s;

                lab_begin(&s);
                gw = lab_meters(&s, "g", 1, &id);
                put_package_as(&s, rows[i].state, rows[i].hash);
                lab_orders(&s, &id, 1, FETCH, NULL);
                (void)lab_carries(&s, gw, "./GwDev/d1/FUMO/main/DownloadAndUpdate/PkgURL");
                stage_end(&s);
        }
}

/* It has no such object: it is not asked again, until an operator has it looked at anew. */
static void a_gateway_without_images_is_not_asked_again(void **state)
{
        const store_result no = {.index = 1, .status = 404, .sent = true};
        int64_t ids[2], gw;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        put_package(&s);
        lab_orders(&s, ids, 1, FETCH, NULL);
        k = lab_carrier(&s, gw);
        lab_ends_with(&s, &k, STORE_JOB_FAILED, &no, 1);
        k = lab_carries(&s, gw, LINK);
        lab_ends(&s, &k, STORE_JOB_WAITING);
        stage_ms += LAB_DAY;
        lab_orders(&s, ids + 1, 1, FETCH, NULL);
        k = lab_carries(&s, gw, "./GwDev/d2/");
        lab_ends(&s, &k, STORE_JOB_FAILED);
        lab_sync(&s, gw);
        k = lab_carrier(&s, gw);
        lab_ends(&s, &k, STORE_JOB_FAILED);
        lab_orders(&s, ids + 1, 1, FETCH, NULL);
        (void)lab_carries(&s, gw, GATEWAY_IMAGES);
        stage_end(&s);
}

/* Whether it has the package no more, or has it and cannot give it: the device fetches it from us.
 */
static void a_gateway_that_serves_it_nowhere_is_no_use(void **state)
{
        static const struct {
                const char *says;
                uint32_t image;
        } rows[] = {{"State=\"4\" Text=\"no such image\"><Cmd Status=\"404\"/>", GATEWAY_UNLOADED},
                    {"State=\"4\" Text=\"no server\"><Cmd Status=\"500\"/>", GATEWAY_LOADED}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t gw, jobs[3];
                store_job k;
                stage s;

                lab_begin(&s);
                k = load(&s, &gw, jobs);
                fetched(&s, &k, 200);
                k = lab_carrier(&s, gw);
                lab_results(&s, gw, lab_task_of(&k),
                            odm_arena_fmt(&s.a, "<Device ID=\"urn:g:1\" Key=\"d1\" %s</Device>",
                                          rows[i].says)
                                    .p);
                assert_int_equal(image_of(&s, gw).state, rows[i].image);
                lab_ends(&s, &k, STORE_JOB_WAITING);
                k = lab_carries(&s, gw, "./GwDev/d1/FUMO/main/DownloadAndUpdate/PkgURL");
                assert_true(lab_says(k.commands, LINK));
                assert_int_equal(lab_job_state(&s, jobs[0]), STORE_JOB_WAITING);
                stage_end(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_package_goes_to_the_gateway_once),
                cmocka_unit_test(a_package_is_lost_there_and_found),
                cmocka_unit_test(without_it_devices_fetch_by_themselves),
                cmocka_unit_test(who_comes_while_it_is_fetched_waits_too),
                cmocka_unit_test(one_that_failed_is_fetched_again_later),
                cmocka_unit_test(who_moves_while_it_is_fetched_waits_there),
                cmocka_unit_test(only_a_package_that_is_here_goes_to_the_gateway),
                cmocka_unit_test(a_gateway_without_images_is_not_asked_again),
                cmocka_unit_test(a_gateway_that_serves_it_nowhere_is_no_use),
        };

        return RUN_TESTS(tests);
}
