/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - the settings of nremd: the table of keys, and what they mean together.
 * docs/configure.md describes them; `nremd --print-config` prints them. */
#ifndef NREM_CONF_H
#define NREM_CONF_H

#include "cfg.h"

extern const cfg_key conf_keys[];
extern const size_t conf_keys_n;

/* What single keys cannot say: a TLS listener needs a certificate, and the like.
 * 0 or ODM_EINVAL with the reason in `d`. */
ODM_MUST_USE int conf_check(const cfg *c, diag *d);

/* Copies the path of `name` in the state folder into `out`: what the key says when it says
 * something, else `def` inside of server.state.  0 or ODM_ELIMIT. */
#define CONF_PATH 1024
ODM_MUST_USE int conf_state_path(const cfg *c, const char *key, const char *def,
                                 char out[CONF_PATH], diag *d);

/* Values of [dm] unknown, in the order of its choices. */
typedef enum conf_unknown {
        CONF_UNKNOWN_REFUSE,
        CONF_UNKNOWN_HOLD,
        CONF_UNKNOWN_ACCEPT
} conf_unknown;

#endif
