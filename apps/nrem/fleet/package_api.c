/* SPDX-License-Identifier: Apache-2.0 */
/* Packages in REST.  The row comes first, and wants its content, which package_put.c takes. */
#include <stdlib.h>
#include <string.h>

#include "package_part.h"
#include "selector.h"

#define NAME_MOST 128
#define VERSION_MOST 64
#define COMPONENT_MOST 255
#define TYPE_MOST 100
#define NOTES_MOST 4000
#define FITS_MOST 4000
#define TYPE_DEFAULT "application/octet-stream"
#define FILE_DEFAULT "package"

/* ---- shown --------------------------------------------------------------------------------- */

static bool put_fits(json_t *o, const package *p)
{
        json_t *fits;

        if (p->fits.n == 0)
                return true;
        fits = json_loadb(p->fits.p, p->fits.n, 0, NULL);
        return json_object_set_new(o, "fits", fits ? fits : json_object()) == 0;
}

/* Where it comes from: elsewhere, or a path here, which devices know by package_link(). */
static bool put_content(json_t *o, const packages *s, const package *p)
{
        uint64_t have;

        if (p->url.n)
                return put_text(o, "url", p->url);
        if (p->state == PACKAGE_READY)
                return json_object_set_new(o, "path",
                                           json_sprintf(PACKAGE_PATH "%lld/%.*s/%.*s",
                                                        (long long)p->id, (int)p->sha256.n,
                                                        p->sha256.p, (int)p->file.n, p->file.p)) ==
                       0;
        have = blobs_have(s->blobs, p->id, p->sha256, p->size);
        return put_int(o, "received", (int64_t)have);
}

json_t *package_json(const packages *s, const package *p)
{
        json_t *o = json_object();

        if (put_id(o, "id", p->id) && put_text(o, "name", p->name) &&
            put_text(o, "version", p->version) && put_cstr(o, "kind", package_kinds[p->kind]) &&
            put_cstr(o, "state", package_states[p->state]) &&
            (!p->component.n || put_text(o, "component", p->component)) && put_fits(o, p) &&
            put_text(o, "file", p->file) && put_text(o, "sha256", p->sha256) &&
            put_int(o, "size", (int64_t)p->size) && put_text(o, "media_type", p->type) &&
            put_content(o, s, p) && put_bool(o, "signed", p->signature.n > 0) &&
            (!p->signer.n || put_text(o, "signer", p->signer)) &&
            (!p->notes.n || put_text(o, "notes", p->notes)) && put_text(o, "actor", p->actor) &&
            put_ms(o, "created", p->created) && put_ms(o, "updated", p->updated) &&
            put_int(o, "users", p->users))
                return o;
        json_decref(o);
        return NULL;
}

bool package_find(call *c, package *out)
{
        package key = {0}, found;
        int rc;

        if (!call_id(c, c->param[0], "package", &key.id))
                return false;
        rc = store_row_get(c->api->opt.store, &table_package, &key, &c->arena, &found);
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no package %lld.",
                            (long long)key.id);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the package cannot be read");
        else
                *out = found;
        return rc == 0;
}

static bool find_device(call *c, odm_str name, store_device *d)
{
        int rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, d)
                                    : ODM_ENOENT;

        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no device %.*s.", (int)name.n,
                            name.p);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the device cannot be read");
        return rc == 0;
}

/* Whether it fits that device, and what the device is told. */
static bool put_device(call *c, json_t *o, const package *p, const store_device *d)
{
        const packages *s = call_self(c);
        json_t *j = json_object();
        odm_str why = ODM_ABSENT;
        bool fits = package_fits(p, d, &c->arena, &why);
        odm_str base = package_base(s->host->conf, &c->arena);

        if (put_text(j, "name", d->name) && put_bool(j, "fits", fits) && put_text(j, "why", why) &&
            put_text(j, "url", package_link(p, d, base, &c->arena)))
                return json_object_set_new(o, "device", j) == 0;
        json_decref(j);
        return false;
}

