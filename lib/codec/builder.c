/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows which element is which field.  A row per context says by token which
 * rule it has; what has none is skipped with all that is in it, except among commands, where it
 * becomes ODM_CMD_UNKNOWN (dm-protocol.md 2). */
#include <assert.h>
#include <string.h>

#include "builder.h"

/* What has a rule, given to X(context, element, act, argument, offset), one after the other. */
#define FIELD(X, ctx, id, how, arg, type, field) X(ctx, id, ACT_##how, arg, offsetof(type, field))
#define TEXT(X, ctx, id, type, field) FIELD(X, ctx, id, TEXT, 0, type, field)
#define ENTER(X, ctx, id, into, type, field) FIELD(X, ctx, id, ENTER, into, type, field)
#define VALUE(X, ctx, id, how, value) X(ctx, id, ACT_##how, value, 0)

#define COMMANDS_OF(X, ctx)                                   \
        VALUE(X, ctx, E0_Status, COMMAND, ODM_CMD_STATUS)     \
        VALUE(X, ctx, E0_Results, COMMAND, ODM_CMD_RESULTS)   \
        VALUE(X, ctx, E0_Alert, COMMAND, ODM_CMD_ALERT)       \
        VALUE(X, ctx, E0_Add, COMMAND, ODM_CMD_ADD)           \
        VALUE(X, ctx, E0_Replace, COMMAND, ODM_CMD_REPLACE)   \
        VALUE(X, ctx, E0_Delete, COMMAND, ODM_CMD_DELETE)     \
        VALUE(X, ctx, E0_Get, COMMAND, ODM_CMD_GET)           \
        VALUE(X, ctx, E0_Copy, COMMAND, ODM_CMD_COPY)         \
        VALUE(X, ctx, E0_Exec, COMMAND, ODM_CMD_EXEC)         \
        VALUE(X, ctx, E0_Sequence, COMMAND, ODM_CMD_SEQUENCE) \
        VALUE(X, ctx, E0_Atomic, COMMAND, ODM_CMD_ATOMIC)     \
        VALUE(X, ctx, E0_Put, COMMAND, ODM_CMD_PUT)           \
        VALUE(X, ctx, E0_Search, COMMAND, ODM_CMD_SEARCH)     \
        VALUE(X, ctx, E0_Map, COMMAND, ODM_CMD_MAP)           \
        VALUE(X, ctx, E0_Move, COMMAND, ODM_CMD_MOVE)         \
        VALUE(X, ctx, E0_Sync, COMMAND, ODM_CMD_SYNC)

#define COMMAND_HEAD(X, ctx)                        \
        TEXT(X, ctx, E0_CmdID, odm_command, cmd_id) \
        FIELD(X, ctx, E0_NoResp, FLAG, 0, odm_command, no_resp)

#define ITEM_OF(X, ctx) VALUE(X, ctx, E0_Item, ITEM, 0)
#define META_OF(X, ctx, type) FIELD(X, ctx, E0_Meta, PRESENT, CTX_META, type, meta)
#define CRED_OF(X, ctx) FIELD(X, ctx, E0_Cred, CRED, CTX_CRED, odm_command, cred)
#define REFS_OF(X, ctx) VALUE(X, ctx, E0_TargetRef, REF, 1) VALUE(X, ctx, E0_SourceRef, REF, 2)

