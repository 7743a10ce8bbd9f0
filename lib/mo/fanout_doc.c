/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a fan-out on one device, as text; and documents of many, as their reader sees them
 * (gwmo.md 6.2).
 *
 *     FanoutResult TaskID Seq Last
 *       Totals Total Ok Failed Pending
 *       Group [State] [Text]     Cmd..  Count  Devices (keys)
 *       Device ID [Key] [State] [Text]   Cmd..
 *     Cmd [CmdRef] Status [Result] [More]
 *       LocURI [Format] [Type] [Size]    text
 *       Data [Encoding="b64"]            of the LocURI before it
 *
 * An outcome is what stands in a Group or a Device: its Cmd elements. */
#include <assert.h>
#include <string.h>

#include "fanout_text.h"
#include "odm/codec.h"
#include "odm/fanout.h"
#include "xml.h"

#define HEAD_ROOM 112 /* octets of a Cmd element without values, at most */
#define DEPTH_MAX 16  /* of elements; ours nest five deep */

/* ---- an outcome's text ---------------------------------------------------------------------- */

static int put_attribute(odm_buf *b, const char *name, odm_str value)
{
        int rc = odm_buf_fmt(b, " %s=\"", name);

        if (rc == 0)
                rc = odm_fanout_put_text(b, value);
        return rc == 0 ? odm_buf_byte(b, '"') : rc;
}

static int put_uri(odm_buf *b, const odm_fanout_value *v, bool cut)
{
        int rc = odm_buf_str(b, ODM_STR("<LocURI"));

        if (rc == 0 && v->value.format != ODM_FMT_ABSENT)
                rc = odm_buf_fmt(b, " Format=\"%s\"", odm_format_name(v->value.format));
        if (rc == 0 && v->value.type.n)
                rc = put_attribute(b, "Type", v->value.type);
        if (rc == 0 && (cut || v->size))
                rc = odm_buf_fmt(b, " Size=\"%llu\"",
                                 (unsigned long long)(cut ? v->value.data.n : v->size));
        if (rc == 0)
                rc = odm_buf_byte(b, '>');
        if (rc == 0)
                rc = odm_fanout_put_text(b, v->uri);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</LocURI>")) : rc;
}

