/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads of every format read and written: the vectors of lwm2m.md 3.4 and of RFC 8428. */
#include "odm/lwm2m.h"
#include "support.h"

static odm_lw_path path(const char *z)
{
        odm_lw_path p;

        assert_int_equal(odm_lw_path_parse(odm_cstr(z), &p), 0);
        return p;
}

/* A list as text: "/3/0/0 String x; /3/0/9 Integer 100". */
static const char *show(const odm_lw_list *l, odm_arena *a)
{
        odm_str all = ODM_STR("");
        char z[ODM_LW_PATH_TEXT];

        for (size_t i = 0; i < l->n; i++) {
                const odm_lw_node *n = &l->v[i];
                odm_str p = odm_lw_path_format(n->path, z);
                odm_str text = n->value.type == ODM_LW_T_UNKNOWN ? odm_b64_encode(a, n->value.data)
                                                                 : odm_lw_value_text(&n->value, a);
                all = odm_arena_fmt(a, "%s%s%.*s %s %.*s", all.p, i ? "; " : "", (int)p.n, p.p,
                                    odm_lw_type_name(n->value.type), (int)text.n, text.p);
                if (n->t)
                        all = odm_arena_fmt(a, "%s @%lld", all.p, (long long)n->t);
        }
        return all.p;
}

#define DEVICE_HEX                                               \
        "C800144F70656E204D6F62696C6520416C6C69616E6365" /* 0 */ \
        "C801164C69676874776569676874204D324D20436C69656E74"     \
        "C80209333435303030313233"                               \
        "C303312E30" /* 3 */                                     \
        "860641000141 01 05"                                     \
        "88070842000ED842011388"                                 \
        "870841007D42010384"                                     \
        "C10964 C10A0F 830B410000 C40D5182428F C60E2B30323A3030 C11055"

#define DEVICE_TEXT                                                                  \
        "/3/0/0 String Open Mobile Alliance; /3/0/1 String Lightweight M2M Client; " \
        "/3/0/2 String 345000123; /3/0/3 String 1.0; /3/0/6/0 Integer 1; "           \
        "/3/0/6/1 Integer 5; /3/0/7/0 Integer 3800; /3/0/7/1 Integer 5000; "         \
        "/3/0/8/0 Integer 125; /3/0/8/1 Integer 900; /3/0/9 Integer 100; "           \
        "/3/0/10 Integer 15; /3/0/11/0 Integer 0; /3/0/13 Time 1367491215; "         \
        "/3/0/14 String +02:00; /3/0/16 String U"

