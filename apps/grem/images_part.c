/* SPDX-License-Identifier: Apache-2.0 */
/* images_part.c - ./GwMO/ImageInventory: what servers order of images, and how it ends (gwmo.md 9).
 *
 *   EMPTY --Download--> QUEUED -> DOWNLOADING --fetched--> VERIFYING --proved--> READY
 *     \------Data-----------------------------------------/     \---not--> FAILED
 *   READY --Verify--> VERIFYING --whole--> READY
 *                          \--damaged--> FAILED, offered no more
 *     \--Rollback-> VERIFYING --whole--> READY, the one before in its place
 *                          \--damaged--> FAILED; what is offered stays
 *   start --> unproved --read, and whole--> offered
 *                    \--damaged--> an alarm; QUEUED, to be fetched again, or FAILED
 *
 * An order is a row before it is answered 202, and its end is a row together with the alert that
 * tells of it: so each order ends with one alert, whatever happens to the power in between.  What
 * is offered changes in that same row: the file is there before it, and what it replaces goes after
 * it.  The image before the one in use is kept until the next, for Rollback. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"
#include "images_inner.h"
#include "mo.h"

/* ---- nodes ------------------------------------------------------------------------------------------------ */

static int say(odm_arena *a, odm_format format, int64_t n, odm_value *out)
{
        odm_str text = odm_arena_number(a, (uint64_t)n);

        *out = (odm_value){.format = format, .data = text};
        return text.p ? 0 : odm_arena_err(a);
}

static int read_state(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image_node *i = image_find(ctx, at->name[0]);

        if (i && i->row.unproved && !image_is_under_way(i))
                return say(a, ODM_FMT_INT, IMAGE_VERIFYING, out);
        return say(a, ODM_FMT_INT, i ? i->row.state : IMAGE_EMPTY, out);
}

static int64_t percent(const image_node *i)
{
        int64_t done = 0, total = 0;

        if (i->row.state == IMAGE_READY || i->row.state == IMAGE_VERIFYING)
                return 100;
        if (i->row.state == IMAGE_DOWNLOADING && i->delivery)
                delivery_progress(i->delivery, &done, &total);
        return total > 0 ? done * 100 / total : 0;
}

static int read_progress(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image_node *i = image_find(ctx, at->name[0]);

        return say(a, ODM_FMT_INT, i ? percent(i) : 0, out);
}

static int read_result(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image_node *i = image_find(ctx, at->name[0]);

        return i && i->row.result ? say(a, ODM_FMT_INT, i->row.result, out) : ODM_ENOENT;
}

static int read_url(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const images *p = ctx;
        const image_node *i = image_find(p, at->name[0]);
        odm_str base = image_server_base(p->server), url;

        if (!i || !i->row.hash.n || i->row.unproved || !base.n)
                return ODM_ENOENT;
        url = image_url(a, base, i->row.id);
        if (!url.p)
                return odm_arena_err(a);
        *out = (odm_value){.format = ODM_FMT_CHR, .data = url};
        return 0;
}

static int say_text(odm_str text, odm_arena *a, odm_value *out)
{
        odm_str copy = odm_arena_copy(a, text);

        if (!copy.p)
                return odm_arena_err(a);
        *out = (odm_value){.format = ODM_FMT_CHR, .data = copy};
        return 0;
}

static int read_previous(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image_node *i = image_find(ctx, at->name[0]);

        return i && i->row.previous.n ? say_text(i->row.previous, a, out) : ODM_ENOENT;
}

static int read_correlator(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image_node *i = image_find(ctx, at->name[0]);

        return say_text(i && i->row.correlator.n ? i->row.correlator : ODM_STR(""), a, out);
}

static int64_t kilobytes(uint64_t octets)
{
        uint64_t n = octets / 1024;

        return n > INT32_MAX ? INT32_MAX : (int64_t)n;
}

static int read_free(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const images *p = ctx;

        (void)at;
        return p->folder ? say(a, ODM_FMT_INT, kilobytes(images_room(p)), out) : ODM_ENOENT;
}

