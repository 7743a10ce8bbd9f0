/* SPDX-License-Identifier: Apache-2.0 */
/* A change of an alarm is its row, guarded by `rev`, a line of history, the difference in the tally
 * and an event: one batch. */
#include "alarm_row.h"

#include <assert.h>
#include <string.h>

#include "call.h"

#define LATE_MS 60000 /* what was so long ago says when it was */

#define F(m, K) STORE_FIELD_OF(alarm_row, m, K)
static const field alarm_fields[] = {
        F(device, I64),   F(id, I64),       F(cause, STR),    F(source, STR),  F(state, U32),
        F(severity, U32), F(type, I32),     F(probable, STR), F(text, STR),    F(count, U32),
        F(raised, I64),   F(seen, I64),     F(changed, I64),  F(cleared, I64), F(acked, U32),
        F(acked_by, STR), F(acked_at, I64), F(actor, STR),    F(name, STR),    F(gateway, I64),
        F(notes, U32),    F(rev, I64),
};
#undef F
_Static_assert(ODM_COUNT(alarm_fields) == AF_N, "alarm_field is in the order of the fields");
static const record record_alarm = STORE_RECORD_OF(alarm_row, alarm_fields);
static const store_index alarm_indexes[] = {
        {.name = "what", .fields = {AF_DEVICE, AF_CAUSE, AF_SOURCE}, .n = 3, .unique = true},
        {.name = "id", .fields = {AF_ID}, .n = 1, .unique = true},
        {.name = "changed", .fields = {AF_CHANGED}, .n = 1},
        {.name = "state", .fields = {AF_STATE, AF_CHANGED}, .n = 2},
        {.name = "severity", .fields = {AF_STATE, AF_SEVERITY, AF_CHANGED}, .n = 3},
        {.name = "device", .fields = {AF_DEVICE, AF_CHANGED}, .n = 2},
        {.name = "name", .fields = {AF_STATE, AF_SEVERITY, AF_ACKED, AF_NAME}, .n = 4},
        {.name = "gateway", .fields = {AF_GATEWAY, AF_STATE}, .n = 2},
};
const store_table table_alarm = {.name = "alarm",
                                 .rec = &record_alarm,
                                 .n_key = 2,
                                 .index = alarm_indexes,
                                 .n_index = ODM_COUNT(alarm_indexes)};

static const field note_fields[] = {
        STORE_FIELD_OF(alarm_note, device, I64),   STORE_FIELD_OF(alarm_note, alarm, I64),
        STORE_FIELD_OF(alarm_note, slot, I64),     STORE_FIELD_OF(alarm_note, n, I64),
        STORE_FIELD_OF(alarm_note, at, I64),       STORE_FIELD_OF(alarm_note, step, U32),
        STORE_FIELD_OF(alarm_note, severity, U32), STORE_FIELD_OF(alarm_note, text, STR),
        STORE_FIELD_OF(alarm_note, actor, STR),
};
static const record record_note_ = STORE_RECORD_OF(alarm_note, note_fields);
const store_table table_alarm_note = {.name = "alarm_note", .rec = &record_note_, .n_key = 3};

#define T(name, m)                                        \
        {                                                 \
                name, offsetof(alarm_tally, m), FIELD_I64 \
        }
static const field tally_fields[] = {
        T("id", id),
        T("indeterminate", active[0]),
        T("warning", active[1]),
        T("minor", active[2]),
        T("major", active[3]),
        T("critical", active[4]),
        T("unseen_indeterminate", unseen[0]),
        T("unseen_warning", unseen[1]),
        T("unseen_minor", unseen[2]),
        T("unseen_major", unseen[3]),
        T("unseen_critical", unseen[4]),
        T("hidden", hidden),
        T("rev", rev),
        T("last_id", last_id),
};
#undef T
#define TALLY_COUNTED (STORE_FIELD(13) - 2) /* all but the key and last_id */
#define TALLY_LAST STORE_FIELD(13)
static const record record_tally = STORE_RECORD_OF(alarm_tally, tally_fields);
const store_table table_alarm_tally = {.name = "alarm_tally", .rec = &record_tally, .n_key = 1};

static const field gate_fields[] = {STORE_FIELD_OF(alarm_gate, device, I64),
                                    STORE_FIELD_OF(alarm_gate, at, I64)};
