/* SPDX-License-Identifier: Apache-2.0 */
/* xrem tnds: trees as documents, as lists and back. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "flat.h"
#include "io.h"

static int write_document(xrem *c, const xrem_args *a, const odm_doc *d, bool binary)
{
        const odm_codec *codec = binary ? &odm_codec_wbxml : &odm_codec_xml;
        odm_limits lim;
        odm_buf raw, nice;
        int rc;

        odm_limits_init(&lim);
        lim.max_msg = XREM_FILE_MAX;
        odm_buf_init(&raw, &heap_mem, XREM_FILE_MAX);
        odm_buf_init(&nice, &heap_mem, XREM_FILE_MAX);
        int err = odm_doc_encode(codec, d, false, &raw);
        if (err == 0 && !binary)
                err = odm_xml_pretty(odm_buf_view(&raw), &lim, &nice);
        if (err == ODM_ENOMEM)
                xrem_out_of_memory();
        if (err < 0)
                rc = xrem_fail(XREM_BAD_INPUT, "cannot write the document: %s", odm_err_text(err));
        else
                rc = xrem_write_file(c, xrem_value(a, "output"),
                                     odm_buf_view(binary ? &raw : &nice), binary);
        odm_buf_done(&raw);
        odm_buf_done(&nice);
        return rc;
}

static int convert(xrem *c, const xrem_args *a, odm_doc *d)
{
        bool binary = xrem_has(a, "wbxml");
        int rc = xrem_flat_recode(c, d, binary);

        return rc == XREM_OK ? write_document(c, a, d, binary) : rc;
}

static int list_json(xrem *c, const odm_doc *d)
{
        json_t *list = xrem_own(c, json_array());
        xrem_walk w = {.first = d->nodes, .unnamed = ""};

        while (xrem_walk_next(c, &w)) {
                xrem_flat f;
                int rc = xrem_flat_of(c, &w, &f);

                if (rc != XREM_OK)
                        return rc;
                xrem_json_push(list, xrem_flat_json(c, &f));
        }
        return xrem_print_json(json_incref(list));
}

static int list_lines(xrem *c, const xrem_args *a, const odm_doc *d)
{
        xrem_walk w = {.first = d->nodes, .unnamed = ""};
        odm_buf b;
        int rc = XREM_OK;

        odm_buf_init(&b, &heap_mem, XREM_FILE_MAX);
        while (rc == XREM_OK && xrem_walk_next(c, &w)) {
                xrem_flat f;

                rc = xrem_flat_of(c, &w, &f);
                if (rc == XREM_OK &&
                    (odm_buf_str(&b, xrem_flat_line(c, &f)) < 0 || odm_buf_byte(&b, '\n') < 0))
                        xrem_out_of_memory();
        }
        if (rc == XREM_OK)
                rc = xrem_write_file(c, xrem_value(a, "output"), odm_buf_view(&b), false);
        odm_buf_done(&b);
        return rc;
}

int xrem_run_tnds_to(xrem *c, const xrem_args *a)
{
        odm_doc *d;
        int rc;

        if (xrem_has(a, "xml") && xrem_has(a, "wbxml"))
                return xrem_fail(XREM_USAGE, "--xml and --wbxml exclude each other");
        rc = xrem_doc_read(c, a->word[0], "TNDS document", &d);
        if (rc != XREM_OK)
                return rc;
        if (xrem_has(a, "xml") || xrem_has(a, "wbxml"))
                return convert(c, a, d);
        return c->set.json ? list_json(c, d) : list_lines(c, a, d);
}

int xrem_run_tnds_from(xrem *c, const xrem_args *a)
{
        const char *path = a->word[0];
        const char *name = strcmp(path, "-") ? path : "standard input";
        bool binary = xrem_has(a, "wbxml");
        odm_str text;
        xrem_flat *list;
        odm_doc *d;
        size_t n;
        int rc;

        if (xrem_has(a, "xml") && binary)
                return xrem_fail(XREM_USAGE, "--xml and --wbxml exclude each other");
        if ((rc = xrem_read_file(c, path, &text)) != XREM_OK ||
            (rc = xrem_flat_read(c, name, text, &list, &n)) != XREM_OK ||
            (rc = xrem_flat_doc(c, name, list, n, binary, &d)) != XREM_OK)
                return rc;
        return write_document(c, a, d, binary);
}
