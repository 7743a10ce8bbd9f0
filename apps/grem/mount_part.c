/* SPDX-License-Identifier: Apache-2.0 */
/* mount_part.c - ./GwDev/<key>: the trees of the devices, as if they were the gateway's own
 * (gwmo.md 8, 10).
 *
 * A key is a stored node, with rights of its own that are kept; it is there as long as the record
 * of a device in mode 2 or 3 that was ever seen.  What is below it is asked of the device:
 *
 *     awake    Get: the device, and when it is silent for gateway.live what it said last
 *              others: the device
 *     else     Get: what it said last, or 503
 *              Exec of one asleep: into the queue, 202; its final alert follows
 *              others: 503; the server sends a Fanout task
 *
 * A value that was kept tells its age by TStamp.  The device's objects keep their identifiers.
 *
 * A trap or a schedule that looks at a value (odm_op.at_hand) is told what the device said last;
 * one that is awake is asked anew meanwhile, for the next look. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "fanout.h"
#include "heap.h"
#include "inner.h"
#include "log.h"
#include "mo.h"
#include "odm/codec.h"
#include "odm/view.h"
#include "report.h"

#define AT "./GwDev"
#define NEST_MAX 4    /* gateways, this one counted */
#define SERVED_MAX 64 /* operations whose session is over and whose device is still at it */
#define SOON_MS 20    /* until what happened to records is seen in the tree */
#define AGAIN_MS 500  /* a session has a transaction open */
#define TODO_MAX 4096 /* keys to look at; more: all */
#define ARENA_MAX ((size_t)32 << 20)

typedef struct mount_part mount_part;

typedef struct served { /* an operation that a device is at */
        struct served *next;
        mount_part *p;
        uint64_t id, order;
        gw_device *d; /* NULL: it went */
        bool dropped; /* nobody waits any more */
        odm_arena arena;
        odm_command cmd;
        odm_item item;
        odm_str target; /* of a Get: as the server wrote it */
        odm_str path;   /* as the device calls it */
        size_t max_result;
} served;

struct mount_part {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        cache *cache;
        gw_hook hook;
        served *served;
        size_t n_served;
        char (*todo)[GW_KEY];
        size_t n_todo;
        bool all; /* look at all keys */
        loop_timer timer;
};

/* ---- keys follow records ------------------------------------------------------------------------- */

static bool has_key(const gw_device *d)
{
        return d && d->state != GW_PROVISIONED && d->mode != GW_TRANSPARENT;
}

/* Makes or removes one, in the transaction that is open. */
static int settle_key(mount_part *p, odm_str key, odm_arena *a)
{
        odm_str uri = odm_arena_fmt(a, AT "/%.*s", (int)key.n, key.p);
        bool is = uri.p && odm_tree_exists(p->host->tree, uri);
        bool shall = has_key(gw_by_key(p->g, key));
        odm_op op = {.kind = shall ? ODM_CMD_ADD : ODM_CMD_DELETE,
                     .target = uri,
                     .value = {.format = ODM_FMT_NODE}};
        odm_answer got = {.status = ODM_ST_OK};

        if (uri.p == NULL)
                return odm_arena_err(a);
        if (is == shall)
                return 0;
        int rc = odm_tree_do(p->host->tree, &op, loop_wall(), a, &got);
        if (rc == 0 && !odm_status_ok(got.status))
                log_error("no place for a device in ./GwDev", log_str("key", key),
                          log_int("status", got.status));
        return rc;
}

struct keys {
        mount_part *p;
        odm_arena *a;
        odm_str *v;
        size_t n, cap;
};

static int note_key(void *ctx, odm_str name)
{
        struct keys *k = ctx;

        if (k->n == k->cap) {
                size_t cap = k->cap ? k->cap * 2 : 256;
                odm_str *more = odm_arena_get(k->a, cap * sizeof *more);
                if (more == NULL)
                        return odm_arena_err(k->a);
                if (k->n)
                        memcpy(more, k->v, k->n * sizeof *more);
                k->v = more;
                k->cap = cap;
        }
        k->v[k->n] = odm_arena_copy(k->a, name);
        return k->v[k->n++].p ? 0 : odm_arena_err(k->a);
}

