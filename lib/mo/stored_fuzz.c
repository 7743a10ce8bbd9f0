/* SPDX-License-Identifier: Apache-2.0 */
/* Stored commands come from any server: refused, or acts within their limits that are done on a
 * tree without an error of ours. */
#include <stdlib.h>

#include "stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *on_heap(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n)
                return realloc(p, n);
        free(p);
        return NULL;
}

static void act(const stored *s, size_t i, odm_tree *t, odm_arena *a)
{
        static stored_result out[STORED_ACTS];
        bool undo = false, exec = s->act[i].cmd->kind == ODM_CMD_EXEC;
        unsigned status;
        size_t n = 0;

        if ((!exec && odm_tree_begin(t, (odm_wall){0}) < 0) ||
            odm_stored_do(s, i, t, ODM_STR("srv"), (odm_wall){0}, a, out, &n, &undo) ==
                    ODM_ESTATE ||
            n == 0 || n > STORED_ACTS)
                abort();
        if (undo)
                odm_tree_rollback(t);
        else if (!exec && odm_tree_commit(t, &status) < 0)
                abort();
        for (size_t k = 0; k < n; k++)
                if (out[k].status < 100 || out[k].data.n > STORED_DATA)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const odm_mem mem = {.resize = on_heap};
        odm_str in = {size ? (const char *)data : "", size};
        stored s = {.n = 0};
        const char *why = NULL;
        odm_tree_opt o;
        odm_tree *t;
        odm_arena a;

        odm_tree_opt_init(&o, &mem);
        odm_arena_init(&a, &mem, 4 << 20);
        if (odm_tree_new(&o, &t) < 0)
                return 0;
        int rc = odm_stored_add(&s, in, &a, &why);
        if (s.n > STORED_ACTS || s.seq > STORED_ACTS + 1 || (rc == ODM_EMALFORMED && !why))
                abort();
        for (size_t i = 0; rc == 0 && i < s.n; i++)
                act(&s, i, t, &a);
        odm_arena_done(&a);
        odm_tree_free(t);
        return 0;
}
