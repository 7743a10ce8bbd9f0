/* SPDX-License-Identifier: Apache-2.0 */
/* fake.c - devices in memory behind the table of functions of an adapter; see fake.h.
 *
 * A call is copied, done when the device gets to it, and answered at once after that.  Running out
 * of memory ends the test. */
#include "fake.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

struct fnode {
        char *path, *type, *value; /* value NULL: interior */
        odm_format format;
};

struct refusal {
        struct refusal *next;
        char *path, *text; /* path NULL: all */
        unsigned status;
};

struct fake_device {
        struct fake_device *next;
        fake *f;
        char *id, *key, *protocol;
        gw_device *record;
        unsigned why, caps;
        bool attached, awake, is_gateway, commands;
        loop_timer nap; /* the end of fake_wake(d, ms) */
        int64_t interval_s, awake_s, lifetime_s, delay_ms;
        struct fnode *v; /* parents before children */
        size_t n;
        struct refusal *refusals;
        int64_t later_ms;
        char *later_type;
        int later_result;
};

enum what { READ, WRITE, CREATE, REMOVE, EXEC, OBSERVE, WAKE, COMMANDS };

struct call {
        struct call *next;
        fake_device *d;
        uint64_t id;
        enum what what;
        odm_arena arena; /* what was asked, and the answer */
        adapter_node *v; /* paths and values */
        size_t n;
        adapter_list list;
        odm_str arg, correlator;
        const odm_command *cmds;
        void (*done)(void *ctx, uint64_t id, unsigned status, odm_str text, const adapter_answer *v,
                     size_t n);
        void *ctx;
        loop_timer timer;
};

struct final { /* a final alert that is to come */
        struct final *next;
        fake_device *d;
        loop_timer timer;
        char *source, *correlator;
};

struct fake {
        adapter_host host;
        fake_device *devices;
        struct call *calls;
        struct final *finals;
        char log[16384];
        size_t logged;
        unsigned total;
};

static fake *latest;

static void *must(void *p)
{
        if (p == NULL)
                abort();
        return p;
}

static char *dup_str(odm_str s)
{
        return s.p ? must(strndup(s.p, s.n)) : NULL;
}

static char *dup_z(const char *z)
{
        return z ? must(strdup(z)) : NULL;
}

static odm_str lend(odm_arena *a, odm_str s)
{
        odm_str copy = odm_arena_copy(a, s);

        if (s.p)
                must((void *)(uintptr_t)copy.p);
        return copy;
}

/* ---- the log -------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) note(fake *f, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        int n = vsnprintf(f->log + f->logged, sizeof f->log - f->logged, fmt, ap);
        va_end(ap);
        if (n > 0)
                f->logged += (size_t)n < sizeof f->log - f->logged ? (size_t)n
                                                                   : sizeof f->log - f->logged - 1;
}

static const char *const words[] = {"read", "write",   "create", "remove",
                                    "exec", "observe", "wake",   "commands"};

static void note_call(const struct call *c)
{
        fake *f = c->d->f;

        note(f, "%s %s", words[c->what], c->d->key ? c->d->key : c->d->id);
        for (size_t i = 0; i < c->n; i++) {
                note(f, " %.*s", (int)c->v[i].path.n, c->v[i].path.p);
                if (c->what == WRITE || c->what == CREATE)
                        note(f, "=%.*s", (int)c->v[i].value.data.n,
                             c->v[i].value.data.p ? c->v[i].value.data.p : "");
        }
        if (c->arg.n)
                note(f, " %.*s", (int)c->arg.n, c->arg.p);
        if (c->what == COMMANDS) {
                unsigned n = 0;
                for (const odm_command *k = c->cmds; k; k = k->next)
                        n++;
                note(f, " %u", n);
        }
        note(f, "\n");
}

const char *fake_log(const fake *f)
{
        return f->log;
}

void fake_log_clear(fake *f)
{
        f->log[0] = '\0';
        f->logged = 0;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

/* In tree order: '/' before all other characters. */
static int path_cmp(odm_str a, odm_str b)
{
        for (size_t i = 0; i < a.n && i < b.n; i++) {
                int x = a.p[i] == '/' ? 1 : (unsigned char)a.p[i];
                int y = b.p[i] == '/' ? 1 : (unsigned char)b.p[i];
                if (x != y)
                        return x - y;
        }
        return a.n < b.n ? -1 : a.n > b.n;
}

static bool is_below(odm_str path, odm_str top)
{
        return path.n > top.n && memcmp(path.p, top.p, top.n) == 0 && path.p[top.n] == '/';
}

