/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "heap.h"
#include "log.h"
#include "odm/client.h"

#define AGAIN_MS 500        /* an end that could not be kept is said again */
#define AGAIN_MAX_MS 300000 /* in the end, when the disk stays broken */
#define NOTE 500
#define LATE_S 60 /* an alert that leaves later than this says when it was */
#define ID_BITS 48
#define KEY_MAX 48

const part_class *const parts_all[] = {
        &part_dcmo,      /* ./DCMO */
        &part_firmware,  /* ./FUMO */
        &part_lawmo,     /* ./LAWMO */
        &part_plugin,    /* ./Vendor/<x> */
        &part_scomo,     /* ./SCM */
        &part_diagmon,   /* ./DiagMon */
        &part_trap,      /* ./Trap: after DiagMon, of whose nodes it tells */
        &part_schedule,  /* ./Schedule */
        &part_integrity, /* what dremd keeps */
        &part_connmo,    /* ./NAP, ./Proxy */
        NULL,
};

typedef struct end { /* of a step, that is not kept yet */
        struct end *next;
        uint32_t id;
        odm_task_end end;
        char note[NOTE];
} end;

struct parts {
        part_host host;
        odm_trap_hub traps;
        state *state;
        parts_agent agent;
        const part_class *classes[PARTS_MAX];
        size_t n;
        void *part[PARTS_MAX]; /* NULL: not wanted */
        end *ends, **last_end;
        int64_t again_ms;
        bool going;
        loop_timer again, soon;
        uint64_t served; /* the operation that is served, by the part at `server` */
        size_t server;
        parts_asker asker; /* answer NULL: none is */
};

/* ---- the ends of steps ------------------------------------------------------------------ */

static int keep_end(parts *p, const end *e)
{
        int rc = odm_tasks_done(p->host.tasks, e->id, &e->end, loop_wall());

        if (rc == ODM_ENOENT) /* said before, when it could not be synced */
                rc = 0;
        return rc == 0 ? state_sync(p->state) : rc;
}

static void wait_again(parts *p, int rc)
{
        if (rc == ODM_ESTATE) { /* a session has a transaction open */
                p->again_ms = AGAIN_MS;
        } else {
                log_error("the end of a step cannot be kept", log_text("reason", odm_err_text(rc)));
                p->again_ms = p->again_ms ? p->again_ms * 2 : AGAIN_MS;
                if (p->again_ms > AGAIN_MAX_MS)
                        p->again_ms = AGAIN_MAX_MS;
        }
        if (loop_timer_set(p->host.loop, &p->again, odm_time_add(loop_now(), p->again_ms)) < 0)
                log_error("no memory for a timer");
}

/* In the order they came; 0 when all are kept. */
static int keep_ends(parts *p)
{
        bool any = p->ends != NULL;

        while (p->ends) {
                end *e = p->ends;
                int rc = keep_end(p, e);
                if (rc < 0) {
                        wait_again(p, rc);
                        return rc;
                }
                p->ends = e->next;
                if (!p->ends)
                        p->last_end = &p->ends;
                free(e);
        }
        p->again_ms = 0;
        if (any)
                p->agent.ended(p->agent.ctx);
        return 0;
}

static int on_done(void *ctx, uint32_t id, const odm_task_end *what)
{
        parts *p = ctx;
        end *e = calloc(1, sizeof *e);
        int rc;

        if (!e) { /* it is lent again after a start */
                log_error("no memory for the end of a step", log_int("task", id));
                return ODM_ENOMEM;
        }
        e->id = id;
        e->end = *what;
        snprintf(e->note, sizeof e->note, "%.*s", (int)odm_str_to(what->note, NOTE - 1).n,
                 what->note.p ? what->note.p : "");
        e->end.note = e->note[0] ? odm_cstr(e->note) : ODM_ABSENT;
        *p->last_end = e;
        p->last_end = &e->next;
        rc = keep_ends(p);
        if (rc == 0)
                parts_go(p);
        return rc;
}

static void on_again(void *ctx)
{
        parts *p = ctx;

        if (keep_ends(p) == 0)
                parts_go(p);
}

/* ---- their beginning -------------------------------------------------------------------- */

/* The place of the part that does the work of `kind`; p->n when there is none. */
static size_t part_of(const parts *p, const odm_task_kind *kind)
{
        for (size_t i = 0; i < p->n; i++)
                for (size_t k = 0; p->part[i] && p->classes[i]->kinds && p->classes[i]->kinds[k];
                     k++)
                        if (p->classes[i]->kinds[k] == kind)
                                return i;
        return p->n;
}

