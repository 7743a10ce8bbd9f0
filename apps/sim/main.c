/* SPDX-License-Identifier: Apache-2.0 */
/* xremsim - many devices in one process, on the client engine that real ones run. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "fsio.h"
#include "heap.h"
#include "live.h"
#include "report.h"
#include "scenario.h"
#include "thing.h"

#define PROGRESS_MS 200
#define JOB_MAX (4u << 20)

struct words { /* as the command line says it */
        const char *scenario, *state, *server, *prefix, *password, *codec, *auth, *ca, *keep,
                *resume, *api, *token, *give, *server_id, *server_user;
        int64_t devices, first, stride, sessions, rate, parallel, max_time, seed;
        bool json, create, allow_remote, quiet, print, objects;
};

struct run {
        sim_opt o;
        struct words w;
        tls_cred *cred;
        odm_buf job;
        loop *loop;
        loop_timer tick;
        sim_load *load;
        sim_rest *rest;
        odm_time began;
        bool over, shown;
        unsigned signals;
};

/* ---- the command line ------------------------------------------------------------- */

static int wrong(const char *option, const char *why)
{
        fprintf(stderr, "xremsim: --%s: %s\n", option, why);
        return ODM_EINVAL;
}

static int check_range(const char *name, int64_t v, int64_t min, int64_t max, uint32_t *out)
{
        char why[80];

        if (v < min || v > max) {
                (void)snprintf(why, sizeof why, "has to be %lld to %lld", (long long)min,
                               (long long)max);
                return wrong(name, why);
        }
        *out = (uint32_t)v;
        return 0;
}

static int check_word(const char *name, const char *word, const char *const *words, unsigned *out)
{
        for (unsigned i = 0; words[i]; i++)
                if (strcmp(word, words[i]) == 0) {
                        *out = i;
                        return 0;
                }
        return wrong(name, "is none of the words it may be; see --help");
}

static int check_url(const struct run *r, const char *name, const char *url, bool *secure)
{
        const char *why = sim_url_wrong(url, r->w.allow_remote, secure);

        return why ? wrong(name, why) : 0;
}

#define UNSET (-1)

static int check_max_time(const struct words *w)
{
        if (w->max_time == UNSET || (w->max_time >= 1 && w->max_time <= 86400))
                return 0;
        return wrong("max-time", "has to be 1 to 86400 seconds");
}

static int check_numbers(struct run *r)
{
        const struct words *w = &r->w;
        sim_opt *o = &r->o;
        int rc = check_range("devices", w->devices, 1, SIM_DEVICES_MAX, &o->n);

        if (rc == 0)
                rc = check_range("first", w->first, 0, 1000000000, &o->first);
        if (rc == 0)
                rc = check_range("stride", w->stride, 1, 1000, &o->stride);
        if (rc == 0)
                rc = check_range("sessions", w->sessions, 1, 1000000, &o->sessions);
        if (rc == 0)
                rc = check_range("rate", w->rate, 0, 1000000, &o->rate);
        if (rc == 0)
                rc = check_range("parallel", w->parallel, 1, SIM_PARALLEL_MAX, &o->parallel);
        if (rc == 0)
                rc = check_max_time(w);
        o->stop_ms = (w->max_time == UNSET ? 600 : w->max_time) * 1000;
        if (o->parallel > o->n)
                o->parallel = o->n;
        return rc;
}

static int check_words(struct run *r)
{
        static const char *const codecs[] = {"wbxml", "xml", NULL};
        static const char *const auths[] = {"basic", "md5", "mac", NULL};
        static const odm_auth_type types[] = {ODM_AUTH_BASIC, ODM_AUTH_MD5, ODM_AUTH_MAC};
        static const char *const yesno[] = {"no", "yes", NULL};
        unsigned codec = 0, auth = 0, kept = 0, resume = 0;
        int rc = check_word("codec", r->w.codec, codecs, &codec);

        if (rc == 0)
                rc = check_word("auth", r->w.auth, auths, &auth);
        if (rc == 0)
                rc = check_word("keep-connection", r->w.keep, yesno, &kept);
        if (rc == 0)
                rc = check_word("resume", r->w.resume, yesno, &resume);
        r->o.codec = codec ? &odm_codec_xml : &odm_codec_wbxml;
        r->o.auth = types[auth];
        r->o.keep = kept;
        r->o.resume = resume;
        return rc;
}

