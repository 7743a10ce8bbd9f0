/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - the tree of this machine; see device.h. */
#include "device.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account_kept.h"
#include "heap.h"
#include "log.h"
#include "loop.h"
#include "mo.h"
#include "rand.h"
#include "reset.h"

#define ACCOUNT "./DMAcc/main"
#define SECRET_MAX 512

/* ---- who we are ------------------------------------------------------------------- */

/* Machines without a machine id get a name of their own, once. */
static int invented_id(const char *folder, char *out, size_t room, diag *d)
{
        char *path = fsio_join(folder, "device-id");
        odm_buf b;
        int rc = path ? 0 : ODM_ENOMEM;

        odm_buf_init(&b, &heap_mem, 4096);
        if (rc == 0)
                rc = fsio_read(path, 200, &b, NULL);
        if (rc == ODM_ENOENT) {
                uint8_t r[16];
                rand_bytes(r, sizeof r);
                r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
                r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
                rc = odm_buf_str(&b, ODM_STR("urn:uuid:"));
                for (size_t i = 0; rc == 0 && i < sizeof r; i++)
                        rc = odm_buf_fmt(
                                &b, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", r[i]);
                if (rc == 0)
                        rc = fsio_write(NULL, path, odm_buf_view(&b), 0644, d);
        }
        if (rc == 0)
                snprintf(out, room, "%.*s", (int)odm_str_trim(odm_buf_view(&b)).n, b.p);
        else
                diag_set(d, rc, "no device id: set device.id");
        odm_buf_done(&b);
        free(path);
        return rc;
}

static int find_id(device *v, const cfg *c, diag *d)
{
        const char *given = cfg_str(c, "device.id");

        if (given)
                snprintf(v->dev_id, sizeof v->dev_id, "%s", given);
        else if (v->ident.machine_uuid[0])
                snprintf(v->dev_id, sizeof v->dev_id, "urn:uuid:%s", v->ident.machine_uuid);
        else
                return invented_id(cfg_str(c, "agent.state"), v->dev_id, sizeof v->dev_id, d);
        return 0;
}

static const char *or_else(const char *a, const char *b)
{
        return a && *a ? a : b;
}

/* Man, Mod and the versions must be there whatever the firmware says, so they have a second
 * choice; the rest is absent when it is not known. */
static void describe(device *v, const cfg *c, const char *who, const char *version)
{
        const ident *i = &v->ident;
        objects *o = &v->objects;
        char general[160];

        snprintf(v->version, sizeof v->version, "xrem %s %s", who, version);
        snprintf(general, sizeof general, "Linux %s", i->arch);
        snprintf(v->maker, sizeof v->maker, "%s",
                 or_else(cfg_str(c, "device.maker"),
                         or_else(i->maker, or_else(i->os_name, "unknown"))));
        snprintf(v->model, sizeof v->model, "%s",
                 or_else(cfg_str(c, "device.model"), or_else(i->model, general)));
        snprintf(v->firmware, sizeof v->firmware, "%s",
                 or_else(cfg_str(c, "device.firmware"),
                         or_else(i->os_pretty, or_else(i->os_version, i->kernel))));
        o->dev_id = v->dev_id;
        o->maker = v->maker;
        o->model = v->model;
        o->dm_version = v->version;
        o->language = cfg_str(c, "device.language");
        o->dev_type = cfg_str(c, "device.type");
        o->oem = cfg_str(c, "device.oem");
        o->fw_version = v->firmware;
        o->sw_version = v->version;
        o->hw_version = or_else(cfg_str(c, "device.hardware"), or_else(i->hw_version, "unknown"));
        o->machine_id = i->machine_uuid[0] ? i->machine_uuid : NULL;
        o->host = i->host;
        o->os = or_else(i->os_pretty, i->os_name[0] ? i->os_name : NULL);
        o->kernel = i->kernel;
        o->arch = i->arch;
        o->machine.root = "";
}

void device_set_firmware(device *v, const char *version)
{
        if (*version)
                snprintf(v->firmware, sizeof v->firmware, "%s", version);
}

void device_set_wake(device *v, const cfg *c, uint16_t port)
{
        const char *given = cfg_str(c, "wake.address");

        v->wake[0] = 0;
        if (given && port)
                snprintf(v->wake, sizeof v->wake, "%s", given);
        else if (port)
                snprintf(v->wake, sizeof v->wake, "udp://:%u", port);
        v->objects.wake = v->wake[0] ? v->wake : NULL;
}

/* ---- the first account ------------------------------------------------------------------ */

typedef struct seed {
        odm_tree *t;
        parts *parts;
        odm_wall now;
        int rc; /* the first failure; nothing more is done then */
} seed;

static void put(seed *s, const char *uri, odm_format format, const char *text)
{
        const odm_value v = {.format = format, .data = odm_cstr(text)};

        if (s->rc == 0)
                s->rc = odm_tree_write(s->t, odm_cstr(uri), &v, s->now);
}

static void put_acl(seed *s, const char *uri, const char *text)
{
        const odm_op op = {.kind = ODM_CMD_REPLACE,
                           .target = odm_cstr(uri),
                           .has_value = true,
                           .value = {.data = odm_cstr(text)}};
        odm_answer got = {0};
        odm_arena a;

        if (s->rc < 0)
                return;
        odm_arena_init(&a, &heap_mem, 65536);
        s->rc = odm_tree_do(s->t, &op, s->now, &a, &got);
        if (s->rc == 0 && !odm_status_ok(got.status))
                s->rc = ODM_EINVAL;
        odm_arena_done(&a);
}

static void put_auth(seed *s, const cfg *c, const char *at, const char *level, odm_auth_type type,
                     const char *user, const char *password)
{
        char uri[128];

        (void)c;
        if (type == ODM_AUTH_NONE && !*password)
                return;
        snprintf(uri, sizeof uri, "%s/AAuthLevel", at);
        put(s, uri, ODM_FMT_CHR, level);
        snprintf(uri, sizeof uri, "%s/AAuthType", at);
        put(s, uri, ODM_FMT_CHR, type == ODM_AUTH_NONE ? "TRANSPORT" : odm_auth_aauth(type));
        snprintf(uri, sizeof uri, "%s/AAuthName", at);
        put(s, uri, ODM_FMT_CHR, user ? user : "");
        snprintf(uri, sizeof uri, "%s/AAuthSecret", at);
        put(s, uri, ODM_FMT_CHR, password);
        snprintf(uri, sizeof uri, "%s/AAuthData", at); /* no nonce yet */
        put(s, uri, ODM_FMT_BIN, "");
}

static void put_settings_acl(seed *s, odm_str id)
{
        char acl[1100];
        int n = (int)id.n;

        snprintf(acl, sizeof acl, "Add=%.*s&Delete=%.*s&Exec=%.*s&Get=*&Replace=%.*s", n, id.p, n,
                 id.p, n, id.p, n, id.p);
        put_acl(s, "./Vendor/xrem?prop=ACL", acl);
        if (s->rc == 0)
                s->rc = parts_grant(s->parts, odm_cstr(acl), true, s->now);
}

static void put_account(seed *s, const cfg *c, const char *password, const char *server_password)
{
        const char *id = cfg_str(c, "account.server_id");
        char acl[1100];

        put(s, ACCOUNT "/AppID", ODM_FMT_CHR, "w7");
        put(s, ACCOUNT "/ServerID", ODM_FMT_CHR, id);
        put(s, ACCOUNT "/Name", ODM_FMT_CHR, or_else(cfg_str(c, "account.name"), id));
        put(s, ACCOUNT "/AppAddr/1/Addr", ODM_FMT_CHR, cfg_str(c, "account.url"));
        put(s, ACCOUNT "/AppAddr/1/AddrType", ODM_FMT_CHR, "URI");
        put_auth(s, c, ACCOUNT "/AppAuth/1", "CLCRED", conf_auth(c, "account.auth"),
                 cfg_str(c, "account.user"), password);
        put_auth(s, c, ACCOUNT "/AppAuth/2", "SRVCRED", conf_auth(c, "account.server_auth"),
                 or_else(cfg_str(c, "account.server_user"), id), server_password);
        /* the account is its server's, and so are the settings of the agent (security C2) */
        snprintf(acl, sizeof acl, "Get=%s&Replace=%s&Delete=%s", id, id, id);
        put_acl(s, ACCOUNT "?prop=ACL", acl);
        put_settings_acl(s, odm_cstr(id));
}

static int finish_seed(seed *s, diag *d)
{
        unsigned status = 0;
        int rc = s->rc;

        if (rc == 0)
                rc = odm_tree_commit(s->t, &status);
        else
                odm_tree_rollback(s->t);
        if (rc == 0 && !odm_status_ok(status))
                rc = ODM_EINVAL;
        return rc < 0 ? diag_set(d, rc, "the account cannot be made: %s", odm_err_text(rc)) : 0;
}

int device_reset_account(device *v, const cfg *c, diag *d)
{
        char password[SECRET_MAX] = "", server_password[SECRET_MAX] = "";
        seed s = {.t = v->tree, .parts = v->parts, .now = loop_wall()};
        int rc;

        if (!cfg_str(c, "account.server_id"))
                return diag_set(
                        d, ODM_ENOENT,
                        "there is no account: account.server_id and account.url are needed");
        rc = conf_secret(c, "account.password", "account.password_file", password, sizeof password,
                         d);
        if (rc == 0)
                rc = conf_secret(c, "account.server_password", "account.server_password_file",
                                 server_password, sizeof server_password, d);
        if (rc == 0) {
                s.rc = odm_tree_begin(v->tree, s.now);
                if (s.rc == 0)
                        put_account(&s, c, password, server_password);
                rc = finish_seed(&s, d);
        }
        odm_wipe(password, sizeof password);
        odm_wipe(server_password, sizeof server_password);
        if (rc == 0)
                rc = state_sync(v->state);
        if (rc == 0)
                rc = odm_dmacc_learn(&v->objects.dmacc, v->tree);
        if (rc == 0)
                rc = account_kept_write(c, cfg_str(c, "agent.state"), d);
        if (rc == 0)
                log_info("account made", log_text("server", cfg_str(c, "account.server_id")),
                         log_text("url", cfg_str(c, "account.url")));
        return rc;
}

static int put_settings(device *v, const cfg *c, diag *d)
{
        seed s = {.t = v->tree, .parts = v->parts, .now = loop_wall()};
        char seconds[24];

        snprintf(seconds, sizeof seconds, "%lld",
                 (long long)(cfg_ms(c, "session.interval") / 1000));
        s.rc = odm_tree_begin(v->tree, s.now);
        put(&s, OBJECTS_INTERVAL, ODM_FMT_INT, seconds);
        if (cfg_str(c, "log.level"))
                put(&s, OBJECTS_LOG, ODM_FMT_CHR, cfg_str(c, "log.level"));
        return finish_seed(&s, d);
}

static int stop_at_one(void *ctx, odm_str name)
{
        (void)ctx;
        (void)name;
        return 1;
}

static bool has_account(const device *v)
{
        return odm_tree_children(v->tree, ODM_STR("./DMAcc"), stop_at_one, NULL) == 1;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int log_record(void *ctx, odm_str record)
{
        device *v = ctx;

        return v->state ? state_log(v->state, record) : ODM_EIO;
}

static int mount_tasks(device *v)
{
        const odm_tasks_opt opt = {
                .mem = &heap_mem, .trace = log_tracer(), .tree = v->tree, .mo = &odm_mo_task};

        return odm_tasks_new(&opt, &v->tasks);
}

static int open_tree(device *v, const cfg *c, const agent_app *app, diag *d)
{
        odm_tree_opt opt;
        int rc;

        odm_tree_opt_init(&opt, &heap_mem);
        opt.trace = log_tracer();
        opt.max_value = (size_t)cfg_int(c, "session.max_object");
        opt.max_bytes = opt.max_value * 4 < (64u << 20) ? (64u << 20) : opt.max_value * 4;
        if (app && app->max_nodes)
                opt.max_nodes = app->max_nodes;
        if (app && app->max_list)
                opt.max_list = app->max_list;
        opt.log = log_record;
        opt.log_ctx = v;
        rc = odm_tree_new(&opt, &v->tree);
        if (rc == 0)
                rc = objects_mount(&v->objects, v->tree);
        if (rc == 0)
                rc = mount_tasks(v);
        if (rc < 0)
                return diag_set(d, rc, "the tree: %s", odm_err_text(rc));
        return parts_mount(v->tree, v->tasks, c, parts_all, app, &v->parts, d);
}

static int open_state(device *v, const cfg *c, const char *version, const agent_app *app, diag *d)
{
        const char *folder = cfg_str(c, "agent.state");
        int rc = fsio_mkdir(folder, 0700, d);

        if (rc < 0)
                return rc;
        ident_read("", &v->ident);
        describe(v, c, app ? app->program : "dremd", version);
        rc = find_id(v, c, d);
        if (rc == 0)
                rc = open_tree(v, c, app, d);
        if (rc == 0)
                rc = reset_honour(folder, d);
        if (rc == 0)
                rc = state_open(NULL, folder, v->tree, &v->state, d);
        return rc == 0 ? odm_dmacc_learn(&v->objects.dmacc, v->tree) : rc;
}

/* Objects that came with a new configuration are the server's who has the settings. */
static int grant_new(device *v)
{
        const odm_op get = {.kind = ODM_CMD_GET, .target = ODM_STR("./Vendor/xrem?prop=ACL")};
        odm_answer got = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 65536);
        rc = odm_tree_do(v->tree, &get, loop_wall(), &a, &got);
        if (rc == 0 && odm_status_ok(got.status) && got.results && got.results->value.data.n)
                rc = parts_grant(v->parts, odm_arena_copy(&a, got.results->value.data), false,
                                 loop_wall());
        odm_arena_done(&a);
        return rc;
}

/* What was under way goes on; objects that the configuration asks for are there. */
static int fill(device *v, diag *d)
{
        int rc = parts_fill(v->parts, d);

        if (rc < 0)
                return rc;
        rc = grant_new(v);
        if (rc == 0)
                rc = state_sync(v->state);
        return rc < 0 ? diag_set(d, rc, "the tree: %s", odm_err_text(rc)) : 0;
}

static void no_hook(void *ctx)
{
        (void)ctx;
}

static void no_sync(void *ctx, odm_str correlator)
{
        (void)ctx;
        (void)correlator;
}

int device_open_bare(const cfg *c, const char *version, const agent_app *app, device **out, diag *d)
{
        device *v = calloc(1, sizeof *v);
        int rc;

        if (!v)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        v->objects.on_config = no_hook;
        v->objects.on_sync = no_sync;
        rc = open_state(v, c, version, app, d);
        if (rc < 0)
                device_close(v);
        else
                *out = v;
        return rc;
}

int device_open(const cfg *c, const char *version, const agent_app *app,
                void (*on_config)(void *ctx), void (*on_sync)(void *ctx, odm_str correlator),
                void *ctx, device **out, diag *d)
{
        device *v = NULL;
        int rc = device_open_bare(c, version, app, &v, d);

        if (rc < 0)
                return rc;
        assert(v != NULL);
        v->objects.on_config = on_config;
        v->objects.on_sync = on_sync;
        v->objects.ctx = ctx;
        rc = fill(v, d);
        if (rc == 0 && !has_account(v)) {
                rc = put_settings(v, c, d);
                if (rc == 0)
                        rc = device_reset_account(v, c, d);
        }
        if (rc < 0)
                device_close(v);
        else
                *out = v;
        return rc;
}

static int take_message(device *v, const odm_boot *b, bool replace, odm_arena *a,
                        odm_boot_done *out, diag *d)
{
        const odm_boot_opt opt = {.replace = replace};
        int rc = odm_boot_apply(b, &opt, v->tree, loop_wall(), a, out);

        if (rc < 0)
                return diag_set(d, rc, "the message: %s", odm_err_text(rc));
        if (!odm_status_ok(out->status))
                return diag_set(d, ODM_EACCESS, "the message is refused: %s (%u)", out->why,
                                out->status);
        return 0;
}

int device_bootstrap(device *v, const cfg *c, const odm_boot *b, bool replace, odm_arena *a,
                     odm_boot_done *out, diag *d)
{
        bool first = !has_account(v);
        seed s = {.t = v->tree, .parts = v->parts, .now = loop_wall()};
        int rc = take_message(v, b, replace, a, out, d);

        if (rc == 0 && first) {
                s.rc = odm_tree_begin(v->tree, s.now);
                put_settings_acl(&s, out->server[0].server_id);
                rc = finish_seed(&s, d);
        }
        if (rc == 0 && first)
                rc = put_settings(v, c, d);
        if (rc == 0) {
                rc = state_sync(v->state);
                if (rc < 0)
                        diag_set(d, rc, "the account cannot be kept: %s", odm_err_text(rc));
        }
        return rc;
}

void device_close(device *v)
{
        if (!v)
                return;
        parts_close(v->parts);
        odm_tree_free(v->tree);
        odm_tasks_free(v->tasks);
        state_close(v->state);
        free(v);
}
