/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "readable.h"

#define DEPTH 4
#define TASK_NAME "x" /* our tasks there are x1, x2 ... */
#define IMAGE_NAME 17 /* of an image's node: "i" and digits of its hash */

/* ---- which way ------------------------------------------------------------------------- */

static bool is_holder(odm_cmd k)
{
        return k == ODM_CMD_ATOMIC || k == ODM_CMD_SEQUENCE;
}

int gateway_form_of(const job_commands *all, const gateway_way *w, const char **why)
{
        uint32_t gets = 0, others = 0;

        for (uint32_t i = 0; i < all->n; i++) {
                odm_cmd k = all->flat[i].c->kind;

                if (k == ODM_CMD_ALERT) {
                        *why = "a user interaction cannot go through a gateway";
                        return -1;
                }
                gets += k == ODM_CMD_GET;
                others += k != ODM_CMD_GET && !is_holder(k);
        }
        if (!w->tasks || (others == 0 && !(w->fresh && w->asleep)) || all->n > GATEWAY_TASK_CMDS)
                return GATEWAY_DIRECT;
        if (w->asleep || (w->sleeps && others + gets > 1))
                return GATEWAY_FANOUT; /* in order, whenever it wakes */
        return GATEWAY_DIRECT;
}

/* ---- below the mount point -------------------------------------------------------------- */

static bool move_uri(json_t *o, const char *name, odm_str key, odm_arena *a)
{
        json_t *v = json_object_get(o, name);
        odm_str s;

        if (!v)
                return true;
        s = gateway_mount_join(key, (odm_str){json_string_value(v), json_string_length(v)}, a);
        return s.p && json_object_set_new(o, name, json_stringn_nocheck(s.p, s.n)) == 0;
}

json_t *gateway_commands(const json_t *commands, odm_str key, odm_arena *a)
{
        json_t *copy = json_deep_copy(commands);
        struct {
                json_t *list;
                size_t at;
        } stack[DEPTH] = {{copy, 0}};
        unsigned depth = 1;
        bool ok = json_is_array(copy);

        while (ok && depth) {
                json_t *o = json_array_get(stack[depth - 1].list, stack[depth - 1].at++), *inner;

                if (!o) {
                        depth--;
                        continue;
                }
                ok = move_uri(o, "uri", key, a) && move_uri(o, "source", key, a);
                inner = json_object_get(o, "commands");
                if (!inner)
                        continue;
                ok = ok && depth < DEPTH;
                if (ok)
                        stack[depth].list = inner;
                if (ok)
                        stack[depth++].at = 0;
        }
        if (ok)
                return copy;
        json_decref(copy);
        return NULL;
}

/* ---- links to packages ------------------------------------------------------------------- */

/* scheme://host:port/packages/ID/HASH/FILE */
static bool is_link(odm_str s, package_path *out)
{
        size_t at = 0;

        if (!odm_str_starts(s, "http://") && !odm_str_starts(s, "https://"))
                return false;
        for (at = 8; at < s.n && s.p[at] != '/'; at++)
                ;
        return package_path_read(odm_str_from(s, at), out);
}

bool gateway_link_find(const json_t *commands, odm_str *link, package_path *out)
{
        struct {
                const json_t *list;
                size_t at;
        } stack[DEPTH] = {{commands, 0}};
        unsigned depth = 1;

        while (depth) {
                const json_t *o = json_array_get(stack[depth - 1].list, stack[depth - 1].at++);
                const json_t *v = json_object_get(o, "data"), *inner;
                odm_str s = {json_string_value(v), json_string_length(v)};

                if (!o) {
                        depth--;
                        continue;
                }
                if (s.p && is_link(s, out)) {
                        *link = s;
                        return true;
                }
                inner = json_object_get(o, "commands");
                if (inner && depth < DEPTH) {
                        stack[depth].list = inner;
                        stack[depth++].at = 0;
                }
        }
        return false;
}

