/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms come from any device: read cleanly or refused, and what was read is text with a cause. */
#include <assert.h>

#include "alarm_record.h"
#include "heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        alarm_record r = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
        rc = alarm_record_read((odm_str){(const char *)p, n}, &a, &r);
        if (rc == 0) {
                assert(r.cause.n > 0 && odm_utf8_ok(r.cause));
                assert(odm_utf8_ok(r.object) && odm_utf8_ok(r.text) && odm_utf8_ok(r.severity));
        } else {
                assert(!r.cause.p && !r.object.p && !r.text.p && !r.severity.p);
        }
        odm_arena_done(&a);
        return 0;
}
