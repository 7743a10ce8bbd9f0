/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the commands of a message in document order and keeps their outcomes
 * (dm-protocol.md 2, 6, 7).
 *
 *     body:      cmd  cmd  Sequence  cmd          frames: body > Sequence > Atomic
 *     Sequence:            cmd  Atomic            each with the next command to be begun
 *     Atomic:                    cmd cmd
 *
 * One step begins a command, does one item, or closes a frame.  When the host is needed, the
 * step lends a request and the walk stops; the answer goes on from there.  The Status of an
 * Atomic stands before those of its members, so both are set when the Atomic is decided. */
#include "session.h"

#define DONE 0
#define MORE 1

/* 214 to 216 count as success by their class, and say that nothing was done. */
static bool took_effect(unsigned code)
{
        return odm_status_ok(code) && code != ODM_ST_CANCELLED && code != ODM_ST_NOT_EXECUTED &&
               code != ODM_ST_ROLLED_BACK;
}

static struct frame *top(odm_client *c)
{
        return &c->run.frame[c->run.depth];
}

static bool in_atomic(odm_client *c)
{
        const struct frame *f = top(c);

        return f->self && f->self->kind == ODM_CMD_ATOMIC;
}

static bool in_sequence(odm_client *c)
{
        const struct frame *f = top(c);

        return f->self && f->self->kind == ODM_CMD_SEQUENCE;
}

void odm_runner_begin(odm_client *c)
{
        c->run = (struct runner){.frame = {{.at = c->msg->body}}};
        c->run.last = &c->run.first;
}

bool odm_runner_done(const odm_client *c)
{
        return c->run.depth == 0 && c->run.cmd == NULL && c->run.frame[0].at == NULL &&
               !c->request_open;
}

int odm_commands_walk(const odm_command *list, int (*fn)(void *ctx, const odm_command *cmd),
                      void *ctx)
{
        const odm_command *stack[NESTING];
        size_t n = 0;
        int rc = 0;

        for (;;) {
                if (list == NULL) {
                        if (n == 0)
                                return 0;
                        list = stack[--n];
                        continue;
                }
                rc = fn(ctx, list);
                if (rc != 0)
                        return rc;
                const odm_command *members = list->body;
                list = list->next;
                if (members && n < NESTING) {
                        stack[n++] = list;
                        list = members;
                }
        }
}

/* ---- Atomic ------------------------------------------------------------------------ */

/* Members that were done are undone, unless they are `kept`: what the host did, and what the tree
 * agreed to before the device failed. */
static void undo_members(const struct frame *f, bool kept)
{
        for (struct entry *e = f->status->next; e; e = e->next)
                if (took_effect(e->cmd.code))
                        e->cmd.code = e->late || kept ? ODM_ST_ROLLBACK_FAILED : ODM_ST_ROLLED_BACK;
}

/* A member has failed; its own Status is not written yet. */
static void fail_atomic(odm_client *c)
{
        struct frame *f = top(c);

        if (odm_tree_in_transaction(c->tree))
                odm_tree_rollback(c->tree);
        undo_members(f, false);
        f->status->cmd.code = ODM_ST_ATOMIC_FAILED;
        f->failed = true;
}

/* The Status of the member that a provider refused; the last one's when nobody knows. */
static struct entry *culprit_of(odm_client *c, const struct frame *f)
{
        uint64_t op = odm_tree_culprit(c->tree);

        for (struct entry *e = f->status->next; e && op; e = e->next)
                if (e->op <= op && op <= e->op_end)
                        return e;
        return c->box.tail[LANE_STATUS];
}

static int commit_atomic(odm_client *c)
{
        struct frame *f = top(c);
        unsigned status = ODM_ST_STORE_FAILED;
        int rc = odm_tree_commit(c->tree, &status);
        bool kept = rc == ODM_EIO && took_effect(status);

        if (rc < 0) {
                if (odm_tree_in_transaction(c->tree))
                        odm_tree_rollback(c->tree);
                if (rc != ODM_EIO)
                        return rc;
                status = ODM_ST_STORE_FAILED;
        }
        if (took_effect(status))
                return 0;
        undo_members(f, kept);
        f->status->cmd.code = ODM_ST_ATOMIC_FAILED;
        if (f->status->next && !kept)
                culprit_of(c, f)->cmd.code = status;
        return 0;
}

static int close_frame(odm_client *c)
{
        struct frame *f = top(c);
        int rc = 0;

        if (in_atomic(c) && !f->failed)
                rc = commit_atomic(c);
        c->run.depth--;
        return rc < 0 ? rc : MORE;
}

