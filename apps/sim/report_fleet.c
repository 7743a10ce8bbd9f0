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
        if (s->software) {
                row(to, "packages of software that ended", s->software);
                row(to, "of them well", s->software_ok);
        }
        if (s->samples)
                row(to, "samples taken", s->samples);
        if (s->traps)
                row(to, "events of traps taken", s->traps);
        row(to, "restarts", s->restarts);
        if (s->alarms) {
                row(to, "alarms taken", s->alarms);
                fprintf(to, "  %-28s %12.2f\n", "seconds from first to last",
                        (double)(s->last_alarm - s->first_alarm) / 1e6);
        }
        row(to, "wake-ups followed", s->wakes);
        row(to, "wake-ups lost", s->wakes_lost);
        row(to, "downloads", s->downloads.begun);
        row(to, "octets of them", s->downloads.octets);
        if (s->downloads.redirects)
                row(to, "redirects followed", s->downloads.redirects);
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
        put(o, "software", s->software);
        put(o, "software_ok", s->software_ok);
        put(o, "samples", s->samples);
        put(o, "traps", s->traps);
        put(o, "restarts", s->restarts);
        put(o, "alarms", s->alarms);
        (void)json_object_set_new(o, "alarm_seconds",
                                  json_real((double)(s->last_alarm - s->first_alarm) / 1e6));
        put(o, "wakes", s->wakes);
        put(o, "wakes_ignored", s->wakes_ignored);
        put(o, "wakes_lost", s->wakes_lost);
        put(o, "downloads", s->downloads.begun);
        put(o, "download_octets", s->downloads.octets);
        put(o, "downloads_most", s->downloads.most);
        put(o, "redirects", s->downloads.redirects);
        (void)json_object_set_new(o, "faults", faults_json(f, s, sc));
        put(o, "device_octets", octets_each(s));
        put(o, "resident_kb", (uint64_t)resident_kb());
        return o;
}

/* ---- LwM2M ------------------------------------------------------------------------------------ */

static uint64_t failed(const things_stats *s)
{
        uint64_t n = 0;

        for (size_t i = 0; i < THINGS_RESULTS; i++)
                n += s->failed[i];
        return n;
}

void report_things_line(FILE *to, const things_stats *s)
{
        fprintf(to, "\r%u devices, %u registered, %u asleep, %u silent, %llu requests\033[K",
                s->devices, s->registered, s->asleep, s->off + s->dead,
                (unsigned long long)s->requests);
        fflush(to);
}

static void print_things(FILE *to, const things_stats *s, const scenario *sc, bool alone)
{
        row(to, "LwM2M devices", s->devices);
        row(to, "that registered", s->met);
        row(to, "registered at the end", s->registered);
        row(to, "asleep at the end", s->asleep);
        row(to, "silent at the end", s->off + s->dead);
        row(to, "registrations", s->registrations);
        row(to, "updates of them", s->updates);
        row(to, "refused", s->refused);
        row(to, "not answered", s->silent);
        row(to, "requests answered", s->requests);
        row(to, "notifications", s->notifications);
        row(to, "firmware updated", s->updated);
        row(to, "not updated", failed(s));
        row(to, "programs installed", s->programs);
        row(to, "restarts of LwM2M devices", s->restarts);
        for (size_t i = 0; alone && i < sc->n_faults; i++)
                fprintf(to, "  fault %-22s %12llu of %llu devices\n", sc->fault[i].name,
                        (unsigned long long)s->fired[i], (unsigned long long)s->hit[i]);
        if (s->why[0])
                fprintf(to, "  the first trouble: %s\n", s->why);
        if (alone)
                row(to, "kB resident at most", (uint64_t)resident_kb());
}

static json_t *things_json(const things_stats *s, const scenario *sc)
{
        json_t *o = json_object(), *faults = json_object(), *bad = json_object();
        json_t *formats = json_object();
        char name[8];

        put(o, "devices", s->devices);
        put(o, "called", s->met);
        put(o, "registered", s->registered);
        put(o, "asleep", s->asleep);
        put(o, "off", s->off);
        put(o, "dead", s->dead);
        put(o, "registrations", s->registrations);
        put(o, "updates", s->updates);
        put(o, "refused", s->refused);
        put(o, "silent", s->silent);
        put(o, "requests", s->requests);
        put(o, "composites", s->composites);
        put(o, "bootstrapped", s->bootstrapped);
        put(o, "observers", s->observers);
        put(o, "notifications", s->notifications);
        put(o, "octets_in", s->octets_in);
        put(o, "octets_out", s->octets_out);
        put(o, "updated", s->updated);
        put(o, "programs", s->programs);
        put(o, "restarts", s->restarts);
        put(o, "sleeps", s->sleeps);
        put(o, "downloads", s->downloads.begun);
        put(o, "call_us_50", hist_at(&s->call, 500));
        put(o, "call_us_99", hist_at(&s->call, 990));
        put(o, "device_octets", s->octets);
        for (size_t i = 0; i < sc->n_faults; i++)
                put(faults, sc->fault[i].name, s->fired[i]);
        for (size_t i = 0; i < THINGS_RESULTS; i++) {
                (void)snprintf(name, sizeof name, "%zu", i);
                if (s->failed[i])
                        put(bad, name, s->failed[i]);
        }
        for (size_t i = 0; i < THINGS_FORMATS; i++)
                put(formats, things_formats[i].name, s->formats[i]);
        (void)json_object_set_new(o, "formats", formats);
        (void)json_object_set_new(o, "fired", faults);
        (void)json_object_set_new(o, "failed", bad);
        (void)json_object_set_new(o, "trouble", json_string(s->why));
        return o;
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void print_live(FILE *to, fleet *f, things *t, const scenario *sc,
                       const sim_rest_result *made)
{
        if (made)
                report_rest(to, made, "created", false);
        if (f)
                print_fleet(to, fleet_get_stats(f), sc);
        if (t)
                print_things(to, things_get_stats(t), sc, !f);
        if (f)
                report_load(to, &fleet_get_stats(f)->talk, false);
}

void report_live(FILE *to, fleet *f, things *t, const scenario *sc, const sim_rest_result *made,
                 bool json)
{
        json_t *o;

        if (!json) {
                print_live(to, f, t, sc, made);
                return;
        }
        o = f ? fleet_json(f, fleet_get_stats(f), sc) : json_object();
        if (made) {
                put(o, "created", made->done);
                put(o, "there", made->there);
        }
        if (f)
                (void)json_object_set_new(o, "load", report_load_json(&fleet_get_stats(f)->talk));
        if (t)
                (void)json_object_set_new(o, "lwm2m", things_json(things_get_stats(t), sc));
        if (!o || json_dumpf(o, to, JSON_INDENT(2)) < 0)
                fputs("{}", to);
        fputc('\n', to);
        json_decref(o);
}
