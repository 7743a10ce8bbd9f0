/* SPDX-License-Identifier: Apache-2.0 */
/* Checking who the peer is (dm-protocol.md 9.1 to 9.5).
 *
 *     nothing shown ---407 + Chal---> challenged ---nothing, or another type---> terminate
 *     wrong         ---401 + Chal---> challenged ---wrong again----------------> terminate
 *     right         ---212 or 200 + Chal with the next nonce---> proven
 *     a MAC that was used before is missing ---> terminate
 *
 * A nonce issued by a challenge stays in the session.  What is stored changes only when
 * the peer has proved itself, so a stranger cannot make both sides lose step. */
#include <nettle/base64.h>
#include <string.h>

#include "odm/auth.h"

#define FAILURES 2 /* wrong credentials; the second ends it */

/* Nonces that may have been used, in order of preference. */
enum candidate { BY_NONCE, BY_PREVIOUS, BY_ZERO, BY_ASCII, N_CANDIDATES };

static const odm_nonce empty_nonce = {0};

static bool may_use(const odm_verifier *v, enum candidate c)
{
        switch (c) {
        case BY_NONCE: return true; /* the empty one where none was ever issued */
        case BY_PREVIOUS: return v->has_previous && !v->proven;
        case BY_ZERO:
        case BY_ASCII: return v->allow_default;
        case N_CANDIDATES: break;
        }
        ODM_UNREACHABLE();
}

static const odm_nonce *nonce_of(const odm_verifier *v, enum candidate c)
{
        switch (c) {
        case BY_NONCE: return v->has_nonce ? &v->nonce : &empty_nonce;
        case BY_PREVIOUS: return &v->previous;
        case BY_ZERO: return &odm_nonce_default_zero;
        case BY_ASCII: return &odm_nonce_default_ascii;
        case N_CANDIDATES: break;
        }
        ODM_UNREACHABLE();
}

/* Compares whatever the lengths are; the time depends on the length of `right` only. */
static bool same(odm_str shown, odm_str right)
{
        volatile unsigned char diff = shown.n != right.n;

        for (size_t i = 0; i < right.n; i++)
                diff |= (unsigned char)((i < shown.n ? shown.p[i] : 0) ^ right.p[i]);
        return diff == 0;
}

static bool user_ok(const odm_verifier *v, odm_str user)
{
        return v->user.p == NULL || user.p == NULL || same(user, v->user);
}

static void secret_get(const odm_verifier *v, odm_str user, odm_secret *out)
{
        if (v->has_secret)
                *out = v->secret;
        else
                odm_secret_of(v->user.p ? v->user : user, v->password, out);
}

static bool check_basic(const odm_verifier *v, odm_str data, odm_arena *a)
{
        odm_str both, user, password;
        odm_secret shown, right;
        size_t colon = 0;

        if (odm_b64_decode(a, data, &both) < 0)
                return false; /* also when memory ran out, which the arena tells */
        while (colon < both.n && both.p[colon] != ':')
                colon++;
        user = odm_str_to(both, colon);
        password = odm_str_from(both, colon + 1);
        odm_secret_of(user, password, &shown);
        secret_get(v, user, &right);
        bool known = user_ok(v, user); /* both are looked at, whatever the first says */
        bool ok = odm_equal_ct(shown.b64, right.b64, sizeof right.b64);
        odm_wipe(&shown, sizeof shown);
        odm_wipe(&right, sizeof right);
        return ok && known;
}

/* True when `data` is the digest for a nonce we may take; *by tells which. */
static bool check_md5(const odm_verifier *v, odm_str user, odm_str data, enum candidate *by)
{
        odm_secret s;
        char right[ODM_SECRET_LEN];
        bool found = false;

        data = odm_str_trim(data);
        secret_get(v, user, &s);
        for (int c = N_CANDIDATES - 1; c >= 0; c--) { /* all of them: equal time */
                odm_auth_md5(&s, nonce_of(v, (enum candidate)c), right);
                bool hit = same(data, (odm_str){right, sizeof right});
                if (hit && may_use(v, (enum candidate)c)) {
                        found = true;
                        *by = (enum candidate)c;
                }
        }
        odm_wipe(&s, sizeof s);
        bool known = user_ok(v, user);
        return found && known;
}

