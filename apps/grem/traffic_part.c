/* SPDX-License-Identifier: Apache-2.0 */
/* traffic_part.c - ./DiagMon/Traffic: what the gateway spends and saves (mo-diagmon.md 7.9). */
#include <inttypes.h>
#include <stdlib.h>

#include "inner.h"
#include "mo.h"

typedef struct traffic_part {
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        odm_binding bind[7];
} traffic_part;

static const char *const paths[] = {"DiagMonData/NorthSessions", "DiagMonData/NorthBytesIn",
                                    "DiagMonData/NorthBytesOut", "DiagMonData/SavedSessions",
                                    "DiagMonData/SavedBytes",    "DiagMonData/ImageBytesIn",
                                    "DiagMonData/ImageBytesOut"};

static uint64_t count_of(const gw_counts *c, odm_str name)
{
        return odm_str_is(name, "NorthSessions")   ? c->north_sessions
               : odm_str_is(name, "NorthBytesIn")  ? c->north_bytes_in
               : odm_str_is(name, "NorthBytesOut") ? c->north_bytes - c->north_bytes_in
               : odm_str_is(name, "SavedSessions") ? c->sessions_saved
               : odm_str_is(name, "ImageBytesIn")  ? c->image_bytes_in
               : odm_str_is(name, "ImageBytesOut") ? c->image_bytes_out
                                                   : c->bytes_saved;
}

static int read_count(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const traffic_part *p = ctx;

        if (!p->g)
                return ODM_ENOENT;
        out->format = ODM_FMT_CHR;
        out->data = odm_arena_number(a, count_of(&p->g->counts, at->desc->name));
        return out->data.p ? 0 : odm_arena_err(a);
}

static int gwtraffic_mount(const part_host *h, void **out, diag *d)
{
        traffic_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->g = h->app;
        for (size_t i = 0; i < ODM_COUNT(paths); i++)
                p->bind[i] = (odm_binding){.path = paths[i], .read = read_count};
        p->provider = (odm_provider){.name = "gwtraffic",
                                     .mo = &odm_mo_gwtraffic,
                                     .bind = p->bind,
                                     .n_bind = ODM_COUNT(paths),
                                     .ctx = p};
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, "./DiagMon/Traffic: %s", odm_err_text(rc));
        }
        *out = p;
        return 0;
}

static const char *const roots[] = {"./DiagMon/Traffic", NULL};

const part_class part_gwtraffic = {
        .name = "gwtraffic",
        .roots = roots,
        .mount = gwtraffic_mount,
        .close = free,
};
