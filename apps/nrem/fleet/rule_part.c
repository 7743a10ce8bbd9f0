/* SPDX-License-Identifier: Apache-2.0 */
/* The rules at work: each event is held against each rule, and what a rule does is one batch with
 * the place in the log. */
#include "rule_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "fleet.h"
#include "heap.h"
#include "log.h"

#define READ_MEMORY ((size_t)64 << 20)
#define OWN_KEY "rule/%lld/"

typedef struct known {
        struct known *next;
        odm_arena a; /* texts of both below */
        rule row;
        rule_spec spec;
        json_t *json; /* what the spec borrows from */
} known;

typedef struct rules {
        const fleet_host *host;
        known *all;
} rules;

/* ---- the rows ----------------------------------------------------------------------- */

static void free_all(known *k)
{
        while (k) {
                known *next = k->next;

                json_decref(k->json);
                odm_arena_done(&k->a);
                free(k);
                k = next;
        }
}

static int read_one(const rule *row, known **out)
{
        known *k = calloc(1, sizeof *k);
        problem p;
        int rc;

        if (!k)
                return ODM_ENOMEM;
        odm_arena_init(&k->a, &heap_mem, READ_MEMORY);
        k->row = *row;
        rc = record_copy(table_rule.rec, &k->row, &k->a);
        if (rc == 0)
                k->json = json_loadb(k->row.spec.p, k->row.spec.n, 0, NULL);
        if (rc == 0 && !k->json)
                rc = ODM_ENOMEM;
        problem_init(&p);
        if (rc == 0 && !rule_read(k->json, &p, &k->a, &k->spec)) {
                log_error("a rule is not understood, and rests", log_str("rule", k->row.name),
                          log_text("reason", p.detail));
                k->row.enabled = false; /* in memory */
        }
        problem_done(&p);
        if (rc < 0)
                free_all(k);
        else
                *out = k;
        return rc;
}

static int read_all(rules *s)
{
        const store_scan scan = {.table = &table_rule, .limit = RULES_MAX};
        store_rows rows = {0};
        known *all = NULL, **end = &all;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, READ_MEMORY);
        rc = store_row_find(s->host->store, &scan, &a, &rows);
        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                rc = read_one((const rule *)rows.v + i, end);
                if (rc == 0)
                        end = &(*end)->next;
        }
        odm_arena_done(&a);
        if (rc < 0) {
                free_all(all);
                return rc;
        }
        free_all(s->all);
        s->all = all;
        return 0;
}

/* ---- whether it fires ------------------------------------------------------------------ */

/* What a rule does must not set it off again; a tag of one sets off none. */
static bool is_own(const known *k, const fleet_event *ev)
{
        char own[32];
        int n = snprintf(own, sizeof own, OWN_KEY, (long long)k->row.id);
        odm_str key = fleet_text(ev, "key");

        return fleet_text(ev, "rule").n ||
               (key.n >= (size_t)n && memcmp(key.p, own, (size_t)n) == 0);
}

/* 1: long enough at `at` since it fired for this device; 0: not; or an error. */
static int may_again(fleet_turn *t, const known *k, int64_t device, int64_t at)
{
        const rule_shot key = {.device = device, .rule = k->row.id};
        rule_shot last;
        int rc;

        if (k->row.again_after == 0)
                return 1;
        rc = store_row_get(t->host->store, &table_rule_shot, &key, t->arena, &last);
        if (rc == ODM_ENOENT)
                return 1;
        if (rc < 0)
                return rc;
        return at < last.at /* the clock was set back */ ||
               at - last.at >= k->row.again_after * 1000;
}

/* The device of an event, which rules before this one may have changed. */
typedef struct subject {
        store_device d; /* as the event found it; id 0: none */
        odm_str tags;   /* by now */
        int64_t rev;
} subject;

/* 1 with the device, 0: it is gone, or an error. */
static int find_subject(fleet_turn *t, const fleet_event *ev, subject *out)
{
        int rc = 0;

        *out = (subject){.d = {.name = ODM_STR("")}};
        if (ev->e.device)
                rc = store_device_get(t->host->store, ev->e.device, t->arena, &out->d);
        if (rc == ODM_ENOENT && odm_str_is(ev->e.kind, "device.removed"))
                rc = 0; /* that it is gone is what is told */
        out->tags = out->d.tags;
        out->rev = out->d.rev;
        return rc == 0 ? 1 : rc == ODM_ENOENT ? 0 : rc;
}

static bool is_meant(const known *k, const subject *of)
{
        return of->d.id ? selector_has(&k->spec.devices, &of->d, NULL, NULL) : !k->spec.of_devices;
}

/* ---- what it does -------------------------------------------------------------------------- */

