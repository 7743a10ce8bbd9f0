/* SPDX-License-Identifier: Apache-2.0 */
/* A request of the server, and its answer (lwm2m.md 3.2). */
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "things_inner.h"

#define LIST_MAX (1u << 20) /* of memory for an answer, besides a package */

typedef struct turn {
        node *d;
        thing *t;     /* whom it is for: the device, or one behind it */
        odm_str root; /* "/d2" of that one */
        co_request *r;
        const co_msg *m;
        odm_lw_path at;
        odm_arena *a;
        odm_buf *b;
        co_msg answer;
        char path[ODM_LW_PATH_TEXT];
} turn;

static uint8_t wire(int code)
{
        return (uint8_t)CO_CODE(code / 100, code % 100);
}

/* ---- reading ------------------------------------------------------------------------------ */

const struct things_format things_formats[THINGS_FORMATS] = {
        {ODM_LW_TEXT, "text"},
        {ODM_LW_OPAQUE, "opaque"},
        {ODM_LW_TLV, "tlv"},
        {ODM_LW_JSON, "json"},
        {ODM_LW_SENML_JSON, "senml-json"},
        {ODM_LW_SENML_CBOR, "senml-cbor"},
        {ODM_LW_CBOR, "cbor"},
        {ODM_LW_LINK, "link"},
};

void things_count(node *d, int format)
{
        for (size_t i = 0; i < THINGS_FORMATS; i++)
                d->all->st.formats[i] += things_formats[i].ct == format;
}

static bool can(const node *d, int ct)
{
        unsigned formats = things_group(d)->formats;

        switch (ct) {
        case ODM_LW_TEXT:
        case ODM_LW_OPAQUE: return true;
        case ODM_LW_TLV: return formats & ODM_LW_CAN_TLV;
        case ODM_LW_JSON: return formats & ODM_LW_CAN_JSON;
        case ODM_LW_CBOR: return things_group(d)->v11;
        case ODM_LW_SENML_JSON: return formats & ODM_LW_CAN_SENML_JSON;
        case ODM_LW_SENML_CBOR: return formats & ODM_LW_CAN_SENML_CBOR;
        default: return false;
        }
}

/* What it answers in where it may choose. */
static int choice(const node *d, int wanted)
{
        static const int others[] = {ODM_LW_SENML_CBOR, ODM_LW_SENML_JSON, ODM_LW_JSON};

        for (size_t i = 0; !can(d, wanted) && i < ODM_COUNT(others); i++)
                if (can(d, others[i]))
                        return others[i];
        return wanted;
}

/* Formats of a time before the numbers were given are answered with today's. */
static int today(int ct)
{
        return ct == ODM_LW_OLD_TLV ? ODM_LW_TLV : ct == ODM_LW_OLD_JSON ? ODM_LW_JSON : ct;
}

int things_read(node *d, thing *t, odm_lw_path at, int accept, odm_arena *a, odm_buf *b, int *ct,
                odm_lw_list *list)
{
        const odm_lw_registry *reg = d->all->reg;
        odm_lw_frame f = {.reg = reg, .at = at};
        char root[16];
        int rc = thing_read(t, reg, at, things_wall(d), a, list);

        if (rc != ODM_COAP_CONTENT)
                return rc;
        accept = today(accept);
        if (accept < 0)
                accept = choice(d, (int)odm_lw_ct_for(at, odm_lw_type_at(reg, at), list->n));
        if (!can(d, accept))
                return ODM_COAP_NOT_ACCEPTABLE;
        if (t->number) {
                (void)snprintf(root, sizeof root, "/d%u", t->number);
                f.root = odm_cstr(root);
        }
        rc = odm_lw_encode(&f, (unsigned)accept, list, b);
        if (rc == ODM_EUNSUPPORTED || rc == ODM_EINVAL)
                return ODM_COAP_NOT_ACCEPTABLE;
        *ct = accept;
        return rc < 0 ? rc : ODM_COAP_CONTENT;
}

static int discover(turn *u)
{
        odm_lw_links l;
        int rc = thing_discover(u->t, u->d->all->reg, u->at, u->a, &l);

        if (rc != ODM_COAP_CONTENT)
                return rc;
        rc = odm_lw_links_format(&l, false, u->b);
        u->answer.format = ODM_LW_LINK;
        return rc < 0 ? rc : ODM_COAP_CONTENT;
}

