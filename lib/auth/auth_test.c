/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/auth.h"

#include "support.h"

static odm_nonce nonce_run(uint8_t first)
{
        odm_nonce n = {.n = 16};

        for (int i = 0; i < 16; i++)
                n.p[i] = (uint8_t)(first + i);
        return n;
}

/* ---- digests ---------------------------------------------------------------- */

static void digests_agree_with_the_vectors(void **state)
{
        static const struct row {
                const char *why, *user, *password, *nonce_b64, *secret, *md5;
        } rows[] = {
                {"the specification's own", "Bruce2", "OhBehave",
                 "Tm9uY2U=", "PtEdr8lBQ45IbT1bZIkrOQ==", "Zz6EivR3yeaaENcRN6lpAQ=="},
                {"octets of the nonce, not its base64", "dev-0001", "s3cr3t-pw",
                 "AAECAwQFBgcICQoLDA0ODw==", "qCuuTa3laq2VWRZa+k/r6g==",
                 "gr8X0aiuQVvDV7QGvXQl9A=="},
                {"a nonce that is base64 twice", "dev-0001", "s3cr3t-pw",
                 "QUFFQ0F3UUZCZ2NJQ1FvTERBME9Edz09",
                 "qCuuTa3laq2VWRZa+k/r6g==", "SPjMzidpi4iDiwL2mDteUw=="},
                {"a server's", "com.mgmtsrv.manage", "srv-pass", "oKGio6SlpqeoqaqrrK2urw==",
                 "1eETcbNJxVoxso8DjL4lGA==", "aqe9CB1mb0ARK96lQZUrYg=="},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_secret s;
                odm_nonce n;
                char out[ODM_SECRET_LEN];
                odm_str user = exact_copy(rows[i].user), pw = exact_copy(rows[i].password);
                odm_secret_of(user, pw, &s);
                assert_int_equal(odm_nonce_parse(odm_cstr(rows[i].nonce_b64), &n), 0);
                odm_auth_md5(&s, &n, out);
                if (!odm_str_is((odm_str){s.b64, sizeof s.b64}, rows[i].secret) ||
                    !odm_str_is((odm_str){out, sizeof out}, rows[i].md5))
                        fail_msg("%s: %.24s, %.24s", rows[i].why, s.b64, out);
                exact_free(user);
                exact_free(pw);
        }
}

static const char mac_body[] =
        "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr/><SyncBody><Final/></SyncBody></SyncML>";

static void macs_agree_with_the_vectors(void **state)
{
        odm_nonce n = nonce_run(0);
        odm_str user = ODM_STR("dev-0001"), pw = ODM_STR("s3cr3t-pw"), body = odm_cstr(mac_body);
        odm_secret s;
        char out[ODM_MAC_MAX];

        (void)state;
        assert_int_equal(body.n, 81);
        odm_secret_of(user, pw, &s);
        size_t len = odm_auth_mac(ODM_MAC_MD5, user, ODM_ABSENT, &s, &n, body, out);
        assert_str(((odm_str){out, len}), "WAOF5z/xLT/UY7bR7VCMDA==");
        len = odm_auth_mac(ODM_MAC_MD5, user, pw, NULL, &n, body, out);
        assert_str(((odm_str){out, len}), "WAOF5z/xLT/UY7bR7VCMDA==");
        len = odm_auth_mac(ODM_MAC_SHA256, user, pw, &s, &n, body, out);
        assert_str(((odm_str){out, len}), "+suDQsOX9RX+PEKTZrRLPkLYPSDXoFWfW7Egpfpy5r0=");
}

static void basic_is_user_colon_password(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 4096);
        assert_str(odm_auth_basic(&a, ODM_STR("Bruce2"), ODM_STR("OhBehave")),
                   "QnJ1Y2UyOk9oQmVoYXZl");
        assert_str(odm_auth_basic(&a, ODM_ABSENT, ODM_ABSENT), "Og==");
        odm_arena_done(&a);
}

