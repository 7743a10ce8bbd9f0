/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a map, and behind a zero as what a gateway saved: neither breaks anything, nor what
 * a device then tells. */
#include <stdlib.h>
#include <string.h>

#include "odm/bridge.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
        (void)ctx, (void)old;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static void read_one(odm_bridge *b, const odm_mem *mem)
{
        static const odm_str all = {".", 1};
        const odm_lw_answer none = {.code = 404, .ct = ODM_LW_NO_CT};
        const odm_lw_request *rq;
        odm_arena a;
        odm_plan *plan;

        odm_arena_init(&a, mem, 4 << 20);
        if (odm_plan_read(b, &all, 1, ODM_ASK_DATA, &a, &plan) == 0)
                while (odm_plan_next(plan, &rq) == 1)
                        if (odm_plan_answer(plan, &none) < 0)
                                break;
        odm_arena_done(&a);
}

/* A device tells something, with whatever was kept of it: observations, traps, jobs. */
static void tell_some(odm_bridge *b, const odm_mem *mem)
{
        odm_lw_node v[] = {
                {.path = ODM_LW_PATH3(3, 0, 9), .value = {.type = ODM_LW_T_INTEGER, .i = 42}},
                {.path = ODM_LW_PATH4(3, 0, 11, 0), .value = {.type = ODM_LW_T_INTEGER, .i = 7}},
        };
        const odm_lw_list l = {v, ODM_COUNT(v)};
        odm_bridge_news news;
        odm_arena a;

        odm_arena_init(&a, mem, 4 << 20);
        if (odm_bridge_told(b, &l, (odm_time){0}, &a, &news) == 0)
                for (size_t i = 0; i < news.n_alerts; i++)
                        if (odm_bridge_untold(b, &news.alert[i]) < 0)
                                break;
        odm_arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        odm_mem mem = {resize, NULL};
        const uint8_t *zero = n ? memchr(p, 0, n) : NULL;
        odm_str text = {(const char *)p, zero ? (size_t)(zero - p) : n};
        odm_str saved = zero ? (odm_str){(const char *)zero + 1, n - text.n - 1} : ODM_STR("");
        odm_map_fault why;
        odm_map *m;
        odm_bridge *b;

        if (odm_map_parse(&mem, text, NULL, &m, &why) < 0)
                return 0;
        odm_bridge_opt opt = {.mem = &mem, .map = m, .id = ODM_STR("x")};
        odm_lw_link link = {.path = ODM_LW_PATH2(3, 0), .dim = -1, .ssid = -1};
        odm_lw_links links = {.v = &link, .n = 1};
        if (odm_bridge_new(&opt, &b) == 0) {
                if (odm_bridge_offers(b, &links, ODM_STR("1.0")) == 0 &&
                    odm_bridge_load(b, saved, (odm_time){0}) == 0) {
                        read_one(b, &mem);
                        tell_some(b, &mem);
                }
                odm_bridge_free(b);
        }
        odm_map_free(m);
        return 0;
}