typedef struct shot {
        fleet_turn *t;
        const known *k;
        const fleet_event *ev;
        store_device d;
        unsigned n; /* of the action */
} shot;

/* As of any job. */
static int64_t deadline_of(const shot *s, const json_t *job)
{
        const cfg *conf = s->t->host->conf;
        int64_t ttl = 1000 * json_integer_value(json_object_get(job, "ttl"));

        if (!ttl && conf)
                ttl = cfg_ms(conf, "jobs.ttl");
        return ttl ? s->t->now + ttl : 0;
}

static int do_job(shot *s, const json_t *job)
{
        odm_arena *a = store_batch_arena(s->t->batch);
        json_t *list = rule_filled(json_object_get(job, "commands"), s->ev->e.kind, s->d.name,
                                   s->ev->data);
        char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
        fleet_order o = {.device = s->d.id,
                         .kind = "rule",
                         .atomic = json_is_true(json_object_get(job, "atomic")),
                         .priority = (int32_t)json_integer_value(json_object_get(job, "priority")),
                         .deadline = deadline_of(s, job),
                         .key = odm_arena_fmt(a, OWN_KEY "%lld/%u", (long long)s->k->row.id,
                                              (long long)s->ev->e.seq, s->n),
                         .actor = s->k->row.actor};
        int rc = ODM_ENOMEM;

        if (text && o.key.p) {
                o.commands = odm_cstr(text);
                rc = fleet_job(s->t, &o);
        }
        free(text);
        json_decref(list);
        return rc;
}

static odm_str without_word(odm_arena *a, odm_str words, odm_str w)
{
        odm_str out = ODM_STR("");

        while (words.n && out.p) {
                size_t n = 0;

                while (n < words.n && words.p[n] != ' ')
                        n++;
                if (n && !odm_str_eq(odm_str_to(words, n), w))
                        out = odm_arena_fmt(a, "%.*s%s%.*s", (int)out.n, out.p, out.n ? " " : "",
                                            (int)n, words.p);
                words = odm_str_from(words, n + 1);
        }
        return out;
}

/* Others go by tags, too; and as each change it stands in the audit log. */
static int tell_tag(shot *s, odm_str word, bool add)
{
        odm_arena *a = store_batch_arena(s->t->batch);
        store_op *op = fleet_op(s->t, STORE_AUDIT_ADD);
        json_t *o;

        if (!op)
                return ODM_ENOMEM;
        op->audit = (store_audit){
                .at = s->t->now,
                .device = s->d.id,
                .actor = odm_arena_copy(a, s->k->row.actor),
                .action = ODM_STR("device.change"),
                .target = odm_arena_copy(a, s->d.name),
                .detail = odm_arena_fmt(a, "rule %lld: %s %.*s", (long long)s->k->row.id,
                                        add ? "tag" : "untag", (int)word.n, word.p),
                .outcome = ODM_STR("ok")};
        o = json_object();
        if (a->err || !put_text(o, "device", s->d.name) || !put_text(o, "actor", s->k->row.actor) ||
            !put_id(o, "rule", s->k->row.id)) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(s->t, s->d.id, "device.changed", o);
}

/* An operator may change the device at this moment: then the event is heard once more. */
static int do_tag(shot *s, const json_t *word, bool add)
{
        odm_arena *a = store_batch_arena(s->t->batch);
        odm_str w = odm_cstr(json_string_value(word)), tags = s->d.tags;
        store_op *op;

        if (selector_word(tags, w) == add)
                return 0;
        tags = add ? odm_arena_fmt(a, "%.*s%s%.*s", (int)tags.n, tags.p ? tags.p : "",
                                   tags.n ? " " : "", (int)w.n, w.p)
                   : without_word(a, tags, w);
        op = tags.p ? fleet_op(s->t, STORE_DEVICE_PATCH) : NULL;
        if (!op)
                return ODM_ENOMEM;
        op->device_patch.fields = STORE_DF_TAGS;
        op->device_patch.expect_rev = s->d.rev;
        op->device_patch.to.id = s->d.id;
        op->device_patch.to.tags = tags;
        op->device_patch.to.updated = s->t->now;
        s->d.tags = tags; /* for the next action */
        s->d.rev++;
        return tell_tag(s, w, add);
}

static json_t *event_of(const shot *s)
{
        json_t *o = json_object();

        if (put_id(o, "rule", s->k->row.id) && put_text(o, "name", s->k->row.name) &&
            put_id(o, "event", s->ev->e.seq) && put_text(o, "kind", s->ev->e.kind))
                return o;
        json_decref(o);
        return NULL;
}

