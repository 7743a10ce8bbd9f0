/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - the management tree: nodes, properties, access rights, and changes that
 * happen together or not at all.
 *
 * A tree holds every node with its properties.  What a node means comes from
 * descriptors (DDF); what it does comes from providers, which bind functions to
 * places in a descriptor.  All access goes through odm_tree_do(), one operation on
 * one URI at a time, which answers with a status of the protocol.
 *
 * A tree belongs to one thread.  Facts: dm-tree.md, dm-stdobj.md. */
#ifndef ODM_TREE_H
#define ODM_TREE_H

#include "odm/msg.h"

/* ---- URIs ------------------------------------------------------------------ */

typedef enum odm_prop {
        ODM_PROP_NONE,
        ODM_PROP_ACL,
        ODM_PROP_FORMAT,
        ODM_PROP_NAME,
        ODM_PROP_SIZE,
        ODM_PROP_TITLE,
        ODM_PROP_TSTAMP,
        ODM_PROP_TYPE,
        ODM_PROP_VERNO,
        ODM_PROP_VALUE, /* only in ?list=TNDS+Value */
} odm_prop;
const char *odm_prop_name(odm_prop p);

typedef enum odm_list {
        ODM_LIST_NONE,
        ODM_LIST_STRUCT,
        ODM_LIST_STRUCT_DATA,
        ODM_LIST_TNDS
} odm_list;

#define ODM_URI_SEGS 32 /* the most segments we can hold, whatever MaxDepth says */

typedef struct odm_uri_limits { /* ./DevDetail/URI; 0 = no limit of its own */
        uint16_t max_depth;     /* segments */
        uint16_t max_tot_len;   /* characters without the leading "./", query included */
        uint16_t max_seg_len;   /* characters */
} odm_uri_limits;

typedef struct odm_uri {
        odm_str path;   /* without "./" and query; "" is the root */
        uint16_t depth; /* segments */
        odm_str seg[ODM_URI_SEGS];
        odm_prop prop;       /* ?prop= */
        odm_list list;       /* ?list= */
        uint16_t list_props; /* ?list=TNDS: bit 1 << odm_prop of each wanted property */
} odm_uri;

/* Parses a node URI in either form, "./A/b" or "A/b"; *out borrows from `in`.
 * Returns 0; ODM_EMALFORMED (404: syntax, empty segment, dot segments, bad character);
 * ODM_ELIMIT (414); ODM_EUNSUPPORTED (406: unknown property, attribute or query). */
ODM_MUST_USE int odm_uri_parse(odm_str in, const odm_uri_limits *lim, odm_uri *out);
/* The status for what odm_uri_parse() returned: 404, 414, 406; 200 for 0. */
unsigned odm_uri_status(int err);
/* True when s may be a node name: characters allowed, not "." or "..", not empty. */
bool odm_name_ok(odm_str s);

/* ---- access control lists ----------------------------------------------------- */

/* Checks the grammar of dm-tree.md 4.1; empty is good.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int odm_acl_check(odm_str acl);
/* True when `acl` grants `access` (one bit of odm_access) to `server`.  Ids match whole. */
bool odm_acl_allows(odm_str acl, unsigned access, odm_str server);
/* `acl` without `server` (dm-tree.md 4.6), in `a`; empty when nothing is left. */
odm_str odm_acl_without(odm_arena *a, odm_str acl, odm_str server);

/* ---- descriptors (DDF) ---------------------------------------------------------- */

/* One node of a management object's description.  Nodes of an object are an array in
 * document order; children of i begin at first_child and are chained by next. */
typedef struct odm_desc {
        odm_str name; /* empty: named at creation, the <X> of the documents */
        odm_format format;
        uint8_t access; /* bits of odm_access */
        bool permanent;
        bool any_case;
        odm_occurs occurs;
        uint32_t occurs_n;
        odm_str type;  /* first MIME type, or MO identifier of an interior node */
        odm_str types; /* all MIME types, joined by blanks; empty when one */
        bool has_default;
        odm_str default_value;
        odm_str title, text;                /* DFTitle, Description */
        uint16_t parent, first_child, next; /* indexes; 0 = none (node 0 is the top) */
} odm_desc;

/* A management object: its descriptor table.  Generated from mo/NAME.ddf as
 * `const odm_mo odm_mo_NAME`, or made at run time by odm_mo_from_doc(). */
typedef struct odm_mo {
        odm_str id;   /* identifier; empty for plain structure such as "./Vendor" */
        odm_str path; /* Path of the top node: "" for "./FUMO" at the root */
        const odm_desc *nodes;
        uint16_t n; /* at most 65535 */
} odm_mo;

