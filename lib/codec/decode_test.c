/* SPDX-License-Identifier: Apache-2.0 */
/* Reading messages in both codecs: the octets of the specification, what is forgiven,
 * what is refused, every ceiling. */
#include "codec_ops.h"
#include "element.h"
#include "oracle.h"
#include "support.h"
#include "vectors.h"

#define MOST ((size_t)1 << 24)

/* ---- elements ------------------------------------------------------------------ */

static void every_element_is_found_by_its_name(void **state)
{
        size_t found = 0;

        (void)state;
        for (unsigned id = 1; id < ELEMENTS; id++) {
                const char *name = odm_element_name(id);
                if (name == NULL)
                        continue;
                odm_str s = exact_copy(name);
                if (odm_element_find(PAGE(id), s.p, s.n) != id)
                        fail_msg("%s of page %u is not found", name, PAGE(id));
                assert_int_equal(odm_element_find(PAGE(id), s.p, s.n - 1) == id, false);
                exact_free(s);
                found++;
        }
        assert_int_equal(found, 55 + 18 + 56);
        assert_int_equal(odm_element_find(PAGE_DDF, "node", 4), E2_node);
        assert_int_equal(odm_element_find(PAGE_DDF, "Node", 4), E2_Node);
        assert_int_equal(odm_element_find(PAGE_SYNCML, "Adds", 4), E_NONE);
        assert_int_equal(odm_element_find(PAGE_SYNCML, "", 0), E_NONE);
}

/* ---- the octets of the specification ------------------------------------------- */

static const struct vector {
        const char *why, *hex;
} vectors[] = {
        {"package 1", package1_hex},
        {"an Add of octets", binary_hex},
        {"a bootstrap message", account_hex},
};

static void known_octets_come_back(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(vectors); i++) {
                odm_str in = from_hex(vectors[i].hex);
                odm_arena a;
                odm_buf out;
                odm_msg *m = NULL;
                odm_arena_init(&a, &heap, MOST);
                odm_buf_init(&out, &heap, MOST);
                assert_int_equal(odm_decode(&odm_codec_wbxml, in, NULL, &a, &m), 0);
                assert_int_equal(odm_encode(&odm_codec_wbxml, m, &out), 0);
                assert_octets(odm_buf_view(&out), in);
                assert_int_equal(oracle_msg(&odm_codec_wbxml, in), 0);
                odm_buf_done(&out);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static void xml_and_wbxml_are_one_message(void **state)
{
        odm_str xml = exact_copy(package1_xml), wbxml = from_hex(package1_hex);
        odm_arena a;
        odm_buf out;
        odm_msg *m = NULL;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        odm_buf_init(&out, &heap, MOST);
        assert_int_equal(odm_decode(&odm_codec_xml, xml, NULL, &a, &m), 0);
        assert_int_equal(odm_encode(&odm_codec_wbxml, m, &out), 0);
        assert_octets(odm_buf_view(&out), wbxml);
        odm_buf_cut(&out, 0);
        assert_int_equal(odm_decode(&odm_codec_wbxml, wbxml, NULL, &a, &m), 0);
        assert_int_equal(odm_encode(&odm_codec_xml, m, &out), 0);
        odm_str head = ODM_STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        assert_true(odm_str_starts(odm_buf_view(&out), head.p));
        assert_octets(odm_str_from(odm_buf_view(&out), head.n), xml);
        assert_int_equal(oracle_msg(&odm_codec_xml, xml), 0);
        odm_buf_done(&out);
        odm_arena_done(&a);
        exact_free(wbxml);
        exact_free(xml);
}

static void fields_land_where_they_belong(void **state)
{
        odm_str in = from_hex(binary_hex);
        odm_arena a;
        odm_msg *m = NULL;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_decode(&odm_codec_wbxml, in, NULL, &a, &m), 0);
        assert_str(m->hdr.ver_proto, "DM/1.2");
        assert_str(m->hdr.source, "http://dm.example/s");
        assert_true(m->final && m->has_body && m->body && !m->body->next);
        assert_int_equal(m->body->kind, ODM_CMD_ADD);
        assert_str(m->body->cmd_id, "3");
        const odm_item *i = m->body->items;
        assert_true(i && !i->next && !i->more);
        assert_str(i->target, "./A/b");
        assert_null(i->source.p);
        assert_int_equal(i->meta.format, ODM_FMT_BIN);
        assert_str(i->meta.type, "application/octet-stream");
        assert_int_equal(i->data.kind, ODM_DATA_OPAQUE);
        assert_octets(i->data.bytes, ((odm_str){"\0\1\2\xff", 4}));
        assert_true(i->data.bytes.p > in.p && i->data.bytes.p < in.p + in.n); /* borrowed */
        assert_true(m->hdr.ver_dtd.p > in.p && m->hdr.ver_dtd.p < in.p + in.n);
        odm_arena_done(&a);
        exact_free(in);
}

