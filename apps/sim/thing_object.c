/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a thing: what is there, what it says, what may be written and executed
 * (lwm2m.md 4).  Operations and types of a resource are those of the registry. */
#include "thing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 256 /* of one answer */

enum { SERVER = 1, DEVICE = 3, CONNECTIVITY, FIRMWARE, LOCATION, TRAFFIC, SOFTWARE = 9 };
enum { GATEWAY = 25, SENSOR = 3303, OWN = 26241 };

/* ---- what is there ----------------------------------------------------------------------- */

typedef struct shape {
        uint16_t id;
        uint8_t n;
        uint16_t resource[24]; /* by rising id */
} shape;

static const shape objects[] = {
        {SERVER, 9, {0, 1, 2, 3, 4, 5, 6, 7, 8}},
        {DEVICE, 22, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                      11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}},
        {CONNECTIVITY, 6, {0, 1, 2, 3, 4, 8}},
        {FIRMWARE, 9, {0, 1, 2, 3, 5, 6, 7, 8, 9}},
        {LOCATION, 3, {0, 1, 5}},
        {TRAFFIC, 5, {2, 3, 6, 7, 8}},
        {SOFTWARE, 11, {0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 12}},
        {GATEWAY, 3, {0, 1, 3}},
        {SENSOR, 2, {5700, 5701}},
        {OWN, 5, {0, 1, 2, 3, 4}},
};

/* One behind another has what it measures, and no server of its own. */
static bool offers(const thing *t, uint16_t id)
{
        if (t->number)
                return id == DEVICE || id == SENSOR || id == OWN;
        return id != GATEWAY || t->leaf;
}

static const shape *object_of(const thing *t, uint16_t id)
{
        for (size_t i = 0; i < ODM_COUNT(objects); i++)
                if (objects[i].id == id && offers(t, id))
                        return &objects[i];
        return NULL;
}

static thing_slot *program_of(thing *t, uint16_t id)
{
        for (size_t i = 0; i < THING_PROGRAMS; i++)
                if (t->program[i].there && t->program[i].id == id)
                        return &t->program[i];
        return NULL;
}

/* The instance after `last` (-1: the first); -1 when there is none. */
static int32_t next_instance(const thing *t, uint16_t o, int32_t last)
{
        int32_t next = -1;

        if (!offers(t, o))
                return -1;
        if (o == GATEWAY)
                return last + 1 < (int32_t)t->group->leaves ? last + 1 : -1;
        if (o != SOFTWARE)
                return last < 0 ? 0 : -1;
        for (size_t i = 0; i < THING_PROGRAMS; i++) {
                const thing_slot *s = &t->program[i];
                if (s->there && s->id > last && (next < 0 || s->id < next))
                        next = s->id;
        }
        return next;
}

static bool has_instance(thing *t, uint16_t o, uint16_t instance)
{
        if (!object_of(t, o))
                return false;
        if (o == GATEWAY)
                return instance < t->group->leaves;
        return o == SOFTWARE ? program_of(t, instance) != NULL : instance == 0;
}

/* The resource at a path of depth 3 or 4; NULL: it is not there. */
static const odm_lw_resource *resource_at(thing *t, const odm_lw_registry *reg, odm_lw_path at)
{
        const shape *o = object_of(t, at.id[0]);

        if (at.depth < 3 || !has_instance(t, at.id[0], at.id[1]))
                return NULL;
        for (size_t i = 0; i < o->n; i++)
                if (o->resource[i] == at.id[2])
                        return odm_lw_resource_find(reg, at.id[0], at.id[2]);
        return NULL;
}

static bool is_there(thing *t, const odm_lw_registry *reg, odm_lw_path at)
{
        if (at.depth == 0)
                return true;
        if (at.depth == 1)
                return object_of(t, at.id[0]) != NULL;
        return at.depth == 2 ? has_instance(t, at.id[0], at.id[1])
                             : resource_at(t, reg, at) != NULL;
}

/* ---- values -------------------------------------------------------------------------------- */

typedef struct reader {
        thing *t;
        odm_wall now;
        odm_arena *a;
        odm_lw_list *out;
        odm_lw_path at; /* of what is wanted */
        odm_lw_path on; /* the resource */
        odm_lw_type type;
        int rc;
} reader;

