/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent records (odm_tree_dump, odm_tree_load and the log of transactions).
 *
 *   record := "odm" version(1) length(4, big endian, of the entries) entry*
 *   entry  := kind(1) shared(varint) rest(str) body      path = first `shared` octets of the
 *                                                        path of the entry before, then `rest`
 *   kind 'N' body := what(1) flags(1) format(1)
 *                    [value(str) type(str)] [acl(str)] [title(str)] [tstamp(8) verno(2)]
 *   kind 'D' body := nothing
 *   kind 'R' body := name(str)
 *   str    := varint length, octets;  a varint length 0 in value and type is "absent",
 *             else it is the length plus one
 *
 * N makes the node when it is not there, and sets what `what` names.  Loading first reads all
 * entries without changing anything, so that half a record does nothing. */
#include <string.h>

#include "desc.h"
#include "record.h"
#include "txn.h"
#include "value.h"

#define HEAD 8
#define VERSION 1
#define FLAG_PERMANENT 1

static const char magic[4] = {'o', 'd', 'm', VERSION};

/* ---- writing --------------------------------------------------------------------------- */

static int put_varint(odm_buf *b, uint64_t v)
{
        int rc = 0;

        while (rc == 0 && v >= 0x80) {
                rc = odm_buf_byte(b, (uint8_t)(v | 0x80));
                v >>= 7;
        }
        return rc ? rc : odm_buf_byte(b, (uint8_t)v);
}

static int put_str(odm_buf *b, odm_str s)
{
        int rc = put_varint(b, s.n);

        return rc ? rc : odm_buf_str(b, s);
}

static int put_optional(odm_buf *b, odm_str s)
{
        int rc = put_varint(b, s.p ? (uint64_t)s.n + 1 : 0);

        return rc ? rc : odm_buf_str(b, s);
}

static int put_int(odm_buf *b, uint64_t v, int octets)
{
        int rc = 0;

        for (int i = octets - 1; rc == 0 && i >= 0; i--)
                rc = odm_buf_byte(b, (uint8_t)(v >> (8 * i)));
        return rc;
}

int odm_record_begin(odm_buf *rec)
{
        int rc = odm_buf_put(rec, magic, sizeof magic);

        return rc ? rc : put_int(rec, 0, 4);
}

void odm_record_end(odm_buf *rec)
{
        size_t n = rec->n - HEAD;

        for (int i = 0; i < 4; i++)
                rec->p[4 + i] = (char)(uint8_t)(n >> (8 * (3 - i)));
}

/* The path of n, written into `to` behind what is there. */
static int put_path(odm_buf *to, const struct node *n)
{
        const struct node *up[ODM_URI_SEGS];
        size_t depth = 0;
        int rc = 0;

        for (; n->parent; n = n->parent)
                up[depth++] = n;
        for (size_t i = depth; rc == 0 && i > 0; i--) {
                rc = odm_buf_str(to, up[i - 1]->name);
                if (rc == 0 && i > 1)
                        rc = odm_buf_byte(to, '/');
        }
        return rc;
}

/* Kind and path; the old path is replaced by the new one in place. */
static int put_head(const struct recorder *r, char kind, const struct node *n)
{
        odm_buf *p = r->path;
        size_t old = p->n, shared = 0;
        int rc = put_path(p, n);
        size_t len = p->n - old;

        if (rc < 0) {
                odm_buf_cut(p, old);
                return rc;
        }
        if (p->p == NULL)
                rc = odm_buf_reserve(p, 1);
        if (rc < 0)
                return rc;
        while (!*r->fresh && shared < old && shared < len && p->p[shared] == p->p[old + shared])
                shared++;
        memmove(p->p, p->p + old, len);
        odm_buf_cut(p, len);
        *r->fresh = true; /* until the entry is whole */
        rc = odm_buf_byte(r->out, (uint8_t)kind);
        if (rc == 0)
                rc = put_varint(r->out, shared);
        if (rc == 0)
                rc = put_str(r->out, odm_str_from(odm_buf_view(p), shared));
        return rc;
}

