/* SPDX-License-Identifier: Apache-2.0 */
/* DiagMon in the agent: which functions this machine has, their live data, and the steps that
 * their tasks ask for (odm/diag.h). */
#include "part/diagmon.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part/outside.h"
#include "part/panic.h"
#include "part/reboot.h"
#include "part/upload.h"

#define FRESH_MS 1000       /* what was read this short a time ago need not be read again */
#define DATA_MAX (2u << 20) /* octets of what a function finds */

/* ---- what is found ------------------------------------------------------------------------------- */

int pairs_put(void *ctx, odm_str rel, odm_str text)
{
        pairs *p = ctx;

        if (p->n == p->room) {
                size_t room = p->room ? p->room * 2 : 32;
                struct pair *more = odm_arena_get(&p->a, room * sizeof *more);
                if (!more)
                        return odm_arena_err(&p->a);
                if (p->n)
                        memcpy(more, p->list, p->n * sizeof *more);
                p->list = more;
                p->room = room;
        }
        p->list[p->n].rel = odm_arena_copy(&p->a, rel);
        p->list[p->n].text = odm_arena_copy(&p->a, text);
        if (!p->list[p->n].rel.p || !p->list[p->n].text.p)
                return odm_arena_err(&p->a);
        p->n++;
        return 0;
}

static void let_go(diagmon *g)
{
        if (g->read)
                odm_arena_done(&g->data.a);
        g->read = NULL;
        g->data = (pairs){.n = 0};
        loop_timer_stop(&g->cool);
}

static void on_cool(void *ctx)
{
        let_go(ctx);
}

int diagmon_read(diagmon *g, const function *f, int64_t age_ms, const pairs **out)
{
        probe_sink to = {pairs_put, &g->data, 0};

        if (g->read == f && !odm_time_reached(loop_now(), odm_time_add(g->read_at, age_ms))) {
                *out = &g->data;
                return 0;
        }
        let_go(g);
        odm_arena_init(&g->data.a, &heap_mem, DATA_MAX);
        g->read = f;
        f->probe(g, loop_wall(), &to);
        g->read_at = loop_now();
        if (g->host->loop &&
            loop_timer_set(g->host->loop, &g->cool, odm_time_add(g->read_at, 2 * FRESH_MS)) < 0)
                to.rc = ODM_ENOMEM;
        if (to.rc < 0) {
                let_go(g);
                return to.rc;
        }
        *out = &g->data;
        return 0;
}

odm_format diagmon_format(const function *f, odm_str rel)
{
        char path[200];
        const odm_desc *d;

        snprintf(path, sizeof path, "DiagMonData/%.*s", (int)odm_str_to(rel, 160).n, rel.p);
        d = odm_mo_find(f->f.mo, odm_cstr(path));
        return d ? d->format : ODM_FMT_CHR;
}

static int read_live(void *ctx, const odm_diag_function *df, odm_str rel, odm_arena *a,
                     odm_value *out)
{
        const pairs *p;
        int rc = diagmon_read(ctx, (const function *)df, FRESH_MS, &p);

        for (size_t i = 0; rc == 0 && i < p->n; i++) {
                if (!odm_str_eq(p->list[i].rel, rel))
                        continue;
                out->data = odm_arena_copy(a, p->list[i].text);
                return out->data.p ? 0 : odm_arena_err(a);
        }
        return rc < 0 ? rc : ODM_ENOENT;
}

/* The first segment of a path behind `above` and a slash; absent when it is not below that. */
static odm_str child_of(odm_str above, odm_str path)
{
        const char *slash;

        if (above.n) {
                if (path.n <= above.n + 1 || !odm_str_eq(odm_str_to(path, above.n), above) ||
                    path.p[above.n] != '/')
                        return ODM_ABSENT;
                path = odm_str_from(path, above.n + 1);
        }
        slash = memchr(path.p, '/', path.n);
        return slash ? odm_str_to(path, (size_t)(slash - path.p)) : ODM_ABSENT;
}

static int list_live(void *ctx, const odm_diag_function *df, odm_str rel,
                     int (*add)(void *list, odm_str name), void *to)
{
        odm_str last = ODM_ABSENT;
        const pairs *p;
        int rc = diagmon_read(ctx, (const function *)df, FRESH_MS, &p);

        for (size_t i = 0; rc == 0 && i < p->n; i++) {
                odm_str name = child_of(rel, p->list[i].rel);
                if (!name.p || odm_str_eq(name, last) || /* rows are given one after the other */
                    (rel.n == 0 && odm_str_is(name, "ExtMem")))
                        continue;
                last = name;
                rc = add(to, name);
        }
        return rc;
}

/* ---- the functions -------------------------------------------------------------------------------- */

#define PROBE(name)                                                             \
        static void find_##name(const diagmon *g, odm_wall now, probe_sink *to) \
        {                                                                       \
                probe_##name(&g->machine, now, to);                             \
        }
PROBE(memory)
PROBE(battery)
PROBE(processes)
PROBE(sensors)
PROBE(links)
#undef PROBE

