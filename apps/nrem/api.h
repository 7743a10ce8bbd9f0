/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the REST interface of docs/openapi.yaml, over any httpd listener.
 *
 * An api borrows the store and the loop; handlers run on the listener's threads, and continue on
 * the store's writer thread when what they wrote is durable, or on the loop when they waited.
 * Facts: xrem.md N1, N4, N5, X1, X2, X6, X7. */
#ifndef NREM_API_H
#define NREM_API_H

#include "ddf.h"
#include "httpd.h"
#include "loop.h"
#include "metrics.h"
#include "store.h"

typedef struct api api;

/* What the DM side does for REST.  Any thread; none may block. */
typedef struct api_hooks {
        /* Sends the device a package 0 soon.  0; ODM_ENOENT when nobody knows where it listens;
         * ODM_ESTATE when wake-ups are switched off.  NULL: as if switched off. */
        int (*wake)(void *ctx, const store_device *d);
        /* A job for the device has become durable.  NULL: nobody to tell. */
        void (*job_created)(void *ctx, int64_t device, int64_t job);
        /* The device's account, name or state has changed, or it is gone. */
        void (*device_changed)(void *ctx, int64_t device);
        /* Sessions in memory, as dm_sessions() and dm_session_said().  NULL: none. */
        int (*sessions)(void *ctx, int64_t device, odm_arena *a, store_session_list *out);
        int (*said)(void *ctx, int64_t id, uint32_t after, odm_arena *a, store_message_list *out);
        /* Appends gauges of its own to /metrics. */
        int (*metrics)(void *ctx, odm_buf *out);
        void *ctx;
} api_hooks;

typedef struct api_opt {
        store *store;          /* borrowed, as all here, until api_free() */
        loop *loop;            /* waits live on it */
        metrics *metrics;      /* NULL: nothing is counted */
        const ddf *ddf;        /* descriptions of nodes; NULL: none */
        const char *version;   /* of the package */
        const char *server_id; /* how the server names itself to devices */
        int64_t job_ttl_ms;    /* of a job that names none; 0: it never expires */
        uint32_t job_attempts; /* sessions that may try a job; 0: 10 */
        bool metrics_open;     /* /metrics needs no token */
        unsigned waits_max;    /* requests that wait at one time; beyond it they are answered with
                                  what is known; default 1024 */
        size_t max_body;       /* octets of a job; default 32 MiB; all else 64 KiB */
        /* what the fleet's parts bring: their routes, and they themselves; both or neither */
        const struct fleet_part *const *parts;
        struct fleet *fleet;
        api_hooks hooks;
} api_opt;

/* 0, ODM_ENOMEM. */
ODM_MUST_USE int api_new(const api_opt *opt, api **out);
/* The waits end with what is known then, and new ones are not begun; health says "stopping".  On
 * the loop's thread; those just begun end when the loop runs next (loop_once()). */
void api_stop(api *a);
void api_free(api *a); /* no request may be running; NULL is allowed */

/* For httpd_app: the head decides how much body is read, handle() answers. */
void api_head(api *a, httpd_req *r, size_t *max_body);
void api_handle(api *a, httpd_req *r);

/* Any thread: a job has moved; whoever waits for it is told. */
void api_job_moved(api *a, int64_t job);

typedef struct api_route {
        const char *method, *pattern; /* "GET", "/api/v1/devices/{name}" */
} api_route;
/* The i-th route, for tests and documents; method NULL past the end. */
api_route api_route_at(const api *a, size_t i);

#endif