/* clang-format off */
#define RULES(X) \
        VALUE(X, CTX_ROOT, E0_SyncML, BEGIN, CTX_SYNCML) \
        \
        FIELD(X, CTX_SYNCML, E0_SyncHdr, BEGIN, CTX_HDR, odm_msg, hdr) \
        VALUE(X, CTX_SYNCML, E0_SyncBody, BEGIN, CTX_BODY) \
        \
        TEXT(X, CTX_HDR, E0_VerDTD, odm_hdr, ver_dtd) \
        TEXT(X, CTX_HDR, E0_VerProto, odm_hdr, ver_proto) \
        TEXT(X, CTX_HDR, E0_SessionID, odm_hdr, session_id) \
        TEXT(X, CTX_HDR, E0_MsgID, odm_hdr, msg_id) \
        ENTER(X, CTX_HDR, E0_Target, CTX_LOC, odm_hdr, target) \
        ENTER(X, CTX_HDR, E0_Source, CTX_LOC, odm_hdr, source) \
        TEXT(X, CTX_HDR, E0_RespURI, odm_hdr, resp_uri) \
        FIELD(X, CTX_HDR, E0_NoResp, FLAG, 0, odm_hdr, no_resp) \
        FIELD(X, CTX_HDR, E0_Cred, PRESENT, CTX_CRED, odm_hdr, cred) \
        META_OF(X, CTX_HDR, odm_hdr) \
        \
        COMMANDS_OF(X, CTX_BODY) \
        FIELD(X, CTX_BODY, E0_Final, FLAG, 0, odm_msg, final) \
        \
        VALUE(X, CTX_LOC, E0_LocURI, TEXT, 0) \
        X(CTX_LOC, E0_LocName, ACT_TEXT, 0, sizeof(odm_str)) \
        \
        META_OF(X, CTX_CRED, odm_cred) \
        TEXT(X, CTX_CRED, E0_Data, odm_cred, data) \
        \
        FIELD(X, CTX_CHAL, E0_Meta, PRESENT, CTX_META, odm_command, chal) \
        \
        COMMAND_HEAD(X, CTX_STATUS) \
        TEXT(X, CTX_STATUS, E0_MsgRef, odm_command, msg_ref) \
        TEXT(X, CTX_STATUS, E0_CmdRef, odm_command, cmd_ref) \
        TEXT(X, CTX_STATUS, E0_Cmd, odm_command, cmd) \
        REFS_OF(X, CTX_STATUS) \
        CRED_OF(X, CTX_STATUS) \
        VALUE(X, CTX_STATUS, E0_Chal, BEGIN, CTX_CHAL) \
        FIELD(X, CTX_STATUS, E0_Data, CODE, 0, odm_command, code) \
        ITEM_OF(X, CTX_STATUS) \
        \
        COMMAND_HEAD(X, CTX_RESULTS) \
        TEXT(X, CTX_RESULTS, E0_MsgRef, odm_command, msg_ref) \
        TEXT(X, CTX_RESULTS, E0_CmdRef, odm_command, cmd_ref) \
        TEXT(X, CTX_RESULTS, E0_Cmd, odm_command, cmd) \
        META_OF(X, CTX_RESULTS, odm_command) \
        REFS_OF(X, CTX_RESULTS) \
        ITEM_OF(X, CTX_RESULTS) \
        \
        COMMAND_HEAD(X, CTX_ALERT) \
        CRED_OF(X, CTX_ALERT) \
        META_OF(X, CTX_ALERT, odm_command) /* in no DTD, but devices write it */ \
        FIELD(X, CTX_ALERT, E0_Data, CODE, 0, odm_command, code) \
        TEXT(X, CTX_ALERT, E0_Correlator, odm_command, correlator) \
        ITEM_OF(X, CTX_ALERT) \
        \
        COMMAND_HEAD(X, CTX_PLAIN) \
        CRED_OF(X, CTX_PLAIN) \
        META_OF(X, CTX_PLAIN, odm_command) \
        ITEM_OF(X, CTX_PLAIN) \
        \
        COMMAND_HEAD(X, CTX_EXEC) \
        CRED_OF(X, CTX_EXEC) \
        META_OF(X, CTX_EXEC, odm_command) \
        TEXT(X, CTX_EXEC, E0_Correlator, odm_command, correlator) \
        ITEM_OF(X, CTX_EXEC) \
        \
        COMMAND_HEAD(X, CTX_LIST) \
        META_OF(X, CTX_LIST, odm_command) \
        COMMANDS_OF(X, CTX_LIST) \
        \
        COMMAND_HEAD(X, CTX_FOREIGN) \
        \
        ENTER(X, CTX_ITEM, E0_Target, CTX_LOC, odm_item, target) \
        ENTER(X, CTX_ITEM, E0_Source, CTX_LOC, odm_item, source) \
        META_OF(X, CTX_ITEM, odm_item) \
        FIELD(X, CTX_ITEM, E0_Data, DATA, 0, odm_item, data) \
        FIELD(X, CTX_ITEM, E0_MoreData, FLAG, 0, odm_item, more) \
        \
        VALUE(X, CTX_META, E1_Format, META_FORMAT, 0) \
        TEXT(X, CTX_META, E1_Type, odm_meta, type) \
        TEXT(X, CTX_META, E1_Mark, odm_meta, mark) \
        VALUE(X, CTX_META, E1_Size, SIZE, 0) \
        VALUE(X, CTX_META, E1_NextNonce, NONCE, 0) \
        VALUE(X, CTX_META, E1_MaxMsgSize, MAX_MSG, 0) \
        VALUE(X, CTX_META, E1_MaxObjSize, MAX_OBJ, 0) \
        VALUE(X, CTX_META, E1_MetInf, ENTER, CTX_META) \
        \
        VALUE(X, CTX_DOC, E2_MgmtTree, BEGIN, CTX_TREE) \
        \
        TEXT(X, CTX_TREE, E2_VerDTD, odm_doc, ver_dtd) \
        TEXT(X, CTX_TREE, E2_Man, odm_doc, man) \
        TEXT(X, CTX_TREE, E2_Mod, odm_doc, mod) \
        VALUE(X, CTX_TREE, E2_Node, NODE, 0) \
        \
        TEXT(X, CTX_NODE, E2_NodeName, odm_doc_node, name) \
        TEXT(X, CTX_NODE, E2_Path, odm_doc_node, path) \
        FIELD(X, CTX_NODE, E2_Value, DATA, 0, odm_doc_node, value) \
        VALUE(X, CTX_NODE, E2_RTProperties, BEGIN, CTX_RT) \
        VALUE(X, CTX_NODE, E2_DFProperties, BEGIN, CTX_DF) \
        VALUE(X, CTX_NODE, E2_Node, NODE, 0) \
        \
        TEXT(X, CTX_RT, E2_ACL, odm_doc_node, acl) \
        ENTER(X, CTX_RT, E2_Format, CTX_FORMAT, odm_doc_node, format) \
        TEXT(X, CTX_RT, E2_Title, odm_doc_node, title) \
        TEXT(X, CTX_RT, E2_TStamp, odm_doc_node, tstamp) \
        VALUE(X, CTX_RT, E2_Type, ENTER, CTX_TYPE) \
        TEXT(X, CTX_RT, E2_VerNo, odm_doc_node, ver_no) \
        \
        TEXT(X, CTX_TYPE, E2_MIME, odm_doc_node, type) \
        VALUE(X, CTX_TYPE, E2_DDFName, DDF_NAME, 0) \
        \
        VALUE(X, CTX_DF, E2_AccessType, ENTER, CTX_ACCESS) \
        TEXT(X, CTX_DF, E2_DefaultValue, odm_doc_node, default_value) \
        TEXT(X, CTX_DF, E2_Description, odm_doc_node, description) \
        ENTER(X, CTX_DF, E2_DFFormat, CTX_FORMAT, odm_doc_node, df_format) \
        VALUE(X, CTX_DF, E2_Occurrence, ENTER, CTX_OCCURS) \
        VALUE(X, CTX_DF, E2_Scope, ENTER, CTX_SCOPE) \
        TEXT(X, CTX_DF, E2_DFTitle, odm_doc_node, df_title) \
        VALUE(X, CTX_DF, E2_DFType, ENTER, CTX_DFTYPE) \
        VALUE(X, CTX_DF, E2_CaseSense, ENTER, CTX_CASE) \
        \
        VALUE(X, CTX_FORMAT, E2_b64, FORMAT, ODM_FMT_B64) \
        VALUE(X, CTX_FORMAT, E2_bin, FORMAT, ODM_FMT_BIN) \
        VALUE(X, CTX_FORMAT, E2_bool, FORMAT, ODM_FMT_BOOL) \
        VALUE(X, CTX_FORMAT, E2_chr, FORMAT, ODM_FMT_CHR) \
        VALUE(X, CTX_FORMAT, E2_int, FORMAT, ODM_FMT_INT) \
        VALUE(X, CTX_FORMAT, E2_node, FORMAT, ODM_FMT_NODE) \
        VALUE(X, CTX_FORMAT, E2_null, FORMAT, ODM_FMT_NULL) \
        VALUE(X, CTX_FORMAT, E2_xml, FORMAT, ODM_FMT_XML) \
        VALUE(X, CTX_FORMAT, E2_date, FORMAT, ODM_FMT_DATE) \
        VALUE(X, CTX_FORMAT, E2_time, FORMAT, ODM_FMT_TIME) \
        VALUE(X, CTX_FORMAT, E2_float, FORMAT, ODM_FMT_FLOAT) \
        \
        VALUE(X, CTX_ACCESS, E2_Add, ACCESS, ODM_ACC_ADD) \
        VALUE(X, CTX_ACCESS, E2_Copy, ACCESS, ODM_ACC_COPY) \
        VALUE(X, CTX_ACCESS, E2_Delete, ACCESS, ODM_ACC_DELETE) \
        VALUE(X, CTX_ACCESS, E2_Exec, ACCESS, ODM_ACC_EXEC) \
        VALUE(X, CTX_ACCESS, E2_Get, ACCESS, ODM_ACC_GET) \
        VALUE(X, CTX_ACCESS, E2_Replace, ACCESS, ODM_ACC_REPLACE) \
        \
        VALUE(X, CTX_OCCURS, E2_One, OCCURS, ODM_OCC_ONE) \
        VALUE(X, CTX_OCCURS, E2_ZeroOrOne, OCCURS, ODM_OCC_ZERO_OR_ONE) \
        VALUE(X, CTX_OCCURS, E2_ZeroOrMore, OCCURS, ODM_OCC_ZERO_OR_MORE) \
        VALUE(X, CTX_OCCURS, E2_OneOrMore, OCCURS, ODM_OCC_ONE_OR_MORE) \
        VALUE(X, CTX_OCCURS, E2_ZeroOrN, OCCURS_N, ODM_OCC_ZERO_OR_N) \
        VALUE(X, CTX_OCCURS, E2_OneOrN, OCCURS_N, ODM_OCC_ONE_OR_N) \
        \
        FIELD(X, CTX_SCOPE, E2_Permanent, FLAG, 0, odm_doc_node, permanent) \
        \
        FIELD(X, CTX_CASE, E2_CIS, FLAG, 0, odm_doc_node, any_case) \
        \
        VALUE(X, CTX_DFTYPE, E2_MIME, DF_MIME, 0) \
        VALUE(X, CTX_DFTYPE, E2_DDFName, DF_DDF_NAME, 0)
