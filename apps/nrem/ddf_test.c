/* SPDX-License-Identifier: Apache-2.0 */
#include "ddf.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "odm/codec.h"
#include "support.h"

/* ---- documents ------------------------------------------------------------------- */

#define DF(format, type)                                                                  \
        "<DFProperties><AccessType><Get/></AccessType><DFFormat><" format "/></DFFormat>" \
        "<DFType>" type "</DFType></DFProperties>"
#define TITLED(title)                                                                        \
        "<DFProperties><AccessType><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>" \
        "<DFTitle>" title "</DFTitle><DFType><MIME>text/plain</MIME></DFType></DFProperties>"
#define ID(id) "<DDFName>" id "</DDFName>"
#define DOC(nodes) "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD>" nodes "</MgmtTree>"
#define NODE(name, inner) "<Node><NodeName>" name "</NodeName>" inner "</Node>"

#define METER                                                                                  \
        DOC(NODE(                                                                              \
                "",                                                                            \
                DF("node", ID("urn:oma:mo:x-acme-Meter:1.0")) NODE("Tariff", TITLED("Tariff")) \
                        NODE("", DF("node", ID("")) NODE("Unit", TITLED("Unit of the counter")))))
#define DEVINFO(title)      \
        DOC(NODE("DevInfo", \
                 DF("node", ID("urn:oma:mo:oma-dm-devinfo:1.0")) NODE("Man", TITLED(title))))

/* ---- a folder of the test's own -------------------------------------------------- */

typedef struct place {
        char folder[64];
} place;

static void make_place(place *p)
{
        (void)snprintf(p->folder, sizeof p->folder, "/tmp/nrem_ddf_test.XXXXXX");
        assert_non_null(mkdtemp(p->folder));
}

static char *path_in(const place *p, const char *name)
{
        char *path = fsio_join(p->folder, name);

        assert_non_null(path);
        return path;
}

static void put_octets(const place *p, const char *name, odm_str octets)
{
        char *path = path_in(p, name);

        assert_int_equal(fsio_write(NULL, path, octets, 0600, NULL), 0);
        free(path);
}

static void put_file(const place *p, const char *name, const char *text)
{
        put_octets(p, name, odm_cstr(text));
}

static void drop(const place *p, const char *name)
{
        char *path = path_in(p, name);

        if (unlink(path) < 0)
                assert_int_equal(rmdir(path), 0);
        free(path);
}

static int load(ddf *r, const place *p, const char *name, diag *d)
{
        char *path = path_in(p, name);
        int rc = ddf_load(r, path, d);

        free(path);
        return rc;
}

static bool titled(ddf_spot at, const char *title)
{
        return at.desc && odm_str_is(at.desc->title, title);
}

/* ---- tests ----------------------------------------------------------------------- */

static void knows_what_is_built_in(void **state)
{
        ddf *r;

        (void)state;
        assert_int_equal(ddf_new(NULL, &r), 0);
        assert_int_equal(ddf_files(r), 0);
        ddf_spot info = ddf_by_place(r, ODM_STR("./DevInfo"));
        assert_non_null(info.desc);
        assert_true(ddf_by_id(r, ODM_STR("URN:oma:MO:oma-dm-DevInfo:1.0 ")).desc == info.desc);
        assert_true(ddf_by_id(r, ODM_STR("urn:oma:mo:oma-dm-devinfo:9.0")).desc == NULL);
        assert_true(ddf_by_id(r, ODM_STR("")).desc == NULL);
        assert_true(ddf_by_id(r, ODM_ABSENT).desc == NULL);
        assert_non_null(ddf_child(r, info, ODM_STR("Man")).desc);
        assert_null(ddf_child(r, info, ODM_STR("man")).desc);
        assert_non_null(ddf_by_place(r, ODM_STR("./Vendor/xrem")).desc);
        assert_null(ddf_by_place(r, ODM_STR("./Vendor")).desc);
        /* an account is an object inside of a description, and found by both ways */
        ddf_spot account = ddf_by_id(r, ODM_STR("urn:oma:mo:oma-dm-dmacc:1.0"));
        ddf_spot any = ddf_child(r, ddf_by_place(r, ODM_STR("./DMAcc")), ODM_STR("main"));
        assert_non_null(account.desc);
        assert_true(any.desc == account.desc);
        ddf_free(r);
        ddf_free(NULL);
}

