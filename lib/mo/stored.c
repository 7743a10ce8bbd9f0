/* SPDX-License-Identifier: Apache-2.0 */
/* Stored commands: read by the codec as the body of a message, judged by the rules of
 * mo-scheduling.md 6 and dm-protocol.md 7, and done one after the other. */
#include "stored.h"

#include <string.h>

#include "odm/codec.h"

#define HEAD "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr></SyncHdr><SyncBody>"
#define TAIL "</SyncBody></SyncML>"
#define DEPTH 3 /* a command in an Atomic in a Sequence */

/* ---- what may be stored ----------------------------------------------------------------- */

static bool is_container(const odm_command *c)
{
        return c->kind == ODM_CMD_ATOMIC || c->kind == ODM_CMD_SEQUENCE;
}

/* NULL, or why a command may not stand where it does. */
static const char *misplaced(const odm_command *c, const odm_command *around)
{
        bool in_atomic = around && around->kind == ODM_CMD_ATOMIC;

        switch (c->kind) {
        case ODM_CMD_ADD:
        case ODM_CMD_REPLACE:
        case ODM_CMD_DELETE:
        case ODM_CMD_COPY: return NULL;
        case ODM_CMD_GET:
        case ODM_CMD_EXEC: return in_atomic ? "no Get or Exec in an Atomic" : NULL;
        case ODM_CMD_ATOMIC: return in_atomic ? "no Atomic in an Atomic" : NULL;
        case ODM_CMD_SEQUENCE: return around ? "no Sequence in another command" : NULL;
        case ODM_CMD_ALERT: return "no Alert in a task";
        default: return "a command of no kind that can be stored";
        }
}

static const char *bad_items(const odm_command *c)
{
        if (!c->items)
                return "a command without an Item";
        if (c->kind == ODM_CMD_EXEC && c->items->next)
                return "an Exec of several nodes";
        for (const odm_item *i = c->items; i; i = i->next) {
                if (odm_str_trim(i->target).n == 0 ||
                    (c->kind == ODM_CMD_COPY && odm_str_trim(i->source).n == 0))
                        return "an Item without an address";
                if (i->more)
                        return "an Item in pieces";
        }
        return NULL;
}

const char *odm_stored_wrong(const odm_command *c, const odm_command *around)
{
        const char *why = misplaced(c, around);

        if (why)
                return why;
        if (is_container(c))
                return c->body ? NULL : "a command with nothing in it";
        return bad_items(c);
}

/* An object of ours is made below ./Schedule, or through the Inbox. */
static bool makes_object(const odm_command *c, const odm_item *i)
{
        odm_uri u;

        if (c->kind != ODM_CMD_ADD && c->kind != ODM_CMD_COPY)
                return false;
        return odm_uri_parse(odm_str_trim(i->target), NULL, &u) == 0 && u.depth > 0 &&
               (odm_str_is(u.seg[0], "Schedule") || odm_str_is(u.seg[0], "Inbox"));
}

static const char *add_act(stored *s, const odm_command *c, const odm_item *i)
{
        if (s->n == STORED_ACTS)
                return "too many commands";
        s->act[s->n++] = (stored_act){c, i, s->seq};
        return NULL;
}

/* One command, and the items of those that are done one by one. */
static const char *add_command(stored *s, const odm_command *c, const odm_command *around)
{
        const char *why = odm_stored_wrong(c, around);

        if (why)
                return why;
        if (++s->seq > STORED_ACTS)
                return "too many commands";
        if (is_container(c))
                return add_act(s, c, NULL);
        for (const odm_item *i = c->items; i && !why; i = i->next) {
                s->makes_object |= makes_object(c, i);
                if (!around || around->kind != ODM_CMD_ATOMIC)
                        why = add_act(s, c, i);
        }
        return why;
}

static const char *add_all(stored *s, const odm_command *top)
{
        const odm_command *next[DEPTH] = {top}, *around[DEPTH] = {NULL};
        size_t depth = 1;

        while (depth) {
                const odm_command *c = next[depth - 1];
                const char *why;
                if (!c) {
                        depth--;
                        continue;
                }
                next[depth - 1] = c->next;
                why = add_command(s, c, around[depth - 1]);
                if (why)
                        return why;
                if (is_container(c)) { /* never deeper: misplaced() saw to that */
                        around[depth] = c;
                        next[depth++] = c->body;
                }
        }
        return NULL;
}

