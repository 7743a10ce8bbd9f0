/* SPDX-License-Identifier: Apache-2.0 */
/* A bootstrap message put into effect (dm-security-bootstrap-notification.md C1 to C3): each object
 * goes where the Inbox of the tree says, in one transaction.
 *
 *     object the device does not have -------> passed over
 *     older version of one in the message ---> passed over
 *     account of a server already known -----> replaced, or all refused
 *     anything else that is refused ---------> all refused                                      */
#include <string.h>

#include "record.h"

struct run {
        const odm_boot_opt *opt;
        odm_tree *t;
        odm_wall now;
        odm_arena *a;
        odm_boot_done done;
        struct placed { /* where an object of the message went */
                struct placed *next;
                odm_str name, uri;
        } * placed;
};

static int refuse(struct run *r, unsigned status, const char *why)
{
        r->done.status = status;
        r->done.why = why;
        return 0;
}

static bool goes_on(const struct run *r)
{
        return r->done.status == ODM_ST_OK;
}

static int do_op(struct run *r, odm_op *op, odm_answer *out)
{
        *out = (odm_answer){.status = 0};
        int rc = odm_tree_do(r->t, op, r->now, r->a, out);
        return rc == ODM_LATER ? ODM_EIO : rc;
}

/* ---- which objects count --------------------------------------------------------------- */

static odm_str id_version(odm_str id, odm_str *base)
{
        size_t n = id.n;

        while (n > 0 && id.p[n - 1] != ':')
                n--;
        *base = odm_str_to(id, n);
        return odm_str_from(id, n);
}

/* "1.10" is newer than "1.9"; what is no version is the oldest. */
static bool is_newer(odm_str a, odm_str b)
{
        uint64_t va[2] = {0}, vb[2] = {0};
        odm_str s[2] = {a, b};
        uint64_t *v[2] = {va, vb};

        for (int i = 0; i < 2; i++) {
                size_t n = 0;
                while (n < s[i].n && s[i].p[n] != '.')
                        n++;
                if (odm_str_u64(odm_str_to(s[i], n), UINT32_MAX, &v[i][0]) < 0 ||
                    odm_str_u64(odm_str_from(s[i], n + 1), UINT32_MAX, &v[i][1]) < 0)
                        v[i][0] = v[i][1] = 0;
        }
        return va[0] > vb[0] || (va[0] == vb[0] && va[1] > vb[1]);
}

static bool is_outdated(const odm_doc *doc, const odm_doc_node *n)
{
        odm_str base, other, version = id_version(n->type, &base);

        for (const odm_doc_node *o = doc->nodes; o && base.n; o = o->next) {
                odm_str theirs = id_version(o->type, &other);
                if (odm_str_eq(base, other) && is_newer(theirs, version))
                        return true;
        }
        return false;
}

/* ---- accounts ------------------------------------------------------------------------------ */

/* Where the account of `server` is; absent when there is none. */
static int find_account(struct run *r, odm_str server, odm_str *out)
{
        odm_str at = ODM_ABSENT;
        odm_account acc = {.uri = ODM_ABSENT};
        int rc;

        *out = ODM_ABSENT;
        while ((rc = odm_tree_find_mo(r->t, ODM_STR(DMACC_ID), at, r->a, &at)) == 1) {
                rc = odm_account_read(r->t, at, r->a, &acc);
                if (rc == 0 && odm_str_eq(acc.server_id, server)) {
                        *out = at;
                        return 0;
                }
                if (rc < 0 && rc != ODM_ENOENT && rc != ODM_EUNSUPPORTED)
                        return rc;
        }
        return rc;
}

/* What would break the list, or name others (dm-tree.md 4.1). */
static bool has_list_characters(odm_str id)
{
        for (size_t i = 0; i < id.n; i++)
                if (id.p[i] == '\0' || strchr("=+&* \t\r\n", id.p[i]))
                        return true;
        return false;
}