static const struct row {
        const char *why, *at;
        unsigned ct;
        const char *hex; /* octets; or */
        const char *text;
        int rc;
        const char *want;
        const char *root;
        bool one_way; /* written it looks different */
} rows[] = {
        {"the instance of the standard", "/3/0", ODM_LW_TLV, DEVICE_HEX, .want = DEVICE_TEXT},
        {"its object: the instance around it", "/3", ODM_LW_TLV, "080079" DEVICE_HEX,
         .want = DEVICE_TEXT},
        {"the old number of the format", "/3/0", ODM_LW_OLD_TLV, "C10964",
         .want = "/3/0/9 Integer 100", .one_way = true},
        {"an object that leaves its one instance out", "/3", ODM_LW_TLV, "C10964",
         .want = "/3/0/9 Integer 100", .one_way = true},
        {"an instance that names itself again", "/3/0", ODM_LW_TLV, "0300C10964",
         .want = "/3/0/9 Integer 100", .one_way = true},
        {"a resource", "/3/0/9", ODM_LW_TLV, "C10964", .want = "/3/0/9 Integer 100"},
        {"a multiple resource", "/3/0/6", ODM_LW_TLV, "8606410001410105",
         .want = "/3/0/6/0 Integer 1; /3/0/6/1 Integer 5"},
        {"a resource instance", "/3/0/6/1", ODM_LW_TLV, "410105", .want = "/3/0/6/1 Integer 5"},
        {"a multiple resource without any", "/3/0/11", ODM_LW_TLV, "800B", .want = "/3/0/11 None "},
        {"an instance without anything", "/9", ODM_LW_TLV, "0003", .want = "/9/3 None "},
        {"an object without instances", "/9", ODM_LW_TLV, "", .want = ""},
        {"two instances, one id in 16 bits", "/1", ODM_LW_TLV,
         "0300C10001"
         "2304D2C10002",
         .want = "/1/0/0 Integer 1; /1/1234/0 Integer 2"},
        {"a negative number of one octet", "/4/0/2", ODM_LW_TLV, "C102A4",
         .want = "/4/0/2 Integer -92"},
        {"a number of four octets", "/1/0/1", ODM_LW_TLV, "C40100015180",
         .want = "/1/0/1 Integer 86400"},
        {"a number of eight", "/1/0/1", ODM_LW_TLV, "C801080000000100000000",
         .want = "/1/0/1 Integer 4294967296"},
        {"a float of four octets", "/6/0/0", ODM_LW_TLV, "C40041480000",
         .want = "/6/0/0 Float 12.5", .one_way = true},
        {"and of eight", "/6/0/0", ODM_LW_TLV, "C800084029000000000000",
         .want = "/6/0/0 Float 12.5"},
        {"a boolean", "/1/0/6", ODM_LW_TLV, "C10601", .want = "/1/0/6 Boolean 1"},
        {"a link", "/9/0/13", ODM_LW_TLV, "C40D00050001", .want = "/9/0/13 Objlnk 5:1"},
        {"octets of an object that nobody knows", "/3303/0/5700", ODM_LW_TLV, "E216 44AABB",
         .want = "/3303/0/5700 Unknown qrs="},
        {"a number of three octets is octets", "/3/0/9", ODM_LW_TLV, "C309010203",
         .want = "/3/0/9 Unknown AQID"},
        {"a text that is none is octets", "/3/0/0", ODM_LW_TLV, "C100FF",
         .want = "/3/0/0 Unknown /w=="},
        {"cut in the head", "/3/0", ODM_LW_TLV, "C8", .rc = ODM_EMALFORMED},
        {"cut in the value", "/3/0", ODM_LW_TLV, "C40964", .rc = ODM_EMALFORMED},
        {"a length beyond the end", "/3/0", ODM_LW_TLV, "D809FFFF64", .rc = ODM_EMALFORMED},
        {"an instance within an instance", "/3", ODM_LW_TLV, "0500 0300C10964",
         .rc = ODM_EMALFORMED},
        {"an instance of a resource outside of one", "/3/0", ODM_LW_TLV, "410105",
         .rc = ODM_EMALFORMED},
        {"octets of an object that is known", "/5/0/0", ODM_LW_TLV, "C200 AABB",
         .want = "/5/0/0 Opaque qrs="},
        {"a float that is no number is octets", "/6/0/0", ODM_LW_TLV, "C400 7FC00000",
         .want = "/6/0/0 Unknown f8AAAA=="},
        {"and one of two octets", "/6/0/0", ODM_LW_TLV, "C200 4148", .want = "/6/0/0 Unknown QUg="},
        {"TLV of the root", "/", ODM_LW_TLV, "C10964", .rc = ODM_EUNSUPPORTED},

        {"text", "/3/0/0", ODM_LW_TEXT, .text = "Acme", .want = "/3/0/0 String Acme"},
        {"empty text", "/3/0/0", ODM_LW_TEXT, .text = "", .want = "/3/0/0 String "},
        {"a number", "/3/0/9", ODM_LW_TEXT, .text = "-7", .want = "/3/0/9 Integer -7"},
        {"no number", "/3/0/9", ODM_LW_TEXT, .text = "7x", .rc = ODM_EMALFORMED},
        {"the least number", "/3/0/9", ODM_LW_TEXT, .text = "-9223372036854775808",
         .want = "/3/0/9 Integer -9223372036854775808"},
        {"less than the least", "/3/0/9", ODM_LW_TEXT, .text = "-9223372036854775809",
         .rc = ODM_ELIMIT},
        {"a float", "/6/0/0", ODM_LW_TEXT, .text = "-33.25", .want = "/6/0/0 Float -33.25"},
        {"no float", "/6/0/0", ODM_LW_TEXT, .text = "nan", .rc = ODM_EMALFORMED},
        {"a float with an exponent", "/6/0/0", ODM_LW_TEXT, .text = "1.5e+22",
         .want = "/6/0/0 Float 1.5e+22"},
        {"an exponent of nothing", "/6/0/0", ODM_LW_TEXT, .text = "1e", .rc = ODM_EMALFORMED},
        {"decimals of nothing", "/6/0/0", ODM_LW_TEXT, .text = "1.", .rc = ODM_EMALFORMED},
        {"a float that is larger than all", "/6/0/0", ODM_LW_TEXT, .text = "1e999",
         .rc = ODM_ELIMIT},
        {"one of more digits than it can tell", "/6/0/0", ODM_LW_TEXT,
         .text = "0.1234567890123456789012345678901234567890123456789012345678901234",
         .rc = ODM_ELIMIT},
        {"true", "/1/0/6", ODM_LW_TEXT, .text = "1", .want = "/1/0/6 Boolean 1"},
        {"not quite true", "/1/0/6", ODM_LW_TEXT, .text = "2", .rc = ODM_EMALFORMED},
        {"octets in base64", "/16/0/2/0", ODM_LW_TEXT,
         .text = "qrs=", .want = "/16/0/2/0 Opaque qrs="},
        {"a link", "/9/0/13", ODM_LW_TEXT, .text = "5:1", .want = "/9/0/13 Objlnk 5:1"},
        {"half a link", "/9/0/13", ODM_LW_TEXT, .text = "5", .rc = ODM_EMALFORMED},
        {"a link to more than there can be", "/9/0/13", ODM_LW_TEXT, .text = "5:70000",
         .rc = ODM_ELIMIT},
        {"text of an instance", "/3/0", ODM_LW_TEXT, .text = "x", .rc = ODM_EUNSUPPORTED},
        {"octets as they are", "/5/0/0", ODM_LW_OPAQUE, "AABB", .want = "/5/0/0 Opaque qrs="},
        {"no format: text on a resource", "/3/0/9", ODM_LW_NO_CT, .text = "7",
         .want = "/3/0/9 Integer 7", .one_way = true},
        {"a format that is none of ours", "/3/0/9", 50, .text = "7", .rc = ODM_EUNSUPPORTED},

        {"JSON of 1.0 without base", "/3/0", ODM_LW_JSON,
         .text = "{\"e\":[{\"n\":\"0\",\"sv\":\"Acme\"},{\"n\":\"6/0\",\"v\":1},"
                 "{\"n\":\"9\",\"v\":100}]}",
         .want = "/3/0/0 String Acme; /3/0/6/0 Integer 1; /3/0/9 Integer 100"},
        {"base behind the list, without its slash", "/3/0", ODM_LW_OLD_JSON,
         .text = "{\"e\":[{\"n\":\"9\",\"v\":100}],\"bn\":\"/3/0\"}", .want = "/3/0/9 Integer 100",
         .one_way = true},
        {"one resource", "/3/0/9", ODM_LW_JSON, .text = "{\"bn\":\"/3/0/9\",\"e\":[{\"v\":100}]}",
         .want = "/3/0/9 Integer 100"},
        {"times, a boolean, a link, octets", "/", ODM_LW_JSON,
         .text = "{\"bt\":1500000000,\"bn\":\"/\",\"e\":[{\"n\":\"1/0/6\",\"bv\":true,\"t\":5},"
                 "{\"n\":\"9/0/13\",\"ov\":\"5:1\"},{\"n\":\"16/0/2/0\",\"sv\":\"qrs=\"}]}",
         .want = "/1/0/6 Boolean 1 @1500000005; /9/0/13 Objlnk 5:1 @1500000000; "
                 "/16/0/2/0 Opaque qrs= @1500000000"},
        {"members nobody knows, nested", "/3/0", ODM_LW_JSON,
         .text = "{\"x\":[[{\"y\":[1,{}]}]],\"e\":[{\"n\":\"9\",\"z\":{\"q\":[]},\"v\":100}]}",
         .want = "/3/0/9 Integer 100", .one_way = true},
        {"no list", "/3/0", ODM_LW_JSON, .text = "{\"bn\":\"/3/0/\"}", .rc = ODM_EMALFORMED},
        {"something behind it", "/3/0", ODM_LW_JSON, .text = "{\"e\":[]}x", .rc = ODM_EMALFORMED},
        {"another object than asked for", "/3/0", ODM_LW_JSON,
         .text = "{\"bn\":\"/4/0/\",\"e\":[{\"n\":\"0\",\"v\":1}]}", .rc = ODM_EMALFORMED},

        {"SenML", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"bn\":\"/3/0/\",\"n\":\"0\",\"vs\":\"Acme\"},{\"n\":\"9\",\"v\":100},"
                 "{\"n\":\"11/0\",\"v\":0}]",
         .want = "/3/0/0 String Acme; /3/0/9 Integer 100; /3/0/11/0 Integer 0"},
        {"whole names", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/9\",\"v\":100},{\"n\":\"/3/0/10\",\"v\":1.5e1}]",
         .want = "/3/0/9 Integer 100; /3/0/10 Integer 15"},
        {"escapes, and a pair of surrogates", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"\\/3/0/0\",\"vs\":\"a\\\"\\u00e9\\ud83d\\ude00\\n\"}]",
         .want = "/3/0/0 String a\"\xc3\xa9\xf0\x9f\x98\x80\n"},
        {"escapes of one octet and of three", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\u0041\\u20AC\"}]",
         .want = "/3/0/0 String A\xe2\x82\xac"},
        {"a float", "/6/0", ODM_LW_SENML_JSON, .text = "[{\"n\":\"/6/0/0\",\"v\":1.5}]",
         .want = "/6/0/0 Float 1.5"},
        {"false, and a member that is nothing", "/1/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/1/0/6\",\"vb\":false,\"x\":null}]", .want = "/1/0/6 Boolean 0"},
        {"octets with their padding", "/5/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/5/0/0\",\"vd\":\"_-8=\"}]", .want = "/5/0/0 Opaque /+8="},
        {"octets in base64url", "/5/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/5/0/0\",\"vd\":\"_-8\"}]", .want = "/5/0/0 Opaque /+8="},
        {"base fields alone are no value", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"bt\":1500000000},{\"n\":\"/3/0/9\",\"v\":1}]",
         .want = "/3/0/9 Integer 1 @1500000000"},
        {"what is wanted of several objects", "/", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/9\"},{\"n\":\"/4\"}]", .want = "/3/0/9 None ; /4 None "},
        {"a link", "/9/0", ODM_LW_SENML_JSON, .text = "[{\"n\":\"/9/0/13\",\"vlo\":\"5:1\"}]",
         .want = "/9/0/13 Objlnk 5:1"},
        {"behind another root", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"bn\":\"/lwm2m/3/0/\",\"n\":\"9\",\"v\":1}]", .want = "/3/0/9 Integer 1",
         .root = "/lwm2m"},
        {"none at all", "/3/0", ODM_LW_SENML_JSON, .text = "[]", .want = ""},
        {"a base value", "/3/0", ODM_LW_SENML_JSON, .text = "[{\"bv\":1,\"n\":\"/3/0/9\"}]",
         .rc = ODM_EMALFORMED},
        {"what must be understood", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/9\",\"v\":1,\"x_\":2}]", .rc = ODM_EMALFORMED},
        {"half a surrogate", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\ud83d\"}]", .rc = ODM_EMALFORMED},
        {"an escape of a zero", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\u0000\"}]", .rc = ODM_EMALFORMED},
        {"the other half of one", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\ude00\"}]", .rc = ODM_EMALFORMED},
        {"an escape of two digits", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\u00\"}]", .rc = ODM_EMALFORMED},
        {"an escape of other letters", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\u00g0\"}]", .rc = ODM_EMALFORMED},
        {"an escape of no kind", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\\x\"}]", .rc = ODM_EMALFORMED},
        {"a control character", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"a\nb\"}]", .rc = ODM_EMALFORMED},
        {"a text that is none", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/0\",\"vs\":\"\xff\"}]", .rc = ODM_EMALFORMED},
        {"a number where a boolean is", "/1/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/1/0/6\",\"vb\":1}]", .rc = ODM_EMALFORMED},
        {"nothing where a value is", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":}]", .rc = ODM_EMALFORMED},
        {"a comma where a value is", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":,}]", .rc = ODM_EMALFORMED},
        {"a list that ends as a record", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"n\":\"/3/0/9\",\"v\":1,\"x\":[1", .rc = ODM_EMALFORMED},
        {"a name longer than any", "/3/0", ODM_LW_SENML_JSON,
         .text = "[{\"bn\":\"/3/0/9999999999999999999999999999999999999999999999999999999999999999"
                 "99999999999999999999999999999999999999999999999999999999999999999999999999999999"
                 "99999999999999999999999999999999999999999999999999999999999999999999999999999999"
                 "99999999999999999999999999999999999999999999999999999999999999999999999999999999"
                 "\",\"n\":\"9\",\"v\":1}]",
         .rc = ODM_EMALFORMED},
        {"a string without its end", "/3/0", ODM_LW_SENML_JSON, .text = "[{\"n\":\"/3",
         .rc = ODM_EMALFORMED},
        {"an escape at the end", "/3/0", ODM_LW_SENML_JSON, .text = "[{\"n\":\"\\",
         .rc = ODM_EMALFORMED},
        {"a comma too many", "/3/0", ODM_LW_SENML_JSON, .text = "[{\"n\":\"/3/0/9\",}]",
         .rc = ODM_EMALFORMED},
        {"a value of an instance", "/3/0", ODM_LW_SENML_JSON, .text = "[{\"n\":\"/3/0\",\"v\":1}]",
         .rc = ODM_EMALFORMED},
        {"a word", "/3/0", ODM_LW_SENML_JSON, .text = "nil", .rc = ODM_EMALFORMED},

        {"SenML in CBOR", "/3/0", ODM_LW_SENML_CBOR,
         "82 A3 21 65 2F332F302F 00 61 30 03 64 41636D65 A2 00 61 39 02 18 64",
         .want = "/3/0/0 String Acme; /3/0/9 Integer 100"},
        {"of no told length", "/3/0", ODM_LW_SENML_CBOR, "9F BF 00 66 2F332F302F39 02 18 64 FF FF",
         .want = "/3/0/9 Integer 100"},
        {"half a float, a boolean, octets", "/", ODM_LW_SENML_CBOR,
         "83 A2 00 66 2F362F302F30 02 F9 3E00 A2 00 66 2F312F302F36 04 F5"
         "A2 00 66 2F352F302F30 08 42 AABB",
         .want = "/6/0/0 Float 1.5; /1/0/6 Boolean 1; /5/0/0 Opaque qrs=", .one_way = true},
        {"times", "/3/0", ODM_LW_SENML_CBOR, "81 A4 22 1A59682F00 00 66 2F332F302F39 06 05 02 01",
         .want = "/3/0/9 Integer 1 @1500000005"},
        {"a negative number, a tag before it", "/4/0", ODM_LW_SENML_CBOR,
         "81 A2 00 66 2F342F302F32 02 C1 38 5B", .want = "/4/0/2 Integer -92"},
        {"members nobody knows, nested", "/3/0", ODM_LW_SENML_CBOR,
         "81 A3 00 66 2F332F302F39 19 0100 82 A1 01 9F 02 FF 03 02 01", .want = "/3/0/9 Integer 1"},
        {"a float of four octets, octets of an object that nobody knows, a link", "/",
         ODM_LW_SENML_CBOR,
         "83 A2 00 66 2F362F302F30 02 FA 3FC00000 A2 00 67 2F392F302F3133 63 766C6F 63 353A31"
         "A2 00 6C 2F333330332F302F35373030 08 42 AABB",
         .want = "/6/0/0 Float 1.5; /9/0/13 Objlnk 5:1; /3303/0/5700 Opaque qrs="},
        {"what is wanted of several objects", "/", ODM_LW_SENML_CBOR,
         "82 A1 00 66 2F332F302F39 A1 00 62 2F34", .want = "/3/0/9 None ; /4 None "},
        {"base fields alone are no value", "/3/0", ODM_LW_SENML_CBOR,
         "82 A1 22 1A59682F00 A2 00 66 2F332F302F39 02 01", .want = "/3/0/9 Integer 1 @1500000000"},
        {"a label of others below zero", "/3/0", ODM_LW_SENML_CBOR,
         "81 A3 29 01 00 66 2F332F302F39 02 01", .want = "/3/0/9 Integer 1"},
        {"a base value", "/3/0", ODM_LW_SENML_CBOR, "81 A3 24 01 00 66 2F332F302F39 02 01",
         .rc = ODM_EMALFORMED},
        {"a sum", "/3/0", ODM_LW_SENML_CBOR, "81 A2 00 66 2F332F302F39 05 01",
         .rc = ODM_EMALFORMED},
        {"a label of octets", "/3/0", ODM_LW_SENML_CBOR, "81 A1 41 00 01", .rc = ODM_EMALFORMED},
        {"a name that is a number", "/3/0", ODM_LW_SENML_CBOR, "81 A2 00 01 02 01",
         .rc = ODM_EMALFORMED},
        {"a text where a number is", "/3/0", ODM_LW_SENML_CBOR, "81 A2 00 66 2F332F302F39 02 61 31",
         .rc = ODM_EMALFORMED},
        {"a number where a text is", "/3/0", ODM_LW_SENML_CBOR, "81 A2 00 66 2F332F302F30 03 01",
         .rc = ODM_EMALFORMED},
        {"another object than asked for", "/3/0", ODM_LW_SENML_CBOR,
         "81 A2 00 66 2F342F302F32 02 01", .rc = ODM_EMALFORMED},
        {"a value of an instance", "/3/0", ODM_LW_SENML_CBOR, "81 A2 00 64 2F332F30 02 01",
         .rc = ODM_EMALFORMED},
        {"a record that is none", "/3/0", ODM_LW_SENML_CBOR, "81 01", .rc = ODM_EMALFORMED},
        {"lists in lists, deeper than anybody looks", "/3/0", ODM_LW_SENML_CBOR,
         "81 A3 00 66 2F332F302F39 19 0100 8181818181818181818181818181818181 01 02 01",
         .rc = ODM_ELIMIT},
        {"a list longer than what is there", "/3/0", ODM_LW_SENML_CBOR,
         "81 A3 00 66 2F332F302F39 19 0100 9A 00010000 02 01", .rc = ODM_EMALFORMED},
        {"a label that must be understood", "/3/0", ODM_LW_SENML_CBOR,
         "81 A3 00 66 2F332F302F39 62 785F 01 02 01", .rc = ODM_EMALFORMED},
        {"a list cut off", "/3/0", ODM_LW_SENML_CBOR, "82 A1 00 66 2F332F302F39",
         .rc = ODM_EMALFORMED},
        {"far more records than there are octets", "/3/0", ODM_LW_SENML_CBOR, "9B FFFFFFFFFFFFFFFE",
         .rc = ODM_EMALFORMED},
        {"a break without a beginning", "/3/0", ODM_LW_SENML_CBOR, "81 A2 18 20 FF 00 61 30",
         .rc = ODM_EMALFORMED},
        {"something behind it", "/3/0", ODM_LW_SENML_CBOR, "80 00", .rc = ODM_EMALFORMED},
        {"a map instead", "/3/0", ODM_LW_SENML_CBOR, "A0", .rc = ODM_EMALFORMED},

        {"one value", "/3/0/9", ODM_LW_CBOR, "18 64", .want = "/3/0/9 Integer 100"},
        {"one text", "/3/0/0", ODM_LW_CBOR, "64 41636D65", .want = "/3/0/0 String Acme"},
        {"a time behind its tag", "/3/0/13", ODM_LW_CBOR, "C1 1A 51 82 42 8F",
         .want = "/3/0/13 Time 1367491215"},
        {"a link", "/9/0/13", ODM_LW_CBOR, "63 353A31", .want = "/9/0/13 Objlnk 5:1"},
        {"a double", "/6/0/0", ODM_LW_CBOR, "FB 3FB999999999999A", .want = "/6/0/0 Float 0.1"},
        {"no text where a number is", "/3/0/9", ODM_LW_CBOR, "61 31", .rc = ODM_EMALFORMED},
        {"no infinity", "/6/0/0", ODM_LW_CBOR, "F9 7C00", .rc = ODM_EMALFORMED},
        {"the largest half a float", "/6/0/0", ODM_LW_CBOR, "F9 7BFF",
         .want = "/6/0/0 Float 65504"},
        {"the least, below zero", "/6/0/0", ODM_LW_CBOR, "F9 8001",
         .want = "/6/0/0 Float -5.9604644775390625e-08"},
        {"octets", "/3303/0/5700", ODM_LW_CBOR, "42 AABB", .want = "/3303/0/5700 Opaque qrs="},
        {"true where a number is", "/3/0/9", ODM_LW_CBOR, "F5", .want = "/3/0/9 Integer 1"},
        {"a number where true is", "/1/0/6", ODM_LW_CBOR, "00", .want = "/1/0/6 Boolean 0"},
        {"a number that is neither", "/1/0/6", ODM_LW_CBOR, "02", .rc = ODM_EMALFORMED},
        {"a number where a float is", "/6/0/0", ODM_LW_CBOR, "05", .want = "/6/0/0 Float 5"},
        {"a text where a float is", "/6/0/0", ODM_LW_CBOR, "61 31", .rc = ODM_EMALFORMED},
        {"a part where a number is", "/3/0/9", ODM_LW_CBOR, "FA 3FC00000", .rc = ODM_EMALFORMED},
        {"a float that is whole", "/3/0/9", ODM_LW_CBOR, "FA 42C80000",
         .want = "/3/0/9 Integer 100"},
        {"no value", "/3/0/9", ODM_LW_CBOR, "81 01", .rc = ODM_EMALFORMED},
        {"a number beyond all", "/3/0/9", ODM_LW_CBOR, "1B FFFFFFFFFFFFFFFF", .rc = ODM_ELIMIT},
        {"a length of no kind", "/3/0/9", ODM_LW_CBOR, "1C", .rc = ODM_EMALFORMED},
        {"something behind it", "/3/0/9", ODM_LW_CBOR, "01 01", .rc = ODM_EMALFORMED},
};

