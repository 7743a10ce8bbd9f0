/* SPDX-License-Identifier: Apache-2.0 */
/* result.h - what the result codes of management objects mean.
 *
 * The same number says different things: 411 is "Size required" as a Status, "malformed or bad URL"
 * in the alert of a firmware update.  The alert's type tells which. */
#ifndef ODM_RESULT_H
#define ODM_RESULT_H

#include "odm/msg.h"

/* The meaning of `code` in an alert of `type` (with or without its "Reversed-Domain-Name:"); that
 * of a Status when the type is absent or unknown.  Never NULL.  Facts: mo-fumo.md 6, mo-scomo.md 6.
 */
const char *odm_result_text(odm_str type, unsigned code);
/* The meaning of a Status for the node at `uri`.  What an object does at once it tells in its own
 * codes (mo-others.md 1.1); the object is known by its place (1.6), and those of unknown places say
 * no more than well or not.  Never NULL. */
const char *odm_result_status(odm_str uri, unsigned code);

#endif
