/* SPDX-License-Identifier: Apache-2.0 */
/* images.c - what the gateway has for devices, as rows and files; see images.h. */
#include "images.h"

#include <string.h>

#include "heap.h"
#include "images_inner.h"
#include "net.h"

static const field image_fields[] = {STORE_FIELD_OF(image_row, node, STR),
                                     STORE_FIELD_OF(image_row, id, STR),
                                     STORE_FIELD_OF(image_row, name, STR),
                                     STORE_FIELD_OF(image_row, version, STR),
                                     STORE_FIELD_OF(image_row, vendor, STR),
                                     STORE_FIELD_OF(image_row, match, STR),
                                     STORE_FIELD_OF(image_row, kind, I64),
                                     STORE_FIELD_OF(image_row, hash, STR),
                                     STORE_FIELD_OF(image_row, size, U64),
                                     STORE_FIELD_OF(image_row, ready, I64),
                                     STORE_FIELD_OF(image_row, previous, STR),
                                     STORE_FIELD_OF(image_row, state, I64),
                                     STORE_FIELD_OF(image_row, result, I64),
                                     STORE_FIELD_OF(image_row, delivered, BOOL),
                                     STORE_FIELD_OF(image_row, correlator, STR),
                                     STORE_FIELD_OF(image_row, signature, BLOB),
                                     STORE_FIELD_OF(image_row, unproved, BOOL),
                                     STORE_FIELD_OF(image_row, previous_signature, BLOB),
                                     STORE_FIELD_OF(image_row, backward, BOOL),
                                     STORE_FIELD_OF(image_row, older, BOOL)};
enum { F_NODE, F_ID, F_READY = 9 };

static const record image_record = STORE_RECORD_OF(image_row, image_fields);
static const store_index image_indexes[] = {
        {.name = "id", .fields = {F_ID, F_READY}, .n = 2},
        {.name = "ready", .fields = {F_READY}, .n = 1},
};
const store_table image_table = {.name = "gw_image",
                                 .rec = &image_record,
                                 .n_key = 1,
                                 .index = image_indexes,
                                 .n_index = ODM_COUNT(image_indexes)};

/* ---- names --------------------------------------------------------------------------- */

odm_str image_path(odm_arena *a, const char *folder, odm_str hash)
{
        return odm_arena_fmt(a, "%s/images/%.*s.img", folder, (int)hash.n, hash.p);
}

static bool is_plain(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("-._~", c));
}

odm_str image_url(odm_arena *a, odm_str base, odm_str id)
{
        static const char digits[] = "0123456789ABCDEF";
        char *p = odm_arena_get(a, 3 * id.n + 1);
        size_t n = 0;

        if (!p)
                return ODM_ABSENT;
        for (size_t i = 0; i < id.n; i++) {
                unsigned char c = (unsigned char)id.p[i];
                if (is_plain(id.p[i])) {
                        p[n++] = id.p[i];
                        continue;
                }
                p[n++] = '%';
                p[n++] = digits[c >> 4];
                p[n++] = digits[c & 15];
        }
        return odm_arena_fmt(a, "%.*s" GW_IMAGE_PATH "%.*s", (int)base.n, base.p, (int)n, p);
}

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The ImageID out of a path; absent when it is none of ours. */
static odm_str id_of(odm_str path, odm_arena *a)
{
        odm_str in = odm_str_from(path, sizeof GW_IMAGE_PATH - 1);
        char *p = odm_arena_get(a, in.n + 1);
        size_t n = 0;

        if (!odm_str_starts(path, GW_IMAGE_PATH) || !p)
                return ODM_ABSENT;
        for (size_t i = 0; i < in.n; i++) {
                int hi, lo;
                if (in.p[i] != '%') {
                        p[n++] = in.p[i];
                        continue;
                }
                if (i + 2 >= in.n || (hi = digit(in.p[i + 1])) < 0 || (lo = digit(in.p[i + 2])) < 0)
                        return ODM_ABSENT;
                p[n++] = (char)(hi << 4 | lo);
                i += 2;
        }
        return (odm_str){p, n};
}

/* ---- rows ------------------------------------------------------------------------------ */

