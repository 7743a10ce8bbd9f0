/* SPDX-License-Identifier: Apache-2.0 */
/* SCOMO with the installers of backend/software.h: packages of Debian, archives, a program of the
 * device's maker. */
#include "odm/scomo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part/notice.h"
#include "part/request.h"
#include "software.h"

#define AGAIN_MS 500 /* a list that came while a session had a transaction open */
#define QUIET_MS 300 /* dpkg writes its status many times */
#define WORDS_TEXT (32u << 10)
#define LIST_WORDS 32

typedef struct scomo_part {
        const part_host *host;
        odm_scomo scomo;
        software *software;
        odm_arena text; /* of the installers' words */
        const char *folder;
        loop_timer look, tidy;
        loop_io watch; /* of dpkg's status, which other hands change */
        const char *watched;
        int watch_id;
        request request;
        notice room;
} scomo_part;

static bool scomo_wanted(const cfg *c)
{
        return cfg_str(c, "software.dpkg_root") || cfg_str(c, "software.archive") ||
               cfg_str(c, "software.command");
}

static void scomo_close(void *ctx)
{
        scomo_part *p = ctx;

        software_close(p->software);
        request_stop(&p->request);
        notice_stop(&p->room);
        loop_timer_stop(&p->look);
        loop_timer_stop(&p->tidy);
        loop_io_del(&p->watch);
        if (p->watch.fd >= 0)
                close(p->watch.fd);
        odm_arena_done(&p->text);
        free(p);
}

/* ---- what the object asks ------------------------------------------------------------------ */

static odm_task_cause on_fits(void *ctx, odm_str env, odm_str type)
{
        const scomo_part *p = ctx;

        return software_fits(p->software, env, type);
}

static int on_made(void *ctx, uint32_t id, size_t i, odm_component *out)
{
        const scomo_part *p = ctx;

        return software_made(p->software, id, i, out);
}

