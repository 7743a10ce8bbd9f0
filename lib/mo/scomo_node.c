/* SPDX-License-Identifier: Apache-2.0 */
#include "scomo_node.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAME_MOST 48 /* of a segment, with room for a number behind it */
#define URI_MOST 512 /* as the tree's own ceiling */

static const char *const roots[] = {[SCOMO_NONE] = "",
                                    [SCOMO_DOWNLOAD] = ODM_SCOMO_AT "/Download",
                                    [SCOMO_DELIVERED] = ODM_SCOMO_AT "/Inventory/Delivered",
                                    [SCOMO_DEPLOYED] = ODM_SCOMO_AT "/Inventory/Deployed"};

void odm_scomo_pen_init(scomo_pen *p, const odm_scomo *s, odm_wall now)
{
        p->tree = odm_tasks_tree(s->tasks);
        p->now = now;
        odm_arena_init(&p->a, odm_tasks_mem(s->tasks), 1u << 20);
}

void odm_scomo_pen_done(scomo_pen *p)
{
        odm_arena_done(&p->a);
}

odm_str odm_scomo_object(odm_str uri, enum scomo_branch *out)
{
        for (enum scomo_branch b = SCOMO_DOWNLOAD; b <= SCOMO_DEPLOYED; b++) {
                const size_t from = strlen(roots[b]) + 1;
                if (uri.n <= from || !odm_str_starts(uri, roots[b]) || uri.p[from - 1] != '/')
                        continue;
                const char *slash = memchr(uri.p + from, '/', uri.n - from);
                *out = b;
                return odm_str_to(uri, slash ? (size_t)(slash - uri.p) : uri.n);
        }
        *out = SCOMO_NONE;
        return ODM_ABSENT;
}

/* ---- leaves ----------------------------------------------------------------------------- */

/* The value as the tree lends it: until the next change. */
static int peek(scomo_pen *p, odm_str object, const char *rel, odm_str *out)
{
        char uri[URI_MOST + 1];
        odm_value v = {ODM_FMT_ABSENT};
        int n = snprintf(uri, sizeof uri, "%.*s/%s", (int)object.n, object.p, rel), rc;

        if (n < 0 || (size_t)n >= sizeof uri)
                return ODM_ELIMIT;
        rc = odm_tree_read(p->tree, (odm_str){uri, (size_t)n}, &p->a, &v);
        if (rc == ODM_ENOENT || rc == ODM_EINVAL)
                rc = 0;
        if (rc == 0)
                *out = v.data.p ? v.data : ODM_STR("");
        return rc;
}

int odm_scomo_get(scomo_pen *p, odm_str object, const char *rel, odm_str *out)
{
        odm_str v = ODM_STR("");
        int rc = peek(p, object, rel, &v);

        if (rc < 0)
                return rc;
        v = odm_arena_copy(&p->a, v);
        if (!v.p)
                return odm_arena_err(&p->a);
        *out = v;
        return 0;
}

int odm_scomo_has(scomo_pen *p, odm_str object, const char *rel, bool *out)
{
        odm_str v = ODM_STR("");
        int rc = peek(p, object, rel, &v);

        if (rc == 0)
                *out = v.n > 0;
        return rc;
}

int odm_scomo_set(scomo_pen *p, odm_str object, const char *rel, odm_format format, odm_str text)
{
        const odm_value v = {.format = format, .data = text.p ? text : ODM_STR("")};
        odm_str old = ODM_STR(""),
                uri = odm_arena_fmt(&p->a, "%.*s/%s", (int)object.n, object.p, rel);
        int rc = uri.p ? peek(p, object, rel, &old) : odm_arena_err(&p->a);

        if (rc < 0 || (odm_str_eq(old, text) && odm_tree_exists(p->tree, uri)))
                return rc;
        return odm_tree_write(p->tree, uri, &v, p->now);
}

int odm_scomo_set_number(scomo_pen *p, odm_str object, const char *rel, unsigned n)
{
        odm_str text = odm_arena_number(&p->a, n);

        return text.p ? odm_scomo_set(p, object, rel, ODM_FMT_INT, text) : odm_arena_err(&p->a);
}

int odm_scomo_delete(scomo_pen *p, odm_str object)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = object};
        odm_answer out = {0};
        int rc = odm_tree_do(p->tree, &op, p->now, &p->a, &out);

        return rc == 0 && !odm_status_ok(out.status) && out.status != ODM_ST_NOT_FOUND ? ODM_EIO
                                                                                       : rc;
}

/* ---- children --------------------------------------------------------------------------- */

struct search {
        scomo_pen *p;
        const char *root, *rel;
        odm_str text, but;
        odm_str found;
};

