/* SPDX-License-Identifier: Apache-2.0 */
/* LAWMO with the commands of the configuration.  An operation is a row of jobs, each a command or a
 * path to be emptied, done one after the other.
 *
 * What the device is to be before anybody uses it is done while dremd starts, on a loop of its own,
 * before it says that it is ready: a locked device is locked again, and a wipe that the power cut
 * short goes on (mo-lawmo-dcmo.md A7). */
#include "odm/lawmo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part/notice.h"
#include "reset.h"
#include "sdnotify.h"

#define JOBS 512       /* of one operation */
#define EARLY_MS 10000 /* how often the service manager hears that we are at work */
#define REFUSED 3      /* exit code: the user said no */

typedef struct job {
        const char *command; /* or */
        const char *path;
        const char *item; /* of the list, or NULL */
} job;

typedef struct lawmo_part {
        const part_host *host;
        odm_lawmo lawmo;
        odm_lawmo_item *items;
        size_t n_items;
        bool idle; /* no session is open */
        /* the operation under way */
        odm_lawmo_step step; /* 0: none */
        uint32_t id;
        loop *loop;
        job *jobs;
        size_t n, at;
        command run, notice;
        odm_task_end end;
        char note[COMMAND_NOTE + 128];
        char server[ODM_USER_MAX + 1], correlator[ODM_TASK_CORRELATOR + 1];
        bool has_correlator;
        uint32_t early; /* the task whose step was done while we started */
        bool amiss;     /* the device is to be locked, and could not be */
        notice lock;
} lawmo_part;

static const struct operation {
        const char *name, *key;
} operations[] = {
        [ODM_LAWMO_FULLY_LOCK] = {"FullyLock", "lawmo.fully_lock"},
        [ODM_LAWMO_PARTIALLY_LOCK] = {"PartiallyLock", "lawmo.partially_lock"},
        [ODM_LAWMO_UNLOCK] = {"UnLock", "lawmo.unlock"},
        [ODM_LAWMO_WIPE] = {"Wipe", "lawmo.wipe"},
        [ODM_LAWMO_FACTORY_RESET] = {"FactoryReset", "lawmo.factory_reset"},
};

/* ---- what there is ------------------------------------------------------------------------ */

static bool wipes_data(const cfg *c)
{
        return cfg_str(c, "lawmo.wipe") || cfg_list_n(c, "lawmo.wipe_paths");
}

/* Without an account in the configuration nobody could manage the device after a reset. */
static unsigned able(const cfg *c)
{
        unsigned bits = 0;

        for (unsigned i = ODM_LAWMO_FULLY_LOCK; i <= ODM_LAWMO_FACTORY_RESET; i++)
                if (cfg_str(c, operations[i].key))
                        bits |= 1u << i;
        if (wipes_data(c) || cfg_named_n(c, "wipe"))
                bits |= 1u << ODM_LAWMO_WIPE;
        if (!cfg_str(c, "account.server_id"))
                bits &= ~(1u << ODM_LAWMO_FACTORY_RESET);
        return bits;
}

static bool lawmo_wanted(const cfg *c)
{
        return able(c) != 0;
}

static void lawmo_close(void *ctx)
{
        lawmo_part *p = ctx;

        command_stop(&p->run);
        command_stop(&p->notice);
        notice_stop(&p->lock);
        free(p->jobs);
        free(p->items);
        free(p);
}

static int lawmo_mount(const part_host *h, void **out, diag *d)
{
        lawmo_part *p = calloc(1, sizeof *p);
        const cfg *c = h->conf;
        int rc = 0;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        notice_init(&p->lock, h, "lock-failed", ODM_LAWMO_AT);
        p->lawmo = (odm_lawmo){.able = able(c),
                               .wipes_data = wipes_data(c),
                               .notifies = cfg_str(c, "lawmo.notify") != NULL};
        p->n_items = cfg_named_n(c, "wipe");
        p->items = calloc(p->n_items + 1, sizeof *p->items);
        p->jobs = calloc(JOBS, sizeof *p->jobs);
        if (!p->items || !p->jobs)
                rc = ODM_ENOMEM;
        for (size_t i = 0; i < p->n_items && rc == 0; i++) {
                const cfg *w = cfg_named(c, "wipe", i);
                const char *title = cfg_str(w, "wipe *.title");
                p->items[i] = (odm_lawmo_item){cfg_name(w), title ? title : cfg_name(w)};
        }
        if (rc == 0)
                rc = odm_lawmo_mount(&p->lawmo, h->tasks, &odm_mo_lawmo);
        if (rc < 0)
                lawmo_close(p);
        else
                *out = p;
        return rc < 0 ? diag_set(d, rc, "./LAWMO: %s", odm_err_text(rc)) : 0;
}

