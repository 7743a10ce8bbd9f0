/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h - bootstrap documents known octet by octet
 * (dm-security-bootstrap-notification.md C2.2 and C3), for tests. */
#ifndef BOOTSTRAP_VECTORS_H
#define BOOTSTRAP_VECTORS_H

#include "account_vector.h"

/* C2.2: w7, dm.example, APPSRV DIGEST dev-0001 s3cr3t-pw; 170 octets */
static const char cp_hex[] = "030b6a00c54503312e310001c60001550187360000060377370001870001380000060"
                             "3646d2e6578616d706c65000187"
                             "0706034578616d706c6520444d0001c600015601873400000603687474703a2f2f646"
                             "d2e6578616d706c652f73000187"
                             "00013500000603555249000101c600015701873000000600018d01873300000600019"
                             "3018731000006036465762d3030"
                             "3031000187000132000006037333637233742d70770001010101";

#endif
