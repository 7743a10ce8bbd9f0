/* SPDX-License-Identifier: Apache-2.0 */
/* What packages are, whom they fit, and where devices find them. */
#include "package.h"

#include <string.h>

#include "net.h"
#include "selector.h"

const char *const package_kinds[] = {"firmware", "software", "configuration", NULL};
const char *const package_states[] = {"wanted", "ready", NULL};

#define F(member, kind) STORE_FIELD_OF(package, member, kind)
/* in the order of PACKAGE_F_* */
static const field fields[] = {
        F(id, I64),        F(name, STR),    F(version, STR),    F(kind, U32),   F(state, U32),
        F(component, STR), F(fits, STR),    F(url, STR),        F(file, STR),   F(sha256, STR),
        F(size, U64),      F(type, STR),    F(signature, BLOB), F(signer, STR), F(notes, STR),
        F(actor, STR),     F(created, I64), F(updated, I64),    F(users, I64),
};
#undef F
_Static_assert(ODM_COUNT(fields) == PACKAGE_F_USERS + 1, "PACKAGE_F_* are the fields");

static const record record_package = STORE_RECORD_OF(package, fields);
static const store_index indexes[] = {
        [PACKAGE_BY_NAME - 1] = {.name = "name",
                                 .fields = {PACKAGE_F_NAME, PACKAGE_F_VERSION},
                                 .n = 2,
                                 .unique = true},
        [PACKAGE_BY_HASH - 1] = {.name = "hash", .fields = {PACKAGE_F_SHA256}, .n = 1},
};
const store_table table_package = {.name = "package",
                                   .rec = &record_package,
                                   .n_key = 1,
                                   .numbered = true,
                                   .index = indexes,
                                   .n_index = ODM_COUNT(indexes)};

store_op *package_use(store_batch *b, int64_t id, int by)
{
        odm_arena *a = store_batch_arena(b);
        package *row = odm_new(a, package), *is = odm_new(a, package);
        store_op *op = row && is ? store_batch_add(b, STORE_ROW_PATCH) : NULL;

        if (!op)
                return NULL;
        *row = (package){.id = id, .users = by};
        *is = (package){.state = PACKAGE_READY};
        op->row = (store_row_op){.table = &table_package,
                                 .row = row,
                                 .fields = STORE_FIELD(PACKAGE_F_USERS),
                                 .plus = STORE_FIELD(PACKAGE_F_USERS),
                                 .where = by > 0 ? STORE_FIELD(PACKAGE_F_STATE) : 0,
                                 .is = is};
        return op;
}

bool package_fits(const package *p, const store_device *d, odm_arena *a, odm_str *why)
{
        selector s;

        if (p->fits.n == 0)
                return true;
        if (selector_parse(p->fits, a, &s) < 0) {
                *why = ODM_STR("which devices the package is for cannot be read");
                return false;
        }
        return selector_has(&s, d, a, why);
}

odm_str package_link(const package *p, const store_device *d, odm_str base, odm_arena *a)
{
        if (p->state != PACKAGE_READY)
                return ODM_ABSENT;
        if (p->url.n)
                return odm_arena_copy(a, p->url);
        if (!base.n)
                base = d->reached;
        if (!base.n)
                return ODM_ABSENT;
        return odm_arena_fmt(a, "%.*s" PACKAGE_PATH "%lld/%.*s/%.*s", (int)base.n, base.p,
                             (long long)p->id, (int)p->sha256.n, p->sha256.p, (int)p->file.n,
                             p->file.p);
}

/* "https://host:port" of a URL; absent when it is none. */
static odm_str authority(odm_str url)
{
        const char *at = url.n ? memmem(url.p, url.n, "://", 3) : NULL;
        size_t n;

        if (!at)
                return ODM_ABSENT;
        for (n = (size_t)(at - url.p) + 3; n < url.n && !memchr("/?#", url.p[n], 3); n++)
                ;
        return odm_str_to(url, n);
}

odm_str package_base(const cfg *conf, odm_arena *a)
{
        const char *own = conf ? cfg_str(conf, "packages.url") : NULL;
        const char *dm = conf ? cfg_str(conf, "dm.url") : NULL;
        odm_str s = odm_cstr(own ? own : "");

        while (s.n && s.p[s.n - 1] == '/')
                s.n--;
        if (s.n == 0 && dm)
                s = authority(odm_cstr(dm));
        return s.n ? odm_arena_copy(a, s) : ODM_ABSENT;
}

/* ---- identity: what may be in a row ---------------------------------------------------- */

bool package_url_ok(odm_str s)
{
        net_url u;

        return s.n <= PACKAGE_URL_MOST && net_url_parse(s, &u) == 0 && u.host[0] &&
               (strcmp(u.scheme, "http") == 0 || strcmp(u.scheme, "https") == 0);
}

bool package_hash_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (!memchr("0123456789abcdef", s.p[i], 16))
                        return false;
        return s.n == PACKAGE_HASH_TEXT;
}

/* It ends the path of a URL, and names a file on the device. */
bool package_file_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                             (c >= 'a' && c <= 'z') || (c && strchr("._~+-", c));
                if (!plain)
                        return false;
        }
        return s.n > 0 && s.n <= PACKAGE_FILE_MOST && s.p[0] != '.';
}

bool package_path_read(odm_str path, package_path *out)
{
        package_path p = {0};
        const char *slash;
        uint64_t id;

        if (!odm_str_starts(path, PACKAGE_PATH))
                return false;
        path = odm_str_from(path, strlen(PACKAGE_PATH));
        slash = path.n ? memchr(path.p, '/', path.n) : NULL;
        if (!slash || odm_str_u64(odm_str_to(path, (size_t)(slash - path.p)), INT64_MAX, &id) < 0)
                return false;
        path = odm_str_from(path, (size_t)(slash - path.p) + 1);
        if (path.n <= PACKAGE_HASH_TEXT || path.p[PACKAGE_HASH_TEXT] != '/')
                return false;
        p.id = (int64_t)id;
        p.sha256 = odm_str_to(path, PACKAGE_HASH_TEXT);
        p.file = odm_str_from(path, PACKAGE_HASH_TEXT + 1);
        if (!package_hash_ok(p.sha256) || !package_file_ok(p.file))
                return false;
        *out = p;
        return true;
}

bool package_path_is(const package_path *path, const package *p, bool *signature)
{
        odm_str f = path->file;
        bool sig = f.n == p->file.n + 4 && odm_str_is(odm_str_from(f, p->file.n), PACKAGE_SIGNED);

        if (sig)
                f.n -= 4;
        if (p->state != PACKAGE_READY || p->url.n || !odm_str_eq(path->sha256, p->sha256) ||
            !odm_str_eq(f, p->file) || (sig && p->signature.n == 0))
                return false;
        *signature = sig;
        return true;
}