static void package_show(call *c)
{
        odm_str name = call_query(c, "device");
        store_device d = {0};
        json_t *o;
        package p;

        if (!package_find(c, &p) || (name.p && !find_device(c, name, &d))) {
                call_fail(c);
                return;
        }
        o = package_json(call_self(c), &p);
        if (o && name.p && !put_device(c, o, &p, &d)) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

/* A page, the newest first; `name` leaves those of that name. */
static bool read_scan(call *c, store_scan *scan, package *at, package *after)
{
        int64_t before;
        odm_str name = call_query(c, "name");

        *scan = (store_scan){.table = &table_package, .down = true};
        if (!call_page(c, &scan->limit, &before))
                return false;
        if (name.p) {
                at->name = name;
                scan->index = PACKAGE_BY_NAME;
                scan->same = 1;
                scan->at = at;
                scan->limit = 1000; /* versions of one name, all of them */
                return true;
        }
        after->id = before;
        scan->after = before ? after : NULL;
        return true;
}

static json_t *rows_json(const packages *s, const store_rows *rows)
{
        json_t *items = json_array();

        for (size_t i = 0; i < rows->n; i++)
                if (json_array_append_new(items, package_json(s, (const package *)rows->v + i)) <
                    0) {
                        json_decref(items);
                        return NULL;
                }
        return items;
}

static void package_list(call *c)
{
        package at = {0}, after = {0};
        store_scan scan;
        store_rows rows = {0};
        json_t *items, *next = NULL;
        int rc;

        if (!read_scan(c, &scan, &at, &after)) {
                call_fail(c);
                return;
        }
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &rows);
        if (rc < 0) {
                call_refused(c, "the packages cannot be read", rc);
                return;
        }
        items = rows_json(call_self(c), &rows);
        if (rows.more && rows.n && scan.index == 0)
                next = id_text(((const package *)rows.v)[rows.n - 1].id);
        call_reply(c, 200, page_new(items, next));
}

/* ---- read ------------------------------------------------------------------------------------ */

static void read_name(call *c, jread *r, const char *member, size_t most, odm_str *out)
{
        odm_str s;
        int rc = jread_text(r, member, 1, most, &s);

        if (rc == 0)
                (void)jread_missing(r, member);
        if (rc != 1)
                return;
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < ' ') {
                        (void)jread_wrong(r, member, "holds a control character");
                        return;
                }
        *out = odm_arena_copy(&c->arena, s);
}

static void read_text(call *c, jread *r, const char *member, size_t most, odm_str *out)
{
        odm_str s;

        if (jread_text(r, member, 0, most, &s) == 1)
                *out = odm_arena_copy(&c->arena, s);
}

/* Kept as it came once it is known to be a selector of what a device is. */
static void read_fits(call *c, package *p)
{
        static const char *const members[] = {"maker", "model", "hwv", "fwv", "swv"};
        json_t *o = json_object_get(c->body, "fits");
        const char *name;
        json_t *v;
        selector s;
        char *text;

        json_object_foreach(o, name, v)
        {
                size_t i = 0;
                while (i < ODM_COUNT(members) && strcmp(members[i], name) != 0)
                        i++;
                if (i == ODM_COUNT(members))
                        problem_at(&c->problem, "fits",
                                   "has only maker, model, hwv, fwv and swv; tags and names are "
                                   "for campaigns");
        }
        if (!o || problem_is(&c->problem) || !selector_read(o, "fits", &c->problem, &c->arena, &s))
                return;
        text = json_dumps(o, JSON_COMPACT);
        p->fits = text && json_object_size(o) ? odm_arena_copy(&c->arena, odm_cstr(text))
                                              : ODM_STR("");
        if (text && strlen(text) > FITS_MOST)
                problem_at(&c->problem, "fits", "is longer than %d octets", FITS_MOST);
        free(text);
}

static void read_url(call *c, jread *r, package *p)
{
        odm_str url;

        if (jread_text(r, "url", 8, PACKAGE_URL_MOST, &url) != 1)
                return;
        if (!package_url_ok(url))
                (void)jread_wrong(r, "url", "is no http or https URL");
        p->url = odm_arena_copy(&c->arena, url);
}

static void read_file(call *c, jread *r, package *p)
{
        odm_str file;

        if (jread_text(r, "file", 1, PACKAGE_FILE_MOST, &file) != 1)
                return;
        if (!package_file_ok(file))
                (void)jread_wrong(
                        r, "file",
                        "is no plain name: letters, digits and . _ ~ + -, the first no .");
        p->file = odm_arena_copy(&c->arena, file);
}

static void read_content(call *c, jread *r, const packages *s, package *p)
{
        odm_str hash;
        int64_t size = 0;
        int rc = jread_text(r, "sha256", PACKAGE_HASH_TEXT, PACKAGE_HASH_TEXT, &hash);

        if (rc == 0)
                (void)jread_missing(r, "sha256");
        if (rc == 1 && !package_hash_ok(hash))
                (void)jread_wrong(r, "sha256", "is no SHA-256 of 64 hexadecimal digits a-f, 0-9");
        if (rc == 1)
                p->sha256 = odm_arena_copy(&c->arena, hash);
        if (jread_int(r, "size", 1, (int64_t)s->max_size, &size) == 0)
                (void)jread_missing(r, "size");
        p->size = (uint64_t)size;
        read_url(c, r, p);
        read_file(c, r, p);
}

