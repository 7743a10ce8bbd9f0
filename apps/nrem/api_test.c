/* SPDX-License-Identifier: Apache-2.0 */
/* REST over a real listener: docs/openapi.yaml, and what it promises. */
#include "api_world.h"

#include <poll.h>

#include "gateway_row.h"
#include "heap.h"
#include "odm/auth.h"
#include "odm/codec.h"
#include "wait.h"

#define V TOKEN_VIEWER
#define O TOKEN_OPERATOR
#define A TOKEN_ADMIN
#define DEV "/api/v1/devices"
#define ACME "/api/v1/devices/acme%2Fmeter%2F17"
#define ADDR "./GwMO/Inventory/Records/d1/Addr"

/* ---- the contract ---------------------------------------------------------------- */

static bool route_known(const api *a, const char *method, const char *path)
{
        for (size_t i = 0; api_route_at(a, i).method; i++) {
                api_route r = api_route_at(a, i);
                if (strcasecmp(r.method, method) == 0 && strcmp(r.pattern, path) == 0)
                        return true;
        }
        return false;
}

/* docs/openapi.yaml keeps paths at two blanks and methods at four. */
static void openapi_lists_exactly_the_routes(void **state)
{
        FILE *f = fopen(OPENAPI, "r");
        char line[512], path[256] = "";
        size_t listed = 0, known = 0;
        bool in_paths = false;
        world w;

        (void)state;
        assert_non_null(f);
        world_start(&w, NULL);
        while (fgets(line, sizeof line, f)) {
                char word[255];
                if (line[0] != ' ' && line[0] != '\n')
                        in_paths = strncmp(line, "paths:", 6) == 0;
                if (!in_paths)
                        continue;
                if (sscanf(line, "  /%253[^:\n]:", word) == 1 && line[2] == '/') {
                        (void)snprintf(path, sizeof path, "/%s", word);
                } else if (strncmp(line, "    ", 4) == 0 && line[4] != ' ' &&
                           sscanf(line, "    %15[a-z]:", word) == 1 &&
                           strncmp(word, "parameters", 10) != 0) {
                        listed++;
                        if (!route_known(w.api, word, path))
                                fail_msg("docs/openapi.yaml has %s %s, which is no route", word,
                                         path);
                }
        }
        (void)fclose(f);
        while (api_route_at(w.api, known).method)
                known++;
        world_stop(&w);
        assert_int_equal(listed, known);
}

/* Whether docs/openapi.yaml gives the schema (at four blanks) a property of that name. */
static bool schema_has(const char *schema, const char *member)
{
        FILE *f = fopen(OPENAPI, "r");
        char line[512], head[64], want[64];
        bool inside = false, found = false;

        assert_non_null(f);
        (void)snprintf(head, sizeof head, "    %s:\n", schema);
        (void)snprintf(want, sizeof want, "%s:", member);
        while (!found && fgets(line, sizeof line, f)) {
                if (line[0] == ' ' && strspn(line, " ") == 4)
                        inside = strcmp(line, head) == 0;
                else if (inside)
                        found = strncmp(line + strspn(line, " "), want, strlen(want)) == 0;
        }
        (void)fclose(f);
        return found;
}

/* Every member of an answer is one that the contract tells of. */
static void assert_told_of(const json_t *o, const char *schema)
{
        const char *key;
        json_t *v;

        assert_true(json_is_object(o));
        json_object_foreach((json_t *)(uintptr_t)o, key, v)
        {
                if (!schema_has(schema, key))
                        fail_msg("docs/openapi.yaml does not tell of %s in %s", key, schema);
        }
}

static const json_t *first_of(const answer *a, const char *list)
{
        return json_array_get(json_object_get(a->json, list), 0);
}

/* ---- requests and their answers -------------------------------------------------- */

static const struct row {
        const char *why;
        unsigned who;
        const char *method, *path, *body;
        unsigned status;
        const char *problem; /* word, or NULL */
        const char *error;   /* name of the first parameter at fault, or NULL */
} rows[] = {
        {"health is open", NOBODY, "GET", "/api/v1/health", NULL, 200},
        {"for probes too", NOBODY, "GET", "/healthz", NULL, 200},
        {"version is open", NOBODY, "GET", "/api/v1/version", NULL, 200},
        {"no such path", V, "GET", "/api/v1/nothing", NULL, 404, "not-found"},
        {"not under a file name either", V, "GET", "/", NULL, 404, "not-found"},
        {"a wrong method", V, "PUT", DEV, NULL, 405, "method"},
        {"without a token", NOBODY, "GET", DEV, NULL, 401, "unauthenticated"},
        {"metrics want a token by setting", NOBODY, "GET", "/metrics", NULL, 401,
         "unauthenticated"},
        {"metrics with one", V, "GET", "/metrics", NULL, 200},
        {"viewers look", V, "GET", DEV, NULL, 200},
        {"viewers change nothing", V, "POST", DEV, "{\"name\":\"x\"}", 403, "forbidden"},
        {"operators make no tokens", O, "GET", "/api/v1/tokens", NULL, 403, "forbidden"},
        {"the audit log is the admin's", O, "GET", "/api/v1/audit", NULL, 403, "forbidden"},
        {"admins read it", A, "GET", "/api/v1/audit", NULL, 200},
        {"who am I", V, "GET", "/api/v1/whoami", NULL, 200},
        {"a parameter unknown", V, "GET", DEV "?foo=1", NULL, 400, "invalid", "foo"},
        {"a parameter twice", V, "GET", DEV "?limit=1&limit=2", NULL, 400, "invalid", "limit"},
        {"a limit out of range", V, "GET", DEV "?limit=1001", NULL, 400, "invalid", "limit"},
        {"a limit that is no number", V, "GET", DEV "?limit=ten", NULL, 400, "invalid", "limit"},
        {"a state unknown", V, "GET", DEV "?state=dancing", NULL, 400, "invalid", "state"},
        {"addresses are the admin's", O, "GET", DEV "?addresses=1", NULL, 403, "forbidden"},
        {"a body that is no JSON", O, "POST", DEV, "{", 400, "invalid"},
        {"a body that is no object", O, "POST", DEV, "[1]", 400, "invalid"},
        {"a member twice", O, "POST", DEV, "{\"name\":\"a\",\"name\":\"b\"}", 400, "invalid"},
        {"a member unknown", O, "POST", DEV, "{\"name\":\"a\",\"colour\":\"red\"}", 400, "invalid",
         "colour"},
        {"no name", O, "POST", DEV, "{}", 400, "invalid", "name"},
        {"an empty name", O, "POST", DEV, "{\"name\":\"\"}", 400, "invalid", "name"},
        {"an empty segment", O, "POST", DEV, "{\"name\":\"a//b\"}", 400, "invalid", "name"},
        {"a segment that paths fold away", O, "POST", DEV, "{\"name\":\"a/../b\"}", 400, "invalid",
         "name"},
        {"a blank in a name", O, "POST", DEV, "{\"name\":\"a b\"}", 400, "invalid", "name"},
        {"tags are words", O, "POST", DEV, "{\"name\":\"a\",\"tags\":[\"x y\"]}", 400, "invalid",
         "tags"},
        {"an auth unknown", O, "POST", DEV, "{\"name\":\"a\",\"auth\":\"sha1\"}", 400, "invalid",
         "auth"},
        {"a wake address of another kind", O, "POST", DEV, "{\"name\":\"a\",\"wake\":\"http://x\"}",
         400, "invalid", "wake"},
        {"a colon would end the user name", O, "POST", DEV, "{\"name\":\"a\",\"user\":\"a:b\"}",
         400, "invalid", "user"},
        {"a device as it should be", O, "POST", DEV,
         "{\"name\":\"acme/meter/17\",\"devid\":\"urn:1\",\"tags\":[\"hot\",\"old\"]}", 201},
        {"the same name again", O, "POST", DEV, "{\"name\":\"acme/meter/17\",\"devid\":\"urn:2\"}",
         409, "exists"},
        {"the same devid again", O, "POST", DEV, "{\"name\":\"acme/meter/18\",\"devid\":\"urn:1\"}",
         409, "exists"},
        {"a name is one segment", V, "GET", DEV "/acme/meter/17", NULL, 404, "not-found"},
        {"with its slashes encoded", V, "GET", ACME, NULL, 200},
        {"a parameter that is no UTF-8", V, "GET", "/api/v1/jobs?device=%ff", NULL, 400, "invalid",
         "device"},
        {"a name badly encoded", V, "GET", DEV "/acme%2", NULL, 400, "invalid"},
        {"no such device", V, "GET", DEV "/nobody", NULL, 404, "not-found"},
        {"a state only the device can reach", O, "PATCH", ACME, "{\"state\":\"provisioned\"}", 400,
         "invalid", "state"},
        {"a new user needs the password", O, "PATCH", ACME, "{\"user\":\"u2\"}", 400, "invalid",
         "password"},
        {"so does a new server user", O, "PATCH", ACME, "{\"server_user\":\"u2\"}", 400, "invalid",
         "server_password"},
        {"basic sends the server's password", O, "PATCH", ACME, "{\"auth\":\"basic\"}", 400,
         "invalid", "server_password"},
        {"a change as it should be", O, "PATCH", ACME, "{\"note\":\"in the cellar\"}", 200},
        {"and cleared", O, "PATCH", ACME, "{\"note\":null}", 200},
        {"nothing in the mirror yet", V, "GET", ACME "/tree", NULL, 404, "not-found"},
        {"a URI that is none", V, "GET", ACME "/tree?uri=DevInfo", NULL, 400, "invalid", "uri"},
        {"a query inside of it", V, "GET", ACME "/tree?uri=./A%3Flist=Struct", NULL, 400, "invalid",
         "uri"},
        {"asking the device is a change", V, "GET", ACME "/tree?live=1", NULL, 403, "forbidden"},
        {"a wake-up without anybody to send it", O, "POST", ACME "/wake", NULL, 409, "state"},
        {"no commands", O, "POST", ACME "/jobs", "{\"commands\":[]}", 400, "invalid", "commands"},
        {"a command unknown", O, "POST", ACME "/jobs", "{\"commands\":[{\"cmd\":\"put\"}]}", 400,
         "invalid", "commands[0].cmd"},
        {"no URI", O, "POST", ACME "/jobs", "{\"commands\":[{\"cmd\":\"get\"}]}", 400, "invalid",
         "commands[0].uri"},
        {"Exec in an atomic job", O, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"exec\",\"uri\":\"./A\"}],\"atomic\":true}", 400, "not-atomic",
         "commands[0].cmd"},
        {"Get in an atomic job", O, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}],\"atomic\":true}", 400, "not-atomic",
         "commands[0].cmd"},
        {"ttl and deadline", O, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}],\"ttl\":5,"
         "\"deadline\":\"2099-01-01T00:00:00Z\"}",
         400, "invalid", "deadline"},
        {"a deadline of yesterday", O, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}],\"deadline\":\"2001-01-01T00:00:00Z\"}",
         400, "invalid", "deadline"},
        {"viewers make no jobs", V, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}]}", 403, "forbidden"},
        {"nobody makes none either", NOBODY, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}]}", 401, "unauthenticated"},
        {"a job as it should be", O, "POST", ACME "/jobs",
         "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}],\"priority\":3,\"ttl\":60}", 201},
        {"no such job", V, "GET", "/api/v1/jobs/999999", NULL, 404, "not-found"},
        {"an id that is none", V, "GET", "/api/v1/jobs/abc", NULL, 404, "not-found"},
        {"a cursor that is none", V, "GET", "/api/v1/jobs?cursor=abc", NULL, 400, "invalid",
         "cursor"},
        {"jobs of a device unknown", V, "GET", "/api/v1/jobs?device=nobody", NULL, 404,
         "not-found"},
        {"jobs of one device", V, "GET", "/api/v1/jobs?device=acme%2Fmeter%2F17", NULL, 200},
        {"sessions, none yet", V, "GET", ACME "/sessions", NULL, 200},
        {"no such session", O, "GET", ACME "/sessions/7", NULL, 404, "not-found"},
        {"secrets are the admin's", O, "GET", ACME "/sessions/7?secrets=1", NULL, 403, "forbidden"},
        {"a scope sees its own", SCOPED, "GET", ACME, NULL, 200},
        {"and makes its own", SCOPED, "POST", DEV, "{\"name\":\"acme/new\"}", 201},
        {"not another's", SCOPED, "POST", DEV, "{\"name\":\"bell/1\"}", 403, "forbidden"},
        {"another's device", O, "POST", DEV, "{\"name\":\"bell/1\"}", 201},
        {"is not there for the scoped", SCOPED, "GET", DEV "/bell%2F1", NULL, 404, "not-found"},
        {"nor can a device be moved out", SCOPED, "PATCH", ACME, "{\"name\":\"bell/2\"}", 403,
         "forbidden"},
        {"a token without a role", A, "POST", "/api/v1/tokens", "{\"name\":\"t\"}", 400, "invalid",
         "role"},
        {"a token", A, "POST", "/api/v1/tokens", "{\"name\":\"t\",\"role\":\"viewer\"}", 201},
        {"its name again", A, "POST", "/api/v1/tokens", "{\"name\":\"t\",\"role\":\"viewer\"}", 409,
         "exists"},
        {"a limited admin is none", A, "POST", "/api/v1/tokens",
         "{\"name\":\"u\",\"role\":\"admin\",\"scope\":\"acme/\"}", 400, "invalid", "scope"},
        {"withdrawn", A, "DELETE", "/api/v1/tokens/t", NULL, 204},
        {"only once", A, "DELETE", "/api/v1/tokens/t", NULL, 404, "not-found"},
        {"never the last admin", A, "DELETE", "/api/v1/tokens/ada", NULL, 409, "state"},
        {"a device removed", O, "DELETE", ACME, NULL, 204},
        {"is gone", V, "GET", ACME, NULL, 404, "not-found"},
};

