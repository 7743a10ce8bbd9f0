/* SPDX-License-Identifier: Apache-2.0 */
/* part.h - a family of objects of the device (FUMO, SCOMO, DiagMon ...): what it brings to the
 * agent, and what it may ask of it.
 *
 *     mount     its nodes come to be, bound to it        the tree is empty
 *     fill      what the configuration asks for is made  the tree is loaded, tasks are not
 *     open      its back end begins                      the loop will run
 *     begin     a step of one of its tasks
 *     rest      a session is over
 *     close
 *
 * A part is made of a description (mo/NAME.ddf), behaviour without I/O (lib/mo) and a back end
 * (backend/); what ties them together is part/NAME.c.  All of it runs on the loop. */
#ifndef DREM_PART_H
#define DREM_PART_H

#include "conf.h"
#include "errand.h"
#include "odm/client.h"
#include "odm/task.h"
#include "odm/trap.h"

typedef struct part_host { /* lent until close; what it points to stays where it is */
        loop *loop;        /* NULL until open */
        odm_tree *tree;
        odm_tasks *tasks;
        const cfg *conf;
        const struct fsio_healed *healed; /* what the journal was found to be; NULL until open */
        const struct conf_kept *kept;     /* what the configuration was; NULL: nobody looked */
        const char *folder;  /* of everything the agent keeps; a part makes one of its name in it */
        odm_trap_hub *traps; /* who hooks on a trap says so here */

        /* The step of task `id`, one that begin() was given, is over.  May come from within
         * begin(), whose task is then gone.  Copies.  0 when that is durable; else it is said
         * again by itself until it is. */
        int (*done)(void *ctx, uint32_t id, const odm_task_end *e);
        /* The device must start again, once no session is open. */
        void (*restart)(void *ctx, const char *why);
        /* The same of the agent alone. */
        void (*again)(void *ctx, const char *why);
        /* What the part wrote into the tree outside of begin() and done(), or executed there, is
         * to be durable: call this after it.  Tasks that came of it begin soon, and what is to be
         * reported leads to a session.  0 or ODM_EIO. */
        int (*moved)(void *ctx);
        /* Keeps an alert, durable on return, until `server` has answered it; absent: whichever is
         * called first.  Leads to a session soon.  Its time is put into source_name if that is
         * absent and it could not leave within a minute.  Copies.
         * 0, ODM_ELIMIT (256 wait), ODM_ENOMEM, ODM_EIO. */
        int (*alert)(void *ctx, odm_str server, const odm_alert *a);
        /* A session with `server` soon: it has alerts to be asked for (part_class.alerts). */
        void (*tell)(void *ctx, odm_str server);
        /* A session with every server, now or after the one that is open. */
        void (*call)(void *ctx, const char *why);
        /* What is installed was changed outside of SCOMO's orders: the inventory looks again. */
        void (*installed)(void *ctx);
        /* The version of the firmware in use, for ./DevDetail/FwV; "" leaves it as it is.  Copies.
         */
        void (*firmware)(void *ctx, const char *version);
        /* part_class.elsewhere of whichever part takes it; 0: none. */
        unsigned (*elsewhere)(void *ctx, const odm_op *op);
        /* The answer to an operation that serve() took; copies.  One whose session is over
         * meanwhile is ignored. */
        void (*answer)(void *ctx, uint64_t id, const odm_reply *r);
        void *ctx;
        void *app; /* agent_opt.app: what the program is besides an agent; NULL for dremd */
} part_host;

