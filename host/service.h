/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - what our daemons have in common: reading the configuration, the log and its file, and
 * how they begin to end.  The keys log.file, log.level, log.form and log.trace are in the table of
 * each. */
#ifndef HOST_SERVICE_H
#define HOST_SERVICE_H

#include "cfg.h"
#include "cli.h"

/* Reads the settings of the command line and of `file` (NULL: none), and has them checked.  Returns
 * 0, or an error after telling it on standard error under the name `program`. */
ODM_MUST_USE int service_configure(const char *program, const cfg_key *keys, size_t n,
                                   const cli_list *set, const char *file,
                                   int (*check)(const cfg *c, diag *d), cfg **out);
/* What --check says of one that was read so: that it is good, on standard output; or, when looking
 * at the files that it names gave `rc`, what `d` tells, on standard error.  Returns the exit code.
 */
ODM_MUST_USE int service_checked(const char *program, const char *file, int rc, const diag *d);

/* Starts the log: its descriptor, or -1 when the file cannot be opened, which is told on standard
 * error. */
int service_log_start(const char *program, const cfg *c);
/* After rotation: the file is opened again under the same descriptor, so that threads in the middle
 * of a line are not disturbed. */
void service_log_again(const cfg *c, int fd);

/* SIGTERM or SIGINT came: says so to the log and to the service manager.  From now on the signal is
 * the kernel's, so that a second one ends the process at once. */
void service_stopping(int signo);

#endif
