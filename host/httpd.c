/* SPDX-License-Identifier: Apache-2.0 */
/* httpd.c - listeners, starting and stopping; see httpd.h, and httpd_inner.h for the rest. */
#include "httpd_inner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"

#define LISTENERS_MAX 8
#define FILES_BESIDE 128     /* descriptors that are no connections: store, log, event loops */
#define CONNECTIONS_LEAST 16 /* with fewer there is no serving */

void httpd_listener_init(httpd_listener *l)
{
        *l = (httpd_listener){.max_body = 1u << 20, .workers = 2};
}

void httpd_opt_init(httpd_opt *o)
{
        *o = (httpd_opt){.max_connections = 4096,
                         .max_active = 2048,
                         .idle_s = 60,
                         .slow_s = 30,
                         .connection_memory = 8192,
                         .mem = &heap_mem};
}
/* ---- starting ---------------------------------------------------------------------------- */

static void on_log(void *ctx, const char *fmt, va_list ap)
{
        char line[256];

        (void)ctx;
        vsnprintf(line, sizeof line, fmt, ap);
        line[strcspn(line, "\n")] = 0;
        log_debug("http server", log_text("detail", line));
}

static int copy_name(const char *name, char **out)
{
        *out = name ? strdup(name) : NULL;
        return *out || !name ? 0 : ODM_ENOMEM;
}

static int load_tls(listener *l, const httpd_listener *o, diag *d)
{
        listener_files *f = &l->files;
        int rc;

        if (!o->cert_file)
                return diag_set(d, ODM_EINVAL, "a TLS listener needs a certificate");
        if (copy_name(o->cert_file, &f->cert) < 0 || copy_name(o->key_file, &f->key) < 0 ||
            copy_name(o->client_ca_file, &f->client_ca) < 0 ||
            copy_name(o->ticket_file, &f->ticket) < 0)
                return ODM_ENOMEM;
        rc = httpd_tls_load(f, &l->tls, d);
        if (rc == 0) /* the library wants them too, though no connection uses them */
                rc = httpd_pem_read(f->cert, &l->cert, d);
        if (rc == 0)
                rc = httpd_pem_read(f->key ? f->key : f->cert, &l->key, d);
        if (rc == 0)
                rc = httpd_pem_read(f->client_ca, &l->trust, d);
        l->asks_client = o->client_ca_file != NULL;
        return rc;
}

static void drop_tls(listener *l)
{
        httpd_pem_free(l->key);
        httpd_pem_free(l->cert);
        httpd_pem_free(l->trust);
        httpd_tls_unref(l->tls);
        free(l->files.cert);
        free(l->files.key);
        free(l->files.client_ca);
        free(l->files.ticket);
}

int httpd_try_files(const httpd_listener *l, diag *d)
{
        httpd_listener without = *l;
        listener read = {0};
        int rc;

        without.ticket_file = NULL;
        rc = load_tls(&read, &without, d);
        drop_tls(&read);
        return rc;
}

