/* SPDX-License-Identifier: Apache-2.0 */
/* Traps: who is registered, what counts as bad, when it fires and whom that is told
 * (mo-diagmon.md 8).  Telling is a walk in small steps, so that each may fail and be done again:
 *
 *     fired -> KEEP -> each server -> each URI -> listeners -> forgotten -> KEEP
 *
 * The place in a list is the name of the entry done last, for lists change between two steps. */
#include "odm/trap.h"

#include <assert.h>
#include <string.h>

#include "trap_node.h"

#define INTERVAL_DEFAULT 60
#define AGAIN_MS 5000 /* after a step that failed */
#define AT "urn:oma:at:diagmon:1.0:"

enum phase { IDLE, WATCHING, HOLDING, ACTIVE };
static const char *const phase_names[] = {"idle", "watching", "holding", "active"};

struct trap {
        char name[TRAP_NAME];
        odm_trap_kind kind;
        enum phase phase;
        odm_time since; /* HOLDING */
        odm_time from;  /* it held before the device lay down; ODM_NEVER: not known */
        odm_time due;   /* the next look */
        bool untold;    /* it has an Event */
        bool asked;     /* REBOOT: the host has said */
        bool seen;      /* while the list is made anew */
};

/* What is done next for the event of `told`. */
enum step { REST, KEEP_FIRST, SERVERS, URIS, LISTENERS, FORGET, KEEP_LAST };

struct odm_traps {
        odm_traps_opt opt;
        odm_provider provider;
        struct trap *list;
        size_t n, cap;
        bool stale;                   /* the tree changed below ./Trap */
        bool own;                     /* by us */
        const odm_trap_since *before; /* of odm_traps_go_on() */
        size_t n_before;
        /* telling */
        enum step step;
        char told[TRAP_NAME], entry[TRAP_NAME]; /* the trap, and the entry done last */
        odm_time again;
        /* the order lent */
        bool lent;
        odm_trap_order order;
        char sampled[TRAP_NAME];
        odm_arena arena;
};

static void enter(odm_traps *ts, struct trap *t, enum phase to)
{
        if (t->phase != to)
                ODM_TRACE(ts->opt.trace, "mo", "trap %s: %s -> %s", t->name, phase_names[t->phase],
                          phase_names[to]);
        t->phase = to; /* the only assignment to phase */
}

static struct trap *trap_named(odm_traps *ts, const char *name)
{
        for (size_t i = 0; i < ts->n; i++)
                if (strcmp(ts->list[i].name, name) == 0)
                        return &ts->list[i];
        return NULL;
}

/* ---- who is registered ---------------------------------------------------------------------- */

struct counting {
        odm_traps *ts;
        const char *name, *list, *leaf;
        size_t n;
};

static int count_one(void *ctx, odm_str entry)
{
        struct counting *c = ctx;
        odm_str text = ODM_ABSENT;
        char block[512];
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, c->ts->opt.mem, TRAP_ARENA, block, sizeof block);
        rc = odm_trap_text(c->ts->opt.tree,
                           odm_arena_fmt(&a, ODM_TRAP_AT "/%s/%s/%.*s/%s", c->name, c->list,
                                         (int)entry.n, entry.p, c->leaf),
                           &a, &text);
        c->n += rc == 0 && text.n > 0;
        odm_arena_done(&a);
        return rc;
}

static int count_entries(odm_traps *ts, const char *name, const char *list, const char *leaf,
                         size_t *n)
{
        struct counting c = {ts, name, list, leaf, 0};
        char block[256];
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        uri = odm_arena_fmt(&a, ODM_TRAP_AT "/%s/%s", name, list);
        rc = uri.p ? odm_tree_children(ts->opt.tree, uri, count_one, &c) : odm_arena_err(&a);
        odm_arena_done(&a);
        if (rc == ODM_ENOENT)
                rc = 0;
        *n += c.n;
        return rc;
}

