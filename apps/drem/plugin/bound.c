/* SPDX-License-Identifier: Apache-2.0 */
/* A setting is written into its file before the transaction holds, so that a file that cannot be
 * written refuses it; when the transaction is taken back, so is the file. */
#include "bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "odm/vendor.h"
#include "source.h"

#define MEMORY ((size_t)4 << 20)
#define ROOM 512

typedef struct undo { /* what a file held before the transaction that is open */
        struct undo *next;
        const table_node *node;
        size_t n;
        char text[];
} undo;

struct bound {
        table *table;
        odm_tree *tree;
        odm_tasks *tasks;
        odm_arena arena;
        odm_mo mo;
        odm_binding *bind;
        odm_provider provider;
        source **source; /* by node; NULL for those that are not asked */
        undo *undone;
        char at[80];  /* "./Vendor/meter" */
        bool own;     /* the tree changes by us */
        bool mounted; /* the tree has our description, and frees the rest */
};

static const table_node *node_at(const bound *b, odm_str uri)
{
        odm_str rel = odm_str_from(uri, strlen(b->at) + 1);

        for (size_t i = 0; i < b->table->n; i++)
                if (odm_str_is(rel, b->table->node[i].at))
                        return &b->table->node[i];
        return NULL;
}

const table_node *bound_exec(const bound *b, odm_str uri)
{
        size_t n = strlen(b->at);
        const table_node *t;

        if (!odm_str_starts(uri, b->at) || uri.n <= n || uri.p[n] != '/')
                return NULL;
        t = node_at(b, uri);
        return t && t->kind == TABLE_EXEC ? t : NULL;
}

/* ---- values ------------------------------------------------------------------------------- */

static int give(odm_format f, odm_str text, odm_arena *a, odm_value *out)
{
        out->format = f;
        out->data = odm_arena_copy(a, text);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int on_read(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const bound *b = ctx;
        const table_node *t = node_at(b, at->uri);
        odm_str text;
        odm_buf buf;
        int rc;

        if (!t)
                return ODM_ENOENT;
        if (t->kind != TABLE_FILE) {
                const source *s = b->source[t - b->table->node];
                rc = s ? source_value(s, &text) : ODM_ENOENT;
                return rc < 0 ? rc : give(t->format, text, a, out);
        }
        odm_buf_init(&buf, &heap_mem, SOURCE_MOST);
        rc = source_file(t->text, t->format, &buf);
        if (rc == 0)
                rc = give(t->format, odm_buf_view(&buf), a, out);
        odm_buf_done(&buf);
        return rc == ODM_ELIMIT ? ODM_EIO : rc;
}

static int on_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        bound *b = ctx;

        return odm_tasks_exec(b->tasks, &odm_vendor_kind, odm_cstr(b->at), at, op, status);
}

/* ---- settings ----------------------------------------------------------------------------- */

static void forget_undo(bound *b)
{
        while (b->undone) {
                undo *u = b->undone;
                b->undone = u->next;
                free(u);
        }
}

static int keep_undo(bound *b, const table_node *t)
{
        undo *u;
        odm_buf buf;
        int rc;

        for (u = b->undone; u; u = u->next)
                if (u->node == t)
                        return 0;
        odm_buf_init(&buf, &heap_mem, SOURCE_MOST);
        rc = source_file(t->text, t->format, &buf);
        u = rc == 0 ? malloc(sizeof *u + buf.n) : NULL;
        if (rc == 0 && !u)
                rc = ODM_ENOMEM;
        if (u) {
                u->node = t;
                u->n = buf.n;
                if (buf.n)
                        memcpy(u->text, buf.p, buf.n);
                u->next = b->undone;
                b->undone = u;
        }
        odm_buf_done(&buf);
        return rc;
}

static int write_setting(bound *b, odm_tree *tree, const table_node *t, odm_str uri,
                         unsigned *status)
{
        odm_value v = {ODM_FMT_ABSENT};
        diag d = {{0}};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, MEMORY);
        rc = odm_tree_read(tree, uri, &a, &v);
        if (rc == 0)
                rc = keep_undo(b, t);
        if (rc == 0)
                rc = source_put(t->text, t->format, v.data, &d);
        odm_arena_done(&a);
        if (rc == ODM_ENOMEM)
                return rc;
        if (rc < 0) {
                log_warn("a setting cannot be written", log_text("node", t->at),
                         log_text("reason", d.text[0] ? d.text : odm_err_text(rc)));
                *status = ODM_ST_FAILED;
        }
        return 0;
}

static int on_validate(void *ctx, odm_tree *tree, const odm_change *list, unsigned *status)
{
        bound *b = ctx;
        int rc = 0;

        for (const odm_change *c = list; c && rc == 0 && odm_status_ok(*status); c = c->next) {
                const table_node *t = node_at(b, c->uri);
                if (!b->own && t && t->kind == TABLE_SETTING && c->kind == ODM_CHANGE_VALUE)
                        rc = write_setting(b, tree, t, c->uri, status);
        }
        return rc;
}

static int on_commit(void *ctx, odm_tree *tree, const odm_change *list)
{
        (void)tree;
        (void)list;
        forget_undo(ctx);
        return 0;
}

static void on_rollback(void *ctx)
{
        bound *b = ctx;

        for (const undo *u = b->undone; u; u = u->next) {
                diag d = {{0}};
                if (source_put(u->node->text, u->node->format, (odm_str){u->text, u->n}, &d) < 0)
                        log_error("a setting cannot be taken back", log_text("node", u->node->at),
                                  log_text("reason", d.text));
        }
        forget_undo(b);
}