static void types_have_two_spellings(void **state)
{
        static const struct row {
                const char *in;
                odm_auth_type type;
        } rows[] = {
                {"syncml:auth-basic", ODM_AUTH_BASIC},
                {"BASIC", ODM_AUTH_BASIC},
                {"syncml:auth-md5", ODM_AUTH_MD5},
                {"DIGEST", ODM_AUTH_MD5},
                {" syncml:auth-MAC ", ODM_AUTH_MAC},
                {"HMAC", ODM_AUTH_MAC},
                {"syncml:auth-X509", ODM_AUTH_OTHER},
                {"HTTP-DIGEST", ODM_AUTH_OTHER},
                {"", ODM_AUTH_NONE},
                {"SYNCML:AUTH-MD5", ODM_AUTH_MD5},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_int_equal(odm_auth_parse(odm_cstr(rows[i].in)), rows[i].type);
        assert_int_equal(odm_auth_parse(ODM_ABSENT), ODM_AUTH_NONE);
        for (int t = ODM_AUTH_BASIC; t < ODM_AUTH_OTHER; t++) {
                assert_int_equal(odm_auth_parse(odm_cstr(odm_auth_name((odm_auth_type)t))), t);
                assert_int_equal(odm_auth_parse(odm_cstr(odm_auth_aauth((odm_auth_type)t))), t);
        }
}

static void nonces_parse_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *in;
                int rc, n;
        } rows[] = {
                {"nothing", "", 0, 0},
                {"three octets", "YWJj", 0, 3},
                {"64, the most",
                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                 "AAA"
                 "AA==",
                 0, 64},
                {"65",
                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                 "AAA"
                 "AAA=",
                 ODM_EMALFORMED, 0},
                {"no base64", "*", ODM_EMALFORMED, 0},
                {"padding cut off", "YWI", ODM_EMALFORMED, 0},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_nonce got = {.n = 99};
                odm_str in = exact_copy(rows[i].in);
                int rc = odm_nonce_parse(in, &got);
                if (rc != rows[i].rc || got.n != (rc ? 99 : rows[i].n))
                        fail_msg("%s: %s, %d", rows[i].why, odm_err_name(rc), got.n);
                exact_free(in);
        }
}

/* ---- the header ----------------------------------------------------------------- */

static void headers_parse_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *in;
                int rc;
                odm_mac_alg alg;
                const char *user, *mac;
        } rows[] = {
                {"the usual", "algorithm=MD5, username=\"dev-0001\", mac=WAOF5z/xLT/UY7bR7VCMDA==",
                 0, ODM_MAC_MD5, "dev-0001", "WAOF5z/xLT/UY7bR7VCMDA=="},
                {"no algorithm, other order", "mac=AA==,username=\"a b\"", 0, ODM_MAC_MD5, "a b",
                 "AA=="},
                {"folded, quoted mac", "username=\"u\",\r\n\tmac=\"AA==\" , algorithm = SHA-256", 0,
                 ODM_MAC_SHA256, "u", "AA=="},
                {"SHA256", "username=\"u\",mac=A,algorithm=\"sha256\"", 0, ODM_MAC_SHA256, "u",
                 "A"},
                {"what nobody knows is skipped", "foo=1, username=u, bar=\"x, y\", mac=A", 0,
                 ODM_MAC_MD5, "u", "A"},
                {"an empty user", "username=\"\", mac=A", 0, ODM_MAC_MD5, "", "A"},
                {"unknown algorithm", "algorithm=MD4, username=\"u\", mac=A", ODM_EUNSUPPORTED, 0,
                 0, 0},
                {"nothing", "", ODM_EMALFORMED, 0, 0, 0},
                {"no mac", "username=\"u\"", ODM_EMALFORMED, 0, 0, 0},
                {"an empty mac", "username=\"u\", mac=", ODM_EMALFORMED, 0, 0, 0},
                {"no user", "mac=A", ODM_EMALFORMED, 0, 0, 0},
                {"twice", "username=\"u\", mac=A, mac=B", ODM_EMALFORMED, 0, 0, 0},
                {"open quote", "mac=A, username=\"u", ODM_EMALFORMED, 0, 0, 0},
                {"a backslash", "mac=A, username=\"u\\\"\"", ODM_EMALFORMED, 0, 0, 0},
                {"a control character", "mac=A\001, username=u", ODM_EMALFORMED, 0, 0, 0},
                {"no equals sign", "mac", ODM_EMALFORMED, 0, 0, 0},
                {"no comma", "mac=A username=u", ODM_EMALFORMED, 0, 0, 0},
                {"words after a quote", "username=\"u\"x, mac=A", ODM_EMALFORMED, 0, 0, 0},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_mac m = {.user = ODM_STR("before")};
                odm_str in = exact_copy(rows[i].in);
                int rc = odm_mac_parse(in, &m);
                if (rc != rows[i].rc)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                if (rc == 0) {
                        assert_int_equal(m.alg, rows[i].alg);
                        assert_str(m.user, rows[i].user);
                        assert_str(m.mac, rows[i].mac);
                } else {
                        assert_str(m.user, "before");
                }
                exact_free(in);
        }
}

