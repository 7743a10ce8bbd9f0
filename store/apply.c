/* SPDX-License-Identifier: Apache-2.0 */
/* What each operation of a batch means, in terms of an engine's rows: the same for all engines. */
#include <string.h>

#include "engine.h"
#include "row.h"

#define NOTES_KEPT 100
#define EVENTS_AT_ONCE 1024
#define CONTACT_FIELDS ((uint32_t)(STORE_DF_ADDRESS | STORE_DF_ROUTE | STORE_DF_LAST_CONTACT))

typedef struct apply {
        const store_engine *eng;
        const engine_reads *read;
        void *e;
        const store_opt *opt;
        int64_t heard; /* store_events_heard() */
        store_op *op;
        odm_arena *a;
} apply;

bool store_is_refusal(int rc)
{
        return rc == ODM_ENOENT || rc == ODM_EEXIST || rc == ODM_ESTATE || rc == ODM_EINVAL ||
               rc == ODM_ELIMIT;
}

/* ---- devices ------------------------------------------------------------------- */

static int must_be_free(int (*owner)(void *, odm_str, int64_t *), void *e, odm_str key,
                        int64_t self)
{
        int64_t id;
        int rc;

        if (key.n == 0)
                return 0;
        rc = owner(e, key, &id);
        if (rc == ODM_ENOENT)
                return 0;
        if (rc < 0)
                return rc;
        return id == self ? 0 : ODM_EEXIST;
}

static int names_free(const apply *x, const store_device *d)
{
        int rc = must_be_free(x->read->name_owner, x->e, d->name, d->id);

        return rc < 0 ? rc : must_be_free(x->read->devid_owner, x->e, d->devid, d->id);
}

static int device_create(const apply *x)
{
        store_device d = x->op->device;
        int rc;

        if (d.name.n == 0 || (unsigned)d.state >= STORE_DEVICE_STATES)
                return ODM_EINVAL;
        d.id = 0;
        d.rev = 1;
        if (d.devid.n == 0)
                d.devid = ODM_ABSENT;
        if (d.updated == 0)
                d.updated = d.created;
        rc = names_free(x, &d);
        if (rc == 0)
                rc = x->eng->next_id(x->e, ID_DEVICE, &d.id);
        if (rc == 0)
                rc = x->eng->device_put(x->e, NULL, &d);
        if (rc == 0)
                x->op->id = d.id;
        return rc;
}

static void patch(store_device *d, uint32_t f, const store_device *to)
{
        const struct {
                uint32_t bit;
                odm_str *text;
                odm_str value;
        } texts[] = {
                {STORE_DF_NAME, &d->name, to->name},
                {STORE_DF_DEVID, &d->devid, to->devid.n ? to->devid : ODM_ABSENT},
                {STORE_DF_MAKER, &d->maker, to->maker},
                {STORE_DF_MODEL, &d->model, to->model},
                {STORE_DF_HWV, &d->hwv, to->hwv},
                {STORE_DF_FWV, &d->fwv, to->fwv},
                {STORE_DF_SWV, &d->swv, to->swv},
                {STORE_DF_DMV, &d->dmv, to->dmv},
                {STORE_DF_LANG, &d->lang, to->lang},
                {STORE_DF_TAGS, &d->tags, to->tags},
                {STORE_DF_NOTE, &d->note, to->note},
                {STORE_DF_WAKE_REPORTED, &d->wake_reported, to->wake_reported},
                {STORE_DF_WAKE_OVERRIDE, &d->wake_override, to->wake_override},
                {STORE_DF_ADDRESS, &d->address, to->address},
                {STORE_DF_ROUTE, &d->route, to->route},
                {STORE_DF_REACHED, &d->reached, to->reached},
        };

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (f & texts[i].bit)
                        *texts[i].text = texts[i].value;
        if (f & STORE_DF_STATE)
                d->state = to->state;
        if (f & STORE_DF_LAST_CONTACT)
                d->last_contact = to->last_contact;
        if (f & STORE_DF_WAKE) {
                d->wake_at = to->wake_at;
                d->wake_tries = to->wake_tries;
                d->wake_session = to->wake_session;
        }
        if (f & STORE_DF_OPERATOR)
                d->rev++;
        d->updated = to->updated;
}