static struct fnode *find(const fake_device *d, odm_str path)
{
        for (size_t i = 0; i < d->n; i++)
                if (odm_str_eq(odm_cstr(d->v[i].path), path))
                        return &d->v[i];
        return NULL;
}

static void fnode_done(struct fnode *n)
{
        free(n->path);
        free(n->type);
        free(n->value);
}

static struct fnode *insert(fake_device *d, odm_str path)
{
        size_t i = 0;

        d->v = must(realloc(d->v, (d->n + 1) * sizeof *d->v));
        while (i < d->n && path_cmp(odm_cstr(d->v[i].path), path) < 0)
                i++;
        memmove(d->v + i + 1, d->v + i, (d->n - i) * sizeof *d->v);
        d->n++;
        d->v[i] = (struct fnode){.path = dup_str(path), .format = ODM_FMT_NODE};
        return &d->v[i];
}

/* The node, with interior ones on its way. */
static struct fnode *make(fake_device *d, odm_str path)
{
        for (size_t i = 2; i < path.n; i++)
                if (path.p[i] == '/' && find(d, odm_str_to(path, i)) == NULL)
                        insert(d, odm_str_to(path, i));
        struct fnode *n = find(d, path);
        return n ? n : insert(d, path);
}

static void put(fake_device *d, odm_str path, odm_value v)
{
        struct fnode *n = make(d, path);

        if (v.format != ODM_FMT_ABSENT)
                n->format = v.format;
        else if (n->value == NULL)
                n->format = ODM_FMT_CHR;
        if (v.type.n) {
                free(n->type);
                n->type = dup_str(v.type);
        }
        if (n->format == ODM_FMT_NODE)
                return;
        free(n->value);
        n->value = dup_str(v.data.p ? v.data : ODM_STR(""));
}

static void drop(fake_device *d, odm_str top)
{
        size_t n = 0;

        for (size_t i = 0; i < d->n; i++) {
                odm_str p = odm_cstr(d->v[i].path);
                if (odm_str_eq(p, top) || is_below(p, top))
                        fnode_done(&d->v[i]);
                else
                        d->v[n++] = d->v[i];
        }
        d->n = n;
}

static bool can_exec(const struct fnode *n)
{
        return n->type && strcmp(n->type, FAKE_EXEC) == 0;
}

void fake_set(fake_device *d, const char *path, const char *value, odm_format format)
{
        put(d, odm_cstr(path), (odm_value){.format = format, .data = odm_cstr(value)});
}

void fake_interior(fake_device *d, const char *path, const char *type)
{
        put(d, odm_cstr(path), (odm_value){.format = ODM_FMT_NODE, .type = odm_cstr(type)});
}

void fake_exec(fake_device *d, const char *path)
{
        put(d, odm_cstr(path), (odm_value){.format = ODM_FMT_NULL, .type = ODM_STR(FAKE_EXEC)});
}

void fake_drop(fake_device *d, const char *path)
{
        drop(d, odm_cstr(path));
}

const char *fake_value(const fake_device *d, const char *path)
{
        const struct fnode *n = find(d, odm_cstr(path));

        return n ? n->value : NULL;
}

/* ---- doing a call ----------------------------------------------------------------------------- */

struct answer {
        unsigned status;
        odm_str text;
        adapter_node *v;
        size_t n;
};

static const struct refusal *refused(const fake_device *d, odm_str path)
{
        for (const struct refusal *r = d->refusals; r; r = r->next)
                if (r->path == NULL || odm_str_is(path, r->path))
                        return r;
        return NULL;
}

static bool refuse(const fake_device *d, odm_str path, struct answer *a)
{
        const struct refusal *r = refused(d, path);

        if (r == NULL)
                return false;
        a->status = r->status;
        a->text = odm_cstr(r->text);
        return true;
}

static void tell_node(struct call *c, struct answer *a, const struct fnode *n, bool data)
{
        if (a->n % 16 == 0) {
                adapter_node *more = must(odm_arena_get(&c->arena, (a->n + 16) * sizeof *more));
                if (a->n)
                        memcpy(more, a->v, a->n * sizeof *more);
                a->v = more;
        }
        a->v[a->n++] = (adapter_node){
                .path = lend(&c->arena, odm_cstr(n->path)),
                .value = {.format = n->format,
                          .type = n->type && !can_exec(n) ? lend(&c->arena, odm_cstr(n->type))
                                                          : ODM_ABSENT,
                          .data = data && n->value ? lend(&c->arena, odm_cstr(n->value))
                                                   : ODM_ABSENT},
                .has_data = data && n->value,
        };
}

static unsigned levels_below(odm_str path, odm_str top)
{
        unsigned n = 0;

        for (size_t i = top.n; i < path.n; i++)
                n += path.p[i] == '/';
        return n;
}