static void headers_are_written_in_one_way(void **state)
{
        odm_buf b;
        odm_mac m = {ODM_MAC_MD5, ODM_STR("dev-0001"), ODM_STR("AA==")};

        (void)state;
        odm_buf_init(&b, &heap, 1000);
        assert_int_equal(odm_mac_format(&b, &m), 0);
        assert_str(odm_buf_view(&b), "algorithm=MD5, username=\"dev-0001\", mac=AA==");
        m.user = ODM_STR("a\"b");
        assert_int_equal(odm_mac_format(&b, &m), ODM_EINVAL);
        m.user = ODM_STR("a\r\nX: y");
        assert_int_equal(odm_mac_format(&b, &m), ODM_EINVAL);
        odm_buf_done(&b);
}

/* ---- prover ------------------------------------------------------------------------- */

static odm_meta chal_of(const char *type, const char *nonce)
{
        return (odm_meta){.present = true, .type = odm_cstr(type), .next_nonce = odm_cstr(nonce)};
}

#define N1 "AAECAwQFBgcICQoLDA0ODw=="

static void a_prover_walks_as_the_table_says(void **state)
{
        static const struct row {
                const char *why;
                odm_auth_type first; /* what was shown before any answer */
                struct answer {
                        unsigned status;
                        const char *type, *nonce; /* type NULL: no Chal */
                        odm_verdict want;
                } said[4];
                odm_auth_type type; /* at the end */
                bool cred, mac;     /* shown in the next message */
                bool basic_ok;
        } rows[] = {
                {"212 ends the showing",
                 ODM_AUTH_MD5,
                 {{212, "syncml:auth-md5", N1, ODM_VERDICT_OK}},
                 ODM_AUTH_MD5,
                 false,
                 false,
                 false},
                {"200 shows again",
                 ODM_AUTH_MD5,
                 {{200, "syncml:auth-md5", N1, ODM_VERDICT_OK}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"nothing needed",
                 ODM_AUTH_NONE,
                 {{200, NULL, NULL, ODM_VERDICT_OK}},
                 ODM_AUTH_NONE,
                 false,
                 false,
                 false},
                {"challenged, then accepted",
                 ODM_AUTH_NONE,
                 {{407, "syncml:auth-md5", N1, ODM_VERDICT_RETRY}, {212, 0, 0, ODM_VERDICT_OK}},
                 ODM_AUTH_MD5,
                 false,
                 false,
                 false},
                {"a stale nonce, tried once more",
                 ODM_AUTH_MD5,
                 {{401, "syncml:auth-md5", N1, ODM_VERDICT_RETRY}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"the second 401 gives up",
                 ODM_AUTH_MD5,
                 {{401, "syncml:auth-md5", N1, ODM_VERDICT_RETRY},
                  {401, "syncml:auth-md5", N1, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"407 was no refusal, two 401 are",
                 ODM_AUTH_NONE,
                 {{407, "syncml:auth-md5", N1, ODM_VERDICT_RETRY},
                  {401, "syncml:auth-md5", N1, ODM_VERDICT_RETRY},
                  {401, "syncml:auth-md5", N1, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"no challenge, no retry",
                 ODM_AUTH_MD5,
                 {{401, NULL, NULL, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"basic is not shown unasked for",
                 ODM_AUTH_MD5,
                 {{407, "syncml:auth-basic", NULL, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"basic where it is allowed",
                 ODM_AUTH_NONE,
                 {{407, "syncml:auth-basic", NULL, ODM_VERDICT_RETRY}},
                 ODM_AUTH_BASIC,
                 true,
                 false,
                 true},
                {"another type at the first challenge",
                 ODM_AUTH_MD5,
                 {{401, "syncml:auth-MAC", N1, ODM_VERDICT_RETRY}},
                 ODM_AUTH_MAC,
                 false,
                 true,
                 false},
                {"the type is binding",
                 ODM_AUTH_NONE,
                 {{407, "syncml:auth-md5", N1, ODM_VERDICT_RETRY},
                  {407, "syncml:auth-MAC", N1, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"binding after acceptance too",
                 ODM_AUTH_MD5,
                 {{200, "syncml:auth-md5", N1, ODM_VERDICT_OK},
                  {401, "syncml:auth-MAC", N1, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"a type nobody speaks",
                 ODM_AUTH_MD5,
                 {{407, "syncml:auth-X509", NULL, ODM_VERDICT_GIVE_UP}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
                {"MAC goes on for ever",
                 ODM_AUTH_MAC,
                 {{200, "syncml:auth-MAC", N1, ODM_VERDICT_OK}},
                 ODM_AUTH_MAC,
                 false,
                 true,
                 false},
                {"another kind of failure is not ours",
                 ODM_AUTH_MD5,
                 {{503, NULL, NULL, ODM_VERDICT_OK}},
                 ODM_AUTH_MD5,
                 true,
                 false,
                 false},
        };
        odm_arena a;
        (void)state;
        odm_arena_init(&a, &heap, 65536);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_prover p = {.type = r->first,
                                .user = ODM_STR("dev-0001"),
                                .password = ODM_STR("s3cr3t-pw"),
                                .allow_basic = r->basic_ok};
                odm_cred cred;
                for (size_t k = 0; k < ODM_COUNT(r->said) && r->said[k].status; k++) {
                        odm_meta chal = chal_of(r->said[k].type, r->said[k].nonce);
                        odm_verdict v = odm_prover_answer(&p, r->said[k].status,
                                                          r->said[k].type ? &chal : NULL);
                        if (v != r->said[k].want)
                                fail_msg("%s: answer %zu gave %d", r->why, k, (int)v);
                }
                assert_int_equal(odm_prover_cred(&p, &a, &cred), 0);
                if (p.type != r->type || cred.present != r->cred ||
                    odm_prover_wants_mac(&p) != r->mac)
                        fail_msg("%s: type %d, cred %d, mac %d", r->why, (int)p.type,
                                 (int)cred.present, (int)odm_prover_wants_mac(&p));
        }
        odm_arena_done(&a);
}

static void a_prover_uses_the_newest_nonce(void **state)
{
        odm_prover p = {.type = ODM_AUTH_MD5,
                        .user = ODM_STR("dev-0001"),
                        .has_secret = true,
                        .nonce = nonce_run(7)};
        odm_meta chal = chal_of("syncml:auth-md5", N1);
        odm_cred cred;
        odm_arena a;
        odm_buf b;

        (void)state;
        odm_secret_of(p.user, ODM_STR("s3cr3t-pw"), &p.secret);
        odm_arena_init(&a, &heap, 65536);
        assert_int_equal(odm_prover_answer(&p, 401, &chal), ODM_VERDICT_RETRY);
        assert_true(p.nonce_changed);
        assert_int_equal(odm_prover_cred(&p, &a, &cred), 0);
        assert_str(cred.data, "gr8X0aiuQVvDV7QGvXQl9A==");
        assert_int_equal(cred.meta.format, ODM_FMT_B64);
        assert_str(cred.meta.type, "syncml:auth-md5");

        chal.next_nonce = ODM_STR("no base64 at all!");
        p.nonce_changed = false;
        assert_int_equal(odm_prover_answer(&p, 200, &chal), ODM_VERDICT_OK);
        assert_false(p.nonce_changed); /* rubbish is not learnt */
        chal.nonce_raw = true;
        assert_int_equal(odm_prover_answer(&p, 200, &chal), ODM_VERDICT_OK);
        assert_octets(odm_nonce_view(&p.nonce), chal.next_nonce);

        p.type = ODM_AUTH_MAC;
        p.nonce = nonce_run(0);
        odm_buf_init(&b, &heap, 1000);
        assert_int_equal(odm_prover_mac(&p, odm_cstr(mac_body), &b), 0);
        assert_str(odm_buf_view(&b),
                   "algorithm=MD5, username=\"dev-0001\", mac=WAOF5z/xLT/UY7bR7VCMDA==");
        odm_buf_done(&b);
        odm_arena_done(&a);
}

/* ---- verifier ------------------------------------------------------------------------- */

struct bench {
        odm_verifier v;
        odm_prover p;
        odm_arena a;
        seeded seed;
        odm_rng rng;
        odm_check last;
};

static void bench_init(struct bench *t, odm_auth_type type)
{
        *t = (struct bench){.v = {.type = type,
                                  .user = ODM_STR("dev-0001"),
                                  .password = ODM_STR("s3cr3t-pw"),
                                  .nonce = nonce_run(0),
                                  .has_nonce = true},
                            .p = {.type = type,
                                  .user = ODM_STR("dev-0001"),
                                  .password = ODM_STR("s3cr3t-pw"),
                                  .allow_basic = true,
                                  .nonce = nonce_run(0)}};
        odm_arena_init(&t->a, &heap, 1 << 20);
        t->rng = seeded_rng(&t->seed, 42);
}

/* One message of the prover goes to the verifier, whose answer goes back. */
static odm_verdict exchange(struct bench *t, odm_str body)
{
        odm_cred cred;
        odm_buf mac;

        odm_buf_init(&mac, &heap, 1000);
        assert_int_equal(odm_prover_cred(&t->p, &t->a, &cred), 0);
        if (odm_prover_wants_mac(&t->p))
                assert_int_equal(odm_prover_mac(&t->p, ODM_STR("body"), &mac), 0);
        assert_int_equal(odm_verifier_check(&t->v, t->p.user, &cred,
                                            mac.n ? odm_buf_view(&mac) : ODM_ABSENT, body, &t->rng,
                                            &t->a, &t->last),
                         0);
        odm_buf_done(&mac);
        return odm_prover_answer(&t->p, t->last.status, t->last.challenge ? &t->last.chal : NULL);
}

static void want(struct bench *t, unsigned status, bool ok, bool challenge, bool terminate,
                 const char *why)
{
        if (t->last.status != status || t->last.ok != ok || t->last.challenge != challenge ||
            t->last.terminate != terminate)
                fail_msg("%s: status %u, ok %d, challenge %d, terminate %d", why, t->last.status,
                         t->last.ok, t->last.challenge, t->last.terminate);
}

static void right_credentials_are_taken(void **state)
{
        struct bench t;

        (void)state;
        bench_init(&t, ODM_AUTH_MD5);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 212, true, true, false, "md5 over a transport with session authentication");
        assert_true(t.v.nonce_changed && t.v.authenticated && t.p.accepted);
        assert_octets(odm_nonce_view(&t.p.nonce), odm_nonce_view(&t.v.nonce));
        assert_false(t.v.has_previous); /* the one that was used is spent */
        assert_int_equal(t.v.previous.n, 0);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 200, true, false, false, "nothing is shown after 212");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5);
        t.v.every_message = true;
        for (int i = 0; i < 4; i++) {
                odm_nonce before = t.v.nonce;
                assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
                want(&t, 200, true, true, false, "md5 each message");
                assert_memory_not_equal(&before, &t.v.nonce, sizeof before);
        }
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_BASIC);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 212, true, false, false, "basic");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MAC);
        for (int i = 0; i < 4; i++) {
                assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
                want(&t, 200, true, true, false, "MAC is never 212");
                assert_str(t.last.chal.type, "syncml:auth-MAC");
        }
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MAC);
        t.p.mac_alg = ODM_MAC_SHA256;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 200, true, true, false, "SHA-256");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_NONE);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 200, true, false, false, "the transport did it");
        odm_arena_done(&t.a);
}

static void nothing_shown_is_challenged_once(void **state)
{
        struct bench t;

        (void)state;
        bench_init(&t, ODM_AUTH_MD5);
        t.p.type = ODM_AUTH_NONE;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_RETRY);
        want(&t, 407, false, true, false, "nothing shown");
        assert_false(t.v.nonce_changed); /* a stranger moves no stored nonce */
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 212, true, true, false, "shown when asked");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5);
        t.p.type = ODM_AUTH_NONE;
        (void)exchange(&t, ODM_STR("body"));
        t.p.type = ODM_AUTH_NONE;
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 407, false, false, true, "asked, and shows nothing again");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MAC);
        t.p.type = ODM_AUTH_NONE;
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 407, false, true, false, "no MAC");
        t.p.type = ODM_AUTH_NONE;
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 401, false, true, false, "a missing MAC counts as a wrong one");
        t.p.type = ODM_AUTH_NONE;
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 401, false, false, true, "and the second ends it");
        odm_arena_done(&t.a);
}

