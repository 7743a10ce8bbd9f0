/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_file.c - replies that are files: the whole, or the range that was asked for (RFC 9110 13.1,
 * 14).  The library sends from the descriptor, without TLS by sendfile(); what is counted it has
 * from us piece by piece. */
#include "httpd_inner.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)
#define FIELDS_OWN 3
#define FIELDS_GIVEN 8

/* What of the file goes into the reply. */
typedef struct slice {
        unsigned status;
        uint64_t first, n;
} slice;

/* Whether a list of tags, as the peer sent it, has this one; weakly for If-None-Match. */
static bool has_tag(odm_str list, odm_str tag, bool weakly)
{
        while (list.n) {
                const char *comma = memchr(list.p, ',', list.n);
                odm_str one = odm_str_to(list, comma ? (size_t)(comma - list.p) : list.n);

                list = odm_str_from(list, one.n + (comma ? 1 : 0));
                one = odm_str_trim(one);
                if (weakly && odm_str_is(one, "*"))
                        return true;
                if (weakly && odm_str_starts(one, "W/"))
                        one = odm_str_from(one, 2);
                if (one.n == tag.n + 2 && one.p[0] == '"' && one.p[one.n - 1] == '"' &&
                    odm_str_eq((odm_str){one.p + 1, tag.n}, tag))
                        return true;
        }
        return false;
}

static slice find_slice(const httpd_req *r, const httpd_file *f)
{
        odm_str range = httpd_field(r, "range"), only = httpd_field(r, "if-range"),
                none = httpd_field(r, "if-none-match");
        slice s = {200, 0, f->size};
        int rc = 0;

        if (none.p && f->etag.n && has_tag(none, f->etag, true))
                return (slice){304, 0, 0};
        if (!range.p || !odm_str_is(r->method, "GET") ||
            (only.p && !(f->etag.n && has_tag(only, f->etag, false))))
                return s;
        rc = http_range(range, f->size, &s.first, &s.n);
        if (rc < 0)
                return (slice){416, 0, 0};
        if (rc == 1)
                s.status = 206;
        return s;
}

typedef struct counted { /* a slice on its way */
        int fd;
        uint64_t first;
        _Atomic uint64_t *sent;
} counted;

static ssize_t read_piece(void *ctx, uint64_t at, char *buf, size_t max)
{
        const counted *c = ctx;
        ssize_t n = pread(c->fd, buf, max, (off_t)(c->first + at));

        if (n <= 0) /* it was longer when the reply began */
                return MHD_CONTENT_READER_END_WITH_ERROR;
        atomic_fetch_add(c->sent, (uint64_t)n);
        return n;
}

static void free_counted(void *ctx)
{
        counted *c = ctx;

        close(c->fd);
        free(c);
}

static struct MHD_Response *counted_body(const slice *s, int fd, _Atomic uint64_t *sent)
{
        counted *c = malloc(sizeof *c);
        struct MHD_Response *m;

        if (!c)
                return NULL;
        *c = (counted){fd, s->first, sent};
        m = MHD_create_response_from_callback(s->n, PIECE, read_piece, c, free_counted);
        if (!m)
                free(c);
        return m;
}

static struct MHD_Response *body_of(const slice *s, const httpd_file *f, int *fd)
{
        struct MHD_Response *m;

        if (s->n == 0)
                return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "",
                                                       MHD_RESPMEM_PERSISTENT);
        m = f->sent ? counted_body(s, *fd, f->sent)
                    : MHD_create_response_from_fd_at_offset64(s->n, *fd, s->first);
        if (m)
                *fd = -1; /* the response's */
        return m;
}

static http_field field(const char *name, const char *value)
{
        return (http_field){odm_cstr(name), odm_cstr(value)};
}

static struct MHD_Response *file_response(const httpd_req *r, const httpd_file *f, const slice *s,
                                          int *fd)
{
        http_field all[FIELDS_OWN + FIELDS_GIVEN];
        char tag[128], range[80];
        size_t n = 0;

        if (f->n_fields > FIELDS_GIVEN || f->etag.n > sizeof tag - 3)
                return NULL;
        all[n++] = field("Accept-Ranges", "bytes");
        (void)snprintf(tag, sizeof tag, "\"%.*s\"", (int)f->etag.n, f->etag.p ? f->etag.p : "");
        if (f->etag.n)
                all[n++] = field("ETag", tag);
        if (s->status == 206)
                (void)snprintf(
                        range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)s->first,
                        (unsigned long long)(s->first + s->n - 1), (unsigned long long)f->size);
        else
                (void)snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)f->size);
        if (s->status == 206 || s->status == 416)
                all[n++] = field("Content-Range", range);
        for (size_t i = 0; i < f->n_fields; i++)
                all[n++] = f->fields[i];
        return httpd_finish_headers(r, body_of(s, f, fd), f->type, all, n);
}

void httpd_send_file(httpd_req *r, const httpd_file *f)
{
        static const httpd_reply poor = {.status = 500};
        struct MHD_Response *m;
        int fd = f->fd;
        slice s;

        if (httpd_reply_begin(r)) {
                s = find_slice(r, f);
                m = file_response(r, f, &s, &fd);
                r->reply_n = s.n;
                if (m)
                        httpd_reply_deliver(r, s.status, m);
                else
                        httpd_reply_deliver(r, 500, httpd_response(r, &poor));
        }
        if (fd >= 0)
                close(fd);
}
