/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - DevInfo, DevDetail and ./Vendor/xrem (dm-stdobj.md 2, 3; mo-others.md 1.6).
 *
 * Every value is read when it is asked for.  The bindings of the vendor object share a function
 * for the leaves of one kind of thing, which looks at the name of the leaf. */
#include "objects.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "mo.h"

#define INTERVAL_LEAST 10 /* seconds; 0 means never */

static int give_text(const char *text, odm_arena *a, odm_value *out)
{
        if (!text)
                return ODM_ENOENT;
        out->format = ODM_FMT_CHR;
        out->data = odm_arena_copy(a, odm_cstr(text));
        return out->data.p ? 0 : odm_arena_err(a);
}

/* An int of DM has 32 bits and a sign: what is larger stays at the most. */
static int give_int(int64_t n, odm_arena *a, odm_value *out)
{
        if (n > INT32_MAX)
                n = INT32_MAX;
        out->format = ODM_FMT_INT;
        out->data = odm_arena_fmt(a, "%" PRId64, n);
        return out->data.p ? 0 : odm_arena_err(a);
}

/* ---- texts that stay: a table of leaf and field --------------------------------------- */

typedef struct fixed_leaf {
        const char *name;
        size_t field; /* offset in objects */
} fixed_leaf;

static int read_fixed(const objects *o, const fixed_leaf *table, size_t n, const odm_at *at,
                      odm_arena *a, odm_value *out)
{
        for (size_t i = 0; i < n; i++) {
                if (odm_str_is(at->desc->name, table[i].name)) {
                        const char *const *p = (const char *const *)(const void *)((const char *)o +
                                                                                   table[i].field);
                        return give_text(*p, a, out);
                }
        }
        return ODM_ENOENT;
}

static int read_devinfo(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        static const fixed_leaf table[] = {
                {"DevId", offsetof(objects, dev_id)},  {"Man", offsetof(objects, maker)},
                {"Mod", offsetof(objects, model)},     {"DmV", offsetof(objects, dm_version)},
                {"Lang", offsetof(objects, language)}, {"Wake", offsetof(objects, wake)}};

        return read_fixed(ctx, table, ODM_COUNT(table), at, a, out);
}

static int read_devdetail(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        static const fixed_leaf table[] = {{"DevTyp", offsetof(objects, dev_type)},
                                           {"OEM", offsetof(objects, oem)},
                                           {"FwV", offsetof(objects, fw_version)},
                                           {"SwV", offsetof(objects, sw_version)},
                                           {"HwV", offsetof(objects, hw_version)}};

        return read_fixed(ctx, table, ODM_COUNT(table), at, a, out);
}

static int read_machine(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        static const fixed_leaf table[] = {{"Id", offsetof(objects, machine_id)},
                                           {"Hostname", offsetof(objects, host)},
                                           {"Os", offsetof(objects, os)},
                                           {"Kernel", offsetof(objects, kernel)},
                                           {"Arch", offsetof(objects, arch)}};

        return read_fixed(ctx, table, ODM_COUNT(table), at, a, out);
}

static const odm_binding devinfo_bind[] = {
        {.path = "DevId", .read = read_devinfo}, {.path = "Man", .read = read_devinfo},
        {.path = "Mod", .read = read_devinfo},   {.path = "DmV", .read = read_devinfo},
        {.path = "Lang", .read = read_devinfo},  {.path = "Ext/xrem/Wake", .read = read_devinfo}};

static const odm_binding devdetail_bind[] = {{.path = "DevTyp", .read = read_devdetail},
                                             {.path = "OEM", .read = read_devdetail},
                                             {.path = "FwV", .read = read_devdetail},
                                             {.path = "SwV", .read = read_devdetail},
                                             {.path = "HwV", .read = read_devdetail}};

/* ---- live values ------------------------------------------------------------------------- */