static void wrong_credentials_get_one_more_try(void **state)
{
        static const struct row {
                const char *why;
                odm_auth_type type;
                odm_str password, user;
        } rows[] = {
                {"md5, wrong password", ODM_AUTH_MD5, {"x", 1}, {"dev-0001", 8}},
                {"md5, wrong user", ODM_AUTH_MD5, {"s3cr3t-pw", 9}, {"dev-0002", 8}},
                {"basic, wrong password", ODM_AUTH_BASIC, {"x", 1}, {"dev-0001", 8}},
                {"basic, wrong user", ODM_AUTH_BASIC, {"s3cr3t-pw", 9}, {"dev-000", 7}},
                {"MAC, wrong password", ODM_AUTH_MAC, {"x", 1}, {"dev-0001", 8}},
                {"MAC, wrong user", ODM_AUTH_MAC, {"s3cr3t-pw", 9}, {"", 0}},
        };
        struct bench t;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                bench_init(&t, rows[i].type);
                t.p.password = rows[i].password;
                t.p.user = rows[i].user;
                assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_RETRY);
                want(&t, 401, false, true, false, rows[i].why);
                assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_GIVE_UP);
                want(&t, 401, false, false, true, rows[i].why);
                assert_false(t.v.nonce_changed);
                odm_arena_done(&t.a);

                bench_init(&t, rows[i].type);
                t.p.password = rows[i].password;
                t.p.user = rows[i].user;
                (void)exchange(&t, ODM_STR("body"));
                t.p.password = ODM_STR("s3cr3t-pw");
                t.p.user = ODM_STR("dev-0001");
                assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
                assert_true(t.last.ok);
                odm_arena_done(&t.a);
        }
}

