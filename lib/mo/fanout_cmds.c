/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of a fan-out (gwmo.md 6, leaf Cmds): read by the codec as the body of a message, and
 * made the commands of one device by putting in what is its own.  Names are put in after parsing,
 * so that no device's name can bring commands of its own. */
#include <string.h>

#include "fanout_text.h"
#include "odm/codec.h"
#include "odm/fanout.h"
#include "stored.h"

#define HEAD "<SyncML><SyncHdr></SyncHdr>"
#define TAIL "</SyncML>"
#define DEPTH 3         /* a command in an Atomic in a Sequence: odm_stored_wrong() sees to that */
#define NAME_MAX_REF 64 /* octets of IMAGEID in {LocalURL:IMAGEID} */

/* ---- names ------------------------------------------------------------------------------ */

typedef enum name_kind { NAME_NONE, NAME_URL, NAME_ID, NAME_NAME } name_kind;

/* What begins at `s`, a brace, with its length in *n, and the image it names. */
static name_kind name_at(odm_str s, size_t *n, odm_str *image)
{
        static const struct {
                const char *text;
                name_kind kind;
        } names[] = {{"{LocalURL}", NAME_URL}, {"{DeviceID}", NAME_ID}, {"{Name}", NAME_NAME}};

        for (size_t i = 0; i < ODM_COUNT(names); i++)
                if (odm_str_starts(s, names[i].text)) {
                        *n = strlen(names[i].text);
                        *image = ODM_ABSENT;
                        return names[i].kind;
                }
        if (!odm_str_starts(s, "{LocalURL:"))
                return NAME_NONE;
        odm_str rest = odm_str_from(s, strlen("{LocalURL:"));
        const char *end = memchr(rest.p, '}', rest.n <= NAME_MAX_REF ? rest.n : NAME_MAX_REF + 1);
        if (end == NULL || end == rest.p)
                return NAME_NONE;
        *image = odm_str_to(rest, (size_t)(end - rest.p));
        *n = (size_t)(end + 1 - s.p);
        return NAME_URL;
}

/* The first name in `s`: where it is; s.n when there is none. */
static size_t find_name(odm_str s, name_kind *kind, size_t *n, odm_str *image)
{
        size_t at = 0;

        *kind = NAME_NONE;
        while (at < s.n) {
                const char *brace = memchr(s.p + at, '{', s.n - at);
                if (brace == NULL)
                        return s.n;
                at = (size_t)(brace - s.p);
                *kind = name_at(odm_str_from(s, at), n, image);
                if (*kind != NAME_NONE)
                        return at;
                at++;
        }
        return s.n;
}

static bool has_name(odm_str s)
{
        name_kind kind = NAME_NONE;
        odm_str image;
        size_t n;

        (void)find_name(s, &kind, &n, &image);
        return kind != NAME_NONE;
}

static int value_of(const odm_fanout_names *names, name_kind kind, odm_str image, odm_arena *a,
                    odm_str *out)
{
        if (kind == NAME_URL)
                return names->local_url ? names->local_url(names->ctx, image, a, out) : ODM_ENOENT;
        *out = kind == NAME_ID ? names->device_id : names->name;
        return 0;
}

static int put_names(odm_str s, const odm_fanout_names *names, bool escape, odm_arena *a,
                     odm_buf *b)
{
        int rc = 0;

        while (s.n > 0 && rc == 0) {
                odm_str image, value = ODM_ABSENT;
                name_kind kind;
                size_t n = 0;
                size_t at = find_name(s, &kind, &n, &image);
                rc = odm_buf_str(b, odm_str_to(s, at));
                s = odm_str_from(s, at);
                if (rc < 0 || kind == NAME_NONE)
                        continue;
                rc = value_of(names, kind, image, a, &value);
                if (rc == 0)
                        rc = escape ? odm_fanout_put_text(b, value) : odm_buf_str(b, value);
                s = odm_str_from(s, n);
        }
        return rc;
}