static int put_b64(odm_buf *b, odm_str octets)
{
        odm_arena a;
        odm_str text;
        int rc;

        odm_arena_init(&a, b->mem, odm_b64_size(octets.n) + 64);
        text = odm_b64_encode(&a, octets.p ? octets : ODM_STR(""));
        rc = text.p ? odm_buf_str(b, text) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static int put_data(odm_buf *b, const odm_value *v)
{
        bool b64 = v->format == ODM_FMT_BIN || !odm_xml_can_carry(v->data);
        int rc = odm_buf_str(b, b64 ? ODM_STR("<Data Encoding=\"b64\">") : ODM_STR("<Data>"));

        if (rc == 0)
                rc = b64 ? put_b64(b, v->data) : odm_fanout_put_text(b, v->data);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</Data>")) : rc;
}

static int put_value(odm_buf *b, const odm_fanout_value *v, bool with_data)
{
        int rc = put_uri(b, v, v->has_data && !with_data);

        return rc == 0 && v->has_data && with_data ? put_data(b, &v->value) : rc;
}

/* Writes as much of a value as there is room for up to `end`; 1: nothing of it. */
static int fit_value(odm_buf *b, const odm_fanout_value *v, size_t end)
{
        size_t before = b->n;
        int rc = 0;

        for (int with_data = v->value.data.n < ODM_FANOUT_OUTCOME_MAX; with_data >= 0;
             with_data--) {
                rc = put_value(b, v, with_data);
                if (rc == 0 && b->n <= end)
                        return 0;
                odm_buf_cut(b, before);
                if (rc < 0)
                        return rc;
        }
        return 1;
}

static int put_head(odm_buf *b, const odm_fanout_cmd *c, uint32_t more, bool empty)
{
        int rc = odm_buf_str(b, ODM_STR("<Cmd"));

        if (rc == 0 && c->ref.p)
                rc = put_attribute(b, "CmdRef", c->ref);
        if (rc == 0)
                rc = odm_buf_fmt(b, " Status=\"%u\"", c->status);
        if (rc == 0 && c->result)
                rc = odm_buf_fmt(b, " Result=\"%u\"", c->result);
        if (rc == 0 && more)
                rc = odm_buf_fmt(b, " More=\"%u\"", (unsigned)more);
        return rc == 0 ? odm_buf_str(b, empty ? ODM_STR("/>") : ODM_STR(">")) : rc;
}

/* Values first, since the head says how many are left out. */
static int put_cmd(odm_buf *b, const odm_fanout_cmd *c, size_t end)
{
        odm_buf values;
        uint32_t more = c->more;
        int rc = 0;

        odm_buf_init(&values, b->mem, 3 * ODM_FANOUT_OUTCOME_MAX + 65536);
        for (size_t i = 0; i < c->n && rc >= 0; i++) {
                rc = more > c->more ? 1 : fit_value(&values, &c->v[i], end - b->n - HEAD_ROOM);
                more += rc == 1 || rc == ODM_ELIMIT;
                rc = rc == ODM_ELIMIT ? 1 : rc;
        }
        if (rc >= 0)
                rc = put_head(b, c, more, values.n == 0);
        if (rc == 0 && values.n)
                rc = odm_buf_str(b, odm_buf_view(&values));
        if (rc == 0 && values.n)
                rc = odm_buf_str(b, ODM_STR("</Cmd>"));
        odm_buf_done(&values);
        return rc;
}

static bool writable(const odm_fanout_cmd *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].ref.n > ODM_FANOUT_REF || odm_fanout_text_size(v[i].ref) > ODM_FANOUT_REF)
                        return false;
        return n <= ODM_FANOUT_COMMANDS;
}

int odm_fanout_outcome_write(const odm_fanout_cmd *v, size_t n, odm_buf *out)
{
        size_t start = out->n;
        int rc = writable(v, n) ? 0 : ODM_EINVAL;

        for (size_t i = 0; i < n && rc == 0; i++)
                rc = put_cmd(out, &v[i], start + ODM_FANOUT_OUTCOME_MAX - (n - 1 - i) * HEAD_ROOM);
        assert(rc < 0 || out->n - start <= ODM_FANOUT_OUTCOME_MAX);
        if (rc < 0)
                odm_buf_cut(out, start);
        return rc;
}

odm_fanout_target odm_fanout_judge(const odm_fanout_cmd *v, size_t n, unsigned *status)
{
        bool waits = false;
        unsigned bad = 0;

        for (size_t i = 0; i < n; i++) {
                unsigned s = v[i].status;
                bool took = odm_status_ok(s) && s != ODM_ST_CANCELLED && s != ODM_ST_NOT_EXECUTED &&
                            s != ODM_ST_ROLLED_BACK;
                if (s == ODM_ST_ACCEPTED && v[i].result == 0)
                        waits = true;
                else if (s == ODM_ST_ACCEPTED && !odm_status_ok(v[i].result))
                        bad = bad ? bad : v[i].result;
                else if (!took)
                        bad = bad ? bad : s;
        }
        *status = bad ? bad : ODM_ST_OK;
        return waits ? ODM_TARGET_RUNNING : bad ? ODM_TARGET_FAILED : ODM_TARGET_OK;
}

/* ---- the reader --------------------------------------------------------------------------------- */

enum place {
        IN_NOTHING,
        IN_DOC,
        IN_TOTALS,
        IN_ENTRY,
        IN_CMD,
        IN_URI,
        IN_DATA,
        IN_COUNT,
        IN_KEYS,
        IN_OTHER
};

struct value_link {
        struct value_link *next;
        odm_fanout_value v;
};

struct cmd_link {
        struct cmd_link *next;
        odm_fanout_cmd c;
};