static void begin(parts *p, const odm_task *t)
{
        size_t i = part_of(p, t->kind);
        uint32_t id = t->id;
        odm_task_end e = {.cause = ODM_CAUSE_FAILED};
        int rc = state_sync(p->state);

        if (rc == 0 && i == p->n) /* nobody does it any more, and who was told 202 hears it */
                e.cause = ODM_CAUSE_UNSUPPORTED;
        else if (rc == 0)
                rc = p->classes[i]->begin(p->part[i], t);
        if (rc < 0)
                log_error("a step cannot begin", log_int("task", id),
                          log_text("reason", odm_err_text(rc)));
        if (rc < 0 || i == p->n)
                (void)on_done(p, id, &e);
}

void parts_go(parts *p)
{
        const odm_task *t;
        int rc = 0;

        if (p->going || !p->host.loop)
                return; /* the outer one goes on */
        p->going = true;
        while (!p->ends && (rc = odm_tasks_next(p->host.tasks, loop_wall(), &t)) == 1)
                begin(p, t);
        p->going = false;
        if (rc < 0 &&
            loop_timer_set(p->host.loop, &p->again, odm_time_add(loop_now(), AGAIN_MS)) < 0)
                log_error("no memory for a timer");
}

static void on_soon(void *ctx)
{
        parts *p = ctx;

        parts_go(p);
        p->agent.ended(p->agent.ctx);
}

void parts_rest(parts *p, bool good)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->part[i] && p->classes[i]->rest)
                        p->classes[i]->rest(p->part[i], good);
        parts_go(p);
}

/* ---- what parts ask for ----------------------------------------------------------------- */

static int on_moved(void *ctx)
{
        parts *p = ctx;
        int rc = state_sync(p->state);

        if (loop_timer_set(p->host.loop, &p->soon, loop_now()) < 0)
                log_error("no memory for a timer");
        return rc;
}

static int on_alert(void *ctx, odm_str server, const odm_alert *a)
{
        parts *p = ctx;
        const state_alert one = {.alert = *a, .server = server, .since = loop_wall()};
        int rc = state_alert_add(p->state, &one);

        if (rc == 0)
                rc = state_sync(p->state);
        if (rc < 0)
                log_error("an alert cannot be kept", log_str("type", a->type),
                          log_text("reason", odm_err_text(rc)));
        else
                p->agent.tell(p->agent.ctx, server);
        return rc;
}

static void on_tell(void *ctx, odm_str server)
{
        parts *p = ctx;

        p->agent.tell(p->agent.ctx, server);
}

static void on_call(void *ctx, const char *why)
{
        parts *p = ctx;

        p->agent.call(p->agent.ctx, why);
}

static void on_restart(void *ctx, const char *why)
{
        parts *p = ctx;

        p->agent.restart(p->agent.ctx, why);
}

static void on_agent_again(void *ctx, const char *why)
{
        parts *p = ctx;

        p->agent.again(p->agent.ctx, why);
}

static void on_installed(void *ctx)
{
        parts *p = ctx;

        for (size_t i = 0; i < p->n; i++)
                if (p->part[i] && p->classes[i]->look)
                        p->classes[i]->look(p->part[i]);
}

static void on_firmware(void *ctx, const char *version)
{
        parts *p = ctx;

        p->agent.firmware(p->agent.ctx, version);
}

/* ---- operations of the session that parts serve ------------------------------------------- */

static void on_answer(void *ctx, uint64_t id, const odm_reply *r)
{
        parts *p = ctx;
        parts_asker asker = p->asker;

        if (!asker.answer || id != p->served)
                return; /* the session is over */
        p->asker.answer = NULL;
        asker.answer(asker.ctx, id, r);
}

static unsigned on_elsewhere(void *ctx, const odm_op *op)
{
        const parts *p = ctx;
        unsigned status = 0;

        for (size_t i = 0; i < p->n && status == 0; i++)
                if (p->part[i] && p->classes[i]->elsewhere)
                        status = p->classes[i]->elsewhere(p->part[i], op);
        return status;
}

int parts_serve(parts *p, uint64_t id, const odm_op *op, const parts_asker *by)
{
        int rc = ODM_EUNSUPPORTED;

        assert(!p->asker.answer);
        p->served = id;
        p->asker = *by;
        for (size_t i = 0; i < p->n && rc == ODM_EUNSUPPORTED; i++)
                if (p->part[i] && p->classes[i]->serve) {
                        p->server = i;
                        rc = p->classes[i]->serve(p->part[i], id, op);
                }
        if (rc < 0)
                p->asker.answer = NULL;
        return rc;
}

void parts_drop(parts *p)
{
        const part_class *c = p->classes[p->server];

        if (!p->asker.answer)
                return;
        p->asker.answer = NULL;
        if (c->dropped)
                c->dropped(p->part[p->server], p->served);
}