/* clang-format on */

#define NUMBER_OF(ctx, id, act, arg, off) RULE_##ctx##_##id,
#define RULE_OF(ctx, id, act, arg, off) {act, arg, off},
#define INDEX_OF(ctx, id, act, arg, off) [ctx][TOKEN(id)] = RULE_##ctx##_##id,

enum { RULE_NONE, RULES(NUMBER_OF) RULE_COUNT };
static_assert(RULE_COUNT <= UINT8_MAX + 1, "an index is an octet");

const struct rule odm_builder_rules[RULE_COUNT] = {{ACT_SKIP, 0, 0}, RULES(RULE_OF)};
const uint8_t odm_builder_index[CTX_COUNT][64] = {RULES(INDEX_OF)};

const uint8_t odm_builder_pages[CTX_COUNT] = {
        [CTX_META] = PAGE_METINF, [CTX_DOC] = PAGE_DDF,    [CTX_TREE] = PAGE_DDF,
        [CTX_NODE] = PAGE_DDF,    [CTX_RT] = PAGE_DDF,     [CTX_DF] = PAGE_DDF,
        [CTX_FORMAT] = PAGE_DDF,  [CTX_TYPE] = PAGE_DDF,   [CTX_DFTYPE] = PAGE_DDF,
        [CTX_ACCESS] = PAGE_DDF,  [CTX_OCCURS] = PAGE_DDF, [CTX_SCOPE] = PAGE_DDF,
        [CTX_CASE] = PAGE_DDF,
};

