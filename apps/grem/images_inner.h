/* SPDX-License-Identifier: Apache-2.0 */
/* images_inner.h - what the files of the image inventory share.
 *
 *   images.c        what others ask
 *   images_part.c   ./GwMO/ImageInventory: nodes, and what servers order
 *   images_work.c   steps of orders, and how they end
 *   images_start.c  what a start finds
 *   images_list.c   images in memory, their leaves in the tree, their rows
 *   images_file.c   files
 *   images_serve.c  the listener devices fetch from
 *
 * An image is a node of the tree, a row, and files; of what is under way memory has more. */
#ifndef GREM_IMAGES_INNER_H
#define GREM_IMAGES_INNER_H

#include "delivery.h"
#include "images.h"
#include "part/notice.h"

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
        int64_t ready;    /* ms */
        odm_str previous; /* what was offered before, and is kept for Rollback; empty: nothing */
        int64_t state;    /* of the last order: image_state */
        int64_t result;   /* FUMO's numbers */
        bool delivered;   /* by Data, not by URL */
        odm_str correlator;
        odm_str signature; /* of what is offered, as it was given; empty: none */
        bool unproved;     /* this run of the gateway has not read its file yet */
        odm_str previous_signature;
        bool backward; /* the order is a Rollback */
        bool older;    /* what is offered is what an order went back to: its URL has another one */
} image_row;
extern const store_table image_table;
enum image_index { IMAGE_BY_ID = 1, IMAGE_BY_READY };

/* "FOLDER/images/HASH.img" in `a`; absent when memory is out. */
odm_str image_path(odm_arena *a, const char *folder, odm_str hash);
/* The URL of an ImageID below `base`, "http://host:port". */
odm_str image_url(odm_arena *a, odm_str base, odm_str id);
/* Where the gateway serves, "http://host:port", kept in the store for who asks from elsewhere. */
#define IMAGE_BASE ODM_STR("images.base")

/* ---- in memory: images_list.c ------------------------------------------------------------ */

typedef enum image_order {
        ORDER_DOWNLOAD,
        ORDER_DATA,
        ORDER_VERIFY,
        ORDER_BACK,
        ORDER_LOOK,     /* by itself, after the start: at what is offered, */
        ORDER_LOOK_BACK /* and at what was before */
} image_order;

typedef struct images images;
typedef struct image_server image_server;

typedef struct image_node {
        struct image_node *next;
        images *p;
        image_row row;     /* texts on the heap, each its own */
        image_order order; /* while its state says that one is under way */
        bool looking;      /* what is offered is to be read again, without an order */
        bool looking_back; /* and so is what was before */
        image_order doing; /* while there is a delivery */
        notice alarm;      /* of what was found damaged */
        delivery *delivery;
        char hash[65]; /* of what the delivery proved */
} image_node;

struct images {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        image_node *list;
        size_t n, running;
        uint64_t read; /* octets, at the start */
        image_server *server;
        char *folder; /* of the gateway's state; NULL before the part is open */
        loop_timer soon;
};

#define IMAGE_TEXTS ((size_t)256 << 10) /* of memory for what an image's leaves say */

/* An order waits, or is worked on. */
bool image_is_under_way(const image_node *i);
/* Copies one text over another; false: no memory, nothing has changed. */
bool image_set_text(odm_str *to, odm_str from);
image_node *image_find(const images *p, odm_str node); /* NULL: none */
/* That, or a new one that is empty; NULL: no memory, or IMAGES_MAX are there. */
image_node *image_make(images *p, odm_str node);
/* Out of memory, with its delivery. */
void image_drop(images *p, image_node *i);

/* The address of a leaf, or with "" of the node; absent when memory is out. */
odm_str image_uri(odm_arena *a, const image_node *i, const char *leaf);
odm_str image_leaf(const image_node *i, const char *name,
                   odm_arena *a); /* absent: it is not there */
int64_t image_number(const image_node *i, const char *name, odm_arena *a);

/* The row as it is now, with the alert of an end or without; durable on return.  0 or an error,
 * which is in the log. */
ODM_MUST_USE int image_keep(const image_node *i, bool ended);
ODM_MUST_USE int image_drop_row(images *p, const image_node *i);

/* ---- files: images_file.c ----------------------------------------------------------------- */

/* What comes in, and is not proved; absent when memory is out. */
odm_str image_file_coming(const image_node *i, odm_arena *a);
void image_file_drop(const image_node *i); /* takes that away */
/* Makes what came in the file of i->hash, durable on return; what came in stays.  0, ODM_ENOMEM,
 * ODM_EIO. */
ODM_MUST_USE int image_file_place(const image_node *i, odm_arena *a);
void image_file_forget(const images *p, odm_str hash); /* unless a row names it */
uint64_t image_file_size(const char *path);            /* 0 also for none */
uint64_t images_taken(const images *p);                /* octets */
uint64_t images_room(const images *p);                 /* octets that there is room for */
/* Files of images that are no more go: the power went between row and file. */
void images_sweep(const images *p, const char *folder);

/* ---- orders: images_work.c ----------------------------------------------------------------- */

void images_wake(images *p, int64_t ms); /* images_work() then */
/* Goes on with all there is to do, as the tree has it now; `ctx` is the images. */
void images_work(void *ctx);
/* What was kept to go back to is damaged, and goes. */
void image_lose_previous(image_node *i);
/* What is offered was read: it is whole, or it is damaged, and offered no more. */
void image_proved(image_node *i);
void image_spoilt(image_node *i, const char *note);

/* ---- the start: images_start.c --------------------------------------------------------------- */

/* What is offered is in doubt, for everybody who reads rows, before anybody can ask for it. */
ODM_MUST_USE int images_doubt(images *p);
/* All rows; small images are read at once, large ones by images_work(). */
ODM_MUST_USE int images_read(images *p);

/* ---- images_serve.c ---------------------------------------------------------------------- */

/* Listens where the configuration says; *out is NULL when it says nowhere.  Writes IMAGE_BASE.
 * 0 or an error with the reason in `d`. */
ODM_MUST_USE int image_server_open(gateway *g, image_server **out, diag *d);
void image_server_close(image_server *s);         /* NULL is allowed */
odm_str image_server_base(const image_server *s); /* absent: it serves nobody */
uint16_t image_server_port(const image_server *s);

#endif