static int device_patch(const apply *x)
{
        const store_device_patch *p = &x->op->device_patch;
        store_device old, d;
        int rc;

        x->op->id = p->to.id;
        if (!(p->fields & ~CONTACT_FIELDS) && p->expect_rev == 0 && !p->expect_wake)
                return x->eng->device_contact(x->e, p); /* what each session brings */
        rc = x->read->device_get(x->e, p->to.id, x->a, &old);
        if (rc < 0)
                return rc;
        if ((p->expect_rev && p->expect_rev != old.rev) ||
            (p->expect_wake && p->expect_wake_at != old.wake_at))
                return ODM_ESTATE;
        d = old;
        patch(&d, p->fields, &p->to);
        if (d.name.n == 0 || (unsigned)d.state >= STORE_DEVICE_STATES)
                return ODM_EINVAL;
        rc = p->fields & (STORE_DF_NAME | STORE_DF_DEVID) ? names_free(x, &d) : 0;
        return rc < 0 ? rc : x->eng->device_put(x->e, &old, &d);
}

static int device_delete(const apply *x)
{
        store_device d;
        int rc = x->read->device_get(x->e, x->op->of, x->a, &d);

        return rc < 0 ? rc : x->eng->device_delete(x->e, &d);
}

static int must_exist(const apply *x, int64_t device)
{
        return x->read->device_known(x->e, device);
}

/* ---- accounts ------------------------------------------------------------------- */

static int account_put(const apply *x)
{
        store_account acc = x->op->account, old;
        int rc = must_exist(x, acc.device);

        if (rc < 0)
                return rc;
        acc.nonce = acc.previous = acc.server_nonce = ODM_ABSENT;
        acc.failures = 0;
        acc.locked_until = 0;
        rc = x->read->account_get(x->e, acc.device, x->a, &old);
        if (rc == 0) {
                acc.nonce = old.nonce;
                acc.previous = old.previous;
                acc.server_nonce = old.server_nonce;
                acc.failures = old.failures;
                acc.locked_until = old.locked_until;
        } else if (rc != ODM_ENOENT) {
                return rc;
        }
        return x->eng->account_put(x->e, &acc);
}

/* ---- jobs ------------------------------------------------------------------------ */

static int job_create(const apply *x)
{
        store_job j = x->op->job;
        uint64_t open = 0;
        int rc = must_exist(x, j.device);

        if (rc == 0 && j.key.p) {
                rc = x->read->job_by_key(x->e, j.device, j.key, &x->op->id);
                rc = rc == 0 ? ODM_EEXIST : rc == ODM_ENOENT ? 0 : rc;
        }
        if (rc == 0)
                rc = x->eng->job_open_count(x->e, j.device, &open);
        if (rc < 0)
                return rc;
        if ((unsigned)j.state >= STORE_JOB_STATES || j.commands.p == NULL)
                return ODM_EINVAL;
        if (open >= x->opt->jobs_open_max)
                return ODM_ELIMIT;
        rc = x->eng->next_id(x->e, ID_JOB, &j.id);
        if (j.updated == 0)
                j.updated = j.created;
        if (rc == 0)
                rc = x->eng->job_create(x->e, &j);
        if (rc == 0)
                x->op->id = j.id;
        return rc;
}

static bool is_end(store_job_state s)
{
        return !(STORE_JOB_OPEN & STORE_JOB_BIT(s));
}

void job_moved(store_job *j, const store_job_move *m, const job_now *now)
{
        j->state = now->state;
        j->attempts = now->attempts;
        j->session = now->session;
        j->started = now->started;
        j->finished = now->finished;
        j->updated = m->at;
        if (m->reason.p)
                j->reason = m->reason.n ? m->reason : ODM_ABSENT;
        if (m->correlator.p)
                j->correlator = m->correlator;
        if (m->route.p)
                j->route = m->route;
}

static int job_note(const apply *x, const store_job_move *m)
{
        const store_note n = {.at = m->at, .state = m->to, .text = m->note};

        return x->eng->note_add(x->e, m->device, m->job, &n, NOTES_KEPT);
}

static int job_move(const apply *x)
{
        const store_job_move *m = &x->op->job_move;
        job_now now;
        int rc = x->eng->job_now(x->e, m->device, m->job, &now);

        if (rc < 0)
                return rc;
        if (!(m->from & STORE_JOB_BIT(now.state)) ||
            (m->expect_session && m->expect_session != now.session) ||
            (m->expect_attempts >= 0 && m->expect_attempts != (int64_t)now.attempts))
                return ODM_ESTATE;
        now.was = now.state;
        now.state = m->to;
        if (m->attempt > 0 || (m->attempt < 0 && now.attempts > 0))
                now.attempts += m->attempt > 0 ? 1u : ~0u;
        if (m->attempt > 0 && now.started == 0)
                now.started = m->at;
        if (m->session)
                now.session = m->session;
        now.finished = is_end(m->to) ? m->at : 0;
        x->op->id = m->job;
        rc = x->eng->job_move(x->e, m, &now);
        if (rc == 0 && m->note.p)
                rc = job_note(x, m);
        return rc == 0 && is_end(m->to)
                       ? x->eng->job_trim(x->e, m->device, m->job, x->opt->jobs_kept)
                       : rc;
}

