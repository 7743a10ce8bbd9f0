/* SPDX-License-Identifier: Apache-2.0 */
/* DCMO with the commands of the configuration: orders of the server, and from time to time a look
 * at how the capabilities are, since people and plugs change them too.  One command at a time. */
#include "odm/dcmo.h"

#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "log.h"
#include "mo.h"
#include "part.h"

enum { EXIT_REFUSED = 3, EXIT_ABSENT = 4, EXIT_FORBIDDEN = 5 };

typedef struct capability {
        const cfg *conf;
        const odm_dcmo_capability *is;
        /* an order of the server */
        odm_dcmo_step step; /* 0: none */
        uint32_t id;
        bool enable;
        /* a look at it */
        bool look;
        bool starting; /* nobody on the device can have changed it yet */
        bool fresh;    /* it came with this start: what is found is what it is */
        bool found_on;
} capability;

typedef enum work { /* what the command under way is for */
                    WORK_NONE,
                    WORK_ORDER,    /* enable or disable */
                    WORK_CHECK,    /* whether an order that was cut short was done */
                    WORK_STATE,    /* a look: is it on? */
                    WORK_BACK,     /* ... it is to be as Enabled says */
                    WORK_ATTACHED, /* ... is it there? */
} work;

typedef struct dcmo_part {
        const part_host *host;
        odm_dcmo dcmo;
        odm_dcmo_capability *list;
        capability *capability;
        size_t n;
        bool first_start; /* nobody knows this device yet */
        work work;
        capability *at;
        command run, notice;
        loop_timer check;
} dcmo_part;

static bool dcmo_wanted(const cfg *c)
{
        return cfg_named_n(c, "capability") > 0;
}

/* ---- what there is ------------------------------------------------------------------------ */

static void dcmo_close(void *ctx)
{
        dcmo_part *p = ctx;

        loop_timer_stop(&p->check);
        command_stop(&p->run);
        command_stop(&p->notice);
        free(p->list);
        free(p->capability);
        free(p);
}

static odm_dcmo_capability described(const cfg *a)
{
        const char *property = cfg_str(a, "capability *.property");

        return (odm_dcmo_capability){
                .name = cfg_name(a),
                .property = property ? property : cfg_name(a),
                .group = cfg_str(a, "capability *.group"),
                .description = cfg_str(a, "capability *.description"),
                .can_enable = cfg_str(a, "capability *.enable") != NULL,
                .can_disable = cfg_str(a, "capability *.disable") != NULL,
                .bearer = cfg_bool(a, "capability *.bearer"),
                .removable = cfg_str(a, "capability *.attached") != NULL,
        };
}

static void on_check_time(void *ctx);

static int dcmo_mount(const part_host *h, void **out, diag *d)
{
        dcmo_part *p = calloc(1, sizeof *p);
        int rc = 0;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->n = cfg_named_n(h->conf, "capability");
        p->check = (loop_timer){.fn = on_check_time, .ctx = p};
        p->list = calloc(p->n + 1, sizeof *p->list);
        p->capability = calloc(p->n + 1, sizeof *p->capability);
        if (!p->list || !p->capability)
                rc = ODM_ENOMEM;
        for (size_t i = 0; i < p->n && rc == 0; i++) {
                const cfg *a = cfg_named(h->conf, "capability", i);
                p->list[i] = described(a);
                p->capability[i] = (capability){.conf = a, .is = &p->list[i]};
        }
        p->dcmo = (odm_dcmo){
                .list = p->list, .n = p->n, .notifies = cfg_str(h->conf, "dcmo.notify") != NULL};
        if (rc == 0)
                rc = odm_dcmo_mount(&p->dcmo, h->tasks, &odm_mo_dcmo);
        if (rc < 0)
                dcmo_close(p);
        else
                *out = p;
        return rc < 0 ? diag_set(d, rc, "./DCMO: %s", odm_err_text(rc)) : 0;
}