static odm_str input_of(const struct row *r)
{
        return r->text ? exact_copy(r->text) : from_hex(r->hex);
}

static void reads_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_lw_frame f = {.at = path(r->at), .root = odm_cstr(r->root)};
                odm_lw_list got = {.n = 99};
                odm_str in = input_of(r);
                odm_arena a;

                odm_arena_init(&a, &heap, 1 << 20);
                int rc = odm_lw_decode(&f, r->ct, in, &a, &got);
                if (rc != r->rc)
                        fail_msg("%s: gave %s", r->why, odm_err_name(rc));
                if (rc < 0)
                        assert_int_equal(got.n, 99);
                else if (strcmp(show(&got, &a), r->want) != 0)
                        fail_msg("%s: gave\n%s", r->why, show(&got, &a));
                exact_free(in);
                odm_arena_done(&a);
        }
}

/* What was read is written in the same format and read again: it says the same. */
static void writes_what_it_reads(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_lw_frame f = {.at = path(r->at), .root = odm_cstr(r->root)};
                odm_lw_list got, again;
                odm_arena a;
                odm_buf b;

                if (r->rc < 0 || r->one_way)
                        continue;
                odm_str in = input_of(r);
                odm_arena_init(&a, &heap, 1 << 20);
                odm_buf_init(&b, &heap, 4096);
                assert_int_equal(odm_lw_decode(&f, r->ct, in, &a, &got), 0);
                bool sorted = true;
                for (size_t k = 1; k < got.n; k++)
                        sorted = sorted && odm_lw_path_cmp(got.v[k - 1].path, got.v[k].path) < 0;
                int rc = odm_lw_encode(&f, r->ct, &got, &b);
                assert_int_equal(rc, sorted ? 0 : ODM_EINVAL);
                if (rc == 0) {
                        if (r->ct == ODM_LW_TLV)
                                assert_octets(odm_buf_view(&b), in);
                        assert_int_equal(odm_lw_decode(&f, r->ct, odm_buf_view(&b), &a, &again), 0);
                        if (strcmp(show(&again, &a), r->want) != 0)
                                fail_msg("%s: became %s", r->why, show(&again, &a));
                }
                exact_free(in);
                odm_buf_done(&b);
                odm_arena_done(&a);
        }
}