static void read_signature(call *c, jread *r, const packages *s, package *p)
{
        odm_str text, octets;

        if (jread_text(r, "signature", 4, odm_b64_size(PACKAGE_SIGNATURE_MOST), &text) == 1) {
                if (odm_b64_decode(&c->arena, text, &octets) < 0 || octets.n == 0)
                        (void)jread_wrong(r, "signature", "is no base64");
                else
                        p->signature = octets;
        }
        if (s->signed_only && p->signature.n == 0)
                (void)jread_wrong(r, "signature", "is needed here (packages.signed)");
}

static void read_package(call *c, const packages *s, package *p)
{
        jread r;
        odm_str type = ODM_ABSENT;

        jread_init(&r, c->body, "", &c->problem);
        read_name(c, &r, "name", NAME_MOST, &p->name);
        read_name(c, &r, "version", VERSION_MOST, &p->version);
        if (jread_word(&r, "kind", package_kinds, &p->kind) == 0)
                (void)jread_missing(&r, "kind");
        read_text(c, &r, "component", COMPONENT_MOST, &p->component);
        read_content(c, &r, s, p);
        read_signature(c, &r, s, p);
        read_text(c, &r, "notes", NOTES_MOST, &p->notes);
        read_text(c, &r, "media_type", TYPE_MOST, &type);
        if (type.n)
                p->type = type;
        if (!http_value_ok(p->type))
                (void)jread_wrong(&r, "media_type", "is none");
        r.asked[r.n_asked++] = "fits"; /* read_fits() does */
        read_fits(c, p);
        jread_end(&r);
}

/* ---- changes ----------------------------------------------------------------------------------- */

bool package_may(call *c)
{
        if (c->who.scope.n)
                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                            "Packages are everybody's: a token with a scope cannot change them.");
        return c->who.scope.n == 0;
}

bool package_tell(call *c, store_batch *b, const char *kind, const package *p)
{
        json_t *o = json_object();
        char *text = NULL;
        store_op *op;

        if (put_id(o, "package", p->id) && put_text(o, "name", p->name) &&
            put_text(o, "version", p->version) && put_cstr(o, "kind", package_kinds[p->kind]) &&
            put_text(o, "sha256", p->sha256) && put_text(o, "actor", c->who.name))
                text = json_dumps(o, JSON_COMPACT);
        json_decref(o);
        if (!text || !call_op(c, b, STORE_EVENT_ADD, &op)) {
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
                free(text);
                return false;
        }
        op->event = (store_event){.at = c->now,
                                  .kind = odm_cstr(kind),
                                  .data = odm_arena_copy(&c->arena, odm_cstr(text))};
        free(text);
        return op->event.data.p != NULL;
}

store_batch *package_ready(call *c, package *p)
{
        static const package wanted = {.state = PACKAGE_WANTED};
        store_batch *b = call_batch(c, "package.ready", 0, p->name, p->version.p);
        store_op *op;

        p->state = PACKAGE_READY;
        if (!b || !call_op(c, b, STORE_ROW_PATCH, &op) || !package_tell(c, b, "package.added", p)) {
                store_batch_free(b);
                return NULL;
        }
        op->row = (store_row_op){.table = &table_package,
                                 .row = p,
                                 .fields = STORE_FIELD(PACKAGE_F_STATE) |
                                           STORE_FIELD(PACKAGE_F_SIGNER) |
                                           STORE_FIELD(PACKAGE_F_UPDATED),
                                 .where = STORE_FIELD(PACKAGE_F_STATE),
                                 .is = &wanted};
        return b;
}

typedef struct change {
        package p;
        store_op *op;
} change;

static void reply_created(call *c, const package *p)
{
        c->location = odm_arena_fmt(&c->arena, "/api/v1/packages/%lld", (long long)p->id);
        call_reply(c, 201, package_json(call_self(c), p));
}

static void on_ready(call *c, store_batch *b, int rc)
{
        const change *n = c->data;

        (void)b;
        if (rc < 0)
                call_refused(c, "the package cannot be kept", rc);
        else
                reply_created(c, &n->p);
}

static void on_created(call *c, store_batch *b, int rc)
{
        change *n = c->data;

        (void)b;
        if (rc < 0) {
                package_room_back(call_self(c), n->p.url.n ? 0 : n->p.size);
                if (rc == ODM_EEXIST)
                        problem_set(&c->problem, PROBLEM_EXISTS,
                                    "There is a package %.*s %.*s already.", (int)n->p.name.n,
                                    n->p.name.p, (int)n->p.version.n, n->p.version.p);
                call_refused(c, "the package cannot be kept", rc);
                return;
        }
        n->p.id = n->op->id;
        if (!n->p.url.n) {
                reply_created(c, &n->p);
                return;
        }
        b = package_ready(c, &n->p); /* nothing has to come */
        if (b)
                call_commit(c, b, on_ready);
        else
                call_fail(c);
}

