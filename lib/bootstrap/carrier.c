/* SPDX-License-Identifier: Apache-2.0 */
/* What carries a bootstrap document, and says what it is and how it is proved: a WSP push, or a
 * MIME header with an empty line behind it (dm-security-bootstrap-notification.md C2.1 and C3).
 *
 *     01 06 hl | 1f len  b6  91 81  92 40*hex 00 | document        (c2 for DM)
 *               `-- content type, SEC, MAC -----'                                             */
#include <string.h>

#include "odm/bootstrap.h"
#include "odm/notify.h"

#define MAC_TEXT 40 /* as hexadecimal text */
#define PARM_SEC 0x91
#define PARM_MAC 0x92
#define SHORT 0x80 /* a number below 128 as one octet */
#define LENGTH_QUOTE 0x1f
#define LONGEST_SHORT_LENGTH 0x1e
#define PDU_PUSH 0x06

static const struct type {
        uint8_t code;
        const char *mime;
} types[] = {
        [ODM_BOOT_DM] = {0x42, "application/vnd.syncml.dm+wbxml"},
        [ODM_BOOT_CP] = {0x36, "application/vnd.wap.connectivity-wbxml"},
};

static const char *const sec_names[][4] = {
        [ODM_BOOT_DM] = {"NETWORKID", "USERPIN", "USERPIN_NETWORKID", NULL},
        [ODM_BOOT_CP] = {"NETWPIN", "USERPIN", "USERNETWPIN", "USERPINMAC"},
};

const char *odm_boot_sec_name(odm_boot_profile p, odm_boot_sec s)
{
        return sec_names[p][s];
}

int odm_boot_sec_parse(odm_str word, odm_boot_sec *out)
{
        uint64_t number;

        if (odm_str_u64(word, ODM_BOOT_USER_MAC, &number) == 0) {
                *out = (odm_boot_sec)number;
                return 0;
        }
        for (size_t p = 0; p < ODM_COUNT(sec_names); p++)
                for (size_t i = 0; i < ODM_COUNT(sec_names[p]); i++)
                        if (sec_names[p][i] && odm_str_ieq(word, sec_names[p][i])) {
                                *out = (odm_boot_sec)i;
                                return 0;
                        }
        return ODM_EMALFORMED;
}

/* ---- what the header says ---------------------------------------------------------- */

struct header {
        bool has_type, has_sec, has_mac;
        odm_boot_profile profile;
        odm_boot_sec sec;
        uint8_t mac[ODM_BOOT_MAC_LEN];
};

static int hex(char c)
{
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
}

