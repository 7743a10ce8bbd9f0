/* SPDX-License-Identifier: Apache-2.0 */
#include "apply.h"

#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "odm/codec.h"
#include "odm/fanout.h"
#include "rights.h"

#define AT "./GwMO/Config/ConfigData"
#define MEMORY_MAX ((size_t)8 << 20) /* of one order */
#define ENTRIES_MAX 256
#define DEPTH_MAX 32
#define TAG "config"

typedef struct order {
        struct order *next;
        applier *a;
        gw_device *d;
        applied done;
        void *ctx;
        uint64_t run;
        odm_arena arena;
        odm_command *list, **last;
} order;

struct applier {
        gateway *g;
        gw_hook hook;
        order *orders; /* under way */
};

/* ---- a document as commands ---------------------------------------------------------------------- */

static int add_command(order *o, const odm_command *from)
{
        odm_command *c = odm_new(&o->arena, odm_command);

        if (!c)
                return odm_arena_err(&o->arena);
        *c = *from;
        c->next = NULL;
        *o->last = c;
        o->last = &c->next;
        return 0;
}

static int add_leaf(order *o, odm_str uri, const odm_doc_node *n)
{
        odm_item *item = odm_new(&o->arena, odm_item);

        if (!item)
                return odm_arena_err(&o->arena);
        item->target = uri;
        item->data = n->value;
        item->meta.present = n->format != ODM_FMT_ABSENT || n->type.n;
        item->meta.format = n->format;
        item->meta.type = n->type_is_ddf_name ? ODM_ABSENT : n->type;
        return add_command(o, &(odm_command){.kind = ODM_CMD_REPLACE, .items = item});
}

static odm_str below(odm_arena *a, odm_str parent, const odm_doc_node *n)
{
        odm_str path = odm_str_starts(n->path, "./") ? odm_str_from(n->path, 2) : n->path;

        if (path.n && !odm_str_is(path, "."))
                return odm_arena_fmt(a, "%.*s/%.*s/%.*s", (int)parent.n, parent.p, (int)path.n,
                                     path.p, (int)n->name.n, n->name.p);
        return odm_arena_fmt(a, "%.*s/%.*s", (int)parent.n, parent.p, (int)n->name.n, n->name.p);
}

/* Every leaf with a value; without recursion. */
static int add_document(order *o, const odm_doc *doc)
{
        struct {
                const odm_doc_node *node;
                odm_str parent;
        } stack[DEPTH_MAX];
        size_t depth = 1;
        int rc = 0;

        stack[0].node = doc->nodes;
        stack[0].parent = ODM_STR(".");
        while (depth > 0 && rc == 0) {
                const odm_doc_node *n = stack[depth - 1].node;
                odm_str uri;
                if (!n) {
                        depth--;
                        continue;
                }
                stack[depth - 1].node = n->next;
                uri = below(&o->arena, stack[depth - 1].parent, n);
                if (!uri.p)
                        rc = odm_arena_err(&o->arena);
                else if (n->children && depth == DEPTH_MAX)
                        rc = ODM_ELIMIT;
                else if (n->children) {
                        stack[depth].node = n->children;
                        stack[depth++].parent = uri;
                } else if (n->value.kind != ODM_DATA_ABSENT) {
                        rc = add_leaf(o, uri, n);
                }
        }
        return rc;
}

/* ---- what is stored ------------------------------------------------------------------------------- */

static int no_image(void *ctx, odm_str image, odm_arena *a, odm_str *out)
{
        (void)ctx;
        (void)image;
        (void)a;
        (void)out;
        return ODM_ENOENT;
}

static int add_commands(order *o, odm_str text, unsigned *needs, const char **why)
{
        const odm_fanout_names names = {
                .device_id = o->d->id, .name = o->d->name, .local_url = no_image};
        const odm_command *list = NULL;
        odm_fanout_cmds c;
        int rc = odm_fanout_cmds_parse(text, &o->arena, &c, why);

        if (rc == 0) {
                *needs = rights_needed(&c);
                rc = odm_fanout_cmds_for(&c, &names, ODM_STR(TAG), &o->arena, &list);
        }
        for (; rc == 0 && list; list = list->next)
                rc = add_command(o, list);
        return rc;
}

/* *needs: the rights that it takes. */
static int add_text(order *o, odm_str text, unsigned *needs, const char **why)
{
        odm_str rest = odm_str_trim(text);
        odm_limits lim;
        odm_doc *doc;
        int rc;

        for (size_t i = 0; i + 9 <= rest.n && i < 1000; i++)
                if (memcmp(rest.p + i, "<SyncBody", 9) == 0)
                        return add_commands(o, text, needs, why);
        odm_limits_init(&lim);
        rc = odm_doc_decode_as(&odm_codec_xml, NULL, rest, &lim, &o->arena, &doc);
        if (rc == ODM_EMALFORMED)
                *why = "neither SyncBody nor a TNDS document";
        *needs = ODM_ACC_REPLACE;
        return rc == 0 ? add_document(o, doc) : rc;
}

static odm_str leaf(order *o, odm_str name, const char *which)
{
        odm_str uri = odm_arena_fmt(&o->arena, AT "/%.*s/%s", (int)name.n, name.p, which);
        odm_value v;

        if (!uri.p || odm_tree_read(gw_tree(o->a->g), uri, &o->arena, &v) < 0)
                return ODM_ABSENT;
        return odm_arena_copy(&o->arena, v.data);
}