/* Where somebody put the device and wrote it down. */
static void find_location(const diagmon *g, odm_wall now, probe_sink *to)
{
        const cfg *c = g->host->conf;
        const char *lat = cfg_str(c, "diag.latitude"), *lon = cfg_str(c, "diag.longitude");

        (void)now;
        if (outside_place(g->outside, to) || !lat || !lon)
                return;
        probe_put(to, lat, "Lat");
        probe_put(to, lon, "Long");
        if (cfg_str(c, "diag.altitude"))
                probe_put(to, cfg_str(c, "diag.altitude"), "Alt");
        if (cfg_given(c, "diag.radius"))
                probe_put_int(to, cfg_int(c, "diag.radius"), "Radius");
}

static void find_app_data(const diagmon *g, odm_wall now, probe_sink *to)
{
        (void)now;
        outside_services(g->outside, to);
}

#define FIND_RF(access)                                                           \
        static void find_##access(const diagmon *g, odm_wall now, probe_sink *to) \
        {                                                                         \
                (void)now;                                                        \
                outside_radio(g->outside, #access, to);                           \
        }
FIND_RF(gsm)
FIND_RF(umts)
FIND_RF(lte)
#undef FIND_RF

static bool has_services(const diagmon *g)
{
        return outside_has_services(g->outside);
}

static bool has_radio(const diagmon *g)
{
        return outside_has_radio(g->outside);
}

static bool has_place(const diagmon *g)
{
        return outside_has_place(g->outside) || cfg_str(g->host->conf, "diag.latitude");
}

static bool always(const diagmon *g)
{
        (void)g;
        return true;
}

static const function all[] = {
        {.f = {"Memory", &odm_mo_diag_memory, ODM_DIAG_SNAPSHOT}, .probe = find_memory},
        {.f = {"Battery", &odm_mo_diag_battery, ODM_DIAG_SNAPSHOT}, .probe = find_battery},
        {.f = {"AppExe", &odm_mo_diag_appexe, ODM_DIAG_SNAPSHOT}, .probe = find_processes},
        {.f = {"Sensor", &odm_mo_diag_sensor, ODM_DIAG_SNAPSHOT}, .probe = find_sensors},
        {.f = {"Link", &odm_mo_diag_link, ODM_DIAG_SNAPSHOT}, .probe = find_links},
        {.f = {"Location", &odm_mo_diag_location, ODM_DIAG_SNAPSHOT},
         .probe = find_location,
         .offered = has_place},
        {.f = {"AppData", &odm_mo_diag_appdata, ODM_DIAG_SNAPSHOT},
         .probe = find_app_data,
         .offered = has_services},
        {.f = {"RF/GSM", &odm_mo_diag_rf_gsm, ODM_DIAG_SNAPSHOT},
         .probe = find_gsm,
         .offered = has_radio},
        {.f = {"RF/UMTS", &odm_mo_diag_rf_umts, ODM_DIAG_SNAPSHOT},
         .probe = find_umts,
         .offered = has_radio},
        {.f = {"RF/LTE", &odm_mo_diag_rf_lte, ODM_DIAG_SNAPSHOT},
         .probe = find_lte,
         .offered = has_radio},
        {.f = {"QoS", &odm_mo_diag_qos, ODM_DIAG_ACTION},
         .ready = ping_ready,
         .act = ping_act,
         .quit = ping_quit,
         .offered = ping_offered},
        {.f = {"SelfTest", &odm_mo_diag_selftest, ODM_DIAG_ACTION},
         .ready = checks_ready,
         .act = checks_act,
         .quit = checks_quit,
         .offered = checks_offered},
        {.f = {"PM", &odm_mo_diag_pm, ODM_DIAG_ACTION},
         .ready = counters_ready,
         .act = counters_act,
         .quit = counters_quit,
         .round_off = counters_round_off,
         .offered = always},
        {.f = {"PanicLog", &odm_mo_diag_paniclog, ODM_DIAG_RING}, .offered = panic_offered},
        {.f = {"TrapLog", &odm_mo_diag_traplog, ODM_DIAG_RING}, .offered = always},
        {.f = {"FM", &odm_mo_diag_fm, ODM_DIAG_RING}, .offered = always},
        {.f = {"Restart", &odm_mo_diag_restart, ODM_DIAG_RESTART}, .offered = always},
};

static int one_is_enough(void *ctx, odm_str rel, odm_str text)
{
        bool *found = ctx;

        (void)rel;
        (void)text;
        *found = true;
        return ODM_EEXIST;
}

/* What this machine has not has no node at all. */
static bool is_offered(const diagmon *g, const function *f)
{
        bool found = false;
        probe_sink to = {one_is_enough, &found, 0};

        if (f->offered)
                return f->offered(g);
        f->probe(g, loop_wall(), &to);
        return found;
}

static unsigned ready(void *ctx, const odm_diag_function *df, const odm_task *t)
{
        const function *f = (const function *)df;

        return f->ready ? f->ready(ctx, t) : 1200;
}

/* ---- life ------------------------------------------------------------------------------------------ */

static bool diagmon_wanted(const cfg *c)
{
        return cfg_bool(c, "diag.enabled");
}

static void diagmon_close(void *ctx)
{
        diagmon *g = ctx;

        if (!g)
                return;
        reboot_close(g);
        run_free_all(g);
        upload_close(g);
        panic_close(g->panic);
        let_go(g);
        samples_close(g->samples);
        outside_close(g->outside);
        odm_diag_done(&g->diag);
        free(g->functions);
        free(g->folder);
        free(g);
}

static int mount_all(diagmon *g, odm_tasks *tasks)
{
        int rc = odm_diag_init(&g->diag, tasks);

        for (size_t i = 0; i < ODM_COUNT(all) && rc == 0; i++) {
                if (!is_offered(g, &all[i]))
                        continue;
                g->functions[g->n] = all[i];
                rc = odm_diag_mount(&g->diag, &g->functions[g->n].f);
                g->n += rc == 0;
        }
        return rc;
}

static int diagmon_mount(const part_host *h, void **out, diag *d)
{
        diagmon *g = calloc(1, sizeof *g);
        const char *root = cfg_str(h->conf, "diag.root");
        int rc = ODM_ENOMEM;

        (void)d;
        if (!g)
                return rc;
        g->host = h;
        snprintf(g->root, sizeof g->root, "%s", root ? root : "");
        g->machine.root = g->root;
        g->cool = (loop_timer){.fn = on_cool, .ctx = g};
        g->diag = (odm_diag){.read = read_live, .list = list_live, .ready = ready, .ctx = g};
        g->functions = calloc(ODM_COUNT(all), sizeof *g->functions);
        g->folder = fsio_join(h->folder, "diag");
        if (g->functions && g->folder)
                rc = outside_new(&g->outside);
        if (rc == 0)
                rc = mount_all(g, h->tasks);
        if (rc < 0)
                diagmon_close(g);
        else
                *out = g;
        return rc;
}

/* Samples are no reason for a device not to start. */
static int open_samples(diagmon *g, const char *path, diag *d)
{
        size_t max = (size_t)cfg_int(g->host->conf, "diag.samples");
        int rc = samples_open(path, max, &g->samples, d);

        if (rc != ODM_EMALFORMED)
                return rc;
        log_error("samples are lost", log_text("reason", d ? d->text : ""));
        (void)unlink(path);
        return samples_open(path, max, &g->samples, d);
}

static int diagmon_open(void *ctx, diag *d)
{
        diagmon *g = ctx;
        char *path;
        int rc = fsio_mkdir(g->folder, 0700, d);

        if (rc < 0)
                return rc;
        path = fsio_join(g->folder, "samples");
        if (!path)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        rc = open_samples(g, path, d);
        free(path);
        if (rc == 0)
                rc = panic_open(g, &g->panic, d);
        if (rc == 0)
                outside_open(g->outside, g->host->loop);
        if (rc == 0)
                rc = reboot_open(g, d);
        return rc;
}

static int diagmon_begin(void *ctx, const odm_task *t)
{
        diagmon *g = ctx;
        const function *f = (const function *)odm_diag_of(&g->diag, t->object);

        if (!f) /* the machine has lost it */
                return ODM_EUNSUPPORTED;
        switch ((odm_diag_step)t->step) {
        case ODM_DIAG_RUN: return run_begin(g, f, t);
        case ODM_DIAG_END: run_stop(g, t->id); return 0;
        case ODM_DIAG_UPLOAD: return upload_begin(g, t);
        case ODM_DIAG_REBOOT:
        case ODM_DIAG_CHECK: return reboot_begin(g, t);
        }
        return ODM_EINVAL;
}

/* ---- sessions --------------------------------------------------------------------------------------- */

static int diagmon_alerts(void *ctx, odm_str server, int (*fn)(void *ctx, const odm_alert *a),
                          void *to)
{
        diagmon *g = ctx;

        g->progress = false;
        return samples_each(g->samples, server, fn, to);
}

static void diagmon_alerted(void *ctx, uint64_t id, unsigned status)
{
        diagmon *g = ctx;

        if (!odm_alert_over(status))
                return;
        samples_over(g->samples, id);
        g->progress = true;
}

/* There were more than a session takes: another one, as long as that helps. */
static void diagmon_rest(void *ctx, bool good)
{
        diagmon *g = ctx;
        odm_str server = samples_waits(g->samples);

        if (good && g->progress && server.p)
                g->host->tell(g->host->ctx, server);
        g->progress = false;
}

static int diagmon_status(const void *ctx, odm_buf *b)
{
        const diagmon *g = ctx;

        return odm_buf_fmt(b, "samples-waiting: %zu\nsamples-dropped: %llu\n",
                           samples_held(g->samples),
                           (unsigned long long)samples_dropped(g->samples));
}

static const char *const roots[] = {ODM_DIAG_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_diag_kind, NULL};

const part_class part_diagmon = {
        .name = "diagmon",
        .roots = roots,
        .kinds = kinds,
        .wanted = diagmon_wanted,
        .mount = diagmon_mount,
        .open = diagmon_open,
        .begin = diagmon_begin,
        .rest = diagmon_rest,
        .alerts = diagmon_alerts,
        .alerted = diagmon_alerted,
        .status = diagmon_status,
        .close = diagmon_close,
};
