/* SPDX-License-Identifier: Apache-2.0 */
/* A command of a job as it goes into a message: with CmdIDs, and its values in the
 * form of the session's codec (dm-representation.md 4.10 rule 6, dm-tree.md 8).  The host's
 * commands are never written to: a session may send them twice, and in another form. */
#include "session.h"

static odm_item *clone_items(odm_arena *a, const odm_item *from)
{
        odm_item *head = NULL, **end = &head;

        for (; from; from = from->next) {
                odm_item *c = odm_arena_get(a, sizeof *c);
                if (c == NULL)
                        return NULL;
                *c = *from;
                c->next = NULL;
                *end = c;
                end = &c->next;
        }
        return head;
}

static odm_command *clone_one(odm_arena *a, const odm_command *from, uint32_t id)
{
        odm_command *c = odm_arena_get(a, sizeof *c);

        if (c == NULL)
                return NULL;
        *c = *from;
        c->next = c->body = NULL;
        c->cmd_id = odm_arena_number(a, id);
        c->items = clone_items(a, from->items);
        return a->err ? NULL : c;
}

/* Clones the members of `from` below `to`, numbering from *id on. */
static bool clone_members(odm_arena *a, const odm_command *from, odm_command *to, uint32_t *id)
{
        odm_command **end = &to->body;

        for (const odm_command *m = from->body; m; m = m->next) {
                odm_command *c = clone_one(a, m, (*id)++);
                if (c == NULL)
                        return false;
                *end = c;
                end = &c->next;
                if (m->body && !clone_members(a, m, c, id)) /* odm_job_allowed(): one level more */
                        return false;
        }
        return true;
}

int odm_clone_command(odm_server *s, const odm_command *c, uint32_t id, bool convert,
                      odm_command **out)
{
        odm_command *copy = clone_one(&s->arena, c, id++);

        if (copy == NULL || !clone_members(&s->arena, c, copy, &id))
                return odm_session_arena_err(s, &s->arena);
        if (convert) {
                odm_msg wrap = {.body = copy};
                int rc = odm_msg_convert(&wrap, odm_session_codec(s), &s->arena);
                if (rc < 0)
                        return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
        }
        *out = copy;
        return 0;
}
