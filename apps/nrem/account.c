/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of devices as REST makes them: digests of passwords, and those that are made up. */
#include "account.h"

#include "call.h"
#include "rand.h"

#define PASSWORD_OCTETS 12 /* of a generated password, before they become hexadecimal */
#define PASSWORD_TEXT (2 * PASSWORD_OCTETS + 1)

static odm_str secret_text(call *c, odm_str user, odm_str password)
{
        odm_secret s;

        odm_secret_of(user, password, &s);
        odm_str text = odm_arena_copy(&c->arena, (odm_str){s.b64, ODM_SECRET_LEN});
        odm_wipe(&s, sizeof s);
        return text;
}

/* Only the digest is kept of a device's password: it is enough to check basic, md5 and MAC. */
bool account_set_password(call *c, store_account *a, odm_str user, odm_str password)
{
        a->user = user;
        a->secret = secret_text(c, user, password);
        a->password = ODM_ABSENT;
        return a->secret.p != NULL;
}

/* Our own password has to be kept where the digest over server_user is not the one package 0
 * needs (it is made with the server id), and where it is sent itself. */
bool account_set_server(call *c, store_account *a, odm_str user, odm_str password)
{
        odm_str id = odm_cstr(c->api->opt.server_id);

        a->server_id = id;
        a->server_user = user;
        a->server_secret = secret_text(c, user, password);
        a->server_password =
                odm_str_eq(user, id) && a->server_auth != ODM_AUTH_BASIC ? ODM_ABSENT : password;
        return a->server_secret.p != NULL;
}

void account_set_auth(store_account *a, unsigned auth)
{
        a->auth = auth == ODM_AUTH_NONE  ? ODM_AUTH_MD5
                  : auth == ACCOUNT_OPEN ? ODM_AUTH_NONE
                                         : auth;
        a->server_auth = auth == ACCOUNT_OPEN ? ODM_AUTH_NONE : auth;
        a->flags &= ~(uint32_t)(STORE_ACCOUNT_CERTIFICATE | STORE_ACCOUNT_BASIC |
                                STORE_ACCOUNT_BY_DEVID);
        if (auth == ODM_AUTH_NONE)
                a->flags |= STORE_ACCOUNT_CERTIFICATE;
        if (auth == ODM_AUTH_BASIC)
                a->flags |= STORE_ACCOUNT_BASIC;
}

odm_str account_made_up(call *c)
{
        char text[PASSWORD_TEXT];

        rand_hex(text, PASSWORD_OCTETS);
        odm_str s = odm_arena_copy(&c->arena, odm_cstr(text));
        odm_wipe(text, sizeof text);
        return s;
}

bool account_needs_password(const store_account *a)
{
        return !(a->flags & STORE_ACCOUNT_CERTIFICATE) && a->auth != ODM_AUTH_NONE;
}

void account_set_flag(store_account *a, uint32_t flag, bool on)
{
        a->flags = (a->flags & ~flag) | (on ? flag : 0);
}

/* Who needs no proof has none to lose. */
bool account_renew(call *c, store_account *a, odm_str was, odm_str devid, account_told *out)
{
        bool own = !a->user.p || odm_str_eq(a->user, was);
        account_told told = {ODM_ABSENT, ODM_ABSENT};
        odm_str password;

        account_set_flag(a, STORE_ACCOUNT_BY_DEVID, a->flags & STORE_ACCOUNT_CERTIFICATE);
        if (a->auth != ODM_AUTH_NONE) {
                password = account_made_up(c);
                if (account_needs_password(a))
                        told.password = password;
                told.server_password = account_made_up(c);
                if (!account_set_password(c, a, own ? devid : a->user, password) ||
                    !account_set_server(c, a,
                                        a->server_user.p ? a->server_user
                                                         : odm_cstr(c->api->opt.server_id),
                                        told.server_password))
                        return false;
        }
        *out = told;
        return true;
}