static const record record_gate = STORE_RECORD_OF(alarm_gate, gate_fields);
static const store_index gate_indexes[] = {{.name = "at", .fields = {1}, .n = 1}};
const store_table table_alarm_gate = {
        .name = "alarm_gate", .rec = &record_gate, .n_key = 1, .index = gate_indexes, .n_index = 1};

/* ---- row and state -------------------------------------------------------------------------- */

void alarm_state_of(const alarm_row *r, alarm_state *out)
{
        *out = (alarm_state){.known = r->id != 0,
                             .active = r->state != ALARM_ROW_CLEARED,
                             .hidden = r->state == ALARM_ROW_HIDDEN,
                             .acked = r->acked != 0,
                             .severity = (alarm_severity)r->severity,
                             .count = r->count,
                             .text = r->text};
}

void alarm_state_to(alarm_row *r, const alarm_state *s)
{
        r->state = !s->active ? ALARM_ROW_CLEARED : s->hidden ? ALARM_ROW_HIDDEN : ALARM_ROW_ACTIVE;
        r->acked = s->acked;
        r->severity = s->severity;
        r->count = s->count;
        r->text = s->text;
}

/* ---- one batch ------------------------------------------------------------------------------ */

static void tally_of(const alarm_row *r, int64_t sign, alarm_tally *out)
{
        if (r->id == 0 || r->state == ALARM_ROW_CLEARED)
                return;
        if (r->state == ALARM_ROW_HIDDEN) {
                out->hidden += sign;
                return;
        }
        assert(r->severity > ALARM_NONE && r->severity < ALARM_SEVERITIES);
        out->active[r->severity - 1] += sign;
        if (!r->acked)
                out->unseen[r->severity - 1] += sign;
}

static int put_tally(fleet_turn *t, const alarm_row *was, const alarm_row *row)
{
        alarm_tally *d = odm_new(store_batch_arena(t->batch), alarm_tally);
        store_op *op = d ? fleet_row(t, STORE_ROW_PATCH, &table_alarm_tally, d) : NULL;

        if (!op)
                return ODM_ENOMEM;
        tally_of(was, -1, d);
        tally_of(row, 1, d);
        d->id = d->rev = 1;
        op->row.fields = op->row.plus = TALLY_COUNTED;
        if (was->id == 0) {
                d->last_id = row->id;
                op->row.fields |= TALLY_LAST;
        }
        return 0;
}

static int put_note(fleet_turn *t, const alarm_row *r, const alarm_act *act)
{
        alarm_note *n = odm_new(store_batch_arena(t->batch), alarm_note);

        if (!n)
                return ODM_ENOMEM;
        *n = (alarm_note){.device = r->device,
                          .alarm = r->id,
                          .slot = (r->notes - 1) % ALARM_NOTES,
                          .n = r->notes,
                          .at = act->at,
                          .step = act->step,
                          .severity = r->severity,
                          .text = act->text,
                          .actor = act->actor};
        if (record_copy(&record_note_, n, store_batch_arena(t->batch)) < 0)
                return ODM_ENOMEM;
        return fleet_row(t, STORE_ROW_PUT, &table_alarm_note, n) ? 0 : ODM_ENOMEM;
}

static int put_row(fleet_turn *t, const alarm_row *was, const alarm_row *row)
{
        odm_arena *a = store_batch_arena(t->batch);
        alarm_row *copy = odm_new(a, alarm_row), *is = odm_new(a, alarm_row);
        store_op *op;

        if (!copy || !is)
                return ODM_ENOMEM;
        *copy = *row;
        *is = (alarm_row){.rev = was->rev};
        if (record_copy(&record_alarm, copy, a) < 0)
                return ODM_ENOMEM;
        op = fleet_row(t, was->id ? STORE_ROW_PATCH : STORE_ROW_ADD, &table_alarm, copy);
        if (!op)
                return ODM_ENOMEM;
        if (was->id) {
                op->row.fields = STORE_FIELD(AF_N) - STORE_FIELD(AF_CAUSE);
                op->row.where = STORE_FIELD(AF_REV);
                op->row.is = is;
        }
        return 0;
}

