/* SPDX-License-Identifier: Apache-2.0 */
/* udp.h - a datagram socket on the loop. */
#ifndef HOST_UDP_H
#define HOST_UDP_H

#include "net.h"

typedef struct udp udp;

#define UDP_MAX 2048 /* octets of the largest datagram taken; longer ones are dropped */

/* Binds to `at` (port 0: a free one).  `fn` may be NULL for a socket that only sends; it gets each
 * datagram during the call.  Returns 0, ODM_ENOMEM, ODM_EIO with the reason in `d`. */
ODM_MUST_USE int udp_open(loop *l, const net_addr *at,
                          void (*fn)(void *ctx, odm_str datagram, const net_addr *from), void *ctx,
                          udp **out, diag *d);
void udp_close(udp *u); /* NULL is allowed; may be called in fn */
uint16_t udp_port(const udp *u);
/* Sends at once.  Any thread.  An IPv4 address goes through an IPv6 socket too.
 * Returns 0, ODM_EIO, or ODM_ELIMIT when the socket's buffer is full. */
ODM_MUST_USE int udp_send(udp *u, odm_str datagram, const net_addr *to);

#endif
