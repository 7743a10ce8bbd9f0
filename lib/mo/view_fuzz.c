/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and a target as a stranger may name them: a good answer begins at the target, stays below
 * it, and has every parent before its children. */
#include "odm/view.h"

#include <stdlib.h>
#include <string.h>

#define MUST(x)                  \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static void *fuzz_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem fuzz_heap = {.resize = fuzz_resize};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines: the target, then nodes, each with a first octet that says of what kind it is. */
static odm_str line(odm_str *in)
{
        const char *end = memchr(in->p, '\n', in->n);
        odm_str l = odm_str_to(*in, end ? (size_t)(end - in->p) : in->n);

        *in = odm_str_from(*in, l.n + 1);
        return l;
}

static void check_list(const odm_answer *got, odm_str top)
{
        for (const odm_result *r = got->results; r; r = r->next) {
                odm_uri u;
                MUST(odm_uri_parse(r->uri, NULL, &u) == 0 || u.depth >= ODM_URI_SEGS - 1);
                MUST(r->uri.n >= top.n && memcmp(r->uri.p, top.p, top.n) == 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        odm_str in = {(const char *)data, size}, top = ODM_STR("./D/k");
        odm_view_node v[64];
        odm_view view = {.top = top, .nodes = v, .now = {1}, .max_list = 40, .max_result = 100};
        odm_answer got;
        odm_arena a;

        if (size == 0)
                return 0;
        odm_arena_init(&a, &fuzz_heap, 1 << 22);
        odm_str target = odm_arena_join(&a, top, line(&in));
        while (in.n && view.n < ODM_COUNT(v)) {
                odm_str l = line(&in);
                uint8_t how = l.n ? (uint8_t)l.p[0] : 0;
                v[view.n++] =
                        (odm_view_node){.path = odm_str_from(l, 1),
                                        .value = {(odm_format)(how % ODM_FMT_OTHER), ODM_ABSENT, l},
                                        .has_data = how & 64,
                                        .at = {how}};
        }
        MUST(odm_view_get(&view, target, &a, &got) == 0);
        if (odm_status_ok(got.status) && got.results && !got.results->is_prop && got.results->next)
                check_list(&got, top);
        odm_arena_done(&a);
        return 0;
}
