/* SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "odm/codec.h"
#include "source.h"

#define SYMBOL "odm_plugin_v1"
#define MEMORY ((size_t)4 << 20)
#define BELOW (sizeof "./Vendor/" - 1)

struct shared {
        void *lib; /* NULL: it is part of the program */
        const odm_plugin *p;
        void *ctx;
        bool opened, mounted; /* mounted: the tree has our description, and frees the rest */
        char *path;
        odm_arena arena;
        odm_mo mo;
        odm_binding *bind;
        odm_provider provider;
};

/* ---- paths ---------------------------------------------------------------------------------- */

static odm_str segment(odm_str *rest)
{
        size_t n = 0;
        odm_str s;

        while (n < rest->n && rest->p[n] != '/')
                n++;
        s = odm_str_to(*rest, n);
        *rest = odm_str_from(*rest, n + 1);
        return s;
}

bool shared_match(const char *pattern, odm_str rel, char room[SHARED_NAMES][65],
                  const char *name[SHARED_NAMES + 1])
{
        odm_str want = odm_cstr(pattern);
        size_t n = 0;

        while (want.n || rel.n) {
                odm_str w = segment(&want), s = segment(&rel);
                if (!odm_str_is(w, "*") || s.n == 0) {
                        if (!odm_str_eq(w, s))
                                return false;
                        continue;
                }
                if (n == SHARED_NAMES || s.n > 64)
                        return false;
                memcpy(room[n], s.p, s.n);
                room[n][s.n] = 0;
                name[n] = room[n];
                n++;
        }
        name[n] = NULL;
        return true;
}

typedef struct call { /* one of a node's functions, and what it is told */
        const odm_plugin_node *node;
        char room[SHARED_NAMES][65];
        const char *name[SHARED_NAMES + 1];
} call;

static bool find(const shared *s, odm_str uri, call *out)
{
        odm_str rel = odm_str_from(uri, BELOW + strlen(s->p->name) + 1);

        for (size_t i = 0; i < s->p->n_nodes; i++) {
                out->node = &s->p->nodes[i];
                if (shared_match(out->node->path, rel, out->room, out->name))
                        return true;
        }
        return false;
}

/* ---- bindings --------------------------------------------------------------------------------- */

static int on_read(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const shared *s = ctx;
        char *room = malloc(ODM_PLUGIN_VALUE);
        size_t n = 0;
        call c;
        int code, rc = ODM_EIO;

        if (!room)
                return ODM_ENOMEM;
        code = find(s, at->uri, &c) ? c.node->read(s->ctx, c.name, room, ODM_PLUGIN_VALUE, &n)
                                    : ODM_PLUGIN_NONE;
        if (code == ODM_PLUGIN_NONE) {
                rc = ODM_ENOENT;
        } else if (code == ODM_PLUGIN_OK && n <= ODM_PLUGIN_VALUE &&
                   source_fits(at->desc->format, (odm_str){room, n})) {
                out->format = at->desc->format;
                out->data = odm_arena_copy(a, (odm_str){room, n});
                rc = out->data.p ? 0 : odm_arena_err(a);
        }
        free(room);
        return rc;
}

static int on_check(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        const shared *s = ctx;
        call c;
        int code;

        if (!v || !find(s, at->uri, &c))
                return 0;
        code = c.node->check(s->ctx, c.name, v->data.p ? v->data.p : "", v->data.n);
        if (code == ODM_PLUGIN_REFUSED)
                *status = ODM_ST_BAD_FORMAT;
        else if (code != ODM_PLUGIN_OK)
                *status = ODM_ST_FAILED;
        return 0;
}

typedef struct lister {
        int (*add)(void *list, odm_str name);
        void *to;
} lister;

static int add_name(void *to, const char *name)
{
        const lister *l = to;

        return odm_name_ok(odm_cstr(name)) ? l->add(l->to, odm_cstr(name)) : 0;
}

static int on_list(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const shared *s = ctx;
        lister l = {add, to};
        call c;

        return find(s, at->uri, &c) ? c.node->list(s->ctx, c.name, add_name, &l) : 0;
}

