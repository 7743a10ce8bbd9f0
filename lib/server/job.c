/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, and the commands of them that wait for a Status.
 *
 * A job's commands are counted in document order, members of Atomic and Sequence
 * included; that number is all a saved session needs to find its place again.  Between
 * two messages only sixteen octets are kept for a command in flight: what came for it
 * lives with the message, or in `held` when the device's package takes several. */
#include <assert.h>
#include <string.h>

#include "session.h"

/* ---- what may be sent ------------------------------------------------------------ */

static bool plain_allowed(const odm_command *c)
{
        switch (c->kind) {
        case ODM_CMD_ADD:
        case ODM_CMD_REPLACE:
        case ODM_CMD_DELETE:
        case ODM_CMD_GET:
        case ODM_CMD_COPY: return c->items != NULL;
        case ODM_CMD_EXEC: return c->items != NULL && c->items->next == NULL;
        case ODM_CMD_ALERT: return c->code >= 1100 && c->code < 1200;
        case ODM_CMD_UNKNOWN:
        case ODM_CMD_STATUS:
        case ODM_CMD_RESULTS:
        case ODM_CMD_SEQUENCE:
        case ODM_CMD_ATOMIC:
        case ODM_CMD_PUT:
        case ODM_CMD_SEARCH:
        case ODM_CMD_MAP:
        case ODM_CMD_MOVE:
        case ODM_CMD_SYNC: return false;
        }
        ODM_UNREACHABLE();
}

static bool atomic_allowed(const odm_command *c)
{
        for (const odm_command *m = c->body; m; m = m->next)
                if (!plain_allowed(m) || m->kind == ODM_CMD_GET || m->kind == ODM_CMD_EXEC)
                        return false;
        return c->body != NULL;
}

static bool sequence_allowed(const odm_command *c)
{
        for (const odm_command *m = c->body; m; m = m->next)
                if (m->kind == ODM_CMD_ATOMIC ? !atomic_allowed(m) : !plain_allowed(m))
                        return false;
        return c->body != NULL;
}

bool odm_job_allowed(const odm_command *list)
{
        for (const odm_command *c = list; c; c = c->next) {
                bool ok = c->kind == ODM_CMD_ATOMIC     ? atomic_allowed(c)
                          : c->kind == ODM_CMD_SEQUENCE ? sequence_allowed(c)
                                                        : plain_allowed(c);
                if (!ok)
                        return false;
        }
        return list != NULL;
}

uint32_t odm_job_count(const odm_command *c)
{
        uint32_t n = 1;

        for (const odm_command *m = c->body; m; m = m->next) {
                n++;
                for (const odm_command *k = m->body; k; k = k->next)
                        n++; /* an Atomic inside a Sequence; odm_job_allowed() lets nothing deeper
                              */
        }
        return n;
}

uint32_t odm_job_count_all(const odm_command *list)
{
        uint32_t n = 0;

        for (const odm_command *c = list; c; c = c->next)
                n += odm_job_count(c);
        return n;
}

/* ---- jobs and their cursors -------------------------------------------------------- */

int odm_job_add(odm_server *s, const odm_job *job)
{
        struct job *j = odm_alloc(&s->mem, sizeof *j), **at = &s->jobs;

        if (j == NULL)
                return odm_session_nomem(s);
        j->id = job->id;
        j->commands = j->top = job->commands;
        j->alone = job->alone;
        j->split = job->split_atomic;
        j->total = j->end = odm_job_count_all(job->commands);
        while (*at)
                at = &(*at)->next;
        *at = j;
        return 0;
}

bool odm_job_relend(struct job *j, const odm_job *job)
{
        if (!odm_job_allowed(job->commands) || odm_job_count_all(job->commands) != j->total)
                return false;
        j->commands = job->commands;
        odm_job_seek(j, j->at);
        return true;
}

void odm_job_free(odm_server *s, struct job *j)
{
        odm_free(&s->mem, j, sizeof *j);
}

static void job_unlink(odm_server *s, struct job *j)
{
        struct job **at = &s->jobs;

        while (*at != j)
                at = &(*at)->next;
        *at = j->next;
        j->next = NULL;
}

const odm_command *odm_job_peek(const struct job *j)
{
        if (j->at >= j->end)
                return NULL;
        return j->member ? j->member : j->top;
}

void odm_job_advance(struct job *j)
{
        if (j->member) {
                j->at++;
                j->member = j->member->next;
        } else {
                j->at += odm_job_count(j->top);
        }
        if (j->member == NULL)
                j->top = j->top->next;
}

void odm_job_seek(struct job *j, uint32_t index)
{
        uint32_t i = 0;

        j->at = index;
        j->top = j->commands;
        j->member = NULL;
        while (j->top && i + odm_job_count(j->top) <= index) {
                i += odm_job_count(j->top);
                j->top = j->top->next;
        }
        if (j->top == NULL || i == index)
                return;
        j->member = j->top->body;
        while (j->member && ++i < index)
                j->member = j->member->next;
}

/* ---- telling -------------------------------------------------------------------------- */

