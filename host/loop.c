/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - epoll, a heap of timers, a signalfd and an eventfd; see loop.h.
 *
 * A callback may remove a watch whose event was already fetched in the same round.  So the
 * batch is kept where loop_io_del() can see it, and a removed watch is struck out of it. */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define SIGNALS_MAX 8

typedef struct posted {
        struct posted *next;
        void (*fn)(void *ctx);
        void *ctx;
} posted;

struct loop {
        int ep;
        _Atomic bool stop;
        struct epoll_event batch[BATCH];
        int batch_n;

        loop_timer **heap;
        size_t heap_n, heap_cap;

        loop_io wake; /* eventfd */
        pthread_mutex_t lock;
        posted *first, **last;

        loop_io signals; /* signalfd, fd -1 until asked for */
        sigset_t set;
        struct {
                int signo;
                void (*fn)(void *ctx, int signo);
                void *ctx;
        } on_signal[SIGNALS_MAX];
        size_t n_signals;
};

static int64_t skipped; /* ms */

void loop_skip(int64_t ms)
{
        skipped += ms;
}

/* Milliseconds of a clock. */
static int64_t read_clock(clockid_t id)
{
        struct timespec ts;

        clock_gettime(id, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + skipped;
}

odm_time loop_now(void)
{
        return (odm_time){read_clock(CLOCK_BOOTTIME)};
}

int64_t loop_wall_ms(void)
{
        return read_clock(CLOCK_REALTIME);
}

odm_wall loop_wall(void)
{
        return (odm_wall){loop_wall_ms() / 1000};
}

/* ---- descriptors --------------------------------------------------------------- */

static uint32_t to_epoll(unsigned events)
{
        return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) |
               (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static unsigned from_epoll(uint32_t e)
{
        unsigned events = 0;

        if (e & EPOLLIN)
                events |= LOOP_READ;
        if (e & EPOLLOUT)
                events |= LOOP_WRITE;
        if (e & (EPOLLHUP | EPOLLERR))
                events |= LOOP_HUP;
        return events;
}

int loop_io_add(loop *l, loop_io *io, unsigned events)
{
        struct epoll_event e = {.events = to_epoll(events), .data.ptr = io};

        assert(!io->in && io->fn);
        if (epoll_ctl(l->ep, EPOLL_CTL_ADD, io->fd, &e) < 0)
                return errno == ENOMEM || errno == ENOSPC ? ODM_ENOMEM : ODM_EIO;
        io->in = l;
        io->events = events;
        return 0;
}

int loop_io_set(loop_io *io, unsigned events)
{
        struct epoll_event e = {.events = to_epoll(events), .data.ptr = io};

        assert(io->in);
        if (io->events == events)
                return 0;
        if (epoll_ctl(io->in->ep, EPOLL_CTL_MOD, io->fd, &e) < 0)
                return ODM_EIO;
        io->events = events;
        return 0;
}

void loop_io_del(loop_io *io)
{
        loop *l = io->in;

        if (!l)
                return;
        epoll_ctl(l->ep, EPOLL_CTL_DEL, io->fd, NULL);
        for (int i = 0; i < l->batch_n; i++)
                if (l->batch[i].data.ptr == io)
                        l->batch[i].data.ptr = NULL;
        io->in = NULL;
}

/* ---- timers: a binary heap by due time ------------------------------------------- */

static void heap_put(loop *l, size_t at, loop_timer *t)
{
        l->heap[at] = t;
        t->at = at;
}

static void heap_up(loop *l, size_t at)
{
        loop_timer *t = l->heap[at];

        while (at > 0 && l->heap[(at - 1) / 2]->due.ms > t->due.ms) {
                heap_put(l, at, l->heap[(at - 1) / 2]);
                at = (at - 1) / 2;
        }
        heap_put(l, at, t);
}

static void heap_down(loop *l, size_t at)
{
        loop_timer *t = l->heap[at];

        for (;;) {
                size_t kid = 2 * at + 1;
                if (kid >= l->heap_n)
                        break;
                if (kid + 1 < l->heap_n && l->heap[kid + 1]->due.ms < l->heap[kid]->due.ms)
                        kid++;
                if (l->heap[kid]->due.ms >= t->due.ms)
                        break;
                heap_put(l, at, l->heap[kid]);
                at = kid;
        }
        heap_put(l, at, t);
}

void loop_timer_stop(loop_timer *t)
{
        loop *l = t->in;
        loop_timer *moved;

        if (!l)
                return;
        assert(l->heap[t->at] == t);
        t->in = NULL;
        moved = l->heap[--l->heap_n];
        if (moved == t)
                return;
        heap_put(l, t->at, moved);
        heap_up(l, moved->at);
        heap_down(l, moved->at);
}

int loop_timer_set(loop *l, loop_timer *t, odm_time due)
{
        loop_timer_stop(t);
        if (due.ms == ODM_NEVER.ms)
                return 0;
        if (l->heap_n == l->heap_cap) {
                size_t cap = l->heap_cap ? 2 * l->heap_cap : 16;
                loop_timer **grown = realloc(l->heap, cap * sizeof(loop_timer *));
                if (!grown)
                        return ODM_ENOMEM;
                l->heap = grown;
                l->heap_cap = cap;
        }
        t->in = l;
        t->due = due;
        heap_put(l, l->heap_n++, t);
        heap_up(l, t->at);
        return 0;
}

static void run_timers(loop *l)
{
        odm_time now = loop_now();

        while (l->heap_n && odm_time_reached(now, l->heap[0]->due)) {
                loop_timer *t = l->heap[0];
                loop_timer_stop(t);
                t->fn(t->ctx);
        }
}

static int wait_ms(const loop *l, int most)
{
        int64_t left;

        if (!l->heap_n)
                return most;
        left = l->heap[0]->due.ms - loop_now().ms;
        if (left < 0)
                left = 0;
        if (left > 3600000)
                left = 3600000;
        return most >= 0 && most < left ? most : (int)left;
}

/* ---- posted work and signals ------------------------------------------------------- */

static void ring(loop *l)
{
        uint64_t one = 1;

        while (write(l->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
                ;
}

int loop_post(loop *l, void (*fn)(void *ctx), void *ctx)
{
        posted *p = malloc(sizeof *p);

        if (!p)
                return ODM_ENOMEM;
        *p = (posted){.fn = fn, .ctx = ctx};
        pthread_mutex_lock(&l->lock);
        *l->last = p;
        l->last = &p->next;
        pthread_mutex_unlock(&l->lock);
        ring(l);
        return 0;
}

static void on_wake(void *ctx, unsigned events)
{
        loop *l = ctx;
        uint64_t count;
        posted *p;

        (void)events;
        if (read(l->wake.fd, &count, sizeof count) < 0 && errno != EAGAIN)
                assert(errno == EINTR);
        pthread_mutex_lock(&l->lock);
        p = l->first;
        l->first = NULL;
        l->last = &l->first;
        pthread_mutex_unlock(&l->lock);
        while (p) {
                posted *next = p->next;
                p->fn(p->ctx);
                free(p);
                p = next;
        }
}

static void on_signals(void *ctx, unsigned events)
{
        loop *l = ctx;
        struct signalfd_siginfo info;

        (void)events;
        while (read(l->signals.fd, &info, sizeof info) == (ssize_t)sizeof info)
                for (size_t i = 0; i < l->n_signals; i++)
                        if (l->on_signal[i].signo == (int)info.ssi_signo)
                                l->on_signal[i].fn(l->on_signal[i].ctx, (int)info.ssi_signo);
}

int loop_signal(loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx)
{
        int fd;

        if (l->n_signals == SIGNALS_MAX)
                return ODM_ELIMIT;
        sigaddset(&l->set, signo);
        if (pthread_sigmask(SIG_BLOCK, &l->set, NULL) != 0)
                return ODM_EIO;
        fd = signalfd(l->signals.fd, &l->set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (fd < 0)
                return ODM_EIO;
        l->on_signal[l->n_signals].signo = signo;
        l->on_signal[l->n_signals].fn = fn;
        l->on_signal[l->n_signals++].ctx = ctx;
        if (l->signals.in)
                return 0;
        l->signals = (loop_io){.fd = fd, .fn = on_signals, .ctx = l};
        return loop_io_add(l, &l->signals, LOOP_READ);
}

/* ---- running --------------------------------------------------------------------------- */

int loop_once(loop *l, int ms)
{
        int n = epoll_wait(l->ep, l->batch, BATCH, wait_ms(l, ms));

        if (n < 0 && errno != EINTR)
                return ODM_EIO;
        l->batch_n = n < 0 ? 0 : n;
        for (int i = 0; i < l->batch_n; i++) {
                loop_io *io = l->batch[i].data.ptr;
                if (io)
                        io->fn(io->ctx, from_epoll(l->batch[i].events));
        }
        l->batch_n = 0;
        run_timers(l);
        return 0;
}

int loop_run(loop *l)
{
        int rc = 0;

        while (rc == 0 && !atomic_load(&l->stop))
                rc = loop_once(l, -1);
        atomic_store(&l->stop, false);
        return rc;
}

void loop_stop(loop *l)
{
        atomic_store(&l->stop, true);
        ring(l);
}

int loop_new(loop **out)
{
        loop *l = calloc(1, sizeof *l);
        int rc = ODM_EIO;

        if (!l)
                return ODM_ENOMEM;
        pthread_mutex_init(&l->lock, NULL);
        l->last = &l->first;
        sigemptyset(&l->set);
        l->signals.fd = -1;
        l->wake = (loop_io){.fn = on_wake, .ctx = l};
        l->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        l->ep = epoll_create1(EPOLL_CLOEXEC);
        if (l->ep >= 0 && l->wake.fd >= 0)
                rc = loop_io_add(l, &l->wake, LOOP_READ);
        if (rc < 0)
                loop_free(l);
        else
                *out = l;
        return rc;
}

void loop_free(loop *l)
{
        if (!l)
                return;
        for (posted *p = l->first, *next; p; p = next) {
                next = p->next;
                free(p);
        }
        if (l->signals.fd >= 0)
                close(l->signals.fd);
        if (l->wake.fd >= 0)
                close(l->wake.fd);
        if (l->ep >= 0)
                close(l->ep);
        free(l->heap);
        pthread_mutex_destroy(&l->lock);
        free(l);
}
