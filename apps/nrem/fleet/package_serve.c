/* SPDX-License-Identifier: Apache-2.0 */
/* Devices fetch contents and signatures; who knows the hash may. */
#include "package_serve.h"

#include <unistd.h>

#include "heap.h"
#include "log.h"
#include "package_part.h"

#define ROW_MEMORY ((size_t)256 << 10)

extern const fleet_part part_package;

bool package_asked(const httpd_req *r)
{
        return odm_str_starts(httpd_path(r), PACKAGE_PATH);
}

static void send_signature(httpd_req *r, const package *p)
{
        const http_field kept = {ODM_STR("Cache-Control"), ODM_STR("no-cache")};
        const httpd_reply reply = {.status = 200,
                                   .type = "application/octet-stream",
                                   .fields = &kept,
                                   .n_fields = 1,
                                   .body = p->signature,
                                   .no_gzip = true};

        httpd_send(r, &reply);
}

static void send_content(packages *s, httpd_req *r, const package *p)
{
        const http_field kept = {ODM_STR("Cache-Control"), ODM_STR("public, immutable")};
        httpd_file f = {.etag = p->sha256, .fields = &kept, .n_fields = 1};
        char type[128];

        f.fd = blobs_open(s->blobs, p->sha256, &f.size);
        if (f.fd < 0 || f.size != p->size) {
                log_error("the content of a package is not there", log_int("package", p->id),
                          log_str("name", p->name), log_str("sha256", p->sha256));
                if (f.fd >= 0)
                        close(f.fd);
                httpd_send_text(r, 503, "not there now");
                return;
        }
        (void)snprintf(type, sizeof type, "%.*s", (int)p->type.n, p->type.p);
        f.type = type;
        atomic_fetch_add(&s->served, 1);
        httpd_send_file(r, &f);
}

static bool is_method(const httpd_req *r)
{
        return odm_str_is(httpd_method(r), "GET") || odm_str_is(httpd_method(r), "HEAD");
}

void package_serve(fleet *f, httpd_req *r)
{
        packages *s = fleet_self(f, &part_package);
        package key = {0}, p;
        package_path path;
        bool signature = false;
        odm_arena a;
        int rc = ODM_ENOENT;

        if (!is_method(r)) {
                httpd_send_text(r, 405, "only GET and HEAD");
                return;
        }
        odm_arena_init(&a, &heap_mem, ROW_MEMORY);
        if (package_path_read(httpd_path(r), &path)) {
                key.id = path.id;
                rc = store_row_get(s->host->store, &table_package, &key, &a, &p);
        }
        if (rc == 0 && !package_path_is(&path, &p, &signature))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                httpd_send_text(r, 404, "not found");
        else if (rc < 0)
                httpd_send_text(r, 503, "not now");
        else if (signature)
                send_signature(r, &p);
        else
                send_content(s, r, &p);
        odm_arena_done(&a);
}
