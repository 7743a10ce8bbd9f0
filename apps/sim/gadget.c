/* SPDX-License-Identifier: Apache-2.0 */
/* A record:  0x01 | state / 10, and 0x80 with a task | length, held | length, trial | fired (8) |
 * over (8) | calls (4) | updates (4) | tree
 * One of a device that holds packages of software begins with 0x02 and has before its tree: their
 * number (1) | of each: length, hold | length, component | length, version */
#include "gadget.h"

#include <stdio.h>
#include <string.h>

#include "device.h"
#include "loop.h"
#include "mo.h"

#define VERSION_1 1
#define VERSION_2 2
#define BUSY 0x80

extern const odm_mo odm_mo_sim;

/* ---- the tree ------------------------------------------------------------------------------- */

static int exec_run(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        (void)at;
        (void)op;
        *status = 200;
        return 0;
}

static int read_temperature(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gadget *g = ctx;
        int64_t tenths = measure_tenths(g->i, at->now);

        out->format = ODM_FMT_FLOAT;
        out->data =
                odm_arena_fmt(a, "%lld.%lld", (long long)(tenths / 10), (long long)(tenths % 10));
        return out->data.p ? 0 : odm_arena_err(a);
}

static int read_count(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gadget *g = ctx;
        uint64_t own = g->i;
        uint64_t rate = 1 + fault_random(&own) % 9; /* in ten seconds */

        out->format = ODM_FMT_INT;
        out->data = odm_arena_number(a, (uint64_t)at->now.s * rate / 10 % 2000000000);
        return out->data.p ? 0 : odm_arena_err(a);
}

static const odm_binding sim_bind[] = {
        {.path = "Run", .exec = exec_run},
        {.path = "Temperature", .read = read_temperature},
        {.path = "Count", .read = read_count},
};

/* All devices share these: they keep nothing. */
static const odm_provider providers[] = {
        {.name = "devinfo", .mo = &odm_mo_devinfo},
        {.name = "devdetail", .mo = &odm_mo_devdetail},
        {.name = "dmacc", .mo = &odm_mo_dmacc},
};

/* ---- DiagMon ------------------------------------------------------------------------------ */

measure_who gadget_who(const gadget *g)
{
        return (measure_who){g->i, g->group->battery, g->group->drain_ms};
}

static size_t look(const gadget *g, const odm_diag_function *f, measure_leaf *leaf)
{
        const measure_who who = gadget_who(g);
        measure_of what = MEASURE_MEMORY;

        while (what < MEASURES && strcmp(measure_name(what), f->name) != 0)
                what++;
        return measure(what, &who, loop_wall(), leaf);
}

static int read_live(void *ctx, const odm_diag_function *f, odm_str rel, odm_arena *a,
                     odm_value *out)
{
        measure_leaf leaf[MEASURE_LEAVES];
        size_t n = look(ctx, f, leaf);

        for (size_t i = 0; i < n; i++)
                if (odm_str_is(rel, leaf[i].path)) {
                        out->data = odm_arena_copy(a, odm_cstr(leaf[i].text));
                        return out->data.p ? 0 : odm_arena_err(a);
                }
        return ODM_ENOENT;
}

/* There is one row at most. */
static int list_live(void *ctx, const odm_diag_function *f, odm_str rel,
                     int (*add)(void *list, odm_str name), void *to)
{
        measure_leaf leaf[MEASURE_LEAVES];
        size_t n = look(ctx, f, leaf);
        const char *slash = n ? strchr(leaf[0].path, '/') : NULL;

        if (rel.n || !slash)
                return 0;
        return add(to, (odm_str){leaf[0].path, (size_t)(slash - leaf[0].path)});
}

/* Nobody takes what is to be sent elsewhere. */
static unsigned is_ready(void *ctx, const odm_diag_function *f, const odm_task *t)
{
        (void)ctx;
        (void)f;
        return odm_task_arg(t, "DiagDataURL").n ? 1404 : 1200;
}