/* Names are gathered first: leaves are read after it. */
typedef struct names {
        odm_arena *a;
        odm_str v[ENTRIES_MAX];
        size_t n;
} names;

static int on_name(void *ctx, odm_str name)
{
        names *l = ctx;

        if (l->n == ENTRIES_MAX)
                return ODM_ELIMIT;
        l->v[l->n] = odm_arena_copy(l->a, name);
        return l->v[l->n++].p ? 0 : odm_arena_err(l->a);
}

static int add_entry(order *o, odm_str name)
{
        odm_str match = leaf(o, name, "Match"), autos = leaf(o, name, "AutoApply");
        odm_str uri = odm_arena_fmt(&o->arena, AT "/%.*s", (int)name.n, name.p);
        odm_command **mark = o->last;
        const char *why = "no memory";
        unsigned needs = 0;
        int rc;

        if (!uri.p)
                return odm_arena_err(&o->arena);
        if (!gw_matches(o->d, match) || !(odm_str_ieq(autos, "true") || odm_str_is(autos, "1")))
                return 0;
        rc = add_text(o, leaf(o, name, "Data"), &needs, &why);
        if (rc == 0 && !rights_writers_have(o->a->g, uri, o->d, needs)) {
                log_warn("stored configuration is of a server without a right to the device",
                         log_str("name", name), log_text("key", o->d->key));
                *mark = NULL;
                o->last = mark;
        }
        if (rc < 0)
                log_error("stored configuration cannot be applied", log_str("name", name),
                          log_text("reason", why));
        return rc;
}

static int gather(order *o)
{
        names *l = odm_new(&o->arena, names);
        int rc;

        if (!l)
                return odm_arena_err(&o->arena);
        l->a = &o->arena;
        rc = odm_tree_children(gw_tree(o->a->g), ODM_STR(AT), on_name, l);
        for (size_t i = 0; rc == 0 && i < l->n; i++)
                rc = add_entry(o, l->v[i]);
        return rc;
}

/* ---- orders ----------------------------------------------------------------------------------------- */

static void order_free(order *o)
{
        order **at = &o->a->orders;

        while (*at && *at != o)
                at = &(*at)->next;
        if (*at)
                *at = o->next;
        odm_arena_done(&o->arena);
        free(o);
}

static void on_run(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        order *o = ctx;

        for (size_t i = 0; i < n; i++)
                if (!odm_status_ok(v[i].status) && odm_status_ok(status)) {
                        status = v[i].status;
                        text = v[i].text;
                }
        if (odm_status_ok(status))
                log_info("stored configuration applied", log_text("key", o->d->key));
        else
                log_warn("stored configuration was not applied", log_text("key", o->d->key),
                         log_int("status", status), log_str("reason", text));
        o->run = 0;
        if (o->done)
                o->done(o->ctx, o->d, odm_status_ok(status) ? ODM_ST_OK : status);
        order_free(o);
}

int apply_config(gateway *g, gw_device *d, applied done, void *ctx)
{
        applier *a = g->applier;
        order *o;
        int rc = ODM_ENOMEM;

        if (!a || !gw_tree(g))
                return 0;
        o = calloc(1, sizeof *o);
        if (!o)
                return ODM_ENOMEM;
        *o = (order){.a = a, .d = d, .done = done, .ctx = ctx, .last = &o->list};
        odm_arena_init(&o->arena, &heap_mem, MEMORY_MAX);
        o->next = a->orders;
        a->orders = o;
        rc = gather(o);
        if (rc == 0 && o->list) {
                const gw_order run = {.list = o->list, .correlator = ODM_STR(TAG)};
                rc = gw_run(g, d, &run, on_run, o, &o->run);
                if (rc == 0)
                        return 1;
        }
        order_free(o);
        return rc;
}

int apply_list(gateway *g, gw_device *d, odm_arena *a, const odm_command **out)
{
        order o = {.a = g->applier, .d = d, .last = &o.list, .arena = *a};
        int rc = 0;

        if (g->applier && gw_tree(g))
                rc = gather(&o);
        *a = o.arena;
        if (rc == 0)
                *out = o.list;
        return rc;
}

static void on_attached(void *ctx, gw_device *d, bool back)
{
        applier *a = ctx;
        int rc;

        (void)back;
        if (d->mode == GW_TRANSPARENT)
                return;
        rc = apply_config(a->g, d, NULL, NULL);
        if (rc < 0)
                log_error("stored configuration", log_text("key", d->key),
                          log_text("reason", odm_err_text(rc)));
}

static void on_removed(void *ctx, gw_device *d)
{
        applier *a = ctx;
        order *next;

        for (order *o = a->orders; o; o = next) {
                next = o->next;
                if (o->d != d)
                        continue;
                gw_cancel(a->g, o->run);
                order_free(o);
        }
}

int applier_new(gateway *g, applier **out)
{
        applier *a = calloc(1, sizeof *a);

        if (!a)
                return ODM_ENOMEM;
        a->g = g;
        a->hook = (gw_hook){.attached = on_attached, .removed = on_removed, .ctx = a};
        gw_hook_add(g, &a->hook);
        *out = a;
        return 0;
}

void applier_free(applier *a)
{
        if (!a)
                return;
        gw_hook_del(a->g, &a->hook);
        while (a->orders) {
                if (a->orders->run && a->g->runner)
                        gw_cancel(a->g, a->orders->run);
                order_free(a->orders);
        }
        free(a);
}
