/* SPDX-License-Identifier: Apache-2.0 */
/* images_start.c - what a start of the gateway finds of images: orders that were under way go on,
 * and what was offered is offered when its file was read; see images_inner.h. */
#include "images_inner.h"

#include "heap.h"
#include "proof.h"

#define AT_START ((uint64_t)4 << 20) /* octets of images that are read before the start is over */

/* What a start finds is offered when it was read: at once as long as that takes a moment, else
 * beside everything else. */
static void look_at(image_node *i)
{
        images *p = i->p;
        char hash[65] = "";
        odm_arena a;
        odm_str path;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        path = image_path(&a, p->folder, i->row.hash);
        if (image_file_size(path.p) != i->row.size) {
                image_spoilt(i, "its file is not as long as it was");
        } else if (p->read + i->row.size > AT_START) {
                i->looking = true;
        } else {
                p->read += i->row.size;
                if (proof_hash(path.p, hash, NULL) == 0 && odm_str_is(i->row.hash, hash))
                        image_proved(i);
                else
                        image_spoilt(i, "its file is not what it was");
        }
        odm_arena_done(&a);
}

static void look_back_at(image_node *i)
{
        images *p = i->p;
        char hash[65] = "";
        odm_arena a;
        odm_str path;
        uint64_t size;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        path = image_path(&a, p->folder, i->row.previous);
        size = image_file_size(path.p);
        if (p->read + size > AT_START) {
                i->looking_back = true;
        } else {
                p->read += size;
                if (proof_hash(path.p, hash, NULL) < 0 || !odm_str_is(i->row.previous, hash))
                        image_lose_previous(i);
        }
        odm_arena_done(&a);
}

/* Before anybody can ask for one. */
int images_doubt(images *p)
{
        const store_scan scan = {.table = &image_table, .limit = IMAGES_MAX};
        store_batch *b = store_batch_new();
        store_rows rows = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        rc = b ? store_row_find(gw_store(p->g), &scan, &a, &rows) : ODM_ENOMEM;
        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                image_row *r = (image_row *)rows.v + i;
                store_op *op = r->hash.n && !r->unproved ? store_batch_add(b, STORE_ROW_PUT) : NULL;
                if (!r->hash.n || r->unproved)
                        continue;
                r->unproved = true;
                if (op)
                        op->row = (store_row_op){.table = &image_table, .row = r};
                else
                        rc = ODM_ENOMEM;
        }
        if (rc == 0 && b->n)
                rc = gw_write(p->g, b);
        store_batch_free(b);
        odm_arena_done(&a);
        return rc;
}

/* An order that was under way goes on. */
static int take_up(images *p, const image_row *r)
{
        image_node *i = image_make(p, r->node);

        if (!i || !image_set_text(&i->row.id, r->id) || !image_set_text(&i->row.name, r->name) ||
            !image_set_text(&i->row.version, r->version) ||
            !image_set_text(&i->row.vendor, r->vendor) ||
            !image_set_text(&i->row.match, r->match) ||
            !image_set_text(&i->row.previous, r->previous) ||
            !image_set_text(&i->row.correlator, r->correlator) ||
            !image_set_text(&i->row.signature, r->signature) ||
            !image_set_text(&i->row.previous_signature, r->previous_signature) ||
            !image_set_text(&i->row.hash, r->hash))
                return ODM_ENOMEM;
        i->row.kind = r->kind;
        i->row.size = r->size;
        i->row.ready = r->ready;
        i->row.state = r->state;
        i->row.result = r->result;
        i->row.delivered = r->delivered;
        i->row.unproved = r->unproved;
        i->row.backward = r->backward;
        i->row.older = r->older;
        i->order = r->backward                   ? ORDER_BACK
                   : r->state == IMAGE_VERIFYING ? ORDER_VERIFY
                   : r->delivered                ? ORDER_DATA
                                                 : ORDER_DOWNLOAD;
        if (image_is_under_way(i))
                i->row.state = IMAGE_QUEUED;
        else
                image_file_drop(i); /* it was kept for the row that is there now */
        if (r->hash.n)
                look_at(i);
        if (r->previous.n)
                look_back_at(i);
        return 0;
}

int images_read(images *p)
{
        const store_scan scan = {.table = &image_table, .limit = IMAGES_MAX};
        store_rows rows = {0};
        const image_row *r;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        rc = store_row_find(gw_store(p->g), &scan, &a, &rows);
        r = rows.v;
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = take_up(p, &r[i]);
        odm_arena_done(&a);
        return rc;
}
