/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "rand.h"
#include "report.h"

#define PROGRESS_MS 500

struct run {
        const live_opt *o;
        scenario s;
        keep *keep;
        tls_cred *cred;
        loop *loop;
        loop_timer tick;
        fleet *fleet;   /* OMA DM; NULL: none */
        things *things; /* LwM2M; NULL: none */
        unsigned running;
        sim_rest *rest;
        size_t group; /* whose devices are being created */
        sim_rest_result created;
        bool shown, stopped;
        odm_time told;
        uint64_t told_sessions;
};

void live_raise_files(void)
{
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
                l.rlim_cur = l.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &l);
        }
}

/* ---- what is to be ---------------------------------------------------------------------------- */

static const char *or_else(const char *a, const char *b)
{
        return a ? a : b;
}

static int check_url(const struct run *r, const char *name, const char *url, bool *secure, diag *d)
{
        const char *why = sim_url_wrong(url, r->o->remote, secure);

        return why ? diag_set(d, ODM_EINVAL, "--%s: %s", name, why) : 0;
}

/* Where the devices of a group call. */
static int fill_server(struct run *r, group *g, diag *d)
{
        sim_opt *o = &g->o;
        const char *why;

        o->server = g->server;
        if (!g->server && g->kind == GROUP_DM) {
                o->server = or_else(r->o->server, cfg_str(r->s.c, "run.server"));
                return check_url(r, "server", o->server, &o->secure, d);
        }
        why = g->kind == GROUP_DM ? sim_url_wrong(o->server, r->o->remote, &o->secure)
                                  : sim_coap_wrong(o->server, r->o->remote, &o->secure);
        if (!why && g->kind == GROUP_LWM2M && (g->psk || g->certs) != o->secure)
                why = "psk and cert are for coaps, and coaps needs one of them";
        return why ? diag_set(d, ODM_EINVAL, "[group %s]: server: %s", g->name, why) : 0;
}

static int fill_group(struct run *r, group *g, diag *d)
{
        sim_opt *o = &g->o;
        int rc = fill_server(r, g, d);

        if (rc < 0)
                return rc;
        o->server_id = o->server_user = or_else(g->server_id, cfg_str(r->s.c, "run.server_id"));
        o->api = or_else(r->o->api, cfg_str(r->s.c, "run.api"));
        o->token = r->o->token;
        o->named = g->server != NULL; /* they never call the server that is told their names */
        o->parallel = r->s.parallel;
        o->tls = r->cred;
        r->s.wake &= g->kind == GROUP_LWM2M || sim_url_is_here(o->server);
        if (g->kind == GROUP_DM && o->auth == ODM_AUTH_BASIC && !o->secure)
                rc = diag_set(d, ODM_EINVAL, "[group %s]: auth: basic is for https only", g->name);
        return rc;
}

static int fill_groups(struct run *r, diag *d)
{
        const char *api = or_else(r->o->api, cfg_str(r->s.c, "run.api"));
        bool api_secure = false;
        int rc = r->o->create ? check_url(r, "api", api, &api_secure, d) : 0;

        if (rc == 0 && r->o->create && !r->o->token)
                rc = diag_set(d, ODM_EINVAL, "--token is needed, or XREM_TOKEN in the environment");
        for (size_t i = 0; rc == 0 && i < r->s.n_groups; i++)
                rc = fill_group(r, &r->s.group[i], d);
        return rc;
}

/* A folder goes on with its seed, or the faults would be others' now. */
static int choose_seed(struct run *r, diag *d)
{
        uint64_t kept = 0;
        int rc = r->keep ? keep_seed(r->keep, &kept) : 0;

        if (r->o->seed > 0)
                r->s.seed = (uint64_t)r->o->seed;
        if (rc == 0 && kept && r->s.seed && r->s.seed != kept)
                return diag_set(d, ODM_EINVAL, "%s was begun with the seed %llu", r->o->state,
                                (unsigned long long)kept);
        if (r->s.seed == 0)
                r->s.seed = kept ? kept : 1 + rand_below(INT32_MAX);
        if (rc == 0 && r->keep && !kept)
                rc = keep_set_seed(r->keep, r->s.seed);
        if (rc < 0)
                return diag_set(d, rc, "%s: %s", r->o->state, keep_why(r->keep));
        rc = scenario_aim(&r->s);
        return rc < 0 ? diag_set(d, rc, "out of memory") : 0;
}

static int prepare(struct run *r, diag *d)
{
        const tls_cred_opt co = {.ca_file = r->o->ca};
        int rc = scenario_load(&r->s, r->o->scenario, d);

        if (rc == 0)
                rc = tls_cred_new(&co, &r->cred, d);
        if (rc == 0)
                rc = fill_groups(r, d);
        if (rc == 0 && r->o->state)
                rc = keep_open(r->o->state, &r->keep, d);
        if (rc == 0)
                rc = choose_seed(r, d);
        return rc;
}

/* ---- running ---------------------------------------------------------------------------------- */

static void on_over(void *ctx)
{
        struct run *r = ctx;

        loop_stop(r->loop);
}

/* Of those that run. */
static void on_part_over(void *ctx)
{
        struct run *r = ctx;

        if (--r->running == 0)
                loop_stop(r->loop);
}

