/* SPDX-License-Identifier: Apache-2.0 */
/* Packages in REST and to devices: made, brought in pieces, cut, refused, used, gone. */
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_world.h"
#include "package_part.h"
#include "package_serve.h"

extern const fleet_part part_package;

#define SIZE 20000
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define PACKAGES "/api/v1/packages"

typedef struct fix {
        world w;
        char text[SIZE], hash[65];
        httpd *devices; /* what they fetch from */
        unsigned port;
} fix;

static void on_device_request(void *ctx, httpd_req *r)
{
        fix *f = ctx;

        if (package_asked(r))
                package_serve(f->w.fleet, r);
        else
                httpd_send_text(r, 400, "no package");
}

static int set_up(void **state)
{
        fix *f = calloc(1, sizeof *f);
        uint8_t digest[32];
        httpd_listener l;
        httpd_opt o;

        assert_non_null(f);
        for (size_t i = 0; i < SIZE; i++)
                f->text[i] = (char)('a' + i % 25);
        assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, f->text, SIZE, digest), 0);
        for (size_t i = 0; i < 32; i++)
                (void)snprintf(f->hash + 2 * i, 3, "%02x", digest[i]);
        world_start(&f->w, NULL);
        httpd_opt_init(&o);
        httpd_listener_init(&l);
        assert_int_equal(net_hostport_parse("127.0.0.1:0", &l.addr), 0);
        l.app = (httpd_app){NULL, on_device_request, f};
        assert_int_equal(httpd_start(&o, &l, 1, &f->devices, NULL), 0);
        f->port = httpd_port(f->devices, 0);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        fix *f = *state;

        httpd_stop(f->devices, 1000);
        world_stop(&f->w);
        free(f);
        return 0;
}

/* ---- asking --------------------------------------------------------------------------- */

static unsigned status_of(fix *f, unsigned who, const char *method, const char *path,
                          const char *body)
{
        answer a = world_ask(&f->w, who, method, path, body);
        unsigned status = a.status;

        answer_done(&a);
        return status;
}

/* A package of SIZE octets; its id. */
static int64_t make(fix *f, const char *name, const char *more)
{
        char body[800];
        answer a;
        int64_t id;

        (void)snprintf(body, sizeof body,
                       "{\"name\":\"%s\",\"version\":\"1\",\"kind\":\"firmware\",\"sha256\":\"%s\","
                       "\"size\":%d%s}",
                       name, f->hash, SIZE, more);
        a = world_ask(&f->w, TOKEN_OPERATOR, "POST", PACKAGES, body);
        if (a.status != 201)
                fail_msg("%u", a.status);
        id = strtoll(answer_text(&a, "id"), NULL, 10);
        answer_done(&a);
        return id;
}

static long received(fix *f, int64_t id)
{
        char path[64];
        answer a;
        long n;

        (void)snprintf(path, sizeof path, PACKAGES "/%lld", (long long)id);
        a = world_ask(&f->w, TOKEN_VIEWER, "GET", path, NULL);
        assert_int_equal(a.status, 200);
        n = strcmp(answer_text(&a, "state"), "ready") == 0
                    ? SIZE
                    : (long)json_integer_value(json_object_get(a.json, "received"));
        answer_done(&a);
        return n;
}

static unsigned put(fix *f, unsigned who, int64_t id, const char *range, odm_str body)
{
        char url[128], bearer[TOKEN_TEXT + 8];
        http_field h[2] = {{ODM_STR("Authorization"), ODM_ABSENT},
                           {ODM_STR("Content-Range"), odm_cstr(range)}};
        http_request r = {.method = "PUT", .fields = h, .n_fields = range ? 2 : 1, .body = body};
        http_client_opt opt;
        http_sync *s;
        unsigned status;

        http_client_opt_init(&opt);
        assert_int_equal(http_sync_new(&opt, &s), 0);
        (void)snprintf(bearer, sizeof bearer, "Bearer %s", f->w.token[who]);
        h[0].value = odm_cstr(bearer);
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u" PACKAGES "/%lld/content", f->w.port,
                       (long long)id);
        r.url = odm_cstr(url);
        status = http_sync_send(s, &r)->status;
        http_sync_free(s);
        return status;
}

