/* SPDX-License-Identifier: Apache-2.0 */
/* policy_part.c - traps of the devices as conditions of the gateway's own schedules (gwmo.md 8).
 *
 * A schedule names one by its address, or by the device's address and its TrapID:
 *
 *     ./GwDev/d0001/Trap/Door
 *     ./GwDev/d0001/urn:oma:mo:x-xrem-trap-threshold:1.0/Door
 *
 * It fires when the device's alert comes, which goes north as any other.  The alert has the address
 * alone; the TrapID there is what the device said last, or is asked. */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "odm/result.h"
#include "rights.h"

#define AT "./GwDev/"
#define ALERT "urn:oma:at:diagmon:1.0:Trap"
#define ASKED_MAX 64 /* devices that are asked for a TrapID at one time */

typedef struct asking {
        struct asking *next;
        struct policy_part *p;
        gw_device *d;
        uint64_t order;
        odm_arena a;
        odm_trap_event e; /* without an id */
        odm_command cmd;
        odm_item item;
} asking;

typedef struct policy_part {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        gw_hook hook;
        asking *asked;
        size_t n_asked;
} policy_part;

/* "./GwDev/d0001/rest": the device, and the rest; NULL: it is none that there is. */
static gw_device *split(const policy_part *p, odm_str id, odm_str *rest)
{
        odm_str rel = odm_str_from(id, strlen(AT));
        gw_device *d;
        size_t n = 0;

        while (n < rel.n && rel.p[n] != '/')
                n++;
        if (!odm_str_starts(id, AT) || n + 1 >= rel.n)
                return NULL;
        d = gw_by_key(p->g, odm_str_to(rel, n));
        *rest = odm_str_from(rel, n + 1);
        return d && d->state != GW_PROVISIONED && d->mode != GW_TRANSPARENT ? d : NULL;
}

/* Whether the server may hear of the device's traps: who may read there. */
static int find(void *ctx, odm_str id, odm_str server)
{
        const policy_part *p = ctx;
        odm_str rest;
        const gw_device *d = split(p, id, &rest);
        bool may;
        odm_arena a;

        if (!d)
                return ODM_ENOENT;
        odm_arena_init(&a, &heap_mem, 65536);
        may = rights_have(p->g, d, rights_above(p->g, &a), server, ODM_ACC_GET);
        odm_arena_done(&a);
        return may ? 0 : ODM_EACCESS;
}

/* ---- an alert ------------------------------------------------------------------------------- */

static void tell(const policy_part *p, odm_trap_event *e, odm_str id)
{
        e->id = id;
        odm_trap_tell(p->host->traps, e, false);
}

/* Tells those that name it by its TrapID. */
static void tell_named(asking *q, odm_str trap_id)
{
        odm_str id = odm_arena_fmt(&q->a, AT "%s/%.*s", q->d->key, (int)trap_id.n, trap_id.p);

        if (id.p)
                tell(q->p, &q->e, id);
}

static void asking_free(asking *q)
{
        asking **at = &q->p->asked;

        while (*at != q)
                at = &(*at)->next;
        *at = q->next;
        q->p->n_asked--;
        odm_arena_done(&q->a);
        free(q);
}

static void on_answer(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        asking *q = ctx;

        if (n && odm_status_ok(v->status) && v->n && v->nodes->has_data)
                tell_named(q, odm_str_trim(v->nodes->value.data));
        else
                log_warn("which trap it is cannot be read", log_str("trap", q->e.uri),
                         log_int("status", n ? v->status : status),
                         log_str("text", n ? v->text : text));
        asking_free(q);
}

/* What the device said last.  True when it said something. */
static bool known(asking *q, odm_str uri)
{
        const odm_op op = {.kind = ODM_CMD_GET, .target = uri, .at_hand = true};
        odm_answer got = {0};

        if (odm_tree_do(q->p->host->tree, &op, loop_wall(), &q->a, &got) != 0 ||
            !odm_status_ok(got.status) || !got.results)
                return false;
        tell_named(q, odm_str_trim(got.results->value.data));
        return true;
}

static int ask(asking *q, odm_str path)
{
        const gw_order o = {.list = &q->cmd};

        q->item = (odm_item){.target = path};
        q->cmd = (odm_command){.kind = ODM_CMD_GET, .cmd_id = ODM_STR("1"), .items = &q->item};
        return gw_run(q->p->g, q->d, &o, on_answer, q, &q->order);
}

