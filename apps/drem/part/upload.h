/* SPDX-License-Identifier: Apache-2.0 */
/* upload.h - what a run found goes to DiagDataURL, by a program of its own (mo-diagmon.md 5). */
#ifndef DREM_PART_UPLOAD_H
#define DREM_PART_UPLOAD_H

#include "part/diagmon.h"

/* The step UPLOAD. */
ODM_MUST_USE int upload_begin(diagmon *g, const odm_task *t);
void upload_close(diagmon *g); /* ends what is under way, unheard */

#endif