static void do_read(struct call *c, odm_str path, adapter_list list, struct answer *a)
{
        fake_device *d = c->d;
        struct fnode *top = find(d, path);
        bool all = odm_str_is(path, ".");

        if (refuse(d, path, a))
                return;
        if (top == NULL && !all) {
                a->status = ODM_ST_NOT_FOUND;
                return;
        }
        if (top)
                tell_node(c, a, top, list != ADAPTER_LIST_STRUCT);
        for (size_t i = 0; i < d->n; i++) {
                odm_str p = odm_cstr(d->v[i].path);
                if (!is_below(p, path))
                        continue;
                if (list == ADAPTER_LIST_NONE && levels_below(p, path) == 1)
                        tell_node(c, a, &d->v[i], false);
                else if (list != ADAPTER_LIST_NONE && refused(d, p) == NULL)
                        tell_node(c, a, &d->v[i], list == ADAPTER_LIST_DATA);
        }
}

static unsigned may_write(const fake_device *d, const adapter_node *v)
{
        const struct fnode *n = find(d, v->path);

        if (n == NULL)
                return ODM_ST_NOT_FOUND;
        return n->value && !can_exec(n) ? ODM_ST_OK : ODM_ST_NOT_ALLOWED;
}

#define TASKS "./GwMO/Fanout/Fanout"
#define TASKS_MAX 1000

/* A task of a gateway's, which can be started then. */
static bool is_task(const fake_device *d, odm_str path)
{
        return d->is_gateway && is_below(path, ODM_STR(TASKS)) &&
               levels_below(path, ODM_STR(TASKS)) == 1;
}

static bool has_room(const fake_device *d)
{
        size_t n = 0;

        for (size_t i = 0; i < d->n; i++)
                n += is_task(d, odm_cstr(d->v[i].path));
        return n < TASKS_MAX;
}

static void put_new(fake_device *d, const adapter_node *v)
{
        char path[128];

        put(d, v->path, v->value);
        if (!is_task(d, v->path))
                return;
        (void)snprintf(path, sizeof path, "%.*s/Operations/Start", (int)v->path.n, v->path.p);
        fake_exec(d, path);
}

static void do_change(struct call *c, const adapter_node *v, size_t n, bool create,
                      struct answer *a)
{
        for (size_t i = 0; i < n; i++) {
                if (refuse(c->d, v[i].path, a))
                        return;
                if (!create)
                        a->status = may_write(c->d, &v[i]);
                else if (find(c->d, v[i].path))
                        a->status = ODM_ST_EXISTS;
                else if (is_task(c->d, v[i].path) && !has_room(c->d))
                        a->status = ODM_ST_FULL;
                if (a->status != ODM_ST_OK)
                        return;
        }
        for (size_t i = 0; i < n; i++)
                put_new(c->d, &v[i]);
}

static void do_remove(struct call *c, odm_str path, struct answer *a)
{
        if (refuse(c->d, path, a))
                return;
        if (find(c->d, path) == NULL)
                a->status = ODM_ST_NOT_FOUND;
        else
                drop(c->d, path);
}

/* ---- executes and their final alerts --------------------------------------------------------- */

static void final_free(struct final *x)
{
        struct final **at = &x->d->f->finals;

        loop_timer_stop(&x->timer);
        while (*at != x)
                at = &(*at)->next;
        *at = x->next;
        free(x->source);
        free(x->correlator);
        free(x);
}

static int tell_alert(fake_device *d, const odm_alert *a)
{
        if (d->record == NULL)
                return ODM_ESTATE;
        return d->f->host.alert(d->f->host.ctx, d->record, a, (odm_wall){0});
}

static void on_final(void *ctx)
{
        struct final *x = ctx;
        fake_device *d = x->d;
        char data[16];
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = odm_cstr(x->source),
                       .type = odm_cstr(d->later_type),
                       .mark = ODM_STR("informational"),
                       .format = ODM_FMT_INT,
                       .correlator = odm_cstr(x->correlator)};

        snprintf(data, sizeof data, "%d", d->later_result);
        a.data = odm_cstr(data);
        if (d->awake)
                (void)!tell_alert(d, &a);
        final_free(x);
}

static void final_begin(fake_device *d, odm_str source, odm_str correlator)
{
        struct final *x = must(calloc(1, sizeof *x));

        *x = (struct final){.next = d->f->finals,
                            .d = d,
                            .timer = {.fn = on_final, .ctx = x},
                            .source = dup_str(source),
                            .correlator = dup_str(correlator)};
        d->f->finals = x;
        if (loop_timer_set(d->f->host.loop, &x->timer, odm_time_add(loop_now(), d->later_ms)) != 0)
                abort();
}

