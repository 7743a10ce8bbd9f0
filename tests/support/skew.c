/* SPDX-License-Identifier: Apache-2.0 */
/* skew.c - a clock for a whole world of programs that a test sets ahead, so that six hours pass in
 * seconds.  Built as a shared object and preloaded into each of them (tests/acceptance/clock.sh).
 *
 * The file that SKEW_FILE names holds by how many milliseconds all clocks are ahead, as 64 bits,
 * and the complement of that, so that half a number is seen to be none.  Clocks of time go ahead
 * together, as those of a machine that slept; those of CPU time stay.  Who waits for a time looks
 * again within SLICE_MS.  A time that is told to a peer or written to a file is as far ahead; what
 * the kernel itself does by time is not: timerfd, alarm(), options of sockets.  Our programs use
 * the first only to hear that somebody set the clock, which nobody does here. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS 10
#define MS_NS INT64_C(1000000)
#define S_NS INT64_C(1000000000)
#define YEAR_2000 INT64_C(946684800) /* no machine has been up for so many seconds */

/* ---- how far ahead ------------------------------------------------------------------------------ */

typedef struct ahead {
        _Atomic int64_t ms, complement;
} ahead;

static _Atomic(const ahead *) shared;

static void refuse(const char *why)
{
        (void)!write(STDERR_FILENO, "skew: ", 6);
        for (; *why; why++)
                (void)!write(STDERR_FILENO, why, 1);
        (void)!write(STDERR_FILENO, "\n", 1);
        _exit(127);
}