/* ---- the text of a task ------------------------------------------------------------------- */

/* Numbers, addresses of images, no correlators; `all` lives in `a`, so it may be changed. */
static int dress(const job_commands *all, odm_str link, odm_str image, odm_arena *a)
{
        odm_str local =
                link.p ? odm_arena_fmt(a, "{LocalURL:%.*s}", (int)image.n, image.p) : ODM_ABSENT;

        for (uint32_t i = 0; i < all->n; i++) {
                odm_command *c = (odm_command *)(uintptr_t)all->flat[i].c;

                c->cmd_id = odm_arena_number(a, i + 1);
                c->correlator = ODM_ABSENT;
                for (odm_item *it = c->items; it && link.p; it = it->next)
                        if (it->data.kind == ODM_DATA_TEXT && odm_str_eq(it->data.bytes, link))
                                it->data.bytes = local;
        }
        return a->err ? odm_arena_err(a) : 0;
}

static int write_body(const odm_command *list, odm_arena *a, odm_str *out)
{
        static const char open[] = "<SyncBody>", close[] = "</SyncBody>";
        odm_msg m = {.hdr = {.ver_dtd = ODM_STR("1.2")},
                     .body = (odm_command *)(uintptr_t)list,
                     .has_body = true};
        odm_buf b;
        odm_str s;
        size_t from = 0, to;
        int rc = odm_msg_convert(&m, &odm_codec_xml, a);

        odm_buf_init(&b, &heap_mem, GATEWAY_BODY_MAX);
        if (rc == 0)
                rc = odm_encode(&odm_codec_xml, &m, &b);
        s = odm_buf_view(&b);
        while (rc == 0 && from + sizeof open <= s.n &&
               memcmp(s.p + from, open, sizeof open - 1) != 0)
                from++;
        to = s.n;
        while (rc == 0 && to > from &&
               memcmp(s.p + to - (sizeof close - 1), close, sizeof close - 1) != 0)
                to--;
        if (rc == 0) {
                *out = odm_arena_copy(a, (odm_str){s.p + from, to - from});
                rc = out->p ? 0 : odm_arena_err(a);
        }
        odm_buf_done(&b);
        return rc == ODM_EINVAL ? ODM_EMALFORMED : rc;
}

int gateway_body(const job_commands *all, const bool *skip, odm_str link, odm_str image,
                 odm_arena *a, odm_str *out)
{
        odm_command *list = all->list;
        bool *none = skip ? NULL : odm_arena_zget(a, all->n * sizeof *none);
        uint32_t *map, n = 0;
        int rc = skip || none ? dress(all, link, image, a) : odm_arena_err(a);

        if (rc == 0)
                rc = job_remainder(all, skip ? skip : none, a, &list, &map, &n);
        return rc < 0 ? rc : write_body(list, a, out);
}

bool gateway_has_secret(const json_t *commands)
{
        const json_t *o;
        size_t i;

        json_array_foreach(commands, i, o)
        {
                const json_t *inner = json_object_get(o, "commands"); /* no deeper than two more */

                if (json_is_true(json_object_get(o, "secret")) ||
                    readable_is_secret(odm_cstr(json_string_value(json_object_get(o, "uri")))) ||
                    (inner && gateway_has_secret(inner)))
                        return true;
        }
        return false;
}

/* ---- tasks --------------------------------------------------------------------------------- */

static json_t *node(const char *cmd, odm_str uri, const char *format, odm_str data)
{
        json_t *o = json_pack("{s:s, s:s%}", "cmd", cmd, "uri", uri.p, uri.n);

        if (o && format && json_object_set_new(o, "format", json_string(format)) < 0) {
                json_decref(o);
                return NULL;
        }
        if (o && data.p && json_object_set_new(o, "data", json_stringn(data.p, data.n)) < 0) {
                json_decref(o);
                return NULL;
        }
        return o;
}

