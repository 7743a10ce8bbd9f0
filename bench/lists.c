/* SPDX-License-Identifier: Apache-2.0 */
/* bench-lists - lists of devices from a large fleet, by everything they can be asked for.
 *
 * Makers are 3, models 60, versions 200, one device in 1000 waits for approval; tags are "north" of
 * one in two, "site-N" of 200 devices each, "pilot" of one in 20000. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "store.h"

#define TOGETHER 500 /* devices in a batch */
#define DEVICES 1000000
#define PAGES 60 /* of a question, at most */
#define ENOUGH_MS 4000.0
#define LOOK 5000 /* as the REST list does */

static double now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static store *open_store(const char *file)
{
        char diag[STORE_DIAG];
        store_opt o;
        store *st;

        store_opt_init(&o);
        o.where = file;
        if (store_open(&o, &st, diag) < 0) {
                fprintf(stderr, "bench-lists: %s\n", diag);
                exit(1);
        }
        return st;
}

/* Numbers that jump about, so that neighbours by name are none in the file. */
static unsigned scattered(unsigned i)
{
        return (i * 2654435761u) >> 4;
}

static store_device device_of(odm_arena *a, unsigned i)
{
        static const char *const makers[] = {"Acme", "Bolt", "Corvus"};
        unsigned r = scattered(i);
        odm_str tags = odm_arena_fmt(a, "site-%u%s%s", i / 200, r % 2 ? " north" : "",
                                     r % 20000 == 7 ? " pilot" : "");

        return (store_device){.name = odm_arena_fmt(a, "fleet/%03u/%u", r % 500, i),
                              .devid = odm_arena_fmt(a, "IMEI:35%013u", i),
                              .state = r % 1000 == 3   ? STORE_DEVICE_HELD
                                       : r % 1000 == 4 ? STORE_DEVICE_PROVISIONED
                                                       : STORE_DEVICE_ACTIVE,
                              .maker = odm_cstr(makers[r / 7 % 3]),
                              .model = odm_arena_fmt(a, "M%u", r / 7 % 60),
                              .fwv = odm_arena_fmt(a, "%u.%u", r / 11 % 4, r / 13 % 50),
                              .hwv = ODM_STR("B2"),
                              .swv = ODM_STR("linux"),
                              .dmv = ODM_STR("1.3"),
                              .lang = ODM_STR("en"),
                              .tags = tags,
                              .created = 1,
                              .last_contact = 1700000000000 + r % 86400000};
}

static void fill(store *st, unsigned n, bool json)
{
        double began = now_ms();

        for (unsigned i = 0; i < n;) {
                store_batch *b = store_batch_new();
                bench_must(b != NULL, "memory for a batch");
                for (unsigned k = 0; k < TOGETHER && i < n; k++, i++) {
                        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
                        bench_must(op != NULL, "memory for a device");
                        op->device = device_of(store_batch_arena(b), i);
                }
                bench_must(store_write_sync(st, b) == 0, "devices are written");
                store_batch_free(b);
        }
        bench_row(json);
        printf(json ? "{\"what\": \"devices made\", \"n\": %u, \"per_second\": %.0f}"
                    : "%u devices made, %.0f a second\n",
               n, n / (now_ms() - began) * 1e3);
}

