/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - a vendor object of dremd as a shared object.
 *
 * A shared object exports one variable, `const odm_plugin odm_plugin_v1`, that describes a subtree
 * ./Vendor/<name> and says what its nodes do.  It needs nothing of libodm but this header:
 *
 *     static int read_level(void *ctx, const char *const name[], char *out, size_t room, size_t
 * *n); static const odm_plugin_node nodes[] = {{.path = "Level", .read = read_level}}; const
 * odm_plugin odm_plugin_v1 = { .version = ODM_PLUGIN_VERSION, .size = sizeof(odm_plugin), .name =
 * "tank", .ddf = "<MgmtTree ...", .nodes = nodes, .n_nodes = 1};
 *
 * All functions are called on dremd's one thread, never two at a time, and must return at once:
 * what takes long is a thread's or a program's of your own, and these give what it found last. They
 * may not call dremd.  A crash is dremd's crash: what can do without C is better a table file. */
#ifndef ODM_PLUGIN_H
#define ODM_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define ODM_PLUGIN_VERSION 1
#define ODM_PLUGIN_VALUE 65536 /* octets of the longest value read */

/* What functions return. */
enum odm_plugin_code {
        ODM_PLUGIN_OK = 0,
        ODM_PLUGIN_NONE = 1,    /* the node is not there now: the server hears 404 */
        ODM_PLUGIN_FAILED = 2,  /* 500 */
        ODM_PLUGIN_REFUSED = 3, /* check: no such value, 415; exec: not now, 405 */
};

/* What one place of the description does; functions that are NULL are not there.  `name` has what
 * the unnamed segments of the path are called, first to last, then NULL. */
typedef struct odm_plugin_node {
        const char *path; /* below the object; an asterisk stands for an unnamed segment */
        /* A leaf with a live value: its text, or octets where the format is bin, into `out`.
         * Nobody can set it. */
        int (*read)(void *ctx, const char *const name[], char *out, size_t room, size_t *n);
        /* A leaf whose value dremd keeps: may refuse a new one; hears of each that was taken, and
         * once at the start if no segment is unnamed.  Not together with `read`. */
        int (*check)(void *ctx, const char *const name[], const char *value, size_t n);
        void (*changed)(void *ctx, const char *const name[], const char *value, size_t n);
        /* An interior node: names its live children by calling add(to, name) for each, and returns
         * at once what add returns if that is not 0. */
        int (*list)(void *ctx, const char *const name[], int (*add)(void *to, const char *name),
                    void *to);
        /* Runs the node; `value` is what came with the order, perhaps nothing. */
        int (*exec)(void *ctx, const char *const name[], const char *value, size_t n);
} odm_plugin_node;

typedef struct odm_plugin {
        uint32_t version; /* ODM_PLUGIN_VERSION */
        uint32_t size;    /* sizeof(odm_plugin): later versions add fields at the end */
        const char *name; /* of the node below ./Vendor, and of its file NAME.so */
        const char *ddf;  /* the text of a DDF 1.2 document, XML; one top Node called `name` */
        const odm_plugin_node *nodes;
        size_t n_nodes;
        /* Called before anything else; *ctx goes to all functions.  Not 0: dremd does not start,
         * and says `why`.  May be NULL. */
        int (*open)(void **ctx, char *why, size_t room);
        void (*close)(void *ctx); /* after everything else; may be NULL */
} odm_plugin;

#endif
