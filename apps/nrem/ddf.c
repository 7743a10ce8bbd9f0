/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions are copied into one arena as descriptors; two maps of jansson, whose hash no
 * stranger can aim at, lead from identifier and place to a node of a descriptor table. */
#include "ddf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "fsio.h"
#include "heap.h"
#include "mo.h"
#include "odm/codec.h"

#define MIB ((size_t)1 << 20)
#define FILE_MOST (8 * MIB)
#define ID_MOST 255
#define DOC_DEPTH (3 * ODM_URI_SEGS) /* elements around a node of the deepest tree */

struct ddf {
        ddf_limits lim;
        odm_arena arena;
        ddf_spot *spots;      /* what the maps lead to */
        size_t n, cap;        /* of spots */
        json_t *ids, *places; /* text -> index into spots */
        size_t files, octets, nodes;
};

void ddf_limits_init(ddf_limits *l)
{
        *l = (ddf_limits){.files = 1000, .octets = 64 * MIB, .nodes = 200000};
}

size_t ddf_files(const ddf *r)
{
        return r->files;
}

/* ---- finding --------------------------------------------------------------------- */

static bool is_interior(const odm_desc *d)
{
        return d->format == ODM_FMT_NODE;
}

/* The identifier as key: small letters.  Empty when it is none. */
static odm_str id_key(odm_str id, char room[ID_MOST])
{
        id = odm_str_trim(id);
        if (id.n > ID_MOST)
                return ODM_STR("");
        for (size_t i = 0; i < id.n; i++)
                room[i] = id.p[i] >= 'A' && id.p[i] <= 'Z' ? (char)(id.p[i] - 'A' + 'a') : id.p[i];
        return (odm_str){room, id.n};
}

static ddf_spot look_up(const ddf *r, const json_t *map, odm_str key)
{
        const json_t *v = key.n ? json_object_getn(map, key.p, key.n) : NULL;

        return v ? r->spots[json_integer_value(v)] : (ddf_spot){0};
}

ddf_spot ddf_by_id(const ddf *r, odm_str id)
{
        char room[ID_MOST];

        return look_up(r, r->ids, id_key(id, room));
}

ddf_spot ddf_by_place(const ddf *r, odm_str uri)
{
        return look_up(r, r->places, uri);
}

ddf_spot ddf_child(const ddf *r, ddf_spot at, odm_str name)
{
        const odm_desc *unnamed = NULL, *found = NULL;
        ddf_spot own = {0};

        for (uint16_t i = at.desc->first_child; i && !found; i = at.mo->nodes[i].next) {
                const odm_desc *d = &at.mo->nodes[i];
                if (d->name.n == 0)
                        unnamed = d;
                else if (odm_str_eq(d->name, name))
                        found = d;
        }
        if (!found)
                found = unnamed;
        if (found && is_interior(found))
                own = ddf_by_id(r, found->type);
        return own.desc ? own : (ddf_spot){at.mo, found};
}

/* "urn:oma:mo:oma-fumo:1.0" or "com.acme/1.0/meter"; devices write MIME types there as well. */
static bool names_object(odm_str type)
{
        size_t slashes = 0;

        for (size_t i = 0; i < type.n; i++)
                slashes += type.p[i] == '/';
        return odm_str_has(type, ':') || slashes >= 2;
}

static odm_str without_version(odm_str id)
{
        for (size_t n = id.n; n; n--)
                if (id.p[n - 1] == ':')
                        return odm_str_to(id, n);
        return id;
}

bool ddf_agrees(const odm_desc *desc, odm_str type)
{
        char a[ID_MOST], b[ID_MOST];

        if (!is_interior(desc) || !names_object(desc->type) || !names_object(type))
                return true;
        return odm_str_eq(without_version(id_key(desc->type, a)), without_version(id_key(type, b)));
}

/* ---- filling --------------------------------------------------------------------- */

static int put_spot(ddf *r, json_t *map, odm_str key, ddf_spot at)
{
        if (r->n == r->cap) {
                size_t cap = r->cap ? 2 * r->cap : 32;
                ddf_spot *v = odm_arena_get(&r->arena, cap * sizeof *v);
                if (!v)
                        return odm_arena_err(&r->arena);
                if (r->n)
                        memcpy(v, r->spots, r->n * sizeof *v);
                r->spots = v;
                r->cap = cap;
        }
        if (json_object_setn_new(map, key.p, key.n, json_integer((json_int_t)r->n)) < 0)
                return ODM_ENOMEM;
        r->spots[r->n++] = at;
        return 0;
}