static void every_beginning_of_a_good_payload_is_refused_or_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_lw_frame f = {.at = path(r->at)};
                odm_str in = input_of(r);

                for (size_t n = 0; n < in.n; n++) {
                        odm_str part = exact_bytes(in.p, n);
                        odm_lw_list got;
                        odm_arena a;
                        odm_arena_init(&a, &heap, 1 << 20);
                        int rc = odm_lw_decode(&f, r->ct, part, &a, &got);
                        if (rc == 0 && (r->ct == ODM_LW_SENML_JSON || r->ct == ODM_LW_SENML_CBOR ||
                                        r->ct == ODM_LW_JSON || r->ct == ODM_LW_OLD_JSON))
                                if (r->rc == 0)
                                        fail_msg("%s: %zu octets of it were taken", r->why, n);
                        odm_arena_done(&a);
                        exact_free(part);
                }
                exact_free(in);
        }
}

static void a_payload_of_too_many_values_is_refused(void **state)
{
        odm_lw_frame f = {.at = path("/")};
        odm_lw_list got;
        odm_arena a;
        odm_buf b;

        (void)state;
        odm_arena_init(&a, &heap, 16 << 20);
        odm_buf_init(&b, &heap, 1 << 20);
        assert_int_equal(odm_buf_byte(&b, '['), 0);
        for (unsigned i = 0; i <= ODM_LW_NODES_MAX; i++)
                assert_int_equal(odm_buf_fmt(&b, "%s{\"n\":\"/9/0/%u\",\"v\":1}", i ? "," : "", i),
                                 0);
        assert_int_equal(odm_buf_byte(&b, ']'), 0);
        assert_int_equal(odm_lw_decode(&f, ODM_LW_SENML_JSON, odm_buf_view(&b), &a, &got),
                         ODM_ELIMIT);
        odm_buf_done(&b);
        odm_arena_done(&a);
}