/* Whether anybody is, and 0; or an error. */
static int is_watched(odm_traps *ts, const struct trap *t, odm_str id, bool *out)
{
        size_t n = 0;
        int rc = count_entries(ts, t->name, "ServerIDs", "ServerID", &n);

        if (rc == 0)
                rc = count_entries(ts, t->name, "ToRef", "URI", &n);
        for (odm_trap_listener *l = ts->opt.hub ? ts->opt.hub->first : NULL; l; l = l->next)
                n += !l->idle && (!l->id.p || odm_trap_id_same(l->id, id));
        if (rc == 0)
                *out = n > 0;
        return rc;
}

/* ---- the list of traps ------------------------------------------------------------------------ */

static odm_time held_from(const odm_traps *ts, const char *name)
{
        for (size_t i = 0; i < ts->n_before; i++)
                if (strcmp(ts->before[i].name, name) == 0)
                        return ts->before[i].at;
        return ODM_NEVER;
}

static int take_one(void *ctx, odm_str name)
{
        odm_traps *ts = ctx;
        char text[TRAP_NAME];
        struct trap *t;

        if (name.n >= sizeof text || ts->n >= ODM_TRAP_MAX) /* none that we made */
                return 0;
        memcpy(text, name.p, name.n);
        text[name.n] = 0;
        t = trap_named(ts, text);
        if (!t) {
                if (ts->n == ts->cap) {
                        size_t cap = ts->cap + 8;
                        struct trap *list =
                                ts->opt.mem->resize(ts->opt.mem->ctx, ts->list,
                                                    ts->cap * sizeof *list, cap * sizeof *list);
                        if (!list)
                                return ODM_ENOMEM;
                        ts->list = list;
                        ts->cap = cap;
                }
                t = &ts->list[ts->n++];
                *t = (struct trap){.kind = odm_trap_kind_of(name), .from = held_from(ts, text)};
                memcpy(t->name, text, sizeof text);
        }
        t->seen = true;
        t->due = (odm_time){0}; /* what it watches, or for whom, may be another */
        return 0;
}

static int find_untold(odm_traps *ts, struct trap *t)
{
        odm_str text = ODM_ABSENT;
        char block[512];
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        rc = odm_trap_leaf(ts->opt.tree, t->name, TRAP_EVENT, &a, &text);
        if (rc == 0)
                t->untold = text.n > 0;
        odm_arena_done(&a);
        return rc;
}

static int refresh(odm_traps *ts)
{
        size_t kept = 0;
        int rc;

        for (size_t i = 0; i < ts->n; i++)
                ts->list[i].seen = false;
        rc = odm_tree_children(ts->opt.tree, ODM_STR(ODM_TRAP_AT), take_one, ts);
        if (rc < 0)
                return rc;
        for (size_t i = 0; i < ts->n; i++)
                if (ts->list[i].seen)
                        ts->list[kept++] = ts->list[i];
        ts->n = kept;
        for (size_t i = 0; i < ts->n && rc == 0; i++)
                rc = find_untold(ts, &ts->list[i]);
        if (rc < 0)
                return rc;
        ts->stale = false;
        if (ts->opt.hub)
                ts->opt.hub->stale = false;
        return 0;
}

/* ---- moving ----------------------------------------------------------------------------------- */

/* Status and Event in one transaction; `event` absent leaves none. */
static int put_state(odm_traps *ts, const struct trap *t, bool active, odm_str event, odm_wall wall)
{
        unsigned status = ODM_ST_FAILED;
        int rc = odm_tree_begin(ts->opt.tree, wall);

        if (rc < 0)
                return rc;
        ts->own = true;
        rc = odm_trap_put(ts->opt.tree, t->name, "Status", ODM_FMT_INT,
                          active ? ODM_STR("20") : ODM_STR("10"), wall);
        if (rc == 0 && event.p)
                rc = odm_trap_put(ts->opt.tree, t->name, TRAP_EVENT, ODM_FMT_CHR, event, wall);
        if (rc == 0)
                rc = odm_tree_commit(ts->opt.tree, &status);
        else
                odm_tree_rollback(ts->opt.tree);
        ts->own = false;
        return rc == 0 && !odm_status_ok(status) ? ODM_EIO : rc;
}