static odm_str part(const fix *f, size_t from, size_t to)
{
        return (odm_str){f->text + from, to - from};
}

/* ---- what may be made -------------------------------------------------------------------- */

#define NAMED "\"name\":\"box\",\"version\":\"1\",\"kind\":\"firmware\""
#define THERE "\"sha256\":\"" ZERO "\",\"size\":5"

static const struct make_row {
        const char *why, *body;
        unsigned who, status;
        const char *says; /* a member that is at fault */
} make_rows[] = {
        {"all that is needed", "{" NAMED "," THERE "}", TOKEN_OPERATOR, 201, ""},
        {"the same again", "{" NAMED "," THERE "}", TOKEN_OPERATOR, 409, ""},
        {"a viewer", "{" NAMED "," THERE "}", TOKEN_VIEWER, 403, ""},
        {"a token with a scope", "{" NAMED "," THERE "}", SCOPED, 403, ""},
        {"nothing", "{}", TOKEN_OPERATOR, 400, "name"},
        {"no hash", "{" NAMED ",\"size\":5}", TOKEN_OPERATOR, 400, "sha256"},
        {"a hash that is none", "{" NAMED ",\"sha256\":\"x\",\"size\":5}", TOKEN_OPERATOR, 400,
         "sha256"},
        {"no octet", "{" NAMED ",\"sha256\":\"" ZERO "\",\"size\":0}", TOKEN_OPERATOR, 400, "size"},
        {"too large", "{" NAMED ",\"sha256\":\"" ZERO "\",\"size\":99999999999}", TOKEN_OPERATOR,
         400, "size"},
        {"another kind", "{\"name\":\"a\",\"version\":\"1\",\"kind\":\"toy\"," THERE "}",
         TOKEN_OPERATOR, 400, "kind"},
        {"a tag", "{" NAMED "," THERE ",\"fits\":{\"tags\":[\"x\"]}}", TOKEN_OPERATOR, 400, "fits"},
        {"a range that is none", "{" NAMED "," THERE ",\"fits\":{\"fwv\":\">=\"}}", TOKEN_OPERATOR,
         400, "fits.fwv"},
        {"fits that are none", "{" NAMED "," THERE ",\"fits\":7}", TOKEN_OPERATOR, 400, "fits"},
        {"a file with a folder", "{" NAMED "," THERE ",\"file\":\"a/b\"}", TOKEN_OPERATOR, 400,
         "file"},
        {"a hidden file", "{" NAMED "," THERE ",\"file\":\".b\"}", TOKEN_OPERATOR, 400, "file"},
        {"a URL that is none", "{" NAMED "," THERE ",\"url\":\"file:///etc\"}", TOKEN_OPERATOR, 400,
         "url"},
        {"a signature that is none", "{" NAMED "," THERE ",\"signature\":\"$$$$\"}", TOKEN_OPERATOR,
         400, "signature"},
        {"a line in its type", "{" NAMED "," THERE ",\"media_type\":\"a\\nb\"}", TOKEN_OPERATOR,
         400, "media_type"},
        {"a line in its name",
         "{\"name\":\"a\\nb\",\"version\":\"1\",\"kind\":\"firmware\"," THERE "}", TOKEN_OPERATOR,
         400, "name"},
        {"more", "{" NAMED "," THERE ",\"more\":1}", TOKEN_OPERATOR, 400, "more"},
};

static void makes_as_the_table_says(void **state)
{
        fix *f = *state;

        for (size_t i = 0; i < ODM_COUNT(make_rows); i++) {
                const struct make_row *r = &make_rows[i];
                answer a = world_ask(&f->w, r->who, "POST", PACKAGES, r->body);
                const json_t *e = json_array_get(json_object_get(a.json, "errors"), 0);
                const char *name = json_string_value(json_object_get(e, "name"));
                if (a.status != r->status || strcmp(name ? name : "", r->says) != 0)
                        fail_msg("%s: %u, %s", r->why, a.status, name ? name : "");
                answer_done(&a);
        }
}