/* Keys of the tree without a record, and records without a key. */
static int settle_all(mount_part *p, odm_arena *a)
{
        struct keys k = {.p = p, .a = a};
        int rc = odm_tree_children(p->host->tree, ODM_STR(AT), note_key, &k);

        for (size_t i = 0; rc == 0 && i < k.n; i++)
                if (!has_key(gw_by_key(p->g, k.v[i])))
                        rc = settle_key(p, k.v[i], a);
        for (gw_device *d = gw_next(p->g, NULL); rc == 0 && d; d = gw_next(p->g, d))
                if (has_key(d))
                        rc = settle_key(p, odm_cstr(d->key), a);
        return rc;
}

static int settle(mount_part *p)
{
        unsigned status = ODM_ST_OK;
        odm_arena a;
        int rc = odm_tree_begin(p->host->tree, loop_wall());

        if (rc < 0)
                return rc;
        odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
        if (p->all)
                rc = settle_all(p, &a);
        for (size_t i = 0; rc == 0 && !p->all && i < p->n_todo; i++)
                rc = settle_key(p, odm_cstr(p->todo[i]), &a);
        odm_arena_done(&a);
        if (rc < 0) {
                odm_tree_rollback(p->host->tree);
                return rc;
        }
        rc = odm_tree_commit(p->host->tree, &status);
        return rc == 0 && !odm_status_ok(status) ? ODM_EIO : rc;
}