static const struct row {
        const char *why, *text;
        int rc;
        const char *says; /* part of the reason, after the file's name */
} rows[] = {
        {"a good one", METER, 0, ""},
        {"two objects in one document",
         DOC(NODE("A", DF("node", ID(""))) NODE("B", DF("node", ID("")))), 0, ""},
        {"not XML", "<MgmtTree", ODM_EMALFORMED, ": no MgmtTree"},
        {"nothing", "", ODM_EMALFORMED, ": no MgmtTree"},
        {"another document", "<html/>", ODM_EMALFORMED, ": no MgmtTree"},
        {"no node", DOC(""), ODM_EMALFORMED, ": the document has no Node"},
        {"a default that does not fit",
         DOC(NODE("A", DF("node", ID("")) NODE(
                               "b", "<DFProperties><DefaultValue>x</DefaultValue><DFFormat><int/>"
                                    "</DFFormat><DFType><MIME>text/plain</MIME></DFType>"
                                    "</DFProperties>"))),
         ODM_EMALFORMED, ": node A/b: DefaultValue does not fit DFFormat"},
        {"a fault in the second object",
         DOC(NODE("A", DF("node", ID("")))
                     NODE("B", DF("node", ID("")) NODE("", DF("node", ID("")) NODE("c", "")))),
         ODM_EMALFORMED, ": node B/<X>/c: DFProperties is missing"},
        {"nothing leads to it", DOC(NODE("", DF("node", ID("")) NODE("a", TITLED("A")))),
         ODM_EMALFORMED, ": node <X>: neither a name"},
};

static void refuses_as_the_table_says(void **state)
{
        place p;

        (void)state;
        make_place(&p);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                ddf *r;
                diag d = {{0}};
                put_file(&p, "x.ddf", rows[i].text);
                assert_int_equal(ddf_new(NULL, &r), 0);
                int rc = load(r, &p, "x.ddf", &d);
                const char *says = strstr(d.text, "/x.ddf");
                if (rc != rows[i].rc || (rc < 0 && (!says || !strstr(says + 6, rows[i].says))))
                        fail_msg("%s: %s '%s'", rows[i].why, odm_err_name(rc), d.text);
                assert_int_equal(ddf_files(r), rc == 0);
                ddf_free(r);
        }
        drop(&p, "x.ddf");
        assert_int_equal(rmdir(p.folder), 0);
}

static void finds_a_makers_object_by_its_type(void **state)
{
        place p;
        ddf *r;
        diag d;

        (void)state;
        make_place(&p);
        put_file(&p, "meter.xml", METER);
        assert_int_equal(ddf_new(NULL, &r), 0);
        assert_int_equal(load(r, &p, "meter.xml", &d), 0); /* named directly: any name will do */
        ddf_spot top = ddf_by_id(r, ODM_STR("urn:oma:mo:X-ACME-meter:1.0"));
        assert_non_null(top.desc);
        assert_true(titled(ddf_child(r, top, ODM_STR("Tariff")), "Tariff"));
        ddf_spot any = ddf_child(r, top, ODM_STR("7"));
        assert_true(titled(ddf_child(r, any, ODM_STR("Unit")), "Unit of the counter"));
        assert_null(ddf_child(r, any, ODM_STR("unit")).desc);
        assert_null(ddf_by_place(r, ODM_STR("./")).desc);
        ddf_free(r);
        drop(&p, "meter.xml");
        assert_int_equal(rmdir(p.folder), 0);
}