/* ---- content ----------------------------------------------------------------------------- */

static void comes_in_pieces(void **state)
{
        fix *f = *state;
        int64_t id = make(f, "box", "");

        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes 0-9999/20000", part(f, 0, 10000)), 202);
        assert_int_equal(received(f, id), 10000);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes 5000-9999/20000", part(f, 5000, 10000)),
                         409);
        assert_int_equal(
                put(f, TOKEN_OPERATOR, id, "bytes 10000-19999/20001", part(f, 10000, SIZE)), 400);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes 10000-19999/*", part(f, 10000, SIZE)),
                         400);
        assert_int_equal(
                put(f, TOKEN_OPERATOR, id, "bytes 10000-19998/20000", part(f, 10000, SIZE)), 400);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes */20000", ODM_STR("")), 409);
        assert_int_equal(put(f, SCOPED, id, "bytes 10000-19999/20000", part(f, 10000, SIZE)), 403);
        assert_int_equal(put(f, TOKEN_VIEWER, id, "bytes 10000-19999/20000", part(f, 10000, SIZE)),
                         403);
        assert_int_equal(put(f, TOKEN_OPERATOR, id + 1, NULL, part(f, 0, SIZE)), 404);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE - 1)), 400);
        assert_int_equal(received(f, id), 10000);
        assert_int_equal(
                put(f, TOKEN_OPERATOR, id, "bytes 10000-19999/20000", part(f, 10000, SIZE)), 200);
        assert_int_equal(received(f, id), SIZE);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE)), 409);
        /* the same content needs not come twice */
        id = make(f, "copy", "");
        assert_int_equal(received(f, id), SIZE);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes */20000", ODM_STR("")), 200);
}

static void another_content_is_refused(void **state)
{
        fix *f = *state;
        int64_t id = make(f, "box", "");
        char *other = calloc(1, SIZE);

        assert_non_null(other);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, (odm_str){other, SIZE}), 400);
        assert_int_equal(received(f, id), 0);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE)), 200);
        free(other);
}

/* What came before the peer went away stays; it may be asked for at once. */
static void what_is_cut_stays(void **state)
{
        fix *f = *state;
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)f->w.port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n;
        int64_t id = make(f, "box", "");
        char head[512];

        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        n = snprintf(head, sizeof head,
                     "PUT " PACKAGES "/%lld/content HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
                     "%s\r\nContent-Length: %d\r\n\r\n",
                     (long long)id, f->w.token[TOKEN_OPERATOR], SIZE);
        assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
        assert_int_equal(send(fd, f->text, 7000, MSG_NOSIGNAL), 7000);
        for (int i = 0; i < 5000 && received(f, id) < 7000; i++)
                usleep(1000);
        assert_int_equal(received(f, id), 7000);
        /* whoever comes last is alive, though the other is still there */
        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes 7000-19999/20000", part(f, 7000, SIZE)),
                         200);
        close(fd);
        assert_int_equal(received(f, id), SIZE);
}

/* The disk is full: that is told, and what was written before is good. */
static void a_full_disk_is_told(void **state)
{
        fix *f = *state;
        const struct rlimit small = {8000, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
        int64_t id = make(f, "box", "");
        unsigned status;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        status = put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
        assert_int_equal(status, 507);
        assert_int_equal(received(f, id), 8000);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, "bytes 8000-19999/20000", part(f, 8000, SIZE)),
                         200);
}