static void a_type_not_asked_for_is_refused(void **state)
{
        struct bench t;

        (void)state;
        bench_init(&t, ODM_AUTH_MD5);
        t.p.type = ODM_AUTH_BASIC;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_RETRY);
        want(&t, 401, false, true, false, "basic where md5 is wanted");
        assert_str(t.last.chal.type, "syncml:auth-md5");
        t.p.type = ODM_AUTH_BASIC;
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 401, false, false, true, "basic again, though md5 was asked for");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5);
        t.v.accept_basic = true;
        t.p.type = ODM_AUTH_BASIC;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 212, true, false, false, "basic is good enough here");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5);
        t.v.accept_stronger = true;
        t.p.type = ODM_AUTH_MAC;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 200, true, true, false, "MAC where md5 would do");
        t.p.type = ODM_AUTH_MD5;
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 401, false, false, true, "the MAC is missing after it was used");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MAC);
        t.p.type = ODM_AUTH_MD5;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_RETRY);
        want(&t, 401, false, true, false, "md5 where a MAC is wanted");
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 200, true, true, false, "the MAC that was asked for");
        odm_arena_done(&t.a);
}

/* The name in the header and LocName are the same one, or the MAC counts for neither. */
static void a_mac_and_its_message_name_one_user(void **state)
{
        static const struct row {
                const char *why;
                odm_str name; /* in SyncHdr */
                bool ok;
        } rows[] = {
                {"the same", {"dev-0001", 8}, true},
                {"none in the message", {NULL, 0}, true},
                {"another one", {"dev-0002", 8}, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                struct bench t;
                odm_buf mac;
                bench_init(&t, ODM_AUTH_MAC);
                odm_buf_init(&mac, &heap, 1000);
                assert_int_equal(odm_prover_mac(&t.p, ODM_STR("body"), &mac), 0);
                assert_int_equal(odm_verifier_check(&t.v, rows[i].name, NULL, odm_buf_view(&mac),
                                                    ODM_STR("body"), &t.rng, &t.a, &t.last),
                                 0);
                want(&t, rows[i].ok ? 200 : 401, rows[i].ok, true, false, rows[i].why);
                odm_buf_done(&mac);
                odm_arena_done(&t.a);
        }
}

static void a_body_that_was_changed_is_refused(void **state)
{
        struct bench t;

        (void)state;
        bench_init(&t, ODM_AUTH_MAC);
        (void)exchange(&t, ODM_STR("bodY"));
        want(&t, 401, false, true, false, "one octet changed");
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        (void)exchange(&t, ODM_STR("bodY"));
        want(&t, 401, false, true, false, "later as well");
        (void)exchange(&t, ODM_STR("bodY"));
        want(&t, 401, false, false, true, "twice ends it");
        odm_arena_done(&t.a);
}

static void the_previous_nonce_is_good_once(void **state)
{
        struct bench t;

        (void)state;
        bench_init(&t, ODM_AUTH_MD5);
        t.v.every_message = true;
        t.v.previous = nonce_run(0);
        t.v.has_previous = true;
        t.v.nonce = nonce_run(100);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 200, true, true, false, "the one before");
        t.p.nonce = nonce_run(0);
        (void)exchange(&t, ODM_STR("body"));
        want(&t, 401, false, true, false, "but once");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5); /* what was kept beside a challenge goes with the proof */
        t.v.previous = nonce_run(0);
        t.v.has_previous = true;
        t.v.nonce = nonce_run(100);
        t.p.nonce = nonce_run(100);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        assert_false(t.v.has_previous);
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5); /* the newest, not used by this, stays good */
        t.v.previous = nonce_run(0);
        t.v.has_previous = true;
        t.v.nonce = nonce_run(100);
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        odm_nonce unused = nonce_run(100);
        assert_true(t.v.has_previous);
        assert_octets(odm_nonce_view(&t.v.previous), odm_nonce_view(&unused));
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5); /* a challenge leaves the stored one good */
        odm_prover lost = t.p;
        t.p.type = ODM_AUTH_NONE;
        (void)exchange(&t, ODM_STR("body"));
        t.p = lost;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 212, true, true, false, "the challenge's nonce never arrived");
        odm_arena_done(&t.a);

        bench_init(&t, ODM_AUTH_MD5);
        t.v.has_nonce = false;
        t.p.nonce.n = 0;
        assert_int_equal(exchange(&t, ODM_STR("body")), ODM_VERDICT_OK);
        want(&t, 212, true, true, false, "the first ever nonce is empty");
        odm_arena_done(&t.a);
}

