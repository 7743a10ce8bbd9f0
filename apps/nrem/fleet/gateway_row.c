/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_row.h"

#define ROW(type, LIST, RECORD)                      \
        static const field type##_fields[] = {LIST}; \
        static const record RECORD = STORE_RECORD_OF(type, type##_fields)

#define X(f, KIND) STORE_FIELD_OF(gateway_row, f, KIND),
ROW(gateway_row, GATEWAY_ROW_FIELDS(X), record_row);
#undef X
#define X(f, KIND) STORE_FIELD_OF(gateway_child, f, KIND),
ROW(gateway_child, GATEWAY_CHILD_FIELDS(X), record_child);
#undef X
#define X(f, KIND) STORE_FIELD_OF(gateway_want, f, KIND),
ROW(gateway_want, GATEWAY_WANT_FIELDS(X), record_want);
#undef X
#define X(f, KIND) STORE_FIELD_OF(gateway_early, f, KIND),
ROW(gateway_early, GATEWAY_EARLY_FIELDS(X), record_early);
#undef X
#define X(f, KIND) STORE_FIELD_OF(gateway_relay, f, KIND),
ROW(gateway_relay, GATEWAY_RELAY_FIELDS(X), record_relay);
#undef X
#define X(f, KIND) STORE_FIELD_OF(gateway_task, f, KIND),
ROW(gateway_task, GATEWAY_TASK_FIELDS(X), record_task);
#undef X
#define X(f, KIND) STORE_FIELD_OF(gateway_image, f, KIND),
ROW(gateway_image, GATEWAY_IMAGE_FIELDS(X), record_image);
#undef X

static const store_index row_index[] = {{.name = "work", .fields = {GW_work}, .n = 1}};
static const store_index child_index[] = {{.name = "key", .fields = {GC_gateway, GC_key}, .n = 2}};
static const store_index relay_index[] = {
        {.name = "task", .fields = {GE_gateway, GE_task, GE_device}, .n = 3},
        {.name = "image", .fields = {GE_gateway, GE_task, GE_image, GE_device}, .n = 4}};
static const store_index want_index[] = {
        {.name = "asked", .fields = {GN_device, GN_asked, GN_key}, .n = 3}};
static const store_index early_index[] = {
        {.name = "ripe", .fields = {GY_ripe, GY_device, GY_key, GY_seq}, .n = 4}};
static const store_index task_index[] = {{.name = "work", .fields = {GT_work}, .n = 1}};

const store_table table_gateway = {
        .name = "gateway", .rec = &record_row, .n_key = 1, .index = row_index, .n_index = 1};
const store_table table_gateway_child = {.name = "gateway_child",
                                         .rec = &record_child,
                                         .n_key = 1,
                                         .index = child_index,
                                         .n_index = 1};
const store_table table_gateway_want = {
        .name = "gateway_want", .rec = &record_want, .n_key = 2, .index = want_index, .n_index = 1};
const store_table table_gateway_early = {.name = "gateway_early",
                                         .rec = &record_early,
                                         .n_key = 3,
                                         .index = early_index,
                                         .n_index = 1};
const store_table table_gateway_relay = {.name = "gateway_relay",
                                         .rec = &record_relay,
                                         .n_key = 2,
                                         .index = relay_index,
                                         .n_index = 2};
const store_table table_gateway_task = {
        .name = "gateway_task", .rec = &record_task, .n_key = 2, .index = task_index, .n_index = 1};
const store_table table_gateway_image = {.name = "gateway_image", .rec = &record_image, .n_key = 2};

int gateway_find_key(store *st, int64_t gateway, odm_str key, odm_arena *a, gateway_child *out)
{
        const gateway_child at = {.gateway = gateway, .key = key};

        return store_row_by(st, &table_gateway_child, CHILD_BY_KEY, &at, a, out);
}

int gateway_find_child(store *st, int64_t device, odm_arena *a, gateway_child *out)
{
        const gateway_child key = {.device = device};

        return store_row_get(st, &table_gateway_child, &key, a, out);
}

int gateway_find(store *st, int64_t device, odm_arena *a, gateway_row *out)
{
        const gateway_row key = {.device = device};

        return store_row_get(st, &table_gateway, &key, a, out);
}

int gateway_is_above(store *st, int64_t gateway, int64_t device, odm_arena *a, bool *above)
{
        *above = gateway == device;
        for (unsigned i = 0; i < GATEWAY_DEPTH && !*above; i++) {
                gateway_child c;
                int rc = gateway_find_child(st, gateway, a, &c);

                if (rc < 0 || !c.gateway)
                        return rc == ODM_ENOENT ? 0 : rc;
                gateway = c.gateway;
                *above = gateway == device;
        }
        return 0;
}
