/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h - a message in a few lines: its header, then a line per command and status. */
#ifndef XREM_SUMMARY_H
#define XREM_SUMMARY_H

#include "odm/msg.h"
#include "term.h"

/* Prints to stdout, each line indented by `indent` blanks.  Credentials are not shown. */
void xrem_summary(xrem *c, const odm_msg *m, unsigned indent);

#endif