/* ---- what is forgiven, and what is not ------------------------------------------ */

/* Decodes `in`; what it means, as the XML we write of it, after SyncHdr. */
static void check(const odm_codec *c, const char *why, odm_str in, int want_rc, const char *want)
{
        static const char head[] =
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr></SyncHdr><SyncBody>";
        static const char tail[] = "</SyncBody></SyncML>";
        odm_msg untouched, *m = &untouched;
        odm_arena a;
        odm_buf out;

        odm_arena_init(&a, &heap, MOST);
        odm_buf_init(&out, &heap, MOST);
        int rc = odm_decode(c, in, NULL, &a, &m);
        if (rc != want_rc)
                fail_msg("%s: %s", why, odm_err_name(rc));
        if (rc < 0) {
                assert_ptr_equal(m, &untouched);
        } else if (want) {
                rc = odm_encode(&odm_codec_xml, m, &out);
                if (rc != 0)
                        fail_msg("%s: encoding: %s", why, odm_err_name(rc));
                odm_str got = odm_buf_view(&out);
                assert_true(odm_str_starts(got, head));
                got = odm_str_from(odm_str_to(got, got.n - strlen(tail)), strlen(head));
                if (!odm_str_is(got, want))
                        fail_msg("%s: got %.*s", why, (int)got.n, got.p);
        }
        assert_int_equal(oracle_msg(c, in), want_rc);
        odm_buf_done(&out);
        odm_arena_done(&a);
}

static const struct row {
        const char *why, *in, *want;
        int rc;
} whole_wbxml[] = {
        {"version 1.1", "01 a401 6a 00 6d 6c 01 6b 01 01", ""},
        {"version 1.3", "03 a401 6a 00 6d 6c 01 6b 01 01", ""},
        {"version 1.0", "00 a401 6a 00 6d 6c 01 6b 01 01", NULL, ODM_EMALFORMED},
        {"a version to come", "04 a401 6a 00 6d 6c 01 6b 01 01", NULL, ODM_EMALFORMED},
        {"an unknown public id", "02 01 6a 00 6d 6c 01 6b 01 01", ""},
        {"the FPI in the string table",
         "02 00 00 6a 1e 2d2f2f53594e434d4c2f2f4454442053796e634d4c20312e322f2f454e 00"
         "6d 6c 01 6b 01 01",
         ""},
        {"an unknown charset", "02 a401 00 00 6d 6c 01 6b 01 01", ""},
        {"US-ASCII", "02 a401 03 00 6d 6c 01 6b 01 01", ""},
        {"ISO 8859-1", "02 a401 04 00 6d 6c 01 6b 01 01", NULL, ODM_EMALFORMED},
        {"octets after the end", "02 a401 6a 00 6d 6c 01 6b 01 01 ff ff", ""},
        {"SyncHdr and SyncBody without content", "02 a401 6a 00 6d 2c 2b 01", ""},
        {"a number of six octets", "02 80 80 80 80 80 01 6a 00 6d 6c 01 6b 01 01", NULL,
         ODM_EMALFORMED},
        {"a number beyond 32 bits", "02 ff ff ff ff 7f 6a 00 6d 6c 01 6b 01 01", NULL,
         ODM_EMALFORMED},
        {"a string table past the end", "02 a401 6a 7f 6d", NULL, ODM_EMALFORMED},
        {"a huge string table", "02 a401 6a 8f ff ff ff 7f 6d", NULL, ODM_EMALFORMED},
        {"no SyncHdr", "02 a401 6a 00 6d 6b 01 01", NULL, ODM_EMALFORMED},
        {"another root", "02 a401 6a 00 6c 01", NULL, ODM_EMALFORMED},
        {"an unknown root", "02 a401 6a 00 7e 01", NULL, ODM_EMALFORMED},
        {"a root of another page", "02 a401 6a 00 00 02 60 01", NULL, ODM_EMALFORMED},
        {"END before anything", "02 a401 6a 00 01", NULL, ODM_EMALFORMED},
        {"nothing", "", NULL, ODM_EMALFORMED},
        {"a header and no more", "02 a401 6a 00", NULL, ODM_EMALFORMED},
};

static void wbxml_documents(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(whole_wbxml); i++) {
                const struct row *r = &whole_wbxml[i];
                odm_str in = from_hex(r->in);
                check(&odm_codec_wbxml, r->why, in, r->rc, r->want);
                exact_free(in);
        }
}

#define GET_X "<Get><CmdID>1</CmdID><Item><Target><LocURI>./A</LocURI></Target></Item></Get>"
#define ADD(meta, data) "<Add><Item><Meta>" meta "</Meta><Data>" data "</Data></Item></Add>"

