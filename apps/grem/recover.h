/* SPDX-License-Identifier: Apache-2.0 */
/* recover.h - devices that are not what the server says they should be (xrem.md G10): those that a
 * rule of ./GwMO/Config/Ext/Validation names are looked at, put into quarantine (State 5), healed
 * from the image or the configuration that is stored here, looked at again, and let go.
 *
 *     Validation/<x>   Match     which devices
 *                      FwV, FwHash, ImageID   what they should run, and what heals them
 *                      Config    whether ConfigData with AutoApply is to be as it was put there
 *
 * In quarantine a device is served to this alone: commands of servers, fan-outs and alarms' rules
 * meet a device that is switched off.  The rules without I/O are odm/heal.h's. */
#ifndef GREM_RECOVER_H
#define GREM_RECOVER_H

#include "gateway.h"

/* Rules, or what they go by, may have changed. */
void recover_judge(gateway *g);
/* There is an image that was not there before. */
void recover_image(gateway *g);
/* A device in quarantine is here, or is awake. */
void recover_seen(gateway *g, gw_device *d);

#endif
