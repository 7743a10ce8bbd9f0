/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a job, as a stranger with a token may send them.  Oracle: what command_check()
 * lets in, job_decode() can turn into commands, one for each that was counted. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "heap.h"
#include "job_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must_decode(const json_t *list, bool atomic)
{
        char *text = json_dumps(list, JSON_COMPACT);
        job_commands got = {0};
        odm_arena a;

        if (!text)
                return;
        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        int rc = job_decode(odm_cstr(text), atomic, &a, &got);
        assert(rc == 0);
        assert(got.n >= json_array_size(list) + (atomic ? 1 : 0));
        odm_arena_done(&a);
        free(text);
}

/* The first octet chooses whether the job is atomic. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        problem found;
        json_t *list;

        if (n == 0 || n > 65536)
                return 0;
        list = json_loadb((const char *)p + 1, n - 1, JSON_REJECT_DUPLICATES, NULL);
        problem_init(&found);
        if (json_is_array(list) && json_array_size(list) > 0) {
                bool atomic = p[0] & 1;
                bool good = command_check(list, atomic, &found);
                assert(good == !problem_is(&found));
                if (good)
                        must_decode(list, atomic);
        }
        problem_done(&found);
        json_decref(list);
        return 0;
}