/* The octets a peer's mac stands for: the digest, or by a misreading its hexadecimal text. */
static size_t mac_octets(odm_str text, uint8_t out[2 * 32])
{
        struct base64_decode_ctx ctx;
        uint8_t tmp[BASE64_DECODE_LENGTH(96)];
        size_t n = sizeof tmp;

        base64_decode_init(&ctx);
        if (text.n > 96 || !base64_decode_update(&ctx, &n, tmp, text.n, text.p) ||
            !base64_decode_final(&ctx) || n > 64)
                return 0;
        memcpy(out, tmp, n);
        return n;
}

static bool mac_matches(odm_mac_alg alg, odm_str shown, odm_str right_b64)
{
        static const char digit[] = "0123456789abcdef";
        size_t len = alg == ODM_MAC_SHA256 ? 32 : 16;
        uint8_t right[64] = {0}, hex[64], got[64] = {0};

        size_t n = mac_octets(shown, got);
        size_t m = mac_octets(right_b64, right);
        for (size_t i = 0; i < len; i++) {
                hex[2 * i] = (uint8_t)digit[right[i] >> 4];
                hex[2 * i + 1] = (uint8_t)digit[right[i] & 15];
        }
        return m == len && ((n == len && odm_equal_ct(got, right, len)) ||
                            (n == 2 * len && odm_equal_ct(got, hex, 2 * len)));
}

static bool check_mac(const odm_verifier *v, odm_str user, odm_str header, odm_str body,
                      enum candidate *by)
{
        odm_mac m;
        odm_secret s;
        char right[ODM_MAC_MAX];
        bool found = false;

        if (odm_mac_parse(header, &m) < 0 || (m.alg == ODM_MAC_SHA256 && v->password.p == NULL))
                return false;
        odm_str name = v->user.p ? v->user : m.user;
        secret_get(v, name, &s);
        for (int c = N_CANDIDATES - 1; c >= 0; c--) {
                odm_str r = {right, odm_auth_mac(m.alg, name, v->password, &s,
                                                 nonce_of(v, (enum candidate)c), body, right)};
                bool hit = mac_matches(m.alg, m.mac, r);
                if (hit && may_use(v, (enum candidate)c)) {
                        found = true;
                        *by = (enum candidate)c;
                }
        }
        odm_wipe(&s, sizeof s);
        bool agree = user.p == NULL || same(user, m.user); /* with Source/LocName */
        bool known = user_ok(v, m.user);
        return found && agree && known;
}

/* ---- answers ---------------------------------------------------------------- */

static int put_chal(odm_auth_type type, const odm_nonce *nonce, odm_arena *a, odm_check *out)
{
        out->challenge = true;
        out->chal = (odm_meta){
                .present = true, .format = ODM_FMT_B64, .type = odm_cstr(odm_auth_name(type))};
        if (type == ODM_AUTH_BASIC)
                return 0;
        out->chal.next_nonce = odm_b64_encode(a, odm_nonce_view(nonce));
        return out->chal.next_nonce.p ? 0 : odm_arena_err(a);
}

/* The peer failed: 401 or 407 with a challenge of the type we demand, or the end. */
static int refuse(odm_verifier *v, unsigned status, bool last, const odm_rng *rng, odm_arena *a,
                  odm_check *out)
{
        odm_nonce fresh;
        int rc;

        *out = (odm_check){.status = status, .terminate = last};
        if (last)
                return 0;
        rc = odm_nonce_new(rng, &fresh);
        if (rc == 0)
                rc = put_chal(v->type, &fresh, a, out);
        if (rc < 0)
                return rc;
        if (!v->challenged) { /* what is stored stays good beside the new one */
                v->previous = v->has_nonce ? v->nonce : empty_nonce;
                v->has_previous = true;
        }
        v->nonce = fresh;
        v->has_nonce = true;
        v->challenged = true;
        return 0;
}

/* The nonce that was used is spent, or the same message would be good once more: a new one, and
 * beside it the one that was not used.  A challenge's is none of those, it was for this session. */
static void turn_nonces(odm_verifier *v, enum candidate by, const odm_nonce *fresh)
{
        bool unused = by != BY_NONCE && !v->challenged && v->has_nonce;

        if (by == BY_PREVIOUS || !v->challenged) {
                v->previous = unused ? v->nonce : empty_nonce;
                v->has_previous = unused;
        }
        v->nonce = *fresh;
        v->has_nonce = true;
        v->nonce_changed = true;
        v->challenged = false;
        v->allow_default = false;
}

