/* SPDX-License-Identifier: Apache-2.0 */
/* What is in force, as text kept beside the tree, and the way back to it (mo-connmo.md 4).
 *
 *     FORMAT BASE64 URI       a leaf; "-" for no octets
 *     node BASE64 URI         an interior node and its ACL                                   */
#include <string.h>

#include "nap.h"

#define WORK ((size_t)4 << 20) /* of an arena */

/* ---- the tree as lines -------------------------------------------------------------------- */

typedef struct saver {
        odm_tree *t;
        odm_arena a;
        odm_buf *to;
        int rc;
} saver;

static odm_str encoded(saver *s, odm_str data)
{
        odm_str e = data.n ? odm_b64_encode(&s->a, data) : ODM_STR("-");

        if (e.p == NULL)
                s->rc = odm_arena_err(&s->a);
        return e;
}

static void put_line(saver *s, const char *format, odm_str data, odm_str uri)
{
        odm_str e = s->rc == 0 ? encoded(s, data) : ODM_ABSENT;

        if (s->rc == 0)
                s->rc = odm_buf_fmt(s->to, "%s %.*s %.*s\n", format, (int)e.n, e.p, (int)uri.n,
                                    uri.p);
}

static odm_str acl_of(saver *s, odm_str uri)
{
        odm_str prop = odm_arena_join(&s->a, uri, ODM_STR("?prop=ACL"));
        const odm_op op = {.kind = ODM_CMD_GET, .target = prop};
        odm_answer got = {0};

        s->rc = prop.p ? odm_tree_do(s->t, &op, (odm_wall){0}, &s->a, &got) : odm_arena_err(&s->a);
        if (s->rc < 0 || got.status != ODM_ST_OK || !got.results)
                return ODM_STR("");
        return got.results->value.data;
}

static void put_nodes(saver *s, odm_str at, bool (*wanted)(odm_str uri))
{
        odm_str list = odm_arena_join(&s->a, at, ODM_STR("?list=StructData"));
        const odm_op op = {.kind = ODM_CMD_GET, .target = list};
        odm_answer got = {0};

        if (s->rc == 0)
                s->rc = list.p ? odm_tree_do(s->t, &op, (odm_wall){0}, &s->a, &got)
                               : odm_arena_err(&s->a);
        if (s->rc == 0 && got.status == ODM_ST_TOO_LARGE)
                s->rc = ODM_ELIMIT;
        for (const odm_result *r = got.results; r && s->rc == 0; r = r->next) {
                if (odm_str_has(r->uri, '?') || !wanted(r->uri))
                        continue; /* the first one is the list itself */
                if (r->value.format == ODM_FMT_NODE)
                        put_line(s, "node", acl_of(s, r->uri), r->uri);
                else
                        put_line(s, odm_format_name(r->value.format), r->value.data, r->uri);
        }
}

static bool any(odm_str uri)
{
        (void)uri;
        return true;
}

/* Of an account, only which connections it names. */
static bool is_reference(odm_str uri)
{
        const char *p = uri.n > 8 ? memchr(uri.p + 8, '/', uri.n - 8) : NULL;
        odm_str rel = p ? odm_str_from(uri, (size_t)(p - uri.p) + 1) : ODM_ABSENT;

        return odm_str_is(rel, "PrefConRef") || odm_str_is(rel, "ToConRef") ||
               odm_str_starts(rel, "ToConRef/");
}

int odm_connmo_save(odm_tree *t, const odm_mem *mem, odm_buf *out)
{
        saver s = {.t = t, .to = out};
        size_t before = out->n;

        odm_arena_init(&s.a, mem, WORK);
        put_nodes(&s, ODM_STR(ODM_NAP_AT), any);
        put_nodes(&s, ODM_STR(ODM_PROXY_AT), any);
        if (odm_tree_exists(t, ODM_STR("./DMAcc")))
                put_nodes(&s, ODM_STR("./DMAcc"), is_reference);
        odm_arena_done(&s.a);
        if (s.rc < 0)
                odm_buf_cut(out, before);
        return s.rc;
}

/* ---- a line ------------------------------------------------------------------------------- */

typedef struct line {
        odm_str all, format, data, uri; /* data as it is written */
} line;

static odm_str until(odm_str *rest, char c)
{
        const char *p = rest->n ? memchr(rest->p, c, rest->n) : NULL;
        odm_str head = p ? odm_str_to(*rest, (size_t)(p - rest->p)) : *rest;

        *rest = odm_str_from(*rest, head.n + (p != NULL));
        return head;
}

/* The next line: 1, 0 at the end, ODM_EMALFORMED. */
static int next_line(odm_str *text, line *out)
{
        odm_str rest;

        if (text->n == 0)
                return 0;
        out->all = rest = until(text, '\n');
        out->format = until(&rest, ' ');
        out->data = until(&rest, ' ');
        out->uri = rest;
        return out->format.n && out->data.n && odm_str_starts(out->uri, "./") ? 1 : ODM_EMALFORMED;
}

static bool find_line(odm_str text, odm_str uri, line *out)
{
        while (next_line(&text, out) == 1)
                if (odm_str_eq(out->uri, uri))
                        return true;
        return false;
}

