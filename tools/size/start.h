/* SPDX-License-Identifier: Apache-2.0 */
/* start.h - the ground below the program for the target. */
#ifndef SIZE_START_H
#define SIZE_START_H

/* Writes n octets to the standard output. */
void start_tell(const char *text, unsigned n);

#endif