/* Whoever is first; two that are first map it twice, which does no harm. */
static const ahead *map(void)
{
        const char *path = getenv("SKEW_FILE");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        const ahead *a;

        if (fd < 0)
                refuse("SKEW_FILE names no file");
        a = mmap(NULL, sizeof *a, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (a == MAP_FAILED)
                refuse("the file cannot be mapped");
        atomic_store(&shared, a);
        return a;
}

static int64_t ahead_ns(void)
{
        const ahead *a = atomic_load(&shared);
        int64_t ms;

        if (!a)
                a = map();
        do
                ms = atomic_load(&a->ms);
        while (atomic_load(&a->complement) != ~ms);
        return ms * MS_NS;
}

/* ---- clocks ---------------------------------------------------------------------------------------- */

static bool tells_time(clockid_t id)
{
        return id != CLOCK_PROCESS_CPUTIME_ID && id != CLOCK_THREAD_CPUTIME_ID && id >= 0;
}

static struct timespec of_ns(int64_t ns)
{
        return (struct timespec){.tv_sec = ns / S_NS, .tv_nsec = ns % S_NS};
}

static int64_t in_ns(const struct timespec *t)
{
        return t->tv_sec * S_NS + t->tv_nsec;
}

static int64_t real_ns(clockid_t id)
{
        struct timespec t = {0};

        (void)syscall(SYS_clock_gettime, id, &t);
        return in_ns(&t);
}

static int64_t now_ns(clockid_t id)
{
        return real_ns(id) + ahead_ns();
}

int clock_gettime(clockid_t id, struct timespec *out)
{
        int rc = (int)syscall(SYS_clock_gettime, id, out);

        if (rc == 0 && tells_time(id))
                *out = of_ns(in_ns(out) + ahead_ns());
        return rc;
}

time_t time(time_t *out)
{
        time_t s = now_ns(CLOCK_REALTIME) / S_NS;

        if (out)
                *out = s;
        return s;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
        struct timespec t = of_ns(now_ns(CLOCK_REALTIME));

        (void)zone;
        *out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
        return 0;
}

int timespec_get(struct timespec *out, int base)
{
        if (base != TIME_UTC)
                return 0;
        *out = of_ns(now_ns(CLOCK_REALTIME));
        return base;
}

/* ---- waits, in slices --------------------------------------------------------------------------------- */

/* Calls one(ctx, slice) until it returns something, or `ns` have passed on the clock that is ahead;
 * `ns` below 0: for ever. */
static int wait_sliced(int64_t ns, int (*one)(void *ctx, const struct timespec *slice), void *ctx)
{
        int64_t due = now_ns(CLOCK_MONOTONIC) + ns, left = ns;
        struct timespec slice;
        int rc;

        if (ns < 0)
                return one(ctx, NULL);
        for (;;) {
                slice = of_ns(left < SLICE_MS * MS_NS ? left : SLICE_MS * MS_NS);
                rc = one(ctx, &slice);
                if (rc != 0 || left == 0)
                        return rc;
                left = due - now_ns(CLOCK_MONOTONIC);
                if (left < 0)
                        left = 0;
        }
}

struct poll_call {
        struct pollfd *v;
        nfds_t n;
        const sigset_t *mask;
};

static int poll_once(void *ctx, const struct timespec *slice)
{
        const struct poll_call *c = ctx;
        struct timespec t = slice ? *slice : (struct timespec){0}; /* the kernel writes into it */

        return (int)syscall(SYS_ppoll, c->v, c->n, slice ? &t : NULL, c->mask, _NSIG / 8);
}

int ppoll(struct pollfd *v, nfds_t n, const struct timespec *wait, const sigset_t *mask)
{
        struct poll_call c = {v, n, mask};

        return wait_sliced(wait ? in_ns(wait) : -1, poll_once, &c);
}

int poll(struct pollfd *v, nfds_t n, int ms)
{
        struct poll_call c = {v, n, NULL};

        return wait_sliced(ms < 0 ? -1 : ms * MS_NS, poll_once, &c);
}

struct epoll_call {
        int ep, n;
        struct epoll_event *v;
        const sigset_t *mask;
};

static int epoll_once(void *ctx, const struct timespec *slice)
{
        const struct epoll_call *c = ctx;
        int ms = slice ? (int)((in_ns(slice) + MS_NS - 1) / MS_NS) : -1;

        return (int)syscall(SYS_epoll_pwait, c->ep, c->v, c->n, ms, c->mask, _NSIG / 8);
}

int epoll_pwait(int ep, struct epoll_event *v, int n, int ms, const sigset_t *mask)
{
        struct epoll_call c = {ep, n, v, mask};

        return wait_sliced(ms < 0 ? -1 : ms * MS_NS, epoll_once, &c);
}

int epoll_wait(int ep, struct epoll_event *v, int n, int ms)
{
        return epoll_pwait(ep, v, n, ms, NULL);
}

struct select_call {
        int n;
        fd_set *set[3], want[3];
};

/* The sets are the answer; a slice in which nothing came leaves them empty. */
static int select_once(void *ctx, const struct timespec *slice)
{
        struct select_call *c = ctx;
        struct timespec t = slice ? *slice : (struct timespec){0};

        for (int i = 0; i < 3; i++)
                if (c->set[i])
                        *c->set[i] = c->want[i];
        return (int)syscall(SYS_pselect6, c->n, c->set[0], c->set[1], c->set[2], slice ? &t : NULL,
                            NULL);
}

int select(int n, fd_set *restrict r, fd_set *restrict w, fd_set *restrict x,
           struct timeval *restrict wait)
{
        struct select_call c = {.n = n, .set = {r, w, x}};

        for (int i = 0; i < 3; i++)
                if (c.set[i])
                        c.want[i] = *c.set[i];
        return wait_sliced(wait ? wait->tv_sec * S_NS + wait->tv_usec * 1000 : -1, select_once, &c);
}

static int sleep_once(void *ctx, const struct timespec *slice)
{
        (void)ctx;
        return (int)syscall(SYS_nanosleep, slice, NULL);
}

int nanosleep(const struct timespec *wait, struct timespec *left)
{
        int64_t due = now_ns(CLOCK_MONOTONIC) + in_ns(wait);
        int rc = wait_sliced(in_ns(wait), sleep_once, NULL);

        if (rc < 0 && left) {
                int64_t ns = due - now_ns(CLOCK_MONOTONIC);
                *left = of_ns(ns > 0 ? ns : 0);
        }
        return rc;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *wait, struct timespec *left)
{
        struct timespec t = *wait;

        if (flags & TIMER_ABSTIME) {
                int64_t ns = in_ns(wait) - now_ns(id);
                t = of_ns(ns > 0 ? ns : 0);
                left = NULL;
        }
        return nanosleep(&t, left) == 0 ? 0 : errno;
}

int usleep(useconds_t us)
{
        struct timespec t = of_ns((int64_t)us * 1000);

        return nanosleep(&t, NULL);
}

unsigned sleep(unsigned s)
{
        struct timespec t = {.tv_sec = s}, left = {0};

        return nanosleep(&t, &left) == 0 ? 0 : (unsigned)left.tv_sec + 1;
}

/* ---- conditions ------------------------------------------------------------------------------------------ */

typedef int (*timedwait_fn)(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
typedef int (*clockwait_fn)(pthread_cond_t *c, pthread_mutex_t *m, clockid_t id,
                            const struct timespec *until);

/* The end of a slice of the kernel's clock; *last: the wait is over by then. */
static struct timespec slice_end(clockid_t id, const struct timespec *until, bool *last)
{
        int64_t left = in_ns(until) - now_ns(id);

        *last = left <= SLICE_MS * MS_NS;
        return of_ns(real_ns(id) + (*last ? (left > 0 ? left : 0) : SLICE_MS * MS_NS));
}

/* A slice that is over wakes the caller for nothing, as conditions may at any time: to wait on
 * without it would miss who signalled while the mutex was free. */
static int slice_result(int rc, bool last)
{
        return rc == ETIMEDOUT && !last ? 0 : rc;
}

int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m,
                           const struct timespec *restrict until)
{
        static _Atomic(timedwait_fn) real;
        clockid_t id = until->tv_sec < YEAR_2000 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        bool last;
        struct timespec t = slice_end(id, until, &last);

        if (!atomic_load(&real))
                atomic_store(&real, (timedwait_fn)dlsym(RTLD_NEXT, "pthread_cond_timedwait"));
        return slice_result(atomic_load(&real)(c, m, &t), last);
}

int pthread_cond_clockwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, clockid_t id,
                           const struct timespec *restrict until)
{
        static _Atomic(clockwait_fn) real;
        bool last;
        struct timespec t = slice_end(id, until, &last);

        if (!atomic_load(&real))
                atomic_store(&real, (clockwait_fn)dlsym(RTLD_NEXT, "pthread_cond_clockwait"));
        return slice_result(atomic_load(&real)(c, m, id, &t), last);
}