static int accept(odm_verifier *v, odm_auth_type type, enum candidate by, const odm_rng *rng,
                  odm_arena *a, odm_check *out)
{
        odm_nonce fresh;
        int rc = 0;
        bool once = type == ODM_AUTH_MAC || v->every_message;

        *out = (odm_check){.status = once ? ODM_ST_OK : ODM_ST_AUTH_ACCEPTED, .ok = true};
        if (type != ODM_AUTH_BASIC) {
                rc = odm_nonce_new(rng, &fresh);
                if (rc == 0)
                        rc = put_chal(type, &fresh, a, out);
                if (rc < 0)
                        return rc;
                turn_nonces(v, by, &fresh);
        }
        v->proven = true;
        v->failures = 0;
        v->authenticated = !once;
        v->mac_used = type == ODM_AUTH_MAC;
        v->type = type; /* binding for the rest of the session */
        return 0;
}

/* ---- one message -------------------------------------------------------------- */

static bool type_ok(const odm_verifier *v, odm_auth_type shown)
{
        if (shown == v->type)
                return true;
        if (v->proven || v->challenged)
                return shown == ODM_AUTH_BASIC && v->accept_basic && !v->proven;
        return (shown == ODM_AUTH_BASIC && v->accept_basic) ||
               (v->accept_stronger && shown > v->type && shown < ODM_AUTH_OTHER);
}

static int on_mac(odm_verifier *v, odm_str user, odm_str header, odm_str body, const odm_rng *rng,
                  odm_arena *a, odm_check *out)
{
        enum candidate by = BY_NONCE;

        if (check_mac(v, user, header, body, &by))
                return accept(v, ODM_AUTH_MAC, by, rng, a, out);
        v->failures++;
        if (!v->proven)
                v->type = ODM_AUTH_MAC; /* the peer chose it: challenged in kind */
        return refuse(v, ODM_ST_INVALID_CREDENTIALS, v->failures >= FAILURES, rng, a, out);
}

static int on_cred(odm_verifier *v, odm_str user, const odm_cred *cred, const odm_rng *rng,
                   odm_arena *a, odm_check *out)
{
        odm_auth_type shown = odm_auth_parse(cred->meta.type);
        enum candidate by = BY_NONCE;
        bool good;

        if (shown == ODM_AUTH_NONE)
                shown = v->type;
        if (!type_ok(v, shown) || shown == ODM_AUTH_MAC) {
                v->failures++;
                return refuse(v, ODM_ST_INVALID_CREDENTIALS, v->challenged, rng, a, out);
        }
        good = shown == ODM_AUTH_BASIC ? check_basic(v, cred->data, a)
                                       : check_md5(v, user, cred->data, &by);
        if (!good && a->err)
                return a->err;
        if (good)
                return accept(v, shown, by, rng, a, out);
        v->failures++;
        return refuse(v, ODM_ST_INVALID_CREDENTIALS, v->failures >= FAILURES, rng, a, out);
}

static int on_nothing(odm_verifier *v, const odm_rng *rng, odm_arena *a, odm_check *out)
{
        if (!v->challenged)
                return refuse(v, ODM_ST_MISSING_CREDENTIALS, false, rng, a, out);
        v->failures++;
        if (v->type != ODM_AUTH_MAC) /* asked, and shows nothing: it never will */
                return refuse(v, ODM_ST_MISSING_CREDENTIALS, true, rng, a, out);
        return refuse(v, ODM_ST_INVALID_CREDENTIALS, v->failures >= FAILURES, rng, a, out);
}

int odm_verifier_check(odm_verifier *v, odm_str user, const odm_cred *cred, odm_str mac_header,
                       odm_str body, const odm_rng *rng, odm_arena *a, odm_check *out)
{
        odm_verifier work = *v; /* written back on success only */
        odm_check result = {.status = ODM_ST_OK, .ok = true};
        int rc = 0;

        if (v->mac_used && mac_header.p == NULL)
                result = (odm_check){.status = ODM_ST_INVALID_CREDENTIALS, .terminate = true};
        else if (v->type != ODM_AUTH_NONE && mac_header.p && type_ok(v, ODM_AUTH_MAC))
                rc = on_mac(&work, user, mac_header, body, rng, a, &result);
        else if (v->type != ODM_AUTH_NONE && !v->authenticated && cred && cred->present)
                rc = on_cred(&work, user, cred, rng, a, &result);
        else if (v->type != ODM_AUTH_NONE && !v->authenticated)
                rc = on_nothing(&work, rng, a, &result);
        if (rc < 0)
                return rc;
        *v = work;
        *out = result;
        return 0;
}
