/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - all parts of this device together (part.h): who mounts, who does a step, who has
 * alerts to send.
 *
 * A step begins after it is in the journal, and its end is there before anybody is told. */
#ifndef DREM_PARTS_H
#define DREM_PARTS_H

#include "part.h"
#include "state.h"

typedef struct parts parts;

/* What parts ask of the agent, behind part_host.  None of them may call back into the parts. */
typedef struct parts_agent {
        void (*tell)(void *ctx, odm_str server); /* absent: any */
        void (*call)(void *ctx, const char *why);
        void (*restart)(void *ctx, const char *why);
        void (*again)(void *ctx, const char *why);
        void (*firmware)(void *ctx, const char *version);
        void (*ended)(void *ctx); /* a task may have something to report */
        void *ctx;
} parts_agent;

/* Hears the answer to an operation that a part served; see parts_serve(). */
typedef struct parts_asker {
        void (*answer)(void *ctx, uint64_t id, const odm_reply *r);
        void *ctx;
} parts_asker;

/* Those of this device, up to a NULL. */
extern const part_class *const parts_all[];

/* Mounts those of `classes` (up to a NULL), and of `app` if not NULL, that the configuration wants
 * on a tree with nothing loaded; all are borrowed.  Together at most PARTS_MAX.  0, or an error
 * with the reason in `d`. */
#define PARTS_MAX 32
ODM_MUST_USE int parts_mount(odm_tree *t, odm_tasks *ts, const cfg *c,
                             const part_class *const *classes, const agent_app *app, parts **out,
                             diag *d);
/* The tree is loaded: makes the objects that the configuration asks for, takes up the tasks. */
ODM_MUST_USE int parts_fill(parts *p, diag *d);
/* Gives the server of ACL `acl` its rights over all of it; else only over what has no ACL of its
 * own.  In a transaction or as its own ones. */
ODM_MUST_USE int parts_grant(parts *p, odm_str acl, bool always, odm_wall now);
/* Opens the back ends.  `agent` is copied. */
ODM_MUST_USE int parts_open(parts *p, loop *l, state *s, const parts_agent *agent, diag *d);
/* Begins the steps that can begin. */
void parts_go(parts *p);
/* No session is open: part_class.rest, then what can begin. */
void parts_rest(parts *p, bool good);

/* Calls fn for each alert of the journal and the parts that is for `server`, at the beginning of
 * a session with it.  Stops at a non-zero return and returns it; else 0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int parts_alerts(parts *p, odm_str server, odm_wall now,
                              int (*fn)(void *ctx, const odm_alert *a), void *ctx);
/* A session with `server` was carried through. */
void parts_met(parts *p, odm_str server);
/* The server answered one of them. */
void parts_alerted(parts *p, uint64_t id, unsigned status);

/* A provider said ODM_LATER to `op`, operation `id` of the session that is open: the part whose it
 * is begins it.  by->answer() comes once, perhaps from within, unless parts_drop() was said; `op`
 * lives until then.  One at a time.  0, or ODM_EUNSUPPORTED when it is nobody's; what the part
 * says. */
ODM_MUST_USE int parts_serve(parts *p, uint64_t id, const odm_op *op, const parts_asker *by);
void parts_drop(parts *p); /* nobody waits for the answer any more; none open: does nothing */

/* What was asked on the command line: part_class.asked of the one that knows the word.  Else
 * ODM_EUNSUPPORTED. */
ODM_MUST_USE int parts_asked(parts *p, odm_str word, odm_buf *b);
/* Lines of "key: value": steps under way, and what the parts say. */
ODM_MUST_USE int parts_status(const parts *p, odm_buf *b);
void parts_close(parts *p); /* before the tree is freed; NULL is allowed */

#endif
