/* SPDX-License-Identifier: Apache-2.0 */
#include "readable.h"

#include <string.h>

#include "gateway.h"
#include "heap.h"
#include "odm/view.h"

static const odm_str mask = {READABLE_MASK, sizeof READABLE_MASK - 1};

bool readable_is_secret(odm_str uri)
{
        return odm_is_secret(uri);
}

bool readable_names_secret(odm_str s)
{
        for (const char *const *name = odm_secret_nodes; *name; name++)
                if (s.p && memmem(s.p, s.n, *name, strlen(*name)))
                        return true;
        return false;
}

typedef struct masked { /* what is not shown */
        bool secrets, addresses;
} masked;

static void mask_meta(odm_meta *m)
{
        if (m->next_nonce.p) {
                m->next_nonce = mask;
                m->nonce_raw = false;
        }
}

static void mask_cred(odm_cred *c)
{
        if (c->data.p)
                c->data = mask;
        mask_meta(&c->meta);
}

/* The address of the node that the item of a command, of Results or of an alert is about. */
static bool tells_place(const odm_command *c, const odm_item *i)
{
        odm_meta m = odm_meta_of(c, i);
        odm_str format =
                m.format == ODM_FMT_ABSENT ? ODM_STR("chr") : odm_cstr(odm_format_name(m.format));

        return (i->source.p && gateway_has_addresses(i->source, format)) ||
               (i->target.p && gateway_has_addresses(i->target, format));
}

static void mask_secret(odm_item *i)
{
        mask_meta(&i->meta);
        if (i->data.kind == ODM_DATA_ABSENT)
                return;
        if (readable_is_secret(i->target) || readable_is_secret(i->source) ||
            readable_names_secret(i->data.bytes))
                i->data = (odm_data){ODM_DATA_TEXT, mask};
}

static void mask_list(odm_command *c, const masked *m)
{
        for (; c; c = c->next) {
                if (m->secrets)
                        mask_meta(&c->meta); /* or a Status' chal, which is the same */
                if (m->secrets && c->cred)
                        mask_cred(c->cred);
                for (odm_item *i = c->items; i; i = i->next) {
                        if (m->secrets)
                                mask_secret(i);
                        if (m->addresses && i->data.kind != ODM_DATA_ABSENT && tells_place(c, i))
                                i->data = (odm_data){ODM_DATA_TEXT, mask};
                }
        }
}

/* Sequence holds Atomic at most, and the decoder's depth is limited: three levels. */
static void mask_message(odm_msg *m, const masked *w)
{
        if (w->secrets) {
                mask_cred(&m->hdr.cred);
                mask_meta(&m->hdr.meta);
        }
        mask_list(m->body, w);
        for (odm_command *c = m->body; c; c = c->next) {
                mask_list(c->body, w);
                for (odm_command *d = c->body; d; d = d->next) {
                        mask_list(d->body, w);
                        for (odm_command *e = d->body; e; e = e->next)
                                e->body = NULL; /* nothing of DM is that deep: not shown */
                }
        }
}

int readable_xml(odm_str bytes, bool secrets, bool addresses, odm_arena *a, odm_str *out)
{
        const odm_codec *codec = odm_codec_guess(bytes);
        odm_limits lim;
        odm_buf flat, pretty;
        odm_msg *m;
        int rc;

        if (!codec)
                return ODM_EMALFORMED;
        odm_limits_init(&lim);
        lim.max_msg = (size_t)16 << 20;
        odm_buf_init(&flat, &heap_mem, (size_t)64 << 20);
        odm_buf_init(&pretty, &heap_mem, (size_t)128 << 20);
        rc = odm_decode(codec, bytes, &lim, a, &m);
        if (rc < 0)
                goto out;
        rc = odm_msg_convert(m, &odm_codec_xml, a);
        if (rc == ODM_EMALFORMED) /* a broken document inside: the message is shown all the same */
                rc = 0;
        if (rc < 0)
                goto out;
        if (!secrets || !addresses)
                mask_message(m, &(masked){!secrets, !addresses});
        rc = odm_encode(&odm_codec_xml, m, &flat);
        if (rc == 0)
                rc = odm_xml_pretty(odm_buf_view(&flat), &lim, &pretty);
        if (rc < 0)
                goto out;
        odm_str text = odm_arena_copy(a, odm_buf_view(&pretty));
        rc = text.p ? 0 : odm_arena_err(a);
        if (rc == 0)
                *out = text;
out:
        odm_buf_done(&flat);
        odm_buf_done(&pretty);
        return rc;
}
