/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - nremd as a process of its own, on free ports of loopback, with a state folder that
 * goes with the test; and a client for its REST interface. */
#ifndef DAEMON_H
#define DAEMON_H

#include <jansson.h>
#include <sys/types.h>

#include "support.h"

typedef struct daemon_process {
        pid_t pid;
        unsigned port, tls_port; /* devices and REST alike */
} daemon_process;

/* The folder of the test, for cmocka_run_group_tests(): all is removed at the end. */
int daemon_make_folder(void **state);
int daemon_drop_folder(void **state);
/* "FOLDER/name"; one of four buffers in turn. */
const char *daemon_path(const char *name);

/* Runs nremd, or another program, with these arguments (NULL-ended), its outputs into the file
 * `out`.  `token`: for the environment, or NULL. */
pid_t daemon_run(const char *out, const char *const *args);
pid_t daemon_run_program(const char *program, const char *token, const char *out,
                         const char *const *args);
int daemon_end(pid_t pid); /* waits; the exit code, or minus the signal */
/* Makes the certificates below "ca". */
void daemon_make_certificates(void);
/* Starts nremd on "state" with plain and TLS listeners and these settings besides ("a.b=c",
 * NULL-ended), and waits until it says that it has. */
daemon_process daemon_start(const char *log, const char *const *settings);
void daemon_stop(daemon_process *p); /* SIGTERM, and asserts that it ended well */

odm_buf daemon_text(const char *name); /* a file, with a zero behind; the caller's to free */
bool daemon_says(const char *name, const char *what);

/* Asks with the first token.  The answer's JSON is the caller's, NULL when there is none. */
unsigned daemon_ask(const daemon_process *p, bool tls, const char *method, const char *path,
                    const char *body, json_t **answer);
/* A POST with an Idempotency-Key. */
unsigned daemon_ask_keyed(const daemon_process *p, const char *path, const char *body,
                          const char *key, json_t **answer);

#endif
