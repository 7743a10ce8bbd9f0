/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of objects, built in and loaded. */
#include "odm/lwm2m.h"
#include "support.h"

#define HEAD "<?xml version=\"1.0\"?><LWM2M><Object ObjectType=\"MODefinition\">"
#define TAIL "</Object></LWM2M>"
#define OBJECTS 64 /* of one document */

static const char thermometer[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><LWM2M "
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Object "
        "ObjectType=\"MODefinition\"><Name>Temperature</Name>"
        "<Description1><![CDATA[a <Name>of</Name> something]]></Description1>"
        "<ObjectID>3303</ObjectID><ObjectURN>urn:oma:lwm2m:ext:3303:1.1</ObjectURN>"
        "<LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>1.1</ObjectVersion>"
        "<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>"
        "<Resources>"
        "<Item ID=\"5701\"><Name>Sensor Units</Name><Operations>R</Operations>"
        "<MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>"
        "<Type>String</Type><RangeEnumeration></RangeEnumeration><Units></Units>"
        "<Description><b>x</b></Description></Item>"
        "<Item ID=\"5700\"><Name>Sensor Value</Name><Operations>R</Operations>"
        "<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>"
        "<Type>Float</Type><Units>Cel</Units></Item>"
        "<Item ID=\"5605\"><Name>Reset</Name><Operations>E</Operations>"
        "<MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>"
        "<Type></Type></Item></Resources><Description2/></Object></LWM2M>";

static void built_in_objects_are_in_order(void **state)
{
        (void)state;
        assert_int_equal(odm_lw_builtin_n, 14);
        for (size_t i = 0; i < odm_lw_builtin_n; i++) {
                const odm_lw_object *o = &odm_lw_builtin[i];
                assert_true(i == 0 || odm_lw_builtin[i - 1].id < o->id);
                assert_true(o->n > 0);
                for (size_t k = 0; k < o->n; k++) {
                        assert_true(k == 0 || o->v[k - 1].id < o->v[k].id);
                        assert_int_equal(o->v[k].ops == ODM_LW_E, o->v[k].type == ODM_LW_T_NONE);
                }
        }
        assert_int_equal(odm_lw_type_at(NULL, ODM_LW_PATH3(3, 0, 13)), ODM_LW_T_TIME);
        assert_int_equal(odm_lw_type_at(NULL, ODM_LW_PATH4(3, 0, 11, 2)), ODM_LW_T_INTEGER);
        assert_int_equal(odm_lw_type_at(NULL, ODM_LW_PATH3(3303, 0, 5700)), ODM_LW_T_UNKNOWN);
        assert_int_equal(odm_lw_type_at(NULL, ODM_LW_PATH2(3, 0)), ODM_LW_T_UNKNOWN);
        assert_null(odm_lw_resource_find(NULL, 5, 4));
        assert_int_equal(odm_lw_resource_find(NULL, 20, 4014)->type, ODM_LW_T_OPAQUE);
}

static void a_definition_is_taken(void **state)
{
        const odm_lw_resource *res;
        odm_lw_registry *r;
        const char *why = NULL;
        size_t n = 0;

        (void)state;
        assert_int_equal(odm_lw_registry_new(&heap, &r), 0);
        odm_str xml = exact_bytes(thermometer, sizeof thermometer - 1);
        assert_int_equal(odm_lw_registry_load(r, xml, &n, &why), 0);
        exact_free(xml);
        assert_int_equal(n, 1);
        const odm_lw_object *o = odm_lw_object_find(r, 3303);
        assert_str(o->name, "Temperature");
        assert_str(o->urn, "urn:oma:lwm2m:ext:3303:1.1");
        assert_str(o->version, "1.1");
        assert_true(o->multiple);
        assert_false(o->mandatory);
        assert_int_equal(o->n, 3);
        res = odm_lw_resource_find(r, 3303, 5700);
        assert_int_equal(res->type, ODM_LW_T_FLOAT);
        assert_true(res->mandatory);
        assert_str(res->units, "Cel");
        assert_int_equal(odm_lw_resource_find(r, 3303, 5605)->ops, ODM_LW_E);
        assert_int_equal(odm_lw_resource_find(r, 3303, 5605)->type, ODM_LW_T_NONE);

        size_t count = 0;
        uint32_t last = 0;
        for (o = odm_lw_object_next(r, NULL); o; o = odm_lw_object_next(r, o), count++) {
                assert_true(count == 0 || o->id > last);
                last = o->id;
        }
        assert_int_equal(count, 15);
        odm_lw_registry_free(r);
}

static void a_newer_definition_takes_the_place(void **state)
{
        static const char newer[] =
                HEAD "<Name>Device</Name><ObjectID>3</ObjectID><ObjectVersion>1.2</ObjectVersion>"
                     "<Resources><Item ID=\"23\"><Name>New</Name><Operations>RW</Operations>"
                     "<Type>Integer</Type></Item></Resources>" TAIL;
        static const char older[] = HEAD
                "<Name>Old</Name><ObjectID>3</ObjectID><ObjectVersion>1.0</ObjectVersion>" TAIL;
        odm_lw_registry *r;
        const char *why;

        (void)state;
        assert_int_equal(odm_lw_registry_new(&heap, &r), 0);
        assert_int_equal(odm_lw_registry_load(r, odm_cstr(older), NULL, &why), 0);
        assert_str(odm_lw_object_find(r, 3)->version, "1.1");
        assert_int_equal(odm_lw_registry_load(r, odm_cstr(newer), NULL, &why), 0);
        assert_str(odm_lw_object_find(r, 3)->version, "1.2");
        assert_int_equal(odm_lw_resource_find(r, 3, 23)->ops, ODM_LW_R | ODM_LW_W);
        assert_null(odm_lw_resource_find(r, 3, 0));
        assert_non_null(odm_lw_resource_find(NULL, 3, 0));
        odm_lw_registry_free(r);
}

static void what_is_no_definition_is_refused(void **state)
{
        static const struct {
                const char *why, *xml;
        } v[] = {
                {"nothing", ""},
                {"another root", "<Objects/>"},
                {"no end", "<LWM2M><Object>"},
                {"no id", HEAD "<Name>x</Name>" TAIL},
                {"an id that is no number", HEAD "<ObjectID>x</ObjectID>" TAIL},
                {"an id too large", HEAD "<ObjectID>65535</ObjectID>" TAIL},
                {"a version that is none", HEAD "<ObjectID>9</ObjectID><ObjectVersion>1.x"
                                                "</ObjectVersion>" TAIL},
                {"an item without ID",
                 HEAD "<ObjectID>9</ObjectID><Resources><Item/></Resources>" TAIL},
                {"an item twice", HEAD "<ObjectID>9</ObjectID><Resources><Item ID=\"1\"/>"
                                       "<Item ID=\"1\"/></Resources>" TAIL},
                {"a type that is none",
                 HEAD "<ObjectID>9</ObjectID><Resources><Item ID=\"1\"><Type>"
                      "Complex</Type></Item></Resources>" TAIL},
                {"an entity", "<!DOCTYPE x [<!ENTITY a \"b\">]><LWM2M/>"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_str xml = exact_copy(v[i].xml);
                odm_lw_registry *r;
                const char *why = NULL;
                size_t n = 77;

                assert_int_equal(odm_lw_registry_new(&heap, &r), 0);
                int rc = odm_lw_registry_load(r, xml, &n, &why);
                if (rc != ODM_EMALFORMED)
                        fail_msg("%s: %s", v[i].why, odm_err_name(rc));
                assert_non_null(why);
                assert_int_equal(n, 77);
                odm_lw_registry_free(r);
                exact_free(xml);
        }
}

/* Text around the objects, repeated: `n` times `one`, each with its number. */
static odm_buf many(const char *head, const char *one, unsigned n, const char *tail)
{
        odm_buf b;

        odm_buf_init(&b, &heap, 1 << 20);
        assert_int_equal(odm_buf_str(&b, odm_cstr(head)), 0);
        for (unsigned i = 0; i < n; i++) {
                odm_str at = odm_cstr(one);
                for (size_t k = 0; k < at.n; k++)
                        assert_int_equal(at.p[k] == '#' ? odm_buf_fmt(&b, "%u", i)
                                                        : odm_buf_byte(&b, (uint8_t)at.p[k]),
                                         0);
        }
        assert_int_equal(odm_buf_str(&b, odm_cstr(tail)), 0);
        return b;
}

static void definitions_have_ceilings(void **state)
{
        static const struct {
                const char *why, *head, *one;
                unsigned most;
                const char *tail;
        } v[] = {
                {"items of an object", HEAD "<ObjectID>9</ObjectID><Resources>", "<Item ID=\"#\"/>",
                 ODM_LW_RESOURCES_MAX, "</Resources>" TAIL},
                {"letters of a name", HEAD "<ObjectID>9</ObjectID><Name>", "x", 512,
                 "</Name>" TAIL},
                {"objects of a document", "<LWM2M>", "<Object><ObjectID>#</ObjectID></Object>",
                 OBJECTS, "</LWM2M>"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++)
                for (unsigned beyond = 0; beyond < 2; beyond++) {
                        odm_buf b = many(v[i].head, v[i].one, v[i].most + beyond, v[i].tail);
                        odm_lw_registry *r;
                        const char *why = NULL;

                        assert_int_equal(odm_lw_registry_new(&heap, &r), 0);
                        int rc = odm_lw_registry_load(r, odm_buf_view(&b), NULL, &why);
                        if (rc != (beyond ? ODM_ELIMIT : 0))
                                fail_msg("%s: %u: %s, %s", v[i].why, v[i].most + beyond,
                                         odm_err_name(rc), why ? why : "");
                        odm_lw_registry_free(r);
                        odm_buf_done(&b);
                }
}

static void a_definition_of_the_same_version_takes_the_place(void **state)
{
        static const char *const names[] = {"one", "two"};
        odm_lw_registry *r;
        const char *why;
        char xml[400];

        (void)state;
        assert_int_equal(odm_lw_registry_new(&heap, &r), 0);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(xml, sizeof xml,
                         HEAD "<Name>%s</Name><ObjectID>4711</ObjectID><ObjectVersion/>"
                              "<Units>none</Units>" TAIL,
                         names[i]);
                assert_int_equal(odm_lw_registry_load(r, odm_cstr(xml), NULL, &why), 0);
                assert_str(odm_lw_object_find(r, 4711)->name, names[i]);
                assert_str(odm_lw_object_find(r, 4711)->version, "1.0");
        }
        odm_lw_registry_free(r);
}

static void who_borrowed_one_sees_what_it_was_swapped_for(void **state)
{
        odm_lw_registry *kept, *other;
        const char *why;

        (void)state;
        assert_int_equal(odm_lw_registry_new(&heap, &kept), 0);
        assert_int_equal(odm_lw_registry_new(&heap, &other), 0);
        assert_int_equal(odm_lw_registry_load(other, odm_cstr(thermometer), NULL, &why), 0);
        const odm_lw_object *o = odm_lw_object_next(other, odm_lw_object_find(NULL, 26));
        assert_non_null(o);
        const uint16_t id = o->id;
        assert_null(odm_lw_object_find(kept, id));
        odm_lw_registry_swap(kept, other);
        assert_null(odm_lw_object_find(other, id));
        odm_lw_registry_free(other);
        assert_non_null(odm_lw_object_find(kept, id));
        odm_lw_registry_free(kept);
}

static int load(failing *f, void *arg)
{
        odm_lw_registry *r = NULL;
        const char *why;

        (void)arg;
        int rc = odm_lw_registry_new(&f->mem, &r);
        if (rc == 0)
                rc = odm_lw_registry_load(r, odm_cstr(thermometer), NULL, &why);
        odm_lw_registry_free(r);
        return rc;
}

static void it_survives_want_of_memory(void **state)
{
        (void)state;
        torture(load, NULL, 50);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(built_in_objects_are_in_order),
                cmocka_unit_test(a_definition_is_taken),
                cmocka_unit_test(a_newer_definition_takes_the_place),
                cmocka_unit_test(what_is_no_definition_is_refused),
                cmocka_unit_test(definitions_have_ceilings),
                cmocka_unit_test(who_borrowed_one_sees_what_it_was_swapped_for),
                cmocka_unit_test(a_definition_of_the_same_version_takes_the_place),
                cmocka_unit_test(it_survives_want_of_memory),
        };
        return RUN_TESTS(tests);
}
