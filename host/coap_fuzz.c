/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams come from anybody: read cleanly or refused, and what was read says the same when it is
 * written and read again. */
#include <stdlib.h>
#include <string.h>

#include "coap_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(bool ok)
{
        if (!ok)
                abort();
}

static void same_block(const co_block *a, const co_block *b)
{
        same(a->on == b->on && a->more == b->more && a->szx == b->szx && a->num == b->num);
}

static void same_message(const co_wire *a, const co_wire *b)
{
        same(a->type == b->type && a->mid == b->mid && a->m.code == b->m.code);
        same(a->token.n == b->token.n && memcmp(a->token.p, b->token.p, a->token.n) == 0);
        same(odm_str_eq(a->m.path, b->m.path) && odm_str_eq(a->m.body, b->m.body));
        same(a->m.n_query == b->m.n_query);
        for (size_t i = 0; i < a->m.n_query; i++)
                same(odm_str_eq(a->m.query[i], b->m.query[i]));
        same(a->m.format == b->m.format && a->m.accept == b->m.accept);
        same(a->m.observe == b->m.observe && a->m.max_age == b->m.max_age);
        same(a->etag_n == b->etag_n && memcmp(a->etag, b->etag, a->etag_n) == 0);
        same_block(&a->block1, &b->block1);
        same_block(&a->block2, &b->block2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t out[1 << 17];
        co_wire a, b;
        size_t n;

        if (size > 65535 || co_wire_read((odm_str){(const char *)data, size}, &a) < 0)
                return 0;
        if (!a.bad_option) {
                a.response = co_class(a.m.code) != 0;
                n = co_wire_write(&a, a.m.body, out, sizeof out);
                same(n > 0);
                same(co_wire_read((odm_str){(const char *)out, n}, &b) == 0 && !b.bad_option);
                same_message(&a, &b);
                co_wire_done(&b);
        }
        co_wire_done(&a);
        return 0;
}
