/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jread.h"

#define BEYOND 1e100 /* sums of such numbers are numbers still */
#define NUMBER_TEXT 40
#define DATA "/DiagMonData/"

/* ---- names ---------------------------------------------------------------------------- */

/* Where functions stand on our devices, and the end of their ids (mo-diagmon.md 1, 7). */
static const struct {
        const char *place, *id;
} functions[] = {
        {"Memory", "memory"},
        {"Battery", "batteryinfo"},
        {"Sensor", "sensorinfo"},
        {"AppExe", "appexeinfo"},
        {"AppData", "appdatausage"},
        {"Link", "link"},
        {"Location", "devicelocation"},
        {"QoS", "qos"},
        {"SelfTest", "builtintest"},
        {"PM", "pm"},
        {"Traffic", "traffic"},
        {"Restart", "restart"},
        {"PanicLog", "paniclog"},
        {"TrapLog", "trapeventlogging"},
        {"FM", "fm"},
        {"RF/GSM", "RFParms_3GPP_GSM"},
        {"RF/UMTS", "RFParms_3GPP_UMTS"},
        {"RF/LTE", "RFParms_3GPP_LTE"},
};

static odm_str function_id(odm_str place)
{
        for (size_t i = 0; i < ODM_COUNT(functions); i++)
                if (odm_str_is(place, functions[i].place))
                        return odm_cstr(functions[i].id);
        return place;
}

static odm_str path_of(odm_str uri)
{
        for (size_t i = 0; i < uri.n; i++)
                if (uri.p[i] == '?')
                        uri.n = i;
        return odm_str_starts(uri, "./") ? odm_str_from(uri, 2) : uri;
}

/* The offset of DATA, or the length where it is not there. */
static size_t find_data(odm_str path)
{
        size_t n = sizeof DATA - 1;

        for (size_t i = 0; i + n <= path.n; i++)
                if (memcmp(path.p + i, DATA, n) == 0)
                        return i;
        return path.n;
}

/* A row of counters is named for when its period began: not part of what is counted. */
static odm_str without_period(odm_str rest)
{
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '/')
                n++;
        return n < rest.n ? odm_str_from(rest, n + 1) : rest;
}

static bool char_ok(unsigned char c)
{
        return c > ' ' && c != 0x7f && c != ',' && c != '"' && c != '/';
}

bool sample_name_ok(odm_str name)
{
        for (size_t i = 0; i < name.n; i++)
                if (!char_ok((unsigned char)name.p[i]))
                        return false;
        return name.n > 0 && name.n <= SAMPLE_NAME && odm_utf8_ok(name);
}

static odm_str dotted(odm_str x, odm_str y, odm_arena *a)
{
        size_t n = x.n + (x.n && y.n) + y.n;
        char *p;

        if (n == 0 || n > SAMPLE_NAME)
                return ODM_ABSENT;
        p = odm_arena_get(a, n + 1);
        if (!p)
                return ODM_ABSENT;
        memcpy(p, x.p ? x.p : "", x.n);
        if (x.n && y.n)
                p[x.n] = '.';
        memcpy(p + n - y.n, y.p ? y.p : "", y.n);
        p[n] = 0;
        for (size_t i = 0; i < n; i++) {
                if (p[i] == '/')
                        p[i] = '.';
                else if (!char_ok((unsigned char)p[i]))
                        p[i] = '_';
        }
        return odm_utf8_ok((odm_str){p, n}) ? (odm_str){p, n} : ODM_ABSENT;
}

odm_str sample_name(odm_str uri, odm_arena *a)
{
        odm_str path = path_of(uri), place, rest;
        size_t at = find_data(path);

        if (at == path.n)
                return dotted(path, ODM_ABSENT, a);
        place = odm_str_to(path, at);
        rest = odm_str_from(path, at + sizeof DATA - 1);
        if (odm_str_starts(place, "DiagMon/"))
                place = odm_str_from(place, sizeof "DiagMon/" - 1);
        if (odm_str_is(place, "PM"))
                rest = without_period(rest);
        return dotted(function_id(place), rest, a);
}

/* ---- values --------------------------------------------------------------------------- */

static size_t digits(odm_str s, size_t i)
{
        size_t n = 0;

        while (i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9')
                n++;
        return n;
}

static bool sign(odm_str s, size_t i)
{
        return i < s.n && (s.p[i] == '-' || s.p[i] == '+');
}

/* Stricter than strtod(), which takes hexadecimal, infinities and blanks too. */
static bool looks_like_number(odm_str s)
{
        size_t i = sign(s, 0), n = digits(s, i);

        i += n;
        if (i < s.n && s.p[i] == '.') {
                size_t more = digits(s, ++i);
                n += more;
                i += more;
        }
        if (n == 0)
                return false;
        if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
                i++;
                i += sign(s, i);
                n = digits(s, i);
                i += n;
        }
        return n > 0 && i == s.n;
}

