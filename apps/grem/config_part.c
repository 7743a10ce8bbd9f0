/* SPDX-License-Identifier: Apache-2.0 */
/* config_part.c - ./GwMO/Config: nodes that are stored, checks of what servers write there, and the
 * rules that are made of them (gwmo.md 4). */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "mo.h"
#include "odm/inventory.h"
#include "recover.h"
#include "report.h"
#include "rights.h"

#define AT "./GwMO/Config"
#define RULES_MAX 256

typedef struct rule {
        int64_t priority;
        gw_mode mode;
        char *match;
} rule;

typedef struct config_part {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        odm_binding bind[20];
        rule rules[RULES_MAX];
        size_t n_rules;
        loop_timer changed;
} config_part;

/* ---- what may be written ------------------------------------------------------------------------ */

/* What a leaf holds is told by its name. */
static const struct limit {
        const char *name;
        uint64_t min, max;
} limits[] = {
        {"Mode", 1, 3},
        {"Priority", 0, INT32_MAX},
        {"BatchWindow", 0, 86400},
        {"ResultWindow", 0, 86400},
        {"ReportWindow", 0, 86400},
        {"DetachGrace", 0, 31536000},
        {"MaxQueue", 1, 1000000},
        {"DefaultTTL", 1, 31536000},
        {"MaxBytes", 1024, INT32_MAX},
        {"Interval", 0, 31536000},
        {"Least", 0, 31536000},
        {"Most", 0, 31536000},
};

static int check_number(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        odm_str name = at->desc->name;
        uint64_t n;

        (void)ctx;
        for (size_t i = 0; v && i < ODM_COUNT(limits); i++)
                if (odm_str_is(name, limits[i].name) &&
                    (odm_str_u64(v->data, limits[i].max, &n) < 0 || n < limits[i].min))
                        *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_match(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && v->data.n && odm_inv_selector_check(v->data) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int read_id(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        config_part *p = ctx;

        (void)at;
        return odm_tree_read(p->host->tree, ODM_STR("./DevInfo/DevId"), a, out);
}

/* ---- rules --------------------------------------------------------------------------------------- */

static void drop_rules(config_part *p)
{
        for (size_t i = 0; i < p->n_rules; i++)
                free(p->rules[i].match);
        p->n_rules = 0;
}

static odm_str leaf(config_part *p, odm_arena *a, odm_str rule_uri, const char *name)
{
        odm_str uri = odm_arena_fmt(a, "%.*s/%s", (int)rule_uri.n, rule_uri.p, name);
        odm_value v;

        return uri.p && odm_tree_read(p->host->tree, uri, a, &v) == 0 ? v.data : ODM_ABSENT;
}

/* One that lacks a leaf, or has one that is no good, fits nothing. */
static int add_rule(void *ctx, odm_str name)
{
        config_part *p = ctx;
        uint64_t priority, mode;
        odm_str uri, match;
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, &heap_mem, 65536);
        uri = odm_arena_fmt(&a, AT "/ModeRules/%.*s", (int)name.n, name.p);
        match = leaf(p, &a, uri, "Match");
        if (p->n_rules == RULES_MAX)
                rc = 1;
        else if (match.n && odm_str_u64(leaf(p, &a, uri, "Priority"), INT32_MAX, &priority) == 0 &&
                 odm_str_u64(leaf(p, &a, uri, "Mode"), 3, &mode) == 0 && mode > 0) {
                char *text = strndup(match.p, match.n);
                if (text)
                        p->rules[p->n_rules++] = (rule){(int64_t)priority, (gw_mode)mode, text};
        }
        odm_arena_done(&a);
        return rc;
}

static int by_priority(const void *a, const void *b)
{
        const rule *x = a, *y = b;

        return (x->priority > y->priority) - (x->priority < y->priority);
}

static void load_rules(config_part *p)
{
        drop_rules(p);
        (void)odm_tree_children(p->host->tree, ODM_STR(AT "/ModeRules"), add_rule, p);
        qsort(p->rules, p->n_rules, sizeof p->rules[0], by_priority);
}

int gw_config_mode(gateway *g, const gw_device *d)
{
        const config_part *p = g->config;

        for (size_t i = 0; p && i < p->n_rules; i++)
                if (gw_matches(d, odm_cstr(p->rules[i].match)))
                        return (int)p->rules[i].mode;
        return 0;
}

static int stop_at_one(void *ctx, odm_str name)
{
        (void)ctx;
        (void)name;
        return 1;
}

bool config_is_empty(gateway *g)
{
        static const char *const lists[] = {AT "/ModeRules", AT "/ConfigData", AT "/Bootstrap"};
        odm_arena a;
        odm_value v;
        bool empty;

        if (!gw_tree(g))
                return false;
        odm_arena_init(&a, &heap_mem, 65536);
        empty = odm_tree_read(gw_tree(g), ODM_STR(AT "/GwAddress/Addr"), &a, &v) == 0 &&
                v.data.n == 0;
        odm_arena_done(&a);
        for (size_t i = 0; empty && i < ODM_COUNT(lists); i++)
                empty = odm_tree_children(gw_tree(g), odm_cstr(lists[i]), stop_at_one, NULL) == 0;
        return empty;
}

static void on_changed(void *ctx)
{
        config_part *p = ctx;

        load_rules(p);
        devices_judge(p->g->devices);
        recover_judge(p->g);
        report_judge(p->g);
}

/* What is done later, by what is written now, is done with the rights of who wrote it. */
static int on_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        static const char *const lists[] = {AT "/Bootstrap", AT "/ConfigData", AT "/Ext/Reports",
                                            AT "/Ext/Validation"};
        int rc = 0;

        (void)ctx;
        (void)status;
        for (size_t i = 0; i < ODM_COUNT(lists) && rc == 0; i++)
                rc = rights_note(t, list, odm_cstr(lists[i]));
        return rc;
}