static void look_in(mount_part *p, int64_t ms)
{
        if (!p->timer.in &&
            loop_timer_set(gw_loop(p->g), &p->timer, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static void on_timer(void *ctx)
{
        mount_part *p = ctx;
        int rc = settle(p);

        if (rc == 0)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0) { /* a session has a transaction open, or the disk is full: later */
                if (rc != ODM_ESTATE)
                        log_error("./GwDev does not follow the inventory",
                                  log_text("reason", odm_err_text(rc)));
                look_in(p, AGAIN_MS);
                return;
        }
        p->n_todo = 0;
        p->all = false;
}

static void look_at(mount_part *p, const gw_device *d)
{
        if (p->todo == NULL)
                p->todo = calloc(TODO_MAX, sizeof *p->todo);
        if (p->todo == NULL || p->n_todo == TODO_MAX)
                p->all = true;
        else
                memcpy(p->todo[p->n_todo++], d->key, GW_KEY);
        look_in(p, SOON_MS);
}

static void on_attached(void *ctx, gw_device *d, bool back)
{
        (void)back;
        look_at(ctx, d);
}

static void on_moved(void *ctx, gw_device *d, gw_state from)
{
        (void)from;
        look_at(ctx, d);
}

static void on_changed(void *ctx, gw_device *d, const adapter_node *v, size_t n)
{
        mount_part *p = ctx;

        cache_put(p->cache, d, v, n);
}

static void on_removed(void *ctx, gw_device *d)
{
        mount_part *p = ctx;

        look_at(p, d);
        cache_drop(p->cache, d, ODM_STR("."));
        for (served *s = p->served; s; s = s->next)
                if (s->d == d)
                        s->d = NULL;
}

/* ---- what orders tell of a device ------------------------------------------------------------------ */

/* The address in an item of a command, "./A/b", and whether it asks for a list. */
static odm_str path_of(const odm_item *it, odm_arena *a, bool *list)
{
        odm_view_need need = ODM_VIEW_NODE;
        odm_str path = ODM_ABSENT;
        unsigned status = ODM_ST_OK;
        int rc = odm_view_target(ODM_STR("."), odm_str_trim(it->target), NULL, a, &path, &need,
                                 &status);

        *list = need != ODM_VIEW_NODE;
        return rc == 0 && odm_status_ok(status) ? path : ODM_ABSENT;
}

static void heard_get(mount_part *p, gw_device *d, odm_str path, bool list, const gw_answer *r)
{
        if (r->status == ODM_ST_NOT_FOUND)
                cache_drop(p->cache, d, path);
        if (!odm_status_ok(r->status))
                return;
        if (list)
                cache_keep_only(p->cache, d, path, r->nodes, r->n);
        cache_put(p->cache, d, r->nodes, r->n);
}

static void heard_value(mount_part *p, gw_device *d, const odm_command *c, const odm_item *it,
                        odm_str path, odm_arena *a)
{
        odm_meta m = odm_meta_of(c, it);
        adapter_node v = {.path = path,
                          .value = {m.format, odm_str_trim(m.type), it->data.bytes},
                          .has_data = it->data.kind != ODM_DATA_ABSENT && m.format != ODM_FMT_NODE};

        if (it->data.kind == ODM_DATA_XML || memchr(it->target.p, '?', it->target.n))
                return;
        if (m.format == ODM_FMT_B64) {
                v.value.format = ODM_FMT_BIN;
                if (odm_b64_decode(a, it->data.bytes, &v.value.data) < 0)
                        return;
        }
        cache_renew(p->cache, d, &v);
}

/* What a device was asked, and said: it is as good as a live read. */
static void on_order(void *ctx, gw_device *d, const odm_command *c, const gw_answer *r)
{
        mount_part *p = ctx;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        for (const odm_item *it = c->items; it; it = it->next) {
                bool list = false;
                odm_str path = path_of(it, &a, &list);
                if (path.p == NULL)
                        continue;
                if (c->kind == ODM_CMD_GET && c->items->next == NULL)
                        heard_get(p, d, path, list, r);
                else if (c->kind == ODM_CMD_DELETE && odm_status_ok(r->status))
                        cache_drop(p->cache, d, path);
                else if ((c->kind == ODM_CMD_REPLACE || c->kind == ODM_CMD_ADD) &&
                         r->status == ODM_ST_OK)
                        heard_value(p, d, c, it, path, &a);
        }
        odm_arena_done(&a);
}

/* ---- what was said last ---------------------------------------------------------------------------- */

/* Answers a Get out of `nodes`; `otherwise` when there are none, and nothing but the key itself
 * would be told. */
static int view(const mount_part *p, const gw_device *d, odm_str target, odm_view_node *nodes,
                size_t n, size_t max_result, unsigned otherwise, odm_arena *a, odm_answer *out)
{
        odm_view v = {.top = odm_arena_fmt(a, AT "/%s", d->key),
                      .nodes = nodes,
                      .n = n,
                      .now = loop_wall(),
                      .max_result = max_result};

        (void)p;
        if (v.top.p == NULL)
                return odm_arena_err(a);
        *out = (odm_answer){.status = otherwise};
        if (n == 0)
                return 0;
        return odm_view_get(&v, target, a, out);
}

static int from_cache(mount_part *p, gw_device *d, odm_str path, odm_str target, size_t max_result,
                      unsigned otherwise, odm_arena *a, odm_answer *out)
{
        odm_view_node *nodes = NULL;
        size_t n = 0;
        int rc = cache_read(p->cache, d, path, a, &nodes, &n);

        if (rc < 0)
                return rc;
        rc = view(p, d, target, nodes, n, max_result, otherwise, a, out);
        if (rc == 0 && out->status == ODM_ST_NOT_ALLOWED) /* that it is there is all we know */
                out->status = otherwise;
        if (rc == 0 && odm_status_ok(out->status))
                gw_counts_of(p->g)->reads_cached++;
        return rc;
}

/* ---- operations that a device does ----------------------------------------------------------------- */

static void served_free(served *s)
{
        served **at = &s->p->served;

        while (*at != s)
                at = &(*at)->next;
        *at = s->next;
        s->p->n_served--;
        odm_arena_done(&s->arena);
        free(s);
}

static void answer(served *s, const odm_answer *got)
{
        const part_host *h = s->p->host;
        const odm_reply r = {.status = got->status, .results = got->results, .text = got->text};

        if (!s->dropped)
                h->answer(h->ctx, s->id, &r);
}

static bool is_silence(unsigned status)
{
        return status == ODM_ST_TIMEOUT || status == ODM_ST_UNAVAILABLE;
}

static int nodes_of(const gw_answer *a, odm_arena *arena, odm_view_node **out)
{
        odm_view_node *v = odm_arena_get(arena, (a->n + 1) * sizeof *v);

        if (v == NULL)
                return odm_arena_err(arena);
        for (size_t i = 0; i < a->n; i++)
                v[i] = (odm_view_node){a->nodes[i].path, a->nodes[i].value, a->nodes[i].has_data,
                                       a->nodes[i].at};
        *out = v;
        return 0;
}

static int answer_get(served *s, unsigned status, const gw_answer *a, odm_answer *out)
{
        odm_view_node *v = NULL;

        *out = (odm_answer){.status = status};
        if (s->d && is_silence(status))
                return from_cache(s->p, s->d, s->path, s->target, s->max_result, status, &s->arena,
                                  out);
        if (s->d == NULL || !odm_status_ok(status))
                return 0;
        assert(a); /* an order that went well has an answer to each of its commands */
        int rc = nodes_of(a, &s->arena, &v);
        return rc < 0 ? rc
                      : view(s->p, s->d, s->target, v, a->n, s->max_result, ODM_ST_NOT_FOUND,
                             &s->arena, out);
}

static void on_done(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        served *s = ctx;
        odm_answer got = {.status = n ? v[0].status : status};
        int rc = 0;

        s->order = 0;
        if (s->cmd.kind == ODM_CMD_GET && !s->dropped)
                rc = answer_get(s, got.status, n ? v : NULL, &got);
        if (rc < 0)
                got = (odm_answer){.status = rc == ODM_ELIMIT ? ODM_ST_TOO_LARGE : ODM_ST_FAILED};
        if (!odm_status_ok(got.status))
                log_debug("a device refuses", log_str("uri", s->target),
                          log_int("status", got.status), log_str("text", n ? v[0].text : text));
        got.text = n ? v[0].text : text;
        answer(s, &got);
        served_free(s);
}

/* A document goes on as text. */
static int put_doc(served *s, const odm_doc *doc)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, ARENA_MAX / 4);
        rc = odm_doc_encode(&odm_codec_xml, doc, false, &b);
        if (rc == 0)
                s->item.data =
                        (odm_data){ODM_DATA_XML, odm_arena_copy(&s->arena, odm_buf_view(&b))};
        odm_buf_done(&b);
        s->item.meta = (odm_meta){.present = true,
                                  .format = ODM_FMT_XML,
                                  .type = odm_cstr(odm_codec_tnds_mime(&odm_codec_xml))};
        return rc == 0 && s->item.data.bytes.p == NULL ? odm_arena_err(&s->arena) : rc;
}

