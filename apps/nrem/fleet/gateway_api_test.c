/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways in REST: who may, what is refused and in which words, what is shown. */
#include <unistd.h>

#include "account.h"
#include "api_world.h"
#include "heap.h"

#define GW "/api/v1/gateways"
#define DEV "/api/v1/devices"
#define MOVE(to) "{\"gateway\":\"" to "\",\"key\":\"d1\"}"

static const struct {
        const char *why;
        unsigned who;
        const char *method, *path, *body;
        unsigned status;
        const char *says; /* somewhere in the answer; NULL: anything */
} rows[] = {
        {"a page", TOKEN_VIEWER, "GET", GW, NULL, 200, "\"name\":\"gw\""},
        {"none of its own", SCOPED, "GET", GW, NULL, 200, "\"items\":[]"},
        {"one", TOKEN_VIEWER, "GET", GW "/gw", NULL, 200, "\"devices\":0"},
        {"another's", SCOPED, "GET", GW "/gw", NULL, 404, NULL},
        {"no gateway", TOKEN_VIEWER, "GET", GW "/acme%2F1", NULL, 404, "acme/1 is no gateway"},
        {"nobody behind it", TOKEN_VIEWER, "GET", GW "/gw/devices", NULL, 200, "\"items\":[]"},
        {"addresses are an admin's", TOKEN_VIEWER, "GET", GW "/gw/devices?addresses=1", NULL, 403,
         NULL},
        {"a viewer moves nothing", TOKEN_VIEWER, "POST", DEV "/acme%2F1/move", MOVE("gw"), 403,
         NULL},
        {"to nowhere in particular", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", "{}", 400,
         "is missing"},
        {"without a key", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", "{\"gateway\":\"gw\"}", 400,
         "is missing"},
        {"with a key that is none", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move",
         "{\"gateway\":\"gw\",\"key\":\"../d\"}", 400, "is none that a gateway can have"},
        {"in no mode", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move",
         "{\"gateway\":\"gw\",\"key\":\"d1\",\"mode\":\"magic\"}", 400, "mode"},
        {"behind a device that is no gateway", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move",
         MOVE("acme/2"), 400, "is none that there is"},
        {"behind one that is not there", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", MOVE("gone"),
         400, "is none that there is"},
        {"behind one that the token does not see", SCOPED, "POST", DEV "/acme%2F1/move", MOVE("gw"),
         400, "is none that there is"},
        {"behind itself", TOKEN_OPERATOR, "POST", DEV "/gw/move", MOVE("gw"), 400,
         "has to be another device"},
        {"a device that is not there", TOKEN_OPERATOR, "POST", DEV "/gone/move", MOVE("gw"), 404,
         NULL},
        {"behind the gateway", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", MOVE("gw"), 204, NULL},
        {"where it is already", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", MOVE("gw"), 204,
         NULL},
        {"to the key of another", TOKEN_OPERATOR, "POST", DEV "/acme%2F2/move", MOVE("gw"), 400,
         "is that of another device there"},
        {"it is shown there", TOKEN_VIEWER, "GET", GW "/gw/devices", NULL, 200,
         "\"device\":\"acme/1\""},
        {"and with itself", TOKEN_VIEWER, "GET", DEV "/acme%2F1", NULL, 200,
         "\"gateway\":{\"name\":\"gw\",\"key\":\"d1\""},
        {"the gateway behind its own", TOKEN_OPERATOR, "POST", DEV "/gw/move", MOVE("acme/1"), 400,
         "is none that there is"},

        {"a new unit of no name", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace", "{}", 400,
         "is missing"},
        {"by itself", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace", "{\"devid\":\"acme/1\"}",
         400, "is that of the device already"},
        {"by its gateway", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace", "{\"devid\":\"gw\"}",
         400, "is that of a gateway in front of the device"},
        {"its gateway by it", TOKEN_OPERATOR, "POST", DEV "/gw/replace", "{\"devid\":\"acme/1\"}",
         400, "is that of a device behind it"},
        {"by one that the token does not see", SCOPED, "POST", DEV "/acme%2F1/replace",
         "{\"devid\":\"other\"}", 400, "does not see"},
        {"a viewer replaces nothing", TOKEN_VIEWER, "POST", DEV "/acme%2F1/replace",
         "{\"devid\":\"urn:new\"}", 403, NULL},
        {"by one that nobody knows", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace",
         "{\"devid\":\"urn:new\"}", 200, "\"password\":\""},
        {"the name is the new one's", TOKEN_VIEWER, "GET", DEV "/acme%2F1", NULL, 200,
         "\"devid\":\"urn:new\""},
        {"which is behind none yet", TOKEN_VIEWER, "GET", GW "/gw/devices", NULL, 200,
         "\"items\":[]"},
        {"by one that is known, which would go", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace",
         "{\"devid\":\"acme/2\"}", 409,
         "acme/2 has that DevId, and would be removed with its jobs and history"},
        {"nothing happened", TOKEN_VIEWER, "GET", DEV "/acme%2F2", NULL, 200,
         "\"devid\":\"acme/2\""},
        {"and may not", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace",
         "{\"devid\":\"acme/2\",\"remove\":false}", 409, "exists"},
        {"and may", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/replace",
         "{\"devid\":\"acme/2\",\"remove\":true}", 204, NULL},
        {"whose own name goes", TOKEN_VIEWER, "GET", DEV "/acme%2F2", NULL, 404, NULL},

        {"behind the gateway again", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", MOVE("gw"), 204,
         NULL},
        {"and behind none", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", "{\"gateway\":null}", 204,
         NULL},
        {"so it is shown", TOKEN_VIEWER, "GET", GW "/gw/devices", NULL, 200, "\"items\":[]"},
        {"and back", TOKEN_OPERATOR, "POST", DEV "/acme%2F1/move", MOVE("gw"), 204, NULL},
        {"a viewer forgets nothing", TOKEN_VIEWER, "DELETE", GW "/gw", NULL, 403, NULL},
        {"no gateway is forgotten", TOKEN_OPERATOR, "DELETE", GW "/other", NULL, 404,
         "other is no gateway"},
        {"how many were behind it", TOKEN_OPERATOR, "DELETE", GW "/gw", NULL, 202, "\"devices\":1"},
};

static unsigned status_of(world *w, const char *path)
{
        answer a = world_ask(w, TOKEN_VIEWER, "GET", path, NULL);
        unsigned status = a.status;

        answer_done(&a);
        return status;
}

static void wait_for(world *w, const char *path, unsigned status)
{
        for (unsigned tries = 0; status_of(w, path) != status; tries++) {
                assert_true(tries < 4000);
                (void)usleep(2000);
        }
}

static void requests_are_answered(void **state)
{
        static const char *const names[] = {"gw", "acme/1", "acme/2", "other"};
        answer a;
        world w;

        (void)state;
        world_start(&w, NULL);
        for (size_t i = 0; i < ODM_COUNT(names); i++)
                world_device(&w, names[i]);
        a = world_ask(&w, TOKEN_OPERATOR, "POST", GW "/gw/sync", NULL);
        assert_int_equal(a.status, 202);
        answer_done(&a);
        wait_for(&w, GW "/gw", 200);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char *text;

                a = world_ask(&w, rows[i].who, rows[i].method, rows[i].path, rows[i].body);
                text = a.json ? json_dumps(a.json, JSON_COMPACT) : NULL;
                if (a.status != rows[i].status ||
                    (rows[i].says && (!text || !strstr(text, rows[i].says))))
                        fail_msg("%s: %u %s", rows[i].why, a.status, text ? text : "");
                free(text);
                answer_done(&a);
        }
        wait_for(&w, GW "/gw", 404);
        a = world_ask(&w, TOKEN_VIEWER, "GET", DEV "/acme%2F1", NULL);
        assert_string_equal(answer_text(&a, "state"), "detached");
        answer_done(&a);
        world_stop(&w);
}

typedef struct kept { /* of an account; empty: absent */
        uint32_t auth, flags;
        char user[32], secret[32], server_secret[32];
} kept;

static kept account_of(world *w, const char *name)
{
        store_device d;
        store_account a;
        odm_arena m;
        kept k;

        odm_arena_init(&m, &heap_mem, 1 << 20);
        assert_int_equal(store_device_by_name(w->store, odm_cstr(name), &m, &d), 0);
        assert_int_equal(store_account_get(w->store, d.id, &m, &a), 0);
        k = (kept){.auth = a.auth, .flags = a.flags};
        (void)snprintf(k.user, sizeof k.user, "%.*s", (int)a.user.n, a.user.p);
        (void)snprintf(k.secret, sizeof k.secret, "%.*s", (int)a.secret.n, a.secret.p);
        (void)snprintf(k.server_secret, sizeof k.server_secret, "%.*s", (int)a.server_secret.n,
                       a.server_secret.p);
        odm_arena_done(&m);
        return k;
}

/* That the passwords told are those of the account. */
static void fits(const answer *a, const kept *k)
{
        odm_secret device, server;

        odm_secret_of(odm_cstr(k->user), odm_cstr(answer_text(a, "password")), &device);
        odm_secret_of(ODM_STR("xrem"), odm_cstr(answer_text(a, "server_password")), &server);
        assert_memory_equal(device.b64, k->secret, ODM_SECRET_LEN);
        assert_memory_equal(server.b64, k->server_secret, ODM_SECRET_LEN);
}

/* What the old unit knows, or shows, is good for nothing under the name. */
static void a_unit_that_was_replaced_proves_nothing(void **state)
{
        static const struct row {
                const char *why, *create;
                unsigned status;
                const char *user;
                uint32_t flags; /* of the account then */
                bool told;      /* a password of the device */
        } units[] = {
                {"a password", "\"password\":\"p\",\"server_password\":\"q\"", 200, "urn:n", 0,
                 true},
                {"with a user of its own",
                 "\"user\":\"me\",\"password\":\"p\",\"accept_dm11\":true", 200, "me",
                 STORE_ACCOUNT_DM11, true},
                {"a certificate", "\"auth\":\"none\"", 200, "urn:n",
                 STORE_ACCOUNT_CERTIFICATE | STORE_ACCOUNT_BY_DEVID, false},
                {"nothing at all", "\"auth\":\"open\"", 204, "urn:o", 0, false},
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        for (size_t i = 0; i < ODM_COUNT(units); i++) {
                const struct row *r = &units[i];
                char name[16], path[48], body[160];
                kept was, is;
                answer a;

                (void)snprintf(name, sizeof name, "u%zu", i);
                (void)snprintf(body, sizeof body, "{\"name\":\"%s\",\"devid\":\"urn:o%zu\",%s}",
                               name, i, r->create);
                a = world_ask(&w, TOKEN_OPERATOR, "POST", DEV, body);
                assert_int_equal(a.status, 201);
                answer_done(&a);
                was = account_of(&w, name);
                (void)snprintf(path, sizeof path, DEV "/%s/replace", name);
                (void)snprintf(body, sizeof body, "{\"devid\":\"urn:n%zu\"}", i);
                a = world_ask(&w, TOKEN_OPERATOR, "POST", path, body);
                is = account_of(&w, name);
                if (a.status != r->status || is.flags != r->flags || is.auth != was.auth ||
                    strncmp(is.user, r->user, strlen(r->user)) != 0)
                        fail_msg("%s: %u, %s, flags %u", r->why, a.status, is.user, is.flags);
                if ((strcmp(is.secret, was.secret) != 0) != (r->status == 200) ||
                    (strcmp(is.server_secret, was.server_secret) != 0) != (r->status == 200))
                        fail_msg("%s: what it has to know", r->why);
                if (r->told)
                        fits(&a, &is);
                else if (a.json)
                        assert_null(json_object_get(a.json, "password"));
                answer_done(&a);
        }
        world_stop(&w);
}

/* One that attached already comes with its own account; it gets the name, that another's
 * certificate may have. */
static void a_certificate_of_the_name_is_the_old_units(void **state)
{
        store_device d = {.name = ODM_STR("meter/1"), .devid = ODM_STR("urn:n")};
        store_account acc = {.flags = STORE_ACCOUNT_CERTIFICATE};
        answer a;
        world w;

        (void)state;
        assert_true(account_is_named(&acc, &d, ODM_STR("meter/1")));
        acc.flags |= STORE_ACCOUNT_BY_DEVID;
        assert_false(account_is_named(&acc, &d, ODM_STR("meter/1")));
        assert_true(account_is_named(&acc, &d, ODM_STR("urn:n")));
        world_start(&w, NULL);
        for (int i = 0; i < 2; i++) {
                a = world_ask(&w, TOKEN_OPERATOR, "POST", DEV,
                              i ? "{\"name\":\"old\",\"devid\":\"urn:o\",\"auth\":\"none\"}"
                                : "{\"name\":\"new\",\"devid\":\"urn:n\",\"auth\":\"none\"}");
                assert_int_equal(a.status, 201);
                answer_done(&a);
        }
        a = world_ask(&w, TOKEN_OPERATOR, "POST", DEV "/old/replace",
                      "{\"devid\":\"urn:n\",\"remove\":true}");
        assert_int_equal(a.status, 204);
        answer_done(&a);
        assert_int_equal(account_of(&w, "old").flags,
                         STORE_ACCOUNT_CERTIFICATE | STORE_ACCOUNT_BY_DEVID);
        a = world_ask(&w, TOKEN_OPERATOR, "PATCH", DEV "/old", "{\"auth\":\"none\"}");
        assert_int_equal(a.status, 200); /* somebody says what it has to show from now on */
        answer_done(&a);
        assert_int_equal(account_of(&w, "old").flags, STORE_ACCOUNT_CERTIFICATE);
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_are_answered),
                cmocka_unit_test(a_unit_that_was_replaced_proves_nothing),
                cmocka_unit_test(a_certificate_of_the_name_is_the_old_units),
        };

        return RUN_TESTS(tests);
}