struct reader {
        struct xml_parse parse; /* comes first: see xml.h */
        odm_arena *a;
        odm_fanout_doc doc;
        odm_fanout_entry *entry, **entries;
        struct cmd_link *cmds, **cmd, *now;
        struct value_link *values, **value, *here;
        enum place at[DEPTH_MAX];
        unsigned depth;
        odm_buf text; /* since the last tag */
        bool rooted, b64, has_state, has_count;
};

static odm_str attribute(const char **attributes, const char *name)
{
        for (; attributes[0]; attributes += 2)
                if (strcmp(attributes[0], name) == 0)
                        return odm_cstr(attributes[1]);
        return ODM_ABSENT;
}

/* A number that may be left out, as 0. */
static uint64_t number(struct reader *r, const char **attributes, const char *name, uint64_t max)
{
        odm_str s = attribute(attributes, name);
        uint64_t v = 0;

        if (s.p && odm_str_u64(odm_str_trim(s), max, &v) < 0)
                odm_xml_fail(&r->parse, ODM_EMALFORMED);
        return v;
}

static odm_str copy(struct reader *r, odm_str s)
{
        odm_str c = odm_arena_copy(r->a, s);

        if (s.p && !c.p)
                odm_xml_fail(&r->parse, odm_arena_err(r->a));
        return c;
}

static void *room(struct reader *r, size_t n)
{
        void *p = odm_arena_zget(r->a, n);

        if (!p)
                odm_xml_fail(&r->parse, odm_arena_err(r->a));
        return p;
}

static void begin_doc(struct reader *r, const char **at)
{
        r->rooted = true;
        r->doc.task = copy(r, attribute(at, "TaskID"));
        r->doc.seq = (uint32_t)number(r, at, "Seq", UINT32_MAX);
        r->doc.last = number(r, at, "Last", 1) == 1;
}

static void begin_totals(struct reader *r, const char **at)
{
        r->doc.totals = (odm_fanout_totals){(uint32_t)number(r, at, "Total", UINT32_MAX),
                                            (uint32_t)number(r, at, "Ok", UINT32_MAX),
                                            (uint32_t)number(r, at, "Failed", UINT32_MAX),
                                            (uint32_t)number(r, at, "Pending", UINT32_MAX)};
}

static void begin_entry(struct reader *r, const char **at, bool is_group)
{
        odm_fanout_entry *e = room(r, sizeof *e);

        if (!e)
                return;
        e->is_group = is_group;
        e->count = !is_group;
        r->has_state = attribute(at, "State").p != NULL;
        r->has_count = false;
        e->state = (odm_fanout_target)number(r, at, "State", ODM_TARGET_CANCELLED);
        e->text = copy(r, attribute(at, "Text"));
        e->id = copy(r, attribute(at, "ID"));
        e->key = copy(r, attribute(at, "Key"));
        r->cmds = NULL;
        r->cmd = &r->cmds;
        r->entry = e;
        *r->entries = e;
        r->entries = &e->next;
}

static void begin_cmd(struct reader *r, const char **at)
{
        struct cmd_link *l = room(r, sizeof *l);

        if (!l)
                return;
        l->c.ref = copy(r, attribute(at, "CmdRef"));
        if (l->c.ref.n > ODM_FANOUT_REF || !attribute(at, "Status").p)
                odm_xml_fail(&r->parse, ODM_EMALFORMED);
        l->c.status = (unsigned)number(r, at, "Status", 9999);
        l->c.result = (unsigned)number(r, at, "Result", 9999);
        l->c.more = (uint32_t)number(r, at, "More", UINT32_MAX);
        r->values = r->here = NULL;
        r->value = &r->values;
        *r->cmd = r->now = l;
        r->cmd = &l->next;
        if (++r->entry->n > ODM_FANOUT_COMMANDS)
                odm_xml_fail(&r->parse, ODM_ELIMIT);
}

