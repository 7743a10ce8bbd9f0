/* SPDX-License-Identifier: Apache-2.0 */
/* download.h - GETs of packages, a bounded number at one time; the others wait in turn.
 *
 * Redirects (301, 302, 303, 307, 308) are followed, DOWNLOAD_REDIRECTS of them, and never out of
 * TLS; what leads nowhere ends with ODM_EINVAL. */
#ifndef SIM_DOWNLOAD_H
#define SIM_DOWNLOAD_H

#include "http_client.h"
#include "net.h"

#define DOWNLOAD_REDIRECTS 5

typedef struct downloads downloads;

typedef struct download { /* in the caller's storage; zero it, set url, fn and ctx */
        const char *url;  /* borrowed until fn */
        /* Once, not from within downloads_get(); the reply is lent.  Another download may be asked
         * for from within. */
        void (*fn)(void *ctx, const http_reply *r);
        void *ctx;
        struct download *next; /* the rest is the room's */
        struct download_slot *slot;
        char *moved; /* where the last redirect leads; NULL: there was none */
        unsigned hops;
        bool waits;
} download;

/* `n` at one time, of at most `max` octets each.  0, ODM_ENOMEM. */
ODM_MUST_USE int downloads_new(loop *l, uint32_t n, const tls_cred *tls, size_t max,
                               downloads **out);
void downloads_free(downloads *p); /* NULL is allowed; drops all unheard */
/* 0, ODM_EINVAL (the URL), ODM_ENOMEM. */
ODM_MUST_USE int downloads_get(downloads *p, download *d);
void downloads_drop(downloads *p, download *d); /* unheard; one that is none does nothing */

typedef struct downloads_counts {
        uint64_t begun, octets, redirects;
        uint32_t running, waiting, most; /* most: running at one time */
} downloads_counts;
downloads_counts downloads_counted(const downloads *p);

#endif