static int check_texts(struct run *r)
{
        r->o.server = r->w.server;
        r->o.api = r->w.api;
        r->o.token = r->w.token ? r->w.token : getenv("XREM_TOKEN");
        r->o.prefix = r->w.prefix;
        r->o.password = r->w.password;
        r->o.server_id = r->w.server_id;
        r->o.server_user = r->w.server_user ? r->w.server_user : r->w.server_id;
        if (strlen(r->w.prefix) > 100 || strchr(r->w.prefix, ':'))
                return wrong("prefix", "is longer than 100 octets, or holds a colon");
        if (!r->w.password[0] || strlen(r->w.password) > 150)
                return wrong("password", "has to be 1 to 150 octets");
        if (strlen(r->o.server_id) > 200 || strlen(r->o.server_user) > 200)
                return wrong("server-id", "is longer than 200 octets");
        return 0;
}

static int check(struct run *r)
{
        bool rest = r->w.create || r->w.give, secure = false;
        int rc = check_texts(r);

        if (rc == 0)
                rc = check_numbers(r);
        if (rc == 0)
                rc = check_words(r);
        if (rc == 0 && rest)
                rc = check_url(r, "api", r->w.api, &secure);
        if (rc == 0 && !rest)
                rc = check_url(r, "server", r->w.server, &secure);
        r->o.secure = secure;
        if (rc == 0 && rest && !r->o.token)
                rc = wrong("token", "is needed, or XREM_TOKEN in the environment");
        if (rc == 0 && !rest && r->o.auth == ODM_AUTH_BASIC && !secure)
                rc = wrong("auth", "basic is for https only");
        return rc;
}

/* ---- running ------------------------------------------------------------------------- */

static void on_over(void *ctx)
{
        struct run *r = ctx;

        r->over = true;
        loop_stop(r->loop);
}

static void on_signal(void *ctx, int signo)
{
        struct run *r = ctx;

        (void)signo;
        if (r->signals++ > 0)
                on_over(r);
        else if (r->load)
                sim_load_stop(r->load);
        else if (r->rest)
                sim_rest_stop(r->rest);
}

static void on_tick(void *ctx)
{
        struct run *r = ctx;
        double s = (double)(loop_now().ms - r->began.ms) / 1000;

        r->shown = true;
        if (r->load)
                report_progress(stderr, sim_load_stats(r->load), (uint64_t)r->o.n * r->o.sessions,
                                s);
        else
                fprintf(stderr, "\r%llu of %u requests\033[K",
                        (unsigned long long)sim_rest_get(r->rest)->done, r->o.n);
        if (loop_timer_set(r->loop, &r->tick, odm_time_add(loop_now(), PROGRESS_MS)) < 0)
                r->shown = false;
}

static int prepare(struct run *r)
{
        const tls_cred_opt co = {.ca_file = r->w.ca};
        diag d = {{0}};
        int rc = 0;

        live_raise_files();
        if (r->o.secure)
                rc = tls_cred_new(&co, &r->cred, &d);
        r->o.tls = r->cred;
        odm_buf_init(&r->job, &heap_mem, JOB_MAX);
        if (rc == 0 && r->w.give)
                rc = fsio_read(r->w.give, JOB_MAX, &r->job, &d);
        if (rc < 0)
                fprintf(stderr, "xremsim: %s\n", d.text);
        return rc;
}