static int compare(void *ctx, odm_str name)
{
        struct search *s = ctx;
        char uri[URI_MOST + 1];
        odm_str v = ODM_STR("");
        int n = snprintf(uri, sizeof uri, "%s/%.*s", s->root, (int)name.n, name.p), rc;
        const odm_str object = {uri, (size_t)n};

        if (n < 0 || (size_t)n >= sizeof uri || odm_str_eq(object, s->but))
                return 0;
        rc = peek(s->p, object, s->rel, &v);
        if (rc < 0 || !odm_str_eq(v, s->text))
                return rc;
        s->found = odm_arena_copy(&s->p->a, object);
        return s->found.p ? 1 : odm_arena_err(&s->p->a);
}

int odm_scomo_find(scomo_pen *p, enum scomo_branch b, const char *rel, odm_str text, odm_str but,
                   odm_str *out)
{
        struct search s = {p, roots[b], rel, text, but, ODM_ABSENT};
        int rc = odm_tree_children(p->tree, odm_cstr(roots[b]), compare, &s);

        if (rc < 0)
                return rc;
        *out = s.found;
        return 0;
}

/* A name that every tree takes: no blanks, no slashes, not too long. */
static odm_str plain_name(odm_str wish, char out[NAME_MOST + 1])
{
        size_t n = 0;

        for (; n < wish.n && n < NAME_MOST; n++) {
                char c = wish.p[n];
                bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || (c && strchr("-_.:+~@", c));
                out[n] = ok ? c : '_';
        }
        if (n == 0 || out[0] == '.') /* "." and ".." are no names */
                out[n ? 0 : n++] = '_';
        return (odm_str){out, n};
}

int odm_scomo_free_object(scomo_pen *p, enum scomo_branch b, odm_str wish, odm_str *out)
{
        char plain[NAME_MOST + 1];
        odm_str name = plain_name(wish, plain);

        for (unsigned i = 1; i <= 9999; i++) {
                odm_str uri =
                        i == 1 ? odm_arena_fmt(&p->a, "%s/%.*s", roots[b], (int)name.n, name.p)
                               : odm_arena_fmt(&p->a, "%s/%.*s-%u", roots[b], (int)name.n, name.p,
                                               i);
                if (!uri.p)
                        return odm_arena_err(&p->a);
                if (!odm_tree_exists(p->tree, uri)) {
                        *out = uri;
                        return 0;
                }
        }
        return ODM_ELIMIT;
}

int odm_scomo_fill(scomo_pen *p, odm_str object, enum scomo_branch b)
{
        static const char *const ops[][3] = {
                [SCOMO_DOWNLOAD] = {"Operations/Download", "Operations/DownloadInstall",
                                    "Operations/DownloadInstallInactive"},
                [SCOMO_DELIVERED] = {"Operations/Install", "Operations/InstallInactive",
                                     "Operations/Remove"},
                [SCOMO_DEPLOYED] = {"Operations/Activate", "Operations/Deactivate",
                                    "Operations/Remove"},
        };
        bool has = false;
        int rc = odm_scomo_has(p, object, "Status", &has);

        assert(b != SCOMO_NONE);
        if (rc < 0 || has)
                return rc;
        rc = odm_scomo_set_number(p, object, "Status", 10);
        if (rc == 0 && b != SCOMO_DOWNLOAD)
                rc = odm_scomo_set_number(p, object, "State", 10);
        for (size_t i = 0; i < ODM_COUNT(ops[b]) && rc == 0; i++)
                rc = odm_scomo_set(p, object, ops[b][i], ODM_FMT_NULL, ODM_STR(""));
        return rc;
}

int odm_scomo_write(scomo_pen *p, odm_str object, const odm_component *c)
{
        const struct {
                const char *rel;
                odm_str text;
        } leaves[] = {
                {"ID", c->id},
                {"PkgIDRef", c->package},
                {"Name", c->name},
                {"Version", c->version},
                {"EnvType", c->env},
                {"Description", c->description},
                {"Ext/xrem/Installer", c->installer},
        };
        int rc = 0;

        for (size_t i = 0; i < ODM_COUNT(leaves) && rc == 0; i++)
                if (leaves[i].text.p)
                        rc = odm_scomo_set(p, object, leaves[i].rel, ODM_FMT_CHR, leaves[i].text);
        if (rc == 0)
                rc = odm_scomo_fill(p, object, SCOMO_DEPLOYED);
        return rc < 0 ? rc : odm_scomo_set_number(p, object, "State", c->active ? 20 : 10);
}

/* ---- what the installers have ----------------------------------------------------------- */

struct known {
        struct known *next;
        odm_str object, id;
        bool seen;
};

struct collector {
        scomo_pen *p;
        odm_str installer;
        struct known *list;
};