static ddf_spot man(const ddf *r)
{
        return ddf_child(r, ddf_by_place(r, ODM_STR("./DevInfo")), ODM_STR("Man"));
}

static void lets_a_file_replace_what_is_built_in(void **state)
{
        place p;
        ddf *r;
        diag d = {{0}};

        (void)state;
        make_place(&p);
        put_file(&p, "b.ddf", DEVINFO("second"));
        put_file(&p, "a.ddf", DEVINFO("first"));
        put_file(&p, "c.ddf~", "no description");
        put_file(&p, "z.txt", "no description either");
        char *below = path_in(&p, "d.ddf");
        assert_int_equal(fsio_mkdir(below, 0700, &d), 0);
        free(below);
        assert_int_equal(ddf_new(NULL, &r), 0);
        assert_false(titled(man(r), "second"));
        assert_int_equal(ddf_load(r, p.folder, &d), 0);
        assert_int_equal(ddf_files(r), 2);
        assert_true(titled(man(r), "second"));
        ddf_spot byid = ddf_by_id(r, ODM_STR("urn:oma:mo:oma-dm-devinfo:1.0"));
        assert_true(titled(ddf_child(r, byid, ODM_STR("Man")), "second"));
        assert_null(ddf_child(r, byid, ODM_STR("DevId")).desc); /* replaced, not merged */
        /* an account within what is built in */
        put_file(&p, "b.ddf",
                 DOC(NODE("", DF("node", ID("urn:oma:mo:oma-dm-dmacc:1.0"))
                                      NODE("Name", TITLED("of the maker")))));
        assert_int_equal(load(r, &p, "b.ddf", &d), 0);
        ddf_spot any = ddf_child(r, ddf_by_place(r, ODM_STR("./DMAcc")), ODM_STR("x"));
        assert_true(titled(ddf_child(r, any, ODM_STR("Name")), "of the maker"));
        ddf_free(r);
        drop(&p, "a.ddf");
        drop(&p, "b.ddf");
        drop(&p, "c.ddf~");
        drop(&p, "d.ddf");
        drop(&p, "z.txt");
        assert_int_equal(rmdir(p.folder), 0);
}

static void reads_wbxml(void **state)
{
        odm_arena a;
        odm_buf out;
        odm_doc *doc;
        place p;
        ddf *r;
        diag d = {{0}};

        (void)state;
        make_place(&p);
        odm_arena_init(&a, &heap, 1 << 20);
        odm_buf_init(&out, &heap, 1 << 20);
        assert_int_equal(odm_doc_decode(ODM_STR(METER), NULL, &a, &doc), 0);
        assert_int_equal(odm_doc_encode(&odm_codec_wbxml, doc, true, &out), 0);
        put_octets(&p, "m.ddf", odm_buf_view(&out));
        assert_int_equal(ddf_new(NULL, &r), 0);
        assert_int_equal(load(r, &p, "m.ddf", &d), 0);
        ddf_spot top = ddf_by_id(r, ODM_STR("urn:oma:mo:x-acme-meter:1.0"));
        assert_true(top.desc && titled(ddf_child(r, top, ODM_STR("Tariff")), "Tariff"));
        /* WBXML carries octets, an answer in JSON cannot */
        doc->nodes->children->df_title = ODM_STR("\xff");
        odm_buf_cut(&out, 0);
        assert_int_equal(odm_doc_encode(&odm_codec_wbxml, doc, true, &out), 0);
        put_octets(&p, "m.ddf", odm_buf_view(&out));
        assert_int_equal(load(r, &p, "m.ddf", &d), ODM_EMALFORMED);
        assert_non_null(strstr(d.text, "m.ddf: node <X>/Tariff: its text is no UTF-8"));
        ddf_free(r);
        odm_buf_done(&out);
        odm_arena_done(&a);
        drop(&p, "m.ddf");
        assert_int_equal(rmdir(p.folder), 0);
}

