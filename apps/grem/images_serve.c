/* SPDX-License-Identifier: Apache-2.0 */
/* images_serve.c - images for devices, over HTTP in the local network: any part of one, as it was
 * proved (gwmo.md 9).  Handlers run on the listener's threads and ask the store alone. */
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "httpd.h"
#include "images_inner.h"
#include "log.h"

#define READ_MEMORY ((size_t)1 << 20)
#define URL_ROOM 512

struct image_server {
        gateway *g;
        store *store;
        char *folder;
        httpd *h;
        char base[URL_ROOM];
};

/* ---- requests ------------------------------------------------------------------------ */

/* A download goes on where it broke off: only what begins an image is counted. */
static bool begins(const httpd_req *r)
{
        odm_str range = httpd_field(r, "Range");

        return !range.n || odm_str_starts(odm_str_trim(range), "bytes=0-");
}

static void send_image(image_server *s, httpd_req *r, const gw_image *i)
{
        char etag[65];
        struct stat st;
        int fd = open(i->path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != i->size) {
                if (fd >= 0)
                        close(fd);
                httpd_send_text(r, 404, "no such image");
                return;
        }
        for (size_t k = 0; k < 32; k++)
                (void)snprintf(etag + 2 * k, 3, "%02x", (unsigned char)i->sha256.p[k]);
        if (odm_str_is(httpd_method(r), "GET") && begins(r))
                atomic_fetch_add(&gw_counts_of(s->g)->images_served, 1);
        httpd_send_file(r, &(httpd_file){.fd = fd,
                                         .size = i->size,
                                         .type = "application/octet-stream",
                                         .etag = odm_cstr(etag),
                                         .sent = &gw_counts_of(s->g)->image_bytes_out});
}

static void on_head(void *ctx, httpd_req *r, size_t *max_body)
{
        (void)ctx;
        (void)r;
        *max_body = 0;
}

#define SIGNED ".sig"

/* Beside an image stands its signature, where dremd looks for it. */
static int find_signature(image_server *s, odm_str path, odm_arena *a, gw_image *out)
{
        size_t n = sizeof SIGNED - 1;
        int rc;

        if (path.n <= n || !odm_str_is(odm_str_from(path, path.n - n), SIGNED))
                return ODM_ENOENT;
        rc = gw_image_by_url(s->store, s->folder, odm_str_to(path, path.n - n), a, out);
        return rc == 0 && !out->signature.n ? ODM_ENOENT : rc;
}

static void on_request(void *ctx, httpd_req *r)
{
        image_server *s = ctx;
        gw_image i;
        odm_arena a;
        bool image;
        int rc;

        if (!odm_str_is(httpd_method(r), "GET") && !odm_str_is(httpd_method(r), "HEAD")) {
                httpd_send_text(r, 405, "images are fetched by GET");
                return;
        }
        odm_arena_init(&a, &heap_mem, READ_MEMORY);
        rc = gw_image_by_url(s->store, s->folder, httpd_path(r), &a, &i);
        image = rc == 0;
        if (rc == ODM_ENOENT)
                rc = find_signature(s, httpd_path(r), &a, &i);
        if (image)
                send_image(s, r, &i);
        else if (rc == 0)
                httpd_send(r, &(httpd_reply){.status = 200,
                                             .type = "application/octet-stream",
                                             .body = i.signature,
                                             .no_gzip = true});
        else if (rc == ODM_ENOENT)
                httpd_send_text(r, 404, "no such image");
        else
                httpd_send_text(r, 503, "try again later");
        odm_arena_done(&a);
}

/* ---- where it is ----------------------------------------------------------------------- */

/* An address of this machine that others reach. */
static bool find_own(char out[NET_ADDR_TEXT])
{
        struct ifaddrs *list, *i;
        bool found = false;

        if (getifaddrs(&list) < 0)
                return false;
        for (i = list; i && !found; i = i->ifa_next) {
                net_addr a = {.n = sizeof(struct sockaddr_in)};
                found = i->ifa_addr && i->ifa_addr->sa_family == AF_INET &&
                        (i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK);
                if (!found)
                        continue;
                memcpy(&a.sa, i->ifa_addr, sizeof(struct sockaddr_in));
                net_addr_host(&a, out);
        }
        freeifaddrs(list);
        return found;
}

static bool is_any(const net_addr *a)
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;

        return a->sa.ss_family == AF_INET ? v4->sin_addr.s_addr == INADDR_ANY
                                          : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

static int find_base(image_server *s, const net_addr *at, diag *d)
{
        const char *given = cfg_str(gw_conf(s->g), "images.url");
        char host[NET_ADDR_TEXT];
        int n;

        if (given) {
                size_t len = strlen(given);
                while (len && given[len - 1] == '/')
                        len--;
                n = snprintf(s->base, sizeof s->base, "%.*s", (int)len, given);
        } else {
                net_addr_host(at, host);
                if (is_any(at) && !find_own(host))
                        return diag_set(d, ODM_EINVAL,
                                        "images.url: is needed, this machine has no address that "
                                        "others reach");
                n = snprintf(s->base, sizeof s->base,
                             strchr(host, ':') ? "http://[%s]:%u" : "http://%s:%u", host,
                             httpd_port(s->h, 0));
        }
        return n < 0 || (size_t)n >= sizeof s->base
                       ? diag_set(d, ODM_ELIMIT, "images.url: is too long")
                       : 0;
}

/* Those who find images by the store alone have it from there. */
static int keep_base(gateway *g, odm_str base)
{
        store_batch *b = store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_SETTING_PUT) : NULL;
        int rc = ODM_ENOMEM;

        if (op) {
                op->setting.key = IMAGE_BASE;
                op->setting.value = base;
                rc = gw_write(g, b);
        }
        store_batch_free(b);
        return rc;
}

static int start(image_server *s, const char *listen, diag *d)
{
        httpd_listener l;
        httpd_opt opt;
        int rc;

        httpd_listener_init(&l);
        if (net_hostport_parse(listen, &l.addr) < 0)
                return diag_set(d, ODM_EINVAL, "images.listen: %s is no address:port", listen);
        l.app = (httpd_app){on_head, on_request, s};
        httpd_opt_init(&opt);
        opt.server_name = "xrem";
        rc = httpd_start(&opt, &l, 1, &s->h, d);
        if (rc == 0)
                rc = find_base(s, &l.addr, d);
        if (rc == 0)
                rc = keep_base(s->g, odm_cstr(s->base));
        return rc;
}

int image_server_open(gateway *g, image_server **out, diag *d)
{
        const char *listen = cfg_str(gw_conf(g), "images.listen");
        image_server *s;
        int rc;

        if (!listen) {
                *out = NULL;
                return keep_base(g, ODM_ABSENT);
        }
        s = calloc(1, sizeof *s);
        if (!s)
                return ODM_ENOMEM;
        s->g = g;
        s->store = gw_store(g);
        s->folder = strdup(gw_folder(g));
        rc = s->folder ? start(s, listen, d) : ODM_ENOMEM;
        if (rc < 0) {
                image_server_close(s);
                return rc;
        }
        log_info("images are served", log_text("url", s->base));
        *out = s;
        return 0;
}

void image_server_close(image_server *s)
{
        if (!s)
                return;
        httpd_stop(s->h, 1000);
        free(s->folder);
        free(s);
}

odm_str image_server_base(const image_server *s)
{
        return s ? odm_cstr(s->base) : ODM_ABSENT;
}

uint16_t image_server_port(const image_server *s)
{
        return s ? httpd_port(s->h, 0) : 0;
}