static void check_problem(const struct row *r, const answer *a)
{
        char type[64];

        if (!r->problem)
                return;
        (void)snprintf(type, sizeof type, "urn:xrem:problem:%s", r->problem);
        if (strcmp(answer_text(a, "type"), type) != 0 ||
            strcmp(a->type, "application/problem+json") != 0)
                fail_msg("%s: type '%s' (%s)", r->why, answer_text(a, "type"), a->type);
        assert_int_equal(json_integer_value(json_object_get(a->json, "status")), r->status);
        assert_true(answer_text(a, "title")[0] != '\0');
        assert_told_of(a->json, "Problem");
        if (!r->error)
                return;
        const char *name = json_string_value(
                json_object_get(json_array_get(json_object_get(a->json, "errors"), 0), "name"));
        if (!name || strcmp(name, r->error) != 0)
                fail_msg("%s: blames '%s', not '%s'", r->why, name ? name : "nothing", r->error);
}

static void answers_as_the_table_says(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                answer a = world_ask(&w, r->who, r->method, r->path, r->body);
                if (a.status != r->status) {
                        char *text = json_dumps(a.json, 0);
                        fail_msg("%s: %s %s gave %u: %s", r->why, r->method, r->path, a.status,
                                 text ? text : "");
                }
                check_problem(r, &a);
                if (a.status == 405)
                        assert_string_equal(a.allow, "GET, POST");
                answer_done(&a);
        }
        world_stop(&w);
}

static void refuses_bodies_of_the_wrong_kind_or_size(void **state)
{
        static char big[80 << 10];
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        a = world_send(&w, O, "POST", DEV, "text/plain", ODM_STR("{\"name\":\"a\"}"));
        assert_int_equal(a.status, 415);
        answer_done(&a);
        a = world_send(&w, O, "POST", DEV, "application/json; charset=utf-8",
                       ODM_STR("{\"name\":\"a\"}"));
        assert_int_equal(a.status, 201);
        answer_done(&a);
        memset(big, ' ', sizeof big);
        a = world_send(&w, O, "POST", DEV, "application/json", (odm_str){big, sizeof big});
        assert_int_equal(a.status, 413);
        answer_done(&a);
        /* a job may be that large, but not from just anybody */
        a = world_send(&w, NOBODY, "POST", DEV "/a/jobs", "application/json",
                       (odm_str){big, sizeof big});
        assert_int_equal(a.status, 401);
        answer_done(&a);
        static const char job[] = "{\"commands\":[{\"cmd\":\"get\",\"uri\":\".\"}]}";
        memcpy(big, job, sizeof job - 1);
        a = world_send(&w, O, "POST", DEV "/a/jobs", "application/json",
                       (odm_str){big, sizeof big});
        assert_int_equal(a.status, 201);
        answer_done(&a);
        world_stop(&w);
}

/* ---- devices --------------------------------------------------------------------- */

static void pages_through_devices(void **state)
{
        world w;
        char path[256] = DEV "?limit=3&prefix=p%2F", name[64];
        unsigned seen = 0, pages = 0;

        (void)state;
        world_start(&w, NULL);
        for (unsigned i = 0; i < 8; i++) {
                (void)snprintf(name, sizeof name, "p/%02u", i);
                world_device(&w, name);
        }
        world_device(&w, "q/1");
        for (;;) {
                answer a = world_ask(&w, V, "GET", path, NULL);
                assert_int_equal(a.status, 200);
                const json_t *items = json_object_get(a.json, "items"), *d;
                size_t i;
                json_array_foreach(items, i, d)
                {
                        (void)snprintf(name, sizeof name, "p/%02u", seen++);
                        assert_string_equal(json_string_value(json_object_get(d, "name")), name);
                }
                pages++;
                if (!json_object_get(a.json, "next")) {
                        answer_done(&a);
                        break;
                }
                (void)snprintf(path, sizeof path, DEV "?limit=3&prefix=p%%2F&cursor=%s",
                               answer_text(&a, "next"));
                answer_done(&a);
        }
        assert_int_equal(seen, 8);
        assert_int_equal(pages, 3);
        world_stop(&w);
}