static void do_exec(struct call *c, odm_str path, odm_str correlator, struct answer *a)
{
        const struct fnode *n = find(c->d, path);

        if (refuse(c->d, path, a))
                return;
        if (n == NULL || !can_exec(n))
                a->status = n ? ODM_ST_NOT_ALLOWED : ODM_ST_NOT_FOUND;
        else if (c->d->later_type)
                a->status = ODM_ST_ACCEPTED;
        if (a->status == ODM_ST_ACCEPTED)
                final_begin(c->d, path, correlator);
}

/* ---- whole lists of commands ------------------------------------------------------------------ */

struct run {
        struct call *c;
        adapter_answer *v;
        size_t n;
};

static size_t count(const odm_command *list)
{
        size_t n = 0;

        for (const odm_command *k = list; k; k = k->next)
                n += 1 + (k->body ? count(k->body) : 0);
        return n;
}

static void do_item(struct call *c, const odm_command *k, const odm_item *it, struct answer *a)
{
        odm_str path = it->target;
        adapter_list list = ADAPTER_LIST_NONE;
        odm_meta m = odm_meta_of(k, it);
        adapter_node v = {.value = {m.format, m.type, it->data.bytes}, .has_data = true};

        for (size_t i = 0; i < path.n; i++) {
                if (path.p[i] != '?')
                        continue;
                list = odm_str_is(odm_str_from(path, i), "?list=Struct") ? ADAPTER_LIST_STRUCT
                                                                         : ADAPTER_LIST_DATA;
                path = odm_str_to(path, i);
        }
        v.path = path;
        switch (k->kind) {
        case ODM_CMD_GET: do_read(c, path, list, a); break;
        case ODM_CMD_REPLACE: do_change(c, &v, 1, false, a); break;
        case ODM_CMD_ADD: do_change(c, &v, 1, true, a); break;
        case ODM_CMD_DELETE: do_remove(c, path, a); break;
        case ODM_CMD_EXEC: do_exec(c, path, k->correlator, a); break;
        default: a->status = ODM_ST_UNSUPPORTED;
        }
}

static void do_simple(struct run *r, const odm_command *k)
{
        struct answer a = {.status = ODM_ST_OK};

        for (const odm_item *it = k->items; it && a.status < 300; it = it->next)
                do_item(r->c, k, it, &a);
        r->v[r->n++] = (adapter_answer){.status = a.status, .text = a.text, .nodes = a.v, .n = a.n};
}

static struct fnode *copy_nodes(const fake_device *d)
{
        struct fnode *v = must(calloc(d->n + 1, sizeof *v));

        for (size_t i = 0; i < d->n; i++)
                v[i] = (struct fnode){dup_z(d->v[i].path), dup_z(d->v[i].type),
                                      dup_z(d->v[i].value), d->v[i].format};
        return v;
}

static void free_nodes(struct fnode *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                fnode_done(&v[i]);
        free(v);
}

/* Members of an Atomic: all of them or none. */
static void do_atomic(struct run *r, const odm_command *k)
{
        fake_device *d = r->c->d;
        struct fnode *before = copy_nodes(d);
        size_t n_before = d->n, top = r->n++;
        bool good = true;

        for (const odm_command *m = k->body; m; m = m->next) {
                if (!good) {
                        r->v[r->n++].status = ODM_ST_NOT_EXECUTED;
                        continue;
                }
                do_simple(r, m);
                good = odm_status_ok(r->v[r->n - 1].status);
                for (size_t i = top + 1; !good && i + 1 < r->n; i++)
                        r->v[i] = (adapter_answer){.status = ODM_ST_ROLLED_BACK};
        }
        r->v[top].status = good ? ODM_ST_OK : ODM_ST_ATOMIC_FAILED;
        if (good) {
                free_nodes(before, n_before);
                return;
        }
        free_nodes(d->v, d->n);
        d->v = before;
        d->n = n_before;
}