static int stop_at_one(void *ctx, odm_str name)
{
        (void)ctx;
        (void)name;
        return 1;
}

static int dcmo_fill(void *ctx, diag *d)
{
        dcmo_part *p = ctx;
        int rc = odm_dcmo_prune(&p->dcmo, loop_wall());

        p->first_start =
                odm_tree_children(p->host->tree, ODM_STR("./DMAcc"), stop_at_one, NULL) != 1;
        return rc < 0 ? diag_set(d, rc, "./DCMO: %s", odm_err_text(rc)) : 0;
}

/* ---- commands ------------------------------------------------------------------------------- */

static void on_over(void *ctx, int code);
static void go(dcmo_part *p);

static int run(dcmo_part *p, work what, const char *text)
{
        const char *const words[] = {p->at->is->name, NULL};
        diag d = {{0}};
        int rc;

        p->work = what;
        rc = command_run(&p->run, p->host->loop, text, words,
                         cfg_ms(p->host->conf, "dcmo.command_time"), on_over, p, &d);
        if (rc < 0) {
                log_error("a command cannot begin", log_text("capability", p->at->is->name),
                          log_text("reason", d.text));
                p->work = WORK_NONE;
        }
        return rc;
}

static const char *switch_command(const capability *a, bool enable)
{
        return cfg_str(a->conf, enable ? "capability *.enable" : "capability *.disable");
}

static void on_notice_over(void *ctx, int code)
{
        (void)ctx;
        if (code != 0)
                log_warn("dcmo.notify failed", log_int("code", code));
}

static void tell_user(dcmo_part *p, const capability *a, odm_task_cause cause)
{
        const cfg *c = p->host->conf;
        const char *text = cfg_str(c, "dcmo.notify");
        const char *const words[] = {a->is->property, a->enable ? "Enable" : "Disable",
                                     cause == ODM_CAUSE_OK ? "done" : "failed", NULL};
        diag d = {{0}};

        if (!text || !odm_dcmo_notifies(&p->dcmo, a->is))
                return;
        command_stop(&p->notice); /* of an operation before */
        if (command_run(&p->notice, p->host->loop, text, words, cfg_ms(c, "dcmo.command_time"),
                        on_notice_over, p, &d) < 0)
                log_warn("dcmo.notify", log_text("reason", d.text));
}

/* ---- an order ------------------------------------------------------------------------------- */

static void end_order(dcmo_part *p, capability *a, odm_task_cause cause, const char *note)
{
        const odm_task_end e = {.cause = cause,
                                .note = note && *note ? odm_cstr(note) : ODM_ABSENT};

        a->step = 0;
        p->work = WORK_NONE;
        p->at = NULL;
        log_info("operation over", log_text("capability", a->is->name),
                 log_text("operation", a->enable ? "Enable" : "Disable"),
                 log_text("end", odm_task_cause_text(cause)));
        tell_user(p, a, cause);
        (void)p->host->done(p->host->ctx, a->id, &e);
}

static odm_task_cause cause_of(int code)
{
        switch (code) {
        case 0: return ODM_CAUSE_OK;
        case COMMAND_LATE: return ODM_CAUSE_TIMEOUT;
        case EXIT_REFUSED: return ODM_CAUSE_CANCELLED;
        case EXIT_ABSENT: return ODM_CAUSE_UNAVAILABLE;
        case EXIT_FORBIDDEN: return ODM_CAUSE_NOT_ACCEPTED;
        default: return ODM_CAUSE_FAILED;
        }
}

static void begin_order(dcmo_part *p, capability *a)
{
        const char *state = cfg_str(a->conf, "capability *.state");
        const char *text = switch_command(a, a->enable);
        int rc = ODM_ENOENT;

        p->at = a;
        if (a->step == ODM_DCMO_CHECK && state)
                rc = run(p, WORK_CHECK, state);
        else if (text)
                rc = run(p, WORK_ORDER, text);
        if (rc < 0)
                end_order(p, a, rc == ODM_ENOENT ? ODM_CAUSE_UNSUPPORTED : ODM_CAUSE_FAILED, NULL);
}

