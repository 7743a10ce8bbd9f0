/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - what a package of firmware or software is to a simulated device.
 *
 * A package made for simulated devices begins with lines of "name: value", up to the first line
 * that is none:
 *     version: 2.0        the firmware's, which ./DevDetail/FwV tells afterwards
 *     model: M1           devices of another model refuse it
 *     hardware: 2         and so do those of another ./DevDetail/HwV
 *     component: net.example.app    of software: its ID
 * Any other file is a package too, and its version is what the server wrote into PkgVersion. */
#ifndef SIM_IMAGE_H
#define SIM_IMAGE_H

#include "odm/base.h"

#define IMAGE_VERSION 48    /* room for a version and a zero */
#define IMAGE_COMPONENT 128 /* and for the ID of a component */

typedef struct image {
        char version[IMAGE_VERSION];        /* "" when it says none */
        odm_str model, hardware, component; /* absent when it says none; borrowed from the file */
} image;

/* Reads the head of a package.  0, or ODM_EMALFORMED when it begins as one of ours and its version
 * is no 1 to 47 visible characters, or its component no 1 to 127. */
ODM_MUST_USE int image_read(odm_str file, image *out);

#endif
