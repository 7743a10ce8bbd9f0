/* SPDX-License-Identifier: Apache-2.0 */
/* fsio_disk.h - for tests: fsio on a real folder, told to a disk that loses power (disk.h) as well;
 * and the folder made as a cut left that disk. */
#ifndef HOST_FSIO_DISK_H
#define HOST_FSIO_DISK_H

#include "disk.h"
#include "fsio.h"

/* Operations for fsio that do what the system does, and tell `d`, which they borrow. */
fsio_ops fsio_disk_ops(disk *d);
/* The folder holds what the disk holds, and nothing else. */
void fsio_disk_lay(disk *d, const char *folder);

#endif