static odm_lw_value *add(reader *r, int32_t instance)
{
        static odm_lw_value nowhere;
        odm_lw_path p = instance < 0 ? r->on : odm_lw_path_down(r->on, (uint16_t)instance);
        odm_lw_node *n;

        if (!odm_lw_path_below(p, r->at) || r->rc < 0)
                return &nowhere;
        if (r->out->n == NODES_MAX) {
                r->rc = ODM_ELIMIT;
                return &nowhere;
        }
        n = &r->out->v[r->out->n++];
        *n = (odm_lw_node){.path = p, .value.type = r->type};
        return &n->value;
}

static void text(reader *r, int32_t instance, const char *s)
{
        odm_str copy = odm_arena_copy(r->a, odm_cstr(s));

        if (!copy.p)
                r->rc = odm_arena_err(r->a);
        add(r, instance)->data = copy;
}

static void number(reader *r, int32_t instance, int64_t v)
{
        odm_lw_value *out = add(r, instance);

        out->i = v;
        out->b = v != 0;
        out->f = (double)v;
}

static void real(reader *r, double v)
{
        add(r, -1)->f = v;
}

static uint64_t own(const thing *t, uint64_t below)
{
        uint64_t state = t->i * 77u + 5;

        return fault_random(&state) % below;
}

static void read_server(reader *r, uint16_t id)
{
        const thing *t = r->t;
        const int64_t v[] = {THING_SERVER, t->lifetime_s, t->pmin_s, t->pmax_s, 0,
                             t->disable_s, t->storing};

        if (id == 7)
                text(r, -1, t->group->awake_ms > 0 ? "UQ" : "U");
        else
                number(r, -1, v[id]);
}

static void read_errors(reader *r)
{
        const thing *t = r->t;

        for (uint16_t i = 0; i < t->n_errors; i++)
                number(r, i, t->error[i]);
        if (t->n_errors == 0)
                number(r, 0, 0);
}

static void read_device(reader *r, uint16_t id)
{
        thing *t = r->t;
        const group *g = t->group;
        unsigned level = thing_battery(t, r->now);
        char serial[SIM_TEXT];

        switch (id) {
        case 0: text(r, -1, g->maker); break;
        case 1: text(r, -1, g->model); break;
        case 2: sim_name(&g->o, t->i, serial), text(r, -1, serial); break;
        case 3: text(r, -1, t->fwv); break;
        case 6: number(r, 0, 1); break; /* internal battery */
        case 7: number(r, 0, 3000 + 6 * (int64_t)level); break;
        case 8: number(r, 0, 20 + (int64_t)own(t, 30)); break;
        case 9: number(r, -1, level); break;
        case 10: number(r, -1, 200 + (int64_t)own(t, 300)); break;
        case 11: read_errors(r); break;
        case 13: number(r, -1, r->now.s + t->clock); break;
        case 14: text(r, -1, t->utc); break;
        case 15: text(r, -1, t->zone); break;
        case 16: text(r, -1, g->awake_ms > 0 ? "UQ" : "U"); break;
        case 17: text(r, -1, "simulated"); break;
        case 18: text(r, -1, g->hwv); break;
        case 19: text(r, -1, g->swv); break;
        case 20: number(r, -1, t->low ? 4 : 0); break;
        case 21: number(r, -1, 1024); break;
        default: break;
        }
}

static void read_connectivity(reader *r, uint16_t id)
{
        const int64_t quality = (int64_t)own(r->t, 40);

        switch (id) {
        case 0: number(r, -1, 7); break; /* NB-IoT */
        case 1: number(r, 0, 7); break;
        case 2: number(r, -1, -70 - quality); break;
        case 3: number(r, -1, 100 - quality); break;
        case 4: text(r, 0, "127.0.0.1"); break;
        case 8: number(r, -1, 4711 + (int64_t)own(r->t, 9)); break;
        default: break;
        }
}

static void read_firmware(reader *r, uint16_t id)
{
        const thing_slot *s = &r->t->firmware;
        static const uint8_t methods[] = {
                [DELIVERY_PULL] = 0, [DELIVERY_PUSH] = 1, [DELIVERY_BOTH] = 2};

        switch (id) {
        case 1: text(r, -1, s->uri ? s->uri : ""); break;
        case 3: number(r, -1, s->state); break;
        case 5: number(r, -1, s->result); break;
        case 6: text(r, -1, s->name); break;
        case 7: text(r, -1, s->version); break;
        case 8:
                for (uint16_t k = 0, n = 0; k < 3; k++)
                        if (r->t->group->protocols >> k & 1)
                                number(r, n++, k);
                break;
        case 9: number(r, -1, methods[r->t->group->delivery]); break;
        default: break;
        }
}

