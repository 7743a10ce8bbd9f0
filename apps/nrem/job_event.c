/* SPDX-License-Identifier: Apache-2.0 */
#include "job_event.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void put(json_t *o, const char *name, odm_str s)
{
        if (s.n && odm_utf8_ok(s))
                (void)json_object_set_new(o, name, json_stringn_nocheck(s.p, s.n));
}

static odm_str data_of(odm_arena *a, const store_job *j, const char *reason)
{
        json_t *o = json_object();
        odm_str text = ODM_ABSENT;
        char *dump;

        put(o, "job", odm_arena_number(a, (uint64_t)j->id));
        put(o, "kind", j->kind);
        put(o, "key", j->key);
        put(o, "reason", odm_cstr(reason));
        dump = o ? json_dumps(o, JSON_COMPACT) : NULL;
        if (dump)
                text = odm_arena_copy(a, odm_cstr(dump));
        free(dump);
        json_decref(o);
        return text;
}

int job_event_add(store_batch *b, const store_job *j, store_job_state to, const char *reason,
                  int64_t at)
{
        odm_arena *a = store_batch_arena(b);
        store_event e = {.at = at, .device = j->device, .data = data_of(a, j, reason)};
        store_op *op;

        e.kind = odm_arena_fmt(a, "job.%s", store_job_state_name(to));
        op = e.data.p && e.kind.p ? store_batch_add(b, STORE_EVENT_ADD) : NULL;
        if (!op)
                return ODM_ENOMEM;
        op->event = e;
        op->follows = op->lenient = true;
        return 0;
}
