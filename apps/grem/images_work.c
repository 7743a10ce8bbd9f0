/* SPDX-License-Identifier: Apache-2.0 */
/* images_work.c - orders on images: their steps, one after the other, and their ends; see
 * images_inner.h. */
#include "images_inner.h"

#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "odm/fumo.h"
#include "proof.h"
#include "recover.h"

#define AT_ONCE 2 /* downloads and proofs under way together */
#define DATA_MEMORY ((size_t)64 << 20)
#define RETRY_MS 5000 /* after the store failed */

/* ---- ends ------------------------------------------------------------------------------------ */

void images_wake(images *p, int64_t ms)
{
        if (loop_timer_set(p->host->loop, &p->soon, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

/* What cannot be kept did not end: the order is begun again. */
static void end(image_node *i, odm_task_cause cause, const char *note)
{
        i->row.result = odm_fumo_result(cause, true);
        i->row.state = i->row.hash.n && cause == ODM_CAUSE_OK ? IMAGE_READY : IMAGE_FAILED;
        i->row.backward = false;
        if (image_keep(i, true) < 0) {
                i->row.state = IMAGE_QUEUED;
                i->row.backward = i->order == ORDER_BACK;
                images_wake(i->p, RETRY_MS);
                return;
        }
        if (cause == ODM_CAUSE_OK)
                log_info("an image is ready", log_str("image", i->row.node),
                         log_str("hash", i->row.hash));
        else
                log_warn("an image is not ready", log_str("image", i->row.node),
                         log_int("result", i->row.result), log_text("reason", note));
}

/* What was proved takes the place of what was offered, which is kept as the one before. */
static bool take_over(image_node *i, odm_arena *a)
{
        odm_str hash = odm_cstr(i->hash);
        bool ok = true;

        if (!odm_str_eq(hash, i->row.hash)) {
                ok = image_set_text(&i->row.previous_signature, i->row.signature) &&
                     image_set_text(&i->row.previous, i->row.hash) &&
                     image_set_text(&i->row.hash, hash);
        }
        i->row.unproved = i->row.older = false;
        i->row.size = image_file_size(image_path(a, i->p->folder, hash).p);
        i->row.kind = image_number(i, "Kind", a);
        i->row.ready = loop_wall().s * 1000;
        return ok && image_set_text(&i->row.signature, image_leaf(i, "Signature", a)) &&
               image_set_text(&i->row.id, image_leaf(i, "ImageID", a)) &&
               image_set_text(&i->row.name, image_leaf(i, "Name", a)) &&
               image_set_text(&i->row.version, image_leaf(i, "Version", a)) &&
               image_set_text(&i->row.vendor, image_leaf(i, "Vendor", a)) &&
               image_set_text(&i->row.match, image_leaf(i, "Match", a));
}

static void adopt(image_node *i)
{
        odm_str before = i->row.previous;
        char *old = before.n ? strndup(before.p, before.n) : NULL;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        if (image_file_place(i, &a) < 0)
                end(i, ODM_CAUSE_FAILED, "its file cannot be kept");
        else if (!take_over(i, &a))
                end(i, ODM_CAUSE_FAILED, "out of memory");
        else
                end(i, ODM_CAUSE_OK, "");
        odm_arena_done(&a);
        if (i->row.state == IMAGE_READY) {
                i->looking = false;
                notice_say(&i->alarm, FM_CLEARED, "there is a whole one");
                image_file_drop(i);
                image_file_forget(i->p, odm_cstr(old));
                recover_image(i->p->g);
        }
        free(old);
}

static void exchange(odm_str *a, odm_str *b)
{
        const odm_str was = *a;

        *a = *b;
        *b = was;
}

static void turn_round(image_node *i, odm_arena *a)
{
        image_row *r = &i->row;

        exchange(&r->hash, &r->previous);
        exchange(&r->signature, &r->previous_signature);
        r->size = image_file_size(image_path(a, i->p->folder, r->hash).p);
        r->older = !r->older;
}

/* The one before was read, and is whole: it is offered, and what was offered is kept in its place.
 */
static void go_back(image_node *i)
{
        const int64_t ready = i->row.ready;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        turn_round(i, &a);
        i->row.ready = loop_wall().s * 1000;
        end(i, ODM_CAUSE_OK, "");
        if (i->row.state == IMAGE_QUEUED) { /* which is not kept */
                turn_round(i, &a);
                i->row.ready = ready;
        } else {
                i->looking = false;
                notice_say(&i->alarm, FM_CLEARED, "the one before is offered");
        }
        odm_arena_done(&a);
}

void image_lose_previous(image_node *i)
{
        const odm_str was = i->row.previous;
        char *hash = strndup(was.n ? was.p : "", was.n);

        log_warn("an image that was kept to go back to is damaged", log_str("image", i->row.node));
        i->looking_back = false;
        if (!hash || !image_set_text(&i->row.previous, ODM_STR("")))
                log_error("out of memory");
        else if (image_keep(i, false) == 0) /* else the next start finds it damaged again */
                image_file_forget(i->p, odm_cstr(hash));
        free(hash);
}

/* A damaged file is offered no more; the one before it is for the server to go back to. */
static void withdraw(image_node *i, const char *note)
{
        char *hash = strndup(i->row.hash.p, i->row.hash.n);

        if (!hash || !image_set_text(&i->row.hash, ODM_STR("")))
                log_error("out of memory");
        end(i, ODM_CAUSE_CORRUPT, note);
        if (hash && !i->row.hash.n)
                image_file_forget(i->p, odm_cstr(hash));
        free(hash);
}

/* Whether the server would have the same file fetched again: not where it wants another one by now,
 * and not without an address. */
static bool is_to_be_had(const image_node *i)
{
        odm_arena a;
        odm_str hash;
        bool is;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        hash = image_leaf(i, "Hash", &a);
        is = !i->row.delivered && !i->row.older && image_leaf(i, "URL", &a).n &&
             (!hash.n || odm_str_ieq(hash, i->row.hash.p));
        odm_arena_done(&a);
        return is;
}

/* Found by itself: an alarm, and it is fetched again.  A download or delivery that waits does that
 * too; a check that waits has its answer, and the way back does without. */
void image_spoilt(image_node *i, const char *note)
{
        char *hash = strndup(i->row.hash.p, i->row.hash.n);
        bool waits = image_is_under_way(i);
        bool again = waits ? i->order == ORDER_DOWNLOAD || i->order == ORDER_DATA : is_to_be_had(i);
        bool keep = again || (waits && i->order == ORDER_BACK);

        log_warn("an image is damaged", log_str("image", i->row.node), log_text("reason", note));
        notice_say(
                &i->alarm, FM_MAJOR,
                again ? "the image was damaged; it is not offered, and fetched again"
                      : "the image was damaged; it is not offered, and has to be delivered again");
        i->row.unproved = i->looking = false;
        if (!keep) {
                withdraw(i, note);
        } else if (!hash || !image_set_text(&i->row.hash, ODM_STR(""))) {
                log_error("out of memory");
        } else if (!waits) {
                i->order = ORDER_DOWNLOAD;
                i->row.state = IMAGE_QUEUED;
                (void)image_set_text(&i->row.correlator, ODM_STR(""));
        }
        if (keep && image_keep(i, false) < 0) /* the next start finds it damaged again */
                log_error("an image's damage is not kept", log_str("image", i->row.node));
        else if (keep && hash)
                image_file_forget(i->p, odm_cstr(hash));
        free(hash);
}

/* It is what it was when it was proved first. */
void image_proved(image_node *i)
{
        i->row.unproved = i->looking = false;
        if (image_keep(i, false) < 0) {
                i->row.unproved = i->looking = true;
                images_wake(i->p, RETRY_MS);
                return;
        }
        notice_say(&i->alarm, FM_CLEARED, "it is whole");
}

static void on_done(void *ctx, odm_task_cause cause, const char *note)
{
        image_node *i = ctx;
        images *p = i->p;

        i->delivery = NULL;
        p->running--;
        switch (i->doing) {
        case ORDER_DOWNLOAD:
        case ORDER_DATA:
                if (cause == ODM_CAUSE_OK)
                        adopt(i);
                else
                        end(i, cause, note);
                break;
        case ORDER_VERIFY:
                if (cause == ODM_CAUSE_CORRUPT)
                        withdraw(i, note);
                else
                        end(i, cause, note);
                break;
        case ORDER_BACK:
                if (cause == ODM_CAUSE_OK) {
                        go_back(i);
                        break;
                }
                image_lose_previous(i);
                end(i, cause, note);
                break;
        case ORDER_LOOK:
                if (cause == ODM_CAUSE_OK)
                        image_proved(i);
                else
                        image_spoilt(i, note);
                break;
        case ORDER_LOOK_BACK:
                i->looking_back = false;
                if (cause != ODM_CAUSE_OK)
                        image_lose_previous(i);
                break;
        }
        images_wake(p, 0);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static const char *keys_of(const cfg *c)
{
        const char *own = cfg_str(c, "images.keys");

        return own ? own : cfg_str(c, "firmware.keys");
}

static errand_terms terms_of(const images *p)
{
        const cfg *c = p->host->conf;
        errand_terms t = part_terms(c, "firmware");
        int64_t room = (int64_t)images_room(p);

        t.max_size = cfg_int(c, "images.max_size");
        if (t.max_size > room)
                t.max_size = room;
        t.tries = cfg_int(c, "images.tries");
        t.wait_ms = cfg_ms(c, "images.retry_wait");
        t.patience_ms = cfg_ms(c, "images.download_time");
        return t;
}

static int begin_delivery(image_node *i, image_order doing, const delivery_opt *o)
{
        diag d = {{0}};
        int rc = delivery_start(i->p->host->loop, o, &i->delivery, &d);

        i->doing = doing;
        if (rc == 0)
                i->p->running++;
        else
                log_warn("an image cannot be worked on", log_str("image", i->row.node),
                         log_text("reason", d.text));
        return rc;
}

/* Fetched first, or there already. */
static int begin_package(image_node *i, bool fetch)
{
        odm_arena a;
        delivery_opt o = {.done = on_done, .ctx = i, .hash = i->hash};
        int rc;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        o.terms = terms_of(i->p);
        o.keys = keys_of(i->p->host->conf);
        o.hash_alone = o.keys == NULL;
        o.file = image_file_coming(i, &a).p;
        if (fetch)
                o.url = image_leaf(i, "URL", &a);
        o.received = &gw_counts_of(i->p->g)->image_bytes_in;
        o.proof = (proof){.hash_alg = image_leaf(i, "HashAlg", &a),
                          .hash = image_leaf(i, "Hash", &a),
                          .sig_alg = image_leaf(i, "SigAlg", &a),
                          .signature = image_leaf(i, "Signature", &a),
                          .key = image_leaf(i, "KeyID", &a)};
        rc = a.err ? odm_arena_err(&a) : begin_delivery(i, i->order, &o);
        odm_arena_done(&a);
        return rc;
}

/* Reads a file again. */
static int begin_check(image_node *i, image_order doing)
{
        odm_arena a;
        delivery_opt o = {.done = on_done, .ctx = i, .hash = i->hash, .hash_alone = true};
        int rc;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        o.proof.hash =
                doing == ORDER_BACK || doing == ORDER_LOOK_BACK ? i->row.previous : i->row.hash;
        o.file = image_path(&a, i->p->folder, o.proof.hash).p;
        rc = a.err ? odm_arena_err(&a) : begin_delivery(i, doing, &o);
        odm_arena_done(&a);
        return rc;
}

static int empty_data(const image_node *i, odm_arena *a)
{
        const part_host *h = i->p->host;
        odm_str uri = image_uri(a, i, "Data");
        const odm_value none = {.format = ODM_FMT_BIN, .data = ODM_STR("")};
        int rc = uri.p ? odm_tree_write(h->tree, uri, &none, loop_wall()) : odm_arena_err(a);

        return rc == 0 ? h->moved(h->ctx) : rc;
}

/* The content that a server put into the tree, into a file; then the tree lets go of it.  After a
 * restart it may be in the file already. */
static int take_data(const image_node *i)
{
        odm_arena a;
        odm_str data, file;
        diag d = {{0}};
        int rc, emptied = 0;

        odm_arena_init(&a, &heap_mem, DATA_MEMORY);
        data = image_leaf(i, "Data", &a);
        file = image_file_coming(i, &a);
        rc = a.err ? odm_arena_err(&a) : 0;
        if (rc == 0 && data.n)
                rc = data.n > images_room(i->p) ? ODM_ELIMIT
                                                : fsio_write(NULL, file.p, data, 0600, &d);
        if (data.n)
                emptied = empty_data(i, &a);
        if (rc == 0)
                rc = emptied;
        if (rc < 0)
                log_warn("an image that was delivered cannot be kept",
                         log_str("image", i->row.node), log_text("reason", d.text), log_err(rc));
        odm_arena_done(&a);
        return rc;
}

static odm_task_cause cause_of(int rc)
{
        return rc == ODM_ELIMIT ? ODM_CAUSE_NO_ROOM : ODM_CAUSE_FAILED;
}

static void begin(image_node *i)
{
        int rc = 0;

        i->row.state = i->order == ORDER_DOWNLOAD ? IMAGE_DOWNLOADING : IMAGE_VERIFYING;
        switch (i->order) {
        case ORDER_DOWNLOAD: rc = begin_package(i, true); break;
        case ORDER_DATA:
                rc = take_data(i);
                if (rc == 0)
                        rc = begin_package(i, false);
                break;
        case ORDER_VERIFY:
        case ORDER_BACK:
        case ORDER_LOOK:
        case ORDER_LOOK_BACK: rc = begin_check(i, i->order); break;
        }
        if (rc < 0)
                end(i, cause_of(rc), odm_err_text(rc));
}

/* ---- what the tree has come to --------------------------------------------------------------- */

static bool has_data(image_node *i)
{
        odm_arena a;
        bool has;

        odm_arena_init(&a, &heap_mem, DATA_MEMORY);
        has = image_leaf(i, "Data", &a).n > 0;
        odm_arena_done(&a);
        return has;
}

/* A delivery is an order of its own (no Exec says so). */
static int on_node(void *ctx, odm_str node)
{
        images *p = ctx;
        image_node *i = image_make(p, node);

        if (!i)
                return ODM_ENOMEM;
        if (image_is_under_way(i) || i->looking || i->looking_back || !has_data(i))
                return 0;
        i->order = ORDER_DATA;
        i->row.delivered = true;
        i->row.state = IMAGE_QUEUED;
        (void)image_set_text(&i->row.correlator, ODM_STR(""));
        if (image_keep(i, false) < 0) {
                i->row.state = IMAGE_EMPTY;
                return ODM_EIO;
        }
        return 0;
}

/* The node was deleted: row, then files. */
static int let_go(images *p, image_node *i)
{
        char *hash = strndup(i->row.hash.n ? i->row.hash.p : "", i->row.hash.n);
        char *previous = strndup(i->row.previous.n ? i->row.previous.p : "", i->row.previous.n);
        odm_arena a;
        int rc = hash && previous ? image_drop_row(p, i) : ODM_ENOMEM;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        if (rc == 0) {
                odm_str file = image_file_coming(i, &a);
                image_drop(p, i);
                if (file.p)
                        delivery_drop(file.p);
                image_file_forget(p, odm_cstr(hash));
                image_file_forget(p, odm_cstr(previous));
        }
        odm_arena_done(&a);
        free(hash);
        free(previous);
        return rc;
}

static bool is_there(const image_node *i)
{
        odm_arena a;
        odm_str uri;
        bool there;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        uri = image_uri(&a, i, "");
        there = !uri.p || odm_tree_exists(i->p->host->tree, uri);
        odm_arena_done(&a);
        return there;
}

void images_work(void *ctx)
{
        images *p = ctx;
        int rc = odm_tree_children(p->host->tree, ODM_STR(IMAGES_AT), on_node, p);

        for (image_node *i = p->list, *next; i; i = next) {
                next = i->next;
                if (!is_there(i) && let_go(p, i) < 0)
                        rc = ODM_EIO;
        }
        for (image_node *i = p->list; i; i = i->next)
                if ((i->looking || i->looking_back) && !i->delivery && p->running < AT_ONCE &&
                    begin_check(i, i->looking ? ORDER_LOOK : ORDER_LOOK_BACK) < 0)
                        rc = ODM_EIO;
        for (image_node *i = p->list; i; i = i->next)
                if (i->row.state == IMAGE_QUEUED && !i->looking && !i->looking_back &&
                    !i->delivery && p->running < AT_ONCE)
                        begin(i);
        if (rc < 0)
                images_wake(p, RETRY_MS);
}