static void read_software(reader *r, uint16_t id)
{
        const thing_slot *s = program_of(r->t, r->on.id[1]);

        switch (id) {
        case 0: text(r, -1, s->name); break;
        case 1: text(r, -1, s->version); break;
        case 7: number(r, -1, s->state); break;
        case 9: number(r, -1, s->result); break;
        case 12: number(r, -1, s->active); break;
        default: break;
        }
}

static int list_links(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_arena *a,
                      odm_lw_links *out);

static void read_objects(reader *r, thing *leaf)
{
        odm_lw_links l;
        odm_buf b;

        odm_buf_init(&b, r->a->mem, THING_RECORD_MAX);
        r->rc = list_links(leaf, NULL, (odm_lw_path){0}, r->a, &l);
        if (r->rc == 0)
                r->rc = odm_lw_links_format(&l, false, &b);
        if (r->rc == 0)
                r->rc = odm_buf_byte(&b, 0);
        if (r->rc == 0)
                text(r, -1, odm_buf_view(&b).p);
        odm_buf_done(&b);
}

static void read_gateway(reader *r, uint16_t id)
{
        thing *leaf = &r->t->leaf[r->on.id[1]];
        char name[SIM_TEXT + 16];
        size_t n;

        switch (id) {
        case 0:
                sim_devid(&r->t->group->o, r->t->i, name);
                n = strlen(name);
                (void)snprintf(name + n, sizeof name - n, "/%u", leaf->number);
                text(r, -1, name);
                break;
        case 1: (void)snprintf(name, sizeof name, "d%u", leaf->number), text(r, -1, name); break;
        default: read_objects(r, leaf); break;
        }
}

static void read_others(reader *r, uint16_t o, uint16_t id)
{
        const thing *t = r->t;

        if (o == LOCATION && id < 2)
                real(r, (id ? 7.4 : 46.9) + (double)own(t, 1000) / 10000);
        else if (o == LOCATION)
                number(r, -1, r->now.s);
        else if (o == TRAFFIC)
                number(r, -1,
                       (int64_t)(id == 2   ? t->tx / 1000
                                 : id == 3 ? t->rx / 1000
                                           : (uint64_t)t->period_s));
        else if (o == SENSOR && id == 5700)
                real(r, thing_temperature(t, r->now));
        else if (o == SENSOR)
                text(r, -1, "Cel");
        else if (id == 1)
                text(r, -1, t->text);
        else
                number(r, -1,
                       id == 0   ? t->level
                       : id == 3 ? t->runs
                                 : (t->n_errors ? t->error[0] : 0));
}

