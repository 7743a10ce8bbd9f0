/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - when sessions happen: at the start, by the clock, on demand, when woken; and again,
 * later and later, when they fail. */
#ifndef DREM_AGENT_H
#define DREM_AGENT_H

#include "part.h"

typedef struct agent agent;

/* Opens the device, listens for wake-ups and takes up its schedule.  `c` and `app` are borrowed;
 * `app` is NULL for dremd.  `reset` makes the account of the configuration anew.  0 or an error
 * with the reason in `d`. */
ODM_MUST_USE int agent_open(const cfg *c, loop *l, const char *version, bool reset,
                            const agent_app *app, agent **out, diag *d);
/* Looks at the certificates and keys that a start would need.  0 or an error with the reason in
 * `d`. */
ODM_MUST_USE int agent_check(const cfg *c, diag *d);
void agent_close(agent *g); /* NULL is allowed */

void agent_sync(agent *g, const char *why); /* a session with every account, now */
/* Ends the running session in good order, for at most agent.stop_time, then stops the loop. */
void agent_stop(agent *g);
/* Why the device is to start again, now that agent_stop() was said for it; NULL: it is not. */
const char *agent_restart(const agent *g);
/* What `dremd --WORD` asks of a part; its answer is appended to b.  0, or ODM_EUNSUPPORTED when no
 * part knows the word; what the part says. */
ODM_MUST_USE int agent_asked(agent *g, odm_str word, odm_buf *b);
/* Lines of "key: value" on how it goes; appended to b.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int agent_status(const agent *g, odm_buf *b);

#endif
