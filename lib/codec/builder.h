/* SPDX-License-Identifier: Apache-2.0 */
/* builder.h - elements in, a message or a document out.
 *
 * Both decoders say here which element begins, which text they met and that an
 * element ends; the tables in builder.c know which field that is.  The nesting
 * lives in a stack of frames, so a stranger's depth costs no recursion. */
#ifndef BUILDER_H
#define BUILDER_H

#include "codec_ops.h"
#include "element.h"

/* What the element on top of the stack is. */
enum context {
        CTX_HDR,
        CTX_BODY,
        CTX_LOC, /* Target, Source */
        CTX_CRED,
        CTX_CHAL,
        CTX_STATUS,
        CTX_RESULTS,
        CTX_ALERT,
        CTX_PLAIN, /* Add, Replace, Delete, Get, Copy */
        CTX_EXEC,
        CTX_LIST, /* Sequence, Atomic */
        CTX_FOREIGN,
        CTX_ITEM,
        CTX_META,
        CTX_NODE,
        CTX_RT,
        CTX_DF,
        CTX_FORMAT,
        CTX_TYPE,
        CTX_DFTYPE,
        CTX_ACCESS,
        CTX_OCCURS,
        CTX_SCOPE,
        CTX_CASE,
        CTX_HOLDERS, /* those above hold elements; there is nothing to do at their end unless
                      * text was collected */
        CTX_SYNCML = CTX_HOLDERS,
        CTX_TREE,
        CTX_ROOT, /* outside the root element of a message */
        CTX_DOC,  /* outside the root element of a document */
        CTX_SKIP,
        CTX_LEAF, /* an element whose text is a field */
        CTX_DATA, /* the same, and elements inside are kept as XML */
        CTX_RAW,  /* such an element */
        CTX_COUNT,
};

/* What an element does to the one it stands in.  Up to ACT_LEAF it is its text. */
enum act {
        ACT_SKIP,
        ACT_TEXT,
        ACT_DATA,
        ACT_CODE,
        ACT_SIZE,
        ACT_MAX_MSG,
        ACT_MAX_OBJ,
        ACT_META_FORMAT,
        ACT_NONCE,
        ACT_REF,
        ACT_DDF_NAME,
        ACT_DF_MIME,
        ACT_DF_DDF_NAME,
        ACT_OCCURS_N,
        ACT_LEAF = ACT_OCCURS_N,
        ACT_ENTER,
        ACT_PRESENT, /* ENTER, and the field's first member, a bool, is set */
        ACT_FLAG,
        ACT_FORMAT,
        ACT_ACCESS,
        ACT_OCCURS,
        ACT_BEGIN, /* ENTER, and more is to be said: see entered() */
        ACT_CRED,
        ACT_COMMAND,
        ACT_ITEM,
        ACT_NODE,
};

struct rule {
        uint8_t act;  /* enum act */
        uint8_t arg;  /* ENTER and its like: the context; COMMAND: its kind; REF: which list; else a
                         value */
        uint16_t off; /* of the field in what the context fills */
};

/* Most places of a table by context and token would be empty: an octet each, which numbers a rule.
 */
extern const struct rule odm_builder_rules[]; /* 0: skipped */
extern const uint8_t odm_builder_index[CTX_COUNT][64];
extern const uint8_t odm_builder_pages[CTX_COUNT];

struct frame {
        uint8_t ctx, page; /* the page: of CTX_RAW only */
        void *base;        /* what this element fills; a leaf: its rule; CTX_RAW: its name */
        void **tail[3]; /* ends of the lists it holds: items or members, TargetRefs, SourceRefs */
};

struct builder {
        odm_arena *arena;
        odm_limits lim;
        uint32_t commands, items;
        struct frame *top;    /* the element we are in; stack[0] is the document */
        struct frame *last;   /* the deepest there may be */
        bool rooted, has_hdr; /* the root element and SyncHdr were seen */
        odm_str acc;          /* the text of the element so far; p == NULL = none, as always
                               * in elements that take no text */
        size_t acc_cap;       /* 0 = acc is borrowed from the input */
        odm_data_kind acc_kind;
        odm_msg *msg;
        odm_doc *doc;
        struct frame stack[ODM_DEPTH_MOST + 1];
};

/* Begins a message or a document; `lim` NULL means the defaults. */
ODM_MUST_USE int odm_builder_begin_msg(struct builder *b, odm_str in, const odm_limits *lim,
                                       odm_arena *arena);
ODM_MUST_USE int odm_builder_begin_doc(struct builder *b, odm_str in, const odm_limits *lim,
                                       odm_arena *arena);
/* An element begins; `name` is for one that is in no table, borrowed. */
ODM_MUST_USE int odm_builder_open(struct builder *b, unsigned id, odm_str name);
/* The same when its rule is known, and is neither a leaf nor ACT_SKIP. */
ODM_MUST_USE int odm_builder_apply(struct builder *b, const struct rule *r);
/* An element of text only, whole.  `r` is its rule, for which rule_is_leaf(). */
ODM_MUST_USE int odm_builder_leaf(struct builder *b, const struct rule *r, odm_data_kind kind,
                                  odm_str text);
/* A piece of text; when `borrowed` it lives as long as the message. */
ODM_MUST_USE int odm_builder_text(struct builder *b, odm_data_kind kind, odm_str piece,
                                  bool borrowed);
ODM_MUST_USE int odm_builder_close(struct builder *b);
/* The input has ended: 0, or ODM_EMALFORMED when the message is none. */
ODM_MUST_USE int odm_builder_end_msg(const struct builder *b);
ODM_MUST_USE int odm_builder_end_doc(const struct builder *b);

static inline struct frame *builder_top(const struct builder *b)
{
        return b->top;
}

/* Are we inside an element? */
static inline bool builder_inside(const struct builder *b)
{
        return b->top > b->stack;
}

/* What the element means where we stand. */
static inline const struct rule *builder_rule(const struct builder *b, unsigned id)
{
        unsigned ctx = b->top->ctx;
        bool here = PAGE(id) == odm_builder_pages[ctx];

        return &odm_builder_rules[here ? odm_builder_index[ctx][TOKEN(id)] : 0];
}

/* Pushes a frame by hand; ODM_ELIMIT for the depth. */
ODM_MUST_USE static inline int builder_push(struct builder *b, enum context ctx, void *base)
{
        if (b->top == b->last)
                return ODM_ELIMIT;
        b->top++;
        b->top->ctx = (uint8_t)ctx;
        b->top->base = base;
        return 0;
}

/* ACT_ENTER and ACT_PRESENT: goes into a struct of the one we are in. */
static inline int builder_enter(struct builder *b, const struct rule *r)
{
        void *base = (char *)b->top->base + r->off;

        if (r->act == ACT_PRESENT)
                *(bool *)base = true;
        return builder_push(b, r->arg, base);
}

static inline bool rule_is_leaf(const struct rule *r)
{
        return (unsigned)r->act - 1 < ACT_LEAF;
}

#endif
