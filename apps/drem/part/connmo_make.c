/* SPDX-License-Identifier: Apache-2.0 */
/* Access points that a device comes with; see connmo.h.
 *
 * One that is protected is made anew at each start, and the transaction taken back when nothing
 * differs, so that the journal does not grow. */
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "part/connmo.h"

#define SECRET 256

typedef struct maker {
        const part_host *h;
        const odm_connmo *objects;
        const cfg *nap; /* the section */
        diag *d;
        odm_wall now;
        int rc; /* the first failure; nothing more is done then */
} maker;

static void put_str(maker *m, const char *rel, odm_format format, odm_str text)
{
        const odm_value v = {.format = format, .data = text};
        char uri[160];

        if (m->rc < 0)
                return;
        snprintf(uri, sizeof uri, ODM_NAP_AT "/%s/%s", cfg_name(m->nap), rel);
        m->rc = odm_tree_write(m->h->tree, odm_cstr(uri), &v, m->now);
        if (m->rc < 0)
                diag_set(m->d, m->rc, "[nap %s]: %s cannot be so: %s", cfg_name(m->nap), rel,
                         odm_err_text(m->rc));
}

static void put(maker *m, const char *rel, const char *text)
{
        if (text)
                put_str(m, rel, ODM_FMT_CHR, odm_cstr(text));
}

/* "auto", "none", "10.0.0.2/24". */
static void put_ip(maker *m, const char *version)
{
        char key[32], rel[48];
        const char *text, *slash;

        snprintf(key, sizeof key, "nap *.ip%s", version);
        text = cfg_str(m->nap, key);
        if (strcmp(text, "none") == 0)
                return;
        slash = strchr(text, '/');
        snprintf(rel, sizeof rel, "IP/IP%s/AutoConfig", version);
        put_str(m, rel, ODM_FMT_BOOL,
                strcmp(text, "auto") == 0 ? ODM_STR("true") : ODM_STR("false"));
        if (strcmp(text, "auto") != 0) {
                snprintf(rel, sizeof rel, "IP/IP%s/IPAddr", version);
                put_str(m, rel, ODM_FMT_CHR,
                        (odm_str){text, slash ? (size_t)(slash - text) : strlen(text)});
                snprintf(rel, sizeof rel, "IP/IP%s/NetMask", version);
                put(m, rel, slash ? slash + 1 : "");
        }
        snprintf(key, sizeof key, "nap *.ip%s_gateway", version);
        snprintf(rel, sizeof rel, "IP/IP%s/Gateway", version);
        put(m, rel, cfg_str(m->nap, key));
        snprintf(key, sizeof key, "nap *.ip%s_dns", version);
        for (size_t i = 0; i < cfg_list_n(m->nap, key) && i < ODM_NAP_SERVERS; i++) {
                snprintf(rel, sizeof rel, "IP/IP%s/DNS/Servers/%zu/Addr", version, i + 1);
                put(m, rel, cfg_list_at(m->nap, key, i));
        }
}

/* The first line of a file. */
static void put_secret(maker *m, const char *key, const char *rel)
{
        char secret[SECRET];

        if (m->rc < 0 || !cfg_str(m->nap, key))
                return;
        m->rc = conf_secret(m->nap, "nap *.title", key, secret, sizeof secret, m->d);
        put(m, rel, secret);
        odm_wipe(secret, sizeof secret);
}

static void put_nap(maker *m)
{
        put(m, "ID", cfg_name(m->nap));
        put(m, "Name", cfg_str(m->nap, "nap *.title"));
        put(m, "Addr", cfg_str(m->nap, "nap *.addr"));
        put_ip(m, "v4");
        put_ip(m, "v6");
        put(m, "AuthInfo/AuthType", cfg_str(m->nap, "nap *.auth"));
        put(m, "AuthInfo/AuthName", cfg_str(m->nap, "nap *.user"));
        put_secret(m, "nap *.password_file", "AuthInfo/AuthSecret");
        put(m, "BearerParams/WLAN/SecMode", cfg_str(m->nap, "nap *.security"));
        put_secret(m, "nap *.key_file", "BearerParams/WLAN/WPA/Key");
        put(m, "BearerType", cfg_str(m->nap, "nap *.bearer"));
}

