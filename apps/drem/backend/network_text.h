/* SPDX-License-Identifier: Apache-2.0 */
/* network_text.h - access points in the words of the programs that make connections. */
#ifndef DREM_NETWORK_TEXT_H
#define DREM_NETWORK_TEXT_H

#include "odm/connmo.h"

/* The first line of every file we write; a file without it is not ours. */
#define NETWORK_HEADER "# Written by dremd from its access points. Changes are lost.\n"

/* What the configuration says of this device's interfaces; borrowed during the call. */
typedef struct network_place {
        const char *wlan; /* the radio's interface; NULL: none */
        const char *ca;   /* certificates that 802.1X trusts, PEM; NULL: 802.1X is not possible */
} network_place;

/* The part of a file name that stands for an access point: letters, digits, '.' and '-' as they
 * are, all else as "_" and its two digits.  0, or ODM_ELIMIT, ODM_ENOMEM of the buffer. */
ODM_MUST_USE int network_text_name(odm_str name, odm_buf *b);

/* Each appends a whole file, and returns 0, ODM_EUNSUPPORTED with *why (static text) for what the
 * program cannot do, ODM_ENOMEM, ODM_ELIMIT.
 *
 * systemd-networkd: a .network file of ETHERNET or WLAN. */
ODM_MUST_USE int network_text_networkd(const odm_nap *n, const network_place *p, odm_buf *b,
                                       const char **why);
/* wpa_supplicant: all of WLAN among `naps`, the best first.  It holds secrets. */
ODM_MUST_USE int network_text_wpa(const odm_nap *naps, size_t n, const network_place *p, odm_buf *b,
                                  const char **why);
/* NetworkManager: a connection, of WLAN for name number `ssid`.  It holds secrets. */
ODM_MUST_USE int network_text_keyfile(const odm_nap *n, size_t ssid, size_t rank,
                                      const network_place *p, odm_buf *b, const char **why);
/* exec: all of them as assignments that a shell reads.  It holds secrets. */
ODM_MUST_USE int network_text_shell(const odm_nap *naps, size_t n, const network_place *p,
                                    odm_buf *b);

#endif