static void read_resource(reader *r)
{
        uint16_t o = r->on.id[0], id = r->on.id[2];

        switch (o) {
        case SERVER: read_server(r, id); break;
        case DEVICE: read_device(r, id); break;
        case CONNECTIVITY: read_connectivity(r, id); break;
        case FIRMWARE: read_firmware(r, id); break;
        case SOFTWARE: read_software(r, id); break;
        case GATEWAY: read_gateway(r, id); break;
        default: read_others(r, o, id); break;
        }
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Whether a resource is within what is asked. */
static bool touches(odm_lw_path on, odm_lw_path at)
{
        return odm_lw_path_below(on, at) || odm_lw_path_below(at, on);
}

int thing_read(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_wall now, odm_arena *a,
               odm_lw_list *out)
{
        odm_lw_list l = {odm_arena_get(a, NODES_MAX * sizeof(odm_lw_node)), 0};
        reader r = {.t = t, .now = now, .a = a, .out = &l, .at = at};
        const odm_lw_resource *one = resource_at(t, reg, at);

        if (!l.v)
                return odm_arena_err(a);
        if (!is_there(t, reg, at))
                return ODM_COAP_NOT_FOUND;
        if (one && !(one->ops & ODM_LW_R))
                return ODM_COAP_NOT_ALLOWED;
        for (size_t i = 0; i < ODM_COUNT(objects); i++) {
                const shape *o = &objects[i];
                for (int32_t k = next_instance(t, o->id, -1); k >= 0;
                     k = next_instance(t, o->id, k))
                        for (size_t n = 0; n < o->n && r.rc == 0; n++) {
                                r.on = ODM_LW_PATH3(o->id, (uint16_t)k, o->resource[n]);
                                one = odm_lw_resource_find(reg, o->id, o->resource[n]);
                                if (!one || !(one->ops & ODM_LW_R) || !touches(r.on, at))
                                        continue;
                                r.type = one->type;
                                read_resource(&r);
                        }
        }
        if (r.rc < 0)
                return r.rc;
        if (at.depth == 4 && l.n == 0)
                return ODM_COAP_NOT_FOUND;
        *out = l;
        return ODM_COAP_CONTENT;
}

static int add_link(odm_lw_links *l, odm_lw_path p)
{
        if (l->n == NODES_MAX)
                return ODM_ELIMIT;
        l->v[l->n++] = (odm_lw_link){.path = p, .dim = -1, .ssid = -1};
        return 0;
}

/* Instances of objects and, with `reg`, their resources, at and below `at`. */
static int list_links(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_arena *a,
                      odm_lw_links *out)
{
        odm_lw_links l = {.root = ODM_STR(""),
                          .v = odm_arena_get(a, NODES_MAX * sizeof(odm_lw_link))};
        int rc = l.v ? 0 : odm_arena_err(a);

        for (size_t i = 0; i < ODM_COUNT(objects) && rc == 0; i++) {
                const shape *o = &objects[i];
                int32_t k = next_instance(t, o->id, -1);
                if (!offers(t, o->id))
                        continue;
                if (touches(ODM_LW_PATH1(o->id), at) && (reg || k < 0) && at.depth < 2)
                        rc = add_link(&l, ODM_LW_PATH1(o->id));
                for (; k >= 0 && rc == 0; k = next_instance(t, o->id, k)) {
                        odm_lw_path p = ODM_LW_PATH2(o->id, (uint16_t)k);
                        if (touches(p, at) && at.depth < 3)
                                rc = add_link(&l, p);
                        for (size_t n = 0; reg && n < o->n && rc == 0; n++)
                                if (touches(odm_lw_path_down(p, o->resource[n]), at))
                                        rc = add_link(&l, odm_lw_path_down(p, o->resource[n]));
                }
        }
        if (rc == 0)
                *out = l;
        return rc;
}

int thing_discover(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_arena *a,
                   odm_lw_links *out)
{
        int rc;

        if (at.depth == 0 || at.depth > 3)
                return ODM_COAP_NOT_ALLOWED;
        if (!is_there(t, reg, at))
                return ODM_COAP_NOT_FOUND;
        rc = list_links(t, reg, at, a, out);
        return rc < 0 ? rc : ODM_COAP_CONTENT;
}

int thing_links(thing *t, odm_arena *a, odm_lw_links *out)
{
        return list_links(t, NULL, (odm_lw_path){0}, a, out);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static bool fits(const odm_lw_value *v, int64_t min, int64_t max)
{
        return v->i >= min && v->i <= max;
}

/* A URI that is given to a slot: what is to come of it, before anything changes. */
static int check_uri(const thing *t, const thing_slot *s, const odm_lw_value *v)
{
        bool firmware = s == &t->firmware;

        if (v->data.n > THING_URI_MAX)
                return ODM_COAP_BAD_REQUEST;
        if (v->data.n == 0)
                return ODM_COAP_CHANGED;
        if (firmware && t->group->delivery == DELIVERY_PUSH)
                return ODM_COAP_NOT_ALLOWED;
        return s->state == (firmware ? (int)FW_IDLE : (int)SW_INITIAL) && !t->order
                       ? ODM_COAP_CHANGED
                       : ODM_COAP_NOT_ALLOWED;
}

static int check_package(const thing *t, const thing_slot *s, const odm_lw_value *v)
{
        bool firmware = s == &t->firmware;

        if (v->data.n == 0 || (v->data.n == 1 && v->data.p[0] == '\0'))
                return ODM_COAP_CHANGED;
        if (firmware && t->group->delivery == DELIVERY_PULL)
                return ODM_COAP_NOT_ALLOWED;
        return s->state == (firmware ? (int)FW_IDLE : (int)SW_INITIAL) && !t->order
                       ? ODM_COAP_CHANGED
                       : ODM_COAP_NOT_ALLOWED;
}

static int check_node(thing *t, const odm_lw_registry *reg, const odm_lw_node *n)
{
        const odm_lw_resource *r = resource_at(t, reg, n->path);
        const odm_lw_value *v = &n->value;
        uint16_t o = n->path.id[0], id = n->path.id[2];

        if (!r)
                return ODM_COAP_NOT_FOUND;
        if (!(r->ops & ODM_LW_W))
                return ODM_COAP_NOT_ALLOWED;
        if (r->type != v->type || n->path.depth != 3)
                return ODM_COAP_BAD_REQUEST;
        if (o == FIRMWARE)
                return id == 1 ? check_uri(t, &t->firmware, v) : check_package(t, &t->firmware, v);
        if (o == SOFTWARE && (id == 2 || id == 3)) {
                const thing_slot *s = program_of(t, n->path.id[1]);
                return id == 3 ? check_uri(t, s, v) : check_package(t, s, v);
        }
        if (o == SERVER && id == 1 && !fits(v, 1, 366 * 86400))
                return ODM_COAP_BAD_REQUEST;
        if (v->type == ODM_LW_T_INTEGER && !fits(v, -(1LL << 40), 1LL << 40))
                return ODM_COAP_BAD_REQUEST;
        if (v->type == ODM_LW_T_STRING && v->data.n > THING_TEXT_MAX)
                return ODM_COAP_BAD_REQUEST;
        return ODM_COAP_CHANGED;
}

static void set_text(char *at, size_t room, odm_str s)
{
        size_t n = s.n < room ? s.n : room - 1;

        memcpy(at, s.p, n);
        at[n] = '\0';
}

static int set_uri(thing *t, thing_slot *s, odm_str uri)
{
        char *copy = strndup(uri.n ? uri.p : "", uri.n);

        if (!copy)
                return ODM_ENOMEM;
        free(s->uri);
        s->uri = copy;
        s->result = 0;
        if (t->order == s) {
                t->order = NULL;
                t->wants &= ~(unsigned)(THING_FETCH | THING_INSTALL);
        }
        s->state = s == &t->firmware ? (uint8_t)FW_IDLE : (uint8_t)SW_INITIAL;
        s->version[0] = '\0';
        if (uri.n) {
                s->state = 1; /* of either kind: downloading */
                if (s != &t->firmware)
                        s->result = 1;
                t->order = s;
                t->wants |= THING_FETCH;
        }
        t->wants |= THING_KEEP;
        return 0;
}

static int set_package(thing *t, thing_slot *s, odm_str package)
{
        char version[IMAGE_VERSION] = "";
        unsigned result;
        int rc;

        if (package.n <= 1)
                return set_uri(t, s, ODM_STR(""));
        rc = set_uri(t, s, ODM_STR(""));
        if (rc < 0)
                return rc;
        result = thing_look(t, package, version);
        t->order = s;
        thing_fetched(t, result, version);
        return 0;
}

static int put_server(thing *t, uint16_t id, const odm_lw_value *v)
{
        switch (id) {
        case 1:
                t->lifetime_s = v->i;
                t->wants |= THING_UPDATE | THING_KEEP;
                break;
        case 2: t->pmin_s = v->i; break;
        case 3: t->pmax_s = v->i; break;
        case 5: t->disable_s = v->i; break;
        case 6: t->storing = v->b; break;
        default: break; /* the binding is what it is */
        }
        return 0;
}

static int put_device(thing *t, uint16_t id, const odm_lw_value *v, odm_wall now)
{
        if (id == 13)
                t->clock = v->i - now.s;
        else if (id == 14)
                set_text(t->utc, sizeof t->utc, v->data);
        else if (id == 15)
                set_text(t->zone, sizeof t->zone, v->data);
        return 0;
}

static int put_own(thing *t, uint16_t id, const odm_lw_value *v)
{
        if (id == 0)
                t->level = v->i;
        else if (id == 1)
                set_text(t->text, sizeof t->text, v->data);
        else if (v->i == 0)
                t->n_errors = 0;
        else
                thing_raise(t, (uint16_t)(v->i & 0xffff));
        return 0;
}

static int put_node(thing *t, const odm_lw_node *n, odm_wall now)
{
        const odm_lw_value *v = &n->value;
        uint16_t id = n->path.id[2];
        thing_slot *s = &t->firmware;

        switch (n->path.id[0]) {
        case SERVER: return put_server(t, id, v);
        case DEVICE: return put_device(t, id, v, now);
        case FIRMWARE: return id == 1 ? set_uri(t, s, v->data) : set_package(t, s, v->data);
        case SOFTWARE:
                s = program_of(t, n->path.id[1]);
                assert(s); /* check_node() found the resource there */
                return id == 3 ? set_uri(t, s, v->data) : id == 2 ? set_package(t, s, v->data) : 0;
        case TRAFFIC: t->period_s = v->i; return 0;
        case OWN: return put_own(t, id, v);
        default: return 0;
        }
}

int thing_write(thing *t, const odm_lw_registry *reg, const odm_lw_list *l, odm_wall now)
{
        for (size_t i = 0; i < l->n; i++) {
                int code = check_node(t, reg, &l->v[i]);
                if (code != ODM_COAP_CHANGED)
                        return code;
        }
        for (size_t i = 0; i < l->n; i++) {
                int rc = put_node(t, &l->v[i], now);
                if (rc < 0)
                        return rc;
        }
        return ODM_COAP_CHANGED;
}

/* ---- executing ----------------------------------------------------------------------------------- */

static int execute_device(thing *t, uint16_t id)
{
        if (id == 4)
                t->wants |= THING_REBOOT;
        else if (id == 5)
                thing_factory_reset(t);
        else
                t->n_errors = 0, t->low = false;
        return ODM_COAP_CHANGED;
}

static int execute_firmware(thing *t)
{
        if (t->firmware.state != FW_DOWNLOADED || t->order)
                return ODM_COAP_NOT_ALLOWED;
        t->firmware.state = FW_UPDATING;
        t->firmware.result = 0;
        t->order = &t->firmware;
        t->wants |= THING_INSTALL | THING_KEEP;
        return ODM_COAP_CHANGED;
}

static int execute_software(thing *t, thing_slot *s, uint16_t id)
{
        t->wants |= THING_KEEP;
        if (id == 4 && s->state == SW_DELIVERED && !t->order) {
                t->order = s;
                t->wants |= THING_INSTALL;
        } else if (id == 6 && s->state == SW_INSTALLED) {
                s->state = SW_INITIAL;
                s->result = 0;
                s->active = false;
                s->version[0] = '\0';
        } else if ((id == 10 || id == 11) && s->state == SW_INSTALLED) {
                s->active = id == 10;
        } else {
                return ODM_COAP_NOT_ALLOWED;
        }
        return ODM_COAP_CHANGED;
}

int thing_execute(thing *t, const odm_lw_registry *reg, odm_lw_path at, odm_str args)
{
        const odm_lw_resource *r = resource_at(t, reg, at);
        odm_lw_arg v[ODM_LW_ARGS];
        size_t n;

        if (!r)
                return ODM_COAP_NOT_FOUND;
        if (!(r->ops & ODM_LW_E))
                return ODM_COAP_NOT_ALLOWED;
        if (odm_lw_args_parse(args, v, &n) < 0)
                return ODM_COAP_BAD_REQUEST;
        switch (at.id[0]) {
        case SERVER: t->wants |= at.id[2] == 8 ? THING_UPDATE : THING_DISABLE; break;
        case DEVICE: return execute_device(t, at.id[2]);
        case FIRMWARE: return execute_firmware(t);
        case SOFTWARE: return execute_software(t, program_of(t, at.id[1]), at.id[2]);
        case TRAFFIC: t->collecting = at.id[2] == 6; break;
        default: t->runs++; break;
        }
        return ODM_COAP_CHANGED;
}

/* ---- instances --------------------------------------------------------------------------------- */

int thing_create(thing *t, uint16_t object, int32_t *instance)
{
        size_t i = 0;
        int32_t id = 0;

        if (!object_of(t, object))
                return ODM_COAP_NOT_FOUND;
        if (object != SOFTWARE)
                return ODM_COAP_NOT_ALLOWED;
        while (i < THING_PROGRAMS && t->program[i].there)
                i++;
        while (*instance < 0 && program_of(t, (uint16_t)id))
                id++;
        if (*instance >= 0)
                id = *instance;
        if (i == THING_PROGRAMS || program_of(t, (uint16_t)id))
                return ODM_COAP_BAD_REQUEST;
        t->program[i] = (thing_slot){.there = true, .id = (uint16_t)id};
        memcpy(t->program[i].name, "program", 8);
        t->wants |= THING_UPDATE | THING_KEEP;
        *instance = id;
        return ODM_COAP_CREATED;
}

int thing_delete(thing *t, odm_lw_path at)
{
        thing_slot *s;

        if (at.depth != 2 || at.id[0] != SOFTWARE)
                return object_of(t, at.id[0]) ? ODM_COAP_NOT_ALLOWED : ODM_COAP_NOT_FOUND;
        s = program_of(t, at.id[1]);
        if (!s)
                return ODM_COAP_NOT_FOUND;
        if (t->order == s)
                return ODM_COAP_NOT_ALLOWED;
        free(s->uri);
        *s = (thing_slot){0};
        t->wants |= THING_UPDATE | THING_KEEP;
        return ODM_COAP_DELETED;
}
