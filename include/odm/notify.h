/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - package 0, the datagram by which a server asks a device to call.
 *
 * Made and checked in the 1.2 layout; the version field is free for 1.3.
 * Facts: dm-security-bootstrap-notification.md part B. */
#ifndef ODM_NOTIFY_H
#define ODM_NOTIFY_H

#include "odm/auth.h"

typedef enum odm_ui_mode {
        ODM_UI_UNSPECIFIED,
        ODM_UI_BACKGROUND,
        ODM_UI_INFORMATIVE,
        ODM_UI_INTERACTION
} odm_ui_mode;

#define ODM_NOTIFY_VERSION 11 /* DM 1.2; 10 to 13 are accepted */
#define ODM_NOTIFY_MAX 512    /* octets of the largest package 0 we make or take */

typedef struct odm_notification {
        uint16_t version; /* 10 .. 13 */
        odm_ui_mode ui;
        bool by_server;      /* initiator bit */
        uint16_t session_id; /* 1 .. FFFF */
        odm_str server_id;   /* borrowed; 1 .. 255 octets */
        odm_str vendor;      /* the rest, mostly empty */
} odm_notification;

/* Appends package 0 to b.  `secret` is odm_secret_of(server_id, password of SRVCRED): the user
 * part is the Server Identifier.  ODM_EINVAL for a field out of range, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_notify_make(const odm_notification *n, const odm_secret *secret,
                                 const odm_nonce *nonce, odm_buf *b);
/* Reads the layout; checks no digest.  ODM_EMALFORMED for a bad length or version. */
ODM_MUST_USE int odm_notify_parse(odm_str in, odm_notification *out);

typedef enum odm_notify_check {
        ODM_NOTIFY_FORGED, /* drop silently */
        ODM_NOTIFY_GOOD,   /* stored nonce */
        ODM_NOTIFY_RESYNC, /* default nonce, zero octets */
        ODM_NOTIFY_RESYNC_ASCII,
} odm_notify_check;
/* Checks the digest against the stored nonce, then the default ones (B2, B3). */
odm_notify_check odm_notify_verify(odm_str in, const odm_secret *secret, const odm_nonce *nonce);

/* SessionID text of a trigger: upper-case hex without leading zeros. */
void odm_notify_session(uint16_t id, char out[5]);

/* The connectionless WSP push around a package 0, as carried over UDP and SMS (B5):
 * TID, Push, content type 0x44, application id 7. */
ODM_MUST_USE int odm_wsp_wrap(uint8_t tid, odm_str package0, odm_buf *b);
/* Finds package 0 in a datagram; accepts content types 0x44 and 0x58, as codes or
 * text, and a bare package 0.  ODM_EMALFORMED otherwise. */
ODM_MUST_USE int odm_wsp_unwrap(odm_str datagram, odm_str *package0);
/* The parts of any such push: *type is the content type, coded (a short integer, or text with a
 * zero) with its parameters behind it; *body what follows the headers.  Both lent from `datagram`.
 * ODM_EMALFORMED for what is no push. */
ODM_MUST_USE int odm_wsp_parts(odm_str datagram, odm_str *type, odm_str *body);

#define ODM_WAP_PUSH_PORT 2948

#endif