static int read_uptime(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const objects *o = ctx;
        int64_t n;
        int rc = machine_uptime(&o->machine, &n);

        (void)at;
        return rc < 0 ? rc : give_int(n, a, out);
}

static int read_load(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        static const char *const names[3] = {"Load1", "Load5", "Load15"};
        const objects *o = ctx;
        char load[3][16];
        int rc = machine_load(&o->machine, load);

        for (size_t i = 0; rc == 0 && i < 3; i++) {
                if (!odm_str_is(at->desc->name, names[i]))
                        continue;
                out->format = ODM_FMT_FLOAT;
                out->data = odm_arena_copy(a, odm_cstr(load[i]));
                return out->data.p ? 0 : odm_arena_err(a);
        }
        return ODM_ENOENT;
}

static int read_memory(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        static const struct {
                const char *leaf, *key;
        } keys[] = {{"TotalKB", "MemTotal"},
                    {"AvailableKB", "MemAvailable"},
                    {"SwapTotalKB", "SwapTotal"},
                    {"SwapFreeKB", "SwapFree"}};
        const objects *o = ctx;

        for (size_t i = 0; i < ODM_COUNT(keys); i++) {
                int64_t kb;
                if (!odm_str_is(at->desc->name, keys[i].leaf))
                        continue;
                if (machine_memory(&o->machine, keys[i].key, &kb) < 0)
                        return ODM_ENOENT;
                return give_int(kb, a, out);
        }
        return ODM_ENOENT;
}

static int read_cpu_count(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const objects *o = ctx;
        int64_t n;
        int rc = machine_cpu_count(&o->machine, &n);

        (void)at;
        return rc < 0 ? rc : give_int(n, a, out);
}

static int read_cpu_model(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const objects *o = ctx;
        char text[256];
        int rc = machine_cpu_model(&o->machine, text, sizeof text);

        (void)at;
        return rc < 0 ? rc : give_text(text, a, out);
}

/* ---- disks, sensors, interfaces: found anew for each call ------------------------------------ */

static int list_disks(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const objects *o = ctx;
        machine_disk d[MACHINE_DISKS];
        size_t n = machine_disks(&o->machine, d);
        int rc = 0;

        (void)at;
        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = add(to, odm_cstr(d[i].name));
        return rc;
}

static int give_disk(const machine_disk *d, odm_str leaf, odm_arena *a, odm_value *out)
{
        if (odm_str_is(leaf, "Mount"))
                return give_text(d->mount, a, out);
        if (odm_str_is(leaf, "Fs"))
                return give_text(d->fs, a, out);
        if (odm_str_is(leaf, "TotalMB"))
                return give_int(d->total_mb, a, out);
        return give_int(d->free_mb, a, out);
}

static int read_disk(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const objects *o = ctx;
        machine_disk d[MACHINE_DISKS];
        size_t n = machine_disks(&o->machine, d);

        for (size_t i = 0; i < n; i++)
                if (odm_str_is(at->name[0], d[i].name))
                        return give_disk(&d[i], at->desc->name, a, out);
        return ODM_ENOENT;
}

static int list_temps(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const objects *o = ctx;
        machine_temp t[MACHINE_TEMPS];
        size_t n = machine_temps(&o->machine, t);
        int rc = 0;

        (void)at;
        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = add(to, odm_cstr(t[i].name));
        return rc;
}

static int read_temp(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const objects *o = ctx;
        machine_temp t[MACHINE_TEMPS];
        size_t n = machine_temps(&o->machine, t);

        for (size_t i = 0; i < n; i++)
                if (odm_str_is(at->name[0], t[i].name))
                        return odm_str_is(at->desc->name, "Label") ? give_text(t[i].label, a, out)
                                                                   : give_int(t[i].milli, a, out);
        return ODM_ENOENT;
}

