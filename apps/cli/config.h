/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - where the server is and how we prove who we are.
 *
 * Each setting is taken from the first place that has it: the command line, the environment
 * (XREM_SERVER, XREM_TOKEN, XREM_CA), the file ($XREM_CONFIG, else
 * $XDG_CONFIG_HOME/xrem/config, else ~/.config/xrem/config), the default. */
#ifndef XREM_CONFIG_H
#define XREM_CONFIG_H

#include "args.h"

#define XREM_SERVER_DEFAULT "http://127.0.0.1:8080"
#define XREM_TIMEOUT_DEFAULT 60

/* Fills c->set.  The file is lines of `key = value` with keys server, token, token-file, ca,
 * timeout; # begins a comment; commands that ask no server have none.  XREM_OK, XREM_USAGE, or
 * XREM_BAD_INPUT naming file and line. */
int xrem_config_load(xrem *c, const xrem_args *a);

#endif