bool sample_number(odm_str text, double *out)
{
        char z[NUMBER_TEXT + 1];
        double v;

        text = odm_str_trim(text);
        if (text.n > NUMBER_TEXT || !looks_like_number(text))
                return false;
        memcpy(z, text.p, text.n);
        z[text.n] = 0;
        v = strtod(z, NULL);
        if (!isfinite(v) || fabs(v) > BEYOND)
                return false;
        *out = v;
        return true;
}

/* Whole numbers are written without a point. */
static json_t *number_json(double v)
{
        if (v == floor(v) && fabs(v) < 1e15)
                return json_integer((json_int_t)v);
        return json_real(v);
}

static bool no_value(odm_str format)
{
        return odm_str_is(format, "bin") || odm_str_is(format, "b64") ||
               odm_str_is(format, "node") || odm_str_is(format, "xml");
}

json_t *sample_value(odm_str format, odm_str text, bool *refused)
{
        double v;

        *refused = no_value(format) || !text.p || text.n > SAMPLE_TEXT || !odm_utf8_ok(text);
        if (*refused)
                return NULL;
        if (odm_str_is(format, "bool"))
                return json_integer(odm_str_ieq(odm_str_trim(text), "true"));
        if (sample_number(text, &v))
                return number_json(v);
        *refused = looks_like_number(odm_str_trim(text)); /* of a size that is no measurement */
        return *refused ? NULL : json_stringn_nocheck(text.p, text.n);
}

/* ---- time ----------------------------------------------------------------------------- */

void sample_time_format(int64_t ms, char out[SAMPLE_TIME])
{
        char text[WALL_TEXT];

        wall_format((odm_wall){ms / 1000}, text);
        if (ms % 1000 == 0)
                (void)snprintf(out, SAMPLE_TIME, "%s", text);
        else
                (void)snprintf(out, SAMPLE_TIME, "%.19s.%03uZ", text,
                               (unsigned)(ms % 1000) % 1000u);
}

/* Milliseconds behind a point; digits beyond are cut. */
static int64_t fraction(odm_str s)
{
        int64_t v = 0, unit = 100;

        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] == '.')
                        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, unit /= 10)
                                v += (s.p[i] - '0') * unit;
        }
        return v;
}

int sample_time_parse(odm_str s, int64_t *ms)
{
        odm_wall w;

        if (wall_parse(s, &w) < 0 && odm_wall_parse(s, &w) < 0)
                return ODM_EMALFORMED;
        *ms = w.s * 1000 + fraction(s);
        return 0;
}

/* ---- an event in the making ------------------------------------------------------------- */

static json_t *new_sample(sample_set *s, const char *when)
{
        json_t *one = json_object(), *values = json_object();

        if (one && values && json_object_set_new(one, "at", json_string(when)) == 0 &&
            json_object_set(one, "values", values) == 0 &&
            json_array_append(s->samples, one) == 0) {
                json_decref(one);
                json_decref(values); /* held by what holds them */
                return values;
        }
        json_decref(one);
        json_decref(values);
        return NULL;
}

static json_t *values_of(sample_set *s, int64_t at)
{
        json_t *last;
        char when[SAMPLE_TIME];

        if (!s->samples)
                s->samples = json_array();
        if (!s->samples)
                return NULL;
        sample_time_format(at, when);
        last = json_array_get(s->samples, json_array_size(s->samples) - 1);
        if (last && strcmp(json_string_value(json_object_get(last, "at")), when) == 0)
                return json_object_get(last, "values");
        return new_sample(s, when);
}

int sample_add(sample_set *s, int64_t at_ms, odm_str name, json_t *value)
{
        json_t *values;
        char key[SAMPLE_NAME + 1];
        int rc;

        if (s->n >= SAMPLE_VALUES) {
                json_decref(value);
                return ODM_ELIMIT;
        }
        values = value ? values_of(s, at_ms) : NULL;
        if (!values) {
                json_decref(value);
                return ODM_ENOMEM;
        }
        (void)snprintf(key, sizeof key, "%.*s", (int)name.n, name.p);
        if (json_object_get(values, key)) {
                json_decref(value);
                return 0;
        }
        rc = json_object_set_new_nocheck(values, key, value) == 0 ? 0 : ODM_ENOMEM;
        s->n += rc == 0;
        return rc;
}

odm_str sample_take(sample_set *s, const char *by, odm_str correlator, odm_arena *a)
{
        json_t *o = json_object();
        odm_str text = ODM_ABSENT;
        char *dump = NULL;

        if (o && json_object_set_new(o, "by", json_string(by)) == 0 &&
            json_object_set(o, "samples", s->samples) == 0) {
                if (correlator.n && odm_utf8_ok(correlator))
                        (void)json_object_set_new(o, "correlator",
                                                  json_stringn_nocheck(correlator.p, correlator.n));
                /* what a device wrote with fifteen digits leaves as it wrote it */
                dump = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
        }
        if (dump)
                text = odm_arena_copy(a, odm_cstr(dump));
        free(dump);
        json_decref(o);
        sample_drop(s);
        return text;
}

void sample_drop(sample_set *s)
{
        json_decref(s->samples);
        *s = (sample_set){NULL, 0};
}
