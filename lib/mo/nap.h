/* SPDX-License-Identifier: Apache-2.0 */
/* nap.h - words and numbers of access points, for those who judge and those who read them. */
#ifndef MO_NAP_H
#define MO_NAP_H

#include "odm/connmo.h"

int odm_nap_bearer_of(odm_str s); /* an odm_bearer, or -1 */
int odm_nap_mode_of(odm_str s);   /* an odm_wlan_mode, or -1 */
int odm_nap_bool(odm_str s);      /* 1, 0, or -1; all forms of mo-connmo.md 4 */
bool odm_nap_v4(odm_str s, uint32_t *out);
bool odm_nap_v6(odm_str s);
int odm_nap_prefix(odm_str s, bool six); /* its length, of a mask too; or -1 */

#endif