static void the_default_nonce_needs_a_resync(void **state)
{
        const odm_nonce *const both[] = {&odm_nonce_default_zero, &odm_nonce_default_ascii};

        (void)state;
        for (int i = 0; i < 4; i++) {
                struct bench t;
                bench_init(&t, ODM_AUTH_MD5);
                t.v.allow_default = i < 2;
                t.p.nonce = *both[i % 2];
                (void)exchange(&t, ODM_STR("body"));
                assert_int_equal(t.last.ok, i < 2);
                assert_false(t.last.ok && t.v.allow_default);
                odm_arena_done(&t.a);
        }
        assert_str(odm_nonce_view(&odm_nonce_default_ascii), "0x00000000");
        assert_int_equal(odm_nonce_default_zero.n, 4);
}

static void a_mac_of_hexadecimal_text_is_borne(void **state)
{
        struct bench t;
        char mac[ODM_MAC_MAX], hex[33];
        odm_str raw = ODM_ABSENT;

        (void)state;
        bench_init(&t, ODM_AUTH_MAC);
        odm_secret s;
        odm_secret_of(t.p.user, t.p.password, &s);
        size_t n = odm_auth_mac(ODM_MAC_MD5, t.p.user, t.p.password, &s, &t.p.nonce,
                                ODM_STR("body"), mac);
        assert_int_equal(odm_b64_decode(&t.a, (odm_str){mac, n}, &raw), 0);
        for (int i = 0; i < 16; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)raw.p[i]);
        odm_str header = odm_arena_fmt(&t.a, "username=\"dev-0001\", mac=\"%s\"",
                                       odm_b64_encode(&t.a, odm_cstr(hex)).p);
        assert_int_equal(odm_verifier_check(&t.v, t.p.user, NULL, header, ODM_STR("body"), &t.rng,
                                            &t.a, &t.last),
                         0);
        want(&t, 200, true, true, false, "hexadecimal text inside the base64");
        odm_arena_done(&t.a);
}