static size_t count_devices(world *w, unsigned who, const char *query)
{
        char path[256];

        (void)snprintf(path, sizeof path, DEV "%s", query);
        answer a = world_ask(w, who, "GET", path, NULL);
        assert_int_equal(a.status, 200);
        size_t n = json_array_size(json_object_get(a.json, "items"));
        answer_done(&a);
        return n;
}

static void filters_devices_and_keeps_to_the_scope(void **state)
{
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        a = world_ask(&w, O, "POST", DEV, "{\"name\":\"acme/1\",\"tags\":[\"hot\"]}");
        answer_done(&a);
        world_device(&w, "acme/2");
        world_device(&w, "bell/1");
        assert_int_equal(count_devices(&w, V, ""), 3);
        assert_int_equal(count_devices(&w, V, "?tag=hot"), 1);
        assert_int_equal(count_devices(&w, V, "?q=BELL"), 1);
        assert_int_equal(count_devices(&w, V, "?state=active"), 0);
        assert_int_equal(count_devices(&w, SCOPED, ""), 2);
        assert_int_equal(count_devices(&w, SCOPED, "?prefix=a"), 2);
        assert_int_equal(count_devices(&w, SCOPED, "?prefix=acme%2F2"), 1);
        assert_int_equal(count_devices(&w, SCOPED, "?prefix=bell"), 0);
        assert_int_equal(world_job(&w, "bell%2F1") > 0, 1);
        a = world_ask(&w, SCOPED, "GET", "/api/v1/jobs", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 0);
        answer_done(&a);
        world_stop(&w);
}

static store_account account_of(world *w, const char *name, odm_arena *arena)
{
        store_device d;
        store_account acc;

        assert_int_equal(store_device_by_name(w->store, odm_cstr(name), arena, &d), 0);
        assert_int_equal(store_account_get(w->store, d.id, arena, &acc), 0);
        return acc;
}

static void keeps_digests_and_shows_generated_passwords_once(void **state)
{
        world w;
        odm_arena arena;
        odm_secret want;
        answer a;

        (void)state;
        world_start(&w, NULL);
        odm_arena_init(&arena, &heap_mem, 1 << 20);
        a = world_ask(&w, O, "POST", DEV, "{\"name\":\"d\",\"user\":\"u\"}");
        assert_int_equal(a.status, 201);
        assert_int_equal(strlen(answer_text(&a, "password")), 24);
        odm_secret_of(ODM_STR("u"), odm_cstr(answer_text(&a, "password")), &want);
        store_account acc = account_of(&w, "d", &arena);
        assert_octets(acc.secret, ((odm_str){want.b64, ODM_SECRET_LEN}));
        assert_null(acc.password.p);
        odm_secret_of(ODM_STR("xrem"), odm_cstr(answer_text(&a, "server_password")), &want);
        assert_octets(acc.server_secret, ((odm_str){want.b64, ODM_SECRET_LEN}));
        assert_null(acc.server_password.p); /* the digest is the one package 0 needs */
        answer_done(&a);
        a = world_ask(&w, O, "GET", DEV "/d", NULL);
        assert_told_of(a.json, "Device");
        assert_null(json_object_get(a.json, "password"));
        assert_null(json_object_get(a.json, "server_password"));
        answer_done(&a);
        a = world_ask(&w, O, "PATCH", DEV "/d", "{\"password\":\"new\",\"accept_basic\":true}");
        assert_int_equal(a.status, 200);
        answer_done(&a);
        acc = account_of(&w, "d", &arena);
        odm_secret_of(ODM_STR("u"), ODM_STR("new"), &want);
        assert_octets(acc.secret, ((odm_str){want.b64, ODM_SECRET_LEN}));
        assert_true(acc.flags & STORE_ACCOUNT_BASIC);
        odm_arena_done(&arena);
        world_stop(&w);
}

static void lets_no_device_in_by_a_certificate_alone_that_has_none(void **state)
{
        world w;
        odm_arena arena;
        answer a;

        (void)state;
        world_start(&w, NULL);
        odm_arena_init(&arena, &heap_mem, 1 << 20);
        a = world_ask(&w, O, "POST", DEV, "{\"name\":\"c\",\"auth\":\"none\"}");
        assert_int_equal(a.status, 201);
        assert_string_equal(answer_text(&a, "auth"), "none");
        assert_string_equal(answer_text(&a, "password"), "");
        answer_done(&a);
        store_account acc = account_of(&w, "c", &arena);
        assert_true(acc.flags & STORE_ACCOUNT_CERTIFICATE);
        assert_int_equal(acc.auth, ODM_AUTH_MD5); /* of a password that nobody knows */
        assert_int_equal(acc.secret.n, ODM_SECRET_LEN);
        a = world_ask(&w, O, "PATCH", DEV "/c", "{\"auth\":\"md5\"}");
        assert_int_equal(a.status, 400);
        answer_done(&a);
        a = world_ask(&w, O, "PATCH", DEV "/c", "{\"auth\":\"md5\",\"password\":\"x\"}");
        assert_string_equal(answer_text(&a, "auth"), "md5");
        answer_done(&a);
        acc = account_of(&w, "c", &arena);
        assert_false(acc.flags & STORE_ACCOUNT_CERTIFICATE);
        odm_arena_done(&arena);
        world_stop(&w);
}

static void asks_nothing_of_an_open_account(void **state)
{
        world w;
        odm_arena arena;
        answer a;

        (void)state;
        world_start(&w, NULL);
        odm_arena_init(&arena, &heap_mem, 1 << 20);
        a = world_ask(&w, O, "POST", DEV,
                      "{\"name\":\"o\",\"auth\":\"open\",\"accept_dm11\":true}");
        assert_int_equal(a.status, 201);
        assert_string_equal(answer_text(&a, "auth"), "open");
        assert_string_equal(answer_text(&a, "password"), "");
        assert_true(json_is_true(json_object_get(a.json, "accept_dm11")));
        answer_done(&a);
        store_account acc = account_of(&w, "o", &arena);
        assert_int_equal(acc.auth, ODM_AUTH_NONE);
        assert_int_equal(acc.server_auth, ODM_AUTH_NONE);
        assert_int_equal(acc.flags, STORE_ACCOUNT_DM11);
        a = world_ask(&w, O, "PATCH", DEV "/o", "{\"auth\":\"md5\"}");
        assert_int_equal(a.status, 400); /* of a password that nobody knows */
        answer_done(&a);
        a = world_ask(&w, O, "PATCH", DEV "/o",
                      "{\"auth\":\"md5\",\"password\":\"x\",\"accept_dm11\":false}");
        assert_string_equal(answer_text(&a, "auth"), "md5");
        answer_done(&a);
        acc = account_of(&w, "o", &arena);
        assert_int_equal(acc.flags, 0);
        assert_int_equal(acc.auth, ODM_AUTH_MD5);
        odm_arena_done(&arena);
        world_stop(&w);
}

static void approves_with_a_password(void **state)
{
        world w;
        odm_arena arena;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);

        (void)state;
        world_start(&w, NULL);
        odm_arena_init(&arena, &heap_mem, 1 << 20);
        op->device = (store_device){
                .name = ODM_STR("h"), .devid = ODM_STR("urn:h"), .state = STORE_DEVICE_HELD};
        assert_int_equal(store_write_sync(w.store, b), 0);
        store_batch_free(b);
        answer a = world_ask(&w, O, "PATCH", DEV "/h", "{\"state\":\"active\"}");
        assert_int_equal(a.status, 400);
        answer_done(&a);
        a = world_ask(&w, O, "PATCH", DEV "/h", "{\"state\":\"active\",\"password\":\"pw\"}");
        assert_int_equal(a.status, 200);
        assert_string_equal(answer_text(&a, "state"), "provisioned");
        assert_string_equal(answer_text(&a, "user"), "urn:h");
        assert_int_equal(strlen(answer_text(&a, "server_password")), 24);
        answer_done(&a);
        store_account acc = account_of(&w, "h", &arena);
        assert_int_equal(acc.auth, ODM_AUTH_MD5);
        assert_str(acc.server_id, "xrem");
        odm_arena_done(&arena);
        world_stop(&w);
}

static void make_gateway(world *w, const char *name)
{
        store_batch *b = store_batch_new();
        odm_arena *a = store_batch_arena(b);
        gateway_row *row = odm_new(a, gateway_row);
        store_device d;

        world_device(w, name);
        assert_non_null(row);
        assert_int_equal(store_device_by_name(w->store, odm_cstr(name), a, &d), 0);
        row->device = d.id;
        store_batch_add(b, STORE_ROW_PUT)->row =
                (store_row_op){.table = &table_gateway, .row = row};
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
}

