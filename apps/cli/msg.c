/* SPDX-License-Identifier: Apache-2.0 */
/* xrem msg: messages made readable, and changed from one codec to the other. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "io.h"
#include "odm/codec.h"
#include "summary.h"
#include "where.h"

typedef struct input {
        const char *name; /* for messages */
        odm_str octets;
        const odm_codec *codec;
        odm_msg *msg;
        odm_limits lim;
} input;

static bool is_message(odm_str in)
{
        return odm_codec_guess(in) != NULL;
}

static int read_message(xrem *c, const xrem_args *a, input *in)
{
        const char *path = a->n_words ? a->word[0] : "-";
        int rc = xrem_read_file(c, path, &in->octets);

        if (rc != XREM_OK)
                return rc;
        in->name = strcmp(path, "-") ? path : "standard input";
        in->octets = xrem_unwrap_text(c, in->octets, is_message);
        odm_limits_init(&in->lim);
        in->lim.max_msg = XREM_FILE_MAX;
        in->codec = odm_codec_guess(in->octets);
        rc = in->codec ? odm_decode(in->codec, in->octets, &in->lim, &c->arena, &in->msg)
                       : ODM_EMALFORMED;
        return rc < 0 ? xrem_bad_document(c, in->name, in->octets, rc, "SyncML message") : XREM_OK;
}

/* Encodes into `b`; XREM_OK or XREM_BAD_INPUT. */
static int encode(xrem *c, input *in, const odm_codec *to, odm_buf *b)
{
        int rc = odm_msg_convert(in->msg, to, &c->arena);

        if (rc == 0)
                rc = odm_encode(to, in->msg, b);
        if (rc == ODM_ENOMEM)
                xrem_out_of_memory();
        if (rc < 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: cannot be written as %s: %s", in->name,
                                 odm_codec_name(to), odm_err_text(rc));
        return XREM_OK;
}

/* XML is shown as it came, with what we would not understand; WBXML by way of the codec. */
static int pretty(xrem *c, input *in, odm_buf *out)
{
        odm_buf xml;
        int rc = XREM_OK;

        odm_buf_init(&xml, &heap_mem, XREM_FILE_MAX);
        odm_str text = in->octets;
        if (odm_codec_is_binary(in->codec)) {
                rc = encode(c, in, &odm_codec_xml, &xml);
                text = odm_buf_view(&xml);
        }
        if (rc == XREM_OK) {
                int err = odm_xml_pretty(text, &in->lim, out);

                if (err < 0)
                        rc = xrem_bad_document(c, in->name, text, err, "SyncML message");
        }
        odm_buf_done(&xml);
        return rc;
}

int xrem_run_msg_decode(xrem *c, const xrem_args *a)
{
        input in = {0};
        odm_buf out;
        int rc = read_message(c, a, &in);

        if (rc != XREM_OK)
                return rc;
        if (xrem_has(a, "summary")) {
                xrem_summary(c, in.msg, 0);
                return XREM_OK;
        }
        odm_buf_init(&out, &heap_mem, XREM_FILE_MAX);
        rc = pretty(c, &in, &out);
        if (rc == XREM_OK)
                rc = xrem_write_file(c, xrem_value(a, "output"), odm_buf_view(&out), false);
        odm_buf_done(&out);
        return rc;
}

int xrem_run_msg_convert(xrem *c, const xrem_args *a)
{
        const char *word = xrem_value(a, "to");
        const odm_codec *to = NULL;
        input in = {0};
        odm_buf out;

        if (word && strcmp(word, "xml") == 0)
                to = &odm_codec_xml;
        else if (word && strcmp(word, "wbxml") == 0)
                to = &odm_codec_wbxml;
        else if (word)
                return xrem_fail(XREM_USAGE, "--to: '%s' is neither xml nor wbxml", word);
        int rc = read_message(c, a, &in);
        if (rc != XREM_OK)
                return rc;
        if (to == NULL)
                to = odm_codec_is_binary(in.codec) ? &odm_codec_xml : &odm_codec_wbxml;
        odm_buf_init(&out, &heap_mem, XREM_FILE_MAX);
        rc = encode(c, &in, to, &out);
        if (rc == XREM_OK)
                rc = xrem_write_file(c, xrem_value(a, "output"), odm_buf_view(&out),
                                     odm_codec_is_binary(to));
        odm_buf_done(&out);
        return rc;
}