static int lawmo_fill(void *ctx, diag *d)
{
        lawmo_part *p = ctx;
        int rc = odm_lawmo_fill(&p->lawmo, p->items, p->n_items, loop_wall());

        return rc < 0 ? diag_set(d, rc, "./LAWMO: %s", odm_err_text(rc)) : 0;
}

/* ---- the jobs of an operation ------------------------------------------------------------- */

static int add_job(lawmo_part *p, job j)
{
        if (!j.command && !j.path)
                return 0;
        if (p->n == JOBS)
                return ODM_ELIMIT;
        p->jobs[p->n++] = j;
        return 0;
}

static int add_paths(lawmo_part *p, const cfg *c, const char *key, const char *item)
{
        int rc = 0;

        for (size_t i = 0; i < cfg_list_n(c, key) && rc == 0; i++)
                rc = add_job(p, (job){.path = cfg_list_at(c, key, i), .item = item});
        return rc;
}

static int add_item(lawmo_part *p, odm_str name)
{
        const cfg *c = p->host->conf;

        for (size_t i = 0; i < cfg_named_n(c, "wipe"); i++) {
                const cfg *w = cfg_named(c, "wipe", i);
                const char *item = cfg_name(w);
                if (!odm_str_is(name, item))
                        continue;
                int rc = add_job(p, (job){.command = cfg_str(w, "wipe *.command"), .item = item});
                return rc == 0 ? add_paths(p, w, "wipe *.paths", item) : rc;
        }
        return ODM_ENOENT; /* the configuration has it no more */
}

static int plan(lawmo_part *p, odm_lawmo_step step, odm_str items)
{
        const cfg *c = p->host->conf;
        odm_str name;
        int rc;

        p->n = p->at = 0;
        rc = add_job(p, (job){.command = cfg_str(c, operations[step].key)});
        if (step == ODM_LAWMO_WIPE && rc == 0)
                rc = add_paths(p, c, "lawmo.wipe_paths", NULL);
        while (rc == 0 && step == ODM_LAWMO_WIPE && odm_lawmo_next_item(&items, &name))
                rc = add_item(p, name);
        if (step == ODM_LAWMO_FACTORY_RESET && rc == 0 &&
            odm_lawmo_now(&p->lawmo) != ODM_LAWMO_UNLOCKED) /* the new tree says so, too */
                rc = add_job(p, (job){.command = cfg_str(c, "lawmo.unlock")});
        if (rc == 0 && p->n == 0) /* its command is in the configuration no more */
                rc = ODM_ENOENT;
        return rc;
}

/* ---- doing them ---------------------------------------------------------------------------- */

static void next_job(lawmo_part *p);
static void operation_over(lawmo_part *p);

/* The first failure is the one that is told. */
static void failed(lawmo_part *p, odm_task_cause cause, const char *what, const char *why)
{
        if (p->end.cause != ODM_CAUSE_OK)
                return;
        p->end.cause = cause;
        snprintf(p->note, sizeof p->note, "%.40s%s%.320s", what ? what : "", what ? ": " : "", why);
        p->end.note = odm_cstr(p->note);
}

static void on_job_over(void *ctx, int code)
{
        lawmo_part *p = ctx;
        const job *j = &p->jobs[p->at];
        char why[COMMAND_NOTE];

        snprintf(why, sizeof why, "%s", p->run.note);
        if (!why[0])
                snprintf(why, sizeof why, "the command ended with %d", code);
        if (code != 0)
                failed(p,
                       code == COMMAND_LATE            ? ODM_CAUSE_TIMEOUT
                       : code == REFUSED && j->command ? ODM_CAUSE_CANCELLED
                                                       : ODM_CAUSE_FAILED,
                       j->item, why);
        p->at++;
        next_job(p);
}