static void soon(loop *l, loop_timer *t, int64_t ms)
{
        if (loop_timer_set(l, t, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static void on_changed(void *ctx)
{
        scomo_part *p = ctx;

        if (p->software)
                soon(p->host->loop, &p->tidy, AGAIN_MS);
}

static int holds(void *ctx, odm_str name)
{
        scomo_part *p = ctx;

        return odm_scomo_holds(&p->scomo, name);
}

/* Not within a transaction, which may be taken back. */
static void on_tidy(void *ctx)
{
        scomo_part *p = ctx;

        if (odm_tree_in_transaction(p->host->tree))
                soon(p->host->loop, &p->tidy, AGAIN_MS);
        else
                software_tidy(p->software, holds, p);
}

/* ---- what the installers have --------------------------------------------------------------- */

static void on_look(void *ctx)
{
        scomo_part *p = ctx;

        if (p->software)
                software_look(p->software);
}

static void on_watch(void *ctx, unsigned events)
{
        scomo_part *p = ctx;
        char block[4096];

        (void)events;
        while (read(p->watch.fd, block, sizeof block) > 0)
                soon(p->host->loop, &p->look, QUIET_MS);
}

/* dpkg puts a new status in the place of the old one.  The folder may come to be late. */
static void watch_status(scomo_part *p)
{
        if (!p->watched || p->watch_id >= 0)
                return;
        if (p->watch.fd < 0) {
                p->watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
                if (p->watch.fd < 0 || loop_io_add(p->host->loop, &p->watch, LOOP_READ) < 0) {
                        log_warn("what others install is not seen before the next order");
                        p->watched = NULL;
                        return;
                }
        }
        p->watch_id = inotify_add_watch(p->watch.fd, p->watched, IN_MOVED_TO | IN_ONLYDIR);
}

static void on_listed(void *ctx, const char *installer, const odm_component *list, size_t n)
{
        scomo_part *p = ctx;
        bool changed = false;
        int rc = odm_scomo_sync(&p->scomo, installer, list, n, loop_wall(), &changed);

        if (rc == ODM_ESTATE)
                soon(p->host->loop, &p->look, AGAIN_MS);
        else if (rc < 0)
                log_error("the inventory cannot be kept", log_text("installer", installer),
                          log_text("reason", odm_err_text(rc)));
        else if (changed)
                (void)p->host->moved(p->host->ctx);
        watch_status(p);
}

/* ---- settings ------------------------------------------------------------------------------- */

static const char *const deb_types[] = {"application/vnd.debian.binary-package",
                                        "application/x-debian-package", "application/x-deb", NULL};
static const char *const archive_types[] = {"application/x-tar",
                                            "application/gzip",
                                            "application/x-gzip",
                                            "application/x-gtar",
                                            "application/x-xz",
                                            "application/zstd",
                                            "application/zip",
                                            "application/x-compressed-tar",
                                            NULL};

/* The words of a list of settings, up to a NULL. */
static const char *const *words_of(scomo_part *p, const char *key, size_t most)
{
        size_t n = cfg_list_n(p->host->conf, key);
        const char **out = odm_arena_zget(&p->text, (most + 1) * sizeof *out);

        for (size_t i = 0; out && i < n && i < most; i++)
                out[i] = cfg_list_at(p->host->conf, key, i);
        return out;
}

static const char *tool(scomo_part *p, const char *name)
{
        return odm_arena_fmt(&p->text, "%s/%s", cfg_str(p->host->conf, "software.installers"), name)
                .p;
}

static void add_dpkg(scomo_part *p, software_opt *o)
{
        static const char *const lists[] = {"own", "all"};
        const cfg *c = p->host->conf;
        const char *root = cfg_str(c, "software.dpkg_root");
        const char **words = odm_arena_zget(&p->text, (SOFTWARE_WORDS + 1) * sizeof *words);
        size_t n = cfg_list_n(c, "software.dpkg_options"), k = 0;

        if (!root || !words)
                return;
        words[k++] = tool(p, "dremd-dpkg");
        words[k++] = "--folder";
        words[k++] = odm_arena_fmt(&p->text, "%s/dpkg", p->folder).p;
        words[k++] = "--root";
        words[k++] = root;
        words[k++] = "--list";
        words[k++] = lists[cfg_enum(c, "software.dpkg_list")];
        words[k++] = "--filter";
        words[k++] = cfg_str(c, "software.dpkg_filter");
        for (size_t i = 0; i < n && k + 2 <= SOFTWARE_WORDS; i++) {
                words[k++] = "--option";
                words[k++] = cfg_list_at(c, "software.dpkg_options", i);
        }
        p->watched = odm_arena_fmt(&p->text, "%s/var/lib/dpkg", root).p;
        o->installer[o->n_installers++] = (software_installer){"dpkg", words, deb_types};
}

static void add_archive(scomo_part *p, software_opt *o)
{
        const cfg *c = p->host->conf;
        const char *root = cfg_str(c, "software.archive");
        const char **words = odm_arena_zget(&p->text, 6 * sizeof *words);
        odm_str size = odm_arena_number(&p->text, (uint64_t)cfg_int(c, "software.max_unpacked"));

        if (!root || !words)
                return;
        words[0] = tool(p, "dremd-archive");
        words[1] = "--root";
        words[2] = root;
        words[3] = "--max-size";
        words[4] = size.p;
        o->installer[o->n_installers++] = (software_installer){"archive", words, archive_types};
}

static void add_command(scomo_part *p, software_opt *o)
{
        const char **words = odm_arena_zget(&p->text, 2 * sizeof *words);

        if (!cfg_str(p->host->conf, "software.command") || !words)
                return;
        words[0] = cfg_str(p->host->conf, "software.command");
        o->installer[o->n_installers++] = (software_installer){
                "exec", words, words_of(p, "software.command_types", LIST_WORDS)};
}

/* ---- life ----------------------------------------------------------------------------------- */

static int scomo_mount(const part_host *h, void **out, diag *d)
{
        scomo_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->look = (loop_timer){.fn = on_look, .ctx = p};
        p->tidy = (loop_timer){.fn = on_tidy, .ctx = p};
        p->watch = (loop_io){.fd = -1, .fn = on_watch, .ctx = p};
        p->watch_id = -1;
        p->request = (request){
                .types = {"urn:oma:at:scomo:1.0:DeviceRequest", "urn:oma:at:scomo:1.0:UserRequest"},
                .source = ODM_SCOMO_AT,
                .what = "new software",
                .word = "request-software",
                .key = "software-request"};
        request_init(&p->request, h);
        odm_arena_init(&p->text, &heap_mem, WORDS_TEXT);
        p->scomo = (odm_scomo){.keep = cfg_bool(h->conf, "software.keep"),
                               .fits = on_fits,
                               .made = on_made,
                               .changed = on_changed,
                               .ctx = p};
        rc = odm_scomo_mount(&p->scomo, h->tasks, &odm_mo_scomo);
        if (rc < 0)
                scomo_close(p);
        else
                *out = p;
        return rc;
}

static int on_done(void *ctx, uint32_t id, const odm_task_end *e)
{
        scomo_part *p = ctx;
        int rc = p->host->done(p->host->ctx, id, e);

        if (rc == 0)
                notice_room(&p->room, e);
        return rc;
}

static int scomo_open(void *ctx, diag *d)
{
        scomo_part *p = ctx;
        const cfg *c = p->host->conf;
        software_opt o = {.loop = p->host->loop,
                          .terms = part_terms(c, "software"),
                          .keys = cfg_str(c, "software.keys"),
                          .command_ms = cfg_ms(c, "software.command_time"),
                          .most = (size_t)cfg_int(c, "software.max_listed"),
                          .done = on_done,
                          .listed = on_listed,
                          .ctx = p};
        int rc;

        notice_init(&p->room, p->host, FM_STORAGE, ODM_SCOMO_AT);
        p->folder = odm_arena_fmt(&p->text, "%s/software", p->host->folder).p;
        o.folder = p->folder;
        o.environments = words_of(p, "software.environments", LIST_WORDS);
        add_dpkg(p, &o);
        add_archive(p, &o);
        add_command(p, &o);
        if (p->text.err)
                return diag_set(d, p->text.err, "software: %s", odm_err_text(p->text.err));
        rc = software_open(&o, &p->software, d);
        if (rc < 0)
                return rc;
        on_changed(p);
        request_plan(&p->request, cfg_ms(c, "software.ask"));
        return 0;
}

static int scomo_begin(void *ctx, const odm_task *t)
{
        scomo_part *p = ctx;
        odm_value data = {ODM_FMT_ABSENT};
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
        uri = odm_arena_join(&a, t->object, ODM_STR("/Data"));
        if (uri.p && odm_task_arg(t, "pushed").p &&
            odm_tree_read(p->host->tree, uri, &a, &data) < 0)
                data.data = ODM_ABSENT;
        rc = a.err ? a.err : software_begin(p->software, t, data.data);
        odm_arena_done(&a);
        return rc;
}

static int scomo_status(const void *ctx, odm_buf *b)
{
        const scomo_part *p = ctx;

        int rc = request_status(&p->request, b);

        return rc == 0 && p->software ? software_status(p->software, b) : rc;
}

static int scomo_asked(void *ctx, odm_str word, odm_buf *b)
{
        scomo_part *p = ctx;

        return request_asked(&p->request, word, b);
}

static int scomo_alerts(void *ctx, odm_str server, int (*fn)(void *at, const odm_alert *a),
                        void *at)
{
        const scomo_part *p = ctx;

        (void)server;
        return request_alerts(&p->request, fn, at);
}

static void scomo_alerted(void *ctx, uint64_t id, unsigned status)
{
        scomo_part *p = ctx;

        request_answered(&p->request, id, status);
}

static const char *const roots[] = {ODM_SCOMO_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_scomo_kind, NULL};

const part_class part_scomo = {
        .name = "software",
        .roots = roots,
        .kinds = kinds,
        .wanted = scomo_wanted,
        .mount = scomo_mount,
        .open = scomo_open,
        .begin = scomo_begin,
        .look = on_look,
        .asked = scomo_asked,
        .alerts = scomo_alerts,
        .alerted = scomo_alerted,
        .status = scomo_status,
        .close = scomo_close,
};