static const uint8_t command_ctx[] = {
        [ODM_CMD_UNKNOWN] = CTX_FOREIGN, [ODM_CMD_STATUS] = CTX_STATUS,
        [ODM_CMD_RESULTS] = CTX_RESULTS, [ODM_CMD_ALERT] = CTX_ALERT,
        [ODM_CMD_ADD] = CTX_PLAIN,       [ODM_CMD_REPLACE] = CTX_PLAIN,
        [ODM_CMD_DELETE] = CTX_PLAIN,    [ODM_CMD_GET] = CTX_PLAIN,
        [ODM_CMD_COPY] = CTX_PLAIN,      [ODM_CMD_EXEC] = CTX_EXEC,
        [ODM_CMD_SEQUENCE] = CTX_LIST,   [ODM_CMD_ATOMIC] = CTX_LIST,
        [ODM_CMD_PUT] = CTX_FOREIGN,     [ODM_CMD_SEARCH] = CTX_FOREIGN,
        [ODM_CMD_MAP] = CTX_FOREIGN,     [ODM_CMD_MOVE] = CTX_FOREIGN,
        [ODM_CMD_SYNC] = CTX_FOREIGN,
};

/* Lists are chained generically: `next` is the first member of all that is listed. */
static_assert(offsetof(odm_command, next) == 0 && offsetof(odm_item, next) == 0 &&
                      offsetof(odm_ref, next) == 0 && offsetof(odm_doc_node, next) == 0,
              "next comes first");