/* Empties a folder, or removes a file; links are followed first, so that it is what they lead to
 * that is judged and goes.  What is not there is wiped. */
static int begin_path(lawmo_part *p, const job *j, diag *d)
{
        char *real = realpath(j->path, NULL);
        int64_t ms = cfg_ms(p->host->conf, "lawmo.command_time");
        struct stat st;
        int rc;

        if (!real && errno == ENOENT)
                return ODM_ENOENT;
        if (!real || lstat(real, &st) < 0) {
                rc = diag_set(d, ODM_EIO, "%s: %s", j->path, strerror(errno));
                free(real);
                return rc;
        }
        rc = conf_may_wipe(p->host->conf, real, d);
        const char *const folder[] = {"find", real, "-xdev", "-mindepth", "1", "-delete", NULL};
        const char *const file[] = {"rm", "-f", "--", real, NULL};
        if (rc == 0)
                rc = command_exec(&p->run, p->loop, S_ISDIR(st.st_mode) ? folder : file, ms,
                                  on_job_over, p, d);
        free(real);
        return rc;
}

static int begin_command(lawmo_part *p, const job *j, diag *d)
{
        const char *const words[] = {operations[p->step].name, j->item, NULL};

        return command_run(&p->run, p->loop, j->command, words,
                           cfg_ms(p->host->conf, "lawmo.command_time"), on_job_over, p, d);
}

/* A wipe goes on after a failure: the rest need not stay for it. */
static void next_job(lawmo_part *p)
{
        while (p->at < p->n && (p->end.cause == ODM_CAUSE_OK || p->step == ODM_LAWMO_WIPE)) {
                const job *j = &p->jobs[p->at];
                diag d = {{0}};
                int rc = j->command ? begin_command(p, j, &d) : begin_path(p, j, &d);
                if (rc == 0)
                        return;
                if (rc != ODM_ENOENT)
                        failed(p, ODM_CAUSE_FAILED, j->item, d.text[0] ? d.text : odm_err_text(rc));
                p->at++;
        }
        operation_over(p);
}

static void begin_operation(lawmo_part *p, loop *l, odm_lawmo_step step, odm_str items)
{
        int rc;

        p->loop = l;
        p->step = step;
        p->end = (odm_task_end){.cause = ODM_CAUSE_OK};
        log_info("operation begins", log_text("operation", operations[step].name));
        rc = plan(p, step, items);
        if (rc < 0) {
                p->n = 0;
                failed(p, rc == ODM_ENOENT ? ODM_CAUSE_UNSUPPORTED : ODM_CAUSE_FAILED, NULL,
                       rc == ODM_ENOENT ? "the configuration has it no more" : odm_err_text(rc));
        }
        next_job(p);
}

/* ---- its end ------------------------------------------------------------------------------- */

static void on_notice_over(void *ctx, int code)
{
        (void)ctx;
        if (code != 0)
                log_warn("lawmo.notify failed", log_int("code", code));
}

static void tell_user(lawmo_part *p, odm_lawmo_step step, odm_task_cause cause)
{
        const cfg *c = p->host->conf;
        const char *text = cfg_str(c, "lawmo.notify");
        const char *const words[] = {operations[step].name,
                                     cause == ODM_CAUSE_OK ? "done" : "failed", NULL};
        diag d = {{0}};

        if (!text || !odm_lawmo_notifies(&p->lawmo))
                return;
        command_stop(&p->notice); /* of an operation before */
        if (command_run(&p->notice, p->host->loop, text, words, cfg_ms(c, "lawmo.command_time"),
                        on_notice_over, p, &d) < 0)
                log_warn("lawmo.notify", log_text("reason", d.text));
}

static int order_reset(lawmo_part *p, diag *d)
{
        return reset_order(p->host->folder, odm_cstr(p->server),
                           p->has_correlator ? odm_cstr(p->correlator) : ODM_ABSENT, d);
}

/* A device that is not what its State says is no small thing; said once, whatever the command says
 * each time that it is tried. */
static void lock_over(lawmo_part *p)
{
        bool ok = p->end.cause == ODM_CAUSE_OK;

        if (!ok && !p->amiss)
                notice_say(&p->lock, FM_CRITICAL, p->note);
        else if (ok)
                notice_say(&p->lock, FM_CLEARED, "the device is as it should be");
        p->amiss = !ok;
}