static int move(odm_traps *ts, struct trap *t, bool active, odm_str reason, odm_wall wall)
{
        char when[ODM_WALL_TEXT], block[512];
        odm_str event;
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        odm_wall_format(wall, when);
        event = odm_arena_fmt(&a, "%s %s %.*s", active ? "active" : "inactive", when,
                              (int)odm_str_to(reason, ODM_TRAP_REASON).n, reason.p ? reason.p : "");
        rc = event.p ? put_state(ts, t, active && t->kind != ODM_TRAP_REBOOT, event, wall)
                     : odm_arena_err(&a);
        odm_arena_done(&a);
        if (rc < 0)
                return rc;
        t->untold = true;
        enter(ts, t, active && t->kind != ODM_TRAP_REBOOT ? ACTIVE : WATCHING);
        return 0;
}

static void look_again(struct trap *t, int64_t ms, odm_time now)
{
        odm_time due = odm_time_add(now, ms);

        if (due.ms < t->due.ms)
                t->due = due;
}

/* A sample came: the arrows between WATCHING, HOLDING and ACTIVE. */
static int judge(odm_traps *ts, struct trap *t, const odm_trap_verdict *v, odm_time now,
                 odm_wall wall)
{
        int rc = 0;

        t->due = t->kind == ODM_TRAP_REBOOT ? ODM_NEVER : odm_time_add(now, v->interval_ms);
        switch (t->phase) {
        case IDLE: return 0;
        case ACTIVE:
                if (v->is == TRAP_GOOD)
                        rc = move(ts, t, false, v->reason, wall);
                break;
        case WATCHING:
        case HOLDING:
                if (t->phase == WATCHING) {
                        odm_time from = t->from;
                        t->from = ODM_NEVER;
                        if (v->is != TRAP_BAD)
                                return 0;
                        t->since = from.ms < now.ms ? from : now;
                        enter(ts, t, HOLDING);
                }
                if (v->is != TRAP_BAD)
                        enter(ts, t, WATCHING);
                else if (now.ms - t->since.ms >= v->hold_ms)
                        rc = move(ts, t, true, v->reason, wall);
                else
                        look_again(t, v->hold_ms - (now.ms - t->since.ms), now);
                break;
        }
        return rc;
}

/* Begins or ends watching.  A trap that nobody watches is not active: who comes later is told. */
static int see_watchers(odm_traps *ts, struct trap *t, odm_wall wall)
{
        odm_str status = ODM_ABSENT, id = ODM_ABSENT;
        bool watched = false;
        char block[512];
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        rc = odm_trap_leaf(ts->opt.tree, t->name, "TrapID", &a, &id);
        if (rc == 0)
                rc = odm_trap_leaf(ts->opt.tree, t->name, "Status", &a, &status);
        if (rc == 0)
                rc = is_watched(ts, t, id, &watched);
        if (rc == 0 && !watched && odm_str_is(status, "20"))
                rc = put_state(ts, t, false, ODM_ABSENT, wall);
        if (rc == 0 && !watched)
                enter(ts, t, IDLE);
        else if (rc == 0 && t->phase == IDLE)
                enter(ts, t, odm_str_is(status, "20") ? ACTIVE : WATCHING);
        odm_arena_done(&a);
        return rc;
}

/* ---- orders ----------------------------------------------------------------------------------- */

static odm_trap_order *new_order(odm_traps *ts, odm_trap_do what)
{
        odm_arena_reset(&ts->arena);
        ts->order = (odm_trap_order){.what = what};
        return &ts->order;
}

