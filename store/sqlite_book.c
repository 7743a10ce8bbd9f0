/* SPDX-License-Identifier: Apache-2.0 */
/* The path dictionary of a SQLite store. */
#include <stdlib.h>
#include <string.h>

#include "sqlite_book.h"

void book_begin(book *b, db *w)
{
        b->w = w;
        pthread_rwlock_init(&b->lock, NULL);
}

void book_end(book *b)
{
        book_cut(b, 0);
        free(b->by_id);
        pthread_rwlock_destroy(&b->lock);
}

static int grow(book *b)
{
        uint32_t cap = b->cap ? b->cap * 2 : 256;
        book_path **v;

        if (b->n < b->cap)
                return 0;
        v = realloc(b->by_id, cap * sizeof(book_path *));
        if (v == NULL)
                return ODM_ENOMEM;
        b->by_id = v;
        b->cap = cap;
        return 0;
}

/* Adds number n + 1. */
static int add(book *b, odm_str path)
{
        book_path *e = malloc(sizeof *e + path.n + 1);
        void *old;
        int rc;

        if (e == NULL)
                return ODM_ENOMEM;
        *e = (book_path){.id = b->n + 1, .n = path.n};
        memcpy(e->p, path.p, path.n);
        pthread_rwlock_wrlock(&b->lock);
        rc = grow(b);
        if (rc == 0)
                rc = map_put(&b->by_text, (map_key){.text = path}, e, &old);
        if (rc == 0)
                b->by_id[b->n++] = e;
        else
                free(e);
        pthread_rwlock_unlock(&b->lock);
        return rc;
}

void book_cut(book *b, uint32_t n)
{
        pthread_rwlock_wrlock(&b->lock);
        while (b->n > n) {
                book_path *e = b->by_id[--b->n];
                map_remove(&b->by_text, (map_key){.text = {e->p, e->n}});
                free(e);
        }
        pthread_rwlock_unlock(&b->lock);
}

int book_load(book *b)
{
        sqlite3_stmt *st = db_bind(b->w, "SELECT id, path FROM path ORDER BY id", "");
        int rc;

        if (st == NULL)
                return db_error(b->w, b->w->rc);
        while ((rc = db_step(b->w, st)) == 1) {
                const char *p = sqlite3_column_blob(st, 1);
                odm_str path = {p ? p : "", (size_t)sqlite3_column_bytes(st, 1)};
                bool in_order = sqlite3_column_int64(st, 0) == (int64_t)b->n + 1;
                rc = in_order ? add(b, path) : ODM_EMALFORMED;
                if (rc < 0) {
                        db_reset(st);
                        break;
                }
        }
        return rc;
}

void book_text(book *b, uint32_t id, odm_str *out)
{
        odm_str t = ODM_ABSENT;

        pthread_rwlock_rdlock(&b->lock);
        if (id >= 1 && id <= b->n)
                t = (odm_str){b->by_id[id - 1]->p, b->by_id[id - 1]->n};
        pthread_rwlock_unlock(&b->lock);
        *out = t;
}

int book_id(book *b, odm_str path, uint32_t *out)
{
        const book_path *e = map_find(&b->by_text, (map_key){.text = path});
        int rc;

        if (e || b->n == BOOK_PATHS_MAX) {
                *out = e ? e->id : 0;
                return 0;
        }
        rc = db_run(b->w,
                    db_bind(b->w, "INSERT INTO path VALUES(?,?)", "is", (int64_t)b->n + 1, path));
        if (rc == 0)
                rc = add(b, path);
        if (rc == 0)
                *out = b->n;
        return rc;
}
