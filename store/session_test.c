/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, tokens, settings, events and audit: the contract of store.h, held to each engine in
 * turn. */
#include "store_lab.h"

/* ---- sessions ------------------------------------------------------------------------------ */

static void sessions_are_kept_in_a_ring(void **state)
{
        lab *f = *state;
        int64_t a, ids[5];
        char sid[8], big[600] = {0};
        store_session_list l;
        store_session s;
        store_message_list m;

        store_close(f->st);
        f->opt.sessions_kept = 3;
        f->opt.session_bytes = 1000;
        lab_open(f);
        a = lab_device(f, "ring");
        for (int i = 0; i < 5; i++) {
                snprintf(sid, sizeof sid, "s%d", i);
                ids[i] = lab_session(f, a, sid);
        }
        assert_int_equal(lab_message(f, a, ids[0], S("late")), 0); /* made, and the oldest */
        assert_int_equal(store_session_find(f->st, a, 0, 0, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
        assert_int_equal(l.v[0].id, ids[4]);
        assert_int_equal(store_session_find(f->st, a, ids[4], 1, &f->a, &l), 0);
        assert_true(l.n == 1 && l.more && l.v[0].id == ids[3]);
        assert_int_equal(store_session_messages(f->st, a, ids[0], &f->a, &m), 0);
        assert_int_equal(m.n, 0);
        assert_int_equal(lab_message(f, a, ids[4], (odm_str){big, 600}), 0);
        assert_int_equal(lab_message(f, a, ids[4], (odm_str){big, 600}), 0);
        assert_int_equal(lab_message(f, a, ids[4], S("end")), 0);
        assert_int_equal(store_session_messages(f->st, a, ids[4], &f->a, &m), 0);
        assert_int_equal(m.n, 3);
        assert_int_equal(m.v[0].bytes.n, 600);
        assert_null(m.v[1].bytes.p); /* beyond the ceiling: its size alone */
        assert_int_equal(m.v[1].size, 600);
        assert_str(m.v[2].bytes, "end");
        assert_true(m.v[2].n == 3 && m.v[2].out && m.v[2].at == 11);
        assert_str(m.v[2].mime, "m");
        assert_null(m.v[2].hmac.p);
        assert_int_equal(store_session_get(f->st, a, ids[4], &f->a, &s), 0);
        assert_true(s.tls && !s.authenticated);
        assert_null(s.outcome.p);
        assert_int_equal(lab_message(f, a + 1, ids[4], S("x")), ODM_ENOENT); /* no such device */
}

static void a_session_is_put_again_and_saved(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a"), id = store_session_number(f->st);
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        store_session s;
        odm_str saved;

        assert_true(store_session_number(f->st) > id);
        op->session.s = lab_session_of(a, id, "tok");
        op->session.s.outcome = S("complete");
        op->session.s.last = 99;
        op->session.s.authenticated = true;
        op->session.s.messages = 4;
        op = store_batch_add(b, STORE_SESSION_SAVE);
        op->save.device = a;
        op->save.session = id;
        op->save.saved = (odm_str){"a\0b", 3};
        assert_int_equal(lab_write(f, b), 0);
        assert_int_equal(store_session_saved(f->st, S("tok"), &f->a, &s, &saved), 0);
        assert_int_equal(s.id, id);
        assert_str(s.outcome, "complete");
        assert_str(s.dm_id, "A1");
        assert_true(s.authenticated && s.messages == 4 && s.started == 10 && s.last == 99);
        assert_int_equal(saved.n, 3);
        b = store_batch_new();
        op = store_batch_add(b, STORE_SESSION_SAVE);
        op->save.device = a;
        op->save.session = id;
        assert_int_equal(lab_write(f, b), 0);
        assert_int_equal(store_session_saved(f->st, S("tok"), &f->a, &s, &saved), ODM_ENOENT);
}

/* ---- tokens, settings, events, audit ------------------------------------------------------- */

static int put_token(lab *f, const char *name, const char *hash)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TOKEN_PUT);

        op->token = (store_token){.name = S(name), .hash = S(hash), .role = S("admin")};
        return lab_write(f, b);
}

static void tokens_are_found_by_hash(void **state)
{
        lab *f = *state;
        store_token t;
        store_token_list l;
        store_batch *b = store_batch_new();

        assert_int_equal(put_token(f, "one", "h1"), 0);
        assert_int_equal(put_token(f, "two", "h1"), ODM_EEXIST);
        assert_int_equal(put_token(f, "two", "h2"), 0);
        assert_int_equal(put_token(f, "two", "h3"), 0); /* replaced */
        assert_int_equal(put_token(f, "three", ""), ODM_EINVAL);
        assert_int_equal(store_token_by_hash(f->st, S("h2"), &f->a, &t), ODM_ENOENT);
        assert_int_equal(store_token_by_hash(f->st, S("h3"), &f->a, &t), 0);
        assert_str(t.name, "two");
        assert_int_equal(store_token_find(f->st, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
        store_batch_add(b, STORE_TOKEN_DELETE)->key = S("one");
        assert_int_equal(lab_write(f, b), 0);
        b = store_batch_new();
        store_batch_add(b, STORE_TOKEN_DELETE)->key = S("one");
        assert_int_equal(lab_write(f, b), ODM_ENOENT);
}

static int change_token(lab *f, store_op_kind kind, const char *name, const char *role,
                        int64_t expires)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, kind);

        op->token = (store_token){.name = S(name),
                                  .hash = S(name),
                                  .role = S(role),
                                  .created = 1000,
                                  .expires = expires};
        return lab_write(f, b);
}