static int on_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const shared *s = ctx;
        call c;
        int code = ODM_PLUGIN_NONE;

        if (find(s, at->uri, &c))
                code = c.node->exec(s->ctx, c.name, op->value.data.p ? op->value.data.p : "",
                                    op->value.data.n);
        switch (code) {
        case ODM_PLUGIN_OK: *status = ODM_ST_OK; break;
        case ODM_PLUGIN_NONE: *status = ODM_ST_NOT_FOUND; break;
        case ODM_PLUGIN_REFUSED: *status = ODM_ST_NOT_ALLOWED; break;
        default: *status = ODM_ST_FAILED;
        }
        return 0;
}

static void tell(const shared *s, odm_tree *t, odm_str uri)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;
        call c;

        if (!s->opened || !find(s, uri, &c) || !c.node->changed)
                return;
        odm_arena_init(&a, &heap_mem, MEMORY);
        if (odm_tree_read(t, uri, &a, &v) == 0)
                c.node->changed(s->ctx, c.name, v.data.p ? v.data.p : "", v.data.n);
        odm_arena_done(&a);
}

static int on_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        for (const odm_change *c = list; c; c = c->next)
                if (c->kind == ODM_CHANGE_ADD || c->kind == ODM_CHANGE_VALUE)
                        tell(ctx, t, c->uri);
        return 0;
}

/* ---- loading ---------------------------------------------------------------------------------- */

static int bad(diag *d, const char *path, const char *why, const char *what)
{
        return diag_set(d, ODM_EMALFORMED, "%s: %s%s%s", path, why, what ? ": " : "",
                        what ? what : "");
}

static int check_plugin(const odm_plugin *p, const char *path, diag *d)
{
        if (p->version != ODM_PLUGIN_VERSION || p->size < sizeof *p)
                return bad(d, path, "it is for another version of dremd", NULL);
        if (!p->name || !odm_name_ok(odm_cstr(p->name)) || strlen(p->name) > 64)
                return bad(d, path, "its name is none for a node", NULL);
        if (!p->ddf || (p->n_nodes && !p->nodes))
                return bad(d, path, "it has no description", NULL);
        for (size_t i = 0; i < p->n_nodes; i++) {
                const odm_plugin_node *n = &p->nodes[i];
                if (!n->path)
                        return bad(d, path, "a node has no path", NULL);
                if (n->read && (n->check || n->changed))
                        return bad(d, path, "a live value cannot be set", n->path);
        }
        return 0;
}

static int read_description(shared *s, diag *d)
{
        const char *why = "it is no DDF document";
        odm_doc *doc = NULL;
        odm_limits lim;
        odm_str where = ODM_STR("");
        int rc;

        odm_limits_init(&lim);
        rc = odm_doc_decode_as(&odm_codec_xml, NULL, odm_cstr(s->p->ddf), &lim, &s->arena, &doc);
        if (rc == ODM_ENOMEM)
                return rc;
        if (rc < 0)
                return bad(d, s->path, why, odm_err_text(rc));
        if (!doc->nodes || doc->nodes->next || !odm_str_is(doc->nodes->name, s->p->name))
                return bad(d, s->path, "its description needs one top Node called", s->p->name);
        rc = odm_mo_from_doc(doc->nodes, &s->arena, &s->mo, &why);
        if (rc != ODM_EMALFORMED)
                return rc;
        if (odm_mo_culprit(doc->nodes, &s->arena, &where) < 0)
                where = ODM_STR("");
        return diag_set(d, rc, "%s: %.*s: %s", s->path, (int)where.n, where.p, why);
}

static int make_bindings(shared *s, diag *d)
{
        s->bind = calloc(s->p->n_nodes + 1, sizeof *s->bind);
        if (!s->bind)
                return ODM_ENOMEM;
        for (size_t i = 0; i < s->p->n_nodes; i++) {
                const odm_plugin_node *n = &s->p->nodes[i];
                if (!odm_mo_find(&s->mo, odm_cstr(n->path)))
                        return bad(d, s->path, "its description has no node", n->path);
                s->bind[i] = (odm_binding){.path = n->path,
                                           .read = n->read ? on_read : NULL,
                                           .list = n->list ? on_list : NULL,
                                           .check = n->check ? on_check : NULL,
                                           .exec = n->exec ? on_exec : NULL};
        }
        return 0;
}

static int open_plugin(shared *s, diag *d)
{
        char why[200] = "it gives no reason";

        if (s->p->open && s->p->open(&s->ctx, why, sizeof why) != 0) {
                why[sizeof why - 1] = 0;
                return diag_set(d, ODM_EIO, "%s: it cannot be opened: %s", s->path, why);
        }
        s->opened = true;
        return 0;
}