static odm_str octets(odm_str hex, odm_arena *a)
{
        char *p = hex.n == 64 ? odm_arena_get(a, 32) : NULL;

        for (size_t i = 0; p && i < 32; i++) {
                int hi = digit(hex.p[2 * i]), lo = digit(hex.p[2 * i + 1]);
                if (hi < 0 || lo < 0)
                        return ODM_ABSENT;
                p[i] = (char)(hi << 4 | lo);
        }
        return p ? (odm_str){p, 32} : ODM_ABSENT;
}

/* It was offered, and is on its way again. */
static bool comes_again(const image_row *r)
{
        return !r->hash.n && (r->state == IMAGE_QUEUED || r->state == IMAGE_DOWNLOADING ||
                              r->state == IMAGE_VERIFYING);
}

static int fill(store *st, const char *folder, const image_row *r, odm_arena *a, gw_image *out)
{
        gw_image i = {.node = r->node,
                      .id = r->id,
                      .name = r->name,
                      .version = r->version,
                      .vendor = r->vendor,
                      .match = r->match,
                      .kind = r->kind,
                      .path = image_path(a, folder, r->hash),
                      .size = r->size,
                      .sha256 = octets(r->hash, a),
                      .signature = r->signature,
                      .ready = r->ready};
        odm_str base;
        int rc = r->unproved ? ODM_ESTATE : store_setting_get(st, IMAGE_BASE, a, &base);

        if (rc == 0 && base.n)
                i.url_http = image_url(a, base, r->id);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (a->err)
                return odm_arena_err(a);
        *out = i;
        return 0;
}

/* The newest with that id that is offered; two nodes may have the same. */
int gw_image_get(store *st, const char *folder, odm_str id, odm_arena *a, gw_image *out)
{
        const image_row at = {.id = id};
        const store_scan scan = {.table = &image_table,
                                 .index = IMAGE_BY_ID,
                                 .same = 1,
                                 .at = &at,
                                 .down = true,
                                 .limit = IMAGES_MAX};
        store_rows rows;
        const image_row *r;
        bool again = false;
        int rc = id.n ? store_row_find(st, &scan, a, &rows) : ODM_ENOENT;

        if (rc < 0)
                return rc;
        r = rows.v;
        for (size_t i = 0; i < rows.n; i++) {
                if (r[i].hash.n)
                        return fill(st, folder, &r[i], a, out);
                again |= comes_again(&r[i]);
        }
        return again ? ODM_ESTATE : ODM_ENOENT;
}

int gw_image_by_url(store *st, const char *folder, odm_str url, odm_arena *a, gw_image *out)
{
        odm_str path = url, id;
        net_url u;

        if (!odm_str_starts(url, "/")) {
                if (net_url_parse(url, &u) < 0)
                        return ODM_ENOENT;
                path = odm_arena_copy(a, odm_cstr(u.target));
        }
        id = path.p ? id_of(path, a) : ODM_ABSENT;
        if (a->err)
                return odm_arena_err(a);
        return gw_image_get(st, folder, id, a, out);
}

int gw_image_for(gateway *g, const gw_device *d, odm_str id, odm_arena *a, gw_image *out)
{
        const store_scan scan = {
                .table = &image_table, .index = IMAGE_BY_READY, .down = true, .limit = IMAGES_MAX};
        store_rows rows;
        const image_row *r;
        int rc;

        if (id.n)
                return gw_image_get(gw_store(g), gw_folder(g), id, a, out);
        rc = store_row_find(gw_store(g), &scan, a, &rows);
        if (rc < 0)
                return rc;
        r = rows.v;
        for (size_t i = 0; i < rows.n; i++)
                if (r[i].hash.n && (!r[i].match.n || gw_matches(d, r[i].match)))
                        return fill(gw_store(g), gw_folder(g), &r[i], a, out);
        return ODM_ENOENT;
}

int gw_image_url(gateway *g, const gw_device *d, odm_str id, odm_arena *a, odm_str *out)
{
        gw_image i;
        int rc = gw_image_for(g, d, id, a, &i);

        if (rc == 0 && !i.url_http.n)
                rc = ODM_ENOENT;
        if (rc == 0)
                *out = i.url_http;
        return rc;
}
