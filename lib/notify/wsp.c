/* SPDX-License-Identifier: Apache-2.0 */
/* The connectionless WSP push around package 0 (dm-security-bootstrap-notification.md B5).
 *
 *     TID  06  headers-length  content-type  headers ...  package 0
 *
 * A content type is a short integer (C4), text with a zero behind it, or either with
 * parameters in front of which their length stands. */
#include "odm/notify.h"

#define PDU_PUSH 0x06
#define TYPE_NOTIFICATION 0x44
#define TYPE_NOTIFICATION_NEW 0x58
#define HEADER_APP_ID 0xaf
#define APP_DM 0x87
#define LENGTH_QUOTE 0x1f
#define LONGEST_SHORT_LENGTH 0x1e

int odm_wsp_wrap(uint8_t tid, odm_str package0, odm_buf *b)
{
        const uint8_t head[] = {tid, PDU_PUSH, 3, 0x80 | TYPE_NOTIFICATION, HEADER_APP_ID, APP_DM};
        int rc = odm_buf_reserve(b, sizeof head + package0.n);

        if (rc == 0)
                rc = odm_buf_put(b, head, sizeof head);
        return rc == 0 ? odm_buf_str(b, package0) : rc;
}

/* A variable-length integer (7 bits an octet, at most five octets). */
static bool take_uintvar(odm_str *s, uint32_t *out)
{
        uint32_t v = 0;

        for (size_t i = 0; i < s->n && i < 5; i++) {
                uint8_t c = (uint8_t)s->p[i];
                if (v > UINT32_MAX >> 7)
                        return false;
                v = v << 7 | (c & 0x7f);
                if (!(c & 0x80)) {
                        *out = v;
                        *s = odm_str_from(*s, i + 1);
                        return true;
                }
        }
        return false;
}

static bool is_our_text(odm_str s)
{
        size_t n = 0;

        while (n < s.n && s.p[n] != '\0')
                n++;
        odm_str type = odm_str_to(s, n);
        return odm_str_ieq(type, "application/vnd.syncml.notification") ||
               odm_str_ieq(type, "application/vnd.syncml.dm.notification");
}

static bool is_our_code(uint8_t c)
{
        return c == (0x80 | TYPE_NOTIFICATION) || c == (0x80 | TYPE_NOTIFICATION_NEW);
}

/* The content type at the beginning of the headers.  One with parameters has their length in
 * front; it may be wrong: the headers are the limit. */
static bool find_type(odm_str headers, odm_str *type)
{
        odm_str s = headers;
        uint32_t n = 0;

        if (s.n == 0)
                return false;
        uint8_t c = (uint8_t)s.p[0];
        if (c <= LENGTH_QUOTE) {
                s = odm_str_from(s, 1);
                n = c;
                if (c == LENGTH_QUOTE && !take_uintvar(&s, &n))
                        return false;
                s = odm_str_to(s, n);
        } else if (c & 0x80) {
                s = odm_str_to(s, 1);
        }
        *type = s;
        return s.n > 0;
}

int odm_wsp_parts(odm_str datagram, odm_str *type, odm_str *body)
{
        uint32_t n;
        odm_str s, found;

        if (datagram.n < 4 || datagram.p[1] != PDU_PUSH)
                return ODM_EMALFORMED;
        s = odm_str_from(datagram, 2);
        if (!take_uintvar(&s, &n) || n > s.n || !find_type(odm_str_to(s, n), &found))
                return ODM_EMALFORMED;
        *type = found;
        *body = odm_str_from(s, n);
        return 0;
}

static bool push_body(odm_str datagram, odm_str *body)
{
        odm_str type, found;

        if (odm_wsp_parts(datagram, &type, &found) < 0 ||
            !(is_our_code((uint8_t)type.p[0]) || is_our_text(type)))
                return false;
        *body = found;
        return true;
}

int odm_wsp_unwrap(odm_str datagram, odm_str *package0)
{
        odm_notification n;
        odm_str body;

        if (push_body(datagram, &body) && odm_notify_parse(body, &n) == 0) {
                *package0 = body;
                return 0;
        }
        if (odm_notify_parse(datagram, &n) < 0)
                return ODM_EMALFORMED;
        *package0 = datagram;
        return 0;
}