static int get(turn *u)
{
        odm_lw_list l;
        int rc;

        if (u->m->accept == ODM_LW_LINK)
                return discover(u);
        rc = things_read(u->d, u->t, u->at, u->m->accept, u->a, u->b, &u->answer.format, &l);
        if (rc == ODM_COAP_CONTENT && u->m->observe == 0 && u->t == &u->d->t)
                things_watch(u->d, u->r, u->at, u->m->accept, &l);
        return rc;
}

/* What the paths of a composite read find; what is not there is left out. */
static int gather(turn *u, const odm_lw_list *paths, odm_lw_list *all)
{
        size_t max = 0;

        for (size_t i = 0; i < paths->n; i++) {
                odm_lw_list one;
                int rc = thing_read(u->t, u->d->all->reg, paths->v[i].path, things_wall(u->d), u->a,
                                    &one);
                odm_lw_node *more;
                if (rc < 0)
                        return rc;
                if (rc != ODM_COAP_CONTENT)
                        continue;
                max += one.n;
                more = max <= ODM_LW_NODES_MAX ? odm_arena_get(u->a, max * sizeof *more) : NULL;
                if (!more)
                        return odm_arena_err(u->a);
                if (all->n)
                        memcpy(more, all->v, all->n * sizeof *more);
                memcpy(more + all->n, one.v, one.n * sizeof *more);
                *all = (odm_lw_list){more, max};
        }
        return ODM_COAP_CONTENT;
}

static int fetch(turn *u)
{
        odm_lw_frame f = {.reg = u->d->all->reg, .root = u->root};
        odm_lw_list paths, all = {NULL, 0};
        int rc;

        if (!things_group(u->d)->v11 || u->at.depth != 0)
                return ODM_COAP_NOT_ALLOWED;
        rc = odm_lw_decode(&f, (unsigned)u->m->format, u->m->body, u->a, &paths);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT)
                return ODM_COAP_BAD_REQUEST;
        if (rc == ODM_EUNSUPPORTED)
                return ODM_COAP_BAD_FORMAT;
        rc = rc == 0 ? gather(u, &paths, &all) : rc;
        if (rc != ODM_COAP_CONTENT)
                return rc;
        u->d->all->st.composites++;
        u->answer.format = u->m->accept >= 0 ? u->m->accept : choice(u->d, ODM_LW_SENML_CBOR);
        if ((u->answer.format != ODM_LW_SENML_JSON && u->answer.format != ODM_LW_SENML_CBOR) ||
            !can(u->d, u->answer.format))
                return ODM_COAP_NOT_ACCEPTABLE;
        rc = odm_lw_encode(&f, (unsigned)u->answer.format, &all, u->b);
        return rc < 0 ? rc : ODM_COAP_CONTENT;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int decode(turn *u, odm_lw_list *l)
{
        odm_lw_frame f = {.reg = u->d->all->reg, .at = u->at, .root = u->root};
        unsigned ct = u->m->format < 0 ? (unsigned)ODM_LW_NO_CT : (unsigned)u->m->format;
        int rc = odm_lw_decode(&f, ct, u->m->body, u->a, l);

        if (rc == ODM_EUNSUPPORTED)
                return ODM_COAP_BAD_FORMAT;
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT)
                return ODM_COAP_BAD_REQUEST;
        return rc;
}

static int write(turn *u)
{
        thing *t = u->t;
        bool held = t->firmware.state == FW_DOWNLOADED;
        odm_lw_list l;
        int rc = decode(u, &l);

        if (rc == 0)
                rc = thing_write(t, u->d->all->reg, &l, things_wall(u->d));
        if (rc == ODM_COAP_CHANGED && !held && t->firmware.state == FW_DOWNLOADED)
                things_pushed(u->d);
        return rc;
}