static int drop_leaf(bound *b, odm_str uri)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = uri};
        odm_answer got = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, MEMORY);
        rc = odm_tree_do(b->tree, &op, loop_wall(), &a, &got);
        odm_arena_done(&a);
        return rc;
}

/* The leaf becomes what the file is: another value, or not there. */
static int refresh_one(bound *b, const table_node *t, bool *moved)
{
        char uri[ROOM];
        odm_value old = {ODM_FMT_ABSENT}, now = {.format = t->format};
        odm_arena a;
        odm_buf buf;
        int rc, had;

        snprintf(uri, sizeof uri, "%s/%s", b->at, t->at);
        odm_arena_init(&a, &heap_mem, MEMORY);
        odm_buf_init(&buf, &heap_mem, SOURCE_MOST);
        had = odm_tree_read(b->tree, odm_cstr(uri), &a, &old);
        rc = source_file(t->text, t->format, &buf);
        now.data = odm_buf_view(&buf);
        b->own = true;
        if (rc == 0 && (had < 0 || !odm_str_eq(old.data, now.data))) {
                rc = odm_tree_write(b->tree, odm_cstr(uri), &now, loop_wall());
                *moved |= rc == 0;
        } else if (rc < 0 && rc != ODM_ENOMEM) {
                rc = had < 0 ? 0 : drop_leaf(b, odm_cstr(uri));
                *moved |= had == 0 && rc == 0;
        }
        b->own = false;
        odm_buf_done(&buf);
        odm_arena_done(&a);
        return rc;
}

int bound_refresh(bound *b, bool *moved)
{
        int rc = 0;

        if (odm_tree_in_transaction(b->tree))
                return ODM_ESTATE;
        for (size_t i = 0; i < b->table->n && rc == 0; i++)
                if (b->table->node[i].kind == TABLE_SETTING)
                        rc = refresh_one(b, &b->table->node[i], moved);
        return rc;
}

int64_t bound_interval(const bound *b)
{
        int64_t least = -1;

        for (size_t i = 0; i < b->table->n; i++) {
                const table_node *t = &b->table->node[i];
                if (t->kind == TABLE_SETTING && (least < 0 || t->refresh_ms < least))
                        least = t->refresh_ms;
        }
        return least;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void bound_free(void *ctx)
{
        bound *b = ctx;

        forget_undo(b);
        odm_arena_done(&b->arena);
        free(b->bind);
        free(b->source);
        table_free(b->table);
        free(b);
}

static int describe(bound *b, diag *d)
{
        const char *why = "";
        odm_doc *doc = NULL;
        int rc = table_describe(b->table, &b->arena, &doc);

        if (rc == 0)
                rc = odm_mo_from_doc(doc->nodes, &b->arena, &b->mo, &why);
        return rc == ODM_EMALFORMED ? diag_set(d, rc, "%s: %s", b->table->name, why) : rc;
}

static int make_bindings(bound *b)
{
        b->bind = calloc(b->table->n + 1, sizeof *b->bind);
        b->source = calloc(b->table->n + 1, sizeof(source *));
        if (!b->bind || !b->source)
                return ODM_ENOMEM;
        for (size_t i = 0; i < b->table->n; i++) {
                const table_node *t = &b->table->node[i];
                b->bind[i] = (odm_binding){.path = t->at};
                if (t->kind == TABLE_EXEC)
                        b->bind[i].exec = on_exec;
                else if (t->kind != TABLE_SETTING)
                        b->bind[i].read = on_read;
        }
        b->provider = (odm_provider){.name = b->table->name,
                                     .mo = &b->mo,
                                     .bind = b->bind,
                                     .n_bind = b->table->n,
                                     .ctx = b,
                                     .validate = on_validate,
                                     .commit = on_commit,
                                     .rollback = on_rollback,
                                     .gone = bound_free};
        return 0;
}

int bound_mount(table *t, odm_tree *tree, odm_tasks *tasks, bound **out, diag *d)
{
        bound *b = calloc(1, sizeof *b);
        int rc;

        if (!b) {
                table_free(t);
                return diag_set(d, ODM_ENOMEM, "out of memory");
        }
        b->table = t;
        b->tree = tree;
        b->tasks = tasks;
        snprintf(b->at, sizeof b->at, "./Vendor/%s", t->name);
        odm_arena_init(&b->arena, &heap_mem, MEMORY);
        rc = describe(b, d);
        if (rc == 0)
                rc = make_bindings(b);
        if (rc == 0)
                rc = odm_tree_mount(tree, b->at, &b->provider);
        b->mounted = rc == 0;
        if (rc < 0 && d && !d->text[0])
                diag_set(d, rc, "%s: %s", b->at, odm_err_text(rc));
        if (rc < 0)
                bound_close(b);
        else
                *out = b;
        return rc;
}

int bound_open(bound *b, loop *l)
{
        int rc = 0;

        for (size_t i = 0; i < b->table->n && rc == 0; i++) {
                const table_node *t = &b->table->node[i];
                if (t->kind == TABLE_COMMAND || t->kind == TABLE_DBUS)
                        rc = source_open(l, t, NULL, NULL, &b->source[i]);
        }
        return rc;
}

void bound_close(bound *b)
{
        if (!b)
                return;
        for (size_t i = 0; b->source && i < b->table->n; i++) {
                source_close(b->source[i]);
                b->source[i] = NULL;
        }
        if (!b->mounted)
                bound_free(b);
}
