/* SPDX-License-Identifier: Apache-2.0 */
/* ear.h - wake-ups for many devices through one socket.
 *
 * A package 0 does not say which device it is for, but its datagram has an address it was sent to,
 * and all of 127.0.0.0/8 is this machine: device `i` is told the server as
 * udp://127.16.0.0+i:PORT.  So it works where the server is on this machine. */
#ifndef SIM_EAR_H
#define SIM_EAR_H

#include "diag.h"
#include "loop.h"

typedef struct ear ear;

#define EAR_ADDRESS 40 /* room for "udp://127.255.255.254:65535" and a zero */

/* Listens on `port`, 0 for a free one.  fn gets each datagram that is for a device below `n`.
 * 0, ODM_ENOMEM, ODM_EIO with the reason in `d`. */
ODM_MUST_USE int ear_open(loop *l, uint16_t port, uint32_t n,
                          void (*fn)(void *ctx, uint32_t i, odm_str datagram), void *ctx, ear **out,
                          diag *d);
void ear_close(ear *e); /* NULL is allowed */
void ear_address(const ear *e, uint32_t i, char out[EAR_ADDRESS]);

#endif
