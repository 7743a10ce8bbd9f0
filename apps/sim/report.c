/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

static double seconds_of(int64_t us)
{
        return us > 0 ? (double)us / 1e6 : 1e-6;
}

static uint64_t failed(const sim_stats *s)
{
        return s->ended - s->outcome[ODM_OUTCOME_DONE];
}

bool report_load_ok(const sim_stats *s)
{
        return s->ended > 0 && failed(s) == 0;
}

bool report_rest_ok(const sim_rest_result *r)
{
        return r->failed == 0;
}

static void row(FILE *to, const char *name, uint64_t n)
{
        fprintf(to, "  %-28s %12llu\n", name, (unsigned long long)n);
}

static void latency(FILE *to, const char *name, const hist *h)
{
        fprintf(to, "  %-28s %12.1f %10.1f %10.1f %10.1f\n", name, (double)hist_at(h, 500) / 1000,
                (double)hist_at(h, 950) / 1000, (double)hist_at(h, 990) / 1000,
                (double)h->max / 1000);
}

static void print_load(FILE *to, const sim_stats *s)
{
        row(to, "sessions", s->ended);
        row(to, "done", s->outcome[ODM_OUTCOME_DONE]);
        for (unsigned i = 0; i < SIM_OUTCOMES; i++)
                if (i != ODM_OUTCOME_DONE && s->outcome[i])
                        row(to, odm_outcome_name((odm_outcome)i), s->outcome[i]);
        if (s->shed)
                row(to, "of them sent away (503, 429)", s->shed);
        if (s->no_start)
                row(to, "not begun", s->no_start);
        row(to, "messages", s->messages);
        row(to, "commands", s->commands);
        row(to, "octets sent", s->octets_out);
        row(to, "octets received", s->octets_in);
        row(to, "connections", s->http.connections);
        if (s->http.handshakes) {
                row(to, "TLS handshakes", s->http.handshakes);
                row(to, "of them resumed", s->http.resumed);
        }
        row(to, "octets a device at rest", s->devices ? s->record_octets / s->devices : 0);
        row(to, "most octets in sessions", s->peak);
        fprintf(to, "  %-28s %12.2f\n", "seconds", seconds_of(s->us));
        fprintf(to, "  %-28s %12.1f\n", "sessions a second", (double)s->ended / seconds_of(s->us));
        fprintf(to, "  %-28s %12s %10s %10s %10s\n", "milliseconds", "50 %", "95 %", "99 %",
                "most");
        latency(to, "a session", &s->session);
        latency(to, "a message", &s->message);
        if (s->why[0])
                fprintf(to, "  the first failure: %s\n", s->why);
}

static json_t *latency_json(const hist *h)
{
        return json_pack("{s:I,s:I,s:I,s:I}", "p50", (json_int_t)hist_at(h, 500), "p95",
                         (json_int_t)hist_at(h, 950), "p99", (json_int_t)hist_at(h, 990), "max",
                         (json_int_t)h->max);
}

static json_t *outcomes_json(const sim_stats *s)
{
        json_t *o = json_object();

        for (unsigned i = 0; o && i < SIM_OUTCOMES; i++)
                if (s->outcome[i])
                        (void)json_object_set_new(o, odm_outcome_name((odm_outcome)i),
                                                  json_integer((json_int_t)s->outcome[i]));
        return o;
}

static void put_json(FILE *to, json_t *o)
{
        if (!o || json_dumpf(o, to, JSON_INDENT(2)) < 0)
                fputs("{}", to);
        fputc('\n', to);
        json_decref(o);
}

json_t *report_load_json(const sim_stats *s)
{
        return json_pack(
                "{s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:o,s:o,s:s}",
                "sessions", (json_int_t)s->ended, "outcomes", outcomes_json(s), "shed",
                (json_int_t)s->shed, "not_begun", (json_int_t)s->no_start, "messages",
                (json_int_t)s->messages, "commands", (json_int_t)s->commands, "octets_out",
                (json_int_t)s->octets_out, "octets_in", (json_int_t)s->octets_in, "connections",
                (json_int_t)s->http.connections, "tls_handshakes", (json_int_t)s->http.handshakes,
                "tls_resumed", (json_int_t)s->http.resumed, "device_octets",
                (json_int_t)(s->devices ? s->record_octets / s->devices : 0), "peak_octets",
                (json_int_t)s->peak, "seconds", seconds_of(s->us), "sessions_per_second",
                (double)s->ended / seconds_of(s->us), "session_us", latency_json(&s->session),
                "message_us", latency_json(&s->message), "failure", s->why);
}

void report_load(FILE *to, const sim_stats *s, bool json)
{
        if (json)
                put_json(to, report_load_json(s));
        else
                print_load(to, s);
}

void report_rest(FILE *to, const sim_rest_result *r, const char *what, bool json)
{
        if (json) {
                put_json(to, json_pack("{s:I,s:I,s:I,s:f,s:s}", what, (json_int_t)r->done, "there",
                                       (json_int_t)r->there, "failed", (json_int_t)r->failed,
                                       "seconds", seconds_of(r->us), "failure", r->why));
                return;
        }
        row(to, what, r->done);
        if (r->there)
                row(to, "there already", r->there);
        if (r->failed)
                row(to, "failed", r->failed);
        fprintf(to, "  %-28s %12.2f\n", "seconds", seconds_of(r->us));
        fprintf(to, "  %-28s %12.1f\n", "a second", (double)r->done / seconds_of(r->us));
        if (r->why[0])
                fprintf(to, "  the first failure: %s\n", r->why);
}

void report_progress(FILE *to, const sim_stats *s, uint64_t total, double seconds)
{
        fprintf(to, "\r%llu of %llu sessions, %.0f a second, %llu failed, %.1f ms a session\033[K",
                (unsigned long long)s->ended, (unsigned long long)total,
                seconds > 0 ? (double)s->ended / seconds : 0.0, (unsigned long long)failed(s),
                (double)hist_at(&s->session, 500) / 1000);
        fflush(to);
}