static int start(struct run *r)
{
        odm_str job = r->w.give ? odm_buf_view(&r->job) : ODM_ABSENT;
        int rc = loop_new(&r->loop);

        if (rc == 0)
                rc = loop_signal(r->loop, SIGINT, on_signal, r);
        if (rc == 0)
                rc = loop_signal(r->loop, SIGTERM, on_signal, r);
        if (rc == 0 && (r->w.create || r->w.give))
                rc = sim_rest_start(r->loop, &r->o, job, on_over, r, &r->rest);
        else if (rc == 0)
                rc = sim_load_new(r->loop, &r->o, on_over, r, &r->load);
        if (rc == 0 && r->load)
                rc = sim_load_start(r->load);
        r->began = loop_now();
        r->tick = (loop_timer){.fn = on_tick, .ctx = r};
        if (rc == 0 && isatty(2) && !r->w.quiet)
                rc = loop_timer_set(r->loop, &r->tick, odm_time_add(r->began, PROGRESS_MS));
        return rc;
}

/* 0 when all went well, 1 when something failed. */
static int tell(struct run *r)
{
        if (r->shown)
                fputs("\r\033[K", stderr);
        if (r->load) {
                const sim_stats *s = sim_load_stats(r->load);
                report_load(stdout, s, r->w.json);
                return report_load_ok(s) ? CLI_OK : CLI_FAILED;
        }
        const sim_rest_result *q = sim_rest_get(r->rest);
        report_rest(stdout, q, r->w.give ? "jobs" : "created", r->w.json);
        return report_rest_ok(q) ? CLI_OK : CLI_FAILED;
}

static int run(struct run *r)
{
        int code = CLI_FAILED;
        int rc = start(r);

        if (rc == 0)
                rc = loop_run(r->loop);
        if (rc == 0)
                code = tell(r);
        else
                fprintf(stderr, "xremsim: %s\n", odm_err_text(rc));
        loop_timer_stop(&r->tick);
        sim_load_free(r->load);
        sim_rest_free(r->rest);
        loop_free(r->loop);
        return code;
}

static cli_result parse(struct words *w, int argc, char **argv, int *first)
{
        const cli_option options[] = {
                {0, "scenario", CLI_STRING, &w->scenario, "FILE",
                 "devices that live as FILE says, until Ctrl-C or --max-time"},
                {0, "state", CLI_STRING, &w->state, "DIR",
                 "with --scenario: the devices are kept there, and go on the next time"},
                {0, "seed", CLI_INT, &w->seed, "N",
                 "with --scenario: what is left to chance follows from it"},
                {0, "print-scenario", CLI_FLAG, &w->print, NULL, "all that a scenario may say"},
                {0, "print-objects", CLI_FLAG, &w->objects, NULL,
                 "the objects of simulated LwM2M devices that OMA does not\ndescribe, as its XML"},
                {0, "server", CLI_STRING, &w->server, "URL", "where the devices call"},
                {'n', "devices", CLI_INT, &w->devices, "N", "how many (default 100)"},
                {0, "first", CLI_INT, &w->first, "K", "number of the first (default 1)"},
                {0, "stride", CLI_INT, &w->stride, "D", "distance to the next (default 1)"},
                {0, "prefix", CLI_STRING, &w->prefix, "TEXT",
                 "names are TEXT and the number (default sim/)"},
                {0, "password", CLI_STRING, &w->password, "PATTERN",
                 "of devices and server; {n} stands for the number\n(default sim-{n})"},
                {0, "server-id", CLI_STRING, &w->server_id, "ID",
                 "Server Identifier (default xrem)"},
                {0, "server-user", CLI_STRING, &w->server_user, "NAME",
                 "name the server proves itself by (default: ID)"},
                {'s', "sessions", CLI_INT, &w->sessions, "S", "of each device (default 1)"},
                {'r', "rate", CLI_INT, &w->rate, "R",
                 "sessions begun a second (default 0: as fast as it goes)"},
                {'p', "parallel", CLI_INT, &w->parallel, "P", "sessions at one time (default 16)"},
                {0, "codec", CLI_STRING, &w->codec, "wbxml|xml", "(default wbxml)"},
                {0, "auth", CLI_STRING, &w->auth, "md5|basic|mac", "(default md5)"},
                {0, "ca", CLI_STRING, &w->ca, "FILE",
                 "certificates to trust; default the system's"},
                {0, "keep-connection", CLI_STRING, &w->keep, "yes|no",
                 "a connection goes on with the next session (default no)"},
                {0, "resume", CLI_STRING, &w->resume, "yes|no",
                 "TLS sessions are resumed (default yes)"},
                {0, "max-time", CLI_INT, &w->max_time, "SECONDS",
                 "no session begins after that (default 600;\nwith --scenario: for ever)"},
                {0, "create", CLI_FLAG, &w->create, NULL,
                 "make the devices known to the server instead;\nwith --scenario: before they "
                 "begin"},
                {0, "give", CLI_STRING, &w->give, "FILE",
                 "give each device the job in FILE instead (JSON as REST takes it)"},
                {0, "api", CLI_STRING, &w->api, "URL", "REST, for --create and --give"},
                {0, "token", CLI_STRING, &w->token, "TOKEN", "for REST; default $XREM_TOKEN"},
                {0, "allow-remote", CLI_FLAG, &w->allow_remote, NULL,
                 "other machines than this one"},
                {'q', "quiet", CLI_FLAG, &w->quiet, NULL, "no progress line"},
                {0, "json", CLI_FLAG, &w->json, NULL, "the result as JSON"},
        };
        const cli_program program = {
                .name = "xremsim",
                .version = XREM_VERSION,
                .usage = "[options]",
                .about = "Runs sessions of many simulated devices against a server.",
                .options = options,
                .n = ODM_COUNT(options),
                .more = "Exit codes: 0 all sessions ended well; 1 some did not; 2 usage.\n",
        };

        return cli_parse(&program, argc, argv, false, first);
}

