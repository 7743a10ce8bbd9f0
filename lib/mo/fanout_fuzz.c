/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of a fan-out come from any server, results from any gateway below.  The first octet says
 * which.  Commands that are taken make a device's commands; a document that is taken has outcomes
 * that can be written and read again, as the same. */
#include <stdlib.h>
#include <string.h>

#include "odm/fanout.h"

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

static int local_url(void *ctx, odm_str image, odm_arena *a, odm_str *out)
{
        (void)ctx;
        (void)a;
        *out = image.p ? image : ODM_STR("http://gw/img/1");
        return 0;
}

static void commands(odm_str in, odm_arena *a)
{
        const odm_fanout_names names = {ODM_STR("urn:x"), ODM_STR("<n>"), local_url, NULL};
        const odm_command *list;
        odm_fanout_cmds c;
        const char *why = NULL;
        int rc = odm_fanout_cmds_parse(in, a, &c, &why);

        if (rc < 0) {
                if (!why)
                        abort();
                return;
        }
        if (c.n == 0 || c.n > ODM_FANOUT_COMMANDS || !odm_fanout_cmds_ref(&c, c.n - 1, a).n)
                abort();
        if (c.replaces && !odm_fanout_overtakes(&c, &c))
                abort();
        if (odm_fanout_cmds_for(&c, &names, ODM_STR("f1"), a, &list) == 0 &&
            list->kind != c.list->kind)
                abort();
}

static void entry(const odm_fanout_entry *e, odm_arena *a)
{
        const odm_fanout_cmd *back;
        odm_buf b, again;
        size_t n;

        odm_buf_init(&b, a->mem, ODM_FANOUT_OUTCOME_MAX);
        odm_buf_init(&again, a->mem, ODM_FANOUT_OUTCOME_MAX);
        if (odm_fanout_outcome_write(e->cmd, e->n, &b) == 0 &&
            odm_fanout_outcome_read(odm_buf_view(&b), a, &back, &n) == 0) {
                if (n != e->n || odm_fanout_outcome_write(back, n, &again) < 0 ||
                    !odm_str_eq(odm_buf_view(&b), odm_buf_view(&again)))
                        abort();
        }
        odm_buf_done(&b);
        odm_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const odm_mem mem = {.resize = on_heap};
        odm_str in = {size ? (const char *)data : "", size};
        odm_fanout_doc d;
        odm_arena a;

        odm_arena_init(&a, &mem, 8 << 20);
        if (size && data[0] != '<') {
                commands(odm_str_from(in, 1), &a);
        } else if (odm_fanout_doc_read(in, &a, &d) == 0) {
                for (const odm_fanout_entry *e = d.entries; e; e = e->next)
                        entry(e, &a);
        }
        odm_arena_done(&a);
        return 0;
}
