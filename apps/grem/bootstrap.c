/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.c - what a device that has no account yet is to be given: the first entry of
 * ./GwMO/Config/Bootstrap whose selector fits it (gwmo.md 4). */
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "rights.h"

#define AT "./GwMO/Config/Bootstrap"
#define DOC_MAX 65536
#define NAME_TEXT ODM_STR("{DeviceID}")

typedef struct search {
        gateway *g;
        const gw_device *device;
        odm_arena *a;
        odm_str data;
} search;

static odm_str leaf(const search *s, odm_str entry, const char *name)
{
        odm_str uri = odm_arena_fmt(s->a, AT "/%.*s/%s", (int)entry.n, entry.p, name);
        odm_value v;

        return uri.p && odm_tree_read(gw_tree(s->g), uri, s->a, &v) == 0 ? v.data : ODM_ABSENT;
}

static int look(void *ctx, odm_str entry)
{
        search *s = ctx;
        odm_str match = leaf(s, entry, "Match");
        odm_str uri = odm_arena_fmt(s->a, AT "/%.*s", (int)entry.n, entry.p);

        if (!uri.p)
                return odm_arena_err(s->a);
        if (match.n && !gw_matches(s->device, match))
                return 0;
        if (!rights_writers_have(s->g, uri, gw_by_id(s->g, s->device->id),
                                 ODM_ACC_ADD | ODM_ACC_REPLACE)) {
                log_warn("an account is of a server without a right to the device",
                         log_str("name", entry), log_str("id", s->device->id));
                return 0;
        }
        s->data = leaf(s, entry, "Data");
        return s->data.n > 0;
}

/* {DeviceID} in the document is the device's own. */
static int put_name(odm_str in, odm_str id, odm_arena *a, odm_str *out)
{
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, &heap_mem, DOC_MAX);
        while (rc == 0 && in.n) {
                const char *at = memmem(in.p, in.n, NAME_TEXT.p, NAME_TEXT.n);
                size_t n = at ? (size_t)(at - in.p) : in.n;
                rc = odm_buf_put(&b, in.p, n);
                if (rc == 0 && at)
                        rc = odm_buf_str(&b, id);
                in = odm_str_from(in, n + (at ? NAME_TEXT.n : 0));
        }
        if (rc == 0) {
                *out = odm_arena_copy(a, odm_buf_view(&b));
                rc = out->p ? 0 : odm_arena_err(a);
        }
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

int gw_bootstrap(void *ctx, const adapter_device *d, odm_arena *a, odm_str *out)
{
        const gw_device device = {.id = d->id,
                                  .man = d->man,
                                  .mod = d->mod,
                                  .dev_type = d->dev_type,
                                  .protocol = d->protocol};
        search s = {.g = ctx, .device = &device, .a = a};
        int rc;

        if (!gw_tree(s.g))
                return ODM_ENOENT;
        rc = odm_tree_children(gw_tree(s.g), ODM_STR(AT), look, &s);
        if (rc < 0)
                return rc;
        if (a->err)
                return odm_arena_err(a);
        return rc == 0 ? ODM_ENOENT : put_name(s.data, d->id, a, out);
}
