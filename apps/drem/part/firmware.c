/* SPDX-License-Identifier: Apache-2.0 */
/* FUMO with the installers of backend/firmware.h. */
#include "firmware.h"

#include <stdlib.h>

#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part/notice.h"
#include "part/request.h"

#define OBJECT ODM_FUMO_AT "/main"

typedef struct firmware_part {
        const part_host *host;
        odm_fumo fumo;
        firmware *firmware;
        char *folder, *adapter;
        notice image, update, room;
        request request;
} firmware_part;

static bool firmware_wanted(const cfg *c)
{
        return cfg_enum(c, "firmware.installer") != FIRMWARE_NONE;
}

static void firmware_part_close(void *ctx)
{
        firmware_part *p = ctx;

        firmware_close(p->firmware);
        notice_stop(&p->image);
        notice_stop(&p->update);
        notice_stop(&p->room);
        request_stop(&p->request);
        free(p->folder);
        free(p->adapter);
        free(p);
}

static void prepare_request(firmware_part *p)
{
        p->request = (request){.types = {"org.openmobilealliance.dm.firmwareupdate.devicerequest",
                                         "org.openmobilealliance.dm.firmwareupdate.userrequest"},
                               .source = OBJECT,
                               .what = "new firmware",
                               .word = "request-update",
                               .key = "update-request"};
        request_init(&p->request, p->host);
}

static int firmware_mount(const part_host *h, void **out, diag *d)
{
        firmware_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        prepare_request(p);
        rc = odm_fumo_mount(&p->fumo, h->tasks, &odm_mo_fumo);
        if (rc < 0)
                firmware_part_close(p);
        else
                *out = p;
        return rc;
}

static int firmware_fill(void *ctx, diag *d)
{
        firmware_part *p = ctx;
        int rc = odm_fumo_add(&p->fumo, "main", loop_wall());

        return rc < 0 ? diag_set(d, rc, "./FUMO/main: %s", odm_err_text(rc)) : 0;
}

static void on_drop(void *ctx, odm_str uri)
{
        firmware_part *p = ctx;

        (void)uri;
        firmware_drop(p->firmware);
}

/* Which image runs, for the server to choose a delta by.  What cannot be written now is at the next
 * rest. */
static void show_image(firmware_part *p)
{
        const char *hash = firmware_image(p->firmware);
        int rc = odm_fumo_image(&p->fumo, "main", odm_cstr(hash), loop_wall());

        if (rc == 1)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0 && rc != ODM_ESTATE)
                log_error("the image in use cannot be told", log_text("reason", odm_err_text(rc)));
}

static int on_done(void *ctx, uint32_t id, const odm_task_end *e)
{
        firmware_part *p = ctx;
        int rc = p->host->done(p->host->ctx, id, e);

        if (rc == 0) {
                show_image(p);
                notice_room(&p->room, e);
        }
        if (rc == 0 && e->cause == ODM_CAUSE_OK && !e->has_data)
                notice_say(&p->update, FM_CLEARED, "another update succeeded");
        return rc;
}

static void firmware_rest(void *ctx, bool good)
{
        (void)good;
        show_image(ctx);
}

static void on_restart(void *ctx, const char *why)
{
        const firmware_part *p = ctx;

        p->host->restart(p->host->ctx, why);
}

/* The object says the same as the alarm; a task that is under way will say it itself. */
static void lose_image(firmware_part *p, const char *text)
{
        int rc = odm_fumo_lost(&p->fumo, "main", odm_cstr(text), loop_wall());

        if (rc == 0)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0)
                log_error("the state of the firmware cannot be told",
                          log_text("reason", odm_err_text(rc)));
}

static void on_found(void *ctx, firmware_health health, const char *said)
{
        firmware_part *p = ctx;
        char text[FM_TEXT + 1];

        notice_text(text, sizeof text, said);
        switch (health) {
        case FIRMWARE_SOUND: notice_say(&p->image, FM_CLEARED, "both images are whole"); break;
        case FIRMWARE_SPARE_DAMAGED: notice_say(&p->image, FM_MINOR, text); break;
        case FIRMWARE_SWITCHED:
                lose_image(p, text);
                notice_say(&p->image, FM_MAJOR, text);
                break;
        case FIRMWARE_DAMAGED:
                lose_image(p, text);
                notice_say(&p->image, FM_CRITICAL, text);
                break;
        case FIRMWARE_FELL_BACK:
                lose_image(p, text);
                notice_say(&p->update, FM_WARNING, text);
                break;
        }
}

/* ---- requests ----------------------------------------------------------------------------- */

static int firmware_asked(void *ctx, odm_str word, odm_buf *b)
{
        firmware_part *p = ctx;

        return request_asked(&p->request, word, b);
}

static int firmware_alerts(void *ctx, odm_str server, int (*fn)(void *at, const odm_alert *a),
                           void *at)
{
        const firmware_part *p = ctx;

        (void)server;
        return request_alerts(&p->request, fn, at);
}