static int take(void *lib, const odm_plugin *p, const char *path, shared **out, diag *d)
{
        shared *s = calloc(1, sizeof *s);
        int rc = check_plugin(p, path, d);

        if (!s) {
                if (lib)
                        dlclose(lib);
                return diag_set(d, ODM_ENOMEM, "%s: out of memory", path);
        }
        s->lib = lib;
        s->p = p;
        odm_arena_init(&s->arena, &heap_mem, MEMORY);
        s->path = strdup(path);
        if (rc == 0 && !s->path)
                rc = ODM_ENOMEM;
        if (rc == 0)
                rc = read_description(s, d);
        if (rc == 0)
                rc = make_bindings(s, d);
        if (rc == 0)
                rc = open_plugin(s, d);
        if (rc == ODM_ENOMEM)
                diag_set(d, rc, "%s: out of memory", path);
        if (rc < 0)
                shared_close(s);
        else
                *out = s;
        return rc;
}

int shared_take(const odm_plugin *p, const char *path, shared **out, diag *d)
{
        return take(NULL, p, path, out, d);
}

static int load(const char *path, const char *name, shared **out, diag *d)
{
        const odm_plugin *p;
        struct stat st;
        void *lib;

        if (stat(path, &st) < 0)
                return diag_set(d, ODM_ENOENT, "%s: there is no such file", path);
        if (st.st_mode & S_IWOTH)
                return diag_set(d, ODM_EACCESS, "%s: anybody may write it", path);
        lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!lib)
                return diag_set(d, ODM_EMALFORMED, "%s", dlerror());
        p = dlsym(lib, SYMBOL);
        if (!p || p->version != ODM_PLUGIN_VERSION || !p->name || strcmp(p->name, name) != 0) {
                dlclose(lib);
                return bad(d, path, "it does not export " SYMBOL " for", name);
        }
        return take(lib, p, path, out, d);
}

int shared_load(const char *folder, const char *name, shared **out, diag *d)
{
        char *path = NULL;
        int rc;

        if (!odm_name_ok(odm_cstr(name)))
                return diag_set(d, ODM_EMALFORMED, "plugin.objects: '%s' is no name", name);
        if (asprintf(&path, "%s/%s.so", folder, name) < 0)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        rc = load(path, name, out, d);
        free(path);
        return rc;
}

/* ---- life -------------------------------------------------------------------------------------- */

static void shared_free(void *ctx)
{
        shared *s = ctx;

        odm_arena_done(&s->arena);
        free(s->bind);
        free(s->path);
        if (s->lib)
                dlclose(s->lib);
        free(s);
}

int shared_mount(shared *s, odm_tree *t, diag *d)
{
        char at[BELOW + 66];
        int rc;

        snprintf(at, sizeof at, "./Vendor/%s", s->p->name);
        s->provider = (odm_provider){.name = s->p->name,
                                     .mo = &s->mo,
                                     .bind = s->bind,
                                     .n_bind = s->p->n_nodes,
                                     .ctx = s,
                                     .commit = on_commit,
                                     .gone = shared_free};
        rc = odm_tree_mount(t, at, &s->provider);
        s->mounted = rc == 0;
        if (rc == ODM_EINVAL)
                return diag_set(d, rc, "%s: a function is bound to a node of the wrong kind",
                                s->path);
        return rc < 0 ? diag_set(d, rc, "%s: %s: %s", s->path, at, odm_err_text(rc)) : 0;
}

int shared_start(shared *s, odm_tree *t)
{
        int rc = 0;

        for (size_t i = 0; i < s->p->n_nodes && rc == 0; i++) {
                const odm_plugin_node *n = &s->p->nodes[i];
                char *uri = NULL;
                if (!n->changed || strchr(n->path, '*'))
                        continue;
                if (asprintf(&uri, "./Vendor/%s/%s", s->p->name, n->path) < 0)
                        rc = ODM_ENOMEM;
                else
                        tell(s, t, odm_cstr(uri));
                free(rc == 0 ? uri : NULL);
        }
        return rc;
}

void shared_close(shared *s)
{
        if (!s)
                return;
        if (s->opened && s->p->close)
                s->p->close(s->ctx);
        s->opened = false;
        if (!s->mounted)
                shared_free(s);
}