typedef struct part_class { /* functions may be NULL but for mount and close */
        const char *name;   /* "scomo" */
        /* Its places in the tree, up to a NULL: the server that has the rights over
         * ./Vendor/xrem gets the same over those that have no ACL of their own. */
        const char *const *roots;
        /* Its kinds of tasks, up to a NULL.  They are known also where the part is not wanted, with
         * no context: what was under way then ends with ODM_CAUSE_UNSUPPORTED. */
        const odm_task_kind *const *kinds;
        bool (*wanted)(const cfg *c); /* NULL: always */

        /* Makes it, mounts its nodes and makes its kinds known (odm_tasks_know()).  Also for
         * dremd --bootstrap, where nothing but close follows.  0 or an error with *out untouched.
         */
        int (*mount)(const part_host *h, void **out, diag *d);
        int (*fill)(void *p, diag *d);
        int (*open)(void *p, diag *d);
        /* Begins the step of `t`, whose text is to be copied.  Steps of different tasks may be
         * under way together.  An error ends the step with ODM_CAUSE_FAILED. */
        int (*begin)(void *p, const odm_task *t);
        /* No session is open: what waited for that may happen.  `good`: all sessions since the
         * last rest were carried through.  Also called once after open, with `good`. */
        void (*rest)(void *p, bool good);
        /* For a session that begins: calls fn for each alert that waits for `server`, `id` below
         * 2^48 and the part's own; stops at a non-zero return and returns it. */
        int (*alerts)(void *p, odm_str server, int (*fn)(void *ctx, const odm_alert *a), void *ctx);
        /* A session with `server` was carried through. */
        void (*met)(void *p, odm_str server);
        /* The server answered it.  What is written now is durable before the next message leaves.
         */
        void (*alerted)(void *p, uint64_t id, unsigned status);
        /* The user asked by `dremd --WORD`: does it, and says so in words.  ODM_EUNSUPPORTED when
         * it is not this part's word. */
        int (*asked)(void *p, odm_str word, odm_buf *b);
        /* A provider of this part said ODM_LATER to an operation of the session that is open:
         * begins it, and says host->answer(id) when it is done, from within too.  `op` is lent
         * until then, or until the session is over, which dropped() tells.  ODM_EUNSUPPORTED: not
         * this part's. */
        int (*serve)(void *p, uint64_t id, const odm_op *op);
        void (*dropped)(void *p, uint64_t id);
        /* A schedule's command, with the rights of op->server, which this part does elsewhere than
         * in the tree, perhaps much later: the status it has, once that is kept.  0: it is none. */
        unsigned (*elsewhere)(void *p, const odm_op *op);
        /* Another part changed what is installed. */
        void (*look)(void *p);
        /* Lines of "key: value" for dremd --status. */
        int (*status)(const void *p, odm_buf *b);
        /* Ends what is under way, unheard.  After it the tree is freed and the loop does not run;
         * the part touches neither. */
        void (*close)(void *p);
} part_class;

/* What a program brings along; gremd is an agent among other things. */
typedef struct agent_app {
        const part_class *const *parts; /* besides parts_all; up to a NULL */
        void *app;           /* part_host.app; NULL for dremd, and for a bootstrap, where parts are
                                only mounted */
        const char *program; /* "gremd" */
        uint32_t max_nodes, max_list; /* of the tree; 0: as it has it */
        const struct conf_kept *kept; /* part_host.kept */
        /* A session is over; octets of its messages. */
        void (*over)(void *app, bool good, uint64_t in, uint64_t out);
} agent_app;

/* Whether the device has an account of `server`.  When that cannot be found out for want of memory
 * it has. */
bool part_has_account(const part_host *h, odm_str server);
/* How packages are fetched: what [section] says, "firmware" or "software".  Borrows from `c`. */
errand_terms part_terms(const cfg *c, const char *section);

/* Those there are; parts.c has the table. */
extern const part_class part_connmo;
extern const part_class part_dcmo;
extern const part_class part_firmware;
extern const part_class part_integrity;
extern const part_class part_lawmo;
extern const part_class part_scomo;
extern const part_class part_diagmon;
extern const part_class part_trap;
extern const part_class part_plugin;
extern const part_class part_schedule;
extern const part_class part_gwlink; /* of dremd alone */

#endif