static int with_nets(const objects *o, int (*fn)(void *ctx, const machine_net *i), void *ctx)
{
        machine_net *list = calloc(MACHINE_NETS, sizeof *list);
        size_t n = list ? machine_nets(&o->machine, list) : 0;
        int rc = list ? 0 : ODM_ENOMEM;

        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = fn(ctx, &list[i]);
        free(list);
        return rc;
}

typedef struct name_list {
        int (*add)(void *list, odm_str name);
        void *to;
} name_list;

static int add_net(void *ctx, const machine_net *i)
{
        name_list *l = ctx;

        return l->add(l->to, odm_cstr(i->name));
}

static int list_nets(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        name_list l = {add, to};

        (void)at;
        return with_nets(ctx, add_net, &l);
}

static int give_net(const machine_net *i, odm_str leaf, odm_arena *a, odm_value *out)
{
        static const char *const counters[6] = {"RxBytes",   "TxBytes",  "RxPackets",
                                                "TxPackets", "RxErrors", "TxErrors"};

        if (odm_str_is(leaf, "Mac"))
                return give_text(i->mac[0] ? i->mac : NULL, a, out);
        if (odm_str_is(leaf, "Mtu"))
                return give_int(i->mtu, a, out);
        if (odm_str_is(leaf, "Addrs"))
                return give_text(i->addrs, a, out);
        if (odm_str_is(leaf, "Up")) {
                out->format = ODM_FMT_BOOL;
                out->data = i->up ? ODM_STR("true") : ODM_STR("false");
                return 0;
        }
        for (size_t c = 0; c < 6; c++)
                if (odm_str_is(leaf, counters[c]))
                        return give_text(i->counter[c][0] ? i->counter[c] : NULL, a, out);
        return ODM_ENOENT;
}

typedef struct net_read {
        const odm_at *at;
        odm_arena *a;
        odm_value *out;
        int rc;
} net_read;

static int read_if_named(void *ctx, const machine_net *i)
{
        net_read *r = ctx;

        if (!odm_str_is(r->at->name[0], i->name))
                return 0;
        r->rc = give_net(i, r->at->desc->name, r->a, r->out);
        return 1;
}

static int read_net(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        net_read r = {.at = at, .a = a, .out = out, .rc = ODM_ENOENT};
        int rc = with_nets(ctx, read_if_named, &r);

        return rc < 0 ? rc : r.rc;
}

/* ---- settings and what can be run ------------------------------------------------------- */