/* Whoever keeps a digest in place of the password can check what is made of MD5, and nothing of
 * SHA-256: that of no password must not pass for it. */
static void a_digest_in_place_of_the_password(void **state)
{
        static const struct row {
                const char *why;
                odm_auth_type type;
                odm_mac_alg alg;
                odm_str password;
                unsigned status;
        } rows[] = {
                {"md5", ODM_AUTH_MD5, ODM_MAC_MD5, {"s3cr3t-pw", 9}, 212},
                {"md5 of no password", ODM_AUTH_MD5, ODM_MAC_MD5, {"", 0}, 401},
                {"MAC", ODM_AUTH_MAC, ODM_MAC_MD5, {"s3cr3t-pw", 9}, 200},
                {"MAC of no password", ODM_AUTH_MAC, ODM_MAC_MD5, {"", 0}, 401},
                {"SHA-256", ODM_AUTH_MAC, ODM_MAC_SHA256, {"s3cr3t-pw", 9}, 401},
                {"SHA-256 of no password", ODM_AUTH_MAC, ODM_MAC_SHA256, {"", 0}, 401},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                struct bench t;
                bench_init(&t, rows[i].type);
                odm_secret_of(t.v.user, t.v.password, &t.v.secret);
                t.v.has_secret = true;
                t.v.password = ODM_ABSENT;
                t.p.password = rows[i].password;
                t.p.mac_alg = rows[i].alg;
                (void)exchange(&t, ODM_STR("body"));
                bool ok = rows[i].status < 300;
                want(&t, rows[i].status, ok, true, false, rows[i].why);
                odm_arena_done(&t.a);
        }
}

