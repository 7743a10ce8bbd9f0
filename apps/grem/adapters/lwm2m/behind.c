/* SPDX-License-Identifier: Apache-2.0 */
/* Devices behind a device that is a gateway of LwM2M itself (/25, lwm2m.md 4).  Each is a device of
 * its own, with record, bridge and row; it is spoken to at the address of its gateway, below a
 * prefix, which is to it what an alternate path is to others.  It goes when its gateway goes. */
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

#define ROOT_MAX 47 /* octets before paths: the bridge has no room for more */
#define LINKS_MEMORY ((size_t)1 << 20)
#define LINKS_MAX ((size_t)64 << 10)

typedef struct entry { /* an instance of /25 */
        odm_str id, prefix, objects;
} entry;

void lw_behind_leave(client *c)
{
        client **at;

        if (!c->front)
                return;
        at = &c->front->behind;
        while (*at != c)
                at = &(*at)->beside;
        *at = c->beside;
        c->front = c->beside = NULL;
        odm_bridge_behind(c->bridge, false);
}

void lw_behind_join(client *c, client *front)
{
        if (c->front == front)
                return;
        lw_behind_leave(c);
        c->front = front;
        c->beside = front->behind;
        front->behind = c;
        c->fresh = true;
        odm_bridge_behind(c->bridge, true);
}

/* ---- what a gateway says of them ------------------------------------------------------------------- */

static odm_str text_of(const odm_lw_list *l, uint16_t instance, uint16_t id)
{
        const odm_lw_node *n = odm_lw_list_find(l, ODM_LW_PATH3(LW_GATEWAY, instance, id));

        return n && n->value.data.p ? n->value.data : ODM_STR("");
}

static bool is_prefix(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("/<>\"?#", s.p[i]))
                        return false;
        return s.n > 0;
}

/* Why it is not taken; NULL: it is. */
static const char *fault_of(const client *front, const entry *e)
{
        const client *known = lw_client_by_name(front->a, e->id);

        if (e->id.n == 0 || e->id.n > ODM_LW_EP_MAX || !odm_utf8_ok(e->id))
                return "no identifier";
        if (!is_prefix(e->prefix) || strlen(front->root) + e->prefix.n + 2 > ROOT_MAX)
                return "no prefix";
        if (known && known->location[0])
                return "it has a registration of its own";
        return lw_keys_need(front->a, e->id) ? "it has a key" : NULL;
}

/* Its objects as a registration with an alternate path would tell them, whether the gateway says
 * them with the prefix or without. */
static int links_of(const client *front, const entry *e, odm_arena *mem, odm_buf *out)
{
        odm_str prefix = odm_arena_fmt(mem, "/%.*s", (int)e->prefix.n, e->prefix.p);
        odm_lw_links l;
        int rc = prefix.p ? odm_lw_links_parse(e->objects, prefix, mem, &l) : odm_arena_err(mem);

        if (rc == 0 && l.n == 0)
                rc = odm_lw_links_parse(e->objects, ODM_STR(""), mem, &l);
        if (rc < 0)
                return rc;
        l.cts = front->cts;
        l.root = odm_arena_fmt(mem, "%s%s%.*s", front->root[0] ? "/" : "", front->root,
                               (int)prefix.n, prefix.p);
        return l.root.p ? odm_lw_links_format(&l, true, out) : odm_arena_err(mem);
}

/* 1: something is to be kept; 0: it is as it was. */
static int describe(client *c, client *front, odm_str links)
{
        bool same = c->bridge && odm_str_is(links, c->links) &&
                    strcmp(c->version, front->version) == 0 && c->front == front;
        int rc = same ? 0 : lw_client_offers(c, links, odm_cstr(front->version));

        if (rc < 0)
                return rc;
        if (!same)
                lw_greet_anew(c);
        c->queue = front->queue;
        c->lifetime_s = front->lifetime_s;
        memcpy(c->binding, front->binding, sizeof c->binding);
        lw_behind_join(c, front);
        return !same;
}

