/* SPDX-License-Identifier: Apache-2.0 */
/* DDF and TNDS documents in both forms, alone and inside messages; XML laid out. */
#include "codec_ops.h"
#include "oracle.h"
#include "support.h"
#include "vectors.h"

#define MOST ((size_t)1 << 24)

static const char tnds_xml[] =
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>Acc1</NodeName>"
        "<RTProperties><Format><node/></Format><Type><DDFName>urn:oma:mo:oma-dm-dmacc:1.0</DDFName>"
        "</Type></RTProperties><Node><NodeName>AppID</NodeName><RTProperties><Format><chr/></"
        "Format>"
        "<Type><MIME>text/plain</MIME></Type></RTProperties><Value>w7</Value></Node></Node>"
        "</MgmtTree>";

static const char ddf_xml[] =
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Man>m</Man><Mod>d</Mod><Node>"
        "<NodeName/><Path>./Vendor</Path><RTProperties><ACL>Get=*&amp;Add=a</ACL><Format><int/></"
        "Format>"
        "<Title>t</Title><TStamp>20010711T163817Z</TStamp><Type><MIME>text/plain</MIME></Type>"
        "<VerNo>7</VerNo></RTProperties><DFProperties><AccessType><Add/><Copy/><Delete/><Exec/>"
        "<Get/><Replace/></AccessType><DefaultValue>5</DefaultValue><Description>d</Description>"
        "<DFFormat><float/></DFFormat><Occurrence><ZeroOrN>12</ZeroOrN></Occurrence><Scope>"
        "<Permanent/></Scope><DFTitle>u</DFTitle><DFType><MIME>a/b</MIME><MIME>c/d</MIME></DFType>"
        "<CaseSense><CIS/></CaseSense></DFProperties><Value>5</Value></Node></MgmtTree>";

/* What `in` is, written again. */
static odm_str rewritten(odm_str in, const odm_codec *c, bool df, odm_arena *a)
{
        odm_doc *d = NULL;
        odm_buf b;

        odm_buf_init(&b, &heap, MOST);
        assert_int_equal(odm_doc_decode(in, NULL, a, &d), 0);
        assert_int_equal(odm_doc_encode(c, d, df, &b), 0);
        odm_str copy = odm_arena_copy(a, odm_buf_view(&b));
        odm_buf_done(&b);
        return copy;
}

static void known_documents_come_back(void **state)
{
        odm_str wbxml = from_hex(tnds_hex), xml = exact_copy(tnds_xml), ddf = exact_copy(ddf_xml);
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_octets(rewritten(wbxml, &odm_codec_wbxml, false, &a), wbxml);
        assert_octets(rewritten(xml, &odm_codec_wbxml, false, &a), wbxml);
        assert_octets(rewritten(wbxml, &odm_codec_xml, false, &a), xml);
        assert_octets(rewritten(ddf, &odm_codec_xml, true, &a), ddf);
        assert_octets(
                rewritten(rewritten(ddf, &odm_codec_wbxml, true, &a), &odm_codec_xml, true, &a),
                ddf);
        assert_int_equal(oracle_doc(wbxml), 0);
        assert_int_equal(oracle_doc(xml), 0);
        assert_int_equal(oracle_doc(ddf), 0);
        odm_str plain = rewritten(ddf, &odm_codec_xml, false, &a);
        assert_null(memmem(plain.p, plain.n, "DFProp", 6)); /* TNDS has none */
        odm_arena_done(&a);
        exact_free(ddf);
        exact_free(xml);
        exact_free(wbxml);
}

static void fields_land_where_they_belong(void **state)
{
        odm_str ddf = exact_copy(ddf_xml);
        odm_arena a;
        odm_doc *d = NULL;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_doc_decode(ddf, NULL, &a, &d), 0);
        const odm_doc_node *n = d->nodes;
        assert_true(n && !n->next && !n->children && n->has_rt && n->has_df);
        assert_true(n->name.p && n->name.n == 0);
        assert_str(n->acl, "Get=*&Add=a");
        assert_int_equal(n->access, 63);
        assert_int_equal(n->format, ODM_FMT_INT);
        assert_int_equal(n->df_format, ODM_FMT_FLOAT);
        assert_true(n->occurs == ODM_OCC_ZERO_OR_N && n->occurs_n == 12);
        assert_true(n->permanent && n->any_case);
        assert_str(n->df_types->next->uri, "c/d");
        odm_arena_done(&a);
        exact_free(ddf);
}

