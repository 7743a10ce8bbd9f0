/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in ./Trap: names and types of the kinds, texts of leaves, and what servers may write.
 * Below Ext/xrem is what the device remembers; no server writes there. */
#include "trap_node.h"

#include <string.h>

static const struct {
        const char *name, *type;
        bool measured;
} kinds[] = {
        [ODM_TRAP_THRESHOLD] = {NULL, "urn:oma:mo:x-xrem-trap-threshold:1.0", false},
        [ODM_TRAP_GEO] = {"Geo", "urn:oma:mo:oma-diagmontrap:geo:1.0", false},
        [ODM_TRAP_RXPWR] = {"RxPower", "urn:oma:mo:oma-diagmontrap:rxpwr:1.0", true},
        [ODM_TRAP_DATASPEED] = {"DataSpeed", "urn:oma:mo:oma-diagmontrap:dataspeed:1.0", true},
        [ODM_TRAP_REBOOT] = {"HardReboot", "urn:oma:mo:oma-diagmontrap:hard-reboot:1.0", true},
        [ODM_TRAP_LOGFULL] = {"LogFull", "urn:oma:mo:oma-diagmontrap:logcapacityfull:1.0", true},
};
_Static_assert(ODM_COUNT(kinds) == ODM_TRAP_KINDS, "a kind has no row");

const char *odm_trap_type(odm_trap_kind k)
{
        return kinds[k].type;
}

const char *odm_trap_name(odm_trap_kind k)
{
        return kinds[k].name;
}

bool odm_trap_is_measured(odm_trap_kind k)
{
        return kinds[k].measured;
}

odm_trap_kind odm_trap_kind_of(odm_str name)
{
        for (size_t i = 0; i < ODM_COUNT(kinds); i++)
                if (kinds[i].name && odm_str_is(name, kinds[i].name))
                        return (odm_trap_kind)i;
        return ODM_TRAP_THRESHOLD;
}

/* ---- leaves --------------------------------------------------------------------------------- */

int odm_trap_text(odm_tree *t, odm_str uri, odm_arena *a, odm_str *out)
{
        odm_value v = {.format = ODM_FMT_ABSENT};
        int rc = uri.p ? odm_tree_read(t, uri, a, &v) : odm_arena_err(a);

        if (rc == ODM_ENOENT || rc == ODM_EINVAL) {
                *out = ODM_ABSENT;
                return 0;
        }
        if (rc == 0)
                *out = v.data;
        return rc;
}

int odm_trap_leaf(odm_tree *t, const char *trap, const char *rel, odm_arena *a, odm_str *out)
{
        return odm_trap_text(t, odm_arena_fmt(a, ODM_TRAP_AT "/%s/%s", trap, rel), a, out);
}

int odm_trap_is_there(odm_tree *t, const odm_mem *mem, odm_str uri, bool *out)
{
        odm_value v = {.format = ODM_FMT_ABSENT};
        char block[512];
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, mem, TRAP_ARENA, block, sizeof block);
        rc = odm_tree_read(t, uri, &a, &v);
        odm_arena_done(&a);
        if (rc < 0 && rc != ODM_ENOENT && rc != ODM_EINVAL)
                return rc;
        *out = rc != ODM_ENOENT;
        return 0;
}

int odm_trap_put(odm_tree *t, const char *trap, const char *rel, odm_format f, odm_str text,
                 odm_wall now)
{
        const odm_value v = {.format = f, .data = text};
        char uri[sizeof ODM_TRAP_AT + TRAP_NAME + 2 * TRAP_NAME];
        size_t at = sizeof ODM_TRAP_AT, n = strlen(trap), m = strlen(rel);

        if (n >= TRAP_NAME || m >= TRAP_NAME)
                return ODM_EINVAL;
        memcpy(uri, ODM_TRAP_AT "/", at);
        memcpy(uri + at, trap, n);
        uri[at + n] = '/';
        memcpy(uri + at + n + 1, rel, m);
        return odm_tree_write(t, (odm_str){uri, at + n + 1 + m}, &v, now);
}

static odm_str word(odm_str *rest)
{
        size_t n = 0;
        odm_str w;

        while (n < rest->n && rest->p[n] != ' ')
                n++;
        w = odm_str_to(*rest, n);
        *rest = odm_str_from(*rest, n + 1);
        return w;
}

int odm_trap_said_of(odm_tree *t, const char *trap, odm_arena *a, odm_trap_said *out)
{
        odm_trap_said e = {.active = false};
        odm_str text = ODM_ABSENT;
        int rc = odm_trap_leaf(t, trap, TRAP_EVENT, a, &text);

        if (rc < 0)
                return rc;
        text = odm_arena_copy(a, text); /* the tree's own moves while it is told */
        if (text.n == 0)
                return a->err ? odm_arena_err(a) : ODM_ENOENT;
        e.active = odm_str_is(word(&text), "active");
        e.when = word(&text);
        if (odm_wall_parse(e.when, &e.at) < 0)
                return ODM_ENOENT;
        e.reason = text;
        *out = e;
        return 0;
}

