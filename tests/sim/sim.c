/* SPDX-License-Identifier: Apache-2.0 */
/* Simulation: client and server engines in one process, thousands of sessions on a clock of
 * ours.
 *
 *     sim [--sessions N] [--seconds T] [--seed S] [--lives N] [--verbose]
 *
 * A life is one device and one server over a number of sessions; its seed decides all of it. */
#include <time.h>

#include "world.h"

static struct {
        uint64_t sessions, seconds, lives, seed;
        bool verbose;
} arg = {.sessions = 10000, .seed = 1};

static const odm_codec *const codecs[] = {&odm_codec_xml, &odm_codec_wbxml};

static void show(const char *what, const counts *n)
{
        print_message("# %s: %llu sessions, %llu ended as they should, %llu jobs done\n", what,
                      (unsigned long long)n->sessions, (unsigned long long)n->finished,
                      (unsigned long long)n->jobs_done);
}

static void show_faults(const counts *n)
{
        const struct {
                uint64_t n;
                const char *what;
        } list[] = {
                {n->lost, "messages lost"},
                {n->cut, "cut"},
                {n->repeated, "repeated"},
                {n->late, "late"},
                {n->crossed, "old ones in their place"},
                {n->device_down, "crashes of the device"},
                {n->server_down, "of the server"},
                {n->reloaded, "moves to another process"},
                {n->jobs_unknown, "jobs whose end nobody knows"},
        };

        for (size_t i = 0; i < ODM_COUNT(list); i++)
                print_message("%s%llu %s%s", i ? ", " : "# ", (unsigned long long)list[i].n,
                              list[i].what, i + 1 == ODM_COUNT(list) ? "\n" : "");
}

/* ---- without faults: everything is done, and done right ---------------------------------- */

struct manner {
        const char *why;
        odm_auth_type type, server_type;
        bool every_message, split_atomic;
        uint32_t device_max, server_max;
};

static const struct manner manners[] = {
        {"md5 for the session", ODM_AUTH_MD5, ODM_AUTH_MD5, false, false, 65536, 65536},
        {"md5 for each message", ODM_AUTH_MD5, ODM_AUTH_MD5, true, false, 65536, 65536},
        {"mac", ODM_AUTH_MAC, ODM_AUTH_MAC, true, false, 65536, 65536},
        {"basic over TLS", ODM_AUTH_BASIC, ODM_AUTH_NONE, false, false, 65536, 65536},
        {"the transport knows both", ODM_AUTH_NONE, ODM_AUTH_NONE, false, false, 65536, 65536},
        {"small messages for the device", ODM_AUTH_MD5, ODM_AUTH_MD5, false, false, 4096, 65536},
        {"small messages for both", ODM_AUTH_MD5, ODM_AUTH_MD5, true, false, 4096, 4096},
        {"a device without Atomic", ODM_AUTH_MD5, ODM_AUTH_MD5, false, true, 65536, 65536},
};

static void set_manner(world *w, const struct manner *m)
{
        w->type = m->type;
        w->server_type = m->server_type;
        w->every_message = m->every_message;
        w->split_atomic = m->split_atomic;
        w->device_max = m->device_max;
        w->server_max = m->server_max;
}

static bool suits(const world *w, job_kind k)
{
        return !(w->split_atomic && (k == JOB_ATOMIC || k == JOB_ATOMIC_FAILS));
}

static void clean_sessions(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(manners); i++)
                for (size_t c = 0; c < ODM_COUNT(codecs); c++) {
                        world w;
                        world_open(&w, arg.seed + i);
                        w.verbose = arg.verbose;
                        w.codec = codecs[c];
                        set_manner(&w, &manners[i]);
                        world_start(&w);
                        for (int session = 0; session < 3; session++) {
                                for (int k = 0; k < JOB_KINDS; k++)
                                        if (suits(&w, (job_kind)k))
                                                sim_make(&w, (job_kind)k);
                                if (w.split_atomic)
                                        sim_make(&w, JOB_ATOMIC);
                                agent_alert(&w);
                                agent_session(&w);
                                watch_end(&w);
                        }
                        show(manners[i].why, &w.n);
                        world_close(&w);
                }
}

/* ---- 5 MB both ways in messages of 16 kB ----------------------------------------------------- */

