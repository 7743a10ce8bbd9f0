/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of fan-outs: a task from its start on, and targets that something has happened to. */
#include "fanout_inner.h"

#include <string.h>

static const field task_fields[] = {
        STORE_FIELD_OF(fanout_row, id, I64),           STORE_FIELD_OF(fanout_row, name, STR),
        STORE_FIELD_OF(fanout_row, kind, U32),         STORE_FIELD_OF(fanout_row, task, STR),
        STORE_FIELD_OF(fanout_row, server, STR),       STORE_FIELD_OF(fanout_row, correlator, STR),
        STORE_FIELD_OF(fanout_row, cmds, BLOB),        STORE_FIELD_OF(fanout_row, state, U32),
        STORE_FIELD_OF(fanout_row, targets, BLOB),     STORE_FIELD_OF(fanout_row, format, U32),
        STORE_FIELD_OF(fanout_row, parallel, U32),     STORE_FIELD_OF(fanout_row, retry, U32),
        STORE_FIELD_OF(fanout_row, stop_pct, U32),     STORE_FIELD_OF(fanout_row, priority, U32),
        STORE_FIELD_OF(fanout_row, agg_window, U32),   STORE_FIELD_OF(fanout_row, agg_max, U32),
        STORE_FIELD_OF(fanout_row, make_groups, BOOL), STORE_FIELD_OF(fanout_row, timeout_ms, I64),
        STORE_FIELD_OF(fanout_row, not_before, I64),   STORE_FIELD_OF(fanout_row, expire, I64),
        STORE_FIELD_OF(fanout_row, finished, I64),     STORE_FIELD_OF(fanout_row, total, U32),
        STORE_FIELD_OF(fanout_row, ok, U32),           STORE_FIELD_OF(fanout_row, failed, U32),
        STORE_FIELD_OF(fanout_row, told, U32),         STORE_FIELD_OF(fanout_row, seq, U32),
        STORE_FIELD_OF(fanout_row, started, I64),      STORE_FIELD_OF(fanout_row, max_queue, U32),
};
static const record task_record = STORE_RECORD_OF(fanout_row, task_fields);
const store_table gw_table_fanout = {
        .name = "gw_fanout", .rec = &task_record, .n_key = 1, .numbered = true};

static const field target_fields[] = {
        STORE_FIELD_OF(fanout_target_row, task, I64),
        STORE_FIELD_OF(fanout_target_row, device, I64),
        STORE_FIELD_OF(fanout_target_row, key, STR),
        STORE_FIELD_OF(fanout_target_row, id, STR),
        STORE_FIELD_OF(fanout_target_row, state, U32),
        STORE_FIELD_OF(fanout_target_row, status, U32),
        STORE_FIELD_OF(fanout_target_row, tries, U32),
        STORE_FIELD_OF(fanout_target_row, awaits, BOOL),
        STORE_FIELD_OF(fanout_target_row, at, I64),
        STORE_FIELD_OF(fanout_target_row, outcome, BLOB),
        STORE_FIELD_OF(fanout_target_row, text, STR),
        STORE_FIELD_OF(fanout_target_row, ended, U32),
};
static const record target_record = STORE_RECORD_OF(fanout_target_row, target_fields);
static const store_index target_index[] = {{.name = "ended", .fields = {0, 11}, .n = 2}};
const store_table gw_table_target = {.name = "gw_target",
                                     .rec = &target_record,
                                     .n_key = 2,
                                     .index = target_index,
                                     .n_index = ODM_COUNT(target_index)};

static int put(store_batch *b, store_op_kind kind, const store_table *t, const void *row,
               uint64_t fields)
{
        odm_arena *a = store_batch_arena(b);
        void *copy = odm_arena_get(a, t->rec->size);
        store_op *op;

        if (!copy)
                return ODM_ENOMEM;
        memcpy(copy, row, t->rec->size);
        if (record_copy(t->rec, copy, a) < 0)
                return ODM_ENOMEM;
        op = store_batch_add(b, kind);
        if (!op)
                return ODM_ENOMEM;
        op->row = (store_row_op){.table = t, .row = copy, .fields = fields};
        return 0;
}

int fanout_put(store_batch *b, const fanout_row *row)
{
        return put(b, row->id ? STORE_ROW_PUT : STORE_ROW_ADD, &gw_table_fanout, row, 0);
}

int fanout_patch(store_batch *b, const fanout_row *row, uint64_t fields)
{
        return put(b, STORE_ROW_PATCH, &gw_table_fanout, row, fields);
}