static void no_gateway_is_behind_itself(void **state)
{
        static const struct {
                const char *why, *path, *to;
                unsigned status;
        } cases[] = {
                {"one that there is not", DEV "/in/move", "nobody", 400},
                {"itself", DEV "/in/move", "in", 400},
                {"a gateway behind another", DEV "/in/move", "out", 204},
                {"and one behind that", DEV "/deep/move", "in", 204},
                {"not the other way round", DEV "/out/move", "in", 400},
                {"nor behind who is deeper", DEV "/out/move", "deep", 400},
                {"one level up", DEV "/deep/move", "out", 204},
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "out");
        make_gateway(&w, "in");
        make_gateway(&w, "deep");
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                char body[64];
                answer a;

                (void)snprintf(body, sizeof body, "{\"gateway\":\"%s\",\"key\":\"d%zu\"}",
                               cases[i].to, i);
                a = world_ask(&w, O, "POST", cases[i].path, body);
                if (a.status != cases[i].status)
                        fail_msg("%s: %u", cases[i].why, a.status);
                answer_done(&a);
        }
        world_stop(&w);
}

static void move_behind(world *w, const char *path, const char *gateway, const char *key)
{
        char body[64];
        answer a;

        (void)snprintf(body, sizeof body, "{\"gateway\":\"%s\",\"key\":\"%s\"}", gateway, key);
        a = world_ask(w, O, "POST", path, body);
        assert_int_equal(a.status, 204);
        answer_done(&a);
}

/* Who removes a gateway takes it from its devices, which wait for another. */
static void a_removed_gateway_leaves_its_devices_detached(void **state)
{
        bool detached = false;
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "gw");
        world_device(&w, "d");
        move_behind(&w, DEV "/d/move", "gw", "d1");
        a = world_ask(&w, A, "DELETE", DEV "/gw", NULL);
        assert_int_equal(a.status, 204);
        answer_done(&a);
        for (int i = 0; i < 1000 && !detached; i++) {
                (void)poll(NULL, 0, 10);
                a = world_ask(&w, V, "GET", DEV "/d", NULL);
                detached = strcmp(answer_text(&a, "state"), "detached") == 0;
                answer_done(&a);
        }
        assert_true(detached);
        world_stop(&w);
}

#define ONE(cmd, uri) "{\"commands\":[{\"cmd\":\"" cmd "\",\"uri\":\"" uri "\"}]}"
#define REPLACE(uri) "{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"" uri "\",\"data\":\"1\"}]}"

/* A gateway is no way around what a token sees, nor around what was decided about a device. */
static void reaches_through_gateways_what_it_sees(void **state)
{
        static const char deep[] =
                "{\"commands\":[{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"exec\","
                "\"uri\":\"./GwDev/d2/Reboot/Now\"}]}]}";
        static const struct {
                const char *why, *body;
                unsigned who, status;
        } cases[] = {
                {"its own tree", ONE("get", "./DevInfo/Man"), SCOPED, 201},
                {"one that it sees", ONE("get", "./GwDev/d1/DevInfo/Man"), SCOPED, 201},
                {"one that it does not", ONE("get", "./GwDev/d2/DevInfo/Man"), SCOPED, 404},
                {"within others", deep, SCOPED, 404},
                {"with a query", ONE("get", "./GwDev/d2?list=StructData"), SCOPED, 404},
                {"through two", ONE("get", "./GwDev/d1/GwDev/d5/DevInfo/Man"), SCOPED, 404},
                {"that nobody knows", ONE("get", "./GwDev/d9/DevInfo/Man"), SCOPED, 404},
                {"what all of them are told", REPLACE("./GwMO/Config/ConfigData/x/Data"), SCOPED,
                 403},
                {"and their rights", REPLACE("./GwDev?prop=ACL"), SCOPED, 403},
                {"reading that", ONE("get", "./GwMO/Config/Mode"), SCOPED, 201},
                {"who sees all", ONE("get", "./GwDev/d2/DevInfo/Man"), O, 201},
                {"what nobody knows too", ONE("get", "./GwDev/d9/DevInfo/Man"), O, 201},
                {"what was switched off", ONE("get", "./GwDev/d3/DevInfo/Man"), O, 409},
        };
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "acme/gw");
        make_gateway(&w, "acme/d1");
        world_device(&w, "other/d2");
        world_device(&w, "acme/d3");
        world_device(&w, "other/d5");
        move_behind(&w, DEV "/acme%2Fd1/move", "acme/gw", "d1");
        move_behind(&w, DEV "/other%2Fd2/move", "acme/gw", "d2");
        move_behind(&w, DEV "/acme%2Fd3/move", "acme/gw", "d3");
        move_behind(&w, DEV "/other%2Fd5/move", "acme/d1", "d5");
        a = world_ask(&w, O, "PATCH", DEV "/acme%2Fd3", "{\"state\":\"deactivated\"}");
        assert_int_equal(a.status, 200);
        answer_done(&a);
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                a = world_ask(&w, cases[i].who, "POST", DEV "/acme%2Fgw/jobs", cases[i].body);
                if (a.status != cases[i].status)
                        fail_msg("%s: %u", cases[i].why, a.status);
                answer_done(&a);
        }
        a = world_ask(&w, SCOPED, "GET", DEV "/acme%2Fgw/tree?live=1&uri=./GwDev/d2", NULL);
        assert_int_equal(a.status, 404);
        answer_done(&a);
        /* when all of them are its own, it may tell all of them */
        a = world_ask(&w, O, "POST", DEV "/other%2Fd2/move", "{\"gateway\":null}");
        assert_int_equal(a.status, 204);
        answer_done(&a);
        a = world_ask(&w, SCOPED, "POST", DEV "/acme%2Fgw/jobs",
                      REPLACE("./GwMO/Config/ConfigData/x/Data"));
        assert_int_equal(a.status, 403); /* one is behind who is behind it */
        answer_done(&a);
        a = world_ask(&w, O, "POST", DEV "/other%2Fd5/move", "{\"gateway\":null}");
        assert_int_equal(a.status, 204);
        answer_done(&a);
        a = world_ask(&w, SCOPED, "POST", DEV "/acme%2Fgw/jobs",
                      REPLACE("./GwMO/Config/ConfigData/x/Data"));
        assert_int_equal(a.status, 201);
        answer_done(&a);
        world_stop(&w);
}

/* All behind a gateway have to be the token's before it ends their service. */
static void ends_no_gateway_of_others(void **state)
{
        static const char off[] = "{\"state\":\"deactivated\"}";
        static const struct {
                const char *method, *path, *body;
                unsigned status; /* while there is another's */
                unsigned alone;
        } cases[] = {
                {"PATCH", DEV "/acme%2Fgw", "{\"note\":\"x\"}", 200, 200},
                {"PATCH", DEV "/acme%2Fgw", off, 403, 200},
                {"PATCH", DEV "/acme%2Fgw", "{\"state\":\"active\"}", 200, 200},
                {"PATCH", DEV "/acme%2Fd1", off, 200, 200},
                {"DELETE", "/api/v1/gateways/acme%2Fgw", NULL, 403, 202},
                {"DELETE", DEV "/acme%2Fgw", NULL, 403, 204},
        };
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "acme/gw");
        world_device(&w, "acme/d1");
        world_device(&w, "other/d2");
        move_behind(&w, DEV "/acme%2Fd1/move", "acme/gw", "d1");
        move_behind(&w, DEV "/other%2Fd2/move", "acme/gw", "d2");
        for (unsigned alone = 0; alone < 2; alone++) {
                for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                        a = world_ask(&w, SCOPED, cases[i].method, cases[i].path, cases[i].body);
                        assert_int_equal(a.status, alone ? cases[i].alone : cases[i].status);
                        answer_done(&a);
                }
                if (!alone) {
                        a = world_ask(&w, A, "DELETE", DEV "/other%2Fd2", NULL);
                        assert_int_equal(a.status, 204);
                        answer_done(&a);
                }
        }
        world_stop(&w);
}

/* Commands for a device that the token does not see, and what came of them. */
static void shows_nothing_of_devices_it_does_not_see(void **state)
{
        store_value v = {.uri = ODM_STR("./GwDev/d2/DevInfo/Man"),
                         .format = ODM_STR("chr"),
                         .data = ODM_STR("Maker")};
        const store_result r = {.status = 200, .sent = true, .items = &v, .n_items = 1};
        char path[64];
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "acme/gw");
        world_device(&w, "other/d2");
        move_behind(&w, DEV "/other%2Fd2/move", "acme/gw", "d2");
        a = world_ask(&w, O, "POST", DEV "/acme%2Fgw/jobs", REPLACE("./GwDev/d2/Ext/A"));
        assert_int_equal(a.status, 201);
        int64_t id = strtoll(answer_text(&a, "id"), NULL, 10);
        answer_done(&a);
        world_finish_job(&w, id, STORE_JOB_DONE, &r, 1);
        (void)snprintf(path, sizeof path, "/api/v1/jobs/%lld", (long long)id);
        for (unsigned i = 0; i < 2; i++) {
                a = world_ask(&w, i ? SCOPED : O, "GET", path, NULL);
                const json_t *cmd = first_of(&a, "commands");

                assert_int_equal(a.status, 200);
                assert_true((json_object_get(cmd, "data") != NULL) == (i == 0));
                assert_true((json_object_get(cmd, "results") != NULL) == (i == 0));
                answer_done(&a);
        }
        world_stop(&w);
}

