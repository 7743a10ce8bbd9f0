/* SPDX-License-Identifier: Apache-2.0 */
/* package_part.h - what the part of packages, its REST and its answers to devices share.
 *
 *     package_part.c    rows and contents that belong together, ceilings, the thread
 *     package_api.c     REST
 *     package_put.c     REST: content comes, and is proved
 *     package_serve.c   devices fetch */
#ifndef NREM_PACKAGE_PART_H
#define NREM_PACKAGE_PART_H

#include <pthread.h>
#include <stdatomic.h>

#include "blob.h"
#include "call.h"
#include "fleet.h"
#include "package.h"

#define PACKAGE_SIGNATURE_MOST ((size_t)32 << 10)

/* Work that takes long: a content that is made durable, and proved. */
typedef struct package_task {
        struct package_task *next;
        void (*run)(void *ctx);
        void *ctx;
} package_task;

typedef struct packages {
        const fleet_host *host;
        blobs *blobs;
        char *keys;       /* folder of trusted keys; NULL: nothing is checked */
        bool signed_only; /* nothing without a good signature */
        uint64_t max_size, max_total;
        uint32_t max_count;
        pthread_mutex_t lock; /* over what follows */
        uint64_t total;       /* octets of the contents here, those announced too */
        uint32_t count;
        pthread_cond_t more;
        package_task *first, **last;
        pthread_t thread;
        bool started, stopping;
        /* ---- */
        atomic_uint_fast64_t served, uploaded;
} packages;

/* Room for one more content of so many octets (0: none here): taken, or false with the problem set.
 * What was taken is given back when it comes to nothing, and when the package goes. */
bool package_room(packages *s, call *c, uint64_t size);
void package_room_back(packages *s, uint64_t size);
/* Runs the task on the part's thread; it stays the caller's.  False when the server stops. */
bool package_later(packages *s, package_task *t);

/* The package of the path's first parameter; false with the problem set. */
bool package_find(call *c, package *out);
json_t *package_json(const packages *s, const package *p);
/* Adds the event, whose data names the package. */
bool package_tell(call *c, store_batch *b, const char *kind, const package *p);
/* Whether the token may change packages at all: one with a scope may not. */
bool package_may(call *c);
/* Makes it ready, and says so in the same batch; p->updated, signer and state are set.  NULL with
 * the problem set. */
store_batch *package_ready(call *c, package *p);

/* Handlers of package_put.c */
bool package_content_head(call *c, httpd_sink *sink, size_t *max_body);
void package_content_put(call *c);
void package_content_get(call *c);

/* Who made p->signature over the file at `path`: *signer is the key's name, in `a`; empty when the
 * part has no keys.  0; ODM_EACCESS when nobody we trust has, with a sentence in `d`; ODM_EIO,
 * ODM_ENOMEM. */
ODM_MUST_USE int package_signer(const packages *s, const package *p, const char *path, odm_arena *a,
                                odm_str *signer, diag *d);

extern const call_route package_routes[];
#define PACKAGE_ROUTES 7

#endif