static_assert(offsetof(odm_meta, present) == 0 && offsetof(odm_cred, present) == 0,
              "ACT_PRESENT sets the first member");

static void append(void ***tail, void *node)
{
        **tail = node;
        *tail = (void **)node;
}

/* odm_arena_zget() with the usual case here, where n is a constant. */
static inline void *zeroed(odm_arena *a, size_t n)
{
        char *p = a->at;

        n = (n + 7) / 8 * 8; /* what the arena aligns to */
        if (n > (size_t)(a->end - a->at))
                return odm_arena_zget(a, n);
        a->at += n;
        for (size_t i = 0; i < n / 64; i++) /* short and constant: stores, no call */
                memset(p + i * 64, 0, 64);
        memset(p + n / 64 * 64, 0, n % 64);
        return p;
}

#define NEW(arena, type) ((type *)zeroed((arena), sizeof(type)))

static int begin(struct builder *b, odm_str in, const odm_limits *lim, odm_arena *arena)
{
        b->arena = arena;
        if (lim)
                b->lim = *lim;
        else
                odm_limits_init(&b->lim);
        if (b->lim.max_depth > ODM_DEPTH_MOST)
                b->lim.max_depth = ODM_DEPTH_MOST;
        b->commands = b->items = 0;
        b->top = b->stack;
        b->last = b->stack + b->lim.max_depth;
        b->rooted = b->has_hdr = false;
        b->acc = ODM_ABSENT;
        b->acc_cap = 0;
        b->acc_kind = ODM_DATA_TEXT;
        b->msg = NULL;
        b->doc = NULL;
        return in.n > b->lim.max_msg ? ODM_ELIMIT : 0;
}

int odm_builder_begin_msg(struct builder *b, odm_str in, const odm_limits *lim, odm_arena *arena)
{
        int rc = begin(b, in, lim, arena);

        if (rc < 0)
                return rc;
        b->msg = odm_new(arena, odm_msg);
        b->stack[0] = (struct frame){.ctx = CTX_ROOT, .base = b->msg};
        return b->msg ? 0 : odm_arena_err(arena);
}

int odm_builder_begin_doc(struct builder *b, odm_str in, const odm_limits *lim, odm_arena *arena)
{
        int rc = begin(b, in, lim, arena);

        if (rc < 0)
                return rc;
        b->doc = odm_new(arena, odm_doc);
        b->stack[0] = (struct frame){.ctx = CTX_DOC, .base = b->doc};
        return b->doc ? 0 : odm_arena_err(arena);
}

int odm_builder_end_msg(const struct builder *b)
{
        return b->rooted && !builder_inside(b) && b->has_hdr ? 0 : ODM_EMALFORMED;
}

int odm_builder_end_doc(const struct builder *b)
{
        return b->rooted && !builder_inside(b) ? 0 : ODM_EMALFORMED;
}

static void forget_text(struct builder *b)
{
        b->acc = ODM_ABSENT;
        b->acc_cap = 0;
        b->acc_kind = ODM_DATA_TEXT;
}

static int count(uint32_t *n, uint32_t max)
{
        return (*n)++ >= max ? ODM_ELIMIT : 0;
}

/* ---- elements that hold elements ------------------------------------------- */