/* A list of nodes, and what is of all behind a gateway, are shown as far as the token sees them. */
static void leaves_out_of_lists_what_it_does_not_see(void **state)
{
        store_value v[] = {{.uri = ODM_STR("./GwDev/d1/DevInfo/Man"), .data = ODM_STR("own")},
                           {.uri = ODM_STR("./GwDev/d2/DevInfo/Man"), .data = ODM_STR("other")},
                           {.uri = ODM_STR("./DevInfo/Man"), .data = ODM_STR("gw")},
                           {.uri = ODM_STR("./GwMO/Inventory/Records/d2"), .data = ODM_STR("d2")}};
        const store_result r = {.status = 200, .sent = true, .items = v, .n_items = ODM_COUNT(v)};
        static const struct {
                const char *uri;
                unsigned who;
                size_t n;
        } cases[] = {
                {"./DevInfo", O, 4},
                {"./DevInfo", SCOPED, 2},
                {".?list=StructData", SCOPED, 0},
                {"./GwDev?list=StructData", SCOPED, 0},
                {"./GwMO/Inventory/Records?list=TNDS", SCOPED, 0},
                {"./GwMO/Inventory/Records?list=TNDS", O, 4},
        };
        char path[64], body[128];
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "acme/gw");
        world_device(&w, "acme/d1");
        world_device(&w, "other/d2");
        move_behind(&w, DEV "/acme%2Fd1/move", "acme/gw", "d1");
        move_behind(&w, DEV "/other%2Fd2/move", "acme/gw", "d2");
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                (void)snprintf(body, sizeof body,
                               "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"%s\"}]}", cases[i].uri);
                a = world_ask(&w, O, "POST", DEV "/acme%2Fgw/jobs", body);
                int64_t id = strtoll(answer_text(&a, "id"), NULL, 10);
                answer_done(&a);
                world_finish_job(&w, id, STORE_JOB_DONE, &r, 1);
                (void)snprintf(path, sizeof path, "/api/v1/jobs/%lld", (long long)id);
                a = world_ask(&w, cases[i].who, "GET", path, NULL);
                size_t n = json_array_size(json_object_get(first_of(&a, "commands"), "results"));
                if (n != cases[i].n)
                        fail_msg("%s of %u: %zu", cases[i].uri, cases[i].who, n);
                answer_done(&a);
        }
        world_stop(&w);
}

static void renames_switches_off_and_on(void **state)
{
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "old");
        a = world_ask(&w, O, "PATCH", DEV "/old",
                      "{\"name\":\"new/name\",\"state\":\"deactivated\"}");
        assert_int_equal(a.status, 200);
        assert_string_equal(answer_text(&a, "name"), "new/name");
        assert_string_equal(answer_text(&a, "state"), "deactivated");
        answer_done(&a);
        a = world_ask(&w, O, "PATCH", DEV "/new%2Fname", "{\"state\":\"active\"}");
        assert_string_equal(answer_text(&a, "state"), "provisioned"); /* it has never called */
        answer_done(&a);
        a = world_ask(&w, V, "GET", DEV "/old", NULL);
        assert_int_equal(a.status, 404);
        answer_done(&a);
        world_stop(&w);
}

/* ---- jobs ------------------------------------------------------------------------ */

static const store_value man = {
        .uri = {"./DevInfo/Man", 13}, .format = {"chr", 3}, .data = {"Maker", 5}};
static const store_result man_result = {.index = 0,
                                        .status = 200,
                                        .sent = true,
                                        .items = (store_value *)(uintptr_t)&man,
                                        .n_items = 1};

/* By their keys the server knows its own jobs: nobody else's can pass for one of them. */
static void keys_of_the_servers_own_jobs_are_nobodys(void **state)
{
        static const struct {
                const char *key;
                unsigned status;
        } cases[] = {{"campaign/1/1", 400},    {"collect/1/1", 400},  {"gateway/1", 400},
                     {"rule/1/1", 400},        {"template/1/1", 400}, {"mine/1", 201},
                     {"gateway of mine", 201}, {"mine/1", 200}};
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                w.key = cases[i].key;
                answer a = world_ask(&w, O, "POST", DEV "/d/jobs", ONE("get", "./A"));
                if (a.status != cases[i].status)
                        fail_msg("%s: %u", cases[i].key, a.status);
                answer_done(&a);
        }
        world_stop(&w);
}

