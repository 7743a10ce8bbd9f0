/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a scenario. */
#include <jansson.h>
#include <sys/resource.h>

#include "report.h"

#define NAMES_MAX 1000 /* of the devices a fault hits that are told */

static const char *state_name(size_t tens)
{
        return fault_state_name((unsigned)tens * 10);
}

static size_t octets_each(const fleet_stats *s)
{
        return s->talk.devices ? s->talk.record_octets / s->talk.devices : 0;
}

static long resident_kb(void)
{
        struct rusage u;

        return getrusage(RUSAGE_SELF, &u) == 0 ? u.ru_maxrss : 0;
}

static uint64_t fired(const fleet_stats *s)
{
        uint64_t n = 0;

        for (size_t i = 0; i < FAULTS_MAX; i++)
                n += s->fired[i];
        return n;
}

bool report_fleet_ok(const fleet_stats *s)
{
        return s->talk.no_start == 0 && s->met > 0;
}

void report_fleet_line(FILE *to, const fleet_stats *s, double rate)
{
        fprintf(to, "\r%u devices, %u silent, %.1f sessions/s", s->devices, s->off + s->dead, rate);
        for (size_t i = 2; i < FLEET_STATES; i++)
                if (s->state[i])
                        fprintf(to, ", %u %s", s->state[i], state_name(i));
        fprintf(to, ", %llu faults\033[K", (unsigned long long)fired(s));
        fflush(to);
}

/* ---- for people -------------------------------------------------------------------------------- */

static void row(FILE *to, const char *name, uint64_t n)
{
        fprintf(to, "  %-28s %12llu\n", name, (unsigned long long)n);
}

static void print_fleet(FILE *to, const fleet_stats *s, const scenario *sc)
{
        row(to, "seed", sc->seed);
        row(to, "devices", s->devices);
        row(to, "that called", s->met);
        row(to, "silent at the end", s->off + s->dead);
        for (size_t i = 1; i < FLEET_STATES; i++)
                if (s->state[i])
                        row(to, state_name(i), s->state[i]);
        row(to, "updates ended", s->updates);
        row(to, "updated", s->updated);
        for (size_t i = 1; i < FLEET_CAUSES; i++)
                if (s->cause[i])
                        row(to, odm_task_cause_text((odm_task_cause)i), s->cause[i]);
        row(to, "final alerts taken", s->alerts);
        row(to, "restarts", s->restarts);
        if (s->alarms) {
                row(to, "alarms taken", s->alarms);
                fprintf(to, "  %-28s %12.2f\n", "seconds from first to last",
                        (double)(s->last_alarm - s->first_alarm) / 1e6);
        }
        row(to, "wake-ups followed", s->wakes);
        row(to, "downloads", s->downloads.begun);
        row(to, "octets of them", s->downloads.octets);
        for (size_t i = 0; i < sc->n_faults; i++)
                fprintf(to, "  fault %-22s %12llu of %llu devices\n", sc->fault[i].name,
                        (unsigned long long)s->fired[i], (unsigned long long)s->hit[i]);
        row(to, "octets a device at rest", octets_each(s));
        row(to, "kB resident at most", (uint64_t)resident_kb());
}

/* ---- for programs --------------------------------------------------------------------------------- */

static void put(json_t *o, const char *name, uint64_t n)
{
        (void)json_object_set_new(o, name, json_integer((json_int_t)n));
}

static json_t *states_json(const fleet_stats *s)
{
        json_t *o = json_object();

        for (size_t i = 1; i < FLEET_STATES; i++)
                if (s->state[i])
                        put(o, state_name(i), s->state[i]);
        return o;
}

static json_t *causes_json(const fleet_stats *s)
{
        json_t *o = json_object();

        for (size_t i = 1; i < FLEET_CAUSES; i++)
                if (s->cause[i])
                        put(o, odm_task_cause_name((odm_task_cause)i), s->cause[i]);
        return o;
}

static void add_name(void *ctx, const char *name, bool happened)
{
        (void)happened;
        if (json_array_size(ctx) < NAMES_MAX)
                (void)json_array_append_new(ctx, json_string(name));
}

static json_t *faults_json(const fleet *f, const fleet_stats *s, const scenario *sc)
{
        json_t *list = json_array();

        for (size_t i = 0; i < sc->n_faults; i++) {
                json_t *names = json_array();
                fleet_hit(f, i, add_name, names);
                (void)json_array_append_new(
                        list,
                        json_pack("{s:s,s:s,s:I,s:I,s:o}", "name", sc->fault[i].name, "kind",
                                  fault_kinds[sc->fault[i].kind], "devices", (json_int_t)s->hit[i],
                                  "fired", (json_int_t)s->fired[i], "names", names));
        }
        return list;
}

static json_t *fleet_json(const fleet *f, const fleet_stats *s, const scenario *sc)
{
        json_t *o = json_object();

        put(o, "seed", sc->seed);
        put(o, "devices", s->devices);
        put(o, "called", s->met);
        put(o, "off", s->off);
        put(o, "dead", s->dead);
        (void)json_object_set_new(o, "states", states_json(s));
        put(o, "updates", s->updates);
        put(o, "updated", s->updated);
        (void)json_object_set_new(o, "failed", causes_json(s));
        put(o, "alerts", s->alerts);
        put(o, "restarts", s->restarts);
        put(o, "alarms", s->alarms);
        (void)json_object_set_new(o, "alarm_seconds",
                                  json_real((double)(s->last_alarm - s->first_alarm) / 1e6));
        put(o, "wakes", s->wakes);
        put(o, "wakes_ignored", s->wakes_ignored);
        put(o, "downloads", s->downloads.begun);
        put(o, "download_octets", s->downloads.octets);
        put(o, "downloads_most", s->downloads.most);
        (void)json_object_set_new(o, "faults", faults_json(f, s, sc));
        put(o, "device_octets", octets_each(s));
        put(o, "resident_kb", (uint64_t)resident_kb());
        return o;
}

void report_fleet(FILE *to, fleet *f, const scenario *sc, const sim_rest_result *made, bool json)
{
        const fleet_stats *s = fleet_get_stats(f);
        json_t *o;

        if (!json) {
                if (made)
                        report_rest(to, made, "created", false);
                print_fleet(to, s, sc);
                report_load(to, &s->talk, false);
                return;
        }
        o = fleet_json(f, s, sc);
        if (made) {
                put(o, "created", made->done);
                put(o, "there", made->there);
        }
        (void)json_object_set_new(o, "load", report_load_json(&s->talk));
        if (!o || json_dumpf(o, to, JSON_INDENT(2)) < 0)
                fputs("{}", to);
        fputc('\n', to);
        json_decref(o);
}