static void operation_over(lawmo_part *p)
{
        odm_lawmo_step step = p->step;
        diag d = {{0}};

        if (p->end.cause == ODM_CAUSE_OK)
                log_info("operation done", log_text("operation", operations[step].name));
        else
                log_error("operation failed", log_text("operation", operations[step].name),
                          log_text("reason", p->note));
        p->step = 0;
        if (p->loop != p->host->loop) { /* while we start: hold_early() goes on */
                loop_stop(p->loop);
                return;
        }
        if (step == ODM_LAWMO_FACTORY_RESET && p->end.cause == ODM_CAUSE_OK) {
                if (order_reset(p, &d) == 0) {
                        p->host->restart(p->host->ctx, "factory reset");
                        return;
                }
                failed(p, ODM_CAUSE_FAILED, NULL, d.text);
        }
        if (p->id == 0) { /* of nobody's order: lock_again() */
                lock_over(p);
                return;
        }
        if (p->end.cause == ODM_CAUSE_OK && step != ODM_LAWMO_WIPE)
                lock_over(p);
        tell_user(p, step, p->end.cause);
        (void)p->host->done(p->host->ctx, p->id, &p->end);
}

/* ---- while dremd starts -------------------------------------------------------------------- */

/* Does an operation to its end; nothing else of the agent moves meanwhile. */
static int hold_early(lawmo_part *p, odm_lawmo_step step, odm_str items, diag *d)
{
        loop *l = NULL;
        int rc = loop_new(&l);

        if (rc < 0)
                return diag_set(d, rc, "%s: %s", operations[step].name, odm_err_text(rc));
        begin_operation(p, l, step, items);
        while (p->step && rc == 0) {
                sdnotify("EXTEND_TIMEOUT_USEC=60000000");
                rc = loop_once(l, EARLY_MS);
        }
        command_stop(&p->run);
        loop_free(l);
        p->step = 0;
        return rc < 0 ? diag_set(d, rc, "%s: %s", operations[step].name, odm_err_text(rc)) : 0;
}

static odm_lawmo_step lock_of(odm_lawmo_state s)
{
        return s == ODM_LAWMO_FULLY_LOCKED ? ODM_LAWMO_FULLY_LOCK : ODM_LAWMO_PARTIALLY_LOCK;
}

static int lock_early(lawmo_part *p, diag *d)
{
        odm_lawmo_state s = odm_lawmo_at_start(&p->lawmo);
        odm_lawmo_step step = lock_of(s);
        const odm_task *t = odm_tasks_busy(p->host->tasks, ODM_STR(ODM_LAWMO_AT));
        int rc;

        if (s == ODM_LAWMO_UNLOCKED || !(p->lawmo.able >> step & 1))
                return 0;
        if (t && t->step == step) /* that was its order, which has a result */
                p->early = t->id;
        rc = hold_early(p, step, ODM_ABSENT, d);
        if (rc == 0 && !p->early)
                lock_over(p);
        return rc;
}

/* What failed at the start is tried after each session, until it is done or nobody wants it. */
static void lock_again(lawmo_part *p)
{
        odm_lawmo_state s = odm_lawmo_now(&p->lawmo);

        if (!p->amiss || p->step || odm_tasks_busy(p->host->tasks, ODM_STR(ODM_LAWMO_AT)))
                return;
        p->id = 0;
        if (s != ODM_LAWMO_UNLOCKED)
                begin_operation(p, p->host->loop, lock_of(s), ODM_ABSENT);
}

static int wipe_early(lawmo_part *p, diag *d)
{
        const odm_task *t = odm_tasks_busy(p->host->tasks, ODM_STR(ODM_LAWMO_AT));
        char *items;
        int rc;

        if (!t || t->step != ODM_LAWMO_WIPE || !t->tries)
                return 0;
        odm_str given = odm_task_arg(t, "items");
        items = calloc(1, given.n + 1);
        if (!items)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        if (given.n)
                memcpy(items, given.p, given.n);
        p->early = t->id;
        rc = hold_early(p, ODM_LAWMO_WIPE, odm_cstr(items), d);
        free(items);
        return rc;
}

