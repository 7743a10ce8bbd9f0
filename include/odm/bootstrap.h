/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.h - how a device gets an account before there is a session: a message that holds
 * one, proved by a MAC, and never answered.
 *
 * Two profiles: a DM message that adds TNDS objects to ./Inbox, and a Client Provisioning document.
 * A device:
 *
 *     rc = odm_boot_parse(octets, &b);
 *     while ((v = odm_boot_prove(&b, &keys)) == ODM_BOOT_AGAIN)
 *             ask the user for another PIN
 *     rc = odm_boot_apply(&b, &opt, tree, now, &arena, &done);    all of it or nothing
 *
 * A server:
 *
 *     rc = odm_boot_make(profile, &offer, &document);
 *     rc = odm_boot_sign(profile, sec, &keys, document, &b);
 *     rc = odm_boot_put_mime(&b, &out);                           or odm_boot_put_push()
 *
 * Facts: dm-security-bootstrap-notification.md part C. */
#ifndef ODM_BOOTSTRAP_H
#define ODM_BOOTSTRAP_H

#include "odm/client.h" /* odm_account */

typedef enum odm_boot_profile {
        ODM_BOOT_DM, /* application/vnd.syncml.dm+wbxml */
        ODM_BOOT_CP, /* application/vnd.wap.connectivity-wbxml */
} odm_boot_profile;

/* How a message is proved, by the numbers of the WSP header. */
typedef enum odm_boot_sec {
        ODM_BOOT_NETWORK,      /* NETWPIN of CP, NETWORKID of DM */
        ODM_BOOT_USER,         /* USERPIN */
        ODM_BOOT_USER_NETWORK, /* USERNETWPIN of CP, USERPIN_NETWORKID of DM */
        ODM_BOOT_USER_MAC,     /* USERPINMAC, CP only: the PIN itself proves the document */
} odm_boot_sec;

/* The word of a profile, "NETWORKID"; NULL for ODM_BOOT_USER_MAC of DM. */
const char *odm_boot_sec_name(odm_boot_profile p, odm_boot_sec s);
/* From a word of either profile, in letters of either case, or its number.  0, ODM_EMALFORMED. */
ODM_MUST_USE int odm_boot_sec_parse(odm_str word, odm_boot_sec *out);

typedef struct odm_boot_keys { /* absent: not known */
        odm_str network;       /* what device and network both know: IMSI, ESN, or any secret */
        odm_str pin;           /* what the user was told */
} odm_boot_keys;

#define ODM_BOOT_MAC_LEN 20
#define ODM_BOOT_PIN_TEXT 41 /* room for a PIN of odm_boot_pin(), and its zero */
#define ODM_BOOT_TRIES 3     /* PINs a user may try */
#define ODM_BOOT_PIN_MAX 64  /* characters of a PIN */
#define ODM_BOOT_ACCOUNTS 16 /* accounts of one message */
#define ODM_BOOT_MAX 65536   /* octets of the largest message we take */

/* A message as it was carried.  Plain data, borrowed from the octets it was parsed from. */
typedef struct odm_boot {
        odm_boot_profile profile;
        odm_boot_sec sec;
        uint8_t mac[ODM_BOOT_MAC_LEN]; /* not used by ODM_BOOT_USER_MAC */
        odm_str doc;                   /* what the MAC is of */
        uint8_t tries;                 /* PINs that may still be tried */
        bool proven;
} odm_boot;

/* Takes the carrier off: a WSP push, or text "Content-Type: TYPE; SEC=..; MAC=.." with an empty
 * line before the document.  Looks at no octet of the document. Returns 0; ODM_EMALFORMED for what
 * is neither; ODM_EUNSUPPORTED for another media type; ODM_EACCESS for a message that nothing
 * proves; ODM_ELIMIT above ODM_BOOT_MAX. */
ODM_MUST_USE int odm_boot_parse(odm_str in, odm_boot *out);

typedef enum odm_boot_verdict {
        ODM_BOOT_GOOD,
        ODM_BOOT_AGAIN,   /* the PIN is wrong, or none was given: ask for it (again) */
        ODM_BOOT_DISCARD, /* wrong for good: no PIN left to try, or none would help */
} odm_boot_verdict;
/* Checks the MAC.  A wrong PIN counts; an absent one does not.  Takes constant time. */
odm_boot_verdict odm_boot_prove(odm_boot *b, const odm_boot_keys *keys);