/* Somebody names a trap of the device by a TrapID: is it this one? */
static void find_out(policy_part *p, gw_device *d, odm_str source, const odm_trap_event *e)
{
        asking *q = p->n_asked < ASKED_MAX ? calloc(1, sizeof *q) : NULL;
        odm_str path, uri;
        int rc = ODM_ENOMEM;

        if (!q) {
                log_warn("which trap it is cannot be asked", log_str("trap", e->uri));
                return;
        }
        *q = (asking){.next = p->asked, .p = p, .d = d, .e = *e};
        odm_arena_init(&q->a, &heap_mem, 65536);
        p->asked = q;
        p->n_asked++;
        q->e.uri = odm_arena_copy(&q->a, e->uri);
        q->e.reason = odm_arena_copy(&q->a, e->reason);
        path = odm_arena_join(&q->a, source, ODM_STR("/TrapID"));
        uri = odm_arena_fmt(&q->a, "%.*s/TrapID", (int)q->e.uri.n, q->e.uri.p);
        if (!q->a.err && known(q, uri)) {
                asking_free(q);
                return;
        }
        if (!q->a.err)
                rc = ask(q, path);
        if (rc < 0) {
                log_warn("which trap it is cannot be asked", log_str("trap", e->uri),
                         log_text("reason", odm_err_text(rc)));
                asking_free(q);
        }
}

/* How the device's traps are named: bits. */
enum { BY_NONE, BY_ADDRESS, BY_ID };

static unsigned named(const policy_part *p, const gw_device *d, odm_str uri)
{
        unsigned how = BY_NONE;

        for (const odm_trap_listener *l = p->host->traps->first; l; l = l->next) {
                odm_str rest = ODM_ABSENT;
                if (!l->id.p || split(p, l->id, &rest) != d)
                        continue;
                how |= odm_trap_id_same(l->id, uri) ? BY_ADDRESS
                       : odm_str_has(rest, ':')     ? BY_ID
                                                    : BY_NONE;
        }
        return how;
}

static int on_alert(void *ctx, gw_device *d, const odm_alert *a)
{
        policy_part *p = ctx;
        bool fired = odm_str_ieq(a->type, ALERT "Notification");
        odm_trap_event e = {.reason = a->data, .active = fired, .at = loop_wall()};
        unsigned how;
        odm_arena arena;

        if ((!fired && !odm_str_ieq(a->type, ALERT "InactiveNotification")) ||
            !odm_str_starts(a->source, "./"))
                return 0;
        odm_arena_init(&arena, &heap_mem, 65536);
        e.uri = odm_arena_fmt(&arena, AT "%s/%.*s", d->key, (int)a->source.n - 2, a->source.p + 2);
        how = e.uri.p ? named(p, d, e.uri) : BY_NONE;
        if (how & BY_ADDRESS)
                tell(p, &e, e.uri);
        if (how & BY_ID)
                find_out(p, d, a->source, &e);
        odm_arena_done(&arena);
        return 0;
}

static void on_removed(void *ctx, gw_device *d)
{
        policy_part *p = ctx;

        for (asking *q = p->asked, *next; q; q = next) {
                next = q->next;
                if (q->d != d)
                        continue;
                gw_cancel(p->g, q->order);
                asking_free(q);
        }
}

/* ---- life ------------------------------------------------------------------------------------ */

static int policy_mount(const part_host *h, void **out, diag *d)
{
        policy_part *p = calloc(1, sizeof *p);

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        if (p->g) {
                h->traps->elsewhere = find;
                h->traps->elsewhere_ctx = p;
        }
        *out = p;
        return 0;
}

static int policy_open(void *ctx, diag *d)
{
        policy_part *p = ctx;

        (void)d;
        if (!p->g)
                return 0;
        p->hook = (gw_hook){.alert = on_alert, .removed = on_removed, .ctx = p};
        gw_hook_add(p->g, &p->hook);
        return 0;
}

static void policy_close(void *ctx)
{
        policy_part *p = ctx;

        if (p->hook.ctx)
                gw_hook_del(p->g, &p->hook);
        while (p->asked) {
                gw_cancel(p->g, p->asked->order);
                asking_free(p->asked);
        }
        p->host->traps->elsewhere = NULL;
        free(p);
}

const part_class part_gwpolicy = {
        .name = "gwpolicy",
        .mount = policy_mount,
        .open = policy_open,
        .close = policy_close,
};
