/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - the settings of gremd: those of dremd with gremd's defaults, the gateway's, and
 * those of all adapters. */
#ifndef GREM_SETTINGS_H
#define GREM_SETTINGS_H

#include "cfg.h"

/* All keys, to be freed by free(); what they point to is static.  0 or ODM_ENOMEM. */
ODM_MUST_USE int settings_keys(cfg_key **out, size_t *n);
/* As conf_check(), and what is the gateway's. */
ODM_MUST_USE int settings_check(const cfg *c, diag *d);

#endif