static int read_total(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const images *p = ctx;

        (void)at;
        if (!p->folder)
                return ODM_ENOENT;
        return say(a, ODM_FMT_INT, kilobytes(images_room(p) + images_taken(p)), out);
}

static int check_match(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && v->data.n && gw_selector_check(v->data) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

/* ---- orders ----------------------------------------------------------------------------------------------- */

/* Why it cannot be done; 0: it can. */
static unsigned refusal(image_node *i, image_order o)
{
        odm_arena a;
        unsigned status = 0;

        if (!i)
                return ODM_ST_FULL;
        if (image_is_under_way(i))
                return ODM_ST_NOT_ALLOWED;
        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        if ((o == ORDER_VERIFY && !i->row.hash.n) || (o == ORDER_BACK && !i->row.previous.n))
                status = ODM_ST_NOT_ALLOWED;
        else if (o == ORDER_DOWNLOAD && !image_leaf(i, "URL", &a).n)
                status = ODM_ST_INCOMPLETE;
        else if (o == ORDER_DOWNLOAD && (uint64_t)image_number(i, "Size", &a) > images_room(i->p))
                status = ODM_ST_FULL;
        odm_arena_done(&a);
        return status;
}

static int order_it(images *p, const odm_at *at, const odm_op *op, image_order o, unsigned *status)
{
        image_node *i = p->g && p->host->loop ? image_make(p, at->name[0]) : NULL;
        int64_t before;

        *status = refusal(i, o);
        if (*status)
                return 0;
        before = i->row.state;
        i->order = o;
        i->row.delivered = false;
        i->row.backward = o == ORDER_BACK;
        i->row.state =
                o == ORDER_VERIFY ? IMAGE_VERIFYING : IMAGE_QUEUED; /* what take_up() reads */
        if (!image_set_text(&i->row.correlator, op->correlator) || image_keep(i, false) < 0) {
                i->row.state = before;
                i->row.backward = false;
                *status = ODM_ST_STORE_FAILED;
                return 0;
        }
        i->row.state = IMAGE_QUEUED;
        *status = ODM_ST_ACCEPTED;
        images_wake(p, 0);
        return 0;
}

static int exec_download(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        return order_it(ctx, at, op, ORDER_DOWNLOAD, status);
}

static int exec_verify(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        return order_it(ctx, at, op, ORDER_VERIFY, status);
}

static int exec_back(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        return order_it(ctx, at, op, ORDER_BACK, status);
}

/* The name of the image of a change at or below Images; *rest is what is below it. */
static odm_str image_in(odm_str uri, odm_str *rest)
{
        odm_str below = odm_str_from(uri, sizeof IMAGES_AT);
        const char *slash;

        if (!odm_str_starts(uri, IMAGES_AT "/"))
                return ODM_ABSENT;
        slash = memchr(below.p, '/', below.n);
        *rest = slash ? odm_str_from(below, (size_t)(slash - below.p) + 1) : ODM_STR("");
        return odm_str_to(below, slash ? (size_t)(slash - below.p) : below.n);
}

/* What every image has, so that servers need not add it. */
static int add_operations(odm_tree *t, odm_str uri, odm_arena *a)
{
        static const struct {
                const char *rel;
                odm_format format;
        } nodes[] = {{"Operations", ODM_FMT_NODE},
                     {"Operations/Download", ODM_FMT_NULL},
                     {"Operations/Verify", ODM_FMT_NULL},
                     {"Operations/Rollback", ODM_FMT_NULL}};
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(nodes); i++) {
                odm_op op = {.kind = ODM_CMD_ADD,
                             .target = odm_arena_fmt(a, "%.*s/%s", (int)uri.n, uri.p, nodes[i].rel),
                             .value = {.format = nodes[i].format}};
                odm_answer out;
                if (!op.target.p)
                        rc = odm_arena_err(a);
                else if (!odm_tree_exists(t, op.target))
                        rc = odm_tree_do(t, &op, loop_wall(), a, &out);
        }
        return rc;
}