/* The agent began anew: who ordered that is told, if the account that it has now is his. */
static int report_reset(lawmo_part *p)
{
        const part_host *h = p->host;
        const char *ours = cfg_str(h->conf, "account.server_id");
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = ODM_STR(ODM_LAWMO_AT "/Operations/FactoryReset"),
                       .type = ODM_STR(ODM_LAWMO_ALERT),
                       .format = ODM_FMT_INT,
                       .mark = ODM_STR("informational"),
                       .data = ODM_STR("1200")};
        odm_str server = ODM_ABSENT;
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, 8192);
        rc = reset_report(h->folder, &b, &server, &a.correlator);
        if (rc == 1 && ours && odm_str_is(server, ours))
                rc = h->alert(h->ctx, server, &a);
        if (rc >= 0)
                reset_reported(h->folder);
        odm_buf_done(&b);
        return rc < 0 ? rc : 0;
}

static int lawmo_open(void *ctx, diag *d)
{
        lawmo_part *p = ctx;
        int rc = lock_early(p, d);

        if (rc == 0)
                rc = wipe_early(p, d);
        return rc == 0 ? report_reset(p) : rc;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static int begin_reset(lawmo_part *p)
{
        if (p->idle)
                begin_operation(p, p->host->loop, ODM_LAWMO_FACTORY_RESET, ODM_ABSENT);
        return 0;
}

static int lawmo_begin(void *ctx, const odm_task *t)
{
        lawmo_part *p = ctx;

        if (p->step && p->id == 0) { /* an order is worth more than what we try */
                command_stop(&p->run);
                p->step = 0;
        }
        p->id = t->id;
        if (p->early == t->id) {
                p->early = 0;
                tell_user(p, (odm_lawmo_step)t->step, p->end.cause);
                (void)p->host->done(p->host->ctx, p->id, &p->end); /* the task is gone now */
                return 0;
        }
        if (t->step != ODM_LAWMO_FACTORY_RESET) {
                odm_arena a;
                odm_arena_init(&a, &heap_mem, 65536);
                odm_str items = odm_arena_copy(&a, odm_task_arg(t, "items"));
                begin_operation(p, p->host->loop, (odm_lawmo_step)t->step, items);
                odm_arena_done(&a);
                return 0;
        }
        snprintf(p->server, sizeof p->server, "%.*s", (int)t->server.n,
                 t->server.p ? t->server.p : "");
        snprintf(p->correlator, sizeof p->correlator, "%.*s", (int)t->correlator.n,
                 t->correlator.p ? t->correlator.p : "");
        p->has_correlator = t->correlator.p != NULL;
        p->step = ODM_LAWMO_FACTORY_RESET;
        p->n = p->at = 0;
        return begin_reset(p);
}

/* Nothing is sent any more before the reset: it waits for the end of the session. */
static void lawmo_rest(void *ctx, bool good)
{
        lawmo_part *p = ctx;

        (void)good;
        p->idle = true;
        if (p->step == ODM_LAWMO_FACTORY_RESET && p->n == 0)
                (void)begin_reset(p);
        lock_again(p);
}

/* There is nothing to tell, but a session begins. */
static int lawmo_alerts(void *ctx, odm_str server, int (*fn)(void *ctx, const odm_alert *a),
                        void *to)
{
        lawmo_part *p = ctx;

        (void)server;
        (void)fn;
        (void)to;
        p->idle = false;
        return 0;
}

static int lawmo_status(const void *ctx, odm_buf *b)
{
        const lawmo_part *p = ctx;

        return odm_buf_fmt(b, "lock-state: %d\n", (int)odm_lawmo_now(&p->lawmo));
}

static const char *const roots[] = {ODM_LAWMO_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_lawmo_kind, NULL};

const part_class part_lawmo = {
        .name = "lawmo",
        .roots = roots,
        .kinds = kinds,
        .wanted = lawmo_wanted,
        .mount = lawmo_mount,
        .fill = lawmo_fill,
        .open = lawmo_open,
        .begin = lawmo_begin,
        .rest = lawmo_rest,
        .alerts = lawmo_alerts,
        .status = lawmo_status,
        .close = lawmo_close,
};