static void begin_uri(struct reader *r, const char **at)
{
        struct value_link *l = room(r, sizeof *l);
        odm_str format = attribute(at, "Format");

        if (!l)
                return;
        if (format.p)
                l->v.value.format = odm_format_parse(format);
        l->v.value.type = copy(r, attribute(at, "Type"));
        l->v.size = number(r, at, "Size", UINT64_MAX);
        *r->value = r->here = l;
        r->value = &l->next;
}

static enum place inside_entry(struct reader *r, const char *name, const char **at)
{
        if (strcmp(name, "Cmd") == 0) {
                begin_cmd(r, at);
                return IN_CMD;
        }
        if (r->entry && r->entry->is_group && strcmp(name, "Count") == 0)
                return IN_COUNT;
        return r->entry && r->entry->is_group && strcmp(name, "Devices") == 0 ? IN_KEYS : IN_OTHER;
}

static enum place inside_cmd(struct reader *r, const char *name, const char **at)
{
        if (strcmp(name, "LocURI") == 0) {
                begin_uri(r, at);
                return IN_URI;
        }
        if (strcmp(name, "Data") != 0 || !r->here || r->here->v.has_data)
                return IN_OTHER;
        r->b64 = odm_str_is(attribute(at, "Encoding"), "b64");
        return IN_DATA;
}

static enum place inside_doc(struct reader *r, const char *name, const char **at)
{
        bool is_group = strcmp(name, "Group") == 0;

        if (strcmp(name, "Totals") == 0) {
                begin_totals(r, at);
                return IN_TOTALS;
        }
        if (!is_group && strcmp(name, "Device") != 0)
                return IN_OTHER;
        begin_entry(r, at, is_group);
        return IN_ENTRY;
}

static enum place enter(struct reader *r, enum place in, const char *name, const char **at)
{
        switch (in) {
        case IN_NOTHING:
                if (strcmp(name, "FanoutResult") != 0) {
                        odm_xml_fail(&r->parse, ODM_EMALFORMED);
                        return IN_OTHER;
                }
                begin_doc(r, at);
                return IN_DOC;
        case IN_DOC: return inside_doc(r, name, at);
        case IN_ENTRY: return inside_entry(r, name, at);
        case IN_CMD: return inside_cmd(r, name, at);
        case IN_TOTALS:
        case IN_URI:
        case IN_DATA:
        case IN_COUNT:
        case IN_KEYS:
        case IN_OTHER: return IN_OTHER;
        }
        ODM_UNREACHABLE();
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
        struct reader *r = ctx;

        if (r->parse.rc < 0)
                return;
        if (r->depth + 1 == DEPTH_MAX) {
                odm_xml_fail(&r->parse, ODM_ELIMIT);
                return;
        }
        enum place to = enter(r, r->at[r->depth], name, attributes);
        r->at[++r->depth] = to;
        odm_buf_cut(&r->text, 0);
}

static void end_data(struct reader *r, odm_str text)
{
        odm_fanout_value *v = &r->here->v;
        odm_str octets = ODM_ABSENT;
        int rc;

        v->has_data = true;
        if (!r->b64) {
                v->value.data = copy(r, text);
                return;
        }
        rc = odm_b64_decode(r->a, text, &octets);
        odm_xml_fail(&r->parse, rc);
        v->value.data = octets;
}

static void end_cmd(struct reader *r)
{
        odm_fanout_value *v;
        size_t n = 0;

        for (struct value_link *i = r->values; i; i = i->next)
                n++;
        v = n ? room(r, n * sizeof *v) : NULL;
        if (!v)
                return;
        r->now->c.v = v;
        r->now->c.n = n;
        for (struct value_link *i = r->values; i; i = i->next)
                *v++ = i->v;
}

bool odm_fanout_next_key(odm_str keys, size_t *at, odm_str *key)
{
        size_t from = *at, to;

        while (from < keys.n && strchr(" \t\r\n", keys.p[from]))
                from++;
        to = from;
        while (to < keys.n && !strchr(" \t\r\n", keys.p[to]))
                to++;
        *at = to;
        *key = (odm_str){keys.p + from, to - from};
        return to > from;
}

