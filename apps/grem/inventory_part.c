/* SPDX-License-Identifier: Apache-2.0 */
/* inventory_part.c - ./GwMO/Inventory: records as they are in memory, groups as they are stored,
 * and the devices that the server expects (gwmo.md 5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "mo.h"
#include "odm/inventory.h"

#define AT "./GwMO/Inventory"
#define RECORD "Records/*"
#define EXPECTED AT "/Ext/Expected"
#define EXPECTED_MAX 20000
#define EXPECTED_BYTES ((size_t)64 << 20) /* of one: its name may be as long as a value can be */
#define BINDINGS 40

typedef struct inventory_part {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap, where there are no records */
        odm_provider provider;
        odm_binding bind[BINDINGS];
        loop_timer expected; /* the list was written to */
} inventory_part;

static gw_device *device_at(const inventory_part *p, const odm_at *at)
{
        return p->g ? gw_by_key(p->g, at->name[0]) : NULL;
}

/* ---- leaves that are texts of the record -------------------------------------------------------- */

static const struct text_leaf {
        const char *name;
        size_t offset;
        bool may_lack; /* no node where nothing is known */
} text_leaves[] = {
        {"DeviceID", offsetof(gw_device, id), false},
        {"Name", offsetof(gw_device, name), false},
        {"Man", offsetof(gw_device, man), true},
        {"Mod", offsetof(gw_device, mod), true},
        {"DevTyp", offsetof(gw_device, dev_type), true},
        {"FwV", offsetof(gw_device, fwv), true},
        {"SwV", offsetof(gw_device, swv), true},
        {"HwV", offsetof(gw_device, hwv), true},
        {"Protocol", offsetof(gw_device, protocol), false},
        {"Addr", offsetof(gw_device, addr), false},
        {"AddrType", offsetof(gw_device, addr_type), false},
        {"StateReason", offsetof(gw_device, reason), false},
};

static int read_text(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gw_device *d = device_at(ctx, at);

        (void)a;
        for (size_t i = 0; d && i < ODM_COUNT(text_leaves); i++) {
                const struct text_leaf *l = &text_leaves[i];
                if (!odm_str_is(at->desc->name, l->name))
                        continue;
                odm_str s = *(const odm_str *)(const void *)((const char *)d + l->offset);
                if (s.n == 0 && l->may_lack)
                        return ODM_ENOENT;
                *out = (odm_value){.format = ODM_FMT_CHR, .data = s.n ? s : ODM_STR("")};
                return 0;
        }
        return ODM_ENOENT;
}

/* ---- numbers, times ---------------------------------------------------------------------------------- */

