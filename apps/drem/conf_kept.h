/* SPDX-License-Identifier: Apache-2.0 */
/* conf_kept.h - the configuration file as it was when it was last in use, and what a start makes of
 * one that is not the same (docs/integrity.md).
 *
 *     STATE/conf.kept    "# SHA-256 size mtime ctime FILE", then the text of FILE
 *
 * Nobody's edit is fought with: a file that somebody wrote is in use as soon as it is read without
 * an error, and is told of.  One that cannot be read, or whose octets changed though nobody wrote
 * it, is damaged: its copy is in use.  Where the copy says integrity.edited = refuse, an edit waits
 * for --accept-config. */
#ifndef DREM_CONF_KEPT_H
#define DREM_CONF_KEPT_H

#include "cfg.h"
#include "cli.h"

#define CONF_KEPT_PATH 4096
#define CONF_KEPT_MAX ((size_t)1 << 20) /* octets of a file, as cfg_load() takes them */

typedef enum conf_was {
        CONF_SAME,
        CONF_FIRST,      /* there was no copy of this file */
        CONF_EDITED,     /* in use */
        CONF_DAMAGED,    /* its copy is in use */
        CONF_REFUSED,    /* an edit that nobody accepted: the copy is in use */
        CONF_COPY_LOST,  /* the file is in use; the copy was damaged, and is made anew */
        CONF_UNREADABLE, /* and there is no copy */
} conf_was;

typedef struct conf_facts {
        bool there, good;      /* the file; it is read without an error */
        bool empty;            /* of it, while the copy is not */
        bool kept, kept_whole; /* a copy of this file; it is what was written */
        bool kept_good;        /* and is read without an error */
        bool same;             /* octets of both */
        bool untouched; /* size and times of the file are those that were kept, and tell apart */
        bool refuse;    /* says the copy */
} conf_facts;
conf_was conf_judge(const conf_facts *f);

typedef struct conf_kept {
        conf_was was;
        char file[CONF_KEPT_PATH]; /* absolute where that can be found out */
        char why[512];             /* with DAMAGED: what is wrong with it */
} conf_kept;

typedef struct conf_source { /* borrowed */
        const cfg_key *keys; /* with integrity.edited */
        size_t n_keys;
        const cli_list *set;
        const char *file;
        int (*check)(const cfg *c, diag *d);
} conf_source;

/* The configuration to be used.  0; with CONF_UNREADABLE, the error of the file; ODM_ENOMEM. */
ODM_MUST_USE int conf_kept_open(const conf_source *s, conf_kept *k, cfg **out, diag *d);
/* Keeps the file as it is now, if it is read without an error; `c` was made of it.  The state
 * folder has to be there.  0, ODM_EIO, ODM_ENOMEM; the file's errors. */
ODM_MUST_USE int conf_kept_write(const conf_source *s, const cfg *c, diag *d);

#endif
