/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who is speaking: credentials, challenges and nonces, for both sides.
 *
 * Each side of a session proves who it is and checks who the other is, so both
 * engines own one odm_prover and one odm_verifier.  Formulas and rules:
 * dm-protocol.md 9; digests come from nettle, which is pure computation. */
#ifndef ODM_AUTH_H
#define ODM_AUTH_H

#include "odm/msg.h"

typedef enum odm_auth_type {
        ODM_AUTH_NONE,
        ODM_AUTH_BASIC, /* syncml:auth-basic, AAuthType BASIC */
        ODM_AUTH_MD5,   /* syncml:auth-md5,   AAuthType DIGEST */
        ODM_AUTH_MAC,   /* syncml:auth-MAC,   AAuthType HMAC; travels in a transport header */
        ODM_AUTH_OTHER, /* a name we do not speak */
} odm_auth_type;

const char *odm_auth_name(odm_auth_type t);  /* "syncml:auth-md5" ... */
odm_auth_type odm_auth_parse(odm_str name);  /* either spelling; absent gives ODM_AUTH_NONE */
const char *odm_auth_aauth(odm_auth_type t); /* "DIGEST" ..., as DMAcc spells it */

typedef enum odm_mac_alg { ODM_MAC_MD5, ODM_MAC_SHA256 } odm_mac_alg;

#define ODM_SECRET_LEN 24 /* base64 of an MD5 */
#define ODM_NONCE_MAX 64
#define ODM_MAC_MAX 44 /* base64 of a SHA-256 */
#define ODM_USER_MAX 255

/* B64(H(user ":" password)): all a server need keep for md5 and MAC (dm-protocol.md 9). */
typedef struct odm_secret {
        char b64[ODM_SECRET_LEN];
} odm_secret;

typedef struct odm_nonce {
        uint8_t n;
        uint8_t p[ODM_NONCE_MAX];
} odm_nonce;

void odm_secret_of(odm_str user, odm_str password, odm_secret *out);
/* The Data of an md5 Cred. */
void odm_auth_md5(const odm_secret *s, const odm_nonce *nonce, char out[ODM_SECRET_LEN]);
/* The mac of `body`; returns its length (24 or 44).  For SHA-256 the secret is
 * B64(SHA256(user:password)) in the same construction (dm-protocol.md 14), so it is
 * made from user and password there. */
size_t odm_auth_mac(odm_mac_alg alg, odm_str user, odm_str password, const odm_secret *s,
                    const odm_nonce *nonce, odm_str body, char out[ODM_MAC_MAX]);
/* Base64 of "user:password", for auth-basic; in `a`, absent on failure. */
odm_str odm_auth_basic(odm_arena *a, odm_str user, odm_str password);
/* 16 random octets.  Returns 0 or ODM_EIO. */
ODM_MUST_USE int odm_nonce_new(const odm_rng *rng, odm_nonce *out);
/* From base64 text; what is no base64 or too long is ODM_EMALFORMED. */
ODM_MUST_USE int odm_nonce_parse(odm_str b64, odm_nonce *out);
odm_str odm_nonce_view(const odm_nonce *n);

/* The value of the x-syncml-hmac header (dm-protocol.md 9.1). */
typedef struct odm_mac {
        odm_mac_alg alg;
        odm_str user;
        odm_str mac; /* base64 text */
} odm_mac;
/* Any order, folded, mac quoted or not.  Returns 0, ODM_EMALFORMED, or
 * ODM_EUNSUPPORTED for an algorithm not known.  *out borrows from `header`. */
ODM_MUST_USE int odm_mac_parse(odm_str header, odm_mac *out);
/* Appends the value.  ODM_EINVAL for a user that no quoted string holds, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_mac_format(odm_buf *b, const odm_mac *m);

/* ---- proving who we are ---------------------------------------------------- */

/* What we show the peer.  Plain data: an engine may save it between messages. */
typedef struct odm_prover {
        odm_auth_type type; /* what to show; NONE shows nothing */
        odm_mac_alg mac_alg;
        odm_str user, password; /* borrowed by the engine that owns this */
        bool has_secret;
        odm_secret secret;  /* set when has_secret, else made from password */
        odm_nonce nonce;    /* newest one the peer issued */
        bool every_message; /* 200: show credentials again in the next message */
        bool accepted;      /* 212 was said: show nothing more this session */
        bool allow_basic;   /* a Basic challenge may be answered */
        bool typed;         /* the session's type is fixed (dm-protocol.md 9.3) */
        bool nonce_changed; /* `nonce` came since the owner last persisted it */
        uint8_t refused;    /* 401/407 answers so far */
} odm_prover;

