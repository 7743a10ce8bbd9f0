/* SPDX-License-Identifier: Apache-2.0 */
/* Simulation: client and server engines in one process, thousands of sessions on a clock of
 * ours.
 *
 *     sim [--sessions N] [--seed S] [--lives N] [--verbose]
 *
 * A life is one device and one server over a number of sessions; its seed decides all of it. */
#include "world.h"

static struct {
        unsigned sessions, lives;
        uint64_t seed;
        bool verbose;
} arg = {.sessions = 2000, .seed = 1};

static const odm_codec *const codecs[] = {&odm_codec_xml, &odm_codec_wbxml};

static void show(const char *what, const world *w)
{
        print_message("# %s: %u sessions, %u ended as they should, %u jobs done, %u messages lost, "
                      "%u crashes\n",
                      what, w->sessions, w->finished, w->jobs_done, w->lost, w->crashes);
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
                                sim_session(&w);
                                if (sim_left(&w))
                                        wrong(&w, "%s: jobs are left", manners[i].why);
                        }
                        show(manners[i].why, &w);
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
        sim_session(&w);
        assert_int_equal(w.jobs_done, 1);
        (void)snprintf(what, sizeof what, "%zu kB there and back in %s messages of %u octets",
                       octets >> 10, odm_codec_name(codec), (unsigned)message);
        show(what, &w);
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

/* ---- a bad network, and both sides falling over ------------------------------------------------
 */

static void live(uint64_t seed, world *sum)
{
        world w;

        world_open(&w, seed);
        w.verbose = arg.verbose;
        w.codec = codecs[roll(&w, 2)];
        set_manner(&w, &manners[roll(&w, ODM_COUNT(manners))]);
        w.split_atomic = false;
        w.large = 3000 + (size_t)roll(&w, 30000);
        w.faults = (unsigned)roll(&w, 4) * 8;
        world_start(&w);
        for (int session = 0; session < 10; session++) {
                for (uint64_t n = roll(&w, 8); n > 0; n--)
                        sim_make(&w, (job_kind)roll(&w, JOB_KINDS));
                sim_session(&w);
        }
        w.faults = 0; /* when the weather is fine again, all that may be done gets done */
        host_lose_session(&w);
        w.faults = 1; /* the nonces may still have to find each other */
        sim_session(&w);
        sim_session(&w);
        sum->sessions += w.sessions;
        sum->finished += w.finished;
        sum->jobs_done += w.jobs_done;
        sum->lost += w.lost;
        sum->crashes += w.crashes;
        world_close(&w);
}

static void bad_network(void **state)
{
        world sum = {0};

        (void)state;
        for (uint64_t n = 0; arg.lives ? n < arg.lives : sum.sessions < arg.sessions; n++)
                live(arg.seed + n, &sum);
        show("bad network", &sum);
        assert_true(sum.finished > sum.sessions / 4);
}

static void read_arguments(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                bool more = i + 1 < argc;
                if (strcmp(argv[i], "--verbose") == 0)
                        arg.verbose = true;
                else if (strcmp(argv[i], "--sessions") == 0 && more)
                        arg.sessions = (unsigned)strtoul(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--lives") == 0 && more)
                        arg.lives = (unsigned)strtoul(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--seed") == 0 && more)
                        arg.seed = strtoull(argv[++i], NULL, 10);
                else
                        print_message("# unknown argument %s\n", argv[i]);
        }
        print_message("# seed %llu\n", (unsigned long long)arg.seed);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clean_sessions),
                cmocka_unit_test(large_objects),
                cmocka_unit_test(bad_network),
        };

        read_arguments(argc, argv);
        return RUN_TESTS(tests);
}