static int open_frame(odm_client *c, const odm_command *cmd)
{
        struct entry *e = odm_outbox_status(c, cmd, ODM_ST_OK);
        int rc = 0;

        if (e == NULL)
                return arena_rc(&c->box.arena);
        if (cmd->kind == ODM_CMD_ATOMIC)
                rc = odm_tree_begin(c->tree, c->wall);
        if (rc < 0)
                return rc;
        c->run.depth++;
        *top(c) = (struct frame){.self = cmd, .at = cmd->body, .status = e};
        return MORE;
}

/* ---- refusing whole commands -------------------------------------------------------------- */

static int refuse_member(void *ctx, const odm_command *cmd)
{
        odm_client *c = ctx;

        if (odm_outbox_status(c, cmd, ODM_ST_NOT_EXECUTED) == NULL)
                return arena_rc(&c->box.arena);
        return odm_object_pass_over(c, cmd, cmd->items);
}

static int refuse(odm_client *c, const odm_command *cmd, unsigned code)
{
        int rc;

        if (in_atomic(c) && !top(c)->failed)
                fail_atomic(c);
        if (odm_outbox_status(c, cmd, code) == NULL)
                return arena_rc(&c->box.arena);
        rc = odm_object_pass_over(c, cmd, cmd->items);
        if (rc == 0 && cmd->body)
                rc = odm_commands_walk(cmd->body, refuse_member, c);
        return rc < 0 ? rc : MORE;
}

static unsigned illegal_here(odm_client *c, const odm_command *cmd)
{
        bool container = cmd->kind == ODM_CMD_ATOMIC || cmd->kind == ODM_CMD_SEQUENCE;

        if (in_atomic(c) && (container || cmd->kind == ODM_CMD_GET || cmd->kind == ODM_CMD_EXEC))
                return ODM_ST_FAILED;
        if (in_sequence(c) && cmd->kind == ODM_CMD_SEQUENCE)
                return ODM_ST_BAD_REQUEST;
        return 0;
}

/* 0, or the status with which a command is not even begun. */
static unsigned refusal_of(odm_client *c, const odm_command *cmd)
{
        const struct frame *f = top(c);

        if (f->failed || f->stopped || c->run.cancelled)
                return ODM_ST_NOT_EXECUTED;
        if (odm_str_trim(cmd->cmd_id).n == 0 || cmd->kind == ODM_CMD_UNKNOWN)
                return ODM_ST_BAD_REQUEST;
        if (odm_cmd_is_foreign(cmd->kind) || (cmd->kind == ODM_CMD_COPY && !c->opt.has_copy) ||
            (cmd->kind == ODM_CMD_EXEC && !c->opt.has_exec))
                return ODM_ST_UNSUPPORTED;
        unsigned code = illegal_here(c, cmd);
        if (code)
                return code;
        if (cmd->kind == ODM_CMD_ATOMIC)
                return c->opt.has_atomic ? 0 : ODM_ST_UNSUPPORTED;
        if (cmd->kind == ODM_CMD_SEQUENCE || cmd->kind == ODM_CMD_ALERT)
                return 0;
        if (cmd->items == NULL)
                return ODM_ST_INCOMPLETE;
        return cmd->kind == ODM_CMD_EXEC && cmd->items->next ? ODM_ST_BAD_REQUEST : 0;
}

/* ---- outcomes ------------------------------------------------------------------------------- */

static struct outcome *add_outcome(odm_client *c, const odm_item *item, unsigned code)
{
        struct outcome *o = odm_new(&c->box.arena, struct outcome);

        if (o == NULL)
                return NULL;
        *o = (struct outcome){.item = item, .code = code};
        *c->run.last = o;
        c->run.last = &o->next;
        if (!took_effect(code))
                c->run.item_failed = true;
        return o;
}

static int outcome(odm_client *c, const odm_item *item, unsigned code)
{
        return add_outcome(c, item, code) ? MORE : arena_rc(&c->box.arena);
}

/* In an Atomic what the host did is not like what the tree did: it cannot be taken back. */
static bool all_alike(odm_client *c)
{
        const struct outcome *o = c->run.first;

        for (const struct outcome *x = o; x; x = x->next)
                if (x->code != o->code || (in_atomic(c) && x->late != o->late) || x->failing.p ||
                    x->created.p || !odm_str_eq(x->text, o->text))
                        return false;
        return true;
}

