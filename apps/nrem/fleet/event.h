/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - the log of events as people and programs see it: filtered, and as JSON. */
#ifndef NREM_EVENT_H
#define NREM_EVENT_H

#include <jansson.h>

#include "store.h"

#define EVENT_PAGE 256
#define EVENT_MEMORY ((size_t)128 << 20) /* for a page; two of the largest events fit */
#define EVENT_SHOWN ((size_t)64 << 10)   /* octets of data that are shown as they are */
#define EVENT_TEXT 4096 /* octets of each text of more data than that which are shown */
#define EVENT_OCTETS ((size_t)4 << 20) /* of data: a page of what is shown ends behind so many */

/* Which events somebody may and wants to see.  Texts are borrowed. */
typedef struct event_filter {
        int64_t device; /* 0: of all, and of none */
        odm_str kind;   /* how it begins; absent: any */
        odm_str scope;  /* how names of devices begin that may be seen; with one, events of no
                           device are left out; absent: all */
        bool token;     /* the scope is what a token sees: without what gateways tell of others */
} event_filter;

typedef struct event_view { /* zero-initialise, set st; one thread at a time */
        store *st;
        int64_t device; /* the last one looked up */
        char name[256];
        size_t octets; /* of data that was shown */
} event_view;

/* The event as REST shows it, {"id", "time", "kind", "device", "data"}.  Of data beyond EVENT_SHOWN
 * texts are cut.  1 with *out, which is the caller's; 0 when the filter leaves it out; ODM_ENOMEM,
 * ODM_EIO. */
ODM_MUST_USE int event_show(event_view *v, const event_filter *f, const store_event *e,
                            json_t **out);

/* Whether a gateway, whose event it is, tells in it of those behind it: what comes of that is an
 * event of the device's own. */
bool event_is_of_others(odm_str kind, const json_t *data);

/* The events behind `after`, in order, at most EVENT_PAGE of them: as store_event_find(), but
 * fewer, and one at least, where they are too large for `a`, which is emptied first.  Errors as
 * there. */
ODM_MUST_USE int event_page(store *st, int64_t after, int64_t device, odm_arena *a,
                            store_event_list *out);

/* Whether a kind of event can begin so: lower case and dots, up to 63 octets. */
bool event_kind_ok(odm_str s);

/* The kinds there are, as docs/events.md lists them; NULL ends them. */
extern const char *const event_kinds[];
/* Whether one of them begins so: what is asked for may come. */
bool event_kind_known(odm_str s);

/* A place in the log (the number of the last event seen; 0: none was there yet) becomes one that
 * the log has: where events behind it are not kept any more, *missed is how many at most, else 0; a
 * place behind the last, of a log that was put back, becomes the last.  As reads of the store. */
ODM_MUST_USE int event_place(store *st, int64_t *at, int64_t *missed);

#endif
