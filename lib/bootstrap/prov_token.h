/* SPDX-License-Identifier: Apache-2.0 */
/* prov_token.h - the code pages of Client Provisioning documents
 * (dm-security-bootstrap-notification.md C2.2).  Those of connectivity are not all here: a
 * reader passes over what it does not know. */
#ifndef BOOTSTRAP_PROV_TOKEN_H
#define BOOTSTRAP_PROV_TOKEN_H

#include "odm/base.h"

#define PROV_ID 0x0b /* public identifier PROV 1.0 */
#define PROV_UTF8 106

#define PROV_DOC 5
#define PROV_CHARACTERISTIC 6
#define PROV_PARM 7

#define PROV_CONTENT 0x40
#define PROV_ATTRIBUTES 0x80

#define PROV_SWITCH 0x00
#define PROV_END 0x01
#define PROV_ENTITY 0x02
#define PROV_STR_I 0x03
#define PROV_LITERAL 0x04
#define PROV_STR_T 0x83
#define PROV_OPAQUE 0xc3

#define PROV_DEPTH 8 /* nested characteristics; the documents have four */

enum prov_attribute { PROV_NAME, PROV_VALUE, PROV_VERSION, PROV_TYPE };

struct prov_start { /* a token below 128: an attribute, and the beginning of its value */
        uint8_t page, token, attribute;
        const char *text;
};
struct prov_text { /* a token above: a piece of a value */
        uint8_t page, token;
        const char *text;
};

/* In the order in which an encoder looks for them. */
extern const struct prov_start odm_prov_starts[];
extern const size_t odm_prov_n_starts;
extern const struct prov_text odm_prov_texts[];
extern const size_t odm_prov_n_texts;

#endif
