/* SPDX-License-Identifier: Apache-2.0 */
/* images_inner.h - what the files of the image inventory share.
 *
 *   images.c        rows, files and URLs: what others ask
 *   images_part.c   ./GwMO/ImageInventory: orders, their steps and ends
 *   images_serve.c  the listener devices fetch from */
#ifndef GREM_IMAGES_INNER_H
#define GREM_IMAGES_INNER_H

#include "images.h"

#define IMAGES_AT "./GwMO/ImageInventory/Images"
#define IMAGES_MAX 1000

typedef enum image_state { /* gwmo.md 9 */
                           IMAGE_EMPTY = 0,
                           IMAGE_QUEUED = 10,
                           IMAGE_DOWNLOADING = 20,
                           IMAGE_VERIFYING = 30,
                           IMAGE_READY = 40,
                           IMAGE_FAILED = 50,
} image_state;

/* One node of the inventory.  What is offered and what is under way are apart: an image may be
 * offered while its successor is fetched. */
typedef struct image_row {
        odm_str node;
        odm_str id, name, version, vendor, match; /* of what is offered */
        int64_t kind;
        odm_str hash; /* 64 digits: what is offered; empty: nothing */
        uint64_t size;
        int64_t ready; /* ms */
        odm_str previous;
        int64_t state;  /* of the last order: image_state */
        int64_t result; /* FUMO's numbers */
        bool delivered; /* by Data, not by URL */
        odm_str correlator;
        odm_str signature; /* of what is offered, as it was given; empty: none */
        bool unproved;     /* this run of the gateway has not read its file yet */
} image_row;
extern const store_table image_table;
enum image_index { IMAGE_BY_ID = 1, IMAGE_BY_READY };

/* "FOLDER/images/HASH.img" in `a`; absent when memory is out. */
odm_str image_path(odm_arena *a, const char *folder, odm_str hash);
/* The URL of an ImageID below `base`, "http://host:port". */
odm_str image_url(odm_arena *a, odm_str base, odm_str id);
/* Where the gateway serves, "http://host:port", kept in the store for who asks from elsewhere. */
#define IMAGE_BASE ODM_STR("images.base")

/* ---- images_serve.c ---------------------------------------------------------------------- */

typedef struct image_server image_server;
/* Listens where the configuration says; *out is NULL when it says nowhere.  Writes IMAGE_BASE.
 * 0 or an error with the reason in `d`. */
ODM_MUST_USE int image_server_open(gateway *g, image_server **out, diag *d);
void image_server_close(image_server *s);         /* NULL is allowed */
odm_str image_server_base(const image_server *s); /* absent: it serves nobody */
uint16_t image_server_port(const image_server *s);

#endif
