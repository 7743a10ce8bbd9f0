/* SPDX-License-Identifier: Apache-2.0 */
/* firmware.h - what FUMO asks for, done: packages downloaded and proved, installed, tried after the
 * restart.
 *
 * Installers:
 *     slots   two places for an image (slots.h); after the restart a check program decides on it
 *     exec    a program of the device's maker:
 *                 PROGRAM install FILE VERSION   0: installed; 10: installed, a restart is needed;
 *                                                20: no room; else failed, its last line says why
 *                 PROGRAM check                  after that restart: 0: it runs; 3: it was never
 *                                                begun; 10: it is to be asked again after another
 *                                                restart, SLOTS_STARTS times in all; else failed
 *     rauc, swupdate   the same by a program of ours that drives them: `adapter`, whose calls begin
 *             with --folder FOLDER --check COMMAND --arguments ARGUMENTS
 *
 * At the start both images of the slots are compared with what was installed.  A damaged one is
 * left for the other one if that is whole, with one restart; a trial that no task asks for any more
 * is decided by the check as any other.
 *
 * Facts: mo-fumo.md 4, 8; mo-others.md 4. */
#ifndef DREM_FIRMWARE_H
#define DREM_FIRMWARE_H

#include "errand.h"
#include "odm/fumo.h"
#include "slots.h"

typedef enum firmware_installer {
        FIRMWARE_NONE,
        FIRMWARE_SLOTS,
        FIRMWARE_EXEC,
        FIRMWARE_RAUC,
        FIRMWARE_SWUPDATE
} firmware_installer;

typedef enum firmware_health {                         /* what the look at the start found */
                               FIRMWARE_SOUND,         /* nothing to complain of */
                               FIRMWARE_SPARE_DAMAGED, /* the image that is not in use is damaged */
                               FIRMWARE_SWITCHED, /* the one in use was; the other one is started
                                                     now */
                               FIRMWARE_DAMAGED,  /* the one in use is, and there is no other */
                               FIRMWARE_FELL_BACK /* a trial failed that no task asks for any more
                                                   */
} firmware_health;

typedef struct firmware_opt { /* text borrowed while the firmware lives */
        loop *loop;
        const char *folder; /* packages on their way */
        errand_terms terms;
        const char *patch; /* the program that makes images of patches; NULL: no deltas */
        const char *keys;  /* folder of trusted keys; NULL: none, so nothing can be installed */
        firmware_installer installer;
        const char *slots;     /* SLOTS: their folder */
        const char *command;   /* EXEC: the program.  Else: the check, or NULL for none */
        const char *adapter;   /* RAUC, SWUPDATE: the program that drives it */
        const char *arguments; /* for that; NULL: none */
        int64_t command_ms;    /* it is killed after that, and failed; 0: never */
        /* The step of task `id` is over.  Called by the loop, never from within firmware_begin().
         * 0 when that is durable. */
        int (*done)(void *ctx, uint32_t id, const odm_task_end *e);
        /* The device must start again before the step can go on. */
        void (*restart)(void *ctx, const char *why);
        /* What the look at the start found, in words too; not from within firmware_open().  With
         * SOUND and SPARE_DAMAGED another one may follow.  A spare image that is damaged while a
         * task is under way is not told of: the power may have gone as it was replaced.  May be
         * NULL. */
        void (*found)(void *ctx, firmware_health health, const char *text);
        /* Whether a task is under way that will ask for ODM_FUMO_CHECK.  NULL: none is. */
        bool (*ordered)(void *ctx);
        void *ctx;
} firmware_opt;

typedef struct firmware firmware;

/* Copies `opt`; makes the folder.  With slots this counts as a start of the device.
 * 0, ODM_EIO, ODM_EMALFORMED, ODM_EINVAL, ODM_ENOMEM; `d` says why. */
ODM_MUST_USE int firmware_open(const firmware_opt *opt, firmware **out, diag *d);
/* Ends what is under way, unheard; the loop may not run again after it. */
void firmware_close(firmware *f); /* NULL is allowed */

/* Begins the step of `t`, one at a time and after the look at the start; copies what it needs.
 * `version` is the package's; `pushed` the value of Update/PkgData when the task says so.  0,
 * ODM_ESTATE while another one goes on, ODM_ENOMEM. */
ODM_MUST_USE int firmware_begin(firmware *f, const odm_task *t, odm_str version, odm_str pushed);
/* Octets there are and will be of the download under way; 0 and 0 when there is none. */
void firmware_progress(const firmware *f, int64_t *done, int64_t *total);
/* The version in use as the installer knows it; "" when it does not. */
const char *firmware_version(const firmware *f);
/* SHA-256 of the image in use in hexadecimal, as it was installed; "" when it is not known. */
const char *firmware_image(const firmware *f);
/* The object is gone, and so is its package. */
void firmware_drop(firmware *f);

#endif
