/* SPDX-License-Identifier: Apache-2.0 */
/* What gateways tell comes from strangers: read or refused. */
#include "gateway.h"

#include <stdlib.h>

#include "heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const gateway_news news[] = {GATEWAY_ATTACHED, GATEWAY_DETACHED, GATEWAY_REQUEST};
        const odm_str in = {(const char *)data, n};
        const store_value v = {.uri = ODM_STR("./GwMO/Inventory/Records"),
                               .type = ODM_STR("application/vnd.syncml.dmtnds+xml"),
                               .data = in};
        gateway_record *r;
        gateway_word w;
        size_t count, refused;
        odm_str key, rest;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(news); i++)
                if (gateway_word_read(news[i], in, &a, &w) == 0 && !w.id.p && !w.kind.p)
                        abort();
        if (gateway_records_read(&v, 1, 100, &a, &r, &count, &refused) == 0)
                for (size_t i = 0; i < count; i++)
                        if (!gateway_key_ok(r[i].key) || !r[i].id.n)
                                abort();
        (void)gateway_image_result(in);
        if (gateway_mount_split(in, &key, &rest) && !gateway_key_ok(key))
                abort();
        odm_arena_done(&a);
        return 0;
}