static int job_must_exist(const apply *x, int64_t device, int64_t job)
{
        job_now now;

        return x->eng->job_now(x->e, device, job, &now);
}

static int result_put(const apply *x)
{
        const store_result *r = &x->op->result.r;
        odm_str items = ODM_ABSENT;
        int rc = job_must_exist(x, x->op->result.device, x->op->result.job);

        if (rc == 0)
                rc = pack_values(r->items, r->n_items, x->a, &items);
        return rc < 0 ? rc
                      : x->eng->result_put(x->e, x->op->result.device, x->op->result.job, r, items);
}

static int note_add(const apply *x)
{
        int rc = job_must_exist(x, x->op->note.device, x->op->note.job);

        return rc < 0 ? rc
                      : x->eng->note_add(x->e, x->op->note.device, x->op->note.job, &x->op->note.n,
                                         NOTES_KEPT);
}

/* ---- tree, sessions ---------------------------------------------------------------- */

static int tree_update(const apply *x)
{
        const path_book book = {x->read->path_text, x->eng->path_id, x->e};
        int64_t device = x->op->tree.device;
        odm_str blob = ODM_ABSENT;
        int rc = must_exist(x, device);

        if (rc < 0)
                return rc;
        rc = x->read->tree_get(x->e, device, x->a, &blob);
        if (rc == ODM_ENOENT) /* nothing mirrored yet */
                rc = 0;
        if (rc == 0)
                rc = mirror_update(blob, &book, x->opt, x->op->tree.at, x->op->tree.v,
                                   x->op->tree.n, x->a, &blob);
        return rc < 0 ? rc : x->eng->tree_put(x->e, device, x->op->tree.at, blob);
}

static int session_put(const apply *x)
{
        store_session s = x->op->session.s;
        odm_str log = ODM_ABSENT;
        bool fresh;
        int rc = must_exist(x, s.device);

        if (rc < 0)
                return rc;
        if (s.id)
                rc = x->read->session_log(x->e, s.device, s.id, x->a, &log);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        fresh = s.id == 0 || rc == ODM_ENOENT;
        rc = 0;
        if (s.id == 0)
                s.id = x->eng->session_number(x->e);
        if (s.last == 0)
                s.last = s.started;
        x->op->id = s.id;
        if (x->op->session.n)
                rc = pack_messages(log, x->op->session.v, x->op->session.n, x->opt->session_bytes,
                                   x->a, &log);
        if (rc == 0)
                rc = x->eng->session_put(x->e, &s, log, fresh);
        return rc < 0 ? rc : x->eng->session_trim(x->e, s.device, x->opt->sessions_kept);
}

static int session_save(const apply *x)
{
        store_session s;
        int rc = x->read->session_get(x->e, x->op->save.device, x->op->save.session, x->a, &s);

        return rc < 0 ? rc : x->eng->session_save(x->e, s.device, s.id, s.sid, x->op->save.saved);
}

/* ---- tokens, settings, events, audit -------------------------------------------------- */

static int token_put(const apply *x)
{
        store_token t;
        int rc;

        if (x->op->token.name.n == 0 || x->op->token.hash.n == 0)
                return ODM_EINVAL;
        rc = x->read->token_by_hash(x->e, x->op->token.hash, x->a, &t);
        if (rc == 0 && !odm_str_eq(t.name, x->op->token.name))
                return ODM_EEXIST;
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        return x->eng->token_put(x->e, &x->op->token);
}

/* Looks at all tokens: *named, whether that of the operation is there; *other, whether one that is
 * good has the same role. */
static int token_look(const apply *x, bool *named, bool *other)
{
        const store_token *t = &x->op->token;
        store_token_list l = {0};
        int rc = x->read->token_find(x->e, x->a, &l);

        *named = *other = false;
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                bool it = odm_str_eq(l.v[i].name, t->name);

                *named |= it;
                *other |= !it && odm_str_eq(l.v[i].role, t->role) &&
                          (!l.v[i].expires || l.v[i].expires > t->created);
        }
        return rc;
}

static int token_add(const apply *x)
{
        bool named, other;
        int rc = token_look(x, &named, &other);

        if (rc == 0 && named)
                rc = ODM_EEXIST;
        return rc < 0 ? rc : token_put(x);
}

/* Two who withdraw each other's at one time come here one behind the other. */
static int token_withdraw(const apply *x)
{
        bool named, other;
        int rc = token_look(x, &named, &other);

        if (rc == 0 && named && !other)
                rc = ODM_ESTATE;
        return rc < 0 ? rc : x->eng->token_delete(x->e, x->op->token.name);
}