static const struct row {
        const char *why, *hex, *xml; /* input: hex, or else xml_in */
        const char *xml_in;
        int rc;
} rows[] = {
        {"no header", "60 77 03312e3200 01 01",
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD></MgmtTree>"},
        {"no header but a page", "00 02 60 77 03312e3200 01 01",
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD></MgmtTree>"},
        {"an unknown public id and no page", "02 01 6a 00 60 77 03312e3200 01 01",
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD></MgmtTree>"},
        {"the string table's zero not counted",
         "02 00 00 6a 1a 2d2f2f4f4d412f2f4454442d444d2d44444620312e322f2f454e 00 0002 60 01",
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"></MgmtTree>"},
        {"the string table without a zero",
         "02 00 00 6a 1a 2d2f2f4f4d412f2f4454442d444d2d44444620312e322f2f454e 0002 60 01",
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"></MgmtTree>"},
        {"octets of a bin leaf", "60 64 6f 5c 09 01 01 76 c3020001 01 01 01",
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><Node><RTProperties><Format><bin/></Format>"
         "</RTProperties><Value>AAE=</Value></Node></MgmtTree>"},
        {"every way to occur",
         "60 64 56 68 29 01 01 01 64 56 68 3c 01 01 01 64 56 68 3a 01 01 01"
         "64 56 68 2a 01 01 01 64 56 68 6b 033300 01 01 01 01 01",
         NULL},
        {"a message is no document", "02 a401 6a 00 6d 6c 01 01", NULL, NULL, ODM_EMALFORMED},
        {"nothing", "", NULL, NULL, ODM_EMALFORMED},
        {"cut short", "60 77 0331", NULL, NULL, ODM_EMALFORMED},
        {"a format as text", NULL,
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><Node><RTProperties><Format><bool/></Format>"
         "</RTProperties></Node></MgmtTree>",
         "<MgmtTree><Node><RTProperties><Format> bool </Format></RTProperties></Node></MgmtTree>"},
        {"elements of others", NULL,
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><Node><NodeName>a</NodeName></Node></MgmtTree>",
         "<!DOCTYPE MgmtTree PUBLIC 'a' 'b' [<?oma-dm-ddf-ver supported-versions=\"1.2\"?>]>\n"
         "<MgmtTree xmlns:MSFT='x'><Node><NodeName>a</NodeName><MSFT:X a='b'><NodeName>c</NodeName>"
         "</MSFT:X></Node></MgmtTree>"},
        {"elements as a value", NULL,
         "<MgmtTree xmlns=\"syncml:dmddf1.2\"><Node><Value><a><b/></a></Value></Node></MgmtTree>",
         "<MgmtTree><Node><Value><a><b/></a></Value></Node></MgmtTree>"},
        {"an entity declared", NULL, NULL, "<!DOCTYPE a [<!ENTITY b 'c'>]><MgmtTree/>",
         ODM_EMALFORMED},
        {"another root", NULL, NULL, "<Node/>", ODM_EMALFORMED},
};

static void documents_are_read_leniently(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = rows[i].hex ? from_hex(rows[i].hex) : exact_copy(rows[i].xml_in);
                odm_doc *d = NULL;
                odm_arena a;
                odm_arena_init(&a, &heap, MOST);
                int rc = odm_doc_decode(in, NULL, &a, &d);
                if (rc != rows[i].rc || (rc < 0) != (d == NULL))
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                if (rows[i].xml) {
                        odm_str got = rewritten(in, &odm_codec_xml, true, &a);
                        if (!odm_str_is(got, rows[i].xml))
                                fail_msg("%s: got %.*s", rows[i].why, (int)got.n, got.p);
                }
                assert_int_equal(oracle_doc(in), rows[i].rc);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static void only_named_forms_are_read(void **state)
{
        static const odm_codec *const both[] = {&odm_codec_xml, &odm_codec_wbxml};
        odm_str docs[] = {exact_copy(ddf_xml), from_hex(tnds_hex)};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(docs); i++)
                for (unsigned how = 0; how < 4; how++) {
                        const odm_codec *c = both[how & 1],
                                        *other = how & 2 ? both[~how & 1] : NULL;
                        bool named = c == both[i] || other == both[i];
                        odm_doc *d = NULL;
                        odm_arena a;
                        odm_arena_init(&a, &heap, MOST);
                        int rc = odm_doc_decode_as(c, other, docs[i], NULL, &a, &d);
                        assert_int_equal(rc, named ? 0 : ODM_EMALFORMED);
                        odm_arena_done(&a);
                }
        for (size_t i = 0; i < ODM_COUNT(docs); i++)
                exact_free(docs[i]);
}

static void no_part_of_a_document_is_one(void **state)
{
        odm_str whole[] = {from_hex(tnds_hex), exact_copy(ddf_xml)};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(whole); i++) {
                for (size_t n = 0; n < whole[i].n; n++) {
                        odm_str part = exact_bytes(whole[i].p, n);
                        odm_doc *d = NULL;
                        odm_arena a;
                        odm_arena_init(&a, &heap, MOST);
                        assert_int_equal(odm_doc_decode(part, NULL, &a, &d), ODM_EMALFORMED);
                        assert_null(d);
                        odm_arena_done(&a);
                        exact_free(part);
                }
                exact_free(whole[i]);
        }
}

static void every_ceiling_holds(void **state)
{
        static const odm_limits enough = {.max_msg = 4096, .max_depth = 5, .max_items = 3};
        odm_str docs[] = {
                exact_copy("<MgmtTree><Node><DFProperties><DFType><MIME/></DFType></DFProperties>"
                           "<Node/></Node></MgmtTree>"),
                from_hex("60 64 56 58 61 036100 01 01 01 24 01 01"),
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(docs); i++) {
                for (int what = 0; what < 4; what++) {
                        odm_limits lim = enough;
                        odm_arena a;
                        odm_doc *d = NULL;
                        if (what == 1)
                                lim.max_msg = docs[i].n - 1;
                        if (what == 2)
                                lim.max_depth--;
                        if (what == 3)
                                lim.max_items--;
                        odm_arena_init(&a, &heap, MOST);
                        assert_int_equal(odm_doc_decode(docs[i], &lim, &a, &d),
                                         what ? ODM_ELIMIT : 0);
                        odm_arena_done(&a);
                }
                exact_free(docs[i]);
        }
}

static void nodes_too_deep_are_refused(void **state)
{
        odm_doc_node deep[ODM_DEPTH_MOST + 2];
        odm_doc d = {.nodes = deep};
        odm_buf b;

        (void)state;
        memset(deep, 0, sizeof deep);
        for (size_t i = 0; i + 1 < ODM_COUNT(deep); i++)
                deep[i].children = &deep[i + 1];
        odm_buf_init(&b, &heap, MOST);
        assert_int_equal(odm_doc_encode(&odm_codec_xml, &d, false, &b), ODM_ELIMIT);
        assert_int_equal(odm_doc_encode(&odm_codec_wbxml, &d, false, &b), ODM_ELIMIT);
        assert_int_equal(b.n, 0);
        odm_buf_done(&b);
}

/* ---- inside messages ----------------------------------------------------------------- */

static void a_bootstrap_account_changes_its_form(void **state)
{
        odm_str in = from_hex(account_hex);
        odm_arena a;
        odm_msg *m = NULL;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_decode(&odm_codec_wbxml, in, NULL, &a, &m), 0);
        odm_item *i = m->body->items;
        odm_str before = i->data.bytes;
        assert_int_equal(before.n, 985);
        assert_int_equal(odm_msg_convert(m, &odm_codec_wbxml, &a), 0);
        assert_octets(i->data.bytes, before); /* nothing to do */
        assert_int_equal(odm_msg_convert(m, &odm_codec_xml, &a), 0);
        assert_int_equal(i->data.kind, ODM_DATA_XML);
        assert_str(i->meta.type, "application/vnd.syncml.dmtnds+xml");
        assert_non_null(memmem(i->data.bytes.p, i->data.bytes.n,
                               "<Value>AAECAwQFBgcICQoLDA0ODw==</Value>", 39));
        assert_int_equal(odm_msg_convert(m, &odm_codec_wbxml, &a), 0);
        assert_int_equal(i->data.kind, ODM_DATA_OPAQUE);
        assert_str(i->meta.type, "application/vnd.syncml.dmtnds+wbxml");
        assert_octets(i->data.bytes, before);
        odm_arena_done(&a);
        exact_free(in);
}

static void octets_become_base64_in_xml(void **state)
{
        odm_arena a;
        odm_item nested = {.data = {ODM_DATA_OPAQUE, ODM_STR("abc")},
                           .meta = {.present = true, .has_size = true, .size = 3}};
        odm_command add = {.kind = ODM_CMD_ADD,
                           .items = &nested,
                           .meta = {.present = true, .format = ODM_FMT_BIN, .type = ODM_STR("x")}};
        odm_command status = {
                .kind = ODM_CMD_STATUS,
                .chal = {.present = true, .nonce_raw = true, .next_nonce = ODM_STR("\1")}};
        odm_command atomic = {.kind = ODM_CMD_ATOMIC, .body = &add, .next = &status};
        odm_msg m = {.body = &atomic};

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_msg_convert(&m, &odm_codec_wbxml, &a), 0);
        assert_str(nested.data.bytes, "abc");
        assert_int_equal(odm_msg_convert(&m, &odm_codec_xml, &a), 0);
        assert_str(nested.data.bytes, "YWJj");
        assert_int_equal(nested.meta.format, ODM_FMT_B64);
        assert_int_equal(nested.meta.size, 4);
        assert_int_equal(nested.data.kind, ODM_DATA_TEXT);
        assert_str(status.chal.next_nonce, "AQ==");
        assert_false(status.chal.nonce_raw);
        odm_arena_done(&a);
}

