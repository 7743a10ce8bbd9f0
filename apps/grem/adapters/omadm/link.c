/* SPDX-License-Identifier: Apache-2.0 */
/* What a device behind knows of its gateway: a cut-down ./GwMO/Config in its own tree (gwmo.md 4),
 * with the mode it is managed in and the address by which its gateway is reached.  The device tells
 * its servers of that, and us of its servers.
 *
 * Devices that have a node ./GwMO and are no gateways themselves get it; others are left alone. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "heap.h"
#include "log.h"
#include "omadm_inner.h"

#define AT "./GwMO/Config"
#define ATTEMPTS 3
#define DEADLINE_MS ((int64_t)24 * 3600 * 1000)

static const store_node *node_of(const store_tree *t, const char *path)
{
        for (size_t i = 0; i < t->n; i++)
                if (odm_str_is(t->v[i].path, path))
                        return &t->v[i];
        return NULL;
}

static bool put(json_t *list, const char *cmd, const char *uri, const char *format, odm_str data)
{
        json_t *o = json_pack("{s:s, s:s, s:s}", "cmd", cmd, "uri", uri, "format", format);

        if (o && data.p && json_object_set_new(o, "data", json_stringn(data.p, data.n)) < 0) {
                json_decref(o);
                return false;
        }
        return o && json_array_append_new(list, o) == 0;
}

/* The object, which the device's other servers may read. */
static bool need_object(const omadm *a, json_t *list, const store_tree *t)
{
        const char *us = cfg_str(a->conf, "omadm.server_id");
        json_t *acl;

        if (node_of(t, AT))
                return true;
        if (!put(list, "add", AT, "node", ODM_ABSENT))
                return false;
        acl = json_pack("{s:s, s:s, s:o}", "cmd", "replace", "uri", AT "?prop=ACL", "data",
                        json_sprintf("Add=%s&Delete=%s&Get=*&Replace=%s", us, us, us));
        return acl && json_array_append_new(list, acl) == 0;
}

/* An interior node that is not there. */
static bool need_node(json_t *list, const store_tree *t, const char *uri)
{
        return node_of(t, uri) || put(list, "add", uri, "node", ODM_ABSENT);
}

/* A leaf that is not there, or not so. */
static bool need_leaf(json_t *list, const store_tree *t, const char *uri, const char *format,
                      odm_str want)
{
        const store_node *n = node_of(t, uri);

        if (n && odm_str_eq(n->value, want))
                return true;
        return put(list, n ? "replace" : "add", uri, format, want);
}

static json_t *commands(const omadm *a, const behind *b, const store_tree *t, odm_str addr,
                        odm_str type)
{
        char mode[8];
        json_t *list = json_array();

        (void)snprintf(mode, sizeof mode, "%d", (int)b->record->mode);
        if (list && need_object(a, list, t) &&
            need_leaf(list, t, AT "/Mode", "int", odm_cstr(mode)) &&
            need_node(list, t, AT "/GwAddress") &&
            need_leaf(list, t, AT "/GwAddress/Addr", "chr", addr) &&
            (node_of(t, AT "/GwAddress/AddrType") ||
             put(list, "add", AT "/GwAddress/AddrType", "chr", type)) &&
            need_node(list, t, AT "/Ext") &&
            need_leaf(list, t, AT "/Ext/ServerID", "chr",
                      odm_cstr(cfg_str(a->conf, "omadm.server_id"))))
                return list;
        json_decref(list);
        return NULL;
}

/* FNV-1a. */
static uint64_t digest_of(const char *text)
{
        uint64_t h = 14695981039346656037u;

        for (; *text; text++)
                h = (h ^ (unsigned char)*text) * 1099511628211u;
        return h | 1;
}

static void made(void *ctx, store_batch *b, int rc)
{
        omadm *a = ctx;

        if (rc == 0)
                dm_job_created(a->dm, b->ops[0]->job.device, b->ops[0]->id);
}

static int make_job(behind *b, const char *text)
{
        int64_t now = loop_wall_ms();
        store_batch *batch = store_batch_new();
        store_op *op = batch ? store_batch_add(batch, STORE_JOB_CREATE) : NULL;
        odm_str kept = op ? odm_arena_copy(store_batch_arena(batch), odm_cstr(text)) : ODM_ABSENT;
        int rc = ODM_ENOMEM;

        if (kept.p) {
                op->job = (store_job){.device = b->id,
                                      .kind = ODM_STR("gateway"),
                                      .commands = kept,
                                      .deadline = now + DEADLINE_MS,
                                      .max_attempts = ATTEMPTS,
                                      .actor = ODM_STR("gateway"),
                                      .created = now,
                                      .updated = now};
                rc = store_write(b->a->store, batch, made, b->a);
        }
        if (rc < 0)
                store_batch_free(batch);
        return rc;
}

/* The same is said once in a life of the gateway, whatever the device makes of it. */
static void say(behind *b, const store_tree *t, odm_str addr, odm_str type)
{
        json_t *list = commands(b->a, b, t, addr, type);
        char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
        uint64_t digest = text ? digest_of(text) : 0;
        int rc = text ? 0 : ODM_ENOMEM;

        if (text && json_array_size(list) && digest != b->linked) {
                rc = make_job(b, text);
                if (rc == 0)
                        b->linked = digest;
        }
        if (rc < 0)
                log_warn("a device is not told of its gateway", log_text("key", b->record->key),
                         log_err(rc));
        json_decref(list);
        free(text);
}

void link_tell(behind *b, const store_tree *t)
{
        omadm *a = b->a;
        odm_str addr, type;
        odm_arena m;

        if (!a->host.address || !b->record || b->record->is_gateway || !node_of(t, "./GwMO"))
                return;
        odm_arena_init(&m, &heap_mem, 1 << 16);
        if (a->host.address(a->host.ctx, &m, &addr, &type) == 0)
                say(b, t, addr, type);
        odm_arena_done(&m);
}
