/* SPDX-License-Identifier: Apache-2.0 */
/* Packages: the rows of table_package and the contents in the folder belong together.
 *
 * A content goes when its last row has gone: the event "package.removed" is heard, and the rows of
 * that hash are looked for.  What a kill left over goes at the next start. */
#include "package_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"

#define ROW_MEMORY ((size_t)256 << 10)
#define PAGE_MEMORY ((size_t)16 << 20)
#define PAGE 64

/* Defaults, where nothing is configured; as in conf.c. */
#define MAX_SIZE ((uint64_t)4 << 30)
#define MAX_TOTAL ((uint64_t)64 << 30)
#define MAX_COUNT 1000

/* ---- ceilings ---------------------------------------------------------------------------- */

bool package_room(packages *s, call *c, uint64_t size)
{
        pthread_mutex_lock(&s->lock);
        if (s->count >= s->max_count)
                problem_set(&c->problem, PROBLEM_STATE,
                            "There are %u packages already (packages.max_count).", s->count);
        else if (size > s->max_total || s->total > s->max_total - size)
                problem_set(&c->problem, PROBLEM_STATE,
                            "There is no room: all contents may have %llu octets together "
                            "(packages.max_total).",
                            (unsigned long long)s->max_total);
        if (!problem_is(&c->problem)) {
                s->count++;
                s->total += size;
        }
        pthread_mutex_unlock(&s->lock);
        return !problem_is(&c->problem);
}

void package_room_back(packages *s, uint64_t size)
{
        pthread_mutex_lock(&s->lock);
        s->count--;
        s->total -= size;
        pthread_mutex_unlock(&s->lock);
}

/* ---- the thread -------------------------------------------------------------------------- */

bool package_later(packages *s, package_task *t)
{
        bool ok;

        pthread_mutex_lock(&s->lock);
        ok = s->started && !s->stopping;
        if (ok) {
                t->next = NULL;
                *s->last = t;
                s->last = &t->next;
                pthread_cond_signal(&s->more);
        }
        pthread_mutex_unlock(&s->lock);
        return ok;
}

/* What waits is done before the end: somebody waits for the answer. */
static void *work(void *arg)
{
        packages *s = arg;
        package_task *t;

        pthread_mutex_lock(&s->lock);
        while (s->first || !s->stopping) {
                t = s->first;
                if (!t) {
                        pthread_cond_wait(&s->more, &s->lock);
                        continue;
                }
                s->first = t->next;
                if (!s->first)
                        s->last = &s->first;
                pthread_mutex_unlock(&s->lock);
                t->run(t->ctx);
                pthread_mutex_lock(&s->lock);
        }
        pthread_mutex_unlock(&s->lock);
        return NULL;
}

static void stop_packages(void *p)
{
        packages *s = p;
        bool was;

        pthread_mutex_lock(&s->lock);
        was = s->started;
        s->stopping = true;
        s->started = false;
        pthread_cond_signal(&s->more);
        pthread_mutex_unlock(&s->lock);
        if (was)
                pthread_join(s->thread, NULL);
}

static void close_packages(void *p)
{
        packages *s = p;

        stop_packages(s);
        blobs_free(s->blobs);
        pthread_cond_destroy(&s->more);
        pthread_mutex_destroy(&s->lock);
        free(s->keys);
        free(s);
}

/* ---- which contents are wanted ------------------------------------------------------------- */

/* When it cannot be told, it stays. */
static bool is_wanted(void *ctx, odm_str sha256, int64_t id)
{
        const packages *s = ctx;
        package key = {.id = id, .sha256 = sha256}, p;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, ROW_MEMORY);
        rc = sha256.p ? store_row_by(s->host->store, &table_package, PACKAGE_BY_HASH, &key, &a, &p)
                      : store_row_get(s->host->store, &table_package, &key, &a, &p);
        odm_arena_done(&a);
        return rc != ODM_ENOENT && !(rc == 0 && sha256.n == 0 && p.state != PACKAGE_WANTED);
}