static void do_commands(struct call *c)
{
        size_t n = count(c->cmds);
        struct run r = {.c = c, .v = must(odm_arena_zget(&c->arena, (n + 1) * sizeof *r.v))};

        for (const odm_command *k = c->cmds; k; k = k->next) {
                if (k->kind == ODM_CMD_ATOMIC) {
                        do_atomic(&r, k);
                } else if (k->kind == ODM_CMD_SEQUENCE) {
                        r.v[r.n++].status = ODM_ST_OK;
                        for (const odm_command *m = k->body; m; m = m->next)
                                do_simple(&r, m);
                } else {
                        do_simple(&r, k);
                }
        }
        assert(r.n == n);
        c->done(c->ctx, c->id, ODM_ST_OK, ODM_ABSENT, r.v, r.n);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void unlink_call(struct call *c)
{
        struct call **at = &c->d->f->calls;

        while (*at != c)
                at = &(*at)->next;
        *at = c->next;
        loop_timer_stop(&c->timer);
}

static void call_free(struct call *c)
{
        odm_arena_done(&c->arena);
        free(c);
}

static void do_call(struct call *c, struct answer *a)
{
        switch (c->what) {
        case READ:
                for (size_t i = 0; i < c->n && a->status == ODM_ST_OK; i++)
                        do_read(c, c->v[i].path, c->list, a);
                break;
        case WRITE:
        case CREATE: do_change(c, c->v, c->n, c->what == CREATE, a); break;
        case REMOVE: do_remove(c, c->v[0].path, a); break;
        case EXEC: do_exec(c, c->v[0].path, c->correlator, a); break;
        case OBSERVE:
                if (!refuse(c->d, c->v[0].path, a) && find(c->d, c->v[0].path) == NULL)
                        a->status = ODM_ST_NOT_FOUND;
                break;
        case WAKE: refuse(c->d, ODM_ABSENT, a); break;
        case COMMANDS: break;
        }
}

/* The device gets to it: it is done, answered and gone. */
static void on_call(void *ctx)
{
        struct call *c = ctx;
        struct answer a = {.status = ODM_ST_OK};
        const adapter_host *h = &c->d->f->host;

        unlink_call(c);
        if (c->what == COMMANDS) {
                do_commands(c);
                call_free(c);
                return;
        }
        do_call(c, &a);
        adapter_reply r = {.status = a.status, .text = a.text};
        if (a.status == ODM_ST_OK) {
                r.nodes = a.v;
                r.n = a.n;
        }
        h->reply(h->ctx, c->id, &r);
        call_free(c);
}

static void call_go(struct call *c)
{
        fake_device *d = c->d;

        if ((!d->awake && c->what != WAKE) || d->delay_ms == FAKE_SILENT)
                return;
        if (d->delay_ms == 0)
                on_call(c);
        else if (loop_timer_set(d->f->host.loop, &c->timer,
                                odm_time_add(loop_now(), d->delay_ms)) != 0)
                abort();
}

static struct call *call_new(fake_device *d, uint64_t id, enum what what, size_t n)
{
        struct call *c = must(calloc(1, sizeof *c));

        *c = (struct call){.d = d, .id = id, .what = what, .n = n};
        c->timer = (loop_timer){.fn = on_call, .ctx = c};
        odm_arena_init(&c->arena, &heap_mem, (size_t)64 << 20);
        c->v = must(odm_arena_zget(&c->arena, (n + 1) * sizeof *c->v));
        return c;
}

static void call_begin(struct call *c)
{
        fake *f = c->d->f;
        struct call **at = &f->calls;

        while (*at)
                at = &(*at)->next;
        *at = c;
        f->total++;
        note_call(c);
        call_go(c);
}

static void copy_node(struct call *c, size_t i, const adapter_node *v)
{
        c->v[i] = (adapter_node){.path = lend(&c->arena, v->path),
                                 .value = {v->value.format, lend(&c->arena, v->value.type),
                                           lend(&c->arena, v->value.data)},
                                 .has_data = v->has_data};
}

static void f_read(void *a, uint64_t id, gw_device *d, void *native, const odm_str *paths, size_t n,
                   adapter_list list, int64_t deadline_ms)
{
        struct call *c = call_new(native, id, READ, n);

        (void)a, (void)d, (void)deadline_ms;
        for (size_t i = 0; i < n; i++)
                c->v[i].path = lend(&c->arena, paths[i]);
        c->list = list;
        call_begin(c);
}

static void change(void *native, uint64_t id, enum what what, const adapter_node *v, size_t n)
{
        struct call *c = call_new(native, id, what, n);

        for (size_t i = 0; i < n; i++)
                copy_node(c, i, &v[i]);
        call_begin(c);
}

static void f_write(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                    size_t n, int64_t deadline_ms)
{
        (void)a, (void)d, (void)deadline_ms;
        change(native, id, WRITE, v, n);
}

static void f_create(void *a, uint64_t id, gw_device *d, void *native, const adapter_node *v,
                     size_t n, int64_t deadline_ms)
{
        (void)a, (void)d, (void)deadline_ms;
        change(native, id, CREATE, v, n);
}

/* A call on one path; `arg` may be absent. */
static void on_path(void *native, uint64_t id, enum what what, odm_str path, odm_str arg,
                    odm_str correlator)
{
        struct call *c = call_new(native, id, what, 1);

        c->v[0].path = lend(&c->arena, path);
        c->arg = lend(&c->arena, arg);
        c->correlator = lend(&c->arena, correlator);
        call_begin(c);
}

static void f_remove(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                     int64_t deadline_ms)
{
        (void)a, (void)d, (void)deadline_ms;
        on_path(native, id, REMOVE, path, ODM_ABSENT, ODM_ABSENT);
}

static void f_execute(void *a, uint64_t id, gw_device *d, void *native, odm_str path, odm_str arg,
                      odm_str correlator, int64_t deadline_ms)
{
        (void)a, (void)d, (void)deadline_ms;
        on_path(native, id, EXEC, path, arg, correlator);
}

static void f_observe(void *a, uint64_t id, gw_device *d, void *native, odm_str path,
                      const adapter_attrs *attrs, int64_t deadline_ms)
{
        (void)a, (void)d, (void)deadline_ms;
        on_path(native, id, OBSERVE, path, attrs && attrs->off ? ODM_STR("off") : ODM_ABSENT,
                ODM_ABSENT);
}

static void f_wake(void *a, uint64_t id, gw_device *d, void *native, odm_str notification,
                   odm_str server_id)
{
        struct call *c = call_new(native, id, WAKE, 0);

        (void)a, (void)d, (void)server_id;
        if (notification.p)
                c->arg = odm_arena_fmt(&c->arena, "%zu", notification.n);
        call_begin(c);
}

static void f_commands(void *a, uint64_t id, gw_device *d, void *native, const odm_command *list,
                       int64_t deadline_ms,
                       void (*done)(void *ctx, uint64_t id, unsigned status, odm_str text,
                                    const adapter_answer *v, size_t n),
                       void *ctx)
{
        struct call *c = call_new(native, id, COMMANDS, 0);

        (void)a, (void)d, (void)deadline_ms;
        c->cmds = list;
        c->done = done;
        c->ctx = ctx;
        call_begin(c);
}

static void f_cancel(void *a, uint64_t id)
{
        fake *f = a;

        for (struct call *c = f->calls; c; c = c->next) {
                if (c->id != id)
                        continue;
                note(f, "cancel %s\n", c->d->key ? c->d->key : c->d->id);
                unlink_call(c);
                call_free(c);
                return;
        }
}

/* ---- devices -------------------------------------------------------------------------------- */

static void on_nap(void *ctx)
{
        fake_device *d = ctx;

        d->awake = false;
        d->f->host.asleep(d->f->host.ctx, d->record, d->interval_s > 0 ? d->interval_s * 1000 : 0);
}

fake_device *fake_new(fake *f, const char *id)
{
        fake_device *d = must(calloc(1, sizeof *d));

        *d = (fake_device){
                .next = f->devices, .f = f, .id = dup_z(id), .protocol = dup_z("FAKE/1")};
        d->nap = (loop_timer){.fn = on_nap, .ctx = d};
        d->caps = ADAPTER_READ | ADAPTER_WRITE | ADAPTER_CREATE | ADAPTER_DELETE | ADAPTER_EXECUTE |
                  ADAPTER_OBSERVE | ADAPTER_WAKE | ADAPTER_LIST;
        f->devices = d;
        fake_interior(d, "./DevInfo", "urn:oma:mo:oma-dm-devinfo:1.1");
        fake_set(d, "./DevInfo/DevId", id, ODM_FMT_CHR);
        fake_set(d, "./DevInfo/Man", "Fake", ODM_FMT_CHR);
        fake_set(d, "./DevInfo/Mod", "F1", ODM_FMT_CHR);
        fake_set(d, "./DevInfo/DmV", "1.2", ODM_FMT_CHR);
        fake_set(d, "./DevInfo/Lang", "en", ODM_FMT_CHR);
        fake_interior(d, "./DevDetail", "urn:oma:mo:oma-dm-devdetail:1.1");
        fake_set(d, "./DevDetail/FwV", "1.0", ODM_FMT_CHR);
        fake_set(d, "./DevDetail/SwV", "1.0", ODM_FMT_CHR);
        fake_set(d, "./DevDetail/HwV", "1.0", ODM_FMT_CHR);
        fake_set(d, "./DevDetail/DevTyp", "sensor", ODM_FMT_CHR);
        fake_interior(d, "./FUMO/main", "urn:oma:mo:oma-fumo:1.0");
        fake_set(d, "./FUMO/main/PkgName", "", ODM_FMT_CHR);
        fake_set(d, "./FUMO/main/State", "10", ODM_FMT_INT);
        fake_exec(d, "./FUMO/main/Update");
        fake_interior(d, "./FUMO/main/DownloadAndUpdate", FAKE_EXEC);
        fake_set(d, "./FUMO/main/DownloadAndUpdate/PkgURL", "", ODM_FMT_CHR);
        fake_exec(d, "./Reboot/Now");
        fake_interior(d, "./Ext", NULL);
        return d;
}

fake_device *fake_find(fake *f, const char *id)
{
        fake_device *d = f->devices;

        while (d && strcmp(d->id, id) != 0)
                d = d->next;
        return d;
}

void fake_protocol(fake_device *d, const char *protocol)
{
        free(d->protocol);
        d->protocol = dup_z(protocol);
}

void fake_is_gateway(fake_device *d, bool is)
{
        d->is_gateway = is;
}

void fake_pattern(fake_device *d, int64_t wake_interval_s, int64_t awake_s)
{
        d->interval_s = wake_interval_s;
        d->awake_s = awake_s;
}

void fake_lifetime(fake_device *d, int64_t s)
{
        d->lifetime_s = s;
}

/* The MO identifiers of its tree. */
static size_t objects_of(const fake_device *d, odm_str *out, size_t most)
{
        size_t n = 0;

        for (size_t i = 0; i < d->n && n < most; i++)
                if (d->v[i].format == ODM_FMT_NODE && d->v[i].type && !can_exec(&d->v[i]))
                        out[n++] = odm_cstr(d->v[i].type);
        return n;
}

static gw_device *say_seen(fake_device *d)
{
        odm_str mos[16];
        adapter_device x = {.id = odm_cstr(d->id),
                            .protocol = odm_cstr(d->protocol),
                            .addr = ODM_STR("memory"),
                            .addr_type = ODM_STR("URI"),
                            .man = odm_cstr(fake_value(d, "./DevInfo/Man")),
                            .mod = odm_cstr(fake_value(d, "./DevInfo/Mod")),
                            .dev_type = odm_cstr(fake_value(d, "./DevDetail/DevTyp")),
                            .fwv = odm_cstr(fake_value(d, "./DevDetail/FwV")),
                            .swv = odm_cstr(fake_value(d, "./DevDetail/SwV")),
                            .hwv = odm_cstr(fake_value(d, "./DevDetail/HwV")),
                            .mos = mos,
                            .is_gateway = d->is_gateway,
                            .lifetime_s = d->lifetime_s,
                            .wake_interval_s = d->interval_s,
                            .awake_s = d->awake_s};

        x.n_mos = objects_of(d, mos, ODM_COUNT(mos));
        return d->f->host.seen(d->f->host.ctx, &fake_class, &x, d, &d->why);
}

gw_device *fake_attach(fake_device *d)
{
        d->record = say_seen(d);
        d->attached = d->record != NULL;
        if (d->record)
                fake_wake(d, 0);
        return d->record;
}

unsigned fake_why(const fake_device *d)
{
        return d->why;
}

gw_device *fake_record(const fake_device *d)
{
        return d->record;
}

/* What waited for the device, oldest first; a reply may bring new calls. */
static void call_all(fake_device *d)
{
        struct call *c = d->f->calls;

        while (c) {
                if (c->d != d || c->timer.in) {
                        c = c->next;
                        continue;
                }
                unsigned before = d->f->total;
                struct call *next = c->next;
                call_go(c);
                if (d->delay_ms == FAKE_SILENT)
                        return;
                c = d->f->total == before ? next : d->f->calls;
        }
}

void fake_wake(fake_device *d, int64_t ms)
{
        if (d->record == NULL)
                return;
        d->awake = true;
        loop_timer_stop(&d->nap);
        if (ms && loop_timer_set(d->f->host.loop, &d->nap, odm_time_add(loop_now(), ms)) != 0)
                abort();
        d->f->host.awake(d->f->host.ctx, d->record, ms);
        call_all(d);
}

void fake_sleep(fake_device *d, int64_t ms)
{
        d->awake = false;
        loop_timer_stop(&d->nap);
        d->f->host.asleep(d->f->host.ctx, d->record, ms);
}

void fake_go(fake_device *d, adapter_gone why)
{
        d->awake = d->attached = false;
        loop_timer_stop(&d->nap);
        d->f->host.gone(d->f->host.ctx, d->record, why);
}

bool fake_is_awake(const fake_device *d)
{
        return d->awake;
}

size_t fake_children(const fake_device *d, const char *path)
{
        size_t n = 0;

        for (size_t i = 0; i < d->n; i++)
                n += is_below(odm_cstr(d->v[i].path), odm_cstr(path)) &&
                     levels_below(odm_cstr(d->v[i].path), odm_cstr(path)) == 1;
        return n;
}

void fake_delay(fake_device *d, int64_t ms)
{
        d->delay_ms = ms;
}

void fake_refuse(fake_device *d, const char *path, unsigned status, const char *text)
{
        struct refusal **at = &d->refusals;

        while (*at && !odm_str_eq(odm_cstr((*at)->path), odm_cstr(path)))
                at = &(*at)->next;
        if (*at) {
                struct refusal *old = *at;
                *at = old->next;
                free(old->path);
                free(old->text);
                free(old);
        }
        if (status == 0)
                return;
        struct refusal *r = must(calloc(1, sizeof *r));
        *r = (struct refusal){d->refusals, dup_z(path), dup_z(text), status};
        d->refusals = r;
}

void fake_later(fake_device *d, int64_t ms, const char *type, int result)
{
        free(d->later_type);
        d->later_type = dup_z(type);
        d->later_ms = ms;
        d->later_result = result;
}

int fake_alert(fake_device *d, const char *source, const char *type, const char *data,
               const char *mark)
{
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = odm_cstr(source),
                       .type = odm_cstr(type),
                       .mark = odm_cstr(mark),
                       .data = odm_cstr(data)};

        return tell_alert(d, &a);
}

