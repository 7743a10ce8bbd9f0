/* SPDX-License-Identifier: Apache-2.0 */
/* A device that starts again is another instance: the kernel has a new boot id or, in a container,
 * its first process another start.  The file "instance" holds the last one seen, the file "clean"
 * says that the agent ended in order. */
#include "part/reboot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"

#define OBJECT ODM_DIAG_AT "/Restart"
#define DATA OBJECT "/DiagMonData"
#define LIMIT_MS 300000 /* a restart that takes longer does not happen */

static void read_instance(char *out, size_t room)
{
        static const machine here = {""};
        char boot[64] = "", stat[1024] = "", *end;
        unsigned long long started = 0;

        (void)machine_line(&here, "/proc/sys/kernel/random/boot_id", boot, sizeof boot);
        (void)machine_line(&here, "/proc/1/stat", stat, sizeof stat);
        end = strrchr(stat, ')');
        if (end && sscanf(end + 1,
                          " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                          "%*d %*d %llu",
                          &started) != 1)
                started = 0;
        snprintf(out, room, "%.60s %llu", boot, started);
}

static bool is_known(const diagmon *g)
{
        char *path = fsio_join(g->folder, "instance");
        odm_buf b;
        bool same;

        odm_buf_init(&b, &heap_mem, 4096);
        same = path && fsio_read(path, 200, &b, NULL) == 0 &&
               odm_str_is(odm_str_trim(odm_buf_view(&b)), g->reboot.instance);
        odm_buf_done(&b);
        free(path);
        return same;
}

static bool is_first(const diagmon *g)
{
        char *path = fsio_join(g->folder, "instance");
        bool first = path && access(path, F_OK) < 0 && errno == ENOENT;

        free(path);
        return first;
}

static int put_file(const diagmon *g, const char *name, const char *text, diag *d)
{
        char *path = fsio_join(g->folder, name);
        int rc = path ? fsio_write(NULL, path, odm_cstr(text), 0600, d)
                      : diag_set(d, ODM_ENOMEM, "out of memory");

        free(path);
        return rc;
}

static bool was_clean(const diagmon *g)
{
        char *path = fsio_join(g->folder, "clean");
        bool was = path && unlink(path) == 0;

        free(path);
        return was;
}

static int count(diagmon *g, const char *reason)
{
        const part_host *h = g->host;
        odm_value v = {ODM_FMT_ABSENT};
        char block[256], text[24];
        uint64_t n = 0;
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, &heap_mem, 4096, block, sizeof block);
        if (odm_tree_read(h->tree, ODM_STR(DATA "/RestartCount"), &a, &v) < 0 ||
            odm_str_u64(v.data, INT32_MAX - 1, &n) < 0)
                n = 0;
        odm_arena_done(&a);
        snprintf(text, sizeof text, "%" PRIu64, n + 1);
        rc = odm_tree_begin(h->tree, loop_wall());
        if (rc < 0)
                return rc;
        v = (odm_value){.format = ODM_FMT_INT, .data = odm_cstr(text)};
        rc = odm_tree_write(h->tree, ODM_STR(DATA "/RestartCount"), &v, loop_wall());
        v = (odm_value){.format = ODM_FMT_CHR, .data = odm_cstr(reason)};
        if (rc == 0)
                rc = odm_tree_write(h->tree, ODM_STR(DATA "/LastReason"), &v, loop_wall());
        if (rc < 0) {
                odm_tree_rollback(h->tree);
                return rc;
        }
        unsigned status = ODM_ST_OK;
        rc = odm_tree_commit(h->tree, &status);
        return rc == 0 ? h->moved(h->ctx) : rc;
}

static bool is_ordered(const diagmon *g)
{
        const odm_task *t = odm_tasks_busy(g->host->tasks, ODM_STR(OBJECT));

        return t && t->step == ODM_DIAG_CHECK; /* its end counts */
}

static void on_time(void *ctx);

int reboot_open(diagmon *g, diag *d)
{
        bool clean = was_clean(g), known;
        int rc = 0;

        g->reboot.timer = (loop_timer){.fn = on_time, .ctx = g};
        read_instance(g->reboot.instance, sizeof g->reboot.instance);
        g->reboot.opened = true;
        known = is_known(g);
        if (known)
                return 0;
        if (!is_first(g) && !is_ordered(g))
                rc = count(g, clean ? "orderly" : "unexpected");
        if (rc < 0)
                return diag_set(d, rc, "the count of restarts: %s", odm_err_text(rc));
        if (is_ordered(g)) /* its check compares first */
                return 0;
        return put_file(g, "instance", g->reboot.instance, d);
}

void reboot_close(diagmon *g)
{
        if (!g->reboot.opened)
                return;
        loop_timer_stop(&g->reboot.timer);
        (void)put_file(g, "clean", "", NULL); /* without it the next start is called unexpected */
}

/* ---- steps -------------------------------------------------------------------------------------- */

static void arm(diagmon *g, int64_t ms)
{
        if (loop_timer_set(g->host->loop, &g->reboot.timer, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static void end(diagmon *g, uint32_t id, odm_task_cause cause, const char *note)
{
        const odm_task_end e = {.cause = cause, .note = odm_cstr(note)};

        g->reboot.id = 0;
        (void)g->host->done(g->host->ctx, id, &e);
}

static void ask(diagmon *g)
{
        const part_host *h = g->host;

        g->reboot.asked = true;
        arm(g, LIMIT_MS);
        if (g->reboot.whole)
                h->restart(h->ctx, g->reboot.why);
        else
                h->again(h->ctx, g->reboot.why);
}

static void on_time(void *ctx)
{
        diagmon *g = ctx;

        if (!g->reboot.asked)
                ask(g);
        else
                end(g, g->reboot.id, ODM_CAUSE_INTERRUPTED, "the restart did not happen");
}

static uint64_t number(const odm_task *t, const char *name)
{
        uint64_t n = 0;

        return odm_str_u64(odm_task_arg(t, name), INT32_MAX, &n) < 0 ? 0 : n;
}

/* Without a command a restart is the agent's own, and here it is; with one the whole device is
 * another instance afterwards. */
static bool happened(const diagmon *g)
{
        return !g->reboot.whole || !cfg_str(g->host->conf, "firmware.restart") || !is_known(g);
}

int reboot_begin(diagmon *g, const odm_task *t)
{
        struct reboot *r = &g->reboot;
        int rc = 0;

        snprintf(r->why, sizeof r->why, "ordered by %.*s", (int)odm_str_to(t->server, 80).n,
                 t->server.p ? t->server.p : "");
        r->whole = !odm_str_is(odm_task_arg(t, "Type"), "0");
        if (t->step == ODM_DIAG_CHECK && happened(g)) {
                rc = put_file(g, "instance", r->instance, NULL);
                if (rc == 0)
                        end(g, t->id, ODM_CAUSE_OK, NULL);
                return rc;
        }
        r->id = t->id;
        r->asked = false;
        if (t->step == ODM_DIAG_REBOOT && number(t, "Delay"))
                arm(g, (int64_t)number(t, "Delay") * 1000);
        else
                ask(g);
        return 0;
}
