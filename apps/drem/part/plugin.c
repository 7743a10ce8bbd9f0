/* SPDX-License-Identifier: Apache-2.0 */
/* Vendor objects: every table file of a folder, and the shared objects that the configuration
 * names. What is wrong with one of them stops the start: a device that lacks an object nobody
 * missed until it was needed is worse. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bound.h"
#include "fsio.h"
#include "log.h"
#include "odm/vendor.h"
#include "part.h"
#include "program.h"
#include "shared.h"

#define TABLES_MOST 64
#define AGAIN_MS 500 /* a session has a transaction open */

typedef struct plugin_part plugin_part;

typedef struct run { /* an Exec's command */
        struct run *next;
        plugin_part *p;
        uint32_t id;
        program *program;
        loop_timer limit;
        char said[256]; /* the last line of it */
} run;

struct plugin_part {
        const part_host *host;
        bound **table;
        size_t n_tables;
        shared **object;
        size_t n_objects;
        run *runs;
        loop_timer timer;
};

/* ---- commands ----------------------------------------------------------------------------- */

static void forget_run(run *r)
{
        run **at = &r->p->runs;

        while (*at != r)
                at = &(*at)->next;
        *at = r->next;
        loop_timer_stop(&r->limit);
        free(r);
}

static void end_run(run *r, odm_task_cause cause)
{
        const part_host *h = r->p->host;
        const odm_task_end e = {.cause = cause,
                                .note = r->said[0] ? odm_cstr(r->said) : ODM_ABSENT};

        (void)h->done(h->ctx, r->id, &e); /* it is said again until it is kept */
        forget_run(r);
}

static void on_line(void *ctx, odm_str line)
{
        run *r = ctx;

        if (line.n)
                snprintf(r->said, sizeof r->said, "%.*s", (int)line.n, line.p);
}

static void on_over(void *ctx, int code)
{
        run *r = ctx;

        r->program = NULL;
        log_info("a vendor's command is over", log_int("task", r->id), log_int("code", code),
                 log_text("said", r->said));
        end_run(r, code == 0 ? ODM_CAUSE_OK : ODM_CAUSE_FAILED);
}

static void on_limit(void *ctx)
{
        run *r = ctx;

        program_kill(r->program);
        r->program = NULL;
        end_run(r, ODM_CAUSE_TIMEOUT);
}

static const table_node *node_of(const plugin_part *p, odm_str uri)
{
        const table_node *n = NULL;

        for (size_t i = 0; i < p->n_tables && !n; i++)
                n = bound_exec(p->table[i], uri);
        return n;
}

static int start_run(run *r, const table_node *n)
{
        const char *const argv[] = {"/bin/sh", "-c", n->text, NULL};
        const program_opt o = {.argv = argv, .line = on_line, .done = on_over, .ctx = r};
        loop *l = r->p->host->loop;
        diag d = {{0}};
        int rc = program_start(l, &o, &r->program, &d);

        if (rc == 0)
                rc = loop_timer_set(l, &r->limit, odm_time_add(loop_now(), n->timeout_ms));
        if (rc < 0)
                log_error("a vendor's command cannot begin", log_text("reason", d.text));
        return rc;
}

static int plugin_begin(void *ctx, const odm_task *t)
{
        const odm_task_end gone = {.cause = ODM_CAUSE_UNSUPPORTED};
        plugin_part *p = ctx;
        const table_node *n = node_of(p, t->exec);
        run *r;
        int rc;

        if (!n) { /* its table has changed since */
                (void)p->host->done(p->host->ctx, t->id, &gone);
                return 0;
        }
        r = calloc(1, sizeof *r);
        if (!r)
                return ODM_ENOMEM;
        r->p = p;
        r->id = t->id;
        r->limit = (loop_timer){.fn = on_limit, .ctx = r};
        r->next = p->runs;
        p->runs = r;
        rc = start_run(r, n);
        if (rc < 0) {
                program_kill(r->program);
                forget_run(r);
        }
        return rc;
}

/* ---- loading ------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_table(const char *name)
{
        size_t n = strlen(name), end = sizeof TABLE_ENDING - 1;

        return name[0] != '.' && n > end && strcmp(name + n - end, TABLE_ENDING) == 0;
}

static void free_names(char **name, size_t n)
{
        while (n > 0)
                free(name[--n]);
        free(name);
}

/* Their paths, in order; none where the folder is not there and nobody asked for it. */
static int list_tables(const cfg *c, char ***out, size_t *n, diag *d)
{
        const char *folder = cfg_str(c, "plugin.tables");
        DIR *dir = opendir(folder);
        char **name = calloc(TABLES_MOST, sizeof *name);
        struct dirent *e;
        int rc = name ? 0 : ODM_ENOMEM;

        *n = 0;
        if (rc == 0 && !dir && (errno != ENOENT || cfg_given(c, "plugin.tables")))
                rc = diag_set(d, ODM_EIO, "plugin.tables: %s: %s", folder, strerror(errno));
        while (rc == 0 && dir && (e = readdir(dir)) != NULL) {
                if (!is_table(e->d_name))
                        continue;
                if (*n == TABLES_MOST)
                        rc = diag_set(d, ODM_ELIMIT, "%s: more than %d tables", folder,
                                      TABLES_MOST);
                else if ((name[*n] = fsio_join(folder, e->d_name)) == NULL)
                        rc = ODM_ENOMEM;
                else
                        ++*n;
        }
        if (dir)
                closedir(dir);
        if (rc < 0) {
                free_names(name, *n);
                return rc;
        }
        qsort(name, *n, sizeof *name, by_name);
        *out = name;
        return 0;
}

