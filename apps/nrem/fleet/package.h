/* SPDX-License-Identifier: Apache-2.0 */
/* package.h - what devices are given to install: firmware, software, configuration.
 *
 * A package is a row and its content.  The content is here, a file below `packages` in the server's
 * folder that is named by its SHA-256 (blob.h), or elsewhere, at a URL whose hash and size somebody
 * told.  The row comes first and wants its content; once that is complete and proved, it is ready,
 * and neither content nor identity changes any more.
 *
 * Devices fetch it at <base>/packages/<id>/<sha256>/<file>: who does not know the hash gets
 * nothing.  The same with ".sig" behind is its signature, which is where dremd looks for it.
 * <base> is `packages.url`, else dm.url without its path, else what the device itself called last.
 *
 * Facts: xrem.md N6. */
#ifndef NREM_PACKAGE_H
#define NREM_PACKAGE_H

#include "cfg.h"
#include "store.h"
#include "table.h"

#define PACKAGE_HASH_TEXT 64 /* digits of a SHA-256, of lower case */
#define PACKAGE_PATH "/packages/"
#define PACKAGE_SIGNED ".sig" /* behind a path: that of the signature */
#define PACKAGE_FILE_MOST 128

typedef enum package_kind {
        PACKAGE_FIRMWARE,
        PACKAGE_SOFTWARE,
        PACKAGE_CONFIGURATION,
} package_kind;
extern const char *const package_kinds[]; /* by package_kind, up to a NULL */

typedef enum package_state {
        PACKAGE_WANTED, /* its content is not there yet, or not all of it */
        PACKAGE_READY,
} package_state;
extern const char *const package_states[];

typedef struct package {
        int64_t id;
        odm_str name, version; /* together they name it: no two packages have both */
        uint32_t kind, state;
        odm_str component; /* software: ID of the component, as SCOMO has it; else empty */
        odm_str fits;      /* the devices it is for: JSON of a selector (selector.h) with maker,
                              model, hwv, fwv, swv only; empty: all */
        odm_str url;       /* where the content is when it is elsewhere; else empty */
        odm_str file;      /* its name at the end of the path here */
        odm_str sha256;    /* as it was announced, then as it is; empty while not known */
        uint64_t size;     /* octets; the same */
        odm_str type;      /* media type */
        odm_str signature; /* detached, as proof.h takes it; empty: none */
        odm_str signer;    /* the server's name of the key that made it; empty: not checked */
        odm_str notes, actor;
        int64_t created, updated; /* ms since 1970 */
        int64_t users;            /* campaigns and others that need it: package_use() */
} package;

/* Fields of package_fields, by number. */
enum {
        PACKAGE_F_ID,
        PACKAGE_F_NAME,
        PACKAGE_F_VERSION,
        PACKAGE_F_KIND,
        PACKAGE_F_STATE,
        PACKAGE_F_COMPONENT,
        PACKAGE_F_FITS,
        PACKAGE_F_URL,
        PACKAGE_F_FILE,
        PACKAGE_F_SHA256,
        PACKAGE_F_SIZE,
        PACKAGE_F_TYPE,
        PACKAGE_F_SIGNATURE,
        PACKAGE_F_SIGNER,
        PACKAGE_F_NOTES,
        PACKAGE_F_ACTOR,
        PACKAGE_F_CREATED,
        PACKAGE_F_UPDATED,
        PACKAGE_F_USERS,
};

extern const store_table table_package;
/* Orders of table_package: index numbers of store_scan and store_row_by(). */
#define PACKAGE_BY_NAME 1 /* name, version: unique */
#define PACKAGE_BY_HASH 2 /* sha256 */

/* Says in the same batch that one more (`by` 1) or one less (-1) needs the package: with users it
 * is not removed (409).  Whoever begins to use one does so here, and gives it back at its end.
 * Refused as a row patch: ODM_ENOENT undoes the batch when there is no such package, ODM_ESTATE
 * when it is not ready.  NULL: out of memory or the batch is full. */
store_op *package_use(store_batch *b, int64_t id, int by);

/* Whether it is for the device, by what is known of that; false with a reason for people in *why
 * (text in `a`). */
bool package_fits(const package *p, const store_device *d, odm_arena *a, odm_str *why);

/* Where the device finds it: p->url, or the path here below `base` (which is without a slash at the
 * end) or, where that is absent, below what the device called last.  Absent when the package is not
 * ready, nothing is known of how the device reaches us, or memory is out. */
odm_str package_link(const package *p, const store_device *d, odm_str base, odm_arena *a);
/* What `base` is by the configuration: packages.url, else the authority of dm.url; absent when
 * neither is set.  Text in `a`. */
odm_str package_base(const cfg *conf, odm_arena *a);

/* A path below PACKAGE_PATH, read; texts borrowed. */
typedef struct package_path {
        int64_t id;
        odm_str sha256, file; /* the name may have PACKAGE_SIGNED behind */
} package_path;
bool package_path_read(odm_str path, package_path *out);
/* Whether it is one of the two paths of this package, ready and here; *signature says which. */
bool package_path_is(const package_path *path, const package *p, bool *signature);

#define PACKAGE_URL_MOST 2000
bool package_url_ok(odm_str s);  /* http or https, from where devices fetch */
bool package_hash_ok(odm_str s); /* 64 digits of lower case */
/* 1 to PACKAGE_FILE_MOST letters, digits, '.', '_', '~', '+', '-', the first no '.'. */
bool package_file_ok(odm_str s);

#endif
