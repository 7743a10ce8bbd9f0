/* SPDX-License-Identifier: Apache-2.0 */
/* images_part.c - ./GwMO/ImageInventory: what servers order of images, and how it ends (gwmo.md 9).
 *
 *   EMPTY --Download--> QUEUED -> DOWNLOADING --fetched--> VERIFYING --proved--> READY
 *     \------Data-----------------------------------------/     \---not--> FAILED
 *   READY --Verify--> VERIFYING --whole--> READY
 *                          \--damaged--> FAILED, offered no more
 *   start --> unproved --read, and whole--> offered
 *                    \--damaged--> an alarm; QUEUED, to be fetched again, or FAILED
 *
 * An order is a row before it is answered 202, and its end is a row together with the alert that
 * tells of it: so each order ends with one alert, whatever happens to the power in between.  What
 * is offered changes in that same row: the file is there before it, and what it replaces goes after
 * it.  The image before the one in use is kept until the next. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "delivery.h"
#include "fanout_text.h"
#include "fsio.h"
#include "heap.h"
#include "images_inner.h"
#include "log.h"
#include "mo.h"
#include "odm/fumo.h"
#include "part/notice.h"
#include "proof.h"

#define TYPE ODM_STR("urn:oma:at:oma-gwmo:imageready:1.0")
#define AT_ONCE 2 /* downloads and proofs under way together */
#define DATA_MEMORY ((size_t)64 << 20)
#define TEXT_MEMORY ((size_t)256 << 10)
#define DOC_MAX 16384
#define RETRY_MS 5000                /* after the store failed */
#define AT_START ((uint64_t)4 << 20) /* octets of images that are read before the start is over */

typedef enum order {
        ORDER_DOWNLOAD,
        ORDER_DATA,
        ORDER_VERIFY,
        ORDER_LOOK /* at the start */
} order;

typedef struct images images;

typedef struct image {
        struct image *next;
        images *p;
        image_row row; /* texts on the heap, each its own */
        order order;   /* while its state says that one is under way */
        bool looking;  /* what is offered is to be read again, without an order */
        bool look;     /* the delivery does that */
        notice alarm;  /* of what was found damaged */
        delivery *delivery;
        char hash[65]; /* of what the delivery proved */
} image;

struct images {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        image *list;
        size_t n, running;
        uint64_t read; /* octets, at the start */
        image_server *server;
        char *folder;
        loop_timer soon;
};

/* ---- in memory ------------------------------------------------------------------------- */

static bool is_under_way(const image *i)
{
        return i->row.state == IMAGE_QUEUED || i->row.state == IMAGE_DOWNLOADING ||
               i->row.state == IMAGE_VERIFYING;
}

/* Copies one text over another; false: no memory, nothing has changed. */
static bool set_text(odm_str *to, odm_str from)
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

static void image_free(image *i)
{
        image_row *r = &i->row;
        const odm_str texts[] = {r->node,  r->id,   r->name,     r->version,    r->vendor,
                                 r->match, r->hash, r->previous, r->correlator, r->signature};

        for (size_t k = 0; k < ODM_COUNT(texts); k++)
                free((char *)(uintptr_t)texts[k].p);
        delivery_end(i->delivery);
        notice_stop(&i->alarm);
        free(i);
}

static image *find(const images *p, odm_str node)
{
        image *i = p->list;

        while (i && !odm_str_eq(i->row.node, node))
                i = i->next;
        return i;
}