/* ---- the way back -------------------------------------------------------------------------- */

static int operate(saver *s, odm_cmd kind, odm_str uri, const odm_value *v)
{
        odm_op op = {.kind = kind, .target = uri, .has_value = v != NULL};
        odm_answer got = {0};
        int rc;

        if (v)
                op.value = *v;
        rc = odm_tree_do(s->t, &op, (odm_wall){0}, &s->a, &got);
        if (rc == 0 && !odm_status_ok(got.status))
                rc = ODM_EIO;
        return rc;
}

/* What came since goes, from the top down: below a node that went there is nothing left. */
static int drop_new(saver *s, odm_str now, odm_str saved)
{
        line was, is = {.uri = ODM_ABSENT};
        int rc;

        while ((rc = next_line(&now, &is)) == 1) {
                if (find_line(saved, is.uri, &was) || !odm_tree_exists(s->t, is.uri))
                        continue;
                rc = operate(s, ODM_CMD_DELETE, is.uri, NULL);
                if (rc < 0)
                        return rc;
        }
        return rc;
}

/* ./DMAcc/main of a reference: whether it is still there. */
static bool has_home(saver *s, odm_str uri)
{
        const char *p;

        if (!odm_str_starts(uri, "./DMAcc/"))
                return true;
        p = memchr(uri.p + 8, '/', uri.n - 8);
        return p && odm_tree_exists(s->t, odm_str_to(uri, (size_t)(p - uri.p)));
}

static int put_back(saver *s, const line *l)
{
        odm_value v = {.format = odm_format_parse(l->format)};
        bool is_node = v.format == ODM_FMT_NODE, there = odm_tree_exists(s->t, l->uri);
        odm_str acl;
        int rc = 0;

        if (!odm_str_is(l->data, "-"))
                rc = odm_b64_decode(&s->a, l->data, &v.data);
        else
                v.data = ODM_STR("");
        if (rc < 0 || !has_home(s, l->uri))
                return rc;
        if (!is_node)
                return operate(s, there ? ODM_CMD_REPLACE : ODM_CMD_ADD, l->uri, &v);
        acl = v.data;
        v.data = ODM_ABSENT;
        if (!there)
                rc = operate(s, ODM_CMD_ADD, l->uri, &v);
        if (rc == 0 && (there || acl.n)) {
                odm_str prop = odm_arena_join(&s->a, l->uri, ODM_STR("?prop=ACL"));
                v = (odm_value){.data = acl};
                rc = prop.p ? operate(s, ODM_CMD_REPLACE, prop, &v) : odm_arena_err(&s->a);
        }
        return rc;
}

/* What is as it was is left alone, with its time stamp. */
static int put_old(saver *s, odm_str now, odm_str saved)
{
        line was = {.uri = ODM_ABSENT}, is;
        int rc;

        while ((rc = next_line(&saved, &was)) == 1) {
                if (find_line(now, was.uri, &is) && odm_str_eq(is.all, was.all))
                        continue;
                rc = put_back(s, &was);
                if (rc < 0)
                        return rc;
        }
        return rc;
}

int odm_connmo_restore(odm_connmo *c, odm_str saved, odm_wall when)
{
        saver s = {.t = c->tree};
        unsigned status = ODM_ST_OK;
        odm_buf now;
        int rc;

        odm_buf_init(&now, c->mem, ODM_CONNMO_KEPT);
        odm_arena_init(&s.a, c->mem, WORK);
        rc = odm_connmo_save(c->tree, c->mem, &now);
        if (rc == 0)
                rc = odm_tree_begin(c->tree, when);
        if (rc < 0)
                goto out;
        c->own = true;
        rc = drop_new(&s, odm_buf_view(&now), saved);
        if (rc == 0)
                rc = put_old(&s, odm_buf_view(&now), saved);
        if (rc == 0)
                rc = odm_tree_commit(c->tree, &status);
        if (odm_tree_in_transaction(c->tree))
                odm_tree_rollback(c->tree);
        c->own = false;
        if (rc == 0 && !odm_status_ok(status))
                rc = ODM_EIO;
out:
        odm_arena_done(&s.a);
        if (now.n)
                odm_wipe(now.p, now.n);
        odm_buf_done(&now);
        return rc;
}

/* ---- what differs ------------------------------------------------------------------------------ */

/* "./NAP/m2m", "./Proxy/web", "./DMAcc/main" of a line. */
static odm_str home_of(odm_str uri)
{
        odm_str rest = odm_str_from(uri, 2);
        odm_str top = until(&rest, '/'), name = until(&rest, '/');

        return odm_str_to(uri, 2 + top.n + 1 + name.n);
}

/* The lines of `text` at or below `home`, as one; those of an instance stand together. */
static odm_str lines_of(odm_str text, odm_str home)
{
        odm_str from = ODM_ABSENT;
        line l;

        while (next_line(&text, &l) == 1) {
                if (!odm_str_eq(home_of(l.uri), home)) {
                        if (from.p)
                                break;
                        continue;
                }
                if (!from.p)
                        from = l.all;
                from.n = (size_t)(l.all.p + l.all.n - from.p);
        }
        return from;
}