/* Makes descriptors of one top Node of a decoded DDF document; all in `arena`.
 * ODM_EMALFORMED with *why (static text) for what breaks the DDF rules of dm-tree.md 7. */
ODM_MUST_USE int odm_mo_from_doc(const odm_doc_node *top, odm_arena *arena, odm_mo *out,
                                 const char **why);
/* Where the node is that made odm_mo_from_doc() refuse: its path from the top, names joined by "/",
 * "<X>" for an unnamed one.  0 with *where in `arena`, ODM_ENOENT when nothing is wrong,
 * ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_mo_culprit(const odm_doc_node *top, odm_arena *arena, odm_str *where);
/* Finds the descriptor of a path relative to the object's top ("" is the top itself),
 * taking unnamed descriptors for any name; NULL when there is none. */
const odm_desc *odm_mo_find(const odm_mo *mo, odm_str rel);

/* ---- values, operations and their results ------------------------------------------ */

typedef struct odm_value {
        odm_format format; /* ODM_FMT_ABSENT: as the node is, else chr */
        odm_str type;      /* absent: as the node is, else text/plain */
        odm_str data;      /* decoded octets (a bin node's, not their base64) */
} odm_value;

/* One operation.  `kind` is ADD, REPLACE, DELETE, GET, COPY or EXEC. */
typedef struct odm_op {
        odm_cmd kind;
        odm_str target;     /* URI with its query */
        odm_str source;     /* COPY */
        odm_value value;    /* ADD, REPLACE, EXEC's argument */
        bool has_value;     /* a Data element was there */
        bool b64;           /* value.data is base64 text of Meta Format b64: the node decides
                               whether it is decoded (dm-tree.md 3) */
        const odm_doc *doc; /* ADD, REPLACE of a TNDS document, instead of value */
        odm_str server;     /* Server Identifier; absent: the device itself, no ACL check */
        odm_str correlator; /* EXEC */
        bool quiet;         /* device only: leave TStamp and VerNo alone (nonces) */
        size_t max_result;  /* GET: larger values answer 413; 0 = no limit */
        bool at_hand;       /* device only, GET: nobody waits for a value that lives elsewhere; what
                               is known of it is the answer (odm_provider.forward) */
} odm_op;

typedef struct odm_result { /* GET: one per node, first the one asked for */
        struct odm_result *next;
        odm_str uri; /* as asked, or "./A/b" for nodes of a list */
        odm_value value;
        bool has_data;      /* false for ?list=Struct */
        bool is_prop;       /* a property: no Meta is sent */
        const odm_doc *doc; /* ?list=TNDS: the document, to be encoded */
} odm_result;

typedef struct odm_answer {
        unsigned status;
        odm_str failing;     /* Add with implicit parents: the parent that failed, or absent */
        odm_result *results; /* GET */
        odm_str created;     /* Inbox: where the object went */
        odm_str text;        /* forward(), of a refusal: why, for people; or absent */
} odm_answer;

/* ---- providers ------------------------------------------------------------------- */

#define ODM_LATER 1 /* a provider needs its host: the engine lends the request out */

/* Where a call happens.  Borrowed during the call. */
typedef struct odm_at {
        odm_str uri;          /* "./Vendor/xrem/Net/eth0/RxBytes" */
        odm_str name[4];      /* what the first unnamed segments are called, here "eth0" */
        const odm_desc *desc; /* NULL below an open branch such as Ext */
        odm_wall now;         /* exec only: the time of the operation */
} odm_at;

/* What a provider does at one place of its object.  NULL functions are not there:
 * a leaf without `read` has a value stored in the tree. */
typedef struct odm_binding {
        const char *path; /* relative to the object's top; "*" stands for an unnamed segment */
        /* The live value of a leaf.  Text in `a`.  Returns 0, ODM_ENOENT (the node is not
         * there now: 404), ODM_EIO (500), or ODM_LATER. */
        int (*read)(void *ctx, const odm_at *at, odm_arena *a, odm_value *out);
        /* The live children of an interior node whose child is unnamed: calls
         * `add(list, name)` for each; stops and returns what add returns if that is not 0. */
        int (*list)(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to);
        /* May refuse a new value (or a Delete, v == NULL) of a stored leaf before it is
         * taken: sets *status (415, 405, 403, 500 ...) and returns 0; leaves it at 200 to agree. */
        int (*check)(void *ctx, const odm_at *at, const odm_value *v, unsigned *status);
        /* Takes a new value of a live leaf (one with `read`), at once: no transaction takes it
         * back, so inside of one such a leaf answers 406.  Sets *status (200, 415, 405 ...) and
         * returns 0; an error is 500. */
        int (*write)(void *ctx, const odm_at *at, const odm_value *v, unsigned *status);
        /* Runs the node.  Sets *status (200, 202, 500 ...) and returns 0, or ODM_LATER. */
        int (*exec)(void *ctx, const odm_at *at, const odm_op *op, unsigned *status);
} odm_binding;