/* And who has only the digest shows nothing that would need the password. */
static void a_prover_without_the_password(void **state)
{
        static const struct row {
                const char *why, *asked;
                odm_mac_alg alg;
                odm_verdict want;
        } rows[] = {
                {"md5", "syncml:auth-md5", ODM_MAC_MD5, ODM_VERDICT_RETRY},
                {"MAC", "syncml:auth-MAC", ODM_MAC_MD5, ODM_VERDICT_RETRY},
                {"SHA-256", "syncml:auth-MAC", ODM_MAC_SHA256, ODM_VERDICT_GIVE_UP},
                {"basic", "syncml:auth-basic", ODM_MAC_MD5, ODM_VERDICT_GIVE_UP},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_prover p = {.user = ODM_STR("dev-0001"),
                                .has_secret = true,
                                .allow_basic = true,
                                .mac_alg = rows[i].alg};
                odm_meta chal = chal_of(rows[i].asked, "AAAA");
                if (odm_prover_answer(&p, 401, &chal) != rows[i].want)
                        fail_msg("%s", rows[i].why);
        }
}

static int no_luck(void *ctx, void *p, size_t n)
{
        (void)ctx;
        (void)p;
        (void)n;
        return ODM_EIO;
}

static void without_randomness_nothing_changes(void **state)
{
        struct bench t;
        odm_cred cred;
        const odm_rng none = {no_luck, NULL};

        (void)state;
        bench_init(&t, ODM_AUTH_MD5);
        odm_verifier before = t.v;
        t.last.status = 77;
        assert_int_equal(odm_prover_cred(&t.p, &t.a, &cred), 0);
        assert_int_equal(odm_verifier_check(&t.v, t.p.user, &cred, ODM_ABSENT, ODM_STR("body"),
                                            &none, &t.a, &t.last),
                         ODM_EIO);
        assert_memory_equal(&before, &t.v, sizeof before);
        assert_int_equal(t.last.status, 77);
        odm_arena_done(&t.a);
}

static int whole_exchange(failing *f, void *arg)
{
        odm_verifier v = {.type = ODM_AUTH_MD5,
                          .accept_basic = true,
                          .user = ODM_STR("u"),
                          .password = ODM_STR("p")};
        odm_prover p = {.type = ODM_AUTH_BASIC, .user = v.user, .password = v.password};
        seeded seed;
        odm_rng rng = seeded_rng(&seed, 1);
        odm_arena a;
        odm_cred cred;
        odm_check check;
        int rc;

        odm_arena_init(&a, &f->mem, 65536);
        p.type = *(const odm_auth_type *)arg;
        rc = odm_prover_cred(&p, &a, &cred);
        if (rc == 0)
                rc = odm_verifier_check(&v, p.user, &cred, ODM_ABSENT, ODM_STR(""), &rng, &a,
                                        &check);
        odm_arena_done(&a);
        return rc;
}

static void memory_running_out_is_told(void **state)
{
        odm_auth_type types[] = {ODM_AUTH_NONE, ODM_AUTH_BASIC, ODM_AUTH_MD5};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(types); i++)
                torture(whole_exchange, &types[i], 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(digests_agree_with_the_vectors),
                cmocka_unit_test(macs_agree_with_the_vectors),
                cmocka_unit_test(basic_is_user_colon_password),
                cmocka_unit_test(types_have_two_spellings),
                cmocka_unit_test(nonces_parse_as_the_table_says),
                cmocka_unit_test(headers_parse_as_the_table_says),
                cmocka_unit_test(headers_are_written_in_one_way),
                cmocka_unit_test(a_prover_walks_as_the_table_says),
                cmocka_unit_test(a_prover_uses_the_newest_nonce),
                cmocka_unit_test(right_credentials_are_taken),
                cmocka_unit_test(nothing_shown_is_challenged_once),
                cmocka_unit_test(wrong_credentials_get_one_more_try),
                cmocka_unit_test(a_type_not_asked_for_is_refused),
                cmocka_unit_test(a_body_that_was_changed_is_refused),
                cmocka_unit_test(the_previous_nonce_is_good_once),
                cmocka_unit_test(the_default_nonce_needs_a_resync),
                cmocka_unit_test(a_mac_of_hexadecimal_text_is_borne),
                cmocka_unit_test(a_mac_and_its_message_name_one_user),
                cmocka_unit_test(a_digest_in_place_of_the_password),
                cmocka_unit_test(a_prover_without_the_password),
                cmocka_unit_test(without_randomness_nothing_changes),
                cmocka_unit_test(memory_running_out_is_told),
        };
        return RUN_TESTS(tests);
}