static int tell_result(odm_server *s, struct job *j, const odm_event *ev)
{
        struct told *t = odm_session_tell(s, ODM_EV_RESULT);

        if (t == NULL)
                return odm_session_arena_err(s, &s->arena);
        t->ev = *ev;
        t->ev.kind = ODM_EV_RESULT;
        t->ev.job = j->id;
        if (++j->told < j->total)
                return 0;
        t = odm_session_tell(s, ODM_EV_JOB_DONE);
        if (t == NULL)
                return odm_session_arena_err(s, &s->arena);
        t->ev.job = j->id;
        t->ev.sent = j->sent;
        job_unlink(s, j);
        t->done = j; /* freed when the host has taken this */
        return 0;
}

int odm_job_give_up(odm_server *s, struct job *j, unsigned status, const char *why)
{
        uint32_t from = j->at, to = j->end;
        odm_event ev = {.status = status, .why = odm_cstr(why)};

        j->end = j->at;
        for (uint32_t i = from; i < to; i++) {
                ev.command = i;
                int rc = tell_result(s, j, &ev); /* the last one may take j away */
                if (rc < 0)
                        return rc;
                ev.status = ODM_ST_NOT_EXECUTED;
                ev.why = ODM_STR("an earlier command could not be sent");
        }
        return 0;
}

/* ---- commands in flight ------------------------------------------------------------------ */

int odm_sent_add(odm_server *s, struct job *j, uint32_t index, uint8_t flags)
{
        if (s->n_out == s->cap_out) {
                uint32_t cap = s->cap_out ? s->cap_out * 2 : 8;
                void *p = s->mem.resize(s->mem.ctx, s->out, s->cap_out * sizeof *s->out,
                                        cap * sizeof *s->out);
                if (p == NULL)
                        return odm_session_nomem(s);
                s->out = p;
                s->cap_out = cap;
        }
        s->out[s->n_out++] = (struct sent){.job = j, .index = index, .flags = flags};
        return 0;
}

int odm_sent_open(odm_server *s, bool hold)
{
        s->deep = hold;
        if (s->holding || s->n_out == 0)
                return 0;
        odm_arena *a = hold ? &s->held : &s->arena;
        s->answers = odm_arena_zget(a, s->n_out * sizeof *s->answers);
        if (s->answers == NULL)
                return odm_session_arena_err(s, a);
        s->holding = hold;
        return 0;
}

struct sent *odm_sent_find(const odm_server *s, odm_str msg_ref, odm_str cmd_ref)
{
        uint32_t id = odm_ref_number(cmd_ref);

        if (odm_str_trim(msg_ref).n && odm_ref_number(msg_ref) != s->out_msg)
                return NULL;
        if (id < s->out_first || id - s->out_first >= s->n_out)
                return NULL;
        return &s->out[id - s->out_first];
}

static odm_str copy_if(odm_arena *a, odm_str in, bool deep)
{
        return deep ? odm_arena_copy(a, in) : in;
}

odm_item *odm_item_copy(odm_arena *a, const odm_meta *meta, const odm_item *item, bool deep)
{
        odm_item *c = odm_arena_get(a, sizeof *c);

        if (c == NULL)
                return NULL;
        *c = *item;
        c->next = NULL;
        c->meta = *meta;
        c->target = copy_if(a, item->target, deep);
        c->target_name = copy_if(a, item->target_name, deep);
        c->source = copy_if(a, item->source, deep);
        c->source_name = copy_if(a, item->source_name, deep);
        c->meta.format_text = copy_if(a, meta->format_text, deep);
        c->meta.type = copy_if(a, meta->type, deep);
        c->meta.mark = copy_if(a, meta->mark, deep);
        c->meta.next_nonce = ODM_ABSENT;
        c->data.bytes = copy_if(a, item->data.bytes, deep);
        return a->err ? NULL : c;
}

static void list_add(struct item_list *l, odm_item *it)
{
        if (l->tail == NULL)
                l->tail = &l->head;
        *l->tail = it;
        l->tail = &it->next;
}

static struct answer *answer_of(const odm_server *s, const struct sent *e)
{
        assert(s->answers != NULL);
        return &s->answers[e - s->out];
}

/* Several Statuses of one command: the first that is no success counts. */
int odm_sent_status(odm_server *s, struct sent *e, const odm_command *status)
{
        odm_arena *a = s->deep ? &s->held : &s->arena;
        bool first = !(e->flags & SENT_ANSWERED);

        if (!(e->flags & SENT_MINE) && (first || odm_status_ok(e->status)))
                if (first || !odm_status_ok(status->code))
                        e->status = (uint16_t)(status->code > UINT16_MAX ? 0 : status->code);
        e->flags |= SENT_ANSWERED;
        for (const odm_item *it = status->items; it; it = it->next) {
                odm_item *copy = odm_item_copy(a, &it->meta, it, s->deep);
                if (copy == NULL)
                        return odm_session_arena_err(s, a);
                list_add(&answer_of(s, e)->items, copy);
        }
        return 0;
}

