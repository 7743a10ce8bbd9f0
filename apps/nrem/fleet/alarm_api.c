/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms in REST. */
#include "alarm_api.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_MOST 2000 /* alarms looked at for one page, where a filter has no index */
#define SCAN_PAGE 250
#define COUNT_MOST 10000 /* of one severity below a prefix, acknowledged or not */

static fleet_turn turn_of(call *c, store_batch *b)
{
        return (fleet_turn){.host = fleet_host_of(c->api->opt.fleet),
                            .batch = b,
                            .arena = &c->arena,
                            .now = c->now};
}

/* ---- shown ---------------------------------------------------------------------------------- */

static const char *const state_words[] = {[ALARM_ROW_CLEARED] = "cleared",
                                          [ALARM_ROW_ACTIVE] = "active",
                                          [ALARM_ROW_HIDDEN] = "suppressed",
                                          NULL};

static bool put_alarm(json_t *o, const alarm_row *r)
{
        return put_id(o, "id", r->id) && put_text(o, "device", r->name) &&
               put_cstr(o, "state", state_words[r->state]) &&
               put_cstr(o, "severity", alarm_severities[r->severity]) &&
               put_text(o, "cause", r->cause) && put_text(o, "source", r->source) &&
               put_text(o, "text", r->text) &&
               (r->type < 0 || put_cstr(o, "event_type", alarm_types[r->type])) &&
               (r->probable.n == 0 || put_text(o, "probable_cause", r->probable)) &&
               put_int(o, "count", r->count) && put_ms(o, "raised", r->raised) &&
               put_ms(o, "seen", r->seen) && put_ms(o, "changed", r->changed) &&
               put_ms(o, "cleared", r->cleared) &&
               (r->actor.n == 0 || put_text(o, "raised_by", r->actor)) &&
               put_bool(o, "acknowledged", r->acked) &&
               (r->acked_by.n == 0 || put_text(o, "acknowledged_by", r->acked_by)) &&
               put_ms(o, "acknowledged_at", r->acked_at);
}

static json_t *alarm_json(const alarm_row *r)
{
        json_t *o = json_object();

        if (put_alarm(o, r))
                return o;
        json_decref(o);
        return NULL;
}

static int by_age(const void *x, const void *y)
{
        const alarm_note *a = x, *b = y;

        return a->n < b->n ? -1 : a->n > b->n;
}

static bool put_history(call *c, json_t *o, const alarm_row *r)
{
        const alarm_note of = {.device = r->device, .alarm = r->id};
        const store_scan scan = {
                .table = &table_alarm_note, .same = 2, .at = &of, .limit = ALARM_NOTES};
        store_rows l = {0};
        json_t *list = json_array();
        bool ok = store_row_find(c->api->opt.store, &scan, &c->arena, &l) == 0;

        if (ok && l.n)
                qsort(l.v, l.n, sizeof(alarm_note), by_age);
        for (size_t i = 0; ok && i < l.n; i++) {
                const alarm_note *n = (const alarm_note *)l.v + i;
                const char *word = alarm_step_word((alarm_step)n->step);
                json_t *e = json_object();

                ok = put_ms(e, "time", n->at) && put_cstr(e, "what", word ? word : "?") &&
                     put_cstr(e, "severity", alarm_severities[n->severity % ALARM_SEVERITIES]) &&
                     (n->text.n == 0 || put_text(e, "text", n->text)) &&
                     (n->actor.n == 0 || put_text(e, "actor", n->actor));
                if (json_array_append_new(list, e) < 0)
                        ok = false;
        }
        return json_object_set_new(o, "history", list) == 0 && ok;
}

static bool find_alarm(call *c, alarm_row *out)
{
        alarm_row key = {0}, r = {0};
        int rc;

        if (!call_id(c, c->param[0], "alarm", &key.id))
                return false;
        rc = store_row_by(c->api->opt.store, &table_alarm, ALARM_BY_ID, &key, &c->arena, &r);
        if (rc == 0 && !call_sees(c, r.name))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no alarm %lld.",
                            (long long)key.id);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the alarm cannot be read");
        else
                *out = r;
        return rc == 0;
}

