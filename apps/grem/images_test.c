/* SPDX-License-Identifier: Apache-2.0 */
/* images_test.c - images ordered by a server, and fetched by devices over HTTP.  The downloader is
 * a stand-in that copies; keys and signatures are OpenSSL's. */
#include "images.h"

#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "images_inner.h"
#include "net.h"
#include "proof.h"
#include "support.h"
#include "workshop.h"
#include "yard.h"

#define READY "urn:oma:at:oma-gwmo:imageready:1.0"
#define AT IMAGES_AT "/fw"

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwimages,
                                            &part_gwnorth, NULL};

static void configure(const char *key, const char *file)
{
        char path[WORKSHOP_PATH], text[256];

        workshop_path(file, path);
        snprintf(text, sizeof text, "%s=%s", key, path);
        yard_set(text);
}

/* The power goes before an image's end is a row: all it is about has been done by then. */
static bool power_goes;

int __real_gw_write(gateway *g, store_batch *b);
int __wrap_gw_write(gateway *g, store_batch *b);
int __wrap_gw_write(gateway *g, store_batch *b)
{
        for (size_t i = 0; power_goes && i < b->n; i++) {
                const store_row_op *op = &b->ops[i]->row;
                if (b->ops[i]->kind == STORE_ROW_PUT && op->table == &image_table &&
                    ((const image_row *)op->row)->state >= IMAGE_READY)
                        (void)kill(getpid(), SIGKILL);
        }
        return __real_gw_write(g, b);
}

static int set_up_with(bool keys)
{
        workshop_open();
        yard_open();
        yard_set("images.listen=127.0.0.1:0");
        configure("firmware.fetch", "fetch");
        if (keys)
                configure("images.keys", "keys");
        workshop_put("one", "the first image", 0644);
        workshop_sign("one");
        workshop_put("two", "the second image!", 0644);
        workshop_sign("two");
        workshop_put("three", "and a third one", 0644);
        workshop_sign("three");
        workshop_put("bare", "unsigned", 0644);
        yard_start(classes);
        return 0;
}

static int set_up(void **unused)
{
        (void)unused;
        return set_up_with(true);
}

static int set_up_bare(void **unused)
{
        (void)unused;
        return set_up_with(false);
}

static int tear_down(void **unused)
{
        if (yard.g)
                yard_stop();
        yard_close();
        return workshop_close(unused);
}

static void restart(void)
{
        yard_stop();
        yard_start(classes);
}

static void expect(const char *why, unsigned got, unsigned want)
{
        if (got != want)
                fail_msg("%s: %u instead of %u (%s)", why, got, want, yard.text);
}

static void put(const char *uri, const char *data, odm_format format)
{
        expect(uri, yard_do(NULL, ODM_CMD_ADD, uri, data, format), 200);
}

static void add(const char *node, const char *id)
{
        char uri[128];

        snprintf(uri, sizeof uri, IMAGES_AT "/%s", node);
        put(uri, NULL, ODM_FMT_NODE);
        snprintf(uri, sizeof uri, IMAGES_AT "/%s/ImageID", node);
        put(uri, id, ODM_FMT_CHR);
}

static void set_url(const char *node, const char *file)
{
        char uri[128], path[WORKSHOP_PATH];
        unsigned status;

        workshop_path(file, path);
        snprintf(uri, sizeof uri, IMAGES_AT "/%s/URL", node);
        status = yard_do(NULL, ODM_CMD_REPLACE, uri, path, ODM_FMT_CHR);
        if (status == 404)
                status = yard_do(NULL, ODM_CMD_ADD, uri, path, ODM_FMT_CHR);
        expect(uri, status, 200);
}

static bool is_over(void *ctx)
{
        const char *uri = ctx;

        return yard_get(uri) == 200 && (strstr(yard.text, "=40\n") || strstr(yard.text, "=50\n"));
}

static void wait_for(const char *node, const char *want_state)
{
        char uri[128], want[16];

        snprintf(uri, sizeof uri, IMAGES_AT "/%s/State", node);
        (void)yard_turn(10000, is_over, uri);
        (void)yard_get(uri);
        snprintf(want, sizeof want, "=%s\n", want_state);
        if (!strstr(yard.text, want))
                fail_msg("%s instead of %s", yard.text, want_state);
}

