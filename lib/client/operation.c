/* SPDX-License-Identifier: Apache-2.0 */
/* Between items of messages and operations of the tree: what a command asks for, and how a
 * result is written (dm-protocol.md 7, dm-tree.md 3, 5 and 8). */
#include <string.h>

#include "session.h"

static bool is_tnds(odm_str type)
{
        type = odm_str_trim(type);
        return odm_str_ieq(type, "application/vnd.syncml.dmtnds+xml") ||
               odm_str_ieq(type, "application/vnd.syncml.dmtnds+wbxml");
}

static bool contains(odm_str s, odm_str part)
{
        for (size_t i = 0; i + part.n <= s.n; i++)
                if (memcmp(s.p + i, part.p, part.n) == 0)
                        return true;
        return false;
}

/* 0, or the status of an error that is the peer's doing. */
static unsigned peer_status(int rc, unsigned malformed, unsigned limit)
{
        return rc == ODM_EMALFORMED ? malformed : rc == ODM_ELIMIT ? limit : 0;
}

static int take_tnds(odm_client *c, const odm_meta *meta, odm_str bytes, unsigned *code)
{
        odm_doc *doc = NULL;
        int rc = 0;

        if (!c->opt.has_tnds || (c->op.kind != ODM_CMD_ADD && c->op.kind != ODM_CMD_REPLACE)) {
                *code = ODM_ST_BAD_FORMAT;
                return 0;
        }
        if (meta->format == ODM_FMT_B64)
                rc = odm_b64_decode(&c->scratch, bytes, &bytes);
        if (rc == 0)
                rc = odm_doc_decode_as(c->opt.codec, c->opt.other, bytes, &c->opt.limits,
                                       &c->scratch, &doc);
        *code = peer_status(rc, ODM_ST_BAD_REQUEST, ODM_ST_TOO_LARGE);
        if (rc < 0)
                return *code ? 0 : rc;
        c->op.doc = doc;
        return 0;
}

/* In XML octets can only travel as base64, whatever the Format says. */
static int take_bin_text(odm_client *c, odm_str text)
{
        odm_str octets;
        int rc = odm_b64_decode(&c->scratch, text, &octets);

        if (rc == 0)
                c->op.value.data = octets;
        return rc == ODM_EMALFORMED ? 0 : rc;
}

static int take_value(odm_client *c, const odm_meta *meta, const odm_data *data, unsigned *code)
{
        odm_op *op = &c->op;

        if (meta->format == ODM_FMT_OTHER) {
                *code = ODM_ST_BAD_FORMAT;
                return 0;
        }
        op->value.format = meta->format;
        op->value.type = odm_str_trim(meta->type);
        op->has_value = data->kind != ODM_DATA_ABSENT;
        if (!op->has_value)
                return 0;
        op->value.data = data->bytes.p ? data->bytes : ODM_STR("");
        if (op->value.data.n > c->opt.max_obj_size) {
                *code = ODM_ST_TOO_LARGE;
                return 0;
        }
        if (is_tnds(meta->type))
                return take_tnds(c, meta, op->value.data, code);
        op->b64 = meta->format == ODM_FMT_B64;
        if (meta->format == ODM_FMT_BIN && data->kind == ODM_DATA_TEXT &&
            !odm_codec_is_binary(c->opt.codec))
                return take_bin_text(c, op->value.data);
        return 0;
}

static bool list_refused(const odm_client *c, odm_str target)
{
        return (!c->opt.has_list && contains(target, ODM_STR("?list="))) ||
               (!c->opt.has_tnds && contains(target, ODM_STR("?list=TNDS")));
}

int odm_operation_make(odm_client *c, const odm_command *cmd, const odm_item *item,
                       const odm_data *data, unsigned *code)
{
        odm_meta meta = odm_meta_of(cmd, item);

        *code = 0;
        c->op = (odm_op){.kind = cmd->kind,
                         .target = odm_str_trim(item->target),
                         .source = odm_str_trim(item->source),
                         .server = c->account.server_id,
                         .correlator = cmd->correlator,
                         .max_result = c->peer_max_obj};
        if (c->op.target.n == 0 || (cmd->kind == ODM_CMD_COPY && c->op.source.n == 0))
                *code = ODM_ST_INCOMPLETE;
        else if (cmd->kind == ODM_CMD_GET && list_refused(c, c->op.target))
                *code = ODM_ST_UNSUPPORTED;
        else if (cmd->kind == ODM_CMD_ADD || cmd->kind == ODM_CMD_REPLACE ||
                 cmd->kind == ODM_CMD_EXEC)
                return take_value(c, &meta, data, code);
        return 0;
}