static void keeps_its_ceilings(void **state)
{
        static const struct {
                const char *why, *says;
                ddf_limits lim;
                int rc;
        } cases[] = {
                {"just enough", "", {2, 2 * (sizeof METER - 1), 8}, 0},
                {"files", "b.ddf: more than 1 files", {1, 1 << 20, 100}, ODM_ELIMIT},
                {"octets", "octets", {9, 2 * (sizeof METER - 1) - 1, 100}, ODM_ELIMIT},
                {"nodes", "b.ddf: more than 7 nodes", {9, 1 << 20, 7}, ODM_ELIMIT},
        };
        place p;

        (void)state;
        make_place(&p);
        put_file(&p, "a.ddf", METER);
        put_file(&p, "b.ddf", METER);
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                ddf *r;
                diag d = {{0}};
                assert_int_equal(ddf_new(&cases[i].lim, &r), 0);
                int rc = ddf_load(r, p.folder, &d);
                if (rc != cases[i].rc || !strstr(d.text, cases[i].says))
                        fail_msg("%s: %s '%s'", cases[i].why, odm_err_name(rc), d.text);
                ddf_free(r);
        }
        drop(&p, "a.ddf");
        drop(&p, "b.ddf");
        assert_int_equal(rmdir(p.folder), 0);
}

static void misses_what_is_not_there(void **state)
{
        ddf *r;
        diag d = {{0}};

        (void)state;
        assert_int_equal(ddf_new(NULL, &r), 0);
        assert_int_equal(ddf_load(r, "/nonexistent/x.ddf", &d), ODM_ENOENT);
        assert_non_null(strstr(d.text, "/nonexistent/x.ddf: "));
        ddf_free(r);
}

static void agrees_with_what_a_device_says(void **state)
{
        static const struct {
                const char *why, *ours, *theirs;
                odm_format format;
                bool yes;
        } cases[] = {
                {"the same", "urn:oma:mo:oma-fumo:1.0", "urn:oma:mo:oma-fumo:1.0", ODM_FMT_NODE, 1},
                {"another version", "urn:oma:mo:oma-fumo:1.0", "URN:OMA:MO:OMA-FUMO:1.1",
                 ODM_FMT_NODE, 1},
                {"another object", "urn:oma:mo:oma-fumo:1.0", "urn:oma:mo:oma-scomo:1.0",
                 ODM_FMT_NODE, 0},
                {"a maker's", "urn:oma:mo:oma-fumo:1.0", "com.acme/1.0/x", ODM_FMT_NODE, 0},
                {"a MIME type tells nothing", "urn:oma:mo:oma-fumo:1.0", "text/plain", ODM_FMT_NODE,
                 1},
                {"it says nothing", "urn:oma:mo:oma-fumo:1.0", "", ODM_FMT_NODE, 1},
                {"we say nothing", "", "urn:oma:mo:oma-scomo:1.0", ODM_FMT_NODE, 1},
                {"a leaf", "text/plain", "urn:oma:mo:oma-scomo:1.0", ODM_FMT_CHR, 1},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                odm_desc d = {.format = cases[i].format, .type = odm_cstr(cases[i].ours)};
                if (ddf_agrees(&d, odm_cstr(cases[i].theirs)) != cases[i].yes)
                        fail_msg("%s", cases[i].why);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(knows_what_is_built_in),
                cmocka_unit_test(refuses_as_the_table_says),
                cmocka_unit_test(finds_a_makers_object_by_its_type),
                cmocka_unit_test(lets_a_file_replace_what_is_built_in),
                cmocka_unit_test(reads_wbxml),
                cmocka_unit_test(keeps_its_ceilings),
                cmocka_unit_test(misses_what_is_not_there),
                cmocka_unit_test(agrees_with_what_a_device_says),
        };
        return RUN_TESTS(tests);
}