static int create(turn *u)
{
        odm_lw_list l = {NULL, 0};
        int32_t instance = -1;
        int rc = u->m->body.n ? decode(u, &l) : 0;

        if (rc != 0)
                return rc;
        if (l.n && l.v[0].path.depth == 2) { /* an instance that is empty, but has a number */
                instance = l.v[0].path.id[1];
                l = (odm_lw_list){l.v + 1, l.n - 1};
        }
        rc = thing_create(u->t, u->at.id[0], &instance);
        if (rc != ODM_COAP_CREATED)
                return rc;
        u->at = ODM_LW_PATH2(u->at.id[0], (uint16_t)instance);
        for (size_t i = 0; i < l.n; i++)
                l.v[i].path.id[1] = u->at.id[1];
        rc = thing_write(u->t, u->d->all->reg, &l, things_wall(u->d));
        if (rc != ODM_COAP_CHANGED) {
                (void)!thing_delete(u->t, u->at);
                return rc;
        }
        u->d->links_moved = true;
        u->answer.path = odm_str_from(odm_lw_path_format(u->at, u->path), 1);
        return ODM_COAP_CREATED;
}

static int post(turn *u)
{
        switch (u->at.depth) {
        case 1: return create(u);
        case 2: return write(u);
        case 3: return thing_execute(u->t, u->d->all->reg, u->at, u->m->body);
        default: return ODM_COAP_NOT_ALLOWED;
        }
}

static int put(turn *u)
{
        if (u->at.depth == 0)
                return ODM_COAP_NOT_ALLOWED;
        return u->m->n_query && !u->m->body.n ? things_attrs(u->d, u->at, u->m) : write(u);
}

static int delete (turn *u)
{
        int rc = thing_delete(u->t, u->at);

        u->d->links_moved |= rc == ODM_COAP_DELETED;
        return rc;
}

static int handle(turn *u)
{
        switch (u->m->code) {
        case CO_GET: return get(u);
        case CO_PUT: return put(u);
        case CO_POST: return post(u);
        case CO_DELETE: return delete (u);
        case CO_FETCH: return fetch(u);
        case CO_IPATCH:
                return things_group(u->d)->v11 && u->at.depth == 0 ? write(u)
                                                                   : ODM_COAP_NOT_ALLOWED;
        default: return ODM_COAP_NOT_ALLOWED;
        }
}

/* ---- a turn ------------------------------------------------------------------------------------ */

static void answer(turn *u, int code)
{
        node *d = u->d;

        if (code < 0) {
                things_trouble(d->all, "a request is not answered", code);
                code = ODM_COAP_FAILED;
        }
        u->answer.code = wire(code);
        if (code == ODM_COAP_CONTENT) {
                u->answer.body = odm_buf_view(u->b);
                things_count(d, u->answer.format);
        } else {
                u->answer.format = -1;
        }
        d->all->st.octets_out += u->answer.body.n;
        d->t.tx += u->answer.body.n;
        co_answer(u->r, &u->answer);
}

void things_request(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        node *d = ctx;
        char block[8192];
        odm_arena a;
        odm_buf b;
        turn u = {.d = d, .r = r, .m = m, .a = &a, .b = &b};
        int code;
        odm_str path = m->path;

        (void)p;
        d->all->st.requests++;
        d->all->st.octets_in += m->body.n;
        d->t.rx += m->body.n;
        if (m->body.n)
                things_count(d, m->format);
        things_awake(d);
        odm_arena_init_on(&a, &heap_mem, LIST_MAX + m->body.n, block, sizeof block);
        odm_buf_init(&b, &heap_mem, ANSWER_MAX);
        co_msg_init(&u.answer, 0);
        u.t = thing_leaf(&d->t, &path);
        if (u.t)
                u.root = odm_arena_fmt(&a, "/d%u", u.t->number);
        else
                u.t = &d->t;
        code = things_boots(d)                      ? things_boot_request(d, m)
               : odm_lw_path_parse(path, &u.at) < 0 ? ODM_COAP_NOT_FOUND
                                                    : handle(&u);
        if (u.t->number && (u.t->wants & THING_REBOOT))
                thing_restart(u.t);
        if (u.t->number)
                u.t->wants = 0; /* nothing of it outlives its gateway */
        if (m->code != CO_GET && m->code != CO_FETCH)
                things_settle(d);
        answer(&u, code);
        odm_buf_done(&b);
        odm_arena_done(&a);
        things_plan(d);
}