static void fetch(const char *node, const char *file, const char *want_state)
{
        char uri[128];

        set_url(node, file);
        snprintf(uri, sizeof uri, IMAGES_AT "/%s/Operations/Download", node);
        expect("download", yard_do(NULL, ODM_CMD_EXEC, uri, NULL, ODM_FMT_ABSENT), 202);
        wait_for(node, want_state);
}

static bool is_told(void *ctx)
{
        return yard_alerts(READY) == *(unsigned *)ctx;
}

/* ---- what a device does ------------------------------------------------------------------ */

/* The status of a GET at a local URL; the body in `body`. */
static unsigned get(const char *url, const char *range, char *body, size_t room)
{
        char head[2600], reply[4096];
        net_url u;
        net_addr a;
        size_t n = 0;
        ssize_t got;
        int fd;

        assert_int_equal(net_url_parse(odm_cstr(url), &u), 0);
        assert_int_equal(net_addr_parse(u.host, u.port, &a), 0);
        fd = socket(a.sa.ss_family, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&a.sa, a.n), 0);
        snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: x\r\n%s%s%sConnection: close\r\n\r\n",
                 u.target, range ? "Range: " : "", range ? range : "", range ? "\r\n" : "");
        assert_int_equal(send(fd, head, strlen(head), 0), strlen(head));
        while (n < sizeof reply - 1 && (got = recv(fd, reply + n, sizeof reply - 1 - n, 0)) > 0)
                n += (size_t)got;
        reply[n] = 0;
        close(fd);
        const char *end = strstr(reply, "\r\n\r\n");
        snprintf(body, room, "%s", end ? end + 4 : "");
        return (unsigned)strtoul(reply + 9, NULL, 10);
}

static void url_of(const char *node, char *out, size_t room)
{
        char uri[128];

        snprintf(uri, sizeof uri, IMAGES_AT "/%s/LocalURL", node);
        expect("LocalURL", yard_get(uri), 200);
        snprintf(out, room, "%.*s", (int)strcspn(strchr(yard.text, '=') + 1, "\n"),
                 strchr(yard.text, '=') + 1);
}

static void expect_served(const char *node, const char *content)
{
        char url[256], body[256];

        url_of(node, url, sizeof url);
        expect(url, get(url, NULL, body, sizeof body), 200);
        assert_string_equal(body, content);
}

