/* SPDX-License-Identifier: Apache-2.0 */
/* north_part.c - alerts of the gateway and its devices as those of a part. */
#include <stdlib.h>

#include "inner.h"

static int gwnorth_mount(const part_host *h, void **out, diag *d)
{
        const part_host **p = calloc(1, sizeof *p);

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        *p = h;
        *out = p;
        return 0;
}

static gateway *gateway_of(const void *p)
{
        const part_host *h = *(const part_host *const *)p;

        return h->app;
}

static void gwnorth_rest(void *p, bool good)
{
        north_rest(gateway_of(p)->north, good);
}

static int gwnorth_alerts(void *p, odm_str server, int (*fn)(void *ctx, const odm_alert *a),
                          void *ctx)
{
        return north_alerts(gateway_of(p)->north, server, fn, ctx);
}

static void gwnorth_alerted(void *p, uint64_t id, unsigned status)
{
        north_alerted(gateway_of(p)->north, id, status);
}

static int gwnorth_status(const void *p, odm_buf *b)
{
        return gateway_status(gateway_of(p), b);
}

const part_class part_gwnorth = {
        .name = "gwnorth",
        .mount = gwnorth_mount,
        .rest = gwnorth_rest,
        .alerts = gwnorth_alerts,
        .alerted = gwnorth_alerted,
        .status = gwnorth_status,
        .close = free,
};
