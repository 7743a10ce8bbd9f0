/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of objects as OMA publishes them (root LWM2M, an Object each, an Item a resource),
 * read by expat.  Only what the gateway needs is taken; descriptions are passed over. */
#include <string.h>

#include "registry.h"
#include "xml.h"

#define TEXT_MAX 512 /* of what is taken; beyond it an element is not ours */
#define OBJECTS_PER_DOCUMENT 64

enum place { P_OUTSIDE, P_ROOT, P_OBJECT, P_RESOURCES, P_ITEM };

enum field {
        F_NONE,
        F_NAME,
        F_ID,
        F_URN,
        F_VERSION,
        F_MULTIPLE,
        F_MANDATORY,
        F_OPS,
        F_TYPE,
        F_UNITS
};

struct loader {
        struct xml_parse parse; /* comes first: see xml.h */
        odm_lw_registry *r;
        const char *why;
        enum place place;
        unsigned below; /* elements that are none of ours, around what is read */
        enum field field;
        char text[TEXT_MAX];
        size_t text_n;
        odm_lw_object object, done[OBJECTS_PER_DOCUMENT];
        size_t n_done;
        bool has_id, has_ops;
        odm_lw_resource item, items[ODM_LW_RESOURCES_MAX];
        size_t n_items;
};

static void refuse(struct loader *x, int rc, const char *why)
{
        if (x->parse.rc == 0)
                x->why = why;
        odm_xml_fail(&x->parse, rc);
}

static const struct {
        const char *name;
        enum place place; /* where it may stand */
        enum field field;
} fields[] = {
        {"Name", P_OBJECT, F_NAME},
        {"ObjectID", P_OBJECT, F_ID},
        {"ObjectURN", P_OBJECT, F_URN},
        {"ObjectVersion", P_OBJECT, F_VERSION},
        {"MultipleInstances", P_OBJECT, F_MULTIPLE},
        {"Mandatory", P_OBJECT, F_MANDATORY},
        {"Name", P_ITEM, F_NAME},
        {"Operations", P_ITEM, F_OPS},
        {"MultipleInstances", P_ITEM, F_MULTIPLE},
        {"Mandatory", P_ITEM, F_MANDATORY},
        {"Type", P_ITEM, F_TYPE},
        {"Units", P_ITEM, F_UNITS},
};

static enum field field_of(enum place place, const char *name)
{
        for (size_t i = 0; i < ODM_COUNT(fields); i++)
                if (fields[i].place == place && strcmp(fields[i].name, name) == 0)
                        return fields[i].field;
        return F_NONE;
}

static const char *attribute(const char **v, const char *name)
{
        for (; v[0]; v += 2)
                if (strcmp(v[0], name) == 0)
                        return v[1];
        return NULL;
}

static void begin_item(struct loader *x, const char **attributes)
{
        const char *id = attribute(attributes, "ID");
        uint64_t v;

        if (id == NULL || odm_str_u64(odm_cstr(id), ODM_LW_ID_MAX, &v) < 0) {
                refuse(x, ODM_EMALFORMED, "an Item without a number as its ID");
                return;
        }
        if (x->n_items == ODM_LW_RESOURCES_MAX) {
                refuse(x, ODM_ELIMIT, "an Object with too many Items");
                return;
        }
        x->item = (odm_lw_resource){.id = (uint16_t)v, .name = ODM_STR(""), .units = ODM_STR("")};
        x->place = P_ITEM;
}