static void on_signal(void *ctx, int signo)
{
        struct run *r = ctx;

        (void)signo;
        if (r->stopped || (!r->running && !r->rest))
                loop_stop(r->loop);
        r->stopped = true;
        if (r->fleet)
                fleet_stop(r->fleet);
        if (r->things)
                things_stop(r->things);
        if (r->rest)
                sim_rest_stop(r->rest);
}

static void on_tick(void *ctx)
{
        struct run *r = ctx;
        const fleet_stats *st = r->fleet ? fleet_get_stats(r->fleet) : NULL;
        double s = (double)(loop_now().ms - r->told.ms) / 1000;

        if (st)
                report_fleet_line(stderr, st,
                                  s > 0 ? (double)(st->talk.ended - r->told_sessions) / s : 0);
        else
                report_things_line(stderr, things_get_stats(r->things));
        r->shown = true;
        r->told = loop_now();
        r->told_sessions = st ? st->talk.ended : 0;
        if (loop_timer_set(r->loop, &r->tick, odm_time_add(loop_now(), PROGRESS_MS)) < 0)
                r->shown = false;
}

/* The devices of one group after the other; 1 when stopped. */
static int create(struct run *r)
{
        int rc = 0;

        for (r->group = 0; rc == 0 && !r->stopped && r->group < r->s.n_groups; r->group++) {
                if (r->s.group[r->group].behind)
                        continue;
                rc = sim_rest_start(r->loop, &r->s.group[r->group].o, ODM_ABSENT, on_over, r,
                                    &r->rest);
                if (rc == 0)
                        rc = loop_run(r->loop);
                if (r->rest) {
                        const sim_rest_result *q = sim_rest_get(r->rest);
                        r->created.done += q->done;
                        r->created.there += q->there;
                        r->created.failed += q->failed;
                        if (!r->created.why[0])
                                memcpy(r->created.why, q->why, sizeof q->why);
                }
                sim_rest_free(r->rest);
                r->rest = NULL;
                if (r->created.failed)
                        break;
        }
        return rc;
}

static int start(struct run *r, diag *d)
{
        int rc = 0;

        if (r->s.devices)
                rc = fleet_new(r->loop, &r->s, r->keep, r->cred, on_part_over, r, &r->fleet, d);
        if (rc == 0 && r->s.things)
                rc = things_new(r->loop, &r->s, r->keep, r->cred, on_part_over, r, &r->things, d);
        r->running = (r->fleet != NULL) + (r->things != NULL);
        if (rc == 0 && r->fleet)
                rc = fleet_start(r->fleet, r->o->max_ms, d);
        if (rc == 0 && r->things)
                rc = things_start(r->things, r->o->max_ms, d);
        return rc;
}

static int run(struct run *r, diag *d)
{
        int rc = start(r, d);

        r->told = loop_now();
        r->tick = (loop_timer){.fn = on_tick, .ctx = r};
        if (rc == 0 && isatty(2) && !r->o->quiet)
                rc = loop_timer_set(r->loop, &r->tick, odm_time_add(loop_now(), PROGRESS_MS));
        if (rc == 0 && !r->o->quiet)
                fprintf(stderr, "xremsim: %u devices, seed %llu\n", r->s.devices + r->s.things,
                        (unsigned long long)r->s.seed);
        if (rc == 0)
                rc = loop_run(r->loop);
        loop_timer_stop(&r->tick);
        if (r->shown)
                fputs("\r\033[K", stderr);
        return rc;
}

static int open_loop(struct run *r)
{
        int rc = loop_new(&r->loop);

        if (rc == 0)
                rc = loop_signal(r->loop, SIGINT, on_signal, r);
        if (rc == 0)
                rc = loop_signal(r->loop, SIGTERM, on_signal, r);
        return rc;
}

static int tell(struct run *r)
{
        bool ok = (!r->fleet || report_fleet_ok(fleet_get_stats(r->fleet))) &&
                  (!r->things || things_get_stats(r->things)->met > 0);

        report_live(stdout, r->fleet, r->things, &r->s, r->o->create ? &r->created : NULL,
                    r->o->json);
        return ok ? CLI_OK : CLI_FAILED;
}

static int failed(const char *why)
{
        fprintf(stderr, "xremsim: %s\n", why);
        return CLI_FAILED;
}

static int go(struct run *r, diag *d)
{
        int rc = open_loop(r);

        if (rc == 0 && r->o->create)
                rc = create(r);
        if (rc == 0 && r->created.failed) {
                fprintf(stderr, "xremsim: %llu devices cannot be created; the first: %s\n",
                        (unsigned long long)r->created.failed, r->created.why);
                return CLI_FAILED;
        }
        if (rc == 0 && !r->stopped)
                rc = run(r, d);
        if (rc < 0)
                return failed(d->text[0] ? d->text : odm_err_text(rc));
        return r->fleet || r->things ? tell(r) : CLI_FAILED;
}

int live_run(const live_opt *o)
{
        static struct run r; /* scenario is large */
        diag d = {{0}};
        int code;

        r = (struct run){.o = o};
        live_raise_files();
        if (prepare(&r, &d) < 0) {
                (void)failed(d.text);
                code = CLI_USAGE;
        } else {
                code = go(&r, &d);
        }
        fleet_free(r.fleet);
        things_free(r.things);
        if (r.loop)
                loop_free(r.loop);
        keep_close(r.keep);
        tls_cred_free(r.cred);
        scenario_done(&r.s);
        return code;
}