static void firmware_alerted(void *ctx, uint64_t id, unsigned status)
{
        firmware_part *p = ctx;

        request_answered(&p->request, id, status);
}

static bool on_ordered(void *ctx)
{
        const firmware_part *p = ctx;

        return odm_tasks_busy(p->host->tasks, ODM_STR(OBJECT)) != NULL;
}

static int make_names(firmware_part *p)
{
        const cfg *c = p->host->conf;
        bool rauc = cfg_enum(c, "firmware.installer") == FIRMWARE_RAUC;

        p->folder = fsio_join(p->host->folder, "firmware");
        p->adapter =
                fsio_join(cfg_str(c, "firmware.adapters"), rauc ? "dremd-rauc" : "dremd-swupdate");
        return p->folder && p->adapter ? 0 : ODM_ENOMEM;
}

static int firmware_part_open(void *ctx, diag *d)
{
        firmware_part *p = ctx;
        const cfg *c = p->host->conf;
        firmware_opt o = {.loop = p->host->loop,
                          .terms = part_terms(c, "firmware"),
                          .patch = cfg_str(c, "firmware.patch"),
                          .keys = cfg_str(c, "firmware.keys"),
                          .installer = (firmware_installer)cfg_enum(c, "firmware.installer"),
                          .slots = cfg_str(c, "firmware.slots"),
                          .command = cfg_str(c, "firmware.command"),
                          .arguments = cfg_str(c, "firmware.arguments"),
                          .command_ms = cfg_ms(c, "firmware.command_time"),
                          .done = on_done,
                          .restart = on_restart,
                          .found = on_found,
                          .ordered = on_ordered,
                          .ctx = p};
        int rc = make_names(p);

        if (rc < 0)
                return diag_set(d, rc, "out of memory");
        notice_init(&p->image, p->host, FM_INTEGRITY, OBJECT);
        notice_init(&p->update, p->host, FM_UPDATE, OBJECT);
        notice_init(&p->room, p->host, FM_STORAGE, OBJECT);
        o.folder = p->folder;
        o.adapter = p->adapter;
        rc = firmware_open(&o, &p->firmware, d);
        if (rc < 0)
                return rc;
        p->fumo.drop = on_drop;
        p->fumo.ctx = p;
        request_plan(&p->request, cfg_ms(c, "firmware.ask"));
        p->host->firmware(p->host->ctx, firmware_version(p->firmware));
        return 0;
}

static int firmware_part_begin(void *ctx, const odm_task *t)
{
        firmware_part *p = ctx;
        odm_value version = {ODM_FMT_ABSENT}, data = {ODM_FMT_ABSENT};
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
        uri = odm_arena_join(&a, t->object, ODM_STR("/PkgVersion"));
        if (uri.p && odm_tree_read(p->host->tree, uri, &a, &version) < 0)
                version.data = ODM_ABSENT;
        uri = odm_arena_join(&a, t->object, ODM_STR("/Update/PkgData"));
        if (uri.p && odm_tree_read(p->host->tree, uri, &a, &data) < 0)
                data.data = ODM_ABSENT;
        rc = a.err ? a.err : firmware_begin(p->firmware, t, version.data, data.data);
        odm_arena_done(&a);
        return rc;
}

static int put_saved(const firmware_part *p, odm_buf *b)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, &heap_mem, 4096);
        if (odm_tree_read(p->host->tree, ODM_STR(OBJECT "/Ext/xrem/Saved"), &a, &v) == 0 &&
            !odm_str_is(v.data, "0"))
                rc = odm_buf_fmt(b, "saved-by-delta: %.*s\n", (int)v.data.n, v.data.p);
        odm_arena_done(&a);
        return rc;
}

static int firmware_status(const void *ctx, odm_buf *b)
{
        const firmware_part *p = ctx;
        int64_t done = 0, total = 0;
        int rc = 0;

        firmware_progress(p->firmware, &done, &total);
        if (done)
                rc = odm_buf_fmt(b, "downloaded: %lld of %lld\n", (long long)done,
                                 (long long)total);
        if (rc == 0)
                rc = request_status(&p->request, b);
        return rc == 0 ? put_saved(p, b) : rc;
}

static const char *const roots[] = {ODM_FUMO_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_fumo_kind, NULL};

const part_class part_firmware = {
        .name = "firmware",
        .roots = roots,
        .kinds = kinds,
        .wanted = firmware_wanted,
        .mount = firmware_mount,
        .fill = firmware_fill,
        .open = firmware_part_open,
        .begin = firmware_part_begin,
        .rest = firmware_rest,
        .asked = firmware_asked,
        .alerts = firmware_alerts,
        .alerted = firmware_alerted,
        .status = firmware_status,
        .close = firmware_part_close,
};