static int mount_table(plugin_part *p, const char *path, diag *d)
{
        struct stat st;
        table *t = NULL;
        int rc;

        if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH)) /* its commands are run as we are */
                return diag_set(d, ODM_EACCESS, "%s: anybody may write it", path);
        rc = table_load(path, &t, d);
        if (rc == 0)
                rc = bound_mount(t, p->host->tree, p->host->tasks, &p->table[p->n_tables], d);
        p->n_tables += rc == 0;
        return rc;
}

static int mount_tables(plugin_part *p, diag *d)
{
        char **path = NULL;
        size_t n = 0;
        int rc = list_tables(p->host->conf, &path, &n, d);

        if (rc < 0)
                return rc;
        p->table = calloc(n + 1, sizeof(bound *));
        if (!p->table)
                rc = ODM_ENOMEM;
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = mount_table(p, path[i], d);
        free_names(path, n);
        return rc;
}

static int mount_objects(plugin_part *p, diag *d)
{
        const cfg *c = p->host->conf;
        size_t n = cfg_list_n(c, "plugin.objects");
        int rc = 0;

        p->object = calloc(n + 1, sizeof(shared *));
        if (!p->object)
                return ODM_ENOMEM;
        for (size_t i = 0; i < n && rc == 0; i++) {
                rc = shared_load(cfg_str(c, "plugin.folder"), cfg_list_at(c, "plugin.objects", i),
                                 &p->object[i], d);
                p->n_objects += rc == 0;
                if (rc == 0)
                        rc = shared_mount(p->object[i], p->host->tree, d);
        }
        return rc;
}

/* ---- the part ------------------------------------------------------------------------------ */

static void plugin_close(void *ctx)
{
        plugin_part *p = ctx;

        loop_timer_stop(&p->timer);
        while (p->runs) {
                run *r = p->runs;
                program_kill(r->program);
                forget_run(r);
        }
        for (size_t i = 0; i < p->n_tables; i++)
                bound_close(p->table[i]);
        for (size_t i = 0; i < p->n_objects; i++)
                shared_close(p->object[i]);
        free(p->table);
        free(p->object);
        free(p);
}

/* Files change behind our back: settings follow them. */
static int refresh(plugin_part *p, bool *moved)
{
        int rc = 0;

        for (size_t i = 0; i < p->n_tables && rc == 0; i++)
                rc = bound_refresh(p->table[i], moved);
        return rc;
}

static void set_timer(plugin_part *p, int rc)
{
        int64_t least = -1;

        for (size_t i = 0; i < p->n_tables; i++) {
                int64_t ms = bound_interval(p->table[i]);
                if (ms >= 0 && (least < 0 || ms < least))
                        least = ms;
        }
        if (least < 0)
                return;
        if (loop_timer_set(p->host->loop, &p->timer,
                           odm_time_add(loop_now(), rc == ODM_ESTATE ? AGAIN_MS : least)) < 0)
                log_error("no memory for a timer");
}

static void on_timer(void *ctx)
{
        plugin_part *p = ctx;
        bool moved = false;
        int rc = refresh(p, &moved);

        if (moved && p->host->moved(p->host->ctx) < 0)
                log_error("settings of vendors' objects are not kept");
        if (rc < 0 && rc != ODM_ESTATE)
                log_warn("settings of vendors' objects", log_text("reason", odm_err_text(rc)));
        set_timer(p, rc);
}

static int plugin_mount(const part_host *h, void **out, diag *d)
{
        plugin_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->timer = (loop_timer){.fn = on_timer, .ctx = p};
        rc = odm_tasks_know(h->tasks, &odm_vendor_kind, NULL);
        if (rc == 0)
                rc = mount_tables(p, d);
        if (rc == 0)
                rc = mount_objects(p, d);
        if (rc < 0)
                plugin_close(p);
        else
                *out = p;
        return rc;
}

static int plugin_fill(void *ctx, diag *d)
{
        plugin_part *p = ctx;
        bool moved = false;
        int rc = refresh(p, &moved);

        for (size_t i = 0; i < p->n_objects && rc == 0; i++)
                rc = shared_start(p->object[i], p->host->tree);
        return rc < 0 ? diag_set(d, rc, "vendors' objects: %s", odm_err_text(rc)) : 0;
}

static int plugin_open(void *ctx, diag *d)
{
        plugin_part *p = ctx;
        int rc = 0;

        for (size_t i = 0; i < p->n_tables && rc == 0; i++)
                rc = bound_open(p->table[i], p->host->loop);
        set_timer(p, 0);
        return rc < 0 ? diag_set(d, rc, "vendors' objects: %s", odm_err_text(rc)) : 0;
}

static const char *const roots[] = {ODM_VENDOR_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_vendor_kind, NULL};

const part_class part_plugin = {
        .name = "plugin",
        .roots = roots,
        .kinds = kinds,
        .mount = plugin_mount,
        .fill = plugin_fill,
        .open = plugin_open,
        .begin = plugin_begin,
        .close = plugin_close,
};
