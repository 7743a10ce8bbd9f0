/* SPDX-License-Identifier: Apache-2.0 */
/* Package 0, the wake-up of a server (dm-security-bootstrap-notification.md part B).
 *
 *     0          16  17  18      21         23  24
 *     +-----------+---+---+------+----------+---+----------------+--------
 *     | digest    | version, ui, | sessionid| n | n octets of    | vendor
 *     | (MD5)     | initiator, 0 |          |   | Server Id      |
 *     +-----------+--------------+----------+---+----------------+--------
 *                 |<-- trigger: what the digest covers ------------------->  */
#include <nettle/base64.h>
#include <nettle/md5.h>
#include <stdio.h>

#include "odm/notify.h"

#define DIGEST 16
#define HEAD 24 /* octets before the Server Identifier */
#define VERSION_OLDEST 10
#define VERSION_NEWEST 13

/* MD5(secret ":" nonce ":" B64(MD5(trigger))), raw. */
static void digest_of(const odm_secret *secret, const odm_nonce *nonce, odm_str trigger,
                      uint8_t out[DIGEST])
{
        struct md5_ctx h;
        char inner[ODM_SECRET_LEN];
        uint8_t d[DIGEST];

        md5_init(&h);
        md5_update(&h, trigger.n, (const uint8_t *)trigger.p);
        md5_digest(&h, DIGEST, d);
        base64_encode_raw(inner, DIGEST, d);
        md5_update(&h, sizeof secret->b64, (const uint8_t *)secret->b64);
        md5_update(&h, 1, (const uint8_t *)":");
        md5_update(&h, nonce->n, nonce->p);
        md5_update(&h, 1, (const uint8_t *)":");
        md5_update(&h, sizeof inner, (const uint8_t *)inner);
        md5_digest(&h, DIGEST, out);
        odm_wipe(&h, sizeof h);
}

static bool in_range(const odm_notification *n)
{
        return n->version >= VERSION_OLDEST && n->version <= VERSION_NEWEST &&
               n->ui <= ODM_UI_INTERACTION && n->session_id != 0 && n->server_id.n >= 1 &&
               n->server_id.n <= 255 && n->vendor.n <= ODM_NOTIFY_MAX &&
               HEAD + n->server_id.n + n->vendor.n <= ODM_NOTIFY_MAX;
}

int odm_notify_make(const odm_notification *n, const odm_secret *secret, const odm_nonce *nonce,
                    odm_buf *b)
{
        uint8_t head[HEAD] = {0};
        size_t start = b->n;
        int rc;

        if (!in_range(n))
                return ODM_EINVAL;
        head[16] = (uint8_t)(n->version >> 2);
        head[17] = (uint8_t)((n->version & 3) << 6 | (unsigned)n->ui << 4 |
                             (unsigned)n->by_server << 3);
        head[21] = (uint8_t)(n->session_id >> 8);
        head[22] = (uint8_t)n->session_id;
        head[23] = (uint8_t)n->server_id.n;
        rc = odm_buf_reserve(b, HEAD + n->server_id.n + n->vendor.n);
        if (rc == 0)
                rc = odm_buf_put(b, head, HEAD);
        if (rc == 0)
                rc = odm_buf_str(b, n->server_id);
        if (rc == 0)
                rc = odm_buf_str(b, n->vendor);
        if (rc < 0) {
                odm_buf_cut(b, start);
                return rc;
        }
        digest_of(secret, nonce, odm_str_from(odm_buf_view(b), start + DIGEST),
                  (uint8_t *)b->p + start);
        return 0;
}

int odm_notify_parse(odm_str in, odm_notification *out)
{
        const uint8_t *p = (const uint8_t *)in.p;

        if (in.n < HEAD || in.n > ODM_NOTIFY_MAX || p[23] == 0 || (size_t)HEAD + p[23] > in.n)
                return ODM_EMALFORMED;
        odm_notification n = {
                .version = (uint16_t)(p[16] << 2 | p[17] >> 6),
                .ui = (odm_ui_mode)(p[17] >> 4 & 3),
                .by_server = p[17] & 8,
                .session_id = (uint16_t)(p[21] << 8 | p[22]),
                .server_id = odm_str_to(odm_str_from(in, HEAD), p[23]),
                .vendor = odm_str_from(in, (size_t)HEAD + p[23]),
        };
        if (!in_range(&n)) /* future-use bits may say anything: they are not looked at */
                return ODM_EMALFORMED;
        *out = n;
        return 0;
}

static bool digest_is(odm_str in, const odm_secret *secret, const odm_nonce *nonce)
{
        uint8_t right[DIGEST];

        digest_of(secret, nonce, odm_str_from(in, DIGEST), right);
        return odm_equal_ct(in.p, right, DIGEST);
}

odm_notify_check odm_notify_verify(odm_str in, const odm_secret *secret, const odm_nonce *nonce)
{
        odm_notification n;

        if (odm_notify_parse(in, &n) < 0)
                return ODM_NOTIFY_FORGED;
        if (digest_is(in, secret, nonce))
                return ODM_NOTIFY_GOOD;
        if (digest_is(in, secret, &odm_nonce_default_zero))
                return ODM_NOTIFY_RESYNC;
        if (digest_is(in, secret, &odm_nonce_default_ascii))
                return ODM_NOTIFY_RESYNC_ASCII;
        return ODM_NOTIFY_FORGED;
}

void odm_notify_session(uint16_t id, char out[5])
{
        (void)snprintf(out, 5, "%X", id);
}
