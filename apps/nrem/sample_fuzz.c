/* SPDX-License-Identifier: Apache-2.0 */
/* What a device tells as a sample: its node, value and time, a zero between.  Whatever they are, a
 * name is one that REST would take, and the event made of them is JSON that can be read. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static odm_str part(odm_str *rest)
{
        const char *zero = rest->n ? memchr(rest->p, 0, rest->n) : NULL;
        odm_str s = odm_str_to(*rest, zero ? (size_t)(zero - rest->p) : rest->n);

        *rest = odm_str_from(*rest, s.n + 1);
        return s;
}

static void make_event(odm_str name, odm_str value, int64_t at, odm_arena *a)
{
        sample_set set = {0};
        bool refused;
        json_t *v = sample_value(ODM_STR("chr"), value, &refused), *o;
        odm_str text;

        if (!v)
                return;
        if (json_is_number(v) && !(fabs(json_number_value(v)) <= 1e100))
                abort();
        if (sample_add(&set, at, name, v) < 0)
                return;
        text = sample_take(&set, "report", ODM_ABSENT, a);
        o = json_loadb(text.p, text.n, 0, NULL);
        if (!o)
                abort();
        json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        odm_str rest = {(const char *)data, n}, uri = part(&rest), value = part(&rest), name;
        char again[SAMPLE_TIME];
        int64_t at = 0, back;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        name = sample_name(uri, &a);
        if (name.p && !sample_name_ok(name))
                abort();
        if (sample_time_parse(rest, &at) == 0) {
                sample_time_format(at, again);
                if (sample_time_parse(odm_cstr(again), &back) < 0 || back != at)
                        abort();
        }
        if (name.p)
                make_event(name, value, at, &a);
        odm_arena_done(&a);
        return 0;
}