/* ---- results ---------------------------------------------------------------- */

static void put_type(odm_item *it, odm_str type)
{
        if (type.n == 0 || odm_str_is(type, "text/plain"))
                return;
        it->meta.type = type;
        it->meta.present = true;
}

int odm_operation_put_value(odm_client *c, const odm_value *v, odm_item *it)
{
        odm_arena *a = &c->box.data;
        bool binary = odm_codec_is_binary(c->opt.codec);

        it->meta.format = v->format == ODM_FMT_CHR ? ODM_FMT_ABSENT : v->format;
        it->data.kind = ODM_DATA_TEXT;
        if (!binary && (v->format == ODM_FMT_BIN || !odm_xml_can_carry(v->data))) {
                it->meta.format = ODM_FMT_B64;
                it->data.bytes = odm_b64_encode(a, v->data.p ? v->data : ODM_STR(""));
        } else {
                it->data.bytes = odm_arena_copy(a, v->data.p ? v->data : ODM_STR(""));
        }
        if (v->format == ODM_FMT_BIN && binary)
                it->data.kind = ODM_DATA_OPAQUE;
        odm_str type = odm_arena_copy(a, v->type);
        if (it->data.bytes.p == NULL || (v->type.p && type.p == NULL))
                return arena_rc(a);
        if (v->format == ODM_FMT_NULL)
                it->data = (odm_data){.kind = ODM_DATA_ABSENT};
        it->meta.present = it->meta.format != ODM_FMT_ABSENT;
        put_type(it, type);
        return 0;
}

static int put_document(odm_client *c, const odm_doc *doc, odm_item *it, unsigned *code)
{
        bool binary = odm_codec_is_binary(c->opt.codec);
        odm_buf b;
        int rc;

        odm_buf_init(&b, c->opt.mem, c->opt.max_memory);
        rc = odm_doc_encode(c->opt.codec, doc, false, &b);
        if (rc == ODM_EINVAL) { /* a value in it has no form in XML */
                *code = ODM_ST_FAILED;
                rc = 0;
        } else if (rc == 0) {
                it->data.kind = binary ? ODM_DATA_OPAQUE : ODM_DATA_XML;
                it->data.bytes = odm_arena_copy(&c->box.data, odm_buf_view(&b));
                it->meta = (odm_meta){.present = true,
                                      .format = ODM_FMT_XML,
                                      .type = odm_cstr(odm_codec_tnds_mime(c->opt.codec))};
                if (it->data.bytes.p == NULL)
                        rc = arena_rc(&c->box.data);
        }
        odm_buf_done(&b);
        return rc;
}

static int put_result(odm_client *c, const odm_result *r, odm_item *it, unsigned *code)
{
        int rc = 0;

        it->source = odm_arena_copy(&c->box.data, r->uri);
        if (it->source.p == NULL)
                return arena_rc(&c->box.data);
        if (r->doc)
                return put_document(c, r->doc, it, code);
        rc = odm_operation_put_value(c, &r->value, it);
        if (r->is_prop) { /* properties are plain text (dm-tree.md 3) */
                if (it->meta.format == ODM_FMT_B64)
                        *code = ODM_ST_FAILED;
                it->meta = (odm_meta){.present = false};
        }
        if (!r->has_data)
                it->data = (odm_data){.kind = ODM_DATA_ABSENT};
        return rc;
}

int odm_operation_items(odm_client *c, const odm_result *results, odm_item **out, unsigned *code)
{
        odm_item *first = NULL, **last = &first;
        int rc = 0;

        for (const odm_result *r = results; r && rc == 0; r = r->next) {
                odm_item *it = odm_new(&c->box.data, odm_item);
                if (it == NULL)
                        return arena_rc(&c->box.data);
                rc = put_result(c, r, it, code);
                *last = it;
                last = &it->next;
                if (rc == 0 && c->peer_max_obj && it->data.bytes.n > c->peer_max_obj)
                        *code = ODM_ST_TOO_LARGE;
        }
        if (rc == 0)
                *out = first;
        return rc;
}