/* `s` with the device's names in it. */
static int with_names(odm_str s, const odm_fanout_names *names, bool escape, odm_arena *a,
                      odm_str *out)
{
        odm_buf b;
        int rc;

        if (!has_name(s)) {
                *out = s;
                return 0;
        }
        odm_buf_init(&b, a->mem, ODM_FANOUT_CMDS_MAX);
        rc = put_names(s, names, escape, a, &b);
        if (rc == 0) {
                odm_str copy = odm_arena_copy(a, odm_buf_view(&b));
                rc = copy.p ? 0 : odm_arena_err(a);
                if (rc == 0)
                        *out = copy;
        }
        odm_buf_done(&b);
        return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool items_have_names(const odm_command *c)
{
        for (const odm_item *i = c->items; i; i = i->next)
                if (has_name(i->target) || has_name(i->source) || has_name(i->data.bytes))
                        return true;
        return false;
}

static const char *take(odm_fanout_cmds *c, const odm_command *cmd, const odm_command *around)
{
        const char *why = odm_stored_wrong(cmd, around);

        if (why)
                return why;
        if (c->n == ODM_FANOUT_COMMANDS)
                return "too many commands";
        if (cmd->cmd_id.n > ODM_FANOUT_REF)
                return "a CmdID too long";
        c->at[c->n++] = cmd;
        c->has_names |= items_have_names(cmd);
        c->replaces &= !around && cmd->kind == ODM_CMD_REPLACE;
        c->again &= cmd->kind == ODM_CMD_GET || cmd->kind == ODM_CMD_REPLACE || cmd->body != NULL;
        return NULL;
}

static const char *take_all(odm_fanout_cmds *c)
{
        const odm_command *next[DEPTH] = {c->list}, *around[DEPTH] = {NULL};
        size_t depth = 1;

        while (depth) {
                const odm_command *cmd = next[depth - 1];
                if (!cmd) {
                        depth--;
                        continue;
                }
                next[depth - 1] = cmd->next;
                const char *why = take(c, cmd, around[depth - 1]);
                if (why)
                        return why;
                if (cmd->body) {
                        around[depth] = cmd;
                        next[depth++] = cmd->body;
                }
        }
        return c->n ? NULL : "no command";
}

/* The text from its root element on. */
static odm_str root_of(odm_str text)
{
        text = odm_str_trim(text);
        if (odm_str_starts(text, "<?xml")) {
                const char *end = memchr(text.p, '>', text.n);
                if (end)
                        text = odm_str_trim(odm_str_from(text, (size_t)(end + 1 - text.p)));
        }
        return text;
}

static int decode(odm_str text, odm_arena *a, odm_msg **out)
{
        odm_limits lim;
        odm_str doc = odm_arena_join(a, ODM_STR(HEAD), root_of(text));

        if (doc.p)
                doc = odm_arena_join(a, doc, ODM_STR(TAIL));
        if (!doc.p)
                return odm_arena_err(a);
        odm_limits_init(&lim);
        lim.max_msg = ODM_FANOUT_CMDS_MAX + sizeof HEAD + sizeof TAIL;
        lim.max_commands = ODM_FANOUT_COMMANDS + 1;
        return odm_decode(&odm_codec_xml, doc, &lim, a, out);
}

int odm_fanout_cmds_parse(odm_str text, odm_arena *a, odm_fanout_cmds *out, const char **why)
{
        odm_fanout_cmds c = {.again = true, .replaces = true};
        odm_msg *m = NULL;
        int rc = text.n > ODM_FANOUT_CMDS_MAX ? ODM_ELIMIT : decode(text, a, &m);

        *why = rc == ODM_ELIMIT ? "too much" : "no commands in the XML of SyncML";
        if (rc < 0)
                return rc;
        if (!m->has_body)
                return ODM_EMALFORMED;
        c.at = odm_arena_get(a, ODM_FANOUT_COMMANDS * sizeof *c.at);
        if (!c.at)
                return odm_arena_err(a);
        c.list = m->body;
        *why = take_all(&c);
        if (*why)
                return ODM_EMALFORMED;
        *out = c;
        return 0;
}

odm_str odm_fanout_cmds_ref(const odm_fanout_cmds *c, uint32_t i, odm_arena *a)
{
        odm_str id = odm_str_trim(c->at[i]->cmd_id);

        return id.n ? id : odm_arena_number(a, (uint64_t)i + 1);
}

/* ---- for one device ------------------------------------------------------------------------- */

static int copy_items(const odm_item *from, const odm_fanout_names *n, odm_arena *a,
                      odm_item **tail)
{
        int rc = 0;

        for (; from && rc == 0; from = from->next) {
                odm_item *i = odm_new(a, odm_item);
                if (!i)
                        return odm_arena_err(a);
                *i = *from;
                i->next = NULL;
                rc = with_names(from->target, n, false, a, &i->target);
                if (rc == 0)
                        rc = with_names(from->source, n, false, a, &i->source);
                if (rc == 0)
                        rc = with_names(from->data.bytes, n, from->data.kind == ODM_DATA_XML, a,
                                        &i->data.bytes);
                *tail = i;
                tail = &i->next;
        }
        return rc;
}

static int copy_command(const odm_command *from, const odm_fanout_names *n, odm_str tag,
                        uint32_t number, odm_arena *a, odm_command **out)
{
        odm_command *c = odm_new(a, odm_command);

        if (!c)
                return odm_arena_err(a);
        *c = *from;
        c->next = c->body = NULL;
        c->items = NULL;
        if (c->kind == ODM_CMD_EXEC) {
                c->correlator = odm_arena_fmt(a, "%.*s.%u", (int)tag.n, tag.p, (unsigned)number);
                if (!c->correlator.p)
                        return odm_arena_err(a);
        }
        *out = c;
        return copy_items(from->items, n, a, &c->items);
}

int odm_fanout_cmds_for(const odm_fanout_cmds *c, const odm_fanout_names *n, odm_str tag,
                        odm_arena *a, const odm_command **out)
{
        odm_command *list = NULL, **tail[DEPTH] = {&list};
        const odm_command *next[DEPTH] = {c->list};
        uint32_t number = 0;
        size_t depth = 1;

        while (depth) {
                const odm_command *from = next[depth - 1];
                odm_command *copy = NULL;
                if (!from) {
                        depth--;
                        continue;
                }
                next[depth - 1] = from->next;
                int rc = copy_command(from, n, tag, number++, a, &copy);
                if (rc < 0)
                        return rc;
                *tail[depth - 1] = copy;
                tail[depth - 1] = &copy->next;
                if (from->body) {
                        next[depth] = from->body;
                        tail[depth++] = &copy->body;
                }
        }
        *out = list;
        return 0;
}

int odm_fanout_tag(odm_str correlator, odm_str *tag, uint32_t *n)
{
        size_t dot = correlator.n;
        uint64_t number;

        while (dot > 0 && correlator.p[dot - 1] != '.')
                dot--;
        if (dot < 2 ||
            odm_str_u64(odm_str_from(correlator, dot), ODM_FANOUT_COMMANDS - 1, &number) < 0)
                return ODM_EMALFORMED;
        *tag = odm_str_to(correlator, dot - 1);
        *n = (uint32_t)number;
        return 0;
}

/* ---- what needs not be sent any more ------------------------------------------------------------ */

static bool replaces(const odm_fanout_cmds *c, odm_str node)
{
        for (uint32_t i = 0; i < c->n; i++)
                for (const odm_item *it = c->at[i]->items; it; it = it->next)
                        if (odm_str_eq(odm_str_trim(it->target), node))
                                return true;
        return false;
}

bool odm_fanout_overtakes(const odm_fanout_cmds *late, const odm_fanout_cmds *early)
{
        if (!late->replaces || !early->replaces)
                return false;
        for (uint32_t i = 0; i < early->n; i++)
                for (const odm_item *it = early->at[i]->items; it; it = it->next)
                        if (!replaces(late, odm_str_trim(it->target)))
                                return false;
        return true;
}