typedef enum odm_change_kind {
        ODM_CHANGE_ADD,
        ODM_CHANGE_VALUE,
        ODM_CHANGE_DELETE,
        ODM_CHANGE_PROP
} odm_change_kind;

typedef struct odm_change { /* what a transaction did below a provider's mount, in order */
        struct odm_change *next;
        odm_change_kind kind;
        odm_str uri;      /* "./A/b" as it is after the change (DELETE: as it was) */
        odm_prop prop;    /* PROP */
        odm_str old_name; /* PROP of Name */
        odm_str server;   /* who did it; absent: the device itself */
} odm_change;

/* In validate and commit only: the stored value that a leaf had when DELETE `c` took it away. `rel`
 * is its path below c->uri, "" for that node itself.  Absent when there was no such leaf. */
odm_str odm_change_value(const odm_change *c, odm_str rel);

struct odm_tree;

/* A provider serves one object at one place.  validate .. forward may be NULL.
 * Refusing is for `validate`; `commit` fails only when the device itself does.  Changes that the
 * device makes are shown to providers as those of servers are. */
typedef struct odm_provider {
        const char *name; /* for traces */
        const odm_mo *mo;
        const odm_binding *bind;
        size_t n_bind;
        void *ctx;
        /* Called before a transaction commits: may refuse (set *status, return 0), and may
         * make further changes through odm_tree_do() as the device itself, which providers of
         * other objects are then asked about too. */
        int (*validate)(void *ctx, struct odm_tree *t, const odm_change *list, unsigned *status);
        /* The transaction holds: apply it.  Called after it was logged.  The tree may be read, not
         * changed (ODM_ESTATE).  A negative return becomes ODM_EIO of the commit; the tree keeps
         * what was agreed. */
        int (*commit)(void *ctx, struct odm_tree *t, const odm_change *list);
        void (*rollback)(void *ctx);
        /* A whole operation below the mount, instead of the tree's own nodes: for trees that
         * live elsewhere (devices behind a gateway).  ACL and URI are checked before, the ACL being
         * that of the mount.  Fills *out and returns 0, or ODM_LATER.  Not called for properties of
         * the mount itself, nor for a ?list= from above, which shows only the mount. */
        int (*forward)(void *ctx, const odm_op *op, const odm_at *at, odm_arena *a,
                       odm_answer *out);
        /* Where forward begins: 0, at the mount; 1, at each child of the mount, which is a stored
         * node with rights of its own that the device itself makes and removes (./GwDev/<key>). */
        uint8_t forward_below;
        /* The tree is freed, and needs the description no more.  For objects described at run time;
         * may free the provider. */
        void (*gone)(void *ctx);
} odm_provider;

/* ---- the tree ------------------------------------------------------------------------ */

typedef struct odm_tree_opt {
        const odm_mem *mem;      /* borrowed while the tree lives */
        const odm_tracer *trace; /* NULL for none */
        odm_uri_limits uri;      /* default 16 deep, 512 in all, 64 a segment */
        uint32_t max_nodes;      /* default 16384: beyond 420 */
        size_t max_value;        /* octets of one value, default 16 MiB: beyond 413 */
        size_t max_bytes;  /* of all values, names and properties, default 64 MiB: beyond 420 */
        uint32_t max_list; /* most nodes of a ?list= answer; default 16384: beyond 413 */
        bool creator_get;  /* dm-tree.md 4.5: the creator also gets Get */
        bool has_tstamp;   /* offer TStamp, VerNo, Title, Size; default on */
        /* Called with the record of each committed transaction before providers apply it; the
         * host makes it durable before the session's next message leaves.  Failure refuses the
         * transaction with 510.  NULL: the tree lives in memory only. */
        int (*log)(void *ctx, odm_str record);
        void *log_ctx;
} odm_tree_opt;

typedef struct odm_tree odm_tree;

void odm_tree_opt_init(odm_tree_opt *o, const odm_mem *mem);
/* A tree with only its root (ACL "Add=*&Get=*").  ODM_ENOMEM. */
ODM_MUST_USE int odm_tree_new(const odm_tree_opt *opt, odm_tree **out);
void odm_tree_free(odm_tree *t);

/* Puts an object at its place (mo->path, or `at` when not NULL, such as "./Vendor/xrem") and
 * creates its permanent nodes with their defaults.  Borrows `p` until the tree is freed.
 * Missing parents of the place are made as permanent plain nodes.
 * Returns 0, ODM_ENOMEM, ODM_EEXIST, ODM_EINVAL (a binding names no descriptor), ODM_ELIMIT. */
