/* SPDX-License-Identifier: Apache-2.0 */
/* FUMO with the installers of backend/firmware.h. */
#include "firmware.h"

#include <stdlib.h>

#include "heap.h"
#include "mo.h"
#include "part.h"

typedef struct firmware_part {
        const part_host *host;
        odm_fumo fumo;
        firmware *firmware;
        char *folder;
} firmware_part;

static bool firmware_wanted(const cfg *c)
{
        return cfg_enum(c, "firmware.installer") != FIRMWARE_NONE;
}

static void firmware_part_close(void *ctx)
{
        firmware_part *p = ctx;

        firmware_close(p->firmware);
        free(p->folder);
        free(p);
}

static int firmware_mount(const part_host *h, void **out, diag *d)
{
        firmware_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
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

static int on_done(void *ctx, uint32_t id, const odm_task_end *e)
{
        const firmware_part *p = ctx;

        return p->host->done(p->host->ctx, id, e);
}

static void on_restart(void *ctx, const char *why)
{
        const firmware_part *p = ctx;

        p->host->restart(p->host->ctx, why);
}

static int firmware_part_open(void *ctx, diag *d)
{
        firmware_part *p = ctx;
        const cfg *c = p->host->conf;
        firmware_opt o = {.loop = p->host->loop,
                          .fetch = cfg_str(c, "firmware.fetch"),
                          .ca = cfg_str(c, "transport.ca_file"),
                          .keys = cfg_str(c, "firmware.keys"),
                          .installer = (firmware_installer)cfg_enum(c, "firmware.installer"),
                          .slots = cfg_str(c, "firmware.slots"),
                          .command = cfg_str(c, "firmware.command"),
                          .command_ms = cfg_ms(c, "firmware.command_time"),
                          .download_ms = cfg_ms(c, "firmware.download_time"),
                          .max_size = cfg_int(c, "firmware.max_size"),
                          .retries = cfg_int(c, "firmware.tries"),
                          .wait_ms = cfg_ms(c, "firmware.retry_wait"),
                          .done = on_done,
                          .restart = on_restart,
                          .ctx = p};
        int rc;

        p->folder = fsio_join(p->host->folder, "firmware");
        if (!p->folder)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        o.folder = p->folder;
        rc = firmware_open(&o, &p->firmware, d);
        if (rc < 0)
                return rc;
        p->fumo.drop = on_drop;
        p->fumo.ctx = p;
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

static int firmware_status(const void *ctx, odm_buf *b)
{
        const firmware_part *p = ctx;
        int64_t done = 0, total = 0;

        firmware_progress(p->firmware, &done, &total);
        return done ? odm_buf_fmt(b, "downloaded: %lld of %lld\n", (long long)done,
                                  (long long)total)
                    : 0;
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
        .status = firmware_status,
        .close = firmware_part_close,
};