static int put_number(odm_arena *a, odm_value *out, int64_t n)
{
        out->format = ODM_FMT_INT;
        out->data = odm_arena_fmt(a, "%lld", (long long)n);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int read_number(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gw_device *d = device_at(ctx, at);
        odm_str name = at->desc->name;

        if (!d)
                return ODM_ENOENT;
        if (odm_str_is(name, "ComponentType"))
                return put_number(a, out, d->is_gateway);
        if (odm_str_is(name, "Mode"))
                return put_number(a, out, d->mode);
        if (odm_str_is(name, "State"))
                return put_number(a, out, d->state);
        if (odm_str_is(name, "Pending"))
                return put_number(a, out, d->pending);
        if (odm_str_is(name, "Flaps"))
                return put_number(a, out, d->flaps);
        if (odm_str_is(name, "WakeInterval") && d->wake_interval_s > 0)
                return put_number(a, out, d->wake_interval_s);
        if (odm_str_is(name, "AwakeFor") && d->awake_s > 0)
                return put_number(a, out, d->awake_s);
        return ODM_ENOENT;
}

static int read_time(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gw_device *d = device_at(ctx, at);
        odm_str name = at->desc->name;
        char text[ODM_WALL_TEXT] = "";
        odm_wall w;

        if (!d)
                return ODM_ENOENT;
        w = odm_str_is(name, "AttachTime") ? d->attached
            : odm_str_is(name, "LastSeen") ? d->seen
                                           : d->next_wake;
        if (w.s > 0)
                odm_wall_format(w, text);
        else if (odm_str_is(name, "NextWake"))
                return ODM_ENOENT;
        out->format = ODM_FMT_TIME;
        out->data = odm_arena_copy(a, odm_cstr(text));
        return out->data.p ? 0 : odm_arena_err(a);
}

static int read_mount(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gw_device *d = device_at(ctx, at);

        if (!d || d->mode == GW_TRANSPARENT)
                return ODM_ENOENT;
        out->format = ODM_FMT_CHR;
        out->data = odm_arena_fmt(a, "./GwDev/%s", d->key);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int read_active(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gw_device *d = device_at(ctx, at);

        (void)a;
        if (!d)
                return ODM_ENOENT;
        *out = (odm_value){.format = ODM_FMT_BOOL,
                           .data = d->state == GW_DEACTIVATED ? ODM_STR("false") : ODM_STR("true")};
        return 0;
}

/* ---- what servers write ------------------------------------------------------------------------------ */

#define KEEP ((gw_change){.wake_interval_s = -2, .awake_s = -2, .active = -1})

static bool is_true(odm_str s)
{
        return odm_str_ieq(s, "true") || odm_str_is(s, "1");
}

static bool is_false(odm_str s)
{
        return odm_str_ieq(s, "false") || odm_str_is(s, "0");
}

/* False for a value that fits no such leaf. */
static bool change_of(odm_str name, odm_str data, gw_change *c)
{
        uint64_t n = 0;
        bool number = odm_str_u64(data, INT32_MAX, &n) == 0;

        *c = KEEP;
        if (odm_str_is(name, "Name")) {
                c->name = data.p ? data : ODM_STR("");
                return data.n <= 255;
        }
        if (odm_str_is(name, "Active")) {
                c->active = is_true(data);
                c->reason = ODM_STR("operator");
                return is_true(data) || is_false(data);
        }
        if (odm_str_is(name, "Mode")) {
                c->mode = (int)n;
                return number && n >= GW_TRANSPARENT && n <= GW_ADAPTATION;
        }
        if (odm_str_is(name, "WakeInterval"))
                c->wake_interval_s = (int64_t)n;
        else
                c->awake_s = (int64_t)n;
        return number;
}

static int write_leaf(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        const inventory_part *p = ctx;
        gw_device *d = device_at(p, at);
        gw_change c;
        int rc;

        if (!d) {
                *status = ODM_ST_NOT_FOUND;
                return 0;
        }
        if (!change_of(at->desc->name, v->data, &c)) {
                *status = ODM_ST_BAD_FORMAT;
                return 0;
        }
        rc = gw_change_device(p->g, d, &c);
        if (rc == ODM_ESTATE)
                *status = ODM_ST_NOT_ALLOWED;
        else if (rc < 0)
                *status = rc == ODM_EIO ? ODM_ST_STORE_FAILED : ODM_ST_FAILED;
        return 0;
}

/* ---- lists ------------------------------------------------------------------------------------------- */

static int list_records(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const inventory_part *p = ctx;
        int rc = 0;

        (void)at;
        for (gw_device *d = p->g ? gw_next(p->g, NULL) : NULL; d && rc == 0; d = gw_next(p->g, d))
                rc = add(to, odm_cstr(d->key));
        return rc;
}

static odm_str words_of(const gw_device *d, odm_str list)
{
        return odm_str_is(list, "MOs") ? d->mos : d->dms;
}

/* The n-th word, from 1; absent: there are not so many. */
static odm_str word_at(odm_str s, uint64_t n)
{
        while (s.n) {
                size_t end = 0;
                while (end < s.n && s.p[end] != ' ')
                        end++;
                if (end > 0 && --n == 0)
                        return odm_str_to(s, end);
                s = odm_str_from(s, end + 1);
        }
        return ODM_ABSENT;
}

static int list_words(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const gw_device *d = device_at(ctx, at);
        char name[24];
        int rc = 0;

        for (unsigned i = 1; d && rc == 0 && word_at(words_of(d, at->desc->name), i).p; i++) {
                snprintf(name, sizeof name, "%u", i);
                rc = add(to, odm_cstr(name));
        }
        return rc;
}

static int read_word(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const gw_device *d = device_at(ctx, at);
        odm_str word = ODM_ABSENT;
        uint64_t n;

        (void)a;
        if (d && odm_str_u64(at->name[1], 10000, &n) == 0 && n > 0)
                word = word_at(odm_str_is(at->desc->name, "MOID") ? d->mos : d->dms, n);
        *out = (odm_value){.format = ODM_FMT_CHR, .data = word};
        return word.p ? 0 : ODM_ENOENT;
}

/* ---- groups and expected devices --------------------------------------------------------------------- */

static int check_match(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && v->data.n && odm_inv_selector_check(v->data) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_mode(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        uint64_t n;

        (void)ctx;
        (void)at;
        if (v && (odm_str_u64(v->data, GW_ADAPTATION, &n) < 0 || n < GW_TRANSPARENT))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

/* ---- expected devices become records ----------------------------------------------------------------- */

typedef struct expected_list {
        inventory_part *p;
        odm_arena *a;
        odm_str *names;
        size_t n, cap;
} expected_list;

static int on_expected_name(void *ctx, odm_str name)
{
        expected_list *l = ctx;

        if (l->n == EXPECTED_MAX)
                return ODM_ELIMIT;
        if (l->n == l->cap) {
                size_t cap = l->cap ? l->cap * 2 : 64;
                odm_str *names = odm_arena_get(l->a, cap * sizeof *names);
                if (!names)
                        return odm_arena_err(l->a);
                if (l->n)
                        memcpy(names, l->names, l->n * sizeof *names);
                l->names = names;
                l->cap = cap;
        }
        l->names[l->n] = odm_arena_copy(l->a, name);
        return l->names[l->n++].p ? 0 : odm_arena_err(l->a);
}

/* A leaf that is not there has no text. */
static int expected_leaf(const expected_list *l, odm_str name, const char *which, odm_arena *a,
                         odm_str *out)
{
        odm_str uri = odm_arena_fmt(a, EXPECTED "/%.*s/%s", (int)name.n, name.p, which);
        odm_value v;
        int rc = uri.p ? odm_tree_read(l->p->host->tree, uri, a, &v) : odm_arena_err(a);

        *out = ODM_ABSENT;
        if (rc == 0)
                *out = odm_arena_copy(a, v.data);
        return a->err ? odm_arena_err(a) : 0;
}

static int expect(const expected_list *l, odm_str name, odm_arena *a)
{
        odm_str id, mode_text, title;
        uint64_t mode = 0;
        gw_device *d;
        int rc = expected_leaf(l, name, "DeviceID", a, &id);

        if (rc < 0 || id.n == 0 || gw_by_id(l->p->g, id))
                return rc;
        rc = expected_leaf(l, name, "Mode", a, &mode_text);
        if (rc == 0)
                rc = expected_leaf(l, name, "Name", a, &title);
        if (rc < 0)
                return rc;
        if (odm_str_u64(mode_text, GW_ADAPTATION, &mode) < 0)
                mode = 0;
        rc = devices_provision(l->p->g, id, title, (int)mode, &d);
        if (rc < 0)
                log_error("an expected device has no record", log_str("id", id),
                          log_text("reason", odm_err_text(rc)));
        return 0;
}

static int by_number(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

/* Records of those that are expected no more, and never came. */
static int drop_unexpected(const expected_list *l, odm_arena *a)
{
        uint32_t *known = odm_arena_get(l->a, (l->n + 1) * sizeof *known);
        gw_device *d, *next;
        size_t n = 0;
        odm_str id;

        if (!known)
                return odm_arena_err(l->a);
        for (size_t i = 0; i < l->n; i++) {
                int rc = expected_leaf(l, l->names[i], "DeviceID", a, &id);
                if (rc < 0)
                        return rc;
                d = gw_by_id(l->p->g, id);
                if (d)
                        known[n++] = d->number;
                odm_arena_reset(a);
        }
        qsort(known, n, sizeof *known, by_number);
        for (d = gw_next(l->p->g, NULL); d; d = next) {
                next = gw_next(l->p->g, d);
                if (d->state == GW_PROVISIONED &&
                    !bsearch(&d->number, known, n, sizeof *known, by_number) &&
                    devices_remove(l->p->g, d) < 0)
                        log_error("a record that nobody expects any more stays");
        }
        return 0;
}

static void take_expected(void *ctx)
{
        inventory_part *p = ctx;
        odm_arena a, one; /* of the list; of one entry */
        expected_list l = {.p = p, .a = &a};
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)32 << 20);
        odm_arena_init(&one, &heap_mem, EXPECTED_BYTES);
        rc = odm_tree_children(p->host->tree, ODM_STR(EXPECTED), on_expected_name, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                rc = expect(&l, l.names[i], &one);
                odm_arena_reset(&one);
        }
        if (rc == 0)
                rc = drop_unexpected(&l, &one);
        odm_arena_done(&one);
        odm_arena_done(&a);
        if (rc < 0)
                log_error("expected devices", log_text("reason", odm_err_text(rc)));
}

/* The tree is read when the transaction is over. */
static int on_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        inventory_part *p = ctx;
        bool any = false;

        (void)t;
        for (; list; list = list->next)
                any = any || odm_str_starts(list->uri, EXPECTED);
        if (any && p->g && p->host->loop &&
            loop_timer_set(p->host->loop, &p->expected, loop_now()) < 0)
                log_error("no memory for a timer");
        return 0;
}

static int check_id(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && (v->data.n == 0 || v->data.n > 255))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

/* ---- life -------------------------------------------------------------------------------------------- */

static void bind(inventory_part *p, odm_binding b)
{
        p->bind[p->provider.n_bind++] = b;
}

static const char *const text_paths[] = {
        RECORD "/DeviceID", RECORD "/Man",      RECORD "/Mod",        RECORD "/DevTyp",
        RECORD "/FwV",      RECORD "/SwV",      RECORD "/HwV",        RECORD "/Addr",
        RECORD "/AddrType", RECORD "/Protocol", RECORD "/StateReason"};
static const char *const number_paths[] = {RECORD "/ComponentType", RECORD "/State",
                                           RECORD "/Pending", RECORD "/Ext/Flaps"};
static const char *const time_paths[] = {RECORD "/AttachTime", RECORD "/LastSeen",
                                         RECORD "/NextWake"};
static const char *const changed_paths[] = {RECORD "/Mode", RECORD "/WakeInterval",
                                            RECORD "/AwakeFor"};

static void bind_all(inventory_part *p)
{
        p->provider = (odm_provider){.name = "gwinventory",
                                     .mo = &odm_mo_gwinventory,
                                     .bind = p->bind,
                                     .ctx = p,
                                     .commit = on_commit};
        bind(p, (odm_binding){.path = "Records", .list = list_records});
        for (size_t i = 0; i < ODM_COUNT(text_paths); i++)
                bind(p, (odm_binding){.path = text_paths[i], .read = read_text});
        for (size_t i = 0; i < ODM_COUNT(number_paths); i++)
                bind(p, (odm_binding){.path = number_paths[i], .read = read_number});
        for (size_t i = 0; i < ODM_COUNT(time_paths); i++)
                bind(p, (odm_binding){.path = time_paths[i], .read = read_time});
        for (size_t i = 0; i < ODM_COUNT(changed_paths); i++)
                bind(p, (odm_binding){.path = changed_paths[i],
                                      .read = read_number,
                                      .write = write_leaf});
        bind(p, (odm_binding){.path = RECORD "/Name", .read = read_text, .write = write_leaf});
        bind(p,
             (odm_binding){.path = RECORD "/Ext/Active", .read = read_active, .write = write_leaf});
        bind(p, (odm_binding){.path = RECORD "/MountPoint", .read = read_mount});
        bind(p, (odm_binding){.path = RECORD "/MOs", .list = list_words});
        bind(p, (odm_binding){.path = RECORD "/MOs/*/MOID", .read = read_word});
        bind(p, (odm_binding){.path = RECORD "/DMSList", .list = list_words});
        bind(p, (odm_binding){.path = RECORD "/DMSList/*", .read = read_word});
        bind(p, (odm_binding){.path = "Groups/*/Match", .check = check_match});
        bind(p, (odm_binding){.path = "Ext/Expected/*/Mode", .check = check_mode});
        bind(p, (odm_binding){.path = "Ext/Expected/*/DeviceID", .check = check_id});
}

static int gwinventory_mount(const part_host *h, void **out, diag *d)
{
        inventory_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        p->expected = (loop_timer){.fn = take_expected, .ctx = p};
        bind_all(p);
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, AT ": %s", odm_err_text(rc));
        }
        *out = p;
        return 0;
}

static int gwinventory_open(void *ctx, diag *d)
{
        (void)d;
        take_expected(ctx);
        return 0;
}

static void gwinventory_close(void *ctx)
{
        inventory_part *p = ctx;

        loop_timer_stop(&p->expected);
        free(p);
}

static const char *const roots[] = {AT, NULL};

const part_class part_gwinventory = {
        .name = "gwinventory",
        .roots = roots,
        .mount = gwinventory_mount,
        .open = gwinventory_open,
        .close = gwinventory_close,
};