void fake_changed(fake_device *d, const char *path)
{
        const struct fnode *n = find(d, odm_cstr(path));

        assert(n && d->record);
        adapter_node v = {.path = odm_cstr(path),
                          .value = {.format = n->format, .data = odm_cstr(n->value)},
                          .has_data = true};
        d->f->host.changed(d->f->host.ctx, d->record, &v, 1);
}

void fake_caps(fake_device *d, unsigned caps)
{
        d->caps = caps;
}

void fake_commands(fake_device *d, bool on)
{
        d->commands = on;
}

void fake_key(fake_device *d, const char *key)
{
        free(d->key);
        d->key = dup_z(key);
}

unsigned fake_calls(const fake *f)
{
        return f->total;
}

unsigned fake_waiting(const fake *f)
{
        unsigned n = 0;

        for (const struct call *c = f->calls; c; c = c->next)
                n++;
        return n;
}

/* ---- the table -------------------------------------------------------------------------------- */

static bool f_wanted(const cfg *c)
{
        (void)c;
        return true;
}

static int f_open(const adapter_host *h, void **out, diag *d)
{
        fake *f = must(calloc(1, sizeof *f));

        (void)d;
        f->host = *h;
        latest = f;
        *out = f;
        return 0;
}

static void f_enumerate(void *a)
{
        fake *f = a;

        for (fake_device *d = f->devices; d; d = d->next)
                fake_attach(d);
}

