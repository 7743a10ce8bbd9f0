/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPTION_MOST 100000000 /* rounds; commands are fewer */
#define COMMANDS_MOST 100000  /* that BENCH_MOST holds */

size_t bench_live, bench_allocations;
static const char *program = "bench";

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
                fprintf(stderr, "%s: %s failed\n", program, what);
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

static void name_program(const char *path)
{
        const char *slash = strrchr(path, '/');

        program = slash ? slash + 1 : path;
}

void bench_refuse(const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        fprintf(stderr, "%s: ", program);
        vfprintf(stderr, fmt, args);
        fputc('\n', stderr);
        va_end(args);
        exit(2);
}

static void help(void (*usage)(void))
{
        usage();
        exit(0);
}

int bench_words(int argc, char **argv, void (*usage)(void), int least, int most, bool *json)
{
        int n = 0;

        name_program(argv[0]);
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--help") == 0)
                        help(usage);
                else if (json && strcmp(argv[i], "--json") == 0)
                        *json = true;
                else if (argv[i][0] == '-')
                        bench_refuse("there is no option %s", argv[i]);
                else
                        argv[++n] = argv[i];
        if (n < least)
                bench_refuse("an argument is missing; --help tells of all");
        if (n > most)
                bench_refuse("%s is one argument too many", argv[most + 1]);
        return n;
}

uint64_t bench_number(const char *what, const char *text, uint64_t least, uint64_t most)
{
        uint64_t n;

        if (odm_str_u64(odm_cstr(text), most, &n) < 0 || n < least)
                bench_refuse("%s: %s is no number from %llu to %llu", what, text,
                             (unsigned long long)least, (unsigned long long)most);
        return n;
}

void bench_fresh(const char *path)
{
        if (access(path, F_OK) == 0)
                bench_refuse("%s is there already, of an earlier run", path);
}

void bench_options(int argc, char **argv, bool sized, void (*usage)(void), bench_opt *out)
{
        bench_opt o = {.rounds = 11};

        name_program(argv[0]);
        for (int i = 1; i < argc; i++) {
                const char *option = argv[i], *value = argv[i + 1];
                bool rounds = strcmp(option, "--rounds") == 0, only = strcmp(option, "--only") == 0;
                bool commands = sized && strcmp(option, "--commands") == 0;
                if (strcmp(option, "--help") == 0)
                        help(usage);
                if (strcmp(option, "--json") == 0) {
                        o.json = true;
                        continue;
                }
                if (!rounds && !only && !commands)
                        bench_refuse("there is no option %s", option);
                if (!value)
                        bench_refuse("%s needs a value", option);
                if (only)
                        o.only = value;
                else if (rounds)
                        o.rounds = (unsigned)bench_number(option, value, 1, OPTION_MOST);
                else
                        o.commands = (unsigned)bench_number(option, value, 1, COMMANDS_MOST);
                i++;
        }
        if (o.only == NULL && o.rounds > BENCH_ROUNDS)
                bench_refuse("more than %d rounds are for one row, --only", BENCH_ROUNDS);
        *out = o;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static bool begun;

void bench_row(bool json)
{
        if (json)
                printf("%s\n  ", begun ? "," : "[");
        begun = true;
}

void bench_rows_end(bool json)
{
        if (json)
                printf("%s\n]\n", begun ? "" : "[");
}