static void begin_object(struct loader *x)
{
        if (x->n_done == OBJECTS_PER_DOCUMENT) {
                refuse(x, ODM_ELIMIT, "too many Objects in one document");
                return;
        }
        x->object =
                (odm_lw_object){.version = ODM_STR("1.0"), .urn = ODM_STR(""), .name = ODM_STR("")};
        x->has_id = false;
        x->n_items = 0;
        x->place = P_OBJECT;
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
        struct loader *x = ctx;

        if (x->parse.rc < 0)
                return;
        x->text_n = 0;
        if (x->below > 0 || x->field != F_NONE) {
                x->below++;
        } else if (x->place == P_OUTSIDE) {
                if (strcmp(name, "LWM2M") != 0)
                        refuse(x, ODM_EMALFORMED, "no LWM2M document");
                x->place = P_ROOT;
        } else if (x->place == P_ROOT && strcmp(name, "Object") == 0) {
                begin_object(x);
        } else if (x->place == P_OBJECT && strcmp(name, "Resources") == 0) {
                x->place = P_RESOURCES;
        } else if (x->place == P_RESOURCES && strcmp(name, "Item") == 0) {
                begin_item(x, attributes);
        } else {
                x->field = field_of(x->place, name);
                if (x->field == F_NONE)
                        x->below++;
        }
}

static void on_text(void *ctx, const char *p, int n)
{
        struct loader *x = ctx;

        if (x->parse.rc < 0 || x->below > 0 || x->field == F_NONE)
                return;
        if ((size_t)n > sizeof x->text - x->text_n) {
                refuse(x, ODM_ELIMIT, "a name or number that is too long");
                return;
        }
        memcpy(x->text + x->text_n, p, (size_t)n);
        x->text_n += (size_t)n;
}

static odm_str keep(struct loader *x, odm_str s)
{
        odm_str copy = odm_arena_copy(&x->r->text, s);

        if (copy.p == NULL) {
                refuse(x, odm_arena_err(&x->r->text), "no room");
                return ODM_STR("");
        }
        return copy;
}

static odm_lw_type type_of(odm_str s, bool *known)
{
        static const struct {
                const char *name;
                odm_lw_type type;
        } types[] = {{"string", ODM_LW_T_STRING},
                     {"integer", ODM_LW_T_INTEGER},
                     {"unsigned integer", ODM_LW_T_INTEGER},
                     {"float", ODM_LW_T_FLOAT},
                     {"boolean", ODM_LW_T_BOOLEAN},
                     {"opaque", ODM_LW_T_OPAQUE},
                     {"time", ODM_LW_T_TIME},
                     {"objlnk", ODM_LW_T_OBJLNK},
                     {"corelnk", ODM_LW_T_CORELNK},
                     {"", ODM_LW_T_NONE},
                     {"none", ODM_LW_T_NONE},
                     {"execute", ODM_LW_T_NONE}};

        for (size_t i = 0; i < ODM_COUNT(types); i++)
                if (odm_str_ieq(s, types[i].name))
                        return types[i].type;
        *known = false;
        return ODM_LW_T_UNKNOWN;
}

static bool version_ok(odm_str s)
{
        bool digit = false;

        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] == '.' ? !digit : s.p[i] < '0' || s.p[i] > '9')
                        return false;
                digit = s.p[i] != '.';
        }
        return digit && s.n <= 16;
}

static void object_field(struct loader *x, odm_str s)
{
        uint64_t v;

        switch (x->field) {
        case F_NAME: x->object.name = keep(x, s); break;
        case F_URN: x->object.urn = keep(x, s); break;
        case F_MULTIPLE: x->object.multiple = odm_str_ieq(s, "multiple"); break;
        case F_MANDATORY: x->object.mandatory = odm_str_ieq(s, "mandatory"); break;
        case F_ID:
                if (odm_str_u64(s, ODM_LW_ID_MAX, &v) < 0) {
                        refuse(x, ODM_EMALFORMED, "an ObjectID that is no number");
                        break;
                }
                x->object.id = (uint16_t)v;
                x->has_id = true;
                break;
        case F_VERSION:
                if (s.n == 0)
                        break; /* 1.0 */
                if (version_ok(s))
                        x->object.version = keep(x, s);
                else
                        refuse(x, ODM_EMALFORMED, "an ObjectVersion that is none");
                break;
        case F_NONE:
        case F_OPS:
        case F_TYPE:
        case F_UNITS: break;
        }
}

