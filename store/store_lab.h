/* SPDX-License-Identifier: Apache-2.0 */
/* store_lab.h - for tests: a store of any engine, and what is often put into it. */
#ifndef STORE_LAB_H
#define STORE_LAB_H

#include "store.h"
#include "support.h"

#define S(z) odm_cstr(z)

typedef struct lab {
        const char *engine; /* "mem" or "sqlite" */
        bool wrapped;       /* through the fail engine, which fails nothing */
        char dir[64], where[128];
        store_opt opt;
        store_fault fault;
        store *st;
        odm_arena a;
} lab;

/* For cmocka: a new store, of mem, of sqlite, of sqlite through the fail engine; and its end. */
int lab_mem(void **state);
int lab_sqlite(void **state);
int lab_fail(void **state);
int lab_end(void **state);
#define ON(setup, t)                                        \
        {                                                   \
#t " (" #setup ")", t, setup, lab_end, NULL \
        }
#define EACH_ENGINE(t) ON(lab_mem, t), ON(lab_sqlite, t), ON(lab_fail, t)

/* The store is closed: opens it once more. */
void lab_open(lab *f);
/* Writes the batch, and frees it. */
int lab_write(lab *f, store_batch *b);

/* Operations in a batch of the caller's. */
void lab_add_device(store_batch *b, const char *name, const char *devid, const char *model);
store_op *lab_add_job(store_batch *b, int64_t device, int priority);
store_op *lab_add_move(store_batch *b, int64_t device, int64_t job, uint32_t from,
                       store_job_state to);

/* The same and others in batches of their own: what is made has to be, and its number is returned;
 * what changes returns what the store said. */
int64_t lab_device(lab *f, const char *name);
int64_t lab_job(lab *f, int64_t device, int priority);
int64_t lab_session(lab *f, int64_t device, const char *sid);
int lab_move(lab *f, int64_t device, int64_t job, uint32_t from, store_job_state to);
int lab_account(lab *f, int64_t device, const char *user);
int lab_message(lab *f, int64_t device, int64_t session, odm_str bytes);
int lab_tree(lab *f, int64_t device, int64_t at, const store_tree_change *v, size_t n);

#define SET(p, v)                                                        \
        {                                                                \
                STORE_TREE_SET, S(p), S("chr"), S("text/plain"), S(v), 0 \
        }
/* Wants "PATH=VALUE PATH=VALUE" of what is at and below prefix, or the name of the error. */
void lab_expect_tree(lab *f, int64_t device, const char *prefix, const char *want);

store_session lab_session_of(int64_t device, int64_t id, const char *sid);

#endif