static int tell(fleet_turn *t, const alarm_row *r, const alarm_act *act)
{
        odm_str text = act->text, actor = act->actor;
        alarm_step step = act->step;
        json_t *o = json_object();
        char kind[32];

        (void)snprintf(kind, sizeof kind, "alarm.%s", alarm_step_word(step));
        if (!put_id(o, "alarm", r->id) || !put_text(o, "device", r->name) ||
            !put_text(o, "cause", r->cause) || !put_text(o, "source", r->source) ||
            !put_cstr(o, "severity", alarm_severities[r->severity]) ||
            !put_text(o, "text", step == ALARM_COMMENTED || text.n ? text : r->text) ||
            !put_int(o, "count", r->count) || !put_bool(o, "acknowledged", r->acked) ||
            (r->type >= 0 && !put_cstr(o, "event_type", alarm_types[r->type])) ||
            (r->probable.n && !put_text(o, "probable_cause", r->probable)) ||
            (r->state == ALARM_ROW_HIDDEN && !put_bool(o, "suppressed", true)) ||
            (t->now - act->at >= LATE_MS && !put_ms(o, "at", act->at)) ||
            (actor.n && !put_text(o, "actor", actor))) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(t, r->device, kind, o);
}

int alarm_move(fleet_turn *t, const alarm_row *was, alarm_row *row, const alarm_act *act)
{
        bool quiet = row->state == ALARM_ROW_HIDDEN && was->state != ALARM_ROW_ACTIVE;
        int rc = 0;

        row->changed = t->now;
        row->rev = was->rev + 1;
        if (act->step != ALARM_REPEATED) { /* what is repeated is counted: no line for each */
                row->notes++;
                rc = put_note(t, row, act);
        }
        if (rc == 0)
                rc = put_row(t, was, row);
        if (rc == 0)
                rc = put_tally(t, was, row);
        return rc == 0 && !quiet ? tell(t, row, act) : rc;
}

/* ---- news --------------------------------------------------------------------------------------- */

/* Room for one more alarm of the device: the one that has been over for longest goes. */
static int make_room(alarm_self *s, fleet_turn *t, int64_t device)
{
        const alarm_row of = {.device = device};
        store_scan scan = {.table = &table_alarm,
                           .index = ALARM_BY_DEVICE,
                           .same = 1,
                           .at = &of,
                           .limit = 1000};
        const alarm_row *oldest = NULL;
        store_rows l = {0};
        uint64_t n = 0;
        int rc = store_row_count(s->host->store, &scan, s->per_device, &n);

        if (rc < 0 || n < s->per_device)
                return rc;
        rc = store_row_find(s->host->store, &scan, t->arena, &l);
        if (rc < 0)
                return rc;
        for (size_t i = 0; !oldest && i < l.n; i++) {
                const alarm_row *r = (const alarm_row *)l.v + i;
                if (r->state == ALARM_ROW_CLEARED)
                        oldest = r;
        }
        if (!oldest) {
                atomic_fetch_add(&s->dropped, 1);
                return ODM_ELIMIT;
        }
        return alarm_forget(t, oldest);
}

int alarm_forget(fleet_turn *t, const alarm_row *r)
{
        odm_arena *a = store_batch_arena(t->batch);
        alarm_row *key = odm_new(a, alarm_row), *is = odm_new(a, alarm_row);
        alarm_note *of = odm_new(a, alarm_note);
        store_scan *scan = odm_new(a, store_scan);
        store_op *op;

        if (!key || !is || !of || !scan)
                return ODM_ENOMEM;
        *key = (alarm_row){.device = r->device, .id = r->id};
        *is = (alarm_row){.rev = r->rev};
        *of = (alarm_note){.device = r->device, .alarm = r->id};
        *scan = (store_scan){.table = &table_alarm_note, .same = 2, .at = of, .limit = ALARM_NOTES};
        op = fleet_row(t, STORE_ROW_DELETE, &table_alarm, key);
        if (!op)
                return ODM_ENOMEM;
        op->row.where = STORE_FIELD(AF_REV);
        op->row.is = is;
        op = fleet_op(t, STORE_ROWS_DELETE);
        if (!op)
                return ODM_ENOMEM;
        op->row.table = &table_alarm_note;
        op->row.scan = scan;
        return 0;
}

static int begin_row(alarm_self *s, fleet_turn *t, const alarm_word *w, alarm_row *row)
{
        int rc = make_room(s, t, w->device);

        *row = (alarm_row){.device = w->device,
                           .id = atomic_fetch_add(&s->last_id, 1) + 1,
                           .cause = w->news->cause,
                           .source = w->news->source.p ? w->news->source : ODM_STR(""),
                           .type = -1,
                           .acked_by = ODM_STR("")};
        return rc;
}