static void alarm_show(call *c)
{
        alarm_row r;
        json_t *o = NULL;

        if (!find_alarm(c, &r)) {
                call_fail(c);
                return;
        }
        o = json_object();
        if (!put_alarm(o, &r) || !put_history(c, o, &r)) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

/* ---- the list ---------------------------------------------------------------------------------- */

typedef struct filter {
        int state;         /* alarm_row_state; -1: any */
        unsigned severity; /* bits; 0: any */
        int acked;         /* -1: either */
        int64_t device;    /* 0: any */
        odm_str prefix;
        int64_t since;
        uint32_t limit;
        alarm_row at, from, after; /* of the scan */
        store_scan scan;
} filter;

static bool read_severities(call *c, filter *f)
{
        odm_str rest = call_query(c, "severity");

        while (rest.n) {
                alarm_severity s = ALARM_NONE;
                size_t n = 0;

                while (n < rest.n && rest.p[n] != ',')
                        n++;
                if (!alarm_severity_parse(odm_str_to(rest, n), &s) || s == ALARM_NONE) {
                        problem_at(&c->problem, "severity",
                                   "has to be words of critical, major, minor, warning, "
                                   "indeterminate, with commas between");
                        return false;
                }
                f->severity |= 1u << s;
                rest = odm_str_from(rest, n + 1);
        }
        return true;
}

static bool read_state(call *c, filter *f)
{
        odm_str word = call_query(c, "state");

        f->state = -1;
        for (int i = 0; word.p && state_words[i]; i++)
                if (odm_str_is(word, state_words[i]))
                        f->state = i;
        if (word.p && f->state < 0)
                problem_at(&c->problem, "state", "has to be active, cleared or suppressed");
        return !problem_is(&c->problem);
}

static bool read_since(call *c, filter *f)
{
        odm_str text = call_query(c, "since");
        odm_wall w;

        if (text.p && wall_parse(text, &w) < 0) {
                problem_at(&c->problem, "since", "has to be a time such as 2026-11-22T16:35:05Z");
                return false;
        }
        f->since = text.p ? w.s * 1000 : 0;
        return true;
}

static bool read_acked(call *c, filter *f)
{
        odm_str word = call_query(c, "acknowledged");

        f->acked = odm_str_is(word, "true") ? 1 : odm_str_is(word, "false") ? 0 : -1;
        if (word.p && f->acked < 0)
                problem_at(&c->problem, "acknowledged", "has to be true or false");
        return !problem_is(&c->problem);
}

/* False with the problem clear: nothing can fit. */
static bool read_device(call *c, filter *f)
{
        odm_str name = call_query(c, "device");
        store_device d;
        int rc;

        if (!name.p)
                return true;
        rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, &d)
                                : ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no device %.*s.", (int)name.n,
                            name.p);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the device cannot be read");
        else
                f->device = d.id;
        return rc == 0;
}

/* "CHANGED-DEVICE-ID" of the last row of the page before. */
static bool read_cursor(call *c, filter *f)
{
        odm_str s = call_query(c, "cursor");
        int64_t *to[] = {&f->after.changed, &f->after.device, &f->after.id};

        if (!s.p)
                return true;
        f->after.state = f->at.state;
        f->after.severity = f->at.severity;
        for (unsigned i = 0; i < 3; i++) {
                uint64_t v = 0;
                size_t n = 0;

                while (n < s.n && s.p[n] != '-')
                        n++;
                if (odm_str_u64(odm_str_to(s, n), INT64_MAX, &v) < 0) {
                        problem_at(&c->problem, "cursor", "is none that was given out");
                        return false;
                }
                *to[i] = (int64_t)v;
                s = odm_str_from(s, n + 1);
        }
        f->scan.after = &f->after;
        return true;
}

static bool one_bit(unsigned bits)
{
        return bits && (bits & (bits - 1)) == 0;
}