static int lend_sample(odm_traps *ts, const struct trap *t)
{
        odm_trap_order *o = new_order(ts, ODM_TRAP_SAMPLE);
        int rc = odm_trap_leaf(ts->opt.tree, t->name,
                               t->kind == ODM_TRAP_RXPWR ? "TrapConfig/NetType"
                                                         : "TrapConfig/Direction",
                               &ts->arena, &o->detail);

        if (rc < 0)
                return rc;
        o->kind = t->kind;
        memcpy(ts->sampled, t->name, sizeof ts->sampled);
        ts->lent = true;
        return 1;
}

/* Looks at a trap whose time has come: 1 when the host has to measure. */
static int look(odm_traps *ts, struct trap *t, odm_time now, odm_wall wall)
{
        odm_trap_verdict v;
        char block[1024];
        odm_arena a;
        int rc = see_watchers(ts, t, wall);

        if (rc < 0)
                return rc;
        if (t->kind == ODM_TRAP_REBOOT ? t->asked : t->phase == IDLE) {
                t->due = ODM_NEVER;
                return 0;
        }
        if (odm_trap_is_measured(t->kind))
                return lend_sample(ts, t);
        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        rc = odm_trap_judge(ts->opt.tree, t->name, t->kind, NULL, wall, &a, &v);
        if (rc == 0)
                rc = judge(ts, t, &v, now, wall);
        odm_arena_done(&a);
        return rc;
}

static bool is_stale(const odm_traps *ts)
{
        return ts->stale || (ts->opt.hub && ts->opt.hub->stale);
}

static int sampled(odm_traps *ts, const odm_trap_done *d, odm_time now, odm_wall wall)
{
        struct trap *t = trap_named(ts, ts->sampled);
        odm_trap_verdict v;
        char block[1024];
        odm_arena a;
        int rc;

        if (!t || is_stale(ts)) /* it may be gone, or watch something else: it is looked at anew */
                return 0;
        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        rc = odm_trap_judge(ts->opt.tree, t->name, t->kind, d, wall, &a, &v);
        if (rc == 0)
                rc = judge(ts, t, &v, now, wall);
        if (rc == 0)
                t->asked = true;
        odm_arena_done(&a);
        return rc;
}

/* ---- telling ----------------------------------------------------------------------------------- */

static void go_to(odm_traps *ts, enum step step)
{
        ts->step = step; /* the only assignment to step */
        ts->entry[0] = 0;
}

struct after {
        const char *last;
        char name[TRAP_NAME];
};

/* Names come in order. */
static int find_after(void *ctx, odm_str name)
{
        struct after *f = ctx;

        if (name.n >= sizeof f->name || odm_str_cmp(name, odm_cstr(f->last)) <= 0)
                return 0;
        memcpy(f->name, name.p, name.n);
        f->name[name.n] = 0;
        return 1;
}

/* Puts the next entry of a list into ts->entry: 1, 0 at the end, or an error. */
static int next_entry(odm_traps *ts, const char *list, odm_arena *a)
{
        struct after f = {.last = ts->entry};
        odm_str uri = odm_arena_fmt(a, ODM_TRAP_AT "/%s/%s", ts->told, list);
        int rc = uri.p ? odm_tree_children(ts->opt.tree, uri, find_after, &f) : odm_arena_err(a);

        if (rc == 1)
                memcpy(ts->entry, f.name, sizeof f.name);
        return rc == ODM_ENOENT ? 0 : rc;
}

static int lend_alert(odm_traps *ts, odm_str server, const char *type, odm_str data, odm_str late)
{
        odm_trap_order *o = new_order(ts, ODM_TRAP_ALERT);
        odm_arena *a = &ts->arena;

        o->server = odm_arena_copy(a, server);
        o->alert = (odm_alert){.code = ODM_ALERT_GENERIC,
                               .source = odm_arena_fmt(a, ODM_TRAP_AT "/%s", ts->told),
                               .source_name = odm_arena_copy(a, late),
                               .type = odm_arena_fmt(a, AT "%s", type),
                               .format = ODM_FMT_CHR,
                               .mark = ODM_STR("warning"),
                               .data = odm_arena_copy(a, data.p ? data : ODM_STR(""))};
        if (a->err)
                return odm_arena_err(a);
        ts->lent = true;
        return 1;
}