static int on_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        images *p = ctx;
        int rc = 0;

        for (const odm_change *c = list; rc == 0 && *status == ODM_ST_OK && c; c = c->next) {
                odm_str rest = ODM_ABSENT, node = image_in(c->uri, &rest);
                const image_node *i = node.n ? image_find(p, node) : NULL;
                odm_arena a;
                if (c->kind == ODM_CHANGE_DELETE && i && image_is_under_way(i) && c->server.n)
                        *status = ODM_ST_NOT_ALLOWED;
                if (c->kind != ODM_CHANGE_ADD || !node.n || rest.n)
                        continue;
                odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
                rc = odm_tree_exists(t, c->uri) ? add_operations(t, c->uri, &a) : 0;
                odm_arena_done(&a);
        }
        return rc;
}

/* The tree is read when the transaction is over. */
static int on_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        images *p = ctx;

        (void)t;
        (void)list;
        if (p->host->loop && p->g)
                images_wake(p, 0);
        return 0;
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static const odm_binding bindings[] = {
        {.path = "Images/*/State", .read = read_state},
        {.path = "Images/*/Progress", .read = read_progress},
        {.path = "Images/*/Result", .read = read_result},
        {.path = "Images/*/LocalURL", .read = read_url},
        {.path = "Images/*/Previous", .read = read_previous},
        {.path = "Images/*/Correlator", .read = read_correlator},
        {.path = "Images/*/Match", .check = check_match},
        {.path = "Images/*/Operations/Download", .exec = exec_download},
        {.path = "Images/*/Operations/Verify", .exec = exec_verify},
        {.path = "Images/*/Operations/Rollback", .exec = exec_back},
        {.path = "FreeSpace", .read = read_free},
        {.path = "TotalSpace", .read = read_total},
};

static void images_close(void *ctx)
{
        images *p = ctx;

        loop_timer_stop(&p->soon);
        image_server_close(p->server);
        while (p->list)
                image_drop(p, p->list);
        free(p->folder);
        free(p);
}

static int images_mount(const part_host *h, void **out, diag *d)
{
        images *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        p->soon = (loop_timer){.fn = images_work, .ctx = p};
        p->provider = (odm_provider){.name = "gwimages",
                                     .mo = &odm_mo_gwimages,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = p,
                                     .validate = on_validate,
                                     .commit = on_commit};
        rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                free(p);
                return diag_set(d, rc, "./GwMO/ImageInventory: %s", odm_err_text(rc));
        }
        *out = p;
        return 0;
}
static int images_open(void *ctx, diag *d)
{
        images *p = ctx;
        char *folder;
        int rc;

        if (!p->g)
                return 0;
        p->folder = strdup(gw_folder(p->g));
        folder = p->folder ? fsio_join(p->folder, "images") : NULL;
        rc = folder ? fsio_mkdir(folder, 0700, d) : ODM_ENOMEM;
        if (rc == 0)
                rc = images_doubt(p);
        if (rc == 0)
                rc = image_server_open(p->g, &p->server, d);
        if (rc == 0)
                rc = images_read(p);
        if (rc == 0)
                images_sweep(p, folder);
        free(folder);
        if (rc < 0)
                return diag_set(d, rc, "images: %s", d && d->text[0] ? d->text : odm_err_text(rc));
        images_wake(p, 0);
        return 0;
}

static int images_status(const void *ctx, odm_buf *b)
{
        const images *p = ctx;
        size_t ready = 0;

        for (const image_node *i = p->list; i; i = i->next)
                ready += i->row.hash.n > 0 && !i->row.unproved;
        return odm_buf_fmt(b, "images: %zu\nimages-ready: %zu\nimages-port: %u\n", p->n, ready,
                           image_server_port(p->server));
}

static const char *const roots[] = {"./GwMO/ImageInventory", NULL};

const part_class part_gwimages = {
        .name = "gwimages",
        .roots = roots,
        .mount = images_mount,
        .open = images_open,
        .status = images_status,
        .close = images_close,
};
