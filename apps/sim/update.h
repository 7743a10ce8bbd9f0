/* SPDX-License-Identifier: Apache-2.0 */
/* update.h - a step of FUMO or SCOMO under way on a simulated device: a package is fetched and
 * checked, or an installation takes its time.
 *
 * The GET is real.  What comes is checked as dremd does: the SHA-256 where the server said one, and
 * the signature where the group has keys, fetched from beside the package (URL and ".sig") when the
 * server sent none. */
#ifndef SIM_UPDATE_H
#define SIM_UPDATE_H

#include "download.h"
#include "gadget.h"

#define UPDATE_NOTE 256 /* room for a sentence and a zero */

typedef struct update update;

bool update_is_software(const odm_task *t);
bool update_is_download(const odm_task *t);

typedef struct update_host {
        loop *loop;
        downloads *pool;
        const scenario *scenario;
        /* The step of `ctx`'s device is over: look with update_end().  Not from within
         * update_new(). */
        void (*over)(void *ctx);
} update_host;

/* Begins the download that `t` asks for, or else an installation; `link` are the octets a second of
 * the device, 0 for no limit; `faults` are those that may still
 * happen to the device, a bit each.  Copies.  0, ODM_ENOMEM. */
ODM_MUST_USE int update_new(const update_host *h, gadget *g, const odm_task *t, uint64_t faults,
                            int64_t link, void *ctx, update **out);
void update_free(update *u); /* NULL is allowed; gives it up, unheard */

uint32_t update_task(const update *u);
bool update_downloads(const update *u); /* else it installs */
bool update_for_software(const update *u);
/* NULL while it goes on.  *found: of the package that was fetched.  Lent until update_free(). */
typedef struct update_found update_found;
const odm_task_end *update_end(const update *u, const update_found **found);

/* Looks at a package that came within the session: whether it is the one that was meant and fits
 * the device.  0, or an error when that could not be found out. */
struct update_found {
        odm_task_cause cause;
        char note[UPDATE_NOTE]; /* why, in words; "" where all is well */
        char version[IMAGE_VERSION], component[IMAGE_COMPONENT];
        uint64_t fired; /* faults that happened, a bit each */
};
ODM_MUST_USE int update_look(gadget *g, const odm_task *t, odm_str package, const scenario *s,
                             uint64_t faults, update_found *out);

#endif