static int mount_diag(gadget *g)
{
        static const odm_diag_function all[] = {
                [MEASURE_MEMORY] = {"Memory", &odm_mo_diag_memory, ODM_DIAG_SNAPSHOT},
                [MEASURE_BATTERY] = {"Battery", &odm_mo_diag_battery, ODM_DIAG_SNAPSHOT},
                [MEASURE_SENSOR] = {"Sensor", &odm_mo_diag_sensor, ODM_DIAG_SNAPSHOT},
                [MEASURES] = {"Restart", &odm_mo_diag_restart, ODM_DIAG_RESTART},
        };
        int rc;

        if (!g->group->diag)
                return 0;
        g->diag.read = read_live;
        g->diag.list = list_live;
        g->diag.ready = is_ready;
        g->diag.ctx = g;
        rc = odm_diag_init(&g->diag, g->tasks);
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(all); i++) {
                if (!(g->group->diag >> i & 1))
                        continue;
                g->function[i] = all[i];
                rc = odm_diag_mount(&g->diag, &g->function[i]);
        }
        return rc;
}

/* ---- software ------------------------------------------------------------------------------- */

gadget_package *gadget_held(gadget *g, odm_str hold, bool make)
{
        gadget_package *p = NULL;

        for (size_t i = 0; i < GADGET_PACKAGES && hold.n; i++)
                if (odm_str_is(hold, g->package[i].hold))
                        return &g->package[i];
        if (!make || hold.n == 0 || hold.n >= sizeof p->hold)
                return NULL;
        for (size_t i = 0; i < GADGET_PACKAGES && !p; i++)
                if (!g->package[i].hold[0])
                        p = &g->package[i];
        if (!p) {
                memmove(g->package, g->package + 1, sizeof g->package - sizeof g->package[0]);
                p = &g->package[GADGET_PACKAGES - 1];
        }
        *p = (gadget_package){{0}};
        memcpy(p->hold, hold.p, hold.n);
        return p;
}

static int on_made(void *ctx, uint32_t id, size_t i, odm_component *out)
{
        const gadget *g = ctx;

        if (g->made_by != id || i > 0)
                return 0;
        *out = g->made;
        return 1;
}

static int mount_software(gadget *g)
{
        if (!g->group->software)
                return 0;
        g->scomo.made = on_made;
        g->scomo.ctx = g;
        return odm_scomo_mount(&g->scomo, g->tasks, &odm_mo_scomo);
}

static int mount_traps(gadget *g, const odm_mem *mem)
{
        const odm_traps_opt o = {.mem = mem, .tree = g->tree, .mo = &odm_mo_trap};

        return g->group->traps ? odm_traps_new(&o, &g->traps) : 0;
}

/* ---- the tree as a whole ------------------------------------------------------------------- */

static int on_log(void *ctx, odm_str record)
{
        gadget *g = ctx;

        (void)record;
        g->dirty = true;
        return 0;
}

static int mount_all(gadget *g, const odm_mem *mem)
{
        odm_tree_opt o;
        odm_tasks_opt to = {.mem = mem, .mo = &odm_mo_task};
        int rc;

        odm_tree_opt_init(&o, mem);
        o.max_nodes = 2048;
        o.max_value = 1u << 20; /* a package pushed within the session */
        o.max_bytes = 2u << 20;
        o.log = on_log;
        o.log_ctx = g;
        rc = odm_tree_new(&o, &g->tree);
        to.tree = g->tree;
        for (size_t i = 0; i < ODM_COUNT(providers) && rc == 0; i++)
                rc = odm_tree_mount(g->tree, NULL, &providers[i]);
        g->sim = (odm_provider){.name = "sim",
                                .mo = &odm_mo_sim,
                                .bind = sim_bind,
                                .n_bind = ODM_COUNT(sim_bind),
                                .ctx = g};
        if (rc == 0)
                rc = odm_tree_mount(g->tree, NULL, &g->sim);
        if (rc == 0)
                rc = odm_tasks_new(&to, &g->tasks);
        if (rc == 0)
                rc = odm_fumo_mount(&g->fumo, g->tasks, &odm_mo_fumo);
        if (rc == 0)
                rc = mount_software(g);
        if (rc == 0)
                rc = mount_diag(g);
        if (rc == 0)
                rc = mount_traps(g, mem);
        return rc;
}