static int tell_server(odm_traps *ts, const odm_trap_said *e, odm_arena *a, odm_wall wall)
{
        odm_str server = ODM_ABSENT, late = ODM_ABSENT;
        int rc = next_entry(ts, "ServerIDs", a);

        if (rc == 0) {
                go_to(ts, e->active ? URIS : LISTENERS);
                return 0;
        }
        if (rc == 1)
                rc = odm_trap_text(ts->opt.tree,
                                   odm_arena_fmt(a, ODM_TRAP_AT "/%s/ServerIDs/%s/ServerID",
                                                 ts->told, ts->entry),
                                   a, &server);
        if (rc < 0 || server.n == 0)
                return rc;
        if (wall.s - e->at.s > 60) /* the power went before it was told */
                late = e->when;
        return lend_alert(ts, server, e->active ? "TrapNotification" : "TrapInactiveNotification",
                          e->reason, late);
}

/* Deletes the entry that was looked at last, as the device. */
static int drop_entry(odm_traps *ts, const char *list, odm_wall wall)
{
        odm_op op = {.kind = ODM_CMD_DELETE};
        odm_answer got = {0};
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, ts->opt.mem, TRAP_ARENA);
        op.target = odm_arena_fmt(&a, ODM_TRAP_AT "/%s/%s/%s", ts->told, list, ts->entry);
        rc = op.target.p ? odm_tree_do(ts->opt.tree, &op, wall, &a, &got) : odm_arena_err(&a);
        odm_arena_done(&a);
        if (rc == 0 && !odm_status_ok(got.status) && got.status != ODM_ST_NOT_FOUND)
                rc = ODM_EIO;
        return rc;
}

/* Executes a node as the server that wrote its address.  Its target gone, or the right to it: the
 * entry goes, and that server is told (mo-diagmon.md 8). */
static int run_uri(odm_traps *ts, odm_arena *a, odm_wall wall)
{
        odm_op op = {.kind = ODM_CMD_EXEC};
        odm_answer got = {0};
        int rc = odm_trap_text(
                ts->opt.tree, odm_arena_fmt(a, ODM_TRAP_AT "/%s/ToRef/%s/URI", ts->told, ts->entry),
                a, &op.target);

        if (rc == 0)
                rc = odm_trap_text(
                        ts->opt.tree,
                        odm_arena_fmt(a, ODM_TRAP_AT "/%s/" TRAP_BY "/%s", ts->told, ts->entry), a,
                        &op.server);
        if (rc < 0 || op.target.n == 0)
                return rc;
        rc = odm_tree_do(ts->opt.tree, &op, wall, a, &got);
        if (rc != 0)
                return rc == ODM_LATER ? 0 : rc;
        ODM_TRACE(ts->opt.trace, "mo", "trap %s: %.*s gave %u", ts->told, (int)op.target.n,
                  op.target.p, got.status);
        if (got.status != ODM_ST_NOT_FOUND && got.status != ODM_ST_DENIED)
                return 0;
        if (op.server.n)
                return lend_alert(ts, op.server, "TrapDeregistered", op.target, ODM_ABSENT);
        return drop_entry(ts, "ToRef", wall);
}

static int tell_uri(odm_traps *ts, odm_arena *a, odm_wall wall)
{
        int rc = next_entry(ts, "ToRef", a);

        if (rc == 0)
                go_to(ts, LISTENERS);
        return rc == 1 ? run_uri(ts, a, wall) : rc;
}

/* All at once: they do not fail. */
static int tell_listeners(odm_traps *ts, const odm_trap_said *said, odm_arena *a)
{
        odm_trap_hub *h = ts->opt.hub;
        odm_trap_event e = {.reason = said->reason, .active = said->active, .at = said->at};
        int rc = odm_trap_leaf(ts->opt.tree, ts->told, "TrapID", a, &e.id);

        e.uri = odm_arena_fmt(a, ODM_TRAP_AT "/%s", ts->told);
        if (rc < 0 || a->err)
                return rc < 0 ? rc : odm_arena_err(a);
        go_to(ts, FORGET);
        if (h)
                odm_trap_tell(h, &e, true);
        return 0;
}

