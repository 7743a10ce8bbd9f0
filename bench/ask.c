/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - how long a CoAP server takes to answer: one GET after the other, each once the one before
 * is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "coap.h"
#include "measure.h"

#define COUNT 1000
#define COUNT_MAX 1000000

typedef struct asker {
        loop *loop;
        co_end *end;
        net_addr to;
        co_msg get;
        double *took, since; /* microseconds */
        size_t n, count;
        bool failed;
} asker;

static double now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void ask(asker *a);

static void on_answer(void *ctx, co_end_of why, const co_msg *m)
{
        asker *a = ctx;
        char code[CO_CODE_TEXT] = "";

        if (m)
                co_code_format(m->code, code);
        if (why != CO_REPLY || co_class(m->code) != 2) {
                fprintf(stderr, "bench-ask: %s %s\n", co_end_text(why), code);
                a->failed = true;
                loop_stop(a->loop);
                return;
        }
        a->took[a->n++] = now_us() - a->since;
        if (a->n < a->count)
                ask(a);
        else
                loop_stop(a->loop);
}

static void ask(asker *a)
{
        uint64_t id;

        a->since = now_us();
        if (co_ask(a->end, &a->to, &a->get, NULL, on_answer, a, &id) == 0)
                return;
        a->failed = true;
        loop_stop(a->loop);
}

static void tell(asker *a)
{
        double sum = 0;

        for (size_t i = 0; i < a->n; i++)
                sum += a->took[i];
        printf("%.0f %.0f\n", bench_median(a->took, (unsigned)a->n), sum / (double)a->n);
}

static int run(asker *a)
{
        co_setup s;
        diag d;

        co_setup_init(&s);
        s.client = true;
        if (loop_new(&a->loop) < 0 || co_open(a->loop, &s, &a->end, &d) < 0)
                return -1;
        ask(a);
        return a->failed ? -1 : loop_run(a->loop);
}

static void usage(void)
{
        printf("usage: bench-ask ADDRESS:PORT PATH [COUNT]\n"
               "Asks a CoAP server for PATH, COUNT times (%d) one after the other, and prints\n"
               "microseconds: the median and the mean.\n",
               COUNT);
}

int main(int argc, char **argv)
{
        asker a = {.count = COUNT};
        int rc, n = bench_words(argc, argv, usage, 2, 3, NULL);

        if (net_hostport_parse(argv[1], &a.to) < 0)
                bench_refuse("%s is no ADDRESS:PORT", argv[1]);
        if (n > 2)
                a.count = (size_t)bench_number("COUNT", argv[3], 1, COUNT_MAX);
        co_msg_init(&a.get, CO_GET);
        a.get.path = odm_cstr(argv[2]);
        a.took = calloc(a.count, sizeof *a.took);
        rc = a.took ? run(&a) : -1;
        if (rc == 0 && !a.failed)
                tell(&a);
        co_close(a.end);
        loop_free(a.loop);
        free(a.took);
        return rc == 0 && !a.failed ? 0 : 1;
}
