/* SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writing { /* what a write goes on with */
        const kept *k;
        store_op_kind kind;
        void *row;
} writing;

static int64_t *id_of(const kept *k, void *row)
{
        return (int64_t *)(void *)((char *)row + k->table->rec->fields[0].offset);
}

/* "the rules cannot be read", with what the error means. */
static void cannot(call *c, const kept *k, const char *what, int rc)
{
        char text[80];

        (void)snprintf(text, sizeof text, "the %s%s", k->what, what);
        problem_err(&c->problem, rc, text);
}

bool kept_find(call *c, const kept *k, void *out)
{
        size_t size = k->table->rec->size;
        void *row = odm_arena_zget(&c->arena, size);
        int64_t id;
        int rc;

        if (!row) {
                cannot(c, k, " cannot be read", ODM_ENOMEM);
                return false;
        }
        if (!call_id(c, c->param[0], k->what, &id))
                return false;
        *id_of(k, row) = id;
        rc = store_row_get(c->api->opt.store, k->table, row, &c->arena, row);
        if (rc == 0 && !k->is_within(c, row))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no %s %lld.", k->what,
                            (long long)id);
        else if (rc < 0)
                cannot(c, k, " cannot be read", rc);
        else
                memcpy(out, row, size);
        return rc == 0;
}

bool kept_has_room(call *c, const kept *k)
{
        const store_scan scan = {.table = k->table};
        uint64_t n = 0;
        int rc = store_row_count(c->api->opt.store, &scan, k->most, &n);

        if (rc < 0)
                cannot(c, k, "s cannot be read", rc);
        else if (n >= k->most)
                problem_set(&c->problem, PROBLEM_STATE, "There are %u %ss already.", k->most,
                            k->what);
        return !problem_is(&c->problem);
}

bool kept_tell(call *c, store_batch *b, const kept *k, const char *verb, int64_t device, int64_t id)
{
        store_op *op;

        if (!call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){.at = c->now,
                                  .kind = odm_arena_fmt(&c->arena, "%s.%s", k->what, verb),
                                  .device = device};
        op->event.data = id ? odm_arena_fmt(&c->arena, "{\"%s\":\"%lld\"}", k->what, (long long)id)
                            : ODM_STR("{}");
        return op->event.kind.p != NULL && op->event.data.p != NULL;
}

void kept_list(call *c, const kept *k)
{
        const store_scan scan = {.table = k->table, .limit = k->most};
        store_rows rows = {0};
        json_t *items;
        int rc = store_row_find(c->api->opt.store, &scan, &c->arena, &rows);

        if (rc < 0) {
                cannot(c, k, "s cannot be read", rc);
                call_fail(c);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < rows.n; i++) {
                const void *row = (const char *)rows.v + i * k->table->rec->size;

                if (k->is_within(c, row) && json_array_append_new(items, k->json(row)) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        }
        call_reply(c, 200, page_new(items, NULL));
}

void kept_show(call *c, const kept *k)
{
        void *row = odm_arena_get(&c->arena, k->table->rec->size);

        if (row && kept_find(c, k, row))
                call_reply(c, 200, k->json(row));
        else
                call_fail(c);
}

static void on_written(call *c, store_batch *b, int rc)
{
        writing *w = c->data;
        bool fresh = w->kind == STORE_ROW_ADD;
        int64_t *id = id_of(w->k, w->row);

        if (rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_EXISTS, "There is a %s of that name.", w->k->what);
        if (rc < 0) {
                cannot(c, w->k, " cannot be kept", rc);
                call_fail(c);
                return;
        }
        for (size_t i = 0; fresh && i < b->n; i++)
                if (b->ops[i]->kind == STORE_ROW_ADD)
                        *id = b->ops[i]->id;
        if (fresh)
                c->location =
                        odm_arena_fmt(&c->arena, "/api/v1/%ss/%lld", w->k->what, (long long)*id);
        if (w->kind == STORE_ROW_DELETE)
                call_empty(c, 204);
        else
                call_reply(c, fresh ? 201 : 200, w->k->json(w->row));
}

void kept_write(call *c, const kept *k, store_batch *b, const kept_change *change)
{
        writing *w = odm_new(&c->arena, writing);
        store_op *op;

        if (w && b && call_op(c, b, change->kind, &op) &&
            kept_tell(c, b, k, "changed", 0, *id_of(k, change->row))) {
                op->row = (store_row_op){.table = k->table,
                                         .row = change->row,
                                         .fields = change->fields,
                                         .where = change->where,
                                         .is = change->is};
                *w = (writing){k, change->kind, change->row};
                c->data = w;
                call_commit(c, b, on_written);
                return;
        }
        if (!w)
                cannot(c, k, " cannot be kept", ODM_ENOMEM);
        store_batch_free(b);
        call_fail(c);
}

/* ---- what it says ------------------------------------------------------------------------- */

json_t *kept_said(call *c, jread *j, const json_t *old, const char *const *said)
{
        json_t *spec = json_object();

        for (size_t i = 0; spec && said[i]; i++) {
                json_t *v = json_object_get(c->body, said[i]);

                j->asked[j->n_asked++] = said[i];
                if (!v)
                        v = json_object_get(old, said[i]);
                if (v && !json_is_null(v) && json_object_set(spec, said[i], v) < 0) {
                        json_decref(spec);
                        spec = NULL;
                }
        }
        return spec;
}

odm_str kept_text(call *c, const json_t *spec, size_t most, const char *where)
{
        char *text = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
        odm_str out = ODM_ABSENT;

        if (text && strlen(text) > most)
                problem_at(&c->problem, where, "is too long");
        else if (text)
                out = odm_arena_copy(&c->arena, odm_cstr(text));
        free(text);
        return out;
}