static int put_body(odm_buf *b, const struct node *n, unsigned what)
{
        int rc = odm_buf_byte(b, (uint8_t)what);

        if (rc == 0)
                rc = odm_buf_byte(b, n->permanent ? FLAG_PERMANENT : 0);
        if (rc == 0)
                rc = odm_buf_byte(b, n->format);
        if (rc == 0 && (what & REC_VALUE))
                rc = put_optional(b, n->value);
        if (rc == 0 && (what & REC_VALUE))
                rc = put_optional(b, n->type);
        if (rc == 0 && (what & REC_ACL))
                rc = put_str(b, n->acl);
        if (rc == 0 && (what & REC_TITLE))
                rc = put_str(b, n->title);
        if (rc == 0 && (what & REC_STAMP))
                rc = put_int(b, (uint64_t)n->tstamp, 8);
        if (rc == 0 && (what & REC_STAMP))
                rc = put_int(b, n->verno, 2);
        return rc;
}

int odm_record_node(const struct recorder *r, const struct node *n, unsigned what)
{
        int rc = put_head(r, 'N', n);

        if (rc == 0)
                rc = put_body(r->out, n, what);
        *r->fresh = rc < 0;
        return rc;
}

int odm_record_delete(const struct recorder *r, const struct node *n)
{
        int rc = put_head(r, 'D', n);

        *r->fresh = rc < 0;
        return rc;
}

int odm_record_rename(const struct recorder *r, const struct node *n, odm_str name)
{
        int rc = put_head(r, 'R', n);

        if (rc == 0)
                rc = put_str(r->out, name);
        *r->fresh = rc < 0;
        return rc;
}

static bool is_as_mounted(const struct node *n)
{
        return n->fixed && n->value.p == NULL && n->type.p == NULL && n->acl.n == 0 &&
               n->title.n == 0 && n->verno == 0;
}

static unsigned what_of(const struct node *n)
{
        unsigned what = REC_STAMP;

        what |= node_is_leaf(n) || n->type.p ? REC_VALUE : 0;
        what |= n->acl.n || n->parent == NULL ? REC_ACL : 0;
        return what | (n->title.n ? REC_TITLE : 0);
}

int odm_tree_dump(odm_tree *t, odm_buf *out)
{
        odm_buf rec, path;
        bool fresh = true;
        struct recorder r = {&rec, &path, &fresh};
        int rc;

        odm_buf_init(&rec, t->opt.mem, UINT32_MAX);
        odm_buf_init(&path, t->opt.mem, UINT32_MAX);
        rc = odm_record_begin(&rec);
        for (struct node *n = t->root; rc == 0 && n; n = odm_node_next(t->root, n))
                if (!is_as_mounted(n))
                        rc = odm_record_node(&r, n, what_of(n));
        if (rc == 0) {
                odm_record_end(&rec);
                rc = odm_buf_str(out, odm_buf_view(&rec));
        }
        odm_buf_done(&rec);
        odm_buf_done(&path);
        return rc;
}

/* ---- reading ------------------------------------------------------------------------------ */

struct reader {
        odm_str in;
        bool bad;
};

struct entry {
        char kind;
        unsigned what;
        bool permanent;
        odm_format format;
        odm_str value, type, acl, title, name;
        int64_t tstamp;
        uint16_t verno;
};

static uint64_t get_int(struct reader *r, size_t octets)
{
        uint64_t v = 0;

        if (r->in.n < octets) {
                r->bad = true;
                return 0;
        }
        for (size_t i = 0; i < octets; i++)
                v = v << 8 | (uint8_t)r->in.p[i];
        r->in = odm_str_from(r->in, octets);
        return v;
}

static uint64_t get_varint(struct reader *r)
{
        uint64_t v = 0;

        for (unsigned shift = 0; shift < 35; shift += 7) {
                uint64_t c = get_int(r, 1);
                v |= (c & 0x7f) << shift;
                if ((c & 0x80) == 0)
                        return v;
        }
        r->bad = true;
        return 0;
}

static odm_str get_octets(struct reader *r, uint64_t n)
{
        odm_str s = ODM_STR("");

        if (r->bad || n > r->in.n) {
                r->bad = true;
                return s;
        }
        s = odm_str_to(r->in, (size_t)n);
        r->in = odm_str_from(r->in, (size_t)n);
        return s;
}

static odm_str get_optional(struct reader *r)
{
        uint64_t n = get_varint(r);

        return n ? get_octets(r, n - 1) : NO_STR;
}

