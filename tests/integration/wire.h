/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - octets to a daemon and back, as no client of ours would send them. */
#ifndef WIRE_H
#define WIRE_H

#include "support.h"
#include "tls.h"

typedef struct wire {
        int fd; /* not blocking */
        tls_conn *tls;
} wire;

/* A connection from an address of loopback, 127.0.0.`from`, to 127.0.0.1; -1 as fd when it does not
 * come to stand in ten seconds.  `cred`: with TLS, borrowed by the connection. */
wire wire_open(unsigned from, unsigned port, const tls_cred *cred);
void wire_close(wire *w); /* at once, saying nothing more */
/* False when the peer takes no more within ten seconds. */
bool wire_send(wire *w, odm_str s);
/* Reads into a buffer with a zero behind until the peer ends, `room` is full, `until` (NULL: not)
 * has come, or ten seconds are over.  `closed` (NULL is allowed): the peer has ended. */
size_t wire_read(wire *w, char *buf, size_t room, const char *until, bool *closed);
/* Has the peer something to say, or ended?  Waits for at most `ms`. */
bool wire_stirs(wire *w, int ms);

#endif
