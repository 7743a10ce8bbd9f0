/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_book.h - the path dictionary: a number for each path that a mirror names.
 *
 * It is small and only grows, so all of it is kept in memory too: readers never ask the file.  The
 * writer alone adds and cuts; any thread may read what was committed. */
#ifndef STORE_SQLITE_BOOK_H
#define STORE_SQLITE_BOOK_H

#include <pthread.h>

#include "map.h"
#include "sqlite_db.h"

#define BOOK_PATHS_MAX (1u << 20)

typedef struct book_path {
        uint32_t id;
        size_t n;
        char p[];
} book_path;

typedef struct book {
        db *w; /* the writer's connection */
        pthread_rwlock_t lock;
        map by_text;       /* path -> book_path, which it owns; the writer's alone */
        book_path **by_id; /* number n at n - 1 */
        uint32_t n, cap;
} book;

void book_begin(book *b, db *w);
void book_end(book *b);

/* All paths of the file.  ODM_EMALFORMED: a number is missing; ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int book_load(book *b);
/* The path with a number, lent until the store is closed; absent when nobody has that number. */
void book_text(book *b, uint32_t id, odm_str *out);
/* The number of a path, a new one when it has none yet; 0: the dictionary is full.  ODM_EIO,
 * ODM_ENOMEM. */
ODM_MUST_USE int book_id(book *b, odm_str path, uint32_t *out);
/* Forgets the numbers above n, which were never committed. */
void book_cut(book *b, uint32_t n);

#endif
