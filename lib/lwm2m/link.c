/* SPDX-License-Identifier: Apache-2.0 */
/* Links (RFC 6690) as LwM2M uses them: what a client registers, and what Discover answers
 * (lwm2m.md 3.1, 3.2). */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lw.h"

struct param {
        odm_str name, value; /* value without its quotes; absent: none */
};

/* One parameter at the front of *in, which stands behind its semicolon. */
static int take_param(odm_str *in, struct param *out)
{
        size_t n = 0;
        struct param p = {0};

        while (n < in->n && !odm_str_has(ODM_STR("=;,"), in->p[n]))
                n++;
        p.name = odm_str_trim(odm_str_to(*in, n));
        if (n < in->n && in->p[n] == '=') {
                size_t from = ++n;
                if (n < in->n && in->p[n] == '"') {
                        for (n++; n < in->n && in->p[n] != '"'; n++)
                                if (in->p[n] == '\\')
                                        n++;
                        if (n >= in->n)
                                return ODM_EMALFORMED;
                        p.value = (odm_str){in->p + from + 1, n - from - 1};
                        n++;
                } else {
                        while (n < in->n && in->p[n] != ';' && in->p[n] != ',')
                                n++;
                        p.value = odm_str_trim((odm_str){in->p + from, n - from});
                }
        }
        *out = p;
        *in = odm_str_trim(odm_str_from(*in, n));
        return 0;
}

static int take_target(odm_str *in, odm_str *out)
{
        size_t n = 1;

        if (in->n == 0 || in->p[0] != '<')
                return ODM_EMALFORMED;
        while (n < in->n && in->p[n] != '>')
                n++;
        if (n >= in->n)
                return ODM_EMALFORMED;
        *out = (odm_str){in->p + 1, n - 1};
        *in = odm_str_trim(odm_str_from(*in, n + 1));
        return 0;
}

static bool has_word(odm_str list, const char *word)
{
        while (list.n > 0) {
                size_t n = 0;
                while (n < list.n && list.p[n] != ' ')
                        n++;
                if (odm_str_is(odm_str_to(list, n), word))
                        return true;
                list = odm_str_trim(odm_str_from(list, n));
        }
        return false;
}

static unsigned formats(odm_str ct)
{
        return (has_word(ct, "11542") || has_word(ct, "1542") ? ODM_LW_CAN_TLV : 0u) |
               (has_word(ct, "11543") || has_word(ct, "1543") ? ODM_LW_CAN_JSON : 0u) |
               (has_word(ct, "110") ? ODM_LW_CAN_SENML_JSON : 0u) |
               (has_word(ct, "112") ? ODM_LW_CAN_SENML_CBOR : 0u);
}

/* A small number of a parameter; what is none counts as not told. */
static int32_t small(odm_str s)
{
        uint64_t v;

        return s.p && odm_str_u64(s, INT32_MAX, &v) == 0 ? (int32_t)v : -1;
}

struct links {
        odm_arena *a;
        odm_lw_link *v;
        size_t n, cap;
        odm_str root;
        bool root_known;
        unsigned cts;
};

static void use_param(odm_lw_link *l, const struct param *p)
{
        char query[96];
        unsigned cleared;

        if (odm_str_is(p->name, "ver")) {
                l->ver = p->value;
        } else if (odm_str_is(p->name, "dim")) {
                l->dim = small(p->value);
        } else if (odm_str_is(p->name, "ssid")) {
                l->ssid = small(p->value);
        } else if (p->value.p && p->name.n + p->value.n + 1 < sizeof query) {
                int n = snprintf(query, sizeof query, "%.*s=%.*s", (int)p->name.n, p->name.p,
                                 (int)p->value.n, p->value.p);
                /* other names, and values that make no sense, are left out */
                if (odm_lw_attrs_parse((odm_str){query, (size_t)n}, &l->attrs, &cleared) < 0)
                        return;
        }
}

static int push(struct links *s, const odm_lw_link *l)
{
        if (s->n == s->cap) {
                size_t cap = s->cap ? s->cap * 2 : 16;
                if (s->n >= ODM_LW_LINKS_MAX)
                        return ODM_ELIMIT;
                odm_lw_link *v = odm_arena_get(s->a, cap * sizeof *v);
                if (v == NULL)
                        return odm_arena_err(s->a);
                if (s->n)
                        memcpy(v, s->v, s->n * sizeof *v);
                s->v = v;
                s->cap = cap;
        }
        s->v[s->n++] = *l;
        return 0;
}

/* The path of a target below the root, if that is what it is. */
static bool path_of(odm_str target, odm_str root, odm_lw_path *out)
{
        if (root.n > 0) {
                if (target.n < root.n || memcmp(target.p, root.p, root.n) != 0)
                        return false;
                target = odm_str_from(target, root.n);
        }
        return odm_str_starts(target, "/") && odm_lw_path_parse(target, out) == 0 && out->depth > 0;
}

