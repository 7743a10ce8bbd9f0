/* SPDX-License-Identifier: Apache-2.0 */
/* bench-echo - the least that libmicrohttpd can do with a POST: it answers what was sent.
 *
 * The measure for nremd's front: the same flags, threads, connection memory and TLS settings as
 * host/httpd.c, and nothing behind. */
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "measure.h"
#include "tls.h"

#define BODY_MAX 65536

typedef struct body {
        size_t n;
        char p[BODY_MAX];
} body;

static gnutls_datum_t ticket;

static void on_connection(void *cls, struct MHD_Connection *c, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);

        (void)cls;
        (void)socket_context;
        if (code == MHD_CONNECTION_NOTIFY_STARTED && info && info->tls_session)
                (void)gnutls_session_ticket_enable_server(info->tls_session, &ticket);
}

static enum MHD_Result answer(struct MHD_Connection *c, const body *b)
{
        struct MHD_Response *r = MHD_create_response_from_buffer(b->n, (void *)(uintptr_t)b->p,
                                                                 MHD_RESPMEM_MUST_COPY);
        enum MHD_Result ok = MHD_NO;

        if (r && MHD_add_response_header(r, "Content-Type", "application/octet-stream") == MHD_YES)
                ok = MHD_queue_response(c, 200, r);
        if (r)
                MHD_destroy_response(r);
        return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **context)
{
        body *b = *context;

        (void)cls;
        (void)url;
        (void)method;
        (void)version;
        if (!b) {
                b = malloc(sizeof *b);
                if (!b)
                        return MHD_NO;
                b->n = 0;
                *context = b;
                return MHD_YES;
        }
        if (*n == 0)
                return answer(c, b);
        if (*n > sizeof b->p - b->n)
                return MHD_NO;
        memcpy(b->p + b->n, data, *n);
        b->n += *n;
        *n = 0;
        return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode code)
{
        (void)cls;
        (void)c;
        (void)code;
        free(*context);
        *context = NULL;
}

/* The file with a zero behind it, the process's to keep; NULL when it cannot be read. */
static char *text_of(const char *path)
{
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 65536);
        if (fsio_read(path, 65535, &b, NULL) < 0 || odm_buf_byte(&b, 0) < 0)
                return NULL;
        return b.p;
}

static void usage(void)
{
        printf("usage: bench-echo [CERT KEY]\n"
               "Answers POSTs with what was sent, by TLS if it has a certificate.  Prints its\n"
               "port, and runs until its standard input ends.\n");
}

int main(int argc, char **argv)
{
        struct MHD_OptionItem items[4] = {{MHD_OPTION_END, 0, NULL}};
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
        int n = bench_words(argc, argv, usage, 0, 2, NULL);

        if (n == 1)
                bench_refuse("a certificate without its key");
        if (n == 2) {
                char *cert = text_of(argv[1]), *key = text_of(argv[2]);
                if (!cert || !key || gnutls_session_ticket_key_generate(&ticket) < 0) {
                        fprintf(stderr, "bench-echo: no certificate\n");
                        return 1;
                }
                flags |= MHD_USE_TLS;
                items[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, cert};
                items[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, key};
                items[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                   (void *)(uintptr_t)tls_priorities};
                items[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
        }
        struct MHD_Daemon *d = MHD_start_daemon(
                flags, 0, NULL, NULL, on_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
                NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)8192, MHD_OPTION_CONNECTION_LIMIT,
                20000u, MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                MHD_OPTION_ARRAY, items, MHD_OPTION_END);
        if (!d)
                return 1;
        printf("%u\n", MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
        fflush(stdout);
        char c;
        while (read(0, &c, 1) > 0)
                ;
        MHD_stop_daemon(d);
        return 0;
}