static int open_command(struct builder *b, odm_cmd kind)
{
        unsigned ctx = command_ctx[kind];

        if (count(&b->commands, b->lim.max_commands) < 0)
                return ODM_ELIMIT;
        odm_command *c = NEW(b->arena, odm_command);
        if (c == NULL)
                return odm_arena_err(b->arena);
        c->kind = kind;
        append(&builder_top(b)->tail[0], c);
        if (builder_push(b, ctx, c) < 0)
                return ODM_ELIMIT;
        struct frame *f = builder_top(b);
        f->tail[0] = ctx == CTX_LIST ? (void **)&c->body : (void **)&c->items;
        f->tail[1] = (void **)&c->target_refs;
        f->tail[2] = (void **)&c->source_refs;
        return 0;
}

static int open_unknown(struct builder *b, unsigned id, odm_str name)
{
        int rc = open_command(b, ODM_CMD_UNKNOWN);

        if (rc < 0)
                return rc;
        odm_command *c = builder_top(b)->base;
        c->name = name.p ? name : odm_cstr(odm_element_name(id) ? odm_element_name(id) : "?");
        return 0;
}

static int open_item(struct builder *b)
{
        if (count(&b->items, b->lim.max_items) < 0)
                return ODM_ELIMIT;
        odm_item *i = NEW(b->arena, odm_item);
        if (i == NULL)
                return odm_arena_err(b->arena);
        append(&builder_top(b)->tail[0], i);
        return builder_push(b, CTX_ITEM, i);
}

static int open_node(struct builder *b)
{
        if (count(&b->items, b->lim.max_items) < 0)
                return ODM_ELIMIT;
        odm_doc_node *n = odm_new(b->arena, odm_doc_node);
        if (n == NULL)
                return odm_arena_err(b->arena);
        append(&builder_top(b)->tail[0], n);
        int rc = builder_push(b, CTX_NODE, n);
        if (rc < 0)
                return rc;
        builder_top(b)->tail[0] = (void **)&n->children;
        builder_top(b)->tail[1] = (void **)&n->df_types;
        return 0;
}

/* What beginning some elements says by itself. */
static void entered(struct builder *b, struct frame *f)
{
        switch ((enum context)f->ctx) {
        case CTX_SYNCML:
        case CTX_TREE:
                b->rooted = true;
                if (f->ctx == CTX_TREE)
                        f->tail[0] = (void **)&b->doc->nodes;
                break;
        case CTX_HDR: b->has_hdr = true; break;
        case CTX_BODY:
                b->msg->has_body = true;
                f->tail[0] = (void **)&b->msg->body;
                while (*f->tail[0]) /* a second SyncBody goes on where the first ended */
                        f->tail[0] = (void **)*f->tail[0];
                break;
        case CTX_CHAL: ((odm_command *)f->base)->chal.present = true; break;
        case CTX_RT: ((odm_doc_node *)f->base)->has_rt = true; break;
        case CTX_DF: ((odm_doc_node *)f->base)->has_df = true; break;
        default: ODM_UNREACHABLE(); /* no rule begins another */
        }
}

/* A command's Cred, which is rarer than commands. */
static int open_cred(struct builder *b, odm_cred **at)
{
        if (*at == NULL)
                *at = odm_new(b->arena, odm_cred);
        if (*at == NULL)
                return odm_arena_err(b->arena);
        (*at)->present = true;
        return builder_push(b, CTX_CRED, *at);
}

static int open_skipped(struct builder *b, unsigned id, odm_str name)
{
        enum context ctx = builder_top(b)->ctx;

        if (ctx == CTX_BODY || ctx == CTX_LIST)
                return open_unknown(b, id, name);
        if (ctx == CTX_ROOT || ctx == CTX_DOC)
                return ODM_EMALFORMED;
        return builder_push(b, CTX_SKIP, NULL);
}

static int open_leaf(struct builder *b, const struct rule *r)
{
        forget_text(b);
        return builder_push(b, r->act == ACT_DATA ? CTX_DATA : CTX_LEAF, (void *)(uintptr_t)r);
}

int odm_builder_apply(struct builder *b, const struct rule *r)
{
        void *base = (char *)builder_top(b)->base + r->off;

        int rc;

        switch ((enum act)r->act) {
        case ACT_PRESENT:
        case ACT_ENTER: return builder_enter(b, r);
        case ACT_BEGIN:
                rc = builder_push(b, r->arg, base);
                if (rc == 0)
                        entered(b, builder_top(b));
                return rc;
        case ACT_CRED: return open_cred(b, base);
        case ACT_COMMAND: return open_command(b, (odm_cmd)r->arg);
        case ACT_ITEM: return open_item(b);
        case ACT_NODE: return open_node(b);
        case ACT_FLAG: *(bool *)base = true; break;
        case ACT_FORMAT: *(odm_format *)base = (odm_format)r->arg; break;
        case ACT_ACCESS: ((odm_doc_node *)base)->access |= r->arg; break;
        case ACT_OCCURS: ((odm_doc_node *)base)->occurs = (odm_occurs)r->arg; break;
        default: ODM_UNREACHABLE(); /* leaves and what has no rule are others' */
        }
        return builder_push(b, CTX_SKIP, NULL);
}