/* Fills *cred for the next message, or leaves it not present when nothing is to be
 * shown or the type is MAC.  Returns 0, ODM_ENOMEM, ODM_ELIMIT (from `a`). */
ODM_MUST_USE int odm_prover_cred(const odm_prover *p, odm_arena *a, odm_cred *cred);
/* True when the next message must carry the MAC header. */
bool odm_prover_wants_mac(const odm_prover *p);
/* Writes the header for `body` into b. */
ODM_MUST_USE int odm_prover_mac(const odm_prover *p, odm_str body, odm_buf *b);

typedef enum odm_verdict {
        ODM_VERDICT_OK,     /* go on */
        ODM_VERDICT_RETRY,  /* challenged: send again with credentials */
        ODM_VERDICT_GIVE_UP /* refused for good: end the session */
} odm_verdict;

/* Takes the peer's Status for our SyncHdr.  A 401 or 407 to a message that showed nothing is
 * no refusal; the second refusal of what was shown gives up, so does a challenge without a
 * type we may answer, and one of another type than before.  Learns the nonce from `chal`
 * (dm-protocol.md 9.2, 9.3): used at once, but to be persisted only when the peer
 * has been authenticated: the owner looks at nonce_changed then. */
odm_verdict odm_prover_answer(odm_prover *p, unsigned status, const odm_meta *chal);

/* ---- checking who the peer is ------------------------------------------------ */

typedef struct odm_verifier {
        odm_auth_type type;   /* what we demand; ODM_AUTH_NONE when the transport did it */
        bool accept_basic;    /* basic is good enough too */
        bool accept_stronger; /* MAC or md5 beyond the demanded type are accepted, on first use */
        bool every_message;   /* answer 200 and demand credentials each time; MAC always does */
        odm_str user, password;
        bool has_secret;
        odm_secret secret;
        /* Either is accepted once (dm-protocol.md 9.4); afterwards `previous` is the one that was
         * not used, when there is one. */
        odm_nonce nonce, previous;
        bool has_nonce, has_previous;
        bool allow_default; /* session begun by a resync trigger: 0x00000000 in both forms */
        bool authenticated; /* for the whole session: 212 was said */
        bool proven;        /* the peer proved itself in this session: `previous` is over */
        bool challenged;    /* `nonce` was issued by a challenge of this session, not stored */
        bool mac_used;      /* the peer used MAC: it must go on so */
        bool nonce_changed; /* nonce and previous are new: to be persisted before the reply
                               leaves.  Only a peer that proved itself changes what is stored:
                               a challenge's nonce lives in the session (nonce, challenged). */
        uint8_t failures;
} odm_verifier;

typedef struct odm_check {
        unsigned status; /* 212, 200, 401, 407 for the SyncHdr Status */
        bool ok;         /* commands may be executed */
        bool terminate;  /* end the session after this answer, or at once for a missing MAC */
        bool challenge;  /* put `chal` into the Status */
        odm_meta chal;   /* text in the arena */
} odm_check;

/* Checks one message: `user` from SyncHdr Source/LocName (absent: the one user we
 * know), its Cred, the MAC header or absent, and the exact octets of the body.
 * Issues the next nonce from `rng` where the rules ask for one.
 * Returns 0 or ODM_ENOMEM, ODM_ELIMIT, ODM_EIO.  All comparisons take constant time,
 * and an unknown user costs and answers what a wrong password does: the engine for an
 * unknown peer runs the same check with a random secret. */
ODM_MUST_USE int odm_verifier_check(odm_verifier *v, odm_str user, const odm_cred *cred,
                                    odm_str mac_header, odm_str body, const odm_rng *rng,
                                    odm_arena *a, odm_check *out);

/* The two readings of the default nonce 0x00000000 (security B3): four zero octets,
 * and ten ASCII characters. */
extern const odm_nonce odm_nonce_default_zero, odm_nonce_default_ascii;

#endif