static int do_notify(shot *s, const json_t *text)
{
        json_t *o = event_of(s);
        json_t *said = rule_filled(text, s->ev->e.kind, s->d.name, s->ev->data);

        if (!o || json_object_set_new(o, "text", said) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(s->t, s->ev->e.device, "rule.notified", o);
}

static int do_campaign(shot *s, const json_t *id)
{
        json_t *o = event_of(s);

        if (!o || json_object_set(o, "campaign", (json_t *)(uintptr_t)id) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(s->t, 0, "rule.campaign", o);
}

static int do_action(shot *s, const json_t *action)
{
        const json_t *v;

        if ((v = json_object_get(action, "notify")))
                return do_notify(s, v);
        if ((v = json_object_get(action, "campaign")))
                return do_campaign(s, v);
        if (!s->d.id)
                return 0; /* the rest is about a device */
        if ((v = json_object_get(action, "job")))
                return do_job(s, v);
        if ((v = json_object_get(action, "tag")))
                return do_tag(s, v, true);
        v = json_object_get(action, "untag");
        return v ? do_tag(s, v, false) : 0;
}

/* The rule's tally, and when it fired for this device. */
static int count_shot(shot *s)
{
        odm_arena *a = store_batch_arena(s->t->batch);
        rule_shot *last = odm_new(a, rule_shot);
        rule *row = odm_new(a, rule);
        store_op *op;

        if (!last || !row)
                return ODM_ENOMEM;
        *last = (rule_shot){.device = s->d.id, .rule = s->k->row.id, .at = s->ev->e.at};
        if (!fleet_row(s->t, STORE_ROW_PUT, &table_rule_shot, last))
                return ODM_ENOMEM;
        *row = (rule){.id = s->k->row.id, .fired = 1, .last_fired = s->t->now};
        op = fleet_row(s->t, STORE_ROW_PATCH, &table_rule, row);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true; /* it may just have been removed */
        op->row.fields = STORE_FIELD(RULE_FIRED) | STORE_FIELD(RULE_LAST_FIRED);
        op->row.plus = STORE_FIELD(RULE_FIRED);
        return fleet_tell(s->t, s->ev->e.device, "rule.fired", event_of(s));
}

static int fire(shot *s)
{
        const json_t *action;
        size_t i;
        int rc = 0;

        json_array_foreach(s->k->spec.actions, i, action)
        {
                s->n = (unsigned)i;
                rc = do_action(s, action);
                if (rc < 0)
                        return rc;
        }
        return count_shot(s);
}

static int hold_against(fleet_turn *t, const known *k, const fleet_event *ev, subject *of)
{
        shot s = {.t = t, .k = k, .ev = ev, .d = of->d};
        int rc = is_meant(k, of) ? may_again(t, k, of->d.id, ev->e.at) : 0;

        if (rc < 1)
                return rc;
        s.d.tags = of->tags;
        s.d.rev = of->rev;
        rc = fire(&s);
        of->tags = s.d.tags;
        of->rev = s.d.rev;
        return rc;
}

static bool is_about(const known *k, const fleet_event *ev)
{
        return k->row.enabled && rule_means(&k->spec, ev->e.kind, ev->data) && !is_own(k, ev) &&
               !(k->spec.of_devices && event_is_of_others(ev->e.kind, ev->data));
}

/* ---- the part -------------------------------------------------------------------------- */

static int open_rules(const fleet_host *h, void **out, diag *d)
{
        rules *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        rc = read_all(s);
        if (rc < 0) {
                free(s);
                return diag_set(d, rc, "the rules cannot be read: %s", odm_err_text(rc));
        }
        *out = s;
        return 0;
}

static int hear(void *p, fleet_turn *t, const fleet_event *ev)
{
        rules *s = p;
        bool found = false;
        subject of;
        int rc = 0;

        if (odm_str_is(ev->e.kind, "rule.changed"))
                return read_all(s);
        if (odm_str_starts(ev->e.kind, "rule."))
                return 0;
        for (const known *k = s->all; rc >= 0 && k; k = k->next) {
                if (!is_about(k, ev))
                        continue;
                if (!found && (rc = find_subject(t, ev, &of)) < 1)
                        return rc;
                found = true;
                rc = hold_against(t, k, ev, &of);
        }
        return rc;
}

static void close_rules(void *p)
{
        rules *s = p;

        free_all(s->all);
        free(s);
}

static const store_table *const tables[] = {&table_rule, &table_rule_shot, NULL};

const fleet_part part_rule = {.name = "rule",
                              .tables = tables,
                              .routes = rule_routes,
                              .n_routes = RULE_ROUTES,
                              .events = "*",
                              .open = open_rules,
                              .event = hear,
                              .close = close_rules};