typedef struct differ {
        int (*fn)(void *ctx, odm_str uri);
        void *ctx;
} differ;

/* Each instance of `text` with another content in `other`, or, when only_new, with none there. */
static int walk(const differ *d, odm_str text, odm_str other, bool only_new)
{
        odm_str whole = text, last = ODM_ABSENT;
        line l;
        int rc = 0;

        while (rc == 0 && next_line(&text, &l) == 1) {
                odm_str home = home_of(l.uri), theirs;
                if (odm_str_eq(home, last))
                        continue;
                last = home;
                theirs = lines_of(other, home);
                if (only_new ? !theirs.p : !odm_str_eq(theirs, lines_of(whole, home)))
                        rc = d->fn(d->ctx, home);
        }
        return rc;
}

static odm_str part_of(odm_str text, const char *top)
{
        odm_str from = ODM_ABSENT;
        line l;

        while (next_line(&text, &l) == 1) {
                if (!odm_str_starts(l.uri, top))
                        continue;
                if (!from.p)
                        from = l.all;
                from.n = (size_t)(l.all.p + l.all.n - from.p);
        }
        return from;
}

int odm_connmo_differ(odm_str was, odm_str is, int (*fn)(void *ctx, odm_str uri), void *ctx)
{
        static const char *const tops[] = {ODM_NAP_AT "/", ODM_PROXY_AT "/", "./DMAcc/"};
        const differ d = {fn, ctx};
        int rc = 0;

        for (size_t i = 0; i < ODM_COUNT(tops) && rc == 0; i++) {
                odm_str a = part_of(was, tops[i]), b = part_of(is, tops[i]);
                rc = walk(&d, b, a, false);
                if (rc == 0)
                        rc = walk(&d, a, b, true);
        }
        return rc;
}

/* ---- what it does -------------------------------------------------------------------------------- */

static int put_text(odm_buf *b, odm_str s)
{
        return odm_buf_fmt(b, "%.*s\x1f", (int)s.n, s.p ? s.p : "");
}

static int put_ip(odm_buf *b, const odm_nap_ip *ip)
{
        int rc = odm_buf_fmt(b, "%d%d%d/%u,", ip->used, ip->automatic, ip->auto_dns, ip->prefix);

        if (rc == 0)
                rc = put_text(b, ip->addr);
        if (rc == 0)
                rc = put_text(b, ip->gateway);
        for (size_t i = 0; i < ip->n_dns && rc == 0; i++)
                rc = put_text(b, ip->dns[i]);
        return rc;
}

static int put_nap(odm_buf *b, const odm_nap *n)
{
        const odm_str texts[] = {n->uri, n->addr, n->auth_type, n->user, n->secret, n->key, n->pdp};
        int rc = odm_buf_fmt(b, "nap %d %d %d ", (int)n->bearer, (int)n->mode, n->hidden);

        for (size_t i = 0; i < ODM_COUNT(texts) && rc == 0; i++)
                rc = put_text(b, texts[i]);
        for (size_t i = 0; i < n->n_ssid && rc == 0; i++)
                rc = put_text(b, n->ssid[i]);
        if (rc == 0)
                rc = put_ip(b, &n->v4);
        if (rc == 0)
                rc = put_ip(b, &n->v6);
        return rc < 0 ? rc : odm_buf_byte(b, '\n');
}

typedef struct effect {
        odm_tree *t;
        odm_arena *a;
        odm_buf *to;
        const odm_nap *naps;
        size_t n;
        int rc;
} effect;

static int put_proxy(void *ctx, odm_str name)
{
        effect *e = ctx;
        odm_str account = odm_arena_fmt(e->a, "./DMAcc/%.*s", (int)name.n, name.p);
        odm_proxy p = {.url = ODM_ABSENT};

        e->rc = account.p ? odm_proxy_of(e->t, account, e->naps, e->n, e->a, &p)
                          : odm_arena_err(e->a);
        if (e->rc != 1)
                return e->rc;
        e->rc = odm_buf_fmt(e->to, "proxy %.*s ", (int)account.n, account.p);
        if (e->rc == 0)
                e->rc = put_text(e->to, p.url);
        if (e->rc == 0)
                e->rc = put_text(e->to, p.user);
        if (e->rc == 0)
                e->rc = put_text(e->to, p.secret);
        if (e->rc == 0)
                e->rc = odm_buf_byte(e->to, '\n');
        return e->rc;
}

int odm_connmo_effect(odm_tree *t, const odm_mem *mem, odm_buf *out)
{
        odm_nap naps[ODM_CONNMO_MAX];
        size_t n = 0, before = out->n;
        odm_arena a;
        int rc;

        odm_arena_init(&a, mem, WORK);
        rc = odm_nap_choose(t, &a, naps, &n);
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = put_nap(out, &naps[i]);
        if (rc == 0) {
                effect e = {.t = t, .a = &a, .to = out, .naps = naps, .n = n};
                (void)odm_tree_children(t, ODM_STR("./DMAcc"), put_proxy, &e);
                rc = e.rc;
        }
        odm_arena_done(&a);
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}
