/* SPDX-License-Identifier: Apache-2.0 */
/* bench-post - POSTs of one size to an echo, as devices would send their messages, or connections
 * that are opened, used once and then held. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "http_client.h"
#include "measure.h"

#define SIZE_MAX_BODY 65536
#define NUMBER_MAX 100000000
#define OPENING 32 /* connections to be held that are opened at one time */

struct load;

typedef struct line {
        struct load *l;
        http_client *http;
        uint64_t sent;
} line;

struct load {
        loop *loop;
        http_client_opt opt;
        const char *url;
        odm_str body;
        struct line *lines;
        uint64_t wanted, next, answered, each;
        bool resume, hold;
        http_client_counts counts;
        const char *why;
};

static void next(line *k);

static void count(struct load *l, http_client *c)
{
        http_client_counts n = http_client_counted(c);

        l->counts.connections += n.connections;
        l->counts.handshakes += n.handshakes;
        l->counts.resumed += n.resumed;
}

static void fail(struct load *l, const char *why)
{
        if (!l->why)
                fprintf(stderr, "bench-post: %s\n", why);
        l->why = "failed";
        loop_stop(l->loop);
}

static void on_answer(void *ctx, const http_reply *r)
{
        line *k = ctx;
        struct load *l = k->l;

        if (r->rc < 0 || r->status / 100 != 2) {
                fail(l, r->rc < 0 ? r->why : "a status that is no success");
                return;
        }
        if (++l->answered == l->wanted) {
                loop_stop(l->loop);
                return;
        }
        if (l->hold) {
                if (l->next < l->wanted)
                        next(&l->lines[l->next]);
                return;
        }
        if (l->each && ++k->sent % l->each == 0) {
                http_client_close(k->http);
                if (!l->resume) {
                        count(l, k->http);
                        http_client_free(k->http);
                        k->http = NULL;
                }
        }
        next(k);
}

static void next(line *k)
{
        struct load *l = k->l;
        const http_field f[] = {
                {ODM_STR("Content-Type"), ODM_STR("application/vnd.syncml.dm+wbxml")},
                {ODM_STR("Accept"), ODM_STR("application/vnd.syncml.dm+wbxml")}};
        const http_request r = {.method = l->body.n ? "POST" : "GET",
                                .url = odm_cstr(l->url),
                                .fields = f,
                                .n_fields = 2,
                                .body = l->body.n ? l->body : ODM_ABSENT};

        if (l->next >= l->wanted)
                return;
        l->next++;
        if ((!k->http && http_client_new(l->loop, &l->opt, &k->http) < 0) ||
            http_client_send(k->http, &r, on_answer, k) < 0)
                fail(l, "a request could not be sent");
}

static void hold(void)
{
        char c;

        printf("held\n");
        fflush(stdout);
        while (read(0, &c, 1) > 0)
                ;
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(struct load *l, uint64_t parallel)
{
        line *k = calloc(parallel, sizeof *k);
        double began = now();
        int rc = k ? 0 : -1;

        l->lines = k;
        l->hold = l->wanted == parallel && l->each == 0;
        for (uint64_t i = 0; k && i < parallel; i++)
                k[i].l = l;
        for (uint64_t i = 0; k && i < parallel && (!l->hold || i < OPENING); i++)
                next(&k[i]);
        if (rc == 0)
                rc = loop_run(l->loop);
        for (uint64_t i = 0; k && i < parallel; i++)
                if (k[i].http)
                        count(l, k[i].http);
        if (rc == 0 && !l->why)
                printf("%.4f %llu %llu\n", now() - began, (unsigned long long)l->counts.handshakes,
                       (unsigned long long)l->counts.resumed);
        if (rc == 0 && !l->why && l->hold)
                hold();
        for (uint64_t i = 0; k && i < parallel; i++)
                http_client_free(k[i].http);
        free(k);
        return rc < 0 || l->why ? 1 : 0;
}

static void usage(void)
{
        printf("usage: bench-post URL SIZE REQUESTS PARALLEL EACH [CA [full|resume]]\n"
               "Sends REQUESTS POSTs of SIZE octets in all (GETs with 0), PARALLEL at one time;\n"
               "a connection ends after EACH of them (0: never).  Prints the seconds it took,\n"
               "and how many TLS handshakes there were and were resumed.  With REQUESTS equal to\n"
               "PARALLEL and EACH 0 it prints \"held\" then, and ends with its input.\n");
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                uint64_t least, most;
        } numbers[] = {{"SIZE", 0, SIZE_MAX_BODY},
                       {"REQUESTS", 1, NUMBER_MAX},
                       {"PARALLEL", 1, NUMBER_MAX},
                       {"EACH", 0, NUMBER_MAX}};
        static char body[SIZE_MAX_BODY];
        int words = bench_words(argc, argv, usage, 5, 7, NULL);
        struct load l = {.url = argv[1]};
        struct rlimit files;
        uint64_t n[ODM_COUNT(numbers)];

        for (size_t i = 0; i < ODM_COUNT(numbers); i++)
                n[i] = bench_number(numbers[i].name, argv[i + 2], numbers[i].least,
                                    numbers[i].most);
        l.resume = words > 6 && strcmp(argv[7], "resume") == 0;
        if (words > 6 && !l.resume && strcmp(argv[7], "full") != 0)
                bench_refuse("%s is neither full nor resume", argv[7]);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &files);
        }
        memset(body, 'x', sizeof body);
        l.body = (odm_str){body, (size_t)n[0]};
        l.wanted = n[1];
        l.each = n[3];
        http_client_opt_init(&l.opt);
        l.opt.idle_ms = 3600000;
        tls_cred *cred = NULL;
        diag d = {{0}};
        if (words > 5) {
                const tls_cred_opt co = {.ca_file = argv[6]};
                if (tls_cred_new(&co, &cred, &d) < 0) {
                        fprintf(stderr, "bench-post: %s\n", d.text);
                        return 1;
                }
        }
        l.opt.tls = cred;
        if (loop_new(&l.loop) < 0)
                return 1;
        int rc = run(&l, n[2]);
        loop_free(l.loop);
        tls_cred_free(cred);
        return rc;
}