/* The tree is read when the transaction is over. */
static int on_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        config_part *p = ctx;

        (void)t;
        (void)list;
        if (p->host->loop && p->g && loop_timer_set(p->host->loop, &p->changed, loop_now()) < 0)
                log_error("no memory for a timer");
        return 0;
}

/* ---- life ------------------------------------------------------------------------------------------ */

static const char *const numbers[] = {"Mode",
                                      "ModeRules/*/Priority",
                                      "ModeRules/*/Mode",
                                      "Alerts/BatchWindow",
                                      "Alerts/ResultWindow",
                                      "Alerts/ReportWindow",
                                      "Alerts/DetachGrace",
                                      "SAF/MaxQueue",
                                      "SAF/DefaultTTL",
                                      "SAF/MaxBytes",
                                      "Ext/Reports/*/Interval",
                                      "Ext/Reports/*/Least",
                                      "Ext/Reports/*/Most"};
static const char *const matches[] = {"Bootstrap/*/Match", "ModeRules/*/Match",
                                      "ConfigData/*/Match", "Ext/Reports/*/Match",
                                      "Ext/Validation/*/Match"};

static void bind_all(config_part *p)
{
        size_t n = 0;

        p->bind[n++] = (odm_binding){.path = "GwID", .read = read_id};
        for (size_t i = 0; i < ODM_COUNT(numbers); i++)
                p->bind[n++] = (odm_binding){.path = numbers[i], .check = check_number};
        for (size_t i = 0; i < ODM_COUNT(matches); i++)
                p->bind[n++] = (odm_binding){.path = matches[i], .check = check_match};
        p->provider = (odm_provider){.name = "gwconfig",
                                     .mo = &odm_mo_gwconfig,
                                     .bind = p->bind,
                                     .n_bind = n,
                                     .ctx = p,
                                     .validate = on_validate,
                                     .commit = on_commit};
}

static void gwconfig_close(void *ctx)
{
        config_part *p = ctx;

        loop_timer_stop(&p->changed);
        if (p->g) {
                p->g->config = NULL;
                p->g->host = NULL;
        }
        drop_rules(p);
        free(p);
}

static int gwconfig_mount(const part_host *h, void **out, diag *d)
{
        config_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        p->changed = (loop_timer){.fn = on_changed, .ctx = p};
        bind_all(p);
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, AT ": %s", odm_err_text(rc));
        }
        if (p->g) {
                p->g->host = h;
                p->g->config = p;
        }
        *out = p;
        return 0;
}

static int gwconfig_open(void *ctx, diag *d)
{
        config_part *p = ctx;

        (void)d;
        load_rules(p);
        return 0;
}

static const char *const roots[] = {AT, NULL};

const part_class part_gwconfig = {
        .name = "gwconfig",
        .roots = roots,
        .mount = gwconfig_mount,
        .open = gwconfig_open,
        .close = gwconfig_close,
};
