/* SPDX-License-Identifier: Apache-2.0 */
/* A bootstrap message of a stranger.  What is parsed is put on its carrier and parsed again to the
 * same; no guess proves it.  As if it were proven, its document takes effect wholly or not at all,
 * and one of Client Provisioning comes back from what we write of it. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                  \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static void *resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem mem = {resize, NULL};

static void carried(const odm_boot *b)
{
        for (int push = 0; push < 2; push++) {
                odm_boot again;
                odm_buf out;
                odm_buf_init(&out, &mem, 2 * ODM_BOOT_MAX);
                MUST((push ? odm_boot_put_push(b, 1, &out) : odm_boot_put_mime(b, &out)) == 0);
                if (out.n <= ODM_BOOT_MAX) {
                        MUST(odm_boot_parse(odm_buf_view(&out), &again) == 0);
                        MUST(again.profile == b->profile && again.sec == b->sec);
                        MUST(odm_str_eq(again.doc, b->doc));
                        MUST(b->sec == ODM_BOOT_USER_MAC ||
                             memcmp(again.mac, b->mac, sizeof b->mac) == 0);
                }
                odm_buf_done(&out);
        }
}

static void guessed(odm_boot b)
{
        const odm_boot_keys keys = {ODM_STR("no secret of anybody's"), ODM_STR("no PIN")};

        for (int i = 0; i < ODM_BOOT_TRIES; i++)
                MUST(odm_boot_prove(&b, &keys) != ODM_BOOT_GOOD);
        MUST(odm_boot_prove(&b, &keys) == ODM_BOOT_DISCARD);
}

static void applied(const odm_boot *b)
{
        const odm_boot_opt opt = {.replace = true};
        struct boot_device d;
        odm_boot_done done;
        odm_buf before, after;

        odm_buf_init(&before, &mem, MOST);
        odm_buf_init(&after, &mem, MOST);
        MUST(boot_device_open(&d, &mem) == 0);
        MUST(odm_tree_dump(d.tree, &before) == 0);
        int rc = odm_boot_apply(b, &opt, d.tree, (odm_wall){1}, &d.a, &done);
        MUST(!odm_tree_in_transaction(d.tree));
        MUST(odm_tree_dump(d.tree, &after) == 0);
        if (rc < 0 || done.status != 200)
                MUST(odm_str_eq(odm_buf_view(&before), odm_buf_view(&after)));
        else
                MUST(done.n > 0);
        boot_device_close(&d);
        odm_buf_done(&before);
        odm_buf_done(&after);
}

static bool has_objects(const odm_boot *b)
{
        odm_doc *doc = NULL;
        odm_arena a;

        odm_arena_init(&a, &mem, MOST);
        bool has = odm_boot_objects(b, NULL, &a, &doc) == 0 && doc->nodes;
        odm_arena_done(&a);
        return has;
}

static void rewritten(odm_str in)
{
        odm_buf wbxml, again;
        odm_prov *doc;
        odm_arena a;

        odm_arena_init(&a, &mem, MOST);
        odm_buf_init(&wbxml, &mem, MOST);
        odm_buf_init(&again, &mem, MOST);
        if (odm_prov_decode(in, NULL, &a, &doc) == 0 && odm_prov_encode(doc, &wbxml) == 0) {
                MUST(odm_prov_decode(odm_buf_view(&wbxml), NULL, &a, &doc) == 0);
                MUST(odm_prov_encode(doc, &again) == 0);
                MUST(odm_str_eq(odm_buf_view(&wbxml), odm_buf_view(&again)));
        }
        odm_buf_done(&wbxml);
        odm_buf_done(&again);
        odm_arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        odm_str in = {(const char *)data, size};
        odm_boot b;

        if (odm_boot_parse(in, &b) < 0)
                return 0;
        carried(&b);
        guessed(b);
        b.proven = true;
        if (has_objects(&b)) /* else a tree is made for nothing */
                applied(&b);
        if (b.profile == ODM_BOOT_CP)
                rewritten(b.doc);
        return 0;
}