static void what_cannot_be_written_is_refused(void **state)
{
        odm_lw_node two[] = {{.path = {3, {3, 0, 9}}, .value = {.type = ODM_LW_T_INTEGER}},
                             {.path = {3, {3, 0, 1}}, .value = {.type = ODM_LW_T_INTEGER}}};
        odm_lw_list l = {two, 2};
        odm_lw_frame f = {.at = path("/3/0")};
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap, 64);
        assert_int_equal(odm_lw_encode(&f, ODM_LW_TLV, &l, &b), ODM_EINVAL); /* not in order */
        l.n = 1;
        assert_int_equal(odm_lw_encode(&f, ODM_LW_TEXT, &l, &b), ODM_EINVAL); /* not that path */
        f.at = path("/4");
        assert_int_equal(odm_lw_encode(&f, ODM_LW_TLV, &l, &b), ODM_EINVAL); /* not below it */
        assert_int_equal(odm_lw_encode(&f, ODM_LW_LINK, &l, &b), ODM_EINVAL);
        f.at = path("/3/0/9");
        assert_int_equal(odm_lw_encode(&f, ODM_LW_LINK, &l, &b), ODM_EUNSUPPORTED);
        assert_int_equal(odm_lw_encode(&f, ODM_LW_OPAQUE, &l, &b), ODM_EUNSUPPORTED);
        two[0].value = (odm_lw_value){.type = ODM_LW_T_STRING,
                                      .data = ODM_STR("0123456789012345678901234567890123456789"
                                                      "0123456789012345678901234567890123456789")};
        assert_int_equal(odm_lw_encode(&f, ODM_LW_TLV, &l, &b), ODM_ELIMIT);
        assert_int_equal(b.n, 0);
        odm_buf_done(&b);
}

