/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - the inside of the engine in memory, shared by its files. */
#ifndef STORE_MEM_H
#define STORE_MEM_H

#include <pthread.h>
#include <stdatomic.h>

#include "map.h"
#include "row.h"

typedef enum table {
        T_DEVICE,  /* id -> store_device */
        T_NAME,    /* text -> blob of an id */
        T_DEVID,   /* text -> blob of an id */
        T_ACCOUNT, /* device -> store_account */
        T_JOB,     /* device, id -> store_job */
        T_JOB_ID,  /* id -> blob of the device */
        T_RESULT,  /* device, job, index -> result row */
        T_NOTE,    /* device, job, n -> store_note */
        T_TREE,    /* device -> blob */
        T_PATH,    /* text -> blob of a number */
        T_PATH_ID, /* number -> blob of the text */
        T_SESSION, /* device, id -> store_session */
        T_LOG,     /* device, session -> blob of its messages */
        T_SAVED,   /* device, session -> blob */
        T_TOKEN,   /* name -> store_token */
        T_SETTING, /* key -> blob */
        T_EVENT,   /* seq -> store_event */
        T_AUDIT,   /* seq -> store_audit */
        TABLES
} table;

typedef struct blob {
        size_t n;
        char p[];
} blob;

/* A result, and its packed items behind it. */
typedef struct result_row {
        store_result *r;
        blob *items;
} result_row;

typedef struct undo {
        unsigned t;  /* a table, or one of the maps behind them */
        map_key key; /* text on the heap */
        char *text;
        void *old; /* NULL: there was none */
} undo;

typedef struct mem {
        pthread_rwlock_t lock;
        map *t; /* `maps` of them: the tables, and behind them those of mem_row.c */
        unsigned maps;
        store_opt opt;
        int64_t numbers[STORE_TABLES_MAX]; /* the last given in each table */
        int64_t ids[ID_KINDS];
        atomic_int_fast64_t sessions; /* the last number */
        uint32_t paths;
        undo *undo;
        size_t n_undo, cap_undo, mark;
} mem;

/* NULL: no memory. */
blob *mem_blob(odm_str s);
/* Both remember what was.  mem_put() takes `row`, NULL where there was no memory for it. */
ODM_MUST_USE int mem_put(mem *m, unsigned t, map_key key, void *row);
ODM_MUST_USE int mem_drop(mem *m, unsigned t, map_key key);

/* ---- mem_row.c: rows of tables, as engine.h says ---------------------------------- */

unsigned mem_row_maps(const store_opt *opt); /* how many maps they need */
ODM_MUST_USE int mem_row_device_gone(mem *m, int64_t device);
int mem_row_get(void *h, const store_table *t, const void *row, odm_arena *a, void *out);
int mem_row_find(void *h, const store_scan *s, odm_arena *a, store_rows *out);
int mem_row_count(void *h, const store_scan *s, uint64_t most, uint64_t *out);
int mem_row_number(void *e, const store_table *t, int64_t given, int64_t *out);
int mem_row_add(void *e, const store_table *t, const void *row);
int mem_row_put(void *e, const store_table *t, const void *row);
int mem_row_patch(void *e, const store_row_op *op);
int mem_row_delete(void *e, const store_row_op *op);
int mem_rows_delete(void *e, const store_scan *s, int64_t *out);

#endif