/* The place that the description gives itself: its Path and its name. */
static int put_place(ddf *r, const odm_mo *mo)
{
        odm_str path = mo->path, name = mo->nodes[0].name, uri;

        if (name.n == 0)
                return 0;
        if (odm_str_starts(path, "./"))
                path = odm_str_from(path, 2);
        else if (odm_str_is(path, "."))
                path = ODM_STR("");
        uri = path.n ? odm_arena_fmt(&r->arena, "./%.*s/%.*s", (int)path.n, path.p, (int)name.n,
                                     name.p)
                     : odm_arena_fmt(&r->arena, "./%.*s", (int)name.n, name.p);
        return uri.p ? put_spot(r, r->places, uri, (ddf_spot){mo, mo->nodes})
                     : odm_arena_err(&r->arena);
}

static int put_object(ddf *r, const odm_mo *mo)
{
        int rc = put_place(r, mo);

        for (uint16_t i = 0; rc == 0 && i < mo->n; i++) {
                const odm_desc *d = &mo->nodes[i];
                char room[ID_MOST];
                odm_str key = is_interior(d) ? id_key(d->type, room) : ODM_STR("");
                if (key.n)
                        rc = put_spot(r, r->ids, key, (ddf_spot){mo, d});
        }
        return rc;
}

int ddf_new(const ddf_limits *lim, ddf **out)
{
        static const odm_mo *const built_in[] = {&odm_mo_devdetail, &odm_mo_devinfo, &odm_mo_dmacc,
                                                 &odm_mo_inbox, &odm_mo_xrem};
        ddf *r = odm_alloc(&heap_mem, sizeof *r);
        int rc = 0;

        if (!r)
                return ODM_ENOMEM;
        *r = (ddf){.ids = json_object(), .places = json_object()};
        ddf_limits_init(&r->lim);
        if (lim)
                r->lim = *lim;
        /* a document's text grows into descriptors of a fixed size */
        odm_arena_init(&r->arena, &heap_mem,
                       MIB + 2 * r->lim.octets + 2 * r->lim.nodes * sizeof(odm_desc));
        if (!r->ids || !r->places)
                rc = ODM_ENOMEM;
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(built_in); i++)
                rc = put_object(r, built_in[i]);
        if (rc < 0)
                ddf_free(r);
        else
                *out = r;
        return rc;
}

void ddf_free(ddf *r)
{
        if (!r)
                return;
        json_decref(r->ids);
        json_decref(r->places);
        odm_arena_done(&r->arena);
        odm_free(&heap_mem, r, sizeof *r);
}

/* ---- a file ---------------------------------------------------------------------- */

/* What goes out as JSON has to be UTF-8, which WBXML does not promise. */
static const odm_desc *not_utf8(const odm_mo *mo)
{
        for (uint16_t i = 0; i < mo->n; i++)
                if (!odm_utf8_ok(mo->nodes[i].title) || !odm_utf8_ok(mo->nodes[i].text))
                        return &mo->nodes[i];
        return NULL;
}

static odm_str path_of(const odm_mo *mo, const odm_desc *d, odm_arena *a)
{
        odm_str path = ODM_STR("");

        for (;; d = &mo->nodes[d->parent]) {
                odm_str name = d->name.n ? d->name : ODM_STR("<X>");
                path = odm_arena_fmt(a, "%.*s%s%.*s", (int)name.n, name.p, path.n ? "/" : "",
                                     (int)path.n, path.p);
                if (d == mo->nodes || !path.p)
                        return path;
        }
}

static int add_top(ddf *r, const char *file, const odm_doc_node *top, odm_arena *scratch, diag *d)
{
        const char *why = NULL;
        const odm_desc *bad;
        odm_str where = ODM_STR("");
        odm_mo *mo = odm_new(&r->arena, odm_mo);
        int rc = mo ? odm_mo_from_doc(top, &r->arena, mo, &why) : odm_arena_err(&r->arena);
        size_t before = r->n;

        if (rc == ODM_EMALFORMED) {
                if (odm_mo_culprit(top, scratch, &where) < 0)
                        where = ODM_STR("?");
                return diag_set(d, rc, "%s: node %.*s: %s", file, (int)where.n, where.p,
                                why ? why : odm_err_text(rc));
        }
        if (rc == 0 && (bad = not_utf8(mo))) {
                where = path_of(mo, bad, scratch);
                return diag_set(d, ODM_EMALFORMED, "%s: node %.*s: its text is no UTF-8", file,
                                (int)where.n, where.p ? where.p : "");
        }
        if (rc == 0 && (r->nodes += mo->n) > r->lim.nodes)
                return diag_set(d, ODM_ELIMIT, "%s: more than %zu nodes in all descriptions", file,
                                r->lim.nodes);
        if (rc == 0)
                rc = put_object(r, mo);
        if (rc < 0)
                return diag_set(d, rc, "%s: %s", file, odm_err_text(rc));
        if (r->n == before)
                return diag_set(d, ODM_EMALFORMED,
                                "%s: node <X>: neither a name nor an object identifier (DDFName) "
                                "says which nodes are meant",
                                file);
        return 0;
}

