/* SPDX-License-Identifier: Apache-2.0 */
/* dm_fake.h - a small DM server in the test's process: the real server engine behind the real HTTP
 * server, with jobs from a script and a memory of nonces.  For tests only. */
#ifndef DREM_DM_FAKE_H
#define DREM_DM_FAKE_H

#include <pthread.h>

#include "httpd.h"
#include "odm/server.h"

#define FAKE_ID "com.example.dm"
#define FAKE_PASSWORD "server-pass"
#define FAKE_USER "device-1"
#define FAKE_USER_PASSWORD "device-pass"

typedef struct fake_job { /* one command */
        odm_cmd kind;
        const char *uri, *data, *correlator; /* NULL: none */
        odm_format format;
} fake_job;

typedef struct dm_fake {
        httpd *h;
        uint16_t plain, tls;
        pthread_mutex_t lock; /* over all that follows */
        const char *password; /* the device must show */
        odm_auth_type type;
        const fake_job *jobs;
        size_t n_jobs, next_job;
        bool again;             /* the jobs are given in every session */
        unsigned refuse_status; /* not 0: answer so on the level of HTTP */
        const char *retry_after;
        unsigned alert_status; /* of alerts; 0: 200 */
        unsigned stall_at;     /* this request's reply comes 1.5 s late; 0 = none */
        odm_server *session;
        unsigned served; /* jobs of this session */
        odm_nonce client, previous, server;
        /* what happened */
        unsigned requests, sessions, done, auth_failed, alerts_1200, alerts_1201;
        char report[16384]; /* "200 ./A = value\n", "alert TYPE CORRELATOR DATA\n" */
        char last_id[16];
} dm_fake;

/* Starts it on free ports; `cert` and `key` NULL for no TLS.  Asserts that all goes well. */
void dm_fake_start(dm_fake *f, const char *cert, const char *key);
void dm_fake_stop(dm_fake *f);
/* Reads a counter, safely. */
unsigned dm_fake_done(dm_fake *f);
bool dm_fake_reported(dm_fake *f, const char *line);

#endif