static int forget_event(odm_traps *ts, odm_wall wall)
{
        struct trap *t = trap_named(ts, ts->told);
        int rc = 0;

        ts->own = true;
        if (t)
                rc = odm_trap_put(ts->opt.tree, ts->told, TRAP_EVENT, ODM_FMT_CHR, ODM_STR(""),
                                  wall);
        ts->own = false;
        if (rc == ODM_EACCESS || rc == ODM_ENOENT) /* the trap went meanwhile */
                rc = 0;
        if (rc < 0)
                return rc;
        if (t)
                t->untold = false;
        go_to(ts, KEEP_LAST);
        return 0;
}

static int lend_keep(odm_traps *ts)
{
        (void)new_order(ts, ODM_TRAP_KEEP);
        ts->lent = true;
        return 1;
}

/* One step: 1 when something was lent. */
static int tell(odm_traps *ts, odm_wall wall)
{
        odm_trap_said e = {.active = false};
        char block[1024], before[TRAP_NAME];
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, TRAP_ARENA, block, sizeof block);
        memcpy(before, ts->entry, sizeof before);
        rc = odm_trap_said_of(ts->opt.tree, ts->told, &a, &e);
        if (rc == ODM_ENOENT && ts->step != KEEP_LAST && ts->step != REST) {
                go_to(ts, KEEP_LAST); /* the trap was deleted */
                rc = 0;
        }
        switch (ts->step) {
        case REST: rc = 0; break;
        case KEEP_FIRST:
        case KEEP_LAST: rc = lend_keep(ts); break;
        case SERVERS: rc = rc < 0 ? rc : tell_server(ts, &e, &a, wall); break;
        case URIS: rc = rc < 0 ? rc : tell_uri(ts, &a, wall); break;
        case LISTENERS: rc = rc < 0 ? rc : tell_listeners(ts, &e, &a); break;
        case FORGET: rc = rc < 0 ? rc : forget_event(ts, wall); break;
        }
        if (rc < 0) /* the same entry again */
                memcpy(ts->entry, before, sizeof before);
        odm_arena_done(&a);
        return rc;
}

static void begin_telling(odm_traps *ts)
{
        for (size_t i = 0; i < ts->n && ts->step == REST; i++)
                if (ts->list[i].untold) {
                        memcpy(ts->told, ts->list[i].name, sizeof ts->told);
                        go_to(ts, KEEP_FIRST);
                }
}

static int told(odm_traps *ts, const odm_trap_done *d, odm_wall wall)
{
        switch (ts->step) {
        case KEEP_FIRST:
                if (d->rc == 0)
                        go_to(ts, SERVERS);
                return d->rc;
        case KEEP_LAST:
                if (d->rc == 0)
                        go_to(ts, REST);
                return d->rc;
        case SERVERS: return d->rc == ODM_ENOENT ? drop_entry(ts, "ServerIDs", wall) : d->rc;
        case URIS: return d->rc == 0 || d->rc == ODM_ENOENT ? drop_entry(ts, "ToRef", wall) : d->rc;
        case REST:
        case LISTENERS:
        case FORGET: break;
        }
        return 0;
}

/* ---- the host's side ---------------------------------------------------------------------------- */

static int next_due(odm_traps *ts, odm_time now, odm_wall wall)
{
        for (size_t i = 0; i < ts->n; i++) {
                struct trap *t = &ts->list[i];
                int rc;
                if (t->untold || !odm_time_reached(now, t->due))
                        continue;
                rc = look(ts, t, now, wall);
                if (rc < 0)
                        t->due = odm_time_add(now, AGAIN_MS);
                if (rc != 0)
                        return rc;
        }
        return 0;
}