static void package_create(call *c)
{
        packages *s = call_self(c);
        change *n = odm_new(&c->arena, change);
        store_batch *b = NULL;

        if (!n || !package_may(c)) {
                call_fail(c);
                return;
        }
        n->p = (package){.file = ODM_STR(FILE_DEFAULT),
                         .type = ODM_STR(TYPE_DEFAULT),
                         .actor = c->who.name,
                         .created = c->now,
                         .updated = c->now};
        read_package(c, s, &n->p);
        if (problem_is(&c->problem) || !package_room(s, c, n->p.url.n ? 0 : n->p.size)) {
                call_fail(c);
                return;
        }
        b = call_batch(c, "package.create", 0, n->p.name, n->p.version.p);
        if (b && call_op(c, b, STORE_ROW_ADD, &n->op)) {
                n->op->row = (store_row_op){.table = &table_package, .row = &n->p};
                c->data = n;
                call_commit(c, b, on_created);
                return;
        }
        package_room_back(s, n->p.url.n ? 0 : n->p.size);
        store_batch_free(b);
        call_fail(c);
}

static void on_changed(call *c, store_batch *b, int rc)
{
        const change *n = c->data;

        (void)b;
        if (rc < 0)
                call_refused(c, "the package cannot be changed", rc);
        else
                call_reply(c, 200, package_json(call_self(c), &n->p));
}

/* Whom it fits, and what people say of it; what it is stays. */
static void package_change(call *c)
{
        change *n = odm_new(&c->arena, change);
        store_batch *b = NULL;
        store_op *op;
        jread r;

        if (!n || !package_may(c) || !package_find(c, &n->p)) {
                call_fail(c);
                return;
        }
        jread_init(&r, c->body, "", &c->problem);
        read_text(c, &r, "notes", NOTES_MOST, &n->p.notes);
        r.asked[r.n_asked++] = "fits";
        read_fits(c, &n->p);
        jread_end(&r);
        n->p.updated = c->now;
        if (!problem_is(&c->problem))
                b = call_batch(c, "package.change", 0, n->p.name, n->p.version.p);
        if (b && call_op(c, b, STORE_ROW_PATCH, &op) &&
            package_tell(c, b, "package.changed", &n->p)) {
                op->row = (store_row_op){.table = &table_package,
                                         .row = &n->p,
                                         .fields = STORE_FIELD(PACKAGE_F_NOTES) |
                                                   STORE_FIELD(PACKAGE_F_FITS) |
                                                   STORE_FIELD(PACKAGE_F_UPDATED)};
                c->data = n;
                call_commit(c, b, on_changed);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

static void on_removed(call *c, store_batch *b, int rc)
{
        const change *n = c->data;

        (void)b;
        if (rc == ODM_ESTATE)
                problem_set(&c->problem, PROBLEM_STATE,
                            "The package is in use: a campaign that is not over needs it.");
        if (rc < 0) {
                call_refused(c, "the package cannot be removed", rc);
                return;
        }
        package_room_back(call_self(c), n->p.url.n ? 0 : n->p.size);
        call_empty(c, 204);
}

static void package_remove(call *c)
{
        static const package unused = {.users = 0};
        change *n = odm_new(&c->arena, change);
        store_batch *b = NULL;
        store_op *op;

        if (n && package_may(c) && package_find(c, &n->p))
                b = call_batch(c, "package.remove", 0, n->p.name, n->p.version.p);
        if (b && call_op(c, b, STORE_ROW_DELETE, &op) &&
            package_tell(c, b, "package.removed", &n->p)) {
                op->row = (store_row_op){.table = &table_package,
                                         .row = &n->p,
                                         .where = STORE_FIELD(PACKAGE_F_USERS),
                                         .is = &unused};
                c->data = n;
                call_commit(c, b, on_removed);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

#define PATH "/api/v1/packages"
const call_route package_routes[PACKAGE_ROUTES] = {
        {"GET", PATH, ACCESS_VIEWER, "limit cursor name", false, package_list, NULL},
        {"POST", PATH, ACCESS_OPERATOR, "", true, package_create, NULL},
        {"GET", PATH "/{id}", ACCESS_VIEWER, "device", false, package_show, NULL},
        {"PATCH", PATH "/{id}", ACCESS_OPERATOR, "", true, package_change, NULL},
        {"DELETE", PATH "/{id}", ACCESS_OPERATOR, "", false, package_remove, NULL},
        {"GET", PATH "/{id}/content", ACCESS_VIEWER, "", false, package_content_get, NULL},
        {"PUT", PATH "/{id}/content", ACCESS_OPERATOR, "", false, package_content_put,
         package_content_head},
};