/* Wherever a peer puts them; found by fuzzing. */
static void nonces_become_base64_in_xml(void **state)
{
        const odm_meta raw = {.present = true, .nonce_raw = true, .next_nonce = ODM_STR("\1")};
        odm_arena a;
        odm_item item = {.meta = raw};
        odm_command add = {.kind = ODM_CMD_ADD, .meta = raw, .items = &item};
        odm_msg m = {.hdr = {.meta = raw, .cred = {.present = true, .meta = raw}}, .body = &add};
        const odm_meta *const all[] = {&m.hdr.meta, &m.hdr.cred.meta, &add.meta, &item.meta};

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_msg_convert(&m, &odm_codec_wbxml, &a), 0);
        for (size_t i = 0; i < ODM_COUNT(all); i++)
                assert_true(all[i]->nonce_raw);
        assert_int_equal(odm_msg_convert(&m, &odm_codec_xml, &a), 0);
        for (size_t i = 0; i < ODM_COUNT(all); i++) {
                assert_false(all[i]->nonce_raw);
                assert_str(all[i]->next_nonce, "AQ==");
        }
        odm_arena_done(&a);
}

static void a_broken_inner_document_is_malformed(void **state)
{
        odm_arena a;
        odm_item item = {
                .data = {ODM_DATA_OPAQUE, ODM_STR("\x02\x60")},
                .meta = {.present = true, .type = ODM_STR("application/vnd.syncml.dmtnds+wbxml")}};
        odm_command add = {.kind = ODM_CMD_ADD, .items = &item};
        odm_msg m = {.body = &add};

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_msg_convert(&m, &odm_codec_xml, &a), ODM_EMALFORMED);
        assert_str(item.data.bytes, "\x02\x60"); /* and stays as it was */
        assert_str(item.meta.type, "application/vnd.syncml.dmtnds+wbxml");
        item.more = true; /* a chunk is left alone */
        assert_int_equal(odm_msg_convert(&m, &odm_codec_xml, &a), 0);
        odm_arena_done(&a);
}