static void shows_what_came_of_a_job(void **state)
{
        world w;
        char path[64];
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        int64_t id = world_job(&w, "d");
        world_finish_job(&w, id, STORE_JOB_DONE, &man_result, 1);
        (void)snprintf(path, sizeof path, "/api/v1/jobs/%lld", (long long)id);
        a = world_ask(&w, V, "GET", path, NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(answer_text(&a, "state"), "done");
        assert_string_equal(answer_text(&a, "actor"), "otto");
        assert_string_equal(answer_text(&a, "route"), "called"); /* its session is not kept */
        const json_t *note = first_of(&a, "history");
        assert_string_equal(json_string_value(json_object_get(note, "text")), "made by otto");
        assert_string_equal(json_string_value(json_object_get(note, "state")), "queued");
        const json_t *cmd = first_of(&a, "commands");
        assert_told_of(a.json, "Job");
        assert_told_of(cmd, "CommandResult");
        assert_int_equal(json_integer_value(json_object_get(cmd, "status")), 200);
        const json_t *v = json_array_get(json_object_get(cmd, "results"), 0);
        assert_string_equal(json_string_value(json_object_get(v, "data")), "Maker");
        assert_told_of(v, "Node");
        answer_done(&a);
        a = world_ask(&w, O, "DELETE", path, NULL);
        assert_int_equal(a.status, 409);
        answer_done(&a);
        world_stop(&w);
}

/* What operators and viewers see has its size only. */
static void local_addresses_are_the_admins(void **state)
{
        static const struct {
                const char *why, *uri, *format;
                bool hidden;
        } cases[] = {
                {"a record's", ADDR, "chr", true},
                {"its kind", "./GwMO/Inventory/Records/d1/AddrType", "chr", true},
                {"a document of all", "./GwMO/Inventory/Records", "xml", true},
                {"of a gateway behind it", "./GwDev/d1/GwMO/Inventory/Records/d2/Addr", "chr",
                 true},
                {"any other", "./DevInfo/Man", "chr", false},
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                store_value v = {.uri = odm_cstr(cases[i].uri),
                                 .format = odm_cstr(cases[i].format),
                                 .data = ODM_STR("10.0.0.7")};
                const store_result r = {.status = 200, .sent = true, .items = &v, .n_items = 1};
                char path[64];
                int64_t id = world_job(&w, "d");

                world_finish_job(&w, id, STORE_JOB_DONE, &r, 1);
                (void)snprintf(path, sizeof path, "/api/v1/jobs/%lld", (long long)id);
                for (unsigned who = V; who <= A; who++) {
                        answer a = world_ask(&w, who, "GET", path, NULL);
                        const json_t *got = json_array_get(
                                json_object_get(first_of(&a, "commands"), "results"), 0);
                        bool shown = json_object_get(got, "data") != NULL;

                        if (shown != (!cases[i].hidden || who == A) ||
                            json_integer_value(json_object_get(got, "size")) != 8)
                                fail_msg("%s, for role %u", cases[i].why, who);
                        answer_done(&a);
                }
        }
        world_stop(&w);
}

/* As it is, in a document, and in one that is octets. */
static void never_shows_a_secret_that_a_job_writes(void **state)
{
        static const char *const bodies[] = {
                "{\"commands\":[{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"replace\",\"uri\":"
                "\"./DMAcc/x/AppAuth/s/AAuthSecret\",\"data\":\"hush-hush\"}]}]}",
                "{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./GwMO/Config/Bootstrap/b/Data\","
                "\"format\":\"xml\",\"data\":\"<MgmtTree><Node><NodeName>AAuthSecret</NodeName>"
                "<Value>hush-hush</Value></Node></MgmtTree>\"}]}",
                /* <NodeName>AAuthSecret</NodeName><Value>hush-hush */
                "{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./A/"
                "AAuthSecrets\",\"format\":\"bin\","
                "\"data_base64\":\"PE5vZGVOYW1lPkFBdXRoU2VjcmV0PC9Ob2RlTmFtZT48VmFsdWU+"
                "aHVzaC1odXNo\"}]}",
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        for (size_t i = 0; i < 2 * ODM_COUNT(bodies); i++) {
                char path[32];
                (void)snprintf(path, sizeof path, "/api/v1/jobs/%zu", i / 2 + 1);
                answer a = i % 2 == 0 ? world_ask(&w, O, "POST", DEV "/d/jobs", bodies[i / 2])
                                      : world_ask(&w, A, "GET", path, NULL);
                char *text = json_dumps(a.json, 0);
                assert_non_null(strstr(text, "replace"));
                assert_null(strstr(text, "hush-hush"));
                assert_null(strstr(text, "aHVzaC1odXNo"));
                free(text);
                answer_done(&a);
        }
        world_stop(&w);
}

static void refuses_more_open_jobs_than_are_allowed(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        for (int i = 0; i < 50; i++)
                (void)world_job(&w, "d");
        answer a = world_ask(&w, O, "POST", DEV "/d/jobs",
                             "{\"commands\":[{\"cmd\":\"get\",\"uri\":\".\"}]}");
        assert_int_equal(a.status, 409);
        answer_done(&a);
        a = world_ask(&w, V, "GET", "/api/v1/jobs?limit=20&state=queued", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 20);
        char path[128];
        (void)snprintf(path, sizeof path, "/api/v1/jobs?limit=40&cursor=%s",
                       answer_text(&a, "next"));
        answer_done(&a);
        a = world_ask(&w, V, "GET", path, NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 30);
        assert_null(json_object_get(a.json, "next"));
        answer_done(&a);
        world_stop(&w);
}

/* ---- waiting --------------------------------------------------------------------- */

typedef struct waiting {
        world *w;
        char path[96];
        unsigned status;
        char state[16];
        pthread_t thread;
} waiting;

static void *wait_for(void *ctx)
{
        waiting *t = ctx;
        answer a = world_ask(t->w, V, "GET", t->path, NULL);

        t->status = a.status;
        (void)snprintf(t->state, sizeof t->state, "%s", answer_text(&a, "state"));
        answer_done(&a);
        return NULL;
}

static void many_wait_while_others_are_served(void **state)
{
        enum { WAITERS = 40 }; /* far more than the listener has threads */
        static waiting t[WAITERS];
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        int64_t id = world_job(&w, "d");
        for (int i = 0; i < WAITERS; i++) {
                t[i].w = &w;
                (void)snprintf(t[i].path, sizeof t[i].path, "/api/v1/jobs/%lld?wait=60",
                               (long long)id);
                assert_int_equal(pthread_create(&t[i].thread, NULL, wait_for, &t[i]), 0);
        }
        odm_time began = loop_now();
        for (int i = 0; i < 20; i++)
                (void)count_devices(&w, V, "");
        world_finish_job(&w, id, STORE_JOB_FAILED, NULL, 0);
        for (int i = 0; i < WAITERS; i++) {
                pthread_join(t[i].thread, NULL);
                assert_int_equal(t[i].status, 200);
                assert_string_equal(t[i].state, "failed");
        }
        assert_true(loop_now().ms - began.ms < 20000);
        world_stop(&w);
}

static void a_wait_ends_with_its_time_and_without_a_hint(void **state)
{
        world w;
        odm_time began;
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        began = loop_now();
        a = world_ask(&w, O, "POST", DEV "/d/jobs",
                      "{\"commands\":[{\"cmd\":\"get\",\"uri\":\".\"}],\"wait\":1}");
        assert_int_equal(a.status, 201);
        assert_string_equal(answer_text(&a, "state"), "queued");
        assert_string_equal(a.location, "/api/v1/jobs/1");
        assert_true(loop_now().ms - began.ms >= 900);
        answer_done(&a);
        waiting t = {.w = &w, .path = "/api/v1/jobs/1?wait=30"};
        assert_int_equal(pthread_create(&t.thread, NULL, wait_for, &t), 0);
        a = world_ask(&w, O, "DELETE", "/api/v1/jobs/1", NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(answer_text(&a, "state"), "cancelled");
        answer_done(&a);
        pthread_join(t.thread, NULL);
        assert_string_equal(t.state, "cancelled");
        world_stop(&w);
}

static void note_rc(void *ctx, int rc)
{
        *(int *)ctx = rc;
}

static void only_so_many_wait(void **state)
{
        world w;
        waits *few;
        loop *l;
        int first = 1, second = 1;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        int64_t id = world_job(&w, "d");
        assert_int_equal(loop_new(&l), 0);
        assert_int_equal(waits_new(l, w.store, 1, &few), 0);
        assert_int_equal(wait_job(few, id, 60000, note_rc, &first), 0);
        assert_int_equal(wait_job(few, id, 60000, note_rc, &second), ODM_ELIMIT);
        world_finish_job(&w, id, STORE_JOB_DONE, NULL, 0);
        wait_hint(few, id);
        assert_int_equal(loop_once(l, 5000), 0);
        assert_int_equal(first, 0);
        assert_int_equal(wait_job(few, id, 60000, note_rc, &second),
                         0); /* there is a place again */
        assert_int_equal(loop_once(l, 5000), 0);
        assert_int_equal(second, 0);
        waits_stop(few);
        assert_int_equal(wait_job(few, id, 60000, note_rc, &second), ODM_ESTATE);
        waits_free(few);
        loop_free(l);
        world_stop(&w);
}

static void stopping_answers_who_waits(void **state)
{
        world w;
        waiting t = {.w = &w, .path = "/api/v1/jobs/1?wait=60"};

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        (void)world_job(&w, "d");
        assert_int_equal(pthread_create(&t.thread, NULL, wait_for, &t), 0);
        while (httpd_get_stats(w.httpd).active == 0) /* until the request is there */
                (void)count_devices(&w, V, "");
        odm_time began = loop_now();
        world_stop(&w);
        pthread_join(t.thread, NULL);
        assert_int_equal(t.status, 200);
        assert_string_equal(t.state, "queued");
        assert_true(loop_now().ms - began.ms < 10000);
}

/* ---- trees ----------------------------------------------------------------------- */

/* A device that answers each job at once: knows ?list= or not, and has ./A (node: B/C), ./A/B = 1,
 * ./A/C (node: D), ./A/C/D = 2. */
typedef struct fake {
        world *w;
        bool lists;
        unsigned jobs;
} fake;

static const store_value nodes[] = {
        {.uri = {"./A", 3}, .format = {"node", 4}, .data = {"B/C", 3}},
        {.uri = {"./A/B", 5}, .format = {"int", 3}, .data = {"1", 1}},
        {.uri = {"./A/C", 5}, .format = {"node", 4}, .data = {"D", 1}},
        {.uri = {"./A/C/D", 7}, .format = {"bin", 3}, .data = {"\x00\xff", 2}},
        {.uri = {ADDR, sizeof ADDR - 1}, .format = {"chr", 3}, .data = {"10.0.0.7", 8}},
};

static store_result fake_answer(const fake *f, const char *uri)
{
        store_result r = {.status = 404, .sent = true};

        if (strstr(uri, "?list=")) {
                if (!f->lists || strcmp(uri, "./A?list=StructData") != 0)
                        return r;
                r.status = 200;
                r.items = (store_value *)(uintptr_t)nodes;
                r.n_items = ODM_COUNT(nodes);
                return r;
        }
        for (size_t i = 0; i < ODM_COUNT(nodes); i++)
                if (odm_str_is(nodes[i].uri, uri)) {
                        r.status = 200;
                        r.items = (store_value *)(uintptr_t)&nodes[i];
                        r.n_items = 1;
                }
        return r;
}

static void on_fake_done(void *ctx, store_batch *b, int rc)
{
        fake *f = ctx;

        assert_int_equal(rc, 0);
        api_job_moved(f->w->api, b->ops[b->n - 1]->job_move.job);
}

static void fake_job(void *ctx, int64_t device, int64_t job)
{
        fake *f = ctx;
        store_batch *b = store_batch_new();
        store_op *op;
        store_job j;
        size_t i;
        json_t *c;

        assert_int_equal(store_job_get(f->w->store, job, store_batch_arena(b), &j), 0);
        json_t *list = json_loadb(j.commands.p, j.commands.n, 0, NULL);
        json_array_foreach(list, i, c)
        {
                op = store_batch_add(b, STORE_RESULT_PUT);
                op->result.device = device;
                op->result.job = job;
                op->result.r = fake_answer(f, json_string_value(json_object_get(c, "uri")));
                op->result.r.index = (uint32_t)i;
        }
        json_decref(list);
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = device;
        op->job_move.job = job;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_DONE;
        op->job_move.at = j.created + 1;
        f->jobs++;
        assert_int_equal(store_write(f->w->store, b, on_fake_done, f), 0);
}

static void assert_whole_tree(const answer *a, size_t n)
{
        const json_t *list = json_object_get(a->json, "nodes"), *v;
        size_t i;
        bool octets = false;

        assert_int_equal(a->status, 200);
        assert_string_equal(answer_text(a, "source"), "device");
        assert_int_equal(json_array_size(list), n);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "uri")),
                            "./A");
        json_array_foreach(list, i, v)
        {
                const char *b64 = json_string_value(json_object_get(v, "data_base64"));
                octets |= b64 && strcmp(b64, "AP8=") == 0;
        }
        assert_int_equal(octets, n == 4);
}

