/* SPDX-License-Identifier: Apache-2.0 */
/* rand.h - randomness of the kernel. */
#ifndef HOST_RAND_H
#define HOST_RAND_H

#include "odm/base.h"

extern const odm_rng rand_rng; /* getrandom(2) */
/* Fills p; the kernel's randomness does not fail once the machine is up, so neither does this. */
void rand_bytes(void *p, size_t n);
uint64_t rand_below(uint64_t n); /* 0 .. n-1, evenly; n > 0 */
/* n octets as lower-case hexadecimal text, 2n + 1 with its zero. */
void rand_hex(char *out, size_t n);

#endif
