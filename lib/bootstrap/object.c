/* SPDX-License-Identifier: Apache-2.0 */
/* What a bootstrap message holds: the objects of its Add commands to ./Inbox
 * (dm-security-bootstrap-notification.md C3), or those that Client Provisioning stands for. */
#include <assert.h>

#include "record.h"

struct taker {
        const odm_limits *lim;
        odm_arena *a;
        odm_doc_node **end;
        odm_doc *doc;
};

static bool is_tnds(odm_str type)
{
        type = odm_str_trim(type);
        return odm_str_ieq(type, "application/vnd.syncml.dmtnds+wbxml") ||
               odm_str_ieq(type, "application/vnd.syncml.dmtnds+xml");
}

/* The name behind ./Inbox, empty for none; false for another place. */
static bool inbox_name(odm_str target, odm_str *name)
{
        odm_str s = odm_str_trim(target);

        if (odm_str_starts(s, "./"))
                s = odm_str_from(s, 2);
        if (!odm_str_starts(s, "Inbox"))
                return false;
        s = odm_str_from(s, 5);
        if (s.n && *s.p != '/')
                return false;
        *name = odm_str_from(s, 1);
        return !odm_str_has(*name, '/') && !odm_str_has(*name, '?');
}

static int take_item(struct taker *t, const odm_command *cmd, const odm_item *item)
{
        odm_meta meta = odm_meta_of(cmd, item);
        odm_str name, bytes = item->data.bytes;
        odm_doc *doc = NULL;
        int rc = 0;

        if (!inbox_name(item->target, &name) || !is_tnds(meta.type) || item->more)
                return ODM_EUNSUPPORTED;
        if (meta.format == ODM_FMT_B64)
                rc = odm_b64_decode(t->a, bytes, &bytes);
        if (rc == 0)
                rc = odm_doc_decode(bytes, t->lim, t->a, &doc);
        if (rc < 0)
                return rc;
        assert(doc);
        if (doc->nodes && doc->nodes->next == NULL && doc->nodes->name.n == 0)
                doc->nodes->name = name;
        *t->end = doc->nodes;
        while (*t->end)
                t->end = &(*t->end)->next;
        return 0;
}

static int take_add(struct taker *t, const odm_command *cmd)
{
        int rc = cmd->kind == ODM_CMD_ADD && cmd->items ? 0 : ODM_EUNSUPPORTED;

        for (const odm_item *it = cmd->items; it && rc == 0; it = it->next)
                rc = take_item(t, cmd, it);
        return rc;
}

/* All of it is one transaction anyway: a Sequence or Atomic around the Adds changes nothing. */
static int take_command(struct taker *t, const odm_command *cmd)
{
        int rc = 0;

        if (cmd->kind != ODM_CMD_ATOMIC && cmd->kind != ODM_CMD_SEQUENCE)
                return take_add(t, cmd);
        for (const odm_command *c = cmd->body; c && rc == 0; c = c->next)
                rc = take_add(t, c);
        return rc;
}

static int dm_objects(odm_str text, const odm_limits *lim, odm_arena *a, odm_doc **out)
{
        struct taker t = {.lim = lim, .a = a, .doc = odm_new(a, odm_doc)};
        odm_msg *m = NULL;
        int rc = t.doc ? odm_decode(&odm_codec_wbxml, text, lim, a, &m) : odm_arena_err(a);

        if (rc < 0)
                return rc;
        assert(m);
        t.end = &t.doc->nodes;
        for (const odm_command *c = m->body; c && rc == 0; c = c->next)
                rc = take_command(&t, c);
        if (rc == 0) {
                t.doc->ver_dtd = ODM_STR("1.2");
                *out = t.doc;
        }
        return rc;
}

int odm_boot_objects(const odm_boot *b, const odm_limits *lim, odm_arena *a, odm_doc **out)
{
        return b->profile == ODM_BOOT_CP ? odm_boot_cp_objects(b->doc, lim, a, out)
                                         : dm_objects(b->doc, lim, a, out);
}
