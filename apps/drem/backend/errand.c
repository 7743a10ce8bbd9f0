/* SPDX-License-Identifier: Apache-2.0 */
#include "errand.h"

#include <stdio.h>

static bool is_progress(odm_str line, int64_t *done, int64_t *total)
{
        static const char word[] = "progress ";
        odm_str rest = odm_str_from(line, sizeof word - 1);
        size_t n = 0;
        uint64_t one, two;

        while (n < rest.n && rest.p[n] != ' ')
                n++;
        if (!odm_str_starts(line, word) || n == rest.n ||
            odm_str_u64(odm_str_to(rest, n), INT64_MAX, &one) < 0 ||
            odm_str_u64(odm_str_from(rest, n + 1), INT64_MAX, &two) < 0)
                return false;
        *done = (int64_t)one;
        *total = (int64_t)two;
        return true;
}

static bool is_received(odm_str line, uint64_t *n)
{
        static const char word[] = "received ";

        return odm_str_starts(line, word) &&
               odm_str_u64(odm_str_from(line, sizeof word - 1), INT64_MAX, n) == 0;
}

static void on_line(void *ctx, odm_str line)
{
        errand *e = ctx;
        uint64_t n;
        char text[PROGRAM_LINE + 1], name[32];
        int at = 0;

        if (is_progress(line, &e->have, &e->total))
                return;
        if (is_received(line, &n)) {
                if (e->received)
                        *e->received += n;
                return;
        }
        snprintf(text, sizeof text, "%.*s", (int)line.n, line.p);
        if (sscanf(text, "end %31s %n", name, &at) == 1) {
                e->cause = odm_task_cause_of(odm_cstr(name));
                snprintf(e->note, sizeof e->note, "%.*s", ERRAND_NOTE - 1, at ? text + at : "");
        }
}

static void on_over(void *ctx, int code)
{
        errand *e = ctx;

        if (code != 0 && e->cause == ODM_CAUSE_OK) /* it said so, and died all the same */
                e->cause = ODM_CAUSE_FAILED;
        e->program = NULL;
        e->done(e->ctx);
}

int errand_run(errand *e, loop *l, const char *const *argv, void (*done)(void *ctx), void *ctx,
               diag *d)
{
        const program_opt o = {.argv = argv, .line = on_line, .done = on_over, .ctx = e};

        e->cause = ODM_CAUSE_FAILED;
        snprintf(e->note, sizeof e->note, "%.200s died", argv[0]);
        e->have = e->total = 0;
        e->done = done;
        e->ctx = ctx;
        return program_start(l, &o, &e->program, d);
}

int errand_fetch(errand *e, loop *l, const errand_fetch_opt *opt, void (*done)(void *ctx),
                 void *ctx, diag *d)
{
        char max[24], tries[24], wait[24];
        const errand_terms *t = &opt->terms;
        const char *argv[16] = {t->fetch, "--max-size", max, "--retries", tries, "--wait", wait};
        size_t n = 7;
        int rc;

        snprintf(max, sizeof max, "%lld", (long long)t->max_size);
        snprintf(tries, sizeof tries, "%lld", (long long)t->tries);
        snprintf(wait, sizeof wait, "%lld", (long long)t->wait_ms);
        if (t->ca) {
                argv[n++] = "--ca";
                argv[n++] = t->ca;
        }
        argv[n++] = "--";
        argv[n++] = opt->url;
        argv[n] = opt->file;
        rc = errand_run(e, l, argv, done, ctx, d);
        if (rc == 0)
                snprintf(e->note, sizeof e->note, "the downloader died");
        return rc;
}

bool errand_stop(errand *e)
{
        bool was = e->program != NULL;

        program_kill(e->program);
        e->program = NULL;
        return was;
}