/* The order that leaves least to look at. */
static void choose_order(filter *f)
{
        store_scan *s = &f->scan;

        *s = (store_scan){.table = &table_alarm,
                          .index = ALARM_BY_CHANGE,
                          .at = &f->at,
                          .down = true,
                          .limit = SCAN_PAGE};
        f->at = (alarm_row){.device = f->device};
        if (f->state >= 0)
                f->at.state = (uint32_t)f->state;
        while (one_bit(f->severity) && f->severity >> f->at.severity != 1)
                f->at.severity++;
        if (f->device) {
                s->index = ALARM_BY_DEVICE;
                s->same = 1;
        } else if (f->state >= 0 && one_bit(f->severity)) {
                s->index = ALARM_BY_SEVERITY;
                s->same = 2;
        } else if (f->state >= 0) {
                s->index = ALARM_BY_STATE;
                s->same = 1;
        }
        f->from = f->at;
        f->from.changed = f->since;
        if (f->since)
                s->from = &f->from;
}

static bool read_filter(call *c, filter *f)
{
        int64_t limit = 0;

        *f = (filter){.prefix = call_query(c, "prefix")};
        if (!call_query_int(c, "limit", 1, 1000, 100, &limit) || !read_state(c, f) ||
            !read_severities(c, f) || !read_acked(c, f) || !read_since(c, f) || !read_device(c, f))
                return false;
        f->limit = (uint32_t)limit;
        choose_order(f);
        return read_cursor(c, f);
}

static bool fits(const call *c, const filter *f, const alarm_row *r)
{
        return call_sees(c, r->name) && (f->state < 0 || r->state == (uint32_t)f->state) &&
               (f->severity == 0 || f->severity & 1u << r->severity) &&
               (f->acked < 0 || r->acked == (uint32_t)f->acked) &&
               (f->prefix.n == 0 || odm_str_eq(odm_str_to(r->name, f->prefix.n), f->prefix));
}

/* Appends what fits of one page of rows; *last is the one looked at last.  1: the answer is full.
 */
static int take_rows(call *c, const filter *f, const store_rows *l, json_t *items,
                     const alarm_row **last)
{
        for (size_t i = 0; i < l->n; i++) {
                const alarm_row *r = (const alarm_row *)l->v + i;

                if (json_array_size(items) == f->limit)
                        return 1;
                *last = r;
                if (fits(c, f, r) && json_array_append_new(items, alarm_json(r)) < 0)
                        return ODM_ENOMEM;
        }
        return 0;
}

/* A page may be short, and is when few of those looked at fit: `next` tells whether there are
 * more. */
static int take_page(call *c, filter *f, json_t *items, json_t **next)
{
        const alarm_row *last = NULL;
        store_rows l = {.more = true};
        size_t seen = 0;
        int rc = 0;

        while (rc == 0 && l.more && seen < SCAN_MOST && json_array_size(items) < f->limit) {
                rc = store_row_find(c->api->opt.store, &f->scan, &c->arena, &l);
                if (rc == 0)
                        rc = take_rows(c, f, &l, items, &last);
                seen += l.n;
                f->scan.after = last;
        }
        if (rc >= 0 && last && (l.more || rc == 1)) {
                odm_str s = odm_arena_fmt(&c->arena, "%lld-%lld-%lld", (long long)last->changed,
                                          (long long)last->device, (long long)last->id);
                *next = s.p ? json_stringn(s.p, s.n) : NULL;
                if (!*next)
                        rc = ODM_ENOMEM;
        }
        return rc < 0 ? rc : 0;
}

static void alarm_list(call *c)
{
        json_t *items, *next = NULL;
        filter f;
        int rc;

        if (!read_filter(c, &f)) {
                call_fail(c);
                return;
        }
        items = json_array();
        rc = items ? take_page(c, &f, items, &next) : ODM_ENOMEM;
        if (rc == 0) {
                call_reply(c, 200, page_new(items, next));
                return;
        }
        json_decref(items);
        call_refused(c, "the alarms cannot be read", rc);
}

/* ---- counts -------------------------------------------------------------------------------------- */

