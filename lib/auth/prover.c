/* SPDX-License-Identifier: Apache-2.0 */
/* Proving who we are (dm-protocol.md 9.2 to 9.4).
 *
 *     shown nothing --401/407 + Chal--> typed --212--> accepted (nothing more is shown)
 *     shown         --401/407 + Chal--> typed          200 --> shown again each message
 *     refused twice, no usable Chal, another type than before --> give up              */
#include <string.h>

#include "odm/auth.h"

#define REFUSALS 2 /* of what was shown; the second ends it */

static void secret_get(const odm_prover *p, odm_secret *out)
{
        if (p->has_secret)
                *out = p->secret;
        else
                odm_secret_of(p->user, p->password, out);
}

static odm_str md5_data(const odm_prover *p, odm_arena *a)
{
        odm_secret s;
        char text[ODM_SECRET_LEN];

        secret_get(p, &s);
        odm_auth_md5(&s, &p->nonce, text);
        odm_wipe(&s, sizeof s);
        return odm_arena_copy(a, (odm_str){text, sizeof text});
}

int odm_prover_cred(const odm_prover *p, odm_arena *a, odm_cred *cred)
{
        odm_cred c = {.present = true};

        if (p->accepted || (p->type != ODM_AUTH_BASIC && p->type != ODM_AUTH_MD5)) {
                *cred = (odm_cred){.present = false};
                return 0;
        }
        c.meta = (odm_meta){
                .present = true, .format = ODM_FMT_B64, .type = odm_cstr(odm_auth_name(p->type))};
        c.data = p->type == ODM_AUTH_MD5 ? md5_data(p, a) : odm_auth_basic(a, p->user, p->password);
        if (c.data.p == NULL)
                return odm_arena_err(a);
        *cred = c;
        return 0;
}

bool odm_prover_wants_mac(const odm_prover *p)
{
        return p->type == ODM_AUTH_MAC;
}

int odm_prover_mac(const odm_prover *p, odm_str body, odm_buf *b)
{
        char text[ODM_MAC_MAX];
        odm_secret s;
        odm_mac m = {.alg = p->mac_alg, .user = p->user};

        secret_get(p, &s);
        m.mac = (odm_str){
                text, odm_auth_mac(p->mac_alg, p->user, p->password, &s, &p->nonce, body, text)};
        odm_wipe(&s, sizeof s);
        return odm_mac_format(b, &m);
}

/* What is no base64 in an opaque is taken as the octets; other rubbish is not learnt. */
static void learn_nonce(odm_prover *p, const odm_meta *chal)
{
        odm_nonce n = {.n = 0};

        if (chal->next_nonce.p == NULL)
                return;
        if (chal->nonce_raw) {
                if (chal->next_nonce.n > ODM_NONCE_MAX)
                        return;
                n.n = (uint8_t)chal->next_nonce.n;
                memcpy(n.p, chal->next_nonce.p, n.n);
        } else if (odm_nonce_parse(chal->next_nonce, &n) < 0) {
                return;
        }
        p->nonce = n;
        p->nonce_changed = true;
}

static bool may_answer(const odm_prover *p, odm_auth_type asked)
{
        if (p->typed && asked != p->type)
                return false;
        switch (asked) {
        case ODM_AUTH_BASIC: return p->allow_basic && p->password.p != NULL;
        case ODM_AUTH_MAC: return p->mac_alg == ODM_MAC_MD5 || p->password.p != NULL;
        case ODM_AUTH_MD5: return true;
        case ODM_AUTH_NONE:
        case ODM_AUTH_OTHER: return false;
        }
        ODM_UNREACHABLE();
}

static odm_verdict on_refusal(odm_prover *p, const odm_meta *chal)
{
        bool shown = p->type != ODM_AUTH_NONE;

        if (shown)
                p->refused++;
        if (!chal || !chal->present || p->refused >= REFUSALS)
                return ODM_VERDICT_GIVE_UP;
        odm_auth_type asked = odm_auth_parse(chal->type);
        if (!may_answer(p, asked) || (p->has_secret == false && p->password.p == NULL))
                return ODM_VERDICT_GIVE_UP;
        p->type = asked;
        p->typed = true;
        p->accepted = false;
        learn_nonce(p, chal);
        return ODM_VERDICT_RETRY;
}

odm_verdict odm_prover_answer(odm_prover *p, unsigned status, const odm_meta *chal)
{
        if (status == ODM_ST_INVALID_CREDENTIALS || status == ODM_ST_MISSING_CREDENTIALS)
                return on_refusal(p, chal);
        if (status != ODM_ST_OK && status != ODM_ST_AUTH_ACCEPTED)
                return ODM_VERDICT_OK; /* no word on credentials: the engine looks at it */
        p->typed = p->type != ODM_AUTH_NONE;
        p->refused = 0;
        if (p->type != ODM_AUTH_NONE && p->type != ODM_AUTH_MAC) {
                if (status == ODM_ST_AUTH_ACCEPTED)
                        p->accepted = true;
                else if (!p->accepted)
                        p->every_message = true;
        }
        if (chal && chal->present && p->type != ODM_AUTH_NONE &&
            (chal->type.p == NULL || odm_auth_parse(chal->type) == p->type))
                learn_nonce(p, chal);
        return ODM_VERDICT_OK;
}