/* Something is to be told, and may be tried now. */
static bool is_telling(odm_traps *ts, odm_time now)
{
        if (ts->step == REST)
                begin_telling(ts);
        return ts->step != REST && odm_time_reached(now, ts->again);
}

static int advance(odm_traps *ts, odm_time now, odm_wall wall)
{
        int rc = is_stale(ts) ? refresh(ts) : 0;

        while (rc == 0 && is_telling(ts, now)) {
                rc = tell(ts, wall);
                if (rc < 0)
                        ts->again = odm_time_add(now, AGAIN_MS);
        }
        if (rc == 0)
                rc = next_due(ts, now, wall);
        if (rc == 0 && is_telling(ts, now)) /* one has just fired */
                rc = tell(ts, wall);
        return rc;
}

int odm_traps_next(odm_traps *ts, odm_time now, odm_wall wall, const odm_trap_order **out)
{
        int rc = ts->lent;

        if (ts->lent && !odm_time_reached(now, ts->again))
                return 0;
        if (odm_tree_in_transaction(ts->opt.tree))
                return ODM_ESTATE;
        if (!ts->lent)
                rc = advance(ts, now, wall);
        if (rc == 1)
                *out = &ts->order;
        return rc;
}

int odm_traps_did(odm_traps *ts, const odm_trap_done *d, odm_time now, odm_wall wall)
{
        int rc;

        if (!ts->lent)
                return ODM_ENOENT;
        if (odm_tree_in_transaction(ts->opt.tree))
                return ODM_ESTATE;
        if (ts->order.what == ODM_TRAP_SAMPLE) {
                rc = sampled(ts, d, now, wall);
                if (rc == 0)
                        ts->lent = false;
                return rc;
        }
        rc = told(ts, d, wall);
        if (rc == 0)
                ts->lent = false;
        else
                ts->again = odm_time_add(now, AGAIN_MS);
        return d->rc < 0 && d->rc == rc ? 0 : rc;
}

odm_time odm_traps_time(const odm_traps *ts)
{
        odm_time least = ODM_NEVER;

        if (ts->lent || ts->step != REST)
                least = ts->again;
        if (!ts->lent && is_stale(ts))
                return (odm_time){0};
        for (size_t i = 0; i < ts->n && !ts->lent; i++) {
                const struct trap *t = &ts->list[i];
                if (t->untold && ts->step == REST)
                        return (odm_time){0};
                if (!t->untold && t->due.ms < least.ms)
                        least = t->due;
        }
        return least;
}

size_t odm_traps_holding(const odm_traps *ts, odm_trap_since *out, size_t max)
{
        size_t n = 0;

        for (size_t i = 0; i < ts->n && n < max; i++) {
                if (ts->list[i].phase != HOLDING)
                        continue;
                memcpy(out[n].name, ts->list[i].name, sizeof ts->list[i].name);
                out[n++].at = ts->list[i].since;
        }
        return n;
}

void odm_traps_go_on(odm_traps *ts, const odm_trap_since *list, size_t n)
{
        ts->before = list;
        ts->n_before = n;
}

void odm_traps_poke(odm_traps *ts, odm_trap_kind kind)
{
        for (size_t i = 0; i < ts->n; i++)
                if (ts->list[i].kind == kind)
                        ts->list[i].due = (odm_time){0};
}

static size_t count_from(const odm_traps *ts, enum phase least)
{
        size_t n = 0;

        for (size_t i = 0; i < ts->n; i++)
                n += ts->list[i].phase >= least;
        return n;
}

size_t odm_traps_active(const odm_traps *ts)
{
        return count_from(ts, ACTIVE);
}

size_t odm_traps_watched(const odm_traps *ts)
{
        return count_from(ts, WATCHING);
}

/* ---- life --------------------------------------------------------------------------------------- */

static int trap_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        const odm_traps *ts = ctx;

        return ts->own ? 0 : odm_trap_validate(t, ts->opt.mem, list, status);
}