int odm_stored_add(stored *s, odm_str text, odm_arena *a, const char **why)
{
        odm_limits lim;
        odm_msg *m = NULL;
        odm_str doc = odm_arena_join(a, ODM_STR(HEAD), text);
        int rc;

        if (doc.p)
                doc = odm_arena_join(a, doc, ODM_STR(TAIL));
        if (!doc.p)
                return odm_arena_err(a);
        odm_limits_init(&lim);
        lim.max_commands = lim.max_items = STORED_ACTS + 1;
        rc = odm_decode(&odm_codec_xml, doc, &lim, a, &m);
        if (rc == ODM_ENOMEM)
                return rc;
        *why = "no command in the XML of SyncML";
        if (rc < 0 || !m->body || m->body->next)
                return ODM_EMALFORMED;
        *why = add_all(s, m->body);
        return *why ? ODM_EMALFORMED : 0;
}

/* ---- doing it --------------------------------------------------------------------------- */

/* 214 to 216 are of the class of success, and say that nothing was done. */
static bool took_effect(unsigned code)
{
        return odm_status_ok(code) && code != ODM_ST_CANCELLED && code != ODM_ST_NOT_EXECUTED &&
               code != ODM_ST_ROLLED_BACK;
}

static int take_doc(odm_op *op, odm_str bytes, odm_arena *a, unsigned *code)
{
        odm_doc *doc = NULL;
        int rc;

        if (op->kind == ODM_CMD_EXEC) {
                *code = ODM_ST_BAD_FORMAT;
                return 0;
        }
        rc = odm_doc_decode_as(&odm_codec_xml, NULL, bytes, NULL, a, &doc);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT) {
                *code = ODM_ST_BAD_REQUEST;
                return 0;
        }
        op->doc = doc;
        return rc;
}

static int take_value(odm_op *op, const odm_meta *meta, const odm_data *data, odm_arena *a,
                      unsigned *code)
{
        odm_str octets;

        if (meta->format == ODM_FMT_OTHER) {
                *code = ODM_ST_BAD_FORMAT;
                return 0;
        }
        op->value = (odm_value){.format = meta->format, .type = odm_str_trim(meta->type)};
        op->has_value = data->kind != ODM_DATA_ABSENT;
        if (!op->has_value)
                return 0;
        op->value.data = data->bytes.p ? data->bytes : ODM_STR("");
        if (odm_str_ieq(op->value.type, odm_codec_tnds_mime(&odm_codec_xml)))
                return take_doc(op, op->value.data, a, code);
        op->b64 = meta->format == ODM_FMT_B64;
        if (meta->format != ODM_FMT_BIN)
                return 0;
        int rc = odm_b64_decode(a, op->value.data, &octets); /* in XML octets are base64 */
        if (rc == 0)
                op->value.data = octets;
        return rc == ODM_EMALFORMED ? 0 : rc;
}

static int make_op(const odm_command *c, const odm_item *i, odm_str server, odm_arena *a,
                   odm_op *op, unsigned *code)
{
        odm_meta meta = odm_meta_of(c, i);

        *op = (odm_op){.kind = c->kind,
                       .target = odm_str_trim(i->target),
                       .source = odm_str_trim(i->source),
                       .server = server,
                       .correlator = c->correlator,
                       .max_result = STORED_DATA};
        if (c->kind == ODM_CMD_ADD || c->kind == ODM_CMD_REPLACE || c->kind == ODM_CMD_EXEC)
                return take_value(op, &meta, &i->data, a, code);
        return 0;
}

static int put_text(const odm_result *r, odm_arena *a, odm_buf *b)
{
        odm_str text = r->value.data;

        if (r->doc)
                return odm_doc_encode(&odm_codec_xml, r->doc, false, b);
        if (!r->has_data)
                return 0;
        if (r->value.format == ODM_FMT_BIN || !odm_xml_can_carry(text)) {
                text = odm_b64_encode(a, text.p ? text : ODM_STR(""));
                if (!text.p)
                        return odm_arena_err(a);
        }
        return odm_buf_str(b, text);
}

/* What was found: the value, or a line of address and value each when it is several. */
static int results_text(const odm_result *list, odm_arena *a, odm_str *out, unsigned *code)
{
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, a->mem, STORED_DATA);
        for (const odm_result *r = list; r && rc == 0; r = r->next) {
                if (list->next)
                        rc = odm_buf_fmt(&b, "%s%.*s=", b.n ? "\n" : "", (int)r->uri.n, r->uri.p);
                if (rc == 0)
                        rc = put_text(r, a, &b);
        }
        if (rc == ODM_ELIMIT)
                *code = ODM_ST_TOO_LARGE;
        else if (rc == ODM_EINVAL)
                *code = ODM_ST_FAILED;
        if (rc == 0) {
                *out = odm_arena_copy(a, odm_buf_view(&b));
                rc = out->p ? 0 : odm_arena_err(a);
        }
        odm_buf_done(&b);
        return rc == ODM_ENOMEM ? rc : 0;
}

