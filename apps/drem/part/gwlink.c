/* SPDX-License-Identifier: Apache-2.0 */
/* gwlink.c - a device behind a gateway: ./GwMO/Config, which the gateway puts there, and what the
 * device tells because of it (gwmo.md 1.2, 4, 7):
 *
 *     BootstrappedDMSList  to the gateway: which servers it has accounts of
 *     AssociatedGateway    to each other server, in transparent mode: where its gateway is
 *
 * It is looked at between sessions, for accounts and Config change in those alone (or while dremd
 * does not run).  An alert is kept before the tree says that it was told: after a cut in between it
 * is told twice.  A gateway whose account has gone takes Config with it. */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "mo.h"
#include "part.h"

#define AT "./GwMO/Config"
#define SERVERS "urn:oma:at:oma-gwmo:BootstrappedDMSList:1.0"
#define GATEWAY "urn:oma:at:oma-gwmo:AssociatedGateway:1.0"
#define TRANSPARENT "1"
#define SERVERS_MAX 16
#define MEMORY ((size_t)256 << 10)

typedef struct gwlink {
        const part_host *host;
        odm_provider provider;
} gwlink;

typedef struct looking { /* at what is there now */
        gwlink *p;
        odm_arena *a;
        odm_str gateway;             /* its Server Identifier */
        odm_str server[SERVERS_MAX]; /* of the accounts, the gateway's too */
        size_t n;
        odm_str list; /* all of them, a blank between */
} looking;

static odm_str leaf(gwlink *p, odm_str uri, odm_arena *a)
{
        odm_value v;

        if (!uri.p || odm_tree_read(p->host->tree, uri, a, &v) < 0)
                return ODM_ABSENT;
        return odm_arena_copy(a, v.data);
}

static int on_account(void *ctx, odm_str name)
{
        looking *k = ctx;
        odm_str id =
                leaf(k->p, odm_arena_fmt(k->a, "./DMAcc/%.*s/ServerID", (int)name.n, name.p), k->a);

        if (!id.n)
                return 0;
        k->server[k->n++] = id;
        k->list = k->list.n ? odm_arena_fmt(k->a, "%.*s %.*s", (int)k->list.n, k->list.p, (int)id.n,
                                            id.p)
                            : id;
        return k->n == SERVERS_MAX ? 1 : 0;
}

static int on_kept(void *ctx, odm_str name)
{
        looking *k = ctx;
        odm_str id = leaf(
                k->p, odm_arena_fmt(k->a, AT "/BootstrappedDMS/%.*s", (int)name.n, name.p), k->a);

        k->list = k->list.n ? odm_arena_fmt(k->a, "%.*s %.*s", (int)k->list.n, k->list.p, (int)id.n,
                                            id.p ? id.p : "")
                            : id;
        return 0;
}

static bool has_word(odm_str list, odm_str word)
{
        while (list.n) {
                const char *blank = memchr(list.p, ' ', list.n);
                odm_str one = odm_str_to(list, blank ? (size_t)(blank - list.p) : list.n);
                if (odm_str_eq(one, word))
                        return true;
                list = odm_str_from(list, one.n + (blank ? 1 : 0));
        }
        return false;
}

/* ---- the tree ----------------------------------------------------------------------------- */

static int drop(gwlink *p, const char *uri, odm_arena *a)
{
        odm_op op = {.kind = ODM_CMD_DELETE, .target = odm_cstr(uri)};
        odm_answer out;

        if (!odm_tree_exists(p->host->tree, op.target))
                return 0;
        return odm_tree_do(p->host->tree, &op, loop_wall(), a, &out);
}

static int write(gwlink *p, odm_str uri, odm_str data)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = data};

        return uri.p ? odm_tree_write(p->host->tree, uri, &v, loop_wall()) : ODM_ENOMEM;
}

static int keep_servers(const looking *k)
{
        int rc = drop(k->p, AT "/BootstrappedDMS", k->a);

        for (size_t i = 0; rc == 0 && i < k->n; i++)
                rc = write(k->p, odm_arena_fmt(k->a, AT "/BootstrappedDMS/%02zu", i + 1),
                           k->server[i]);
        return rc;
}

/* ---- what is told --------------------------------------------------------------------------- */