int fanout_put_target(store_batch *b, const fanout_target_row *row)
{
        return put(b, STORE_ROW_PUT, &gw_table_target, row, 0);
}

#define PURGES 3 /* of ten thousand rows each */

int fanout_purge(store_batch *b, int64_t task, bool whole)
{
        odm_arena *a = store_batch_arena(b);
        fanout_target_row *at = odm_new(a, fanout_target_row);
        store_scan *scan = odm_new(a, store_scan);
        const fanout_row row = {.id = task};
        int rc = 0;

        if (!at || !scan)
                return ODM_ENOMEM;
        at->task = task;
        *scan = (store_scan){.table = &gw_table_target, .same = 1, .at = at, .limit = 10000};
        for (int i = 0; i < PURGES; i++) {
                store_op *op = store_batch_add(b, STORE_ROWS_DELETE);
                if (!op)
                        return ODM_ENOMEM;
                op->row = (store_row_op){.table = &gw_table_target, .scan = scan};
        }
        if (whole)
                rc = put(b, STORE_ROW_DELETE, &gw_table_fanout, &row, 0);
        if (whole && rc == 0)
                b->ops[b->n - 1]->lenient = true;
        return rc;
}

/* ---- targets, packed: differences of rising numbers, seven bits an octet; 0; then strangers ---- */

static int put_number(odm_buf *b, uint64_t v)
{
        int rc = 0;

        do {
                rc = odm_buf_byte(b, (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0)));
                v >>= 7;
        } while (v && rc == 0);
        return rc;
}

static int pack(const fanout_list *l, odm_buf *b)
{
        uint32_t before = 0;
        int rc = 0;

        for (size_t i = 0; i < l->n && rc == 0; i++) {
                if (l->v[i] >= FANOUT_STRANGER)
                        break;
                rc = put_number(b, l->v[i] - before);
                before = l->v[i];
        }
        if (rc == 0)
                rc = put_number(b, 0);
        for (size_t i = 0; i < l->n_strangers && rc == 0; i++) {
                rc = put_number(b, l->stranger[i].n + 1);
                if (rc == 0)
                        rc = odm_buf_str(b, l->stranger[i]);
        }
        return rc;
}

int fanout_pack(const fanout_list *l, odm_arena *a, odm_str *out)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, a->mem, FANOUT_BYTES);
        rc = pack(l, &b);
        if (rc == 0) {
                *out = odm_arena_copy(a, odm_buf_view(&b));
                rc = out->p ? 0 : odm_arena_err(a);
        }
        odm_buf_done(&b);
        return rc;
}

static bool take_number(odm_str *s, uint64_t *out)
{
        uint64_t v = 0;

        for (unsigned shift = 0; s->n > 0 && shift < 63; shift += 7) {
                uint8_t c = (uint8_t)s->p[0];
                *s = odm_str_from(*s, 1);
                v |= (uint64_t)(c & 0x7f) << shift;
                if (!(c & 0x80)) {
                        *out = v;
                        return true;
                }
        }
        return false;
}

static int take_strangers(odm_str s, fanout_list *l)
{
        uint64_t n;

        while (s.n > 0) {
                if (!take_number(&s, &n) || n == 0 || n - 1 > s.n)
                        return ODM_EMALFORMED;
                l->v[l->n++] = FANOUT_STRANGER + (uint32_t)l->n_strangers;
                l->stranger[l->n_strangers++] = odm_str_to(s, (size_t)n - 1);
                s = odm_str_from(s, (size_t)n - 1);
        }
        return 0;
}

int fanout_unpack(odm_str s, odm_arena *a, fanout_list *out)
{
        fanout_list l = {.v = odm_arena_get(a, (s.n + 1) * sizeof *l.v),
                         .stranger = odm_arena_get(a, (s.n + 1) * sizeof *l.stranger)};
        uint64_t number = 0, by;
        int rc;

        if (!l.v || !l.stranger)
                return odm_arena_err(a);
        for (;;) {
                if (!take_number(&s, &by) || by > FANOUT_STRANGER)
                        return ODM_EMALFORMED;
                number += by;
                if (by == 0)
                        break;
                if (number >= FANOUT_STRANGER)
                        return ODM_EMALFORMED;
                l.v[l.n++] = (uint32_t)number;
        }
        rc = take_strangers(s, &l);
        if (rc == 0)
                *out = l;
        return rc;
}