static void end_keys(struct reader *r, odm_str text)
{
        odm_str key;
        size_t at = 0;

        r->entry->keys = copy(r, odm_str_trim(text));
        r->entry->count = 0;
        while (r->parse.rc == 0 && odm_fanout_next_key(r->entry->keys, &at, &key))
                r->entry->count++;
        r->has_count = true;
}

static void end_count(struct reader *r, odm_str text)
{
        uint64_t n = 0;

        if (odm_str_u64(odm_str_trim(text), UINT32_MAX, &n) < 0)
                odm_xml_fail(&r->parse, ODM_EMALFORMED);
        else if (!r->has_count) /* keys tell better */
                r->entry->count = (uint32_t)n;
}

static void end_entry(struct reader *r)
{
        odm_fanout_entry *e = r->entry;
        odm_fanout_cmd *v = e->n ? room(r, e->n * sizeof *v) : NULL;
        unsigned status;

        e->cmd = v;
        if (!v && e->n)
                return;
        for (struct cmd_link *l = r->cmds; l && v; l = l->next)
                *v++ = l->c;
        if (!r->has_state)
                e->state = odm_fanout_judge(e->cmd, e->n, &status);
        if (!e->is_group && e->id.n == 0 && e->key.n == 0)
                odm_xml_fail(&r->parse, ODM_EMALFORMED);
}

static void leave(struct reader *r, enum place at, odm_str text)
{
        switch (at) {
        case IN_URI: r->here->v.uri = copy(r, odm_str_trim(text)); break;
        case IN_DATA: end_data(r, text); break;
        case IN_CMD: end_cmd(r); break;
        case IN_COUNT: end_count(r, text); break;
        case IN_KEYS: end_keys(r, text); break;
        case IN_ENTRY: end_entry(r); break;
        case IN_NOTHING:
        case IN_DOC:
        case IN_TOTALS:
        case IN_OTHER: break;
        }
}

static void on_end(void *ctx, const char *name)
{
        struct reader *r = ctx;

        (void)name;
        if (r->parse.rc < 0)
                return;
        assert(r->depth > 0);
        leave(r, r->at[r->depth--], odm_buf_view(&r->text));
        odm_buf_cut(&r->text, 0);
}

static void on_text(void *ctx, const char *s, int n)
{
        struct reader *r = ctx;

        if (r->parse.rc == 0)
                odm_xml_fail(&r->parse, odm_buf_put(&r->text, s, (size_t)n));
}

int odm_fanout_doc_read(odm_str xml, odm_arena *a, odm_fanout_doc *out)
{
        struct reader r = {.a = a, .at = {IN_NOTHING}};
        int rc;

        if (xml.n > ODM_FANOUT_DOC_MAX)
                return ODM_ELIMIT;
        r.entries = &r.doc.entries;
        odm_buf_init(&r.text, a->mem, ODM_FANOUT_DOC_MAX);
        rc = odm_xml_run(&r.parse, xml, on_start, on_end, on_text);
        odm_buf_done(&r.text);
        if (rc == 0 && (!r.rooted || r.doc.task.n == 0 || r.doc.seq == 0))
                rc = ODM_EMALFORMED;
        if (rc == 0)
                *out = r.doc;
        return rc;
}

int odm_fanout_outcome_read(odm_str text, odm_arena *a, const odm_fanout_cmd **out, size_t *n)
{
        odm_str doc = odm_arena_join(
                a, ODM_STR("<FanoutResult TaskID=\"t\" Seq=\"1\"><Device ID=\"d\">"), text);
        odm_fanout_doc d = {.entries = NULL};
        int rc;

        if (doc.p)
                doc = odm_arena_join(a, doc, ODM_STR("</Device></FanoutResult>"));
        if (!doc.p)
                return odm_arena_err(a);
        rc = odm_fanout_doc_read(doc, a, &d);
        if (rc < 0)
                return rc;
        if (!d.entries || d.entries->next)
                return ODM_EMALFORMED;
        *out = d.entries->cmd;
        *n = d.entries->n;
        return 0;
}