static int trap_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        odm_traps *ts = ctx;

        (void)t;
        (void)list;
        if (!ts->own)
                ts->stale = true;
        return 0;
}

int odm_traps_new(const odm_traps_opt *opt, odm_traps **out)
{
        odm_traps *ts = odm_alloc(opt->mem, sizeof *ts);
        int rc;

        if (!ts)
                return ODM_ENOMEM;
        ts->opt = *opt;
        ts->stale = true;
        odm_arena_init(&ts->arena, opt->mem, TRAP_ARENA);
        ts->provider = (odm_provider){.name = "trap",
                                      .mo = opt->mo,
                                      .bind = odm_trap_bindings,
                                      .n_bind = odm_trap_bindings_n,
                                      .ctx = ts,
                                      .validate = trap_validate,
                                      .commit = trap_commit};
        rc = odm_tree_mount(opt->tree, NULL, &ts->provider);
        if (rc < 0)
                odm_traps_free(ts);
        else
                *out = ts;
        return rc;
}

void odm_traps_free(odm_traps *ts)
{
        if (!ts)
                return;
        odm_arena_done(&ts->arena);
        odm_free(ts->opt.mem, ts->list, ts->cap * sizeof *ts->list);
        odm_free(ts->opt.mem, ts, sizeof *ts);
}

static int take_away(odm_traps *ts, const char *name, odm_wall now)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = odm_cstr(name)};
        odm_answer got = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, ts->opt.mem, TRAP_ARENA);
        rc = odm_tree_do(ts->opt.tree, &op, now, &a, &got);
        odm_arena_done(&a);
        return rc == 0 && !odm_status_ok(got.status) ? ODM_EIO : rc;
}

int odm_traps_offer(odm_traps *ts, odm_trap_kind kind, bool can, odm_wall now)
{
        const odm_value v = {.format = ODM_FMT_NODE};
        const char *name = odm_trap_name(kind);
        char uri[TRAP_NAME];
        bool there = false;
        size_t n = 0;
        int rc;

        if (!name)
                return ODM_EINVAL;
        memcpy(uri, ODM_TRAP_AT "/", sizeof ODM_TRAP_AT);
        memcpy(uri + sizeof ODM_TRAP_AT, name, strlen(name) + 1);
        rc = odm_trap_is_there(ts->opt.tree, ts->opt.mem, odm_cstr(uri), &there);
        if (rc == 0 && can && !there) /* validate makes the rest */
                return odm_tree_write(ts->opt.tree, odm_cstr(uri), &v, now);
        if (rc < 0 || can || !there)
                return rc;
        rc = count_entries(ts, name, "ServerIDs", "ServerID", &n);
        if (rc == 0)
                rc = count_entries(ts, name, "ToRef", "URI", &n);
        return rc == 0 && n == 0 ? take_away(ts, uri, now) : rc;
}

/* ---- the hub ------------------------------------------------------------------------------------ */

static void hub_changed(odm_trap_hub *h)
{
        h->stale = true;
        if (h->changed)
                h->changed(h->ctx);
}

void odm_trap_tell(odm_trap_hub *h, const odm_trap_event *e, bool all)
{
        for (odm_trap_listener *l = h->first; l; l = h->cursor) {
                h->cursor = l->next;
                if (l->id.p ? odm_trap_id_same(l->id, e->id) : all)
                        l->fn(l->ctx, e);
        }
}

void odm_trap_listen(odm_trap_hub *h, odm_trap_listener *l)
{
        l->next = h->first;
        h->first = l;
        hub_changed(h);
}

void odm_trap_unlisten(odm_trap_hub *h, odm_trap_listener *l)
{
        for (odm_trap_listener **p = &h->first; *p; p = &(*p)->next) {
                if (*p != l)
                        continue;
                *p = l->next;
                if (h->cursor == l)
                        h->cursor = l->next;
                hub_changed(h);
                return;
        }
}