static void settle(client *c)
{
        if (c->fresh)
                lw_work_back(c);
        c->fresh = false;
        lw_client_present(c);
        lw_greet(c);
        lw_watch_retell(c);
        lw_work_pump(c);
}

static int adopt(client *front, const entry *e, odm_str links)
{
        client *known = lw_client_by_name(front->a, e->id);
        client *c = known ? known : lw_client_new(front->a, e->id);
        int rc = c ? describe(c, front, links) : ODM_ELIMIT;

        if (rc < 0) {
                if (c && !known)
                        lw_client_free(c);
                return rc;
        }
        c->listed = true;
        if (lw_client_introduce(c)) { /* an operator switched it off: asked for again later */
                front->relook = true;
                lw_client_gone(c, ADAPTER_OPERATOR);
                return 0;
        }
        if (rc > 0 && lw_client_save(c, NULL, NULL) < 0)
                log_error("a device behind another is not kept", log_text("endpoint", c->ep));
        settle(c);
        return 0;
}

static void take(client *front, const entry *e)
{
        const char *why = fault_of(front, e);
        odm_arena mem;
        odm_buf links;
        int rc = 0;

        odm_arena_init(&mem, &heap_mem, LINKS_MEMORY);
        odm_buf_init(&links, &heap_mem, LINKS_MAX);
        if (!why)
                rc = links_of(front, e, &mem, &links);
        if (!why && rc == 0)
                rc = adopt(front, e, odm_buf_view(&links));
        if (why || rc < 0)
                log_warn("a device behind another is not taken", log_text("gateway", front->ep),
                         log_str("endpoint", odm_str_to(e->id, ODM_LW_EP_MAX)),
                         log_text("why", why ? why : odm_err_text(rc)));
        odm_buf_done(&links);
        odm_arena_done(&mem);
}

/* The next one of the instances that a list tells; false: there is none. */
static bool next_of(const odm_lw_list *l, size_t *i, int32_t *last, entry *out)
{
        while (*i < l->n) {
                odm_lw_path p = l->v[(*i)++].path;
                if (p.depth < 2 || p.id[0] != LW_GATEWAY || (int32_t)p.id[1] <= *last)
                        continue;
                *last = p.id[1];
                *out = (entry){text_of(l, p.id[1], 0), text_of(l, p.id[1], 1),
                               text_of(l, p.id[1], 3)};
                return true;
        }
        return false;
}

static client *unlisted(const client *front)
{
        client *c = front->behind;

        while (c && c->listed)
                c = c->beside;
        return c;
}

void lw_behind_learn(client *front, const odm_lw_list *l)
{
        int32_t last = -1;
        size_t i = 0;
        client *c;
        entry e;

        for (c = front->behind; c; c = c->beside)
                c->listed = false;
        while (next_of(l, &i, &last, &e))
                take(front, &e);
        while ((c = unlisted(front)))
                lw_client_gone(c, ADAPTER_DEREGISTERED);
}

void lw_behind_moved(client *front)
{
        for (client *c = front->behind; c; c = c->beside) {
                lw_watch_stop_all(c);
                lw_greet_anew(c);
                c->fresh = true;
        }
}

void lw_behind_heard(client *front)
{
        for (client *c = front->behind, *next; c; c = next) {
                next = c->beside;
                lw_greet(c);
                lw_watch_retell(c);
                lw_work_pump(c);
        }
        if (!front->relook || !lw_client_awake(front))
                return;
        front->relook = false;
        lw_behind_look(front);
}

void lw_behind_look(client *front)
{
        const odm_lw_path all = ODM_LW_PATH1(LW_GATEWAY);

        if (lw_watch_start(front, all, lw_watch_format(front, all), NULL) < 0)
                log_warn("what is behind a device is not observed",
                         log_text("endpoint", front->ep));
}