static int add_document(ddf *r, const char *file, odm_str text, odm_arena *scratch, diag *d)
{
        odm_limits lim;
        odm_doc *doc = NULL;
        int rc;

        odm_limits_init(&lim);
        lim.max_msg = FILE_MOST;
        lim.max_depth = DOC_DEPTH;
        lim.max_items = UINT16_MAX;
        rc = odm_doc_decode(text, &lim, scratch, &doc);
        if (rc == ODM_EMALFORMED)
                return diag_set(d, rc, "%s: no MgmtTree document in XML or WBXML", file);
        if (rc < 0)
                return diag_set(d, rc, "%s: %s", file, odm_err_text(rc));
        if (!doc->nodes)
                return diag_set(d, ODM_EMALFORMED, "%s: the document has no Node", file);
        for (const odm_doc_node *top = doc->nodes; rc == 0 && top; top = top->next)
                rc = add_top(r, file, top, scratch, d);
        return rc;
}

static int load_file(ddf *r, const char *file, diag *d)
{
        odm_buf text;
        odm_arena scratch; /* the document, until it is a table */
        int rc;

        if (r->files >= r->lim.files)
                return diag_set(d, ODM_ELIMIT, "%s: more than %zu files of descriptions", file,
                                r->lim.files);
        odm_buf_init(&text, &heap_mem, FILE_MOST);
        odm_arena_init(&scratch, &heap_mem, 16 * FILE_MOST);
        rc = fsio_read(file, FILE_MOST, &text, d);
        if (rc == 0 && (r->octets += odm_buf_view(&text).n) > r->lim.octets)
                rc = diag_set(d, ODM_ELIMIT, "%s: more than %zu octets in all descriptions", file,
                              r->lim.octets);
        if (rc == 0)
                rc = add_document(r, file, odm_buf_view(&text), &scratch, d);
        if (rc == 0)
                r->files++;
        odm_arena_done(&scratch);
        odm_buf_done(&text);
        return rc;
}

/* ---- a folder -------------------------------------------------------------------- */

static int is_ddf(const struct dirent *e)
{
        size_t n = strlen(e->d_name);

        return e->d_name[0] != '.' && n > 4 && strcmp(e->d_name + n - 4, ".ddf") == 0;
}

/* The same order in every locale. */
static int by_octets(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_entry(ddf *r, const char *folder, const char *name, diag *d)
{
        char *file = fsio_join(folder, name);
        struct stat st;
        int rc = 0;

        if (!file)
                return diag_set(d, ODM_ENOMEM, "%s: %s", folder, odm_err_text(ODM_ENOMEM));
        if (stat(file, &st) < 0)
                rc = diag_set(d, ODM_EIO, "%s: %s", file, strerror(errno));
        else if (!S_ISDIR(st.st_mode))
                rc = load_file(r, file, d);
        free(file);
        return rc;
}

static int load_folder(ddf *r, const char *folder, diag *d)
{
        struct dirent **list = NULL;
        int rc = 0, n = scandir(folder, &list, is_ddf, by_octets);

        if (n < 0)
                return diag_set(d, ODM_EIO, "%s: %s", folder, strerror(errno));
        for (int i = 0; i < n; i++) {
                if (rc == 0)
                        rc = load_entry(r, folder, list[i]->d_name, d);
                free(list[i]);
        }
        free(list);
        return rc;
}

int ddf_load(ddf *r, const char *path, diag *d)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return diag_set(d, errno == ENOENT ? ODM_ENOENT : ODM_EIO, "%s: %s", path,
                                strerror(errno));
        return S_ISDIR(st.st_mode) ? load_folder(r, path, d) : load_file(r, path, d);
}