/* Inside SyncBody; the string table is "ab\0Odd\0./A\0", from 0, 3 and 7. */
static const struct row body_wbxml[] = {
        {"an inline string", "53 4b 033100 01 54 6e 57 032e2f4100 01 01 01 01", GET_X},
        {"text from the string table", "53 4b 033100 01 54 6e 57 83 07 01 01 01 01", GET_X},
        {"text as octets", "53 4b c30131 01 54 6e 57 c3032e2f41 01 01 01 01", GET_X},
        {"text of all kinds of pieces", "53 4b 02 31 01 54 6e 57 032e00 c3012f 02 41 01 01 01 01",
         GET_X},
        {"two strings that touch", "53 4b 033100 01 54 6e 57 032e00 032f4100 01 01 01 01", GET_X},
        {"an entity of two octets", "45 54 4f 02 81 69 01 01 01",
         "<Add><Item><Data>\xc3\xa9</Data></Item></Add>"},
        {"an entity of three octets", "45 54 4f 02 c1 2c 01 01 01",
         "<Add><Item><Data>\xe2\x82\xac</Data></Item></Add>"},
        {"an entity of four octets", "45 54 4f 02 87 ec 00 01 01 01",
         "<Add><Item><Data>\xf0\x9f\x98\x80</Data></Item></Add>"},
        {"an entity of zero", "45 54 4f 02 00 01 01 01", NULL, ODM_EMALFORMED},
        {"an entity of half a pair", "45 54 4f 02 83 b0 00 01 01 01", NULL, ODM_EMALFORMED},
        {"an entity beyond Unicode", "45 54 4f 02 c4 80 00 01 01 01", NULL, ODM_EMALFORMED},
        {"a literal tag with content is no command", "44 03 4b 033100 01 01", NULL},
        {"a literal inside a command is skipped",
         "53 4b 033100 01 44 03 03 5a00 01 04 03 54 6e 57 83 07 01 01 01 01", GET_X},
        {"a literal past the table", "53 44 7f 01 01", NULL, ODM_EMALFORMED},
        {"a literal with attributes",
         "53 4b 033100 01 c4 03 05 033100 02 31 04 03 83 00 c30100 00 01 85 01 03 5a00 01"
         "54 6e 57 83 07 01 01 01 01",
         GET_X},
        {"a tag with attributes", "d3 05 033100 01 4b 033100 01 54 6e 57 83 07 01 01 01 01", GET_X},
        {"attributes without end", "d3 05 05 05", NULL, ODM_EMALFORMED},
        {"text past the string table", "53 4b 83 7f 01 01", NULL, ODM_EMALFORMED},
        {"text without its zero", "53 4b 03 31 32", NULL, ODM_EMALFORMED},
        {"octets past the end", "53 4b c3 7f 31 01 01", NULL, ODM_EMALFORMED},
        {"octets of a huge length", "53 4b c3 8f ff ff ff 7f 31 01 01", NULL, ODM_EMALFORMED},
        {"an extension token", "53 40 0000 01", NULL, ODM_EMALFORMED},
        {"a processing instruction", "43 05 01", NULL, ODM_EMALFORMED},
        {"blanks around text", "53 4b 0320310a00 01 54 6e 57 03 0d092e2f41 20 00 01 01 01 01",
         GET_X},
        {"but not around Data", "45 54 4f 03206100 01 01 01",
         "<Add><Item><Data> a</Data></Item></Add>"},
        {"bare text in Target", "53 4b 033100 01 54 6e 032e2f4100 01 01 01", GET_X},
        {"no octets", "45 54 4f c300 01 01 01", "<Add><Item><Data/></Item></Add>"},
        {"Data without content", "45 54 0f 01 01", "<Add><Item><Data/></Item></Add>"},
        {"Data with nothing in it", "45 54 4f 01 01 01", "<Add><Item><Data/></Item></Add>"},
        {"Final without content", "12", "<Final/>"},
        {"Final with content", "52 01", "<Final/>"},
        {"MoreData both ways", "45 54 34 01 54 74 01 01 01",
         "<Add><Item><MoreData/></Item><Item><MoreData/></Item></Add>"},
        {"a page switched back and forth",
         "45 54 5a 0001 47 0363687200 01 0000 0001 53 036100 01 01"
         "0000 01 01",
         "<Add><Item><Meta><Format xmlns=\"syncml:metinf\">chr</Format>"
         "<Type xmlns=\"syncml:metinf\">a</Type></Meta></Item></Add>"},
        {"Meta inside MetInf", "45 54 5a 0001 4e 47 0363687200 01 01 01 0000 01 01",
         "<Add><Item><Meta><Format xmlns=\"syncml:metinf\">chr</Format></Meta></Item></Add>"},
        {"a format nobody knows", "45 54 5a 0001 47 036f646400 01 01 0000 01 01",
         "<Add><Item><Meta><Format xmlns=\"syncml:metinf\">odd</Format></Meta></Item></Add>"},
        {"a page nobody knows", "45 00 09 45 036100 01 0000 4b 033100 01 01",
         "<Add><CmdID>1</CmdID></Add>"},
        {"a size that is no number", "45 5a 0001 52 037800 01 01 0000 01",
         "<Add><Meta></Meta></Add>"},
        {"the page switch cut off", "45 54 01 01 00", NULL, ODM_EMALFORMED},
        {"elements of page 2 inside Data",
         "45 54 4f 0002 60 77 03312e3200 01 64 66 036100 01 6f 5c 0b 01 01 76 03 61263c00 01 01 01 "
         "01"
         "0000 01 01",
         "<Add><Item><Data><MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node>"
         "<NodeName>a</NodeName><RTProperties><Format><chr/></Format></RTProperties>"
         "<Value>a&amp;&lt;</Value></Node></MgmtTree></Data></Item></Add>"},
        {"octets of a bin node inside Data",
         "45 54 4f 0002 60 64 6f 5c 09 01 01 76 c3020001 01 01 64 76 c30161 01 01 01 01 0000 01 01",
         "<Add><Item><Data><MgmtTree xmlns=\"syncml:dmddf1.2\"><Node><RTProperties><Format>"
         "<bin/></Format></RTProperties><Value>AAE=</Value></Node><Node><Value>a</Value></Node>"
         "</MgmtTree></Data></Item></Add>"},
        {"a control character in such an element", "45 54 4f 0002 60 77 030500 01 01 01 0000 01 01",
         NULL, ODM_EMALFORMED},
        {"unknown elements in Data are skipped",
         "45 54 4f 036100 7e 036200 01 04 03 036300 01 01 01",
         "<Add><Item><Data>a<Odd/>c</Data></Item></Add>"},
        {"page 0 and 1 elements in Data", "45 54 4f 5a 0001 47 0361 00 01 01 01 0000 01 01",
         "<Add><Item><Data><Meta xmlns=\"SYNCML:SYNCML1.2\"><Format xmlns=\"syncml:metinf\">a"
         "</Format></Meta></Data></Item></Add>"},
        {"commands of data synchronisation",
         "5f 4b 033100 01 54 01 01 63 01 58 01 7b 01 6a 45 01 01",
         "<Put><CmdID>1</CmdID></Put><Search></Search><Map></Map><Move></Move><Sync></Sync>"},
        {"a nonce of octets that is no base64", "69 49 5a 0001 50 c3020001 01 01 01 0000 01",
         "<Status><Chal><Meta><NextNonce xmlns=\"syncml:metinf\">AAE=</NextNonce></Meta></Chal>"
         "</Status>"},
        {"a nonce of octets that is base64", "69 49 5a 0001 50 c30441414545 01 01 01 0000 01",
         "<Status><Chal><Meta><NextNonce xmlns=\"syncml:metinf\">AAEE</NextNonce></Meta></Chal>"
         "</Status>"},
};