bool part_has_account(const part_host *h, odm_str server)
{
        odm_account account;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 65536);
        rc = odm_account_find(h->tree, server, &a, &account);
        odm_arena_done(&a);
        return rc != ODM_ENOENT;
}

/* "firmware.tries" and its like. */
static const char *key_of(char out[KEY_MAX], const char *section, const char *name)
{
        int n = snprintf(out, KEY_MAX, "%s.%s", section, name);

        assert(n > 0 && n < KEY_MAX);
        (void)n;
        return out;
}

errand_terms part_terms(const cfg *c, const char *section)
{
        char key[KEY_MAX];

        return (errand_terms){.fetch = cfg_str(c, key_of(key, section, "fetch")),
                              .ca = cfg_str(c, "transport.ca_file"),
                              .max_size = cfg_int(c, key_of(key, section, "max_size")),
                              .tries = cfg_int(c, key_of(key, section, "tries")),
                              .wait_ms = cfg_ms(c, key_of(key, section, "retry_wait")),
                              .patience_ms = cfg_ms(c, key_of(key, section, "download_time"))};
}

/* ---- alerts ------------------------------------------------------------------------------- */

/* An id of a session: the part's number above the part's id; 0 above it is the journal's. */
static uint64_t tagged(size_t part, uint64_t id)
{
        return (uint64_t)(part + 1) << ID_BITS | (id & ((1ull << ID_BITS) - 1));
}

typedef struct tagger {
        size_t part;
        int (*fn)(void *ctx, const odm_alert *a);
        void *ctx;
} tagger;

static int on_part_alert(void *ctx, const odm_alert *a)
{
        const tagger *t = ctx;
        odm_alert one = *a;

        one.id = tagged(t->part, a->id);
        return t->fn(t->ctx, &one);
}

static int journal_alerts(const parts *p, odm_str server, odm_wall now,
                          int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < state_alerts(p->state); i++) {
                const state_alert *s = state_alert_at(p->state, i);
                char when[ODM_WALL_TEXT];
                odm_alert a = s->alert;
                if (s->server.p && !odm_str_eq(s->server, server))
                        continue;
                if (!a.source_name.p && s->since.s > 0 && now.s - s->since.s > LATE_S) {
                        odm_wall_format(s->since, when);
                        a.source_name = odm_cstr(when);
                }
                rc = fn(ctx, &a);
        }
        return rc;
}

int parts_alerts(parts *p, odm_str server, odm_wall now, int (*fn)(void *ctx, const odm_alert *a),
                 void *ctx)
{
        int rc = journal_alerts(p, server, now, fn, ctx);

        for (size_t i = 0; rc == 0 && i < p->n; i++) {
                tagger t = {i, fn, ctx};
                if (p->part[i] && p->classes[i]->alerts)
                        rc = p->classes[i]->alerts(p->part[i], server, on_part_alert, &t);
        }
        return rc;
}

void parts_met(parts *p, odm_str server)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->part[i] && p->classes[i]->met)
                        p->classes[i]->met(p->part[i], server);
}

void parts_alerted(parts *p, uint64_t id, unsigned status)
{
        size_t part = (size_t)(id >> ID_BITS);

        if (part == 0) {
                if (odm_alert_over(status))
                        state_alert_done(p->state, id);
        } else if (part <= p->n && p->part[part - 1] && p->classes[part - 1]->alerted) {
                p->classes[part - 1]->alerted(p->part[part - 1], id & ((1ull << ID_BITS) - 1),
                                              status);
        }
}

/* ---- life ---------------------------------------------------------------------------------- */

static int know_kinds(parts *p, const part_class *c)
{
        int rc = 0;

        for (size_t k = 0; rc == 0 && c->kinds && c->kinds[k]; k++)
                rc = odm_tasks_know(p->host.tasks, c->kinds[k], NULL);
        return rc;
}

static void add_classes(parts *p, const part_class *const *classes)
{
        for (; *classes; classes++) {
                assert(p->n < PARTS_MAX);
                p->classes[p->n++] = *classes;
        }
}

