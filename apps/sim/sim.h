/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - what a run of xremsim was asked for. */
#ifndef SIM_H
#define SIM_H

#include "http_client.h"
#include "odm/client.h"

#define SIM_DEVICES_MAX 1000000
#define SIM_PARALLEL_MAX 20000
#define SIM_TAGS_MAX 16

typedef struct sim_opt {
        const char *server; /* URL devices call */
        const char *server_id, *server_user;
        const char *prefix;        /* of names, "sim/" */
        const char *password;      /* pattern: {n} stands for the device's number */
        uint32_t first, n, stride; /* numbers first, first + stride ... */
        uint32_t sessions;         /* of each device */
        uint32_t rate;             /* sessions begun a second; 0 = as fast as it goes */
        uint32_t parallel;         /* sessions at one time */
        odm_auth_type auth;
        const odm_codec *codec;
        const tls_cred *tls;
        bool secure;                   /* the server's URL is https */
        bool keep;                     /* connections go on to the next session */
        bool resume;                   /* TLS sessions are resumed */
        int64_t stop_ms;               /* no session begins after so long */
        bool named;                    /* devices are created without an account */
        const char *api, *token;       /* REST: base URL, bearer token */
        const char *tag[SIM_TAGS_MAX]; /* of new devices */
        size_t n_tags;
} sim_opt;

#define SIM_TEXT 192 /* room for names, identifiers and passwords */

/* The texts of device number `i` of the run (0 .. n-1). */
uint32_t sim_number(const sim_opt *o, uint32_t i);
void sim_name(const sim_opt *o, uint32_t i, char out[SIM_TEXT]);  /* "sim/17", the user too */
void sim_devid(const sim_opt *o, uint32_t i, char out[SIM_TEXT]); /* "urn:xremsim:sim/17" */
void sim_password(const sim_opt *o, uint32_t i, char out[SIM_TEXT]);

/* What is wrong with the URL of a server, NULL if nothing is: a load is not to be sent into the
 * world by a slip of the hand. */
const char *sim_url_wrong(const char *url, bool remote, bool *secure);
/* The same of a coap or coaps one. */
const char *sim_coap_wrong(const char *url, bool remote, bool *secure);
bool sim_url_is_here(const char *url); /* on this machine */

int64_t sim_us(void); /* monotonic microseconds */

#endif