/* A node that only says that it is there is told where it is what is asked for, and nowhere else.
 */
static void what_has_no_value_is_not_told(void **state)
{
        static const struct {
                unsigned ct;
                const char *hex;
        } v[] = {{ODM_LW_SENML_CBOR, "80"}, {ODM_LW_SENML_JSON, "5B5D"}};
        odm_lw_node one = {.path = {3, {3, 0, 11}}};
        odm_lw_list l = {&one, 1};
        odm_lw_frame f = {.at = path("/3/0")};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_str want = from_hex(v[i].hex);
                odm_buf b;
                odm_buf_init(&b, &heap, 64);
                assert_int_equal(odm_lw_encode(&f, v[i].ct, &l, &b), 0);
                assert_octets(odm_buf_view(&b), want);
                odm_buf_done(&b);
                exact_free(want);
        }
        assert_ptr_equal(odm_lw_list_find(&l, one.path), &one);
        assert_null(odm_lw_list_find(&l, path("/3/0/9")));
}

static void formats_are_chosen_by_what_is_written(void **state)
{
        (void)state;
        assert_int_equal(odm_lw_ct_for(path("/"), ODM_LW_T_NONE, 2), ODM_LW_SENML_CBOR);
        assert_int_equal(odm_lw_ct_for(path("/3/0"), ODM_LW_T_NONE, 1), ODM_LW_TLV);
        assert_int_equal(odm_lw_ct_for(path("/3/0/6"), ODM_LW_T_INTEGER, 2), ODM_LW_TLV);
        assert_int_equal(odm_lw_ct_for(path("/3/0/9"), ODM_LW_T_INTEGER, 1), ODM_LW_TEXT);
        assert_int_equal(odm_lw_ct_for(path("/5/0/0"), ODM_LW_T_OPAQUE, 1), ODM_LW_OPAQUE);
}

