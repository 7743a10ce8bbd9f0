/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of results (gwmo.md 6.2), written: devices with the same outcome share one Group. */
#include <string.h>

#include "fanout_text.h"
#include "odm/fanout.h"

#define DOC_ROOM 256   /* octets of a document without entries and TaskID, at most */
#define ENTRY_ROOM 128 /* of an entry without outcome, text and names */
#define SLOTS_FIRST 64
#define TEXT_MAX 512 /* octets of what is said to people; the rest is cut */

struct odm_gather_group {
        struct odm_gather_group *next;
        uint64_t hash;
        odm_fanout_target state;
        uint32_t count;
        bool is_group;
        odm_buf body; /* outcome, then text */
        size_t outcome_n;
        odm_buf names; /* keys, or a DeviceID */
        odm_buf key;   /* of a Device */
};

static uint64_t hash_of(odm_str s, uint64_t h)
{
        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
        return h;
}

void odm_gather_init(odm_gather *g, const odm_mem *mem, odm_fanout_format format, size_t room)
{
        *g = (odm_gather){.mem = mem, .format = format, .room = room, .used = DOC_ROOM};
        g->last = &g->first;
}

static void free_group(const odm_mem *m, struct odm_gather_group *p)
{
        odm_buf_done(&p->body);
        odm_buf_done(&p->names);
        odm_buf_done(&p->key);
        odm_free(m, p, sizeof *p);
}

void odm_gather_done(odm_gather *g)
{
        struct odm_gather_group *p;

        while ((p = g->first) != NULL) {
                g->first = p->next;
                free_group(g->mem, p);
        }
        odm_free(g->mem, (void *)g->slot, g->n_slots * sizeof *g->slot);
        *g = (odm_gather){.mem = g->mem, .format = g->format};
}

/* ---- groups by outcome -------------------------------------------------------------------------- */

static struct odm_gather_group **slot_of(const odm_gather *g, uint64_t hash,
                                         odm_fanout_target state, odm_str outcome)
{
        for (size_t i = (size_t)hash;; i++) {
                struct odm_gather_group **s = &g->slot[i & (g->n_slots - 1)];
                if (!*s ||
                    ((*s)->hash == hash && (*s)->state == state &&
                     odm_str_eq(odm_str_to(odm_buf_view(&(*s)->body), (*s)->outcome_n), outcome)))
                        return s;
        }
}

static int widen(odm_gather *g)
{
        size_t old = g->n_slots, n = old ? old * 2 : SLOTS_FIRST;
        struct odm_gather_group **was = g->slot;

        if (g->n_groups * 2 < old)
                return 0;
        struct odm_gather_group **to = odm_alloc(g->mem, n * sizeof *to);
        if (!to)
                return ODM_ENOMEM;
        g->slot = to;
        g->n_slots = n;
        for (size_t i = 0; i < old; i++)
                if (was[i])
                        *slot_of(g, was[i]->hash, was[i]->state,
                                 odm_str_to(odm_buf_view(&was[i]->body), was[i]->outcome_n)) =
                                was[i];
        odm_free(g->mem, (void *)was, old * sizeof *was);
        return 0;
}

static struct odm_gather_group *make(odm_gather *g, odm_fanout_target state, odm_str outcome,
                                     odm_str text, bool is_group)
{
        struct odm_gather_group *p = odm_alloc(g->mem, sizeof *p);

        if (!p)
                return NULL;
        *p = (struct odm_gather_group){
                .state = state, .is_group = is_group, .outcome_n = outcome.n};
        odm_buf_init(&p->body, g->mem, outcome.n + TEXT_MAX);
        odm_buf_init(&p->names, g->mem, g->room + ODM_FANOUT_OUTCOME_MAX);
        odm_buf_init(&p->key, g->mem, ODM_FANOUT_OUTCOME_MAX);
        if (odm_buf_str(&p->body, outcome) == 0 &&
            odm_buf_str(&p->body, odm_str_to(text, odm_utf8_cut(text, TEXT_MAX))) == 0)
                return p;
        free_group(g->mem, p);
        return NULL;
}

static void link_group(odm_gather *g, struct odm_gather_group *p, size_t cost)
{
        *g->last = p;
        g->last = &p->next;
        g->used += cost;
        g->n++;
}

static int add_member(struct odm_gather_group *p, odm_str key)
{
        size_t before = p->names.n;
        int rc = before ? odm_buf_byte(&p->names, ' ') : 0;

        if (rc == 0)
                rc = odm_buf_str(&p->names, key);
        if (rc < 0)
                odm_buf_cut(&p->names, before);
        else
                p->count++;
        return rc;
}