/* ---- memory, and layout ------------------------------------------------------------------ */

static int decode_and_encode(failing *f, void *arg)
{
        const odm_str *in = arg;
        odm_arena a;
        odm_buf out;
        odm_doc *d = NULL;

        odm_arena_init(&a, &f->mem, MOST);
        odm_buf_init(&out, &f->mem, MOST);
        int rc = odm_doc_decode(*in, NULL, &a, &d);
        for (int c = 0; c < 2 && rc == 0; c++)
                rc = odm_doc_encode(c ? &odm_codec_xml : &odm_codec_wbxml, d, true, &out);
        odm_buf_done(&out);
        if (rc == 0 && in->p[0] == '<')
                rc = odm_xml_pretty(*in, NULL, &out);
        odm_buf_done(&out);
        odm_arena_done(&a);
        return rc;
}

static void memory_may_run_out_anywhere(void **state)
{
        odm_str docs[] = {from_hex(tnds_hex), exact_copy(ddf_xml),
                          from_hex("60 64 6f 5c 09 01 01 76 c3020001 01 01 01"),
                          exact_copy("<MgmtTree><Node><RTProperties><Format><bin/></Format>"
                                     "</RTProperties><Value>AAEC</Value></Node></MgmtTree>")};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(docs); i++) {
                torture(decode_and_encode, &docs[i], 200);
                exact_free(docs[i]);
        }
}