static int do_item(const odm_command *c, const odm_item *i, odm_tree *t, odm_str server,
                   odm_wall now, odm_arena *a, stored_result *r)
{
        odm_answer got = {.status = ODM_ST_FAILED};
        unsigned code = 0;
        odm_op op;
        int rc = make_op(c, i, server, a, &op, &code);

        if (rc == 0 && code == 0) {
                rc = odm_tree_do(t, &op, now, a, &got);
                code = got.status;
        }
        if (rc == 0 && c->kind == ODM_CMD_GET && took_effect(code))
                rc = results_text(got.results, a, &r->data, &code);
        switch (rc) {
        case 0: break;
        case ODM_LATER: code = ODM_ST_UNSUPPORTED; break; /* nobody is there to answer for it */
        case ODM_ELIMIT: code = c->kind == ODM_CMD_GET ? ODM_ST_TOO_LARGE : ODM_ST_FULL; break;
        case ODM_ENOMEM:
        case ODM_ESTATE: return rc;
        default: code = ODM_ST_STORE_FAILED;
        }
        if (!took_effect(code))
                r->data = ODM_ABSENT;
        r->status = code;
        return 0;
}

/* True when it is not this tree's to do. */
static int do_elsewhere(const stored *s, const stored_act *act, odm_str server, odm_arena *a,
                        stored_result *r, bool *taken)
{
        unsigned code = 0;
        odm_op op;
        int rc;

        *taken = false;
        if (!s->elsewhere || act->cmd->kind == ODM_CMD_GET)
                return 0;
        rc = make_op(act->cmd, act->item, server, a, &op, &code);
        if (rc == 0 && code == 0)
                code = s->elsewhere(s->elsewhere_ctx, &op);
        else
                code = 0;
        if (rc == 0 && code) {
                r->status = code;
                *taken = true;
        }
        return rc == ODM_ENOMEM ? rc : 0;
}

/* All items of a member; the first that fails is its Status. */
static int do_member(const odm_command *c, odm_tree *t, odm_str server, odm_wall now, odm_arena *a,
                     stored_result *r)
{
        int rc = 0;

        for (const odm_item *i = c->items; i && rc == 0; i = i->next) {
                rc = do_item(c, i, t, server, now, a, r);
                if (!took_effect(r->status))
                        break;
        }
        return rc;
}

static int do_atomic(const stored_act *act, odm_tree *t, odm_str server, odm_wall now, odm_arena *a,
                     stored_result *out, size_t *n, bool *undo)
{
        unsigned seq = act->seq;
        size_t k = 1;

        out[0] = (stored_result){.seq = seq, .kind = ODM_CMD_ATOMIC, .status = ODM_ST_OK};
        for (const odm_command *c = act->cmd->body; c; c = c->next, k++) {
                stored_result *r = &out[k];
                seq++;
                *r = (stored_result){.seq = seq, .kind = c->kind, .status = ODM_ST_NOT_EXECUTED};
                int rc = *undo ? 0 : do_member(c, t, server, now, a, r);
                if (rc < 0)
                        return rc;
                *undo = *undo || !took_effect(r->status);
        }
        *n = k;
        if (!*undo)
                return 0;
        out[0].status = ODM_ST_ATOMIC_FAILED;
        for (size_t i = 1; i < k; i++)
                if (took_effect(out[i].status))
                        out[i].status = ODM_ST_ROLLED_BACK;
        return 0;
}

int odm_stored_do(const stored *s, size_t i, odm_tree *t, odm_str server, odm_wall now,
                  odm_arena *a, stored_result out[STORED_ACTS], size_t *n, bool *undo)
{
        const stored_act *act = &s->act[i];
        bool taken = false;
        int rc = 0;

        *undo = false;
        if (act->cmd->kind == ODM_CMD_ATOMIC)
                return do_atomic(act, t, server, now, a, out, n, undo);
        *n = 1;
        out[0] = (stored_result){.seq = act->seq, .kind = act->cmd->kind, .status = ODM_ST_OK};
        if (act->item)
                rc = do_elsewhere(s, act, server, a, &out[0], &taken);
        if (rc == 0 && act->item && !taken)
                rc = do_item(act->cmd, act->item, t, server, now, a, &out[0]);
        return rc;
}