static int add_refs(odm_client *c, struct entry *e, const odm_item *item)
{
        odm_ref **t = &e->cmd.target_refs, **s = &e->cmd.source_refs;

        while (*t)
                t = &(*t)->next;
        while (*s)
                s = &(*s)->next;
        if (item->target.p && (*t = odm_outbox_ref(c, item->target)) == NULL)
                return arena_rc(&c->box.arena);
        if (item->source.p && (*s = odm_outbox_ref(c, item->source)) == NULL)
                return arena_rc(&c->box.arena);
        return 0;
}

/* Names the parent that could not be made, or where an object went. */
static int add_hint(odm_client *c, struct entry *e, odm_str uri)
{
        odm_item *it;

        if (uri.p == NULL)
                return 0;
        it = odm_new(&c->box.arena, odm_item);
        if (it == NULL)
                return arena_rc(&c->box.arena);
        it->target = uri;
        e->cmd.items = it;
        return 0;
}

/* Says why it is refused: `text` as Data of an Item (dm-protocol.md 2). */
static int add_text(odm_client *c, struct entry *e, odm_str text)
{
        odm_item *it;

        if (text.p == NULL)
                return 0;
        if (e->cmd.items == NULL)
                e->cmd.items = odm_new(&c->box.arena, odm_item);
        it = e->cmd.items;
        if (it == NULL)
                return arena_rc(&c->box.arena);
        it->data = (odm_data){ODM_DATA_TEXT, text};
        return 0;
}

static int one_status(odm_client *c, const struct outcome *o, struct entry **out)
{
        struct entry *e = odm_outbox_status(c, c->run.cmd, o->code);
        int rc = 0;

        if (e == NULL)
                return arena_rc(&c->box.arena);
        e->late = o->late;
        e->op = e->op_end = o->op;
        if (o->item)
                rc = add_refs(c, e, o->item);
        if (rc == 0)
                rc = add_hint(c, e, o->failing.p ? o->failing : o->created);
        if (rc == 0)
                rc = add_text(c, e, o->text);
        if (o->item == NULL)
                e->cmd.items = o->items;
        *out = e;
        return rc;
}

/* One Status for all items when they fared alike, else one for each. */
static int add_statuses(odm_client *c)
{
        struct entry *e;
        int rc = 0;

        if (!all_alike(c)) {
                for (const struct outcome *o = c->run.first; o && rc == 0; o = o->next)
                        rc = one_status(c, o, &e);
                return rc;
        }
        rc = one_status(c, c->run.first, &e);
        for (const struct outcome *o = c->run.first->next; o && rc == 0; o = o->next) {
                e->op_end = o->op;
                rc = add_refs(c, e, o->item);
        }
        return rc;
}

static int add_results(odm_client *c)
{
        for (const struct outcome *o = c->run.first; o; o = o->next) {
                if (o->item == NULL || o->items == NULL)
                        continue;
                struct entry *e = odm_outbox_add(c, LANE_RESULTS, ODM_CMD_RESULTS);
                if (e == NULL)
                        return arena_rc(&c->box.arena);
                e->cmd.msg_ref = odm_outbox_copy(c, c->msg->hdr.msg_id);
                e->cmd.cmd_ref = odm_outbox_copy(c, c->run.cmd->cmd_id);
                e->cmd.items = o->items;
                if (e->cmd.msg_ref.p == NULL || e->cmd.cmd_ref.p == NULL)
                        return arena_rc(&c->box.arena);
        }
        return 0;
}

static int finish_command(odm_client *c)
{
        int rc;

        if (c->run.item_failed && in_atomic(c)) {
                for (struct outcome *o = c->run.first; o; o = o->next)
                        if (took_effect(o->code))
                                o->code = o->late ? ODM_ST_ROLLBACK_FAILED : ODM_ST_ROLLED_BACK;
                fail_atomic(c);
        }
        rc = add_statuses(c);
        if (rc == 0)
                rc = add_results(c);
        c->run.cmd = NULL;
        c->run.first = NULL;
        c->run.last = &c->run.first;
        c->run.item_failed = false;
        return rc < 0 ? rc : MORE;
}

/* ---- items ------------------------------------------------------------------------------ */

static int lend(odm_client *c)
{
        c->request.id = ++c->next_request;
        c->request_open = true;
        CLIENT_TRACE(c, "request %llu is open", (unsigned long long)c->request.id);
        return DONE;
}

/* What can be said of it. */
static odm_str text_of(odm_str text)
{
        size_t most = text.n < ODM_CLIENT_TEXT ? text.n : ODM_CLIENT_TEXT;

        if (text.n == 0 || !odm_xml_can_carry(text))
                return ODM_ABSENT;
        return odm_str_to(text, odm_utf8_cut(text, most));
}