static int put_value(served *s, const odm_op *op)
{
        odm_value v = op->value;

        if (op->doc)
                return put_doc(s, op->doc);
        if (!op->has_value && v.format == ODM_FMT_ABSENT)
                return 0;
        s->item.meta = (odm_meta){.present = true,
                                  .format = op->b64 ? ODM_FMT_B64 : v.format,
                                  .type = odm_arena_copy(&s->arena, v.type)};
        if (op->has_value)
                s->item.data = (odm_data){
                        v.format == ODM_FMT_BIN && !op->b64 ? ODM_DATA_OPAQUE : ODM_DATA_TEXT,
                        odm_arena_copy(&s->arena, v.data.p ? v.data : ODM_STR(""))};
        return (op->has_value && !s->item.data.bytes.p) || (v.type.p && !s->item.meta.type.p)
                       ? odm_arena_err(&s->arena)
                       : 0;
}

/* The source of a Copy, which must be the same device's. */
static int put_source(served *s, const odm_op *op, unsigned *status)
{
        odm_str top = odm_arena_fmt(&s->arena, AT "/%s", s->d->key);
        odm_view_need need;
        int rc = top.p ? odm_view_target(top, op->source, NULL, &s->arena, &s->item.source, &need,
                                         status)
                       : odm_arena_err(&s->arena);

        if (rc == 0 && *status == ODM_ST_NOT_FOUND)
                *status = ODM_ST_UNSUPPORTED;
        return rc;
}

