/* SPDX-License-Identifier: Apache-2.0 */
/* images_list.c - images in memory, what the tree has of each, and their rows; see
 * images_inner.h. */
#include "images_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanout_text.h"
#include "heap.h"
#include "log.h"

#define TYPE ODM_STR("urn:oma:at:oma-gwmo:imageready:1.0")
#define DOC_MAX 16384

/* ---- in memory ------------------------------------------------------------------------------- */

bool image_is_under_way(const image_node *i)
{
        return i->row.state == IMAGE_QUEUED || i->row.state == IMAGE_DOWNLOADING ||
               i->row.state == IMAGE_VERIFYING;
}

/* Copies one text over another; false: no memory, nothing has changed. */
bool image_set_text(odm_str *to, odm_str from)
{
        char *p = malloc(from.n + 1);

        if (!p)
                return false;
        if (from.n)
                memcpy(p, from.p, from.n);
        p[from.n] = 0;
        free((char *)(uintptr_t)to->p);
        *to = (odm_str){p, from.n};
        return true;
}

static void image_free(image_node *i)
{
        image_row *r = &i->row;
        const odm_str texts[] = {r->node,
                                 r->id,
                                 r->name,
                                 r->version,
                                 r->vendor,
                                 r->match,
                                 r->hash,
                                 r->previous,
                                 r->correlator,
                                 r->signature,
                                 r->previous_signature};

        for (size_t k = 0; k < ODM_COUNT(texts); k++)
                free((char *)(uintptr_t)texts[k].p);
        delivery_end(i->delivery);
        notice_stop(&i->alarm);
        free(i);
}

image_node *image_find(const images *p, odm_str node)
{
        image_node *i = p->list;

        while (i && !odm_str_eq(i->row.node, node))
                i = i->next;
        return i;
}

image_node *image_make(images *p, odm_str node)
{
        image_node *i = image_find(p, node);
        char object[FM_TEXT + 1];

        if (i || p->n == IMAGES_MAX)
                return i;
        i = calloc(1, sizeof *i);
        if (!i || !image_set_text(&i->row.node, node)) {
                free(i);
                return NULL;
        }
        snprintf(object, sizeof object, IMAGES_AT "/%.*s", (int)node.n, node.p);
        notice_init(&i->alarm, p->host, FM_INTEGRITY, object);
        i->p = p;
        i->next = p->list;
        p->list = i;
        p->n++;
        return i;
}

void image_drop(images *p, image_node *i)
{
        image_node **at = &p->list;

        while (*at != i)
                at = &(*at)->next;
        *at = i->next;
        p->n--;
        if (i->delivery)
                p->running--;
        image_free(i);
}

/* ---- the tree -------------------------------------------------------------------------------- */

odm_str image_uri(odm_arena *a, const image_node *i, const char *leaf)
{
        return odm_arena_fmt(a, IMAGES_AT "/%.*s%s%s", (int)i->row.node.n, i->row.node.p,
                             leaf[0] ? "/" : "", leaf);
}

odm_str image_leaf(const image_node *i, const char *name, odm_arena *a)
{
        odm_str uri = image_uri(a, i, name);
        odm_value v;

        return uri.p && odm_tree_read(i->p->host->tree, uri, a, &v) == 0 ? v.data : ODM_ABSENT;
}

int64_t image_number(const image_node *i, const char *name, odm_arena *a)
{
        uint64_t n;

        return odm_str_u64(image_leaf(i, name, a), INT64_MAX, &n) == 0 ? (int64_t)n : 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool put_row(const image_node *i, store_batch *b)
{
        store_op *op = store_batch_add(b, STORE_ROW_PUT);

        if (op)
                op->row = (store_row_op){.table = &image_table, .row = &i->row};
        return op != NULL;
}

int image_drop_row(images *p, const image_node *i)
{
        store_batch *b = store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_ROW_DELETE) : NULL;
        int rc = ODM_ENOMEM;

        if (op) {
                op->lenient = true;
                op->row = (store_row_op){.table = &image_table, .row = &i->row};
                rc = gw_write(p->g, b);
        }
        store_batch_free(b);
        return rc;
}

/* <ImageReady>, as the server is told. */
static int put_doc(const image_node *i, odm_arena *a, odm_buf *b)
{
        odm_str base = image_server_base(i->p->server), url = ODM_STR("");
        odm_str id = image_leaf(i, "ImageID", a);
        int rc;

        if (base.n && i->row.hash.n)
                url = image_url(a, base, i->row.id);
        rc = odm_buf_str(b, ODM_STR("<ImageReady><ImageID>"));
        if (rc == 0)
                rc = odm_fanout_put_text(b, id.n ? id : i->row.id);
        if (rc == 0)
                rc = odm_buf_fmt(b, "</ImageID><Hash>%.*s</Hash><LocalURL>", (int)i->row.hash.n,
                                 i->row.hash.n ? i->row.hash.p : "");
        if (rc == 0)
                rc = odm_fanout_put_text(b, url);
        if (rc == 0)
                rc = odm_buf_fmt(b, "</LocalURL><Result>%" PRId64 "</Result></ImageReady>",
                                 i->row.result);
        return rc;
}

static int put_alert(const image_node *i, store_batch *batch)
{
        odm_arena *a = store_batch_arena(batch);
        odm_alert x = {.code = ODM_ALERT_GENERIC,
                       .source = image_uri(a, i, ""),
                       .type = TYPE,
                       .format = ODM_FMT_XML,
                       .correlator = i->row.correlator};
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, DOC_MAX);
        rc = x.source.p ? put_doc(i, a, &b) : ODM_ENOMEM;
        x.data = odm_buf_view(&b);
        if (rc == 0)
                rc = north_add(i->p->g, batch, NORTH_REPORT, &x, loop_wall(), NULL);
        odm_buf_done(&b);
        return rc;
}

/* The row as it is now, with the alert of an end or without; durable on return. */
int image_keep(const image_node *i, bool ended)
{
        store_batch *b = store_batch_new();
        int rc = b && put_row(i, b) ? 0 : ODM_ENOMEM;

        if (rc == 0 && ended)
                rc = put_alert(i, b);
        if (rc == 0)
                rc = gw_write(i->p->g, b);
        store_batch_free(b);
        if (rc < 0)
                log_error("an image's state cannot be kept", log_str("image", i->row.node),
                          log_err(rc));
        return rc;
}