static void asks_the_device_for_its_tree(void **state)
{
        static const struct {
                const char *why, *path;
                bool lists;
                size_t nodes;
                unsigned jobs;
        } cases[] = {
                {"a device that lists", DEV "/d/tree?uri=./A&live=1&timeout=20", true, 4, 1},
                {"a part of it", DEV "/d/tree?uri=./A&live=1&depth=1&timeout=20", true, 3, 1},
                {"one that does not", DEV "/d/tree?uri=./A&live=1&timeout=20", false, 4, 4},
                {"a part of that", DEV "/d/tree?uri=./A&live=1&depth=1&timeout=20", false, 3, 3},
        };
        world w;
        fake f = {.w = &w};
        const api_hooks hooks = {.job_created = fake_job, .ctx = &f};

        (void)state;
        world_start(&w, &hooks);
        world_device(&w, "d");
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                f.lists = cases[i].lists;
                f.jobs = 0;
                answer a = world_ask(&w, O, "GET", cases[i].path, NULL);
                assert_whole_tree(&a, cases[i].nodes);
                if (f.jobs != cases[i].jobs)
                        fail_msg("%s: took %u jobs", cases[i].why, f.jobs);
                answer_done(&a);
        }
        for (unsigned who = O; who <= A; who++) { /* a device's local address is the admin's */
                answer b = world_ask(&w, who, "GET", DEV "/d/tree?uri=" ADDR "&live=1", NULL);
                const json_t *v = first_of(&b, "nodes");

                assert_int_equal(json_integer_value(json_object_get(v, "size")), 8);
                assert_int_equal(json_object_get(v, "data") != NULL, who == A);
                answer_done(&b);
        }
        answer a = world_ask(&w, O, "GET", DEV "/d/tree?uri=./Z&live=1&timeout=20", NULL);
        assert_int_equal(a.status, 404);
        assert_int_equal(json_integer_value(json_object_get(a.json, "device_status")), 404);
        answer_done(&a);
        world_stop(&w);
}

static void says_when_the_device_does_not_call(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        answer a = world_ask(&w, O, "GET", DEV "/d/tree?live=1&timeout=1", NULL);
        assert_int_equal(a.status, 504);
        assert_string_equal(answer_text(&a, "type"), "urn:xrem:problem:device-timeout");
        assert_string_equal(answer_text(&a, "job"), "1");
        answer_done(&a);
        world_stop(&w);
}

static void keep_nodes(world *w, const char *device, const store_tree_change *ch, size_t n)
{
        odm_arena arena;
        store_device d;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TREE_UPDATE);

        odm_arena_init(&arena, &heap_mem, 1 << 20);
        assert_int_equal(store_device_by_name(w->store, odm_cstr(device), &arena, &d), 0);
        op->tree.device = d.id;
        op->tree.at = d.created;
        op->tree.v = ch;
        op->tree.n = n;
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
        odm_arena_done(&arena);
}

static const json_t *node_of(const answer *a, const char *uri)
{
        const json_t *v;
        size_t i;

        json_array_foreach(json_object_get(a->json, "nodes"), i, v)
        {
                if (strcmp(json_string_value(json_object_get(v, "uri")), uri) == 0)
                        return v;
        }
        fail_msg("no node %s", uri);
        return NULL;
}

#define TEXT(s)                    \
        {                          \
                (s), sizeof(s) - 1 \
        }
#define DMACC_ID TEXT("URN:OMA:mo:oma-dm-dmacc:1.0") /* letters of either case */

static void describes_what_it_knows(void **state)
{
        static const store_tree_change ch[] = {
                {.path = TEXT("./Acc"), .format = TEXT("node")},
                {.path = TEXT("./Acc/a"), .format = TEXT("node"), .type = DMACC_ID},
                {.path = TEXT("./Acc/a/ServerID"), .format = TEXT("chr"), .value = TEXT("x")},
                {.path = TEXT("./DevDetail"), .format = TEXT("node"), .type = TEXT("urn:x:y:1")},
                {.path = TEXT("./DevDetail/SwV"), .format = TEXT("chr"), .value = TEXT("1")},
                {.path = TEXT("./DevInfo"), .format = TEXT("node")},
                {.path = TEXT("./DevInfo/Lang"), .format = TEXT("node")},
                {.path = TEXT("./DevInfo/Man"), .value = TEXT("A")},
                {.path = TEXT("./DevInfo/Own"), .format = TEXT("chr"), .value = TEXT("o")},
        };
        static const struct {
                const char *why, *root, *uri, *access; /* NULL: not described */
        } cases[] = {
                {"by its place", ".", "./DevInfo", "get"},
                {"in an object by its place", ".", "./DevInfo/Man", "get"},
                {"a part of the tree", "./DevInfo/Man", "./DevInfo/Man", "get"},
                {"a node nobody described", ".", "./DevInfo/Own", NULL},
                {"a node where a leaf should be", ".", "./DevInfo/Lang", NULL},
                {"by the type of its object, anywhere", ".", "./Acc/a/ServerID", "get"},
                {"the same, its object not asked for", "./Acc/a/ServerID", "./Acc/a/ServerID",
                 "get"},
                {"above an object", ".", "./Acc", NULL},
                {"another object in a well-known place", ".", "./DevDetail", NULL},
                {"and below it", ".", "./DevDetail/SwV", NULL},
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        keep_nodes(&w, "d", ch, ODM_COUNT(ch));
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                char path[128];
                (void)snprintf(path, sizeof path, DEV "/d/tree?uri=%s", cases[i].root);
                answer a = world_ask(&w, V, "GET", path, NULL);
                assert_int_equal(a.status, 200);
                const json_t *n = node_of(&a, cases[i].uri);
                const json_t *access = json_array_get(json_object_get(n, "access"), 0);
                bool described = json_object_get(n, "scope") != NULL;
                if (described != (cases[i].access != NULL) ||
                    (described && strcmp(json_string_value(access), cases[i].access) != 0))
                        fail_msg("%s", cases[i].why);
                assert_told_of(n, "Node");
                answer_done(&a);
        }
        answer a = world_ask(&w, V, "GET", DEV "/d/tree?uri=./DevInfo/Man", NULL);
        const json_t *n = node_of(&a, "./DevInfo/Man");
        assert_string_equal(json_string_value(json_object_get(n, "format")), "chr");
        assert_string_equal(json_string_value(json_object_get(n, "title")), "Manufacturer");
        assert_string_equal(json_string_value(json_object_get(n, "scope")), "permanent");
        answer_done(&a);
        world_stop(&w);
}

static void shows_the_mirror_with_ages(void **state)
{
        static const store_tree_change ch[] = {
                {.path = {"./A", 3}, .format = {"node", 4}},
                {.path = {"./A/B", 5}, .format = {"chr", 3}, .value = {"x", 1}},
                {.path = {"./AB", 4}, .format = {"chr", 3}, .value = {"y", 1}},
                {.path = {"./A/Big", 7}, .format = {"chr", 3}, .size = 100000},
        };
        world w;
        odm_arena arena;
        store_device d;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        odm_arena_init(&arena, &heap_mem, 1 << 20);
        assert_int_equal(store_device_by_name(w.store, ODM_STR("d"), &arena, &d), 0);
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TREE_UPDATE);
        op->tree.device = d.id;
        op->tree.at = d.created - 60000;
        op->tree.v = (const store_tree_change *)ch;
        op->tree.n = ODM_COUNT(ch);
        assert_int_equal(store_write_sync(w.store, b), 0);
        store_batch_free(b);
        odm_arena_done(&arena);

        answer a = world_ask(&w, V, "GET", DEV "/d/tree?uri=./A", NULL);
        assert_int_equal(a.status, 200);
        const json_t *list = json_object_get(a.json, "nodes");
        assert_int_equal(json_array_size(list), 3);
        const json_t *leaf = json_array_get(list, 1);
        assert_told_of(a.json, "Tree");
        assert_told_of(leaf, "Node");
        assert_string_equal(json_string_value(json_object_get(leaf, "data")), "x");
        assert_true(json_integer_value(json_object_get(leaf, "age")) >= 59);
        const json_t *big = json_array_get(list, 2);
        assert_int_equal(json_integer_value(json_object_get(big, "size")), 100000);
        assert_null(json_object_get(big, "data"));
        answer_done(&a);
        a = world_ask(&w, V, "GET", DEV "/d/tree?uri=./A&depth=0", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "nodes")), 1);
        answer_done(&a);
        world_stop(&w);
}

/* ---- sessions -------------------------------------------------------------------- */

