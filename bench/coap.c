/* SPDX-License-Identifier: Apache-2.0 */
/* coap.c - CoAP requests a second: ours beside a bare server of libcoap, in one run.
 *
 * A server is a process of its own that answers a GET of "x" with one octet.  This process has as
 * many sockets as there are sessions, and keeps up to so many requests under way, each socket in
 * its turn.  What counts is processor time of the server: the asking costs the same for all. */
#include <coap3/coap.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coap.h"
#include "measure.h"

#define UNDER_WAY 32
#define SECONDS 3 /* of each row */
#define SECONDS_MOST 3600
#define DEVICES_MOST 65000

/* ---- servers ---------------------------------------------------------------------------------------- */

static void on_libcoap(coap_resource_t *r, coap_session_t *s, const coap_pdu_t *request,
                       const coap_string_t *query, coap_pdu_t *response)
{
        (void)r;
        (void)s;
        (void)request;
        (void)query;
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTENT);
        coap_add_data(response, 1, (const uint8_t *)"1");
}

static void serve_libcoap(uint16_t port)
{
        coap_address_t at;
        coap_context_t *c;
        coap_resource_t *r;

        coap_startup();
        coap_set_log_level(LOG_EMERG);
        coap_address_init(&at);
        at.size = sizeof at.addr.sin;
        at.addr.sin.sin_family = AF_INET;
        at.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        at.addr.sin.sin_port = htons(port);
        c = coap_new_context(NULL);
        if (!c || !coap_new_endpoint(c, &at, COAP_PROTO_UDP))
                _exit(1);
        coap_context_set_max_idle_sessions(c, 0);
        r = coap_resource_init(coap_make_str_const("x"), 0);
        coap_register_request_handler(r, COAP_REQUEST_GET, on_libcoap);
        coap_add_resource(c, r);
        for (;;)
                coap_io_process(c, COAP_IO_WAIT);
}

static void on_ours(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        co_msg a;

        (void)ctx;
        (void)p;
        co_msg_init(&a, odm_str_is(m->path, "x") ? CO_CONTENT : CO_NOT_FOUND);
        a.body = ODM_STR("1");
        co_answer(r, &a);
}

