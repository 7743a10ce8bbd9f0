/* SPDX-License-Identifier: Apache-2.0 */
/* gadget.h - a simulated device that lives: its tree, its tasks, and the firmware it holds.
 *
 * At rest it is a record of some two kilobytes: what its hardware holds, and its tree.  It stands
 * only while a session runs or a step of an update begins or ends, as a device that was switched on
 * for it: each time the tasks are taken out of the tree as after a start, so what is kept is all
 * there is. */
#ifndef SIM_GADGET_H
#define SIM_GADGET_H

#include "image.h"
#include "odm/diag.h"
#include "odm/fumo.h"
#include "odm/scomo.h"
#include "odm/trap.h"
#include "scenario.h"

#define GADGET_RECORD_MAX (4u << 20)
#define GADGET_OBJECT ODM_FUMO_AT "/main"
#define GADGET_PACKAGES 8 /* of software, held at one time */

typedef struct gadget_package { /* of software, in the file `hold` */
        char hold[8];           /* "" none */
        char component[IMAGE_COMPONENT], version[IMAGE_VERSION];
} gadget_package;

typedef struct gadget {
        odm_tree *tree;
        odm_tasks *tasks;
        odm_fumo fumo;
        odm_scomo scomo; /* where the group has software */
        odm_diag diag;   /* and functions of DiagMon */
        odm_diag_function function[MEASURES + 1];
        odm_traps *traps; /* NULL: it has none */
        odm_provider sim;
        const group *group;
        uint32_t i;
        bool dirty; /* changed since the last gadget_dump() */
        /* the hardware */
        char held[IMAGE_VERSION];  /* version of the package downloaded; "" none */
        char trial[IMAGE_VERSION]; /* of the image the next start tries; "" none */
        uint64_t fired;            /* faults that happened, a bit each */
        uint64_t over;             /* of them alarms that ended */
        uint32_t calls;            /* sessions begun */
        uint32_t updates;          /* that ended well */
        gadget_package package[GADGET_PACKAGES];
        uint32_t made_by; /* the task whose installation has just ended */
        odm_component made;
} gadget;

/* Sets up device `i` of a group out of its record, or new where that is absent.  Memory comes from
 * `mem`.  0, ODM_ENOMEM, ODM_EMALFORMED (no record), ODM_EINVAL (an option fits no node). */
ODM_MUST_USE int gadget_open(const group *g, uint32_t i, odm_str record, const odm_mem *mem,
                             odm_wall now, gadget **out);
void gadget_free(gadget *g, const odm_mem *mem); /* NULL is allowed */
/* Appends its record.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int gadget_dump(gadget *g, odm_buf *out);
/* What a record says without setting the device up.  0, ODM_EMALFORMED. */
typedef struct gadget_glance {
        unsigned state; /* of FUMO */
        bool busy;      /* it has a task, under way or to be reported */
        uint64_t fired, over;
        uint32_t calls;
} gadget_glance;
ODM_MUST_USE int gadget_peek(odm_str record, gadget_glance *out);

/* The package in the file `hold`; a place for it where `make` is set (the first one goes when there
 * is no room); NULL: none. */
gadget_package *gadget_held(gadget *g, odm_str hold, bool make);
measure_who gadget_who(const gadget *g);

/* State of FUMO as a number; 0 when it cannot be read. */
unsigned gadget_state(gadget *g);
/* Writes a leaf unless it says so already.  0 or an error of odm_tree_write(). */
ODM_MUST_USE int gadget_set(gadget *g, const char *uri, const char *text, odm_wall now);
/* Reads a leaf; absent when it is not there.  The text is in `a`. */
odm_str gadget_get(gadget *g, const char *uri, odm_arena *a);

#endif