static void floats_are_written_as_short_as_they_are(void **state)
{
        static const struct {
                double v;
                const char *text;
        } v[] = {{0.1, "0.1"},
                 {1e22, "1e+22"},
                 {-0.0, "-0"},
                 {1.0 / 3, "0.3333333333333333"},
                 {5e-324, "4.94066e-324"}};
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 4096);
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_lw_value f = {.type = ODM_LW_T_FLOAT, .f = v[i].v};
                assert_str(odm_lw_value_text(&f, &a), v[i].text);
        }
        odm_arena_done(&a);
}

static int decode_and_encode(failing *f, void *arg)
{
        const struct row *r = arg;
        odm_lw_frame frame = {.at = path(r->at), .root = odm_cstr(r->root)};
        odm_str in = input_of(r);
        odm_lw_list l;
        odm_arena a;
        odm_buf b;

        odm_arena_init(&a, &f->mem, 1 << 20);
        odm_buf_init(&b, &f->mem, 4096);
        int rc = odm_lw_decode(&frame, r->ct, in, &a, &l);
        if (rc == 0)
                rc = odm_lw_encode(&frame, r->ct, &l, &b);
        odm_buf_done(&b);
        odm_arena_done(&a);
        exact_free(in);
        return rc;
}

static void it_survives_want_of_memory(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (rows[i].rc == 0 && !rows[i].one_way)
                        torture(decode_and_encode, (void *)(uintptr_t)&rows[i], 50);
}

