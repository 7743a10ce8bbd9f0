/* SPDX-License-Identifier: Apache-2.0 */
/* thing.h - one simulated LwM2M client as its objects: no socket, no timer.
 *
 *     1 server   3 device   4 connectivity   5 firmware   6 location   7 traffic   9 software
 *     3303 a sensor   26241 what simulated devices have besides (thing_objects)
 *     25 leaves       devices behind it, each a thing with 3, 3303 and 26241
 *
 * A request changes the thing, and may leave it with something to be done (wants), which
 * things.c sees to: downloads, installations, restarts.  Facts: lwm2m.md 3.2, 4. */
#ifndef SIM_THING_H
#define SIM_THING_H

#include "image.h"
#include "odm/lwm2m.h"
#include "scenario.h"

#define THING_PROGRAMS 8 /* instances of /9 */
#define THING_ERRORS 4   /* of /3/0/11 at one time */
#define THING_URI_MAX 255
#define THING_TEXT_MAX 63
#define THING_SERVER 101 /* short identifier of the server */
#define THING_RECORD_MAX 4096

/* What is to be done with a thing; bits. */
enum thing_want {
        THING_UPDATE = 1,   /* tell the server of it: a registration update */
        THING_REBOOT = 2,   /* start again */
        THING_DISABLE = 4,  /* deregister, and come back after disable_s */
        THING_FETCH = 8,    /* fetch the package of the order */
        THING_INSTALL = 16, /* install it; state 3 of firmware is over with thing_installed() */
        THING_KEEP = 32,    /* something is to be kept */
};

typedef enum thing_firmware_state { FW_IDLE, FW_DOWNLOADING, FW_DOWNLOADED, FW_UPDATING } thing_fw;
typedef enum thing_software_state {
        SW_INITIAL,
        SW_DOWNLOADING,
        SW_DOWNLOADED,
        SW_DELIVERED,
        SW_INSTALLED
} thing_sw;

typedef struct thing_slot { /* a place that takes packages: /5/0, or an instance of /9 */
        bool there, active;
        uint8_t state, result;
        uint16_t id;
        char *uri; /* heap; NULL: none */
        char name[THING_TEXT_MAX + 1];
        char version[IMAGE_VERSION]; /* of the package held; "" */
} thing_slot;

typedef struct thing {
        const group *group;
        uint32_t i;         /* in the group */
        unsigned number;    /* of one behind another, from 1 on; 0: it is behind none */
        struct thing *leaf; /* group->leaves of them, heap; of one that is behind another NULL */
        odm_wall born;
        int64_t clock; /* seconds that /3/0/13 is ahead */
        char fwv[IMAGE_VERSION];
        thing_slot firmware, program[THING_PROGRAMS];
        thing_slot *order; /* whose package is wanted or being put in; NULL: none */
        uint16_t error[THING_ERRORS];
        uint8_t n_errors;
        bool low; /* the battery's own error is among them */
        int64_t lifetime_s, pmin_s, pmax_s, disable_s, period_s;
        bool storing, collecting;
        uint64_t tx, rx; /* octets */
        int64_t level;
        char text[THING_TEXT_MAX + 1], utc[8], zone[32];
        uint32_t restarts, runs;
        unsigned wants; /* thing_want bits; things.c takes them away */
} thing;

/* Descriptions of the objects that OMA has not, as its XML; xremsim --print-objects. */
extern const char thing_objects[];

/* A thing as it leaves the factory, or as its record says where that is not absent.  `t` is
 * zeroed storage.  0, ODM_EMALFORMED, ODM_ENOMEM. */
ODM_MUST_USE int thing_init(thing *t, const group *g, uint32_t i, odm_str record, odm_wall now);
void thing_done(thing *t);
/* The one behind it that a path is for, "d2/3/0"; *path becomes the rest.  NULL: it is for itself.
 */
thing *thing_leaf(thing *t, odm_str *path);
/* Appends what outlives a power cut.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int thing_dump(const thing *t, odm_buf *out);

/* The operations.  Each returns a code of enum odm_coap_code, or ODM_ENOMEM, ODM_ELIMIT of `a`;
 * what is refused changes nothing.  `reg` is the registry with thing_objects. */
ODM_MUST_USE int thing_read(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_wall now,
                            odm_arena *a, odm_lw_list *out);
ODM_MUST_USE int thing_discover(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_arena *a,
                                odm_lw_links *out);
ODM_MUST_USE int thing_write(thing *t, const odm_lw_registry *reg, const odm_lw_list *l,
                             odm_wall now);
ODM_MUST_USE int thing_execute(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_str args);
/* *instance is what was made, -1 in the request for "any". */
ODM_MUST_USE int thing_create(thing *t, uint16_t object, int32_t *instance);
ODM_MUST_USE int thing_delete(thing *t, odm_lw_path at);
/* The objects and instances it registers. */
ODM_MUST_USE int thing_links(thing *t, odm_arena *a, odm_lw_links *out);

/* ---- what comes of orders --------------------------------------------------------------------- */

/* Results of a download, as firmware has them (lwm2m.md 4, /5/0/5); software's follow from them. */
enum thing_result {
        THING_OK = 1,
        THING_NO_ROOM = 2,
        THING_LOST = 4,
        THING_CORRUPT = 5,
        THING_TYPE = 6,
        THING_URI = 7,
        THING_FAILED = 8,
        THING_PROTOCOL = 9,
};

/* Looks at a package: THING_OK, THING_TYPE (another model's), THING_CORRUPT. */
unsigned thing_look(const thing *t, odm_str package, char version[IMAGE_VERSION]);
/* The download of t->order is over; `version` of what is held now. */
void thing_fetched(thing *t, unsigned result, const char *version);
/* Its installation is over.  With THING_OK firmware is what runs now, when `takes`; the thing is
 * to restart before that is said. */
void thing_installed(thing *t, unsigned result, bool takes);
/* It starts: downloads are lost, what was being installed is as before. */
void thing_restart(thing *t);
void thing_factory_reset(thing *t);

void thing_raise(thing *t, uint16_t error); /* of /3/0/11; twice is once */
void thing_clear(thing *t, uint16_t error);
/* The battery: per cent at `now`.  Its own error, low battery, comes and goes by it. */
unsigned thing_battery(thing *t, odm_wall now);
double thing_temperature(const thing *t, odm_wall now);
/* "low-battery" or a number: an error code; 16 for any other word. */
uint16_t thing_error_of(const char *word);

#endif
