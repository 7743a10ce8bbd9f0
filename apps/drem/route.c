/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <stdio.h>

#include "heap.h"
#include "log.h"
#include "odm/client.h"
#include "odm/connmo.h"

#define WORK ((size_t)1 << 20)

/* "Basic " and the base64 of user:secret; absent without a user. */
static odm_str authorization(const odm_proxy *p, odm_arena *a)
{
        odm_str both, e;

        if (p->user.n == 0)
                return ODM_ABSENT;
        both = odm_arena_fmt(a, "%.*s:%.*s", (int)p->user.n, p->user.p, (int)p->secret.n,
                             p->secret.p ? p->secret.p : "");
        e = both.p ? odm_b64_encode(a, both) : ODM_ABSENT;
        return e.p ? odm_arena_join(a, ODM_STR("Basic "), e) : ODM_ABSENT;
}

static bool may_leave(odm_tree *t, const cfg *c, odm_str account, odm_arena *a)
{
        odm_account acc;

        return cfg_enum(c, "transport.plain_http") == CONF_PLAIN_YES ||
               (odm_account_read(t, account, a, &acc) == 0 &&
                odm_str_ieq(odm_str_to(acc.addr, 8), "https://"));
}

static int set_from_tree(http_client *http, odm_tree *t, const cfg *c, odm_str account,
                         odm_arena *a)
{
        odm_nap naps[ODM_CONNMO_MAX];
        char url[ODM_PROXY_URL];
        odm_proxy p = {.url = ODM_ABSENT};
        size_t n = 0;
        int rc = odm_nap_choose(t, a, naps, &n);

        if (rc == 0)
                rc = odm_proxy_of(t, account, naps, n, a, &p);
        if (rc != 1 || !may_leave(t, c, account, a))
                return rc < 0 ? rc : ODM_ENOENT;
        snprintf(url, sizeof url, "%.*s", (int)p.url.n, p.url.p);
        log_debug("by a proxy", log_str("proxy", p.uri));
        rc = http_client_set_proxy(http, url, authorization(&p, a).p); /* ends with a zero */
        return a->err ? a->err : rc;
}

int route_set(http_client *http, odm_tree *t, const cfg *c, odm_str account)
{
        odm_arena a;
        int rc = ODM_ENOENT;

        odm_arena_init(&a, &heap_mem, WORK);
        if (odm_tree_exists(t, ODM_STR(ODM_PROXY_AT)))
                rc = set_from_tree(http, t, c, account, &a);
        odm_arena_done(&a);
        if (rc == ODM_ENOENT)
                rc = http_client_set_proxy(http, cfg_str(c, "transport.proxy"),
                                           cfg_str(c, "transport.proxy_authorization"));
        return rc;
}
