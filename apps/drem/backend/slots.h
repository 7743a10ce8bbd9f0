/* SPDX-License-Identifier: Apache-2.0 */
/* slots.h - two places for an image, one of them in use: an installer for machines without a boot
 * loader of their own, for containers, demos and tests.
 *
 *     FOLDER/a, FOLDER/b     the images, a file each
 *     FOLDER/marker          which one is started, how far it is trusted, and what both must hash
 * to
 *
 * An image is installed into the place that is not in use and marked as the one to be started next.
 * It is on trial until it is confirmed.  A trial that was started SLOTS_STARTS times without being
 * confirmed is over: the other image is in use again, and the marker keeps the reason.  After a
 * power cut at any moment the marker names a whole image.
 *
 * An image that is found damaged on the disk is left for the other one, SLOTS_STARTS times in a row
 * at most. */
#ifndef DREM_SLOTS_H
#define DREM_SLOTS_H

#include "fsio.h"

#define SLOTS_STARTS 3
#define SLOTS_VERSION 80 /* octets of a version, as of FUMO's PkgVersion */
#define SLOTS_REASON 200
#define SLOTS_HASH 64 /* SHA-256 in hexadecimal */

typedef enum slots_state {
        SLOTS_EMPTY,    /* no image was ever installed */
        SLOTS_GOOD,     /* the image in use is confirmed */
        SLOTS_TRIAL,    /* it was installed and is not confirmed */
        SLOTS_FELL_BACK /* the one before it is in use again: `reason` */
} slots_state;

typedef struct slots {       /* in the caller's storage */
        const fsio_ops *ops; /* NULL: the real disk */
        char folder[256];
        slots_state state;
        char in_use;       /* 'a' or 'b' */
        unsigned starts;   /* of the trial */
        unsigned switches; /* from a damaged image to the other one, in a row */
        char version[SLOTS_VERSION + 1], other_version[SLOTS_VERSION + 1]; /* "" when unknown */
        char hash[SLOTS_HASH + 1], other_hash[SLOTS_HASH + 1];             /* as installed; or "" */
        char reason[SLOTS_REASON + 1];
} slots;

/* Reads the marker; makes the folder when it is not there.  Does not count as a start.
 * Returns 0, ODM_EIO, ODM_EMALFORMED (a marker that is none), ODM_EINVAL (a folder name too long),
 * ODM_ENOMEM. */
ODM_MUST_USE int slots_open(slots *s, const fsio_ops *ops, const char *folder, diag *d);
/* The path of the image in use, or of the other place, in `out`. */
void slots_path(const slots *s, bool in_use, char out[300]);

/* Copies the image at `from`, whose hash is `hash`, into the place that is not in use, and marks it
 * as the next to start, on trial. 0; ODM_EIO (also: no room; the marker is as it was); ODM_ESTATE
 * while a trial goes on.
 */
ODM_MUST_USE int slots_install(slots *s, const char *from, const char *version, const char *hash,
                               diag *d);
/* The device started.  Counts it when there is a trial, and ends the trial that had its
 * SLOTS_STARTS. s->state tells what holds now.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int slots_start(slots *s, diag *d);
/* The image on trial works.  Nothing happens when there is no trial. */
ODM_MUST_USE int slots_confirm(slots *s, diag *d);
/* The image on trial does not, as `reason` says: over with it. */
ODM_MUST_USE int slots_refuse(slots *s, const char *reason, diag *d);
/* The image in use is damaged, as `reason` says, and the other one is whole: that one is in use
 * from the next start, as after a trial that failed.  0; ODM_ELIMIT after SLOTS_STARTS times
 * without slots_sound() between; ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int slots_damaged(slots *s, const char *reason, diag *d);
/* The image in use is whole.  Writes nothing unless there were switches. */
ODM_MUST_USE int slots_sound(slots *s, diag *d);
/* What was fallen back from is known: SLOTS_FELL_BACK becomes SLOTS_GOOD or SLOTS_EMPTY. */
ODM_MUST_USE int slots_heard(slots *s, diag *d);

#endif