/* Whoever asks looks first, but another may be quicker: what counts is what is there by then. */
static void a_token_is_added_once_and_the_last_of_a_role_stays(void **state)
{
        lab *f = *state;

        assert_int_equal(change_token(f, STORE_TOKEN_ADD, "ada", "admin", 0), 0);
        assert_int_equal(change_token(f, STORE_TOKEN_ADD, "ada", "viewer", 0), ODM_EEXIST);
        assert_int_equal(change_token(f, STORE_TOKEN_ADD, "vera", "viewer", 0), 0);
        assert_int_equal(change_token(f, STORE_TOKEN_ADD, "late", "admin", 1000), 0);
        assert_int_equal(change_token(f, STORE_TOKEN_WITHDRAW, "ada", "admin", 0), ODM_ESTATE);
        assert_int_equal(change_token(f, STORE_TOKEN_WITHDRAW, "bob", "admin", 0), ODM_ENOENT);
        assert_int_equal(change_token(f, STORE_TOKEN_WITHDRAW, "late", "admin", 0), 0);
        assert_int_equal(change_token(f, STORE_TOKEN_ADD, "bob", "admin", 1001), 0);
        assert_int_equal(change_token(f, STORE_TOKEN_WITHDRAW, "ada", "admin", 0), 0);
        assert_int_equal(change_token(f, STORE_TOKEN_WITHDRAW, "bob", "admin", 0), ODM_ESTATE);
        assert_int_equal(change_token(f, STORE_TOKEN_WITHDRAW, "vera", "admin", 0), 0);
}

static int put_setting(lab *f, const char *key, odm_str value)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SETTING_PUT);

        op->setting.key = S(key);
        op->setting.value = value;
        return lab_write(f, b);
}

static void settings_hold_octets(void **state)
{
        lab *f = *state;
        odm_str v;

        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), ODM_ENOENT);
        assert_int_equal(put_setting(f, "k", (odm_str){"\0\1", 2}), 0);
        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), 0);
        assert_memory_equal(v.p, "\0\1", 2);
        assert_int_equal(put_setting(f, "k", ODM_STR("")), 0);
        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), 0);
        assert_true(v.p != NULL && v.n == 0);
        assert_int_equal(put_setting(f, "k", ODM_ABSENT), 0);
        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), ODM_ENOENT);
        assert_int_equal(put_setting(f, "", ODM_STR("x")), ODM_EINVAL);
}

static void events_and_audit_are_ordered(void **state)
{
        lab *f = *state;
        store_batch *b = store_batch_new();
        store_op *op;
        store_event_list e;
        store_audit_list l;

        for (int i = 0; i < 5; i++) {
                op = store_batch_add(b, STORE_EVENT_ADD);
                op->event =
                        (store_event){.at = i, .device = i % 2, .kind = S("k"), .data = S("{}")};
                op = store_batch_add(b, STORE_AUDIT_ADD);
                op->audit = (store_audit){.at = i, .device = i % 2, .actor = S("me")};
        }
        assert_int_equal(lab_write(f, b), 0);
        assert_int_equal(store_event_find(f->st, 0, 0, 2, &f->a, &e), 0);
        assert_true(e.n == 2 && e.more && e.v[0].seq < e.v[1].seq && e.v[0].at == 0);
        int64_t last = 0;
        assert_int_equal(store_event_last(f->st, &last), 0);
        assert_int_equal(last, e.v[1].seq + 3);
        assert_int_equal(store_event_find(f->st, e.v[1].seq, 0, 10, &f->a, &e), 0);
        assert_true(e.n == 3 && !e.more && e.v[0].at == 2);
        assert_int_equal(store_event_find(f->st, 0, 1, 10, &f->a, &e), 0);
        assert_true(e.n == 2 && e.v[1].at == 3);
        assert_int_equal(store_audit_find(f->st, 0, 0, 3, &f->a, &l), 0);
        assert_true(l.n == 3 && l.more && l.v[0].at == 4 && l.v[2].at == 2);
        assert_int_equal(store_audit_find(f->st, l.v[2].seq, 0, 3, &f->a, &l), 0);
        assert_true(l.n == 2 && !l.more && l.v[1].at == 0);
        assert_int_equal(store_audit_find(f->st, 0, 1, 3, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH_ENGINE(sessions_are_kept_in_a_ring),
                EACH_ENGINE(a_session_is_put_again_and_saved),
                EACH_ENGINE(tokens_are_found_by_hash),
                EACH_ENGINE(a_token_is_added_once_and_the_last_of_a_role_stays),
                EACH_ENGINE(settings_hold_octets),
                EACH_ENGINE(events_and_audit_are_ordered),
        };

        return RUN_TESTS(tests);
}