static int add_to_group(odm_gather *g, odm_str key, odm_fanout_target state, odm_str outcome,
                        odm_str text)
{
        uint64_t hash = hash_of(outcome, UINT64_C(14695981039346656037) + (uint64_t)state);
        struct odm_gather_group **slot, *p;
        size_t cost = key.n + 1;
        int rc = widen(g);

        if (rc < 0)
                return rc;
        slot = slot_of(g, hash, state, outcome);
        if (*slot) {
                if (g->used + cost > g->room)
                        return 1;
                rc = add_member(*slot, key);
                g->used += rc == 0 ? cost : 0;
                g->n += rc == 0;
                return rc;
        }
        cost += ENTRY_ROOM + outcome.n + odm_fanout_text_size(odm_str_to(text, TEXT_MAX));
        if (g->n && g->used + cost > g->room)
                return 1;
        p = make(g, state, outcome, text, true);
        rc = p ? add_member(p, key) : ODM_ENOMEM;
        if (rc < 0) {
                if (p)
                        free_group(g->mem, p);
                return rc;
        }
        p->hash = hash;
        *slot = p;
        g->n_groups++;
        link_group(g, p, cost);
        return 0;
}

static int add_device(odm_gather *g, odm_str key, odm_str id, odm_fanout_target state,
                      odm_str outcome, odm_str text)
{
        size_t cost = ENTRY_ROOM + outcome.n + odm_fanout_text_size(odm_str_to(text, TEXT_MAX)) +
                      odm_fanout_text_size(id) + odm_fanout_text_size(key);
        struct odm_gather_group *p;

        if (g->n && g->used + cost > g->room)
                return 1;
        p = make(g, state, outcome, text, false);
        if (!p || odm_buf_str(&p->names, id) < 0 || odm_buf_str(&p->key, key) < 0) {
                if (p)
                        free_group(g->mem, p);
                return ODM_ENOMEM;
        }
        link_group(g, p, cost);
        return 0;
}

int odm_gather_add(odm_gather *g, odm_str key, odm_str device_id, odm_fanout_target state,
                   odm_str outcome, odm_str text)
{
        if (g->format == ODM_RETURN_GROUP)
                return add_to_group(g, key, state, outcome, text);
        if (g->format == ODM_RETURN_FULL ||
            (g->format == ODM_RETURN_FAILURES && state != ODM_TARGET_OK))
                return add_device(g, key, device_id, state, outcome, text);
        g->n++;
        return 0;
}

/* ---- the document ------------------------------------------------------------------------------- */

static int put_attribute(odm_buf *b, const char *name, odm_str value)
{
        int rc = odm_buf_fmt(b, " %s=\"", name);

        if (rc == 0)
                rc = odm_fanout_put_text(b, value);
        return rc == 0 ? odm_buf_byte(b, '"') : rc;
}

static int put_entry(odm_buf *b, const struct odm_gather_group *p)
{
        odm_str body = odm_buf_view(&p->body);
        odm_str text = odm_str_from(body, p->outcome_n);
        const char *what = p->is_group ? "Group" : "Device";
        int rc = odm_buf_fmt(b, "<%s", what);

        if (rc == 0 && !p->is_group)
                rc = put_attribute(b, "ID", odm_buf_view(&p->names));
        if (rc == 0 && p->key.n)
                rc = put_attribute(b, "Key", odm_buf_view(&p->key));
        if (rc == 0)
                rc = odm_buf_fmt(b, " State=\"%u\"", (unsigned)p->state);
        if (rc == 0 && text.n)
                rc = put_attribute(b, "Text", text);
        if (rc == 0)
                rc = odm_buf_byte(b, '>');
        if (rc == 0)
                rc = odm_buf_str(b, odm_str_to(body, p->outcome_n));
        if (rc == 0 && p->is_group)
                rc = odm_buf_fmt(b, "<Count>%u</Count><Devices>", (unsigned)p->count);
        if (rc == 0 && p->is_group)
                rc = odm_fanout_put_text(b, odm_buf_view(&p->names));
        if (rc == 0 && p->is_group)
                rc = odm_buf_str(b, ODM_STR("</Devices>"));
        return rc == 0 ? odm_buf_fmt(b, "</%s>", what) : rc;
}

int odm_gather_write(const odm_gather *g, odm_str task, uint32_t seq, bool last,
                     const odm_fanout_totals *t, odm_buf *out)
{
        size_t before = out->n;
        int rc = odm_buf_str(out, ODM_STR("<FanoutResult"));

        if (rc == 0)
                rc = put_attribute(out, "TaskID", task);
        if (rc == 0)
                rc = odm_buf_fmt(out,
                                 " Seq=\"%u\" Last=\"%d\"><Totals Total=\"%u\" Ok=\"%u\" "
                                 "Failed=\"%u\" Pending=\"%u\"/>",
                                 (unsigned)seq, last, (unsigned)t->total, (unsigned)t->ok,
                                 (unsigned)t->failed, (unsigned)t->pending);
        for (const struct odm_gather_group *p = g->first; p && rc == 0; p = p->next)
                rc = put_entry(out, p);
        if (rc == 0)
                rc = odm_buf_str(out, ODM_STR("</FanoutResult>"));
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}