static void paths_are_read_as_the_table_says(void **state)
{
        static const struct {
                const char *why, *in;
                int rc;
                const char *out;
        } v[] = {
                {"the root", "/", 0, "/"},
                {"nothing is the root", "", 0, "/"},
                {"four numbers", "/3/0/6/1", 0, "/3/0/6/1"},
                {"without its slash", "3/0", 0, "/3/0"},
                {"the largest", "/65534", 0, "/65534"},
                {"one more", "/65535", ODM_ELIMIT, NULL},
                {"five numbers", "/1/2/3/4/5", ODM_EMALFORMED, NULL},
                {"a leading zero", "/03", ODM_EMALFORMED, NULL},
                {"a slash behind", "/3/", ODM_EMALFORMED, NULL},
                {"an empty number", "/3//0", ODM_EMALFORMED, NULL},
                {"two slashes", "//", ODM_EMALFORMED, NULL},
                {"no number", "/rd", ODM_EMALFORMED, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_lw_path p = {.depth = 77};
                char z[ODM_LW_PATH_TEXT];
                odm_str in = exact_copy(v[i].in);
                int rc = odm_lw_path_parse(in, &p);
                if (rc != v[i].rc)
                        fail_msg("%s: %s", v[i].why, odm_err_name(rc));
                if (rc == 0)
                        assert_str(odm_lw_path_format(p, z), v[i].out);
                else
                        assert_int_equal(p.depth, 77);
                exact_free(in);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_as_the_table_says),
                cmocka_unit_test(writes_what_it_reads),
                cmocka_unit_test(every_beginning_of_a_good_payload_is_refused_or_read),
                cmocka_unit_test(a_payload_of_too_many_values_is_refused),
                cmocka_unit_test(what_cannot_be_written_is_refused),
                cmocka_unit_test(what_has_no_value_is_not_told),
                cmocka_unit_test(formats_are_chosen_by_what_is_written),
                cmocka_unit_test(floats_are_written_as_short_as_they_are),
                cmocka_unit_test(it_survives_want_of_memory),
                cmocka_unit_test(paths_are_read_as_the_table_says),
        };
        return RUN_TESTS(tests);
}
