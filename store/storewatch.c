/* SPDX-License-Identifier: Apache-2.0 */
#include "storewatch.h"

#include <stdatomic.h>

#include "heap.h"
#include "log.h"

#define TICK_MS 1000
#define PROBE_TICKS 3
#define REMIND_TICKS 600

struct storewatch {
        store *store;
        loop *loop;
        loop_timer tick;
        bool failing;        /* what the log was told last */
        unsigned ticks;      /* since then */
        atomic_bool probing; /* a probe is on its way */
};

/* On the writer's thread. */
static void probed(void *ctx, store_batch *b, int rc)
{
        storewatch *w = ctx;

        (void)b;
        (void)rc; /* the store counts it */
        atomic_store(&w->probing, false);
}

static void probe(storewatch *w)
{
        store_batch *b = atomic_load(&w->probing) ? NULL : store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_SETTING_PUT) : NULL;

        if (op) {
                op->setting.key = ODM_STR("store.probe");
                op->setting.value = ODM_STR("1");
                atomic_store(&w->probing, true);
                if (store_write(w->store, b, probed, w) == 0)
                        return;
                atomic_store(&w->probing, false); /* the queue is full: others find it out */
        }
        store_batch_free(b);
}

static void say(const storewatch *w)
{
        char why[STORE_DIAG];

        if (w->failing) {
                store_diag(w->store, why);
                log_error("nothing can be kept: requests and devices are turned away",
                          log_text("reason", why));
        } else {
                log_info("the store keeps again");
        }
}

static void look(void *ctx)
{
        storewatch *w = ctx;
        store_stats s;

        store_stat(w->store, &s);
        w->ticks++;
        if (s.failing != w->failing || (w->failing && w->ticks % REMIND_TICKS == 0)) {
                w->failing = s.failing;
                w->ticks = 0;
                say(w);
        }
        if (w->failing && w->ticks % PROBE_TICKS == PROBE_TICKS - 1)
                probe(w);
        if (loop_timer_set(w->loop, &w->tick, odm_time_add(loop_now(), TICK_MS)) < 0)
                log_warn("the store is not watched any more");
}

int storewatch_new(store *st, loop *l, storewatch **out)
{
        storewatch *w = odm_alloc(&heap_mem, sizeof *w);
        int rc;

        if (!w)
                return ODM_ENOMEM;
        w->store = st;
        w->loop = l;
        w->tick = (loop_timer){.fn = look, .ctx = w};
        rc = loop_timer_set(l, &w->tick, odm_time_add(loop_now(), TICK_MS));
        if (rc < 0)
                storewatch_free(w);
        else
                *out = w;
        return rc;
}

void storewatch_stop(storewatch *w)
{
        if (w)
                loop_timer_stop(&w->tick);
}

void storewatch_free(storewatch *w)
{
        storewatch_stop(w);
        if (w)
                odm_free(&heap_mem, w, sizeof *w);
}
