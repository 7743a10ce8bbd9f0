/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - the columns of each record, one list a record: engines bind, read and copy by it.
 *
 * F is used for the first field, X for the others, each as X(field, KIND): the field is also the
 * column's name.  STR is text, BLOB octets; both are an odm_str, absent for SQL's NULL.
 * The STATE lists are without the key, which stays as it is while a record lives. */
#ifndef STORE_FIELDS_H
#define STORE_FIELDS_H

#include <stddef.h>

#include "odm/base.h"

typedef enum field_kind {
        FIELD_I64,
        FIELD_U64,
        FIELD_I32,
        FIELD_U32,
        FIELD_BOOL,
        FIELD_F64, /* a double, never NaN */
        FIELD_STR,
        FIELD_BLOB
} field_kind;

/* clang-format off */
#define DEVICE_STATE_FIELDS(F, X) \
        F(rev, I64) X(name, STR) X(devid, STR) X(state, U32) X(maker, STR) \
        X(model, STR) X(hwv, STR) X(fwv, STR) X(swv, STR) X(dmv, STR) X(lang, STR) X(tags, STR) \
        X(note, STR) X(wake_reported, STR) X(wake_override, STR) X(address, STR) X(route, STR) \
        X(reached, STR) \
        X(created, I64) X(updated, I64) X(last_contact, I64) X(wake_at, I64) X(wake_tries, U32) \
        X(wake_session, U32)

#define DEVICE_FIELDS(F, X) \
        F(id, I64) DEVICE_STATE_FIELDS(X, X)

#define ACCOUNT_FIELDS(F, X) \
        F(device, I64) X(user, STR) X(secret, STR) X(password, STR) X(auth, U32) X(flags, U32) \
        X(server_id, STR) X(server_user, STR) X(server_secret, STR) X(server_password, STR) \
        X(server_auth, U32) X(nonce, BLOB) X(previous, BLOB) X(server_nonce, BLOB) \
        X(failures, U32) X(locked_until, I64)

#define JOB_STATE_FIELDS(F, X) \
        F(kind, STR) X(atomic, BOOL) X(state, U32) X(priority, I32) \
        X(deadline, I64) X(attempts, U32) X(max_attempts, U32) X(correlator, STR) X(actor, STR) \
        X(route, STR) X(reason, STR) X(session, I64) X(created, I64) X(updated, I64) \
        X(started, I64) X(finished, I64) X(key, STR)

/* all but its commands, which never change */
#define JOB_HEAD_FIELDS(F, X) \
        F(device, I64) X(id, I64) JOB_STATE_FIELDS(X, X)

#define JOB_FIELDS(F, X) \
        JOB_HEAD_FIELDS(F, X) X(commands, STR)

#define RESULT_FIELDS(F, X) \
        F(index, U32) X(status, U32) X(sent, BOOL) X(text, STR) X(at, I64)

#define NOTE_FIELDS(F, X) \
        F(at, I64) X(state, U32) X(text, STR)

#define SESSION_STATE_FIELDS(F, X) \
        F(dm_id, STR) X(sid, STR) X(peer, STR) X(route, STR) \
        X(codec, STR) X(agent, STR) X(tls, BOOL) X(authenticated, BOOL) X(outcome, STR) \
        X(started, I64) X(last, I64) X(messages, U32) X(bytes_in, U64) X(bytes_out, U64)

#define SESSION_FIELDS(F, X) \
        F(device, I64) X(id, I64) SESSION_STATE_FIELDS(X, X)

#define MESSAGE_FIELDS(F, X) \
        F(n, U32) X(at, I64) X(out, BOOL) X(mime, STR) X(hmac, STR) X(bytes, BLOB) X(size, U64)

#define TOKEN_FIELDS(F, X) \
        F(name, STR) X(hash, BLOB) X(role, STR) X(scope, STR) X(created, I64) X(expires, I64)

#define EVENT_FIELDS(F, X) \
        F(seq, I64) X(at, I64) X(device, I64) X(kind, STR) X(data, STR)

#define AUDIT_FIELDS(F, X) \
        F(seq, I64) X(at, I64) X(device, I64) X(actor, STR) X(action, STR) X(target, STR) \
        X(detail, STR) X(outcome, STR)
/* clang-format on */

typedef struct field {
        const char *name;
        uint16_t offset;
        field_kind kind;
} field;

typedef struct record {
        size_t size; /* of the struct */
        const field *fields;
        size_t n;
} record;

extern const record record_device, record_account, record_job, record_result, record_note,
        record_session, record_message, record_token, record_event, record_audit;

/* The value of a field that is a whole number or a bool. */
int64_t field_number(const field *f, const void *rec);
void field_set_number(const field *f, void *rec, int64_t v);
double field_real(const field *f, const void *rec); /* FIELD_F64 */
bool field_is_text(const field *f);                 /* FIELD_STR, FIELD_BLOB */
odm_str field_text(const field *f, const void *rec);
/* As it is kept: a text that is never absent is empty instead. */
odm_str field_kept_text(const field *f, const void *rec, bool never_absent);

/* A copy of all texts of `rec` into `a`, in place.  0, ODM_ENOMEM or ODM_ELIMIT; after a failure
 * the texts of `rec` may point anywhere. */
ODM_MUST_USE int record_copy(const record *r, void *rec, odm_arena *a);
/* One block with the struct and its texts behind it, from the C library's heap; NULL: no memory. */
void *record_dup(const record *r, const void *rec);

/* A growing array of records in an arena. */
typedef struct record_list {
        const record *r;
        odm_arena *a;
        char *v; /* n structs */
        size_t n, cap;
} record_list;

/* Lends room for one more at *out, counted when the caller raises l->n.  ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int record_list_room(record_list *l, void **out);
/* Where one more than `limit` was asked for, to know whether there is more: cuts it off, and true
 * when it was there. */
bool record_list_cut(record_list *l, uint32_t limit);

#endif