static void get_node(struct reader *r, struct entry *e)
{
        e->what = (unsigned)get_int(r, 1);
        e->permanent = get_int(r, 1) & FLAG_PERMANENT;
        e->format = (odm_format)get_int(r, 1);
        if (e->what & REC_VALUE) {
                e->value = get_optional(r);
                e->type = get_optional(r);
        }
        if (e->what & REC_ACL)
                e->acl = get_octets(r, get_varint(r));
        if (e->what & REC_TITLE)
                e->title = get_octets(r, get_varint(r));
        if (e->what & REC_STAMP) {
                e->tstamp = (int64_t)get_int(r, 8);
                e->verno = (uint16_t)get_int(r, 2);
        }
        if (e->what & ~(unsigned)REC_ALL || e->format <= ODM_FMT_ABSENT ||
            e->format >= ODM_FMT_OTHER || odm_acl_check(e->acl) < 0)
                r->bad = true;
        if (e->tstamp < 0 || e->tstamp > INT64_C(253402300799)) /* year 9999 */
                r->bad = true;
}

/* The next entry, its path in `path`.  1, 0 at the end, or an error. */
static int get_entry(struct reader *r, odm_buf *path, struct entry *e)
{
        uint64_t shared;
        odm_str rest;
        int rc;

        if (r->in.n == 0)
                return 0;
        *e = (struct entry){.kind = (char)get_int(r, 1)};
        shared = get_varint(r);
        rest = get_octets(r, get_varint(r));
        if (r->bad || shared > path->n)
                return ODM_EMALFORMED;
        odm_buf_cut(path, (size_t)shared);
        rc = odm_buf_str(path, rest);
        if (rc < 0)
                return rc == ODM_ELIMIT ? ODM_EMALFORMED : rc;
        if (e->kind == 'N')
                get_node(r, e);
        else if (e->kind == 'R')
                e->name = get_octets(r, get_varint(r));
        else if (e->kind != 'D')
                r->bad = true;
        return r->bad ? ODM_EMALFORMED : 1;
}

/* ---- applying --------------------------------------------------------------------------- */

struct replay {
        odm_tree *t;
        odm_buf path;
};

/* The stored node at the path; *parent and *name are set when only its parent is there. */
static struct node *find_stored(const struct replay *p, struct node **parent, odm_str *name)
{
        odm_str rest = odm_buf_view(&p->path);
        struct node *n = p->t->root;
        unsigned depth = 0;

        *parent = NULL;
        while (rest.n && n) {
                size_t len = 0;
                while (len < rest.n && rest.p[len] != '/')
                        len++;
                odm_str seg = odm_str_to(rest, len);
                rest = odm_str_from(rest, len + 1);
                if (rest.n == 0 && odm_name_ok(seg) && depth < ODM_URI_SEGS) {
                        *parent = n;
                        *name = seg;
                }
                n = odm_node_find(n, seg);
                depth++;
        }
        return n;
}

/* A node of the record that is not here: made if its parent takes it. */
static int make(const struct replay *p, struct node *parent, odm_str name, const struct entry *e,
                struct node **out)
{
        const odm_desc *d = NULL;
        odm_tree *t = p->t;
        struct node *n;

        if (node_is_leaf(parent) || t->n_nodes >= t->opt.max_nodes)
                return 0;
        if (parent->desc) {
                d = odm_desc_child(parent->mount->p->mo, parent->desc, name);
                if (d == NULL && !odm_desc_is_open(parent->desc))
                        return 0;
                if (d && desc_is_leaf(d) != (e->format != ODM_FMT_NODE))
                        return 0;
        }
        n = odm_node_new(t, name, d, parent->mount);
        if (n == NULL)
                return ODM_ENOMEM;
        n->format = (uint8_t)e->format;
        n->permanent = e->permanent && d != NULL;
        int rc = odm_txn_add(t, parent, n);
        if (rc < 0) {
                odm_node_free(t, n);
                return rc;
        }
        *out = n;
        return 0;
}

