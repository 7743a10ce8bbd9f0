/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says in a case, made into commands. */
#include "message.h"

#include <string.h>

static odm_str before(odm_str s, char c)
{
        const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

        return at ? odm_str_to(s, (size_t)(at - s.p)) : s;
}

bool message_is_format(odm_str word)
{
        odm_str f = before(word, ':');

        return odm_str_is(f, "tnds") || odm_format_parse(f) != ODM_FMT_OTHER;
}

odm_meta message_meta(odm_str word, odm_arena *a)
{
        odm_str f = before(word, ':');
        odm_meta m = {.present = true, .format = odm_format_parse(f)};

        (void)a;
        if (odm_str_is(f, "tnds"))
                return (odm_meta){.present = true,
                                  .format = ODM_FMT_XML,
                                  .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
        if (m.format == ODM_FMT_OTHER)
                m.format_text = f;
        if (f.n < word.n)
                m.type = odm_str_from(word, f.n + 1);
        return m;
}

odm_meta message_challenge(odm_str word)
{
        odm_str type = before(word, ':');
        odm_meta m = {.present = true, .format = ODM_FMT_B64};

        m.type = odm_str_is(type, "basic") ? ODM_STR("syncml:auth-basic")
                 : odm_str_is(type, "mac") ? ODM_STR("syncml:auth-MAC")
                                           : ODM_STR("syncml:auth-md5");
        if (type.n < word.n)
                m.next_nonce = odm_str_from(word, type.n + 1);
        return m;
}

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

odm_str message_data(const token *t, odm_format f, odm_arena *a)
{
        odm_str hex = t->text;
        char *p;

        if (f != ODM_FMT_BIN || t->quoted)
                return t->text;
        p = odm_arena_get(a, hex.n / 2 + 1);
        if (p == NULL)
                return ODM_ABSENT;
        for (size_t i = 0; i + 1 < hex.n; i += 2)
                p[i / 2] = (char)(digit(hex.p[i]) << 4 | digit(hex.p[i + 1]));
        return (odm_str){p, hex.n / 2};
}

static bool is_option(odm_str word)
{
        static const char *const names[] = {
                "meta=", "size=", "correlator=", "source=", "type=", "mark=", "chal=", "msg="};

        for (size_t i = 0; i < ODM_COUNT(names); i++)
                if (odm_str_starts(word, names[i]))
                        return true;
        return odm_str_is(word, "more") || odm_str_is(word, "nodata");
}

/* URI [format[:type]] [data] [size=N] [more], from argument i on. */
static odm_item *make_item(const line *l, unsigned i, bool with_uri, odm_arena *a)
{
        odm_item *it = odm_new(a, odm_item);
        odm_str size = line_option(l, "size");
        uint64_t n;

        if (it == NULL)
                return NULL;
        if (with_uri && i < l->n)
                it->target = l->arg[i++].text;
        for (; i < l->n; i++) {
                const token *t = &l->arg[i];
                if (!t->quoted && is_option(t->text))
                        continue;
                if (!t->quoted && !it->meta.present && message_is_format(t->text)) {
                        it->meta = message_meta(t->text, a);
                } else {
                        bool xml = it->meta.format == ODM_FMT_XML && t->text.n && *t->text.p == '<';
                        it->data.bytes = message_data(t, it->meta.format, a);
                        it->data.kind = xml                              ? ODM_DATA_XML
                                        : it->meta.format == ODM_FMT_BIN ? ODM_DATA_OPAQUE
                                                                         : ODM_DATA_TEXT;
                }
        }
        if (size.p && odm_str_u64(size, UINT32_MAX, &n) == 0) {
                it->meta.present = it->meta.has_size = true;
                it->meta.size = n;
        }
        it->source = line_option(l, "source");
        it->more = line_has(l, "more");
        return it;
}

static void append_item(odm_command *c, odm_item *it)
{
        odm_item **at = &c->items;

        while (*at)
                at = &(*at)->next;
        *at = it;
}

/* Get, Delete: every argument is a node. */
static bool add_nodes(odm_command *c, const line *l, odm_arena *a)
{
        for (unsigned i = 2; i < l->n; i++) {
                odm_item *it = odm_new(a, odm_item);
                if (it == NULL)
                        return false;
                it->target = l->arg[i].text;
                append_item(c, it);
        }
        return true;
}

/* Alert CODE then texts, an Item each. */
static bool add_texts(odm_command *c, const line *l, odm_arena *a)
{
        uint64_t code;

        odm_str type = line_option(l, "type");

        if (l->n < 3 || odm_str_u64(l->arg[2].text, 9999, &code) < 0)
                return false;
        c->code = (unsigned)code;
        for (unsigned i = 3; i < l->n; i++) {
                odm_item *it = odm_new(a, odm_item);
                if (it == NULL)
                        return false;
                if (!l->arg[i].quoted)
                        continue;
                it->source = line_option(l, "source");
                if (type.p)
                        it->meta = (odm_meta){.present = true,
                                              .format = ODM_FMT_CHR,
                                              .type = type,
                                              .mark = line_option(l, "mark")};
                if (l->arg[i].text.n)
                        it->data = (odm_data){ODM_DATA_TEXT, l->arg[i].text};
                append_item(c, it);
        }
        return true;
}

static bool add_copy(odm_command *c, const line *l, odm_arena *a)
{
        odm_item *it = odm_new(a, odm_item);

        if (l->n != 5 || it == NULL) /* ID Copy SOURCE -> TARGET */
                return false;
        it->source = l->arg[2].text;
        it->target = l->arg[4].text;
        append_item(c, it);
        return true;
}

/* Status REF CODE ["text"] and Results REF URI ... [msg=N]: what a device answers. */
static bool add_answer(odm_command *c, const line *l, odm_arena *a)
{
        bool status = c->kind == ODM_CMD_STATUS;
        uint64_t code = 0;
        odm_str chal = line_option(l, "chal");
        odm_item *it = NULL;

        if (l->n < 4 || (status && odm_str_u64(l->arg[3].text, 9999, &code) < 0))
                return false;
        c->cmd_ref = l->arg[2].text;
        c->msg_ref = line_option(l, "msg");
        c->cmd = odm_str_is(c->cmd_ref, "0") ? ODM_STR("SyncHdr") : ODM_STR("Get");
        c->code = (unsigned)code;
        if (chal.p)
                c->chal = message_challenge(chal);
        if (!status || (l->n > 4 && chal.p == NULL)) {
                it = make_item(l, status ? 4 : 3, !status, a);
                if (it == NULL)
                        return false;
                it->source = it->target;
                it->target = ODM_ABSENT;
                append_item(c, it);
        }
        return true;
}

static bool fill(odm_command *c, const line *l, odm_arena *a)
{
        odm_str meta = line_option(l, "meta");
        odm_item *it;

        c->correlator = line_option(l, "correlator");
        if (meta.p)
                c->meta = message_meta(meta, a);
        switch (c->kind) {
        case ODM_CMD_GET:
        case ODM_CMD_DELETE: return add_nodes(c, l, a);
        case ODM_CMD_ALERT: return add_texts(c, l, a);
        case ODM_CMD_COPY: return add_copy(c, l, a);
        case ODM_CMD_STATUS:
        case ODM_CMD_RESULTS: return add_answer(c, l, a);
        case ODM_CMD_ATOMIC:
        case ODM_CMD_SEQUENCE: return true;
        default: break;
        }
        if (l->n <= 2)
                return true;
        it = make_item(l, 2, true, a);
        if (it)
                append_item(c, it);
        return it != NULL;
}

/* The list a command with this name belongs to: the body of "1" for "1.2". */
static odm_command **place_of(odm_msg *m, odm_str id)
{
        odm_command **list = &m->body;
        const char *dot = NULL;

        for (size_t i = id.n; i-- > 0 && dot == NULL;)
                if (id.p[i] == '.')
                        dot = id.p + i;
        if (dot) {
                odm_str parent = odm_str_to(id, (size_t)(dot - id.p));
                odm_command *c = *place_of(m, parent);
                while (c && !odm_str_eq(c->cmd_id, parent))
                        c = c->next;
                if (c == NULL)
                        return NULL;
                list = &c->body;
        }
        return list;
}

static odm_command *last_of(odm_command *c)
{
        while (c && (c->next || c->body))
                c = c->next ? c->next : c->body;
        return c;
}

const char *message_add(odm_msg *m, const line *l, odm_arena *a)
{
        odm_command *c, **at;
        odm_item *it;

        if (l->n >= 2 && odm_str_is(l->arg[0].text, "+")) {
                c = last_of(m->body);
                it = make_item(l, 1, true, a);
                if (c == NULL || it == NULL)
                        return "an item of no command";
                append_item(c, it);
                return NULL;
        }
        if (l->n < 2)
                return "no command";
        at = place_of(m, l->arg[0].text);
        c = odm_new(a, odm_command);
        if (at == NULL || c == NULL)
                return "inside nothing";
        c->cmd_id = odm_str_is(l->arg[0].text, "-") ? ODM_ABSENT : l->arg[0].text;
        c->kind = odm_cmd_parse(l->arg[1].text);
        c->name = l->arg[1].text;
        if (!fill(c, l, a))
                return "arguments not understood";
        while (*at)
                at = &(*at)->next;
        *at = c;
        return NULL;
}
