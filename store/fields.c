/* SPDX-License-Identifier: Apache-2.0 */
/* The records described field by field, and copies made by that description. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "store.h"

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

int64_t field_number(const field *f, const void *rec)
{
        const char *p = (const char *)rec + f->offset;
        union {
                int64_t i64;
                int32_t i32;
                uint32_t u32;
                bool b;
        } v;

        switch (f->kind) {
        case FIELD_I64:
        case FIELD_U64: memcpy(&v.i64, p, sizeof v.i64); return v.i64;
        case FIELD_I32: memcpy(&v.i32, p, sizeof v.i32); return v.i32;
        case FIELD_U32: memcpy(&v.u32, p, sizeof v.u32); return v.u32;
        case FIELD_BOOL: memcpy(&v.b, p, sizeof v.b); return v.b;
        case FIELD_F64:
        case FIELD_STR:
        case FIELD_BLOB: break;
        }
        return 0;
}

void field_set_number(const field *f, void *rec, int64_t v)
{
        char *p = (char *)rec + f->offset;

        switch (f->kind) {
        case FIELD_I64:
        case FIELD_U64: memcpy(p, &v, sizeof v); break;
        case FIELD_I32: memcpy(p, &(int32_t){(int32_t)v}, 4); break;
        case FIELD_U32: memcpy(p, &(uint32_t){(uint32_t)v}, 4); break;
        case FIELD_BOOL: memcpy(p, &(bool){v != 0}, sizeof(bool)); break;
        case FIELD_F64:
        case FIELD_STR:
        case FIELD_BLOB: break;
        }
}

double field_real(const field *f, const void *rec)
{
        double v;

        memcpy(&v, (const char *)rec + f->offset, sizeof v);
        return v;
}

bool field_is_text(const field *f)
{
        return f->kind == FIELD_STR || f->kind == FIELD_BLOB;
}

odm_str field_text(const field *f, const void *rec)
{
        odm_str s;

        memcpy(&s, (const char *)rec + f->offset, sizeof s);
        return s;
}

odm_str field_kept_text(const field *f, const void *rec, bool never_absent)
{
        odm_str s = field_text(f, rec);

        return s.p || !never_absent ? s : ODM_STR("");
}

static odm_str *text_at(const field *f, void *rec)
{
        if (!field_is_text(f))
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

bool record_list_cut(record_list *l, uint32_t limit)
{
        bool more = l->n > limit;

        if (more)
                l->n = limit;
        return more;
}