static void there_are_ceilings(void **state)
{
        fix *f = *state;
        packages *s = fleet_self(f->w.fleet, &part_package);
        char path[64];
        int64_t id;

        s->max_total = 2 * SIZE;
        s->max_count = 3;
        s->max_size = SIZE;
        id = make(f, "a", "");
        make(f, "b", ",\"url\":\"http://x/y\""); /* takes no room */
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "POST", PACKAGES,
                                   "{" NAMED ",\"sha256\":\"" ZERO "\",\"size\":20001}"),
                         400);
        make(f, "c", "");
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "POST", PACKAGES, "{" NAMED "," THERE "}"),
                         409);
        s->max_count = 4;
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "POST", PACKAGES, "{" NAMED "," THERE "}"),
                         409);
        (void)snprintf(path, sizeof path, PACKAGES "/%lld", (long long)id);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "DELETE", path, NULL), 204);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "POST", PACKAGES, "{" NAMED "," THERE "}"),
                         201);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "POST", PACKAGES, "{" NAMED "," THERE "}"),
                         409);
        assert_int_equal(s->count, 3); /* what was refused gave its room back */
        assert_int_equal(s->total, SIZE + 5);
}

/* ---- devices -------------------------------------------------------------------------------- */

static unsigned fetch(fix *f, const char *method, const char *path, odm_str *body)
{
        http_client_opt opt;
        http_sync *s;
        char url[300];
        const http_reply *r;
        unsigned status;

        http_client_opt_init(&opt);
        assert_int_equal(http_sync_new(&opt, &s), 0);
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", f->port, path);
        r = http_sync_send(s, &(http_request){.method = method, .url = odm_cstr(url)});
        status = r->status;
        if (body)
                *body = exact_bytes(r->body.p ? r->body.p : "", r->body.n);
        http_sync_free(s);
        return status;
}

static void devices_fetch(void **state)
{
        fix *f = *state;
        int64_t id = make(f, "box", ",\"file\":\"box.img\",\"signature\":\"c2ln\"");
        char path[200], sig[210];
        odm_str got;

        (void)snprintf(path, sizeof path, "/packages/%lld/%s/box.img", (long long)id, f->hash);
        (void)snprintf(sig, sizeof sig, "%s.sig", path);
        assert_int_equal(fetch(f, "GET", path, NULL), 404);
        assert_int_equal(fetch(f, "GET", sig, NULL), 404);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE)), 200);
        assert_int_equal(fetch(f, "GET", path, &got), 200);
        assert_octets(got, part(f, 0, SIZE));
        exact_free(got);
        assert_int_equal(fetch(f, "GET", sig, &got), 200);
        assert_str(got, "sig");
        exact_free(got);
        assert_int_equal(fetch(f, "HEAD", path, NULL), 200);
        assert_int_equal(fetch(f, "POST", path, NULL), 405);
        path[strlen(path) - 1] = 'h';
        assert_int_equal(fetch(f, "GET", path, NULL), 404);
        assert_int_equal(fetch(f, "GET", "/packages/", NULL), 404);
        assert_int_equal(fetch(f, "GET", "/package", NULL), 400);
}

static void what_is_elsewhere_is_ready(void **state)
{
        fix *f = *state;
        int64_t id = make(f, "box", ",\"url\":\"https://cdn/x\"");
        char path[64];
        answer a;

        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE)), 409);
        world_device(&f->w, "acme/1");
        (void)snprintf(path, sizeof path, PACKAGES "/%lld?device=acme/1", (long long)id);
        a = world_ask(&f->w, TOKEN_VIEWER, "GET", path, NULL);
        assert_string_equal(answer_text(&a, "state"), "ready");
        assert_string_equal(
                json_string_value(json_object_get(json_object_get(a.json, "device"), "url")),
                "https://cdn/x");
        answer_done(&a);
        (void)snprintf(path, sizeof path, PACKAGES "/%lld?device=nobody", (long long)id);
        assert_int_equal(status_of(f, TOKEN_VIEWER, "GET", path, NULL), 404);
        (void)snprintf(path, sizeof path, PACKAGES "/%lld/content", (long long)id);
        assert_int_equal(status_of(f, TOKEN_VIEWER, "GET", path, NULL), 409);
}

/* ---- used, changed, gone ----------------------------------------------------------------- */

