/* SPDX-License-Identifier: Apache-2.0 */
/* One queue, some threads. */
#include "crew.h"

#include <pthread.h>

#include "heap.h"

#define THREADS_MAX 64

struct crew {
        pthread_mutex_t lock;
        pthread_cond_t work, idle;
        crew_task *first, **last;
        unsigned running, n;
        bool closing;
        pthread_t thread[THREADS_MAX];
};

static void *member(void *arg)
{
        crew *c = arg;

        pthread_mutex_lock(&c->lock);
        for (;;) {
                while (!c->first && !c->closing)
                        pthread_cond_wait(&c->work, &c->lock);
                crew_task *t = c->first;
                if (!t)
                        break;
                c->first = t->next;
                if (!c->first)
                        c->last = &c->first;
                c->running++;
                pthread_mutex_unlock(&c->lock);
                t->fn(t->ctx);
                pthread_mutex_lock(&c->lock);
                if (--c->running == 0 && !c->first)
                        pthread_cond_broadcast(&c->idle);
        }
        pthread_mutex_unlock(&c->lock);
        return NULL;
}

int crew_new(unsigned threads, crew **out)
{
        crew *c;

        if (threads == 0 || threads > THREADS_MAX)
                return ODM_EINVAL;
        c = odm_alloc(&heap_mem, sizeof *c);
        if (!c)
                return ODM_ENOMEM;
        c->last = &c->first;
        pthread_mutex_init(&c->lock, NULL);
        pthread_cond_init(&c->work, NULL);
        pthread_cond_init(&c->idle, NULL);
        for (; c->n < threads; c->n++)
                if (pthread_create(&c->thread[c->n], NULL, member, c)) {
                        crew_free(c);
                        return ODM_ENOMEM;
                }
        *out = c;
        return 0;
}

void crew_post(crew *c, crew_task *t)
{
        pthread_mutex_lock(&c->lock);
        t->next = NULL;
        *c->last = t;
        c->last = &t->next;
        pthread_cond_signal(&c->work);
        pthread_mutex_unlock(&c->lock);
}

void crew_settle(crew *c)
{
        pthread_mutex_lock(&c->lock);
        while (c->first || c->running)
                pthread_cond_wait(&c->idle, &c->lock);
        pthread_mutex_unlock(&c->lock);
}

void crew_free(crew *c)
{
        if (!c)
                return;
        pthread_mutex_lock(&c->lock);
        c->closing = true;
        pthread_cond_broadcast(&c->work);
        pthread_mutex_unlock(&c->lock);
        for (unsigned i = 0; i < c->n; i++)
                pthread_join(c->thread[i], NULL);
        pthread_cond_destroy(&c->work);
        pthread_cond_destroy(&c->idle);
        pthread_mutex_destroy(&c->lock);
        odm_free(&heap_mem, c, sizeof *c);
}