static int tell(gwlink *p, odm_str server, const char *source, const char *type, odm_str data)
{
        const odm_alert x = {.code = ODM_ALERT_GENERIC,
                             .source = odm_cstr(source),
                             .type = odm_cstr(type),
                             .format = ODM_FMT_CHR,
                             .mark = ODM_STR("informational"),
                             .data = data};

        return p->host->alert(p->host->ctx, server, &x);
}

/* 1: something was written. */
static int tell_gateway(looking *k)
{
        looking kept = {.p = k->p, .a = k->a, .list = ODM_STR("")};
        int rc;

        (void)odm_tree_children(k->p->host->tree, ODM_STR(AT "/BootstrappedDMS"), on_kept, &kept);
        if (odm_str_eq(kept.list, k->list))
                return 0;
        rc = tell(k->p, k->gateway, "./DMAcc", SERVERS, k->list);
        if (rc == 0)
                rc = keep_servers(k);
        return rc < 0 ? rc : 1;
}

/* Who has heard of this address is in Told: "ADDRESS SERVER SERVER ...". */
static int tell_servers(looking *k)
{
        odm_str addr = leaf(k->p, ODM_STR(AT "/GwAddress/Addr"), k->a);
        odm_str told = leaf(k->p, ODM_STR(AT "/Ext/Told"), k->a), now = addr;
        bool same = told.n > addr.n && odm_str_eq(odm_str_to(told, addr.n), addr) &&
                    told.p[addr.n] == ' ';
        int rc = 0;

        if (!addr.n || odm_str_has(addr, ' '))
                return 0;
        for (size_t i = 0; rc == 0 && i < k->n; i++) {
                if (odm_str_eq(k->server[i], k->gateway))
                        continue;
                if (!same || !has_word(odm_str_from(told, addr.n + 1), k->server[i]))
                        rc = tell(k->p, k->server[i], AT, GATEWAY, addr);
                now = odm_arena_fmt(k->a, "%.*s %.*s", (int)now.n, now.p, (int)k->server[i].n,
                                    k->server[i].p);
                if (!now.p)
                        return odm_arena_err(k->a);
        }
        if (rc < 0 || odm_str_eq(now, told) || now.n == addr.n)
                return rc;
        rc = write(k->p, ODM_STR(AT "/Ext/Told"), now);
        return rc < 0 ? rc : 1;
}

static int look(looking *k)
{
        gwlink *p = k->p;
        int first, second = 0;

        if (!part_has_account(p->host, k->gateway)) {
                log_info("the gateway's account has gone", log_str("server", k->gateway));
                first = drop(p, AT, k->a);
                return first < 0 ? first : 1;
        }
        (void)odm_tree_children(p->host->tree, ODM_STR("./DMAcc"), on_account, k);
        if (k->a->err)
                return odm_arena_err(k->a);
        first = tell_gateway(k);
        if (first >= 0 && odm_str_is(leaf(p, ODM_STR(AT "/Mode"), k->a), TRANSPARENT))
                second = tell_servers(k);
        if (first < 0 || second < 0)
                return first < 0 ? first : second;
        return first | second;
}

static void gwlink_rest(void *ctx, bool good)
{
        gwlink *p = ctx;
        odm_arena a;
        looking k = {.p = p, .a = &a, .list = ODM_STR("")};
        int rc = 0;

        (void)good;
        odm_arena_init(&a, &heap_mem, MEMORY);
        k.gateway = leaf(p, ODM_STR(AT "/Ext/ServerID"), &a);
        if (k.gateway.n)
                rc = look(&k);
        if (rc == 1)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0) /* after the next session */
                log_warn("what a gateway or a server is to be told waits", log_err(rc));
        odm_arena_done(&a);
}

/* ---- life -------------------------------------------------------------------------------------- */

static int gwlink_mount(const part_host *h, void **out, diag *d)
{
        gwlink *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->provider = (odm_provider){.name = "gwlink", .mo = &odm_mo_gwlink, .ctx = p};
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, "./GwMO: %s", odm_err_text(rc));
        }
        *out = p;
        return 0;
}

static void gwlink_close(void *ctx)
{
        free(ctx);
}

const part_class part_gwlink = {
        .name = "gwlink", .mount = gwlink_mount, .rest = gwlink_rest, .close = gwlink_close};