static void item_field(struct loader *x, odm_str s)
{
        bool known = true;

        switch (x->field) {
        case F_NAME: x->item.name = keep(x, s); break;
        case F_UNITS: x->item.units = keep(x, s); break;
        case F_MULTIPLE: x->item.multiple = odm_str_ieq(s, "multiple"); break;
        case F_MANDATORY: x->item.mandatory = odm_str_ieq(s, "mandatory"); break;
        case F_OPS:
                x->item.ops = (uint8_t)((odm_str_has(s, 'R') ? ODM_LW_R : 0) |
                                        (odm_str_has(s, 'W') ? ODM_LW_W : 0) |
                                        (odm_str_has(s, 'E') ? ODM_LW_E : 0));
                break;
        case F_TYPE:
                x->item.type = type_of(s, &known);
                if (!known)
                        refuse(x, ODM_EMALFORMED, "a Type that is none");
                break;
        case F_NONE:
        case F_ID:
        case F_URN:
        case F_VERSION: break;
        }
}

/* Puts the item among the others, which are by rising number. */
static void end_item(struct loader *x)
{
        size_t i = x->n_items;

        while (i > 0 && x->items[i - 1].id > x->item.id)
                i--;
        if (i > 0 && x->items[i - 1].id == x->item.id) {
                refuse(x, ODM_EMALFORMED, "two Items of one ID");
                return;
        }
        memmove(&x->items[i + 1], &x->items[i], (x->n_items - i) * sizeof *x->items);
        x->items[i] = x->item;
        x->n_items++;
}

static void end_object(struct loader *x)
{
        if (!x->has_id) {
                refuse(x, ODM_EMALFORMED, "an Object without ObjectID");
                return;
        }
        if (x->n_items > 0) {
                odm_lw_resource *v = odm_arena_get(&x->r->text, x->n_items * sizeof *v);
                if (v == NULL) {
                        refuse(x, odm_arena_err(&x->r->text), "no room");
                        return;
                }
                memcpy(v, x->items, x->n_items * sizeof *v);
                x->object.v = v;
        }
        x->object.n = x->n_items;
        x->done[x->n_done++] = x->object;
}

static void on_end(void *ctx, const char *name)
{
        struct loader *x = ctx;
        odm_str s = odm_str_trim((odm_str){x->text, x->text_n});

        (void)name;
        if (x->parse.rc < 0)
                return;
        if (x->below > 0) {
                x->below--;
        } else if (x->field != F_NONE) {
                if (x->place == P_OBJECT)
                        object_field(x, s);
                else
                        item_field(x, s);
                x->field = F_NONE;
        } else if (x->place == P_ITEM) {
                end_item(x);
                x->place = P_RESOURCES;
        } else if (x->place == P_OBJECT) {
                end_object(x);
                x->place = P_ROOT;
        } else if (x->place == P_RESOURCES) {
                x->place = P_OBJECT;
        } else {
                x->place = P_OUTSIDE;
        }
        x->text_n = 0;
}

int odm_lw_registry_load(odm_lw_registry *r, odm_str xml, size_t *n, const char **why)
{
        struct loader *x = odm_alloc(r->mem, sizeof *x);
        int rc;

        if (x == NULL)
                return ODM_ENOMEM;
        x->r = r;
        x->why = "no well-formed XML";
        rc = odm_xml_run(&x->parse, xml, on_start, on_end, on_text);
        if (rc == 0) {
                x->why = "too many objects";
                rc = odm_lw_registry_room(r, x->n_done);
        }
        for (size_t i = 0; i < x->n_done && rc == 0; i++)
                odm_lw_registry_put(r, &x->done[i]);
        if (rc < 0)
                *why = x->why;
        else if (n)
                *n = x->n_done;
        odm_free(r->mem, x, sizeof *x);
        return rc;
}