static unsigned f_caps(void *a, gw_device *d, void *native)
{
        const fake_device *x = native;

        (void)a, (void)d;
        return x->caps | (x->commands ? ADAPTER_COMMANDS : 0u);
}

static void f_forget(void *a, gw_device *d, void *native)
{
        fake_device *x = native;

        (void)a, (void)d;
        x->record = NULL;
        x->attached = x->awake = false;
        loop_timer_stop(&x->nap);
}

static void device_free(fake_device *d)
{
        loop_timer_stop(&d->nap);
        for (struct refusal *r = d->refusals, *next; r; r = next) {
                next = r->next;
                free(r->path);
                free(r->text);
                free(r);
        }
        free_nodes(d->v, d->n);
        free(d->id);
        free(d->key);
        free(d->protocol);
        free(d->later_type);
        free(d);
}

static void f_close(void *a)
{
        fake *f = a;

        while (f->calls) {
                struct call *c = f->calls;
                unlink_call(c);
                call_free(c);
        }
        while (f->finals)
                final_free(f->finals);
        for (fake_device *d = f->devices, *next; d; d = next) {
                next = d->next;
                device_free(d);
        }
        if (latest == f)
                latest = NULL;
        free(f);
}

fake *fake_of(void *adapter)
{
        return adapter;
}

fake *fake_latest(void)
{
        return latest;
}

const adapter_class fake_class = {
        .version = ADAPTER_VERSION,
        .size = sizeof(adapter_class),
        .name = "fake",
        .wanted = f_wanted,
        .open = f_open,
        .enumerate = f_enumerate,
        .caps = f_caps,
        .read = f_read,
        .write = f_write,
        .create = f_create,
        .remove = f_remove,
        .execute = f_execute,
        .observe = f_observe,
        .wake = f_wake,
        .commands = f_commands,
        .cancel = f_cancel,
        .forget = f_forget,
        .close = f_close,
};
