/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.h - a secret asked for on the terminal. */
#ifndef DREM_PROMPT_H
#define DREM_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

/* For bootstrap_opt.ask: shows a prompt on the controlling terminal and reads a line that is not
 * shown.  0; ODM_ENOENT when there is no terminal, or its user sends no line; ODM_ELIMIT. */
int prompt_pin(void *ctx, bool again, char *out, size_t room);

#endif
