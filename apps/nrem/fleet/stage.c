/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#define MEMORY ((size_t)512 << 20)
#define PAGE 1000

int64_t stage_ms;

static int64_t now(void *ctx)
{
        (void)ctx;
        return stage_ms;
}

void stage_begin(stage *s, const fleet_part *const *parts, const fleet_host *with, int64_t ms)
{
        store_opt o;

        store_opt_init(&o);
        stage_begin_log(s, parts, with, ms, o.events_kept, o.events_unheard);
}

void stage_begin_log(stage *s, const fleet_part *const *parts, const fleet_host *with, int64_t ms,
                     uint32_t kept, uint32_t unheard)
{
        store_opt o;
        char why[STORE_DIAG];

        *s = (stage){.parts = parts};
        stage_ms = ms;
        store_opt_init(&o);
        o.where = "mem:";
        o.events_kept = kept;
        o.events_unheard = unheard;
        o.fault = &s->fault;
        o.tables = s->tables = fleet_tables(parts, &o.n_tables);
        s->n_tables = o.n_tables;
        if (store_open(&o, &s->st, why) < 0)
                fail_msg("%s", why);
        odm_arena_init(&s->a, &heap, MEMORY);
        if (with)
                s->host = *with;
        s->host.store = s->st;
        s->host.now = now;
}

void stage_open(stage *s)
{
        diag d = {{0}};

        fleet_free(s->f);
        s->f = NULL;
        if (fleet_new(s->parts, &s->host, &s->f, &d) < 0)
                fail_msg("%s", d.text);
}

void stage_end(stage *s)
{
        fleet_stop(s->f);
        store_close(s->st);
        fleet_free(s->f);
        odm_arena_done(&s->a);
        free(s->tables);
}

void stage_write(stage *s, store_batch *b)
{
        assert_int_equal(store_write_sync(s->st, b), 0);
        store_batch_free(b);
}

int64_t stage_device(stage *s, const store_device *d)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
        int64_t id;

        op->device = *d;
        assert_int_equal(store_write_sync(s->st, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

void stage_devices(stage *s, unsigned n)
{
        for (unsigned i = 1; i <= n;) {
                store_batch *b = store_batch_new();

                for (unsigned k = 0; k < PAGE && i <= n; k++, i++) {
                        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
                        op->device.name = odm_arena_fmt(store_batch_arena(b), "d%u", i);
                }
                stage_write(s, b);
        }
}

void stage_event(store_batch *b, int64_t device, const char *kind, const char *data)
{
        store_batch_add(b, STORE_EVENT_ADD)->event = (store_event){
                .at = stage_ms, .device = device, .kind = odm_cstr(kind), .data = odm_cstr(data)};
}

void stage_say(stage *s, int64_t device, const char *kind, const char *data)
{
        store_batch *b = store_batch_new();

        stage_event(b, device, kind, data);
        stage_write(s, b);
}

unsigned stage_told(stage *s, const char *kind)
{
        store_event_list l = {.more = true};
        int64_t after = 0;
        unsigned n = 0;

        while (l.more) {
                assert_int_equal(store_event_find(s->st, after, 0, PAGE, &s->a, &l), 0);
                for (size_t i = 0; i < l.n; i++)
                        n += odm_str_is(l.v[i].kind, kind);
                if (l.n)
                        after = l.v[l.n - 1].seq;
        }
        return n;
}

int64_t stage_run(stage *s, unsigned rounds)
{
        int64_t next;

        assert_int_equal(fleet_run(s->f, rounds, &next), 0);
        return next;
}