static int use(fix *f, int64_t id, int by)
{
        store_batch *b = store_batch_new();
        int rc;

        assert_non_null(b);
        assert_non_null(package_use(b, id, by));
        rc = store_write_sync(f->w.store, b);
        store_batch_free(b);
        return rc;
}

static void what_is_used_stays(void **state)
{
        fix *f = *state;
        int64_t id = make(f, "box", "");
        char path[64];

        (void)snprintf(path, sizeof path, PACKAGES "/%lld", (long long)id);
        assert_int_equal(use(f, id, 1), ODM_ESTATE); /* not ready */
        assert_int_equal(use(f, id + 1, 1), ODM_ENOENT);
        assert_int_equal(put(f, TOKEN_OPERATOR, id, NULL, part(f, 0, SIZE)), 200);
        assert_int_equal(use(f, id, 1), 0);
        assert_int_equal(use(f, id, 1), 0);
        assert_int_equal(use(f, id, -1), 0);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "DELETE", path, NULL), 409);
        assert_int_equal(use(f, id, -1), 0);
        assert_int_equal(status_of(f, SCOPED, "DELETE", path, NULL), 403);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "DELETE", path, NULL), 204);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "DELETE", path, NULL), 404);
        id = make(f, "box", ""); /* its name is free, its content gone */
        for (int i = 0; i < 5000 && received(f, id) > 0; i++)
                usleep(1000);
        (void)snprintf(path, sizeof path, PACKAGES "/%lld", (long long)id);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "DELETE", path, NULL), 204);
}

static void changes_whom_it_fits(void **state)
{
        fix *f = *state;
        int64_t id = make(f, "box", ",\"fits\":{\"model\":\"M1\"},\"notes\":\"n\"");
        char path[64];
        answer a;

        (void)snprintf(path, sizeof path, PACKAGES "/%lld", (long long)id);
        assert_int_equal(status_of(f, TOKEN_OPERATOR, "PATCH", path, "{\"name\":\"x\"}"), 400);
        assert_int_equal(status_of(f, SCOPED, "PATCH", path, "{\"notes\":\"x\"}"), 403);
        a = world_ask(&f->w, TOKEN_OPERATOR, "PATCH", path, "{\"notes\":\"m\"}");
        assert_string_equal(answer_text(&a, "notes"), "m");
        assert_non_null(json_object_get(a.json, "fits"));
        answer_done(&a);
        a = world_ask(&f->w, TOKEN_OPERATOR, "PATCH", path, "{\"fits\":{}}");
        assert_int_equal(a.status, 200);
        assert_null(json_object_get(a.json, "fits"));
        answer_done(&a);
}

static void lists_by_pages_and_by_name(void **state)
{
        fix *f = *state;
        char next[100], path[160];
        answer a;

        for (int i = 0; i < 5; i++) {
                char name[8];
                (void)snprintf(name, sizeof name, "p%d", i);
                make(f, name, "");
        }
        a = world_ask(&f->w, TOKEN_VIEWER, "GET", PACKAGES "?limit=3", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 3);
        (void)snprintf(next, sizeof next, "%s", answer_text(&a, "next"));
        answer_done(&a);
        (void)snprintf(path, sizeof path, PACKAGES "?limit=3&cursor=%s", next);
        a = world_ask(&f->w, TOKEN_VIEWER, "GET", path, NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 2);
        assert_string_equal(answer_text(&a, "next"), "");
        answer_done(&a);
        a = world_ask(&f->w, TOKEN_VIEWER, "GET", PACKAGES "?name=p3", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 1);
        answer_done(&a);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(makes_as_the_table_says),
                T(comes_in_pieces),
                T(another_content_is_refused),
                T(what_is_cut_stays),
                T(a_full_disk_is_told),
                T(there_are_ceilings),
                T(devices_fetch),
                T(what_is_elsewhere_is_ready),
                T(what_is_used_stays),
                T(changes_whom_it_fits),
                T(lists_by_pages_and_by_name),
        };

        return RUN_TESTS(tests);
}