static void clear(maker *m)
{
        char uri[96];
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = odm_cstr(uri)};
        odm_answer got = {0};
        odm_arena a;

        snprintf(uri, sizeof uri, ODM_NAP_AT "/%s", cfg_name(m->nap));
        if (m->rc < 0 || !odm_tree_exists(m->h->tree, odm_cstr(uri)))
                return;
        odm_arena_init(&a, &heap_mem, 65536);
        m->rc = odm_tree_do(m->h->tree, &op, m->now, &a, &got);
        odm_arena_done(&a);
}

/* Whole, or it would never be used. */
static void look(maker *m)
{
        const char *lack = NULL;
        odm_nap n;
        char uri[96];
        odm_arena a;
        int rc;

        if (m->rc < 0)
                return;
        snprintf(uri, sizeof uri, ODM_NAP_AT "/%s", cfg_name(m->nap));
        odm_arena_init(&a, &heap_mem, 65536);
        rc = odm_nap_read(m->h->tree, odm_cstr(uri), &a, &n, &lack);
        if (rc < 0)
                m->rc = rc;
        else if (rc == 0)
                m->rc = diag_set(m->d, ODM_EINVAL, "[nap %s]: without %s it cannot be used",
                                 cfg_name(m->nap), lack);
        else if (!m->objects->offers(m->objects->ctx, n.bearer, n.addr))
                m->rc = diag_set(m->d, ODM_EINVAL, "[nap %s]: network.%s does not allow it",
                                 cfg_name(m->nap),
                                 n.bearer == ODM_BEARER_ETHERNET ? "ethernet"
                                 : n.bearer == ODM_BEARER_WLAN   ? "wlan"
                                                                 : "modem");
        odm_arena_done(&a);
}

static int make_all(const part_host *h, const odm_connmo *c, bool all, diag *d)
{
        maker m = {.h = h, .objects = c, .d = d, .now = loop_wall()};

        for (size_t i = 0; i < cfg_named_n(h->conf, "nap") && m.rc == 0; i++) {
                m.nap = cfg_named(h->conf, "nap", i);
                if (!all && !cfg_bool(m.nap, "nap *.protected"))
                        continue;
                clear(&m);
                put_nap(&m);
                look(&m);
        }
        return m.rc;
}

static int finish(const part_host *h, bool same)
{
        unsigned status = ODM_ST_OK;
        int rc = 0;

        if (!same)
                rc = odm_tree_commit(h->tree, &status);
        if (odm_tree_in_transaction(h->tree))
                odm_tree_rollback(h->tree);
        return rc == 0 && !odm_status_ok(status) ? ODM_EINVAL : rc;
}

static void drop(odm_buf *b)
{
        if (b->n)
                odm_wipe(b->p, b->n);
        odm_buf_done(b);
}

int connmo_make(const part_host *h, const odm_connmo *c, bool all, diag *d)
{
        odm_buf was, is;
        int rc;

        odm_buf_init(&was, &heap_mem, ODM_CONNMO_KEPT);
        odm_buf_init(&is, &heap_mem, ODM_CONNMO_KEPT);
        rc = odm_connmo_save(h->tree, &heap_mem, &was);
        if (rc == 0)
                rc = odm_tree_begin(h->tree, loop_wall());
        if (rc == 0) {
                rc = make_all(h, c, all, d);
                if (rc == 0)
                        rc = odm_connmo_save(h->tree, &heap_mem, &is);
                if (rc == 0)
                        rc = finish(h, odm_str_eq(odm_buf_view(&was), odm_buf_view(&is)));
                else
                        odm_tree_rollback(h->tree);
        }
        drop(&was);
        drop(&is);
        if (rc < 0 && d && !d->text[0])
                diag_set(d, rc, "the access points: %s", odm_err_text(rc));
        return rc;
}

bool connmo_protected(const cfg *conf, odm_str uri)
{
        odm_str name = odm_str_from(uri, sizeof ODM_NAP_AT);

        for (size_t i = 0; i < cfg_named_n(conf, "nap"); i++) {
                const cfg *n = cfg_named(conf, "nap", i);
                if (odm_str_is(name, cfg_name(n)))
                        return odm_str_starts(uri, ODM_NAP_AT "/") &&
                               cfg_bool(n, "nap *.protected");
        }
        return false;
}
