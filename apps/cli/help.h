/* SPDX-License-Identifier: Apache-2.0 */
/* help.h - help texts made of the table of commands. */
#ifndef XREM_HELP_H
#define XREM_HELP_H

#include <stdio.h>

#include "args.h"

void xrem_help_all(FILE *to);                          /* what `xrem --help` says */
void xrem_help_group(FILE *to, const char *group);     /* its commands */
void xrem_help_command(FILE *to, const xrem_cmd *cmd); /* one command, in full */

#endif
