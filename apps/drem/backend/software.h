/* SPDX-License-Identifier: Apache-2.0 */
/* software.h - what SCOMO asks for, done: packages fetched, proved, and handed to installers.
 *
 * An installer is a program; FILE is a proved package, PKGID what the server calls it.
 *
 *     COMMAND install FILE PKGID active|inactive NAME PARAMS   all of it, or nothing of it
 *     COMMAND check PKGID        the power went in the middle: 0 it is there, else it is undone
 *     COMMAND activate ID        and deactivate, remove: also when that is so already
 *     COMMAND list               all components
 *
 * Exit codes: 0; 20 no room; 30 for another machine or environment; 40 it cannot do that; 50 no
 * package of its kind; others: failed.  Of its output, lines "component<TAB>ID<TAB>VERSION<TAB>
 * active|inactive<TAB>NAME<TAB>DESCRIPTION" tell what is installed (of install, check, list), and
 * the last other line says why it failed.  One runs at a time; it goes on when dremd dies, and must
 * keep another call waiting as long.
 *
 * Facts: mo-scomo.md 3, 4, 8. */
#ifndef DREM_SOFTWARE_H
#define DREM_SOFTWARE_H

#include "errand.h"
#include "odm/scomo.h"

#include "diag.h"

#define SOFTWARE_INSTALLERS 4
#define SOFTWARE_WORDS 24 /* of a command */

typedef struct software_installer {
        const char *name;           /* "dpkg" */
        const char *const *command; /* ends with NULL */
        const char *const *types;   /* MIME types of its packages; ends with NULL */
} software_installer;

typedef struct software_opt { /* text borrowed while the software lives */
        loop *loop;
        const char *folder; /* of packages; what is in it and held by nobody goes */
        errand_terms terms;
        const char *keys;   /* folder of trusted keys; NULL: none, so nothing can be installed */
        int64_t command_ms; /* an installer is killed after that */
        const char *const *environments; /* ends with NULL */
        software_installer installer[SOFTWARE_INSTALLERS];
        size_t n_installers;
        size_t most; /* components of one installer that are told */

        /* The step of task `id` is over.  Called by the loop, never from within software_begin().
         */
        int (*done)(void *ctx, uint32_t id, const odm_task_end *e);
        /* This is all that an installer has: lent for the call. */
        void (*listed)(void *ctx, const char *installer, const odm_component *list, size_t n);
        void *ctx;
} software_opt;

typedef struct software software;

/* Copies `opt`; makes the folder; asks all installers what they have.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int software_open(const software_opt *opt, software **out, diag *d);
/* Ends downloads; an installation under way goes on by itself.  NULL is allowed. */
void software_close(software *s);

/* Begins the step of `t`, or puts it into the queue; copies what it needs.  `pushed` is the value
 * of Data when the task says so.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int software_begin(software *s, const odm_task *t, odm_str pushed);
/* Component `i` that the installation of task `id` left: 1, or 0 past the end. */
int software_made(const software *s, uint32_t id, size_t i, odm_component *out);
/* As odm_scomo.fits. */
odm_task_cause software_fits(const software *s, odm_str env, odm_str type);
/* Asks all installers once more. */
void software_look(software *s);
/* Removes files of packages that holds(ctx, name) says 0 of. */
void software_tidy(software *s, int (*holds)(void *ctx, odm_str name), void *ctx);
/* Lines of "key: value". */
ODM_MUST_USE int software_status(const software *s, odm_buf *b);

#endif