static odm_str in_body(const char *body, size_t *n)
{
        static const char head[] = "02a4016a0b 616200 4f646400 2e2f4100 6d6c016b";
        char *hex = malloc(strlen(head) + strlen(body) + 5);

        assert_non_null(hex);
        (void)snprintf(hex, strlen(head) + strlen(body) + 5, "%s%s0101", head, body);
        odm_str in = from_hex(hex);
        free(hex);
        *n = in.n;
        return in;
}

static void wbxml_bodies(void **state)
{
        size_t n;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(body_wbxml); i++) {
                const struct row *r = &body_wbxml[i];
                odm_str in = in_body(r->in, &n);
                check(&odm_codec_wbxml, r->why, in, r->rc, r->want);
                exact_free(in);
        }
}

#define HEAD "<SyncML><SyncHdr/><SyncBody>"
#define TAIL "</SyncBody></SyncML>"

static const struct row xml[] = {
        {"nothing but what must be", HEAD TAIL, ""},
        {"a declaration and DOCTYPE",
         "<?xml version=\"1.0\"?><!DOCTYPE SyncML PUBLIC \"-//SYNCML//DTD SyncML 1.2//EN\" "
         "\"x\">\n" HEAD "<Final></Final>" TAIL "\n",
         "<Final/>"},
        {"prefixes",
         "<s:SyncML xmlns:s='SYNCML:SYNCML1.2' "
         "xmlns:m='syncml:metinf'><s:SyncHdr/><s:SyncBody><s:Add>"
         "<s:Meta><m:Type> text/plain </m:Type></s:Meta></s:Add></s:SyncBody></s:SyncML>",
         "<Add><Meta><Type xmlns=\"syncml:metinf\">text/plain</Type></Meta></Add>"},
        {"Meta after Data, blanks and a comment",
         HEAD "<Add> <Item>\n<Data> x </Data><!-- c --><Meta><MetInf><Size>3</Size></MetInf></Meta>"
              "<Target> <LocURI>\n./A </LocURI> </Target></Item></Add>" TAIL,
         "<Add><Item><Target><LocURI>./A</LocURI></Target><Meta><Size xmlns=\"syncml:metinf\">3"
         "</Size></Meta><Data> x </Data></Item></Add>"},
        {"bare text in Source", HEAD "<Add><Item><Source> ./A </Source></Item></Add>" TAIL,
         "<Add><Item><Source><LocURI>./A</LocURI></Source></Item></Add>"},
        {"LocName alone is no LocURI",
         HEAD "<Add><Item><Source><LocName>n</LocName></Source></Item></Add>" TAIL,
         "<Add><Item><Source><LocName>n</LocName></Source></Item></Add>"},
        {"CDATA and references",
         HEAD "<Add><Item><Data><![CDATA[<a>&]]>&lt;&#65;&amp;\xc3\xa9</Data></Item></Add>" TAIL,
         "<Add><Item><Data>&lt;a&gt;&amp;&lt;A&amp;\xc3\xa9</Data></Item></Add>"},
        {"a carriage return", HEAD "<Add><Item><Data>a&#13;\r\nb</Data></Item></Add>" TAIL,
         "<Add><Item><Data>a&#13;\nb</Data></Item></Add>"},
        {"elements inside Data",
         HEAD "<Add><Item><Data> <x:A xmlns:x=\"u\">&amp;<B/></x:A>\n</Data></Item></Add>" TAIL,
         "<Add><Item><Data><x:A xmlns:x=\"u\">&amp;<B/></x:A></Data></Item></Add>"},
        {"elements unknown inside a command are skipped",
         HEAD "<Add><Odd><CmdID>9</CmdID></Odd><CmdID>1</CmdID></Add>" TAIL,
         "<Add><CmdID>1</CmdID></Add>"},
        {"Cmd in Results", HEAD "<Results><Cmd>Get</Cmd></Results>" TAIL,
         "<Results><Cmd>Get</Cmd></Results>"},
        {"a Sequence in an Atomic",
         HEAD "<Atomic><CmdID>1</CmdID><Sequence><Get/></Sequence><Add/></Atomic><Exec/>" TAIL,
         "<Atomic><CmdID>1</CmdID><Sequence><Get></Get></Sequence><Add></Add></Atomic>"
         "<Exec></Exec>"},
        {"every field of a Status",
         HEAD "<Status><CmdID>1</CmdID><MsgRef>2</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd>"
              "<TargetRef>t</TargetRef><TargetRef>u</TargetRef><SourceRef>s</SourceRef>"
              "<Cred><Meta><Format>b64</Format></Meta><Data>eA==</Data></Cred>"
              "<Chal><Meta><Mark>m</Mark></Meta></Chal><Data>212</Data></Status>" TAIL,
         "<Status><CmdID>1</CmdID><MsgRef>2</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd>"
         "<TargetRef>t</TargetRef><TargetRef>u</TargetRef><SourceRef>s</SourceRef>"
         "<Cred><Meta><Format xmlns=\"syncml:metinf\">b64</Format></Meta><Data>eA==</Data></Cred>"
         "<Chal><Meta><Mark xmlns=\"syncml:metinf\">m</Mark></Meta></Chal><Data>212</Data>"
         "</Status>"},
        {"an Alert and an Exec with their correlators",
         HEAD "<Alert><NoResp/><Data> 1226 </Data><Correlator>c</Correlator></Alert>"
              "<Exec><Correlator>d</Correlator></Exec>" TAIL,
         "<Alert><NoResp/><Data>1226</Data><Correlator>c</Correlator></Alert>"
         "<Exec><Correlator>d</Correlator></Exec>"},
        {"Meta on an Alert",
         HEAD "<Alert><Data>1226</Data><Meta><Type>t</Type></Meta></Alert>" TAIL,
         "<Alert><Meta><Type xmlns=\"syncml:metinf\">t</Type></Meta><Data>1226</Data></Alert>"},
        {"a status that is no number", HEAD "<Status><Data>ok</Data></Status>" TAIL,
         "<Status></Status>"},
        {"a byte order mark", "\xef\xbb\xbf" HEAD TAIL, ""},
        {"an entity declared", "<!DOCTYPE SyncML [<!ENTITY a 'b'>]>" HEAD TAIL, NULL,
         ODM_EMALFORMED},
        {"a parameter entity declared", "<!DOCTYPE SyncML [<!ENTITY % a 'b'>]>" HEAD TAIL, NULL,
         ODM_EMALFORMED},
        {"a default attribute declared",
         "<!DOCTYPE SyncML [<!ATTLIST Data a CDATA 'b'>]>" HEAD TAIL, NULL, ODM_EMALFORMED},
        {"an entity of a DTD not read",
         "<!DOCTYPE SyncML SYSTEM 'x'>" HEAD "<Add><CmdID>&a;</CmdID></Add>" TAIL, NULL,
         ODM_EMALFORMED},
        {"a Size that 32 bits do not hold",
         HEAD "<Add><Item><Meta><Size>4294967296</Size></Meta></Item></Add>" TAIL,
         "<Add><Item><Meta><Size xmlns=\"syncml:metinf\">4294967295</Size></Meta></Item></Add>"},
        {"UTF-8 that is none", HEAD "<Add><CmdID>\xff</CmdID></Add>" TAIL, NULL, ODM_EMALFORMED},
        {"a control character", HEAD "<Add><CmdID>\x01</CmdID></Add>" TAIL, NULL, ODM_EMALFORMED},
        {"tags that cross", HEAD "<Add></SyncBody></Add></SyncML>", NULL, ODM_EMALFORMED},
        {"another root", "<SyncHdr/>", NULL, ODM_EMALFORMED},
        {"no SyncHdr", "<SyncML><SyncBody/></SyncML>", NULL, ODM_EMALFORMED},
        {"letters of the wrong case", "<syncml><SyncHdr/></syncml>", NULL, ODM_EMALFORMED},
        {"nothing", "", NULL, ODM_EMALFORMED},
        {"text", "hello", NULL, ODM_EMALFORMED},
};