/* The command as the device gets it: one item. */
static int make_command(served *s, const odm_op *op, unsigned *status)
{
        odm_str top = odm_arena_fmt(&s->arena, AT "/%s", s->d->key);
        odm_view_need need = ODM_VIEW_NODE;
        static const char *const query[] = {[ODM_VIEW_NODE] = "",
                                            [ODM_VIEW_STRUCT] = "?list=Struct",
                                            [ODM_VIEW_DATA] = "?list=StructData"};
        int rc = top.p ? odm_view_target(top, op->target, NULL, &s->arena, &s->path, &need, status)
                       : odm_arena_err(&s->arena);

        if (rc < 0 || !odm_status_ok(*status))
                return rc;
        s->target = odm_arena_copy(&s->arena, op->target);
        s->cmd = (odm_command){.kind = op->kind,
                               .cmd_id = ODM_STR("1"),
                               .items = &s->item,
                               .correlator = odm_arena_copy(&s->arena, op->correlator)};
        s->max_result = op->max_result;
        s->item.target = odm_arena_join(&s->arena, s->path, odm_cstr(query[need]));
        if (op->kind != ODM_CMD_GET && memchr(op->target.p, '?', op->target.n))
                *status = op->kind == ODM_CMD_REPLACE ? ODM_ST_UNSUPPORTED : ODM_ST_NOT_ALLOWED;
        if (s->target.p == NULL || s->item.target.p == NULL)
                return odm_arena_err(&s->arena);
        if (op->kind == ODM_CMD_COPY)
                return put_source(s, op, status);
        return op->kind == ODM_CMD_GET || op->kind == ODM_CMD_DELETE ? 0 : put_value(s, op);
}

static odm_str key_of(odm_str uri)
{
        odm_uri u;

        return odm_uri_parse(uri, NULL, &u) == 0 && u.depth > 1 ? u.seg[1] : ODM_ABSENT;
}

static int begin(served *s, const odm_op *op)
{
        bool get = op->kind == ODM_CMD_GET;
        gw_order o = {.list = &s->cmd,
                      .correlator = op->correlator,
                      .deadline_ms = get ? cfg_ms(gw_conf(s->p->g), "gateway.live") : 0,
                      .exact = true};
        odm_answer got = {.status = ODM_ST_OK};
        int rc = make_command(s, op, &got.status);

        if (rc == 0 && odm_status_ok(got.status)) {
                rc = gw_run(s->p->g, s->d, &o, on_done, s, &s->order);
                if (rc == 0)
                        return 0;
                got.status = ODM_ST_UNAVAILABLE;
                got.text = ODM_STR("too many orders wait for the device");
                rc = 0;
        }
        if (rc < 0)
                got.status = rc == ODM_ELIMIT ? ODM_ST_TOO_LARGE : ODM_ST_FAILED;
        answer(s, &got);
        served_free(s);
        return 0;
}

/* NULL: no memory, or too many are under way. */
static served *take(mount_part *p, uint64_t id, gw_device *d)
{
        served *s = p->n_served < SERVED_MAX ? calloc(1, sizeof *s) : NULL;

        if (s == NULL)
                return NULL;
        *s = (served){.next = p->served, .p = p, .id = id, .d = d};
        odm_arena_init(&s->arena, &heap_mem, ARENA_MAX);
        p->served = s;
        p->n_served++;
        return s;
}

