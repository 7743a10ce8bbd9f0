/* SPDX-License-Identifier: Apache-2.0 */
/* Images of the gateway, by block transfer: coap://GATEWAY/img/ID. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "images.h"
#include "log.h"
#include "lwm2m_inner.h"

#define IMAGE_MEMORY 65536

void lw_serve_image(lwm2m *a, co_request *r, const co_msg *m)
{
        odm_arena mem;
        gw_image i;
        co_msg out;
        co_file f = {.fd = -1};
        odm_str id = odm_str_from(m->path, sizeof GW_IMAGE_PATH - 2);
        int rc;

        if (m->code != CO_GET) {
                co_answer_code(r, CO_NOT_ALLOWED);
                return;
        }
        odm_arena_init(&mem, &heap_mem, IMAGE_MEMORY);
        rc = gw_image_get(a->store, a->host.folder, id, &mem, &i);
        if (rc == 0) {
                f = (co_file){.fd = open(i.path.p, O_RDONLY | O_CLOEXEC),
                              .size = i.size,
                              .sent = a->host.image_octets};
                rc = f.fd < 0 ? ODM_EIO : 0;
        }
        odm_arena_done(&mem);
        if (rc < 0) {
                co_answer_code(r, rc == ODM_ENOENT   ? CO_NOT_FOUND
                                  : rc == ODM_ESTATE ? CO_UNAVAILABLE
                                                     : CO_SERVER_ERROR);
                return;
        }
        a->images++;
        ++*a->host.images_served;
        co_msg_init(&out, CO_CONTENT);
        out.format = ODM_LW_OPAQUE;
        out.file = &f;
        co_answer(r, &out);
}

odm_str lw_serve_url(const client *c, odm_str http, odm_arena *mem)
{
        const char *base = c->secure ? c->a->secure_url : c->a->url;
        const char *at;

        if (!base || !http.p)
                return ODM_ABSENT;
        at = memmem(http.p, http.n, GW_IMAGE_PATH, sizeof GW_IMAGE_PATH - 1);
        if (!at)
                return ODM_ABSENT;
        return odm_arena_fmt(mem, "%s%.*s", base, (int)(http.n - (size_t)(at - http.p)), at);
}