static int collect(void *ctx, odm_str name)
{
        struct collector *c = ctx;
        odm_arena *a = &c->p->a;
        odm_str installer = ODM_STR("");
        struct known *k = odm_arena_zget(a, sizeof *k);
        int rc;

        if (!k)
                return odm_arena_err(a);
        k->object = odm_arena_fmt(a, "%s/%.*s", roots[SCOMO_DEPLOYED], (int)name.n, name.p);
        rc = k->object.p ? peek(c->p, k->object, "Ext/xrem/Installer", &installer)
                         : odm_arena_err(a);
        if (rc < 0 || !odm_str_eq(installer, c->installer))
                return rc;
        rc = odm_scomo_get(c->p, k->object, "ID", &k->id);
        if (rc == 0) {
                k->next = c->list;
                c->list = k;
        }
        return rc;
}

static int bring(odm_scomo *s, scomo_pen *p, struct known *known, const odm_component *c)
{
        odm_str object = ODM_ABSENT;
        int rc = 0;

        for (struct known *k = known; k; k = k->next)
                if (odm_str_eq(k->id, c->id)) {
                        k->seen = true;
                        object = k->object;
                }
        if (object.p && odm_tasks_busy(s->tasks, object))
                return 0; /* its task tells how it is */
        if (!object.p)
                rc = odm_scomo_free_object(p, SCOMO_DEPLOYED, c->id, &object);
        return rc < 0 ? rc : odm_scomo_write(p, object, c);
}

int odm_scomo_sync(odm_scomo *s, const char *installer, const odm_component *list, size_t n,
                   odm_wall now, bool *changed)
{
        odm_tree *tree = odm_tasks_tree(s->tasks);
        struct collector c = {.installer = odm_cstr(installer)};
        const uint64_t before = odm_tree_latest(tree);
        unsigned status = ODM_ST_OK;
        scomo_pen p;
        int rc = odm_tree_begin(tree, now);

        if (rc < 0)
                return rc;
        s->own = true;
        odm_scomo_pen_init(&p, s, now);
        p.a.max = (size_t)16 << 20; /* the host has a ceiling of its own for the list */
        c.p = &p;
        rc = odm_tree_children(tree, odm_cstr(roots[SCOMO_DEPLOYED]), collect, &c);
        for (size_t i = 0; i < n && rc == 0; i++) {
                odm_component one = list[i];
                one.installer = c.installer;
                rc = bring(s, &p, c.list, &one);
        }
        for (struct known *k = c.list; k && rc == 0; k = k->next)
                if (!k->seen && !odm_tasks_busy(s->tasks, k->object))
                        rc = odm_scomo_delete(&p, k->object);
        if (rc == 0)
                rc = odm_tree_commit(tree, &status);
        else
                odm_tree_rollback(tree);
        s->own = false;
        odm_scomo_pen_done(&p);
        if (rc == 0 && !odm_status_ok(status))
                rc = ODM_EIO;
        if (rc == 0)
                *changed = odm_tree_latest(tree) != before;
        return rc;
}

int odm_scomo_each(odm_scomo *s, const char *installer,
                   int (*fn)(void *ctx, const odm_component *c), void *ctx)
{
        struct collector c = {.installer = odm_cstr(installer)};
        scomo_pen p;
        int rc;

        odm_scomo_pen_init(&p, s, (odm_wall){0});
        p.a.max = (size_t)16 << 20;
        c.p = &p;
        rc = odm_tree_children(p.tree, odm_cstr(roots[SCOMO_DEPLOYED]), collect, &c);
        for (const struct known *k = c.list; k && rc == 0; k = k->next) {
                odm_component one = {.id = k->id, .installer = c.installer};
                odm_str state = ODM_STR("");
                rc = odm_scomo_get(&p, k->object, "Version", &one.version);
                if (rc == 0)
                        rc = odm_scomo_get(&p, k->object, "State", &state);
                one.active = odm_str_is(state, "20");
                if (rc == 0)
                        rc = fn(ctx, &one);
        }
        odm_scomo_pen_done(&p);
        return rc;
}

int odm_scomo_holds(odm_scomo *s, odm_str hold)
{
        const odm_task *t;
        odm_str object = ODM_ABSENT;
        scomo_pen p;
        int rc;

        for (size_t i = 0; (t = odm_tasks_at(s->tasks, i)) != NULL; i++)
                if (t->kind == &odm_scomo_kind && t->step &&
                    odm_str_eq(odm_task_arg(t, "hold"), hold))
                        return 1;
        odm_scomo_pen_init(&p, s, (odm_wall){0});
        rc = odm_scomo_find(&p, SCOMO_DELIVERED, "Ext/xrem/Held", hold, ODM_ABSENT, &object);
        odm_scomo_pen_done(&p);
        return rc < 0 ? rc : object.p != NULL;
}