static int take_answer(odm_client *c, const odm_item *item, const odm_answer *a, bool late)
{
        odm_item *items = NULL;
        unsigned code = a->status;
        int rc = 0;

        if (c->run.cmd->kind == ODM_CMD_GET && took_effect(code))
                rc = odm_operation_items(c, a->results, &items, &code);
        if (rc == ODM_ELIMIT) {
                rc = 0;
                code = ODM_ST_TOO_LARGE;
        }
        if (rc < 0)
                return rc;
        struct outcome *o = add_outcome(c, item, code);
        if (o == NULL)
                return arena_rc(&c->box.arena);
        o->late = late;
        o->op = late ? 0 : odm_tree_latest(c->tree);
        o->items = took_effect(code) ? items : NULL;
        o->failing = odm_outbox_copy(c, a->failing);
        o->created = odm_outbox_copy(c, a->created);
        odm_str text = took_effect(code) ? ODM_ABSENT : text_of(a->text);
        o->text = odm_outbox_copy(c, text);
        bool lost = (a->failing.p && !o->failing.p) || (a->created.p && !o->created.p) ||
                    (text.p && !o->text.p);
        return lost ? arena_rc(&c->box.arena) : MORE;
}

static int do_operation(odm_client *c, const odm_item *item)
{
        odm_answer a = {.status = 0};
        int rc = odm_tree_do(c->tree, &c->op, c->wall, &c->scratch, &a);

        if (rc == ODM_LATER) {
                c->request = (odm_request){.kind = c->op.kind == ODM_CMD_EXEC ? ODM_REQ_EXEC
                                                                              : ODM_REQ_NODE,
                                           .op = &c->op};
                return lend(c);
        }
        if (rc == ODM_ELIMIT)
                return outcome(c, item, c->op.kind == ODM_CMD_GET ? ODM_ST_TOO_LARGE : ODM_ST_FULL);
        if (rc == ODM_EIO)
                return outcome(c, item, ODM_ST_STORE_FAILED);
        return rc < 0 ? rc : take_answer(c, item, &a, false);
}

static int pass_over(odm_client *c, const odm_item *item, unsigned *code)
{
        *code = ODM_ST_NOT_EXECUTED;
        return item->more ? odm_object_pass_over(c, c->run.cmd, item) : 0;
}

static int do_item(odm_client *c)
{
        const odm_item *item = c->run.item;
        odm_data data;
        unsigned code = 0;
        int rc;

        if (item == NULL)
                return finish_command(c);
        c->stats.commands++;
        odm_arena_reset(&c->scratch);
        rc = c->run.item_failed && in_atomic(c)
                     ? pass_over(c, item, &code)
                     : odm_object_take(c, c->run.cmd, item, &data, &code);
        if (rc == 0 && code == 0)
                rc = odm_operation_make(c, c->run.cmd, item, &data, &code);
        if (rc == ODM_ELIMIT) {
                rc = 0;
                code = ODM_ST_FULL;
        }
        if (rc < 0)
                return rc;
        if (code) {
                c->run.item = item->next;
                return outcome(c, item, code);
        }
        rc = do_operation(c, item);
        if (rc == MORE)
                c->run.item = item->next; /* while a request is open it points at its item */
        return rc;
}

static int begin_alert(odm_client *c, const odm_command *cmd)
{
        unsigned code = ODM_ST_UNSUPPORTED;
        int rc = 0;

        if (cmd->code == 0)
                code = ODM_ST_INCOMPLETE;
        else if (cmd->code == ODM_ALERT_NEXT_MESSAGE || cmd->code == ODM_ALERT_NO_END_OF_DATA)
                code = ODM_ST_OK;
        else if (cmd->code >= ODM_ALERT_DISPLAY && cmd->code <= ODM_ALERT_CHOICES)
                rc = odm_prompt_read(c, cmd, &code);
        if (rc < 0)
                return rc;
        c->run.cmd = cmd;
        c->run.item = NULL;
        return code ? outcome(c, NULL, code) : lend(c);
}