/* ---- a look ----------------------------------------------------------------------------------- */

static void kept(dcmo_part *p, int rc)
{
        if (rc == 0)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0)
                log_error("a capability cannot be kept", log_text("reason", odm_err_text(rc)));
}

static void end_look(dcmo_part *p)
{
        p->at->starting = p->at->fresh = false;
        p->work = WORK_NONE;
        p->at = NULL;
}

static void look_if_attached(dcmo_part *p)
{
        const char *text = cfg_str(p->at->conf, "capability *.attached");

        if (!text || run(p, WORK_ATTACHED, text) < 0)
                end_look(p);
}

static void take_over(dcmo_part *p, bool on)
{
        log_info("capability changed on the device", log_text("capability", p->at->is->name),
                 log_text("enabled", on ? "true" : "false"));
        kept(p, odm_dcmo_set_enabled(&p->dcmo, p->at->is, on, loop_wall()));
}

static void judge(dcmo_part *p)
{
        capability *a = p->at;
        bool enabled = odm_dcmo_is_enabled(&p->dcmo, a->is);
        const char *text = switch_command(a, enabled);

        if (!odm_dcmo_is_busy(&p->dcmo, a->is)) {
                switch (odm_dcmo_judge(enabled, a->found_on, a->starting && !a->fresh,
                                       odm_dcmo_denies_user(&p->dcmo, a->is))) {
                case ODM_DCMO_AS_IT_IS: break;
                case ODM_DCMO_TAKEN: take_over(p, a->found_on); break;
                case ODM_DCMO_BACK:
                        if (text && run(p, WORK_BACK, text) == 0)
                                return;
                        take_over(p, a->found_on);
                        break;
                }
        }
        look_if_attached(p);
}

static void begin_look(dcmo_part *p, capability *a)
{
        const char *state = cfg_str(a->conf, "capability *.state");
        const char *again = switch_command(a, odm_dcmo_is_enabled(&p->dcmo, a->is));
        bool redo =
                !state && a->starting && !a->fresh && again && !odm_dcmo_is_busy(&p->dcmo, a->is);

        p->at = a;
        a->look = false;
        a->found_on = odm_dcmo_is_enabled(&p->dcmo, a->is);
        if (state && run(p, WORK_STATE, state) == 0)
                return;
        if (redo && run(p, WORK_BACK, again) == 0)
                return;
        look_if_attached(p);
}

static void on_state(dcmo_part *p, int code)
{
        if (code != 0 && code != 1) {
                log_warn("the state of a capability cannot be seen",
                         log_text("capability", p->at->is->name), log_int("code", code));
                look_if_attached(p);
                return;
        }
        p->at->found_on = code == 0;
        judge(p);
}

static void on_back(dcmo_part *p, int code)
{
        if (code != 0) {
                log_warn("a capability cannot be put back", log_text("capability", p->at->is->name),
                         log_int("code", code), log_text("reason", p->run.note));
                if (cfg_str(p->at->conf, "capability *.state"))
                        take_over(p, p->at->found_on);
        }
        look_if_attached(p);
}

static void on_attached(dcmo_part *p, int code)
{
        if (code == 0 || code == 1)
                kept(p, odm_dcmo_set_attached(&p->dcmo, p->at->is, code == 0, loop_wall()));
        end_look(p);
}

/* ---- one after the other ---------------------------------------------------------------------- */

static void on_over(void *ctx, int code)
{
        dcmo_part *p = ctx;

        switch (p->work) {
        case WORK_NONE: break;
        case WORK_ORDER: end_order(p, p->at, cause_of(code), p->run.note); break;
        case WORK_CHECK:
                end_order(p, p->at,
                          code == (p->at->enable ? 0 : 1) ? ODM_CAUSE_OK : ODM_CAUSE_INTERRUPTED,
                          NULL);
                break;
        case WORK_STATE: on_state(p, code); break;
        case WORK_BACK: on_back(p, code); break;
        case WORK_ATTACHED: on_attached(p, code); break;
        }
        go(p);
}

