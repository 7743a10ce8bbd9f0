/* SPDX-License-Identifier: Apache-2.0 */
/* readable.h - a kept message as XML for people, whatever it was on the wire. */
#ifndef NREM_READABLE_H
#define NREM_READABLE_H

#include "odm/codec.h"

#define READABLE_MASK "(masked)"

/* Decodes `bytes`, and writes indented XML into `a`.  Without `secrets`, credentials, nonces and
 * the values of AAuthSecret and AAuthData nodes are replaced by READABLE_MASK; without `addresses`,
 * what gateways tell of local addresses (gateway_has_addresses()).
 * Returns 0, ODM_EMALFORMED for what is no message, ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int readable_xml(odm_str bytes, bool secrets, bool addresses, odm_arena *a,
                              odm_str *out);

/* Whether a node's value is a credential: its name is AAuthSecret, AAuthData, or the like. */
bool readable_is_secret(odm_str uri);
/* Whether octets name such a node: a document, or commands, that may carry a credential. */
bool readable_names_secret(odm_str octets);

#endif