/* The pages of one question, one behind the other, and again from the start. */
static void ask(store *st, const char *what, store_device_filter f, bool json)
{
        double took[PAGES], cpu[PAGES], most = 0;
        double total = 0;
        unsigned n = 0;
        size_t devices = 0, ends = 0;
        odm_arena a, kept;

        odm_arena_init(&a, &bench_heap, (size_t)8 << 20);
        odm_arena_init(&kept, &bench_heap, (size_t)8 << 20);
        for (; n < PAGES && total < ENOUGH_MS; n++) {
                store_device_list l;
                double began = now_ms(), cpu_began = bench_now_us();
                bench_must(store_device_find(st, &f, &a, &l) == 0, "a page is read");
                took[n] = now_ms() - began;
                cpu[n] = (bench_now_us() - cpu_began) / 1e3;
                most = took[n] > most ? took[n] : most;
                total += took[n];
                devices += l.n;
                ends += !l.more;
                f.after = l.more ? odm_arena_copy(&kept, l.next) : ODM_ABSENT;
                odm_arena_reset(&a);
        }
        bench_row(json);
        printf(json ? "{\"what\": \"%s\", \"cpu_ms\": %.2f, \"ms\": %.2f, \"most_ms\": %.2f, "
                      "\"devices\": %zu, \"ends\": %zu}"
                    : "%-44s %8.2f %8.2f %8.2f   %5zu devices, %2zu times to the end\n",
               what, bench_median(cpu, n), bench_median(took, n), most, devices, ends);
        odm_arena_done(&a);
        odm_arena_done(&kept);
}

static void usage(void)
{
        printf("usage: bench-lists [--json] FILE [DEVICES]\n"
               "Makes FILE with so many devices (%d) unless it is there, and tells for each\n"
               "question the milliseconds of a page of 100: of the processor and by the clock,\n"
               "the median and the most of pages that follow.\n",
               DEVICES);
}

int main(int argc, char **argv)
{
        static const struct row {
                const char *what;
                store_device_filter f;
        } rows[] = {
                {"all", {.limit = 100}},
                {"from the middle", {.after = {"fleet/250/", 10}}},
                {"a prefix of 2000 devices", {.prefix = {"fleet/250/", 10}}},
                {"a name that is its own prefix", {.prefix = {"fleet/499/9", 11}}},
                {"active (nearly all)", {.states = 1u << STORE_DEVICE_ACTIVE}},
                {"held (1 in 1000)", {.states = 1u << STORE_DEVICE_HELD}},
                {"refused (none)", {.states = 1u << STORE_DEVICE_REFUSED}},
                {"held or refused",
                 {.states = 1u << STORE_DEVICE_HELD | 1u << STORE_DEVICE_REFUSED, .look = LOOK}},
                {"maker (1 in 3)", {.maker = {"Bolt", 4}}},
                {"model (1 in 60)", {.model = {"M17", 3}}},
                {"firmware (1 in 200)", {.fwv = {"2.17", 4}}},
                {"model and firmware", {.model = {"M17", 3}, .fwv = {"2.17", 4}}},
                {"maker and model that exclude each other",
                 {.maker = {"Acme", 4}, .model = {"M1", 2}, .look = LOOK}},
                {"tag of one in two", {.tag = {"north", 5}}},
                {"tag of 200", {.tag = {"site-77", 7}}},
                {"tag of 50", {.tag = {"pilot", 5}}},
                {"tag of one in two, and model", {.tag = {"north", 5}, .model = {"M17", 3}}},
                {"text that many have", {.text = {"acme", 4}, .look = LOOK}},
                {"text of one device id", {.text = {"IMEI:350000000777777", 20}, .look = LOOK}},
                {"text that none has", {.text = {"no such", 7}, .look = LOOK}},
                {"text that none has, to the end", {.text = {"no such", 7}}},
                {"silent for long (1 in 86)", {.contact_before = 1700000001000000, .look = LOOK}},
        };
        bool json = false;
        int n = bench_words(argc, argv, usage, 1, 2, &json);
        unsigned devices =
                n < 2 ? DEVICES : (unsigned)bench_number("DEVICES", argv[2], 1, 100000000);
        bool there = access(argv[1], F_OK) == 0;
        store *st = open_store(argv[1]);

        if (!there)
                fill(st, devices, json);
        if (!json)
                printf("%-44s %8s %8s %8s\n", "milliseconds of a page of 100", "of CPU", "by clock",
                       "most");
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                ask(st, rows[i].what, rows[i].f, json);
        bench_rows_end(json);
        store_close(st);
        return 0;
}