static int write_new(gadget *g, odm_wall now)
{
        const group *k = g->group;
        const sim_leaf more[] = {
                {"./DevInfo/Man", k->maker}, {"./DevInfo/Mod", k->model},
                {"./DevDetail/FwV", k->fwv}, {"./DevDetail/SwV", k->swv},
                {"./DevDetail/HwV", k->hwv},
        };
        int rc = sim_device_write(g->tree, &k->o, g->i, now);

        if (rc == 0)
                rc = sim_leaves_write(g->tree, more, ODM_COUNT(more), now);
        if (rc == 0)
                rc = odm_fumo_add(&g->fumo, "main", now);
        return rc;
}

/* ---- records --------------------------------------------------------------------------------- */

static int put_number(odm_buf *b, uint64_t v, size_t octets)
{
        int rc = 0;

        for (size_t i = 0; i < octets && rc == 0; i++)
                rc = odm_buf_byte(b, (uint8_t)(v >> 8 * i));
        return rc;
}

static int put_text(odm_buf *b, const char *text)
{
        odm_str s = odm_cstr(text);
        int rc = odm_buf_byte(b, (uint8_t)s.n);

        return rc == 0 ? odm_buf_str(b, s) : rc;
}

static int put_packages(const gadget *g, uint64_t n, odm_buf *out)
{
        int rc = put_number(out, n, 1);

        for (size_t i = 0; i < GADGET_PACKAGES && rc == 0; i++) {
                const gadget_package *p = &g->package[i];
                if (!p->hold[0])
                        continue;
                rc = put_text(out, p->hold);
                if (rc == 0)
                        rc = put_text(out, p->component);
                if (rc == 0)
                        rc = put_text(out, p->version);
        }
        return rc;
}

int gadget_dump(gadget *g, odm_buf *out)
{
        uint64_t packages = 0;
        int rc;

        for (size_t i = 0; i < GADGET_PACKAGES; i++)
                packages += g->package[i].hold[0] != '\0';
        rc = odm_buf_byte(out, packages ? VERSION_2 : VERSION_1);
        unsigned busy = odm_tasks_at(g->tasks, 0) ? BUSY : 0;

        if (rc == 0)
                rc = odm_buf_byte(out, (uint8_t)(gadget_state(g) / 10 | busy));
        if (rc == 0)
                rc = put_text(out, g->held);
        if (rc == 0)
                rc = put_text(out, g->trial);
        if (rc == 0)
                rc = put_number(out, g->fired, 8);
        if (rc == 0)
                rc = put_number(out, g->over, 8);
        if (rc == 0)
                rc = put_number(out, g->calls, 4);
        if (rc == 0)
                rc = put_number(out, g->updates, 4);
        if (rc == 0 && packages)
                rc = put_packages(g, packages, out);
        if (rc == 0)
                rc = odm_tree_dump(g->tree, out);
        if (rc == 0)
                g->dirty = false;
        return rc;
}

static bool take_number(odm_str *s, size_t octets, uint64_t *out)
{
        uint64_t v = 0;

        if (s->n < octets)
                return false;
        for (size_t i = 0; i < octets; i++)
                v |= (uint64_t)(unsigned char)s->p[i] << 8 * i;
        *s = odm_str_from(*s, octets);
        *out = v;
        return true;
}

static bool take_text(odm_str *s, char *out, size_t room)
{
        uint64_t n;

        if (!take_number(s, 1, &n) || n >= room || n > s->n)
                return false;
        memcpy(out, s->p, (size_t)n);
        out[n] = '\0';
        *s = odm_str_from(*s, (size_t)n);
        return true;
}