int odm_builder_open(struct builder *b, unsigned id, odm_str name)
{
        const struct rule *r = builder_rule(b, id);

        if (rule_is_leaf(r))
                return open_leaf(b, r);
        return r->act == ACT_SKIP ? open_skipped(b, id, name) : odm_builder_apply(b, r);
}

/* ---- elements that are their text ------------------------------------------- */

static odm_str trimmed(odm_str s)
{
        if (s.n && ((unsigned char)s.p[0] <= ' ' || (unsigned char)s.p[s.n - 1] <= ' '))
                return odm_str_trim(s);
        return s;
}

#define WORD(a, b, c, d) \
        ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static odm_format format_of(odm_str s)
{
        if (s.n == 3 || s.n == 4) {
                const unsigned char *p = (const unsigned char *)s.p;
                switch (WORD(p[0], p[1], p[2], s.n == 4 ? p[3] : 0)) {
                case WORD('c', 'h', 'r', 0): return ODM_FMT_CHR;
                case WORD('i', 'n', 't', 0): return ODM_FMT_INT;
                case WORD('b', '6', '4', 0): return ODM_FMT_B64;
                case WORD('b', 'i', 'n', 0): return ODM_FMT_BIN;
                case WORD('b', 'o', 'o', 'l'): return ODM_FMT_BOOL;
                case WORD('n', 'o', 'd', 'e'): return ODM_FMT_NODE;
                default: break;
                }
        }
        return s.n ? odm_format_parse(s) : ODM_FMT_ABSENT;
}

static bool is_b64(odm_str s)
{
        size_t chars = 0, pads = 0;

        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
                        continue;
                if (c == '=')
                        pads++;
                else if (pads || !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                   (c >= '0' && c <= '9') || c == '+' || c == '/'))
                        return false;
                chars++;
        }
        return chars % 4 == 0 && pads <= 2;
}

static void set_nonce(odm_meta *m, odm_data_kind kind, odm_str text)
{
        m->nonce_raw = kind == ODM_DATA_OPAQUE && !is_b64(text);
        m->next_nonce = m->nonce_raw ? text : trimmed(text);
}

static void set_number(bool *has, uint32_t *value, odm_str text)
{
        uint64_t v;

        if (odm_str_u64(trimmed(text), UINT64_MAX, &v) == 0) {
                *has = true;
                *value = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
        }
}

static unsigned code_of(odm_str text)
{
        uint64_t v;

        if (text.n == 3) { /* as good as always */
                unsigned a = text.p[0] - '0', b = text.p[1] - '0', c = text.p[2] - '0';
                if (a <= 9 && b <= 9 && c <= 9)
                        return a * 100 + b * 10 + c;
        }
        return odm_str_u64(trimmed(text), UINT32_MAX, &v) == 0 ? (unsigned)v : 0;
}

static int add_ref(struct builder *b, void ***tail, odm_str uri)
{
        if (count(&b->items, b->lim.max_items) < 0)
                return ODM_ELIMIT;
        odm_ref *r = NEW(b->arena, odm_ref);
        if (r == NULL)
                return odm_arena_err(b->arena);
        r->uri = trimmed(uri);
        append(tail, r);
        return 0;
}

/* DFType stands two elements below its Node, which holds the list. */
static int add_df_type(struct builder *b, const struct rule *r, odm_str text)
{
        struct frame *node = builder_top(b);
        odm_doc_node *n = node->base;

        while (node->ctx != CTX_NODE)
                node--;
        n->df_type_is_ddf_name = r->act == ACT_DF_DDF_NAME;
        return add_ref(b, &node->tail[1], text);
}

