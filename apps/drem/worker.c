/* SPDX-License-Identifier: Apache-2.0 */
/* Steps are lent by the device's tasks (lib/mo), done by the back ends, and told to the tasks
 * again.  A step begins after it is in the journal; its end is in the journal before anybody is
 * told. */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "firmware.h"
#include "heap.h"
#include "log.h"

#define AGAIN_MS 500 /* an end that could not be kept is said again */
#define NOTE 500

struct worker {
        worker_opt opt;
        firmware *firmware; /* NULL: no installer */
        char *folder;
        /* an end that is not kept yet */
        bool has_end;
        uint32_t id;
        odm_task_end end;
        char note[NOTE];
        loop_timer again;
};

static void keep_end(worker *w)
{
        device *v = w->opt.device;
        int rc = odm_tasks_done(v->tasks, w->id, &w->end, loop_wall());

        if (rc == 0 || rc == ODM_ENOENT) /* said before, when it could not be synced */
                rc = state_sync(v->state);
        if (rc == 0) {
                w->has_end = false;
                w->opt.ended(w->opt.ctx);
                worker_go(w);
                return;
        }
        if (rc != ODM_ESTATE)
                log_error("the end of a step cannot be kept", log_text("reason", odm_err_text(rc)));
        if (loop_timer_set(w->opt.loop, &w->again, odm_time_add(loop_now(), AGAIN_MS)) < 0)
                log_error("no memory for a timer");
}

static void on_again(void *ctx)
{
        worker *w = ctx;

        if (w->has_end)
                keep_end(w);
        else
                worker_go(w);
}

static void on_step_over(void *ctx, uint32_t id, const odm_task_end *e)
{
        worker *w = ctx;

        snprintf(w->note, sizeof w->note, "%.*s", (int)e->note.n, e->note.p ? e->note.p : "");
        w->id = id;
        w->end = *e;
        w->end.note = w->note[0] ? odm_cstr(w->note) : ODM_ABSENT;
        w->has_end = true;
        keep_end(w);
}

static int begin(worker *w, const odm_task *t)
{
        odm_tree *tree = w->opt.device->tree;
        odm_value version = {ODM_FMT_ABSENT}, data = {ODM_FMT_ABSENT};
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
        uri = odm_arena_join(&a, t->object, ODM_STR("/PkgVersion"));
        if (uri.p && odm_tree_read(tree, uri, &a, &version) < 0)
                version.data = ODM_ABSENT;
        uri = odm_arena_join(&a, t->object, ODM_STR("/Update/PkgData"));
        if (uri.p && odm_tree_read(tree, uri, &a, &data) < 0)
                data.data = ODM_ABSENT;
        rc = a.err ? a.err : firmware_begin(w->firmware, t, version.data, data.data);
        odm_arena_done(&a);
        return rc;
}

void worker_go(worker *w)
{
        device *v = w->opt.device;
        const odm_task *t;
        int rc = 0;

        while (w->firmware && !w->has_end &&
               (rc = odm_tasks_next(v->tasks, loop_wall(), &t)) == 1) {
                const odm_task_end failed = {.cause = ODM_CAUSE_FAILED};
                uint32_t id = t->id;
                rc = state_sync(v->state);
                if (rc == 0)
                        rc = begin(w, t);
                if (rc < 0) {
                        log_error("a step cannot begin", log_text("reason", odm_err_text(rc)));
                        on_step_over(w, id, &failed);
                        return;
                }
        }
        if (rc < 0 &&
            loop_timer_set(w->opt.loop, &w->again, odm_time_add(loop_now(), AGAIN_MS)) < 0)
                log_error("no memory for a timer");
}

static void on_drop(void *ctx, odm_str uri)
{
        worker *w = ctx;

        (void)uri;
        firmware_drop(w->firmware);
}

static void on_restart(void *ctx, const char *why)
{
        worker *w = ctx;

        w->opt.restart(w->opt.ctx, why);
}

static int open_firmware(worker *w, diag *d)
{
        const cfg *c = w->opt.conf;
        const firmware_opt o = {.loop = w->opt.loop,
                                .folder = w->folder,
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
                                .done = on_step_over,
                                .restart = on_restart,
                                .ctx = w};
        int rc = firmware_open(&o, &w->firmware, d);

        if (rc < 0)
                return rc;
        w->opt.device->fumo.drop = on_drop;
        w->opt.device->fumo.ctx = w;
        device_set_firmware(w->opt.device, firmware_version(w->firmware));
        return 0;
}

int worker_open(const worker_opt *opt, worker **out, diag *d)
{
        worker *w = calloc(1, sizeof *w);
        int rc = 0;

        if (!w)
                return ODM_ENOMEM;
        w->opt = *opt;
        w->again = (loop_timer){.fn = on_again, .ctx = w};
        w->folder = fsio_join(cfg_str(opt->conf, "agent.state"), "firmware");
        if (!w->folder)
                rc = ODM_ENOMEM;
        else if (cfg_enum(opt->conf, "firmware.installer") != FIRMWARE_NONE)
                rc = open_firmware(w, d);
        if (rc < 0)
                worker_close(w);
        else
                *out = w;
        return rc;
}

void worker_close(worker *w)
{
        if (!w)
                return;
        loop_timer_stop(&w->again);
        firmware_close(w->firmware);
        free(w->folder);
        free(w);
}

int worker_status(const worker *w, odm_buf *b)
{
        const odm_tasks *ts = w->opt.device->tasks;
        const odm_task *t;
        int64_t done = 0, total = 0;
        int rc = 0;

        if (w->firmware)
                firmware_progress(w->firmware, &done, &total);
        for (size_t i = 0; rc == 0 && (t = odm_tasks_at(ts, i)) != NULL; i++)
                rc = odm_buf_fmt(b, "task-%u: %.*s %s\n", (unsigned)t->id, (int)t->exec.n,
                                 t->exec.p, t->step ? t->kind->steps[t->step] : "to be reported");
        if (rc == 0 && done)
                rc = odm_buf_fmt(b, "downloaded: %lld of %lld\n", (long long)done,
                                 (long long)total);
        return rc;
}