static image *image_of(images *p, odm_str node)
{
        image *i = find(p, node);
        char object[FM_TEXT + 1];

        if (i || p->n == IMAGES_MAX)
                return i;
        i = calloc(1, sizeof *i);
        if (!i || !set_text(&i->row.node, node)) {
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

static void drop(images *p, image *i)
{
        image **at = &p->list;

        while (*at != i)
                at = &(*at)->next;
        *at = i->next;
        p->n--;
        if (i->delivery)
                p->running--;
        image_free(i);
}

/* ---- the tree ---------------------------------------------------------------------------- */

static odm_str uri_of(odm_arena *a, const image *i, const char *leaf)
{
        return odm_arena_fmt(a, IMAGES_AT "/%.*s%s%s", (int)i->row.node.n, i->row.node.p,
                             leaf[0] ? "/" : "", leaf);
}

static odm_str leaf(const image *i, const char *name, odm_arena *a)
{
        odm_str uri = uri_of(a, i, name);
        odm_value v;

        return uri.p && odm_tree_read(i->p->host->tree, uri, a, &v) == 0 ? v.data : ODM_ABSENT;
}

static int64_t number(const image *i, const char *name, odm_arena *a)
{
        uint64_t n;

        return odm_str_u64(leaf(i, name, a), INT64_MAX, &n) == 0 ? (int64_t)n : 0;
}

/* ---- files --------------------------------------------------------------------------------- */

/* What comes in, and is not proved. */
static odm_str coming(const image *i, odm_arena *a)
{
        return odm_arena_fmt(a, "%s/images/in-%.*s", i->p->folder, (int)i->row.node.n,
                             i->row.node.p);
}

static bool is_used(const images *p, odm_str hash)
{
        for (const image *i = p->list; i; i = i->next)
                if (odm_str_eq(i->row.hash, hash) || odm_str_eq(i->row.previous, hash))
                        return true;
        return false;
}

/* A file that no row names any more. */
static void forget_file(const images *p, odm_str hash)
{
        odm_arena a;
        odm_str path;

        if (!hash.n || is_used(p, hash))
                return;
        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        path = image_path(&a, p->folder, hash);
        if (path.p)
                (void)unlink(path.p);
        odm_arena_done(&a);
}

static uint64_t size_of_file(const char *path)
{
        struct stat st;

        return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static uint64_t used(const images *p)
{
        odm_arena a;
        uint64_t sum = 0;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        for (const image *i = p->list; i; i = i->next) {
                if (i->row.hash.n)
                        sum += i->row.size;
                if (i->row.previous.n)
                        sum += size_of_file(image_path(&a, p->folder, i->row.previous).p);
        }
        odm_arena_done(&a);
        return sum;
}

static uint64_t free_octets(const images *p)
{
        uint64_t most = (uint64_t)cfg_int(p->host->conf, "images.max_total"), have = used(p), disk;
        struct statvfs v;

        have = have < most ? most - have : 0;
        if (statvfs(p->folder, &v) < 0)
                return have;
        disk = (uint64_t)v.f_bavail * v.f_frsize;
        return disk < have ? disk : have;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool put_row(const image *i, store_batch *b)
{
        store_op *op = store_batch_add(b, STORE_ROW_PUT);

        if (op)
                op->row = (store_row_op){.table = &image_table, .row = &i->row};
        return op != NULL;
}

/* <ImageReady>, as the server is told. */
static int put_doc(const image *i, odm_arena *a, odm_buf *b)
{
        odm_str base = image_server_base(i->p->server), url = ODM_STR("");
        odm_str id = leaf(i, "ImageID", a);
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

static int put_alert(const image *i, store_batch *batch)
{
        odm_arena *a = store_batch_arena(batch);
        odm_alert x = {.code = ODM_ALERT_GENERIC,
                       .source = uri_of(a, i, ""),
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
static int keep(const image *i, bool ended)
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

/* ---- ends ---------------------------------------------------------------------------------------- */

static void go_on_soon(images *p, int64_t ms)
{
        if (loop_timer_set(p->host->loop, &p->soon, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

/* What cannot be kept did not end: the order is begun again. */
static void end(image *i, odm_task_cause cause, const char *note)
{
        i->row.result = odm_fumo_result(cause, true);
        i->row.state = i->row.hash.n && cause == ODM_CAUSE_OK ? IMAGE_READY : IMAGE_FAILED;
        if (keep(i, true) < 0) {
                i->row.state = IMAGE_QUEUED;
                go_on_soon(i->p, RETRY_MS);
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
static bool take_over(image *i, odm_arena *a)
{
        odm_str hash = odm_cstr(i->hash);
        bool ok = true;

        if (!odm_str_eq(hash, i->row.hash)) {
                ok = set_text(&i->row.previous, i->row.hash) && set_text(&i->row.hash, hash);
        }
        i->row.unproved = false;
        i->row.size = size_of_file(image_path(a, i->p->folder, hash).p);
        i->row.kind = number(i, "Kind", a);
        i->row.ready = loop_wall().s * 1000;
        return ok && set_text(&i->row.signature, leaf(i, "Signature", a)) &&
               set_text(&i->row.id, leaf(i, "ImageID", a)) &&
               set_text(&i->row.name, leaf(i, "Name", a)) &&
               set_text(&i->row.version, leaf(i, "Version", a)) &&
               set_text(&i->row.vendor, leaf(i, "Vendor", a)) &&
               set_text(&i->row.match, leaf(i, "Match", a));
}

static bool sync_path(const char *path, int flags)
{
        int fd = open(path, flags | O_CLOEXEC);
        bool ok = fd >= 0 && fsync(fd) == 0;

        if (fd >= 0)
                close(fd);
        return ok;
}

/* Under a second name, which takes the place of whatever is there: what came in stays until the row
 * names the other one, or an order that goes on after a restart would have nothing left. */
static bool link_over(const char *from, const char *beside, const char *to)
{
        bool ok;

        (void)unlink(beside); /* of one that was cut short */
        ok = link(from, beside) == 0 && rename(beside, to) == 0;
        (void)unlink(beside); /* rename() leaves it where both are one file already */
        return ok;
}

/* Durable on return. */
static int put_in_place(const image *i, odm_arena *a)
{
        odm_str from = coming(i, a), to = image_path(a, i->p->folder, odm_cstr(i->hash));
        odm_str folder = odm_arena_fmt(a, "%s/images", i->p->folder);
        odm_str beside = odm_arena_fmt(a, "%s/images/at-%.*s", i->p->folder, (int)i->row.node.n,
                                       i->row.node.p);

        if (a->err)
                return odm_arena_err(a);
        if (!sync_path(from.p, O_RDONLY) || !link_over(from.p, beside.p, to.p) ||
            !sync_path(folder.p, O_RDONLY | O_DIRECTORY)) {
                log_error("an image cannot be put in its place", log_str("image", i->row.node),
                          log_int("errno", errno));
                return ODM_EIO;
        }
        return 0;
}

static void drop_coming(const image *i)
{
        odm_arena a;
        odm_str file;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        file = coming(i, &a);
        if (file.p)
                delivery_drop(file.p);
        odm_arena_done(&a);
}

static void adopt(image *i)
{
        odm_str before = i->row.previous;
        char *old = before.n ? strndup(before.p, before.n) : NULL;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        if (put_in_place(i, &a) < 0)
                end(i, ODM_CAUSE_FAILED, "its file cannot be kept");
        else if (!take_over(i, &a))
                end(i, ODM_CAUSE_FAILED, "out of memory");
        else
                end(i, ODM_CAUSE_OK, "");
        odm_arena_done(&a);
        if (i->row.state == IMAGE_READY) {
                i->looking = false;
                notice_say(&i->alarm, FM_CLEARED, "there is a whole one");
                drop_coming(i);
                forget_file(i->p, odm_cstr(old));
        }
        free(old);
}

/* A damaged file is offered no more; the one before it is for the server to go back to. */
static void withdraw(image *i, const char *note)
{
        char *hash = strndup(i->row.hash.p, i->row.hash.n);

        if (!hash || !set_text(&i->row.hash, ODM_STR("")))
                log_error("out of memory");
        end(i, ODM_CAUSE_CORRUPT, note);
        if (hash && !i->row.hash.n)
                forget_file(i->p, odm_cstr(hash));
        free(hash);
}

/* Whether the server would have the same file fetched again: not where it wants another one by now,
 * and not without an address. */
static bool is_to_be_had(const image *i)
{
        odm_arena a;
        odm_str hash;
        bool is;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        hash = leaf(i, "Hash", &a);
        is = !i->row.delivered && leaf(i, "URL", &a).n &&
             (!hash.n || odm_str_ieq(hash, i->row.hash.p));
        odm_arena_done(&a);
        return is;
}

/* Found by itself: an alarm, and it is fetched again.  An order that waits does that too. */
static void spoilt(image *i, const char *note)
{
        char *hash = strndup(i->row.hash.p, i->row.hash.n);
        bool again = is_under_way(i) || is_to_be_had(i);

        log_warn("an image is damaged", log_str("image", i->row.node), log_text("reason", note));
        notice_say(
                &i->alarm, FM_MAJOR,
                again ? "the image was damaged; it is not offered, and fetched again"
                      : "the image was damaged; it is not offered, and has to be delivered again");
        i->row.unproved = i->looking = false;
        if (!again) {
                withdraw(i, note);
        } else if (!hash || !set_text(&i->row.hash, ODM_STR(""))) {
                log_error("out of memory");
        } else if (!is_under_way(i)) {
                i->order = ORDER_DOWNLOAD;
                i->row.state = IMAGE_QUEUED;
                (void)set_text(&i->row.correlator, ODM_STR(""));
        }
        if (again && keep(i, false) < 0) /* the next start finds it damaged again */
                log_error("an image's damage is not kept", log_str("image", i->row.node));
        else if (again && hash)
                forget_file(i->p, odm_cstr(hash));
        free(hash);
}

/* It is what it was when it was proved first. */
static void proved(image *i)
{
        i->row.unproved = i->looking = false;
        if (keep(i, false) < 0) {
                i->row.unproved = i->looking = true;
                go_on_soon(i->p, RETRY_MS);
                return;
        }
        notice_say(&i->alarm, FM_CLEARED, "it is whole");
}

static void on_done(void *ctx, odm_task_cause cause, const char *note)
{
        image *i = ctx;
        images *p = i->p;
        order o = i->look ? ORDER_LOOK : i->order;

        i->delivery = NULL;
        i->look = false;
        p->running--;
        switch (o) {
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
        case ORDER_LOOK:
                if (cause == ODM_CAUSE_OK)
                        proved(i);
                else
                        spoilt(i, note);
                break;
        }
        go_on_soon(p, 0);
}

/* ---- steps ------------------------------------------------------------------------------------------ */

static const char *keys_of(const cfg *c)
{
        const char *own = cfg_str(c, "images.keys");

        return own ? own : cfg_str(c, "firmware.keys");
}

static errand_terms terms_of(const images *p)
{
        const cfg *c = p->host->conf;
        errand_terms t = part_terms(c, "firmware");
        int64_t room = (int64_t)free_octets(p);

        t.max_size = cfg_int(c, "images.max_size");
        if (t.max_size > room)
                t.max_size = room;
        t.tries = cfg_int(c, "images.tries");
        t.wait_ms = cfg_ms(c, "images.retry_wait");
        t.patience_ms = cfg_ms(c, "images.download_time");
        return t;
}

static int begin_delivery(image *i, const delivery_opt *o)
{
        diag d = {{0}};
        int rc = delivery_start(i->p->host->loop, o, &i->delivery, &d);

        if (rc == 0)
                i->p->running++;
        else
                log_warn("an image cannot be worked on", log_str("image", i->row.node),
                         log_text("reason", d.text));
        return rc;
}

/* Fetched first, or there already. */
static int begin_package(image *i, bool fetch)
{
        odm_arena a;
        delivery_opt o = {.done = on_done, .ctx = i, .hash = i->hash};
        int rc;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        o.terms = terms_of(i->p);
        o.keys = keys_of(i->p->host->conf);
        o.hash_alone = o.keys == NULL;
        o.file = coming(i, &a).p;
        if (fetch)
                o.url = leaf(i, "URL", &a);
        o.proof = (proof){.hash_alg = leaf(i, "HashAlg", &a),
                          .hash = leaf(i, "Hash", &a),
                          .sig_alg = leaf(i, "SigAlg", &a),
                          .signature = leaf(i, "Signature", &a),
                          .key = leaf(i, "KeyID", &a)};
        rc = a.err ? odm_arena_err(&a) : begin_delivery(i, &o);
        odm_arena_done(&a);
        return rc;
}

/* Reads what is offered again. */
static int begin_check(image *i)
{
        odm_arena a;
        delivery_opt o = {.done = on_done, .ctx = i, .hash = i->hash, .hash_alone = true};
        int rc;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        o.file = image_path(&a, i->p->folder, i->row.hash).p;
        o.proof.hash = i->row.hash;
        rc = a.err ? odm_arena_err(&a) : begin_delivery(i, &o);
        odm_arena_done(&a);
        return rc;
}

static int empty_data(const image *i, odm_arena *a)
{
        const part_host *h = i->p->host;
        odm_str uri = uri_of(a, i, "Data");
        const odm_value none = {.format = ODM_FMT_BIN, .data = ODM_STR("")};
        int rc = uri.p ? odm_tree_write(h->tree, uri, &none, loop_wall()) : odm_arena_err(a);

        return rc == 0 ? h->moved(h->ctx) : rc;
}

/* The content that a server put into the tree, into a file; then the tree lets go of it.  After a
 * restart it may be in the file already. */
static int take_data(const image *i)
{
        odm_arena a;
        odm_str data, file;
        diag d = {{0}};
        int rc, emptied = 0;

        odm_arena_init(&a, &heap_mem, DATA_MEMORY);
        data = leaf(i, "Data", &a);
        file = coming(i, &a);
        rc = a.err ? odm_arena_err(&a) : 0;
        if (rc == 0 && data.n)
                rc = data.n > free_octets(i->p) ? ODM_ELIMIT
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

static void begin(image *i)
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
        case ORDER_LOOK: rc = begin_check(i); break;
        }
        if (rc < 0)
                end(i, cause_of(rc), odm_err_text(rc));
}

/* ---- what the tree has come to -------------------------------------------------------------------------- */

static bool has_data(image *i)
{
        odm_arena a;
        bool has;

        odm_arena_init(&a, &heap_mem, DATA_MEMORY);
        has = leaf(i, "Data", &a).n > 0;
        odm_arena_done(&a);
        return has;
}

/* A delivery is an order of its own (no Exec says so). */
static int on_node(void *ctx, odm_str node)
{
        images *p = ctx;
        image *i = image_of(p, node);

        if (!i)
                return ODM_ENOMEM;
        if (is_under_way(i) || i->looking || !has_data(i))
                return 0;
        i->order = ORDER_DATA;
        i->row.delivered = true;
        i->row.state = IMAGE_QUEUED;
        (void)set_text(&i->row.correlator, ODM_STR(""));
        if (keep(i, false) < 0) {
                i->row.state = IMAGE_EMPTY;
                return ODM_EIO;
        }
        return 0;
}

static int drop_row(images *p, const image *i)
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

/* The node was deleted: row, then files. */
static int let_go(images *p, image *i)
{
        char *hash = strndup(i->row.hash.n ? i->row.hash.p : "", i->row.hash.n);
        char *previous = strndup(i->row.previous.n ? i->row.previous.p : "", i->row.previous.n);
        odm_arena a;
        int rc = hash && previous ? drop_row(p, i) : ODM_ENOMEM;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        if (rc == 0) {
                odm_str file = coming(i, &a);
                drop(p, i);
                if (file.p)
                        delivery_drop(file.p);
                forget_file(p, odm_cstr(hash));
                forget_file(p, odm_cstr(previous));
        }
        odm_arena_done(&a);
        free(hash);
        free(previous);
        return rc;
}

static bool is_there(const image *i)
{
        odm_arena a;
        odm_str uri;
        bool there;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        uri = uri_of(&a, i, "");
        there = !uri.p || odm_tree_exists(i->p->host->tree, uri);
        odm_arena_done(&a);
        return there;
}

static void on_soon(void *ctx)
{
        images *p = ctx;
        int rc = odm_tree_children(p->host->tree, ODM_STR(IMAGES_AT), on_node, p);

        for (image *i = p->list, *next; i; i = next) {
                next = i->next;
                if (!is_there(i) && let_go(p, i) < 0)
                        rc = ODM_EIO;
        }
        for (image *i = p->list; i; i = i->next)
                if (i->looking && !i->delivery && p->running < AT_ONCE) {
                        i->look = begin_check(i) == 0;
                        rc = i->look ? rc : ODM_EIO;
                }
        for (image *i = p->list; i; i = i->next)
                if (i->row.state == IMAGE_QUEUED && !i->looking && !i->delivery &&
                    p->running < AT_ONCE)
                        begin(i);
        if (rc < 0)
                go_on_soon(p, RETRY_MS);
}

/* ---- nodes ------------------------------------------------------------------------------------------------ */

static int say(odm_arena *a, odm_format format, int64_t n, odm_value *out)
{
        odm_str text = odm_arena_number(a, (uint64_t)n);

        *out = (odm_value){.format = format, .data = text};
        return text.p ? 0 : odm_arena_err(a);
}

static int read_state(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image *i = find(ctx, at->name[0]);

        if (i && i->row.unproved && !is_under_way(i))
                return say(a, ODM_FMT_INT, IMAGE_VERIFYING, out);
        return say(a, ODM_FMT_INT, i ? i->row.state : IMAGE_EMPTY, out);
}

static int64_t percent(const image *i)
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
        const image *i = find(ctx, at->name[0]);

        return say(a, ODM_FMT_INT, i ? percent(i) : 0, out);
}

static int read_result(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const image *i = find(ctx, at->name[0]);

        return i && i->row.result ? say(a, ODM_FMT_INT, i->row.result, out) : ODM_ENOENT;
}

static int read_url(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const images *p = ctx;
        const image *i = find(p, at->name[0]);
        odm_str base = image_server_base(p->server), url;

        if (!i || !i->row.hash.n || i->row.unproved || !base.n)
                return ODM_ENOENT;
        url = image_url(a, base, i->row.id);
        if (!url.p)
                return odm_arena_err(a);
        *out = (odm_value){.format = ODM_FMT_CHR, .data = url};
        return 0;
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
        return p->folder ? say(a, ODM_FMT_INT, kilobytes(free_octets(p)), out) : ODM_ENOENT;
}

static int read_total(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const images *p = ctx;

        (void)at;
        if (!p->folder)
                return ODM_ENOENT;
        return say(a, ODM_FMT_INT, kilobytes(free_octets(p) + used(p)), out);
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
static unsigned refusal(image *i, order o)
{
        odm_arena a;
        unsigned status = 0;

        if (!i)
                return ODM_ST_FULL;
        if (is_under_way(i))
                return ODM_ST_NOT_ALLOWED;
        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        if (o == ORDER_VERIFY && !i->row.hash.n)
                status = ODM_ST_NOT_ALLOWED;
        else if (o == ORDER_DOWNLOAD && !leaf(i, "URL", &a).n)
                status = ODM_ST_INCOMPLETE;
        else if (o == ORDER_DOWNLOAD && (uint64_t)number(i, "Size", &a) > free_octets(i->p))
                status = ODM_ST_FULL;
        odm_arena_done(&a);
        return status;
}

static int order_it(images *p, const odm_at *at, const odm_op *op, order o, unsigned *status)
{
        image *i = p->g && p->host->loop ? image_of(p, at->name[0]) : NULL;
        int64_t before;

        *status = refusal(i, o);
        if (*status)
                return 0;
        before = i->row.state;
        i->order = o;
        i->row.delivered = false;
        i->row.state =
                o == ORDER_VERIFY ? IMAGE_VERIFYING : IMAGE_QUEUED; /* what take_up() reads */
        if (!set_text(&i->row.correlator, op->correlator) || keep(i, false) < 0) {
                i->row.state = before;
                *status = ODM_ST_STORE_FAILED;
                return 0;
        }
        i->row.state = IMAGE_QUEUED;
        *status = ODM_ST_ACCEPTED;
        go_on_soon(p, 0);
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
                     {"Operations/Verify", ODM_FMT_NULL}};
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
                const image *i = node.n ? find(p, node) : NULL;
                odm_arena a;
                if (c->kind == ODM_CHANGE_DELETE && i && is_under_way(i) && c->server.n)
                        *status = ODM_ST_NOT_ALLOWED;
                if (c->kind != ODM_CHANGE_ADD || !node.n || rest.n)
                        continue;
                odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
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
                go_on_soon(p, 0);
        return 0;
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static const odm_binding bindings[] = {
        {.path = "Images/*/State", .read = read_state},
        {.path = "Images/*/Progress", .read = read_progress},
        {.path = "Images/*/Result", .read = read_result},
        {.path = "Images/*/LocalURL", .read = read_url},
        {.path = "Images/*/Match", .check = check_match},
        {.path = "Images/*/Operations/Download", .exec = exec_download},
        {.path = "Images/*/Operations/Verify", .exec = exec_verify},
        {.path = "FreeSpace", .read = read_free},
        {.path = "TotalSpace", .read = read_total},
};

static void images_close(void *ctx)
{
        images *p = ctx;

        loop_timer_stop(&p->soon);
        image_server_close(p->server);
        while (p->list) {
                image *i = p->list;
                p->list = i->next;
                image_free(i);
        }
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
        p->soon = (loop_timer){.fn = on_soon, .ctx = p};
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

/* What a start finds is offered when it was read: at once as long as that takes a moment, else
 * beside everything else. */
static void look_at(image *i)
{
        images *p = i->p;
        char hash[65] = "";
        odm_arena a;
        odm_str path;

        odm_arena_init(&a, &heap_mem, TEXT_MEMORY);
        path = image_path(&a, p->folder, i->row.hash);
        if (size_of_file(path.p) != i->row.size) {
                spoilt(i, "its file is not as long as it was");
        } else if (p->read + i->row.size > AT_START) {
                i->looking = true;
        } else {
                p->read += i->row.size;
                if (proof_hash(path.p, hash, NULL) == 0 && odm_str_is(i->row.hash, hash))
                        proved(i);
                else
                        spoilt(i, "its file is not what it was");
        }
        odm_arena_done(&a);
}

/* Before anybody can ask for one. */
static int doubt_all(images *p)
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
        image *i = image_of(p, r->node);

        if (!i || !set_text(&i->row.id, r->id) || !set_text(&i->row.name, r->name) ||
            !set_text(&i->row.version, r->version) || !set_text(&i->row.vendor, r->vendor) ||
            !set_text(&i->row.match, r->match) || !set_text(&i->row.previous, r->previous) ||
            !set_text(&i->row.correlator, r->correlator) ||
            !set_text(&i->row.signature, r->signature) || !set_text(&i->row.hash, r->hash))
                return ODM_ENOMEM;
        i->row.kind = r->kind;
        i->row.size = r->size;
        i->row.ready = r->ready;
        i->row.state = r->state;
        i->row.result = r->result;
        i->row.delivered = r->delivered;
        i->row.unproved = r->unproved;
        i->order = r->state == IMAGE_VERIFYING ? ORDER_VERIFY
                   : r->delivered              ? ORDER_DATA
                                               : ORDER_DOWNLOAD;
        if (is_under_way(i))
                i->row.state = IMAGE_QUEUED;
        else
                drop_coming(i); /* it was kept for the row that is there now */
        if (r->hash.n)
                look_at(i);
        return 0;
}

static int read_rows(images *p)
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

/* Files of images that are no more: the power went between row and file. */
static void sweep(const images *p, const char *folder)
{
        DIR *d = opendir(folder);
        struct dirent *e;

        while (d && (e = readdir(d))) {
                odm_str name = odm_cstr(e->d_name);
                char *path;
                if (name.n != 68 || strcmp(e->d_name + 64, ".img") != 0 ||
                    is_used(p, odm_str_to(name, 64)))
                        continue;
                path = fsio_join(folder, e->d_name);
                if (path)
                        (void)unlink(path);
                free(path);
        }
        if (d)
                closedir(d);
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
                rc = doubt_all(p);
        if (rc == 0)
                rc = image_server_open(p->g, &p->server, d);
        if (rc == 0)
                rc = read_rows(p);
        if (rc == 0)
                sweep(p, folder);
        free(folder);
        if (rc < 0)
                return diag_set(d, rc, "images: %s", d && d->text[0] ? d->text : odm_err_text(rc));
        go_on_soon(p, 0);
        return 0;
}

static int images_status(const void *ctx, odm_buf *b)
{
        const images *p = ctx;
        size_t ready = 0;

        for (const image *i = p->list; i; i = i->next)
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
