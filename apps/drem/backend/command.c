/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <stdio.h>

static void on_line(void *ctx, odm_str line)
{
        command *c = ctx;
        size_t n = odm_utf8_cut(line, line.n < sizeof c->note ? line.n : sizeof c->note - 1);

        if (odm_str_trim(line).n)
                snprintf(c->note, sizeof c->note, "%.*s", (int)n, line.p);
}

static void over(command *c, int code)
{
        loop_timer_stop(&c->limit);
        c->program = NULL;
        c->done(c->ctx, code);
}

static void on_exit_of(void *ctx, int code)
{
        over(ctx, code);
}

static void on_limit(void *ctx)
{
        command *c = ctx;

        program_kill(c->program);
        snprintf(c->note, sizeof c->note, "it took too long");
        over(c, COMMAND_LATE);
}

int command_exec(command *c, loop *l, const char *const *argv, int64_t ms,
                 void (*done)(void *ctx, int code), void *ctx, diag *d)
{
        const program_opt o = {.argv = argv, .line = on_line, .done = on_exit_of, .ctx = c};
        int rc;

        c->note[0] = 0;
        c->limit = (loop_timer){.fn = on_limit, .ctx = c};
        c->done = done;
        c->ctx = ctx;
        rc = loop_timer_set(l, &c->limit, odm_time_add(loop_now(), ms));
        if (rc == 0)
                rc = program_start(l, &o, &c->program, d);
        if (rc < 0)
                loop_timer_stop(&c->limit);
        return rc;
}

int command_run(command *c, loop *l, const char *text, const char *const *words, int64_t ms,
                void (*done)(void *ctx, int code), void *ctx, diag *d)
{
        const char *argv[4 + COMMAND_WORDS + 1] = {"/bin/sh", "-c", text, "dremd"};

        for (size_t i = 0; i < COMMAND_WORDS && words && words[i]; i++)
                argv[4 + i] = words[i];
        return command_exec(c, l, argv, ms, done, ctx, d);
}

void command_stop(command *c)
{
        loop_timer_stop(&c->limit);
        program_kill(c->program);
        c->program = NULL;
}
