/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - an ordered map of heap blocks (a skip list), for the engine that keeps all in memory. */
#ifndef STORE_MAP_H
#define STORE_MAP_H

#include "odm/base.h"

/* Ordered by text first, then by the numbers.  The text is copied by map_put(). */
typedef struct map_key {
        odm_str text;
        int64_t a, b, c;
} map_key;

#define MAP_LEVELS 20

typedef struct map_node {
        map_key key;
        void *value;             /* the map's user owns it */
        struct map_node *next[]; /* one a level */
} map_node;

typedef struct map {
        map_node *first[MAP_LEVELS];
        uint64_t seed;
        size_t n;
} map;

int map_key_cmp(map_key a, map_key b);
/* Sets the value of a key and lends back the old one, NULL when there was none.  ODM_ENOMEM. */
ODM_MUST_USE int map_put(map *m, map_key key, void *value, void **old);
/* Takes a key out; its value, or NULL. */
void *map_remove(map *m, map_key key);
void *map_find(const map *m, map_key key);
/* The first node not before key; walk on by next[0]. */
map_node *map_from(const map *m, map_key key);
/* The last node before key; NULL: none. */
map_node *map_before(const map *m, map_key key);
void map_clear(map *m, void (*drop)(void *value));

#endif