static bool take_packages(odm_str *s, gadget *g)
{
        uint64_t n;

        if (!take_number(s, 1, &n) || n > GADGET_PACKAGES)
                return false;
        for (size_t i = 0; i < n; i++) {
                gadget_package *p = &g->package[i];
                if (!take_text(s, p->hold, sizeof p->hold) ||
                    !take_text(s, p->component, sizeof p->component) ||
                    !take_text(s, p->version, sizeof p->version))
                        return false;
        }
        return true;
}

/* The hardware's part of a record; *s becomes the tree's. */
static int read_head(odm_str *s, gadget *g, uint64_t *state)
{
        uint64_t version, calls, updates;

        if (!take_number(s, 1, &version) || version < VERSION_1 || version > VERSION_2 ||
            !take_number(s, 1, state) || !take_text(s, g->held, sizeof g->held) ||
            !take_text(s, g->trial, sizeof g->trial) || !take_number(s, 8, &g->fired) ||
            !take_number(s, 8, &g->over) || !take_number(s, 4, &calls) ||
            !take_number(s, 4, &updates) || (version == VERSION_2 && !take_packages(s, g)))
                return ODM_EMALFORMED;
        g->calls = (uint32_t)calls;
        g->updates = (uint32_t)updates;
        return 0;
}

int gadget_peek(odm_str record, gadget_glance *out)
{
        gadget g = {0};
        uint64_t state;
        int rc = read_head(&record, &g, &state);

        if (rc == 0)
                *out = (gadget_glance){.state = (unsigned)(state & (BUSY - 1)) * 10,
                                       .busy = (state & BUSY) != 0,
                                       .fired = g.fired,
                                       .over = g.over,
                                       .calls = g.calls};
        return rc;
}

/* ---- life --------------------------------------------------------------------------------------- */

int gadget_open(const group *k, uint32_t i, odm_str record, const odm_mem *mem, odm_wall now,
                gadget **out)
{
        gadget *g = odm_alloc(mem, sizeof *g);
        uint64_t state;
        int rc;

        if (!g)
                return ODM_ENOMEM;
        g->group = k;
        g->i = i;
        rc = mount_all(g, mem);
        if (rc == 0 && record.p) {
                rc = read_head(&record, g, &state);
                if (rc == 0)
                        rc = odm_tree_load(g->tree, record);
                g->dirty = false;
                if (rc == 0)
                        rc = odm_tasks_load(g->tasks, now);
        } else if (rc == 0) {
                rc = write_new(g, now);
        }
        if (rc < 0)
                gadget_free(g, mem);
        else
                *out = g;
        return rc;
}

void gadget_free(gadget *g, const odm_mem *mem)
{
        if (!g)
                return;
        odm_tree_free(g->tree);
        odm_traps_free(g->traps);
        odm_tasks_free(g->tasks);
        odm_diag_done(&g->diag);
        odm_free(mem, g, sizeof *g);
}

/* ---- leaves ---------------------------------------------------------------------------------------- */

odm_str gadget_get(gadget *g, const char *uri, odm_arena *a)
{
        odm_value v = {ODM_FMT_ABSENT};

        return odm_tree_read(g->tree, odm_cstr(uri), a, &v) == 0 ? v.data : ODM_ABSENT;
}

unsigned gadget_state(gadget *g)
{
        char block[256];
        uint64_t n = 0;
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, odm_tasks_mem(g->tasks), 4096, block, sizeof block);
        rc = odm_str_u64(gadget_get(g, GADGET_OBJECT "/State", &a), 1000, &n);
        odm_arena_done(&a);
        return rc == 0 ? (unsigned)n : 0;
}

int gadget_set(gadget *g, const char *uri, const char *text, odm_wall now)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(text)};
        char block[512];
        odm_arena a;
        bool same;

        odm_arena_init_on(&a, odm_tasks_mem(g->tasks), 4096, block, sizeof block);
        same = odm_str_is(gadget_get(g, uri, &a), text);
        odm_arena_done(&a);
        return same ? 0 : odm_tree_write(g->tree, odm_cstr(uri), &v, now);
}
