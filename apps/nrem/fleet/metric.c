/* SPDX-License-Identifier: Apache-2.0 */
#include "metric.h"

#define F(type, member, KIND) STORE_FIELD_OF(type, member, KIND)
#define NAMED(type, column, member, KIND)                    \
        {                                                    \
                column, offsetof(type, member), FIELD_##KIND \
        }
/* All of a bucket but its start. */
#define BUCKET(type, prefix, b)                                                                 \
        NAMED(type, prefix "n", b.n, I64), NAMED(type, prefix "first", b.first, I64),           \
                NAMED(type, prefix "last", b.last, I64), NAMED(type, prefix "min", b.min, F64), \
                NAMED(type, prefix "max", b.max, F64), NAMED(type, prefix "sum", b.sum, F64),   \
                NAMED(type, prefix "value", b.value, F64),                                      \
                NAMED(type, prefix "every", b.every, I64)

static const field name_fields[] = {F(metric_name, id, I64), F(metric_name, name, STR)};
static const record record_name = STORE_RECORD_OF(metric_name, name_fields);
static const store_index name_index[] = {{.name = "name", .fields = {1}, .n = 1, .unique = true}};
const store_table table_metric_name = {.name = "metric_name",
                                       .rec = &record_name,
                                       .n_key = 1,
                                       .index = name_index,
                                       .n_index = ODM_COUNT(name_index)};

static const field series_fields[] = {
        F(metric_series, device, I64),
        F(metric_series, metric, I64),
        F(metric_series, samples, I64),
        F(metric_series, last, I64),
        F(metric_series, value, F64),
        F(metric_series, text, STR),
        F(metric_series, text_at, I64),
        NAMED(metric_series, "every", rhythm.every, I64),
        NAMED(metric_series, "odd", rhythm.odd, I64),
        NAMED(metric_series, "odd_n", rhythm.odd_n, U32),
        F(metric_series, told, BOOL),
        NAMED(metric_series, "m_start", open[SERIES_5M].start, I64),
        BUCKET(metric_series, "m_", open[SERIES_5M]),
        NAMED(metric_series, "h_start", open[SERIES_HOUR].start, I64),
        BUCKET(metric_series, "h_", open[SERIES_HOUR]),
        NAMED(metric_series, "d_start", open[SERIES_DAY].start, I64),
        BUCKET(metric_series, "d_", open[SERIES_DAY]),
};
static const record record_series = STORE_RECORD_OF(metric_series, series_fields);
const store_table table_metric_series = {
        .name = "metric_series", .rec = &record_series, .n_key = 2};

static const field sample_fields[] = {F(metric_sample, device, I64), F(metric_sample, metric, I64),
                                      F(metric_sample, at, I64), F(metric_sample, value, F64),
                                      F(metric_sample, every, I64)};
static const record record_sample = STORE_RECORD_OF(metric_sample, sample_fields);
const store_table table_metric_sample = {
        .name = "metric_sample", .rec = &record_sample, .n_key = 3};

static const field rollup_fields[] = {
        F(metric_rollup, device, I64), F(metric_rollup, metric, I64), F(metric_rollup, level, U32),
        NAMED(metric_rollup, "start", b.start, I64), BUCKET(metric_rollup, "", b)};
static const record record_rollup = STORE_RECORD_OF(metric_rollup, rollup_fields);
const store_table table_metric_rollup = {
        .name = "metric_rollup", .rec = &record_rollup, .n_key = 4};

static const field collection_fields[] = {
        F(metric_collection, id, I64),       F(metric_collection, name, STR),
        F(metric_collection, selector, STR), F(metric_collection, nodes, STR),
        F(metric_collection, function, STR), F(metric_collection, every, I64),
        F(metric_collection, period, I64),   F(metric_collection, state, U32),
        F(metric_collection, scope, STR),    F(metric_collection, actor, STR),
        F(metric_collection, created, I64),  F(metric_collection, asked, I64),
        F(metric_collection, answered, I64), F(metric_collection, failed, I64)};
static const record record_collection = STORE_RECORD_OF(metric_collection, collection_fields);
const store_table table_metric_collection = {
        .name = "metric_collection", .rec = &record_collection, .n_key = 1, .numbered = true};

static const field task_fields[] = {F(metric_task, device, I64), F(metric_task, collection, I64),
                                    F(metric_task, due, I64), F(metric_task, failures, U32)};
static const record record_task = STORE_RECORD_OF(metric_task, task_fields);
static const store_index task_index[] = {{.name = "due", .fields = {2}, .n = 1},
                                         {.name = "collection", .fields = {1}, .n = 1}};
const store_table table_metric_task = {.name = "metric_task",
                                       .rec = &record_task,
                                       .n_key = 2,
                                       .index = task_index,
                                       .n_index = ODM_COUNT(task_index)};

static const field limit_fields[] = {
        F(metric_limit, id, I64),        F(metric_limit, name, STR),
        F(metric_limit, selector, STR),  F(metric_limit, metric, STR),
        F(metric_limit, severity, STR),  F(metric_limit, has_low, BOOL),
        F(metric_limit, has_high, BOOL), F(metric_limit, low, F64),
        F(metric_limit, high, F64),      F(metric_limit, hysteresis, F64),
        F(metric_limit, scope, STR),     F(metric_limit, actor, STR),
        F(metric_limit, created, I64)};
static const record record_limit = STORE_RECORD_OF(metric_limit, limit_fields);
const store_table table_metric_limit = {
        .name = "metric_limit", .rec = &record_limit, .n_key = 1, .numbered = true};

static const field side_fields[] = {F(metric_side, device, I64), F(metric_side, limit, I64),
                                    F(metric_side, side, U32), F(metric_side, since, I64)};
static const record record_side = STORE_RECORD_OF(metric_side, side_fields);
static const store_index side_index[] = {{.name = "limit", .fields = {1}, .n = 1}};
const store_table table_metric_side = {.name = "metric_side",
                                       .rec = &record_side,
                                       .n_key = 2,
                                       .index = side_index,
                                       .n_index = ODM_COUNT(side_index)};