static void set_occurs_n(odm_doc_node *n, odm_occurs occurs, odm_str text)
{
        uint64_t v = 0;

        n->occurs = occurs;
        if (odm_str_u64(trimmed(text), UINT32_MAX, &v) == 0)
                n->occurs_n = (uint32_t)v;
}

int odm_builder_leaf(struct builder *b, const struct rule *r, odm_data_kind kind, odm_str text)
{
        void *base = (char *)builder_top(b)->base + r->off;
        odm_meta *m = base;

        switch ((enum act)r->act) {
        case ACT_TEXT: *(odm_str *)base = trimmed(text); return 0;
        case ACT_DATA: *(odm_data *)base = (odm_data){kind, text}; return 0;
        case ACT_CODE: *(unsigned *)base = code_of(text); return 0;
        case ACT_SIZE: set_number(&m->has_size, &m->size, text); return 0;
        case ACT_MAX_MSG: set_number(&m->has_max_msg, &m->max_msg, text); return 0;
        case ACT_MAX_OBJ: set_number(&m->has_max_obj, &m->max_obj, text); return 0;
        case ACT_META_FORMAT:
                m->format_text = trimmed(text);
                m->format = format_of(m->format_text);
                return 0;
        case ACT_NONCE: set_nonce(m, kind, text); return 0;
        case ACT_REF: return add_ref(b, &builder_top(b)->tail[r->arg], text);
        case ACT_DDF_NAME:
                ((odm_doc_node *)base)->type = trimmed(text);
                ((odm_doc_node *)base)->type_is_ddf_name = true;
                return 0;
        case ACT_DF_MIME:
        case ACT_DF_DDF_NAME: return add_df_type(b, r, text);
        case ACT_OCCURS_N: set_occurs_n(base, (odm_occurs)r->arg, text); return 0;
        default: ODM_UNREACHABLE(); /* rule_is_leaf() */
        }
}

/* Text of several pieces, doubling its room so that many small ones stay cheap. */
static int append_text(struct builder *b, odm_str piece)
{
        if (b->acc.n + piece.n > b->acc_cap) {
                size_t cap = (b->acc.n + piece.n) * 2;
                char *p = odm_arena_get(b->arena, cap);
                if (p == NULL)
                        return odm_arena_err(b->arena);
                if (b->acc.n)
                        memcpy(p, b->acc.p, b->acc.n);
                b->acc.p = p;
                b->acc_cap = cap;
        }
        if (piece.n)
                memcpy((char *)(uintptr_t)b->acc.p + b->acc.n, piece.p, piece.n);
        b->acc.n += piece.n;
        return 0;
}

static bool takes_text(enum context ctx)
{
        return ctx == CTX_LEAF || ctx == CTX_DATA || ctx == CTX_LOC || ctx == CTX_FORMAT;
}

int odm_builder_text(struct builder *b, odm_data_kind kind, odm_str piece, bool borrowed)
{
        if (!takes_text(builder_top(b)->ctx))
                return 0;
        if (kind > b->acc_kind)
                b->acc_kind = kind;
        if (borrowed && b->acc.p == NULL) {
                b->acc = piece;
                return 0;
        }
        if (borrowed && b->acc_cap == 0 && b->acc.p && b->acc.p + b->acc.n == piece.p) {
                b->acc.n += piece.n;
                return 0;
        }
        return append_text(b, piece);
}

int odm_builder_close(struct builder *b)
{
        struct frame *f = builder_top(b);
        odm_str text = b->acc.p ? b->acc : ODM_STR("");
        odm_data_kind kind = b->acc_kind;

        assert(builder_inside(b));
        b->top--;
        switch ((enum context)f->ctx) {
        case CTX_LEAF:
        case CTX_DATA: forget_text(b); return odm_builder_leaf(b, f->base, kind, text);
        case CTX_LOC: /* bare text instead of LocURI (dm-representation.md 2) */
                forget_text(b);
                text = trimmed(text);
                if (text.n && ((odm_str *)f->base)->p == NULL)
                        *(odm_str *)f->base = text;
                return 0;
        case CTX_FORMAT: /* bare text instead of an element */
                forget_text(b);
                text = trimmed(text);
                if (*(odm_format *)f->base == ODM_FMT_ABSENT &&
                    odm_format_parse(text) != ODM_FMT_OTHER)
                        *(odm_format *)f->base = odm_format_parse(text);
                return 0;
        default: return 0;
        }
}