int odm_sent_result(odm_server *s, struct sent *e, const odm_command *results, const odm_item *item,
                    const odm_data *data)
{
        odm_arena *a = s->deep ? &s->held : &s->arena;
        bool joined = results == NULL; /* its octets stay where they are */
        odm_meta meta = joined ? item->meta : odm_meta_of(results, item);
        odm_item bare = *item;

        bare.data.bytes = joined ? ODM_ABSENT : data->bytes;
        odm_item *copy = odm_item_copy(a, &meta, &bare, s->deep);
        if (copy == NULL)
                return odm_session_arena_err(s, a);
        copy->data = (odm_data){data->kind, joined ? data->bytes : copy->data.bytes};
        copy->more = false;
        list_add(&answer_of(s, e)->results, copy);
        e->flags &= (uint8_t)~SENT_BROKEN;
        return 0;
}

void odm_sent_forget(odm_server *s)
{
        s->n_out = 0;
        s->answers = NULL;
        s->holding = false;
        s->taking.open = false;
        odm_buf_done(&s->taking.data);
}

void odm_sent_rewind(odm_server *s)
{
        for (uint32_t i = s->n_out; i-- > 0;) {
                struct sent *e = &s->out[i];
                if (e->flags & (SENT_CHUNK | SENT_LAST))
                        s->sending.flying = 0; /* the same chunk goes again */
                else if (!(e->flags & SENT_MEMBER))
                        odm_job_seek(e->job, e->index);
        }
        odm_sent_forget(s);
}

void odm_sent_all_status(odm_server *s, unsigned status)
{
        for (uint32_t i = 0; i < s->n_out; i++)
                if (!(s->out[i].flags & SENT_ANSWERED)) {
                        s->out[i].status = (uint16_t)status;
                        s->out[i].flags |= SENT_ANSWERED;
                }
}

/* ---- the device's package is complete ----------------------------------------------------- */

static int settle_plain(odm_server *s, const struct sent *e)
{
        const struct answer *a = answer_of(s, e);
        odm_event ev = {
                .command = e->index,
                .sent = true,
                .status = e->status,
                .items = a->items.head,
                .results = a->results.head,
        };

        if (e->flags & SENT_MINE)
                ev.why = ODM_STR("what the device sent could not be used");
        else if (!(e->flags & SENT_ANSWERED))
                ev.why = ODM_STR("the device gave no Status");
        return tell_result(s, e->job, &ev);
}

/* A chunk: 213 lets the next one go; all else is the end of the object. */
static int settle_chunk(odm_server *s, const struct sent *e)
{
        struct job *j = e->job;

        if ((e->flags & SENT_CHUNK) && odm_status_ok(e->status)) {
                s->sending.off += s->sending.flying;
                s->sending.flying = 0;
                return 0;
        }
        odm_chunk_close(s);
        if (j->commands)
                odm_job_advance(j);
        else
                j->at++;
        return settle_plain(s, e);
}

static bool refuses_atomic(const struct sent *e)
{
        return (e->flags & SENT_ATOMIC) &&
               (e->status == ODM_ST_UNSUPPORTED || e->status == ODM_ST_NOT_IMPLEMENTED);
}

int odm_job_split(odm_server *s, struct job *j, uint32_t index)
{
        odm_event ev = {.command = index, .sent = true, .status = ODM_ST_OK};

        ev.why = ODM_STR("the device has no Atomic: its members go singly");
        s->no_atomic = true;
        odm_job_seek(j, index + 1);
        return tell_result(s, j, &ev);
}

/* A member without a Status shares the fate of its container. */
static void settle_member(struct sent *e, const struct sent *container)
{
        if ((e->flags & SENT_ANSWERED) || !(container->flags & SENT_ANSWERED))
                return;
        e->status = odm_status_ok(container->status) ? ODM_ST_OK : ODM_ST_NOT_EXECUTED;
        e->flags |= SENT_ANSWERED;
}

static int settle_one(odm_server *s, uint32_t *at, const struct sent *container)
{
        struct sent *e = &s->out[*at];

        if (e->flags & (SENT_CHUNK | SENT_LAST))
                return settle_chunk(s, e);
        assert(container != NULL); /* the first entry is never a member */
        if (e->flags & SENT_MEMBER)
                settle_member(e, container);
        if (e->flags & SENT_BROKEN) {
                e->status = ODM_ST_SIZE_MISMATCH;
                e->flags |= SENT_MINE;
        }
        if (!refuses_atomic(e) || e->job->commands == NULL)
                return settle_plain(s, e);
        while (*at + 1 < s->n_out && (s->out[*at + 1].flags & SENT_MEMBER))
                (*at)++;
        return odm_job_split(s, e->job, e->index);
}

int odm_sent_settle(odm_server *s, bool all)
{
        const struct sent *container = NULL;
        int rc = 0;

        for (uint32_t i = 0; i < s->n_out && rc == 0; i++) {
                if (!(s->out[i].flags & SENT_MEMBER))
                        container = &s->out[i];
                if (all || (s->out[i].flags & (SENT_ANSWERED | SENT_MINE)))
                        rc = settle_one(s, &i, container);
        }
        s->n_out = 0;
        s->holding = false; /* and what is held goes when its events are taken */
        return rc;
}