static bool take_mac(struct header *h, odm_str text)
{
        if (text.n != MAC_TEXT || h->has_mac)
                return false;
        for (size_t i = 0; i < ODM_BOOT_MAC_LEN; i++) {
                int high = hex(text.p[2 * i]), low = hex(text.p[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                h->mac[i] = (uint8_t)(high << 4 | low);
        }
        h->has_mac = true;
        return true;
}

static bool take_sec(struct header *h, odm_str word)
{
        if (h->has_sec || odm_boot_sec_parse(word, &h->sec) < 0)
                return false;
        h->has_sec = true;
        return true;
}

/* A parameter as text; others than ours say nothing to us. */
static bool take_parameter(struct header *h, odm_str name, odm_str value)
{
        if (value.n >= 2 && *value.p == '"' && value.p[value.n - 1] == '"')
                value = odm_str_to(odm_str_from(value, 1), value.n - 2);
        if (odm_str_ieq(name, "SEC"))
                return take_sec(h, value);
        if (odm_str_ieq(name, "MAC"))
                return take_mac(h, value);
        return true;
}

static void take_type(struct header *h, odm_str mime)
{
        for (size_t i = 0; i < ODM_COUNT(types); i++)
                if (odm_str_ieq(mime, types[i].mime)) {
                        h->has_type = true;
                        h->profile = (odm_boot_profile)i;
                }
}

/* ---- WSP ------------------------------------------------------------------------------ */

/* Text up to its zero, which must be there. */
static bool take_text(odm_str *s, odm_str *out)
{
        const char *zero = s->n ? memchr(s->p, 0, s->n) : NULL;

        if (zero == NULL)
                return false;
        *out = odm_str_to(*s, (size_t)(zero - s->p));
        *s = odm_str_from(*s, out->n + 1);
        return true;
}

static bool take_coded_sec(struct header *h, odm_str *s)
{
        odm_str word;

        if (s->n && (uint8_t)*s->p & SHORT) {
                unsigned v = (uint8_t)*s->p & 0x7f;
                *s = odm_str_from(*s, 1);
                if (h->has_sec || v > ODM_BOOT_USER_MAC)
                        return false;
                h->sec = (odm_boot_sec)v;
                h->has_sec = true;
                return true;
        }
        return take_text(s, &word) && take_sec(h, word);
}

static bool take_coded_parameter(struct header *h, odm_str *s)
{
        uint8_t c = (uint8_t)*s->p;
        odm_str name, value;

        if (c == PARM_SEC || c == PARM_MAC)
                *s = odm_str_from(*s, 1);
        if (c == PARM_SEC)
                return take_coded_sec(h, s);
        if (c == PARM_MAC)
                return take_text(s, &value) && take_mac(h, value);
        if (c & SHORT) /* one we do not know: a short number, or text */
                *s = odm_str_from(*s, 1);
        else if (!take_text(s, &name))
                return false;
        if (s->n && (uint8_t)*s->p & SHORT) {
                *s = odm_str_from(*s, 1);
                return (c & SHORT) || !(odm_str_ieq(name, "SEC") || odm_str_ieq(name, "MAC"));
        }
        return take_text(s, &value) && ((c & SHORT) || take_parameter(h, name, value));
}

static int read_push(odm_str type, struct header *h)
{
        uint8_t c = (uint8_t)*type.p;
        odm_str mime;

        if (c & SHORT) {
                for (size_t i = 0; i < ODM_COUNT(types); i++)
                        if (c == (SHORT | types[i].code))
                                take_type(h, odm_cstr(types[i].mime));
                type = odm_str_from(type, 1);
        } else {
                if (!take_text(&type, &mime))
                        return ODM_EMALFORMED;
                take_type(h, mime);
        }
        if (!h->has_type)
                return ODM_EUNSUPPORTED;
        while (type.n)
                if (!take_coded_parameter(h, &type))
                        return ODM_EMALFORMED;
        return 0;
}

/* ---- MIME -------------------------------------------------------------------------------- */

static odm_str cut_at(odm_str *s, char c)
{
        const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
        odm_str head = at ? odm_str_to(*s, (size_t)(at - s->p)) : *s;

        *s = odm_str_from(*s, head.n + (at != NULL));
        return odm_str_trim(head);
}

static int read_content_type(odm_str value, struct header *h)
{
        take_type(h, cut_at(&value, ';'));
        if (!h->has_type)
                return ODM_EUNSUPPORTED;
        while (value.n) {
                odm_str parm = cut_at(&value, ';'), name = cut_at(&parm, '=');
                if (!take_parameter(h, name, odm_str_trim(parm)))
                        return ODM_EMALFORMED;
        }
        return 0;
}

/* Header lines up to an empty one; only Content-Type is read. */
static int read_mime(odm_str in, struct header *h, odm_str *doc)
{
        bool typed = false;

        while (in.n) {
                odm_str line = cut_at(&in, '\n');
                if (line.n == 0) {
                        *doc = in;
                        return typed ? 0 : ODM_EMALFORMED;
                }
                odm_str name = cut_at(&line, ':');
                if (!odm_str_ieq(name, "Content-Type"))
                        continue;
                if (typed)
                        return ODM_EMALFORMED;
                typed = true;
                int rc = read_content_type(line, h);
                if (rc < 0)
                        return rc;
        }
        return ODM_EMALFORMED;
}

int odm_boot_parse(odm_str in, odm_boot *out)
{
        struct header h = {.has_type = false};
        odm_str type, doc;
        int rc;

        if (in.n > ODM_BOOT_MAX)
                return ODM_ELIMIT;
        if (odm_wsp_parts(in, &type, &doc) == 0)
                rc = read_push(type, &h);
        else
                rc = read_mime(in, &h, &doc);
        if (rc < 0)
                return rc;
        bool pin_proves = h.has_sec && h.sec == ODM_BOOT_USER_MAC && h.profile == ODM_BOOT_CP;
        if (doc.n == 0)
                return ODM_EMALFORMED;
        if (!h.has_sec || (!h.has_mac && !pin_proves) ||
            (h.sec == ODM_BOOT_USER_MAC && !pin_proves))
                return ODM_EACCESS;
        *out = (odm_boot){.profile = h.profile, .sec = h.sec, .doc = doc, .tries = ODM_BOOT_TRIES};
        memcpy(out->mac, h.mac, sizeof h.mac);
        return 0;
}

/* ---- making ---------------------------------------------------------------------------- */

static void mac_text(const odm_boot *b, char out[MAC_TEXT])
{
        for (size_t i = 0; i < ODM_BOOT_MAC_LEN; i++) {
                out[2 * i] = "0123456789ABCDEF"[b->mac[i] >> 4];
                out[2 * i + 1] = "0123456789ABCDEF"[b->mac[i] & 15];
        }
}

int odm_boot_put_mime(const odm_boot *b, odm_buf *out)
{
        bool has_mac = b->sec != ODM_BOOT_USER_MAC;
        char mac[MAC_TEXT];
        size_t start = out->n;
        int rc;

        mac_text(b, mac);
        rc = odm_buf_fmt(out, "Content-Type: %s; SEC=%s%s%.*s\r\n\r\n", types[b->profile].mime,
                         odm_boot_sec_name(b->profile, b->sec), has_mac ? "; MAC=" : "",
                         has_mac ? MAC_TEXT : 0, mac);
        if (rc == 0)
                rc = odm_buf_str(out, b->doc);
        if (rc < 0)
                odm_buf_cut(out, start);
        return rc;
}

int odm_boot_put_push(const odm_boot *b, uint8_t tid, odm_buf *out)
{
        uint8_t head[16 + MAC_TEXT], *p = head;
        uint8_t n = b->sec == ODM_BOOT_USER_MAC ? 3 : 3 + 1 + MAC_TEXT + 1;
        bool quoted = n > LONGEST_SHORT_LENGTH;
        int rc;

        *p++ = tid;
        *p++ = PDU_PUSH;
        *p++ = (uint8_t)(n + 1 + quoted + (b->profile == ODM_BOOT_DM ? 2 : 0));
        if (quoted)
                *p++ = LENGTH_QUOTE;
        *p++ = n;
        *p++ = SHORT | types[b->profile].code;
        *p++ = PARM_SEC;
        *p++ = (uint8_t)(SHORT | (unsigned)b->sec);
        if (b->sec != ODM_BOOT_USER_MAC) {
                *p++ = PARM_MAC;
                mac_text(b, (char *)p);
                p += MAC_TEXT;
                *p++ = 0;
        }
        if (b->profile == ODM_BOOT_DM) { /* X-WAP-Application-ID: 7, which is ours (B5) */
                *p++ = 0xaf;
                *p++ = 0x87;
        }
        rc = odm_buf_reserve(out, (size_t)(p - head) + b->doc.n);
        if (rc == 0)
                rc = odm_buf_put(out, head, (size_t)(p - head));
        return rc == 0 ? odm_buf_str(out, b->doc) : rc;
}
