/* SPDX-License-Identifier: Apache-2.0 */
/* A record in a state, for omadm_test.c, whose own records are other ones. */
#include "omadm_record.h"

#include "gateway.h"

gw_device *record_gone(void)
{
        static gw_device d;

        d.state = GW_DETACHED;
        return &d;
}

gw_device *record_here(void)
{
        static gw_device d;

        d.state = GW_ACTIVE;
        return &d;
}
