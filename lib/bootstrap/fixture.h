/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - a device without an account, for tests: ./DMAcc, ./Inbox, and ./Net for objects of
 * urn:oma:mo:x-test-nap. */
#ifndef BOOTSTRAP_FIXTURE_H
#define BOOTSTRAP_FIXTURE_H

#include "odm/bootstrap.h"

#define MOST ((size_t)1 << 24)

struct boot_device {
        odm_arena a; /* of the descriptions, and of what a test asks for */
        odm_mo mo[3];
        odm_provider p[3];
        odm_dmacc dmacc;
        odm_tree *tree;
};

ODM_MUST_USE int boot_device_open(struct boot_device *d, const odm_mem *mem);
void boot_device_close(struct boot_device *d);

#endif