/* Adds the leaf `rel` below `base`; an absent value adds none. */
static bool leaf(json_t *list, const char *base, const char *rel, const char *format, odm_str data)
{
        char uri[256];

        if (!data.p)
                return true;
        (void)snprintf(uri, sizeof uri, "%s/%s", base, rel);
        return json_array_append_new(list, node("add", odm_cstr(uri), format, data)) == 0;
}

static bool number_leaf(json_t *list, const char *base, const char *rel, int64_t v)
{
        char text[24];

        (void)snprintf(text, sizeof text, "%lld", (long long)v);
        return leaf(list, base, rel, "int", odm_cstr(text));
}

/* Nobody sees more of what devices are told than in their own jobs. */
static bool commands_leaf(json_t *list, const char *base, const gateway_order *o)
{
        bool ok = leaf(list, base, "Cmds", "xml", o->body);

        return ok &&
               (!o->secret || json_object_set_new(json_array_get(list, json_array_size(list) - 1),
                                                  "secret", json_true()) == 0);
}

/* 0 is first there, higher goes first here. */
static int64_t priority_of(int32_t p)
{
        int64_t v = 4 - (int64_t)p;

        return v < 0 ? 0 : v > 7 ? 7 : v;
}

static json_t *with_exec(json_t *list, const char *uri, bool ok)
{
        if (ok && json_array_append_new(list, node("exec", odm_cstr(uri), NULL, ODM_ABSENT)) == 0)
                return list;
        json_decref(list);
        return NULL;
}

static bool task_leaves(json_t *in, const char *base, const gateway_order *o)
{
        const odm_wall expire = {(o->expire + 999) / 1000}; /* not before the job is over */
        char time[ODM_WALL_TEXT], rel[GATEWAY_KEY_MAX + 16], target[GATEWAY_ID_MAX + 8];
        bool ok = leaf(in, base, "TaskID", NULL, odm_cstr(strrchr(base, '/') + 1));

        for (size_t i = 0; ok && i < o->n_targets; i++) {
                (void)snprintf(rel, sizeof rel, "Targets/%.*s", (int)o->keys[i].n, o->keys[i].p);
                (void)snprintf(target, sizeof target, "dev:%.*s", (int)o->targets[i].n,
                               o->targets[i].p);
                ok = leaf(in, base, rel, NULL, odm_cstr(target));
        }
        odm_wall_format(expire, time);
        return ok && commands_leaf(in, base, o) &&
               leaf(in, base, "Expire", "time", odm_cstr(time)) &&
               number_leaf(in, base, "Priority", priority_of(o->priority)) &&
               (!o->parallel || number_leaf(in, base, "MaxParallel", o->parallel)) &&
               (!o->window || number_leaf(in, base, "Operations/AggWindow", o->window)) &&
               number_leaf(in, base, "Operations/ReturnFormat", o->grouped ? 2 : 1);
}

json_t *gateway_task_make(const gateway_order *o)
{
        char base[64], uri[96];
        json_t *in = json_array(), *list = json_array();
        bool ok;

        (void)snprintf(base, sizeof base, GATEWAY_TASKS "/" TASK_NAME "%lld", (long long)o->id);
        (void)snprintf(uri, sizeof uri, "%s/Operations/Start", base);
        ok = in &&
             json_array_append_new(in, node("add", odm_cstr(base), "node", ODM_ABSENT)) == 0 &&
             task_leaves(in, base, o);
        ok = json_array_append_new(list,
                                   json_pack("{s:s, s:o}", "cmd", "atomic", "commands", in)) == 0 &&
             ok;
        return with_exec(list, uri, ok);
}

/* One that may be refused: it is over, or was never begun. */
static bool perhaps(json_t *list, const char *cmd, const char *uri)
{
        json_t *o = node(cmd, odm_cstr(uri), NULL, ODM_ABSENT);

        if (o && json_object_set_new(o, "optional", json_true()) < 0) {
                json_decref(o);
                o = NULL;
        }
        return json_array_append_new(list, o) == 0;
}

