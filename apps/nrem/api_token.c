/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, and who the asker is. */
#include "call.h"

static json_t *token_json(const store_token *t)
{
        json_t *o = json_object();

        if (put_text(o, "name", t->name) && put_text(o, "role", t->role) &&
            put_text(o, "scope", t->scope) && put_ms(o, "created", t->created) &&
            put_ms(o, "expires", t->expires))
                return o;
        json_decref(o);
        return NULL;
}

static bool all_tokens(call *c, store_token_list *l)
{
        int rc = store_token_find(c->api->opt.store, &c->arena, l);

        if (rc < 0)
                problem_err(&c->problem, rc, "the tokens cannot be read");
        return rc == 0;
}

void token_list(call *c)
{
        store_token_list l = {0};
        json_t *items;

        if (!all_tokens(c, &l)) {
                call_fail(c);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (json_array_append_new(items, token_json(&l.v[i])) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200, page_new(items, NULL));
}

/* ---- making one ------------------------------------------------------------------ */

typedef struct made {
        store_token t;
        char text[TOKEN_TEXT], hash[TOKEN_HASH];
} made;

static void on_made(call *c, store_batch *b, int rc)
{
        made *m = c->data;
        json_t *o;

        (void)b;
        if (rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_EXISTS, "A token of this name exists.");
        if (rc < 0) {
                call_refused(c, "the token cannot be made", rc);
                return;
        }
        o = token_json(&m->t);
        if (o && !put_cstr(o, "token", m->text)) {
                json_decref(o);
                o = NULL;
        }
        odm_wipe(m->text, sizeof m->text);
        c->secret = true;
        call_reply(c, 201, o);
}

static bool token_name_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '/')
                        return false;
        return true;
}

static bool read_token(call *c, store_token *t)
{
        jread r;
        unsigned role = TOKEN_VIEWER;
        odm_wall expires = {0};

        jread_init(&r, c->body, "", &c->problem);
        int named = jread_text(&r, "name", 1, 64, &t->name);
        if (named == 0)
                (void)jread_missing(&r, "name");
        else if (named == 1 && !token_name_ok(t->name))
                (void)jread_wrong(&r, "name", "has to be visible characters without slashes");
        if (jread_word(&r, "role", token_roles, &role) == 0)
                (void)jread_missing(&r, "role");
        if (jread_text(&r, "scope", 1, 128, &t->scope) == 1 && role == TOKEN_ADMIN)
                (void)jread_wrong(&r, "scope", "an admin is not limited to some devices");
        if (jread_wall(&r, "expires", &expires) == 1 && expires.s * 1000 <= c->now)
                (void)jread_wrong(&r, "expires", "is in the past");
        jread_end(&r);
        t->role = odm_cstr(token_roles[role]);
        t->expires = expires.s * 1000;
        t->created = c->now;
        return !problem_is(&c->problem);
}

void token_create(call *c)
{
        made *m = odm_new(&c->arena, made);
        store_batch *b = NULL;
        store_op *op;

        if (m && read_token(c, &m->t)) {
                token_make(m->text);
                token_hash(odm_cstr(m->text), m->hash);
                m->t.hash = (odm_str){m->hash, sizeof m->hash};
                c->data = m;
                b = call_batch(c, "token.create", 0, m->t.name,
                               json_string_value(json_object_get(c->body, "role")));
        }
        if (b && call_op(c, b, STORE_TOKEN_ADD, &op)) {
                op->token = m->t;
                call_commit(c, b, on_made);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- withdrawing one ------------------------------------------------------------- */

/* Without an admin nobody could ever make a token again. */
static void on_withdrawn(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no token of this name.");
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "It is the last admin token: make another one first.");
        if (rc < 0)
                call_refused(c, "the token cannot be withdrawn", rc);
        else
                call_empty(c, 204);
}

void token_remove(call *c)
{
        store_batch *b = call_batch(c, "token.remove", 0, c->param[0], "");
        store_op *op;

        if (b && call_op(c, b, STORE_TOKEN_WITHDRAW, &op)) {
                op->token = (store_token){.name = c->param[0],
                                          .role = odm_cstr(token_roles[TOKEN_ADMIN]),
                                          .created = c->now};
                call_commit(c, b, on_withdrawn);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

void whoami_show(call *c)
{
        json_t *o = json_object();

        if (!put_text(o, "name", c->who.name) || !put_text(o, "role", c->who.role) ||
            !put_text(o, "scope", c->who.scope)) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}