static int own_list(struct run *r, odm_str uri, odm_str id)
{
        odm_op op = {.kind = ODM_CMD_REPLACE, .has_value = true};
        odm_answer got = {.status = 0};
        int rc;

        if (has_list_characters(id))
                return refuse(r, ODM_ST_INCOMPLETE, "no access list can name the server");

        op.target = odm_arena_join(r->a, uri, ODM_STR("?prop=ACL"));
        op.value.data = odm_arena_fmt(r->a, "Get=%.*s&Replace=%.*s&Delete=%.*s", (int)id.n, id.p,
                                      (int)id.n, id.p, (int)id.n, id.p);
        if (op.target.p == NULL || op.value.data.p == NULL)
                return odm_arena_err(r->a);
        rc = do_op(r, &op, &got);
        if (rc == 0 && !odm_status_ok(got.status))
                refuse(r, got.status, "the account's access list is refused");
        return rc;
}

static int account_placed(struct run *r, const odm_doc_node *n, odm_str uri)
{
        odm_account acc = {.uri = ODM_ABSENT};
        int rc = odm_account_read(r->t, uri, r->a, &acc);

        if (rc == ODM_ENOENT || rc == ODM_EUNSUPPORTED)
                return refuse(r, ODM_ST_INCOMPLETE, "an account in it cannot be used");
        if (rc < 0)
                return rc;
        if (r->done.n == ODM_BOOT_ACCOUNTS)
                return refuse(r, ODM_ST_TOO_LARGE, "too many accounts");
        r->done.server[r->done.n].uri = uri;
        r->done.server[r->done.n++].server_id = acc.server_id;
        return n->acl.n ? 0 : own_list(r, uri, acc.server_id);
}

/* ---- objects --------------------------------------------------------------------------------- */

static int note_place(struct run *r, odm_str name, odm_str uri)
{
        struct placed *p = odm_new(r->a, struct placed);

        if (p == NULL)
                return odm_arena_err(r->a);
        *p = (struct placed){r->placed, name, uri};
        r->placed = p;
        return 0;
}

/* Adds the object, or with `at` writes it over the one there. */
static int put_object(struct run *r, const odm_doc_node *n, odm_str at, odm_answer *got)
{
        odm_doc_node *top = odm_new(r->a, odm_doc_node);
        odm_doc doc = {.ver_dtd = ODM_STR("1.2"), .nodes = top};
        odm_op op = {.kind = ODM_CMD_ADD, .target = ODM_STR("./Inbox"), .doc = &doc};

        if (top == NULL)
                return odm_arena_err(r->a);
        *top = *n;
        top->next = NULL;
        if (odm_boot_is_account(n->type))
                top->type = ODM_STR(DMACC_ID);
        if (at.p) {
                op.kind = ODM_CMD_REPLACE;
                op.target = at;
                top->name = ODM_STR("");
                top->path = ODM_ABSENT;
        }
        int rc = do_op(r, &op, got);
        if (rc == 0 && at.p)
                got->created = at;
        return rc;
}

static int take_object(struct run *r, const odm_doc_node *n)
{
        bool account = odm_boot_is_account(n->type);
        odm_str at = ODM_ABSENT;
        odm_answer got = {.status = ODM_ST_OK};
        int rc = account ? find_account(r, odm_boot_child(n, "ServerID"), &at) : 0;

        if (rc < 0)
                return rc;
        if (at.p && !r->opt->replace)
                return refuse(r, ODM_ST_EXISTS, "there is an account of this server");
        rc = put_object(r, n, at, &got);
        if (rc < 0)
                return rc;
        if (got.status == ODM_ST_NOT_FOUND && !account) {
                r->done.ignored++;
                return 0;
        }
        if (!odm_status_ok(got.status))
                return refuse(r, got.status, "an object in it is refused");
        if (got.created.p == NULL)
                return ODM_EIO;
        rc = note_place(r, n->name, got.created);
        return rc == 0 && account ? account_placed(r, n, got.created) : rc;
}

/* ---- references ------------------------------------------------------------------------- */