static int open_socket(listener *l, const net_addr *at, diag *d)
{
        char text[NET_ADDR_TEXT];
        net_addr got = {.n = sizeof got.sa};
        int on = 1, off = 0;
        int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        net_addr_format(at, text);
        if (fd < 0)
                return diag_set(d, -1, "listener %s: %s", text, strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (at->sa.ss_family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (bind(fd, (const struct sockaddr *)&at->sa, at->n) < 0 || listen(fd, 1024) < 0 ||
            getsockname(fd, (struct sockaddr *)&got.sa, &got.n) < 0) {
                diag_set(d, 0, "listener %s: %s", text, strerror(errno));
                close(fd);
                return -1;
        }
        l->port = net_addr_port(&got);
        return fd;
}

/* Who comes while we stop is let go.  MHD_quiesce_daemon() is for that, but it races with the
 * library's own threads for the descriptor, and the one that loses ends the process. */
static enum MHD_Result may_connect(void *ctx, const struct sockaddr *from, socklen_t n)
{
        const listener *l = ctx;

        (void)from, (void)n;
        return atomic_load(&l->h->stopping) ? MHD_NO : MHD_YES;
}

static int start_daemon(listener *l, const httpd_listener *o, diag *d)
{
        const httpd_opt *h = &l->h->opt;
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                         MHD_USE_ERROR_LOG | (o->tls ? (unsigned)MHD_USE_TLS : 0);
        struct MHD_OptionItem items[12];
        size_t n = 0;
        int fd = open_socket(l, &o->addr, d);

        if (fd < 0)
                return ODM_EIO;
        if (o->workers > 1)
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, o->workers, NULL};
        if (o->tls) {
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, l->key};
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, l->cert};
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                     (void *)(uintptr_t)tls_priorities};
                if (l->trust)
                        items[n++] =
                                (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, l->trust};
        }
        items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
        l->daemon = MHD_start_daemon(
                flags, 0, may_connect, l, httpd_on_access, l, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, httpd_on_uri, l,
                MHD_OPTION_NOTIFY_COMPLETED, httpd_on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
                httpd_on_connection, l, MHD_OPTION_CONNECTION_MEMORY_LIMIT, h->connection_memory,
                MHD_OPTION_CONNECTION_LIMIT, h->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                h->max_per_address, MHD_OPTION_CONNECTION_TIMEOUT, h->idle_s,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
        if (l->daemon)
                return 0;
        close(fd);
        return diag_set(d, o->tls ? ODM_EMALFORMED : ODM_EIO, "listener %zu does not start%s",
                        l->index, o->tls ? ": is its certificate good and for its key?" : "");
}

static int start_listener(httpd *h, size_t i, const httpd_listener *o, diag *d)
{
        listener *l = &h->l[i];
        int rc = 0;

        l->h = h;
        l->index = i;
        l->opt = *o;
        l->mark = h->opt.max_connections - h->opt.max_connections / 8;
        if (l->mark == h->opt.max_connections && l->mark > 1)
                l->mark--;
        if (!o->app.handle || o->workers == 0 || o->workers > h->opt.max_connections)
                return diag_set(d, ODM_EINVAL, "listener %zu has no handler or no workers", i);
        if (o->tls)
                rc = load_tls(l, o, d);
        return rc < 0 ? rc : start_daemon(l, o, d);
}

static void free_all(httpd *h)
{
        for (size_t i = 0; h->l && i < h->n; i++)
                drop_tls(&h->l[i]);
        pthread_cond_destroy(&h->wake);
        pthread_mutex_destroy(&h->watch);
        pthread_cond_destroy(&h->quiet);
        pthread_mutex_destroy(&h->lock);
        free(h->server_name);
        free(h->l);
        free(h);
}

/* Each connection is a descriptor.  Where the system gives fewer, fewer connections are better
 * than a store that cannot open its files. */
static int raise_files(httpd *h, diag *d)
{
        const rlim_t wanted = (rlim_t)h->n * h->opt.max_connections + FILES_BESIDE;
        struct rlimit r;
        rlim_t each;

        if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= wanted)
                return 0;
        r.rlim_cur = r.rlim_max < wanted ? r.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &r);
        if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= wanted)
                return 0;
        each = r.rlim_cur > FILES_BESIDE ? (r.rlim_cur - FILES_BESIDE) / h->n : 0;
        if (each < CONNECTIONS_LEAST)
                return diag_set(d, ODM_ELIMIT,
                                "%llu open files are allowed, too few to serve: raise the limit "
                                "(LimitNOFILE, ulimit -n) to %llu",
                                (unsigned long long)r.rlim_cur, (unsigned long long)wanted);
        log_warn("fewer connections than configured: the limit of open files is too low",
                 log_int("configured", h->opt.max_connections), log_int("possible", (int64_t)each),
                 log_int("files", (int64_t)r.rlim_cur), log_int("wanted", (int64_t)wanted));
        h->opt.max_connections = (unsigned)each;
        return 0;
}