/* Orders come first. */
static void go(dcmo_part *p)
{
        for (size_t i = 0; i < p->n && !p->at; i++)
                if (p->capability[i].step)
                        begin_order(p, &p->capability[i]);
        for (size_t i = 0; i < p->n && !p->at; i++)
                if (p->capability[i].look)
                        begin_look(p, &p->capability[i]);
}

static void look_at_all(dcmo_part *p)
{
        int64_t ms = cfg_ms(p->host->conf, "dcmo.check");

        for (size_t i = 0; i < p->n; i++)
                p->capability[i].look = true;
        if (ms > 0 && loop_timer_set(p->host->loop, &p->check, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
        go(p);
}

static void on_check_time(void *ctx)
{
        look_at_all(ctx);
}

/* ---- life --------------------------------------------------------------------------------------- */

static int tell_new(dcmo_part *p, const odm_dcmo_capability *c)
{
        char uri[64];
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .type = ODM_STR(ODM_DCMO_NEW),
                       .format = ODM_FMT_CHR,
                       .mark = ODM_STR("informational"),
                       .data = ODM_STR("")};

        snprintf(uri, sizeof uri, ODM_DCMO_AT "/%s", c->name);
        a.source = odm_cstr(uri);
        return p->host->alert(p->host->ctx, ODM_ABSENT, &a);
}

/* The alert is kept before the node is: the power may make it come twice, never not at all. */
static int add_one(dcmo_part *p, capability *a)
{
        bool initial = cfg_bool(a->conf, "capability *.enabled");
        int rc = 0;

        a->fresh = !odm_dcmo_has(&p->dcmo, a->is);
        a->starting = true;
        if (a->fresh && !p->first_start)
                rc = tell_new(p, a->is);
        return rc == 0 ? odm_dcmo_add(&p->dcmo, a->is, initial, loop_wall()) : rc;
}

static int dcmo_open(void *ctx, diag *d)
{
        dcmo_part *p = ctx;
        int rc = 0;

        for (size_t i = 0; i < p->n && rc == 0; i++)
                rc = add_one(p, &p->capability[i]);
        if (rc == 0)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0)
                return diag_set(d, rc, "./DCMO: %s", odm_err_text(rc));
        look_at_all(p);
        return 0;
}

static int dcmo_begin(void *ctx, const odm_task *t)
{
        dcmo_part *p = ctx;
        const odm_dcmo_capability *is = odm_dcmo_of(&p->dcmo, t->object);
        capability *a;

        if (!is)
                return ODM_ENOENT;
        a = &p->capability[is - p->list];
        a->step = (odm_dcmo_step)t->step;
        a->id = t->id;
        a->enable = odm_task_is(t, "Operations/Enable");
        go(p);
        return 0;
}

static int dcmo_status(const void *ctx, odm_buf *b)
{
        const dcmo_part *p = ctx;
        int rc = 0;

        for (size_t i = 0; i < p->n && rc == 0; i++)
                rc = odm_buf_fmt(b, "capability-%s: %s\n", p->list[i].name,
                                 odm_dcmo_is_enabled(&p->dcmo, &p->list[i]) ? "enabled"
                                                                            : "disabled");
        return rc;
}

static const char *const roots[] = {ODM_DCMO_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_dcmo_kind, NULL};

const part_class part_dcmo = {
        .name = "dcmo",
        .roots = roots,
        .kinds = kinds,
        .wanted = dcmo_wanted,
        .mount = dcmo_mount,
        .fill = dcmo_fill,
        .open = dcmo_open,
        .begin = dcmo_begin,
        .status = dcmo_status,
        .close = dcmo_close,
};
