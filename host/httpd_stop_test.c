/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_stop_test.c - a reply that meets the end of the server, at each place where the thread that
 * replies may lose the processor: linked so that this file sees each lock given back. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd.h"
#include "support.h"

#define PLACES 8        /* locks a reply gives back, at most */
#define PAUSE_US 100000 /* in which the server stops */

static _Thread_local unsigned pause_at; /* the lock after which this thread rests; 0: none */
static atomic_bool paused;

int __real_pthread_mutex_unlock(pthread_mutex_t *m); /* NOLINT: the linker's name */
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m); /* NOLINT */

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m) /* NOLINT */
{
        int rc = __real_pthread_mutex_unlock(m);

        if (pause_at && --pause_at == 0) {
                atomic_store(&paused, true);
                usleep(PAUSE_US);
        }
        return rc;
}

typedef struct reply {
        httpd_req *_Atomic held;
        bool stream;
        unsigned place;
} reply;

static void hold(void *ctx, httpd_req *r)
{
        atomic_store(&((reply *)ctx)->held, r);
}

static void *send_reply(void *arg)
{
        reply *p = arg;
        httpd_req *r = atomic_load(&p->held);

        pause_at = p->place;
        if (p->stream)
                httpd_stream_end(httpd_stream_begin(r, 200, "text/plain", NULL, 0));
        else
                httpd_send_text(r, 200, "late");
        pause_at = 0;
        atomic_store(&paused, true);
        return NULL;
}

static int ask(uint16_t port)
{
        static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(send(fd, text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
        return fd;
}

static void stop_meanwhile(bool stream, unsigned place)
{
        reply p = {.stream = stream, .place = place};
        httpd *h = NULL;
        httpd_listener l;
        httpd_opt opt;
        pthread_t t;
        int fd;

        httpd_opt_init(&opt);
        httpd_listener_init(&l);
        l.app = (httpd_app){.handle = hold, .ctx = &p};
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &l.addr), 0);
        assert_int_equal(httpd_start(&opt, &l, 1, &h, NULL), 0);
        atomic_store(&paused, false);
        fd = ask(httpd_port(h, 0));
        while (!atomic_load(&p.held))
                usleep(1000);
        usleep(5000); /* it is kept, most likely; else there is less to see */
        assert_int_equal(pthread_create(&t, NULL, send_reply, &p), 0);
        while (!atomic_load(&paused))
                usleep(1000);
        httpd_stop(h, 0);
        pthread_join(t, NULL);
        close(fd);
}

static void a_reply_may_meet_the_end(void **state)
{
        (void)state;
        for (unsigned place = 1; place <= PLACES; place++)
                stop_meanwhile(false, place);
}

static void a_stream_may_meet_the_end(void **state)
{
        (void)state;
        for (unsigned place = 1; place <= PLACES; place++)
                stop_meanwhile(true, place);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_reply_may_meet_the_end),
                cmocka_unit_test(a_stream_may_meet_the_end),
        };

        return RUN_TESTS(tests);
}
