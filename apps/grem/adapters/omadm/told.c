/* SPDX-License-Identifier: Apache-2.0 */
/* What devices tell by themselves: alerts of the store's log go to the gateway in their order, each
 * until the gateway has kept it.  The place in the log is kept after that: a power cut in between
 * has an alert told twice, never not at all. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "omadm_inner.h"
#include "sample.h"

#define PAGE 200
#define AGAIN_MS 1000
#define WAIT 1
#define PLACE ODM_STR("omadm.told")
#define SERVERS "urn:oma:at:oma-gwmo:BootstrappedDMSList:1.0"

static odm_str text_of(const json_t *o, const char *name)
{
        const json_t *v = json_object_get(o, name);

        return json_is_string(v) ? (odm_str){json_string_value(v), json_string_length(v)}
                                 : ODM_ABSENT;
}

/* Octets in base64 are octets again; the north makes of them what its codec needs. */
static int data_of(const json_t *o, odm_arena *m, odm_str *out)
{
        odm_str b64 = text_of(o, "data_base64");

        *out = text_of(o, "data");
        return b64.p ? odm_b64_decode(m, b64, out) : 0;
}

static odm_wall time_of(const store_event *e, odm_str said)
{
        int64_t ms = e->at;

        if (said.n && sample_time_parse(odm_str_trim(said), &ms) < 0)
                ms = e->at;
        return (odm_wall){ms / 1000};
}

/* 0: it is the gateway's now, or nobody's. */
static int tell(behind *b, const store_event *e, const json_t *o, odm_arena *m)
{
        omadm *a = b->a;
        odm_str format = text_of(o, "format"), said = text_of(o, "time");
        odm_alert x = {
                .code = (unsigned)json_integer_value(json_object_get(o, "code")),
                .source = text_of(o, "source"),
                .source_name = said,
                .target = text_of(o, "target"),
                .type = text_of(o, "type"),
                .mark = text_of(o, "mark"),
                .correlator = text_of(o, "correlator"),
                .format = format.p ? odm_format_parse(format) : ODM_FMT_ABSENT,
        };
        int rc = data_of(o, m, &x.data);

        if (rc == ODM_EMALFORMED)
                return 0;
        if (rc < 0)
                return rc;
        if (odm_str_ieq(x.type, SERVERS)) { /* meant for us (gwmo.md 1.2) */
                rc = behind_servers(b, x.data);
                return rc == 0 && !behind_introduce(b) ? 0 : rc;
        }
        return a->host.alert(a->host.ctx, b->record, &x, time_of(e, said));
}

static int one(omadm *a, const store_event *e)
{
        behind *b = e->device ? behind_of(a, e->device) : NULL;
        json_t *o;
        odm_arena m;
        int rc;

        if (!odm_str_is(e->kind, "alert"))
                return 0;
        if (b && b->asking)
                return WAIT; /* until it is introduced, which leads here again */
        if (!b || (!b->record && !behind_introduce(b)))
                return 0; /* of a device that is not served */
        o = json_loadb(e->data.p ? e->data.p : "", e->data.n, 0, NULL);
        if (!o)
                return 0;
        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        rc = tell(b, e, o, &m);
        odm_arena_done(&m);
        json_decref(o);
        return rc;
}

static void keep_place(omadm *a)
{
        store_batch *b = store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_SETTING_PUT) : NULL;

        if (op) {
                op->setting.key = PLACE;
                op->setting.value = odm_arena_number(store_batch_arena(b), (uint64_t)a->place);
        }
        if (!op || !op->setting.value.p || store_write(a->store, b, NULL, NULL) < 0)
                store_batch_free(b); /* with the next one */
}

/* Those behind the place.  Alerts may be large: then they are fewer. */
static int read_page(omadm *a, uint32_t *most, odm_arena *m, store_event_list *l)
{
        int rc = store_event_find(a->store, a->place, 0, PAGE, m, l);

        *most = PAGE;
        while (rc == ODM_ELIMIT && *most > 1) {
                *most = *most / 4 + 1;
                odm_arena_done(m);
                odm_arena_init(m, &heap_mem, READ_MEMORY);
                rc = store_event_find(a->store, a->place, 0, *most, m, l);
        }
        return rc;
}

/* A page.  True: there may be more. */
static bool page(omadm *a)
{
        store_event_list l = {0};
        int64_t before = a->place;
        uint32_t most;
        odm_arena m;
        int rc;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        rc = read_page(a, &most, &m, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                rc = one(a, &l.v[i]);
                if (rc == 0)
                        a->place = l.v[i].seq;
        }
        odm_arena_done(&m);
        if (a->place != before)
                keep_place(a);
        if (rc < 0) {
                log_warn("what a device told waits", log_err(rc));
                if (loop_timer_set(a->loop, &a->again, odm_time_add(loop_now(), AGAIN_MS)) < 0)
                        log_warn("no memory for a timer");
        }
        return rc == 0 && l.n == most;
}

void told_read(omadm *a)
{
        if (a->closing || a->reading) /* an alert may lead to another session's */
                return;
        a->reading = true;
        while (page(a))
                ;
        a->reading = false;
}

static void again(void *ctx)
{
        told_read(ctx);
}

int told_open(omadm *a)
{
        odm_str place;
        uint64_t at = 0;
        odm_arena m;
        int rc;

        a->again = (loop_timer){.fn = again, .ctx = a};
        odm_arena_init(&m, &heap_mem, 4096);
        rc = store_setting_get(a->store, PLACE, &m, &place);
        if (rc == 0 && odm_str_u64(place, INT64_MAX, &at) < 0)
                at = 0;
        odm_arena_done(&m);
        a->place = (int64_t)at;
        return rc == ODM_ENOENT ? 0 : rc;
}

void told_close(omadm *a)
{
        loop_timer_stop(&a->again);
}