static odm_str a_message(odm_buf *out)
{
        odm_item place = {.target = ODM_STR("./GwMO/Inventory/Records/d1/Addr"),
                          .data = {ODM_DATA_TEXT, ODM_STR("10.9.8.7:5683")}};
        odm_item item = {.next = &place,
                         .target = ODM_STR("./DMAcc/x/AppAuth/s/AAuthSecret"),
                         .data = {ODM_DATA_TEXT, ODM_STR("hush-hush")}};
        odm_command cmd = {.kind = ODM_CMD_REPLACE, .cmd_id = ODM_STR("1"), .items = &item};
        odm_msg m = {
                .hdr = {.ver_dtd = ODM_STR("1.2"),
                        .ver_proto = ODM_STR("DM/1.2"),
                        .session_id = ODM_STR("1"),
                        .msg_id = ODM_STR("1"),
                        .target = ODM_STR("http://127.0.0.1/dm"),
                        .source = ODM_STR("urn:1"),
                        .cred = {.present = true,
                                 .meta = {.present = true, .type = ODM_STR("syncml:auth-basic")},
                                 .data = ODM_STR("dTpwYXNzd29yZA==")}},
                .body = &cmd,
                .final = true,
                .has_body = true};

        odm_buf_init(out, &heap_mem, 1 << 16);
        assert_int_equal(odm_encode(&odm_codec_wbxml, &m, out), 0);
        return odm_buf_view(out);
}

static void open_session(world *w, const char *device, odm_str message)
{
        odm_arena arena;
        store_device d;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        const store_message said[] = {{.at = 1000000,
                                       .mime = ODM_STR("application/vnd.syncml.dm+wbxml"),
                                       .bytes = message},
                                      {.at = 1000000,
                                       .mime = ODM_STR("application/vnd.syncml.dm+wbxml"),
                                       .bytes = ODM_STR("not a message"),
                                       .size = message.n}};

        odm_arena_init(&arena, &heap_mem, 1 << 20);
        assert_int_equal(store_device_by_name(w->store, odm_cstr(device), &arena, &d), 0);
        op->session.s = (store_session){.device = d.id,
                                        .dm_id = ODM_STR("A1"),
                                        .sid = ODM_STR("tok"),
                                        .peer = ODM_STR("192.0.2.1:5000"),
                                        .codec = ODM_STR("wbxml"),
                                        .route = ODM_STR("called"),
                                        .started = 1000000,
                                        .last = 1001000,
                                        .messages = 2};
        op->session.v = said;
        op->session.n = 2;
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
        odm_arena_done(&arena);
}

/* A gateway's messages are about any device behind it. */
static void messages_of_gateways_are_for_who_sees_all_behind(void **state)
{
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        make_gateway(&w, "acme/gw");
        world_device(&w, "acme/d1");
        world_device(&w, "other/d2");
        move_behind(&w, DEV "/acme%2Fd1/move", "acme/gw", "d1");
        open_session(&w, "acme/gw", ODM_STR("no message either"));
        for (unsigned i = 0; i < 3; i++) {
                if (i == 1)
                        move_behind(&w, DEV "/other%2Fd2/move", "acme/gw", "d2");
                a = world_ask(&w, i < 2 ? SCOPED : O, "GET", DEV "/acme%2Fgw/sessions/1", NULL);
                assert_int_equal(a.status, 200);
                const json_t *m = first_of(&a, "messages");
                assert_true((json_object_get(m, "broken") != NULL) == (i != 1));
                assert_true(json_is_true(json_object_get(m, "hidden")) == (i == 1));
                assert_told_of(m, "Message");
                answer_done(&a);
        }
        world_stop(&w);
}

static void shows_messages_without_their_secrets(void **state)
{
        world w;
        odm_buf buf;
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        open_session(&w, "d", a_message(&buf));
        a = world_ask(&w, V, "GET", DEV "/d/sessions", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 1);
        answer_done(&a);
        for (unsigned who = O; who <= A; who++) {
                a = world_ask(&w, who, "GET",
                              who == A ? DEV "/d/sessions/1?secrets=1" : DEV "/d/sessions/1", NULL);
                assert_int_equal(a.status, 200);
                const json_t *list = json_object_get(a.json, "messages");
                const json_t *m = json_array_get(list, 0);
                assert_told_of(m, "Message");
                assert_told_of(json_array_get(list, 1), "Message");
                const char *xml = json_string_value(json_object_get(m, "xml"));
                assert_non_null(xml);
                assert_non_null(strstr(xml, "AAuthSecret"));
                assert_int_equal(strstr(xml, "hush-hush") != NULL, who == A);
                assert_int_equal(strstr(xml, "10.9.8.7") != NULL, who == A);
                assert_int_equal(strstr(xml, "dTpwYXNzd29yZA==") != NULL, who == A);
                assert_int_equal(json_object_get(m, "raw_base64") != NULL, who == A);
                assert_true(json_is_true(json_object_get(json_array_get(list, 1), "broken")));
                assert_null(json_object_get(a.json, "peer"));
                answer_done(&a);
        }
        a = world_ask(&w, A, "GET", DEV "/d/sessions/1?addresses=1", NULL);
        const char *places = json_string_value(json_object_get(first_of(&a, "messages"), "xml"));
        assert_non_null(strstr(places, "10.9.8.7"));
        assert_null(strstr(places, "hush-hush"));
        answer_done(&a);
        a = world_ask(&w, A, "GET", DEV "/d/sessions?addresses=1", NULL);
        const json_t *s = first_of(&a, "items");
        assert_told_of(s, "Session");
        assert_string_equal(json_string_value(json_object_get(s, "peer")), "192.0.2.1:5000");
        answer_done(&a);
        odm_buf_done(&buf);
        world_stop(&w);
}

/* ---- who did what ---------------------------------------------------------------- */

static void writes_down_who_changed_what(void **state)
{
        static const char *const actions[] = {"device.remove", "job.create", "device.change",
                                              "device.create"};
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        a = world_ask(&w, O, "PATCH", DEV "/d", "{\"tags\":[\"x\"],\"password\":\"hush-hush\"}");
        answer_done(&a);
        (void)world_job(&w, "d");
        a = world_ask(&w, A, "DELETE", DEV "/d", NULL);
        answer_done(&a);
        a = world_ask(&w, A, "GET", "/api/v1/audit", NULL);
        const json_t *items = json_object_get(a.json, "items");
        assert_int_equal(json_array_size(items), ODM_COUNT(actions));
        assert_told_of(first_of(&a, "items"), "AuditEntry");
        for (size_t i = 0; i < ODM_COUNT(actions); i++) {
                const json_t *e = json_array_get(items, i);
                assert_string_equal(json_string_value(json_object_get(e, "action")), actions[i]);
                assert_string_equal(json_string_value(json_object_get(e, "actor")),
                                    i == 0 ? "ada" : "otto");
        }
        char *text = json_dumps(a.json, 0);
        assert_null(strstr(text, "hush-hush"));
        free(text);
        answer_done(&a);
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(openapi_lists_exactly_the_routes),
                cmocka_unit_test(answers_as_the_table_says),
                cmocka_unit_test(refuses_bodies_of_the_wrong_kind_or_size),
                cmocka_unit_test(pages_through_devices),
                cmocka_unit_test(filters_devices_and_keeps_to_the_scope),
                cmocka_unit_test(keeps_digests_and_shows_generated_passwords_once),
                cmocka_unit_test(lets_no_device_in_by_a_certificate_alone_that_has_none),
                cmocka_unit_test(asks_nothing_of_an_open_account),
                cmocka_unit_test(approves_with_a_password),
                cmocka_unit_test(no_gateway_is_behind_itself),
                cmocka_unit_test(a_removed_gateway_leaves_its_devices_detached),
                cmocka_unit_test(reaches_through_gateways_what_it_sees),
                cmocka_unit_test(ends_no_gateway_of_others),
                cmocka_unit_test(shows_nothing_of_devices_it_does_not_see),
                cmocka_unit_test(leaves_out_of_lists_what_it_does_not_see),
                cmocka_unit_test(renames_switches_off_and_on),
                cmocka_unit_test(keys_of_the_servers_own_jobs_are_nobodys),
                cmocka_unit_test(shows_what_came_of_a_job),
                cmocka_unit_test(local_addresses_are_the_admins),
                cmocka_unit_test(never_shows_a_secret_that_a_job_writes),
                cmocka_unit_test(refuses_more_open_jobs_than_are_allowed),
                cmocka_unit_test(many_wait_while_others_are_served),
                cmocka_unit_test(a_wait_ends_with_its_time_and_without_a_hint),
                cmocka_unit_test(only_so_many_wait),
                cmocka_unit_test(stopping_answers_who_waits),
                cmocka_unit_test(asks_the_device_for_its_tree),
                cmocka_unit_test(says_when_the_device_does_not_call),
                cmocka_unit_test(describes_what_it_knows),
                cmocka_unit_test(shows_the_mirror_with_ages),
                cmocka_unit_test(shows_messages_without_their_secrets),
                cmocka_unit_test(messages_of_gateways_are_for_who_sees_all_behind),
                cmocka_unit_test(writes_down_who_changed_what),
        };
        return RUN_TESTS(tests);
}
