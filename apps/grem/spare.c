/* SPDX-License-Identifier: Apache-2.0 */
/* spare.c - see spare.h.  A copy is made on a thread of its own, a quarter of a megabyte at a time
 * with pauses, so that it takes a tenth of a slow disk and none of the loop. */
#include "spare.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "copy.h"
#include "inner.h"
#include "log.h"

#define PAGES 64
#define PAUSE_MS 20
#define FIRST_MS 60000 /* after a start: there is much new then */
#define LOOK_MS 200    /* whether it is made */

struct spare {
        gateway *g;
        char *path, *to, *wal;
        loop_timer due;
        int64_t every_ms;
        struct timespec written; /* when what was copied last had been written */
        pthread_t thread;
        bool running, told;
        atomic_bool stop, made;
        int rc;
        char why[STORE_DIAG];
        void (*damaged)(void *ctx, const char *why);
        void *ctx;
};

/* When a file of the store was written last. */
static struct timespec written(const spare *s)
{
        struct stat st;
        struct timespec t = {0};

        if (stat(s->path, &st) == 0)
                t = st.st_mtim;
        if (stat(s->wal, &st) == 0 &&
            (st.st_mtim.tv_sec > t.tv_sec ||
             (st.st_mtim.tv_sec == t.tv_sec && st.st_mtim.tv_nsec > t.tv_nsec)))
                t = st.st_mtim;
        return t;
}

static void set_timer(spare *s, int64_t ms)
{
        if (loop_timer_set(s->g->loop, &s->due, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static bool is_stopped(void *ctx)
{
        return atomic_load(&((spare *)ctx)->stop);
}

static void on_made(spare *s)
{
        s->running = false;
        (void)pthread_join(s->thread, NULL);
        marks_copied(s->g->marks, s->rc == 0);
        if (s->rc == ODM_EMALFORMED) {
                if (!s->told)
                        s->damaged(s->ctx, s->why);
                s->told = true;
        } else if (s->rc < 0) {
                log_warn("the store is not copied", log_text("reason", s->why));
                s->written = (struct timespec){0};
        } else {
                log_debug("the store is copied", log_text("file", s->to));
        }
        set_timer(s, s->every_ms);
}

static void *make(void *ctx)
{
        spare *s = ctx;
        const store_copy_opt o = {.from = s->path,
                                  .to = s->to,
                                  .pages = PAGES,
                                  .pause_ms = PAUSE_MS,
                                  .stop = is_stopped,
                                  .ctx = s};

        s->rc = store_copy(&o, s->why);
        atomic_store(&s->made, true);
        return NULL;
}

static void begin(spare *s)
{
        struct timespec now = written(s);

        if (now.tv_sec == s->written.tv_sec && now.tv_nsec == s->written.tv_nsec) {
                set_timer(s, s->every_ms);
                return;
        }
        s->written = now;
        atomic_store(&s->made, false);
        marks_copying(s->g->marks);
        s->running = pthread_create(&s->thread, NULL, make, s) == 0;
        if (!s->running)
                log_warn("the store is not copied: no thread");
        set_timer(s, s->running ? LOOK_MS : s->every_ms);
}

static void on_due(void *ctx)
{
        spare *s = ctx;

        if (!s->running)
                begin(s);
        else if (atomic_load(&s->made))
                on_made(s);
        else
                set_timer(s, LOOK_MS);
}

static char *beside(const char *path, const char *suffix)
{
        size_t n = strlen(path) + strlen(suffix) + 1;
        char *s = malloc(n);

        if (s)
                (void)snprintf(s, n, "%s%s", path, suffix);
        return s;
}

int spare_open(gateway *g, const char *path, void (*damaged)(void *ctx, const char *why), void *ctx,
               spare **out)
{
        spare *s = calloc(1, sizeof *s);

        if (!s)
                return ODM_ENOMEM;
        *s = (spare){.g = g,
                     .path = beside(path, ""),
                     .to = beside(path, ".copy"),
                     .wal = beside(path, "-wal"),
                     .every_ms = cfg_ms(g->conf, "gateway.copy_every"),
                     .damaged = damaged,
                     .ctx = ctx};
        s->due = (loop_timer){.fn = on_due, .ctx = s};
        if (!s->path || !s->to || !s->wal) {
                spare_close(s);
                return ODM_ENOMEM;
        }
        if (s->every_ms)
                set_timer(s, s->every_ms < FIRST_MS ? s->every_ms : FIRST_MS);
        *out = s;
        return 0;
}

void spare_stop(spare *s)
{
        if (!s)
                return;
        loop_timer_stop(&s->due);
        atomic_store(&s->stop, true);
        if (s->running)
                (void)pthread_join(s->thread, NULL);
        s->running = false;
}

void spare_close(spare *s)
{
        if (!s)
                return;
        free(s->path);
        free(s->to);
        free(s->wal);
        free(s);
}
