/* SPDX-License-Identifier: Apache-2.0 */
/* A device without an account asks for one: GET PATH/bootstrap?id=DEVICEID (&man= &mod= &type=). It
 * gets the document of ./GwMO/Config/Bootstrap that fits it as a bootstrap message, which `dremd
 * --bootstrap` takes, proved by a key that device and network both know
 * (dm-security-bootstrap-notification.md part C).
 *
 * The message is proved, not secret: so it is given over TLS, or to this machine alone. */
#include <string.h>

#include "heap.h"
#include "log.h"
#include "odm/bootstrap.h"
#include "odm/codec.h"
#include "omadm_inner.h"

#define MEMORY ((size_t)1 << 20)
#define PATH_END "/bootstrap"

bool boot_is_asked(const omadm *a, const httpd_req *r)
{
        odm_str path = httpd_path(r), start = odm_cstr(cfg_str(a->conf, "omadm.path"));

        return cfg_str(a->conf, "omadm.bootstrap_key") && path.n > start.n &&
               odm_str_eq(odm_str_to(path, start.n), start) &&
               odm_str_is(odm_str_from(path, start.n), PATH_END);
}

static int sign(const omadm *a, odm_str doc, odm_buf *out)
{
        const odm_boot_keys keys = {.network = odm_cstr(cfg_str(a->conf, "omadm.bootstrap_key"))};
        odm_boot b;
        int rc = odm_boot_sign(ODM_BOOT_DM, ODM_BOOT_NETWORK, &keys, doc, &b);

        return rc == 0 ? odm_boot_put_mime(&b, out) : rc;
}

static int make(const omadm *a, odm_str id, odm_str tnds, odm_arena *m, odm_buf *out)
{
        odm_limits lim;
        odm_doc *doc;
        odm_buf message;
        int rc;

        odm_limits_init(&lim);
        rc = odm_doc_decode(tnds, &lim, m, &doc);
        if (rc < 0)
                return rc;
        odm_buf_init(&message, &heap_mem, ODM_BOOT_MAX);
        rc = odm_boot_make_of(doc, id, odm_cstr(cfg_str(a->conf, "omadm.server_id")), &message);
        if (rc == 0)
                rc = sign(a, odm_buf_view(&message), out);
        if (message.n)
                odm_wipe(message.p, message.n);
        odm_buf_done(&message);
        return rc;
}

static int answer(omadm *a, httpd_req *r, odm_arena *m, odm_buf *out)
{
        const adapter_device d = {.id = httpd_query(r, "id"),
                                  .man = httpd_query(r, "man"),
                                  .mod = httpd_query(r, "mod"),
                                  .dev_type = httpd_query(r, "type"),
                                  .protocol = ODM_STR("OMA-DM/1.2")};
        odm_str tnds;
        int rc;

        if (!d.id.n || !a->host.bootstrap)
                return ODM_ENOENT;
        rc = a->host.bootstrap(a->host.ctx, &d, m, &tnds);
        return rc == 0 ? make(a, d.id, tnds, m, out) : rc;
}

typedef struct asking {
        omadm *a;
        httpd_req *r;
} asking;

/* The tree is the loop's. */
static void on_asked(void *ctx)
{
        asking x = *(asking *)ctx;
        odm_arena m;
        odm_buf b;
        int rc;

        odm_free(&heap_mem, ctx, sizeof x);
        odm_arena_init(&m, &heap_mem, MEMORY);
        odm_buf_init(&b, &heap_mem, 2 * ODM_BOOT_MAX);
        rc = x.a->closing ? ODM_ESTATE : answer(x.a, x.r, &m, &b);
        if (rc == 0)
                httpd_send(x.r, &(httpd_reply){.status = 200,
                                               .type = "application/octet-stream",
                                               .body = odm_buf_view(&b),
                                               .no_gzip = true});
        else
                httpd_send_text(x.r, rc == ODM_ENOENT ? 404 : 503,
                                rc == ODM_ENOENT ? "there is nothing for this device"
                                                 : "try again later");
        if (rc < 0 && rc != ODM_ENOENT)
                log_warn("no bootstrap message could be made", log_err(rc));
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        odm_arena_done(&m);
}

void boot_handle(omadm *a, httpd_req *r)
{
        asking *x;

        if (!httpd_is_tls(r) && !net_addr_is_loopback(httpd_peer(r))) {
                httpd_send_text(r, 403, "over TLS only");
                return;
        }
        if (!odm_str_is(httpd_method(r), "GET")) {
                httpd_send_text(r, 405, "messages are fetched by GET");
                return;
        }
        x = odm_alloc(&heap_mem, sizeof *x);
        if (x) {
                *x = (asking){a, r};
                if (loop_post(a->loop, on_asked, x) == 0)
                        return;
                odm_free(&heap_mem, x, sizeof *x);
        }
        httpd_send_text(r, 503, "try again later");
}