ODM_MUST_USE int odm_tree_mount(odm_tree *t, const char *at, const odm_provider *p);

/* Transactions.  `now` stamps what changes.  One at a time; operations outside of one make
 * their own.  commit runs every touched provider's validate, then the log, then their commit;
 * a refusal rolls all back and gives its status in *status (200 when it held).
 * Return 0, ODM_ESTATE, ODM_ENOMEM, ODM_EIO.  With ODM_EIO of a provider's commit *status is 200,
 * for the tree keeps what was agreed; on any other error it is untouched, and all is rolled back.
 */
ODM_MUST_USE int odm_tree_begin(odm_tree *t, odm_wall now);
ODM_MUST_USE int odm_tree_commit(odm_tree *t, unsigned *status);
void odm_tree_rollback(odm_tree *t);
bool odm_tree_in_transaction(const odm_tree *t);
/* Operations that may change the tree are numbered from 1: the latest one, and the one that a
 * provider refused at the last commit (its last below that provider), or 0 when none is known. */
uint64_t odm_tree_latest(const odm_tree *t);
uint64_t odm_tree_culprit(const odm_tree *t);

/* Does one operation.  Everything the peer got wrong is a status in *out; on any status that is
 * no success, and on any error but ODM_EIO of a provider's commit, the tree is as it was, and an
 * open transaction stays open.  Results are in `a`; values they hold may be borrowed from the tree
 * until its next change.  Inside a transaction its time counts, not `now`.
 * A device's own operation (op->server absent) meets no ACL and no AccessType.
 * Returns 0; ODM_LATER when a provider asked for its host (see odm_client_next()), with nothing
 * changed; ODM_ENOMEM; ODM_ELIMIT (the arena's); ODM_EIO; ODM_ESTATE from within a commit.  *out is
 * set for 0 and ODM_LATER. */
ODM_MUST_USE int odm_tree_do(odm_tree *t, const odm_op *op, odm_wall now, odm_arena *a,
                             odm_answer *out);

/* The device's own view, without access checks: the stored or live value of a leaf.
 * Returns 0, ODM_ENOENT, ODM_EINVAL for an interior node, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int odm_tree_read(odm_tree *t, odm_str uri, odm_arena *a, odm_value *out);
/* Sets a leaf, creating it and its parents when needed, as the device itself; `uri` may name a
 * property ("./A?prop=ACL").  In a transaction, or as one of its own.
 * Returns 0; ODM_EINVAL for a value that does not fit; ODM_EACCESS where the description has no
 * such node, or it is live; ODM_ELIMIT for a ceiling or an address too long; ODM_ENOMEM; ODM_EIO
 * when a provider or the log refused; ODM_ESTATE from within a commit. */
ODM_MUST_USE int odm_tree_write(odm_tree *t, odm_str uri, const odm_value *v, odm_wall now);
/* Calls fn for each child name, stored and live, in order of names; stops when fn returns non-zero
 * and returns that.  fn may not change the tree.  ODM_ENOENT, ODM_EINVAL for a leaf, ODM_ENOMEM. */
int odm_tree_children(odm_tree *t, odm_str uri, int (*fn)(void *ctx, odm_str name), void *ctx);
bool odm_tree_exists(odm_tree *t, odm_str uri);
/* The next node, in tree order, whose Type is the MO identifier `id`; start with after absent.
 * *out is in `a`.  Returns 1, or 0 when there is no more, or a negative error. */
int odm_tree_find_mo(odm_tree *t, odm_str id, odm_str after, odm_arena *a, odm_str *out);
/* Removes a Server Identifier from every ACL (dm-tree.md 4.6), in a transaction or as one of its
 * own. Returns 0, ODM_ENOMEM, ODM_EIO when a provider or the log refused, ODM_ESTATE from within a
 * commit. */
ODM_MUST_USE int odm_tree_forget_server(odm_tree *t, odm_str server, odm_wall now);

/* Persistence.  dump appends the whole state of stored nodes as one record; load replays a
 * record that dump or the log made, or several joined in order, onto a tree with the same mounts;
 * providers are not told, and nothing is logged.  What is for nodes that exist no more is skipped.
 * dump: 0, ODM_ENOMEM, ODM_ELIMIT (the buffer's).  load: 0, or with nothing changed ODM_EMALFORMED
 * for what is no record, ODM_ENOMEM, ODM_ESTATE in a transaction. */
ODM_MUST_USE int odm_tree_dump(odm_tree *t, odm_buf *out);
ODM_MUST_USE int odm_tree_load(odm_tree *t, odm_str record);

size_t odm_tree_nodes(const odm_tree *t); /* stored nodes now */

#endif