static unsigned files(void)
{
        char path[128];
        struct dirent *e;
        unsigned n = 0;
        DIR *d;

        snprintf(path, sizeof path, "%s/images", gw_folder(yard.g));
        d = opendir(path);
        assert_non_null(d);
        while ((e = readdir(d)))
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void an_image_is_fetched_proved_and_served(void **unused)
{
        char url[256], body[256];

        (void)unused;
        add("fw", "meter fw/1.7");
        expect("nothing yet", yard_get(AT "/State"), 200);
        assert_non_null(strstr(yard.text, "=0\n"));
        expect("no address", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Download", NULL, 0), 412);
        fetch("fw", "one", "40");
        assert_int_equal(yard_alerts(READY), 1);
        assert_non_null(strstr(yard.text, AT ":c1:<ImageReady><ImageID>meter fw/1.7</ImageID>"
                                             "<Hash>"));
        assert_non_null(strstr(yard.text, "/img/meter%20fw%2F1.7</LocalURL><Result>200</Result>"));
        expect("Result", yard_get(AT "/Result"), 200);
        assert_non_null(strstr(yard.text, "=200\n"));
        expect("Progress", yard_get(AT "/Progress"), 200);
        assert_non_null(strstr(yard.text, "=100\n"));
        expect_served("fw", "the first image");
        url_of("fw", url, sizeof url);
        expect("a part", get(url, "bytes=4-8", body, sizeof body), 206);
        assert_string_equal(body, "first");
        expect("not there", get(url, "bytes=400-", body, sizeof body), 416);
        url[strlen(url) - 1] = '8';
        expect("another", get(url, NULL, body, sizeof body), 404);
        yard_settle();
        assert_int_equal(gw_counts_of(yard.g)->images_served, 1); /* a rest is no image */
        assert_int_equal(gw_counts_of(yard.g)->image_bytes_out, strlen("the first image") + 5);
        assert_int_equal(gw_counts_of(yard.g)->image_bytes_in,
                         strlen("the first image") + 64); /* its signature too */
}

static void what_is_not_proved_is_not_offered(void **unused)
{
        static const struct {
                const char *why, *file, *result;
        } rows[] = {
                {"no signature", "bare", "=404\n"},
                {"nowhere", "nothing", "=411\n"},
                {"another's signature", "forged", "=404\n"},
        };

        (void)unused;
        workshop_put("forged", "the first imagE", 0644);
        workshop_put("forged.sig", workshop_text("one.sig"), 0644);
        add("fw", "fw");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                fetch("fw", rows[i].file, "50");
                expect(rows[i].why, yard_get(AT "/Result"), 200);
                if (!strstr(yard.text, rows[i].result))
                        fail_msg("%s: %s", rows[i].why, yard.text);
                expect(rows[i].why, yard_get(AT "/LocalURL"), 404);
        }
        assert_int_equal(yard_alerts(READY), ODM_COUNT(rows));
        assert_int_equal(files(), 0);
}

static void the_one_before_is_kept(void **unused)
{
        char url[256], body[64];

        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        url_of("fw", url, sizeof url);
        expect("nothing before it", yard_get(AT "/Previous"), 404);
        fetch("fw", "bare", "50"); /* what is offered stays */
        expect_served("fw", "the first image");
        fetch("fw", "two", "40");
        expect("the same address", get(url, NULL, body, sizeof body), 200);
        assert_string_equal(body, "the second image!");
        assert_int_equal(files(), 2);
        fetch("fw", "three", "40");
        assert_int_equal(files(), 2);
}

static void a_server_may_deliver_it(void **unused)
{
        char path[WORKSHOP_PATH], hash[65];
        unsigned two = 2;

        (void)unused;
        workshop_path("one", path);
        assert_int_equal(proof_hash(path, hash, NULL), 0);
        add("fw", "fw");
        put(AT "/Hash", hash, ODM_FMT_CHR);
        put(AT "/Data", "the first image", ODM_FMT_BIN);
        expect("it is not read back", yard_get(AT "/Data"), 405);
        wait_for("fw", "40");
        expect_served("fw", "the first image");
        assert_int_equal(yard_alerts(READY), 1);
        expect("again", yard_do(NULL, ODM_CMD_REPLACE, AT "/Data", "damaged", ODM_FMT_BIN), 200);
        assert_true(yard_turn(10000, is_told, &two));
        wait_for("fw", "50");
        expect_served("fw", "the first image");
        restart();
        yard_settle();
        assert_int_equal(yard_alerts(READY), 2); /* the tree let go of it */
        expect_served("fw", "the first image");
}

static void others_find_it(void **unused)
{
        gw_device *d;
        odm_arena a;
        odm_str url;
        gw_image i;

        (void)unused;
        d = fake_record(yard_attach("urn:imei:1"));
        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(gw_image_url(yard.g, d, ODM_ABSENT, &a, &url), ODM_ENOENT);
        add("fw", "fw");
        put(AT "/Match", "mod=F1", ODM_FMT_CHR);
        fetch("fw", "one", "40");
        add("other", "other");
        put(IMAGES_AT "/other/Match", "mod=Z*", ODM_FMT_CHR);
        expect("no selector",
               yard_do(NULL, ODM_CMD_REPLACE, IMAGES_AT "/other/Match", "nonsense", ODM_FMT_CHR),
               415);
        fetch("other", "two", "40");
        assert_int_equal(gw_image_url(yard.g, d, ODM_ABSENT, &a, &url), 0);
        assert_true(odm_str_is(odm_str_from(url, url.n - 7), "/img/fw"));
        assert_int_equal(gw_image_url(yard.g, d, ODM_STR("other"), &a, &url), 0);
        assert_true(odm_str_is(odm_str_from(url, url.n - 10), "/img/other"));
        assert_int_equal(gw_image_url(yard.g, d, ODM_STR("nix"), &a, &url), ODM_ENOENT);
        assert_int_equal(gw_image_by_url(gw_store(yard.g), gw_folder(yard.g),
                                         ODM_STR("coap://10.0.0.1:5683/img/fw"), &a, &i),
                         0);
        assert_int_equal(i.size, strlen("the first image"));
        assert_int_equal(i.sha256.n, 32);
        assert_int_equal(access(i.path.p, R_OK), 0);
        assert_int_equal(gw_image_by_url(gw_store(yard.g), gw_folder(yard.g),
                                         ODM_STR("http://x/fw"), &a, &i),
                         ODM_ENOENT);
        odm_arena_done(&a);
}

static void a_restart_goes_on(void **unused)
{
        (void)unused;
        workshop_put("fetch", "#!/bin/sh\nexec sleep 60\n", 0755);
        add("fw", "fw");
        set_url("fw", "one");
        expect("download", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Download", NULL, 0), 202);
        yard_settle();
        expect("State", yard_get(AT "/State"), 200);
        assert_non_null(strstr(yard.text, "=20\n"));
        expect("twice", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Download", NULL, 0), 405);
        expect("in use", yard_do(NULL, ODM_CMD_DELETE, AT, NULL, 0), 405);
        yard_stop();
        workshop_put("fetch",
                     "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\ncp \"$2\" \"$3\"\n"
                     "echo 'end OK '\n",
                     0755);
        yard_start(classes);
        wait_for("fw", "40");
        expect_served("fw", "the first image");
        assert_int_equal(yard_alerts(READY), 1);
        assert_non_null(strstr(yard.text, ":c1:")); /* as it was ordered */
}

/* What a server does, in a gateway that is killed when the order of it would have ended; then the
 * gateway is there again. */
static void killed_before_the_end(void (*act)(void))
{
        int how;
        pid_t pid;

        yard_stop();
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                yard_start(classes);
                power_goes = true;
                act();
                (void)yard_turn(10000, NULL, NULL);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &how, 0), pid);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        yard_start(classes);
}

static void deliver(void)
{
        put(AT "/Data", "the first image", ODM_FMT_BIN);
}

static void verify(void)
{
        expect("verify", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Verify", NULL, 0), 202);
}

static void deliver_one(void)
{
        char path[WORKSHOP_PATH], hash[65];

        workshop_path("one", path);
        assert_int_equal(proof_hash(path, hash, NULL), 0);
        add("fw", "fw");
        put(AT "/Hash", hash, ODM_FMT_CHR);
        deliver();
        wait_for("fw", "40");
}

static void what_was_delivered_is_not_lost(void **unused)
{
        char path[WORKSHOP_PATH], hash[65];

        (void)unused;
        workshop_path("one", path);
        assert_int_equal(proof_hash(path, hash, NULL), 0);
        add("fw", "fw");
        put(AT "/Hash", hash, ODM_FMT_CHR);
        killed_before_the_end(deliver);
        wait_for("fw", "40");
        expect_served("fw", "the first image");
        assert_int_equal(yard_alerts(READY), 1);
        assert_int_equal(files(), 1);
}

static void a_check_stays_one(void **unused)
{
        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        set_url("fw", "two");
        killed_before_the_end(verify);
        wait_for("fw", "40");
        expect_served("fw", "the first image");
        assert_int_equal(yard_alerts(READY), 2);
        assert_int_equal(files(), 1);
}

static void damage(size_t n, const char *text)
{
        odm_arena a;
        gw_image i;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(gw_image_get(gw_store(yard.g), gw_folder(yard.g), ODM_STR("fw"), &a, &i),
                         0);
        assert_int_equal(fsio_write(NULL, i.path.p, (odm_str){text, n}, 0600, NULL), 0);
        odm_arena_done(&a);
}

static void a_damaged_image_is_withdrawn(void **unused)
{
        unsigned two = 2, five = 5;

        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        expect("whole", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Verify", NULL, 0), 202);
        assert_true(yard_turn(10000, is_told, &two));
        expect_served("fw", "the first image");

        damage(15, "the first imagE");
        expect("damaged", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Verify", NULL, 0), 202);
        wait_for("fw", "50");
        expect("offered no more", yard_get(AT "/LocalURL"), 404);
        expect("nothing to read", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Verify", NULL, 0),
               405);

        fetch("fw", "one", "40");
        damage(15, "the first imagE");
        restart(); /* it is looked at by itself, and fetched again */
        expect("not before", yard_get(AT "/LocalURL"), 404);
        assert_true(yard_turn(10000, is_told, &five));
        wait_for("fw", "40");
        expect_served("fw", "the first image");

        damage(3, "the");
        restart();
        expect("a short one", yard_get(AT "/LocalURL"), 404);
        wait_for("fw", "40");
        expect_served("fw", "the first image");
        assert_int_equal(files(), 1);

        set_url("fw", "nothing");
        damage(3, "the");
        restart();
        wait_for("fw", "50");
        expect("nobody has it", yard_get(AT "/LocalURL"), 404);
        assert_int_equal(files(), 0);
}

static void damage_and_verify(void)
{
        damage(15, "the first imagE");
        verify();
}

/* The start finds out what it was to find out. */
static void a_check_of_a_damaged_image_ends_so(void **unused)
{
        unsigned two = 2;

        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        killed_before_the_end(damage_and_verify);
        assert_true(yard_turn(10000, is_told, &two));
        wait_for("fw", "50");
        expect("Result", yard_get(AT "/Result"), 200);
        assert_non_null(strstr(yard.text, "=402\n"));
        expect("it is not offered", yard_get(AT "/LocalURL"), 404);
        assert_int_equal(files(), 0);
}

static void wish_for(int want)
{
        odm_arena a;
        gw_image i;
        int rc;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        rc = gw_image_get(gw_store(yard.g), gw_folder(yard.g), ODM_STR("fw"), &a, &i);
        assert_int_equal(rc, want);
        odm_arena_done(&a);
}

static bool is_fetched(void *ctx)
{
        (void)ctx;
        return yard_get(AT "/State") == 200 && strstr(yard.text, "=20\n");
}

/* What a start cannot read in a moment is not offered until it has been read. */
static void a_large_image_is_proved_beside_everything_else(void **unused)
{
        char url[256], body[64];
        char *large = test_malloc(5 << 20);

        (void)unused;
        wish_for(ODM_ENOENT);
        memset(large, 'x', (5 << 20) - 1);
        large[(5 << 20) - 1] = 0;
        workshop_put("large", large, 0644);
        workshop_sign("large");
        add("fw", "fw");
        fetch("fw", "large", "40");
        for (unsigned damaged = 0; damaged < 2; damaged++) {
                if (damaged) {
                        large[1000]++;
                        damage((5 << 20) - 1, large);
                        workshop_put("fetch", "#!/bin/sh\nexec sleep 60\n", 0755);
                }
                restart();
                wish_for(ODM_ESTATE);
                expect("State", yard_get(AT "/State"), 200);
                assert_non_null(strstr(yard.text, "=30\n"));
                expect("LocalURL", yard_get(AT "/LocalURL"), 404);
                if (damaged) {
                        assert_true(yard_turn(10000, is_fetched, NULL));
                        wish_for(ODM_ESTATE);
                        continue;
                }
                wait_for("fw", "40");
                wish_for(0);
                url_of("fw", url, sizeof url);
                expect("served", get(url, "bytes=0-3", body, sizeof body), 206);
        }
        test_free(large);
}

/* What the server delivered, it has to deliver again. */
static void a_damaged_delivery_is_the_servers_to_repeat(void **unused)
{
        unsigned two = 2;

        (void)unused;
        deliver_one();
        damage(15, "the first imagE");
        restart();
        assert_true(yard_turn(10000, is_told, &two));
        wait_for("fw", "50");
        expect("it is not offered", yard_get(AT "/LocalURL"), 404);
        wish_for(ODM_ENOENT);
        assert_int_equal(files(), 0);
}

static void back(unsigned want)
{
        expect("back", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Rollback", NULL, 0), want);
}

static void back_to(const char *content, unsigned alerts)
{
        back(202);
        assert_true(yard_turn(10000, is_told, &alerts));
        wait_for("fw", "40");
        expect_served("fw", content);
}

static void hash_of(const char *file, char hash[65])
{
        char path[WORKSHOP_PATH];

        workshop_path(file, path);
        assert_int_equal(proof_hash(path, hash, NULL), 0);
}

static void expect_before(const char *file)
{
        char hash[65];

        hash_of(file, hash);
        expect("the one before", yard_get(AT "/Previous"), 200);
        if (!strstr(yard.text, hash))
                fail_msg("%s instead of %s", yard.text, hash);
}

static void it_goes_back_and_forth(void **unused)
{
        (void)unused;
        add("fw", "fw");
        back(405);
        fetch("fw", "one", "40");
        back(405);
        fetch("fw", "two", "40");
        expect_before("one");
        back_to("the first image", 3);
        assert_int_equal(yard_alerts(READY), 3);
        assert_non_null(strstr(yard.text, ":c1:")); /* what the job of it waits for */
        expect_before("two");
        restart();
        expect_served("fw", "the first image");
        expect_before("two");
        back_to("the second image!", 4);
        assert_int_equal(files(), 2);
        back_to("the first image", 5);
        fetch("fw", "three", "40");
        expect_before("one");
        assert_int_equal(files(), 2);
}

static void go_back(void)
{
        back(202);
}

static void a_kill_does_not_stop_the_way_back(void **unused)
{
        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        fetch("fw", "two", "40");
        killed_before_the_end(go_back);
        wait_for("fw", "40");
        expect_served("fw", "the first image");
        expect_before("two");
        assert_int_equal(yard_alerts(READY), 3);
}

/* The file of what is kept to go back to has another content from now on. */
static void damage_before(const char *of, const char *text)
{
        char hash[65], path[256];

        hash_of(of, hash);
        snprintf(path, sizeof path, "%s/images/%s.img", gw_folder(yard.g), hash);
        assert_int_equal(access(path, R_OK), 0);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0600, NULL), 0);
}

static bool is_lost(void *ctx)
{
        (void)ctx;
        return yard_get(AT "/Previous") == 404;
}

static void what_was_before_is_read_before_it_is_offered(void **unused)
{
        char *large = test_malloc(5 << 20);

        (void)unused;
        memset(large, 'x', (5 << 20) - 1);
        large[(5 << 20) - 1] = 0;
        workshop_put("large", large, 0644);
        workshop_sign("large");
        add("fw", "fw");
        fetch("fw", "one", "40");
        fetch("fw", "two", "40");
        damage_before("one", "the first imagE");
        back(202);
        wait_for("fw", "50");
        expect("Result", yard_get(AT "/Result"), 200);
        assert_non_null(strstr(yard.text, "=402\n"));
        expect_served("fw", "the second image!");
        back(405);
        assert_int_equal(files(), 1);

        fetch("fw", "three", "40");
        damage_before("two", "the second imag");
        restart(); /* it is looked at by itself */
        expect("no more", yard_get(AT "/Previous"), 404);
        expect_served("fw", "and a third one");
        assert_int_equal(files(), 1);

        fetch("fw", "large", "40");
        fetch("fw", "one", "40");
        large[1000]++;
        damage_before("large", large);
        restart(); /* beside everything else */
        expect_served("fw", "the first image");
        assert_true(yard_turn(10000, is_lost, NULL));
        assert_int_equal(files(), 1);
        test_free(large);
}

/* Its address has the one that the server went back from. */
static void what_was_gone_back_to_is_not_fetched_anew(void **unused)
{
        unsigned four = 4;

        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        fetch("fw", "two", "40");
        back_to("the first image", 3);
        damage(15, "the first imagE");
        restart();
        assert_true(yard_turn(10000, is_told, &four));
        wait_for("fw", "50");
        expect("offered no more", yard_get(AT "/LocalURL"), 404);
        back_to("the second image!", 5);
}

static void a_deleted_image_makes_room(void **unused)
{
        char url[256], body[64];

        (void)unused;
        add("fw", "fw");
        fetch("fw", "one", "40");
        fetch("fw", "two", "40");
        url_of("fw", url, sizeof url);
        expect("delete", yard_do(NULL, ODM_CMD_DELETE, AT, NULL, 0), 200);
        yard_settle();
        assert_int_equal(files(), 0);
        expect("gone", get(url, NULL, body, sizeof body), 404);
        restart();
        expect("and stays so", yard_get(AT "/State"), 404);
}

static void room_is_limited(void **unused)
{
        (void)unused;
        yard_stop();
        yard_set("images.max_total=2k");
        yard_start(classes);
        expect("TotalSpace", yard_get("./GwMO/ImageInventory/TotalSpace"), 200);
        assert_non_null(strstr(yard.text, "=2\n"));
        add("fw", "fw");
        put(AT "/Size", "5000", ODM_FMT_INT);
        set_url("fw", "one");
        expect("too large", yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Download", NULL, 0), 420);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(an_image_is_fetched_proved_and_served),
                T(what_is_not_proved_is_not_offered),
                T(the_one_before_is_kept),
                T(it_goes_back_and_forth),
                T(a_kill_does_not_stop_the_way_back),
                T(what_was_before_is_read_before_it_is_offered),
                T(what_was_gone_back_to_is_not_fetched_anew),
                cmocka_unit_test_setup_teardown(a_server_may_deliver_it, set_up_bare, tear_down),
                T(others_find_it),
                T(a_restart_goes_on),
                cmocka_unit_test_setup_teardown(what_was_delivered_is_not_lost, set_up_bare,
                                                tear_down),
                T(a_check_stays_one),
                T(a_damaged_image_is_withdrawn),
                T(a_check_of_a_damaged_image_ends_so),
                T(a_large_image_is_proved_beside_everything_else),
                cmocka_unit_test_setup_teardown(a_damaged_delivery_is_the_servers_to_repeat,
                                                set_up_bare, tear_down),
                T(a_deleted_image_makes_room),
                T(room_is_limited),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