static int live(const struct words *w)
{
        const live_opt o = {.scenario = w->scenario,
                            .state = w->state,
                            .server = w->server,
                            .api = w->api,
                            .token = w->token ? w->token : getenv("XREM_TOKEN"),
                            .ca = w->ca,
                            .seed = w->seed,
                            .max_ms = w->max_time > 0 ? w->max_time * 1000 : 0,
                            .create = w->create,
                            .remote = w->allow_remote,
                            .quiet = w->quiet,
                            .json = w->json};

        return live_run(&o);
}

int main(int argc, char **argv)
{
        struct run r = {.w = {.prefix = "sim/",
                              .password = "sim-{n}",
                              .codec = "wbxml",
                              .auth = "md5",
                              .keep = "no",
                              .resume = "yes",
                              .server_id = "xrem",
                              .devices = 100,
                              .first = 1,
                              .stride = 1,
                              .sessions = 1,
                              .parallel = 16,
                              .max_time = UNSET}};
        int first = argc;
        cli_result got = parse(&r.w, argc, argv, &first);

        if (got != CLI_GO_ON)
                return got == CLI_EXIT_OK ? CLI_OK : CLI_USAGE;
        if (first < argc) {
                fprintf(stderr, "xremsim: '%s' is not expected; see --help\n", argv[first]);
                return CLI_USAGE;
        }
        if (r.w.print) {
                cfg_print(scenario_keys, scenario_n_keys, stdout);
                return CLI_OK;
        }
        if (r.w.objects)
                return fputs(thing_objects, stdout) < 0 ? CLI_FAILED : CLI_OK;
        if (r.w.scenario)
                return check_max_time(&r.w) < 0 ? CLI_USAGE : live(&r.w);
        if (r.w.state || r.w.seed) {
                (void)wrong(r.w.state ? "state" : "seed", "is for --scenario");
                return CLI_USAGE;
        }
        if (check(&r) < 0)
                return CLI_USAGE;
        int code = prepare(&r) < 0 ? CLI_FAILED : run(&r);
        odm_buf_done(&r.job);
        tls_cred_free(r.cred);
        return code;
}