/* The objects in it, for whoever wants to look: one document, whatever the profile; no account of
 * CP is lost, names of their tops are empty there.  All in `a`; text borrowed from b->doc. Returns
 * 0; ODM_EMALFORMED for what cannot be read; ODM_EUNSUPPORTED for a command that is not Add to
 * ./Inbox of a TNDS document; ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int odm_boot_objects(const odm_boot *b, const odm_limits *lim, odm_arena *a,
                                  odm_doc **out);
/* True for the identifier of an account, in each spelling the documents have. */
bool odm_boot_is_account(odm_str type);

typedef struct odm_boot_opt {
        const odm_limits *limits; /* NULL for the defaults */
        bool replace;             /* an account of a server we know is replaced; else 418 */
} odm_boot_opt;

typedef struct odm_boot_done {
        unsigned status; /* 200, or why nothing was done */
        const char *why; /* static text; "" for 200 */
        size_t n;
        struct odm_boot_server {
                odm_str uri, server_id; /* "./DMAcc/1"; in the arena */
        } server[ODM_BOOT_ACCOUNTS];
        unsigned ignored; /* objects this device does not have */
} odm_boot_done;

/* Puts the objects where they belong, as the device itself and in one transaction: all of them or
 * nothing, but for objects that the device does not have.  Of several versions of one object the
 * newest counts.  An account without a list of its own is its server's:
 * Get, Replace, Delete.  Without a usable account in it nothing is done (412).
 * Returns 0 with *out set; ODM_ESTATE for a message that is not proven, or in a transaction; what
 * odm_boot_objects() says; ODM_EIO. */
ODM_MUST_USE int odm_boot_apply(const odm_boot *b, const odm_boot_opt *opt, odm_tree *t,
                                odm_wall now, odm_arena *a, odm_boot_done *out);

/* ---- making one ------------------------------------------------------------------ */

typedef struct odm_boot_offer {
        odm_account account; /* server_id and addr are needed; uri and *_uri are not used */
        odm_str name;        /* what people call it; absent for none */
        odm_str node;        /* DM: what the node is to be called; absent: the device chooses */
        odm_str device_id;   /* DM: Target of the message; absent: "*" */
} odm_boot_offer;

/* Appends the document.  ODM_EINVAL without server_id or addr, or for text with a zero in it;
 * ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_boot_make(odm_boot_profile p, const odm_boot_offer *o, odm_buf *out);
/* The same of objects that are there already, as DM profile: `doc` is a TNDS document, `device_id`
 * the Target or absent, `source` the ServerID of who makes it.  ODM_EINVAL for an empty document,
 * no source, or text with a zero in it; ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_boot_make_of(const odm_doc *doc, odm_str device_id, odm_str source,
                                  odm_buf *out);
/* Computes the MAC of `doc`, which *out borrows.  Of ODM_BOOT_USER_MAC there is none: see
 * odm_boot_pin().  ODM_EINVAL when a key is missing or too long, or DM is to use USER_MAC. */
ODM_MUST_USE int odm_boot_sign(odm_boot_profile p, odm_boot_sec s, const odm_boot_keys *keys,
                               odm_str doc, odm_boot *out);
/* The PIN of ODM_BOOT_USER_MAC: `half`, some random digits, and as many that prove `doc`; with a
 * zero behind it.  ODM_EINVAL for no digits or more than 20. */
ODM_MUST_USE int odm_boot_pin(odm_str half, odm_str doc, char out[ODM_BOOT_PIN_TEXT]);
/* Appends the message with its carrier.  ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_boot_put_mime(const odm_boot *b, odm_buf *out);
ODM_MUST_USE int odm_boot_put_push(const odm_boot *b, uint8_t tid, odm_buf *out);

/* ---- Client Provisioning documents ----------------------------------------------------- */

typedef struct odm_prov_parm {
        struct odm_prov_parm *next;
        odm_str name, value; /* value may be absent */
} odm_prov_parm;

typedef struct odm_prov { /* a characteristic; the document itself is one without a type */
        struct odm_prov *next, *children;
        odm_prov_parm *parms;
        odm_str type;
} odm_prov;

/* Reads the WBXML form, with the code pages of PROV 1.0 and 1.1.  All in `a`.
 * 0, ODM_EMALFORMED, ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int odm_prov_decode(odm_str in, const odm_limits *lim, odm_arena *a, odm_prov **out);
/* Appends the WBXML form: tokens where there are some.  ODM_EINVAL for text with a zero in it. */
ODM_MUST_USE int odm_prov_encode(const odm_prov *doc, odm_buf *out);
/* Appends the XML form, for people.  ODM_EINVAL for text that XML cannot carry. */
ODM_MUST_USE int odm_prov_xml(const odm_prov *doc, odm_buf *out);

#endif
