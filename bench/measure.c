/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

size_t bench_live, bench_allocations;

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        void *q = NULL;

        (void)ctx;
        if (n == 0)
                free(p);
        else
                q = realloc(p, n);
        if (q || n == 0) {
                bench_live += n - old_n;
                bench_allocations += n > 0;
        }
        return q;
}

const odm_mem bench_heap = {heap_resize, NULL};

void bench_must(bool holds, const char *what)
{
        if (!holds) {
                fprintf(stderr, "bench: %s failed\n", what);
                exit(1);
        }
}

double bench_now_us(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

double bench_median(double *figures, unsigned n)
{
        qsort(figures, n, sizeof *figures, by_value);
        return figures[n / 2];
}

int bench_options(int argc, char **argv, bool sized, void (*usage)(FILE *to), bench_opt *out)
{
        bench_opt o = {.rounds = 11};
        bool good = true;

        for (int i = 1; i < argc && good; i++) {
                if (strcmp(argv[i], "--help") == 0) {
                        usage(stdout);
                        return 0;
                }
                if (strcmp(argv[i], "--json") == 0)
                        o.json = true;
                else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
                        o.rounds = (unsigned)strtoul(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
                        o.only = argv[++i];
                else if (sized && strcmp(argv[i], "--commands") == 0 && i + 1 < argc)
                        o.commands = (unsigned)strtoul(argv[++i], NULL, 10);
                else
                        good = false;
        }
        if (!good || o.rounds < 1 || (o.only == NULL && o.rounds > BENCH_ROUNDS)) {
                usage(stderr);
                return 2;
        }
        *out = o;
        return -1;
}