/* Expat would read them whatever encoding it is told, and a name would not stand where it is
 * said to. */
static void other_encodings_are_refused(void **state)
{
        static const struct {
                const char *why, *hex;
        } rows[] = {
                {"UTF-16, little end first", "3c 00 53 00 3e 00"},
                {"UTF-16, big end first", "00 3c 00 53 00 3e"},
                {"a mark of UTF-16, big end first", "fe ff 00 3c 00 53 00 3e"},
                {"a mark of UTF-16, little end first", "ff fe 3c 00 53 00 3e 00"},
                {"a long name of odd octets",
                 "3c 00 07 6c 6c 6c 6c 6c 6c 6e 63 47 d3 3e 00 0c a0 c3 3c 65"},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_arena a;
                odm_msg *m = NULL;
                odm_doc *d = NULL;
                odm_str in = from_hex(rows[i].hex);
                odm_arena_init(&a, &heap, 65536);
                if (odm_decode(&odm_codec_xml, in, NULL, &a, &m) != ODM_EMALFORMED ||
                    odm_doc_decode(in, NULL, &a, &d) != ODM_EMALFORMED)
                        fail_msg("%s was taken", rows[i].why);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static void xml_documents(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(xml); i++) {
                odm_str in = exact_copy(xml[i].in);
                check(&odm_codec_xml, xml[i].why, in, xml[i].rc, xml[i].want);
                exact_free(in);
        }
}

/* Each is of octets with a zero among them. */
static void zeros_are_borne_in_data_only(void **state)
{
#define OCTETS(text)                   \
        {                              \
                text, sizeof(text) - 1 \
        }
        static const struct {
                const char *why;
                odm_str in, data;
                odm_data_kind kind;
                int rc;
        } rows[] = {
                {"at the end of Data",
                 OCTETS(HEAD "<Add><Item><Data>ab\0</Data></Item></Add>" TAIL), OCTETS("ab\0"),
                 ODM_DATA_TEXT, 0},
                {"alone", OCTETS(HEAD "<Add><Item><Data>\0</Data></Item></Add>" TAIL), OCTETS("\0"),
                 ODM_DATA_TEXT, 0},
                {"between references",
                 OCTETS(HEAD "<Add><Item><Data>&lt;\0&amp;\0\0x</Data></Item></Add>" TAIL),
                 OCTETS("<\0&\0\0x"), ODM_DATA_TEXT, 0},
                {"in a document inside Data",
                 OCTETS(HEAD "<Add><Item><Data><a>b\0</a></Data></Item></Add>" TAIL),
                 OCTETS("<a>b\0</a>"), ODM_DATA_OPAQUE, 0},
                {"behind the document",
                 OCTETS(HEAD "<Add><Item><Data>a</Data></Item></Add>" TAIL "\0\0"), OCTETS("a"),
                 ODM_DATA_TEXT, 0},
                {"in a number",
                 OCTETS(HEAD "<Add><CmdID>1\0</CmdID></Add>" TAIL),
                 {NULL, 0},
                 ODM_DATA_ABSENT,
                 ODM_EMALFORMED},
                {"in a name",
                 OCTETS(HEAD "<Add><It\0em/></Add>" TAIL),
                 {NULL, 0},
                 ODM_DATA_ABSENT,
                 ODM_EMALFORMED},
                {"between tags",
                 OCTETS(HEAD "<Add>\0<Item/></Add>" TAIL),
                 {NULL, 0},
                 ODM_DATA_ABSENT,
                 ODM_EMALFORMED},
                {"where a tag begins",
                 OCTETS(HEAD "<\0a?><Add/>" TAIL),
                 {NULL, 0},
                 ODM_DATA_ABSENT,
                 ODM_EMALFORMED},
        };
#undef OCTETS

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_bytes(rows[i].in.p, rows[i].in.n);
                odm_arena a;
                odm_msg *m = NULL;
                odm_arena_init(&a, &heap, 65536);
                int rc = odm_decode(&odm_codec_xml, in, NULL, &a, &m);
                if (rc != rows[i].rc)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                if (rc == 0) {
                        assert_octets(m->body->items->data.bytes, rows[i].data);
                        assert_int_equal(m->body->items->data.kind, rows[i].kind);
                }
                assert_int_equal(oracle_msg(&odm_codec_xml, in), rc);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static void an_unknown_command_is_kept_by_name(void **state)
{
        size_t n;
        odm_str ins[] = {
                exact_copy(HEAD "<x:Odd><CmdID>7</CmdID></x:Odd><Item/>" TAIL),
                in_body("44 03 4b 033700 01 01 14 7e 01", &n),
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(ins); i++) {
                odm_arena a;
                odm_buf out;
                odm_msg *m = NULL;
                odm_arena_init(&a, &heap, MOST);
                odm_buf_init(&out, &heap, MOST);
                assert_int_equal(
                        odm_decode(i ? &odm_codec_wbxml : &odm_codec_xml, ins[i], NULL, &a, &m), 0);
                assert_int_equal(m->body->kind, ODM_CMD_UNKNOWN);
                assert_str(m->body->name, "Odd");
                assert_str(m->body->cmd_id, "7");
                assert_int_equal(m->body->next->kind, ODM_CMD_UNKNOWN);
                assert_str(m->body->next->name, "Item");
                if (i)
                        assert_str(m->body->next->next->name, "?");
                assert_int_equal(odm_encode(&odm_codec_xml, m, &out), ODM_EINVAL);
                assert_int_equal(odm_encode(&odm_codec_wbxml, m, &out), ODM_EINVAL);
                assert_int_equal(out.n, 0);
                odm_buf_done(&out);
                odm_arena_done(&a);
                exact_free(ins[i]);
        }
}

static void no_part_of_a_message_is_a_message(void **state)
{
        odm_str whole[] = {from_hex(package1_hex), from_hex(binary_hex), exact_copy(package1_xml)};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(whole); i++)
                for (size_t n = 0; n < whole[i].n; n++) {
                        odm_str part = exact_bytes(whole[i].p, n);
                        odm_msg *m = NULL;
                        odm_arena a;
                        odm_arena_init(&a, &heap, MOST);
                        int rc = odm_decode(i < 2 ? &odm_codec_wbxml : &odm_codec_xml, part, NULL,
                                            &a, &m);
                        if (rc != ODM_EMALFORMED || m)
                                fail_msg("%zu octets of message %zu: %s", n, i, odm_err_name(rc));
                        odm_arena_done(&a);
                        exact_free(part);
                }
        for (size_t i = 0; i < ODM_COUNT(whole); i++)
                exact_free(whole[i]);
}

/* ---- ceilings ------------------------------------------------------------------- */

static int decode_with(const odm_codec *c, odm_str in, const odm_limits *lim, size_t arena)
{
        odm_msg *m = NULL;
        odm_arena a;

        odm_arena_init(&a, &heap, arena);
        int rc = odm_decode(c, in, lim, &a, &m);
        assert_true((rc == 0) == (m != NULL));
        odm_arena_done(&a);
        return rc;
}

/* A message of two commands, three items and references, six elements deep, in both codecs. */
static void check_ceilings(const odm_codec *c, odm_str in)
{
        static const odm_limits enough = {
                .max_msg = 4096, .max_depth = 7, .max_commands = 3, .max_items = 4};
        odm_limits lim = enough;

        lim.max_msg = in.n;
        assert_int_equal(decode_with(c, in, &lim, MOST), 0);
        lim.max_msg--;
        assert_int_equal(decode_with(c, in, &lim, MOST), ODM_ELIMIT);
        lim = enough;
        lim.max_depth--;
        assert_int_equal(decode_with(c, in, &lim, MOST), ODM_ELIMIT);
        lim = enough;
        lim.max_commands--;
        assert_int_equal(decode_with(c, in, &lim, MOST), ODM_ELIMIT);
        lim = enough;
        lim.max_items--;
        assert_int_equal(decode_with(c, in, &lim, MOST), ODM_ELIMIT);
        assert_int_equal(decode_with(c, in, &enough, 300), ODM_ELIMIT);
}

static void every_ceiling_holds(void **state)
{
        odm_str x = exact_copy(HEAD "<Atomic><Add><Item><Target><LocURI>a</LocURI></Target></Item>"
                                    "<Item/></Add></Atomic><Status><TargetRef>a</TargetRef>"
                                    "<SourceRef>b</SourceRef></Status>" TAIL);
        size_t n;
        odm_str w = in_body(
                "48 45 54 6e 57 036100 01 01 01 14 01 01 69 6f 036100 01 68 83 00 01 01", &n);

        (void)state;
        check_ceilings(&odm_codec_xml, x);
        check_ceilings(&odm_codec_wbxml, w);
        exact_free(w);
        exact_free(x);
}

static void depth_is_no_danger(void **state)
{
        odm_limits lim;
        char *deep = malloc(20000);
        size_t n = 0;

        (void)state;
        assert_non_null(deep);
        odm_limits_init(&lim);
        memcpy(deep, "\x02\xa4\x01\x6a\x00\x6d\x6c\x01\x6b", 9);
        memset(deep + 9, 0x64, 1000);
        assert_int_equal(decode_with(&odm_codec_wbxml, (odm_str){deep, 1009}, &lim, MOST),
                         ODM_ELIMIT);
        lim.max_depth = UINT32_MAX; /* is taken for ODM_DEPTH_MOST */
        assert_int_equal(decode_with(&odm_codec_wbxml, (odm_str){deep, 1009}, &lim, MOST),
                         ODM_ELIMIT);
        n = (size_t)snprintf(deep, 20000, HEAD "<Add><Item><Data>");
        for (int i = 0; i < 1000; i++)
                n += (size_t)snprintf(deep + n, 20000 - n, "<a>");
        assert_int_equal(decode_with(&odm_codec_xml, (odm_str){deep, n}, &lim, MOST), ODM_ELIMIT);
        free(deep);
}

/* Text of very many pieces takes memory in proportion. */
static void many_pieces_stay_cheap(void **state)
{
        const size_t pieces = 200000;
        char *in = malloc(2 * pieces + 32);
        odm_arena a;
        odm_msg *m = NULL;

        (void)state;
        assert_non_null(in);
        memcpy(in, "\x02\xa4\x01\x6a\x00\x6d\x6c\x01\x6b\x45\x54\x4f", 12);
        for (size_t i = 0; i < pieces; i++)
                memcpy(in + 12 + 2 * i,
                       "\x02"
                       "a",
                       2);
        memcpy(in + 12 + 2 * pieces, "\1\1\1\1\1", 5);
        odm_arena_init(&a, &heap, 6 * pieces);
        assert_int_equal(odm_decode(&odm_codec_wbxml, (odm_str){in, 2 * pieces + 17}, NULL, &a, &m),
                         0);
        assert_int_equal(m->body->items->data.bytes.n, pieces);
        odm_arena_done(&a);
        free(in);
}

/* ---- memory that runs out ---------------------------------------------------------- */

struct subject {
        const odm_codec *codec;
        odm_str in;
};

static int decode_and_encode(failing *f, void *arg)
{
        const struct subject *s = arg;
        const odm_codec *other = s->codec == &odm_codec_xml ? &odm_codec_wbxml : &odm_codec_xml;
        odm_arena a;
        odm_buf out;
        odm_msg *m = NULL;

        odm_arena_init(&a, &f->mem, MOST);
        odm_buf_init(&out, &f->mem, MOST);
        int rc = odm_decode(s->codec, s->in, NULL, &a, &m);
        if (rc == 0)
                rc = odm_encode(s->codec, m, &out);
        if (rc == 0)
                rc = odm_msg_convert(m, other, &a);
        odm_buf_done(&out);
        if (rc == 0)
                rc = odm_encode(other, m, &out);
        if (rc < 0)
                assert_int_equal(out.n, 0);
        odm_buf_done(&out);
        odm_arena_done(&a);
        return rc;
}

static void memory_may_run_out_anywhere(void **state)
{
        size_t n;
        struct subject all[] = {
                {&odm_codec_wbxml, from_hex(account_hex)},
                {&odm_codec_wbxml, from_hex(binary_hex)},
                {&odm_codec_wbxml, in_body(body_wbxml[34].in, &n)},
                {&odm_codec_xml, exact_copy(package1_xml)},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(all); i++) {
                torture(decode_and_encode, &all[i], 200);
                exact_free(all[i].in);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_element_is_found_by_its_name),
                cmocka_unit_test(known_octets_come_back),
                cmocka_unit_test(xml_and_wbxml_are_one_message),
                cmocka_unit_test(fields_land_where_they_belong),
                cmocka_unit_test(wbxml_documents),
                cmocka_unit_test(wbxml_bodies),
                cmocka_unit_test(xml_documents),
                cmocka_unit_test(other_encodings_are_refused),
                cmocka_unit_test(zeros_are_borne_in_data_only),
                cmocka_unit_test(an_unknown_command_is_kept_by_name),
                cmocka_unit_test(no_part_of_a_message_is_a_message),
                cmocka_unit_test(every_ceiling_holds),
                cmocka_unit_test(depth_is_no_danger),
                cmocka_unit_test(many_pieces_stay_cheap),
                cmocka_unit_test(memory_may_run_out_anywhere),
        };

        return RUN_TESTS(tests);
}