/* ./Inbox/NAME/rest becomes the place where NAME went (C3). */
static int resolve(struct run *r, odm_str uri)
{
        odm_value v = {.format = ODM_FMT_ABSENT};
        int rc = odm_tree_read(r->t, uri, r->a, &v);

        if (rc < 0 || !odm_str_starts(v.data, "./Inbox/"))
                return rc == ODM_ENOENT || rc == ODM_EINVAL ? 0 : rc;
        odm_str rest = odm_str_from(v.data, 8);
        for (const struct placed *p = r->placed; p; p = p->next) {
                if (p->name.n == 0 || rest.n < p->name.n ||
                    !odm_str_eq(odm_str_to(rest, p->name.n), p->name) ||
                    (rest.n > p->name.n && rest.p[p->name.n] != '/'))
                        continue;
                v.data = odm_arena_join(r->a, p->uri, odm_str_from(rest, p->name.n));
                if (v.data.p == NULL)
                        return odm_arena_err(r->a);
                return odm_tree_write(r->t, uri, &v, r->now);
        }
        return 0; /* to what this device does not have */
}

struct names { /* of the children of one node, taken before one of them changes */
        struct run *r;
        struct name {
                struct name *next;
                odm_str text;
        } * first;
};

static int take_name(void *ctx, odm_str name)
{
        struct names *w = ctx;
        struct name *n = odm_new(w->r->a, struct name);

        if (n == NULL)
                return 1;
        n->text = odm_arena_copy(w->r->a, name);
        n->next = w->first;
        w->first = n;
        return n->text.p ? 0 : 1;
}

static int resolve_account(struct run *r, odm_str uri)
{
        struct names w = {.r = r};
        odm_str pref = odm_arena_join(r->a, uri, ODM_STR("/PrefConRef"));
        odm_str list = odm_arena_join(r->a, uri, ODM_STR("/ToConRef"));
        int rc;

        if (pref.p == NULL || list.p == NULL)
                return odm_arena_err(r->a);
        rc = resolve(r, pref);
        if (rc < 0)
                return rc;
        rc = odm_tree_children(r->t, list, take_name, &w);
        if (rc == ODM_ENOENT)
                return 0;
        if (rc != 0)
                return rc < 0 ? rc : odm_arena_err(r->a);
        for (const struct name *n = w.first; n && rc == 0; n = n->next) {
                odm_str leaf = odm_arena_fmt(r->a, "%.*s/%.*s/ConRef", (int)list.n, list.p,
                                             (int)n->text.n, n->text.p);
                rc = leaf.p ? resolve(r, leaf) : odm_arena_err(r->a);
        }
        return rc;
}

/* ---- all of it -------------------------------------------------------------------------- */

static int take_all(struct run *r, const odm_doc *doc)
{
        int rc = 0;

        for (const odm_doc_node *n = doc->nodes; n && rc == 0 && goes_on(r); n = n->next) {
                if (is_outdated(doc, n))
                        r->done.ignored++;
                else
                        rc = take_object(r, n);
        }
        if (rc == 0 && goes_on(r) && r->done.n == 0)
                return refuse(r, ODM_ST_INCOMPLETE, "there is no account in it");
        for (size_t i = 0; i < r->done.n && rc == 0 && goes_on(r); i++)
                rc = resolve_account(r, r->done.server[i].uri);
        return rc;
}

static int finish(struct run *r, int rc)
{
        unsigned status = ODM_ST_OK;

        if (rc < 0 || !goes_on(r)) {
                odm_tree_rollback(r->t);
        } else {
                rc = odm_tree_commit(r->t, &status);
                if (rc == 0 && !odm_status_ok(status))
                        refuse(r, status, "the device refuses it");
        }
        if (!goes_on(r))
                r->done.n = 0;
        return rc;
}

int odm_boot_apply(const odm_boot *b, const odm_boot_opt *opt, odm_tree *t, odm_wall now,
                   odm_arena *a, odm_boot_done *out)
{
        struct run r = {
                .opt = opt, .t = t, .now = now, .a = a, .done = {.status = ODM_ST_OK, .why = ""}};
        odm_doc *doc = NULL;
        int rc;

        if (!b->proven || odm_tree_in_transaction(t))
                return ODM_ESTATE;
        rc = odm_boot_objects(b, opt->limits, a, &doc);
        if (rc == 0)
                rc = odm_tree_begin(t, now);
        if (rc < 0)
                return rc;
        rc = finish(&r, take_all(&r, doc));
        if (rc == 0)
                *out = r.done;
        return rc;
}
