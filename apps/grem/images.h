/* SPDX-License-Identifier: Apache-2.0 */
/* images.h - images of firmware, software and configuration that the gateway holds for devices
 * below it: fetched over the backhaul once, or delivered by the server, proved, kept, and served
 * here (./GwMO/ImageInventory; gwmo.md 9).
 *
 *     Operations/Download --fetched, with resume--> proved --> offered
 *     Data  -------------------------------------/    \--> not offered; what was, stays
 *
 * What is offered is a file that is never changed (its name is its SHA-256) and a row of the store;
 * so everything below may be asked on any thread, before the agent is open too.  The row is written
 * after the file is durable, and the file goes after the row. */
#ifndef GREM_IMAGES_H
#define GREM_IMAGES_H

#include "gateway.h"

#define GW_IMAGE_PATH "/img/" /* of local URLs: scheme://host:port/img/ID, ID percent-encoded */

typedef struct gw_image { /* one that is ready; texts in the arena of who asked */
        odm_str node;     /* its node below ./GwMO/ImageInventory/Images */
        odm_str id;       /* ImageID */
        odm_str name, version, vendor, match;
        int64_t kind;      /* 0 firmware, 1 software, 2 configuration */
        odm_str path;      /* of the file, with a zero behind it */
        uint64_t size;     /* octets */
        odm_str sha256;    /* 32 octets */
        odm_str signature; /* as the server gave it: served at that URL with ".sig" behind; empty:
                              none */
        odm_str url_http;  /* where the gateway serves it; absent: it has no listener */
        int64_t ready;     /* since when, milliseconds since 1970 */
} gw_image;

/* All: 0; ODM_ENOENT: no such image, or it is not ready; ODM_ESTATE: it is being proved again, or
 * fetched again, and is to be asked for later; ODM_ENOMEM, ODM_ELIMIT, ODM_EIO.
 * `folder` is that of the gateway's state (adapter_host.folder, gw_folder()). */

/* The image of an ImageID. */
ODM_MUST_USE int gw_image_get(store *st, const char *folder, odm_str id, odm_arena *a,
                              gw_image *out);
/* The image that a local URL of ours names, whatever its scheme, host and port: so an adapter finds
 * the file behind an address that a server wrote into a device's tree. */
ODM_MUST_USE int gw_image_by_url(store *st, const char *folder, odm_str url, odm_arena *a,
                                 gw_image *out);
/* For a device: the one with that ImageID, or where that is absent the newest whose Match fits the
 * device. */
ODM_MUST_USE int gw_image_for(gateway *g, const gw_device *d, odm_str id, odm_arena *a,
                              gw_image *out);
/* What {LocalURL} (id absent) and {LocalURL:ID} in a fan-out's commands stand for. */
ODM_MUST_USE int gw_image_url(gateway *g, const gw_device *d, odm_str id, odm_arena *a,
                              odm_str *out);

#endif