static int hear(void *p, fleet_turn *t, const fleet_event *ev)
{
        packages *s = p;

        (void)t;
        if (!odm_str_is(ev->e.kind, "package.removed"))
                return 0;
        blobs_drop(s->blobs, fleet_id(ev, "package"));
        blobs_remove(s->blobs, fleet_text(ev, "sha256"), is_wanted, s);
        return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void count_rows(packages *s, const store_rows *rows)
{
        for (size_t i = 0; i < rows->n; i++) {
                const package *p = (const package *)rows->v + i;
                s->count++;
                s->total += p->url.n ? 0 : p->size;
        }
}

static int read_rows(packages *s)
{
        store_scan scan = {.table = &table_package, .limit = PAGE};
        store_rows rows = {.more = true};
        package last;
        int rc = 0;

        while (rc == 0 && rows.more) {
                odm_arena a;
                odm_arena_init(&a, &heap_mem, PAGE_MEMORY);
                rc = store_row_find(s->host->store, &scan, &a, &rows);
                if (rc == 0)
                        count_rows(s, &rows);
                if (rc == 0 && rows.n) {
                        last = (package){.id = ((const package *)rows.v)[rows.n - 1].id};
                        scan.after = &last;
                }
                odm_arena_done(&a);
        }
        return rc;
}

static int configure(packages *s, const cfg *c)
{
        const char *keys = c ? cfg_str(c, "packages.keys") : NULL;

        s->max_size = c ? (uint64_t)cfg_int(c, "packages.max_size") : MAX_SIZE;
        s->max_total = c ? (uint64_t)cfg_int(c, "packages.max_total") : MAX_TOTAL;
        s->max_count = c ? (uint32_t)cfg_int(c, "packages.max_count") : MAX_COUNT;
        s->signed_only = c && cfg_bool(c, "packages.signed");
        s->keys = keys ? strdup(keys) : NULL;
        return keys && !s->keys ? ODM_ENOMEM : 0;
}

static int open_folder(packages *s, diag *d)
{
        char path[BLOB_PATH];
        unsigned gone;
        int n = snprintf(path, sizeof path, "%s/packages", s->host->folder), rc;

        if (n < 0 || (size_t)n >= sizeof path)
                return diag_set(d, ODM_EIO, "the path of the packages is too long");
        rc = blobs_new(path, &s->blobs, d);
        if (rc < 0)
                return rc;
        gone = blobs_sweep(s->blobs, is_wanted, s);
        if (gone)
                log_info("contents of packages that nobody has are removed",
                         log_int("files", gone));
        return 0;
}

static int open_packages(const fleet_host *h, void **out, diag *d)
{
        packages *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        s->last = &s->first;
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->more, NULL);
        rc = configure(s, h->conf);
        if (rc == 0 && (rc = read_rows(s)) < 0)
                (void)diag_set(d, rc, "the packages cannot be read: %s", odm_err_text(rc));
        if (rc == 0)
                rc = open_folder(s, d);
        if (rc == 0 && pthread_create(&s->thread, NULL, work, s) != 0)
                rc = diag_set(d, ODM_ENOMEM, "no thread for packages");
        s->started = rc == 0;
        if (rc < 0)
                close_packages(s);
        else
                *out = s;
        return rc;
}

static int metrics_of(void *p, odm_buf *out)
{
        packages *s = p;
        uint64_t total;
        uint32_t count;
        int rc;

        pthread_mutex_lock(&s->lock);
        total = s->total;
        count = s->count;
        pthread_mutex_unlock(&s->lock);
        rc = metrics_line(out, "nrem_packages", "", "gauge", "Packages", count);
        if (rc == 0)
                rc = metrics_line(out, "nrem_package_bytes", "", "gauge",
                                  "Octets of the contents of packages, announced ones too",
                                  (double)total);
        if (rc == 0)
                rc = metrics_line(
                        out, "nrem_package_downloads_total", "", "counter",
                        "Contents of packages that devices asked for, parts counted singly",
                        (double)atomic_load(&s->served));
        return rc == 0 ? metrics_line(out, "nrem_package_uploaded_bytes_total", "", "counter",
                                      "Octets of packages taken from uploads",
                                      (double)atomic_load(&s->uploaded))
                       : rc;
}

static const store_table *const tables[] = {&table_package, NULL};

const fleet_part part_package = {.name = "package",
                                 .tables = tables,
                                 .routes = package_routes,
                                 .n_routes = PACKAGE_ROUTES,
                                 .events = "package.",
                                 .open = open_packages,
                                 .event = hear,
                                 .metrics = metrics_of,
                                 .stop = stop_packages,
                                 .close = close_packages};