int parts_mount(odm_tree *t, odm_tasks *ts, const cfg *c, const part_class *const *classes,
                const agent_app *app, parts **out, diag *d)
{
        parts *p = calloc(1, sizeof *p);
        int rc = 0;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = (part_host){.tree = t,
                              .tasks = ts,
                              .conf = c,
                              .folder = cfg_str(c, "agent.state"),
                              .traps = &p->traps,
                              .done = on_done,
                              .restart = on_restart,
                              .again = on_agent_again,
                              .moved = on_moved,
                              .alert = on_alert,
                              .tell = on_tell,
                              .call = on_call,
                              .installed = on_installed,
                              .firmware = on_firmware,
                              .elsewhere = on_elsewhere,
                              .answer = on_answer,
                              .ctx = p,
                              .kept = app ? app->kept : NULL,
                              .app = app ? app->app : NULL};
        add_classes(p, classes);
        if (app)
                add_classes(p, app->parts);
        p->last_end = &p->ends;
        p->again = (loop_timer){.fn = on_again, .ctx = p};
        p->soon = (loop_timer){.fn = on_soon, .ctx = p};
        for (size_t i = 0; rc == 0 && i < p->n; i++) {
                bool wanted = !p->classes[i]->wanted || p->classes[i]->wanted(c);
                rc = wanted ? p->classes[i]->mount(&p->host, &p->part[i], d)
                            : know_kinds(p, p->classes[i]);
                if (rc < 0 && d && !d->text[0])
                        diag_set(d, rc, "%s: %s", p->classes[i]->name, odm_err_text(rc));
        }
        if (rc < 0)
                parts_close(p);
        else
                *out = p;
        return rc;
}

static int call_all(parts *p, bool fill, diag *d)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < p->n; i++) {
                int (*fn)(void *part, diag *why) = fill ? p->classes[i]->fill : p->classes[i]->open;
                if (p->part[i] && fn)
                        rc = fn(p->part[i], d);
                if (rc < 0 && d && !d->text[0])
                        diag_set(d, rc, "%s: %s", p->classes[i]->name, odm_err_text(rc));
        }
        return rc;
}

int parts_fill(parts *p, diag *d)
{
        int rc = call_all(p, true, d);

        if (rc < 0)
                return rc;
        rc = odm_tasks_load(p->host.tasks, loop_wall());
        return rc < 0 ? diag_set(d, rc, "the tasks: %s", odm_err_text(rc)) : 0;
}

static int grant_root(parts *p, const char *root, odm_str acl, bool always, odm_wall now)
{
        const odm_value v = {.data = acl};
        odm_op get = {.kind = ODM_CMD_GET};
        odm_answer got = {0};
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, &heap_mem, 65536);
        get.target = odm_arena_fmt(&a, "%s?prop=ACL", root);
        if (!get.target.p)
                rc = odm_arena_err(&a);
        else if (odm_tree_exists(p->host.tree, odm_cstr(root)))
                rc = odm_tree_do(p->host.tree, &get, now, &a, &got);
        if (rc == 0 && odm_status_ok(got.status) &&
            (always || !got.results || got.results->value.data.n == 0))
                rc = odm_tree_write(p->host.tree, get.target, &v, now);
        odm_arena_done(&a);
        return rc;
}

int parts_grant(parts *p, odm_str acl, bool always, odm_wall now)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < p->n; i++)
                for (size_t k = 0;
                     rc == 0 && p->part[i] && p->classes[i]->roots && p->classes[i]->roots[k]; k++)
                        rc = grant_root(p, p->classes[i]->roots[k], acl, always, now);
        return rc;
}

int parts_open(parts *p, loop *l, state *s, const parts_agent *agent, diag *d)
{
        int rc;

        p->host.loop = l;
        p->host.healed = state_healed(s);
        p->state = s;
        p->agent = *agent;
        rc = call_all(p, false, d);
        if (rc == 0)
                parts_rest(p, true);
        return rc;
}

int parts_asked(parts *p, odm_str word, odm_buf *b)
{
        int rc = ODM_EUNSUPPORTED;

        for (size_t i = 0; i < p->n && rc == ODM_EUNSUPPORTED; i++)
                if (p->part[i] && p->classes[i]->asked)
                        rc = p->classes[i]->asked(p->part[i], word, b);
        return rc;
}

int parts_status(const parts *p, odm_buf *b)
{
        const odm_task *t;
        int rc = 0;

        for (size_t i = 0; rc == 0 && (t = odm_tasks_at(p->host.tasks, i)) != NULL; i++)
                rc = odm_buf_fmt(b, "task-%u: %.*s %s\n", (unsigned)t->id, (int)t->exec.n,
                                 t->exec.p, t->step ? t->kind->steps[t->step] : "to be reported");
        for (size_t i = 0; rc == 0 && i < p->n; i++)
                if (p->part[i] && p->classes[i]->status)
                        rc = p->classes[i]->status(p->part[i], b);
        return rc;
}

void parts_close(parts *p)
{
        if (!p)
                return;
        loop_timer_stop(&p->again);
        loop_timer_stop(&p->soon);
        for (size_t i = 0; i < p->n; i++)
                if (p->part[i])
                        p->classes[i]->close(p->part[i]);
        while (p->ends) {
                end *e = p->ends;
                p->ends = e->next;
                free(e);
        }
        free(p);
}