static json_t *severities_json(const int64_t n[ALARM_SEVERITIES - 1])
{
        json_t *o = json_object();
        bool ok = true;

        for (unsigned s = ALARM_CRITICAL; ok && s >= ALARM_INDETERMINATE; s--)
                ok = put_int(o, alarm_severities[s], n[s - 1]);
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

/* The longer of the wish and the token's scope; false: they exclude each other. */
static bool scope_prefix(const call *c, odm_str *prefix)
{
        odm_str scope = c->who.scope;

        if (scope.n == 0 || call_sees(c, *prefix))
                return true;
        if (!odm_str_eq(odm_str_to(scope, prefix->n), *prefix))
                return false;
        *prefix = scope;
        return true;
}

static void counts_show(call *c)
{
        odm_str prefix = call_query(c, "prefix");
        const alarm_tally key = {.id = 1};
        alarm_tally t = {0};
        store *st = c->api->opt.store;
        int64_t total = 0;
        int rc = 0;
        json_t *o;

        if (scope_prefix(c, &prefix))
                rc = prefix.n ? alarm_count(st, prefix, COUNT_MOST, &t)
                              : store_row_get(st, &table_alarm_tally, &key, &c->arena, &t);
        if (rc < 0) {
                call_refused(c, "the alarms cannot be counted", rc);
                return;
        }
        for (unsigned i = 0; i < ALARM_SEVERITIES - 1; i++)
                total += t.active[i];
        o = json_object();
        if (json_object_set_new(o, "active", severities_json(t.active)) < 0 ||
            json_object_set_new(o, "unacknowledged", severities_json(t.unseen)) < 0 ||
            !put_int(o, "total", total) || (prefix.n == 0 && !put_int(o, "suppressed", t.hidden))) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

/* ---- raise, clear -------------------------------------------------------------------------------- */

typedef struct change {
        alarm_row row;
        unsigned status;
} change;

static void on_changed(call *c, store_batch *b, int rc)
{
        const change *n = c->data;

        (void)b;
        if (rc == ODM_ESTATE || rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The alarm was changed at the same time: look, and try again.");
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "The alarm is gone.");
        if (rc < 0)
                call_refused(c, "the alarm cannot be changed", rc);
        else
                call_reply(c, n->status, alarm_json(&n->row));
}

/* What is said of an alarm by an operator, or by another system. */
static bool read_news(call *c, odm_str *device, alarm_news *n)
{
        unsigned severity = ALARM_NONE, type;
        jread r;

        *n = (alarm_news){.type = -1, .source = ODM_STR("")};
        jread_init(&r, c->body, "", &c->problem);
        if (jread_text(&r, "device", 1, 128, device) == 0)
                (void)jread_missing(&r, "device");
        if (jread_text(&r, "cause", 1, ALARM_CAUSE_MAX, &n->cause) == 0)
                (void)jread_missing(&r, "cause");
        (void)jread_text(&r, "source", 0, ALARM_SOURCE_MAX, &n->source);
        (void)jread_text(&r, "text", 0, ALARM_TEXT_MAX, &n->text);
        if (jread_word(&r, "severity", alarm_severities, &severity) == 1)
                n->clear = severity == ALARM_NONE;
        n->severity = (alarm_severity)severity;
        if (jread_word(&r, "event_type", alarm_types, &type) == 1)
                n->type = (int)type;
        if (jread_text(&r, "probable_cause", 1, 64, &n->probable) == 1 &&
            !alarm_probable_known(n->probable))
                (void)jread_wrong(&r, "probable_cause", "is none of X.733");
        jread_end(&r);
        return !problem_is(&c->problem);
}

static bool find_device(call *c, odm_str name, store_device *d)
{
        int rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, d)
                                    : ODM_ENOENT;

        if (rc == ODM_ENOENT)
                problem_at(&c->problem, "device", "is none that there is");
        else if (rc < 0)
                problem_err(&c->problem, rc, "the device cannot be read");
        return rc == 0;
}

/* What the rules say of the cause, where the request does not. */
static bool complete_news(call *c, alarm_news *n)
{
        alarm_severity said = n->severity;
        int rc = alarm_ask_cause(call_self(c), &c->arena, n);

        if (rc < 0)
                problem_err(&c->problem, rc, "the rules cannot be read");
        if (said != ALARM_NONE)
                n->severity = said;
        if (n->severity == ALARM_NONE) /* of a cause that is to be ignored in what devices say */
                n->severity = ALARM_INDETERMINATE;
        return rc >= 0;
}

static bool put_news(call *c, store_batch *b, const alarm_word *w, change *n)
{
        fleet_turn t = turn_of(c, b);
        alarm_step step = ALARM_NOTHING;
        int rc = alarm_put(call_self(c), &t, w, &step, &n->row);

        n->status = step == ALARM_RAISED ? 201 : 200;
        if (rc == ODM_ELIMIT)
                problem_set(&c->problem, PROBLEM_STATE, "The device has too many alarms.");
        else if (rc < 0)
                problem_err(&c->problem, rc, "the alarm cannot be kept");
        else if (step == ALARM_NOTHING)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no such alarm to clear.");
        return !problem_is(&c->problem);
}

static void alarm_create(call *c)
{
        change *n = odm_new(&c->arena, change);
        odm_str device = ODM_ABSENT;
        store_batch *b = NULL;
        store_device d;
        alarm_news news;

        if (n && read_news(c, &device, &news) && find_device(c, device, &d) &&
            complete_news(c, &news)) {
                const alarm_word w = {
                        .device = d.id, .name = d.name, .actor = c->who.name, .news = &news};

                b = call_batch(c, news.clear ? "alarm.clear" : "alarm.raise", d.id, d.name, "");
                if (b && put_news(c, b, &w, n)) {
                        c->location = odm_arena_fmt(&c->arena, "/api/v1/alarms/%lld",
                                                    (long long)n->row.id);
                        c->data = n;
                        call_commit(c, b, on_changed);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

static void alarm_clear(call *c)
{
        change *n = odm_new(&c->arena, change);
        alarm_news news = {.clear = true, .type = -1};
        store_batch *b = NULL;
        alarm_row r;
        jread j;

        if (n && find_alarm(c, &r)) {
                const alarm_word w = {
                        .device = r.device, .name = r.name, .actor = c->who.name, .news = &news};

                jread_init(&j, c->body, "", &c->problem);
                (void)jread_text(&j, "comment", 0, ALARM_TEXT_MAX, &news.text);
                jread_end(&j);
                news.cause = r.cause;
                news.source = r.source;
                if (r.state == ALARM_ROW_CLEARED)
                        problem_set(&c->problem, PROBLEM_STATE, "The alarm is over already.");
                if (!problem_is(&c->problem))
                        b = call_batch(c, "alarm.clear", r.device, r.name, "");
                if (b && put_news(c, b, &w, n)) {
                        c->data = n;
                        call_commit(c, b, on_changed);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- acknowledge, comment, judge ------------------------------------------------------------------- */

typedef struct wishes {
        int has_acked, has_severity;
        bool acked;
        unsigned severity;
        odm_str comment;
} wishes;

static bool read_wishes(call *c, wishes *w)
{
        jread r;

        *w = (wishes){0};
        jread_init(&r, c->body, "", &c->problem);
        w->has_acked = jread_bool(&r, "acknowledged", &w->acked);
        w->has_severity = jread_word(&r, "severity", alarm_severities, &w->severity);
        (void)jread_text(&r, "comment", 1, ALARM_TEXT_MAX, &w->comment);
        if (w->has_severity == 1 && w->severity == ALARM_NONE)
                (void)jread_wrong(&r, "severity", "cannot be cleared: POST to .../clear");
        jread_end(&r);
        return !problem_is(&c->problem);
}

static bool move(call *c, fleet_turn *t, alarm_row *now, const alarm_state *st, alarm_step step,
                 odm_str text)
{
        alarm_row *was = odm_new(&c->arena, alarm_row);
        int rc = was ? 0 : ODM_ENOMEM;

        if (rc == 0 && step != ALARM_NOTHING) {
                *was = *now;
                alarm_state_to(now, st);
                if (step == ALARM_ACKNOWLEDGED) {
                        now->acked_by = st->acked ? c->who.name : ODM_STR("");
                        now->acked_at = st->acked ? t->now : 0;
                }
                rc = alarm_move(t, was, now, &(alarm_act){step, t->now, text, c->who.name});
        }
        if (rc < 0)
                problem_err(&c->problem, rc, "the alarm cannot be changed");
        return rc == 0;
}

static bool grant(call *c, store_batch *b, const wishes *w, alarm_row *r)
{
        fleet_turn t = turn_of(c, b);
        alarm_state st;
        bool ok = true;

        alarm_state_of(r, &st);
        if (w->has_severity == 1)
                ok = move(c, &t, r, &st, alarm_judge(&st, (alarm_severity)w->severity), ODM_ABSENT);
        if (ok && w->has_acked == 1)
                ok = move(c, &t, r, &st, alarm_acknowledge(&st, w->acked),
                          w->acked ? ODM_ABSENT : ODM_STR("no longer"));
        if (ok && w->comment.n)
                ok = move(c, &t, r, &st, ALARM_COMMENTED, w->comment);
        return ok;
}

static void alarm_change(call *c)
{
        change *n = odm_new(&c->arena, change);
        store_batch *b = NULL;
        wishes w;

        if (n && find_alarm(c, &n->row) && read_wishes(c, &w)) {
                n->status = 200;
                if (w.has_severity == 1 && n->row.state == ALARM_ROW_CLEARED)
                        problem_set(&c->problem, PROBLEM_STATE, "The alarm is over.");
                else
                        b = call_batch(c, "alarm.change", n->row.device, n->row.name, "");
                if (b && grant(c, b, &w, &n->row)) {
                        c->data = n;
                        call_commit(c, b, on_changed);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- rules ----------------------------------------------------------------------------------------- */

static void send_rules(call *c, json_t *rules)
{
        json_t *o = json_object();

        if (json_object_set_new(o, "rules", rules) < 0 ||
            json_object_set_new(o, "built_in", alarm_map_built_in()) < 0) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

static void rules_show(call *c)
{
        odm_str text;
        int rc = store_setting_get(c->api->opt.store, ALARM_RULES_SETTING, &c->arena, &text);

        if (rc < 0 && rc != ODM_ENOENT)
                call_refused(c, "the rules cannot be read", rc);
        else
                send_rules(c, rc == 0 ? json_loadb(text.p, text.n, 0, NULL) : json_array());
}

static void on_rules(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc < 0)
                call_refused(c, "the rules cannot be kept", rc);
        else
                send_rules(c, json_incref(json_object_get(c->body, "rules")));
}

static void rules_change(call *c)
{
        const json_t *list = NULL;
        store_batch *b = NULL;
        store_op *op, *ev;
        char *text = NULL;
        alarm_map map;
        jread r;

        jread_init(&r, c->body, "", &c->problem);
        if (jread_list(&r, "rules", 0, ALARM_RULES_MAX, &list) == 0)
                (void)jread_missing(&r, "rules");
        jread_end(&r);
        if (!problem_is(&c->problem) && alarm_map_read(list, &c->arena, &map, &c->problem) &&
            (text = json_dumps(list, JSON_COMPACT)))
                b = call_batch(c, "alarm.rules", 0, ODM_STR("alarm rules"), "");
        if (b && call_op(c, b, STORE_SETTING_PUT, &op) && call_op(c, b, STORE_EVENT_ADD, &ev)) {
                op->setting.key = ALARM_RULES_SETTING;
                op->setting.value = odm_arena_copy(&c->arena, odm_cstr(text));
                ev->event = (store_event){
                        .at = c->now, .kind = ODM_STR("alarm.rules"), .data = ODM_STR("{}")};
        }
        free(text);
        if (b && !problem_is(&c->problem) && !c->arena.err) {
                call_commit(c, b, on_rules);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

#define ALARMS "/api/v1/alarms"
const call_route alarm_routes[ALARM_ROUTES] = {
        {"GET", ALARMS, ACCESS_VIEWER,
         "state severity device prefix acknowledged since limit cursor", false, alarm_list},
        {"POST", ALARMS, ACCESS_OPERATOR, "", true, alarm_create},
        {"GET", ALARMS "/counts", ACCESS_VIEWER, "prefix", false, counts_show},
        {"GET", ALARMS "/rules", ACCESS_VIEWER, "", false, rules_show},
        {"PUT", ALARMS "/rules", ACCESS_ADMIN, "", true, rules_change},
        {"GET", ALARMS "/{id}", ACCESS_VIEWER, "", false, alarm_show},
        {"PATCH", ALARMS "/{id}", ACCESS_OPERATOR, "", true, alarm_change},
        {"POST", ALARMS "/{id}/clear", ACCESS_OPERATOR, "", true, alarm_clear},
};