/* ---- what servers write ----------------------------------------------------------------------- */

static int check_number(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        uint64_t most = INT32_MAX, n = 0;
        bool least_one = odm_str_is(at->desc->name, "SampIntrvl");

        (void)ctx;
        if (odm_str_is(at->desc->name, "Percent")) {
                most = 100;
                least_one = true;
        }
        if (v && (odm_str_u64(v->data, most, &n) < 0 || (least_one && n == 0)))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_degrees(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        int64_t n;

        (void)ctx;
        if (v && odm_trap_degrees(v->data, odm_str_is(at->desc->name, "Lat"), &n) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_direction(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        static const char *const words[] = {"0", "1", "2", "down", "up", "both"};

        (void)ctx;
        (void)at;
        for (size_t i = 0; v && i < ODM_COUNT(words); i++)
                if (odm_str_is(v->data, words[i]))
                        return 0;
        if (v)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_uri(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        odm_uri u;

        (void)ctx;
        (void)at;
        if (v && (odm_uri_parse(v->data, NULL, &u) < 0 || u.depth == 0 || u.prop || u.list))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

#define NUMBER(p)                                  \
        {                                          \
                .path = (p), .check = check_number \
        }
const odm_binding odm_trap_bindings[] = {
        {.path = "Geo/TrapConfig/GeoArea/*/Lat", .check = check_degrees},
        {.path = "Geo/TrapConfig/GeoArea/*/Long", .check = check_degrees},
        NUMBER("Geo/TrapConfig/GeoArea/*/Radius"),
        NUMBER("Geo/TrapConfig/HoldTime"),
        NUMBER("RxPower/TrapConfig/HoldTime"),
        NUMBER("DataSpeed/TrapConfig/HoldTime"),
        {.path = "DataSpeed/TrapConfig/Direction", .check = check_direction},
        NUMBER("LogFull/TrapConfig/Percent"),
        {.path = "*/TrapConfig/Ref", .check = check_uri},
        NUMBER("*/TrapConfig/Hysteresis"),
        NUMBER("*/TrapConfig/HoldTime"),
        NUMBER("*/TrapConfig/SampIntrvl"),
        {.path = "Geo/ToRef/*/URI", .check = check_uri},
        {.path = "RxPower/ToRef/*/URI", .check = check_uri},
        {.path = "DataSpeed/ToRef/*/URI", .check = check_uri},
        {.path = "HardReboot/ToRef/*/URI", .check = check_uri},
        {.path = "LogFull/ToRef/*/URI", .check = check_uri},
        {.path = "*/ToRef/*/URI", .check = check_uri},
};
const size_t odm_trap_bindings_n = ODM_COUNT(odm_trap_bindings);

/* ---- changes ------------------------------------------------------------------------------------ */

struct place { /* of a change: ./Trap/<trap>/<rest> */
        odm_str trap, rest;
};

static struct place place_of(odm_str uri)
{
        struct place p = {.rest = odm_str_from(uri, sizeof ODM_TRAP_AT)};
        size_t n = 0;

        while (n < p.rest.n && p.rest.p[n] != '/')
                n++;
        p.trap = odm_str_to(p.rest, n);
        p.rest = odm_str_from(p.rest, n + 1);
        return p;
}

static int count_up(void *ctx, odm_str name)
{
        size_t *n = ctx;

        (void)name;
        ++*n;
        return 0;
}

static int make_node(odm_tree *t, const odm_mem *mem, odm_str trap, const char *rel)
{
        const odm_value v = {.format = ODM_FMT_NODE};
        char block[256];
        bool there = false;
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init_on(&a, mem, TRAP_ARENA, block, sizeof block);
        uri = odm_arena_fmt(&a, ODM_TRAP_AT "/%.*s/%s", (int)trap.n, trap.p, rel);
        rc = uri.p ? odm_trap_is_there(t, mem, uri, &there) : odm_arena_err(&a);
        if (rc == 0 && !there)
                rc = odm_tree_write(t, uri, &v, (odm_wall){0});
        odm_arena_done(&a);
        return rc;
}

static int put_id(odm_tree *t, odm_arena *a, const char *trap, odm_trap_kind kind)
{
        bool many = kind == ODM_TRAP_THRESHOLD;
        odm_str id =
                odm_arena_fmt(a, "%s%s%s", odm_trap_type(kind), many ? "/" : "", many ? trap : "");

        return id.p ? odm_trap_put(t, trap, "TrapID", ODM_FMT_CHR, id, (odm_wall){0})
                    : odm_arena_err(a);
}

/* A new trap gets all that is not for a server to say. */
static int complete(odm_tree *t, const odm_mem *mem, odm_str name)
{
        odm_trap_kind kind = odm_trap_kind_of(name);
        char block[512];
        odm_str trap;
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, mem, TRAP_ARENA, block, sizeof block);
        trap = odm_arena_copy(&a, name);
        rc = trap.p ? put_id(t, &a, trap.p, kind) : odm_arena_err(&a);
        if (rc == 0)
                rc = odm_trap_put(t, trap.p, "Status", ODM_FMT_INT, ODM_STR("10"), (odm_wall){0});
        if (rc == 0)
                rc = make_node(t, mem, name, "ServerIDs");
        if (rc == 0)
                rc = make_node(t, mem, name, "ToRef");
        if (rc == 0 && kind != ODM_TRAP_REBOOT)
                rc = make_node(t, mem, name, "TrapConfig");
        odm_arena_done(&a);
        return rc;
}

static int added(odm_tree *t, const odm_mem *mem, const odm_change *c, odm_str trap,
                 unsigned *status)
{
        size_t n = 0;
        int rc;

        if (c->server.p && odm_trap_kind_of(trap) != ODM_TRAP_THRESHOLD) {
                *status = ODM_ST_NOT_ALLOWED; /* the device knows whether it can */
                return 0;
        }
        rc = odm_tree_children(t, ODM_STR(ODM_TRAP_AT), count_up, &n);
        if (rc == 0 && n > ODM_TRAP_MAX)
                *status = ODM_ST_FULL;
        return rc == 0 && n <= ODM_TRAP_MAX ? complete(t, mem, trap) : rc;
}

/* "ToRef/<entry>" and what follows: the entry, or absent. */
static odm_str entry_of(odm_str rest, const char *tail)
{
        odm_str at = odm_str_from(rest, sizeof "ToRef");
        size_t n = 0;

        if (!odm_str_starts(rest, "ToRef/"))
                return ODM_ABSENT;
        while (n < at.n && at.p[n] != '/')
                n++;
        return odm_str_is(odm_str_from(at, n), tail) ? odm_str_to(at, n) : ODM_ABSENT;
}

static int note_writer(odm_tree *t, const odm_mem *mem, odm_str trap, odm_str entry, odm_str server)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = server.p ? server : ODM_STR("")};
        char block[512];
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init_on(&a, mem, TRAP_ARENA, block, sizeof block);
        uri = odm_arena_fmt(&a, ODM_TRAP_AT "/%.*s/%s%s%.*s", (int)trap.n, trap.p,
                            entry.p ? TRAP_BY : TRAP_REF_BY, entry.p ? "/" : "", (int)entry.n,
                            entry.p ? entry.p : "");
        rc = uri.p ? odm_tree_write(t, uri, &v, (odm_wall){0}) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static int forget_writer(odm_tree *t, const odm_mem *mem, odm_str trap, odm_str entry)
{
        odm_op op = {.kind = ODM_CMD_DELETE};
        odm_answer got = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, mem, TRAP_ARENA);
        op.target = odm_arena_fmt(&a, ODM_TRAP_AT "/%.*s/" TRAP_BY "/%.*s", (int)trap.n, trap.p,
                                  (int)entry.n, entry.p);
        rc = op.target.p ? odm_tree_do(t, &op, (odm_wall){0}, &a, &got) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc; /* 404: the whole trap went, or it was never written */
}

static int changed(odm_tree *t, const odm_mem *mem, const odm_change *c, unsigned *status)
{
        struct place p = place_of(c->uri);
        bool there = false;
        odm_str entry;
        int rc;

        if (p.trap.n == 0)
                return 0;
        if ((c->kind == ODM_CHANGE_PROP && c->prop == ODM_PROP_NAME) ||
            (c->server.p && (odm_str_is(p.rest, "Ext") || odm_str_starts(p.rest, "Ext/")))) {
                *status = ODM_ST_NOT_ALLOWED; /* names are kept in other places */
                return 0;
        }
        if (c->kind == ODM_CHANGE_PROP)
                return 0;
        if (c->kind == ODM_CHANGE_DELETE) {
                entry = entry_of(p.rest, "");
                return entry.p ? forget_writer(t, mem, p.trap, entry) : 0;
        }
        rc = odm_trap_is_there(t, mem, c->uri, &there);
        if (rc < 0 || !there) /* the same transaction took it away again */
                return rc;
        if (c->kind == ODM_CHANGE_ADD && p.rest.n == 0)
                return added(t, mem, c, p.trap, status);
        entry = entry_of(p.rest, "/URI");
        if (entry.p || odm_str_is(p.rest, "TrapConfig/Ref"))
                return note_writer(t, mem, p.trap, entry, c->server);
        return 0;
}

int odm_trap_validate(odm_tree *t, const odm_mem *mem, const odm_change *list, unsigned *status)
{
        int rc = 0;

        for (const odm_change *c = list; c && rc == 0 && odm_status_ok(*status); c = c->next)
                rc = changed(t, mem, c, status);
        return rc;
}