int httpd_start(const httpd_opt *opt, const httpd_listener *l, size_t n, httpd **out, diag *d)
{
        pthread_condattr_t attr;
        httpd *h;
        int rc = 0;

        if (n == 0 || n > LISTENERS_MAX)
                return diag_set(d, ODM_EINVAL, "from 1 to %d listeners", LISTENERS_MAX);
        h = calloc(1, sizeof *h);
        if (!h)
                return ODM_ENOMEM;
        h->opt = *opt;
        h->n = n;
        pthread_mutex_init(&h->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&h->quiet, &attr);
        pthread_mutex_init(&h->watch, NULL);
        pthread_cond_init(&h->wake, &attr);
        pthread_condattr_destroy(&attr);
        h->l = calloc(n, sizeof *h->l);
        h->server_name = opt->server_name ? strdup(opt->server_name) : NULL;
        if (!h->l || (opt->server_name && !h->server_name))
                rc = diag_set(d, ODM_ENOMEM, "out of memory");
        if (rc == 0)
                rc = raise_files(h, d);
        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = start_listener(h, i, &l[i], d);
        if (rc == 0)
                rc = httpd_watch_start(h);
        if (rc < 0)
                httpd_stop(h, 0);
        else
                *out = h;
        return rc;
}

uint16_t httpd_port(const httpd *h, size_t i)
{
        return i < h->n ? h->l[i].port : 0;
}

static void wait_quiet(httpd *h, int64_t ms)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += (ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        pthread_mutex_lock(&h->lock);
        while (h->in_flight > 0)
                if (pthread_cond_timedwait(&h->quiet, &h->lock, &until) == ETIMEDOUT)
                        break;
        pthread_mutex_unlock(&h->lock);
}

static httpd_req *take_kept(httpd *h)
{
        httpd_req *r;

        pthread_mutex_lock(&h->lock);
        h->closed = true;
        r = h->kept;
        if (r)
                atomic_fetch_add(&r->refs, 1);
        pthread_mutex_unlock(&h->lock);
        return r;
}

/* Answers what the application still keeps; it may look at those requests until it replies. */
static void abandon_kept(httpd *h)
{
        const httpd_reply sorry = {.status = 503};
        httpd_req *r;

        while ((r = take_kept(h))) {
                pthread_mutex_lock(&r->lock);
                if (r->suspended) { /* else its reply came meanwhile */
                        pthread_mutex_lock(&h->lock);
                        httpd_keep_del(r);
                        pthread_mutex_unlock(&h->lock);
                        r->response = httpd_response(r, &sorry);
                        r->status = 503;
                        r->abandoned = true;
                        r->suspended = false;
                        MHD_resume_connection(r->c);
                }
                pthread_mutex_unlock(&r->lock);
                httpd_req_unref(r);
        }
}

void httpd_stop(httpd *h, int64_t ms)
{
        if (!h)
                return;
        atomic_store(&h->stopping, true); /* from here on may_connect() says no */
        httpd_streams_end(h);
        wait_quiet(h, ms);
        abandon_kept(h);
        wait_quiet(h, ms > 0 ? 500 : 0); /* for the 503s to leave */
        httpd_watch_stop(h);
        for (size_t i = 0; h->l && i < h->n; i++)
                if (h->l[i].daemon)
                        MHD_stop_daemon(h->l[i].daemon);
        free_all(h);
}

unsigned httpd_active(const httpd *h)
{
        unsigned n = 0;

        for (size_t i = 0; i < HTTPD_SHARES; i++)
                n += atomic_load(&h->active[i]);
        return n;
}

httpd_stats httpd_get_stats(const httpd *h)
{
        return (httpd_stats){.requests = atomic_load(&h->requests),
                             .refused = atomic_load(&h->refused),
                             .shed = atomic_load(&h->shed),
                             .late = atomic_load(&h->late),
                             .evicted = atomic_load(&h->evicted),
                             .handshakes = atomic_load(&h->handshakes),
                             .resumed = atomic_load(&h->resumed),
                             .active = httpd_active(h)};
}