static void large_there_and_back(const odm_codec *codec, uint32_t message, size_t octets)
{
        char what[80];
        world w;

        world_open(&w, arg.seed);
        w.codec = codec;
        w.device_max = w.server_max = message;
        w.large = octets;
        world_start(&w);
        sim_make(&w, JOB_LARGE);
        agent_session(&w);
        assert_int_equal(w.n.jobs_done, 1);
        (void)snprintf(what, sizeof what, "%zu kB there and back in %s messages of %u octets",
                       octets >> 10, odm_codec_name(codec), (unsigned)message);
        show(what, &w.n);
        world_close(&w);
}

static void large_objects(void **state)
{
        (void)state;
        for (size_t c = 0; c < ODM_COUNT(codecs); c++) {
                large_there_and_back(codecs[c], 16384, 5u << 20);
                large_there_and_back(codecs[c], 4096, 300u << 10);
                large_there_and_back(codecs[c], 2048, 300u << 10);
        }
}

/* ---- a bad network, and both sides falling over ----------------------------------------- */

static void add(counts *sum, const counts *n)
{
        const uint64_t *from = (const uint64_t *)n;
        uint64_t *to = (uint64_t *)sum;

        for (size_t i = 0; i < sizeof *n / sizeof *to; i++)
                to[i] += from[i];
}

/* When the weather is fine again, all that may be done gets done. */
static void settle(world *w)
{
        w->faults = 0;
        net_calm(w);
        host_lose_all(w);
        w->settling = true; /* the nonces may still have to find each other */
        agent_session(w);
        w->settling = false;
        agent_session(w);
        watch_end(w);
        watch_disk(w);
}

static void live(uint64_t seed, counts *sum)
{
        world w;

        world_open(&w, seed);
        w.verbose = arg.verbose;
        w.codec = codecs[roll(&w, 2)];
        set_manner(&w, &manners[roll(&w, ODM_COUNT(manners))]);
        w.split_atomic = false;
        w.keeps = roll(&w, 2) == 0;
        w.large = 3000 + (size_t)roll(&w, 30000);
        w.faults = (unsigned)roll(&w, 4) * 8;
        world_start(&w);
        for (int session = 0; session < 10; session++) {
                for (uint64_t n = roll(&w, 8); n > 0; n--)
                        sim_make(&w, (job_kind)roll(&w, JOB_KINDS));
                if (roll(&w, 3) == 0)
                        agent_alert(&w);
                agent_session(&w);
        }
        settle(&w);
        add(sum, &w.n);
        world_close(&w);
}

static bool wants_more(uint64_t lives, const counts *sum, time_t began)
{
        if (arg.lives)
                return lives < arg.lives;
        if (arg.seconds && time(NULL) - began >= (time_t)arg.seconds)
                return false;
        return sum->sessions < arg.sessions;
}

static void bad_network(void **state)
{
        const time_t began = time(NULL);
        counts sum = {0};
        uint64_t shown = 0;

        (void)state;
        for (uint64_t n = 0; wants_more(n, &sum, began); n++) {
                live(arg.seed + n, &sum);
                if (sum.sessions / 100000 > shown) {
                        shown = sum.sessions / 100000;
                        print_message("# %llu sessions\n", (unsigned long long)sum.sessions);
                }
        }
        show("bad network", &sum);
        show_faults(&sum);
        assert_true(sum.finished > sum.sessions / 4);
}

/* False: there is one nobody knows. */
static bool read_arguments(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                bool more = i + 1 < argc;
                if (strcmp(argv[i], "--verbose") == 0)
                        arg.verbose = true;
                else if (strcmp(argv[i], "--sessions") == 0 && more)
                        arg.sessions = strtoull(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--seconds") == 0 && more)
                        arg.seconds = strtoull(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--lives") == 0 && more)
                        arg.lives = strtoull(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0 && more)
                        arg.seed = strtoull(argv[++i], NULL, 10);
                else
                        return false;
        }
        print_message("# seed %llu\n", (unsigned long long)arg.seed);
        return true;
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clean_sessions),
                cmocka_unit_test(large_objects),
                cmocka_unit_test(bad_network),
        };

        if (!read_arguments(argc, argv)) {
                fputs("sim [--sessions N] [--seconds T] [--seed S] [--lives N] [--verbose]\n",
                      stderr);
                return 2;
        }
        if (arg.lives) /* to see a life again, no other suite is wanted */
                cmocka_set_test_filter("bad_network");
        return RUN_TESTS(tests);
}
