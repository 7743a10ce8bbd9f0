/* SPDX-License-Identifier: Apache-2.0 */
/* What a host must know of a message before there is a session: whose it is
 * (dm-protocol.md 1.1).  Only the header is looked at; nothing of it is believed. */
#include <string.h>

#include "odm/server.h"

/* The user inside a basic Cred; text that is no base64 names nobody. */
static int basic_user(const odm_cred *cred, odm_arena *a, odm_str *out)
{
        odm_str plain;
        int rc = odm_b64_decode(a, cred->data, &plain);

        if (rc == ODM_EMALFORMED)
                return 0;
        if (rc < 0)
                return rc;
        const char *colon = plain.n ? memchr(plain.p, ':', plain.n) : NULL;
        if (colon)
                *out = odm_str_to(plain, (size_t)(colon - plain.p));
        return 0;
}

int odm_server_peek(const odm_codec *codec, odm_str body, const odm_limits *lim, odm_arena *a,
                    odm_peek *out)
{
        odm_msg *m;
        odm_str user = ODM_ABSENT;
        int rc = odm_decode(codec, body, lim, a, &m);

        if (rc < 0)
                return rc;
        const odm_hdr *h = &m->hdr;
        if (h->cred.present && odm_auth_parse(h->cred.meta.type) == ODM_AUTH_BASIC)
                rc = basic_user(&h->cred, a, &user);
        if (rc < 0)
                return rc;
        *out = (odm_peek){
                .session_id = h->session_id,
                .msg_id = h->msg_id,
                .source = h->source,
                .user = h->source_name,
                .target = h->target,
                .cred_user = user,
        };
        return 0;
}