static json_t *whole(json_t *list, bool ok)
{
        if (ok)
                return list;
        json_decref(list);
        return NULL;
}

json_t *gateway_task_stop(int64_t id)
{
        char uri[96];
        json_t *list = json_array();
        bool ok;

        (void)snprintf(uri, sizeof uri, GATEWAY_TASKS "/" TASK_NAME "%lld/Operations/Cancel",
                       (long long)id);
        ok = perhaps(list, "exec", uri);
        (void)snprintf(uri, sizeof uri, GATEWAY_TASKS "/" TASK_NAME "%lld", (long long)id);
        return whole(list, ok && perhaps(list, "delete", uri));
}

json_t *gateway_exec_stop(const job_commands *all)
{
        const odm_command *exec = NULL;
        json_t *o;

        for (uint32_t i = 0; i < all->n; i++) {
                const odm_command *c = all->flat[i].c;

                if (c->kind != ODM_CMD_EXEC)
                        continue;
                if (exec || !c->correlator.n)
                        return NULL;
                exec = c;
        }
        if (!exec)
                return NULL;
        o = json_pack("{s:s, s:s, s:s%}", "cmd", "exec", "uri", GATEWAY_TAKE_BACK, "data",
                      exec->correlator.p, exec->correlator.n);
        return json_pack("[o]", o);
}

json_t *gateway_target_stop(int64_t id, odm_str key)
{
        char uri[GATEWAY_KEY_MAX + 96];
        json_t *list = json_array();

        (void)snprintf(uri, sizeof uri, GATEWAY_TASKS "/" TASK_NAME "%lld/Targets/%.*s",
                       (long long)id, (int)key.n, key.p);
        return whole(list, perhaps(list, "delete", uri));
}

json_t *gateway_task_clear(int64_t id)
{
        char uri[64];
        json_t *list = json_array();

        (void)snprintf(uri, sizeof uri, GATEWAY_TASKS "/" TASK_NAME "%lld", (long long)id);
        return whole(list, perhaps(list, "delete", uri));
}

int64_t gateway_task_number(odm_str uri)
{
        uint64_t v;
        size_t n = 0;

        if (odm_str_starts(uri, GATEWAY_TASKS "/"))
                uri = odm_str_from(uri, sizeof GATEWAY_TASKS);
        if (!odm_str_starts(uri, TASK_NAME))
                return 0;
        uri = odm_str_from(uri, sizeof TASK_NAME - 1);
        while (n < uri.n && uri.p[n] != '/')
                n++;
        return odm_str_u64(odm_str_to(uri, n), INT64_MAX, &v) == 0 ? (int64_t)v : 0;
}

/* ---- images ---------------------------------------------------------------------------------- */

static bool signature_leaf(json_t *list, const char *base, const package *p, odm_arena *a)
{
        odm_str b64 = p->signature.n ? odm_b64_encode(a, p->signature) : ODM_ABSENT;
        char uri[128];
        json_t *o;

        if (!p->signature.n)
                return true;
        (void)snprintf(uri, sizeof uri, "%s/Signature", base);
        o = b64.p ? node("add", odm_cstr(uri), "bin", ODM_ABSENT) : NULL;
        return o && json_object_set_new(o, "data_base64", json_stringn(b64.p, b64.n)) == 0 &&
               json_array_append_new(list, o) == 0 &&
               leaf(list, base, "SigAlg", NULL,
                    p->signature.n == 64 ? ODM_STR("ed25519-sha256") : ODM_STR("cms"));
}

