/* SPDX-License-Identifier: Apache-2.0 */
/* A skip list: ordered, short, and without rotations to get wrong. */
#include <stdlib.h>
#include <string.h>

#include "map.h"

int map_key_cmp(map_key a, map_key b)
{
        int d = odm_str_cmp(a.text, b.text);

        if (d)
                return d;
        if (a.a != b.a)
                return a.a < b.a ? -1 : 1;
        if (a.b != b.b)
                return a.b < b.b ? -1 : 1;
        return a.c < b.c ? -1 : a.c > b.c;
}

/* Where each level's link to the first node not before key is. */
static void seek(const map *m, map_key key, map_node **links[MAP_LEVELS])
{
        map_node **row = (map_node **)(uintptr_t)m->first;

        for (int i = MAP_LEVELS; i-- > 0;) {
                while (row[i] && map_key_cmp(row[i]->key, key) < 0)
                        row = row[i]->next;
                links[i] = &row[i];
        }
}

static int levels(map *m)
{
        int n = 1;

        m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
        for (uint64_t r = m->seed >> 20; n < MAP_LEVELS && (r & 3) == 0; r >>= 2)
                n++;
        return n;
}

int map_put(map *m, map_key key, void *value, void **old)
{
        map_node **links[MAP_LEVELS], *node;
        int n;

        seek(m, key, links);
        node = *links[0];
        if (node && map_key_cmp(node->key, key) == 0) {
                *old = node->value;
                node->value = value;
                return 0;
        }
        n = levels(m);
        size_t size = sizeof *node + (size_t)n * sizeof(map_node *);
        node = malloc(size + key.text.n + 1);
        if (node == NULL)
                return ODM_ENOMEM;
        node->key = key;
        if (key.text.n)
                memcpy((char *)node + size, key.text.p, key.text.n);
        node->key.text.p = (char *)node + size;
        node->value = value;
        for (int i = 0; i < n; i++) {
                node->next[i] = *links[i];
                *links[i] = node;
        }
        m->n++;
        *old = NULL;
        return 0;
}

void *map_remove(map *m, map_key key)
{
        map_node **links[MAP_LEVELS], *node;
        void *value;

        seek(m, key, links);
        node = *links[0];
        if (node == NULL || map_key_cmp(node->key, key))
                return NULL;
        for (int i = 0; i < MAP_LEVELS && *links[i] == node; i++)
                *links[i] = node->next[i];
        value = node->value;
        free(node);
        m->n--;
        return value;
}

void *map_find(const map *m, map_key key)
{
        map_node *node = map_from(m, key);

        return node && map_key_cmp(node->key, key) == 0 ? node->value : NULL;
}

map_node *map_from(const map *m, map_key key)
{
        map_node **links[MAP_LEVELS];

        seek(m, key, links);
        return *links[0];
}

map_node *map_before(const map *m, map_key key)
{
        map_node *const *row = m->first, *last = NULL;

        for (int i = MAP_LEVELS; i-- > 0;)
                while (row[i] && map_key_cmp(row[i]->key, key) < 0) {
                        last = row[i];
                        row = last->next;
                }
        return last;
}

void map_clear(map *m, void (*drop)(void *value))
{
        for (map_node *n = m->first[0]; n;) {
                map_node *next = n->next[0];
                drop(n->value);
                free(n);
                n = next;
        }
        *m = (map){.n = 0};
}