static int check_interval(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        uint64_t n;

        (void)ctx;
        (void)at;
        if (v && (odm_str_u64(v->data, INT32_MAX, &n) < 0 || (n > 0 && n < INTERVAL_LEAST)))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int level_of(odm_str name)
{
        return odm_str_ieq(name, "warning") ? LOG_LEVEL_WARN : log_level_parse(name);
}

static int check_log(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && level_of(v->data) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int exec_ping(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        (void)at;
        log_debug("pinged", log_str("data", op->value.data));
        *status = ODM_ST_OK;
        return 0;
}

static int exec_sync(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const objects *o = ctx;

        (void)at;
        o->on_sync(o->ctx, op->correlator);
        *status = ODM_ST_ACCEPTED;
        return 0;
}

static int vendor_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        const objects *o = ctx;

        (void)t;
        for (const odm_change *c = list; c; c = c->next) {
                if (odm_str_starts(c->uri, "./Vendor/xrem/Config")) {
                        o->on_config(o->ctx);
                        break;
                }
        }
        return 0;
}

static const odm_binding vendor_bind[] = {
        {.path = "Machine/Id", .read = read_machine},
        {.path = "Machine/Hostname", .read = read_machine},
        {.path = "Machine/Os", .read = read_machine},
        {.path = "Machine/Kernel", .read = read_machine},
        {.path = "Machine/Arch", .read = read_machine},
        {.path = "Uptime", .read = read_uptime},
        {.path = "Load/Load1", .read = read_load},
        {.path = "Load/Load5", .read = read_load},
        {.path = "Load/Load15", .read = read_load},
        {.path = "Memory/TotalKB", .read = read_memory},
        {.path = "Memory/AvailableKB", .read = read_memory},
        {.path = "Memory/SwapTotalKB", .read = read_memory},
        {.path = "Memory/SwapFreeKB", .read = read_memory},
        {.path = "Cpu/Count", .read = read_cpu_count},
        {.path = "Cpu/Model", .read = read_cpu_model},
        {.path = "Disk", .list = list_disks},
        {.path = "Disk/*/Mount", .read = read_disk},
        {.path = "Disk/*/TotalMB", .read = read_disk},
        {.path = "Disk/*/FreeMB", .read = read_disk},
        {.path = "Disk/*/Fs", .read = read_disk},
        {.path = "Temp", .list = list_temps},
        {.path = "Temp/*/Label", .read = read_temp},
        {.path = "Temp/*/Milli", .read = read_temp},
        {.path = "Net", .list = list_nets},
        {.path = "Net/*/Mac", .read = read_net},
        {.path = "Net/*/Mtu", .read = read_net},
        {.path = "Net/*/Up", .read = read_net},
        {.path = "Net/*/Addrs", .read = read_net},
        {.path = "Net/*/RxBytes", .read = read_net},
        {.path = "Net/*/TxBytes", .read = read_net},
        {.path = "Net/*/RxPackets", .read = read_net},
        {.path = "Net/*/TxPackets", .read = read_net},
        {.path = "Net/*/RxErrors", .read = read_net},
        {.path = "Net/*/TxErrors", .read = read_net},
        {.path = "Config/Interval", .check = check_interval},
        {.path = "Config/Log", .check = check_log},
        {.path = "Ping", .exec = exec_ping},
        {.path = "Sync", .exec = exec_sync},
};

/* ---- mounting --------------------------------------------------------------------------- */

static odm_provider provider(const char *name, const odm_mo *mo, const odm_binding *bind, size_t n,
                             objects *o)
{
        return (odm_provider){.name = name, .mo = mo, .bind = bind, .n_bind = n, .ctx = o};
}

int objects_mount(objects *o, odm_tree *t)
{
        const odm_provider *all[] = {&o->devinfo, &o->devdetail, &o->dmacc.provider, &o->inbox,
                                     &o->vendor};

        o->devinfo = provider("devinfo", &odm_mo_devinfo, devinfo_bind, ODM_COUNT(devinfo_bind), o);
        o->devdetail = provider("devdetail", &odm_mo_devdetail, devdetail_bind,
                                ODM_COUNT(devdetail_bind), o);
        o->vendor = provider("xrem", &odm_mo_xrem, vendor_bind, ODM_COUNT(vendor_bind), o);
        o->vendor.commit = vendor_commit;
        o->inbox = provider("inbox", &odm_mo_inbox, NULL, 0, o);
        odm_dmacc_init(&o->dmacc, &heap_mem, &odm_mo_dmacc, "./DMAcc");
        for (size_t i = 0; i < ODM_COUNT(all); i++) {
                int rc = odm_tree_mount(t, NULL, all[i]);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

int64_t objects_interval(odm_tree *t)
{
        odm_value v = {0};
        uint64_t n = 0;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 4096);
        if (odm_tree_read(t, ODM_STR(OBJECTS_INTERVAL), &a, &v) < 0 ||
            odm_str_u64(v.data, INT32_MAX, &n) < 0)
                n = 3600;
        odm_arena_done(&a);
        return (int64_t)n;
}

int objects_log_level(odm_tree *t)
{
        odm_value v = {0};
        odm_arena a;
        int level = -1;

        odm_arena_init(&a, &heap_mem, 4096);
        if (odm_tree_read(t, ODM_STR(OBJECTS_LOG), &a, &v) == 0)
                level = level_of(v.data);
        odm_arena_done(&a);
        return level;
}
