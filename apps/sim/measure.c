/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdio.h>

#include "fault.h"

#define DAY 86400
#define BATTERY_LEAST 5 /* per cent; then it is charged */

static const char *const names[] = {"Memory", "Battery", "Sensor"};

const char *measure_name(measure_of what)
{
        return names[what];
}

/* A draw that the device keeps, and one that moves with the minute. */
static int64_t own(uint32_t i, uint64_t n)
{
        uint64_t state = i;

        return (int64_t)(fault_random(&state) % n);
}

static int64_t of_moment(uint32_t i, odm_wall at, uint64_t n)
{
        uint64_t state = i ^ (uint64_t)(at.s / 60) << 20;

        return (int64_t)(fault_random(&state) % n);
}

int64_t measure_tenths(uint32_t i, odm_wall at)
{
        int64_t second = at.s % DAY;
        int64_t from_noon = second < DAY / 2 ? DAY / 2 - second : second - DAY / 2;

        return 280 - from_noon * 160 / (DAY / 2) + own(i, 41) + of_moment(i, at, 11) - 5;
}

static void put(measure_leaf *l, const char *path, odm_format format, const char *text)
{
        l->path = path;
        l->format = format;
        (void)snprintf(l->text, sizeof l->text, "%s", text);
}

static void put_int(measure_leaf *l, const char *path, int64_t n)
{
        l->path = path;
        l->format = ODM_FMT_INT;
        (void)snprintf(l->text, sizeof l->text, "%lld", (long long)n);
}

/* kB; what is free moves with the minute. */
static size_t memory(const measure_who *who, odm_wall at, measure_leaf *out)
{
        int64_t total = (int64_t)64000 << own(who->i, 4);

        put_int(&out[0], "RAMTotal", total);
        put_int(&out[1], "RAMAvail", total / 4 + total * of_moment(who->i, at, 101) / 200);
        put_int(&out[2], "StorageTotal", 8 * total);
        put_int(&out[3], "StorageAvail", 3 * total + total * own(who->i, 101) / 100);
        return 4;
}

/* Full, and less and less until it is charged. */
static int64_t level_of(const measure_who *who, odm_wall at)
{
        int64_t best = (int64_t)who->battery - own(who->i, 10), range = best - BATTERY_LEAST + 1;

        if (who->drain_ms <= 0 || range < 2)
                return best > 0 ? best : 1;
        return best - (at.s * 1000 / who->drain_ms + own(who->i, 1000)) % range;
}

static size_t battery(const measure_who *who, odm_wall at, measure_leaf *out)
{
        int64_t level = level_of(who, at);

        put_int(&out[0], "1/BatteryLevel", level);
        put_int(&out[1], "1/Voltage", 3300 + level * 9);
        put_int(&out[2], "1/Temp", measure_tenths(who->i, at) / 10);
        return 3;
}

static size_t sensor(const measure_who *who, odm_wall at, measure_leaf *out)
{
        int64_t tenths = measure_tenths(who->i, at);
        char text[MEASURE_TEXT];

        put(&out[0], "temp1/Name", ODM_FMT_CHR, "temp1");
        put(&out[1], "temp1/Type", ODM_FMT_CHR, "temperature");
        put(&out[2], "temp1/Unit", ODM_FMT_CHR, "Cel");
        (void)snprintf(text, sizeof text, "%lld.%lld", (long long)(tenths / 10),
                       (long long)(tenths % 10));
        put(&out[3], "temp1/Value", ODM_FMT_FLOAT, text);
        return 4;
}

size_t measure(measure_of what, const measure_who *who, odm_wall at,
               measure_leaf out[MEASURE_LEAVES])
{
        switch (what) {
        case MEASURE_MEMORY: return memory(who, at, out);
        case MEASURE_BATTERY: return battery(who, at, out);
        case MEASURE_SENSOR: return sensor(who, at, out);
        case MEASURES: break;
        }
        return 0;
}