json_t *gateway_image_load(const package *p, odm_str url)
{
        char base[96], uri[128];
        json_t *list = json_array(), *gone;
        odm_arena a;
        bool ok;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        (void)snprintf(base, sizeof base, GATEWAY_IMAGES "/i%.*s", IMAGE_NAME - 1, p->sha256.p);
        (void)snprintf(uri, sizeof uri, "%s/Operations/Download", base);
        gone = node("delete", odm_cstr(base), NULL,
                    ODM_ABSENT); /* what is left of one that failed */
        ok = gone && json_object_set_new(gone, "optional", json_true()) == 0 &&
             json_array_append_new(list, gone) == 0 &&
             json_array_append_new(list, node("add", odm_cstr(base), "node", ODM_ABSENT)) == 0 &&
             leaf(list, base, "ImageID", NULL, p->sha256) &&
             leaf(list, base, "Name", NULL, p->name) &&
             leaf(list, base, "Version", NULL, p->version) &&
             number_leaf(list, base, "Kind", p->kind) &&
             number_leaf(list, base, "Size", (int64_t)p->size) &&
             leaf(list, base, "HashAlg", NULL, ODM_STR("sha-256")) &&
             leaf(list, base, "Hash", NULL, p->sha256) && signature_leaf(list, base, p, &a) &&
             leaf(list, base, "URL", NULL, url);
        odm_arena_done(&a);
        return with_exec(list, uri, ok);
}

json_t *gateway_names_get(void)
{
        json_t *list = json_array();

        if (list && json_array_append_new(
                            list, node("get", ODM_STR(GATEWAY_RECORDS), NULL, ODM_ABSENT)) == 0)
                return list;
        json_decref(list);
        return NULL;
}

json_t *gateway_inventory_get(const odm_str *keys, size_t n)
{
        json_t *list = json_array();
        bool ok = list != NULL;
        char uri[160];

        if (n == 0)
                ok = ok &&
                     json_array_append_new(list, node("get", ODM_STR(GATEWAY_RECORDS "?list=TNDS"),
                                                      NULL, ODM_ABSENT)) == 0;
        for (size_t i = 0; ok && i < n; i++) {
                json_t *o;

                (void)snprintf(uri, sizeof uri, GATEWAY_RECORDS "/%.*s?list=TNDS", (int)keys[i].n,
                               keys[i].p);
                o = node("get", odm_cstr(uri), NULL, ODM_ABSENT);
                ok = o && json_object_set_new(o, "optional", json_true()) == 0 &&
                     json_array_append_new(list, o) == 0;
        }
        if (ok)
                return list;
        json_decref(list);
        return NULL;
}

/* ---- results ----------------------------------------------------------------------------------- */

odm_str gateway_alert_source(odm_str uri)
{
        size_t n = uri.n;

        if (odm_str_starts(uri, "./SCM/"))
                return uri;
        for (unsigned up = odm_str_starts(uri, "./DiagMon/") ? 2 : 1; up && n; up--)
                do
                        n--;
                while (n && uri.p[n] != '/');
        return odm_str_to(uri, n);
}

odm_str gateway_alert_of(odm_str uri)
{
        static const struct {
                const char *above, *end, *type;
        } types[] = {
                {"./FUMO/", "/DownloadAndUpdate",
                 "org.openmobilealliance.dm.firmwareupdate.downloadandupdate"},
                {"./FUMO/", "/Download", "org.openmobilealliance.dm.firmwareupdate.download"},
                {"./FUMO/", "/Update", "org.openmobilealliance.dm.firmwareupdate.update"},
                {"./SCM/", "", "urn:oma:at:scomo:1.0:OperationComplete"},
                {"./DiagMon/", "", "urn:oma:at:diagmon:1.0:OperationComplete"},
        };

        for (size_t i = 0; i < ODM_COUNT(types); i++) {
                size_t n = strlen(types[i].end);

                if (odm_str_starts(uri, types[i].above) && uri.n > n &&
                    memcmp(uri.p + uri.n - n, types[i].end, n) == 0)
                        return odm_cstr(types[i].type);
        }
        return ODM_ABSENT;
}