static int begin_command(odm_client *c, const odm_command *cmd)
{
        unsigned code;
        int rc = 0;

        if (cmd->kind == ODM_CMD_STATUS || cmd->kind == ODM_CMD_RESULTS)
                return MORE;
        bool asks_on = cmd->kind == ODM_CMD_ALERT && cmd->code == ODM_ALERT_NEXT_MESSAGE;
        if (c->object.state != OBJECT_NONE && !asks_on &&
            (c->run.depth > 0 || !odm_object_continues(c, cmd)))
                rc = odm_object_interrupt(c);
        if (rc < 0)
                return rc;
        code = refusal_of(c, cmd);
        CLIENT_TRACE(c, "%.*s/%u/%.*s: %s%s", (int)c->session_id.n, c->session_id.p,
                     (unsigned)c->msg_id, (int)cmd->cmd_id.n, cmd->cmd_id.p ? cmd->cmd_id.p : "",
                     odm_cmd_name(cmd->kind), code ? " is not begun" : "");
        if (code)
                return refuse(c, cmd, code);
        if (cmd->kind == ODM_CMD_ATOMIC || cmd->kind == ODM_CMD_SEQUENCE)
                return open_frame(c, cmd);
        if (cmd->kind == ODM_CMD_ALERT)
                return begin_alert(c, cmd);
        c->run.cmd = cmd;
        c->run.item = cmd->items;
        return MORE;
}

static int step(odm_client *c)
{
        struct frame *f = top(c);

        if (c->request_open)
                return DONE;
        if (c->run.cmd)
                return do_item(c);
        if (f->at) {
                const odm_command *cmd = f->at;
                f->at = cmd->next;
                return begin_command(c, cmd);
        }
        return c->run.depth > 0 ? close_frame(c) : DONE;
}

int odm_runner_run(odm_client *c)
{
        int rc = MORE;

        while (rc == MORE)
                rc = step(c);
        return rc;
}

/* ---- the host's answers ----------------------------------------------------------------- */

static int user_items(odm_client *c, const odm_reply *r, odm_item **out)
{
        odm_item *first = NULL, **last = &first;

        for (size_t i = 0; i < r->n_items && took_effect(r->status); i++) {
                odm_item *it = odm_new(&c->box.arena, odm_item);
                if (it == NULL)
                        return arena_rc(&c->box.arena);
                it->data = (odm_data){ODM_DATA_TEXT, odm_outbox_copy(c, r->items[i])};
                if (it->data.bytes.p == NULL && r->items[i].p)
                        return arena_rc(&c->box.arena);
                *last = it;
                last = &it->next;
        }
        *out = first;
        return 0;
}

/* What the user's refusal does to the rest (dm-protocol.md 6). */
static void heed_user(odm_client *c, unsigned status)
{
        bool cancelled = status == ODM_ST_CANCELLED || status == ODM_ST_TIMEOUT;

        if (cancelled)
                c->run.cancelled = true;
        if (in_sequence(c) && (cancelled || status == ODM_ST_NOT_MODIFIED))
                top(c)->stopped = true;
}

static int take_user(odm_client *c, const odm_reply *r)
{
        odm_item *items = NULL;
        int rc = user_items(c, r, &items);

        if (rc < 0)
                return rc;
        struct outcome *o = add_outcome(c, NULL, r->status);
        if (o == NULL)
                return arena_rc(&c->box.arena);
        o->items = items;
        heed_user(c, r->status);
        return 0;
}

static int take_node(odm_client *c, const odm_reply *r)
{
        const odm_item *item = c->run.item;
        odm_answer a = {.status = r->status, .text = r->text};
        odm_result *first = NULL, **last = &first;

        for (const odm_result *x = r->results; x; x = x->next) {
                odm_result *copy = odm_arena_get(&c->scratch, sizeof *copy);
                if (copy == NULL)
                        return arena_rc(&c->scratch);
                *copy = *x;
                copy->next = NULL;
                *last = copy;
                last = &copy->next;
        }
        a.results = first;
        int rc = take_answer(c, item, &a, true);
        c->run.item = item->next;
        return rc < 0 ? rc : 0;
}

int odm_runner_answer(odm_client *c, const odm_reply *r)
{
        odm_reply good = *r;

        if (good.status < 200 || good.status > 1999) /* no final status of the protocol */
                good.status = ODM_ST_FAILED;
        c->request_open = false;
        return c->request.kind == ODM_REQ_USER ? take_user(c, &good) : take_node(c, &good);
}

int odm_runner_cancel(odm_client *c)
{
        const odm_reply none = {.status = ODM_ST_NOT_EXECUTED};
        int rc = c->request_open ? odm_runner_answer(c, &none) : 0;

        c->run.cancelled = true;
        while (rc == 0 && !odm_runner_done(c)) {
                if (c->run.cmd && c->run.item) { /* items not begun */
                        rc = outcome(c, c->run.item, ODM_ST_NOT_EXECUTED);
                        c->run.item = c->run.item->next;
                        rc = rc < 0 ? rc : 0;
                        continue;
                }
                rc = step(c);
                rc = rc < 0 ? rc : 0;
        }
        return rc;
}