static bool value_is_taken(const struct node *n, const struct entry *e)
{
        odm_format own = n->desc ? n->desc->format : e->format;
        const odm_binding *b = odm_node_binding(n->mount, n->desc);

        if (own != e->format || (own != ODM_FMT_NODE) != node_is_leaf(n) || (b && b->read))
                return false;
        if (own == ODM_FMT_NODE)
                return e->value.p == NULL;
        return e->value.p == NULL || odm_value_fits(own, e->value);
}

/* Octets that make room for the entry's: there was room for the change when it was made. */
static size_t replaced_by(const struct node *n, const struct entry *e)
{
        return (e->what & REC_VALUE ? n->value.n + n->type.n : 0) +
               (e->what & REC_ACL ? n->acl.n : 0) + (e->what & REC_TITLE ? n->title.n : 0);
}

static int set_fields(odm_tree *t, struct node *n, const struct entry *e)
{
        size_t more = e->value.n + e->type.n + e->acl.n + e->title.n;
        int rc = 0;

        if (!tree_has_room(t, replaced_by(n, e), more) || e->value.n > t->opt.max_value)
                return 0;
        if ((e->what & REC_VALUE) && value_is_taken(n, e))
                rc = odm_txn_value(t, n, e->format, e->type, e->value, true);
        if (rc == 0 && (e->what & REC_ACL) && (n->parent || e->acl.n))
                rc = odm_txn_acl(t, n, e->acl);
        if (rc == 0 && (e->what & REC_TITLE))
                rc = odm_txn_title(t, n, e->title);
        if (rc == 0 && (e->what & REC_STAMP))
                rc = odm_txn_stamp(t, n, e->tstamp, e->verno);
        return rc;
}

static int apply(const struct replay *p, const struct entry *e)
{
        struct node *parent;
        odm_str name = NO_STR;
        struct node *n = find_stored(p, &parent, &name);
        int rc = 0;

        if (e->kind == 'D')
                return n && n->parent && !n->fixed ? odm_txn_delete(p->t, n) : 0;
        if (e->kind == 'R') {
                if (n == NULL || n->fixed || n->parent == NULL || !odm_name_ok(e->name) ||
                    odm_node_find(n->parent, e->name))
                        return 0;
                return odm_txn_rename(p->t, n, e->name);
        }
        if (n == NULL && parent && e->what)
                rc = make(p, parent, name, e, &n);
        return rc < 0 || n == NULL ? rc : set_fields(p->t, n, e);
}

static int read_all(struct replay *p, odm_str entries, bool do_it)
{
        struct reader r = {.in = entries};
        struct entry e;
        int rc;

        odm_buf_cut(&p->path, 0);
        while ((rc = get_entry(&r, &p->path, &e)) == 1) {
                rc = do_it ? apply(p, &e) : 0;
                if (rc < 0)
                        break;
        }
        return rc;
}

static int read_head(odm_str *record, odm_str *entries)
{
        struct reader r = {.in = *record};

        if (record->n < HEAD || memcmp(record->p, magic, sizeof magic) != 0)
                return ODM_EMALFORMED;
        (void)get_int(&r, 4);
        *entries = get_octets(&r, get_int(&r, 4));
        *record = r.in;
        return r.bad ? ODM_EMALFORMED : 0;
}

static int check_record(struct replay *p, odm_str record)
{
        odm_str entries;
        int rc = record.n ? 0 : ODM_EMALFORMED;

        while (rc == 0 && record.n) {
                rc = read_head(&record, &entries);
                if (rc == 0)
                        rc = read_all(p, entries, false);
        }
        return rc;
}

static int apply_record(struct replay *p, odm_str record)
{
        odm_str entries;
        int rc = 0;

        while (rc == 0 && record.n) {
                rc = read_head(&record, &entries);
                if (rc == 0)
                        rc = read_all(p, entries, true);
        }
        return rc;
}

int odm_tree_load(odm_tree *t, odm_str record)
{
        struct replay p = {.t = t};
        int rc;

        if (odm_tree_in_transaction(t))
                return ODM_ESTATE;
        odm_buf_init(&p.path, t->opt.mem, 65536);
        rc = check_record(&p, record);
        if (rc == 0)
                rc = odm_txn_replay_begin(t);
        if (rc == 0) {
                rc = apply_record(&p, record);
                odm_txn_replay_end(t, rc == 0);
        }
        odm_buf_done(&p.path);
        return rc;
}
