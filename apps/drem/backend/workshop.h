/* SPDX-License-Identifier: Apache-2.0 */
/* workshop.h - where tests of what is delivered work: a folder with keys that are trusted, packages
 * they signed, and a stand-in for the downloader.  One at a time. */
#ifndef DREM_WORKSHOP_H
#define DREM_WORKSHOP_H

#include <stdbool.h>
#include <sys/types.h>

#define WORKSHOP_PATH 128

extern char workshop[64]; /* the folder */

/* Makes it: keys/ and "fetch", a downloader to which a URL is a path, and which copies. */
void workshop_open(void);
int workshop_close(void **state); /* as cmocka wants a tear-down */

/* Writes the file `name`; and NAME.sig, by a key of keys/. */
void workshop_put(const char *name, const char *text, mode_t mode);
void workshop_sign(const char *name);
bool workshop_has(const char *name);
/* The first octets of a file, "" when it is not there; until the next call. */
const char *workshop_text(const char *name);
/* Where `name` is. */
void workshop_path(const char *name, char out[WORKSHOP_PATH]);

#endif
