/* SPDX-License-Identifier: Apache-2.0 */
/* bench-store - the store alone: a fleet in it, and how long a batch takes beside the disk's own
 * sync. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"
#include "odm/auth.h"
#include "store.h"

#define TOGETHER 200 /* devices in a batch */
#define ROUNDS 5
#define SYNCS 60 /* of a round */
#define TURNS 20 /* batches of each that is under way, of a round */
#define MOST 256 /* under way */

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
                fprintf(stderr, "bench-store: %s\n", diag);
                exit(1);
        }
        return st;
}

/* ---- a fleet ----------------------------------------------------------------------- */

static odm_str secret_of(odm_arena *a, odm_str user, odm_str password)
{
        odm_secret s;

        odm_secret_of(user, password, &s);
        return odm_arena_copy(a, (odm_str){s.b64, ODM_SECRET_LEN});
}

static void add_device(store_batch *b, unsigned i)
{
        odm_arena *a = store_batch_arena(b);
        odm_str name = odm_arena_fmt(a, "sim/%u", i), password = odm_arena_fmt(a, "sim-%u", i);
        store_op *d = store_batch_add(b, STORE_DEVICE_CREATE);
        store_op *acc = store_batch_add(b, STORE_ACCOUNT_PUT);

        bench_must(d && acc, "memory for a device");
        d->device = (store_device){.name = name,
                                   .devid = odm_arena_fmt(a, "urn:xremsim:sim/%u", i),
                                   .state = STORE_DEVICE_PROVISIONED,
                                   .created = 1};
        acc->account = (store_account){.device = STORE_LAST,
                                       .user = name,
                                       .secret = secret_of(a, name, password),
                                       .auth = ODM_AUTH_MD5,
                                       .server_id = ODM_STR("xrem"),
                                       .server_user = ODM_STR("xrem"),
                                       .server_secret = secret_of(a, ODM_STR("xrem"), password),
                                       .server_auth = ODM_AUTH_MD5};
        bench_must(!a->err, "memory for a device");
}

static int fill(const char *file, unsigned first, unsigned n)
{
        store *st = open_store(file);

        for (unsigned i = 0; i < n;) {
                store_batch *b = store_batch_new();
                bench_must(b != NULL, "memory for a batch");
                for (unsigned k = 0; k < TOGETHER && i < n; k++, i++)
                        add_device(b, first + i);
                bench_must(store_write_sync(st, b) == 0, "devices are written");
                store_batch_free(b);
        }
        store_close(st);
        return 0;
}

/* ---- what waiting costs ---------------------------------------------------------------- */

typedef struct load load;

typedef struct one { /* batches one behind the other */
        load *l;
        int64_t device;
        unsigned left;
        double began;
} one;

struct load {
        store *st;
        one v[MOST];
        double *took; /* of all batches */
        pthread_mutex_t lock;
        pthread_cond_t over;
        unsigned n, running;
};

static void send_one(one *x);

static void on_done(void *ctx, store_batch *b, int rc)
{
        one *x = ctx;
        load *l = x->l;
        double took = now_ms() - x->began;
        bool more;

        (void)b;
        bench_must(rc == 0, "a batch is written");
        pthread_mutex_lock(&l->lock);
        l->took[l->n++] = took;
        more = x->left > 0; /* x is another's when nothing runs */
        if (!more && --l->running == 0)
                pthread_cond_signal(&l->over);
        pthread_mutex_unlock(&l->lock);
        if (more)
                send_one(x);
}

/* What a message writes at the least: new nonces. */
static void send_one(one *x)
{
        store_batch *b = store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_NONCES) : NULL;

        bench_must(op != NULL, "memory for a batch");
        op->nonces = (store_nonces){.device = x->device,
                                    .nonce = odm_arena_fmt(store_batch_arena(b), "%.6f", now_ms())};
        x->left--; /* what is as it was would not be written */
        x->began = now_ms();
        bench_must(store_write(x->l->st, b, on_done, x) == 0, "a batch is taken");
}

static double delay(load *l, unsigned parallel)
{
        l->n = 0;
        l->running = parallel;
        for (unsigned i = 0; i < parallel; i++) {
                l->v[i] = (one){.l = l, .device = i + 1, .left = TURNS};
                send_one(&l->v[i]);
        }
        pthread_mutex_lock(&l->lock);
        while (l->running)
                pthread_cond_wait(&l->over, &l->lock);
        pthread_mutex_unlock(&l->lock);
        return bench_median(l->took, l->n);
}

/* A page appended and synced, as a commit does it. */
static double sync_time(int fd)
{
        static const char page[4096] = "x";
        double took[SYNCS];

        for (unsigned i = 0; i < SYNCS; i++) {
                double began = now_ms();
                bench_must(write(fd, page, sizeof page) == sizeof page && fdatasync(fd) == 0,
                           "a page is synced");
                took[i] = now_ms() - began;
        }
        return bench_median(took, SYNCS);
}

static int delays(const char *folder, bool json)
{
        static const unsigned parallel[] = {1, 32, MOST};
        static double took[MOST * TURNS];
        double sync[ROUNDS], ours[ODM_COUNT(parallel)][ROUNDS];
        char file[512], plain[512];
        load l = {.took = took};
        int fd;

        snprintf(file, sizeof file, "%s/delay.db", folder);
        snprintf(plain, sizeof plain, "%s/delay.plain", folder);
        bench_fresh(file);
        fill(file, 1, MOST);
        l.st = open_store(file);
        fd = open(plain, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        bench_must(fd >= 0, "a file is made");
        pthread_mutex_init(&l.lock, NULL);
        pthread_cond_init(&l.over, NULL);
        for (unsigned r = 0; r < ROUNDS; r++) {
                sync[r] = sync_time(fd);
                for (size_t k = 0; k < ODM_COUNT(parallel); k++)
                        ours[k][r] = delay(&l, parallel[k]);
        }
        printf(json ? "{\"sync_ms\": %.2f, \"alone_ms\": %.2f, \"of_32_ms\": %.2f, "
                      "\"of_256_ms\": %.2f}\n"
                    : "%.2f %.2f %.2f %.2f\n",
               bench_median(sync, ROUNDS), bench_median(ours[0], ROUNDS),
               bench_median(ours[1], ROUNDS), bench_median(ours[2], ROUNDS));
        close(fd);
        store_close(l.st);
        return 0;
}

static void usage(void)
{
        printf("usage: bench-store fill FILE FIRST N\n"
               "           devices FIRST to FIRST + N - 1, as `xremsim --create` makes them\n"
               "           over REST\n"
               "       bench-store delay [--json] FOLDER\n"
               "           median milliseconds: a sync of the disk, then a batch from\n"
               "           store_write() to its `done` with 1, 32 and 256 under way; the files\n"
               "           stay in FOLDER\n");
}

int main(int argc, char **argv)
{
        bool json = false;
        int n = bench_words(argc, argv, usage, 2, 4, &json);

        if (strcmp(argv[1], "delay") == 0) {
                if (n != 2)
                        bench_refuse("delay takes a folder");
                return delays(argv[2], json);
        }
        if (strcmp(argv[1], "fill") != 0)
                bench_refuse("%s is neither fill nor delay", argv[1]);
        if (n != 4 || json)
                bench_refuse("fill takes a file, the first device and how many");
        return fill(argv[2], (unsigned)bench_number("FIRST", argv[3], 0, 1000000000),
                    (unsigned)bench_number("N", argv[4], 1, 1000000000));
}