static int mount_serve(void *ctx, uint64_t id, const odm_op *op)
{
        mount_part *p = ctx;
        odm_reply r = {.status = ODM_ST_UNAVAILABLE};
        odm_str key = key_of(op->target);
        odm_uri u;

        if (odm_uri_parse(op->target, NULL, &u) < 0 || u.depth < 2 ||
            !odm_str_is(u.seg[0], "GwDev"))
                return ODM_EUNSUPPORTED;
        gw_device *d = p->g ? gw_by_key(p->g, key) : NULL;
        served *s = d ? take(p, id, d) : NULL;
        if (s == NULL) {
                p->host->answer(p->host->ctx, id, &r);
                return 0;
        }
        return begin(s, op);
}

/* Asks for a value that nobody waits for: what it says is kept.  Half of the places are for those
 * who do. */
static void refresh(mount_part *p, gw_device *d, const odm_op *op)
{
        served *s = p->n_served < SERVED_MAX / 2 ? take(p, 0, d) : NULL;

        if (s == NULL)
                return;
        s->dropped = true;
        (void)begin(s, op);
}

/* The device goes on with it; what it answers is still worth knowing. */
static void mount_dropped(void *ctx, uint64_t id)
{
        mount_part *p = ctx;

        for (served *s = p->served; s; s = s->next)
                if (s->id == id)
                        s->dropped = true;
}

/* ---- what is answered at once ----------------------------------------------------------------------- */

/* ./GwDev/g/GwDev/h/..: how many gateways there are on the way. */
static unsigned nesting(odm_str uri)
{
        unsigned n = 0;
        odm_uri u;

        if (odm_uri_parse(uri, NULL, &u) < 0)
                return 0;
        while (2 * n + 1 < u.depth && odm_str_is(u.seg[2 * n], "GwDev"))
                n++;
        return n;
}

/* 0 when the device may be asked. */
static unsigned refusal(const mount_part *p, const odm_op *op, const odm_at *at, const gw_device *d)
{
        bool get = op->kind == ODM_CMD_GET;

        if (nesting(at->uri) > NEST_MAX)
                return ODM_ST_URI_TOO_LONG;
        if (d->state == GW_DEACTIVATED)
                return ODM_ST_FORBIDDEN;
        if (!get && odm_str_eq(odm_str_from(at->uri, strlen(AT "/")), at->name[0]))
                return ODM_ST_NOT_ALLOWED; /* the key itself */
        if (!get && odm_tree_in_transaction(p->host->tree))
                return ODM_ST_UNSUPPORTED; /* nothing could take it back */
        return 0;
}

/* Why it is not asked; NULL: it is. */
static const char *why_not(const gw_device *d)
{
        switch (d->state) {
        case GW_DEACTIVATED:
                return gw_is_quarantined(d) ? "the gateway has it in quarantine"
                                            : "it is switched off at its gateway";
        case GW_ASLEEP: return "the device is asleep";
        case GW_UNREACHABLE: return "the gateway does not reach the device";
        case GW_PROVISIONED:
        case GW_DETACHED: return "the device is not at its gateway";
        case GW_ACTIVE: break;
        }
        return gw_is_awake(d) ? NULL : "the device is asleep";
}

/* An Exec of a device that sleeps waits for it; durable before the 202. */
static unsigned queue_exec(const mount_part *p, gw_device *d, const odm_op *op)
{
        switch (fanout_queue_exec(p->g, d, op)) {
        case 0: return ODM_ST_ACCEPTED;
        case ODM_ELIMIT: return ODM_ST_FULL;
        case ODM_EMALFORMED: return ODM_ST_NOT_ALLOWED;
        case ODM_ESTATE: return ODM_ST_UNAVAILABLE;
        case ODM_EIO: return ODM_ST_STORE_FAILED;
        default: return ODM_ST_FAILED;
        }
}