static const struct layout {
        const char *why, *in, *out;
        int rc;
} layouts[] = {
        {"elements and text", "<a><b>x &amp; y</b><c/><d></d></a>",
         "<a>\n  <b>x &amp; y</b>\n  <c/>\n  <d/>\n</a>\n"},
        {"already laid out", "<a>\n  <b>x</b>\n</a>\n", "<a>\n  <b>x</b>\n</a>\n"},
        {"text among elements", "<a>x<b/>y</a>", "<a>\n  x\n  <b/>\n  y\n</a>\n"},
        {"attributes", "<m:a b='\"&lt;&#10;' c=\"d\"/>", "<m:a b=\"&quot;&lt;&#10;\" c=\"d\"/>\n"},
        {"a comment goes", "<?xml version='1.0'?><!-- x --><a/>", "<a/>\n"},
        {"not XML", "<a>", NULL, ODM_EMALFORMED},
        {"an entity declared", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", NULL, ODM_EMALFORMED},
        {"three deep", "<a><b><c/></b></a>", "<a>\n  <b>\n    <c/>\n  </b>\n</a>\n"},
        {"four deep", "<a><b><c><d/></c></b></a>", NULL, ODM_ELIMIT},
};

static void xml_is_laid_out(void **state)
{
        const odm_limits lim = {.max_msg = 100, .max_depth = 3};
        odm_buf out;

        (void)state;
        odm_buf_init(&out, &heap, MOST);
        for (size_t i = 0; i < ODM_COUNT(layouts); i++) {
                odm_str in = exact_copy(layouts[i].in);
                odm_buf_cut(&out, 0);
                int rc = odm_xml_pretty(in, &lim, &out);
                if (rc != layouts[i].rc)
                        fail_msg("%s: %s", layouts[i].why, odm_err_name(rc));
                if (!odm_str_is(odm_buf_view(&out), rc ? "" : layouts[i].out))
                        fail_msg("%s: got %.*s", layouts[i].why, (int)out.n, out.p);
                exact_free(in);
        }
        assert_int_equal(odm_xml_pretty((odm_str){layouts[0].in, 101}, &lim, &out), ODM_ELIMIT);
        odm_buf_done(&out);
        odm_buf_init(&out, &heap, 5);
        assert_int_equal(odm_xml_pretty(ODM_STR("<abcde/>"), &lim, &out), ODM_ELIMIT);
        assert_int_equal(out.n, 0);
        odm_buf_done(&out);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_documents_come_back),
                cmocka_unit_test(fields_land_where_they_belong),
                cmocka_unit_test(documents_are_read_leniently),
                cmocka_unit_test(only_named_forms_are_read),
                cmocka_unit_test(no_part_of_a_document_is_one),
                cmocka_unit_test(every_ceiling_holds),
                cmocka_unit_test(nodes_too_deep_are_refused),
                cmocka_unit_test(a_bootstrap_account_changes_its_form),
                cmocka_unit_test(octets_become_base64_in_xml),
                cmocka_unit_test(nonces_become_base64_in_xml),
                cmocka_unit_test(a_broken_inner_document_is_malformed),
                cmocka_unit_test(memory_may_run_out_anywhere),
                cmocka_unit_test(xml_is_laid_out),
        };

        return RUN_TESTS(tests);
}