/* The oldest go many at a time: to look for them at each event would cost as much as the event. */
static int event_trim(const apply *x, int64_t seq)
{
        uint32_t kept = x->opt->events_kept, step = kept / 64;
        int64_t upto = seq - kept, least = upto - x->opt->events_unheard;

        if (upto > x->heard)
                upto = x->heard > least ? x->heard : least;
        step = step < 1 ? 1 : step > EVENTS_AT_ONCE ? EVENTS_AT_ONCE : step;
        if (upto <= 0 || seq % step)
                return 0;
        return x->eng->event_trim(x->e, upto, 4 * step);
}

static int event_add(const apply *x)
{
        store_event v = x->op->event;
        int rc = x->eng->next_id(x->e, ID_EVENT, &v.seq);

        x->op->id = v.seq;
        if (rc == 0)
                rc = x->eng->event_add(x->e, &v);
        return rc < 0 ? rc : event_trim(x, v.seq);
}

static int audit_add(const apply *x)
{
        store_audit v = x->op->audit;
        int rc = x->eng->next_id(x->e, ID_AUDIT, &v.seq);

        x->op->id = v.seq;
        return rc < 0 ? rc : x->eng->audit_add(x->e, &v);
}

/* ---- rows of tables --------------------------------------------------------------------- */

static int row_write(const apply *x)
{
        const store_row_op *op = &x->op->row;
        const store_table *t = op->table;
        _Alignas(max_align_t) char own[STORE_ROW_BYTES];
        const void *row = op->row;
        int rc = 0;

        if (t->numbered) {
                const field *f = &t->rec->fields[t->n_key - 1];
                rc = x->eng->row_number(x->e, t, field_number(f, row), &x->op->id);
                memcpy(own, row, t->rec->size);
                field_set_number(f, own, x->op->id);
                row = own;
        }
        if (rc < 0)
                return rc;
        return x->op->kind == STORE_ROW_ADD ? x->eng->row_add(x->e, t, row)
                                            : x->eng->row_put(x->e, t, row);
}

static int rows_delete(const apply *x)
{
        store_scan s = *x->op->row.scan;

        if (s.limit == 0)
                s.limit = ROW_DELETE_USUAL;
        return x->eng->rows_delete(x->e, &s, &x->op->id);
}

static int row_change(const apply *x)
{
        int rc = row_op_check(x->opt, x->op->kind, &x->op->row);

        if (rc < 0)
                return rc;
        switch (x->op->kind) {
        case STORE_ROW_ADD:
        case STORE_ROW_PUT: return row_write(x);
        case STORE_ROW_PATCH: return x->eng->row_patch(x->e, &x->op->row);
        case STORE_ROW_DELETE: return x->eng->row_delete(x->e, &x->op->row);
        default: return rows_delete(x);
        }
}

static int dispatch(const apply *x)
{
        switch (x->op->kind) {
        case STORE_DEVICE_CREATE: return device_create(x);
        case STORE_DEVICE_PATCH: return device_patch(x);
        case STORE_DEVICE_DELETE: return device_delete(x);
        case STORE_ACCOUNT_PUT: return account_put(x);
        case STORE_NONCES: return x->eng->nonces_put(x->e, &x->op->nonces);
        case STORE_LOCKOUT: return x->eng->lockout_put(x->e, &x->op->lockout);
        case STORE_JOB_CREATE: return job_create(x);
        case STORE_JOB_MOVE: return job_move(x);
        case STORE_RESULT_PUT: return result_put(x);
        case STORE_JOB_NOTE: return note_add(x);
        case STORE_TREE_UPDATE: return tree_update(x);
        case STORE_SESSION_PUT: return session_put(x);
        case STORE_SESSION_SAVE: return session_save(x);
        case STORE_TOKEN_PUT: return token_put(x);
        case STORE_TOKEN_ADD: return token_add(x);
        case STORE_TOKEN_WITHDRAW: return token_withdraw(x);
        case STORE_TOKEN_DELETE: return x->eng->token_delete(x->e, x->op->key);
        case STORE_SETTING_PUT:
                return x->op->setting.key.n
                               ? x->eng->setting_put(x->e, x->op->setting.key, x->op->setting.value)
                               : ODM_EINVAL;
        case STORE_EVENT_ADD: return event_add(x);
        case STORE_AUDIT_ADD: return audit_add(x);
        case STORE_ROW_ADD:
        case STORE_ROW_PUT:
        case STORE_ROW_PATCH:
        case STORE_ROW_DELETE:
        case STORE_ROWS_DELETE: return row_change(x);
        }
        return ODM_EINVAL;
}

int store_apply(const store_engine *eng, void *e, const store_opt *opt, int64_t heard, store_op *op,
                odm_arena *a)
{
        const apply x = {eng, &eng->read, e, opt, heard, op, a};

        return dispatch(&x);
}