static int mount_forward(void *ctx, const odm_op *op, const odm_at *at, odm_arena *a,
                         odm_answer *out)
{
        mount_part *p = ctx;
        gw_device *d = p->g ? gw_by_key(p->g, at->name[0]) : NULL;
        odm_view_need need;
        odm_str path, top;
        int rc;

        if (d == NULL) {
                out->status = ODM_ST_UNAVAILABLE;
                return 0;
        }
        out->status = refusal(p, op, at, d);
        out->text = odm_cstr(why_not(d));
        if (out->status)
                return 0;
        if (gw_is_awake(d) && !op->at_hand)
                return ODM_LATER;
        if (gw_is_awake(d))
                refresh(p, d, op);
        if (op->kind == ODM_CMD_EXEC && d->state == GW_ASLEEP) {
                out->status = queue_exec(p, d, op);
                return 0;
        }
        out->status = ODM_ST_UNAVAILABLE;
        if (op->kind != ODM_CMD_GET)
                return 0;
        top = odm_arena_fmt(a, AT "/%s", d->key);
        rc = top.p ? odm_view_target(top, op->target, NULL, a, &path, &need, &out->status)
                   : odm_arena_err(a);
        if (rc < 0 || !odm_status_ok(out->status))
                return rc;
        rc = from_cache(p, d, path, op->target, op->max_result, ODM_ST_UNAVAILABLE, a, out);
        out->text = odm_cstr(why_not(d));
        return rc;
}

/* What was decided by the rights on devices is decided anew. */
static int on_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        const mount_part *p = ctx;
        bool rights = false;

        (void)t;
        for (; list; list = list->next)
                rights = rights || (list->kind == ODM_CHANGE_PROP && list->prop == ODM_PROP_ACL);
        if (rights && p->g && p->host->loop)
                report_judge(p->g);
        return 0;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static int mount_mount(const part_host *h, void **out, diag *d)
{
        mount_part *p = calloc(1, sizeof *p);
        int rc;

        if (p == NULL)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        p->timer = (loop_timer){.fn = on_timer, .ctx = p};
        p->provider = (odm_provider){.name = "gwdev",
                                     .mo = &odm_mo_gwdev,
                                     .ctx = p,
                                     .commit = on_commit,
                                     .forward = mount_forward,
                                     .forward_below = 1};
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, "./GwDev: %s", odm_err_text(rc));
        }
        *out = p;
        return 0;
}

static int mount_fill(void *ctx, diag *d)
{
        mount_part *p = ctx;
        int rc;

        if (p->g == NULL)
                return 0;
        p->all = true;
        rc = settle(p);
        p->all = false;
        return rc < 0 ? diag_set(d, rc, "./GwDev: %s", odm_err_text(rc)) : 0;
}

static int mount_open(void *ctx, diag *d)
{
        mount_part *p = ctx;
        int rc;

        if (p->g == NULL)
                return 0;
        rc = cache_open(p->g, &p->cache);
        if (rc < 0)
                return diag_set(d, rc, "values of devices: %s", odm_err_text(rc));
        p->hook = (gw_hook){.attached = on_attached,
                            .moved = on_moved,
                            .changed = on_changed,
                            .removed = on_removed,
                            .ctx = p};
        gw_hook_add(p->g, &p->hook);
        run_watch(p->g, on_order, p);
        return 0;
}

static int mount_status(const void *ctx, odm_buf *b)
{
        const mount_part *p = ctx;

        return p->cache ? odm_buf_fmt(b, "cached-values: %zu\n", cache_rows(p->cache)) : 0;
}

static void mount_close(void *ctx)
{
        mount_part *p = ctx;

        if (p->cache) {
                gw_hook_del(p->g, &p->hook);
                run_watch(p->g, NULL, NULL);
                loop_timer_stop(&p->timer);
        }
        while (p->served) {
                if (p->served->order)
                        gw_cancel(p->g, p->served->order);
                served_free(p->served);
        }
        cache_close(p->cache);
        free(p->todo);
        free(p);
}

static const char *const roots[] = {AT, NULL};

const part_class part_gwmount = {
        .name = "gwmount",
        .roots = roots,
        .mount = mount_mount,
        .fill = mount_fill,
        .open = mount_open,
        .serve = mount_serve,
        .dropped = mount_dropped,
        .status = mount_status,
        .close = mount_close,
};