static void serve_ours(uint16_t port)
{
        static const co_app app = {.request = on_ours};
        co_setup s;
        co_end *e;
        loop *l;

        co_setup_init(&s);
        s.app = &app;
        if (loop_new(&l) < 0 || net_addr_parse("127.0.0.1", port, &s.at) < 0 ||
            co_open(l, &s, &e, NULL) < 0)
                _exit(1);
        (void)!loop_run(l);
        _exit(0);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

#define LOCATION 14 /* octets of a registration's name, as gremd makes them */

typedef struct crowd {
        int *fd;
        char (*location)[LOCATION]; /* of registrations; NULL: a bare server is asked */
        bool registering;
        size_t n, next;
        int ep;
        uint16_t mid;
        uint64_t answered;
} crowd;

static int crowd_open(crowd *c, size_t n, uint16_t port)
{
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *c = (crowd){.n = n, .fd = calloc(n, sizeof(int)), .ep = epoll_create1(0)};
        for (size_t i = 0; c->fd && i < n; i++) {
                struct epoll_event e = {.events = EPOLLIN, .data.fd = 0};

                c->fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
                e.data.fd = c->fd[i];
                if (c->fd[i] < 0 || connect(c->fd[i], (struct sockaddr *)&to, sizeof to) < 0 ||
                    epoll_ctl(c->ep, EPOLL_CTL_ADD, c->fd[i], &e) < 0)
                        return -1;
        }
        return c->fd ? 0 : -1;
}

static void crowd_close(crowd *c)
{
        for (size_t i = 0; i < c->n; i++)
                close(c->fd[i]);
        close(c->ep);
        free(c->fd);
        free(c->location);
}

static size_t write_get(uint8_t *d)
{
        static const uint8_t get[] = {0x41, 1, 0, 0, 7, 0xb1, 'x'};

        memcpy(d, get, sizeof get);
        return sizeof get;
}

/* POST /rd?ep=bench-N&lwm2m=1.0 with </3/0>; the token is the socket's number. */
static size_t write_register(uint8_t *d, size_t i)
{
        static const char head[] = "\xb2rd\x11\x28\x3d";
        char ep[32];
        size_t n = 4, len = (size_t)snprintf(ep, sizeof ep, "ep=bench-%06zu", i);

        d[0] = 0x42;
        d[1] = CO_POST;
        d[n++] = (uint8_t)(i >> 8);
        d[n++] = (uint8_t)i;
        memcpy(d + n, head, sizeof head - 1);
        n += sizeof head - 1;
        d[n++] = (uint8_t)(len - 13);
        memcpy(d + n, ep, len);
        n += len;
        memcpy(d + n, "\x09lwm2m=1.0\xff</3/0>", 17);
        return n + 17;
}

/* POST /rd/LOCATION */
static size_t write_update(uint8_t *d, size_t i, const char location[LOCATION])
{
        size_t n = 4;

        d[0] = 0x42;
        d[1] = CO_POST;
        d[n++] = (uint8_t)(i >> 8);
        d[n++] = (uint8_t)i;
        memcpy(d + n, "\xb2rd\x0d\x01", 5);
        n += 5;
        memcpy(d + n, location, LOCATION);
        return n + LOCATION;
}

static void ask(crowd *c)
{
        uint8_t d[128];
        size_t n;

        if (!c->location)
                n = write_get(d);
        else if (c->registering)
                n = write_register(d, c->next);
        else
                n = write_update(d, c->next, c->location[c->next]);
        c->mid++;
        d[2] = (uint8_t)(c->mid >> 8);
        d[3] = (uint8_t)c->mid;
        if (send(c->fd[c->next], d, n, 0) < 0 && errno != ECONNREFUSED)
                perror("send");
        c->next = (c->next + 1) % c->n;
}

/* A request of the gateway: there is nothing here. */
static void deny(int fd, uint8_t *d, size_t n)
{
        size_t token = d[0] & 15;

        if (n < 4 + token)
                return;
        d[0] = (uint8_t)(0x60 | token);
        d[1] = CO_NOT_FOUND;
        if (send(fd, d, 4 + token, 0) < 0 && errno != ECONNREFUSED)
                perror("send");
}

/* True: it is the answer to what was asked. */
static bool is_answer(crowd *c, int fd, uint8_t *d, size_t n)
{
        size_t i;

        if (!c->location)
                return true;
        if (n >= 4 && d[1] > 0 && d[1] < 32) {
                deny(fd, d, n);
                return false;
        }
        i = n >= 6 ? (size_t)(d[4] << 8 | d[5]) : c->n;
        if (i < c->n && d[1] == CO_CREATED && n >= 11 + LOCATION)
                memcpy(c->location[i], d + 11, LOCATION);
        return n >= 6 && d[1] >= 64;
}

/* Takes what is there; what is lost is made up for by a new one. */
static void hear(crowd *c, int ms)
{
        struct epoll_event e[UNDER_WAY];
        int n = epoll_wait(c->ep, e, UNDER_WAY, ms);
        uint8_t buf[128];

        if (n == 0)
                ask(c);
        for (int i = 0; i < n; i++) {
                ssize_t got = recv(e[i].data.fd, buf, sizeof buf, 0);

                if (got > 0 && is_answer(c, e[i].data.fd, buf, (size_t)got)) {
                        c->answered++;
                        ask(c);
                }
        }
}

static double cpu_of(pid_t pid)
{
        char path[64], buf[512];
        unsigned long user, sys;
        FILE *f;
        size_t n;
        const char *p;

        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        f = fopen(path, "r");
        n = f ? fread(buf, 1, sizeof buf - 1, f) : 0;
        if (f)
                fclose(f);
        buf[n] = 0;
        p = strrchr(buf, ')');
        if (!p ||
            sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
                return 0;
        return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A port nobody has just now. */
static uint16_t free_port(void)
{
        struct sockaddr_in a = {.sin_family = AF_INET};
        socklen_t n = sizeof a;
        int fd = socket(AF_INET, SOCK_DGRAM, 0);

        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
            getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
                perror("bench-coap");
                exit(1);
        }
        close(fd);
        return ntohs(a.sin_port);
}

typedef struct figure {
        double per_cpu, per_clock;
} figure;

/* One server with so many sessions; requests a second of its processor time. */
static figure measure(void (*serve)(uint16_t port), size_t sessions, double seconds)
{
        uint16_t port = free_port();
        pid_t pid = fork();
        crowd c;
        double t0, c0, cpu;
        figure f = {0, 0};

        if (pid == 0) {
                serve(port);
                _exit(0);
        }
        usleep(200000); /* it opens its socket; what is lost until then is asked again */
        if (pid < 0 || crowd_open(&c, sessions, port) < 0) {
                perror("bench-coap");
                exit(1);
        }
        for (int i = 0; i < UNDER_WAY; i++)
                ask(&c);
        while (c.answered < sessions + UNDER_WAY) /* each has a session now */
                hear(&c, 200);
        c.answered = 0;
        t0 = now();
        c0 = cpu_of(pid);
        while (now() - t0 < seconds)
                hear(&c, 200);
        cpu = cpu_of(pid) - c0;
        f.per_clock = (double)c.answered / (now() - t0);
        f.per_cpu = cpu > 0 ? (double)c.answered / cpu : 0;
        crowd_close(&c);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return f;
}

static long memory_of(pid_t pid)
{
        char path[64];
        long pages = 0;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
        f = fopen(path, "r");
        if (!f || fscanf(f, "%*d %ld", &pages) != 1)
                pages = 0;
        if (f)
                fclose(f);
        return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int gateway(pid_t pid, uint16_t port, size_t devices, double seconds, bool json)
{
        long before = memory_of(pid);
        double t0, c0, cpu, took;
        crowd c;

        if (crowd_open(&c, devices, port) < 0)
                return 1;
        c.location = calloc(devices, sizeof *c.location);
        if (!c.location)
                return 1;
        c.registering = true;
        t0 = now();
        for (int i = 0; i < UNDER_WAY; i++)
                ask(&c);
        for (size_t i = 0; i < devices; i += c.location[i][0] != 0)
                hear(&c, 200);
        took = now() - t0;
        c.registering = false;
        for (t0 = now(); now() - t0 < 3;) /* what the gateway asks of each */
                hear(&c, 200);
        c.answered = 0;
        t0 = now();
        c0 = cpu_of(pid);
        while (now() - t0 < seconds)
                hear(&c, 200);
        cpu = cpu_of(pid) - c0;
        printf(json ? "{\"devices\": %zu, \"registered_s\": %.1f, "
                      "\"updates_per_cpu_second\": %.0f, \"updates_per_second\": %.0f, "
                      "\"before_kb\": %ld, \"now_kb\": %ld}\n"
                    : "%zu devices registered in %.1f s\n%.0f updates/s of processor, %.0f/s; "
                      "%ld kB before, %ld kB now\n",
               devices, took, cpu > 0 ? (double)c.answered / cpu : 0,
               (double)c.answered / (now() - t0), before, memory_of(pid));
        crowd_close(&c);
        return 0;
}

static int compare(double seconds, bool json)
{
        static const struct row {
                const char *name;
                void (*serve)(uint16_t port);
                size_t sessions;
        } rows[] = {
                {"libcoap", serve_libcoap, 64},
                {"ours", serve_ours, 64},
                {"libcoap", serve_libcoap, 5000},
                {"ours", serve_ours, 5000},
        };
        double first = 0;

        if (!json)
                printf("%-10s %9s %22s %16s %8s\n", "server", "sessions", "requests/s of processor",
                       "requests/s", "ratio");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                figure f = measure(rows[i].serve, rows[i].sessions, seconds);

                if (i == 0)
                        first = f.per_cpu;
                bench_row(json);
                printf(json ? "{\"server\": \"%s\", \"sessions\": %zu, \"per_cpu_second\": %.0f, "
                              "\"per_second\": %.0f, \"ratio\": %.2f}"
                            : "%-10s %9zu %22.0f %16.0f %8.2f\n",
                       rows[i].name, rows[i].sessions, f.per_cpu, f.per_clock,
                       first > 0 ? f.per_cpu / first : 0);
        }
        bench_rows_end(json);
        return 0;
}

static void usage(void)
{
        printf("usage: bench-coap [--json] [SECONDS]\n"
               "           GETs of a server of libcoap and one of ours; SECONDS of each row (%d)\n"
               "       bench-coap --gateway [--json] PID PORT DEVICES [SECONDS]\n"
               "           so many devices register with a gateway that runs, and update their\n"
               "           registrations\n",
               SECONDS);
}

static double seconds_of(const char *text)
{
        char *end;
        double s = strtod(text, &end);

        if (*end || !(s > 0 && s <= SECONDS_MOST))
                bench_refuse("SECONDS: %s is no number above 0, to %d", text, SECONDS_MOST);
        return s;
}

int main(int argc, char **argv)
{
        struct rlimit files = {16384, 16384};
        bool is_gateway = argc > 1 && strcmp(argv[1], "--gateway") == 0;
        char **words = argv + is_gateway;
        bool json = false;
        int n;

        words[0] = argv[0];
        n = bench_words(argc - is_gateway, words, usage, is_gateway ? 3 : 0, is_gateway ? 4 : 1,
                        &json);
        double seconds = n == 1 || n == 4 ? seconds_of(words[n]) : SECONDS;
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                perror("setrlimit");
        if (!is_gateway)
                return compare(seconds, json);
        return gateway((pid_t)bench_number("PID", words[1], 1, INT32_MAX),
                       (uint16_t)bench_number("PORT", words[2], 1, UINT16_MAX),
                       (size_t)bench_number("DEVICES", words[3], 1, DEVICES_MOST), seconds, json);
}