/* What an alarm that begins, again or for the first time, has from its news. */
static void begin_episode(int64_t at, const alarm_word *w, alarm_row *row)
{
        row->raised = row->seen = at;
        row->cleared = row->acked_at = 0;
        row->acked_by = ODM_STR("");
        row->actor = w->actor.p ? w->actor : ODM_STR("");
        row->gateway = w->gateway;
}

int alarm_put(alarm_self *s, fleet_turn *t, const alarm_word *w, alarm_step *step, alarm_row *out)
{
        const alarm_row what = {
                .device = w->device, .cause = w->news->cause, .source = w->news->source};
        alarm_row was = {0}, row;
        int64_t at = w->at ? w->at : t->now;
        alarm_state st;
        alarm_step got;
        int rc = store_row_by(s->host->store, &table_alarm, ALARM_BY_WHAT, &what, t->arena, &was);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        row = was;
        alarm_state_of(&was, &st);
        got = alarm_hear(&st, w->news);
        if (got != ALARM_NOTHING && was.id == 0 && (rc = begin_row(s, t, w, &row)) < 0)
                return rc;
        if (got != ALARM_NOTHING) {
                alarm_state_to(&row, &st);
                row.name = w->name;
                if (got == ALARM_RAISED)
                        begin_episode(at, w, &row);
                if (got == ALARM_CLEARED) {
                        row.cleared = at > row.raised ? at : row.raised;
                } else {
                        row.seen = at > row.seen ? at : row.seen;
                        row.type = w->news->type;
                        row.probable = w->news->probable.p ? w->news->probable : ODM_STR("");
                }
                rc = alarm_move(t, &was, &row, &(alarm_act){got, at, w->news->text, w->actor});
                if (rc < 0)
                        return rc;
        }
        *step = got;
        if (out)
                *out = row;
        return 0;
}

/* ---- counts ----------------------------------------------------------------------------------------- */

/* The first text behind all that begin with `s`; absent: there is none. */
static odm_str behind(odm_str s, char room[256])
{
        size_t n = s.n < 255 ? s.n : 255;

        memcpy(room, s.p ? s.p : "", n);
        while (n > 0 && (unsigned char)room[n - 1] == 0xff)
                n--;
        if (n == 0)
                return ODM_ABSENT;
        room[n - 1] = (char)((unsigned char)room[n - 1] + 1);
        return (odm_str){room, n};
}

static int count_one(store *st, odm_str prefix, uint32_t severity, uint32_t acked, uint64_t most,
                     int64_t *out)
{
        char room[256];
        const alarm_row from = {
                .state = ALARM_ROW_ACTIVE, .severity = severity, .acked = acked, .name = prefix};
        alarm_row below = from;
        store_scan scan = {.table = &table_alarm, .index = ALARM_BY_NAME, .same = 3, .at = &from};
        uint64_t n = 0;
        int rc;

        below.name = behind(prefix, room);
        if (prefix.n) {
                scan.from = &from;
                scan.below = below.name.p ? &below : NULL;
        }
        rc = store_row_count(st, &scan, most, &n);
        if (rc == 0)
                *out = (int64_t)n;
        return rc;
}

static int count_hidden(store *st, odm_str prefix, int64_t *out)
{
        const alarm_row of = {.state = ALARM_ROW_HIDDEN};
        const store_scan scan = {
                .table = &table_alarm, .index = ALARM_BY_STATE, .same = 1, .at = &of};
        uint64_t n = 0;
        int rc = prefix.n ? 0 : store_row_count(st, &scan, INT64_MAX, &n);

        if (rc == 0)
                *out = (int64_t)n;
        return rc;
}

int alarm_count(store *st, odm_str prefix, uint64_t most, alarm_tally *out)
{
        alarm_tally t = {.id = 1};
        int rc = count_hidden(st, prefix, &t.hidden);

        for (uint32_t s = ALARM_INDETERMINATE; rc == 0 && s <= ALARM_CRITICAL; s++) {
                int64_t seen = 0;

                rc = count_one(st, prefix, s, 0, most, &t.unseen[s - 1]);
                if (rc == 0)
                        rc = count_one(st, prefix, s, 1, most, &seen);
                t.active[s - 1] = t.unseen[s - 1] + seen;
        }
        if (rc == 0)
                *out = t;
        return rc;
}
