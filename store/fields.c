/* SPDX-License-Identifier: Apache-2.0 */
/* The records described field by field, and copies made by that description. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define LIST(type, FIELDS)                                                 \
        static const field type##_fields[] = {FIELDS(type##_X, type##_X)}; \
        const record record_##type = {sizeof(store_##type), type##_fields, ODM_COUNT(type##_fields)}

#define device_X(f, k) {#f, offsetof(store_device, f), FIELD_##k},
#define account_X(f, k) {#f, offsetof(store_account, f), FIELD_##k},
#define job_X(f, k) {#f, offsetof(store_job, f), FIELD_##k},
#define result_X(f, k) {#f, offsetof(store_result, f), FIELD_##k},
#define note_X(f, k) {#f, offsetof(store_note, f), FIELD_##k},
#define session_X(f, k) {#f, offsetof(store_session, f), FIELD_##k},
#define message_X(f, k) {#f, offsetof(store_message, f), FIELD_##k},
#define token_X(f, k) {#f, offsetof(store_token, f), FIELD_##k},
#define event_X(f, k) {#f, offsetof(store_event, f), FIELD_##k},
#define audit_X(f, k) {#f, offsetof(store_audit, f), FIELD_##k},

LIST(device, DEVICE_FIELDS);
LIST(account, ACCOUNT_FIELDS);
LIST(job, JOB_FIELDS);
LIST(result, RESULT_FIELDS);
LIST(note, NOTE_FIELDS);
LIST(session, SESSION_FIELDS);
LIST(message, MESSAGE_FIELDS);
LIST(token, TOKEN_FIELDS);
LIST(event, EVENT_FIELDS);
LIST(audit, AUDIT_FIELDS);

static odm_str *text_at(const field *f, void *rec)
{
        if (f->kind != FIELD_STR && f->kind != FIELD_BLOB)
                return NULL;
        return (odm_str *)(void *)((char *)rec + f->offset);
}

int record_copy(const record *r, void *rec, odm_arena *a)
{
        for (size_t i = 0; i < r->n; i++) {
                odm_str *s = text_at(&r->fields[i], rec);

                if (s == NULL || s->p == NULL)
                        continue;
                *s = odm_arena_copy(a, *s);
                if (s->p == NULL)
                        return odm_arena_err(a);
        }
        return 0;
}

void *record_dup(const record *r, const void *rec)
{
        size_t n = r->size;
        char *block, *at;

        for (size_t i = 0; i < r->n; i++) {
                const odm_str *s = text_at(&r->fields[i], (void *)(uintptr_t)rec);
                if (s && s->p)
                        n += s->n + 1;
        }
        block = malloc(n);
        if (block == NULL)
                return NULL;
        memcpy(block, rec, r->size);
        at = block + r->size;
        for (size_t i = 0; i < r->n; i++) {
                odm_str *s = text_at(&r->fields[i], block);
                if (s == NULL || s->p == NULL)
                        continue;
                memcpy(at, s->p, s->n);
                at[s->n] = 0;
                s->p = at;
                at += s->n + 1;
        }
        return block;
}

int record_list_room(record_list *l, void **out)
{
        if (l->n == l->cap) {
                size_t cap = l->cap ? l->cap * 2 : 16;
                char *v = odm_arena_get(l->a, cap * l->r->size);
                if (v == NULL)
                        return odm_arena_err(l->a);
                if (l->n)
                        memcpy(v, l->v, l->n * l->r->size);
                l->v = v;
                l->cap = cap;
        }
        *out = l->v + l->n * l->r->size;
        memset(*out, 0, l->r->size);
        return 0;
}
