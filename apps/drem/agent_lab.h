/* SPDX-License-Identifier: Apache-2.0 */
/* agent_lab.h - what tests of a whole agent share.  What goes wrong fails the test. */
#ifndef DREM_AGENT_LAB_H
#define DREM_AGENT_LAB_H

#include "agent.h"

/* A new folder for test `name`, and a log that is quiet unless AGENT_TEST_LOG is set. */
void lab_begin(char dir[64], const char *name);
void lab_remove(const char *dir);

void lab_set(cfg *c, const char *fmt, ...) ODM_PRINTF(2, 3); /* "key=value" */
/* The account of the configuration, at http://HOST:PORT/dm; a device that tries again soon. */
void lab_account(cfg *c, const char *server_id, const char *host, unsigned port, const char *user,
                 const char *password, const char *server_password);
void lab_open(const cfg *c, loop *l, const agent_app *app, agent **out);
bool lab_status_has(const agent *g, const char *text);

#endif
