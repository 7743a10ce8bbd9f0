/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - one event loop over epoll: descriptors, timers, signals, and work posted by
 * other threads.
 *
 * Everything but loop_post() and loop_stop() belongs to the thread that runs the loop.
 * Callbacks may add and remove anything, themselves included. */
#ifndef HOST_LOOP_H
#define HOST_LOOP_H

#include "odm/base.h"

typedef struct loop loop;

/* Returns 0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int loop_new(loop **out);
void loop_free(loop *l); /* NULL is allowed; nothing may be registered but signals */

/* Runs until loop_stop(), which counts for the current or, when none runs, the next run.
 * Returns 0 or ODM_EIO. */
ODM_MUST_USE int loop_run(loop *l);
/* Waits at most `ms` (0 = not at all, -1 = for ever) and handles what is ready, once. */
ODM_MUST_USE int loop_once(loop *l, int ms);
void loop_stop(loop *l); /* any thread */

/* The clocks.  Monotonic milliseconds (CLOCK_BOOTTIME where there is one, so that sleep
 * counts), and UTC. */
odm_time loop_now(void);
odm_wall loop_wall(void);
int64_t loop_wall_ms(void); /* the same in milliseconds since 1970 */
/* Both clocks of this process go ahead by `ms`, as those of a machine do that slept: so that tests
 * need not wait.  While no other thread reads them; not for programs. */
void loop_skip(int64_t ms);

/* ---- descriptors ------------------------------------------------------------ */

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HUP = 4 /* given whether asked for or not */ };

/* In the caller's storage; zero it, set fd, fn and ctx. */
typedef struct loop_io {
        int fd;
        void (*fn)(void *ctx, unsigned events);
        void *ctx;
        loop *in; /* set while registered; the rest is the loop's */
        unsigned events;
} loop_io;

/* Watches io->fd (borrowed) for `events`.  Returns 0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int loop_io_add(loop *l, loop_io *io, unsigned events);
ODM_MUST_USE int loop_io_set(loop_io *io, unsigned events);
void loop_io_del(loop_io *io); /* not registered: does nothing.  Before closing the fd */

/* ---- timers ------------------------------------------------------------------- */

typedef struct loop_timer { /* zero it, set fn and ctx */
        void (*fn)(void *ctx);
        void *ctx;
        loop *in; /* set while armed */
        odm_time due;
        size_t at; /* place in the heap */
} loop_timer;

/* Calls fn once at `due` (or soon after); moves the timer when it is armed.  ODM_NEVER disarms.
 * Returns 0 or ODM_ENOMEM. */
ODM_MUST_USE int loop_timer_set(loop *l, loop_timer *t, odm_time due);
void loop_timer_stop(loop_timer *t); /* not armed: does nothing */

/* ---- signals and other threads -------------------------------------------------- */

/* Blocks `signo` in the calling thread and calls fn on the loop when it comes.  To be done before
 * threads are made, so that they inherit the block.  At most 8.  0, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int loop_signal(loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx);

/* Any thread: has fn(ctx) called on the loop, in order of posting.  Returns 0 or ODM_ENOMEM.
 * What is posted and not yet run at loop_free() is not run. */
ODM_MUST_USE int loop_post(loop *l, void (*fn)(void *ctx), void *ctx);

#endif