/* One link; in the first of two rounds only what says where the root is. */
static int link_of(struct links *s, odm_str *in, bool first_round)
{
        odm_lw_link l = {.dim = -1, .ssid = -1};
        odm_str target, ct = ODM_ABSENT;
        struct param p;
        bool is_root = false;

        int rc = take_target(in, &target);
        while (rc == 0 && in->n > 0 && in->p[0] == ';') {
                *in = odm_str_trim(odm_str_from(*in, 1));
                rc = take_param(in, &p);
                if (rc < 0)
                        break;
                if (odm_str_is(p.name, "rt") && has_word(p.value, "oma.lwm2m"))
                        is_root = true;
                else if (odm_str_is(p.name, "ct"))
                        ct = p.value;
                use_param(&l, &p);
        }
        if (rc < 0)
                return rc;
        if (first_round) {
                if (!is_root || s->root_known)
                        return 0;
                while (target.n > 0 && target.p[target.n - 1] == '/')
                        target.n--;
                s->root = target;
                s->root_known = true;
                s->cts = formats(ct);
                return 0;
        }
        return !is_root && path_of(target, s->root, &l.path) ? push(s, &l) : 0;
}

static int round_of(struct links *s, odm_str in, bool first_round)
{
        in = odm_str_trim(in);
        while (in.n > 0) {
                int rc = link_of(s, &in, first_round);
                if (rc < 0)
                        return rc;
                if (in.n == 0)
                        break;
                if (in.p[0] != ',')
                        return ODM_EMALFORMED;
                in = odm_str_trim(odm_str_from(in, 1));
                if (in.n == 0)
                        return ODM_EMALFORMED;
        }
        return 0;
}

int odm_lw_links_parse(odm_str in, odm_str root, odm_arena *a, odm_lw_links *out)
{
        struct links s = {
                .a = a, .root = root.p ? root : ODM_STR(""), .root_known = root.p != NULL};

        if (!odm_utf8_ok(in))
                return ODM_EMALFORMED;
        int rc = round_of(&s, in, true);
        if (rc == 0)
                rc = round_of(&s, in, false);
        if (rc == 0)
                *out = (odm_lw_links){s.root, s.v, s.n, s.cts};
        return rc;
}

/* ---- writing --------------------------------------------------------------------------- */

static int put_root(const odm_lw_links *l, odm_buf *b)
{
        static const struct {
                unsigned bit;
                const char *ct;
        } known[] = {{ODM_LW_CAN_TLV, "11542"},
                     {ODM_LW_CAN_JSON, "11543"},
                     {ODM_LW_CAN_SENML_JSON, "110"},
                     {ODM_LW_CAN_SENML_CBOR, "112"}};
        bool several = (l->cts & (l->cts - 1)) != 0, first = true;
        int rc = odm_buf_fmt(b, "<%.*s>;rt=\"oma.lwm2m\"", l->root.n ? (int)l->root.n : 1,
                             l->root.n ? l->root.p : "/");

        for (size_t i = 0; i < ODM_COUNT(known) && rc == 0; i++) {
                if (!(l->cts & known[i].bit))
                        continue;
                rc = odm_buf_fmt(b, "%s%s", first ? several ? ";ct=\"" : ";ct=" : " ", known[i].ct);
                first = false;
        }
        return rc == 0 && several ? odm_buf_byte(b, '"') : rc;
}

static int put_attrs(const odm_lw_attrs *at, odm_buf *b)
{
        odm_str v[ODM_LW_QUERIES];
        size_t n = 0;
        odm_arena a;
        int rc;

        odm_arena_init(&a, b->mem, 4096);
        rc = odm_lw_attrs_format(at, &a, v, &n);
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = odm_buf_fmt(b, ";%.*s", (int)v[i].n, v[i].p);
        odm_arena_done(&a);
        return rc;
}

static int put_link(const odm_lw_links *all, const odm_lw_link *l, odm_buf *b)
{
        char z[ODM_LW_PATH_TEXT];
        odm_str p = odm_lw_path_format(l->path, z);
        int rc = odm_buf_fmt(b, "<%.*s%.*s>", (int)all->root.n, all->root.p ? all->root.p : "",
                             (int)p.n, p.p);

        if (rc == 0 && l->ssid >= 0)
                rc = odm_buf_fmt(b, ";ssid=%d", l->ssid);
        if (rc == 0 && l->ver.p)
                rc = odm_buf_fmt(b, ";ver=%.*s", (int)l->ver.n, l->ver.p);
        if (rc == 0 && l->dim >= 0)
                rc = odm_buf_fmt(b, ";dim=%d", l->dim);
        return rc == 0 && l->attrs.has ? put_attrs(&l->attrs, b) : rc;
}

int odm_lw_links_format(const odm_lw_links *l, bool with_root, odm_buf *out)
{
        size_t before = out->n;
        int rc = with_root ? put_root(l, out) : 0;

        for (size_t i = 0; i < l->n && rc == 0; i++) {
                if (out->n > before)
                        rc = odm_buf_byte(out, ',');
                if (rc == 0)
                        rc = put_link(l, &l->v[i], out);
        }
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}
